"""Tables in a version's files, a page at a time: CSV, TSV and Parquet, however large, and whatever is wrong with them."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

from msgspec import Struct

from mlvc.errors import Error
from mlvc.workspace import contents
from mlvc.workspace.contents import Contents
from mlvc.workspace.workspace import Workspace

ROWS = 100
MOST_COLUMNS = 200
_MOST_ROWS_PASSED = 200_000
_CELL = 300
_LONGEST_ROW = 1 << 20
_LARGE_CELL = 1 << 20
_PICTURE_BYTES, _PICTURES_BYTES = 64 << 10, 2 << 20
_MAGIC = ((b"\x89PNG\r\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))


class NotATableError(Error):
    """A file cannot be read as the table that its name promises."""


class Table(Struct, frozen=True):
    """A page of a table.

    Attributes:
        columns, rows: the first `MOST_COLUMNS`; how many `more_columns` there are.
        statistics: one dictionary a column, or empty.
        page, has_more, count: of its rows; None where nobody counted them.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    statistics: tuple[dict[str, str], ...] = ()
    page: int = 0
    has_more: bool = False
    count: int | None = None
    more_columns: int = 0


def rows(workspace: Workspace, held: Contents, path: str, most: int) -> tuple[tuple[str, ...], list[tuple[str, ...]]] | None:
    """Returns the columns and the first rows of a table as texts; None when it cannot be read as one."""
    suffix = PurePosixPath(path).suffix.lower()
    with contents.open_entry(workspace, held, path) as file:
        if suffix == ".parquet":
            return _parquet_rows(file, most)
        found = csv.reader(_bounded_lines(io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="")), delimiter="\t" if suffix == ".tsv" else ",")
        try:
            some = [_cells(row) for row in islice(found, most + 1)]
        except csv.Error:
            return None
    return (some[0], some[1:]) if some else ((), [])


def _parquet_rows(file: Any, most: int) -> tuple[tuple[str, ...], list[tuple[str, ...]]] | None:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        return None
    try:
        opened = pyarrow.parquet.ParquetFile(file)
        columns = _shown_columns(opened)
        return columns, list(islice(_parquet_batches(opened, columns, 0), most))
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError, KeyError, TypeError):
        return None


def separated(file: Any, page: int, separator: str) -> Table:
    """Returns a page of a file of values with separators; its first line names the columns.

    Raises:
        NotATableError: it is not to be read as one.
    """
    text = io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="")
    rows = csv.reader(_bounded_lines(text), delimiter=separator)
    first = min(page * ROWS, _MOST_ROWS_PASSED)
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
    return tuple(cell[:_CELL] for cell in row[:MOST_COLUMNS])


def _bounded_lines(text: io.TextIOWrapper) -> Iterator[str]:
    while line := text.readline(_LONGEST_ROW):
        if len(line) == _LONGEST_ROW and not line.endswith("\n"):
            raise csv.Error("a line has more than a million characters")
        yield line


def parquet(file: Any, page: int) -> Table:
    """Returns a page of a Parquet file, with what the file itself says of its columns.

    Raises:
        NotATableError: it is damaged, or nothing is installed that reads it.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise NotATableError("tables are shown once pyarrow is installed: pip install 'mlvc[media]'") from error
    try:
        opened = pyarrow.parquet.ParquetFile(file)
        columns = _shown_columns(opened)
        first = min(page * ROWS, _MOST_ROWS_PASSED)
        rows = list(islice(_parquet_batches(opened, columns, first, _Pictures()), ROWS))
        is_flat = opened.metadata.num_columns == len(opened.schema_arrow.names)
        places = [opened.schema_arrow.names.index(name) for name in columns]
        statistics = tuple(_statistics(opened, place) for place in places) if is_flat else ()
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError, KeyError, TypeError) as error:
        raise NotATableError(f"this table cannot be read: {error}") from error
    count, more = opened.metadata.num_rows, len(opened.schema_arrow.names) - len(columns)
    return Table(columns, tuple(rows), statistics, page, first + ROWS < count, count, more)


def _shown_columns(opened: Any) -> tuple[str, ...]:
    """Returns the first columns, without those whose cells are large: a small file can hold gigabytes."""
    names = list(dict.fromkeys(opened.schema_arrow.names))
    heavy = set()
    for group in range(opened.num_row_groups):
        about = opened.metadata.row_group(group)
        for place in range(about.num_columns):
            column = about.column(place)
            if column.total_uncompressed_size > _LARGE_CELL * max(1, about.num_rows):
                heavy.add(column.path_in_schema.partition(".")[0])
    return tuple(name for name in names if name not in heavy)[:MOST_COLUMNS]


class _Pictures:
    """Makes small pictures in cells addresses that hold them, until a page has enough of them."""

    def __init__(self) -> None:
        self._left = _PICTURES_BYTES

    def __call__(self, value: Any) -> str:
        data = value.get("bytes") if isinstance(value, dict) else value
        if isinstance(data, bytes) and len(data) <= min(_PICTURE_BYTES, self._left):
            kind = next((kind for magic, kind in _MAGIC if data.startswith(magic)), None)
            if kind is not None:
                self._left -= len(data)
                return f"data:{kind};base64,{base64.b64encode(data).decode()}"
        return _cell(value)


def _parquet_batches(opened: Any, columns: tuple[str, ...], first: int, shown: Callable[[Any], str] | None = None) -> Iterator[tuple[str, ...]]:
    """Yields rows from one on, a few decoded at a time; `shown` says how a cell is written."""
    shown = shown or _cell
    passed = 0
    for group in range(opened.num_row_groups):
        size = opened.metadata.row_group(group).num_rows
        if passed + size <= first:
            passed += size
            continue
        for batch in opened.iter_batches(batch_size=ROWS, row_groups=[group], columns=list(columns)):
            if passed + batch.num_rows > first:
                for row in batch.slice(max(0, first - passed)).to_pylist():
                    yield tuple(shown(value) for value in row.values())
            passed += batch.num_rows


def _statistics(opened: Any, column: int) -> dict[str, str]:
    """Returns least, greatest and missing values of a column, as the file itself says them."""
    least = greatest = None
    missing = 0
    for group in range(opened.num_row_groups):
        said = opened.metadata.row_group(group).column(column).statistics
        if said is None:
            return {}
        missing += said.null_count or 0
        if said.has_min_max:
            try:
                least = said.min if least is None else min(least, said.min)
                greatest = said.max if greatest is None else max(greatest, said.max)
            except TypeError:
                return {}
    return {} if least is None else {"least": _cell(least), "greatest": _cell(greatest), "missing": f"{missing:,}"}


def _cell(value: Any) -> str:
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    if isinstance(value, dict) and isinstance(value.get("bytes"), bytes):
        return f"{value.get('path') or 'media'} ({len(value['bytes']):,} bytes)"
    text = str(value)
    return text if len(text) <= _CELL else f"{text[:_CELL]}…"
