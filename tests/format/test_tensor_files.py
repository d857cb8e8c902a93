"""Tensor files are understood by their headers; whatever is wrong with one, it is just bytes, never an error."""

from __future__ import annotations

import io
import json
import pickle
import random
import struct
import sys
import types
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlvc.format import tensor_files
from mlvc.format.tensor_files import torch_pickle
from mlvc.objects import cutting


def find(data: bytes):
    return tensor_files.find(lambda at, size: data[at : at + size], len(data))


def safetensors(header, body: bytes = b"", size: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + body


def tensor(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def npz(compressed: bool = False, **arrays) -> bytes:
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, **arrays)
    return file.getvalue()


def gguf(tensors, alignment: int = 32, count: int | None = None) -> bytes:
    def text(s: str) -> bytes:
        return struct.pack("<Q", len(s)) + s.encode()

    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors) if count is None else count, 3)
    head += text("general.alignment") + struct.pack("<II", 4, alignment)
    head += text("general.name") + struct.pack("<I", 8) + text("tiny")
    head += text("tokens") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("b")
    body = b""
    for name, shape, kind, data in tensors:
        body += bytes(-len(body) % alignment)
        head += text(name) + struct.pack("<I", len(shape)) + b"".join(struct.pack("<Q", n) for n in shape)
        head += struct.pack("<IQ", kind, len(body))
        body += data
    return head + bytes(-len(head) % alignment) + body


def test_safetensors_name_dtype_shape_and_place():
    data = safetensors({"__metadata__": {"a": "b"}, "w": tensor("BF16", [2, 3], 0, 12), "b": tensor("F32", [1], 12, 16)}, bytes(16))
    first, second = find(data)
    assert (first.name, first.dtype, first.shape, first.size, first.element.width) == ("w", "BF16", (2, 3), 12, 2)
    assert (second.name, second.offset) == ("b", len(data) - 4)


def test_npy_and_npz_arrays_are_found():
    file = io.BytesIO()
    np.save(file, np.arange(6, dtype="<f4").reshape(2, 3))
    (only,) = find(file.getvalue())
    assert (only.dtype, only.shape, only.size) == ("<f4", (2, 3), 24)
    data = npz(a=np.arange(5), b=np.ones((2, 2), "f4"))
    assert [(t.name, t.shape) for t in find(data)] == [("a", (5,)), ("b", (2, 2))]
    for found in find(data):
        assert np.frombuffer(data[found.offset : found.offset + found.size], found.dtype).reshape(found.shape).tolist() == {
            "a": [0, 1, 2, 3, 4],
            "b": [[1, 1], [1, 1]],
        }[found.name]


def test_storages_of_pytorch_archives_are_found_without_unpickling():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("model/data.pkl", b"cos\nsystem\n(S'touch pwned'\ntR.")
        archive.writestr("model/data/0", bytes(64))
        archive.writestr("model/data/1", bytes(32))
        archive.writestr("model/version", b"3\n")
    assert [(t.name, t.size) for t in find(file.getvalue())] == [("model/data/0", 64), ("model/data/1", 32)]


class Storage:
    """A tensor's storage as `torch.save` sees it: a persistent id."""

    def __init__(self, kind, key, count):
        self.said = ("storage", kind, key, "cpu", count)


class Tensor:
    def __init__(self, storage, offset, shape, strides):
        self.call = (storage, offset, shape, strides, False, {})


