"""Microsoft's emulator of Azure's blobs (Azurite, from npm) for tests, in memory, on loopback only."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import shutil
import subprocess
from email.utils import formatdate
from pathlib import Path
from urllib.request import Request, urlopen

from ceph_server import START_S, await_port, own_address

PROGRAM = "azurite-blob"
PORT = 10000
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The emulator's one account, as its documentation prints it: no secret."""

_VERSION = "2021-12-02"


def is_missing() -> bool:
    return shutil.which(PROGRAM) is None


class AzuriteServer:
    """An emulator under way; `url` is the account's endpoint."""

    def __init__(self, folder: Path) -> None:
        address = own_address()
        self.url = f"http://{address}:{PORT}/{ACCOUNT}"
        options = ["--inMemoryPersistence", "--silent", "--skipApiVersionCheck", "--disableTelemetry"]
        command = [PROGRAM, "--blobHost", address, "--blobPort", str(PORT), *options]
        self._child = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ})
        await_port(address, PORT, self._child)

    def make_container(self, name: str) -> None:
        """Makes a container, by a request signed with the shared key."""
        date = formatdate(usegmt=True)
        resource = f"/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
        text = "PUT" + "\n" * 12 + f"x-ms-date:{date}\nx-ms-version:{_VERSION}\n" + resource
        signature = base64.b64encode(hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()).decode()
        headers = {"x-ms-date": date, "x-ms-version": _VERSION, "Authorization": f"SharedKey {ACCOUNT}:{signature}", "Content-Length": "0"}
        urlopen(Request(f"{self.url}/{name}?restype=container", method="PUT", headers=headers), timeout=START_S).close()

    def stop(self) -> None:
        self._child.kill()
        self._child.wait()
