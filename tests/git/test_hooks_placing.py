"""Where Git's hooks are put, beside what is there, and how they stay out of the way where mlvc is missing or told to."""

import itertools
import os
import shutil
import subprocess
from pathlib import Path

import pytest

NAMES = ("pre-commit", "prepare-commit-msg", "post-commit", "post-checkout", "post-merge", "post-rewrite", "pre-push")
SMALL = '[hooks]\nmax_file_size = "1 kB"\n'
BIG = "x" * 2000
COUNT = itertools.count()


def states(project, code=0):
    return {name: one["state"] for name, one in project.mlvc("--json", "hooks", "status", code=code).data["hooks"].items()}


def set_up(project, *install):
    """Makes a repository with a small threshold in a folder; hooks as told."""
    project.root.mkdir(parents=True, exist_ok=True)
    project.git("init", "-q")
    project.mlvc("init")
    project.write("mlvc.toml", SMALL)
    if install:
        project.mlvc("hooks", "install", *install[1:])
    return project


def script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def refuses_big_files(project):
    """Tells whether a commit of a big file is refused by mlvc."""
    name = f"big{next(COUNT)}.bin"
    project.write(name, BIG + name)
    project.git("add", "-f", name)
    done = project.git("commit", "-q", "-m", "big", code=None)
    project.git("rm", "-q", "-f", name)
    assert (done.code != 0) == ("mlvc: Git's history would keep" in done.err), done.err
    return done.code != 0


# -- install, status, uninstall -----------------------------------------------------------------------------------------


def test_install_puts_every_hook_in_place_and_status_says_so(tmp_path, project):
    fresh = set_up(project.at(tmp_path / "fresh"))
    assert set(states(fresh, code=1).values()) == {"not installed"}
    assert "as text" in fresh.mlvc("hooks", "status", code=1).out
    fresh.mlvc("hooks", "install")
    assert states(fresh) == dict.fromkeys(NAMES, "installed")
    said = fresh.mlvc("--json", "hooks", "status").data
    assert said["folder"] == str(fresh.root / ".git/hooks") and said["merges"] and said["manager"] is None and said["snippet"] is None
    assert all(os.access(fresh.root / ".git/hooks" / name, os.X_OK) for name in NAMES)


def test_what_is_installed_twice_is_as_installed_once(project):
    def all_files():
        return {path.name: path.read_bytes() for path in [*(project.root / ".git/hooks").iterdir(), project.root / ".git/config", project.root / ".git/info/attributes"]}

    before = all_files()
    project.mlvc("hooks", "install")
    assert all_files() == before


def test_uninstall_leaves_the_repository_as_it_was_before_install(project, tmp_path):
    fresh = set_up(project.at(tmp_path / "fresh"))
    names, config = sorted(os.listdir(fresh.root / ".git/hooks")), (fresh.root / ".git/config").read_text()
    fresh.write(".git/info/attributes", "*.png binary\n")
    fresh.mlvc("hooks", "install")
    assert set(fresh.mlvc("--json", "hooks", "uninstall").data["removed"]) == set(NAMES)
    assert sorted(os.listdir(fresh.root / ".git/hooks")) == names
    assert (fresh.root / ".git/config").read_text() == config
    assert fresh.read(".git/info/attributes") == "*.png binary\n"
    assert fresh.mlvc("--json", "hooks", "uninstall").data["removed"] == []
    assert not refuses_big_files(fresh)


def test_a_hook_of_another_version_is_named_and_renewed(project):
    hook = project.root / ".git/hooks/pre-push"
    fresh = hook.read_text()
    hook.write_text(fresh + "# older\n")
    assert states(project, code=1)["pre-push"] == "of another version of mlvc"
    project.mlvc("hooks", "install")
    assert hook.read_text() == fresh and not hook.with_name("pre-push.before-mlvc").exists()


def test_outside_of_git_it_says_so(project, tmp_path):
    (tmp_path / "plain").mkdir()
    for action in ("install", "status", "uninstall"):
        done = project.at(tmp_path / "plain").mlvc("hooks", action, code=2)
        assert "not a git repository" in done.err
    assert os.listdir(tmp_path / "plain") == []


