"""The view on disk: what journal and pending transactions fold to, kept in SQLite and caught up when asked.

It stores the number and hash of the entry it stands at, and is made anew when that entry is not on disk. What comes in
rolls the pending changes back, folds, and folds them again; or only relabels, when the next confirmed transaction is the
first pending one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgpack
from msgspec import Struct
from msgspec.structs import replace

from mlvc.derived_database import DerivedDatabase
from mlvc.errors import DamageError, NewerFormatError
from mlvc.fold.folding import arrival_of, fold
from mlvc.fold.look import Change, Changes, DictView, Look, Value
from mlvc.fold.questions import View
from mlvc.fold.sweeping import fold_act
from mlvc.format import transaction
from mlvc.format.ids import TransactionId
from mlvc.format.journal_entry import NO_PREDECESSOR, Entry, entry_hash
from mlvc.format.signature import NoTransactionError
from mlvc.format.transaction import Envelope
from mlvc.journal import entries
from mlvc.journal.entries import Journal
from mlvc.journal.pending import PendingFolder

_SCHEMA = """
CREATE TABLE view (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE state (name TEXT PRIMARY KEY, value BLOB);
CREATE TABLE unconfirmed (number INTEGER PRIMARY KEY, id BLOB NOT NULL, changes BLOB NOT NULL);
CREATE TABLE confirmed (id BLOB PRIMARY KEY, entry INTEGER NOT NULL) WITHOUT ROWID
"""
_LAYOUT = 4
_PAGE = 128
_MOST_IN_BULK = 400_000
"""Keys of a view that are folded in memory before they are written: some 100 MiB."""
_AFTER_PREFIX = b"\x04"
_MOST_REMEMBERED = 20_000
"""Values that one look at everything keeps: some 20 MB."""


class Standing(Struct, frozen=True):
    """Where a view stands.

    Attributes:
        journal: id of the journal, or None before there is one.
        number, hash: of the last entry folded.
        authority: id and URL of the store that takes new entries, or None before there is a journal.
        confirmed: how many arrivals are confirmed.
        stopped: why folding stopped before the end, or None.
    """

    journal: bytes | None = None
    number: int = 0
    hash: bytes = NO_PREDECESSOR
    authority: tuple[bytes, str] | None = None
    confirmed: int = 0
    stopped: str | None = None


class _SqliteLook:
    """A `Look` into the view's table."""

    def __init__(self, database: DerivedDatabase) -> None:
        self._database = database

    def get(self, at: bytes) -> Value | None:
        row = self._database.execute("SELECT value FROM view WHERE key = ?", at).fetchone()
        return None if row is None else msgpack.unpackb(row[0], strict_map_key=False)

    def scan(self, prefix: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, Value]]:
        low, high = prefix, prefix + _AFTER_PREFIX
        order = "DESC" if reverse else "ASC"
        sql = f"SELECT key, value FROM view WHERE key >= ? AND key < ? ORDER BY key {order} LIMIT {_PAGE}"  # noqa: S608
        while True:
            rows = self._database.execute(sql, low, high).fetchall()
            for at, value in rows:
                yield bytes(at), msgpack.unpackb(value, strict_map_key=False)
            if len(rows) < _PAGE:
                return
            if reverse:
                high = rows[-1][0]
            else:
                low = rows[-1][0] + b"\x00"


