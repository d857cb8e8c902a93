"""Versions, runs and transactions as plain data: what `--json` prints and the pages' JSON API gives. docs/cli-json.md describes each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlvc.fold.questions import Member, TransactionView, View
from mlvc.format import names
from mlvc.workspace.workspace import Workspace

if TYPE_CHECKING:
    from mlvc.workspace.run_questions import RecordedRun


def version(workspace: Workspace, view: View, member: Member) -> dict[str, Any]:
    """Returns a version as its collection shows it."""
    source = view.source_collection(member.version) or member.collection
    collection = view.collection(member.collection)
    said = view.publications(member.version)
    metadata, description = view.metadata(member.version)
    source_member = view.member(source, member.version)
    return {
        "collection": names.display_collection(member.collection),
        "name": f"{names.display_collection(member.collection, workspace.project)}:{member.label}",
        "version": member.label,
        "is_provisional": member.is_provisional,
        "id": member.version.hex(),
        "type": collection.type if collection else None,
        "aliases": view.aliases_of(member.collection, member.version),
        "tags": list(view.tags(member.version)),
        "description": description,
        "metadata": workspace.value_map(metadata),
        "source": None if source == member.collection or not source_member else f"{source}:{source_member.label}",
        "links": [names.display_collection(c) for c in view.collections_of(member.version) if names.is_registry(c)],
        "published": [
            {"who": p.who, "when_ms": p.when_ms, "run": p.run.hex() if p.run else None, "command": p.command} for p in said
        ],
    }


def run(found: RecordedRun) -> dict[str, Any]:
    """Returns a run."""
    return {
        "id": found.id.hex(),
        "label": found.label,
        "name": found.name,
        "project": found.project,
        "state": found.state,
        "job_type": found.job_type,
        "group": found.group,
        "notes": found.notes,
        "tags": list(found.tags),
        "config": found.config,
        "summary": found.summary,
        "created_ms": found.created_ms,
        "runtime_s": found.runtime_s,
        "is_live": found.is_live,
        "facts": found.facts,
    }


def transaction(found: TransactionView) -> dict[str, Any]:
    """Returns a transaction."""
    return {
        "id": found.id.hex(),
        "who": found.who,
        "when_ms": found.when_ms,
        "command": found.command,
        "is_undone": found.is_undone,
    }
