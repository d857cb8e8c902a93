"""`mlvc run`: records any program, in any language, with inputs, outputs, exit code and console."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from mlvc.errors import NotFoundError, UsageError
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
    facts = {"job_type": job_type, "arguments": command}
    active = run_recording.begin(workspace, project=workspace.project, name=name, facts=facts, config=config)
    try:
        for text, path, member in used:
            active.use(member.version, text)
            if path is not None:
                held = contents.of(workspace, workspace.repository.view(), member.version)
                contents.write_out(workspace, held, Path(path).absolute())
        code = _execute(workspace, active, command, environment, show)
        if code == 0:
            for output, path in outputs:
                _publish(workspace, active, output, Path(path))
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
    collection = view.resolve(names.stored_collection(workspace.project, name))
    known = view.collection(collection)
    kind = known.type if known and known.types else publishing.type_for_entries(files)
    active.publish(Draft(collection, kind, files), f"mlvc run --output {name}={path}")


def _scan(workspace: Workspace, folder: Path) -> Iterator[tuple[str, Seen]]:
    folder = Path(os.path.abspath(folder))
    is_inside = folder.is_relative_to(workspace.root)
    ruled = scanning.folders_down_to(workspace.root, folder) if is_inside else [folder]
    return scanning.walk(folder, scanning.ignore_rules(ruled))


def _execute(
    workspace: Workspace, active: ActiveRun, command: list[str], given: Mapping[str, str], show: Callable[[bytes], None]
) -> int:
    """Runs the program, showing what it prints and keeping it; signals are passed on to it."""
    import subprocess

    environment = {**given, _JOINED: active.label, _STORE: str(workspace.repository.path), "MLVC_PROJECT": active.project}
    environment.setdefault("PYTHONUNBUFFERED", "1")
    console = workspace.runs_folder / active.id.hex() / "console"
    try:
        child = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0)
    except (FileNotFoundError, PermissionError) as error:
        raise NotFoundError(f"cannot run '{command[0]}': {(error.strerror or '').lower()}", hint="check the program's name and PATH") from error

    def pass_on(number: int, _: FrameType | None) -> None:
        child.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGHUP)}
    before[signal.SIGINT] = signal.signal(signal.SIGINT, lambda *_: None)  # the terminal sends it to the child as well
    assert child.stdout is not None, "it is a pipe"
    try:
        with console.open("ab", buffering=0) as kept:
            while data := os.read(child.stdout.fileno(), _PIECE):
                kept.write(data)
                show(data)
        code = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        child.stdout.close()
    return 128 - code if code < 0 else code
