"""Writes the tables of docs/wandb-compatibility.md from what the real wandb package has: `python tests/compatibility/wandb_names.py`."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from notes import NOTES

DOCUMENT = Path(__file__).parents[2] / "docs" / "wandb-compatibility.md"
BEGIN, END = "<!-- generated: begin -->", "<!-- generated: end -->"
SHOWN = {"same": "as W&B", "differs": "differs", "nothing": "does nothing", "refused": "refused", "missing": "not there"}


def compared() -> dict[str, tuple[Any, Any]]:
    """Returns each class (and the package) of wandb with mlvc's."""
    import wandb
    from wandb.apis import public
    from wandb.apis.public.registries import registry

    import mlvc
    from mlvc.api import artifact_collections, recorded_runs

    return {
        "wandb": (wandb, mlvc),
        "Run": (wandb.Run, mlvc.Run),
        "Artifact": (wandb.Artifact, mlvc.Artifact),
        "Table": (wandb.Table, mlvc.Table),
        "Api": (wandb.Api, mlvc.Api),
        "apis.public.Run": (public.Run, recorded_runs.RecordedRunHandle),
        "Registry": (registry.Registry, artifact_collections.Registry),
        "ArtifactCollection": (public.ArtifactCollection, artifact_collections.ArtifactCollection),
    }


def public_names(theirs: Any) -> list[str]:
    names = [name for name in dir(theirs) if not name.startswith("_")]
    if not inspect.ismodule(theirs):
        return names
    return [name for name in names if name != "annotations" and not inspect.ismodule(getattr(theirs, name, None))]


def has(ours: Any, name: str) -> bool:
    if inspect.ismodule(ours):
        return hasattr(ours, name)
    if name in getattr(ours, "__annotations__", {}):
        return True
    try:
        inspect.getattr_static(ours, name)
    except AttributeError:
        return name in {"name", "config", "summary"}  # set in the constructor
    return True


def arguments(owner: Any, name: str) -> dict[str, inspect.Parameter] | None:
    found = getattr(owner, name, None)
    if inspect.ismodule(owner) and hasattr(owner.Run, name) and not inspect.isfunction(found):
        found = getattr(owner.Run, name)  # what the module has of the active run
    if not callable(found) or inspect.isclass(found):
        return None
    try:
        return dict(inspect.signature(found).parameters)
    except (TypeError, ValueError):
        return None


def refused_arguments(theirs: Any, ours: Any, name: str) -> list[str]:
    """Returns the arguments of W&B's that mlvc's does not take."""
    wanted, taken = arguments(theirs, name), arguments(ours, name)
    if wanted is None or taken is None or any(p.kind is p.VAR_KEYWORD for p in taken.values()):
        return []
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [n for n, p in wanted.items() if n not in taken and n != "self" and p.kind not in kinds and n not in ("args", "kwargs")]


def rows(title: str, theirs: Any, ours: Any) -> list[tuple[str, str, str]]:
    """Returns (name, kind, note) of each public name; AssertionError when a note is missing, wrong, or of no use."""
    notes = NOTES.get(title, {})
    names = public_names(theirs)
    stale = sorted(set(notes) - set(names))
    assert not stale, f"{title}: notes about names that wandb does not have: {stale}"
    found = []
    for name in names:
        kind, text = notes.get(name, ("same", ""))
        there = has(ours, name)
        assert there or kind == "missing", f"{title}.{name} is not there, and no note says so"
        assert not there or kind != "missing", f"{title}.{name} is there, and a note says that it is missing"
        if kind == "same":
            lacking = refused_arguments(theirs, ours, name)
            assert not lacking, f"{title}.{name} does not take {lacking}, and no note says so"
        found.append((name, kind, text))
    return found


def tables() -> str:
    import wandb

    lines = [f"Names of wandb {wandb.__version__}.", ""]
    for title, (theirs, ours) in compared().items():
        lines += [f"### {title}", "", "| name | mlvc | |", "|---|---|---|"]
        lines += [f"| `{name}` | {SHOWN[kind]} | {text} |" for name, kind, text in rows(title, theirs, ours)]
        lines.append("")
    return "\n".join(lines)


def with_tables(document: str) -> str:
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{tables()}\n{END}{after}"


if __name__ == "__main__":
    DOCUMENT.write_text(with_tables(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
