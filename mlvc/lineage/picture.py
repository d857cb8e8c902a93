"""What a drawing of a lineage graph shows: boxes and lines at their places, and the SVG of them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from html import escape

from msgspec import Struct

from mlvc.lineage import layout
from mlvc.lineage.graph import BELOW, RUN, Beside, Graph, Key, Node, key_text
from mlvc.lineage.grouping import GROUP
from mlvc.lineage.layout import Layout, Point, Sizes

SIZES = Sizes()
_LETTERS = 27
"""What fits on the first line of a box."""
_SMALL_LETTERS = 32

COLOURS = {
    RUN: ("#e3f4e8", "#2e7d46"),
    "artifact": ("#e2edfb", "#2a5c9a"),
    GROUP: ("#efeff2", "#6b6b76"),
}
"""Of a kind of node: what fills the box, and its edge."""

INK, DIM, LINE = "#16181d", "#50555f", "#8a919e"


class Box(Struct, frozen=True):
    """A node as it is drawn: its upper left corner in pixels, two lines of text, shortened to fit, and how many neighbours on either side are not drawn."""

    node: Node
    at: Point
    title: str
    subtitle: str
    is_focus: bool
    hidden: tuple[int, int] = (0, 0)

    @property
    def hints(self) -> list[tuple[int, Point, str]]:
        """What stands beside the box, `+3` where three neighbours are not drawn: side, where it ends or begins, text."""
        x, y = self.at
        places = ((x - 6, y + SIZES.height - 4), (x + SIZES.width + 6, y + SIZES.height - 4))
        return [(side, places[side], f"+{count:,}") for side, count in enumerate(self.hidden) if count]


class Picture(Struct, frozen=True):
    """Boxes, and lines of points between them, in pixels; each line leads from what was there first to what came of it."""

    boxes: tuple[Box, ...]
    lines: tuple[tuple[tuple[Key, Key], tuple[Point, ...]], ...]
    width: float
    height: float


def picture(graph: Graph, placed: Layout | None = None) -> Picture:
    """Returns what to draw of a graph."""
    placed = placed or layout.layered([node.key for node in graph.nodes], graph.edges, SIZES)
    boxes = tuple(
        Box(
            node, placed.places[node.key], shortened(node.label, _LETTERS), shortened(_subtitle(node), _SMALL_LETTERS), node.key == graph.focus,
            _hidden(graph, node.key),
        )
        for node in graph.nodes
    )
    lines = tuple((edge, tuple(placed.paths[edge])) for edge in graph.edges if edge in placed.paths)
    return Picture(boxes, lines, placed.width, placed.height)


def _hidden(graph: Graph, key: Key) -> tuple[int, int]:
    above, below = graph.beside.get(key, (Beside(), Beside()))
    return above.hidden, below.hidden


def _subtitle(node: Node) -> str:
    return " · ".join(part for part in (node.kind_label, ", ".join(node.marks)) if part)


def shortened(text: str, letters: int) -> str:
    """Returns a text of at most so many letters; what is left out is in the middle, for beginnings and ends tell names apart."""
    if len(text) <= letters:
        return text
    head = (letters - 1) * 2 // 3
    return f"{text[:head]}…{text[len(text) - (letters - 1 - head):]}"


def described(node: Node) -> str:
    """Returns a node in words, for those who hear the picture."""
    return ", ".join(part for part in (node.label, node.kind_label, *node.marks) if part)


def spoken(node: Node) -> str:
    """Returns a node's name for those who hear it: what is drawn, and then all of what was shortened."""
    drawn = f"{shortened(node.label, _LETTERS)} {shortened(_subtitle(node), _SMALL_LETTERS)}".strip()
    whole = f"{node.label} {_subtitle(node)}".strip()
    return drawn if drawn == whole else f"{drawn}, in full {whole}"


_STYLE = f"""
text {{ font: 13px system-ui, sans-serif; fill: {INK}; }}
.sub {{ font-size: 11px; fill: {DIM}; }}
.line {{ fill: none; stroke: {LINE}; stroke-width: 1.5; }}
.box rect {{ stroke-width: 1.2; }}
.box.focus rect {{ stroke-width: 3; }}
"""


def as_svg(graph: Graph) -> str:
    """Returns a picture that stands alone, from left to right: runs green boxes, artifacts blue ones with round ends."""
    shown = picture(graph)
    width, height = round(shown.width), round(shown.height)
    return "\n".join(
        [
            (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" '
            f'aria-label="Lineage, {len(shown.boxes)} nodes">'),
            f"<style>{_STYLE}</style>",
            '<rect width="100%" height="100%" fill="#ffffff"/>',
            inner_svg(shown),
            "</svg>\n",
        ]
    )


def inner_svg(shown: Picture, attributes: Mapping[Key, str] | None = None) -> str:
    """Returns lines and boxes as SVG elements, for a page that styles them by class.

    Args:
        shown: what to draw.
        attributes: of each box's group, written as they are: the caller escapes them.
    """
    attributes = attributes or {}
    parts = [
        ('<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0,0 L8,4 L0,8 z" fill="{LINE}"/></marker></defs>')
    ]
    for (before, after), points in shown.lines:
        parts.append(f'<path class="line" d="{curve(points)}" marker-end="url(#arrow)" data-from="{key_text(before)}" data-to="{key_text(after)}"/>')
    for box in shown.boxes:
        fill, edge = COLOURS[box.node.key[0]]
        rounding = 6 if box.node.key[0] == RUN else SIZES.height / 2 if box.node.key[0] != GROUP else 2
        kind = f"box {box.node.key[0]}{' focus' if box.is_focus else ''}"
        x, y = box.at
        parts.append(
            f'<g class="{kind}" transform="translate({x:.1f} {y:.1f})" {attributes.get(box.node.key, "")}>'
            f"<title>{_text(described(box.node))}</title>"
            f'<rect width="{SIZES.width:g}" height="{SIZES.height:g}" rx="{rounding:g}" fill="{fill}" stroke="{edge}"/>'
            f'<text aria-hidden="true" x="14" y="20">{_text(box.title)}</text> <text aria-hidden="true" class="sub" x="14" y="36">{_text(box.subtitle)}</text></g>'
        )
        for side, (x, y), text in box.hints:
            anchor = "start" if side == BELOW else "end"
            parts.append(f'<text aria-hidden="true" class="sub hint" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" data-side="{side}" data-of="{key_text(box.node.key)}">{text}</text>')
    return "\n".join(parts)


def _text(text: str) -> str:
    """Returns a text for XML: markup escaped, what XML cannot hold left out."""
    return escape("".join(c for c in text if c in "\t\n" or (c >= " " and not "\ud800" <= c <= "\udfff" and c not in "\ufffe\uffff")))


def curve(points: tuple[Point, ...]) -> str:
    """Returns the path of a line: level where it passes a layer, bent between layers."""
    x, y = points[0]
    parts = [f"M{x:.1f},{y:.1f}"]
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        middle = (x0 + x1) / 2
        parts.append(f"H{x1:.1f}" if y0 == y1 else f"C{middle:.1f},{y0:.1f} {middle:.1f},{y1:.1f} {x1:.1f},{y1:.1f}")
    return "".join(parts)
