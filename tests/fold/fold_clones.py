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
    Collection,
    Delete,
    Edge,
    Edit,
    FoldRules,
    Link,
    Move,
    Operation,
    Project,
    Protect,
    Publish,
    Redirect,
    RunHead,
    TagAdd,
    TagRemove,
    Ttl,
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


# Several clones that author apart, carry each other's pending transactions, and push to one journal.

PROJECTS = (MODEL, OTHER)
REGISTRIES = (REGISTRY, REGISTRY2)
ALIASES = ("prod", "best")
KEYS = ("key one", "key two")
RUNS = tuple(run_id(name) for name in ("one", "two", "three"))
PROTECTING = ("protect",)
SAYING = (
    *("publish", "publish and move", "move", "move", "link", "unlink", "delete version", "undo", "undo"),
    *("tag", "untag", "edit", "head", "edge", "delete run", "delete collection"),
    *("collection", "project", "redirect", "ttl", "fold rules"),
)
SYNCING = ("pull", "push", "push out of order", "carry", "carry")


class SyncingClone(Clone):
    """A clone with an upstream: what it says or carries is pending, folded after the confirmed prefix that it has pulled."""

    def __init__(self, name: str, journal: list[Arrival]) -> None:
        super().__init__(name)
        self.journal = journal
        self.pulled = 0
        self.confirmed_arrivals = 0
        self.pending: list[Arrival] = []
        self._changes: list[Changes] = []

    @property
    def view(self) -> View:
        return View(self.look, self.confirmed_arrivals)

    def fold(self, arrival: Arrival) -> Changes:
        changes = folding.fold(arrival, self.look)
        self.look.apply(changes)
        self.pending.append(arrival)
        self._changes.append(changes)
        return changes

    def pull(self) -> None:
        """Rolls the pending ones back, folds what is new in the journal, and folds them again."""
        while self._changes:
            self.look.roll_back(self._changes.pop())
        for arrival in self.journal[self.pulled :]:
            self.look.apply(folding.fold(arrival, self.look))
        self.pulled = len(self.journal)
        self.confirmed_arrivals = folding.arrivals(self.look)
        confirmed = {arrival.id for arrival in self.journal}
        pending, self.pending = self.pending, []
        for arrival in pending:
            if arrival.id not in confirmed:
                self.fold(arrival)

    def push(self, *, rotated_by: int = 0) -> None:
        """Appends what is pending, in any order: an appender that reads `after` wrongly must lose nothing either."""
        known = {arrival.id for arrival in self.journal}
        cut = rotated_by % (len(self.pending) or 1)
        self.journal.extend(a for a in self.pending[cut:] + self.pending[:cut] if a.id not in known)
        self.pull()

    def carry(self, other: SyncingClone, start: int) -> None:
        """Takes some of another's pending transactions over, perhaps without what those come after."""
        known = {arrival.id for arrival in [*self.journal[: self.pulled], *self.pending]}
        for arrival in other.pending[start % 3 :]:
            if arrival.id not in known:
                self.fold(arrival)


class World:
    """Some clones, one journal, and everything that was ever said."""

    def __init__(self, clones: int = 3) -> None:
        self.journal: list[Arrival] = []
        self.clones = [SyncingClone(f"clone {n}", self.journal) for n in range(clones)]
        self.said: list[Arrival] = []

    def step(self, who: int, what: str, x: int, y: int, z: int, key: int) -> SyncingClone:
        clone = self.clones[who % len(self.clones)]
        match what:
            case "pull":
                clone.pull()
            case "push":
                clone.push()
            case "push out of order":
                clone.push(rotated_by=x)
            case "carry":
                clone.carry(self.clones[(who + 1 + x) % len(self.clones)], y)
            case _:
                operations = [*operations_for(clone.view, what, x, y, z)]
                if operations:
                    arrival = clone.compose(*operations, signer=(None, None, *KEYS)[key % 4])
                    self.said.append(arrival)
                    clone.fold(arrival)
        return clone

    def finish(self) -> None:
        """Everyone pushes what they have, then pulls what the others had."""
        for clone in self.clones:
            clone.push()
        for clone in self.clones:
            clone.pull()

    @classmethod
    def after(cls, steps: Iterable[tuple[int, str, int, int, int, int]], *, clones: int = 3) -> World:
        world = cls(clones)
        for step in steps:
            world.step(*step)
        world.finish()
        return world


