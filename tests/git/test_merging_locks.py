"""Merging `mlvc.lock`: what both sides may do at once, what a person reads where they may not, and taking one side of it."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlvc.errors import ConflictError
from mlvc.format.ids import ID_SIZE, VersionId
from mlvc.working_tree import lock_file, lock_merge, placed_pins
from mlvc.working_tree.lock_file import WHOLE, Pin

# -- what must hold of any three lock files -----------------------------------------------------------------------------

FLAT = ("a", "b", "c.bin", "d e", "line\nend", "tab\tbed", "cr\rlf", "#hash", "\\#x", "=======", "<<<<<<< ours", "模型", "é\u2028x")
NESTED = (*FLAT, "a/x", "a/y", "a/x/deep", "b/x", "模型/1")


def within(one: str, other: str) -> bool:
    return one.startswith(f"{other}/") or other.startswith(f"{one}/")


def sides(paths=NESTED):
    """Lock files as they can be: no pinned path lies within another."""

    def apart(found: dict[str, int]) -> dict[str, Pin]:
        kept: dict[str, Pin] = {}
        for path, number in found.items():
            if not any(within(path, other) for other in kept):
                kept[path] = Pin(path, VersionId(bytes([number]) * ID_SIZE), f"project/c{number}", WHOLE if number % 2 else "entry\tx")
        return kept

    return st.dictionaries(st.sampled_from(paths), st.integers(0, 3), max_size=8).map(apart)


def plain(pin: Pin) -> str:
    return f"{pin.collection}:{pin.version.hex()[:4]}"


@given(sides(), sides(), sides())
def test_each_path_is_what_one_side_made_it_or_in_conflict(base, ours, theirs):
    merged = lock_merge.merge(base, ours, theirs)
    torn = {one.path for one in merged.conflicts}
    for path in {**base, **ours, **theirs}:
        old, mine, other = base.get(path), ours.get(path), theirs.get(path)
        if path in torn:
            assert path not in merged.pins
            assert mine != other or any(within(path, near) for near in torn), "both agree, and nothing lies within it or around"
        elif mine == other:
            assert merged.pins.get(path) == mine
        else:
            assert old in (mine, other), "both changed it, differently: that is a conflict"
            assert merged.pins.get(path) == (other if mine == old else mine)
    assert merged.pins.keys() <= {**base, **ours, **theirs}.keys()


@given(sides(), sides(), sides())
def test_which_side_is_called_ours_changes_nothing_but_the_names(base, ours, theirs):
    one, other = lock_merge.merge(base, ours, theirs), lock_merge.merge(base, theirs, ours)
    assert one.pins == other.pins
    assert [(c.path, c.ours, c.base, c.theirs) for c in one.conflicts] == [(c.path, c.theirs, c.base, c.ours) for c in other.conflicts]


@given(sides(), sides(), sides())
def test_no_merge_leaves_a_pin_within_another_one(base, ours, theirs):
    pins = list(lock_merge.merge(base, ours, theirs).pins)
    assert not [(one, other) for one in pins for other in pins if within(one, other)]


@given(sides(), sides(), sides())
def test_a_pin_of_either_side_goes_only_where_the_other_side_changed_it(base, ours, theirs):
    merged = lock_merge.merge(base, ours, theirs)
    torn = {one.path: one for one in merged.conflicts}
    for mine, other, name in ((ours, theirs, "ours"), (theirs, ours, "theirs")):
        for path, pin in mine.items():
            if path in torn:
                assert torn[path].side(name) == pin
            elif merged.pins.get(path) != pin:
                assert base.get(path) == pin and other.get(path) != pin


@given(sides(), sides(), sides())
def test_merging_again_changes_nothing(base, ours, theirs):
    assert lock_merge.merge(ours, ours, ours) == lock_merge.Merged(ours, ())
    assert lock_merge.merge(base, ours, ours) == lock_merge.Merged(ours, ())
    merged = lock_merge.merge(base, ours, theirs)
    if not merged.conflicts:
        assert lock_merge.merge(base, merged.pins, theirs) == merged
        assert lock_merge.merge(base, ours, merged.pins) == merged


@given(sides(), sides(), sides(), st.integers(7, 12))
def test_a_conflict_is_read_back_as_it_was_written_and_no_reader_takes_it_for_a_lock_file(base, ours, theirs, size):
    merged = lock_merge.merge(base, ours, theirs)
    text = lock_merge.render(merged, plain, names=("HEAD", "a branch"), size=size)
    assert lock_merge.parse(text, "mlvc.lock") == merged
    if merged.conflicts:
        with pytest.raises(ConflictError, match="conflict markers of a Git merge") as said:
            lock_file.parse(text, "mlvc.lock")
        assert "mlvc resolve" in said.value.hint
    else:
        assert lock_file.parse(text, "mlvc.lock") == merged.pins


@given(sides(), sides(), sides())
def test_a_person_reads_what_each_side_of_a_conflict_is_in_the_lines_above_it(base, ours, theirs):
    merged = lock_merge.merge(base, ours, theirs)
    lines = lock_merge.render(merged, plain).split("\n")
    for one in merged.conflicts:
        for pin in (one.ours, one.base, one.theirs):
            said = f"# {lock_file.escape(one.path)}: {'not pinned' if pin is None else plain(pin)}"
            assert said in lines
            assert pin is None or lock_file.line(pin) == lines[lines.index(said) + 1] + "\n"
    assert sum(line.startswith("<<<<<<< ours") and "\t" not in line for line in lines) == len(merged.conflicts)


@settings(max_examples=40, deadline=None)
@given(sides(FLAT), sides(FLAT), sides(FLAT))
def test_a_merge_as_text_with_the_base_in_it_means_what_mlvc_s_own_merge_says(base, ours, theirs):
    with tempfile.TemporaryDirectory() as folder:
        names = [os.path.join(folder, name) for name in ("ours", "base", "theirs")]
        for name, side in zip(names, (ours, base, theirs), strict=True):
            Path(name).write_bytes(lock_file.render(side).encode())
        text = subprocess.run(["git", "merge-file", "-p", "--diff3", *names], capture_output=True, check=False).stdout.decode()
    assert lock_merge.parse(text, "mlvc.lock") == lock_merge.merge(base, ours, theirs)


@given(sides(), sides())
def test_the_record_of_placed_files_is_read_as_written_and_knows_its_lock_file(pins, others):
    with tempfile.TemporaryDirectory() as folder:
        lock, record = Path(folder, "mlvc.lock"), Path(folder, "private", "mlvc-placed")
        text = lock_file.render(pins).encode()
        placed_pins.write(record, others, placed_pins.fingerprint(text))
        assert placed_pins.read(record) == others
        assert placed_pins.followed(record) == placed_pins.fingerprint(text)
        for written in (text, text.replace(b"\n", b"\r\n")):
            lock.write_bytes(written)
            assert placed_pins.is_followed(lock, record)
        lock.write_bytes(text + b"# a line more\n")
        assert not placed_pins.is_followed(lock, record)
        placed_pins.write(record, others, "")
        lock.write_bytes(text)
        assert not placed_pins.is_followed(lock, record)


@given(st.binary(max_size=200))
def test_a_damaged_record_says_nothing_is_known_and_never_that_all_is_done(data):
    with tempfile.TemporaryDirectory() as folder:
        lock, record = Path(folder, "mlvc.lock"), Path(folder, "mlvc-placed")
        assert placed_pins.read(record) == {} and placed_pins.is_followed(lock, record), "no lock file and no record: nothing to do"
        lock.write_text(lock_file.render({}))
        assert not placed_pins.is_followed(lock, record)
        record.write_bytes(data)
        assert placed_pins.read(record) == {}
        assert not placed_pins.is_followed(lock, record)


# -- what Git does with it ----------------------------------------------------------------------------------------------


_made: list[tuple[type, Path]] = []


@pytest.fixture
def torn(request, tmp_path, tmp_path_factory, environment):
    """Two branches that pin `model.bin` and `data` differently; `main` is checked out. Made once, and copied."""
    if _made:
        kind, original = _made[0]
        shutil.copytree(original, tmp_path / "project", symlinks=True)
        copied = kind(tmp_path / "project", environment)
        copied.git("status", "--short")  # Git looks at the files anew
        return copied
    project = request.getfixturevalue("project")
    pin(project, "one\n", "a\n")
    project.commit("base")
    project.git("switch", "-q", "-c", "feature")
    pin(project, "theirs\n", "a of theirs\n")
    project.commit("of feature")
    project.git("switch", "-q", "main")
    pin(project, "ours\n", "a of ours\n")
    project.commit("of main")
    _made.append((type(project), tmp_path_factory.mktemp("torn") / "project"))
    shutil.copytree(project.root, _made[0][1], symlinks=True)
    return project


def pin(project, model: str, data: str) -> None:
    project.write("model.bin", model)
    project.write("data/a.txt", data)
    project.mlvc("add", "model.bin", "data")


def files(project) -> tuple[str, str]:
    return project.read("model.bin"), project.read("data/a.txt")


BOTH = {"ours": ("ours\n", "a of ours\n"), "theirs": ("theirs\n", "a of theirs\n"), "base": ("one\n", "a\n")}


def test_branches_that_pin_different_paths_merge_cleanly_with_both_files(project):
    project.add("m.bin", "m\n")
    project.commit()
    project.git("switch", "-q", "-c", "feature")
    project.add("n.bin", "n\n")
    project.commit()
    project.git("switch", "-q", "main")
    project.add("l.bin", "l\n")
    project.add("m.bin", "m of main\n")
    project.commit()
    project.git("merge", "-q", "-m", "both", "feature")
    assert [project.read(name) for name in ("l.bin", "m.bin", "n.bin")] == ["l\n", "m of main\n", "n\n"]
    assert project.is_in_line() and project.git("status", "--short").out == ""
    assert all(project.git("check-ignore", "-q", name).code == 0 for name in ("l.bin", "m.bin", "n.bin"))


def test_a_conflict_names_both_versions_touches_no_file_and_says_what_to_run(torn):
    done = torn.git("merge", "-q", "feature", code=1)
    assert "2 paths in conflict in mlvc.lock; 'mlvc resolve' shows both sides and takes one" in done.err
    text = torn.read("mlvc.lock")
    assert "<<<<<<< ours\n# model.bin: model:v2 by Ada <ada@example.org>: mlvc add model.bin data\nmodel.bin\t" in text
    assert "||||||| base\n# model.bin: model:v0" in text and "=======\n# model.bin: model:v1" in text and ">>>>>>> theirs\n" in text
    assert files(torn) == BOTH["ours"]
    refused = torn.mlvc("status", code=None)
    assert refused.code != 0 and "conflict markers of a Git merge" in refused.err and "mlvc resolve" in refused.err
    shown = torn.mlvc("resolve", code=1).out
    assert "conflict: data\n" in shown and "theirs: model:v1 by Ada" in shown and "mlvc resolve --ours [PATH]" in shown
    listed = torn.mlvc("--json", "resolve", code=1).data["conflicts"]
    assert [one["path"] for one in listed] == ["data", "model.bin"]


@pytest.mark.parametrize("side", ["ours", "theirs", "base"])
def test_taking_one_side_writes_its_files_stages_the_lock_file_and_lets_git_commit(torn, side):
    torn.git("merge", "-q", "feature", code=1)
    torn.mlvc("resolve", f"--{side}")
    assert files(torn) == BOTH[side] and torn.is_in_line()
    assert torn.git("diff", "--name-only", "--diff-filter=U").out == ""
    torn.git("commit", "-q", "-m", "merged")
    assert torn.git("status", "--short").out == "" and files(torn) == BOTH[side]
    assert torn.git("show", "HEAD:mlvc.lock").out == torn.read("mlvc.lock")


def test_each_path_may_take_another_side(torn):
    torn.git("merge", "-q", "feature", code=1)
    left = torn.mlvc("resolve", "--theirs", "model.bin", code=1)
    assert "conflict: data" in left.out and "conflict: model.bin" not in left.out
    assert torn.git("diff", "--name-only", "--diff-filter=U").out == "mlvc.lock\n"
    torn.mlvc("resolve", "--ours", "data")
    assert files(torn) == ("theirs\n", "a of ours\n") and torn.is_in_line()
    torn.git("commit", "-q", "-m", "merged")


def test_a_path_that_is_in_no_conflict_is_refused_and_nothing_changes(torn):
    torn.git("merge", "-q", "feature", code=1)
    before = torn.read("mlvc.lock")
    assert "readme.md is in no conflict" in torn.mlvc("resolve", "--ours", "readme.md", code=None).err
    assert torn.read("mlvc.lock") == before


def test_without_a_conflict_there_is_nothing_to_resolve(torn):
    before = torn.read("mlvc.lock")
    assert "nothing is in conflict" in torn.mlvc("resolve").out
    assert torn.read("mlvc.lock") == before


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_an_edit_saved_nowhere_survives_a_conflict_and_its_end(torn, side):
    torn.write("model.bin", "my edit\n")
    torn.git("merge", "-q", "feature", code=1)
    said = torn.mlvc("resolve", f"--{side}").out
    assert torn.read("model.bin") == "my edit\n" and torn.read("data/a.txt") == BOTH[side][1]
    assert [one["path"] for one in torn.status()["pins"] if one["changes"]] == ["model.bin"]
    assert side == "ours" or "model.bin: left as it is: it was changed, and is saved nowhere" in said


STEPS = {
    "rebase": ("rebase -q feature", "rebase --continue"),
    "cherry-pick": ("cherry-pick feature", "cherry-pick --continue"),
    "merge": ("merge -q feature", "merge --continue"),
}


@pytest.mark.parametrize("how", STEPS)
@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_a_conflict_is_settled_and_git_goes_on(torn, how, side):
    begin, go_on = STEPS[how]
    torn.write("code.py", "x = 1\n")  # so that no commit becomes empty
    torn.git("add", "-A")
    torn.git("commit", "-q", "--amend", "-m", "with code")
    torn.git("switch", "-q", "feature")
    torn.write("other.py", "y = 1\n")
    torn.git("add", "-A")
    torn.git("commit", "-q", "--amend", "-m", "with other code")
    torn.git("switch", "-q", "main")
    torn.git(*begin.split(), code=1)
    torn.mlvc("resolve", f"--{side}")
    torn.git(*go_on.split(), GIT_EDITOR="true")
    mine, others = ("theirs", "ours") if how == "rebase" else ("ours", "theirs")  # a rebase puts one's own commits on top of theirs
    assert files(torn) == BOTH[mine if side == "ours" else others] and torn.is_in_line()
    assert torn.git("status", "--short").out == "" and not (torn.root / ".git" / "rebase-merge").exists()


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_a_stash_that_meets_new_pins_is_settled_like_a_merge(torn, side):
    pin(torn, "stashed\n", "a stashed\n")
    torn.git("stash", "-q")
    pin(torn, "later\n", "a later\n")
    torn.commit()
    torn.git("stash", "pop", "-q", code=1)
    torn.mlvc("resolve", f"--{side}")
    assert files(torn) == {"ours": ("later\n", "a later\n"), "theirs": ("stashed\n", "a stashed\n")}[side]
    assert torn.is_in_line()


@pytest.mark.parametrize("begin", ["merge", "rebase", "cherry-pick"])
def test_giving_up_leaves_the_files_as_before_or_behind_by_name(torn, begin):
    before = torn.read("mlvc.lock")
    torn.git(begin, "-q" if begin != "cherry-pick" else "--allow-empty", "feature", code=1)
    torn.mlvc("resolve", "--theirs", "model.bin", code=1)
    torn.mlvc("resolve", "--theirs", "data")
    torn.git(begin, "--abort")
    assert torn.read("mlvc.lock") == before
    assert torn.is_in_line() or {one["holds"] for one in torn.status()["pins"]} == {"model:v1", "data:v1"}
    torn.mlvc("checkout")
    assert files(torn) == BOTH["ours"] and torn.is_in_line()


def test_both_sides_may_add_the_same_pin(project):
    project.git("switch", "-q", "-c", "feature")
    project.add("model.bin", "same\n")
    project.commit()
    project.git("switch", "-q", "main")
    assert not (project.root / "model.bin").exists()
    project.add("model.bin", "same\n")
    project.add("other.bin", "other\n")
    project.commit()
    project.git("merge", "-q", "-m", "both", "feature")
    assert project.read("model.bin") == "same\n" and project.is_in_line()


def test_both_sides_that_add_a_path_differently_are_in_conflict(project):
    project.git("switch", "-q", "-c", "feature")
    project.add("model.bin", "theirs\n")
    project.commit()
    project.git("switch", "-q", "main")
    project.add("model.bin", "ours\n")
    project.commit()
    project.git("merge", "-q", "feature", code=1)
    assert "||||||| base\n# model.bin: not pinned\n=======" in project.read("mlvc.lock")
    project.mlvc("resolve", "--theirs")
    assert project.read("model.bin") == "theirs\n" and project.is_in_line()


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_one_side_removes_a_pin_that_the_other_changes(torn, side):
    torn.mlvc("rm", "model.bin")
    (torn.root / "model.bin").unlink()
    torn.git("commit", "-q", "-a", "-m", "no model")
    torn.git("merge", "-q", "feature", code=1)
    assert "<<<<<<< ours\n# model.bin: not pinned\n|||||||" in torn.read("mlvc.lock")
    torn.mlvc("resolve", f"--{side}")
    assert torn.read("data/a.txt") == BOTH[side][1] and torn.is_in_line()
    assert (torn.root / "model.bin").exists() == (side == "theirs")
    assert [one["path"] for one in torn.status()["pins"]] == (["data"] if side == "ours" else ["data", "model.bin"])


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_a_pin_within_a_folder_that_the_other_side_pins_is_a_conflict(nested, side):
    done = nested.git("merge", "-q", "feature", code=1)
    assert "2 paths in conflict" in done.err
    assert [one["path"] for one in nested.mlvc("--json", "resolve", code=1).data["conflicts"]] == ["data", "data/y.bin"]
    nested.mlvc("resolve", f"--{side}")
    assert [one["path"] for one in nested.status()["pins"]] == (["data/y.bin"] if side == "ours" else ["data"])
    assert (nested.root / "data" / "y.bin").exists() == (side == "ours"), "what is saved, and not pinned any more, goes"
    assert (nested.root / "data" / "x.bin").exists() == (side == "theirs")


def test_the_driver_works_in_worktrees_and_from_folders_within(torn, tmp_path):
    torn.git("worktree", "add", "-q", "--detach", str(tmp_path / "beside"), "main")
    (tmp_path / "beside" / "sub").mkdir()
    beside = torn.at(tmp_path / "beside")
    beside.run("git", "merge", "-q", "feature", code=1, cwd=tmp_path / "beside" / "sub")
    assert "# model.bin: model:v2 by Ada" in beside.read("mlvc.lock")
    assert files(torn) == BOTH["ours"] and torn.is_in_line()
    beside.mlvc("resolve", "--theirs")
    assert files(beside) == BOTH["theirs"] and beside.is_in_line()


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_where_mlvc_is_missing_git_merges_as_text_and_resolve_reads_that_too(torn, without_mlvc, side):
    torn.git("config", "--unset", "mlvc.program")
    torn.git("merge", "-q", "feature", code=1, **without_mlvc)
    assert "<<<<<<<" in torn.read("mlvc.lock") and files(torn) == BOTH["ours"]
    torn.mlvc("resolve", f"--{side}")
    assert files(torn) == BOTH[side] and torn.is_in_line()


def test_a_side_that_is_no_lock_file_is_merged_as_text_and_nothing_is_lost(torn):
    torn.git("switch", "-q", "-c", "damaged", "feature")
    torn.write("mlvc.lock", torn.read("mlvc.lock") + "no pin at all\n")
    torn.commit(MLVC_SKIP="1")
    torn.git("switch", "-q", "main")
    done = torn.git("merge", "-q", "damaged", code=1)
    assert "merge-lock: " in done.err and "merged as text" in done.err
    assert "no pin at all" in torn.read("mlvc.lock") and files(torn) == BOTH["ours"]
