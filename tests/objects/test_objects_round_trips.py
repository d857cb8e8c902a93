"""What goes in comes out, bit for bit: files through cutting, packing and reading, at any size and in any order."""

from __future__ import annotations

import contextlib
import io
import random
import tempfile
from pathlib import Path

import blake3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyfastcdc import FastCDC

from mlvc.backend.local import LocalBackend
from mlvc.errors import DamageError, Error, LocalFileError, NewerFormatError, NotFoundError, UsageError
from mlvc.format import chunk, pack
from mlvc.format.ids import RecordId, digest
from mlvc.format.pack import PackClass, PackIndex, PackName, Slot
from mlvc.format.record import CHUNK_CODE, Kind
from mlvc.objects import cutting, pack_reader
from mlvc.objects.ingest import Ingest
from mlvc.objects.pack_writer import PackWriter
from mlvc.objects.source_file import Seen
from mlvc.objects.store import ObjectStore

SEEDED = random.Random(5)
NOISE = SEEDED.randbytes(3 << 20)


@pytest.fixture
def store(tmp_path):
    made = ObjectStore(LocalBackend(tmp_path), tmp_path / "index.sqlite")
    yield made
    made.close()


def put(store: ObjectStore, data: bytes):
    ingest = Ingest(store)
    stored = ingest.add_bytes(data)
    ingest.finish()
    return stored, ingest


def get(store: ObjectStore, stored) -> bytes:
    return b"".join(store.read_file(store.recipe_by_id(stored.recipe, stored.digest, stored.size)))


large = st.builds(
    lambda seed, size, period: (random.Random(seed).randbytes(min(size, period)) * (size // period + 1))[:size],
    st.integers(0, 9),
    st.integers(0, 3 << 20),
    st.sampled_from([1, 977, 70_000, 4 << 20]),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=2000), large), min_size=1, max_size=4))
def test_any_files_read_back_as_they_were(contents):
    with tempfile.TemporaryDirectory() as folder:
        store = ObjectStore(LocalBackend(Path(folder)), Path(folder) / "index.sqlite")
        ingest = Ingest(store)
        stored = [ingest.add_bytes(data) for data in contents]
        ingest.finish()
        for data, one in zip(contents, stored, strict=True):
            assert (one.digest, one.size) == (blake3.blake3(data).digest(), len(data))
            assert get(store, one) == data
        again = Ingest(store)
        assert [again.add_bytes(data) for data in contents] == stored
        again.finish()
        assert (again.new_bytes, again.brings) == (0, []), "what is here is not written twice"
        store.index.discard()
        assert [get(store, one) for one in stored] == contents
        store.close()


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, len(NOISE)),
    st.lists(st.integers(1, 900_000), min_size=1, max_size=5),
    st.sampled_from([1, 100_000, 5 << 20]),
)
def test_cuts_are_those_of_one_buffer_however_the_file_is_read(size, steps, period):
    data = (NOISE[:period] * (size // period + 1))[:size]
    stream, turn = io.BytesIO(data), [0]

    def read(most: int) -> bytes:
        turn[0] += 1
        return stream.read(min(most, steps[turn[0] % len(steps)]))

    pieces = [bytes(piece) for window in cutting.cut(read) for piece in window]
    whole = FastCDC(65536, min_size=16384, max_size=262144, normalized_chunking=1, seed=0)
    assert pieces == [data[c.offset : c.offset + c.length] for c in whole.cut_buf(data)] if data else pieces == []


@pytest.mark.parametrize("extra", [-1, 0, 1, cutting.LARGEST, cutting.WINDOW])
def test_files_around_the_size_of_a_window_are_cut_as_one_buffer(extra):
    data = SEEDED.randbytes(cutting.WINDOW + extra)
    pieces = [bytes(piece) for window in cutting.cut(io.BytesIO(data).read) for piece in window]
    whole = FastCDC(65536, min_size=16384, max_size=262144, normalized_chunking=1, seed=0)
    assert pieces == [data[c.offset : c.offset + c.length] for c in whole.cut_buf(data)]


def test_a_byte_put_in_front_leaves_most_of_a_file_shared(store):
    _, first = put(store, NOISE)
    _, second = put(store, b"!" + NOISE)
    assert second.new_bytes < first.new_bytes / 10


@given(st.binary(max_size=5000), st.booleans())
def test_a_chunk_decodes_to_what_was_encoded(data, repeated):
    data = data * 50 if repeated else data
    stored = chunk.encode(data)
    assert chunk.decode_verified(stored, len(data), digest(data)) == data
    assert len(stored) <= len(data) + 1


@given(st.binary(min_size=1, max_size=400), st.data())
def test_a_damaged_chunk_is_never_taken_for_the_right_one(data, choose):
    data = data * 30
    stored = bytearray(chunk.encode(data))
    at = choose.draw(st.integers(0, len(stored) - 1))
    stored[at] ^= 1 << choose.draw(st.integers(0, 7))
    with contextlib.suppress(DamageError, NewerFormatError):  # but for a bit that zstd does not look at
        assert chunk.decode_verified(bytes(stored), len(data), digest(data)) == data


slots = st.lists(
    st.tuples(st.binary(min_size=32, max_size=32), st.sampled_from([0, ord("M"), ord("c")]), st.integers(0, 5000)),
    unique_by=lambda s: s[:2],
    max_size=40,
)


@given(slots)
def test_a_pack_index_finds_what_was_put_in_and_nothing_else(given_slots):
    name = PackName(PackClass.DATA, bytes(16))
    at, made = pack.HEADER.size, []
    for number, (identifier, code, size) in enumerate(given_slots):
        base = given_slots[0][0] if number % 3 == 2 else None
        made.append(Slot(identifier, code, at, size + 1, size, base))
        at += size + 1
    footer = pack.footer(made, bytes(32))
    trailer = pack.parse_trailer(footer[-pack.TRAILER.size :], name)
    index = PackIndex(footer[: -pack.TRAILER.size], trailer, name, at)
    assert sorted(index, key=lambda s: s.offset) == made
    for slot in made:
        assert index.find(slot.id, slot.code) == slot
        assert index.find(slot.id, 200) is None
    assert index.find(b"\xff" * 32, 0) is None or any(s.id == b"\xff" * 32 for s in made)


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=1, max_size=300), st.data())
def test_a_pack_with_any_bit_flipped_is_found_out(data, choose):
    with tempfile.TemporaryDirectory() as folder:
        backend = LocalBackend(Path(folder))
        writer = PackWriter(backend, PackClass.DATA)
        for piece in (data, data + b"2"):
            writer.add(digest(piece), CHUNK_CODE, chunk.encode(piece), len(piece))
        name = writer.publish()
        assert pack_reader.check_whole(backend, name) == []
        path = backend.path(name.key)
        whole = bytearray(path.read_bytes())
        whole[choose.draw(st.integers(0, len(whole) - 1))] ^= 1 << choose.draw(st.integers(0, 7))
        path.write_bytes(whole)
        try:
            assert pack_reader.check_whole(backend, name) != []
        except (DamageError, NewerFormatError) as error:
            assert name.key in error.message


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_pack_cut_anywhere_is_found_out(choose):
    with tempfile.TemporaryDirectory() as folder:
        backend = LocalBackend(Path(folder))
        writer = PackWriter(backend, PackClass.META)
        writer.add(digest(b"x"), CHUNK_CODE, chunk.encode(b"x"), 1)
        name = writer.publish()
        path = backend.path(name.key)
        path.write_bytes(path.read_bytes()[: choose.draw(st.integers(0, path.stat().st_size - 1))])
        with pytest.raises(DamageError, match="cut short|damaged"):
            pack_reader.read_index(backend, name)


