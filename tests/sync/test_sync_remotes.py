"""Naming remotes: what is tried out, what is said, and what is refused."""

from __future__ import annotations

import pytest
from clones import connected, publish, reopened, workspace

from mlvc.errors import InvalidNameError, NotFoundError, UnsupportedError, UsageError
from mlvc.workspace import exchanging


def test_adding_a_remote_says_what_is_there(tmp_path, origin, remote, monkeypatch):
    here = workspace(tmp_path / "a")
    monkeypatch.chdir(tmp_path)
    added = exchanging.add_remote(here, "origin", "fresh")
    assert (added.url, added.is_upstream) == (str(tmp_path / "fresh"), True) and added.says.startswith("empty")
    added = exchanging.add_remote(here, "team", str(remote))
    assert not added.is_upstream and "holds 3 journal entries" in added.says and "pull" in added.says
    publish(here, {"x": b"x"})
    here = reopened(here)
    exchanging.remove_remote(here, "team")
    exchanging.add_remote(origin, "self", str(remote))
    assert [r.name for r in exchanging.remotes(here)] == ["origin"]
    assert "another history" in exchanging.add_remote(workspace_with_history(tmp_path), "team", str(remote)).says
    assert list(remote.rglob(".tmp-*")) == [], "the probe leaves nothing"


def workspace_with_history(tmp_path):
    made = workspace(tmp_path / "own")
    publish(made, {"x": b"x"})
    return made


@pytest.mark.parametrize(
    ("name", "url", "error", "words"),
    [
        ("a.b", "/x", InvalidNameError, "name"),
        ("", "/x", InvalidNameError, "name"),
        ("origin", "s3://key:secret@bucket/x", UsageError, "password"),
        ("origin", "ssh://user:secret@host/x", UsageError, "password"),
        ("origin", "ftp://host/x", UnsupportedError, "ftp"),
        ("origin", "s3://bucket/x?versionId=1", UsageError, "more than a bucket"),
        ("origin", "s3:///x", UsageError, "no bucket"),
        ("origin", "gopher://x", UnsupportedError, "gopher"),
    ],
)
def test_remotes_that_cannot_be_are_refused(tmp_path, name, url, error, words):
    here = workspace(tmp_path / "a")
    with pytest.raises(error, match=words) as raised:
        exchanging.add_remote(here, name, url)
    assert "secret" not in str(raised.value)
    assert exchanging.remotes(here) == []


def test_a_folder_that_is_for_something_else_is_refused(tmp_path, remote):
    here = connected(tmp_path / "a", remote)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.png").write_bytes(b"cat")
    (tmp_path / "file").write_bytes(b"")
    for url, words in [("photos", "cat.png"), ("file", "is a file"), ("a", "itself")]:
        with pytest.raises(UsageError, match=words):
            exchanging.add_remote(here, "other", str(tmp_path / url))
    with pytest.raises(UsageError, match="already"):
        exchanging.add_remote(here, "origin", str(tmp_path / "new"))


def test_forgetting_the_upstream_makes_the_next_one_it(tmp_path, remote):
    here = connected(tmp_path / "a", remote)
    exchanging.add_remote(here, "second", str(tmp_path / "second"))
    exchanging.remove_remote(here, "origin")
    assert [(r.name, r.is_upstream) for r in exchanging.remotes(here)] == [("second", True)]
    with pytest.raises(NotFoundError, match="no remote 'origin'"):
        exchanging.remove_remote(here, "origin")
    exchanging.remove_remote(here, "second")
    with pytest.raises(NotFoundError, match="has no remote") as raised:
        exchanging.push(here)
    assert "remote add" in raised.value.hint
