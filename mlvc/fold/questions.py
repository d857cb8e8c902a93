"""Questions to the view that the layers above ask: collections, versions, aliases, runs, conflicts, the operation log."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from mlvc.fold import actions, aliases, details, facts, sweeping, versions
from mlvc.fold import runs as run_records
from mlvc.fold.actions import Action
from mlvc.fold.aliases import AliasAnswer
from mlvc.fold.look import Look, key, parts
from mlvc.fold.runs import RunView, Use
from mlvc.format import names, transaction
from mlvc.format.ids import FactId, ManifestId, RecordId, RunId, TransactionId, VersionId, fact_transaction
from mlvc.format.pack import PackName


class Publication(Struct, frozen=True):
    """One saying that a version was published.

    Attributes:
        fact: the operation.
        version: what was published.
        collection: the source collection.
        manifest, recipes: what it holds and how it was cut.
        run: who made it, or None for a person.
        metadata: key -> JSON text or value record id, as given then.
        step: the last step that the run had logged by then, or None.
        who, when_ms, command: of the transaction.
    """

    fact: FactId
    version: VersionId
    collection: str
    manifest: ManifestId
    recipes: RecordId | None
    run: RunId | None
    base: VersionId | None
    metadata: dict[str, Any]
    description: str
    who: str
    when_ms: int
    command: str
    step: int | None = None


class Member(Struct, frozen=True):
    """A version as one collection shows it."""

    collection: str
    number: int
    version: VersionId
    is_provisional: bool

    @property
    def label(self) -> str:
        """`v4`, or `v4~` while the number may still change."""
        return f"v{self.number}~" if self.is_provisional else f"v{self.number}"


class CollectionView(Struct, frozen=True):
    """A collection.

    Attributes:
        name: as stored.
        types: the one in force first; more than one is a clash.
        count: versions shown.
        next_number: the number the next new version will get.
    """

    name: str
    types: tuple[str, ...]
    count: int
    next_number: int

    @property
    def type(self) -> str:
        """The type in force."""
        return self.types[0] if self.types else "unspecified"


class Conflict(Struct, frozen=True):
    """Something two clones said apart that only a person can settle.

    Attributes:
        kind: `alias` or `delete`.
        collection: as stored.
        alias: of an alias conflict.
        values: of an alias conflict, the one in force first; None is a removal.
        version: of a contested delete.
    """

    kind: str
    collection: str
    alias: str = ""
    values: tuple[VersionId | None, ...] = ()
    version: VersionId | None = None


class Side(Struct, frozen=True):
    """One value of an alias in conflict: a version, or None for a removal; who said so, and when, in milliseconds UTC."""

    version: VersionId | None
    who: str
    when_ms: int


class TransactionView(Struct, frozen=True):
    """A folded transaction; `is_empty` when it only joins heads."""

    id: TransactionId
    position: int
    who: str
    when_ms: int
    command: str
    is_undone: bool
    arrival: int
    is_empty: bool


class View(Struct, frozen=True):
    """A view and how much of it is confirmed: the numbers bound by later arrivals may still change."""

    look: Look
    confirmed_arrivals: int

    # -- what was swept ---------------------------------------------------------------------------------------------

    def swept(self, store: bytes) -> set[PackName]:
        """Returns the packs that do not exist any more at a store, by its id."""
        return set(sweeping.swept(self.look, store))

    def is_gone(self, manifest: bytes) -> bool:
        """Tells whether the data of a manifest was swept at the authority, and not brought again since."""
        return sweeping.is_gone(self.look, manifest)

    # -- collections ------------------------------------------------------------------------------------------------

    def project(self) -> str | None:
        """Returns the project that the journal names."""
        return details.project(self.look)

    def resolve(self, collection: str) -> str:
        """Returns the stored collection that a stored name means after redirects."""
        return details.resolve_redirects(self.look, collection)

    def collection(self, name: str) -> CollectionView | None:
        """Returns a collection, or None when it is unknown, or deleted and empty."""
        found = self.look.get(key("collection", *names.split_collection(name)))
        if found is None:
            return None
        types = tuple(details.types(self.look, name))
        if not types and not found["count"]:
            return None
        return CollectionView(name, types, found["count"], found["next"])

    def collections(self, project: str | None = None) -> Iterator[CollectionView]:
        """Yields the collections of a project (or `registry:R`), or all, by name."""
        prefix = key("collection") if project is None else key("collection", project)
        for at, _ in self.look.scan(prefix):
            _, owner, name = parts(at)
            found = self.collection(f"{owner!s}/{name!s}")
            if found is not None:
                yield found

    # -- versions ---------------------------------------------------------------------------------------------------

    def member(self, collection: str, version: VersionId) -> Member | None:
        """Returns how a collection shows a version, or None when it does not (any more)."""
        bound = versions.number_of(self.look, collection, version)
        if bound is None or not versions.is_shown(self.look, collection, version):
            return None
        return Member(collection, bound[0], version, bound[1] >= self.confirmed_arrivals)

    def member_by_number(self, collection: str, number: int) -> Member | None:
        """Returns the version that bears a number, or None when it has none or is not shown."""
        found = self.look.get(key("member", collection, number))
        return None if found is None or not found[1] else self.member(collection, VersionId(found[0]))

    def was_numbered(self, collection: str, number: int) -> bool:
        """Tells whether a number was ever given out."""
        return self.look.get(key("member", collection, number)) is not None

    def members(self, collection: str, *, newest_first: bool = False) -> Iterator[Member]:
        """Yields the versions shown in a collection by number."""
        for _, (version, shown) in self.look.scan(key("member", collection), reverse=newest_first):
            if shown:
                found = self.member(collection, VersionId(version))
                if found is not None:
                    yield found

    def latest(self, collection: str) -> Member | None:
        """Returns the version that `latest` means."""
        version = versions.latest(self.look, collection)
        return None if version is None else self.member(collection, version)

    def versions_by_prefix(self, collection: str, prefix: str) -> list[VersionId]:
        """Returns the shown versions of a collection whose id begins with these hexadecimal digits."""
        return [m.version for m in self.members(collection) if m.version.hex().startswith(prefix)]

    def source_collection(self, version: VersionId) -> str | None:
        """Returns the collection that a version was published in, or None when it is unknown."""
        found = self.look.get(key("version", version))
        return None if found is None else str(found["collection"])

    def is_alive(self, version: VersionId) -> bool:
        """Tells whether a version is alive in its source collection."""
        return versions.is_alive(self.look, version)

    def collections_of(self, version: VersionId) -> list[str]:
        """Returns the collections that show a version, its source first."""
        found = [str(parts(at)[2]) for at, _ in self.look.scan(key("numbered", version))]
        shown = [c for c in found if versions.is_shown(self.look, c, version)]
        return sorted(shown, key=lambda c: (names.is_registry(c), c))

    def publications(self, version: VersionId, *, standing: bool = True) -> list[Publication]:
        """Returns who published a version and how, in fold order; also undone and deleted ones unless `standing`."""
        found = []
        for _, value in self.look.scan(key("publication", version)):
            fact = FactId(value["id"])
            if standing and not facts.stands(self.look, fact):
                continue
            said = facts.transaction(self.look, fact_transaction(fact)) or {}
            recipes, run, base = value.get("recipes"), value.get("run"), value.get("base")
            found.append(
                Publication(
                    fact,
                    version,
                    value["collection"],
                    ManifestId(value["manifest"]),
                    None if recipes is None else RecordId(recipes),
                    None if run is None else RunId(run),
                    None if base is None else VersionId(base),
                    dict(value.get("metadata", {})),
                    value.get("description", ""),
                    said.get("who", ""),
                    said.get("when", 0),
                    said.get("command", ""),
                    value.get("step"),
                )
            )
        return found

    def metadata(self, version: VersionId) -> tuple[dict[str, Any], str]:
        """Returns metadata (JSON texts or record ids) and description: the first standing publication's, then edits."""
        standing = self.publications(version)
        counting = [p for p in standing if facts.counts(self.look, p.fact)] or standing
        metadata = dict(counting[0].metadata) if counting else {}
        description = counting[0].description if counting else ""
        for edit in details.edits(self.look, ("version", version)):
            metadata.update(edit["set"])
            for name in edit["remove"]:
                metadata.pop(name, None)
            if edit["description"] is not None:
                description = edit["description"]
        return metadata, description

    def tags(self, version: VersionId) -> tuple[str, ...]:
        """Returns a version's tags."""
        return details.tags(self.look, ("version", version))

    def linked_ms(self, collection: str, version: VersionId) -> int | None:
        """Returns when a version was linked into a registry collection first, in milliseconds UTC, or None when it is not."""
        for fact, _, where, _ in versions.version_facts(self.look, version):
            if where == collection and facts.counts(self.look, fact):
                return int((facts.transaction(self.look, fact_transaction(fact)) or {}).get("when", 0))
        return None

    def ttl_ms(self, version: VersionId) -> int | None:
        """Returns how long a version is worth keeping, in milliseconds from its publication; None for ever."""
        return details.ttl_ms(self.look, version)

    # -- aliases ----------------------------------------------------------------------------------------------------

    def alias(self, collection: str, alias: str) -> AliasAnswer:
        """Returns what an alias answers; `latest` is computed."""
        if alias == names.LATEST:
            version = versions.latest(self.look, collection)
            return AliasAnswer(version, () if version is None else (version,))
        return aliases.answer(self.look, collection, alias, versions.is_shown)

    def aliases(self, collection: str) -> dict[str, AliasAnswer]:
        """Returns the aliases of a collection that point at something, by name, `latest` among them."""
        found: dict[str, AliasAnswer] = {}
        for at, _ in self.look.scan(key("alias", collection)):
            alias = str(parts(at)[2])
            answered = self.alias(collection, alias)
            if answered.version is not None or answered.in_conflict:
                found[alias] = answered
        latest = self.alias(collection, names.LATEST)
        if latest.version is not None:
            found[names.LATEST] = latest
        return dict(sorted(found.items()))

    def aliases_of(self, collection: str, version: VersionId) -> list[str]:
        """Returns the aliases in force on a version in one collection."""
        return [name for name, answered in self.aliases(collection).items() if answered.version == version]

    def protected(self, collection: str) -> dict[str, tuple[str, ...]]:
        """Returns the protected aliases of a collection, each with the public keys that may change what it answers."""
        found = {}
        for at, keys in self.look.scan(key("protected", collection)):
            found[str(parts(at)[2])] = tuple(keys)
        return found

    def protected_collections(self) -> list[str]:
        """Returns the collections that have protected aliases."""
        return sorted({str(parts(at)[1]) for at, _ in self.look.scan(key("protected"))})

    def actions(self, collection: str) -> Iterator[Action]:
        """Yields what was done to a registry collection, or to protected aliases of any, the last first."""
        return actions.of(self.look, collection)

    def move_in_force(self, collection: str, alias: str) -> Action | None:
        """Returns the move that an alias answers by, or None when it points at nothing."""
        for _, fact in aliases.sides(self.look, collection, alias, versions.is_shown):
            made = facts.transaction(self.look, fact_transaction(fact)) or {}
            version = aliases.answer(self.look, collection, alias, versions.is_shown).version
            who, when, command = str(made.get("who", "")), int(made.get("when", 0)), str(made.get("command", ""))
            return Action(fact, "move", alias, version, who, when, command, made.get("signer"), problem=None, is_undone=False)
        return None

    def collection_details(self, collection: str) -> tuple[str, tuple[str, ...]]:
        """Returns the description and the tags of a collection."""
        description = ""
        for edit in details.edits(self.look, ("collection", collection)):
            if edit["description"] is not None:
                description = edit["description"]
        return description, details.tags(self.look, ("collection", collection))

    # -- runs and lineage -------------------------------------------------------------------------------------------

    def run(self, identifier: RunId) -> RunView | None:
        """Returns a run, or None when it is unknown, undone or deleted."""
        return run_records.run(self.look, identifier)

    def runs(self, project: str | None = None, *, newest_first: bool = True) -> Iterator[RunView]:
        """Yields the runs of a project, or of all, by when they were first known."""
        for identifier in self.run_ids(project, newest_first=newest_first):
            found = self.run(identifier)
            if found is not None:
                yield found

    def run_ids(self, project: str | None = None, *, newest_first: bool = True) -> Iterator[RunId]:
        """Yields the ids of the runs of a project, or of all, by when they were first known; also of those that were deleted."""
        projects = sorted(self.projects_of_runs()) if project is None else [project]
        each = (self.look.scan(key("runs", one), reverse=newest_first) for one in projects)
        for _, identifier in heapq.merge(*each, key=lambda pair: parts(pair[0])[2], reverse=newest_first):
            yield RunId(identifier)

    def count_runs(self, project: str) -> int:
        """Returns how many runs of a project were ever known, deleted ones included."""
        return run_records.count(self.look, project)

    def changed_runs(self, since: int) -> Iterator[tuple[int, RunId]]:
        """Yields (position in fold order, run) of what changed there or later, the last first; a run as often as it changed."""
        return run_records.changes(self.look, since)

    def confirmed_positions(self) -> int:
        """Returns how many transactions of the fold's order are confirmed: what the later ones say may still change places."""
        for at, identifier in self.look.scan(key("order"), reverse=True):
            found = facts.transaction(self.look, identifier)
            if found is not None and found["arrival"] < self.confirmed_arrivals:
                return int(str(parts(at)[1])) + 1
        return 0

    def projects_of_runs(self) -> set[str]:
        """Returns the projects that runs belong to."""
        return {str(parts(at)[1]) for at, _ in self.look.scan(key("run count"))}

    def runs_by_label(self, project: str, label: str) -> list[RunId]:
        """Returns the runs of a project that bear a label."""
        return self._existing(key("label", project, label))

    def runs_by_name(self, project: str, name: str) -> list[RunId]:
        """Returns the runs of a project that bear a name."""
        wanted = f'"{name}"'
        return [
            i for i in self._existing(key("run name", project, wanted)) if (r := self.run(i)) and r.facts.get("name") == wanted
        ]

    def _existing(self, prefix: bytes) -> list[RunId]:
        return [RunId(i) for _, i in self.look.scan(prefix) if self.run(RunId(i)) is not None]

    def inputs(self, run: RunId) -> list[Use]:
        """Returns what a run used."""
        return run_records.inputs(self.look, run)

    def outputs(self, run: RunId) -> list[VersionId]:
        """Returns the versions that a run published."""
        return run_records.outputs(self.look, run)

    def users(self, version: VersionId) -> list[RunId]:
        """Returns the runs that used a version."""
        return run_records.users(self.look, version)

    def producers(self, version: VersionId) -> list[RunId]:
        """Returns the runs that published a version, each once, in fold order."""
        return list(dict.fromkeys(p.run for p in self.publications(version) if p.run is not None))

    # -- the journal ------------------------------------------------------------------------------------------------

    def heads(self) -> tuple[TransactionId, ...]:
        """Returns the heads of everything folded: what the next transaction comes after."""
        return tuple(TransactionId(value) for _, value in self.look.scan(key("heads")))

    def transaction(self, identifier: TransactionId) -> TransactionView | None:
        """Returns a folded transaction, or None."""
        found = facts.transaction(self.look, identifier)
        if found is None:
            return None
        return TransactionView(
            identifier,
            found["position"],
            found["who"],
            found["when"],
            found["command"],
            found["undone"],
            found["arrival"],
            found["operations"] == 0,
        )

    def transactions(self) -> Iterator[TransactionView]:
        """Yields all folded transactions, the last first."""
        for _, identifier in self.look.scan(key("order"), reverse=True):
            found = self.transaction(TransactionId(identifier))
            if found is not None:
                yield found

    def parked(self) -> list[TransactionId]:
        """Returns the transactions that wait for others to arrive."""
        return [transaction.transaction_id(value["data"]) for _, value in self.look.scan(key("parked"))]

    def refusals(self) -> list[tuple[TransactionId, int, str]]:
        """Returns the operations that were refused: (transaction, place in it, why)."""
        return [(TransactionId(v["tx"]), v["place"], v["why"]) for _, v in self.look.scan(key("refused"))]

    def alias_sides(self, collection: str, alias: str) -> list[Side]:
        """Returns the values that an alias has, with who moved it there, the one in force first."""
        found = []
        for version, fact in aliases.sides(self.look, collection, alias, versions.is_shown):
            said = facts.transaction(self.look, fact_transaction(fact)) or {}
            found.append(Side(version, str(said.get("who", "")), int(said.get("when", 0))))
        return found

    def conflicts(self) -> list[Conflict]:
        """Returns what needs a person's decision."""
        found = []
        for at, _ in self.look.scan(key("contested")):
            collection, alias = (str(part) for part in parts(at)[1:])
            answered = self.alias(collection, alias)
            if answered.in_conflict:
                found.append(Conflict("alias", collection, alias, answered.values))
        for at, _ in self.look.scan(key("contested delete")):
            version = parts(at)[1]
            assert isinstance(version, bytes)
            source = self.source_collection(VersionId(version)) or ""
            found.append(Conflict("delete", source, version=VersionId(version)))
        return found

    # -- what a new operation has to name ---------------------------------------------------------------------------

    def moves_to_name(self, collection: str, alias: str) -> tuple[FactId, ...]:
        """Returns what a new move of an alias names as seen."""
        return aliases.tips(self.look, collection, alias)

    def deletes_to_name(self, version: VersionId) -> tuple[FactId, ...]:
        """Returns the standing deletes that a new publication, link or move of a version names."""
        return versions.deletes_seen(self.look, version)

    def facts_to_delete(self, version: VersionId, collection: str | None = None) -> tuple[FactId, ...]:
        """Returns the counting facts that a delete of a version names, or an unlink from one registry collection."""
        return tuple(
            fact
            for fact, _, where, _ in versions.version_facts(self.look, version)
            if collection in (None, where) and facts.counts(self.look, fact)
        )

    def run_facts_to_delete(self, run: RunId) -> tuple[FactId, ...]:
        """Returns the heads that a delete of a run names."""
        return run_records.head_facts(self.look, run)

    def collection_facts_to_delete(self, collection: str) -> tuple[FactId, ...]:
        """Returns the facts that a delete of a collection names, apart from its versions'."""
        return details.type_facts(self.look, collection)

    def taggings_to_remove(self, target: details.Target, tag: str) -> tuple[FactId, ...]:
        """Returns the taggings that an untagging names."""
        return details.tag_facts(self.look, target, tag)
