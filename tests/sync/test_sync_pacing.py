"""A limit on bytes a second."""

from __future__ import annotations

import random
import time

import pytest
from clones import clone, connected, publish

from mlvc import pacing
from mlvc.errors import UsageError
from mlvc.workspace import exchanging


@pytest.mark.parametrize(
    ("text", "rate"), [("5MB", 5e6), ("800k", 8e5), ("1.5MiB/s", 1.5 * 1024**2), ("1000", 1e3), ("2GB/s", 2e9), ("3 MB", 3e6)]
)
def test_rates_are_read(text, rate):
    assert pacing.parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "fast", "0", "-5MB", "5TB!"])
def test_what_is_no_rate_is_refused(text):
    with pytest.raises(UsageError, match="no rate"):
        pacing.parse_rate(text)


def test_a_pace_waits_as_long_as_its_rate_asks(monkeypatch):
    now, slept = [100.0], []
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def sleep(seconds):
        slept.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(time, "sleep", sleep)
    pace = pacing.Pace(1000.0)
    for _ in range(10):
        pace.spend(500)
    assert sum(slept) == pytest.approx(5.0 - 0.25)
    pacing.UNLIMITED.spend(10**12)
    assert len(slept) <= 10


def test_pushing_and_fetching_keep_to_the_rate(tmp_path, monkeypatch):
    slept = []
    monkeypatch.setattr(pacing.time, "sleep", slept.append)
    here = connected(tmp_path / "here", tmp_path / "remote", {"w": random.Random(1).randbytes(1 << 20)})
    here.environment = {**here.environment, "MLVC_LIMIT_RATE": "1MB"}
    exchanging.push(here)
    assert sum(slept) > 0.5
    slept.clear()
    there = clone(tmp_path / "remote", tmp_path / "there")
    there.environment = {**there.environment, "MLVC_LIMIT_RATE": "1MB"}
    exchanging.fetch(there, ["model:v0"])
    assert sum(slept) > 0.5
    publish(there, {"w": b"x"})
