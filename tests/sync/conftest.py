"""What tests about sync begin with: a folder as a remote, a workspace that pushed to it, and the S3 server of those about buckets."""

import os

import ceph_server
import moto_server
import pytest
from clones import connected

from mlvc.workspace import exchanging


@pytest.fixture
def remote(tmp_path):
    """Where a remote's folder is to be."""
    return tmp_path / "remote"


@pytest.fixture
def origin(tmp_path, remote):
    """A workspace whose one version was pushed to the remote."""
    made = connected(tmp_path / "origin", remote, {"w.bin": b"one"}, ["prod"])
    exchanging.push(made)
    return made


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One a module: Ceph's gateway, or moto where that is missing and nobody demands the real one."""
    if os.environ.get("MLVC_TEST_S3") == "moto" or (ceph_server.must_skip() and not moto_server.is_missing()):
        made = moto_server.MotoServer()
        yield made
        made.stop()
        return
    if ceph_server.must_skip():
        pytest.skip(ceph_server.HOW_TO_GET)
    made = ceph_server.CephServer(tmp_path_factory.mktemp("ceph")).start()
    yield made
    made.stop()
