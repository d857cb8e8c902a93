"""Hooks installed from below, hooks that are links, commits of a part, commits amended, clones that are fresh."""

import os

import pytest

BIG = "x" * 2000
NAMES = ("pre-commit", "prepare-commit-msg", "post-commit", "post-checkout", "post-merge", "post-rewrite", "pre-push")


@pytest.fixture
def small(project):
    project.write("mlvc.toml", '[hooks]\nmax_file_size = "1 kB"\n')
    project.commit("settings")
    return project


def test_a_relative_hooks_path_is_from_the_top_wherever_install_is_called(project):
    project.mlvc("hooks", "uninstall")
    project.git("config", "core.hooksPath", ".githooks")
    (project.root / "deep/er").mkdir(parents=True)
    project.run("mlvc", "hooks", "install", cwd=project.root / "deep/er")
    assert set(os.listdir(project.root / ".githooks")) == set(NAMES)


def test_in_a_fresh_clone_a_checkout_says_what_brings_the_data(project, tmp_path):
    project.add("m.bin", "one\n")
    project.commit("one")
    clone = project.at(tmp_path / "clone")
    project.git("clone", "-q", str(project.root), str(clone.root))
    clone.mlvc("hooks", "install")
    said = clone.git("switch", "-q", "-c", "mine").err
    assert said.startswith("mlvc: m.bin: not here;"), said


def test_in_a_fresh_clone_a_checkout_fetches_when_told_to(project, tmp_path):
    project.write("mlvc.toml", f'[remotes.data]\nurl = "{tmp_path}/data"\n[hooks]\nfetch = true\n')
    project.add("m.bin", "one\n")
    project.commit("one")
    project.mlvc("push")
    clone = project.at(tmp_path / "clone")
    project.git("clone", "-q", str(project.root), str(clone.root))
    clone.mlvc("hooks", "install")
    clone.git("switch", "-q", "-c", "mine")
    assert clone.read("m.bin") == "one\n"


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_hook_that_is_a_link_to_what_is_not_there_now_comes_back_at_uninstall(project, when):
    project.mlvc("hooks", "uninstall")
    hook, tool = project.root / ".git/hooks/pre-commit", project.write("tool", "#!/bin/sh\n")
    tool.chmod(0o755)
    hook.symlink_to("../../tool")
    if when == "before":
        tool.unlink()
    project.mlvc("hooks", "install")
    tool.unlink(missing_ok=True)
    project.mlvc("hooks", "uninstall")
    assert hook.is_symlink() and os.readlink(hook) == "../../tool"


def test_a_link_that_became_a_big_file_is_refused(small):
    (small.root / "big.bin").symlink_to("elsewhere")
    small.commit("link")
    (small.root / "big.bin").unlink()
    small.write("big.bin", BIG)
    small.git("add", "-A")
    assert "big.bin" in small.git("commit", "-q", "-m", "m", code=1).err


@pytest.mark.parametrize("change", ["chmod", "copy", "restore"])
def test_what_history_holds_already_is_no_news_to_it(small, change):
    path = small.write("big.sh", BIG)
    small.commit("big", MLVC_SKIP="1")
    if change == "chmod":
        path.chmod(0o755)
    elif change == "copy":
        small.write("copy.sh", BIG)
    else:
        small.git("rm", "-q", "big.sh")
        small.commit("gone")
        small.git("checkout", "-q", "HEAD~1", "big.sh")
    small.git("add", "-A")
    small.git("commit", "-q", "-m", "m")


@pytest.mark.parametrize(("name", "cwd"), [("-big", "."), ("sub/big", "sub")])
def test_the_commands_offered_can_be_pasted(small, name, cwd):
    small.write("sub/other", "")
    small.write(name, BIG)
    small.git("add", "-A")
    said = small.run("git", "commit", "-q", "-m", "m", code=1, cwd=small.root / cwd).err
    hint = next(line for line in said.splitlines() if "mlvc add" in line).removeprefix("mlvc: hint: ")
    small.run("sh", "-c", hint, cwd=small.root / cwd)


def test_beside_husky_who_has_no_mlvc_can_commit(project, without_mlvc):
    project.mlvc("hooks", "uninstall")
    project.git("config", "core.hooksPath", ".husky/_")
    project.write(".husky/_/pre-commit", '#!/bin/sh\nexec sh -e "${0%/*}/../pre-commit" "$@"\n').chmod(0o755)
    snippet = project.mlvc("--json", "hooks", "status", code=1).data["snippet"]
    project.write(".husky/pre-commit", snippet.split("# .husky/")[1].partition("\n")[2])
    project.environment = without_mlvc
    project.git("commit", "-q", "--allow-empty", "-m", "m")


def test_an_amended_commit_names_only_what_it_pins(project):
    project.write("mlvc.toml", "[hooks]\ntrailers = true\n")
    project.add("m.bin", "one\n")
    project.commit("m")
    project.add("m.bin", "two\n")
    project.git("commit", "-q", "-a", "--amend", "--no-edit")
    assert project.git("log", "-1", "--format=%B").out.count("Mlvc-Version:") == 1


def test_a_partial_commit_beside_a_staged_lock_says_that_the_lock_belongs_to_it(project):
    project.add("m.bin", "one\n")
    project.commit("m")
    project.add("m.bin", "two\n")
    project.write("code.py", "pass\n")
    project.git("add", "-A")
    done = project.git("commit", "-q", "-m", "m", "code.py", code=None)
    assert done.code == 0 or "hint: git add mlvc.lock\n" not in done.err


def test_a_hook_of_mlvcs_that_lost_its_permission_is_not_called_someone_elses(project):
    (project.root / ".git/hooks/pre-push").chmod(0o644)
    state = project.mlvc("--json", "hooks", "status", code=1).data["hooks"]["pre-push"]["state"]
    assert state != "not mlvc's"


def test_uninstall_removes_only_what_install_set(project):
    project.git("config", "mlvc.mine", "3")
    project.mlvc("hooks", "uninstall")
    assert project.git("config", "mlvc.mine").out == "3\n"
