"""Pins: adding files as versions, and what the working tree holds."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from mlvc import git_program
from mlvc.errors import NotFoundError, UsageError
from mlvc.fold.questions import Member, View
from mlvc.format import entry_path, names, reference
from mlvc.format.ids import TransactionId, VersionId
from mlvc.objects import source_file
from mlvc.objects.source_file import Seen
from mlvc.runs import live_run
from mlvc.working_tree import lock_file, placed_pins, scanning
from mlvc.working_tree import status as tree_status
from mlvc.working_tree.listing import Listing
from mlvc.working_tree.lock_file import WHOLE, Pin, Pins
from mlvc.working_tree.stat_cache import now_ns
from mlvc.workspace import comparing, configuration, publishing, resolving, undoing
from mlvc.workspace.comparing import TreeStatus
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
    relative = pinnable(workspace, path)
    absolute = workspace.root / relative
    pins = lock_file.read(workspace.root)
    refuse_overlap(pins, relative)
    if not os.path.lexists(absolute):
        raise NotFoundError(f"there is no file or folder {path}")
    refuse_tracked(workspace, absolute, path)
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
        repin(workspace, pin)
        return Added(pin, same, None, type_name, warnings)
    pin = Pin(relative, published.member.version, collection, entry)
    repin(workspace, pin, published.transaction)
    if is_folder:
        look = tree_status.look_at(pin.version, (seen for _, seen in there))
        workspace.stat_cache.remember_clean(absolute, look.digest, look.newest_ns, looked_ns)
    return Added(pin, published.member, published, type_name, warnings)


def pinnable(workspace: Workspace, path: Path) -> str:
    """Returns a path as a pin holds it; UsageError when it may not be pinned."""
    relative = workspace.require_project_folder(path)
    if relative == ".":
        raise UsageError("the whole working tree cannot be pinned: code belongs to Git", hint="name a file or folder in it")
    entry_path.check(entry_path.normalise(relative))
    for folder in Path(relative).parents[:-1]:
        if (workspace.root / folder / ".git").exists():
            raise UsageError(f"{relative} lies in another Git repository, {folder}", hint=f"'mlvc init' there, and add it there: cd {folder}")
    store = workspace.repository.path
    absolute = workspace.root / relative
    if relative in (lock_file.FILE_NAME, configuration.FILE_NAME) or store.is_relative_to(absolute) or absolute.is_relative_to(store):
        raise UsageError(f"{relative} is mlvc's own, and is no artifact")
    return relative


def refuse_overlap(pins: Pins, relative: str) -> None:
    """Raises UsageError when a path lies within a pinned one, or around it."""
    for other in pins:
        if other != relative and (other.startswith(f"{relative}/") or relative.startswith(f"{other}/")):
            raise UsageError(f"{relative} and the pinned path {other} lie within each other", hint=f"'mlvc rm {other}' unpins it")


def refuse_tracked(workspace: Workspace, absolute: Path, typed: Path) -> None:
    """Raises UsageError when Git tracks a path, or something in it."""
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


def repin(workspace: Workspace, pin: Pin | None, transaction: TransactionId | None = None, *, without: str = "") -> None:
    """Writes a pin that its files are in line with, or takes one out; what the lock file said before is kept for undoing the transaction."""
    with lock_file.changing(workspace.root, undoing.pins_lock(workspace)) as pins:
        before = dict(pins)
        pins.pop(without, None)
        if pin is not None:
            pins[pin.path] = pin
        if transaction is not None:
            undoing.remember_pins(workspace, transaction, before, pins)
        if pin is not None and workspace.checkout:  # under the lock too: others write the same .gitignore
            workspace.checkout.keep_away_from(workspace.root / pin.path)
        _record_placed(workspace, before, pins, {without: None} if pin is None else {pin.path: pin})


def record_placed(workspace: Workspace, changes: Mapping[str, Pin | None], *, is_followed: bool = False) -> None:
    """Remembers which pins files were brought in line with, or, with None, that they are nobody's any more.

    Args:
        workspace: whose.
        changes: by path.
        is_followed: whether all of the lock file was looked at, so that no hook needs to again.
    """
    with lock_file.held(undoing.pins_lock(workspace)):
        pins = lock_file.read(workspace.root)
        _record_placed(workspace, pins, pins, changes, is_followed=is_followed)


def _record_placed(workspace: Workspace, before: Pins, pins: Pins, changes: Mapping[str, Pin | None], *, is_followed: bool = False) -> None:
    """The caller holds the lock of the pins; `before` and `pins` are what the lock file said, and is going to say."""
    record = workspace.placed_path
    placed = placed_pins.read(record)
    was_followed = placed_pins.followed(record) == placed_pins.fingerprint(lock_file.render(before).encode())
    for path, pin in changes.items():
        if pin is None:
            placed.pop(path, None)
        else:
            placed[path] = pin
    is_followed = is_followed or was_followed or placed == pins
    placed_pins.write(record, placed, placed_pins.fingerprint(lock_file.render(pins).encode()) if is_followed else "")


def remove_pin(workspace: Workspace, path: Path) -> Pin:
    """Unpins a path; the file stays. NotFoundError when it is not pinned."""
    relative = workspace.require_project_folder(path)
    pins = lock_file.read(workspace.root)
    if relative not in pins:
        raise not_pinned(pins, relative)
    repin(workspace, None, without=relative)
    return pins[relative]


def not_pinned(pins: Pins, relative: str) -> NotFoundError:
    """Returns the error for a path that is not pinned, with those that are like it."""
    import difflib

    near = difflib.get_close_matches(relative, pins, n=3, cutoff=0.4) or list(pins)[:3]
    return NotFoundError(f"{relative} is not pinned", hint=f"pinned are {', '.join(near)}" if pins else "'mlvc add' pins a path")


def status(workspace: Workspace) -> TreeStatus:
    """Returns how files differ from their pins; reads only files that look changed."""
    return comparing.against_files(workspace, lock_file.read(workspace.root))


def is_lock_hidden(workspace: Workspace) -> bool:
    """Tells whether a sparse checkout leaves the lock file out: then it is missing, and still pins what it pins."""
    is_missing = not (workspace.root / lock_file.FILE_NAME).exists()
    return is_missing and workspace.checkout is not None and workspace.checkout.hides(workspace.root / lock_file.FILE_NAME)


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
    out = git_program.git([*listing, "-z"], cwd=workspace.root, check=False)
    separator = b"\0"
    if out is None:  # '-z' came with Git 2.36; not knowing the others would cost them their versions
        out, separator = git_program.git(listing, cwd=workspace.root) or b"", b"\n"
    listed = (line.removeprefix(b"worktree ") for line in out.split(separator) if line.startswith(b"worktree "))
    return {workspace.root, *(Path(os.fsdecode(path)) for path in listed)}
