"""SQLite files that hold nothing but what can be derived again: indexes, the cached view, the stat cache.

A file that is missing, damaged or of another layout is thrown away and made anew; the caller fills it. Where the folder
may not be written (somebody else's store), the file lies in this user's cache folder instead; where the disk is full, it
is made in memory for as long as the process lives.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from mlvc.errors import LocalFileError

_NETWORK_FILE_SYSTEMS = ("nfs", "cifs", "smb", "fuse.sshfs", "lustre", "gpfs", "beegfs", "ceph", "glusterfs", "9p", "afs")
_BUSY_TIMEOUT_S = 120
_REFUSALS = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)
_IN_MEMORY = Path(":memory:")

Result = TypeVar("Result")


class CacheRefusedError(LocalFileError):
    """The disk refused to write a derived file: it is full, most likely."""


def _is_refusal(error: sqlite3.Error) -> bool:
    return isinstance(error, sqlite3.OperationalError) and (error.sqlite_errorcode & 0xFF) in _REFUSALS


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


def _writable(path: Path) -> Path:
    """Returns where this user can keep a derived file: at `path`, in the user's cache folder, or in memory only."""
    if _is_usable(path.parent):
        return path
    import hashlib

    user = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    place = hashlib.sha256(os.fsencode(os.path.realpath(path.parent))).hexdigest()[:32]
    folder = Path(user) / "mlvc" / place
    return folder / path.name if _is_usable(folder) else _IN_MEMORY


def _is_usable(folder: Path) -> bool:
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    return os.access(folder, os.W_OK | os.X_OK)


class DerivedDatabase:
    """A SQLite file with a layout number, opened when first used and again in a forked child.

    Args:
        path: the file; its folder is made when missing.
        layout: bumped whenever `schema` changes; a file of another number is discarded.
        schema: SQL that makes the tables.
    """

    def __init__(self, path: Path, *, layout: int, schema: str) -> None:
        self.path = _writable(path)
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
            if _is_refusal(error):
                self.path = _IN_MEMORY  # the file may be good, and is left for when the disk has room again
                return self._connect()
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
        """Runs one statement; CacheRefusedError when the disk is full."""
        try:
            return self.connection.execute(sql, parameters)
        except sqlite3.OperationalError as error:
            raise self._refused(error) from error

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One write transaction: all of it or, on an exception, none. Waits for other writers; not reentrant.

        Raises:
            CacheRefusedError: the disk is full.
        """
        with self._lock:
            connection = self.connection
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            except BaseException as error:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                if isinstance(error, sqlite3.OperationalError):
                    raise self._refused(error) from error
                raise

    def filling(self, work: Callable[[], Result]) -> Result:
        """Returns what `work` does, which fills the file from the truth; where the disk has no room, in memory."""
        try:
            return work()
        except CacheRefusedError:
            self.close()
            self.path = _IN_MEMORY
            return work()

    def _refused(self, error: sqlite3.OperationalError) -> Exception:
        if not _is_refusal(error):
            return error
        return CacheRefusedError(
            f"cannot write {self.path}: {error}", hint="free some space and run the command again; nothing was lost"
        )

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
