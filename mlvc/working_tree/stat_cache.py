"""Remembers the digest of files by what `stat` says of them, so that unchanged files are not read again.

A file that was modified so shortly before it was read that a later change could bear the same time is *racily clean*,
as Git calls it: it is read again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlvc.derived_database import DerivedDatabase
from mlvc.format.ids import FileDigest
from mlvc.objects.source_file import Looks

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

_KNOWN_OF = "SELECT size, modified_ns, changed_ns, inode, read_ns, digest, path FROM file WHERE "


class StatCache:
    """Digests of files of this host, by absolute path."""

    def __init__(self, path: Path) -> None:
        self._database = DerivedDatabase(path, layout=_LAYOUT, schema=_SCHEMA)

    def find(self, path: str | Path, looks: Looks) -> FileDigest | None:
        """Returns the digest of a file that looks as it did when it was read, or None."""
        row = self._database.execute(_KNOWN_OF + "path = ?", os.fsencode(path)).fetchone()
        return _fresh(row, looks) if row else None

    def find_all(self, files: Mapping[str, Looks]) -> dict[str, FileDigest]:
        """Returns what `find` does, for many files in one go; those it knows nothing of are left out."""
        if len(files) < _MANY:
            return {file: known for file, looks in files.items() if (known := self.find(file, looks)) is not None}
        names = [os.fsencode(file) for file in files]
        found = {}
        for row in self._database.execute(_KNOWN_OF + "path BETWEEN ? AND ?", min(names), max(names)):
            file = os.fsdecode(row[-1])
            looks = files.get(file)
            known = None if looks is None else _fresh(row, looks)
            if known is not None:
                found[file] = known
        return found

    def looks_clean(self, path: Path, look: bytes) -> bool:
        """Tells whether a whole folder was found clean when it looked like this; see `remember_clean`."""
        return self._database.execute("SELECT 1 FROM clean WHERE path = ? AND look = ?", os.fsencode(path), look).fetchone() is not None

    def remember_clean(self, path: Path, look: bytes, newest_ns: int, looked_ns: int) -> None:
        """Remembers that a folder was clean when it looked like this, unless a file may have changed since unseen.

        Args:
            path: of the folder.
            look: a digest of what it should hold, and of the looks of every file.
            newest_ns: the latest time that a file bears.
            looked_ns: when looking began, by this host's clock.
        """
        if newest_ns < looked_ns - _RACY_NS:
            self._database.filling(
                lambda: self._database.execute("INSERT OR REPLACE INTO clean VALUES (?, ?)", os.fsencode(path), look)
            )

    def remember(self, files: Collection[tuple[str | Path, Looks, FileDigest]], read_ns: int) -> None:
        """Remembers digests.

        Args:
            files: path, what it looked like before it was read, digest.
            read_ns: when reading began, by this host's clock.
        """
        self._database.filling(lambda: self._put(files, read_ns))

    def _put(self, files: Collection[tuple[str | Path, Looks, FileDigest]], read_ns: int) -> None:
        rows = (
            (os.fsencode(path), looks.size, looks.modified_ns, looks.changed_ns, looks.inode, read_ns, digest)
            for path, looks, digest in files
        )
        with self._database.writing() as connection:
            connection.executemany("INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def close(self) -> None:
        """Closes the database."""
        self._database.close()


def _fresh(row: Sequence[Any], looks: Looks) -> FileDigest | None:
    size, modified_ns, changed_ns, inode, read_ns, digest, _ = row
    if (size, modified_ns, changed_ns, inode) != (looks.size, looks.modified_ns, looks.changed_ns, looks.inode):
        return None
    return None if looks.newest_ns >= read_ns - _RACY_NS else FileDigest(digest)


def now_ns() -> int:
    """Returns this host's clock, in nanoseconds: taken before a file is read."""
    return time.time_ns()
