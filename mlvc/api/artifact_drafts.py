"""What an artifact is before it is logged: a name, a type, and files that are added to it."""

from __future__ import annotations

import enum
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self, cast

from msgspec import Struct

from mlvc.api.artifact_entries import ManifestEntry
from mlvc.api.artifact_errors import ArtifactFinalizedError, ArtifactNotLoggedError
from mlvc.api.draft_files import DraftFiles
from mlvc.format import names, values
from mlvc.format.ids import VersionId
from mlvc.format.manifest import FileEntry
from mlvc.working_tree import placing
from mlvc.workspace import contents, publishing
from mlvc.workspace.draft import Draft, KnownFile
from mlvc.workspace.workspace import Workspace

if TYPE_CHECKING:
    from mlvc.api.artifacts import Artifact

_MAX_METADATA = 100
_ENTRY_SCHEMES = ("wandb-artifact://", "mlvc-artifact://")


class ArtifactTTL(enum.Enum):
    """What `Artifact.ttl` may be set to beside a duration and None."""

    INHERIT = 0


class Logged(Struct, frozen=True):
    """Where a logged artifact is: the collection it was asked by, and the version."""

    workspace: Workspace
    collection: str
    version: VersionId


class ArtifactDraft:
    """A set of files with a name, a type and metadata.

    Args:
        name: letters, digits, `_`, `-`, `.`; at most 128.
        type: such as `dataset` or `model`.
        description: free text.
        metadata: a dictionary of at most 100 JSON values.
        incremental: the new version keeps the files of the one before that it does not replace.
        use_as: what a run uses it for.
        storage_region, digest_algorithm: of W&B; they mean nothing here.

    Raises:
        ValueError: name, type or metadata break the rules.
    """

    _incremental: bool
    _use_as: str | None

    def __init__(
        self,
        name: str,
        type: str,  # noqa: A002
        description: str | None = None,
        metadata: dict[str, Any] | None = None,
        incremental: bool = False,
        use_as: str | None = None,
        storage_region: str | None = None,
        digest_algorithm: str | None = None,
    ) -> None:
        self._begin(names.check_artifact_name(name), names.check_type(type, name), description, checked_metadata(metadata))
        self._incremental = incremental
        self._use_as = use_as

    def _begin(self, name: str, kind: str, description: str | None = None, metadata: dict[str, Any] | None = None) -> None:
        self._name = name
        self._type = kind
        self._description = description
        self._metadata = metadata or {}
        self._incremental = False
        self._use_as = None
        self._distributed_id: str | None = None
        self._aliases: list[str] = []
        self._tags: list[str] = []
        self._ttl: timedelta | ArtifactTTL | None = ArtifactTTL.INHERIT
        self._files = DraftFiles()
        self._finalized = False
        self._added: dict[int, tuple[Any, str]] = {}
        self._logged: Logged | None = None
        self._base: VersionId | None = None
        self._known: contents.Contents | None = None

    @classmethod
    def _of_run(cls, name: str, kind: str) -> Self:
        """Makes a draft of a type that only runs themselves log, such as `run_table`."""
        artifact = cls.__new__(cls)
        artifact._begin(names.check_artifact_name(name), kind)
        return artifact

    def _require(self, what: str) -> Logged:
        if self._logged is None:
            raise ArtifactNotLoggedError(what)
        return self._logged

    def _writable(self, what: str) -> DraftFiles:
        if self._logged is not None or self._finalized:
            raise ArtifactFinalizedError(what)
        return self._files

    def _contents(self, what: str) -> contents.Contents:
        logged = self._require(what)
        if self._known is None:
            self._known = contents.of(logged.workspace, logged.workspace.repository.view(), logged.version)
        return self._known

    # -- a draft's files ----------------------------------------------------------------------------------------------

    def add_file(
        self,
        local_path: str | os.PathLike[str],
        name: str | None = None,
        is_tmp: bool | None = False,
        skip_cache: bool | None = False,
        policy: str | None = "mutable",
        overwrite: bool = False,
    ) -> ManifestEntry:
        """Adds a file as it is now, under its own name or `name`; returns its entry.

        Args:
            local_path: the file.
            name: path in the artifact.
            is_tmp: name it by its content, keeping folder and suffix.
            skip_cache: of W&B; there is no cache to skip.
            policy: `mutable`: later changes of the file do no harm (large ones are refused). `immutable`: the caller sees to that.
            overwrite: whether an entry of that name is replaced.

        Raises:
            ValueError: it is no file, the name breaks the rules, or another file has it.
        """
        files = self._writable("add_file")
        source = Path(local_path).absolute()
        if not source.is_file():
            raise ValueError(f"Path is not a file: {os.fspath(local_path)!r}")
        path = os.fspath(name or source.name)
        if is_tmp:
            folder, base = os.path.split(path)
            path = os.path.join(folder, ".".join([placing.digest_file(source).hex()[:20], *base.split(".")[1:]]))
        return self._entry_at(files.add_file(source, path, policy=policy, overwrite=overwrite))

    def add_dir(
        self,
        local_path: str | os.PathLike[str],
        name: str | None = None,
        skip_cache: bool | None = False,
        policy: str | None = "mutable",
        merge: bool = False,
    ) -> None:
        """Adds every file below a folder, below `name`; links are followed, empty folders vanish.

        Args:
            local_path: the folder.
            name: folder in the artifact.
            skip_cache: of W&B; there is no cache to skip.
            policy: see `add_file`; files of a folder are never copied, they must stay as they are until the artifact is logged.
            merge: whether entries of the same path are replaced.

        Raises:
            ValueError: it is no folder, or a path in it breaks the rules.
        """
        files = self._writable("add_dir")
        folder = Path(local_path).absolute()
        if not folder.is_dir():
            raise ValueError(f"Path is not a directory: {os.fspath(local_path)!r}")
        prefix = f"{os.fspath(name).strip('/')}/" if name else ""
        files.add_folder(folder, prefix, policy=policy, merge=merge)

    def add_reference(
        self,
        uri: str | ManifestEntry,
        name: str | os.PathLike[str] | None = None,
        checksum: bool = True,
        max_objects: int | None = None,
    ) -> Sequence[ManifestEntry]:
        """Adds what lies elsewhere by its URI: only what it is known by is kept, not its bytes.

        Args:
            uri: `file://`, `s3://`, `gs://`, `az://`, `http(s)://` or another scheme; a prefix or folder stands for all below it.
                An entry of another artifact (or its `ref_url()`) is no reference here: its content is stored already, and shared.
            name: of the entry, or of the folder that the entries go below.
            checksum: whether to record, and later check, what the place says the content is known by.
            max_objects: how many entries a prefix may give; default 10 million.

        Returns:
            The entries.

        Raises:
            ValueError: the URI has no scheme, names nothing, or a name is needed.
            CommError: the place cannot be asked.
        """
        files = self._writable("add_reference")
        path = None if name is None else os.fspath(name)
        if isinstance(uri, ManifestEntry):
            return [self._entry_at(files.add(path or uri.path, uri._artifact._source_of(uri.path), overwrite=True))]
        if uri.startswith(_ENTRY_SCHEMES):
            from mlvc.api.artifacts import entry_by_url

            entry = entry_by_url(uri)
            return [self._entry_at(files.add(path or entry.path, entry._artifact._source_of(entry.path), overwrite=True))]
        from mlvc.workspace import references

        most = references.MAX_OBJECTS if max_objects is None else max_objects
        found = references.make(uri, path, os.environ, checksum=checksum, most=most)
        return [self._entry_at(files.add(entry.path, entry, overwrite=True)) for entry in found]

    def add(self, obj: Any, name: str | os.PathLike[str], overwrite: bool = False) -> ManifestEntry:
        """Adds a Table, Image or other value: an entry `NAME.TYPE.json`, and its files. The same object is added once.

        Raises:
            TypeError: it is no such value.
        """
        files = self._writable("add")
        from mlvc.api import artifact_values
        from mlvc.media.values import Media

        if not isinstance(obj, Media):
            raise TypeError(f"Found object of type {obj.__class__}, expected one of: Table, JoinedTable, Image, Audio, Video, Html, ...")
        known = self._added.get(id(obj))
        if known is not None and known[1] in files.sources:
            return self._entry_at(known[1])
        path = artifact_values.keep(files, obj, os.fspath(name), overwrite=overwrite)
        self._added[id(obj)] = obj, path
        return self._entry_at(path)

    def __setitem__(self, name: str, item: Any) -> None:
        self.add(item, name)

    def new_file(
        self, name: str, mode: str = "x", encoding: str | None = None, policy: str = "mutable"
    ) -> AbstractContextManager[IO[Any]]:
        """Opens a new file of the artifact for writing; added when the block ends well.

        Raises:
            ValueError: the mode is neither `x` nor `w` (with `b` for bytes), or `x` and the name is taken.
        """
        return self._writable("new_file").new_file(os.fspath(name), mode, encoding)

    def remove(self, item: str | os.PathLike[str] | ManifestEntry) -> None:
        """Takes a file, or all files of a folder, out of the draft; FileNotFoundError when there is none."""
        self._writable("remove").remove(item.path if isinstance(item, ManifestEntry) else os.fspath(item))

    def get_added_local_path_name(self, local_path: str) -> str | None:
        """Returns the path in the artifact that a file was added as, or None."""
        return self._files.names_of_local.get(os.path.abspath(local_path))

    def finalize(self) -> None:
        """Makes the draft refuse changes; `log_artifact` and `save` still take it."""
        self._finalized = True

    def _entry_at(self, path: str) -> ManifestEntry:
        return ManifestEntry(cast("Artifact", self), path, self._files.sources[path])

    def _source_of(self, path: str) -> Any:
        """Returns what another draft can take this artifact's content at a path from."""
        if self._logged is None:
            return self._files.sources[path]
        held = self._contents("add_reference")
        found = held.manifest[path]
        return KnownFile(found, held.recipes.find(found.digest)) if isinstance(found, FileEntry) else found

    def _draft(self, workspace: Workspace, project: str, aliases: Sequence[str], tags: Sequence[str]) -> Draft:
        self._files.check_unchanged()
        checked_metadata(self._metadata)  # it may have been changed in place
        view = workspace.repository.view()
        collection = view.resolve(names.stored_collection(project, self._name))
        sources = dict(self._files.sources)
        base = self._base
        if self._incremental and (latest := view.latest(collection)) is not None:
            held = contents.of(workspace, view, latest.version)
            sources = {**publishing.known_files(held.manifest, held.recipes), **sources}
            base = base or latest.version
        ttl = self._ttl if isinstance(self._ttl, timedelta) else None
        return Draft(
            collection,
            self._type,
            sources,
            dict(self._metadata),
            self._description or "",
            tuple(aliases),
            (*self._tags, *tags),
            base=base,
            ttl_ms=None if ttl is None else int(ttl.total_seconds() * 1000),
        )


def checked_metadata(given: dict[str, Any] | None) -> dict[str, Any]:
    """Returns metadata as it is kept; TypeError or ValueError, in W&B's words, for what cannot be."""
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise TypeError(f"Cannot parse {type(given)} as artifact metadata")
    if len(given) > _MAX_METADATA:
        raise ValueError(f"Artifact must not have more than {_MAX_METADATA} metadata keys.")
    loaded: dict[str, Any] = values.from_json(values.to_json(given))
    return loaded
