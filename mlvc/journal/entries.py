"""A journal on a backend: entries read in order, each proven by the hash that the next one holds."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from mlvc.backend.interface import Backend, KeyMissingError
from mlvc.errors import ConflictError, DamageError
from mlvc.format import bundle, journal_entry
from mlvc.format.bundle import Range
from mlvc.format.ids import NONCE_SIZE
from mlvc.format.journal_entry import NO_PREDECESSOR, Entry
from mlvc.parallel import map_in_order

ENTRIES = "entries"
"""What bundles of entries are filed under."""

_READERS = 16
"""Entries asked for at once: a far store answers each after tens of milliseconds."""


class Journal:
    """One journal, by its id, on one backend."""

    def __init__(self, backend: Backend, identifier: bytes) -> None:
        self.backend = backend
        self.id = identifier
        self._adopted: object = _UNREAD

    def read_bytes(self, number: int) -> bytes | None:
        """Returns the bytes of an entry, or None when it does not exist (yet)."""
        try:
            return self.backend.read(journal_entry.key(self.id, number))
        except KeyMissingError:
            return None

    def read(self, number: int) -> Entry | None:
        """Returns an entry, or None; DamageError when it is not what was written."""
        data = self.read_bytes(number)
        return None if data is None else self.decode(data, number)

    def decode(self, data: bytes, number: int) -> Entry:
        """Returns the entry in `data`; DamageError unless it is number `number` of this journal."""
        what = f"the journal entry {number} ({journal_entry.key(self.id, number)})"
        entry = journal_entry.decode(data, what)
        if (entry.journal, entry.number) != (self.id, number):
            raise DamageError(f"{what} says that it is entry {entry.number} of journal {entry.journal.hex()[:8]}")
        return entry

    def iterate(self, after: int, previous: bytes, *, ahead_to: int = 0) -> Iterator[tuple[Entry, bytes]]:
        """Yields (entry, its bytes) for each entry after number `after`, checking the chain of hashes.

        Args:
            after: the last number already known; 0 for none.
            previous: the hash of that entry's bytes; zeros for none.
            ahead_to: entries up to this number are known to be there, and are asked for several at a time.

        Raises:
            DamageError: an entry is damaged, or does not follow the one before it.
        """
        number = after
        for data in self._datas(after, ahead_to):
            number += 1
            entry = self.decode(data, number)
            if entry.previous != previous:
                raise DamageError(
                    f"the journal does not continue: entry {number} follows another entry {number - 1} than the one here",
                    hint="the history was rewritten or mixed with another copy's; nothing of it was taken over",
                )
            previous = journal_entry.entry_hash(data)
            yield entry, data

    def _datas(self, after: int, ahead_to: int) -> Iterator[bytes]:
        number = after
        for data in self._bundled(list(bundle.cover(after + 1, ahead_to))):
            number += 1
            yield data
        while number >= ahead_to and (more := self.read_bytes(number + 1)) is not None:
            number += 1
            yield more

    def _bundled(self, ranges: list[Range]) -> Iterator[bytes]:
        """Yields the entries of ranges, from bundles where there are any; ends early where one is missing."""
        read = map_in_order(self._read_range, ranges, workers=_READERS)
        for wanted, found in zip(ranges, read, strict=True):
            if found is None and wanted.level == 0:
                return
            there = found if found is not None else list(self._bundled(wanted.parts()))
            yield from there
            if len(there) < wanted.last - wanted.first + 1:
                return

    def _read_range(self, wanted: Range) -> list[bytes] | None:
        """Returns the entries of a range, or None when it is not bundled, or of level 0 and not there."""
        if wanted.level == 0:
            data = self.read_bytes(wanted.first)
            return None if data is None else [data]
        key = wanted.key(self.id, ENTRIES)
        try:
            found = bundle.decode(self.backend.read(key), key)
        except (KeyMissingError, DamageError):
            return None  # the entries themselves are there
        return found if len(found) == wanted.last - wanted.first + 1 else None

    def hash_of(self, number: int) -> bytes | None:
        """Returns the hash of an entry, zeros for number 0, or None when it does not exist."""
        if number == 0:
            return NO_PREDECESSOR
        data = self.read_bytes(number)
        return None if data is None else journal_entry.entry_hash(data)

    def highest(self, after: int = 0) -> int:
        """Returns the highest number that is there, whatever is missing below it; `after` when none above it is."""
        return max(self.numbers(after), default=after)

    def numbers(self, after: int = 0) -> set[int]:
        """Returns the numbers, above `after`, of all entries that are there."""
        above = journal_entry.key(self.id, after) if after else ""
        names = (key.rsplit("/", 1)[1] for key, _ in self.backend.keys(f"journal/{self.id.hex()}/", above))
        return {int(name) for name in names if name.isascii() and name.isdigit()}

    def holes(self) -> list[int]:
        """Returns the numbers missing below the highest entry: damage, for a journal has no holes."""
        there = self.numbers()
        return sorted(set(range(1, max(there, default=0) + 1)) - there)


    # -- several journals -------------------------------------------------------------------------------------------

    def adopted(self) -> tuple[Journal, int, bytes] | None:
        """Returns the journal whose first entries this one took over, with the number and hash of the last; mostly None."""
        if self._adopted is _UNREAD:
            first = self.read(1)
            if first is None:
                return None
            act = first.control
            takes_over = act is not None and act.kind == journal_entry.TAKEOVER
            self._adopted = (Journal(self.backend, act.journal), act.number, act.hash) if act and takes_over else None
        return self._adopted  # type: ignore[return-value]

    def lineage(self) -> list[tuple[Journal, int]]:
        """Returns the journals that this one continues, the oldest first, each with the number of the last entry that counts.

        Raises:
            DamageError: they go round in a circle, or there are more than anyone makes.
        """
        found: list[tuple[Journal, int]] = []
        above = self.adopted()
        while above is not None:
            found.insert(0, above[:2])
            if len(found) > _MOST_TAKEOVERS:
                raise DamageError(f"the journal {self.id.hex()[:8]} continues more than {_MOST_TAKEOVERS} others")
            above = above[0].adopted()
        return found

    def whole(self) -> Iterator[tuple[Journal, Entry, bytes]]:
        """Yields (journal, entry, its bytes) of everything that counts: what was taken over, then this journal.

        Raises:
            DamageError: an entry is damaged or missing, or does not follow the one before it.
        """
        for journal, end in self.lineage():
            yield from journal.up_to(end)
        for entry, data in self.iterate(0, NO_PREDECESSOR):
            yield self, entry, data

    def up_to(self, end: int) -> Iterator[tuple[Journal, Entry, bytes]]:
        """Yields (this journal, entry, its bytes) for the first `end` entries; DamageError when one is missing."""
        number = 0
        for entry, data in self.iterate(0, NO_PREDECESSOR):
            number = entry.number
            yield self, entry, data
            if number == end:
                return
        raise DamageError(f"the journal entry {number + 1} is missing", hint="'mlvc fsck --repair' takes it from a remote")


_UNREAD = object()
_MOST_TAKEOVERS = 1_000


class _End(Struct, frozen=True):
    """How a journal of several begins and ends."""

    journal: Journal
    adopts: bytes | None
    gives_way: bytes | None


def find(backend: Backend) -> Journal | None:
    """Returns the journal that is in force at a store, or None when it has none yet.

    A journal gives way to one that took it over, and to the one that its last entry names when it was joined to it.

    Raises:
        ConflictError: two took over the same journal, and neither was joined to the other yet.
        DamageError: the name of a journal is odd.
    """
    journals = [Journal(backend, _identifier(backend, name)) for name in backend.folders("journal/")]
    if len(journals) > 1:
        return _in_force(backend, journals)
    # A folder without entries was cut off before its genesis: it is none.
    return journals[0] if journals and any(True for _ in backend.keys(f"journal/{journals[0].id.hex()}/")) else None


def _identifier(backend: Backend, name: str) -> bytes:
    try:
        identifier = bytes.fromhex(name)
    except ValueError:
        identifier = b""
    if len(identifier) != NONCE_SIZE:
        raise DamageError(f"the store {backend.url} holds a journal with an odd name: {name}")
    return identifier


def _in_force(backend: Backend, journals: list[Journal]) -> Journal | None:
    ends = [end for journal in journals if (end := _end(journal)) is not None]
    beaten = {end.adopts for end in ends} | {end.journal.id for end in ends if end.gives_way is not None}
    left = {end.journal.id for end in ends} | {end.gives_way for end in ends if end.gives_way is not None}
    standing = [identifier for identifier in left if identifier not in beaten]
    if not standing:
        return None
    if len(standing) > 1:
        raise ConflictError(
            f"the store {backend.url} holds {len(standing)} journals that went on from one, and nothing says which is in force",
            hint="'mlvc remote join' joins one to the other",
        )
    return Journal(backend, standing[0])


def _end(journal: Journal) -> _End | None:
    highest = journal.highest()
    if not highest:
        return None
    above = journal.adopted()
    last = journal.read(highest)
    act = last.control if last is not None else None
    gives_way = act.journal if act is not None and act.kind == journal_entry.JOINED else None
    return _End(journal, above[0].id if above else None, gives_way)


def led_by(journal: Journal) -> tuple[bytes, str] | None:
    """Returns who leads a journal of which no entry is here yet: the one that others, joined to it, say so of; or None."""
    for name in journal.backend.folders("journal/"):
        other = Journal(journal.backend, _identifier(journal.backend, name))
        if other.id == journal.id or not (highest := other.highest()):
            continue
        last = other.read(highest)
        if last is not None and last.control is not None and last.control.journal == journal.id:
            return last.control.leader
    return None
