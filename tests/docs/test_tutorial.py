"""Runs docs/tutorial.md from top to bottom, as a reader would, and holds the README to the commands that there are."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Reader"), ("EMAIL", "reader@example.org"))
}


def blocks(document: str) -> list[tuple[str, str]]:
    """Returns (language, text) of each fenced block."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(r"^```(\w+)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def script_of(document: str) -> str:
    """Returns one shell script: Python blocks are saved under the name in their first line, shell blocks are run."""
    lines = ["set -eu", "start=$PWD", f'mlvc() {{ {sys.executable} -m mlvc "$@"; }}', f'python() {{ {sys.executable} "$@"; }}']
    for language, text in blocks(document):
        if language == "sh":
            lines.append(text)
        elif language == "python":
            name = re.match(r"# (\w+\.py)\n", text)
            assert name, "a script on this page begins with its name"
            lines.append(f"cat > {name[1]} <<'END_OF_SCRIPT'\n{text}END_OF_SCRIPT")
    return "\n".join(lines)


@pytest.mark.slow
def test_everything_in_the_tutorial_works(tmp_path: Path):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "MLVC_", "WANDB_"))}
    environment = {**kept, **IDENTITY, "HOME": str(tmp_path), "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}

    done = subprocess.run(
        ["bash", "-c", script_of("docs/tutorial.md")], cwd=tmp_path, env=environment, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    accuracies = set(re.findall(r"^accuracy .*$", done.stdout, flags=re.MULTILINE))
    assert len(accuracies) == 1, "the clone's model answers as the original"
    assert "zero one two\n" in done.stdout


@pytest.mark.parametrize("document", ["README.md", "docs/tutorial.md", "CONTRIBUTING.md"])
def test_every_verb_that_a_page_names_exists(document: str):
    from mlvc.cli.main import mlvc

    text = (ROOT / document).read_text(encoding="utf-8")
    commands = re.findall(r"`mlvc ([a-z]+)", text) + re.findall(r"bin/mlvc ([a-z]+)", text)
    for language, block in blocks(document):
        if language == "sh":
            commands += re.findall(r"^mlvc ([a-z]+)", block, flags=re.MULTILINE)
    verbs = set(commands)

    assert verbs <= set(mlvc.list_commands(None))


def test_the_readme_gives_the_two_commands_for_a_fresh_machine():
    text = (ROOT / "README.md").read_text(encoding="utf-8")

    assert "python3 -m venv .venv && .venv/bin/pip install -e '.[demo]' && .venv/bin/mlvc demo\n" in text
    assert ".venv/bin/pip install -e '.[test]' && .venv/bin/pytest\n" in text
