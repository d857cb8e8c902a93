"""`Artifact`: a draft until it is logged, then a version that can be downloaded, traced and named."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from msgspec import Struct

from mlvc.api import notices
from mlvc.api.artifact_errors import ArtifactFinalizedError, ArtifactNotLoggedError
from mlvc.errors import UsageError
from mlvc.format import entry_path, names, values
from mlvc.format.ids import VersionId
from mlvc.format.manifest import Entry as StoredEntry
from mlvc.format.manifest import FileEntry
from mlvc.objects.source_file import Seen
from mlvc.working_tree import placing, scanning
from mlvc.workspace import contents, publishing, registry
from mlvc.workspace.draft import Draft, KnownFile, Source, Unread
from mlvc.workspace.workspace import Workspace

if TYPE_CHECKING:
    from mlvc.api.public_api import RecordedRunHandle

_MAX_METADATA = 100


class Logged(Struct, frozen=True):
    """Where a logged artifact is: the collection it was asked by, and the version."""

    workspace: Workspace
    collection: str
    version: VersionId


class ManifestEntry(Struct, frozen=True):
    """One file of an artifact: `path` in it, `size` in bytes, `digest` as hexadecimal BLAKE3-256."""

    path: str
    size: int
    digest: str
    _artifact: Artifact

    def download(self, root: str | None = None) -> str:
        """Writes the file below `root` (default: the artifact's folder) and returns its path."""
        folder = self._artifact.download(root, path_prefix=self.path)
        return os.path.join(folder, self.path)

    def parent_artifact(self) -> Artifact:
        """Returns the artifact that it is a file of."""
        return self._artifact


class Artifact:
    """A set of files with a name, a type and metadata.

    Args:
        name: letters, digits, `_`, `-`, `.`; at most 128.
        type: such as `dataset` or `model`.
        description: free text.
        metadata: a dictionary of at most 100 JSON values.

    Raises:
        ValueError: name, type or metadata break the rules.
    """

    def __init__(
        self,
        name: str,
        type: str,  # noqa: A002
        description: str | None = None,
        metadata: dict[str, Any] | None = None,
        incremental: bool = False,
        use_as: str | None = None,
        **_: Any,
    ) -> None:
        if incremental:
            raise UsageError("incremental artifacts are not supported yet", hint="log a whole new version; equal files cost nothing")
        self._name = names.check_artifact_name(name)
        self._type = names.check_type(type, name)
        self._description = description
        self._metadata = _checked_metadata(metadata)
        self._use_as = use_as
        self._aliases: list[str] = []
        self._tags: list[str] = []
        self._sources: dict[str, Source] = {}
        self._logged: Logged | None = None
        self._temporary: tempfile.TemporaryDirectory[str] | None = None

    @classmethod
    def _from_logged(cls, logged: Logged) -> Artifact:
        view = logged.workspace.repository.view()
        collection = view.collection(logged.collection)
        artifact = cls.__new__(cls)
        artifact._name = names.split_collection(logged.collection)[1]
        artifact._type = collection.type if collection else "unspecified"
        artifact._use_as = None
        artifact._sources = {}
        artifact._temporary = None
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

    def _require(self, what: str) -> Logged:
        if self._logged is None:
            raise ArtifactNotLoggedError(what)
        return self._logged

    def _writable(self, what: str) -> None:
        if self._logged is not None:
            raise ArtifactFinalizedError(what)

    def __repr__(self) -> str:
        return f"<Artifact {self.qualified_name if self._logged else self._name}>"

    # -- a draft's files ----------------------------------------------------------------------------------------------

    def add_file(self, local_path: str | os.PathLike[str], name: str | None = None, overwrite: bool = False, **_: Any) -> None:
        """Adds a file, under its own name or `name`.

        Raises:
            ValueError: it is no file, the name breaks the rules, or another file has it.
        """
        self._writable("add_file")
        source = Path(local_path).absolute()
        if not source.is_file():
            raise ValueError(f"Path is not a file: {os.fspath(local_path)!r}")
        self._add(entry_path.normalise(name or source.name), source, overwrite=overwrite)

    def _add(self, path: str, source: Source, *, overwrite: bool = False) -> None:
        entry_path.check(path)
        before = self._sources.get(path)
        if before is not None and before != source and not overwrite and not _same(before, source):
            raise ValueError(f"Cannot add the same path twice: {path!r}")
        self._sources[path] = source

    def add_dir(self, local_path: str | os.PathLike[str], name: str | None = None, **_: Any) -> None:
        """Adds every file below a folder, below `name`; links are followed, empty folders vanish.

        Raises:
            ValueError: it is no folder, or a path in it breaks the rules.
        """
        self._writable("add_dir")
        folder = Path(local_path).absolute()
        if not folder.is_dir():
            raise ValueError(f"Path is not a directory: {os.fspath(local_path)!r}")
        prefix = f"{name.strip('/')}/" if name else ""
        for path, seen in scanning.walk(folder, scanning.ignore_rules([folder])):
            self._add(prefix + path, seen)

    @contextmanager
    def new_file(self, name: str, mode: str = "x", encoding: str | None = None, **_: Any) -> Iterator[IO[Any]]:
        """Opens a new file of the artifact for writing; added when the block ends well."""
        self._writable("new_file")
        entry_path.check(name)
        overwrite = mode.startswith("w")
        if name in self._sources and not overwrite:
            raise ValueError(f"File with name {name!r} already exists")
        if "b" in mode:
            data = io.BytesIO()
            yield data
            self._add(name, data.getvalue(), overwrite=overwrite)
        else:
            text = io.StringIO()
            yield text
            self._add(name, text.getvalue().encode(encoding or "utf-8"), overwrite=overwrite)

    def remove(self, item: str | ManifestEntry) -> None:
        """Takes a file, or all files of a folder, out of the draft; FileNotFoundError when there is none."""
        self._writable("remove")
        path = item.path if isinstance(item, ManifestEntry) else os.fspath(item)
        found = [p for p in self._sources if p == path or p.startswith(f"{path.rstrip('/')}/")]
        if not found:
            raise FileNotFoundError(f"No such file or directory: {path}")
        for one in found:
            del self._sources[one]

    def _draft(self, workspace: Workspace, project: str, aliases: Sequence[str], tags: Sequence[str]) -> Draft:
        view = workspace.repository.view()
        return Draft(
            view.resolve(names.stored_collection(project, self._name)),
            self._type,
            dict(self._sources),
            dict(self._metadata),
            self._description or "",
            tuple(aliases),
            (*self._tags, *tags),
        )

    def _set_logged(self, logged: Logged) -> None:
        self._logged = logged
        self._sources = {}
        self._reload()

    def new_draft(self) -> Artifact:
        """Returns a draft with the same files, description and metadata; logging it makes the next version."""
        logged = self._require("new_draft")
        view = logged.workspace.repository.view()
        held = contents.of(logged.workspace, view, logged.version)
        source = view.source_collection(logged.version) or logged.collection
        draft = Artifact(names.split_collection(source)[1], self._type, self._description, dict(self._metadata))
        draft._sources = publishing.known_files(held.manifest, held.recipes)
        return draft

    # -- what it is ---------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """`name`, or `name:v3` once it is logged."""
        return f"{self._name}:{self.version}" if self._logged else self._name

    @property
    def type(self) -> str:
        """Such as `model`."""
        return self._type

    def _member(self, what: str) -> Any:
        logged = self._require(what)
        member = logged.workspace.repository.view().member(logged.collection, logged.version)
        if member is None:
            raise ArtifactNotLoggedError(what)
        return member

    @property
    def version(self) -> str:
        """`v3`."""
        return f"v{self._member('version').number}"

    @property
    def id(self) -> str:
        """The version's id, hexadecimal."""
        return self._require("id").version.hex()

    @property
    def digest(self) -> str:
        """The manifest's id, hexadecimal: equal for equal content."""
        logged = self._require("digest")
        return contents.publication(logged.workspace.repository.view(), logged.version).manifest.hex()

    @property
    def project(self) -> str:
        """The project, or registry, of its collection."""
        return names.split_collection(names.display_collection(self._require("project").collection))[0]

    @property
    def entity(self) -> str:
        """Recorded for W&B's sake; separates nothing."""
        return notices.variable("ENTITY") or "local"

    @property
    def qualified_name(self) -> str:
        """`entity/project/name:v3`."""
        return f"{self.entity}/{self.project}/{self.name}"

    @property
    def source_name(self) -> str:
        """`name:v3` of the source, also for a link."""
        logged = self._require("source_name")
        view = logged.workspace.repository.view()
        source = view.source_collection(logged.version) or logged.collection
        member = view.member(source, logged.version) or self._member("source_name")
        return f"{names.split_collection(source)[1]}:v{member.number}"

    @property
    def is_link(self) -> bool:
        """Whether it was asked for by a registered model's name."""
        return names.is_registry(self._require("is_link").collection)

    @property
    def metadata(self) -> dict[str, Any]:
        """The metadata; `save` stores changes."""
        return self._metadata

    @metadata.setter
    def metadata(self, given: dict[str, Any]) -> None:
        self._metadata = _checked_metadata(given)

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
        return self._aliases

    @aliases.setter
    def aliases(self, given: Sequence[str]) -> None:
        for alias in given:
            names.check_alias(alias)
        self._aliases = list(given)

    @property
    def tags(self) -> list[str]:
        """The tags; `save` stores changes."""
        return self._tags

    @tags.setter
    def tags(self, given: Sequence[str]) -> None:
        self._tags = [names.check_tag(tag) for tag in dict.fromkeys(given)]

    @property
    def size(self) -> int:
        """The sizes of all files, in bytes."""
        return self._contents("size").manifest.size_bytes

    @property
    def file_count(self) -> int:
        """How many files it holds."""
        return self._contents("file_count").manifest.count

    def _contents(self, what: str) -> contents.Contents:
        logged = self._require(what)
        return contents.of(logged.workspace, logged.workspace.repository.view(), logged.version)

    # -- a logged one ---------------------------------------------------------------------------------------------------

    def wait(self, timeout: int | None = None) -> Artifact:
        """Returns the artifact: logging is done when it returns."""
        self._require("wait")
        return self

    def is_draft(self) -> bool:
        """Whether it is not logged yet."""
        return self._logged is None

    def save(self, project: str | None = None, settings: Any = None) -> None:
        """Logs a draft (by the active run, else by a run of its own); stores edits of a logged one."""
        if self._logged is None:
            from mlvc.api import beginning

            active = beginning.current()
            if active is not None:
                active.log_artifact(self)
                return
            with beginning.init(project=project, job_type="auto") as run:
                run.log_artifact(self)
            return
        logged = self._logged
        registry.edit_version(
            logged.workspace,
            logged.version,
            f"Artifact.save {self.name}",
            metadata=_checked_metadata(self._metadata),
            description=self._description or "",
            tags=self._tags,
        )
        registry.set_version_aliases(logged.workspace, self._member("save"), self._aliases, f"Artifact.save {self.name}")
        self._reload()

    def get_entry(self, name: str) -> ManifestEntry:
        """Returns a file of the artifact; KeyError when it has none of that name."""
        if self._logged is None:
            if name not in self._sources:
                raise KeyError(f"Path not contained in artifact: {name}")
            digest, size = _identity(self._sources[name])
            return ManifestEntry(name, size, digest, self)
        found = self._contents("get_entry").manifest.get(name)
        if found is None:
            raise KeyError(f"Path not contained in artifact: {name}")
        return self._entry(found)

    get_path = get_entry

    def _entry(self, found: StoredEntry) -> ManifestEntry:
        digest = found.digest.hex() if isinstance(found, FileEntry) else found.checksum
        return ManifestEntry(found.path, found.size, digest, self)

    def files(self) -> list[ManifestEntry]:
        """Returns all files."""
        return [self._entry(entry) for entry in self._contents("files").manifest]

    def download(self, root: str | os.PathLike[str] | None = None, path_prefix: str | None = None, **_: Any) -> str:
        """Writes the files below `root` (default: ./artifacts/NAME:vN) and returns that folder. Others stay there.

        Files that are right already are not touched; with `path_prefix`, only paths that begin with it are written.
        """
        logged = self._require("download")
        folder = Path(root).absolute() if root is not None else self._default_root()
        contents.write_out(logged.workspace, self._contents("download"), folder, prefix=path_prefix or "")
        return str(folder)

    def _default_root(self) -> Path:
        base = notices.variable("ARTIFACT_DIR") or "artifacts"
        return Path(base).absolute() / self.source_name

    def file(self, root: str | None = None) -> str:
        """Downloads the only file and returns its path; ValueError when there are several."""
        entries = self.files()
        if len(entries) != 1:
            raise ValueError("This artifact contains more than one file, call `.download()` to get all files or call .get_entry(...)")
        return os.path.join(self.download(root), entries[0].path)

    def verify(self, root: str | os.PathLike[str] | None = None) -> None:
        """Checks a downloaded folder against the artifact; ValueError for a file that differs, is missing or is extra."""
        folder = Path(root).absolute() if root is not None else self._default_root()
        wanted = {e.path: e for e in self._contents("verify").manifest if isinstance(e, FileEntry)}
        there = dict(scanning.scan(folder))
        for path, source in there.items():
            if path not in wanted:
                raise ValueError(f"Found file {path} which is not a member of artifact {self.name}")
            if placing.digest_file(source) != wanted[path].digest:
                raise ValueError(f"Digest mismatch for file: {path}")
        missing = sorted(wanted.keys() - there.keys())
        if missing:
            raise ValueError(f"Missing file: {missing[0]}")

    def logged_by(self) -> RecordedRunHandle | None:
        """Returns the run that logged it first, or None when a person did."""
        from mlvc.api.public_api import RecordedRunHandle

        logged = self._require("logged_by")
        found = logged.workspace.repository.view().producers(logged.version)
        return RecordedRunHandle(logged.workspace, found[0]) if found else None

    def used_by(self) -> list[RecordedRunHandle]:
        """Returns the runs that used it, also through a link."""
        from mlvc.api.public_api import RecordedRunHandle

        logged = self._require("used_by")
        return [RecordedRunHandle(logged.workspace, run) for run in logged.workspace.repository.view().users(logged.version)]

    def link(self, target_path: str, aliases: Sequence[str] | str | None = None) -> Artifact:
        """Links it into a registered model; aliases go on the link."""
        logged = self._require("link")
        return link(logged, target_path, aliases)

    def unlink(self) -> None:
        """Takes a link back; ValueError on a source."""
        logged = self._require("unlink")
        if not self.is_link:
            raise ValueError("Artifact is not a linked artifact; use 'Artifact.delete' instead")
        registry.unlink(logged.workspace, self._member("unlink"), f"Artifact.unlink {self.name}")

    def delete(self, delete_aliases: bool = False) -> None:
        """Deletes the version (a link: only the link); CommError when it has aliases and `delete_aliases` is False."""
        logged = self._require("delete")
        if self.is_link:
            self.unlink()
            return
        registry.delete_version(
            logged.workspace, self._member("delete"), f"Artifact.delete {self.name}", with_names=delete_aliases
        )


def link(logged: Logged, target_path: str, aliases: Sequence[str] | str | None) -> Artifact:
    """Links a logged artifact without a run."""
    target = registry_target(logged.workspace, target_path)
    registry.link(logged.workspace, logged.version, target, as_list(aliases), f"Artifact.link {target_path}")
    return Artifact._from_logged(Logged(logged.workspace, target, logged.version))


def registry_target(workspace: Workspace, target_path: str) -> str:
    """Returns the stored registry collection of a link's target: `[entity/][registry/]name`."""
    parts = target_path.partition(":")[0].split("/")
    project = parts[-2] if len(parts) >= 2 else "registry"
    if names.registry_of(project) is None:
        project = "registry"
    return workspace.repository.view().resolve(names.stored_collection(project, parts[-1]))


def as_list(given: Sequence[str] | str | None) -> list[str]:
    """Returns what may be one string, several, or None as a list."""
    return [] if given is None else [given] if isinstance(given, str) else list(given)


def _checked_metadata(given: dict[str, Any] | None) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise TypeError(f"metadata must be dict, not {type(given)}")
    if len(given) > _MAX_METADATA:
        raise ValueError(f"Artifact must not have more than {_MAX_METADATA} metadata keys.")
    loaded: dict[str, Any] = values.from_json(values.to_json(given))
    return loaded


def _identity(source: Source) -> tuple[str, int]:
    match source:
        case Path() | Seen():
            file = source if isinstance(source, Path) else source.file
            return placing.digest_file(file).hex(), os.stat(file).st_size
        case bytes():
            from mlvc.format.ids import digest

            return digest(source).hex(), len(source)
        case KnownFile():
            return source.entry.digest.hex(), source.entry.size
        case Unread():
            return source.digest.hex(), os.stat(source.seen.file).st_size
        case _:
            return source.checksum, source.size


def _same(a: Source, b: Source) -> bool:
    return _identity(a) == _identity(b)
