"""`Api`: reads artifacts, runs and registries of the repository of the current folder, without recording that anyone did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from mlvc.api import artifact_collections, beginning, notices, recorded_runs
from mlvc.api.artifact_collections import ArtifactCollection, ArtifactType, Registry
from mlvc.api.artifacts import Artifact, find_artifact
from mlvc.api.paging import Paginator, cannot_be_read
from mlvc.api.recorded_runs import RecordedRunHandle
from mlvc.errors import CommError, InvalidNameError, NotFoundError
from mlvc.format import names
from mlvc.workspace import resolving, run_questions


class Project:
    """A project: what runs and artifacts belong to."""

    def __init__(self, api: Api, name: str) -> None:
        self._api = api
        self.name = name

    def __repr__(self) -> str:
        return f"<Project {self.entity}/{self.name}>"

    @property
    def entity(self) -> str:
        """Recorded for W&B's sake; separates nothing."""
        return notices.entity()

    @property
    def path(self) -> list[str]:
        """[entity, project]."""
        return [self.entity, self.name]

    @property
    def id(self) -> str:
        """What names it."""
        return self.name

    def artifacts_types(self, per_page: int = 50) -> Paginator[ArtifactType]:
        """Returns the types of its artifacts."""
        return self._api.artifact_types(self.name)

    def runs(self, **more: Any) -> Paginator[RecordedRunHandle]:
        """Returns its runs; arguments as `Api.runs`."""
        return self._api.runs(self.name, **more)


