"""Git moves `mlvc.lock`, the files follow: after each operation they are what is pinned, or `mlvc status` says what differs and what to run."""

import os
import shlex
import shutil
from pathlib import Path

import pytest

MAIN = {"model.bin": "one\n", "data/a.txt": "a\n", "data/b.txt": "b\n"}
FEATURE = {"model.bin": "two\n", "data/a.txt": "a, longer\n", "data/c.txt": "c\n"}


def pin_all(project, files: dict[str, str]) -> None:
    """Makes the files these and no others, and pins model.bin and data."""
    shutil.rmtree(project.root / "data", ignore_errors=True)
    for path, text in files.items():
        project.write(path, text)
    project.mlvc("add", "model.bin", "data")


def held(project) -> dict[str, str]:
    """Returns what the artifacts' files hold."""
    root = project.root
    found = [root / "model.bin", *(root / "data").rglob("*")]
    return {str(path.relative_to(root)): path.read_text() for path in found if path.is_file()}


_made: list[tuple[type, Path]] = []


@pytest.fixture
def forked(request, tmp_path, tmp_path_factory, environment):
    """Two branches that pin the same two paths differently; `main` is checked out. Made once, and copied."""
    if not _made:
        project = request.getfixturevalue("project")
        pin_all(project, MAIN)
        project.commit("pins of main")
        project.git("switch", "-q", "-c", "feature")
        pin_all(project, FEATURE)
        project.commit("pins of feature")
        project.git("switch", "-q", "main")
        _made.append((type(project), tmp_path_factory.mktemp("forked") / "project"))
        shutil.copytree(project.root, _made[0][1], symlinks=True)
        return project
    kind, original = _made[0]
    shutil.copytree(original, tmp_path / "project", symlinks=True)
    copied = kind(tmp_path / "project", environment)
    copied.git("status", "--short")  # Git looks at the files anew
    return copied


def elsewhere(project, branch: str = "main") -> None:
    """A commit of code on a branch, so that a merge or rebase has something to do."""
    project.git("switch", "-q", branch)
    project.write("code.py", "x = 1\n")
    project.commit("code")


# -- what Git moves, the files follow ---------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [("switch", "-q"), ("checkout", "-q"), ("checkout", "-q", "--detach"), ("switch", "-q", "--detach")])
def test_going_to_a_branch_and_back_brings_the_files_of_each(forked, words):
    forked.git(*words, "feature")
    assert held(forked) == FEATURE and forked.is_in_line()
    forked.git(*words, "main")
    assert held(forked) == MAIN and forked.is_in_line()


def test_a_checkout_says_how_many_files_it_wrote_and_is_silent_when_no_pin_moved(forked):
    said = forked.git("switch", "-q", "feature").err
    assert "mlvc: 3 files written, 1 removed" in said
    assert forked.git("switch", "-q", "-c", "same").err == ""


@pytest.mark.parametrize("how", [["merge", "-q"], ["merge", "-q", "--squash"], ["rebase", "-q"], ["pull", "-q", "--rebase", "."], ["pull", "-q", "--no-rebase", "."]])
def test_merging_rebasing_and_pulling_bring_the_pins_of_the_other_side(forked, how):
    elsewhere(forked)
    forked.git(*how, "feature")
    assert held(forked) == FEATURE and forked.is_in_line()
    assert forked.read("code.py") == "x = 1\n"


def test_a_merge_that_only_moves_the_branch_brings_the_files(forked):
    forked.git("merge", "-q", "--ff-only", "feature")
    assert held(forked) == FEATURE and forked.is_in_line()


def test_a_cherry_pick_and_its_revert_bring_the_files_of_each(forked):
    elsewhere(forked)
    forked.git("cherry-pick", "feature")
    assert held(forked) == FEATURE and forked.is_in_line()
    forked.git("revert", "--no-edit", "HEAD")
    assert held(forked) == MAIN and forked.is_in_line()


@pytest.mark.parametrize("restore", [["checkout", "-q", "--", "mlvc.lock"], ["restore", "mlvc.lock"]])
def test_taking_the_lock_file_back_takes_the_files_back(forked, restore):
    pin_all(forked, FEATURE)
    forked.git(*restore)
    assert held(forked) == MAIN and forked.is_in_line()


def test_taking_the_lock_file_of_another_commit_brings_its_files(forked):
    forked.git("checkout", "-q", "feature", "--", "mlvc.lock")
    assert held(forked) == FEATURE and forked.is_in_line()


