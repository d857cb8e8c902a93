"""Every call of W&B's `Artifact`, and what it must do, return and raise."""

import datetime
import os
from pathlib import Path

import numpy as np
import pytest

import mlvc as wandb

pytest.importorskip("PIL", reason="pip install 'mlvc[media]'")
pytest.importorskip("pyarrow", reason="pip install 'mlvc[media]'")


def draft(name="data", **files):
    artifact = wandb.Artifact(name, "dataset")
    for path, content in files.items():
        with artifact.new_file(path.replace("__", "/")) as file:
            file.write(content)
    return artifact


def logged(name="data", aliases=(), **files):
    artifact = draft(name, **(files or {"rows": "a"}))
    with wandb.init() as run:
        return run.log_artifact(artifact, aliases=list(aliases))


def test_what_a_draft_does_not_know_yet_raises_and_hasattr_is_false(folder):
    artifact = draft(a="1")
    for name in ("version", "aliases", "tags", "entity", "project", "collection", "file_count", "created_at", "source_version", "ttl"):
        assert not hasattr(artifact, name), name
        with pytest.raises(wandb.ArtifactNotLoggedError, match="prior to logging"):
            getattr(artifact, name)
    for call in (artifact.wait, artifact.logged_by, artifact.used_by, artifact.download, artifact.new_draft, artifact.unlink, artifact.delete):
        with pytest.raises(wandb.ArtifactNotLoggedError):
            call()
    for call in (artifact.get, artifact.get_entry, artifact.get_path):
        with pytest.raises(AttributeError):
            call("a")
    assert (artifact.id, artifact.name, artifact.state, artifact.is_link, artifact.size) == (None, "data", "PENDING", False, 1)
    assert list(artifact.manifest.entries) == ["a"]


def test_the_digest_of_a_draft_is_that_of_the_logged_artifact(folder):
    artifact = draft(a="1", b="2")
    before = artifact.digest
    with wandb.init() as run:
        run.log_artifact(artifact)
    assert artifact.digest == before
    assert draft(a="1", b="3").digest != before


def test_what_changes_a_logged_artifact_is_refused(folder):
    artifact = logged()
    (folder / "f").write_text("x")
    for call in (
        lambda: artifact.add_file("f"),
        lambda: artifact.add_dir("."),
        lambda: artifact.add_reference("file:///f"),
        lambda: artifact.new_file("x"),
        lambda: artifact.remove("rows"),
        lambda: artifact.add(wandb.Table(columns=["a"]), "t"),
    ):
        with pytest.raises(wandb.ArtifactFinalizedError, match="finalized"):
            call()
    finalized = draft(a="1")
    finalized.finalize()
    with pytest.raises(wandb.ArtifactFinalizedError):
        finalized.add_file("f")


def test_add_file_returns_the_entry_and_keeps_what_the_file_was(folder):
    (folder / "m.bin").write_bytes(b"one")
    artifact = wandb.Artifact("m", "model")
    entry = artifact.add_file("m.bin", name="deep/m.bin")
    (folder / "m.bin").write_bytes(b"two")
    assert (entry.path, entry.size) == ("deep/m.bin", 3)
    assert artifact.get_added_local_path_name("m.bin") == "deep/m.bin"
    with wandb.init() as run:
        run.log_artifact(artifact)
    assert Path(artifact.download(), "deep/m.bin").read_bytes() == b"one"


def test_immutable_files_are_read_when_the_artifact_is_logged(folder):
    (folder / "m.bin").write_bytes(b"one")
    artifact = wandb.Artifact("m", "model")
    artifact.add_file("m.bin", policy="immutable")
    (folder / "m.bin").write_bytes(b"two")
    with wandb.init() as run:
        run.log_artifact(artifact)
    assert Path(artifact.download(), "m.bin").read_bytes() == b"two"
    with pytest.raises(ValueError, match="Invalid policy"):
        wandb.Artifact("m", "model").add_file("m.bin", policy="sometimes")


