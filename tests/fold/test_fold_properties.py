"""What holds whatever several clones say apart and in whichever order it arrives (DESIGN 3)."""

import random

import pytest
from fold_clones import (
    ALIASES,
    PROJECTS,
    PROTECTING,
    REGISTRIES,
    RUNS,
    SAYING,
    SYNCING,
    World,
    everything,
    fold_all,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlvc.fold import folding
from mlvc.fold.look import DictView, key, parts
from mlvc.format import operations, transaction
from mlvc.format.ids import fact_id, fact_transaction
from mlvc.format.operations import Delete, Edge, Link, Move, Publish, Undo, Unlink

COLLECTIONS = (*PROJECTS, *REGISTRIES)


def ci(examples):
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def steps(*kinds, at_least=10, at_most=40):
    small = st.integers(0, 5)
    return st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from(kinds), small, small, small, st.integers(0, 3)),
        min_size=at_least,
        max_size=at_most,
    )


ALL = steps(*SAYING, *PROTECTING, *SYNCING)
UNPROTECTED = steps(*SAYING, *SYNCING)


def numbers(look):
    """Returns every number ever bound: (collection, number) -> version."""
    return {tuple(parts(at)[1:]): value[0] for at, value in look.scan(key("member"))}


def answers(view):
    """Returns what people see, without where and when things arrived."""
    versions = sorted({v for v in numbers(view.look).values()})
    return {
        "project": view.project(),
        "collections": [(c.name, c.types, c.count, c.next_number) for c in view.collections()],
        "members": {c: [(m.number, m.version) for m in view.members(c)] for c in COLLECTIONS},
        "aliases": {c: view.aliases(c) for c in COLLECTIONS},
        "versions": {v: (view.metadata(v), view.tags(v), view.users(v), view.publications(v)) for v in versions},
        "runs": {r: (view.run(r), view.inputs(r), view.outputs(r)) for r in RUNS},
        "transactions": [(t.id, t.is_undone) for t in view.transactions()],
        "refusals": view.refusals(),
        "conflicts": view.conflicts(),
        "heads": view.heads(),
        "names": {c: view.resolve(c) for c in (*COLLECTIONS, "p/x", "p/y")},
    }


def operations_of(arrivals):
    """Yields (transaction, fact, operation) of everything said."""
    for arrival in arrivals:
        for place, operation in enumerate(transaction.decode(arrival.data).operations):
            yield arrival.id, fact_id(arrival.id, place), operation


def test_the_clones_say_every_kind_of_operation():
    said = set()
    for seed in range(60):
        chance = random.Random(seed)
        plan = [
            (chance.randrange(3), chance.choice([*SAYING, *PROTECTING, *SYNCING]), *(chance.randrange(6) for _ in range(4)))
            for _ in range(40)
        ]
        said |= {operation.kind for _, _, operation in operations_of(World.after(plan).journal)}
    assert said == {kind.kind for kind in operations.Operation.__subclasses__()}


@ci(120)
@given(ALL)
def test_clones_that_folded_one_journal_hold_the_same_view(plan):
    """However each came by it: pending first, rolled back, folded again, or all at once."""
    world = World.after(plan)
    expected = fold_all(world.journal).snapshot()
    for clone in world.clones:
        assert clone.pending == []
        assert clone.look.snapshot() == expected


@ci(60)
@given(ALL)
def test_confirmed_then_pending_folded_step_by_step_is_the_same_as_folded_at_once(plan):
    world = World()
    for step in plan:
        clone = world.step(*step)
        if step[1] in SYNCING:
            assert clone.look.snapshot() == fold_all([*world.journal[: clone.pulled], *clone.pending]).snapshot()


@ci(80)
@given(ALL)
def test_confirmed_numbers_never_move_and_none_is_used_twice(plan):
    world = World.after(plan)
    look, before = DictView(), {}
    for arrival in world.journal:
        look.apply(folding.fold(arrival, look))
        now = numbers(look)
        assert before.items() <= now.items()
        before = now
    for collection in {c for c, _ in before}:
        bound = [number for c, number in sorted(before) if c == collection]
        assert bound == list(range(len(bound)))
        versions = [version for (c, _), version in before.items() if c == collection]
        assert len(set(versions)) == len(versions)


@ci(80)
@given(ALL)
def test_a_number_that_a_clone_shows_without_a_tilde_is_the_final_one(plan):
    world, shown = World(), {}
    for step in plan:
        clone = world.step(*step)
        for collection in COLLECTIONS:
            for member in clone.view.members(collection):
                if not member.is_provisional:
                    assert shown.setdefault((collection, member.number), member.version) == member.version
    world.finish()
    assert shown.items() <= numbers(world.clones[0].look).items()


