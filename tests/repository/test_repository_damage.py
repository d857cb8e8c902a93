"""Damage: a flipped bit or a cut end of any file that holds truth is found, named, and healed; derived files come back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from file_faults import RecordingLayer
from repository_deeds import assert_sound, open_anew, publish, read_files, state

from mlvc import atomic_file
from mlvc.errors import DamageError, Error, NewerFormatError
from mlvc.format import canonical, journal_entry, pack, record, transaction
from mlvc.format.journal_entry import Control, Entry
from mlvc.format.operations import Project
from mlvc.format.record import Kind
from mlvc.format.transaction import Envelope, Transaction
from mlvc.maintenance import checking, healing
from mlvc.repository import store_record
from mlvc.repository.repository import Repository

C = "p/model"
FILES = {"a": bytes(range(256)) * 9, "b": b"b" * 5000}


@pytest.fixture
def repository(tmp_path):
    made = Repository.create(tmp_path / "store")
    publish(made, C, FILES, ["prod"])
    yield made
    made.close()


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    path.write_bytes(data)


def pack_path(repository: Repository, folder: str) -> Path:
    (path,) = (repository.path / "packs" / folder).glob("*.pack")
    return path


def places(path: Path) -> dict[str, int]:
    """One byte of each class of a pack."""
    size = path.stat().st_size
    index_size, _, _, _ = pack.TRAILER.unpack(path.read_bytes()[-pack.TRAILER.size :])
    index = size - pack.TRAILER.size - index_size
    trailer = size - pack.TRAILER.size
    return {
        "magic": 1,
        "version": 5,
        "class": 6,
        "reserved": 7,
        "nonce": 10,
        "encoding byte": pack.HEADER.size,
        "chunk": pack.HEADER.size + 9,
        "end of the body": index - 1,
        "count": index,
        "ids": index + 20,
        "codes": trailer - 1,
        "index size": trailer,
        "body digest": trailer + 10,
        "index digest": trailer + 45,
        "end mark": size - 1,
    }


CLASSES = (
    "magic,version,class,reserved,nonce,encoding byte,chunk,end of the body,count,ids,codes,index size,body digest,"
    "index digest,end mark"
).split(",")


@pytest.mark.parametrize("cached", [True, False], ids=["known to the index", "new to the index"])
@pytest.mark.parametrize("folder", ["data", "meta"])
@pytest.mark.parametrize("where", CLASSES)
def test_a_flipped_bit_anywhere_in_a_pack_is_found_and_adding_the_files_again_heals_it(tmp_path, where, folder, cached):
    repository = Repository.create(tmp_path / "store")
    publish(repository, C, FILES, ["prod"])
    path = pack_path(repository, folder)
    flip(path, places(path)[where])
    if not cached:
        repository.close()
        shutil.rmtree(tmp_path / "store" / "cache")
        repository = Repository(tmp_path / "store")
    report = checking.check(repository)
    assert any(path.name in sentence for sentence in report.damage)
    version = publish(repository, C, FILES)
    assert read_files(repository, version) == FILES
    report = checking.check(repository)
    assert report.missing == 0
    healing.repair(repository, [], report)
    assert_sound(repository)
    assert not path.exists()
    assert read_files(repository, version) == FILES


def test_a_repair_removes_a_pack_only_after_its_rest_is_durable_elsewhere(repository):
    path = pack_path(repository, "data")
    flip(path, places(path)["chunk"])
    report = checking.check(repository)
    publish(repository, C, FILES)
    layer = RecordingLayer(repository.path)
    with atomic_file.using_layer(layer):
        healing.repair(repository, [], report)
    done = [(o.what, o.path) for o in layer.done]
    assert "rename" in dict(done)
    named = next(number for number, (what, _) in enumerate(done) if what == "rename")
    assert named < done.index(("fsync_folder", "packs/data")) < done.index(("unlink", f"packs/data/{path.name}"))


@pytest.mark.parametrize("folder", ["data", "meta"])
@pytest.mark.parametrize("left", [0, 3, 30, -1, -80])
def test_a_cut_pack_is_found_and_what_is_nowhere_is_named(repository, folder, left):
    path = pack_path(repository, folder)
    path.write_bytes(path.read_bytes()[:left])
    report = checking.check(repository)
    assert any("cut short" in sentence and path.name in sentence for sentence in report.damage)
    healing.repair(repository, [], report)
    after = checking.check(repository)
    lost = after.missing
    if lost:
        assert path.exists(), "what cannot be healed is not thrown away"
        assert "nowhere within reach" in after.damage[-1]
    publish(repository, C, FILES)
    healing.repair(repository, [], checking.check(repository))
    assert_sound(repository)


def test_reading_damaged_data_says_so_and_what_heals_it(repository):
    (version,) = (m.version for m in repository.view().members(C))
    flip(pack_path(repository, "data"), places(pack_path(repository, "data"))["chunk"])
    with pytest.raises(DamageError, match="is damaged") as raised:
        read_files(repository, version)
    assert "fsck --repair" in raised.value.hint
    publish(repository, C, FILES)
    assert read_files(repository, version) == FILES


def test_a_pack_that_is_gone_is_named_by_its_pieces_and_healed_by_adding_again(repository):
    pack_path(repository, "data").unlink()
    report = checking.check(repository)
    assert "nowhere within reach" in report.damage[0]
    version = publish(repository, C, FILES)
    assert read_files(repository, version) == FILES
    assert_sound(repository)


def entries(repository: Repository) -> list[Path]:
    return sorted((repository.path / "journal").glob("*/*"))


@pytest.mark.parametrize("at", [1, 4, 10, 50, -1])
@pytest.mark.parametrize("number", [0, 1])
def test_a_flipped_bit_in_a_journal_entry_is_found(repository, number, at):
    repository.close()
    flip(entries(repository)[number], at)
    report = checking.check(Repository(repository.path))
    assert report.bad_entries == [number + 1] and f"entry {number + 1}" in report.damage[0]
    shutil.rmtree(repository.path / "cache")
    with pytest.raises(Error, match=f"entry {number + 1}"):
        publish(Repository(repository.path), C, FILES)


def test_a_missing_journal_entry_is_found_by_fsck_and_by_the_next_fold(repository):
    publish(repository, C, {"c": b"c"})
    entries(repository)[1].unlink()
    assert "entry 2 is missing" in checking.check(repository).damage[0]
    repository.cached_view.discard()
    with pytest.raises(DamageError, match="entry 2 is missing"):
        repository.view()


@pytest.mark.parametrize("at", [1, 4, 10, 50, -1])
def test_a_flipped_bit_in_a_pending_transaction_is_found_and_repair_sets_it_aside(repository, at):
    repository.close()
    repository = open_anew(repository.path)
    clone = Repository.create(repository.path.parent / "clone")
    clone.starts_journals = False
    publish(clone, C, FILES)
    publish(clone, C, {"z": b"z"})
    (first, second) = sorted((clone.path / "pending").iterdir())
    flip(first, at)
    clone.close()
    shutil.rmtree(clone.path / "cache")
    clone = open_anew(clone.path, starts_journals=False)
    with pytest.raises(Error, match="pending transaction"):
        clone.view()
    report = checking.check(clone)
    assert [i.hex() for i in report.bad_pending] == [first.name]
    healing.repair(clone, [], report)
    assert "set aside" in report.repaired[0]
    assert (clone.path / "damaged" / first.name).exists() and not first.exists()
    assert_sound(clone)
    assert read_files(clone, publish(clone, C, FILES)) == FILES
    clone.close()


@pytest.mark.parametrize("at", [1, 4, 10, -1])
def test_a_flipped_bit_in_the_store_record_is_found(repository, at):
    flip(repository.path / "store", at)
    with pytest.raises(Error, match="store record"):
        Repository(repository.path)
    assert "store record" in checking.check(repository).damage[0]


@pytest.mark.parametrize("how", ["flipped", "gone"])
def test_a_store_record_is_healed_from_its_copy_and_keeps_its_id(repository, how):
    before = repository.id
    if how == "gone":
        (repository.path / "store").unlink()
    else:
        flip(repository.path / "store", 10)
    with pytest.raises(DamageError, match="store record"):
        Repository(repository.path)
    assert store_record.mend(repository.backend)
    assert Repository(repository.path).id == before
    assert not store_record.mend(repository.backend)


def test_a_store_record_whose_copy_is_damaged_too_is_never_made_up(repository):
    (repository.path / "store").unlink()
    flip(repository.path / "store.copy", 10)
    with pytest.raises(DamageError):
        store_record.mend(repository.backend)
    with pytest.raises(DamageError):
        Repository.create(repository.path)
    assert not (repository.path / "store").exists()


def test_a_lost_copy_of_the_store_record_is_written_anew(repository):
    (repository.path / "store.copy").unlink()
    assert not store_record.mend(repository.backend)
    assert (repository.path / "store.copy").read_bytes() == (repository.path / "store").read_bytes()


@pytest.mark.parametrize("name", ["view.sqlite", "packs.sqlite", "all"])
@pytest.mark.parametrize("how", ["gone", "garbage", "cut"])
def test_derived_files_are_made_anew_without_a_word(repository, name, how):
    before = state(repository)
    repository.close()
    for path in list((repository.path / "cache").glob("*" if name == "all" else f"{name}*")):
        if how == "gone":
            path.unlink()
        else:
            path.write_bytes(b"garbage" * 999 if how == "garbage" else path.read_bytes()[: path.stat().st_size // 2])
    again = open_anew(repository.path)
    assert state(again) == before
    publish(again, C, {"n": b"new"})
    assert_sound(again)
    again.close()


def test_a_view_that_does_not_match_the_journal_is_found_and_made_anew(repository):
    before = state(repository)
    repository.cached_view._database.execute("DELETE FROM view WHERE key IN (SELECT key FROM view LIMIT 3)")
    report = checking.check(repository)
    assert "made anew" in report.notes[0] and report.damage == []
    assert state(repository) == before


# -- what a newer mlvc wrote ------------------------------------------------------------------------------------------


def append(repository: Repository, **parts) -> None:
    """Puts an entry at the end of the journal as someone else would write it."""
    journal = repository.journal()
    number = journal.highest() + 1
    entry = Entry(journal.id, number, journal.hash_of(number - 1), 0, **parts)
    assert repository.backend.create(journal_entry.key(journal.id, number), journal_entry.encode(entry))


def from_the_future(**body) -> Envelope:
    made = transaction.encode(Transaction(bytes(16), "x", 0, "x", (), (Project("p"),)))
    whole = canonical.decode(record.body(made, Kind.TRANSACTION, "x")) | body
    return Envelope(record.frame(Kind.TRANSACTION, canonical.encode(whole)), b"", (), ())


FUTURE = {
    "an operation": (lambda: from_the_future(operations=[["teleport", {}]]), "teleport"),
    "a part": (lambda: from_the_future(mood="blue"), "mood"),
    "a feature": (lambda: from_the_future(features=["warp"]), "warp"),
    "fold rules": (lambda: from_the_future(operations=[["fold_rules", {"version": 99}]]), "fold rules 99"),
}


@pytest.mark.parametrize(("make", "named"), FUTURE.values(), ids=FUTURE.keys())
@pytest.mark.parametrize("pending", [False, True])
def test_what_is_not_known_stops_the_view_by_name_and_nothing_is_written(repository, make, named, pending):
    before = state(repository)
    if pending:
        repository.starts_journals = False
        repository.pending.add(make())
    else:
        append(repository, envelopes=(make(),))
    assert state(repository) == before, "what came before can be read"
    with pytest.raises(NewerFormatError, match=named):
        publish(repository, C, {"n": b"new"})
    assert state(repository) == before
    report = checking.check(repository)
    assert named in report.damage[0]


def test_an_unknown_control_entry_stops_the_view_by_name(repository):
    append(repository, control=Control("eclipse", bytes(16)))
    with pytest.raises(NewerFormatError, match="eclipse"):
        publish(repository, C, {"n": b"new"})


def test_a_view_stopped_by_what_is_gone_now_goes_on(repository):
    repository.pending.add(from_the_future(mood="blue"))
    assert repository.refresh().stopped is not None
    for identifier in repository.pending.ids():
        repository.pending.remove(identifier)
    assert repository.refresh().stopped is None
    publish(repository, C, {"n": b"new"})


def test_a_newer_store_is_refused_by_name(tmp_path):
    repository = Repository.create(tmp_path / "store")
    repository.close()
    body = {"id": bytes(16), "format": store_record.FORMAT + 1, "created": 0}
    (tmp_path / "store" / "store").write_bytes(record.seal(Kind.STORE, canonical.encode(body)))
    with pytest.raises(NewerFormatError, match=f"format {store_record.FORMAT + 1}"):
        Repository(tmp_path / "store")


def test_an_entry_of_an_unknown_kind_is_refused_by_name(repository):
    path = entries(repository)[-1]
    path.write_bytes(b"MLVCZ" + path.read_bytes()[5:])
    with pytest.raises(NewerFormatError, match="kind b'Z'"):
        publish(repository, C, FILES)


def test_an_unknown_encoding_of_a_chunk_is_refused_by_name(repository):
    (version,) = (m.version for m in repository.view().members(C))
    path = pack_path(repository, "data")
    data = bytearray(path.read_bytes())
    data[pack.HEADER.size] = 77
    path.write_bytes(data)
    with pytest.raises(NewerFormatError, match="encoding 77"):
        read_files(repository, version)
