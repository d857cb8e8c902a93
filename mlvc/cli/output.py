"""What the command line prints: results to stdout, everything else to stderr; plain text or one JSON document."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click

from mlvc.errors import UsageError
from mlvc.wording import count, size, when

__all__ = ["SCHEMA", "ask", "can_ask", "count", "note", "result", "size", "table", "when"]

SCHEMA = 1
"""The version of the `--json` documents: {"mlvc": 1, "command": ..., "result": ...}."""


def result(data: Any, text: str | Iterable[str]) -> None:
    """Prints a command's result: `data` as JSON when `--json` was given, else `text` (one string, or lines)."""
    context = click.get_current_context()
    if context.find_root().obj["json"]:
        document = {"mlvc": SCHEMA, "command": context.info_name, "result": data}
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
        return
    for line in [text] if isinstance(text, str) else text:
        click.echo(line)


def note(text: str) -> None:
    """Tells something beside the result, on stderr."""
    click.echo(text, err=True)


def can_ask() -> bool:
    """Tells whether there is a person at a terminal to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str) -> None:
    """Returns once the user agreed; UsageError when nobody is there to be asked, click.Abort when the answer was no."""
    if not can_ask():
        raise UsageError(f"nobody is here to answer: {question}", hint="'--yes' agrees beforehand")
    click.confirm(question, abort=True, err=True)


def table(rows: Sequence[Sequence[str]], heading: Sequence[str]) -> list[str]:
    """Returns lines with columns aligned; the heading only on a terminal."""
    shown = [list(heading), *map(list, rows)] if sys.stdout.isatty() else [list(row) for row in rows]
    if not shown:
        return []
    widths = [max(len(row[column]) for row in shown) for column in range(len(heading))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in shown]
