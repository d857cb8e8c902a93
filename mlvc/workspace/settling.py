"""Conflicts of pins: what a merge of Git left in `mlvc.lock`, and taking one side of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mlvc import atomic_file, git_program
from mlvc.errors import NotFoundError
from mlvc.fold.questions import View
from mlvc.working_tree import lock_file, lock_merge
from mlvc.working_tree.lock_file import Pin, Pins
from mlvc.working_tree.lock_merge import Merged, PinConflict
from mlvc.workspace import comparing, following, resolving, undoing
from mlvc.workspace.workspace import Workspace


def conflicts(workspace: Workspace) -> Merged:
    """Returns what `mlvc.lock` agrees on, and what is in conflict in it."""
    path = workspace.root / lock_file.FILE_NAME
    return lock_merge.parse(_text(workspace), str(path), following.pins_at(workspace, _BASE_IN_INDEX) if workspace.checkout else None)


_BASE_IN_INDEX = ":1"


def _text(workspace: Workspace) -> str:
    path = workspace.root / lock_file.FILE_NAME
    return path.read_text(encoding="utf-8") if path.exists() else ""


def tidy(workspace: Workspace) -> bool:
    """Settles a merge as text that left markers around what nobody changed twice; tells whether it did. What is in conflict stays."""
    with lock_file.held(undoing.pins_lock(workspace)):
        if not lock_merge.has_markers(_text(workspace)) or (found := conflicts(workspace)).conflicts:
            return False
        _write(workspace, found)
        return True


def describe(workspace: Workspace, view: View, pin: Pin | None) -> str:
    """Returns what a pin is, for a person: name, who published it and when."""
    if pin is None:
        return "not pinned"
    if not comparing.is_known(view, pin.version):
        return f"{pin.collection.rpartition('/')[2]}@{pin.version.hex()[:12]}, not known here: 'mlvc pull' may bring it"
    said = view.publications(pin.version, standing=False)[-1]
    return f"{resolving.display_version(workspace, view, pin.version)} by {said.who}: {said.command}"


def settle(workspace: Workspace, paths: Sequence[Path], side: str) -> tuple[list[tuple[str, Pin | None]], list[PinConflict]]:
    """Takes one side of the conflicts at some paths, or of all; a lock file without conflicts is staged for Git.

    Paths that lie within each other are settled together: one side of each would pin a path twice, or not at all.

    Args:
        workspace: where.
        paths: none means all.
        side: `ours`, `theirs` or `base`.

    Returns:
        What each path is pinned to now, and the conflicts that are left.

    Raises:
        NotFoundError: there is no conflict at a path.
    """
    wanted = [workspace.require_project_folder(path) for path in paths]
    with lock_file.held(undoing.pins_lock(workspace)):
        found = conflicts(workspace)
        unknown = next((path for path in wanted if path not in [one.path for one in found.conflicts]), None)
        if unknown is not None:
            raise NotFoundError(f"{unknown} is in no conflict", hint="'mlvc resolve' lists those that are")
        chosen = lock_merge.together(found.conflicts, wanted or [one.path for one in found.conflicts])
        pins = {**found.pins, **{one.path: pin for one in chosen if (pin := one.side(side)) is not None}}
        left = tuple(one for one in found.conflicts if one not in chosen)
        _write(workspace, Merged(pins, left))
    return [(one.path, one.side(side)) for one in chosen], list(left)


def _write(workspace: Workspace, merged: Merged) -> None:
    with workspace.repository.reading() as view:
        text = lock_merge.render(merged, lambda pin: describe(workspace, view, pin))
    atomic_file.replace(workspace.root / lock_file.FILE_NAME, text.encode())
    if not merged.conflicts and workspace.checkout is not None:
        git_program.git(["add", "--", lock_file.FILE_NAME], cwd=workspace.root)


def merge_files(base: Path, ours: Path, theirs: Path, *, names: tuple[str, str], size: int, workspace: Workspace | None) -> int:
    """Git's merge driver: merges three lock files into `ours`; returns how many conflicts there are. Without a workspace it says less of each side.

    Raises:
        DamageError: one of them is no lock file.
    """
    sides: list[Pins] = []
    for path in (base, ours, theirs):
        text = path.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n")
        sides.append(lock_file.parse(text, path.name))
    merged = lock_merge.merge(*sides)
    if workspace is None or not merged.conflicts:
        text = lock_merge.render(merged, lambda pin: f"{pin.collection}@{pin.version.hex()[:12]}", names=names, size=size)
    else:
        with workspace.repository.reading() as view:
            text = lock_merge.render(merged, lambda pin: describe(workspace, view, pin), names=names, size=size)
    ours.write_bytes(text.encode())  # Git's own temporary file: it reads it back at once
    return len(merged.conflicts)


