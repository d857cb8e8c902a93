"""`init`, and the run that module-level calls mean."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from mlvc.api import ending, notices, run_settings
from mlvc.api.disabled_run import DisabledRun
from mlvc.api.mappings import as_mapping
from mlvc.api.run_settings import Settings
from mlvc.api.tracked_run import Run
from mlvc.errors import Error, NotFoundError, UsageError
from mlvc.format import names
from mlvc.format.ids import RunId
from mlvc.workspace import auto_resume, opening, resolving, run_recording, used_before
from mlvc.workspace.workspace import Workspace

_MODES = ("online", "offline", "disabled", "shared", None)
_RETURN, _FINISH, _NEW = "return_previous", "finish_previous", "create_new"
_REINIT: dict[Any, str] = {True: _FINISH, False: _RETURN, _RETURN: _RETURN, _FINISH: _FINISH, _NEW: _NEW}
_AUTO = "auto"
_DEFAULTS_FILE = "config-defaults.yaml"

_current: Run | DisabledRun | None = None
_for_all = Settings()

JOINED_VARIABLE = "MLVC_JOINED_RUN"
"""Set by `mlvc run`: `project/label` of the run that a Python `init` inside joins, and does not seal."""


def current() -> Any:
    """Returns the active run, or None."""
    return _current


class BeforeInit:
    """What `mlvc.log`, `mlvc.config` and the like are while no run is active: using them says what to call first."""

    def __init__(self, name: str) -> None:
        object.__setattr__(self, "_name", name)

    def _fail(self, what: str) -> Any:
        raise UsageError(f"You must call wandb.init() before wandb.{what}", hint="call mlvc.init() first")

    def __call__(self, *_: Any, **__: Any) -> Any:  # noqa: D102
        return self._fail(f"{self._name}()")

    def __getattr__(self, key: str) -> Any:
        if key.startswith("_"):
            raise AttributeError(key)
        return self._fail(f"{self._name}.{key}")

    def __setattr__(self, key: str, value: Any) -> None:
        self._fail(f"{self._name}.{key}")

    def __getitem__(self, key: Any) -> Any:
        return self._fail(f"{self._name}[{key!r}]")

    def __setitem__(self, key: Any, value: Any) -> None:
        self._fail(f"{self._name}[{key!r}]")

    def __repr__(self) -> str:
        return f"<mlvc.{self._name} before init>"


def of_current(name: str) -> Any:
    """Returns an attribute of the active run, or what stands for it while there is none."""
    return BeforeInit(name) if _current is None else getattr(_current, name)


def require() -> Any:
    """Returns the active run; UsageError with W&B's words when there is none."""
    if _current is None:
        raise UsageError("You must call wandb.init() before this: there is no active run", hint="call mlvc.init() first")
    return _current


def forget(run: Run | DisabledRun) -> None:
    """Makes a finished run no longer the active one."""
    global _current
    ending.let_go(run)
    if _current is run:
        _current = None


def setup(settings: Settings | Mapping[str, Any] | None = None) -> Settings:
    """Sets what every later `init` of this process begins with; returns all of it."""
    _for_all.update(settings)
    return _for_all


