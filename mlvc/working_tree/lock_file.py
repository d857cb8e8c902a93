r"""`mlvc.lock`: which version each path of the working tree holds, by id. Tracked by Git, one sorted line a path.

A line is four fields with tabs between: path, version id, collection, and the entry that the path is (`.` for a folder
that holds the whole artifact). Tabs, line ends and backslashes in paths are written as `\t`, `\n` and `\\`.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from mlvc import atomic_file
from mlvc.errors import ConflictError, DamageError, local_file_error
from mlvc.format.ids import ID_SIZE, VersionId

FILE_NAME = "mlvc.lock"
_HEADER = "# mlvc.lock 1: path, version, collection, entry. Written by mlvc; commit it with your code.\n"
WHOLE = "."
_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_UNESCAPES = {escaped: plain for plain, escaped in _ESCAPES.items()}


class Pin(Struct, frozen=True):
    """What one path holds.

    Attributes:
        path: relative to the working tree's root, with '/'.
        version: by id.
        collection: as stored.
        entry: the artifact's path that the pinned path is, or `WHOLE`.
    """

    path: str
    version: VersionId
    collection: str
    entry: str


Pins = dict[str, Pin]


def read(root: Path) -> Pins:
    """Returns the pins of a working tree by path.

    Raises:
        ConflictError: a Git merge left conflict markers in the file.
        DamageError: a line cannot be understood.
    """
    path = root / FILE_NAME
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError as error:
        raise DamageError(f"{path} is not UTF-8 text") from error
    except OSError as error:
        raise local_file_error(error, f"read {path}") from error
    return parse(text, str(path))


def parse(text: str, what: str) -> Pins:
    """Returns the pins in a lock file's text; errors as `read`."""
    pins: Pins = {}
    for number, text_line in enumerate(text.split("\n"), 1):  # not splitlines: a path may hold what Unicode takes for a line end
        if not text_line or text_line.startswith("#"):
            continue
        if text_line.startswith(("<<<<<<<", "=======", ">>>>>>>")) and "\t" not in text_line:
            raise ConflictError(
                f"{what} holds conflict markers of a Git merge, at line {number}",
                hint="'mlvc resolve' shows both sides and takes one",
            )
        fields = text_line.split("\t")
        try:
            path, version, collection, entry = fields
            pin = Pin(_unescape(path), _version_id(version), collection, _unescape(entry))
        except ValueError as error:
            raise DamageError(
                f"line {number} of {what} cannot be understood: expected path, version, collection and entry with tabs "
                f"between, found {text_line[:60]!r}",
                hint="restore the file from Git",
            ) from error
        pins[pin.path] = pin
    return pins


def _version_id(text: str) -> VersionId:
    found = bytes.fromhex(text)
    if len(found) != ID_SIZE:
        raise ValueError("length of the id")
    return VersionId(found)


def write(root: Path, pins: Pins) -> None:
    """Writes the pins of a working tree, atomically."""
    atomic_file.replace(root / FILE_NAME, render(pins).encode())


@contextmanager
def held(lock: Path) -> Iterator[None]:
    """Holds a lock against others that change pins, or what files were brought in line with."""
    atomic_file.make_folder(lock.parent)
    try:
        fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise local_file_error(error, f"open the lock {lock}") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


@contextmanager
def changing(root: Path, lock: Path) -> Iterator[Pins]:
    """Yields the pins for changing, and writes what the block leaves in them, when it ends well.

    Args:
        root: the working tree.
        lock: a file to lock meanwhile, so that commands run at once lose none of each other's pins.
    """
    with held(lock):
        pins = read(root)
        before = dict(pins)
        yield pins
        if pins != before:
            write(root, pins)


def render(pins: Pins) -> str:
    """Returns the text of a lock file."""
    return _HEADER + "".join(line(pin) for _, pin in sorted(pins.items(), key=lambda item: item[0].encode()))


def line(pin: Pin) -> str:
    """Returns the line of one pin."""
    return "\t".join((escape(pin.path), pin.version.hex(), pin.collection, escape(pin.entry))) + "\n"


def escape(text: str) -> str:
    """Returns a path as a line holds it."""
    escaped = "".join(_ESCAPES.get(c, c) for c in text)
    return "\\" + escaped if escaped.startswith("#") else escaped


def _unescape(text: str) -> str:
    if text.startswith("\\#"):
        text = text[1:]
    return re.sub(r"\\.", lambda match: _UNESCAPES.get(match[0], match[0]), text)
