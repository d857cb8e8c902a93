"""A folder on a local disk as a backend. Create-if-absent is `link(2)` of a synced temporary file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from mlvc import atomic_file
from mlvc.backend.interface import Immediate, KeyMissingError
from mlvc.errors import local_file_error


class LocalBackend(Immediate):
    """See `Backend`. `root` is the store's folder; keys are paths below it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def url(self) -> str:
        """The folder."""
        return str(self.root)

    def path(self, key: str) -> Path:
        """Returns the file behind a key; local readers may open it."""
        return self.root / key

    def read(self, key: str) -> bytes:
        """See `Backend.read`."""
        try:
            return self.path(key).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            raise KeyMissingError(key) from None
        except OSError as error:
            raise local_file_error(error, f"read {self.path(key)}") from error

    def read_range(self, key: str, offset: int, size: int) -> bytes:
        """See `Backend.read_range`."""
        try:
            with self.path(key).open("rb") as file:
                file.seek(offset)
                return file.read(size)
        except (FileNotFoundError, NotADirectoryError):
            raise KeyMissingError(key) from None
        except OSError as error:
            raise local_file_error(error, f"read {self.path(key)}") from error

    def size(self, key: str) -> int | None:
        """See `Backend.size`."""
        found = self._stat(key)
        return None if found is None else found.st_size

    def _stat(self, key: str) -> os.stat_result | None:
        try:
            return self.path(key).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise local_file_error(error, f"look at {self.path(key)}") from error

    def create(self, key: str, data: bytes) -> bool:
        """See `Backend.create`."""
        path = self.path(key)
        atomic_file.make_folder(path.parent)
        return atomic_file.create(path, data)

    def write(self, key: str, pieces: Iterable[bytes]) -> None:
        """See `Backend.write`."""
        path = self.path(key)
        atomic_file.make_folder(path.parent)
        with atomic_file.StagedFile(path.parent) as staged:
            for piece in pieces:
                staged.write(piece)
            staged.publish(path)
        atomic_file.sync_folder(path.parent)

    def keys(self, prefix: str, after: str = "") -> Iterator[tuple[str, int]]:
        """See `Backend.keys`. Temporary files of writes under way, or crashed, are left out."""
        waiting = [prefix.rstrip("/")]
        while waiting:
            folder = waiting.pop()
            try:
                with os.scandir(self.path(folder)) as found:
                    for item in found:
                        if item.name.startswith(atomic_file.TEMPORARY_PREFIX):
                            continue
                        name = f"{folder}/{item.name}" if folder else item.name
                        if item.is_dir(follow_symlinks=False):
                            waiting.append(name)
                        elif name > after and item.is_file(follow_symlinks=False):
                            yield name, item.stat().st_size
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise local_file_error(error, f"list {self.path(folder)}") from error

    def folders(self, prefix: str) -> list[str]:
        """See `Backend.folders`. An empty folder counts: on a disk, folders come before what is in them."""
        try:
            with os.scandir(self.path(prefix.rstrip("/"))) as found:
                return sorted(item.name for item in found if item.is_dir(follow_symlinks=False))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise local_file_error(error, f"list {self.path(prefix)}") from error

    def delete(self, key: str) -> None:
        """See `Backend.delete`."""
        atomic_file.remove(self.path(key))

    def modified_s(self, key: str) -> float | None:
        """See `Backend.modified_s`: the file's modification time."""
        found = self._stat(key)
        return None if found is None else found.st_mtime
