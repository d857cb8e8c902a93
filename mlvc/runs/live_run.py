"""A run under way: a folder beside the store, one log a writer, and an OS lock that dies with its processes.

runs/<run id>/run             what began it, created once
runs/<run id>/lock            shared by every writer; whoever gets it alone knows that none is left
runs/<run id>/gate            held by whoever tries that, so that a look does not keep the last writer from sealing
runs/<run id>/<n>.events      one writer's log
runs/<run id>/console         what the program printed
runs/<run id>/patch           the uncommitted changes that it began with, where there were some
runs/<run id>/files/          what the run keeps beside its record, unless it was told another folder
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgpack
from msgspec import Struct, field
from msgspec.structs import asdict

from mlvc import atomic_file
from mlvc.errors import DamageError, local_file_error
from mlvc.format.ids import RUN_ID_SIZE, RunId
from mlvc.runs import event_log, events, surroundings
from mlvc.runs.event_log import EventLog
from mlvc.runs.events import Recorded

_RUN, _LOCK, _GATE, _CONSOLE, _PATCH, _LOGS, _FILES = "run", "lock", "gate", "console", "patch", ".events", "files"


class Beginning(Struct, frozen=True):
    """What began a run, or took it up again.

    Attributes:
        project, label: what users know it by.
        started_s: seconds since 1970 UTC.
        first_step: the step that logging goes on from.
        saw: heads of the run that it goes on from, as hexadecimal fact ids.
        facts: name, job type, command, git and the rest, JSON values.
        job: what ranks of one job share, or "".
        files: the folder of what the run keeps, or "" for the one beside its logs.
    """

    project: str
    label: str
    started_s: float
    first_step: int = 0
    saw: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    job: str = ""
    files: str = ""


_GATE_PAUSE_S = 0.002
_held_here: set[Path] = set()
"""Folders of runs that some thread of this process holds against new writers."""


class LiveRun:
    """The folder of one run under way, seen by anyone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.id = RunId(bytes.fromhex(folder.name))

    def beginning(self) -> Beginning | None:
        """Returns what began it, or None while it is being set up (or its set-up was killed)."""
        try:
            text = (self.folder / _RUN).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        try:
            values = json.loads(text)
            return Beginning(**{**values, "saw": tuple(values["saw"])})
        except (ValueError, TypeError, KeyError) as error:
            raise DamageError(f"{self.folder / _RUN} is damaged: {error}") from error

    def recorded(self, started_s: float) -> Recorded:
        """Returns what its logs add up to so far."""
        return events.add_up((event_log.read(path) for path in self.log_paths()), started_s)

    def log_paths(self) -> list[Path]:
        """Returns the writers' logs, in the order they began."""
        return sorted(self.folder.glob(f"*{_LOGS}"))

    @property
    def console_path(self) -> Path:
        """Where what the program prints goes."""
        return self.folder / _CONSOLE

    @property
    def patch_path(self) -> Path:
        """Where the uncommitted changes are kept that it began with."""
        return self.folder / _PATCH

    def files_folder(self, beginning: Beginning) -> Path:
        """Where the files lie that the run keeps; made when something is put there."""
        return Path(beginning.files) if beginning.files else self.folder / _FILES

    def has_writers(self) -> bool:
        """Tells whether a process holds the run open, on this host (or any that shares the file system's locks).

        Another thread of this process may hold it against new writers, and wait for what this one holds: then it has none.
        """
        while self.folder not in _held_here:
            with self._alone(fcntl.LOCK_EX | fcntl.LOCK_NB) as got_it:
                if got_it is not None:
                    return not got_it
            time.sleep(_GATE_PAUSE_S)
        return False

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Holds the run against new writers; False when it has one, or is sealed and removed.

        Of several that try at once each gets its turn, so a False always means a writer, never another one's look.
        """
        with self._alone(fcntl.LOCK_EX) as got_it:
            if not got_it:
                yield False
                return
            _held_here.add(self.folder)
            try:
                yield True
            finally:
                _held_here.discard(self.folder)

    @contextmanager
    def _alone(self, how: int) -> Iterator[bool | None]:
        """See `alone`; `how` the gate is locked. None when it is not to be waited for, and somebody has it."""
        gate = _open_lock(self.folder / _GATE)
        lock = _open_lock(self.folder / _LOCK)
        try:
            if gate is None or lock is None:
                yield False
                return
            try:
                fcntl.flock(gate, how)
            except BlockingIOError:
                yield None
                return
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield _is_open_at(lock, self.folder / _LOCK)
        finally:
            for fd in (lock, gate):
                if fd is not None:
                    os.close(fd)

    def remove(self) -> None:
        """Removes the folder of a run whose record is sealed: at once for everybody, then its content.

        What an earlier removal left because it was killed goes too.
        """
        runs_folder = self.folder.parent
        try:
            os.rename(self.folder, atomic_file.temporary_name(runs_folder))
        except OSError as error:
            raise local_file_error(error, f"remove {self.folder}") from error
        for removed in runs_folder.glob(f"{atomic_file.TEMPORARY_PREFIX}*"):
            import shutil

            shutil.rmtree(removed, ignore_errors=True)  # another remover may be at it


class RunWriter:
    """One process' hold on a run under way. Made by `begin` or `join`."""

    def __init__(self, live: LiveRun, lock_fd: int) -> None:
        self.live = live
        self._lock_fd = lock_fd
        self._log: EventLog | None = None

    @property
    def log(self) -> EventLog:
        """This process' log, begun when first written to."""
        if self._log is None:
            name = f"{time.time_ns():020d}-{os.getpid()}-{os.urandom(4).hex()}{_LOGS}"
            self._log = EventLog(self.live.folder / name)
            self._log.append(
                msgpack.packb([events.WRITER, surroundings.host_name(), surroundings.boot_id(), os.getpid(), time.time()])
            )
        return self._log

    def forget_in_child(self) -> None:
        """In a forked child: lets go of the parent's lock and log. The child's first event begins a log of its own.

        The child must not hold the lock: a DataLoader worker that outlives its parent would keep a dead run alive.
        """
        os.close(self._lock_fd)
        self._lock_fd = -1
        if self._log is not None:
            self._log.forget()
            self._log = None

    def close(self) -> None:
        """Ends this process' writing, durably."""
        if self._log is not None:
            self._log.sync()
            self._log.close()
            self._log = None
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1


