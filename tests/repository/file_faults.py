"""File layers that fail, kill, or record, and a model of what a power cut may leave of what was recorded."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mlvc.atomic_file import FileLayer


class Killed(BaseException):
    """The process died here: nothing that it would have done in a `finally` reaches the disk."""


class CountingLayer(FileLayer):
    """Counts operations, and lets one of them go wrong.

    Args:
        at: the operation to stop at, from 0; None for none.
        kill: whether the process dies there (half a write is done), or the disk just refuses (once).
    """

    def __init__(self, at: int | None = None, *, kill: bool = False):
        self.at = at
        self.kill = kill
        self.count = 0
        self.is_dead = False

    def before(self) -> None:
        """Hook: something that happens between two operations."""

    def _step(self, fd: int = -1, data: bytes = b"") -> None:
        if self.is_dead:
            raise Killed
        self.before()
        number, self.count = self.count, self.count + 1
        if number != self.at:
            return
        if data:
            os.write(fd, data[: len(data) // 2])
        if self.kill:
            self.is_dead = True
            raise Killed
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    def open_new(self, path):
        self._step()
        return super().open_new(path)

    def write(self, fd, path, data):
        self._step(fd, bytes(data))
        super().write(fd, path, data)

    def fsync(self, fd, path):
        self._step()

    def rename(self, source, target):
        self._step()
        super().rename(source, target)

    def link(self, source, target):
        self._step()
        super().link(source, target)

    def unlink(self, path):
        self._step()
        super().unlink(path)

    def mkdir(self, path):
        self._step()
        super().mkdir(path)

    def fsync_folder(self, path):
        self._step()


@dataclass
class Operation:
    """One recorded operation; `what` is a name, or 'acknowledged' for what a user was told is safe."""

    what: str
    path: str = ""
    target: str = ""
    data: object = b""


class RecordingLayer(CountingLayer):
    """Does everything for real, below `world`, and writes down what it did. `deaf` fsyncs leave no trace."""

    def __init__(self, world: Path, at: int | None = None, *, deaf=lambda operation: False):
        super().__init__(at, kill=True)
        self.world = world
        self.done: list[Operation] = []
        self.deaf = deaf

    def _note(self, what, path="", target="", data=b""):
        relative = os.path.relpath(path, self.world)
        noted = Operation(what, relative, os.path.relpath(target, self.world) if target else "", data)
        if not (what.startswith("fsync") and self.deaf(noted)):
            self.done.append(noted)

    def acknowledge(self, what: object) -> None:
        self.done.append(Operation("acknowledged", data=what))

    def open_new(self, path):
        fd = super().open_new(path)
        self._note("create", path)
        return fd

    def write(self, fd, path, data):
        super().write(fd, path, data)
        self._note("write", path, data=bytes(data))

    def fsync(self, fd, path):
        super().fsync(fd, path)
        self._note("fsync", path)

    def rename(self, source, target):
        super().rename(source, target)
        self._note("rename", source, target)

    def link(self, source, target):
        super().link(source, target)
        self._note("link", source, target)

    def unlink(self, path):
        super().unlink(path)
        self._note("unlink", path)

    def mkdir(self, path):
        super().mkdir(path)
        self._note("mkdir", path)

    def fsync_folder(self, path):
        super().fsync_folder(path)
        self._note("fsync_folder", path)


@dataclass
class _File:
    content: bytes = b""
    durable: bytes = b""


@dataclass
class _Change:
    """A change of names in one folder: names that go, names that come. A rename is one change: it is atomic."""

    goes: tuple[str, ...] = ()
    comes: tuple[tuple[str, object], ...] = ()
    is_durable: bool = False


_FOLDER = object()
Tree = tuple[tuple[str, bytes | None], ...]
"""What a disk holds: (path, content), None for a folder, sorted."""


@dataclass
class Disk:
    """What was done so far, and which of it a power cut may undo."""

    changes: list[_Change] = field(default_factory=list)
    _names: dict[str, object] = field(default_factory=dict)

    def apply(self, operation: Operation) -> None:
        path, target = operation.path, operation.target
        match operation.what:
            case "create":
                self._change(_Change((), ((path, _File()),)))
            case "write":
                self._names[path].content += operation.data
            case "fsync":
                self._names[path].durable = self._names[path].content
            case "rename":
                self._change(_Change((path,), ((target, self._names[path]),)))
            case "link":
                self._change(_Change((), ((target, self._names[path]),)))
            case "unlink":
                self._change(_Change((path,)))
            case "mkdir":
                self._change(_Change((), ((path, _FOLDER),)))
            case "fsync_folder":
                for change in self.changes:
                    touched = [*change.goes, *(name for name, _ in change.comes)]
                    if any(os.path.dirname(name) == ("" if path == "." else path) for name in touched):
                        change.is_durable = True

    def _change(self, change: _Change) -> None:
        self.changes.append(change)
        for name in change.goes:
            del self._names[name]
        self._names.update(change.comes)

    def after_power_cut(self, rng: random.Random) -> Iterator[Tree]:
        """Yields what may be left: unsynced names kept, dropped, kept in part; unsynced bytes kept, lost, or zero."""
        loose = [place for place, change in enumerate(self.changes) if not change.is_durable]
        choices = [set(loose), set(), set(loose[-1:]), set(loose[:-1])]
        choices += [{place for place in loose if rng.random() < 0.5} for _ in range(2)]
        if len(loose) > 2:
            choices += [set(loose) - {loose[len(loose) // 2]}, {rng.choice(loose)}]
        for number, kept in enumerate(choices):
            yield self._left(kept, ("lost", "zero", "kept")[number % 3])
            if number < 2:
                yield self._left(kept, "lost" if number else "zero")

    def _left(self, kept: set[int], how: str) -> Tree:
        names: dict[str, object] = {}
        for place, change in enumerate(self.changes):
            if change.is_durable or place in kept:
                for name in change.goes:
                    names.pop(name, None)
                names.update(change.comes)
        left = {}
        for name in sorted(names):
            folder = os.path.dirname(name)
            if folder and folder not in left:
                continue  # the folder's own name was lost, and all in it
            found = names[name]
            left[name] = None if found is _FOLDER else _bytes_left(found, how)
        return tuple(left.items())


def _bytes_left(found: _File, how: str) -> bytes:
    lost = len(found.content) - len(found.durable)
    if how == "kept":
        return found.content
    return found.durable + (bytes(lost) if how == "zero" else b"")


def build(tree: Tree, world: Path) -> None:
    """Makes a folder hold what was left."""
    world.mkdir()
    for name, content in tree:
        if content is None:
            (world / name).mkdir()
        else:
            (world / name).write_bytes(content)


def power_cuts(done: list[Operation], rng: random.Random, start: int = 0) -> Iterator[tuple[Tree, list[object]]]:
    """Yields, for a power cut after each operation, what may be left and what had been acknowledged; each once."""
    disk = Disk()
    acknowledged: list[object] = []
    seen = set()
    for number, operation in enumerate(done):
        if operation.what == "acknowledged":
            acknowledged.append(operation.data)
        else:
            disk.apply(operation)
        if number + 1 < start:
            continue
        for tree in disk.after_power_cut(rng):
            state = hash((tree, len(acknowledged)))
            if state not in seen:
                seen.add(state)
                yield tree, list(acknowledged)
