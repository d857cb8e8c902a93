"""The pages in a real browser: nothing on the console, nothing serious for those who hear or type instead of seeing and clicking."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from asked_pages import publish, record

from mlvc.web.server import PageServer
from mlvc.web.site import Site

playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None and os.environ.get("MLVC_TEST_SERVERS") != "required", reason="no Chromium here: apt-get install chromium"),
    pytest.mark.xdist_group("browser"),
    pytest.mark.timeout(300),
]
_EXPECTED = ("because the document's frame is sandboxed", "net::ERR_CONNECTION_REFUSED")
"""What Chromium says when a page of a user's tries to run something, and when a server has ended that a page listened to."""

SCREENSHOTS = os.environ.get("MLVC_SCREENSHOTS")


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


@pytest.fixture(scope="module")
def chromium():
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium):
    """Opens pages whose console must stay silent."""
    contexts, said = [], []

    def opened(**options):
        context = chromium.new_context(viewport={"width": 1300, "height": 850}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(f"{page.url}: {message.text}") if message.type in ("error", "warning") and not any(one in message.text for one in _EXPECTED) else None)
        page.on("pageerror", lambda error: said.append(f"{page.url}: {error}"))
        return page

    yield opened
    for context in contexts:
        context.close()
    assert said == []


def shot(page, name):
    if SCREENSHOTS:
        Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(Path(SCREENSHOTS, f"{name}.png")))


