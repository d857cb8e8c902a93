"""`git+https://`, `git+ssh://`, `git+file://`, `git+git@host:path`: the URL of a Git host that keeps a store beside the code."""

from __future__ import annotations

import re

from mlvc.errors import UsageError

PREFIX = "git+"

DATA_OPTION = "data"
"""Of a remote in `mlvc.toml`: whether data goes to the host as well."""

_OVER_A_PROTOCOL = re.compile(r"(?:https?|git|ssh|file)://(?!-)")
_USER_AND_HOST = re.compile(r"(?!-)[A-Za-z0-9._-]+@(?!-)[A-Za-z0-9.-]+:(?!//)")
_CREDENTIALS = re.compile(r"https?://[^/]*@|[a-z]+://[^/@]*:[^/@]*@")


def is_git(url: str) -> bool:
    """Tells whether a URL is of a Git host: with the prefix, or one that means nothing else."""
    return url.startswith((PREFIX, "https://", "http://", "git://")) or _USER_AND_HOST.match(url) is not None


def normal(url: str) -> str:
    """Returns the URL of a Git host as it is kept, with its prefix; UsageError when it is none, or holds a password."""
    inner = url.removeprefix(PREFIX)
    if _CREDENTIALS.match(inner):
        raise UsageError("the URL holds a user name or password, and mlvc.toml is for everyone", hint="a Git credential helper keeps them")
    is_known = _USER_AND_HOST.match(inner) or _OVER_A_PROTOCOL.match(inner)
    if not is_known or "\n" in inner or "\x00" in inner:
        raise UsageError(
            f"{url!r} names no Git repository", hint="write it as git+https://host/path.git, git+ssh://host/path or git+file:///path"
        )
    return f"{PREFIX}{inner}"
