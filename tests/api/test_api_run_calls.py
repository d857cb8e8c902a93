"""What a run does beside logging numbers: metrics, media, files, console, settings, resuming, ending."""

import argparse
import datetime
import io
import json
import math
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import mlvc as wandb
from mlvc.runs import events
from mlvc.workspace import caretaking, exchanging

pytest.importorskip("PIL", reason="pip install 'mlvc[media]'")
pd = pytest.importorskip("pandas")
pyplot = pytest.importorskip("matplotlib.pyplot")
graph_objects = pytest.importorskip("plotly.graph_objects")
torch = pytest.importorskip("torch")

NOISE = np.random.default_rng(0).bytes(100_000)


def api_run(run):
    return wandb.Api().run(run.id)


def rows(run):
    return [{k: v for k, v in row.items() if not k.startswith("_")} for row in api_run(run).scan_history()]


# -- metrics --------------------------------------------------------------------------------------------------------------


def test_a_summary_is_what_define_metric_asked_for(folder):
    with wandb.init() as run:
        run.define_metric("loss", summary="min,mean,last,first")
        run.define_metric("acc", summary="max")
        run.define_metric("quiet", summary="none")
        run.define_metric("score", summary="best", goal="maximize")
        for loss, acc in ((3.0, 0.1), (1.0, 0.9), (2.0, 0.5), (math.nan, 0.2)):
            run.log({"loss": loss, "acc": acc, "quiet": 1, "score": acc, "plain": acc})
        live = dict(run.summary)
    found = api_run(run).summary
    assert found["acc"] == {"max": 0.9} == live["acc"]
    assert (found["loss"]["min"], found["loss"]["mean"], found["loss"]["first"], found["loss"]["last"]) == (1.0, 2.0, 3.0, "NaN")
    assert (found["score"], found["plain"], "quiet" in found) == ({"best": 0.9}, 0.2, False)


def test_a_step_metric_is_logged_beside_what_it_is_the_axis_of(folder):
    with wandb.init() as run:
        metric = run.define_metric("train/*", step_metric="epoch")
        run.define_metric("other", step_metric="epoch", step_sync=False)
        run.log({"epoch": 3})
        run.log({"train/loss": 1.0})
        run.log({"other": 1})
    assert (metric.name, metric.step_metric, metric.step_sync) == ("train/*", "epoch", True)
    assert rows(run) == [{"epoch": 3}, {"train/loss": 1.0, "epoch": 3}, {"other": 1}]


def test_a_mean_goes_on_in_a_resumed_run(folder):
    for values in ([1.0, 2.0], [6.0]):
        with wandb.init(id="m", resume="allow") as run:
            run.define_metric("x", summary="mean")
            for value in values:
                run.log({"x": value})
    assert api_run(run).summary["x"] == {"mean": 3.0}


@pytest.mark.parametrize("wrong", [{"name": "a*b"}, {"name": ""}, {"name": "x", "summary": "median"}, {"name": "x", "goal": "up"}])
def test_wrong_metric_definitions_are_usage_errors(folder, wrong):
    with wandb.init() as run, pytest.raises(wandb.UsageError, match="define_metric"):
        run.define_metric(**wrong)


def test_a_summary_is_changed_by_hand_at_any_depth(folder):
    with wandb.init() as run:
        run.summary["a"] = {"b": {"c": 1}}
        run.summary["a"]["b"]["d"] = 2
        run.summary.a.e = 3
        run.summary.update({"x": 1, "gone": 1})
        del run.summary["gone"]
        run.summary["image"] = wandb.Histogram([1, 2])
    found = api_run(run).summary
    assert (found["a"], found["x"], "gone" in found) == ({"b": {"c": 1, "d": 2}, "e": 3}, 1, False)
    assert found["image"]["_type"] == "histogram"


# -- media ----------------------------------------------------------------------------------------------------------------


