"""References as people type them: `name`, `project/name:v3`, `name:production`, `name@1f9c2a`, `run/brisk-harbor-7`."""

from __future__ import annotations

import re

from msgspec import Struct

from mlvc.errors import InvalidNameError
from mlvc.format import names

_HEX = re.compile(r"[0-9a-f]+\Z")
_MIN_PREFIX = 4


class VersionReference(Struct, frozen=True):
    """A version of a collection, as typed.

    Attributes:
        entity: what stood before the project; recorded, separates nothing.
        project: None where none was typed: the current one.
        name: the collection's name.
        selector: alias or version label after ':', or None.
        prefix: hexadecimal digits after '@', or None.
    """

    entity: str | None
    project: str | None
    name: str
    selector: str | None
    prefix: str | None

    @property
    def number(self) -> int | None:
        """The version number asked for, or None."""
        return None if self.selector is None else names.parse_version_label(self.selector)

    def __str__(self) -> str:
        left = f"{self.project}/{self.name}" if self.project else self.name
        if self.prefix is not None:
            return f"{left}@{self.prefix}"
        return f"{left}:{self.selector}" if self.selector is not None else left


class RunReference(Struct, frozen=True):
    """A run, as typed: its label, its name, or `@` and the first digits of its id."""

    project: str | None
    text: str

    @property
    def prefix(self) -> str | None:
        """Hexadecimal digits after '@', or None."""
        return self.text[1:] if self.text.startswith("@") else None

    def __str__(self) -> str:
        return f"run/{self.text}"


def parse_version(text: str) -> VersionReference:
    """Returns the parts of a typed version reference; InvalidNameError when it is none."""
    left, colon, selector = text.partition(":")
    left, at, prefix = left.partition("@")
    if at and colon:
        raise InvalidNameError(f"'{text}' has both '@' and ':'", hint="write name:alias, name:v3 or name@1f9c2a")
    if colon and not selector:
        raise InvalidNameError(f"'{text}' ends with ':'", hint="write name:alias or name:v3")
    if at and not (_HEX.match(prefix) and len(prefix) >= _MIN_PREFIX):
        raise InvalidNameError(
            f"'{prefix}' in '{text}' is no version id", hint=f"give at least {_MIN_PREFIX} hexadecimal digits after '@'"
        )
    parts = left.split("/")
    if len(parts) > 3 or not all(parts):
        raise InvalidNameError(
            f"Invalid artifact path: '{text}'", hint="write name, project/name or entity/project/name, then :v3 or :alias"
        )
    names.check_artifact_name(parts[-1])
    return VersionReference(
        entity=parts[0] if len(parts) == 3 else None,
        project=parts[-2] if len(parts) >= 2 else None,
        name=parts[-1],
        selector=selector if colon else None,
        prefix=prefix if at else None,
    )


def parse_run(text: str) -> RunReference:
    """Returns the parts of a typed run reference: `run/X`, `X`, `project/X`, `entity/project/X`."""
    parts = text.split("/")
    if parts[0] == "run" and len(parts) > 1:
        parts = parts[1:]
    if len(parts) > 1 and parts[-2] == "runs":  # W&B prints entity/project/runs/id
        del parts[-2]
    if len(parts) > 3 or not all(parts):
        raise InvalidNameError(f"'{text}' is no run", hint="write run/NAME, run/ID or run/@1f9c2a")
    return RunReference(parts[-2] if len(parts) >= 2 else None, parts[-1])


def says_run(text: str) -> bool:
    """Tells whether the text names a run outright."""
    return text.startswith("run/") or "/runs/" in text
