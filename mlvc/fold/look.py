"""The view as the fold sees it: ordered keys, values of plain data, and changes that can be rolled back."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import Any, Protocol

import msgpack
from msgspec import Struct

Part = str | bytes | int
Value = Any
"""Plain data as MessagePack returns it: None, bool, int, str, bytes, list, dict. Never changed in place."""

_INT, _STR, _BYTES = b"\x01", b"\x02", b"\x03"
_END = b"\x00\x00"


def key(*parts: Part) -> bytes:
    """Returns a key whose byte order is the order of its parts, so that a prefix of parts is a prefix of bytes."""
    out = b""
    for part in parts:
        if isinstance(part, bytes):
            out += _BYTES + (part.replace(b"\x00", b"\x00\xff") if b"\x00" in part else part) + _END
        elif isinstance(part, str):
            out += _texts.get(part) or _text(part)
        else:
            out += _INT + part.to_bytes(8, "big")
    return out


_texts: dict[str, bytes] = {}
"""The fold asks for the same few names over and over: of tables, collections and aliases."""

_MOST_TEXTS = 4_096


def _text(part: str) -> bytes:
    encoded = _STR + part.encode().replace(b"\x00", b"\x00\xff") + _END
    if len(_texts) < _MOST_TEXTS:
        _texts[part] = encoded
    return encoded


def parts(encoded: bytes) -> list[Part]:
    """Returns the parts that `key` was made of."""
    found: list[Part] = []
    at = 0
    while at < len(encoded):
        tag = encoded[at : at + 1]
        if tag == _INT:
            found.append(int.from_bytes(encoded[at + 1 : at + 9], "big"))
            at += 9
            continue
        end = encoded.index(_END, at + 1)
        raw = encoded[at + 1 : end].replace(b"\x00\xff", b"\x00")
        found.append(raw.decode() if tag == _STR else raw)
        at = end + 2
    return found


class Look(Protocol):
    """Answers questions about the view so far."""

    def get(self, at: bytes) -> Value | None:
        """Returns the value at a key, or None."""
        ...

    def scan(self, prefix: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, Value]]:
        """Yields (key, value) for all keys with the prefix, in key order or against it."""
        ...


class Change(Struct, frozen=True):
    """What became of one key, and what it replaced; None stands for no value."""

    key: bytes
    old: Value | None
    new: Value | None


Changes = tuple[Change, ...]


class Overlay:
    """A view with changes laid over it. Writes go to the overlay only."""

    def __init__(self, below: Look) -> None:
        self._below = below
        self._new: dict[bytes, Value | None] = {}
        self._log: list[tuple[bytes, bool, Value | None]] = []

    def get(self, at: bytes) -> Value | None:
        """See `Look.get`."""
        if at in self._new:
            return self._new[at]
        return self._below.get(at)

    def scan(self, prefix: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, Value]]:
        """See `Look.scan`; sees the changes made before the call."""
        mine = [k for k in self._new if k.startswith(prefix)]
        if not mine:
            yield from self._below.scan(prefix, reverse=reverse)
            return
        mine.sort(reverse=reverse)
        place = 0
        for found, value in self._below.scan(prefix, reverse=reverse):
            while place < len(mine) and (mine[place] > found if reverse else mine[place] < found):
                yield from self._mine(mine[place])
                place += 1
            if place < len(mine) and mine[place] == found:
                yield from self._mine(found)
                place += 1
            elif found not in self._new:
                yield found, value
        for at in mine[place:]:
            yield from self._mine(at)

    def _mine(self, at: bytes) -> Iterator[tuple[bytes, Value]]:
        value = self._new.get(at)
        if value is not None:
            yield at, value

    def put(self, at: bytes, value: Value | None) -> None:
        """Sets the value at a key; None removes it."""
        self._log.append((at, at in self._new, self._new.get(at)))
        self._new[at] = value

    def mark(self) -> int:
        """Returns a point that `back_to` can return to."""
        return len(self._log)

    def back_to(self, mark: int) -> None:
        """Takes back everything put since `mark`."""
        while len(self._log) > mark:
            at, was_set, value = self._log.pop()
            if was_set:
                self._new[at] = value
            else:
                del self._new[at]

    def changes(self) -> Changes:
        """Returns what differs from the view below."""
        found = []
        for at, new in self._new.items():
            old = self._below.get(at)
            if old != new:
                found.append(Change(at, old, new))
        return tuple(found)


class DictView:
    """A view in memory, for folding much at once, for tests and for small questions."""

    def __init__(self) -> None:
        self._values: dict[bytes, bytes] = {}
        self._keys: dict[bytes, list[bytes]] = {}
        """By first part, sorted: an insertion moves few."""

    def __len__(self) -> int:
        return len(self._values)

    def get(self, at: bytes) -> Value | None:
        """See `Look.get`."""
        packed = self._values.get(at)
        return None if packed is None else msgpack.unpackb(packed, strict_map_key=False)

    def scan(self, prefix: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, Value]]:
        """See `Look.scan`."""
        table = _first_part(prefix)
        keys = self._keys.get(table, []) if table else sorted(self._values)
        start = end = bisect_left(keys, prefix)
        while end < len(keys) and keys[end].startswith(prefix):
            end += 1
        found = keys[start:end]
        for at in reversed(found) if reverse else found:
            yield at, self.get(at)

    def apply(self, changes: Changes) -> None:
        """Makes the changes."""
        for change in changes:
            self._set(change.key, change.new)

    def roll_back(self, changes: Changes) -> None:
        """Takes the changes back."""
        for change in changes:
            self._set(change.key, change.old)

    def _set(self, at: bytes, value: Value | None) -> None:
        if value is None:
            if self._values.pop(at, None) is not None:
                keys = self._keys[_first_part(at)]
                del keys[bisect_left(keys, at)]
        else:
            if at not in self._values:
                insort(self._keys.setdefault(_first_part(at), []), at)
            self._values[at] = msgpack.packb(value)

    def snapshot(self) -> dict[bytes, bytes]:
        """Returns a copy of everything, for comparing."""
        return dict(self._values)


def _first_part(encoded: bytes) -> bytes:
    """Returns the first part of a key, the name of a table, as it is encoded; nothing where no part is whole."""
    return encoded[: encoded.find(_END) + len(_END)] if _END in encoded else b""
