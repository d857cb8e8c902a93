"""Registry collections hold links to source versions (DESIGN 3.5, 3.7; RULES A6, C1 to C3)."""

import pytest
from fold_clones import MODEL, OTHER, REGISTRY, REGISTRY2, Clone, manifest, run_id, together, version

from mlvc.format.operations import Link, Publish

A, B = version("a"), version("b")


@pytest.fixture
def origin():
    made = Clone("origin")
    made.publish("a")
    made.publish("b")
    return made


def test_a_linked_version_is_a_member_under_its_own_id_with_a_number_of_the_registry(origin):
    origin.link(B)
    origin.link(A)
    assert origin.numbers(REGISTRY) == {0: B, 1: A}
    assert origin.numbers(MODEL) == {0: A, 1: B}
    assert origin.view.collections_of(B) == [MODEL, REGISTRY]
    assert origin.view.source_collection(B) == MODEL


def test_a_registry_takes_versions_of_several_sources(origin):
    origin.publish("a", OTHER)
    origin.link(A)
    origin.link(version("a", OTHER))
    assert origin.numbers(REGISTRY) == {0: A, 1: version("a", OTHER)}


def test_linking_twice_gives_no_new_number(origin):
    origin.link(A)
    origin.link(A)
    assert origin.numbers(REGISTRY) == {0: A}


def test_an_unlinked_version_leaves_the_registry_and_stays_in_its_source(origin):
    origin.link(A)
    origin.unlink(A)
    assert origin.numbers(REGISTRY) == {}
    assert origin.numbers(MODEL) == {0: A, 1: B}
    assert origin.conflicts() == []


def test_an_unlink_takes_the_registrys_aliases_off_and_leaves_the_sources(origin):
    origin.link(A)
    origin.move("prod", A, REGISTRY)
    origin.move("prod", A, MODEL)
    origin.unlink(A)
    assert origin.in_force("prod", REGISTRY) is None
    assert origin.in_force("prod", MODEL) == A


def test_an_unlink_concerns_one_registry_only(origin):
    origin.link(A)
    origin.link(A, REGISTRY2)
    origin.unlink(A)
    assert origin.numbers(REGISTRY) == {}
    assert origin.numbers(REGISTRY2) == {0: A}


def test_a_version_linked_again_gets_its_number_back_but_not_its_aliases(origin):
    origin.link(A)
    origin.move("prod", A, REGISTRY)
    origin.link(B)
    origin.unlink(A)
    origin.link(A)
    assert origin.numbers(REGISTRY) == {0: A, 1: B}
    assert origin.in_force("prod", REGISTRY) is None
    assert origin.conflicts() == []


def test_an_unlink_concurrent_with_a_link_keeps_the_link_and_shows_a_conflict(origin):
    origin.link(A)
    alice, bob = Clone("alice", origin), Clone("bob", origin)
    alice.unlink(A)
    bob.link(A)
    for merged in (together(alice, bob), together(bob, alice)):
        assert merged.numbers(REGISTRY) == {0: A}
        assert [kind for kind, _ in merged.conflicts()] == ["delete"]


def test_an_unlink_concurrent_with_a_promotion_keeps_the_version_in_the_registry(origin):
    origin.link(A)
    alice, bob = Clone("alice", origin), Clone("bob", origin)
    alice.unlink(A)
    bob.move("prod", A, REGISTRY)
    for merged in (together(alice, bob), together(bob, alice)):
        assert merged.in_force("prod", REGISTRY) == A
        assert merged.numbers(REGISTRY) == {0: A}
        assert [kind for kind, _ in merged.conflicts()] == ["delete"]


def test_an_unlink_is_no_conflict_with_what_the_source_says(origin):
    origin.link(A)
    alice, bob = Clone("alice", origin), Clone("bob", origin)
    alice.unlink(A)
    bob.publish("a")
    bob.move("best", A)
    assert together(alice, bob).conflicts() == []
    assert together(alice, bob).numbers(REGISTRY) == {}


