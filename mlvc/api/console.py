"""Keeps what Python prints: `write` of stdout and stderr is wrapped, so that every reference to them is caught.

What other programs, or C libraries, write to the terminal themselves is not; `mlvc run` catches that too.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

from mlvc.errors import local_file_error

_lock = Lock()
_captures: list[ConsoleCapture] = []
_wrapped: list[tuple[Any, Callable[[str], Any]]] = []
"""Streams whose `write` is wrapped now, with what it was."""


class ConsoleCapture:
    """Appends what is printed to a file, from its making until `stop`. Several may go on at once."""

    def __init__(self, path: Path) -> None:
        """Begins; LocalFileError when the file cannot be opened."""
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise local_file_error(error, f"keep the console in {path}") from error
        self._pid = os.getpid()
        with _lock:
            _wrap()
            _captures.append(self)

    def keep(self, text: str) -> None:
        """Keeps a text; a full disk must not stop the program from printing."""
        try:
            os.write(self._fd, text.encode(errors="replace"))
        except OSError:
            self.stop()

    def stop(self) -> None:
        """Ends; the second call does nothing."""
        with _lock:
            if self not in _captures:
                return
            _captures.remove(self)
            if not _captures:
                _unwrap()
        os.close(self._fd)


def _wrap() -> None:
    """Wraps what is stdout and stderr now: while one run goes on, a notebook or a test may have put others there."""
    for stream in (sys.stdout, sys.stderr):
        before = getattr(stream, "write", None)
        if before is None or any(stream is known for known, _ in _wrapped):
            continue
        try:
            stream.write = _keeping(before)  # type: ignore[method-assign]
        except AttributeError:
            continue  # a stream of slots: what goes through it is not caught
        _wrapped.append((stream, before))


def _keeping(before: Callable[[str], Any]) -> Callable[[str], Any]:
    def write(text: str) -> Any:
        done = before(text)
        for capture in _captures.copy():
            capture.keep(text)
        return done

    return write


def _unwrap() -> None:
    for stream, before in _wrapped:
        try:
            del stream.write
        except AttributeError:
            stream.write = before
    _wrapped.clear()


