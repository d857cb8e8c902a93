"""Two histories: joined with nothing lost, taken over when the authority is gone, followed by every clone."""

from __future__ import annotations

import shutil
from contextlib import suppress

import pytest
from clones import C, CountingLayer, Killed, clone, connected, history, opened, publish, read, workspace

from mlvc import atomic_file
from mlvc.errors import ConflictError, UnsupportedError
from mlvc.workspace import exchanging, proving


def commands(where):
    return sorted(t.id for t in where.repository.view().transactions())


def aliases(where):
    return {m.label: sorted(where.repository.view().aliases_of(C, m.version)) for m in where.repository.view().members(C)}


@pytest.fixture
def stranger(tmp_path):
    made = workspace(tmp_path / "stranger")
    publish(made, {"w.bin": b"mine"}, ["best"])
    publish(made, {"w.bin": b"one"})
    return made


def test_histories_that_began_apart_are_joined_with_nothing_lost(tmp_path, origin, remote, stranger):
    exchanging.add_remote(stranger, "origin", str(remote))
    assert exchanging.is_apart(stranger, "origin")
    planned = [(r.before, r.after) for r in exchanging.join_plan(stranger, "origin")]
    assert planned == [(0, 1), (1, 0)], "the same content is one version"
    assert list(history(stranger)) == ["v0", "v1"], "a plan changes nothing"
    before = commands(stranger)
    joined = exchanging.join(stranger, "origin")
    assert joined.transactions == len(before)
    assert list(history(stranger)) == ["v0", "v1~"]
    assert set(before) <= set(commands(stranger))
    assert exchanging.push(stranger).transactions == len(before)
    exchanging.pull(origin)
    assert history(origin) == history(stranger)
    assert list(history(origin)) == ["v0", "v1"]
    assert read(origin, history(origin)["v1"]) == {"w.bin": b"mine"}
    assert not exchanging.is_apart(stranger, "origin")
    assert proving.fsck(stranger, repair=False).is_clean
    assert history(opened(stranger.root)) == history(origin)


def test_clones_of_a_joined_repository_follow_it(tmp_path, origin, remote, stranger):
    follower = clone(stranger.root, tmp_path / "follower")
    publish(follower, {"w.bin": b"by the follower"})
    exchanging.add_remote(stranger, "origin", str(remote))
    exchanging.join(stranger, "origin")
    publish(stranger, {"w.bin": b"later"})
    exchanging.pull(follower)
    assert len(history(follower)) == 4, "two of the stranger, one of the follower, and the later one; one was known"
    exchanging.push(stranger)
    exchanging.pull(follower)
    exchanging.push(follower)  # into the stranger's repository, as pending
    exchanging.push(stranger)
    for one in (follower, origin):
        exchanging.pull(one)
    assert history(follower) == history(stranger) == history(origin)
    assert not any(label.endswith("~") for label in history(origin))


def test_a_history_led_by_a_bucket_of_its_own_is_joined_there(tmp_path, origin, remote, stranger):
    exchanging.add_remote(stranger, "own", str(tmp_path / "own"))
    exchanging.push(stranger)
    colleague = clone(tmp_path / "own", tmp_path / "colleague")
    exchanging.add_remote(stranger, "origin", str(remote))
    exchanging.join(stranger, "origin")
    exchanging.push(stranger, "origin")
    exchanging.pull(colleague)
    assert len(history(colleague)) == 2, "it hears that the journal gave way, and keeps what it knew"
    exchanging.push(stranger, "own")
    exchanging.pull(colleague)
    assert history(colleague) == history(stranger)
    publish(colleague, {"w.bin": b"new"})
    assert exchanging.push(colleague).left == 1, "what was the authority is a carrier now"
    exchanging.pull(stranger, "own")
    exchanging.push(stranger, "origin")
    exchanging.pull(origin)
    assert list(history(origin)) == ["v0", "v1", "v2"]


