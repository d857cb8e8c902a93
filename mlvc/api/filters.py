"""W&B's filters and orders: a small part of MongoDB's language over runs and versions. Pure.

A filter is compiled once. What it reads of a record is asked by path, so that a scan of many runs decodes only what it looks at.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mlvc.errors import UsageError

Read = Callable[[str], Any]
"""Returns what a record has at a dotted path, or `MISSING`."""

Test = Callable[[Read], bool]


class _Missing:
    def __repr__(self) -> str:
        return "missing"


MISSING = _Missing()


def compiled(filters: Mapping[str, Any] | None) -> Test:
    """Returns what tells whether a record fits.

    Raises:
        UsageError: an operator is not known, or has a value of the wrong kind.
    """
    if not filters:
        return lambda _: True
    if not isinstance(filters, Mapping):
        raise UsageError(f"filters are a dictionary, found a {type(filters).__name__}")
    tests = [_of_pair(name, wanted) for name, wanted in filters.items()]
    return lambda read: all(test(read) for test in tests)


def _of_pair(name: str, wanted: Any) -> Test:
    if name in _JOINS:
        if not isinstance(wanted, Sequence) or isinstance(wanted, str) or not all(isinstance(one, Mapping) for one in wanted):
            raise UsageError(f"{name} takes a list of filters, found {wanted!r:.60}")
        tests = [compiled(one) for one in wanted]
        join = _JOINS[name]
        return lambda read: join(test(read) for test in tests)
    if name == "$not":
        inner = compiled(wanted)
        return lambda read: not inner(read)
    if name.startswith("$"):
        raise UsageError(f"the operator {name} is not known", hint=f"there are {', '.join([*_JOINS, '$not', *_OPERATORS])}")
    if isinstance(wanted, Mapping) and wanted and all(str(key).startswith("$") for key in wanted):
        operators = [_of_operator(str(one), value) for one, value in wanted.items()]
        return lambda read: all(fits(read(name)) for fits in operators)
    return lambda read: _equal(read(name), wanted)


def _of_operator(name: str, value: Any) -> Callable[[Any], bool]:
    if name == "$not":
        if not isinstance(value, Mapping):
            raise UsageError(f"$not takes operators, found {value!r:.60}")
        inner = [_of_operator(str(one), held) for one, held in value.items()]
        return lambda found: not all(fits(found) for fits in inner)
    if name not in _OPERATORS:
        raise UsageError(f"the operator {name} is not known", hint=f"there are {', '.join([*_JOINS, '$not', *_OPERATORS])}")
    if name in ("$in", "$nin") and (isinstance(value, str) or not isinstance(value, (list, tuple, set))):
        raise UsageError(f"{name} takes a list, found {value!r:.60}")
    if name == "$regex":
        try:
            pattern = re.compile(value)
        except (re.error, TypeError) as error:
            raise UsageError(f"{value!r:.60} is no regular expression: {error}") from error
        return lambda found: any(isinstance(one, str) and pattern.search(one) is not None for one in _each(found))
    test = _OPERATORS[name]
    return lambda found: test(found, value)


def _each(found: Any) -> Sequence[Any]:
    """Returns the values that a condition may hold of: a list's own, as MongoDB has it."""
    return (*found, found) if isinstance(found, (list, tuple)) else (found,)


def _equal(found: Any, wanted: Any) -> bool:
    if found is MISSING:
        return wanted is None
    return any(one == wanted for one in _each(found))


def _compares(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compare(found: Any, wanted: Any) -> bool:
        for one in _each(found):
            numbers = isinstance(one, (int, float)) and isinstance(wanted, (int, float))
            if (numbers or (isinstance(one, str) and isinstance(wanted, str))) and test(one, wanted):
                return True
        return False

    return compare


_JOINS: dict[str, Callable[[Any], bool]] = {
    "$and": all,
    "$or": any,
    "$nor": lambda found: not any(found),
}

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "$eq": _equal,
    "$ne": lambda found, wanted: not _equal(found, wanted),
    "$gt": _compares(lambda found, wanted: found > wanted),
    "$gte": _compares(lambda found, wanted: found >= wanted),
    "$lt": _compares(lambda found, wanted: found < wanted),
    "$lte": _compares(lambda found, wanted: found <= wanted),
    "$in": lambda found, wanted: any(_equal(found, one) for one in wanted),
    "$nin": lambda found, wanted: not any(_equal(found, one) for one in wanted),
    "$exists": lambda found, wanted: (found is not MISSING) == bool(wanted),
    "$regex": operator.eq,  # never asked: it is compiled apart
}


def at_path(held: Any, path: str) -> Any:
    """Returns what a nested dictionary has at a dotted path, a key with dots before a nested one, or MISSING."""
    if not isinstance(held, Mapping):
        return MISSING
    if path in held:
        return held[path]
    head, dot, rest = path.partition(".")
    while dot:
        if head in held:
            return at_path(held[head], rest)
        more, dot, rest = rest.partition(".")
        head = f"{head}.{more}"
    return MISSING


def sort_key(found: Any) -> tuple[int, Any]:
    """Returns what sorts values of any kinds: what is missing first, then numbers, then texts."""
    if found is MISSING or found is None:
        return 0, 0
    if isinstance(found, (int, float)):
        return 1, found
    return 2, str(found)
