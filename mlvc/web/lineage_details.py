"""What the panel beside a lineage tells of the node that was chosen."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mlvc import wording
from mlvc.errors import Error
from mlvc.fold.questions import View
from mlvc.format import names
from mlvc.format.ids import RunId, VersionId
from mlvc.lineage.graph import ARTIFACT, RUN, Key, Node, key_text
from mlvc.lineage.grouping import GROUP
from mlvc.web import addresses, lineage_query, rendering
from mlvc.workspace import contents, run_questions, tracing
from mlvc.workspace.workspace import Workspace

_VALUES = 8
_MEMBERS = 200


def panel(request: Request) -> Response:
    """The panel of one node, for a page whose graph is too large to come with all of them."""
    site = rendering.site_of(request)
    with site.reading() as view:
        start = lineage_query.start_of(view, request.query_params.get("of", ""))
        values = of(site.workspace, view, tracing.node(site.workspace, view, start))
    return rendering.page(request, "lineage_details", node=values, title=values["label"])


def of(workspace: Workspace, view: View, node: Node) -> dict[str, Any]:
    """Returns what a panel shows: facts by name, when it was made, and where its page and its own lineage are."""
    found: dict[str, Any] = {"label": node.label, "key": key_text(node.key), "created_ms": node.details.get("created_ms"), "page": page_of(view, node), "lineage": "", "members": [], "facts": []}
    if node.key[0] == GROUP:
        found["facts"] = [("holds", f"{len(node.details['members']):,} alike")]
        found["members"] = [member["label"] for member in node.details["members"][:_MEMBERS]]
    elif node.key[0] == RUN:
        found["facts"] = _of_run(workspace, view, node.key)
    else:
        found["facts"] = _of_version(workspace, view, node)
    if node.key[0] != GROUP:
        found["lineage"] = addresses.lineage(node.key)
    return found


def page_of(view: View, node: Node) -> str:
    """Returns where a node's own page is; "" for a group, and for what was deleted."""
    if node.key[0] == RUN:
        return addresses.run(node.details["project"], node.details["run_id"]) if "project" in node.details else ""
    if node.key[0] != ARTIFACT:
        return ""
    source = view.source_collection(VersionId(node.key[1]))
    member = view.member(source, VersionId(node.key[1])) if source else None
    return addresses.version(source, member.label) if source and member is not None else ""


def _of_version(workspace: Workspace, view: View, node: Node) -> list[tuple[str, str]]:
    version = VersionId(node.key[1])
    source = view.source_collection(version)
    member = view.member(source, version) if source else None
    if not source or member is None:
        return []
    facts = [("full name", f"{names.display_collection(source)}:{member.label}"), ("type", node.kind_label), ("version", member.label)]
    facts += [("aliases", ", ".join(view.aliases_of(source, version))), ("also", ", ".join(one for one in node.marks if "/" in one))]
    try:
        manifest = contents.of(workspace, view, version).manifest
        facts.append(("size", f"{wording.size(manifest.size_bytes)} in {manifest.count:,} {'file' if manifest.count == 1 else 'files'}"))
    except Error as error:
        facts.append(("size", f"not known: {error.message}"))
    return facts


def _of_run(workspace: Workspace, view: View, key: Key) -> list[tuple[str, str]]:
    run = run_questions.find(workspace, view, RunId(key[1]))
    if run is None:
        return []
    config = [(f"config {name}", str(value)[:80]) for name, value in list(run.config.items())[:_VALUES]]
    shown = [(name, value) for name, value in run.summary.items() if not name.startswith("_")]
    summary = [(f"summary {name}", wording.number(value) if isinstance(value, (int, float)) else str(value)[:80]) for name, value in shown[:_VALUES]]
    return [("id", run.label), ("name", run.name), ("state", run.state), ("job type", run.job_type), *config, *summary]
