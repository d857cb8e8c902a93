"""A version to be: files, and what is said of them, before anything is stored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from mlvc.format.ids import RecordId, RunId, VersionId
from mlvc.format.manifest import FileEntry, ReferenceEntry
from mlvc.objects.source_file import Seen


class KnownFile(Struct, frozen=True):
    """A file whose content is in the store already, as another version lists it."""

    entry: FileEntry
    recipe: RecordId | None


Source = Path | Seen | bytes | KnownFile | ReferenceEntry
"""A file (one of many as it was seen, which takes less room than a path), content itself, or what is stored somewhere already."""


class Draft(Struct):
    """A version to be.

    Attributes:
        collection: as stored.
        type: of the artifact.
        files: entry path -> where its content comes from.
        run: who makes it, or None for a person.
        base: what it was derived from.
        inputs: what the run has used so far; new content may be stored against theirs.
    """

    collection: str
    type: str
    files: dict[str, Source] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    description: str = ""
    aliases: Sequence[str] = ()
    tags: Sequence[str] = ()
    run: RunId | None = None
    base: VersionId | None = None
    inputs: Sequence[VersionId] = ()
