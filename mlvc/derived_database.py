"""SQLite files that hold nothing but what can be derived again: indexes, the cached view, the stat cache.

A file that is missing, damaged or of another layout is thrown away and made anew; the caller fills it.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_NETWORK_FILE_SYSTEMS = ("nfs", "cifs", "smb", "fuse.sshfs", "lustre", "gpfs", "beegfs", "ceph", "glusterfs", "9p", "afs")
_BUSY_TIMEOUT_S = 120


def on_network_file_system(path: str | Path) -> bool:
    """Tells whether `path` lies on a file system shared between hosts, where SQLite's WAL must not be used."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    real = os.path.realpath(path)
    best, kind = "", ""
    for line in mounts:
        left, _, right = line.partition(" - ")
        point = left.split(" ")[4].replace("\\040", " ")
        if len(point) >= len(best) and (real == point or real.startswith(point.rstrip("/") + "/")):
            best, kind = point, right.split(" ")[0]
    return kind.startswith(_NETWORK_FILE_SYSTEMS)


class DerivedDatabase:
    """A SQLite file with a layout number, opened when first used and again in a forked child.

    Args:
        path: the file; its folder exists.
        layout: bumped whenever `schema` changes; a file of another number is discarded.
        schema: SQL that makes the tables.
    """

    def __init__(self, path: Path, *, layout: int, schema: str) -> None:
        self.path = path
        self._layout = layout
        self._schema = schema
        self._connection: sqlite3.Connection | None = None
        self._pid = 0
        self._lock = threading.RLock()

    @property
    def connection(self) -> sqlite3.Connection:
        """The open connection, in autocommit mode."""
        if self._connection is None or self._pid != os.getpid():
            self._connection = self._open()
            self._pid = os.getpid()  # a forked child must not touch its parent's connection
        return self._connection

    def _open(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
                raise
            self.discard()
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, cached_statements=64
        )
        if self._is_current(connection):
            connection.execute("PRAGMA synchronous=NORMAL")
            return connection
        mode = "TRUNCATE" if on_network_file_system(self.path.parent) else "WAL"
        connection.execute(f"PRAGMA journal_mode={mode}")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("BEGIN IMMEDIATE")
        if not self._is_current(connection):  # another process may have made it while this one waited
            for (name,) in connection.execute(
                "SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite_%'"
            ).fetchall():
                connection.execute(f'DROP TABLE "{name}"')
            for statement in filter(str.strip, self._schema.split(";")):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version={self._layout}")
        connection.execute("COMMIT")
        return connection

    def _is_current(self, connection: sqlite3.Connection) -> bool:
        return bool(connection.execute("PRAGMA user_version").fetchone()[0] == self._layout)

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        """Runs one statement."""
        return self.connection.execute(sql, parameters)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One write transaction: all of it or, on an exception, none. Waits for other writers; not reentrant."""
        with self._lock:
            connection = self.connection
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def close(self) -> None:
        """Closes the connection; the next use opens it again."""
        if self._connection is not None and self._pid == os.getpid():
            self._connection.close()
        self._connection = None

    def discard(self) -> None:
        """Throws the file away; the next use makes an empty one."""
        self.close()
        for suffix in ("", "-wal", "-shm", "-journal"):
            try:
                os.unlink(f"{self.path}{suffix}")
            except FileNotFoundError:
                continue
