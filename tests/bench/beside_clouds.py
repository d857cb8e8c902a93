"""Times push and fetch of one gigabyte beside `aws s3 cp` of the same bytes, on a local Ceph gateway; whole processes."""

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
    def __init__(self, work: Path, server: ceph_server.CephServer) -> None:
        self.work, self.server = work, server
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

    def row(self, name: str, files: int, aws: str | None) -> None:
        here = self.work / name
        (here / "d").mkdir(parents=True)
        for number in range(files):
            (here / "d" / f"{number:05d}.bin").write_bytes(os.urandom(GIGABYTE // files))
        for bucket in (f"{name}-mlvc", f"{name}-aws"):
            self.server.make_bucket(bucket)
        url, endpoint = f"s3://{name}-mlvc/x", ["--endpoint", self.server.url]
        self.timed(here, MLVC, "init")
        self.timed(here, MLVC, "add", "d", "--type", "dataset")
        self.timed(here, MLVC, "remote", "add", "origin", url, *endpoint)
        push = self.timed(here, MLVC, "push")
        nothing = self.timed(here, MLVC, "push")
        clone = self.timed(self.work, MLVC, "clone", url, f"{name}-clone", *endpoint)
        fetch = self.timed(self.work / f"{name}-clone", MLVC, "fetch", "d:v0")
        cells = [f"{push:.2f} s", f"{fetch:.2f} s", "-", "-", f"{nothing:.2f} s", f"{clone:.2f} s"]
        if aws:
            copy = [aws, "--endpoint-url", self.server.url, "s3", "cp", "--recursive", "--quiet"]
            up = self.timed(here, *copy, "d", f"s3://{name}-aws/d")
            down = self.timed(here, *copy, f"s3://{name}-aws/d", str(self.work / f"{name}-copy"))
            cells[2:4] = [f"{up:.2f} s ({push / up:.2f})", f"{down:.2f} s ({fetch / down:.2f})"]
        print(f"| {files:,} x {GIGABYTE // files / 1e6:,.0f} MB | {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--aws", default=shutil.which("aws"), help="the AWS command line, if it is to be timed too")
    given = parser.parse_args()
    given.work.mkdir(parents=True)
    server = ceph_server.CephServer(given.work / "ceph").start()
    try:
        bench = Bench(given.work, server)
        print("| random bytes | push | fetch | aws s3 cp, up | aws s3 cp, down | push of nothing | clone |\n|---|---|---|---|---|---|---|")
        bench.row("one", 1, given.aws)
        bench.row("many", 1024, given.aws)
    finally:
        server.stop()
        shutil.rmtree(given.work)


if __name__ == "__main__":
    main()
