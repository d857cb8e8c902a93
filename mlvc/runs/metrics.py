"""How a metric's values become its summary: the last one, unless `define_metric` asked for others. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

LAST, FIRST, MIN, MAX, MEAN, BEST, NONE, COPY = "last", "first", "min", "max", "mean", "best", "none", "copy"
SUMMARIES = (LAST, FIRST, MIN, MAX, MEAN, BEST, NONE, COPY)
MINIMIZE, MAXIMIZE = "minimize", "maximize"


class MetricRule(Struct, frozen=True):
    """What `define_metric` said of a metric.

    Attributes:
        name: of the metric; a `*` at the end stands for any rest.
        step_metric: what charts have as its x axis, or "".
        step_sync: whether the last value of `step_metric` is logged with it.
        hidden: whether charts leave it out.
        summary: which of `SUMMARIES`; empty means the last value by itself.
        goal: what `best` means: `minimize` or `maximize`.
        seed: of a resumed run's mean: the sum of the values before, and their count.
    """

    name: str
    step_metric: str = ""
    step_sync: bool = False
    hidden: bool = False
    summary: tuple[str, ...] = ()
    goal: str = MINIMIZE
    seed: tuple[float, int] = (0.0, 0)

    def fits(self, name: str) -> bool:
        """Tells whether it is about a metric."""
        if not self.name.endswith("*"):
            return self.name == name
        return re.match(re.escape(self.name[:-1]), name) is not None and not name.startswith("_")


def rule_to_json(rule: MetricRule) -> dict[str, Any]:
    """Returns a rule as events and facts hold it: what is not the default."""
    said = {"name": rule.name, "step_metric": rule.step_metric, "step_sync": rule.step_sync, "hidden": rule.hidden}
    said |= {"summary": list(rule.summary), "goal": rule.goal, "seed": list(rule.seed)}
    defaults = {"goal": MINIMIZE, "seed": [0.0, 0]}
    return {key: value for key, value in said.items() if value and value != defaults.get(key)}


def rule_from_json(said: Mapping[str, Any]) -> MetricRule:
    """Returns the rule that `rule_to_json` gave; parts that are not known are left out."""
    total, count = said.get("seed", (0.0, 0))
    return MetricRule(
        str(said.get("name", "")),
        str(said.get("step_metric", "")),
        bool(said.get("step_sync")),
        bool(said.get("hidden")),
        tuple(str(one) for one in said.get("summary", ())),
        str(said.get("goal", MINIMIZE)),
        (float(total), int(count)),
    )


class Summaries:
    """The rules of one run, and the means so far."""

    def __init__(self) -> None:
        self.rules: list[MetricRule] = []
        self._found: dict[str, MetricRule | None] = {}
        self._means: dict[str, tuple[float, int]] = {}

    def define(self, rule: MetricRule) -> None:
        """Takes a rule in; a later one of the same name replaces it."""
        self.rules = [one for one in self.rules if one.name != rule.name] + [rule]
        self._found.clear()
        if rule.seed[1]:
            self._means[rule.name] = rule.seed

    def rule(self, name: str) -> MetricRule | None:
        """Returns the rule of a metric: one of exactly its name before one with a `*`."""
        if name not in self._found:
            exact = [one for one in self.rules if one.name == name]
            self._found[name] = next(iter(exact or [one for one in self.rules if one.fits(name)]), None)
        return self._found[name]

    def take(self, summary: dict[str, Any], logged: Mapping[str, Any]) -> None:
        """Brings a summary up to date with logged values."""
        if not self.rules:
            summary.update(logged)
            return
        for name, value in logged.items():
            rule = self.rule(name)
            if rule is None or not rule.summary or rule.summary == (COPY,):
                summary[name] = value
            elif NONE in rule.summary:
                continue
            elif isinstance(value, (int, float)):
                before = summary.get(name)
                summary[name] = self._summed_up(rule, name, before if isinstance(before, dict) else {}, value)
            else:
                summary[name] = value

    def _summed_up(self, rule: MetricRule, name: str, before: dict[str, Any], value: float) -> dict[str, Any]:
        said = dict(before)
        for kind in rule.summary:
            if kind == LAST:
                said[LAST] = value
            elif kind == FIRST:
                said.setdefault(FIRST, value)
            elif isinstance(value, float) and math.isnan(value):
                continue  # there is no smallest among what is no number
            elif kind == MEAN:
                total, count = self._means.get(name, (0.0, 0))
                self._means[name] = total, count = total + value, count + 1
                said[MEAN] = total / count
            elif kind in (MIN, MAX, BEST):
                pick = min if kind == MIN or (kind == BEST and rule.goal == MINIMIZE) else max
                said[kind] = pick(said.get(kind, value), value)
        return said
