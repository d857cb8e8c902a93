"""Pins where a merge stops, folders nest, a checkout is sparse, or a name is odd."""

import pytest


@pytest.mark.parametrize("begin", ["merge -q --no-commit feature", "cherry-pick -n feature", "merge -q feature"])
def test_a_commit_that_ends_a_merge_is_not_refused_for_files_that_are_only_behind(project, begin):
    project.add("model.bin", "one\n")
    project.write("code.py", "1\n")
    project.commit()
    project.git("switch", "-q", "-c", "feature")
    project.add("model.bin", "two\n")
    conflicts = begin == "merge -q feature"
    if conflicts:
        project.write("code.py", "2\n")
    project.commit()
    project.git("switch", "-q", "main")
    project.write("code.py" if conflicts else "other.py", "3\n")
    project.commit()
    project.git(*begin.split(), code=1 if conflicts else 0)
    project.write("code.py", "4\n")
    project.git("add", "code.py")
    done = project.git("commit", "-q", "-m", "merged", code=None)
    assert done.code == 0 or ("mlvc checkout" in done.err and "mlvc add model.bin" not in done.err), done.err
    assert done.code or (project.read("model.bin") == "two\n" and project.is_in_line())


def test_the_command_that_made_a_version_may_have_line_ends_and_a_conflict_is_still_read(project):
    project.add("model.bin", "one\n")
    project.commit()
    project.git("switch", "-q", "-c", "feature")
    project.write("model.bin", "two\n")
    project.mlvc("add", "model.bin", "--description", "two\nlines")
    project.commit()
    project.git("switch", "-q", "main")
    project.add("model.bin", "three\n")
    project.commit()
    project.git("merge", "-q", "feature", code=1)
    project.mlvc("resolve", code=1)
    project.mlvc("resolve", "--theirs")
    assert project.read("model.bin") == "two\n"


def test_a_merge_as_text_with_nothing_in_conflict_is_settled_not_denied(project):
    project.add("m.bin", "m\n")
    project.commit()
    project.mlvc("hooks", "uninstall")  # as in any clone: the driver is this repository's own setting
    project.git("switch", "-q", "-c", "feature")
    project.add("n.bin", "n\n")
    project.commit()
    project.git("switch", "-q", "main")
    project.add("o.bin", "o\n")
    project.commit()
    project.git("merge", "-q", "feature", code=1)
    assert project.mlvc("status", code=None).code, "it says that mlvc resolve shows both sides"
    assert "nothing is in conflict" not in project.mlvc("resolve", code=None).out
    project.mlvc("status")


def test_a_removal_is_not_undone_by_taking_the_side_that_removed(project):
    project.add("a.bin", "1\n")
    project.add("b.bin", "1\n")
    project.commit()
    project.mlvc("hooks", "uninstall")
    project.git("switch", "-q", "-c", "feature")
    project.add("a.bin", "2\n")
    project.commit()
    project.git("switch", "-q", "main")
    project.add("a.bin", "3\n")
    project.mlvc("rm", "b.bin")
    project.commit()
    project.git("merge", "-q", "feature", code=1)
    project.mlvc("resolve", "--ours")
    assert "b.bin" not in project.read("mlvc.lock")


def test_after_one_of_two_nested_pins_is_settled_the_other_is_still_listed(nested):
    nested.git("merge", "-q", "feature", code=1)
    nested.mlvc("resolve", "--ours", "data", code=None)
    if nested.mlvc("status", code=None).code:  # markers are left
        assert [one["path"] for one in nested.mlvc("--json", "resolve", code=None).data["conflicts"]] == ["data/y.bin"]
        nested.mlvc("resolve", "--ours", "data/y.bin")
    assert nested.is_in_line()


def test_resolve_never_leaves_a_pin_within_another(nested):
    nested.git("merge", "-q", "feature", code=1)
    nested.mlvc("resolve", "--theirs", "data", code=None)
    nested.mlvc("resolve", "--ours", code=None)
    pins = [line.split("\t")[0] for line in nested.read("mlvc.lock").splitlines() if "\t" in line]
    assert pins != ["data", "data/y.bin"]


def test_taking_our_side_of_a_nested_conflict_keeps_all_that_we_pinned(project):
    project.write(".gitignore", "/data\n")
    project.add("data/x", "one\n")
    project.commit()
    project.git("switch", "-q", "-c", "feature")
    project.mlvc("rm", "data/x")
    project.mlvc("add", "data")
    project.commit()
    project.git("switch", "-q", "main")
    project.mlvc("checkout", "--force")
    project.add("data/y", "mine\n")
    project.commit()
    ours = project.read("mlvc.lock")
    project.git("merge", "-q", "feature", code=1)
    project.mlvc("resolve", "--ours")
    assert project.read("mlvc.lock") == ours


