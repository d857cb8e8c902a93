"""Which code a run ran: commit, branch, remote, and the uncommitted changes as a patch that makes the same files again."""

import os
import subprocess

import pytest
from code_states import COMMITTED, change_everything, files, made_again, patch_of, record, settings, state

SECRET = "hf_" + "a1B2" * 9
KEY = "-----BEGIN OPENSSH PRIVATE" + " KEY-----\nabc\n"

@pytest.fixture
def code(project):
    """A project with a few committed files, and nothing of a person's own in the way."""
    for path, data in COMMITTED.items():
        project.write(path, data)
    (project.root / "link").symlink_to("train.py")
    project.commit("code")
    return project


# -- what the patch makes again ------------------------------------------------------------------------------------------


def test_the_patch_makes_the_same_files_of_a_fresh_clone(code, tmp_path):
    change_everything(code)
    record(code)
    assert made_again(code, tmp_path) == files(code.root)


def test_recording_leaves_the_index_the_files_and_the_rest_of_git_as_they_are(code):
    change_everything(code)
    git_dir = code.root / ".git"

    def seen():
        index = (git_dir / "index").read_bytes()
        stats = {path: code.root.joinpath(os.fsdecode(path)).lstat().st_mtime_ns for path in files(code.root)}
        return code.git("status", "--porcelain").out, index, stats, code.git("for-each-ref").out, code.git("stash", "list").out

    before, around = seen(), set(os.listdir(git_dir))
    temporary = code.root.parent / "temporary"
    temporary.mkdir()
    record(code, TMPDIR=str(temporary))
    assert seen() == before
    assert set(os.listdir(git_dir)) == around
    assert not list(git_dir.rglob("*.lock")) and not list(temporary.iterdir())


NAMES = "with space.py|new\nline.py|quo\"te.py|it's.py|tab\there.py|back\\slash.py|größe.py|模型/训练.py|-dash.py|:(top)x.py|*.py|a b/c d| lead|? x"


def test_any_name_of_a_changed_and_of_a_new_file_is_kept(code, tmp_path):
    for name in NAMES.split("|"):
        code.write(f"was/{name}", b"before\n")
    code.commit("names")
    for name in NAMES.split("|"):
        code.write(f"was/{name}", b"changed since\n")
        code.write(name, b"new\n")
    record(code)
    again = made_again(code, tmp_path)
    assert again[b"new\nline.py"] == ("file", b"new\n") and again == files(code.root)


def test_a_name_that_is_no_utf8_is_kept(code, tmp_path):
    (code.root / os.fsdecode(b"caf\xe9.py")).write_bytes(b"x = 1\n")
    record(code)
    assert made_again(code, tmp_path)[b"caf\xe9.py"] == ("file", b"x = 1\n")


def test_line_ends_that_git_turns_are_the_same_again(code, tmp_path):
    crlf = settings(core_autocrlf="true")
    code.git("config", "core.autocrlf", "true")
    code.write("dos.txt", b"one\r\ntwo\r\nthree\r\n")
    code.commit("dos")
    code.write("dos.txt", b"one\r\n2\r\nthree\r\n")
    code.write("new-dos.txt", b"a\r\nb\r\n")
    record(code)
    assert b"\r" not in patch_of(code), "as Git would commit it"
    again = made_again(code, tmp_path, **crlf)
    assert again[b"dos.txt"] == ("file", b"one\r\n2\r\nthree\r\n")
    assert again[b"new-dos.txt"] == ("file", b"a\r\nb\r\n")


def test_line_ends_that_git_leaves_alone_are_the_same_again(code, tmp_path):
    code.write("dos.txt", b"one\r\ntwo\r\nthree \r\n")
    code.commit("dos")
    code.write("dos.txt", b"one\r\n2  \r\nthree\n\r\n\n\n")
    code.write("new-dos.txt", b"a\r\nb\n\r\n")
    record(code)
    assert made_again(code, tmp_path) == files(code.root)