class Api:
    """Reads the repository of the current folder.

    Args:
        overrides: `project` (and `entity`) that names without one mean.
        timeout, api_key: of W&B; nobody is asked.
    """

    def __init__(self, overrides: Mapping[str, Any] | None = None, timeout: int | None = None, api_key: str | None = None) -> None:
        self._workspace = beginning.open_or_make()
        self.settings: dict[str, Any] = {"entity": notices.entity(), "project": None, **dict(overrides or {})}
        if self.settings["project"]:
            self._workspace.run_project = str(self.settings["project"])

    @property
    def default_entity(self) -> str:
        """Recorded for W&B's sake."""
        return str(self.settings["entity"])

    @property
    def viewer(self) -> Any:
        """Who is working here: `username`, `email`, `entity`."""
        who = self._workspace.who
        name, _, mail = who.partition(" <")
        return SimpleNamespace(username=name, name=name, email=mail.rstrip(">"), entity=self.default_entity, teams=[])

    @property
    def user_agent(self) -> str:
        """Mlvc and its version."""
        import mlvc

        return f"mlvc/{mlvc.__version__}"

    def flush(self) -> None:
        """Does nothing: every answer is read when it is asked for."""

    # -- artifacts ------------------------------------------------------------------------------------------------------

    def artifact(self, name: str, type: str | None = None) -> Artifact:  # noqa: A002
        """Returns a version by `[entity/][project/]name[:alias]`.

        Raises:
            CommError: there is none, or it is of another type.
            ValueError: the name is None.
        """
        if name is None:
            raise ValueError("You must specify name= to fetch an artifact.")
        try:
            found = find_artifact(self._workspace, name)
        except InvalidNameError as error:
            raise CommError(error.message, hint=error.hint) from error
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

    def artifacts(
        self,
        type_name: str,
        name: str,
        order: str | None = None,
        per_page: int = 50,
        tags: str | Sequence[str] | None = None,
        start: str | None = None,
    ) -> Paginator[Artifact]:
        """Returns the versions of a collection, the newest first; see `artifact_collections.versions`.

        Raises:
            CommError: there is no such collection, or it is of another type.
        """
        collection = self.artifact_collection(type_name, name)
        wanted = [tags] if isinstance(tags, str) else tags
        return artifact_collections.versions(
            self._workspace, collection._stored, order=order, tags=wanted, per_page=per_page, start=start
        )

    def artifact_versions(self, type_name: str, name: str, per_page: int = 50) -> Paginator[Artifact]:
        """Returns what `artifacts` does; the old name."""
        return self.artifacts(type_name, name, per_page=per_page)

    def _project(self, text: str | None) -> str:
        """Returns the stored project, or `registry:R`, that `[entity/]project` means."""
        name = (text or self._workspace.project).rsplit("/", 1)[-1]
        found = names.registry_of(name)
        return f"registry:{found}" if found else name

    def artifact_types(self, project: str | None = None, start: str | None = None) -> Paginator[ArtifactType]:
        """Returns the types of artifacts in a project."""
        owner = self._project(project)

        def read() -> Iterator[ArtifactType]:
            found = {collection.type for collection in self._workspace.repository.view().collections(owner)}
            return (ArtifactType(self._workspace, owner, kind) for kind in sorted(found))

        return Paginator(read, None, start=start)

    def artifact_type(self, type_name: str, project: str | None = None) -> ArtifactType:
        """Returns a type; CommError when a project has none of that name."""
        owner = self._project(project)
        if all(one.name != type_name for one in self.artifact_types(project)):
            raise NotFoundError(f"the project {owner} has no artifacts of type '{type_name}'")
        return ArtifactType(self._workspace, owner, type_name)

    def artifact_collections(
        self, project_name: str, type_name: str, order: str | None = None, per_page: int = 50, start: str | None = None
    ) -> Paginator[ArtifactCollection]:
        """Returns the collections of a project and type."""
        return artifact_collections.collections(self._workspace, self._project(project_name), type_name, per_page=per_page, start=start)

    def artifact_collection(self, type_name: str, name: str) -> ArtifactCollection:
        """Returns a collection by `[entity/][project/]name`; CommError when there is none, or it is of another type."""
        try:
            view = self._workspace.repository.view()
            stored = resolving.existing_collection(self._workspace, view, name.partition(":")[0])
        except InvalidNameError as error:
            raise CommError(error.message) from error
        found = view.collection(stored)
        if found is None or found.type != type_name:
            raise CommError(f"{name} holds artifacts of type {found.type if found else '?'}, not {type_name}")
        return ArtifactCollection(self._workspace, stored)

    def artifact_collection_exists(self, name: str, type: str) -> bool:  # noqa: A002
        """Tells whether a collection of a type is there."""
        try:
            self.artifact_collection(type, name)
        except CommError:
            return False
        return True

    # -- registries -----------------------------------------------------------------------------------------------------

    def registries(
        self,
        organization: str | None = None,
        filter: Mapping[str, Any] | None = None,  # noqa: A002
        order: str | None = None,
        per_page: int = 100,
        start: str | None = None,
    ) -> Paginator[Registry]:
        """Returns the registries that hold something."""
        return artifact_collections.registries(self._workspace, filter, per_page=per_page, start=start)

    def registry(self, name: str, organization: str | None = None) -> Registry:
        """Returns a registry; it comes into being with its first link."""
        return Registry(self._workspace, names.registry_of(name) or name)

    def create_registry(self, name: str, visibility: str = "organization", **_: Any) -> Registry:
        """Returns a registry; it comes into being with its first link.

        Raises:
            ValueError: it holds something already, or the name is none.
        """
        names.stored_collection(f"wandb-registry-{name}", "any")
        found = self.registry(name)
        if found.collections():
            raise ValueError(f"the registry '{name}' exists already")
        return found

    # -- runs and projects ----------------------------------------------------------------------------------------------

    def run(self, path: str = "") -> RecordedRunHandle:
        """Returns a run by `[entity/][project/]id`; CommError when there is none."""
        with self._workspace.repository.reading() as view:
            return RecordedRunHandle(self._workspace, resolving.run(self._workspace, view, path.lstrip("/")))

    def runs(
        self,
        path: str | None = None,
        filters: Mapping[str, Any] | None = None,
        order: str = "+created_at",
        per_page: int = 50,
        include_sweeps: bool = False,
        lazy: bool = True,
    ) -> Paginator[RecordedRunHandle]:
        """Returns the runs of a project, the oldest first; see `recorded_runs.runs`.

        Args:
            path: `[entity/]project`; default: the current one.
            filters: as MongoDB's: `{"config.lr": {"$gt": 0.1}, "$or": [{"state": "finished"}, {"tags": "best"}]}`.
            order: `-summary_metrics.accuracy`: by that, the highest first.
            per_page, include_sweeps, lazy: of W&B; runs are always read when they are looked at.
        """
        return recorded_runs.runs(self._workspace, self._project(path), filters, order, per_page=per_page)

    def create_run(self, *, run_id: str | None = None, project: str | None = None, entity: str | None = None) -> RecordedRunHandle:
        """Records a new, finished run without logging anything to it, to be filled by `Run.log_artifact` and `Run.update`."""
        from mlvc.workspace import run_recording

        active = run_recording.begin(self._workspace, project=self._project(project), label=run_id, facts={"entity": entity})
        identifier = active.id
        active.finish()
        return RecordedRunHandle(self._workspace, identifier)

    def projects(self, entity: str | None = None, per_page: int = 200) -> Paginator[Project]:
        """Returns the projects that hold runs or artifacts."""

        def read() -> Iterator[Project]:
            return (Project(self, name) for name in run_questions.projects(self._workspace.repository.view()))

        return Paginator(read, None, per_page)

    def project(self, name: str, entity: str | None = None) -> Project:
        """Returns a project; it comes into being with its first run or artifact."""
        return Project(self, names.check_project(name))

    def create_project(self, name: str, entity: str | None = None) -> None:
        """Checks the name; a project comes into being with its first run or artifact."""
        names.check_project(name)

    def from_path(self, path: str) -> Any:
        """Returns a run for `entity/project/run`, a project for `entity/project`."""
        parts = path.strip("/").split("/")
        return self.run(path) if len(parts) > 2 else self.project(parts[-1])

    sweep = cannot_be_read("a sweep")
    reports = cannot_be_read("a report")
    team = user = users = create_team = create_user = organization = cannot_be_read("who may do what")
    job = list_jobs = run_queue = queued_run = create_run_queue = upsert_run_queue = cannot_be_read("a queue of jobs")
    automation = automations = create_automation = update_automation = delete_automation = cannot_be_read("an automation")
    integrations = slack_integrations = webhook_integrations = cannot_be_read("an integration")
    create_custom_chart = cannot_be_read("a custom chart")
    sync_tensorboard = cannot_be_read("a TensorBoard import")
