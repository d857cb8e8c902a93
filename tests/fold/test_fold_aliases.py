"""An alias is a multi-value register (DESIGN 3.6; RULES C4)."""

import pytest
from fold_clones import MODEL, Clone, first, together, version

from mlvc.format.operations import Move

A, B, C = version("a"), version("b"), version("c")


@pytest.fixture
def origin():
    made = Clone("origin")
    for content in "abc":
        made.publish(content)
    return made


def test_a_move_replaces_the_moves_it_saw(origin):
    origin.move("prod", A)
    origin.move("prod", B)
    assert origin.values("prod") == (B,)
    assert origin.conflicts() == []


def test_two_moves_apart_are_a_conflict_and_the_first_in_the_journal_is_in_force(origin):
    alice, bob = Clone("alice", origin), Clone("bob", origin)
    alice.move("prod", A)
    bob.move("prod", B)
    assert together(alice, bob).values("prod") == (A, B)
    assert together(bob, alice).values("prod") == (B, A)
    assert together(alice, bob).conflicts() == [("alias", "prod")]


def test_two_moves_apart_to_one_version_agree(origin):
    alice, bob = Clone("alice", origin), Clone("bob", origin)
    alice.move("prod", A)
    bob.move("prod", A)
    merged = together(alice, bob)
    assert merged.values("prod") == (A,)
    assert merged.conflicts() == []


def test_a_move_that_saw_both_sides_decides(origin):
    alice, bob = Clone("alice", origin), Clone("bob", origin)
    alice.move("prod", A)
    bob.move("prod", B)
    merged = together(alice, bob)
    merged.move("prod", B)
    assert merged.values("prod") == (B,)
    assert merged.conflicts() == []


def test_a_move_leaves_beside_it_what_its_author_had_not_seen(origin):
    origin.move("prod", A)
    alice, bob = Clone("alice", origin), Clone("bob", origin)
    alice.move("prod", B)
    bob.move("prod", C)
    carol = Clone("carol", alice)
    carol.move("prod", A)
    assert together(alice, bob, carol).values("prod") == (C, A)


def test_a_move_replaces_what_the_moves_it_saw_replaced(origin):
    """Transitively: a late clone that brings only the last move of a chain does not revive the first."""
    origin.move("prod", A)
    alice = Clone("alice", origin)
    alice.move("prod", B)
    alice.move("prod", C)
    bob = Clone("bob", origin)
    bob.receive(alice)
    assert bob.values("prod") == (C,)


def test_an_alias_that_went_there_and_back_has_no_aba_hole(origin):
    """A -> B -> A on one clone: a move apart that saw only the first A does not replace the second one."""
    origin.move("prod", A)
    alice, bob = Clone("alice", origin), Clone("bob", origin)
    alice.move("prod", B)
    alice.move("prod", A)
    bob.move("prod", C)
    assert together(alice, bob).values("prod") == (A, C)
    assert together(bob, alice).values("prod") == (C, A)


def test_moving_an_alias_where_it_already_points_counts_as_a_move(origin):
    origin.move("prod", A)
    alice, bob = Clone("alice", origin), Clone("bob", origin)
    alice.move("prod", A)
    bob.move("prod", B)
    assert together(alice, bob).values("prod") == (A, B)


def test_a_removed_alias_answers_nothing(origin):
    origin.move("prod", A)
    origin.move("prod", None)
    assert origin.in_force("prod") is None
    assert "prod" not in origin.view.aliases(MODEL)
    assert origin.conflicts() == []


def test_a_removal_can_be_a_side_of_a_conflict(origin):
    origin.move("prod", A)
    alice, bob = Clone("alice", origin), Clone("bob", origin)
    alice.move("prod", None)
    bob.move("prod", B)
    assert together(alice, bob).values("prod") == (None, B)
    assert together(alice, bob).in_force("prod") is None
    assert together(bob, alice).values("prod") == (B, None)
    assert together(alice, bob).conflicts() == [("alias", "prod")]
    assert together(alice, bob).view.aliases(MODEL)["prod"].in_conflict


