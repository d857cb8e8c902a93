"""A repository with many runs and versions, for what has to be fast, or to work, however many there are."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

from mlvc.format.ids import RunId
from mlvc.format.operations import Collection, Edge, Link, Operation, Publish, RunHead
from mlvc.workspace import publishing
from mlvc.workspace.draft import Draft
from mlvc.workspace.workspace import Workspace

AT_ONCE = 100
"""Operations in a transaction."""

COLLECTIONS, USERS, MODELS = 50, 2_000, 200


def build(folder: Path, count: int) -> None:
    """Makes a repository with runs of the project `many`."""
    folder.mkdir(parents=True, exist_ok=True)
    workspace, _ = Workspace.create(folder, project="many")
    chance = random.Random(0)
    heads = []
    for number in range(count):
        config = {"lr": chance.random(), "layers": number % 12, "model": {"name": f"net{number % 7}"}, "seed": number}
        facts = {"name": f"run-{number}", "state": "finished", "created_ms": 1_700_000_000_000 + number * 1000, "job_type": "train"}
        summary = {"acc": chance.random(), "loss": chance.random(), "_step": 99, "_runtime": 12.5}
        said = [{k: json.dumps(v, separators=(",", ":")) for k, v in one.items()} for one in (facts, config, summary)]
        heads.append(RunHead(RunId(os.urandom(16)), "many", f"r{number:06d}", (), *said, (), (f"t{number % 5}",)))
        if len(heads) == AT_ONCE or number + 1 == count:
            with workspace.committing("bench") as commit:
                commit.say(*heads)
            heads = []
    workspace.close()


def add_versions(folder: Path, count: int) -> None:
    """Adds versions: as many contents as one collection has, published in each; runs that made them and used the first; registered models."""
    workspace = Workspace.find(folder)
    said = []
    for number in range(count // COLLECTIONS):
        made = publishing.publish(workspace, Draft("many/data0", "dataset", {"n.txt": str(number).encode()}), "bench").member
        said.append(workspace.repository.view().publications(made.version)[0])
    runs = list(workspace.repository.view().run_ids("many"))
    operations: list[Operation] = [Collection(f"many/data{place}", "dataset") for place in range(1, COLLECTIONS)]
    for place in range(1, COLLECTIONS):
        operations += [
            Publish(f"many/data{place}", one.manifest, one.recipes, RunId(runs[(place * 997 + number) % len(runs)])) for number, one in enumerate(said)
        ]
    operations += [Edge(RunId(run), said[0].version, "data0") for run in runs[:USERS]]
    for place in range(MODELS):
        operations.append(Collection(f"registry:model/model{place}", "dataset"))
        operations += [Link(f"registry:model/model{place}", one.version) for one in said[place : place + 10]]
    for start in range(0, len(operations), AT_ONCE):
        with workspace.committing("bench") as commit:
            commit.say(*operations[start : start + AT_ONCE])
    workspace.close()
