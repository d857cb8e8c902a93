"""An S3 server for machines without Ceph: moto's, in a thread. It honours conditional writes, and is no real store."""

from __future__ import annotations

import importlib.util
from urllib.request import Request, urlopen

from ceph_server import own_address

PORT = 8000


def is_missing() -> bool:
    return importlib.util.find_spec("moto") is None


class MotoServer:
    """See `CephServer`: the same to its users."""

    checks_credentials = False

    def __init__(self) -> None:
        from moto.server import ThreadedMotoServer

        address = own_address()
        self.url = f"http://{address}:{PORT}"
        self._server = ThreadedMotoServer(ip_address=address, port=PORT, verbose=False)
        self._server.start()

    def make_bucket(self, name: str) -> None:
        urlopen(Request(f"{self.url}/{name}", method="PUT"), timeout=60).close()

    def stop(self) -> None:
        self._server.stop()
