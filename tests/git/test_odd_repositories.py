"""Repositories as they also are: submodules, shallow and partial clones, SHA-256, odd names, odd line ends, moved and shared ones."""

import os
import shutil
import unicodedata

import pytest


def kinds(project) -> dict[str, str]:
    return {one["path"]: one["kind"] for pin in project.status()["pins"] for one in pin["changes"]}


def fork(project, path: str = "model.bin") -> None:
    """Two branches that pin a path differently; `main` is checked out."""
    project.add(path, "one\n")
    project.commit("one")
    project.git("switch", "-q", "-c", "feature")
    project.add(path, "two\n")
    project.commit("two")
    project.git("switch", "-q", "main")


def follows(project, path: str = "model.bin") -> None:
    """What must hold in any repository that `fork` made."""
    project.git("switch", "-q", "feature")
    assert project.read(path) == "two\n" and project.is_in_line()
    project.git("switch", "-q", "main")
    assert project.read(path) == "one\n" and project.is_in_line()
    project.git("merge", "-q", "--no-ff", "-m", "both", "feature")
    assert project.read(path) == "two\n" and project.is_in_line()
    assert project.git("status", "--short").out == ""


@pytest.fixture
def made(project):
    """Makes a repository with mlvc and its hooks in a folder, and one commit."""

    def make(root, *options: str, **variables: str):
        root.mkdir(parents=True, exist_ok=True)
        other = project.at(root)
        other.git("init", "-q", *options, **variables)
        other.mlvc("init")
        other.mlvc("hooks", "install")
        other.write("readme.md", "hello\n")
        other.commit("first")
        return other

    return make


# -- kinds of repositories ----------------------------------------------------------------------------------------------


def test_a_sha256_repository_is_one_like_others(made, tmp_path):
    project = made(tmp_path / "sha256", "--object-format=sha256")
    fork(project)
    assert len(project.head()) == 64
    follows(project)
    assert [one["kind"] for one in project.mlvc("--json", "diff", "--git", "HEAD~1..HEAD").data] == ["modified"]
    assert project.git("rev-parse", "feature").out[:12] in project.mlvc("log", "--git").out


def test_before_the_first_commit_pins_work_and_questions_about_commits_are_answered(project, tmp_path):
    fresh = project.at(tmp_path / "fresh")
    fresh.root.mkdir()
    fresh.git("init", "-q")
    fresh.mlvc("init")
    fresh.mlvc("hooks", "install")
    fresh.add("model.bin", "one\n")
    assert fresh.is_in_line()
    assert "no commit has changed a pin" in fresh.mlvc("log", "--git").out
    done = fresh.mlvc("diff", "--git", code=None)
    assert done.code != 0 and "Git knows no commit 'HEAD' here" in done.err
    fresh.commit("first of all")
    assert fresh.is_in_line() and "first of all" in fresh.mlvc("log", "--git").out


def test_an_orphan_branch_starts_without_artifacts_and_leaving_it_brings_them_back(project):
    project.add("model.bin", "one\n")
    project.commit()
    project.git("switch", "-q", "--orphan", "new")
    assert not (project.root / "model.bin").exists() and project.status()["leftover"] == []
    project.git("switch", "-q", "main")
    assert project.read("model.bin") == "one\n" and project.is_in_line()


def test_commits_on_a_detached_head_keep_and_move_pins(project):
    fork(project)
    project.git("checkout", "-q", "--detach")
    project.add("model.bin", "three\n")
    there = project.commit("detached")
    project.git("checkout", "-q", "main")
    assert project.read("model.bin") == "one\n" and project.is_in_line()
    project.git("checkout", "-q", there)
    assert project.read("model.bin") == "three\n" and project.is_in_line()
    assert [one["kind"] for one in project.mlvc("--json", "diff", "--git", "main..HEAD").data] == ["modified"]


