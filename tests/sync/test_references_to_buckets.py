"""Artifacts whose files stay in a bucket: expanded, checked and fetched with the bucket's own etags."""

import uuid
from pathlib import Path

import ceph_server
import pytest

import mlvc as wandb
from mlvc.api import beginning

pytestmark = pytest.mark.xdist_group("ceph")


@pytest.fixture
def bucket(server, tmp_path, monkeypatch):
    """A bucket of the server with three objects, and a repository as the current folder."""
    import obstore
    from obstore.store import S3Store

    name = f"refs-{uuid.uuid4().hex[:12]}"
    server.make_bucket(name)
    more = {"AWS_S3_ENDPOINT_URL": server.url, "GIT_CEILING_DIRECTORIES": str(tmp_path)}
    for variable, value in {**ceph_server.variables(tmp_path / "home"), **more}.items():
        monkeypatch.setenv(variable, value)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    store = S3Store(
        name,
        endpoint=server.url,
        region="us-east-1",
        access_key_id=ceph_server.ACCESS_KEY,
        secret_access_key=ceph_server.SECRET_KEY,
        client_options={"allow_http": True},
    )
    for key in ("data/a.csv", "data/deep/b.csv", "other.txt"):
        obstore.put(store, key, key.encode())
    obstore.put(store, "data/empty", b"")
    yield name, store
    if beginning.current() is not None:
        wandb.finish()


def logged(uri, **more):
    artifact = wandb.Artifact("refs", "dataset")
    artifact.add_reference(uri, **more)
    with wandb.init() as run:
        return run.log_artifact(artifact)


def test_a_prefix_stands_for_every_object_below_it_that_is_not_empty(bucket):
    name, _ = bucket
    artifact = logged(f"s3://{name}/data")
    assert sorted(artifact.manifest.entries) == ["a.csv", "deep/b.csv"]
    assert artifact.get_entry("a.csv").ref == f"s3://{name}/data/a.csv"
    folder = Path(artifact.download())
    assert (folder / "deep" / "b.csv").read_text() == "data/deep/b.csv"


def test_an_object_is_known_by_its_etag_and_refused_once_it_is_another_one(bucket):
    import obstore

    name, store = bucket
    artifact = logged(f"s3://{name}/other.txt")
    assert artifact.get_entry("other.txt").extra["etag"] == artifact.get_entry("other.txt").digest
    obstore.put(store, "other.txt", b"changed")
    with pytest.raises(ValueError, match="Digest mismatch"):
        artifact.download()
    assert logged(f"s3://{name}/other.txt").version == "v1"
    obstore.delete(store, "other.txt")
    with pytest.raises(FileNotFoundError):
        artifact.download()
    assert list(Path(artifact.download(allow_missing_references=True)).iterdir()) == []


def test_what_is_not_there_is_said_when_it_is_added(bucket):
    name, _ = bucket
    with pytest.raises(wandb.CommError, match="nothing at"):
        wandb.Artifact("refs", "dataset").add_reference(f"s3://{name}/nowhere")
    with pytest.raises(wandb.Error, match="more than 1"):
        wandb.Artifact("refs", "dataset").add_reference(f"s3://{name}/data", max_objects=1)


def test_without_checksum_nobody_is_asked(bucket, monkeypatch):
    monkeypatch.setenv("AWS_S3_ENDPOINT_URL", "http://127.0.0.1:9")
    assert logged("s3://nobody/knows/this.bin", checksum=False).get_entry("this.bin").digest == "s3://nobody/knows/this.bin"


def test_a_model_in_a_bucket_is_logged_and_used_by_its_uri(bucket):
    name, _ = bucket
    with wandb.init() as run:
        run.log_model(f"s3://{name}/other.txt", name="m")
        assert Path(run.use_model("m")).read_text() == "other.txt"
