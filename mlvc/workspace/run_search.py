"""Which runs fit a question, in which order, and in which groups: asked of the columns of all runs."""

from __future__ import annotations

import difflib
import heapq
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from msgspec import Struct

from mlvc.fold.questions import View
from mlvc.format.ids import RunId
from mlvc.workspace import run_cells, run_columns, run_questions
from mlvc.workspace.run_cells import Cell
from mlvc.workspace.run_columns import Columns
from mlvc.workspace.run_conditions import WORDS_OF, Question
from mlvc.workspace.run_questions import RecordedRun
from mlvc.workspace.workspace import Workspace

_SORTED_WHOLE = 2_000
"""Beyond so many, sorting all is faster than looking for the first ones."""


class Found(Struct, frozen=True):
    """Some of the runs that fit, and how many do."""

    runs: list[RunId]
    count: int

    def described(self, workspace: Workspace, view: View) -> Iterator[RecordedRun]:
        """Yields the runs, but for those that are gone since."""
        for one in self.runs:
            run = run_questions.find(workspace, view, one)
            if run is not None:
                yield run


class Group(Struct, frozen=True):
    """The runs that have one value, None for those that have none: how many, and the means of some columns' numbers."""

    value: Cell | None
    count: int
    means: dict[str, float]


def search(columns: Columns, question: Question, *, project: str | None = None, order: str = "", start: int = 0, count: int = 50) -> Found:
    """Returns runs that fit.

    Args:
        columns: of all runs.
        question: what they fit.
        project: whose; None for all.
        order: a column to sort by, with `-` before it the greatest first; runs without it come last. "" for the newest first.
        start, count: which of them to return.
    """
    fitting = _fitting(columns, question, project)
    name = order.removeprefix("-")
    if name:
        fitting = _sorted(columns.column(name), fitting, start + count, is_falling=order.startswith("-"))
    ids = columns.ids()
    some = (ids[place] for place in fitting[start : start + count])
    return Found([run for run in some if run is not None], len(fitting))


def unknown(columns: Columns, asked: Sequence[str]) -> str:
    """Returns what to tell of names that no run has anything under, "" where there are none: most are cut short."""
    known = columns.names()
    for one in asked:
        if one and one not in known and one not in (run_columns.ID, run_columns.IS_LIVE):
            near = [name for name in known if name.partition(".")[2] == one][:3] or difflib.get_close_matches(one, known, 3)
            return f"no run has anything in '{one}'" + (f"; is it {' or '.join(near)}?" if near else "")
    return ""


def groups(columns: Columns, question: Question, by: str, means_of: list[str], *, project: str | None = None) -> list[Group]:
    """Returns the runs that fit by the value that they have of a column, as a condition tells values apart; the largest group first."""
    found: dict[Any, list[int]] = {}
    values = columns.column(by)
    for place in _fitting(columns, question, project):
        found.setdefault(_as_one(values[place]), []).append(place)
    made = [Group(values[places[0]], len(places), {}) for places in found.values()]
    for name in means_of:
        column = columns.column(name)
        for group, places in zip(made, found.values(), strict=True):
            numbers = [number for number in map(run_cells.number_of, map(column.__getitem__, places)) if number is not None]
            if numbers:
                group.means[name] = sum(numbers) / len(numbers)
    return sorted(made, key=lambda group: (-group.count, str(group.value)))


def _as_one(cell: Cell | None) -> Any:
    """Returns what cells of one group have in common: 1 and 1.0 are one number."""
    if isinstance(cell, list):
        return tuple(map(_as_one, cell))
    number = run_cells.number_of(cell)
    return cell if cell is None else run_cells.shown(cell) if number is None else number


def _fitting(columns: Columns, question: Question, project: str | None) -> list[int]:
    """Returns the places of the runs that fit, the newest first."""
    places = columns.newest_first()
    if project is not None:
        of_project = columns.column("project")
        places = [place for place in places if of_project[place] == project]
    for condition in question.conditions:
        column, test = columns.column(condition.name), condition.test()
        places = [place for place in places if test(column[place])]
    texts = [columns.column(name) for name in WORDS_OF] if question.words else []
    for word in dict.fromkeys(question.words):
        having = {place for text in texts for place in _holding(text, places, word)}
        places = [place for place in places if place in having]
    return places


def _holding(column: list[Any], places: list[int], word: str) -> list[int]:
    return [place for place in places if (found := column[place]) and word in (found if isinstance(found, str) else " ".join(map(str, found))).lower()]


def _sorted(column: list[Any], places: list[int], needed: int, *, is_falling: bool) -> list[int]:
    """Returns places by what they have: numbers, then texts, then what has nothing, or NaN; whatever the direction."""
    numbers: list[int] = []
    texts: list[int] = []
    nothing: list[int] = []
    keys: dict[int, Any] = {}
    for place in places:
        value = column[place]
        number = run_cells.number_of(value)
        if number is not None:
            keys[place] = number
            numbers.append(place)
        elif run_cells.is_nothing(value):
            nothing.append(place)
        else:
            keys[place] = run_cells.shown(value)
            texts.append(place)
    return [*_first(numbers, needed, keys.__getitem__, is_falling), *_first(texts, needed, keys.__getitem__, is_falling), *nothing]


def _first(places: list[int], needed: int, by: Callable[[int], Any], is_falling: bool) -> list[int]:
    """Returns places in order; beyond those needed, in any."""
    if needed >= min(_SORTED_WHOLE, len(places)):
        return sorted(places, key=by, reverse=is_falling)
    first = (heapq.nlargest if is_falling else heapq.nsmallest)(needed, places, key=by)
    taken = set(first)
    return [*first, *(place for place in places if place not in taken)]
