"""Artifact types, collections and registries, as `Api` shows them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from mlvc.api import filters, notices
from mlvc.api.artifacts import Artifact, Logged
from mlvc.api.filters import MISSING
from mlvc.api.paging import Paginator, cannot_be_read
from mlvc.errors import CommError, NotFoundError, UnsupportedError
from mlvc.fold.questions import CollectionView, View
from mlvc.format import names
from mlvc.workspace import registry
from mlvc.workspace.workspace import Workspace


class ArtifactCollection:
    """A named line of versions; of a registry, of links."""

    def __init__(self, workspace: Workspace, stored: str) -> None:
        self._workspace = workspace
        self._stored = stored
        self._description: str | None = None
        self._tags: list[str] | None = None

    def _view(self) -> View:
        return self._workspace.repository.view()

    def _known(self) -> CollectionView:
        found = self._view().collection(self._stored)
        if found is None:
            raise NotFoundError(f"there is no collection '{names.display_collection(self._stored)}' any more")
        return found

    def __repr__(self) -> str:
        return f"<ArtifactCollection {self.name} ({self.type})>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ArtifactCollection) and other._stored == self._stored

    def __hash__(self) -> int:
        return hash(self._stored)

    @property
    def id(self) -> str:
        """What names it: its stored name."""
        return self._stored

    @property
    def name(self) -> str:
        """Its name, without project."""
        return names.split_collection(self._stored)[1]

    @name.setter
    def name(self, given: str) -> None:
        if given != self.name:
            raise UnsupportedError("a collection is never renamed: its versions are known by its name", hint="log into a new one, or link its versions")

    @property
    def project(self) -> str:
        """Its project, or registry."""
        return names.split_collection(names.display_collection(self._stored))[0]

    @property
    def entity(self) -> str:
        """Recorded for W&B's sake; separates nothing."""
        return notices.entity()

    @property
    def type(self) -> str:
        """The type of its artifacts."""
        return self._known().type

    @type.setter
    def type(self, given: str) -> None:
        self.change_type(given)

    def change_type(self, new_type: str) -> None:
        """Raises UnsupportedError: every clone knows the type that was said first."""
        if new_type != self.type:
            raise UnsupportedError("the type of a collection does not change", hint="log its versions into a new collection")

    def is_sequence(self) -> bool:
        """Whether it holds sources, not links."""
        return not names.is_registry(self._stored)

    @property
    def aliases(self) -> list[str]:
        """The aliases of its versions."""
        return sorted(self._view().aliases(self._stored))

    @property
    def description(self) -> str:
        """The description; `save` stores a change."""
        return self._description if self._description is not None else self._view().collection_details(self._stored)[0]

    @description.setter
    def description(self, given: str | None) -> None:
        self._description = given or ""

    @property
    def tags(self) -> list[str]:
        """The tags; `save` stores changes."""
        if self._tags is None:
            self._tags = list(self._view().collection_details(self._stored)[1])
        return self._tags

    @tags.setter
    def tags(self, given: Sequence[str]) -> None:
        self._tags = [names.check_tag(tag) for tag in dict.fromkeys(given)]

    @property
    def created_at(self) -> str:
        """When its first version was published, ISO 8601, UTC; empty where it has none."""
        first = next(iter(self._view().members(self._stored)), None)
        return "" if first is None else Artifact._from_logged(Logged(self._workspace, self._stored, first.version)).created_at

    @property
    def updated_at(self) -> str:
        """When its last version was published."""
        last = self._view().latest(self._stored)
        return "" if last is None else Artifact._from_logged(Logged(self._workspace, self._stored, last.version)).updated_at

    def artifacts(self, per_page: int = 50, start: str | None = None) -> Paginator[Artifact]:
        """Returns its versions, the newest first."""
        return versions(self._workspace, self._stored, per_page=per_page, start=start)

    def save(self) -> None:
        """Stores a changed description and tags."""
        registry.edit_collection(
            self._workspace, self._stored, f"ArtifactCollection.save {self.name}", description=self._description, tags=self._tags
        )

    def delete(self) -> None:
        """Deletes it and its versions; of a registry, only the links."""
        registry.delete_collection(self._workspace, self._stored, f"ArtifactCollection.delete {self.name}")

    def protected_aliases(self) -> dict[str, list[str]]:
        """Returns each protected alias with the public keys that may move it."""
        return {alias: list(keys) for alias, keys in self._view().protected(self._stored).items()}

    def history(self) -> list[dict[str, Any]]:
        """Returns what was done to it, the last first: `who`, `when_ms`, `action`, `signer`, `problem`, and what it was about."""
        return registry.actions(self._workspace, self._view(), self._stored)


