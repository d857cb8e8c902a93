"""Runs the `git` program. The one way mlvc does."""

from __future__ import annotations

import os
from pathlib import Path

from mlvc.errors import Error

_TIMEOUT_S = 60


class GitError(Error):
    """Git refused; the message is Git's own first line."""


def git(arguments: list[str], *, cwd: Path, check: bool = True) -> bytes | None:
    """Runs Git and returns what it printed, or None when it failed and `check` is False, or there is no Git.

    Args:
        arguments: after `git`.
        cwd: where.
        check: raise GitError when Git exits with an error.
    """
    import subprocess

    environment = {**os.environ, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=cwd, env=environment, capture_output=True, timeout=_TIMEOUT_S, check=False
        )
    except (FileNotFoundError, NotADirectoryError):
        if check:
            raise GitError("there is no 'git' program on the PATH", hint="install Git") from None
        return None
    except subprocess.TimeoutExpired:
        raise GitError(f"'git {arguments[0]}' did not answer within {_TIMEOUT_S} s in {cwd}") from None
    if done.returncode == 0:
        return done.stdout
    if check:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise GitError(f"'git {arguments[0]}' failed in {cwd}: {said[0] if said else 'it gave no reason'}")
    return None


def line(arguments: list[str], *, cwd: Path) -> str | None:
    """Returns what Git printed, stripped, or None when it failed or printed nothing."""
    out = git(arguments, cwd=cwd, check=False)
    return (out.decode(errors="replace").strip() or None) if out is not None else None
