"""Which runs fit a question, in which order, and in which groups: asked of the columns of all runs."""

from __future__ import annotations

import heapq
import math
from typing import Any

from msgspec import Struct

from mlvc.format.ids import RunId
from mlvc.workspace.run_columns import RunColumns
from mlvc.workspace.run_conditions import WORDS_OF, Question

_SORTED_WHOLE = 2_000
"""Beyond so many, sorting all is faster than looking for the first ones."""


_NUMBERS = (int, float)
_INFINITE = {"Infinity": math.inf, "-Infinity": -math.inf}
_NOTHING = (None, "NaN")
"""As records spell numbers that JSON has no word for."""


class Found(Struct, frozen=True):
    """Some of the runs that fit, and how many do."""

    runs: list[RunId]
    count: int


class Group(Struct, frozen=True):
    """The runs that have one value, None for those that have none: how many, and the means of some columns' numbers."""

    value: Any
    count: int
    means: dict[str, float]


def search(columns: RunColumns, question: Question, *, project: str | None = None, order: str = "", start: int = 0, count: int = 50) -> Found:
    """Returns runs that fit.

    Args:
        columns: caught up.
        question: what they fit.
        project: whose; None for all.
        order: a column to sort by, with `-` before it the greatest first; runs without it come last. "" for the newest first.
        start, count: which of them to return.
    """
    ids = columns.ids()
    fitting = _fitting(columns, ids, question, project)
    fitting.reverse()  # the newest first
    name = order.removeprefix("-")
    if name:
        fitting = _sorted(columns.column(name), fitting, start + count, is_falling=order.startswith("-"))
    some = (ids[place] for place in fitting[start : start + count])
    return Found([run for run in some if run is not None], len(fitting))


def groups(columns: RunColumns, question: Question, by: str, means_of: list[str], *, project: str | None = None) -> list[Group]:
    """Returns the runs that fit by the value that they have of a column, the largest group first."""
    found: dict[tuple[type, Any], list[int]] = {}
    values = columns.column(by)
    for place in _fitting(columns, columns.ids(), question, project):
        value = values[place]
        found.setdefault((type(value), tuple(value) if isinstance(value, list) else value), []).append(place)
    made = [Group(values[places[0]], len(places), {}) for places in found.values()]
    for name in means_of:
        column = columns.column(name)
        for group, places in zip(made, found.values(), strict=True):
            numbers = [value for value in map(column.__getitem__, places) if _is_number(value)]
            if numbers:
                group.means[name] = sum(numbers) / len(numbers)
    return sorted(made, key=lambda group: -group.count)


def _fitting(columns: RunColumns, ids: list[RunId | None], question: Question, project: str | None) -> list[int]:
    places = [place for place, run in enumerate(ids) if run is not None]
    if project is not None:
        of_project = columns.column("project")
        places = [place for place in places if of_project[place] == project]
    for condition in question.conditions:
        column, test = columns.column(condition.name), condition.test()
        places = [place for place in places if test(column[place])]
    for word in question.words:
        having = {place for name in WORDS_OF for place in _holding(columns.column(name), places, word)}
        places = [place for place in places if place in having]
    return places


def _holding(column: list[Any], places: list[int], word: str) -> list[int]:
    return [place for place in places if (found := column[place]) and word in (found if isinstance(found, str) else " ".join(map(str, found))).lower()]


def _is_number(value: Any) -> bool:
    return value.__class__ in _NUMBERS and bool(value == value)  # NaN is not itself


def _sorted(column: list[Any], places: list[int], needed: int, *, is_falling: bool) -> list[int]:
    """Returns places by what they have: numbers, then texts, then what has nothing, or NaN; whatever the direction."""
    numbers: list[int] = []
    texts: list[int] = []
    nothing: list[int] = []
    for place in places:
        value = column[place]
        if _is_number(value) or (value.__class__ is str and value in _INFINITE):
            numbers.append(place)
        else:
            (nothing if value in _NOTHING or value != value else texts).append(place)
    by_number = _first(numbers, needed, lambda place: _INFINITE.get(column[place], column[place]), is_falling)
    by_text = _first(texts, needed, lambda place: str(column[place]), is_falling)
    return [*by_number, *by_text, *nothing]


def _first(places: list[int], needed: int, by: Any, is_falling: bool) -> list[int]:
    """Returns places in order; beyond those needed, in any."""
    if needed >= min(_SORTED_WHOLE, len(places)):
        return sorted(places, key=by, reverse=is_falling)
    first = (heapq.nlargest if is_falling else heapq.nsmallest)(needed, places, key=by)
    taken = set(first)
    return [*first, *(place for place in places if place not in taken)]
