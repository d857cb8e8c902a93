"""Collections and their versions: what lists and headings show of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mlvc.errors import NotFoundError
from mlvc.fold.questions import CollectionView, Member, View
from mlvc.format import names
from mlvc.format.ids import RunId, VersionId
from mlvc.web import addresses
from mlvc.workspace import run_questions
from mlvc.workspace.workspace import Workspace

_SHOWN_METRICS = 3


def registered(view: View) -> Iterator[CollectionView]:
    """Yields the registered models of all registries, by name."""
    return (one for one in view.collections() if names.is_registry(one.name))


def sources(view: View, project: str | None = None) -> Iterator[CollectionView]:
    """Yields the collections that versions are published to, by name."""
    return (one for one in view.collections(project) if not names.is_registry(one.name))


def summary(workspace: Workspace, view: View, one: CollectionView) -> dict[str, Any]:
    """Returns a collection as lists show it."""
    latest = view.latest(one.name)
    answers = sorted(view.aliases(one.name).items())
    aliases = [(alias, view.member(one.name, answer.version)) for alias, answer in answers if answer.version is not None]
    description, tags = view.collection_details(one.name)
    return {
        "name": one.name,
        "shown": names.display_collection(one.name, workspace.project),
        "address": addresses.collection(one.name),
        "type": one.type,
        "count": one.count,
        "latest": None if latest is None else row(workspace, view, latest),
        "aliases": [(alias, member.label) for alias, member in aliases if member is not None and alias != names.LATEST],
        "description": description,
        "tags": tags,
        "protected": sorted(view.protected(one.name)),
        "contested": [alias for alias, answer in answers if answer.in_conflict],
    }


def linkers(view: View, collection: str) -> dict[VersionId, str]:
    """Returns who linked each version of a registered model, the last time."""
    if not names.is_registry(collection):
        return {}
    found: dict[VersionId, str] = {}
    for action in view.actions(collection):  # the last first
        if action.kind == "link" and action.version is not None and not action.is_undone and action.problem is None:
            found.setdefault(action.version, action.who)
    return found


def alias_conflicts(view: View, collection: str | None = None) -> list[dict[str, Any]]:
    """Returns the aliases that two clones moved apart, of one collection or of all, each with its sides."""
    found = []
    for conflict in view.conflicts():
        if conflict.kind != "alias" or collection not in (None, conflict.collection):
            continue
        sides = []
        for side in view.alias_sides(conflict.collection, conflict.alias):
            member = None if side.version is None else view.member(conflict.collection, side.version)
            label = "removed" if side.version is None else member.label if member else side.version.hex()[:12]
            sides.append({"label": label, "id": None if side.version is None else side.version.hex(), "who": side.who, "when_ms": side.when_ms})
        found.append({"kind": "alias", "collection": conflict.collection, "alias": conflict.alias, "sides": sides})
    return found


def row(workspace: Workspace, view: View, member: Member, linked_by: Mapping[VersionId, str] | None = None) -> dict[str, Any]:
    """Returns a version as lists show it: its names, when and by whom it came here, where it comes from, and its run.

    `linked_by` is what `linkers` returned for its collection, where a list asks once for all.
    """
    said = view.publications(member.version)
    who = (linkers(view, member.collection) if linked_by is None else linked_by).get(member.version) or (said[-1].who if said else "")
    source = view.source_collection(member.version)
    from_member = view.member(source, member.version) if source and source != member.collection else None
    linked_ms = view.linked_ms(member.collection, member.version) if names.is_registry(member.collection) else None
    run = next((p.run for p in said if p.run is not None), None)
    collection = view.collection(member.collection)
    return {
        "member": member,
        "name": f"{names.display_collection(member.collection, workspace.project)}:{member.label}",
        "label": member.label,
        "id": member.version.hex(),
        "type": collection.type if collection else "",
        "address": addresses.version(member.collection, member.label),
        "aliases": [alias for alias in view.aliases_of(member.collection, member.version) if alias != names.LATEST],
        "is_latest": names.LATEST in view.aliases_of(member.collection, member.version),
        "tags": view.tags(member.version),
        "source": None
        if from_member is None
        else {"name": f"{names.display_collection(from_member.collection, workspace.project)}:{from_member.label}", "address": addresses.version(from_member.collection, from_member.label)},
        "who": who,
        "when_ms": linked_ms if linked_ms is not None else said[-1].when_ms if said else 0,
        "run": None if run is None else run_row(workspace, view, run),
    }


def run_row(workspace: Workspace, view: View, identifier: RunId) -> dict[str, Any] | None:
    """Returns a run as lists of versions show it, or None when it was deleted."""
    try:
        run = run_questions.describe(workspace, view, identifier)
    except NotFoundError:
        return None
    metrics = [(name, value) for name, value in run.summary.items() if not name.startswith("_") and isinstance(value, (int, float))]
    return {"name": run.name or run.label, "address": addresses.run(run.project, run.label), "state": run.state, "metrics": metrics[:_SHOWN_METRICS]}