@pytest.mark.parametrize("option", ["--depth=1", "--filter=blob:none", "--filter=tree:0"])
def test_shallow_and_partial_clones_get_their_files_and_follow(project, tmp_path, option):
    fork(project)
    project.mlvc("remote", "add", "origin", str(tmp_path / "store"))
    project.commit("remote")
    project.mlvc("push")
    project.git("config", "uploadpack.allowFilter", "true")
    project.git("clone", "-q", "--no-single-branch", option, f"file://{project.root}", str(tmp_path / "clone"))
    clone = project.at(tmp_path / "clone")
    clone.mlvc("hooks", "install")
    clone.mlvc("pull")
    clone.mlvc("checkout")
    assert clone.read("model.bin") == "one\n" and clone.is_in_line()
    clone.mlvc("fetch", "model:v1")
    said = clone.git("checkout", "-q", "origin/feature")
    assert "model.bin: " not in said.err and clone.read("model.bin") == "two\n" and clone.is_in_line()
    assert clone.mlvc("log", "--git").out
    done = clone.mlvc("diff", "--git", "HEAD~2..HEAD", code=None)
    if option == "--depth=1":
        assert done.code != 0 and "a shallow clone lacks the older ones" in done.err
    else:
        assert done.code == 0 and "added:     model.bin  model:v1" in done.out


# -- repositories in repositories ---------------------------------------------------------------------------------------


def test_a_submodule_and_the_repository_around_it_keep_their_pins_apart(project, made, tmp_path):
    origin = made(tmp_path / "origin")
    fork(origin)
    origin.mlvc("remote", "add", "origin", str(tmp_path / "store"))
    origin.commit("remote")
    origin.mlvc("push")
    project.git("submodule", "--quiet", "add", str(origin.root), "sub")
    project.add("outer.bin", "outer\n")
    project.commit("with a submodule")
    sub = project.at(project.root / "sub")
    sub.mlvc("pull")
    sub.mlvc("hooks", "install")
    sub.mlvc("checkout")
    sub.mlvc("fetch", "model:v1")
    assert sub.read("model.bin") == "one\n" and sub.is_in_line()
    assert [pin["path"] for pin in project.status()["pins"]] == ["outer.bin"] and project.is_in_line()
    sub.git("checkout", "-q", "origin/feature")
    assert sub.read("model.bin") == "two\n" and sub.is_in_line()
    project.git("submodule", "--quiet", "update")  # back to what the outer commit says
    assert sub.read("model.bin") == "one\n" and sub.is_in_line()
    assert project.git("status", "--short").out == "" and sub.git("status", "--short").out == ""
    assert (project.root / ".git" / "modules" / "sub" / "mlvc").is_dir(), "the submodule has a store of its own"


@pytest.mark.parametrize("ignored", [True, False])
def test_a_repository_inside_of_another_has_its_own_pins_and_the_outer_one_touches_none(project, made, ignored):
    project.write(".gitignore", "/vendor\n" if ignored else "")
    fork(project)
    inner = made(project.root / "vendor" / "inner")
    fork(inner, "weights.bin")
    inner.write("weights.bin", "edited\n")
    project.git("switch", "-q", "feature")
    project.git("switch", "-q", "main")
    assert [pin["path"] for pin in project.status()["pins"]] == ["model.bin"]
    assert kinds(inner) == {"weights.bin": "modified"} and inner.read("weights.bin") == "edited\n"
    inner.mlvc("checkout", "--force")
    inner.git("switch", "-q", "feature")
    assert inner.read("weights.bin") == "two\n" and inner.is_in_line()


def test_git_without_mlvc_inside_of_a_project_is_no_part_of_it(project):
    project.write("tool/readme.md", "x\n")
    inner = project.at(project.root / "tool")
    inner.git("init", "-q")
    inner.write("w.bin", "w\n")
    done = inner.mlvc("add", "w.bin", code=None)
    assert done.code != 0 and "there is no mlvc repository" in done.err
    assert not (project.root / "mlvc.lock").exists()


