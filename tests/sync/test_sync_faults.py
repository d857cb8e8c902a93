"""Pushes cut off anywhere and repeated, handovers killed anywhere, damage healed from a remote, many pushing at once."""

from __future__ import annotations

import multiprocessing
import shutil
import sys
from pathlib import Path

import pytest
from clones import (
    CountingLayer,
    Killed,
    clone,
    connected,
    faulty_remote,
    history,
    opened,
    publish,
    read,
    reopened,
)

from mlvc import atomic_file
from mlvc.errors import DamageError, RemoteError
from mlvc.maintenance import checking
from mlvc.repository.repository import Repository
from mlvc.sync import pushing
from mlvc.workspace import caretaking, exchanging, proving

FILES = [{"w": b"zero"}, {"w": b"one", "x": b"x"}, {"w": b"two", "y": b"y" * 3000}]


KINDS = ("handover", "first push of what is pending", "later push")


def story(tmp_path: Path, kind: str = "handover") -> tuple[Path, Path]:
    """A workspace with something to push: its own journal, pending ones to an empty remote, or to one with a history."""
    remote = tmp_path / "remote"
    here = connected(tmp_path / "here", remote, None if kind == KINDS[1] else FILES[0])
    if kind == KINDS[1]:
        publish(here, FILES[0])
    if kind == KINDS[2]:
        exchanging.push(here)
    if kind == KINDS[0]:
        exchanging.remove_remote(here, "origin")
    publish(here, FILES[1])
    publish(here, FILES[2], ["prod"])
    if kind == KINDS[0]:
        exchanging.add_remote(here, "origin", str(remote))
    here.close()
    return here.root, remote


def assert_arrived(root: Path, remote: Path, fresh: Path) -> None:
    """A new clone sees everything, whole, once, with confirmed numbers; fsck is content everywhere."""
    there = clone(remote, fresh)
    assert [read(there, v) for v in history(there).values()] == FILES
    assert list(history(there)) == ["v0", "v1", "v2"]
    assert len(list(there.repository.view().transactions())) == 3
    here = opened(root)
    assert history(here) == history(there)
    assert here.repository.pending.ids() == set()
    for one in (here, there):
        assert proving.fsck(one, repair=False).damage == []
        one.close()
    store = Repository(remote)
    assert checking.check(store).damage == []
    store.close()


