"""Remembers the digest of files by what `stat` says of them, so that unchanged files are not read again.

A file that was modified so shortly before it was read that a later change could bear the same time is *racily clean*,
as Git calls it: it is read again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from mlvc.derived_database import DerivedDatabase
from mlvc.format.ids import FileDigest

_SCHEMA = """
CREATE TABLE file (
    path BLOB PRIMARY KEY, size INTEGER NOT NULL, modified_ns INTEGER NOT NULL, changed_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL, read_ns INTEGER NOT NULL, digest BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE clean (path BLOB PRIMARY KEY, look BLOB NOT NULL) WITHOUT ROWID
"""
_LAYOUT = 2
_RACY_NS = 20_000_000
"""Kernels stamp files with a clock that ticks every 1 to 10 ms; twice that is on the safe side."""

_MANY = 64


class StatCache:
    """Digests of files of this host, by absolute path."""

    def __init__(self, path: Path) -> None:
        self._database = DerivedDatabase(path, layout=_LAYOUT, schema=_SCHEMA)

    def find(self, path: Path, found: os.stat_result) -> FileDigest | None:
        """Returns the digest of a file that looks as it did when it was read, or None."""
        row = self._database.execute(
            "SELECT size, modified_ns, changed_ns, inode, read_ns, digest FROM file WHERE path = ?", os.fsencode(path)
        ).fetchone()
        return _fresh(row, found) if row else None

    def under(self, folder: Path) -> dict[bytes, tuple[int, int, int, int, int, bytes]]:
        """Returns all that is remembered below a folder, for many questions at once; ask `fresh` with a row."""
        prefix = os.fsencode(folder) + b"/"
        rows = self._database.execute(
            "SELECT path, size, modified_ns, changed_ns, inode, read_ns, digest FROM file WHERE path >= ? AND path < ?",
            prefix,
            prefix[:-1] + b"0",
        ).fetchall()
        return {bytes(row[0]): row[1:] for row in rows}

    def finder(self, paths: Collection[Path]) -> Callable[[Path, os.stat_result], FileDigest | None]:
        """Returns `find` for the given files; many are looked up in one go."""
        if len(paths) < _MANY:
            return self.find
        rows = self.under(Path(os.path.commonpath(paths)))
        return lambda path, found: self.fresh(rows.get(os.fsencode(path)), found)

    def looks_clean(self, path: Path, look: bytes) -> bool:
        """Tells whether a whole folder was found clean when it looked like this; see `remember_clean`."""
        return self._database.execute("SELECT 1 FROM clean WHERE path = ? AND look = ?", os.fsencode(path), look).fetchone() is not None

    def remember_clean(self, path: Path, look: bytes, stats: Iterable[os.stat_result], looked_ns: int) -> None:
        """Remembers that a folder was clean when it looked like this, unless a file may have changed since unseen.

        Args:
            path: of the folder.
            look: a digest of what it should hold, and of the stat of every file.
            stats: those of the files.
            looked_ns: when looking began, by this host's clock.
        """
        if max((max(s.st_mtime_ns, s.st_ctime_ns) for s in stats), default=0) < looked_ns - _RACY_NS:
            self._database.filling(
                lambda: self._database.execute("INSERT OR REPLACE INTO clean VALUES (?, ?)", os.fsencode(path), look)
            )

    @staticmethod
    def fresh(row: tuple[int, int, int, int, int, bytes] | None, found: os.stat_result) -> FileDigest | None:
        """Returns the digest in a row of `under`, if the file still looks that way."""
        return _fresh(row, found) if row else None

    def remember(self, files: Iterable[tuple[Path, os.stat_result, FileDigest]], read_ns: int) -> None:
        """Remembers digests.

        Args:
            files: path, what it looked like before it was read, digest.
            read_ns: when reading began, by this host's clock.
        """
        rows = [
            (os.fsencode(path), s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino, read_ns, digest)
            for path, s, digest in files
        ]
        self._database.filling(lambda: self._put(rows))

    def _put(self, rows: list[tuple[bytes, int, int, int, int, int, FileDigest]]) -> None:
        with self._database.writing() as connection:
            connection.executemany("INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def close(self) -> None:
        """Closes the database."""
        self._database.close()


def _fresh(row: tuple[int, int, int, int, int, bytes], found: os.stat_result) -> FileDigest | None:
    size, modified_ns, changed_ns, inode, read_ns, digest = row
    if (size, modified_ns, changed_ns, inode) != (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino):
        return None
    if max(modified_ns, changed_ns) >= read_ns - _RACY_NS:
        return None
    return FileDigest(digest)


def now_ns() -> int:
    """Returns this host's clock, in nanoseconds: taken before a file is read."""
    return time.time_ns()
