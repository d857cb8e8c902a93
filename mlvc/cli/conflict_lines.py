"""What is in conflict, and how to decide it: as status, pull and push say it."""

from __future__ import annotations

from mlvc.cli import output
from mlvc.fold.questions import View
from mlvc.format import names
from mlvc.format.ids import VersionId
from mlvc.workspace import resolving
from mlvc.workspace.workspace import Workspace


def lines(workspace: Workspace, view: View) -> list[str]:
    """Returns lines about all conflicts."""
    found = []
    for conflict in view.conflicts():
        shown = names.display_collection(conflict.collection, workspace.project)
        if conflict.kind == "alias":
            sides = [
                f"{_label(workspace, view, conflict.collection, side.version)} ({side.who}, {output.when(side.when_ms)})"
                for side in view.alias_sides(conflict.collection, conflict.alias)
            ]
            found.append(f"{'conflict:':<10} {shown}:{conflict.alias} means {' or '.join(sides)}")
            found.append(f"{'':<10} decide: mlvc alias set {shown}:{conflict.alias} --ours, or --theirs; or: mlvc alias set REF {conflict.alias}")
        else:
            assert conflict.version is not None, "a contested delete is about a version"
            label = resolving.display_version(workspace, view, conflict.version)
            found.append(f"{'conflict:':<10} {label} was deleted, and used or published elsewhere meanwhile; it is kept")
    return found


def _label(workspace: Workspace, view: View, collection: str, version: VersionId | None) -> str:
    if version is None:
        return "nothing"
    member = view.member(collection, version)
    return resolving.display(workspace, member) if member is not None else resolving.display_version(workspace, view, version)
