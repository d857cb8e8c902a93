"""`ssh://[USER@]HOST[:PORT]/PATH`: a store on another machine, reached through the user's own `ssh` program."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from mlvc.backend.piped import PipedBackend
from mlvc.errors import UsageError

PROGRAM_VARIABLE = "MLVC_SSH_COMMAND"
"""The program to reach other machines with, and its options, as a shell would read them; default: ssh."""

SERVER_VARIABLE = "MLVC_SSH_SERVER"
"""What mlvc is called on the other machine; default: mlvc."""

_HOST = re.compile(r"(?!-)[A-Za-z0-9._:%\[\]-]+\Z")
_USER = re.compile(r"(?!-)[A-Za-z0-9._-]+\Z")


class Address(Struct, frozen=True):
    """Where a store is: host, port or None, user or None, and the path, `~/x` for one in the user's home."""

    host: str
    port: int | None
    user: str | None
    path: str

    @property
    def url(self) -> str:
        """The URL in its usual spelling."""
        who = f"{self.user}@" if self.user else ""
        port = f":{self.port}" if self.port else ""
        path = self.path if self.path.startswith("/") else f"/{self.path}"
        return f"ssh://{who}{self.host}{port}{path}"


def parse(url: str) -> Address:
    """Returns the address in a URL; UsageError when it is none, or one that `ssh` could take for an option."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        raise UsageError(f"{url} has an odd port") from None
    if parts.password is not None:
        raise UsageError("the URL holds a password, and mlvc.toml is for everyone", hint="use a key, or ssh-agent")
    host, user, path = parts.hostname or "", parts.username, unquote(parts.path)
    if parts.query or parts.fragment or not _HOST.match(host) or (user is not None and not _USER.match(user)):
        raise UsageError(f"{url} names no host that ssh could reach", hint="write it as ssh://user@host/path")
    if path in ("", "/") or "\n" in path or "\x00" in path:
        raise UsageError(f"{url} names no folder", hint="write it as ssh://user@host/path")
    if path.startswith("/~/"):
        path = path[1:]
    return Address(host, port, user, path)


def open_address(address: Address, environment: Mapping[str, str]) -> PipedBackend:
    """Opens a store on another machine; nothing is started yet."""
    program = shlex.split(environment.get(PROGRAM_VARIABLE) or "ssh")
    server = environment.get(SERVER_VARIABLE) or "mlvc"
    words = list(program)
    if address.port is not None:
        words += ["-p", str(address.port)]
    target = f"{address.user}@{address.host}" if address.user else address.host
    quoted = shlex.quote(address.path)
    if address.path.startswith("~/"):
        quoted = "~/" + shlex.quote(address.path[2:])
    return PipedBackend(address.url, [*words, "--", target, f"{server} serve --stdio {quoted}"])