def test_a_patch_applied_with_am_brings_the_files_or_status_names_what_is_behind(forked):
    patch = forked.git("format-patch", "--stdout", "main..feature").out
    forked.run("git", "am", "-q", stdin=patch)
    assert forked.is_in_line() or behind(forked) == {("model.bin", "model:v0"), ("data", "data:v0")}
    forked.mlvc("checkout")
    assert held(forked) == FEATURE and forked.is_in_line()


def test_bisecting_tries_each_commit_with_its_own_artifact(project):
    for number in range(6):
        project.add("model.bin", f"loss {number}\n")
        project.commit(f"commit {number}")
    project.git("bisect", "start", "HEAD", "HEAD~5")
    done = project.git("bisect", "run", "sh", "-c", "grep -q 'loss [0-3]' model.bin")
    assert "commit 4" in project.git("show", "-s", "refs/bisect/bad").out and done.code == 0
    project.git("bisect", "reset")
    assert project.read("model.bin") == "loss 5\n" and project.is_in_line()


def test_a_new_worktree_gets_its_files_and_the_first_one_keeps_its_own(forked, tmp_path):
    forked.git("worktree", "add", "-q", str(tmp_path / "beside"), "feature")
    beside = forked.at(tmp_path / "beside")
    assert held(beside) == FEATURE and beside.is_in_line()
    assert held(forked) == MAIN and forked.is_in_line()
    beside.git("checkout", "-q", "--detach", "main")
    assert held(beside) == MAIN and beside.is_in_line()


def test_a_branch_without_pins_has_no_artifacts_and_leaving_it_brings_them_back(forked):
    forked.git("switch", "-q", "--detach", "main~1")
    assert held(forked) == {} and not (forked.root / "data").exists()
    assert forked.status()["leftover"] == []
    forked.git("switch", "-q", "main")
    assert held(forked) == MAIN and forked.is_in_line()


def test_a_path_that_git_tracks_on_another_branch_stays_git_s_there(project):
    project.git("switch", "-q", "-c", "tracked")
    project.write("model.bin", "git's\n")
    project.commit()
    project.git("switch", "-q", "main")
    project.add("model.bin", "mlvc's\n")
    project.commit()
    for _ in range(2):
        project.git("switch", "-q", "tracked")
        assert project.read("model.bin") == "git's\n" and project.git("status", "--short").out == ""
        assert project.status()["leftover"] == []
        project.git("switch", "-q", "main")
        assert project.is_in_line() or project.mlvc("status").out.startswith("missing:   model.bin")
        project.mlvc("checkout")
        assert project.read("model.bin") == "mlvc's\n" and project.is_in_line()


def test_files_follow_even_when_the_record_of_what_they_hold_is_lost(forked):
    (forked.root / ".git" / "mlvc-placed").unlink()
    forked.git("switch", "-q", "feature")
    assert held(forked) == FEATURE and forked.is_in_line()


# -- where Git calls no hook, status tells ------------------------------------------------------------------------------


def behind(project) -> set[tuple[str, str | None]]:
    return {(pin["path"], pin["holds"]) for pin in project.status()["pins"] if pin["changes"]}


def test_after_a_hard_reset_status_names_what_is_behind_and_checkout_brings_it_in_line(forked):
    forked.git("reset", "-q", "--hard", "feature")
    assert held(forked) == MAIN
    assert behind(forked) == {("model.bin", "model:v0"), ("data", "data:v0")}
    said = forked.mlvc("status").out
    assert "behind:    model.bin holds model:v0, mlvc.lock pins model:v1; 'mlvc checkout' brings it in line" in said
    assert forked.mlvc("status", "--exit-code", code=None).code == 1
    forked.mlvc("checkout")
    assert held(forked) == FEATURE and forked.is_in_line()


def test_after_a_reset_to_before_the_pins_status_names_leftovers_and_checkout_removes_them(forked):
    forked.git("reset", "-q", "--hard", "main~1")
    assert {one["path"] for one in forked.status()["leftover"]} == {"model.bin", "data"}
    said = forked.mlvc("status").out
    assert "leftover:  model.bin (model:v0) is pinned no more; 'mlvc checkout' removes it" in said
    forked.mlvc("checkout")
    assert held(forked) == {} and forked.status()["leftover"] == []


def test_a_stash_leaves_files_that_status_calls_behind_until_it_is_popped(forked):
    pin_all(forked, FEATURE)
    forked.git("stash", "-q")
    assert behind(forked) == {("model.bin", "model:v1"), ("data", "data:v1")}
    forked.git("stash", "pop", "-q")
    assert held(forked) == FEATURE and forked.is_in_line()


