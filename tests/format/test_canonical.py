"""Canonical MessagePack: one value, one encoding (docs/format/records.md)."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlvc.errors import DamageError
from mlvc.format import canonical

scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=40) | st.binary(max_size=40)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8) | st.binary(max_size=8), inner, max_size=5),
    max_leaves=25,
)


@given(values)
def test_what_is_encoded_decodes_to_itself(value: object):
    assert canonical.decode(canonical.encode(value)) == value


@given(values)
def test_encoding_what_was_decoded_gives_the_same_bytes(value: object):
    encoded = canonical.encode(value)

    assert canonical.encode(canonical.decode(encoded)) == encoded


@given(st.dictionaries(st.text(max_size=8) | st.binary(max_size=8), st.integers(0, 9), min_size=2, max_size=8), st.randoms())
def test_the_order_in_which_a_map_was_filled_does_not_show(given_map: dict[str | bytes, int], random):
    items = list(given_map.items())
    random.shuffle(items)

    assert canonical.encode(dict(items)) == canonical.encode(given_map)


def test_maps_sort_text_before_bytes_each_by_their_bytes():
    encoded = canonical.encode({b"a": 1, "b": 2, "B": 3, "é": 4, "z": 5})

    assert list(msgpack.unpackb(encoded, strict_map_key=False)) == ["B", "b", "z", "é", b"a"]


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (None, "c0"),
        (False, "c2"),
        (True, "c3"),
        (0, "00"),
        (127, "7f"),
        (128, "cc80"),
        (-1, "ff"),
        (65536, "ce00010000"),
        ("a", "a161"),
        (b"a", "c40161"),
        ([], "90"),
        ({}, "80"),
        ({"b": 1, "a": [True]}, "82a16191c3a16201"),
    ],
)
def test_the_shortest_form_is_chosen(value: object, encoded: str):
    assert canonical.encode(value).hex() == encoded


@pytest.mark.parametrize("value", [1.0, [0.5], {"a": float("nan")}, {1: 2}, {None: 1}, object(), {"a"}, 1j])
def test_what_has_no_canonical_form_is_refused(value: object):
    with pytest.raises(TypeError):
        canonical.encode(value)


def test_deep_nesting_is_refused_not_crashed_on():
    value: list[object] = []
    for _ in range(100):
        value = [value]
    with pytest.raises(TypeError, match="nested"):
        canonical.encode(value)


def test_a_tuple_is_written_as_a_list():
    assert canonical.encode((1, (2, 3))) == canonical.encode([1, [2, 3]])


@pytest.mark.parametrize(
    "data",
    [b"", b"\xc1", b"\x91", b"\xa5ab", b"\x00\x00", b"\xdf\xff\xff\xff\xff", b"\xdd\xff\xff\xff\xff", b"\x91" * 100_000, b"\xa1\xff"],
    ids=["nothing", "never used", "cut short", "short text", "two values", "a map of 4 billion", "a list of 4 billion", "deep"]
    + ["no UTF-8"],
)
def test_bytes_that_are_not_one_value_are_damage(data: bytes):
    with pytest.raises(DamageError):
        canonical.decode(data)


@given(st.binary(max_size=200))
def test_any_bytes_decode_or_are_damage(data: bytes):
    try:
        canonical.decode(data)
    except DamageError as error:
        assert error.message  # noqa: PT017
