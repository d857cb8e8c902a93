"""What versions hold: manifests, files, bytes; and getting them out."""

from __future__ import annotations

from collections.abc import Iterator
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from mlvc.errors import DamageError, NotFoundError, UsageError
from mlvc.fold.questions import Publication, View
from mlvc.format.ids import ChunkId, FileDigest, ManifestId, RecordId, VersionId, short
from mlvc.format.manifest import Entry, FileEntry, Manifest, ReferenceEntry
from mlvc.format.recipe import RecipeIndex
from mlvc.format.record import CHUNK_CODE
from mlvc.objects.file_view import FileView
from mlvc.working_tree import placing
from mlvc.working_tree.placing import Placed, Placement
from mlvc.workspace.workspace import Workspace

_BUFFER = 1 << 16


class Contents(Struct, frozen=True):
    """A version's manifest and recipes."""

    manifest: Manifest
    recipes: RecipeIndex

    @property
    def id(self) -> bytes:
        """What stands for exactly this content kept in exactly this way."""
        return contents_id(self.manifest.id, self.recipes.id)


def contents_id(manifest: ManifestId, recipes: RecordId | None) -> bytes:
    """Returns the `id` of contents."""
    return manifest + (recipes or b"")


def publication(view: View, version: VersionId) -> Publication:
    """Returns a publication that says what a version holds, undone and deleted ones included; NotFoundError without."""
    found = view.publications(version) or view.publications(version, standing=False)
    if not found:
        raise NotFoundError(f"the version @{short(version)} is not known here", hint="'mlvc pull' may bring it")
    return found[0]


def of(workspace: Workspace, view: View, version: VersionId) -> Contents:
    """Returns what a version holds."""
    said = publication(view, version)
    objects = workspace.repository.objects
    return Contents(objects.manifest(said.manifest), objects.recipe_index(said.recipes))


def lacking(workspace: Workspace, view: View, version: VersionId) -> tuple[int, int]:
    """Returns how many files of a version are not all here, and how many bytes of them; asks no remote."""
    objects = workspace.repository.objects
    with objects.local_only():
        found = of(workspace, view, version)
        if objects.index.is_whole(found.id):
            return 0, 0
        losses = objects.index.losses()
        chunks: dict[ChunkId, int] = {}
        files: list[tuple[FileEntry, list[ChunkId]]] = []
        for entry in found.manifest:
            if isinstance(entry, FileEntry):
                pieces = objects.recipe(found.recipes, entry.digest, entry.size).pieces
                files.append((entry, [piece.chunk for piece in pieces]))
                chunks.update((piece.chunk, piece.size) for piece in pieces)
    missing = {identifier for identifier, _ in objects.missing((chunk, CHUNK_CODE) for chunk in chunks)}
    if not missing:
        objects.index.remember_whole(found.id, losses)
    count = sum(not missing.isdisjoint(ids) for _, ids in files)
    return count, sum(size for chunk, size in chunks.items() if chunk in missing)


def write_out(
    workspace: Workspace,
    contents: Contents,
    folder: Path,
    *,
    prefix: str = "",
    as_file: Path | None = None,
    may_miss: bool = False,
) -> Placed:
    """Writes a version's files below a folder; files that are right already stay, others are overwritten.

    References are brought from where they point, after checking that what lies there is what it was.

    Args:
        workspace: where content comes from.
        contents: of the version.
        folder: created when missing; files beside the artifact's stay.
        prefix: only entries whose path begins with this.
        as_file: write the only entry to this path instead.
        may_miss: leave out references whose bytes are gone.

    Raises:
        RemoteError: a reference's bytes are gone (also a FileNotFoundError) or other ones now (also a ValueError).
    """

    def entries() -> Iterator[Entry]:
        return (e for e in contents.manifest if e.path.startswith(prefix))

    def target_of(entry: Entry) -> Path:
        return as_file or placing.checked_target(folder, entry.path)

    if as_file is None:
        placing.refuse_collisions(folder, [e.path for e in entries()])
    elif len(list(islice(entries(), 2))) != 1:
        raise UsageError(f"{as_file} is to be a file, but the artifact holds several or none", hint="name a folder")
    placements = (Placement(e, target_of(e)) for e in entries() if isinstance(e, FileEntry))
    elsewhere = [(e, target_of(e)) for e in entries() if isinstance(e, ReferenceEntry)]
    total = sum(e.size for e in entries()) if prefix else contents.manifest.size_bytes
    workspace.progress.start("write files", total)
    with workspace.progress:
        placed = placing.place(
            workspace.repository.objects,
            contents.recipes,
            folder,
            placements,
            workspace.stat_cache,
            workspace.copies,
            progress=workspace.progress,
        )
        if elsewhere:
            from mlvc.workspace import references  # few artifacts have some

            known: set[Path] = set()
            for _, target in elsewhere:
                placing.make_parents(folder, target, known)
            missed = references.bring(elsewhere, workspace.environment, may_miss=may_miss)
            placed.written += len(elsewhere) - len(missed)
    return placed


def write_entry(workspace: Workspace, contents: Contents, path: str, target: Path) -> None:
    """Writes one entry of a version to a file, whose folder exists; one that is right already stays. Errors as `write_out`."""
    entry = contents.manifest[path]
    if isinstance(entry, ReferenceEntry):
        from mlvc.workspace import references

        references.bring([(entry, target)], workspace.environment)
        return
    objects = workspace.repository.objects
    placing.place(
        objects, contents.recipes, target.parent, iter([Placement(entry, target)]), workspace.stat_cache, workspace.copies
    )


def read_entry(workspace: Workspace, contents: Contents, path: str) -> Iterator[bytes]:
    """Yields one file of a version piece by piece, each proven. NotFoundError when the version has no such file."""
    entry = contents.manifest[path]
    if not isinstance(entry, FileEntry):
        raise UsageError(f"'{path}' is a reference to {entry.uri}; its bytes are not kept here")
    objects = workspace.repository.objects
    recipe = objects.recipe(contents.recipes, entry.digest, entry.size)
    objects.ensure((piece.chunk, CHUNK_CODE) for piece in recipe.pieces)
    yield from objects.read_file(recipe)


def open_entry(workspace: Workspace, contents: Contents, path: str) -> BinaryIO:
    """Opens one file of a version for reading at any place; only what is read is fetched. Errors as `read_entry`."""
    entry = contents.manifest[path]
    if not isinstance(entry, FileEntry):
        raise UsageError(f"'{path}' is a reference to {entry.uri}; its bytes are not kept here")
    objects = workspace.repository.objects
    return BufferedReader(FileView(objects, objects.recipe(contents.recipes, entry.digest, entry.size)), _BUFFER)


def read_whole(workspace: Workspace, digest: bytes, size: int, recipe: bytes | None) -> bytes:
    """Returns a file that a run keeps (history, console, patch), by digest."""
    objects = workspace.repository.objects
    found = objects.recipe_by_id(None if recipe is None else RecordId(recipe), FileDigest(digest), size)
    objects.ensure((piece.chunk, CHUNK_CODE) for piece in found.pieces)
    data = b"".join(objects.read_file(found))
    if len(data) != size:
        raise DamageError(f"a run's file has {len(data):,} bytes, expected {size:,}")
    return data
