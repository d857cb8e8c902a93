"""Tables: rows of numbers, texts, arrays and media. Kept as Parquet; one read back reads only what is asked for."""

from __future__ import annotations

import json
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from mlvc.errors import UsageError
from mlvc.media import column_types, parquet
from mlvc.media.column_types import ColumnType
from mlvc.media.content import Content, Spool
from mlvc.media.parquet import StoredTable
from mlvc.media.values import FileMedia, Json, Keep, Media, StoredFiles

_LOG_MODES = ("IMMUTABLE", "MUTABLE", "INCREMENTAL")


class TableIndex(int):
    """The number of a row, which can give the row."""

    _table: Table

    @classmethod
    def of(cls, table: Table, number: int) -> TableIndex:
        """Returns the index of a row of a table."""
        found = cls(number)
        found._table = table
        return found

    def get_row(self) -> dict[str | int, Any]:
        """Returns the row as column -> cell."""
        return dict(zip(self._table.columns, self._table.data[self], strict=True))


class Table(Media):
    """Rows and columns. No limit to either; columns keep to the type of their first cells.

    Args:
        columns: names; default: Input, Output, Expected.
        data: rows (any iterable of iterables), an array of shape (rows, columns), or a pandas frame.
        rows: the same, by its old name.
        dataframe: a pandas frame; its columns count.
        dtype: what cells may be: a class, an example, a list of alternatives; or a list with one of those a column.
        optional: whether None is allowed; or a list with an answer a column.
        allow_mixed_types: let columns hold anything.
        log_mode: every `log` of a changed table logs it anew, whatever this is; INCREMENTAL ones only get rows.

    Raises:
        TypeError: a cell is not of its column's type.
        ValueError: a row has another length than there are columns.
    """

    __slots__ = ("__weakref__", "_rows", "_spool", "_stored", "_types", "columns", "log_mode")
    _log_type: ClassVar[str] = "table"
    columns: list[str | int]
    _types: list[ColumnType]
    MAX_ROWS = 10_000
    MAX_ARTIFACT_ROWS = 200_000

    def __init__(
        self,
        columns: list[str | int] | None = None,
        data: Any = None,
        rows: Any = None,
        dataframe: Any = None,
        dtype: Any = None,
        optional: bool | list[bool] = True,
        allow_mixed_types: bool = False,
        log_mode: str | None = "IMMUTABLE",
    ) -> None:
        assert log_mode in _LOG_MODES, f"Invalid log_mode: {log_mode}. Must be one of {list(_LOG_MODES)}"
        self.log_mode = log_mode
        self._stored: StoredTable | None = None
        self._spool = Spool()
        self._rows: list[list[Any]] = []
        given = dataframe if dataframe is not None else data if data is not None else rows
        if dataframe is not None or _is_frame(given):
            columns, given = list(given.columns), _frame_rows(given)
        elif given is not None and (isinstance(given, (str, bytes, dict)) or not isinstance(given, Iterable)):
            raise AssertionError("data argument expects a `list` object")
        self.columns = _checked_columns(columns)
        wanted = column_types.ColumnType(column_types.ANY) if allow_mixed_types else dtype
        self._types = [
            _column_type(kind, may_be_none)
            for kind, may_be_none in zip(_per_column(wanted, self.columns), _per_column(optional, self.columns), strict=False)
        ]
        for row in given if given is not None else ():
            self.add_data(*row)

    # -- reading --------------------------------------------------------------------------------------------------------

    @property
    def data(self) -> list[list[Any]]:
        """All rows, in memory; changes to them are changes of the table."""
        if self._stored is not None:
            self._rows = [self._spooled(row) for row in self._stored.rows()]
            self._stored = None
        return self._rows

    @data.setter
    def data(self, rows: list[list[Any]]) -> None:
        self._stored = None
        self._rows = rows

    def __repr__(self) -> str:
        return f"<Table of {self._count():,} rows, columns {self.columns}>"

    def _count(self) -> int:
        return self._stored.count if self._stored is not None else len(self._rows)

    def iterrows(self) -> Iterator[tuple[TableIndex, list[Any]]]:
        """Yields the number and the cells of each row; of a stored table some rows at a time."""
        rows = self._stored.rows() if self._stored is not None else iter(self._rows)
        for number, row in enumerate(rows):
            yield TableIndex.of(self, number), row

    def get_column(self, name: str | int, convert_to: str | None = None) -> Any:
        """Returns a column's cells; of a stored table, only that column is read.

        Args:
            name: of the column.
            convert_to: "numpy" for one array: media cells as their pixels or samples, numbers as numpy makes them of Python's.
        """
        assert name in self.columns, f"there is no column {name!r}, only {self.columns}"
        assert convert_to is None or convert_to == "numpy"
        place = self.columns.index(name)
        if self._stored is not None:
            if convert_to == "numpy" and (quick := self._stored.numbers(place)) is not None:
                return quick
            cells = self._stored.column(place)
        else:
            cells = [row[place] for row in self._rows]
        if convert_to is None:
            return cells
        import numpy as np

        return np.array([cell.to_data_array() if isinstance(cell, Media) else cell for cell in cells])

    def get_dataframe(self) -> Any:
        """Returns the table as a pandas frame."""
        import pandas as pd

        return pd.DataFrame({name: self.get_column(name) for name in self.columns}, columns=self.columns)

    def get_index(self) -> list[TableIndex]:
        """Returns the number of each row."""
        return [TableIndex.of(self, number) for number in range(self._count())]

    def index_ref(self, index: int) -> TableIndex:
        """Returns a row's number, which can give the row."""
        assert index < self._count()
        return TableIndex.of(self, index)

    def to_data_array(self) -> list[list[Any]]:
        """Returns all rows, media as plain lists."""
        return [[cell.to_data_array() if isinstance(cell, Media) else cell for cell in row] for _, row in self.iterrows()]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Table) or self.columns != other.columns or self._count() != other._count():
            return False
        pairs = zip(self.iterrows(), other.iterrows(), strict=True)
        return all(_same(a, b) for (_, ours), (_, theirs) in pairs for a, b in zip(ours, theirs, strict=True))

    def __hash__(self) -> int:
        return id(self)

    # -- changing -------------------------------------------------------------------------------------------------------

    def add_data(self, *data: Any) -> None:
        """Adds a row."""
        if len(data) != len(self.columns):
            raise ValueError(f"This table expects {len(self.columns)} columns: {self.columns}, found {len(data)}")
        rows = self.data
        found = [column_types.accept(kind, cell) for kind, cell in zip(self._types, data, strict=True)]
        for name, kind, cell, accepted in zip(self.columns, self._types, data, found, strict=True):
            if accepted is None:
                raise TypeError(
                    f"Data row contained incompatible types:\n{name!r}: {column_types.of_value(cell)} not assignable to {kind}"
                )
        self._types = [kind for kind in found if kind is not None]
        rows.append(self._spooled(list(data)))

    def add_row(self, *row: Any) -> None:
        """Adds a row; the old name of `add_data`."""
        self.add_data(*row)

    def add_column(self, name: str, data: Any, optional: bool = False) -> None:
        """Adds a column.

        Args:
            name: not yet taken.
            data: a list, or an array whose first dimension counts the rows; the cells of (rows, 28, 28, 1) are of shape (28, 28, 1).
            optional: whether None is allowed.

        Raises:
            AssertionError: the name is taken, or the length is not that of the table.
            TypeError: cells of different types; the table stays as it was.
        """
        self._refuse_if_incremental("add_column")
        assert isinstance(name, str) and name not in self.columns, f"the column name {name!r} is taken, or no text"
        is_array = hasattr(data, "dtype") and hasattr(data, "shape")
        assert isinstance(data, list) or is_array, "data is a list or an array"
        rows = self.data
        is_first = not self.columns
        assert is_first or len(data) == len(rows), f"Expected length {len(rows)}, found {len(data)}"
        kind = _column_type(None, optional)
        for cell in data:
            merged = column_types.accept(kind, cell)
            if merged is None:
                raise TypeError(f"the column {name!r} holds {column_types.of_value(cell)} beside {kind}")
            kind = merged
        if is_first:
            rows.extend([] for _ in range(len(data)))
        for row, cell in zip(rows, data, strict=True):
            row.append(self._spooled([cell])[0])
        self.columns.append(name)
        self._types.append(kind)

    def add_computed_columns(self, fn: Callable[[int, dict[str | int, Any]], dict[str, Any]]) -> None:
        """Adds the columns that `fn(number, row as column -> cell)` returns for every row, as column -> cell."""
        self._refuse_if_incremental("add_computed_columns")
        found: dict[str, list[Any]] = {}
        for number, row in self.iterrows():
            computed = fn(number, dict(zip(self.columns, row, strict=True)))
            assert isinstance(computed, dict), f"fn returns a dictionary, found a {type(computed).__name__}"
            for name, cell in computed.items():
                found.setdefault(name, []).append(self._spooled([cell])[0])
        for name, cells in found.items():
            self.add_column(name, cells)

    def _refuse_if_incremental(self, what: str) -> None:
        if self.log_mode == "INCREMENTAL":
            raise UsageError(
                f"Operation '{what}' is not supported for tables with log_mode='INCREMENTAL'. "
                "Use a different log mode like 'MUTABLE' or 'IMMUTABLE'."
            )

    def cast(self, col_name: str | int, dtype: Any, optional: bool = False) -> ColumnType:
        """Makes a column keep to a type; TypeError when a cell is of another."""
        assert col_name in self.columns
        place = self.columns.index(col_name)
        kind = _column_type(dtype, optional)
        for row in self.data:
            merged = column_types.accept(kind, row[place])
            if merged is None:
                raise TypeError(
                    f"Existing data {row[place]!r:.80}, of type {column_types.of_value(row[place])} cannot be cast to {kind}"
                )
            kind = merged
        self._types[place] = kind
        return kind

    def _spooled(self, row: list[Any]) -> list[Any]:
        """Returns a row whose images and sounds are on disk: a million of them do not fit into memory."""
        for cell in row:
            if isinstance(cell, FileMedia):
                cell._spool(self._spool)
        return row

    # -- to files and back ----------------------------------------------------------------------------------------------

    def _entry(self, name: str, keep: Keep) -> Json:
        path = f"{name.removesuffix('.json').removesuffix('.table')}.table.parquet"
        keep(path, self._written())
        return {
            "_type": self._log_type,
            "columns": list(self.columns),
            "ncols": len(self.columns),
            "nrows": self._count(),
            "column_types": {str(column): kind.said() for column, kind in zip(self.columns, self._types, strict=True)},
            "log_mode": self.log_mode,
            "parquet": path,
        }

    def _written(self) -> Content:
        """Returns the Parquet file of the table: the stored one, or one that is written now and goes with the table."""
        if self._stored is not None and self._stored.content is not None:
            return self._stored.content
        folder = tempfile.mkdtemp(prefix="mlvc-table-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        target = Path(folder) / "table.parquet"
        parquet.write(target, [str(column) for column in self.columns], self._types, self.data)
        return target

    @classmethod
    def _from_entry(cls, entry: Json, files: StoredFiles) -> Table:
        table = cls.__new__(cls)
        table.columns = list(entry["columns"])
        table.log_mode = entry.get("log_mode", "IMMUTABLE")
        table._rows, table._spool = [], Spool()
        if "parquet" not in entry:
            return _of_inline_rows(table, entry, files)
        known = entry.get("column_types", {})
        unknown = {"wb_type": column_types.UNKNOWN}
        table._types = [column_types.from_json(known.get(str(name), unknown)) for name in table.columns]
        path = entry["parquet"]
        table._stored = StoredTable(lambda: files.open(path), int(entry["nrows"]), files.content(path))
        return table


def _of_inline_rows(table: Table, entry: Json, files: StoredFiles) -> Table:
    """Reads a table that W&B wrote: rows inside its JSON, arrays in npz files beside."""
    from mlvc.media import kinds

    rows = [[kinds.from_entry(c, files) or c if isinstance(c, dict) and "_type" in c else c for c in row] for row in entry["data"]]
    typed = entry.get("column_types", {}).get("params", {}).get("type_map", {})
    for place, name in enumerate(table.columns):
        at = typed.get(str(name), {}).get("params", {}).get("serialization_path")
        if at:
            import numpy as np

            with files.open(at["path"]) as file, np.load(file) as arrays:
                for row, cell in zip(rows, arrays[at["key"]], strict=True):
                    row[place] = cell
    table._stored = None
    table._rows = rows
    table._types = [ColumnType(column_types.ANY) for _ in table.columns]
    return table


def _checked_columns(columns: Any) -> list[str | int]:
    if columns is None:
        return ["Input", "Output", "Expected"]
    assert isinstance(columns, list), "columns argument expects a `list` object"
    assert all(type(name) in (str, int) for name in columns), "columns argument expects list of strings or ints"
    return columns


def _per_column(given: Any, columns: Sequence[str | int]) -> list[Any]:
    return list(given) if isinstance(given, list) else [given] * len(columns)


def _column_type(dtype: Any, optional: bool) -> ColumnType:
    kind = ColumnType(column_types.UNKNOWN) if dtype is None else column_types.of_dtype(dtype)
    return kind.allowing_none() if optional else kind


def _is_frame(given: Any) -> bool:
    return hasattr(given, "columns") and hasattr(given, "itertuples")


def _frame_rows(frame: Any) -> Iterator[tuple[Any, ...]]:
    return zip(*(frame[name].tolist() for name in frame.columns), strict=True)


def _same(a: Any, b: Any) -> bool:
    if hasattr(a, "shape") or hasattr(b, "shape"):
        import numpy as np

        return bool(np.array_equal(np.asarray(a), np.asarray(b)))
    return bool(a == b) or (a != a and b != b)


def entry_text(entry: Json) -> bytes:
    """Returns an entry as the file it is kept in."""
    return json.dumps(entry, ensure_ascii=False, sort_keys=True).encode()