def versions(
    workspace: Workspace,
    stored: str,
    *,
    order: str | None = None,
    tags: Sequence[str] | None = None,
    per_page: int = 50,
    start: str | None = None,
) -> Paginator[Artifact]:
    """Returns the versions of a collection.

    Args:
        workspace: where.
        stored: the collection.
        order: `version_index` or `+version_index`: the oldest first; default: the newest.
        tags: only versions that have all of these.
        per_page, start: see `Paginator`.

    Raises:
        CommError: another order.
    """
    key = (order or "-version_index").lstrip("+")
    if key.lstrip("-") not in ("version_index", "versionIndex", "created_at", "createdAt"):
        raise CommError(f"versions are ordered by version_index, found {order!r}")
    newest_first = key.startswith("-")
    wanted = set(tags or ())

    def read() -> Iterator[Artifact]:
        view = workspace.repository.view()
        for member in view.members(stored, newest_first=newest_first):
            if not wanted or wanted <= set(view.tags(member.version)):
                yield Artifact._from_logged(Logged(workspace, stored, member.version))

    def count() -> int:
        found = workspace.repository.view().collection(stored)
        return found.count if found else 0

    return Paginator(read, None if wanted else count, per_page, start)


class ArtifactType:
    """A type of artifacts in a project."""

    def __init__(self, workspace: Workspace, project: str, name: str) -> None:
        self._workspace = workspace
        self.project = project
        self.name = name

    def __repr__(self) -> str:
        return f"<ArtifactType {self.name}>"

    @property
    def id(self) -> str:
        """What names it."""
        return f"{self.project}/{self.name}"

    @property
    def entity(self) -> str:
        """Recorded for W&B's sake; separates nothing."""
        return notices.entity()

    def load(self) -> ArtifactType:
        """Returns itself."""
        return self

    def collection(self, name: str) -> ArtifactCollection:
        """Returns a collection of this type; CommError when there is none."""
        found = [c for c in self.collections() if c.name == name]
        if not found:
            raise NotFoundError(f"the project {self.project} has no collection '{name}' of type {self.name}")
        return found[0]

    def collections(
        self, filters: Mapping[str, Any] | None = None, order: str | None = None, per_page: int = 50, start: str | None = None
    ) -> Paginator[ArtifactCollection]:
        """Returns the collections of this type, by name."""
        return collections(self._workspace, self.project, self.name, filters, per_page=per_page, start=start)


def collections(
    workspace: Workspace,
    project: str,
    kind: str | None,
    given: Mapping[str, Any] | None = None,
    *,
    per_page: int = 50,
    start: str | None = None,
) -> Paginator[ArtifactCollection]:
    """Returns the collections of a project (or `registry:R`) and type that fit a filter over `name`, `type`, `tag` and `description`."""
    fits = filters.compiled(given)

    def read() -> Iterator[ArtifactCollection]:
        view = workspace.repository.view()
        for found in (*view.collections(project), *view.collections(names.registry_owner(project))):
            if kind is not None and found.type != kind:
                continue
            one = ArtifactCollection(workspace, found.name)
            if fits(partial(_read_collection, one)):
                yield one

    return Paginator(read, None, per_page, start)


