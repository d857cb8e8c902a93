"""A run under way is watched without reading again what was read; and looks as if it were."""

from __future__ import annotations

import json
import os
import random

import pytest
from asked_pages import Browser, record

from mlvc.runs import event_log
from mlvc.runs.following import Follower
from mlvc.runs.live_run import LiveRun
from mlvc.workspace import run_recording


def live_of(workspace, run):
    return LiveRun(workspace.runs_folder / run.id.hex())


@pytest.mark.parametrize("seed", range(8))
def test_what_is_followed_is_what_is_read_at_once(workspace, seed):
    chance = random.Random(seed)
    writers = [record(workspace, name="a", finish=False)]
    live, follower = live_of(workspace, writers[0]), Follower()
    for number in range(60):
        deed = chance.random()
        writer = chance.choice(writers)
        if deed < 0.5:
            writer.log_values(number, {"loss": chance.random(), f"k{number % 3}": number})
        elif deed < 0.6:
            writer.set_config({"lr": number}, [])
        elif deed < 0.65 and len(writers) < 3:
            writers.append(run_recording.begin(workspace, project="p", label=writers[0].label, resume="allow"))
        if chance.random() < 0.5:
            started = live.beginning().started_s
            whole, followed = live.recorded(started), follower.recorded(live, started)
            for part in ("rows", "config", "summary", "system", "facts", "last_s", "writers", "inputs"):
                assert getattr(followed, part) == getattr(whole, part), part
    for writer in writers:
        writer.finish(0)


def test_following_reads_only_what_came(workspace, monkeypatch):
    run = record(workspace, name="a", rows=[{"x": n} for n in range(50)], finish=False)
    live, follower = live_of(workspace, run), Follower()
    follower.recorded(live, 0.0)
    found = []
    read = event_log.read_from
    monkeypatch.setattr(event_log, "read_from", lambda path, start: found.append(read(path, start)) or found[-1])
    run.log_values(50, {"x": 50})
    assert len(follower.recorded(live, 0.0).rows) == 51
    assert [len(events) for events, _ in found] == [1]
    run.finish(0)


def test_charts_grow_with_their_run(workspace):
    run = record(workspace, name="a", finish=False)
    browser = Browser(workspace)
    for step in range(30):
        run.log_values(step, {"loss": float(step)})
        if step % 3 == 0:
            run.log_values(step, {"late": float(step)})
        found = json.loads(browser.page(f"/api/v1/runs/p/{run.label}/series"))["series"]
        assert found["loss"]["y"] == [float(n) for n in range(step + 1)]
        assert found["late"]["x"] == [float(n) for n in range(0, step + 1, 3)]
    run.finish(0)
    assert len(json.loads(browser.page(f"/api/v1/runs/p/{run.label}/series"))["series"]["loss"]["y"]) == 30
    assert os.listdir(workspace.runs_folder) == []
