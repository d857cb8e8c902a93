"""A commit that fails or is killed at any operation, and a power cut at any time: all of it is there, or nothing."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from file_faults import CountingLayer, Killed, RecordingLayer, build, power_cuts
from repository_deeds import assert_sound, open_anew, publish, read_files, state, versions_in

from mlvc import atomic_file
from mlvc.errors import Error, NotFoundError
from mlvc.repository.repository import Repository

C = "p/model"
BIG = random.Random(1).randbytes((1 << 20) + 5)
FIRST = {"a.bin": b"first", "big.bin": BIG}
SECOND = {"a.bin": b"first", "b.bin": b"second", "big.bin": BIG[:-1] + b"!"}


def prepared(folder: Path, kind: str) -> Path:
    """A store with one version in it (in a journal, or pending), or an empty one."""
    path = folder / "store"
    repository = Repository.create(path)
    repository.starts_journals = kind != "pending"
    if kind != "empty":
        publish(repository, C, FIRST, ["prod"])
    repository.close()
    return path


def copied(path: Path, folder: Path) -> Path:
    shutil.copytree(path, folder)
    return folder


def commit_under(layer: CountingLayer, path: Path, kind: str) -> None:
    with atomic_file.using_layer(layer):
        repository = open_anew(path, starts_journals=kind != "pending")
        try:
            publish(repository, C, SECOND, ["prod"])
        finally:
            repository.close()


@pytest.mark.parametrize("kill", [False, True], ids=["fails", "is killed"])
@pytest.mark.parametrize("kind", ["empty", "journal", "pending"])
def test_a_commit_stopped_at_any_operation_is_wholly_there_or_wholly_absent(tmp_path, kind, kill):
    base = prepared(tmp_path, kind)
    counting = CountingLayer()
    commit_under(counting, copied(base, tmp_path / "whole"), kind)
    assert counting.count > 15
    outcomes = set()
    for k in range(counting.count):
        path = copied(base, tmp_path / "try")
        try:
            commit_under(CountingLayer(k, kill=kill), path, kind)
        except (Error, Killed):
            pass
        else:
            assert not kill
        repository = open_anew(path, starts_journals=kind != "pending")
        assert_sound(repository)
        seen = state(repository).get(C)
        files = [] if seen is None else [seen["files"][v] for _, v in sorted(seen["members"].items())]
        expected = [] if kind == "empty" else [FIRST]
        assert files in (expected, [*expected, SECOND])
        if seen is not None and expected:
            assert seen["aliases"] == {"prod": seen["members"][len(files) - 1]}
        outcomes.add(len(files) - len(expected))
        again = publish(repository, C, SECOND)
        assert read_files(repository, again) == SECOND
        assert versions_in(repository, C)[again] == len(expected)
        repository.close()
        shutil.rmtree(path)
    assert outcomes == {0, 1}


def story(layer: RecordingLayer, world: Path, *, first_of_all: bool = True) -> None:
    """A repository's first days: made, committed to, committed to by someone with a remote, and taken in."""
    with atomic_file.using_layer(layer):
        repository = Repository.create(world / "store")
        if first_of_all:
            layer.acknowledge((publish(repository, C, FIRST, ["prod"]), FIRST))
            layer.acknowledge((publish(repository, C, SECOND), SECOND))
            layer.acknowledge((publish(repository, "p/same", FIRST), FIRST))
        else:
            repository.starts_journals = False
            layer.acknowledge((publish(repository, C, FIRST, ["prod"]), FIRST))
            repository.starts_journals = True
            repository.take_in_inbox()
            layer.acknowledge((publish(repository, C, SECOND), SECOND))
        repository.close()


KNOWN = [FIRST, SECOND]


def check_power_cuts(layer: RecordingLayer, world: Path, tmp_path: Path, seed: int, start: int = 0) -> int:
    """Tries every power cut; AssertionError where an acknowledged version is gone or half a commit is visible."""
    count = 0
    caches = world / "store" / "cache"
    for tree, acknowledged in power_cuts(layer.done, random.Random(seed), start):
        count += 1
        left = tmp_path / "left"
        build(tree, left)
        if count % 2 and (left / "store").is_dir():  # caches that are ahead of the truth, or none
            shutil.rmtree(left / "store" / "cache", ignore_errors=True)
            shutil.copytree(caches, left / "store" / "cache")
        try:
            check_left(left / "store", acknowledged)
        finally:
            shutil.rmtree(left)
    return count


def check_left(store: Path, acknowledged: list) -> None:
    try:
        repository = Repository(store)
    except NotFoundError:
        assert not acknowledged, "the store is gone"
        return
    except Error as error:
        raise AssertionError(f"the store cannot be opened: {error}") from error
    try:
        repository.take_in_inbox()
        assert_sound(repository)
        seen = state(repository)
        shown = {version: files for s in seen.values() for version, files in s["files"].items()}
        assert all(files in KNOWN for files in shown.values())
        for version, files in acknowledged:
            assert shown.get(version) == files, "what was acknowledged is gone"
    except (Error, OSError) as error:
        raise AssertionError(f"the repository cannot be used: {error}") from error
    finally:
        repository.close()


