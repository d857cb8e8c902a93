"""Runs the `git` program. The one way mlvc does."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mlvc.errors import Error

if TYPE_CHECKING:
    import subprocess

_TIMEOUT_S = 60

OF_ONE_CHECKOUT = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX", "GIT_SHALLOW_FILE")
"""What a hook or a user says of the checkout at hand, and what must not be said of another one."""


class GitError(Error):
    """Git refused; the message has the line in which it says why."""

    exit_code = 2


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
        raise GitError(f"'git {_verb(arguments)}' failed in {cwd}: {_reason(done.stderr)}")
    return None


def _reason(said: bytes) -> str:
    """Returns the line in which Git says why: around it may stand what ssh, or a hook, had to say."""
    lines = [line.strip() for line in said.decode(errors="replace").splitlines() if line.strip() and not line.startswith(("Warning:", "hint:"))]
    telling = [line for line in lines if line.startswith(("fatal:", "error:", "ERROR", "! [")) and not line.endswith(_ONLY_THAT)]
    return next(iter(telling or lines), "it gave no reason")


_ONLY_THAT = "Could not read from remote repository."
"""Git's word for 'ssh failed', which has said why before."""


def _verb(arguments: Sequence[str]) -> str:
    return next((word for word in arguments if not word.startswith("-") and "=" not in word), "")


def environment(*, elsewhere: bool = False, variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns the variables that Git runs with: plain messages, no lock that a user's own command would meet.

    A relative path in them is meant from this process' folder, and Git is run in others: it becomes absolute.
    """
    found = {**os.environ, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", **(variables or {})}
    for name in OF_ONE_CHECKOUT:
        if name not in found or name == "GIT_PREFIX":
            continue
        if elsewhere and name not in (variables or {}):
            del found[name]
        else:
            found[name] = os.path.abspath(found[name])
    return found


@contextmanager
def outside_of_checkouts() -> Iterator[None]:
    """Takes the variables that name a checkout out of this process for a block: in it, folders say which one is meant."""
    before = {name: os.environ.pop(name) for name in OF_ONE_CHECKOUT if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(before)


def line(arguments: Sequence[str], *, cwd: Path) -> str | None:
    """Returns what Git printed, stripped, or None when it failed or printed nothing."""
    out = git(arguments, cwd=cwd, check=False)
    return (out.decode(errors="replace").strip() or None) if out is not None else None


class ObjectReader:
    """Reads objects of one repository through one `git cat-file --batch`, started at the first read. Threads take turns."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._end: weakref.finalize[[subprocess.Popen[bytes], int], ObjectReader] | None = None
        self._owner = 0
        self._lock = threading.Lock()

    def read(self, identifier: str) -> bytes:
        """Returns an object's content; GitError when the repository has it not."""
        with self._lock:
            process = self._running()
            assert process.stdin is not None and process.stdout is not None, "both are pipes"
            try:
                process.stdin.write(f"{identifier}\n".encode())
                process.stdin.flush()
                words = process.stdout.readline().split()
                if len(words) == 3:
                    data = process.stdout.read(int(words[2]))
                    if process.stdout.read(1) == b"\n":
                        return data
            except OSError:
                pass  # it ended; what that means is the same
            self._ended()
            raise GitError(f"{self._folder} lacks the object {identifier}, or 'git cat-file' failed there")

    def _running(self) -> subprocess.Popen[bytes]:
        import subprocess

        if self._process is None or self._owner != os.getpid():  # a fork must not read the answers to its parent's questions
            self._owner = os.getpid()
            self._process = subprocess.Popen(
                ["git", "cat-file", "--batch"],
                cwd=self._folder,
                env=environment(elsewhere=True),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            self._end = weakref.finalize(self, _kill, self._process, self._owner)
        return self._process

    def _ended(self) -> None:
        if self._end is not None:
            self._end()
        self._process = self._end = None

    def close(self) -> None:
        """Ends the program, which otherwise ends with this object or process."""
        with self._lock:
            self._ended()


def _kill(process: subprocess.Popen[bytes], owner: int) -> None:
    if owner == os.getpid():
        process.kill()
        process.communicate()
