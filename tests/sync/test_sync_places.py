"""What URLs mean, and what leaves the process with them: nothing secret."""

from __future__ import annotations

import os
import pickle

import pytest
from clones import ENVIRONMENT, connected, history, publish, workspace

from mlvc import atomic_file
from mlvc.atomic_file import FileLayer
from mlvc.backend import clouds
from mlvc.backend.memory import MemoryBackend
from mlvc.errors import UnsupportedError, UsageError
from mlvc.workspace import exchanging, places
from mlvc.workspace.configuration import RemoteSettings


def test_memory_is_a_remote_for_tests(tmp_path):
    here, there = workspace(tmp_path / "a"), workspace(tmp_path / "b")
    url = f"memory:{os.urandom(4).hex()}"
    exchanging.add_remote(here, "origin", url)
    publish(here, {"w": b"1"})
    exchanging.push(here)
    exchanging.add_remote(there, "origin", url)
    exchanging.pull(there)
    assert history(there) == history(here)
    assert isinstance(places.open_backend(RemoteSettings(url), ENVIRONMENT, tmp_path), MemoryBackend)


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("s3://bucket//team/", "s3://bucket/team"),
        ("ssh://ada@host:22/data", "ssh://ada@host:22/data"),
        ("file:///mnt/nas/x", "/mnt/nas/x"),
        ("/mnt/nas/../x", "/mnt/x"),
        ("memory:x", "memory:x"),
    ],
)
def test_urls_have_one_spelling(url, normal):
    assert places.normal(url).url == normal


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("s3://key:secret@bucket/x", UsageError),
        ("az://key@container/x", UsageError),
        ("s3://bucket/../other", UsageError),
        ("ftp://host/x", UnsupportedError),
        ("hg+ssh://host/x", UnsupportedError),
        ("ext::sh -c id", UnsupportedError),
    ],
)
def test_urls_that_hold_secrets_or_mean_nothing_are_refused(url, error):
    with pytest.raises(error) as raised:
        places.normal(url)
    assert "secret" not in str(raised.value)


def test_credentials_leave_the_process_in_no_pickle(tmp_path):
    here = workspace(tmp_path / "a")
    environment = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "hidden"}
    bucket = clouds.open_place(clouds.parse("s3://bucket/x", {"endpoint": "http://127.0.0.1:9"}), environment)
    for one in (bucket, here):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(one)


class WithoutLinks(FileLayer):
    """A file system such as FAT: it has no hard links."""

    def link(self, source, target):
        raise PermissionError(1, "Operation not permitted")


def test_a_file_system_without_hard_links_is_only_a_carrier(tmp_path):
    here = connected(tmp_path / "here", tmp_path / "hub", {"w": b"1"})
    exchanging.push(here)
    publish(here, {"w": b"2"})
    with atomic_file.using_layer(WithoutLinks()):
        added = exchanging.add_remote(here, "stick", str(tmp_path / "stick"))
    assert "can only be a carrier" in added.says
    assert here.settings.remotes["stick"].is_carrier


def test_a_stick_without_hard_links_carries_there_and_back(tmp_path):
    """Files of the stick alone are written without links; those of the repositories have them."""

    class StickWithoutLinks(WithoutLinks):
        def link(self, source, target):
            if "/stick/" in target:
                raise PermissionError(1, "Operation not permitted")
            FileLayer.link(self, source, target)

    here = connected(tmp_path / "here", tmp_path / "hub", {"w": b"1"})
    exchanging.push(here)
    with atomic_file.using_layer(StickWithoutLinks()):
        exchanging.add_remote(here, "stick", str(tmp_path / "stick"))
        publish(here, {"w": b"2"})
        exchanging.push(here, "stick")
        there = exchanging.clone(str(tmp_path / "stick"), tmp_path / "there", ENVIRONMENT, {"carrier": "true"})[0]
        assert list(history(there)) == ["v0", "v1~"]
        publish(there, {"w": b"3"})
        assert exchanging.push(there).left == 2
        assert exchanging.pull(here, "stick").carried == 1
    exchanging.push(here)
    assert list(history(here)) == ["v0", "v1", "v2"]


def test_what_a_killed_push_had_sent_is_not_sent_again(tmp_path):
    """Also where many small packs went as one: what arrived is remembered before anything is appended."""
    from clones import faulty_remote

    from mlvc.errors import RemoteError
    from mlvc.sync import pushing

    here = connected(tmp_path / "here", tmp_path / "hub", {"w": b"0"})
    exchanging.push(here)
    for number in range(1, 8):
        publish(here, {"w": b"%d" % number * 1000})
    store = tmp_path / "hub"
    counted, backend = faulty_remote(here, store, None)

    def dying(key, data):
        if key.startswith("journal/"):
            raise RemoteError("the line went dead")
        return True

    backend.create = dying
    with pytest.raises(RemoteError):
        pushing.push(here.repository, counted)
    counted.close()
    before = sorted((store / "packs").glob("*/*"))
    pushed = exchanging.push(here)
    assert (pushed.transactions, pushed.packs) == (7, 0)
    assert sorted((store / "packs").glob("*/*")) == before
