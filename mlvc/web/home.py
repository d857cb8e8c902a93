"""The first page: what was done last, what is registered, what is not pushed, what it takes on disk."""

from __future__ import annotations

from itertools import islice
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mlvc.fold.questions import View
from mlvc.format import names
from mlvc.web import collections, rendering
from mlvc.workspace import resolving, run_questions
from mlvc.workspace.workspace import Workspace

_RECENT = 8
_MOST_WEIGHED = 20_000
"""Versions whose contents are added up to tell what storing them saves; of more, 'mlvc du' tells."""

_MOST_LOOKED_AT = 2_000
"""Collections whose newest version is compared with the others' to tell the most recent ones."""


def home(request: Request) -> Response:
    """The page."""
    site = rendering.site_of(request)
    workspace = site.workspace
    with site.reading() as view:
        found = list(islice(run_questions.list_runs(workspace, view), _RECENT))
        projects = [
            {"name": name, "runs": run_questions.count_runs(workspace, view, name), "collections": sum(1 for _ in view.collections(name))}
            for name in run_questions.projects(view)
        ]
        recent = recent_versions(workspace, view)
        registered = [collections.summary(workspace, view, one) for one in islice(collections.registered(view), _RECENT)]
        sync = sync_state(workspace, view)
        versions = sum(one.count for one in islice(view.collections(), _MOST_LOOKED_AT))
    packs = sum(size for _, size in workspace.repository.backend.keys("packs/"))
    return rendering.page(
        request, "home", title="Home", projects=projects, runs=found, versions=recent, registered=registered, sync=sync, packs=packs, tells_savings=versions <= _MOST_WEIGHED
    )


def recent_versions(workspace: Workspace, view: View) -> list[dict[str, Any]]:
    """Returns the newest version of each collection of sources, the most recently published first."""
    found = []
    for one in islice((c for c in view.collections() if not names.is_registry(c.name)), _MOST_LOOKED_AT):
        latest = view.latest(one.name)
        if latest is not None:
            said = view.publications(latest.version)
            found.append((said[-1].when_ms if said else 0, latest))
    found.sort(key=lambda pair: pair[0], reverse=True)
    return [collections.row(workspace, view, member) for _, member in found[:_RECENT]]


def sync_state(workspace: Workspace, view: View) -> dict[str, Any]:
    """Returns what is not pushed yet, where it would go, and what only a person can settle."""
    standing = workspace.repository.refresh()
    conflicts = collections.alias_conflicts(view)
    for one in view.conflicts():
        if one.version is not None:  # deleted by one, used by another
            conflicts.append({"kind": "delete", "collection": one.collection, "version": resolving.display_version(workspace, view, one.version)})
    return {
        "unpushed": len(workspace.repository.pending.ids()),
        "is_authority": workspace.repository.is_authority(standing),
        "remotes": [{"name": name, "url": remote.url} for name, remote in workspace.settings.remotes.items()],
        "upstream": workspace.settings.upstream,
        "conflicts": conflicts,
    }
