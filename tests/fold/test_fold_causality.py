"""Exactly once, in causal order, and what stops a client (DESIGN 3.3, 3.4, 3.10)."""

import itertools

import pytest
from fold_clones import MODEL, Clone, everything, fold_all, manifest, together, version

from mlvc.errors import DamageError, NewerFormatError
from mlvc.fold import folding
from mlvc.fold.folding import Arrival
from mlvc.fold.look import DictView
from mlvc.fold.questions import View
from mlvc.format import canonical, record
from mlvc.format.operations import FOLD_RULES_VERSION, FoldRules, Publish
from mlvc.format.record import Kind

A, B, C = version("a"), version("b"), version("c")


def chain():
    alice = Clone("alice")
    alice.publish("a")
    alice.move("prod", A)
    alice.publish("b")
    alice.move("prod", B)
    return alice


def test_a_transaction_whose_after_is_missing_is_parked_and_changes_no_answer():
    one, two, *_ = chain().arrivals
    look = fold_all([two])
    assert everything(look).parked() == [two.id]
    assert everything(look).heads() == ()
    assert list(everything(look).transactions()) == []
    assert everything(look).alias(MODEL, "prod").version is None


def test_a_parked_transaction_folds_when_what_it_waits_for_arrives():
    one, two, *_ = chain().arrivals
    look = fold_all([two, one])
    assert everything(look).parked() == []
    assert everything(look).alias(MODEL, "prod").version == A
    assert everything(look).heads() == (two.id,)


def test_a_chain_in_any_order_answers_the_same():
    alice = chain()
    for order in itertools.permutations(alice.arrivals):
        view = everything(fold_all(order))
        assert view.parked() == []
        assert [t.id for t in view.transactions()] == [t.id for t in alice.view.transactions()]
        assert view.aliases(MODEL) == alice.view.aliases(MODEL)
        assert list(view.members(MODEL)) == list(alice.view.members(MODEL))


def test_a_transaction_that_waits_for_two_folds_after_the_last_of_them():
    alice, bob = Clone("alice"), Clone("bob")
    alice.publish("a")
    bob.publish("b")
    carol = Clone("carol", alice, bob)
    carol.publish("c")
    [one], [two], three = alice.arrivals, bob.arrivals, carol.arrivals[-1]
    half = fold_all([three, one])
    assert everything(half).parked() == [three.id]
    view = everything(fold_all([three, one, two]))
    assert [m.version for m in view.members(MODEL)] == [A, B, C]


def test_parked_transactions_that_wait_for_the_same_fold_in_order_of_arrival():
    origin = Clone("origin")
    origin.publish("a")
    alice, bob = Clone("alice", origin), Clone("bob", origin)
    alice.publish("b")
    bob.publish("c")
    [one], two, three = origin.arrivals, alice.arrivals[-1], bob.arrivals[-1]
    assert [m.version for m in everything(fold_all([two, three, one])).members(MODEL)] == [A, B, C]
    assert [m.version for m in everything(fold_all([three, two, one])).members(MODEL)] == [A, C, B]


def test_a_parked_transactions_number_is_confirmed_with_what_unparked_it():
    alice = Clone("alice")
    alice.publish("a")
    alice.publish("b")
    one, two = alice.arrivals
    look = fold_all([two, one])
    assert [m.is_provisional for m in View(look, 1).members(MODEL)] == [True, True]
    assert [m.is_provisional for m in View(look, 2).members(MODEL)] == [False, False]


def test_a_parked_transaction_that_arrives_again_changes_nothing():
    _, two, *_ = chain().arrivals
    look = fold_all([two])
    assert folding.fold(two, look) == ()


def test_a_parked_transaction_keeps_its_signature():
    alice = Clone("alice")
    alice.publish("a")
    alice.publish("b")
    alice.protect("prod", ("key",))
    alice.move("prod", A, signer="key")
    *early, last = alice.arrivals
    view = everything(fold_all([last, *early]))
    assert view.alias(MODEL, "prod").version == A
    assert view.refusals() == []


