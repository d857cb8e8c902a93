"""Charts, media and the table of runs in a real browser."""

from __future__ import annotations

import in_browser
from asked_pages import record
from in_browser import PNG, served

pytestmark = in_browser.marks("charts")


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


def test_a_chart_shows_what_was_asked_last_however_late_the_first_answer_comes(workspace, open_page):
    run = record(workspace, name="late", rows=[{"loss": float(step)} for step in range(5)])
    with served(workspace) as address:
        page = open_page()
        asked = []

        def answer(route):
            asked.append(route.request.url)
            if len(asked) == 1:
                page.select_option("#axis", "_runtime")  # before there is an answer to the first question
            route.continue_()

        page.route("**/series?*key=loss*", answer)
        page.goto(f"{address}/runs/p/{run.label}")
        page.locator(".chart .u-legend th", has_text="time since it began").wait_for()
        assert "x=_step" in asked[0]
        assert "x=_runtime" in asked[-1]
