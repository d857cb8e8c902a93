"""A store in `refs/mlvc/` of a real Git repository: over `file://`, `git daemon` and SSH; names only, and with data."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
import ssh_server
from ceph_server import await_port, own_address
from clones import C, history, publish, read

from mlvc.backend import git_url
from mlvc.backend.git_host import GitHostBackend
from mlvc.backend.interface import KeyMissingError
from mlvc.errors import ConflictError, NotFoundError, RemoteError, UsageError
from mlvc.workspace import caretaking, exchanging, lazy_fetch, places, registry
from mlvc.workspace.configuration import RemoteSettings
from mlvc.workspace.workspace import Workspace

NOISE = random.Random(7).randbytes(2 << 20)
DAEMON_PORT = 9419


def run(*words, cwd=None):
    return subprocess.run(words, cwd=cwd, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def environment(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return {"MLVC_USER": "Ada <ada@example.org>", "HOME": str(tmp_path / "home"), "PATH": os.environ["PATH"]}


@pytest.fixture
def host(tmp_path):
    """A bare repository that has code already, as every Git host's."""
    run("git", "init", "-q", "--bare", "-b", "main", str(tmp_path / "host.git"))
    tree = run("git", "mktree", cwd=tmp_path / "host.git").strip()
    commit = run("git", "-c", "user.name=A", "-c", "user.email=a@x", "commit-tree", "-m", "code", tree, cwd=tmp_path / "host.git").strip()
    run("git", "update-ref", "refs/heads/main", commit, cwd=tmp_path / "host.git")
    return tmp_path / "host.git"


@pytest.fixture
def url(host):
    return f"git+file://{host}"


def new(folder, environment, url, **options):
    folder.mkdir(parents=True)
    made, _ = Workspace.create(folder, environment, project="p")
    lazy_fetch.attach(made)
    exchanging.add_remote(made, "hub", url, options)
    return made


def refs(host):
    return run("git", "for-each-ref", "--format=%(refname)", cwd=host).split()


# -- the main job ---------------------------------------------------------------------------------------------------------


def test_names_and_lineage_travel_beside_the_code_and_data_does_not(tmp_path, host, url, environment):
    here = new(tmp_path / "here", environment, url)
    publish(here, {"m.bin": NOISE}, ["prod"])
    exchanging.push(here)
    there, _ = exchanging.clone(url, tmp_path / "there", environment)
    assert history(there) == history(here)
    assert refs(host) == ["refs/heads/main", "refs/mlvc/store"], "branches and tags are left alone"
    size = sum(int(line.split()[1]) for line in run("git", "cat-file", "--batch-all-objects", "--batch-check=%(objecttype) %(objectsize)", cwd=host).splitlines())
    assert size < len(NOISE) // 10
    with pytest.raises(NotFoundError, match="not in this clone"):
        read(there, history(there)["v0"])


def test_data_goes_to_the_remote_that_keeps_it_with_a_plain_push(tmp_path, url, environment):
    here = new(tmp_path / "here", environment, url)
    exchanging.add_remote(here, "bucket", str(tmp_path / "bucket"))
    publish(here, {"m.bin": NOISE})
    assert exchanging.push(here).size_bytes > len(NOISE)
    there, _ = exchanging.clone(url, tmp_path / "there", environment)
    exchanging.add_remote(there, "bucket", str(tmp_path / "bucket"))
    assert read(there, history(there)["v0"]) == {"m.bin": NOISE}


def test_data_in_git_has_a_ref_for_each_pack_which_a_clone_fetches_when_it_is_wanted(tmp_path, host, url, environment):
    here = new(tmp_path / "here", environment, url, data="true")
    publish(here, {"m.bin": NOISE})
    exchanging.push(here)
    assert sum(ref.startswith("refs/mlvc/data/") for ref in refs(host)) == 1
    there, _ = exchanging.clone(url, tmp_path / "there", environment)
    mirrored = sum(path.stat().st_size for path in (there.repository.path / "cache").rglob("*") if path.is_file())
    assert mirrored < len(NOISE) // 4, "a clone brings names only"
    assert read(there, history(there)["v0"]) == {"m.bin": NOISE}
    publish(there, {"m.bin": b"new"})
    exchanging.push(there)
    assert read(here, history(here)["v0"]) == {"m.bin": NOISE}
    exchanging.pull(here)
    assert read(here, history(here)["v1"]) == {"m.bin": b"new"}, "who clones from a host with data pushes data there"


