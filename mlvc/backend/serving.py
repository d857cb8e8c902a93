"""The far side of an `ssh://` remote: answers requests for one store on standard input and output, as `mlvc serve --stdio` does.

It knows bytes and keys only, and gives nothing outside of the store's folder.
"""

from __future__ import annotations

import queue
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from typing import Any, BinaryIO

from mlvc.backend import frames
from mlvc.backend.interface import KeyMissingError
from mlvc.backend.local import LocalBackend
from mlvc.errors import Error

_KEY = re.compile(r"(?!/)[A-Za-z0-9._/-]*\Z")
_AT_ONCE = 16
_MOST_READ = 32 << 20
_WAITING_PIECES = 8

Locks = dict[str, Callable[[], AbstractContextManager[None]]]
"""What a client may hold, by name."""


def serve(backend: LocalBackend, locks: Locks, source: BinaryIO, sink: BinaryIO) -> None:
    """Answers until the client goes; then gives up its locks. Several requests are worked on at once."""
    _Session(backend, locks, sink).run(source)


class _Session:
    def __init__(self, backend: LocalBackend, locks: Locks, sink: BinaryIO) -> None:
        self._backend = backend
        self._locks = locks
        self._sink = sink
        self._sending = threading.Lock()
        self._writes: dict[int, queue.Queue[bytes | None]] = {}
        self._held: dict[str, ExitStack] = {}

    def run(self, source: BinaryIO) -> None:
        self._sink.write(frames.GREETING)
        self._sink.flush()
        with ThreadPoolExecutor(_AT_ONCE) as pool, ThreadPoolExecutor(_AT_ONCE) as writers:
            try:
                while (request := frames.receive(source)) is not None:
                    number, method, arguments = request
                    if method in ("piece", "cancel"):
                        if number in self._writes:
                            self._writes[number].put(arguments[0] if method == "piece" else _CUT)
                    elif method == "write":
                        self._writes[number] = queue.Queue(_WAITING_PIECES)
                        writers.submit(self._answer, number, self._write, [number, *arguments])
                    else:
                        pool.submit(self._answer, number, getattr(self, f"_do_{method}", self._unknown), arguments)
            finally:
                for pieces in self._writes.values():  # the client went before the end: nothing of it gets its name
                    pieces.put(_CUT)
                for held in self._held.values():
                    held.close()

    def _answer(self, number: int, work: Callable[..., Any], arguments: list[Any]) -> None:
        try:
            message = [number, frames.DONE, work(*arguments)]
        except KeyMissingError:
            message = [number, frames.MISSING, None]
        except Error as error:
            message = [number, frames.FAILED, [error.message, error.hint]]
        except (TypeError, ValueError) as error:
            message = [number, frames.FAILED, [f"the request makes no sense: {error}", None]]
        with self._sending:
            try:
                frames.send(self._sink, message)
            except OSError:
                return  # the client is gone; whoever reads its requests notices

    @staticmethod
    def _unknown(*_: Any) -> None:
        raise ValueError("no such request")

    @staticmethod
    def _checked(key: Any) -> str:
        if not isinstance(key, str) or not _KEY.match(key) or ".." in key.split("/"):
            raise ValueError("no such key")
        return key

    def _write(self, number: int, key: str) -> None:
        pieces = self._writes[number]

        def arriving() -> Iterator[bytes]:
            while (piece := pieces.get()) is not None:
                if piece is _CUT:
                    raise KeyMissingError(key)
                yield piece

        try:
            self._backend.write(self._checked(key), arriving())
        finally:
            del self._writes[number]

    def _do_read(self, key: str) -> bytes:
        return self._backend.read(self._checked(key))

    def _do_read_range(self, key: str, offset: int, size: int) -> bytes:
        return self._backend.read_range(self._checked(key), offset, min(size, _MOST_READ))

    def _do_size(self, key: str) -> int | None:
        return self._backend.size(self._checked(key))

    def _do_create(self, key: str, data: bytes) -> bool:
        return self._backend.create(self._checked(key), data)

    def _do_keys(self, prefix: str, after: str) -> list[tuple[str, int]]:
        return list(self._backend.keys(self._checked(prefix), str(after)))

    def _do_folders(self, prefix: str) -> list[str]:
        return self._backend.folders(self._checked(prefix))

    def _do_delete(self, key: str) -> None:
        self._backend.delete(self._checked(key))

    def _do_modified_s(self, key: str) -> float | None:
        return self._backend.modified_s(self._checked(key))

    def _do_url(self) -> str:
        return self._backend.url

    def _do_hold(self, name: str) -> None:
        if name not in self._locks or name in self._held:
            raise ValueError("no such lock")
        stack = ExitStack()
        stack.enter_context(self._locks[name]())
        self._held[name] = stack

    def _do_release(self, name: str) -> None:
        held = self._held.pop(name, None)
        if held is not None:
            held.close()


_CUT = b"\x00cut"