def test_the_users_filters_count(code, tmp_path):
    filters = settings(filter_caesar_clean="tr a-z b-za", filter_caesar_smudge="tr b-za a-z")
    code.write(".gitattributes", "*.secretive filter=caesar\n*.wide working-tree-encoding=UTF-16LE eol=lf\n")
    code.write("one.secretive", "abc\n")
    code.write("two.wide", "äbc\n".encode("utf-16-le"))
    for name, value in (("clean", "tr a-z b-za"), ("smudge", "tr b-za a-z")):
        code.git("config", f"filter.caesar.{name}", value)
    code.commit("filtered")
    code.write("one.secretive", "abc\nxyz\n")
    code.write("new.secretive", "hello\n")
    code.write("two.wide", "äbc\nöde\n".encode("utf-16-le"))
    record(code)
    patch = patch_of(code)
    assert b"+yza\n" in patch and b"+ifmmp\n" in patch and "+öde\n".encode() in patch
    assert made_again(code, tmp_path, **filters) == files(code.root)


@pytest.mark.parametrize(
    "mine",
    [
        {"diff.noprefix": "true", "color.ui": "always", "core.quotePath": "false"},
        {"diff.mnemonicPrefix": "true", "diff.context": "0", "diff.interHunkContext": "9", "diff.suppressBlankEmpty": "true"},
        {"diff.external": "false", "diff.renames": "copies", "diff.relative": "true", "diff.submodule": "log"},
        {"status.showUntrackedFiles": "no", "status.short": "true", "core.splitIndex": "true", "core.safecrlf": "true", "core.untrackedCache": "true"},
        {"diff.wordRegex": ".", "diff.wsErrorHighlight": "all", "core.pager": "false", "pager.diff": "true", "diff.ignoreSubmodules": "all"},
        {"index.version": "4", "feature.manyFiles": "true", "diff.algorithm": "patience", "core.abbrev": "4", "core.attributesFile": "/dev/null"},
    ],
)
def test_no_setting_of_a_person_makes_another_patch(code, tmp_path, mine):
    for name, value in mine.items():
        code.git("config", name, value)
    change_everything(code)
    record(code)
    assert made_again(code, tmp_path) == files(code.root)


def test_a_textconv_filter_does_not_reach_the_patch(code, tmp_path):
    code.write(".gitattributes", "*.py diff=loud\n")
    code.git("config", "diff.loud.textconv", "tr a-z A-Z <")
    code.commit("attributes")
    code.write("train.py", "changed\n")
    record(code)
    assert b"+changed\n" in patch_of(code)
    assert made_again(code, tmp_path) == files(code.root)


def test_a_conflict_of_a_merge_is_kept_as_the_files_show_it(code, tmp_path):
    code.git("switch", "-q", "-c", "side")
    code.write("readme.md", "theirs\n")
    code.commit("theirs")
    code.git("switch", "-q", "main")
    code.write("readme.md", "ours\n")
    code.commit("ours")
    code.git("merge", "-q", "side", code=1)
    record(code)
    again = made_again(code, tmp_path)
    assert b"<<<<<<<" in again[b"readme.md"][1] and again == files(code.root)


def test_the_patch_is_of_the_runs_beginning_not_of_its_end(code):
    code.write("train.py", "import mlvc, pathlib\nrun = mlvc.init(name='r')\npathlib.Path('readme.md').write_text('la' + 'ter')\npathlib.Path('more' + '.py').write_text('')\n")
    code.run("python", "train.py")
    patch = patch_of(code)
    assert b"+import mlvc, pathlib\n" in patch and b"readme.md" not in patch.replace(b"Path('readme.md')", b"") and b"more.py" not in patch
    assert (code.root / "more.py").exists() and code.read("readme.md") == "later"


def test_a_script_that_joins_mlvc_run_keeps_the_patch_of_the_outer_beginning(code):
    code.write("train.py", "import mlvc\nrun = mlvc.init()\nrun.log({'loss': 1})\n")
    code.write("train.sh", "echo later > late.txt; python train.py\n")
    code.mlvc("run", "--name", "r", "--", "sh", "train.sh")
    patch = patch_of(code)
    assert b"+++ b/train.sh\n" in patch and b"+later\n" not in patch and (code.root / "late.txt").exists()