def test_heads_are_what_nobody_came_after():
    alice, bob = Clone("alice"), Clone("bob")
    one, two = alice.publish("a"), bob.publish("b")
    merged = together(alice, bob)
    assert sorted(merged.view.heads()) == sorted([one, two])
    three = merged.publish("c")
    assert merged.view.heads() == (three,)


def test_an_empty_transaction_joins_heads_and_says_nothing():
    alice, bob = Clone("alice"), Clone("bob")
    alice.publish("a")
    bob.publish("b")
    merged = together(alice, bob)
    before = list(merged.view.members(MODEL))
    joined = merged.say()
    assert merged.view.heads() == (joined,)
    assert list(merged.view.members(MODEL)) == before


def test_transactions_are_listed_the_last_first():
    alice = Clone("alice")
    one, two = alice.publish("a"), alice.publish("b")
    assert [t.id for t in alice.view.transactions()] == [two, one]
    assert [(t.who, t.position) for t in alice.view.transactions()] == [("alice", 1), ("alice", 0)]
    assert alice.view.transaction(bytes(32)) is None


def test_rolling_a_fold_back_restores_the_view_exactly_also_after_unparking():
    one, two, three, four = chain().arrivals
    look = fold_all([three, two, four])
    before = look.snapshot()
    changes = folding.fold(one, look)
    assert look.snapshot() == before
    look.apply(changes)
    assert everything(look).parked() == []
    look.roll_back(changes)
    assert look.snapshot() == before


def body(**changed):
    said = {"nonce": bytes(16), "who": "", "when": 0, "command": "", "after": [], "operations": [], "needs": []}
    return Arrival(record.frame(Kind.TRANSACTION, canonical.encode(said | changed)))


@pytest.mark.parametrize(
    "arrival",
    [
        body(operations=[["levitate", {}]]),
        body(operations=[["publish", {"collection": MODEL, "manifest": bytes(32), "height": 1}]]),
        body(features=["levitation"]),
        body(height=1),
    ],
    ids=["operation", "part of an operation", "feature", "part of a transaction"],
)
def test_what_this_mlvc_does_not_know_stops_it(arrival):
    alice = Clone("alice")
    alice.publish("a")
    before = alice.look.snapshot()
    with pytest.raises(NewerFormatError):
        folding.fold(arrival, alice.look)
    assert alice.look.snapshot() == before


def test_an_unknown_operation_stops_the_reader_even_where_it_would_be_parked():
    with pytest.raises(NewerFormatError):
        folding.fold(body(operations=[["levitate", {}]], after=[bytes(32)]), DictView())


def test_fold_rules_above_the_known_stop_the_reader():
    alice = Clone("alice")
    alice.publish("a")
    before = alice.look.snapshot()
    with pytest.raises(NewerFormatError):
        alice.say(FoldRules(FOLD_RULES_VERSION + 1))
    assert alice.look.snapshot() == before


def test_fold_rules_above_the_known_stop_the_reader_also_when_they_come_too_early():
    alice = Clone("alice")
    alice.publish("a")
    raised = alice.compose(FoldRules(FOLD_RULES_VERSION + 1))
    with pytest.raises(NewerFormatError):
        fold_all([raised, *alice.arrivals])


def test_known_fold_rules_change_nothing():
    alice = Clone("alice")
    alice.publish("a")
    alice.say(FoldRules(FOLD_RULES_VERSION))
    assert alice.numbers() == {0: A}


def test_bytes_that_are_no_transaction_are_damage():
    for data in (b"", b"x", record.frame(Kind.VALUE, b"\xc0"), record.frame(Kind.TRANSACTION, b"\xc0")):
        with pytest.raises(DamageError):
            folding.fold(Arrival(data), DictView())


def test_fold_does_not_touch_the_view_it_looks_at():
    alice = Clone("alice")
    alice.publish("a")
    before = alice.look.snapshot()
    folding.fold(alice.compose(Publish(MODEL, manifest("b"))), alice.look)
    assert alice.look.snapshot() == before
