"""Times push and fetch beside `aws s3 cp`, `rclone copy` and `dvc push` of the same files, on a local Ceph gateway; whole processes."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "sync"))
import ceph_server

MLVC = str(Path(sys.executable).parent / "mlvc")
GIGABYTE = 1 << 30


class Bench:
    def __init__(self, work: Path, server: ceph_server.CephServer, tools: argparse.Namespace) -> None:
        self.work, self.server, self.tools = work, server, tools
        self.environment = {
            **os.environ,
            "AWS_ACCESS_KEY_ID": ceph_server.ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": ceph_server.SECRET_KEY,
            "AWS_DEFAULT_REGION": "us-east-1",
            "XDG_CONFIG_HOME": str(work / "config"),
            "MLVC_USER": "Bench <bench@example.org>",
        }

    def timed(self, folder: Path, *words: str) -> float:
        os.sync()
        began = time.perf_counter()
        subprocess.run(words, cwd=folder, env=self.environment, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - began

    def row(self, name: str, folder: Path) -> None:
        """Prints how long each tool takes to push what is in a folder, and to bring it to a fresh place."""
        for bucket in (f"{name}-mlvc", f"{name}-aws", f"{name}-rclone", f"{name}-dvc"):
            self.server.make_bucket(bucket)
        here, endpoint = self.work / name, ["--endpoint", self.server.url]
        shutil.copytree(folder, here / "d")
        url = f"s3://{name}-mlvc/x"
        self.timed(here, MLVC, "init")
        self.timed(here, MLVC, "add", "d", "--type", "dataset")
        self.timed(here, MLVC, "remote", "add", "origin", url, *endpoint)
        push = self.timed(here, MLVC, "push")
        nothing = self.timed(here, MLVC, "push")
        clone = self.timed(self.work, MLVC, "clone", url, f"{name}-clone", *endpoint)
        fetch = self.timed(self.work / f"{name}-clone", MLVC, "fetch", "d:v0")
        cells = [f"{push:.2f} s", f"{fetch:.2f} s"]
        for up, down in (self.aws(name, here), self.rclone(name, here), self.dvc(name, here)):
            cells.append("-" if up is None else f"{up:.2f} s ({push / up:.2f})")
            cells.append("-" if down is None else f"{down:.2f} s ({fetch / down:.2f})")
        print(f"| {name} | {' | '.join(cells)} | {nothing:.2f} s | {clone:.2f} s |", flush=True)

    def aws(self, name: str, here: Path) -> tuple[float | None, float | None]:
        if not self.tools.aws:
            return None, None
        copy = [self.tools.aws, "--endpoint-url", self.server.url, "s3", "cp", "--recursive", "--quiet"]
        up = self.timed(here, *copy, "d", f"s3://{name}-aws/d")
        return up, self.timed(here, *copy, f"s3://{name}-aws/d", str(self.work / f"{name}-aws"))

    def rclone(self, name: str, here: Path) -> tuple[float | None, float | None]:
        if not self.tools.rclone:
            return None, None
        place = f":s3,provider=Ceph,env_auth=true,endpoint='{self.server.url}':{name}-rclone/d"
        up = self.timed(here, self.tools.rclone, "copy", "d", place)
        return up, self.timed(here, self.tools.rclone, "copy", place, str(self.work / f"{name}-rclone"))

    def dvc(self, name: str, here: Path) -> tuple[float | None, float | None]:
        if not self.tools.dvc:
            return None, None
        there = self.work / f"{name}-dvc"
        there.mkdir()
        (there / "d").symlink_to(here / "d")
        shutil.copytree(here / "d", there / "data")
        (there / "d").unlink()
        for words in (
            ["init", "--no-scm", "-q"], ["add", "-q", "data"], ["remote", "add", "-q", "-d", "s3", f"s3://{name}-dvc/x"],
            ["remote", "modify", "s3", "endpointurl", self.server.url],
        ):  # fmt: skip
            self.timed(there, self.tools.dvc, *words)
        up = self.timed(there, self.tools.dvc, "push", "-q")
        shutil.rmtree(there / ".dvc/cache")
        return up, self.timed(there, self.tools.dvc, "fetch", "-q")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--aws", default=shutil.which("aws"), help="the AWS command line, if it is to be timed too")
    parser.add_argument("--rclone", default=shutil.which("rclone"), help="rclone, likewise")
    parser.add_argument("--dvc", default=shutil.which("dvc"), help="DVC with its S3 plugin, likewise")
    parser.add_argument("--many", type=Path, help="a folder of 20,000 files, as make_workloads.py makes it")
    given = parser.parse_args()
    given.work.mkdir(parents=True)
    peers = " | ".join(f"{name} up | {name} down" for name in ("aws s3 cp", "rclone copy", "dvc"))
    print(f"| | push | fetch | {peers} | push of nothing | clone |\n|---|---|---|---|---|---|---|---|---|---|---|", flush=True)
    try:
        for name, files in (("one", 1), ("thousand", 1024), ("many", 0)):
            folder = given.many if name == "many" else noise(given.work / f"source-{name}", files)
            if folder is not None:
                beside(given, name, folder)
    finally:
        shutil.rmtree(given.work)


def noise(folder: Path, files: int) -> Path:
    """Returns a new folder of one gigabyte of random bytes."""
    folder.mkdir()
    for number in range(files):
        (folder / f"{number:05d}.bin").write_bytes(os.urandom(GIGABYTE // files))
    return folder


def beside(given: argparse.Namespace, name: str, folder: Path) -> None:
    """Prints one row, on a server of its own: it keeps everything in memory."""
    work = given.work / f"work-{name}"
    work.mkdir()
    server = ceph_server.CephServer(work / "ceph", memory_gib=8).start()
    try:
        Bench(work, server, given).row(name, folder)
    finally:
        server.stop()
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
