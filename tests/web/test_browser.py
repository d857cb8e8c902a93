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
from asked_pages import ENVIRONMENT, publish, record

from mlvc.web.server import PageServer
from mlvc.web.site import Site
from mlvc.workspace import registry
from mlvc.workspace.workspace import Workspace

playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None and os.environ.get("MLVC_TEST_SERVERS") != "required", reason="no Chromium here: apt-get install chromium"),
    pytest.mark.xdist_group("browser"),
    pytest.mark.timeout(300),
]
_EXPECTED = ("because the document's frame is sandboxed", "net::ERR_CONNECTION_REFUSED")
"""What Chromium says when a page of a user's tries to run something, and when a server has ended that a page listened to."""

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c636800000082008177cd72b60000000049454e44ae426082"
)
"""One grey pixel."""

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

    def opened(*, expected=(), beside=None, **options):
        context = beside.context if beside else chromium.new_context(viewport={"width": 1300, "height": 850}, **options)
        contexts.append(context)
        page = context.new_page()
        silent = (*_EXPECTED, *expected)
        page.on("console", lambda message: said.append(f"{page.url}: {message.text}") if message.type in ("error", "warning") and not any(one in message.text for one in silent) else None)
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


def test_lineage_is_opened_and_closed_node_by_node_in_place(workspace, open_page):
    first = publish(workspace, "raw", {"a": b"1"}, kind="dataset")
    version = first
    for number in range(4):
        run = record(workspace, name=f"step{number}", uses=[(version.version, "in")], finish=False)
        version = publish(workspace, f"made{number}", {"a": str(number).encode()}, run=run)
        run.finish(0)
    with served(workspace) as address:
        page = open_page()
        page.goto(f"{address}/artifacts/p/raw/v0/lineage?down=1")
        page.locator(".hint", has_text="+1").click()
        page.locator(".box", has_text="made0").wait_for()
        assert "more=down" in page.url
        assert "step0" in page.inner_text("#details"), "what was opened stays chosen"
        before = page.locator(".box.chosen").bounding_box()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Shift+ArrowRight")
        page.locator(".box", has_text="step1").wait_for()
        page.reload()
        page.locator(".box", has_text="step1").wait_for()
        assert page.locator(".box").count() == 4
        page.locator(".box", has_text="step0").click()
        at = page.locator(".box.chosen").bounding_box()
        page.get_by_role("button", name="hide downstream").click()
        page.locator(".box", has_text="made0").wait_for(state="detached")
        now = page.locator(".box.chosen").bounding_box()
        assert abs(now["x"] - at["x"]) < 2
        assert abs(now["y"] - at["y"]) < 2
        assert before is not None
        page.go_back()
        page.locator(".box", has_text="made0").wait_for()
        page.locator(".box.chosen").wait_for()
        page.fill("#find", "nowhere")
        page.locator("#hits", has_text="none drawn here").wait_for()


def test_a_large_lineage_follows_its_page(workspace, open_page):
    data = publish(workspace, "data", {"x": b"1"}, kind="dataset")
    for number in range(230):
        record(workspace, name=f"user{number}", uses=[(data.version, "data")])
    with served(workspace) as address:
        page = open_page()
        page.goto(f"{address}/artifacts/p/data/v0/lineage")
        page.locator(".box.group", has_text="230 runs").wait_for()
        page.locator(".box.group").click()
        page.get_by_role("button", name="open this group").click()
        page.locator(".box", has_text="run user7 ").first.wait_for()
        assert page.locator(".box").count() == 231
        page.fill("#find", "user77")
        page.locator("#details dd", has_text="user77").wait_for()


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


def test_a_zoomed_chart_shows_finer_points_and_its_address_shows_the_same(workspace, open_page):
    run = record(workspace, name="long", rows=[{"loss": 1000.0 if step == 5_011 else step % 7} for step in range(20_000)])
    with served(workspace) as address:
        page = open_page()
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{address}/runs/p/{run.label}?smooth=0.5&x=_step")
        page.wait_for_selector(".chart canvas")
        assert page.input_value("#smooth") == "0.5"
        over = page.locator(".u-over").bounding_box()
        page.mouse.move(over["x"] + over["width"] * 0.25, over["y"] + 50)
        page.mouse.down()
        page.mouse.move(over["x"] + over["width"] * 0.26, over["y"] + 60, steps=5)
        with page.expect_response(lambda answer: "from=" in answer.url) as answered:
            page.mouse.up()
        points = answered.value.json()["series"]["loss"]["x"]
        assert len(points) > 150, "a hundredth of the axis, with every step of it"
        assert points == list(range(int(points[0]), int(points[-1]) + 1))
        page.wait_for_url("**zoom=**")
        shared = page.url
        page.click("#whole")
        page.wait_for_url(lambda url: "zoom" not in url)
        page.goto(shared)
        page.wait_for_selector(".chart canvas")
        assert page.is_visible("#whole")
        assert any("from=" in one for one in asked[-3:])


