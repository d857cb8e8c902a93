"""Tables, images and other values in artifacts: how they become entries, and how they are read back, only as far as needed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from mlvc.format.manifest import FileEntry
from mlvc.media import content, kinds
from mlvc.media.content import Content
from mlvc.media.values import Media
from mlvc.workspace import contents
from mlvc.workspace.contents import Contents
from mlvc.workspace.draft import Source
from mlvc.workspace.workspace import Workspace

if TYPE_CHECKING:
    from mlvc.api.draft_files import DraftFiles

_LARGEST_ENTRY = 1 << 30


def keep(files: DraftFiles, value: Media, name: str, *, overwrite: bool) -> str:
    """Adds the files of a value to a draft; returns the path of the entry that says what it is."""
    path = value.with_suffix(name)
    if path in files.sources and not overwrite:
        return path
    said = value._entry(name, lambda at, held: _keep_file(files, at, held, overwrite=overwrite))
    text = json.dumps(said, ensure_ascii=False, sort_keys=True).encode()
    return files.add(path, text, overwrite=overwrite)


def _keep_file(files: DraftFiles, path: str, held: Content, *, overwrite: bool) -> None:
    source: Source = held if isinstance(held, (Path, bytes)) else content.read(held)
    if isinstance(source, Path):
        files.add_file(source, path, policy="immutable", overwrite=overwrite)
    else:
        files.add(path, source, overwrite=overwrite)


class LoggedFiles:
    """The files of a logged artifact, as media values read them."""

    def __init__(self, workspace: Workspace, held: Contents) -> None:
        self._workspace = workspace
        self._held = held

    def open(self, path: str) -> BinaryIO:
        """See `StoredFiles.open`."""
        self._entry(path)
        return contents.open_entry(self._workspace, self._held, path)

    def content(self, path: str) -> Content:
        """See `StoredFiles.content`."""

        def read() -> bytes:
            with self.open(path) as file:
                return file.read()

        return content.Later(read, self._entry(path).size)

    def _entry(self, path: str) -> FileEntry:
        found = self._held.manifest.get(path)
        if not isinstance(found, FileEntry):
            raise KeyError(f"Path not contained in artifact: {path}")
        return found

    def paths_below(self, folder: str) -> list[str]:
        """See `StoredFiles.paths_below`."""
        return [entry.path for entry in self._held.manifest if entry.path.startswith(f"{folder.rstrip('/')}/")]

    def find(self, name: str) -> str | None:
        """Returns the path of the entry that a value added as `name` has, or None."""
        for suffix in kinds.ENTRY_NAMES:
            path = name if name.endswith(f".{suffix}.json") else f"{name}.{suffix}.json"
            if self._held.manifest.get(path) is not None:
                return path
        return None

    def get(self, name: str) -> Any:
        """See `StoredFiles.get`."""
        path = self.find(name)
        if path is None:
            return None
        with self.open(path) as file:
            said = json.loads(file.read(_LARGEST_ENTRY))
        return kinds.from_entry(said, self) if isinstance(said, dict) else None
