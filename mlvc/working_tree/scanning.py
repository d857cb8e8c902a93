"""Finds the files below a folder: links followed, loops and dangling links refused, ignored ones left out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mlvc.errors import InvalidNameError, UsageError, local_file_error
from mlvc.format import entry_path

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

IGNORE_FILE = ".mlvcignore"

Ignores = Callable[[str, bool], bool]
"""Tells whether a path relative to the scanned folder (and whether it is a folder) is ignored."""


def folders_down_to(root: Path, folder: Path) -> list[Path]:
    """Returns the folders from `root` to `folder`, both included: where the rules for `folder` stand."""
    found = [root]
    for part in folder.relative_to(root).parts:
        found.append(found[-1] / part)
    return found


def ignore_rules(folders: list[Path]) -> Ignores:
    """Returns the rules of the `.mlvcignore` files in `folders`, the last one scanned itself, and of those below it.

    Patterns are gitignore's, and apply to paths as seen from the folder of their file. As in Git the deepest file that
    speaks of a path decides, and in it the last pattern. The files themselves belong to no artifact.
    """
    return _IgnoreRules(folders)


class _IgnoreRules:
    """See `ignore_rules`. Files below the scanned folder are read when a path beside or below them is asked for."""

    def __init__(self, folders: list[Path]) -> None:
        self._scanned = folders[-1]
        self._below: dict[str, GitIgnoreSpec | None] = {}
        self._above = [
            (spec, f"{self._scanned.relative_to(folder).as_posix()}/")
            for folder in reversed(folders[:-1])
            if (spec := _patterns(folder)) is not None
        ]

    def __call__(self, path: str, is_folder: bool) -> bool:
        folder, _, name = path.rpartition("/")
        if name == IGNORE_FILE:
            return True
        asked = f"{path}/" if is_folder else path
        while True:
            spec = self._spec(folder)
            said = spec.check_file(asked[len(folder) + 1 :] if folder else asked).include if spec else None
            if said is not None:
                return said
            if not folder:
                break
            folder = folder.rpartition("/")[0]
        for spec, prefix in self._above:
            said = spec.check_file(prefix + asked).include
            if said is not None:
                return said
        return False

    def _spec(self, folder: str) -> GitIgnoreSpec | None:
        if folder not in self._below:
            self._below[folder] = _patterns(self._scanned / folder)
        return self._below[folder]


def _patterns(folder: Path) -> GitIgnoreSpec | None:
    path = folder / IGNORE_FILE
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text", hint="one gitignore pattern a line") from error
    except OSError as error:
        raise local_file_error(error, f"read {path}") from error
    import pathspec

    return pathspec.GitIgnoreSpec.from_lines(lines)


def scan(folder: Path, ignored: Ignores | None = None) -> Iterator[tuple[str, Path]]:
    """Yields (entry path, file) for every file below a folder, sorted within each folder; empty folders vanish.

    Raises:
        UsageError: a loop of links.
        InvalidNameError: a name that no artifact may hold, or two names that are one to Unicode.
        LocalFileError: a folder cannot be read.
    """
    ignored = ignored or (lambda _path, _is_folder: False)
    yield from _scan(folder, "", ignored, (_identity(folder),))


def _scan(folder: Path, prefix: str, ignored: Ignores, above: tuple[tuple[int, int], ...]) -> Iterator[tuple[str, Path]]:
    try:
        with os.scandir(folder) as found:
            items = sorted(found, key=lambda item: item.name)
    except OSError as error:
        raise local_file_error(error, f"read the folder {folder}") from error
    first: dict[str, str] = {}
    for item in items:
        name = entry_path.normalise(prefix + item.name)
        try:
            is_folder, leads_nowhere = item.is_dir(), False
        except OSError:  # a link that leads to itself; a dangling one is taken for a file, and refused when it is read
            is_folder, leads_nowhere = False, True
        if ignored(name, is_folder):
            continue
        if leads_nowhere:
            raise UsageError(f"{item.path} is a link that leads nowhere", hint=f"remove it, or add it to {IGNORE_FILE}")
        if first.setdefault(name, item.name) != item.name:
            raise InvalidNameError(
                f"{folder} holds two files named '{item.name}' that differ in their Unicode form only",
                hint="rename one: an artifact holds names in the form NFC",
            )
        if entry_path.is_guarded(item.name):
            raise InvalidNameError(
                f"{item.path} cannot be part of an artifact: written out elsewhere, it would be taken for Git's or mlvc's own",
                hint=f"move it away, or add '{item.name}' to {IGNORE_FILE}",
            )
        if not is_folder:
            yield name, Path(item.path)
            continue
        identity = _identity(Path(item.path))
        if identity in above:
            raise UsageError(f"{item.path} links back to a folder above it", hint=f"remove the link, or add it to {IGNORE_FILE}")
        yield from _scan(Path(item.path), f"{name}/", ignored, (*above, identity))


def _identity(folder: Path) -> tuple[int, int]:
    try:
        found = folder.stat()
    except OSError as error:
        raise local_file_error(error, f"read the folder {folder}") from error
    return found.st_dev, found.st_ino


def case_collisions(paths: Iterator[str] | list[str]) -> list[tuple[str, str]]:
    """Returns pairs of paths that a case-insensitive disk could not hold side by side."""
    first: dict[str, str] = {}
    found = []
    for path in paths:
        other = first.setdefault(entry_path.fold_case(path), path)
        if other != path:
            found.append((other, path))
    return found
