"""Carriers: a second remote, a stick, somebody's clone. History and pending transactions travel by any road."""

from __future__ import annotations

import random
import shutil

import pytest
from clones import clone, faulty_remote, history, publish, read, workspace

from mlvc.errors import ConflictError, RemoteError
from mlvc.sync import pushing
from mlvc.workspace import exchanging, proving

BIG = random.Random(3).randbytes(2 << 20)


def inbox(store):
    return sorted(p.name for p in (store / "pending").glob("*"))


def test_a_second_remote_gets_the_history_its_data_and_what_is_pending(tmp_path, origin):
    assert publish(origin, {"w.bin": BIG}) == "v1~"
    exchanging.add_remote(origin, "second", str(tmp_path / "second"))
    pushed = exchanging.push(origin, "second")
    assert (pushed.transactions, pushed.left, pushed.lacking, pushed.handed_over) == (0, 1, 0, False)
    there = clone(tmp_path / "second", tmp_path / "b")
    assert history(there) == history(origin)
    assert list(history(there)) == ["v0", "v1~"]
    shutil.rmtree(tmp_path / "second")
    shutil.rmtree(tmp_path / "remote")
    shutil.rmtree(origin.root)
    assert read(there, history(there)["v1~"]) == {"w.bin": BIG}, "what is pending comes with its data, to go on from here"


def test_what_a_stick_carries_is_appended_by_whoever_reaches_the_authority(tmp_path, origin, remote):
    stick = tmp_path / "stick"
    offline = clone(remote, tmp_path / "offline")
    publish(offline, {"w.bin": b"from the cluster"}, ["candidate"])
    exchanging.add_remote(offline, "stick", str(stick), {"carrier": "true"})
    assert exchanging.push(offline, "stick").left == 1
    exchanging.add_remote(origin, "stick", str(stick), {"carrier": "true"})
    assert exchanging.pull(origin, "stick").carried == 1
    assert list(history(origin)) == ["v0", "v1~"]
    assert exchanging.pull(origin, "stick").carried == 0
    assert exchanging.push(origin).transactions == 1
    assert list(history(origin)) == ["v0", "v1"]
    exchanging.push(origin, "stick")
    assert inbox(stick) == [], "what is confirmed leaves the inbox"
    assert exchanging.pull(offline, "stick").transactions == 1
    assert history(offline) == history(origin)
    assert exchanging.push(offline).transactions == 0


def test_two_that_carry_the_same_transaction_append_it_once(tmp_path, origin, remote):
    first, second = clone(remote, tmp_path / "first"), clone(remote, tmp_path / "second")
    publish(first, {"w.bin": b"mine"})
    exchanging.add_remote(second, "peer", str(first.root))
    assert exchanging.pull(second, "peer").carried == 1
    assert exchanging.push(second).transactions == 1
    assert exchanging.push(first).transactions == 0
    assert history(first) == history(second)
    assert list(history(first)) == ["v0", "v1"]


def test_a_push_into_somebodys_clone_leaves_it_there_as_pending(tmp_path, origin, remote):
    there = clone(remote, tmp_path / "b")
    publish(there, {"w.bin": b"theirs"})
    exchanging.add_remote(origin, "peer", str(there.root))
    publish(origin, {"w.bin": b"mine"})
    pushed = exchanging.push(origin, "peer")
    assert pushed.left == 2
    assert pushed.pulled.carried == 1
    assert list(history(there)) == ["v0", "v1~", "v2~"]
    assert history(there) == history(origin)
    assert exchanging.push(there).transactions == 2
    exchanging.pull(origin)
    assert history(there) == history(origin)


def test_a_local_authority_with_only_a_carrier_takes_in_what_others_leave_there(tmp_path):
    stick = tmp_path / "stick"
    owner = workspace(tmp_path / "owner")
    exchanging.add_remote(owner, "stick", str(stick), {"carrier": "true"})
    assert publish(owner, {"w": b"1"}) == "v0"
    pushed = exchanging.push(owner)
    assert not pushed.handed_over
    assert list(history(owner)) == ["v0"]
    other = clone(stick, tmp_path / "other")
    assert publish(other, {"w": b"2"}) == "v1~"
    assert exchanging.push(other).left == 1
    assert exchanging.pull(owner).carried == 1
    assert list(history(owner)) == ["v0", "v1"], "the owner confirms it"
    exchanging.push(owner)
    exchanging.pull(other)
    assert list(history(other)) == ["v0", "v1"]
    assert read(owner, history(owner)["v1"]) == {"w": b"2"}


def test_a_clone_of_a_clone_carries_on(tmp_path, origin, remote):
    middle = clone(remote, tmp_path / "middle")
    far = clone(middle.root, tmp_path / "far")
    publish(far, {"w.bin": b"far"})
    assert exchanging.push(far).left == 1
    assert exchanging.push(middle).transactions == 1
    exchanging.pull(far)
    exchanging.pull(origin)
    assert history(far) == history(origin) == history(middle)