def test_a_clean_checkout_gives_no_patch(code):
    found = state(code)
    assert not found["is_dirty"] and not found["has_untracked"]
    assert patch_of(code) == b""


def test_the_patch_of_a_run_that_was_taken_up_again_is_of_the_last_beginning(code):
    script = "import mlvc\nmlvc.init(id='one', name='r', resume='allow').finish()\n"
    code.write("a.py", script)
    code.run("python", "a.py")
    assert b"a.py" in patch_of(code)
    code.commit("now committed")
    code.run("python", "a.py")
    assert patch_of(code) == b""


# -- what is left out, and told ------------------------------------------------------------------------------------------


SECRETS = """.env .env.production conf/.env .netrc id_rsa server.pem tls/server.key .aws/config kaggle.json secrets.toml .pypirc
Credentials.json service-account-7.json secrets/plain.txt api.token"""


def test_files_whose_names_tell_of_secrets_are_left_out_and_told(code):
    for path in SECRETS.split():
        code.write(path, "hunter2\n")
    code.write("beside.py", "x = 1\n")
    found = state(code)
    assert sorted(found["left_out"]) == sorted([path, "may be secret"] for path in SECRETS.split())
    assert b"hunter2" not in patch_of(code) and b"beside.py" in patch_of(code)


def test_a_tracked_or_staged_secret_is_left_out_as_well(code):
    code.write(".env", "A=hunter1\n")
    code.write("prod.pem", "hunter1\n")
    code.git("add", "-f", ".env", "prod.pem")
    code.git("commit", "-q", "-m", "oh", MLVC_SKIP="1")
    code.write(".env", "A=hunter2\n")
    (code.root / "prod.pem").unlink()
    code.write("new.key", "hunter2\n")
    code.git("add", "new.key")
    assert sorted(path for path, _ in state(code)["left_out"]) == [".env", "new.key", "prod.pem"]
    assert patch_of(code) == b""


def test_files_whose_content_is_secret_are_left_out_and_told(code):
    texts = [f"token = '{SECRET}'\n", KEY, "AKIA" + "ABCDEFGHIJKLMNOP\n", "ghp_" + "a" * 36, "sk-" + "a" * 40, "glpat-" + "a" * 20]
    for number, text in enumerate(texts):
        code.write(f"innocent{number}.py", text)
    code.write("train.py", f"x = 1\n{SECRET}\n")
    code.write("beside.py", "x = 1\n")
    assert sorted(state(code)["left_out"]) == [[f"innocent{number}.py", "may be secret"] for number in range(6)] + [["train.py", "may be secret"]]
    patch = patch_of(code)
    assert not any(text.strip().encode() in patch for text in texts) and b"beside.py" in patch


def test_a_secret_that_an_edit_takes_away_is_in_no_patch_either(code):
    code.write("train.py", f"x = 1\ntoken = '{SECRET}'\n")
    code.git("commit", "-q", "-a", "-m", "oh")
    code.write("train.py", "x = 1\ntoken = os.environ['TOKEN']\n")
    assert state(code)["left_out"] == [["train.py", "may be secret"]]
    assert patch_of(code) == b""


def test_an_example_of_an_environment_file_is_code(code):
    code.write(".env.example", "TOKEN=\n")
    assert "left_out" not in state(code)
    assert b".env.example" in patch_of(code)


def test_big_files_are_left_out_and_told_changed_or_new(code):
    code.write("table.csv", b"1,2\n")
    code.commit("table")
    code.write("table.csv", b"1,2\n" * 300_000)
    code.write("weights.bin", os.urandom(1 << 20) + b"x")
    code.write("just-fits.txt", b"x" * (1 << 20))
    assert sorted(state(code)["left_out"]) == [["table.csv", "too large"], ["weights.bin", "too large"]]
    assert b"just-fits.txt" in patch_of(code) and len(patch_of(code)) < 1_100_000


