"""`Api`: runs by filters and orders, what is said of them later, collections and registries."""

import pytest

import mlvc as wandb
from mlvc.api.filters import MISSING, at_path, compiled
from mlvc.errors import UsageError

pd = pytest.importorskip("pandas")


@pytest.fixture
def runs(folder):
    """Five runs: n counts, lr halves, tags and states differ."""
    for n in range(5):
        with wandb.init(id=f"r{n}", name=f"name-{n}", group="even" if n % 2 == 0 else "odd", job_type="train", tags=["t", f"t{n}"]) as run:
            run.config.update({"n": n, "opt": {"lr": 0.5**n}})
            run.log({"acc": n / 10})
            if n == 4:
                run.finish(exit_code=1)
    return wandb.Api()


def ids(found):
    return [run.id for run in found]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (None, "01234"),
        ({}, "01234"),
        ({"config.n": 3}, "3"),
        ({"config.n.value": 3}, "3"),
        ({"config.opt.lr": {"$lt": 0.3}}, "234"),
        ({"config.n": {"$gt": 0, "$lte": 2}}, "12"),
        ({"config.n": {"$in": [1, 4, 9]}}, "14"),
        ({"config.n": {"$nin": [1, 4]}}, "023"),
        ({"config.n": {"$ne": 0}}, "1234"),
        ({"config.n": {"$not": {"$gt": 2}}}, "012"),
        ({"config.nothing": {"$exists": False}, "config.n": {"$exists": True}, "state": "finished"}, "0123"),
        ({"summary_metrics.acc": {"$gte": 0.3}}, "34"),
        ({"state": "failed"}, "4"),
        ({"tags": "t3"}, "3"),
        ({"tags": {"$in": ["t1", "t2"]}}, "12"),
        ({"group": "odd"}, "13"),
        ({"jobType": "train", "displayName": {"$regex": "-[01]$"}}, "01"),
        ({"$or": [{"config.n": 0}, {"name": "r4"}]}, "04"),
        ({"$and": [{"config.n": {"$gt": 0}}, {"group": "even"}]}, "24"),
        ({"$nor": [{"group": "even"}, {"config.n": 1}]}, "3"),
        ({"created_at": {"$gt": "2000-01-01"}}, "01234"),
        ({"config.nothing": None}, "01234"),
        ({"config.n": {"$gt": "a"}}, ""),
    ],
)
def test_filters_are_mongos(runs, filters, expected):
    assert ids(runs.runs(filters=filters)) == [f"r{n}" for n in expected]


@pytest.mark.parametrize(
    "wrong",
    [{"$xor": []}, {"a": {"$near": 1}}, {"a": {"$in": "text"}}, {"$or": {"a": 1}}, {"a": {"$regex": "("}}, {"a": {"$not": 3}}, [1]],
)
def test_filters_that_mean_nothing_are_usage_errors(wrong):
    with pytest.raises(UsageError):
        compiled(wrong)


def test_a_path_finds_keys_with_dots_and_nested_ones():
    assert at_path({"a.b": 1, "a": {"c": 2, "d.e": 3}}, "a.b") == 1
    assert (at_path({"a": {"c": 2}}, "a.c"), at_path({"a": {"d.e": 3}}, "a.d.e")) == (2, 3)
    assert at_path({"a": 1}, "a.b") is MISSING


@pytest.mark.parametrize(
    ("order", "expected"),
    [("+created_at", "01234"), ("-created_at", "43210"), ("-summary_metrics.acc", "43210"), ("+config.opt.lr", "43210"), ("-state", "01234")],
)
def test_runs_come_in_the_order_that_was_asked_for(runs, order, expected):
    assert ids(runs.runs(order=order)) == [f"r{n}" for n in expected]


def test_lists_are_read_when_they_are_looked_at(runs):
    found = runs.runs()
    assert (len(found), found[0].id, found[-1].id, ids(found[1:3]), found.length) == (5, "r0", "r4", ["r1", "r2"], 5)
    one = runs.runs()
    assert (one.next().id, one.next().id, one.more, one.cursor) == ("r0", "r1", True, "3")
    assert bool(runs.runs(filters={"state": "nothing"})) is False
    assert ids(runs.runs("local/work")) == ids(runs.runs("work"))


