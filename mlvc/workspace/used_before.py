"""What names mean in a run that reproduces another one: the versions that the first run used, whatever the names mean today."""

from __future__ import annotations

from mlvc.errors import Error
from mlvc.format import reference as references
from mlvc.format.ids import RunId
from mlvc.workspace import resolving
from mlvc.workspace.workspace import Workspace

REPRODUCES_VARIABLE = "MLVC_REPRODUCES"
"""Set by `mlvc reproduce`: the id of the run that the program's first run is a reproduction of."""


def is_reproduction(workspace: Workspace) -> bool:
    """Tells whether this process is the program of a reproduction."""
    return bool(workspace.environment.get(REPRODUCES_VARIABLE))


def reference(workspace: Workspace, name: str) -> str | None:
    """Returns what names, for good, the version that the first run got for a name; None where it used none, or this is no reproduction."""
    first = workspace.environment.get(REPRODUCES_VARIABLE)
    if not first:
        return None
    with workspace.repository.reading() as view:
        uses = view.inputs(RunId(bytes.fromhex(first)))
        found = next((use.version for use in uses if use.name == name), None)
        if found is None:
            try:
                collection = resolving.collection_name(workspace, view, references.parse_version(name))
            except Error:
                return None  # whoever looks the name up says what is wrong with it
            fitting = {use.version for use in uses if collection in view.collections_of(use.version)}
            found = fitting.pop() if len(fitting) == 1 else None
        if found is None:
            return None
        source = view.source_collection(found)
    return None if source is None else f"{source}@{found.hex()}"