def test_what_git_ignores_is_no_part_of_the_code(code):
    code.write(".gitignore", "*.log\n/data/\n")
    code.commit("ignore")
    (code.root / ".git/info/exclude").write_text("mine.txt\n")
    for path in ("a.log", "data/x.py", "mine.txt"):
        code.write(path, "x\n")
    assert "left_out" not in state(code)
    assert patch_of(code) == b""


def test_folders_that_programs_fill_are_no_part_of_the_code(code):
    subprocess.run(["python3", "-m", "venv", "--without-pip", str(code.root / ".venv")], check=True)
    for path in ("venv/lib/x.py", "wandb/run/x.py", "artifacts/m/x.txt", "node_modules/a/i.js", "src/__pycache__/x.pyc", "lightning_logs/v0/h.yaml"):
        code.write(path, "x\n")
    code.write("src/real.py", "x\n")
    record(code)
    patch = patch_of(code)
    assert patch.count(b"diff --git ") == 1 and b"src/real.py" in patch


def test_of_very_many_untracked_files_those_near_the_top_are_kept_and_the_number_of_the_others_told(code):
    for number in range(1_010):
        code.write(f"deep/folder/{number}.txt", b"x\n")
    code.write("top.py", "x\n")
    assert state(code)["left_out"] == [["", "11 untracked files: too many files"]]
    patch = patch_of(code)
    assert b"top.py" in patch and patch.count(b"diff --git ") == 1_000


def test_a_repository_inside_is_left_out_and_told(code):
    code.git("init", "-q", "inside")
    code.write("inside/x.py", "x\n")
    assert state(code)["left_out"] == [["inside", "a repository of its own"]]
    assert b"inside" not in patch_of(code)


def test_a_pin_file_belongs_to_the_patch_whatever_its_size(code, tmp_path):
    code.add("model.bin", "weights\n")
    record(code)
    assert b"+++ b/mlvc.lock\n" in patch_of(code)
    assert made_again(code, tmp_path)[b"mlvc.lock"] == ("file", (code.root / "mlvc.lock").read_bytes())


# -- where it is recorded ------------------------------------------------------------------------------------------------


def test_commit_branch_and_remote_are_recorded(code):
    code.git("remote", "add", "origin", "https://example.org/team/code.git")
    code.git("switch", "-q", "-c", "feature/größe")
    code.write("train.py", "x\n")
    found = state(code)
    assert found["commit"] == code.head() and found["branch"] == "feature/größe"
    assert found["remote"] == "https://example.org/team/code.git" and found["is_dirty"] and not found["has_untracked"]


@pytest.mark.parametrize(
    ("written", "recorded"),
    [
        ("https://ada:hunter2@example.org/x.git", "https://example.org/x.git"),
        ("https://hunter2@example.org/x.git", "https://example.org/x.git"),
        ("https://x-access-token:hunter2@example.org:8443/x.git", "https://example.org:8443/x.git"),
        ("HTTPS://oauth2:hunter2@example.org/a@b/x.git", "HTTPS://example.org/a@b/x.git"),
        ("https://ada:hunter%402@example.org/x.git", "https://example.org/x.git"),
        ("git@example.org:team/x.git", "git@example.org:team/x.git"),
        ("../with space/x.git", "../with space/x.git"),
    ],
)
def test_credentials_are_in_no_recorded_url(code, written, recorded):
    code.git("remote", "add", "origin", written)
    told = record(code)
    assert told["facts"]["git"]["remote"] == recorded
    assert "hunter" not in str(told) and "hunter" not in code.mlvc("show", "run/r").out


def test_outside_of_git_nothing_is_recorded_of_it(project, tmp_path):
    plain = project.at(tmp_path / "plain")
    plain.root.mkdir()
    plain.mlvc("init")
    assert "git" not in record(plain)["facts"]
    assert patch_of(plain) == b""


