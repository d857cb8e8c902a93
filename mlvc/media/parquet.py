"""Tables as Parquet files, which pandas, polars and DuckDB read as they are.

Numbers, texts, times and lists are plain columns; an array column of one shape is Arrow's fixed-shape tensor; media cells are
{bytes, path, info}, their files inside, so that a column of images is one column; anything else is JSON text. A field's
metadata `mlvc` says which of these it is. Rows are written in groups of at most `_ROWS` rows or `_BYTES` of media, pages are
cut by content: a table with new rows shares its old pages with the version before.
"""

from __future__ import annotations

import base64
import datetime
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from msgspec import Struct

from mlvc.media import column_types, content, kinds
from mlvc.media.column_types import ColumnType
from mlvc.media.content import Content
from mlvc.media.values import Json, Media, needs

_ROWS = 1 << 16
_BYTES = 16 << 20
_LARGEST_INTEGER = 1 << 63
_READ_AHEAD = 8192

_KEY = b"mlvc"
INTEGER, NUMBER, BOOLEAN, TEXT, TIME, LIST, TENSOR, ARRAYS, MEDIA, JSON = (
    "integer",
    "number",
    "boolean",
    "text",
    "time",
    "list",
    "tensor",
    "arrays",
    "media",
    "json",
)


class Layout(Struct, frozen=True):
    """How a column is kept: one of the kinds above, with the element type and shape of arrays."""

    kind: str
    dtype: str = ""
    shape: tuple[int, ...] = ()


def _arrow() -> Any:
    try:
        import pyarrow
    except ImportError as error:
        raise needs("pyarrow", "Tables") from error
    return pyarrow


# -- deciding how a column is kept ----------------------------------------------------------------------------------------


def layout_of(kind: ColumnType, cells: Iterable[Any]) -> Layout:
    """Returns how a column is kept; looks at its cells where the type leaves it open."""
    if kind.name == column_types.NUMBER:
        return _number_layout(cells)
    if kind.name == column_types.BOOLEAN:
        return Layout(BOOLEAN)
    if kind.name == column_types.STRING:
        return Layout(TEXT)
    if kind.name == column_types.TIMESTAMP:
        return Layout(TIME)
    if kind.name == column_types.ARRAY:
        return _array_layout(cells)
    if kind.name == column_types.LIST and kind.element is not None and not kind.element.optional:
        return _list_layout(kind.element, cells)
    if kind.name in kinds.ENTRY_NAMES:
        return Layout(MEDIA)
    if kind.name in (column_types.ANY, column_types.UNION, column_types.CONST, column_types.UNKNOWN):
        return _mixed_layout(cells)
    return Layout(JSON)


def _number_layout(cells: Iterable[Any]) -> Layout:
    found = set()
    for cell in cells:
        if cell is None:
            continue
        if isinstance(cell, float) or getattr(getattr(cell, "dtype", None), "kind", "") == "f":
            found.add(NUMBER)
        elif isinstance(cell, complex):
            return Layout(JSON)
        elif -_LARGEST_INTEGER <= int(cell) < _LARGEST_INTEGER:
            found.add(INTEGER)
        else:
            return Layout(JSON)
    return Layout(found.pop()) if len(found) == 1 else Layout(NUMBER if found else INTEGER)


def _array_layout(cells: Iterable[Any]) -> Layout:
    import numpy as np

    seen = {(np.asarray(cell).dtype.str, np.shape(cell)) if cell is not None else None for cell in cells}
    only = next(iter(seen)) if len(seen) == 1 else None
    if only is None or 0 in only[1] or np.dtype(only[0]).kind not in "iuf" or np.dtype(only[0]).itemsize > 8:
        return Layout(ARRAYS)
    return Layout(TENSOR, only[0], only[1])


def _list_layout(element: ColumnType, cells: Iterable[Any]) -> Layout:
    found = layout_of(element, (one for cell in cells if cell is not None for one in cell))
    return Layout(LIST, found.kind) if found.kind in (INTEGER, NUMBER, BOOLEAN, TEXT) else Layout(JSON)


def _mixed_layout(cells: Iterable[Any]) -> Layout:
    kinds_found = {MEDIA if isinstance(cell, Media) else ARRAYS if _is_array(cell) else JSON for cell in cells}
    return Layout(MEDIA if kinds_found - {JSON} else JSON)


def _is_array(cell: Any) -> bool:
    return hasattr(cell, "dtype") and bool(getattr(cell, "shape", ()))


# -- writing --------------------------------------------------------------------------------------------------------------