def test_in_force_is_the_first_remaining_move_and_not_the_first_ever(origin):
    alice, bob, carol = (Clone(name, origin) for name in ("alice", "bob", "carol"))
    alice.move("prod", A)
    bob.move("prod", B)
    carol.move("prod", C)
    merged = together(alice, bob, carol)
    dave = Clone("dave", alice)
    dave.move("prod", A)
    merged.receive(dave)
    assert merged.values("prod") == (B, C, A)


def test_an_undone_move_gives_back_what_it_replaced(origin):
    origin.move("prod", A)
    origin.undo(origin.move("prod", B))
    assert origin.values("prod") == (A,)


def test_an_undone_move_in_the_middle_changes_nothing(origin):
    origin.move("prod", A)
    middle = origin.move("prod", B)
    origin.move("prod", C)
    origin.undo(middle)
    assert origin.values("prod") == (C,)


def test_a_move_names_undone_moves_too_so_their_return_does_not_compete(origin):
    undone = origin.move("prod", A)
    undo = origin.undo(undone)
    assert origin.view.moves_to_name(MODEL, "prod") == (first(undone),)
    origin.move("prod", B)
    origin.undo(undo)
    assert origin.values("prod") == (B,)


def test_undoing_the_decision_brings_the_conflict_back(origin):
    alice, bob = Clone("alice", origin), Clone("bob", origin)
    alice.move("prod", A)
    bob.move("prod", B)
    merged = together(alice, bob)
    decided = merged.move("prod", C)
    merged.undo(decided)
    assert merged.values("prod") == (A, B)
    assert merged.conflicts() == [("alias", "prod")]


def test_undoing_one_side_settles_a_conflict(origin):
    alice, bob = Clone("alice", origin), Clone("bob", origin)
    moved = alice.move("prod", A)
    bob.move("prod", B)
    merged = together(alice, bob)
    merged.undo(moved)
    assert merged.values("prod") == (B,)
    assert merged.conflicts() == []


def test_undoing_two_moves_in_a_row_gives_back_what_the_first_replaced(origin):
    origin.move("prod", A)
    second = origin.move("prod", B)
    third = origin.move("prod", C)
    origin.undo(second)
    origin.undo(third)
    assert origin.values("prod") == (A,)


def test_a_deleted_versions_alias_does_not_fall_back_to_the_version_before(origin):
    """The move still replaced what it replaced; it only has no value any more."""
    origin.move("prod", A)
    origin.move("prod", B)
    origin.delete(B)
    assert origin.in_force("prod") is None


def test_a_dead_side_of_a_conflict_leaves_the_other(origin):
    alice, bob = Clone("alice", origin), Clone("bob", origin)
    alice.move("prod", A)
    bob.move("prod", B)
    merged = together(alice, bob)
    merged.delete(A)
    assert merged.values("prod") == (B,)
    assert merged.conflicts() == []


def test_aliases_of_different_collections_and_names_do_not_touch_each_other(origin):
    origin.publish("a", "p/other")
    origin.move("prod", A)
    origin.move("best", B)
    origin.move("prod", version("a", "p/other"), "p/other")
    assert origin.in_force("prod") == A
    assert origin.in_force("best") == B
    assert origin.in_force("prod", "p/other") == version("a", "p/other")
    assert origin.view.aliases_of(MODEL, A) == ["prod"]


def test_latest_cannot_be_moved(origin):
    moved = origin.say(Move(MODEL, "latest", A))
    assert origin.latest() == C
    assert origin.refused(moved)


def test_an_alias_onto_an_unknown_version_answers_nothing_until_it_is_published(origin):
    unknown = version("z")
    origin.move("prod", unknown)
    assert origin.in_force("prod") is None
    origin.publish("z")
    assert origin.in_force("prod") == unknown


def test_two_moves_of_one_alias_in_one_transaction_are_a_conflict(origin):
    origin.say(origin.a_move("prod", A), origin.a_move("prod", B))
    assert origin.values("prod") == (A, B)


def test_a_move_that_names_moves_of_another_alias_never_brings_its_values_over(origin):
    """A known operation that does not fit is a conflict at most: `best` answers its own moves only."""
    origin.move("prod", A)
    other = origin.move("prod", B)
    odd = origin.say(Move(MODEL, "best", C, (first(other),)))
    assert origin.values("best") == (C,)
    origin.undo(odd)
    assert origin.values("best") == ()
    assert origin.values("prod") == (B,)
