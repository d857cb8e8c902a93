"""How fast the pages of a large repository answer: `python tests/bench/many_pages.py [--runs 100000] [--dir FOLDER]`.

Makes (or takes from FOLDER, for the next time) a repository with that many runs, as `many_runs.py` does, and as many versions in 50 collections; asks
for each page three times, in this process, and prints the best; then a lineage of 2,000 nodes, and the memory that all of it took.
"""

from __future__ import annotations

import argparse
import os
import resource
import socket
import tempfile
import threading
import time
from pathlib import Path

from generated_repository import add_versions, build

from mlvc.lineage.graph import ARTIFACT, key_text
from mlvc.web.application import application
from mlvc.web.asking import Asker
from mlvc.web.server import PageServer
from mlvc.web.site import Site
from mlvc.workspace.workspace import Workspace


def time_in_browser(workspace: Workspace, chromium: str, pages: list[str]) -> None:
    """Prints when each page can be used, and how long the slowest frame takes while it is dragged around."""
    from playwright.sync_api import sync_playwright

    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    server = PageServer(Site(workspace), lambda: None)
    threading.Thread(target=server.run, args=([listening],), daemon=True).start()
    with sync_playwright() as started:
        page = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"]).new_page(viewport={"width": 1300, "height": 850})
        for address in pages:
            page.goto(f"http://127.0.0.1:{listening.getsockname()[1]}{address}")
            page.wait_for_load_state("load")
            if address.startswith("/lineage"):
                page.locator("#world .box.chosen").wait_for()  # the picture follows the page
                ready = page.evaluate("performance.now()")
            else:
                ready = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
            print(f"{'in Chromium: ' + address[:40]:60} {ready:8.1f} ms until it can be used")
        box = page.locator("#graph").bounding_box()
        page.evaluate("window.frames_ = []; (function tick(last) { requestAnimationFrame((now) => { frames_.push(now - last); tick(now); }); })(performance.now())")
        page.mouse.move(box["x"] + 300, box["y"] + 300)
        page.mouse.down()
        for step in range(60):
            page.mouse.move(box["x"] + 300 - step * 4, box["y"] + 300 - step * 3)
        page.mouse.up()
        frames = sorted(page.evaluate("frames_"))
        print(f"{'in Chromium: a frame of dragging the lineage':60} {frames[len(frames) // 2]:8.1f} ms, the slowest {frames[-1]:.1f}")
    server.should_exit = True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--versions", type=int, default=100_000)
    parser.add_argument("--dir", type=Path)
    parser.add_argument("--chromium", help="The browser to time the first page and the lineage in; none is timed without.")
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
    pages = ["/", "/runs/many", "/runs/many?page=100", "/runs/many?sort=-summary.acc", "/runs/many?q=config.lr%3E0.9", "/artifacts", "/artifacts/many/data1", "/artifacts/many/data1/v3", "/artifacts/many/data1/v3/lineage", "/artifacts/many/data1/v3/history", "/registry", "/registry/model7", "/registry/model7/v3",
             f"/runs/many/{run.label}", f"/runs/many/{run.label}/overview", f"/runs/many/{run.label}/config", "/api/v1/runs/many?count=50", "/api/v1/status", "/api/v1/collections"]  # fmt: skip
    of = key_text((ARTIFACT, member.version))
    opened = asker.ask(f"/lineage?of={of}&whole=1").text.partition("&amp;open=")[2][:64]
    pages += [f"/lineage?of={of}", f"/lineage?of={of}&whole=1", f"/lineage?of={of}&open={opened}&whole=1"]
    for page in pages:
        times = []
        for _ in range(3):
            begun = time.perf_counter()
            answer = asker.ask(page)
            times.append(time.perf_counter() - begun)
            assert answer.status == 200, (page, answer.text[-300:])
        print(f"{page[:60]:60} {1000 * times[0]:8.1f} ms first, {1000 * min(times):8.1f} best, {len(answer.data):,} bytes")
    if given.chromium:
        time_in_browser(workspace, given.chromium, ["/", "/runs/many", f"/lineage?of={of}&open={opened}"])
    print(f"{'memory at most':60} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:8.0f} MiB")


if __name__ == "__main__":
    main()
