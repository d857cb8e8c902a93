"""Sorted entries kept as content-defined blocks with a small index: manifests and recipe lists are such tables.

Two tables that differ in a few entries share nearly every block, and one key is found by reading the index and one
block. A block ends after an entry whose BLAKE3(key) begins with eight zero bits, or at 1,024 entries. The index lists
for each block its hash, its first key and its number of entries; so any block is verified alone, by its hash.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import islice, pairwise
from operator import lt
from typing import Any

from msgspec import Struct

from mlvc.errors import DamageError
from mlvc.format import canonical, record
from mlvc.format.ids import RecordId, digest
from mlvc.format.record import Kind

MAX_BLOCK_ENTRIES = 1024
_BOUNDARY_BYTE = 0

ReadRecord = Callable[[RecordId], bytes]
"""Returns a bare record by id, already verified against that id."""

KeepRecord = Callable[[RecordId, bytes], None]
"""Takes a bare record with its id, to be stored."""


class BlockReference(Struct, frozen=True):
    """One line of an index."""

    id: RecordId
    first_key: bytes
    count: int


class TableKind(Struct, frozen=True):
    """The record kinds that one sort of table is written as."""

    index: Kind
    block: Kind
    noun: str


class Index(Struct, frozen=True):
    """A table's index.

    Attributes:
        blocks: in key order.
        summary: what the table's owner keeps beside them (a manifest: total size).
    """

    blocks: tuple[BlockReference, ...]
    summary: Any

    @property
    def count(self) -> int:
        """How many entries the table holds."""
        return sum(block.count for block in self.blocks)


class BuiltTable(Struct, frozen=True):
    """Records to store, blocks first, index last; `id` is the index's."""

    id: RecordId
    records: tuple[tuple[RecordId, bytes], ...]


def build(kind: TableKind, entries: Iterable[tuple[bytes, Any]], summary: Any) -> BuiltTable:
    """Returns the records of a table.

    Args:
        kind: what to write them as.
        entries: (key, value), keys strictly ascending.
        summary: kept in the index as it is.
    """
    records: list[tuple[RecordId, bytes]] = []
    identifier = write(kind, entries, summary, lambda *kept: records.append(kept))
    return BuiltTable(identifier, tuple(records))


def write(kind: TableKind, entries: Iterable[tuple[bytes, Any]], summary: Any, keep: KeepRecord) -> RecordId:
    """Hands the records of a table to `keep`, blocks first, holding one at a time; returns the index's id. See `build`."""
    references: list[list[Any]] = []
    block: list[list[Any]] = []

    def close() -> None:
        data = record.frame(kind.block, canonical.encode(block))
        identifier = record.record_id(data)
        keep(identifier, data)
        references.append([identifier, block[0][0], len(block)])
        block.clear()

    previous = None
    for key, value in entries:
        if previous is not None and key <= previous:
            raise ValueError(f"keys of a {kind.noun} must ascend: {key!r} after {previous!r}")
        previous = key
        block.append([key, value])
        if digest(key)[0] == _BOUNDARY_BYTE or len(block) == MAX_BLOCK_ENTRIES:
            close()
    if block:
        close()
    data = record.frame(kind.index, canonical.encode([references, summary]))
    identifier = record.record_id(data)
    keep(identifier, data)
    return identifier


def parse_index(kind: TableKind, data: bytes) -> Index:
    """Returns the index in a bare record; DamageError when it is none."""
    try:
        references, summary = canonical.decode(record.body(data, kind.index, f"the {kind.noun} index"))
        blocks = tuple(BlockReference(RecordId(i), bytes(k), int(n)) for i, k, n in references)
    except (TypeError, ValueError) as error:
        raise DamageError(f"a {kind.noun} index is malformed") from error
    if any(a.first_key >= b.first_key for a, b in pairwise(blocks)):
        raise DamageError(f"the blocks of a {kind.noun} index are out of order")
    return Index(blocks, summary)


def parse_block(kind: TableKind, reference: BlockReference, data: bytes) -> list[tuple[bytes, Any]]:
    """Returns the entries of one block; DamageError when they are not what the index says."""
    try:
        entries = [(bytes(k), v) for k, v in canonical.decode(record.body(data, kind.block, f"a {kind.noun} block"))]
    except (TypeError, ValueError) as error:
        raise DamageError(f"a {kind.noun} block is malformed") from error
    keys = [key for key, _ in entries]
    ascend = all(map(lt, keys, islice(keys, 1, None)))
    if len(keys) != reference.count or not keys or keys[0] != reference.first_key or not ascend:
        raise DamageError(f"a {kind.noun} block does not hold what its index says")
    return entries


def iterate_blocks(kind: TableKind, index: Index, read: ReadRecord) -> Iterator[list[tuple[bytes, Any]]]:
    """Yields all entries in key order, a block at a time."""
    last = None
    for reference in index.blocks:
        block = parse_block(kind, reference, read(reference.id))
        if last is not None and block[0][0] <= last:
            raise DamageError(f"the entries of a {kind.noun} are out of order")
        last = block[-1][0]
        yield block


def iterate(kind: TableKind, index: Index, read: ReadRecord) -> Iterator[tuple[bytes, Any]]:
    """Yields all entries in key order, holding one block at a time."""
    for block in iterate_blocks(kind, index, read):
        yield from block


def find(kind: TableKind, index: Index, read: ReadRecord, key: bytes) -> Any | None:
    """Returns the value under `key`, reading one block, or None."""
    position = bisect_right(index.blocks, key, key=lambda block: block.first_key) - 1
    if position < 0:
        return None
    reference = index.blocks[position]
    for found, value in parse_block(kind, reference, read(reference.id)):
        if found == key:
            return value
    return None
