"""Paths inside artifacts: relative, '/'-separated, NFC, and safe to write out on any system.

A checked-out `.git/hooks/x` would run code, so no component may be one that Git, or a file system under it, takes
for `.git` or `.mlvc`: in any letter case, as an NTFS short name or stream, with trailing dots and spaces, or with
characters that HFS+ ignores. The list follows Git's `verify_path`, `is_ntfs_dotgit` and `is_hfs_dotgit`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from mlvc.errors import InvalidNameError

MAX_PATH_BYTES = 4096
MAX_COMPONENT_BYTES = 255

_DRIVE = re.compile(r"^[A-Za-z]:")
_HFS_IGNORED = dict.fromkeys(
    [*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF], None
)
_GUARDED = (".git", ".mlvc")
_PLAIN = re.compile(r"[A-Za-z0-9_-]+(?:[./][A-Za-z0-9_-]+)*\Z")
"""Paths that nothing can be wrong with but their length: most are, and millions are checked."""

_ALL_PLAIN = re.compile(r"(?:[A-Za-z0-9_-]+(?:[./][A-Za-z0-9_-]+)*\n)+\Z")

_NTFS_SHORT = re.compile(r"^(git|mlvc)~[0-9]+$")


def normalise(path: str) -> str:
    """Returns `path` in NFC with backslashes kept as they are; the form in which paths are stored."""
    return unicodedata.normalize("NFC", path)


def check(path: str) -> str:
    """Returns `path` when it may stand in a manifest.

    Raises:
        InvalidNameError: it is absolute, climbs out, is not NFC UTF-8, or names a guarded folder.
    """
    problem = _problem(path)
    if problem:
        raise InvalidNameError(
            f"Invalid artifact path: {path!r}: {problem}",
            hint="paths in an artifact are relative, use '/', and stay inside it",
        )
    return path


def is_allowed(path: str) -> bool:
    """Tells whether a path may stand in a manifest."""
    return _problem(path) is None


_AT_ONCE = 1024
"""Longer texts would cost the regular expression memory in proportion."""


def check_all(paths: Sequence[str]) -> None:
    """Checks many paths as `check` does, at a fraction of the cost."""
    for at in range(0, len(paths), _AT_ONCE):
        some = paths[at : at + _AT_ONCE]
        if max(map(len, some)) > MAX_COMPONENT_BYTES or not _ALL_PLAIN.match("\n".join(some) + "\n"):
            for path in some:
                check(path)


def _problem(path: str) -> str | None:
    if len(path) <= MAX_COMPONENT_BYTES and _PLAIN.match(path):
        return None
    if not path or path == ".":
        return "it is empty"
    try:
        encoded = path.encode()
    except UnicodeEncodeError:
        return "it is not valid Unicode"
    if len(encoded) > MAX_PATH_BYTES:
        return f"it has {len(encoded):,} bytes, at most {MAX_PATH_BYTES:,} are allowed"
    if path.startswith(("/", "\\")) or _DRIVE.match(path):
        return "it is absolute"
    if not path.isascii() and not unicodedata.is_normalized("NFC", path):
        return "it is not in Unicode form NFC"
    if "\0" in path:
        return "it holds a NUL character"
    for component in path.split("/"):
        problem = _component_problem(component)
        if problem:
            return problem
    return None


def _component_problem(component: str) -> str | None:
    if component in ("", "."):
        return "it has an empty part"
    if component == ".." or ".." in component.split("\\"):
        return "it climbs out with '..'"
    if len(component.encode()) > MAX_COMPONENT_BYTES:
        return f"a part of it is longer than {MAX_COMPONENT_BYTES} bytes"
    for part in component.split("\\"):  # a separator on Windows
        if is_guarded(part):
            return f"'{part}' would be taken for the {'.git' if 'git' in part.lower() else '.mlvc'} folder"
    return None


def may_be_guarded(components: Sequence[str]) -> bool:
    """Tells whether `is_guarded` might hold for one of many components; almost never, and soon found out."""
    joined = "/" + "/".join(components)
    return not joined.isascii() or "~" in joined or "/." in joined or "//" in joined


def is_guarded(component: str) -> bool:
    """Tells whether some system would take a path component for `.git` or `.mlvc`."""
    if component.isascii() and component[:1] not in ("", ".") and "~" not in component:
        return False
    name = component if component.isascii() else unicodedata.normalize("NFKC", component.translate(_HFS_IGNORED))
    name = name.split(":", 1)[0].rstrip(". ").lower()  # NTFS: streams follow a colon, trailing dots and spaces drop
    return name in _GUARDED or bool(_NTFS_SHORT.match(name))


def fold_case(path: str) -> str:
    """Returns what a case-insensitive file system takes `path` for; equal results collide there."""
    return path.lower() if path.isascii() else unicodedata.normalize("NFC", path.casefold())
