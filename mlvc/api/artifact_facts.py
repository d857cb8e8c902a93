"""What an artifact is called, and what is said of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from mlvc.api import notices
from mlvc.api.artifact_drafts import ArtifactDraft, ArtifactTTL, Logged, checked_metadata
from mlvc.api.artifact_errors import ArtifactNotLoggedError
from mlvc.format import names
from mlvc.workspace import contents

if TYPE_CHECKING:
    from mlvc.api.artifact_collections import ArtifactCollection
    from mlvc.fold.questions import Member, Publication


class ArtifactFacts(ArtifactDraft):
    """Names, versions, aliases, metadata: of a draft as far as they are known, of a logged artifact as the repository has them."""

    @classmethod
    def _from_logged(cls, logged: Logged) -> Self:
        view = logged.workspace.repository.view()
        collection = view.collection(logged.collection)
        artifact = cls.__new__(cls)
        artifact._begin(names.split_collection(logged.collection)[1], collection.type if collection else "unspecified")
        artifact._logged = logged
        artifact._reload()
        return artifact

    def _reload(self) -> None:
        logged = self._require("save")
        view = logged.workspace.repository.view()
        metadata, self._description = view.metadata(logged.version)
        self._metadata = logged.workspace.value_map(metadata)
        self._aliases = view.aliases_of(logged.collection, logged.version)
        self._tags = list(view.tags(logged.version))
        ttl_ms = view.ttl_ms(logged.version)
        self._ttl = None if ttl_ms is None else timedelta(milliseconds=ttl_ms)

    # -- what it is called ----------------------------------------------------------------------------------------------

    def _member(self, what: str) -> Member:
        logged = self._require(what)
        member = logged.workspace.repository.view().member(logged.collection, logged.version)
        if member is None:
            raise ArtifactNotLoggedError(what)
        return member

    def _source(self) -> str:
        """Returns the stored collection that the version was published in."""
        logged = self._require("source_name")
        return logged.workspace.repository.view().source_collection(logged.version) or logged.collection

    def _publication(self, what: str) -> Publication:
        logged = self._require(what)
        return contents.publication(logged.workspace.repository.view(), logged.version)

    @property
    def id(self) -> str | None:
        """The version's id, hexadecimal; None of a draft."""
        return None if self._logged is None else self._logged.version.hex()

    @property
    def name(self) -> str:
        """`name`, or `name:v3` once it is logged."""
        return f"{self._name}:{self.version}" if self._logged else self._name

    @property
    def type(self) -> str:
        """Such as `model`."""
        return self._type

    @property
    def version(self) -> str:
        """`v3`."""
        return f"v{self._member('version').number}"

    @property
    def project(self) -> str:
        """The project, or registry, of its collection."""
        return names.split_collection(names.display_collection(self._require("project").collection))[0]

    @property
    def entity(self) -> str:
        """Recorded for W&B's sake; separates nothing."""
        self._require("entity")
        return notices.entity()

    @property
    def qualified_name(self) -> str:
        """`entity/project/name:v3`."""
        return f"{self.entity}/{self.project}/{self.name}"

    @property
    def collection(self) -> ArtifactCollection:
        """The collection it was asked by."""
        return self._collection(self._require("collection").collection)

    @property
    def source_collection(self) -> ArtifactCollection:
        """The collection it was published in."""
        return self._collection(self._source())

    def _collection(self, stored: str) -> ArtifactCollection:
        from mlvc.api.artifact_collections import ArtifactCollection

        return ArtifactCollection(self._require("collection").workspace, stored)

    @property
    def source_name(self) -> str:
        """`name:v3` of the source, also for a link; of a draft its name."""
        return self._name if self._logged is None else f"{names.split_collection(self._source())[1]}:{self.source_version}"

    @property
    def source_version(self) -> str:
        """`v3` of the source."""
        logged = self._require("source_version")
        member = logged.workspace.repository.view().member(self._source(), logged.version)
        return f"v{(member or self._member('source_version')).number}"

    @property
    def source_project(self) -> str:
        """The project of the source."""
        return names.split_collection(self._source())[0]

    @property
    def source_entity(self) -> str:
        """As `entity`."""
        self._require("source_entity")
        return self.entity

    @property
    def source_qualified_name(self) -> str:
        """`entity/project/name:v3` of the source."""
        return f"{self.source_entity}/{self.source_project}/{self.source_name}"

    @property
    def source_artifact(self) -> Self:
        """The source that a link stands for; of a source, itself."""
        logged = self._require("source_artifact")
        return self if not self.is_link else self._from_logged(Logged(logged.workspace, self._source(), logged.version))

    @property
    def linked_artifacts(self) -> list[Self]:
        """The links of a source; of a link, none."""
        logged = self._require("linked_artifacts")
        if self.is_link:
            return []
        found = logged.workspace.repository.view().collections_of(logged.version)
        return [self._from_logged(Logged(logged.workspace, c, logged.version)) for c in found if names.is_registry(c)]

    @property
    def is_link(self) -> bool:
        """Whether it was asked for by a registered model's name; False of a draft."""
        return self._logged is not None and names.is_registry(self._logged.collection)

    @property
    def url(self) -> str:
        """Empty: nothing is on a server."""
        self._require("url")
        return ""

    # -- what is said of it ---------------------------------------------------------------------------------------------

    @property
    def metadata(self) -> dict[str, Any]:
        """The metadata; `save` stores changes."""
        return self._metadata

    @metadata.setter
    def metadata(self, given: dict[str, Any]) -> None:
        self._metadata = checked_metadata(given)

    @property
    def description(self) -> str | None:
        """The description; `save` stores a change."""
        return self._description

    @description.setter
    def description(self, given: str | None) -> None:
        self._description = given

    @property
    def aliases(self) -> list[str]:
        """The aliases; `save` stores changes."""
        self._require("aliases")
        return self._aliases

    @aliases.setter
    def aliases(self, given: Sequence[str]) -> None:
        self._require("aliases")
        for alias in given:
            names.check_alias(alias)
        self._aliases = list(given)

    @property
    def tags(self) -> list[str]:
        """The tags; `save` stores changes."""
        self._require("tags")
        return self._tags

    @tags.setter
    def tags(self, given: Sequence[str]) -> None:
        self._require("tags")
        self._tags = [names.check_tag(tag) for tag in dict.fromkeys(given)]

    @property
    def ttl(self) -> timedelta | None:
        """How long it is worth keeping, from its creation; None for ever."""
        if isinstance(self._ttl, ArtifactTTL):
            raise ArtifactNotLoggedError("ttl")
        return self._ttl

    @ttl.setter
    def ttl(self, given: timedelta | ArtifactTTL | None) -> None:
        if self.is_link:
            raise ValueError("Cannot set TTL for link artifact. Unlink the artifact first then set the TTL for the source artifact")
        if isinstance(given, timedelta) and given.total_seconds() <= 0:
            raise ValueError(f"Artifact TTL Duration has to be positive. ttl: {given.total_seconds()}")
        self._ttl = given

    @property
    def use_as(self) -> str | None:
        """What a run uses it for."""
        return self._use_as

    @property
    def incremental(self) -> bool:
        """Whether it adds to the version before."""
        return self._incremental

    @property
    def state(self) -> str:
        """PENDING, COMMITTED or DELETED."""
        if self._logged is None:
            return "PENDING"
        return "COMMITTED" if self._logged.workspace.repository.view().is_alive(self._logged.version) else "DELETED"

    @property
    def created_at(self) -> str:
        """When it was published first, ISO 8601, UTC."""
        return _iso(self._publication("created_at").when_ms)

    @property
    def updated_at(self) -> str:
        """When it was published last, ISO 8601, UTC."""
        logged = self._require("updated_at")
        return _iso(logged.workspace.repository.view().publications(logged.version)[-1].when_ms)

    @property
    def linked_at(self) -> str | None:
        """When a link was made; None of a source."""
        logged = self._require("linked_at")
        when = logged.workspace.repository.view().linked_ms(logged.collection, logged.version) if self.is_link else None
        return None if when is None else _iso(when)

    @property
    def commit_hash(self) -> str:
        """The id of the transaction that published it first, hexadecimal."""
        return self._publication("commit_hash").fact.hex()[:64]

    @property
    def history_step(self) -> int | None:
        """The last step that its run had logged when it logged the artifact; None where it had not logged any."""
        return self._publication("history_step").step

    @property
    def digest_algorithm(self) -> str:
        """`BLAKE3`."""
        return "BLAKE3"

    @property
    def distributed_id(self) -> str | None:
        """What was set; `Run.upsert_artifact` is given its own."""
        return self._distributed_id

    @distributed_id.setter
    def distributed_id(self, given: str | None) -> None:
        self._distributed_id = given

    def json_encode(self) -> dict[str, Any]:
        """Returns what W&B writes for an artifact in a config."""
        self._require("json_encode")
        return {
            "_type": "artifactVersion",
            "_version": "v0",
            "id": self.id,
            "version": self.source_version,
            "sequenceName": self.source_name.split(":")[0],
            "usedAs": self._use_as,
        }


def _iso(when_ms: int) -> str:
    return datetime.fromtimestamp(when_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
