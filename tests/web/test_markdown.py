"""Descriptions in Markdown: shown as people mean them, and nothing in them does anything."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as some

from mlvc.web import markdown

_OWN = {"div", "p", "h3", "h4", "h5", "h6", "strong", "em", "s", "code", "pre", "ul", "ol", "li", "blockquote", "hr", "br", "a", "span", "table", "thead", "tbody", "tr", "th", "td"}


def test_it_is_shown_as_it_is_meant():
    text = markdown.rendered("# Title\n\n**bold** `code`\n\n- one\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n[docs](https://example.org)")
    for expected in ("<h3>Title</h3>", "<strong>bold</strong>", "<code>code</code>", "<li>one</li>", "<td>1</td>", '<a href="https://example.org" rel="noopener noreferrer nofollow">docs</a>'):
        assert expected in text


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "[x](javascript:alert(1))", "[x](JAVASCRIPT:alert(1))", "[x](data:text/html,<b>)", "[x](//example.org)",
        "![x](http://example.org/track.png)", "<javascript:alert(1)>", '[x](https://a "b\\" onclick=\\"alert(1)")', '```"><script>1</script>\n```', "[x](file:///etc/passwd)", "| a |\n|:-:|\n| b |",
    ],
)  # fmt: skip
def test_nothing_in_it_runs_or_is_fetched(text):
    check(markdown.rendered(text))


@given(some.text(alphabet="<>[]()!\"'`*_#|-:/\\&;= \njavscriptdonlmg1", max_size=80))
def test_whatever_is_written_only_its_own_elements_come_out(text):
    check(markdown.rendered(text))


def check(found):
    for element, attributes in re.findall(r"<\/?([a-zA-Z0-9]+)([^>]*)>", found):
        assert element in _OWN
        assert re.fullmatch(r'(?: (?:class|start|rel)="[^"<>]*"| href="(?:https?://|mailto:)[^"<>]*"| /)*', attributes, re.IGNORECASE), attributes


def test_a_text_of_megabytes_is_shown_as_it_is():
    text = markdown.rendered("*a* <b>" * 100_000)
    assert text.startswith('<p class="plain">*a* &lt;b&gt;')
