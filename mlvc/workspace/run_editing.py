"""Saying more of a run that has ended: facts, config, summary, tags, inputs, outputs, files. Each is one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlvc.errors import NotFoundError, UsageError
from mlvc.fold.questions import View
from mlvc.format import names, values
from mlvc.format.ids import FileDigest, RunId, VersionId, short
from mlvc.format.operations import Edge, Move, Operation, Publish, RunHead, TagAdd
from mlvc.workspace import contents, publishing, run_questions
from mlvc.workspace.draft import Draft, KnownFile, Source
from mlvc.workspace.workspace import Workspace

Changes = tuple[Mapping[str, Any], Sequence[str]]
"""Keys that are set, and keys that are removed."""


def _sealed(view: View, run: RunId) -> Any:
    found = view.run(run)
    if found is None:
        raise NotFoundError(f"the run @{short(run, 12)} is not recorded yet", hint="it is once it has ended, or logged an artifact")
    return found


def edit(
    workspace: Workspace,
    run: RunId,
    command: str,
    *,
    facts: Mapping[str, Any] | None = None,
    config: Changes = ({}, ()),
    summary: Changes = ({}, ()),
    tags: Sequence[str] | None = None,
) -> None:
    """Adds a head with what changed; nothing is said when nothing did.

    Raises:
        NotFoundError: the run is not recorded yet.
    """
    removed = [f"config.{key}" for key in config[1]] + [f"summary.{key}" for key in summary[1]]
    known = _sealed(workspace.repository.view(), run)
    new_tags = None if tags is None or tuple(sorted(tags)) == known.tags else tuple(tags)
    if not (facts or config[0] or summary[0] or removed or new_tags is not None):
        return
    with workspace.committing(command) as commit:
        new_facts, new_config, new_summary = (
            commit.store_map(values.spelled_out(dict(one))) for one in (facts or {}, config[0], summary[0])
        )

        def build(view: View) -> list[Operation]:
            found = _sealed(view, run)
            heads = tuple(sorted(found.heads))
            return [RunHead(run, found.project, found.label, heads, new_facts, new_config, new_summary, tuple(removed), new_tags)]

        commit.say_with(build)


def use(workspace: Workspace, run: RunId, version: VersionId, name: str, use_as: str, command: str) -> None:
    """Says that a run used a version."""
    _sealed(workspace.repository.view(), run)
    with workspace.committing(command) as commit:
        commit.say(Edge(run, version, name, use_as))


def made(workspace: Workspace, run: RunId, version: VersionId, aliases: Sequence[str], tags: Sequence[str], command: str) -> None:
    """Says that a run published a version that is there already, and points aliases at it."""
    _sealed(workspace.repository.view(), run)
    checked = [names.check_alias(alias) for alias in aliases if alias != names.LATEST]
    with workspace.committing(command) as commit:

        def build(view: View) -> list[Operation]:
            known = contents.publication(view, version)
            deletes = view.deletes_to_name(version)
            commit.need("artifact", known.manifest, known.recipes)
            said: list[Operation] = [
                Publish(known.collection, known.manifest, known.recipes, run, known.metadata, known.description, known.base, deletes)
            ]
            said += [Move(known.collection, a, version, view.moves_to_name(known.collection, a), deletes) for a in checked]
            return said + [TagAdd(("version", version), names.check_tag(tag)) for tag in tags]

        commit.say_with(build)


def keep_file(workspace: Workspace, run: RunId, path: str, source: Path, command: str) -> None:
    """Keeps one more file with a run.

    Raises:
        UsageError: it is no file.
    """
    if not source.is_file():
        raise UsageError(f"{source} is no file")
    view = workspace.repository.view()
    found = _sealed(view, run)
    files: dict[str, Source] = {}
    for kept in run_questions.kept_files(workspace, view, run):
        if kept.held is not None:
            entry: Any = kept.held.manifest[kept.path]
            files[kept.path] = KnownFile(entry, kept.held.recipes.find(entry.digest))
    files[path] = source
    with workspace.committing(command) as commit:
        manifest, recipes, tree = publishing.store_tree(workspace, commit, Draft(f"{found.project}/{found.label}", "", files))
        held = {run_questions.FILES: (FileDigest(manifest), tree.size_bytes, recipes)}
        commit.say_with(lambda now: [RunHead(run, found.project, found.label, tuple(sorted(_sealed(now, run).heads)), files=held)])