def serious(page):
    """Returns what axe finds that keeps somebody from using a page."""
    import axe_playwright_python

    page.evaluate((Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run()")["violations"]
    return [(one["id"], [node["target"] for node in one["nodes"]][:3]) for one in found if one["impact"] in ("serious", "critical")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_silent_and_accessible(filled, open_page, scheme):
    view = filled.repository.view()
    run = next(iter(view.runs()))
    addresses = {
        "home": "/", "registry": "/registry", "model": "/registry/best", "version": "/registry/best/v0", "files": "/artifacts/p/data/v0/files", "file": "/artifacts/p/data/v0/files/labels.csv",
        "metadata": "/artifacts/p/data/v0/metadata", "lineage": "/registry/best/v0/lineage", "history": "/registry/best/v0/history", "usage": "/registry/best/v0/usage", "artifacts": "/artifacts",
        "runs": "/runs/p", "run": f"/runs/p/{run.label}", "run-config": f"/runs/p/{run.label}/config", "run-code": f"/runs/p/{run.label}/code", "run-system": f"/runs/p/{run.label}/system",
        "compare": f"/compare?run=p/{run.label}&run=p/{run.label}", "tensors": "/artifacts/p/net/v0/tensors",
    }  # fmt: skip
    with served(filled) as address:
        page = open_page(color_scheme=scheme, bypass_csp=True)  # axe is brought in from outside
        for name, path in addresses.items():
            page.goto(address + path)
            page.wait_for_load_state("load")
            if name in ("run", "compare"):
                page.wait_for_selector(".chart canvas")
            assert serious(page) == [], name
            shot(page, f"{name}-{scheme}")


def test_charts_are_drawn_and_react(filled, open_page):
    run = next(iter(filled.repository.view().runs()))
    with served(filled) as address:
        page = open_page()
        page.goto(f"{address}/runs/p/{run.label}")
        page.wait_for_selector(".chart canvas")
        assert page.locator("figcaption").all_inner_texts() == ["acc", "loss"]
        page.fill("#which", "los")
        page.locator(".chart").nth(1).wait_for(state="detached")
        page.select_option("#axis", "_runtime")
        page.check("#log")
        page.wait_for_selector(".chart canvas")


def test_an_alias_is_added_and_undone_with_the_keyboard_alone(filled, open_page):
    with served(filled) as address:
        page = open_page()
        page.goto(f"{address}/registry/best/v0")
        page.get_by_label("Alias", exact=True).focus()
        page.keyboard.type("staging")
        page.keyboard.press("Enter")
        page.wait_for_selector("[role=status]")
        assert "staging" in page.inner_text("[data-live=names]")
        page.get_by_role("button", name="Undo").focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**done=**")
        page.locator("[data-live=names]", has_text="staging").wait_for(state="detached")


def test_a_deletion_asks_and_is_undone(filled, open_page):
    with served(filled) as address:
        page = open_page()
        page.goto(f"{address}/artifacts/p/data/v0")
        assert not page.get_by_role("button", name="Delete v0").is_visible()
        page.get_by_text("Delete…").click()
        page.get_by_role("button", name="Delete v0").click()
        page.wait_for_selector("[role=status]")
        assert page.get_by_role("link", name="v0").count() == 0
        page.get_by_role("button", name="Undo").click()
        page.get_by_role("link", name="v0").wait_for()


def test_lineage_is_walked_with_arrows_and_searched(filled, open_page):
    with served(filled) as address:
        page = open_page()
        page.goto(f"{address}/registry/best/v0/lineage")
        page.focus("#graph")
        assert "net:v0" in page.inner_text("#details")
        page.keyboard.press("ArrowLeft")
        assert "brisk" in page.inner_text("#details")
        page.keyboard.press("ArrowLeft")
        assert "data:v0" in page.inner_text("#details")
        before = page.get_attribute("#graph", "viewBox")
        page.keyboard.press("-")
        assert page.get_attribute("#graph", "viewBox") != before
        page.fill("#find", "brisk")
        assert "brisk" in page.inner_text("#details")
        assert page.locator(".box.unfit").count() == 2
        page.focus("#graph")
        page.keyboard.press("Enter")
        page.wait_for_url("**/lineage?of=run**")
        assert page.locator(".box.focus").get_attribute("aria-label").startswith("run brisk")


def test_new_runs_and_versions_appear_without_a_reload(filled, open_page):
    with served(filled) as address:
        page = open_page()
        page.goto(address)
        page.wait_for_load_state("load")
        record(filled, name="late-arrival", rows=[{"loss": 1.0}])
        page.get_by_role("link", name="late-arrival").wait_for(timeout=20_000)
        publish(filled, "fresh", {"a": b"1"})
        page.get_by_role("link", name="fresh:v0").wait_for(timeout=20_000)


def test_pages_fit_a_phone_and_remember_the_dark(filled, open_page):
    with served(filled) as address:
        page = open_page(color_scheme="light")
        page.set_viewport_size({"width": 380, "height": 750})
        for path in ("/", "/runs/p", "/registry/best/v0", "/registry/best/v0/lineage"):
            page.goto(address + path)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        shot(page, "phone")
        page.click("#theme")
        page.goto(address)
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_pages_of_users_run_nothing(workspace, open_page):
    evil = b"<script>document.title='owned'; fetch('/act/delete', {method: 'POST'})</script><p>shown</p>"
    publish(workspace, "net", {"evil.html": evil, "evil.svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>parent.document.title="owned"</script></svg>'})
    with served(workspace) as address:
        page = open_page()
        page.goto(f"{address}/artifacts/p/net/v0/files/evil.html")
        frame = page.frame_locator("iframe")
        assert frame.locator("p").inner_text() == "shown"
        assert "owned" not in page.title()
        page.goto(f"{address}/artifacts/p/net/v0/files/evil.svg")
        assert "owned" not in page.title()


def test_an_exported_site_opens_from_disk(filled, open_page, tmp_path):
    subprocess.run([sys.executable, "-m", "mlvc", "ui", "--export", str(tmp_path / "site")], cwd=filled.root, check=True, capture_output=True)
    page = open_page()
    page.goto((tmp_path / "site" / "index.html").as_uri())
    page.get_by_role("link", name=re.compile("best")).first.click()
    assert "registry/best" in page.inner_text("h1")


def test_the_command_serves_until_it_is_interrupted(filled):
    child = subprocess.Popen([sys.executable, "-m", "mlvc", "ui", "--no-open", "--port", "0"], cwd=filled.root, stderr=subprocess.PIPE, text=True)
    try:
        assert "http://127.0.0.1:" in child.stderr.readline()
        child.send_signal(signal.SIGINT)
        assert child.communicate(timeout=30)[1] == ""
        assert child.returncode == 0
    finally:
        child.kill()
        child.wait()


def test_an_address_that_cannot_be_listened_on_is_said_in_a_sentence(filled):
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    for words, why in ((["--port", str(taken.getsockname()[1])], "address already in use"), (["--host", "203.0.113.9"], "--host names an address of this machine")):
        done = subprocess.run([sys.executable, "-m", "mlvc", "ui", "--no-open", *words], cwd=filled.root, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert why in done.stderr
    taken.close()
