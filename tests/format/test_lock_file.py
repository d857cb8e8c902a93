"""The text of `mlvc.lock` (docs/format/lock-file.md)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlvc.errors import ConflictError, DamageError
from mlvc.working_tree import lock_file
from mlvc.working_tree.lock_file import WHOLE, Pin

paths = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30)
collections = st.sampled_from(["demo/digits", "registry:model/digits"])
pins = st.builds(Pin, paths, st.binary(min_size=32, max_size=32), collections, st.just(WHOLE) | paths)
locks = st.lists(pins, max_size=6).map(lambda found: {pin.path: pin for pin in found})


@given(locks)
def test_what_is_written_reads_back_as_itself(found: lock_file.Pins):
    assert lock_file.parse(lock_file.render(found), "it") == found


@given(locks)
def test_one_line_a_path_sorted_by_bytes(found: lock_file.Pins):
    """So that Git merges two people's pins as it merges code."""
    lines = lock_file.render(found).split("\n")[1:-1]

    assert len(lines) == len(found)
    assert [lock_file.parse(line, "it").popitem()[0] for line in lines] == sorted(found, key=str.encode)


@given(locks, st.randoms())
def test_the_order_of_pinning_does_not_show(found: lock_file.Pins, random):
    items = list(found.items())
    random.shuffle(items)

    assert lock_file.render(dict(items)) == lock_file.render(found)


@settings(max_examples=20)
@given(locks)
def test_reading_from_the_disk_gives_the_same(tmp_path_factory, found: lock_file.Pins):
    root = tmp_path_factory.getbasetemp()

    lock_file.write(root, found)

    assert lock_file.read(root) == found


def test_a_missing_file_pins_nothing(tmp_path):
    assert lock_file.read(tmp_path) == {}


def test_a_pin_looks_like_this():
    pin = Pin("models/m.h5", b"\xab" * 32, "demo/m", "m.h5")

    assert lock_file.render({pin.path: pin}).split("\n")[1] == f"models/m.h5\t{'ab' * 32}\tdemo/m\tm.h5"


@pytest.mark.parametrize("path", ["#x", "\\#x", "a\tb", "a\\tb", "a\nb", "a\r", "\\", "\u2028", "a\x85b", "a\x1cb", " "])
def test_odd_paths_are_kept(path: str):
    pin = Pin(path, bytes(32), "demo/x", path)

    assert lock_file.parse(lock_file.render({path: pin}), "it") == {path: pin}


@pytest.mark.parametrize("marker", ["<<<<<<< HEAD", "=======", ">>>>>>> theirs"])
def test_merge_markers_are_named_with_their_line(marker: str):
    with pytest.raises(ConflictError, match="line 2"):
        lock_file.parse(f"# mlvc.lock 1\n{marker}\n", "mlvc.lock")


@pytest.mark.parametrize(
    "line", ["x", "a\tb", "a\tzz\tdemo/x\t.", f"a\t{'ab' * 31}\tdemo/x\t.", f"a\t{'ab' * 32}\tdemo/x", f"a\t{'ab' * 32}\tdemo/x\t.\t."]
)
def test_a_line_that_cannot_be_understood_is_named(line: str):
    with pytest.raises(DamageError, match="line 2 of mlvc.lock"):
        lock_file.parse(f"# mlvc.lock 1\n{line}\n", "mlvc.lock")


def test_a_file_that_git_gave_other_line_ends_reads_the_same(tmp_path):
    pin = Pin("a", bytes(32), "demo/x", WHOLE)
    text = lock_file.render({"a": pin}).replace("\n", "\r\n")
    (tmp_path / lock_file.FILE_NAME).write_bytes(text.encode())

    assert lock_file.read(tmp_path) == {"a": pin}