@pytest.mark.parametrize("after", [False, True], ids=["fails", "reply lost"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_push_cut_off_at_any_write_and_repeated_arrives_once(tmp_path, kind, after):
    base = tmp_path / "base"
    story(base, kind)
    counted = copied(base, tmp_path / "counted")
    here = opened(counted / "here")
    remote, backend = faulty_remote(here, counted / "remote", None)
    pushing.push(here.repository, remote)
    assert backend.count >= 3
    for k in range(backend.count):
        folder = copied(base, tmp_path / f"k{k}")
        here = opened(folder / "here")
        remote, _ = faulty_remote(here, folder / "remote", k, after=after)
        with pytest.raises(RemoteError, match="line went dead"):
            pushing.push(here.repository, remote)
        here = reopened(here)
        exchanging.push(here)
        here.close()
        assert_arrived(folder / "here", folder / "remote", folder / "fresh")


def copied(base: Path, folder: Path) -> Path:
    shutil.copytree(base, folder)
    toml = folder / "here" / "mlvc.toml"
    toml.write_text(toml.read_text().replace(str(base), str(folder)))
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_a_push_killed_at_any_file_operation_and_repeated_arrives_once(tmp_path, kind):
    base = tmp_path / "base"
    story(base, kind)

    def push(folder: Path, at: int | None) -> CountingLayer:
        here = opened(folder / "here")
        layer = CountingLayer(at)
        try:
            with atomic_file.using_layer(layer):
                exchanging.push(here)
        except Killed:
            assert at is not None
        finally:
            here.close()
        return layer

    count = push(copied(base, tmp_path / "counted"), None).count
    assert count > 30
    for k in range(count):
        folder = copied(base, tmp_path / f"k{k}")
        push(folder, k)
        here = opened(folder / "here")
        late = publish(here, {"late": b"late"}) if k % 3 == 0 else None
        exchanging.push(here)
        if late:
            assert history(here)["v3"] and exchanging.push(here).transactions == 0
            assert history(clone(folder / "remote", folder / "fresh")) == history(here)
        here.close()
        if not late:
            assert_arrived(folder / "here", folder / "remote", folder / "fresh")
        shutil.rmtree(folder)


def test_another_clone_finishes_a_handover_that_was_cut_off(tmp_path):
    base = tmp_path / "base"
    story(base)
    for write in range(1, 20):
        folder = copied(base, tmp_path / f"cut at write {write}")
        here, remote = opened(folder / "here"), folder / "remote"
        peer = clone(folder / "here", folder / "peer")
        cut, backend = faulty_remote(here, remote, None)
        backend.at = backend.count + write
        with pytest.raises(RemoteError):
            pushing.push(here.repository, cut)
        if not here.repository.is_authority(here.repository.refresh()):
            break  # the handover is made here, and nothing of it there
    assert exchanging.open_remote(here).journal() is None
    exchanging.pull(peer)
    exchanging.add_remote(peer, "upstream", str(remote))
    publish(peer, {"from": b"peer"})
    exchanging.push(peer, "upstream")
    exchanging.push(here)
    assert history(here) == history(peer)
    assert len(history(here)) == 4


def test_a_pull_killed_at_any_file_operation_and_repeated_is_whole(tmp_path):
    base = tmp_path / "base"
    root, remote = story(base, KINDS[2])
    here = opened(root)
    exchanging.push(here)
    expected = history(here)

    def pull(folder: Path, at: int | None) -> int:
        there = connected(folder, remote)
        layer = CountingLayer(at)
        try:
            with atomic_file.using_layer(layer):
                exchanging.pull(there)
        except Killed:
            assert at is not None
        there.close()
        return layer.count

    for k in range(pull(tmp_path / "counted", None)):
        pull(tmp_path / f"k{k}", k)
        there = opened(tmp_path / f"k{k}")
        assert proving.fsck(there, repair=False).damage == []
        exchanging.pull(there)
        assert history(there) == expected
        assert [read(there, v) for v in history(there).values()] == FILES
        there.close()


# -- healing from a remote --------------------------------------------------------------------------------------------


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 4
    path.write_bytes(data)


@pytest.fixture
def pushed(tmp_path):
    root, remote = story(tmp_path)
    here = opened(root)
    exchanging.push(here)
    return here


@pytest.mark.parametrize("cached", [True, False], ids=["index known", "index new"])
@pytest.mark.parametrize("at", [30, 45, -200, -60, -1])
@pytest.mark.parametrize("folder", ["data", "meta"])
def test_a_damaged_pack_is_healed_from_the_remote(pushed, folder, at, cached):
    path = max((pushed.repository.path / "packs" / folder).iterdir(), key=lambda p: p.stat().st_size)
    flip(path, at)
    if not cached:
        pushed.close()
        shutil.rmtree(pushed.repository.path / "cache")
    here = reopened(pushed)
    assert proving.fsck(here, repair=False).damage
    report = proving.fsck(here, repair=True)
    assert report.damage == [] and report.repaired
    assert not path.exists()
    assert [read(here, v) for v in history(here).values()] == FILES
    assert proving.fsck(here, repair=False).repaired == []


def test_damaged_and_missing_entries_are_healed_from_the_remote(pushed):
    expected = history(pushed)
    entries = sorted((pushed.repository.path / "journal").glob("*/*"))
    flip(entries[1], 80)
    entries[2].unlink()
    here = reopened(pushed)
    assert len(proving.fsck(here, repair=False).bad_entries) >= 2
    report = proving.fsck(here, repair=True)
    assert report.damage == [] and len(report.repaired) == 2
    assert history(here) == expected
    shutil.rmtree(here.repository.path / "cache")
    assert history(opened(here.root)) == expected


def test_a_damaged_entry_does_not_keep_fsck_from_opening_the_repository(pushed):
    pushed.close()
    shutil.rmtree(pushed.repository.path / "cache")
    flip(min((pushed.repository.path / "journal").glob("*/*")), 60)
    here = opened(pushed.root)
    with pytest.raises(DamageError, match="entry 1"):
        history(here)
    assert proving.fsck(here, repair=True).damage == []
    assert len(history(here)) == 3


def test_a_lazy_clone_is_not_filled_by_a_repair(pushed, tmp_path):
    there = clone(tmp_path / "remote", tmp_path / "there")
    read(there, history(there)["v1"])
    for path in (there.repository.path / "packs" / "data").iterdir():
        flip(path, 30)
    before = proving.fsck(there, repair=False)
    assert before.damage
    after = proving.fsck(there, repair=True)
    assert after.damage == [] and after.elsewhere > 0
    assert read(there, history(there)["v1"]) == FILES[1]


def test_gc_through_the_workspace_keeps_what_is_pinned(pushed):
    from mlvc.working_tree import lock_file
    from mlvc.working_tree.lock_file import WHOLE, Pin
    from mlvc.workspace import registry, resolving

    first, second, _ = history(pushed).values()
    lock_file.write(pushed.root, {"w": Pin("w", first, "p/model", WHOLE)})
    for label in ("model:v0", "model:v1"):
        member = resolving.version(pushed, pushed.repository.view(), label)
        registry.delete_version(pushed, member, "delete", with_names=True)
    exchanging.push(pushed)
    pushed.repository.objects.fetch = None
    assert caretaking.gc(pushed, grace_s=0, dry_run=True).packs
    done = caretaking.gc(pushed, grace_s=0, dry_run=False)
    assert done.packs and caretaking.gc(pushed, grace_s=0, dry_run=False).packs == ()
    assert read(pushed, first) == FILES[0]
    assert proving.fsck(pushed, repair=False).damage == []


# -- many at once -----------------------------------------------------------------------------------------------------

PUSHERS = 8
PUSHES = 4


def push_some(root: Path, who: int) -> None:
    here = opened(root)
    for number in range(PUSHES):
        publish(here, {"who": b"%d" % who, "number": b"%d" % number}, [f"of-{who}"])
        exchanging.push(here)
    here.close()


def push_first(root: Path, failures) -> None:
    from mlvc.errors import ConflictError

    here = opened(root)
    try:
        exchanging.push(here)
    except ConflictError:
        failures.put(str(root))
    here.close()


def together(target, arguments: list[tuple], context) -> None:
    running = [context.Process(target=target, args=a) for a in arguments]
    for process in running:
        process.start()
    for process in running:
        process.join()
    assert [process.exitcode for process in running] == [0] * len(running)


CONTEXT = multiprocessing.get_context("fork" if sys.version_info < (3, 12) else "spawn")


@pytest.mark.slow
def test_eight_processes_push_at_once_and_all_arrives_once(tmp_path):
    remote = tmp_path / "remote"
    connected(tmp_path / "begin", remote)
    first = opened(tmp_path / "begin")
    publish(first, {"w": b"first"})
    exchanging.push(first)
    roots = [tmp_path / f"c{who}" for who in range(PUSHERS)]
    for root in roots:
        clone(remote, root).close()
    together(push_some, [(root, who) for who, root in enumerate(roots)], CONTEXT)
    there = clone(remote, tmp_path / "fresh")
    seen = history(there)
    assert list(seen) == [f"v{n}" for n in range(1 + PUSHERS * PUSHES)]
    assert len(set(seen.values())) == 1 + PUSHERS * PUSHES
    for version in seen.values():
        read(there, version)
    for root in roots:
        here = opened(root)
        exchanging.pull(here)
        assert history(here) == seen
        here.close()


@pytest.mark.slow
def test_first_pushes_at_once_begin_one_history_and_the_others_are_told(tmp_path):
    roots = [tmp_path / f"c{who}" for who in range(6)]
    for root in roots:
        connected(root, tmp_path / "remote", {"who": root.name.encode()}).close()
    failures = CONTEXT.Queue()
    together(push_first, [(root, failures) for root in roots], CONTEXT)
    assert sum(1 for _ in roots[1:] if failures.get(timeout=5)) == len(roots) - 1
    assert len(list((tmp_path / "remote" / "journal").iterdir())) == 1
    assert len(history(clone(tmp_path / "remote", tmp_path / "fresh"))) == 1
