"""Numbers in the query of an address: strict for programs, forgiving for people who edit an address."""

from __future__ import annotations

import math

from starlette.requests import Request

from mlvc.errors import UsageError

_MOST_PAGES = 99_999_999


def whole(request: Request, name: str, default: int, least: int, most: int) -> int:
    """Returns a whole number; UsageError when it is none, or outside of its bounds."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and least <= int(text) <= most):
        raise UsageError(f"{name} is {text[:40]!r}, expected a whole number from {least:,} to {most:,}")
    return int(text)


def near(request: Request, name: str, default: int, most: int) -> int:
    """Returns a whole number from 0 to `most`: the greatest for a greater one, the default for what is none."""
    try:
        return min(whole(request, name, default, 0, 999_999_999), most)
    except UsageError:
        return default


def page(request: Request) -> int:
    """Returns which page is asked for, 0 for the first."""
    return near(request, "page", 0, _MOST_PAGES)


def number(request: Request, name: str, default: float) -> float:
    """Returns a number; UsageError when it is none."""
    text = request.query_params.get(name)
    if text is None:
        return default
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if math.isnan(found):
        raise UsageError(f"{name} is {text[:40]!r}, expected a number")
    return found