# -- a hook that is there already ---------------------------------------------------------------------------------------


def test_a_hook_that_was_there_runs_first_and_comes_back_at_uninstall(project, tmp_path):
    fresh = set_up(project.at(tmp_path / "fresh"))
    hook = fresh.root / ".git/hooks/pre-commit"
    script(hook, "echo mine >&2")
    text = hook.read_text()
    fresh.mlvc("hooks", "install")
    assert fresh.mlvc("--json", "hooks", "status").data["hooks"]["pre-commit"] == {"state": "installed", "chained": True}
    fresh.write("big.bin", BIG)
    fresh.git("add", "big.bin")
    done = fresh.git("commit", "-q", "-m", "big", code=1)
    assert done.err.startswith("mine\nmlvc: ")
    fresh.mlvc("hooks", "uninstall")
    assert hook.read_text() == text and os.access(hook, os.X_OK) and not hook.with_name("pre-commit.before-mlvc").exists()
    assert fresh.git("commit", "-q", "-m", "big").err == "mine\n"


def test_a_chained_hook_stays_chained_when_installed_again(project, tmp_path):
    fresh = set_up(project.at(tmp_path / "fresh"))
    script(fresh.root / ".git/hooks/post-commit", "echo mine >&2")
    fresh.mlvc("hooks", "install")
    fresh.mlvc("hooks", "install")
    assert fresh.git("commit", "-q", "--allow-empty", "-m", "one").err.count("mine") == 1


@pytest.mark.parametrize("skip", [{}, {"MLVC_SKIP": "1"}])
def test_what_a_chained_hook_refuses_is_refused(project, tmp_path, skip):
    fresh = set_up(project.at(tmp_path / "fresh"))
    for name in ("pre-commit", "pre-push"):
        script(fresh.root / ".git/hooks" / name, f"echo no {name} >&2; exit 3")
    fresh.mlvc("hooks", "install")
    fresh.git("init", "-q", "--bare", "../there.git")
    assert "no pre-commit" in fresh.git("commit", "-q", "--allow-empty", "-m", "one", code=1, **skip).err
    fresh.git("commit", "-q", "--allow-empty", "--no-verify", "-m", "one")
    assert "no pre-push" in fresh.git("push", "-q", "../there.git", "main", code=1, **skip).err
    assert fresh.at(tmp_path / "there.git").git("for-each-ref").out == ""


def test_a_chained_hook_gets_the_arguments_and_the_input_that_git_gives(project, tmp_path):
    plain, chained = set_up(project.at(tmp_path / "plain")), set_up(project.at(tmp_path / "chained"))
    for one in (plain, chained):
        for name in ("pre-push", "post-rewrite", "post-checkout", "prepare-commit-msg"):
            script(one.root / ".git/hooks" / name, f'for word; do echo "<$word>"; done >>"{one.root}/.git/said"; cat </dev/stdin >>"{one.root}/.git/said"')
    chained.mlvc("hooks", "install")
    said = []
    for one in (plain, chained):
        dates = {"GIT_AUTHOR_DATE": "2024-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2024-01-01T00:00:00Z"}
        one.git("init", "-q", "--bare", f"../{one.root.name}.git")
        one.git("commit", "-q", "--allow-empty", "-m", "one", **dates)
        one.git("commit", "-q", "--amend", "--allow-empty", "-m", "two", **dates)
        one.git("branch", "other")
        one.git("switch", "-q", "other")
        one.git("push", "-q", f"../{one.root.name}.git", "main", "other")
        said.append((one.root / ".git/said").read_text().replace(one.root.name, "NAME"))
    assert said[0] == said[1]
    assert said[0].count("refs/heads/") == 4 and "<amend>" in said[0]


