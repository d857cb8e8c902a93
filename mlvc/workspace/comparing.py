"""What differs: between two versions, between files and their pins, between files and what the store holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct

from mlvc.errors import DamageError, NotFoundError
from mlvc.fold.questions import View
from mlvc.format.ids import FileDigest, RecordId, VersionId
from mlvc.format.manifest import FileEntry
from mlvc.format.record import CHUNK_CODE
from mlvc.objects.source_file import Seen
from mlvc.working_tree import placing, status
from mlvc.working_tree.lock_file import Pin
from mlvc.working_tree.status import FileChange
from mlvc.workspace import contents, resolving
from mlvc.workspace.contents import Contents
from mlvc.workspace.draft import KnownFile, Source
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
    """One pin: `label` as `digits:v3`, how its files differ, and the newer version's label where there is one."""

    pin: Pin
    label: str
    changes: tuple[FileChange, ...]
    newer: str | None


class TreeStatus(Struct, frozen=True):
    """All pins of a working tree."""

    pins: tuple[PinStatus, ...]


def against_files(workspace: Workspace, pins: Iterable[Pin]) -> TreeStatus:
    """Returns how the files of the working tree differ from these pins; reads only files that look changed."""
    found = []
    with workspace.repository.reading() as view:
        for pin in pins:
            label = resolving.display_version(workspace, view, pin.version)
            latest = view.latest(pin.collection)
            newer = resolving.display(workspace, latest) if latest and latest.version != pin.version else None
            changes: Iterable[FileChange] = (FileChange(pin.path, UNKNOWN),)
            if is_known(view, pin.version):
                manifest = contents.of(workspace, view, pin.version).manifest
                changes = status.compare(pin, manifest, workspace.root, workspace.stat_cache)
            found.append(PinStatus(pin, label, tuple(changes), newer))
    return TreeStatus(tuple(found))


def is_known(view: View, version: VersionId) -> bool:
    """Tells whether a version was ever heard of here; a pin may be ahead of what was pulled."""
    return bool(view.publications(version, standing=False))


def sources(
    workspace: Workspace, view: View, latest: VersionId | None, earlier: Sequence[VersionId], there: Mapping[str, Seen]
) -> tuple[dict[str, Source], bool]:
    """Returns where the content of files comes from, and whether all of them are as in the latest version.

    Reads only what looks changed since it was last read, and of that only what may turn out to be unchanged.

    Args:
        workspace: where to look.
        view: of it.
        latest: the version to compare with, or None when there is none.
        earlier: others whose content need not be read again.
        there: entry path -> file.
    """
    held = {version: kept for version in (latest, *earlier) if version and (kept := _held(workspace, view, version))}
    newest = held.get(latest) if latest else None
    expected_at = newest.by_path if newest else {}
    unchanged = newest is not None and newest.contents.manifest.count == len(there)
    known = workspace.stat_cache.find_all({seen.file: seen.looks for seen in there.values() if seen.looks is not None})
    found: dict[str, FileDigest] = {}
    for path, seen in there.items():
        digest, expected = known.get(seen.file), expected_at.get(path)
        if digest is None and unchanged and expected is not None and _may_be(seen, expected):
            digest = placing.current_digest(Path(seen.file), workspace.stat_cache)
        if digest is not None:
            found[path] = digest
        unchanged = unchanged and expected is not None and digest == expected.digest
    files: dict[str, Source] = dict(there)
    for one in held.values():
        here = _here(workspace, one, {digest for digest in found.values() if digest in one.by_digest})
        for path, digest in found.items():
            if digest in here:
                files[path] = KnownFile(FileEntry(path, one.by_digest[digest].size, digest), here[digest])
    return files, unchanged and all(isinstance(source, KnownFile) for source in files.values())


def _may_be(seen: Seen, expected: FileEntry) -> bool:
    """Tells whether a file that looks changed is worth a read, because it may hold what it should after all."""
    return seen.looks is not None and seen.looks.size == expected.size <= _WORTH_A_READ


_WORTH_A_READ = 1 << 20
"""Larger files that look changed are read once only, while they are stored."""


class _Held(Struct, frozen=True):
    """A version and its files."""

    contents: Contents
    by_path: dict[str, FileEntry]
    by_digest: dict[FileDigest, FileEntry]


def _held(workspace: Workspace, view: View, version: VersionId) -> _Held | None:
    """Returns a version with its files; None when its records are damaged or not here: adding stores them anew."""
    try:
        found = contents.of(workspace, view, version)
        entries = [entry for entry in found.manifest if isinstance(entry, FileEntry)]
    except (DamageError, NotFoundError):
        return None
    return _Held(found, {entry.path: entry for entry in entries}, {entry.digest: entry for entry in entries})


def _here(workspace: Workspace, held: _Held, wanted: AbstractSet[FileDigest]) -> dict[FileDigest, RecordId | None]:
    """Returns the recipes of those files whose content is here; what is damaged is not, so that adding it again heals it."""
    objects = workspace.repository.objects
    recipes: dict[FileDigest, RecordId] = {}
    with suppress(DamageError, NotFoundError):
        recipes = {digest: identifier for digest, identifier in held.contents.recipes if digest in wanted}
    if objects.index.is_whole(held.contents.id):
        return {digest: recipes.get(digest) for digest in wanted}
    single = [digest for digest in wanted if digest not in recipes]
    here = objects.index.find_any(single, CHUNK_CODE)
    found: dict[FileDigest, RecordId | None] = {d: None for d in single if d in here or not held.by_digest[d].size}
    for digest, identifier in recipes.items():
        with suppress(DamageError, NotFoundError):
            pieces = objects.recipe_by_id(identifier, digest, held.by_digest[digest].size).pieces
            if len(objects.index.find_any([p.chunk for p in pieces], CHUNK_CODE)) == len({p.chunk for p in pieces}):
                found[digest] = identifier
    return found
