"""A journal on a backend: entries read in order, each proven by the hash that the next one holds."""

from __future__ import annotations

from collections.abc import Iterator

from mlvc.backend.interface import Backend, KeyMissingError
from mlvc.errors import DamageError
from mlvc.format import journal_entry
from mlvc.format.ids import NONCE_SIZE
from mlvc.format.journal_entry import NO_PREDECESSOR, Entry
from mlvc.parallel import map_in_order

_READERS = 16
"""Entries asked for at once: a far store answers each after tens of milliseconds."""


class Journal:
    """One journal, by its id, on one backend."""

    def __init__(self, backend: Backend, identifier: bytes) -> None:
        self.backend = backend
        self.id = identifier

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
        for data in map_in_order(self.read_bytes, range(after + 1, ahead_to + 1), workers=_READERS):
            if data is None:
                return
            number += 1
            yield data
        while (data := self.read_bytes(number + 1)) is not None:
            number += 1
            yield data

    def hash_of(self, number: int) -> bytes | None:
        """Returns the hash of an entry, zeros for number 0, or None when it does not exist."""
        if number == 0:
            return NO_PREDECESSOR
        data = self.read_bytes(number)
        return None if data is None else journal_entry.entry_hash(data)

    def highest(self) -> int:
        """Returns the highest number that is there, whatever is missing below it; 0 when there is none."""
        return max(self.numbers(), default=0)

    def numbers(self) -> set[int]:
        """Returns the numbers of all entries that are there."""
        names = (key.rsplit("/", 1)[1] for key, _ in self.backend.keys(f"journal/{self.id.hex()}/"))
        return {int(name) for name in names if name.isascii() and name.isdigit()}

    def holes(self) -> list[int]:
        """Returns the numbers missing below the highest entry: damage, for a journal has no holes."""
        there = self.numbers()
        return sorted(set(range(1, max(there, default=0) + 1)) - there)


def find(backend: Backend) -> Journal | None:
    """Returns the journal of a store, or None when it has none yet.

    Raises:
        DamageError: there are several, and nothing that says which one is in force.
    """
    # A folder without entries was cut off before its genesis, or its journal gave way to another: it is none.
    identifiers = [name for name in backend.folders("journal/") if any(True for _ in backend.keys(f"journal/{name}/"))]
    if not identifiers:
        return None
    if len(identifiers) > 1:
        raise DamageError(f"the store {backend.url} holds {len(identifiers)} journals, expected one", hint="a newer mlvc joins journals")
    try:
        identifier = bytes.fromhex(identifiers[0])
    except ValueError:
        identifier = b""
    if len(identifier) != NONCE_SIZE:
        raise DamageError(f"the store {backend.url} holds a journal with an odd name: {identifiers[0]}")
    return Journal(backend, identifier)
