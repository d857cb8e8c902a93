"""What every command starts from: the workspace that holds the current folder, and the command as it was typed."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import click

from mlvc.cli import progress_bar
from mlvc.runs.surroundings import masked
from mlvc.workspace.workspace import Workspace


def workspace() -> Workspace:
    """Opens the workspace of the current folder; closed when the command ends."""
    from mlvc.workspace import opening

    found = opening.find(Path.cwd(), os.environ, may_fork=False)
    found.progress = progress_bar.for_terminal()
    click.get_current_context().call_on_close(found.close)
    return found


def command_line() -> str:
    """Returns the command as it was typed, for the operation log; secrets masked."""
    return shlex.join(["mlvc", *masked(sys.argv[1:])])[:1000]


def key_values(_: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, object]:
    """Parses repeated `key=value` options; a value that is JSON counts as such, other text as text."""
    import json

    found: dict[str, object] = {}
    for item in given:
        name, equals, text = item.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"expected KEY=VALUE, found '{item}'", param=parameter)
        try:
            found[name] = json.loads(text)
        except ValueError:
            found[name] = text
    return found
