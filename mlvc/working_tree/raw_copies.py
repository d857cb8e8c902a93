"""Whole files beside the packs, to make working files from without decoding: a cache, derived, bounded, proven at each use.

Where the file system shares blocks (XFS, Btrfs, APFS) such a copy costs no space as long as the working file stays as it is,
and a checkout from it costs no time. Elsewhere it would keep everything twice, so there it is kept only when asked.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import suppress
from pathlib import Path

from mlvc import atomic_file
from mlvc.errors import Error
from mlvc.format.ids import FileDigest
from mlvc.objects import source_file
from mlvc.objects.source_file import Looks

AUTO, ALWAYS, NEVER = "auto", "always", "never"
POLICIES = (AUTO, ALWAYS, NEVER)

DEFAULT_LIMIT = 64 << 30
"""Bytes, counted as if nothing were shared."""

_WORTH_A_COPY = 1 << 20
"""Smaller files are as fast from packs."""


class RawCopies:
    """The copies of one store.

    Args:
        folder: where they are; on the working files' file system, if blocks are to be shared.
        policy: `auto` where blocks can be shared, `always` or `never`.
        limit: the most bytes they may have; those that were used longest ago go first.
    """

    def __init__(self, folder: Path, policy: str = AUTO, limit: int = DEFAULT_LIMIT) -> None:
        self._folder = folder
        self._policy = policy
        self._limit = limit
        self._unshared: set[int] = set()

    def offer(self, file: str | Path, digest: FileDigest, looks: Looks) -> None:
        """Keeps a copy of a file that was just read or written, unless it changed since. Never fails."""
        if self._policy == NEVER or looks.size < _WORTH_A_COPY or (path := self._path(digest)).exists():
            return
        with suppress(OSError, Error):
            atomic_file.make_folder(path.parent)
            temporary = atomic_file.temporary_name(path.parent)
            try:
                if self._cloned(file, temporary) and source_file.regular_file(file) == looks:
                    os.rename(temporary, path)
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(temporary)

    def put_out(self, digest: FileDigest, size: int, target: str) -> bool:
        """Makes a new file `target` from the copy of some content, proven; False, and no file, when there is none that is good."""
        if self._policy == NEVER or size < _WORTH_A_COPY or not (path := self._path(digest)).exists():
            return False
        try:
            if not self._cloned(path, target):
                return False
            if _digest_of(target) == digest:
                os.utime(path)
                return True
            os.unlink(path)  # it was damaged, or never wholly reached the disk before a crash
        except OSError:
            pass  # whoever asked makes the file from packs, and says what the disk has against it
        with suppress(FileNotFoundError):
            os.unlink(target)
        return False

    def _cloned(self, source: str | Path, target: str) -> bool:
        """Makes a file share its blocks with another, or a plain copy where that was asked for; False: neither."""
        import reflink_copy

        device = os.stat(source).st_dev
        if device not in self._unshared:
            try:
                reflink_copy.reflink(str(source), target)
            except OSError:
                self._unshared.add(device)
            else:
                return True
        if self._policy != ALWAYS:
            return False
        shutil.copyfile(source, target)
        return True

    def trim(self) -> None:
        """Removes copies until the rest fits the limit."""
        found = sorted((status.st_mtime_ns, status.st_size, path) for path, status in self._all())
        left = sum(size for _, size, _ in found)
        for _, size, path in found:
            if left <= self._limit:
                return
            path.unlink(missing_ok=True)
            left -= size

    def others(self, wanted: AbstractSet[FileDigest]) -> list[tuple[Path, int]]:
        """Returns the copies of content that is not wanted, with their sizes in bytes."""
        names = {digest.hex() for digest in wanted}
        return [(path, status.st_size) for path, status in self._all() if path.name not in names]

    def size_bytes(self) -> int:
        """What the copies add up to, as if nothing were shared."""
        return sum(status.st_size for _, status in self._all())

    def _all(self) -> Iterator[tuple[Path, os.stat_result]]:
        for folder, _, names in os.walk(self._folder):
            for name in names:
                if not name.startswith(atomic_file.TEMPORARY_PREFIX):
                    path = Path(folder, name)
                    with suppress(FileNotFoundError):
                        yield path, path.stat()

    def _path(self, digest: FileDigest) -> Path:
        name = digest.hex()
        return self._folder / name[:2] / name


def _digest_of(file: str) -> bytes:
    import blake3

    return blake3.blake3(max_threads=blake3.blake3.AUTO).update_mmap(file).digest()
