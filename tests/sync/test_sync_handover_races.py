"""Every order in which a first push, another clone's push and a crash can meet at an empty remote: never two authorities."""

from __future__ import annotations

import itertools
import shutil

import pytest
import schedules
from clones import history, publish, workspace
from test_sync_races import opened, push, remote_of

from mlvc.backend.local import LocalBackend
from mlvc.backend.memory import MemoryBackend
from mlvc.sync import pulling, pushing
from mlvc.sync.remote import Remote
from mlvc.workspace.workspace import Workspace


class World:
    """A repository with history, a clone of it with something pending, and an empty remote that both name as their upstream."""

    def __init__(self, folder) -> None:
        self.folder, self.runs, self.shared = folder, itertools.count(), MemoryBackend()
        base = folder / "base"
        owner = workspace(base / "owner")
        publish(owner, {"w": b"1"})
        peer = workspace(base / "peer")
        peer.repository.starts_journals = False
        pulling.pull(peer.repository, Remote("owner", LocalBackend(owner.repository.path), peer.repository.path / "cache"))
        publish(peer, {"w": b"2"})
        publish(owner, {"w": b"3"})
        owner.close()
        peer.close()

    def begin(self, *names):
        self.number = next(self.runs)
        self.shared._values.clear()
        for name in names:
            shutil.copytree(self.folder / "base" / name, self.folder / f"run {self.number}" / name)
        return [(name, self.work(name)) for name in names]

    def place(self, name) -> Workspace:
        found = opened(self.folder / f"run {self.number}" / name)
        found.repository.starts_journals = False
        return found

    def work(self, name):
        def go(halt):
            where = self.place(name)
            try:
                push(where, schedules.Stepped(self.shared, halt))
            finally:
                where.close()

        return go

    def check(self, order, errors):
        assert not errors, (order, errors)
        journals = {key.split("/")[1] for key in self.shared._values if key.startswith("journal/")}
        assert len(journals) <= 1, order
        owner, peer = self.place("owner"), self.place("peer")
        for where in (owner, peer, owner, peer, owner, peer):
            pushing.push(where.repository, remote_of(where, self.shared))
        assert history(owner) == history(peer), order
        assert sorted(history(owner)) == ["v0", "v1", "v2"], order
        for one in (owner, peer):
            standing = one.repository.refresh()
            assert standing.authority == owner.repository.refresh().authority
            one.close()
        shutil.rmtree(self.folder / f"run {self.number}")


@pytest.mark.parametrize("names", [("owner", "peer"), ("peer", "owner")], ids=" ".join)
def test_there_are_never_two_authorities(tmp_path, monkeypatch, names):
    schedules.without_threads(monkeypatch)
    world = World(tmp_path)
    assert schedules.explore(lambda: world.begin(*names), world.check, preemptions=2, deaths=False) > 100
    assert schedules.explore(lambda: world.begin(*names), world.check, preemptions=1, deaths=True) > 20