def _read_collection(collection: ArtifactCollection, path: str) -> Any:
    return getattr(collection, {"tag": "tags", "createdAt": "created_at"}.get(path, path), MISSING)


class Registry:
    """A registry: collections of links."""

    def __init__(self, workspace: Workspace, name: str) -> None:
        self._workspace = workspace
        self.name = name

    def __repr__(self) -> str:
        return f"<Registry {self.name}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Registry) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def full_name(self) -> str:
        """As W&B writes it: `wandb-registry-NAME`."""
        return f"wandb-registry-{self.name}"

    @property
    def id(self) -> str:
        """What names it."""
        return self.full_name

    @property
    def path(self) -> str:
        """`entity/wandb-registry-NAME`."""
        return f"{self.entity}/{self.full_name}"

    @property
    def entity(self) -> str:
        """Recorded for W&B's sake; separates nothing."""
        return notices.entity()

    @property
    def organization(self) -> str:
        """As `entity`."""
        return self.entity

    @property
    def visibility(self) -> str:
        """`organization`: whoever has the repository sees it."""
        return "organization"

    @property
    def allow_all_artifact_types(self) -> bool:
        """True: each collection has a type of its own."""
        return True

    @property
    def artifact_types(self) -> list[str]:
        """The types of its collections, sorted."""
        return sorted({one.type for one in self.collections()})

    @property
    def _stored(self) -> str:
        return f"registry:{self.name}"

    def collections(
        self, filter: Mapping[str, Any] | None = None, order: str | None = None, per_page: int = 100, start: str | None = None  # noqa: A002
    ) -> Paginator[ArtifactCollection]:
        """Returns its collections, by name."""
        return collections(self._workspace, self._stored, None, filter, per_page=per_page, start=start)

    def versions(
        self, filter: Mapping[str, Any] | None = None, order: str | None = None, per_page: int = 100, start: str | None = None  # noqa: A002
    ) -> Paginator[Artifact]:
        """Returns the versions in all its collections that fit a filter over `tag`, `alias`, `created_at` and `metadata.KEY`."""
        fits = filters.compiled(filter)

        def read() -> Iterator[Artifact]:
            view = self._workspace.repository.view()
            for collection in view.collections(self._stored):
                for member in view.members(collection.name, newest_first=True):
                    artifact = Artifact._from_logged(Logged(self._workspace, collection.name, member.version))
                    if fits(partial(_read_version, artifact)):
                        yield artifact

        return Paginator(read, None, per_page, start)

    def load(self) -> None:
        """Does nothing: it is always as it is now."""

    members = user_members = team_members = add_members = remove_members = update_member = cannot_be_read("who may do what")

    def delete(self) -> None:
        """Deletes all its collections; what they link to stays."""
        for collection in self.collections():
            collection.delete()


def _read_version(artifact: Artifact, path: str) -> Any:
    head, _, rest = path.partition(".")
    if head == "metadata":
        return filters.at_path(artifact.metadata, rest) if rest else artifact.metadata
    held = {"tag": artifact.tags, "alias": artifact.aliases, "created_at": artifact.created_at, "createdAt": artifact.created_at}
    return held.get(path, getattr(artifact, path, MISSING))


def registries(workspace: Workspace, given: Mapping[str, Any] | None, *, per_page: int = 100, start: str | None = None) -> Paginator[Registry]:
    """Returns the registries that hold collections and fit a filter over `name`."""
    fits = filters.compiled(given)

    def read() -> Iterator[Registry]:
        seen = dict.fromkeys(
            names.split_collection(found.name)[0].partition(":")[2]
            for found in workspace.repository.view().collections()
            if names.is_registry(found.name) and names.registry_of(names.split_collection(names.display_collection(found.name))[0])
        )
        for name in seen:
            if fits(partial(filters.at_path, {"name": name})):
                yield Registry(workspace, name)

    return Paginator(read, None, per_page, start)


