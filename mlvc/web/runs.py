"""Pages of one run: charts, media, config, system, logs, code and data."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mlvc.errors import ConflictError, NotFoundError
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
from mlvc.workspace import resolving, run_questions
from mlvc.workspace.run_questions import RecordedRun
from mlvc.workspace.workspace import Workspace

TABS = ("charts", "media", "overview", "config", "system", "logs", "code", "data")
_LOG_BYTES = 512 << 10
_PATCH_BYTES = 512 << 10


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
