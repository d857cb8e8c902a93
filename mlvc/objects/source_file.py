"""The files of users that are read to be stored: regular ones, opened once, and unchanged while they were read."""

from __future__ import annotations

import os
import stat
from io import FileIO
from pathlib import Path

from mlvc.errors import Error, LocalFileError, UsageError, local_file_error


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
        found = path.stat()
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
    with opened(path) as file:
        before = os.fstat(file.fileno())
        data = file.read(largest + 1) or b""
        check_unchanged(path, before, os.fstat(file.fileno()), len(data))
    return before, data


def check_unchanged(path: Path, before: os.stat_result, after: os.stat_result, size: int) -> None:
    """Raises an Error when a file changed while `size` bytes of it were read."""
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or before.st_size != size:
        raise Error(f"{path} changed while it was being read", hint="wait until whatever writes it is done, then add it again")
