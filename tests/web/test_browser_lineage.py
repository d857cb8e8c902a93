"""The lineage in a real browser: opened, closed, walked and searched."""

from __future__ import annotations

import in_browser
from asked_pages import publish, record
from in_browser import served

pytestmark = in_browser.marks("lineage")


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
