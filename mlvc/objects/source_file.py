"""The files of users that are read to be stored: regular ones, opened once, and unchanged while they were read."""

from __future__ import annotations

import os
import stat
from io import FileIO
from pathlib import Path

from msgspec import Struct

from mlvc.errors import Error, LocalFileError, UsageError, local_file_error


class Looks(Struct, frozen=True, gc=False, array_like=True):
    """What `stat` says of a regular file: equal looks mean equal content, but for changes within a tick of the clock.

    Attributes:
        size: in bytes.
        modified_ns, changed_ns: since 1970 UTC.
        inode: number.
    """

    size: int
    modified_ns: int
    changed_ns: int
    inode: int

    @property
    def newest_ns(self) -> int:
        """The later of the two times."""
        return max(self.modified_ns, self.changed_ns)


class Seen(Struct, frozen=True, gc=False):
    """A file that was seen on disk: its name, and its looks, or None when it is no regular file. A million of them must fit."""

    file: str
    looks: Looks | None


def looks_of(found: os.stat_result) -> Looks | None:
    """Returns the looks of a regular file, or None for anything else."""
    if not stat.S_ISREG(found.st_mode):
        return None
    return Looks(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def opened(path: str | Path) -> FileIO:
    """Opens a file for unbuffered reading; LocalFileError when it cannot be."""
    try:
        return FileIO(path, "r")
    except OSError as error:
        raise local_file_error(error, f"read {path}") from error


def regular_file(path: str | Path) -> Looks:
    """Returns what a file looks like, links followed.

    Raises:
        UsageError: it is no regular file: a device, socket, pipe or folder.
        LocalFileError: it is not there (a dangling link) or cannot be looked at.
    """
    try:
        found = os.stat(path)
    except OSError as error:
        if os.path.islink(path):
            raise LocalFileError(
                f"{path} is a link to {os.readlink(path)}, which leads nowhere",
                hint="remove it, or name it in .mlvcignore",
                cause=error,
            ) from error
        raise local_file_error(error, f"read {path}") from error
    looks = looks_of(found)
    if looks is None:
        kind = "folder" if stat.S_ISDIR(found.st_mode) else "device, socket or pipe"
        raise UsageError(f"{path} is a {kind}, expected a regular file")
    return looks


def read_small(path: str | Path, largest: int) -> tuple[Looks, bytes]:
    """Returns what a file looks like, and its content.

    Raises:
        Error: it is larger than `largest` bytes by now, or changed while it was read.
        LocalFileError: it cannot be read.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            before = opened_looks(fd)
            wanted = min(before.size, largest) + 1
            data = os.read(fd, wanted)
            while len(data) < before.size and (more := os.read(fd, wanted)):
                data += more
            check_unchanged(path, before, opened_looks(fd), len(data))
        finally:
            os.close(fd)
    except OSError as error:
        if isinstance(error, Error):
            raise
        raise local_file_error(error, f"read {path}") from error
    return before, data


def opened_looks(fd: int) -> Looks:
    """Returns what an open file looks like."""
    found = os.fstat(fd)
    return Looks(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def check_unchanged(path: str | Path, before: Looks, after: Looks, size: int) -> None:
    """Raises an Error when a file changed while `size` bytes of it were read."""
    if (before.size, before.modified_ns) != (after.size, after.modified_ns) or before.size != size:
        raise Error(f"{path} changed while it was being read", hint="wait until whatever writes it is done, then add it again")
