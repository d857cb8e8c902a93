"""Pins: adding files as versions, checking versions out, and what the working tree holds."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlvc import atomic_file
from mlvc.errors import NotFoundError, UsageError
from mlvc.fold.questions import Member, View
from mlvc.format import names
from mlvc.format.ids import TransactionId, VersionId
from mlvc.format.manifest import FileEntry
from mlvc.git import command as git
from mlvc.objects import ingest
from mlvc.runs import live_run
from mlvc.working_tree import bring_in_line, lock_file, placing, scanning, status as tree_status
from mlvc.working_tree.bring_in_line import CheckoutPlan
from mlvc.working_tree.lock_file import WHOLE, Pin, Pins
from mlvc.working_tree.status import FileChange
from mlvc.workspace import contents, publishing, resolving
from mlvc.workspace.publishing import Draft, KnownFile, Published, Source
from mlvc.workspace.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Added:
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

    Raises:
        UsageError: the path is outside the working tree, overlaps another pin, or Git tracks it.
        TypeClashError: the collection holds another type.
    """
    absolute = Path(os.path.abspath(path))
    relative = workspace.require_project_folder(absolute)
    pins = lock_file.read(workspace.root)
    _refuse_overlap(pins, relative)
    if not absolute.exists() and not absolute.is_symlink():
        raise NotFoundError(f"there is no file or folder {path}")
    is_folder = absolute.is_dir()
    if workspace.checkout and workspace.checkout.tracks(absolute):
        raise UsageError(
            f"Git tracks {relative}, and a path is kept by one of the two only",
            hint=f"git rm -r --cached -- '{relative}' && git commit -m 'Keep {relative} in mlvc'",
        )
    paths = dict(_entries(workspace, absolute, is_folder=is_folder))
    view = workspace.repository.view()
    pinned = pins.get(relative)
    collection = _collection(workspace, view, pinned, absolute, name)
    known = view.collection(collection)
    type_name = type or (known.type if known and known.types else publishing.type_for_entries(paths))
    names.check_type(type_name, names.split_collection(collection)[1])
    latest = view.latest(collection)
    files, unchanged = _sources(workspace, view, latest, paths)
    entry = WHOLE if is_folder else next(iter(paths))
    warnings = tuple(f"'{a}' and '{b}' differ in letter case only; some disks cannot hold both" for a, b in scanning.case_collisions(list(paths)))
    nothing_to_say = not aliases and not tags and not metadata and not description and type in (None, type_name)
    if latest is not None and unchanged and nothing_to_say:
        pin = Pin(relative, latest.version, collection, entry)
        if pinned != pin:
            lock_file.write(workspace.root, {**pins, relative: pin})
            _keep_git_away(workspace, absolute)
        return Added(pin, latest, None, type_name, warnings)
    draft = Draft(
        collection, type_name, files, dict(metadata or {}), description, aliases, tags, base=base or (pinned.version if pinned else None)
    )
    published = publishing.publish(workspace, draft, command)
    pin = Pin(relative, published.member.version, collection, entry)
    _write_pins(workspace, pins, {**pins, relative: pin}, published.transaction)
    _keep_git_away(workspace, absolute)
    return Added(pin, published.member, published, type_name, warnings)


def _refuse_overlap(pins: Pins, relative: str) -> None:
    for other in pins:
        if other != relative and (other.startswith(f"{relative}/") or relative.startswith(f"{other}/")):
            raise UsageError(f"{relative} and the pinned path {other} lie within each other", hint=f"'mlvc rm {other}' unpins it")


def _entries(workspace: Workspace, absolute: Path, *, is_folder: bool) -> Iterable[tuple[str, Path]]:
    if not is_folder:
        ingest.regular_file(absolute)
        return [(names_of_entry(absolute), absolute)]
    rules = scanning.ignore_rules([absolute] if absolute == workspace.root else [workspace.root, absolute])
    found = list(scanning.scan(absolute, rules))
    if not found:
        raise UsageError(f"{absolute} holds no files", hint="an empty folder is not kept")
    return found


def names_of_entry(path: Path) -> str:
    """Returns the entry path of a single file: its name, in the Unicode form that is stored."""
    from mlvc.format import entry_path

    return entry_path.check(entry_path.normalise(path.name))


