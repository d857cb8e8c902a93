"""Finds the files below a folder: links followed, loops and dangling links refused, ignored ones left out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from mlvc.errors import InvalidNameError, UsageError, local_file_error
from mlvc.format import entry_path

IGNORE_FILE = ".mlvcignore"

Ignores = Callable[[str, bool], bool]
"""Tells whether a path relative to the scanned folder (and whether it is a folder) is ignored."""


def ignore_rules(folders: list[Path]) -> Ignores:
    """Returns the rules of the `.mlvcignore` files in `folders`, the last one scanned itself.

    Patterns are gitignore's. A pattern in a folder above applies to paths as seen from that folder.
    """
    rules = []
    scanned = folders[-1]
    for folder in folders:
        path = folder / IGNORE_FILE
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{path} cannot be read: {error}") from error
        import pathspec

        prefix = os.path.relpath(scanned, folder)
        rules.append((pathspec.GitIgnoreSpec.from_lines(lines), "" if prefix == "." else f"{prefix}/"))
    if not rules:
        return lambda path, is_folder: path == IGNORE_FILE and not is_folder

    def ignored(path: str, is_folder: bool) -> bool:  # noqa: FBT001
        if path == IGNORE_FILE:
            return True
        name = f"{path}/" if is_folder else path
        return any(spec.match_file(prefix + name) for spec, prefix in rules)

    return ignored


def scan(folder: Path, ignored: Ignores | None = None) -> Iterator[tuple[str, Path]]:
    """Yields (entry path, file) for every file below a folder, sorted within each folder; empty folders vanish.

    Raises:
        UsageError: a loop of links.
        InvalidNameError: a name that no artifact may hold.
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
    for item in items:
        name = entry_path.normalise(prefix + item.name)
        is_folder = item.is_dir()
        if ignored(name, is_folder):
            continue
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
