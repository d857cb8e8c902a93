"""Lineage picks what new content is stored against: a named base, the version before, the inputs of the run that logs it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mlvc.errors import DamageError, NotFoundError
from mlvc.format.ids import VersionId
from mlvc.format.manifest import FileEntry
from mlvc.objects.counterparts import BaseFile, Counterparts
from mlvc.workspace import contents
from mlvc.workspace.draft import Draft
from mlvc.workspace.workspace import Workspace

_MOST_BASES = 8
_LEAST_FILE = 64 << 10
"""Smaller files are not worth a difference."""

_MOST_FILES = 10_000


def versions(workspace: Workspace, draft: Draft) -> list[VersionId]:
    """Returns the versions that a draft's files may be stored against, the likeliest first."""
    view = workspace.repository.view()
    latest = view.latest(draft.collection)
    used = [use.version for use in view.inputs(draft.run)][::-1] if draft.run is not None else []
    likely = [draft.base, latest.version if latest else None, *draft.inputs[::-1], *used]
    return list(dict.fromkeys(version for version in likely if version is not None))[:_MOST_BASES]


@contextmanager
def counterparts(workspace: Workspace, draft: Draft) -> Iterator[Counterparts]:
    """The pieces of a draft's bases, as long as the block lasts."""
    found = versions(workspace, draft)
    made = Counterparts(workspace.repository.objects, lambda: _files(workspace, found))
    try:
        yield made
    finally:
        made.close()


def _files(workspace: Workspace, found: list[VersionId]) -> Iterator[BaseFile]:
    view = workspace.repository.view()
    objects = workspace.repository.objects
    with objects.local_only():  # what a lazy clone left behind is no base: an upload is no reason to download
        for version in found:
            try:
                held = contents.of(workspace, view, version)
                large = [e for e in held.manifest if isinstance(e, FileEntry) and e.size > _LEAST_FILE]
                for entry in large[:_MOST_FILES]:
                    yield BaseFile(entry.path, objects.recipe(held.recipes, entry.digest, entry.size))
            except (DamageError, NotFoundError):
                continue
