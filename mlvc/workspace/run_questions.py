"""Runs as people ask for them: finished or under way, with what they logged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from mlvc.errors import NotFoundError
from mlvc.fold.questions import View
from mlvc.format.ids import RunId, short
from mlvc.runs import events, live_run
from mlvc.runs.events import Recorded
from mlvc.runs.live_run import Beginning, LiveRun
from mlvc.workspace import contents
from mlvc.workspace.workspace import Workspace

HISTORY, CONSOLE, PATCH, PACKAGES = "history", "console", "patch", "packages"


class RecordedRun(Struct, frozen=True):
    """A run.

    Attributes:
        label: what users know as its id.
        state: running, finished, failed, crashed, killed, preempted, or unknown when another host knows.
        facts: everything recorded of it beside config and summary.
        created_ms: milliseconds UTC.
        runtime_s: seconds, or None when nobody knows.
        is_live: whether it is not sealed yet.
        heads: more than one when it was resumed on two clones.
    """

    id: RunId
    project: str
    label: str
    name: str
    state: str
    job_type: str
    group: str
    notes: str
    entity: str
    tags: tuple[str, ...]
    config: dict[str, Any]
    summary: dict[str, Any]
    facts: dict[str, Any]
    created_ms: int
    runtime_s: float | None
    is_live: bool
    heads: int


def describe(workspace: Workspace, view: View, identifier: RunId) -> RecordedRun:
    """Returns a run, sealed or under way; NotFoundError when it is neither."""
    sealed = view.run(identifier)
    live = _live(workspace, identifier)
    if sealed is None and live is None:
        raise NotFoundError(f"the run @{short(identifier, 12)} is not known here", hint="it may have been deleted; 'mlvc pull' may bring it")
    facts = workspace.value_map(sealed.facts) if sealed else {}
    config = workspace.value_map(sealed.config) if sealed else {}
    summary = workspace.value_map(sealed.summary) if sealed else {}
    tags = sealed.tags if sealed else ()
    project, label = (sealed.project, sealed.label) if sealed else ("", "")
    if live is not None:
        beginning, recorded, one = live
        project, label = beginning.project, beginning.label
        facts = {**facts, **beginning.facts, **recorded.facts, "state": live_run.state_of(one, recorded)}
        config = {k: v for k, v in {**config, **recorded.config}.items() if k not in recorded.config_removed}
        summary = {k: v for k, v in {**summary, **recorded.summary}.items() if k not in recorded.summary_removed}
        tags = tuple(sorted(recorded.tags)) if recorded.tags is not None else tags
        facts["runtime_s"] = max(0.0, recorded.last_s - beginning.started_s)
    return RecordedRun(
        id=identifier,
        project=project,
        label=label,
        name=str(facts.get("name") or ""),
        state=str(facts.get("state") or events.UNKNOWN),
        job_type=str(facts.get("job_type") or ""),
        group=str(facts.get("group") or ""),
        notes=str(facts.get("notes") or ""),
        entity=str(facts.get("entity") or ""),
        tags=tags,
        config=config,
        summary=summary,
        facts=facts,
        created_ms=int(facts.get("created_ms") or 0),
        runtime_s=facts.get("runtime_s"),
        is_live=live is not None,
        heads=len(sealed.heads) if sealed else 0,
    )


def _live(workspace: Workspace, identifier: RunId) -> tuple[Beginning, Recorded, LiveRun] | None:
    folder = workspace.runs_folder / identifier.hex()
    if not folder.is_dir():
        return None
    one = LiveRun(folder)
    beginning = one.beginning()
    return None if beginning is None else (beginning, one.recorded(beginning.started_s), one)


def list_runs(workspace: Workspace, view: View, project: str | None = None) -> Iterator[RecordedRun]:
    """Yields the runs of a project, or of all: those under way first, then the newest."""
    seen = set()
    for one in reversed(live_run.list_live(workspace.runs_folder)):
        beginning = one.beginning()
        if beginning is not None and project in (None, beginning.project):
            seen.add(one.id)
            yield describe(workspace, view, one.id)
    for found in view.runs(project):
        if found.id not in seen:
            yield describe(workspace, view, found.id)


def history(workspace: Workspace, view: View, identifier: RunId) -> list[dict[str, Any]]:
    """Returns what a run logged, one dictionary a step, in the order of its segments; also while it runs."""
    describe(workspace, view, identifier)
    rows: list[dict[str, Any]] = []
    for file in _files(view, identifier, HISTORY):
        rows += events.decode_history(contents.read_whole(workspace, *file))
    live = _live(workspace, identifier)
    if live is not None:
        rows += live[1].history()
    return rows


def console(workspace: Workspace, view: View, identifier: RunId) -> bytes:
    """Returns what a run's program printed, as far as it was recorded."""
    found = b"".join(contents.read_whole(workspace, *file) for file in _files(view, identifier, CONSOLE))
    live = _live(workspace, identifier)
    if live is not None and live[2].console_path.exists():
        found += live[2].console_path.read_bytes()
    return found


def patch(workspace: Workspace, view: View, identifier: RunId) -> bytes:
    """Returns the uncommitted changes that a run was made with; b"" when there were none."""
    files = _files(view, identifier, PATCH)
    return contents.read_whole(workspace, *files[-1]) if files else b""


def _files(view: View, identifier: RunId, name: str) -> list[tuple[bytes, int, bytes | None]]:
    found = view.run(identifier)
    return [segment[name] for segment in found.segments if name in segment] if found else []
