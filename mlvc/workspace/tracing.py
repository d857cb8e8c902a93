"""Lineage of versions and runs, and where a file on disk comes from."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from mlvc.errors import NotFoundError
from mlvc.fold.questions import Member, View
from mlvc.format import names
from mlvc.format.ids import RunId, VersionId, short
from mlvc.format.manifest import FileEntry
from mlvc.lineage import graph
from mlvc.lineage.graph import ABOVE, ARTIFACT, BELOW, RUN, Beside, Extent, Graph, Key, Neighbours, Node
from mlvc.objects import source_file
from mlvc.runs import events
from mlvc.working_tree import placing
from mlvc.workspace import contents, resolving, run_questions
from mlvc.workspace.workspace import Workspace


def lineage(
    workspace: Workspace, view: View, start: Member | RunId, *, depth: int | None = None, up: bool = True, down: bool = True
) -> Graph:
    """Returns the graph around a version (a link counts as its source) or a run.

    Args:
        workspace: where to look.
        view: of it.
        start: the node in focus.
        depth: steps in each direction, None for all.
        up: go to what it was made from.
        down: go to what was made of it.
    """
    return around(workspace, view, start, Extent(depth if up else 0, depth if down else 0))


def around(workspace: Workspace, view: View, start: Member | RunId, extent: Extent) -> Graph:
    """Returns the graph around a node, so much of it as is asked for. Of more nodes than `extent.most`, the nearest."""
    sides = _neighbours(view)
    above = sides[ABOVE]
    focus = _key(start)
    keys, edges, followed = graph.walk(focus, sides, extent)
    shown = set(keys)  # what stands in the picture is joined, also where the walk did not pass
    joined = dict.fromkeys([*edges, *((made, key) for key in keys for made in above(key) if made in shown)])
    edges = list(joined)
    keys = graph.topological(keys, edges)
    beside = {}
    if not extent.is_all:
        for key in keys:
            found = tuple(_beside(list(neighbours(key)), shown, (side, key) in followed) for side, neighbours in enumerate(sides))
            beside[key] = (found[ABOVE], found[BELOW])
    return Graph(focus, tuple(_node(workspace, view, key) for key in keys), tuple(edges), beside, extent.most is not None and len(keys) >= extent.most)


def is_larger_than(view: View, start: Member | RunId, extent: Extent, count: int) -> bool:
    """Tells whether a graph has more nodes than that, by looking at no more of them."""
    keys, _, _ = graph.walk(_key(start), _neighbours(view), replace(extent, most=count + 1))
    return len(keys) > count


def node(workspace: Workspace, view: View, start: Member | RunId) -> Node:
    """Returns the graph's node for a version or run."""
    return _node(workspace, view, _key(start))


def _key(start: Member | RunId) -> Key:
    return (ARTIFACT, start.version) if isinstance(start, Member) else (RUN, start)


def _neighbours(view: View) -> tuple[Neighbours, Neighbours]:
    def above(key: Key) -> Iterable[Key]:
        if key[0] == RUN:
            return [(ARTIFACT, use.version) for use in view.inputs(RunId(key[1]))]
        return [(RUN, run) for run in view.producers(VersionId(key[1]))]

    def below(key: Key) -> Iterable[Key]:
        if key[0] == RUN:
            return [(ARTIFACT, version) for version in view.outputs(RunId(key[1]))]
        return [(RUN, run) for run in view.users(VersionId(key[1]))]

    return above, below


def _beside(neighbours: list[Key], shown: set[Key], was_followed: bool) -> Beside:
    hidden = len(set(neighbours) - shown)
    return Beside(hidden, can_hide=was_followed and hidden < len(set(neighbours)))


def _node(workspace: Workspace, view: View, key: Key) -> Node:
    if key[0] == RUN:
        run = run_questions.find(workspace, view, RunId(key[1]))
        if run is None:
            return Node(key, f"run @{short(key[1], 12)}", "run", ("deleted",), {"run_id": key[1].hex(), "state": "deleted"})
        state = () if run.state == events.FINISHED else (run.state,)
        details = {"run_id": run.label, "project": run.project, "name": run.name, "state": run.state, "created_ms": run.created_ms}
        return Node(key, f"run {run.name or run.label}", run.job_type or "run", state, details)
    version = VersionId(key[1])
    source = view.source_collection(version) or ""
    collection = view.collection(source)
    marks = [a for a in view.aliases_of(source, version) if a != names.LATEST]
    for linked in view.collections_of(version):
        member = view.member(linked, version)
        if names.is_registry(linked) and member is not None:
            aliases = [a for a in view.aliases_of(linked, version) if a != names.LATEST]
            marks.append(resolving.display(workspace, member) + (f" ({', '.join(aliases)})" if aliases else ""))
    label = resolving.display_version(workspace, view, version)
    said = view.publications(version)
    details = {"version_id": version.hex(), "collection": names.display_collection(source), "created_ms": said[0].when_ms if said else None}
    return Node(key, label, collection.type if collection else "artifact", tuple(marks), details)


class Origin(Struct, frozen=True):
    """A version that holds a file's content: under which path, made by which runs, from which commit and inputs."""

    member: Member
    entry_path: str
    runs: tuple[RunId, ...]
    commit: str | None
    inputs: tuple[str, ...]


def why(workspace: Workspace, view: View, path: Path) -> list[Origin]:
    """Returns the versions that hold what a file on disk holds, those of each collection newest first.

    Raises:
        NotFoundError: there is no such file; or no version holds it, then the message has the content's digest.
        UsageError: it is no regular file.
        LocalFileError: it cannot be read.
    """
    absolute = Path(os.path.abspath(path))
    if not os.path.lexists(absolute):
        raise NotFoundError(f"there is no file {path}")
    source_file.regular_file(absolute)
    digest = placing.current_digest(absolute, workspace.stat_cache)
    found = []
    for collection in view.collections():
        if names.is_registry(collection.name):
            continue
        for member in view.members(collection.name, newest_first=True):
            manifest = contents.of(workspace, view, member.version).manifest
            entry = next((e.path for e in manifest if isinstance(e, FileEntry) and e.digest == digest), None)
            if entry is not None:
                found.append(_origin(workspace, view, member, entry))
    if not found:
        text = "nothing" if digest is None else digest.hex()
        raise NotFoundError(
            f"no version here holds the content of {path}, BLAKE3 {text}", hint="'mlvc add' stores it; 'mlvc pull' may know it"
        )
    return found


def _origin(workspace: Workspace, view: View, member: Member, entry: str) -> Origin:
    """Returns how a version came about; runs that were deleted since are left out."""
    commit = None
    runs: list[RunId] = []
    inputs: dict[str, None] = {}
    for run in view.producers(member.version):
        described = run_questions.find(workspace, view, run)  # deleted runs are still named by what they made
        if described is None:
            continue
        runs.append(run)
        commit = commit or (described.facts.get("git") or {}).get("commit")
        inputs.update(dict.fromkeys(resolving.display_version(workspace, view, u.version) for u in view.inputs(run)))
    return Origin(member, entry, tuple(runs), commit, tuple(inputs))
