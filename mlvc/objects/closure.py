"""What a need comes down to: the chunks and records without which it cannot be decoded. The one liveness rule's walk."""

from __future__ import annotations

from collections.abc import Iterator

from mlvc.format import recipe as recipes
from mlvc.format.ids import EMPTY_FILE, ManifestId, RecordId
from mlvc.format.manifest import FileEntry
from mlvc.format.record import CHUNK_CODE, Kind
from mlvc.format.transaction import Need
from mlvc.objects.store import ObjectStore, Wanted


def names(store: ObjectStore, need: Need) -> Iterator[Wanted]:
    """Yields the records behind a need that say what there is, without its data: a lazy clone has these.

    Each is yielded before it is read, so that whoever collects them knows the one that could not be read.
    """
    if need.kind == "value":
        yield need.id, Kind.VALUE.code
    elif need.kind == "artifact":
        yield need.id, Kind.MANIFEST_INDEX.code
        if need.recipes:
            yield need.recipes, Kind.RECIPE_INDEX.code
        yield from ((block, Kind.MANIFEST_BLOCK.code) for block in store.manifest(ManifestId(need.id)).block_ids)
        if need.recipes:
            index = store.recipe_index(RecordId(need.recipes))
            yield from ((block, Kind.RECIPE_BLOCK.code) for block in index.block_ids)
            yield from ((recipe, Kind.RECIPE.code) for _, recipe in index)
    elif need.kind == "file" and need.recipes:
        yield need.recipes, Kind.RECIPE.code


def chunks(store: ObjectStore, need: Need) -> Iterator[Wanted]:
    """Yields the chunks of files behind a need."""
    if need.kind == "artifact":
        index = store.recipe_index(RecordId(need.recipes) if need.recipes else None)
        for entry in store.manifest(ManifestId(need.id)):
            if isinstance(entry, FileEntry):
                recipe = store.recipe(index, entry.digest, entry.size)
                yield from ((piece.chunk, CHUNK_CODE) for piece in recipe.pieces)
    elif need.kind == "file" and need.recipes:
        recipe = recipes.decode(store.read_record(RecordId(need.recipes), Kind.RECIPE))
        yield from ((piece.chunk, CHUNK_CODE) for piece in recipe.pieces)
    elif need.kind == "file" and need.id != EMPTY_FILE:
        yield need.id, CHUNK_CODE


def everything(store: ObjectStore, need: Need) -> Iterator[Wanted]:
    """Yields all that a need comes down to."""
    yield from names(store, need)
    yield from chunks(store, need)