def _collection(workspace: Workspace, view: View, pinned: Pin | None, path: Path, name: str | None) -> str:
    if name is not None:
        if "/" in name:
            return resolving.collection_name(workspace, view, name)
        return view.resolve(names.stored_collection(workspace.project, name))
    if pinned is not None:
        return pinned.collection
    return view.resolve(names.stored_collection(workspace.project, names.artifact_name_from(path.stem)))


def _sources(
    workspace: Workspace, view: View, latest: Member | None, paths: dict[str, Path]
) -> tuple[dict[str, Source], bool]:
    """Returns where each file's content comes from, and whether all is as in the latest version; reads only what looks changed."""
    files: dict[str, Source] = dict(paths)
    if latest is None:
        return files, False
    held = contents.of(workspace, view, latest.version)
    known = {e.path: e for e in held.manifest if isinstance(e, FileEntry)}
    unchanged = held.manifest.count == len(paths)
    for path, source in paths.items():
        entry = known.get(path)
        digest = workspace.stat_cache.find(source.absolute(), source.stat()) if entry and source.exists() else None
        if entry is not None and digest == entry.digest:
            files[path] = KnownFile(entry, held.recipes.find(entry.digest))
        else:
            unchanged = unchanged and entry is not None and placing.current_digest(source.absolute(), workspace.stat_cache) == entry.digest
    return files, unchanged


def _keep_git_away(workspace: Workspace, path: Path) -> None:
    if workspace.checkout:
        workspace.checkout.keep_away_from(path)


def _write_pins(workspace: Workspace, before: Pins, after: Pins, transaction: TransactionId | None) -> None:
    """Writes the lock file; what it said before is kept for `undo`."""
    if transaction is not None:
        folder = workspace.repository.path / "cache" / "lock-before"
        atomic_file.make_folder(folder)
        atomic_file.create(folder / transaction.hex(), lock_file.render(before).encode())
    lock_file.write(workspace.root, after)


def remove_pin(workspace: Workspace, path: Path) -> Pin:
    """Unpins a path; the file stays. NotFoundError when it is not pinned."""
    import difflib

    relative = workspace.require_project_folder(path)
    pins = lock_file.read(workspace.root)
    if relative not in pins:
        near = difflib.get_close_matches(relative, pins, n=3, cutoff=0.4)
        raise NotFoundError(f"{relative} is not pinned", hint=f"pinned are {', '.join(near or list(pins)[:3])}" if pins else None)
    pin = pins.pop(relative)
    lock_file.write(workspace.root, pins)
    return pin


@dataclass(frozen=True, slots=True)
class PinStatus:
    """One pin: `label` as `digits:v3`, how its files differ, and the newer version's label where there is one."""

    pin: Pin
    label: str
    changes: tuple[FileChange, ...]
    newer: str | None


@dataclass(frozen=True, slots=True)
class TreeStatus:
    """All pins of a working tree."""

    pins: tuple[PinStatus, ...]


def status(workspace: Workspace) -> TreeStatus:
    """Returns how files differ from their pins; reads only files that look changed."""
    found = []
    pins = lock_file.read(workspace.root)
    with workspace.repository.reading() as view:
        for pin in pins.values():
            label = resolving.display_version(workspace, view, pin.version)
            latest = view.latest(pin.collection)
            newer = resolving.display(workspace, latest) if latest and latest.version != pin.version else None
            if not view.publications(pin.version, standing=False):
                found.append(PinStatus(pin, label, (FileChange(pin.path, "unknown"),), newer))
                continue
            manifest = contents.of(workspace, view, pin.version).manifest
            changes = tree_status.compare(pin, manifest, workspace.root, workspace.stat_cache)
            found.append(PinStatus(pin, label, tuple(changes), newer))
    return TreeStatus(tuple(found))


@dataclass(frozen=True, slots=True)
class CheckedOut:
    """What a checkout did, in files and bytes."""

    written: int
    unchanged: int
    removed: int
    bytes_written: int
    pins: tuple[Pin, ...]


