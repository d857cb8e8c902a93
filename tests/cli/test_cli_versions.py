"""Versions, names and files from the command line, as a person types them."""


def test_add_prints_one_line_a_result(shell):
    shell("init")
    shell.write("models/mnist.h5", b"x" * 5000)
    said = shell("add", "models/mnist.h5")
    assert said.out.startswith("mnist:v0 @")
    assert "1 file, 5.0 kB (" in said.out
    assert "new)  model" in said.out


def test_add_keeps_git_away_from_the_file_and_pins_it(repository):
    assert repository.git("status", "--porcelain", "models").strip() == "?? models/"
    assert "m.h5" not in repository.git("ls-files", "--others", "--exclude-standard")
    assert repository.json("status")["pins"][0]["path"] == "models/m.h5"


def test_adding_what_did_not_change_makes_no_version(repository):
    assert "unchanged" in repository("add", "models/m.h5").out
    assert len(repository.json("ls", "m")) == 2


def test_ls_shows_types_latest_and_aliases(repository):
    (row,) = repository.json("ls")
    assert (row["name"], row["type"], row["versions"], row["latest"]) == ("m", "model", 2, "v1")
    assert set(row["aliases"]) == {"best", "latest"}


def test_show_says_metadata_files_and_ids(repository):
    shown = repository.json("show", "m:best")
    assert shown["version"] == "v0"
    assert shown["metadata"] == {"acc": 0.9}
    assert [f["path"] for f in shown["files"]] == ["m.h5"]
    assert repository.json("show", f"m@{shown['id'][:8]}")["id"] == shown["id"]


def test_status_tells_a_changed_file_and_exit_code_is_asked_for(repository):
    repository.write("models/m.h5", b"changed")
    assert "modified:" in repository("status").out
    repository("status", "--exit-code", code=1)


def test_checkout_never_overwrites_unsaved_changes(repository):
    path = repository.write("models/m.h5", b"precious")
    said = repository("checkout", "m:v0", code=3)
    assert "saved nowhere" in said.err
    assert path.read_bytes() == b"precious"
    repository("checkout", "m:v0", "--force")
    assert path.read_bytes() == b"one" * 1000


def test_checkout_restores_a_missing_file(repository):
    (repository.folder / "models/m.h5").unlink()
    assert "missing:" in repository("status").out
    repository("checkout")
    assert (repository.folder / "models/m.h5").read_bytes() == b"two" * 2000


def test_get_writes_and_does_not_pin(repository):
    before = (repository.folder / "mlvc.lock").read_bytes()
    repository("get", "m:v0")
    assert (repository.folder / "artifacts/m:v0/m.h5").read_bytes() == b"one" * 1000
    assert (repository.folder / "mlvc.lock").read_bytes() == before


def test_cat_prints_bytes_and_names_what_there_is(repository):
    assert repository("cat", "m:v0", "m.h5").out == "one" * 1000
    said = repository("cat", "m:v0", "m.h6", code=4)
    assert "hint: it has m.h5" in said.err


def test_diff_compares_two_versions(repository):
    found = repository.json("diff", "m:v0", "m:v1")
    assert [(f["path"], f["kind"]) for f in found["files"]] == [("m.h5", "modified")]


def test_alias_set_and_rm(repository):
    repository("alias", "set", "m:v1", "production")
    assert repository.json("show", "m:production")["version"] == "v1"
    repository("alias", "rm", "m:production")
    repository("show", "m:production", code=4)


def test_latest_can_be_neither_set_nor_removed(repository):
    assert "latest" in repository("alias", "set", "m:v0", "latest", code=2).err
    repository("alias", "rm", "m:latest", code=2)


def test_link_promotes_in_the_registry(repository):
    repository("link", "m:v1", "registry/digits", "--alias", "production")
    shown = repository.json("show", "registry/digits:production")
    assert (shown["version"], shown["source"]) == ("v0", "demo/m:v1")
    repository("unlink", "registry/digits:v0")
    repository("show", "registry/digits:v0", code=4)


def test_link_into_something_else_than_the_registry_is_a_usage_error(repository):
    assert "registry/digits" in repository("link", "m:v1", "digits", code=2).err


def test_delete_refuses_names_and_undo_brings_back(repository):
    assert "best" in repository("delete", "m:v0", code=3).err
    repository("delete", "m:v0", "--force")
    assert "was deleted" in repository("show", "m:v0", code=4).err
    repository("undo")
    assert repository.json("show", "m:best")["version"] == "v0"


def test_numbers_are_not_used_again_after_a_delete(repository):
    repository("delete", "m:v1")
    repository.write("models/m.h5", b"three")
    repository("add", "models/m.h5")
    assert repository.json("show", "m:latest")["version"] == "v2"


