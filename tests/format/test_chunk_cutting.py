"""Cuts fall where docs/format/chunks.md says: a slow reading of that page beside the fast library."""

from __future__ import annotations

import hashlib
import io
import random

import pytest

from mlvc.objects import cutting

MINIMUM, AVERAGE, MAXIMUM = 16_384, 65_536, 262_144
STRICT, LOOSE = 0x0000D90703537000, 0x0000D90F03530000
GEAR = [int.from_bytes(hashlib.md5(bytes([b]) * 64).digest()[:8], "big") for b in range(256)]


def lengths_by_the_page(data: bytes) -> list[int]:
    lengths, at = [], 0
    while at < len(data):
        lengths.append(next_length(data[at : at + MAXIMUM]))
        at += lengths[-1]
    return lengths


def next_length(left: bytes) -> int:
    if len(left) <= MINIMUM:
        return len(left)
    end = min(len(left), MAXIMUM)
    middle = min(end, AVERAGE) // 2 * 2
    h = 0
    for i in range(MINIMUM, end // 2 * 2):
        h = (2 * h + GEAR[left[i]]) % (1 << 64)
        if not h & (STRICT if i < middle else LOOSE):
            return i
    return end


def lengths_by_the_code(data: bytes, most: int = 1 << 30) -> list[int]:
    file = io.BytesIO(data)
    return [len(piece) for window in cutting.cut(lambda size: file.read(min(size, most))) for piece in window]


def noise(size: int, seed: int = 7) -> bytes:
    return random.Random(seed).randbytes(size)


@pytest.mark.parametrize("size", [0, 1, MINIMUM, MINIMUM + 1, AVERAGE - 1, 99_999, 300_001, (1 << 20) + 1])
def test_noise_is_cut_as_the_page_says(size: int):
    data = noise(size)

    assert lengths_by_the_code(data) == lengths_by_the_page(data)


@pytest.mark.parametrize("data", [bytes(600_001), b"ab" * 300_000, noise(50_000) * 20], ids=["zeros", "a pattern", "repeated"])
def test_dull_data_is_cut_as_the_page_says(data: bytes):
    assert lengths_by_the_code(data) == lengths_by_the_page(data)


@pytest.mark.parametrize("most", [1_000, 65_536, 1 << 20])
def test_cuts_do_not_depend_on_how_the_file_was_read(most: int):
    """Windows are read to the full even from a stream that gives little at a time."""
    data = noise(2 * cutting.WINDOW + 12_345)

    assert lengths_by_the_code(data, most) == lengths_by_the_code(data)
    assert sum(lengths_by_the_code(data)) == len(data)


def test_an_insertion_moves_only_the_cuts_near_it():
    data = noise(3 << 20)
    cut = lengths_by_the_code(data)
    changed = lengths_by_the_code(data[:1_000_000] + b"inserted" + data[1_000_000:])

    assert cut[:5] == changed[:5]
    assert cut[-20:] == changed[-20:]
