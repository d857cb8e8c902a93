"""References as people type them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlvc.errors import InvalidNameError
from mlvc.format import names, reference
from mlvc.format.reference import RunReference, VersionReference


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mnist", VersionReference(None, None, "mnist", None, None)),
        ("mnist:v3", VersionReference(None, None, "mnist", "v3", None)),
        ("mnist:v3~", VersionReference(None, None, "mnist", "v3~", None)),
        ("mnist:production", VersionReference(None, None, "mnist", "production", None)),
        ("mnist:best so far", VersionReference(None, None, "mnist", "best so far", None)),
        ("mnist@1f9c2a", VersionReference(None, None, "mnist", None, "1f9c2a")),
        ("demo/mnist", VersionReference(None, "demo", "mnist", None, None)),
        ("my team/demo/mnist:v0", VersionReference("my team", "demo", "mnist", "v0", None)),
        ("registry/mnist:production", VersionReference(None, "registry", "mnist", "production", None)),
        ("demo/mnist@" + "a" * 64, VersionReference(None, "demo", "mnist", None, "a" * 64)),
    ],
)
def test_a_version_is_typed_as(text: str, expected: VersionReference):
    assert reference.parse_version(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", ":v3", "mnist:", "mnist@", "mnist@xyz", "mnist@1f9", "mnist@1F9C2A", "mnist@1f9c:v3", "mnist:v3@1f9c"]
    + ["a/b/c/d", "/mnist", "mnist/", "a//b", "mnist v3", "..", "a\nb"],
)
def test_a_version_is_not_typed_as(text: str):
    try:
        found = reference.parse_version(text)
    except InvalidNameError as error:
        assert error.exit_code == 2
    else:
        # 'mnist:v3@1f9c' parses as an alias: one that no alias may be called is refused when it is looked up
        assert text == "mnist:v3@1f9c", found
        assert found.number is None


def test_a_number_typed_with_a_tilde_is_that_number():
    """What is printed can be typed."""
    assert reference.parse_version("mnist:v4~").number == 4
    assert reference.parse_version("mnist:v4").number == 4
    assert reference.parse_version("mnist:production").number is None
    assert reference.parse_version("mnist").number is None


artifact_names = st.text(max_size=20).map(names.artifact_name_from)
project_names = st.text(max_size=20, alphabet=st.characters(codec="utf-8", exclude_characters="@")).map(
    names.project_name_from
)
prefixes = st.text(alphabet="0123456789abcdef", min_size=4, max_size=64)
aliases = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="/:", min_codepoint=32), min_size=1, max_size=20)


@given(
    project=st.none() | project_names,
    name=artifact_names,
    end=st.one_of(st.just(""), aliases.map(":{}".format), prefixes.map("@{}".format)),
)
def test_what_a_reference_prints_is_typed_back_as_itself(project: str | None, name: str, end: str):
    text = f"{project}/{name}{end}" if project else f"{name}{end}"
    found = reference.parse_version(text)

    assert str(found) == text
    assert reference.parse_version(str(found)) == found


@given(st.text(max_size=60))
def test_any_other_text_is_refused_with_a_name_error(text: str):
    try:
        reference.parse_version(text)
        reference.parse_run(text)
    except InvalidNameError as error:
        assert error.message  # noqa: PT017


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("brisk-harbor-7", RunReference(None, "brisk-harbor-7")),
        ("run/brisk-harbor-7", RunReference(None, "brisk-harbor-7")),
        ("demo/a1b2c3d4", RunReference("demo", "a1b2c3d4")),
        ("team/demo/a1b2c3d4", RunReference("demo", "a1b2c3d4")),
        ("team/demo/runs/a1b2c3d4", RunReference("demo", "a1b2c3d4")),
        ("run/@1f9c2a", RunReference(None, "@1f9c2a")),
    ],
)
def test_a_run_is_typed_as(text: str, expected: RunReference):
    assert reference.parse_run(text) == expected


def test_the_first_digits_of_a_run_follow_an_at_sign():
    assert reference.parse_run("run/@1f9c").prefix == "1f9c"
    assert reference.parse_run("run/1f9c").prefix is None
    assert str(reference.parse_run("demo/1f9c")) == "run/1f9c"


@pytest.mark.parametrize("text", ["", "run/", "a//b", "a/b/c/d", "/a"])
def test_a_run_is_not_typed_as(text: str):
    with pytest.raises(InvalidNameError):
        reference.parse_run(text)


def test_only_the_word_run_says_outright_that_a_run_is_meant():
    assert reference.says_run("run/x")
    assert reference.says_run("team/demo/runs/x")
    assert not reference.says_run("demo/x")
    assert not reference.says_run("runs")
