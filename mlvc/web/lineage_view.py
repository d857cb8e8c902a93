"""The lineage around a version or run: the picture, the same as a list, and what to ask for to see more or less of it."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from mlvc.errors import NotFoundError, UsageError
from mlvc.fold.questions import Member, View
from mlvc.format import names
from mlvc.format.ids import RunId, VersionId
from mlvc.lineage import drawing, grouping, picture
from mlvc.lineage.graph import ARTIFACT, RUN, Graph, Key, Node, key_text
from mlvc.lineage.grouping import GROUP
from mlvc.web import addresses, queries, rendering
from mlvc.workspace import run_questions, tracing
from mlvc.workspace.workspace import Workspace

_STEPS = 4
_MOST_STEPS = 99
MOST_NODES = 5_000


def page(request: Request) -> Response:
    """The page of one node's lineage."""
    site = rendering.site_of(request)
    with site.reading() as view:
        start = start_of(view, request.query_params.get("of", ""))
        values = of(request, site.workspace, view, start)
    return rendering.page(request, "lineage", title=f"Lineage of {values['focus']['label']}", lineage=values)


def download(request: Request) -> Response:
    """The same graph as a file: svg, png, dot, mermaid or json, ungrouped nodes where they are shown so."""
    site = rendering.site_of(request)
    kind = str(request.path_params["kind"])
    with site.reading() as view:
        start = start_of(view, request.query_params.get("of", ""))
        graph, _, _, _ = _asked(request, site.workspace, view, start)
    headers = {"Content-Disposition": f'attachment; filename="lineage.{_ENDINGS.get(kind, "txt")}"'}
    if kind == "png":
        from mlvc.media import graph_image

        return Response(graph_image.as_png(graph), media_type="image/png", headers=headers)
    if kind not in _TYPES:
        raise NotFoundError(f"a lineage is not drawn as '{kind}'", hint=f"there are {', '.join([*_TYPES, 'png'])}")
    return PlainTextResponse(drawing.DRAWINGS[kind](graph), media_type=_TYPES[kind], headers=headers)


_TYPES = {"svg": "image/svg+xml", "dot": "text/vnd.graphviz", "mermaid": "text/plain", "json": "application/json", "text": "text/plain"}
_ENDINGS = {"svg": "svg", "png": "png", "dot": "dot", "mermaid": "mmd", "json": "json"}


def start_of(view: View, text: str) -> Member | RunId:
    """Returns the node that a query names, as `run:<hex>` or `artifact:<hex>`."""
    kind, _, said = text.partition(":")
    try:
        identifier = bytes.fromhex(said)
    except ValueError:
        identifier = b""
    if kind == RUN and len(identifier) == 16:
        return RunId(identifier)
    if kind == ARTIFACT and len(identifier) == 32:
        source = view.source_collection(VersionId(identifier))
        member = view.member(source, VersionId(identifier)) if source else None
        if member is not None:
            return member
        raise NotFoundError(f"the version @{said[:12]} is not known here, or was deleted")
    raise UsageError("this address names no node", hint="it ends with ?of=run:… or ?of=artifact:…")


def _asked(request: Request, workspace: Workspace, view: View, start: Member | RunId) -> tuple[Graph, int, int, list[str]]:
    up, down = (queries.near(request, name, _STEPS, _MOST_STEPS) for name in ("up", "down"))
    opened = [one for one in request.query_params.getlist("open") if len(one) == 64 and all(c in "0123456789abcdef" for c in one)]
    graph = tracing.around(workspace, view, start, up=up, down=down, most=MOST_NODES)
    return grouping.grouped(graph, {bytes.fromhex(one) for one in opened}), up, down, opened


