"""Runs as people ask for them: finished or under way, with what they logged."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

from msgspec import Struct

from mlvc import atomic_file
from mlvc.errors import LocalFileError, NotFoundError
from mlvc.fold.questions import View
from mlvc.fold.runs import RunView
from mlvc.format import names
from mlvc.format.ids import ManifestId, RecordId, RunId, VersionId, short
from mlvc.runs import events, live_run
from mlvc.runs.events import Recorded
from mlvc.runs.live_run import Beginning, LiveRun
from mlvc.workspace import contents
from mlvc.workspace.contents import Contents
from mlvc.workspace.workspace import Workspace

_LAST_MS = 253_402_300_799_000
"""The end of the year 9999, the last that there are dates of."""

_KINDS: dict[str, type | tuple[type, ...]] = {"git": dict, "command": list, "metrics": list, "plan": dict}
"""What facts are that others rely on; journals come from strangers, too."""

HISTORY, CONSOLE, PATCH, PACKAGES, SYSTEM, FILES = "history", "console", "patch", "packages", "system", "files"


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
        order: where it stands among all runs: the greater the newer. 0 for one that was never sealed.
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
    order: int = 0


def describe(workspace: Workspace, view: View, identifier: RunId) -> RecordedRun:
    """Returns a run, sealed or under way; NotFoundError when it is neither."""
    found = find(workspace, view, identifier)
    if found is None:
        raise NotFoundError(f"the run @{short(identifier, 12)} is not known here", hint="it may have been deleted; 'mlvc pull' may bring it")
    return found


def find(workspace: Workspace, view: View, identifier: RunId) -> RecordedRun | None:
    """Returns a run, sealed or under way, or None when it is neither."""
    live = _live(workspace, identifier)
    return sealed(workspace, view, identifier) if live is None else _describe(workspace, view.run(identifier), identifier, live)


def sealed(workspace: Workspace, view: View, identifier: RunId) -> RecordedRun | None:
    """Returns a run as it was sealed, whatever it does now; None when it never was, or was deleted."""
    found = view.run(identifier)
    return None if found is None else _describe(workspace, found)


def _describe(
    workspace: Workspace, sealed: RunView | None, identifier: RunId | None = None, live: tuple[Beginning, Recorded, LiveRun] | None = None
) -> RecordedRun:
    facts = workspace.value_map(sealed.facts) if sealed else {}
    config = workspace.value_map(sealed.config) if sealed else {}
    summary = workspace.value_map(sealed.summary) if sealed else {}
    tags = sealed.tags if sealed else ()
    project, label = (sealed.project, sealed.label) if sealed else ("", "")
    if sealed is not None:
        identifier = sealed.id
    assert identifier is not None, "it is known by one of the two"
    facts = {name: value for name, value in facts.items() if isinstance(value, _KINDS.get(name, object))}
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
        created_ms=int(_number(facts.get("created_ms")) or 0),
        runtime_s=_number(facts.get("runtime_s")),
        is_live=live is not None,
        heads=len(sealed.heads) if sealed else 0,
        order=sealed.order if sealed else 0,
    )


def _number(fact: Any) -> float | None:
    """Returns a fact that must be a number; journals come from strangers, too."""
    return fact if isinstance(fact, (int, float)) and not isinstance(fact, bool) and 0 <= fact <= _LAST_MS else None


def _live(workspace: Workspace, identifier: RunId) -> tuple[Beginning, Recorded, LiveRun] | None:
    folder = workspace.runs_folder / identifier.hex()
    if not folder.is_dir():
        return None
    one = LiveRun(folder)
    try:
        beginning = one.beginning()
        return None if beginning is None else (beginning, workspace.followed.recorded(one, beginning.started_s), one)
    except (LocalFileError, FileNotFoundError):
        if folder.is_dir():
            raise
        return None  # it was sealed just now


def list_runs(
    workspace: Workspace, view: View, project: str | None = None, *, newest_first: bool = True
) -> Iterator[RecordedRun]:
    """Yields the runs of a project, or of all, by when they began: those under way are the newest."""
    live = []
    for one in live_run.list_live(workspace.runs_folder):
        beginning = one.beginning()
        if beginning is not None and project in (None, beginning.project):
            live.append(one.id)
    if newest_first:
        for identifier in reversed(live):
            yield describe(workspace, view, identifier)
    for found in view.runs(project, newest_first=newest_first):
        if found.id not in live:
            yield _describe(workspace, found)
    if not newest_first:
        for identifier in live:
            yield describe(workspace, view, identifier)


def some_runs(workspace: Workspace, view: View, project: str | None, start: int, count: int) -> list[RecordedRun]:
    """Returns some of what `list_runs` yields, the newest first; what is passed over is not read, so deleted ones count among it."""
    live = [one.id for one in reversed(live_run.list_live(workspace.runs_folder)) if _is_of(one, project)]
    sealed = (identifier for identifier in view.run_ids(project) if identifier not in live)
    some = list(islice(chain(live, sealed), start, start + count))
    return [found for one in some if (found := find(workspace, view, one)) is not None]


def count_runs(workspace: Workspace, view: View, project: str | None = None) -> int:
    """Returns how many runs a project has, or all; runs that were deleted count, for nothing is read of them."""
    live = [one for one in live_run.list_live(workspace.runs_folder) if _is_of(one, project)]
    unknown = sum(view.run(one.id) is None for one in live)
    return unknown + sum(view.count_runs(one) for one in ([project] if project is not None else view.projects_of_runs()))


def _is_of(one: LiveRun, project: str | None) -> bool:
    beginning = one.beginning()
    return beginning is not None and project in (None, beginning.project)


def projects(view: View) -> list[str]:
    """Returns the projects that hold runs or artifacts, sorted."""
    return sorted({*view.projects_of_runs(), *(names.split_collection(c.name)[0] for c in view.collections() if not names.is_registry(c.name))})


def inputs(workspace: Workspace, view: View, identifier: RunId) -> list[VersionId]:
    """Returns the versions that a run has used, each once, in the order it did; also while it runs."""
    found = [use.version for use in view.inputs(identifier)]
    live = _live(workspace, identifier)
    if live is not None:
        found += [VersionId(version) for version, _, _ in live[1].inputs]
    return list(dict.fromkeys(found))


def users(workspace: Workspace, view: View, version: VersionId) -> list[RunId]:
    """Returns the runs that have used a version, those under way last."""
    found = view.users(version)
    for one in live_run.list_live(workspace.runs_folder):
        live = _live(workspace, one.id)
        if live is not None and one.id not in found and any(used == version for used, _, _ in live[1].inputs):
            found.append(one.id)
    return found


def history(workspace: Workspace, view: View, identifier: RunId) -> list[dict[str, Any]]:
    """Returns what a run logged, one dictionary a step, in the order of its segments; also while it runs."""
    describe(workspace, view, identifier)
    rows: list[dict[str, Any]] = []
    for file in _files(view, identifier, HISTORY):
        rows += events.decode_history(contents.read_whole(workspace, *file))
    live = _live(workspace, identifier)
    if live is not None:
        rows += [dict(row) for row in live[1].history()]
    return rows


def each_row(workspace: Workspace, view: View, identifier: RunId, *, of_system: bool = False) -> Iterator[dict[str, Any]]:
    """Yields what `history`, or `system`, returns, a row at a time: for those who want a million of them in little memory."""
    for file in _files(view, identifier, SYSTEM if of_system else HISTORY):
        yield from events.each_row(contents.read_whole(workspace, *file))
    live = _live(workspace, identifier)
    if live is not None:
        yield from live[1].system if of_system else live[1].history()


def count_writers(workspace: Workspace, identifier: RunId) -> int:
    """Returns how many processes log, or logged, to a run under way; 0 for one that is sealed."""
    live = _live(workspace, identifier)
    return 0 if live is None else len(live[1].writers)


def history_id(view: View, identifier: RunId, *, of_system: bool = False) -> tuple[bytes, ...]:
    """Returns what stands for exactly what a sealed run logged; nothing for one that was never sealed."""
    return tuple(digest for digest, _, _ in _files(view, identifier, SYSTEM if of_system else HISTORY))


def system(workspace: Workspace, view: View, identifier: RunId) -> list[dict[str, Any]]:
    """Returns what the machine did while the run went on, one dictionary a look, by time."""
    describe(workspace, view, identifier)
    rows: list[dict[str, Any]] = []
    for file in _files(view, identifier, SYSTEM):
        rows += events.decode_history(contents.read_whole(workspace, *file))
    live = _live(workspace, identifier)
    return rows + (live[1].system if live is not None else [])


class KeptFile(Struct, frozen=True):
    """A file that a run keeps: in the store, or, while it runs, on disk.

    Attributes:
        path: as the run named it.
        size: in bytes.
        held: what it is part of in the store, or None.
        file: where it lies on disk, or None.
    """

    path: str
    size: int
    held: Contents | None
    file: Path | None


def kept_files(workspace: Workspace, view: View, identifier: RunId) -> list[KeptFile]:
    """Returns the files that a run keeps beside its record, by path; what a resumed run kept later replaces what was before."""
    describe(workspace, view, identifier)
    found: dict[str, KeptFile] = {}
    objects = workspace.repository.objects
    for digest, _, recipes in _files(view, identifier, FILES):
        index = objects.recipe_index(None if recipes is None else RecordId(recipes))
        held = Contents(objects.manifest(ManifestId(digest)), index)
        for entry in held.manifest:
            found[entry.path] = KeptFile(entry.path, entry.size, held, None)
    live = _live(workspace, identifier)
    if live is not None:
        folder = live[2].files_folder(live[0])
        for file in sorted(folder.rglob("*")) if folder.is_dir() else ():
            if file.is_file():
                path = file.relative_to(folder).as_posix()
                found[path] = KeptFile(path, file.stat().st_size, None, file)
    return [found[path] for path in sorted(found)]


def write_kept(workspace: Workspace, kept: KeptFile, target: Path) -> None:
    """Writes a file that a run keeps to a path whose folder exists."""
    if kept.held is not None:
        contents.write_entry(workspace, kept.held, kept.path, target)
    elif kept.file is not None and not (target.exists() and target.samefile(kept.file)):
        atomic_file.replace(target, kept.file.read_bytes())


def console(workspace: Workspace, view: View, identifier: RunId) -> bytes:
    """Returns what a run's program printed, as far as it was recorded."""
    found = b"".join(contents.read_whole(workspace, *file) for file in _files(view, identifier, CONSOLE))
    live = _live(workspace, identifier)
    if live is not None and live[2].console_path.exists():
        found += live[2].console_path.read_bytes()
    return found


def patch(workspace: Workspace, view: View, identifier: RunId) -> bytes:
    """Returns the uncommitted changes that a run began with, or was last resumed with; b"" when there were none."""
    live = _live(workspace, identifier)
    if live is not None:
        path = live[2].patch_path
        return path.read_bytes() if path.exists() else b""
    found = view.run(identifier)
    last = found.segments[-1] if found and found.segments else {}
    return contents.read_whole(workspace, *last[PATCH]) if PATCH in last else b""


def packages(workspace: Workspace, view: View, identifier: RunId) -> str:
    """Returns the packages that a sealed run was made with, `name==version` a line; "" where they were not recorded."""
    files = _files(view, identifier, PACKAGES)
    return contents.read_whole(workspace, *files[-1]).decode("utf-8", "replace") if files else ""


def _files(view: View, identifier: RunId, name: str) -> list[tuple[bytes, int, bytes | None]]:
    found = view.run(identifier)
    return [segment[name] for segment in found.segments if name in segment] if found else []
