"""One version made by several runs: each adds its part, the last one publishes them all.

Parts are versions of a collection of their own, so that they survive whoever made them, and travel like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlvc.format import names
from mlvc.workspace import contents, publishing, registry
from mlvc.workspace.draft import Draft, Source

if TYPE_CHECKING:
    from mlvc.api.artifacts import Artifact
    from mlvc.api.run_artifacts import RunArtifacts


def _parts_of(collection: str, shared: str) -> str:
    project, name = names.split_collection(collection)
    suffix = f".parts-{names.artifact_name_from(shared)}"
    return f"{project}/{name[: names.MAX_NAME - len(suffix)]}{suffix}"


def upsert(run: RunArtifacts, artifact: Artifact, aliases: Sequence[str], shared: str) -> Artifact:
    """Publishes a part; returns it."""
    draft = run._draft(artifact, (), ())
    draft.aliases, draft.collection = aliases, _parts_of(draft.collection, shared)
    return run._logged(artifact, run._active.publish(draft, f"run.upsert_artifact {artifact.name}"))


def finish(run: RunArtifacts, artifact: Artifact, aliases: Sequence[str], shared: str) -> Artifact:
    """Publishes all parts and what is given here as one version, and deletes the parts; returns the version."""
    workspace = run._workspace
    draft: Draft = run._draft(artifact, aliases, ())
    parts = _parts_of(draft.collection, shared)
    view = workspace.repository.view()
    gathered: dict[str, Source] = {}
    named = dict.fromkeys(draft.aliases)
    for member in view.members(parts):
        held = contents.of(workspace, view, member.version)
        gathered |= publishing.known_files(held.manifest, held.recipes)
        named |= dict.fromkeys(alias for alias in view.aliases_of(parts, member.version) if alias != names.LATEST)
    draft.files = {**gathered, **dict(draft.files)}
    draft.aliases = tuple(named)
    done = run._logged(artifact, run._active.publish(draft, f"run.finish_artifact {artifact.name}"))
    if view.collection(parts) is not None:
        registry.delete_collection(workspace, parts, f"run.finish_artifact {artifact.name}")
    return done
