"""What differs: between two versions, between files and their pins, between files and what the store holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from msgspec import Struct

from mlvc.errors import DamageError, NotFoundError
from mlvc.fold.questions import View
from mlvc.format.ids import FileDigest, RecordId, VersionId
from mlvc.format.manifest import Entry, FileEntry
from mlvc.objects.source_file import Seen
from mlvc.working_tree import placed_pins, status
from mlvc.working_tree.listing import Listing
from mlvc.working_tree.lock_file import Pin, Pins
from mlvc.working_tree.status import FileChange
from mlvc.workspace import contents, resolving
from mlvc.workspace.draft import KnownFile, Source, Unread
from mlvc.workspace.workspace import Workspace

ADDED, REMOVED, MODIFIED = "added", "removed", "modified"
UNKNOWN = "unknown"
"""The change of a pin whose version is not known here."""


class EntryChange(Struct, frozen=True):
    """One path that differs: `kind` is added, removed or modified; sizes in bytes, None where it is not."""

    path: str
    kind: str
    size_before: int | None
    size_after: int | None


def versions(workspace: Workspace, view: View, before: VersionId, after: VersionId) -> list[EntryChange]:
    """Returns the paths that two versions hold differently, sorted."""
    if before == after:
        return []
    old, new = (iter(contents.of(workspace, view, version).manifest) for version in (before, after))
    was, now = next(old, None), next(new, None)
    found = []
    while was is not None or now is not None:  # both are sorted: walking them side by side holds two entries at a time
        if now is None or (was is not None and was.path < now.path):
            assert was is not None, "one of the two is there"
            found.append(EntryChange(was.path, REMOVED, was.size, None))
            was = next(old, None)
        elif was is None or now.path < was.path:
            found.append(EntryChange(now.path, ADDED, None, now.size))
            now = next(new, None)
        else:
            if was != now:
                found.append(EntryChange(was.path, MODIFIED, was.size, now.size))
            was, now = next(old, None), next(new, None)
    return found


def metadata_changes(
    workspace: Workspace, view: View, before: VersionId, after: VersionId
) -> list[tuple[str, Any, Any]]:
    """Returns (key, value before, value after) for each metadata key that differs; None where there is none."""
    old, new = view.metadata(before)[0], view.metadata(after)[0]
    changed = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))

    def value(stored: dict[str, Any], name: str) -> Any:
        return workspace.value(stored[name]) if name in stored else None

    return [(name, value(old, name), value(new, name)) for name in changed]


class PinStatus(Struct, frozen=True):
    """One pin.

    Attributes:
        pin: what `mlvc.lock` says, or, of `TreeStatus.leftover`, said.
        label: its version, as `digits:v3`.
        changes: how its files differ.
        newer: the label of the latest version where it is another one.
        holds: the label of the version that its files are, unchanged, where that is another one: Git moved the pin, the files stayed.
    """

    pin: Pin
    label: str
    changes: tuple[FileChange, ...]
    newer: str | None
    holds: str | None = None


class TreeStatus(Struct, frozen=True):
    """All pins of a working tree, and those whose files are here though `mlvc.lock` knows them no more."""

    pins: tuple[PinStatus, ...]
    leftover: tuple[PinStatus, ...] = ()


def against_files(workspace: Workspace, pins: Pins) -> TreeStatus:
    """Returns how the files of the working tree differ from these pins; reads only files that look changed."""
    placed = placed_pins.read(workspace.placed_path)
    found = []
    with workspace.repository.reading() as view:
        for pin in pins.values():
            label = resolving.display_version(workspace, view, pin.version)
            latest = view.latest(pin.collection)
            is_older = is_known(view, pin.version) and latest is not None and latest.version != pin.version
            newer = resolving.display(workspace, latest) if latest is not None and is_older else None
            changes = _changes(workspace, view, pin)
            was = placed.get(pin.path)
            holds = None
            if changes and was is not None and was != pin and not _changes(workspace, view, was):
                holds = resolving.display_version(workspace, view, was.version)
            found.append(PinStatus(pin, label, changes, newer, holds))
        left = [
            PinStatus(pin, resolving.display_version(workspace, view, pin.version), (), None)
            for path, pin in placed.items()
            if path not in pins and (workspace.root / path).exists() and not _is_git_s(workspace, path) and not _is_within(pins, path)
        ]
    return TreeStatus(tuple(found), tuple(left))


def _changes(workspace: Workspace, view: View, pin: Pin) -> tuple[FileChange, ...]:
    if not is_known(view, pin.version):
        return (FileChange(pin.path, UNKNOWN),)
    manifest = contents.of(workspace, view, pin.version).manifest
    return tuple(status.compare(pin, manifest, workspace.root, workspace.stat_cache))


def _is_within(pins: Pins, path: str) -> bool:
    return any(path.startswith(f"{other}/") for other in pins)


def _is_git_s(workspace: Workspace, path: str) -> bool:
    return workspace.checkout is not None and workspace.checkout.tracks(workspace.root / path)


def is_known(view: View, version: VersionId) -> bool:
    """Tells whether a version was ever heard of here; a pin may be ahead of what was pulled."""
    return bool(view.publications(version, standing=False))


class TreeFiles:
    """A folder's files as sources of a draft; those that look as they did need not be read.

    Iterating yields (entry path, source), by path. It looks into the store and the stat cache as it goes.
    """

    def __init__(self, workspace: Workspace, view: View, versions: Iterable[VersionId], there: Listing) -> None:
        """Takes versions that may keep what is there, and what is there."""
        self._workspace = workspace
        self._there = there
        self._held = [held for version in dict.fromkeys(versions) if (held := _held(workspace, view, version)) is not None]

    def __iter__(self) -> Iterator[tuple[str, Source]]:
        waiting = iter(self._there)
        while some := list(islice(waiting, _AT_ONCE)):
            known = self._workspace.stat_cache.find_all({seen.file: seen.looks for _, seen in some if seen.looks is not None})
            for path, seen in some:
                digest = known.get(seen.file)
                yield path, seen if digest is None else self._source(path, seen, digest)

    def _source(self, path: str, seen: Seen, digest: FileDigest) -> Source:
        for held in self._held:
            entry = held.at(path)
            if held.is_whole and isinstance(entry, FileEntry) and entry.digest == digest:
                return KnownFile(entry, held.recipes.get(digest))
        recipe = next((held.recipes[digest] for held in self._held if digest in held.recipes), None)
        return Unread(seen, digest, recipe)


_AT_ONCE = 1024


class _Held:
    """A version whose entries are asked for by path, ascending."""

    def __init__(self, entries: Iterator[Entry], recipes: dict[FileDigest, RecordId], *, is_whole: bool) -> None:
        self.recipes = recipes
        self.is_whole = is_whole
        self._entries = entries
        self._next: Entry | None = None
        self._advance()

    def at(self, path: str) -> Entry | None:
        """Returns the entry at a path, or None; paths asked for must ascend."""
        while self._next is not None and self._next.path < path:
            self._advance()
        return self._next if self._next is not None and self._next.path == path else None

    def _advance(self) -> None:
        try:
            self._next = next(self._entries, None)
        except (DamageError, NotFoundError):
            self._next = None  # what cannot be read keeps nothing: it is stored anew, which heals it


def _held(workspace: Workspace, view: View, version: VersionId) -> _Held | None:
    """Returns what a version keeps; None when its records are damaged or not here."""
    try:
        found = contents.of(workspace, view, version)
        recipes = dict(found.recipes)
    except (DamageError, NotFoundError):
        return None
    return _Held(iter(found.manifest), recipes, is_whole=workspace.repository.objects.index.is_whole(found.id))
