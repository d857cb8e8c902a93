"""The OS locks of one local store. The OS drops them with their process, so they are never stale."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlvc import atomic_file
from mlvc.errors import ConflictError, local_file_error


class StoreLocks:
    """`commits`: shared while committing, exclusive while deleting. `append`: short, exclusive, for speed alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def committing(self) -> Iterator[None]:
        """Held from a commit's first 'is this chunk here?' until its transaction exists; many at once."""
        with _flocked(self._folder / "commits", fcntl.LOCK_SH):
            yield

    @contextmanager
    def deleting(self) -> Iterator[None]:
        """Held by gc, prune and repack while they mark again and delete.

        Raises:
            ConflictError: a commit is under way; nothing was deleted.
        """
        with _flocked(self._folder / "commits", fcntl.LOCK_EX | fcntl.LOCK_NB):
            yield

    @contextmanager
    def appending(self) -> Iterator[None]:
        """Held around an append; correctness rests on create-if-absent, not on this."""
        with _flocked(self._folder / "append", fcntl.LOCK_EX):
            yield


@contextmanager
def _flocked(path: Path, how: int) -> Iterator[None]:
    atomic_file.make_folder(path.parent)
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise local_file_error(error, f"open the lock {path}") from error
    try:
        try:
            fcntl.flock(fd, how)
        except BlockingIOError as error:
            raise ConflictError(
                "other commands are committing to this repository right now; nothing was deleted",
                hint="run this again when they are done",
            ) from error
        yield
    finally:
        os.close(fd)
