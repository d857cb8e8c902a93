"""Adding paths: versions, pins, what is kept from Git, and what is refused."""

import os
import unicodedata
from concurrent.futures import ThreadPoolExecutor

import pytest

from mlvc.errors import ConflictError, DamageError, InvalidNameError, LocalFileError, NotFoundError, UsageError
from mlvc.format.record import CHUNK_CODE
from mlvc.objects.ingest import Ingest
from mlvc.working_tree import lock_file
from mlvc.working_tree.lock_file import WHOLE
from mlvc.workspace import contents, pinning, publishing
from mlvc.workspace.workspace import Workspace


def held(tree, added):
    return [e.path for e in contents.of(tree.workspace, tree.view, added.member.version).manifest]


@pytest.fixture
def no_reading(monkeypatch):
    """Fails the test when the content of a file is read."""

    def read(*_args):
        raise AssertionError("content was read")

    monkeypatch.setattr("mlvc.working_tree.placing.digest_file", read)
    monkeypatch.setattr(Ingest, "add_files", lambda _self, paths, _: read() if list(paths) else [])


def test_a_file_becomes_a_version_and_its_path_a_pin(tree):
    added = tree.version("models/m.h5", b"weights")

    assert (tree.label(added), added.type, added.pin.entry) == ("m:v0", "model", "m.h5")
    assert tree.pins() == {"models/m.h5": "m:v0"}
    assert tree.changes() == []


def test_git_is_kept_away_by_the_gitignore_beside_the_file(tree):
    tree.version("models/m.h5", b"weights")

    assert (tree.root / "models/.gitignore").read_text() == "/m.h5\n"
    assert "m.h5" not in tree.git("status", "--porcelain", "--untracked-files=all").replace(".gitignore", "")


def test_a_folder_is_one_version_of_all_its_files(tree):
    tree.write("data/a.csv", "a")
    tree.write("data/sub/b.csv", "b")

    added = tree.add("data")

    assert held(tree, added) == ["a.csv", "sub/b.csv"]
    assert (added.pin.entry, added.type, tree.label(added)) == (WHOLE, "dataset", "data:v0")


def test_a_folder_that_holds_a_models_file_is_a_model(tree):
    tree.write("checkpoint/config.json", "{}")
    tree.write("checkpoint/model.safetensors", b"1")

    assert tree.add("checkpoint").type == "model"


def test_the_name_is_made_valid_and_a_pinned_path_keeps_its_own(tree):
    assert tree.label(tree.version("my data (2).csv", "a")) == "my-data-2:v0"
    assert tree.label(tree.version("x.csv", "a", name="table")) == "table:v0"
    assert tree.label(tree.version("x.csv", "b")) == "table:v1"


def test_a_new_version_of_a_path_has_the_pinned_one_as_base(tree):
    first = tree.version("x.csv", "a")
    second = tree.version("x.csv", "b")

    assert tree.view.publications(second.member.version)[0].base == first.member.version


def test_an_unchanged_file_is_neither_read_nor_committed(tree, request):
    tree.write("data/a.csv", "a")
    tree.age("data/a.csv")
    before = tree.add("data")
    wait_until_trusted(tree)
    request.getfixturevalue("no_reading")
    transactions = tree.transactions()

    again = tree.add("data")

    assert (again.published, again.member) == (None, before.member)
    assert tree.transactions() == transactions


def wait_until_trusted(tree):
    """Makes what the cache remembers look as if it had been read long after the files were changed."""
    tree.workspace.stat_cache._database.execute("UPDATE file SET read_ns = read_ns + 1000000000000")


def test_a_touched_file_of_equal_content_is_read_but_not_committed(tree):
    tree.version("x.csv", "a")
    tree.age("x.csv")

    assert tree.add("x.csv").published is None


