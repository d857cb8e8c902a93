"""Bytes and values as texts that a browser can lay out, however long."""

from __future__ import annotations

import codecs
import json
from typing import Any

MOST_BYTES = 256 << 10
_LONGEST_LINE = 4_000


def pretty(value: Any) -> tuple[str, bool]:
    """Returns a JSON value with one item a line, and whether it was cut: indentation can make gigabytes of a megabyte."""
    found: list[str] = []
    size = 0
    for piece in json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(value):
        size += len(piece)
        if size > MOST_BYTES:
            return "".join(found), True
        found.append(piece)
    return "".join(found), False


def as_text(data: bytes, *, is_whole: bool) -> str | None:
    """Returns bytes as text, or None when they are none; a character cut off at the end does not count against what is not whole."""
    if b"\0" in data:
        return None
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(data, final=is_whole)
    except UnicodeDecodeError:
        return None


def cut_lines(text: str) -> str:
    """Returns a text whose lines a browser can lay out: a line of megabytes would stop it."""
    return "\n".join(line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}… ({len(line):,} characters)" for line in text.split("\n"))


def hex_dump(data: bytes) -> str:
    """Returns bytes as hexadecimal lines of 16, with their characters beside."""
    lines = []
    for at in range(0, len(data), 16):
        some = data[at : at + 16]
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in some)
        lines.append(f"{at:08x}  {some.hex(' '):47}  {shown}")
    return "\n".join(lines)