# -- where things are ---------------------------------------------------------------------------------------------------


def test_worktrees_of_a_bare_repository_share_a_store_and_each_follows(project, tmp_path):
    fork(project)
    project.mlvc("remote", "add", "origin", str(tmp_path / "store"))
    project.commit("remote")
    project.mlvc("push")
    project.git("clone", "-q", "--bare", str(project.root), str(tmp_path / "hub.git"))
    hub = project.at(tmp_path / "hub.git")
    hub.git("worktree", "add", "-q", str(tmp_path / "one"), "main")
    one, two = project.at(tmp_path / "one"), project.at(tmp_path / "two")
    one.mlvc("pull")
    one.mlvc("checkout")
    one.mlvc("fetch", "model:v1")
    hub.mlvc("hooks", "install")
    assert (tmp_path / "hub.git" / "mlvc").is_dir()
    hub.git("worktree", "add", "-q", str(two.root), "feature")
    assert (one.read("model.bin"), two.read("model.bin")) == ("one\n", "two\n")
    assert one.is_in_line() and two.is_in_line()
    two.add("model.bin", "three\n")
    two.commit("three")
    one.git("merge", "-q", "-m", "m", "feature")
    assert one.read("model.bin") == "three\n" and one.is_in_line()


def test_in_a_bare_repository_itself_mlvc_says_there_is_no_working_tree_and_git_goes_on(project, tmp_path):
    fork(project)
    project.git("clone", "-q", "--bare", str(project.root), str(tmp_path / "hub.git"))
    hub = project.at(tmp_path / "hub.git")
    hub.mlvc("hooks", "install")
    assert hub.mlvc("status", code=None).code != 0
    project.git("remote", "add", "hub", str(hub.root))
    project.git("push", "-q", "hub", "main:other", MLVC_SKIP="1")
    hub.git("branch", "-m", "other", "renamed")


def test_a_worktree_that_is_gone_keeps_nothing_from_working(project, tmp_path):
    fork(project)
    project.git("worktree", "add", "-q", str(tmp_path / "removed"), "feature")
    assert (tmp_path / "removed" / "model.bin").read_text() == "two\n"
    project.git("worktree", "remove", str(tmp_path / "removed"))
    project.git("worktree", "add", "-q", "-B", "other", str(tmp_path / "deleted"), "feature")
    shutil.rmtree(tmp_path / "deleted")  # and Git knows nothing of it yet
    follows(project)
    project.git("worktree", "prune")
    assert project.is_in_line()


def test_a_repository_moved_elsewhere_still_follows_and_keeps_edits(project, tmp_path):
    fork(project)
    os.rename(project.root, tmp_path / "moved here")
    moved = project.at(tmp_path / "moved here")
    assert moved.is_in_line()
    moved.write("model.bin", "my edit\n")
    moved.git("switch", "-q", "feature")
    assert moved.read("model.bin") == "my edit\n" and kinds(moved) == {"model.bin": "modified"}
    moved.mlvc("checkout", "--force")
    moved.git("switch", "-q", "main")
    follows(moved)


def test_another_repository_moved_to_its_place_is_not_taken_for_it(project, made, tmp_path):
    fork(project)
    other = made(tmp_path / "other")
    other.add("model.bin", "1st\n")
    other.commit()
    os.rename(project.root, tmp_path / "away")
    os.rename(other.root, project.root)
    assert project.is_in_line()
    project.write("model.bin", "2nd\n")
    assert kinds(project) == {"model.bin": "modified"}


