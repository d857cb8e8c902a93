"""What a table's column may hold: inferred from its cells, or given, and kept to. Pure."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from mlvc.media.values import Json, Media

UNKNOWN, NONE, ANY, NUMBER, STRING, BOOLEAN, TIMESTAMP = "unknown", "none", "any", "number", "string", "boolean", "timestamp"
LIST, DICT, ARRAY, UNION, CONST, OBJECT = "list", "typedDict", "ndarray", "union", "const", "pythonObject"


class ColumnType(Struct, frozen=True):
    """A type.

    Attributes:
        name: one of the names above, or a media value's type name, such as `image-file`.
        optional: whether None is allowed beside it.
        element: of a list.
        fields: of a dictionary.
        shape: of an array; None where cells differ.
        options: of a union.
        value: of a constant; the class of another Python object.
    """

    name: str
    optional: bool = False
    element: ColumnType | None = None
    fields: dict[str, ColumnType] | None = None
    shape: tuple[int, ...] | None = None
    options: tuple[ColumnType, ...] = ()
    value: Any = None

    def allowing_none(self) -> ColumnType:
        """Returns the type with None beside it."""
        return _with(self, optional=True)

    def said(self) -> Json:
        """Returns it as JSON."""
        found: Json = {"wb_type": self.name}
        if self.optional:
            found["optional"] = True
        if self.element is not None:
            found["element_type"] = self.element.said()
        if self.fields is not None:
            found["type_map"] = {key: one.said() for key, one in self.fields.items()}
        if self.shape is not None:
            found["shape"] = list(self.shape)
        if self.options:
            found["allowed_types"] = [one.said() for one in self.options]
        if self.value is not None:
            found["value"] = self.value if isinstance(self.value, (str, int, float, bool)) else repr(self.value)
        return found

    def __str__(self) -> str:
        inside = self.name
        if self.element is not None:
            inside = f"list of {self.element}"
        elif self.options:
            inside = " or ".join(map(str, self.options))
        elif self.shape is not None:
            inside = f"array of shape {list(self.shape)}"
        elif self.name in (CONST, OBJECT):
            inside = f"{self.value}"
        return f"{inside} or None" if self.optional else inside


def _with(kind: ColumnType, *, optional: bool) -> ColumnType:
    if kind.optional == optional:
        return kind
    return ColumnType(kind.name, optional, kind.element, kind.fields, kind.shape, kind.options, kind.value)


def from_json(said: Json) -> ColumnType:
    """Returns the type that `said` gave."""
    element, fields, shape = said.get("element_type"), said.get("type_map"), said.get("shape")
    return ColumnType(
        str(said["wb_type"]),
        bool(said.get("optional")),
        None if element is None else from_json(element),
        None if fields is None else {key: from_json(one) for key, one in fields.items()},
        None if shape is None else tuple(shape),
        tuple(from_json(one) for one in said.get("allowed_types", ())),
        said.get("value"),
    )


def of_value(value: Any) -> ColumnType:
    """Returns the type of one cell. TypeError for a list whose elements do not go together."""
    if value is None:
        return ColumnType(NONE)
    if isinstance(value, bool):
        return ColumnType(BOOLEAN)
    if isinstance(value, (int, float)):
        return ColumnType(NUMBER)
    if isinstance(value, str):
        return ColumnType(STRING)
    if isinstance(value, Media):
        return ColumnType(value._log_type)
    if isinstance(value, (datetime.datetime, datetime.date)):
        return ColumnType(TIMESTAMP)
    if isinstance(value, Mapping):
        return ColumnType(DICT, fields={str(key): of_value(one) for key, one in value.items()})
    if isinstance(value, (list, tuple, set, frozenset)):
        return _of_list(value)
    return _of_foreign(value)


def _of_list(values: Sequence[Any] | set[Any] | frozenset[Any]) -> ColumnType:
    element = ColumnType(UNKNOWN)
    for one in values:
        merged = element.allowing_none() if one is None else merge(element, of_value(one))
        if merged is None:
            raise TypeError(f"a list holds values of types that do not go together: {element} and {of_value(one)}")
        element = merged
    return ColumnType(LIST, element=element)


def _of_foreign(value: Any) -> ColumnType:
    """Returns the type of what numpy, pandas, torch and others give."""
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        shape, kind = tuple(value.shape), getattr(value.dtype, "kind", "f")
        if shape:
            return ColumnType(ARRAY, shape=tuple(int(n) for n in shape))
        return ColumnType({"b": BOOLEAN, "U": STRING, "S": STRING, "M": TIMESTAMP}.get(kind, NUMBER))
    if hasattr(value, "isoformat"):
        return ColumnType(TIMESTAMP)
    return ColumnType(OBJECT, value=f"{type(value).__module__}.{type(value).__qualname__}")


def of_dtype(given: Any) -> ColumnType:
    """Returns the type that a user means: a class, a list of alternatives, an example, or a constant."""
    if isinstance(given, ColumnType):
        return given
    if given is None or given is Any:
        return ColumnType(ANY if given is Any else NONE)
    if isinstance(given, type):
        if issubclass(given, Media):
            return ColumnType(given._log_type)
        plain = {bool: BOOLEAN, int: NUMBER, float: NUMBER, str: STRING, datetime.datetime: TIMESTAMP, datetime.date: TIMESTAMP}
        if given in plain:
            return ColumnType(plain[given])
        if given in (list, tuple, set):
            return ColumnType(LIST, element=ColumnType(UNKNOWN))
        if given is dict:
            return ColumnType(DICT, fields={})
        if given.__name__ == "ndarray":
            return ColumnType(ARRAY)
        return ColumnType(OBJECT, value=f"{given.__module__}.{given.__qualname__}")
    if isinstance(given, (list, tuple, set)) and all(isinstance(one, (type, ColumnType)) for one in given):
        return ColumnType(UNION, options=tuple(of_dtype(one) for one in given))
    if isinstance(given, Media):
        return of_value(given)
    if isinstance(given, (str, int, float, bool)):
        return ColumnType(CONST, value=given)
    return of_value(given)


def accept(kind: ColumnType, value: Any) -> ColumnType | None:
    """Returns the type of a column once it holds a value too, or None when it may not.

    NaN stands for a missing value wherever None may, as pandas has it.
    """
    if kind.name == ANY:
        return kind
    if value is None:
        return kind if kind.optional or kind.name == NONE else None
    if kind.name == CONST:
        return kind if value == kind.value else None
    found = merge(kind, of_value(value))
    if found is None and kind.optional and isinstance(value, float) and math.isnan(value):
        return kind
    return found


def merge(kind: ColumnType, other: ColumnType) -> ColumnType | None:
    """Returns the type that holds what both hold, or None when one column may not hold both."""
    optional = kind.optional or other.optional
    if kind.name == ANY:
        return kind
    if kind.name == UNKNOWN:
        return _with(other, optional=optional)
    if other.name == UNKNOWN:
        return _with(kind, optional=optional)
    if other.name == NONE:
        return kind if kind.optional or kind.name == NONE else None
    if kind.name == UNION:
        return kind if any(merge(option, other) is not None for option in kind.options) else None
    if kind.name == NUMBER and other.name == BOOLEAN:
        return None
    if kind.name != other.name:
        return None
    if kind.name == LIST:
        element = merge(kind.element or ColumnType(UNKNOWN), other.element or ColumnType(UNKNOWN))
        return None if element is None else ColumnType(LIST, optional, element)
    if kind.name == DICT:
        return _merged_fields(kind, other, optional)
    if kind.name == ARRAY:
        return ColumnType(ARRAY, optional, shape=kind.shape if kind.shape == other.shape else None)
    if kind.name == OBJECT and kind.value != other.value:
        return None
    return _with(kind, optional=optional)


def _merged_fields(kind: ColumnType, other: ColumnType, optional: bool) -> ColumnType | None:
    fields = dict(kind.fields or {})
    for key, theirs in (other.fields or {}).items():
        ours = fields.get(key)
        merged = theirs if ours is None else merge(ours.allowing_none(), theirs)
        if merged is None:
            return None
        fields[key] = merged
    return ColumnType(DICT, optional, fields=fields)
