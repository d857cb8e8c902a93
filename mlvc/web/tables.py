"""Tables in a version's files, a page at a time: CSV, TSV and Parquet, however large, and whatever is wrong with them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

from mlvc.web import reader_apart
from mlvc.web.table_pages import LONGEST_CELL, MOST_COLUMNS, MOST_ROWS_PASSED, ROWS, NotATableError, Table
from mlvc.workspace import contents
from mlvc.workspace.contents import Contents
from mlvc.workspace.workspace import Workspace

ENDINGS = (".parquet", ".csv", ".tsv")
_LONGEST_ROW = 1 << 20


def page(workspace: Workspace, held: Contents, path: str, number: int) -> Table:
    """Returns a page of a table, by the ending of its name.

    Raises:
        NotATableError: it is not to be read as one.
    """
    suffix = PurePosixPath(path).suffix.lower()
    if suffix == ".parquet":
        return reader_apart.parquet_page(workspace, held, path, number)
    with contents.open_entry(workspace, held, path) as file:
        return _separated(file, number, "\t" if suffix == ".tsv" else ",")


def rows(workspace: Workspace, held: Contents, path: str, most: int) -> tuple[tuple[str, ...], list[tuple[str, ...]]] | None:
    """Returns the columns and the first rows of a table as texts; None when it cannot be read as one."""
    suffix = PurePosixPath(path).suffix.lower()
    if suffix == ".parquet":
        return reader_apart.parquet_rows(workspace, held, path, most)
    with contents.open_entry(workspace, held, path) as file:
        found = csv.reader(_bounded_lines(io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="")), delimiter="\t" if suffix == ".tsv" else ",")
        try:
            some = [_cells(row) for row in islice(found, most + 1)]
        except csv.Error:
            return None
    return (some[0], some[1:]) if some else ((), [])


def _separated(file: Any, page: int, separator: str) -> Table:
    """Returns a page of a file of values with separators; its first line names the columns."""
    text = io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="")
    rows = csv.reader(_bounded_lines(text), delimiter=separator)
    first = min(page * ROWS, MOST_ROWS_PASSED)
    columns: tuple[str, ...] = ()
    more = 0
    found: list[tuple[str, ...]] = []
    has_more = False
    try:
        for place, row in enumerate(rows):
            if place == 0:
                columns, more = _cells(row), max(0, len(row) - MOST_COLUMNS)
            elif place > first:
                has_more = len(found) == ROWS
                if has_more:
                    break
                found.append(_cells(row))
    except csv.Error as error:
        raise NotATableError(f"this table cannot be read: {error}") from error
    return Table(columns, tuple(found), page=page, has_more=has_more, more_columns=more)


def _cells(row: list[str]) -> tuple[str, ...]:
    return tuple(cell[:LONGEST_CELL] for cell in row[:MOST_COLUMNS])


def _bounded_lines(text: io.TextIOWrapper) -> Iterator[str]:
    while line := text.readline(_LONGEST_ROW):
        if len(line) == _LONGEST_ROW and not line.endswith("\n"):
            raise csv.Error("a line has more than a million characters")
        yield line