def test_media_that_are_logged_become_files_of_the_run(folder):
    figure, axes = pyplot.subplots()
    axes.plot([1, 2])
    with wandb.init() as run:
        run.log({"one": wandb.Image(np.eye(3), caption="c"), "many": [wandb.Image(np.eye(2)), wandb.Image(np.ones((2, 2)))]})
        run.log({"figure": figure, "bar": graph_objects.Figure(), "page": wandb.Html("<p>"), "h": wandb.Histogram([1, 2])})
        run.log({"deep": {"audio": wandb.Audio(np.zeros(10), sample_rate=10)}})
    pyplot.close(figure)
    found = list(api_run(run).scan_history())
    assert (found[0]["one"]["_type"], found[0]["one"]["caption"]) == ("image-file", "c")
    assert (found[0]["many"]["_type"], found[0]["many"]["count"]) == ("images/separated", 2)
    assert [found[1][k]["_type"] for k in ("figure", "bar", "page", "h")] == ["image-file", "plotly-file", "html-file", "histogram"]
    files = {f.name: f.size for f in api_run(run).files()}
    paths = [found[0]["one"]["path"], *found[0]["many"]["filenames"], found[1]["figure"]["path"], found[2]["deep"]["audio"]["path"]]
    assert set(paths) <= set(files)
    assert files[found[0]["one"]["path"]] == found[0]["one"]["size"]


def test_a_logged_table_is_an_artifact_of_the_run(folder):
    with wandb.init() as run:
        run.log({"preds": wandb.Table(columns=["a"], data=[[1], [2]])})
        run.log({"frame": pd.DataFrame({"a": [1]})})
    (row, _) = api_run(run).scan_history()
    assert (row["preds"]["_type"], row["preds"]["nrows"], row["preds"]["ncols"]) == ("table-file", 2, 1)
    tables = {a.name: a for a in api_run(run).logged_artifacts()}
    assert tables[f"run-{run.id}-preds:v0"].type == "run_table"
    assert tables[f"run-{run.id}-preds:v0"].get("preds").get_column("a") == [1, 2]


def test_arrays_and_tensors_are_lists_when_small_and_histograms_when_not(folder):
    with wandb.init() as run:
        run.log({"small": np.arange(3), "large": np.arange(100), "tensor": torch.ones(2), "scalar": torch.tensor(1.5), "np": np.float32(2)})
    (row,) = rows(run)
    assert (row["small"], row["tensor"], row["scalar"], row["np"]) == ([0, 1, 2], [1.0, 1.0], 1.5, 2.0)
    assert row["large"]["_type"] == "histogram"


def test_a_watched_module_logs_its_weights_and_gradients(folder):
    torch.manual_seed(0)
    model = torch.nn.Linear(2, 1)
    with wandb.init() as run:
        run.watch(model, log="all", log_freq=2)
        for _ in range(4):
            model(torch.ones(1, 2)).sum().backward()
            run.log({"loss": 1.0})
        run.unwatch(model)
        model(torch.ones(1, 2)).sum().backward()
        with pytest.raises(ValueError, match="log must be one of"):
            run.watch(model, log="everything")
        with pytest.raises(TypeError, match="pytorch model"):
            run.watch(3)
    with_weights = [row for row in rows(run) if "parameters/weight" in row]
    assert len(with_weights) == 2
    assert {"parameters/bias", "gradients/weight", "gradients/bias"} <= with_weights[0].keys()


# -- files ----------------------------------------------------------------------------------------------------------------


def test_what_is_written_to_the_runs_folder_is_kept(folder):
    with wandb.init() as run:
        Path(run.dir, "deep").mkdir()
        Path(run.dir, "deep", "model.h5").write_bytes(b"weights")
        assert Path(wandb.run.dir) == Path(run.dir)
    kept = api_run(run).file("deep/model.h5")
    assert kept.size == 7
    with kept.download("there") as file:
        assert file.read() == "weights"
    with wandb.restore("deep/model.h5", run_path=run.path, root="again") as file:
        assert file.read() == "weights"
    with pytest.raises(ValueError, match="keeps no file"):
        api_run(run).file("nothing")
    with pytest.raises(ValueError, match="not found"):
        wandb.restore("nothing", run_path=run.path)


def test_saved_files_are_what_they_are_at_the_end_or_were_at_once(folder):
    (folder / "logs").mkdir()
    (folder / "logs" / "a.txt").write_text("first")
    (folder / "logs" / "b.txt").write_text("first")
    with wandb.init() as run:
        assert len(run.save("logs/*.txt")) == 2
        run.save("logs/b.txt", base_path="logs", policy="now")
        (folder / "logs" / "a.txt").write_text("last")
        (folder / "logs" / "b.txt").write_text("last")
        with run.restore("b.txt") as file:
            assert file.read() == "first"
        with pytest.raises(ValueError, match="policies"):
            run.save("x", policy="later")
    found = {}
    for kept in api_run(run).files():
        with kept.download("out") as file:
            found[kept.name] = file.read()
    assert found == {"logs/a.txt": "last", "logs/b.txt": "last", "b.txt": "first"}


