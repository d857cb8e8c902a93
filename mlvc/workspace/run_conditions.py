"""Conditions on runs as people write them: `config.lr>0.01`, `state=finished`, `tags=best`, and words that a name or tag contains. Pure."""

from __future__ import annotations

import json
import operator
import shlex
from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct

from mlvc.errors import UsageError
from mlvc.workspace.run_cells import Cell

_SAME = ("!=", "=")
_COMPARES: dict[str, Callable[[Any, Any], bool]] = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
_OPERATORS = ("!=", ">=", "<=", "=", ">", "<")
"""In the order they are looked for: `>` is within `>=`."""

WORDS_OF = ("name", "label", "job_type", "group", "tags")
"""Where words are looked for."""


class Condition(Struct, frozen=True):
    """The name of a cell, an operator, and what to compare with."""

    name: str
    operator: str
    wanted: Any

    def test(self) -> Callable[[Cell | None], bool]:
        """Returns what tells whether a cell fits; of a list, whether the value is in it."""
        wanted = self.wanted
        if self.operator in _SAME:
            is_wanted = self.operator == "="
            return lambda found: _is_same(found, wanted) == is_wanted
        if not isinstance(wanted, (int, float)):
            return lambda _: False
        compare = _COMPARES[self.operator]
        return lambda found: isinstance(found, (int, float)) and compare(found, wanted)


def _is_same(found: Cell | None, wanted: Any) -> bool:
    if isinstance(found, list):
        return any(_is_same(one, wanted) for one in found)
    if found is None:
        return wanted in (None, "")
    return bool(found == wanted) or str(found) == str(wanted)


class Question(Struct, frozen=True):
    """Conditions that all hold, and words in small letters that are all in one of `WORDS_OF`."""

    conditions: tuple[Condition, ...] = ()
    words: tuple[str, ...] = ()


def parse(text: str) -> Condition:
    """Returns the condition in a text; UsageError when it is none."""
    for sign in _OPERATORS:
        name, found, wanted = text.partition(sign)
        if found and name.strip():
            if not wanted.strip() and sign not in _SAME:
                break
            try:
                return Condition(name.strip(), sign, json.loads(wanted))
            except ValueError:
                return Condition(name.strip(), sign, wanted.strip())
    raise UsageError(f"'{text}' is no filter", hint="expected KEY=VALUE, or one of != > < >= <=")


def all_of(texts: Iterable[str]) -> Question:
    """Returns the question whether all conditions hold; UsageError when one is none."""
    return Question(tuple(parse(one) for one in texts))


def question(text: str) -> Question:
    """Returns what a person asks in one line: conditions, in quotes where they hold spaces, and words.

    Raises:
        UsageError: it makes no sense.
    """
    try:
        parts = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"this filter cannot be read: {error}", hint="a quotation mark needs its other half") from error
    asks = [any(sign in part for sign in "=<>") for part in parts]
    conditions = tuple(parse(part) for part, is_one in zip(parts, asks, strict=True) if is_one)
    return Question(conditions, tuple(part.lower() for part, is_one in zip(parts, asks, strict=True) if not is_one))