def write(path: Path, names: Sequence[str], types: Sequence[ColumnType], rows: Sequence[Sequence[Any]]) -> None:
    """Writes a table's Parquet file, a group of rows at a time."""
    arrow = _arrow()
    from pyarrow import parquet as files

    layouts = [layout_of(kind, (row[place] for row in rows)) for place, kind in enumerate(types)]
    fields = [_field(arrow, name, layout) for name, layout in zip(names, layouts, strict=True)]
    schema = arrow.schema(fields)
    is_media = [layout.kind == MEDIA for layout in layouts]
    squeezed: Any = {_leaf(name, layout): "NONE" if layout.kind == MEDIA else "ZSTD" for name, layout in zip(names, layouts, strict=True)}
    squeezed |= {f"{name}.{part}": "ZSTD" for name, is_one in zip(names, is_media, strict=True) if is_one for part in ("path", "info")}
    plain: Any = [_leaf(name, layout) for name, layout in zip(names, layouts, strict=True) if layout.kind in (TEXT, INTEGER, JSON, BOOLEAN)]
    with files.ParquetWriter(
        path, schema, compression=squeezed, use_dictionary=plain, use_content_defined_chunking=True
    ) as writer:
        waiting = iter(rows)
        while group := list(_group(waiting, is_media)):
            columns = [
                _to_arrow(arrow, field, layout, [row[place] for row in group])
                for place, (field, layout) in enumerate(zip(fields, layouts, strict=True))
            ]
            writer.write_table(arrow.table(columns, schema=schema), row_group_size=len(group))


def _leaf(name: str, layout: Layout) -> str:
    """Returns what Parquet calls the column that holds the bulk of a field."""
    return {MEDIA: f"{name}.bytes", LIST: f"{name}.list.element", TENSOR: f"{name}.list.element", ARRAYS: f"{name}.data"}.get(
        layout.kind, name
    )


def _group(rows: Iterator[Sequence[Any]], is_media: Sequence[bool]) -> Iterator[Sequence[Any]]:
    room = _BYTES
    for row in islice(rows, _ROWS):
        yield row
        for cell, may_weigh in zip(row, is_media, strict=True):
            held = getattr(cell, "_content", None) if may_weigh else None
            room -= 0 if held is None else content.size(held)
        if room <= 0:
            return


def _field(arrow: Any, name: str, layout: Layout) -> Any:
    said = {_KEY: json.dumps([layout.kind, layout.dtype, list(layout.shape)]).encode()}
    return arrow.field(name, _arrow_type(arrow, layout), metadata=said)


def _arrow_type(arrow: Any, layout: Layout) -> Any:
    simple = {
        INTEGER: arrow.int64(),
        NUMBER: arrow.float64(),
        BOOLEAN: arrow.bool_(),
        TEXT: arrow.string(),
        TIME: arrow.timestamp("us", tz="UTC"),
        JSON: arrow.string(),
        MEDIA: arrow.struct([("bytes", arrow.binary()), ("path", arrow.string()), ("info", arrow.string())]),
        ARRAYS: arrow.struct([("data", arrow.binary()), ("dtype", arrow.string()), ("shape", arrow.list_(arrow.int64()))]),
    }
    if layout.kind == LIST:
        return arrow.list_(simple[layout.dtype])
    if layout.kind == TENSOR:
        import numpy as np

        return arrow.fixed_shape_tensor(arrow.from_numpy_dtype(np.dtype(layout.dtype)), list(layout.shape))
    return simple[layout.kind]


def _to_arrow(arrow: Any, field: Any, layout: Layout, cells: list[Any]) -> Any:
    if layout.kind == TENSOR:
        import numpy as np

        stacked = np.ascontiguousarray(np.stack([np.asarray(cell) for cell in cells]))
        return arrow.FixedShapeTensorArray.from_numpy_ndarray(stacked).cast(field.type)
    convert = _CELL_TO_ARROW.get(layout.kind)
    if convert is not None:
        cells = [None if cell is None else convert(cell) for cell in cells]
    return arrow.array(cells, field.type)


def _json_cell(cell: Any) -> str:
    return json.dumps(cell, default=_plain, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=repr)
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value)


def _time_cell(cell: Any) -> Any:
    if type(cell).__name__ == "datetime64":
        cell = cell.astype("datetime64[us]").item()
    if isinstance(cell, datetime.date) and not isinstance(cell, datetime.datetime):
        cell = datetime.datetime(cell.year, cell.month, cell.day)  # noqa: DTZ001 - made UTC below
    return cell if cell.tzinfo is not None else cell.replace(tzinfo=datetime.UTC)


def _array_cell(cell: Any) -> Json:
    import numpy as np

    array = np.ascontiguousarray(cell)
    return {"data": array.tobytes(), "dtype": array.dtype.str, "shape": list(array.shape)}


def _media_cell(cell: Any) -> Json:
    if isinstance(cell, Media):
        kept: dict[str, bytes] = {}
        entry = cell._entry("cell", lambda path, held: kept.__setitem__(path, content.read(held)))
        path = entry.get("path")
        main = kept.pop(path) if path is not None else None
        said: Json = {"entry": entry}
        if kept:
            said["files"] = {at: base64.b64encode(data).decode() for at, data in kept.items()}
        return {"bytes": main, "path": path, "info": json.dumps(said, ensure_ascii=False)}
    if _is_array(cell):
        array = _array_cell(cell)
        return {"bytes": array["data"], "path": None, "info": json.dumps({"dtype": array["dtype"], "shape": array["shape"]})}
    return {"bytes": None, "path": None, "info": json.dumps({"value": cell}, default=_plain, ensure_ascii=False)}


