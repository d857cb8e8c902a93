"""Pages of collections and versions, in projects and in the registry alike: a link is shown as what it links to, under its own number."""

from __future__ import annotations

from itertools import islice
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mlvc.errors import NotFoundError
from mlvc.fold.questions import Member, View
from mlvc.format import names
from mlvc.web import addresses, browsing, collections, lineage_view, queries, rendering, table_changes
from mlvc.workspace import comparing, contents, protecting, registry, resolving, run_questions, tensors
from mlvc.workspace.workspace import Workspace

TABS = ("overview", "files", "metadata", "lineage", "history", "usage")
PER_PAGE = 100
_MOST_USERS = 20


def registry_page(request: Request) -> Response:
    """All registered models."""
    return _listing(request, "registry", "Registry", lambda view: collections.registered(view))


def artifacts_page(request: Request) -> Response:
    """All collections that versions are published to, of one project or of all."""
    project = request.path_params.get("project")
    return _listing(request, "artifacts", "Artifacts", lambda view: collections.sources(view, project), project=project)


def _listing(request: Request, kind: str, title: str, found: Any, *, project: str | None = None) -> Response:
    site = rendering.site_of(request)
    start = queries.page(request)
    wanted = request.query_params.get("q", "").lower()
    with site.reading() as view:
        chosen = (one for one in found(view) if wanted in names.display_collection(one.name).lower())
        some = list(islice(chosen, start * PER_PAGE, (start + 1) * PER_PAGE + 1))
        rows = [collections.summary(site.workspace, view, one) for one in some[:PER_PAGE]]
    return rendering.page(
        request, "collections", title=title, kind=kind, rows=rows, start=start, has_more=len(some) > PER_PAGE, wanted=wanted, of_project=project
    )


def collection_of(request: Request, view: View) -> str:
    """Returns the stored name of the collection that a path names; NotFoundError when there is none."""
    name = str(request.path_params["name"])
    owner = request.path_params.get("project")
    stored = f"registry:{names.DEFAULT_REGISTRY}/{name}" if owner is None else f"{owner}/{name}"
    stored = view.resolve(stored)
    if view.collection(stored) is None:
        raise NotFoundError(f"there is no '{names.display_collection(stored)}' here", hint="it may have been deleted or renamed; 'mlvc ls' lists what there is")
    return stored


def member_of(request: Request, view: View, label: str | None = None) -> Member:
    """Returns the version that a path names, by number or alias; NotFoundError when there is none."""
    stored = collection_of(request, view)
    label = label or str(request.path_params["version"])
    found = None
    if label.startswith("v") and label[1:].isdecimal() and len(label) < 12:
        found = view.member_by_number(stored, int(label[1:]))
    if found is None:
        answer = view.latest(stored) if label == names.LATEST else None
        if answer is None and (said := view.alias(stored, label)).version is not None:
            answer = view.member(stored, said.version)
        found = answer
    if found is None:
        raise NotFoundError(f"{names.display_collection(stored)} has no version or alias '{label}'")
    return found


def collection_page(request: Request) -> Response:
    """One collection: its versions, the newest first."""
    site = rendering.site_of(request)
    start = queries.page(request)
    with site.reading() as view:
        stored = collection_of(request, view)
        found = view.collection(stored)
        assert found is not None, "it was just found"
        some = list(islice(view.members(stored, newest_first=True), start * PER_PAGE, (start + 1) * PER_PAGE + 1))
        linked_by = collections.linkers(view, stored)
        rows = [collections.row(site.workspace, view, member, linked_by) for member in some[:PER_PAGE]]
        about = collections.summary(site.workspace, view, found)
        sides = collections.alias_conflicts(view, stored)
        actions = registry.actions(site.workspace, view, stored)[:50] if names.is_registry(stored) else []
    return rendering.page(
        request, "collection", title=about["shown"], about=about, rows=rows, start=start, has_more=len(some) > PER_PAGE, sides=sides, actions=actions,
        is_registry=names.is_registry(stored),
    )  # fmt: skip


def version_page(request: Request) -> Response:
    """One version; `tab` of the path says which part of it."""
    site = rendering.site_of(request)
    tab = str(request.path_params.get("tab") or "overview")
    if tab not in TABS:
        raise NotFoundError(f"a version has no page '{tab}'")
    with site.reading() as view:
        member = member_of(request, view)
        values = {**common(site.workspace, view, member), **_PARTS[tab](request, site.workspace, view, member)}
    if tab == "lineage":
        values["lineage"] = lineage_view.drawn(values["lineage"])
    return rendering.page(request, f"version_{tab}", title=values["row"]["name"], tab=tab, tabs=TABS, **values)


def common(workspace: Workspace, view: View, member: Member) -> dict[str, Any]:
    """Returns what the heading of each page of a version shows."""
    return {
        "row": collections.row(workspace, view, member),
        "collection": member.collection,
        "shown": names.display_collection(member.collection, workspace.project),
        "is_registry": names.is_registry(member.collection),
        "protected": sorted(view.protected(member.collection)),
        "contested": [alias for alias, answer in sorted(view.aliases(member.collection).items()) if answer.in_conflict and member.version in answer.values],
    }


