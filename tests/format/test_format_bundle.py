"""Ranges of entries, bundles of them, and locators."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlvc.errors import DamageError
from mlvc.format import bundle, locator
from mlvc.format.bundle import Range
from mlvc.format.ids import digest
from mlvc.format.pack import PackClass, PackName, Slot


@given(st.integers(1, 200_000), st.integers(0, 5_000))
def test_ranges_cover_every_entry_once_and_in_order(first, count):
    at = first
    for found in bundle.cover(first, first + count - 1):
        assert found.first == at
        at = found.last + 1
    assert at == first + count


@given(st.integers(1, 200_000))
def test_a_history_from_its_beginning_is_few_ranges(last):
    assert len(list(bundle.cover(1, last))) <= 4 * 15 + last // 65_536


@given(st.lists(st.integers(1, 400), max_size=8))
def test_pushes_complete_each_range_once(steps):
    at, found = 0, []
    for step in steps:
        found += bundle.completed(at, at + step)
        at += step
    assert sorted(found, key=str) == sorted(bundle.completed(0, at), key=str)
    assert all(one.last <= at for one in found)
    assert {one for one in bundle.cover(1, at) if one.level} <= set(found)


def test_the_parts_of_a_range_make_it_up():
    parts = Range(2, 3).parts()
    assert (parts[0].first, parts[-1].last) == (Range(2, 3).first, Range(2, 3).last)


@given(st.lists(st.binary(max_size=200), max_size=16))
def test_a_bundle_gives_back_its_entries(entries):
    data = bundle.encode(entries)
    assert bundle.decode(data, "x") == entries
    damaged = bytearray(data)
    damaged[-1] ^= 1
    with pytest.raises(DamageError):
        bundle.decode(bytes(damaged), "x")


def test_a_bundle_that_would_be_too_large_is_not_made():
    assert bundle.encode([bytes(bundle.MAX_SIZE)]) is None


def places(count):
    names = [PackName(PackClass.DATA, bytes([n]) * 16) for n in range(3)]
    return [
        (names[n % 3], Slot(digest(b"%d" % n), n % 2, 40 + n, 10, 20, digest(b"base") if n % 5 == 0 else None)) for n in range(count)
    ]


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 1000])
def test_a_locator_gives_back_each_place_from_one_small_part(count):
    given_places = places(count)
    data = locator.encode(given_places)
    assert locator.needed(data) <= len(data)
    guide = locator.guide(data[: locator.needed(data)])
    for name, slot in given_places:
        span = guide.span(slot.id)
        assert span.size <= 2 * 64 * 100
        assert (name, slot) in guide.read(data[span.offset : span.offset + span.size])
    everything = guide.everything()
    assert sorted(guide.read(data[everything.offset : everything.offset + everything.size]), key=str) == sorted(given_places, key=str)


def test_what_no_locator_speaks_of_is_not_found():
    guide = locator.guide(locator.encode(places(100)))
    assert guide.span(bytes(32)) is None
    assert locator.guide(locator.encode([])).span(digest(b"x")) is None


@given(st.binary(max_size=200))
def test_what_is_no_locator_is_refused(data):
    with pytest.raises(DamageError):
        locator.guide(data)


def test_a_locator_that_points_to_nowhere_is_refused():
    data = bytearray(locator.encode(places(3)))
    data[5:13] = (1).to_bytes(4, "little") + (3).to_bytes(4, "little")  # fewer packs than its rows speak of
    with pytest.raises(DamageError):
        guide = locator.guide(bytes(data))
        span = guide.everything()
        guide.read(bytes(data[span.offset : span.offset + span.size]))


def test_a_locator_of_too_many_is_not_made():
    name = PackName(PackClass.DATA, bytes(16))
    assert locator.encode((name, Slot(n.to_bytes(32, "big"), 0, 40, 1, 1)) for n in range(locator.MAX_ROWS + 1)) is None
