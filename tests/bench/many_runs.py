"""How fast the public Api answers over many runs: `python tests/bench/many_runs.py [--runs 100000] [--dir FOLDER]`.

Makes a repository with that many runs (kept in FOLDER for the next time), and times first answers, filters and orders.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from generated_repository import build


def timed(what: str, work: Callable[[], object]) -> None:
    begun = time.perf_counter()
    found = work()
    print(f"{what:55} {1000 * (time.perf_counter() - begun):9.1f} ms   {found!s:.40}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--dir", type=Path)
    given = parser.parse_args()
    folder = given.dir or Path(tempfile.mkdtemp())
    if not (folder / ".mlvc").exists():
        timed(f"build {given.runs:,} runs", lambda: build(folder, given.runs))
    os.chdir(folder)
    import mlvc

    api = mlvc.Api()
    timed("the first run", lambda: api.runs("many")[0].id)
    timed("the newest 50", lambda: len(api.runs("many", order="-created_at")[:50]))
    timed("how many", lambda: len(api.runs("many")))
    timed("one by id", lambda: api.run("many/r050000").state)
    timed("the first that a filter fits", lambda: api.runs("many", {"config.layers": 7})[0].id)
    timed("all with config.lr < 0.001", lambda: len(list(api.runs("many", {"config.lr": {"$lt": 0.001}}))))
    timed("all with a tag and a state", lambda: len(list(api.runs("many", {"tags": "t1", "state": "finished"}))))
    timed("the best by accuracy", lambda: api.runs("many", order="-summary_metrics.acc")[0].id)
    timed("init to finish", lambda: mlvc.init(project="many").finish())


if __name__ == "__main__":
    main()
