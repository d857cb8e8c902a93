"""Writes content: files are cut, hashed, skipped where a local pack holds them already, encoded and packed.

One `Ingest` belongs to one commit, under the store's shared lock from its first 'is this here?' until the commit's
transaction exists. The way of the data is a pipeline with bounds: the caller's thread reads large files and hashes them
whole, and places what is new in packs; others hash, look up and encode pieces; one writes packs; full ones are synced beside
that. At most `_AHEAD` tasks of some `cutting.WINDOW` bytes are under way. Tiny files never leave the caller's thread.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import groupby

import blake3
from msgspec import Struct
from msgspec.structs import replace

from mlvc import atomic_file
from mlvc.format import chunk, record, tensor_files
from mlvc.format import recipe as recipes
from mlvc.format.elements import Element
from mlvc.format.ids import ChunkId, FileDigest, RecordId, digest
from mlvc.format.pack import PackClass, PackName
from mlvc.format.recipe import Piece, Recipe
from mlvc.format.record import CHUNK_CODE, Kind
from mlvc.objects import cutting, source_file
from mlvc.objects.counterparts import Counterparts
from mlvc.objects.pack_writer import PackWriter
from mlvc.objects.source_file import Looks, Seen
from mlvc.objects.store import ObjectStore
from mlvc.parallel import Background, map_in_order
from mlvc.progress import SILENT, Progress

_AHEAD = 12
_BATCH_BYTES = 4 << 20
_BATCH_FILES = 64
_TINY = 64 << 10
"""Files of this mean size, in bytes, and smaller are not worth a thread's while."""

_GUESS_ABOVE = 64 << 10
"""Bytes of unknown kind are tried as arrays of numbers from this size on."""

_SHORT = 64 << 10
"""What is written at once, in bytes."""

_SYNCING = 2
"""Full packs that are synced at once while the next one is written."""


class StoredFile(Struct, frozen=True):
    """A file that is now in the store.

    Attributes:
        digest: of the whole.
        size: in bytes.
        recipe: its recipe's record, or None when it is a single chunk.
        looks: of the file, for the stat cache; None for bytes that came from no file.
    """

    digest: FileDigest
    size: int
    recipe: RecordId | None
    looks: Looks | None = None


_ToRead = tuple[str, str, int]
"""Entry path, file, and the size it had when it was looked at."""


class _Cut(Struct, frozen=True):
    """A chunk to be stored: its bytes, where they begin in the file, what they are an array of, and its counterpart."""

    data: bytes | memoryview
    offset: int
    element: Element | None = None
    base: ChunkId | None = None
    counterparts: Counterparts | None = None


class _Encoded(Struct, frozen=True):
    """A chunk ready to be packed; `stored` is None when a local pack holds it."""

    id: bytes
    size: int
    stored: bytes | None
    base: bytes | None = None