def test_only_the_changed_file_of_a_folder_is_read(tree, monkeypatch):
    for name in ("a", "b", "c"):
        tree.write(f"data/{name}.csv", name)
    tree.add("data")
    wait_until_trusted(tree)
    tree.write("data/b.csv", "new and longer")
    read = []
    add_files = Ingest.add_files

    def noting(self, files, counterparts):
        files = list(files)
        read.extend(os.path.basename(seen.file) for _, seen in files)
        return add_files(self, files, counterparts)

    monkeypatch.setattr(Ingest, "add_files", noting)
    tree.add("data")

    assert read == ["b.csv"]
    assert tree.changes() == []


def test_an_alias_or_metadata_alone_is_something_to_say_once(tree):
    tree.version("x.csv", "a")

    assert tree.add("x.csv", aliases=["best"]).published is not None
    assert tree.add("x.csv", aliases=["best", "latest"]).published is None
    assert tree.add("x.csv", tags=["clean"]).published is not None
    assert tree.add("x.csv", tags=["clean"]).published is None
    assert tree.add("x.csv", description="the table").published is not None


def test_content_of_an_older_version_becomes_the_latest_again(tree):
    first = tree.version("x.csv", "a")
    tree.version("x.csv", "b")
    tree.checkout_version("x:v0")

    again = tree.add("x.csv")

    assert (again.published.is_new, again.member) == (False, first.member)
    assert tree.view.latest("demo/x") == first.member


def test_a_type_clash_is_found_also_when_nothing_changed(tree):
    tree.version("x.csv", "a")

    with pytest.raises(publishing.TypeClashError):
        tree.add("x.csv", type="model")


def test_adding_heals_content_that_was_found_damaged(tree):
    added = tree.version("x.csv", "precious" * 100)
    found = contents.of(tree.workspace, tree.view, added.member.version)
    place = tree.workspace.repository.objects.is_here(found.manifest["x.csv"].digest, CHUNK_CODE)
    pack = tree.workspace.repository.backend.path(place.pack.key)
    data = bytearray(pack.read_bytes())
    data[place.slot.offset + place.slot.stored_size - 1] ^= 1
    pack.write_bytes(data)
    with pytest.raises(DamageError, match="damaged"):
        b"".join(contents.read_entry(tree.workspace, found, "x.csv"))

    tree.add("x.csv")

    assert b"".join(contents.read_entry(tree.workspace, found, "x.csv")) == b"precious" * 100


# -- ignore patterns ----------------------------------------------------------------------------------------------------


def test_ignore_files_of_every_folder_count_and_the_deepest_decides(tree):
    tree.write(".mlvcignore", "*.tmp\n")
    tree.write("data/.mlvcignore", "!keep.tmp\ncache/\n")
    tree.write("data/raw/.mlvcignore", "secret.*\n")
    for path in ("a.tmp", "keep.tmp", "cache/x", "raw/secret.txt", "raw/ok.txt", "sub/secret.txt"):
        tree.write(f"data/{path}", path)

    added = tree.add("data")

    assert held(tree, added) == ["keep.tmp", "raw/ok.txt", "sub/secret.txt"]
    assert tree.changes() == []


def test_a_rule_in_a_folder_between_root_and_path_counts(tree):
    tree.write("exp/.mlvcignore", "*.log\n")
    tree.write("exp/one/data/a.log", "")
    tree.write("exp/one/data/a.csv", "")

    assert held(tree, tree.add("exp/one/data")) == ["a.csv"]
    assert tree.changes() == []


def test_a_pinned_file_that_a_new_rule_ignores_is_not_missing(tree):
    tree.write("data/a.csv", "a")
    tree.write("data/b.log", "b")
    tree.add("data")
    tree.write(".mlvcignore", "*.log\n")

    assert tree.changes() == []
    (tree.root / "data/b.log").unlink()
    assert tree.changes() == [("missing", "data/b.log")]


def test_a_folder_without_files_says_why(tree):
    (tree.root / "empty").mkdir()

    with pytest.raises(UsageError, match="holds no files"):
        tree.add("empty")


# -- links and odd files -------------------------------------------------------------------------------------------------


