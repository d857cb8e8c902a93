"""Workspaces, a folder that they push to, and faults on the way there."""

from __future__ import annotations

from pathlib import Path

from mlvc.atomic_file import FileLayer
from mlvc.backend.local import LocalBackend
from mlvc.errors import RemoteError
from mlvc.format.ids import VersionId
from mlvc.sync.remote import Remote
from mlvc.workspace import contents, exchanging, lazy_fetch, publishing
from mlvc.workspace.draft import Draft
from mlvc.workspace.workspace import Workspace

ENVIRONMENT = {"MLVC_USER": "Ada <ada@example.org>"}
C = "p/model"


def workspace(folder: Path) -> Workspace:
    folder.mkdir(parents=True)
    made, _ = Workspace.create(folder, ENVIRONMENT, project="p")
    lazy_fetch.attach(made)
    return made


def connected(folder: Path, remote: Path, files: dict[str, bytes] | None = None, aliases=()) -> Workspace:
    """A workspace with `remote` as its upstream; with `files`, it had a version, and so a journal, before."""
    made = workspace(folder)
    if files is not None:
        publish(made, files, aliases)
    exchanging.add_remote(made, "origin", str(remote))
    return made


def clone(remote: Path, folder: Path) -> Workspace:
    return exchanging.clone(str(remote), folder, ENVIRONMENT)[0]


def reopened(one: Workspace) -> Workspace:
    one.close()
    return opened(one.root)


def opened(root: Path) -> Workspace:
    from mlvc.workspace import opening

    return opening.find(root, ENVIRONMENT)


def publish(where: Workspace, files: dict[str, bytes], aliases=(), collection: str = C) -> str:
    """Publishes files; returns the label, `v4~` where it may still change."""
    return publishing.publish(where, Draft(collection, "model", dict(files), aliases=aliases), "add").member.label


def history(where: Workspace, collection: str = C) -> dict[str, VersionId]:
    """Label -> version."""
    return {m.label: m.version for m in where.repository.view().members(collection)}


def read(where: Workspace, version: VersionId) -> dict[str, bytes]:
    found = contents.of(where, where.repository.view(), version)
    return {e.path: b"".join(contents.read_entry(where, found, e.path)) for e in found.manifest}


class Killed(BaseException):
    """The process died here."""


class CountingLayer(FileLayer):
    """Counts file operations, and dies before one of them; then nothing more happens."""

    def __init__(self, at: int | None = None):
        self.at, self.count, self.is_dead = at, 0, False

    def _step(self):
        if self.is_dead or self.count == self.at:
            self.is_dead = True
            raise Killed
        self.count += 1


def _counted(name):
    def operation(self, *arguments):
        self._step()
        return getattr(FileLayer, name)(self, *arguments)

    return operation


for _name in ("open_new", "write", "fsync", "rename", "link", "unlink", "mkdir", "fsync_folder"):
    setattr(CountingLayer, _name, _counted(_name))


class FaultyBackend(LocalBackend):
    """Fails once, at the write number `at`: before it, or after it with the answer lost."""

    def __init__(self, root: Path, at: int | None = None, *, after: bool = False):
        super().__init__(root)
        self.at, self.after, self.count = at, after, 0

    def _guarded(self, work):
        number, self.count = self.count, self.count + 1
        if number != self.at:
            return work()
        if self.after:
            work()
        raise RemoteError("the line went dead")

    def create(self, key, data):
        return self._guarded(lambda: super(FaultyBackend, self).create(key, data))

    def write(self, key, pieces):
        return self._guarded(lambda: super(FaultyBackend, self).write(key, pieces))


def faulty_remote(where: Workspace, store: Path, at: int | None, *, after: bool = False) -> tuple[Remote, FaultyBackend]:
    backend = FaultyBackend(store, at, after=after)
    return Remote("origin", backend, where.repository.path / "cache"), backend
