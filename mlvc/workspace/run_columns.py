"""The cells of all runs, kept by column: a hundred thousand runs are filtered and sorted by reading only what is asked about.

A derived file, caught up with the view by what the fold notes of each run that changed. Runs under way, and those that
unconfirmed transactions are about, are never written into it: they are described anew each time, and laid over what the file has of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
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
"""Runs in one row of the file: of one column, some 10 kB. So many are described before they are written."""

_ID, _ORDER = "", "order"
"""Columns that hold runs' ids and their places in fold order; no cell is called so."""

_UNDER_WAY = 1 << 62
"""Above every place in fold order: runs under way are the newest."""

ID, IS_LIVE = "id", "is_live"
"""Columns that can be asked for without being kept."""

_FILE_NAME = "runs.sqlite"


class Caught(Struct, frozen=True):
    """Which journal the file follows, the entry it has seen, and how many positions of fold order."""

    journal: bytes | None = None
    number: int = 0
    hash: bytes = b""
    positions: int = 0


class Anew(Struct, frozen=True):
    """A run that was described just now: what it has, None when it is gone, and where it stands in the order of runs."""

    cells: Mapping[str, Cell] | None
    order: int
    is_live: bool


class Columns:
    """All runs at one moment, by column. Each has a place, in no order; what was deleted keeps an empty one."""

    def __init__(self, database: DerivedDatabase, anew: Mapping[RunId, Anew]) -> None:
        self._database = database
        self._count = int(database.execute("SELECT COALESCE(MAX(place) + 1, 0) FROM place").fetchone()[0])
        known = _places(database, anew)
        self._over = {known[run]: (run, one) for run, one in anew.items() if run in known}
        self._added = [(run, one) for run, one in anew.items() if run not in known and one.cells is not None]

    def names(self) -> list[str]:
        """Returns the names of all columns, sorted."""
        held = {name for (name,) in self._database.execute("SELECT DISTINCT name FROM block")}
        added = {name for _, one in [*self._over.values(), *self._added] for name in one.cells or ()}
        return sorted((held | added) - {_ID, _ORDER})

    def column(self, name: str) -> list[Any]:
        """Returns what each run has under a name, by place; None where it has nothing."""
        if name == ID:
            return [None if run is None else run.hex() for run in self.ids()]
        if name == IS_LIVE:
            return [None if run is None else place in self._live for place, run in enumerate(self.ids())]
        return self._laid_over(self._kept(name), lambda _, one: None if one.cells is None else one.cells.get(name))

    def ids(self) -> list[RunId | None]:
        """Returns the run at each place; None where there is none any more."""
        return self._laid_over(self._kept(_ID), lambda run, one: None if one.cells is None else run)

    def newest_first(self) -> list[int]:
        """Returns the places of all runs, the newest first."""
        order = self._laid_over(self._kept(_ORDER), lambda _, one: None if one.cells is None else one.order)
        return sorted((place for place, one in enumerate(order) if one is not None), key=order.__getitem__, reverse=True)

    @property
    def _live(self) -> set[int]:
        added = (self._count + number for number, (_, one) in enumerate(self._added) if one.is_live)
        return {*(place for place, (_, one) in self._over.items() if one.is_live), *added}

    def _laid_over(self, values: list[Any], value: Any) -> list[Any]:
        for place, (run, one) in self._over.items():
            values[place] = value(run, one)
        return values + [value(run, one) for run, one in self._added]

    def _kept(self, name: str) -> list[Any]:
        values: list[Any] = [None] * self._count
        for number, cells in self._database.execute("SELECT number, cells FROM block WHERE name = ?", name):
            start = number * _BLOCK
            slots, held = msgpack.unpackb(cells)
            if len(slots) == slots[-1] + 1:  # a column that all have
                values[start : start + len(held)] = held
                continue
            for slot, value in zip(slots, held, strict=True):
                values[start + slot] = value
        return values


