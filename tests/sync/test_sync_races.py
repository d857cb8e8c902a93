"""Every order in which sweeps, pushes, an undo and crashes can meet at one remote: no living version ever lacks a byte."""

from __future__ import annotations

import itertools
import os
import random
import shutil

import pytest
import schedules
from clones import ENVIRONMENT, C, history, publish, read, workspace

from mlvc.backend.memory import MemoryBackend
from mlvc.maintenance import sweeping
from mlvc.sync import pulling, pushing
from mlvc.sync.remote import Remote
from mlvc.workspace import lazy_fetch, registry, undoing
from mlvc.workspace.locating import Location
from mlvc.workspace.workspace import Workspace

ONE, TWO, NEW = (random.Random(n).randbytes(50_000) for n in range(3))
AT_ONCE = -1_000_000


def remote_of(where: Workspace, backend) -> Remote:
    return Remote("origin", backend, where.repository.path / "cache")


def opened(folder) -> Workspace:
    return Workspace(Location(folder, folder / ".mlvc", None), ENVIRONMENT)


def cloned(folder, shared: MemoryBackend) -> Workspace:
    made = workspace(folder)
    made.repository.starts_journals = False
    pulling.pull(made.repository, remote_of(made, shared))
    return made


def fetching_from(where: Workspace, backend) -> Workspace:
    """Lazy reads ask the shared memory."""
    from mlvc.sync import fetching

    remote = remote_of(where, backend)
    where.repository.objects.fetch = lambda wanted: fetching.fetch(where.repository.objects, remote, wanted)
    return where


class World:
    """A remote with a living and a deleted version, and clones of it; each run starts from copies."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.runs = itertools.count()
        self.shared = MemoryBackend()
        base = folder / "base"
        origin = workspace(base / "origin")
        lazy_fetch.attach(origin)
        publish(origin, {"w.bin": ONE})
        publish(origin, {"w.bin": TWO})
        pushing.push(origin.repository, remote_of(origin, self.shared))
        early = cloned(base / "early", self.shared)
        (member,) = [m for m in origin.repository.view().members(C) if m.label == "v0"]
        self.deleted = member.version
        registry.delete_version(origin, member, "delete", with_names=True)
        pushing.push(origin.repository, remote_of(origin, self.shared))
        # One that has the deleted content pending, and believes that the remote holds it already.
        publish(early, {"more.bin": NEW})
        publish(early, {"w.bin": ONE, "more.bin": NEW})
        remote_of(early, self.shared).index.refresh()
        # One that made the deleted content, and so has a pack of the same name as the remote's, and publishes it again.
        publish(origin, {"w.bin": ONE})
        lazy = cloned(base / "lazy", self.shared)
        undoing.undo(lazy, None, "undo", force=True)
        for name in ("first", "second"):
            cloned(base / name, self.shared).close()
        for one in (origin, early, lazy):
            one.close()
        self.values = dict(self.shared._values)

    def actor(self, name, deed):
        clone = {"push": "early", "again": "origin", "pull": "early", "undo": "lazy", "gc": "first", "gc2": "second"}[name]
        folder = self.folder / f"run {self.number}" / name
        shutil.copytree(self.folder / "base" / clone, folder)

        def work(halt):
            where = opened(folder)
            where.repository.starts_journals = False
            backend = schedules.Stepped(self.shared, halt)
            try:
                deed(where, backend)
            finally:
                where.close()

        return name, work

    def begin(self, *names):
        self.number = next(self.runs)
        self.shared._values.clear()
        self.shared._values.update(self.values)
        return [self.actor(name, sweep if name.startswith("gc") else push) for name in names]

    def check(self, order, errors, pushed: set[str]) -> None:
        assert not errors, (order, errors)
        there = fetching_from(cloned(self.folder / f"run {self.number}" / "newcomer", self.shared), self.shared)
        view = there.repository.view()
        held = []
        for label, version in history(there).items():
            assert version is not None
            (said, *_) = view.publications(version)
            if view.is_gone(said.manifest):
                assert version == self.deleted, (label, order)
                continue
            held.append(read(there, version))
        assert {"w.bin": TWO} in held, order
        if "push" in pushed:
            assert {"w.bin": ONE, "more.bin": NEW} in held, order
        if "again" in pushed:
            assert {"w.bin": ONE} in held, order
        if self.deleted in history(there).values() and not view.is_gone(view.publications(self.deleted)[0].manifest):
            assert {"w.bin": ONE} in held, order
        there.close()
        shutil.rmtree(self.folder / f"run {self.number}")


def sweep(where, backend):
    remote = remote_of(where, backend)
    sweeping.sweep(
        where.repository, remote, remote.require_record().id, lambda: (), AT_ONCE, lambda: pulling.pull(where.repository, remote)
    )


def push(where, backend):
    fetching_from(where, backend)
    pushing.push(where.repository, remote_of(where, backend))
    backend.halt("pushed")


@pytest.fixture
def world(tmp_path, monkeypatch):
    schedules.without_threads(monkeypatch)
    return World(tmp_path)


@pytest.mark.parametrize(
    ("names", "preemptions", "deaths"),
    [
        (("gc", "push"), 2, False),
        (("gc", "gc2"), 2, False),
        (("gc", "undo"), 2, False),
        (("push", "gc"), 1, True),
        (("gc", "again"), 2, False),
        (("gc", "gc2", "push"), 1, True),
        (("push", "undo", "gc"), 1, True),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_no_living_version_ever_lacks_a_byte(world, names, preemptions, deaths):
    def check(order, errors):
        world.check(order, errors, {name for name in names if f"{name}: pushed" in order})

    if os.environ.get("MLVC_EXPLORE") == "long":  # half an hour instead of half a minute
        preemptions, deaths = preemptions + 1, True
    count = schedules.explore(lambda: world.begin(*names), check, preemptions=preemptions, deaths=deaths)
    assert count > 20


def test_a_sweep_that_another_command_pulls_here_meanwhile_is_noticed(world):
    """A push decides, the remote is swept, another process brings the sweep's entry here: the push must look again all the same."""

    def begin():
        actors = world.begin("push", "gc")
        push_folder = world.folder / f"run {world.number}" / "push"

        def pull(halt):
            where = opened(push_folder)
            where.repository.starts_journals = False
            pulling.pull(where.repository, remote_of(where, schedules.Stepped(world.shared, halt)))
            where.close()

        return [*actors, ("pull", pull)]

    steps = sum(step.startswith("push") for step in schedules.run(begin(), ())[0])
    for step in range(1, steps):
        order, _, _ = schedules.run(begin(), ((step, "gc", False),))
        swept = next((n for n in range(step, len(order)) if not order[n].startswith("gc")), len(order))
        order, _, errors = schedules.run(begin(), ((step, "gc", False), (swept, "pull", False)))
        world.check(order, errors, {"push"} if "push: pushed" in order else set())
