"""fsck of a workspace: its repository, the files of runs under way, and what its remotes lost; and what can be healed of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from mlvc.errors import ConflictError, DamageError, RemoteError, UsageError
from mlvc.maintenance import checking, healing
from mlvc.maintenance.checking import Report
from mlvc.objects.store import Wanted
from mlvc.progress import Progress
from mlvc.repository.repository import Repository
from mlvc.runs import event_log, live_run
from mlvc.sync import fetching, mending
from mlvc.sync.mending import Lost
from mlvc.sync.remote import Remote
from mlvc.workspace import pinning, remotes
from mlvc.workspace.workspace import Workspace


def fsck(workspace: Workspace, *, repair: bool) -> Report:
    """Proves everything that holds truth; with `repair`, heals what a remote or another copy can heal, and what a remote lost.

    A remote that cannot be reached is noted; what is here is proven without it.

    Returns:
        What is wrong now (after a repair: still), and what was repaired.
    """
    repository, progress = workspace.repository, workspace.progress
    reached, notes = _reachable(workspace)
    sources = [_RemoteSource(repository, remote, progress) for remote in reached]
    try:
        kept = list(pinning.kept_versions(workspace))
        report = checking.check(repository, sources, kept, progress, more=_reads_of_runs(workspace))
        if repair and not report.is_clean:
            healing.repair(repository, sources, report, kept)
            again = checking.check(repository, sources, kept, progress, more=_reads_of_runs(workspace))
            again.repaired = report.repaired
            report = again
        if report.is_clean:
            for remote in reached:
                _check_remote(repository, remote, report, repair=repair, progress=progress)
        report.notes.extend(notes)
        return report
    finally:
        for remote in reached:
            remote.close()


def _reachable(workspace: Workspace) -> tuple[list[Remote], list[str]]:
    """Returns the remotes that hold a store, the upstream first, and a sentence for each that cannot be asked."""
    found, notes = [], []
    for name in sorted(workspace.settings.remotes, key=lambda name: name != workspace.settings.upstream):
        try:
            remote = remotes.open_remote(workspace, name)
            if remote.record() is not None:
                found.append(remote)
        except (RemoteError, UsageError, DamageError) as error:
            notes.append(f"the remote '{name}' was not asked: {error.message}")
    return found, notes


def _check_remote(repository: Repository, remote: Remote, report: Report, *, repair: bool, progress: Progress) -> None:
    """Adds to a report what a remote lost; with `repair`, brings it back."""
    try:
        lost = mending.find_lost(repository, remote)
        if repair and lost != Lost():
            mending.mend(repository, remote, lost, progress)
            report.repaired.append(f"'{remote.name}': {_told(lost)} sent again")
        elif lost != Lost():
            report.damage.append(f"the remote '{remote.name}' has lost {_told(lost)} that are here")
    except (RemoteError, ConflictError) as error:
        report.notes.append(f"the remote '{remote.name}' could not be checked: {error.message}")


def _told(lost: Lost) -> str:
    parts = [f"{len(lost.entries):,} journal entries"] if lost.entries else []
    return " and ".join([*parts, *([f"{len(lost.pieces):,} pieces"] if lost.pieces else [])])


class _RemoteSource:
    """A remote as the check and the repair see it."""

    def __init__(self, repository: Repository, remote: Remote, progress: Progress) -> None:
        self.name = remote.name
        self._repository = repository
        self._remote = remote
        self._progress = progress
        self._is_listed = False

    def holds(self, wanted: list[Wanted]) -> set[Wanted]:
        if not self._is_listed:
            self._remote.index.refresh(force=True)
            self._is_listed = True
        return {item for item in wanted if self._remote.index.find(*item)}

    def bring(self, wanted: list[Wanted]) -> None:
        with self._repository.locks.committing():
            fetching.fetch(self._repository.objects, self._remote, wanted, self._progress)

    def entry(self, journal: bytes, number: int) -> bytes | None:
        theirs = self._remote.journal()
        return theirs.read_bytes(number) if theirs is not None and theirs.id == journal else None


def _reads_of_runs(workspace: Workspace) -> Iterator[Callable[[], object]]:
    """Yields reads of the files of runs under way, which hold truth that no journal has yet."""
    for live in live_run.list_live(workspace.runs_folder):
        yield live.beginning
        for path in live.log_paths():
            yield partial(_read_log, path)


def _read_log(path: Path) -> None:
    for _ in event_log.read(path):
        continue
