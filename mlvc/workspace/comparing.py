"""What differs between two versions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mlvc.fold.questions import View
from mlvc.format.ids import VersionId
from mlvc.workspace import contents
from mlvc.workspace.workspace import Workspace


@dataclass(frozen=True, slots=True)
class EntryChange:
    """One path that differs: `kind` is added, removed or modified; sizes in bytes, None where it is not."""

    path: str
    kind: str
    size_before: int | None
    size_after: int | None


def versions(workspace: Workspace, view: View, before: VersionId, after: VersionId) -> list[EntryChange]:
    """Returns the paths that two versions hold differently, sorted."""
    if before == after:
        return []
    old = {entry.path: entry for entry in contents.of(workspace, view, before).manifest}
    new = {entry.path: entry for entry in contents.of(workspace, view, after).manifest}
    found = []
    for path in sorted(old.keys() | new.keys()):
        was, now = old.get(path), new.get(path)
        if was == now:
            continue
        kind = "added" if was is None else "removed" if now is None else "modified"
        found.append(EntryChange(path, kind, was.size if was else None, now.size if now else None))
    return found


def metadata_changes(
    workspace: Workspace, view: View, before: VersionId, after: VersionId
) -> list[tuple[str, Any, Any]]:
    """Returns (key, value before, value after) for each metadata key that differs; None where there is none."""
    old = workspace.value_map(view.metadata(before)[0])
    new = workspace.value_map(view.metadata(after)[0])
    return [(k, old.get(k), new.get(k)) for k in sorted(old.keys() | new.keys()) if old.get(k) != new.get(k)]
