"""Three clones, an upstream and a carrier: whatever is done in whatever order, cut off wherever, all end in one state, nothing lost."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from clones import CountingLayer, Killed
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from mlvc import atomic_file
from mlvc.backend.memory import MemoryBackend
from mlvc.errors import ConflictError, RemoteError
from mlvc.format.operations import Edge, RunHead
from mlvc.maintenance import checking, sweeping
from mlvc.repository.repository import Repository
from mlvc.sync import fetching, pulling, pushing
from mlvc.sync.remote import Remote

sys.path.insert(0, str(Path(__file__).parent.parent / "repository"))
from repository_deeds import WHO, delete, move, publish, read_files, state, undo  # noqa: E402

CLONES = range(3)
UPSTREAM, CARRIER = "upstream", "carrier"
LONG = os.environ.get("MLVC_EXPLORE") == "long"
AT_ONCE = -1_000_000

clones = st.sampled_from(CLONES)
collections = st.sampled_from(["p/a", "p/b"])
contents = st.sampled_from([{"w": bytes([n]) * 400, "same": b"in all"} for n in range(4)])
aliases = st.sampled_from(["prod", "best"])
picks = st.integers(0, 50)
places = st.sampled_from([UPSTREAM, UPSTREAM, CARRIER])
cuts = st.one_of(st.none(), st.tuples(st.integers(0, 8), st.booleans()))
"""None, or (at which write at the remote the line goes dead, whether that write still landed)."""


class FaultyMemory(MemoryBackend):
    """A way to a shared memory that goes dead at one write, and stays dead for that exchange."""

    def __init__(self, shared: MemoryBackend, cut: tuple[int, bool] | None, url: str) -> None:
        self.__dict__.update(shared.__dict__)
        self._shared, self._cut, self._count, self.url = shared, cut, 0, url

    def _guarded(self, work):
        if self._cut is not None and self._count >= self._cut[0]:
            if self._count == self._cut[0] and self._cut[1]:
                work()
            self._count += 1
            raise RemoteError("the line went dead")
        self._count += 1
        return work()

    def create(self, key, data):
        return self._guarded(lambda: self._shared.create(key, data))

    def write(self, key, pieces):
        return self._guarded(lambda: self._shared.write(key, pieces))

    def delete(self, key):
        return self._guarded(lambda: self._shared.delete(key))


class SyncMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.shared = {UPSTREAM: MemoryBackend(), CARRIER: MemoryBackend()}
        self.repositories = [self.opened(Repository.create(self.folder / str(n))) for n in CLONES]
        self.acknowledged: set[bytes] = set()

    def opened(self, repository: Repository) -> Repository:
        repository.starts_journals = False  # an upstream is named, which may have a history
        return repository

    def remote(self, clone: int, place: str, cut=None) -> Remote:
        backend = FaultyMemory(self.shared[place], cut, f"memory:{place}")
        return Remote(
            place, backend, self.repositories[clone].path / "cache", is_upstream=place == UPSTREAM, takes_conditions=place == UPSTREAM
        )

    def reopen(self, clone: int) -> None:
        self.repositories[clone].close()
        self.repositories[clone] = self.opened(Repository(self.folder / str(clone)))

    def did(self, clone: int) -> None:
        self.acknowledged.update(self.repositories[clone].view().heads())

    def teardown(self):
        try:
            self.exchange_everything()
        finally:
            for repository in self.repositories:
                repository.close()
            shutil.rmtree(self.folder)

    # -- what people do ---------------------------------------------------------------------------------------------

    @rule(clone=clones, collection=collections, files=contents, names=st.lists(aliases, unique=True, max_size=1))
    def publish(self, clone, collection, files, names):
        publish(self.repositories[clone], collection, files, names)
        self.did(clone)

    def alive(self, clone):
        with self.repositories[clone].reading() as view:
            return [(c.name, m.version) for c in view.collections() for m in view.members(c.name)]

    def picked(self, found, pick):
        """One of what there is. Drawn by number: what there is depends on random ids, and drawing must not."""
        return found[pick % len(found)] if found else None

    @rule(clone=clones, alias=aliases, pick=picks)
    def move(self, clone, alias, pick):
        if found := self.picked(self.alive(clone), pick):
            move(self.repositories[clone], found[0], alias, found[1])
            self.did(clone)

    @rule(clone=clones, pick=picks)
    def delete(self, clone, pick):
        if found := self.picked(self.alive(clone), pick):
            delete(self.repositories[clone], found[1])
            self.did(clone)

    @rule(clone=clones, pick=st.integers(0, 3))
    def undo(self, clone, pick):
        done = [t.id for t in self.repositories[clone].view().transactions() if not t.is_undone]
        if identifier := self.picked(done[:4], pick):
            undo(self.repositories[clone], identifier)
            self.did(clone)

    @rule(clone=clones, label=st.sampled_from(["r1", "r2"]), pick=picks)
    def run(self, clone, label, pick):
        """A run, with an edge from what it used."""
        repository = self.repositories[clone]
        identifier = os.urandom(16)
        with repository.committing(WHO, f"run {label}") as commit:
            commit.say(RunHead(identifier, "p", label))
            if found := self.picked(self.alive(clone), pick):
                commit.say(Edge(identifier, found[1]))
        self.did(clone)

    # -- how it travels ---------------------------------------------------------------------------------------------

    def exchange(self, clone, place, deed, cut):
        repository = self.repositories[clone]
        remote = self.remote(clone, place, cut)
        try:
            with suppress(RemoteError):
                deed(repository, remote)
        finally:
            remote.close()

    @rule(clone=clones, place=places, cut=cuts)
    def push(self, clone, place, cut):
        self.exchange(clone, place, pushing.push, cut)

    @rule(clone=clones, place=places)
    def pull(self, clone, place):
        self.exchange(clone, place, pulling.pull, None)

    @rule(clone=clones, place=places, deed=st.sampled_from([pushing.push, pulling.pull]), step=st.integers(0, 40))
    def die_while_exchanging(self, clone, place, deed, step):
        with suppress(Killed), atomic_file.using_layer(CountingLayer(step)):
            self.exchange(clone, place, deed, None)
        self.reopen(clone)

    @rule(clone=clones, cut=cuts)
    def sweep(self, clone, cut):
        repository = self.repositories[clone]
        remote = self.remote(clone, UPSTREAM, cut)
        with suppress(RemoteError, ConflictError):
            if remote.record() is None:
                return
            pulling.pull(repository, remote)
            standing, record = repository.refresh(), remote.require_record()
            if standing.authority is not None and standing.authority[0] == record.id:
                repository.objects.fetch = lambda wanted: fetching.fetch(repository.objects, remote, wanted)
                sweeping.sweep(repository, remote, record.id, list, AT_ONCE, lambda: pulling.pull(repository, remote))
        repository.objects.fetch = None
        remote.close()

    # -- what must hold ---------------------------------------------------------------------------------------------

    def exchange_everything(self):
        for _ in range(2):
            for place in (CARRIER, UPSTREAM):
                for clone in CLONES:
                    self.exchange(clone, place, pushing.push, None)
        for clone in CLONES:
            self.exchange(clone, UPSTREAM, pulling.pull, None)
        states = [state(repository, with_files=False) for repository in self.repositories]
        assert states[0] == states[1] == states[2]
        for repository in self.repositories:
            assert not repository.pending.ids(), "all is confirmed"
            report = checking.check(repository)  # data is left behind by those who never read it; nothing is damaged
            assert not report.bad_packs and not report.bad_entries and not report.bad_pending
            known = {t.id for t in repository.view().transactions()}
            assert self.acknowledged <= known
        self.read_everything()

    def read_everything(self):
        """What is alive can be read in a clone made of the upstream alone, unless it was swept before it was revived."""
        fresh = self.opened(Repository.create(self.folder / "fresh"))
        remote = Remote("upstream", self.shared[UPSTREAM], fresh.path / "cache")
        try:
            if remote.record() is None:
                assert not self.acknowledged
                return
            pulling.pull(fresh, remote)
            fresh.objects.fetch = lambda wanted: fetching.fetch(fresh.objects, remote, wanted)
            view = fresh.view()
            for found in state(fresh, with_files=False).values():
                for version in found["members"].values():
                    said = view.publications(version)
                    if said and not view.is_gone(said[0].manifest):
                        assert read_files(fresh, version)
        finally:
            remote.close()
            fresh.close()


SETTINGS = settings(max_examples=400 if LONG else 30, stateful_step_count=40, deadline=None)


class FirstMachine(SyncMachine):
    """The same, four times: each is a test of its own, and they run beside each other."""


class SecondMachine(SyncMachine):
    pass


class ThirdMachine(SyncMachine):
    pass


class FourthMachine(SyncMachine):
    pass


for _machine in (FirstMachine, SecondMachine, ThirdMachine, FourthMachine):
    _machine.TestCase.settings = SETTINGS
TestFirst, TestSecond = FirstMachine.TestCase, SecondMachine.TestCase
TestThird, TestFourth = ThirdMachine.TestCase, FourthMachine.TestCase
pytestmark = pytest.mark.slow
