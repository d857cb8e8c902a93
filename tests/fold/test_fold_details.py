"""What is said about things: metadata, tags, types, redirects, times to live (DESIGN 3.9; RULES A7, C6, C7)."""

from fold_clones import MODEL, OTHER, REGISTRY, Clone, run_id, together, version

from mlvc.fold.details import ttl_ms
from mlvc.format.operations import Collection, Edit, Project, Redirect, Ttl

A, B = version("a"), version("b")
TARGET = ("version", A)


def test_a_version_shows_the_metadata_of_its_first_publication_and_the_others_are_kept_whole():
    alice, bob = Clone("alice"), Clone("bob")
    alice.publish("a", metadata={"x": "1"}, description="one")
    bob.publish("a", metadata={"x": "2", "y": "3"}, description="two")
    merged = together(alice, bob)
    assert merged.view.metadata(A) == ({"x": "1"}, "one")
    assert [p.metadata for p in merged.view.publications(A)] == [{"x": "1"}, {"x": "2", "y": "3"}]
    assert [p.who for p in merged.view.publications(A)] == ["alice", "bob"]
    assert together(bob, alice).view.metadata(A) == ({"x": "2", "y": "3"}, "two")


def test_when_the_first_publication_is_undone_the_next_ones_metadata_shows():
    alice = Clone("alice")
    published = alice.publish("a", metadata={"x": "1"})
    alice.publish("a", metadata={"x": "2"})
    alice.undo(published)
    assert alice.view.metadata(A) == ({"x": "2"}, "")


def test_explicit_edits_apply_on_top_of_the_publication():
    alice = Clone("alice")
    alice.publish("a", metadata={"x": "1", "y": "2"}, description="old")
    alice.say(Edit(TARGET, {"x": "9", "z": "3"}, ("y",)))
    assert alice.view.metadata(A) == ({"x": "9", "z": "3"}, "old")
    alice.say(Edit(TARGET, description=""))
    assert alice.view.metadata(A) == ({"x": "9", "z": "3"}, "")


def test_edits_of_two_clones_merge_per_key():
    origin = Clone("origin")
    origin.publish("a", metadata={"x": "1", "y": "1"})
    alice, bob = Clone("alice", origin), Clone("bob", origin)
    alice.say(Edit(TARGET, {"x": "2"}))
    bob.say(Edit(TARGET, {"y": "2"}))
    assert together(alice, bob).view.metadata(A)[0] == together(bob, alice).view.metadata(A)[0] == {"x": "2", "y": "2"}


def test_publishing_again_does_not_take_an_edit_back():
    alice = Clone("alice")
    alice.publish("a", metadata={"x": "1"})
    alice.say(Edit(TARGET, {"x": "2"}))
    alice.publish("a", metadata={"x": "3"})
    assert alice.view.metadata(A)[0] == {"x": "2"}


def test_an_undone_edit_counts_as_never_made():
    alice = Clone("alice")
    alice.publish("a", metadata={"x": "1"})
    alice.undo(alice.say(Edit(TARGET, {"x": "2"}, description="new")))
    assert alice.view.metadata(A) == ({"x": "1"}, "")


def test_a_tag_added_and_taken_back_is_gone():
    alice = Clone("alice")
    alice.tag(TARGET, "good")
    alice.tag(TARGET, "fast")
    alice.untag(TARGET, "good")
    assert alice.view.tags(A) == ("fast",)


def test_a_tag_added_apart_from_its_removal_stays():
    origin = Clone("origin")
    origin.tag(TARGET, "good")
    alice, bob = Clone("alice", origin), Clone("bob", origin)
    alice.untag(TARGET, "good")
    bob.tag(TARGET, "good")
    assert together(alice, bob).view.tags(A) == together(bob, alice).view.tags(A) == ("good",)


def test_tags_of_versions_collections_and_runs_do_not_mix():
    alice = Clone("alice")
    alice.tag(TARGET, "version")
    alice.tag(("collection", MODEL), "collection")
    alice.tag(("run", run_id("a")), "run")
    assert alice.view.tags(A) == ("version",)
    assert alice.view.taggings_to_remove(("collection", MODEL), "version") == ()
    assert len(alice.view.taggings_to_remove(("run", run_id("a")), "run")) == 1


def test_the_first_type_in_fold_order_is_in_force_and_others_show_as_a_clash():
    alice, bob = Clone("alice"), Clone("bob")
    alice.say(Collection(MODEL, "model"))
    bob.say(Collection(MODEL, "dataset"))
    assert together(alice, bob).view.collection(MODEL).types == ("model", "dataset")
    assert together(alice, bob).view.collection(MODEL).type == "model"
    assert together(bob, alice).view.collection(MODEL).type == "dataset"


