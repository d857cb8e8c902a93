"""The files of users that are read to be stored: regular ones, opened once, and unchanged while they were read."""

from __future__ import annotations

import os
import stat
from io import FileIO
from pathlib import Path

from mlvc.errors import Error, LocalFileError, UsageError, local_file_error


def regular_item(item: os.DirEntry[str]) -> os.stat_result:
    """Returns what `regular_file` does, for an entry of a folder."""
    try:
        found = item.stat()
    except OSError:
        return regular_file(Path(item.path))
    return found if stat.S_ISREG(found.st_mode) else regular_file(Path(item.path))


def opened(path: Path) -> FileIO:
    """Opens a file for unbuffered reading; LocalFileError when it cannot be."""
    try:
        return FileIO(path, "r")
    except OSError as error:
        raise local_file_error(error, f"read {path}") from error


def regular_file(path: Path) -> os.stat_result:
    """Returns what a file looks like, links followed.

    Raises:
        UsageError: it is no regular file: a device, socket, pipe or folder.
        LocalFileError: it is not there (a dangling link) or cannot be looked at.
    """
    try:
        found = os.stat(path)
    except OSError as error:
        if path.is_symlink():
            raise LocalFileError(f"{path} is a link to {os.readlink(path)}, which is not there", cause=error) from error
        raise local_file_error(error, f"read {path}") from error
    if not stat.S_ISREG(found.st_mode):
        kind = "folder" if stat.S_ISDIR(found.st_mode) else "device, socket or pipe"
        raise UsageError(f"{path} is a {kind}, expected a regular file")
    return found


def read_small(path: Path, largest: int) -> tuple[os.stat_result, bytes]:
    """Returns what a file looks like, and its content.

    Raises:
        Error: it is larger than `largest` bytes by now, or changed while it was read.
        LocalFileError: it cannot be read.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            before = os.fstat(fd)
            wanted = min(before.st_size, largest) + 1
            data = os.read(fd, wanted)
            while len(data) < before.st_size and (more := os.read(fd, wanted)):
                data += more
            check_unchanged(path, before, os.fstat(fd), len(data))
        finally:
            os.close(fd)
    except OSError as error:
        if isinstance(error, Error):
            raise
        raise local_file_error(error, f"read {path}") from error
    return before, data


def check_unchanged(path: Path, before: os.stat_result, after: os.stat_result, size: int) -> None:
    """Raises an Error when a file changed while `size` bytes of it were read."""
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or before.st_size != size:
        raise Error(f"{path} changed while it was being read", hint="wait until whatever writes it is done, then add it again")
