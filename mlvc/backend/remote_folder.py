"""A folder that is somebody's remote: what goes wrong with it is the remote's failure, not this repository's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from mlvc.backend.interface import MAX_READ
from mlvc.backend.local import LocalBackend
from mlvc.errors import LocalFileError, RemoteError


@contextmanager
def failing_as_remote() -> Iterator[None]:
    """Turns what a disk says into a RemoteError."""
    try:
        yield
    except LocalFileError as error:
        raise RemoteError(f"the remote failed: {error.message}", hint=error.hint) from error


class RemoteFolder(LocalBackend):
    """See `Backend`."""

    def read(self, key: str) -> bytes:
        with failing_as_remote():
            size = super().size(key)
            if size is not None and size > MAX_READ:
                raise RemoteError(f"{key} at {self.url} has {size:,} bytes, at most {MAX_READ:,} are believed")
            return super().read(key)

    def read_range(self, key: str, offset: int, size: int) -> bytes:
        with failing_as_remote():
            return super().read_range(key, offset, size)

    def size(self, key: str) -> int | None:
        with failing_as_remote():
            return super().size(key)

    def create(self, key: str, data: bytes) -> bool:
        with failing_as_remote():
            return super().create(key, data)

    def write(self, key: str, pieces: Iterable[bytes]) -> None:
        with failing_as_remote():
            super().write(key, pieces)

    def keys(self, prefix: str, after: str = "") -> Iterator[tuple[str, int]]:
        with failing_as_remote():
            yield from super().keys(prefix, after)

    def folders(self, prefix: str) -> list[str]:
        with failing_as_remote():
            return super().folders(prefix)

    def delete(self, key: str) -> None:
        with failing_as_remote():
            super().delete(key)

    def modified_s(self, key: str) -> float | None:
        with failing_as_remote():
            return super().modified_s(key)
