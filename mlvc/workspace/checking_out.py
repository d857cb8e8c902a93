"""Checking out: files brought in line with pins, decided before anything is touched; what is saved nowhere stays."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path, PurePosixPath

from msgspec import Struct
from msgspec.structs import replace

from mlvc.errors import NotFoundError, UsageError
from mlvc.fold.questions import View
from mlvc.format import names
from mlvc.format.ids import short
from mlvc.working_tree import bring_in_line, lock_file, placed_pins, placing
from mlvc.working_tree import status as tree_status
from mlvc.working_tree.bring_in_line import CheckoutPlan
from mlvc.working_tree.lock_file import WHOLE, Pin, Pins
from mlvc.workspace import contents, pinning, resolving
from mlvc.workspace.contents import Contents
from mlvc.workspace.workspace import Workspace


class CheckedOut(Struct, frozen=True):
    """What a checkout did, in files and bytes."""

    written: int
    unchanged: int
    removed: int
    bytes_written: int
    pins: tuple[Pin, ...]


def checkout(workspace: Workspace, paths: Sequence[Path], *, force: bool = False) -> CheckedOut:
    """Makes files match their pins: all, or those at, below or inside of `paths`' pins. Decides before it touches anything.

    Raises:
        ConflictError: it would overwrite unsaved changes, and `force` is False; or something is in the way.
        NotFoundError: a path is not pinned; or content is neither here nor within reach of a remote.
    """
    pins = lock_file.read(workspace.root)
    chosen: dict[str, Pin] = {} if paths else pins
    inner: dict[str, list[str]] = {}
    for wanted in map(workspace.require_project_folder, paths):
        found = {p: pin for p, pin in pins.items() if wanted in (".", p) or p.startswith(f"{wanted}/")}
        around = pinned_around(pins, wanted)
        if found:
            chosen |= found
        elif around is not None:
            inner.setdefault(around.path, []).append(wanted)
        else:
            raise pinning.not_pinned(pins, wanted)
    placed = placed_pins.read(workspace.placed_path)
    with workspace.repository.reading() as view:
        steps = [(pin, *plan(workspace, view, nested_with(placed, pin.path), pin)) for pin in chosen.values()]
        for path in inner.keys() - chosen.keys():
            planned, held = plan(workspace, view, (), pins[path], within=inner[path])
            steps.append((pins[path], planned, held))
        gone = {} if paths else leftovers(workspace, view, pins, placed)
    done = carry_out(workspace, steps, force=force)
    removed = sum(remove(workspace, one) for one in gone.values())
    forgotten = {path: None for path, one in gone.items() if not one.is_changed}
    pinning.record_placed(workspace, {**forgotten, **chosen}, is_followed=not paths)
    return replace(done, removed=done.removed + removed)


class Leftover(Struct, frozen=True):
    """A pin whose files are here though `mlvc.lock` knows it no more, and how they go; None where they are somebody else's by now."""

    pin: Pin
    plan: CheckoutPlan | None

    @property
    def is_changed(self) -> bool:
        """Whether some of it is saved nowhere: then all of it stays as it is, and is found whole by whoever comes back."""
        return self.plan is not None and bool(self.plan.blocked or self.plan.obstacles)


def leftovers(workspace: Workspace, view: View, pins: Pins, placed: Pins) -> dict[str, Leftover]:
    """Returns the pins whose files are here though `mlvc.lock` knows them no more, by path.

    Those of a version that is not all here stay: they may be the only copy. What Git tracks by now, or another pin holds, is theirs.
    """
    if not pins and pinning.is_lock_hidden(workspace):
        return {}
    found = {}
    for path, pin in placed.items():
        if path in pins or not view.is_alive(pin.version):
            continue
        is_git_s = workspace.checkout is not None and workspace.checkout.tracks(workspace.root / path)
        if is_git_s or pinned_around(pins, path) is not None:
            found[path] = Leftover(pin, None)
            continue
        if contents.lacking(workspace, view, pin.version) != (0, 0):
            continue
        kept = [workspace.root / other for other in pins if other.startswith(f"{path}/")]
        manifest = contents.of(workspace, view, pin.version).manifest
        before = [one for one in tree_status.placements(pin, manifest, workspace.root) if not any(one.target.is_relative_to(other) for other in kept)]
        found[path] = Leftover(pin, bring_in_line.plan(before, (), workspace.root, workspace.stat_cache))
    return found


def remove(workspace: Workspace, left: Leftover) -> int:
    """Removes the files of a pin that is no more, and its folder when nothing else is in it; nothing where some of it is saved nowhere."""
    if left.plan is None or left.is_changed:
        return 0
    top = workspace.root / left.pin.path
    bring_in_line.remove_files(left.plan, top)
    bring_in_line.remove_empty(top, workspace.root)
    return len(left.plan.remove)


def nested_with(placed: Pins, path: str) -> list[Pin]:
    """Returns the pins whose files may lie at a path: those around it and within it, and last its own."""
    others = [pin for other, pin in placed.items() if path.startswith(f"{other}/") or other.startswith(f"{path}/")]
    return [*others, *([placed[path]] if path in placed else [])]


