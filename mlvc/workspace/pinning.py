"""Pins: adding files as versions, checking versions out, and what the working tree holds."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

from msgspec import Struct

from mlvc.errors import NotFoundError, UsageError
from mlvc.fold.questions import Member, View
from mlvc.format import entry_path, names, reference
from mlvc.format.ids import TransactionId, VersionId, short
from mlvc.git import command as git
from mlvc.objects import source_file
from mlvc.objects.source_file import Seen
from mlvc.runs import live_run
from mlvc.working_tree import bring_in_line, lock_file, placing, scanning
from mlvc.working_tree import status as tree_status
from mlvc.working_tree.bring_in_line import CheckoutPlan
from mlvc.working_tree.listing import Listing
from mlvc.working_tree.lock_file import WHOLE, Pin, Pins
from mlvc.working_tree.stat_cache import now_ns
from mlvc.workspace import comparing, configuration, contents, publishing, resolving, undoing
from mlvc.workspace.comparing import TreeStatus
from mlvc.workspace.contents import Contents
from mlvc.workspace.draft import Draft
from mlvc.workspace.publishing import Published
from mlvc.workspace.workspace import Workspace


class Added(Struct, frozen=True):
    """What adding a path did; `published` is None when nothing had changed, and nothing was committed."""

    pin: Pin
    member: Member
    published: Published | None
    type: str
    warnings: tuple[str, ...] = ()


def add(
    workspace: Workspace,
    path: Path,
    command: str,
    *,
    name: str | None = None,
    type: str | None = None,  # noqa: A002
    aliases: Sequence[str] = (),
    tags: Sequence[str] = (),
    metadata: dict[str, Any] | None = None,
    description: str = "",
    base: VersionId | None = None,
) -> Added:
    """Stores a file or folder as a version, pins the path, and keeps Git away from it.

    The version is there wholly or not at all; the pin is written after it.

    Args:
        workspace: where it is.
        path: of the file or folder.
        command: for the operation log.
        name: of the artifact; None: what the path is pinned as, else the stem of its last component.
        type: of the artifact; None: its collection's, else by suffix.
        aliases: to point at the version; `latest` is accepted and ignored.
        tags: of the version.
        metadata: of the version.
        description: of the version.
        base: what it was derived from; None: what the path is pinned to.

    Raises:
        NotFoundError: there is nothing at the path.
        UsageError: the path cannot be pinned, or holds what no artifact can.
        TypeClashError: the collection holds another type.
    """
    relative = _pinnable(workspace, path)
    absolute = workspace.root / relative
    pins = lock_file.read(workspace.root)
    _refuse_overlap(pins, relative)
    if not os.path.lexists(absolute):
        raise NotFoundError(f"there is no file or folder {path}")
    _refuse_tracked(workspace, absolute, path)
    is_folder = absolute.is_dir()
    looked_ns = now_ns()
    there = _entries(absolute, workspace.root, is_folder=is_folder)
    view = workspace.repository.view()
    pinned = pins.get(relative)
    collection = _collection(workspace, view, pinned, absolute, name)
    known = view.collection(collection)
    type_name = type or (known.type if known and known.types else publishing.type_for_entries(there.paths))
    names.check_type(type_name, names.split_collection(collection)[1])
    latest = view.latest(collection)
    earlier = [version for version in (latest and latest.version, pinned and pinned.version) if version]
    files = comparing.TreeFiles(workspace, view, earlier, there)
    draft = Draft(collection, type_name, files, dict(metadata or {}), description, aliases, tags)
    publishing.check_type(view, draft)
    warnings = tuple(_warnings(workspace, pins, relative, collection, there.paths))
    entry = WHOLE if is_folder else there.paths[0]
    draft.base = base or (pinned.version if pinned else None)
    same = latest if latest is not None and _says_nothing_new(workspace, view, latest, draft) else None
    published = publishing.publish_unless(workspace, draft, command, same.version if same else None)
    if published is None:
        assert same is not None, "else it would have been published"
        pin = Pin(relative, same.version, collection, entry)
        _repin(workspace, pin)
        return Added(pin, same, None, type_name, warnings)
    pin = Pin(relative, published.member.version, collection, entry)
    _repin(workspace, pin, published.transaction)
    if is_folder:
        look = tree_status.look_at(pin.version, (seen for _, seen in there))
        workspace.stat_cache.remember_clean(absolute, look.digest, look.newest_ns, looked_ns)
    return Added(pin, published.member, published, type_name, warnings)


def _pinnable(workspace: Workspace, path: Path) -> str:
    """Returns a path as a pin holds it; UsageError when it may not be pinned."""
    relative = workspace.require_project_folder(path)
    if relative == ".":
        raise UsageError("the whole working tree cannot be pinned: code belongs to Git", hint="name a file or folder in it")
    entry_path.check(entry_path.normalise(relative))
    store = workspace.repository.path
    absolute = workspace.root / relative
    if relative in (lock_file.FILE_NAME, configuration.FILE_NAME) or store.is_relative_to(absolute) or absolute.is_relative_to(store):
        raise UsageError(f"{relative} is mlvc's own, and is no artifact")
    return relative


def _refuse_overlap(pins: Pins, relative: str) -> None:
    for other in pins:
        if other != relative and (other.startswith(f"{relative}/") or relative.startswith(f"{other}/")):
            raise UsageError(f"{relative} and the pinned path {other} lie within each other", hint=f"'mlvc rm {other}' unpins it")


def _refuse_tracked(workspace: Workspace, absolute: Path, typed: Path) -> None:
    if workspace.checkout and workspace.checkout.tracks(absolute):
        quoted = shlex.quote(str(typed))
        raise UsageError(
            f"Git tracks {typed}, and a path is kept by one of the two only",
            hint=f"git rm -r --cached {quoted} && git commit -m {shlex.quote(f'Keep {typed} in mlvc')}",
        )


def _entries(absolute: Path, root: Path, *, is_folder: bool) -> Listing:
    """Returns the files to be added; refuses what no artifact can hold."""
    if not is_folder:
        path = entry_path.check(entry_path.normalise(absolute.name))
        return Listing(str(absolute.parent), [(path, Seen(str(absolute), source_file.regular_file(absolute)))])
    rules = scanning.ignore_rules(scanning.folders_down_to(root, absolute))
    found = Listing(str(absolute), scanning.walk(absolute, rules))
    if not found:
        raise UsageError(f"{absolute} holds no files", hint="empty folders are not kept, nor is what .mlvcignore names")
    entry_path.check_all(found.paths)
    for _, seen in found:
        if seen.looks is None:
            source_file.regular_file(seen.file)  # says why it cannot be read
    return found


def _collection(workspace: Workspace, view: View, pinned: Pin | None, path: Path, name: str | None) -> str:
    if name is None and pinned is not None:
        return pinned.collection
    wanted = reference.parse_version(name if name is not None else names.artifact_name_from(path.stem))
    if wanted.selector or wanted.prefix:
        raise UsageError(f"'{name}' names a version; the one to be made gets its number by itself", hint=f"--name {wanted.name}")
    collection = resolving.collection_name(workspace, view, wanted)
    if names.is_registry(collection):
        raise UsageError(
            f"'{names.display_collection(collection)}' is a registered model, which holds links only",
            hint="add under another name, then 'mlvc link' it",
        )
    return collection


def _warnings(workspace: Workspace, pins: Pins, relative: str, collection: str, paths: Iterable[str]) -> Iterable[str]:
    for one, other in scanning.case_collisions(paths):
        yield f"'{one}' and '{other}' differ in letter case only; some disks cannot hold both"
    elsewhere = next((p.path for p in pins.values() if p.collection == collection and p.path != relative), None)
    if elsewhere is not None and relative not in pins:
        shown = names.display_collection(collection, workspace.project)
        yield f"{elsewhere} is pinned as '{shown}' too: both are versions of one artifact; --name keeps them apart"


def _says_nothing_new(workspace: Workspace, view: View, member: Member, draft: Draft) -> bool:
    answers = [view.alias(member.collection, alias) for alias in draft.aliases if alias != names.LATEST]
    stored, description = view.metadata(member.version)
    known = workspace.value_map(stored) if draft.metadata else {}
    return (
        all(answer.version == member.version and not answer.in_conflict for answer in answers)
        and set(draft.tags) <= set(view.tags(member.version))
        and all(key in known and known[key] == value for key, value in draft.metadata.items())
        and draft.description in ("", description)
    )


def _repin(workspace: Workspace, pin: Pin | None, transaction: TransactionId | None = None, *, without: str = "") -> None:
    """Writes a pin, or takes one out; what the lock file said before is kept for undoing the transaction."""
    with lock_file.changing(workspace.root, undoing.pins_lock(workspace)) as pins:
        before = dict(pins)
        pins.pop(without, None)
        if pin is not None:
            pins[pin.path] = pin
        if transaction is not None:
            undoing.remember_pins(workspace, transaction, before, pins)
        if pin is not None and workspace.checkout:  # under the lock too: others write the same .gitignore
            workspace.checkout.keep_away_from(workspace.root / pin.path)


def remove_pin(workspace: Workspace, path: Path) -> Pin:
    """Unpins a path; the file stays. NotFoundError when it is not pinned."""
    relative = workspace.require_project_folder(path)
    pins = lock_file.read(workspace.root)
    if relative not in pins:
        raise _not_pinned(pins, relative)
    _repin(workspace, None, without=relative)
    return pins[relative]


def _not_pinned(pins: Pins, relative: str) -> NotFoundError:
    import difflib

    near = difflib.get_close_matches(relative, pins, n=3, cutoff=0.4) or list(pins)[:3]
    return NotFoundError(f"{relative} is not pinned", hint=f"pinned are {', '.join(near)}" if pins else "'mlvc add' pins a path")


def status(workspace: Workspace) -> TreeStatus:
    """Returns how files differ from their pins; reads only files that look changed."""
    return comparing.against_files(workspace, lock_file.read(workspace.root).values())


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
            raise _not_pinned(pins, wanted)
    with workspace.repository.reading() as view:
        steps = [(pin, *_plan(workspace, view, pin, pin)) for pin in chosen.values()]
        for path in inner.keys() - chosen.keys():
            planned, held = _plan(workspace, view, pins[path], pins[path], within=inner[path])
            steps.append((pins[path], planned, held))
    return _carry_out(workspace, steps, force=force)


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
        _refuse_overlap(pins, relative)
        _refuse_tracked(workspace, workspace.root / relative, path or Path(relative))
        pin = Pin(relative, member.version, source, entry)
        step = (pin, *_plan(workspace, view, pins.get(relative), pin))
    done = _carry_out(workspace, [step], force=force)
    _repin(workspace, pin)
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
            return _pinnable(workspace, Path(name)), only
        path = workspace.root / held[0].path
    relative = _pinnable(workspace, path)
    pinned = pins.get(relative)
    if pinned is not None:
        return relative, WHOLE if pinned.entry == WHOLE else only
    if only != WHOLE and (workspace.root / relative).is_dir():
        return f"{relative}/{PurePosixPath(only).name}", only  # into a folder, as cp does
    return relative, only


def _plan(
    workspace: Workspace, view: View, old: Pin | None, new: Pin, *, within: Sequence[str] = ()
) -> tuple[CheckoutPlan, Contents]:
    """Plans how to get from what one pin says to another; of all its files, or of those at or below the paths `within`."""
    held = contents.of(workspace, view, new.version)
    after = list(tree_status.placements(new, held.manifest, workspace.root))
    before: list[placing.Placement] = []
    if old == new:
        before = after
    elif old is not None and comparing.is_known(view, old.version):
        before = list(tree_status.placements(old, contents.of(workspace, view, old.version).manifest, workspace.root))
    if within:
        chosen = [workspace.root / path for path in within]
        before, after = ([p for p in side if any(p.target.is_relative_to(c) for c in chosen)] for side in (before, after))
        if not after:
            raise NotFoundError(f"{new.path} is pinned, but holds no {' or '.join(within)}", hint=f"'mlvc show @{short(new.version)}' lists its files")
    return bring_in_line.plan(before, after, workspace.root, workspace.stat_cache), held


def _carry_out(
    workspace: Workspace, steps: Sequence[tuple[Pin, CheckoutPlan, Contents]], *, force: bool
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


def kept_versions(workspace: Workspace) -> list[VersionId]:
    """Returns the versions that pins of any worktree, or runs under way, need.

    Raises:
        ConflictError, DamageError: a worktree's lock file cannot be understood, so nobody can tell.
        GitError: Git does not say which worktrees there are.
    """
    found = {pin.version for root in _worktrees(workspace) for pin in lock_file.read(root).values()}
    for live in live_run.list_live(workspace.runs_folder):
        beginning = live.beginning()
        recorded = live.recorded(beginning.started_s if beginning else 0.0)
        found |= {VersionId(version) for version, _, _ in recorded.inputs}
    return sorted(found)


def _worktrees(workspace: Workspace) -> set[Path]:
    if workspace.checkout is None:
        return {workspace.root}
    listing = ["worktree", "list", "--porcelain"]
    out = git.git([*listing, "-z"], cwd=workspace.root, check=False)
    separator = b"\0"
    if out is None:  # '-z' came with Git 2.36; not knowing the others would cost them their versions
        out, separator = git.git(listing, cwd=workspace.root) or b"", b"\n"
    listed = (line.removeprefix(b"worktree ") for line in out.split(separator) if line.startswith(b"worktree "))
    return {workspace.root, *(Path(os.fsdecode(path)) for path in listed)}
