"""What a run logged, as columns of numbers; and few points of many that still show every spike."""

from __future__ import annotations

import math
import threading
from array import array
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

MOST_POINTS = 5_000
POINTS = 600
"""Of each key, where nobody says how many."""

INFINITE = math.inf
_MOST_KEYS = 500
_KEPT_NUMBERS = 8_000_000
"""Numbers of columns that stay in memory, 16 bytes each."""

STEP, RUNTIME, TIMESTAMP = "_step", "_runtime", "_timestamp"


class Columns:
    """Numbers by key, each with the rows that it was logged in; and what a row's step, runtime and time are.

    Attributes:
        rows: how many there are.
        axes: `_step`, `_runtime` (s) and `_timestamp` (s) of every row; NaN where a row has none.
        keys: key -> (row numbers, values).
    """

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self.rows = 0
        self.axes = {name: array("d") for name in (STEP, RUNTIME, TIMESTAMP)}
        self.keys: dict[str, tuple[array[int], array[float]]] = {}
        self._more: set[str] = set()
        self.add(rows)

    @property
    def left_out(self) -> int:
        """How many keys there are beyond the first 500, which have no column."""
        return len(self._more)

    def drop_last(self) -> None:
        """Takes the last row out again, for it may have got more values since."""
        if not self.rows:
            return
        self.rows -= 1
        for axis in self.axes.values():
            axis.pop()
        for numbers, values in self.keys.values():
            if numbers and numbers[-1] == self.rows:
                numbers.pop()
                values.pop()

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Adds rows behind those that are there."""
        for number, row in enumerate(rows, start=self.rows):
            self.rows += 1
            for name, axis in self.axes.items():
                place = row.get(name)
                axis.append(float(place) if isinstance(place, (int, float)) else float("nan"))
            for key, value in row.items():
                if type(value) not in (int, float, bool) or key in self.axes:
                    continue
                if key not in self.keys:
                    if len(self.keys) == _MOST_KEYS:
                        self._more.add(key)
                        continue
                    self.keys[key] = (array("q"), array("d"))
                numbers, values = self.keys[key]
                numbers.append(number)
                values.append(value)

    @property
    def numbers(self) -> int:
        """How many numbers it holds."""
        return 3 * self.rows + 2 * sum(len(values) for _, values in self.keys.values())

    def all_points(self, key: str, axis: str, low: float = -INFINITE, high: float = INFINITE) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Returns a key's points in the order of an axis.

        Args:
            key: which.
            axis: `_step`, `_runtime` or `_timestamp` (s), or another key of the same rows.
            low, high: of the axis: only what lies between, and the next point on either side, so that lines reach the edges.
        """
        import numpy as np

        numbers, values = self.keys[key]
        rows, y = np.frombuffer(numbers, dtype=np.int64), np.frombuffer(values, dtype=np.float64)
        if axis in self.axes:
            x = np.frombuffer(self.axes[axis], dtype=np.float64)[rows]
        else:
            other_rows, other = np.frombuffer(self.keys[axis][0], dtype=np.int64), np.frombuffer(self.keys[axis][1], dtype=np.float64)
            _, mine, theirs = np.intersect1d(rows, other_rows, assume_unique=True, return_indices=True)
            x, y = other[theirs], y[mine]
        order = np.argsort(x, kind="stable")  # NaN last
        first = max(0, int(np.searchsorted(x, low, side="left", sorter=order)) - 1) if low > -INFINITE else 0
        last = int(np.searchsorted(x, high, side="right", sorter=order)) + 1 if high < INFINITE else len(order)
        order = order[first:last]
        return x[order], y[order]

    def points(self, key: str, axis: str, most: int, low: float = -INFINITE, high: float = INFINITE) -> dict[str, list[float | None]]:
        """Returns what to draw of a key: `x` and `y` of at most about `most` points that hide no spike; arguments as of `all_points`.

        Where points are left out, also `mean_x` and `mean_y`, of as many stretches as lines of those points have: what to smooth, for
        least and greatest values are no fair choice of all.
        """
        x, y = self.all_points(key, axis, low, high)
        chosen = thinned(y, most)
        found = {"x": _plain(x[chosen]), "y": _plain(y[chosen])}
        if len(chosen) < len(y):
            mean_x, mean_y = means(x, y, max(1, most // 2))
            found |= {"mean_x": _plain(mean_x), "mean_y": _plain(mean_y)}
        return found


def thinned(values: np.ndarray[Any, Any], most: int) -> np.ndarray[Any, Any]:
    """Returns the places of at most about `most` values: of each of equally long stretches the first, least, greatest and last.

    Whatever is drawn in as many columns of pixels looks as if all values were drawn: M4, after Jugel, Jerzak, Hackenbroich and Markl,
    "M4: A Visualization-Oriented Time Series Data Aggregation" (VLDB 2014). NaN counts neither as least nor as greatest.
    """
    import numpy as np

    size = len(values)
    if size <= most:
        return np.arange(size)
    stretches = max(1, most // 4)
    edges = np.linspace(0, size, stretches + 1).astype(np.int64)
    least_of, greatest_of = np.where(np.isnan(values), np.inf, values), np.where(np.isnan(values), -np.inf, values)
    found = set()
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        if start < end:
            found |= {start, end - 1, start + int(np.argmin(least_of[start:end])), start + int(np.argmax(greatest_of[start:end]))}
    return np.array(sorted(found), dtype=np.int64)


def means(x: np.ndarray[Any, Any], y: np.ndarray[Any, Any], count: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Returns the means of equally long stretches, without what is no number; at least one point each."""
    import numpy as np

    starts = np.unique(np.linspace(0, len(y), min(count, len(y)) + 1).astype(np.int64)[:-1])
    is_real = np.isfinite(y) & np.isfinite(x)
    how_many = np.add.reduceat(is_real.astype(np.float64), starts)
    with np.errstate(invalid="ignore", over="ignore"):
        sums = [np.add.reduceat(np.where(is_real, values, 0.0), starts) / how_many for values in (x, y)]
    return sums[0], sums[1]


def _plain(values: np.ndarray[Any, Any]) -> list[float | None]:
    """Returns numbers for JSON, which has neither NaN nor infinity."""
    return [value if value - value == 0 else None for value in values.tolist()]


class ColumnsCache:
    """Columns of the runs that were looked at last, so that moving around in a chart reads nothing again."""

    def __init__(self) -> None:
        self._kept: OrderedDict[object, Columns] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: object, read: Iterator[Mapping[str, Any]]) -> Columns:
        """Returns what is kept under a key, or what `read` yields, kept from now on."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                return found
        made = Columns(read)
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > 1 and sum(one.numbers for one in self._kept.values()) > _KEPT_NUMBERS:
                self._kept.popitem(last=False)
        return made
