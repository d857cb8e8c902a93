"""Protected aliases: an operation without the right that would change what one answers is refused (DESIGN 3.11)."""

import pytest
from fold_clones import MODEL, REGISTRY, Clone, first, manifest, run_id, together, version

from mlvc.format.operations import Delete, Move, Protect, Publish, TagRemove, Undo

A, B, C = version("a"), version("b"), version("c")
KEY, OTHER_KEY = "ssh-ed25519 one", "ssh-ed25519 two"


@pytest.fixture
def origin():
    made = Clone("origin")
    for content in "abc":
        made.publish(content)
    made.move("prod", A)
    made.protect("prod", (KEY,))
    return made


def test_an_unsigned_move_of_a_protected_alias_is_refused_and_shown(origin):
    said = origin.move("prod", B)
    assert origin.values("prod") == (A,)
    assert origin.refused(said)
    [(_, place, why)] = origin.view.refusals()
    assert place == 0
    assert "prod" in why


def test_a_move_signed_by_another_key_is_refused(origin):
    assert origin.refused(origin.move("prod", B, signer=OTHER_KEY))
    assert origin.in_force("prod") == A


def test_a_move_signed_by_an_allowed_key_is_accepted(origin):
    said = origin.move("prod", B, signer=KEY)
    assert origin.values("prod") == (B,)
    assert not origin.refused(said)


def test_an_unsigned_move_onto_the_same_version_is_refused_too(origin):
    assert origin.refused(origin.move("prod", A))


def test_an_unsigned_removal_is_refused(origin):
    assert origin.refused(origin.move("prod", None))
    assert origin.in_force("prod") == A


def test_a_move_apart_does_not_even_make_a_conflict(origin):
    assert origin.refused(origin.say(Move(MODEL, "prod", B)))
    assert origin.conflicts() == []


def test_an_unsigned_move_made_before_its_author_knew_of_the_protection_is_refused():
    start = Clone("start")
    start.publish("a")
    start.publish("b")
    start.move("prod", A)
    alice, bob = Clone("alice", start), Clone("bob", start)
    alice.protect("prod", (KEY,))
    moved = bob.move("prod", B)
    assert together(alice, bob).refused(moved)
    assert together(alice, bob).values("prod") == (A,)
    assert together(bob, alice).values("prod") == (B,)


def test_other_aliases_are_not_protected(origin):
    origin.move("best", B)
    origin.link(A)
    origin.move("prod", A, REGISTRY)
    assert origin.in_force("best") == B
    assert origin.in_force("prod", REGISTRY) == A


def test_the_rest_of_a_transaction_whose_move_is_refused_stays(origin):
    said = origin.say(Publish(MODEL, manifest("d")), Move(MODEL, "prod", version("d"), origin.view.moves_to_name(MODEL, "prod")))
    assert origin.view.is_alive(version("d"))
    assert origin.in_force("prod") == A
    assert [(tx, place) for tx, place, _ in origin.view.refusals()] == [(said, 1)]


def test_an_unsigned_undo_of_the_move_is_refused_and_a_signed_one_accepted(origin):
    moved = origin.move("prod", B, signer=KEY)
    undone = origin.undo(moved)
    assert origin.in_force("prod") == B
    assert origin.refused(undone)
    assert not origin.view.transaction(moved).is_undone
    origin.undo(moved, signer=KEY)
    assert origin.in_force("prod") == A


def test_an_unsigned_undo_of_the_publication_under_a_protected_alias_is_refused():
    alice = Clone("alice")
    published = alice.publish("a")
    alice.move("prod", A)
    alice.protect("prod", (KEY,))
    assert alice.refused(alice.undo(published))
    assert alice.view.is_alive(A)
    alice.undo(published, signer=KEY)
    assert not alice.view.is_alive(A)


def test_an_unsigned_undo_of_an_undo_that_would_bring_a_move_back_is_refused(origin):
    moved = origin.move("prod", B, signer=KEY)
    undone = origin.undo(moved, signer=KEY)
    assert origin.refused(origin.undo(undone))
    assert origin.in_force("prod") == A


