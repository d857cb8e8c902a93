"""Following Git: after it moved `mlvc.lock`, the files are brought in line, as far as nothing is lost and no network is needed."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from msgspec import Struct

from mlvc.errors import ConflictError, DamageError, Error, NotFoundError, RemoteError, UsageError
from mlvc.fold.questions import View
from mlvc.git import commits
from mlvc.working_tree import bring_in_line, lock_file, placed_pins, placing
from mlvc.working_tree.bring_in_line import CheckoutPlan
from mlvc.working_tree.lock_file import Pin, Pins
from mlvc.workspace import checking_out, comparing, pinning
from mlvc.workspace.contents import Contents
from mlvc.workspace.workspace import Workspace


class Followed(Struct):
    """What was done: files written and removed; and the pins that were left, with why.

    Attributes:
        absent: paths whose data is not here.
        kept: paths whose files hold changes that are saved nowhere.
        left: the same, of paths that are pinned no more.
        failed: path -> what went wrong.
    """

    written: int = 0
    removed: int = 0
    absent: list[str] = []
    kept: list[str] = []
    left: list[str] = []
    failed: dict[str, str] = {}


def is_done(workspace: Workspace) -> bool:
    """Tells, fast, whether the files were brought in line with the lock file as it is."""
    return placed_pins.is_followed(workspace.root / lock_file.FILE_NAME, workspace.placed_path)


def follow(workspace: Workspace, before: str | None = None, *, may_fetch: bool = False) -> Followed:
    """Brings files in line with `mlvc.lock`, each pin by itself: one that cannot be keeps none of the others from it.

    What was changed and is saved nowhere stays. Without `may_fetch`, only what local packs hold is written.

    Args:
        workspace: where.
        before: the commit that was checked out before; its pins are what files may hold where no record says.
        may_fetch: ask the remotes for what is not here.

    Raises:
        ConflictError, DamageError: the lock file cannot be understood.
    """
    done = Followed()
    pins = lock_file.read(workspace.root)
    if not pins and pinning.is_lock_hidden(workspace):
        return done
    placed = placed_pins.read(workspace.placed_path)
    wanted = {path: pin for path, pin in pins.items() if placed.get(path) != pin}
    if not placed and before is not None:
        placed = pins_at(workspace, before)  # what the files may be; nothing says that they are here
    changes: dict[str, Pin | None] = {}
    if may_fetch:
        _pull_unknown(workspace, wanted.values())
    with workspace.repository.reading() as view:
        for path, one in checking_out.leftovers(workspace, view, pins, placed).items():
            done.removed += checking_out.remove(workspace, one)
            if one.is_changed:
                done.left.append(path)
            else:
                changes[path] = None
        steps = {path: step for path, pin in wanted.items() if (step := _step(workspace, view, placed, pin, done, may_fetch=may_fetch)) is not None}
    for path, step in steps.items():
        try:
            made = checking_out.carry_out(workspace, [step])
        except Error as error:
            done.failed[path] = error.message
            continue
        done.written += made.written
        done.removed += made.removed
        changes[path] = step[0]
    pinning.record_placed(workspace, changes, is_followed=True)
    return done


def _pull_unknown(workspace: Workspace, pins: Iterable[Pin]) -> None:
    """Brings the names of versions that nobody here has heard of; where the remote is out of reach, they stay absent."""
    with workspace.repository.reading() as view:
        is_needed = any(not comparing.is_known(view, pin.version) for pin in pins)
    if is_needed and workspace.settings.upstream is not None:
        from mlvc.workspace import exchanging

        with suppress(RemoteError, UsageError):
            exchanging.pull(workspace)


def _step(
    workspace: Workspace, view: View, placed: Pins, pin: Pin, done: Followed, *, may_fetch: bool
) -> tuple[Pin, CheckoutPlan, Contents] | None:
    """Returns what is to be done for a pin, or None where something keeps it from being done, which `done` then says."""
    objects = workspace.repository.objects
    try:
        if not comparing.is_known(view, pin.version):
            done.absent.append(pin.path)
            return None
        planned, held = checking_out.plan(workspace, view, checking_out.nested_with(placed, pin.path), pin)
        bring_in_line.refuse_obstacles(planned, workspace.root)
        if planned.blocked:
            done.kept.append(pin.path)
            return None
        if not may_fetch:
            with objects.local_only():
                if objects.missing(placing.pieces(objects, held.recipes, planned.write)):
                    done.absent.append(pin.path)
                    return None
    except NotFoundError:
        done.absent.append(pin.path)
        return None
    except (ConflictError, DamageError) as error:
        done.failed[pin.path] = error.message
        return None
    return pin, planned, held


def pins_at(workspace: Workspace, commit: str) -> Pins:
    """Returns what `mlvc.lock` pins at a commit, a revision or "" for the index; none where it is not there."""
    if workspace.checkout is None:
        return {}
    found = commits.file_at(workspace.root, commit, lock_file.FILE_NAME)
    return {} if found is None else lock_file.parse(found.decode("utf-8", "replace").replace("\r\n", "\n"), f"{lock_file.FILE_NAME} at {commit or 'the index'}")
