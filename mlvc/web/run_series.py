"""The numbers that runs logged, for charts: columns that are kept for those who move around in them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from itertools import islice
from typing import Any

from mlvc.errors import NotFoundError
from mlvc.fold.questions import View
from mlvc.format.ids import RunId
from mlvc.web import series
from mlvc.web.series import Columns, ColumnsCache
from mlvc.web.site import Site
from mlvc.workspace import run_questions
from mlvc.workspace.run_questions import RecordedRun

_cache = ColumnsCache()
_reading = threading.Lock()
"""One is read, and looked at, at a time: a million rows take memory, and columns that grow may not be looked at meanwhile."""

_MOST_FOLLOWED = 20


_followed: OrderedDict[tuple[RunId, bool], tuple[tuple[bytes, ...], Columns]] = OrderedDict()
"""Of runs under way: what of them was sealed when their columns were begun, and the columns."""


def data(
    site: Site, view: View, run: RecordedRun, keys: list[str], axis: str, most: int, low: float = -series.INFINITE, high: float = series.INFINITE, *, of_system: bool = False
) -> dict[str, Any]:
    """Returns what a chart needs, as JSON can say it; arguments as of `Columns.points`, all keys where none is named.

    Raises:
        NotFoundError: nothing was logged as `axis`.
    """
    with _reading:
        found = _columns(site, view, run, of_system=of_system)
        if axis not in found.axes and axis not in found.keys:
            raise NotFoundError(f"nothing was logged as '{axis}'", hint="x is _step, _runtime, _timestamp, or a key")
        wanted = [key for key in dict.fromkeys(keys) if key in found.keys] if keys else list(found.keys)
        points = {key: found.points(key, axis, most, low, high) for key in wanted}
        return {"rows": found.rows, "state": run.state, "is_live": run.is_live, "keys": list(found.keys), "left_out": found.left_out, "series": points}


def _columns(site: Site, view: View, run: RecordedRun, *, of_system: bool) -> Columns:
    sealed = run_questions.history_id(view, run.id, of_system=of_system)
    if not run.is_live:
        return _cache.get((of_system, sealed), run_questions.each_row(site.workspace, view, run.id, of_system=of_system))
    key = (run.id, of_system)
    rows = run_questions.each_row(site.workspace, view, run.id, of_system=of_system)
    known = _followed.pop(key, None)
    if known is not None and known[0] == sealed and run_questions.count_writers(site.workspace, run.id) == 1:
        found = known[1]
        found.drop_last()  # the only row that one writer may still add to
        found.add(islice(rows, found.rows, None))
    else:
        found = Columns(rows)
    _followed[key] = (sealed, found)
    while len(_followed) > _MOST_FOLLOWED:
        _followed.popitem(last=False)
    return found
