"""Checkout: makes files match a pin, and never overwrites what is saved nowhere unless told to."""

from __future__ import annotations

import os
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from pathlib import Path

from msgspec import Struct

from mlvc import atomic_file
from mlvc.errors import ConflictError
from mlvc.format.ids import FileDigest
from mlvc.working_tree import placing
from mlvc.working_tree.placing import Placement
from mlvc.working_tree.stat_cache import StatCache


class CheckoutPlan(Struct, frozen=True):
    """What a checkout would do.

    Attributes:
        write: files to write.
        unchanged: how many are right already, and stay untouched.
        remove: files that the old pin put there and the new one does not know; they go first.
        blocked: files whose content is neither the old pin's nor the new one's: unsaved changes.
        obstacles: links, files and folders that stand in the way, and that nobody but the user may remove.
    """

    write: tuple[Placement, ...]
    unchanged: int
    remove: tuple[Path, ...]
    blocked: tuple[Path, ...]
    obstacles: tuple[Path, ...]


def plan(old: Iterable[Placement], new: Iterable[Placement], root: Path, cache: StatCache) -> CheckoutPlan:
    """Decides what to do to get from what an old pin says (nothing, for a path not pinned before) to a new one.

    Raises:
        ConflictError: the disk cannot hold two of the new paths side by side.
    """
    before: dict[str, FileDigest] = {str(p.target): p.entry.digest for p in old}
    wanted = list(new)
    start = len(str(root).rstrip("/")) + 1
    placing.refuse_collisions(root, [str(p.target)[start:] for p in wanted])
    write, blocked, remove = [], [], []
    for placement in wanted:
        current = placing.current_digest(placement.target, cache)
        expected = before.pop(str(placement.target), None)
        if current == placement.entry.digest:
            continue
        write.append(placement)
        is_no_file = current is None and os.path.lexists(placement.target) and not _is_folder(placement.target)
        if current not in (None, expected) or is_no_file:
            blocked.append(placement.target)
    for name, expected in before.items():
        target = Path(name)
        current = placing.current_digest(target, cache)
        if current is not None:
            remove.append(target)
        if current not in (None, expected):
            blocked.append(target)
    going = set(remove)
    ways_down: dict[str, Path | None] = {}
    ways = [_obstacle(target, root, going, ways_down) for target in (*(p.target for p in write), *remove)]
    obstacles = dict.fromkeys(way for way in ways if way is not None)
    return CheckoutPlan(tuple(write), len(wanted) - len(write), tuple(remove), tuple(blocked), tuple(obstacles))


def _is_folder(path: Path) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)


def _obstacle(target: Path, root: Path, going: AbstractSet[Path], ways_down: dict[str, Path | None]) -> Path | None:
    """Returns what keeps a file from being written or removed at `target`, when `going` are gone; None for nothing.

    `ways_down` remembers what was found on the way to each folder, and grows.
    """
    folder = os.path.dirname(str(target))
    if folder not in ways_down:
        ways_down[folder] = _in_the_way(target, root, going)
    if ways_down[folder] is not None:
        return ways_down[folder]
    if _is_folder(target):
        for held, folders, files in os.walk(target):
            links = [name for name in folders if os.path.islink(os.path.join(held, name))]
            if not all(Path(held, name) in going for name in (*files, *links)):
                return target
    return None


def _in_the_way(target: Path, root: Path, going: AbstractSet[Path]) -> Path | None:
    for folder in reversed(target.relative_to(root).parents[:-1]):
        path = root / folder
        if path.is_symlink():
            return path  # nothing is written or removed through a link
        if path in going or not path.exists():
            return None
        if not path.is_dir():
            return path
    return None


def refuse_obstacles(found: CheckoutPlan, root: Path) -> None:
    """Raises ConflictError when something stands in the way that is no artifact's file, forced or not."""
    if found.obstacles:
        first = found.obstacles[0]
        kind = "a link" if first.is_symlink() else "a folder with other files" if first.is_dir() else "a file"
        raise ConflictError(
            f"{first.relative_to(root)} is {kind}, and stands where the artifact's files belong; nothing was touched",
            hint="move it away, then run the command again",
        )


def refuse_blocked(found: CheckoutPlan, root: Path) -> None:
    """Raises ConflictError when the plan would overwrite unsaved changes."""
    if not found.blocked:
        return
    names = ", ".join(str(path.relative_to(root)) for path in found.blocked[:3])
    more = f" and {len(found.blocked) - 3} more" if len(found.blocked) > 3 else ""
    raise ConflictError(
        f"{names}{more}: changed here and saved nowhere; nothing was touched",
        hint="'mlvc add' saves the change as a new version, '--force' throws it away",
    )


def remove_files(found: CheckoutPlan, top: Path) -> None:
    """Removes the files that the new pin does not know, then the folders left empty below `top`, and those in the way."""
    for target in found.remove:
        atomic_file.remove(target)
        folder = target.parent
        while folder != top and folder.is_relative_to(top) and _removed_when_empty(folder):
            folder = folder.parent
    for placement in found.write:
        if _is_folder(placement.target):
            for folder_name, _, _ in os.walk(placement.target, topdown=False):
                _removed_when_empty(Path(folder_name))


def remove_empty(folder: Path, root: Path) -> None:
    """Removes a folder, and those above it below `root`, as far as nothing is in them."""
    while folder != root and (not folder.exists() or _removed_when_empty(folder)):
        folder = folder.parent


def _removed_when_empty(folder: Path) -> bool:
    try:
        folder.rmdir()
    except OSError:
        return False  # something else is in it
    return True
