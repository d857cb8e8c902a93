"""A run as one flat row: what tables show of it, and what it is filtered, sorted and grouped by. Pure.

Names are `state`, `job_type`, `tags` and the like, `config.lr`, `config.optimizer.name` for what is nested, `summary.acc`, `facts.git.commit`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlvc.workspace.run_questions import RecordedRun

Cell = str | int | float | bool | list[Any]
"""A value that compares with others of its kind, in characters and numbers that any file can hold; of a list, each."""

_OWN = ("label", "name", "project", "state", "job_type", "group", "notes", "entity", "created_ms", "runtime_s")
_NO_CELLS = (*_OWN, "metrics", "plan")
"""Facts that have a name of their own already, or are instructions to mlvc itself."""

_SCALARS = (str, int, float, bool)
_MOST_ITEMS = 100
_LONGEST = 4_096
"""Characters of a text that count; nobody sorts by what comes after."""

_DEEPEST = 16
_INFINITE = {"Infinity": math.inf, "-Infinity": -math.inf}
"""As records spell numbers that JSON has no word for."""

_LEAST_INT, _GREATEST_INT = -(1 << 63), (1 << 64) - 1
"""That MessagePack holds."""


def of(run: RecordedRun) -> dict[str, Cell]:
    """Returns what a run has, by name; what it has nothing of is left out, as are lists of lists or of more than 100 items."""
    found: dict[str, Cell] = {}
    for name in _OWN:
        value = getattr(run, name)
        if value not in (None, ""):
            found[name] = _storable(value)
    if run.tags:
        found["tags"] = list(run.tags)
    _flatten(found, "config", run.config, 0)
    _flatten(found, "summary", run.summary, 0)
    _flatten(found, "facts", {name: value for name, value in run.facts.items() if name not in _NO_CELLS}, 0)
    return found


def _flatten(found: dict[str, Cell], name: str, held: Mapping[str, Any], depth: int) -> None:
    for key, value in held.items():
        kind = value.__class__
        if kind in _SCALARS:
            if value != "":
                found[_storable(f"{name}.{key}")] = _storable(value)
        elif kind is list:
            if value and len(value) <= _MOST_ITEMS and all(one.__class__ in _SCALARS for one in value):
                found[_storable(f"{name}.{key}")] = [_storable(one) for one in value]
        elif kind is dict and "_type" not in value and depth < _DEEPEST:  # a picture or table has no place in a cell
            _flatten(found, f"{name}.{key}", value, depth + 1)


def _storable(value: Any) -> Any:
    if value.__class__ is str:
        value = value[:_LONGEST]
        return value if value.isascii() else value.encode("utf-8", "replace").decode()  # half a surrogate pair is no character
    if value.__class__ is int and not _LEAST_INT <= value <= _GREATEST_INT:
        return str(value)
    return value


def number_of(cell: Any) -> float | int | None:
    """Returns the number that a cell holds, None when it holds none: a truth value is none, and NaN neither."""
    kind = cell.__class__
    if kind is float:
        return cell if cell == cell else None  # NaN is not itself
    if kind is int:
        return int(cell)
    return _INFINITE.get(cell) if kind is str else None


def is_nothing(cell: Any) -> bool:
    """Tells whether a cell says nothing: it is not there, or NaN."""
    return cell is None or cell == "NaN" or cell != cell


def shown(cell: Cell) -> str:
    """Returns a cell as a person would type it in a condition."""
    return str(cell).lower() if isinstance(cell, bool) else str(cell)
