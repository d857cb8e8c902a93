"""Pages of runs: the table of a project, one run with its charts, and several beside each other."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from itertools import islice
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
from mlvc.web import addresses, browsing, collections, lineage_view, logged_media, queries, rendering
from mlvc.workspace import resolving, run_conditions, run_questions, shapes
from mlvc.workspace.run_questions import RecordedRun
from mlvc.workspace.workspace import Workspace

TABS = ("charts", "media", "overview", "config", "system", "logs", "code", "data")
PER_PAGE = 50
MOST_COMPARED = 20
_MOST_LOOKED_AT = 1_000
"""Runs that are sorted, filtered or grouped: the newest ones. In their own order, all are listed."""

_COLUMNS = 6
_LOG_BYTES = 512 << 10
_PATCH_BYTES = 512 << 10


def runs_page(request: Request) -> Response:
    """The table of a project's runs, or of all."""
    site = rendering.site_of(request)
    project = request.path_params.get("project")
    query = request.query_params
    wanted, order, group = query.get("q", "").strip(), query.get("sort", ""), query.get("group", "")
    start = queries.page(request)
    problem = ""
    asked = None
    try:
        asked = _asked(wanted)
    except (UsageError, ValueError) as error:
        problem = error.message if isinstance(error, UsageError) else f"this filter cannot be read: {error}"
    with site.reading() as view:
        total = run_questions.count_runs(site.workspace, view, project)
        if wanted or order or group:
            looked_at = [(run, shapes.run(run)) for run in islice(run_questions.list_runs(site.workspace, view, project), _MOST_LOOKED_AT)]
            chosen = _sorted([(run, data) for run, data in looked_at if asked is not None and asked(run, data)], order)
            groups = _grouped(chosen, group) if group else []
            start = min(start, max(0, len(chosen) - 1) // PER_PAGE)
            some = [run for run, _ in chosen[start * PER_PAGE : (start + 1) * PER_PAGE]]
            count, is_bounded = len(chosen), total > _MOST_LOOKED_AT
            typical = [run for run, _ in looked_at[:PER_PAGE]]
        else:
            groups = []
            start = min(start, max(0, total - 1) // PER_PAGE)
            some = run_questions.some_runs(site.workspace, view, project, start * PER_PAGE, PER_PAGE)
            count, is_bounded = total, False
            typical = some if not start else run_questions.some_runs(site.workspace, view, project, 0, PER_PAGE)
    offered = offered_columns([*typical, *some])
    kept = urlencode([(name, value) for name, value in query.multi_items() if name not in ("page", "done") and value])
    columns = [one for one in query.getlist("col") if one] or offered[:_COLUMNS]
    return rendering.page(
        request, "runs", title=f"Runs of {project}" if project else "Runs", of_project=project, runs=some, columns=columns, offered=offered, wanted=wanted, order=order,
        group=group, groups=groups, start=start, per_page=PER_PAGE, count=count, total=total, is_bounded=is_bounded, looked_at=_MOST_LOOKED_AT, problem=problem, cells=[_cells(run, columns) for run in some], kept=f"{kept}&" if kept else "",
    )  # fmt: skip


def _asked(wanted: str) -> Callable[[RecordedRun, dict[str, Any]], bool]:
    """Returns what tells whether a run fits: conditions, in quotes where they hold spaces, and words that its name or tags contain.

    Raises:
        UsageError, ValueError: it makes no sense.
    """
    parts = shlex.split(wanted)
    conditions = [run_conditions.parse(part) for part in parts if any(one in part for one in "=<>")]
    words = [part.lower() for part in parts if not any(one in part for one in "=<>")]

    def fits(run: RecordedRun, data: dict[str, Any]) -> bool:
        text = " ".join([run.name, run.label, run.job_type, run.group, *run.tags]).lower()
        return all(condition.holds(data) for condition in conditions) and all(word in text for word in words)

    return fits


def offered_columns(runs: list[RecordedRun]) -> list[str]:
    """Returns the names of columns that some runs have something in: summaries first, then config."""
    found: dict[str, None] = {}
    for part in ("summary", "config"):
        for run in runs:
            for name, value in getattr(run, part).items():
                if not name.startswith("_") and not isinstance(value, (dict, list)):
                    found[f"{part}.{name}"] = None
    return list(found)


def _cells(run: RecordedRun, columns: list[str]) -> list[Any]:
    """Returns what a run has in each column, such as `config.lr`; "" where it has nothing."""
    data = shapes.run(run)
    found = (run_conditions.value(data, column) for column in columns)
    return ["" if value is None else value for value in found]


def _sorted(chosen: list[tuple[RecordedRun, dict[str, Any]]], order: str) -> list[tuple[RecordedRun, dict[str, Any]]]:
    """Returns runs by a name, `-` before it turns the order round; those that have nothing under it come last."""
    name = order.lstrip("-")
    if not name:
        return chosen

    def place(pair: tuple[RecordedRun, dict[str, Any]]) -> tuple[int, Any]:
        value = run_conditions.value(pair[1], name)
        return (0, value) if isinstance(value, (int, float)) else (1, str(value))

    having = [pair for pair in chosen if run_conditions.value(pair[1], name) is not None]
    lacking = [pair for pair in chosen if run_conditions.value(pair[1], name) is None]
    return [*sorted(having, key=place, reverse=order.startswith("-")), *lacking]


def _grouped(chosen: list[tuple[RecordedRun, dict[str, Any]]], by: str) -> list[dict[str, Any]]:
    """Returns, for each value of a name, how many runs have it, and the means of their summaries' numbers."""
    found: dict[str, list[RecordedRun]] = {}
    for run, data in chosen:
        value = run_conditions.value(data, by)
        found.setdefault("none" if value in (None, "") else str(value), []).append(run)
    groups = []
    for value, runs in found.items():
        sums: dict[str, list[float]] = {}
        for run in runs:
            for name, number in run.summary.items():
                if isinstance(number, (int, float)) and not isinstance(number, bool) and not name.startswith("_"):
                    sums.setdefault(name, []).append(number)
        means = [(name, sum(numbers) / len(numbers)) for name, numbers in list(sums.items())[:_COLUMNS]]
        condition = "" if value == "none" else shlex.quote(f"{by}={value}")
        groups.append({"value": value, "count": len(runs), "means": means, "condition": condition})
    return groups


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


def _overview(request: Request, workspace: Workspace, view: View, run: RecordedRun) -> dict[str, Any]:
    facts = {name: value for name, value in run.facts.items() if name not in ("name", "state", "metrics", "plan", "git", "command")}
    return {"facts": facts, "git": run.facts.get("git") or {}, "command": " ".join(map(str, run.facts.get("command") or ())), **_data(request, workspace, view, run)}


def _logs(request: Request, workspace: Workspace, view: View, run: RecordedRun) -> dict[str, Any]:
    console = run_questions.console(workspace, view, run.id)
    pages = max(1, -(-len(console) // _LOG_BYTES))
    page = min(queries.page(request), pages - 1)
    end = len(console) - page * _LOG_BYTES  # the last bytes are what people come for
    text = console[max(0, end - _LOG_BYTES) : end].decode("utf-8", "replace")
    return {"text": browsing.cut_lines(plain(text)), "page": page, "pages": pages, "size": len(console)}


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
    return {
        "git": run.facts.get("git") or {},
        "patch": rendering.highlighted_patch(browsing.cut_lines(patch[:_PATCH_BYTES].decode("utf-8", "replace"))) if patch else "",
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


_PARTS = {"charts": _nothing, "media": _media, "overview": _overview, "config": _nothing, "system": _nothing, "logs": _logs, "code": _code, "data": _data}


def run_lineage(request: Request) -> Response:
    """The lineage of a run."""
    site = rendering.site_of(request)
    with site.reading() as view:
        run = run_of(request, site.workspace, view)
        values = lineage_view.of(request, site.workspace, view, run.id)
    return rendering.page(request, "lineage", title=f"Lineage of {run.name or run.label}", lineage=values)


def compare_page(request: Request) -> Response:
    """Up to twenty runs beside each other: where their configs differ, and their metrics in one chart each."""
    site = rendering.site_of(request)
    wanted = list(dict.fromkeys(request.query_params.getlist("run")))[:MOST_COMPARED]
    with site.reading() as view:
        runs = [run_of(request, site.workspace, view, one) for one in wanted]
    keys = list(dict.fromkeys(key for run in runs for key in run.config))
    rows = []
    for key in sorted(keys):
        values = [run.config.get(key) for run in runs]
        rows.append({"key": key, "values": values, "differs": any(value != values[0] for value in values)})
    summaries = list(dict.fromkeys(key for run in runs for key in run.summary if not key.startswith("_")))
    totals = [{"key": key, "values": [run.summary.get(key) for run in runs], "differs": False} for key in sorted(summaries)]
    return rendering.page(
        request, "compare_runs", title="Compare runs", runs=runs, rows=rows, totals=totals, most=MOST_COMPARED,
        sources=[f"/api/v1{addresses.run(run.project, run.label)}/series" for run in runs],
    )  # fmt: skip
