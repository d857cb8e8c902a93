"""`Run`: what `init` returns."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from mlvc.api import notices
from mlvc.api.artifacts import Artifact, Logged, as_list, registry_target
from mlvc.api.mappings import Config, Summary
from mlvc.errors import Error, UsageError
from mlvc.format import names
from mlvc.format.ids import short
from mlvc.runs import events
from mlvc.workspace import autopush, resolving
from mlvc.workspace.publishing import Published
from mlvc.workspace.run_recording import ActiveRun
from mlvc.workspace.workspace import Workspace

_PLAIN = frozenset((float, int, str, bool, type(None)))


class Run:
    """A run under way. Its methods may be called from any thread, `log` also from forked workers."""

    def __init__(self, workspace: Workspace, active: ActiveRun, *, allow_val_change: bool = False) -> None:
        self._workspace = workspace
        self._active = active
        self._step = active.first_step
        self._step_has_rows = False
        self._lock = threading.RLock()
        self._finished = False
        self._record = active.log_values
        self.config = Config(active.config, active.set_config, allow_val_change=allow_val_change)
        self.summary = Summary(active.summary, active.set_summary)
        self._known_summary = active.summary

    def __repr__(self) -> str:
        return f"<Run {self.path}>"

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish(exit_code=0 if kind is None else 1)

    # -- what it is ---------------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The run's id, as users write it."""
        return self._active.label

    @property
    def name(self) -> str:
        """The run's name; may be set."""
        return self._active.name

    @name.setter
    def name(self, given: str) -> None:
        self._active.set_facts({"name": str(given)})

    @property
    def notes(self) -> str | None:
        """Free text; may be set."""
        return self._active.facts.get("notes")

    @notes.setter
    def notes(self, given: str | None) -> None:
        self._active.set_facts({"notes": given or ""})

    @property
    def tags(self) -> tuple[str, ...]:
        """The run's tags; may be set."""
        return tuple(self._active.facts.get("tags") or ())

    @tags.setter
    def tags(self, given: Sequence[str]) -> None:
        found = sorted({names.check_tag(t) for t in given})
        self._active.set_facts({"tags": found})
        self._active.set_tags(found)

    @property
    def project(self) -> str:
        """The project it belongs to."""
        return self._active.project

    @property
    def entity(self) -> str:
        """Recorded for W&B's sake."""
        return str(self._active.facts.get("entity") or "local")

    @property
    def job_type(self) -> str:
        """What kind of run it is."""
        return str(self._active.facts.get("job_type") or "")

    @property
    def group(self) -> str:
        """The group it belongs to."""
        return str(self._active.facts.get("group") or "")

    @property
    def path(self) -> str:
        """`entity/project/id`."""
        return f"{self.entity}/{self.project}/{self.id}"

    @property
    def dir(self) -> str:
        """The folder of the run under way."""
        return str(self._workspace.runs_folder / self._active.id.hex())

    @property
    def step(self) -> int:
        """The step that the next `log` records at."""
        return self._step

    @property
    def starting_step(self) -> int:
        """The step that this run, or its resumption, began at."""
        return self._active.first_step

    @property
    def start_time(self) -> float:
        """Seconds since 1970 UTC."""
        return self._active.beginning.started_s

    @property
    def disabled(self) -> bool:
        """False: see `mode='disabled'`."""
        return False

    @property
    def resumed(self) -> bool:
        """Whether it goes on from an earlier end."""
        return bool(self._active.beginning.saw)

    # -- logging ------------------------------------------------------------------------------------------------------

    def log(self, data: dict[str, Any], step: int | None = None, commit: bool | None = None) -> None:
        """Records values at a step; on return they outlive this process.

        Args:
            data: name -> number, text, or anything with a plain form.
            step: default: the current one, which then ends. A step below the current one is dropped with a warning.
            commit: whether the step ends with this call; default: when no step is given.

        Raises:
            TypeError: `data` is no dictionary, or a key no string.
            UsageError: the run is finished.
        """
        if self._finished:
            raise UsageError(f"Run ({self.id}) is finished. The call to `log` will be ignored. Please make sure that you are using an active run.")
        if data.__class__ is not dict:
            data = _checked(data)
        for key, value in data.items():
            if key.__class__ is not str:
                raise TypeError("Key values passed to `wandb.log` must be strings.")
            if value.__class__ not in _PLAIN:
                data = {k: _plain(v) for k, v in data.items()}
                break
        with self._lock:
            if step is not None:
                if step < self._step:
                    notices.say(f"warning: step {step} is below the current step {self._step}; steps must grow, so this is dropped")
                    return
                self._step = step
            self._record(self._step, data)
            self._known_summary.update(data)
            if commit or (commit is None and step is None):
                self._step += 1

    def define_metric(self, *_: Any, **__: Any) -> None:
        """Accepted; every metric's summary is its last value."""

    def finish(self, exit_code: int | None = None, quiet: bool | None = None) -> None:
        """Ends the run; the second call does nothing."""
        self._finish(exit_code or 0, None)

    def _finish(self, exit_code: int, state: str | None) -> None:
        with self._lock:
            if self._finished:
                return
            self._finished = True
        from mlvc.api import beginning

        beginning.forget(self)
        sealed = self._active.finish(exit_code, state)
        if sealed:
            numbers = {k: v for k, v in self._known_summary.items() if isinstance(v, (int, float)) and not k.startswith("_")}
            shown = "  ".join(f"{k} {v:.5g}" for k, v in list(numbers.items())[:6])
            ended = state or (events.FINISHED if exit_code == 0 else events.FAILED)
            notices.say(f"run {self.name} {ended}{': ' + shown if shown else ''}; 'mlvc show run/{self.id}' shows it")
            self._push_if_wanted()

    def _push_if_wanted(self) -> None:
        """A run that ended well must not fail over a push: what went wrong is said, and the next push sends all the same."""
        if not autopush.is_wanted(self._workspace):
            return
        try:
            done = autopush.begin(self._workspace)
        except Error as error:
            notices.say(f"nothing was pushed: {error.message}")
            return
        if done is None:
            notices.say(f"pushing in the background; {autopush.log_path(self._workspace)} says how it went")
        else:
            notices.say(autopush.last_words(self._workspace) if done else f"the push failed: {autopush.last_words(self._workspace)}")

    # -- artifacts ----------------------------------------------------------------------------------------------------

    def log_artifact(
        self,
        artifact_or_path: Artifact | str | os.PathLike[str],
        name: str | None = None,
        type: str | None = None,  # noqa: A002
        aliases: Sequence[str] | str | None = None,
        tags: Sequence[str] | str | None = None,
        *,
        base: str | Artifact | None = None,
    ) -> Artifact:
        """Logs an artifact, or a file or folder as one, as an output of this run.

        New content is stored as differences to what it was derived from: `base` (a reference or an artifact), the version
        before, or what the run has used.

        Returns:
            The artifact, logged.

        Raises:
            CommError: there is no such base.
            ValueError: a path is neither file nor folder, a name breaks the rules, or the collection has another type.
        """
        artifact = artifact_or_path
        if not isinstance(artifact, Artifact):
            artifact = self._from_path(os.fspath(artifact), name, type)
        if not artifact.is_draft():
            return artifact
        draft = artifact._draft(self._workspace, self.project, [*artifact.aliases, *as_list(aliases)], as_list(tags))
        if base is not None:
            derived_from = find_artifact(self._workspace, base) if isinstance(base, str) else base
            draft.base = derived_from._require("use as a base").version
        published = self._active.publish(draft, f"run.log_artifact {artifact.name}")
        artifact._set_logged(Logged(self._workspace, draft.collection, published.member.version))
        self._tell(published)
        return artifact

    def _tell(self, published: Published) -> None:
        label = resolving.display(self._workspace, published.member)
        again = "" if published.is_new else "  (equal content was there: no new number)"
        notices.say(
            f"{label} @{short(published.member.version)}  {published.files:,} file{'s' if published.files != 1 else ''}, "
            f"{notices.size(published.size_bytes)} ({notices.size(published.new_bytes)} new){again}"
        )

    def _from_path(self, path: str, name: str | None, kind: str | None) -> Artifact:
        artifact = Artifact(name or f"run-{self.id}-{os.path.basename(path.rstrip('/'))}", kind or "unspecified")
        if os.path.isdir(path):
            artifact.add_dir(path)
        elif os.path.isfile(path):
            artifact.add_file(path)
        else:
            raise ValueError(f"path must be a file or directory, found {path!r}")
        return artifact

    def use_artifact(
        self,
        artifact_or_name: str | Artifact,
        type: str | None = None,  # noqa: A002
        aliases: Sequence[str] | str | None = None,
        use_as: str | None = None,
    ) -> Artifact:
        """Records that this run uses a version, and returns it. A bare name means the latest.

        Raises:
            CommError: there is no such version.
            ValueError: it is of another type than asked for.
        """
        if isinstance(artifact_or_name, Artifact):
            artifact = self.log_artifact(artifact_or_name) if artifact_or_name.is_draft() else artifact_or_name
            name = artifact.name
        elif isinstance(artifact_or_name, str):
            name = artifact_or_name
            given = as_list(aliases)
            if ":" not in name and "@" not in name and len(given) == 1:
                name = f"{name}:{given[0]}"
            artifact = find_artifact(self._workspace, name)
        else:
            raise ValueError(
                'You must pass an artifact name (e.g. "pedestrian-dataset:v1"), an instance of `wandb.Artifact`, '
                "or `wandb.Api().artifact()` to `use_artifact`"
            )
        if type is not None and type != artifact.type:
            raise ValueError(f"Supplied type {type} does not match type {artifact.type} of artifact {artifact.name}")
        logged = artifact._require("use")
        self._active.use(logged.version, name, use_as or "")
        return artifact

    def log_model(
        self,
        path: str,
        name: str | None = None,
        aliases: Sequence[str] | str | None = None,
        *,
        base: str | Artifact | None = None,
    ) -> None:
        """Logs a file or folder as an artifact of type `model`; `base` as in `log_artifact`."""
        self._log_model(path, name, aliases, base)

    def _log_model(
        self, path: str, name: str | None, aliases: Sequence[str] | str | None, base: str | Artifact | None = None
    ) -> Artifact:
        name = name or f"run-{self.id}-{os.path.basename(os.fspath(path).rstrip('/'))}"
        return self.log_artifact(path, name, "model", aliases, base=base)

    def use_model(self, name: str) -> str:
        """Records that this run uses a model, downloads it, and returns the file's path (of several: the folder's).

        Raises:
            AssertionError: its type has no 'model' in it.
        """
        artifact = self.use_artifact(name)
        if "model" not in artifact.type.lower():
            raise AssertionError("You can only use this method for 'model' artifacts. For an artifact to be a 'model' artifact, its type property must contain the substring 'model'.")
        folder = artifact.download()
        held = sorted(os.listdir(folder))
        return os.path.join(folder, held[0]) if len(held) == 1 else folder

    def link_artifact(
        self, artifact: Artifact, target_path: str, aliases: Sequence[str] | str | None = None
    ) -> Artifact:
        """Links an artifact (logging a draft first) into a registered model; aliases go on the link."""
        logged = (self.log_artifact(artifact) if artifact.is_draft() else artifact)._require("link")
        target = registry_target(self._workspace, target_path)
        member = self._active.link(logged.version, target, as_list(aliases), f"run.link_artifact {target_path}")
        notices.say(f"{resolving.display(self._workspace, member)} is {artifact.source_name}")
        return Artifact._from_logged(Logged(self._workspace, target, logged.version))

    def link_model(
        self,
        path: str,
        registered_model_name: str,
        name: str | None = None,
        aliases: Sequence[str] | str | None = None,
    ) -> Artifact:
        """Logs a model and links it into `registry/registered_model_name`.

        Raises:
            AssertionError: the name has a '/', or the artifact `name` is of a type without 'model' in it.
        """
        if "/" in registered_model_name:
            raise AssertionError("Please provide only the name of the registered model. Do not append the entity or project name.")
        if name is not None:
            view = self._workspace.repository.view()
            known = view.collection(resolving.collection_name(self._workspace, view, name))
            if known is not None and known.types and "model" not in known.type.lower():
                raise AssertionError(f"You can only use this method for 'model' artifacts; {name} is a {known.type}")
        artifact = self._log_model(path, name, None)
        return self.link_artifact(artifact, f"registry/{registered_model_name}", aliases)


def _checked(data: Any) -> dict[str, Any]:
    if not isinstance(data, Mapping):
        raise TypeError(f"wandb.log must be passed a dictionary, found a {type(data).__name__}")
    return dict(data)


def _plain(value: Any) -> Any:
    """Returns a logged value as MessagePack holds it; TypeError for what has no plain form."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value) if -(1 << 63) <= value < 1 << 64 else float(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if hasattr(value, "item"):
        return _plain(value.item())
    if isinstance(value, Path) or hasattr(value, "isoformat"):
        return str(value)
    raise TypeError(f"a {type(value).__name__} cannot be logged yet: give a number, text, or a list or dictionary of those")


def find_artifact(workspace: Workspace, name: str) -> Artifact:
    """Returns the artifact that a name means; CommError when there is none."""
    try:
        with workspace.repository.reading() as view:
            member = resolving.version(workspace, view, name)
    except ValueError as error:
        raise (error if isinstance(error, Error) else UsageError(str(error))) from error
    return Artifact._from_logged(Logged(workspace, member.collection, member.version))


