"""An HTTP proxy on loopback between a client and a server, which can spoil any exchange it is told to."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from loopback_http import LoopbackServer

PASS, REFUSE, LOSE_REPLY, CUT_REPLY, CUT_REQUEST, STALL, TRICKLE = "pass", "refuse", "lose reply", "cut reply", "cut request", "stall", "trickle"
"""
REFUSE: 503, the server never sees it. LOSE_REPLY: the server does it, the client never hears. CUT_REPLY: half of the answer's
body. CUT_REQUEST: the server gets half of the body. STALL: no answer until the client gives up. TRICKLE: the answer, a byte at a time.
"""

STALL_S = 30.0

Policy = Callable[[int, str, str], str]
"""Returns what to do with request number n (from 0), by method and path."""


class FlakyProxy:
    """Runs in threads of this process until `stop`.

    Attributes:
        url: where it listens.
        seen: (method, path) of every request.
        policy: asked for each.
    """

    def __init__(self, target: str) -> None:
        self.seen: list[tuple[str, str]] = []
        self.policy: Policy = lambda _n, _method, _path: PASS
        self._target = urlsplit(target).netloc
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._server = LoopbackServer(self.handle)
        self.url = self._server.url

    def stop(self) -> None:
        self._stopped.set()
        self._server.stop()

    def handle(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        with self._lock:
            action = self.policy(len(self.seen), request.command, request.path)
            self.seen.append((request.command, request.path))
        if action == REFUSE:
            request.send_response(503)
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        if action == STALL:
            self._stopped.wait(STALL_S)
            request.close_connection = True
            return
        if action == CUT_REQUEST:
            self._send_half(request, body)
            request.close_connection = True
            return
        status, headers, answer = self._forward(request, body)
        if action == LOSE_REPLY:
            request.close_connection = True
            return
        self._answer(request, status, headers, answer, action)

    def _forward(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = HTTPConnection(self._target, timeout=60)
        try:
            connection.putrequest(request.command, request.path, skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            found = connection.getresponse()
            return found.status, found.getheaders(), found.read()
        finally:
            connection.close()

    def _send_half(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        connection = HTTPConnection(self._target, timeout=60)
        connection.putrequest(request.command, request.path, skip_host=True, skip_accept_encoding=True)
        for name, value in request.headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        connection.send(body[: len(body) // 2])
        connection.close()

    def _answer(self, request: BaseHTTPRequestHandler, status: int, headers: list[tuple[str, str]], answer: bytes, action: str) -> None:
        request.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                request.send_header(name, value)
        length = {n.lower(): v for n, v in headers}.get("content-length", str(len(answer)))
        request.send_header("Content-Length", length)
        request.end_headers()
        if request.command == "HEAD":
            return
        if action == CUT_REPLY:
            request.wfile.write(answer[: len(answer) // 2])
            request.close_connection = True
        elif action == TRICKLE:
            for at in range(len(answer)):
                request.wfile.write(answer[at : at + 1])
                request.wfile.flush()
        else:
            request.wfile.write(answer)
