"""A repository against a dictionary: whatever is done in whatever order, it shows what the model says."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from repository_deeds import assert_sound, delete, move, publish, read_files, state, undo

from mlvc.maintenance import collecting
from mlvc.repository.repository import Repository

COLLECTIONS = ("p/a", "p/b")
CONTENTS = tuple({"same": b"in all", f"f{n}": bytes([n]) * (300 * n)} for n in range(5))
ALIASES = ("prod", "best")

collections = st.sampled_from(COLLECTIONS)
aliases = st.sampled_from(ALIASES)


@dataclass(eq=False)
class Fact:
    """A publication of a version, or (with `alias`) a move of an alias onto it."""

    version: bytes
    alias: tuple[str, str] | None = None
    is_undone: bool = False
    deletes: list[Deed] = field(default_factory=list)

    @property
    def counts(self) -> bool:
        return not self.is_undone and not any(not d.is_undone for d in self.deletes)


@dataclass(eq=False)
class Deed:
    """One transaction."""

    id: bytes
    facts: list[Fact]
    deleted: bytes | None = None
    is_undone: bool = False


class RepositoryMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.repository = Repository.create(self.folder / "store")
        self.numbers: dict[str, list[bytes]] = {c: [] for c in COLLECTIONS}
        self.files: dict[bytes, dict] = {}
        self.collected: set[bytes] = set()
        self.deeds: list[Deed] = []

    def teardown(self):
        self.repository.close()
        shutil.rmtree(self.folder)

    # -- the model --------------------------------------------------------------------------------------------------

    def facts(self):
        return [fact for deed in self.deeds for fact in deed.facts]

    def is_alive(self, version):
        mine = [fact for fact in self.facts() if fact.version == version]
        return any(f.alias is None and not f.is_undone for f in mine) and any(f.counts for f in mine)

    def alias(self, collection, alias):
        moves = [f for f in self.facts() if f.alias == (collection, alias) and not f.is_undone]
        if not moves or not moves[-1].counts or not self.is_alive(moves[-1].version):
            return None
        return moves[-1].version

    def shown(self):
        found = {}
        for collection, versions in self.numbers.items():
            members = {n: v for n, v in enumerate(versions) if self.is_alive(v)}
            named = {a: v for a in ALIASES if (v := self.alias(collection, a)) is not None}
            if members:
                found[collection] = {"members": members, "aliases": named}
        return found

    def did(self, facts, deleted=None):
        (head,) = self.repository.view().heads()
        deed = Deed(head, facts, deleted)
        self.deeds.append(deed)
        return deed

    def alive(self):
        return [v for versions in self.numbers.values() for v in versions if self.is_alive(v)]

    # -- what is done -----------------------------------------------------------------------------------------------

    @rule(collection=collections, files=st.sampled_from(CONTENTS), names=st.lists(aliases, unique=True))
    def publish(self, collection, files, names):
        version = publish(self.repository, collection, files, names)
        if version not in self.numbers[collection]:
            self.numbers[collection].append(version)
        self.files[version] = files
        self.collected.discard(version)
        self.did([Fact(version), *(Fact(version, (collection, name)) for name in names)])

    @precondition(lambda self: self.alive())
    @rule(data=st.data(), alias=aliases)
    def move(self, data, alias):
        version = data.draw(st.sampled_from(self.alive()))
        collection = next(c for c, versions in self.numbers.items() if version in versions)
        move(self.repository, collection, alias, version)
        self.did([Fact(version, (collection, alias))])

    @precondition(lambda self: self.alive())
    @rule(data=st.data())
    def delete(self, data):
        version = data.draw(st.sampled_from(self.alive()))
        named = [fact for fact in self.facts() if fact.version == version and fact.counts]
        delete(self.repository, version)
        deed = self.did([], version)
        for fact in named:
            fact.deletes.append(deed)

    @precondition(lambda self: any(not d.is_undone and d.deleted not in self.collected for d in self.deeds))
    @rule(data=st.data())
    def undo(self, data):
        deed = data.draw(st.sampled_from([d for d in self.deeds if not d.is_undone and d.deleted not in self.collected]))
        undo(self.repository, deed.id)
        self.did([]).is_undone = True  # an undo is not undone here
        deed.is_undone = True
        for fact in deed.facts:
            fact.is_undone = True

    # -- what changes nothing ---------------------------------------------------------------------------------------

    @rule()
    def collect_garbage(self):
        collecting.collect(self.repository, list, 0)
        self.collected |= {v for v in self.files if not self.is_alive(v)}

    @rule()
    def reopen(self):
        self.repository.close()
        self.repository = Repository(self.folder / "store")

    @rule()
    def lose_the_caches(self):
        self.repository.close()
        shutil.rmtree(self.folder / "store" / "cache")
        self.repository = Repository(self.folder / "store")

    @rule()
    def check(self):
        assert_sound(self.repository)

    @invariant()
    def shows_what_the_model_says(self):
        seen = {c: s for c, s in state(self.repository, with_files=False).items() if s["members"]}
        assert seen == self.shown()
        for found in seen.values():
            for version in found["members"].values():
                if version not in self.collected:
                    assert read_files(self.repository, version) == self.files[version]


RepositoryMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
TestRepositoryModel = RepositoryMachine.TestCase
