"""How runs end by themselves: with their process, by an exception, by a signal."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

from mlvc.runs import events

if TYPE_CHECKING:
    from mlvc.api.disabled_run import DisabledRun
    from mlvc.api.tracked_run import Run

_open: list[Run] = []
_hooks_installed = False
_owner_pid = 0
_exit_code = 0


def is_ours() -> bool:
    """Tells whether this process began the runs that are open, and is no fork of the one that did."""
    return _owner_pid == os.getpid()


def watch_over(run: Run, *, is_notebook: bool) -> None:
    """Ends a run with the process: finished, failed by an exception, killed by Ctrl-C, preempted by SIGTERM."""
    global _hooks_installed, _owner_pid
    if _owner_pid != os.getpid():
        _open.clear()
        _owner_pid = os.getpid()
    _open.append(run)
    if _hooks_installed:
        return
    _hooks_installed = True
    atexit.register(_at_exit)
    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        before(kind, error, trace)
        _end(1, events.KILLED if issubclass(kind, KeyboardInterrupt) else events.FAILED)

    if not is_notebook:
        sys.excepthook = hook
        _note_exit_code()
    if threading.current_thread() is threading.main_thread():
        _catch_sigterm()


def let_go(run: Run | DisabledRun) -> None:
    """Forgets a run that has ended."""
    _open[:] = [one for one in _open if one is not run]


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


def _note_exit_code() -> None:
    """Wraps `sys.exit`: nothing else tells an atexit function what the program ends with."""
    before = sys.exit

    def leave(status: Any = None, /) -> NoReturn:
        global _exit_code
        _exit_code = status if isinstance(status, int) else 0 if status is None else 1
        before(status)

    sys.exit = leave


def _at_exit() -> None:
    _end(_exit_code, None)


def _end(exit_code: int, state: str | None) -> None:
    if not is_ours():
        return  # a forked worker: the run is its parent's
    for run in _open.copy():
        run._finish(exit_code, state)
