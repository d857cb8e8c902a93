"""`resume='auto'`: the run that a script was making here, and did not end well, goes on when the script is started again."""

from __future__ import annotations

import json
from pathlib import Path

from mlvc import atomic_file
from mlvc.format.ids import digest
from mlvc.workspace.workspace import Workspace


def _path(workspace: Workspace, project: str) -> Path:
    place = f"{project}\n{Path.cwd()}".encode()
    return workspace.repository.path / "cache" / f"auto-resume-{digest(place).hex()[:16]}.json"


def unfinished(workspace: Workspace, project: str) -> str | None:
    """Returns the label of the run that was begun in this folder with `remember` and not forgotten since, or None."""
    try:
        said = json.loads(_path(workspace, project).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return str(said["run_id"]) if isinstance(said, dict) and "run_id" in said else None


def remember(workspace: Workspace, project: str, label: str) -> None:
    """Notes which run this folder's script is making."""
    path = _path(workspace, project)
    atomic_file.make_folder(path.parent)
    atomic_file.replace(path, json.dumps({"run_id": label}).encode())


def forget(workspace: Workspace, project: str) -> None:
    """Notes that it ended well."""
    atomic_file.remove(_path(workspace, project))
