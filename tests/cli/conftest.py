"""A shell for the tests: types commands in a fresh Git repository, in process."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from mlvc.cli import main

IDENTITY = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}


@dataclass
class Said:
    code: int
    out: str
    err: str

    @property
    def data(self):
        return json.loads(self.out)["result"]


class Shell:
    def __init__(self, folder: Path, capsys, monkeypatch) -> None:
        self.folder = folder
        self._capsys = capsys
        self._monkeypatch = monkeypatch
        self.go(folder)

    def go(self, folder: Path) -> None:
        self.folder = folder
        self._monkeypatch.chdir(folder)

    def __call__(self, *words: str, code: int | None = 0) -> Said:
        self._monkeypatch.setattr("sys.argv", ["mlvc", *words])
        self._capsys.readouterr()
        found = main.run(list(words))
        said = Said(found, *self._capsys.readouterr())
        assert "Traceback" not in said.err
        if code is not None:
            assert said.code == code, f"{words}: exit {said.code}\n{said.out}\n{said.err}"
        return said

    def json(self, *words: str, code: int | None = 0):
        return self("--json", *words, code=code).data

    def git(self, *words: str) -> str:
        done = subprocess.run(["git", *words], cwd=self.folder, capture_output=True, text=True, check=True)
        return done.stdout

    def write(self, path: str, data: bytes | str) -> Path:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data.encode() if isinstance(data, str) else data)
        return target


@pytest.fixture
def shell(tmp_path, capsys, monkeypatch):
    for name in list(os.environ):
        if name.startswith(("MLVC_", "WANDB_", "GIT_")):
            monkeypatch.delenv(name)
    for name, value in IDENTITY.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    folder = tmp_path / "work"
    folder.mkdir()
    shell = Shell(folder, capsys, monkeypatch)
    shell.git("init", "-q", "-b", "main", ".")
    return shell


@pytest.fixture
def repository(shell):
    """A shell in a repository that holds `m:v0` (alias best) and `m:v1`, pinned at models/m.h5."""
    shell("init", "--project", "demo")
    shell.write("models/m.h5", b"one" * 1000)
    shell("add", "models/m.h5", "--alias", "best", "--meta", "acc=0.9")
    shell.write("models/m.h5", b"two" * 2000)
    shell("add", "models/m.h5")
    return shell