class RunColumns:
    """Keeps the columns of one workspace's runs. One thread at a time.

    Attributes:
        workspace: whose runs.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._database = DerivedDatabase(path_of(workspace), layout=_LAYOUT, schema=_SCHEMA)

    @contextmanager
    def caught_up(self, view: View) -> Iterator[Columns]:
        """The columns as a view has them, for the length of a block inside of the repository's `reading`, whatever other processes write.

        Catching up is all or nothing, when killed in between. Where another process has seen more, the columns have more than the view.
        """
        confirmed = view.confirmed_positions()
        self._database.filling(lambda: self._write(view, confirmed))
        connection = self._database.connection
        connection.execute("BEGIN")
        try:
            yield Columns(self._database, self._described_anew(view, confirmed))
        finally:
            connection.execute("COMMIT")

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
            for some in _by(_BLOCK, [run for run in changed if run not in late]):
                self._put({run: self._sealed(view, run) for run in some})
            connection.execute("DELETE FROM late")  # what the view says of those holds unconfirmed changes
            connection.executemany("INSERT INTO late VALUES (?)", ((run,) for run in changed if run in late))
            rows = ((name, msgpack.packb(getattr(wanted, name))) for name in Caught.__struct_fields__)
            connection.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", rows)

    def _sealed(self, view: View, run: RunId) -> dict[str, Any] | None:
        found = run_questions.sealed(self.workspace, view, run)
        return None if found is None else {_ID: run, _ORDER: found.order, **run_cells.of(found)}

    def _caught(self) -> Caught:
        found = dict(self._database.execute("SELECT name, value FROM state").fetchall())
        return Caught(**{name: msgpack.unpackb(value) for name, value in found.items()})

    def _stands_on(self, caught: Caught, standing: Standing) -> bool:
        if caught.number == 0 or caught.journal != standing.journal:
            return caught.positions == 0
        journal = self.workspace.repository.journal()
        return journal is not None and journal.hash_of(caught.number) == caught.hash

    def _put(self, described: Mapping[RunId, Mapping[str, Any] | None]) -> None:
        """Writes what runs have now; None is written over those that are gone."""
        places = _places(self._database, described)
        free = int(self._database.execute("SELECT COALESCE(MAX(place) + 1, 0) FROM place").fetchone()[0])
        blocks: dict[int, dict[int, Mapping[str, Any]]] = {}
        for run, cells in described.items():
            if run not in places and cells is not None:
                self._database.execute("INSERT INTO place VALUES (?, ?)", run, free)
                places[run], free = free, free + 1
            if run in places:
                blocks.setdefault(places[run] // _BLOCK, {})[places[run] % _BLOCK] = cells or {}
        for number, rows in blocks.items():
            self._put_block(number, rows)

    def _put_block(self, number: int, rows: Mapping[int, Mapping[str, Any]]) -> None:
        held = self._database.execute("SELECT name, cells FROM block WHERE number = ?", number).fetchall()
        before = {name: dict(zip(*msgpack.unpackb(cells), strict=True)) for name, cells in held}
        columns = {name: {slot: value for slot, value in column.items() if slot not in rows} for name, column in before.items()}
        for slot, cells in rows.items():
            for name, value in cells.items():
                columns.setdefault(name, {})[slot] = value
        for name, column in columns.items():
            if not column:
                self._database.execute("DELETE FROM block WHERE name = ? AND number = ?", name, number)
            elif column != before.get(name):
                slots = sorted(column)
                packed = msgpack.packb([slots, [column[slot] for slot in slots]])
                self._database.execute("INSERT OR REPLACE INTO block VALUES (?, ?, ?)", name, number, packed)

    def _described_anew(self, view: View, confirmed: int) -> dict[RunId, Anew]:
        """Describes runs under way, and those that unconfirmed transactions are, or were, about."""
        late = [RunId(run) for (run,) in self._database.execute("SELECT run FROM late").fetchall()]
        live = {one.id: number for number, one in enumerate(live_run.list_live(self.workspace.runs_folder))}
        anew = {}
        for run in dict.fromkeys([*late, *(run for _, run in view.changed_runs(confirmed)), *live]):
            found = run_questions.find(self.workspace, view, run)
            if found is None:
                anew[run] = Anew(None, 0, is_live=False)
            else:
                anew[run] = Anew(run_cells.of(found), _UNDER_WAY + live[run] if run in live else found.order, found.is_live)
        return anew

    def close(self) -> None:
        """Closes the file."""
        self._database.close()


def path_of(workspace: Workspace) -> Path:
    """Returns where a workspace's columns are."""
    return workspace.repository.path / "cache" / _FILE_NAME


def _places(database: DerivedDatabase, runs: Iterable[RunId]) -> dict[RunId, int]:
    found: dict[RunId, int] = {}
    for run in runs:
        row = database.execute("SELECT place FROM place WHERE run = ?", run).fetchone()
        if row is not None:
            found[run] = int(row[0])
    return found


def _by(count: int, runs: list[RunId]) -> Iterator[list[RunId]]:
    return (runs[start : start + count] for start in range(0, len(runs), count))