@ci(120)
@given(ALL)
def test_everything_said_arrives_and_nothing_stays_parked(plan):
    world = World.after(plan)
    view = everything(fold_all(world.journal))
    assert view.parked() == []
    assert {t.id for t in view.transactions()} == {a.id for a in world.said}
    assert len(list(view.transactions())) == len(world.said)


@ci(120)
@given(ALL)
def test_no_publication_link_or_edge_is_ever_lost(plan):
    world = World.after(plan)
    view = everything(fold_all(world.journal))
    refused = {fact_id(tx, place) for tx, place, _ in view.refusals()}
    standing = [
        (tx, fact, op)
        for tx, fact, op in operations_of(world.said)
        if fact not in refused and not view.transaction(tx).is_undone
    ]
    named = {name for _, _, op in standing if isinstance(op, Delete | Unlink) for name in op.names}
    published = {op.version for _, _, op in standing if isinstance(op, Publish)}
    for _, fact, op in standing:
        if isinstance(op, Publish):
            assert fact in [p.fact for p in view.publications(op.version)]
            if op.run is not None:
                assert op.run in view.producers(op.version)
                assert op.version in view.outputs(op.run)
            if fact not in named:
                assert view.is_alive(op.version)
                assert view.member(op.collection, op.version) is not None
        if isinstance(op, Link) and fact not in named and op.version in published:
            assert view.member(op.collection, op.version) is not None
            assert view.is_alive(op.version)
        if isinstance(op, Edge):
            assert op.run in view.users(op.version)
            assert (op.version, op.name) in [(u.version, u.name) for u in view.inputs(op.run)]


@ci(120)
@given(ALL)
def test_no_alias_move_is_lost_unless_a_later_one_saw_it(plan):
    world = World.after(plan)
    view = everything(fold_all(world.journal))
    refused = {fact_id(tx, place) for tx, place, _ in view.refusals()}
    said = list(operations_of(world.said))
    stands = {fact for tx, fact, _ in said if fact not in refused and not view.transaction(tx).is_undone}
    named = {n for _, fact, op in said if fact in stands and isinstance(op, Delete | Unlink) for n in op.names}
    moves = {fact: op for _, fact, op in said if isinstance(op, Move) and fact not in refused}
    replaced = set()
    for fact in stands & moves.keys():
        waiting = list(moves[fact].saw)
        while waiting:
            older = waiting.pop()
            replaced.add(older)
            waiting.extend(moves[older].saw if older in moves else ())
    for fact in (stands & moves.keys()) - replaced - named:
        op = moves[fact]
        if op.version is None or view.member(op.collection, op.version) is not None:
            assert op.version in view.alias(op.collection, op.alias).values
    for collection in COLLECTIONS:
        for alias in ALIASES:
            for value in view.alias(collection, alias).values:
                assert value in {
                    op.version
                    for fact, op in moves.items()
                    if fact in stands - replaced - named and (op.collection, op.alias) == (collection, alias)
                }


@ci(60)
@given(ALL)
def test_folding_anything_twice_changes_nothing(plan):
    world = World.after(plan)
    look = DictView()
    for arrival in world.journal:
        look.apply(folding.fold(arrival, look))
        assert folding.fold(arrival, look) == ()
    assert all(folding.fold(arrival, look) == () for arrival in world.journal)


@ci(60)
@given(ALL, st.randoms(use_true_random=False))
def test_rolling_back_restores_every_view_before_exactly(plan, chance):
    world = World.after(plan)
    journal = list(world.journal)
    if chance.random() < 0.5:
        chance.shuffle(journal)
    look, before = DictView(), []
    for arrival in journal:
        changes = folding.fold(arrival, look)
        before.append((look.snapshot(), changes))
        look.apply(changes)
    for snapshot, changes in reversed(before):
        look.roll_back(changes)
        assert look.snapshot() == snapshot
    assert look.snapshot() == {}


@ci(80)
@given(ALL, st.randoms(use_true_random=False))
def test_an_order_that_breaks_causality_is_the_causal_order_in_which_they_unpark(plan, chance):
    """All of it folds in the end, never before what it came after, and as if it had arrived in that order."""
    world = World.after(plan)
    journal = list(world.journal)
    chance.shuffle(journal)
    view = everything(fold_all(journal))
    assert view.parked() == []
    by_id = {arrival.id: arrival for arrival in journal}
    folded = [t.id for t in view.transactions()][::-1]
    assert sorted(folded) == sorted(by_id)
    place = {identifier: n for n, identifier in enumerate(folded)}
    for identifier in folded:
        for older in transaction.decode(by_id[identifier].data).after:
            assert place[older] < place[identifier]
    assert answers(everything(fold_all(by_id[i] for i in folded))) == answers(view)