def test_two_clones_that_push_at_once_both_arrive_with_nothing_lost(tmp_path, url, environment):
    first = new(tmp_path / "first", environment, url)
    publish(first, {"m": b"begin"})
    exchanging.push(first)
    clones = [first, *(exchanging.clone(url, tmp_path / f"clone{number}", environment)[0] for number in range(2))]

    def work(number):
        for turn in range(3):
            publish(clones[number], {"m": f"{number} {turn}".encode()})
            exchanging.push(clones[number])

    with ThreadPoolExecutor(len(clones)) as pool:
        list(pool.map(work, range(len(clones))))
    for one in clones:
        exchanging.pull(one)
    assert history(clones[0]) == history(clones[1]) == history(clones[2])
    assert list(history(first)) == [f"v{number}" for number in range(10)]


def test_a_pushed_history_of_many_entries_goes_in_few_commits(tmp_path, host, url, environment):
    (tmp_path / "here").mkdir()
    here, _ = Workspace.create(tmp_path / "here", environment, project="p")
    for number in range(20):
        publish(here, {"m": str(number).encode()})
    exchanging.add_remote(here, "hub", url)
    exchanging.push(here)
    assert len(run("git", "log", "--format=%h", "refs/mlvc/store", cwd=host).split()) <= 4
    there, _ = exchanging.clone(url, tmp_path / "there", environment)
    assert history(there) == history(here)


def test_a_git_host_that_is_not_the_upstream_carries(tmp_path, url, environment):
    here = new(tmp_path / "here", environment, str(tmp_path / "bucket"))
    exchanging.add_remote(here, "git", url)
    publish(here, {"m": b"1"})
    exchanging.push(here)
    publish(here, {"m": b"2"})
    assert exchanging.push(here, "git").left == 1
    there, _ = exchanging.clone(url, tmp_path / "there", environment)
    assert list(history(there)) == ["v0"], "what is pending has its data elsewhere, and is not taken without it"
    exchanging.push(here)
    exchanging.push(here, "git")
    exchanging.pull(there)
    assert history(there) == history(here)


def test_gc_frees_packs_at_the_host_and_drops_the_history_that_held_them(tmp_path, host, url, environment):
    here = new(tmp_path / "here", environment, url, data="true")
    publish(here, {"m": NOISE})
    exchanging.push(here)
    publish(here, {"m": b"small"})
    exchanging.push(here)
    member = next(iter(here.repository.view().members(C)))
    registry.delete_version(here, member, "rm", with_names=True)
    exchanging.push(here)
    plan = caretaking.gc_remote(here, "hub", grace_s=0, dry_run=False)
    assert plan.packs
    run("git", "gc", "-q", "--prune=now", cwd=host)
    size = sum(path.stat().st_size for path in host.rglob("*") if path.is_file())
    assert size < len(NOISE) // 4
    there, _ = exchanging.clone(url, tmp_path / "there", environment)
    assert list(history(there)) == ["v1"]


# -- as a backend -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def backend(tmp_path, url, environment):
    made = GitHostBackend(url, tmp_path / "mirrors", "one", environment)
    yield made
    made.close()


def other(tmp_path, url, environment):
    return GitHostBackend(url, tmp_path / "mirrors", "two", environment)


def test_of_several_that_create_one_key_exactly_one_wins(tmp_path, url, environment):
    backends = [GitHostBackend(url, tmp_path / "mirrors", str(number), environment) for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        won = list(pool.map(lambda pair: pair[1].create("journal/1", str(pair[0]).encode()), enumerate(backends)))
    assert won.count(True) == 1
    assert {one.read("journal/1") for one in backends} == {str(won.index(True)).encode()}


def test_creates_of_different_keys_at_once_all_win(tmp_path, url, environment):
    backends = [GitHostBackend(url, tmp_path / "mirrors", str(number), environment) for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda pair: pair[1].create(f"journal/{pair[0]}", b"x"), enumerate(backends)))
    fresh = other(tmp_path, url, environment)
    assert sorted(key for key, _ in fresh.keys("journal/")) == [f"journal/{number}" for number in range(4)]


def test_a_write_is_seen_here_at_once_and_elsewhere_with_the_next_create(tmp_path, url, environment, backend):
    backend.write("packs/meta/aa.pack", [b"one", b"two"])
    assert backend.read("packs/meta/aa.pack") == b"onetwo"
    assert backend.size("packs/meta/aa.pack") == 6
    assert list(other(tmp_path, url, environment).keys("")) == []
    assert backend.create("journal/1", b"x")
    assert dict(other(tmp_path, url, environment).keys("")) == {"packs/meta/aa.pack": 6, "journal/1": 1}


