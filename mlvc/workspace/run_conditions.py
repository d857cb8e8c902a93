"""Conditions on runs as people write them: `config.lr>0.01`, `state=finished`, `tags=best`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from mlvc.errors import UsageError

_OPERATORS = ("!=", ">=", "<=", "=", ">", "<")
_PARTS = ("config.", "summary.", "facts.")


class Condition(Struct, frozen=True):
    """A name within a run's plain data, an operator, and what to compare with."""

    name: str
    operator: str
    wanted: Any

    def holds(self, run: Mapping[str, Any]) -> bool:
        """Tells whether a run, as `shapes.run` has it, fits; of a list, whether the value is in it."""
        found = value(run, self.name)
        if self.operator in ("=", "!="):
            same = self.wanted in found if isinstance(found, list) else found == self.wanted or str(found) == str(self.wanted)
            return bool(same) == (self.operator == "=")
        if not isinstance(found, (int, float)) or not isinstance(self.wanted, (int, float)):
            return False
        return {">": found > self.wanted, "<": found < self.wanted, ">=": found >= self.wanted, "<=": found <= self.wanted}[self.operator]


def parse(text: str) -> Condition:
    """Returns the condition in a text; UsageError when it is none."""
    for operator in _OPERATORS:
        name, found, wanted = text.partition(operator)
        if found and name.strip():
            if not wanted.strip() and operator not in ("=", "!="):
                break
            try:
                return Condition(name.strip(), operator, json.loads(wanted))
            except ValueError:
                return Condition(name.strip(), operator, wanted.strip())
    raise UsageError(f"'{text}' is no filter", hint="expected KEY=VALUE, or one of != > < >= <=")


def value(run: Mapping[str, Any], name: str) -> Any:
    """Returns what a run has under a name such as `state`, `config.lr` or `summary.acc`; None where it has nothing."""
    found: Any = run
    for part in name.split(".", 1) if name.startswith(_PARTS) else [name]:
        found = found.get(part) if isinstance(found, Mapping) else None
    return found
