"""What differs between the pins and the files."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

import msgspec
from msgspec import Struct

from mlvc.errors import InvalidNameError, UsageError, local_file_error
from mlvc.format import entry_path
from mlvc.format.ids import FileDigest, VersionId
from mlvc.format.manifest import FileEntry, Manifest
from mlvc.objects.source_file import Looks, Seen, looks_of
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
    look = look_at(pin.version, (seen for _, seen in _scan(top, root))) if _is_folder(pin, top) else None
    if look is not None and cache.looks_clean(top, look.digest):
        return
    there = {seen.file: seen for _, seen in _scan(top, root)} if _is_folder(pin, top) else {}
    wanted = {str(p.target): p.entry for p in placements(pin, manifest, root)}
    changes = list(_compare(wanted, root, cache, there))
    if look is not None and not changes and look.count == len(there) == len(wanted):  # else a rule hides a pinned file
        cache.remember_clean(top, look.digest, look.newest_ns, looked_ns)
    yield from sorted(changes, key=lambda change: change.path)


class Look(Struct, frozen=True):
    """What a folder looks like.

    Attributes:
        digest: of what it should hold, and of every file's name and looks, in the order of a scan.
        newest_ns: the latest time that a file bears; 0 for none.
        count: of files.
    """

    digest: bytes
    newest_ns: int
    count: int


def look_at(version: VersionId, there: Iterable[Seen]) -> Look:
    """Returns what a folder looks like that should hold a version; a scan's result is not held in memory."""
    import blake3

    proof = blake3.blake3(version)
    newest_ns = count = 0
    waiting = iter(there)
    while some := list(islice(waiting, _AT_ONCE)):
        proof.update(os.fsencode("\0".join([seen.file for seen in some])))
        proof.update(msgspec.msgpack.encode([seen.looks for seen in some]))
        newest_ns = max(newest_ns, *[seen.looks.newest_ns for seen in some if seen.looks is not None], 0)
        count += len(some)
    return Look(proof.digest(), newest_ns, count)


_AT_ONCE = 1024


def _compare(
    wanted: Mapping[str, FileEntry], root: Path, cache: StatCache, there: Mapping[str, Seen]
) -> Iterator[FileChange]:
    looks = {file: seen.looks for file in wanted if (seen := there.get(file) or _look(file)) is not None}
    known = cache.find_all({file: regular for file, regular in looks.items() if regular is not None})
    learned: list[tuple[str | Path, Looks, FileDigest]] = []
    read_ns = now_ns()
    for file, entry in wanted.items():
        if file not in looks:
            yield FileChange(_relative(file, root), MISSING)
            continue
        found, known_digest = looks[file], known.get(file)
        if known_digest is None and found is not None and found.size == entry.size:
            known_digest = placing.digest_file(file)
            learned.append((file, found, known_digest))
        if known_digest != entry.digest:
            yield FileChange(_relative(file, root), MODIFIED)
    for file, seen in there.items():
        if file not in wanted and (seen.looks is not None or _look(file) is not None):
            yield FileChange(_relative(file, root), NEW)
    if learned:
        cache.remember(learned, read_ns)


def _relative(target: str, root: Path) -> str:
    return os.path.relpath(target, root)


def _is_folder(pin: Pin, top: Path) -> bool:
    return pin.entry == WHOLE and top.is_dir()


def _scan(top: Path, root: Path) -> Iterator[tuple[str, Seen]]:
    """Yields the files below a pinned folder."""
    return scanning.walk(top, scanning.ignore_rules(scanning.folders_down_to(root, top)))


def _look(file: str) -> Seen | None:
    """Returns what a file looks like, links followed; None when there is none: a folder, a dangling link, nothing."""
    try:
        found = os.stat(file)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return None
        raise local_file_error(error, f"look at {file}") from error
    return None if stat.S_ISDIR(found.st_mode) else Seen(file, looks_of(found))