def test_a_lost_create_takes_nothing_along_and_the_next_one_does(tmp_path, url, environment, backend):
    assert other(tmp_path, url, environment).create("journal/1", b"theirs")
    backend.write("packs/meta/aa.pack", [b"mine"])
    assert not backend.create("journal/1", b"mine")
    assert backend.read("journal/1") == b"theirs"
    assert backend.create("journal/2", b"mine")
    assert other(tmp_path, url, environment).read("packs/meta/aa.pack") == b"mine"


def test_what_goes_together_goes_whole_or_not_at_all(tmp_path, url, environment, backend):
    backend.keys("")
    with pytest.raises(ConflictError, match="at the same time"), backend.together():
        assert backend.create("journal/1", b"mine")
        assert backend.create("journal/2", b"mine")
        assert other(tmp_path, url, environment).create("journal/2", b"theirs")
    fresh = other(tmp_path, url, environment)
    assert dict(fresh.keys("")) == {"journal/2": 6}
    with pytest.raises(RuntimeError), backend.together():
        backend.create("journal/3", b"mine")
        raise RuntimeError
    with backend.together():
        pass
    assert fresh.size("journal/3") is None


def test_every_other_promise_of_a_backend_holds(tmp_path, url, environment, backend):
    with pytest.raises(KeyMissingError):
        backend.read("nothing")
    with pytest.raises(KeyMissingError):
        backend.read_range("packs/data/00.pack", 0, 1)
    assert backend.size("nothing") is None
    assert backend.modified_s("nothing") is None
    backend.delete("nothing")
    assert backend.create("a/b/c", bytes(range(256)))
    assert backend.read_range("a/b/c", 250, 100) == bytes(range(250, 256))
    backend.write("packs/data/00.pack", [b"0123456789"])
    fresh = other(tmp_path, url, environment)
    assert fresh.read_range("packs/data/00.pack", 3, 4) == b"3456"
    assert fresh.read("packs/data/00.pack") == b"0123456789"
    assert fresh.folders("") == ["a", "packs"]
    assert fresh.folders("a/") == ["b"]
    assert list(fresh.keys("a/", after="a/b/c")) == []
    assert fresh.modified_s("packs/data/00.pack") > 1e9
    assert fresh.modified_s("a/b/c") > 1e9
    fresh.delete("packs/data/00.pack")
    fresh.delete("a/b/c")
    last = GitHostBackend(url, tmp_path / "mirrors", "three", environment)
    assert list(last.keys("")) == []
    fresh.close()
    assert not list((tmp_path / "mirrors").glob("git-data-*")), "what was brought for reading goes at the end"


def test_a_reply_that_was_lost_counts_as_what_is_there(tmp_path, host, url, environment, backend):
    hook = host / "hooks" / "post-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nkill -9 $PPID\n")  # the host takes the push, and its answer never comes
    hook.chmod(0o755)
    assert backend.create("journal/1", b"mine")
    hook.unlink()
    assert other(tmp_path, url, environment).read("journal/1") == b"mine"


def test_a_sha256_repository_is_met_in_its_own_format(tmp_path, environment):
    run("git", "init", "-q", "--bare", "--object-format=sha256", str(tmp_path / "host.git"))
    code = tmp_path / "code"
    run("git", "init", "-q", "--object-format=sha256", str(code))
    run("git", "-c", "user.name=A", "-c", "user.email=a@x", "commit", "-q", "--allow-empty", "-m", "code", cwd=code)
    run("git", "push", "-q", str(tmp_path / "host.git"), "HEAD:refs/heads/master", cwd=code)
    made = GitHostBackend(f"git+file://{tmp_path / 'host.git'}", tmp_path / "mirrors", "one", environment)
    assert made.create("journal/1", b"x")
    made.write("packs/data/00.pack", [b"data"])
    assert made.read("packs/data/00.pack") == b"data"


# -- what it is called, and what goes wrong ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("git+https://host/me/x.git", "git+https://host/me/x.git"),
        ("https://host/me/x.git", "git+https://host/me/x.git"),
        ("git@host:me/x.git", "git+git@host:me/x.git"),
        ("git+ssh://git@host:22/me/x.git", "git+ssh://git@host:22/me/x.git"),
        ("git://host/x", "git+git://host/x"),
        ("git+file:///a b/x", "git+file:///a b/x"),
    ],
)
def test_a_url_means_a_git_host_with_its_prefix_or_where_it_means_nothing_else(written, kept):
    assert places.normal(written).url == kept
    assert places.needs_trust(kept)
    assert not places.holds_data(RemoteSettings(kept))
    assert places.holds_data(RemoteSettings(kept, {"data": "true"}))


@pytest.mark.parametrize("url", ["/srv/x.git", "s3://bucket/x.git", "ssh://host/x.git", "file:///x", "memory:x"])
def test_other_urls_mean_what_they_meant(url):
    assert not git_url.is_git(url)


