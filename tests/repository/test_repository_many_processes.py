"""Many processes committing to one repository at once."""

from __future__ import annotations

import multiprocessing
import sys
from pathlib import Path

import pytest
from repository_deeds import assert_sound, publish, state

from mlvc.repository.repository import Repository

C = "p/model"
PROCESSES = 16
VERSIONS = 100


def log_versions(path: Path, who: int, count: int) -> None:
    repository = Repository(path)
    for number in range(count):
        publish(repository, C, {"who": b"%d" % who, "number": b"%d" % number}, [f"of-{who}"])
    repository.close()


def in_processes(target, arguments: list[tuple]) -> None:
    """Runs a module's function in as many processes at once; all end well."""
    method = "fork" if sys.version_info < (3, 12) else "spawn"  # later ones warn of a fork in a process with threads
    context = multiprocessing.get_context(method)
    running = [context.Process(target=target, args=a) for a in arguments]
    for process in running:
        process.start()
    for process in running:
        process.join()
    assert [process.exitcode for process in running] == [0] * len(running)


@pytest.mark.slow
def test_sixteen_processes_log_a_hundred_versions_each_and_none_is_lost(tmp_path):
    Repository.create(tmp_path / "store").close()
    in_processes(log_versions, [(tmp_path / "store", who, VERSIONS) for who in range(PROCESSES)])
    repository = Repository(tmp_path / "store")
    seen = state(repository, with_files=False)[C]
    assert sorted(seen["members"]) == list(range(PROCESSES * VERSIONS))
    assert len(set(seen["members"].values())) == PROCESSES * VERSIONS
    assert set(seen["aliases"]) == {f"of-{who}" for who in range(PROCESSES)}
    repository.cached_view.discard()
    assert state(repository, with_files=False)[C] == seen
    assert len(repository.view().heads()) <= PROCESSES + 1
    assert_sound(repository)
