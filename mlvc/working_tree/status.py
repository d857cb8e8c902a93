"""What differs between the pins and the files."""

from __future__ import annotations

import errno
import os
import stat
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from mlvc.errors import InvalidNameError, UsageError, local_file_error
from mlvc.format import entry_path
from mlvc.format.ids import FileDigest, digest
from mlvc.format.manifest import FileEntry, Manifest
from mlvc.working_tree import placing, scanning
from mlvc.working_tree.lock_file import WHOLE, Pin
from mlvc.working_tree.placing import Placement
from mlvc.working_tree.stat_cache import StatCache, now_ns

MODIFIED, MISSING, NEW = "modified", "missing", "new"


class FileChange(Struct, frozen=True):
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
            target = placing.checked_target(folder, entry.path)
            yield Placement(entry, target if entry.path.isascii() else _as_spelled_there(folder, target))


def _as_spelled_there(folder: Path, target: Path) -> Path:
    """Returns the file that is there under another Unicode form of a name, such as macOS writes, or `target` itself."""
    parts = target.relative_to(folder).parts
    if os.path.lexists(target):
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

    Reads only files that look changed since they were last read; of a folder that looks in every way as it did when it was
    found clean, not even the manifest.
    """
    top = target_of(pin, root)
    looked_ns = now_ns()
    there = dict(_files(pin, root))
    look = look_of(pin.version, there) if pin.entry == WHOLE else b""
    if look and cache.looks_clean(top, look):
        return
    stats = list(there.values())
    wanted = {str(p.target): p.entry for p in placements(pin, manifest, root)}
    changes = list(_compare(pin, wanted, root, cache, there))
    if look and not changes and len(stats) == len(wanted):  # else a rule hides a pinned file from the look
        cache.remember_clean(top, look, stats, looked_ns)
    yield from sorted(changes, key=lambda change: change.path)


def look_of(version: bytes, there: Mapping[str, os.stat_result]) -> bytes:
    """Returns a digest of what a folder should hold, and of what each of its files looks like, in the order of a scan."""
    stats = array("q")
    for found in there.values():
        stats.extend((found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino))
    return digest(b"\0".join((version, *map(os.fsencode, there), stats.tobytes())))


def _compare(
    pin: Pin, wanted: dict[str, FileEntry], root: Path, cache: StatCache, there: dict[str, os.stat_result]
) -> Iterator[FileChange]:
    top = target_of(pin, root)
    known = cache.under(top) if pin.entry == WHOLE else {}
    learned: list[tuple[Path, os.stat_result, FileDigest]] = []
    read_ns = now_ns()
    for target, entry in wanted.items():
        found = there.pop(target, None) or _look(Path(target))  # a pinned file stays one when a new rule ignores it
        if found is None:
            yield FileChange(_relative(target, root), MISSING)
            continue
        known_digest = cache.fresh(known.get(os.fsencode(target)), found) if pin.entry == WHOLE else cache.find(Path(target), found)
        if known_digest is None and found.st_size == entry.size and stat.S_ISREG(found.st_mode):
            known_digest = placing.digest_file(Path(target))
            learned.append((Path(target), found, known_digest))
        if known_digest != entry.digest:
            yield FileChange(_relative(target, root), MODIFIED)
    for target in there:
        yield FileChange(_relative(target, root), NEW)
    if learned:
        cache.remember(learned, read_ns)


def _relative(target: str, root: Path) -> str:
    return os.path.relpath(target, root)


def _files(pin: Pin, root: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yields (path, what it looks like) of the files below a pinned folder."""
    top = root / pin.path
    if pin.entry == WHOLE and top.is_dir():
        for _, item in scanning.walk(top, scanning.ignore_rules(scanning.folders_down_to(root, top))):
            try:
                found = item.stat()
            except OSError:
                looked = _look(Path(item.path))
                if looked is None:
                    continue
                found = looked
            yield item.path, found


def _look(path: Path) -> os.stat_result | None:
    """Returns what a file looks like, links followed; None when there is none: a folder, a dangling link, nothing."""
    try:
        found = path.stat()
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return None
        raise local_file_error(error, f"look at {path}") from error
    return None if stat.S_ISDIR(found.st_mode) else found
