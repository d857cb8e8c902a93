"""Diff, lineage and why."""

import os

import pytest

from mlvc.errors import NotFoundError, UsageError
from mlvc.lineage import drawing
from mlvc.working_tree import lock_file
from mlvc.workspace import comparing, registry, run_recording, tracing
from mlvc.workspace.comparing import EntryChange
from mlvc.workspace.draft import Draft


def test_a_diff_names_paths_kinds_and_sizes(tree):
    tree.write("data/a", "a")
    tree.write("data/b", "b")
    tree.write("data/same", "same")
    before = tree.add("data", metadata={"rows": 1, "kept": [1], "gone": None}).member.version
    tree.write("data/a", "aa")
    (tree.root / "data/b").unlink()
    tree.write("data/new", "")
    after = tree.add("data", metadata={"rows": 2, "kept": [1], "loss": 0.5}).member.version

    assert comparing.versions(tree.workspace, tree.view, before, after) == [
        EntryChange("a", "modified", 1, 2),
        EntryChange("b", "removed", 1, None),
        EntryChange("new", "added", None, 0),
    ]
    assert comparing.versions(tree.workspace, tree.view, before, before) == []
    assert comparing.metadata_changes(tree.workspace, tree.view, before, after) == [
        ("gone", None, None),
        ("loss", None, 0.5),
        ("rows", 1, 2),
    ]


def test_files_against_pins_are_what_status_says(tree):
    tree.version("x.csv", "a")
    tree.version("y.csv", "a")
    tree.write("x.csv", "b")
    pins = lock_file.read(tree.root)

    found = comparing.against_files(tree.workspace, {"x.csv": pins["x.csv"]})

    assert [(c.kind, c.path) for pin in found.pins for c in pin.changes] == [("modified", "x.csv")]


# -- lineage -----------------------------------------------------------------------------------------------------------------


def run(tree, name, job_type, inputs=(), output=None, *, exit_code=0):
    """A run that uses versions and publishes a file; returns (id, version)."""
    active = run_recording.begin(tree.workspace, project="demo", name=name, facts={"job_type": job_type})
    for version in inputs:
        active.use(version, "typed:latest")
    published = None
    if output:
        collection, data = output
        published = active.publish(Draft(f"demo/{collection}", "model", {"m.bin": data}), "log_artifact").member
    active.finish(exit_code)
    return active.id, published


@pytest.fixture
def chain(tree):
    """build -> digits:v0 -> train -> net:v0 (best, registry/digits:v0 production) -> evaluate."""
    tree.build, tree.digits = run(tree, "build", "build_dataset", output=("digits", b"digits"))
    tree.train, tree.net = run(tree, "train", "train_model", [tree.digits.version], ("net", b"net"))
    tree.evaluate, _ = run(tree, "evaluate", "evaluate_model", [tree.net.version, tree.digits.version])
    registry.set_aliases(tree.workspace, "net:v0", ["best"], "alias")
    registry.link(tree.workspace, tree.net.version, "registry:model/digits", ["production"], "link")
    return tree


def text(tree, start, **named):
    return drawing.as_text(tracing.lineage(tree.workspace, tree.view, start, **named))


def test_the_lineage_reads_from_run_to_artifact_to_run(chain):
    assert text(chain, chain.net) == (
        "run build  (build_dataset)\n"
        "└─> digits:v0  (model)\n"
        "   ├─> run train  (train_model)\n"
        "   │  └─> net:v0  (model)  [best, registry/digits:v0 (production)]  *\n"
        "   │     └─> run evaluate  (evaluate_model)\n"
        "   └─> run evaluate  (evaluate_model)  (see above)\n"
    )


def test_a_link_traces_its_source(chain):
    linked = chain.view.member("registry:model/digits", chain.net.version)

    assert text(chain, linked) == text(chain, chain.net)


def test_depth_and_directions_bound_the_walk(chain):
    assert text(chain, chain.net, down=False, depth=1) == (
        "run train  (train_model)\n└─> net:v0  (model)  [best, registry/digits:v0 (production)]  *\n"
    )
    assert text(chain, chain.evaluate, up=False) == "run evaluate  (evaluate_model)  *\n"


def test_a_run_that_failed_is_marked(chain):
    failed, _ = run(chain, "broken", "train_model", [chain.digits.version], exit_code=1)

    assert "run broken  (train_model)  [failed]  *" in text(chain, failed, depth=1)


def test_what_a_deleted_run_made_still_has_its_lineage(chain, tmp_path):
    registry.delete_run(chain.workspace, chain.train, "delete")

    assert "(run)  [deleted]" in text(chain, chain.net)
    found = tracing.why(chain.workspace, chain.view, chain.write("copy", b"net"))
    assert [origin.runs for origin in found] == [()]


def test_a_very_long_chain_is_drawn(tree):
    from mlvc.lineage.graph import ARTIFACT, RUN, Graph, Node

    keys = [(RUN if n % 2 else ARTIFACT, n.to_bytes(2, "big")) for n in range(1500)]
    nodes = tuple(Node(key, str(place), "x") for place, key in enumerate(keys))

    drawn = drawing.as_text(Graph(keys[0], nodes, tuple(zip(keys, keys[1:], strict=False))))

    assert len(drawn.splitlines()) == 1500


# -- why -------------------------------------------------------------------------------------------------------------------


def test_why_finds_a_renamed_file_by_its_content(chain, tmp_path):
    chain.write("code.py", "pass")
    chain.git("add", "code.py")
    chain.git("commit", "-qm", "code")
    commit = chain.git("rev-parse", "HEAD").strip()
    _, tuned = run(chain, "tune", "train_model", [chain.net.version], ("net", b"tuned"))
    copy = tmp_path / "somewhere.bin"
    copy.write_bytes(b"tuned")

    (origin,) = tracing.why(chain.workspace, chain.view, copy)

    assert (origin.member, origin.entry_path) == (tuned, "m.bin")
    assert (origin.commit, origin.inputs) == (commit, ("net:v0",))
    assert [chain.workspace.value(chain.view.run(r).facts["name"]) for r in origin.runs] == ["tune"]


def test_why_lists_every_version_that_holds_the_content_the_newest_first(tree):
    for other in ("1", "2"):
        tree.write("data/other", other)
        tree.write("data/same", "same")
        tree.add("data")

    found = tracing.why(tree.workspace, tree.view, tree.root / "data/same")

    assert [(o.member.label, o.entry_path) for o in found] == [("v1", "same"), ("v0", "same")]


def test_why_of_unknown_content_says_its_digest(tree):
    tree.version("x.csv", "a")

    with pytest.raises(NotFoundError, match="BLAKE3 [0-9a-f]{64}"):
        tracing.why(tree.workspace, tree.view, tree.write("other", "unknown"))


def test_why_of_a_pipe_or_folder_is_a_usage_error(tree):
    os.mkfifo(tree.root / "pipe")

    for path in (tree.root / "pipe", tree.root):
        with pytest.raises(UsageError):
            tracing.why(tree.workspace, tree.view, path)