def _number_cell(cell: Any) -> Any:
    return cell.item() if hasattr(cell, "item") else cell


_CELL_TO_ARROW: dict[str, Callable[[Any], Any]] = {
    INTEGER: lambda cell: int(cell),
    NUMBER: lambda cell: float(cell),
    BOOLEAN: lambda cell: bool(cell),
    TEXT: lambda cell: str(cell),
    TIME: _time_cell,
    LIST: lambda cell: [_number_cell(one) for one in cell],
    ARRAYS: _array_cell,
    MEDIA: _media_cell,
    JSON: _json_cell,
}


# -- reading --------------------------------------------------------------------------------------------------------------


class StoredTable:
    """A table's Parquet file, opened when first read.

    Attributes:
        count: how many rows it has.
        content: the file as it is kept, to store it again unchanged.
    """

    def __init__(self, opens: Callable[[], BinaryIO], count: int, kept: Content | None) -> None:
        self._opens = opens
        self.count = count
        self.content = kept
        self._file: Any = None
        self._layouts: list[Layout] = []

    def _opened(self) -> Any:
        if self._file is None:
            _arrow()
            from pyarrow import parquet as files

            # What is read ahead stays in memory until the file is closed, so nothing is: a table of images is large.
            self._file = files.ParquetFile(self._opens(), pre_buffer=False)
            for field in self._file.schema_arrow:
                kind, dtype, shape = json.loads((field.metadata or {})[_KEY])
                self._layouts.append(Layout(kind, dtype, tuple(shape)))
        return self._file

    def _batches(self, places: Sequence[int]) -> Iterator[Any]:
        file = self._opened()
        names = [file.schema_arrow.field(place).name for place in places]
        yield from file.iter_batches(_READ_AHEAD, columns=names)

    def column(self, place: int) -> list[Any]:
        """Returns the cells of one column; no other is read."""
        found: list[Any] = []
        for batch in self._batches([place]):
            found += self._cells(place, batch.column(0))
        return found

    def rows(self) -> Iterator[list[Any]]:
        """Yields all rows, holding some thousand at a time."""
        places = range(len(self._opened().schema_arrow))
        for batch in self._batches(places):
            columns = [self._cells(place, batch.column(place)) for place in places]
            for cells in zip(*columns, strict=True):
                yield list(cells)

    def numbers(self, place: int) -> Any:
        """Returns one column as an array, where it is of numbers or of tensors and nothing is missing; else None."""
        import numpy as np

        self._opened()
        kind = self._layouts[place].kind
        if kind not in (INTEGER, NUMBER, BOOLEAN, TENSOR):
            return None
        parts = []
        for batch in self._batches([place]):
            column = batch.column(0)
            if column.null_count:
                return None
            parts.append(column.to_numpy_ndarray() if kind == TENSOR else column.to_numpy(zero_copy_only=False))
        return np.concatenate(parts) if parts else np.array([])

    def _cells(self, place: int, column: Any) -> list[Any]:
        layout = self._layouts[place]
        if layout.kind == TENSOR:
            return list(column.to_numpy_ndarray())
        cells: list[Any] = column.to_pylist()
        convert = _CELL_FROM_ARROW.get(layout.kind)
        return cells if convert is None else [None if cell is None else convert(cell) for cell in cells]


class _CellFiles:
    """The files inside one media cell."""

    def __init__(self, held: dict[str, bytes]) -> None:
        self._held = held

    def open(self, path: str) -> BinaryIO:
        return io.BytesIO(self._held[path])

    def content(self, path: str) -> Content:
        return self._held[path]

    def get(self, name: str) -> Any:
        raise KeyError(name)

    def paths_below(self, folder: str) -> list[str]:
        return sorted(path for path in self._held if path.startswith(f"{folder}/"))


def _read_media(cell: Json) -> Any:
    said = json.loads(cell["info"])
    if "value" in said:
        return said["value"]
    if "dtype" in said:
        return _read_array({"data": cell["bytes"], **said})
    held = {at: base64.b64decode(text) for at, text in said.get("files", {}).items()}
    if cell["path"] is not None:
        held[cell["path"]] = cell["bytes"]
    return kinds.from_entry(said["entry"], _CellFiles(held))


def _read_array(cell: Json) -> Any:
    import numpy as np

    return np.frombuffer(cell["data"], np.dtype(cell["dtype"])).reshape(cell["shape"]).copy()


_CELL_FROM_ARROW: dict[str, Callable[[Any], Any]] = {JSON: json.loads, MEDIA: _read_media, ARRAYS: _read_array}
