"""The columns of all runs say what the runs themselves say, whatever happened to them; and answer questions as reading every run would."""

from __future__ import annotations

import random
import shlex
import shutil
from contextlib import contextmanager

import pytest

from mlvc.errors import UsageError
from mlvc.format.ids import RunId
from mlvc.format.operations import RunHead
from mlvc.workspace import (
    exchanging,
    registry,
    run_cells,
    run_columns,
    run_conditions,
    run_editing,
    run_questions,
    run_recording,
    run_search,
    undoing,
)
from mlvc.workspace.run_columns import RunColumns, path_of
from mlvc.workspace.workspace import Workspace

ADA, BOB = {"MLVC_USER": "Ada <ada@example.org>"}, {"MLVC_USER": "Bob <bob@example.org>"}


@pytest.fixture
def workspace(tmp_path):
    (tmp_path / "w").mkdir()
    made, _ = Workspace.create(tmp_path / "w", ADA, project="p")
    yield made
    made.close()


def run(workspace, *, finish=True, project="p", **more):
    summary = more.pop("summary", {})
    made = run_recording.begin(workspace, project=project, **more)
    if summary:
        made.log_values(0, summary)
    if finish:
        made.finish(0)
    return made


@contextmanager
def columns_of(workspace, kept=None):
    made = kept or RunColumns(workspace)
    with workspace.repository.reading() as view, made.caught_up(view) as columns:
        yield columns
    if kept is None:
        made.close()


def cells(columns):
    """What the columns say: each run's cells, in the order of runs, the newest first."""
    ids, names = columns.ids(), columns.names()
    held = {name: columns.column(name) for name in names}
    assert all(len(column) == len(ids) for column in held.values())
    return {ids[place]: {name: held[name][place] for name in names if held[name][place] is not None} for place in columns.newest_first()}


def as_columns_say(workspace, kept=None):
    with columns_of(workspace, kept) as columns:
        return cells(columns)


def as_runs_say(workspace):
    with workspace.repository.reading() as view:
        return {one.id: run_cells.of(one) for one in run_questions.list_runs(workspace, view)}


def assert_same(found, expected):
    """The same runs in the same order, but for what goes on by itself while a run is under way."""
    def still(runs):
        return [(run, {name: value for name, value in held.items() if name != "runtime_s"}) for run, held in runs.items()]

    assert still(found) == still(expected)


def names(workspace, text="", **more):
    with columns_of(workspace) as columns:
        found = run_search.search(columns, run_conditions.question(text), **more)
    with workspace.repository.reading() as view:
        return [run.name for run in found.described(workspace, view)]


@pytest.mark.parametrize("seed", range(6))
def test_columns_say_what_runs_say_after_any_deeds_of_two_clones(tmp_path, workspace, seed, monkeypatch):
    monkeypatch.setattr(run_columns, "_BLOCK", 4)  # so that there are several
    chance = random.Random(seed)
    run(workspace, name="first")
    exchanging.add_remote(workspace, "origin", str(tmp_path / "remote"))
    exchanging.push(workspace)
    other, _ = exchanging.clone(str(tmp_path / "remote"), tmp_path / "other", BOB)
    places = {one: RunColumns(one) for one in (workspace, other)}
    under_way = []
    for number in range(40):
        where = chance.choice(list(places))
        with where.repository.reading() as view:
            sealed = [one.id for one in run_questions.list_runs(where, view) if not one.is_live]
        deed = chance.choice(["record", "record", "begin", "end", "edit", "delete", "undo", "sync", "resume"])
        if deed == "record":
            run(where, name=f"run{number}", config={"lr": chance.random(), "deep": {"a": number, "b": ["x", "y"]}}, summary={"acc": chance.random()}, tags=["t"])
        elif deed == "begin":
            under_way.append(run(where, finish=False, name=f"run{number}", config={"lr": number}))
        elif deed == "end" and under_way:
            under_way.pop(0).finish(0)
        elif deed == "edit" and sealed:
            run_editing.edit(where, chance.choice(sealed), "edit", config=({"lr": number}, ("deep",)), tags=[f"t{number}"])
        elif deed == "delete" and sealed:
            registry.delete_run(where, chance.choice(sealed), "delete")
        elif deed == "resume" and sealed:
            with where.repository.reading() as view:
                label = run_questions.describe(where, view, chance.choice(sealed)).label
            resumed = run_recording.begin(where, project="p", label=label, resume="must", config={"again": number})
            (under_way.append(resumed) if chance.random() < 0.5 else resumed.finish(0))
        elif deed == "undo":
            with where.repository.reading() as view:
                made = [one.id.hex() for one in view.transactions() if not one.is_undone]
            undoing.undo(where, chance.choice(made), "undo", force=True)
        elif deed == "sync":
            exchanging.push(where)
            exchanging.pull(where)
        if chance.random() < 0.6:
            for one, kept in places.items():
                assert_same(as_columns_say(one, kept), as_runs_say(one))
    for one in under_way:
        one.finish(0)
    for one, kept in places.items():
        assert_same(as_columns_say(one, kept), as_runs_say(one))
        assert_same(as_columns_say(one), as_runs_say(one))  # as another process reads them
        kept.close()
        path_of(one).unlink()
        assert_same(as_columns_say(one), as_runs_say(one))  # made anew
    other.close()


