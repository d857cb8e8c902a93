"""What a remote lost comes back from a clone that has it: packs, damaged pieces, journal entries."""

from __future__ import annotations

import random
import shutil

import pytest
from clones import clone, connected, history, publish, read

from mlvc.errors import NotFoundError
from mlvc.format.pack import PackName
from mlvc.objects.pack_index import Place
from mlvc.workspace import exchanging, proving

BIG = random.Random(3).randbytes(2 << 20)


@pytest.fixture
def origin(tmp_path, remote):
    made = connected(tmp_path / "origin", remote, {"w.bin": BIG})
    publish(made, {"w.bin": b"two"})
    exchanging.push(made)
    return made


def whole(tmp_path, remote, name="newcomer"):
    there = clone(remote, tmp_path / name)
    versions = history(there)
    return read(there, versions["v0"]) == {"w.bin": BIG} and read(there, versions["v1"]) == {"w.bin": b"two"}


@pytest.mark.parametrize("kind", ["data", "meta", "*"])
def test_packs_that_a_remote_lost_are_sent_again_under_new_names(tmp_path, origin, remote, kind):
    lost = list((remote / "packs").glob(f"{kind}/*"))
    for path in lost:
        path.unlink()
    report = proving.fsck(origin, repair=False)
    assert any("'origin' has lost" in sentence for sentence in report.damage)
    assert not list((remote / "packs").glob(f"{kind}/*")), "looking mends nothing"
    report = proving.fsck(origin, repair=True)
    assert report.is_clean
    assert any("sent again" in sentence for sentence in report.repaired)
    assert not {p.name for p in lost} & {p.name for p in (remote / "packs").glob("*/*")}
    assert whole(tmp_path, remote)
    assert proving.fsck(origin, repair=False).is_clean


def test_a_piece_that_is_damaged_at_a_remote_is_sent_again_by_whoever_has_it(tmp_path, origin, remote):
    (large,) = [p for p in (remote / "packs/data").iterdir() if p.stat().st_size > len(BIG)]
    data = bytearray(large.read_bytes())
    data[len(data) // 2] ^= 1
    large.write_bytes(data)
    lazy = clone(remote, tmp_path / "lazy")
    with pytest.raises(NotFoundError):
        exchanging.fetch(lazy, ["model:v0"])  # and so it knows of the damage
    source = exchanging.open_remote(origin)  # as one that read it there does
    source.index.refresh()
    for slot in list(source.index.slots(PackName.from_key(f"packs/data/{large.name}"))):
        source.index.mark_damaged(Place(PackName.from_key(f"packs/data/{large.name}"), slot))
    source.close()
    assert proving.fsck(origin, repair=True).is_clean
    assert whole(tmp_path, remote)


def test_entries_that_a_restored_backup_lacks_are_put_back(tmp_path, origin, remote):
    shutil.copytree(remote, tmp_path / "backup")
    publish(origin, {"w.bin": b"three"})
    exchanging.push(origin)
    shutil.rmtree(remote)
    shutil.copytree(tmp_path / "backup", remote)
    assert any("1 journal entries" in sentence for sentence in proving.fsck(origin, repair=False).damage)
    assert proving.fsck(origin, repair=True).is_clean
    assert whole(tmp_path, remote)
    assert list(history(clone(remote, tmp_path / "again"))) == ["v0", "v1", "v2"]
    publish(origin, {"w.bin": b"four"})
    assert exchanging.push(origin).transactions == 1


def test_a_remote_that_cannot_be_reached_is_noted_and_what_is_here_is_proven(origin, remote):
    exchanging.add_remote(origin, "far", str(remote.parent / "far"))
    toml = origin.root / "mlvc.toml"
    toml.write_text(toml.read_text().replace(str(remote), "ssh://nowhere.invalid/x"))
    origin.reload_settings()
    report = proving.fsck(origin, repair=False)
    assert report.is_clean
    assert any("'origin' was not asked" in note for note in report.notes)


def test_what_is_dead_and_swept_does_not_come_back(tmp_path, origin, remote):
    from mlvc.workspace import caretaking, registry

    (member,) = [m for m in origin.repository.view().members("p/model") if m.label == "v0"]
    registry.delete_version(origin, member, "delete", with_names=True)
    exchanging.push(origin)
    caretaking.gc_remote(origin, "origin", grace_s=-10, dry_run=False)
    before = sorted((remote / "packs").glob("*/*"))
    report = proving.fsck(origin, repair=True)
    assert report.is_clean and not report.repaired
    assert sorted((remote / "packs").glob("*/*")) == before


def test_a_damaged_pack_of_records_at_a_remote_blocks_nobody(tmp_path, origin, remote):
    for path in (remote / "packs/meta").iterdir():
        data = bytearray(path.read_bytes())
        data[len(data) // 3] ^= 1
        path.write_bytes(data)
    there = clone(remote, tmp_path / "there")
    assert list(history(there)) == ["v0", "v1"]