def test_an_unsigned_undo_that_changes_no_protected_alias_is_accepted(origin):
    moved = origin.move("best", B)
    assert not origin.refused(origin.undo(moved))
    assert origin.in_force("best") is None


def test_an_unsigned_delete_under_a_protected_alias_is_refused_and_a_signed_one_accepted(origin):
    assert origin.refused(origin.delete(A))
    assert origin.view.is_alive(A)
    assert origin.in_force("prod") == A
    origin.delete(A, signer=KEY)
    assert not origin.view.is_alive(A)
    assert origin.in_force("prod") is None


def test_an_unsigned_delete_of_another_version_is_accepted(origin):
    assert not origin.refused(origin.delete(B))
    assert not origin.view.is_alive(B)


def test_an_unsigned_delete_of_the_publication_alone_is_accepted_while_the_alias_answers_the_same(origin):
    published = origin.view.publications(A)[0].fact
    said = origin.say(Delete(("version", A), (published,)))
    assert not origin.refused(said)
    assert origin.in_force("prod") == A


def test_an_unsigned_unlink_under_a_protected_alias_is_refused_and_a_signed_one_accepted(origin):
    origin.link(B)
    origin.move("prod", B, REGISTRY)
    origin.protect("prod", (KEY,), REGISTRY)
    assert origin.refused(origin.unlink(B))
    assert origin.in_force("prod", REGISTRY) == B
    assert origin.numbers(REGISTRY) == {0: B}
    origin.unlink(B, signer=KEY)
    assert origin.in_force("prod", REGISTRY) is None


def test_an_unsigned_untagging_cannot_take_a_protected_alias_away(origin):
    """Whatever the operation's kind: what it names is a move of the alias."""
    [move] = origin.view.moves_to_name(MODEL, "prod")
    origin.say(TagRemove(("version", A), "x", (move,)))
    assert origin.in_force("prod") == A


def test_an_unsigned_publication_that_would_revive_what_the_alias_points_at_is_refused(origin):
    published = origin.move("prod", version("d"), signer=KEY)
    assert origin.in_force("prod") is None
    assert origin.refused(origin.publish("d"))
    assert origin.in_force("prod") is None
    assert not origin.refused(origin.publish("d", signer=KEY))
    assert origin.in_force("prod") == version("d")
    assert not origin.refused(published)


def test_changing_the_protection_needs_a_key_allowed_before_the_change(origin):
    assert origin.refused(origin.protect("prod", (OTHER_KEY,)))
    assert origin.refused(origin.protect("prod", (OTHER_KEY,), signer=OTHER_KEY))
    assert origin.refused(origin.protect("prod", (KEY, OTHER_KEY), signer=OTHER_KEY))
    assert origin.refused(origin.protect("prod", None))
    assert origin.refused(origin.move("prod", B, signer=OTHER_KEY))
    assert not origin.refused(origin.protect("prod", (OTHER_KEY,), signer=KEY))
    assert not origin.refused(origin.move("prod", B, signer=OTHER_KEY))


def test_a_move_appended_after_its_key_was_revoked_is_refused_and_shown(origin):
    origin.protect("prod", (KEY, OTHER_KEY), signer=KEY)
    alice, bob = Clone("alice", origin), Clone("bob", origin)
    alice.protect("prod", (KEY,), signer=KEY)
    moved = bob.move("prod", B, signer=OTHER_KEY)
    assert together(alice, bob).refused(moved)
    assert together(alice, bob).values("prod") == (A,)
    assert together(bob, alice).values("prod") == (B,)


def test_lifting_the_protection_needs_a_key_and_then_anyone_may_move(origin):
    origin.protect("prod", None, signer=KEY)
    assert not origin.refused(origin.move("prod", B))
    assert origin.in_force("prod") == B


def test_an_unsigned_undo_of_the_protection_is_refused_and_a_signed_one_accepted():
    alice = Clone("alice")
    alice.publish("a")
    protected = alice.protect("prod", (KEY,))
    assert alice.refused(alice.undo(protected))
    assert alice.refused(alice.move("prod", A))
    alice.undo(protected, signer=KEY)
    assert not alice.refused(alice.move("prod", A))


