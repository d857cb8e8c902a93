"""Serves the pages on this machine until somebody stops it."""

from __future__ import annotations

import errno
import secrets
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress

import uvicorn

from mlvc.errors import UsageError
from mlvc.web.application import application
from mlvc.web.guards import LOOPBACK
from mlvc.web.site import Site
from mlvc.workspace.workspace import Workspace

DEFAULT_PORT = 5151
_TRIED = 20


def serve(
    workspace: Workspace, *, host: str = "127.0.0.1", port: int | None = None, is_read_only: bool = False, asks_for_token: bool = False,
    tell: Callable[[str], None], opened: Callable[[str], None],
) -> None:  # fmt: skip
    """Serves pages; returns when it is stopped.

    Args:
        workspace: whose.
        host: an address of this machine; beyond loopback, pages are answered only to those who know a token.
        port: None for the first free one from `DEFAULT_PORT` on; 0 for any.
        is_read_only: whether pages change nothing.
        asks_for_token: whether a token is needed on loopback, too.
        tell: hears the address to open.
        opened: is called with it once pages are answered.

    Raises:
        UsageError: the address cannot be listened on.
    """
    is_local = host in (*LOOPBACK, "::1")
    listening = _listen(host, port)
    token = None if is_local and not asks_for_token else secrets.token_urlsafe(24)
    is_any = host in ("0.0.0.0", "::")  # noqa: S104 - the user asked for it, and a token is needed
    shown = socket.gethostname().lower() if is_any else f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{listening.getsockname()[1]}/" + (f"?token={token}" if token else "")
    names = () if is_local else (shown.lower(), socket.gethostname().lower(), socket.getfqdn().lower())

    def started() -> None:
        tell(address)
        opened(address)

    with suppress(KeyboardInterrupt):  # Ctrl-C is how it ends
        PageServer(Site(workspace, is_read_only=is_read_only), started, hosts=names, token=token, any_address=is_any).run([listening])


class PageServer(uvicorn.Server):
    """Answers requests for one site until it is told to end.

    Args:
        site: the repository.
        started: is called once requests are answered.
        hosts, token, any_address: see `application`.
    """

    def __init__(self, site: Site, started: Callable[[], None], *, hosts: Iterable[str] = (), token: str | None = None, any_address: bool = False) -> None:
        app = application(site, hosts=hosts, token=token, any_address=any_address)
        super().__init__(uvicorn.Config(app, log_level="error", access_log=False, timeout_graceful_shutdown=2, server_header=False))
        self._site = site
        self._started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn."""
        await super().startup(sockets)
        self._started()
        self._site.prepare()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn; pages that listen for changes are let go first."""
        self._site.is_ending = True
        await super().shutdown(sockets)
        self._site.close()


def _listen(host: str, port: int | None) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    wanted = range(DEFAULT_PORT, DEFAULT_PORT + _TRIED) if port is None else [port]
    problem: OSError | None = None
    for one in wanted:
        made = socket.socket(family, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((host, one))
        except OSError as error:
            made.close()
            if error.errno != errno.EADDRINUSE:
                raise UsageError(f"cannot listen on {host}: {(error.strerror or str(error)).lower()}", hint="--host names an address of this machine") from error
            problem = error
            continue
        made.listen(128)
        made.set_inheritable(True)
        return made
    assert problem is not None, "there was one to try"
    raise UsageError(f"cannot listen on {host} port {wanted[-1]}: {(problem.strerror or str(problem)).lower()}", hint="--port names another")