def test_files_of_a_folder_must_stay_as_they_were_until_it_is_logged(folder):
    (folder / "d").mkdir()
    (folder / "d" / "a").write_text("one")
    artifact = wandb.Artifact("d", "dataset")
    artifact.add_dir("d", name="sub")
    (folder / "d" / "a").write_text("other")
    with wandb.init() as run, pytest.raises(wandb.UsageError, match="changed after it was added"):
        run.log_artifact(artifact)


def test_the_same_name_twice_needs_overwrite(folder):
    (folder / "a").write_text("1")
    (folder / "b").write_text("2")
    artifact = wandb.Artifact("x", "dataset")
    artifact.add_file("a", name="n")
    artifact.add_file("a", name="n")
    with pytest.raises(ValueError, match="Cannot add the same path twice: 'n'"):
        artifact.add_file("b", name="n")
    artifact.add_file("b", name="n", overwrite=True)
    with pytest.raises(ValueError, match="not a file"):
        artifact.add_file("nowhere")
    with pytest.raises(ValueError, match="not a directory"):
        artifact.add_dir("a")
    assert len(artifact.add_file("a", is_tmp=True, name="t/x.y.txt").path) == len("t/.y.txt") + 20


def test_new_file_is_a_real_file_and_vanishes_when_its_block_fails(folder):
    artifact = wandb.Artifact("x", "dataset")
    with artifact.new_file("a.npy", mode="wb") as file:
        np.save(file, np.arange(3))
        assert os.path.isfile(file.name)
    with pytest.raises(ZeroDivisionError), artifact.new_file("b"):
        raise ZeroDivisionError
    with pytest.raises(ValueError, match="already exists"), artifact.new_file("a.npy"):
        pass
    with pytest.raises(ValueError, match="mode"), artifact.new_file("c", mode="r"):
        pass
    with artifact.new_file("umlaut", encoding="latin-1") as file:
        file.write("ü")
    assert (sorted(artifact.manifest.entries), artifact.manifest.entries["umlaut"].size) == (["a.npy", "umlaut"], 1)


def test_files_and_folders_are_removed_from_a_draft(folder):
    artifact = draft(a="1", d__b="2", d__c="3", e="4")
    artifact.remove("d")
    artifact.remove(artifact.manifest.entries["a"])
    assert list(artifact.manifest.entries) == ["e"]
    with pytest.raises(FileNotFoundError):
        artifact.remove("d")


def test_tables_and_images_come_back_by_their_names(folder):
    artifact = wandb.Artifact("x", "dataset")
    table = wandb.Table(columns=["i", "n"], data=[[wandb.Image(np.eye(4)), 1]])
    entry = artifact.add(table, "train")
    assert artifact.add(table, "other") == entry
    artifact["logo"] = wandb.Image(np.eye(4), caption="l")
    with pytest.raises(TypeError, match="expected one of"):
        artifact.add({"a": 1}, "d")
    with wandb.init() as run:
        run.log_artifact(artifact)
    found = wandb.Api().artifact("x:latest")
    assert entry.path == "train.table.json"
    assert found["train"] == table == found.get("train.table.json")
    assert found.get("logo")._caption == "l"
    assert found.get("nothing") is None
    assert found.get_entry("train").path == "train.table.json"
    assert {"train.table.json", "train.table.parquet", "logo.image-file.json"} <= set(found.manifest.entries)


def test_reading_a_column_of_a_table_downloads_no_file(folder):
    artifact = wandb.Artifact("x", "dataset")
    artifact.add(wandb.Table(columns=["n"], data=[[n] for n in range(100)]), "t")
    with wandb.init() as run:
        run.log_artifact(artifact)
        found = run.use_artifact("x").get("t")
    assert found.get_column("n", convert_to="numpy").sum() == 4950
    assert not (folder / "artifacts").exists()


def test_missing_entries_are_key_errors(folder):
    artifact = logged()
    for call in (artifact.get_entry, artifact.get_path):
        with pytest.raises(KeyError, match="Path not contained in artifact: x"):
            call("x")
    entry = artifact.get_entry("rows")
    assert (entry.parent_artifact(), entry.name, entry.ref, entry.extra) == (artifact, "rows", None, {})
    assert Path(entry.download("there")).read_text() == "a"
    with pytest.raises(ValueError, match="reference"):
        entry.ref_target()