def test_a_journal_led_elsewhere_is_joined_only_there(tmp_path, origin, remote, stranger):
    there = clone(stranger.root, tmp_path / "there")
    exchanging.remove_remote(there, "origin")
    exchanging.add_remote(there, "origin", str(remote))
    with pytest.raises(ConflictError, match="only there can it be ended"):
        exchanging.join(there, "origin")
    assert list(history(there)) == ["v0", "v1"]


def test_a_join_cut_off_anywhere_loses_nothing_and_is_repeated(tmp_path):
    base = tmp_path / "base"
    shared = connected(base / "origin", base / "remote", {"w.bin": b"one"})
    exchanging.push(shared)
    shared.close()
    made = workspace(base / "stranger")
    publish(made, {"w.bin": b"mine"}, ["best"])
    exchanging.add_remote(made, "origin", str(base / "remote"))
    known = set(commands(made))
    made.close()
    step = 0
    while True:
        folder = tmp_path / f"cut {step}"
        shutil.copytree(base / "stranger", folder)
        here = opened(folder)
        layer = CountingLayer(step)
        with atomic_file.using_layer(layer), suppress(Killed):
            exchanging.join(here, "origin")
        was_cut = layer.is_dead
        here.close()
        here = opened(folder)
        assert known <= set(commands(here)), f"after step {step}"
        if exchanging.is_apart(here, "origin"):
            exchanging.join(here, "origin")
        else:
            exchanging.pull(here)
        assert known <= set(commands(here))
        assert sorted(history(here).values()) == sorted({*history(opened(base / "origin")).values(), *history(opened(base / "stranger")).values()})
        assert proving.fsck(here, repair=False).is_clean
        here.close()
        shutil.rmtree(folder)
        if not was_cut:
            break
        step += 1
    assert step > 10


# -- taking over --------------------------------------------------------------------------------------------------------


def test_a_lost_authority_is_taken_over_by_another_remote(tmp_path, origin, remote):
    colleague = clone(remote, tmp_path / "colleague")
    exchanging.fetch(origin, ["model:v0"])
    shutil.rmtree(remote)
    publish(origin, {"w.bin": b"two"})
    exchanging.add_remote(origin, "fresh", str(tmp_path / "fresh"))
    assert exchanging.take_over(origin, "fresh") == "the remote 'fresh'"
    assert origin.settings.upstream == "fresh"
    assert list(history(origin)) == ["v0", "v1~"]
    assert exchanging.push(origin).transactions == 1
    assert list(history(origin)) == ["v0", "v1"]
    exchanging.add_remote(colleague, "fresh", str(tmp_path / "fresh"))
    exchanging.pull(colleague, "fresh")
    assert history(colleague) == history(origin)
    newcomer = clone(tmp_path / "fresh", tmp_path / "newcomer")
    assert history(newcomer) == history(origin)
    assert read(newcomer, history(newcomer)["v0"]) == {"w.bin": b"one"}
    publish(newcomer, {"w.bin": b"three"})
    assert exchanging.push(newcomer).transactions == 1
    for one in (origin, colleague, newcomer):
        exchanging.pull(one, "fresh" if one is not newcomer else None)
        assert proving.fsck(one, repair=False).is_clean
        assert history(one) == history(newcomer)


def test_this_repository_takes_over(tmp_path, origin, remote):
    shutil.rmtree(remote)
    publish(origin, {"w.bin": b"two"})
    assert exchanging.take_over(origin, None) == "this repository"
    assert list(history(origin)) == ["v0", "v1"]
    assert publish(origin, {"w.bin": b"three"}) == "v2"
    assert list(history(opened(origin.root))) == ["v0", "v1", "v2"]


