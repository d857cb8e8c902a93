"""What Git's hooks refuse, push, tie and bring in line, with the real `git`."""

import os
import shutil
import sys

import pytest

BIG = "x" * 2000


@pytest.fixture
def small(project):
    """A repository where a file of more than 1 kB is big."""
    project.write("mlvc.toml", '[hooks]\nmax_file_size = "1 kB"\n')
    project.commit("settings")
    return project


@pytest.fixture
def pinned(project):
    """A repository where `main` pins one content of a file, and `other` another; with a Git remote that has neither."""
    project.add("m.bin", "one\n")
    project.commit("one")
    project.git("switch", "-q", "-c", "other")
    project.add("m.bin", "two\n")
    project.commit("two")
    project.git("switch", "-q", "main")
    project.git("init", "-q", "--bare", "../there.git")
    project.git("remote", "add", "origin", "../there.git")
    return project


def settings(project, text):
    path = project.root / "mlvc.toml"
    path.write_text(path.read_text() + text)


def there(project):
    """What refs the Git remote has."""
    return set(project.git("ls-remote", "../there.git").out.split()[1::2]) - {"HEAD"}


def refused(project, *words, **variables):
    """A commit that mlvc refuses: what it says. HEAD and index stay as they are."""
    head, index = project.git("rev-parse", "--verify", "-q", "HEAD", code=None).out, project.git("ls-files", "-s").out
    done = project.git("commit", "-q", "-m", "m", *words, code=1, **variables)
    assert done.err.startswith("mlvc: "), done.err
    assert project.git("rev-parse", "--verify", "-q", "HEAD", code=None).out == head
    assert project.git("ls-files", "-s").out == index
    return done.err


# -- pre-commit: big files ----------------------------------------------------------------------------------------------


def test_a_big_file_is_refused_and_the_commands_offered_give_it_to_mlvc(small):
    small.write("sub dir/it's big.bin", BIG)
    small.write("code.py", "pass\n")
    small.git("add", "-A")
    said = refused(small)
    hint = next(line for line in said.splitlines() if "mlvc add" in line)
    small.run("sh", "-c", hint.removeprefix("mlvc: hint: "))
    small.commit()
    assert set(small.git("ls-files").out.splitlines()) >= {"code.py", "mlvc.lock", "sub dir/.gitignore"}
    assert "big.bin" not in small.git("ls-files").out and small.status()["pins"][0]["path"] == "sub dir/it's big.bin"


def test_without_a_word_in_the_settings_ten_megabytes_are_the_limit(project):
    project.write("ten.bin", b"\0" * 10_000_000)
    project.commit("ten")
    project.write("more.bin", b"\0" * 10_000_001)
    project.git("add", "-A")
    assert "more.bin (10.0 MB)" in refused(project)


@pytest.mark.parametrize("size", ["2000", '"2000"', '"2 kB"', '"2000 B"', '"0.002MB"'])
def test_the_limit_is_a_size_in_any_unit(project, size):
    settings(project, f"[hooks]\nmax_file_size = {size}\n")
    project.write("just.bin", BIG)
    project.commit("just")
    project.write("more.bin", BIG + "x")
    project.git("add", "-A")
    assert "more.bin" in refused(project)


@pytest.mark.parametrize("name", ["with space.bin", "a\nb.bin", "größe 模型.bin", "-dash.bin", "a'b\"c.bin", "deep/er/x.bin", "*.bin"])
def test_a_big_file_is_found_whatever_its_name(small, name):
    small.write(name, BIG)
    small.git("add", "-A")
    assert name in refused(small)


def test_patterns_refuse_small_files_and_allow_big_ones(small):
    settings(small, 'refuse = ["*.pt", "/secret/"]\nallow = ["/docs/*.png", "ok.pt"]\n')
    small.commit("settings")
    small.write("docs/a.png", BIG)
    small.write("deep/ok.pt", BIG)
    small.write("other/secret/a", "in another folder\n")
    small.commit("allowed")
    small.write("deep/model.pt", "tiny\n")
    small.write("secret/key", "tiny\n")
    small.write("deep/docs/a.png", f"another {BIG}")
    small.git("add", "-A")
    said = refused(small)
    assert all(name in said for name in ("deep/model.pt", "secret/key", "deep/docs/a.png"))


def test_settings_that_make_no_sense_are_named_and_stop_no_commit(project):
    for text in ('[hooks]\npush = "perhaps"\n', "[hooks]\nsize = 3\n", "[hooks\n"):
        project.write("mlvc.toml", text)
        project.git("add", "-A")
        done = project.git("commit", "-q", "-m", "m")
        assert "mlvc.toml" in done.err and "pre-commit" in done.err