def test_a_new_run_costs_no_look_at_the_old_ones(workspace, monkeypatch):
    for number in range(5):
        run(workspace, name=f"run{number}")
    kept = RunColumns(workspace)
    as_columns_say(workspace, kept)
    run(workspace, name="new")
    looked_at = []
    sealed = run_questions.sealed
    monkeypatch.setattr(run_questions, "sealed", lambda w, v, one: looked_at.append(one) or sealed(w, v, one))
    as_columns_say(workspace, kept)
    assert len(looked_at) == 1
    kept.close()


def test_columns_of_a_journal_that_was_replaced_are_made_anew(tmp_path, workspace):
    run(workspace, name="here")
    as_columns_say(workspace)
    (tmp_path / "v").mkdir()
    other, _ = Workspace.create(tmp_path / "v", BOB, project="p")
    run(other, name="elsewhere")
    path_of(other).parent.mkdir(exist_ok=True)
    path_of(other).write_bytes(path_of(workspace).read_bytes())
    assert names(other) == ["elsewhere"]
    other.close()


def test_a_journal_that_was_put_back_to_an_earlier_state_is_believed(tmp_path, workspace):
    run(workspace, name="first")
    shutil.copytree(workspace.repository.path / "journal", tmp_path / "backup")
    run(workspace, name="lost")
    assert names(workspace) == ["lost", "first"]
    shutil.rmtree(workspace.repository.path / "journal")
    shutil.copytree(tmp_path / "backup", workspace.repository.path / "journal")
    restored = Workspace.find(workspace.root, ADA)
    assert names(restored) == ["first"]
    restored.close()


def test_a_run_whose_pending_change_was_given_up_is_what_it_was(tmp_path, workspace):
    edited = run(workspace, name="first", config={"k": 1}).id
    exchanging.add_remote(workspace, "origin", str(tmp_path / "remote"))
    exchanging.push(workspace)
    other, _ = exchanging.clone(str(tmp_path / "remote"), tmp_path / "other", BOB)
    run_editing.edit(other, edited, "edit", config=({"k": 2}, ()))
    late = run(other, name="late").id
    assert names(other, "config.k=2") == ["first"]
    for one in other.repository.pending.ids():
        other.repository.pending.remove(one)
    assert names(other, "config.k=1") == ["first"]
    assert late not in as_columns_say(other)
    other.close()


def test_columns_stay_as_they_are_for_the_length_of_a_look(workspace):
    for number in range(3):
        run(workspace, name=f"run{number}")
    with columns_of(workspace) as columns:
        before = cells(columns)
        another = Workspace.find(workspace.root, ADA)
        run(another, name="meanwhile")
        assert "meanwhile" in names(another)
        another.close()
        assert cells(columns) == before
    assert names(workspace)[0] == "meanwhile"


def test_a_deletion_that_is_undone_brings_a_run_back(workspace):
    gone = run(workspace, name="gone").id
    kept = RunColumns(workspace)
    registry.delete_run(workspace, gone, "delete")
    assert gone not in as_columns_say(workspace, kept)
    undoing.undo(workspace, None, "undo")
    assert gone in as_columns_say(workspace, kept)
    kept.close()


def test_one_odd_run_of_a_stranger_hides_no_other(workspace):
    run(workspace, name="good")
    odd = {"name": "not json", "created_ms": '"abc"', "runtime_s": "{}", "state": "1e400"}
    with workspace.committing("stranger") as commit:
        commit.say(RunHead(RunId(bytes(16)), "p", "odd", (), odd, {"big": "9" * 5_000, "k": "[1,"}, {"inf": "1e400"}))
    assert names(workspace, order="name") == ["good", "not json"]
    assert names(workspace, order="-runtime_s")[0] == "good"
    assert names(workspace, "config.k=[1,") == ["not json"]


def test_what_a_page_of_groups_links_to_is_the_group(workspace):
    values = [1, True, "true", 1.0, "Infinity", float("inf"), "null", '"q"', "a b", "a=b", ["x"], ["x", "y"], "é", None]
    for number, value in enumerate(values):
        run(workspace, name=f"r{number}", config={"k": value})
    with columns_of(workspace) as columns:
        for group in run_search.groups(columns, run_conditions.question(""), "config.k", []):
            texts = [group.value] if not isinstance(group.value, list) else group.value
            asked = " ".join(shlex.quote(f"config.k={'' if one is None else run_cells.shown(one)}") for one in texts)
            found = run_search.search(columns, run_conditions.question(asked))
            assert found.count >= group.count, asked
            if not isinstance(group.value, list):
                assert found.count == group.count, asked


