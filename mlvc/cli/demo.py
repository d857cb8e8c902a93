"""`mlvc demo`: the main job for real, each step the command that a user would type, in folders that stay."""

from __future__ import annotations

import os
import shutil
import sys
from importlib import resources, util
from pathlib import Path

import click

from mlvc.errors import Error, UsageError

_IDENTITY = {
    "GIT_AUTHOR_NAME": "Demo",
    "GIT_AUTHOR_EMAIL": "demo@example.org",
    "GIT_COMMITTER_NAME": "Demo",
    "GIT_COMMITTER_EMAIL": "demo@example.org",
}
_SCRIPTS = ("build_dataset.py", "train.py", "evaluate.py")
_OURS = ("MLVC_", "WANDB_", "GIT_")
"""Variables that would point the demo's programs elsewhere begin with these."""


def walk_through(folder: Path) -> None:
    """Does the walkthrough in a new folder.

    Raises:
        UsageError: the folder exists, or scikit-learn is missing.
        Error: a step failed.
    """
    if folder.exists():
        raise UsageError(f"{folder} exists already", hint="name another one with --dir, or remove it")
    if util.find_spec("sklearn") is None:
        raise UsageError("the demo needs scikit-learn", hint="pip install 'mlvc[demo]'")
    here = folder / "digits"
    here.mkdir(parents=True)
    steps = _Steps(folder, here)

    steps.say("A Git repository with three scripts, and mlvc beside it")
    steps.run("git init -q -b main .")
    source = resources.files("mlvc.cli") / "demo_scripts"
    for name in _SCRIPTS:
        (here / name).write_text((source / name).read_text(encoding="utf-8"), encoding="utf-8")
    (here / ".gitignore").write_text("artifacts/\ndata/\nmodel.joblib\n", encoding="utf-8")
    steps.run("mlvc init")
    steps.run("git add .")
    steps.run("git commit -q -m 'Build, train and evaluate on digits'")

    steps.say("Build the dataset, train from it, register the model, evaluate it")
    steps.run("python build_dataset.py")
    steps.run("python train.py")
    first = steps.run("python evaluate.py")

    steps.say("Promote it, and ask where it came from")
    steps.run("mlvc ls")
    steps.run("mlvc alias set registry/digits-dev:v0 production")
    steps.run("mlvc runs")
    steps.run("mlvc lineage registry/digits-dev:production")

    steps.say("Push everything to a folder; it could be a NAS or a USB stick")
    steps.run("mlvc remote add origin ../remote")
    steps.run("mlvc push")
    steps.run("git add mlvc.toml")
    steps.run("git commit -q -m 'Share artifacts through ../remote'")

    steps.say("Elsewhere: clone names, history and lineage; the data stays behind until it is wanted")
    steps.run("mlvc clone remote teammate", at=folder)
    there = folder / "teammate"
    steps.run("mlvc show registry/digits-dev:production", at=there)
    second = steps.run("python ../digits/evaluate.py registry/digits-dev:production", at=there)

    if _accuracy(first) != _accuracy(second):
        raise Error(f"the clone's model answers otherwise: {_accuracy(second)}, expected {_accuracy(first)}")
    shown = os.path.relpath(folder)
    click.echo(
        f"\nThe same {_accuracy(second)} in the clone. Everything is in {shown}; to go on, try:\n"
        f"\n  cd {shown}/digits\n  mlvc log                                  # versions and who made them"
        "\n  mlvc history run/LABEL                    # metrics, step by step; 'mlvc runs' lists the labels"
        "\n  mlvc why model.joblib                     # where a file on disk comes from"
        "\n  mlvc lineage digits_dataset:v0 --format mermaid"
        "\n  mlvc status; mlvc oplog; mlvc undo        # nothing is lost by trying\n"
    )


def _accuracy(printed: str) -> str:
    found = [line for line in printed.splitlines() if line.startswith("accuracy ")]
    if not found:
        raise Error(f"the evaluation printed no accuracy: {printed[-200:]!r}")
    return found[-1]


class _Steps:
    """Shows each command, then runs it."""

    def __init__(self, folder: Path, here: Path) -> None:
        self._folder = folder
        self._here = here
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        self._environment = {**kept, **_IDENTITY, "PYTHONWARNINGS": "ignore"}

    def say(self, text: str) -> None:
        """Announces what comes."""
        click.secho(f"\n# {text}", bold=True)

    def run(self, command: str, *, at: Path | None = None) -> str:
        """Runs a command as if typed, showing what it prints; Error when it fails.

        Returns:
            What it printed.
        """
        import shlex
        import subprocess

        where = at or self._here
        click.secho(f"{os.path.relpath(where, self._folder)} $ {command}", fg="cyan")
        words = shlex.split(command)
        if words[0] == "mlvc":
            words = [sys.executable, "-m", "mlvc", *words[1:]]
        elif words[0] == "python":
            words[0] = sys.executable
        elif shutil.which(words[0]) is None:
            raise UsageError(f"there is no '{words[0]}' program on the PATH", hint=f"install {words[0]}")
        done = subprocess.run(
            words, cwd=where, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        printed = done.stdout.decode(errors="replace")
        click.echo(printed, nl=False)
        if done.returncode:
            raise Error(f"'{command}' failed with exit code {done.returncode}", hint=f"look at {where}")
        return printed
