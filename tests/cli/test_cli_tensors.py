"""show --tensors, diff --tensors and du, as a user types them."""

import io
import json
import struct

import numpy as np
import pytest


def safetensors(**tensors: np.ndarray) -> bytes:
    header, body = {}, b""
    for name, values in tensors.items():
        kind = {"float32": "F32", "float16": "F16", "int64": "I64"}[str(values.dtype)]
        header[name] = {"dtype": kind, "shape": list(values.shape), "data_offsets": [len(body), len(body) + values.nbytes]}
        body += values.tobytes()
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


@pytest.fixture
def models(repository):
    weights = np.random.default_rng(0).standard_normal((600, 1000)).astype("f4")
    repository.write("net.safetensors", safetensors(w=weights, b=np.zeros(10, "f2"), old=np.arange(3)))
    repository("add", "net.safetensors")
    weights = weights.copy()
    weights[3, 4] += 2
    repository.write("net.safetensors", safetensors(w=weights, b=np.zeros(12, "f2"), new=np.arange(3)))
    (added,) = repository.json("add", "net.safetensors")
    assert added["new_bytes"] < 100_000  # the piece that changed, as a difference
    return repository


def test_show_tensors_lists_name_type_shape_and_sizes(models):
    first, second, third = models.json("show", "--tensors", "net:v1")
    assert (first["name"], first["dtype"], first["shape"], first["size_bytes"]) == ("w", "F32", [600, 1000], 2_400_000)
    assert 0 < first["stored_bytes"] < 2_400_000
    assert (second["name"], third["dtype"]) == ("b", "I64")
    assert "600x1000" in models("show", "--tensors", "net").out


def test_diff_tensors_says_which_changed_and_by_how_much(models):
    changes = {c["name"]: c for c in models.json("diff", "--tensors", "net:v0", "net:v1")["tensors"]}
    assert {name: c["kind"] for name, c in changes.items()} == {"w": "changed", "b": "reshaped", "new": "added", "old": "removed"}
    assert (changes["w"]["elements"], changes["w"]["elements_changed"]) == (600_000, 1)
    assert changes["w"]["max_difference"] == pytest.approx(2, rel=1e-6)
    assert changes["w"]["mean_difference"] == pytest.approx(2 / 600_000, rel=1e-6)
    assert "no tensor differs" in models("diff", "--tensors", "net:v1", "net:v1").out


def test_bf16_and_nan_differences_are_numbers(repository):
    values = np.array([1.0, 2.0, np.nan, np.inf] * 400_000, "f4")
    for step in (0, 1):
        data = (values.view("u4") >> 16).astype("u2")
        data[0] = (np.array([1.0 + step], "f4").view("u4") >> 16)[0]
        header = json.dumps({"x": {"dtype": "BF16", "shape": [len(data)], "data_offsets": [0, data.nbytes]}}).encode()
        repository.write("x.safetensors", struct.pack("<Q", len(header)) + header + data.tobytes())
        repository("add", "x.safetensors")
    (change,) = repository.json("diff", "--tensors", "x")["tensors"]
    assert (change["elements_changed"], change["max_difference"]) == (1, 1.0)


def test_tensors_of_what_has_none_and_of_runs(repository):
    assert "no tensors" in repository("show", "--tensors", "m").out
    assert "--tensors" in repository("diff", "--tensors", code=2).err
    repository("run", "--name", "r", "--", "true")
    assert "--tensors" in repository("show", "--tensors", "run/r", code=2).err


def test_du_says_what_each_collection_costs_and_what_was_saved(models):
    found = models.json("du")
    costs = {c["name"]: c for c in found["collections"]}
    net = costs["demo/net"]
    assert net["versions"] == 2
    assert net["raw_bytes"] > 4_800_000 > net["distinct_bytes"] >= net["stored_bytes"] > 0
    assert net["own_bytes"] == net["stored_bytes"]
    assert found["pack_bytes"] > found["stored_bytes"]
    assert "gc' would free" in models("du").out


def test_the_same_array_saved_by_numpy_is_seen_too(repository):
    file = io.BytesIO()
    np.savez(file, a=np.ones((400, 1000)))
    repository.write("arrays.npz", file.getvalue())
    repository("add", "arrays.npz")
    (only,) = repository.json("show", "--tensors", "arrays")
    assert (only["name"], only["dtype"], only["shape"]) == ("a", "<f8", [400, 1000])
