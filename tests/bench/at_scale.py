"""Times mlvc on very many files in one artifact, and on a very long history: whole processes, with their peak memory."""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

MLVC = str(Path(sys.executable).parent / "mlvc")
FOLDER_FILES = 1000


def timed(folder: Path, *words: str, times: int = 1) -> str:
    """Returns the median seconds of a command, and its largest peak memory."""
    took, peak = [], 0
    for _ in range(times):
        began = time.perf_counter()
        child = subprocess.Popen([MLVC, *words], cwd=folder, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        took.append(time.perf_counter() - began)
        peak = max(peak, usage.ru_maxrss)
        if status:
            raise SystemExit(f"mlvc {' '.join(words)} failed")
    return f"{statistics.median(took):.2f} s, {peak / 1024:.0f} MiB"


def many_files(work: Path, count: int) -> None:
    for start in range(0, count, FOLDER_FILES):
        folder = work / "d" / f"{start // FOLDER_FILES:05d}"
        folder.mkdir(parents=True)
        for number in range(start, min(start + FOLDER_FILES, count)):
            (folder / f"{number:07d}.txt").write_bytes(b"sample %d\n" % number)
    subprocess.run([MLVC, "init"], cwd=work, check=True, stdout=subprocess.DEVNULL)
    os.sync()
    middle = f"{count // 2 // FOLDER_FILES:05d}/{count // 2:07d}.txt"
    row = [timed(work, "add", "d", "--type", "dataset")]
    row.append(timed(work, "status", times=3))
    row.append(timed(work, "cat", "d:v0", middle, times=3))
    (work / "d" / middle).write_text("changed")
    row.append(timed(work, "add", "d"))
    print(f"| {count:,} | {' | '.join(row)} |", flush=True)
    shutil.rmtree(work)


def long_history(work: Path, runs: int) -> None:
    """Times questions to a history of this many runs with a version each; beside a repository of one."""
    maker = Path(__file__).parent / "make_history.py"
    subprocess.run([sys.executable, str(maker), str(work), "--runs", str(runs)], check=True, stdout=subprocess.DEVNULL)
    label = f"run/r{runs - 1:07d}"
    collection = f"model-{(runs - 1) % 100}"
    row = [timed(work, *words, times=5) for words in (("log", collection), ("show", collection), ("show", label), ("lineage", collection, "--depth", "3"))]
    (work / "f.txt").write_text("a")
    timed(work, "add", "f.txt")
    (work / "f.txt").write_text("b")
    row.append(timed(work, "add", "f.txt"))
    shutil.rmtree(work / ".mlvc" / "cache")
    row.append(timed(work, "ls"))
    print(f"| {runs:,} | {' | '.join(row)} |", flush=True)
    shutil.rmtree(work)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--files", default="20000,200000,1000000")
    parser.add_argument("--runs", default="1,1000,100000")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    if given.files:
        print("\n| files in one artifact | add | status | one file of it | add again, one changed |\n|---|---|---|---|---|")
        for count in map(int, given.files.split(",")):
            many_files(given.work / "files", count)
    if given.runs:
        print("\n| runs and versions | log | show, version | show, run | lineage, depth 3 | a commit | view made anew |\n|---|---|---|---|---|---|---|")
        for count in map(int, given.runs.split(",")):
            long_history(given.work / "history", count)


if __name__ == "__main__":
    main()
