"""gc on a shared remote: what is dead goes, what is alive stays, whoever pushes, sweeps or dies meanwhile."""

from __future__ import annotations

import random
import shutil
from functools import partial

import pytest
from clones import C, clone, connected, faulty_remote, history, publish, read

from mlvc.errors import ConflictError, RemoteError, UnsupportedError
from mlvc.fold.questions import View
from mlvc.sync import pulling
from mlvc.workspace import caretaking, exchanging, proving, registry, undoing

ONE, TWO, THREE = (random.Random(n).randbytes(600_000) for n in range(3))
AT_ONCE = -10
"""A grace that lies in the future: everything dead has had it."""


@pytest.fixture
def origin(tmp_path, remote):
    """Two versions at the remote, the first of them deleted."""
    made = connected(tmp_path / "origin", remote, {"w.bin": ONE})
    publish(made, {"w.bin": TWO})
    exchanging.push(made)
    delete(made, "v0")
    exchanging.push(made)
    return made


def delete(where, label):
    (member,) = [m for m in where.repository.view().members(C) if m.label == label]
    registry.delete_version(where, member, "delete", with_names=True)


def packs(store):
    return {p.name: p.stat().st_size for p in (store / "packs").glob("*/*")}


def sweep(where, grace_s=AT_ONCE, dry_run=False):
    return caretaking.gc_remote(where, "origin", grace_s=grace_s, dry_run=dry_run)


def test_what_is_dead_goes_and_what_is_alive_stays(tmp_path, origin, remote):
    before = packs(remote)
    planned = sweep(origin, dry_run=True)
    assert packs(remote) == before
    done = sweep(origin)
    assert done == planned
    assert done.freed_bytes >= len(ONE)
    assert sum(packs(remote).values()) < sum(before.values()) - len(ONE)
    there = clone(remote, tmp_path / "b")
    assert list(history(there)) == ["v1"]
    assert read(there, history(there)["v1"]) == {"w.bin": TWO}
    assert proving.fsck(there, repair=False).is_clean
    assert not sweep(there).packs, "there is no more to do"


def test_what_died_lately_is_spared(origin, remote):
    before = packs(remote)
    assert not sweep(origin, grace_s=3600).packs
    assert packs(remote) == before


def test_what_a_push_under_way_uploaded_is_spared(tmp_path, origin, remote):
    stray = "packs/data/" + "ab" * 16 + ".pack"
    publish(origin, {"w.bin": THREE})
    source = max((p for p in (origin.repository.path / "packs/data").iterdir()), key=lambda p: p.stat().st_mtime_ns)
    shutil.copy(source, remote / "packs/data" / source.name)
    assert not sweep(origin, grace_s=3600).packs
    assert source.name in packs(remote)
    assert stray not in packs(remote)


def test_content_that_was_swept_comes_back_under_a_new_name(tmp_path, origin, remote):
    late = clone(remote, tmp_path / "late")
    exchanging.fetch(late, ["model:v1"])
    before = set(packs(remote))
    sweep(origin)
    swept = before - set(packs(remote))
    publish(late, {"w.bin": ONE})  # it knows of no sweep yet
    publish(origin, {"w.bin": ONE})
    exchanging.push(origin)
    exchanging.push(late)
    assert not swept & set(packs(remote)), "a name is never written twice"
    newcomer = clone(remote, tmp_path / "newcomer")
    assert list(history(newcomer)) == ["v0", "v1"], "it came back with its number"
    assert read(newcomer, history(newcomer)["v0"]) == {"w.bin": ONE}


def test_a_laptop_that_knows_of_no_sweep_sends_again_what_was_swept(tmp_path, origin, remote):
    laptop = clone(remote, tmp_path / "laptop")
    exchanging.push(laptop)
    laptop_remote = exchanging.open_remote(laptop)
    laptop_remote.index.refresh()  # it believes that the remote holds the old content
    publish(laptop, {"w.bin": ONE})
    sweep(origin)
    assert exchanging.push(laptop).transactions == 1
    newcomer = clone(remote, tmp_path / "newcomer")
    assert read(newcomer, history(newcomer)["v0"]) == {"w.bin": ONE}