class _Remembering:
    """A `Look` that does not change meanwhile, and is asked the same again and again: which transaction a fact belongs to, above all."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._known: dict[bytes, Value | None] = {}

    def get(self, at: bytes) -> Value | None:
        if at in self._known:
            return self._known[at]
        found = self._look.get(at)
        if len(self._known) < _MOST_REMEMBERED:
            self._known[at] = found
        return found

    def scan(self, prefix: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, Value]]:
        return self._look.scan(prefix, reverse=reverse)


class CachedView:
    """The view of one store. Every method may be called from several processes at once; one writes at a time."""

    def __init__(self, path: Path) -> None:
        self._database = DerivedDatabase(path, layout=_LAYOUT, schema=_SCHEMA)
        self._look = _SqliteLook(self._database)
        self._bulk: DictView | None = None
        self._lock = threading.RLock()

    def standing(self) -> Standing:
        """Returns where the view stands."""
        rows = dict(self._database.execute("SELECT name, value FROM state").fetchall())
        values = {name: msgpack.unpackb(value) for name, value in rows.items()}
        if values.get("authority") is not None:
            values["authority"] = tuple(values["authority"])
        return Standing(**values)

    def _put_standing(self, standing: Standing) -> None:
        for name in Standing.__struct_fields__:
            self._database.execute(
                "INSERT OR REPLACE INTO state VALUES (?, ?)", name, msgpack.packb(getattr(standing, name))
            )

    def view(self) -> View:
        """Returns the view as it stands; `refresh` first to catch up."""
        return View(self._look, self.standing().confirmed)

    @contextmanager
    def reading(self) -> Iterator[View]:
        """One consistent view for several questions, whatever other processes fold meanwhile; of no use after the block."""
        with self._lock:
            connection = self._database.connection
            if connection.in_transaction:
                yield self.view()
                return
            connection.execute("BEGIN")
            try:
                yield View(_Remembering(self._look), self.standing().confirmed)
            finally:
                connection.execute("COMMIT")

    def entry_of(self, identifier: TransactionId) -> int | None:
        """Returns the number of the entry that confirmed a transaction, or None while it is pending or unknown."""
        row = self._database.execute("SELECT entry FROM confirmed WHERE id = ?", identifier).fetchone()
        return None if row is None else int(row[0])

    def unconfirmed(self) -> list[TransactionId]:
        """Returns the pending transactions that the view has folded, in fold order."""
        rows = self._database.execute("SELECT id FROM unconfirmed ORDER BY number").fetchall()
        return [TransactionId(identifier) for (identifier,) in rows]

    def refresh(self, journal: Journal | None, pending: PendingFolder) -> None:
        """Catches up with journal and pending transactions; not inside of `reading`, whose view is to stay as it is.

        Raises:
            DamageError: an entry or a pending transaction is not what was written.
        """
        with self._lock:
            if not self._database.connection.in_transaction:
                self._database.filling(lambda: self._be_current(journal, pending))

    def _be_current(self, journal: Journal | None, pending: PendingFolder) -> None:
        if not self._is_current(journal, pending):
            self._catch_up(journal, pending)

    def _catch_up(self, journal: Journal | None, pending: PendingFolder) -> None:
        with self._database.writing():
            # Before the entries: what moves from here to the journal meanwhile is then seen in both, never in neither.
            waiting = pending.in_order()
            standing = replace(self.standing(), stopped=None)  # what stopped it may be gone, or known by now
            if not self._stands_on(standing, journal):
                self._start_over()
                standing = Standing(journal=journal.id if journal else None)
            elif standing.journal is None and journal is not None:
                standing = replace(standing, journal=journal.id)
            if journal is not None and standing.number == 0 and standing.authority is None:
                standing = replace(standing, authority=entries.led_by(journal))
            if journal is not None and standing.number == 0 and (holes := journal.holes()):
                raise DamageError(
                    f"the journal entry {holes[0]} is missing, later ones are here",
                    hint="'mlvc fsck --repair' takes it from a remote",
                )
            if journal is not None:
                standing = self._fold_entries(standing, journal)
            if standing.stopped is None:
                standing = self._fold_pending(standing, waiting)
            self._put_standing(standing)

    def _is_current(self, journal: Journal | None, pending: PendingFolder) -> bool:
        standing = self.standing()
        return (
            standing.journal == (journal.id if journal else None)
            and self._stands_on(standing, journal)
            and standing.stopped is None
            and (journal is None or journal.read_bytes(standing.number + 1) is None)
            and set(self.unconfirmed()) == pending.ids()
        )

    @staticmethod
    def _stands_on(standing: Standing, journal: Journal | None) -> bool:
        if standing.journal is None:
            return True
        if journal is None or standing.journal != journal.id:
            return False
        return standing.number == 0 or journal.hash_of(standing.number) == standing.hash

    def _start_over(self) -> None:
        for table in ("view", "state", "unconfirmed", "confirmed"):
            self._database.execute(f"DELETE FROM {table}")  # noqa: S608

    def _fold_entries(self, standing: Standing, journal: Journal) -> Standing:
        """Folds the entries after where the view stands; what a newer mlvc wrote stops it there, visibly."""
        if standing.number == 0:
            self._roll_back_pending()  # so that there is nothing yet
            self._bulk = DictView()  # a fold from nothing asks a hundred questions a transaction, all about what it just said
        try:
            fresh = journal.whole() if standing.number == 0 else _from(journal, standing)
            for where, entry, data in fresh:
                authority = standing.authority
                if entry.control is not None and entry.control.leader is not None:
                    authority = entry.control.leader
                confirmed = self._fold_entry(entry, standing.confirmed)
                if entry.control is not None and (acted := fold_act(entry.control, self._seen)):
                    self._roll_back_pending()
                    self._apply(acted)
                if where is journal:
                    standing = Standing(journal.id, entry.number, entry_hash(data), authority, confirmed)
                else:
                    standing = replace(standing, authority=authority, confirmed=confirmed)
                if self._bulk is not None and len(self._bulk) > _MOST_IN_BULK:
                    self._end_bulk()
        except NewerFormatError as error:
            self._end_bulk()
            self._roll_back_pending()
            return replace(standing, stopped=f"{error.message} (in journal entry {standing.number + 1})")
        except BaseException:
            self._bulk = None  # nothing of it was written
            raise
        self._end_bulk()
        return standing

    def _end_bulk(self) -> None:
        """Writes what was folded in memory, in the order of keys."""
        bulk, self._bulk = self._bulk, None
        if bulk is not None:
            rows = sorted(bulk.snapshot().items())
            self._database.connection.executemany("INSERT OR REPLACE INTO view VALUES (?, ?)", rows)

    def _fold_entry(self, entry: Entry, confirmed: int) -> int:
        """Folds all of an entry; NewerFormatError, raised before any of it is folded, when some of it is not known."""
        decoded = [transaction.decode(envelope.data) for envelope in entry.envelopes]
        for envelope, said in zip(entry.envelopes, decoded, strict=True):
            identifier = envelope.id
            if self.entry_of(identifier) is not None:
                continue
            try:
                arrival = arrival_of(envelope, said)
            except NoTransactionError:
                continue  # a copy without its signature; the whole one may come yet
            first = self._database.execute("SELECT number, id FROM unconfirmed ORDER BY number LIMIT 1").fetchone()
            if first is not None and first[1] == identifier:
                self._database.execute("DELETE FROM unconfirmed WHERE number = ?", first[0])  # only its label changes
            else:
                if first is not None:
                    self._roll_back_pending()
                self._apply(fold(arrival, self._seen))
            confirmed += 1
            self._database.execute("INSERT INTO confirmed VALUES (?, ?)", identifier, entry.number)
        return confirmed

    def _fold_pending(self, standing: Standing, waiting: list[Envelope]) -> Standing:
        have = self.unconfirmed()
        wanted = [e for e in waiting if self.entry_of(e.id) is None]
        if [e.id for e in wanted[: len(have)]] != have:
            self._roll_back_pending()
            have = []
        for envelope in wanted[len(have) :]:
            try:
                changes = fold(arrival_of(envelope), self._look)
            except NoTransactionError:
                continue
            except NewerFormatError as error:
                return replace(standing, stopped=f"{error.message} (in the pending transaction {envelope.id.hex()[:12]})")
            self._apply(changes)
            self._database.execute("INSERT INTO unconfirmed (id, changes) VALUES (?, ?)", envelope.id, _pack(changes))
        return standing

    def _roll_back_pending(self) -> None:
        rows = self._database.execute("SELECT changes FROM unconfirmed ORDER BY number DESC").fetchall()
        for (packed,) in rows:
            self._apply(tuple(Change(c.key, c.new, c.old) for c in _unpack(packed)))
        self._database.execute("DELETE FROM unconfirmed")

    @property
    def _seen(self) -> Look:
        return self._look if self._bulk is None else self._bulk

    def _apply(self, changes: Changes) -> None:
        if self._bulk is not None:
            self._bulk.apply(changes)
            return
        connection = self._database.connection
        connection.executemany(
            "INSERT OR REPLACE INTO view VALUES (?, ?)",
            ((c.key, msgpack.packb(c.new)) for c in changes if c.new is not None),
        )
        connection.executemany("DELETE FROM view WHERE key = ?", ((c.key,) for c in changes if c.new is None))

    def contents(self) -> dict[bytes, bytes]:
        """Returns the whole view, for checking it against a fresh fold."""
        return {bytes(k): bytes(v) for k, v in self._database.execute("SELECT key, value FROM view").fetchall()}

    def discard(self) -> None:
        """Throws the view away; the next `refresh` folds everything anew."""
        self._database.discard()

    def close(self) -> None:
        """Closes the database."""
        self._database.close()


def _from(journal: Journal, standing: Standing) -> Iterator[tuple[Journal, Entry, bytes]]:
    for entry, data in journal.iterate(standing.number, standing.hash):
        yield journal, entry, data


def _pack(changes: Changes) -> bytes:
    packed: bytes = msgpack.packb([[c.key, c.old, c.new] for c in changes])
    return packed


def _unpack(packed: bytes) -> Changes:
    rows: list[list[Any]] = msgpack.unpackb(packed, strict_map_key=False)
    return tuple(Change(key, old, new) for key, old, new in rows)