def test_git_dir_and_work_tree_may_be_said_by_variables(project, tmp_path):
    fork(project)
    tree, private = tmp_path / "tree", tmp_path / "private.git"
    os.rename(project.root / ".git", private)
    os.rename(project.root, tree)
    (tmp_path / "somewhere").mkdir()
    project.environment |= {"GIT_DIR": str(private), "GIT_WORK_TREE": str(tree)}
    there = project.at(tree)
    follows(there)
    there.git("reset", "-q", "--hard", "HEAD~1")
    assert kinds(there) == {"model.bin": "modified"}
    there.run("git", "switch", "-q", "feature", cwd=tmp_path / "somewhere")
    assert there.read("model.bin") == "two\n" and there.is_in_line()


def test_what_git_refuses_for_its_owner_mlvc_refuses_with_git_s_own_reason(project):
    fork(project)
    lock = project.read("mlvc.lock")
    project.write("model.bin", "edited\n")
    for words in (["status"], ["add", "model.bin"], ["checkout", "--force"]):
        done = project.mlvc(*words, code=None, GIT_TEST_ASSUME_DIFFERENT_OWNER="1")
        assert done.code != 0 and "detected dubious ownership" in done.err
    assert project.read("model.bin") == "edited\n" and project.read("mlvc.lock") == lock
    project.git("config", "--global", "safe.directory", "*")
    assert project.mlvc("status", GIT_TEST_ASSUME_DIFFERENT_OWNER="1").code == 0


# -- what files are called ----------------------------------------------------------------------------------------------

NAMES = [
    "with spaces .bin ",
    "tab\there.bin",
    "return\rhere.bin",
    "quo\"te's.bin",
    "-leading-dash.bin",
    "#hash.bin",
    "!bang.bin",
    "star*[a]?.bin",
    "back\\slash.bin",
    ":(top)magic.bin",
    "模型 Größe.bin",
    unicodedata.normalize("NFD", "é.bin"),
    "separator\u2028here.bin",
    "<<<<<<< ours.bin",
    "HEAD",
    'folder with "quotes"/и файл.bin',
]


def test_files_of_any_name_are_pinned_kept_from_git_and_followed(project):
    for name in NAMES:
        project.write(name, f"one {name}")
    project.mlvc("add", "--", *NAMES)
    assert project.git("-c", "core.quotePath=false", "ls-files", "-z", "--others", "--exclude-standard").out.strip("\0").split("\0") == [
        ".gitignore", 'folder with "quotes"/.gitignore', "mlvc.lock",
    ]  # fmt: skip
    project.commit("one")
    project.git("switch", "-q", "-c", "feature")
    for name in NAMES:
        project.write(name, f"two {name}")
    assert {path for path, kind in kinds(project).items() if kind == "modified"} == set(NAMES)
    project.mlvc("add", "--", *NAMES)
    project.commit("two")
    for branch, word in (("main", "one"), ("feature", "two")):
        project.git("switch", "-q", branch)
        assert [(project.root / name).read_bytes().decode() for name in NAMES] == [f"{word} {name}" for name in NAMES]
        assert project.is_in_line()
    assert {one["path"] for one in project.mlvc("--json", "diff", "--git", "main..feature").data} == set(NAMES)
    project.git("switch", "-q", "--detach", "main~1")
    assert not any((project.root / name).exists() for name in NAMES)


@pytest.mark.parametrize("name", ["tab\there.bin", "-leading-dash.bin", "<<<<<<< ours.bin", NAMES[-1]])
def test_an_odd_name_in_conflict_is_settled_by_that_name(project, name):
    project.write(name, "base")
    project.mlvc("add", "--", name)
    project.commit()
    project.git("switch", "-q", "-c", "feature")
    project.write(name, "theirs")
    project.mlvc("add", "--", name)
    project.commit()
    project.git("switch", "-q", "main")
    project.write(name, "ours")
    project.mlvc("add", "--", name)
    project.commit()
    project.git("merge", "-q", "feature", code=1)
    project.mlvc("resolve", "--theirs", "--", name)
    assert project.read(name) == "theirs" and project.is_in_line()


