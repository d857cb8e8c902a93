"""A Git repository with mlvc's hooks in it, driven by the real `git` and `mlvc` programs, as a person would."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

IDENTITY = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_COUNT": "2",
    "GIT_CONFIG_KEY_0": "init.defaultBranch",
    "GIT_CONFIG_VALUE_0": "main",
    "GIT_CONFIG_KEY_1": "protocol.file.allow",
    "GIT_CONFIG_VALUE_1": "always",
}


class Done:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def data(self):
        return json.loads(self.out)["result"]


class Project:
    """A folder, and the programs run in it."""

    def __init__(self, root: Path, environment: dict[str, str]) -> None:
        self.root = root
        self.environment = environment

    def run(self, *words: str, code: int | None = 0, cwd: Path | None = None, stdin: str = "", **variables: str) -> Done:
        done = subprocess.run(
            words,
            cwd=cwd or self.root,
            env={**self.environment, **variables},
            input=stdin.encode(),
            capture_output=True,
            check=False,
        )
        said = Done(done.returncode, os.fsdecode(done.stdout), os.fsdecode(done.stderr))
        assert "Traceback" not in said.err, said.err
        if code is not None:
            assert said.code == code, f"{words}: exit {said.code}\n{said.out}\n{said.err}"
        return said

    def git(self, *words: str, code: int | None = 0, **variables: str) -> Done:
        return self.run("git", *words, code=code, **variables)

    def mlvc(self, *words: str, code: int | None = 0, **variables: str) -> Done:
        return self.run("mlvc", *words, code=code, **variables)

    def write(self, path: str, data: str | bytes) -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data.encode() if isinstance(data, str) else data)
        return target

    def read(self, path: str) -> str:
        return (self.root / path).read_text()

    def add(self, path: str, data: str | bytes) -> None:
        """Writes a file and pins it."""
        self.write(path, data)
        self.mlvc("add", path)

    def commit(self, message: str = "m", **variables: str) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message, **variables)
        return self.head()

    def head(self) -> str:
        return self.git("rev-parse", "HEAD").out.strip()

    def status(self) -> dict:
        return self.mlvc("--json", "status").data

    def is_in_line(self) -> bool:
        """Whether the files are what `mlvc.lock` pins, and it pins something."""
        says = self.status()
        return bool(says["pins"]) and not says["leftover"] and not any(pin["changes"] for pin in says["pins"])

    def at(self, root: Path) -> "Project":
        return Project(root, self.environment)


@pytest.fixture
def environment(tmp_path):
    """The variables of a person's terminal: `mlvc` and `git` on the PATH, nothing of the machine's own settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLVC_", "WANDB_", "GIT_", "PRE_COMMIT"))}
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "mlvc").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m mlvc "$@"\n')
    (programs / "mlvc").chmod(0o755)
    home = tmp_path / "home"
    home.mkdir()
    path = f"{programs}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    return {**kept, **IDENTITY, "PATH": path, "HOME": str(home), "XDG_CONFIG_HOME": str(home / "config")}


@pytest.fixture
def project(tmp_path, environment):
    """A repository with hooks, and one commit."""
    root = tmp_path / "project"
    root.mkdir()
    made = Project(root, environment)
    made.git("init", "-q")
    made.mlvc("init")
    made.mlvc("hooks", "install")
    made.write("readme.md", "hello\n")
    made.commit("first")
    return made


@pytest.fixture
def nested(project):
    """`main`, which pins data/y.bin, and the branch `feature`, which pins all of data."""
    project.write(".gitignore", "/data\n")
    project.commit()
    project.git("switch", "-q", "-c", "feature")
    project.write("data/x.bin", "x of theirs\n")
    project.mlvc("add", "data")
    project.commit()
    project.git("switch", "-q", "main")
    project.add("data/y.bin", "y of ours\n")
    project.commit()
    return project


@pytest.fixture
def without_mlvc(environment, tmp_path):
    """The variables of a terminal where Git is found and mlvc is not."""
    programs = tmp_path / "only-git"
    programs.mkdir()
    for name in ("git", "sh", "cat", "env"):
        (programs / name).symlink_to(shutil.which(name))
    return {**environment, "PATH": str(programs)}