@pytest.fixture
def torch_archive(monkeypatch):
    """Writes archives as torch.save does, with a stand-in for the names that torch's pickles hold."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in ("FloatStorage", "BFloat16Storage"):
        setattr(torch, name, type(name, (), {"__module__": "torch"}))

    def _rebuild_tensor_v2(*_):
        raise AssertionError("nothing that a pickle names may run")

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            return value.said if isinstance(value, Storage) else None

        def reducer_override(self, value):
            return (_rebuild_tensor_v2, value.call) if isinstance(value, Tensor) else NotImplemented

    def write(build, members, order=b"little", protocol=2):
        pickled, file = io.BytesIO(), io.BytesIO()
        Pickler(pickled, protocol).dump(build(torch))
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("model/data.pkl", pickled.getvalue())
            archive.writestr("model/byteorder", order)
            for key, data in members.items():
                archive.writestr(f"model/data/{key}", data)
        return file.getvalue()

    return write


@pytest.mark.parametrize("protocol", [2, 4])
def test_tensors_of_pytorch_archives_are_named_by_the_pickle_which_is_not_run(torch_archive, protocol):
    def build(torch):
        weight = Tensor(Storage(torch.FloatStorage, "0", 6), 0, (2, 3), (3, 1))
        bias = Tensor(Storage(torch.BFloat16Storage, "1", 4), 0, (4,), (1,))
        return {"model": OrderedDict(weight=weight, bias=bias), "steps": 3, "history": [1.5, None, True, "x"]}

    data = torch_archive(build, {"0": bytes(24), "1": bytes(8)}, protocol=protocol)
    assert [(t.name, t.dtype, t.shape, t.size) for t in find(data)] == [
        ("model.weight", "F32", (2, 3), 24),
        ("model.bias", "BF16", (4,), 8),
    ]


def test_a_storage_that_tensors_share_has_the_name_of_the_first_and_a_flat_shape(torch_archive):
    def build(torch):
        shared = Storage(torch.FloatStorage, "0", 6)
        return {"upper": Tensor(shared, 0, (3,), (1,)), "lower": Tensor(shared, 3, (3,), (1,)), "turned": Tensor(shared, 0, (2, 3), (1, 2))}

    (only,) = find(torch_archive(build, {"0": bytes(24)}))
    assert (only.name, only.shape) == ("upper", (6,))


def test_what_the_pickle_says_counts_only_where_it_fits_the_archive(torch_archive):
    def build(torch):
        return {"w": Tensor(Storage(torch.FloatStorage, "0", 6), 0, (2, 3), (3, 1))}

    assert [t.name for t in find(torch_archive(build, {"0": bytes(20)}))] == ["model/data/0"]
    assert [t.name for t in find(torch_archive(build, {"0": bytes(24)}, order=b"big"))] == ["model/data/0"]


def test_a_structure_that_holds_itself_many_times_over_ends(torch_archive):
    def build(torch):
        knot = {}
        knot.update({f"k{n}": knot for n in range(50)}, w=Tensor(Storage(torch.FloatStorage, "0", 2), 0, (2,), (1,)))
        return knot

    assert [t.name for t in find(torch_archive(build, {"0": bytes(8)}))] == ["w"]


@given(st.binary(max_size=300))
def test_any_bytes_in_place_of_a_pickle_do_no_harm(data):
    assert isinstance(torch_pickle.tensors(data), dict)
    assert isinstance(torch_pickle.tensors(b"\x80\x02" + data + b"."), dict)


HDF5 = b"\x89HDF\r\n\x1a\n"


def test_hdf5_is_one_array_alone_and_in_keras_archives():
    (whole,) = find(HDF5 + bytes(100))
    assert (whole.offset, whole.size, whole.element) == (0, 108, None)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", HDF5 + bytes(100))
    (weights,) = find(file.getvalue())
    assert file.getvalue()[weights.offset : weights.offset + weights.size] == HDF5 + bytes(100)


def test_a_keras_archive_whose_weights_are_something_else_is_just_bytes():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("model.weights.h5", b"no HDF5")
        archive.writestr("empty.h5", b"")
    assert find(file.getvalue()) == ()


def test_a_member_that_is_not_what_it_is_named_for_costs_the_others_nothing():
    file = io.BytesIO(npz(a=np.arange(5)))
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("notes.h5", b"no HDF5")
    assert [t.name for t in find(file.getvalue())] == ["a"]


def test_gguf_tensors_plain_and_quantized():
    data = gguf([("w", (4, 2), 0, bytes(32)), ("q", (32,), 8, bytes(34)), ("new", (7,), 99, bytes(64))])
    assert [(t.name, t.dtype, t.shape, t.size) for t in find(data)] == [
        ("w", "F32", (2, 4), 32),
        ("q", "Q8_0", (32,), 34),
        ("new", "type 99", (7,), 64),
    ]


HOSTILE = {
    "overlapping": safetensors({"a": tensor("U8", [8], 0, 8), "b": tensor("U8", [8], 4, 12)}, bytes(12)),
    "beyond the end": safetensors({"a": tensor("U8", [80], 0, 80)}, bytes(12)),
    "huge offsets": safetensors({"a": tensor("U8", [8], 1 << 70, (1 << 70) + 8)}, bytes(12)),
    "negative offsets": safetensors({"a": tensor("U8", [8], -8, 0)}, bytes(12)),
    "backward offsets": safetensors({"a": tensor("U8", [8], 8, 0)}, bytes(12)),
    "a shape of another size": safetensors({"a": tensor("F32", [3], 0, 8)}, bytes(12)),
    "a negative shape": safetensors({"a": tensor("U8", [-2, -4], 0, 8)}, bytes(12)),
    "a shape of words": safetensors({"a": tensor("XX", ["a"], 0, 8)}, bytes(12)),
    "duplicate names": safetensors(b'{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"a":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}', bytes(12)),
    "a header of 2 GiB": safetensors({"a": tensor("U8", [8], 0, 8)}, bytes(12), size=2 << 30),
    "a header of all bits": safetensors({"a": tensor("U8", [8], 0, 8)}, bytes(12), size=(1 << 64) - 1),
    "no JSON": safetensors(b"{" + b"x" * 40),
    "deep JSON": safetensors(b'{"a":' * 100_000),
    "a list of a tensor": safetensors({"a": [1, 2, 3]}, bytes(8)),
    "numbers for offsets": safetensors({"a": {"dtype": "U8", "shape": [1], "data_offsets": 5}}, bytes(8)),
    "fractions": safetensors({"a": {"dtype": "U8", "shape": [1], "data_offsets": [0.5, 1.5]}}, bytes(8)),
    "npy of objects": b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '|O', 'fortran_order': False, 'shape': (3,), }".ljust(118) + bytes(24),
    "npy with a call": b"\x93NUMPY\x01\x00v\x00" + b"__import__('os').system('true')".ljust(118) + bytes(24),
    "npy of another size": b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }".ljust(118) + bytes(24),
    "npy with a deep header": b"\x93NUMPY\x02\x00" + struct.pack("<I", 60_000) + b"(" * 60_000,
    "an empty zip": b"PK\x05\x06" + bytes(18),
    "half a zip": npz(a=np.arange(1000))[:4000],
    "a compressed npz": npz(compressed=True, a=np.arange(1000)),
    "gguf of 2**60 tensors": gguf([("w", (4, 2), 0, bytes(32))], count=1 << 60),
    "gguf cut short": gguf([("w", (4, 2), 0, bytes(32))])[:60],
    "gguf beyond the end": gguf([("w", (4, 1 << 40), 0, bytes(32))]),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_malformed_file_is_just_bytes(what):
    assert find(HOSTILE[what]) == ()


VALID = {
    "safetensors": safetensors({"w": tensor("F32", [100], 0, 400), "b": tensor("F16", [10], 400, 420)}, bytes(430)),
    "npz": npz(a=np.arange(50), b=np.ones(20)),
    "gguf": gguf([("w", (4, 2), 0, bytes(32)), ("q", (32,), 8, bytes(34))]),
}


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(sorted(VALID)), st.integers(0, 1 << 30), st.integers(1, 12))
def test_files_with_random_damage_never_raise_and_never_yield_tensors_outside_the_file(kind, seed, flips):
    rng = random.Random(seed)
    data = bytearray(VALID[kind])
    for _ in range(flips):
        data[rng.randrange(len(data))] = rng.randrange(256)
    data = data[: rng.randrange(len(data))] if rng.random() < 0.3 else data
    end = 0
    for found in find(bytes(data)):
        assert end <= found.offset <= found.offset + found.size <= len(data)
        end = found.offset + found.size


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 300_000), st.integers(0, 2_000_000), st.booleans()), max_size=12), st.integers(0, 5000))
def test_stretches_cover_a_file_without_gap_and_pieces_are_whole_elements(spans, tail):
    at, tensors = 0, []
    for number, (gap, count, is_wide) in enumerate(spans):
        width = 4 if is_wide else 2
        at += gap
        tensors.append(tensor_files.Tensor(f"t{number}", "F", (count,), at, count * width, tensor_files.layout.Element(width, is_float=True)))
        at += count * width
    end = 0
    for stretch in cutting.stretches(tensors, at + tail):
        assert stretch.offset == end and stretch.size > 0
        end += stretch.size
        if stretch.name:
            assert sum(stretch.piece_sizes) == stretch.size
            assert all(size % (stretch.element.width if stretch.element else 1) == 0 for size in stretch.piece_sizes)
    assert end == at + tail