def test_an_undo_after_the_sweep_is_shown_as_gone(tmp_path, origin, remote):
    lazy = clone(remote, tmp_path / "lazy")
    version = next(iter(history(origin).values()))
    undoing.undo(lazy, None, "undo", force=True)
    assert list(history(lazy)) == ["v0", "v1"]
    sweep(origin)
    exchanging.push(lazy)
    exchanging.pull(origin)
    view: View = origin.repository.view()
    (revived,) = [m for m in view.members(C) if m.version != version]
    (said,) = view.publications(revived.version)
    assert view.is_gone(said.manifest)
    for where in (origin, clone(remote, tmp_path / "newcomer")):
        assert not sweep(where).packs, "what is known to be gone keeps nobody from sweeping"
        caretaking.gc(where, grace_s=AT_ONCE, dry_run=False)
    publish(origin, {"w.bin": ONE})
    assert not origin.repository.view().is_gone(said.manifest), "a publication brings the data again"


def test_an_undo_before_the_sweep_keeps_everything(tmp_path, origin, remote):
    undoing.undo(origin, None, "undo", force=True)
    exchanging.push(origin)
    assert not sweep(origin).packs
    there = clone(remote, tmp_path / "b")
    assert read(there, history(there)["v0"]) == {"w.bin": ONE}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_sweep_cut_off_anywhere_is_finished_by_the_next(tmp_path, origin, remote, after):
    for number in range(100):
        store = tmp_path / f"store {number}"
        shutil.copytree(remote, store)
        here = clone(store, tmp_path / f"here {number}")
        deletes = 0
        cut, backend = faulty_remote(here, store, None)

        def dying(key, deleting=backend.delete, number=number):
            nonlocal deletes
            if ".tmp-" in key:
                return deleting(key)
            deletes += 1
            if deletes - 1 == number:
                if after:
                    deleting(key)
                raise RemoteError("the line went dead")
            return deleting(key)

        backend.delete = dying
        record = cut.require_record()
        try:
            pull = partial(pulling.pull, here.repository, cut)
            caretaking.sweeping.sweep(here.repository, cut, record.id, lambda: (), AT_ONCE, pull)
        except RemoteError:
            pass
        else:
            assert number > 0
            return
        other = clone(store, tmp_path / f"other {number}")
        assert read(other, history(other)["v1"]) == {"w.bin": TWO}
        publish(other, {"w.bin": ONE})
        exchanging.push(other)
        sweep(other)
        newcomer = clone(store, tmp_path / f"newcomer {number}")
        assert read(newcomer, history(newcomer)["v0"]) == {"w.bin": ONE}
        assert read(newcomer, history(newcomer)["v1"]) == {"w.bin": TWO}
        assert proving.fsck(newcomer, repair=False).is_clean
        assert sweep(newcomer).packs == ()
    pytest.fail("no end")


def test_a_carrier_is_not_swept(tmp_path, origin, remote):
    exchanging.add_remote(origin, "second", str(tmp_path / "second"))
    exchanging.push(origin, "second")
    with pytest.raises(UnsupportedError, match="carrier"):
        caretaking.gc_remote(origin, "second", grace_s=0, dry_run=False)


def test_the_owner_of_a_folder_that_commits_right_now_is_left_alone(tmp_path, origin, remote):
    held = exchanging.open_remote(origin)
    with held.committing(), pytest.raises(ConflictError, match="nothing was deleted"):
        sweep(origin)
    assert sweep(origin).packs


def test_the_swept_store_itself_never_leans_on_what_was_swept(tmp_path):
    """Its owner commits the same content again after a sweep of which nothing was deleted yet."""
    owner = connected(tmp_path / "owner", tmp_path / "unused", {"w.bin": ONE})
    publish(owner, {"w.bin": TWO})
    delete(owner, "v0")
    there = clone(owner.root, tmp_path / "b")
    cut, backend = faulty_remote(there, owner.repository.path, None)
    backend.delete = lambda key: (_ for _ in ()).throw(RemoteError("the line went dead")) if "packs" in key else None
    with pytest.raises(RemoteError):
        caretaking.sweeping.sweep(
            there.repository, cut, owner.repository.id, lambda: (), AT_ONCE, lambda: pulling.pull(there.repository, cut)
        )
    publish(owner, {"w.bin": ONE})
    caretaking.gc_remote(there, "origin", grace_s=AT_ONCE, dry_run=False)
    assert read(owner, history(owner)["v0"]) == {"w.bin": ONE}
    assert proving.fsck(owner, repair=False).is_clean
