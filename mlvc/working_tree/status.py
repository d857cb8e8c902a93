"""What differs between the pins and the files."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlvc.errors import InvalidNameError, UsageError, local_file_error
from mlvc.format import entry_path
from mlvc.format.ids import FileDigest
from mlvc.format.manifest import FileEntry, Manifest
from mlvc.working_tree import placing, scanning
from mlvc.working_tree.lock_file import WHOLE, Pin
from mlvc.working_tree.placing import Placement
from mlvc.working_tree.stat_cache import StatCache, now_ns

MODIFIED, MISSING, NEW = "modified", "missing", "new"


@dataclass(frozen=True, slots=True)
class FileChange:
    """How one file differs from what its pin says; `path` is relative to the working tree's root."""

    path: str
    kind: str


def target_of(pin: Pin, root: Path) -> Path:
    """Returns the file or folder that a pin speaks of.

    Raises:
        UsageError: it is none of the working tree's: a lock file comes from whoever wrote the repository.
    """
    try:
        entry_path.check(entry_path.normalise(pin.path))
    except InvalidNameError as error:
        raise UsageError(
            f"mlvc.lock pins {pin.path!r}, which is no path that may be written in a working tree",
            hint="take the line out, or restore the file from Git",
        ) from error
    return root / pin.path


def placements(pin: Pin, manifest: Manifest, root: Path) -> Iterator[Placement]:
    """Yields which files a pin puts where. References, which stay elsewhere, are left out."""
    if pin.entry != WHOLE:
        entry = manifest[pin.entry]
        if isinstance(entry, FileEntry):
            yield Placement(entry, target_of(pin, root))
        return
    folder = target_of(pin, root)
    for entry in manifest:
        if isinstance(entry, FileEntry):
            yield Placement(entry, _as_spelled_there(folder, placing.checked_target(folder, entry.path)))


def _as_spelled_there(folder: Path, target: Path) -> Path:
    """Returns the file that is there under another Unicode form of a name, such as macOS writes, or `target` itself."""
    parts = target.relative_to(folder).parts
    if all(part.isascii() for part in parts) or os.path.lexists(target):
        return target
    found = folder
    for part in parts:
        spelled = part
        if not os.path.lexists(found / part) and found.is_dir():
            spelled = next((name for name in os.listdir(found) if entry_path.normalise(name) == part), part)
        found = found / spelled
    return found


def compare(pin: Pin, manifest: Manifest, root: Path, cache: StatCache) -> Iterator[FileChange]:
    """Yields the differences between one pin and the files it speaks of, by path.

    Reads only files that look changed since they were last read.
    """
    top = target_of(pin, root)
    wanted = {str(p.target): p.entry for p in placements(pin, manifest, root)}
    there = dict(_files(pin, root))
    known = cache.under(top) if pin.entry == WHOLE else {}
    learned: list[tuple[Path, os.stat_result, FileDigest]] = []
    read_ns = now_ns()
    changes = []
    for target, entry in wanted.items():
        found = there.pop(target, None) or _look(Path(target))  # a pinned file stays one when a new rule ignores it
        if found is None:
            changes.append(FileChange(_relative(target, root), MISSING))
            continue
        digest = cache.fresh(known.get(os.fsencode(target)), found) if pin.entry == WHOLE else cache.find(Path(target), found)
        if digest is None and found.st_size == entry.size and stat.S_ISREG(found.st_mode):
            digest = placing.digest_file(Path(target))
            learned.append((Path(target), found, digest))
        if digest != entry.digest:
            changes.append(FileChange(_relative(target, root), MODIFIED))
    changes.extend(FileChange(_relative(target, root), NEW) for target in there)
    if learned:
        cache.remember(learned, read_ns)
    yield from sorted(changes, key=lambda change: change.path)


def _relative(target: str, root: Path) -> str:
    return os.path.relpath(target, root)


def _files(pin: Pin, root: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yields (path, what it looks like) of the files below a pinned folder."""
    top = root / pin.path
    if pin.entry == WHOLE and top.is_dir():
        for _, path in scanning.scan(top, scanning.ignore_rules(scanning.folders_down_to(root, top))):
            found = _look(path)
            if found is not None:
                yield str(path), found


def _look(path: Path) -> os.stat_result | None:
    """Returns what a file looks like, links followed; None when there is none: a folder, a dangling link, nothing."""
    try:
        found = path.stat()
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return None
        raise local_file_error(error, f"look at {path}") from error
    return None if stat.S_ISDIR(found.st_mode) else found
