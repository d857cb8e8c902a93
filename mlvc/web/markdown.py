"""Descriptions and notes as people write them elsewhere: Markdown, of which nothing is executed and nothing is fetched."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_core import StateCore
    from markdown_it.token import Token

MOST = 100_000
"""Characters that are rendered: a longer text is shown as it is."""

_LINKS = ("https://", "http://", "mailto:")


def rendered(text: str) -> Markup:
    """Returns a text as HTML. HTML in it is shown, not used; links lead outside and say nothing of where they were; pictures are named only."""
    if len(text) > MOST:
        return Markup('<p class="plain">{}</p>').format(text)
    if not text:
        return Markup()
    return Markup('<div class="markdown">{}</div>').format(Markup(_parser().render(text)))  # noqa: S704 - the parser escapes all that is not its own


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    made = MarkdownIt("commonmark", {"html": False, "linkify": False, "breaks": True}).enable(["table", "strikethrough"])
    made.validateLink = lambda url: url.lower().startswith(_LINKS)  # type: ignore[method-assign]
    made.core.ruler.push("fitting in", _fit_in)
    made.add_render_rule("link_open", _link)
    made.add_render_rule("image", _image)
    return made


def _fit_in(state: StateCore) -> None:
    """Makes headings ones within a page, which has its own first and second, and takes out styles, which its policy refuses."""
    for token in state.tokens:
        token.attrs.pop("style", None)
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1:]) + 2)}"


def _link(_: Any, tokens: Sequence[Token], place: int, __: Any, ___: Any) -> str:
    return f'<a href="{escape(str(tokens[place].attrGet("href") or ""))}" rel="noopener noreferrer nofollow">'


def _image(_: Any, tokens: Sequence[Token], place: int, __: Any, ___: Any) -> str:
    token = tokens[place]
    return f'<span class="dim">[{escape(token.content or "picture")}: {escape(str(token.attrGet("src") or ""))}]</span>'