def test_many_big_files_are_named_in_one_line(small):
    for number in range(30):
        small.write(f"big{number:02}.bin", BIG)
    small.git("add", "-A")
    first = refused(small).splitlines()[0]
    assert "big00.bin" in first and "and 25 more" in first and len(first) < 250


def test_the_first_commit_of_a_repository_is_looked_at_too(project, tmp_path):
    fresh = project.at(tmp_path / "fresh")
    fresh.root.mkdir()
    fresh.git("init", "-q")
    fresh.mlvc("init")
    fresh.mlvc("hooks", "install")
    fresh.write("mlvc.toml", '[hooks]\nmax_file_size = "1 kB"\n')
    fresh.write("big.bin", BIG)
    fresh.git("add", "-A")
    assert "big.bin" in refused(fresh)
    fresh.git("rm", "-q", "--cached", "big.bin")
    fresh.mlvc("add", "big.bin")
    fresh.commit()
    assert "big.bin" not in fresh.git("ls-files").out.splitlines()


def test_what_git_has_already_may_be_moved_and_deleted_but_not_changed(small):
    small.write("big.bin", BIG)
    small.write("gone.bin", BIG + "gone")
    small.commit("big", MLVC_SKIP="1")
    small.git("mv", "big.bin", "moved.bin")
    small.git("rm", "-q", "gone.bin")
    small.git("commit", "-q", "-m", "moved")
    small.write("moved.bin", BIG + "more")
    assert "moved.bin" in refused(small, "-a")


def test_partial_commits_are_judged_by_what_they_hold(small):
    small.write("big.bin", BIG)
    small.write("code.py", "pass\n")
    small.git("add", "-A")
    small.git("commit", "-q", "-m", "code", "code.py")
    assert small.git("show", "--format=", "--name-only").out.split() == ["code.py"]
    assert "big.bin" in refused(small, "big.bin")
    small.write("code.py", BIG)
    small.git("reset", "-q")
    assert "code.py" in refused(small, "-a") and "code.py" in refused(small, "--include", "code.py")


def test_what_is_only_in_the_working_tree_is_no_concern(small):
    small.write("big.bin", BIG)
    small.write("readme.md", BIG)
    small.git("commit", "-q", "--allow-empty", "-m", "nothing of it")


def test_from_a_subfolder_and_with_the_folders_in_variables_it_is_the_same(small, tmp_path):
    small.write("sub/big.bin", BIG)
    small.git("add", "-A")
    for cwd, variables in (
        (small.root / "sub", {}),
        (small.root / "sub", {"GIT_DIR": "../.git", "GIT_WORK_TREE": ".."}),
        (tmp_path, {"GIT_DIR": "project/.git", "GIT_WORK_TREE": "project"}),
        (tmp_path, {"GIT_DIR": str(small.root / ".git"), "GIT_WORK_TREE": str(small.root)}),
        (small.root, {"GIT_INDEX_FILE": ".git/index"}),
    ):
        done = small.run("git", "commit", "-q", "-m", "m", code=1, cwd=cwd, **variables)
        assert "sub/big.bin" in done.err and done.err.startswith("mlvc: "), (cwd, variables, done.err)


def test_a_merge_may_bring_what_the_other_side_has_in_history(small):
    small.git("switch", "-q", "-c", "other")
    small.write("big.bin", BIG)
    small.write("readme.md", "theirs\n")
    small.commit("big", MLVC_SKIP="1")
    small.git("switch", "-q", "main")
    small.write("readme.md", "ours\n")
    small.commit("ours")
    small.git("merge", "-q", "other", code=1)
    small.write("readme.md", "both\n")
    small.write("new.bin", BIG + "new")
    small.git("add", "-A")
    done = small.git("commit", "-q", "-m", "merged", code=1)
    assert "new.bin" in done.err and "big.bin" not in done.err
    small.git("rm", "-q", "--cached", "new.bin")
    small.git("commit", "-q", "-m", "merged")


# -- pre-commit: pins ----------------------------------------------------------------------------------------------------


def test_a_pin_whose_file_changed_is_refused_until_it_is_added(pinned):
    pinned.write("m.bin", "changed\n")
    said = refused(pinned, "--allow-empty")
    assert "m.bin: changed since it was pinned" in said and "mlvc add m.bin" in said
    assert pinned.read("m.bin") == "changed\n"
    pinned.mlvc("add", "m.bin")
    assert "git add mlvc.lock" in refused(pinned, "--allow-empty")
    pinned.git("add", "mlvc.lock")
    pinned.git("commit", "-q", "-m", "three")
    assert pinned.git("status", "--porcelain").out == ""


