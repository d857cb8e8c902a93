"""Runs through the Python API: what they record, and that it survives."""

import os
import signal
import threading

import pytest

import mlvc
import mlvc as wandb
from mlvc.runs import live_run


def only_run():
    (found,) = wandb.Api().runs()
    return found


def test_init_outside_a_repository_makes_one_and_says_so(folder, capsys):
    wandb.init().finish()
    assert "one was made" in capsys.readouterr().err
    assert only_run().state == "finished"


def test_config_summary_and_history_are_recorded(folder):
    with wandb.init(config={"lr": 0.1, "layers": [1, 2]}, job_type="train", tags=["a"], group="g", notes="n") as run:
        for step in range(3):
            run.log({"loss": 1.0 / (step + 1)})
        run.summary["best"] = 0.25
    found = only_run()
    assert found.config == {"lr": 0.1, "layers": [1, 2]}
    assert (found.job_type, found.tags, found.group, found.notes) == ("train", ["a"], "g", "n")
    assert [row["loss"] for row in found.history(pandas=False)] == [1.0, 0.5, 1 / 3]
    assert found.summary["best"] == 0.25
    assert found.summary["loss"] == 1 / 3


def test_steps_must_grow_and_a_step_given_stays_open(folder, capsys):
    with wandb.init() as run:
        run.log({"a": 1}, step=5)
        run.log({"b": 2}, step=5)
        run.log({"a": 0}, step=4)
        run.log({"c": 3})
        run.log({"d": 4})
    rows = [{k: v for k, v in row.items() if k != "_runtime" and k != "_timestamp"} for row in only_run().history(pandas=False)]
    assert rows == [{"_step": 5, "a": 1, "b": 2, "c": 3}, {"_step": 6, "d": 4}]
    assert "dropped" in capsys.readouterr().err


def test_log_takes_dictionaries_with_text_keys_only(folder):
    with wandb.init() as run:
        with pytest.raises(TypeError):
            run.log([1])
        with pytest.raises(TypeError):
            run.log({1: 2})
    with pytest.raises(wandb.UsageError, match="is finished"):
        run.log({"a": 1})


def test_a_config_value_does_not_change_without_leave(folder):
    with wandb.init(config={"a": 1}) as run:
        with pytest.raises(wandb.Error, match="Attempted to change value of key"):
            run.config.a = 2
        run.config.update({"a": 2}, allow_val_change=True)
    assert only_run().config == {"a": 2}


def test_a_second_init_in_a_script_returns_the_active_run(folder):
    with wandb.init() as run:
        assert wandb.init() is run
        assert wandb.run is run
    assert wandb.run is None


def test_an_exception_makes_the_run_failed(folder):
    with pytest.raises(ZeroDivisionError), wandb.init():
        1 / 0
    assert only_run().state == "failed"


def test_disabled_records_nothing(folder):
    run = wandb.init(mode="disabled", config={"a": 1})
    run.log({"x": 1})
    assert run.use_artifact("x:latest") is None
    assert not run.log_artifact("x").wait().version
    run.finish()
    assert not list(folder.iterdir())


