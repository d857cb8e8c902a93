"""Publishing: a draft of files becomes a version of a collection, in one commit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from msgspec import Struct

from mlvc.errors import ConflictError
from mlvc.fold.questions import Member, View
from mlvc.format import manifest as manifests
from mlvc.format import names, operations
from mlvc.format import recipe as recipes
from mlvc.format.ids import FileDigest, ManifestId, RecordId, TransactionId, VersionId
from mlvc.format.manifest import Entry, FileEntry
from mlvc.format.operations import Collection, Edit, Move, Operation, Publish, TagAdd, Ttl
from mlvc.format.record import kind_of
from mlvc.repository.commit import Commit
from mlvc.workspace import contents, storing
from mlvc.workspace.draft import Draft, KnownFile, Source
from mlvc.workspace.storing import StoredFiles
from mlvc.workspace.workspace import Workspace


class TypeClashError(ConflictError, ValueError):
    """A collection holds artifacts of another type."""


class Published(Struct, frozen=True):
    """What publishing did.

    Attributes:
        member: the version as its collection shows it.
        is_new: whether it got a number just now; False when equal content was there.
        files, size_bytes: of the version.
        new_bytes: stored bytes that were not here before.
        transaction: what said so.
    """

    member: Member
    is_new: bool
    files: int
    size_bytes: int
    new_bytes: int
    transaction: TransactionId


Extra = Callable[[Commit, View], Sequence[Operation]]
"""Gives operations that go before the publication in the same transaction, such as the run's head."""


_MODEL_SUFFIXES = (".pt", ".safetensors", ".h5", ".keras", ".gguf", ".onnx")


def type_for_entries(paths: Iterable[str]) -> str:
    """Returns `model` when one of an artifact's files has the suffix of a usual model format, else `dataset`."""
    return "model" if any(path.lower().endswith(_MODEL_SUFFIXES) for path in paths) else "dataset"


def publish(workspace: Workspace, draft: Draft, command: str, *, before: Extra | None = None) -> Published:
    """Stores a draft's files and publishes them; atomic.

    Raises:
        TypeClashError: the collection holds another type.
        UsageError, LocalFileError: a file cannot be stored.
    """
    published = publish_unless(workspace, draft, command, None, before=before)
    assert published is not None, "nothing keeps it from being published"
    return published


def publish_unless(
    workspace: Workspace, draft: Draft, command: str, same: VersionId | None, *, before: Extra | None = None
) -> Published | None:
    """Does what `publish` does, unless the draft's files turn out to be those of the version `same`, all in the store: then None."""
    check_type(workspace.repository.view(), draft)
    aliases = [names.check_alias(a) for a in dict.fromkeys(draft.aliases) if a != names.LATEST]
    version: VersionId | None = None
    was_known = False
    objects = workspace.repository.objects
    with workspace.committing(command) as commit:
        losses = objects.index.losses()
        manifest, index, stored = store_tree(workspace, commit, draft, unless=same)
        version = operations.version_id(draft.collection, manifest)
        if version == same and commit.ingest.is_empty:
            return None
        metadata = commit.store_map(draft.metadata)

        def build(view: View) -> list[Operation]:
            nonlocal was_known
            check_type(view, draft)
            was_known = view.member(draft.collection, version) is not None
            said: list[Operation] = [*workspace.first_words(view), *(before(commit, view) if before else ())]
            if view.collection(draft.collection) is None:
                said.append(Collection(draft.collection, draft.type))
            deletes = view.deletes_to_name(version)
            said.append(
                Publish(
                    draft.collection, manifest, index, draft.run, metadata, draft.description, draft.base, deletes, draft.step
                )
            )
            if was_known and draft.run is None and (metadata or draft.description):
                # A person who adds what is there already, and says more of it, wants to see that; a run's metadata
                # stays with its own publication.
                said.append(Edit(("version", version), metadata, (), draft.description or None))
            said += [
                Move(draft.collection, alias, version, view.moves_to_name(draft.collection, alias), deletes)
                for alias in aliases
            ]
            said += [TagAdd(("version", version), names.check_tag(tag)) for tag in dict.fromkeys(draft.tags)]
            if draft.ttl_ms is not None:
                said.append(Ttl(version, draft.ttl_ms))
            return said

        commit.say_with(build)
    objects.index.remember_whole(contents.contents_id(manifest, index), losses)
    member = workspace.repository.view().member(draft.collection, version)
    assert member is not None, "it was published a moment ago"
    assert commit.written is not None, "the block ended well"
    return Published(member, not was_known, len(stored), stored.size_bytes, commit.written.new_bytes, commit.written.transaction)


def store_tree(
    workspace: Workspace, commit: Commit, draft: Draft, *, unless: VersionId | None = None
) -> tuple[ManifestId, RecordId | None, StoredFiles]:
    """Stores a draft's files, manifest and recipes, and notes that the commit needs them.

    Args:
        workspace: where.
        commit: under way.
        draft: whose files.
        unless: the version that need not be noted again, when it is this one and everything of it was here.

    Returns:
        The manifest's id, the recipe index's (None when every file is a single chunk), and what was stored.
    """
    stored = storing.store_files(workspace, commit, draft)
    manifest = manifests.write(stored.entries(), stored.size_bytes, partial(_keep_record, commit, "a manifest"))
    if unless is not None and operations.version_id(draft.collection, manifest) == unless and commit.ingest.is_empty:
        return manifest, None, stored
    index = _store_recipes(commit, stored.recipes)
    commit.need("artifact", manifest, index)
    return manifest, index, stored


def check_type(view: View, draft: Draft) -> None:
    """Raises TypeClashError when the draft's collection holds artifacts of another type."""
    found = view.collection(draft.collection)
    project, bare = names.split_collection(draft.collection)
    if found is None and view.collection(names.link_collection(project, bare)) is not None:
        raise TypeClashError(f"{draft.collection} collects links, so nothing can be logged there", hint="choose another name")
    if found is not None and found.types and found.type != draft.type:
        name = names.split_collection(draft.collection)[1]
        raise TypeClashError(
            f"Artifact {name} already exists with type '{found.type}'; cannot create another with type '{draft.type}'",
            hint="choose another name, or the collection's type",
        )


def _store_recipes(commit: Commit, found: dict[FileDigest, RecordId]) -> RecordId | None:
    """Stores the version's recipe index; None when every file is a single chunk."""
    if not found:
        return None
    table = recipes.build_index(found)
    for identifier, data in table.records:
        _keep_record(commit, "a recipe list", identifier, data)
    return table.id


def _keep_record(commit: Commit, noun: str, _: RecordId, data: bytes) -> None:
    commit.ingest.add_record(kind_of(data, noun), data)


def known_files(entries: Iterable[Entry], index: recipes.RecipeIndex) -> dict[str, Source]:
    """Returns another version's entries as sources of a draft."""
    found: dict[str, Source] = {}
    for entry in entries:
        found[entry.path] = KnownFile(entry, index.find(entry.digest)) if isinstance(entry, FileEntry) else entry
    return found


