"""`mlvc reproduce`: a run's commit, patch, inputs and command once more, in a worktree of its own, and what came out compared."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

TRAIN = """\
import os, pathlib, sys
import mlvc

with mlvc.init(name=os.environ.get("NAME")) as run:
    for step in range(3):
        run.log({"loss": 1 / (step + 1)})
    pathlib.Path("model.bin").write_text("weights " + pathlib.Path("rate.txt").read_text())
    model = mlvc.Artifact("model", type="model")
    model.add_file("model.bin")
    run.log_artifact(model)
"""


@pytest.fixture
def trained(project):
    """A project whose committed script logs three losses and a model."""
    project.write(".gitignore", "*.bin\n__pycache__/\n")
    project.write("rate.txt", "0.1\n")
    project.write("train.py", TRAIN)
    project.commit("training")
    return project


def train(project, name="first", *words, **variables):
    project.run("python", "train.py", *words, NAME=name, **variables)


def reproduce(project, *words, code=0, **variables):
    done = project.mlvc("--json", "reproduce", *words, code=code, **variables)
    return done.data


def refused(project, *words, **variables):
    """The one sentence, and the hint, with which it is refused; nothing was run."""
    before = project.mlvc("--json", "runs", "--all", **variables).data
    done = project.mlvc("reproduce", *words, code=None, **variables)
    assert done.code not in (0, 1) and done.out == "", (done.code, done.out)
    assert project.mlvc("--json", "runs", "--all", **variables).data == before
    assert len(project.git("worktree", "list", "--porcelain").out.split("\n\n")) == 2, "one, and the end"
    lines = done.err.splitlines()
    assert lines[0].startswith("error: ") and len(lines) <= 2, done.err
    return done.err


def outputs(found):
    return {one["name"]: one["is_same"] for one in found["outputs"]}


def metrics(found):
    return {one["name"]: (one["values"], one["differing"], one["max_difference"]) for one in found["metrics"]}


# -- the same, and not the same ------------------------------------------------------------------------------------------


def test_the_same_result_is_told_as_the_same_bit_for_bit(trained):
    train(trained)
    done = trained.mlvc("reproduce", "first")
    assert "output model: the same, bit for bit, as model:v0" in done.out and "metric loss: the same, 3 values" in done.out
    again = reproduce(trained, "run/first")
    assert again["is_same"] and again["exit_code"] == 0 and again["folder"] is None
    assert outputs(again) == {"model": True} and metrics(again) == {"loss": (3, 0, 0.0)}
    assert again["packages"] == []


def test_a_changed_output_is_told_file_by_file_and_exits_with_1(trained):
    trained.write("train.py", TRAIN + "    model2 = mlvc.Artifact('log', type='log')\n    pathlib.Path('t.bin').write_bytes(os.urandom(9))\n    model2.add_file('t.bin')\n    model2.add_file('train.py')\n    run.log_artifact(model2)\n")
    trained.commit("a file by chance")
    train(trained)
    done = trained.mlvc("reproduce", "first", code=1)
    assert "output model: the same" in done.out and "output log: 1 file differs from log:v0" in done.out
    assert "modified: t.bin" in done.out and "train.py" not in done.out
    again = reproduce(trained, "first", code=1)
    assert not again["is_same"] and outputs(again) == {"model": True, "log": False}
    log = next(one for one in again["outputs"] if one["name"] == "log")
    assert log["files"] == [{"path": "t.bin", "kind": "modified"}] and log["before"] == "log:v0" != log["after"]


def test_a_changed_metric_is_told_with_how_far_it_is_off_and_exits_with_1(trained):
    trained.write("train.py", TRAIN.replace("1 / (step + 1)", "step + float(os.environ['OFF']), 'acc': 1.0"))
    trained.commit("off")
    train(trained, OFF="0")
    done = trained.mlvc("reproduce", "first", OFF="0.25", code=1)
    assert "metric loss: 3 of 3 values differ, by 0.25 at most" in done.out and "metric acc: the same" in done.out
    again = reproduce(trained, "first", OFF="0.5", code=1)
    assert not again["is_same"] and metrics(again) == {"loss": (3, 3, 0.5), "acc": (3, 0, 0.0)}


def test_a_metric_that_is_not_a_number_is_the_same_as_itself(trained):
    trained.write("train.py", TRAIN.replace("1 / (step + 1)", "float('nan'), 'inf': float('inf'), 'text': 'x'"))
    trained.commit("nan")
    train(trained)
    again = reproduce(trained, "first")
    assert {name: differing for name, (_, differing, _) in metrics(again).items()} == {"loss": 0, "inf": 0, "text": 0}


def test_an_output_or_a_value_that_only_one_of_both_made_is_a_difference(trained):
    extra = "    if os.environ.get('MORE'):\n        run.log({'more': 1})\n        run.log_artifact(mlvc.Artifact('more', type='x'))\n"
    trained.write("train.py", TRAIN + extra)
    trained.commit("more")
    train(trained, MORE="1")
    assert "output more: made the first time only" in trained.mlvc("reproduce", "first", code=1).out
    train(trained, "second")
    again = reproduce(trained, "second", code=1, MORE="1")
    assert outputs(again) == {"model": True, "more": False} and metrics(again)["more"] == (1, 1, None)


def test_the_new_run_says_what_it_reproduces_and_moves_no_name_of_yours(trained):
    train(trained)
    first = trained.mlvc("--json", "show", "run/first").data
    runs = trained.mlvc("--json", "runs").data
    trained.write("rate.txt", "0.2\n")
    reproduce(trained, "first")
    assert trained.mlvc("--json", "runs").data == runs
    assert [one["name"] for one in trained.mlvc("--json", "ls", "model").data] == ["model:v0"]
    again = trained.mlvc("--json", "show", f"{runs[0]['project']}-reproduced/first-again").data
    facts = again["facts"]
    assert facts["reproduces"] == first["id"] and facts["git"]["commit"] == first["facts"]["git"]["commit"] and again["state"] == "finished"
    assert facts["command"] == first["facts"]["command"]


# -- code ----------------------------------------------------------------------------------------------------------------


def test_the_patch_is_applied_again_whatever_the_files_are_now(trained):
    trained.write("rate.txt", "0.25 uncommitted\n")
    trained.write("helper.py", "value = 7\n")
    trained.write("train.py", TRAIN.replace("import mlvc\n", "import mlvc\nimport helper\n").replace("1 / (step + 1)", "helper.value"))
    train(trained)
    trained.git("checkout", "-q", ".")
    (trained.root / "helper.py").unlink()
    trained.write("rate.txt", "something else\n")
    trained.commit("later")
    again = reproduce(trained, "first")
    assert outputs(again) == {"model": True} and metrics(again) == {"loss": (3, 0, 0.0)}
    assert not (trained.root / "helper.py").exists()


def test_working_tree_branch_index_and_pins_stay_as_they_are(trained):
    trained.add("data.csv", "1,2\n")
    trained.commit("data")
    train(trained)
    trained.write("rate.txt", "staged by me\n")
    trained.git("add", "rate.txt")
    trained.write("rate.txt", "and edited since\n")
    trained.write("mine.txt", "untracked\n")
    trained.add("data.csv", "3,4\n")
    trained.git("switch", "-q", "-c", "elsewhere")

    def seen():
        said = [trained.git(*words).out for words in (["status", "--porcelain"], ["for-each-ref"], ["symbolic-ref", "HEAD"], ["worktree", "list"], ["stash", "list"], ["reflog"])]
        held = {path.name: path.read_bytes() for path in trained.root.iterdir() if path.is_file()}
        return said, held, trained.git("diff", "--cached").out, trained.mlvc("--json", "status").data

    before = seen()
    reproduce(trained, "first")
    assert seen() == before
    assert not (trained.root / ".git/worktrees").exists()


def test_the_worktree_is_gone_afterwards_whether_it_went_well_or_not(trained, tmp_path):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    trained.write("train.py", TRAIN + "    sys.exit(int(os.environ.get('CODE', 0)))\n")
    trained.commit("code")
    train(trained)
    for code in ("0", "5"):
        trained.mlvc("reproduce", "first", code=int(code != "0"), CODE=code, TMPDIR=str(temporary))
        assert not list(temporary.iterdir())
        assert len(trained.git("worktree", "list").out.splitlines()) == 1


def test_the_worktree_stays_when_asked(trained, tmp_path):
    train(trained)
    trained.write("rate.txt", "0.2\n")
    trained.commit("later")
    kept = reproduce(trained, "--keep", "first", TMPDIR=str(tmp_path))["folder"]
    assert os.path.dirname(os.path.dirname(kept)) == str(tmp_path)
    named = reproduce(trained, "--dir", str(tmp_path / "a place"), "first")["folder"]
    assert named == str(tmp_path / "a place")
    for folder in (kept, named):
        there = trained.at(Path(folder))
        assert there.read("rate.txt") == "0.1\n" and there.read("model.bin") == "weights 0.1\n"
        assert folder in trained.git("worktree", "list").out


def test_a_run_from_a_subfolder_runs_in_the_same_one(trained):
    trained.write("src/deep/where.py", "import mlvc, os\nwith mlvc.init(name='first') as run:\n    run.log({'here': os.path.basename(os.getcwd()), 'there': os.path.exists('beside.txt')})\n")
    trained.write("src/deep/beside.txt", "x\n")
    trained.commit("deep")
    trained.run("python", "where.py", cwd=trained.root / "src/deep")
    assert metrics(reproduce(trained, "first")) == {"here": (1, 0, 0.0), "there": (1, 0, 0.0)}


def test_what_was_left_out_of_the_patch_is_told(trained):
    trained.write(".env", "A=1\n")
    trained.write("huge.txt", b"x" * (1 << 20) + b"x")
    train(trained)
    done = trained.mlvc("reproduce", "first")
    assert "lacks .env (may be secret)" in done.err and "lacks huge.txt (too large)" in done.err


def test_another_command_can_be_told(trained):
    train(trained)
    again = reproduce(trained, "first", "--", "python", "-c", "import mlvc; r = mlvc.init(); r.log({'loss': 1.0}); r.finish()", code=1)
    assert metrics(again) == {"loss": (3, 2, None)} and outputs(again) == {"model": False}


def test_a_clone_that_has_the_run_reproduces_it_from_its_own_commits(trained, tmp_path):
    trained.write("rate.txt", "0.3 uncommitted\n")
    train(trained)
    trained.mlvc("remote", "add", "store", str(tmp_path / "remote"))
    trained.mlvc("push")
    clone = trained.at(tmp_path / "clone")
    trained.git("clone", "-q", str(trained.root), str(clone.root))
    clone.mlvc("init", "--project", "project", code=None)
    clone.mlvc("remote", "add", "store", str(tmp_path / "remote"))
    clone.mlvc("pull")
    assert outputs(reproduce(clone, "project/first")) == {"model": True}


def test_a_run_of_a_linked_worktree_is_reproduced_from_another_one(trained, tmp_path):
    trained.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "linked"))
    linked = trained.at(tmp_path / "linked")
    linked.write("rate.txt", "of the side\n")
    train(linked)
    trained.git("worktree", "remove", "--force", str(linked.root))
    assert outputs(reproduce(trained, "first")) == {"model": True}


def test_a_repository_of_sha256_is_reproduced_too(trained, tmp_path):
    modern = trained.at(tmp_path / "modern")
    modern.root.mkdir()
    modern.git("init", "-q", "--object-format=sha256")
    modern.mlvc("init")
    for path in (".gitignore", "train.py", "rate.txt"):
        modern.write(path, trained.read(path))
    modern.commit("first")
    modern.write("rate.txt", "uncommitted here\n")
    train(modern)
    modern.git("checkout", "-q", ".")
    assert outputs(reproduce(modern, "first")) == {"model": True}


def test_a_workspace_below_the_top_of_the_repository_is_found_again(trained):
    for path in ("train.py", "rate.txt"):
        trained.write(f"team/one/{path}", trained.read(path))
    trained.git("mv", "mlvc.toml", "team/mlvc.toml")
    trained.commit("moved")
    trained.write("team/one/rate.txt", "uncommitted below\n")
    trained.run("python", "train.py", cwd=trained.root / "team/one", NAME="first")
    trained.git("checkout", "-q", ".")
    done = trained.run("mlvc", "--json", "reproduce", "first", cwd=trained.root / "team")
    assert outputs(done.data) == {"model": True}


def test_a_run_in_a_submodule_is_reproduced_there(trained, tmp_path):
    outer = trained.at(tmp_path / "outer")
    outer.root.mkdir()
    outer.git("init", "-q")
    outer.git("submodule", "add", "-q", str(trained.root), "part")
    outer.git("commit", "-q", "-m", "outer")
    part = outer.at(outer.root / "part")
    part.mlvc("init", code=None)
    part.write("rate.txt", "uncommitted\n")
    train(part)
    part.write("rate.txt", "edited since\n")
    before = outer.git("status", "--porcelain").out, part.git("status", "--porcelain").out
    assert outputs(reproduce(part, "first")) == {"model": True}
    assert (outer.git("status", "--porcelain").out, part.git("status", "--porcelain").out) == before


def test_what_a_person_has_set_for_another_run_does_not_reach_the_new_one(trained):
    train(trained)
    again = reproduce(trained, "project/first", MLVC_RUN_ID="mine", WANDB_PROJECT="elsewhere", MLVC_RESUME="must", MLVC_SKIP="1")
    assert again["is_same"] and again["run"]["project"] == "project-reproduced" and again["run"]["label"] != "mine"


# -- inputs and outputs --------------------------------------------------------------------------------------------------

USES = """\
import pathlib, mlvc
with mlvc.init(name="first") as run:
    data = run.use_artifact("data:latest").download("in")
    text = (pathlib.Path(data) / "data.txt").read_text()
    run.log({"length": len(text)})
    pathlib.Path("copy.txt").write_text(text)
    copy = mlvc.Artifact("copy", type="x")
    copy.add_file("copy.txt")
    run.log_artifact(copy)
