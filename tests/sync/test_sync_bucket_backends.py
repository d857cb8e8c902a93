"""What a bucket promises as a backend: on Ceph's gateway (S3), on Azurite (Azure), and on a double of Google's XML API."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import azurite_server
import ceph_server
import gcs_double
import pytest
from clones import history, publish, read

from mlvc.backend import clouds
from mlvc.backend.interface import KeyMissingError
from mlvc.errors import RemoteError
from mlvc.workspace import exchanging
from mlvc.workspace.workspace import Workspace

REQUIRED = os.environ.get("MLVC_TEST_SERVERS") == "required"


@pytest.fixture(scope="module")
def s3(server):
    server.make_bucket("bucket")
    return "s3://bucket", {"endpoint": server.url}, {"AWS_ACCESS_KEY_ID": ceph_server.ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": ceph_server.SECRET_KEY}


@pytest.fixture(scope="module")
def az(tmp_path_factory):
    if azurite_server.is_missing() and not REQUIRED:
        pytest.skip("no Azurite here: npm install -g azurite")
    server = azurite_server.AzuriteServer(tmp_path_factory.mktemp("azurite"))
    server.make_container("bucket")
    yield "az://bucket", {"endpoint": server.url, "account": azurite_server.ACCOUNT}, {"AZURE_STORAGE_ACCOUNT_KEY": azurite_server.KEY}
    server.stop()


@pytest.fixture(scope="module")
def gs():
    server = gcs_double.GcsDouble()
    yield "gs://bucket", {}, {"GOOGLE_SERVICE_ACCOUNT_KEY": server.key}
    server.stop()


@pytest.fixture(
    params=[
        pytest.param("s3", marks=pytest.mark.xdist_group("s3 backend")),
        pytest.param("az", marks=pytest.mark.xdist_group("az backend")),
        pytest.param("gs", marks=pytest.mark.xdist_group("gs backend")),
    ]
)
def bucket(request, monkeypatch, tmp_path):
    """(URL of a fresh prefix, options, variables)."""
    url, options, environment = request.getfixturevalue(request.param)
    environment = {**environment, "HOME": str(tmp_path / "home"), "PATH": os.environ["PATH"], "MLVC_USER": "Ada <ada@example.org>"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return f"{url}/p{os.urandom(6).hex()}", options, environment


@pytest.fixture
def backend(bucket, monkeypatch):
    url, options, environment = bucket
    place = clouds.parse(url, options)
    if place.scheme == "gs":
        monkeypatch.setattr(clouds, "CLIENT_OPTIONS", {**clouds.CLIENT_OPTIONS, "allow_http": True})
    return clouds.open_place(place, environment)


def test_a_bucket_keeps_the_contract_of_backends(backend):
    assert backend.create("journal/a/1", b"one")
    assert not backend.create("journal/a/1", b"two")
    assert backend.read("journal/a/1") == b"one"
    backend.write("packs/data/x.pack", iter([b"a" * 10, b"b" * 10]))
    assert backend.read_range("packs/data/x.pack", 8, 4) == b"aabb"
    assert backend.read_range("packs/data/x.pack", 18, 100) == b"bb"
    assert backend.read_range("packs/data/x.pack", 50, 10) == b""
    assert backend.size("packs/data/x.pack") == 20
    assert dict(backend.keys("packs/")) == {"packs/data/x.pack": 20}
    assert (backend.folders("packs/"), backend.folders("journal/"), backend.folders("none/")) == (["data"], ["a"], [])
    assert backend.modified_s("journal/a/1") > 0
    backend.delete("journal/a/1")
    backend.delete("journal/a/1")
    assert (backend.size("journal/a/1"), backend.modified_s("journal/a/1")) == (None, None)
    for missing in (lambda: backend.read("none"), lambda: backend.read_range("none", 0, 1)):
        with pytest.raises(KeyMissingError):
            missing()


def test_a_large_upload_arrives_whole_or_not_at_all(backend):
    data = os.urandom(20 << 20)
    backend.write("big", (data[at : at + (1 << 20)] for at in range(0, len(data), 1 << 20)))
    assert backend.read("big") == data

    def breaking():
        yield data
        raise RemoteError("the source broke")

    with pytest.raises(RemoteError, match="the source broke"):
        backend.write("broken", breaking())
    assert backend.size("broken") is None


def test_of_many_creates_at_once_one_wins(backend):
    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(lambda number: backend.create("journal/a/1", b"%d" % number), range(16)))
    assert won.count(True) == 1
    assert backend.read("journal/a/1") == b"%d" % won.index(True)


def test_push_and_clone(bucket, backend, tmp_path):
    url, options, environment = bucket
    data = os.urandom(2 << 20)
    (tmp_path / "here").mkdir()
    here, _ = Workspace.create(tmp_path / "here", environment, project="p")
    exchanging.add_remote(here, "origin", url, options)
    publish(here, {"m.bin": data, "a/b.txt": b"text"})
    assert exchanging.push(here).transactions == 1
    there, _ = exchanging.clone(url, tmp_path / "there", environment, options)
    assert read(there, history(there)["v0"]) == {"m.bin": data, "a/b.txt": b"text"}
