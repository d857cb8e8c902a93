"""Asks an ASGI application for something, in this process: for pages that are written as files."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Mapping, MutableMapping
from typing import Any
from urllib.parse import unquote

from msgspec import Struct
from starlette.types import ASGIApp


class Answer(Struct, frozen=True):
    """What came back: the status of HTTP, headers by lower-case name, the body, and whether it is all that was announced."""

    status: int
    headers: dict[str, str]
    data: bytes
    is_whole: bool = True

    @property
    def text(self) -> str:
        """The body as text."""
        return self.data.decode()


class _TooLargeError(Exception):
    """Ends an answer that nobody wants."""


class Asker:
    """Asks one application, one question at a time; to be closed."""

    def __init__(self, app: ASGIApp, host: str = "localhost") -> None:
        self._app = app
        self._host = host
        self._runner = asyncio.Runner()
        self._end = weakref.finalize(self, self._runner.close)

    def ask(self, address: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, data: bytes = b"", most: int | None = None) -> Answer:
        """Returns the answer to one request; `address` is a path with its query, percent-encoded. One of more than `most` bytes comes empty."""
        return self._runner.run(self._asked(address, method, {"host": self._host, **(headers or {})}, data, most))

    async def _asked(self, address: str, method: str, headers: dict[str, str], data: bytes, most: int | None) -> Answer:
        path, _, query = address.partition("?")
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
            "client": ("127.0.0.1", 0),
            "server": ("127.0.0.1", 80),
        }
        sent = [{"type": "http.request", "body": data, "more_body": False}]
        done = asyncio.Event()
        start: MutableMapping[str, Any] = {}
        body: list[bytes] = []

        async def receive() -> MutableMapping[str, Any]:
            if sent:
                return sent.pop()
            await done.wait()
            return {"type": "http.disconnect"}

        async def send(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
                announced = next((int(value) for name, value in message["headers"] if name.lower() == b"content-length"), 0)
                if most is not None and announced > most:
                    raise _TooLargeError
            elif message["type"] == "http.response.body":
                body.append(message.get("body", b""))
                if not message.get("more_body"):
                    done.set()

        is_broken = False
        try:
            await self._app(scope, receive, send)
        except Exception:
            if not start:
                raise
            is_broken = True  # a server could only break the line off; here the answer says so
        whole = b"".join(body)
        found = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in start["headers"]}
        return Answer(start["status"], found, whole, not is_broken and found.get("content-length", str(len(whole))) == str(len(whole)))

    def close(self) -> None:
        """Ends the loop that it ran in, which otherwise ends with this object."""
        self._end()