def test_the_exit_code_of_a_chained_post_checkout_is_that_of_the_checkout_as_without_mlvc(project, tmp_path):
    codes = []
    for name, install in (("plain", False), ("chained", True)):
        fresh = set_up(project.at(tmp_path / name))
        fresh.git("commit", "-q", "--allow-empty", "-m", "one")
        script(fresh.root / ".git/hooks/post-checkout", "exit 7")
        if install:
            fresh.mlvc("hooks", "install")
        codes.append(fresh.git("switch", "-q", "-c", "other", code=None).code)
    assert codes[0] == codes[1] != 0


def test_a_hook_without_permission_to_run_is_kept_and_not_run_as_git_does(project, tmp_path):
    fresh = set_up(project.at(tmp_path / "fresh"))
    hook = fresh.root / ".git/hooks/pre-commit"
    script(hook, "exit 1")
    hook.chmod(0o644)
    fresh.mlvc("hooks", "install")
    fresh.git("commit", "-q", "--allow-empty", "-m", "one")
    fresh.mlvc("hooks", "uninstall")
    assert hook.read_text() == "#!/bin/sh\nexit 1\n" and not os.access(hook, os.X_OK)


def test_two_older_hooks_of_one_name_are_both_kept_and_nothing_is_installed(project, tmp_path):
    fresh = set_up(project.at(tmp_path / "fresh"))
    folder = fresh.root / ".git/hooks"
    script(folder / "pre-push", "echo one")
    script(folder / "pre-push.before-mlvc", "echo two")
    script(folder / "pre-commit", "echo other")
    done = fresh.mlvc("hooks", "install", code=None)
    assert done.code != 0 and "pre-push" in done.err and "hint" in done.err
    assert (folder / "pre-push").read_text().endswith("echo one\n") and (folder / "pre-push.before-mlvc").read_text().endswith("echo two\n")
    assert (folder / "pre-commit").read_text().endswith("echo other\n") and not (folder / "post-commit").exists()


def test_hooks_of_git_lfs_go_on_working_behind_those_of_mlvc(project, tmp_path):
    if shutil.which("git-lfs") is None and os.environ.get("MLVC_TEST_SERVERS") != "required":
        pytest.skip("no git-lfs here: apt-get install git-lfs")
    fresh = set_up(project.at(tmp_path / "fresh"))
    fresh.git("lfs", "install", "--local")
    fresh.mlvc("hooks", "install")
    fresh.git("lfs", "track", "*.lfs")
    fresh.write("small.lfs", "large\n")
    fresh.commit("one")
    fresh.git("init", "-q", "--bare", "../there.git")
    fresh.git("remote", "add", "origin", (tmp_path / "there.git").as_uri())
    fresh.git("push", "-q", "origin", "main")
    assert [path for path in (tmp_path / "there.git/lfs/objects").rglob("*") if path.is_file()]


# -- core.hooksPath ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_absolute", [False, True])
def test_hooks_go_where_this_repository_says_that_its_hooks_are(project, tmp_path, is_absolute):
    fresh = set_up(project.at(tmp_path / "fresh"))
    folder = tmp_path / "my hooks" if is_absolute else fresh.root / "git hooks"
    fresh.git("config", "core.hooksPath", str(folder) if is_absolute else "git hooks")
    fresh.mlvc("hooks", "install")
    assert fresh.mlvc("--json", "hooks", "status").data["folder"] == str(folder)
    assert set(os.listdir(folder)) == set(NAMES) and not (fresh.root / ".git/hooks/pre-commit").exists()
    assert refuses_big_files(fresh)
    fresh.mlvc("hooks", "uninstall")
    assert os.listdir(folder) == [] and not refuses_big_files(fresh)


def test_a_hooks_path_in_the_home_folder_is_found(project, tmp_path):
    fresh = set_up(project.at(tmp_path / "fresh"))
    fresh.git("config", "core.hooksPath", "~/hooks here")
    fresh.mlvc("hooks", "install")
    assert set(os.listdir(Path(fresh.environment["HOME"]) / "hooks here")) == set(NAMES)
    assert refuses_big_files(fresh)


