"""`/api/v1`: the same things as JSON. Each endpoint says its parameters and answer once; the OpenAPI document is made of that."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

import mlvc
from mlvc.format import names
from mlvc.lineage import drawing
from mlvc.lineage.graph import Extent
from mlvc.web import artifacts, home, lineage_query, queries, rendering, run_series, runs, series
from mlvc.workspace import contents, costs, run_conditions, run_questions, run_search, shapes, tracing
from mlvc.workspace.workspace import Workspace

PREFIX = "/api/v1"
MOST = 1_000
_FURTHEST = 10_000_000


class Parameter(Struct, frozen=True):
    """One parameter: `where` is `path` or `query`; `schema` as JSON Schema says it."""

    name: str
    where: str
    schema: dict[str, Any]
    about: str


class Endpoint(Struct, frozen=True):
    """One endpoint: its path below `PREFIX`, who answers, what it takes, and the JSON Schema of what it gives."""

    path: str
    answer: Callable[[Request], Response]
    about: str
    parameters: tuple[Parameter, ...]
    result: dict[str, Any]


_TEXT = {"type": "string"}
_OBJECT: dict[str, Any] = {"type": "object"}
_OBJECTS: dict[str, Any] = {"type": "array", "items": {"type": "object"}}
_NAME = {"type": "string", "minLength": 1}

_PAGING = (
    Parameter("start", "query", {"type": "integer", "minimum": 0, "maximum": _FURTHEST, "default": 0}, "How many to pass over."),
    Parameter("count", "query", {"type": "integer", "minimum": 1, "maximum": MOST, "default": 50}, "How many at most."),
)
_ASKING = (
    Parameter("filter", "query", {"type": "array", "items": _TEXT}, "Conditions that all hold, as `config.lr>0.01`."),
    Parameter("sort", "query", _TEXT, "By which cell, as `summary.loss`; with `-` before it the greatest first. Default: the newest first."),
)
_SOME_RUNS = {
    "type": "object",
    "properties": {"runs": _OBJECTS, "fitting": {"type": "integer"}, "total": {"type": "integer"}},
    "required": ["runs", "fitting", "total"],
}
_OF_RUN = (Parameter("project", "path", _NAME, "The run's project."), Parameter("run", "path", _NAME, "The run's id, or its name."))
_OF_COLLECTION = (Parameter("project", "path", _NAME, "The project, or `registry:NAME`."), Parameter("name", "path", _NAME, "The collection."))
_OF_VERSION = (*_OF_COLLECTION, Parameter("version", "path", _NAME, "`v3`, or an alias."))


def _paged(request: Request, found: Iterator[Any]) -> list[Any]:
    start = queries.whole(request, "start", 0, 0, _FURTHEST)
    return list(islice(found, start, start + queries.whole(request, "count", 50, 1, MOST)))


def _answer(data: Any) -> JSONResponse:
    return JSONResponse(_plain(data))


def _plain(value: Any) -> Any:
    """Returns a value as JSON can say it: numbers that are none as texts, keys as texts."""
    if isinstance(value, float) and value - value != 0:
        return str(value)
    if isinstance(value, Mapping):
        return {_plain(str(key)): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if value is None or isinstance(value, (int, float)):
        return value
    return str(value).encode("utf-8", "replace").decode()  # half a surrogate pair is no character


def _status(request: Request) -> Response:
    site = rendering.site_of(request)
    with site.reading() as view:
        sync = home.sync_state(site.workspace, view)
        projects = run_questions.projects(view)
    return _answer({"mlvc": mlvc.__version__, "state": site.state(), "project": site.workspace.project, "projects": projects, "is_read_only": site.is_read_only, "sync": sync})


_counting = threading.Lock()


def _storage(request: Request) -> Response:
    site = rendering.site_of(request)
    with _counting:  # by a workspace of its own: it may take long, and no page waits for it
        other = Workspace.find(site.workspace.root, site.workspace.environment)
        try:
            with other.repository.reading() as view:
                found = costs.of_all(other, view)
        finally:
            other.close()
    return _answer({"raw_bytes": found.raw, "distinct_bytes": found.distinct, "stored_bytes": found.stored, "pack_bytes": found.packs})


def _runs(request: Request) -> Response:
    site = rendering.site_of(request)
    asked = run_conditions.all_of(request.query_params.getlist("filter"))
    order = request.query_params.get("sort", "")
    project = request.path_params.get("project")
    start, count = queries.whole(request, "start", 0, 0, _FURTHEST), queries.whole(request, "count", 50, 1, MOST)
    chosen = None
    if asked.conditions or order:
        with site.run_columns() as columns:
            chosen = run_search.search(columns, asked, project=project, order=order, start=start, count=count)
    with site.reading() as view:
        total = run_questions.count_runs(site.workspace, view, project)
        found = run_questions.some_runs(site.workspace, view, project, start, count) if chosen is None else list(chosen.described(site.workspace, view))
    return _answer({"runs": [shapes.run(run) for run in found], "fitting": total if chosen is None else chosen.count, "total": total})


def _run(request: Request) -> Response:
    site = rendering.site_of(request)
    with site.reading() as view:
        run = runs.run_of(request, site.workspace, view)
        data = shapes.run(run)
        data["inputs"] = [version.hex() for version in run_questions.inputs(site.workspace, view, run.id)]
        data["outputs"] = [version.hex() for version in view.outputs(run.id)]
    return _answer(data)


def _series(request: Request) -> Response:
    site = rendering.site_of(request)
    most = queries.whole(request, "points", series.POINTS, 4, series.MOST_POINTS)
    low, high = queries.number(request, "from", -series.INFINITE), queries.number(request, "to", series.INFINITE)
    asked = request.query_params
    with site.reading() as view:
        run = runs.run_of(request, site.workspace, view)
        found = run_series.data(site, view, run, asked.getlist("key"), asked.get("x", series.STEP), most, low, high, of_system=asked.get("of") == "system")
    return _answer(found)


def _console(request: Request) -> Response:
    site = rendering.site_of(request)
    with site.reading() as view:
        run = runs.run_of(request, site.workspace, view)
        console = run_questions.console(site.workspace, view, run.id)
    start = queries.whole(request, "start", 0, 0, 1 << 29)
    some = console[start : start + queries.whole(request, "count", 65_536, 1, 1 << 20)]
    return _answer({"size_bytes": len(console), "start": start, "text": some.decode("utf-8", "replace")})


def _collections(request: Request) -> Response:
    site = rendering.site_of(request)
    project = request.path_params.get("project")
    with site.reading() as view:
        found = _paged(request, view.collections(project))
        data = [
            {"name": one.name, "shown": names.display_collection(one.name), "type": one.type, "versions": one.count, "is_registry": names.is_registry(one.name)}
            for one in found
        ]
    return _answer({"collections": data})


def _versions(request: Request) -> Response:
    site = rendering.site_of(request)
    with site.reading() as view:
        stored = artifacts.collection_of(request, view)
        found = [shapes.version(site.workspace, view, member) for member in _paged(request, view.members(stored, newest_first=True))]
    return _answer({"versions": found})


def _version(request: Request) -> Response:
    site = rendering.site_of(request)
    with site.reading() as view:
        return _answer(shapes.version(site.workspace, view, artifacts.member_of(request, view)))


def _files(request: Request) -> Response:
    site = rendering.site_of(request)
    with site.reading() as view:
        member = artifacts.member_of(request, view)
        manifest = contents.of(site.workspace, view, member.version).manifest
        files = [{"path": entry.path, "size_bytes": entry.size} for entry in _paged(request, iter(manifest))]
    return _answer({"files": files, "count": manifest.count, "size_bytes": manifest.size_bytes})


def _lineage(request: Request) -> Response:
    site = rendering.site_of(request)
    up, down = queries.whole(request, "up", 4, 0, 99), queries.whole(request, "down", 4, 0, 99)
    with site.reading() as view:
        start = lineage_query.start_of(view, request.query_params.get("of", ""))
        graph = tracing.around(site.workspace, view, start, Extent(up, down, most=lineage_query.MOST_NODES))
    return _answer(drawing.as_data(graph))


ENDPOINTS = (
    Endpoint("/status", _status, "Which repository this is, what is not pushed, what is in conflict.", (), _OBJECT),
    Endpoint("/storage", _storage, "What the versions hold, and what it takes on this disk.", (), _OBJECT),
    Endpoint(
        "/runs", _runs, "Runs of all projects, the newest first.",
        (*_ASKING, *_PAGING), _SOME_RUNS,
    ),
    Endpoint(
        "/runs/{project}", _runs, "Runs of a project, the newest first.",
        (_OF_RUN[0], *_ASKING, *_PAGING), _SOME_RUNS,
    ),
    Endpoint("/runs/{project}/{run}", _run, "One run.", _OF_RUN, _OBJECT),
    Endpoint(
        "/runs/{project}/{run}/series", _series, "What a run logged, as few points as a chart needs; no spike is lost.",
        (
            *_OF_RUN,
            Parameter("key", "query", {"type": "array", "items": _TEXT}, "Which metrics; an empty one for none; default: all."),
            Parameter("x", "query", {"type": "string", "default": "_step"}, "`_step`, `_runtime`, `_timestamp`, or another metric."),
            Parameter("from", "query", {"type": "number"}, "Only points of this `x` or more, and the one before."),
            Parameter("to", "query", {"type": "number"}, "Only points of this `x` or less, and the one after."),
            Parameter("points", "query", {"type": "integer", "minimum": 4, "maximum": series.MOST_POINTS, "default": series.POINTS}, "How many at most of each."),
            Parameter("of", "query", {"type": "string", "enum": ["history", "system"]}, "What the program logged, or what the machine did."),
        ),
        {"type": "object", "properties": {"rows": {"type": "integer"}, "keys": {"type": "array", "items": _TEXT}, "left_out": {"type": "integer"}, "series": _OBJECT}, "required": ["rows", "keys", "series"]},
    ),
    Endpoint(
        "/runs/{project}/{run}/console", _console, "What the program printed.",
        (
            *_OF_RUN,
            Parameter("start", "query", {"type": "integer", "minimum": 0, "maximum": 1 << 29, "default": 0}, "From which byte."),
            Parameter("count", "query", {"type": "integer", "minimum": 1, "maximum": 1 << 20, "default": 65_536}, "How many bytes at most."),
        ),
        {"type": "object", "properties": {"text": _TEXT, "size_bytes": {"type": "integer"}}, "required": ["text", "size_bytes"]},
    ),
    Endpoint("/collections", _collections, "All collections, registered models among them.", _PAGING, {"type": "object", "properties": {"collections": _OBJECTS}, "required": ["collections"]}),
    Endpoint(
        "/collections/{project}", _collections, "The collections of a project, or of a registry.", (_OF_COLLECTION[0], *_PAGING),
        {"type": "object", "properties": {"collections": _OBJECTS}, "required": ["collections"]},
    ),
    Endpoint(
        "/collections/{project}/{name}", _versions, "The versions of a collection, the newest first.", (*_OF_COLLECTION, *_PAGING),
        {"type": "object", "properties": {"versions": _OBJECTS}, "required": ["versions"]},
    ),
    Endpoint("/collections/{project}/{name}/{version}", _version, "One version.", _OF_VERSION, _OBJECT),
    Endpoint(
        "/collections/{project}/{name}/{version}/files", _files, "The files of a version, by path.", (*_OF_VERSION, *_PAGING),
        {"type": "object", "properties": {"files": _OBJECTS, "count": {"type": "integer"}}, "required": ["files", "count"]},
    ),
    Endpoint(
        "/lineage", _lineage, "Runs and versions around one of them.",
        (
            Parameter("of", "query", _TEXT, "`run:` or `artifact:`, and the id in hexadecimal."),
            Parameter("up", "query", {"type": "integer", "minimum": 0, "maximum": 99, "default": 4}, "Steps to what it was made from."),
            Parameter("down", "query", {"type": "integer", "minimum": 0, "maximum": 99, "default": 4}, "Steps to what was made of it."),
        ),
        {"type": "object", "properties": {"nodes": _OBJECTS, "edges": _OBJECTS}, "required": ["nodes", "edges"]},
    ),
)  # fmt: skip

_PROBLEM = {"type": "object", "properties": {"error": _TEXT, "hint": {"type": ["string", "null"]}}, "required": ["error"]}


def document(_: Request) -> Response:
    """The OpenAPI document."""
    problem = {"description": "What went wrong, in one sentence.", "content": {"application/json": {"schema": _PROBLEM}}}
    paths: dict[str, Any] = {}
    for one in ENDPOINTS:
        paths[f"{PREFIX}{one.path}"] = {
            "get": {
                "summary": one.about,
                "parameters": [
                    {"name": p.name, "in": p.where, "required": p.where == "path" or (one.path == "/lineage" and p.name == "of"), "description": p.about, "schema": p.schema}
                    for p in one.parameters
                ],
                "responses": {
                    "200": {"description": "What was asked for.", "content": {"application/json": {"schema": one.result}}},
                    "400": problem,
                    "404": problem,
                    "409": problem,
                },
            }
        }
    info = {"title": "mlvc", "version": "1", "description": "One local repository of mlvc. Times are milliseconds since 1970 UTC, sizes bytes."}
    return JSONResponse({"openapi": "3.1.0", "info": info, "paths": paths})
