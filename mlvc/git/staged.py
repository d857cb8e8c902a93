"""What the next commit would bring into Git's history: the files of the index that no commit at hand holds yet."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from mlvc import git_program
from mlvc.git.checkout import Checkout


class StagedFile(Struct, frozen=True):
    """A file of the index that is new or changed: its path from the top, and its size in bytes as Git would keep it."""

    path: str
    size: int


def new_files(checkout: Checkout) -> list[StagedFile]:
    """Returns the files whose content a commit of the index would add. What a merge brings from the other side is in history already."""
    found = _changed(checkout, [])
    merged = checkout.git_dir / "MERGE_HEAD"
    if found and merged.exists():
        for other in merged.read_text(encoding="ascii").split():
            theirs = _changed(checkout, [other])
            found = {path: blob for path, blob in found.items() if path in theirs}
    sizes = _sizes(checkout.root, found.values())
    return [StagedFile(path, sizes[blob]) for path, blob in found.items() if blob in sizes]


def _changed(checkout: Checkout, against: list[str]) -> dict[str, str]:
    """Returns path -> blob of the files that are new or changed in the index; files that were only moved are neither."""
    arguments = ["diff", "--cached", "--raw", "-z", "--no-abbrev", "--diff-filter=AM", "--find-renames=100%", "-l0", "--ignore-submodules=all"]
    out = git_program.git([*arguments, *against, "--"], cwd=checkout.root) or b""
    fields = out.split(b"\0")
    return {os.fsdecode(path): said.split(b" ")[3].decode() for said, path in zip(fields[::2], fields[1::2], strict=False)}


def _sizes(root: Path, blobs: Iterable[str]) -> dict[str, int]:
    names = list(dict.fromkeys(blobs))
    if not names:
        return {}
    out = git_program.git(["cat-file", "--batch-check=%(objectname) %(objecttype) %(objectsize)"], cwd=root, data="\n".join([*names, ""]).encode()) or b""
    found = (line.split(" ") for line in out.decode().splitlines())
    return {fields[0]: int(fields[2]) for fields in found if len(fields) == 3 and fields[1] == "blob"}