def test_artifacts_with_line_ends_in_names_inside_a_pinned_folder_follow(project):
    names = ["line\nend.bin", "sub\nfolder/x.bin", "\n"]
    for text in ("one", "two"):
        for name in names:
            project.write(f"data/{name}", text)
        project.mlvc("add", "data")
        project.commit(text)
    project.git("checkout", "-q", "HEAD~1")
    assert [project.read(f"data/{name}") for name in names] == ["one"] * 3 and project.is_in_line()
    project.git("checkout", "-q", "--", ".")
    assert project.git("status", "--short").out == ""


def test_a_name_that_is_no_text_is_refused_and_nothing_is_pinned(project):
    (project.root / os.fsdecode(b"caf\xe9.bin")).write_bytes(b"x")
    done = project.mlvc("add", os.fsdecode(b"caf\xe9.bin"), code=None)
    assert done.code != 0 and "is not valid Unicode" in done.err
    assert not (project.root / "mlvc.lock").exists() and not (project.root / ".gitignore").exists()


def test_a_repository_in_a_folder_with_an_odd_name_is_found(made, tmp_path):
    project = made(tmp_path / "line\nend" / "- 模型 'q\" ")
    fork(project)
    follows(project)


# -- how Git is set up --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("has_hooks", [True, False])
def test_windows_line_ends_in_the_lock_file_mean_nothing(project, has_hooks):
    project.git("config", "core.autocrlf", "true")
    fork(project)
    if not has_hooks:
        project.mlvc("hooks", "uninstall")
    (project.root / "mlvc.lock").unlink()
    project.git("checkout", "-q", "--", "mlvc.lock")
    assert (b"\r\n" in (project.root / "mlvc.lock").read_bytes()) == (not has_hooks)
    assert project.is_in_line()
    project.git("switch", "-q", "feature")
    if not has_hooks:
        assert project.status()["pins"][0]["holds"] == "model:v0"
        project.mlvc("checkout")
    assert project.read("model.bin") == "two\n", "and an artifact's bytes are never converted"
    assert project.is_in_line() and [one["kind"] for one in project.mlvc("--json", "diff", "--git", "main..feature").data] == ["modified"]
    project.add("other.bin", "x\r\ny\n")
    project.commit()
    assert project.is_in_line() and project.git("status", "--short").out == ""


def test_a_lock_file_committed_with_windows_line_ends_is_merged_and_followed(project):
    fork(project)
    data = (project.root / "mlvc.lock").read_bytes().replace(b"\n", b"\r\n")
    (project.root / ".git" / "info" / "attributes").write_text("mlvc.lock -text merge=mlvc-lock\n")
    project.write("mlvc.lock", data)
    project.commit("line ends")
    assert b"\r\n" in project.git("cat-file", "blob", "HEAD:mlvc.lock").out.encode()
    project.git("merge", "-q", "-m", "m", "feature")
    assert project.read("model.bin") == "two\n" and project.is_in_line()


def test_a_sparse_checkout_has_its_lock_file_and_follows(project):
    project.write("src/a.py", "a\n")
    project.write("docs/b.md", "b\n")
    fork(project)
    project.git("sparse-checkout", "set", "src")
    assert not (project.root / "docs").exists()
    follows(project)


SETTINGS = (
    "log.showSignature=true core.quotePath=true diff.noprefix=true status.showUntrackedFiles=no color.ui=always log.date=iso core.untrackedCache=true "
    "merge.conflictStyle=zdiff3 rebase.autoStash=true diff.external=false core.pager=false format.pretty=oneline log.follow=true core.splitIndex=true"
)


def test_a_person_s_settings_of_git_change_nothing(project):
    for setting in SETTINGS.split():
        project.git("config", *setting.split("="))
    fork(project)
    follows(project)
    said = project.mlvc("log", "--git").out
    assert "\033" not in said and said.count("model.bin  model:v0 -> model:v1") == 1
