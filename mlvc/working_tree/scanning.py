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
        self._speaking: dict[str, list[tuple[GitIgnoreSpec, str, int]]] = {}
        self._above = [
            (spec, f"{self._scanned.relative_to(folder).as_posix()}/")
            for folder in reversed(folders[:-1])
            if (spec := _patterns(folder)) is not None
        ]

    def __call__(self, path: str, is_folder: bool) -> bool:
        folder, _, name = path.rpartition("/")
        if name == IGNORE_FILE:
            return True
        speaking = self._speaking.get(folder)
        if speaking is None:
            speaking = self._speaking[folder] = self._rules_for(folder)
        if not speaking:
            return False
        asked = f"{path}/" if is_folder else path
        for spec, prefix, skipped in speaking:
            said = spec.check_file(prefix + asked[skipped:]).include
            if said is not None:
                return said
        return False

    def _rules_for(self, folder: str) -> list[tuple[GitIgnoreSpec, str, int]]:
        """Returns who speaks of the files in a folder, the nearest first: patterns, and how paths look from there."""
        found = []
        at = folder
        while True:
            spec = self._spec(at)
            if spec is not None:
                found.append((spec, "", len(at) + 1 if at else 0))
            if not at:
                break
            at = at.rpartition("/")[0]
        return found + [(spec, prefix, 0) for spec, prefix in self._above]

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
    for path, item in walk(folder, ignored):
        yield path, Path(item.path)


def walk(folder: Path, ignored: Ignores | None = None) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yields what `scan` does, with the folder's own entry for each file, which knows more without asking the disk."""
    yield from _walk(str(folder), "", ignored or (lambda _path, _is_folder: False), (_identity(folder),))


def _walk(
    folder: str, prefix: str, ignored: Ignores, above: tuple[tuple[int, int], ...]
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    try:
        with os.scandir(folder) as found:
            items = sorted(found, key=_by_name)
    except OSError as error:
        raise local_file_error(error, f"read the folder {folder}") from error
    seen: dict[str, str] = {}
    for item in items:
        name = prefix + item.name
        if not name.isascii():
            name = entry_path.normalise(name)
            if seen.setdefault(name, item.name) != item.name:
                raise InvalidNameError(
                    f"{folder} holds two files named '{item.name}' that differ in their Unicode form only",
                    hint="rename one: an artifact holds names in the form NFC",
                )
        try:
            is_folder, leads_nowhere = item.is_dir(), False
        except OSError:  # a link that leads to itself; a dangling one is taken for a file, and refused when it is read
            is_folder, leads_nowhere = False, True
        if ignored(name, is_folder):
            continue
        if leads_nowhere:
            raise UsageError(f"{item.path} is a link that leads nowhere", hint=f"remove it, or add it to {IGNORE_FILE}")
        if entry_path.is_guarded(item.name):
            raise InvalidNameError(
                f"{item.path} cannot be part of an artifact: written out elsewhere, it would be taken for Git's or mlvc's own",
                hint=f"move it away, or add '{item.name}' to {IGNORE_FILE}",
            )
        if not is_folder:
            yield name, item
            continue
        identity = _identity(Path(item.path))
        if identity in above:
            raise UsageError(f"{item.path} links back to a folder above it", hint=f"remove the link, or add it to {IGNORE_FILE}")
        yield from _walk(item.path, f"{name}/", ignored, (*above, identity))


def _by_name(item: os.DirEntry[str]) -> str:
    return item.name


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
