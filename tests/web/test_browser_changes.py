"""What the pages change, in a real browser, also with the keyboard alone."""

from __future__ import annotations

import in_browser
from asked_pages import ENVIRONMENT
from in_browser import served

from mlvc.workspace import registry
from mlvc.workspace.workspace import Workspace

pytestmark = in_browser.marks("changes")


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


def test_what_was_typed_into_another_form_is_there_after_one_was_sent(filled, open_page):
    with served(filled) as address:
        page = open_page()
        page.goto(f"{address}/registry/best/v0")
        page.get_by_text("Edit the description").click()
        page.get_by_label("Description").fill("half a thought")
        page.get_by_label("Alias", exact=True).fill("staging")
        page.keyboard.press("Enter")
        page.locator("[data-live=names]", has_text="staging").wait_for()
        assert page.get_by_label("Description").input_value() == "half a thought"
        page.get_by_role("button", name="Save").click()
        page.locator(".markdown", has_text="half a thought").wait_for()
        page.reload()
        assert page.get_by_label("Alias", exact=True).input_value() == ""
