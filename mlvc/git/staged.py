"""What the next commit would bring into Git's history: the files of the index that no commit at hand holds yet."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from mlvc import git_program
from mlvc.git.checkout import Checkout


class StagedFile(Struct, frozen=True):
    """A file of the index that is new or changed: its path from the top, its size in bytes as Git would keep it, its content's hash."""

    path: str
    size: int
    blob: str


def new_files(checkout: Checkout) -> list[StagedFile]:
    """Returns the files whose content a commit of the index would add. What a merge brings from the other side is in history already."""
    found = _changed(checkout, [])
    merged = checkout.git_dir / "MERGE_HEAD"
    if found and merged.exists():
        for other in merged.read_text(encoding="ascii").split():
            theirs = _changed(checkout, [other])
            found = {path: blob for path, blob in found.items() if path in theirs}
    sizes = _sizes(checkout.root, found.values())
    return [StagedFile(path, sizes[blob], blob) for path, blob in found.items() if blob in sizes]


def _changed(checkout: Checkout, against: list[str]) -> dict[str, str]:
    """Returns path -> blob of the files that are new or changed in the index; files that were only moved are neither."""
    arguments = ["diff", "--cached", "--raw", "-z", "--no-abbrev", "--diff-filter=AMT", "--find-renames=100%", "-l0", "--ignore-submodules=all"]
    out = git_program.git([*arguments, *against, "--"], cwd=checkout.root) or b""
    fields = out.split(b"\0")
    found = {}
    for about, path in zip(fields[::2], fields[1::2], strict=False):
        before, after = about.split(b" ")[2:4]
        if before != after:  # else only its mode changed
            found[os.fsdecode(path)] = after.decode()
    return found


def is_in_history(root: Path, blob: str) -> bool:
    """Tells whether a commit before this one brought a content: then it costs nothing more. Walks the history."""
    return git_program.line(["log", "--max-count=1", "--format=%H", f"--find-object={blob}", "HEAD"], cwd=root) is not None


def _sizes(root: Path, blobs: Iterable[str]) -> dict[str, int]:
    names = list(dict.fromkeys(blobs))
    if not names:
        return {}
    out = git_program.git(["cat-file", "--batch-check=%(objectname) %(objecttype) %(objectsize)"], cwd=root, data="\n".join([*names, ""]).encode()) or b""
    found = (line.split(" ") for line in out.decode().splitlines())
    return {fields[0]: int(fields[2]) for fields in found if len(fields) == 3 and fields[1] == "blob"}