def test_links_are_followed_as_hugging_face_snapshots_need_it(tree, tmp_path):
    blob = tmp_path / "blob"
    blob.write_bytes(b"weights")
    tree.write("snapshot/config.json", "{}")
    (tree.root / "snapshot/model.safetensors").symlink_to(blob)
    (tree.root / "snapshot/more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/x").write_bytes(b"x")

    added = tree.add("snapshot")

    assert held(tree, added) == ["config.json", "model.safetensors", "more/x"]
    assert tree.changes() == []
    assert tree.checkout().written == 0, "a link to what is wanted is right already"
    assert (tree.root / "snapshot/model.safetensors").is_symlink()


def test_a_loop_of_links_is_refused(tree):
    tree.write("data/a.csv", "a")
    (tree.root / "data/loop").symlink_to(tree.root / "data")

    with pytest.raises(UsageError, match="links back to a folder above"):
        tree.add("data")


def test_a_link_to_itself_is_refused(tree):
    tree.write("data/a.csv", "a")
    (tree.root / "data/self").symlink_to("self")

    with pytest.raises(LocalFileError, match="leads nowhere"):
        tree.add("data")


@pytest.mark.parametrize("path", ["data", "data/gone"])
def test_a_dangling_link_is_refused_and_nothing_committed(tree, path):
    tree.write("data/a.csv", "a")
    (tree.root / "data/gone").symlink_to("nowhere")

    with pytest.raises(LocalFileError, match="is a link to nowhere"):
        tree.add(path)
    assert tree.transactions() == 0
    assert tree.pins() == {}


def test_device_files_and_pipes_are_refused(tree):
    (tree.root / "null").symlink_to("/dev/null")
    (tree.root / "data").mkdir()
    os.mkfifo(tree.root / "data/pipe")

    for path in ("null", "data", "data/pipe"):
        with pytest.raises(UsageError, match="device, socket or pipe"):
            tree.add(path)


def test_a_pipe_in_the_place_of_a_pinned_file_is_a_change_and_is_not_read(tree):
    tree.version("data/a.csv", "")
    (tree.root / "data/a.csv").unlink()
    os.mkfifo(tree.root / "data/a.csv")

    assert tree.changes() == [("modified", "data/a.csv")]
    with pytest.raises(ConflictError):
        tree.checkout()


# -- what cannot be pinned -------------------------------------------------------------------------------------------------


def test_a_tracked_path_is_refused_with_the_command_that_mends_it(tree):
    tree.write("data/it's.csv", "a")
    tree.git("add", "data")
    tree.git("commit", "-qm", "data")

    with pytest.raises(UsageError, match="Git tracks") as caught:
        tree.add("data")
    assert caught.value.hint is not None
    tree_git = caught.value.hint.split(" && ")[0]
    assert tree_git == f"git rm -r --cached {tree.root}/data"

    tree.git("rm", "-rq", "--cached", "data")
    tree.git("commit", "-qm", "mended")
    assert tree.label(tree.add("data")) == "data:v0"


def test_paths_within_each_other_are_refused(tree):
    tree.version("data/a.csv", "a")

    with pytest.raises(UsageError, match="lie within each other"):
        tree.add("data")
    assert tree.pins() == {"data/a.csv": "a:v0"}


@pytest.mark.parametrize("path", [".", "mlvc.toml", "mlvc.lock", ".git", ".git/hooks/x", "../elsewhere"])
def test_what_is_nobodys_artifact_is_refused(tree, path):
    with pytest.raises(UsageError):
        tree.add(path)


def test_what_is_not_there_is_not_found(tree):
    with pytest.raises(NotFoundError):
        tree.add("nothing.csv")


@pytest.mark.parametrize("name", ["registry/m", "m:v3", "demo/m:v3", "a b"])
def test_names_that_no_new_version_can_have_are_refused(tree, name):
    tree.write("m.h5", b"1")

    with pytest.raises(UsageError):
        tree.add("m.h5", name=name)