def test_a_stash_popped_after_a_checkout_is_behind_and_one_command_from_right(forked):
    pin_all(forked, FEATURE)
    forked.git("stash", "-q")
    forked.mlvc("checkout")
    assert held(forked) == MAIN
    forked.git("stash", "pop", "-q")
    assert behind(forked) == {("model.bin", "model:v0"), ("data", "data:v0")}
    forked.mlvc("checkout")
    assert held(forked) == FEATURE and forked.is_in_line()


def test_a_rebase_that_only_moves_the_branch_leaves_files_right_or_behind_by_name(forked):
    forked.git("rebase", "-q", "feature")
    wanted = forked.read("mlvc.lock")
    assert wanted == forked.git("show", "feature:mlvc.lock").out
    assert forked.is_in_line() or behind(forked) == {("model.bin", "model:v0"), ("data", "data:v0")}
    forked.mlvc("checkout")
    assert held(forked) == FEATURE and forked.is_in_line()


def test_a_merge_taken_back_ends_with_the_old_files_or_says_they_are_behind(forked):
    forked.git("merge", "-q", "feature")
    forked.git("reset", "-q", "--hard", "ORIG_HEAD")
    assert behind(forked) == {("model.bin", "model:v1"), ("data", "data:v1")}
    forked.mlvc("checkout")
    assert held(forked) == MAIN


def test_what_git_clean_removed_is_named_missing_and_comes_back(forked):
    forked.git("clean", "-fdxq")
    assert held(forked) == {}
    changes = [(one["path"], one["kind"]) for pin in forked.status()["pins"] for one in pin["changes"]]
    assert sorted(changes) == [("data/a.txt", "missing"), ("data/b.txt", "missing"), ("model.bin", "missing")]
    forked.mlvc("checkout")
    assert held(forked) == MAIN and forked.is_in_line()


# -- what is saved nowhere stays ----------------------------------------------------------------------------------------

MOVES = [
    "switch -q feature",
    "checkout -q --detach feature",
    "switch -q -f feature",
    "merge -q feature",
    "rebase -q feature",
    "cherry-pick feature",
    "checkout -q feature -- mlvc.lock",
    "reset -q --hard feature",
    "switch -q --detach main~2",
    "reset -q --hard main~2",
    "checkout -q main~2 -- .",
]


@pytest.mark.parametrize("move", MOVES)
def test_an_edit_saved_nowhere_survives_whatever_git_does(forked, move):
    elsewhere(forked)
    forked.write("model.bin", "my edit\n")
    forked.write("data/a.txt", "my edit too\n")
    forked.write("data/c.txt", "new, where feature has another\n")
    forked.write("data/new.txt", "new\n")
    forked.git(*shlex.split(move))
    forked.mlvc("checkout", code=None)
    kept = held(forked)
    assert kept["model.bin"] == "my edit\n" and kept["data/a.txt"] == "my edit too\n"
    assert kept["data/c.txt"] == "new, where feature has another\n" and kept["data/new.txt"] == "new\n"
    modified = {one["path"] for pin in forked.status()["pins"] for one in pin["changes"]}
    assert not forked.status()["pins"] or {"model.bin", "data/a.txt"} <= modified


def test_an_edit_is_named_by_the_hook_with_what_to_run_and_others_still_follow(forked):
    forked.write("model.bin", "my edit\n")
    said = forked.git("switch", "-q", "feature").err
    assert "model.bin: changed, and saved nowhere, so left as it is; 'mlvc add' saves it" in said
    assert held(forked) == {**FEATURE, "model.bin": "my edit\n"}
    forked.git("switch", "-q", "main")
    assert held(forked) == {**MAIN, "model.bin": "my edit\n"}
    changes = [(one["path"], one["kind"]) for pin in forked.status()["pins"] for one in pin["changes"]]
    assert changes == [("model.bin", "modified")]


def test_nothing_is_written_through_a_link_that_a_person_put_in_place_of_an_artifact(forked, tmp_path):
    (tmp_path / "precious").write_text("precious\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.txt").write_text("precious too\n")
    (forked.root / "model.bin").unlink()
    (forked.root / "model.bin").symlink_to(tmp_path / "precious")
    shutil.rmtree(forked.root / "data")
    (forked.root / "data").symlink_to(tmp_path / "folder")
    for there in ("feature", "main~1", "main"):
        forked.git("switch", "-q", "--detach", there)
        assert (tmp_path / "precious").read_text() == "precious\n"
        assert {path.name: path.read_text() for path in (tmp_path / "folder").iterdir()} == {"a.txt": "precious too\n"}
    assert (forked.root / "model.bin").is_symlink() and (forked.root / "data").is_symlink()


