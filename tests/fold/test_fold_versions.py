"""Versions: numbers, life and death, and the latest one (DESIGN 3.1, 3.2, 3.3, 3.5, 3.7; RULES C1 to C3, C7)."""

from fold_clones import MODEL, OTHER, REGISTRY, Clone, everything, first, fold_all, manifest, run_id, together, version

from mlvc.fold import folding
from mlvc.fold.questions import View
from mlvc.format.ids import fact_id
from mlvc.format.operations import Delete, Publish

A, B, C = version("a"), version("b"), version("c")


def test_numbers_follow_the_order_of_the_journal_and_not_who_published_first():
    alice, bob = Clone("alice"), Clone("bob")
    alice.publish("a")
    bob.publish("b")
    assert together(alice, bob).numbers() == {0: A, 1: B}
    assert together(bob, alice).numbers() == {0: B, 1: A}


def test_numbers_of_two_collections_are_independent():
    alice = Clone("alice")
    alice.publish("a")
    alice.publish("a", OTHER)
    assert alice.numbers(MODEL) == {0: A}
    assert alice.numbers(OTHER) == {0: version("a", OTHER)}


def test_a_deleted_versions_number_is_not_given_to_another():
    alice = Clone("alice")
    alice.publish("a")
    alice.delete(A)
    alice.publish("b")
    assert alice.numbers() == {1: B}
    assert alice.view.was_numbered(MODEL, 0)
    assert alice.view.member_by_number(MODEL, 0) is None


def test_an_undone_versions_number_is_not_given_to_another():
    alice = Clone("alice")
    alice.undo(alice.publish("a"))
    alice.publish("b")
    assert alice.numbers() == {1: B}
    assert alice.view.was_numbered(MODEL, 0)


def test_a_republished_undone_version_gets_its_number_back():
    alice = Clone("alice")
    alice.undo(alice.publish("a"))
    alice.publish("b")
    alice.publish("a")
    assert alice.numbers() == {0: A, 1: B}


def test_a_number_stays_provisional_until_its_arrival_is_confirmed():
    alice = Clone("alice")
    alice.publish("a")
    alice.publish("b")
    half = View(alice.look, 1)
    assert [m.label for m in half.members(MODEL)] == ["v0", "v1~"]
    assert [m.label for m in alice.view.members(MODEL)] == ["v0", "v1"]


def test_republishing_a_confirmed_version_does_not_make_its_number_provisional():
    alice = Clone("alice")
    alice.publish("a")
    alice.publish("a")
    assert [m.label for m in View(alice.look, 1).members(MODEL)] == ["v0"]


def test_lineage_survives_renumbering_because_it_holds_ids():
    alice, bob = Clone("alice"), Clone("bob")
    alice.publish("a")
    bob.head(run_id("train"))
    bob.publish("b")
    bob.use(run_id("train"), B, "model:v0")
    merged = together(alice, bob)
    assert merged.number(B) == 1
    assert merged.view.users(B) == [run_id("train")]
    assert merged.view.users(A) == []


def test_a_version_has_the_same_id_wherever_it_is_published():
    alice, bob = Clone("alice"), Clone("bob")
    alice.publish("a")
    bob.publish("a")
    assert together(alice, bob).numbers() == {0: A}
    assert version("a", OTHER) != A


def test_a_transaction_folded_twice_counts_once():
    alice = Clone("alice")
    alice.publish("a")
    alice.publish("a")
    before = alice.look.snapshot()
    for arrival in list(alice.arrivals):
        assert alice.fold(arrival) == ()
    assert alice.look.snapshot() == before
    assert len(alice.view.publications(A)) == 2


def test_merging_repositories_appends_only_what_the_other_lacks():
    origin = Clone("origin")
    origin.publish("a")
    alice, bob = Clone("alice", origin), Clone("bob", origin)
    alice.publish("b")
    bob.publish("c")
    merged = together(alice, bob)
    assert merged.numbers() == {0: A, 1: B, 2: C}
    assert len(list(merged.view.transactions())) == 3


def test_equal_content_by_two_runs_is_one_version_with_two_producers():
    alice, bob = Clone("alice"), Clone("bob")
    alice.head(run_id("one"))
    alice.publish("a", run=run_id("one"))
    bob.head(run_id("two"))
    bob.publish("a", run=run_id("two"))
    merged = together(alice, bob)
    assert merged.numbers() == {0: A}
    assert merged.view.producers(A) == [run_id("one"), run_id("two")]
    assert merged.view.outputs(run_id("one")) == [A]
    assert merged.view.outputs(run_id("two")) == [A]


def test_equal_content_published_with_an_alias_applies_the_alias():
    alice = Clone("alice")
    alice.publish("a")
    alice.publish("b")
    alice.say(Publish(MODEL, manifest("a")), alice.a_move("best", A))
    assert alice.numbers() == {0: A, 1: B}
    assert alice.in_force("best") == A


