"""Makes pages of templates: what every template can use, and how people read sizes, times and values."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse

from mlvc import wording
from mlvc.fold.questions import TransactionView
from mlvc.format import names
from mlvc.format.ids import TransactionId
from mlvc.web import addresses, guards, markdown, texts
from mlvc.web.site import Site

if TYPE_CHECKING:
    import jinja2

_FOLDER = Path(__file__).parent
_LONGEST_VALUE = 200
_LONGEST_PRETTY = 20_000
PATCH_LINES = 10_000


@cache
def _environment() -> jinja2.Environment:
    import jinja2

    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    made.globals.update(address=addresses, version_of_files=_version_of_files(), export_policy=guards.EXPORT_POLICY)
    made.filters.update(size=wording.size, number=_number, duration=wording.duration, ago=_ago, value=_value, shown=names.display_collection, pretty=_pretty, markdown=markdown.rendered, urlencode=_url_encoded)
    return made


def _version_of_files() -> str:
    """Returns what changes with the style sheet and the scripts, so that a browser asks again."""
    newest = max(path.stat().st_mtime_ns for path in (_FOLDER / "static").iterdir())
    return f"{newest:x}"


def _url_encoded(value: Any) -> str:
    return quote(str(value).encode("utf-8", "replace"), safe="/")


def _ago(milliseconds: int) -> Markup:
    exact = datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")
    shown = wording.ago(milliseconds, int(time.time() * 1000))
    return Markup('<time datetime="{}" title="{}">{}</time>').format(exact, wording.when(milliseconds), shown)


def _number(value: Any) -> str:
    return wording.number(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)


def _value(value: Any) -> str:
    """Returns a value of a config or summary in one line, cut where it is long."""
    text = _number(value) if isinstance(value, (int, float)) else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def _pretty(value: Any) -> str:
    """Returns a value of many on a page, one item a line, cut where it is long."""
    text, is_cut = texts.pretty(value)
    return f"{text[:_LONGEST_PRETTY]}\n…" if is_cut or len(text) > _LONGEST_PRETTY else text


def site_of(request: Request) -> Site:
    """Returns the site that a request is for."""
    site: Site = request.app.state.site
    return site


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Returns a page.

    Args:
        request: what is answered.
        template: its name, without `.html`.
        status: of HTTP.
        values: for the template.
    """
    site = site_of(request)
    done = _done(site, request.query_params.get("done", ""))
    text = _environment().get_template(f"{template}.html").render(
        site=site, path=request.url.path, query=request.url.query, state=site.state(), project=site.workspace.project, runs_address=_runs_address(site), done=done, **values
    )
    return HTMLResponse(text.encode("utf-8", "replace"), status)  # half a surrogate pair is no character


def _runs_address(site: Site) -> str:
    """Returns where runs are looked for first: those of the current project, if it has any."""
    project = site.workspace.project
    with site.reading() as view:
        return addresses.runs(project) if view.count_runs(project) else "/runs"


def _done(site: Site, said: str) -> TransactionView | None:
    """Returns the change that was made on the page before, as its address says."""
    if len(said) != 64 or any(c not in "0123456789abcdef" for c in said):
        return None
    with site.reading() as view:
        return view.transaction(TransactionId(bytes.fromhex(said)))


def highlighted_patch(text: str) -> Markup:
    """Returns a patch with its lines marked as added, removed, or about where they are."""
    marked = []
    for line in text.splitlines()[:PATCH_LINES]:
        kind = {"+": "added", "-": "removed", "@": "place"}.get(line[:1], "")
        if line.startswith(("diff ", "+++", "---", "index ")):
            kind = "about"
        shown = escape(line)
        marked.append(f'<span class="{kind}">{shown}</span>' if kind else str(shown))
    return Markup("\n".join(marked))  # noqa: S704 - each line is escaped
