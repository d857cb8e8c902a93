"""Artifacts of what lies elsewhere: local files, pages of a web server, other artifacts. Buckets are in tests/sync."""

import http.server
import threading
from pathlib import Path

import pytest

import mlvc as wandb
from mlvc.errors import Error


@pytest.fixture
def page():
    """A page on a web server: `content` is what it answers, with an etag unless `etag` is None."""

    class Page:
        content, etag, status = b"page", '"one"', 200

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(Page.status)
            if Page.etag:
                self.send_header("ETag", Page.etag)
            self.send_header("Content-Length", str(len(Page.content)))
            self.end_headers()
            self.wfile.write(Page.content)

        def log_message(self, *_):
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    Page.url = f"http://127.0.0.1:{server.server_address[1]}/data/rows.csv"
    yield Page
    server.shutdown()
    server.server_close()
    thread.join()


def logged(*uris, **more):
    artifact = wandb.Artifact("refs", "dataset")
    for uri in uris:
        artifact.add_reference(uri, **more)
    with wandb.init() as run:
        return run.log_artifact(artifact)


def test_a_local_file_is_known_by_its_content_and_copied_when_downloaded(folder, tmp_path):
    (tmp_path / "far.txt").write_text("far")
    artifact = logged((tmp_path / "far.txt").as_uri())
    entry = artifact.get_entry("far.txt")
    assert (entry.ref, entry.size, entry.ref_target()) == ((tmp_path / "far.txt").as_uri(), 3, entry.ref)
    assert Path(artifact.download(), "far.txt").read_text() == "far"
    assert (artifact.size, artifact.file_count) == (3, 1)


def test_a_local_folder_gives_an_entry_for_each_file(folder, tmp_path):
    (tmp_path / "d" / "sub").mkdir(parents=True)
    (tmp_path / "d" / "a").write_text("a")
    (tmp_path / "d" / "sub" / "b").write_text("b")
    assert sorted(logged((tmp_path / "d").as_uri()).manifest.entries) == ["a", "sub/b"]
    assert sorted(logged((tmp_path / "d").as_uri(), name="x").manifest.entries) == ["x/a", "x/sub/b"]
    with pytest.raises(Error, match="more than 1"):
        logged((tmp_path / "d").as_uri(), max_objects=1)


def test_a_changed_or_missing_file_is_refused_when_it_is_downloaded(folder, tmp_path):
    (tmp_path / "far.txt").write_text("far")
    artifact = logged((tmp_path / "far.txt").as_uri())
    (tmp_path / "far.txt").write_text("changed")
    with pytest.raises(ValueError, match="changed since"):
        artifact.download()
    (tmp_path / "far.txt").unlink()
    with pytest.raises(FileNotFoundError):
        artifact.download()
    assert list(Path(artifact.download(allow_missing_references=True)).iterdir()) == []


def test_without_checksum_a_new_version_needs_a_new_uri(folder, tmp_path):
    (tmp_path / "far.txt").write_text("far")
    first = logged((tmp_path / "far.txt").as_uri(), checksum=False)
    (tmp_path / "far.txt").write_text("other")
    assert logged((tmp_path / "far.txt").as_uri(), checksum=False).version == first.version
    assert Path(first.download(), "far.txt").read_text() == "other"


def test_uris_without_a_scheme_and_paths_that_are_not_there_are_value_errors(folder, tmp_path):
    artifact = wandb.Artifact("refs", "dataset")
    with pytest.raises(ValueError, match="References must be URIs"):
        artifact.add_reference("plain/path")
    with pytest.raises(ValueError, match="must be a valid file"):
        artifact.add_reference((tmp_path / "nowhere").as_uri())
    with pytest.raises(Error, match="name"):
        artifact.add_reference("ftp://host/file")
    assert artifact.add_reference("ftp://host/file", name="f")[0].digest == "ftp://host/file"


def test_a_page_is_known_by_its_etag(folder, page):
    artifact = logged(page.url)
    assert (artifact.get_entry("rows.csv").digest, artifact.get_entry("rows.csv").size) == ("one", 4)
    assert Path(artifact.download(), "rows.csv").read_bytes() == b"page"
    page.etag = '"two"'
    with pytest.raises(ValueError, match="Digest mismatch"):
        artifact.download(root="again")
    assert logged(page.url).version == "v1"
    page.status = 404
    with pytest.raises(FileNotFoundError):
        artifact.download(root="gone")


def test_a_page_without_an_etag_is_known_by_its_uri(folder, page):
    page.etag = None
    artifact = logged(page.url)
    assert artifact.get_entry("rows.csv").digest == page.url
    assert Path(artifact.download(), "rows.csv").read_bytes() == b"page"


def test_a_server_that_is_not_there_is_one_sentence(folder):
    with pytest.raises(wandb.CommError, match="cannot be read"):
        wandb.Artifact("refs", "dataset").add_reference("http://127.0.0.1:9/x")


def test_an_entry_of_another_artifact_is_shared_not_copied(folder):
    source = wandb.Artifact("source", "dataset")
    with source.new_file("rows.csv") as file:
        file.write("a,b\n")
    with wandb.init() as run:
        run.log_artifact(source)
        user = wandb.Artifact("user", "dataset")
        user.add_reference(source.get_entry("rows.csv"), name="copy.csv")
        user.add_reference(source.get_entry("rows.csv").ref_url())
        run.log_artifact(user)
    assert sorted(user.manifest.entries) == ["copy.csv", "rows.csv"]
    assert Path(user.download(), "copy.csv").read_text() == "a,b\n"


def test_a_reference_never_writes_through_a_link(folder, tmp_path):
    (tmp_path / "far.txt").write_text("far")
    artifact = logged((tmp_path / "far.txt").as_uri(), name="sub/far.txt")
    (folder / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (folder / "out" / "sub").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Error, match="link"):
        artifact.download(root="out")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_run_logs_a_uri_as_a_model_and_its_files_come_when_it_is_used(folder, tmp_path):
    (tmp_path / "m.pt").write_bytes(b"weights")
    with wandb.init() as run:
        run.log_model((tmp_path / "m.pt").as_uri(), name="m")
        assert Path(run.use_model("m")).read_bytes() == b"weights"