def of(request: Request, workspace: Workspace, view: View, start: Member | RunId) -> dict[str, Any]:
    """Returns what a page needs to show a lineage: picture, list, details of each node, and addresses to ask for more."""
    graph, up, down, opened = _asked(request, workspace, view, start)
    focus = key_text(graph.focus)
    shown = picture.picture(graph)
    nodes = [_described(workspace, view, node) for node in graph.nodes]
    page_path = request.url.path  # a tab of a version or run stays what it is

    def address(groups: list[str] = opened, **changed: Any) -> str:
        asked = {"up": up, "down": down, **changed}
        first = addresses.lineage(focus, **asked) if page_path == "/lineage" else addresses.with_query(page_path, asked.items())
        return first + "".join(f"&open={one}" for one in groups)

    for one in nodes:
        if one["kind"] == GROUP:
            one["address"] = address([*opened, one["key"].partition(":")[2]])

    attributes = {node.key: _attributes(node, said) for node, said in zip(graph.nodes, nodes, strict=True)}
    downloads = addresses.lineage(focus, up=up, down=down).partition("?")[2] + "".join(f"&open={one}" for one in opened)
    return {
        "svg": Markup(picture.inner_svg(shown, attributes)),  # noqa: S704 - every text in it is escaped
        "width": round(shown.width),
        "height": round(shown.height),
        "nodes": nodes,
        "edges": [(key_text(a), key_text(b)) for a, b in graph.edges],
        "focus": next(one for one in nodes if one["key"] == focus),
        "more_up": address(up=min(up + 2, _MOST_STEPS)),
        "less_up": address(up=max(up - 1, 0)),
        "more_down": address(down=min(down + 2, _MOST_STEPS)),
        "less_down": address(down=max(down - 1, 0)),
        "up": up,
        "down": down,
        "opened": opened,
        "ungrouped": address([]),
        "downloads": [(kind, f"/lineage.{kind}?{downloads}") for kind in ("svg", "png", "dot", "mermaid")],
        "is_cut": len(graph.nodes) >= MOST_NODES,
    }


def _attributes(node: Node, said: dict[str, Any]) -> str:
    return Markup('tabindex="-1" role="treeitem" data-key="{}" data-open="{}" aria-label="{}"').format(said["key"], said["address"], picture.spoken(node))


def _described(workspace: Workspace, view: View, node: Node) -> dict[str, Any]:
    """Returns a node for the list and the panel of details: what it is, facts to show, where a click leads."""
    key = key_text(node.key)
    found: dict[str, Any] = {"key": key, "kind": node.key[0], "label": node.label, "type": node.kind_label, "marks": list(node.marks), "facts": [], "page": "", "members": [], "created_ms": 0}
    if node.key[0] == GROUP:
        found["facts"] = [("holds", f"{len(node.details['members']):,} alike")]
        found["members"] = [member["label"] for member in node.details["members"][:200]]
        return found
    found["address"] = addresses.lineage(key)
    if node.key[0] == RUN:
        return _of_run(workspace, view, node.key, found)
    version = VersionId(node.key[1])
    source = view.source_collection(version)
    member = view.member(source, version) if source else None
    if source and member is not None:
        said = view.publications(version)
        found["page"] = addresses.version(source, member.label)
        aliases = view.aliases_of(source, version)
        found["facts"] = [("full name", f"{names.display_collection(source)}:{member.label}"), ("type", node.kind_label), ("version", member.label), ("aliases", ", ".join(aliases))]
        if said:
            found["created_ms"] = said[0].when_ms
    return found


def _of_run(workspace: Workspace, view: View, key: Key, found: dict[str, Any]) -> dict[str, Any]:
    try:
        run = run_questions.describe(workspace, view, RunId(key[1]))
    except NotFoundError:
        return found
    found["page"] = addresses.run(run.project, run.label)
    found["created_ms"] = run.created_ms
    config = [(f"config {name}", str(value)[:80]) for name, value in list(run.config.items())[:8]]
    summary = [(f"summary {name}", f"{value:.5g}" if isinstance(value, float) else str(value)[:80]) for name, value in run.summary.items() if not name.startswith("_")][:8]
    found["facts"] = [("id", run.label), ("name", run.name), ("state", run.state), ("job type", run.job_type), *config, *summary]
    return found
