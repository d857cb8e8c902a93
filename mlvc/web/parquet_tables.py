"""Parquet files a page at a time. To be called in a process apart: what a stranger wrote can end the library that reads it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from mlvc.web.table_pages import LONGEST_CELL, MOST_COLUMNS, MOST_ROWS_PASSED, ROWS, NotATableError, Table

_LARGE_CELL = 1 << 20
_PICTURE_BYTES, _PICTURES_BYTES = 64 << 10, 2 << 20
_MAGIC = ((b"\x89PNG\r\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))


def page_of(file: Any, page: int) -> Table:
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
        first = min(page * ROWS, MOST_ROWS_PASSED)
        rows = list(islice(_parquet_batches(opened, columns, first, _Pictures()), ROWS))
        is_flat = opened.metadata.num_columns == len(opened.schema_arrow.names)
        places = [opened.schema_arrow.names.index(name) for name in columns]
        statistics = tuple(_statistics(opened, place) for place in places) if is_flat else ()
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError, KeyError, TypeError) as error:
        raise NotATableError(f"this table cannot be read: {error}") from error
    count, more = opened.metadata.num_rows, len(opened.schema_arrow.names) - len(columns)
    return Table(columns, tuple(rows), statistics, page, first + ROWS < count, count, more)


def rows_of(file: Any, most: int) -> tuple[tuple[str, ...], list[tuple[str, ...]]] | None:
    """Returns the columns and the first rows as texts; None when it is damaged, or nothing is installed that reads it."""
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
    return text if len(text) <= LONGEST_CELL else f"{text[:LONGEST_CELL]}…"
