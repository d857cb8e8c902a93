"""Pages in a real browser: how they are served, looked at, and found fault with."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import threading
from pathlib import Path

import pytest

from mlvc.web.server import PageServer
from mlvc.web.site import Site

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SCREENSHOTS = os.environ.get("MLVC_SCREENSHOTS")
EXPECTED = ("because the document's frame is sandboxed", "net::ERR_CONNECTION_REFUSED")
"""What Chromium says when a page of a user's tries to run something, and when a server has ended that a page listened to."""

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c636800000082008177cd72b60000000049454e44ae426082"
)
"""One grey pixel."""


def marks(group):
    """Marks for a module of tests in a browser: skipped where there is none, one after the other on one worker."""
    return [
        pytest.mark.skipif(CHROMIUM is None and os.environ.get("MLVC_TEST_SERVERS") != "required", reason="no Chromium here: apt-get install chromium"),
        pytest.mark.xdist_group(f"browser-{group}"),
        pytest.mark.timeout(300),
    ]


@contextlib.contextmanager
def served(workspace, **options):
    """Serves the pages of a workspace on loopback; yields their address."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    server = PageServer(Site(workspace, **options), lambda: None)
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()


def shot(page, name):
    if SCREENSHOTS:
        Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(Path(SCREENSHOTS, f"{name}.png")))


def serious(page):
    """Returns what axe finds that keeps somebody from using a page; of a thousand boxes or rows alike, it looks at the first hundred."""
    import axe_playwright_python

    page.evaluate((Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    page.evaluate("document.querySelectorAll('#world > .box:nth-of-type(n+100), #world > .line:nth-of-type(n+100), tbody tr:nth-child(n+100)').forEach((one) => one.remove())")
    found = page.evaluate("axe.run()")["violations"]
    return [(one["id"], [node["target"] for node in one["nodes"]][:3]) for one in found if one["impact"] in ("serious", "critical")]