class Ingest:
    """The objects of one commit under way. Use from one thread; it spreads its own work."""

    def __init__(self, store: ObjectStore, progress: Progress = SILENT) -> None:
        self._store = store
        self._progress = progress
        self._writers: dict[PackClass, PackWriter] = {}
        self._full: deque[PackWriter] = deque()
        self._named: deque[PackWriter] = deque()
        self._writing = Background(1)
        self._syncing = Background(_SYNCING)
        self._new: set[tuple[bytes, int]] = set()
        self.brings: list[PackName] = []
        self._leans: dict[PackName, bool] = {}
        self.new_bytes = 0
        """Stored bytes of chunks that were not here before."""
        store.index.ensure_built()

    # -- files ------------------------------------------------------------------------------------------------------

    def add_files(
        self, files: Iterable[tuple[str, Seen]], counterparts: Counterparts | None = None
    ) -> Iterator[StoredFile]:
        """Stores files, yielding for each, in the order given, what it is stored as.

        Args:
            files: entry path and file; what it looked like decides how it is read, and may be wrong by now.
            counterparts: what they may be stored against.

        Raises:
            UsageError: a path is not a regular file (after following links).
            LocalFileError: it cannot be read, or changed while it was.
        """
        looked_at = ((path, seen.file, (seen.looks or source_file.regular_file(seen.file)).size) for path, seen in files)
        for is_large, group in groupby(looked_at, lambda item: item[2] > cutting.WHOLE_BELOW):
            if is_large:
                for _, file, _ in group:
                    yield self._add_large(file, counterparts)
            else:
                yield from self._add_small(group, counterparts)

    def _add_small(
        self, files: Iterable[_ToRead], counterparts: Counterparts | None
    ) -> Iterator[StoredFile]:
        work = partial(self._read_small, counterparts=counterparts)
        for batch in map_in_order(work, _batches(files), ahead=_AHEAD, here=_are_tiny):
            self._pack_chunks([encoded for _, encoded in batch])
            for found, encoded in batch:
                yield StoredFile(FileDigest(encoded.id), encoded.size, None, found)

    def _read_small(
        self, batch: list[_ToRead], counterparts: Counterparts | None
    ) -> list[tuple[Looks, _Encoded]]:
        looks, cuts = [], []
        for path, file, _ in batch:
            found, data = source_file.read_small(file, cutting.WHOLE_BELOW)
            is_array = len(data) > _GUESS_ABOVE
            base = counterparts.of_whole(path, len(data)) if counterparts and is_array else None
            looks.append(found)
            cuts.append(_Cut(data, 0, chunk.guess_element(data) if is_array else None, base, counterparts))
        return list(zip(looks, self._encode(cuts), strict=True))

    def _add_large(self, path: str, counterparts: Counterparts | None) -> StoredFile:
        with source_file.opened(path) as file:
            before = source_file.opened_looks(file.fileno())
            tensors = tensor_files.find(lambda at, size: os.pread(file.fileno(), size, at), before.size)
            windows = _tensor_windows(file.read, tensors, before.size, counterparts) if tensors else _windows(file.read)
            stored = self._add_windows(windows)
            source_file.check_unchanged(path, before, source_file.opened_looks(file.fileno()), stored.size)
        return StoredFile(stored.digest, stored.size, stored.recipe, before)

    def add_stream(self, read: Callable[[int], bytes]) -> StoredFile:
        """Stores a file read piece by piece: `read` returns the next bytes, b"" at the end."""
        return self._add_windows(_windows(read))

    def _add_windows(self, windows: Iterable[list[_Cut]]) -> StoredFile:
        proof = blake3.blake3()

        def hashed() -> Iterator[list[_Cut]]:
            for window in windows:
                for cut in window:
                    proof.update(cut.data)
                yield window

        pieces: list[Piece] = []
        for encoded in map_in_order(self._encode_window, hashed(), ahead=_AHEAD):
            self._pack_chunks(encoded)
            pieces.extend(Piece(ChunkId(one.id), one.size) for one in encoded)
        found = Recipe(FileDigest(proof.digest()), tuple(pieces))
        if len(pieces) <= 1:
            return StoredFile(found.digest, found.size, None)
        data = recipes.encode(found)
        return StoredFile(found.digest, found.size, self.add_record(Kind.RECIPE, data))

    def add_bytes(self, data: bytes) -> StoredFile:
        """Stores bytes as a file."""
        if len(data) <= cutting.WHOLE_BELOW:
            encoded = self._encode([_Cut(data, 0)])
            self._pack_chunks(encoded)
            return StoredFile(FileDigest(encoded[0].id), len(data), None)
        at = 0

        def read(size: int) -> bytes:
            nonlocal at
            piece = data[at : at + size]
            at += len(piece)
            return piece

        return self.add_stream(read)

    def _encode_window(self, window: list[_Cut]) -> list[_Encoded]:
        """Encodes consecutive chunks; the element of those of unknown kind is guessed once for all of them."""
        unknown = [cut for cut in window if cut.element is None]
        if sum(len(cut.data) for cut in unknown) > _GUESS_ABOVE:
            largest = max(unknown, key=lambda cut: len(cut.data))
            guess = chunk.guess_element(memoryview(largest.data)[_lead(largest.offset) :])
            if guess is not None:
                window = [replace(c, element=c.element or guess) for c in window]
        return self._encode(window)

    def _encode(self, cuts: list[_Cut]) -> list[_Encoded]:
        ids = [digest(cut.data) for cut in cuts]
        known = self._known(ids, CHUNK_CODE)
        return [
            _Encoded(identifier, len(cut.data), None)
            if identifier in known or not cut.data
            else self._encode_one(identifier, cut)
            for identifier, cut in zip(ids, cuts, strict=True)
        ]

    def _encode_one(self, identifier: bytes, cut: _Cut) -> _Encoded:
        base = cut.counterparts.base_for(cut.base) if cut.counterparts and cut.base and cut.element else None
        content = base[1] if base is not None and len(base[1]) == len(cut.data) else None
        lead = _lead(cut.offset) if cut.element is not None else 0
        stored = chunk.encode(cut.data, element=cut.element, lead=min(lead, len(cut.data)), base=content)
        return _Encoded(identifier, len(cut.data), stored, base[0] if base and chunk.needs_base(stored) else None)

    # -- records ----------------------------------------------------------------------------------------------------

    def add_record(self, kind: Kind, data: bytes) -> RecordId:
        """Stores a bare record in the meta pack."""
        identifier = record.record_id(data)
        if (identifier, kind.code) not in self._new and not self._known([identifier], kind.code):
            self._new.add((identifier, kind.code))
            self._writer(PackClass.META).add(identifier, kind.code, chunk.encode(data), len(data))
        return identifier

    def are_here(self, chunks: list[ChunkId]) -> set[bytes]:
        """Returns those chunks that a local pack holds; from then on the commit leans on that pack."""
        return self._known(list(chunks), CHUNK_CODE)

    # -- packs ------------------------------------------------------------------------------------------------------

    def _known(self, identifiers: list[bytes], code: int) -> set[bytes]:
        """Returns those that a pack on disk holds; from then on the commit leans on that pack.

        The index alone is not believed: the pack's file must be there.
        """
        known = set()
        for identifier, packs in self._store.index.find_any(identifiers, code).items():
            for pack in packs:
                on_disk = self._leans.get(pack)
                if on_disk is None:
                    on_disk = self._leans[pack] = self._store.backend.size(pack.key) is not None
                if on_disk:
                    known.add(identifier)
                    break
        return known

    def _pack_chunks(self, chunks: list[_Encoded]) -> None:
        fresh = []
        for one in chunks:
            self._progress.advance(one.size)
            if one.stored is not None and (one.id, CHUNK_CODE) not in self._new:
                self._new.add((one.id, CHUNK_CODE))
                self.new_bytes += len(one.stored)
                fresh.append((one.id, CHUNK_CODE, one.stored, one.size, one.base))
        if fresh:
            writer = self._writer(PackClass.DATA)
            is_short = sum(len(stored) for _, _, stored, _, _ in fresh) <= _SHORT
            self._writing.start(partial(writer.write, writer.place(fresh)), is_short=is_short)
            if writer.is_full:
                self._full.append(self._writers.pop(PackClass.DATA))
                self._writing.start(partial(self._syncing.start, partial(self._publish, writer)))
        while self._named:
            self._index(self._named.popleft())

    def _publish(self, writer: PackWriter) -> None:
        """Gives a full pack its name, in a thread of its own."""
        writer.publish()
        self._named.append(writer)

    def _index(self, writer: PackWriter) -> None:
        """Hands a named pack's slots to the index, which from then on knows them; memory need not any more."""
        self.brings.append(writer.name)
        self._store.index.add(writer.name, writer.slots.values())
        self._new.difference_update(writer.slots)
        self._full.remove(writer)
        writer.slots.clear()

    def _writer(self, pack_class: PackClass) -> PackWriter:
        if pack_class not in self._writers:
            self._writers[pack_class] = PackWriter(self._store.backend, pack_class)
        return self._writers[pack_class]

    @property
    def is_empty(self) -> bool:
        """Whether nothing had to be stored so far: all of it was here."""
        return not (self._writers or self._full or self.brings)

    @property
    def leans(self) -> list[PackName]:
        """Packs of others that hold what this commit skipped."""
        return [name for name, on_disk in self._leans.items() if on_disk and name not in self.brings]

    def finish(self) -> None:
        """Makes everything durable: each pack synced and named, then both folders synced.

        The folders are synced even when nothing was written: what was skipped may lie in a pack whose name another
        process has not yet made durable.
        """
        self._writing.wait()
        self._syncing.wait()
        for pack_class in (PackClass.DATA, PackClass.META):
            if pack_class in self._writers:
                self._full.append(self._writers.pop(pack_class))
                self._publish(self._full[-1])
        while self._named:
            self._index(self._named.popleft())
        for pack_class in PackClass:
            folder = self._store.backend.path(f"packs/{pack_class.folder}")
            if folder.is_dir():
                atomic_file.sync_folder(folder)

    def discard(self) -> None:
        """Removes temporary files; packs already named stay as garbage, for another commit may lean on them."""
        with suppress(Exception):  # what failed is known by now, and raised
            self._writing.wait()
        with suppress(Exception):
            self._syncing.wait()
        for writer in (*self._writers.values(), *self._full):
            writer.discard()
        self._writers.clear()
        self._full.clear()


