"""What pages change: one transaction each, which can be undone; and what may change nothing."""

from __future__ import annotations

import pytest
from asked_pages import Browser, publish

MODEL = "registry:model/best"


def version_of(workspace, collection="p/net"):
    return workspace.repository.view().latest(collection).version.hex()


def transactions(workspace):
    return sum(1 for _ in workspace.repository.view().transactions())


@pytest.fixture
def version(browser):
    return version_of(browser.site.workspace)


def test_each_action_is_one_transaction_and_the_next_page_undoes_it(browser, version):
    workspace = browser.site.workspace
    for action, fields in (
        ("add-alias", {"collection": MODEL, "version": version, "alias": "staging"}),
        ("remove-alias", {"collection": MODEL, "version": version, "alias": "production"}),
        ("add-tag", {"collection": "p/net", "version": version, "tag": "good"}),
        ("remove-tag", {"collection": "p/net", "version": version, "tag": "good"}),
        ("describe", {"collection": "p/net", "version": version, "description": "a net"}),
        ("describe", {"collection": MODEL, "version": "", "description": "the best"}),
        ("link", {"collection": "p/net", "version": version, "model": "other", "aliases": "prod, candidate"}),
        ("unlink", {"collection": MODEL, "version": version}),
        ("delete", {"collection": "p/net", "version": version}),
    ):
        before = transactions(workspace)
        answer = browser.send(action, **fields)
        assert answer.status == 303, answer.text
        assert transactions(workspace) == before + 1, action
        done = answer.headers["location"].rpartition("done=")[2]
        assert "Done: mlvc ui:" in browser.page(f"/?done={done}")
        if action in ("unlink", "delete", "remove-alias"):
            assert browser.send("undo", transaction=done).status == 303
    view = workspace.repository.view()
    assert set(view.aliases(MODEL)) >= {"production", "staging"}
    assert view.metadata(view.latest("p/net").version)[1] == "a net"
    assert set(view.aliases("registry:model/other")) >= {"prod", "candidate"}


def test_an_alias_that_moves_says_from_where_and_one_that_stays_writes_nothing(browser, version):
    workspace = browser.site.workspace
    before = transactions(workspace)
    browser.send("add-alias", collection=MODEL, version=version, alias="production")
    assert transactions(workspace) == before
    second = publish(workspace, "net", {"w.bin": b"second"})
    browser.send("link", collection="p/net", version=second.version.hex(), model="best", aliases="")
    answer = browser.send("add-alias", collection=MODEL, version=second.version.hex(), alias="production")
    assert "alias production on v1, which was on v0" in browser.page(answer.headers["location"])


def test_what_a_form_cannot_say_is_refused_in_a_sentence(browser, version):
    for action, fields in (
        ("add-alias", {"collection": MODEL, "version": version, "alias": "latest"}),
        ("add-alias", {"collection": MODEL, "version": version, "alias": "a b/c"}),
        ("add-alias", {"collection": MODEL, "version": "zz", "alias": "x"}),
        ("link", {"collection": "p/net", "version": version, "model": "a/b"}),
        ("unlink", {"collection": "p/net", "version": version}),
    ):
        answer = browser.send(action, **fields)
        assert answer.status == 400, (action, answer.status)
    assert browser.send("delete", collection="p/net", version="0" * 64).status == 404
    assert browser.send("explode").status == 404


def test_a_form_of_another_site_or_of_before_a_restart_changes_nothing(browser, version):
    fields = {"collection": MODEL, "version": version, "alias": "x"}
    before = transactions(browser.site.workspace)
    assert browser.send("add-alias", secret="guessed", **fields).status == 400
    assert browser.send("add-alias", secret="", **fields).status == 400
    assert browser.send("add-alias", origin="http://evil.example", **fields).status == 403
    assert browser.send("add-alias", origin=None, **fields).status == 403
    assert browser.send("add-alias", origin="null", **fields).status == 403
    assert browser.get("/act/add-alias?alias=x").status == 405
    assert transactions(browser.site.workspace) == before


def test_read_only_pages_have_no_forms_and_take_none(filled):
    browser = Browser(filled, is_read_only=True)
    assert "<form method" not in browser.page("/registry/best/v0")
    assert browser.send("add-alias", collection=MODEL, version=version_of(filled), alias="x").status == 400
    assert "x" not in filled.repository.view().aliases(MODEL)


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/a\r\nSet-Cookie: x=1"])
def test_a_form_leads_back_to_this_site_only(browser, version, back):
    answer = browser.send("add-tag", collection="p/net", version=version, tag="t", back=back)
    assert answer.status == 303
    assert answer.headers["location"].startswith("/?done=")


def test_a_protected_alias_is_moved_by_nobody_without_its_key(filled, tmp_path):
    from mlvc.workspace import protecting

    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJl3dIeudNqd0DPMRD6OIh65tjkxFNOtwGcWB2gCgPhk somebody"
    protecting.protect(filled, MODEL, "production", [key], "protect")
    other = publish(filled, "net", {"w.bin": b"other"})
    browser = Browser(filled)
    before = filled.repository.view().alias(MODEL, "production").version
    browser.send("link", collection="p/net", version=other.version.hex(), model="best", aliases="production")
    assert filled.repository.view().alias(MODEL, "production").version == before
    assert "guarded" in browser.page("/registry")