def test_deleting_the_source_takes_it_out_of_every_registry(origin):
    origin.link(A)
    origin.link(A, REGISTRY2)
    origin.delete(A)
    assert origin.numbers(REGISTRY) == origin.numbers(REGISTRY2) == {}


def test_a_link_of_a_version_whose_source_was_deleted_apart_keeps_the_version_alive(origin):
    alice, bob = Clone("alice", origin), Clone("bob", origin)
    alice.delete(A)
    bob.link(A)
    merged = together(alice, bob)
    assert merged.numbers(REGISTRY) == {0: A}
    assert merged.numbers(MODEL) == {0: A, 1: B}
    assert merged.conflicts() == [("delete", MODEL)]


def test_a_link_of_a_version_its_author_saw_deleted_brings_it_back(origin):
    origin.delete(A)
    origin.link(A)
    assert origin.view.is_alive(A)
    assert origin.numbers(REGISTRY) == {0: A}
    assert origin.conflicts() == []


def test_unlinking_the_last_thing_that_kept_a_version_alive_lets_it_die(origin):
    origin.delete(A)
    origin.link(A)
    origin.unlink(A)
    assert not origin.view.is_alive(A)
    assert origin.numbers(REGISTRY) == {}


def test_a_link_of_a_version_that_nobody_published_shows_nothing_until_someone_does(origin):
    unknown = version("z")
    origin.link(unknown)
    origin.link(A)
    assert origin.numbers(REGISTRY) == {1: A}
    origin.publish("z")
    assert origin.numbers(REGISTRY) == {0: unknown, 1: A}


def test_an_undone_publication_takes_the_version_out_of_the_registry():
    alice = Clone("alice")
    published = alice.publish("a")
    alice.link(A)
    alice.undo(published)
    assert alice.numbers(REGISTRY) == {}


def test_latest_of_a_registry_is_the_version_linked_last(origin):
    origin.link(B)
    origin.link(A)
    assert origin.latest(REGISTRY) == A
    origin.link(B)
    assert origin.latest(REGISTRY) == B
    origin.unlink(B)
    assert origin.latest(REGISTRY) == A
    origin.unlink(A)
    assert origin.latest(REGISTRY) is None


def test_republishing_in_the_source_does_not_change_the_registrys_latest(origin):
    origin.link(B)
    origin.link(A)
    origin.publish("b")
    assert origin.latest(REGISTRY) == A


def test_an_alias_in_a_registry_onto_a_version_not_linked_there_answers_nothing(origin):
    origin.move("prod", A, REGISTRY)
    assert origin.in_force("prod", REGISTRY) is None
    origin.link(A)
    assert origin.in_force("prod", REGISTRY) == A


def test_a_run_that_links_is_recorded_and_makes_no_output(origin):
    run = run_id("promote")
    origin.head(run)
    origin.say(Link(REGISTRY, A, run))
    assert origin.view.outputs(run) == []
    assert origin.view.producers(A) == []


def test_uses_through_a_link_are_uses_of_the_source_version(origin):
    run = run_id("serve")
    origin.link(A)
    origin.head(run)
    origin.use(run, A, "registry/model:v0")
    assert origin.view.users(A) == [run]
    assert [use.name for use in origin.view.inputs(run)] == ["registry/model:v0"]


def test_nothing_is_published_in_a_registry_and_nothing_linked_into_a_source(origin):
    published = origin.say(Publish(REGISTRY, manifest("a")))
    linked = origin.say(Link(MODEL, version("a", OTHER)))
    assert origin.numbers(REGISTRY) == {}
    assert origin.numbers(MODEL) == {0: A, 1: B}
    assert origin.refused(published)
    assert origin.refused(linked)


def test_two_clones_that_link_apart_both_keep_their_links(origin):
    alice, bob = Clone("alice", origin), Clone("bob", origin)
    alice.link(A)
    bob.link(B)
    assert together(alice, bob).numbers(REGISTRY) == {0: A, 1: B}
    assert together(bob, alice).numbers(REGISTRY) == {0: B, 1: A}