def test_hooks_of_all_repositories_of_a_user_are_not_touched_unless_told(project, tmp_path):
    fresh = set_up(project.at(tmp_path / "fresh"))
    folder = tmp_path / "everyone"
    fresh.git("config", "--global", "core.hooksPath", str(folder))
    done = fresh.mlvc("hooks", "install", code=None)
    assert done.code != 0 and "all your repositories" in done.err and "--force" in done.err
    assert not folder.exists() and not refuses_big_files(fresh)

    fresh.mlvc("hooks", "install", "--force")
    assert refuses_big_files(fresh)
    other = project.at(tmp_path / "other")
    other.root.mkdir()
    other.git("init", "-q")
    assert not refuses_big_files(other), "a repository without mlvc is left alone"


def test_the_hint_about_hooks_of_all_repositories_works(project, tmp_path):
    fresh = set_up(project.at(tmp_path / "fresh"))
    fresh.git("config", "--global", "core.hooksPath", str(tmp_path / "everyone"))
    hint = fresh.mlvc("hooks", "install", code=None).err
    assert "git config --local core.hooksPath .git/hooks" in hint
    fresh.git("config", "--local", "core.hooksPath", ".git/hooks")
    fresh.mlvc("hooks", "install")
    assert refuses_big_files(fresh) and not (tmp_path / "everyone").exists()


# -- worktrees, submodules, bare repositories ----------------------------------------------------------------------------


def test_installed_from_a_subfolder_hooks_are_where_git_runs_them(project, tmp_path):
    fresh = set_up(project.at(tmp_path / "fresh"))
    (fresh.root / "deep/er").mkdir(parents=True)
    fresh.run("mlvc", "hooks", "install", cwd=fresh.root / "deep/er")
    assert refuses_big_files(fresh)
    assert fresh.run("mlvc", "hooks", "status", cwd=fresh.root / "deep").code == 0


def test_a_linked_worktree_has_the_same_hooks_and_uninstall_there_takes_them_away(project, tmp_path):
    project.write("mlvc.toml", SMALL)
    project.add("m.bin", "one\n")
    project.commit()
    tree = project.at(tmp_path / "tree")
    project.git("worktree", "add", "-q", "-b", "w", str(tree.root))
    assert tree.read("m.bin") == "one\n"
    assert states(tree) == states(project) == dict.fromkeys(NAMES, "installed")
    assert refuses_big_files(tree)
    tree.mlvc("hooks", "uninstall")
    assert set(states(project, code=1).values()) == {"not installed"}
    tree.mlvc("hooks", "install")
    assert refuses_big_files(project)


def test_each_worktree_follows_its_own_branch(project, tmp_path):
    project.add("m.bin", "one\n")
    project.commit("one")
    tree = project.at(tmp_path / "tree")
    project.git("worktree", "add", "-q", "-b", "w", str(tree.root))
    tree.add("m.bin", "two\n")
    tree.commit("two")
    assert project.read("m.bin") == "one\n"
    tree.git("checkout", "-q", "--detach", "main")
    assert tree.read("m.bin") == "one\n"
    project.git("merge", "-q", "w")
    assert (project.read("m.bin"), tree.read("m.bin")) == ("two\n", "one\n")


def test_worktrees_of_a_bare_repository_share_hooks_and_store(project, tmp_path):
    project.write("mlvc.toml", SMALL)
    project.commit()
    bare = project.at(tmp_path / "bare.git")
    project.git("clone", "-q", "--bare", str(project.root), str(bare.root))
    bare.mlvc("hooks", "install")
    assert states(bare) == dict.fromkeys(NAMES, "installed")
    first, second = project.at(tmp_path / "first"), project.at(tmp_path / "second")
    bare.git("worktree", "add", "-q", str(first.root), "main")
    first.mlvc("init", code=None)
    assert states(first) == dict.fromkeys(NAMES, "installed")
    assert refuses_big_files(first)
    first.add("m.bin", "one\n")
    first.commit()
    bare.git("worktree", "add", "-q", "-b", "w", str(second.root))
    assert second.read("m.bin") == "one\n"


