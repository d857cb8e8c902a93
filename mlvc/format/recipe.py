"""Recipes: which chunks rebuild a file. Derived: cutting a file anew changes its recipe, never its digest.

A file of one chunk needs none, for its digest is the chunk's id; nor does an empty one. The recipes of one version
are listed, by file digest, in a recipe index that the publishing transaction names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from mlvc.errors import DamageError
from mlvc.format import canonical, record, sorted_blocks
from mlvc.format.chunk import MAX_SIZE
from mlvc.format.ids import ID_SIZE, ChunkId, FileDigest, RecordId
from mlvc.format.record import Kind
from mlvc.format.sorted_blocks import BuiltTable, Index, ReadRecord, TableKind

TABLE = TableKind(Kind.RECIPE_INDEX, Kind.RECIPE_BLOCK, "recipe list")


class Piece(Struct, frozen=True):
    """One chunk of a file and its size in bytes."""

    chunk: ChunkId
    size: int


class Recipe(Struct, frozen=True):
    """The chunks of one file, in order; their sizes add up to the file's."""

    digest: FileDigest
    pieces: tuple[Piece, ...]

    @property
    def size(self) -> int:
        """The file's size in bytes."""
        return sum(piece.size for piece in self.pieces)


def encode(recipe: Recipe) -> bytes:
    """Returns the bare record of a recipe: digest, sizes, and the chunk ids in one string of bytes."""
    ids = b"".join(piece.chunk for piece in recipe.pieces)
    return record.frame(Kind.RECIPE, canonical.encode([recipe.digest, [p.size for p in recipe.pieces], ids]))


def decode(data: bytes) -> Recipe:
    """Returns the recipe in a bare record; DamageError when it is none."""
    try:
        file_digest, sizes, ids = canonical.decode(record.body(data, Kind.RECIPE, "a recipe"))
        if len(ids) != ID_SIZE * len(sizes) or len(file_digest) != ID_SIZE:
            raise ValueError("lengths differ")
        if any(not 0 < size <= MAX_SIZE for size in sizes):
            raise ValueError("a chunk's size is out of bounds")
    except (TypeError, ValueError) as error:
        raise DamageError(f"a recipe is malformed: {error}") from error
    chunks = (ChunkId(ids[at : at + ID_SIZE]) for at in range(0, len(ids), ID_SIZE))
    return Recipe(FileDigest(file_digest), tuple(map(Piece, chunks, sizes)))


def whole(file_digest: FileDigest, size: int) -> Recipe:
    """Returns the recipe of a file of at most one chunk, which is never stored."""
    if size == 0:
        return Recipe(file_digest, ())
    return Recipe(file_digest, (Piece(ChunkId(file_digest), size),))


def build_index(recipes: Mapping[FileDigest, RecordId]) -> BuiltTable:
    """Returns the recipe index of one version: file digest -> recipe record, for files of more than one chunk."""
    return sorted_blocks.build(TABLE, ((key, recipes[key]) for key in sorted(recipes)), None)


class RecipeIndex:
    """The recipes of one version, read through `read`; None in place of an id: every file is a single chunk."""

    def __init__(self, identifier: RecordId | None, read: ReadRecord) -> None:
        self.id = identifier
        self._read = read
        self._index = Index((), None)
        if identifier is not None:
            self._index = sorted_blocks.parse_index(TABLE, read(identifier))

    @property
    def block_ids(self) -> list[RecordId]:
        """The blocks it is kept as."""
        return [block.id for block in self._index.blocks]

    def __iter__(self) -> Iterator[tuple[FileDigest, RecordId]]:
        for key, value in sorted_blocks.iterate(TABLE, self._index, self._read):
            yield FileDigest(key), RecordId(value)

    def find(self, file_digest: FileDigest) -> RecordId | None:
        """Returns the id of the recipe of a file, or None when the file is a single chunk."""
        found = sorted_blocks.find(TABLE, self._index, self._read, file_digest)
        return None if found is None else RecordId(found)
