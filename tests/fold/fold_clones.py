"""Clones for the fold's tests: each authors against its own view, as a clone of a repository does, and receives."""

from __future__ import annotations

from collections.abc import Iterable

from mlvc.fold import folding
from mlvc.fold.folding import Arrival
from mlvc.fold.look import Changes, DictView
from mlvc.fold.questions import View
from mlvc.format import transaction
from mlvc.format.ids import ManifestId, RunId, TransactionId, VersionId, digest, fact_id
from mlvc.format.operations import (
    Delete,
    Edge,
    Link,
    Move,
    Operation,
    Protect,
    Publish,
    RunHead,
    TagAdd,
    TagRemove,
    Undo,
    Unlink,
    version_id,
)
from mlvc.format.transaction import Transaction

MODEL, OTHER = "p/model", "p/other"
REGISTRY, REGISTRY2 = "registry:model/model", "registry:eu/model"


def manifest(content: str) -> ManifestId:
    return ManifestId(digest(content.encode()))


def version(content: str, collection: str = MODEL) -> VersionId:
    return version_id(collection, manifest(content))


def run_id(name: str) -> RunId:
    return RunId(digest(name.encode())[:16])


def fold_all(arrivals: Iterable[Arrival]) -> DictView:
    """Returns the view of a journal."""
    view = DictView()
    for arrival in arrivals:
        view.apply(folding.fold(arrival, view))
    return view


def everything(look: DictView) -> View:
    """Returns questions to a view all of which is confirmed."""
    return View(look, folding.arrivals(look))


class Clone:
    """A clone without upstream: what it says or receives is folded at once, in that order."""

    def __init__(self, name: str, *others: Clone) -> None:
        self.name = name
        self.look = DictView()
        self.arrivals: list[Arrival] = []
        self._said = 0
        for other in others:
            self.receive(other)

    @property
    def view(self) -> View:
        return everything(self.look)

    def fold(self, arrival: Arrival) -> Changes:
        changes = folding.fold(arrival, self.look)
        self.look.apply(changes)
        if arrival.id not in {a.id for a in self.arrivals}:
            self.arrivals.append(arrival)
        return changes

    def receive(self, other: Clone) -> None:
        for arrival in other.arrivals:
            self.fold(arrival)

    def compose(
        self, *operations: Operation, signer: str | None = None, after: tuple[TransactionId, ...] | None = None
    ) -> Arrival:
        """Returns a transaction by this clone that nobody has folded yet."""
        self._said += 1
        made = Transaction(
            nonce=digest(f"{self.name} {self._said}".encode())[:16],
            who=self.name,
            when_ms=self._said,
            command="test",
            after=self.view.heads() if after is None else after,
            operations=operations,
            signer=signer or "",
        )
        return Arrival(transaction.encode(made), signer)

    def say(
        self, *operations: Operation, signer: str | None = None, after: tuple[TransactionId, ...] | None = None
    ) -> TransactionId:
        arrival = self.compose(*operations, signer=signer, after=after)
        self.fold(arrival)
        return arrival.id

    # What a person does, with everything named that this clone knows.

    def publish(self, content: str, collection: str = MODEL, *, signer: str | None = None, **more: object) -> TransactionId:
        seen = self.view.deletes_to_name(version(content, collection))
        return self.say(Publish(collection, manifest(content), deletes_seen=seen, **more), signer=signer)  # type: ignore[arg-type]

    def a_move(self, alias: str, to: VersionId | None, collection: str = MODEL) -> Move:
        seen = () if to is None else self.view.deletes_to_name(to)
        return Move(collection, alias, to, self.view.moves_to_name(collection, alias), seen)

    def move(
        self, alias: str, to: VersionId | None, collection: str = MODEL, *, signer: str | None = None
    ) -> TransactionId:
        return self.say(self.a_move(alias, to, collection), signer=signer)

    def link(self, what: VersionId, registry: str = REGISTRY) -> TransactionId:
        return self.say(Link(registry, what, deletes_seen=self.view.deletes_to_name(what)))

    def unlink(self, what: VersionId, registry: str = REGISTRY, *, signer: str | None = None) -> TransactionId:
        return self.say(Unlink(registry, what, self.view.facts_to_delete(what, registry)), signer=signer)

    def delete(self, what: VersionId, *, signer: str | None = None) -> TransactionId:
        return self.say(Delete(("version", what), self.view.facts_to_delete(what)), signer=signer)

    def delete_run(self, run: RunId) -> TransactionId:
        return self.say(Delete(("run", run), self.view.run_facts_to_delete(run)))

    def delete_collection(self, collection: str) -> TransactionId:
        return self.say(Delete(("collection", collection), self.view.collection_facts_to_delete(collection)))

    def undo(self, what: TransactionId, *, signer: str | None = None) -> TransactionId:
        return self.say(Undo(what), signer=signer)

    def tag(self, target: tuple[str, str | bytes], tag: str) -> TransactionId:
        return self.say(TagAdd(target, tag))

    def untag(self, target: tuple[str, str | bytes], tag: str) -> TransactionId:
        return self.say(TagRemove(target, tag, self.view.taggings_to_remove(target, tag)))

    def head(self, run: RunId, **more: object) -> TransactionId:
        known = self.view.run(run)
        seen = known.heads if known else ()
        return self.say(RunHead(run, "p", "label", saw=seen, **more))  # type: ignore[arg-type]

    def use(self, run: RunId, what: VersionId, name: str = "model:latest") -> TransactionId:
        return self.say(Edge(run, what, name))

    def protect(
        self, alias: str, keys: tuple[str, ...] | None, collection: str = MODEL, *, signer: str | None = None
    ) -> TransactionId:
        return self.say(Protect(collection, alias, keys), signer=signer)

    # What a person sees.

    def in_force(self, alias: str, collection: str = MODEL) -> VersionId | None:
        return self.view.alias(collection, alias).version

    def values(self, alias: str, collection: str = MODEL) -> tuple[VersionId | None, ...]:
        return self.view.alias(collection, alias).values

    def number(self, what: VersionId, collection: str = MODEL) -> int | None:
        found = self.view.member(collection, what)
        return None if found is None else found.number

    def numbers(self, collection: str = MODEL) -> dict[int, VersionId]:
        return {m.number: m.version for m in self.view.members(collection)}

    def latest(self, collection: str = MODEL) -> VersionId | None:
        found = self.view.latest(collection)
        return None if found is None else found.version

    def conflicts(self) -> list[tuple[str, str]]:
        return [(c.kind, c.alias if c.kind == "alias" else c.collection) for c in self.view.conflicts()]

    def refused(self, what: TransactionId) -> bool:
        return what in {tx for tx, _, _ in self.view.refusals()}


def together(*clones: Clone) -> Clone:
    """Returns a clone that has received what the others have, in their order."""
    return Clone("together", *clones)


def first(what: TransactionId) -> bytes:
    """Returns the fact that a transaction's first operation is."""
    return fact_id(what, 0)