@pytest.mark.parametrize("first_of_all", [True, False], ids=["own journal", "pending, then taken in"])
def test_a_power_cut_at_any_time_loses_nothing_acknowledged(tmp_path, first_of_all):
    world = tmp_path / "world"
    world.mkdir()
    layer = RecordingLayer(world)
    story(layer, world, first_of_all=first_of_all)
    assert check_power_cuts(layer, world, tmp_path, seed=7) > 100


def test_a_power_cut_after_another_process_was_killed_loses_nothing_acknowledged(tmp_path):
    """What a killed process named but did not sync, those after it lean on."""
    counting = CountingLayer()
    with atomic_file.using_layer(counting):
        publish(Repository.create(tmp_path / "counted"), C, FIRST, ["prod"])
    for k in range(counting.count):
        world = tmp_path / f"world{k}"
        world.mkdir()
        layer = RecordingLayer(world, at=k)
        try:
            with atomic_file.using_layer(layer):
                publish(Repository.create(world / "store"), C, FIRST, ["prod"])
        except Killed:
            layer.is_dead, layer.at = False, None
        with atomic_file.using_layer(layer):
            made = (world / "store" / "store").exists()
            repository = (Repository if made else Repository.create)(world / "store")
            repository.take_in_inbox()
            layer.acknowledge((publish(repository, C, SECOND), SECOND))
            repository.close()
        check_power_cuts(layer, world, tmp_path, seed=k, start=len(layer.done))
        shutil.rmtree(world)


def test_a_pending_file_goes_only_when_the_entry_that_another_process_wrote_is_durable(tmp_path):
    def until_taken_in(world: Path, at: int | None) -> RecordingLayer:
        world.mkdir()
        layer = RecordingLayer(world)
        with atomic_file.using_layer(layer):
            repository = Repository.create(world / "store")
            repository.starts_journals = False
            layer.acknowledge((publish(repository, C, FIRST), FIRST))
            repository.starts_journals = True
            layer.at = None if at is None else layer.count + at
            before = layer.count
            try:
                repository.take_in_inbox()
            except Killed:
                layer.is_dead, layer.at = False, None
            layer.taken = layer.count - before
            repository.close()
        return layer

    for k in range(until_taken_in(tmp_path / "counted", None).taken):
        world = tmp_path / f"world{k}"
        layer = until_taken_in(world, k)
        with atomic_file.using_layer(layer):
            repository = Repository(world / "store")
            repository.take_in_inbox()
            repository.close()
        check_power_cuts(layer, world, tmp_path, seed=k, start=len(layer.done))


FORGOTTEN = {
    "files": lambda o: o.what == "fsync",
    "packs": lambda o: o.what == "fsync" and "packs/" in o.path,
    "entries": lambda o: o.what == "fsync" and "journal/" in o.path,
    "all folders": lambda o: o.what == "fsync_folder",
    "the folder of data packs": lambda o: o.what == "fsync_folder" and o.path == "store/packs/data",
    "the folder of meta packs": lambda o: o.what == "fsync_folder" and o.path == "store/packs/meta",
    "the journal's folder": lambda o: o.what == "fsync_folder" and o.path.startswith("store/journal/"),
    "the journal folder's folder": lambda o: o.what == "fsync_folder" and o.path == "store/journal",
    "the store's folder": lambda o: o.what == "fsync_folder" and o.path == "store",
    "the folder around the store": lambda o: o.what == "fsync_folder" and o.path == ".",
}


@pytest.mark.parametrize("forgotten", FORGOTTEN.values(), ids=FORGOTTEN.keys())
def test_a_forgotten_fsync_is_noticed(tmp_path, forgotten):
    world = tmp_path / "world"
    world.mkdir()
    layer = RecordingLayer(world, deaf=forgotten)
    story(layer, world)
    with pytest.raises(AssertionError):
        check_power_cuts(layer, world, tmp_path, seed=7)


FORGOTTEN_PENDING = {
    "pending transactions": lambda o: o.what == "fsync" and "pending/" in o.path,
    "the pending folder": lambda o: o.what == "fsync_folder" and o.path == "store/pending",
}


@pytest.mark.parametrize("forgotten", FORGOTTEN_PENDING.values(), ids=FORGOTTEN_PENDING.keys())
def test_a_forgotten_fsync_of_what_is_pending_is_noticed(tmp_path, forgotten):
    world = tmp_path / "world"
    world.mkdir()
    layer = RecordingLayer(world, deaf=forgotten)
    story(layer, world, first_of_all=False)
    with pytest.raises(AssertionError):
        check_power_cuts(layer, world, tmp_path, seed=7)
