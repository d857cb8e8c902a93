"""Encodings give back every bit, whatever the bytes are said to be, and choose what a sample promises."""

from __future__ import annotations

import json
import random
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlvc.errors import DamageError, NewerFormatError
from mlvc.format import chunk, elements
from mlvc.format.elements import Element

ELEMENTS = [Element(width, is_float=is_float) for width in (1, 2, 4, 8) for is_float in (False, True)]
element = st.sampled_from(ELEMENTS)
FLOATS = {"<f2": Element(2, is_float=True), "<f4": Element(4, is_float=True), "<f8": Element(8, is_float=True)}

SPECIAL = [0.0, -0.0, 1.0, -1.0, float("inf"), float("-inf"), float("nan"), 5e-324, -5e-324, 1e-40, 65504.0, 3.4e38]


def bf16(values: np.ndarray) -> bytes:
    return (values.astype(np.float32).view(np.uint32) >> 16).astype("<u2").tobytes()


def weights(seed: int, count: int = 300_000) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(count) * 0.02


@given(st.binary(max_size=4096), element, st.randoms())
def test_planes_are_undone_exactly(data, element, _):
    data = data[: len(data) - len(data) % element.width]
    assert elements.from_planes(elements.planes(data, element), element) == data


@given(st.integers(0, 400), element, st.randoms(use_true_random=False))
def test_differences_are_undone_exactly(count, element, rng):
    data, base = rng.randbytes(count * element.width), rng.randbytes(count * element.width)
    parts = elements.difference_planes(data, base, element)
    assert elements.from_difference_planes(parts, base, element) == data


@pytest.mark.parametrize("kind", FLOATS)
def test_infinities_nans_zeros_and_denormals_come_back(kind):
    with np.errstate(over="ignore"):
        data = np.array(SPECIAL * 20, kind).tobytes()
        base = np.array(SPECIAL[::-1] * 20, kind).tobytes()
    for stored in (chunk._encode_planes(memoryview(data), FLOATS[kind], 0, None), chunk._encode_planes(memoryview(data), FLOATS[kind], 0, base)):
        assert chunk.decode(stored, len(data), lambda: base) == data


@pytest.mark.parametrize("kind", FLOATS)
def test_the_difference_of_neighbouring_numbers_is_one_step_even_across_zero(kind):
    element = FLOATS[kind]
    smallest = np.array([1], f"<u{element.width}").view(kind)[0]
    row = np.array([-smallest, -0.0, 0.0, smallest], kind)
    parts = elements.difference_planes(row[1:].tobytes(), row[:-1].tobytes(), element)
    assert [list(bytes(part)) for part in parts] == [[2, 2, 2]] + [[0, 0, 0]] * (element.width - 1)


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 200_000), st.integers(0, 7), element, st.booleans(), st.sampled_from(["noise", "near", "zero", "text"]), st.integers(0, 9)
)
def test_a_chunk_comes_back_whatever_it_is_said_to_be(size, lead, element, has_base, kind, seed):
    rng = random.Random(seed)
    base = rng.randbytes(size)
    data = {
        "noise": lambda: rng.randbytes(size),
        "near": lambda: bytes(b ^ (1 if i % 7 == 0 else 0) for i, b in enumerate(base[:5000])) + base[5000:],
        "zero": lambda: bytes(size),
        "text": lambda: (b"1,2,abc\n" * (size // 8 + 1))[:size],
    }[kind]()
    stored = chunk.encode(data, element=element, lead=min(lead, size), base=base if has_base else None)
    assert chunk.decode(stored, size, (lambda: base) if chunk.needs_base(stored) else None) == data
    assert len(stored) <= size + 1


def test_weights_are_kept_as_planes_and_small_changes_as_differences():
    first = weights(1)
    later = first + weights(2) * 0.005
    element = Element(2, is_float=True)
    alone = chunk.encode(bf16(later), element=element)
    changed = chunk.encode(bf16(later), element=element, base=bf16(first))
    unrelated = chunk.encode(bf16(weights(3)), element=element, base=bf16(first))
    assert (alone[0], changed[0], unrelated[0]) == (chunk.PLANES, chunk.DIFFERENCE, chunk.PLANES)
    assert len(alone) < 0.68 * 600_000
    assert len(changed) < 0.3 * 600_000


def test_noise_is_kept_raw():
    data = random.Random(1).randbytes(200_000)
    for known in (None, *ELEMENTS):
        assert chunk.encode(data, element=known, base=bytes(200_000))[0] == chunk.RAW


@pytest.mark.parametrize("kind", FLOATS)
def test_numbers_of_unknown_kind_are_recognised(kind):
    guessed = chunk.guess_element(weights(1).astype(kind).tobytes())
    assert guessed is not None and guessed.width == FLOATS[kind].width


def test_text_and_noise_are_not_taken_for_numbers():
    assert chunk.guess_element(b"".join(b"%d,%d,row\n" % (i, i * 7919 % 10007) for i in range(20_000))) is None
    assert chunk.guess_element(random.Random(1).randbytes(1 << 20)) is None


def test_a_difference_without_its_base_is_damage_not_a_crash():
    data, base = bf16(weights(1)), bf16(weights(1) * 1.0001)
    stored = chunk._encode_planes(memoryview(data), Element(2, is_float=True), 0, base)
    with pytest.raises(DamageError, match="difference"):
        chunk.decode(stored, len(data))
    with pytest.raises(DamageError):
        chunk.decode(stored, len(data), lambda: base[:-2])


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 3), st.integers(0, 400), st.integers(0, 255), st.integers(0, 400))
def test_planes_with_flipped_or_missing_bytes_are_damage_or_other_content(seed, at, value, cut):
    data = bf16(weights(seed, 500))
    stored = bytearray(chunk._encode_planes(memoryview(data), Element(2, is_float=True), 3, None))
    stored[at % len(stored)] = value
    for form in (bytes(stored), bytes(stored[: len(stored) - cut % len(stored)])):
        try:
            found = chunk.decode(form, len(data), lambda: data)
        except (DamageError, NewerFormatError):
            continue
        assert len(found) == len(data)


def test_a_plane_that_claims_gigabytes_is_refused_unread():
    bomb = bytes([chunk.PLANES]) + struct.pack("<BBI", Element(1, is_float=False).code, 0, 17)
    bomb += bytes.fromhex("28b52ffda0ffffff7f") + bytes(8)
    with pytest.raises(DamageError):
        chunk.decode(bomb, 1000)


GOLDEN = Path(__file__).parent.parent / "golden" / "chunks-1"


@pytest.mark.parametrize("said", json.loads((GOLDEN / "chunks.json").read_text()), ids=lambda said: said["file"])
def test_chunks_as_the_first_mlvc_stored_them_decode_for_ever(said):
    stored = (GOLDEN / said["file"]).read_bytes()
    base = (lambda: (GOLDEN / said["base"]).read_bytes()) if said["base"] else None
    assert chunk.decode_verified(stored, said["size"], bytes.fromhex(said["id"]), base)
