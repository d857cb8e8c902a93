"""An undone transaction counts as never made (DESIGN 3.8; RULES C5)."""

import inspect
import sys

import pytest
from fold_clones import MODEL, REGISTRY, Clone, first, manifest, run_id, together, version

from mlvc.fold import folding
from mlvc.fold.folding import Arrival
from mlvc.format.ids import TransactionId
from mlvc.format.operations import Collection, Move, Publish, Undo

A, B = version("a"), version("b")


def test_an_undone_publication_counts_as_never_made():
    alice = Clone("alice")
    alice.head(run_id("train"))
    alice.undo(alice.publish("a", run=run_id("train")))
    assert not alice.view.is_alive(A)
    assert alice.numbers() == {}
    assert alice.view.producers(A) == []
    assert alice.view.outputs(run_id("train")) == []
    assert alice.view.publications(A) == []
    assert len(alice.view.publications(A, standing=False)) == 1


def test_an_undone_undo_stands_again():
    alice = Clone("alice")
    published = alice.publish("a")
    undone = alice.undo(published)
    alice.undo(undone)
    assert alice.numbers() == {0: A}
    assert not alice.view.transaction(published).is_undone
    assert alice.view.transaction(undone).is_undone


def test_an_undo_of_an_undo_of_an_undo_undoes():
    alice = Clone("alice")
    alice.undo(alice.undo(alice.undo(alice.publish("a"))))
    assert not alice.view.is_alive(A)


def test_two_undos_of_one_transaction_must_both_be_undone():
    origin = Clone("origin")
    published = origin.publish("a")
    alice, bob = Clone("alice", origin), Clone("bob", origin)
    one, two = alice.undo(published), bob.undo(published)
    merged = together(alice, bob)
    merged.undo(one)
    assert not merged.view.is_alive(A)
    merged.undo(two)
    assert merged.view.is_alive(A)


def test_undoing_one_of_two_undos_of_an_undo_is_not_enough():
    origin = Clone("origin")
    undone = origin.undo(origin.publish("a"))
    alice, bob = Clone("alice", origin), Clone("bob", origin)
    one = alice.undo(undone)
    bob.undo(undone)
    merged = together(alice, bob)
    assert merged.view.is_alive(A)
    merged.undo(one)
    assert merged.view.is_alive(A)


def test_an_undo_takes_back_everything_its_transaction_said():
    alice = Clone("alice")
    alice.publish("a")
    both = alice.say(
        Collection("p/new", "model"),
        Publish(MODEL, manifest("b")),
        Move(MODEL, "prod", B),
        Move(MODEL, "best", A),
    )
    alice.link(B)
    alice.undo(both)
    assert alice.numbers() == {0: A}
    assert alice.numbers(REGISTRY) == {}
    assert alice.in_force("prod") is None
    assert alice.in_force("best") is None
    assert alice.view.collection("p/new") is None


def test_undoing_a_link_and_an_unlink():
    alice = Clone("alice")
    alice.publish("a")
    linked = alice.link(A)
    unlinked = alice.unlink(A)
    alice.undo(unlinked)
    assert alice.numbers(REGISTRY) == {0: A}
    alice.undo(linked)
    assert alice.numbers(REGISTRY) == {}
    assert alice.view.is_alive(A)


def test_undoing_a_head_an_edge_and_a_tag():
    alice = Clone("alice")
    run = run_id("train")
    alice.publish("a")
    alice.head(run, config={"lr": "1"})
    second = alice.head(run, config={"lr": "2"})
    used = alice.use(run, A)
    tagged = alice.tag(("version", A), "good")
    for said in (second, used, tagged):
        alice.undo(said)
    assert alice.view.run(run).config == {"lr": "1"}
    assert alice.view.inputs(run) == []
    assert alice.view.users(A) == []
    assert alice.view.tags(A) == ()


def test_undoing_an_untagging_and_a_run_delete_brings_both_back():
    alice = Clone("alice")
    run = run_id("train")
    alice.head(run)
    alice.publish("a")
    alice.tag(("version", A), "good")
    untagged, deleted = alice.untag(("version", A), "good"), alice.delete_run(run)
    alice.undo(untagged)
    alice.undo(deleted)
    assert alice.view.tags(A) == ("good",)
    assert alice.view.run(run) is not None


def test_an_undo_of_a_transaction_that_nobody_knows_does_nothing():
    alice = Clone("alice")
    alice.publish("a")
    alice.undo(TransactionId(bytes(32)))
    assert alice.numbers() == {0: A}


@pytest.mark.parametrize("undo_first", [False, True])
def test_a_move_undone_by_one_who_arrived_before_it_still_counts_as_never_made(undo_first):
    """An undo need not come after what it undoes: its `after` is what its author's file says, not what is right."""
    alice = Clone("alice")
    alice.publish("a")
    alice.publish("b")
    alice.move("prod", A)
    late = alice.compose(alice.a_move("prod", B))
    undo = Clone("bob").compose(Undo(late.id), after=alice.view.heads())
    for arrival in [undo, late] if undo_first else [late, undo]:
        alice.fold(arrival)
    if alice.refused(undo.id):  # an undo of what is not there may also be refused, as long as nothing is lost
        assert alice.values("prod") == (B,)
    else:
        assert alice.values("prod") == (A,)


def test_a_long_chain_of_undos_folds():
    """Undo, redo, undo, ...: how deep it may go must not hang on the interpreter's stack (lowered here, to be quick)."""
    alice = Clone("alice")
    last = alice.publish("a")
    after = alice.view.heads()
    chain: list[Arrival] = []
    for _ in range(200):
        chain.append(alice.compose(Undo(last), after=after))
        last = chain[-1].id
        after = (last,)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 120)
    try:
        for arrival in chain:
            alice.look.apply(folding.fold(arrival, alice.look))
    finally:
        sys.setrecursionlimit(limit)
    assert alice.view.is_alive(A)


def test_a_move_and_its_undo_leave_the_moves_to_name():
    alice = Clone("alice")
    alice.publish("a")
    moved = alice.move("prod", A)
    alice.undo(moved)
    assert alice.view.moves_to_name(MODEL, "prod") == (first(moved),)