@pytest.mark.parametrize(("policy", "code", "is_said"), [("refuse", 1, True), ("warn", 0, True), ("ignore", 0, False)])
def test_the_policy_says_what_becomes_of_a_changed_pin(pinned, policy, code, is_said):
    settings(pinned, f'[hooks]\nchanged_pins = "{policy}"\n')
    pinned.write("m.bin", "changed\n")
    done = pinned.git("commit", "-q", "--allow-empty", "-m", "m", code=code)
    assert ("m.bin" in done.err) == is_said


def test_a_file_touched_but_the_same_passes_and_one_of_a_folder_changed_does_not(project):
    for name in ("a", "b c"):
        project.write(f"data/{name}", name)
    project.mlvc("add", "data")
    project.commit()
    os.utime(project.root / "data/a", (1, 1))
    project.git("commit", "-q", "--allow-empty", "-m", "touched")
    project.write("data/b c", "changed")
    assert "data: changed" in refused(project, "--allow-empty")
    project.write("data/b c", "b c")
    (project.root / "data/a").unlink()
    assert "data: changed" in refused(project, "--allow-empty")


def test_where_the_data_never_came_code_is_committed_and_pushed_all_the_same(pinned, tmp_path):
    settings(pinned, '[remotes.data]\nurl = "../data"\n')
    pinned.commit("settings")
    pinned.git("push", "-q", "origin", "main")
    colleague = pinned.at(tmp_path / "colleague")
    pinned.git("clone", "-q", "../there.git", str(colleague.root))
    colleague.mlvc("init", code=None)
    colleague.mlvc("hooks", "install")
    colleague.write("code.py", "pass\n")
    colleague.commit("code")
    assert not (colleague.root / "m.bin").exists()
    colleague.git("push", "-q", "origin", "main")
    colleague.git("push", "-q", "origin", "main:feature")
    assert there(pinned) == {"refs/heads/main", "refs/heads/feature"}


# -- pre-push ------------------------------------------------------------------------------------------------------------


def test_where_nothing_is_pinned_a_push_needs_no_remote_of_mlvc(project):
    project.git("init", "-q", "--bare", "../there.git")
    assert project.git("push", "-q", "../there.git", "main").err == ""
    assert there(project) == {"refs/heads/main"}


def test_pinned_data_that_would_be_in_no_remote_keeps_git_from_pushing(pinned):
    done = pinned.git("push", "-q", "origin", "main", code=1)
    first = done.err.splitlines()[0]
    assert first == "mlvc: these commits pin what is in no remote: m.bin (m:v0)"
    assert "mlvc remote add" in done.err and "MLVC_SKIP=1 git push" in done.err and there(pinned) == set()
    pinned.git("push", "-q", "origin", "main", MLVC_SKIP="1")
    assert there(pinned) == {"refs/heads/main"}


@pytest.mark.parametrize(("policy", "is_said"), [("warn", True), ("ignore", False)])
def test_the_policy_may_let_such_a_push_pass(pinned, policy, is_said):
    settings(pinned, f'[hooks]\npush = "{policy}"\n')
    done = pinned.git("push", "-q", "origin", "main")
    assert ("m.bin" in done.err) == is_said and there(pinned) == {"refs/heads/main"}


def test_data_is_in_its_remote_before_git_pushes(pinned, tmp_path):
    pinned.mlvc("remote", "add", "data", str(tmp_path / "data"))
    hook = pinned.root / "../there.git/hooks/pre-receive"
    hook.write_text(f'#!/bin/sh\nls "{tmp_path}/data/packs" >"{tmp_path}/seen"\n')
    hook.chmod(0o755)
    pinned.git("push", "-q", "origin", "main", "other")
    assert (tmp_path / "seen").read_text().split()
    clone = pinned.at(tmp_path / "clone")
    pinned.git("clone", "-q", "-b", "other", "../there.git", str(clone.root))
    clone.mlvc("remote", "add", "data", str(tmp_path / "data"))
    clone.mlvc("pull")
    clone.mlvc("checkout")
    assert clone.read("m.bin") == "two\n"
    assert pinned.git("push", "-q", "origin", "main:again").err == "", "what is there already is not pushed again"


