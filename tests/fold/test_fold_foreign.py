"""A known operation that does not fit is a conflict, never an error (DESIGN 3.10): what odd or hostile journals hold."""

import itertools

import pytest
from fold_clones import MODEL, REGISTRY, Clone, first, run_id, version

from mlvc.errors import Error
from mlvc.fold import folding
from mlvc.fold.folding import Arrival
from mlvc.format import canonical, operations, record
from mlvc.format.ids import TransactionId
from mlvc.format.operations import (
    Collection,
    Delete,
    Edge,
    Edit,
    Link,
    Move,
    Protect,
    Publish,
    Redirect,
    TagAdd,
    TagRemove,
    Ttl,
    Undo,
    Unlink,
)
from mlvc.format.record import Kind

A, B = version("a"), version("b")
NOBODY = TransactionId(bytes(32))


@pytest.mark.parametrize(
    "operation",
    [
        Undo(NOBODY),
        Delete(("version", B), (first(NOBODY),)),
        Delete(("collection", "p/none"), (first(NOBODY),)),
        Delete(("run", bytes(16)), (first(NOBODY),)),
        Unlink(REGISTRY, B, (first(NOBODY),)),
        Link(REGISTRY, B),
        Move(MODEL, "prod", B, (first(NOBODY),), (first(NOBODY),)),
        Move(MODEL, "v3", A),
        Move(MODEL, "a/b", A),
        Move(MODEL, "", A),
        TagAdd(("version", B), "x"),
        TagRemove(("version", B), "x", (first(NOBODY),)),
        Edit(("version", B), {"x": "1"}, ("y",), "z"),
        Edge(run_id("nobody"), B),
        Redirect("p/new", "p/none"),
        Redirect("", ""),
        Redirect("nothing", "p"),
        Ttl(B, -1),
        Protect("p/none", "prod", ()),
        Collection("model", "x"),
        Collection("/model", "x"),
        Collection("p/../model", "x"),
        Collection("run/model", "x"),
        Publish("p/..", version("a")),
        Publish("p:q/model", version("a")),
        Publish("model-registry/model", version("a")),
    ],
    ids=lambda o: f"{o.kind} {str(o)[:40]}",
)
def test_an_operation_that_fits_nothing_leaves_everything_else_as_it_is(operation):
    alice = Clone("alice")
    alice.publish("a")
    alice.move("best", A)
    alice.say(operation)
    assert alice.numbers() == {0: A}
    assert alice.in_force("best") == A
    assert alice.in_force("prod") is None
    assert alice.latest() == A
    assert [c.name for c in alice.view.collections("p")] == [MODEL]
    assert alice.conflicts() == []


def test_a_delete_that_names_another_versions_facts_leaves_that_one_consistent():
    """Either it is dead in every answer or alive in every answer, and stays so."""
    alice = Clone("alice")
    published = alice.publish("b")
    alice.publish("a")
    alice.say(Delete(("version", A), (first(published),)))
    answers = [alice.view.is_alive(B), B in alice.numbers().values(), bool(alice.view.facts_to_delete(B))]
    alice.link(B)
    alice.unlink(B)
    answers.append(alice.view.is_alive(B))
    assert len(set(answers)) == 1


@pytest.mark.parametrize("kind", ["delete a run", "untag", "unlink"])
def test_an_operation_about_one_thing_never_deletes_a_publication_of_another(kind):
    alice = Clone("alice")
    published = first(alice.publish("a"))
    alice.say(
        {
            "delete a run": Delete(("run", run_id("x")), (published,)),
            "untag": TagRemove(("run", run_id("x")), "x", (published,)),
            "unlink": Unlink(REGISTRY, A, (published,)),
        }[kind]
    )
    assert alice.view.is_alive(A)
    assert alice.latest() == A
    alice.link(A)
    alice.unlink(A)
    assert alice.view.is_alive(A)


def test_a_tag_in_two_collections_facts_are_not_taken_for_another():
    alice = Clone("alice")
    tagged = alice.tag(("version", A), "good")
    alice.say(TagRemove(("version", B), "other", (first(tagged),)))
    assert alice.view.tags(A) in ((), ("good",))
    assert alice.view.tags(B) == ()


SAMPLES = {
    "publish": {"collection": MODEL, "manifest": bytes(32), "metadata": {}, "deletes_seen": []},
    "link": {"collection": REGISTRY, "version": bytes(32)},
    "unlink": {"collection": REGISTRY, "version": bytes(32), "names": []},
    "move": {"collection": MODEL, "alias": "x", "version": bytes(32), "saw": []},
    "tag_add": {"target": ["version", bytes(32)], "tag": "x"},
    "tag_remove": {"target": ["version", bytes(32)], "tag": "x", "names": []},
    "edit": {"target": ["version", bytes(32)], "set": {}, "remove": []},
    "run_head": {"run": bytes(16), "project": "p", "label": "l", "saw": [], "config": {}, "files": {}},
    "edge": {"run": bytes(16), "version": bytes(32), "name": ""},
    "delete": {"target": ["version", bytes(32)], "names": []},
    "undo": {"transaction": bytes(32)},
    "redirect": {"name": "p/x", "to": "p/y"},
    "ttl": {"version": bytes(32), "ttl_ms": 1},
    "protect": {"collection": MODEL, "alias": "x", "keys": ["k"]},
    "fold_rules": {"version": 1},
    "collection": {"collection": MODEL, "type": "x"},
    "project": {"name": "p"},
}


WRONG = (None, -1, 7, "text", b"\x00", [], [1], [[]], ["version"], {}, {"a": 1}, True)


def test_the_samples_are_all_kinds_of_operations():
    assert {kind.kind for kind in operations.Operation.__subclasses__()} == set(SAMPLES)


@pytest.mark.parametrize("kind", SAMPLES)
def test_an_operation_with_a_part_of_the_wrong_shape_is_damage_or_harmless_and_never_crashes(kind):
    """One malformed transaction in a shared journal must not make every clone unusable with a traceback."""
    crashes = []
    for part, wrong in itertools.product(SAMPLES[kind], WRONG):
        alice = Clone("alice")
        alice.publish("a")
        said = {"nonce": bytes(16), "who": "", "when": 0, "command": "", "after": [], "needs": []}
        said["operations"] = [[kind, SAMPLES[kind] | {part: wrong}]]
        arrival = Arrival(record.frame(Kind.TRANSACTION, canonical.encode(said)))
        try:
            alice.look.apply(folding.fold(arrival, alice.look))
            view = alice.view
            list(view.collections())
            list(view.runs())
            view.tags(A), view.metadata(A), view.conflicts(), view.aliases(MODEL), view.project()
            assert view.is_alive(A)
        except Error:
            continue
        except Exception as error:
            crashes.append(f"{part}={wrong!r}: {type(error).__name__}: {error}")
    assert crashes == []
