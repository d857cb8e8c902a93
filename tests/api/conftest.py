"""A fresh repository as the current folder, and programs that run in it."""

import os
import subprocess
import sys
import textwrap

import pytest

import mlvc
from mlvc.api import beginning


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in list(os.environ):
        if name.startswith(("MLVC_", "WANDB_", "GIT_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MLVC_USER", "Ada <ada@example.org>")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    yield work
    if beginning.current() is not None:
        mlvc.finish()


@pytest.fixture
def python(folder):
    started = []

    def start(text: str, *arguments: str) -> subprocess.Popen:
        child = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(text), *arguments],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(child)
        return child

    yield start
    for child in started:
        child.kill()
        child.communicate()
