"""What a file is stored against: the chunks of the same tensors in the versions it was derived from.

Asked for a piece of a tensor, answers with the piece of the same name, type and place in the first base that has one and
whose content is on this disk. Bases are looked into only when a tensor file is stored, headers first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate, chain
from threading import Lock

from msgspec import Struct

from mlvc.errors import DamageError, NotFoundError
from mlvc.format import tensor_files
from mlvc.format.elements import Element
from mlvc.format.ids import ChunkId
from mlvc.format.recipe import Recipe
from mlvc.objects import cutting
from mlvc.objects.chunk_reader import ChunkReader
from mlvc.objects.cutting import Stretch
from mlvc.objects.store import ObjectStore

_Key = tuple[str, int, Element | None]


class BaseFile(Struct, frozen=True):
    """A file of a version that new ones may be stored against."""

    path: str
    recipe: Recipe


class Counterparts:
    """The pieces of base versions. Asked from several threads."""

    def __init__(self, store: ObjectStore, files: Callable[[], Iterable[BaseFile]]) -> None:
        """Takes the files of bases, the nearest base's first; `files` is called when the first piece is asked for."""
        self._store = store
        self._files = files
        self._pieces: dict[_Key, tuple[ChunkId, ...]] | None = None
        self._whole: dict[tuple[str, int], ChunkId] = {}
        self._reader: ChunkReader | None = None
        self._lock = Lock()

    def of(self, stretch: Stretch) -> tuple[ChunkId, ...] | None:
        """Returns the chunks of a tensor's pieces in a base, or None."""
        return self._known().get((stretch.name, stretch.size, stretch.element)) if stretch.name else None

    def of_whole(self, path: str, size: int) -> ChunkId | None:
        """Returns the chunk that a base keeps the file at a path as, when it is of this size."""
        self._known()
        return self._whole.get((path, size))

    def base_for(self, counterpart: ChunkId) -> tuple[ChunkId, bytes | memoryview] | None:
        """Returns the chunk to try a difference to, and its content; None where there is none to be had here."""
        assert self._reader is not None, "a counterpart comes from here"
        identifier = self._reader.base_for(counterpart)
        if identifier is None:
            return None
        try:
            return identifier, self._reader.read(identifier)
        except (DamageError, NotFoundError):
            return None  # stored by itself, the chunk is as safe

    def close(self) -> None:
        """Closes the packs that were read."""
        if self._reader is not None:
            self._reader.close()

    def _known(self) -> dict[_Key, tuple[ChunkId, ...]]:
        with self._lock:
            if self._pieces is None:
                found: dict[_Key, tuple[ChunkId, ...]] = {}
                for file in self._files():
                    if len(file.recipe.pieces) == 1:
                        self._whole.setdefault((file.path, file.recipe.size), file.recipe.pieces[0].chunk)
                    elif file.recipe.pieces:
                        for key, chunks in self._look_into(file.recipe):
                            found.setdefault(key, chunks)
                self._pieces = found
                self._reader = ChunkReader(self._store, {*chain.from_iterable(found.values()), *self._whole.values()})
            return self._pieces

    def _look_into(self, recipe: Recipe) -> Iterator[tuple[_Key, tuple[ChunkId, ...]]]:
        try:
            tensors = tensor_files.find(self._store.reader(recipe, local_only=True), recipe.size)
        except (NotFoundError, DamageError):
            return  # a lazy clone left its data behind, or it is damaged: stored without a base, the file is as safe
        starts = {start: place for place, start in enumerate(accumulate((p.size for p in recipe.pieces), initial=0))}
        for stretch in cutting.stretches(tensors, recipe.size):
            place = starts.get(stretch.offset)
            if not stretch.name or place is None:
                continue
            sizes = stretch.piece_sizes
            pieces = recipe.pieces[place : place + len(sizes)]
            if [piece.size for piece in pieces] == sizes:
                yield (stretch.name, stretch.size, stretch.element), tuple(piece.chunk for piece in pieces)