def test_an_unknown_name_gives_near_ones(repository):
    assert "did you mean m" in repository("show", "mm", code=4).err
    assert "the newest is v1" in repository("show", "m:v7", code=4).err
    assert "best" in repository("show", "m:bets", code=4).err


def test_a_type_clash_is_a_conflict(repository):
    repository.write("other.csv", "a")
    said = repository("add", "other.csv", "--name", "m", "--type", "dataset", code=3)
    assert "already exists with type 'model'" in said.err


def test_words_of_other_tools_are_answered_with_the_right_verb(shell):
    assert "mlvc add" in shell("commit", code=2).err
    assert "mlvc push" in shell("sync", code=2).err
    assert "did you mean status" in shell("statsu", code=2).err


def test_outside_a_repository_the_hint_says_init(shell):
    assert "mlvc init" in shell("ls", code=4).err


def test_gc_frees_what_was_deleted_and_fsck_is_content(repository):
    repository("delete", "m:v0", "--force")
    assert repository.json("gc", "--dry-run")["packs"] == 0
    freed = repository.json("gc", "--grace", "0")
    assert freed["packs"] > 0
    assert "all is well" in repository("fsck").out
    assert repository.json("show", "m:v1")["version"] == "v1"


def test_why_names_the_version_of_a_file_anywhere(repository, tmp_path):
    copy = tmp_path / "renamed.bin"
    copy.write_bytes(b"one" * 1000)
    (origin,) = repository.json("why", str(copy))
    assert (origin["name"], origin["path"]) == ("m:v0", "m.h5")


def test_oplog_lists_commands(repository):
    commands = [t["command"] for t in repository.json("oplog")]
    assert commands[0] == "mlvc add models/m.h5"


def test_secrets_on_the_command_line_are_masked_in_the_log(repository):
    repository("add", "models/m.h5", "--meta", "api_token=hunter2", "--alias", "x")
    assert "hunter2" not in repository("oplog").out


def test_a_name_with_brackets_is_no_pattern(repository):
    """Git tracks a1.csv; a[1].csv is another file."""
    repository.write("a1.csv", "tracked")
    repository.git("add", "a1.csv")
    repository.write("a[1].csv", "ours")
    repository("add", "a[1].csv", "--name", "ours")
    assert "a[1].csv" in [pin["path"] for pin in repository.json("status")["pins"]]


def test_a_gitignore_in_another_encoding_is_kept_as_it_is(repository):
    repository.write("sub/.gitignore", b"/caf\xe9")
    repository.write("sub/x.csv", "a")
    repository("add", "sub/x.csv")
    assert (repository.folder / "sub/.gitignore").read_bytes() == b"/caf\xe9\n/x.csv\n"


def test_undoing_a_first_add_says_that_the_path_is_not_pinned_any_more(repository):
    repository.write("x.csv", "a")
    repository("add", "x.csv")
    assert "x.csv is not pinned any more" in repository("undo").out


def test_metadata_added_to_content_that_is_there_already_is_shown(repository):
    repository("add", "models/m.h5", "--meta", "acc=0.95", "--description", "tuned")
    shown = repository.json("show", "m:v1")
    assert (shown["metadata"], shown["description"]) == ({"acc": 0.95}, "tuned")
    repository("add", "models/m.h5", "--meta", "f1=0.5")
    assert repository.json("show", "m:v1")["metadata"] == {"acc": 0.95, "f1": 0.5}
    assert "v2" not in repository("log", "m").out


def test_a_file_inside_a_pinned_folder_is_restored_alone(repository):
    repository.write("data/a.txt", "a")
    repository.write("data/deep/b.txt", "b")
    repository("add", "data")
    (repository.folder / "data/a.txt").unlink()
    (repository.folder / "data/deep/b.txt").unlink()
    repository("checkout", "data/deep/b.txt")
    assert (repository.folder / "data/deep/b.txt").read_text() == "b"
    assert not (repository.folder / "data/a.txt").exists()
    assert "holds no data/none" in repository("checkout", "data/none", code=4).err
    repository("checkout", "data/a.txt", "data/deep")
    assert "nothing changed" in repository("status").out


def test_why_of_a_file_that_is_not_there_says_so(repository):
    assert repository("why", "nowhere.bin", code=4).err.startswith("error: there is no file nowhere.bin")


def test_an_output_folder_of_mlvc_run_leaves_out_what_mlvcignore_names(repository):
    repository.write(".mlvcignore", "*.tmp\n")
    repository("run", "--output", "made=out", "--", "sh", "-c", "mkdir out && echo 1 > out/a.txt && echo 2 > out/b.tmp")
    assert [file["path"] for file in repository.json("show", "made")["files"]] == ["a.txt"]
