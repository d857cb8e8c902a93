"""User values: JSON text inside records, a digest in its place where it is long."""

from __future__ import annotations

import datetime as dt
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlvc.errors import DamageError, UsageError
from mlvc.format import canonical, record, values
from mlvc.format.record import Kind

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(json_values)
def test_a_json_value_comes_back_as_it_was(value: object):
    assert values.from_json(values.to_json(value)) == value


@given(json_values)
def test_a_stored_value_is_its_text_or_a_record_that_holds_it(value: object):
    stored, data = values.to_stored(value)

    if data is None:
        assert isinstance(stored, str)
        assert len(stored.encode()) <= values.MAX_INLINE_VALUE
        assert values.from_json(stored) == value
    else:
        assert stored == record.record_id(data)
        assert values.from_json(values.from_record(data)) == value


@pytest.mark.parametrize(("length", "inline"), [(values.MAX_INLINE_VALUE - 2, True), (values.MAX_INLINE_VALUE - 1, False)])
def test_a_text_of_more_than_a_kibibyte_becomes_a_record(length: int, inline: bool):
    _, data = values.to_stored("x" * length)  # two quotes come on top

    assert (data is None) == inline


def test_the_limit_counts_bytes_not_characters():
    assert values.to_stored("ü" * 600)[1] is not None


def test_keys_keep_the_order_they_were_given_in():
    assert values.to_json({"b": 1, "a": 2}) == '{"b":1,"a":2}'


def test_not_a_number_becomes_null_as_in_wandb():
    assert values.to_json({"loss": math.nan, "more": [math.nan]}) == '{"loss":null,"more":[null]}'


@pytest.mark.parametrize("value", [math.inf, -math.inf, object(), b"bytes", {"a": {"b": object()}}, 1j, len])
def test_what_json_has_no_word_for_is_refused(value: object):
    with pytest.raises(values.NotJsonError) as caught:
        values.to_json(value)

    assert isinstance(caught.value, UsageError)
    assert isinstance(caught.value, TypeError)


def test_a_value_that_holds_itself_is_refused():
    value: list[object] = []
    value.append(value)
    with pytest.raises(values.NotJsonError, match="nested"):
        values.to_json(value)


def test_values_that_are_nearly_json_are_taken_for_what_they_mean():
    import numpy as np

    given_value = {
        "array": np.array([1, 2]),
        "scalar": np.float32(0.5),
        "count": np.int64(3),
        "flag": np.bool_(True),
        "path": Path("a/b"),
        "day": dt.date(2026, 1, 2),
        "tuple": (1, 2),
        3: "a number as a key",
    }

    assert json.loads(values.to_json(given_value)) == {
        "array": [1, 2],
        "scalar": 0.5,
        "count": 3,
        "flag": True,
        "path": "a/b",
        "day": "2026-01-02",
        "tuple": [1, 2],
        "3": "a number as a key",
    }


@pytest.mark.parametrize("text", ["", "{", "nul", "'a'", "[" * 100_000])
def test_stored_text_that_is_not_json_is_damage(text: str):
    with pytest.raises(DamageError):
        values.from_json(text)


def test_a_value_record_of_something_else_is_damage():
    with pytest.raises(DamageError):
        values.from_record(record.frame(Kind.VALUE, canonical.encode([1])))
    with pytest.raises(DamageError):
        values.from_record(record.frame(Kind.RECIPE, canonical.encode("1")))


def test_half_a_surrogate_pair_becomes_a_question_mark():
    assert values.to_json({"k\ud800": "x\udc00é"}) == '{"k?":"x?é"}'
