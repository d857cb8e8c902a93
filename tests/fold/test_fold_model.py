"""The fold against a slow model that takes the rules by their word: all facts at once, nothing incremental, nothing cached."""

from functools import cache

from fold_clones import ALIASES, PROJECTS, PROTECTING, REGISTRIES, RUNS, SAYING, SYNCING, World, everything, fold_all
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlvc.fold.details import ttl_ms
from mlvc.format import transaction
from mlvc.format.ids import fact_id, fact_transaction
from mlvc.format.names import is_registry
from mlvc.format.operations import (
    Collection,
    Delete,
    Edge,
    Edit,
    Link,
    Move,
    Project,
    Publish,
    Redirect,
    RunHead,
    TagAdd,
    TagRemove,
    Ttl,
    Undo,
    Unlink,
)

COLLECTIONS = (*PROJECTS, *REGISTRIES)
THINGS = (*(("collection", c) for c in COLLECTIONS), *(("run", r) for r in RUNS))


class Model:
    """What a journal says, by definition. Takes from the fold only the order and what was refused."""

    def __init__(self, journal, view):
        by_id = {arrival.id: arrival for arrival in journal}
        refused = {(tx, place) for tx, place, _ in view.refusals()}
        order = [t.id for t in view.transactions()][::-1]
        self.said = {  # fact -> operation, in fold order
            fact_id(tx, place): operation
            for tx in order
            for place, operation in enumerate(transaction.decode(by_id[tx].data).operations)
            if (tx, place) not in refused
        }
        self.place = {fact: n for n, fact in enumerate(self.said)}
        undos = {}
        for fact, op in self.of(Undo):
            undos.setdefault(op.transaction, []).append(fact_transaction(fact))
        self.undone = cache(lambda tx: any(not self.undone(undo) for undo in undos.get(tx, ())))

    def of(self, *kinds):
        return [(fact, op) for fact, op in self.said.items() if isinstance(op, kinds)]

    def stands(self, fact):
        return not self.undone(fact_transaction(fact))

    def named(self):
        return {n for f, op in self.of(Delete, Unlink, TagRemove) if self.stands(f) for n in op.names}

    def counts(self, fact):
        return self.stands(fact) and fact not in self.named()

    def counting(self, *kinds):
        named = self.named()
        return [(f, op) for f, op in self.of(*kinds) if self.stands(f) and f not in named]

    def alive(self, version):
        """C1."""
        return any(self.stands(f) and op.version == version for f, op in self.of(Publish)) and any(
            op.version == version for _, op in self.counting(Publish, Link, Move)
        )

    def shown(self, collection, version):
        if not self.alive(version):
            return False
        if not is_registry(collection):
            return any(op.collection == collection and op.version == version for _, op in self.of(Publish))
        return any(self.stands(f) and (op.collection, op.version) == (collection, version) for f, op in self.of(Link)) and any(
            (op.collection, op.version) == (collection, version) for _, op in self.counting(Link, Move)
        )

    def numbers(self, collection):
        """3.1: by first fold, undone ones too."""
        first = dict.fromkeys(op.version for _, op in self.of(Publish, Link) if op.collection == collection)
        return {version: number for number, version in enumerate(first)}

    def latest(self, collection, *, counting):
        """C3; a publication that a delete names may or may not count for the order, the rule can be read both ways."""
        kind = Link if is_registry(collection) else Publish
        found = [
            op.version
            for f, op in (self.counting(kind) if counting else self.of(kind))
            if self.stands(f) and op.collection == collection and self.shown(collection, op.version)
        ]
        return found[-1] if found else None

    def alias(self, collection, alias):
        """C4: the values of the standing moves that no standing move replaced, at any depth, first in fold order first."""
        moves = {f: op for f, op in self.of(Move) if (op.collection, op.alias) == (collection, alias)}

        @cache
        def replaced(fact):
            return frozenset().union(*({older} | replaced(older) for older in moves[fact].saw if older in moves))

        gone = frozenset().union(*(replaced(f) for f in moves if self.stands(f)))
        values = [
            op.version
            for f, op in moves.items()
            if f not in gone and self.counts(f) and (op.version is None or self.shown(collection, op.version))
        ]
        return tuple(dict.fromkeys(values))

    def contested(self, version):
        """3.7 and C2: a standing delete beside something that counts, and none of that saw the delete."""
        if not self.alive(version):
            return False
        facts = [(f, op) for f, op in self.counting(Publish, Link, Move) if op.version == version]
        for delete, op in self.of(Delete, Unlink):
            if not self.stands(delete):
                continue
            if isinstance(op, Unlink) and op.version == version:
                concerned = [kept for _, kept in facts if kept.collection == op.collection]
            elif isinstance(op, Delete) and op.target == ("version", version):
                concerned = [kept for _, kept in facts]
            else:
                continue
            if concerned and not any(delete in kept.deletes_seen for kept in concerned):
                return True
        return False

    def run(self, run):
        heads = [(f, op) for f, op in self.counting(RunHead) if op.run == run]
        if not heads:
            return None
        config, facts = {}, {}
        for _, op in heads:
            config.update(op.config)
            facts.update(op.facts)
            for removed in op.removed:
                config.pop(removed.removeprefix("config."), None)
        saw = {older for _, op in heads for older in op.saw}
        return config, facts, tuple(f for f, _ in heads if f not in saw)

    def metadata(self, version):
        published = [(f, op) for f, op in self.of(Publish) if op.version == version and self.stands(f)]
        published = [(f, op) for f, op in published if self.counts(f)] or published
        metadata = dict(published[0][1].metadata) if published else {}
        description = published[0][1].description if published else ""
        for _, op in self.counting(Edit):
            if op.target == ("version", version):
                metadata = {k: v for k, v in {**metadata, **op.set}.items() if k not in op.remove}
                description = description if op.description is None else op.description
        return metadata, description

    def tags(self, target):
        return tuple(sorted({op.tag for _, op in self.counting(TagAdd) if op.target == target}))

    def resolve(self, name):
        to = {}
        for _, op in self.counting(Redirect):
            to.setdefault(op.name, op.to)
        path = [name]
        while path[-1] in to and not self.numbers(path[-1]):
            if to[path[-1]] in path:
                return name
            path.append(to[path[-1]])
        return path[-1]


