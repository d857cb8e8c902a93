"""`Api`: reads artifacts and runs without recording that anyone did."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mlvc.api import beginning, notices
from mlvc.api.artifacts import Artifact, Logged
from mlvc.api.tracked_run import find_artifact
from mlvc.errors import CommError, NotFoundError
from mlvc.format.ids import RunId
from mlvc.workspace import resolving, run_questions
from mlvc.workspace.run_questions import RecordedRun
from mlvc.workspace.workspace import Workspace


class RecordedRunHandle:
    """A run that was recorded, or is under way elsewhere."""

    def __init__(self, workspace: Workspace, identifier: RunId) -> None:
        self._workspace = workspace
        self._id = identifier
        self._described: RecordedRun | None = None

    @property
    def _run(self) -> RecordedRun:
        if self._described is None:
            self._described = run_questions.describe(self._workspace, self._workspace.repository.view(), self._id)
        return self._described

    def __repr__(self) -> str:
        return f"<Run {self._run.project}/{self.id} ({self.state})>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RecordedRunHandle) and other._id == self._id

    def __hash__(self) -> int:
        return hash(self._id)

    @property
    def id(self) -> str:
        """The run's id, as users write it."""
        return self._run.label

    @property
    def name(self) -> str:
        """The run's name."""
        return self._run.name

    @property
    def state(self) -> str:
        """running, finished, failed, crashed, killed, preempted or unknown."""
        return self._run.state

    @property
    def config(self) -> dict[str, Any]:
        """The run's inputs."""
        return dict(self._run.config)

    @property
    def summary(self) -> dict[str, Any]:
        """The last value of every metric."""
        return dict(self._run.summary)

    @property
    def tags(self) -> list[str]:
        """The run's tags."""
        return list(self._run.tags)

    @property
    def job_type(self) -> str:
        """What kind of run it is."""
        return self._run.job_type

    @property
    def group(self) -> str:
        """The group it belongs to."""
        return self._run.group

    @property
    def notes(self) -> str:
        """Free text."""
        return self._run.notes

    @property
    def project(self) -> str:
        """The project it belongs to."""
        return self._run.project

    @property
    def metadata(self) -> dict[str, Any]:
        """What was recorded of where it ran."""
        return dict(self._run.facts)

    def history(self, keys: list[str] | None = None, **_: Any) -> list[dict[str, Any]]:
        """Returns what the run logged, one dictionary a step; with `keys`, only steps that have them all."""
        return list(self.scan_history(keys))

    def scan_history(self, keys: list[str] | None = None, **_: Any) -> Iterator[dict[str, Any]]:
        """Yields what `history` returns."""
        view = self._workspace.repository.view()
        for row in run_questions.history(self._workspace, view, self._id):
            if keys is None:
                yield row
            elif all(key in row for key in keys):
                yield {key: row[key] for key in keys}

    def logged_artifacts(self) -> list[Artifact]:
        """Returns what the run made."""
        view = self._workspace.repository.view()
        return [a for v in view.outputs(self._id) if (a := self._artifact(v)) is not None]

    def used_artifacts(self) -> list[Artifact]:
        """Returns what the run used."""
        view = self._workspace.repository.view()
        found = dict.fromkeys(use.version for use in view.inputs(self._id))
        return [a for v in found if (a := self._artifact(v)) is not None]

    def _artifact(self, version: Any) -> Artifact | None:
        view = self._workspace.repository.view()
        source = view.source_collection(version)
        if source is None or view.member(source, version) is None:
            return None
        return Artifact._from_logged(Logged(self._workspace, source, version))


class Api:
    """Reads the repository of the current folder."""

    def __init__(self, overrides: dict[str, Any] | None = None, timeout: int | None = None, **_: Any) -> None:
        self._workspace = beginning.open_or_make()

    @property
    def default_entity(self) -> str:
        """Recorded for W&B's sake."""
        return notices.variable("ENTITY") or "local"

    def artifact(self, name: str, type: str | None = None) -> Artifact:  # noqa: A002
        """Returns a version; CommError when there is none, or it is of another type."""
        found = find_artifact(self._workspace, name)
        if type is not None and found.type != type:
            raise CommError(f"type {type} specified but this artifact is of type {found.type}")
        return found

    def artifact_exists(self, name: str, type: str | None = None) -> bool:  # noqa: A002
        """Tells whether a version is there."""
        try:
            self.artifact(name, type)
        except CommError:
            return False
        return True

    def artifacts(self, type_name: str, name: str, **_: Any) -> list[Artifact]:
        """Returns the versions of a collection, the newest first."""
        view = self._workspace.repository.view()
        collection = resolving.existing_collection(self._workspace, view, name)
        found = view.collection(collection)
        if found is None or found.type != type_name:
            raise CommError(f"{name} holds artifacts of type {found.type if found else '?'}, not {type_name}")
        members = list(view.members(collection, newest_first=True))
        return [Artifact._from_logged(Logged(self._workspace, collection, member.version)) for member in members]

    def run(self, path: str) -> RecordedRunHandle:
        """Returns a run by `[entity/][project/]id`; CommError when there is none."""
        with self._workspace.repository.reading() as view:
            return RecordedRunHandle(self._workspace, resolving.run(self._workspace, view, path))

    def runs(self, path: str | None = None, filters: dict[str, Any] | None = None, **_: Any) -> list[RecordedRunHandle]:
        """Returns the runs of a project, the newest first.

        Args:
            path: `[entity/]project`; default: the current one.
            filters: name -> value, as `state`, `job_type`, `config.lr`; all must be equal.
        """
        project = path.rsplit("/", 1)[-1] if path else self._workspace.project
        with self._workspace.repository.reading() as view:
            found = list(run_questions.list_runs(self._workspace, view, project))
        return [RecordedRunHandle(self._workspace, run.id) for run in found if _fits(run, filters or {})]


_FIELDS = {"jobType": "job_type", "displayName": "name", "name": "label", "summary_metrics": "summary"}


def _fits(run: RecordedRun, filters: dict[str, Any]) -> bool:
    for name, wanted in filters.items():
        if name.startswith("$") or isinstance(wanted, dict):
            raise NotFoundError(f"the filter {name!r} is not supported yet", hint="filters are NAME: VALUE for now")
        head, _, rest = name.partition(".")
        value: Any = getattr(run, _FIELDS.get(head, head), None)
        if rest:
            value = value.get(rest) if isinstance(value, dict) else None
        if wanted not in value if isinstance(value, tuple) else value != wanted:
            return False
    return True