def test_a_carrier_is_told_what_history_it_has_no_data_of(tmp_path, origin, remote):
    lazy = clone(remote, tmp_path / "lazy")
    exchanging.add_remote(lazy, "second", str(tmp_path / "second"))
    assert exchanging.push(lazy, "second").lacking == 1
    exchanging.fetch(lazy, ["model:v0"])
    assert exchanging.push(lazy, "second").lacking == 0


def test_what_lacks_data_at_a_carrier_stays_there(tmp_path, origin, remote):
    stick = tmp_path / "stick"
    offline = clone(remote, tmp_path / "offline")
    publish(offline, {"w.bin": BIG})
    publish(offline, {"w.bin": b"after it"})
    exchanging.add_remote(offline, "stick", str(stick))
    exchanging.push(offline, "stick")
    saved = {p: p.read_bytes() for p in (stick / "packs/data").iterdir()}
    for path in saved:
        path.unlink()
    exchanging.add_remote(origin, "stick", str(stick))
    assert exchanging.pull(origin, "stick").carried == 0
    assert list(history(origin)) == ["v0"]
    for path, data in saved.items():
        path.write_bytes(data)
    assert exchanging.pull(origin, "stick").carried == 2
    assert list(history(origin)) == ["v0", "v1~", "v2~"]


def test_a_carrier_of_another_history_is_refused(tmp_path, origin):
    other = workspace(tmp_path / "other")
    publish(other, {"x": b"x"})
    exchanging.add_remote(other, "stick", str(tmp_path / "stick"), {"carrier": "true"})
    exchanging.push(other)
    exchanging.add_remote(origin, "stick", str(tmp_path / "stick"), {"carrier": "true"})
    for deed in (exchanging.push, exchanging.pull):
        with pytest.raises(ConflictError, match="began apart"):
            deed(origin, "stick")


@pytest.mark.parametrize("after", [False, True], ids=["write lost", "answer lost"])
def test_leaving_things_with_a_carrier_may_be_cut_off_anywhere(tmp_path, origin, remote, after):
    publish(origin, {"w.bin": BIG})
    exchanging.add_remote(origin, "second", str(tmp_path / "model"))
    clean, backend = faulty_remote(origin, tmp_path / "model", None)
    clean.may_lead = False
    pushing.push(origin.repository, clean)
    assert backend.count > 5
    for write in range(backend.count):
        store = tmp_path / f"second {write}"
        store.mkdir()
        cut, _ = faulty_remote(origin, store, write, after=after)
        cut.may_lead = False
        with pytest.raises(RemoteError):
            pushing.push(origin.repository, cut)
        whole, _ = faulty_remote(origin, store, None)
        whole.may_lead = False
        pushing.push(origin.repository, whole)
        there = clone(store, tmp_path / f"b {write}")
        assert list(history(there)) == ["v0", "v1~"]
        assert proving.fsck(there, repair=False).is_clean


def test_a_shortened_authority_is_noticed_and_not_followed(tmp_path, origin, remote):
    shutil.copytree(remote, tmp_path / "backup")
    publish(origin, {"w.bin": b"two"})
    exchanging.push(origin)
    shutil.rmtree(remote)
    shutil.copytree(tmp_path / "backup", remote)
    publish(origin, {"w.bin": b"three"})
    for deed in (exchanging.pull, exchanging.push):
        with pytest.raises(ConflictError, match="has lost entries that it had confirmed"):
            deed(origin)
    assert list(history(origin)) == ["v0", "v1", "v2~"]


def test_a_carrier_that_lags_behind_is_no_reason_for_alarm(tmp_path, origin, remote):
    exchanging.add_remote(origin, "second", str(tmp_path / "second"))
    exchanging.push(origin, "second")
    publish(origin, {"w.bin": b"two"})
    exchanging.push(origin)
    assert exchanging.pull(origin, "second").transactions == 0
    exchanging.push(origin, "second")
    assert history(clone(tmp_path / "second", tmp_path / "b")) == history(origin)


def test_what_lies_in_the_inbox_of_a_store_that_becomes_the_authority_is_appended(tmp_path):
    owner = workspace(tmp_path / "owner")
    publish(owner, {"w": b"1"})
    peer = clone(owner.root, tmp_path / "peer")
    publish(peer, {"w": b"2"})
    for one in (peer, owner):
        exchanging.add_remote(one, "hub", str(tmp_path / "hub"))
    assert exchanging.push(peer, "hub").left == 1
    shutil.rmtree(tmp_path / "hub/journal")  # as one that was cut off before its prefix
    shutil.rmtree(peer.root)
    exchanging.push(owner, "hub")
    assert list(history(owner)) == ["v0", "v1"]
    assert list(history(clone(tmp_path / "hub", tmp_path / "b"))) == ["v0", "v1"]