def pinned_around(pins: Pins, relative: str) -> Pin | None:
    """Returns the pin of the folder that a path lies in, or None."""
    return next((pin for path, pin in pins.items() if relative.startswith(f"{path}/")), None)


def checkout_version(
    workspace: Workspace, reference: str, path: Path | None, *, force: bool = False
) -> tuple[Pin, CheckedOut]:
    """Writes a version and pins it.

    Args:
        workspace: where.
        reference: which version, as typed.
        path: where; None: where its artifact is pinned now, else ./NAME, or a single file under its own name.
        force: overwrite unsaved changes.

    Raises:
        UsageError: the path cannot be pinned.
        ConflictError, NotFoundError: as `checkout`.
    """
    pins = lock_file.read(workspace.root)
    with workspace.repository.reading() as view:
        member = resolving.version(workspace, view, reference)
        source = view.source_collection(member.version) or member.collection
        manifest = contents.of(workspace, view, member.version).manifest
        only = next(iter(manifest)).path if manifest.count == 1 else WHOLE
        relative, entry = _place_for(workspace, pins, source, only, path)
        pinning.refuse_overlap(pins, relative)
        pinning.refuse_tracked(workspace, workspace.root / relative, path or Path(relative))
        pin = Pin(relative, member.version, source, entry)
        before = {**{p.path: p for p in (pins.get(relative),) if p is not None}, **placed_pins.read(workspace.placed_path)}
        step = (pin, *plan(workspace, view, nested_with(before, relative), pin))
    done = carry_out(workspace, [step], force=force)
    pinning.repin(workspace, pin)
    return pin, done


def _place_for(workspace: Workspace, pins: Pins, collection: str, only: str, path: Path | None) -> tuple[str, str]:
    """Returns the path to pin a version at, and which entry it is there; `only` is that of a single file."""
    if path is None:
        held = [pin for pin in pins.values() if pin.collection == collection]
        if len(held) > 1:
            shown = " and ".join(pin.path for pin in held[:3])
            raise UsageError(f"{names.split_collection(collection)[1]} is pinned at {shown}", hint="name the path after the version")
        if not held:
            name = names.split_collection(collection)[1] if only == WHOLE else PurePosixPath(only).name
            return pinning.pinnable(workspace, Path(name)), only
        path = workspace.root / held[0].path
    relative = pinning.pinnable(workspace, path)
    pinned = pins.get(relative)
    if pinned is not None:
        return relative, WHOLE if pinned.entry == WHOLE else only
    if only != WHOLE and (workspace.root / relative).is_dir():
        return f"{relative}/{PurePosixPath(only).name}", only  # into a folder, as cp does
    return relative, only


def plan(
    workspace: Workspace, view: View, placed: Sequence[Pin], pin: Pin, *, within: Sequence[str] = ()
) -> tuple[CheckoutPlan, Contents]:
    """Plans how to get from what files were last brought in line with to a pin; of all its files, or of those at or below the paths `within`.

    `placed` are the pins that the files may hold, see `nested_with`: of two that name one file, the last counts.

    Files that hold neither are changes of the user's. What is no longer alive counts as such: undone or deleted, it may go any time.
    """
    held = contents.of(workspace, view, pin.version)
    after = list(tree_status.placements(pin, held.manifest, workspace.root))
    top = workspace.root / pin.path
    before = [] if any(one.path == pin.path for one in placed) else after
    for one in placed:
        if view.is_alive(one.version):
            there = tree_status.placements(one, contents.of(workspace, view, one.version).manifest, workspace.root)
            before = [*before, *(placement for placement in there if placement.target.is_relative_to(top))]
    if within:
        chosen = [workspace.root / path for path in within]
        before, after = ([p for p in side if any(p.target.is_relative_to(c) for c in chosen)] for side in (before, after))
        if not after:
            raise NotFoundError(f"{pin.path} is pinned, but holds no {' or '.join(within)}", hint=f"'mlvc show @{short(pin.version)}' lists its files")
    return bring_in_line.plan(before, after, workspace.root, workspace.stat_cache), held


def carry_out(
    workspace: Workspace, steps: Sequence[tuple[Pin, CheckoutPlan, Contents]], *, force: bool = False
) -> CheckedOut:
    """Does what was planned, once nothing forbids any of it and all content is here."""
    objects, progress = workspace.repository.objects, workspace.progress
    for _, planned, _ in steps:
        bring_in_line.refuse_obstacles(planned, workspace.root)
        if not force:
            bring_in_line.refuse_blocked(planned, workspace.root)
    objects.ensure(chain.from_iterable(placing.pieces(objects, held.recipes, planned.write) for _, planned, held in steps))
    progress.start("write files", sum(p.entry.size for _, planned, _ in steps for p in planned.write))
    written = unchanged = removed = size = 0
    with progress:
        for pin, planned, held in steps:
            bring_in_line.remove_files(planned, workspace.root / pin.path)
            placed = placing.place(
                objects,
                held.recipes,
                workspace.root,
                planned.write,
                workspace.stat_cache,
                workspace.copies,
                are_known_to_differ=True,
                progress=progress,
            )
            written += placed.written
            unchanged += planned.unchanged + placed.unchanged
            size += placed.bytes_written
            removed += len(planned.remove)
    return CheckedOut(written, unchanged, removed, size, tuple(pin for pin, _, _ in steps))