def test_a_remote_that_is_not_there_is_named_and_nothing_is_pushed(pinned, tmp_path):
    pinned.mlvc("remote", "add", "data", str(tmp_path / "data"))
    pinned.git("push", "-q", "origin", "main")
    pinned.git("switch", "-q", "other")
    pinned.add("m.bin", "three\n")
    pinned.commit("three")
    shutil.rmtree(tmp_path / "data")
    (tmp_path / "data").write_text("a file in the way\n")
    done = pinned.git("push", "-q", "origin", "other", code=1)
    assert "cannot be pushed" in done.err.splitlines()[0] and "MLVC_SKIP=1" in done.err
    assert there(pinned) == {"refs/heads/main"}


def test_deleting_a_branch_asks_nothing_of_mlvc(pinned):
    pinned.git("push", "-q", "origin", "main", "other", MLVC_SKIP="1")
    pinned.git("push", "-q", "origin", "--delete", "other")
    assert there(pinned) == {"refs/heads/main"}


@pytest.mark.parametrize("words", [["tag", "v1", "other"], ["tag", "-a", "-m", "v1", "v1", "other"]])
def test_a_tag_brings_the_data_of_its_commits(pinned, words, tmp_path):
    pinned.git(*words)
    assert "m.bin (m:v1)" in pinned.git("push", "-q", "origin", "v1", code=1).err
    pinned.mlvc("remote", "add", "data", str(tmp_path / "data"))
    pinned.git("push", "-q", "origin", "v1")
    assert there(pinned) >= {"refs/tags/v1"} and list((tmp_path / "data/packs").iterdir())


def test_what_is_no_commit_is_pushed_as_ever(pinned):
    blob = pinned.git("hash-object", "-w", "readme.md").out.strip()
    pinned.git("tag", "thing", blob)
    pinned.git("push", "-q", "origin", "thing")
    assert there(pinned) == {"refs/tags/thing"}


def test_only_what_the_pushed_commits_pin_is_asked_for(pinned):
    pinned.git("push", "-q", "origin", "main", MLVC_SKIP="1")
    pinned.write("code.py", "pass\n")
    pinned.commit("code")
    pinned.git("push", "-q", "origin", "main", "main:feature")
    assert "m:v1" in pinned.git("push", "-q", "origin", "other", code=1).err
    pinned.git("update-ref", "-d", "refs/remotes/origin/main")
    pinned.git("commit", "-q", "--amend", "-m", "code again")
    pinned.git("push", "-q", "--force", "origin", "main")
    assert there(pinned) == {"refs/heads/main", "refs/heads/feature"}


def test_a_pin_of_a_commit_in_the_middle_is_pushed_too(pinned):
    pinned.git("push", "-q", "origin", "main", MLVC_SKIP="1")
    pinned.add("m.bin", "in between\n")
    pinned.commit("in between")
    pinned.git("revert", "--no-edit", "HEAD")
    assert "(m:v2)" in pinned.git("push", "-q", "origin", "main", code=1).err


# -- messages and runs ---------------------------------------------------------------------------------------------------


def trailers(project, revision="HEAD"):
    return project.git("log", "-1", "--format=%(trailers:unfold)", revision).out.strip().splitlines()


def test_messages_name_versions_only_when_asked(project):
    project.add("m.bin", "one\n")
    project.commit("one")
    assert trailers(project) == []
    settings(project, "[hooks]\ntrailers = true\n")
    project.commit("settings")
    assert trailers(project) == []
    project.add("m.bin", "two\n")
    project.commit("two\n\nSigned-off-by: Ada <ada@example.org>")
    version = project.status()["pins"][0]["id"]
    assert trailers(project) == ["Signed-off-by: Ada <ada@example.org>", f"Mlvc-Version: m:v1 @{version}"]
    project.git("commit", "-q", "--amend", "--no-edit")
    project.git("commit", "-q", "--amend", "-m", project.git("log", "-1", "--format=%B").out)
    assert len(trailers(project)) == 2


def test_merges_and_rebased_commits_get_no_trailers_of_others(pinned):
    settings(pinned, "[hooks]\ntrailers = true\n")
    pinned.commit("settings")
    pinned.git("switch", "-q", "other")
    pinned.add("n.bin", "new\n")
    pinned.commit("new", MLVC_TRAILERS="1")
    assert len(trailers(pinned)) == 1
    pinned.git("rebase", "-q", "main")
    assert [len(trailers(pinned, one)) for one in ("HEAD", "main")] == [1, 0]
    pinned.git("switch", "-q", "main")
    pinned.git("merge", "-q", "--no-ff", "-m", "merged", "other")
    assert pinned.git("log", "-1", "--format=%B").out.strip() == "merged"


