"""Writes content: files are cut, hashed, skipped where a local pack holds them already, compressed and packed.

One `Ingest` belongs to one commit, under the store's shared lock from its first 'is this here?' until the commit's
transaction exists. Data and meta packs are apart. Memory is bounded whatever the input: at most `_AHEAD` windows of
`cutting.WINDOW` bytes are under way.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import blake3

from mlvc import atomic_file
from mlvc.format import chunk, record
from mlvc.format import recipe as recipes
from mlvc.format.ids import ChunkId, FileDigest, RecordId, digest
from mlvc.format.pack import PackClass, PackName
from mlvc.format.recipe import Piece, Recipe
from mlvc.format.record import CHUNK_CODE, Kind
from mlvc.objects import cutting, source_file
from mlvc.objects.pack_writer import PackWriter
from mlvc.objects.store import ObjectStore
from mlvc.parallel import map_in_order
from mlvc.progress import SILENT, Progress

_AHEAD = 12
_AHEAD_FILES = 40
_BATCH_BYTES = 4 << 20
_BATCH_FILES = 256


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that is now in the store.

    Attributes:
        digest: of the whole.
        size: in bytes.
        recipe: its recipe's record, or None when it is a single chunk.
        stat: what the file looked like, for the stat cache; None for bytes that came from no file.
    """

    digest: FileDigest
    size: int
    recipe: RecordId | None
    stat: os.stat_result | None = None


@dataclass(frozen=True, slots=True)
class _Encoded:
    """A chunk ready to be packed; `stored` is None when a local pack holds it."""

    id: bytes
    size: int
    stored: bytes | None


