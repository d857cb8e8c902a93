"""Bundles and locators at a remote: few reads for a clone and for one file, and nothing lost where they are missing or damaged."""

from __future__ import annotations

import random
import shutil

import pytest
from clones import C, history, publish, read, workspace

from mlvc.backend.memory import MemoryBackend
from mlvc.maintenance import checking
from mlvc.sync import fetching, pulling, pushing
from mlvc.sync.remote import Remote
from mlvc.workspace import caretaking, contents, registry

PUSHES = 40


class CountingMemory(MemoryBackend):
    """Counts reads and the bytes that they gave."""

    def __init__(self, shared: MemoryBackend) -> None:
        self.__dict__.update(shared.__dict__)
        self._shared, self.reads, self.bytes = shared, [], 0

    def read(self, key):
        self.reads.append(key)
        data = self._shared.read(key)
        self.bytes += len(data)
        return data

    def read_range(self, key, offset, size):
        self.reads.append(key)
        data = self._shared.read_range(key, offset, size)
        self.bytes += len(data)
        return data


def remote_of(where, backend) -> Remote:
    return Remote("origin", backend, where.repository.path / "cache", journal_here=where.repository.journal)


def cloned(folder, backend):
    made = workspace(folder)
    made.repository.starts_journals = False
    pulling.pull(made.repository, remote_of(made, backend))
    remote = remote_of(made, backend)
    made.repository.objects.fetch = lambda wanted: fetching.fetch(made.repository.objects, remote, wanted)
    return made


@pytest.fixture(scope="module")
def pushed(tmp_path_factory):
    """A remote with many pushes of one version each, by two clones."""
    folder = tmp_path_factory.mktemp("pushed")
    shared = MemoryBackend()
    first, second = workspace(folder / "first"), workspace(folder / "second")
    for one in (first, second):
        one.repository.starts_journals = False
    for number in range(PUSHES):
        one = (first, second)[number % 2]
        pulling_first = remote_of(one, shared)
        if number:
            pulling.pull(one.repository, pulling_first)
        publish(one, {"w.bin": b"%d" % number, "same.bin": b"in all"})
        assert pushing.push(one.repository, remote_of(one, shared)).transactions == 1
    first.close()
    second.close()
    return shared


def copy_of(shared):
    made = MemoryBackend()
    made._values.update(shared._values)
    return made


def test_a_clone_reads_bundles_instead_of_entries_and_packs(tmp_path, pushed):
    backend = CountingMemory(copy_of(pushed))
    there = cloned(tmp_path / "there", backend)
    assert list(history(there)) == [f"v{n}" for n in range(PUSHES)]
    assert len([key for key in backend.reads if key.startswith("journal/")]) < 16
    assert len(backend.reads) < 40
    backend.reads.clear()
    version = history(there)["v7"]
    assert [e.path for e in contents.of(there, there.repository.view(), version).manifest] == ["same.bin", "w.bin"]
    assert backend.reads == [], "its records came with the clone"
    assert read(there, version) == {"w.bin": b"7", "same.bin": b"in all"}
    assert len(backend.reads) < 30, "a locator, not the footers of all packs"


@pytest.mark.parametrize("what", ["entries", "records", "places", ""])
@pytest.mark.parametrize("harm", ["gone", "flipped", "cut", "empty", "noise"])
def test_whatever_happens_to_bundles_a_clone_is_whole(tmp_path, pushed, what, harm):
    shared = copy_of(pushed)
    for key, (data, when) in list(shared._values.items()):
        if key.startswith("bundles/") and f"/{what}" in key:
            harmed = {
                "flipped": data[:-9] + bytes([data[-9] ^ 1]) + data[-8:],
                "cut": data[: len(data) // 2],
                "empty": b"",
                "noise": random.Random(key).randbytes(len(data)),
            }
            shared._values.pop(key)
            if harm != "gone":
                shared._values[key] = (harmed[harm], when)
    there = cloned(tmp_path / "there", shared)
    versions = history(there)
    assert list(versions) == [f"v{n}" for n in range(PUSHES)]
    for number in (0, 16, PUSHES - 1):
        assert read(there, versions[f"v{number}"]) == {"w.bin": b"%d" % number, "same.bin": b"in all"}
    assert not checking.check(there.repository).bad_packs


def test_a_fresh_clone_pushes_without_reading_all_footers_and_sends_nothing_twice(tmp_path, pushed):
    shared = copy_of(pushed)
    backend = CountingMemory(shared)
    there = cloned(tmp_path / "there", backend)
    publish(there, {"w.bin": b"0", "same.bin": b"in all"})
    before = {key for key in shared._values if key.startswith("packs/data/")}
    backend.reads.clear()
    remote = remote_of(there, backend)
    pushing.push(there.repository, remote)
    assert {key for key in shared._values if key.startswith("packs/data/")} == before, "the remote holds all of it"
    assert len(backend.reads) < 60, "of some 80 packs"


def test_clones_that_pull_from_somewhere_in_between_come_to_the_same(tmp_path, pushed):
    early = MemoryBackend()
    journal = next(key.split("/")[1] for key in pushed._values if key.startswith("journal/"))
    for key, value in pushed._values.items():
        parts = key.split("/")
        if parts[0] != "bundles" and (parts[0] != "journal" or int(parts[2]) <= 21):
            early._values[key] = value
    there = cloned(tmp_path / "there", early)
    assert len(history(there)) == 20
    assert pulling.pull(there.repository, remote_of(there, copy_of(pushed))).entries == PUSHES - 20
    assert list(history(there)) == [f"v{n}" for n in range(PUSHES)]
    assert journal == there.repository.journal().id.hex()


def test_one_small_file_of_a_large_artifact_moves_little(tmp_path):
    shared = MemoryBackend()
    origin = workspace(tmp_path / "origin")
    origin.repository.starts_journals = False
    noise = random.Random(1).randbytes(1 << 20)
    files = {f"{n:05d}.bin": b"%05d" % n + noise[n : n + 200] for n in range(30_000)}
    publish(origin, files)
    pushing.push(origin.repository, remote_of(origin, shared))
    there = cloned(tmp_path / "there", shared)
    backend = CountingMemory(shared)
    remote = remote_of(there, backend)
    there.repository.objects.fetch = lambda wanted: fetching.fetch(there.repository.objects, remote, wanted)
    found = contents.of(there, there.repository.view(), history(there)["v0"])
    backend.bytes = 0
    assert b"".join(contents.read_entry(there, found, "07777.bin")) == files["07777.bin"]
    assert backend.bytes < 150_000, "not the 2.8 MB of footers"


def test_what_was_swept_is_not_believed_of_a_locator(tmp_path, pushed):
    shared = copy_of(pushed)
    there = cloned(tmp_path / "there", shared)
    late = cloned(tmp_path / "late", shared)
    view = there.repository.view()
    for member in list(view.members(C))[:30]:
        registry.delete_version(there, member, "delete", with_names=True)
    pushing.push(there.repository, remote_of(there, shared))
    remote = remote_of(there, shared)
    caretaking.sweeping.sweep(
        there.repository, remote, remote.require_record().id, list, -1_000_000, lambda: pulling.pull(there.repository, remote)
    )
    publish(late, {"w.bin": b"3", "same.bin": b"in all"})
    pushing.push(late.repository, remote_of(late, shared))
    newcomer = cloned(tmp_path / "newcomer", shared)
    assert read(newcomer, history(newcomer)["v3"]) == {"w.bin": b"3", "same.bin": b"in all"}
    shutil.rmtree(late.root)