def test_when_the_first_type_is_undone_the_next_is_in_force():
    alice = Clone("alice")
    said = alice.say(Collection(MODEL, "model"))
    alice.say(Collection(MODEL, "dataset"))
    alice.undo(said)
    assert alice.view.collection(MODEL).types == ("dataset",)


def test_collections_whose_names_differ_in_letter_case_are_both_kept():
    alice, bob = Clone("alice"), Clone("bob")
    alice.publish("a", "p/Model")
    bob.publish("a", "p/model")
    assert [c.name for c in together(alice, bob).view.collections("p")] == ["p/Model", "p/model"]


def test_a_collection_that_was_only_made_is_listed_and_deleted_is_not():
    alice = Clone("alice")
    alice.say(Collection(MODEL, "model"))
    assert [c.name for c in alice.view.collections()] == [MODEL]
    alice.delete_collection(MODEL)
    assert list(alice.view.collections()) == []
    assert alice.view.collection(MODEL) is None


def test_a_collection_made_apart_from_its_deletion_stays():
    origin = Clone("origin")
    origin.say(Collection(MODEL, "model"))
    alice, bob = Clone("alice", origin), Clone("bob", origin)
    alice.delete_collection(MODEL)
    bob.say(Collection(MODEL, "model"))
    assert together(alice, bob).view.collection(MODEL).type == "model"


def test_collections_are_listed_by_project():
    alice = Clone("alice")
    alice.publish("a")
    alice.publish("a", OTHER)
    alice.publish("a", "q/model")
    alice.link(A)
    assert [c.name for c in alice.view.collections("p")] == [MODEL, OTHER]
    assert [c.name for c in alice.view.collections("registry:model")] == [REGISTRY]
    assert alice.view.collection("q/none") is None


def test_the_first_project_named_in_the_journal_counts():
    alice = Clone("alice")
    assert alice.view.project() is None
    named = alice.say(Project("p"))
    alice.say(Project("q"))
    assert alice.view.project() == "p"
    alice.undo(named)
    assert alice.view.project() == "q"


def test_a_redirect_makes_a_new_name_of_an_old_collection():
    alice = Clone("alice")
    alice.publish("a")
    said = alice.say(Redirect("p/new", MODEL))
    assert alice.view.resolve("p/new") == MODEL
    assert alice.view.resolve(MODEL) == MODEL
    assert alice.numbers(MODEL) == {0: A}
    alice.undo(said)
    assert alice.view.resolve("p/new") == "p/new"


def test_redirects_chain():
    alice = Clone("alice")
    alice.publish("a")
    alice.say(Redirect("p/new", MODEL))
    alice.say(Redirect("p/newer", "p/new"))
    assert alice.view.resolve("p/newer") == MODEL


def test_a_redirect_onto_a_name_with_versions_resolves_nothing():
    alice = Clone("alice")
    alice.publish("a")
    alice.publish("b", OTHER)
    alice.say(Redirect(OTHER, MODEL))
    assert alice.view.resolve(OTHER) == OTHER


def test_redirects_in_a_loop_resolve_nothing():
    alice = Clone("alice")
    alice.say(Redirect("p/x", "p/y"))
    alice.say(Redirect("p/y", "p/z"))
    alice.say(Redirect("p/z", "p/x"))
    alice.say(Redirect("p/self", "p/self"))
    for name in ("p/x", "p/y", "p/z", "p/self"):
        assert alice.view.resolve(name) == name


def test_of_two_redirects_apart_the_first_in_fold_order_counts():
    alice, bob = Clone("alice"), Clone("bob")
    alice.say(Redirect("p/new", MODEL))
    bob.say(Redirect("p/new", OTHER))
    assert together(alice, bob).view.resolve("p/new") == MODEL
    assert together(bob, alice).view.resolve("p/new") == OTHER


def test_the_last_time_to_live_in_fold_order_counts():
    alice = Clone("alice")
    alice.publish("a")
    assert ttl_ms(alice.look, A) is None
    alice.say(Ttl(A, 1_000))
    last = alice.say(Ttl(A, 5_000))
    assert ttl_ms(alice.look, A) == 5_000
    alice.undo(last)
    assert ttl_ms(alice.look, A) == 1_000
    alice.say(Ttl(A, None))
    assert ttl_ms(alice.look, A) is None
    assert ttl_ms(alice.look, B) is None
