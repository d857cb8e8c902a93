"""`Artifact`: a draft until it is logged, then a version that can be downloaded, traced and named."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlvc.api import notices
from mlvc.api.artifact_drafts import ArtifactTTL, Logged, checked_metadata
from mlvc.api.artifact_entries import ArtifactManifest, File, ManifestEntry
from mlvc.api.artifact_facts import ArtifactFacts
from mlvc.api.draft_files import DraftFiles
from mlvc.errors import Error, NotFoundError, UsageError
from mlvc.format import manifest as manifests
from mlvc.format import names
from mlvc.format.ids import FileDigest, VersionId
from mlvc.format.manifest import Entry, FileEntry, ReferenceEntry
from mlvc.format.reference import parse_version
from mlvc.working_tree import placing, scanning
from mlvc.workspace import contents, publishing, registry, resolving, run_questions
from mlvc.workspace.workspace import Workspace

if TYPE_CHECKING:
    from mlvc.api.recorded_runs import RecordedRunHandle

__all__ = ["Artifact", "ArtifactTTL", "Logged", "as_list", "find_artifact", "registry_target"]


_BY_ID = "_id/"


class Artifact(ArtifactFacts):
    """A set of files with a name, a type and metadata.

    Args:
        name: letters, digits, `_`, `-`, `.`; at most 128.
        type: such as `dataset` or `model`.
        description: free text.
        metadata: a dictionary of at most 100 JSON values.
        incremental: the new version keeps the files of the one before that it does not replace.
        use_as: what a run uses it for.

    Raises:
        ValueError: name, type or metadata break the rules.
    """

    def _set_logged(self, logged: Logged) -> None:
        self._logged = logged
        self._files = DraftFiles()
        self._reload()

    def new_draft(self) -> Artifact:
        """Returns a draft with the same files, description and metadata; logging it makes the next version."""
        held = self._contents("new_draft")
        logged = self._require("new_draft")
        draft = Artifact._of_run(names.split_collection(self._source())[1], self._type)
        draft._description, draft._metadata = self._description, dict(self._metadata)
        draft._files = DraftFiles(publishing.known_files(held.manifest, held.recipes))
        draft._base = logged.version
        return draft

    # -- what it holds --------------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"<Artifact {self.id or self._name}>"

    @property
    def manifest(self) -> ArtifactManifest:
        """All entries by path."""
        return ArtifactManifest(self)

    def _find_entry(self, path: str) -> ManifestEntry | None:
        held: Any = self._files.sources.get(path) if self._logged is None else self._contents("manifest").manifest.get(path)
        return None if held is None else ManifestEntry(self, path, held)

    def _entry_paths(self) -> Iterator[str]:
        if self._logged is None:
            return iter(sorted(self._files.sources))
        return (entry.path for entry in self._contents("manifest").manifest)

    def _entry_count(self) -> int:
        return len(self._files) if self._logged is None else self._contents("manifest").manifest.count

    @property
    def digest(self) -> str:
        """The manifest's id, hexadecimal BLAKE3-256: equal for equal content."""
        if self._logged is not None:
            return self._publication("digest").manifest.hex()
        found: list[Entry] = []
        for path, entry in self.manifest.entries.items():
            held = self._files.sources[path]
            found.append(held if isinstance(held, ReferenceEntry) else FileEntry(path, entry.size, FileDigest(bytes.fromhex(entry.digest))))
        return manifests.build(found).id.hex()

    @property
    def size(self) -> int:
        """The sizes of all files, in bytes."""
        return self.manifest.size() if self._logged is None else self._contents("size").manifest.size_bytes

    @property
    def file_count(self) -> int:
        """How many files it holds."""
        return self._contents("file_count").manifest.count

    def get_entry(self, name: str | os.PathLike[str]) -> ManifestEntry:
        """Returns a file of the artifact, or the entry of a value added by that name; KeyError when there is neither."""
        self._require("get_entry")
        path = os.fspath(name)
        found = self._find_entry(path) or self._find_entry(self._values("get_entry").find(path) or path)
        if found is None:
            raise KeyError(f"Path not contained in artifact: {path}")
        return found

    def get_path(self, name: str | os.PathLike[str]) -> ManifestEntry:
        """Returns what `get_entry` does; the old name."""
        return self.get_entry(name)

    def get(self, name: str) -> Any:
        """Returns the Table, Image or other value added as `name`, or None. A table's cells are read when they are asked for."""
        return self._values("get").get(os.fspath(name))

    def __getitem__(self, name: str) -> Any:
        return self.get(name)

    def _values(self, what: str) -> Any:
        from mlvc.api.artifact_values import LoggedFiles

        return LoggedFiles(self._require(what).workspace, self._contents(what))

    def files(self, names: Sequence[str] | None = None, per_page: int = 50, start: str | None = None) -> list[File]:
        """Returns all files, or those of the given paths."""
        found = self._contents("files").manifest
        if names is not None:
            return [File(self, entry.path, entry) for name in names if (entry := found.get(name)) is not None]
        return [File(self, entry.path, entry) for entry in found]

    def download(
        self,
        root: str | os.PathLike[str] | None = None,
        allow_missing_references: bool = False,
        skip_cache: bool | None = None,
        path_prefix: str | os.PathLike[str] | None = None,
        multipart: bool | None = None,
    ) -> str:
        """Writes the files below `root` (default: ./artifacts/NAME:vN) and returns that folder. Others stay there.

        Files that are right already are not touched.

        Args:
            root: the folder.
            allow_missing_references: leave out references whose bytes are gone, with a warning.
            skip_cache, multipart: of W&B; they mean nothing here.
            path_prefix: only paths that begin with it are written.

        Raises:
            FileNotFoundError: a reference's bytes are gone.
            ValueError: a reference's bytes are other ones now.
        """
        logged = self._require("download")
        folder = Path(root).absolute() if root is not None else self._default_root()
        prefix = "" if path_prefix is None else os.fspath(path_prefix)
        folder.mkdir(parents=True, exist_ok=True)
        contents.write_out(logged.workspace, self._contents("download"), folder, prefix=prefix, may_miss=allow_missing_references)
        return str(folder)

    def _download_entry(self, entry: ManifestEntry, root: str | os.PathLike[str] | None) -> str:
        logged = self._require("download")
        folder = Path(root).absolute() if root is not None else self._default_root()
        target = folder / entry.path
        placing.make_parents(folder, target, set())
        contents.write_entry(logged.workspace, self._contents("download"), entry.path, target)
        return str(target)

    def _default_root(self, *, with_version: bool = True) -> Path:
        base = notices.variable("ARTIFACT_DIR") or "artifacts"
        return Path(base).absolute() / (self.source_name if with_version else self.source_name.split(":")[0])

    def checkout(self, root: str | os.PathLike[str] | None = None) -> str:
        """Makes a folder hold exactly the artifact (default: ./artifacts/NAME): other files in it are deleted; returns the folder."""
        held = self._contents("checkout").manifest
        folder = Path(root).absolute() if root is not None else self._default_root(with_version=False)
        if folder.is_dir():
            for path, file in scanning.scan(folder):
                if held.get(path) is None:
                    file.unlink()
        return self.download(folder)

    def file(self, root: str | os.PathLike[str] | None = None) -> str:
        """Downloads the only file and returns its path; ValueError when there are several."""
        self._require("file")
        if len(self.manifest) > 1:
            raise ValueError(
                "This artifact contains more than one file, call `.download()` to get all files or call "
                '.get_entry("filename").download()'
            )
        return next(iter(self.manifest.entries.values())).download(root)

    def verify(self, root: str | os.PathLike[str] | None = None) -> None:
        """Checks a downloaded folder against the artifact; ValueError for a file that differs, is missing or is extra."""
        held = self._contents("verify").manifest
        folder = Path(root).absolute() if root is not None else self._default_root()
        wanted = {e.path: e for e in held if isinstance(e, FileEntry)}
        there = dict(scanning.scan(folder))
        for path, source in there.items():
            if path not in wanted:
                if held.get(path) is None:
                    raise ValueError(f"Found file {source} which is not a member of artifact {self.name}")
                continue
            if placing.digest_file(source) != wanted[path].digest:
                raise ValueError(f"Digest mismatch for file: {path}")
        missing = sorted(wanted.keys() - there.keys())
        if missing:
            raise ValueError(f"Missing file: {missing[0]}")
        if held.count > len(wanted):
            notices.say(f"skipped verification of {held.count - len(wanted)} refs")

    # -- what becomes of it ---------------------------------------------------------------------------------------------

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
            with beginning.init(project=project, job_type="auto", settings=settings) as run:
                run.log_artifact(self)
            return
        logged = self._logged
        ttl = self._ttl
        registry.edit_version(
            logged.workspace,
            logged.version,
            f"Artifact.save {self.name}",
            metadata=checked_metadata(self._metadata),
            description=self._description or "",
            tags=self._tags,
            ttl_ms=None if not isinstance(ttl, timedelta) else int(ttl.total_seconds() * 1000),
        )
        registry.set_version_aliases(logged.workspace, self._member("save"), self._aliases, f"Artifact.save {self.name}")
        self._reload()

    def logged_by(self) -> RecordedRunHandle | None:
        """Returns the run that logged it first, or None when a person did."""
        from mlvc.api.recorded_runs import RecordedRunHandle

        logged = self._require("logged_by")
        found = logged.workspace.repository.view().producers(logged.version)
        return RecordedRunHandle(logged.workspace, found[0]) if found else None

    def used_by(self) -> list[RecordedRunHandle]:
        """Returns the runs that used it, also through a link, those under way included."""
        from mlvc.api.recorded_runs import RecordedRunHandle

        logged = self._require("used_by")
        users = run_questions.users(logged.workspace, logged.workspace.repository.view(), logged.version)
        return [RecordedRunHandle(logged.workspace, run) for run in users]

    def link(self, target_path: str, aliases: Sequence[str] | str | None = None) -> Artifact:
        """Links it (logging a draft first) into a registered model; aliases go on the link. A link's source is linked."""
        if self._logged is None:
            self.save()
        logged = self._require("link")
        target = registry_target(logged.workspace, target_path)
        registry.link(logged.workspace, logged.version, target, as_list(aliases), f"Artifact.link {target_path}")
        return Artifact._from_logged(Logged(logged.workspace, target, logged.version))

    def unlink(self) -> None:
        """Takes a link back; ValueError on a source."""
        logged = self._require("unlink")
        if not self.is_link:
            raise ValueError(f"Artifact {self.qualified_name!r} is not a linked artifact and cannot be unlinked. To delete it, use 'Artifact.delete' instead.")
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


