"""The numbers that runs logged, for charts: columns that are kept for those who move around in them."""

from __future__ import annotations

import threading
from typing import Any

from mlvc.errors import NotFoundError
from mlvc.fold.questions import View
from mlvc.web import series
from mlvc.web.series import Columns, ColumnsCache
from mlvc.web.site import Site
from mlvc.workspace import run_questions
from mlvc.workspace.run_questions import RecordedRun

_cache = ColumnsCache()
_reading = threading.Lock()


def columns_of(site: Site, view: View, run: RecordedRun, *, of_system: bool) -> Columns:
    """Returns a run's numbers as columns; those of a run that ended are kept. One is read at a time: a million rows take memory."""
    with _reading:
        rows = run_questions.each_row(site.workspace, view, run.id, of_system=of_system)
        if run.is_live:
            return Columns(rows)
        return _cache.get((of_system, run_questions.history_id(view, run.id, of_system=of_system)), rows)


def data(found: Columns, run: RecordedRun, keys: list[str], axis: str, most: int, low: float = -series.INFINITE, high: float = series.INFINITE) -> dict[str, Any]:
    """Returns what a chart needs, as JSON can say it; arguments as of `Columns.points`, all keys where none is named.

    Raises:
        NotFoundError: nothing was logged as `axis`.
    """
    if axis not in found.axes and axis not in found.keys:
        raise NotFoundError(f"nothing was logged as '{axis}'", hint="x is _step, _runtime, _timestamp, or a key")
    wanted = [key for key in dict.fromkeys(keys) if key in found.keys] if keys else list(found.keys)
    points = {key: found.points(key, axis, most, low, high) for key in wanted}
    return {"rows": found.rows, "state": run.state, "is_live": run.is_live, "keys": list(found.keys), "left_out": found.left_out, "series": points}
