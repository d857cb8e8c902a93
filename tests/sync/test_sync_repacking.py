"""repack and prune keep every byte that anything needs, and free the rest."""

from __future__ import annotations

import numpy as np
import pytest
from clones import C, clone, connected, opened, publish, read

from mlvc.errors import ConflictError, NotFoundError, UsageError
from mlvc.format.pack import PackClass
from mlvc.maintenance import repacking
from mlvc.workspace import caretaking, exchanging, proving, publishing, registry
from mlvc.workspace.draft import Draft


def noise(seed: int, size: int = 300_000) -> bytes:
    return np.random.default_rng(seed).bytes(size)


def data_packs(where):
    return [n for n in where.repository.objects.index.packs() if n.pack_class is PackClass.DATA]


def version(where, label):
    return next(m.version for m in where.repository.view().members(C) if m.label.rstrip("~") == label)


def delete(where, label) -> None:
    member = next(m for m in where.repository.view().members(C) if m.label.rstrip("~") == label)
    registry.delete_version(where, member, "delete", with_names=True)


def all_sound(where) -> bool:
    return proving.fsck(where, repair=False).is_clean


def test_a_half_dead_pack_is_written_anew_with_what_lives(tmp_path):
    here = connected(tmp_path / "here", tmp_path / "remote")
    publish(here, {"kept": noise(1, 100_000), "gone": noise(2), "also gone": noise(3)})
    publish(here, {"kept": noise(1, 100_000)})
    delete(here, "v0")
    assert caretaking.repack(here, grace_s=3600, dry_run=False).freed_bytes == 0  # an undo may still want it
    planned = caretaking.repack(here, grace_s=-10, dry_run=True)
    assert planned.freed_bytes > 500_000
    done = caretaking.repack(here, grace_s=-10, dry_run=False)
    assert done.freed_bytes == pytest.approx(planned.freed_bytes, rel=0.01)
    assert read(here, version(here, "v1")) == {"kept": noise(1, 100_000)}
    assert sum(here.repository.backend.size(n.key) for n in data_packs(here)) < 150_000
    assert all_sound(opened(here.root))
    assert caretaking.gc(here, grace_s=-10, dry_run=True).leftovers == ()


def test_many_small_packs_become_one(tmp_path):
    here = connected(tmp_path / "here", tmp_path / "remote")
    for number in range(repacking.MANY_SMALL + 2):
        publish(here, {"f": noise(number, 5_000)})
    before = len(data_packs(here))
    caretaking.repack(here, grace_s=3600, dry_run=False)
    assert (before, len(data_packs(here))) == (repacking.MANY_SMALL + 2, 1)
    for number in range(repacking.MANY_SMALL + 2):
        assert read(here, version(here, f"v{number}")) == {"f": noise(number, 5_000)}
    assert all_sound(opened(here.root))
    assert caretaking.repack(here, grace_s=3600, dry_run=False).packs == ()


def weights(step: int, folder):
    values = np.random.default_rng(0).standard_normal(700_000).astype("<f4")
    for number in range(step):
        values += (np.random.default_rng(1 + number).standard_normal(700_000) * 1e-4).astype("<f4")
    path = folder / f"{step}.npy"
    np.save(path, values)
    return path


def test_a_dropped_base_makes_what_leans_on_it_stand_by_itself(tmp_path):
    here = connected(tmp_path / "here", tmp_path / "remote")
    for step in range(2):
        path = weights(step, tmp_path)
        publishing.publish(here, Draft(C, "model", {"w.npy": path}), "log")
    index = here.repository.objects.index
    assert any(slot.base for name in data_packs(here) for slot in index.slots(name))
    delete(here, "v0")
    caretaking.repack(here, grace_s=-10, dry_run=False)
    assert not any(slot.base for name in data_packs(here) for slot in index.slots(name))
    caretaking.repack(here, grace_s=-10, dry_run=False)  # only now is the base dead, in a pack that still holds a header
    assert read(here, version(here, "v1")) == {"w.npy": (tmp_path / "1.npy").read_bytes()}
    assert sum(here.repository.backend.size(n.key) for n in data_packs(here)) < 2_800_000
    assert all_sound(opened(here.root))


def test_repack_beside_a_commit_deletes_nothing_and_goes_on_later(tmp_path):
    here = connected(tmp_path / "here", tmp_path / "remote")
    publish(here, {"kept": noise(1, 100_000), "gone": noise(2)})
    publish(here, {"kept": noise(1, 100_000)})
    delete(here, "v0")
    before = set(data_packs(here))
    with here.repository.locks.committing(), pytest.raises(ConflictError):
        caretaking.repack(here, grace_s=-10, dry_run=False)
    assert before <= set(data_packs(here))
    caretaking.repack(here, grace_s=-10, dry_run=False)
    assert read(here, version(here, "v1")) == {"kept": noise(1, 100_000)}
    assert len(data_packs(here)) == 1


def test_prune_frees_what_the_upstream_holds_and_reads_bring_it_back(tmp_path):
    here = connected(tmp_path / "here", tmp_path / "remote", {"a": noise(1)})
    exchanging.push(here)
    publish(here, {"b": noise(2)})
    assert caretaking.prune(here, dry_run=True).freed_bytes > 250_000
    caretaking.prune(here, dry_run=False)
    held = [slot for name in data_packs(here) for slot in here.repository.objects.index.slots(name)]
    assert sum(slot.size for slot in held) == 300_000  # what is pending stays
    fetch, here.repository.objects.fetch = here.repository.objects.fetch, None
    assert read(here, version(here, "v1")) == {"b": noise(2)}
    with pytest.raises(NotFoundError):
        read(here, version(here, "v0"))
    here.repository.objects.fetch = fetch
    assert read(here, version(here, "v0")) == {"a": noise(1)}
    exchanging.push(here)
    there = clone(tmp_path / "remote", tmp_path / "there")
    assert read(there, version(there, "v1")) == {"b": noise(2)}


def test_prune_keeps_what_the_upstream_lost(tmp_path):
    here = connected(tmp_path / "here", tmp_path / "remote", {"a": noise(1)})
    exchanging.push(here)
    for path in (tmp_path / "remote" / "packs" / "data").iterdir():
        path.unlink()
    assert caretaking.prune(here, dry_run=False).packs == ()
    assert read(here, version(here, "v0")) == {"a": noise(1)}


def test_prune_keeps_a_pinned_version_and_what_is_deleted_but_can_be_undone(tmp_path):
    from mlvc.workspace import pinning

    here = connected(tmp_path / "here", tmp_path / "remote")
    (here.root / "pinned.bin").write_bytes(noise(5))
    pinning.add(here, here.root / "pinned.bin", "add")
    publish(here, {"dead": noise(6)})
    publish(here, {"free": noise(7)})
    delete(here, "v0")
    exchanging.push(here)
    caretaking.prune(here, dry_run=False)
    held = sum(slot.size for name in data_packs(here) for slot in here.repository.objects.index.slots(name))
    assert held == 600_000


def test_prune_without_an_upstream_that_has_the_history_is_refused(tmp_path):
    here = connected(tmp_path / "here", tmp_path / "remote", {"a": noise(1)})
    with pytest.raises(UsageError, match="upstream"):
        caretaking.prune(here, dry_run=False)