class Ingest:
    """The objects of one commit under way. Use from one thread; it spreads its own work."""

    def __init__(self, store: ObjectStore, progress: Progress = SILENT) -> None:
        self._store = store
        self._progress = progress
        self._writers: dict[PackClass, PackWriter] = {}
        self.brings: list[PackName] = []
        self._leans: dict[PackName, bool] = {}
        self.new_bytes = 0
        """Stored bytes of chunks that were not here before."""
        store.index.ensure_built()

    # -- files ------------------------------------------------------------------------------------------------------

    def add_files(self, paths: Iterable[Path]) -> Iterator[StoredFile]:
        """Stores files, yielding for each, in the order given, what it is stored as.

        Raises:
            UsageError: a path is not a regular file (after following links).
            LocalFileError: it cannot be read, or changed while it was.
        """
        for batch in _batches(paths):
            if len(batch) == 1 and batch[0][1].st_size > cutting.WHOLE_BELOW:
                yield self._add_large(*batch[0])
            else:
                yield from self._add_small(batch)

    def _add_small(self, batch: list[tuple[Path, os.stat_result]]) -> Iterator[StoredFile]:
        for found, encoded in map_in_order(self._read_small, batch, ahead=_AHEAD_FILES):
            self._pack_chunk(encoded)
            self._progress.advance(encoded.size)
            yield StoredFile(FileDigest(encoded.id), encoded.size, None, found)

    def _read_small(self, item: tuple[Path, os.stat_result]) -> tuple[os.stat_result, _Encoded]:
        path, _ = item
        with source_file.opened(path) as file:
            before = os.fstat(file.fileno())
            data = file.read(cutting.WHOLE_BELOW + 1) or b""
            source_file.check_unchanged(path, before, os.fstat(file.fileno()), len(data))
        return before, self._encode(data)

    def _add_large(self, path: Path, _: os.stat_result) -> StoredFile:
        with source_file.opened(path) as file:
            before = os.fstat(file.fileno())
            stored = self.add_stream(file.read)
            source_file.check_unchanged(path, before, os.fstat(file.fileno()), stored.size)
        return StoredFile(stored.digest, stored.size, stored.recipe, before)

    def add_stream(self, read: Callable[[int], bytes]) -> StoredFile:
        """Stores a file read piece by piece: `read` returns the next bytes, b"" at the end."""
        proof = blake3.blake3()

        def windows() -> Iterator[list[memoryview]]:
            for window in cutting.cut(read):
                for piece in window:
                    proof.update(piece)
                yield window

        pieces: list[Piece] = []
        for encoded in map_in_order(self._encode_window, windows(), ahead=_AHEAD):
            for one in encoded:
                self._pack_chunk(one)
                pieces.append(Piece(ChunkId(one.id), one.size))
                self._progress.advance(one.size)
        found = Recipe(FileDigest(proof.digest()), tuple(pieces))
        if len(pieces) <= 1:
            return StoredFile(found.digest, found.size, None)
        data = recipes.encode(found)
        return StoredFile(found.digest, found.size, self.add_record(Kind.RECIPE, data))

    def add_bytes(self, data: bytes) -> StoredFile:
        """Stores bytes as a file."""
        if len(data) <= cutting.WHOLE_BELOW:
            encoded = self._encode(data)
            self._pack_chunk(encoded)
            return StoredFile(FileDigest(encoded.id), len(data), None)
        at = 0

        def read(size: int) -> bytes:
            nonlocal at
            piece = data[at : at + size]
            at += len(piece)
            return piece

        return self.add_stream(read)

    def _encode_window(self, window: list[memoryview]) -> list[_Encoded]:
        return [self._encode(piece) for piece in window]

    def _encode(self, data: bytes | memoryview) -> _Encoded:
        identifier = digest(data)
        if not data or self._known(identifier, CHUNK_CODE):
            return _Encoded(identifier, len(data), None)
        return _Encoded(identifier, len(data), chunk.encode(data))

    # -- records ----------------------------------------------------------------------------------------------------

    def add_record(self, kind: Kind, data: bytes) -> RecordId:
        """Stores a bare record in the meta pack."""
        identifier = record.record_id(data)
        if not self._is_in_open_pack(PackClass.META, identifier, kind.code) and not self._known(identifier, kind.code):
            self._writer(PackClass.META).add(identifier, kind.code, chunk.encode(data), len(data))
        return identifier

    # -- packs ------------------------------------------------------------------------------------------------------

    def _known(self, identifier: bytes, code: int) -> bool:
        """Tells whether a pack on disk holds it; from then on the commit leans on that pack.

        The index alone is not believed: the pack's file must be there.
        """
        for place in self._store.index.find(identifier, code):
            on_disk = self._leans.get(place.pack)
            if on_disk is None:
                on_disk = self._store.backend.size(place.pack.key) is not None
                self._leans[place.pack] = on_disk
            if on_disk:
                return True
        return False

    def _is_in_open_pack(self, pack_class: PackClass, identifier: bytes, code: int) -> bool:
        writer = self._writers.get(pack_class)
        return writer is not None and (identifier, code) in writer.slots

    def _pack_chunk(self, encoded: _Encoded) -> None:
        if encoded.stored is None or self._is_in_open_pack(PackClass.DATA, encoded.id, CHUNK_CODE):
            return
        writer = self._writer(PackClass.DATA)
        writer.add(encoded.id, CHUNK_CODE, encoded.stored, encoded.size)
        self.new_bytes += len(encoded.stored)
        if writer.is_full:
            self._publish(PackClass.DATA)

    def _writer(self, pack_class: PackClass) -> PackWriter:
        if pack_class not in self._writers:
            self._writers[pack_class] = PackWriter(self._store.backend, pack_class)
        return self._writers[pack_class]

    def _publish(self, pack_class: PackClass) -> None:
        writer = self._writers[pack_class]
        self.brings.append(writer.publish())
        del self._writers[pack_class]
        self._store.index.add(writer.name, writer.slots.values())

    @property
    def leans(self) -> list[PackName]:
        """Packs of others that hold what this commit skipped."""
        return [name for name, on_disk in self._leans.items() if on_disk and name not in self.brings]

    def finish(self) -> None:
        """Makes everything durable: each pack synced and named, then both folders synced.

        The folders are synced even when nothing was written: what was skipped may lie in a pack whose name another
        process has not yet made durable.
        """
        for pack_class in (PackClass.DATA, PackClass.META):
            if pack_class in self._writers:
                self._publish(pack_class)
        for pack_class in PackClass:
            folder = self._store.backend.path(f"packs/{pack_class.folder}")
            if folder.is_dir():
                atomic_file.sync_folder(folder)

    def discard(self) -> None:
        """Removes temporary files; packs already named stay as garbage, for another commit may lean on them."""
        for writer in self._writers.values():
            writer.discard()
        self._writers.clear()


def _batches(paths: Iterable[Path]) -> Iterator[list[tuple[Path, os.stat_result]]]:
    """Groups small files, so that their reading overlaps; large ones come alone. Keeps the order."""
    batch: list[tuple[Path, os.stat_result]] = []
    size = 0
    for path in paths:
        found = source_file.regular_file(path)
        if found.st_size > cutting.WHOLE_BELOW:
            if batch:
                yield batch
            yield [(path, found)]
            batch, size = [], 0
            continue
        batch.append((path, found))
        size += found.st_size
        if size >= 16 * _BATCH_BYTES or len(batch) >= 16 * _BATCH_FILES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
