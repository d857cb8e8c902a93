"""Names: what may be one, and which stored name a typed one means (docs/format/names.md)."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlvc.errors import InvalidNameError, UsageError
from mlvc.format import names
from mlvc.runs import made_up_names

GOOD_ARTIFACT_NAMES = ["mnist", "MNIST", "a", "_private", "0", "digits-model.v2_final", "a.b", "a" * 128]
BAD_ARTIFACT_NAMES = ["", ".", "..", ".hidden", "-flag", "a..b", "a/b", "a b", "a:b", "a@b", "ä", "a\n", "a\x00", "a" * 129]


@pytest.mark.parametrize("name", GOOD_ARTIFACT_NAMES)
def test_an_artifact_may_be_called(name: str):
    assert names.check_artifact_name(name) == name


@pytest.mark.parametrize("name", BAD_ARTIFACT_NAMES)
def test_an_artifact_may_not_be_called(name: str):
    with pytest.raises(InvalidNameError):
        names.check_artifact_name(name)


def test_a_bad_name_is_a_usage_error_and_a_value_error():
    """W&B scripts catch ValueError."""
    with pytest.raises(ValueError, match="alphanumeric") as caught:
        names.check_artifact_name("a b")

    assert isinstance(caught.value, UsageError)
    assert caught.value.exit_code == 2


@given(st.text(max_size=300))
def test_any_text_becomes_a_valid_artifact_name(text: str):
    made = names.artifact_name_from(text)

    assert names.check_artifact_name(made) == made


@given(st.text(alphabet=string.ascii_letters + string.digits + "_", min_size=1, max_size=128))
def test_a_text_that_is_a_plain_name_already_stays(text: str):
    assert names.artifact_name_from(text) == text


@given(st.text(max_size=300))
def test_any_text_becomes_a_valid_project_name(text: str):
    made = names.project_name_from(text)

    assert names.check_project(made) == made


@pytest.mark.parametrize("name", ["demo", "my project", "2026", "a.b", "Größe", "x" * 128])
def test_a_project_may_be_called(name: str):
    assert names.check_project(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "a/b", "a\\b", "a#b", "a?b", "50%", "a:b", "a\nb", "a\rb", "x" * 129, " a", "a ", ".", "..", "run", "registry"]
    + ["model-registry", "wandb-registry-models", "wandb-registry-", "a\x1b[2J", "a\x7f", "a\x9b", "a\udc80"],
)
def test_a_project_may_not_be_called(name: str):
    with pytest.raises(InvalidNameError):
        names.check_project(name)


@pytest.mark.parametrize("alias", ["production", "best so far", "v", "vx", "v1.0", "1", "latest", "étape", "V3", "v-1"])
def test_an_alias_may_be(alias: str):
    assert names.check_alias(alias) == alias


@pytest.mark.parametrize("alias", ["", "a/b", "a:b", "v3", "v0", "v3~", " a", "a ", "a\nb", "a\tb", "a\x1b[2J", "\udc80", "x" * 129])
def test_an_alias_may_not_be(alias: str):
    with pytest.raises(InvalidNameError):
        names.check_alias(alias)


@pytest.mark.parametrize(("text", "number"), [("v0", 0), ("v3", 3), ("v12~", 12), ("v3 ", None), ("3", None), ("V3", None), ("v٣", None)])
def test_a_version_label_is_v_and_a_number(text: str, number: int | None):
    assert names.parse_version_label(text) == number


@pytest.mark.parametrize("digits", [19, 30, 5000])
def test_a_number_that_no_collection_can_reach_is_no_version_label(digits: int):
    assert names.parse_version_label("v" + "9" * digits) is None


@given(st.text(max_size=20))
def test_no_text_is_both_an_alias_and_a_version_number(text: str):
    """Else `name:text` would have two meanings."""
    try:
        names.check_alias(text)
    except InvalidNameError:
        return
    assert names.parse_version_label(text) is None


@pytest.mark.parametrize("tag", ["a", "a-b", "a_b", "a b", "Größe 2"])
def test_a_tag_may_be(tag: str):
    assert names.check_tag(tag) == tag


@pytest.mark.parametrize("tag", ["", " a", "a ", "a.b", "a/b", "a,b", "a\n"])
def test_a_tag_may_not_be(tag: str):
    with pytest.raises(InvalidNameError):
        names.check_tag(tag)


@pytest.mark.parametrize("label", ["brisk-harbor-7", "a1b2c3d4", "run 1", "ü"])
def test_a_run_may_be_labelled(label: str):
    assert names.check_run_label(label) == label


@pytest.mark.parametrize("label", ["", "a/b", "a\\b", "a#b", "a?b", "a%b", "a:b", "a\nb", " a", "a\x1b", "\udc80", "x" * 129])
def test_a_run_may_not_be_labelled(label: str):
    with pytest.raises(InvalidNameError):
        names.check_run_label(label)


@pytest.mark.parametrize(
    ("type_name", "artifact"),
    [("wandb-history", "x"), ("job", "x"), ("run_table", "run-1-table"), ("code", "source-demo"), ("", "x"), ("a\nb", "x"), ("\udc80", "x")],
)
def test_types_that_runs_log_by_themselves_are_reserved(type_name: str, artifact: str):
    with pytest.raises(InvalidNameError):
        names.check_type(type_name, artifact)


@pytest.mark.parametrize(("type_name", "artifact"), [("dataset", "x"), ("code", "x"), ("run_table", "x"), ("Jobs", "x")])
def test_other_types_are_free(type_name: str, artifact: str):
    assert names.check_type(type_name, artifact) == type_name


@pytest.mark.parametrize(
    ("project", "name", "stored"),
    [
        ("demo", "digits", "demo/digits"),
        ("registry", "digits", "registry:model/digits"),
        ("model-registry", "digits", "registry:model/digits"),
        ("wandb-registry-prod", "digits", "registry:prod/digits"),
    ],
)
def test_a_typed_project_and_name_mean_a_stored_collection(project: str, name: str, stored: str):
    assert names.stored_collection(project, name) == stored
    assert names.is_registry(stored) == (project != "demo")
    assert names.split_collection(stored)[1] == name


@pytest.mark.parametrize("project", ["wandb-registry-", "wandb-registry-a/b", "wandb-registry-a:b", "run", ""])
def test_no_collection_is_stored_under_a_project_that_cannot_be(project: str):
    with pytest.raises(InvalidNameError):
        names.stored_collection(project, "digits")


project_names = st.text(max_size=30).map(names.project_name_from)
artifact_names = st.text(max_size=30).map(names.artifact_name_from)


@given(st.one_of(project_names, st.sampled_from(["registry", "wandb-registry-prod"])), artifact_names)
def test_what_is_displayed_means_the_collection_it_was_displayed_for(project: str, name: str):
    stored = names.stored_collection(project, name)
    shown_project, _, shown_name = names.display_collection(stored).rpartition("/")

    assert names.stored_collection(shown_project, shown_name) == stored


def test_a_collection_of_the_current_project_is_displayed_by_its_name_alone():
    assert names.display_collection("demo/digits", "demo") == "digits"
    assert names.display_collection("other/digits", "demo") == "other/digits"
    assert names.display_collection("registry:model/digits", "demo") == "registry/digits"


def test_fresh_run_labels_are_eight_characters_as_in_wandb():
    label = made_up_names.new_run_label()

    assert len(label) == 8
    assert set(label) <= set(string.ascii_lowercase + string.digits)
    assert made_up_names.new_run_label() != label


def test_fresh_run_names_read_like_brisk_harbor_7():
    adjective, noun, number = made_up_names.new_run_name(7).split("-")

    assert adjective.isalpha()
    assert noun.isalpha()
    assert number == "7"
    names.check_run_label(f"{adjective}-{noun}-{number}")