def _overview(_: Request, workspace: Workspace, view: View, member: Member) -> dict[str, Any]:
    metadata, description = view.metadata(member.version)
    said = view.publications(member.version)
    others = (view.member(stored, member.version) for stored in view.collections_of(member.version) if stored not in (member.collection, view.source_collection(member.version)))
    links = [collections.row(workspace, view, other) for other in others if other is not None]
    files, size, problem = 0, 0, ""
    try:
        manifest = contents.of(workspace, view, member.version).manifest
        files, size = manifest.count, manifest.size_bytes
    except NotFoundError as error:
        problem = error.message
    makers = [row for p in said if p.run is not None and (row := collections.run_row(workspace, view, p.run)) is not None]
    all_users = run_questions.users(workspace, view, member.version)
    users = [row for run in all_users[:_MOST_USERS] if (row := collections.run_row(workspace, view, run)) is not None]
    return {
        "description": description,
        "publications": said,
        "metadata_count": len(metadata),
        "links": links,
        "files": files,
        "size": size,
        "problem": problem,
        "makers": makers,
        "users": users,
        "more_users": max(0, len(all_users) - _MOST_USERS),
        "verdicts": _verdicts(workspace, view, member),
    }


def _verdicts(workspace: Workspace, view: View, member: Member) -> list[dict[str, Any]]:
    """Returns who signed the protected aliases of a version."""
    found = []
    guarded = view.protected(member.collection)
    for alias in view.aliases_of(member.collection, member.version):
        if alias in guarded:
            verdict = protecting.verify(workspace, f"{names.display_collection(member.collection)}:{alias}")
            found.append({"alias": alias, "good": verdict.is_good, "signer": verdict.signer or ""})
    return found


def _files(request: Request, workspace: Workspace, view: View, member: Member) -> dict[str, Any]:
    return {"listing": browsing.folder(workspace, view, member, str(request.query_params.get("in", "")), queries.page(request))}


def _metadata(_: Request, workspace: Workspace, view: View, member: Member) -> dict[str, Any]:
    metadata, _description = view.metadata(member.version)
    return {"metadata": workspace.value_map(metadata)}


def _lineage(request: Request, workspace: Workspace, view: View, member: Member) -> dict[str, Any]:
    return {"lineage": lineage_view.of(request, workspace, view, member)}


def _history(_: Request, workspace: Workspace, view: View, member: Member) -> dict[str, Any]:
    shown = names.display_collection(member.collection, workspace.project)
    said = zip(view.actions(member.collection), registry.actions(workspace, view, member.collection), strict=True)
    actions = [shown for action, shown in said if action.version == member.version]
    others = [one for one in islice(view.members(member.collection, newest_first=True), PER_PAGE) if one.version != member.version]
    return {"publications": view.publications(member.version), "actions": actions, "others": [(one.label, f"{shown}:{one.label}") for one in others]}


def _usage(_: Request, workspace: Workspace, __: View, member: Member) -> dict[str, Any]:
    return {"reference": names.display_collection(member.collection), "project_name": workspace.project}


_PARTS = {"overview": _overview, "files": _files, "metadata": _metadata, "lineage": _lineage, "history": _history, "usage": _usage}


def compare_page(request: Request) -> Response:
    """Two versions side by side: files, metadata, tensors."""
    site = rendering.site_of(request)
    with site.reading() as view:
        after = member_of(request, view)
        before = member_of(request, view, str(request.path_params["other"]))
        files = comparing.versions(site.workspace, view, before.version, after.version)
        metadata = comparing.metadata_changes(site.workspace, view, before.version, after.version)
        changed = list(islice(tensors.differences(site.workspace, view, before.version, after.version), 1_000)) if any(one.kind != "added" for one in files) else []
        about = common(site.workspace, view, after)
        tables = table_changes.between(site.workspace, view, before, after, files)
        shown_before = resolving.display(site.workspace, before)
    return rendering.page(
        request, "compare_versions", title=f"{shown_before} and {about['row']['name']}", before=shown_before, before_address=addresses.version(before.collection, before.label),
        files=files[:2_000], file_count=len(files), metadata=metadata, tensors=changed, tables=tables, **about,
    )  # fmt: skip


def tensor_page(request: Request) -> Response:
    """One tensor: how its numbers are spread."""
    site = rendering.site_of(request)
    path, name = request.query_params.get("file", ""), request.query_params.get("name", "")
    with site.reading() as view:
        member = member_of(request, view)
        found = tensors.distribution(site.workspace, view, member.version, path, name)
        about = common(site.workspace, view, member)
    most = max(found.counts, default=0)
    bars = [(count, round(100 * count / most, 2)) for count in found.counts] if most else []
    return rendering.page(request, "tensor", title=f"{name} of {about['row']['name']}", tab="files", tabs=TABS, found=found, bars=bars, file=path, **about)


def tensors_page(request: Request) -> Response:
    """The tensors in a version's files."""
    site = rendering.site_of(request)
    with site.reading() as view:
        member = member_of(request, view)
        found = tensors.of(site.workspace, view, member.version)
        about = common(site.workspace, view, member)
    return rendering.page(request, "tensors", title=f"Tensors of {about['row']['name']}", tab="files", tabs=TABS, tensors=found[:5_000], count=len(found), **about)
