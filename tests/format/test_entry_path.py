"""Paths in artifacts: nothing that could be written outside, or into Git's or mlvc's own folders."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlvc.errors import InvalidNameError
from mlvc.format import entry_path
from mlvc.format.ids import EMPTY_FILE
from mlvc.format.manifest import FileEntry, build

GOOD = [
    "a",
    "data/train/0.png",
    "with space.txt",
    "ünïcode/ß.txt",
    "日本/語",
    "...",
    "a..b",
    ".gitignore",
    ".github/workflows/x.yml",
    ".gitattributes",
    "git",
    "git~",
    "mlvc~x",
    "x.git",
    "dot.",
    "ab:c",
    "a\nb",
    "-rf",
    "~",
    "COM1",
    "x" * 255,
]

BAD = {
    "empty": "",
    "a dot": ".",
    "absolute": "/etc/passwd",
    "a drive": "C:/x",
    "a drive without a slash": "c:x",
    "absolute on Windows": "\\\\server\\share",
    "climbing out": "../x",
    "climbing out later": "a/../../x",
    "climbing out at the end": "a/..",
    "climbing out with backslashes": "a\\..\\..\\x",
    "an empty part": "a//b",
    "a dot as a part": "a/./b",
    "a slash at the end": "a/",
    "a NUL": "a\0b",
    "a lone surrogate": "a\udc80",
    "not NFC": unicodedata.normalize("NFD", "ü"),
    "a long part": "x" * 256,
    "a long part of wide characters": "ü" * 128,
    "a long path": "/".join(["x" * 200] * 21),
}

GIT_FOLDER_IN_DISGUISE = [
    ".git",
    ".GIT",
    ".Git",
    ".gIt/hooks/post-checkout",
    "a/.git/config",
    ".git.",
    ".git ",
    ".git . .",
    ".git::$INDEX_ALLOCATION",
    ".git:stream",
    "git~1",
    "GIT~1",
    "git~2/hooks/x",
    ".g\u200cit",
    ".\u200dgit",
    ".gi\ufefft",
    ".git\u202e",
    ".g\u206fit",
    "a\\.git\\hooks\\x",
    ".git\\hooks",
    ".\uff27\uff29\uff34",
    ".mlvc",
    ".MLVC/store",
    "x/.mlvc.",
    ".ml\u200bvc".replace("\u200b", "\u200c"),
    "mlvc~1",
]


@pytest.mark.parametrize("path", GOOD)
def test_a_path_may_be(path: str):
    assert entry_path.check(path) == path


@pytest.mark.parametrize("path", BAD.values(), ids=BAD.keys())
def test_a_path_may_not_be(path: str):
    with pytest.raises(InvalidNameError) as caught:
        entry_path.check(path)

    assert caught.value.hint


@pytest.mark.parametrize("path", GIT_FOLDER_IN_DISGUISE, ids=ascii)
def test_no_path_leads_into_a_guarded_folder_on_any_system(path: str):
    """A checked-out `.git/hooks/x` would run code."""
    with pytest.raises(InvalidNameError, match="folder"):
        entry_path.check(path)


@pytest.mark.parametrize("path", [*BAD.values(), *GIT_FOLDER_IN_DISGUISE], ids=ascii)
def test_no_manifest_can_be_built_with_such_a_path(path: str):
    with pytest.raises((InvalidNameError, UnicodeEncodeError)):
        build([FileEntry(path, 0, EMPTY_FILE)])


@given(st.text(max_size=60))
def test_a_path_that_passes_stays_inside_on_every_system(path: str):
    try:
        entry_path.check(path)
    except InvalidNameError:
        return
    parts = path.replace("\\", "/").split("/")
    assert ".." not in parts
    assert not path.startswith(("/", "\\"))
    assert path.encode().decode() == path
    assert unicodedata.normalize("NFC", path) == path
    assert not {part.rstrip(". ").casefold() for part in parts} & {".git", ".mlvc"}


@given(st.text(max_size=40), st.sampled_from([".git", ".mlvc"]), st.data())
def test_letter_case_and_ignored_characters_never_hide_a_guarded_folder(before: str, name: str, data: st.DataObject):
    disguised = "".join(
        data.draw(st.sampled_from([c.lower(), c.upper()])) + data.draw(st.sampled_from(["", "", "\u200c", "\ufeff", "\u202a"]))
        for c in name
    )
    trailing = data.draw(st.text(alphabet=". ", max_size=3))

    assert entry_path.is_guarded(disguised + trailing)


@given(st.text(max_size=40))
def test_normalising_is_idempotent(path: str):
    once = entry_path.normalise(path)

    assert entry_path.normalise(once) == once


@pytest.mark.parametrize(("one", "other"), [("README", "readme"), ("Straße", "STRASSE"), ("É", "é"), ("ﬁle", "FILE")])
def test_paths_that_differ_in_letter_case_alone_collide(one: str, other: str):
    assert entry_path.fold_case(one) == entry_path.fold_case(other)


def test_paths_that_differ_otherwise_do_not_collide():
    assert entry_path.fold_case("a/b") != entry_path.fold_case("a/c")
