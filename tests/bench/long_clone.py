"""Times the clone of a repository with a long history from a local Ceph gateway, and counts its requests; whole processes.

    python tests/bench/make_history.py /tmp/long --runs 10000 --batch 1
    python tests/bench/long_clone.py /tmp/long
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "sync"))
import ceph_server
import flaky_proxy

MLVC = str(Path(sys.executable).parent / "mlvc")


def timed(environment: dict[str, str], folder: Path, *words: str) -> float:
    began = time.perf_counter()
    subprocess.run([MLVC, *words], cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def counted(proxy: flaky_proxy.FlakyProxy, deed: str, environment: dict[str, str], folder: Path, *words: str) -> None:
    begin = len(proxy.seen)
    timed(environment, folder, *words)
    kinds = Counter(method for method, _ in proxy.seen[begin:])
    print(f"{deed}: {len(proxy.seen) - begin:,} requests ({', '.join(f'{n:,} {m}' for m, n in sorted(kinds.items()))})", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("history", type=Path)
    given = parser.parse_args()
    work = Path(tempfile.mkdtemp())
    server = ceph_server.CephServer(work / "ceph").start()
    proxy = flaky_proxy.FlakyProxy(server.url)
    try:
        server.make_bucket("long")
        environment = {
            **os.environ, "AWS_ACCESS_KEY_ID": ceph_server.ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": ceph_server.SECRET_KEY,
            "AWS_DEFAULT_REGION": "us-east-1", "XDG_CONFIG_HOME": str(work / "config"), "MLVC_USER": "Bench <bench@example.org>",
        }  # fmt: skip
        here = work / "here"
        shutil.copytree(given.history, here)
        timed(environment, here, "remote", "add", "origin", "s3://long/x", "--endpoint", server.url)
        print(f"first push: {timed(environment, here, 'push'):.2f} s", flush=True)
        for number in range(3):
            took = timed(environment, work, "clone", "s3://long/x", f"clone{number}", "--endpoint", server.url)
            print(f"clone: {took:.2f} s", flush=True)
        counted(proxy, "clone", environment, work, "clone", "s3://long/x", "counted", "--endpoint", proxy.url)
        there = work / "counted"
        counted(proxy, "get of one version", environment, there, "get", "model-7:latest", "out")
        (there / "new.txt").write_text("new")
        timed(environment, there, "add", "new.txt", "--name", "new", "--type", "dataset")
        counted(proxy, "push of one version", environment, there, "push")
        counted(proxy, "push of nothing", environment, there, "push")
        counted(proxy, "pull of nothing", environment, there, "pull")
    finally:
        proxy.stop()
        server.stop()
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