def test_download_writes_only_what_a_prefix_names_and_deletes_nothing(folder):
    artifact = logged(some_prefix="1", some_prefix_two="2", other="3")
    root = Path(artifact.download(path_prefix="some_prefix"))
    assert (root.name, sorted(p.name for p in root.iterdir())) == ("data:v0", ["some_prefix", "some_prefix_two"])
    (root / "extra").write_text("mine")
    artifact.download()
    assert (root / "extra").exists()
    with pytest.raises(ValueError, match="not a member"):
        artifact.verify()
    exact = Path(artifact.checkout())
    assert (exact.name, len(list(exact.iterdir()))) == ("data", 3)
    (exact / "other").write_text("changed")
    (exact / "stray").write_text("x")
    artifact.checkout()
    artifact.verify(exact)
    assert (exact / "other").read_text() == "3"


def test_an_artifact_of_one_file_gives_it(folder):
    assert Path(logged(a="1").file()).read_text() == "1"
    with pytest.raises(ValueError, match="more than one file"):
        logged(a="1", b="2").file()


def test_files_are_listed_and_opened(folder):
    artifact = logged(a="1", b="2")
    assert [(f.name, f.size) for f in artifact.files()] == [("a", 1), ("b", 1)]
    (only,) = artifact.files(["b"])
    with only.download("there") as file:
        assert file.read() == "2"
    with pytest.raises(ValueError, match="already exists"):
        only.download("there")
    only.download("there", exist_ok=True).close()


def test_new_draft_makes_the_next_version_of_the_source(folder):
    first = logged(a="1", b="2")
    first.metadata["k"] = 1
    first.save()
    again = first.new_draft()
    again.remove("a")
    with again.new_file("c") as file:
        file.write("3")
    with wandb.init() as run:
        run.log_artifact(again)
    assert (again.version, sorted(again.manifest.entries), again.metadata) == ("v1", ["b", "c"], {"k": 1})


def test_an_incremental_artifact_keeps_what_it_does_not_replace(folder):
    logged(a="1", b="2")
    artifact = wandb.Artifact("data", "dataset", incremental=True)
    with artifact.new_file("b") as file:
        file.write("new")
    with wandb.init() as run:
        run.log_artifact(artifact)
    assert artifact.incremental
    assert Path(artifact.get_entry("a").download()).read_text() == "1"
    assert Path(artifact.get_entry("b").download()).read_text() == "new"


def test_names_of_source_and_link(folder):
    source = logged(a="1")
    logged(a="2")
    link = source.link("registry/best", aliases=["prod"])
    assert (link.name, link.version, link.is_link, link.aliases) == ("best:v0", "v0", True, ["latest", "prod"])
    assert (link.source_name, link.source_version, link.source_project) == ("data:v0", "v0", source.project)
    assert link.source_artifact.name == "data:v0"
    assert source.source_artifact is source
    assert [a.name for a in source.linked_artifacts] == ["best:v0"]
    assert link.linked_artifacts == []
    assert (link.digest, link.id, link.size) == (source.digest, source.id, source.size)
    assert (source.linked_at, link.linked_at[:2]) == (None, "20")
    assert (link.collection.name, link.source_collection.name) == ("best", "data")
    assert link.qualified_name == "local/registry/best:v0"
    assert link.link("registry/other").source_name == "data:v0"
    with pytest.raises(ValueError, match=r"Artifact\.delete"):
        source.unlink()
    with pytest.raises(ValueError, match="TTL"):
        link.ttl = datetime.timedelta(days=1)
    link.unlink()
    assert source.state == "COMMITTED"


def test_links_are_collected_in_projects_too(folder):
    source = logged(a="1")
    with wandb.init() as run:
        here = run.link_artifact(source, "best", aliases=["x"])
        there = run.link_artifact(source, "local/elsewhere/best")
    assert (here.project, there.project, here.is_link) == (run.project, "elsewhere", True)
    api = wandb.Api()
    for name in ("best:x", f"{run.project}/best", "local/elsewhere/best:v0", f"best@{source.id[:8]}", f"_id/{source.id}"):
        assert api.artifact(name).source_name == "data:v0"
    assert [c.name for c in api.artifact_type("dataset").collections()] == ["data", "best"]
    assert len(api.artifact_collection("dataset", "elsewhere/best").artifacts()) == 1
    assert [r.name for r in api.registries()] == []
    with pytest.raises(ValueError, match="collects links"):
        logged("best", b="2")
    with pytest.raises(wandb.CommError, match="versions of its own"):
        source.link("data")
    api.artifact_collection("dataset", "best").delete()
    assert (api.artifact_exists("best"), api.artifact_exists("data")) == (False, True)


