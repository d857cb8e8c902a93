"""Finds the store: in a Git repository beside its objects, elsewhere in `.mlvc`, or where `MLVC_DIR` points."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from mlvc import atomic_file
from mlvc.errors import UsageError
from mlvc.git import checkout as git
from mlvc.git.checkout import Checkout
from mlvc.repository import store_record
from mlvc.workspace import configuration

STORE_VARIABLE = "MLVC_DIR"
_IN_GIT = "mlvc"
ELSEWHERE = ".mlvc"
"""Where a repository outside of Git keeps its store."""

_POINTER = "store: "


class Location(Struct, frozen=True):
    """Where a workspace is.

    Attributes:
        root: the working tree's top folder.
        store: the store's folder; it may not exist yet.
        checkout: the Git checkout, or None.
    """

    root: Path
    store: Path
    checkout: Checkout | None

    @property
    def exists(self) -> bool:
        """Whether the store exists."""
        return any((self.store / key).is_file() for key in (store_record.KEY, store_record.COPY_KEY))

    @property
    def is_expected(self) -> bool:
        """Whether a tracked `mlvc.toml` says that a store belongs here: then any command makes it."""
        return (self.root / configuration.FILE_NAME).is_file()


def locate(start: Path, environment: Mapping[str, str]) -> Location | None:
    """Returns the workspace that holds a folder, or None.

    Raises:
        GitError: Git refuses to work here.
    """
    checkout = git.discover(start)
    named = environment.get(STORE_VARIABLE)
    if named:
        return Location(checkout.root if checkout else start, (start / named).resolve(), checkout)
    if checkout is not None:
        for folder in (start, *start.parents):
            if folder == checkout.root:
                break
            inner = Location(folder, follow_pointer(folder / ELSEWHERE), None)
            if inner.exists:  # a clone made inside of somebody's Git checkout is nearer
                return inner
        found = Location(checkout.root, follow_pointer(checkout.common_dir / _IN_GIT), checkout)
        return found if found.exists or found.is_expected else None
    for folder in (start, *start.parents):
        if (folder / ELSEWHERE).exists() or (folder / configuration.FILE_NAME).is_file():
            return Location(folder, follow_pointer(folder / ELSEWHERE), None)
    return None


def propose(start: Path, environment: Mapping[str, str], store: Path | None) -> Location:
    """Returns where a new workspace for a folder goes.

    Args:
        start: the folder.
        environment: may name the store.
        store: where the user wants the store, or None for the default.
    """
    checkout = git.discover(start)
    root = checkout.root if checkout else start
    if store is not None:
        return Location(root, store.resolve(), checkout)
    named = environment.get(STORE_VARIABLE)
    if named:
        return Location(root, (start / named).resolve(), checkout)
    return Location(root, follow_pointer(_default(root, checkout)), checkout)


def _default(root: Path, checkout: Checkout | None) -> Path:
    return checkout.common_dir / _IN_GIT if checkout else root / ELSEWHERE


def follow_pointer(path: Path) -> Path:
    """Returns the store that a pointer file names, or the path itself."""
    if not path.is_file():
        return path
    text = path.read_text(encoding="utf-8", errors="replace")
    if not text.startswith(_POINTER):
        raise UsageError(f"{path} is a file, expected a store's folder or a pointer to one")
    return (path.parent / text[len(_POINTER) :].strip()).resolve()


def write_pointer(location: Location) -> None:
    """Makes later commands find a store that is not in its default place."""
    default = _default(location.root, location.checkout)
    if default != location.store and not default.exists():
        atomic_file.replace(default, f"{_POINTER}{location.store}\n".encode())


def store_within(folder: Path) -> Path:
    """Returns the store that a folder is or holds, as a remote's URL may name either."""
    if (folder / store_record.KEY).is_file():
        return folder
    for inner in (folder / ".git" / _IN_GIT, folder / ELSEWHERE):
        found = follow_pointer(inner)
        if (found / store_record.KEY).is_file():
            return found
    return folder