def _lead(offset: int) -> int:
    """Returns how many bytes lie between an offset in a file and the next one where an element of any width begins."""
    return -offset % 8


def _windows(read: Callable[[int], bytes]) -> Iterator[list[_Cut]]:
    """Yields the content-defined chunks of a file of unknown kind, a window at a time."""
    offset = 0
    for window in cutting.cut(read):
        cuts = []
        for data in window:
            cuts.append(_Cut(data, offset))
            offset += len(data)
        yield cuts


def _tensor_windows(
    read: Callable[[int], bytes],
    tensors: tuple[tensor_files.Tensor, ...],
    size: int,
    counterparts: Counterparts | None,
) -> Iterator[list[_Cut]]:
    """Yields the chunks of a tensor file: pieces of tensors with their counterparts, and what lies between them."""
    window: list[_Cut] = []
    held = 0
    for stretch in cutting.stretches(tensors, size):
        if not stretch.name and stretch.size > cutting.WHOLE_BELOW:
            yield window
            window, held = [], 0
            yield from _between(read, stretch)
            continue
        bases = counterparts.of(stretch) if counterparts and stretch.name else None
        at = stretch.offset
        for number, piece_size in enumerate(stretch.piece_sizes if stretch.name else [stretch.size]):
            data = cutting.read_exactly(read, piece_size)
            if not data:
                break  # the file is shorter by now; whoever reads it sees that and says so
            is_whole = bases is not None and len(data) == piece_size
            # Elements begin where their tensor does, and every piece is whole elements: no lead.
            base = bases[number] if bases and is_whole else None
            window.append(_Cut(data, at - stretch.offset, stretch.element, base, counterparts))
            at += len(data)
            held += len(data)
            if held >= cutting.WINDOW:
                yield window
                window, held = [], 0
    rest = cutting.read_exactly(read, cutting.WINDOW)
    if rest:
        window.append(_Cut(rest, 0))  # it has grown since
    yield window


def _between(read: Callable[[int], bytes], stretch: cutting.Stretch) -> Iterator[list[_Cut]]:
    """Yields the content-defined chunks of a large stretch between tensors."""
    left = stretch.size

    def bounded(size: int) -> bytes:
        nonlocal left
        data = read(min(size, left))
        left -= len(data)
        return data

    for cuts in _windows(bounded):
        yield [_Cut(cut.data, stretch.offset + cut.offset) for cut in cuts]


def _are_tiny(batch: list[_ToRead]) -> bool:
    return sum(size for _, _, size in batch) < _TINY * len(batch)


def _batches(files: Iterable[_ToRead]) -> Iterator[list[_ToRead]]:
    """Groups small files, many to a task. Keeps the order."""
    batch: list[_ToRead] = []
    size = 0
    for item in files:
        batch.append(item)
        size += item[2]
        if size >= _BATCH_BYTES or len(batch) >= _BATCH_FILES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