def test_an_authority_that_comes_back_is_joined_once(tmp_path, origin, remote):
    colleague = clone(remote, tmp_path / "colleague")
    publish(colleague, {"w.bin": b"only there"})
    exchanging.push(colleague)
    exchanging.take_over(origin, None)
    publish(origin, {"w.bin": b"here"})
    assert list(history(origin)) == ["v0", "v1"]
    with pytest.raises(ConflictError, match="taken over here"):
        exchanging.pull(origin)
    assert exchanging.join(origin, "origin").transactions == 1
    assert list(history(origin)) == ["v0", "v1", "v2"]
    assert read(origin, history(origin)["v2"]) == {"w.bin": b"only there"}
    exchanging.add_remote(colleague, "new", str(origin.root))
    with pytest.raises(ConflictError, match="apart|taken over"):
        exchanging.pull(colleague, "new")
    exchanging.join(colleague, "new")
    assert history(colleague) == history(origin)


def test_two_that_took_over_are_joined(tmp_path, origin, remote):
    colleague = clone(remote, tmp_path / "colleague")
    exchanging.fetch(colleague, ["model:v0"])
    shutil.rmtree(remote)
    exchanging.take_over(origin, None)
    exchanging.take_over(colleague, None)
    publish(origin, {"w.bin": b"a"})
    publish(colleague, {"w.bin": b"b"})
    exchanging.add_remote(colleague, "other", str(origin.root))
    with pytest.raises(ConflictError, match="apart|taken over"):
        exchanging.pull(colleague, "other")
    exchanging.join(colleague, "other")
    exchanging.push(colleague, "other")
    assert history(colleague) == history(origin)
    assert list(history(origin)) == ["v0", "v1", "v2"]


def test_a_copy_that_went_another_way_is_joined(tmp_path, origin, remote):
    shutil.copytree(remote, tmp_path / "copy")
    there = clone(tmp_path / "copy", tmp_path / "b")
    publish(origin, {"w.bin": b"here"})
    exchanging.push(origin)
    publish(there, {"w.bin": b"there"})
    exchanging.push(there)
    exchanging.add_remote(there, "real", str(remote))
    assert [(r.before, r.after) for r in exchanging.join_plan(there, "real")] == [(1, 2)]
    assert exchanging.join(there, "real").transactions == 1
    assert list(history(there)) == ["v0", "v1", "v2~"]
    exchanging.push(there, "real")
    exchanging.pull(origin)
    assert history(origin) == history(there)


def test_taking_over_needs_a_history_and_a_store_that_can_lead(tmp_path, origin, remote):
    empty = workspace(tmp_path / "empty")
    with pytest.raises(UnsupportedError, match="no history"):
        exchanging.take_over(empty, None)
    exchanging.add_remote(origin, "stick", str(tmp_path / "stick"), {"carrier": "true"})
    with pytest.raises(ConflictError, match="carrier"):
        exchanging.take_over(origin, "stick")
    with pytest.raises(ConflictError, match="leads the history already"):
        exchanging.take_over(origin, "origin")


def test_who_waits_for_the_history_it_was_joined_to_takes_no_other_one(tmp_path, origin, remote, stranger):
    exchanging.add_remote(stranger, "own", str(tmp_path / "own"))
    exchanging.push(stranger)
    colleague = clone(tmp_path / "own", tmp_path / "colleague")
    exchanging.add_remote(stranger, "origin", str(remote))
    exchanging.join(stranger, "origin")
    exchanging.pull(colleague)  # it knows that its journal gave way, and has nothing of the other one yet
    before = history(colleague)
    third = connected(tmp_path / "third", tmp_path / "elsewhere", {"x": b"x"})
    exchanging.push(third)
    exchanging.add_remote(colleague, "elsewhere", str(tmp_path / "elsewhere"))
    with pytest.raises(ConflictError, match="began apart"):
        exchanging.pull(colleague, "elsewhere")
    assert history(opened(colleague.root)) == before
    exchanging.push(stranger, "origin")
    exchanging.push(stranger, "own")
    exchanging.pull(colleague)
    assert history(colleague) == history(stranger)