def test_charts_are_read_when_they_come_into_sight(workspace, open_page):
    run = record(workspace, name="wide", rows=[{f"m{number:03}": number for number in range(120)}])
    with served(workspace) as address:
        page = open_page()
        page.goto(f"{address}/runs/p/{run.label}")
        page.wait_for_selector(".chart canvas")
        assert page.locator(".chart").count() == 120
        assert page.locator(".chart canvas").count() < 60
        page.locator(".chart").nth(119).scroll_into_view_if_needed()
        page.locator(".chart").nth(119).locator("canvas").wait_for()


def test_values_that_a_log_axis_cannot_show_are_told(workspace, open_page):
    run = record(workspace, name="signs", rows=[{"mixed": value, "below": -1} for value in (1, 0, -3, 10)])
    with served(workspace) as address:
        page = open_page()
        page.goto(f"{address}/runs/p/{run.label}?log=1")
        page.wait_for_selector(".chart canvas")
        assert page.locator("figcaption").all_inner_texts() == ["below nothing above 0: no log axis", "mixed 2 points of 0 or less have no place on a log axis"]


def test_media_are_looked_through_step_by_step(workspace, open_page):
    run = record(workspace, name="pictures", finish=False)
    (run.files_folder / "media").mkdir(parents=True)
    for step in range(3):
        (run.files_folder / f"media/{step}.png").write_bytes(PNG)
        run.log_values(step, {"sample": {"_type": "image-file", "path": f"media/{step}.png", "caption": f"at {step}"}})
    run.finish(0)
    with served(workspace) as address:
        page = open_page()
        page.goto(f"{address}/runs/p/{run.label}/media")
        page.get_by_text("step 2").first.wait_for()
        assert page.locator("figure:visible").all_inner_texts() == ["step 2 at 2"]
        page.get_by_role("slider", name="Step").focus()
        page.keyboard.press("ArrowLeft")
        assert page.locator("figure:visible").all_inner_texts() == ["step 1 at 1"]
        page.get_by_label("all steps").check()
        assert page.locator("figure:visible").count() == 3


def test_the_table_of_runs_sorts_by_its_headings_and_counts_what_is_chosen(workspace, open_page):
    for number in range(25):
        record(workspace, name=f"run{number}", config={"lr": number / 10, "deep": {"k": number % 3}}, rows=[{"acc": (number * 7) % 25}])
    with served(workspace) as address:
        page = open_page()
        page.goto(f"{address}/runs/p")
        page.get_by_role("link", name="acc", exact=True).click()
        page.wait_for_url("**sort=-summary.acc")
        assert page.locator("tbody a").first.inner_text() == "run7"
        page.get_by_role("link", name="acc ↓").click()
        page.wait_for_url("**sort=summary.acc")
        assert page.locator("tbody a").first.inner_text() == "run0"
        assert page.get_by_role("button", name="Compare").is_disabled()
        page.get_by_label("Choose all of this page").check()
        assert page.inner_text("#chosen") == "25 chosen, 5 too many"
        page.goto(f"{address}/runs/p?group=config.deep.k")
        page.locator("[data-live=groups] a", has_text="1").first.click()
        page.wait_for_url("**q=config.deep.k*")
        assert page.locator("[data-live=runs] tbody tr").count() == 8


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


def test_what_is_refused_is_told_beside_its_form_and_what_was_typed_stays(filled, open_page):
    with served(filled) as address:
        page = open_page(expected=("the server responded with a status of 400",))
        page.goto(f"{address}/registry/best/v0")
        page.get_by_label("Alias", exact=True).fill("no/good name")
        page.get_by_role("button", name="Add").first.click()
        page.get_by_role("alert").wait_for()
        assert "must not contain" in page.inner_text("[role=alert]")
        assert page.get_by_label("Alias", exact=True).input_value() == "no/good name"
        page.get_by_label("Alias", exact=True).fill("good")
        page.keyboard.press("Enter")
        page.locator("[data-live=names]", has_text="good").wait_for()


def test_forms_follow_the_repository_but_nothing_typed_is_taken_away(filled, open_page):
    with served(filled) as address:
        page = open_page()
        page.goto(f"{address}/registry/best/v0")
        page.get_by_label("Tag").fill("half a wo")
        other = Workspace.find(filled.root, ENVIRONMENT)
        registry.set_aliases(other, "registry/best:v0", ["fresh"], "alias")
        page.locator("[data-live=names]", has_text="fresh").wait_for()
        assert page.get_by_label("Tag").input_value() == "half a wo"
        assert page.get_by_role("button", name="Remove the alias fresh").count() == 0
        page.get_by_label("Tag").fill("")
        page.get_by_role("heading").first.click()
        page.get_by_role("button", name="Remove the alias fresh").wait_for()
        other.close()


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


def test_a_collection_is_described_in_markdown_and_tagged(filled, open_page):
    with served(filled) as address:
        page = open_page()
        page.goto(f"{address}/registry/best")
        page.get_by_label("Tag").fill("stable")
        page.get_by_label("Tag").press("Enter")
        page.locator("[data-live=about] .tag", has_text="stable").wait_for()
        page.get_by_text("Edit the description").click()
        page.get_by_label("Description").fill("Use **this** one\n\n<script>alert(1)</script> [x](javascript:alert(1))")
        page.get_by_role("button", name="Save").click()
        page.locator("strong", has_text="this").wait_for()
        assert "<script>alert(1)</script>" in page.inner_text(".markdown")
        assert page.locator(".markdown a").count() == 0


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
