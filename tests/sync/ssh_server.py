"""A real SSH server for tests: OpenSSH's, with keys of its own, on loopback only."""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from ceph_server import await_port, own_address

PORT = 2222
SETTINGS = """
ListenAddress {address}
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
PidFile {folder}/pid
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
"""


def program() -> str | None:
    """Where sshd is, which is not on everybody's path."""
    return shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


def is_missing() -> bool:
    return program() is None or shutil.which("ssh") is None or shutil.which("ssh-keygen") is None


class SshServer:
    """A server under way; `variables` make ssh reach it, and only it, with its key."""

    def __init__(self, folder: Path, port: int = PORT) -> None:
        self.address, self.port = own_address(), port
        for name in ("host_key", "user_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
        (folder / "known_hosts").write_text(f"[{self.address}]:{port} {(folder / 'host_key.pub').read_text()}")
        (folder / "sshd_config").write_text(SETTINGS.format(address=self.address, port=port, folder=folder))
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # sshd wants it when it runs as root
        command = [str(program()), "-D", "-e", "-f", str(folder / "sshd_config")]
        self._log = (folder / "log").open("wb")
        self._child = subprocess.Popen(command, stdout=self._log, stderr=self._log)
        await_port(self.address, port, self._child)
        options = ["-F", "none", "-i", str(folder / "user_key"), "-o", f"UserKnownHostsFile={folder / 'known_hosts'}", "-o", "BatchMode=yes"]
        self.variables = {
            "MLVC_SSH_COMMAND": shlex.join(["ssh", *options]),
            "MLVC_SSH_SERVER": shlex.join([sys.executable, "-m", "mlvc"]),
        }

    def url(self, path: Path) -> str:
        return f"ssh://{getpass.getuser()}@{self.address}:{self.port}{path}"

    def stop(self) -> None:
        self._child.kill()
        self._child.wait()
        self._log.close()
