"""Manifests: what one state of an artifact holds, by path. Identity is path, size and digest, nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from msgspec import Struct, field

from mlvc.errors import DamageError, InvalidNameError, NotFoundError
from mlvc.format import entry_path, sorted_blocks
from mlvc.format.ids import ID_SIZE, FileDigest, ManifestId, RecordId
from mlvc.format.record import Kind
from mlvc.format.sorted_blocks import Index, ReadRecord, TableKind

TABLE = TableKind(Kind.MANIFEST_INDEX, Kind.MANIFEST_BLOCK, "manifest")


class FileEntry(Struct, frozen=True):
    """A file: `path` relative and checked, `size` in bytes, BLAKE3-256 of its content."""

    path: str
    size: int
    digest: FileDigest


class ReferenceEntry(Struct, frozen=True):
    """A file that stays elsewhere: its URI, the checksum asked for, and what the store said of it."""

    path: str
    size: int
    uri: str
    checksum: str
    info: dict[str, str] = field(default_factory=dict)


Entry = FileEntry | ReferenceEntry


class BuiltManifest(Struct, frozen=True):
    """A manifest's id and the records to store for it."""

    id: ManifestId
    records: tuple[tuple[RecordId, bytes], ...]


def build(entries: Iterable[Entry]) -> BuiltManifest:
    """Returns the manifest of `entries`, given in any order.

    Raises:
        InvalidNameError: a path breaks the rules of docs/format/names.md.
        ValueError: a path stands twice.
    """
    ordered = sorted(entries, key=lambda entry: entry.path)  # code points sort as their UTF-8 does
    records: list[tuple[RecordId, bytes]] = []
    identifier = write(ordered, sum(e.size for e in ordered), lambda *kept: records.append(kept))
    return BuiltManifest(identifier, tuple(records))


def write(entries: Iterable[Entry], total_size: int, keep: sorted_blocks.KeepRecord) -> ManifestId:
    """Hands the records of a manifest to `keep`, blocks first, holding one at a time; returns the manifest's id.

    Args:
        entries: paths strictly ascending, by code point.
        total_size: the sum of their sizes, in bytes.
        keep: takes each record's id and bytes.

    Raises:
        InvalidNameError: a path breaks the rules of docs/format/names.md.
        ValueError: paths do not ascend.
    """
    return ManifestId(sorted_blocks.write(TABLE, _checked_rows(entries), total_size, keep))


def _checked_rows(entries: Iterable[Entry]) -> Iterator[tuple[bytes, Any]]:
    waiting = iter(entries)
    while some := list(islice(waiting, sorted_blocks.MAX_BLOCK_ENTRIES)):
        entry_path.check_all([entry.path for entry in some])
        for entry in some:
            yield entry.path.encode(), _to_wire(entry)


def _to_wire(entry: Entry) -> list[Any]:
    if isinstance(entry, FileEntry):
        return [entry.size, entry.digest]
    return [entry.size, entry.checksum, entry.uri, entry.info]


def _from_wire(key: bytes, value: Any) -> Entry:
    try:
        path = key.decode()
        if len(value) == 2:
            size, file_digest = value
            if not isinstance(size, int) or size < 0 or len(file_digest) != ID_SIZE:
                raise ValueError("size or digest")
            return FileEntry(path, size, FileDigest(file_digest))
        size, checksum, uri, info = value
        return ReferenceEntry(path, int(size), str(uri), str(checksum), dict(info))
    except (TypeError, ValueError) as error:
        raise DamageError(f"a manifest entry is unusable: {error}") from error


def _entries_of(block: list[tuple[bytes, Any]]) -> list[Entry]:
    entries = [_from_wire(key, value) for key, value in block]
    try:
        entry_path.check_all([e.path for e in entries])  # a manifest from elsewhere must not be able to write where it likes
    except InvalidNameError as error:
        raise DamageError(f"a manifest entry is unusable: {error.message}") from error
    return entries


class Manifest:
    """A manifest read through `read`, one block at a time."""

    def __init__(self, identifier: ManifestId, read: ReadRecord) -> None:
        self.id = identifier
        self._read = read
        self._index: Index = sorted_blocks.parse_index(TABLE, read(RecordId(identifier)))

    @property
    def count(self) -> int:
        """How many entries it has."""
        return self._index.count

    @property
    def size_bytes(self) -> int:
        """The sizes of all its entries, added up."""
        return int(self._index.summary)

    @property
    def block_ids(self) -> list[RecordId]:
        """The blocks it is kept as."""
        return [block.id for block in self._index.blocks]

    def __iter__(self) -> Iterator[Entry]:
        for block in sorted_blocks.iterate_blocks(TABLE, self._index, self._read):
            yield from _entries_of(block)

    def get(self, path: str) -> Entry | None:
        """Returns the entry at `path`, reading one block, or None."""
        value = sorted_blocks.find(TABLE, self._index, self._read, path.encode())
        return None if value is None else _entries_of([(path.encode(), value)])[0]

    def __getitem__(self, path: str) -> Entry:
        entry = self.get(path)
        if entry is None:
            raise NotFoundError(f"the artifact has no file '{path}'")
        return entry
