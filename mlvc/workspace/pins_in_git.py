"""The pins that commits hold: how two commits differ, and which commit brought which version."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from mlvc import git_program
from mlvc.errors import NotFoundError, UsageError
from mlvc.fold.questions import View
from mlvc.format.ids import short
from mlvc.git import commits
from mlvc.git.commits import Commit
from mlvc.working_tree import lock_file
from mlvc.working_tree.lock_file import Pin, Pins
from mlvc.workspace import comparing, following, resolving
from mlvc.workspace.workspace import Workspace


class PinChange(Struct, frozen=True):
    """A path that two commits pin differently; None where one does not pin it."""

    path: str
    before: Pin | None
    after: Pin | None

    @property
    def kind(self) -> str:
        """`added`, `removed` or `modified`."""
        return comparing.ADDED if self.before is None else comparing.REMOVED if self.after is None else comparing.MODIFIED


def between(workspace: Workspace, wanted: str | None) -> list[PinChange]:
    """Returns how pins differ between two commits, by path.

    Args:
        workspace: where.
        wanted: `A..B`; `A...B` for what B changed since both parted; `A` for A and the files' own lock file; None for HEAD and that.

    Raises:
        NotFoundError: Git knows no such commit.
        UsageError: there is no Git repository.
    """
    if workspace.checkout is None:
        raise UsageError("this is no Git repository, and has no commits to compare")
    root = workspace.root
    if wanted is not None and ".." in wanted:
        first, dots, last = wanted.partition("..." if "..." in wanted else "..")
        old, new = (commits.resolve(root, one or "HEAD") for one in (first, last))
        if dots == "...":
            found = git_program.line(["merge-base", old, new], cwd=root)
            if found is None:
                raise NotFoundError(f"{first} and {last} have no commit in common")
            old = found
        return changes(following.pins_at(workspace, old), following.pins_at(workspace, new))
    before = following.pins_at(workspace, commits.resolve(root, wanted or "HEAD"))
    return changes(before, lock_file.read(root))


def changes(before: Pins, after: Pins) -> list[PinChange]:
    """Returns the paths that are pinned differently."""
    paths = sorted(before.keys() | after.keys())
    return [PinChange(path, before.get(path), after.get(path)) for path in paths if before.get(path) != after.get(path)]


def history(workspace: Workspace, collection: str | None, max_count: int) -> Iterator[tuple[Commit, list[PinChange]]]:
    """Yields the commits that changed pins, the last first, with what they changed against their first parent.

    Args:
        workspace: where.
        collection: as stored: only changes to or from its versions; None for all.
        max_count: of commits.
    """
    if workspace.checkout is None:
        raise UsageError("this is no Git repository, and has no commits to show")
    shown = 0
    for commit in commits.changing(workspace.root, lock_file.FILE_NAME):
        before = following.pins_at(workspace, commit.parents[0]) if commit.parents else {}
        found = [
            change
            for change in changes(before, following.pins_at(workspace, commit.hash))
            if collection is None or collection in [pin.collection for pin in (change.before, change.after) if pin is not None]
        ]
        if found:
            yield commit, found
            shown += 1
        if shown >= max_count:
            return


def label(workspace: Workspace, view: View, pin: Pin) -> str:
    """Returns `digits:v3`, or the id of a version that is not known here."""
    if comparing.is_known(view, pin.version):
        return resolving.display_version(workspace, view, pin.version)
    return f"{pin.collection.rpartition('/')[2]}@{short(pin.version)}"
