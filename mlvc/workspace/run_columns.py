"""The cells of all runs, kept by column: a hundred thousand runs are filtered and sorted by reading only what is asked about.

A derived file, caught up with the view by what the fold notes of each run that changed. Runs under way, and what is not
confirmed yet, are never written into it: they are described anew each time, and take the place of what the file has of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgpack
from msgspec import Struct

from mlvc.derived_database import DerivedDatabase
from mlvc.fold.questions import View
from mlvc.format.ids import RunId
from mlvc.journal.cached_view import Standing
from mlvc.runs import live_run
from mlvc.workspace import run_cells, run_questions
from mlvc.workspace.run_cells import Cell
from mlvc.workspace.workspace import Workspace

_SCHEMA = """
CREATE TABLE block (name TEXT NOT NULL, number INTEGER NOT NULL, cells BLOB NOT NULL, PRIMARY KEY (name, number));
CREATE INDEX block_number ON block (number);
CREATE TABLE place (run BLOB PRIMARY KEY, place INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE late (run BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE state (name TEXT PRIMARY KEY, value BLOB)
"""
_LAYOUT = 1
_BLOCK = 1_024
"""Runs in one row of the file: of one column, some 10 kB."""

_AT_ONCE = 8 * _BLOCK
"""Runs that are described before they are written: some 30 MB."""

_ID = ""
"""The column that holds the runs' ids; no cell is called so."""

FILE_NAME = "runs.sqlite"


class Caught(Struct, frozen=True):
    """Which journal the file follows, the entry it has seen, and how many positions of fold order."""

    journal: bytes | None = None
    number: int = 0
    hash: bytes = b""
    positions: int = 0


class RunColumns:
    """The columns of one workspace's runs, as of one view.

    Attributes:
        workspace: whose runs.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._database = DerivedDatabase(path_of(workspace), layout=_LAYOUT, schema=_SCHEMA)
        self._fresh: dict[RunId, dict[str, Cell]] = {}
        self._masked: list[int] = []
        self._count = 0

    def catch_up(self, view: View) -> None:
        """Brings the columns to what a view says; inside of the repository's `reading`, and again whenever the view may be another.

        All or nothing, when killed in between. Several processes may do it at once.
        """
        confirmed = view.confirmed_positions()
        self._database.filling(lambda: self._write(view, confirmed))
        self._describe_what_moves(view, confirmed)
        self._count = int(self._database.execute("SELECT COALESCE(MAX(place) + 1, 0) FROM place").fetchone()[0])

    def _write(self, view: View, confirmed: int) -> None:
        standing = self.workspace.repository.cached_view.standing()
        wanted = Caught(standing.journal, standing.number, standing.hash, confirmed)
        if self._caught() == wanted:
            return
        with self._database.writing() as connection:
            caught = self._caught()
            if not self._stands_on(caught, standing):
                for table in ("block", "place", "late", "state"):
                    connection.execute(f"DELETE FROM {table}")  # noqa: S608
                caught = Caught()
            if caught.number > standing.number:
                return  # another process has seen more
            late: dict[RunId, None] = {}
            changed: dict[RunId, None] = {}
            for position, run in view.changed_runs(caught.positions):
                (late if position >= confirmed else changed)[run] = None
            was_late = [RunId(run) for (run,) in self._database.execute("SELECT run FROM late").fetchall()]
            changed = dict.fromkeys([*reversed(changed), *was_late])
            for some in _by(_AT_ONCE, [run for run in changed if run not in late]):
                self._put({run: self._sealed(view, run) for run in some})
            connection.execute("DELETE FROM late")  # what the view says of those holds unconfirmed changes
            connection.executemany("INSERT INTO late VALUES (?)", ((run,) for run in changed if run in late))
            rows = ((name, msgpack.packb(getattr(wanted, name))) for name in Caught.__struct_fields__)
            connection.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", rows)

    def _sealed(self, view: View, run: RunId) -> dict[str, Cell] | None:
        found = run_questions.sealed(self.workspace, view, run)
        return None if found is None else run_cells.of(found)

    def _caught(self) -> Caught:
        found = dict(self._database.execute("SELECT name, value FROM state").fetchall())
        return Caught(**{name: msgpack.unpackb(value) for name, value in found.items()})

    def _stands_on(self, caught: Caught, standing: Standing) -> bool:
        if caught.number == 0 or caught.journal != standing.journal:
            return caught.positions == 0
        journal = self.workspace.repository.journal()
        return journal is not None and (caught.number > standing.number or journal.hash_of(caught.number) == caught.hash)

    def _put(self, described: Mapping[RunId, Mapping[str, Cell] | None]) -> None:
        """Writes what runs have now; None is written over those that are gone."""
        places = self._places(described)
        free = int(self._database.execute("SELECT COALESCE(MAX(place) + 1, 0) FROM place").fetchone()[0])
        blocks: dict[int, dict[int, tuple[RunId, Mapping[str, Cell] | None]]] = {}
        for run, cells in described.items():
            if run not in places and cells is not None:
                self._database.execute("INSERT INTO place VALUES (?, ?)", run, free)
                places[run], free = free, free + 1
            if run in places:
                blocks.setdefault(places[run] // _BLOCK, {})[places[run] % _BLOCK] = (run, cells)
        for number, rows in blocks.items():
            self._put_block(number, rows)

    def _places(self, runs: Iterable[RunId]) -> dict[RunId, int]:
        found: dict[RunId, int] = {}
        for run in runs:
            row = self._database.execute("SELECT place FROM place WHERE run = ?", run).fetchone()
            if row is not None:
                found[run] = int(row[0])
        return found

    def _put_block(self, number: int, rows: Mapping[int, tuple[RunId, Mapping[str, Cell] | None]]) -> None:
        held = self._database.execute("SELECT name, cells FROM block WHERE number = ?", number).fetchall()
        columns: dict[str, dict[int, Any]] = {name: dict(zip(*_unpacked(cells), strict=True)) for name, cells in held}
        before = {name: dict(column) for name, column in columns.items()}
        for slot, (run, cells) in rows.items():
            for column in columns.values():
                column.pop(slot, None)
            if cells is not None:
                columns.setdefault(_ID, {})[slot] = run
                for name, value in cells.items():
                    columns.setdefault(name, {})[slot] = value
        for name, column in columns.items():
            if not column:
                self._database.execute("DELETE FROM block WHERE name = ? AND number = ?", _stored(name), number)
            elif column != before.get(name):
                self._database.execute("INSERT OR REPLACE INTO block VALUES (?, ?, ?)", _stored(name), number, _packed(column))

    def _describe_what_moves(self, view: View, confirmed: int) -> None:
        """Describes runs under way, and those that unconfirmed changes are about; the newest last."""
        moving = dict.fromkeys(run for _, run in view.changed_runs(confirmed))
        runs = [*reversed(moving), *(one.id for one in live_run.list_live(self.workspace.runs_folder))]
        self._fresh = {}
        for run in dict.fromkeys(runs):
            found = run_questions.find(self.workspace, view, run)
            if found is not None:
                self._fresh[run] = run_cells.of(found)
        self._masked = list(self._places(dict.fromkeys(runs)).values())

    # -- asking -----------------------------------------------------------------------------------------------------

    def names(self) -> list[str]:
        """Returns the names of all columns, sorted."""
        held = {name for (name,) in self._database.execute("SELECT DISTINCT name FROM block")}
        return sorted((held | {name for cells in self._fresh.values() for name in cells}) - {_ID})

    def column(self, name: str) -> list[Any]:
        """Returns what each run has under a name, None where it has nothing: by place, older ones first."""
        return self._kept(name) + [cells.get(name) for cells in self._fresh.values()]

    def ids(self) -> list[RunId | None]:
        """Returns the run at each place; None where one was deleted, or has another place now."""
        return self._kept(_ID) + list(self._fresh)

    def _kept(self, name: str) -> list[Any]:
        values: list[Any] = [None] * self._count
        for number, cells in self._database.execute("SELECT number, cells FROM block WHERE name = ?", _stored(name)):
            start = number * _BLOCK
            slots, held = _unpacked(cells)
            if len(slots) == slots[-1] + 1:  # a column that all have
                values[start : start + len(held)] = held
                continue
            for slot, value in zip(slots, held, strict=True):
                values[start + slot] = value
        del values[self._count :]
        for place in self._masked:
            values[place] = None
        return values

    def close(self) -> None:
        """Closes the file."""
        self._database.close()


def path_of(workspace: Workspace) -> Path:
    """Returns where a workspace's columns are."""
    return workspace.repository.path / "cache" / FILE_NAME


def _stored(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()  # half a surrogate pair is no text to SQLite


def _by(count: int, runs: list[RunId]) -> Iterator[list[RunId]]:
    return (runs[start : start + count] for start in range(0, len(runs), count))


def _packed(column: Mapping[int, Any]) -> bytes:
    slots = sorted(column)
    packed: bytes = msgpack.packb([slots, [_storable(column[slot]) for slot in slots]], unicode_errors="surrogatepass")
    return packed


def _storable(value: Any) -> Any:
    if isinstance(value, list):
        return [_storable(one) for one in value]
    return str(value) if isinstance(value, int) and not -(1 << 63) <= value < 1 << 64 else value  # more than MessagePack holds


def _unpacked(cells: bytes) -> tuple[list[int], list[Any]]:
    slots, values = msgpack.unpackb(cells, unicode_errors="surrogatepass")
    return slots, values
