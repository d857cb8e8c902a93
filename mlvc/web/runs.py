"""Pages of runs: the table of a project, one run with its charts, and several beside each other."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from mlvc.errors import ConflictError, NotFoundError, UsageError
from mlvc.fold.questions import View
from mlvc.format import names
from mlvc.format.ids import RunId
from mlvc.format.reference import RunReference
from mlvc.lineage.graph import RUN
from mlvc.web import (
    addresses,
    collections,
    lineage_view,
    logged_media,
    patches,
    queries,
    rendering,
    run_series,
    series,
    texts,
)
from mlvc.workspace import resolving, run_cells, run_columns, run_conditions, run_questions, run_search
from mlvc.workspace.run_cells import Cell
from mlvc.workspace.run_questions import RecordedRun
from mlvc.workspace.workspace import Workspace

TABS = ("charts", "media", "overview", "config", "system", "logs", "code", "data")
PER_PAGE = 50
MOST_COMPARED = 20
_COLUMNS = 6
_MOST_OFFERED = 200
"""Columns to choose from without typing their name: of those that the newest runs have."""

_MOST_GROUPS = 200
_MOST_CHOSEN = 50
_LONGEST_QUESTION = 2_000
_LOG_BYTES = 512 << 10
_PATCH_BYTES = 512 << 10


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
        found, problem = run_search.Found([], 0), f"{error.message}; {error.hint}"
    if not problem and (wanted or order or by):
        with site.run_columns() as columns:
            problem = _unknown([*(one.name for one in asked.conditions), order.removeprefix("-"), by], columns.names())
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


def _unknown(asked: Sequence[str], names: Sequence[str]) -> str:
    """Returns what to say of columns that no run has anything in, "" where there is none: most are a name cut short."""
    for one in asked:
        if one and one not in names and one not in (run_columns.ID, run_columns.IS_LIVE):
            near = [name for name in names if name.partition(".")[2] == one][:3] or difflib.get_close_matches(one, names, 3)
            return f"no run has anything in '{one}'" + (f"; is it {' or '.join(near)}?" if near else "")
    return ""


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


def run_of(request: Request, workspace: Workspace, view: View, text: str | None = None) -> RecordedRun:
    """Returns the run that a path, or `PROJECT/ID`, names; NotFoundError when there is none, ConflictError when there are two."""
    project, _, label = f"{request.path_params['project']}/{request.path_params['run']}".partition("/") if text is None else text.partition("/")
    names.check_project(project)
    found = resolving.runs_found(workspace, view, project, RunReference(project, label))
    if len(found) > 1:
        raise ConflictError(f"'{label}' is the name of {len(found)} runs of {project}", hint="open it by its id, which the table shows")
    if not found:
        raise NotFoundError(f"there is no run '{label}' in the project {project}", hint="it may have been deleted; 'mlvc pull' may bring it")
    return run_questions.describe(workspace, view, found[0])


def run_page(request: Request) -> Response:
    """One run; `tab` of the path says which part of it."""
    site = rendering.site_of(request)
    tab = str(request.path_params.get("tab") or "charts")
    if tab not in TABS:
        raise NotFoundError(f"a run has no page '{tab}'")
    with site.reading() as view:
        run = run_of(request, site.workspace, view)
        values = _PARTS[tab](request, site.workspace, view, run)
    return rendering.page(request, f"run_{tab}", title=run.name or run.label, run=run, tab=tab, tabs=TABS, series_address=f"/api/v1{addresses.run(run.project, run.label)}/series", **values)


def _nothing(*_: Any) -> dict[str, Any]:
    return {}


def _charts(request: Request, _: Workspace, view: View, run: RecordedRun, *, of_system: bool = False) -> dict[str, Any]:
    """Returns, for pages that are written as files, what others ask for when they are there."""
    site = rendering.site_of(request)
    if not site.is_export:
        return {"inline": []}
    return {"inline": [run_series.data(site, view, run, [], series.RUNTIME if of_system else series.STEP, series.POINTS, of_system=of_system)]}


def _overview(request: Request, workspace: Workspace, view: View, run: RecordedRun) -> dict[str, Any]:
    facts = {name: value for name, value in run.facts.items() if name not in ("name", "state", "metrics", "plan", "git", "command")}
    return {"facts": facts, "git": _git(run), "command": " ".join(map(str, run.facts.get("command") or ())), **_data(request, workspace, view, run)}


def _git(run: RecordedRun) -> dict[str, Any]:
    """Returns what is known of a run's code; a stranger's record may say anything."""
    said = run.facts.get("git") or {}
    found: dict[str, Any] = {name: value for name, value in said.items() if isinstance(value, (str, bool))}
    left_out = said.get("left_out")
    found["left_out"] = [one for one in left_out if isinstance(one, list) and len(one) == 2] if isinstance(left_out, list) else []
    return found


def _logs(request: Request, workspace: Workspace, view: View, run: RecordedRun) -> dict[str, Any]:
    console = run_questions.console(workspace, view, run.id)
    pages = max(1, -(-len(console) // _LOG_BYTES))
    page = min(queries.page(request), pages - 1)
    end = len(console) - page * _LOG_BYTES  # the last bytes are what people come for
    text = console[max(0, end - _LOG_BYTES) : end].decode("utf-8", "replace")
    return {"text": texts.cut_lines(plain(text)), "page": page, "pages": pages, "size": len(console)}


def plain(text: str) -> str:
    """Returns what a terminal would show at the end: colours taken out, and of lines that were written over the last."""
    import re

    text = re.sub(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])", "", text)
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return "\n".join("".join(c for c in line if c == "\t" or c >= " ") for line in lines)


def _media(_: Request, workspace: Workspace, view: View, run: RecordedRun) -> dict[str, Any]:
    found = logged_media.items(run_questions.each_row(workspace, view, run.id))
    groups: dict[str, list[logged_media.Item]] = {}
    for one in found:
        groups.setdefault(one.key, []).append(one)
    return {"groups": list(groups.items()), "is_cut": len(found) == logged_media.MOST, "most": logged_media.MOST}


def _code(_: Request, workspace: Workspace, view: View, run: RecordedRun) -> dict[str, Any]:
    patch = run_questions.patch(workspace, view, run.id)
    shown, is_cut = patches.readable(patch, _PATCH_BYTES)
    return {
        "git": _git(run),
        "patch": rendering.highlighted_patch(texts.cut_lines(shown)) if patch else "",
        "is_cut": is_cut or shown.count("\n") > rendering.PATCH_LINES,
        "patch_size": len(patch),
        "packages": run_questions.packages(workspace, view, run.id),
        "command": " ".join(map(str, run.facts.get("command") or ())),
    }


def _data(_: Request, workspace: Workspace, view: View, run: RecordedRun) -> dict[str, Any]:
    inputs = []
    for version in run_questions.inputs(workspace, view, run.id)[:200]:
        source = view.source_collection(version)
        member = view.member(source, version) if source else None
        inputs.append(collections.row(workspace, view, member) if member is not None else {"name": resolving.display_version(workspace, view, version), "address": "", "type": ""})
    outputs = []
    for version in view.outputs(RunId(run.id))[:200]:
        source = view.source_collection(version)
        member = view.member(source, version) if source else None
        if member is not None:
            outputs.append(collections.row(workspace, view, member))
    return {"inputs": inputs, "outputs": outputs, "lineage_address": addresses.lineage((RUN, run.id)), "kept": run_questions.kept_files(workspace, view, run.id)[:500]}


_PARTS: dict[str, Callable[..., dict[str, Any]]] = {"charts": _charts, "media": _media, "overview": _overview, "config": _nothing, "system": partial(_charts, of_system=True), "logs": _logs, "code": _code, "data": _data}


def run_lineage(request: Request) -> Response:
    """The lineage of a run."""
    site = rendering.site_of(request)
    with site.reading() as view:
        run = run_of(request, site.workspace, view)
        values = lineage_view.of(request, site.workspace, view, run.id)
    return rendering.page(request, "run_lineage", title=f"Lineage of {run.name or run.label}", lineage=lineage_view.drawn(values), run=run, tab="lineage", tabs=TABS)


def compare_page(request: Request) -> Response:
    """Up to twenty runs beside each other: where their configs differ, and their metrics in one chart each."""
    site = rendering.site_of(request)
    asked = list(dict.fromkeys(request.query_params.getlist("run")))
    with site.reading() as view:
        runs = [run_of(request, site.workspace, view, one) for one in asked[:MOST_COMPARED]]
    cells = [run_cells.of(run) for run in runs]
    rows = _compared([_of(one, "config.") for one in cells])
    shown = [run.name or run.label for run in runs]
    names_shown = [f"{name} {run.label}" if shown.count(name) > 1 else name for name, run in zip(shown, runs, strict=True)]
    return rendering.page(
        request, "compare_runs", title="Compare runs", inline=[], runs=runs, asked=len(asked), most=MOST_COMPARED,
        differing=[row for row in rows if row["differs"]], alike=[row for row in rows if not row["differs"]],
        totals=[{**row, "differs": False} for row in _compared([_of(one, "summary.") for one in cells]) if not row["key"].startswith("_")],
        names_shown=names_shown,
        sources=[f"/api/v1{addresses.run(run.project, run.label)}/series" for run in runs],
    )  # fmt: skip


def _of(cells: Mapping[str, Any], part: str) -> dict[str, Any]:
    return {name.removeprefix(part): value for name, value in cells.items() if name.startswith(part)}


def _compared(maps: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Returns what several maps have under each of their keys; whether they differ, too."""
    rows = []
    for key in sorted({key for one in maps for key in one}):
        values = [one.get(key) for one in maps]
        rows.append({"key": key, "values": values, "differs": any(key not in one for one in maps) or any(value != values[0] for value in values)})
    return rows
