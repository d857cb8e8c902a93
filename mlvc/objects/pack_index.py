"""Which pack of a store holds what: a SQLite index, derived from the packs' footers and rebuilt from them.

A clone keeps one for its own packs and one for each remote that it fetches from. What it finds can be decoded: a slot that
is damaged, or a difference whose base is damaged or gone, counts as absent.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from mlvc.backend.interface import Backend, KeyMissingError
from mlvc.backend.local import LocalBackend
from mlvc.derived_database import DerivedDatabase
from mlvc.errors import DamageError
from mlvc.format.pack import PackClass, PackName, Slot
from mlvc.format.record import CHUNK_CODE
from mlvc.objects import pack_reader

_SCHEMA = """
CREATE TABLE pack (number INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, whole INTEGER NOT NULL);
CREATE TABLE slot (
    id BLOB NOT NULL, code INTEGER NOT NULL, pack INTEGER NOT NULL, offset INTEGER NOT NULL,
    stored_size INTEGER NOT NULL, size INTEGER NOT NULL, base BLOB, damaged INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (id, code, pack)
) WITHOUT ROWID;
CREATE INDEX difference ON slot (id) WHERE base IS NOT NULL;
CREATE TABLE unusable (name BLOB PRIMARY KEY, why TEXT NOT NULL);
CREATE TABLE scanned (folder TEXT PRIMARY KEY, modified_ns INTEGER NOT NULL);
CREATE TABLE losses (count INTEGER NOT NULL);
INSERT INTO losses VALUES (0);
CREATE TABLE whole (id BLOB PRIMARY KEY, losses INTEGER NOT NULL) WITHOUT ROWID
"""
_LAYOUT = 4

_RACY_NS = 1_000_000_000
"""A folder modified more recently than this may change again without its time of modification showing it."""


_SWEPT = "swept"
"""Why a pack that may still lie there is not indexed."""

_SOUND, _DAMAGED, _BASELESS = 0, 1, 2
"""What the column `damaged` says."""

_WHERE_ANY = "FROM slot JOIN pack ON pack = number WHERE id IN ({}) AND code = ? AND NOT damaged"
_MANY = 500
"""Ids asked for at once; SQLite takes at least 999 parameters."""


class Place(Struct, frozen=True):
    """Where a chunk or record lies."""

    pack: PackName
    slot: Slot


class PackIndexCache:
    """The slots of all packs of one store. Safe to use from several threads and processes."""

    def __init__(self, backend: Backend, path: Path) -> None:
        self._backend = backend
        self._database = DerivedDatabase(path, layout=_LAYOUT, schema=_SCHEMA)
        self._lock = threading.RLock()
        self._listed: set[PackName] | None = None

    def find(self, identifier: bytes, code: int) -> list[Place]:
        """Returns every known undamaged place of a chunk or record; it may be gone by now."""
        with self._lock:
            rows = self._database.execute(
                "SELECT name, offset, stored_size, size, base FROM slot JOIN pack ON pack = number "
                "WHERE id = ? AND code = ? AND NOT damaged",
                identifier,
                code,
            ).fetchall()
        return [
            Place(PackName.from_wire(name), Slot(identifier, code, offset, stored, size, base))
            for name, offset, stored, size, base in rows
        ]

    def find_any(self, identifiers: Sequence[bytes], code: int) -> dict[bytes, set[PackName]]:
        """Returns, for each of many ids that is known, the packs that hold it undamaged; see `find`."""
        found: dict[bytes, set[PackName]] = {}
        for identifier, name in self._rows("id, name", identifiers, code):
            found.setdefault(identifier, set()).add(name)
        return found

    def unknown(self, wanted: Iterable[tuple[bytes, int]]) -> list[tuple[bytes, int]]:
        """Returns those of many ids with their codes that no indexed pack holds undamaged."""
        by_code: dict[int, list[bytes]] = {}
        asked = dict.fromkeys(wanted)
        for identifier, code in asked:
            by_code.setdefault(code, []).append(identifier)
        known = {code: self.find_any(ids, code) for code, ids in by_code.items()}
        return [(identifier, code) for identifier, code in asked if identifier not in known[code]]

    def places(self, identifiers: Sequence[bytes], code: int) -> dict[bytes, Place]:
        """Returns one place for each of many ids that is known; one where it is stored by itself, if there is one."""
        found: dict[bytes, Place] = {}
        for identifier, offset, stored, size, base, name in self._rows("id, offset, stored_size, size, base, name", identifiers, code):
            before = found.get(identifier)
            if before is None or (base is None and before.slot.base is not None):
                found[identifier] = Place(name, Slot(identifier, code, offset, stored, size, base))
        return found

    def _rows(self, columns: str, identifiers: Sequence[bytes], code: int) -> Iterator[Any]:
        """Yields columns of the undamaged slots of many ids; the last column is the pack's name, parsed once a pack."""
        names: dict[bytes, PackName] = {}
        with self._lock:
            for at in range(0, len(identifiers), _MANY):
                some = identifiers[at : at + _MANY]
                sql = f"SELECT {columns} {_WHERE_ANY.format(','.join('?' * len(some)))}"
                for *row, name in self._database.execute(sql, *some, code):
                    if name not in names:
                        names[name] = PackName.from_wire(name)
                    yield (*row, names[name])

    def losses(self) -> int:
        """Returns how often anything indexed here went or was found damaged: while it stays, what was here is here."""
        with self._lock:
            (count,) = self._database.execute("SELECT count FROM losses").fetchone()
        return int(count)

    def remember_whole(self, identifier: bytes, losses: int) -> None:
        """Remembers that all of something was here, as of a value of `losses`."""
        with self._lock:
            self._database.execute("INSERT OR REPLACE INTO whole VALUES (?, ?)", identifier, losses)

    def is_whole(self, identifier: bytes) -> bool:
        """Tells whether all of something was here, and nothing was lost since."""
        with self._lock:
            sql = "SELECT 1 FROM whole WHERE id = ? AND losses = (SELECT count FROM losses)"
            return self._database.execute(sql, identifier).fetchone() is not None

    def _lose(self) -> None:
        self._database.execute("UPDATE losses SET count = count + 1")

    def with_bases(self, wanted: Iterable[tuple[bytes, int]]) -> set[tuple[bytes, int]]:
        """Returns ids with their codes, and the chunks without which those cannot be decoded, down to ones stored alone."""
        found = set(wanted)
        with self._lock:
            rows = self._database.execute(
                "SELECT id, base FROM slot WHERE base IS NOT NULL AND damaged = ? AND NOT EXISTS "
                "(SELECT 1 FROM slot AS plain WHERE plain.id = slot.id AND plain.code = slot.code "
                "AND plain.base IS NULL AND NOT plain.damaged)",
                _SOUND,
            ).fetchall()
        bases: dict[bytes, list[bytes]] = {}
        for identifier, base in rows:
            bases.setdefault(identifier, []).append(base)
        waiting = [identifier for identifier, code in found if code == CHUNK_CODE and identifier in bases]
        while waiting:
            for base in bases.get(waiting.pop(), ()):
                if (base, CHUNK_CODE) not in found:
                    found.add((base, CHUNK_CODE))
                    waiting.append(base)
        return found

    def packs(self) -> list[PackName]:
        """Returns the packs that are indexed, all of what they hold."""
        with self._lock:
            rows = self._database.execute("SELECT name FROM pack WHERE whole").fetchall()
        return [PackName.from_wire(name) for (name,) in rows]

    def _in_part(self) -> list[PackName]:
        rows = self._database.execute("SELECT name FROM pack WHERE NOT whole").fetchall()
        return [PackName.from_wire(name) for (name,) in rows]

    def count(self, name: PackName) -> int:
        """Returns how many slots of a pack are indexed."""
        with self._lock:
            sql = "SELECT COUNT(*) FROM slot WHERE pack = (SELECT number FROM pack WHERE name = ?)"
            (found,) = self._database.execute(sql, name.to_wire()).fetchone()
        return int(found)

    def unusable(self) -> dict[PackName, str]:
        """Returns the packs whose footer could not be read, and why."""
        with self._lock:
            rows = self._database.execute("SELECT name, why FROM unusable").fetchall()
        return {PackName.from_wire(name): why for name, why in rows if why != _SWEPT}

    def _left_out(self) -> set[PackName]:
        rows = self._database.execute("SELECT name FROM unusable WHERE why = ?", _SWEPT).fetchall()
        return {PackName.from_wire(name) for (name,) in rows}

    def slots(self, name: PackName) -> Iterator[Slot]:
        """Yields the undamaged slots of one indexed pack."""
        with self._lock:
            rows = self._database.execute(
                "SELECT id, code, offset, stored_size, size, base FROM slot WHERE NOT damaged AND pack = "
                "(SELECT number FROM pack WHERE name = ?)",
                name.to_wire(),
            ).fetchall()
        return (Slot(*row) for row in rows)

    def add(self, name: PackName, slots: Iterable[Slot]) -> None:
        """Indexes a pack that now bears its name."""
        self._add(name, slots, is_whole=True)

    def learn(self, name: PackName, slots: Iterable[Slot]) -> None:
        """Indexes some slots of a pack, of which more may be read later; nothing of one that was swept, or is not listed any more."""
        with self._lock:
            if name in self._left_out() or (self._listed is not None and name not in self._listed):
                return
        self._add(name, slots, is_whole=False)

    def _add(self, name: PackName, slots: Iterable[Slot], *, is_whole: bool) -> None:
        with self._lock, self._database.writing() as connection:
            connection.execute("INSERT OR IGNORE INTO pack (name, whole) VALUES (?, ?)", (name.to_wire(), is_whole))
            if is_whole:
                connection.execute("UPDATE pack SET whole = 1 WHERE name = ?", (name.to_wire(),))
            connection.execute("DELETE FROM unusable WHERE name = ?", (name.to_wire(),))
            (number,) = connection.execute("SELECT number FROM pack WHERE name = ?", (name.to_wire(),)).fetchone()
            connection.executemany(
                "INSERT OR IGNORE INTO slot (id, code, pack, offset, stored_size, size, base) VALUES (?,?,?,?,?,?,?)",
                ((s.id, s.code, number, s.offset, s.stored_size, s.size, s.base) for s in slots),
            )

    def leave_out(self, names: Iterable[PackName]) -> None:
        """Makes packs count as not there, now and when they are found again: they were swept, and will be deleted."""
        with self._lock:
            known = {*self.packs(), *self._in_part()}
            left_out = self._left_out()
            going = [name for name in names if name in known or name not in left_out]
            if not going:
                return
            self.remove(name for name in going if name in known)
            for name in going:
                self._database.execute("INSERT OR REPLACE INTO unusable VALUES (?, ?)", name.to_wire(), _SWEPT)

    def remove(self, names: Iterable[PackName]) -> None:
        """Forgets packs that are gone."""
        with self._lock, self._database.writing() as connection:
            for name in names:
                connection.execute(
                    "DELETE FROM slot WHERE pack = (SELECT number FROM pack WHERE name = ?)", (name.to_wire(),)
                )
                connection.execute("DELETE FROM pack WHERE name = ?", (name.to_wire(),))
                connection.execute("DELETE FROM unusable WHERE name = ?", (name.to_wire(),))
                self._lose()
            self._leave_out_baseless()

    def _leave_out_baseless(self) -> None:
        """Makes differences whose base cannot be decoded count as absent, and those whose base came back count again."""
        if self._database.execute("SELECT 1 FROM slot WHERE base IS NOT NULL LIMIT 1").fetchone() is None:
            return
        self._database.execute("UPDATE slot SET damaged = ? WHERE base IS NOT NULL AND damaged = ?", _SOUND, _BASELESS)
        while self._database.execute(
            "UPDATE slot SET damaged = ? WHERE base IS NOT NULL AND damaged = ? AND NOT EXISTS "
            "(SELECT 1 FROM slot AS other WHERE other.id = slot.base AND other.code = ? AND other.damaged = ?)",
            _BASELESS,
            _SOUND,
            CHUNK_CODE,
            _SOUND,
        ).rowcount:
            continue

    def mark_damaged(self, place: Place) -> None:
        """Makes a damaged slot count as absent, so that adding its content again heals it (RULES F3)."""
        with self._lock:
            self._database.execute(
                "UPDATE slot SET damaged = 1 WHERE id = ? AND code = ? AND pack = (SELECT number FROM pack WHERE name = ?)",
                place.slot.id,
                place.slot.code,
                place.pack.to_wire(),
            )
            self._lose()
            self._leave_out_baseless()

    def trust(self, name: PackName) -> None:
        """Forgets what was marked damaged in a pack, before it is proven anew."""
        with self._lock:
            self._database.execute(
                "UPDATE slot SET damaged = 0 WHERE pack = (SELECT number FROM pack WHERE name = ?)", name.to_wire()
            )
            self._leave_out_baseless()

    def ensure_built(self) -> None:
        """Builds the index if it is new.

        Every writer indexes its own packs, so a built index lacks at most what a crashed process or another host put
        there; not knowing of it costs a commit some space, and a reader who misses something calls `refresh`.
        """
        with self._lock:
            if self._database.execute("SELECT 1 FROM scanned LIMIT 1").fetchone() is None:
                self.refresh()

    def refresh(self, *, force: bool = False, read: bool = True) -> None:
        """Brings the index in line with the packs that are there, if their folders changed since the last time.

        Args:
            force: also where nothing seems to have changed.
            read: whether to read what packs that are new here hold; else only those that are gone are forgotten.
        """
        with self._lock:
            self._database.filling(lambda: self._refresh(force=force, read=read))

    def _refresh(self, *, force: bool, read: bool) -> None:
        before = dict(self._database.execute("SELECT folder, modified_ns FROM scanned").fetchall())
        now = {c.folder: self._modified_ns(c) for c in PackClass}
        if before == now and not force:
            return
        known = set(self.packs())
        left_out = self._left_out()
        bad = set() if force else set(self.unusable())
        there = {name: size for key, size in self._backend.keys("packs/") if (name := PackName.from_key(key))}
        self._listed = set(there)
        for name, size in there.items() if read else ():
            if name in known or name in bad or name in left_out:
                continue
            try:
                self.add(name, pack_reader.read_index(self._backend, name, size))
            except KeyMissingError:
                continue
            except DamageError as error:
                self._database.execute("INSERT OR REPLACE INTO unusable VALUES (?, ?)", name.to_wire(), str(error))
        self.remove((known | bad | set(self._in_part())) - there.keys())
        if not read:
            return
        fresh_ns = time.time_ns() - _RACY_NS
        for folder, modified_ns in now.items():
            if modified_ns > fresh_ns:  # what comes in the same tick of the clock would leave no trace
                modified_ns = -1  # noqa: PLW2901
            self._database.execute("INSERT OR REPLACE INTO scanned VALUES (?, ?)", folder, modified_ns)

    def _modified_ns(self, pack_class: PackClass) -> int:
        """Returns what changes with a local folder of packs; the clock for a remote one, which is listed each time."""
        if not isinstance(self._backend, LocalBackend):
            return time.time_ns()
        try:
            return self._backend.path(f"packs/{pack_class.folder}").stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def discard(self) -> None:
        """Throws the index away; the next `refresh` makes it anew from the packs."""
        with self._lock:
            self._database.discard()

    def close(self) -> None:
        """Closes the database."""
        with self._lock:
            self._database.close()
