"""Every kind of page of a real repository and of a very large one, in a real browser: light and dark, by hearing and by the keyboard alone."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import in_browser
import pytest
from asked_pages import Browser
from generated_repository import add_versions, build
from in_browser import serious, served, shot

from mlvc.workspace.workspace import Workspace

pytestmark = in_browser.marks("walk")

MANY = int(os.environ.get("MLVC_MANY", "2000"))
"""Runs, and versions, of the large repository. CI has 100,000."""

_PER_KIND = 2
_NO_PAGES = ("raw", "save", "lineage.")


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """What `mlvc demo` makes of real data."""
    folder = tmp_path_factory.mktemp("demo")
    subprocess.run([sys.executable, "-m", "mlvc", "demo", "--dir", str(folder / "demo")], check=True, capture_output=True, cwd=folder)
    made = Workspace.find(folder / "demo" / "digits")
    yield made
    made.close()


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    folder = tmp_path_factory.mktemp("large")
    build(folder, MANY)
    add_versions(folder, MANY)
    made = Workspace.find(folder)
    yield made
    made.close()


def kind_of(address):
    """What sort of page an address leads to: what differs between two of a kind is which run, version or file they are about."""
    found = urlsplit(address)
    parts = found.path.strip("/").split("/")
    place = {"runs": 3, "artifacts": 4, "registry": 3}.get(parts[0], 1)
    tab = parts[place] if len(parts) > place else ""
    return (parts[0], min(len(parts), place + 1), tab, Path(found.path).suffix if tab == "files" else "", *sorted(parse_qs(found.query)))


def one_of_each_kind(workspace):
    """Addresses of pages that links lead to from the first page, one of each kind."""
    with ThreadPoolExecutor(1) as apart:  # the browser's driver keeps this thread's event loop
        return apart.submit(_one_of_each_kind, workspace).result()


def _one_of_each_kind(workspace):
    browser = Browser(workspace, is_read_only=True)
    waiting, found, seen = ["/"], {}, {"/"}
    while waiting:
        address = waiting.pop(0)
        kind = kind_of(address)
        if len(found.setdefault(kind, [])) == _PER_KIND:
            continue
        answer = browser.get(address)
        if not answer.headers.get("content-type", "").startswith("text/html") or any(word in address for word in _NO_PAGES):
            continue
        assert answer.status == 200, address
        found[kind].append(address)
        fresh = [one for one in browser.links(answer.text) if one not in seen]
        seen.update(fresh)
        waiting += fresh
    browser.asker.close()
    return [address for addresses in found.values() for address in addresses[:1]]


def walk(workspace, open_page, scheme, name):
    addresses = one_of_each_kind(workspace)
    assert len({kind_of(address)[0] for address in addresses}) >= 5, addresses
    with served(workspace) as site:
        page = open_page(color_scheme=scheme, bypass_csp=True)  # axe is brought in from outside
        for number, address in enumerate(addresses):
            page.goto(site + address)
            page.wait_for_load_state("load")
            if "lineage" in address:
                page.locator("#world .box").first.wait_for()
            shot(page, f"{name}-{scheme}-{number:02}")
            assert serious(page) == [], address


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_kind_of_page_of_the_demo_is_silent_and_accessible(demo, open_page, scheme):
    walk(demo, open_page, scheme, "demo")


@pytest.mark.timeout(1_800)  # making it takes minutes
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_kind_of_page_of_a_large_repository_is_silent_and_accessible(large, open_page, scheme):
    walk(large, open_page, scheme, "large")


def test_every_page_is_gone_through_with_the_tabulator_and_nowhere_a_trap(demo, open_page):
    addresses = one_of_each_kind(demo)
    with served(demo) as site:
        page = open_page(bypass_csp=True)
        for address in addresses:
            page.goto(site + address)
            page.wait_for_load_state("load")
            stops = []
            for _ in range(25):
                page.keyboard.press("Tab")
                stops.append(page.evaluate("document.activeElement === document.body ? null : [document.activeElement.tagName, document.activeElement.textContent, document.activeElement.outerHTML.length]"))
            assert stops[0] == ["A", "Skip to the content", stops[0][2]], address
            moved = [one for one, after in zip(stops, stops[1:], strict=False) if one != after or one is None]
            assert len(moved) >= len(stops) - 4, (address, stops)
