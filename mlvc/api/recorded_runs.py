"""Runs that were recorded, or are under way elsewhere, as `Api` shows them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO, Any

from mlvc.api import filters, notices
from mlvc.api.artifacts import Artifact, Logged
from mlvc.api.filters import MISSING
from mlvc.api.paging import Paginator, cannot_be_read
from mlvc.errors import UsageError
from mlvc.fold.questions import View
from mlvc.format import names
from mlvc.format.ids import RunId, VersionId
from mlvc.workspace import registry, run_editing, run_questions
from mlvc.workspace.run_questions import KeptFile, RecordedRun
from mlvc.workspace.workspace import Workspace

_MOST_SAMPLES = 500


class RunFile:
    """A file that a run keeps."""

    def __init__(self, workspace: Workspace, kept: KeptFile) -> None:
        self._workspace = workspace
        self._kept = kept

    def __repr__(self) -> str:
        return f"<File {self.name} ({self.size:,} bytes)>"

    @property
    def name(self) -> str:
        """Its path, as the run named it."""
        return self._kept.path

    @property
    def size(self) -> int:
        """In bytes."""
        return self._kept.size

    @property
    def mimetype(self) -> str | None:
        """Guessed from the name."""
        import mimetypes

        return mimetypes.guess_type(self.name)[0]

    def download(self, root: str | os.PathLike[str] = ".", replace: bool = False, exist_ok: bool = False) -> IO[str]:
        """Writes it below `root` and returns it, opened for reading.

        Raises:
            ValueError: it is there already, and neither `replace` nor `exist_ok` is given.
        """
        target = Path(root) / self.name
        if target.exists() and not (replace or exist_ok):
            raise ValueError("File already exists, pass replace=True to overwrite or exist_ok=True to leave it as is and don't error.")
        if replace or not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            run_questions.write_kept(self._workspace, self._kept, target)
        return target.open(encoding="utf-8", errors="replace")


class RecordedRunHandle:
    """A run that was recorded, or is under way elsewhere. Changes of config, summary, tags, name and notes are stored by `update`."""

    def __init__(self, workspace: Workspace, identifier: RunId) -> None:
        self._workspace = workspace
        self._id = identifier
        self._described: RecordedRun | None = None
        self._config: dict[str, Any] | None = None
        self._summary: dict[str, Any] | None = None
        self._edited: dict[str, Any] = {}

    def _view(self) -> View:
        return self._workspace.repository.view()

    @property
    def _run(self) -> RecordedRun:
        if self._described is None:
            self._described = run_questions.describe(self._workspace, self._view(), self._id)
        return self._described

    def load(self, force: bool = False) -> dict[str, Any]:
        """Reads it again if `force`; returns what was recorded of where it ran."""
        if force:
            self._described = self._config = self._summary = None
        return dict(self._run.facts)

    load_full_data = load

    def __repr__(self) -> str:
        return f"<Run {'/'.join(self.path)} ({self.state})>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RecordedRunHandle) and other._id == self._id

    def __hash__(self) -> int:
        return hash(self._id)

    # -- what it is ---------------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The run's id, as users write it."""
        return self._run.label

    @property
    def storage_id(self) -> str:
        """The id that nothing else has: 128 bits, hexadecimal."""
        return self._id.hex()

    @property
    def path(self) -> list[str]:
        """[entity, project, id]."""
        return [self.entity, self.project, self.id]

    @property
    def entity(self) -> str:
        """Recorded for W&B's sake; separates nothing."""
        return self._run.entity or notices.entity()

    @property
    def username(self) -> str:
        """As `entity`."""
        return self.entity

    @property
    def project(self) -> str:
        """The project it belongs to."""
        return self._run.project

    @property
    def url(self) -> str:
        """Empty: nothing is on a server."""
        return ""

    @property
    def state(self) -> str:
        """running, finished, failed, crashed, killed, preempted or unknown."""
        return self._run.state

    @property
    def created_at(self) -> str:
        """When it began, ISO 8601, UTC."""
        return datetime.fromtimestamp(self._run.created_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    createdAt = created_at  # noqa: N815 - W&B's name

    @property
    def commit(self) -> str | None:
        """The Git commit it ran at."""
        return (self._run.facts.get("git") or {}).get("commit")

    @property
    def job_type(self) -> str:
        """What kind of run it is."""
        return self._run.job_type

    @property
    def group(self) -> str:
        """The group it belongs to."""
        return self._run.group

    jobType = job_type  # noqa: N815 - W&B's name

    def _fact(self, name: str, found: Any) -> Any:
        return self._edited.get(name, found)

    @property
    def name(self) -> str:
        """The run's name."""
        return str(self._fact("name", self._run.name))

    @name.setter
    def name(self, given: str) -> None:
        self._edited["name"] = str(given)

    display_name = name

    @property
    def notes(self) -> str:
        """Free text."""
        return str(self._fact("notes", self._run.notes))

    @notes.setter
    def notes(self, given: str | None) -> None:
        self._edited["notes"] = given or ""

    @property
    def tags(self) -> list[str]:
        """The run's tags."""
        if "tags" not in self._edited:
            self._edited["tags"] = list(self._run.tags)
        found: list[str] = self._edited["tags"]
        return found

    @tags.setter
    def tags(self, given: Sequence[str]) -> None:
        self._edited["tags"] = [names.check_tag(tag) for tag in dict.fromkeys(given)]

    @property
    def config(self) -> dict[str, Any]:
        """The run's inputs, but for those that begin with an underscore."""
        if self._config is None:
            self._config = {k: v for k, v in self._run.config.items() if not k.startswith("_")}
        return self._config

    @property
    def rawconfig(self) -> dict[str, Any]:
        """All of its inputs."""
        return dict(self._run.config)

    @property
    def json_config(self) -> str:
        """Its inputs as JSON, each as {"value": ...}."""
        import json

        return json.dumps({key: {"value": value} for key, value in self._run.config.items()})

    @property
    def summary(self) -> dict[str, Any]:
        """What every metric sums up to."""
        if self._summary is None:
            self._summary = _SummaryOfRun(self, self._run.summary)
        return self._summary

    @property
    def summary_metrics(self) -> dict[str, Any]:
        """As `summary`."""
        return dict(self._run.summary)

    @property
    def metadata(self) -> dict[str, Any]:
        """What was recorded of where it ran."""
        return dict(self._run.facts)

    @property
    def system_metrics(self) -> dict[str, Any]:
        """The last look at the machine."""
        rows = run_questions.system(self._workspace, self._view(), self._id)
        return {name: value for name, value in rows[-1].items() if not name.startswith("_")} if rows else {}

    @property
    def lastHistoryStep(self) -> int:  # noqa: N802 - W&B's name
        """The last step that was logged at; -1 for none."""
        return max((row["_step"] for row in run_questions.history(self._workspace, self._view(), self._id)), default=-1)

    # -- what it logged -------------------------------------------------------------------------------------------------

    def history(
        self, samples: int = _MOST_SAMPLES, keys: Sequence[str] | None = None, x_axis: str = "_step", pandas: bool = True, stream: str = "default"
    ) -> Any:
        """Returns what the run logged, evenly thinned out to at most `samples` rows.

        Args:
            samples: how many rows.
            keys: only rows that have all of these, and only these and the x axis.
            x_axis: what rows are sorted by.
            pandas: a frame, if pandas is installed; else a list of dictionaries.
            stream: `default`, or `system` for what the machine did.
        """
        if stream not in ("default", "system"):
            raise UsageError(f"stream is default or system, found {stream!r}")
        if stream == "system" and x_axis == "_step":
            x_axis = "_timestamp"
        view = self._view()
        rows = (run_questions.history if stream == "default" else run_questions.system)(self._workspace, view, self._id)
        if keys is not None:
            rows = list(_with_keys(rows, [*keys, *([x_axis] if x_axis not in keys else [])], needed=keys))
        rows = _thinned(sorted((r for r in rows if x_axis in r), key=lambda row: filters.sort_key(row[x_axis])), samples)
        if not pandas:
            return rows
        try:
            import pandas as pd
        except ImportError:
            notices.say("pandas is not installed, so history is a list of dictionaries")
            return rows
        return pd.DataFrame.from_records(rows)

    def scan_history(
        self, keys: Sequence[str] | None = None, page_size: int = 1000, min_step: int = 0, max_step: int | None = None, use_cache: bool = True
    ) -> Iterator[dict[str, Any]]:
        """Yields every row that the run logged; with `keys`, only rows that have them all, and only these."""
        rows = run_questions.history(self._workspace, self._view(), self._id)
        within = (row for row in rows if row["_step"] >= min_step and (max_step is None or row["_step"] < max_step))
        yield from within if keys is None else _with_keys(within, keys, needed=keys)

    beta_scan_history = scan_history

    def console_logs(self, *, per_page: int = 1000, last: int | None = None) -> list[str]:
        """Returns the lines that the program printed, or the last of them."""
        lines = run_questions.console(self._workspace, self._view(), self._id).decode(errors="replace").splitlines()
        return lines if last is None else lines[-last:] if last else []

    def files(self, names: Sequence[str] | None = None, pattern: str | None = None, per_page: int = 50) -> Paginator[RunFile]:
        """Returns the files that it keeps: all, those named, or those that fit a pattern where `%` stands for any text."""
        if names and pattern:
            raise ValueError("Querying for files by both names and pattern is not supported. Please provide either a list of names or a pattern to match.")

        def read() -> Iterator[RunFile]:
            for kept in run_questions.kept_files(self._workspace, self._view(), self._id):
                if (not names or kept.path in names) and (pattern is None or _like(pattern, kept.path)):
                    yield RunFile(self._workspace, kept)

        return Paginator(read, None, per_page)

    def file(self, name: str) -> RunFile:
        """Returns a file that it keeps; ValueError when there is none of that name."""
        found = self.files([name])
        if not found:
            raise ValueError(f"the run {self.id} keeps no file {name!r}")
        return found[0]

    def logged_artifacts(self, per_page: int = 100) -> Paginator[Artifact]:
        """Returns what the run made."""
        return Paginator(lambda: self._artifacts(self._view().outputs(self._id)), None, per_page)

    def used_artifacts(self, per_page: int = 100) -> Paginator[Artifact]:
        """Returns what the run used."""
        return Paginator(lambda: self._artifacts(run_questions.inputs(self._workspace, self._view(), self._id)), None, per_page)

    def _artifacts(self, found: Any) -> Iterator[Artifact]:
        view = self._view()
        for version in found:
            source = view.source_collection(VersionId(version))
            if source is not None and view.member(source, VersionId(version)) is not None:
                yield Artifact._from_logged(Logged(self._workspace, source, VersionId(version)))

    # -- changing it ----------------------------------------------------------------------------------------------------

    def update(self) -> None:
        """Stores what was changed of config, summary, tags, name and notes."""
        run_editing.edit(
            self._workspace,
            self._id,
            f"Run.update {self.id}",
            facts={key: value for key, value in self._edited.items() if key != "tags"},
            config=_changes(self._run.config, self._config, hidden=True),
            summary=_changes(self._run.summary, self._summary),
            tags=self._edited.get("tags"),
        )
        self._edited = {}
        self.load(force=True)

    save = update

    def use_artifact(self, artifact: Artifact, use_as: str | None = None) -> Artifact:
        """Records that the run used a logged artifact; returns it.

        Raises:
            ValueError: it is no artifact that was logged.
        """
        if not isinstance(artifact, Artifact) or artifact.is_draft():
            raise ValueError("Only existing artifacts are accepted by this api. Manually create one with `wandb artifact put`")
        run_editing.use(self._workspace, self._id, artifact._require("use").version, artifact.name, use_as or "", f"Run.use_artifact {artifact.name}")
        return artifact

    def log_artifact(self, artifact: Artifact, aliases: Sequence[str] | None = None, tags: Sequence[str] | None = None) -> Artifact:
        """Records that the run made an artifact of the same project that is logged already; returns it.

        Raises:
            ValueError: it is no artifact that was logged, or of another project.
        """
        if not isinstance(artifact, Artifact) or artifact.is_draft():
            raise ValueError("Only existing artifacts are accepted by this api. Manually create one with `wandb artifact put`")
        if artifact.source_project != self.project:
            raise ValueError("A run can't log an artifact to a different project.")
        logged = artifact._require("log")
        run_editing.made(self._workspace, self._id, logged.version, aliases or (), tags or (), f"Run.log_artifact {artifact.name}")
        artifact._reload()
        return artifact

    def upload_file(self, path: str | os.PathLike[str], root: str | os.PathLike[str] = ".") -> RunFile:
        """Keeps one more file with the run, named by its path below `root`."""
        source = Path(path).absolute()
        name = source.relative_to(Path(root).absolute()).as_posix()
        run_editing.keep_file(self._workspace, self._id, name, source, f"Run.upload_file {name}")
        return self.file(name)

    def delete(self, delete_artifacts: bool = False) -> None:
        """Deletes the run; with `delete_artifacts`, also what it made that nothing else points at by name."""
        if delete_artifacts:
            for artifact in self.logged_artifacts().to_list():
                artifact.delete(delete_aliases=True)
        registry.delete_run(self._workspace, self._id, f"Run.delete {self.id}")

    def wait_until_finished(self) -> None:
        """Returns when no process writes to it any more; looks each second."""
        import time

        while self.state == "running":
            time.sleep(1)
            self.load(force=True)

    def to_html(self, height: int = 420, hidden: bool = False) -> str:
        """Returns a line that names the run."""
        import html

        return f"<p>run {html.escape(self.name)} ({html.escape('/'.join(self.path))})</p>"

    def display(self, height: int = 420, hidden: bool = False) -> bool:
        """Returns False: there is no page to show; `mlvc ui` shows runs."""
        return False

    stop = cannot_be_read("stopping a run from afar")
    update_state = cannot_be_read("the state of a run that another process makes")
    sweep = None
    sweep_name = None


class _SummaryOfRun(dict[str, Any]):
    """A run's summary; `update` of it stores at once, as W&B's does."""

    def __init__(self, run: RecordedRunHandle, held: Mapping[str, Any]) -> None:
        super().__init__(held)
        self._of = run

    def update(self, *given: Any, **more: Any) -> None:
        """Sets several keys, and stores them."""
        super().update(*given, **more)
        self._of.update()


def _changes(before: Mapping[str, Any], now: Mapping[str, Any] | None, *, hidden: bool = False) -> tuple[dict[str, Any], list[str]]:
    """Returns what was set and what was removed; keys that were not shown are no removals."""
    if now is None:
        return {}, []
    changed = {key: value for key, value in now.items() if key not in before or before[key] != value}
    return changed, [key for key in before if key not in now and not (hidden and key.startswith("_"))]


def _with_keys(rows: Any, keys: Sequence[str], *, needed: Sequence[str]) -> Iterator[dict[str, Any]]:
    for row in rows:
        found = {key: filters.at_path(row, key) for key in keys}
        if all(found[key] is not MISSING for key in needed):
            yield {key: value for key, value in found.items() if value is not MISSING}


def _thinned(rows: list[dict[str, Any]], samples: int) -> list[dict[str, Any]]:
    """Returns at most so many rows, evenly spread, the first and the last among them."""
    if samples <= 0 or len(rows) <= samples:
        return rows
    if samples == 1:
        return rows[-1:]
    return [rows[round(at * (len(rows) - 1) / (samples - 1))] for at in range(samples)]


def _like(pattern: str, text: str) -> bool:
    import re

    return re.fullmatch(".*".join(re.escape(part) for part in pattern.split("%")), text) is not None


_FIELDS = {
    "jobType": "job_type",
    "displayName": "name",
    "display_name": "name",
    "name": "label",
    "id": "label",
    "summary_metrics": "summary",
    "summaryMetrics": "summary",
    "createdAt": "created_at",
    "username": "entity",
    "user": "entity",
    "duration": "runtime_s",
    "heartbeat_at": "created_at",
    "heartbeatAt": "created_at",
}


def read_field(run: RecordedRun, path: str) -> Any:
    """Returns what a filter or an order asks of a run: `config.lr`, `config.lr.value`, `summary_metrics.acc`, `state`, `tags`, ..."""
    head, _, rest = path.partition(".")
    name = _FIELDS.get(head, head)
    if name == "created_at":
        return datetime.fromtimestamp(run.created_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if name in ("config", "summary", "facts", "metadata"):
        held = run.facts if name == "metadata" else getattr(run, name)
        found = filters.at_path(held, rest) if rest else held
        return filters.at_path(held, rest.removesuffix(".value")) if found is MISSING and rest.endswith(".value") else found
    found = getattr(run, name, MISSING)
    return filters.at_path(found, rest) if rest else found


def runs(
    workspace: Workspace,
    project: str | None,
    given: Mapping[str, Any] | None,
    order: str | None,
    *,
    per_page: int = 50,
) -> Paginator[RecordedRunHandle]:
    """Returns the runs of a project (None: of all) that fit a filter.

    Args:
        workspace: where.
        project: whose.
        given: a filter, see `filters`.
        order: a field with `+` (ascending) or `-` before it. `created_at` needs no sorting, so the first runs come at once.
        per_page: of W&B.
    """
    fits = filters.compiled(given)
    wanted = order or "+created_at"
    newest_first = wanted.startswith("-")
    field = wanted.lstrip("+-")

    def matching() -> Iterator[RecordedRun]:
        from_newest = newest_first and field in ("created_at", "createdAt")
        for run in run_questions.list_runs(workspace, workspace.repository.view(), project, newest_first=from_newest):
            if fits(partial(read_field, run)):
                yield run

    def read() -> Iterator[RecordedRunHandle]:
        found: Any = matching()
        if field not in ("created_at", "createdAt"):
            found = sorted(found, key=lambda run: filters.sort_key(read_field(run, field)), reverse=newest_first)
        for run in found:
            handle = RecordedRunHandle(workspace, run.id)
            handle._described = run
            yield handle

    def count() -> int:
        return run_questions.count_runs(workspace, workspace.repository.view(), project)

    return Paginator(read, None if given else count, per_page)
