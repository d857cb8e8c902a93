"""Commits: which one a revision means, what files held at them, which ones changed a file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from mlvc import git_program
from mlvc.errors import NotFoundError


class Commit(Struct, frozen=True):
    """A commit: full hash, parents' hashes, milliseconds UTC, its author's name, its message's first line."""

    hash: str
    parents: tuple[str, ...]
    when_ms: int
    author: str
    subject: str


def resolve(root: Path, revision: str) -> str:
    """Returns the full hash of the commit that a revision means, as `main~3`; NotFoundError when Git knows none."""
    found = git_program.line(["rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"], cwd=root)
    if found is None:
        raise NotFoundError(f"Git knows no commit '{revision}' here", hint="'git log --oneline' lists them; a shallow clone lacks the older ones")
    return found


def in_range(root: Path, wanted: str) -> set[str]:
    """Returns the commits of a range, as `main..feature`, or the one of a revision; NotFoundError as `resolve`."""
    if ".." not in wanted:
        return {resolve(root, wanted)}
    out = git_program.git(["rev-list", "--end-of-options", wanted, "--"], cwd=root, check=False)
    if out is None:
        raise NotFoundError(f"Git knows no commits '{wanted}' here", hint="expected A..B, as git log takes it")
    return set(out.decode().split())


def file_at(root: Path, revision: str, path: str) -> bytes | None:
    """Returns a file as a commit holds it, or None where it holds none. `revision` "" is the index, ":1" to ":3" its sides of a conflict.

    Args:
        root: of the checkout.
        revision: one that is known.
        path: from the top of the checkout; without line ends.
    """
    name = f"{revision}:{path}"
    out = git_program.git(["cat-file", "--batch"], cwd=root, data=f"{name}\n".encode()) or b""
    first, _, rest = out.partition(b"\n")
    fields = first.rsplit(b" ", 2)
    if fields[-1] == b"missing" or len(fields) < 3 or fields[1] != b"blob":
        return None
    return rest[: int(fields[2])]


def changing(root: Path, path: str, *, arguments: Sequence[str] = (), max_count: int | None = None) -> Iterator[Commit]:
    """Yields the commits that changed a file, the last first.

    Args:
        root: of the checkout.
        path: from its top.
        arguments: revisions and options for `git log`.
        max_count: how many at most.
    """
    limit = [] if max_count is None else [f"--max-count={max_count}"]
    out = git_program.git(["log", "-z", "--format=%H%n%P%n%ct%n%an%n%s", *limit, *arguments, "--", path], cwd=root, check=False) or b""
    for record in out.split(b"\0"):
        if record.strip():
            commit, parents, when_s, author, subject = os.fsdecode(record).split("\n", 4)
            yield Commit(commit, tuple(parents.split()), int(when_s) * 1000, author, subject)


def parents(root: Path, commit: str) -> tuple[str, ...]:
    """Returns the hashes of a commit's parents."""
    out = git_program.line(["rev-list", "--parents", "--max-count=1", commit], cwd=root) or commit
    return tuple(out.split()[1:])


class RefUpdate(Struct, frozen=True):
    """One line of what Git tells `pre-push`: full hashes, all zeros for none."""

    local: str
    remote: str


def sent(root: Path, remote: str, updates: Iterable[RefUpdate], path: str) -> list[str]:
    """Returns the commits that a push sends and that change a file: those that the Git remote has not, as far as is known here.

    Args:
        root: of the working tree.
        remote: Git's name of its remote, or a URL.
        updates: what is pushed.
        path: of the file, from the root.
    """
    pushed = [update for update in updates if update.local.strip("0")]
    if not pushed:
        return []
    known = [update.remote for update in pushed if update.remote.strip("0")]
    there = [old for old in known if git_program.git(["cat-file", "-e", f"{old}^{{commit}}"], cwd=root, check=False) is not None]
    listing = ["rev-list", "--full-history", *(update.local for update in pushed), "--not", *there, f"--remotes={remote}", "--", path]
    return (git_program.git(listing, cwd=root) or b"").decode().split()
