"""Runs the `git` program. The one way mlvc does."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlvc.errors import Error

_TIMEOUT_S = 60

_OF_ONE_CHECKOUT = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX", "GIT_SHALLOW_FILE")
"""What a hook or a user says of the checkout at hand, and what must not be said of another one."""


class GitError(Error):
    """Git refused; the message is Git's own first line."""


def git(
    arguments: Sequence[str],
    *,
    cwd: Path,
    check: bool = True,
    data: bytes | None = None,
    elsewhere: bool = False,
    variables: Mapping[str, str] | None = None,
    timeout_s: float | None = _TIMEOUT_S,
) -> bytes | None:
    """Runs Git and returns what it printed, or None when it failed and `check` is False, or there is no Git.

    Args:
        arguments: after `git`.
        cwd: where.
        check: raise GitError when Git exits with an error.
        data: what it reads; nothing by default.
        elsewhere: it works on another checkout than the one this process was started for: variables that name that one are left out.
        variables: of the environment, beside this process' own.
        timeout_s: seconds; None for no limit.
    """
    import subprocess

    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=cwd,
            env=environment(elsewhere=elsewhere, variables=variables),
            input=data if data is not None else b"",
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except (FileNotFoundError, NotADirectoryError):
        if check:
            raise GitError("there is no 'git' program on the PATH", hint="install Git") from None
        return None
    except subprocess.TimeoutExpired:
        raise GitError(f"'git {_verb(arguments)}' did not answer within {timeout_s} s in {cwd}") from None
    if done.returncode == 0:
        return done.stdout
    if check:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise GitError(f"'git {_verb(arguments)}' failed in {cwd}: {said[0] if said else 'it gave no reason'}")
    return None


def _verb(arguments: Sequence[str]) -> str:
    return next((word for word in arguments if not word.startswith("-") and "=" not in word), "")


def environment(*, elsewhere: bool = False, variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns the variables that Git runs with: plain messages, no lock that a user's own command would meet.

    A relative path in them is meant from this process' folder, and Git is run in others: it becomes absolute.
    """
    found = {**os.environ, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", **(variables or {})}
    for name in _OF_ONE_CHECKOUT:
        if name not in found or name == "GIT_PREFIX":
            continue
        if elsewhere and name not in (variables or {}):
            del found[name]
        else:
            found[name] = os.path.abspath(found[name])
    return found


def line(arguments: Sequence[str], *, cwd: Path) -> str | None:
    """Returns what Git printed, stripped, or None when it failed or printed nothing."""
    out = git(arguments, cwd=cwd, check=False)
    return (out.decode(errors="replace").strip() or None) if out is not None else None
