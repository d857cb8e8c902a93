"""`init`, and the run that module-level calls mean."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from mlvc.api import notices
from mlvc.api.disabled_run import DisabledRun
from mlvc.api.mappings import as_mapping
from mlvc.api.tracked_run import Run
from mlvc.errors import NotFoundError, UsageError
from mlvc.format import names, values
from mlvc.runs import events
from mlvc.workspace import opening, run_recording
from mlvc.workspace.workspace import Workspace

_MODES = ("online", "offline", "disabled", "shared", None)
_current: Run | DisabledRun | None = None
_hooks_installed = False
_owner_pid = 0

JOINED_VARIABLE = "MLVC_JOINED_RUN"
"""Set by `mlvc run`: the label of the run that a Python `init` inside joins, and does not seal."""


def current() -> Any:
    """Returns the active run, or None."""
    return _current


def require() -> Any:
    """Returns the active run; Error with W&B's words when there is none."""
    if _current is None:
        raise UsageError("You must call wandb.init() before this: there is no active run", hint="call mlvc.init() first")
    return _current


def forget(run: Run | DisabledRun) -> None:
    """Makes a finished run no longer the active one."""
    global _current
    if _current is run:
        _current = None


def init(
    entity: str | None = None,
    project: str | None = None,
    dir: str | os.PathLike[str] | None = None,  # noqa: A002
    id: str | None = None,  # noqa: A002
    name: str | None = None,
    notes: str | None = None,
    tags: Sequence[str] | None = None,
    config: Any = None,
    allow_val_change: bool | None = None,
    group: str | None = None,
    job_type: str | None = None,
    mode: str | None = None,
    resume: bool | str | None = None,
    reinit: bool | str | None = None,
    **ignored: Any,
) -> Run:
    """Begins a run in the repository of the current folder; outside of any, makes one and says so.

    Args:
        entity: recorded, separates nothing.
        project: default: the repository's.
        dir: accepted; files of runs stay beside the store.
        id: to resume a run, or for the ranks of one job to share one.
        name, notes, tags, group, job_type: recorded.
        config: dictionary, namespace, or path of a YAML or JSON file.
        allow_val_change: whether config keys may change once set.
        mode: online and offline mean the same; disabled records nothing.
        resume: allow, must or never (True: allow).
        reinit: what to do about an active run: `return_previous` (scripts' default), `finish_previous` (notebooks').
        ignored: W&B's other settings, accepted.

    Raises:
        UsageError: an argument is wrong, or `resume` is not met.
    """
    global _current
    mode = mode or notices.variable("MODE")
    if mode not in _MODES:
        raise UsageError(f"mode is one of online, offline, disabled, found {mode!r}")
    given = {values_key(k): v for k, v in as_mapping(config).items()}
    if _current is not None and _owner_pid == os.getpid():
        if reinit in (True, "finish_previous") or (reinit is None and _in_notebook()):
            _current.finish()
        elif reinit != "create_new":
            notices.say(f"the run {_current.name} is active already; init returns it. Finish it first for a new one")
            return _current  # type: ignore[return-value]
    if mode == "disabled":
        _current = DisabledRun(given)
        return _current  # type: ignore[return-value]
    run = _begin(entity, project, id, name, notes, tags, given, group, job_type, resume, allow=bool(allow_val_change))
    _current = run
    _install_hooks()
    notices.say(f"run {run.name} ({run.id}) in project {run.project}; store {run._workspace.repository.path}")
    return run


def values_key(key: Any) -> str:
    """Returns a config key as it is stored: text without dashes."""
    return str(key).replace("-", "")


def _begin(
    entity: str | None,
    project: str | None,
    label: str | None,
    name: str | None,
    notes: str | None,
    tags: Sequence[str] | None,
    config: dict[str, Any],
    group: str | None,
    job_type: str | None,
    resume: bool | str | None,
    *,
    allow: bool,
) -> Run:
    workspace = open_or_make(project)
    joined = os.environ.get(JOINED_VARIABLE)
    text_tags = notices.variable("TAGS")
    workspace.run_project = project or workspace.project
    active = run_recording.begin(
        workspace,
        project=project or workspace.project,
        label=joined or label or notices.variable("RUN_ID"),
        name=name or (None if joined else notices.variable("NAME")),
        resume=None if joined else _resume(resume or notices.variable("RESUME")),
        facts={
            "entity": entity or notices.variable("ENTITY"),
            "notes": notes or notices.variable("NOTES"),
            "group": group or notices.variable("RUN_GROUP"),
            "job_type": job_type or notices.variable("JOB_TYPE"),
        },
        config=values.spelled_out(config),
        tags=[names.check_tag(t) for t in (tags if tags is not None else text_tags.split(",") if text_tags else ())],
    )
    if joined:
        active.seals = False
    return Run(workspace, active, allow_val_change=allow or _in_notebook())


def _resume(given: bool | str | None) -> str | None:
    if given is None or given is False:
        return None
    if given is True or given == "auto":
        return run_recording.ALLOW
    if given in (run_recording.ALLOW, run_recording.MUST, run_recording.NEVER):
        return str(given)
    raise UsageError(f"resume is one of allow, must, never, found {given!r}")


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


# -- how runs end by themselves -----------------------------------------------------------------------------------------


def _install_hooks() -> None:
    """Ends the run with the process: finished, failed by an exception, preempted by SIGTERM."""
    global _hooks_installed, _owner_pid
    _owner_pid = os.getpid()
    if _hooks_installed:
        return
    _hooks_installed = True
    atexit.register(_at_exit)
    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        before(kind, error, trace)
        _end(1, events.KILLED if issubclass(kind, KeyboardInterrupt) else events.FAILED)

    sys.excepthook = hook
    if threading.current_thread() is threading.main_thread():
        _catch_sigterm()


def _catch_sigterm() -> None:
    before = signal.getsignal(signal.SIGTERM)

    def preempted(number: int, frame: FrameType | None) -> None:
        _end(128 + number, events.PREEMPTED)
        if callable(before):
            before(number, frame)
            return
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)

    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGTERM, preempted)


def _at_exit() -> None:
    _end(0, None)


def _end(exit_code: int, state: str | None) -> None:
    if _owner_pid != os.getpid() or _current is None:
        return  # a forked worker: the run is its parent's
    if isinstance(_current, Run):
        _current._finish(exit_code, state)
    else:
        _current.finish()