def test_undoing_a_change_of_keys_brings_the_keys_before_back(origin):
    changed = origin.protect("prod", (OTHER_KEY,), signer=KEY)
    assert origin.refused(origin.undo(changed, signer=KEY))
    assert not origin.refused(origin.undo(changed, signer=OTHER_KEY))
    assert not origin.refused(origin.move("prod", B, signer=KEY))


def test_an_alias_protected_for_no_key_can_be_moved_by_none(origin):
    origin.protect("prod", (), signer=KEY)
    assert origin.refused(origin.move("prod", B, signer=KEY))


def test_a_refused_move_is_not_what_a_later_one_names(origin):
    refused = origin.move("prod", B)
    assert first(refused) not in origin.view.moves_to_name(MODEL, "prod")


def test_a_signed_move_that_saw_a_refused_one_still_replaces_what_that_had_replaced():
    """C4: it replaces what it saw 'and all that those replaced'; its author saw A replaced, on a clone without the protection."""
    start = Clone("start")
    start.publish("a")
    start.publish("b")
    start.publish("c")
    start.move("prod", A)
    alice, bob = Clone("alice", start), Clone("bob", start)
    alice.protect("prod", (KEY,))
    refused = bob.move("prod", B)
    bob.move("prod", C, signer=KEY)
    merged = together(alice, bob)
    assert merged.refused(refused)
    assert merged.values("prod") == (C,)


@pytest.mark.parametrize("undo_first", [False, True])
def test_an_unsigned_undo_never_stops_a_signed_move_whichever_comes_first(origin, undo_first):
    """An undo that was put into the journal before what it undoes changes nothing then; it must not either when that comes."""
    moved = origin.compose(origin.a_move("prod", B), signer=KEY)
    undo = Clone("mallory").compose(Undo(moved.id), after=origin.view.heads())
    for arrival in (undo, moved) if undo_first else (moved, undo):
        origin.fold(arrival)
    assert origin.in_force("prod") == B


@pytest.mark.parametrize("delete_first", [False, True])
def test_an_unsigned_delete_never_stops_a_signed_move_whichever_comes_first(origin, delete_first):
    moved = origin.compose(origin.a_move("prod", B), signer=KEY)
    delete = Clone("mallory").compose(Delete(("version", B), (first(moved.id),)), after=origin.view.heads())
    for arrival in (delete, moved) if delete_first else (moved, delete):
        origin.fold(arrival)
    assert origin.in_force("prod") == B


def test_an_unsigned_untagging_that_names_the_protection_never_lifts_it(origin):
    """Not at once, and not when the keys are derived anew later."""
    [protect] = [first(t.id) for t in origin.view.transactions() if t.position == 4]
    origin.say(TagRemove(("version", A), "x", (protect,)))
    changed = origin.protect("prod", (OTHER_KEY,), signer=KEY)
    origin.undo(changed, signer=OTHER_KEY)
    assert origin.refused(origin.move("prod", B))
    assert origin.in_force("prod") == A


def test_a_transaction_that_both_protects_and_moves_may_do_so_in_that_order_only_with_the_key():
    alice = Clone("alice")
    alice.publish("a")
    said = alice.say(Protect(MODEL, "prod", (KEY,)), Move(MODEL, "prod", A))
    assert [(tx, place) for tx, place, _ in alice.view.refusals()] == [(said, 1)]
    alice = Clone("alice")
    alice.publish("a")
    alice.say(Move(MODEL, "prod", A), Protect(MODEL, "prod", (KEY,)))
    assert alice.in_force("prod") == A
    assert alice.view.refusals() == []


def test_lineage_and_tags_need_no_key(origin):
    origin.head(run_id("serve"))
    origin.use(run_id("serve"), A)
    origin.tag(("version", A), "good")
    origin.publish("a")
    assert origin.view.refusals() == []