@ci(60)
@given(steps(*SAYING, *PROTECTING), st.randoms(use_true_random=False))
def test_one_persons_chain_answers_the_same_in_whatever_order_it_arrives(plan, chance):
    world = World.after(plan, clones=1)
    shuffled = list(world.journal)
    chance.shuffle(shuffled)
    assert answers(everything(fold_all(shuffled))) == answers(everything(fold_all(world.journal)))


def sets(view):
    """Returns the answers that the order of arrival must not decide."""
    versions = {v for v in numbers(view.look).values()}
    return {
        "undone": {t.id for t in view.transactions() if t.is_undone},
        "members": {c: {m.version for m in view.members(c)} for c in COLLECTIONS},
        "aliases": {(c, a): set(view.alias(c, a).values) for c in COLLECTIONS for a in ALIASES},
        "moves": {(c, a): view.moves_to_name(c, a) for c in COLLECTIONS for a in ALIASES},
        "versions": {
            v: (
                view.is_alive(v),
                view.tags(v),
                set(view.users(v)),
                set(view.producers(v)),
                {p.fact for p in view.publications(v)},
                set(view.facts_to_delete(v)),
            )
            for v in versions
        },
        "runs": {
            r: (set(run.heads), set(view.outputs(r))) if (run := view.run(r)) else None for r in RUNS
        },
        "types": {c.name: set(c.types) for c in view.collections()},
        "conflicts": {(c.kind, c.collection, c.alias, c.version) for c in view.conflicts()},
        "heads": view.heads(),
        "refusals": {(tx, place) for tx, place, _ in view.refusals()},
    }


@ci(100)
@given(UNPROTECTED, st.randoms(use_true_random=False))
def test_the_order_of_the_journal_decides_numbers_and_precedence_and_nothing_else(plan, chance):
    """Without protection, which is about who came first."""
    world = World.after(plan)
    shuffled = list(world.journal)
    chance.shuffle(shuffled)
    assert sets(everything(fold_all(shuffled))) == sets(everything(fold_all(world.journal)))


@ci(150)
@given(steps("publish and move", "move", "link", "unlink", "delete version", "undo", "protect", "pull", "push", "carry"))
def test_nobody_without_the_right_changes_what_a_protected_alias_answers(plan):
    world = World.after(plan)
    order = [t.id for t in everything(fold_all(world.journal)).transactions()][::-1]
    by_id = {arrival.id: arrival for arrival in world.journal}
    look = DictView()
    for arrival in (by_id[i] for i in order):
        view = everything(look)
        before = {
            tuple(parts(at)[1:]): (keys, view.alias(*(str(p) for p in parts(at)[1:]))) for at, keys in look.scan(key("protected"))
        }
        look.apply(folding.fold(arrival, look))
        for name, (keys, answered) in before.items():
            if arrival.signer not in keys:
                assert view.alias(*name) == answered
                assert look.get(key("protected", *name)) == keys


@ci(80)
@given(UNPROTECTED)
def test_undoing_everything_leaves_nothing_but_used_numbers(plan):
    """And undoing those undos brings everything back."""
    world = World.after([*plan])
    [clone, *_] = world.clones
    before = answers(clone.view)
    made = [t.id for t in clone.view.transactions() if not t.is_undone]
    undos = [clone.undo(tx) for tx in made if not is_undo(world, tx)]
    view = clone.view
    alive_again = {  # what an undo of an undo kept standing is undone too, as soon as all its undos stand
        t.id for t in view.transactions() if not t.is_undone and t.id not in undos and not is_undo(world, t.id)
    }
    assert alive_again == set()
    assert all(list(view.members(c)) == [] and view.latest(c) is None for c in COLLECTIONS)
    assert all(view.alias(c, a).values == () for c in COLLECTIONS for a in ALIASES)
    assert all(view.run(r) is None and view.inputs(r) == [] == view.outputs(r) for r in RUNS)
    assert view.conflicts() == []
    for undo in undos:
        clone.undo(undo)
    after = answers(clone.view)
    for question in ("members", "aliases", "versions", "runs", "conflicts", "names", "collections"):
        assert after[question] == before[question]


def is_undo(world, identifier):
    [arrival] = [a for a in world.journal if a.id == identifier]
    return any(isinstance(op, Undo) for op in transaction.decode(arrival.data).operations)


@pytest.mark.parametrize("seed", range(4))
def test_a_long_history_of_five_clones_holds_together(seed):
    chance = random.Random(seed)
    kinds = [*SAYING, *PROTECTING, *SYNCING, *SYNCING]
    world = World(5)
    for _ in range(200):
        world.step(chance.randrange(5), chance.choice(kinds), *(chance.randrange(6) for _ in range(4)))
    world.finish()
    expected = fold_all(world.journal)
    assert all(clone.look.snapshot() == expected.snapshot() for clone in world.clones)
    assert everything(expected).parked() == []
    assert {fact_transaction(fact_id(t.id, 0)) for t in everything(expected).transactions()} == {a.id for a in world.said}
