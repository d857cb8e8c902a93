"""Runs recorded and made again where names are no text, paths are absolute, secrets are hidden, and Git is told where to look."""

import os

import pytest


def code_again(project):
    return project.mlvc("reproduce", "first", code=None)


SCRIPT = """\
import pathlib, mlvc
with mlvc.init() as run:
    pathlib.Path("out.bin").write_text("made by version 1")
    model = mlvc.Artifact("model", type="model")
    model.add_file("out.bin")
    run.log_artifact(model)
"""


@pytest.fixture
def scripted(project):
    project.write(".gitignore", "*.bin\n")
    project.write("train.py", SCRIPT)
    project.commit("script")
    return project


def test_a_run_that_was_reproduced_is_reproduced_again_in_a_clean_worktree(scripted):
    scripted.mlvc("run", "--name", "first", "--", "python", "train.py")
    scripted.mlvc("reproduce", "first")
    scripted.write("train.py", SCRIPT.replace("version 1", "version 2"))
    scripted.write("out.bin", "precious\n")
    again = scripted.mlvc("reproduce", "project-reproduced/first-again", code=None)
    assert scripted.read("out.bin") == "precious\n", "the user's file was overwritten"
    assert again.code == 0 and "the same, bit for bit" in again.out


def test_an_edit_in_the_second_of_the_commit_with_the_same_size_is_in_the_patch(project):
    project.git("config", "core.trustctime", "false")
    path = project.write("train.py", "lr = 1\n")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    project.commit("train")
    project.write("train.py", "lr = 2\n")
    for one in (path, project.root / ".git/index"):  # as if all of it had happened within one second
        os.utime(one, (1_700_000_000, 1_700_000_000))
    project.mlvc("run", "--name", "first", "--", "true")
    assert project.mlvc("--json", "show", "run/first").data["facts"]["git"]["is_dirty"]
    assert "+lr = 2\n" in project.mlvc("show", "run/first", "--patch").out


def test_a_name_that_is_no_utf8_keeps_no_run_from_beginning(project):
    (project.root / os.fsdecode(b"caf\xe9.key")).write_text("hunter2\n")
    project.mlvc("run", "--name", "first", "--", "true")
    assert len(project.mlvc("--json", "show", "run/first").data["facts"]["git"]["left_out"]) == 1


def test_a_branch_that_is_no_utf8_keeps_no_run_from_beginning(project):
    project.git("switch", "-q", "-c", os.fsdecode(b"caf\xe9"))
    project.mlvc("run", "--name", "first", "--", "true")
    assert project.mlvc("--json", "show", "run/first").data["facts"]["git"]["commit"] == project.head()


def test_the_variables_of_git_do_not_lead_the_patch_into_the_users_files(project, tmp_path):
    project.write("readme.md", "dirty\n")
    project.write("new.py", "x\n")
    project.mlvc("run", "--name", "first", "--output", "o=readme.md", "--", "true")
    project.git("checkout", "-q", ".")
    (project.root / "new.py").unlink()
    here = {"GIT_DIR": str(project.root / ".git"), "GIT_WORK_TREE": str(project.root)}
    done = project.mlvc("reproduce", "--dir", "again", "first", **here)
    assert project.read("readme.md") == "hello\n" and not (project.root / "new.py").exists()
    assert "the same" in done.out


def test_the_variables_of_git_break_no_reproduction(project):
    project.write("readme.md", "dirty\n")
    project.mlvc("run", "--name", "first", "--output", "o=readme.md", "--", "true")
    project.mlvc("reproduce", "first", GIT_DIR=str(project.root / ".git"), GIT_WORK_TREE=str(project.root))


def test_a_new_run_records_the_worktrees_commit_also_below_a_git_alias(project, tmp_path):
    project.git("worktree", "add", "-q", str(tmp_path / "linked"))
    linked = project.at(tmp_path / "linked")
    linked.write("n.txt", "one\n")
    first = linked.commit("one")
    linked.mlvc("run", "--name", "first", "--output", "o=n.txt", "--", "true")
    linked.write("n.txt", "two, longer\n")
    linked.commit("two")
    linked.git("-c", "alias.again=!mlvc reproduce", "again", "first")
    state = linked.mlvc("--json", "show", "project-reproduced/first-again").data["facts"]["git"]
    assert state["commit"] == first and not state["is_dirty"]


def test_a_script_named_by_its_whole_path_runs_as_it_was_then(scripted):
    scripted.mlvc("run", "--name", "first", "--", "python", str(scripted.root / "train.py"))
    scripted.write("train.py", SCRIPT.replace("version 1", "version 2"))
    done = code_again(scripted)
    assert done.code == 0 and "the same, bit for bit" in done.out


def test_an_output_named_by_its_whole_path_is_that_of_the_new_run(project):
    project.write(".gitignore", "*.bin\n")
    project.commit("ignore")
    command = "head -c 8 /dev/urandom > out.bin"
    project.mlvc("run", "--name", "first", "--output", f"o={project.root}/out.bin", "--", "sh", "-c", command)
    assert "the same" not in code_again(project).out, "eight random bytes are never the same"


def test_an_input_named_by_its_whole_path_is_not_written_over_the_users_file(project):
    project.write("data/one.txt", "one\n")
    project.mlvc("add", "data")
    project.write(".gitignore", "/in/\n/data/\n")
    project.commit("data")
    project.mlvc("run", "--name", "first", "--input", f"data:latest={project.root}/in", "--", "true")
    project.write("in/one.txt", "mine now\n")
    code_again(project)
    assert project.read("in/one.txt") == "mine now\n"


