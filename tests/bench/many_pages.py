"""How fast the pages of a large repository answer: `python tests/bench/many_pages.py [--runs 100000] [--dir FOLDER]`.

Makes (or takes from FOLDER, for the next time) a repository with that many runs, as `many_runs.py` does, and as many versions in 50 collections; asks
for each page three times, in this process, and prints the best; then a lineage of 2,000 nodes, and the memory that all of it took.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

from many_runs import build

from mlvc.format.ids import RunId
from mlvc.format.operations import Edge
from mlvc.lineage.graph import ARTIFACT, key_text
from mlvc.web.application import application
from mlvc.web.asking import Asker
from mlvc.web.site import Site
from mlvc.workspace import publishing
from mlvc.workspace.draft import Draft
from mlvc.workspace.workspace import Workspace

COLLECTIONS, USERS = 50, 2_000


def add_versions(folder: Path, count: int) -> None:
    workspace = Workspace.find(folder)
    first = None
    for number in range(count):
        draft = Draft(f"many/data{number % COLLECTIONS}", "dataset", {"n.txt": str(number).encode()})
        made = publishing.publish(workspace, draft, "bench")
        first = first or made.member.version
    assert first is not None, "there is one at least"
    runs = list(workspace.repository.view().run_ids("many"))[:USERS]
    for start in range(0, len(runs), 100):
        with workspace.committing("bench") as commit:
            commit.say(*(Edge(RunId(run), first, "data0") for run in runs[start : start + 100]))
    workspace.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--versions", type=int, default=2_000)
    parser.add_argument("--dir", type=Path)
    given = parser.parse_args()
    folder = given.dir or Path(tempfile.mkdtemp())
    if not (folder / ".mlvc").exists():
        build(folder, given.runs)
        add_versions(folder, given.versions)
    os.chdir(folder)
    workspace = Workspace.find(folder)
    begun = time.perf_counter()
    asker = Asker(application(Site(workspace)))
    asker.ask("/static/style.css")
    print(f"{'the application is there':60} {1000 * (time.perf_counter() - begun):8.1f} ms")
    view = workspace.repository.view()
    run = next(iter(view.runs("many")))
    member = next(iter(view.members("many/data0")))
    pages = ["/", "/runs/many", "/runs/many?page=100", "/runs/many?sort=-summary.acc", "/runs/many?q=config.lr%3E0.9", "/artifacts", "/artifacts/many/data1", "/artifacts/many/data1/v3", "/registry",
             f"/runs/many/{run.label}", f"/runs/many/{run.label}/overview", f"/runs/many/{run.label}/config", "/api/v1/runs/many?count=50", "/api/v1/status", "/api/v1/collections"]  # fmt: skip
    of = key_text((ARTIFACT, member.version))
    opened = asker.ask(f"/lineage?of={of}").text.partition("&amp;open=")[2][:64]
    pages += [f"/lineage?of={of}", f"/lineage?of={of}&open={opened}"]
    for page in pages:
        times = []
        for _ in range(3):
            begun = time.perf_counter()
            answer = asker.ask(page)
            times.append(time.perf_counter() - begun)
            assert answer.status == 200, (page, answer.text[-300:])
        print(f"{page[:60]:60} {1000 * times[0]:8.1f} ms first, {1000 * min(times):8.1f} best, {len(answer.data):,} bytes")
    print(f"{'memory at most':60} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:8.0f} MiB")


if __name__ == "__main__":
    main()
