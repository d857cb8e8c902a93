"""Artifacts through the Python API, as W&B scripts use them."""

import json
from pathlib import Path

import numpy as np
import pytest

import mlvc
import mlvc as wandb


def logged(name="data", content="a,b\n", kind="dataset", **more):
    artifact = wandb.Artifact(name, kind)
    with artifact.new_file("rows.csv") as file:
        file.write(content)
    with wandb.init(**more) as run:
        return run.log_artifact(artifact)


def test_versions_count_from_zero_and_latest_is_always_there(folder):
    assert logged().version == "v0"
    second = logged(content="c\n")
    assert (second.name, second.aliases) == ("data:v1", ["latest"])


def test_use_record_lineage_both_ways(folder):
    logged(job_type="make")
    with wandb.init(job_type="train") as run:
        used = run.use_artifact("data")
        assert Path(used.download(), "rows.csv").read_text() == "a,b\n"
    found = wandb.Api().artifact("data:latest")
    assert found.logged_by().job_type == "make"
    assert [r.job_type for r in found.used_by()] == ["train"]
    assert [a.name for a in found.used_by()[0].used_artifacts()] == ["data:v0"]


def test_equal_content_by_two_runs_is_one_version_with_two_producers(folder):
    first, second = logged(), logged()
    assert (first.version, second.version) == ("v0", "v0")
    (run_a, run_b) = wandb.Api().runs()
    assert [a.name for a in run_a.logged_artifacts()] == [a.name for a in run_b.logged_artifacts()] == ["data:v0"]


def test_a_model_is_registered_promoted_and_used_with_no_network(folder):
    (folder / "m.h5").write_bytes(b"weights")
    with wandb.init() as run:
        linked = run.link_model("m.h5", "digits", name="digits_model", aliases=["staging"])
        assert linked.is_link
        assert linked.source_name == "digits_model:v0"
    linked.aliases.append("production")
    linked.save()
    with wandb.init() as run:
        path = run.use_model("model-registry/digits:production")
    assert Path(path).read_bytes() == b"weights"
    assert path.endswith("artifacts/digits_model:v0/m.h5")


def test_use_model_refuses_what_is_no_model(folder):
    logged()
    with wandb.init() as run, pytest.raises(AssertionError, match="'model' artifacts"):
        run.use_model("data")


def test_a_name_of_another_type_is_a_value_error_in_wandbs_words(folder):
    logged()
    with pytest.raises(ValueError, match="Artifact data already exists with type 'dataset'; cannot create another with type 'model'"):
        logged(kind="model", content="x")


@pytest.mark.parametrize("name", ["x y", "a/b", "x" * 129, "é"])
def test_bad_names_are_value_errors(name):
    with pytest.raises(ValueError, match="Artifact name"):
        wandb.Artifact(name, "dataset")


@pytest.mark.parametrize("path", ["../x", "/x", ".git/hooks/x", "a/.GIT/x", "C:/x"])
def test_paths_that_could_escape_are_refused(path, folder):
    (folder / "f").write_text("x")
    with pytest.raises(ValueError, match="Invalid artifact path"):
        wandb.Artifact("a", "dataset").add_file("f", name=path)


def test_a_draft_has_no_version_and_a_logged_one_does_not_change(folder):
    draft = wandb.Artifact("a", "dataset")
    with pytest.raises(mlvc.ArtifactNotLoggedError):
        _ = draft.version
    assert not hasattr(draft, "aliases")
    (folder / "f").write_text("x")
    with pytest.raises(mlvc.ArtifactFinalizedError):
        logged().add_file("f")


def test_the_same_path_twice_with_other_content_is_refused(folder):
    (folder / "f").write_text("x")
    (folder / "g").write_text("y")
    artifact = wandb.Artifact("a", "dataset")
    artifact.add_file("f")
    artifact.add_file("f")
    with pytest.raises(ValueError, match="Cannot add the same path twice"):
        artifact.add_file("g", name="f")
    artifact.remove("f")
    with pytest.raises(FileNotFoundError):
        artifact.remove("f")


def test_metadata_description_and_tags_are_edited_and_saved(folder):
    artifact = logged()
    artifact.metadata["rows"] = 2
    artifact.description = "small"
    artifact.tags = ["checked"]
    artifact.save()
    again = wandb.Api().artifact("data:v0")
    assert (again.metadata, again.description, again.tags) == ({"rows": 2}, "small", ["checked"])


def test_verify_finds_a_changed_and_an_extra_file(folder):
    artifact = logged()
    root = artifact.download()
    artifact.verify()
    (folder / "artifacts/data:v0/rows.csv").write_text("broken")
    with pytest.raises(ValueError, match="Digest mismatch"):
        artifact.verify(root)
    artifact.download()
    (folder / "artifacts/data:v0/more").write_text("x")
    with pytest.raises(ValueError, match="not a member"):
        artifact.verify(root)


def test_editing_a_downloaded_file_never_damages_the_store(folder):
    artifact = logged()
    artifact.download("one")
    (folder / "one/rows.csv").write_text("broken")
    assert Path(artifact.download("two"), "rows.csv").read_text() == "a,b\n"


def test_what_is_not_there_is_a_comm_error_with_near_names(folder):
    logged()
    with pytest.raises(wandb.CommError) as caught:
        wandb.Api().artifact("dota:v0")
    assert caught.value.hint == "did you mean data?"
    assert not wandb.Api().artifact_exists("data:v9")


def float_file(path, values):
    """Writes bf16 numbers as a safetensors file."""
    body = (values.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
    header = json.dumps({"w": {"dtype": "BF16", "shape": [len(values)], "data_offsets": [0, len(body)]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + body)


@pytest.fixture
def fine_tunes(folder):
    """A logged base `llama`, and files of which each is a little different."""
    random = np.random.default_rng(0)
    weights = random.normal(0, 0.02, 2_000_000)
    float_file(folder / "llama.safetensors", weights)
    for name in ("one", "two"):
        float_file(folder / f"{name}.safetensors", weights + random.normal(0, 1e-4, len(weights)))
    with wandb.init() as run:
        run.log_model(str(folder / "llama.safetensors"), name="llama")

    def new_bytes(name, uses=None, **more):
        before = sum(p.stat().st_size for p in folder.rglob("*.pack"))
        with wandb.init() as run:
            if uses:
                run.use_artifact(uses)
            run.log_model(str(folder / f"{name}.safetensors"), name=name, **more)
        return sum(p.stat().st_size for p in folder.rglob("*.pack")) - before

    return new_bytes


def test_a_fine_tune_by_a_run_that_only_used_its_base_costs_less_than_by_one_that_did_not(fine_tunes):
    assert fine_tunes("one", uses="llama:latest") <= 0.75 * fine_tunes("two")


def test_so_does_one_whose_base_is_named(fine_tunes):
    assert fine_tunes("one", base="llama:v0") <= 0.75 * fine_tunes("two")
    with pytest.raises(wandb.CommError), wandb.init() as run:
        run.log_model("one.safetensors", base="nowhere:v0")