def test_the_submodules_of_the_commit_are_there(project, tmp_path):
    library = project.at(tmp_path / "library")
    library.root.mkdir()
    library.git("init", "-q")
    library.write("lib.py", "x = 1\n")
    library.git("add", "-A")
    library.git("commit", "-q", "-m", "lib")
    project.git("submodule", "add", "-q", str(library.root), "lib")
    project.commit("library")
    project.mlvc("run", "--name", "first", "--output", "o=lib/lib.py", "--", "cat", "lib/lib.py")
    project.mlvc("reproduce", "first")


def test_a_secret_in_a_file_that_git_calls_binary_is_left_out(project):
    project.write(".gitattributes", "*.ipynb -diff\n")
    project.commit("attributes")
    project.write("n.ipynb", '{"token": "ghp_' + "a" * 36 + '"}\n')
    project.mlvc("run", "--name", "first", "--", "true")
    assert project.mlvc("--json", "show", "run/first").data["facts"]["git"].get("left_out") == [["n.ipynb", "may be secret"]]


def test_a_secret_in_a_file_with_a_zero_byte_is_left_out(project):
    project.write("cache.db", b"\0sqlite ghp_" + b"a" * 36)
    project.mlvc("run", "--name", "first", "--", "true")
    assert project.mlvc("--json", "show", "run/first").data["facts"]["git"].get("left_out") == [["cache.db", "may be secret"]]


def test_a_worktree_that_a_users_hook_refuses_is_taken_away(project, tmp_path):
    project.mlvc("run", "--name", "first", "--", "true")
    project.mlvc("hooks", "uninstall")
    hook = project.write(".git/hooks/post-checkout", "#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    project.mlvc("reproduce", "first", code=None, TMPDIR=str(temporary))
    assert not list(temporary.iterdir()) and len(project.git("worktree", "list").out.splitlines()) == 1


def test_changes_that_were_not_recorded_are_told(project):
    project.write("readme.md", "dirty\n")
    project.mlvc("run", "--name", "first", "--output", "o=readme.md", "--", "true", MLVC_DISABLE_CODE="1")
    done = code_again(project)
    assert "changes" in done.err, "the run had uncommitted changes, and nobody says that they are missing"


def test_a_password_with_an_at_sign_is_in_no_recorded_url(project):
    project.git("remote", "add", "origin", "https://ada:hunter@2secret@example.org/x.git")
    project.mlvc("run", "--name", "first", "--", "true")
    assert project.mlvc("--json", "show", "run/first").data["facts"]["git"]["remote"] == "https://example.org/x.git"


def test_an_option_after_the_run_is_an_option(project):
    project.mlvc("run", "--name", "first", "--", "true")
    assert "worktree: " in project.mlvc("reproduce", "first", "--keep").out


def test_new_attributes_count_for_the_files_of_the_same_patch(project):
    project.write(".gitattributes", "*.txt eol=crlf\n")
    project.write("b.txt", "a\r\nb\r\n")
    project.mlvc("run", "--name", "first", "--output", "o=b.txt", "--", "true")
    project.mlvc("reproduce", "first")


def test_the_path_of_a_left_out_file_is_told_as_it_is(project):
    project.write("größe.py", "ghp_" + "a" * 36)
    project.mlvc("run", "--name", "first", "--", "true")
    assert project.mlvc("--json", "show", "run/first").data["facts"]["git"]["left_out"] == [["größe.py", "may be secret"]]


def test_a_virtual_environment_of_any_name_is_no_code(project):
    project.run("python3", "-m", "venv", "--without-pip", "env")
    project.mlvc("run", "--name", "first", "--", "true")
    assert project.mlvc("show", "run/first", "--patch").out == ""


def test_the_recorded_variables_are_set_again_or_told(project):
    project.write("t.py", "import mlvc\nwith mlvc.init(name='first') as run:\n    run.log({'h': hash('a')})\n")
    project.commit("t")
    project.run("python", "t.py", PYTHONHASHSEED="3")
    done = code_again(project)
    assert done.code == 0 or "PYTHONHASHSEED" in done.err + done.out


def test_a_difference_and_an_error_have_other_exit_codes(project, tmp_path):
    project.mlvc("run", "--name", "first", "--", "true")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/x").write_text("x")
    assert project.mlvc("reproduce", "--dir", str(tmp_path / "taken"), "first", code=None).code != 1


def test_what_a_clean_run_writes_before_its_script_joins_is_no_patch(project):
    project.write("train.py", "import mlvc\nwith mlvc.init() as run:\n    run.log({'a': 1})\n")
    project.commit("train")
    project.mlvc("run", "--name", "first", "--", "sh", "-c", "echo later > late.txt; python train.py")
    assert project.mlvc("show", "run/first", "--patch").out == ""


def test_inputs_that_mlvc_run_wrote_are_no_patch(project):
    project.write("data/x.txt", "one\n")
    project.mlvc("add", "data")
    project.write("train.py", "import mlvc\nwith mlvc.init() as run:\n    run.log({'a': 1})\n")
    project.commit("train")
    project.mlvc("run", "--name", "first", "--input", "data:latest=in", "--", "python", "train.py")
    assert project.mlvc("show", "run/first", "--patch").out == ""


def test_what_a_run_writes_before_its_script_joins_is_no_patch_though_something_was_left_out(project):
    project.write("train.py", "import mlvc\nwith mlvc.init() as run:\n    run.log({'a': 1})\n")
    project.commit("train")
    project.write("wandb/old/x.txt", "x\n")
    project.mlvc("run", "--name", "first", "--", "sh", "-c", "echo later > late.txt; python train.py")
    assert project.mlvc("show", "run/first", "--patch").out == ""
