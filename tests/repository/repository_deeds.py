"""What people do with a repository, in a line each, and how its state is read back whole."""

from __future__ import annotations

from pathlib import Path

from mlvc.fold.questions import View
from mlvc.format import manifest as manifests
from mlvc.format import names, operations
from mlvc.format import recipe as recipes
from mlvc.format.ids import TransactionId, VersionId
from mlvc.format.manifest import FileEntry
from mlvc.format.operations import Collection, Delete, Move, Publish, Undo
from mlvc.format.record import kind_of
from mlvc.maintenance import checking
from mlvc.repository.repository import Repository

WHO = "Ada <ada@example.org>"
Files = dict[str, bytes]


def publish(repository: Repository, collection: str, files: Files, aliases=(), metadata=None) -> VersionId:
    """Publishes files as a version, with aliases on it."""
    with repository.committing(WHO, f"add {collection}") as commit:
        entries, found = [], {}
        for path, data in files.items():
            stored = commit.ingest.add_bytes(data)
            entries.append(FileEntry(path, stored.size, stored.digest))
            if stored.recipe is not None:
                found[stored.digest] = stored.recipe
        built = manifests.build(entries)
        index = recipes.build_index(found) if found else None
        for table in filter(None, (built, index)):
            for _, data in table.records:
                commit.ingest.add_record(kind_of(data, "a record"), data)
        commit.need("artifact", built.id, index.id if index else None)
        values = commit.store_map(metadata or {})
        version = operations.version_id(collection, built.id)

        def build(view: View):
            deletes = view.deletes_to_name(version)
            said = [Collection(collection, "model")] if view.collection(collection) is None else []
            said.append(Publish(collection, built.id, index.id if index else None, None, values, deletes_seen=deletes))
            return said + [
                Move(collection, a, version, view.moves_to_name(collection, a), deletes) for a in aliases
            ]

        commit.say_with(build)
    return version


def move(repository: Repository, collection: str, alias: str, version: VersionId | None) -> None:
    with repository.committing(WHO, f"alias {alias}") as commit:
        commit.say_with(
            lambda view: [
                Move(
                    collection,
                    alias,
                    version,
                    view.moves_to_name(collection, alias),
                    view.deletes_to_name(version) if version else (),
                )
            ]
        )


def delete(repository: Repository, version: VersionId) -> None:
    with repository.committing(WHO, "delete") as commit:
        commit.say_with(lambda view: [Delete(("version", version), view.facts_to_delete(version))])


def undo(repository: Repository, transaction: TransactionId) -> None:
    with repository.committing(WHO, "undo") as commit:
        commit.say(Undo(transaction))


def read_files(repository: Repository, version: VersionId) -> Files:
    """Reads back a version, every byte proven."""
    objects = repository.objects
    said = (repository.view().publications(version) or repository.view().publications(version, standing=False))[0]
    index = objects.recipe_index(said.recipes)
    return {
        entry.path: b"".join(objects.read_file(objects.recipe(index, entry.digest, entry.size)))
        for entry in objects.manifest(said.manifest)
    }


def state(repository: Repository, *, with_files: bool = True) -> dict[str, dict]:
    """Returns all that a user sees: collection -> number -> (version, files), and the aliases."""
    found = {}
    with repository.reading() as view:
        for collection in view.collections():
            members = {m.number: m.version for m in view.members(collection.name)}
            aliases = {a: answer.version for a, answer in view.aliases(collection.name).items() if a != names.LATEST}
            found[collection.name] = {"members": members, "aliases": aliases}
    if with_files:
        for seen in found.values():
            seen["files"] = {version: read_files(repository, version) for version in seen["members"].values()}
    return found


def assert_sound(repository: Repository) -> None:
    """fsck finds nothing wrong."""
    report = checking.check(repository)
    assert report.damage == [], report.damage
    assert not report.bad_packs and not report.bad_entries and not report.bad_pending


def versions_in(repository: Repository, collection: str) -> dict[VersionId, int]:
    return {m.version: m.number for m in repository.view().members(collection)}


def open_anew(path: Path, *, starts_journals: bool = True) -> Repository:
    repository = Repository(path)
    repository.starts_journals = starts_journals
    return repository
