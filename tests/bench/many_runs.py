"""How fast the public Api answers over many runs: `python tests/bench/many_runs.py [--runs 100000] [--dir FOLDER]`.

Makes a repository with that many runs (kept in FOLDER for the next time), and times first answers, filters and orders.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from mlvc.format.ids import RunId
from mlvc.format.operations import RunHead
from mlvc.workspace.workspace import Workspace

AT_ONCE = 100


def build(folder: Path, count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    workspace, _ = Workspace.create(folder, project="many")
    chance = random.Random(0)
    heads = []
    for number in range(count):
        config = {"lr": chance.random(), "layers": number % 12, "model": {"name": f"net{number % 7}"}, "seed": number}
        facts = {"name": f"run-{number}", "state": "finished", "created_ms": 1_700_000_000_000 + number * 1000, "job_type": "train"}
        summary = {"acc": chance.random(), "loss": chance.random(), "_step": 99, "_runtime": 12.5}
        said = [{k: json.dumps(v, separators=(",", ":")) for k, v in one.items()} for one in (facts, config, summary)]
        heads.append(RunHead(RunId(os.urandom(16)), "many", f"r{number:06d}", (), *said, (), (f"t{number % 5}",)))
        if len(heads) == AT_ONCE or number + 1 == count:
            with workspace.committing("bench") as commit:
                commit.say(*heads)
            heads = []
    workspace.close()


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
