"""Bringing data when it is wanted: a read of what no local pack holds asks the remotes, the upstream first."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from mlvc.errors import RemoteError
from mlvc.objects.store import Wanted
from mlvc.workspace.workspace import Workspace

if TYPE_CHECKING:
    from mlvc.sync.remote import Remote


def attach(workspace: Workspace, *, may_fork: bool = True) -> None:
    """Makes reads of what is not here ask the remotes; none is opened, nor the code for it loaded, before that.

    Args:
        workspace: whose reads.
        may_fork: whether this process may fork later; then buckets are read by a process of their own.
    """
    workspace.repository.objects.fetch = _LazyFetch(workspace, may_fork=may_fork).fetch


class _LazyFetch:
    """Remotes opened when something is first wanted of them."""

    def __init__(self, workspace: Workspace, *, may_fork: bool) -> None:
        self._workspace = workspace
        self._may_fork = may_fork
        self._opened: dict[str, Remote] = {}
        self._lock = threading.Lock()

    def fetch(self, wanted: list[Wanted]) -> None:
        """Brings what it can find into local packs.

        Raises:
            RemoteError: a remote cannot be reached, and no other has all of it.
        """
        repository = self._workspace.repository
        problems: list[RemoteError] = []
        with self._lock:  # several threads read at once; what one brings, another need not
            missing = repository.objects.missing(wanted)
            for name in self._names():
                if not missing:
                    return
                try:
                    self._fetch_from(name, missing)
                except RemoteError as error:
                    problems.append(error)
                missing = repository.objects.missing(missing)
        if missing and problems:
            raise problems[0]

    def _names(self) -> list[str]:
        settings = self._workspace.settings
        return sorted(settings.remotes, key=lambda name: name != settings.upstream)

    def _fetch_from(self, name: str, missing: list[Wanted]) -> None:
        from mlvc.sync import fetching
        from mlvc.workspace import fetching_apart, places
        from mlvc.workspace.remotes import remote_at

        settings = self._workspace.settings.remotes[name]
        if self._may_fork and places.is_bucket(settings.url):
            fetching_apart.fetch(self._workspace, name, missing)
            return
        if name not in self._opened:
            self._opened[name] = remote_at(self._workspace, name, settings)
        repository = self._workspace.repository
        with repository.locks.committing():  # gc must not take the pack being written for a crash's leftover
            fetching.fetch(repository.objects, self._opened[name], missing, self._workspace.progress)