def test_a_folder_with_a_person_s_files_where_an_artifact_belongs_stays(forked):
    (forked.root / "model.bin").unlink()
    forked.write("model.bin/notes.txt", "mine\n")
    forked.git("switch", "-q", "feature")
    assert forked.read("model.bin/notes.txt") == "mine\n"
    assert [pin["path"] for pin in forked.status()["pins"] if pin["changes"]] == ["model.bin"]


def test_an_edit_in_one_worktree_is_untouched_by_what_another_one_does(forked, tmp_path):
    forked.git("worktree", "add", "-q", "--detach", str(tmp_path / "beside"), "main")
    beside = forked.at(tmp_path / "beside")
    beside.write("model.bin", "edited there\n")
    forked.git("switch", "-q", "feature")
    assert held(beside) == {**MAIN, "model.bin": "edited there\n"}
    assert held(forked) == FEATURE


# -- Git's own exit code ------------------------------------------------------------------------------------------------


def everything(project, **variables: str) -> list[int]:
    """The exit codes of one operation for each hook that follows."""
    project.write("code.py", "x = 2\n")
    project.git("add", "code.py")
    moves = ["commit -q -m c", "switch -q feature", "switch -q main", "merge -q -m m feature", "commit -q --amend -m n", "reset -q --hard main~1", "rebase -q feature"]
    return [project.git(*move.split(), code=None, **variables).code for move in moves]


@pytest.mark.parametrize("program", ["exit 1", "kill -9 $$", "echo >&2 broken; exit 139"])
def test_a_broken_mlvc_changes_no_exit_code_of_git_s(forked, tmp_path, program):
    (tmp_path / "programs" / "mlvc").write_text(f"#!/bin/sh\n{program}\n")
    assert everything(forked) == [0] * 7


def test_a_missing_mlvc_changes_no_exit_code_of_git_s(forked, without_mlvc):
    forked.git("config", "--unset", "mlvc.program")
    assert everything(forked.at(forked.root), **without_mlvc) == [0] * 7


def test_a_damaged_store_changes_no_exit_code_of_git_s(forked):
    store = forked.root / ".git" / "mlvc"
    for path in [path for path in store.rglob("*") if path.is_file()]:
        path.chmod(0o644)
        path.write_bytes(b"\0damage\0" * 3)
    assert everything(forked) == [0] * 7


def test_a_lock_file_that_cannot_be_read_changes_no_exit_code_and_no_file(forked):
    forked.git("switch", "-q", "-c", "damaged")
    forked.write("mlvc.lock", "this is no pin\n")
    forked.commit(MLVC_SKIP="1")
    forked.git("switch", "-q", "main")
    done = forked.git("switch", "-q", "damaged")
    assert "mlvc: post-checkout: line 1 of" in done.err and "cannot be understood" in done.err
    assert held(forked) == MAIN
    forked.git("switch", "-q", "feature")
    assert held(forked) == FEATURE and forked.is_in_line()


# -- the network, only when told to -------------------------------------------------------------------------------------


@pytest.fixture
def cloned(forked, tmp_path):
    """The project pushed to a remote folder and to a bare repository, and a clone of it."""
    forked.mlvc("remote", "add", "origin", str(tmp_path / "store"))
    forked.commit("remote")
    forked.git("switch", "-q", "-c", "later", "feature")
    forked.git("merge", "-q", "-m", "the remote too", "main")
    forked.git("switch", "-q", "main")
    forked.git("clone", "-q", "--bare", str(forked.root), str(tmp_path / "hub.git"))
    forked.mlvc("push")
    forked.git("clone", "-q", str(tmp_path / "hub.git"), str(tmp_path / "clone"))
    return forked.at(tmp_path / "clone")


def test_a_clone_has_no_files_says_so_and_two_commands_bring_them(cloned):
    says = cloned.status()
    assert {one["path"]: one["kind"] for pin in says["pins"] for one in pin["changes"]} == {"data": "unknown", "model.bin": "unknown"}
    cloned.mlvc("pull")
    assert held(cloned) == {}
    assert "'mlvc fetch' brings it" in cloned.mlvc("status").out
    cloned.mlvc("checkout")
    assert held(cloned) == MAIN and cloned.is_in_line()