def test_a_submodule_has_hooks_and_pins_of_its_own(project, tmp_path):
    library = set_up(project.at(tmp_path / "library"))
    library.add("m.bin", "one\n")
    library.mlvc("remote", "add", "data", str(tmp_path / "data"))
    library.commit("one")
    library.mlvc("push")
    project.git("submodule", "add", "-q", str(library.root), "lib")
    inner = project.at(project.root / "lib")
    inner.mlvc("hooks", "install")
    assert inner.mlvc("--json", "hooks", "status").data["folder"] == str(project.root / ".git/modules/lib/hooks")
    assert refuses_big_files(inner)
    inner.mlvc("pull")
    inner.mlvc("checkout")
    inner.add("m.bin", "two\n")
    inner.commit("two")
    project.commit("with the library")
    assert project.status()["pins"] == []
    inner.git("checkout", "-q", "HEAD~1")
    assert inner.read("m.bin") == "one\n"
    project.git("submodule", "update", "-q")
    assert inner.read("m.bin") == "two\n"
    assert states(project) == dict.fromkeys(NAMES, "installed")


# -- programs that manage hooks ------------------------------------------------------------------------------------------


def test_beside_husky_a_snippet_is_printed_that_works_when_pasted(project, tmp_path):
    fresh = set_up(project.at(tmp_path / "fresh"))
    fresh.git("config", "core.hooksPath", ".husky/_")
    for name in NAMES:  # what husky makes
        script(fresh.root / ".husky/_" / name, f'own="${{0%/*}}/../{name}"; [ -f "$own" ] || exit 0; sh -e "$own" "$@"')
    before = {path: path.read_bytes() for path in (fresh.root / ".husky").rglob("*") if path.is_file()}
    done = fresh.mlvc("hooks", "install")
    assert "husky" in done.out and 'mlvc hook pre-push "$@"' in done.out
    assert {path: path.read_bytes() for path in (fresh.root / ".husky").rglob("*") if path.is_file()} == before
    snippet = fresh.mlvc("--json", "hooks", "status", code=1).data["snippet"]
    for part in snippet.split("# .husky/")[1:]:
        name, _, text = part.partition("\n")
        fresh.write(f".husky/{name}", text)
    assert refuses_big_files(fresh)
    fresh.add("m.bin", "one\n")
    fresh.commit()
    fresh.git("switch", "-q", "-c", "other")
    fresh.add("m.bin", "two\n")
    fresh.commit()
    fresh.git("switch", "-q", "main")
    assert fresh.read("m.bin") == "one\n"


GUARD = "command -v mlvc >/dev/null 2>&1 || exit 0; "


@pytest.mark.parametrize(("manager", "name"), [("lefthook", "lefthook.yml"), ("lefthook", "lefthook.toml"), ("pre-commit", ".pre-commit-config.yaml")])
def test_beside_other_managers_a_snippet_for_every_hook_is_printed_and_nothing_is_placed(project, tmp_path, manager, name):
    import yaml

    fresh = set_up(project.at(tmp_path / "fresh"))
    fresh.write(name, "")
    before = sorted(os.listdir(fresh.root / ".git/hooks"))
    done = fresh.mlvc("hooks", "install")
    assert f"{manager} manages the hooks here" in done.out
    assert sorted(os.listdir(fresh.root / ".git/hooks")) == before
    said = fresh.mlvc("--json", "hooks", "status", code=1).data
    assert said["manager"] == manager and said["merges"]
    snippet = yaml.safe_load(said["snippet"])
    if manager == "lefthook":
        assert {hook: one["commands"]["mlvc"]["run"] for hook, one in snippet.items()} == {hook: f"{GUARD}mlvc hook {hook} {{0}}" for hook in NAMES}
    else:
        assert {hook["entry"]: hook["stages"] for hook in snippet["repos"][0]["hooks"]} == {f"""sh -c '{GUARD}mlvc hook {hook} "$@"' mlvc""": [hook] for hook in NAMES}
    fresh.mlvc("hooks", "install", "--force")
    assert refuses_big_files(fresh)