def init(
    entity: str | None = None,
    project: str | None = None,
    dir: str | os.PathLike[str] | None = None,  # noqa: A002
    id: str | None = None,  # noqa: A002
    name: str | None = None,
    notes: str | None = None,
    tags: Sequence[str] | None = None,
    config: Any = None,
    config_exclude_keys: Sequence[str] | None = None,
    config_include_keys: Sequence[str] | None = None,
    allow_val_change: bool | None = None,
    group: str | None = None,
    job_type: str | None = None,
    mode: str | None = None,
    force: bool | None = None,
    reinit: bool | str | None = None,
    resume: bool | str | None = None,
    resume_from: str | None = None,
    fork_from: str | None = None,
    save_code: bool | None = None,
    settings: Settings | Mapping[str, Any] | None = None,
    **ignored: Any,
) -> Run:
    """Begins a run in the repository of the current folder; outside of any, makes one and says so.

    What is not given is taken from `settings`, then from `MLVC_*` variables, then from `WANDB_*`.

    Args:
        entity: recorded, separates nothing.
        project: default: the repository's.
        dir: where the files of the run go, in a folder `mlvc`; default: beside the store. The repository stays where it is.
        id: to resume a run, or for the ranks of one job to share one.
        name, notes, group, job_type: recorded.
        tags: of the run.
        config: dictionary, namespace, or path of a YAML or JSON file; over the keys of `config-defaults.yaml`, where there is one.
        config_exclude_keys, config_include_keys: keys of it to leave out, or the only ones to take.
        allow_val_change: whether config keys may change once set.
        mode: online and offline mean the same; disabled records nothing.
        force: of W&B; nobody has to log in here.
        reinit: what to do about an active run: `return_previous` (scripts' default), `finish_previous` (notebooks'), `create_new`.
        resume: allow, must, never, or auto (the run that was not ended well in this folder). True means auto.
        resume_from: not supported.
        fork_from: `id?_step=N`: begins with that run's config, and its history up to step N.
        save_code: log the main script's folder as `log_code` does.
        settings: `Settings`, or a dictionary of such.
        ignored: W&B's other settings, accepted.

    Raises:
        UsageError: an argument is wrong, or `resume` is not met.
    """
    global _current
    asked = {
        "entity": entity, "project": project, "root_dir": None if dir is None else os.fspath(dir), "run_id": id, "run_name": name,
        "run_notes": notes, "run_tags": tags, "run_group": group, "run_job_type": job_type, "mode": mode, "reinit": reinit,
        "resume": resume, "resume_from": resume_from, "fork_from": fork_from, "save_code": save_code, "allow_val_change": allow_val_change,
    }  # fmt: skip
    said = run_settings.merged(_for_all, settings, asked)
    if said.mode not in _MODES:
        raise UsageError(f"mode is one of online, offline, disabled, found {said.mode!r}")
    notices.be_silent(silent=bool(said.silent or said.quiet))
    given = _config(config, config_exclude_keys, config_include_keys)
    if _current is not None and ending.is_ours():
        wanted = _reinit(said.reinit)
        if wanted == _FINISH:
            _current.finish()
        elif wanted == _RETURN:
            notices.say(f"the run {_current.name} is active already; init returns it. Finish it first for a new one")
            return _current  # type: ignore[return-value]
    if said.mode == "disabled":
        _current = DisabledRun(given, said)
        return _current  # type: ignore[return-value]
    run = _begin(given, said)
    if _current is None or not ending.is_ours():
        _current = run
    ending.watch_over(run, is_notebook=_in_notebook())
    notices.say(f"run {run.name} ({run.id}) in project {run.project}; store {run._workspace.repository.path}")
    if ignored.get("sync_tensorboard"):
        notices.say("warning: sync_tensorboard is not supported; log to the run itself")
    if said.save_code:
        run.log_code(os.path.dirname(os.path.abspath(sys.argv[0] or ".")))
    return run


def _reinit(given: Any) -> str:
    if given is None or given == "default":
        return _FINISH if _in_notebook() else _RETURN
    if given not in _REINIT:
        raise UsageError(f"reinit is one of {_RETURN}, {_FINISH}, {_NEW}, found {given!r}")
    return _REINIT[given]


def _config(given: Any, left_out: Sequence[str] | None, only: Sequence[str] | None) -> dict[str, Any]:
    if left_out and only:
        raise UsageError("Expected at most only one of config_exclude_keys or config_include_keys")
    defaults = as_mapping(_DEFAULTS_FILE) if os.path.isfile(_DEFAULTS_FILE) else {}
    chosen = {
        key: value
        for key, value in as_mapping(given).items()
        if (not only or key in only) and (not left_out or key not in left_out)
    }
    return {str(key).replace("-", ""): value for key, value in {**defaults, **chosen}.items()}


