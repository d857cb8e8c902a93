"""Bundles: the entries of an aligned range of a journal in one object, so that a clone needs few reads.

Level k holds 16^k entries: bundle number i of level k those from i * 16^k + 1 to (i + 1) * 16^k. A bundle is a pure function of its
entries, so whoever pushes across a border makes the same one. Beside the entries lie, for the same range, the records that they need
(a pack) and where the data packs that they bring hold what (a locator): both are caches, and may be missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from mlvc.errors import DamageError
from mlvc.format import canonical, record
from mlvc.format.record import Kind

WIDTH = 16
MAX_LEVEL = 4
MAX_SIZE = 64 << 20
"""A larger bundle is not made: its parts serve instead."""


def _size(level: int) -> int:
    return 1 << (4 * level)


class Range(Struct, frozen=True):
    """An aligned range of entries; of level 0, one entry, whose number is `index` + 1."""

    level: int
    index: int

    @property
    def first(self) -> int:
        """The number of its first entry."""
        return self.index * _size(self.level) + 1

    @property
    def last(self) -> int:
        """The number of its last entry."""
        return (self.index + 1) * _size(self.level)

    def parts(self) -> list[Range]:
        """Returns the ranges of the level below that make it up."""
        return [Range(self.level - 1, self.index * WIDTH + place) for place in range(WIDTH)]

    def key(self, journal: bytes, what: str) -> str:
        """Returns where its bundle of `entries`, `records` or `places` lies in a store."""
        return f"bundles/{journal.hex()}/{what}/{self.level}-{self.index:020d}"


def cover(first: int, last: int) -> Iterator[Range]:
    """Yields the fewest aligned ranges that make up the entries from `first` to `last`."""
    while first <= last:
        level = 0
        while level < MAX_LEVEL and (first - 1) % _size(level + 1) == 0 and first - 1 + _size(level + 1) <= last:
            level += 1
        yield Range(level, (first - 1) // _size(level))
        first += _size(level)


def completed(before: int, now: int) -> Iterator[Range]:
    """Yields the ranges, of all levels above 0, whose last entry came after number `before`, up to number `now`."""
    for level in range(1, MAX_LEVEL + 1):
        for index in range(before // _size(level), now // _size(level)):
            yield Range(level, index)


def encode(entries: Sequence[bytes]) -> bytes | None:
    """Returns a bundle of entries in order, or None when it would be too large."""
    if sum(map(len, entries)) > MAX_SIZE - (1 << 20):
        return None
    return record.seal(Kind.BUNDLE, canonical.encode(list(entries)))


def decode(data: bytes, what: str) -> list[bytes]:
    """Returns the entries in a bundle; DamageError when it is none. Each entry is proven by whoever reads it."""
    if len(data) > MAX_SIZE:
        raise DamageError(f"{what} has {len(data):,} bytes, at most {MAX_SIZE:,} are believed")
    entries = canonical.decode(record.unseal(data, Kind.BUNDLE, what))
    if not isinstance(entries, list) or not all(isinstance(entry, bytes) for entry in entries):
        raise DamageError(f"{what} is malformed")
    return entries
