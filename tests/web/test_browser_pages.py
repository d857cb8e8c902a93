"""The pages in a real browser: nothing on the console, nothing serious for those who hear or type instead of seeing and clicking."""

from __future__ import annotations

import re
import subprocess
import sys

import in_browser
import pytest
from asked_pages import ENVIRONMENT, publish, record
from in_browser import serious, served, shot

from mlvc.workspace import registry
from mlvc.workspace.workspace import Workspace

pytestmark = in_browser.marks("pages")


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


def test_many_tabs_are_answered_and_follow(filled, open_page):
    with served(filled) as address:
        first = open_page()
        pages = [first, *(open_page(beside=first) for _ in range(8))]
        for page in pages:
            page.goto(f"{address}/registry")
        other = Workspace.find(filled.root, ENVIRONMENT)
        registry.set_aliases(other, "registry/best:v0", ["fresh"], "alias")
        for page in pages:
            page.locator("[data-live=list]", has_text="fresh").wait_for()
        first.close()  # the one that listened for all
        registry.set_aliases(other, "registry/best:v0", ["fresher"], "alias")
        for page in pages[1:]:
            page.locator("[data-live=list]", has_text="fresher").wait_for()
        other.close()


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
    page.get_by_role("link", name="v0").first.click()
    page.get_by_role("link", name="Lineage").click()
    page.locator(".box", has_text="run brisk").click()
    page.locator("#details").get_by_text("config lr").wait_for()
    page.locator("#details").get_by_role("link", name="open").click()
    page.locator(".chart canvas").first.wait_for()
    assert page.locator("figcaption").all_inner_texts() == ["acc", "loss"]
    page.fill("#which", "los")
    page.locator(".chart").nth(1).wait_for(state="detached")
    page.check("#log")
    shot(page, "exported-run")
