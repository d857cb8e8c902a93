"""Undo and redo, of the journal and of the lock file."""

import pytest

from mlvc.errors import ConflictError, NotFoundError
from mlvc.format.transaction import Transaction
from mlvc.repository.commit import make_envelope
from mlvc.workspace import exchanging, pinning, registry, undoing


def ids(tree):
    return [t.id.hex() for t in tree.view.transactions()]


def test_undoing_an_add_takes_version_and_pin_back(tree):
    tree.version("x.csv", "a")
    tree.version("x.csv", "b")

    done = tree.undo()

    assert (done.transaction.command, done.pins_restored) == ("mlvc add x.csv", ("x.csv",))
    assert tree.pins() == {"x.csv": "x:v0"}
    assert tree.view.latest("demo/x").label == "v0"
    assert tree.read("x.csv") == b"b", "files are the user's"
    assert tree.changes() == [("modified", "x.csv")]


def test_undoing_the_first_add_unpins(tree):
    tree.version("x.csv", "a")

    assert tree.undo().pins_restored == ("x.csv",)
    assert tree.pins() == {}


def test_undo_after_undo_goes_further_back_and_ends(tree):
    for content in ("a", "b"):
        tree.version("x.csv", content)

    tree.undo()
    tree.undo()

    assert tree.pins() == {}
    with pytest.raises(NotFoundError, match="nothing to undo"):
        tree.undo()


def test_undoing_an_undo_is_a_redo_pins_included(tree):
    tree.version("x.csv", "a")
    added = tree.version("x.csv", "b")
    tree.undo()

    done = tree.undo(ids(tree)[0])

    assert done.pins_restored == ("x.csv",)
    assert tree.pins() == {"x.csv": "x:v1"}
    assert tree.view.latest("demo/x") == added.member
    assert tree.changes() == []


def test_numbers_stay_used(tree):
    tree.version("x.csv", "a")
    tree.undo()

    assert tree.label(tree.version("x.csv", "b")) == "x:v1"


def test_a_pin_that_moved_on_stays(tree):
    tree.version("x.csv", "a")
    tree.version("x.csv", "b")
    second = ids(tree)[0]
    tree.version("x.csv", "c")

    assert tree.undo(second).pins_restored == ()
    assert tree.pins() == {"x.csv": "x:v2"}


def test_a_pin_goes_back_also_when_its_version_lives_on(tree):
    """Content added again is one version with two publications; undoing the second is not the version's end."""
    tree.version("x.csv", "a")
    tree.version("x.csv", "b")
    tree.version("x.csv", "a")

    assert tree.undo().pins_restored == ("x.csv",)
    assert tree.pins() == {"x.csv": "x:v1"}


def test_other_pins_stay_as_they_are(tree):
    tree.version("x.csv", "a")
    first = ids(tree)[0]
    tree.version("y.csv", "a")

    tree.undo(first)

    assert tree.pins() == {"y.csv": "y:v0"}


def test_a_change_that_is_no_add_is_undone_without_pins(tree):
    tree.version("x.csv", "a")
    registry.set_aliases(tree.workspace, "x:v0", ["best"], "mlvc alias set")

    assert tree.undo().pins_restored == ()
    assert list(tree.view.aliases("demo/x")) == ["latest"]


def test_a_transaction_that_only_joins_heads_is_nothing_to_undo(tree):
    tree.version("x.csv", "a")
    heads = tree.view.heads()
    tree.workspace.repository.record([make_envelope(Transaction(b"n" * 16, "Ada", 0, "join heads", heads, ()))])

    assert tree.undo().transaction.command == "mlvc add x.csv"


def test_an_undo_is_known_by_what_it_says_not_by_its_command(tree):
    tree.version("x.csv", "a")
    tree.version("x.csv", "b")
    undoing.undo(tree.workspace, None, "python notebook.py")

    assert tree.undo().transaction.id.hex() == ids(tree)[-1]


def test_an_unknown_ambiguous_or_undone_change_is_refused(tree):
    tree.version("x.csv", "a")
    tree.version("x.csv", "b")
    undone = ids(tree)[0]
    tree.undo()

    with pytest.raises(NotFoundError):
        tree.undo("f" * 64)
    with pytest.raises(ConflictError, match="fits 3 changes"):
        tree.undo("")
    with pytest.raises(ConflictError, match="undone already"):
        tree.undo(undone)


def test_what_was_pushed_is_undone_only_when_forced(tree, tmp_path):
    tree.version("x.csv", "a")
    exchanging.add_remote(tree.workspace, "origin", str(tmp_path / "remote"))
    exchanging.push(tree.workspace)

    with pytest.raises(ConflictError, match="was pushed"):
        tree.undo()
    assert tree.pins() == {"x.csv": "x:v0"}
    assert undoing.is_pushed(tree.workspace, tree.undo(force=True).transaction.id)
    assert tree.pins() == {}


def test_a_pin_taken_out_is_not_brought_back(tree):
    tree.version("x.csv", "a")
    tree.version("x.csv", "b")
    pinning.remove_pin(tree.workspace, tree.root / "x.csv")

    assert tree.undo().pins_restored == ()
    assert tree.pins() == {}
