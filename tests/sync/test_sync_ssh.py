"""Stores on another machine, through a real SSH server: the main job, locks, what may go wrong, and what no URL may do."""

from __future__ import annotations

import io
import os
import random
import subprocess
import sys

import pytest
import ssh_server
from clones import history, publish, read

from mlvc.backend import frames, serving, ssh
from mlvc.backend.interface import KeyMissingError
from mlvc.backend.local import LocalBackend
from mlvc.backend.piped import PipedBackend
from mlvc.errors import ConflictError, RemoteError, UnsupportedError, UsageError
from mlvc.sync.remote import Remote, store_locks
from mlvc.workspace import caretaking, exchanging, lazy_fetch, places
from mlvc.workspace.workspace import Workspace

NOISE = random.Random(5).randbytes(3 << 20)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    if ssh_server.is_missing() and os.environ.get("MLVC_TEST_SERVERS") != "required":
        pytest.skip("no SSH server here: apt-get install openssh-server")
    made = ssh_server.SshServer(tmp_path_factory.mktemp("ssh"))
    yield made
    made.stop()


@pytest.fixture
def environment(tmp_path, server):
    return {"MLVC_USER": "Ada <ada@example.org>", "HOME": str(tmp_path / "home"), "PATH": os.environ["PATH"], **server.variables}


@pytest.fixture
def here(tmp_path, server, environment):
    (tmp_path / "here").mkdir()
    made, _ = Workspace.create(tmp_path / "here", environment, project="p")
    lazy_fetch.attach(made)
    exchanging.add_remote(made, "origin", server.url(tmp_path / "far"))
    return made


def test_push_clone_and_lazy_data_over_ssh(here, tmp_path, server, environment):
    publish(here, {"m.bin": NOISE, "labels.txt": b"zero one"}, ["prod"])
    assert exchanging.push(here).transactions == 1
    there = exchanging.clone(server.url(tmp_path / "far"), tmp_path / "there", environment)[0]
    assert history(there) == history(here)
    assert sum(size for _, size in there.repository.backend.keys("packs/data/")) == 0, "data comes when it is wanted"
    assert read(there, history(there)["v0"]) == {"m.bin": NOISE, "labels.txt": b"zero one"}
    publish(there, {"m.bin": b"small"})
    assert exchanging.push(there).transactions == 1
    assert exchanging.pull(here).transactions == 1
    assert history(here) == history(there)


def test_a_working_repository_on_the_far_side_is_pushed_into(tmp_path, server, environment):
    (tmp_path / "owner").mkdir()
    owner, _ = Workspace.create(tmp_path / "owner", environment, project="p")
    publish(owner, {"w": b"1"})
    there = exchanging.clone(server.url(tmp_path / "owner"), tmp_path / "there", environment)[0]
    publish(there, {"w": b"2"})
    assert exchanging.push(there).transactions == 1
    assert list(history(owner)) == ["v0", "v1"]
    remote = exchanging.open_remote(there)
    with remote.committing(), pytest.raises(ConflictError, match="nothing was deleted"):
        caretaking.gc(owner, grace_s=0, dry_run=False)
    remote.close()
    with owner.repository.locks.deleting():
        pass


def test_what_goes_wrong_on_the_way_is_one_sentence(here, tmp_path, server, environment):
    publish(here, {"w": b"1"})
    environment["MLVC_SSH_SERVER"] = "no-such-mlvc"
    with pytest.raises(RemoteError, match="cut: .*not found"):
        exchanging.push(here)
    environment["MLVC_SSH_SERVER"] = "echo 'Welcome to the cluster' #"
    with pytest.raises(RemoteError, match="Welcome to the cluster"):
        exchanging.push(here)
    environment["MLVC_SSH_COMMAND"] = "no-such-ssh"
    with pytest.raises(RemoteError, match="cannot be started"):
        exchanging.push(here)
    environment.update(server.variables)
    assert exchanging.push(here).transactions == 1


def test_a_far_store_that_mlvc_toml_names_is_not_contacted_before_it_is_trusted(here, tmp_path, environment):
    publish(here, {"w": b"1"})
    exchanging.push(here)
    stranger = {**environment, "HOME": str(tmp_path / "stranger")}
    (tmp_path / "there").mkdir()
    (tmp_path / "there/mlvc.toml").write_text((here.root / "mlvc.toml").read_text())
    there = Workspace.create(tmp_path / "there", stranger)[0]
    with pytest.raises(UsageError, match="never said that you trust"):
        exchanging.pull(there)
    exchanging.trust_remote(there, None)
    assert exchanging.pull(there).transactions == 1


# -- without a network --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("ssh://-oProxyCommand=touch%20x/path", UsageError),
        ("ssh://-oProxyCommand=x@host/path", UsageError),
        ("ssh://user:secret@host/path", UsageError),
        ("ssh://host", UsageError),
        ("ssh://ho st/path", UsageError),
        ("ssh://host:port/path", UsageError),
        ("ext::sh -c touch% x", UnsupportedError),
        ("fd::17", UnsupportedError),
    ],
)
def test_a_url_cannot_make_ssh_or_anything_run_a_program(url, error):
    with pytest.raises(error):
        places.normal(url)


