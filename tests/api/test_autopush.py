"""Pushing when a run ends: in a process apart, waited for as long as asked, and never a reason for a run to fail."""

import pytest

import mlvc
import mlvc as wandb
from mlvc.workspace import exchanging
from mlvc.workspace.workspace import Workspace


@pytest.fixture
def remote(folder, tmp_path, monkeypatch):
    """A repository with a folder as its upstream, and runs that push there; waited for, so that tests can look."""
    mlvc.init().finish()
    with_remote = Workspace.find(folder)
    exchanging.add_remote(with_remote, "origin", str(tmp_path / "remote"))
    with_remote.close()
    monkeypatch.setenv("MLVC_AUTOPUSH", "1")
    monkeypatch.setenv("MLVC_AUTOPUSH_WAIT", "60")
    return tmp_path / "remote"


def log_one(folder):
    (folder / "m.bin").write_bytes(b"weights")
    with wandb.init() as run:
        run.log_model(str(folder / "m.bin"), name="model")


def test_a_run_that_ends_pushes(folder, remote, tmp_path):
    log_one(folder)
    there, _ = exchanging.clone(str(remote), tmp_path / "there")
    assert [m.label for m in there.repository.view().members("work/model")] == ["v0"]


def test_a_remote_that_is_gone_costs_a_line(folder, remote, capsys):
    (folder / "mlvc.toml").write_text((folder / "mlvc.toml").read_text().replace(str(remote), "/nowhere/remote"))
    log_one(folder)
    assert "the push failed" in capsys.readouterr().err
    assert mlvc.Api().artifact("model:v0").version == "v0"


def test_nobody_waits_unless_asked_to(folder, remote, monkeypatch, capsys):
    monkeypatch.delenv("MLVC_AUTOPUSH_WAIT")
    log_one(folder)
    assert "in the background" in capsys.readouterr().err


def test_a_wait_that_is_no_number_is_said_and_harms_nothing(folder, remote, monkeypatch, capsys):
    monkeypatch.setenv("MLVC_AUTOPUSH_WAIT", "soon")
    log_one(folder)
    assert "MLVC_AUTOPUSH_WAIT is 'soon'" in capsys.readouterr().err


def test_nothing_is_pushed_unless_asked_for(folder, remote, monkeypatch):
    monkeypatch.delenv("MLVC_AUTOPUSH")
    log_one(folder)
    assert not (remote / "store").exists()