def test_a_saved_file_that_is_gone_does_not_keep_the_run_from_ending(folder):
    (folder / "a.txt").write_text("x")
    with wandb.init() as run:
        run.save("a.txt")
        (folder / "a.txt").unlink()
    assert (api_run(run).state, list(api_run(run).files())) == ("finished", [])


def test_files_of_a_resumed_run_replace_those_before(folder):
    for text in ("one", "two"):
        with wandb.init(id="r", resume="allow") as run:
            Path(run.dir, "x").write_text(text)
            Path(run.dir, text).write_text(text)
    found = api_run(run)
    assert [f.name for f in found.files()] == ["one", "two", "x"]
    with found.file("x").download("out") as file:
        assert file.read() == "two"
    assert [f.name for f in found.files(pattern="%o%")] == ["one", "two"]


def test_files_of_a_run_travel_survive_gc_and_go_with_the_run(folder, tmp_path, monkeypatch):
    with wandb.init(id="r") as run:
        Path(run.dir, "x").write_bytes(NOISE)
        run.log({"i": wandb.Image(np.eye(2))})
    workspace = run._workspace
    caretaking.gc(workspace, grace_s=-1, dry_run=False)
    exchanging.add_remote(workspace, "origin", str(tmp_path / "remote"), {})
    exchanging.push(workspace)
    exchanging.clone(str(tmp_path / "remote"), tmp_path / "clone", None)
    monkeypatch.chdir(tmp_path / "clone")
    found = wandb.Api().run("work/r")
    with found.file("x").download("out") as file:
        assert file.buffer.read() == NOISE
    assert len(found.files()) == 2
    monkeypatch.chdir(folder)
    wandb.Api().run("r").delete()
    assert caretaking.gc(workspace, grace_s=-1, dry_run=False).freed_bytes >= len(NOISE)


def test_wandb_dir_moves_the_files_of_runs_and_never_the_repository(folder, monkeypatch, tmp_path):
    monkeypatch.setenv("WANDB_DIR", str(tmp_path / "scratch"))
    with wandb.init() as run:
        Path(run.dir, "x").write_text("kept")
        assert Path(run.dir).is_relative_to(tmp_path / "scratch")
    assert (folder / ".mlvc").is_dir()
    assert api_run(run).file("x").size == 4
    assert Path(run.dir, "x").exists()


def test_code_is_logged_as_an_artifact(folder):
    (folder / "train.py").write_text("print()")
    (folder / "data.csv").write_text("x")
    with wandb.init() as run:
        code = run.log_code(".", name="my-code")
        assert run.log_code(".", include_fn=lambda path: path.endswith(".none")) is None
        both = run.log_code(".", include_fn=lambda path, root: True, exclude_fn=lambda path: path.endswith(".py"))
    assert (code.type, code.name, list(code.manifest.entries)) == ("code", "my-code:v0", ["train.py"])
    assert "data.csv" in both.manifest.entries


# -- what is printed, and what the machine does ------------------------------------------------------------------------------


def test_what_is_printed_is_kept(folder, python):
    child = python(
        """
        import mlvc, sys
        run = mlvc.init(id='talks')
        stream = sys.stdout
        print('out'); print('err', file=sys.stderr); stream.write('held\\n')
        run.write_logs('said')
        run.finish()
        print('after')
        """
    )
    out, _ = child.communicate()
    assert out.split() == ["out", "held", "after"]
    lines = wandb.Api().run("talks").console_logs()
    assert [line for line in lines if line in ("out", "err", "held", "said", "after")] == ["out", "err", "held", "said"]
    assert wandb.Api().run("talks").console_logs(last=1) == lines[-1:]


def test_nothing_is_kept_of_the_console_when_it_is_off(folder, python):
    child = python("import mlvc; run = mlvc.init(id='quiet', settings=mlvc.Settings(console='off')); print('x'); run.finish()")
    assert child.wait() == 0
    assert wandb.Api().run("quiet").console_logs() == []


