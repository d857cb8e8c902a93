"""How sizes, counts and times are written for people, on a terminal and on a page."""

from __future__ import annotations


def size(size_bytes: int) -> str:
    """Returns a size: decimal units, one digit after the point."""
    if size_bytes < 1000:
        return f"{size_bytes} B"
    value = float(size_bytes)
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if value < 1000 or unit == "TB":
            break
    return f"{value:.1f} {unit}"


def count(number: int, noun: str) -> str:
    """Returns `1 file` or `3 files`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def when(milliseconds: int) -> str:
    """Returns a local time, to the minute."""
    from datetime import datetime

    return datetime.fromtimestamp(milliseconds / 1000).astimezone().strftime("%Y-%m-%d %H:%M")


_AGES = ((60, "s"), (60, "min"), (24, "h"), (7, "d"), (52, "wk"))


def ago(milliseconds: int, now_ms: int) -> str:
    """Returns how long ago a time was, in its largest unit; a time to come, as of a clock that is ahead, is now."""
    age = max(0, now_ms - milliseconds) / 1000
    if age < 10:
        return "now"
    for factor, unit in _AGES:
        if age < factor:
            return f"{int(age)} {unit} ago"
        age /= factor
    return f"{int(age)} yr ago"


def duration(seconds: float) -> str:
    """Returns a length of time, as `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours:,} h {minutes} min" if hours else f"{minutes} min {left} s"


def number(value: float) -> str:
    """Returns a number of a table: at most six digits that mean something."""
    if isinstance(value, int) or value != value or value in (float("inf"), float("-inf")):
        return f"{value:,}" if isinstance(value, int) else str(value)
    return f"{value:.6g}"
