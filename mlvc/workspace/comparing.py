"""What differs: between two versions, between files and their pins, between files and what the store holds."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct

from mlvc.errors import DamageError, NotFoundError
from mlvc.fold.questions import View
from mlvc.format.ids import FileDigest, RecordId, VersionId
from mlvc.format.manifest import FileEntry
from mlvc.format.record import CHUNK_CODE
from mlvc.working_tree import placing, status
from mlvc.working_tree.lock_file import Pin
from mlvc.working_tree.status import FileChange
from mlvc.workspace import contents, resolving
from mlvc.workspace.contents import Contents
from mlvc.workspace.publishing import KnownFile, Source
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
    workspace: Workspace,
    view: View,
    latest: VersionId | None,
    earlier: Sequence[VersionId],
    paths: dict[str, Path],
    stats: Mapping[str, os.stat_result],
) -> tuple[dict[str, Source], bool]:
    """Returns where the content of files comes from, and whether all of them are as in the latest version.

    Reads only what looks changed since it was last read, and of that only what may turn out to be unchanged.

    Args:
        workspace: where to look.
        view: of it.
        latest: the version to compare with, or None when there is none.
        earlier: others whose content need not be read again.
        paths: entry path -> file.
        stats: entry path -> what the file looks like.
    """
    files: dict[str, Source] = dict(paths)
    wanted = dict.fromkeys([*([latest] if latest else []), *earlier])
    held = {version: kept for version in wanted if (kept := _readable(workspace, view, version))}
    by_digest = {entry.digest: (entry, where) for where, entries in held.values() for entry in entries}
    newest = held.get(latest) if latest else None
    expected_at = {entry.path: entry for entry in newest[1]} if newest else {}
    unchanged = newest is not None and newest[0].manifest.count == len(paths)
    known = workspace.stat_cache.finder(paths.values())
    found: dict[str, FileDigest] = {}
    for path, source in paths.items():
        looks, expected = stats[path], expected_at.get(path)
        digest = known(source, looks)
        if digest is None and unchanged and expected is not None and expected.size == looks.st_size <= _WORTH_A_READ:
            digest = placing.current_digest(source, workspace.stat_cache)
        if digest is not None and digest in by_digest:
            found[path] = digest
        unchanged = unchanged and expected is not None and digest == expected.digest
    stored = _stored(workspace, [by_digest[digest] for digest in dict.fromkeys(found.values())])
    for path, digest in found.items():
        if digest in stored:
            files[path] = KnownFile(FileEntry(path, by_digest[digest][0].size, digest), stored[digest])
    return files, unchanged and all(isinstance(source, KnownFile) for source in files.values())


_WORTH_A_READ = 1 << 20
"""Larger files that look changed are read once only, while they are stored."""


def _readable(workspace: Workspace, view: View, version: VersionId) -> tuple[Contents, list[FileEntry]] | None:
    """Returns a version's contents and files; None when its records are damaged or not here: adding stores them anew."""
    try:
        found = contents.of(workspace, view, version)
        return found, [entry for entry in found.manifest if isinstance(entry, FileEntry)]
    except (DamageError, NotFoundError):
        return None


def _stored(workspace: Workspace, wanted: list[tuple[FileEntry, Contents]]) -> dict[FileDigest, RecordId | None]:
    """Returns the recipes of those files whose content is here; what is damaged is not, so that adding it again heals it."""
    objects = workspace.repository.objects
    recipes = {}
    for entry, where in wanted:
        with suppress(DamageError, NotFoundError):
            identifier = where.recipes.find(entry.digest)
            recipes[entry.digest] = identifier, objects.recipe_by_id(identifier, entry.digest, entry.size)
    here = objects.index.find_any([p.chunk for _, recipe in recipes.values() for p in recipe.pieces], CHUNK_CODE)
    return {d: identifier for d, (identifier, recipe) in recipes.items() if all(p.chunk in here for p in recipe.pieces)}