# -- bad input ----------------------------------------------------------------------------------------------------


def add(store: ObjectStore, *paths: Path):
    ingest = Ingest(store)
    try:
        return list(ingest.add_files([(path.name, Seen(str(path), None)) for path in paths]))
    finally:
        ingest.discard()


def test_devices_folders_and_dangling_links_are_refused_by_name(store, tmp_path):
    (tmp_path / "dangling").symlink_to("nowhere")
    for path, error, words in [
        (Path("/dev/null"), UsageError, "device"),
        (tmp_path, UsageError, "is a folder"),
        (tmp_path / "dangling", LocalFileError, "link to nowhere"),
        (tmp_path / "absent", LocalFileError, "no such file"),
    ]:
        with pytest.raises(error, match=words):
            add(store, path)


def test_files_come_out_in_the_order_they_were_given_whatever_their_sizes(store, tmp_path):
    contents = [b"a", NOISE, b"", b"b" * 1_048_576, b"c" * 1_048_577, b"d"]
    paths = []
    for number, data in enumerate(contents):
        paths.append(tmp_path / f"file{number}")
        paths[-1].write_bytes(data)
    ingest = Ingest(store)
    stored = list(ingest.add_files([(path.name, Seen(str(path), None)) for path in paths]))
    ingest.finish()
    assert [s.digest for s in stored] == [blake3.blake3(data).digest() for data in contents]
    assert [get(store, s) for s in stored] == contents


def test_a_file_that_grows_while_it_is_read_is_refused(store, tmp_path, monkeypatch):
    path = tmp_path / "log"
    path.write_bytes(NOISE)
    ingest = Ingest(store)
    add_windows = ingest._add_windows

    def growing(windows):
        found = add_windows(windows)
        with path.open("ab") as file:
            file.write(b"more")
        return found

    monkeypatch.setattr(ingest, "_add_windows", growing)
    with pytest.raises(Error, match="changed while it was being read"):
        list(ingest.add_files([("file", Seen(str(path), None))]))
    ingest.discard()


def test_what_was_discarded_leaves_no_temporary_file(store, tmp_path):
    ingest = Ingest(store)
    ingest.add_bytes(b"never committed")
    ingest.discard()
    assert [p for p in tmp_path.rglob("*") if p.is_file() and "sqlite" not in p.name] == []


def test_a_record_is_not_taken_for_a_chunk_nor_one_kind_for_another(store):
    stored, _ = put(store, b"MLVCV looks like a value")
    with pytest.raises(NotFoundError):
        store.read_record(RecordId(stored.digest), Kind.VALUE)


def test_a_second_copy_is_read_when_the_first_is_damaged(store):
    stored, first = put(store, b"precious" * 10)
    path = store.backend.path(first.brings[0].key)
    data = bytearray(path.read_bytes())
    data[pack.HEADER.size + 3] ^= 1
    path.write_bytes(data)
    with pytest.raises(DamageError, match=first.brings[0].key):
        get(store, stored)
    again, second = put(store, b"precious" * 10)
    assert again == stored and second.new_bytes > 0, "a damaged copy counts as none"
    assert get(store, stored) == b"precious" * 10


def test_packs_that_vanish_are_forgotten_and_those_that_appear_are_found(store, tmp_path):
    stored, ingest = put(store, b"here")
    path = store.backend.path(ingest.brings[0].key)
    path.rename(tmp_path / "away")
    with pytest.raises(NotFoundError):
        get(store, stored)
    (tmp_path / "away").rename(path)
    assert get(store, stored) == b"here"
    path.unlink()
    _, again = put(store, b"here")
    assert again.brings, "the index alone is not believed"
