"""A store as the first mlvc wrote it. Later versions must read it for ever: these files are never made anew."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import blake3
import pytest

from mlvc.backend.local import LocalBackend
from mlvc.fold.questions import View
from mlvc.format import journal_entry, transaction
from mlvc.format.ids import ManifestId, RecordId
from mlvc.format.manifest import FileEntry
from mlvc.format.operations import Collection, Delete, Move, Publish, version_id
from mlvc.format.pack import PackClass, PackName
from mlvc.format.transaction import Need
from mlvc.maintenance import checking
from mlvc.objects import pack_reader
from mlvc.repository.repository import Repository

GOLDEN = Path(__file__).parent.parent / "golden" / "store-1"
JOURNAL = "7a9b1ee80f50ef292b577c7bf926a399"
PENDING = "8ba6b3b49eb48c08d7dc42595da82fc8cd8a1ef8d57d39d606dc2250ed687785"
FIRST_VERSION = "fab2a956eb28dafe5059dec030a9f2d2e16f854e0041beebe6714cae967bf445"
SECOND_VERSION = "5031f96aebbe335ce3d824eddbc20fab4da27f707540628498fe8b2af683c514"
PENDING_VERSION = "d2e7058770ace27587f1e67055f15eb0834d23e509d65d66e25d707b28032157"
FIRST_MANIFEST = "f3d1d6e269fdcd12b3f7fb1c81c9cbf09f37c62507ebffcdee822a63a1c0838d"
FIRST_RECIPES = "866870cd0d8766c70215a4ec5c05580ac1239dba65d41bdb459c41196951b9a6"
ENTRY_HASHES = [
    "eaa6dba47c5ea999ace6ba2158f6e819cda504061ea846bc6f0e22c03bbf2079",
    "b72ff3cc38c779569c0b51646a5f5742d0a550556f7834c7a71df8996808612b",
    "0052679ce77fe3a4df56722af327510fa23fe5fd2ec24966e231d129ce7186a2",
    "4586fc2eb965981ece7d766b3ca6476333119cd1fa0edb109ef464ae9a5f88e8",
    "34fa585f2157c5a20b209432af2d39a1b586a3c049b9b9be7ae1487e96531f27",
]
NOTE = b"Alles neu macht der Mai.\n"
WEIGHTS = b"".join(blake3.blake3(b"%d" % n).digest() if n % 32 == 0 else bytes(32) for n in range((1 << 20) // 32 + 999))


@pytest.fixture
def store(tmp_path):
    shutil.copytree(GOLDEN, tmp_path / "store")
    opened = Repository(tmp_path / "store")
    yield opened
    opened.close()


def files(repository: Repository, view: View, version: bytes) -> dict[str, bytes]:
    (said,) = view.publications(version, standing=False)
    objects = repository.objects
    index = objects.recipe_index(said.recipes)
    return {
        e.path: b"".join(objects.read_file(objects.recipe(index, e.digest, e.size)))
        for e in objects.manifest(said.manifest)
    }


def test_every_version_reads_back_bit_for_bit(store):
    view = store.view()
    assert {m.label: m.version.hex() for m in view.members("p/model")} == {
        "v0": FIRST_VERSION,
        "v1": SECOND_VERSION,
        "v2~": PENDING_VERSION,
    }
    first, second, third = (m.version for m in view.members("p/model"))
    assert files(store, view, first) == {"weights.bin": WEIGHTS, "note.txt": NOTE, "empty": b""}
    assert files(store, view, second) == {"note.txt": NOTE, "deep/er/note.txt": b"two"}
    assert files(store, view, third) == {"pending.txt": b"pending"}
    aliases = {a: view.alias("p/model", a).version.hex() for a in ("prod", "best")}
    assert aliases == {"prod": FIRST_VERSION, "best": SECOND_VERSION}
    assert list(view.members("p/gone")) == [] and view.was_numbered("p/gone", 0)
    assert view.metadata(first)[0]["accuracy"] == "0.5"
    assert store.id.hex() == "052974ca659e7b25a7f83ba605883c77"


def test_the_check_finds_nothing_wrong(store):
    report = checking.check(store)
    assert (report.damage, report.notes, report.missing) == ([], [], 0)
    assert (report.checked_packs, report.checked_entries) == (8, 5)


def test_entries_are_chained_by_the_hashes_they_always_had(store):
    journal = store.journal()
    assert journal.id.hex() == JOURNAL
    found = list(journal.iterate(0, journal_entry.NO_PREDECESSOR))
    assert [journal_entry.entry_hash(data).hex() for _, data in found] == ENTRY_HASHES
    assert found[0][0].control == journal_entry.Control("genesis", store.id, "")
    assert all(entry.when_ms == 1_700_000_000_000 for entry, _ in found)


def test_a_transaction_says_what_it_said(store):
    entry = store.journal().read(2)
    (envelope,) = entry.envelopes
    assert envelope.id.hex() == "b014713c2127ecc7009f0a88641fc922cddc513cfa7fcf75a25225ea986eb8ff"
    said = transaction.decode(envelope.data)
    assert (said.who, said.when_ms, said.command, said.after) == ("Ada <ada@example.org>", 1_700_000_000_000, "add p/model", ())
    collection, publication, move = said.operations
    assert collection == Collection("p/model", "model")
    assert isinstance(publication, Publish) and publication.manifest.hex() == FIRST_MANIFEST
    assert isinstance(move, Move) and (move.alias, move.version.hex()) == ("prod", FIRST_VERSION)
    assert Need("artifact", bytes.fromhex(FIRST_MANIFEST), bytes.fromhex(FIRST_RECIPES)) in said.needs
    assert version_id("p/model", ManifestId(bytes.fromhex(FIRST_MANIFEST))).hex() == FIRST_VERSION
    (deletion,) = transaction.decode(store.journal().read(5).envelopes[0].data).operations
    assert isinstance(deletion, Delete) and len(deletion.names) == 1


def test_a_pending_transaction_reads_as_it_was(store):
    (identifier,) = store.pending.ids()
    envelope = store.pending.read(identifier)
    assert envelope.id.hex() == PENDING and envelope.signature == b""
    assert [name.pack_class for name in envelope.brings] == [PackClass.DATA, PackClass.META]


def test_a_manifest_lists_paths_sizes_and_digests(store):
    manifest = store.objects.manifest(ManifestId(bytes.fromhex(FIRST_MANIFEST)))
    assert (manifest.count, manifest.size_bytes) == (3, len(WEIGHTS) + len(NOTE))
    assert manifest["note.txt"] == FileEntry("note.txt", len(NOTE), blake3.blake3(NOTE).digest())
    assert [e.path for e in manifest] == ["empty", "note.txt", "weights.bin"]
    ((digest, _),) = store.objects.recipe_index(RecordId(bytes.fromhex(FIRST_RECIPES)))
    assert digest == blake3.blake3(WEIGHTS).digest()


def test_packs_hold_the_slots_they_always_held():
    backend = LocalBackend(GOLDEN)
    name = PackName(PackClass.DATA, bytes.fromhex("38649444e9585de552fdd3d87ba995eb"))
    index = pack_reader.read_index(backend, name)
    assert (index.count, sum(slot.size for slot in index)) == (6, 1_080_569)
    assert pack_reader.check_whole(backend, name) == []


def test_the_golden_files_are_the_ones_that_were_made():
    proof = hashlib.sha256()
    for path in sorted(p for p in GOLDEN.rglob("*") if p.is_file()):
        proof.update(path.relative_to(GOLDEN).as_posix().encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    assert proof.hexdigest() == "be1581fa405f8318a54b0436c098a11867594120e9d6dea650ba2ff781618e0d"
