"""Other sites, other people, and what users logged: none of it runs, reads or changes anything."""

from __future__ import annotations

import pytest
from asked_pages import Browser, publish

from mlvc.web import guards


def test_only_names_of_this_machine_are_answered(browser):
    for host in ("localhost", "localhost:5151", "127.0.0.1:5151", "[::1]:5151"):
        assert browser.get("/", host=host).status == 200
    for host in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "[::1].evil.example"):
        assert browser.get("/", host=host).status == 421


def test_beyond_loopback_a_token_is_needed(filled):
    browser = Browser(filled, hosts=("box",), token="t0ken")
    assert browser.get("/", host="box").status == 401
    assert browser.get("/?token=wrong", host="box").status == 401
    let_in = browser.get("/runs?q=a&token=t0ken", host="box")
    assert (let_in.status, let_in.headers["location"]) == (303, "/runs?q=a")
    assert "httponly" in let_in.headers["set-cookie"].lower()
    assert browser.get("/", host="box", cookie=f"{guards.COOKIE}=t0ken").status == 200
    assert browser.get("/api/v1/status", host="box", authorization="Bearer t0ken").status == 200
    assert browser.get("/static/style.css", host="box").status == 401


def test_pages_run_no_script_but_their_own(browser):
    answer = browser.get("/")
    assert answer.headers["content-security-policy"] == guards.POLICY
    assert "unsafe" not in guards.POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert " style=" not in answer.text
    assert " onclick=" not in answer.text


@pytest.mark.parametrize(
    ("path", "kind", "is_shown"),
    [("a.html", "text/html", True), ("a.svg", "image/svg+xml", True), ("a.png", "image/png", True), ("a.js", "application/octet-stream", False), ("a.xml", "application/octet-stream", False),
     ("a", "application/octet-stream", False), ("A.HTML", "text/html", True), ("a.xhtml", "application/octet-stream", False)],
)  # fmt: skip
def test_files_of_users_are_shown_in_a_sandbox_or_saved(workspace, path, kind, is_shown):
    publish(workspace, "net", {path: b"<script>alert(1)</script>"})
    answer = Browser(workspace).get(f"/artifacts/p/net/v0/raw/{path}")
    assert answer.headers["content-type"].partition(";")[0] == kind
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert answer.headers["content-disposition"].startswith("inline" if is_shown else "attachment")
    assert Browser(workspace).get(f"/artifacts/p/net/v0/raw/{path}?save").headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize("path", ["../../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "..%2f..%2fetc%2fpasswd", "/etc/passwd", "%00", "a/../../b"])
def test_no_path_leads_out(browser, path):
    for start in ("/static/", "/artifacts/p/net/v0/raw/", "/artifacts/p/net/v0/files/"):
        answer = browser.get(f"{start}{path}")
        assert answer.status in (400, 404), (start, path)
        assert b"root:" not in answer.data


def test_names_of_saved_files_break_out_of_no_header(workspace):
    publish(workspace, "net", {'a"b; c\u00e9.txt': b"1"})
    answer = Browser(workspace).get("/artifacts/p/net/v0/raw/a%22b%3B%20c%C3%A9.txt")
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''a%22b%3B%20c%C3%A9.txt"


def test_no_page_shows_a_secret(filled, monkeypatch):
    filled.environment["AWS_SECRET_ACCESS_KEY"] = "very-secret"
    browser = Browser(filled)
    for address in ("/", "/api/v1/status", "/openapi.json", "/runs/p"):
        assert "very-secret" not in browser.page(address)
