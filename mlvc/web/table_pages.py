"""What a page of a table is, and how much of one is shown."""

from __future__ import annotations

from msgspec import Struct

from mlvc.errors import Error

ROWS = 100
MOST_COLUMNS = 200
MOST_ROWS_PASSED = 200_000
LONGEST_CELL = 300


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
