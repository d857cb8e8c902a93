"""A run as one flat row: what tables show of it, and what it is filtered, sorted and grouped by. Pure.

Names are `state`, `job_type`, `tags` and the like, `config.lr`, `config.optimizer.name` for what is nested, `summary.acc`, `facts.git.commit`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlvc.workspace.run_questions import RecordedRun

Cell = str | int | float | bool | list[Any]

_OWN = ("label", "name", "project", "state", "job_type", "group", "notes", "entity", "created_ms", "runtime_s")
_NO_CELLS = (*_OWN, "metrics", "plan")
"""Facts that have a name of their own already, or are instructions to mlvc itself."""

_SCALARS = (str, int, float, bool)

_MOST_ITEMS = 100
_DEEPEST = 16


def of(run: RecordedRun) -> dict[str, Cell]:
    """Returns what a run has, by name; what it has nothing of is left out, as are lists of lists or of more than 100 items."""
    found: dict[str, Cell] = {}
    for name in _OWN:
        value = getattr(run, name)
        if value not in (None, ""):
            found[name] = value
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
            found[f"{name}.{key}"] = value
        elif kind is list:
            if value and len(value) <= _MOST_ITEMS and all(one.__class__ in _SCALARS for one in value):
                found[f"{name}.{key}"] = value
        elif kind is dict and "_type" not in value and depth < _DEEPEST:  # a picture or table has no place in a cell
            _flatten(found, f"{name}.{key}", value, depth + 1)
