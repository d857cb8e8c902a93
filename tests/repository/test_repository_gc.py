"""gc drops what nothing needs, and never what a commit at the same time leans on."""

from __future__ import annotations

import threading

import pytest
from file_faults import CountingLayer
from repository_deeds import assert_sound, delete, open_anew, publish, read_files, state, undo

from mlvc import atomic_file
from mlvc.atomic_file import FileLayer
from mlvc.errors import ConflictError, DamageError
from mlvc.maintenance import collecting
from mlvc.repository.repository import Repository

C = "p/model"
OLD = {"a": b"old" * 1000, "b": bytes(range(256)) * 50}
NEW = {"b": bytes(range(256)) * 50, "c": b"new"}


class MeanwhileLayer(CountingLayer):
    """Lets something else happen before the operation number `at`, or before each."""

    def __init__(self, deed, at=None):
        super().__init__()
        self.deed, self.when = deed, at

    def before(self):
        if self.when in (None, self.count):
            with atomic_file.using_layer(FileLayer()):
                self.deed()


def with_something_dead(path) -> Repository:
    repository = Repository.create(path)
    publish(repository, "p/kept", {"k": b"kept"})
    delete(repository, publish(repository, C, OLD))
    return repository


def test_what_was_deleted_goes_and_the_rest_stays(tmp_path):
    repository = with_something_dead(tmp_path / "store")
    before = state(repository)
    dry = collecting.plan(repository, [], 0)
    done = collecting.collect(repository, list, 0)
    assert done.packs == dry.packs and len(done.packs) == 2 and done.freed_bytes > 0
    assert state(repository) == before
    assert_sound(repository)
    assert collecting.collect(repository, list, 0).packs == ()


def test_what_was_deleted_or_undone_lately_can_be_brought_back(tmp_path):
    repository = Repository.create(tmp_path / "store")
    version = publish(repository, C, OLD)
    delete(repository, version)
    (deletion,) = repository.view().heads()
    assert collecting.collect(repository, list, 3600).packs == ()
    undo(repository, deletion)
    assert read_files(repository, version) == OLD


def test_what_a_pin_needs_stays_though_it_is_deleted(tmp_path):
    repository = Repository.create(tmp_path / "store")
    version = publish(repository, C, OLD)
    delete(repository, version)
    assert collecting.collect(repository, lambda: [version], 0).packs == ()
    assert read_files(repository, version) == OLD


def test_a_deleted_version_that_was_collected_comes_back_by_adding_its_files_again(tmp_path):
    repository = with_something_dead(tmp_path / "store")
    collecting.collect(repository, list, 0)
    version = publish(repository, C, OLD)
    assert read_files(repository, version) == OLD
    assert repository.view().member(C, version).number == 0
    assert_sound(repository)


@pytest.mark.parametrize("starts_journals", [True, False])
def test_gc_between_any_two_operations_of_a_commit_takes_nothing_it_leans_on(tmp_path, starts_journals):
    with_something_dead(tmp_path / "store").close()
    refused = []

    def collect():
        other = open_anew(tmp_path / "store")
        try:
            collecting.collect(other, list, 0)
        except ConflictError:
            refused.append(True)
        finally:
            other.close()

    layer = MeanwhileLayer(collect)
    repository = open_anew(tmp_path / "store", starts_journals=starts_journals)
    with atomic_file.using_layer(layer):
        version = publish(repository, C, NEW)
    assert len(refused) == layer.count > 10
    assert read_files(repository, version) == NEW
    assert_sound(repository)


def test_a_commit_begun_between_any_two_operations_of_gc_is_whole(tmp_path):
    counting = CountingLayer()
    with_something_dead(tmp_path / "counted").close()
    with atomic_file.using_layer(counting):
        collecting.collect(open_anew(tmp_path / "counted"), list, 0)
    for k in range(counting.count):
        path = tmp_path / f"store{k}"
        with_something_dead(path).close()
        published = []

        def commit(path=path, published=published):
            other = open_anew(path)
            published.append(publish(other, C, OLD))
            other.close()

        thread = threading.Thread(target=commit)
        with atomic_file.using_layer(MeanwhileLayer(thread.start, at=k)):
            repository = open_anew(path)
            collecting.collect(repository, list, 0)
        thread.join()
        assert read_files(repository, published[0]) == OLD
        assert_sound(repository)
        repository.close()


def test_gc_sees_a_transaction_while_it_moves_from_pending_to_the_journal(tmp_path):
    repository = Repository.create(tmp_path / "store")
    publish(repository, "p/kept", {"k": b"kept"})
    repository.close()
    clone = open_anew(tmp_path / "store")
    envelope = _left_in_inbox(clone, tmp_path)
    plans = []

    def plan():
        other = open_anew(tmp_path / "store")
        plans.append(collecting.plan(other, [], 0).packs)
        other.close()

    with atomic_file.using_layer(MeanwhileLayer(plan)):
        assert clone.take_in_inbox() == 1
    assert plans and not any(plans)
    assert clone.cached_view.entry_of(envelope.id) is not None
    assert_sound(clone)


def _left_in_inbox(repository: Repository, tmp_path):
    """Makes a commit and puts it back as if another had left it in the inbox: packs and all, no entry."""
    version = publish(repository, C, OLD)
    journal = repository.journal()
    entry = journal.read(journal.highest())
    (envelope,) = entry.envelopes
    repository.backend.delete(f"journal/{journal.id.hex()}/{entry.number:020d}")
    repository.pending.add(envelope)
    assert repository.view().member(C, version) is not None
    return envelope


def test_leftovers_of_killed_writers_go(tmp_path):
    repository = Repository.create(tmp_path / "store")
    version = publish(repository, C, OLD)
    leftover = tmp_path / "store" / "packs" / "data" / ".tmp-1-dead"
    leftover.write_bytes(b"half a pack")
    assert collecting.collect(repository, list, 0).leftovers == (str(leftover),)
    assert not leftover.exists()
    assert read_files(repository, version) == OLD


def test_gc_deletes_nothing_when_a_manifest_cannot_be_read(tmp_path):
    repository = with_something_dead(tmp_path / "store")
    (kept,) = {m.version for m in repository.view().members("p/kept")}
    manifest = repository.view().publications(kept)[0].manifest
    place = repository.objects.index.find(manifest, ord("M"))[0]
    path = repository.backend.path(place.pack.key)
    data = bytearray(path.read_bytes())
    data[place.slot.offset + 3] ^= 1
    path.write_bytes(data)
    packs = sorted((tmp_path / "store" / "packs").rglob("*.pack"))
    with pytest.raises(DamageError, match="nothing may be dropped"):
        collecting.collect(repository, list, 0)
    assert sorted((tmp_path / "store" / "packs").rglob("*.pack")) == packs
