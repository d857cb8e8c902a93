"""Frames between `mlvc serve --stdio` and its client: a length, then a MessagePack list. Both sides bound what they believe.

The server greets with `GREETING`. A request is [number, method, arguments]; its answer [number, outcome, value]. What is written goes as
pieces under the number of its `write`, and None ends it.
"""

from __future__ import annotations

import struct
from typing import Any, BinaryIO

import msgpack

from mlvc.errors import RemoteError

GREETING = b"mlvc-serve 1\n"
DONE, MISSING, FAILED = 0, 1, 2
"""Outcomes: a value; there is nothing under the key; a sentence and a hint about what went wrong."""

MAX_FRAME = 64 << 20
_HEAD = struct.Struct(">I")


def send(stream: BinaryIO, message: list[Any]) -> None:
    """Writes one frame and flushes; OSError when the other side is gone."""
    data = msgpack.packb(message)
    stream.write(_HEAD.pack(len(data)) + data)
    stream.flush()


def receive(stream: BinaryIO) -> list[Any] | None:
    """Reads one frame; None at the end of the stream. RemoteError when what comes is no frame."""
    head = _exactly(stream, _HEAD.size)
    if not head:
        return None
    (size,) = _HEAD.unpack(head)
    if size > MAX_FRAME:
        raise RemoteError(f"the other side sent a message of {size:,} bytes, at most {MAX_FRAME:,} are taken")
    data = _exactly(stream, size)
    try:
        message = msgpack.unpackb(data)  # no part can be longer than the frame
    except (ValueError, msgpack.exceptions.UnpackException) as error:
        raise RemoteError("the other side sent something that is no message") from error
    if not isinstance(message, list) or len(message) != 3 or not isinstance(message[0], int):
        raise RemoteError("the other side sent something that is no message")
    return message


def _exactly(stream: BinaryIO, size: int) -> bytes:
    parts: list[bytes] = []
    left = size
    while left:
        part = stream.read(left)
        if not part:
            if left == size and not parts:
                return b""
            raise RemoteError("the line to the other side was cut")
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
