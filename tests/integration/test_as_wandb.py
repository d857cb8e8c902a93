"""Scripts that import wandb, unchanged, find mlvc under `mlvc run --as-wandb`."""

import subprocess
import sys

import pytest

import mlvc
from mlvc.integration import standing_in


@pytest.fixture
def run_as_wandb(folder):
    def run(text, *, environment=None):
        (folder / "train.py").write_text(text)
        (folder / "mlvc.toml").write_text('project = "p"\n')
        asked = [sys.executable, "-m", "mlvc", "run", "--as-wandb", "--", sys.executable, "train.py"]
        subprocess.run([sys.executable, "-m", "mlvc", "init"], check=True, capture_output=True)
        return subprocess.run(asked, capture_output=True, text=True, check=False, env=environment)

    return run


def test_a_script_finds_every_module_it_imports(run_as_wandb):
    done = run_as_wandb(
        """
import importlib.metadata
import wandb, wandb.errors, wandb.util
from wandb.apis.public import Api, Run as ApiRun
from wandb.data_types import Table, Image
from wandb.errors import CommError, UsageError
from wandb.sdk.lib import RunDisabled, runid
from wandb.sdk.wandb_run import Run
from wandb.sdk.wandb_settings import Settings
import wandb.sdk.artifacts.artifact

assert wandb.__version__ == importlib.metadata.version("wandb") == "0.31.0"
assert wandb.errors.CommError is wandb.CommError is CommError
assert wandb.run is None
with wandb.init(project="other", config={"a": 1}, name="mine") as run:
    assert isinstance(run, Run) and wandb.run is run and run.project == "p"
    wandb.log({"x": 1})
    wandb.config.update({"b": 2})
    artifact = wandb.Artifact("a", "dataset")
    artifact.add(Table(columns=["n"], data=[[1]]), "t")
    wandb.log_artifact(artifact)
assert len(runid.generate_id()) == len(wandb.util.generate_id()) == 8
assert "Table" in dir(wandb)
try:
    wandb.sdk.lib.nothing
except AttributeError as error:
    assert "standing in" in str(error)
print("all found")
"""
    )
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "all found"), done.stderr
    found = mlvc.Api().run("p/mine")
    assert (found.config, found.summary["x"], found.state) == ({"a": 1, "b": 2}, 1, "finished")
    assert [a.name for a in found.logged_artifacts()] == ["a:v0"]


def test_a_second_run_of_the_script_is_one_of_its_own(run_as_wandb):
    done = run_as_wandb("import wandb\nfor n in range(2):\n    with wandb.init(project='other', name=f'n{n}') as run:\n        run.log({'n': n})\n")
    assert done.returncode == 0, done.stderr
    assert mlvc.Api().run("p/n0").summary["n"] == 0
    assert mlvc.Api().run("other/n1").summary["n"] == 1


def test_the_path_of_the_user_stays_behind_it():
    given = {"PYTHONPATH": "/a:/b", "X": "1"}
    found = standing_in.environment(given)
    first, *rest = found["PYTHONPATH"].split(":")
    assert first.endswith("as_wandb")
    assert rest[:2] == ["/a", "/b"]
    assert standing_in.environment(found)["PYTHONPATH"].count("as_wandb") == 1


def test_keras_callbacks_are_found_where_wandb_has_them(run_as_wandb):
    pytest.importorskip("keras")
    done = run_as_wandb(
        "import os; os.environ['KERAS_BACKEND'] = 'torch'\n"
        "import wandb\nfrom wandb.integration.keras import WandbMetricsLogger, WandbModelCheckpoint\nimport mlvc.integration.keras as ours\n"
        "assert WandbMetricsLogger is ours.WandbMetricsLogger\nfrom wandb.keras import WandbCallback\n"
    )
    assert done.returncode == 0, done.stderr


def test_the_standing_in_is_in_no_way_of_the_real_package():
    wandb = pytest.importorskip("wandb")
    assert "as_wandb" not in (wandb.__file__ or "")
