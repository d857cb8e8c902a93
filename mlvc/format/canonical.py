"""Canonical MessagePack: one value, one encoding. Keys sorted, shortest forms, no floats."""

from __future__ import annotations

from typing import Any

import msgpack

from mlvc.errors import DamageError

_MAX_DEPTH = 32
_PLAIN = frozenset((int, str, bytes, bool, type(None)))


def encode(value: Any) -> bytes:
    """Returns the canonical encoding.

    Args:
        value: None, bool, int (64 bits), str, bytes, and lists, tuples and dicts with str or bytes keys of those.

    Raises:
        TypeError: anything else, floats among them: two platforms may print them differently, so user values
            with floats travel as JSON text.
    """
    packed: bytes = msgpack.packb(_ordered(value, _MAX_DEPTH), use_bin_type=True)
    return packed


def _ordered(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, (bool, int, str, bytes)):
        return value
    if depth == 0:
        raise TypeError(f"nested deeper than {_MAX_DEPTH} levels")
    if isinstance(value, (list, tuple)):
        return [item if type(item) in _PLAIN else _ordered(item, depth - 1) for item in value]
    if isinstance(value, dict):
        return {key: _ordered(value[key], depth - 1) for key in sorted(value, key=_key_order)}
    raise TypeError(f"a {type(value).__name__} has no canonical encoding")


def _key_order(key: Any) -> tuple[bool, bytes]:
    if isinstance(key, str):
        return (False, key.encode())
    if isinstance(key, bytes):
        return (True, key)
    raise TypeError(f"a {type(key).__name__} cannot be a key")


def decode(data: bytes | memoryview) -> Any:
    """Returns the value; DamageError when `data` is not one whole MessagePack value.

    Sizes claimed inside are bounded by the length of `data`, nesting by the decoder's fixed stack.
    """
    try:
        return msgpack.unpackb(data, raw=False, strict_map_key=False)
    except (TypeError, ValueError, msgpack.exceptions.UnpackException, RecursionError) as error:
        raise DamageError(f"a record cannot be decoded: {error}") from error
