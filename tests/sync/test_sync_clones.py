"""Two clones and a folder between them: numbers, conflicts, lazy data, and what is refused."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from clones import ENVIRONMENT, C, clone, connected, history, opened, publish, read, reopened, workspace

from mlvc.errors import (
    ConflictError,
    DamageError,
    InvalidNameError,
    NotFoundError,
    RemoteError,
    UsageError,
)
from mlvc.format import manifest as manifests
from mlvc.format import record, sorted_blocks
from mlvc.format.ids import digest
from mlvc.format.journal_entry import GENESIS, Control
from mlvc.format.operations import Publish
from mlvc.journal.entries import Journal
from mlvc.repository import append
from mlvc.repository.append import Tail
from mlvc.repository.repository import Repository
from mlvc.working_tree import lock_file
from mlvc.working_tree.lock_file import WHOLE, Pin
from mlvc.workspace import contents, exchanging, proving

BIG = random.Random(2).randbytes(3 << 20)


def test_the_first_push_hands_over_and_numbers_stay_then_later_ones_are_provisional(tmp_path, remote):
    here = connected(tmp_path / "a", remote, {"w": b"1"})
    assert list(history(here)) == ["v0"]
    plan = exchanging.push_plan(here)
    assert (plan.transactions, plan.hands_over, len(plan.packs)) == (1, True, 2)
    assert not (remote / "store").exists(), "a plan changes nothing"
    pushed = exchanging.push(here)
    assert pushed.handed_over and pushed.transactions == 1 and pushed.size_bytes == plan.size_bytes
    assert publish(here, {"w": b"2"}) == "v1~"
    pushed = exchanging.push(here)
    assert (pushed.transactions, pushed.handed_over, pushed.pulled.renumbered) == (1, False, ())
    assert list(history(here)) == ["v0", "v1"]
    assert exchanging.push(here).transactions == 0


def test_a_repository_that_knows_its_remote_from_the_start_begins_no_journal_of_its_own(tmp_path, remote):
    here = connected(tmp_path / "a", remote)
    assert publish(here, {"w": b"1"}) == "v0~"
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "mlvc.toml").write_text(f'project = "p"\n[remotes.origin]\nurl = "{remote}"\n')
    there = opened(tmp_path / "b")  # as in a Git clone: the tracked file makes the store
    assert publish(there, {"w": b"2"}) == "v0~"
    assert here.repository.journal() is None and there.repository.journal() is None
    assert not exchanging.push(here).handed_over
    pushed = exchanging.push(there)
    assert [(r.before, r.after) for r in pushed.pulled.renumbered] == [(0, 1)]
    exchanging.pull(here)
    assert list(history(here)) == ["v0", "v1"] and history(here) == history(there)


def test_provisional_numbers_are_confirmed_or_renumbered_and_said(tmp_path, origin, remote):
    other = clone(remote, tmp_path / "other")
    assert publish(origin, {"w.bin": b"theirs"}) == "v1~"
    assert publish(other, {"w.bin": b"mine"}) == "v1~"
    mine = history(other)["v1~"]
    exchanging.push(origin)
    pulled = exchanging.pull(other)
    assert [(r.collection, r.version, r.before, r.after) for r in pulled.renumbered] == [(C, mine, 1, 2)]
    assert list(history(other)) == ["v0", "v1", "v2~"]
    assert exchanging.push(other).pulled.renumbered == ()
    assert list(history(other)) == ["v0", "v1", "v2"]
    exchanging.pull(origin)
    assert history(origin) == history(other)


def test_a_push_takes_in_what_came_first(tmp_path, origin, remote):
    other = clone(remote, tmp_path / "other")
    publish(origin, {"w.bin": b"theirs"})
    publish(other, {"w.bin": b"mine"})
    exchanging.push(origin)
    pushed = exchanging.push(other)
    assert (pushed.transactions, pushed.pulled.transactions) == (1, 1)
    assert [(r.before, r.after) for r in pushed.pulled.renumbered] == [(1, 2)]


def test_an_alias_moved_in_two_clones_is_a_conflict_until_someone_decides(tmp_path, origin, remote):
    other = clone(remote, tmp_path / "other")
    publish(origin, {"w.bin": b"theirs"}, ["prod"])
    publish(other, {"w.bin": b"mine"}, ["prod"])
    exchanging.push(origin)
    exchanging.push(other)
    assert len(other.repository.view().conflicts()) == 1
    publish(other, {"w.bin": b"decided"}, ["prod"])
    exchanging.push(other)
    exchanging.pull(origin)
    assert origin.repository.view().conflicts() == []


def test_equal_content_published_in_two_clones_is_one_version(tmp_path, origin, remote):
    other = clone(remote, tmp_path / "other")
    publish(origin, {"w.bin": b"same"})
    publish(other, {"w.bin": b"same"})
    exchanging.push(origin)
    exchanging.push(other)
    assert list(history(other)) == ["v0", "v1"]
    assert len(other.repository.view().publications(history(other)["v1"])) == 2


# -- clones and data that comes when it is wanted ---------------------------------------------------------------------


def data_packs(where) -> list[Path]:
    return list((where.repository.path / "packs" / "data").glob("*.pack"))


def test_a_clone_has_names_and_history_and_reads_data_when_it_is_wanted(tmp_path, remote):
    here = connected(tmp_path / "a", remote)
    publish(here, {"big.bin": BIG, "small": b"s"}, ["prod"])
    exchanging.push(here)
    there = clone(remote, tmp_path / "b")
    assert there.project == "p" and there.settings.upstream == "origin"
    assert history(there) == history(here)
    assert data_packs(there) == []
    report = proving.fsck(there, repair=False)
    assert report.damage == [] and report.elsewhere > 10
    assert read(there, history(there)["v0"]) == {"big.bin": BIG, "small": b"s"}
    assert data_packs(there) != []
    assert proving.fsck(there, repair=False).elsewhere == 0
    shutil.rmtree(remote)
    assert read(there, history(there)["v0"])["big.bin"] == BIG


def test_reading_one_file_brings_only_its_pieces(tmp_path, remote):
    here = connected(tmp_path / "a", remote)
    publish(here, {"big.bin": BIG, "small": b"s"})
    exchanging.push(here)
    there = clone(remote, tmp_path / "b")
    found = contents.of(there, there.repository.view(), history(there)["v0"])
    assert b"".join(contents.read_entry(there, found, "small")) == b"s"
    assert sum(p.stat().st_size for p in data_packs(there)) < 1000


def test_a_remote_that_is_gone_is_an_error_only_for_what_is_nowhere_else(tmp_path, origin, remote):
    there = clone(remote, tmp_path / "b")
    remote.rename(tmp_path / "away")
    version = history(there)["v0"]
    with pytest.raises(RemoteError, match="holds no mlvc store"):
        read(there, version)
    exchanging.add_remote(there, "second", str(tmp_path / "away"))
    assert read(there, version) == {"w.bin": b"one"}


def test_without_a_remote_what_is_not_here_is_not_found(tmp_path, origin, remote):
    there = clone(remote, tmp_path / "b")
    exchanging.remove_remote(there, "origin")
    with pytest.raises(NotFoundError, match="not in this clone"):
        read(there, history(there)["v0"])


def test_a_damaged_piece_at_the_remote_is_refused_and_another_copy_taken(tmp_path, origin, remote):
    there = clone(remote, tmp_path / "b")
    (path,) = (remote / "packs" / "data").glob("*.pack")
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"one", b"ONE"))
    with pytest.raises(NotFoundError):
        read(there, history(there)["v0"])
    assert data_packs(there) == [], "nothing unproven is kept"
    exchanging.add_remote(there, "backup", str(origin.root))
    assert read(there, history(there)["v0"]) == {"w.bin": b"one"}


def test_fetch_brings_the_data_of_pins_or_of_the_versions_named(tmp_path, origin, remote):
    publish(origin, {"w.bin": b"two"})
    exchanging.push(origin)
    there = clone(remote, tmp_path / "b")
    assert exchanging.fetch(there, []).bytes == 0
    first, second = history(there).values()
    lock_file.write(there.root, {"w.bin": Pin("w.bin", first, C, WHOLE)})
    assert exchanging.fetch(there, []).bytes > 0
    assert exchanging.fetch(there, []).bytes == 0
    shutil.move(remote, tmp_path / "away")
    assert read(there, first) == {"w.bin": b"one"}
    with pytest.raises(RemoteError):
        read(there, second)
    shutil.move(tmp_path / "away", remote)
    done = exchanging.fetch(there, ["model:v1"])
    assert done.bytes > 0 and done.pulled.transactions == 0
    with pytest.raises(NotFoundError):
        exchanging.fetch(there, ["model:v9"])


def test_a_clone_of_a_repository_takes_its_store_and_names_it_as_the_remote(tmp_path, origin):
    there, pulled = exchanging.clone(str(origin.root), tmp_path / "b", ENVIRONMENT)
    assert pulled.transactions == 1
    assert {name: r.url for name, r in there.settings.remotes.items()} == {"origin": str(origin.root)}
    assert read(there, history(there)["v0"]) == {"w.bin": b"one"}


def test_a_clone_is_named_after_its_source(tmp_path, origin, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tmp_path / "remote", tmp_path / "x" / "digits.mlvc")
    there, _ = exchanging.clone("x/digits.mlvc", None, ENVIRONMENT)
    assert there.root == tmp_path / "digits"
    assert there.settings.remotes["origin"].url == str(tmp_path / "x" / "digits.mlvc")
    there, _ = exchanging.clone(f"file://{tmp_path}/origin/.mlvc", tmp_path / "again", ENVIRONMENT)
    assert list(history(there)) == ["v0"]


def test_a_clone_made_inside_of_a_git_checkout_is_found_again(tmp_path, origin, remote):
    from mlvc import git_program

    checkout = tmp_path / "code"
    checkout.mkdir()
    git_program.git(["init", "-q"], cwd=checkout)
    there = clone(remote, checkout / "inner")
    (there.root / "deep").mkdir()
    assert opened(there.root / "deep").root == there.root
    assert not (checkout / ".git" / "mlvc").exists()


def test_a_clone_that_fails_leaves_nothing_behind(tmp_path, origin, remote):
    with pytest.raises(RemoteError, match="holds no mlvc store"):
        clone(tmp_path / "nowhere", tmp_path / "b")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("x")
    with pytest.raises(UsageError, match="not empty"):
        clone(remote, tmp_path / "full")
    entry = sorted((remote / "journal").glob("*/*"))[1]
    data = bytearray(entry.read_bytes())
    data[-1] ^= 1
    entry.write_bytes(data)
    (tmp_path / "empty").mkdir()
    for dest in ("b", "empty"):
        with pytest.raises(DamageError):
            clone(remote, tmp_path / dest)
    assert not (tmp_path / "b").exists()
    assert list((tmp_path / "empty").iterdir()) == []
    assert [p.name for p in (tmp_path / "full").iterdir()] == ["thesis.tex"]


# -- what is refused --------------------------------------------------------------------------------------------------


def test_two_histories_are_not_mixed(tmp_path, origin, remote):
    stranger = connected(tmp_path / "stranger", remote, {"x": b"x"})
    for deed in (exchanging.push, exchanging.pull):
        with pytest.raises(ConflictError, match="began apart"):
            deed(stranger)
    assert list(history(stranger)) == ["v0"]
    assert len(list((remote / "journal").iterdir())) == 1


def test_a_repository_without_commits_adopts_what_it_pulls(tmp_path, origin, remote):
    there = connected(tmp_path / "b", remote)
    assert exchanging.pull(there).transactions == 1
    assert history(there) == history(origin)


def test_a_journal_that_was_begun_and_never_used_gives_way_to_the_remotes(tmp_path, origin, remote):
    there = workspace(tmp_path / "b")
    with pytest.raises(UsageError), there.committing("too large") as commit:  # refused once the journal is begun
        commit.say_with(lambda view: _begun(there))
    assert there.repository.journal() is not None
    exchanging.add_remote(there, "origin", str(remote))
    exchanging.pull(there)
    assert history(reopened(there)) == history(origin)


def _begun(where):
    journal = Journal(where.repository.backend, bytes(16))
    append.append_control(journal, Tail(0, bytes(32)), Control(GENESIS, where.repository.id))
    raise UsageError("too large")


def test_pushing_into_the_repository_that_is_the_authority_appends_there(tmp_path):
    owner = workspace(tmp_path / "owner")
    publish(owner, {"w": b"0"})
    there = clone(owner.root, tmp_path / "b")
    assert publish(there, {"w": b"1"}) == "v1~"
    assert exchanging.push(there).transactions == 1
    assert list(history(owner)) == ["v0", "v1"]
    assert publish(owner, {"w": b"2"}) == "v2"


def test_a_copy_that_went_another_way_is_not_mixed_in(tmp_path, origin, remote):
    shutil.copytree(remote, tmp_path / "copy")
    there = clone(tmp_path / "copy", tmp_path / "b")
    publish(origin, {"w.bin": b"here"})
    exchanging.push(origin)
    publish(there, {"w.bin": b"there"})
    exchanging.push(there)
    exchanging.add_remote(origin, "copy", str(tmp_path / "copy"))
    before = history(origin)
    with pytest.raises(ConflictError, match="another way"):
        exchanging.pull(origin, "copy")
    assert history(origin) == before


def test_a_manifest_that_would_write_outside_its_folder_is_refused(tmp_path, origin, remote):
    """A hostile remote's manifest is proven by its hash, and still may not say where to write."""
    store = Repository(remote)
    with store.committing("Mallory", "hostile") as commit:
        content = commit.ingest.add_bytes(b"#!/bin/sh")
        for path in ("../escaped", ".git/hooks/post-checkout"):
            built = sorted_blocks.build(manifests.TABLE, [(path.encode(), [9, content.digest])], 9)
            for _, data in built.records:
                commit.ingest.add_record(record.kind_of(data, "x"), data)
            commit.need("artifact", built.id)
            commit.say(Publish(f"p/{digest(path.encode()).hex()[:6]}", built.id))
    store.close()
    there = clone(remote, tmp_path / "b")
    hostile = [c.name for c in there.repository.view().collections() if c.name != C]
    assert len(hostile) == 2
    for name in hostile:
        (version,) = history(there, name).values()
        with pytest.raises((DamageError, InvalidNameError)):
            contents.write_out(there, contents.of(there, there.repository.view(), version), there.root / "out")
    assert not (there.root / "escaped").exists() and not list(tmp_path.rglob("post-checkout"))
