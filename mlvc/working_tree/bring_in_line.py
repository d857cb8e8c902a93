"""Checkout: makes files match a pin, and never overwrites what is saved nowhere unless told to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mlvc import atomic_file
from mlvc.errors import ConflictError
from mlvc.format.ids import FileDigest
from mlvc.working_tree import placing
from mlvc.working_tree.placing import Placement
from mlvc.working_tree.stat_cache import StatCache


@dataclass(frozen=True, slots=True)
class CheckoutPlan:
    """What a checkout would do.

    Attributes:
        write: files to write; those that are right already are among them and stay untouched.
        remove: files that the old pin put there and the new one does not know.
        blocked: files whose content is neither the old pin's nor the new one's: unsaved changes.
    """

    write: tuple[Placement, ...]
    remove: tuple[Path, ...]
    blocked: tuple[Path, ...]


def plan(old: Iterable[Placement], new: Iterable[Placement], cache: StatCache) -> CheckoutPlan:
    """Decides what to do to get from what an old pin says (nothing, for a path not pinned before) to a new one."""
    before: dict[Path, FileDigest] = {p.target: p.entry.digest for p in old}
    write, blocked = [], []
    for placement in new:
        current = placing.current_digest(placement.target, cache)
        expected = before.pop(placement.target, None)
        if current is not None and current not in (placement.entry.digest, expected):
            blocked.append(placement.target)
        elif current is None and (placement.target.is_symlink() or placement.target.exists()):
            blocked.append(placement.target)
        write.append(placement)
    remove = []
    for target, expected in before.items():
        current = placing.current_digest(target, cache)
        if current == expected:
            remove.append(target)
        elif current is not None:
            blocked.append(target)
    return CheckoutPlan(tuple(write), tuple(remove), tuple(blocked))


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
    """Removes the files that the new pin does not know, and folders left empty below `top`."""
    for target in found.remove:
        atomic_file.remove(target)
        folder = target.parent
        while folder != top and folder.is_relative_to(top):
            try:
                folder.rmdir()
            except OSError:
                break  # something else is in it
            folder = folder.parent