@pytest.mark.parametrize("move", ["switch -q later", "merge -q -m m origin/later", "pull -q --no-rebase origin feature", "rebase -q origin/feature", "cherry-pick origin/feature"])
def test_hooks_fetch_nothing_unless_told_to_and_say_what_does(cloned, move):
    cloned.mlvc("pull")
    cloned.mlvc("checkout")
    cloned.mlvc("hooks", "install")
    said = cloned.git(*move.split()).err
    assert held(cloned) == MAIN, "the data of the other branch is in the remote only"
    assert "data, model.bin: not here; 'mlvc fetch' and 'mlvc checkout' bring it" in said
    assert behind(cloned) == {("model.bin", "model:v0"), ("data", "data:v0")}
    cloned.mlvc("checkout")
    assert held(cloned) == FEATURE and cloned.is_in_line()


def test_hooks_fetch_when_told_to(cloned):
    cloned.mlvc("pull")
    cloned.mlvc("checkout")
    cloned.mlvc("hooks", "install")
    cloned.write("mlvc.toml", cloned.read("mlvc.toml") + "\n[hooks]\nfetch = true\n")
    cloned.commit()
    cloned.git("cherry-pick", "origin/feature")
    assert held(cloned) == FEATURE and cloned.is_in_line()


def test_a_remote_that_is_gone_neither_fails_a_checkout_nor_costs_a_file(cloned, tmp_path):
    cloned.mlvc("pull")
    cloned.mlvc("checkout")
    cloned.mlvc("hooks", "install")
    cloned.write("mlvc.toml", cloned.read("mlvc.toml") + "\n[hooks]\nfetch = true\n")
    cloned.commit()
    os.rename(tmp_path / "store", tmp_path / "gone")
    cloned.git("cherry-pick", "origin/feature")
    assert held(cloned) == MAIN
    assert behind(cloned) == {("model.bin", "model:v0"), ("data", "data:v0")}


# -- commits and versions -----------------------------------------------------------------------------------------------


def changes(project, *words: str) -> list[tuple[str, str]]:
    return [(one["kind"], one["path"]) for one in project.mlvc("--json", "diff", "--git", *words).data]


def test_diff_of_two_commits_lists_pins_added_removed_and_modified(forked):
    forked.git("switch", "-q", "feature")
    forked.mlvc("rm", "data")
    forked.add("extra.bin", "e\n")
    forked.git("add", "-A")
    forked.git("commit", "-q", "-m", "extra")
    assert changes(forked, "main..feature") == [("removed", "data"), ("added", "extra.bin"), ("modified", "model.bin")]
    assert changes(forked, "feature..main") == [("added", "data"), ("removed", "extra.bin"), ("modified", "model.bin")]
    assert changes(forked, "main", "feature") == changes(forked, "main..feature")
    assert changes(forked, "main..") == changes(forked, "main..feature")
    assert "modified:  model.bin  model:v0 -> model:v1" in forked.mlvc("diff", "--git", "main..feature").out


def test_diff_with_three_dots_leaves_out_what_the_first_side_changed_since(forked):
    forked.add("only-main.bin", "m\n")
    forked.commit()
    assert ("removed", "only-main.bin") in changes(forked, "main..feature")
    assert changes(forked, "main...feature") == [("modified", "data"), ("modified", "model.bin")]


def test_diff_against_a_commit_takes_the_lock_file_as_it_is_now(forked):
    assert changes(forked) == []
    forked.add("model.bin", "three\n")
    assert changes(forked) == [("modified", "model.bin")]
    assert changes(forked, "main~1") == [("added", "data"), ("added", "model.bin")]


def test_diff_of_a_commit_that_is_none_says_so(forked):
    done = forked.mlvc("diff", "--git", "main..nosuch", code=None)
    assert done.code != 0 and "Git knows no commit 'nosuch' here" in done.err


def test_log_shows_the_commits_that_changed_pins_with_the_versions_they_brought(forked):
    forked.git("switch", "-q", "feature")
    forked.write("code.py", "no pin moves\n")
    forked.commit("only code")
    forked.add("model.bin", "three\n")
    forked.commit("only the model")
    said = forked.mlvc("log", "--git").out
    assert said.index("only the model") < said.index("pins of feature") < said.index("pins of main")
    assert "only code" not in said
    assert "model:v1 -> model:v2" in said
    assert "only the model" not in forked.mlvc("log", "--git", "data").out
    assert forked.mlvc("log", "--git", "-n", "1").out.count("pins of") == 0
