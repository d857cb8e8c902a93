"""Opens the workspace that a command or a script works in, ready for use: lazy fetching attached, inbox taken in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mlvc.errors import DamageError
from mlvc.workspace import lazy_fetch
from mlvc.workspace.workspace import Workspace


def find(start: Path, environment: Mapping[str, str] | None = None, *, may_fork: bool = True) -> Workspace:
    """Opens the workspace that holds a folder; what others left in its inbox is appended, where it is the authority.

    Args:
        start: the folder.
        environment: the variables of this process, or of a test.
        may_fork: see `lazy_fetch.attach`; the command line says no.

    Raises:
        NotFoundError: there is no workspace.
    """
    workspace = Workspace.find(start, environment)
    lazy_fetch.attach(workspace, may_fork=may_fork)
    try:
        workspace.repository.take_in_inbox()
    except DamageError:
        # Everything that asks the view raises the same again, with its hint. Only opening must succeed, or
        # 'mlvc fsck --repair' could not heal a damaged entry or pending transaction.
        return workspace
    return workspace
