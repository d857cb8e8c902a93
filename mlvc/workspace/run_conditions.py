"""Conditions on runs as people write them: `config.lr>0.01`, `state=finished`, `tags=best`, and words that a name or tag contains. Pure."""

from __future__ import annotations

import json
import operator
import re
import shlex
from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct

from mlvc.errors import UsageError
from mlvc.workspace import run_cells
from mlvc.workspace.run_cells import Cell

_COMPARES: dict[str, Callable[[Any, Any], bool]] = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
_CONDITION = re.compile(r"(?P<name>.*?)(?P<operator>!=|>=|<=|=|>|<)(?P<wanted>.*)", re.DOTALL)
_MOST_PARTS = 50
WORDS_OF = ("name", "label", "job_type", "group", "tags")
"""Where words are looked for."""


class Condition(Struct, frozen=True):
    """The name of a cell, an operator, and what to compare with: as it was typed, and as JSON where it is some."""

    name: str
    operator: str
    text: str
    wanted: Any

    def test(self) -> Callable[[Cell | None], bool]:
        """Returns what tells whether a cell fits; of a list, whether the value is in it."""
        if self.operator in ("=", "!="):
            is_wanted = self.operator == "="
            return lambda found: self._is(found) == is_wanted
        compare, wanted = _COMPARES[self.operator], run_cells.number_of(self.wanted)
        if wanted is None:
            return lambda _: False
        return lambda found: (number := run_cells.number_of(found)) is not None and compare(number, wanted)

    def _is(self, found: Cell | None) -> bool:
        """Tells whether a cell is what is wanted; nothing is what is wanted where nothing was typed."""
        if isinstance(found, list):
            return any(self._is(one) for one in found)
        if found is None:
            return not self.text
        if run_cells.shown(found) == self.text or (isinstance(found, bool) and str(found) == self.text):
            return True
        number = run_cells.number_of(found)
        return (number is not None and number == run_cells.number_of(self.wanted)) or (isinstance(found, str) and found == self.wanted)


class Question(Struct, frozen=True):
    """Conditions that all hold, and words in small letters that are all in one of `WORDS_OF`."""

    conditions: tuple[Condition, ...] = ()
    words: tuple[str, ...] = ()


def parse(text: str) -> Condition:
    """Returns the condition in a text, split at its first operator; UsageError when it is none."""
    found = _CONDITION.fullmatch(text)
    if found is None or not found["name"].strip() or (found["operator"] in _COMPARES and not found["wanted"].strip()):
        raise UsageError(f"'{text}' is no filter", hint="expected KEY=VALUE, or one of != > < >= <=")
    wanted = found["wanted"].strip()
    try:
        return Condition(found["name"].strip(), found["operator"], wanted, json.loads(wanted))
    except (ValueError, RecursionError):
        return Condition(found["name"].strip(), found["operator"], wanted, wanted)


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
    if len(parts) > _MOST_PARTS:
        raise UsageError(f"this filter has {len(parts):,} parts, at most {_MOST_PARTS} are looked at")
    return Question(conditions, tuple(part.lower() for part, is_one in zip(parts, asks, strict=True) if not is_one))