def test_an_artifact_knows_the_step_that_its_run_had_logged(folder):
    found = []
    with wandb.init() as run:
        for n in range(3):
            found.append(run.log_artifact(draft(a=str(n))).history_step)
            run.log({"x": n})
    assert found == [None, 0, 1]
    assert wandb.Api().artifact("data:v2").history_step == 1


def test_what_is_not_there_is_said_in_wandbs_words_first(folder):
    logged(a="1")
    for name, words in (("foo/bar/data:v0", "project 'bar' not found under entity 'foo'"), ("baz", "artifact membership 'baz:latest' not found in")):
        with pytest.raises(wandb.CommError, match=words):
            wandb.Api().artifact(name)
    with pytest.raises(wandb.CommError):
        wandb.Api().artifact("no name:latest")


def test_a_run_under_way_is_a_user_already(folder):
    source = logged(a="1")
    with wandb.init() as run:
        assert [r.id for r in run.use_artifact("data").used_by()] == [run.id]
        assert [a.name for a in wandb.Api().run(run.path).used_artifacts()] == ["data:v0"]
    assert [r.id for r in source.used_by()] == [run.id]


def test_metadata_is_checked_again_when_it_is_logged_and_takes_slices(folder):
    artifact = draft(a="1")
    artifact.metadata.update({str(n): n for n in range(101)})
    with wandb.init() as run, pytest.raises(ValueError, match="100 metadata keys"):
        run.log_artifact(artifact)
    assert wandb.Artifact("n", "t", metadata={"s": slice(1, 5, 2)}).metadata["s"] == {"slice_start": 1, "slice_stop": 5, "slice_step": 2}


def test_edits_are_stored_by_save(folder):
    artifact = logged(a="1")
    artifact.description = "said"
    artifact.metadata = {"a": [1, 2]}
    artifact.tags = ["one", "two", "one"]
    artifact.aliases = ["best", "latest"]
    artifact.ttl = datetime.timedelta(days=2)
    artifact.save()
    found = wandb.Api().artifact("data:best")
    assert (found.description, found.metadata, found.tags) == ("said", {"a": [1, 2]}, ["one", "two"])
    assert (found.aliases, found.ttl) == (["best", "latest"], datetime.timedelta(days=2))
    found.ttl = None
    found.save()
    assert wandb.Api().artifact("data").ttl is None
    with pytest.raises(ValueError):
        found.aliases = ["a/b"]
    with pytest.raises(ValueError):
        found.tags = ["!"]
    with pytest.raises(ValueError, match="positive"):
        found.ttl = datetime.timedelta(0)


def test_a_time_to_live_of_a_draft_is_logged_with_it(folder):
    artifact = draft(a="1")
    artifact.ttl = datetime.timedelta(hours=1)
    with wandb.init() as run:
        run.log_artifact(artifact)
    assert wandb.Api().artifact("data").ttl == datetime.timedelta(hours=1)


def test_delete_asks_for_aliases_first(folder):
    artifact = logged(a="1", aliases=["best"])
    with pytest.raises(wandb.CommError, match="aliases"):
        artifact.delete()
    artifact.delete(delete_aliases=True)
    assert artifact.state == "DELETED"
    assert not wandb.Api().artifact_exists("data:v0")