def test_a_deleted_version_is_shown_nowhere():
    alice = Clone("alice")
    alice.publish("a")
    alice.link(A)
    alice.move("best", A)
    alice.delete(A)
    assert not alice.view.is_alive(A)
    assert alice.numbers() == {} == alice.numbers(REGISTRY)
    assert alice.in_force("best") is None
    assert alice.view.collections_of(A) == []
    assert alice.view.member(MODEL, A) is None
    assert alice.conflicts() == []


def test_publishing_a_deleted_version_revives_it_with_its_number():
    alice = Clone("alice")
    alice.publish("a")
    alice.publish("b")
    alice.delete(A)
    alice.publish("a")
    assert alice.numbers() == {0: A, 1: B}
    assert alice.conflicts() == []


def test_a_revived_version_does_not_get_its_old_aliases_back():
    alice = Clone("alice")
    alice.publish("a")
    alice.move("production", A)
    alice.delete(A)
    alice.publish("a")
    assert alice.view.is_alive(A)
    assert alice.in_force("production") is None
    assert alice.view.aliases_of(MODEL, A) == ["latest"]


def test_a_revived_version_does_not_get_its_old_links_back():
    alice = Clone("alice")
    alice.publish("a")
    alice.link(A)
    alice.delete(A)
    alice.publish("a")
    assert alice.view.collections_of(A) == [MODEL]
    assert alice.numbers(REGISTRY) == {}


def test_undoing_a_delete_brings_aliases_and_links_back():
    alice = Clone("alice")
    alice.publish("a")
    alice.link(A)
    alice.move("production", A)
    alice.undo(alice.delete(A))
    assert alice.in_force("production") == A
    assert alice.view.collections_of(A) == [MODEL, REGISTRY]
    assert alice.latest() == A


def test_undoing_a_delete_after_a_revival_brings_the_old_aliases_back():
    alice = Clone("alice")
    alice.publish("a")
    alice.move("production", A)
    deleted = alice.delete(A)
    alice.publish("a")
    alice.undo(deleted)
    assert alice.in_force("production") == A


def test_a_delete_concurrent_with_a_publication_keeps_the_version_and_shows_a_conflict():
    origin = Clone("origin")
    origin.publish("a")
    alice, bob = Clone("alice", origin), Clone("bob", origin)
    alice.delete(A)
    bob.publish("a")
    for merged in (together(alice, bob), together(bob, alice)):
        assert merged.numbers() == {0: A}
        assert merged.conflicts() == [("delete", MODEL)]


def test_a_delete_concurrent_with_a_link_keeps_the_version_and_shows_a_conflict():
    origin = Clone("origin")
    origin.publish("a")
    alice, bob = Clone("alice", origin), Clone("bob", origin)
    alice.delete(A)
    bob.link(A)
    for merged in (together(alice, bob), together(bob, alice)):
        assert merged.numbers(REGISTRY) == {0: A}
        assert merged.view.is_alive(A)
        assert merged.conflicts() == [("delete", MODEL)]


def test_a_delete_concurrent_with_an_alias_move_keeps_the_version_and_shows_a_conflict():
    origin = Clone("origin")
    origin.publish("a")
    alice, bob = Clone("alice", origin), Clone("bob", origin)
    alice.delete(A)
    bob.move("best", A)
    for merged in (together(alice, bob), together(bob, alice)):
        assert merged.in_force("best") == A
        assert merged.view.is_alive(A)
        assert merged.conflicts() == [("delete", MODEL)]


def test_a_version_that_only_an_alias_kept_from_a_delete_is_the_latest_of_its_collection():
    """C3: the alive version whose last standing (not undone) publication is last; not found only if none is alive."""
    origin = Clone("origin")
    origin.publish("a")
    alice, bob = Clone("alice", origin), Clone("bob", origin)
    alice.delete(A)
    bob.move("best", A)
    merged = together(alice, bob)
    assert merged.numbers() == {0: A}
    assert merged.latest() == A


def test_deleting_again_what_a_conflict_kept_settles_it():
    origin = Clone("origin")
    origin.publish("a")
    alice, bob = Clone("alice", origin), Clone("bob", origin)
    alice.delete(A)
    bob.publish("a")
    merged = together(alice, bob)
    merged.delete(A)
    assert not merged.view.is_alive(A)
    assert merged.conflicts() == []


def test_publishing_again_what_a_conflict_kept_settles_it():
    origin = Clone("origin")
    origin.publish("a")
    alice, bob = Clone("alice", origin), Clone("bob", origin)
    alice.delete(A)
    bob.publish("a")
    merged = together(alice, bob)
    merged.publish("a")
    assert merged.view.is_alive(A)
    assert merged.conflicts() == []


