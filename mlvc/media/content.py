"""The bytes of a media value: in memory, in a user's file, or spooled to disk where many would not fit into memory."""

from __future__ import annotations

import hashlib
import os
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from msgspec import Struct

_PIECE = 1 << 20


class Spool:
    """A temporary file that the bytes of many values share; it goes with the last of them. Any thread may use it."""

    def __init__(self) -> None:
        self._file: BinaryIO | None = None
        self._end = 0
        self._lock = Lock()

    def put(self, data: bytes) -> Part:
        """Keeps bytes on disk."""
        with self._lock:
            if self._file is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it closes with this object
                weakref.finalize(self, self._file.close)
            offset, self._end = self._end, self._end + len(data)
            self._file.seek(offset)
            self._file.write(data)
        return Part(self, offset, len(data))

    def read(self, offset: int, size: int) -> bytes:
        """Returns what was put there."""
        assert self._file is not None, "a part of it exists"
        with self._lock:
            self._file.seek(offset)
            return self._file.read(size)


class Part(Struct, frozen=True):
    """Bytes in a spool."""

    spool: Spool
    offset: int
    size: int


class Later(Struct, frozen=True):
    """Bytes that are read when someone asks, such as a stored artifact's."""

    read: Callable[[], bytes]
    size: int


Content = bytes | Path | Part | Later


def read(content: Content) -> bytes:
    """Returns the bytes."""
    match content:
        case bytes():
            return content
        case Path():
            return content.read_bytes()
        case Part(spool, offset, size):
            return spool.read(offset, size)
        case Later(read_it):
            return read_it()


def size(content: Content) -> int:
    """Returns how many bytes there are."""
    match content:
        case bytes():
            return len(content)
        case Path():
            return os.stat(content).st_size
        case _:
            return content.size


def sha256(content: Content) -> str:
    """Returns the hexadecimal SHA-256, as W&B records it of media files."""
    if not isinstance(content, Path):
        return hashlib.sha256(read(content)).hexdigest()
    with content.open("rb") as file:
        proof = hashlib.sha256()
        while piece := file.read(_PIECE):
            proof.update(piece)
    return proof.hexdigest()
