"""Parameter types that complete themselves in a shell."""

from __future__ import annotations

import os
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from mlvc.errors import Error


class ReferenceParameter(click.types.StringParamType):
    """A version, collection or run, as typed; completes names, then versions and aliases after ':' or '@'."""

    name = "REF"

    def __init__(self, *, runs: bool = False, versions: bool = True) -> None:
        self._runs = runs
        self._versions = versions

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Returns what the incomplete word may become; nothing outside a repository."""
        try:
            return [CompletionItem(text) for text in self._candidates(incomplete) if text.startswith(incomplete)]
        except Error:
            return []  # a completion must never print; the command itself will say what is wrong

    def _candidates(self, incomplete: str) -> list[str]:
        from mlvc.format import names
        from mlvc.workspace import resolving
        from mlvc.workspace.workspace import Workspace

        workspace = Workspace.find(Path.cwd(), os.environ)
        with workspace.repository.reading() as view:
            head = incomplete.replace("@", ":").partition(":")[0]
            if self._versions and (":" in incomplete or "@" in incomplete):
                collection = resolving.collection_name(workspace, view, head)
                if "@" in incomplete:
                    return [f"{head}@{m.version.hex()[:8]}" for m in view.members(collection)]
                labels = [m.label.rstrip("~") for m in view.members(collection)]
                return [f"{head}:{label}" for label in (*view.aliases(collection), *labels)]
            found = [names.display_collection(c.name, workspace.project) for c in view.collections()]
            if self._runs:
                found += [f"run/{r.label}" for r in view.runs(workspace.project)]
                found += [f"run/{workspace.value(r.facts['name'])}" for r in view.runs(workspace.project) if "name" in r.facts]
            return found


REFERENCE = ReferenceParameter()
RUN = ReferenceParameter(runs=True, versions=False)
ANYTHING = ReferenceParameter(runs=True)
COLLECTION = ReferenceParameter(versions=False)
PATH = click.Path(path_type=Path)
