"""Chunks kept as differences: chosen by lineage, bounded in depth, absent without their base, whole wherever they go."""

from __future__ import annotations

import json
import shutil
import struct

import numpy as np
import pytest

from mlvc.backend.local import LocalBackend
from mlvc.errors import DamageError, Error, NotFoundError
from mlvc.format import chunk
from mlvc.format.pack import PackClass
from mlvc.format.record import CHUNK_CODE
from mlvc.objects import chunk_reader
from mlvc.objects.counterparts import BaseFile, Counterparts
from mlvc.objects.ingest import Ingest
from mlvc.objects.source_file import Seen
from mlvc.objects.store import ObjectStore

LAYERS = 3
COUNT = 400_000


@pytest.fixture
def store(tmp_path):
    made = ObjectStore(LocalBackend(tmp_path / "store"), tmp_path / "index.sqlite")
    yield made
    made.close()


def checkpoint(step: int, *, extra: bytes = b"") -> bytes:
    """A bf16 checkpoint whose layers move a little at each step; the first layer is frozen."""
    header, body = {}, b""
    for layer in range(LAYERS):
        rng = np.random.default_rng(layer)
        values = rng.standard_normal(COUNT) * 0.02
        for number in range(step if layer else 0):
            values += np.random.default_rng(1000 * layer + number).standard_normal(COUNT) * 1e-4
        data = (values.astype(np.float32).view(np.uint32) >> 16).astype("<u2").tobytes()
        header[f"layer.{layer}"] = {"dtype": "BF16", "shape": [COUNT], "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode() + b" " * len(extra)
    return struct.pack("<Q", len(text)) + text + body


def put(store, tmp_path, data: bytes, *bases):
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)
    files = [BaseFile("model.safetensors", store.recipe_by_id(b.recipe, b.digest, b.size)) for b in bases]
    ingest = Ingest(store)
    (stored,) = ingest.add_files([("model.safetensors", Seen(str(path), None))], Counterparts(store, lambda: files))
    ingest.finish()
    return stored, ingest.new_bytes


def get(store, stored) -> bytes:
    return b"".join(store.read_file(store.recipe_by_id(stored.recipe, stored.digest, stored.size)))


def differences_to(store, chunk_id) -> int:
    (place,) = store.index.find(chunk_id, CHUNK_CODE)
    return 0 if place.slot.base is None else 1 + differences_to(store, place.slot.base)


def depths(store, stored) -> set[int]:
    return {differences_to(store, p.chunk) for p in store.recipe_by_id(stored.recipe, stored.digest, stored.size).pieces}


def test_a_later_checkpoint_costs_what_changed_and_comes_back(store, tmp_path):
    first, first_bytes = put(store, tmp_path, checkpoint(0))
    later, later_bytes = put(store, tmp_path, checkpoint(1), first)
    alone_path = tmp_path / "other"
    alone = ObjectStore(LocalBackend(alone_path), tmp_path / "other.sqlite")
    _, alone_bytes = put(alone, tmp_path, checkpoint(1))
    assert first_bytes < 0.70 * first.size
    assert later_bytes < 0.30 * alone_bytes
    assert get(store, later) == checkpoint(1)
    assert get(store, first) == checkpoint(0)
    alone.close()


def test_a_later_hdf5_checkpoint_is_stored_as_its_difference_by_place(store, tmp_path):
    random = np.random.default_rng(0)
    weights = random.normal(0, 0.05, 1_000_000)
    head = b"\x89HDF\r\n\x1a\n" + bytes(2040)
    one, two = (head + (weights + step * random.normal(0, 1e-4, len(weights))).astype("<f4").tobytes() for step in (0, 1))
    first, cost = put(store, tmp_path, one)
    second, later = put(store, tmp_path, two, first)
    assert later < 0.8 * cost
    assert get(store, second) == two


def test_the_counterpart_is_found_by_name_wherever_the_tensor_moved(store, tmp_path):
    first, _ = put(store, tmp_path, checkpoint(0))
    later, new_bytes = put(store, tmp_path, checkpoint(1, extra=bytes(999)), first)
    assert new_bytes < 0.30 * first.size
    assert get(store, later) == checkpoint(1, extra=bytes(999))


def test_few_differences_lead_to_a_chunk_stored_by_itself(store, tmp_path):
    stored = [put(store, tmp_path, checkpoint(0))[0]]
    for step in range(1, 8):
        stored.append(put(store, tmp_path, checkpoint(step), stored[-1])[0])
    assert max(map(max, (depths(store, s) for s in stored))) == chunk_reader.DIFFERENCES <= chunk.MAX_DIFFERENCES
    for step, one in enumerate(stored):
        assert get(store, one) == checkpoint(step)


def packs_with_differences(store):
    return [name for name in store.index.packs() if any(slot.base for slot in store.index.slots(name))]


def test_a_difference_whose_base_is_gone_counts_as_absent_and_adding_the_file_again_heals_it(store, tmp_path):
    first, _ = put(store, tmp_path, checkpoint(0))
    later, _ = put(store, tmp_path, checkpoint(1), first)
    with_differences = packs_with_differences(store)
    for name in store.index.packs():
        if name.pack_class is PackClass.DATA and name not in with_differences:
            store.backend.delete(name.key)
    store.index.refresh(force=True)
    pieces = store.recipe_by_id(later.recipe, later.digest, later.size).pieces
    assert len(store.missing((p.chunk, CHUNK_CODE) for p in pieces)) == len(pieces)
    with pytest.raises((NotFoundError, DamageError)):
        get(store, later)
    put(store, tmp_path, checkpoint(1))
    assert get(store, later) == checkpoint(1)
    store.index.discard()
    store.index.refresh()
    assert get(store, later) == checkpoint(1)


def test_a_flipped_bit_in_a_base_is_found_through_the_difference(store, tmp_path):
    first, _ = put(store, tmp_path, checkpoint(0))
    later, _ = put(store, tmp_path, checkpoint(1), first)
    base = next(slot.base for name in packs_with_differences(store) for slot in store.index.slots(name) if slot.base)
    (place,) = store.index.find(base, CHUNK_CODE)
    path = store.backend.path(place.pack.key)
    with path.open("r+b") as file:
        file.seek(place.slot.offset + place.slot.stored_size // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))
    with pytest.raises(DamageError):
        get(store, later)
    assert not store.index.find(base, CHUNK_CODE)
    put(store, tmp_path, checkpoint(0))
    assert get(store, later) == checkpoint(1)


def test_differences_in_a_circle_are_damage_not_a_crash(store, tmp_path):
    from mlvc.objects.pack_writer import PackWriter

    writer = PackWriter(store.backend, PackClass.DATA)
    one, other = bytes(32), bytes([1] * 32)
    stored = bytes([chunk.DIFFERENCE, 0, 0]) + bytes(4) + bytes(8)
    writer.add(one, CHUNK_CODE, stored, 8, other)
    writer.add(other, CHUNK_CODE, stored, 8, one)
    writer.publish()
    store.index.refresh()
    with pytest.raises(Error):
        store.read(one, CHUNK_CODE)
    shutil.rmtree(store.backend.root)


def test_an_index_made_anew_knows_the_bases(store, tmp_path):
    first, _ = put(store, tmp_path, checkpoint(0))
    later, _ = put(store, tmp_path, checkpoint(1), first)
    before = {p.chunk: differences_to(store, p.chunk) for p in store.recipe_by_id(later.recipe, later.digest, later.size).pieces}
    store.index.discard()
    store.index.refresh()
    assert {c: differences_to(store, c) for c in before} == before
    assert 1 in before.values()
