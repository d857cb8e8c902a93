"""The entries of an artifact, one by one and as its manifest."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from mlvc.api import draft_files
from mlvc.format.manifest import Entry, FileEntry, ReferenceEntry

if TYPE_CHECKING:
    from mlvc.api.artifacts import Artifact
    from mlvc.workspace.draft import Source


class ManifestEntry:
    """One file of an artifact.

    Attributes:
        path: in the artifact.
        ref: the URI, when its bytes stay elsewhere; else None.
    """

    def __init__(self, artifact: Artifact, path: str, held: Entry | Source) -> None:
        self.path = path
        self._artifact = artifact
        self._held = held
        self._identity: tuple[str, int] | None = None

    def __repr__(self) -> str:
        return f"<ManifestEntry {self.path!r}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ManifestEntry) and (other.path, other.digest, other.ref) == (self.path, self.digest, self.ref)

    def __hash__(self) -> int:
        return hash(self.path)

    def _known(self) -> tuple[str, int]:
        if self._identity is None:
            if isinstance(self._held, FileEntry):
                self._identity = self._held.digest.hex(), self._held.size
            else:
                self._identity = draft_files.identity(self._held)
        return self._identity

    @property
    def name(self) -> str:
        """The same as `path`."""
        return self.path

    @property
    def digest(self) -> str:
        """Hexadecimal BLAKE3-256 of its bytes; of a reference, what its place knows it by."""
        return self._known()[0]

    @property
    def size(self) -> int:
        """In bytes; of a reference 0 where its place does not say."""
        return self._known()[1]

    @property
    def ref(self) -> str | None:
        """The URI of a reference, or None."""
        return self._held.uri if isinstance(self._held, ReferenceEntry) else None

    @property
    def extra(self) -> dict[str, str]:
        """What a reference's place said of it: `etag`, `versionID`."""
        return dict(self._held.info) if isinstance(self._held, ReferenceEntry) else {}

    @property
    def local_path(self) -> str | None:
        """Of a draft's file: what will be read."""
        return None if isinstance(self._held, FileEntry | ReferenceEntry) else draft_files.local_file(self._held)

    @property
    def mimetype(self) -> str | None:
        """Guessed from the name."""
        import mimetypes

        return mimetypes.guess_type(self.path)[0]

    def download(self, root: str | os.PathLike[str] | None = None, skip_cache: bool | None = None) -> str:
        """Writes the file below `root` (default: the artifact's folder) and returns its path."""
        return self._artifact._download_entry(self, root)

    def ref_target(self) -> str:
        """Returns the URI of a reference; ValueError for a file that is kept here."""
        if self.ref is None:
            raise ValueError("Only reference entries support ref_target().")
        return self.ref

    def ref_url(self) -> str:
        """Returns a URI that `add_reference` takes, in any artifact."""
        return f"wandb-artifact://{self._artifact._require('ref_url').version.hex()}/{self.path}"

    def parent_artifact(self) -> Artifact:
        """Returns the artifact that it is a file of."""
        return self._artifact

    def to_json(self) -> dict[str, Any]:
        """Returns it as W&B's manifests hold it."""
        said: dict[str, Any] = {"digest": self.digest, "size": self.size}
        if self.ref is not None:
            said["ref"] = self.ref
        if self.extra:
            said["extra"] = self.extra
        return said


class File(ManifestEntry):
    """A file as `Artifact.files` lists it: downloading opens it."""

    def download(  # type: ignore[override]
        self, root: str | os.PathLike[str] = ".", replace: bool = False, exist_ok: bool = False
    ) -> IO[str]:
        """Writes the file below `root` and returns it, opened for reading.

        Raises:
            ValueError: it is there already, and neither `replace` nor `exist_ok` is given.
        """
        target = Path(root) / self.path
        if target.exists() and not (replace or exist_ok):
            raise ValueError("File already exists, pass replace=True to overwrite or exist_ok=True to leave it as is and don't error.")
        if replace or not target.exists():
            self._artifact._download_entry(self, root)
        return target.open(encoding="utf-8", errors="replace")

    @property
    def url(self) -> str:
        """The URI of a reference, else what names the file."""
        return self.ref or self.ref_url()


class ArtifactManifest:
    """What an artifact holds, by path."""

    version = 1

    def __init__(self, artifact: Artifact) -> None:
        self._artifact = artifact

    @property
    def entries(self) -> Mapping[str, ManifestEntry]:
        """Path -> entry; of a logged artifact each is read when it is asked for."""
        return _Entries(self._artifact)

    def __len__(self) -> int:
        return len(self.entries)

    def get_entry_by_path(self, path: str) -> ManifestEntry | None:
        """Returns an entry, or None."""
        return self.entries.get(path)

    def get_entries_in_directory(self, directory: str) -> list[ManifestEntry]:
        """Returns the entries below a folder."""
        return [entry for path, entry in self.entries.items() if path.startswith(f"{directory.rstrip('/')}/")]

    def digest(self) -> str:
        """Returns the artifact's digest."""
        return self._artifact.digest

    def size(self) -> int:
        """Returns the sizes of all entries, in bytes."""
        return sum(entry.size for entry in self.entries.values())

    def to_manifest_json(self) -> dict[str, Any]:
        """Returns it in the shape of W&B's manifests, with mlvc's digests."""
        return {
            "version": 1,
            "storagePolicy": "mlvc",
            "storagePolicyConfig": {},
            "contents": {path: entry.to_json() for path, entry in sorted(self.entries.items())},
        }


class _Entries(Mapping[str, ManifestEntry]):
    def __init__(self, artifact: Artifact) -> None:
        self._artifact = artifact

    def __getitem__(self, path: str) -> ManifestEntry:
        found = self._artifact._find_entry(path)
        if found is None:
            raise KeyError(path)
        return found

    def __iter__(self) -> Iterator[str]:
        return self._artifact._entry_paths()

    def __len__(self) -> int:
        return self._artifact._entry_count()
