"""An append-only log of one writer of a run, in a memory map: what `append` returned from survives `kill -9`.

Dirty pages of a shared map belong to the kernel, so they outlive their process. Space is reserved before it is mapped
(a sparse file on a full disk would kill the process on a plain store). A record is its size and CRC-32, then MessagePack;
its size is written last, so a torn record is not seen.

Layout: "MLVC" "L" version:u8 reserved:2, then records: size:u32 crc32:u32 payload. A size of zero ends the log.
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack

from mlvc.errors import DamageError, LocalFileError, NewerFormatError, local_file_error

_HEADER = b"MLVCL\x01\x00\x00"
_PREFIX = struct.Struct("<II")
_SIZE = struct.Struct("<I")
_CRC = struct.Struct("<I")
_FIRST_STEP = 64 << 10
_LARGEST_STEP = 8 << 20
MAX_RECORD = 64 << 20


class EventLog:
    """The log of one writer: one process, any number of threads under the caller's lock."""

    def __init__(self, path: Path) -> None:
        """Begins a log; LocalFileError when the disk refuses or the file exists."""
        self._path = path
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise local_file_error(error, f"begin the run's log {path}") from error
        self._capacity = 0
        self._end = 0
        self._map: mmap.mmap | None = None
        try:
            first = self._grow(len(_HEADER))
        except LocalFileError:
            os.close(self._fd)
            path.unlink(missing_ok=True)
            raise
        first[: len(_HEADER)] = _HEADER
        self._end = len(_HEADER)

    def _grow(self, needed: int) -> mmap.mmap:
        step = min(_LARGEST_STEP, max(_FIRST_STEP, self._capacity))
        capacity = self._capacity + max(step, -(-needed // _FIRST_STEP) * _FIRST_STEP)
        try:
            _reserve(self._fd, self._capacity, capacity - self._capacity)
            fresh = mmap.mmap(self._fd, capacity)
        except OSError as error:
            raise local_file_error(error, f"write the run's log {self._path}") from error
        if self._map is not None:
            self._map.close()
        self._map, self._capacity = fresh, capacity
        return fresh

    def append(self, payload: bytes) -> None:
        """Appends one record; on return it outlives this process. LocalFileError when the disk is full."""
        end = self._end
        after = end + 8 + len(payload)
        if after + 4 > self._capacity:
            self._grow(after + 4 - end)
        found = self._map
        found[end + 8 : after] = payload  # type: ignore[index]
        found[end + 4 : end + 8] = _CRC.pack(zlib.crc32(payload))  # type: ignore[index]
        found[end : end + 4] = _SIZE.pack(len(payload))  # type: ignore[index]
        self._end = after

    def sync(self) -> None:
        """Makes everything survive a power cut too."""
        if self._map is not None:
            self._map.flush()
            os.fsync(self._fd)

    def close(self) -> None:
        """Gives back the space that was reserved and not used."""
        if self._map is None:
            return
        self._map.close()
        self._map = None
        os.ftruncate(self._fd, self._end)
        os.close(self._fd)

    def forget(self) -> None:
        """In a forked child: drops the parent's log without touching it."""
        if self._map is not None:
            self._map.close()
            self._map = None
            os.close(self._fd)


def _reserve(fd: int, offset: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, offset, size)
    else:  # macOS: writing zeros is what reserves
        os.pwrite(fd, bytes(size), offset)


def read(path: Path) -> Iterator[Any]:
    """Yields the records of a log, also of one that is being written, up to the first that is not whole.

    Raises:
        DamageError: a record's bytes changed.
        NewerFormatError: the log is of a newer format.
    """
    for _, record in _records(path, 0):
        yield record


def read_from(path: Path, start: int) -> tuple[list[Any], int]:
    """Returns the records from a byte on, 0 for all, and the byte after the last; raises as `read` does."""
    found = list(_records(path, start))
    return [record for _, record in found], found[-1][0] if found else start


def _records(path: Path, start: int) -> Iterator[tuple[int, Any]]:
    """Yields (the byte after it, record)."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            data = file.read()
    except OSError as error:
        raise local_file_error(error, f"read the run's log {path}") from error
    at = 0
    if not start:
        if len(data) < len(_HEADER) or not any(data[: len(_HEADER)]):
            return  # its writer has reserved space and not begun yet
        if data[:5] != _HEADER[:5]:
            raise DamageError(f"{path} is no run log: it begins with {data[:5]!r}")
        if data[5] > _HEADER[5]:
            raise NewerFormatError(f"{path} has log format {data[5]}, known here: {_HEADER[5]}", hint="install a newer mlvc")
        at = len(_HEADER)
    while at + _PREFIX.size <= len(data):
        size, crc = _PREFIX.unpack_from(data, at)
        if size == 0:
            return
        payload = data[at + _PREFIX.size : at + _PREFIX.size + size]
        if len(payload) < size:
            return
        if zlib.crc32(payload) != crc:
            raise DamageError(f"{path} is damaged: the record at byte {start + at:,} does not match its checksum")
        at += _PREFIX.size + size
        yield start + at, msgpack.unpackb(payload, raw=False, strict_map_key=False)
