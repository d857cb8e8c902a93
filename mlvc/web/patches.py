"""The uncommitted changes of a run as people read them: texts first, and of other files only that they changed."""

from __future__ import annotations

import re

_START = re.compile(rb"^(?=diff --git )", re.MULTILINE)
_BINARY = re.compile(rb"^GIT binary patch$", re.MULTILINE)


def readable(patch: bytes, most: int) -> tuple[str, bool]:
    """Returns a patch with a line in the place of each binary change, those at the end; and whether it was cut at `most` bytes."""
    texts: list[bytes] = []
    others: list[bytes] = []
    for part in _START.split(patch):
        found = _BINARY.search(part)
        if found is None:
            texts.append(part)
        else:
            others.append(part[: found.start()] + b"binary, not shown\n")
    whole = b"".join([*texts, *others])
    return whole[:most].decode("utf-8", "replace"), len(whole) > most