def test_two_runs_at_once_both_keep_what_is_printed(folder, capsys):
    first = wandb.init(id="a")
    second = wandb.init(id="b", reinit="create_new")
    print("both")
    first.finish()
    print("one")
    second.finish()
    said = [[line for line in wandb.Api().run(i).console_logs() if line in ("both", "one")] for i in "ab"]
    assert said == [["both"], ["both", "one"]]


def test_what_is_printed_is_kept_though_another_stream_is_in_the_place_of_stdout_by_then(folder, monkeypatch):
    with wandb.init(id="a"):
        monkeypatch.setattr(sys, "stdout", io.StringIO())
        with wandb.init(id="b", reinit="create_new"):
            print("later")
    assert [line for line in wandb.Api().run("b").console_logs() if line == "later"] == ["later"]


def test_the_machine_is_looked_at_while_a_run_goes_on(folder):
    looked = threading.Event()
    run = wandb.init(settings={"x_stats_sampling_interval": 0.01})
    append = run._active._append

    def noticed(event):
        append(event)
        if event[0] == events.SYSTEM:
            looked.set()

    run._active._append = noticed
    assert looked.wait(60)
    run.finish()
    found = api_run(run)
    seen = found.system_metrics
    assert {"system.cpu", "system.memory_percent", "system.proc.memory.rssMB"} <= seen.keys()
    assert found.history(stream="system", pandas=False)[0]["_runtime"] >= 0
    assert "system.cpu" not in found.summary


def test_looking_at_the_machine_can_be_switched_off(folder, monkeypatch):
    monkeypatch.setenv("WANDB__DISABLE_STATS", "true")
    before = set(threading.enumerate())
    with wandb.init(settings={"x_stats_sampling_interval": 0.001}) as run:
        assert not [thread for thread in set(threading.enumerate()) - before if thread.name == "mlvc-system-metrics"]
    assert api_run(run).system_metrics == {}


# -- config and settings ------------------------------------------------------------------------------------------------------


def test_config_is_taken_from_whatever_people_have(folder):
    (folder / "c.yaml").write_text("lr:\n  value: 0.1\n  desc: rate\nepochs: 3\n")
    (folder / "config-defaults.yaml").write_text("lr: 5\nseed: 1\n")
    with wandb.init(config="c.yaml") as run:
        assert run.config.as_dict() == {"lr": 0.1, "epochs": 3, "seed": 1}
    (folder / "config-defaults.yaml").unlink()
    with wandb.init(config=argparse.Namespace(a=1), config_exclude_keys=["b"]) as run:
        run.config.update({"n": {"deep": [1]}, "with-dash": 2})
        run.config.setdefaults({"a": 5, "z": 6})
        run.config.x = 1
        assert (run.config.a, run.config.get("nothing", 7), run.config["withdash"], run.config.z) == (1, 7, 2, 6)
        with pytest.raises(wandb.Error, match='Attempted to change value of key "a"'):
            run.config.a = 2
        run.config.update({"a": 2}, allow_val_change=True)
    with wandb.init(config={"a": 1, "b": 2}, config_include_keys=["b"]) as run:
        assert run.config.keys() == {"b"}
    with pytest.raises(wandb.UsageError, match="at most only one"):
        wandb.init(config={"a": 1}, config_include_keys=["a"], config_exclude_keys=["b"])


