"""Makes a repository with a long history: runs, each of which used a version and logged one, in many collections.

One transaction a run, as real ones are, but a thousand of them to a journal entry and a pack: an hour of commits in minutes.
"""

from __future__ import annotations

import argparse
import os
import random
import time
from pathlib import Path

from mlvc.format import manifest, operations, values
from mlvc.format.ids import RUN_ID_SIZE, FileDigest, RunId, VersionId, digest
from mlvc.format.manifest import FileEntry
from mlvc.format.operations import Collection, Edge, Move, Operation, Project, Publish, RunHead
from mlvc.format.record import kind_of
from mlvc.format.transaction import Envelope, Need, Transaction
from mlvc.objects.ingest import Ingest
from mlvc.repository.commit import make_envelope
from mlvc.workspace.workspace import Workspace

BATCH = 1000
COLLECTIONS = 100
PROJECT = "long"


def stored(given: dict[str, object]) -> dict[str, values.StoredValue]:
    return {name: values.to_stored(value)[0] for name, value in given.items()}


class History:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.made: list[tuple[str, VersionId]] = []
        self.seen: set[str] = set()

    def deed(self, number: int, ingest: Ingest) -> tuple[list[Operation], list[Need]]:
        """Returns what run `number` says: itself, an input, and one output with its metadata."""
        run = RunId(self.random.randbytes(RUN_ID_SIZE))
        name = f"{PROJECT}/model-{number % COLLECTIONS}"
        content = f"weights {number}".encode()
        stored_file = ingest.add_bytes(content)
        built = manifest.build([FileEntry("model.bin", len(content), FileDigest(digest(content)))])
        for _, data in built.records:
            ingest.add_record(kind_of(data, "a manifest"), data)
        history = ingest.add_bytes(f"history of run {number}".encode())
        facts = {"name": f"run-{number}", "job_type": "train", "state": "finished", "created_ms": 1_790_000_000_000 + 1000 * number, "steps": 10}
        config = {"lr": 10 ** -(1 + number % 5), "layers": number % 7, "seed": number}
        summary = {"loss": 1 / (1 + number % 97), "accuracy": (number % 100) / 100}
        said: list[Operation] = [
            RunHead(
                run, PROJECT, f"r{number:07d}", facts=stored(facts), config=stored(config), summary=stored(summary),
                files={"history": (history.digest, history.size, history.recipe)},
            )
        ]
        if self.made:
            used, version = self.random.choice(self.made[-1000:])
            said.append(Edge(run, version, f"{used.split('/')[1]}", ""))
        if name not in self.seen:
            self.seen.add(name)
            said.append(Collection(name, "model"))
        said.append(Publish(name, built.id, stored_file.recipe, run, stored({"epoch": number % 10})))
        version = operations.version_id(name, built.id)
        if number % 50 == 0:
            said.append(Move(name, "best", version, (), ()))
        self.made.append((name, version))
        return said, [Need("artifact", built.id), Need("file", history.digest)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--batch", type=int, default=BATCH, help="transactions to a journal entry")
    given = parser.parse_args()
    given.folder.mkdir(parents=True)
    workspace, _ = Workspace.create(given.folder, {**os.environ, "MLVC_USER": "Bench <bench@example.org>"}, project=PROJECT)
    repository, history = workspace.repository, History(1)
    after = repository.view().heads()
    first: list[Operation] = [] if after else [Project(PROJECT)]
    for start in range(0, given.runs, given.batch):
        began = time.perf_counter()
        with repository.locks.committing():
            ingest = Ingest(repository.objects)
            deeds = [history.deed(n, ingest) for n in range(start, min(start + given.batch, given.runs))]
            ingest.finish()
            envelopes: list[Envelope] = []
            for said, needs in deeds:
                made = Transaction(os.urandom(16), "Bench <bench@example.org>", 1_790_000_000_000, "bench", after, (*first, *said), tuple(needs))
                envelopes.append(make_envelope(made, ingest))
                after, first = (envelopes[-1].id,), []
            repository.record(envelopes)
        if (start + len(deeds)) % BATCH == 0:
            print(f"{start + len(deeds):,} runs, {time.perf_counter() - began:.2f} s", flush=True)


if __name__ == "__main__":
    main()
