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
    """How one table differs: columns of the later one, some of the rows, how many there are in all; whether only the first rows were looked at."""

    path: str
    columns: Row
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
    gone, come = Counter(was[1]), Counter(now[1])
    gone.subtract(come)
    removed = [row for row, count in gone.items() for _ in range(max(0, count))]
    added = [row for row, count in gone.items() for _ in range(max(0, -count))]
    is_cut = len(was[1]) == MOST_ROWS or len(now[1]) == MOST_ROWS
    return TableChange(path, now[0], tuple(added[:_SHOWN]), tuple(removed[:_SHOWN]), len(added), len(removed), MOST_ROWS, is_cut)