def test_save_without_a_run_makes_one_of_job_type_auto(folder):
    artifact = draft(a="1")
    artifact.save()
    assert artifact.logged_by().job_type == "auto"
    assert artifact.wait() is artifact
    linked = draft("other", b="1").link("registry/r")
    assert linked.source_name == "other:v0"


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"name": "x y"}, ValueError, "alphanumeric characters, dashes, underscores, and dots. Invalid name: 'x y'"),
        ({"name": "x" * 129}, ValueError, "longer than 128"),
        ({"type": "wandb-x"}, ValueError, "reserved for internal use"),
        ({"type": "job"}, ValueError, "reserved"),
        ({"name": "run-x", "type": "run_table"}, ValueError, "reserved"),
        ({"name": "source-x", "type": "code"}, ValueError, "reserved"),
        ({"metadata": {str(n): n for n in range(101)}}, ValueError, "more than 100 metadata keys"),
        ({"metadata": [1]}, TypeError, "Cannot parse <class 'list'> as artifact metadata"),
        ({"metadata": {"a": float("inf")}}, ValueError, "not JSON compliant"),
    ],
)
def test_wrong_arguments_are_refused_in_wandbs_words(folder, arguments, error, words):
    with pytest.raises(error, match=words):
        wandb.Artifact(**{"name": "n", "type": "t", **arguments})


def test_nan_in_metadata_is_none(folder):
    assert wandb.Artifact("n", "t", metadata={"a": float("nan")}).metadata == {"a": None}


def test_a_used_draft_is_an_input_and_nobodys_output(folder):
    with wandb.init() as run:
        used = run.use_artifact(draft(a="1"), use_as="data")
    assert used.logged_by() is None
    assert [r.id for r in used.used_by()] == [run.id]
    assert used.use_as == "data"


def test_what_is_used_must_be_of_the_type_asked_for(folder):
    logged(a="1")
    with wandb.init() as run:
        with pytest.raises(ValueError, match="Supplied type model does not match type dataset of artifact data:v0"):
            run.use_artifact("data", type="model")
        with pytest.raises(ValueError, match="You must pass an artifact name"):
            run.use_artifact(3)


def test_logging_it_again_adds_aliases_and_tags(folder):
    artifact = logged(a="1")
    with wandb.init() as run:
        assert run.log_artifact(artifact, aliases=["best"], tags=["t"]) is artifact
    assert (artifact.aliases, artifact.tags) == (["best", "latest"], ["t"])
    assert wandb.Api().artifact("data:best").version == "v0"


def test_several_runs_make_one_version(folder):
    for number in range(3):
        with wandb.init(group="g") as run:
            run.upsert_artifact(draft(**{f"part{number}": str(number)}), aliases=["whole"])
    with wandb.init(group="g") as run:
        done = run.finish_artifact(draft(last="x"))
    with wandb.init() as run, pytest.raises(TypeError, match="group"):
        run.upsert_artifact(draft(a="1"))
    assert sorted(done.manifest.entries) == ["last", "part0", "part1", "part2"]
    assert (done.version, done.aliases) == ("v0", ["latest", "whole"])
    assert [c.name for c in wandb.Api().artifact_collections(done.project, "dataset")] == ["data"]


def test_a_config_holds_artifacts_at_its_top(folder):
    logged(a="1")
    with wandb.init(config={"data": wandb.Api().artifact("data"), "n": 1}) as run:
        assert run.config["data"].name == "data:v0"
        run.config["again"] = f"wandb-artifact://https://host/local/{run.project}/data:v0"
        run.config["by id"] = f"wandb-artifact://_id/{run.config['data'].id}"
        run.config["said"] = run.config["data"].json_encode()
        assert {run.config[key].name for key in ("data", "again", "by id", "said")} == {"data:v0"}
        with pytest.raises(ValueError, match="top level"):
            run.config["deep"] = {"a": wandb.Api().artifact("data")}
        with pytest.raises(TypeError, match="WBValue"):
            run.config["image"] = wandb.Image(np.eye(2))
    found = wandb.Api().run(run.id)
    assert [a.name for a in found.used_artifacts()] == ["data:v0"]
    assert found.config["data"]["_type"] == "artifactVersion"


def test_paths_with_spaces_and_umlauts_survive(folder):
    (folder / "a b ü").write_text("x")
    artifact = wandb.Artifact("x", "dataset")
    artifact.add_file("a b ü")
    with wandb.init() as run:
        run.log_artifact(artifact)
    assert Path(artifact.download(), "a b ü").read_text() == "x"