@pytest.mark.parametrize(
    "url", ["https://me:secret@host/x.git", "https://token@host/x.git", "git+ssh://me:secret@host/x", "git+ext::sh -c true", "git+-oProxy", "git+ssh://-x/y", "git+"]
)
def test_passwords_programs_and_options_are_no_url(url):
    with pytest.raises(UsageError):
        places.normal(url)


def test_an_option_that_a_git_host_has_not_is_refused():
    with pytest.raises(UsageError, match="has no 'region'"):
        places.normal("git+https://host/x", {"region": "eu"})


def test_the_ssh_url_or_folder_of_gits_own_remote_means_that_remote(tmp_path, host, environment):
    code = tmp_path / "code"
    run("git", "init", "-q", str(code))
    run("git", "remote", "add", "origin", str(host), cwd=code)
    made, _ = Workspace.create(code, environment, project="p")
    assert exchanging.add_remote(made, "hub", str(host)).url == f"git+file://{host}"


def test_what_fails_at_the_host_is_one_sentence_with_gits_own_reason(tmp_path, host, url, environment):
    with pytest.raises(RemoteError, match="does not appear to be a git repository"):
        new(tmp_path / "a", environment, f"git+file://{tmp_path / 'none.git'}")
    here = new(tmp_path / "here", environment, url)
    publish(here, {"m": b"1"})
    (host / "hooks").mkdir(exist_ok=True)
    (host / "hooks" / "pre-receive").write_text("#!/bin/sh\necho no pushes on Fridays >&2\nexit 1\n")
    (host / "hooks" / "pre-receive").chmod(0o755)
    with pytest.raises(RemoteError, match="pre-receive hook declined"):
        exchanging.push(here)
    (host / "hooks" / "pre-receive").unlink()
    assert exchanging.push(here).transactions == 1, "nothing was lost"


def test_the_users_own_hooks_do_not_run_for_what_mlvc_pushes(tmp_path, url, environment):
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "pre-push").write_text("#!/bin/sh\nexit 1\n")
    (hooks / "pre-push").chmod(0o755)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".gitconfig").write_text(f"[core]\n\thooksPath = {hooks}\n")
    here = new(tmp_path / "here", environment, url)
    publish(here, {"m": b"1"})
    assert exchanging.push(here).transactions == 1


def test_a_lost_mirror_is_made_again(tmp_path, url, environment):
    here = new(tmp_path / "here", environment, url)
    publish(here, {"m": b"1"})
    exchanging.push(here)
    shutil.rmtree(here.repository.path / "cache")
    publish(here, {"m": b"2"})
    assert exchanging.push(here).transactions == 1


# -- over the network ---------------------------------------------------------------------------------------------------------


def converge(tmp_path, url, environment):
    here = new(tmp_path / "here", environment, url, data="true")
    publish(here, {"m.bin": NOISE})
    exchanging.push(here)
    there, _ = exchanging.clone(url, tmp_path / "there", environment)
    assert read(there, history(there)["v0"]) == {"m.bin": NOISE}
    publish(here, {"m.bin": b"here"})
    publish(there, {"m.bin": b"there"})
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(exchanging.push, [here, there]))
    exchanging.pull(here)
    exchanging.pull(there)
    assert history(here) == history(there)
    assert list(history(here)) == ["v0", "v1", "v2"]


@pytest.mark.xdist_group("git daemon")
def test_two_clones_converge_over_git_daemon(tmp_path, host, environment):
    address = own_address()
    words = ["git", "daemon", "--export-all", "--enable=receive-pack", f"--listen={address}", f"--port={DAEMON_PORT}", f"--base-path={tmp_path}", "--reuseaddr"]
    with (tmp_path / "log").open("wb") as log:
        daemon = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True)
        try:
            await_port(address, DAEMON_PORT, daemon)
            converge(tmp_path, f"git://{address}:{DAEMON_PORT}/host.git", environment)
        finally:
            os.killpg(daemon.pid, 15)
            daemon.wait()


@pytest.mark.xdist_group("git over ssh")
def test_two_clones_converge_over_ssh(tmp_path, host, environment):
    if ssh_server.is_missing() and os.environ.get("MLVC_TEST_SERVERS") != "required":
        pytest.skip("no SSH server here: apt-get install openssh-server")
    (tmp_path / "ssh").mkdir()
    server = ssh_server.SshServer(tmp_path / "ssh", 2223)
    try:
        converge(tmp_path, f"git+{server.url(host)}", {**environment, "GIT_SSH_COMMAND": server.variables["MLVC_SSH_COMMAND"]})
    finally:
        server.stop()
