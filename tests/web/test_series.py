"""Charts: few points of many that hide no spike, in columns that take little memory."""

from __future__ import annotations

import math

import numpy as np
import pytest
from asked_pages import Browser, record
from hypothesis import given
from hypothesis import strategies as some

from mlvc.runs.live_run import LiveRun
from mlvc.web import series
from mlvc.web.series import Columns, ColumnsCache


@given(some.lists(some.floats(allow_nan=True, allow_infinity=False, width=32), max_size=400), some.integers(4, 60))
def test_thinned_values_keep_ends_least_and_greatest(values, most):
    places = series.thinned(np.array(values, dtype=float), most)
    assert len(places) <= max(most, 4)
    assert list(places) == sorted(set(places.tolist()))
    real = [value for value in values if not math.isnan(value)]
    if real:
        kept = [values[place] for place in places]
        assert min(real) in kept
        assert max(real) in kept
        assert {0, len(values) - 1} <= set(places.tolist())


def test_one_spike_in_a_million_is_seen():
    values = np.zeros(1_000_000)
    values[654_321] = 9.0
    assert 654_321 in series.thinned(values, 800)


def test_columns_hold_what_was_logged_by_any_axis():
    rows = [{"_step": n, "_runtime": n / 2, "loss": 1 / (n + 1), **({"acc": n} if n % 2 else {}), "text": "x"} for n in range(6)]
    found = Columns(rows)
    assert found.points("acc", "_step", 100) == {"x": [1, 3, 5], "y": [1, 3, 5]}
    assert found.points("acc", "_runtime", 100) == {"x": [0.5, 1.5, 2.5], "y": [1, 3, 5]}
    assert found.points("loss", "acc", 100)["x"] == [1, 3, 5]
    assert "text" not in found.keys
    assert all(x is None for x in found.points("acc", "_timestamp", 100)["x"])


def test_what_json_cannot_say_is_missing():
    assert Columns([{"_step": n, "x": value} for n, value in enumerate((1.0, math.nan, math.inf))]).points("x", "_step", 10)["y"] == [1.0, None, None]


def test_columns_looked_at_last_are_read_once():
    cache, read = ColumnsCache(), []

    def rows():
        read.append(1)
        yield {"_step": 0, "x": 1}

    assert cache.get("a", rows()) is cache.get("a", rows())
    assert len(read) == 1


def test_series_of_a_run_under_way_and_of_one_that_ended(workspace):
    live = record(workspace, rows=[{"loss": 1.0}], finish=False)
    browser = Browser(workspace)
    address = f"/api/v1/runs/p/{live.label}/series"
    import json

    first = json.loads(browser.page(address))
    assert (first["is_live"], first["series"]["loss"]["y"]) == (True, [1.0])
    live.log_values(1, {"loss": 0.5})
    assert json.loads(browser.page(address))["series"]["loss"]["y"] == [1.0, 0.5]
    live.finish(0)
    ended = json.loads(browser.page(f"{address}?key=loss&x=_step&points=4"))
    assert (ended["is_live"], ended["series"]["loss"]["x"]) == (False, [0, 1])


@pytest.mark.parametrize("query", ["points=3", "points=x", "points=99999", "x=none"])
def test_questions_that_make_no_sense_are_refused(workspace, query):
    run = record(workspace, rows=[{"loss": 1.0}])
    answer = Browser(workspace).get(f"/api/v1/runs/p/{run.label}/series?{query}")
    assert answer.status in (400, 404)
    assert "error" in answer.text


def test_a_look_at_a_run_that_another_thread_seals_waits_for_nothing(workspace):
    run = record(workspace, rows=[{"loss": 1.0}], finish=False)
    run_id = run.id
    live = LiveRun(workspace.runs_folder / run_id.hex())
    assert live.has_writers()
    run._writer.close()
    with live.alone() as got_it:
        assert got_it
        assert not LiveRun(live.folder).has_writers(), "who seals it holds it against writers, so there are none"
    assert not live.has_writers()


def test_what_is_smoothed_are_the_means_of_all_points():
    rows = ({"_step": n, "spiky": 50.0 if n % 500 == 0 else 0.1, "few": 1.0} for n in range(100_000))
    found = Columns(rows).points("spiky", "_step", 800)
    assert len(found["x"]) <= 800
    assert max(found["y"]) == 50.0
    assert abs(sum(found["mean_y"]) / len(found["mean_y"]) - (0.1 + 49.9 / 500)) < 1e-6
    assert found["mean_x"] == sorted(found["mean_x"])
    assert "mean_y" not in Columns([{"_step": n, "x": n} for n in range(10)]).points("x", "_step", 800)


@given(some.lists(some.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=200), some.integers(1, 50))
def test_means_leave_out_what_is_no_number(values, count):
    y = np.array(values)
    x = np.arange(len(y), dtype=float)
    mean_x, mean_y = series.means(x, y, count)
    assert len(mean_x) == len(mean_y) <= count
    real = [value for value in values if math.isfinite(value)]
    if real and all(abs(value) < 1e100 for value in real):
        kept = [value for value in mean_y.tolist() if not math.isnan(value)]
        assert kept
        assert min(real) - 1e-9 * abs(min(real)) - 1e-9 <= min(kept)
        assert max(kept) <= max(real) + 1e-9 * abs(max(real)) + 1e-9