def test_what_is_not_given_is_taken_from_settings_then_mlvcs_variables_then_wandbs(folder, monkeypatch):
    for name, value in (("WANDB_NAME", "w"), ("WANDB_NOTES", "wn"), ("MLVC_NAME", "m"), ("WANDB_TAGS", "a,b"), ("WANDB_JOB_TYPE", "j")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("WANDB_RUN_GROUP", "g")
    monkeypatch.setenv("WANDB_RUN_ID", "the-id")
    monkeypatch.setenv("WANDB_PROJECT", "proj")
    with wandb.init() as run:
        assert (run.name, run.notes, run.job_type, run.group, run.id, run.project) == ("m", "wn", "j", "g", "the-id", "proj")
        assert run.settings.run_id == "the-id"
    assert api_run(run).tags == ["a", "b"]
    with wandb.init(id="x", settings=wandb.Settings(run_name="s", run_id="no"), name=None) as run:
        assert (run.name, run.id) == ("s", "x")
    wandb.setup(wandb.Settings(run_notes="for all"))
    with wandb.init(id="y") as run:
        assert run.notes == "for all"
    wandb.setup().__dict__.clear()


def test_what_needs_a_run_says_what_to_call_first(folder):
    for use in (lambda: wandb.log({}), lambda: wandb.config.lr, lambda: wandb.config["lr"], lambda: wandb.summary.update({})):
        with pytest.raises(wandb.Error, match=r"must call wandb\.init\(\) before wandb\."):
            use()
    assert wandb.run is None
    wandb.finish()
    assert hasattr(wandb, "log")


def test_logging_in_and_out_of_mode_is_a_friendly_no_op(folder, capsys):
    assert wandb.login(key="x" * 40, relogin=True) is True
    wandb.termlog("hello", repeat=False)
    wandb.termlog("hello", repeat=False)
    wandb.termwarn("careful")
    said = capsys.readouterr().err
    assert (said.count("hello"), "WARNING careful" in said) == (1, True)
    for call in (wandb.sweep, wandb.agent, wandb.controller):
        with pytest.raises(wandb.UsageError, match="no sweeps"):
            call({})


def test_a_silent_run_says_nothing_and_the_next_one_does(folder, capsys):
    wandb.init(settings=wandb.Settings(silent=True)).finish()
    assert capsys.readouterr().err.count("mlvc:") <= 1  # that a repository was made
    wandb.init().finish()
    assert capsys.readouterr().err.count("mlvc:") == 2


def test_alerts_are_printed_and_recorded_once_in_a_while(folder, capsys):
    with wandb.init() as run:
        run.alert("low", "accuracy is low", level=wandb.AlertLevel.WARN, wait_duration=datetime.timedelta(minutes=5))
        run.alert("low", "again")
        wandb.alert(title="other", text="x", level="ERROR")
        with pytest.raises(ValueError, match="level"):
            run.alert("x", "y", level="LOUD")
    assert "warn: low: accuracy is low" in capsys.readouterr().err
    assert [a["title"] for a in api_run(run).metadata["alerts"]] == ["low", "other"]


# -- resuming, forking, ending -----------------------------------------------------------------------------------------------


def test_auto_goes_on_with_the_run_that_did_not_end_well(folder, python):
    child = python("import mlvc, os; run = mlvc.init(resume='auto'); mlvc.log({'a': 1}); print(run.id, flush=True); os._exit(1)")
    first = child.communicate()[0].strip()
    with wandb.init(resume="auto") as run:
        assert (run.id, run.resumed, run.starting_step) == (first, True, 1)
        run.log({"a": 2})
    with wandb.init(resume="auto") as run:
        assert run.id != first
    assert [row["a"] for row in wandb.Api().run(first).scan_history()] == [1, 2]


def test_a_fork_begins_with_the_history_up_to_a_step(folder):
    with wandb.init(id="parent", config={"lr": 1}) as run:
        for value in range(5):
            run.log({"x": value})
    with wandb.init(fork_from="parent?_step=2") as child:
        assert (child.config.lr, child.step, child.summary["x"]) == (1, 3, 2)
        child.log({"x": 10})
    assert [(row["_step"], row["x"]) for row in api_run(child).scan_history()] == [(0, 0), (1, 1), (2, 2), (3, 10)]
    assert api_run(child).metadata["forked_from"]["label"] == "parent"
    with pytest.raises(wandb.UsageError, match="fork_from"):
        wandb.init(fork_from="parent")
    with pytest.raises(wandb.UsageError, match="resume_from"):
        wandb.init(resume_from="parent?_step=1")


@pytest.mark.parametrize(
    ("ends", "state", "code"),
    [("sys.exit(3)", "failed", 3), ("sys.exit()", "finished", 0), ("1 / 0", "failed", 1), ("pass", "finished", 0), ("run.finish(exit_code=4)", "failed", 4)],
)
def test_a_run_ends_as_its_program_does(folder, python, ends, state, code):
    python(f"import mlvc, sys; run = mlvc.init(id='r'); {ends}").communicate()
    found = wandb.Api().run("r")
    assert (found.state, found.metadata["exit_code"]) == (state, code)


def test_several_runs_of_one_program_end_with_it(folder, python):
    python("import mlvc; [mlvc.init(id=i, reinit='create_new') for i in 'abc']").communicate()
    assert [r.state for r in wandb.Api().runs()] == ["finished"] * 3


def test_disabled_answers_everything_and_records_nothing(folder):
    with wandb.init(mode="disabled", project="p", config={"a": 1}) as run:
        run.log({"x": 1})
        run.log({"x": 1}, commit=False)
        with pytest.raises(TypeError):
            run.log(3)
        assert (run.step, run.config.a, run.disabled, run.project) == (1, 1, True, "p")
        assert run.use_artifact("x") is None
        assert run.use_model("x") is None
        run.log_artifact("x").wait().aliases.append("y")
        run.watch(None)
    assert wandb.run is None
    assert not (folder / ".mlvc").exists()


def test_rules_of_steps_and_keys(folder, capsys):
    with wandb.init() as run:
        run.log({"a": 1}, step=5)
        run.log({"b": 1})
        run.log({"c": 1}, step=3)
        run.log({"d": 1}, commit=False)
        run.log({"e": 1}, commit=True)
        with pytest.raises(TypeError, match="dictionary"):
            run.log([1])
        with pytest.raises(TypeError, match="strings"):
            run.log({1: 2})
        with pytest.raises(TypeError, match="cannot be logged"):
            run.log({"x": object()})
    assert "below the current step" in capsys.readouterr().err
    assert rows(run) == [{"a": 1, "b": 1}, {"d": 1, "e": 1}]
    with pytest.raises(wandb.UsageError, match="finished"):
        run.log({"a": 1})


def test_a_joined_run_takes_over_what_the_script_says_of_it_and_later_ones_are_their_own(folder, python):
    (folder / "s.py").write_text(
        "import mlvc\nmlvc.init(project='x', name='first', job_type='j'); mlvc.finish()\nmlvc.init(project='x', name='second'); mlvc.finish()\n"
    )
    wandb.init().finish()
    child = python(f"from mlvc.cli.main import main; main(['run', '--', {sys.executable!r}, 's.py'])")
    assert child.wait() == 0
    names = {r.name: (r.project, r.job_type) for p in ("work", "x") for r in wandb.Api().runs(p)}
    assert names["first"] == ("work", "j")
    assert names["second"] == ("x", "")


def test_what_is_logged_is_json_all_through(folder):
    with wandb.init() as run:
        run.log({"t": (1, 2), "d": {"a": {1, 2} and [1]}, "p": Path("x"), "when": datetime.date(2026, 1, 1), "n": None, "b": True})
    assert json.loads(json.dumps(rows(run))) == [
        {"t": [1, 2], "d": {"a": [1]}, "p": "x", "when": "2026-01-01", "n": None, "b": True}
    ]


def test_a_run_does_not_fail_over_half_a_character(folder):
    with wandb.init(config={"text": "x\ud800"}, name="n\ud800") as run:
        run.log({"said": "y\udc00", "k\ud800": 1})
        run.summary["last"] = "\ud800"
    found = wandb.Api().run(run.path)
    assert (found.config["text"], found.summary["said"], found.summary["k?"], found.summary["last"], found.name) == ("x?", "y?", 1, "?", "n?")


def test_a_run_of_ten_thousand_values_ends_and_is_whole(folder):
    config = {f"layer{number}/width": number for number in range(10_000)}
    with wandb.init(config=config) as run:
        run.log({f"gradients/{number}": number / 7 for number in range(5_000)})
    found = wandb.Api().run(run.path)
    assert found.state == "finished"
    assert dict(found.config) == config
    assert found.summary["gradients/4999"] == 4999 / 7
    with wandb.init(id=run.id, resume="must") as again:
        again.config.update({"layer1/width": -1}, allow_val_change=True)
    assert wandb.Api().run(run.path).config["layer1/width"] == -1
    assert wandb.Api().run(run.path).config["layer9999/width"] == 9999


def test_a_run_with_hundreds_of_inputs_ends(folder):
    with wandb.init() as run:
        for number in range(250):
            run.log_artifact(wandb.Artifact(f"part{number}", "data"))
    with wandb.init() as user:
        for number in range(250):
            user.use_artifact(f"part{number}:v0")
    assert len(wandb.Api().run(user.path).used_artifacts()) == 250