def test_history_is_a_frame_thinned_out_or_all_of_it(folder):
    with wandb.init() as run:
        for n in range(50):
            run.log({"a": n, **({"b": -n} if n % 5 == 0 else {})})
    found = wandb.Api().run(run.path)
    assert isinstance(found.history(), pd.DataFrame)
    assert len(found.history(samples=7)) == 7
    assert found.history(samples=3, pandas=False)[-1]["a"] == 49
    assert list(found.history(keys=["b"]).columns) == ["b", "_step"]
    assert [row for row in found.scan_history(keys=["b"])][:2] == [{"b": 0}, {"b": -5}]
    assert [row["a"] for row in found.scan_history(min_step=10, max_step=13)] == [10, 11, 12]
    assert found.lastHistoryStep == 49
    with pytest.raises(wandb.UsageError, match="stream"):
        found.history(stream="other")


def test_what_is_said_of_a_run_later_is_stored_by_update(runs):
    run = runs.run("r1")
    run.config["added"] = {"a": 1}
    del run.config["n"]
    run.summary["acc"] = 1.0
    run.tags.append("later")
    run.name, run.notes = "renamed", "said later"
    run.update()
    found = wandb.Api().run("r1")
    assert (found.config["added"], "n" in found.config, found.summary["acc"]) == ({"a": 1}, False, 1.0)
    assert (found.tags, found.name, found.notes, found.state) == (["later", "t", "t1"], "renamed", "said later", "finished")
    found.summary.update({"best": 2})
    assert wandb.Api().run("r1").summary["best"] == 2
    found.update()
    assert ids(wandb.Api().runs()) == ["r0", "r1", "r2", "r3", "r4"]


def test_edges_and_files_are_added_to_a_run_that_ended(runs, folder):
    artifact = wandb.Artifact("a", "dataset")
    with artifact.new_file("x") as file:
        file.write("1")
    artifact.save()
    run = runs.run("r0")
    run.use_artifact(artifact, use_as="data")
    runs.run("r1").log_artifact(artifact, aliases=["best"], tags=["good"])
    assert [a.name for a in run.used_artifacts()] == ["a:v0"]
    assert [a.name for a in runs.run("r1").logged_artifacts()] == ["a:v0"]
    assert (runs.artifact("a:best").tags, [r.id for r in artifact.used_by()]) == (["good"], ["r0"])
    for call in (run.use_artifact, run.log_artifact):
        with pytest.raises(ValueError, match="existing artifacts"):
            call(wandb.Artifact("draft", "dataset"))
    (folder / "note.txt").write_text("hello")
    run.upload_file("note.txt")
    (folder / "more.txt").write_text("more")
    assert run.upload_file("more.txt").size == 4
    assert [f.name for f in runs.run("r0").files()] == ["more.txt", "note.txt"]


def test_a_run_is_deleted_with_what_it_made_when_asked(folder):
    artifact = wandb.Artifact("a", "dataset")
    with artifact.new_file("x") as file:
        file.write("1")
    with wandb.init(id="gone") as run:
        run.log_artifact(artifact)
    wandb.Api().run("gone").delete(delete_artifacts=True)
    with pytest.raises(wandb.CommError):
        wandb.Api().run("gone")
    assert not wandb.Api().artifact_exists("a:v0")


def test_a_run_can_be_recorded_without_a_process(folder):
    run = wandb.Api().create_run(run_id="made", project="p")
    assert (run.id, run.project, run.state, run.path) == ("made", "p", "finished", ["local", "p", "made"])


def versions(name="data", kind="dataset", count=3, tags=()):
    for n in range(count):
        artifact = wandb.Artifact(name, kind)
        with artifact.new_file("x") as file:
            file.write(f"{name}{n}")
        with wandb.init() as run:
            run.log_artifact(artifact, tags=[f"t{n}", *tags])


