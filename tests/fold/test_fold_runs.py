"""Runs and lineage (DESIGN 3.5, 3.9; RULES D2)."""

import pytest
from fold_clones import Clone, first, run_id, together, version

from mlvc.format.ids import digest
from mlvc.format.operations import Edge, RunHead

A, B = version("a"), version("b")
RUN = run_id("train")


@pytest.fixture
def origin():
    made = Clone("origin")
    made.publish("a")
    made.head(RUN, config={"lr": "1", "epochs": "3"}, summary={"loss": "9"}, facts={"state": '"running"'})
    return made


def test_a_run_is_known_from_its_first_head(origin):
    run = origin.view.run(RUN)
    assert (run.project, run.label) == ("p", "label")
    assert run.config == {"lr": "1", "epochs": "3"}
    assert [r.id for r in origin.view.runs("p")] == [RUN]
    assert origin.view.runs_by_label("p", "label") == [RUN]
    assert origin.view.run(run_id("other")) is None


def test_a_later_head_holds_only_what_changed(origin):
    origin.head(RUN, config={"lr": "2"}, summary={"accuracy": "1"})
    run = origin.view.run(RUN)
    assert run.config == {"lr": "2", "epochs": "3"}
    assert run.summary == {"loss": "9", "accuracy": "1"}
    assert len(run.heads) == 1


def test_config_and_summary_merge_per_key(origin):
    alice, bob = Clone("alice", origin), Clone("bob", origin)
    alice.head(RUN, config={"lr": "2"}, summary={"loss": "5"})
    bob.head(RUN, config={"epochs": "7"}, summary={"f1": "1"})
    for merged in (together(alice, bob), together(bob, alice)):
        assert merged.view.run(RUN).config == {"lr": "2", "epochs": "7"}
        assert merged.view.run(RUN).summary == {"loss": "5", "f1": "1"}


def test_of_one_key_set_apart_the_last_in_fold_order_shows(origin):
    alice, bob = Clone("alice", origin), Clone("bob", origin)
    alice.head(RUN, config={"lr": "2"})
    bob.head(RUN, config={"lr": "3"})
    assert together(alice, bob).view.run(RUN).config["lr"] == "3"
    assert together(bob, alice).view.run(RUN).config["lr"] == "2"


def test_a_run_resumed_on_two_clones_has_two_heads(origin):
    alice, bob = Clone("alice", origin), Clone("bob", origin)
    one, two = alice.head(RUN, summary={"x": "1"}), bob.head(RUN, summary={"y": "2"})
    assert together(alice, bob).view.run(RUN).heads == (first(one), first(two))


def test_a_head_that_saw_both_joins_them(origin):
    alice, bob = Clone("alice", origin), Clone("bob", origin)
    alice.head(RUN, summary={"x": "1"})
    bob.head(RUN, summary={"y": "2"})
    merged = together(alice, bob)
    joined = merged.head(RUN)
    assert merged.view.run(RUN).heads == (first(joined),)
    assert merged.view.run(RUN).summary == {"loss": "9", "x": "1", "y": "2"}


def test_a_removed_key_is_gone_until_set_again(origin):
    origin.head(RUN, removed=("config.lr", "summary.loss"))
    assert origin.view.run(RUN).config == {"epochs": "3"}
    assert origin.view.run(RUN).summary == {}
    origin.head(RUN, config={"lr": "5"})
    assert origin.view.run(RUN).config == {"lr": "5", "epochs": "3"}


def test_a_removed_key_may_hold_dots(origin):
    origin.head(RUN, config={"model.depth": "3"})
    origin.head(RUN, removed=("config.model.depth",))
    assert "model.depth" not in origin.view.run(RUN).config


def test_tags_of_a_run_are_those_of_the_last_head_that_gives_any(origin):
    origin.head(RUN, tags=("b", "a"))
    origin.head(RUN, summary={"x": "1"})
    assert origin.view.run(RUN).tags == ("a", "b")
    origin.head(RUN, tags=())
    assert origin.view.run(RUN).tags == ()


