"""What long work tells whoever waits. Lower layers report to a `Progress`; only the command line draws one."""

from __future__ import annotations

from types import TracebackType


class Progress:
    """Hears how far a task is; this one says nothing. Subclasses draw."""

    def start(self, task: str, total_bytes: int | None = None) -> None:
        """A task begins; `total_bytes` is None where nobody knows yet."""

    def advance(self, size_bytes: int) -> None:
        """So many bytes more are done."""

    def part(self, task: str, total_bytes: int | None = None) -> Progress:
        """A task within the one under way begins, if there is one; returns what hears of it, to be left as a `with` block."""
        del task, total_bytes
        return SILENT

    def stop(self) -> None:
        """The task ended."""

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


SILENT = Progress()
