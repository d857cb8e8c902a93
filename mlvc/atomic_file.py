"""Durable, all-or-nothing writes to local disks: the only place of mlvc that writes truth to a file.

Everything goes through a `FileLayer`, a handful of system calls, so that tests can fail or kill at the k-th of
them, or replay what a power cut would have left. SQLite caches are derived and do not come through here.

The recipes, each safe against a crash at any point:

- `create(path, data)`   synced temporary file, hard-linked into place, folder synced; create-if-absent.
- `replace(path, data)`  synced temporary file, renamed over the old one, folder synced.
- `StagedFile`           written piece by piece under a temporary name, synced and renamed when complete.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mlvc.errors import LocalFileError, local_file_error

TEMPORARY_PREFIX = ".tmp-"


class FileLayer:
    """The system calls that durable writes are made of; tests put another in its place."""

    def open_new(self, path: str) -> int:
        return os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o666)

    def write(self, fd: int, path: str, data: bytes | memoryview) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]

    def fsync(self, fd: int, path: str) -> None:
        os.fsync(fd)

    def rename(self, source: str, target: str) -> None:
        os.replace(source, target)

    def link(self, source: str, target: str) -> None:
        """Makes `target` another name of `source`; FileExistsError when there is one."""
        os.link(source, target)

    def unlink(self, path: str) -> None:
        os.unlink(path)

    def mkdir(self, path: str) -> None:
        os.mkdir(path)

    def fsync_folder(self, path: str) -> None:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


_layer = FileLayer()


@contextmanager
def using_layer(layer: FileLayer) -> Iterator[FileLayer]:
    """Puts `layer` in the place of the operating system's calls, for tests."""
    global _layer
    before, _layer = _layer, layer
    try:
        yield layer
    finally:
        _layer = before


def temporary_name(folder: str | Path) -> str:
    """Returns an unused name in `folder` that cleaning up recognises as garbage after a crash."""
    return os.path.join(folder, f"{TEMPORARY_PREFIX}{os.getpid()}-{os.urandom(8).hex()}")


def make_folder(path: str | Path) -> None:
    """Creates a folder and its parents, each durable in the folder above it."""
    path = str(path)
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path) or "."
    make_folder(parent)
    try:
        _layer.mkdir(path)
    except FileExistsError:
        if not os.path.isdir(path):
            raise LocalFileError(f"cannot make the folder {path}: a file of that name is in the way") from None
        return
    except OSError as error:
        raise local_file_error(error, f"make the folder {path}") from error
    sync_folder(parent)


def sync_folder(path: str | Path) -> None:
    """Makes names created or removed in the folder survive a power cut."""
    try:
        _layer.fsync_folder(str(path))
    except OSError as error:
        raise local_file_error(error, f"sync the folder {path}") from error


def create(path: str | Path, data: bytes, *, folder_synced: bool = True) -> bool:
    """Creates a file if there is none; atomic and, on return, durable.

    Args:
        path: where; its folder exists.
        data: the whole content.
        folder_synced: whether to sync the folder too; False when the caller does it for several at once.

    Returns:
        False, with nothing changed, when the name is taken.

    Raises:
        LocalFileError: the disk refused; nothing is visible under `path`.
    """
    path = str(path)
    with StagedFile(os.path.dirname(path)) as staged:
        staged.write(data)
        if not staged.publish_new(path):
            return False
    if folder_synced:
        sync_folder(os.path.dirname(path))
    return True


def replace(path: str | Path, data: bytes) -> None:
    """Writes a file anew; readers see the old bytes or the new ones, and on return the new ones are durable.

    Raises:
        LocalFileError: the disk refused; the old file stands.
    """
    path = str(path)
    with StagedFile(os.path.dirname(path) or ".") as staged:
        staged.write(data)
        staged.publish(path)
    sync_folder(os.path.dirname(path) or ".")


def remove(path: str | Path) -> bool:
    """Removes a file; False when there was none. Not synced: a file that comes back after a crash does no harm."""
    try:
        _layer.unlink(str(path))
    except FileNotFoundError:
        return False
    except OSError as error:
        raise local_file_error(error, f"remove {path}") from error
    return True


def create_in_order(
    folder: str | Path, files: Sequence[tuple[str, bytes]], spread: Callable[..., Iterable[StagedFile]] = map
) -> list[bool]:
    """Creates many files of a folder; durable on return. After a crash, those that are there are the first ones, each whole.

    Args:
        folder: where.
        files: names and contents.
        spread: `map`, or one that works on several at once: syncing one file is mostly waiting.

    Returns:
        For each, False when its name was taken.
    """

    def stage(file: tuple[str, bytes]) -> StagedFile:
        staged = StagedFile(folder)
        staged.write(file[1])
        staged.sync()
        return staged

    made: list[bool] = []
    waiting: list[StagedFile] = []
    try:
        waiting.extend(spread(stage, files))
        for staged, (name, _) in zip(waiting, files, strict=True):
            made.append(staged.publish_new(os.path.join(folder, name)))
    finally:
        for staged in waiting:
            staged.discard()
    sync_folder(folder)
    return made


class StagedFile:
    """A file under way: written under a temporary name, given its real one only when whole and synced.

    Leaving the `with` block without `publish` or `publish_new` removes what was written.
    """

    def __init__(self, folder: str | Path) -> None:
        self._path = temporary_name(folder)
        self._fd: int | None = None
        self.size = 0
        try:
            self._fd = _layer.open_new(self._path)
        except OSError as error:
            raise local_file_error(error, f"write in {folder}") from error

    def __enter__(self) -> StagedFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    def write(self, data: bytes | memoryview) -> None:
        """Appends `data`; LocalFileError when the disk refuses."""
        assert self._fd is not None, "the staged file is closed"
        try:
            _layer.write(self._fd, self._path, data)
        except OSError as error:
            raise local_file_error(error, f"write in {os.path.dirname(self._path)}") from error
        self.size += len(data)

    def sync(self) -> None:
        """Makes what was written durable, under its temporary name; nothing more can be written."""
        if self._fd is not None:
            self._sync_and_close()

    def _sync_and_close(self) -> None:
        if self._fd is None:
            return  # synced before
        fd, self._fd = self._fd, None
        try:
            _layer.fsync(fd, self._path)
        except OSError as error:
            raise local_file_error(error, f"sync a file in {os.path.dirname(self._path)}") from error
        finally:
            os.close(fd)

    def publish(self, path: str | Path) -> None:
        """Syncs, then renames over whatever bears the name. The caller syncs the folder."""
        self._sync_and_close()
        try:
            _layer.rename(self._path, str(path))
        except OSError as error:
            raise local_file_error(error, f"write {path}") from error

    def publish_new(self, path: str | Path) -> bool:
        """Syncs, then links into place if the name is free. The caller syncs the folder."""
        self._sync_and_close()
        try:
            _layer.link(self._path, str(path))
        except FileExistsError:
            return False
        except OSError as error:
            raise local_file_error(error, f"write {path}") from error
        return True

    def discard(self) -> None:
        """Removes the temporary name; harmless after `publish`."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
        try:
            _layer.unlink(self._path)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise local_file_error(error, f"remove {self._path}") from error