def operations_for(view: View, what: str, x: int, y: int, z: int) -> Iterable[Operation]:
    """Yields operations of one kind, naming what the view says they have to name; nothing when there is nothing to do."""
    source, content = PROJECTS[x % 2], "abc"[y % 3]
    known = sorted({v for c in PROJECTS for v in (m.version for m in view.members(c))})
    target = known[x % len(known)] if known else version(content)
    collection = (*PROJECTS, *REGISTRIES)[x % 4]
    things: tuple[tuple[str, str | bytes], ...] = (("version", target), ("collection", collection), ("run", RUNS[x % 3]))
    match what:
        case "publish" | "publish and move":
            published = version(content, source)
            seen = view.deletes_to_name(published)
            run = (None, *RUNS)[z % 4]
            yield Publish(source, manifest(content), None, run, {f"k{z % 2}": str(z)}, str(z), deletes_seen=seen)
            if what == "publish and move":
                alias = ALIASES[z % 2]
                yield Move(source, alias, published, view.moves_to_name(source, alias), seen)
        case "move":
            members = [None, *(m.version for m in view.members(collection))]
            to = members[z % len(members)]
            seen = () if to is None else view.deletes_to_name(to)
            yield Move(collection, ALIASES[y % 2], to, view.moves_to_name(collection, ALIASES[y % 2]), seen)
        case "link":
            yield Link(REGISTRIES[y % 2], target, RUNS[z % 3], view.deletes_to_name(target))
        case "unlink":
            members = [m.version for m in view.members(REGISTRIES[y % 2])]
            for found in members[:1]:
                yield Unlink(REGISTRIES[y % 2], found, view.facts_to_delete(found, REGISTRIES[y % 2]))
        case "delete version":
            yield Delete(("version", target), view.facts_to_delete(target))
        case "delete run":
            yield Delete(("run", RUNS[x % 3]), view.run_facts_to_delete(RUNS[x % 3]))
        case "delete collection":
            yield Delete(("collection", collection), view.collection_facts_to_delete(collection))
        case "undo":
            folded = [t.id for t in view.transactions()]
            for found in folded[x % 4 : x % 4 + 1]:
                yield Undo(found)
        case "tag":
            yield TagAdd(things[y % 3], f"t{z % 2}")
        case "untag":
            yield TagRemove(things[y % 3], f"t{z % 2}", view.taggings_to_remove(things[y % 3], f"t{z % 2}"))
        case "edit":
            description = None if z % 2 else str(z)
            yield Edit(("version", target), {f"k{y % 2}": str(z)} if z % 3 else {}, () if z % 3 else (f"k{y % 2}",), description)
        case "head":
            run = view.run(RUNS[x % 3])
            changed = {f"k{y % 3}": str(z)}
            removed = ("config.k1",) if z == 5 else ()
            yield RunHead(
                RUNS[x % 3], "p", f"label{x % 2}", run.heads if run else (), {"state": str(z)}, changed, changed, removed
            )
        case "edge":
            yield Edge(RUNS[y % 3], target, f"name{z % 2}")
        case "collection":
            yield Collection(collection, f"type{y % 2}")
        case "project":
            yield Project(f"p{y % 2}")
        case "redirect":
            names = (MODEL, OTHER, "p/x", "p/y")
            yield Redirect(names[x % 4], names[y % 4])
        case "ttl":
            yield Ttl(target, (None, 1_000, 2_000)[z % 3])
        case "fold rules":
            yield FoldRules(1)
        case "protect":
            yield Protect(collection, ALIASES[y % 2], (None, KEYS[:1], KEYS[1:], KEYS)[z % 4])
        case _:
            raise AssertionError(what)