def test_threads_lose_nothing(folder):
    with wandb.init() as run:
        threads = [
            threading.Thread(target=lambda n=n: [run.log({f"t{n}": i}) for i in range(200)]) for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    rows = only_run().scan_history()
    assert sum(1 for row in rows for key in row if key.startswith("t")) == 1600


def test_what_log_returned_from_survives_kill_9_and_the_run_is_resumed_elsewhere(folder, python):
    killed = python(
        """
        import mlvc, os, signal
        run = mlvc.init(id="abc", config={"lr": 1})
        for i in range(100): run.log({"loss": i})
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    assert killed.wait() == -signal.SIGKILL
    found = wandb.Api().run("abc")
    assert (found.state, len(found.history(pandas=False))) == ("crashed", 100)
    resumed = python(
        """
        import mlvc
        run = mlvc.init(id="abc", resume="must")
        assert run.config["lr"] == 1 and run.step == 100 and run.resumed
        run.log({"loss": 100})
        """
    )
    assert resumed.wait() == 0, resumed.stderr.read()
    found = wandb.Api().run("abc")
    assert (found.state, [row["loss"] for row in found.history(pandas=False)]) == ("finished", list(range(101)))


def test_a_run_under_way_is_visible_to_other_processes(folder, python):
    child = python(
        """
        import mlvc, sys
        run = mlvc.init(id="live")
        run.log({"loss": 7})
        print("ready", flush=True)
        sys.stdin.readline()
        """
    )
    assert child.stdout.readline() == "ready\n"
    found = wandb.Api().run("live")
    assert (found.state, found.history(pandas=False)[0]["loss"]) == ("running", 7)
    child.communicate("go\n")
    assert wandb.Api().run("live").state == "finished"


def test_sigterm_marks_a_run_preempted(folder, python):
    child = python(
        """
        import mlvc, signal
        run = mlvc.init(id="spot")
        run.log({"loss": 1})
        print("ready", flush=True)
        signal.pause()
        """
    )
    assert child.stdout.readline() == "ready\n"
    child.send_signal(signal.SIGTERM)
    assert child.wait() == -signal.SIGTERM
    found = wandb.Api().run("spot")
    assert (found.state, len(found.history(pandas=False))) == ("preempted", 1)


def test_forked_workers_log_to_the_run_and_do_not_keep_it_alive(folder):
    run = wandb.init(id="forked")
    run.log({"parent": 1})
    child = os.fork()
    if child == 0:
        run.log({"child": 2})
        os._exit(0)
    os.waitpid(child, 0)
    run.finish()
    keys = {key for row in wandb.Api().run("forked").history(pandas=False) for key in row}
    assert {"parent", "child"} <= keys


def test_ranks_of_one_job_share_an_id_and_the_last_one_seals(folder, python):
    text = """
        import mlvc, sys
        run = mlvc.init(id="job")
        run.log({f"rank{sys.argv[1]}": 1})
        print("ready", flush=True)
        sys.stdin.readline()
        """
    ranks = [python(text, "0"), python(text, "1")]
    assert [rank.stdout.readline() for rank in ranks] == ["ready\n", "ready\n"]
    ranks[0].communicate("go\n")
    assert wandb.Api().run("job").state == "running"
    ranks[1].communicate("go\n")
    found = wandb.Api().run("job")
    assert found.state == "finished"
    assert {"rank0", "rank1"} <= {key for row in found.history(pandas=False) for key in row}
    assert len(wandb.Api().runs()) == 1


def test_resume_must_and_never_are_kept(folder):
    with pytest.raises(wandb.UsageError):
        wandb.init(id="none", resume="must")
    wandb.init(id="one").finish()
    with pytest.raises(wandb.UsageError):
        wandb.init(id="one", resume="never")


def test_secrets_of_the_command_and_the_environment_are_not_recorded(folder, python, monkeypatch):
    monkeypatch.setenv("MY_API_KEY", "hunter2")
    child = python("import mlvc; mlvc.init(id='s').finish()", "--token", "hunter2", "--password=hunter2")
    assert child.wait() == 0
    assert "hunter2" not in repr(wandb.Api().run("s").metadata)


def test_importing_is_light(python):
    child = python("import sys, mlvc; print([m for m in ('numpy', 'rich', 'click', 'sqlite3') if m in sys.modules])")
    assert child.communicate()[0] == "[]\n"
    assert mlvc.__version__


def test_looking_at_a_run_does_not_keep_its_last_writer_from_sealing_it(folder):
    wandb.init(id="first").finish()
    stop = threading.Event()
    seen = []

    def look():
        while not stop.is_set():
            for live in live_run.list_live(folder / ".mlvc" / "runs"):
                seen.append(live.has_writers())

    lookers = [threading.Thread(target=look) for _ in range(4)]
    for looker in lookers:
        looker.start()
    try:
        for number in range(25):
            wandb.init(id=f"run{number}").finish()
            assert not live_run.list_live(folder / ".mlvc" / "runs")
    finally:
        stop.set()
        for looker in lookers:
            looker.join()
    assert True in seen


def test_numbers_that_json_has_no_word_for_are_spelled_out_and_keep_no_run_from_ending(folder):
    with wandb.init(id="odd", config={"limit": float("inf")}) as run:
        run.log({"loss": float("nan"), "deep": {"x": [float("-inf")]}, "big": 1 << 70})
        run.summary["best"] = float("inf")
    found = wandb.Api().run("odd")
    assert found.state == "finished"
    assert found.config == {"limit": "Infinity"}
    assert (found.summary["loss"], found.summary["best"], found.summary["deep"]) == ("NaN", "Infinity", {"x": ["-Infinity"]})
    assert wandb.init(id="next").id == "next"


def test_a_run_whose_log_is_damaged_keeps_no_other_from_beginning(folder, python):
    child = python("import mlvc, os; run = mlvc.init(id='hurt'); run.log({'a': 1}); os._exit(9)")
    child.wait()
    (log,) = (folder / ".mlvc" / "runs").glob("*/*.events")
    data = bytearray(log.read_bytes())
    data[20] ^= 1
    log.write_bytes(data)
    wandb.init(id="next").finish()
    assert wandb.Api().run("next").state == "finished"


def test_a_repository_made_for_a_run_is_of_its_project_and_names_mean_its_artifacts(folder):
    (folder / "m.pt").write_bytes(b"weights")
    with wandb.init(project="vision") as run:
        run.log_model("m.pt", name="net")
        assert run.use_artifact("net").name == "net:v0"
    assert wandb.Api().artifact("net").project == "vision"
    with wandb.init(project="speech") as run:
        run.log_model("m.pt", name="ear")
        assert wandb.Api().artifact("ear:latest").project == "speech"
        assert run.use_artifact("vision/net:v0").project == "vision"
    assert "vision" in (folder / "mlvc.toml").read_text()


def test_a_run_of_another_host_is_left_to_that_host(folder, python):
    wandb.init(id="here").finish()
    far = python(
        """
        import os, signal
        from mlvc.runs import surroundings
        surroundings.host_name = lambda: "node-7"
        import mlvc
        mlvc.init(id="far").log({"loss": 1.0})
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    far.wait()
    wandb.init(id="later").finish()
    assert {r.id: r.state for r in wandb.Api().runs()} == {"far": "unknown", "here": "finished", "later": "finished"}
    assert wandb.Api().run("far").history(pandas=False)[0]["loss"] == 1.0
