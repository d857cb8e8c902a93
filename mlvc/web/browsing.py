"""The files of a version: a folder at a time, and a look into each without running anything of it."""

from __future__ import annotations

import base64
import codecs
import csv
import io
import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

from msgspec import Struct

from mlvc.fold.questions import Member, View
from mlvc.format.manifest import Entry, FileEntry, ReferenceEntry
from mlvc.web import markdown
from mlvc.workspace import contents
from mlvc.workspace.contents import Contents
from mlvc.workspace.workspace import Workspace

IMAGES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp", ".bmp": "image/bmp", ".svg": "image/svg+xml"}
SOUNDS = {".wav": "audio/wav", ".mp3": "audio/mpeg", ".flac": "audio/flac", ".ogg": "audio/ogg", ".m4a": "audio/mp4"}
FILMS = {".mp4": "video/mp4", ".webm": "video/webm"}
PAGES = {".html": "text/html", ".htm": "text/html"}
MARKDOWN = (".md", ".markdown")
TENSORS = (".safetensors", ".npy", ".npz", ".pt", ".pth", ".bin", ".gguf", ".h5", ".hdf5", ".keras")

PER_FOLDER = 500
ROWS = 100
TEXT_BYTES = 256 << 10
_JSON_BYTES = 2 << 20
_LONGEST_LINE = 4_000
_MOST_ROWS_PASSED = 200_000
_CELL = 300
MOST_COLUMNS = 200
_LONGEST_ROW = 1 << 20
_LARGE_CELL = 1 << 20
_PICTURE_BYTES, _PICTURES_BYTES = 64 << 10, 2 << 20
_MAGIC = ((b"\x89PNG\r\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))


class Item(Struct, frozen=True):
    """A file or folder of a listing: its name, path, size in bytes, files within (0 for a file), and whether it is an image."""

    name: str
    path: str
    size: int
    count: int
    is_image: bool = False
    uri: str = ""


class Listing(Struct, frozen=True):
    """A page of what is in a folder: the way down to it as (name, path), items, and whether there are more."""

    folder: str
    way: tuple[tuple[str, str], ...]
    items: tuple[Item, ...]
    start: int
    total: int

    @property
    def has_more(self) -> bool:
        """Whether a page follows."""
        return (self.start + 1) * PER_FOLDER < self.total


def folder(workspace: Workspace, view: View, member: Member, path: str, page: int) -> Listing:
    """Returns a page of what a version holds in a folder, folders first."""
    path = path.strip("/")
    prefix = f"{path}/" if path else ""
    folders: dict[str, list[int]] = {}
    files: list[Item] = []
    for entry in contents.of(workspace, view, member.version).manifest:
        if not entry.path.startswith(prefix):
            continue
        first, slash, _ = entry.path[len(prefix) :].partition("/")
        if slash:
            found = folders.setdefault(first, [0, 0])
            found[0] += 1
            found[1] += entry.size
        else:
            files.append(_item(entry, first))
    items = [*(Item(name, f"{prefix}{name}", size, count) for name, (count, size) in sorted(folders.items())), *files]
    parts = PurePosixPath(path).parts
    way = tuple((part, "/".join(parts[: place + 1])) for place, part in enumerate(parts))
    return Listing(path, way, tuple(items[page * PER_FOLDER : (page + 1) * PER_FOLDER]), page, len(items))


def _item(entry: Entry, name: str) -> Item:
    is_image = PurePosixPath(name).suffix.lower() in IMAGES and isinstance(entry, FileEntry)
    return Item(name, entry.path, entry.size, 0, is_image, entry.uri if isinstance(entry, ReferenceEntry) else "")


def content_type(path: str) -> tuple[str, bool]:
    """Returns the type that a file is served as, and whether a page may show it; anything else is only saved to disk."""
    suffix = PurePosixPath(path).suffix.lower()
    for known in (IMAGES, SOUNDS, FILMS, PAGES):
        if suffix in known:
            return known[suffix], True
    return "application/octet-stream", False


class Preview(Struct, frozen=True):
    """A look into a file.

    Attributes:
        kind: image, sound, film, page, table, json, markdown, text, bytes, reference or missing.
        text: of a text, or what is to be said.
        columns, rows: of a table, the first `MOST_COLUMNS`; how many `more_columns` there are; `statistics` is one dictionary a column, or empty.
        page, has_more, count: of a table's rows.
        is_cut: whether more of the text follows.
    """

    kind: str
    text: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    statistics: tuple[dict[str, str], ...] = ()
    page: int = 0
    has_more: bool = False
    count: int | None = None
    is_cut: bool = False
    more_columns: int = 0


def preview(workspace: Workspace, held: Contents, path: str, page: int) -> Preview:
    """Returns a look into a file; NotFoundError when the version has none, or its bytes are nowhere within reach."""
    entry = held.manifest[path]
    if isinstance(entry, ReferenceEntry):
        return Preview("reference", entry.uri)
    suffix = PurePosixPath(path).suffix.lower()
    for kind, known in (("image", IMAGES), ("sound", SOUNDS), ("film", FILMS), ("page", PAGES)):
        if suffix in known:
            return Preview(kind)
    with contents.open_entry(workspace, held, path) as file:
        if suffix == ".parquet":
            return _parquet(file, page)
        if suffix in (".csv", ".tsv"):
            return _separated(file, page, "\t" if suffix == ".tsv" else ",")
        head = file.read(_JSON_BYTES if suffix in (".json", ".ipynb") and entry.size <= _JSON_BYTES else TEXT_BYTES)
    if suffix == ".json" and entry.size == len(head):
        try:
            shown, is_cut = pretty(json.loads(head))
            return Preview("json", cut_lines(shown), is_cut=is_cut)
        except (ValueError, RecursionError):
            pass  # it is shown as the text that it is
    text = as_text(head, is_whole=entry.size == len(head))
    if text is None:
        return Preview("bytes", hex_dump(head[:512]), is_cut=entry.size > 512)
    if suffix in MARKDOWN and entry.size == len(head) and len(text) <= markdown.MOST:
        return Preview("markdown", text)
    return Preview("text", cut_lines(text), is_cut=entry.size > len(head))


def pretty(value: Any) -> tuple[str, bool]:
    """Returns a JSON value with one item a line, and whether it was cut: indentation can make gigabytes of a megabyte."""
    found: list[str] = []
    size = 0
    for piece in json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(value):
        size += len(piece)
        if size > TEXT_BYTES:
            return "".join(found), True
        found.append(piece)
    return "".join(found), False


def as_text(data: bytes, *, is_whole: bool) -> str | None:
    """Returns bytes as text, or None when they are none; a character cut off at the end does not count against what is not whole."""
    if b"\0" in data:
        return None
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(data, final=is_whole)
    except UnicodeDecodeError:
        return None


def cut_lines(text: str) -> str:
    """Returns a text whose lines a browser can lay out: a line of megabytes would stop it."""
    return "\n".join(line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}… ({len(line):,} characters)" for line in text.split("\n"))


def hex_dump(data: bytes) -> str:
    """Returns bytes as hexadecimal lines of 16, with their characters beside."""
    lines = []
    for at in range(0, len(data), 16):
        some = data[at : at + 16]
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in some)
        lines.append(f"{at:08x}  {some.hex(' '):47}  {shown}")
    return "\n".join(lines)


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


def _separated(file: Any, page: int, separator: str) -> Preview:
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
        return Preview("text", f"this table cannot be read: {error}")
    return Preview("table", columns=columns, rows=tuple(found), page=page, has_more=has_more, more_columns=more)


def _cells(row: list[str]) -> tuple[str, ...]:
    return tuple(cell[:_CELL] for cell in row[:MOST_COLUMNS])


def _bounded_lines(text: io.TextIOWrapper) -> Iterator[str]:
    while line := text.readline(_LONGEST_ROW):
        if len(line) == _LONGEST_ROW and not line.endswith("\n"):
            raise csv.Error("a line has more than a million characters")
        yield line


def _parquet(file: Any, page: int) -> Preview:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        return Preview("text", "tables are shown once pyarrow is installed: pip install 'mlvc[media]'")
    try:
        opened = pyarrow.parquet.ParquetFile(file)
        columns = _shown_columns(opened)
        first = min(page * ROWS, _MOST_ROWS_PASSED)
        rows = list(islice(_parquet_batches(opened, columns, first, _Pictures()), ROWS))
        is_flat = opened.metadata.num_columns == len(opened.schema_arrow.names)
        places = [opened.schema_arrow.names.index(name) for name in columns]
        statistics = tuple(_statistics(opened, place) for place in places) if is_flat else ()
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError, KeyError, TypeError) as error:
        return Preview("text", f"this table cannot be read: {error}")
    count, more = opened.metadata.num_rows, len(opened.schema_arrow.names) - len(columns)
    return Preview("table", columns=columns, rows=tuple(rows), statistics=statistics, page=page, has_more=first + ROWS < count, count=count, more_columns=more)


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
