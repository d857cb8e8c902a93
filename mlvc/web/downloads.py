"""Files of versions and runs: looked into, shown in a sandbox, saved to disk; always streamed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import PurePosixPath
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from mlvc.errors import NotFoundError, UsageError
from mlvc.format.manifest import FileEntry
from mlvc.web import addresses, browsing, file_kinds, guards, queries, rendering, runs, table_pages
from mlvc.web.artifacts import TABS, common, member_of
from mlvc.workspace import contents, run_questions


def file_page(request: Request) -> Response:
    """A look into one file of a version."""
    site = rendering.site_of(request)
    path = str(request.path_params["path"])
    with site.reading() as view:
        member = member_of(request, view)
        held = contents.of(site.workspace, view, member.version)
        about = common(site.workspace, view, member)
    entry = held.manifest[path]
    preview = browsing.preview(site.workspace, held, path, queries.page(request))  # it may take long, and no other page waits for it
    raw = addresses.entry(member.collection, member.label, path, "raw")
    return rendering.page(
        request, "file", title=f"{PurePosixPath(path).name} of {about['row']['name']}", tab="files", tabs=TABS, entry=entry, preview=preview, raw=raw,
        has_tensors=PurePosixPath(path).suffix.lower() in file_kinds.TENSORS, rows_per_page=table_pages.ROWS, **about,
    )  # fmt: skip


def raw(request: Request) -> Response:
    """One file of a version: its bytes, as a browser may show them, or to be saved where `save` is asked for or nothing shows them."""
    site = rendering.site_of(request)
    path = str(request.path_params["path"])
    with site.reading() as view:
        member = member_of(request, view)
        held = contents.of(site.workspace, view, member.version)
    entry = held.manifest[path]
    if not isinstance(entry, FileEntry):
        raise UsageError(f"'{path}' is a reference to {entry.uri}; its bytes are not kept here")
    data = contents.read_entry(site.workspace, held, path)
    first = next(data, b"")  # what is not here, or damaged, is said in words and not in half a file
    return _streamed(chain([first], data), path, entry.size, is_saved="save" in request.query_params)


def run_file(request: Request) -> Response:
    """One file that a run keeps."""
    site = rendering.site_of(request)
    path = str(request.path_params["path"])
    with site.reading() as view:
        run = runs.run_of(request, site.workspace, view)
        kept = next((one for one in run_questions.kept_files(site.workspace, view, run.id) if one.path == path), None)
    if kept is None:
        raise NotFoundError(f"the run {run.label} keeps no file '{path}'")
    data = contents.read_entry(site.workspace, kept.held, path) if kept.held is not None else _read(kept)
    return _streamed(data, path, kept.size, is_saved="save" in request.query_params)


def _read(kept: run_questions.KeptFile) -> Iterator[bytes]:
    assert kept.file is not None, "it is in the store, or on disk"
    with kept.file.open("rb") as file:
        while piece := file.read(1 << 20):
            yield piece


def _streamed(data: Iterator[bytes], path: str, size: int, *, is_saved: bool) -> Response:
    kind, is_shown = file_kinds.content_type(path)
    name = quote(PurePosixPath(path).name, safe="")
    headers = {
        "Content-Length": str(size),
        "Content-Security-Policy": guards.SANDBOX_POLICY,
        "Content-Disposition": f"inline; filename*=UTF-8''{name}" if is_shown and not is_saved else f"attachment; filename*=UTF-8''{name}",
    }
    return StreamingResponse(data, media_type=kind, headers=headers)
