"""What keeps other sites, other people and what users logged from doing anything through the pages.

Hosts: a name that a page elsewhere made point at this machine (DNS rebinding) is not answered. Changes: only forms of this process' pages, which hold its
secret, from the same origin. Content: a policy that runs no script but the site's own files, and what users logged only in a sandbox. Beyond
loopback, a token is needed, which is kept in a cookie once it was in a URL.
"""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; connect-src 'self'; frame-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
EXPORT_POLICY = "default-src 'none'; script-src 'self' file:; style-src 'self' file:; img-src 'self' file: data:; media-src 'self' file:; frame-src 'self' file:; base-uri 'none'; form-action 'none'"
"""The same for pages that were written as files, and may be opened from a disk, where nothing counts as `'self'`."""

SANDBOX_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:"
"""Of what users logged: shown, never executed, and of no origin."""

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
COOKIE = "mlvc_token"
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class Guards:
    """Middleware around the whole application.

    Args:
        app: what is guarded.
        hosts: names that requests may be for, beside loopback's.
        token: what a request must know, or None.
        any_address: whether it may also be asked for by any address, which needs a token: rebinding is done with names.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str] = (), token: str | None = None, *, any_address: bool = False) -> None:
        self.any_address = any_address and token is not None
        self.app = app
        self.hosts = {*LOOPBACK, *hosts}
        self.token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, or refuses before anything is looked at."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(Request(scope))

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("Content-Security-Policy", POLICY)
                headers.setdefault("Cache-Control", "no-store")
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "same-origin"  # without any, browsers would not say of a form where it came from
                headers["X-Frame-Options"] = "SAMEORIGIN"
                headers["Cross-Origin-Resource-Policy"] = "same-origin"
                headers["Cross-Origin-Opener-Policy"] = "same-origin"
            await send(message)

        await (refusal or self.app)(scope, receive, send_guarded)

    def _refusal(self, request: Request) -> Response | None:
        host = host_of(request.headers)
        if host not in self.hosts and not (self.any_address and _is_address(host)):
            return PlainTextResponse(f"this site is not called {host!r}", 421)
        if _is_of_another_site(request.headers):
            return PlainTextResponse("this site answers its own pages, and addresses that somebody opens", 403)
        if request.method not in _SAFE_METHODS:
            origin = request.headers.get("origin")
            own = request.headers.get("host", "")
            if origin not in (f"http://{own}", f"https://{own}"):
                return PlainTextResponse("a change must come from a page of this site", 403)
        if self.token is None:
            return None
        given = request.query_params.get("token")
        if given is not None and secrets.compare_digest(given.encode(), self.token.encode()):
            left = [pair for pair in parse_qsl(request.url.query, keep_blank_values=True) if pair[0] != "token"]
            answer = RedirectResponse("/" + request.url.path.lstrip("/") + (f"?{urlencode(left)}" if left else ""), 303)
            answer.set_cookie(COOKIE, self.token, httponly=True, samesite="strict", path="/")
            return answer
        known = request.cookies.get(COOKIE) or request.headers.get("authorization", "").removeprefix("Bearer ")
        if not secrets.compare_digest(known.encode(), self.token.encode()):
            return PlainTextResponse("open the address that 'mlvc ui' printed: it holds a token", 401)
        return None


def _is_of_another_site(headers: Headers) -> bool:
    """Tells whether a browser says that a page elsewhere asks, other than by a link that somebody follows: it must not even cause work."""
    if headers.get("sec-fetch-site") not in ("cross-site", "same-site"):
        return False
    return headers.get("sec-fetch-mode") != "navigate" or headers.get("sec-fetch-dest") != "document"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def host_of(headers: Headers) -> str:
    """Returns the host that a request is for, without its port."""
    host = headers.get("host", "")
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).lower()