def test_tags_that_two_clones_give_a_run_apart_merge(origin):
    """D2: 'config, summary and tags merge'; DESIGN 3.9: 'tags are add/remove sets'."""
    origin.head(RUN, tags=("base", "old"))
    alice, bob = Clone("alice", origin), Clone("bob", origin)
    alice.head(RUN, tags=("base", "old", "x"))
    bob.head(RUN, tags=("base", "y"))
    for merged in (together(alice, bob), together(bob, alice)):
        assert merged.view.run(RUN).tags == ("base", "x", "y")


def test_files_of_a_run_are_named_by_digest(origin):
    """A run that was resumed has the files of each segment, in order: none takes another's place."""
    origin.head(RUN, files={"history": (digest(b"1"), 1, None)})
    origin.head(RUN, files={"history": (digest(b"2"), 2, digest(b"3"))})
    assert origin.view.run(RUN).segments == (
        {"history": (digest(b"1"), 1, None)},
        {"history": (digest(b"2"), 2, digest(b"3"))},
    )


def test_the_same_label_on_two_clones_is_two_runs():
    alice, bob = Clone("alice"), Clone("bob")
    alice.head(run_id("one"))
    bob.head(run_id("two"))
    merged = together(alice, bob)
    assert sorted(merged.view.runs_by_label("p", "label")) == sorted([run_id("one"), run_id("two")])


def test_a_run_is_found_by_its_present_name_only(origin):
    origin.head(RUN, facts={"name": '"brisk-harbor-7"'})
    assert origin.view.runs_by_name("p", "brisk-harbor-7") == [RUN]
    origin.head(RUN, facts={"name": '"calm-sea-8"'})
    assert origin.view.runs_by_name("p", "brisk-harbor-7") == []
    assert origin.view.runs_by_name("p", "calm-sea-8") == [RUN]


def test_runs_are_listed_the_newest_first(origin):
    origin.head(run_id("later"))
    assert [r.id for r in origin.view.runs("p")] == [run_id("later"), RUN]
    assert [r.id for r in origin.view.runs()] == [run_id("later"), RUN]


def test_a_deleted_run_is_unknown_and_what_it_published_stays(origin):
    origin.publish("b", run=RUN)
    origin.delete_run(RUN)
    assert origin.view.run(RUN) is None
    assert list(origin.view.runs("p")) == []
    assert origin.view.runs_by_label("p", "label") == []
    assert origin.view.is_alive(B)
    assert origin.view.producers(B) == [RUN]


def test_a_run_delete_names_the_heads_its_author_saw_and_no_other(origin):
    alice, bob = Clone("alice", origin), Clone("bob", origin)
    alice.delete_run(RUN)
    bob.head(RUN, config={"lr": "2"})
    for merged in (together(alice, bob), together(bob, alice)):
        assert merged.view.run(RUN).config == {"lr": "2"}


def test_a_run_used_what_it_used_in_order(origin):
    origin.publish("b")
    origin.say(Edge(RUN, B, "model:v1", "base"), Edge(RUN, A, "model:v0"))
    assert [(u.version, u.name, u.use_as) for u in origin.view.inputs(RUN)] == [(B, "model:v1", "base"), (A, "model:v0", "")]
    assert origin.view.users(B) == [RUN]


def test_a_run_that_used_a_version_twice_is_one_user(origin):
    origin.use(RUN, A, "model:v0")
    origin.use(RUN, A, "model:best")
    assert origin.view.users(A) == [RUN]
    assert len(origin.view.inputs(RUN)) == 2


def test_edges_outlive_the_version_they_name(origin):
    origin.use(RUN, A)
    origin.delete(A)
    assert origin.view.users(A) == [RUN]
    assert [u.version for u in origin.view.inputs(RUN)] == [A]


def test_edges_of_two_clones_are_both_kept(origin):
    alice, bob = Clone("alice", origin), Clone("bob", origin)
    for clone, name in ((alice, "one"), (bob, "two")):
        clone.head(run_id(name))
        clone.use(run_id(name), A)
    assert together(alice, bob).view.users(A) == [run_id("one"), run_id("two")]


def test_the_first_transaction_of_a_run_carries_head_and_edge_together():
    alice = Clone("alice")
    alice.say(RunHead(RUN, "p", "label"), Edge(RUN, A))
    assert alice.view.run(RUN) is not None
    assert alice.view.users(A) == [RUN]
