"""The lineage around a version or run: the picture, the same as a list, and what to ask for to see more or less of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from markupsafe import Markup
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from mlvc.errors import NotFoundError
from mlvc.fold.questions import Member, View
from mlvc.format.ids import RunId
from mlvc.lineage import drawing, grouping, picture
from mlvc.lineage.graph import ABOVE, ARTIFACT, RUN, Node, Sides, key_text
from mlvc.lineage.grouping import GROUP
from mlvc.web import addresses, lineage_details, lineage_query, rendering
from mlvc.web.lineage_query import Asked
from mlvc.workspace import tracing
from mlvc.workspace.workspace import Workspace

_AT_ONCE = 200
"""Nodes that a page is drawn with; a picture of more follows when the page is there."""


def page(request: Request) -> Response:
    """The page of one node's lineage."""
    site = rendering.site_of(request)
    with site.reading() as view:
        start = lineage_query.start_of(view, request.query_params.get("of", ""))
        values = of(request, site.workspace, view, start)
        title = tracing.node(site.workspace, view, start).label
    return rendering.page(request, "lineage", title=f"Lineage of {title}", lineage=drawn(values))


def download(request: Request) -> Response:
    """The same graph as a file: svg, png, dot, mermaid or json, ungrouped nodes where they are shown so."""
    site = rendering.site_of(request)
    kind = str(request.path_params["kind"])
    with site.reading() as view:
        start = lineage_query.start_of(view, request.query_params.get("of", ""))
        asked = lineage_query.asked(request)
        graph = grouping.grouped(tracing.around(site.workspace, view, start, asked.extent), asked.groups)
    headers = {"Content-Disposition": f'attachment; filename="lineage.{_ENDINGS.get(kind, "txt")}"'}
    if kind == "png":
        from mlvc.media import graph_image

        return Response(graph_image.as_png(graph), media_type="image/png", headers=headers)
    if kind not in _TYPES:
        raise NotFoundError(f"a lineage is not drawn as '{kind}'", hint=f"there are {', '.join([*_TYPES, 'png'])}")
    return PlainTextResponse(drawing.DRAWINGS[kind](graph), media_type=_TYPES[kind], headers=headers)


_TYPES = {"svg": "image/svg+xml", "dot": "text/vnd.graphviz", "mermaid": "text/plain", "json": "application/json", "text": "text/plain"}
_ENDINGS = {"svg": "svg", "png": "png", "dot": "dot", "mermaid": "mmd", "json": "json"}


def of(request: Request, workspace: Workspace, view: View, start: Member | RunId) -> dict[str, Any]:
    """Returns what a page needs to show a lineage: what `drawn` draws, list, details of each node, and addresses to ask for more.

    Of a large one only where to ask for the rest: the page is there at once, and the picture follows.
    """
    is_export = rendering.site_of(request).is_export
    asked = lineage_query.asked(request)
    focus = key_text((ARTIFACT, start.version) if isinstance(start, Member) else (RUN, start))
    address = _addresses(request.url.path, focus)
    if "whole" not in request.query_params and not is_export and tracing.is_larger_than(view, start, asked.extent, _AT_ONCE):
        return {"later": f"{address(asked)}{'&' if '?' in address(asked) else '?'}whole=1"}
    graph = grouping.grouped(tracing.around(workspace, view, start, asked.extent), asked.groups)
    opens = {node.key: address(asked.with_open(node.key[1].hex())) if node.key[0] == GROUP else addresses.lineage(node.key) for node in graph.nodes}
    nodes = [_listed(view, node, graph.beside.get(node.key), opens[node.key]) for node in graph.nodes]
    if len(nodes) <= _AT_ONCE or is_export:
        for node, said in zip(graph.nodes, nodes, strict=True):
            said["details"] = lineage_details.of(workspace, view, node)
    attributes = {node.key: _attributes(node, "#" if is_export else opens[node.key]) for node in graph.nodes}
    query = addresses.lineage(focus, asked.pairs()).partition("?")[2]
    return {
        "later": "",
        "graph": graph,
        "attributes": attributes,
        "nodes": nodes,
        "focus": focus,
        "at": request.query_params.get("do", "").split(":", 2)[-1] or focus,
        "address": address(asked),
        "more_up": address(replace(asked, up=min(asked.up + 2, lineage_query.MOST_STEPS))),
        "less_up": address(replace(asked, up=max(asked.up - 1, 0))),
        "more_down": address(replace(asked, down=min(asked.down + 2, lineage_query.MOST_STEPS))),
        "less_down": address(replace(asked, down=max(asked.down - 1, 0))),
        "up": asked.up,
        "down": asked.down,
        "changed": address(lineage_query.Asked()) if asked != lineage_query.Asked() else "",
        "downloads": [(kind, f"/lineage.{kind}?{query}") for kind in ("svg", "png", "dot", "mermaid")],
        "is_cut": graph.is_cut,
    }


def drawn(lineage: dict[str, Any]) -> dict[str, Any]:
    """Returns what `of` returned with its picture: it needs nothing of the repository, and may take a second, so no other page waits for it."""
    if lineage["later"]:
        return lineage
    shown = picture.picture(lineage["graph"])
    svg = Markup(picture.inner_svg(shown, lineage["attributes"]))  # noqa: S704 - every text in it is escaped
    return {**lineage, "svg": svg, "width": round(shown.width), "height": round(shown.height)}


def _addresses(path: str, focus: str) -> Callable[[Asked], str]:
    """Returns what makes an address of the same page: a tab of a version or run stays what it is."""
    if path == "/lineage":
        return lambda asked: addresses.lineage(focus, asked.pairs())
    return lambda asked: addresses.with_query(path, asked.pairs())


def _listed(view: View, node: Node, beside: Sides | None, opens: str) -> dict[str, Any]:
    """Returns a node for the list, and what can be shown or hidden on either side of it."""
    found = {"key": key_text(node.key), "label": node.label, "type": node.kind_label, "marks": node.marks, "created_ms": node.details.get("created_ms"), "details": None}
    is_group = node.key[0] == GROUP
    found["page"] = opens if is_group else lineage_details.page_of(view, node)
    found["words"] = " ".join(member["label"] for member in node.details["members"]) if is_group else ""
    found["sides"] = [("up" if side == ABOVE else "down", one.hidden, one.can_hide) for side, one in enumerate(beside or ()) if one.hidden or one.can_hide]
    return found


def _attributes(node: Node, address: str) -> str:
    return Markup('tabindex="-1" role="treeitem" data-key="{}" data-open="{}" aria-label="{}"').format(key_text(node.key), address, picture.spoken(node))
