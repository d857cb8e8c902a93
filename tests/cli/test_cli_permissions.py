"""What a user without a right is told, and that nothing is lost."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BOUND_BY_PERMISSIONS = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.getuid() == 0 else []


def read_only(folder: Path) -> None:
    for path in (*folder.rglob("*"), folder):
        path.chmod(path.stat().st_mode & ~0o222)


@pytest.fixture
def user(repository, tmp_path):
    """Runs commands as a user whom permissions bind, also where the tests run as root."""

    def run(*command: str) -> tuple[int, str, str]:
        program = [*BOUND_BY_PERMISSIONS, sys.executable, "-m", "mlvc", *command]
        done = subprocess.run(program, cwd=repository.folder, capture_output=True, text=True)
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout, done.stderr

    yield run
    subprocess.run(["chmod", "-R", "u+rwX", tmp_path], check=True)


def test_in_a_store_that_may_not_be_written_everything_can_be_looked_at(repository, user):
    read_only(repository.folder / ".git/mlvc")
    for command in ("ls", "log m", "show m", "status", "lineage m", "cat m m.h5", "fsck", "alias ls m", "runs"):
        code, _, err = user(*command.split())
        assert (code, err) == (0, ""), command


def test_in_a_store_that_may_not_be_written_a_commit_says_so_and_changes_nothing(repository, user):
    repository.write("new.txt", "new")
    before = repository.json("log", "m")
    read_only(repository.folder / ".git/mlvc")
    for command in (["add", "new.txt"], ["alias", "set", "m", "x"], ["run", "--", "true"], ["gc"]):
        code, _, err = user(*command)
        assert code == 1
        assert "permission" in err.lower(), err
        assert len([line for line in err.splitlines() if line.startswith("error:")]) == 1
    assert repository.json("log", "m") == before


def test_a_file_that_may_not_be_read_is_named_and_nothing_is_added(repository, user):
    repository.write("data/open.txt", "1")
    repository.write("data/secret.txt", "2").chmod(0)
    code, _, err = user("add", "data")
    assert code == 1
    assert "secret.txt" in err
    assert "data" not in user("ls")[1]


def test_a_folder_that_may_not_be_written_keeps_a_checkout_out(repository, user):
    repository.write("data/a.txt", "1")
    repository("add", "data")
    (repository.folder / "data/a.txt").unlink()
    (repository.folder / "data").chmod(0o555)
    code, _, err = user("checkout", "data")
    assert code == 1
    assert "permission" in err.lower()
    (repository.folder / "data").chmod(0o755)
    assert user("checkout", "data")[0] == 0


def test_a_remote_that_may_only_be_read_is_pulled_from_and_a_push_is_refused(repository, user, tmp_path):
    remote = tmp_path / "remote"
    repository("remote", "add", "origin", str(remote))
    repository("push")
    repository("alias", "set", "m:v0", "mine")
    read_only(remote)
    code, _, err = user("push")
    assert code == 5
    assert "permission" in err.lower()
    assert user("pull")[0] == 0
    assert user("status")[0] == 0
    shutil.rmtree(repository.folder / ".git/mlvc/packs")
    (repository.folder / ".git/mlvc/packs/data").mkdir(parents=True)
    (repository.folder / ".git/mlvc/packs/meta").mkdir(parents=True)
    code, _, err = user("get", "m", "copied")
    assert code == 0, err
    subprocess.run(["chmod", "-R", "u+w", remote], check=True)
    assert user("push")[0] == 0
