"""Protected aliases from the command line: who may move them, who did, and what a store does with forged moves."""

import os
import subprocess

import pytest

from mlvc.format import transaction
from mlvc.format.ids import fact_transaction
from mlvc.format.operations import Move
from mlvc.format.transaction import Envelope, Transaction
from mlvc.workspace import opening, resolving


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home with a key of one's own, and another person's key beside."""
    folder = tmp_path / "home" / ".ssh"
    folder.mkdir(parents=True)
    for name in ("id_ed25519", "other"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    monkeypatch.setenv("HOME", str(folder.parent))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.delenv("MLVC_SIGNING_KEY", raising=False)
    return folder


@pytest.fixture
def registered(shell, home):
    """registry/digits with two versions, v0 in production, protected by one's own key."""
    shell("init")
    for text in ("a", "b"):
        (shell.folder / "m.pt").write_text(text)
        shell("add", "m.pt", "--name", "m")
    shell("link", "m:v0", "registry/digits", "--alias", "production")
    shell("link", "m:v1", "registry/digits")
    shell("protect", "registry/digits", "production", "--key", str(home / "id_ed25519.pub"))
    return shell


def test_the_owner_of_a_key_moves_the_alias_and_verify_says_so(registered):
    assert "not signed" in registered("verify", "registry/digits:production", code=1).out
    registered("alias", "set", "registry/digits:v1", "production")
    said = registered("verify", "registry/digits:production")
    assert "registry/digits:v1 (m:v1)" in said.out
    assert "good signature by ssh-ed25519 SHA256:" in said.out
    assert registered("--json", "verify", "registry/digits:production").data["good"] is True


@pytest.mark.parametrize(
    "words",
    [
        ("alias", "set", "registry/digits:v1", "production"),
        ("alias", "rm", "registry/digits:production"),
        ("link", "m:v1", "registry/digits", "--alias", "production"),
        ("unlink", "registry/digits:v0"),
        ("delete", "m:v0", "--force"),
        ("delete", "registry/digits", "--collection", "--force"),
        ("protect", "registry/digits", "production", "--remove"),
        ("undo",),
    ],
)
def test_nobody_else_changes_what_it_answers_in_any_way(registered, home, words):
    before = registered("--json", "show", "registry/digits:production").data
    (home / "id_ed25519").unlink()
    (home / "id_ed25519.pub").unlink()
    said = registered(*words, code=3)
    assert "is protected" in said.err
    assert "SHA256:" in said.err
    assert registered("--json", "show", "registry/digits:production").data == before


def test_the_key_that_is_named_is_used_and_a_wrong_one_does_not_help(registered, home, monkeypatch):
    os.rename(home / "id_ed25519", home / "mine")
    os.rename(home / "id_ed25519.pub", home / "mine.pub")
    monkeypatch.setenv("MLVC_SIGNING_KEY", str(home / "other"))
    registered("alias", "set", "registry/digits:v1", "production", code=3)
    monkeypatch.setenv("MLVC_SIGNING_KEY", str(home / "mine.pub"))
    registered("alias", "set", "registry/digits:v1", "production")
    subprocess.run(["git", "config", "user.signingKey", str(home / "mine")], cwd=registered.folder, check=True)
    monkeypatch.delenv("MLVC_SIGNING_KEY")
    registered("alias", "set", "registry/digits:v0", "production")


def test_an_agent_signs_where_only_it_has_the_private_key(registered, home, tmp_path, monkeypatch):
    socket = str(tmp_path / "agent")
    said = subprocess.run(["ssh-agent", "-s", "-a", socket], capture_output=True, text=True, check=True).stdout
    process = next(part.split("=")[1] for part in said.replace("\n", ";").split(";") if part.startswith("SSH_AGENT_PID="))
    try:
        environment = {**os.environ, "SSH_AUTH_SOCK": socket}
        subprocess.run(["ssh-add", "-q", str(home / "id_ed25519")], env=environment, check=True)
        (home / "id_ed25519").unlink()
        (home / "id_ed25519.pub").unlink()
        monkeypatch.setenv("SSH_AUTH_SOCK", socket)
        registered("alias", "set", "registry/digits:v1", "production")
        registered("verify", "registry/digits:production")
    finally:
        os.kill(int(process), 15)


