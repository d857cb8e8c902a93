"""What a run logged beside numbers: images, sound, pages, tables, by key and step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from msgspec import Struct

from mlvc import wording
from mlvc.web import file_kinds

MOST = 300
"""Items that a page shows: the last ones."""

_MOST_BARS = 1_000

IMAGE, SOUND, FILM, PAGE, TABLE, HISTOGRAM, FILE = "image", "sound", "film", "page", "table", "histogram", "file"


class Item(Struct, frozen=True):
    """One thing: its key, step, kind, caption, and the path of the file that the run keeps, or the version that holds a table; of a histogram its bars, (count, %)."""

    key: str
    step: int
    kind: str
    caption: str
    path: str
    bars: tuple[tuple[float, float], ...] = ()


def items(rows: Iterable[Mapping[str, Any]]) -> list[Item]:
    """Returns the last `MOST` things in a history, those of one key together, the newest step first."""
    found: list[Item] = []
    for row in rows:
        step = row.get("_step")
        for key, value in row.items():
            if isinstance(value, Mapping) and "_type" in value:
                found += _of_value(str(key), step if isinstance(step, int) else 0, value)
        del found[: -2 * MOST]
    return sorted(found[-MOST:], key=lambda one: (one.key, -one.step))


def _of_value(key: str, step: int, value: Mapping[str, Any]) -> Iterator[Item]:
    if str(value.get("_type")) == "table-file" and value.get("artifact"):
        yield Item(key, step, TABLE, f"{value.get('nrows', '?')} rows, {value.get('ncols', '?')} columns", str(value["artifact"]))
        return
    if value.get("_type") == HISTOGRAM:
        counts = value.get("values")
        if isinstance(counts, list) and 0 < len(counts) <= _MOST_BARS and all(isinstance(one, (int, float)) and one >= 0 for one in counts):
            most = max(counts) or 1
            yield Item(key, step, HISTOGRAM, _borders(value.get("bins")), "", tuple((one, round(100 * one / most, 2)) for one in counts))
        return
    several = value.get("filenames")
    paths = [str(one) for one in several] if isinstance(several, list) else [str(value["path"])] if value.get("path") else []
    paths = [one for one in paths if ".." not in one.split("/")]
    said = value.get("captions")
    captions = [str(one) for one in said] if isinstance(said, list) else [str(value.get("caption") or "")]
    for place, path in enumerate(paths):
        yield Item(key, step, kind_of(path), captions[place] if place < len(captions) else "", path)


def _borders(bins: Any) -> str:
    is_known = isinstance(bins, list) and len(bins) > 1 and all(isinstance(one, (int, float)) for one in (bins[0], bins[-1]))
    return f"{wording.number(bins[0])} … {wording.number(bins[-1])}" if is_known else ""


def kind_of(path: str) -> str:
    """Returns how a browser shows a file, by its name."""
    suffix = PurePosixPath(path).suffix.lower()
    kinds = ((IMAGE, file_kinds.IMAGES), (SOUND, file_kinds.SOUNDS), (FILM, file_kinds.FILMS), (PAGE, file_kinds.PAGES))
    return next((kind for kind, known in kinds if suffix in known), FILE)