def test_before_the_first_commit_all_files_are_the_patch(project, tmp_path):
    young = project.at(tmp_path / "young")
    young.root.mkdir()
    young.git("init", "-q")
    young.mlvc("init")
    young.write("staged.py", "a = 1\n")
    young.git("add", "staged.py")
    young.write("new.py", "b = 1\n")
    found = state(young)
    assert found["commit"] is None and found["branch"] == "main"
    empty = young.at(tmp_path / "empty")
    empty.root.mkdir()
    empty.git("init", "-q")
    (tmp_path / "patch").write_bytes(patch_of(young))
    empty.git("apply", str(tmp_path / "patch"))
    assert files(empty.root) == files(young.root) and b"new.py" in files(empty.root)


def test_a_detached_head_has_no_branch(code, tmp_path):
    code.git("checkout", "-q", "--detach", "HEAD~1")
    code.write("readme.md", "changed\n")
    found = state(code)
    assert found["branch"] is None and found["commit"] == code.head()
    assert made_again(code, tmp_path) == files(code.root)


@pytest.mark.parametrize("kind", [["--depth=1"], ["--filter=blob:none"], ["--filter=blob:none", "--sparse"]])
def test_shallow_partial_and_sparse_clones_record_the_same(code, tmp_path, kind):
    code.git("config", "uploadpack.allowFilter", "true")
    clone = code.at(tmp_path / "clone")
    code.git("clone", "-q", *kind, code.root.as_uri(), str(clone.root))
    clone.write("readme.md", "changed\n")
    clone.write("new.py", "x\n")
    clone.write("elsewhere/new.py", "x\n")
    found = state(clone)
    assert found["commit"] == code.head() and found["remote"] == code.root.as_uri()
    (tmp_path / "patch").write_bytes(patch_of(clone))
    code.git("apply", str(tmp_path / "patch"))
    changed = {b"readme.md": b"changed\n", b"new.py": b"x\n", b"elsewhere/new.py": b"x\n"}
    assert {path: files(code.root)[path][1] for path in changed} == changed
    assert set(code.git("status", "--porcelain").out.split()[1::2]) == {"readme.md", "new.py", "elsewhere/"}


def test_a_sha256_repository_records_its_longer_hashes(project, tmp_path):
    modern = project.at(tmp_path / "modern")
    modern.root.mkdir()
    modern.git("init", "-q", "--object-format=sha256")
    modern.mlvc("init")
    modern.write("readme.md", "hello\n")
    modern.write("image.bin", bytes(range(256)))
    modern.commit("first")
    modern.write("readme.md", "changed\n")
    modern.write("image.bin", bytes(range(255, -1, -1)) * 2)
    modern.write("new.py", "x\n")
    assert len(state(modern)["commit"]) == 64
    assert made_again(modern, tmp_path) == files(modern.root)
    assert len(modern.mlvc("--json", "runs", "--commit", "HEAD").data) == 1


def test_a_run_in_a_submodule_records_the_submodules_code(code, tmp_path):
    outer = code.at(tmp_path / "outer")
    outer.root.mkdir()
    outer.git("init", "-q")
    outer.git("submodule", "add", "-q", str(code.root), "part")
    outer.git("commit", "-q", "-m", "outer")
    inner = code.at(outer.root / "part")
    inner.mlvc("init")
    inner.write("readme.md", "changed\n")
    inner.write("new.py", "x\n")
    found = state(inner)
    assert found["commit"] == code.head() and found["remote"] == str(code.root)
    mine = {path: held for path, held in files(inner.root).items() if path != b".git"}
    assert made_again(inner, tmp_path) == mine


def test_changes_inside_a_submodule_do_not_hurt_the_patch_around_it(code, tmp_path):
    code.git("init", "-q", str(tmp_path / "library"))
    library = code.at(tmp_path / "library")
    library.write("lib.py", "x\n")
    library.git("add", "-A")
    library.git("commit", "-q", "-m", "lib")
    code.git("submodule", "add", "-q", str(library.root), "lib")
    code.commit("with a submodule")
    code.write("lib/lib.py", "changed inside\n")
    code.write("train.py", "changed\n")
    record(code)
    patch = patch_of(code)
    assert patch.count(b"diff --git ") == 1 and b"+changed\n" in patch


