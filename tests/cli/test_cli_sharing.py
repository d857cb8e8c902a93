"""Push, pull, clone from the command line."""

from pathlib import Path

import pytest


def shared(repository, tmp_path) -> Path:
    """Pushes to a folder and clones that as `copy`, outside of the workspace; returns the workspace's folder."""
    work = repository.folder
    repository("remote", "add", "origin", str(tmp_path / "remote"))
    repository("push")
    repository.go(tmp_path)
    repository("clone", str(tmp_path / "remote"), "copy")
    return work


def test_a_clone_has_names_and_history_and_fetches_data_when_it_is_wanted(repository, tmp_path):
    remote = tmp_path / "remote"
    assert "upstream" in repository("remote", "add", "origin", str(remote)).out
    assert "would send" in repository("push", "--dry-run").out
    repository("push")
    assert "nothing to push" in repository("push").out
    repository.go(tmp_path)
    repository("clone", str(remote), "copy")
    repository.go(tmp_path / "copy")
    assert repository.json("show", "m:best")["version"] == "v0"
    assert not list(Path(".").rglob("packs/data/*.pack"))
    repository("get", "m:v0")
    assert Path("artifacts/m:v0/m.h5").read_bytes() == b"one" * 1000


def test_numbers_are_provisional_until_pushed_and_renumbering_is_said(repository, tmp_path):
    work = shared(repository, tmp_path)
    repository.go(tmp_path / "copy")
    repository.write("m.h5", b"theirs")
    assert repository("add", "m.h5").out.startswith("m:v2~ @")
    repository.go(work)
    repository.write("models/m.h5", b"ours")
    repository("add", "models/m.h5")
    repository("push")
    repository.go(tmp_path / "copy")
    assert "1 change not pushed" in repository("status").out
    assert "m:v2~ is now v3" in repository("push").out
    repository.go(work)
    repository("pull")
    assert [v["version"] for v in repository.json("ls", "m")] == ["v0", "v1", "v2", "v3"]


def test_aliases_moved_apart_are_a_conflict_until_someone_decides(repository, tmp_path):
    work = shared(repository, tmp_path)
    repository.go(tmp_path / "copy")
    repository("alias", "set", "m:v1", "best")
    repository.go(work)
    repository("alias", "rm", "m:best")
    repository("push")
    repository.go(tmp_path / "copy")
    repository("push")
    assert "conflict:" in repository("status").out
    repository("alias", "set", "m:v1", "best")
    assert "conflict:" not in repository("status").out


def test_a_git_clone_restores_what_the_lock_pins(repository, tmp_path):
    remote = tmp_path / "remote"
    repository("remote", "add", "origin", str(remote))
    repository("push")
    repository.git("add", ".")
    repository.git("commit", "-qm", "x")
    repository.git("clone", "-q", ".", str(tmp_path / "theirs"))
    repository.go(tmp_path / "theirs")
    repository("pull")
    repository("checkout")
    assert (repository.folder / "models/m.h5").read_bytes() == b"two" * 2000


def test_a_remote_that_is_not_there_is_exit_5(repository, tmp_path):
    remote = tmp_path / "remote"
    repository("remote", "add", "origin", str(remote))
    said = repository("pull", code=5)
    assert "no mlvc store" in said.err


def test_a_remote_of_an_unknown_kind_is_refused_with_a_reason(repository):
    assert "ssh://" in repository("remote", "add", "origin", "rsync://host/x", code=2).err


def test_pull_with_data_brings_it_ahead_of_a_flight(repository, tmp_path):
    remote = tmp_path / "remote"
    repository("remote", "add", "origin", str(remote))
    repository("push")
    repository.go(tmp_path)
    repository("clone", str(remote), "copy")
    repository.go(tmp_path / "copy")
    repository("pull", "--data", "m:v0")
    remote.rename(tmp_path / "unplugged")
    repository("get", "m:v0")
    assert Path("artifacts/m:v0/m.h5").read_bytes() == b"one" * 1000
    assert "one remote at a time" in repository("pull", "a", "b", code=2).err


@pytest.mark.parametrize(("side", "means"), [("--ours", "v1"), ("--theirs", "v0")])
def test_a_conflict_is_decided_for_one_side_or_the_other(repository, tmp_path, monkeypatch, side, means):
    work = shared(repository, tmp_path)
    repository.go(work)
    monkeypatch.setenv("MLVC_USER", "Bob <bob@example.org>")
    repository("alias", "set", "m:v0", "best")
    repository("push")
    repository.go(tmp_path / "copy")
    monkeypatch.setenv("MLVC_USER", "Ada <ada@example.org>")
    repository("alias", "set", "m:v1", "best")
    said = repository("push").out
    assert "conflict:" in said
    assert "Bob <bob@example.org>" in said
    assert "--ours" in said
    assert "--ours" in repository("status").out
    repository("alias", "set", "m:best", side, "extra", code=2)
    repository("alias", "set", "m:best", side)
    assert "conflict:" not in repository("status").out
    assert repository.json("show", "m:best")["version"] == means
    assert "not in conflict" in repository("alias", "set", "m:best", side, code=2).err


def test_status_says_what_is_not_here(repository, tmp_path):
    remote = tmp_path / "remote"
    repository("remote", "add", "origin", str(remote))
    repository("push")
    assert "not here:" not in repository("status").out
    toml, lock = ((repository.folder / name).read_text() for name in ("mlvc.toml", "mlvc.lock"))
    repository.go(tmp_path)
    repository("clone", str(remote), "copy")
    repository.go(tmp_path / "copy")
    (tmp_path / "copy/mlvc.lock").write_text(lock)
    assert toml
    said = repository("status").out
    assert "not here:" in said and "mlvc fetch" in said
    assert repository.json("status")["not_here"][0]["files"] == 1
    repository("fetch")
    assert "not here:" not in repository("status").out


def test_a_version_revived_after_a_sweep_is_shown_as_gone_until_it_is_added_again(repository, tmp_path):
    repository("remote", "add", "origin", str(tmp_path / "remote"))
    repository("push")
    assert repository.json("show", "m:v0")["is_gone"] is False
    repository("delete", "m:v0", "--force")
    repository("push")
    assert repository.json("gc", "--remote", "origin", "--grace", "0")["packs"] > 0
    repository("undo", "--force")
    assert "gone" in repository("show", "m:v0").out
    assert repository.json("show", "m:v0")["is_gone"] is True
