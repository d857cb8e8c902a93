"""Status and checkout: what differs, what is written, and what is never overwritten."""

import os
import shutil

import pytest

from mlvc.errors import ConflictError, NotFoundError, UsageError
from mlvc.format.ids import VersionId
from mlvc.working_tree import lock_file
from mlvc.working_tree.lock_file import WHOLE, Pin
from mlvc.workspace import pinning


@pytest.fixture
def two(tree):
    """`x:v0` (a) and `x:v1` (bb), pinned at x.csv."""
    tree.version("x.csv", "a")
    tree.version("x.csv", "bb")
    return tree


@pytest.fixture
def folder(tree):
    """`data:v0` (a, sub/b) and `data:v1` (a changed, c), pinned at data."""
    tree.write("data/a", "a")
    tree.write("data/sub/b", "b")
    tree.add("data")
    tree.write("data/a", "a2")
    (tree.root / "data/sub/b").unlink()
    tree.write("data/c", "c")
    tree.add("data")
    return tree


# -- status --------------------------------------------------------------------------------------------------------------


def test_status_names_what_is_modified_missing_and_new(folder):
    folder.write("data/a", "changed")
    (folder.root / "data/c").unlink()
    folder.write("data/d", "d")

    assert folder.changes() == [("modified", "data/a"), ("missing", "data/c"), ("new", "data/d")]


def test_a_change_that_keeps_size_and_modification_time_is_found(two):
    found = (two.root / "x.csv").stat()
    two.add("x.csv")
    two.write("x.csv", "cc")
    os.utime(two.root / "x.csv", ns=(found.st_atime_ns, found.st_mtime_ns))

    assert two.changes() == [("modified", "x.csv")]


def test_what_looks_unchanged_is_not_read_again(two, monkeypatch):
    assert two.changes() == []
    two.workspace.stat_cache._database.execute("UPDATE file SET read_ns = read_ns + 1000000000000")
    monkeypatch.setattr("mlvc.working_tree.placing.digest_file", lambda path: pytest.fail(f"{path} was read"))

    assert two.changes() == []


def test_status_tells_of_a_newer_version(two):
    two.checkout_version("x:v0")

    assert [(p.label, p.newer) for p in pinning.status(two.workspace).pins] == [("x:v0", "x:v1")]


def test_a_pin_of_an_unknown_version_is_reported_and_its_checkout_refused(tree):
    lock_file.write(tree.root, {"x.csv": Pin("x.csv", VersionId(b"\7" * 32), "demo/x", "x.csv")})

    assert tree.changes() == [("unknown", "x.csv")]
    with pytest.raises(NotFoundError, match="not known here"):
        tree.checkout()


# -- checkout of pins ------------------------------------------------------------------------------------------------------


def test_checkout_restores_what_is_missing_and_leaves_the_rest_alone(folder):
    before = (folder.root / "data/a").stat()
    (folder.root / "data/c").unlink()

    done = folder.checkout()

    assert (done.written, done.unchanged, done.bytes_written) == (1, 1, 1)
    assert folder.read("data/c") == b"c"
    assert (folder.root / "data/a").stat() == before


def test_a_whole_folder_comes_back(folder):
    shutil.rmtree(folder.root / "data")

    assert folder.checkout().written == 2
    assert folder.changes() == []


def test_checkout_takes_paths_and_folders_above_pins(tree):
    tree.version("in/x.csv", "x")
    tree.version("in/y.csv", "y")
    tree.version("z.csv", "z")
    for path in ("in/x.csv", "in/y.csv", "z.csv"):
        (tree.root / path).unlink()

    tree.checkout("in/x.csv")
    assert not (tree.root / "in/y.csv").exists()
    tree.checkout("in")
    assert not (tree.root / "z.csv").exists()
    assert tree.checkout(".").written == 1


def test_a_path_that_is_not_pinned_is_refused_before_anything_is_written(two):
    (two.root / "x.csv").unlink()

    with pytest.raises(NotFoundError, match="y.csv is not pinned"):
        two.checkout("x.csv", "y.csv")
    assert not (two.root / "x.csv").exists()


def test_unsaved_changes_are_never_overwritten_and_nothing_else_is_touched(tree):
    tree.version("a.csv", "a")
    tree.version("b.csv", "b")
    (tree.root / "a.csv").unlink()
    tree.write("b.csv", "my work")

    with pytest.raises(ConflictError, match="b.csv: changed here and saved nowhere"):
        tree.checkout()
    assert not (tree.root / "a.csv").exists()
    assert tree.read("b.csv") == b"my work"

    assert tree.checkout(force=True).written == 2
    assert tree.read("b.csv") == b"b"


def test_files_of_your_own_in_a_pinned_folder_stay(folder):
    folder.write("data/mine", "mine")

    folder.checkout(force=True)
    folder.checkout_version("data:v0")

    assert folder.read("data/mine") == b"mine"


# -- checkout of versions --------------------------------------------------------------------------------------------------


def test_checking_out_a_version_writes_and_pins_it(two):
    pin, done = two.checkout_version("x:v0")

    assert (pin.path, done.written) == ("x.csv", 1)
    assert two.read("x.csv") == b"a"
    assert two.pins() == {"x.csv": "x:v0"}
    assert two.changes() == []


def test_files_that_the_other_version_does_not_know_go_with_their_folders(folder):
    _, done = folder.checkout_version("data:v0")
    assert (done.written, done.removed) == (2, 1)
    assert folder.changes() == []

    folder.checkout_version("data:v1")
    assert not (folder.root / "data/sub").exists()
    assert folder.changes() == []


