"""Versions kept as differences travel, are fetched, collected and healed with what they are differences to."""

from __future__ import annotations

import numpy as np
from clones import clone, connected, opened

from mlvc.format.record import CHUNK_CODE
from mlvc.maintenance import checking
from mlvc.workspace import caretaking, contents, exchanging, proving, publishing, registry
from mlvc.workspace.draft import Draft

COUNT = 700_000


def weights(step: int) -> bytes:
    import io

    values = np.random.default_rng(0).standard_normal(COUNT).astype("<f4")
    for number in range(step):
        values += (np.random.default_rng(1 + number).standard_normal(COUNT) * 1e-4).astype("<f4")
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def log(workspace, step: int, folder):
    path = folder / f"step{step}.npy"
    path.write_bytes(weights(step))
    return publishing.publish(workspace, Draft("p/model", "model", {"w.npy": path}), "log").member.version


def read(workspace, version) -> bytes:
    with workspace.repository.reading() as view:
        held = contents.of(workspace, view, version)
        (entry,) = held.manifest
        objects = workspace.repository.objects
        return b"".join(objects.read_file(objects.recipe(held.recipes, entry.digest, entry.size)))


def delete(workspace, version) -> None:
    member = workspace.repository.view().member("p/model", version)
    registry.delete_version(workspace, member, "delete", with_names=True)


def differences(workspace) -> int:
    index = workspace.repository.objects.index
    return sum(1 for name in index.packs() for slot in index.slots(name) if slot.base is not None)


def test_a_clone_gets_a_late_version_with_only_the_bases_it_needs(tmp_path):
    here = connected(tmp_path / "here", tmp_path / "remote")
    versions = [log(here, step, tmp_path) for step in range(3)]
    assert differences(here)
    exchanging.push(here)
    there = clone(tmp_path / "remote", tmp_path / "there")
    assert read(there, versions[2]) == weights(2)
    assert not checking.check(there.repository).damage
    for step, version in enumerate(versions):
        assert read(there, version) == weights(step)


def test_a_push_brings_the_bases_that_only_dead_versions_hold(tmp_path):
    here = connected(tmp_path / "here", tmp_path / "remote")
    first, later = log(here, 0, tmp_path), log(here, 1, tmp_path)
    delete(here, first)
    exchanging.push(here)
    there = clone(tmp_path / "remote", tmp_path / "there")
    assert read(there, later) == weights(1)


def test_gc_keeps_what_a_living_difference_is_to(tmp_path):
    here = connected(tmp_path / "here", tmp_path / "remote")
    first, later = log(here, 0, tmp_path), log(here, 1, tmp_path)
    delete(here, first)
    caretaking.gc(here, grace_s=-10, dry_run=False)
    assert read(here, later) == weights(1)
    assert proving.fsck(here, repair=False).is_clean
    delete(here, later)
    caretaking.gc(here, grace_s=-10, dry_run=False)
    assert not [slot for name in here.repository.objects.index.packs() for slot in here.repository.objects.index.slots(name) if slot.code == CHUNK_CODE]


def test_a_damaged_base_is_healed_from_the_remote_and_with_it_all_that_leans_on_it(tmp_path):
    here = connected(tmp_path / "here", tmp_path / "remote")
    versions = [log(here, step, tmp_path) for step in range(3)]
    exchanging.push(here)
    index = here.repository.objects.index
    base = next(slot.base for name in index.packs() for slot in index.slots(name) if slot.base is not None)
    place = index.find(base, CHUNK_CODE)[0]
    path = here.repository.backend.path(place.pack.key)
    with path.open("r+b") as file:
        file.seek(place.slot.offset + 100)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 4]))
    here.close()
    here = opened(here.root)
    assert not proving.fsck(here, repair=False).is_clean
    assert proving.fsck(here, repair=True).is_clean
    for step, version in enumerate(versions):
        assert read(here, version) == weights(step)
