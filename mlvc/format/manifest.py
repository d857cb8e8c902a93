"""Manifests: what one state of an artifact holds, by path. Identity is path, size and digest, nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct, field

from mlvc.errors import DamageError, NotFoundError
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
    ordered = sorted(entries, key=lambda entry: entry.path.encode())
    for entry in ordered:
        entry_path.check(entry.path)
    table = sorted_blocks.build(TABLE, ((e.path.encode(), _to_wire(e)) for e in ordered), sum(e.size for e in ordered))
    return BuiltManifest(ManifestId(table.id), table.records)


def _to_wire(entry: Entry) -> list[Any]:
    if isinstance(entry, FileEntry):
        return [entry.size, entry.digest]
    return [entry.size, entry.checksum, entry.uri, entry.info]


def _from_wire(key: bytes, value: Any) -> Entry:
    try:
        path = key.decode()
        entry_path.check(path)  # a manifest from elsewhere must not be able to write where it likes
        if len(value) == 2:
            size, file_digest = value
            if not isinstance(size, int) or size < 0 or len(file_digest) != ID_SIZE:
                raise ValueError("size or digest")
            return FileEntry(path, size, FileDigest(file_digest))
        size, checksum, uri, info = value
        return ReferenceEntry(path, int(size), str(uri), str(checksum), dict(info))
    except (TypeError, ValueError) as error:
        raise DamageError(f"a manifest entry is unusable: {error}") from error


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
        for key, value in sorted_blocks.iterate(TABLE, self._index, self._read):
            yield _from_wire(key, value)

    def get(self, path: str) -> Entry | None:
        """Returns the entry at `path`, reading one block, or None."""
        value = sorted_blocks.find(TABLE, self._index, self._read, path.encode())
        return None if value is None else _from_wire(path.encode(), value)

    def __getitem__(self, path: str) -> Entry:
        entry = self.get(path)
        if entry is None:
            raise NotFoundError(f"the artifact has no file '{path}'")
        return entry