RUN = """
import subprocess, sys
import mlvc
with mlvc.init() as run:
    artifact = mlvc.Artifact("model", type="model")
    artifact.add_file("made.bin")
    run.log_artifact(artifact)
    for words in sys.argv[1:]:
        subprocess.run(["sh", "-c", words], check=True)
    print(run.id)
"""


def in_a_run(project, *commands):
    """Runs shell commands while a run is under way; returns its label."""
    project.write("made.bin", "made\n")
    return project.run(sys.executable, "-c", RUN, *commands).out.splitlines()[-1]


def runs_of(project, revision):
    return [one["label"] for one in project.mlvc("--json", "runs", "--commit", revision).data]


def test_a_run_under_way_is_tied_to_the_commit_made_meanwhile(project):
    first = project.head()
    name = in_a_run(project, "echo a >a; git add a; git commit -q -m second")
    assert first != project.head()
    assert runs_of(project, "HEAD") == runs_of(project, first) == [name]
    project.write("b", "b\n")
    project.commit("third")
    assert runs_of(project, "HEAD") == []


def test_a_commit_on_another_branch_is_not_the_runs(project):
    in_a_run(project, "git switch -q -c other; echo a >a; git add a; git commit -q -m second; git switch -q main")
    assert runs_of(project, "other") == []


def test_the_message_names_the_run_under_way_when_asked(project):
    settings(project, "[hooks]\ntrailers = true\n")
    project.commit("settings")
    name = in_a_run(project, "echo a >a; git add a; git commit -q -m second")
    assert [line.split(" @")[0] for line in trailers(project)] == [f"Mlvc-Run: project/{name}"]


# -- files follow --------------------------------------------------------------------------------------------------------


def test_rebase_amend_and_stash_run_their_hooks_and_leave_the_files_right(pinned):
    pinned.git("switch", "-q", "-c", "third")
    for name in ("a.py", "b.py"):
        pinned.write(name, "pass\n")
        pinned.commit(name)
    pinned.git("rebase", "-q", "other")
    assert pinned.read("m.bin") == "two\n"
    pinned.add("m.bin", "three\n")
    pinned.git("commit", "-q", "-a", "--amend", "-m", "amended")
    pinned.add("m.bin", "four\n")
    pinned.git("stash", "-q")
    pinned.git("switch", "-q", "main")
    assert pinned.read("m.bin") == "one\n"
    pinned.git("switch", "-q", "third")
    assert pinned.read("m.bin") == "three\n"
    pinned.git("stash", "pop", "-q")
    pinned.mlvc("checkout")
    assert pinned.read("m.bin") == "four\n"


def test_with_the_folders_in_variables_files_follow_from_anywhere(pinned, tmp_path):
    named = {"GIT_DIR": str(pinned.root / ".git"), "GIT_WORK_TREE": str(pinned.root)}
    pinned.run("git", "checkout", "-q", "other", cwd=tmp_path, **named)
    assert pinned.read("m.bin") == "two\n"
    (pinned.root / "sub").mkdir()
    pinned.run("git", "checkout", "-q", "main", cwd=pinned.root / "sub")
    assert pinned.read("m.bin") == "one\n" and os.listdir(pinned.root / "sub") == []


# -- damage --------------------------------------------------------------------------------------------------------------


def empty(folder):
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(0o644)
            path.write_bytes(b"")


DAMAGE = {
    "no store at all": shutil.rmtree,
    "a file instead of the store": lambda store: (shutil.rmtree(store), store.write_text("what?\n")),
    "no journal": lambda store: shutil.rmtree(store / "journal"),
    "an empty journal": lambda store: empty(store / "journal"),
    "no packs": lambda store: shutil.rmtree(store / "packs"),
    "empty packs": lambda store: empty(store / "packs"),
    "everything empty": empty,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_in_a_damaged_repository_git_works_and_a_push_says_what_to_do(pinned, damage):
    DAMAGE[damage](pinned.root / ".git/mlvc")
    pinned.write("code.py", "pass\n")
    pinned.write("m.bin", "mine\n")
    pinned.commit("code")
    pinned.git("switch", "-q", "other")
    pinned.git("merge", "-q", "-m", "merged", "main")
    pinned.git("commit", "-q", "--amend", "-m", "amended")
    assert pinned.read("m.bin") == "mine\n" and pinned.read("code.py") == "pass\n"
    done = pinned.git("push", "-q", "origin", "other", code=None)
    assert done.code == 0 or ("mlvc: " in done.err and "MLVC_SKIP=1 git push" in done.err)
    pinned.git("push", "-q", "origin", "other", MLVC_SKIP="1")
    assert there(pinned) == {"refs/heads/other"}