def checkout(workspace: Workspace, paths: Sequence[Path], *, force: bool = False) -> CheckedOut:
    """Makes files match their pins: all, or those at or below `paths`. Decides everything before it touches anything.

    Raises:
        ConflictError: it would overwrite unsaved changes, and `force` is False.
    """
    wanted = [workspace.require_project_folder(path) for path in paths]
    pins = lock_file.read(workspace.root)
    chosen = [p for p in pins.values() if not wanted or any(w in (".", p.path) or p.path.startswith(f"{w}/") for w in wanted)]
    if wanted and not chosen:
        raise NotFoundError(f"{wanted[0]} is not pinned", hint="'mlvc status' lists the pins")
    with workspace.repository.reading() as view:
        steps = [(pin, *_plan(workspace, view, pin, pin)) for pin in chosen]
    if not force:
        for _, planned, _ in steps:
            bring_in_line.refuse_blocked(planned, workspace.root)
    return _carry_out(workspace, steps)


def checkout_version(
    workspace: Workspace, reference: str, path: Path | None, *, force: bool = False
) -> tuple[Pin, CheckedOut]:
    """Writes a version and pins it, at `path`, where its collection is pinned now, or at ./NAME; errors as `checkout`."""
    pins = lock_file.read(workspace.root)
    with workspace.repository.reading() as view:
        member = resolving.version(workspace, view, reference)
        source = view.source_collection(member.version) or member.collection
        manifest = contents.of(workspace, view, member.version).manifest
        old = _where(workspace, pins, source, path)
        single = manifest.count == 1
        only = next(iter(manifest)).path if single else WHOLE
        if path is not None:
            relative = workspace.require_project_folder(path)
            is_file = single and not Path(os.path.abspath(path)).is_dir() and (old.entry != WHOLE if old else bool(path.suffix) or "/" not in only)
        elif old is not None:
            relative, is_file = old.path, old.entry != WHOLE and single
        else:
            is_file = single and "/" not in only
            name = only if is_file else names.split_collection(source)[1]
            relative = workspace.require_project_folder(Path.cwd() / name)
        _refuse_overlap(pins, relative)
        pin = Pin(relative, member.version, source, only if is_file else WHOLE)
        step = (pin, *_plan(workspace, view, old, pin))
    if not force:
        bring_in_line.refuse_blocked(step[1], workspace.root)
    done = _carry_out(workspace, [step])
    lock_file.write(workspace.root, {**pins, relative: pin})
    _keep_git_away(workspace, workspace.root / relative)
    return pin, done


def _where(workspace: Workspace, pins: Pins, collection: str, path: Path | None) -> Pin | None:
    if path is not None:
        return pins.get(workspace.require_project_folder(path))
    return next((pin for pin in pins.values() if pin.collection == collection), None)


def _plan(workspace: Workspace, view: View, old: Pin | None, new: Pin) -> tuple[CheckoutPlan, contents.Contents]:
    held = contents.of(workspace, view, new.version)
    before = []
    if old is not None and view.publications(old.version, standing=False):
        before = list(tree_status.placements(old, contents.of(workspace, view, old.version).manifest, workspace.root))
    after = tree_status.placements(new, held.manifest, workspace.root)
    return bring_in_line.plan(before, after, workspace.stat_cache), held


def _carry_out(workspace: Workspace, steps: list[tuple[Pin, CheckoutPlan, contents.Contents]]) -> CheckedOut:
    written = unchanged = removed = size = 0
    for pin, planned, held in steps:
        placed = placing.place(
            workspace.repository.objects,
            held.recipes,
            workspace.root,
            planned.write,
            workspace.stat_cache,
            progress=workspace.progress,
        )
        bring_in_line.remove_files(planned, workspace.root / pin.path)
        written += placed.written
        unchanged += placed.unchanged
        size += placed.bytes_written
        removed += len(planned.remove)
    return CheckedOut(written, unchanged, removed, size, tuple(pin for pin, _, _ in steps))


def kept_versions(workspace: Workspace) -> list[VersionId]:
    """Returns the versions that pins of any worktree, or runs under way, need."""
    roots = {workspace.root}
    if workspace.checkout:
        listed = git.git(["worktree", "list", "--porcelain", "-z"], cwd=workspace.root, check=False) or b""
        roots |= {Path(os.fsdecode(line[9:])) for line in listed.split(b"\0") if line.startswith(b"worktree ")}
    found = {pin.version for root in roots for pin in lock_file.read(root).values()}
    for live in live_run.list_live(workspace.runs_folder):
        beginning = live.beginning()
        recorded = live.recorded(beginning.started_s if beginning else 0.0)
        found |= {VersionId(version) for version, _, _ in recorded.inputs}
    return sorted(found)
