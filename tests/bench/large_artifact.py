"""Counts what one file of 1 MB, of an artifact of 10 GB in files of 1 MB, moves from a folder; and times it."""

from __future__ import annotations

import argparse
import os
import shutil
import time
from pathlib import Path

from mlvc.backend.remote_folder import RemoteFolder
from mlvc.workspace import contents, exchanging, lazy_fetch, publishing, remotes
from mlvc.workspace.draft import Draft
from mlvc.workspace.workspace import Workspace

MEGABYTE = 1 << 20


class Counting(RemoteFolder):
    """Counts the bytes that reads give."""

    moved = reads = 0

    def read(self, key: str) -> bytes:
        data = super().read(key)
        Counting.moved += len(data)
        Counting.reads += 1
        return data

    def read_range(self, key: str, offset: int, size: int) -> bytes:
        data = super().read_range(key, offset, size)
        Counting.moved += len(data)
        Counting.reads += 1
        return data


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--gigabytes", type=float, default=10)
    given = parser.parse_args()
    given.work.mkdir(parents=True)
    environment = {**os.environ, "MLVC_USER": "Bench <bench@example.org>"}
    try:
        here = Workspace.create(given.work / "here", environment, project="p")[0] if (given.work / "here").mkdir() is None else None
        assert here is not None
        count = int(given.gigabytes * 1000)
        files = given.work / "here" / "d"
        files.mkdir()
        for number in range(count):
            (files / f"{number:05d}.bin").write_bytes(os.urandom(MEGABYTE))
        exchanging.add_remote(here, "origin", str(given.work / "remote"))
        publishing.publish(here, Draft("p/d", "dataset", {path.name: path for path in sorted(files.iterdir())}), "add")
        exchanging.push(here)
        here.close()
        shutil.rmtree(given.work / "here")
        remotes.places.RemoteFolder = Counting  # type: ignore[misc]
        there = exchanging.clone(str(given.work / "remote"), given.work / "there", environment)[0]
        lazy_fetch.attach(there, may_fork=False)
        print(f"clone: {Counting.moved:,} bytes in {Counting.reads:,} reads", flush=True)
        view = there.repository.view()
        (member,) = view.members("p/d")
        Counting.moved = Counting.reads = 0
        began = time.perf_counter()
        found = contents.of(there, view, member.version)
        size = sum(map(len, contents.read_entry(there, found, f"{count // 2:05d}.bin")))
        took = time.perf_counter() - began
        print(f"one file of {size:,} bytes: {Counting.moved:,} bytes in {Counting.reads:,} reads, {took:.2f} s", flush=True)
    finally:
        shutil.rmtree(given.work)


if __name__ == "__main__":
    main()
