"""Pushing by itself: with MLVC_AUTOPUSH=1 a run that ends pushes, in a process of its own that outlives it.

Training waits for nothing: what is logged is committed here, and a remote that is down costs a line in a log. MLVC_AUTOPUSH_WAIT says for
how many seconds the end of a run may wait for the push.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mlvc import atomic_file
from mlvc.errors import UsageError
from mlvc.workspace.locating import STORE_VARIABLE
from mlvc.workspace.workspace import Workspace

VARIABLE, WAIT_VARIABLE = "MLVC_AUTOPUSH", "MLVC_AUTOPUSH_WAIT"


def log_path(workspace: Workspace) -> Path:
    """Returns the file that the last such push wrote its words to."""
    return workspace.repository.path / "cache" / "autopush.log"


def is_wanted(workspace: Workspace) -> bool:
    """Tells whether the user asked for it, and there is where to."""
    said = workspace.environment.get(VARIABLE, "").lower()
    return said in ("1", "true", "yes") and workspace.settings.upstream is not None


def begin(workspace: Workspace) -> bool | None:
    """Begins a push, and waits as long as the user allows.

    Returns:
        Whether it succeeded, or None while it goes on.

    Raises:
        UsageError: the variable that says how long to wait is no number.
    """
    import subprocess

    allowed = _allowed_s(workspace)
    path = log_path(workspace)
    atomic_file.make_folder(path.parent)
    environment = {**workspace.environment, STORE_VARIABLE: str(workspace.repository.path)}
    with path.open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "mlvc", "push"],
            cwd=workspace.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # a job's end, or Ctrl-C, must not cut it off
        )
    try:
        return child.wait(allowed) == 0
    except subprocess.TimeoutExpired:
        child.returncode = 0  # it goes on; nobody waits for it any more, and that is no oversight
        return None


def _allowed_s(workspace: Workspace) -> float:
    said = workspace.environment.get(WAIT_VARIABLE) or "0"
    try:
        return max(0.0, float(said))
    except ValueError:
        raise UsageError(f"{WAIT_VARIABLE} is {said!r}, expected seconds", hint=f"{WAIT_VARIABLE}=30 waits at most half a minute") from None


def last_words(workspace: Workspace) -> str:
    """Returns the last line that the push said."""
    try:
        lines = log_path(workspace).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except FileNotFoundError:
        return ""
    return lines[-1] if lines else ""

