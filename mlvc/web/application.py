"""Puts the pages together: which path is answered by whom, and how errors are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from mlvc.errors import ConflictError, Error, NotFoundError, ProtectedError, UsageError
from mlvc.web import (
    actions,
    api,
    artifacts,
    bundling,
    downloads,
    guards,
    home,
    lineage_details,
    lineage_view,
    rendering,
    run_comparison,
    run_table,
    runs,
)
from mlvc.web.site import Site

_LOOK_AGAIN_S = 1.0
_LOOKS_FOR_THE_END = 5
_MOST_FORM_BYTES = 1 << 20
_SCRIPTS = ("charts", "lineage", "logs", "media")
_COLLECTION = ("/artifacts/{project}/{name}", "/registry/{name}")


def application(site: Site, *, hosts: Iterable[str] = (), token: str | None = None, any_address: bool = False) -> Starlette:
    """Returns the site as an ASGI application.

    Args:
        site: the repository.
        hosts: names that it may be asked for by, beside loopback's.
        token: what requests must know, or None.
        any_address: see `Guards`.
    """
    app = Starlette(
        routes=[*_routes(), *(Route(f"{api.PREFIX}{one.path}", one.answer) for one in api.ENDPOINTS)],
        middleware=[Middleware(guards.Guards, hosts=tuple(hosts), token=token, any_address=any_address)],
        exception_handlers={Error: _failed, HTTPException: _refused, Exception: _crashed},
    )
    app.state.site = site
    return app


def _routes() -> list[Route | Mount]:
    of_collections: list[Route | Mount] = []
    for path in _COLLECTION:
        version = f"{path}/{{version}}"
        of_collections += [
            Route(path, artifacts.collection_page),
            Route(f"{version}/compare/{{other}}", artifacts.compare_page),
            Route(f"{version}/tensors", artifacts.tensors_page),
            Route(f"{version}/tensor", artifacts.tensor_page),
            Route(f"{version}/files/{{path:anything}}", downloads.file_page),
            Route(f"{version}/raw/{{path:anything}}", downloads.raw),
            Route(version, artifacts.version_page),
            Route(f"{version}/{{tab}}", artifacts.version_page),
        ]
    return [
        Route("/", home.home),
        Route("/registry", artifacts.registry_page),
        Route("/artifacts", artifacts.artifacts_page),
        Route("/artifacts/{project}", artifacts.artifacts_page),
        *of_collections,
        Route("/runs", run_table.runs_page),
        Route("/runs/{project}", run_table.runs_page),
        Route("/runs/{project}/{run}/lineage", runs.run_lineage),
        Route("/runs/{project}/{run}/files/{path:anything}", downloads.run_file),
        Route("/runs/{project}/{run}", runs.run_page),
        Route("/runs/{project}/{run}/{tab}", runs.run_page),
        Route("/compare", run_comparison.compare_page),
        Route("/lineage", lineage_view.page),
        Route("/lineage/node", lineage_details.panel),
        Route("/lineage.{kind}", lineage_view.download),
        Route("/act/{action}", _act, methods=["POST"]),
        Route("/events", _events),
        Route("/openapi.json", api.document),
        Route("/static/{name}.bundle.js", _bundle),
        Mount("/static", StaticFiles(directory=Path(__file__).parent / "static")),
    ]


def _bundle(request: Request) -> Response:
    """A script for pages that are written as files."""
    name = str(request.path_params["name"])
    if name not in _SCRIPTS:
        raise HTTPException(404)
    return Response(bundling.bundle(name), media_type="text/javascript")


class _Anything(Convertor[str]):
    """The rest of a path, line ends included: files may be called so."""

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("anything", _Anything())


async def _act(request: Request) -> Response:
    said = request.headers.get("content-length", "")
    if not said.isdecimal() or int(said) > _MOST_FORM_BYTES:
        raise HTTPException(413, f"a form has at most {_MOST_FORM_BYTES:,} bytes, and says how many")
    form = await request.form(max_files=0, max_fields=50)
    return await run_in_threadpool(actions.act, request, form)


async def _events(request: Request) -> Response:
    """Tells a page, for as long as it is open, that something may have changed."""
    site = rendering.site_of(request)

    async def changes() -> AsyncIterator[str]:
        before = await run_in_threadpool(site.state)
        yield f"retry: 2000\ndata: {before}\n\n"
        while not await request.is_disconnected():
            if await _is_ending(site):
                return
            now = await run_in_threadpool(site.state)
            if now != before:
                before = now
                yield f"data: {now}\n\n"

    return StreamingResponse(changes(), media_type="text/event-stream")


async def _is_ending(site: Site) -> bool:
    """Waits until it is time to look again; tells whether the server ends."""
    for _ in range(_LOOKS_FOR_THE_END):
        await asyncio.sleep(_LOOK_AGAIN_S / _LOOKS_FOR_THE_END)
        if site.is_ending:
            return True
    return False


_STATUS: tuple[tuple[type[Error], int], ...] = ((NotFoundError, 404), (ProtectedError, 403), (ConflictError, 409), (UsageError, 400))


async def _failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, Error), "only those come here"
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    return await _told(request, status, error.message, error.hint)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), "only those come here"
    said = "there is nothing at this address" if error.status_code == 404 else error.detail
    return await _told(request, error.status_code, said, None)


async def _crashed(request: Request, error: Exception) -> Response:
    return await _told(request, 500, f"mlvc could not make this page: {type(error).__name__}: {error}", "'mlvc fsck' looks for damage")


async def _told(request: Request, status: int, message: str, hint: str | None) -> Response:
    if request.url.path.startswith("/api/"):
        return JSONResponse({"error": message, "hint": hint}, status)
    try:
        make: Callable[..., Response] = rendering.page
        return await run_in_threadpool(make, request, "error", status=status, title="Not found" if status == 404 else "That did not work", message=message, hint=hint)
    except Error:
        return PlainTextResponse(f"{message}\n{hint or ''}", status)  # the repository itself cannot be read
