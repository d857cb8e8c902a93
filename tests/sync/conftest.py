"""The S3 server of the tests about buckets, one a module: Ceph's, or moto's where that is missing and nobody demands the real one."""

import os

import ceph_server
import moto_server
import pytest


@pytest.fixture(scope="module")
def server(tmp_path_factory):
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