def _begin(config: dict[str, Any], said: Settings) -> Run:
    workspace = open_or_make(said.project)
    joined = os.environ.pop(JOINED_VARIABLE, None)  # a second run of this process is one of its own
    label = said.run_id
    project = said.project or workspace.project
    if joined:
        project, _, label = joined.rpartition("/")
    if not used_before.is_reproduction(workspace):  # there, names mean what they meant
        workspace.run_project = project
    if said.resume_from:
        raise UsageError("resume_from would forget history that was recorded", hint="fork_from begins a new run at that step")
    resume = None if joined else _resume(said.resume)
    automatic = resume == _AUTO
    if automatic:
        resume = run_recording.ALLOW
        label = label or auto_resume.unfinished(workspace, project)
    folder = _files_folder(said.root_dir, label)
    active = run_recording.begin(
        workspace,
        project=project,
        label=label,
        name=None if joined else said.run_name,
        resume=resume,
        facts={"entity": said.entity, "notes": said.run_notes, "group": said.run_group, "job_type": said.run_job_type},
        tags=[names.check_tag(t) for t in said.run_tags or ()],
        files=folder,
        fork=_fork(workspace, project, said.fork_from) if said.fork_from else None,
    )
    if joined:
        active.seals = False
        told = {"name": said.run_name, "notes": said.run_notes, "group": said.run_group, "job_type": said.run_job_type}
        active.set_facts({name: value for name, value in told.items() if value is not None})
    run = Run(workspace, active, said, allow_val_change=bool(said.allow_val_change) or _in_notebook())
    if automatic:
        auto_resume.remember(workspace, project, run.id)
        run._ends_well = lambda: auto_resume.forget(workspace, project)
    if config:
        try:
            run.config.update(config, allow_val_change=True)
        except Error:
            raise
        except (TypeError, ValueError):
            active.finish(1)
            raise
    _look_on(run, said, is_joined=bool(joined))
    return run


def _files_folder(root: str | None, label: str | None) -> str:
    if not root:
        return ""
    stamp = datetime.now().astimezone().strftime("%Y%m%d_%H%M%S")
    return str(Path(root).absolute() / "mlvc" / f"run-{stamp}-{label or os.urandom(4).hex()}" / "files")


def _look_on(run: Run, said: Settings, *, is_joined: bool) -> None:
    """Begins to keep what is printed and what the machine does; a run that `mlvc run` leads has the first already."""
    if not is_joined and said.get("console", "auto") != "off":
        from mlvc.api.console import ConsoleCapture

        run._on_finish(ConsoleCapture(run._active.console_path).stop)
    if not said.x_disable_stats:
        from mlvc.runs import system_metrics

        interval_s = float(said.get("x_stats_sampling_interval", system_metrics.INTERVAL_S))
        run._on_finish(system_metrics.Sampler(run._active.log_system, interval_s).stop)


def _fork(workspace: Workspace, project: str, text: str) -> tuple[RunId, int]:
    label, question, step = text.partition("?_step=")
    if not question or not step.isdecimal():
        raise UsageError(f"fork_from is written as id?_step=N, found {text!r}")
    with workspace.repository.reading() as view:
        return resolving.run(workspace, view, label if "/" in label else f"{project}/{label}"), int(step)


def _resume(given: bool | str | None) -> str | None:
    if given is None or given is False or (isinstance(given, str) and given.lower() in run_settings.OFF):
        return None
    if given is True or (isinstance(given, str) and given.lower() in (_AUTO, "1", "true")):
        return _AUTO
    if given in (run_recording.ALLOW, run_recording.MUST, run_recording.NEVER):
        return str(given)
    raise UsageError(f"resume is one of allow, must, never, auto, found {given!r}")


def open_or_make(project: str | None = None) -> Workspace:
    """Opens the repository of the current folder, or makes one there, of this project, and says so."""
    try:
        found = opening.find(Path.cwd(), os.environ)
        if isinstance(_current, Run):
            found.run_project = _current.project
        return found
    except NotFoundError:
        workspace, _ = Workspace.create(Path.cwd(), os.environ, project=project)
        notices.say(f"there was no repository here, so one was made in {workspace.repository.path}")
        return workspace


def _in_notebook() -> bool:
    shell = sys.modules.get("IPython")
    found = shell.get_ipython() if shell is not None else None
    return found is not None and found.__class__.__name__ == "ZMQInteractiveShell"