def test_keys_are_added_and_a_revoked_one_is_said_to_be(registered, home):
    registered("alias", "set", "registry/digits:v1", "production")
    registered("protect", "registry/digits", "production", "--key", str(home / "other.pub"))
    said = registered("verify", "registry/digits:production", code=1)
    assert "may not move it any more" in said.out
    assert len(registered("--json", "protect", "registry/digits").data["production"]) == 1


def test_the_actions_of_a_registered_model_are_listed(registered):
    registered("alias", "set", "registry/digits:v1", "production")
    lines = registered("log", "registry/digits", "--actions").out.splitlines()
    assert "move production -> m:v1" in lines[0]
    assert "signed" in lines[0]
    assert [line.split("  ")[1].split()[0] for line in lines] == ["move", "protect", "link", "move", "link"]
    registered("log", "--actions", code=2)


def test_what_cannot_be_protected_or_verified_says_why(registered, home):
    registered("protect", "registry/digits", "latest", "--key", str(home / "other.pub"), code=2)
    registered("protect", "registry/digits", "production", code=2)
    registered("protect", "registry/digits", "staging", "--remove", code=4)
    registered("protect", "registry/digits", "staging", "--key", str(home / "other"), code=2)
    registered("verify", "registry/digits:v0", code=2)
    registered("verify", "registry/digits:nothing", code=4)


def forged(workspace, *, signer, signature):
    """A move of the protected alias onto v1 that names a signer."""
    with workspace.repository.reading() as view:
        member = resolving.version(workspace, view, "registry/digits:v1")
        move = Move(member.collection, "production", member.version, view.moves_to_name(member.collection, "production"))
        made = Transaction(os.urandom(16), "Eve", 0, "forged", view.heads(), (move,), signer=signer)
    return Envelope(transaction.encode(made), signature, (), ())


def test_a_forged_move_is_never_taken_in_and_leaves_no_trace(registered, home):
    workspace = opening.find(registered.folder)
    key = (home / "id_ed25519.pub").read_text().rsplit(" ", 1)[0]
    for signature in (b"", b"SSHSIG nonsense"):
        workspace.repository.pending.add(forged(workspace, signer=key, signature=signature))
    assert "registry/digits:v0" in registered("verify", "registry/digits:production", code=1).out
    registered("fsck")
    registered("alias", "set", "registry/digits:v1", "extra")
    assert "Eve" not in registered("log", "registry/digits", "--actions").out


def test_an_unsigned_move_that_somebody_appends_is_refused_by_every_reader_and_shown(registered):
    workspace = opening.find(registered.folder)
    workspace.repository.record([forged(workspace, signer="", signature=b"")])
    assert "registry/digits:v0" in registered("verify", "registry/digits:production", code=1).out
    first = registered("log", "registry/digits", "--actions").out.splitlines()[0]
    assert "Eve" in first
    assert "refused: the alias 'production' of registry/digits is protected" in first


def test_the_signature_travels_and_is_proven_in_another_clone(registered, tmp_path):
    registered("alias", "set", "registry/digits:v1", "production")
    registered("remote", "add", "origin", str(tmp_path / "remote"))
    registered("push")
    registered("clone", str(tmp_path / "remote"), str(tmp_path / "clone"))
    registered.go(tmp_path / "clone")
    assert "good signature" in registered("verify", "registry/digits:production").out
    workspace = opening.find(registered.folder)
    view = workspace.repository.view()
    action = view.move_in_force("registry:model/digits", "production")
    assert workspace.repository.envelope_of(fact_transaction(action.fact)).signature
