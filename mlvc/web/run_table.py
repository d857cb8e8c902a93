"""The table of a project's runs: filtered, sorted, grouped, in the columns that a reader chose."""

from __future__ import annotations

import shlex
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from mlvc.errors import UsageError
from mlvc.web import queries, rendering
from mlvc.web.run_comparison import MOST_COMPARED
from mlvc.workspace import run_cells, run_conditions, run_questions, run_search
from mlvc.workspace.run_cells import Cell
from mlvc.workspace.run_questions import RecordedRun

PER_PAGE = 50
_COLUMNS = 6
_MOST_OFFERED = 200
"""Columns to choose from without typing their name: of those that the newest runs have."""

_MOST_GROUPS = 200
_MOST_CHOSEN = 50
_LONGEST_QUESTION = 2_000


def runs_page(request: Request) -> Response:
    """The table of a project's runs, or of all."""
    site = rendering.site_of(request)
    project = request.path_params.get("project")
    query = request.query_params
    wanted, order, by = query.get("q", "").strip(), query.get("sort", ""), query.get("group", "")
    start = queries.page(request)
    if len(request.url.query) > _LONGEST_QUESTION * 4 or len(query.getlist("col")) > _MOST_CHOSEN or len(wanted) > _LONGEST_QUESTION:
        raise UsageError("this address asks for too much", hint=f"a table has at most {_MOST_CHOSEN} columns, a filter {_LONGEST_QUESTION:,} characters")
    found, groups, problem = None, [], ""
    try:
        asked = run_conditions.question(wanted)
    except UsageError as error:
        found, problem = run_search.Found([], 0), "; ".join(filter(None, (error.message, error.hint)))
    if not problem and (wanted or order or by):
        with site.run_columns() as columns:
            problem = run_search.unknown(columns, [*(one.name for one in asked.conditions), order.removeprefix("-"), by])
            found = run_search.search(columns, asked, project=project, order=order, start=start * PER_PAGE, count=PER_PAGE)
            if start > _last_page(found.count):
                start = _last_page(found.count)
                found = run_search.search(columns, asked, project=project, order=order, start=start * PER_PAGE, count=PER_PAGE)
            if by:
                means_of = [one for one in query.getlist("col") or columns.names() if one.startswith("summary.") and not one.startswith("summary._")]
                groups = run_search.groups(columns, asked, by, means_of[:_COLUMNS], project=project)
    with site.reading() as view:
        total = run_questions.count_runs(site.workspace, view, project)
        typical = run_questions.some_runs(site.workspace, view, project, 0, PER_PAGE)
        if found is not None:
            some = list(found.described(site.workspace, view))
        else:
            start = min(start, _last_page(total))
            some = run_questions.some_runs(site.workspace, view, project, start * PER_PAGE, PER_PAGE) if start else typical
    offered = offered_columns(some or typical)
    kept = [(name, value) for name, value in query.multi_items() if name not in ("page", "done") and value]
    ungrouped = urlencode([(name, value) for name, value in kept if name not in ("group", "q")])
    unsorted = urlencode([(name, value) for name, value in kept if name != "sort"])
    columns_shown = [one for one in dict.fromkeys(query.getlist("col")) if one] or offered[:_COLUMNS]
    return rendering.page(
        request, "runs", title=f"Runs of {project}" if project else "Runs", of_project=project, runs=some, columns=columns_shown, offered=list(dict.fromkeys([*offered, *columns_shown])),
        wanted=wanted, order=order, by=by, groups=[(group, _condition(by, group.value)) for group in groups[:_MOST_GROUPS]], group_count=len(groups),
        start=start, per_page=PER_PAGE, count=total if found is None else found.count, total=total, problem=problem, most=MOST_COMPARED,
        cells=[_row(run, columns_shown) for run in some], kept=f"{urlencode(kept)}&" if kept else "", unsorted=f"{unsorted}&" if unsorted else "",
        ungrouped=f"{ungrouped}&" if ungrouped else "",
    )  # fmt: skip


def _last_page(count: int) -> int:
    return max(0, count - 1) // PER_PAGE


def offered_columns(runs: list[RecordedRun]) -> list[str]:
    """Returns the names of columns that some runs have something in: first those that most have, and that tell them apart; half of them config."""
    values: dict[str, list[Any]] = {}
    for run in runs:
        for name, value in run_cells.of(run).items():
            values.setdefault(name, []).append(str(value))
    ranked = sorted(values, key=lambda name: (-len(values[name]), len(set(values[name])) == 1))
    parts = [[name for name in ranked if name.startswith(part) and not name.startswith(f"{part}_")] for part in ("summary.", "config.")]
    half = _COLUMNS // 2
    first = [*parts[0][: _COLUMNS - min(half, len(parts[1]))], *parts[1][:half]]
    return [*first, *(name for part in parts for name in part if name not in first)][:_MOST_OFFERED]


def _row(run: RecordedRun, columns: list[str]) -> list[Any]:
    """Returns what a run has in each column, such as `config.lr`; "" where it has nothing."""
    cells = run_cells.of(run)
    return [cells.get(column, "") for column in columns]


def _condition(by: str, value: Cell | None) -> str:
    """Returns what a person would type to see only the runs of a group; of a list, the runs that have all of it."""
    values = value if isinstance(value, list) else [value]
    return " ".join(shlex.quote(f"{by}={'' if one is None else run_cells.shown(one)}") for one in dict.fromkeys(values))