def test_a_changed_file_that_the_other_version_does_not_know_is_not_removed(folder):
    folder.write("data/c", "my work")

    with pytest.raises(ConflictError, match="data/c"):
        folder.checkout_version("data:v0")
    assert folder.read("data/c") == b"my work"
    assert folder.pins() == {"data": "data:v1"}

    folder.checkout_version("data:v0", force=True)
    assert not (folder.root / "data/c").exists()


def test_a_file_becomes_a_folder_and_a_folder_a_file(tree):
    tree.write("data/a", "file")
    tree.write("data/z", "z")
    tree.add("data")
    (tree.root / "data/a").unlink()
    tree.write("data/a/b/c", "deep")
    tree.add("data")

    tree.checkout_version("data:v0")
    assert tree.read("data/a") == b"file"
    assert tree.changes() == []
    tree.checkout_version("data:v1")
    assert tree.read("data/a/b/c") == b"deep"
    assert tree.changes() == []


def test_a_folder_with_other_files_in_the_way_is_never_removed(two):
    (two.root / "x.csv").unlink()
    two.write("x.csv/mine", "mine")

    with pytest.raises(ConflictError, match="a folder with other files"):
        two.checkout(force=True)
    assert two.read("x.csv/mine") == b"mine"


def test_nothing_is_written_or_removed_through_a_link(folder, tmp_path):
    outside = tmp_path / "outside"
    shutil.move(folder.root / "data", outside)
    (folder.root / "data").symlink_to(outside)

    assert folder.changes() == []
    assert folder.checkout().written == 0
    with pytest.raises(ConflictError, match="data is a link"):
        folder.checkout_version("data:v0", force=True)
    assert sorted(p.name for p in outside.iterdir()) == ["a", "c", "sub"]
    assert (outside / "a").read_text() == "a2"


def test_a_link_to_a_file_is_replaced_and_what_it_leads_to_stays(two, tmp_path):
    target = tmp_path / "kept"
    shutil.move(two.root / "x.csv", target)
    (two.root / "x.csv").symlink_to(target)

    two.checkout_version("x:v0")

    assert not (two.root / "x.csv").is_symlink()
    assert target.read_bytes() == b"bb"


def test_a_version_that_is_pinned_nowhere_goes_to_its_name_and_is_kept_from_git(two):
    pinning.remove_pin(two.workspace, two.root / "x.csv")
    (two.root / "x.csv").rename(two.root / "elsewhere.csv")
    (two.root / ".gitignore").unlink()

    pin, _ = two.checkout_version("x:v0")

    assert (pin.path, pin.entry) == ("x.csv", "x.csv")
    assert (two.root / ".gitignore").read_text() == "/x.csv\n"


def test_a_folder_that_is_pinned_nowhere_goes_to_the_artifacts_name(folder):
    pinning.remove_pin(folder.workspace, folder.root / "data")
    shutil.rmtree(folder.root / "data")

    pin, _ = folder.checkout_version("data")

    assert (pin.path, pin.entry) == ("data", WHOLE)
    assert folder.changes() == []


def test_a_single_file_goes_to_the_path_given_or_into_the_folder_given(two):
    two.write("models/other", "")

    assert two.checkout_version("x:v0", "y.csv")[0].path == "y.csv"
    assert two.checkout_version("x:v0", "models")[0].path == "models/x.csv"
    assert two.read("y.csv") == two.read("models/x.csv") == b"a"
    assert two.pins() == {"x.csv": "x:v1", "y.csv": "x:v0", "models/x.csv": "x:v0"}


def test_an_artifact_pinned_at_two_paths_asks_which(two):
    two.checkout_version("x:v0", "y.csv")

    with pytest.raises(UsageError, match="pinned at x.csv and y.csv"):
        two.checkout_version("x:v0")


def test_somebody_elses_file_at_the_path_is_not_overwritten(two):
    two.write("y.csv", "mine")

    with pytest.raises(ConflictError):
        two.checkout_version("x:v0", "y.csv")
    assert two.read("y.csv") == b"mine"


def test_a_tracked_path_is_not_checked_out_over(two):
    two.write("y.csv", "code")
    two.git("add", "y.csv")

    with pytest.raises(UsageError, match="Git tracks"):
        two.checkout_version("x:v0", "y.csv", force=True)
    assert two.read("y.csv") == b"code"


def test_paths_below_the_working_tree_only(two):
    with pytest.raises(UsageError, match="outside"):
        two.checkout_version("x:v0", "../y.csv")


# -- what gc spares ----------------------------------------------------------------------------------------------------------


def test_the_pins_of_every_worktree_are_kept(two):
    two.git("add", "mlvc.toml", "mlvc.lock", ".gitignore")
    two.git("commit", "-qm", "pins")
    two.git("worktree", "add", "-q", "-b", "other", "../other place")
    other = two.root.parent / "other place"
    versions = {m.number: m.version for m in two.view.members("demo/x")}

    two.checkout_version("x:v0")

    assert list(lock_file.read(other)) == ["x.csv"]
    assert set(pinning.kept_versions(two.workspace)) == {versions[0], versions[1]}


def test_inputs_of_runs_under_way_are_kept(two):
    from mlvc.workspace import run_recording

    version = two.view.latest("demo/x").version
    pinning.remove_pin(two.workspace, two.root / "x.csv")
    run = run_recording.begin(two.workspace, project="demo")
    run.use(version, "x:latest")

    assert pinning.kept_versions(two.workspace) == [version]
    run.finish()
