"""Times a table with a column of images: built, logged, one column read, all rows read; and what a clone fetches for one column.

`python tests/bench/large_table.py WORK [--rows 1000000]`. Each part is a process of its own, whose peak memory is printed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

BUILD = """
import numpy as np, mlvc
base = np.random.default_rng(0).integers(0, 255, (1000, 16, 16), dtype=np.uint8)
def rows():
    for n in range(ROWS):
        image = base[n % 1000].copy()
        image[0, :4] = np.frombuffer(n.to_bytes(4, "little"), np.uint8)
        yield [n, f"name {n}", n * 0.5, mlvc.Image(image)]
artifact = mlvc.Artifact("table", "dataset")
artifact.add(mlvc.Table(columns=["id", "name", "score", "image"], data=rows()), "t")
with mlvc.init(project="p") as run:
    run.log_artifact(artifact)
"""
COLUMN = 'import mlvc; assert len(mlvc.Api().artifact("p/table").get("t").get_column("score", convert_to="numpy")) == ROWS'
ROWS_READ = 'import mlvc; assert sum(row[3].width for _, row in mlvc.Api().artifact("p/table").get("t").iterrows()) == 16 * ROWS'


def timed(what: str, program: str, folder: Path, rows: int) -> None:
    measured = program.replace("ROWS", str(rows)) + "\nimport resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)"
    begun = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", measured], cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
    print(f"| {what} | {time.perf_counter() - begun:.1f} s | {done.stdout.split()[-1]} MiB |", flush=True)


def held(folder: Path) -> float:
    return sum(p.stat().st_size for p in (folder / ".mlvc").rglob("*") if p.is_file()) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    given = parser.parse_args()
    here, there, clone = (given.work.absolute() / name for name in ("here", "remote", "clone"))
    here.mkdir(parents=True)
    os.environ["MLVC_SILENT"] = "1"
    timed(f"build and log {given.rows:,} rows", BUILD, here, given.rows)
    timed("read one column", COLUMN, here, given.rows)
    timed("read all rows", ROWS_READ, here, given.rows)
    for words in (("remote", "add", "origin", str(there)), ("push",), ("clone", str(there), str(clone))):
        subprocess.run([sys.executable, "-m", "mlvc", *words], cwd=here, check=True, capture_output=True)
    before = held(clone)
    timed("read one column in a clone without data", COLUMN, clone, given.rows)
    print(f"fetched for it: {held(clone) - before:.1f} MB of {held(there.parent / 'here'):.0f} MB")


if __name__ == "__main__":
    main()
