"""Bringing data when it is wanted: a read of what no local pack holds asks the remotes, the upstream first."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

from mlvc.errors import RemoteError
from mlvc.objects.store import Wanted
from mlvc.workspace.workspace import Workspace

if TYPE_CHECKING:
    from mlvc.sync.remote import Remote


def attach(workspace: Workspace) -> None:
    """Makes reads of what is not here ask the remotes; none is opened, nor the code for it loaded, before that."""
    workspace.repository.objects.fetch = _LazyFetch(workspace).fetch


class _LazyFetch:
    """Remotes opened when something is first wanted of them."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._opened: dict[str, Remote] = {}
        self._lock = threading.Lock()

    def fetch(self, wanted: list[Wanted]) -> None:
        """Brings what it can find into local packs.

        Raises:
            RemoteError: a remote cannot be reached, and no other has all of it.
        """
        from mlvc.sync import fetching

        repository = self._workspace.repository
        problems: list[RemoteError] = []
        with self._lock:  # several threads read at once; what one brings, another need not
            missing = repository.objects.missing(wanted)
            for remote in self._remotes():
                if not missing:
                    return
                try:
                    with repository.locks.committing():  # gc must not take the pack being written for a crash's leftover
                        fetching.fetch(repository.objects, remote, missing, self._workspace.progress)
                except RemoteError as error:
                    problems.append(error)
                missing = repository.objects.missing(missing)
        if missing and problems:
            raise problems[0]

    def _remotes(self) -> Iterable[Remote]:
        from mlvc.workspace.remotes import remote_at

        settings = self._workspace.settings
        for name in sorted(settings.remotes, key=lambda name: name != settings.upstream):
            url = settings.remotes[name]
            if url not in self._opened:
                self._opened[url] = remote_at(self._workspace, name, url)
            yield self._opened[url]