def test_infinity_is_a_number_and_nan_is_none(workspace):
    for name, value in (("low", 1.0), ("inf", float("inf")), ("nan", float("nan"))):
        run(workspace, name=name, summary={"loss": value})
    assert names(workspace, "summary.loss>5") == ["inf"]
    assert names(workspace, "summary.loss=NaN") == ["nan"]
    assert names(workspace, order="-summary.loss") == ["inf", "low", "nan"]


def test_runs_are_found_by_id_and_by_being_under_way(workspace):
    ended = run(workspace, name="ended")
    live = run(workspace, name="live", finish=False)
    assert names(workspace, f"id={ended.id.hex()}") == ["ended"]
    assert names(workspace, "is_live=true") == ["live"]
    live.finish(0)


def test_damaged_columns_are_made_anew(workspace):
    run(workspace, name="a")
    as_columns_say(workspace)
    path_of(workspace).write_bytes(b"no database" * 1_000)
    assert names(workspace) == ["a"]


def test_runs_are_filtered_by_conditions_and_words(workspace):
    for number in range(6):
        run(
            workspace, name=f"brisk-{number}", tags=["best"] if number == 3 else [], config={"lr": number / 10, "opt": {"name": "adam" if number % 2 else "sgd"}, "flag": number > 2},
            summary={"acc": number},
        )  # fmt: skip
    assert names(workspace, "config.lr>0.25") == ["brisk-5", "brisk-4", "brisk-3"]
    assert names(workspace, "config.lr<=0.1 summary.acc!=0") == ["brisk-1"]
    assert names(workspace, "config.opt.name=adam") == ["brisk-5", "brisk-3", "brisk-1"], "what is nested has dots in its name"
    assert names(workspace, "config.flag=true config.lr<0.35") == ["brisk-3"]
    assert names(workspace, "tags=best") == names(workspace, "best") == ["brisk-3"]
    assert names(workspace, "BRISK isk-4") == ["brisk-4"]
    assert names(workspace, "config.none=") == [f"brisk-{number}" for number in reversed(range(6))], "what nobody has"
    with pytest.raises(UsageError, match="is no filter"):
        names(workspace, "config.lr>")
    with pytest.raises(UsageError, match="cannot be read"):
        names(workspace, "name='half")


def test_runs_are_sorted_numbers_first_and_what_has_nothing_last(workspace):
    for name, value in (("low", 1), ("text", "x"), ("high", 2.5), ("none", None), ("nan", float("nan")), ("low2", 1)):
        run(workspace, name=name, config={} if value is None else {"k": value})
    assert names(workspace, order="config.k") == ["low2", "low", "high", "text", "nan", "none"]
    assert names(workspace, order="-config.k") == ["high", "low2", "low", "text", "nan", "none"]
    assert names(workspace, order="config.k", start=1, count=2) == ["low", "high"]
    assert names(workspace, order="nobody.has") == ["low2", "nan", "none", "high", "text", "low"]


def test_the_first_of_many_are_the_first_of_all(workspace, monkeypatch):
    for number in (3, 1, 4, 1, 5, 9, 2, 6):
        run(workspace, name=f"n{number}", config={"k": number})
    for order in ("config.k", "-config.k"):
        whole = names(workspace, order=order)
        monkeypatch.setattr(run_search, "_SORTED_WHOLE", 0)
        assert names(workspace, order=order, count=3) == whole[:3]
        monkeypatch.undo()


def test_groups_tell_how_many_and_the_means(workspace):
    for number in range(5):
        run(workspace, name=f"r{number}", config={"opt": "adam" if number % 2 else "sgd"} if number else {}, summary={"acc": number})
    with columns_of(workspace) as columns:
        found = run_search.groups(columns, run_conditions.question(""), "config.opt", ["summary.acc", "summary.none"])
    assert [(one.value, one.count, one.means) for one in found] == [
        ("adam", 2, {"summary.acc": 2.0}), ("sgd", 2, {"summary.acc": 3.0}), (None, 1, {"summary.acc": 0.0}),
    ]  # fmt: skip


def test_runs_of_a_project_are_apart(workspace):
    run(workspace, name="mine")
    run(workspace, name="theirs", project="q")
    assert names(workspace, project="q") == ["theirs"]
    assert names(workspace) == ["theirs", "mine"]


def test_odd_values_are_kept_as_they_are(workspace):
    odd = {"big": 10**30, "é ü": True, "list": ["a", "b"], "lists": [[1]], "none": None, "": 1}
    run(workspace, name="odd", config=odd)
    found = next(iter(as_columns_say(workspace).values()))
    assert found["config.big"] == 1e30
    assert found["config.list"] == ["a", "b"]
    assert found["config.é ü"] is True
    assert "config.lists" not in found
