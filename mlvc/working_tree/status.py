"""What differs between the pins and the files."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

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


def placements(pin: Pin, manifest: Manifest, root: Path) -> Iterator[Placement]:
    """Yields which files a pin puts where. References, which stay elsewhere, are left out."""
    if pin.entry != WHOLE:
        entry = manifest[pin.entry]
        if isinstance(entry, FileEntry):
            yield Placement(entry, root / pin.path)
        return
    folder = root / pin.path
    for entry in manifest:
        if isinstance(entry, FileEntry):
            yield Placement(entry, placing.checked_target(folder, entry.path))


def compare(pin: Pin, manifest: Manifest, root: Path, cache: StatCache) -> Iterator[FileChange]:
    """Yields the differences between one pin and the files it speaks of, by path.

    Reads only files that look changed since they were last read.
    """
    wanted = {str(p.target): p.entry for p in placements(pin, manifest, root)}
    there = dict(_files(pin, root))
    known = cache.under(root / pin.path) if pin.entry == WHOLE else {}
    learned: list[tuple[Path, os.stat_result, FileDigest]] = []
    read_ns = now_ns()
    changes = []
    for target, entry in wanted.items():
        found = there.pop(target, None)
        if found is None:
            changes.append(FileChange(_relative(target, root), MISSING))
            continue
        digest = cache.fresh(known.get(os.fsencode(target)), found) if pin.entry == WHOLE else cache.find(Path(target), found)
        if digest is None and found.st_size == entry.size:
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
    """Yields (path, what it looks like) of the files at or below a pinned path."""
    top = root / pin.path
    if pin.entry == WHOLE and top.is_dir():
        for _, path in scanning.scan(top, scanning.ignore_rules([top] if top == root else [root, top])):
            try:
                yield str(path), path.stat()
            except FileNotFoundError:
                continue  # a dangling link, or gone since it was listed: not there
        return
    try:
        found = top.stat()
    except (FileNotFoundError, NotADirectoryError):
        return
    if pin.entry != WHOLE and stat.S_ISREG(found.st_mode):
        yield str(top), found
