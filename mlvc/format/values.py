"""User values (metadata, config, summary): JSON text inside records, a digest in its place where it is long."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import msgspec

from mlvc.errors import DamageError, UsageError
from mlvc.format import canonical, record
from mlvc.format.ids import RecordId
from mlvc.format.record import Kind

MAX_INLINE_VALUE = 1 << 10
"""A JSON text longer than this, in bytes, is kept as a record in a meta pack and named by its id."""

JsonText = str
StoredValue = JsonText | RecordId
"""A JSON text, or the id of the value record that holds it."""


def to_json(value: Any) -> JsonText:
    """Returns compact JSON text with keys as they are given; UsageError (also TypeError) for what JSON has no word for.

    NaN becomes null, as W&B does. Infinity is refused. Half a surrogate pair, which is no character, becomes a question mark.
    """
    try:
        text = json.dumps(_plain(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except RecursionError as error:
        raise NotJsonError("the value is nested too deeply") from error
    return whole_characters(text)


def whole_characters(text: str) -> str:
    """Returns a text with a question mark for each half of a surrogate pair: files and the wire hold characters."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


class NotJsonError(UsageError, TypeError, ValueError):
    """A value has no JSON form."""


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if math.isnan(value):
            return None
        if math.isinf(value):
            raise NotJsonError("Out of range float values are not JSON compliant: infinity")
        return float(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    if isinstance(value, slice):
        return {f"slice_{part}": _plain(getattr(value, part)) for part in ("start", "stop", "step")}
    if hasattr(value, "tolist"):  # numpy arrays and scalars, torch tensors, without importing either
        return _plain(value.tolist())
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "__fspath__"):
        return str(value)
    raise NotJsonError(f"a {type(value).__name__} cannot be stored: it has no JSON form")


def spelled_out(value: Any) -> Any:
    """Returns a run's value with words for what JSON has no number for: NaN, Infinity and -Infinity, as W&B writes them.

    What has no JSON form at all is its `repr`: a run that ends must not fail over a value that was let in.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {str(key): spelled_out(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [spelled_out(item) for item in value]
    if hasattr(value, "tolist"):
        return spelled_out(value.tolist())
    try:
        return _plain(value)
    except NotJsonError:
        return repr(value)


def from_json(text: JsonText) -> Any:
    """Returns the value of stored JSON text; DamageError when it is not JSON."""
    try:
        return msgspec.json.decode(text)  # a tenth of the time of `json`, but narrower: integers of 64 bits, no lone surrogates
    except (msgspec.DecodeError, RecursionError):
        return _from_unusual_json(text)


def _from_unusual_json(text: JsonText) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DamageError(f"a stored value is not JSON: {error}") from error


def to_stored(value: Any) -> tuple[StoredValue, bytes | None]:
    """Returns what a transaction holds for a value, and the record to store when it is too long to ride along."""
    text = to_json(value)
    if len(text.encode()) <= MAX_INLINE_VALUE:
        return text, None
    data = record.frame(Kind.VALUE, canonical.encode(text))
    return record.record_id(data), data


def from_record(data: bytes) -> JsonText:
    """Returns the JSON text in a value record; DamageError when it is none."""
    text = canonical.decode(record.body(data, Kind.VALUE, "a value"))
    if not isinstance(text, str):
        raise DamageError("a value record holds no text")
    return text