def test_a_linked_worktree_records_its_own_state(code, tmp_path):
    code.write("readme.md", "of the main one\n")
    code.git("worktree", "add", "-q", "-b", "other", str(tmp_path / "linked"), "HEAD~1")
    linked = code.at(tmp_path / "linked")
    linked.write("readme.md", "of the linked one\n")
    linked.write("new.py", "x\n")
    linked.git("add", "--intent-to-add", "new.py")
    before = linked.git("status", "--porcelain").out
    found = state(linked)
    assert found["branch"] == "other" and found["commit"] == linked.head() != code.head()
    assert b"of the main one" not in patch_of(linked) and b"new.py" in patch_of(linked)
    assert linked.git("status", "--porcelain").out == before


def test_a_run_in_a_subfolder_records_the_whole_checkout(code, tmp_path):
    code.write("readme.md", "changed\n")
    code.write("package/new.py", "x\n")
    code.git("config", "diff.relative", "true")
    code.run("mlvc", "run", "--name", "r", "--", "true", cwd=code.root / "package/deep")
    assert code.mlvc("--json", "show", "run/r").data["facts"]["directory"] == "package/deep"
    assert made_again(code, tmp_path) == files(code.root)


def test_git_dir_and_work_tree_variables_count(code, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    (code.root / ".git").rename(elsewhere)
    code.write("readme.md", "changed\n")
    code.write("new.py", "x\n")
    code.environment.update(GIT_DIR=str(elsewhere), GIT_WORK_TREE=str(code.root))
    found = state(code)
    assert found["commit"] == code.head() and found["is_dirty"]
    assert b"+changed\n" in patch_of(code) and b"new.py" in patch_of(code)


@pytest.mark.parametrize("name", ["MLVC_DISABLE", "WANDB_DISABLE"])
def test_what_a_person_switches_off_is_not_recorded(code, name):
    code.write("readme.md", "changed\n")
    assert state(code, "no-code", **{f"{name}_CODE": "1"})["commit"] == code.head()
    assert patch_of(code, "no-code") == b""
    assert "git" not in record(code, "no-git", **{f"{name}_GIT": "true"})["facts"]
    assert patch_of(code, "no-git") == b""


def test_mlvcs_own_name_of_a_variable_wins(code):
    code.write("readme.md", "changed\n")
    record(code, MLVC_DISABLE_CODE="false", WANDB_DISABLE_CODE="true", WANDB_DISABLE_GIT="0")
    assert b"+changed\n" in patch_of(code)


# -- runs of commits -----------------------------------------------------------------------------------------------------


def test_runs_are_found_by_any_name_of_a_commit(code):
    commits = {}
    for number in range(3):
        code.write("n.txt", f"{number}\n")
        commits[number] = code.commit(f"number {number}")
        code.git("tag", f"v{number}")
        code.mlvc("run", "--name", f"run-{number}", "--", "true")
    code.git("switch", "-q", "-c", "side", "v0")
    code.write("side.txt", "x\n")
    code.commit("side")
    code.git("tag", "-a", "annotated", "-m", "t")
    code.mlvc("run", "--name", "run-side", "--", "true")

    def named(revision):
        return sorted(run["name"] for run in code.mlvc("--json", "runs", "--commit", revision).data)

    assert named("main") == ["run-2"] and named("main~1") == ["run-1"] and named("v0") == ["run-0"]
    assert named(commits[1][:8]) == ["run-1"] and named(commits[2]) == ["run-2"]
    assert named("side") == named("annotated") == named("HEAD") == ["run-side"]
    assert named("v0..main") == ["run-1", "run-2"] and named("main..side") == ["run-side"]
    assert named("v0...main") == ["run-1", "run-2"] and named("v0~1") == []


@pytest.mark.parametrize("revision", ["nothing", "main~99", "deadbeef", "nothing..main", "--all", "", "HEAD:readme.md"])
def test_an_unknown_commit_is_refused_in_one_sentence(code, revision):
    record(code)
    refused = code.mlvc("runs", f"--commit={revision}", code=None)
    assert refused.code != 0 and "Git knows no commit" in refused.err and refused.out == ""