# -- mlvc is missing, or passed over -------------------------------------------------------------------------------------


@pytest.mark.parametrize("program", [None, "/nowhere/mlvc"])
def test_without_mlvc_git_works_and_one_line_says_so(project, without_mlvc, tmp_path, program):
    project.write("mlvc.toml", SMALL)
    project.add("m.bin", "one\n")
    project.commit()
    project.git("config", *(["--unset", "mlvc.program"] if program is None else ["mlvc.program", program]))
    bare = project.at(project.root)
    bare.environment = without_mlvc
    bare.write("big.bin", BIG)
    bare.git("add", "big.bin")
    said = bare.git("commit", "-q", "-m", "big").err
    assert "mlvc: not found on the PATH; the pre-commit hook does nothing\n" in said
    said = bare.git("switch", "-q", "-c", "other").err
    assert said == "mlvc: not found on the PATH; the post-checkout hook does nothing\n"
    bare.git("init", "-q", "--bare", str(tmp_path / "there.git"))
    said = bare.git("push", "-q", str(tmp_path / "there.git"), "other").err
    assert said == "mlvc: not found on the PATH; the pre-push hook does nothing\n"
    bare.git("commit", "-q", "--amend", "-m", "bigger")
    bare.git("rebase", "-q", "--force-rebase", "HEAD~1")
    bare.git("merge", "-q", "main")
    assert bare.read("m.bin") == "one\n"


def test_a_program_started_from_a_menu_finds_mlvc_by_its_setting(project, without_mlvc, tmp_path):
    project.write("mlvc.toml", SMALL)
    project.git("config", "mlvc.program", str(tmp_path / "programs/mlvc"))
    window = project.at(project.root)
    window.environment = without_mlvc
    assert refuses_big_files(window)


def test_an_mlvc_that_cannot_be_run_stops_nothing(project, tmp_path):
    project.write("mlvc.toml", SMALL)
    script(tmp_path / "programs/mlvc", "echo it is broken >&2; exit 1")
    project.write("big.bin", BIG)
    project.git("add", "-A")
    assert "cannot be run; the pre-commit hook does nothing" in project.git("commit", "-q", "-m", "big").err
    project.git("init", "-q", "--bare", "../there.git")
    assert "cannot be run; the pre-push hook does nothing" in project.git("push", "-q", "../there.git", "main").err
    project.git("switch", "-q", "-c", "other")


@pytest.mark.parametrize(("said", "passes"), [("1", True), ("pre-commit", True), ("pre-push,pre-commit", True), ("pre-push", False), ("", False)])
def test_mlvc_skip_passes_over_all_hooks_or_those_it_names(project, said, passes):
    project.write("mlvc.toml", SMALL)
    project.write("big.bin", BIG)
    project.git("add", "-A")
    assert (project.git("commit", "-q", "-m", "big", code=None, MLVC_SKIP=said).code == 0) == passes


def test_skipped_checkouts_leave_the_files_and_the_next_one_brings_them_in_line(project):
    project.add("m.bin", "one\n")
    project.commit("one")
    project.git("switch", "-q", "-c", "other")
    project.add("m.bin", "two\n")
    project.commit("two")
    project.git("switch", "-q", "main", MLVC_SKIP="1")
    assert project.read("m.bin") == "two\n"
    project.git("switch", "-q", "-c", "third")
    assert project.read("m.bin") == "one\n"


def test_the_hook_command_refuses_an_unknown_name_and_passes_outside_of_a_repository(project, tmp_path):
    (tmp_path / "plain").mkdir()
    plain = project.at(tmp_path / "plain")
    for name in NAMES:
        assert plain.mlvc("hook", name).err == ""
    assert "pre-commit" in plain.mlvc("hook", "pre-comit", code=2).err


def test_the_scripts_are_plain_sh(project):
    for name in NAMES:
        path = project.root / ".git/hooks" / name
        assert path.read_text().startswith("#!/bin/sh\n")
        assert subprocess.run(["sh", "-n", str(path)], check=False).returncode == 0
