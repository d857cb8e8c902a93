"""The pages as files: complete, relative, without forms."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest

from mlvc.errors import UsageError
from mlvc.web import export


def test_every_address_of_an_exported_page_leads_to_a_file(filled, tmp_path):
    target = tmp_path / "site"
    said = []
    count = export.export(filled, target, said.append)
    pages = list(target.rglob("index.html"))
    assert len(pages) == count > 20
    assert said == []
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "<form method" not in text
        for address in re.findall(r'(?:href|src)="([^"]*)"', text):
            if address.startswith("#"):
                continue
            assert not address.startswith("/"), (page, address)
            found = (page.parent / unquote(address.replace("&amp;", "&"))).resolve()
            assert found.is_relative_to(target.resolve()), (page, address)
            assert found.is_file(), (page, address)
        assert "Content-Security-Policy" in text
        assert 'data-sources="/' not in text


def test_a_folder_that_holds_something_is_not_written_into(filled, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        export.export(filled, tmp_path, print)


@pytest.mark.parametrize(("address", "file"), [("/", "index.html"), ("/a/b", "a/b/index.html"), ("/a/..%2f..%2fb", "a/_./_./b/index.html"), ("/x%20y", "x y/index.html")])
def test_a_page_lies_where_its_address_says_and_never_outside(address, file):
    found = export.file_of(address)
    assert ".." not in found.split("/")
    assert found == file or "%2f" in address
