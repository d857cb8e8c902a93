"""A stored file as Python opens files: read at any place, and only the chunks that are read are found, fetched and proven."""

from __future__ import annotations

import io
import os
from bisect import bisect_right
from collections import OrderedDict
from itertools import accumulate
from threading import Lock
from typing import TYPE_CHECKING

from mlvc.format.recipe import Piece, Recipe
from mlvc.format.record import CHUNK_CODE
from mlvc.objects.store import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed import WriteableBuffer

_KEPT = 8


class FileView(io.RawIOBase):
    """Used from any threads; what raises when a chunk is nowhere is what `ObjectStore.ensure` raises."""

    def __init__(self, store: ObjectStore, recipe: Recipe) -> None:
        super().__init__()
        self._store = store
        self._pieces = recipe.pieces
        self._ends = list(accumulate(piece.size for piece in recipe.pieces))
        self._size = self._ends[-1] if self._ends else 0
        self._at = 0
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._lock = Lock()

    def readable(self) -> bool:
        """Returns True."""
        return True

    def seekable(self) -> bool:
        """Returns True."""
        return True

    def tell(self) -> int:
        """Returns the place of the next read."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Moves to a place and returns it."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fills a buffer as far as the file goes, and returns how many bytes that were."""
        room = memoryview(buffer).cast("B")
        with self._lock:
            end = min(self._at + len(room), self._size)
            done = 0
            for place, piece in self._between(self._at, end):
                start = max(0, self._at - (self._ends[place] - piece.size))
                part = memoryview(self._chunk(place, piece))[start : start + end - self._at]
                room[done : done + len(part)] = part
                done += len(part)
                self._at += len(part)
        return done

    def _between(self, start: int, end: int) -> Iterator[tuple[int, Piece]]:
        """Yields the pieces that a range lies in, all brought here in one go."""
        if start >= end:
            return
        first, last = bisect_right(self._ends, start), bisect_right(self._ends, end - 1)
        places = range(first, last + 1)
        self._store.ensure((self._pieces[p].chunk, CHUNK_CODE) for p in places if p not in self._kept)
        for place in places:
            yield place, self._pieces[place]

    def _chunk(self, place: int, piece: Piece) -> bytes:
        found = self._kept.get(place)
        if found is None:
            found = self._kept[place] = self._store.read_chunk(piece.chunk)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return found
