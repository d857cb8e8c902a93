"""Draws progress on a terminal; silent in a pipe."""

from __future__ import annotations

import sys
from typing import Any

from mlvc.progress import SILENT, Progress


class ProgressBar(Progress):
    """A bar with bytes, rate and time left, on stderr."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._task: Any = None

    def start(self, task: str, total_bytes: int | None = None) -> None:
        """See `Progress.start`."""
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
        from rich.progress import Progress as RichProgress

        self.stop()
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        self._bar = RichProgress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task(task, total=total_bytes)
        self._bar.start()

    def advance(self, size_bytes: int) -> None:
        """See `Progress.advance`."""
        if self._bar is not None:
            self._bar.advance(self._task, size_bytes)

    def part(self, task: str, total_bytes: int | None = None) -> Progress:
        """See `Progress.part`: a line of its own below the others."""
        if self._bar is None:
            whole = ProgressBar()
            whole.start(task, total_bytes)
            return whole
        return _Part(self._bar, task, total_bytes)

    def stop(self) -> None:
        """See `Progress.stop`."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


class _Part(Progress):
    """A task within another, on a line of its own while it is under way."""

    def __init__(self, bar: Any, task: str, total_bytes: int | None) -> None:
        self._bar = bar
        self._task = bar.add_task(task, total=total_bytes)

    def advance(self, size_bytes: int) -> None:
        """See `Progress.advance`."""
        self._bar.advance(self._task, size_bytes)

    def stop(self) -> None:
        """See `Progress.stop`."""
        self._bar.remove_task(self._task)


def for_terminal() -> Progress:
    """Returns a bar when stderr is a terminal, silence otherwise."""
    return ProgressBar() if sys.stderr.isatty() else SILENT
