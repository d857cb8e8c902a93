"""Fetching in a process of its own, for those that may fork: a training script's DataLoader does, and obstore then never returns.

`mlvc fetch-apart` reads a MessagePack map from its input (`remote`, `wanted`: pairs of id and code), brings what it can into local
packs, and prints a map: empty, or with the `message` and `hint` of what went wrong.
"""

from __future__ import annotations

import sys
from typing import Any

import msgpack

from mlvc.errors import Error, RemoteError
from mlvc.objects.store import Wanted
from mlvc.workspace import remotes
from mlvc.workspace.locating import STORE_VARIABLE
from mlvc.workspace.workspace import Workspace


def fetch(workspace: Workspace, remote: str, wanted: list[Wanted]) -> None:
    """Brings what a remote has of `wanted` into local packs; RemoteError when it cannot be reached."""
    import subprocess

    environment = {**workspace.environment, STORE_VARIABLE: str(workspace.repository.path)}
    done = subprocess.run(
        [sys.executable, "-m", "mlvc", "fetch-apart"],
        cwd=workspace.root,
        env=environment,
        input=msgpack.packb({"remote": remote, "wanted": wanted}),
        capture_output=True,
        check=False,
    )
    try:
        said: dict[str, Any] = msgpack.unpackb(done.stdout)
    except (ValueError, msgpack.exceptions.UnpackException):
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise RemoteError(f"the process that fetches from '{remote}' failed: {''.join(last) or done.returncode}") from None
    if said:
        raise RemoteError(said["message"], hint=said["hint"])


def answer(workspace: Workspace, asked: bytes) -> bytes:
    """Does, in the process apart, what `fetch` asked for; returns what to print."""
    from mlvc.sync import fetching

    request = msgpack.unpackb(asked)
    said: dict[str, str | None] = {}
    try:
        wanted = [(identifier, code) for identifier, code in request["wanted"]]
        with remotes.opened(workspace, request["remote"]) as remote, workspace.repository.locks.committing():
            fetching.fetch(workspace.repository.objects, remote, wanted, workspace.progress)
    except Error as error:
        said = {"message": error.message, "hint": error.hint}
    answered: bytes = msgpack.packb(said)
    return answered
