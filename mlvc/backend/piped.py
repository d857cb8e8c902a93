"""A store behind a program that answers on its standard input and output: `ssh HOST mlvc serve --stdio PATH`."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, BinaryIO

from mlvc.backend import frames
from mlvc.backend.interface import Immediate, KeyMissingError
from mlvc.errors import RemoteError

_PIECE = 1 << 20
_LARGEST_READ = 32 << 20
_TOLD = 2_000
_PATIENCE_S = 120.0
"""An answer that takes longer than this is none: the longest request writes what was sent already."""


class PipedBackend(Immediate):
    """See `Backend`. The program is started with the first request, and again in a process that was forked.

    Args:
        url: as shown.
        command: the program and its arguments.
    """

    def __init__(self, url: str, command: Sequence[str]) -> None:
        self.url = url
        self._command = list(command)
        self._line: _Line | None = None
        self._lock = threading.Lock()

    def _ask(self, method: str, *arguments: Any) -> Any:
        return self._opened().ask(method, list(arguments))

    def _opened(self) -> _Line:
        with self._lock:
            if self._line is not None and self._line.process_id == os.getpid() and self._line.is_dead:
                self._line.close()
                self._line = None
            if self._line is None or self._line.process_id != os.getpid():
                self._line = _Line(self.url, self._command)
            return self._line

    def read(self, key: str) -> bytes:
        """See `Backend.read`."""
        found: bytes = self._ask("read", key)
        return found

    def read_range(self, key: str, offset: int, size: int) -> bytes:
        """See `Backend.read_range`."""
        parts = []
        while size > 0:
            part: bytes = self._ask("read_range", key, offset, min(size, _LARGEST_READ))
            parts.append(part)
            if len(part) < min(size, _LARGEST_READ):
                break
            offset, size = offset + len(part), size - len(part)
        return b"".join(parts)

    def size(self, key: str) -> int | None:
        """See `Backend.size`."""
        found: int | None = self._ask("size", key)
        return found

    def create(self, key: str, data: bytes) -> bool:
        """See `Backend.create`."""
        return bool(self._ask("create", key, data))

    def write(self, key: str, pieces: Iterable[bytes]) -> None:
        """See `Backend.write`."""
        self._opened().write(key, pieces)

    def keys(self, prefix: str, after: str = "") -> Iterator[tuple[str, int]]:
        """See `Backend.keys`."""
        for key, size in self._ask("keys", prefix, after):
            yield str(key), int(size)

    def folders(self, prefix: str) -> list[str]:
        """See `Backend.folders`."""
        return [str(name) for name in self._ask("folders", prefix)]

    def delete(self, key: str) -> None:
        """See `Backend.delete`."""
        self._ask("delete", key)

    def modified_s(self, key: str) -> float | None:
        """See `Backend.modified_s`."""
        found: float | None = self._ask("modified_s", key)
        return found

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        """Holds a lock of the store, by name, for the length of a block; its host drops it when the line is cut."""
        self._ask("hold", name)
        try:
            yield
        finally:
            self._ask("release", name)

    def close(self) -> None:
        """Ends the program."""
        with self._lock:
            line, self._line = self._line, None
        if line is not None and line.process_id == os.getpid():
            line.close()


class _Line:
    """A program under way, and who waits for which of its answers."""

    def __init__(self, url: str, command: list[str]) -> None:
        import subprocess

        self._url = url
        self.process_id = os.getpid()
        self.is_dead = False
        try:
            self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=1 << 16)
        except OSError as error:
            raise RemoteError(f"{command[0]} cannot be started: {error.strerror}", hint="is it installed?") from error
        assert self._child.stdin is not None and self._child.stdout is not None and self._child.stderr is not None
        self._input: BinaryIO = self._child.stdin  # type: ignore[assignment]
        self._output: BinaryIO = self._child.stdout  # type: ignore[assignment]
        self._numbers = itertools.count(1)
        self._waiting: dict[int, Future[Any]] = {}
        self._lock, self._sending = threading.Lock(), threading.Lock()
        self._said = b""
        self._listener = threading.Thread(target=self._listen, args=(self._child.stderr,), daemon=True)
        self._listener.start()
        self._greeting: Future[bytes] = Future()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            greeting = self._greeting.result(_PATIENCE_S)
        except TimeoutError:
            self._child.kill()
            greeting = b""
        if greeting != frames.GREETING:
            self.close()
            raise self._lost(greeting)

    def ask(self, method: str, arguments: list[Any]) -> Any:
        """Returns the answer to one request."""
        return self._answer(self._start(method, arguments)[1])

    def write(self, key: str, pieces: Iterable[bytes]) -> None:
        """Sends what is to be written, piece by piece; whole or not at all."""
        number, answer = self._start("write", [key])
        try:
            for piece in pieces:
                for at in range(0, len(piece), _PIECE):
                    if answer.done():
                        break
                    self._send(number, "piece", [bytes(piece[at : at + _PIECE])])
        except BaseException:
            self._send(number, "cancel", [])
            raise
        self._send(number, "piece", [None])
        self._answer(answer)

    def _start(self, method: str, arguments: list[Any]) -> tuple[int, Future[Any]]:
        answer: Future[Any] = Future()
        with self._lock:
            if self.is_dead:
                raise self._lost()
            number = next(self._numbers)
            self._waiting[number] = answer
        self._send(number, method, arguments)
        return number, answer

    def _send(self, number: int, method: str, arguments: list[Any]) -> None:
        try:
            with self._sending:
                frames.send(self._input, [number, method, arguments])
        except (OSError, ValueError) as error:
            raise self._lost() from error

    def _answer(self, answer: Future[Any]) -> Any:
        try:
            outcome, value = answer.result(_PATIENCE_S)
        except TimeoutError:
            raise RemoteError(f"{self._url} does not answer any more", hint="try again later") from None
        if outcome == frames.DONE:
            return value
        if outcome == frames.MISSING:
            raise KeyMissingError
        raise RemoteError(f"{self._url}: {value[0]}", hint=value[1])

    def _read(self) -> None:
        try:
            greeting = self._output.read(len(frames.GREETING))
            if greeting != frames.GREETING:
                greeting += self._output.read1(_TOLD)  # type: ignore[attr-defined]
            self._greeting.set_result(greeting)
            while (message := frames.receive(self._output)) is not None:
                number, outcome, value = message
                with self._lock:
                    answer = self._waiting.pop(number, None)
                if answer is not None:
                    answer.set_result((outcome, value))
        except (RemoteError, OSError, ValueError):
            pass  # told below to all that wait
        with self._lock:
            self.is_dead = True
            waiting, self._waiting = list(self._waiting.values()), {}
        for answer in waiting:
            answer.set_exception(self._lost())

    def _listen(self, errors: Any) -> None:
        for line in errors:
            self._said = (self._said + line)[-_TOLD:]

    def _lost(self, greeting: bytes = b"") -> RemoteError:
        self._listener.join(timeout=2)  # what the program says as it ends may still be on its way
        said = (self._said or greeting).decode(errors="replace").strip().splitlines()
        what = f": {said[-1]}" if said else ""
        return RemoteError(f"the line to {self._url} was cut{what}", hint="does 'ssh' reach it, and is mlvc installed there?")

    def close(self) -> None:
        """Ends the program and waits for it."""
        self.is_dead = True
        try:
            self._input.close()
        except OSError:
            self._child.kill()  # it is gone; what was on the way is lost with it
        self._child.wait()
        self._reader.join()
        self._output.close()
        self._listener.join()
        assert self._child.stderr is not None
        self._child.stderr.close()