def entry_by_url(url: str) -> ManifestEntry:
    """Returns the entry that `ref_url` named, in the repository of the current folder."""
    from mlvc.api import beginning

    identifier, _, path = url.partition("://")[2].partition("/")
    return _by_id(beginning.open_or_make(), identifier).get_entry(path)


def find_artifact(workspace: Workspace, name: str) -> Artifact:
    """Returns the artifact that a name means, or `_id/` and a version's id; CommError, beginning with W&B's words, when there is none."""
    if name.startswith(_BY_ID):
        return _by_id(workspace, name.removeprefix(_BY_ID))
    try:
        with workspace.repository.reading() as view:
            member = resolving.version(workspace, view, name)
    except NotFoundError as error:
        raise NotFoundError(f"{_in_wandbs_words(workspace, name)}: {error.message}", hint=error.hint) from error
    except ValueError as error:
        raise (error if isinstance(error, Error) else UsageError(str(error))) from error
    return Artifact._from_logged(Logged(workspace, member.collection, member.version))


def _by_id(workspace: Workspace, text: str) -> Artifact:
    try:
        version = VersionId(bytes.fromhex(text))
    except ValueError:
        raise UsageError(f"'{text}' is no version id", hint="Artifact.id gives one") from None
    source = workspace.repository.view().source_collection(version)
    if source is None:
        raise NotFoundError(f"the artifact @{text[:12]} is not here", hint="'mlvc pull' may bring it")
    return Artifact._from_logged(Logged(workspace, source, version))


def _in_wandbs_words(workspace: Workspace, name: str) -> str:
    wanted = parse_version(name)
    project = wanted.project or workspace.project
    entity = wanted.entity or notices.entity()
    view = workspace.repository.view()
    is_known = names.registry_of(project) is not None or project == workspace.project or project in run_questions.projects(view)
    if not is_known:
        return f"project '{project}' not found under entity '{entity}'"
    return f"artifact membership '{wanted.name}:{wanted.selector or names.LATEST}' not found in '{entity}/{project}'"


def registry_target(workspace: Workspace, target_path: str) -> str:
    """Returns the stored collection of links that `[entity/][project/]name` means; without a project, one of the current project."""
    parts = target_path.partition(":")[0].split("/")
    project = parts[-2] if len(parts) >= 2 else workspace.project
    return workspace.repository.view().resolve(names.link_collection(project, parts[-1]))


def as_list(given: Sequence[str] | str | None) -> list[str]:
    """Returns what may be one string, several, or None as a list."""
    return [] if given is None else [given] if isinstance(given, str) else list(given)
