"""Runs on the command line: listed, filtered, sorted."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlvc.workspace import run_recording
from mlvc.workspace.workspace import Workspace


@pytest.fixture
def runs(shell):
    shell("init", "--project", "demo")
    workspace = Workspace.find(Path(shell.folder))
    for number in range(4):
        run = run_recording.begin(workspace, project="demo", name=f"run{number}", config={"lr": number, "opt": {"name": "adam"}})
        run.log_values(0, {"loss": (number * 3) % 4})
        run.finish(0)
    other = run_recording.begin(workspace, project="other", name="elsewhere")
    other.finish(0)
    workspace.close()
    return shell


def names(runs, *words):
    return [one["name"] for one in runs.json("runs", *words)]


def test_runs_are_filtered_and_sorted(runs):
    assert names(runs) == ["run3", "run2", "run1", "run0"]
    assert names(runs, "--filter", "config.lr>=1", "--filter", "config.opt.name=adam", "--sort", "summary.loss") == ["run3", "run2", "run1"]
    assert names(runs, "--sort=-summary.loss", "-n", "2") == ["run1", "run2"]
    assert names(runs, "--all") == ["elsewhere", "run3", "run2", "run1", "run0"], "by time, of all projects"


def test_a_name_that_no_run_has_is_told(runs):
    assert "is it config.lr?" in runs("runs", "--filter", "lr>1").err
    assert "no run has anything in 'nonsense'" in runs("runs", "--sort", "nonsense").err
    assert "is no filter" in runs("runs", "--filter", "lr>", code=2).err
