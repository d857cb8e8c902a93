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

    def stop(self) -> None:
        """See `Progress.stop`."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def for_terminal() -> Progress:
    """Returns a bar when stderr is a terminal, silence otherwise."""
    return ProgressBar() if sys.stderr.isatty() else SILENT
