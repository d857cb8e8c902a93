"""The contract of every backend."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

MAX_READ = 256 << 20
"""What is read whole from a remote has at most so many bytes; a pack has some 64 MiB, everything else less."""


class KeyMissingError(KeyError):
    """There is nothing under a key. Never reaches a user: the layer above says what it means."""


class Backend(Protocol):
    """Bytes by key. Keys are '/'-separated, ASCII, relative, without '..'.

    Every write is atomic (readers see all of it or none) and durable when the call returns. All methods raise
    `LocalFileError` or `RemoteError` when the place itself fails. Safe to use from several threads.
    """

    @property
    def url(self) -> str:
        """Where this is, without secrets, for messages and entries."""
        ...

    def read(self, key: str) -> bytes:
        """Returns all bytes under a key; KeyMissingError when there are none. A remote's, RemoteError beyond `MAX_READ`."""
        ...

    def read_range(self, key: str, offset: int, size: int) -> bytes:
        """Returns up to `size` bytes from `offset`; fewer at the end. KeyMissingError when there is nothing."""
        ...

    def size(self, key: str) -> int | None:
        """Returns the size in bytes of what is under a key, or None."""
        ...

    def create(self, key: str, data: bytes) -> bool:
        """Writes if the key is free. False means 'something is there': the caller reads it and decides."""
        ...

    def write(self, key: str, pieces: Iterable[bytes]) -> None:
        """Writes, replacing what is there: for keys that hold a nonce, so that a repeat writes the same bytes."""
        ...

    def keys(self, prefix: str, after: str = "") -> Iterator[tuple[str, int]]:
        """Yields (key, size in bytes) of everything below a '/'-ended prefix, in no particular order; only keys above `after`."""
        ...

    def folders(self, prefix: str) -> list[str]:
        """Returns the names directly below a '/'-ended prefix that have keys below them, sorted."""
        ...

    def delete(self, key: str) -> None:
        """Removes what is under a key, if anything."""
        ...

    def modified_s(self, key: str) -> float | None:
        """Returns when the key was written, in seconds by the store's own clock, or None when there is nothing."""
        ...

    def together(self) -> AbstractContextManager[None]:
        """Allows what is written and created in a block to go at once at its end, where that is cheaper; it is durable then.

        For copies only, about which nobody else decides: that a `create` in it succeeded is certain at the end of the block.
        """
        ...

    def close(self) -> None:
        """Ends what reading and writing had to start. The backend may be used again."""
        ...


class Immediate:
    """What those backends share that send everything at once, and keep nothing open."""

    def together(self) -> AbstractContextManager[None]:
        """See `Backend.together`."""
        return nullcontext()

    def close(self) -> None:
        """See `Backend.close`."""
