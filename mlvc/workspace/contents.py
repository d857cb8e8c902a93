"""What versions hold: manifests, files, bytes; and getting them out."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from msgspec import Struct

from mlvc.errors import DamageError, NotFoundError, UsageError
from mlvc.fold.questions import Publication, View
from mlvc.format.ids import ChunkId, FileDigest, ManifestId, RecordId, VersionId, short
from mlvc.format.manifest import FileEntry, Manifest
from mlvc.format.recipe import RecipeIndex
from mlvc.format.record import CHUNK_CODE
from mlvc.working_tree import placing
from mlvc.working_tree.placing import Placed, Placement
from mlvc.workspace.workspace import Workspace


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
) -> Placed:
    """Writes a version's files below a folder; files that are right already stay, others are overwritten.

    Args:
        workspace: where content comes from.
        contents: of the version.
        folder: created when missing; files beside the artifact's stay.
        prefix: only entries whose path begins with this.
        as_file: write the only entry to this path instead.
    """
    def entries() -> Iterator[FileEntry]:
        return (e for e in contents.manifest if isinstance(e, FileEntry) and e.path.startswith(prefix))

    if as_file is not None:
        only = list(islice(entries(), 2))
        if len(only) != 1:
            raise UsageError(f"{as_file} is to be a file, but the artifact holds several or none", hint="name a folder")
        placements = iter([Placement(only[0], as_file)])
    else:
        placing.refuse_collisions(folder, [e.path for e in entries()])
        placements = (Placement(e, placing.checked_target(folder, e.path)) for e in entries())
    total = sum(e.size for e in entries()) if prefix else contents.manifest.size_bytes
    workspace.progress.start("write files", total)
    with workspace.progress:
        return placing.place(
            workspace.repository.objects,
            contents.recipes,
            folder,
            placements,
            workspace.stat_cache,
            workspace.copies,
            progress=workspace.progress,
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


def read_whole(workspace: Workspace, digest: bytes, size: int, recipe: bytes | None) -> bytes:
    """Returns a file that a run keeps (history, console, patch), by digest."""
    objects = workspace.repository.objects
    found = objects.recipe_by_id(None if recipe is None else RecordId(recipe), FileDigest(digest), size)
    objects.ensure((piece.chunk, CHUNK_CODE) for piece in found.pieces)
    data = b"".join(objects.read_file(found))
    if len(data) != size:
        raise DamageError(f"a run's file has {len(data):,} bytes, expected {size:,}")
    return data