def test_a_folder_pinned_on_one_branch_and_a_file_in_it_on_another_follow(project):
    project.write(".gitignore", "/data\n")
    project.add("data/x", "one\n")
    project.commit()
    project.git("switch", "-q", "-c", "feature")
    project.mlvc("rm", "data/x")
    project.write("data/x", "two\n")
    project.write("data/z", "z\n")
    project.mlvc("add", "data")
    project.commit()
    done = project.git("switch", "-q", "main")
    assert "saved nowhere" not in done.err, "it is saved, as the folder's version"
    assert project.read("data/x") == "one\n" and project.is_in_line()


def test_an_edit_in_a_folder_that_another_branch_does_not_pin_costs_no_other_file(project):
    project.write("data/a", "a\n")
    project.write("data/b", "b\n")
    project.mlvc("add", "data")
    project.commit()
    project.write("data/b", "edit\n")
    project.git("switch", "-q", "--detach", "main~1")
    project.git("switch", "-q", "main")
    assert project.read("data/b") == "edit\n" and project.read("data/a") == "a\n"


@pytest.mark.parametrize("name", ["we\nird.bin", "we\n*", "we\n!readme.md"])
def test_a_name_with_a_line_end_is_kept_from_git_and_hides_nothing_else(project, name):
    project.write(name, "x")
    if project.mlvc("add", "--", name, code=None).code:
        return  # refused is as good
    project.write("ird.bin", "mine")
    said = project.git("status", "--porcelain", "-z", "--untracked-files=all").out
    assert name not in said.split("\0")[0:9] and f"?? {name}" not in said.split("\0")
    assert "?? ird.bin" in said.split("\0")


def test_a_path_that_git_tracks_elsewhere_comes_back_by_itself(project):
    project.git("switch", "-q", "-c", "tracked")
    project.write("model.bin", "git's\n")
    project.commit()
    project.git("switch", "-q", "main")
    project.add("model.bin", "mlvc's\n")
    project.commit()
    project.git("switch", "-q", "tracked")
    project.git("switch", "-q", "main")
    assert project.read("model.bin") == "mlvc's\n"


def test_a_sparse_checkout_without_the_lock_file_removes_no_artifact(project):
    project.write("src/a.py", "a\n")
    project.add("model.bin", "one\n")
    project.commit()
    project.git("branch", "feature")
    project.git("sparse-checkout", "set", "--no-cone", "/src/")
    project.git("switch", "-q", "feature")
    assert project.read("model.bin") == "one\n"


def test_a_pinned_file_is_not_kept_by_git_too(project):
    project.add("model.bin", "one\n")
    project.commit()
    project.write(".gitignore", "")
    project.git("add", "-A")
    done = project.git("commit", "-q", "-m", "both", code=1)
    assert "model.bin: pinned by mlvc.lock" in done.err and "git rm --cached -- model.bin" in done.err
    project.git("rm", "-q", "--cached", "model.bin")
    project.git("commit", "-q", "-m", "one")


def test_a_path_in_a_submodule_is_refused(project, tmp_path):
    sub = project.at(tmp_path / "sub")
    sub.root.mkdir()
    sub.git("init", "-q")
    sub.write("r", "r\n")
    sub.commit()
    project.git("submodule", "--quiet", "add", str(sub.root), "sub")
    project.commit()
    project.write("sub/w.bin", "w\n")
    assert project.mlvc("add", "sub/w.bin", code=None).code != 0
    assert not (project.root / "sub" / ".gitignore").exists()


def test_a_rebase_or_am_that_moves_pins_follows_or_says_what_to_run(project):
    project.add("model.bin", "one\n")
    project.commit()
    project.git("switch", "-q", "-c", "feature")
    project.add("model.bin", "two\n")
    project.commit()
    project.git("switch", "-q", "main")
    done = project.git("rebase", "-q", "feature")
    assert project.read("model.bin") == "two\n" or "mlvc checkout" in done.err


def test_status_says_what_to_run_for_a_version_not_known_here(project, tmp_path):
    project.mlvc("remote", "add", "origin", str(tmp_path / "store"))
    project.add("model.bin", "one\n")
    project.commit()
    project.mlvc("push")
    project.git("clone", "-q", str(project.root), str(tmp_path / "clone"))
    clone = project.at(tmp_path / "clone")
    assert "mlvc pull" in clone.mlvc("status").out
