"""The real S3 server of the tests about buckets, one a module."""

import ceph_server
import pytest


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    if ceph_server.must_skip():
        pytest.skip(ceph_server.HOW_TO_GET)
    made = ceph_server.CephServer(tmp_path_factory.mktemp("ceph")).start()
    yield made
    made.stop()
