"""A bad line to a bucket: every request of a push or a fetch is spoiled once, in each way; nothing is lost, doubled, or hangs."""

from __future__ import annotations

import os
import time

import ceph_server
import flaky_proxy
import pytest
from clones import history, publish, read

from mlvc.backend import clouds, object_store
from mlvc.errors import DamageError, Error, RemoteError
from mlvc.workspace import exchanging
from mlvc.workspace.workspace import Workspace

pytestmark = pytest.mark.xdist_group("ceph faults")

NOISE = os.urandom(300_000)
STALLED_S = 1


@pytest.fixture
def proxy(server):
    made = flaky_proxy.FlakyProxy(server.url)
    yield made
    made.stop()


@pytest.fixture
def line(tmp_path, server, proxy, monkeypatch):
    """Makes workspaces whose upstream is a bucket behind the proxy: (folder, bucket) -> workspace."""
    environment = ceph_server.variables(tmp_path)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    quick = {"init_backoff": object_store.timedelta(milliseconds=1), "max_backoff": object_store.timedelta(milliseconds=20), "base": 2}
    monkeypatch.setattr(clouds, "RETRIES", {"max_retries": 4, "backoff": quick, "retry_timeout": object_store.timedelta(seconds=20)})
    monkeypatch.setattr(clouds, "CLIENT_OPTIONS", {**object_store.CLIENT_OPTIONS, "read_timeout": f"{STALLED_S}s"})

    class Line:
        def workspace(self, name):
            bucket = f"b{os.urandom(6).hex()}"
            server.make_bucket(bucket)
            (tmp_path / name).mkdir()
            made, _ = Workspace.create(tmp_path / name, environment, project="p")
            exchanging.add_remote(made, "origin", f"s3://{bucket}/team", {"endpoint": proxy.url})
            return made

        def clone(self, of, name):
            settings = of.settings.remotes["origin"]
            return exchanging.clone(settings.url, tmp_path / name, environment, settings.options)[0]

    return Line()


def spoil(proxy, number, action, times=1):
    """Spoils the next request `number` from now on, and as many more as `times` says."""
    begin = len(proxy.seen)
    proxy.policy = lambda n, _method, _path: action if begin + number <= n < begin + number + times else flaky_proxy.PASS


def restore(proxy):
    proxy.policy = lambda _n, _method, _path: flaky_proxy.PASS


FAULTS = [flaky_proxy.REFUSE, flaky_proxy.LOSE_REPLY, flaky_proxy.CUT_REPLY, flaky_proxy.CUT_REQUEST]


@pytest.mark.parametrize("action", FAULTS)
def test_a_push_spoiled_anywhere_is_whole_when_it_is_done(line, proxy, action):
    first = line.workspace("measure")
    publish(first, {"w": b"first"})
    begin = len(proxy.seen)
    exchanging.push(first)
    requests = len(proxy.seen) - begin
    assert requests < 40
    for number in range(requests):
        here = line.workspace(f"at{number}")
        publish(here, {"w": NOISE}, ["prod"])
        publish(here, {"w": b"second"})
        spoil(proxy, number, action)
        try:
            exchanging.push(here)
        except (RemoteError, DamageError):
            restore(proxy)
            exchanging.push(here)
        restore(proxy)
        assert not here.repository.pending.ids(), "all of it is confirmed"
        there = line.clone(here, f"clone{number}")
        assert list(history(there)) == ["v0", "v1"], "nothing twice, nothing lost"
        assert read(there, history(there)["v0"]) == {"w": NOISE}


@pytest.mark.parametrize("action", [flaky_proxy.REFUSE, flaky_proxy.CUT_REPLY, flaky_proxy.LOSE_REPLY])
def test_data_fetched_over_a_bad_line_is_right(line, proxy, action):
    here = line.workspace("here")
    publish(here, {"w": NOISE, "v": NOISE[::-1]})
    exchanging.push(here)
    for number in range(6):
        there = line.clone(here, f"clone{number}")
        spoil(proxy, number, action)
        try:
            found = read(there, history(there)["v0"])
        except (RemoteError, DamageError):
            restore(proxy)
            found = read(there, history(there)["v0"])
        restore(proxy)
        assert found == {"w": NOISE, "v": NOISE[::-1]}


def test_a_storm_of_refusals_ends_in_one_sentence_and_loses_nothing(line, proxy):
    here = line.workspace("here")
    publish(here, {"w": NOISE})
    spoil(proxy, 3, flaky_proxy.REFUSE, times=10**6)
    with pytest.raises(RemoteError, match="503"):
        exchanging.push(here)
    restore(proxy)
    assert exchanging.push(here).transactions == 1


def test_a_stalled_answer_is_given_up_after_its_time_out(line, proxy):
    here = line.workspace("here")
    publish(here, {"w": NOISE})
    spoil(proxy, 2, flaky_proxy.STALL, times=10**6)
    began = time.monotonic()
    with pytest.raises(Error):
        exchanging.push(here)
    assert time.monotonic() - began < flaky_proxy.STALL_S, "the client gave up before the server did"
    restore(proxy)
    assert exchanging.push(here).transactions == 1


def test_an_answer_that_trickles_in_arrives(line, proxy):
    here = line.workspace("here")
    publish(here, {"w": b"small " * 50})
    exchanging.push(here)
    there = line.clone(here, "there")
    spoil(proxy, 0, flaky_proxy.TRICKLE, times=10**6)
    assert read(there, history(there)["v0"]) == {"w": b"small " * 50}


def test_a_push_or_pull_with_nothing_to_do_asks_little(line, proxy):
    here = line.workspace("here")
    publish(here, {"w": NOISE})
    exchanging.push(here)
    counts = []
    for deed in (exchanging.push, exchanging.pull):
        begin = len(proxy.seen)
        deed(here)
        counts.append(len(proxy.seen) - begin)
    assert max(counts) <= 4, proxy.seen[-sum(counts) :]
