"""A real S3 server for tests: Ceph's RADOS gateway with one monitor and one object store in memory, on loopback only.

Starts in under two seconds, unprivileged, in a folder of its own. The settings say why where they are unusual:
- `ms mon client mode = crc`: the gateway asks for encryption by default, and hangs where authentication is off;
- `paxos ...`: the monitor waits a second or two before each of the gateway's eight pools otherwise;
- `tcp_nodelay`: without it nearly every request takes 40 ms.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import uuid
from datetime import timedelta
from pathlib import Path
from urllib.request import Request, urlopen

PROGRAMS = ("radosgw", "radosgw-admin", "ceph", "ceph-mon", "ceph-osd", "monmaptool")
ACCESS_KEY, SECRET_KEY = "tester", "tester-secret"
START_S = 60.0
MONITOR_PORT, GATEWAY_PORT = 3300, 8000


def missing_programs() -> list[str]:
    return [name for name in PROGRAMS if shutil.which(name) is None]


def must_skip() -> bool:
    """Tells whether tests go without it: where it is not installed, and nobody said that it must be."""
    return bool(missing_programs()) and os.environ.get("MLVC_TEST_SERVERS") != "required"


HOW_TO_GET = "no Ceph here: apt-get install radosgw ceph-mon ceph-osd ceph-common"


def variables(home: Path) -> dict[str, str]:
    """Returns the environment of a user of this server."""
    return {
        "MLVC_USER": "Ada <ada@example.org>",
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "HOME": str(home),
        "PATH": os.environ["PATH"],
    }


def own_address() -> str:
    """Returns a loopback address that nobody else is likely to use, so that fixed ports at it are free.

    A port found free at 127.0.0.1 is not kept for who found it: a server started meanwhile by another test may take it.
    """
    first, second, third = os.urandom(3)
    return f"127.{first % 254 + 1}.{second}.{third % 254 + 1}"


def await_port(address: str, port: int, server: subprocess.Popen[bytes]) -> None:
    """Returns once a server takes connections; RuntimeError when it ended, or takes none for a minute."""
    until = time.monotonic() + START_S
    while True:
        try:
            socket.create_connection((address, port), timeout=1).close()
        except OSError:
            if time.monotonic() > until or server.poll() is not None:
                raise RuntimeError(f"nothing listens at {address}:{port}") from None
            time.sleep(0.02)  # a server's start is not ours to wait for otherwise
        else:
            return


SETTINGS = """
[global]
fsid = {fsid}
mon host = [v2:{address}:{mon}/0]
mon initial members = a
public addr = {address}
cluster addr = {address}
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
ms cluster mode = crc
ms service mode = crc
ms client mode = crc
keyring = {folder}/keyring
run dir = {folder}
admin socket = {folder}/$name.asok
pid file = {folder}/$name.pid
log file = {folder}/$name.log
log to stderr = false
mon cluster log file = {folder}/cluster.log
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = {memory}
mon allow pool size one = true
mon warn on pool no redundancy = false
mon max pg per osd = 1000
paxos propose interval = 0.01
paxos min wait = 0.01
rgw run sync thread = false
rgw frontends = beast endpoint={address}:{rgw} tcp_nodelay=1
[mon.a]
mon data = {folder}/mon
[osd.0]
osd data = {folder}/osd
"""


class CephServer:
    """A gateway under way. `url` is its endpoint; it belongs to whoever made it, and `stop` ends what it started."""

    checks_credentials = True

    def __init__(self, folder: Path, memory_gib: int = 4) -> None:
        self._folder = folder
        self._children: list[subprocess.Popen[bytes]] = []
        self._address = own_address()
        self.url = f"http://{self._address}:{GATEWAY_PORT}"
        self._settings = folder / "ceph.conf"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "keyring").touch()
        for name in ("mon", "osd"):
            (folder / name).mkdir()
        self._fsid = str(uuid.uuid4())
        self._settings.write_text(SETTINGS.format(fsid=self._fsid, address=self._address, mon=MONITOR_PORT, rgw=GATEWAY_PORT, folder=folder, memory=memory_gib << 30))

    def start(self) -> CephServer:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def _start(self) -> None:
        monmap = str(self._folder / "monmap")
        self._run("monmaptool", "--create", "--fsid", self._fsid, "--addv", "a", f"[v2:{self._address}:{MONITOR_PORT}/0]", monmap)
        self._run("ceph-mon", "-c", str(self._settings), "-i", "a", "--mkfs", "--monmap", monmap)
        self._begin("ceph-mon", "-i", "a")
        osd = str(uuid.uuid4())
        self._ceph("osd", "new", osd, "0")
        self._run("ceph-osd", "-c", str(self._settings), "-i", "0", "--mkfs", "--osd-uuid", osd)
        self._ceph("osd", "crush", "add", "osd.0", "1.0", "host=localhost", "root=default")
        self._begin("ceph-osd", "-i", "0")
        self._begin("radosgw", "-n", "client.rgw")
        try:
            await_port(self._address, GATEWAY_PORT, self._children[-1])
        except RuntimeError as error:
            raise RuntimeError(f"{error}\n{self._logs()}") from None
        self._run(
            "radosgw-admin", "-c", str(self._settings), "-n", "client.rgw", "user", "create", "--uid=tester", "--display-name=tester",
            f"--access-key={ACCESS_KEY}", f"--secret-key={SECRET_KEY}",
        )  # fmt: skip

    def _ceph(self, *words: str) -> None:
        self._run("ceph", "-c", str(self._settings), "--connect-timeout", str(int(START_S)), *words)

    def _run(self, *words: str) -> None:
        done = subprocess.run(words, capture_output=True, text=True, timeout=START_S, env=self._environment())
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)} failed:\n{done.stderr[-2000:]}\n{self._logs()}")

    def _begin(self, program: str, *words: str) -> None:
        command = [program, "-c", str(self._settings), "-f", *words]
        self._children.append(
            subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=self._environment(), start_new_session=True)
        )

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self._folder), "CEPH_CONF": str(self._settings)}

    def _logs(self) -> str:
        return "\n".join(f"{p.name}: {p.read_text(errors='replace')[-1500:]}" for p in sorted(self._folder.glob("*.log")))

    def make_bucket(self, name: str) -> None:
        """Makes a bucket, by a signed request to a key of none."""
        import obstore
        from obstore.store import S3Store

        store = S3Store(
            name,
            endpoint=self.url,
            access_key_id=ACCESS_KEY,
            secret_access_key=SECRET_KEY,
            region="us-east-1",
            virtual_hosted_style_request=False,
            client_options={"allow_http": True},
        )
        url = obstore.sign(store, "PUT", "", timedelta(minutes=1))
        urlopen(Request(url, method="PUT"), timeout=START_S).close()

    def stop(self) -> None:
        """Ends the gateway first: an object store whose monitor went before takes seconds to end."""
        for child in reversed(self._children):
            child.kill()
            child.wait()
        self._children.clear()
