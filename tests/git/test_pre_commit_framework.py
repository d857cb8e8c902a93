"""Beside the pre-commit framework, which manages the hooks itself: what is printed to paste works with the real program."""

from pathlib import Path

import pytest

pytest.importorskip("pre_commit", reason="pip install pre-commit")

MANIFEST = Path(__file__).parents[2] / ".pre-commit-hooks.yaml"
TYPES = ("pre-commit", "prepare-commit-msg", "post-commit", "post-checkout", "post-merge", "post-rewrite", "pre-push")


@pytest.fixture
def managed(project):
    """A repository whose hooks are the framework's, with what `mlvc hooks install` printed pasted."""
    project.mlvc("hooks", "uninstall")
    project.write(".pre-commit-config.yaml", "repos: []\n")
    project.run("pre-commit", "install", "--install-hooks", *[word for name in TYPES for word in ("-t", name)])
    said = project.mlvc("hooks", "install").out
    snippet = said[said.index("repos:") :]
    project.write(".pre-commit-config.yaml", snippet)
    project.commit("config")
    return project


def test_a_big_file_is_refused_through_the_framework(managed):
    managed.write("big.bin", bytes(11_000_000))
    managed.git("add", "-A")
    done = managed.git("commit", "-m", "big", code=1)
    assert "mlvc add big.bin" in done.out + done.err


def test_files_follow_their_pins_through_the_framework(managed):
    managed.add("model.bin", "one")
    managed.commit("one")
    managed.git("switch", "-q", "-c", "other")
    managed.add("model.bin", "two")
    managed.commit("two")
    managed.git("switch", "-q", "main")
    assert managed.read("model.bin") == "one"


def test_pinned_data_goes_first_through_the_framework(managed, tmp_path):
    managed.git("init", "-q", "--bare", str(tmp_path / "host.git"))
    managed.git("remote", "add", "origin", str(tmp_path / "host.git"))
    managed.add("model.bin", "one")
    managed.commit("one")
    done = managed.git("push", "origin", "main", code=1)
    assert "mlvc remote add origin URL" in done.out + done.err
    managed.mlvc("remote", "add", "origin", str(tmp_path / "store"))
    managed.commit("remote")
    managed.git("push", "-q", "origin", "main")
    assert list((tmp_path / "store" / "packs" / "data").iterdir())


def test_a_message_gets_its_trailers_through_the_framework(managed):
    managed.add("model.bin", "one")
    head = managed.commit("one", MLVC_TRAILERS="1")
    assert "Mlvc-Version: model:v0" in managed.git("show", "-s", "--format=%B", head).out


def test_the_manifest_offers_each_hook(project):
    project.run("pre-commit", "validate-manifest", str(MANIFEST))
    text = MANIFEST.read_text()
    assert [f"id: mlvc-{name}" in text and f"entry: mlvc hook {name}\n" in text for name in TYPES] == [True] * len(TYPES)