def check(world):
    view = everything(look := fold_all(world.journal))
    model = Model(world.journal, view)
    versions = {op.version for _, op in model.of(Publish, Link)}
    assert view.project() == next((op.name for _, op in model.counting(Project)), None)
    for collection in COLLECTIONS:
        numbers = model.numbers(collection)
        shown = {n: v for v, n in numbers.items() if model.shown(collection, v)}
        assert {m.number: m.version for m in view.members(collection)} == shown
        assert [m.number for m in view.members(collection, newest_first=True)] == sorted(shown, reverse=True)
        found = view.latest(collection)
        assert (found.version if found else None) in {model.latest(collection, counting=c) for c in (False, True)}
        for alias in ALIASES:
            assert view.alias(collection, alias).values == model.alias(collection, alias)
            assert view.alias(collection, alias).version == next(iter(model.alias(collection, alias)), None)
        types = tuple(dict.fromkeys(op.type for _, op in model.counting(Collection) if op.collection == collection))
        described = view.collection(collection)
        assert (described is not None) == bool(types or shown)
        if described is not None:
            assert (described.types, described.count, described.next_number) == (types, len(shown), len(numbers))
    for version in versions:
        publications = [(f, op) for f, op in model.of(Publish) if op.version == version and model.stands(f)]
        assert view.is_alive(version) == model.alive(version)
        assert [p.fact for p in view.publications(version)] == [f for f, _ in publications]
        assert view.producers(version) == list(dict.fromkeys(op.run for _, op in publications if op.run))
        users = [op.run for _, op in model.counting(Edge) if op.version == version]
        assert view.users(version) == list(dict.fromkeys(users))
        assert view.metadata(version) == model.metadata(version)
        assert view.tags(version) == model.tags(("version", version))
        assert set(view.facts_to_delete(version)) == {
            f for f, op in model.counting(Publish, Link, Move) if op.version == version
        }
        ttls = [op.ttl_ms for _, op in model.counting(Ttl) if op.version == version]
        assert ttl_ms(look, version) == (ttls[-1] if ttls else None)
        assert sorted(view.collections_of(version)) == sorted(c for c in COLLECTIONS if model.shown(c, version))
    for run in RUNS:
        found = view.run(run)
        assert (found and (found.config, found.facts, found.heads)) == model.run(run)
        assert [(u.version, u.name) for u in view.inputs(run)] == [
            (op.version, op.name) for _, op in model.counting(Edge) if op.run == run
        ]
        made = [op.version for f, op in model.of(Publish) if op.run == run and model.stands(f)]
        assert view.outputs(run) == list(dict.fromkeys(made))
    for target in THINGS:
        for tag in ("t0", "t1"):
            assert (tag in model.tags(target)) == bool(view.taggings_to_remove(target, tag))
    for name in (*COLLECTIONS, "p/x", "p/y"):
        assert view.resolve(name) == model.resolve(name)
    assert {t.id: t.is_undone for t in view.transactions()} == {a.id: model.undone(a.id) for a in world.journal}
    conflicts = {("delete", v) for v in versions if model.contested(v)}
    conflicts |= {("alias", (c, a)) for c in COLLECTIONS for a in ALIASES if len(model.alias(c, a)) > 1}
    found = {("alias", (c.collection, c.alias)) if c.kind == "alias" else (c.kind, c.version) for c in view.conflicts()}
    assert found == conflicts


def steps(*kinds, at_least=15):
    small = st.integers(0, 5)
    return st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from(kinds), small, small, small, st.integers(0, 3)),
        min_size=at_least,
        max_size=60,
    )


CI = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@CI
@given(steps(*SAYING, *PROTECTING, *SYNCING))
def test_the_fold_answers_what_the_rules_say(plan):
    check(World.after(plan))


@CI
@given(steps("publish", "publish and move", "link", "unlink", "move", "delete version", "undo", "undo", "pull", "push", "carry"))
def test_the_fold_answers_what_the_rules_say_about_life_and_death(plan):
    check(World.after(plan))


@CI
@given(steps("publish and move", "move", "move", "undo", "undo", "delete version", "push out of order", "pull", "carry"))
def test_the_fold_answers_what_the_rules_say_about_aliases(plan):
    check(World.after(plan))


@CI
@given(steps("head", "edge", "delete run", "tag", "untag", "edit", "redirect", "collection", "delete collection", "undo", "pull", "push", "carry"))
def test_the_fold_answers_what_the_rules_say_about_runs_and_details(plan):
    check(World.after(plan))