def begin(runs_folder: Path, identifier: RunId, beginning: Beginning) -> tuple[RunWriter, Beginning]:
    """Begins a run, or joins it when another writer of it was first.

    Returns:
        The hold on it, and what really began it.
    """
    folder = runs_folder / identifier.hex()
    while True:
        atomic_file.make_folder(folder)
        fd = _open_lock(folder / _LOCK)
        if fd is None:
            continue  # sealed and removed between the two lines
        fcntl.flock(fd, fcntl.LOCK_SH)
        if _is_open_at(fd, folder / _LOCK):
            break
        os.close(fd)
    data = json.dumps(asdict(beginning), ensure_ascii=False, sort_keys=True).encode("utf-8", "replace")
    atomic_file.create(folder / _RUN, data)
    live = LiveRun(folder)
    found = live.beginning()
    assert found is not None, "it was just created, or was there"
    return RunWriter(live, fd), found


def tell(live: LiveRun, facts: dict[str, Any]) -> bool:
    """Adds facts to a run that a process is writing, without becoming one of its writers; False when it has none any more."""
    lock = _open_lock(live.folder / _LOCK) if live.has_writers() else None
    if lock is None:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH)  # or it would be sealed meanwhile
        if not _is_open_at(lock, live.folder / _LOCK):
            return False
        log = EventLog(live.folder / f"{time.time_ns():020d}-{os.getpid()}-{os.urandom(4).hex()}{_LOGS}")
        log.append(msgpack.packb([events.FACTS, facts]))
        log.sync()
        log.close()
        return True
    finally:
        os.close(lock)


def _open_lock(path: Path) -> int | None:
    """Returns a lock file's descriptor, or None when its folder is gone."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise local_file_error(error, f"open {path}") from error


def _is_open_at(fd: int, path: Path) -> bool:
    """Tells whether a descriptor is the file at a path: one of a removed folder locks nothing."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(fd), found)


def list_live(runs_folder: Path) -> list[LiveRun]:
    """Returns the runs under way, or dead and not yet sealed."""
    try:
        names = sorted(os.listdir(runs_folder))
    except FileNotFoundError:
        return []
    return [LiveRun(runs_folder / name) for name in names if _is_run_id(name)]


def _is_run_id(name: str) -> bool:
    try:
        return len(bytes.fromhex(name)) == RUN_ID_SIZE
    except ValueError:
        return False


def state_of(live: LiveRun, recorded: Recorded) -> str:
    """Returns the state to show for a run that is not sealed: running, crashed, or unknown when another host knows."""
    if live.has_writers():
        return events.RUNNING
    here = surroundings.host_name()
    if any(writer.host != here for writer in recorded.writers):
        return events.UNKNOWN
    return state_of_dead(recorded)[0]


def state_of_dead(recorded: Recorded) -> tuple[str, int]:
    """Returns state and exit code of a run that no process holds: the worst that its writers said, crashed if one said nothing."""
    if not recorded.ends:
        return events.CRASHED, 1
    return max(((state, code) for state, code, _ in recorded.ends), key=lambda end: (end[1] != 0, end[0] != events.FINISHED))