def test_the_command_quotes_what_the_url_says():
    address = ssh.parse("ssh://ada@host:2200/data/my%20models;rm")
    backend = ssh.open_address(address, {"MLVC_SSH_COMMAND": "ssh -v"})
    assert backend._command == ["ssh", "-v", "-p", "2200", "--", "ada@host", "mlvc serve --stdio '/data/my models;rm'"]
    home = ssh.open_address(ssh.parse("ssh://host/~/models"), {})
    assert home._command == ["ssh", "--", "host", "mlvc serve --stdio ~/models"]
    assert ssh.parse("ssh://host/~/models").url == "ssh://host/~/models"


@pytest.fixture
def piped(tmp_path):
    backend = PipedBackend("ssh://test/x", [sys.executable, "-m", "mlvc", "serve", "--stdio", str(tmp_path / "store")])
    yield backend
    backend.close()


def test_a_piped_store_keeps_the_contract_of_a_backend(piped, tmp_path):
    assert piped.size("packs/data/x") is None
    with pytest.raises(KeyMissingError):
        piped.read("store")
    assert piped.create("journal/a/1", b"one")
    assert not piped.create("journal/a/1", b"two")
    assert piped.read("journal/a/1") == b"one"
    piped.write("packs/data/x", iter([NOISE, b"end"]))
    assert piped.size("packs/data/x") == len(NOISE) + 3
    assert piped.read_range("packs/data/x", len(NOISE), 10) == b"end"
    assert sorted(piped.keys("")) == [("journal/a/1", 3), ("packs/data/x", len(NOISE) + 3)]
    assert piped.folders("journal/") == ["a"]
    assert piped.modified_s("packs/data/x") == (tmp_path / "store/packs/data/x").stat().st_mtime
    piped.delete("packs/data/x")
    assert list(piped.keys("packs/")) == []


def test_a_write_whose_source_fails_leaves_nothing(piped, tmp_path):
    def failing():
        yield b"x" * (2 << 20)
        raise OSError("the disk died")

    with pytest.raises(OSError, match="the disk died"):
        piped.write("packs/data/x", failing())
    assert piped.size("packs/data/x") is None
    piped.write("packs/data/x", iter([b"whole"]))
    assert piped.read("packs/data/x") == b"whole"
    assert [p.name for p in (tmp_path / "store/packs/data").iterdir()] == ["x"]


def test_a_line_that_is_cut_is_opened_again(piped):
    piped.create("journal/a/1", b"one")
    piped._line._child.kill()
    with pytest.raises(RemoteError, match="was cut"):
        while True:
            piped.read("journal/a/1")
    assert piped.read("journal/a/1") == b"one"


def test_a_forked_process_opens_a_line_of_its_own(piped):
    piped.create("journal/a/1", b"one")
    child = os.fork()
    if child == 0:
        os._exit(0 if piped.read("journal/a/1") == b"one" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert piped.read("journal/a/1") == b"one"


@pytest.mark.parametrize("key", ["../secret", "/etc/passwd", "packs/../../x", "a\x00b", "packs/ü", 7])
def test_the_server_gives_nothing_outside_of_its_folder(tmp_path, key):
    (tmp_path / "secret").write_text("s")
    answers = io.BytesIO()
    asked = io.BytesIO()
    for number, method in enumerate(("read", "size", "delete", "modified_s", "folders", "keys", "no_such", "__class__"), 1):
        frames.send(asked, [number, method, [key]])
    asked.seek(0)
    backend = LocalBackend(tmp_path / "store")
    serving.serve(backend, store_locks(backend), asked, answers)
    answers.seek(len(frames.GREETING))
    outcomes = []
    while (message := frames.receive(answers)) is not None:
        outcomes.append(message[1])
    assert outcomes == [frames.FAILED] * 8
    assert (tmp_path / "secret").exists()


def test_a_hostile_server_is_bounded(tmp_path):
    for said in (b"", b"mlvc-serve 1\n" + b"\xff\xff\xff\xff" * 10, b"mlvc-serve 1\n\x00\x00\x00\x02\xc0\xc0", b"HTTP/1.1 200 OK\r\n\r\n"):
        (tmp_path / "said").write_bytes(said)
        backend = PipedBackend("ssh://evil/x", ["sh", "-c", f"cat {tmp_path / 'said'}; exec cat > /dev/null"])
        with pytest.raises(RemoteError):
            Remote("evil", backend, tmp_path).record()
        backend.close()


def test_serve_says_nothing_else_on_its_output(tmp_path):
    done = subprocess.run([sys.executable, "-m", "mlvc", "serve", "--stdio", str(tmp_path)], input=b"", capture_output=True, check=True)
    assert done.stdout == frames.GREETING
