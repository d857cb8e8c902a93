"""The repository behind the pages: opened once, asked by one request at a time, and watched for changes."""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from mlvc.errors import Error
from mlvc.fold.questions import View
from mlvc.format.ids import digest
from mlvc.workspace.run_columns import Columns, RunColumns
from mlvc.workspace.workspace import Workspace


class Site:
    """What every page shares.

    Attributes:
        workspace: where everything is.
        is_read_only: whether pages may change nothing.
        secret: what forms of this process' pages hold, so that no other site's page can send one.
        is_ending: whether the server stops: what pages listen to ends then.
        is_export: whether pages are written as files: then they hold no forms, and nothing is asked of a server.
    """

    def __init__(self, workspace: Workspace, *, is_read_only: bool = False, is_export: bool = False) -> None:
        self.workspace = workspace
        self.is_read_only = is_read_only or is_export
        self.is_export = is_export
        self.is_ending = False
        self.secret = secrets.token_urlsafe(24)
        self._lock = threading.RLock()
        self._columns: RunColumns | None = None
        self._columns_lock = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[View]:
        """A view that stays as it is for the length of a block. Requests take turns: SQLite answers in microseconds."""
        with self._lock, self.workspace.repository.reading() as view:
            yield view

    @contextmanager
    def run_columns(self) -> Iterator[Columns]:
        """The columns of all runs, caught up. The first time of a large repository takes seconds, in which other pages are answered."""
        with self._columns_lock:
            if self._columns is None:
                self._columns = RunColumns(Workspace.find(self.workspace.root, self.workspace.environment))
            with self._columns.workspace.repository.reading() as view, self._columns.caught_up(view) as columns:
                yield columns

    def prepare(self) -> None:
        """Makes what later requests would wait for, in a thread of its own."""

        def make() -> None:
            with suppress(Error), self.run_columns():  # whoever asks for them will be told
                pass

        threading.Thread(target=make, name="run columns", daemon=True).start()

    def close(self) -> None:
        """Closes what `run_columns` opened, unless it is just being made: then the process' end does."""
        if not self._columns_lock.acquire(blocking=False):
            return
        try:
            if self._columns is not None:
                self._columns.close()
                self._columns.workspace.close()
                self._columns = None
        finally:
            self._columns_lock.release()

    @contextmanager
    def alone(self) -> Iterator[Workspace]:
        """The workspace, for a change: no other request reads or writes meanwhile."""
        with self._lock:
            yield self.workspace

    def state(self) -> str:
        """Returns a word that changes whenever a page may have changed: a transaction came, a run logged, began or ended."""
        with self._lock:
            standing = self.workspace.repository.refresh()
            pending = sorted(self.workspace.repository.pending.ids())
        parts = [f"{standing.number}", standing.hash.hex(), *(one.hex() for one in pending)]
        with suppress(OSError):
            for folder in sorted(os.scandir(self.workspace.runs_folder), key=lambda entry: entry.name):
                with suppress(OSError):
                    parts += [f"{folder.name}/{one.name} {one.stat().st_mtime_ns} {one.stat().st_size}" for one in os.scandir(folder.path)]
        return digest("\n".join(parts).encode()).hex()[:16]