"""


def add_version(project, text):
    project.write("data/data.txt", text)
    project.mlvc("add", "data")


def test_inputs_are_those_of_the_first_run_though_latest_has_moved(trained):
    add_version(trained, "one\n")
    trained.write("use.py", USES)
    trained.commit("use")
    trained.run("python", "use.py")
    add_version(trained, "two, and longer\n")
    trained.commit("newer data")
    again = reproduce(trained, "first")
    assert again["is_same"] and outputs(again) == {"copy": True} and metrics(again) == {"length": (1, 0, 0.0)}
    used = trained.mlvc("--json", "show", "project-reproduced/first").data["inputs"]
    assert [one["id"] for one in used] == [one["id"] for one in trained.mlvc("--json", "show", "run/first").data["inputs"]]


def test_a_run_of_mlvc_run_gets_its_inputs_again_and_makes_its_outputs_again(trained):
    add_version(trained, "one\n")
    trained.commit("data")
    command = ["--input", "data:latest=in", "--output", "copy=out.bin", "--config", "lr=0.5", "--job-type", "copy", "--", "sh", "-c", "cat in/data.txt rate.txt > out.bin; echo done"]
    trained.mlvc("run", "--name", "first", *command)
    add_version(trained, "two, and longer\n")
    trained.write("rate.txt", "0.7\n")
    trained.commit("later")
    (trained.root / "out.bin").write_text("mine\n")
    again = reproduce(trained, "first")
    assert outputs(again) == {"copy": True}
    assert again["run"]["config"] == {"lr": 0.5} and again["run"]["job_type"] == "copy"
    assert trained.read("out.bin") == "mine\n" and trained.read("in/data.txt") == "one\n"
    assert "done" in trained.mlvc("show", "project-reproduced/first-again", "--console").out


def test_pinned_files_lie_in_the_worktree_at_the_commits_versions(trained):
    trained.add("weights.dat", "old weights\n")
    trained.write("read.py", "import mlvc\nwith mlvc.init(name='first') as run:\n    run.log({'read': open('weights.dat').read()})\n")
    trained.commit("pinned")
    trained.run("python", "read.py")
    trained.add("weights.dat", "new weights, longer\n")
    trained.commit("newer")
    assert metrics(reproduce(trained, "first")) == {"read": (1, 0, 0.0)}
    assert trained.read("weights.dat") == "new weights, longer\n"


def test_inputs_that_are_not_here_are_fetched(trained, tmp_path):
    add_version(trained, "one\n")
    trained.write("use.py", USES)
    trained.commit("use")
    trained.run("python", "use.py")
    trained.mlvc("remote", "add", "store", str(tmp_path / "remote"))
    trained.mlvc("push")
    clone = trained.at(tmp_path / "clone")
    trained.git("clone", "-q", str(trained.root), str(clone.root))
    clone.mlvc("init", code=None)
    clone.mlvc("remote", "add", "store", str(tmp_path / "remote"))
    clone.mlvc("fetch", code=None)
    assert outputs(reproduce(clone, "project/first")) == {"copy": True}


# -- what cannot be run again --------------------------------------------------------------------------------------------


def test_a_run_that_nobody_knows_is_refused_and_the_like_named(trained):
    train(trained)
    assert "there is no run 'frist'" in (said := refused(trained, "frist")) and "did you mean run/first?" in said


def test_a_command_that_held_a_secret_is_refused_and_can_be_told(trained):
    train(trained, "first", "--api-key", "hunter2")
    said = refused(trained, "first")
    assert "held a secret" in said and "--api-key ***" in said and "hunter2" not in said
    assert reproduce(trained, "first", "--", "python", "train.py", "--api-key", "hunter2")["is_same"]


def test_a_run_before_the_first_commit_is_refused(project, tmp_path):
    young = project.at(tmp_path / "young")
    young.root.mkdir()
    young.git("init", "-q")
    young.mlvc("init")
    young.mlvc("run", "--name", "first", "--", "true")
    assert "before the first commit, or outside of Git" in refused(young, "first")


def test_a_run_without_git_is_refused(trained):
    train(trained, MLVC_DISABLE_GIT="true")
    assert "outside of Git" in refused(trained, "first")


def test_outside_of_git_it_is_refused(project, tmp_path):
    plain = project.at(tmp_path / "plain")
    plain.root.mkdir()
    plain.mlvc("init")
    plain.mlvc("run", "--name", "first", "--", "true")
    done = plain.mlvc("reproduce", "first", code=None)
    assert done.code not in (0, 1) and "only runs that were made in a Git repository can be reproduced" in done.err


def test_a_commit_that_this_clone_lacks_is_refused_with_how_to_get_it(trained, tmp_path):
    train(trained)
    commit = trained.head()
    trained.write("later.txt", "x\n")
    trained.commit("later")
    trained.mlvc("remote", "add", "store", str(tmp_path / "remote"))
    trained.mlvc("push")
    clone = trained.at(tmp_path / "clone")
    trained.git("clone", "-q", "--depth=1", trained.root.as_uri(), str(clone.root))
    clone.mlvc("init", code=None)
    clone.mlvc("remote", "add", "store", str(tmp_path / "remote"))
    clone.mlvc("pull")
    said = refused(clone, "project/first")
    assert f"the commit {commit[:12]}" in said and "not in this clone" in said and "--unshallow" in said
    clone.git("fetch", "-q", "--unshallow")
    assert reproduce(clone, "project/first")["is_same"]


def test_a_program_that_is_not_found_leaves_no_worktree(trained):
    train(trained)
    done = trained.mlvc("reproduce", "first", "--", "no-such-program", code=None)
    assert done.code not in (0, 1) and "cannot run 'no-such-program'" in done.err
    assert len(trained.git("worktree", "list").out.splitlines()) == 1


def test_a_folder_that_is_taken_is_refused_and_left_alone(trained, tmp_path):
    train(trained)
    mine = trained.at(tmp_path / "mine")
    mine.write("precious.txt", "mine\n")
    assert "already exists" in trained.mlvc("reproduce", "--dir", str(mine.root), "first", code=None).err
    assert mine.read("precious.txt") == "mine\n" and len(list(mine.root.iterdir())) == 1


# -- programs that fail, and people who have had enough ------------------------------------------------------------------


def test_a_script_that_fails_is_told_with_its_exit_code_and_its_run_failed(trained):
    trained.write("train.py", TRAIN + "    if os.environ.get('FAIL'):\n        sys.exit('out of luck')\n")
    trained.commit("may fail")
    train(trained)
    done = trained.mlvc("reproduce", "first", FAIL="1", code=1)
    assert "failed with exit code 1" in done.out and "out of luck" in done.err
    again = reproduce(trained, "first", FAIL="1", code=1)
    assert again["exit_code"] == 1 and not again["is_same"] and again["run"]["state"] == "failed"


def test_interrupted_it_ends_the_run_and_takes_the_worktree_away(trained, tmp_path):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    trained.write("wait.py", "import mlvc, os, time\nwith mlvc.init(name='first') as run:\n    print('begun', flush=True)\n    while os.environ.get('WAIT'):\n        time.sleep(0.01)\n")
    trained.commit("waits")
    trained.run("python", "wait.py")
    environment = {**trained.environment, "WAIT": "1", "TMPDIR": str(temporary)}
    program = subprocess.Popen(
        ["mlvc", "reproduce", "first"], cwd=trained.root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # what started the tests may ignore it
    )  # fmt: skip
    said = b""
    while b"begun" not in said:
        line = program.stderr.readline()
        assert line, "it ended before it began"
        said += line
    os.killpg(program.pid, signal.SIGINT)
    out, err = program.communicate(timeout=60)
    assert program.returncode not in (0, None) and b"mlvc/workspace" not in err
    assert not list(temporary.iterdir()) and len(trained.git("worktree", "list").out.splitlines()) == 1
    run = trained.mlvc("--json", "show", "project-reproduced/first").data
    assert not run["is_live"] and run["state"] in ("killed", "failed"), run["state"]
    assert trained.git("status", "--porcelain").out == ""
