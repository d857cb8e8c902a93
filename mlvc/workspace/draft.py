"""A version to be: files, and what is said of them, before anything is stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from mlvc.format.ids import FileDigest, RecordId, RunId, VersionId
from mlvc.format.manifest import FileEntry, ReferenceEntry
from mlvc.objects.source_file import Seen


class KnownFile(Struct, frozen=True):
    """A file whose content is in the store already, as another version lists it."""

    entry: FileEntry
    recipe: RecordId | None


class Unread(Struct, frozen=True):
    """A file that looks as it did when it had this digest; read only if its content is not in the store any more.

    Attributes:
        seen: the file; its looks are known.
        digest: of its content.
        recipe: how a version keeps that content; None when it is a single chunk, or no version at hand has it.
    """

    seen: Seen
    digest: FileDigest
    recipe: RecordId | None


Source = Path | Seen | Unread | bytes | KnownFile | ReferenceEntry
"""A file (one of many as it was seen, which takes less room than a path), content itself, or what is stored somewhere already."""


class Draft(Struct):
    """A version to be.

    Attributes:
        collection: as stored.
        type: of the artifact.
        files: entry path -> where its content comes from; or such pairs, by path, asked for once, while the commit is under way.
        run: who makes it, or None for a person.
        base: what it was derived from.
        inputs: what the run has used so far; new content may be stored against theirs.
        step: the last step of history that the run has logged, or None.
        ttl_ms: how long the version is worth keeping, in milliseconds; None where nothing is said.
    """

    collection: str
    type: str
    files: Mapping[str, Source] | Iterable[tuple[str, Source]] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    description: str = ""
    aliases: Sequence[str] = ()
    tags: Sequence[str] = ()
    run: RunId | None = None
    base: VersionId | None = None
    inputs: Sequence[VersionId] = ()
    ttl_ms: int | None = None
    step: int | None = None
