"""Finds the files below a folder: links followed, loops and dangling links refused, ignored ones left out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mlvc.errors import InvalidNameError, UsageError, local_file_error
from mlvc.format import entry_path
from mlvc.objects.source_file import Seen, looks_of

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

IGNORE_FILE = ".mlvcignore"

def folders_down_to(root: Path, folder: Path) -> list[Path]:
    """Returns the folders from `root` to `folder`, both included: where the rules for `folder` stand."""
    found = [root]
    for part in folder.relative_to(root).parts:
        found.append(found[-1] / part)
    return found


def ignore_rules(folders: list[Path]) -> IgnoreRules:
    """Returns the rules of the `.mlvcignore` files in `folders`, the last one scanned itself, and of those below it.

    Patterns are gitignore's, and apply to paths as seen from the folder of their file. As in Git the deepest file that
    speaks of a path decides, and in it the last pattern. The files themselves belong to no artifact.
    """
    return IgnoreRules(folders)


class IgnoreRules:
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

    def speak_of(self, folder: str) -> bool:
        """Tells whether any pattern may apply to what lies directly in a folder (relative; "" for the scanned one)."""
        return bool(self._rules(folder))

    def ignore(self, path: str, is_folder: bool) -> bool:
        """Tells whether a path relative to the scanned folder is ignored."""
        folder, _, name = path.rpartition("/")
        if name == IGNORE_FILE:
            return True
        speaking = self._rules(folder)
        asked = f"{path}/" if is_folder else path
        for spec, prefix, skipped in speaking:
            said = spec.check_file(prefix + asked[skipped:]).include
            if said is not None:
                return said
        return False

    def _rules(self, folder: str) -> list[tuple[GitIgnoreSpec, str, int]]:
        speaking = self._speaking.get(folder)
        if speaking is None:
            speaking = self._speaking[folder] = self._rules_for(folder)
        return speaking

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


def scan(folder: Path, rules: IgnoreRules | None = None) -> Iterator[tuple[str, Path]]:
    """Yields (entry path, file) for every file below a folder, by path; empty folders vanish.

    Raises:
        UsageError: a loop of links.
        InvalidNameError: a name that no artifact may hold, or two names that are one to Unicode.
        LocalFileError: a folder cannot be read.
    """
    for path, seen in walk(folder, rules):
        yield path, Path(seen.file)


def walk(folder: Path, rules: IgnoreRules | None = None) -> Iterator[tuple[str, Seen]]:
    """Yields what `scan` does, with what each file looks like."""
    waiting = [iter(_in_folder(str(folder), "", rules))]
    above = [_identity(str(folder))]
    while waiting:
        for _, path, seen, is_folder in waiting[-1]:
            if not is_folder:
                yield path, seen
                continue
            identity = _identity(seen.file)
            if identity in above:
                raise UsageError(f"{seen.file} links back to a folder above it", hint=f"remove the link, or add it to {IGNORE_FILE}")
            above.append(identity)
            waiting.append(iter(_in_folder(seen.file, f"{path}/", rules)))
            break
        else:
            waiting.pop()
            above.pop()


_Found = tuple[str, str, Seen, bool]
"""What it sorts by, its entry path, the file or folder, and which of the two it is."""


def _in_folder(folder: str, prefix: str, rules: IgnoreRules | None) -> list[_Found]:
    """Returns what lies in a folder, in the order of paths in an artifact: a folder as if its name ended with a slash."""
    found: list[_Found] = []
    names = []
    try:
        # By descriptor: the kernel then need not walk down the whole path for each file.
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with os.scandir(fd) as items:
                for item in items:
                    name = item.name
                    file, path = f"{folder}/{name}", prefix + name
                    names.append(name)
                    try:
                        if item.is_dir():
                            found.append((f"{path}/", path, Seen(file, None), True))
                        else:
                            found.append((path, path, Seen(file, looks_of(item.stat())), False))
                    except OSError:  # a link that leads nowhere, or to itself: whoever reads it will say so
                        found.append((path, path, Seen(file, None), False))
        finally:
            os.close(fd)
    except OSError as error:
        raise local_file_error(error, f"read the folder {folder}") from error
    if rules is not None and (IGNORE_FILE in names or rules.speak_of(prefix[:-1])):
        found = [item for item in found if not rules.ignore(item[1], item[3])]
    if not "".join(names).isascii():
        found = _in_normal_form(folder, found)
    if entry_path.may_be_guarded(names):
        _refuse_guarded(found)
    found.sort()
    return found


def _in_normal_form(folder: str, found: list[_Found]) -> list[_Found]:
    """Returns what lies in a folder with entry paths in NFC; refuses two names that are then one."""
    spelled: dict[str, str] = {}
    for _, path, seen, _ in found:
        other = spelled.setdefault(entry_path.normalise(path), seen.file)
        if other != seen.file:
            raise InvalidNameError(
                f"{folder} holds two files named '{os.path.basename(seen.file)}' that differ in their Unicode form only",
                hint="rename one: an artifact holds names in the form NFC",
            )
    normalise = entry_path.normalise
    return [(normalise(key), normalise(path), seen, is_folder) for key, path, seen, is_folder in found]


def _refuse_guarded(found: list[_Found]) -> None:
    for _, _, seen, _ in found:
        name = os.path.basename(seen.file)
        if entry_path.is_guarded(name):
            raise InvalidNameError(
                f"{seen.file} cannot be part of an artifact: written out elsewhere, it would be taken for Git's or mlvc's own",
                hint=f"move it away, or add '{name}' to {IGNORE_FILE}",
            )


def _identity(folder: str) -> tuple[int, int]:
    try:
        found = os.stat(folder)
    except OSError as error:
        raise local_file_error(error, f"read the folder {folder}") from error
    return found.st_dev, found.st_ino


def case_collisions(paths: Iterable[str]) -> list[tuple[str, str]]:
    """Returns pairs of paths that a case-insensitive disk could not hold side by side."""
    paths = list(paths)
    joined = "\n".join(paths)
    if joined.isascii() and joined == joined.lower():
        return []
    first: dict[str, str] = {}
    found = []
    for path in paths:
        other = first.setdefault(entry_path.fold_case(path), path)
        if other != path:
            found.append((other, path))
    return found
