"""A lineage graph as a PNG: the same picture as the SVG, drawn by Pillow at twice its size."""

from __future__ import annotations

import io
import itertools
from typing import Any

from mlvc.errors import UsageError
from mlvc.lineage import picture
from mlvc.lineage.graph import BELOW, RUN, Graph
from mlvc.lineage.layout import Point
from mlvc.media.values import needs

_SCALE = 2
_CURVE = 12
_MOST_PIXELS = 120_000_000
"""A larger picture takes more memory than it is worth; an SVG has no such bound."""


def as_png(graph: Graph) -> bytes:
    """Returns the picture as PNG; UsageError when it would be too large."""
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError as error:
        raise needs("pillow", "PNG pictures") from error
    shown = picture.picture(graph)
    width, height = round(shown.width * _SCALE), round(shown.height * _SCALE)
    if width * height > _MOST_PIXELS:
        raise UsageError(f"the picture would have {width:,} x {height:,} pixels", hint="--format svg has no such bound; --depth draws less")
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    for _, points in shown.lines:
        path = [(x * _SCALE, y * _SCALE) for x, y in bent(points)]
        draw.line(path, fill=picture.LINE, width=3, joint="curve")
        x, y = path[-1]
        draw.polygon([(x, y), (x - 14, y - 8), (x - 14, y + 8)], fill=picture.LINE)
    large, small = ImageFont.load_default(13 * _SCALE), ImageFont.load_default(11 * _SCALE)
    for box in shown.boxes:
        _box(draw, box, large, small)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _box(draw: Any, box: picture.Box, large: Any, small: Any) -> None:
    fill, edge = picture.COLOURS[box.node.key[0]]
    x, y = box.at[0] * _SCALE, box.at[1] * _SCALE
    corner = (x + picture.SIZES.width * _SCALE, y + picture.SIZES.height * _SCALE)
    rounding = 12 if box.node.key[0] == RUN else picture.SIZES.height * _SCALE / 2
    draw.rounded_rectangle([(x, y), corner], rounding, fill=fill, outline=edge, width=6 if box.is_focus else 2)
    draw.text((x + 28, y + 12), box.title, font=large, fill=picture.INK)
    draw.text((x + 28, y + 50), box.subtitle, font=small, fill=picture.DIM)
    for side, (hint_x, hint_y), text in box.hints:
        draw.text((hint_x * _SCALE, hint_y * _SCALE), text, font=small, fill=picture.DIM, anchor="ls" if side == BELOW else "rs")


def bent(points: tuple[Point, ...]) -> list[Point]:
    """Returns a line's points with those of the curves between layers, as `picture.curve` draws them."""
    found = [points[0]]
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        if y0 == y1:
            found.append((x1, y1))
            continue
        middle = (x0 + x1) / 2
        for step in range(1, _CURVE + 1):
            t = step / _CURVE
            a, b, c, d = (1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3
            found.append((a * x0 + b * middle + c * middle + d * x1, a * y0 + b * y0 + c * y1 + d * y1))
    return found
