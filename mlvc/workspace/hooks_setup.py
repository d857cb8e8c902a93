"""Installing Git's hooks and the merge driver for a repository, or saying what to paste where another program manages hooks."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from msgspec import Struct

from mlvc.errors import UsageError
from mlvc.git import hook_files
from mlvc.git.hook_files import HookState, Place

_GUARD = "command -v mlvc >/dev/null 2>&1 || exit 0; "
"""These files are everybody's, and not everybody has mlvc."""

_PRE_COMMIT = """\
# .pre-commit-config.yaml; then: pre-commit install -t pre-commit -t prepare-commit-msg -t post-commit -t post-checkout -t post-merge -t post-rewrite -t pre-push
repos:
  - repo: local
    hooks:
"""


class SetUp(Struct, frozen=True):
    """Where hooks are, what stands for each, whether `mlvc.lock` is merged by mlvc, and what to paste where others manage hooks."""

    place: Place
    hooks: list[HookState]
    merges: bool
    snippet: str | None


def status(folder: Path) -> SetUp:
    """Returns how a repository is set up. GitError outside of one."""
    place = hook_files.place(folder)
    return SetUp(place, hook_files.state(place.folder), hook_files.has_driver(folder), snippet(place.manager))


def install(folder: Path, *, force: bool = False) -> SetUp:
    """Installs hooks and merge driver; where another program manages the hooks, the driver only.

    Raises:
        UsageError: `core.hooksPath` is set for all repositories, and `force` is False: hooks there would run in each of them.
        ConflictError: see `hook_files.install`.
    """
    place = hook_files.place(folder)
    if place.folder.exists() and not place.folder.is_dir():
        raise UsageError(f"core.hooksPath is {place.folder}, which turns hooks off", hint="'git config --unset core.hooksPath' lets Git look for them")
    if place.is_everyone_s and not force:
        raise UsageError(
            f"core.hooksPath is {place.folder} for all your repositories; nothing was installed",
            hint="'--force' installs there all the same, where the hooks do nothing in repositories without mlvc; "
            "'git config --local core.hooksPath .git/hooks' sets one for this repository",
        )
    hook_files.install_driver(folder, program())
    if place.manager is None or force:
        hook_files.install(place.folder)
    return status(folder)


def uninstall(folder: Path) -> list[str]:
    """Removes hooks and merge driver; returns the names of the hooks that were there."""
    hook_files.uninstall_driver(folder)
    return hook_files.uninstall(hook_files.place(folder).folder)


def program() -> str:
    """Returns the absolute path of the `mlvc` that runs: for programs that start Git without the PATH of a terminal."""
    beside = Path(sys.executable).with_name("mlvc")
    if os.access(beside, os.X_OK):
        return str(beside)
    return shutil.which("mlvc") or os.path.abspath(sys.argv[0])


def snippet(manager: str | None) -> str | None:
    """Returns what to paste into the files of a program that manages hooks."""
    if manager == "husky":
        return "\n".join(f'# .husky/{name}\n{_GUARD}mlvc hook {name} "$@"' for name in hook_files.NAMES)
    if manager == "lefthook":
        return "# lefthook.yml\n" + "".join(map(_of_lefthook, hook_files.NAMES))
    if manager == "pre-commit":
        return _PRE_COMMIT + "".join(map(_of_pre_commit, hook_files.NAMES))
    return None


def _of_lefthook(name: str) -> str:
    stdin = "      use_stdin: true\n" if name in ("pre-push", "post-rewrite") else ""
    return f"{name}:\n  commands:\n    mlvc:\n      run: '{_GUARD}mlvc hook {name} {{0}}'\n{stdin}"


def _of_pre_commit(name: str) -> str:
    has_file = "true" if name == "prepare-commit-msg" else "false"
    entry = f"""sh -c '{_GUARD}mlvc hook {name} "$@"' mlvc"""
    return (
        f"      - id: mlvc-{name}\n        name: mlvc {name}\n        entry: {entry}\n        language: system\n"
        f"        stages: [{name}]\n        always_run: true\n        pass_filenames: {has_file}\n"
    )