def test_a_publication_that_saw_the_delete_is_no_conflict():
    alice = Clone("alice")
    alice.publish("a")
    deleted = alice.delete(A)
    assert alice.view.deletes_to_name(A) == (first(deleted),)
    alice.publish("a")
    assert alice.conflicts() == []


def test_two_concurrent_deletes_must_both_be_undone():
    origin = Clone("origin")
    origin.publish("a")
    alice, bob = Clone("alice", origin), Clone("bob", origin)
    first_delete, second_delete = alice.delete(A), bob.delete(A)
    merged = together(alice, bob)
    merged.undo(first_delete)
    assert not merged.view.is_alive(A)
    merged.undo(second_delete)
    assert merged.view.is_alive(A)


def test_a_version_whose_only_publication_is_undone_is_dead_though_an_alias_points_at_it():
    alice = Clone("alice")
    published = alice.publish("a")
    alice.move("best", A)
    alice.undo(published)
    assert not alice.view.is_alive(A)
    assert alice.in_force("best") is None
    assert alice.latest() is None


def test_a_version_with_two_publications_survives_the_undo_of_one():
    alice = Clone("alice")
    published = alice.publish("a")
    alice.publish("a")
    alice.undo(published)
    assert alice.numbers() == {0: A}
    assert len(alice.view.publications(A)) == 1


def test_latest_is_the_version_published_last():
    alice = Clone("alice")
    alice.publish("a")
    alice.publish("b")
    assert alice.latest() == B


def test_publishing_old_content_again_makes_it_the_latest():
    alice = Clone("alice")
    alice.publish("a")
    alice.publish("b")
    alice.publish("a")
    assert alice.latest() == A
    assert alice.numbers() == {0: A, 1: B}


def test_undoing_the_republication_makes_the_other_version_the_latest_again():
    alice = Clone("alice")
    alice.publish("a")
    alice.publish("b")
    alice.undo(alice.publish("a"))
    assert alice.latest() == B


def test_latest_skips_deleted_versions():
    alice = Clone("alice")
    alice.publish("a")
    alice.publish("b")
    alice.delete(B)
    assert alice.latest() == A


def test_latest_is_not_found_when_everything_is_dead():
    alice = Clone("alice")
    alice.publish("a")
    undone = alice.publish("b")
    alice.delete(A)
    alice.undo(undone)
    assert alice.latest() is None
    assert alice.view.alias(MODEL, "latest").values == ()
    assert "latest" not in alice.view.aliases(MODEL)


def test_latest_never_conflicts():
    alice, bob = Clone("alice"), Clone("bob")
    alice.publish("a")
    bob.publish("b")
    merged = together(alice, bob)
    assert merged.view.alias(MODEL, "latest").values == (B,)
    assert merged.conflicts() == []


def test_confirmed_numbers_stay_when_others_publish_less_and_more():
    alice = Clone("alice")
    published = [alice.publish(content) for content in "abc"]
    bob = Clone("bob", alice)
    bob.undo(published[1])
    bob.delete(A)
    bob.publish("d")
    bob.publish("b")
    bob.publish("a")
    assert bob.numbers() == {0: A, 1: B, 2: C, 3: version("d")}


def test_the_count_of_a_collection_is_that_of_the_versions_it_shows():
    alice = Clone("alice")
    published = alice.publish("a")
    alice.publish("b")
    alice.publish("b")
    assert (alice.view.collection(MODEL).count, alice.view.collection(MODEL).next_number) == (2, 2)
    alice.delete(B)
    undone = alice.undo(published)
    assert alice.view.collection(MODEL) is None
    alice.undo(undone)
    assert (alice.view.collection(MODEL).count, alice.view.collection(MODEL).next_number) == (1, 2)


def test_versions_are_found_by_a_prefix_of_their_id_while_they_are_shown():
    alice = Clone("alice")
    alice.publish("a")
    assert alice.view.versions_by_prefix(MODEL, A.hex()[:8]) == [A]
    alice.delete(A)
    assert alice.view.versions_by_prefix(MODEL, A.hex()[:8]) == []


def test_a_delete_that_names_nothing_deletes_nothing():
    alice = Clone("alice")
    alice.publish("a")
    alice.say(Delete(("version", A)))
    assert alice.view.is_alive(A)


def test_a_delete_in_the_transaction_of_a_publication_is_decided_by_what_it_names():
    alice = Clone("alice")
    before = alice.publish("a")
    said = alice.say(Delete(("version", A), (first(before),)), Publish(MODEL, manifest("a")))
    assert alice.view.is_alive(A)
    assert alice.view.facts_to_delete(A) == (fact_id(said, 1),)


def test_every_clone_of_one_journal_sees_the_same():
    alice = Clone("alice")
    alice.publish("a")
    alice.move("best", A)
    alice.delete(A)
    assert fold_all(alice.arrivals).snapshot() == alice.look.snapshot()
    assert everything(fold_all(alice.arrivals)).latest(MODEL) is None
    assert folding.arrivals(alice.look) == 3