def test_two_paths_of_one_artifact_are_warned_about(tree):
    tree.version("train/data.csv", "a")

    assert "train/data.csv is pinned as 'data' too" in tree.version("test/data.csv", "b").warnings[0]
    assert tree.version("test/data.csv", "c").warnings == ()


# -- letter case and Unicode -----------------------------------------------------------------------------------------------


def test_case_collisions_are_warned_about_and_kept(tree):
    tree.write("data/Readme", "a")
    tree.write("data/README", "b")

    added = tree.add("data")

    assert len(added.warnings) == 1
    assert "letter case" in added.warnings[0]
    assert held(tree, added) == ["README", "Readme"]


def test_names_are_kept_in_one_unicode_form_and_found_in_the_other(tree):
    decomposed = unicodedata.normalize("NFD", "é.csv")
    tree.write(f"data/{decomposed}", "a")

    added = tree.add("data")

    assert held(tree, added) == ["é.csv"]
    assert tree.changes() == []
    assert tree.checkout().written == 0
    assert [p.name for p in (tree.root / "data").iterdir()] == [decomposed]


def test_two_names_that_are_one_to_unicode_are_refused(tree):
    tree.write("data/" + unicodedata.normalize("NFD", "é"), "a")
    tree.write("data/é", "b")

    with pytest.raises(InvalidNameError, match="Unicode form"):
        tree.add("data")


def test_a_name_that_is_no_unicode_is_refused(tree):
    path = os.fsdecode(os.fsencode(tree.root) + b"/data/\xff")
    os.mkdir(tree.root / "data")
    with open(path, "wb"):
        pass

    with pytest.raises(InvalidNameError):
        tree.add("data")


# -- the lock file ---------------------------------------------------------------------------------------------------------


def test_pins_of_commands_run_at_once_are_all_kept(tree):
    """Another command pins while this one stores its file."""
    tree.write("a.csv", "a")
    tree.write("b.csv", "b")
    publish = publishing.publish_unless

    def meanwhile(*args, **named):
        publishing.publish_unless = publish
        tree.add("b.csv")
        return publish(*args, **named)

    publishing.publish_unless = meanwhile
    try:
        tree.add("a.csv")
    finally:
        publishing.publish_unless = publish

    assert tree.pins() == {"a.csv": "a:v0", "b.csv": "b:v0"}


def test_many_commands_at_once_lose_no_pin_and_no_line_of_the_gitignore(tree):
    names = [f"p{n}.csv" for n in range(8)]

    def add(name):
        workspace = Workspace.find(tree.root)
        try:
            pinning.add(workspace, tree.write(name, name), "mlvc add")
        finally:
            workspace.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, names))

    assert sorted(lock_file.read(tree.root)) == names
    assert sorted((tree.root / ".gitignore").read_text().split()) == [f"/{name}" for name in names]


def test_unpinning_keeps_the_file_and_the_version(tree):
    tree.version("x.csv", "a")

    assert pinning.remove_pin(tree.workspace, tree.root / "x.csv").path == "x.csv"

    assert tree.pins() == {}
    assert tree.read("x.csv") == b"a"
    assert tree.view.latest("demo/x") is not None


def test_unpinning_what_is_not_pinned_names_near_ones(tree):
    tree.version("data.csv", "a")

    with pytest.raises(NotFoundError) as caught:
        pinning.remove_pin(tree.workspace, tree.root / "dat.csv")
    assert caught.value.hint == "pinned are data.csv"


@pytest.mark.parametrize("path", ["../escaped", ".git/hooks/post-checkout", "/tmp/escaped", "data/../../x", ".GIT/x"])
def test_a_lock_file_from_elsewhere_cannot_reach_out_of_the_tree(tree, path):
    added = tree.version("x.csv", "a")
    hostile = lock_file.Pin(path, added.member.version, "demo/x", "x.csv")
    lock_file.write(tree.root, {path: hostile})

    with pytest.raises(UsageError, match=r"mlvc\.lock pins"):
        tree.checkout(force=True)
    assert not (tree.root / path).exists()
