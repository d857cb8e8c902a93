"""How tables differ between two versions, row by row: which rows one has and the other has not, however they are ordered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

from msgspec import Struct

from mlvc.fold.questions import Member, View
from mlvc.web import tables
from mlvc.workspace import contents
from mlvc.workspace.comparing import MODIFIED, EntryChange
from mlvc.workspace.contents import Contents
from mlvc.workspace.workspace import Workspace

MOST_ROWS = 20_000
_TABLES = 5
_SHOWN = 50

Row = tuple[str, ...]


class TableChange(Struct, frozen=True):
    """How one table differs.

    Attributes:
        columns: that both have; rows are compared in those.
        new_columns, gone_columns: that only the later, or only the earlier one has.
        added, removed: some of the rows.
        added_count, removed_count: how many there are in all.
        looked_at, is_cut: how many rows were compared at most, and whether there are more.
    """

    path: str
    columns: Row
    new_columns: Row
    gone_columns: Row
    added: tuple[Row, ...]
    removed: tuple[Row, ...]
    added_count: int
    removed_count: int
    looked_at: int
    is_cut: bool


def between(workspace: Workspace, view: View, before: Member, after: Member, files: Sequence[EntryChange]) -> list[TableChange]:
    """Returns how the first few changed tables of two versions differ; what cannot be read as a table is left out."""
    old, new = (contents.of(workspace, view, member.version) for member in (before, after))
    changed = [one.path for one in files if one.kind == MODIFIED and PurePosixPath(one.path).suffix.lower() in tables.ENDINGS]
    found = (_between(workspace, path, old, new) for path in changed[:_TABLES])
    return [one for one in found if one is not None]


def _between(workspace: Workspace, path: str, old: Contents, new: Contents) -> TableChange | None:
    was, now = tables.rows(workspace, old, path, MOST_ROWS), tables.rows(workspace, new, path, MOST_ROWS)
    if was is None or now is None:
        return None
    columns = tuple(name for name in now[0] if name in was[0])
    gone, come = (Counter(_in(columns, *one)) for one in (was, now))
    gone.subtract(come)
    removed = [row for row, count in gone.items() for _ in range(max(0, count))]
    added = [row for row, count in gone.items() for _ in range(max(0, -count))]
    is_cut = len(was[1]) == MOST_ROWS or len(now[1]) == MOST_ROWS
    fresh, dropped = tuple(name for name in now[0] if name not in was[0]), tuple(name for name in was[0] if name not in now[0])
    return TableChange(path, columns, fresh, dropped, tuple(added[:_SHOWN]), tuple(removed[:_SHOWN]), len(added), len(removed), MOST_ROWS, is_cut)


def _in(columns: Row, names: Row, rows: list[Row]) -> list[Row]:
    """Returns rows with only some of their columns, in that order."""
    if columns == names:
        return rows
    places = [names.index(name) for name in columns]
    return [tuple(row[place] if place < len(row) else "" for place in places) for row in rows]
