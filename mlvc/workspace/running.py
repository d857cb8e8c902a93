"""`mlvc run`: records any program, in any language, with inputs, outputs, exit code and console."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from mlvc.errors import NotFoundError, UsageError, local_file_error
from mlvc.format import names
from mlvc.format.ids import RunId
from mlvc.objects.source_file import Seen
from mlvc.runs import events
from mlvc.working_tree import scanning
from mlvc.workspace import contents, publishing, resolving, run_questions, run_recording
from mlvc.workspace.draft import Draft, Source
from mlvc.workspace.run_questions import RecordedRun
from mlvc.workspace.run_recording import ActiveRun
from mlvc.workspace.workspace import Workspace

PLAN = "plan"
"""The fact that says what `mlvc run` was told: `inputs` [[REF, PATH or null]], `outputs` [[NAME, PATH]], keys of `config`."""

_JOINED = "MLVC_JOINED_RUN"
_STORE = "MLVC_DIR"
_PIECE = 64 << 10
_NOT_FOUND = 127


def run_command(
    workspace: Workspace,
    command: list[str],
    *,
    inputs: list[tuple[str, str | None]],
    outputs: list[tuple[str, str]],
    name: str | None,
    job_type: str | None,
    config: dict[str, Any],
    environment: Mapping[str, str],
    show: Callable[[bytes], None],
    facts: Mapping[str, Any] | None = None,
    project: str | None = None,
    cwd: Path | None = None,
) -> tuple[int, RecordedRun]:
    """Runs a program as a run.

    Args:
        workspace: where it is recorded.
        command: program and arguments.
        inputs: (reference, path to write it to first, or None).
        outputs: (artifact name, path), logged when the program succeeded.
        name, job_type, config: of the run.
        environment: the variables that the program gets, beside those that make it join the run.
        show: shows what the program prints.
        facts: recorded of the run beside what is recorded anyway.
        project: that the run and its outputs belong to; names still mean the workspace's.
        cwd: where the program runs, and what relative paths of inputs and outputs mean; None: here.

    Returns:
        The program's exit code (128 + n when signal n ended it), and the run.

    Raises:
        NotFoundError: an input does not exist, or the program is not found; nothing was run.
        UsageError: an output is not there after the program succeeded.
    """
    with workspace.repository.reading() as view:
        used = [(text, path, resolving.version(workspace, view, text)) for text, path in inputs]
    for output, _ in outputs:
        names.check_artifact_name(output)
    here = Path.cwd() if cwd is None else cwd
    plan = {"inputs": [list(one) for one in inputs], "outputs": [list(one) for one in outputs], "config": sorted(config)}
    directory = os.path.relpath(here, workspace.root)
    told = {"job_type": job_type, "arguments": command, PLAN: plan, "directory": directory, **(facts or {})}
    active = run_recording.begin(workspace, project=project or workspace.project, name=name, facts=told, config=config)
    try:
        for text, path, member in used:
            active.use(member.version, text)
            if path is not None:
                held = contents.of(workspace, workspace.repository.view(), member.version)
                contents.write_out(workspace, held, here / path)
        code = _execute(workspace, active, command, environment, show, here)
        if code == 0:
            for output, path in outputs:
                _publish(workspace, active, output, here / path)
    except BaseException:
        active.finish(1)
        raise
    state = events.KILLED if code > 128 else None
    identifier = RunId(active.id)
    active.finish(code, state)
    with workspace.repository.reading() as view:
        return code, run_questions.describe(workspace, view, identifier)


def _publish(workspace: Workspace, active: ActiveRun, name: str, path: Path) -> None:
    if not path.exists():
        raise UsageError(f"the program succeeded, but its output {path} ({name}) is not there", hint="check --output NAME=PATH")
    files: dict[str, Source] = dict(_scan(workspace, path)) if path.is_dir() else {path.name: path}
    view = workspace.repository.view()
    collection = view.resolve(names.stored_collection(active.project, name))
    known = view.collection(collection)
    kind = known.type if known and known.types else publishing.type_for_entries(files)
    active.publish(Draft(collection, kind, files), f"mlvc run --output {name}={path}")


def _scan(workspace: Workspace, folder: Path) -> Iterator[tuple[str, Seen]]:
    folder = Path(os.path.abspath(folder))
    is_inside = folder.is_relative_to(workspace.root)
    ruled = scanning.folders_down_to(workspace.root, folder) if is_inside else [folder]
    return scanning.walk(folder, scanning.ignore_rules(ruled))


def _execute(
    workspace: Workspace, active: ActiveRun, command: list[str], given: Mapping[str, str], show: Callable[[bytes], None], cwd: Path
) -> int:
    """Runs the program, showing what it prints and keeping it; signals are passed on to it."""
    import subprocess

    joined = f"{active.project}/{active.label}"
    environment = {**given, _JOINED: joined, _STORE: str(workspace.repository.path), "MLVC_PROJECT": workspace.project}
    environment.setdefault("PYTHONUNBUFFERED", "1")
    console = workspace.runs_folder / active.id.hex() / "console"
    try:
        child = subprocess.Popen(command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0)
    except (FileNotFoundError, PermissionError) as error:
        raise NotFoundError(f"cannot run '{command[0]}': {(error.strerror or '').lower()}", hint="check the program's name and PATH") from error

    def pass_on(number: int, _: FrameType | None) -> None:
        child.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGHUP)}
    before[signal.SIGINT] = signal.signal(signal.SIGINT, lambda *_: None)  # the terminal sends it to the child as well
    assert child.stdout is not None, "it is a pipe"
    refused: OSError | None = None
    try:
        with console.open("ab", buffering=0) as kept:
            while data := os.read(child.stdout.fileno(), _PIECE):
                show(data)
                try:
                    kept.write(data)
                except OSError as error:  # a full disk does not stop the program
                    refused = error
        code = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        child.stdout.close()
    if refused is not None:
        raise local_file_error(refused, f"keep what the program printed, in {console}")
    return 128 - code if code < 0 else code