def test_versions_collections_and_types_are_listed(folder):
    versions()
    versions("model", "model", 1)
    api = wandb.Api()
    assert [a.name for a in api.artifacts("dataset", "data")] == ["data:v2", "data:v1", "data:v0"]
    assert [a.version for a in api.artifacts("dataset", "data", order="+version_index")] == ["v0", "v1", "v2"]
    assert [a.version for a in api.artifacts("dataset", "data", tags=["t1"])] == ["v1"]
    assert (len(api.artifacts("dataset", "data")), len(api.artifact_versions("dataset", "data"))) == (3, 3)
    assert [t.name for t in api.artifact_types()] == ["dataset", "model"]
    assert [c.name for c in api.artifact_type("model").collections()] == ["model"]
    assert api.artifact_type("model").collection("model").is_sequence()
    assert [c.name for c in api.artifact_collections("work", "dataset")] == ["data"]
    assert (api.artifact_collection_exists("data", "dataset"), api.artifact_collection_exists("data", "model")) == (True, False)
    assert [p.name for p in api.projects()] == ["work"]
    for call in (
        lambda: api.artifacts("model", "data"),
        lambda: api.artifact("data:v9"),
        lambda: api.artifact("data", type="model"),
        lambda: api.artifact_type("nothing"),
        lambda: api.artifacts("dataset", "data", order="size"),
        lambda: api.artifacts("dataset", "data", start="x"),
    ):
        with pytest.raises(wandb.CommError):
            call()


def test_a_collection_is_described_tagged_and_deleted(folder):
    versions()
    collection = wandb.Api().artifact_collection("dataset", "data")
    collection.description = "all of it"
    collection.tags = ["a", "b"]
    collection.save()
    found = wandb.Api().artifact_collection("dataset", "data")
    assert (found.description, found.tags, found.aliases, found.type) == ("all of it", ["a", "b"], ["latest"], "dataset")
    assert (found.created_at[:2], found.updated_at[:2], len(found.artifacts())) == ("20", "20", 3)
    found.tags = ["b"]
    found.save()
    assert wandb.Api().artifact_collection("dataset", "data").tags == ["b"]
    with pytest.raises(wandb.UsageError, match="never renamed"):
        found.name = "other"
    with pytest.raises(wandb.UsageError, match="does not change"):
        found.change_type("model")
    found.delete()
    assert not wandb.Api().artifact_collection_exists("data", "dataset")


def test_registries_hold_links_with_numbers_of_their_own(folder):
    versions("m", "model")
    api = wandb.Api()
    api.artifact("m:v1").link("wandb-registry-prod/digits", aliases=["staging"])
    api.artifact("m:v0").link("wandb-registry-prod/digits", aliases=["production"])
    api.artifact("m:v0").link("registry/other")
    assert [r.name for r in api.registries()] == ["model", "prod"]
    assert [r.name for r in api.registries(filter={"name": {"$regex": "pro"}})] == ["prod"]
    registry = api.registry("prod")
    assert [c.name for c in registry.collections()] == ["digits"]
    assert [(a.name, a.source_name) for a in registry.versions()] == [("digits:v1", "m:v0"), ("digits:v0", "m:v1")]
    assert [a.name for a in registry.versions(filter={"alias": "staging"})] == ["digits:v0"]
    assert [a.source_version for a in registry.versions(filter={"tag": "t1"})] == ["v1"]
    assert (registry.full_name, registry.artifact_types) == ("wandb-registry-prod", ["model"])
    history = registry.collections()[0].history()
    assert [(h["action"], h["alias"]) for h in history] == [("move", "production"), ("link", ""), ("move", "staging"), ("link", "")]
    with pytest.raises(ValueError, match="exists"):
        api.create_registry("prod")
    assert api.create_registry("fresh").collections().to_list() == []
    registry.delete()
    assert (api.artifact_exists("m:v0"), api.artifact_exists("wandb-registry-prod/digits")) == (True, False)


def test_what_lives_on_a_server_says_so(folder):
    versions(count=1)
    api = wandb.Api()
    for call in (api.sweep, api.reports, api.team, api.job, api.automations, api.run_queue, api.integrations, api.create_custom_chart):
        with pytest.raises(wandb.UsageError, match="server"):
            call("x")
    assert (api.default_entity, api.viewer.username, api.viewer.email) == ("local", "Ada", "ada@example.org")
