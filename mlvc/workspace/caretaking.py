"""Looking after a workspace's repository: gc, which spares what pins and runs need, and fsck."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mlvc.backend.local import LocalBackend
from mlvc.errors import DamageError, NotFoundError, UnsupportedError, UsageError
from mlvc.format.ids import FileDigest
from mlvc.format.manifest import FileEntry
from mlvc.maintenance import collecting, repacking, sweeping
from mlvc.maintenance.collecting import GcPlan
from mlvc.maintenance.repacking import RepackPlan
from mlvc.objects.store import Wanted
from mlvc.repository import store_record
from mlvc.sync import pulling
from mlvc.sync.remote import leads
from mlvc.workspace import contents, exchanging, locating, pinning, remotes
from mlvc.workspace.workspace import Workspace


def gc(workspace: Workspace, *, grace_s: float, dry_run: bool) -> GcPlan:
    """Drops the packs in which nothing is needed any more.

    Args:
        workspace: whose store is cleared; pins of all its worktrees keep their versions.
        grace_s: how long what was deleted or undone can still be brought back, in seconds.
        dry_run: only say what would go.

    Raises:
        ConflictError: commits are under way; nothing was deleted.
        DamageError: what is needed cannot be told; nothing was deleted.
    """
    if dry_run:
        return collecting.plan(workspace.repository, pinning.kept_versions(workspace), grace_s)
    return collecting.collect(workspace.repository, lambda: pinning.kept_versions(workspace), grace_s)


def gc_remote(workspace: Workspace, name: str, *, grace_s: float, dry_run: bool) -> GcPlan:
    """Drops from a remote, which leads the history, the packs in which nothing is needed any more.

    Args:
        workspace: a clone; it pulls first.
        name: of the remote.
        grace_s: how long what was deleted or undone, or uploaded and not yet pushed, is spared, by the remote's clock, in seconds.
        dry_run: only say what would go.

    Raises:
        UnsupportedError: the remote is a carrier.
        ConflictError: commits are under way in its folder, or others push all the time; nothing was deleted.
        DamageError: what is needed cannot be told; nothing was deleted.
    """
    repository = workspace.repository
    with remotes.opened(workspace, name) as remote:
        pulling.pull(repository, remote)
        record, authority = remote.require_record(), repository.refresh().authority
        if not leads(repository, remote):
            where = (authority[1] if authority is not None else "") or "another repository"
            raise UnsupportedError(
                f"the remote '{name}' is a carrier: what may go is decided by the store that takes new entries",
                hint=f"that is {where}; a carrier's folder or bucket may be emptied, and pushed to again",
            )
        if dry_run:
            return sweeping.plan(repository, remote, record.id, pinning.kept_versions(workspace), grace_s)
        with remote.deleting():
            return sweeping.sweep(
                repository, remote, record.id, lambda: pinning.kept_versions(workspace), grace_s, lambda: pulling.pull(repository, remote)
            )


def drop_copies(workspace: Workspace, *, dry_run: bool) -> int:
    """Drops the raw copies that no pin of a worktree speaks of; returns their bytes, as if they shared no blocks."""
    view = workspace.repository.view()
    pinned: set[FileDigest] = set()
    for version in pinning.kept_versions(workspace):
        try:
            pinned.update(e.digest for e in contents.of(workspace, view, version).manifest if isinstance(e, FileEntry))
        except (DamageError, NotFoundError):
            continue  # what cannot be read pins no copy; the copies are made again
    going = workspace.copies.others(pinned)
    if not dry_run:
        for path, _ in going:
            path.unlink(missing_ok=True)
    return sum(size for _, size in going)


def repack(workspace: Workspace, *, grace_s: float, dry_run: bool) -> RepackPlan:
    """Merges packs that are mostly dead, and small ones.

    Args:
        workspace: whose store is tidied.
        grace_s: how long what was deleted or undone can still be brought back, in seconds.
        dry_run: only say what would be done.

    Raises:
        ConflictError: commits are under way; nothing was deleted.
    """
    if dry_run:
        return repacking.plan_repack(workspace.repository, pinning.kept_versions(workspace), grace_s)
    return repacking.repack(workspace.repository, lambda: pinning.kept_versions(workspace), grace_s)


def prune(workspace: Workspace, *, dry_run: bool) -> RepackPlan:
    """Frees local data that the upstream holds and nothing here needs; it is fetched again when wanted.

    Raises:
        UsageError: there is no upstream, or others fetch from this store.
        ConflictError: commits are under way; nothing was deleted.
    """
    repository = workspace.repository
    if workspace.settings.upstream is None:
        raise UsageError("there is no upstream to fetch from again", hint="'mlvc remote add origin FOLDER', then 'mlvc push'")
    if repository.is_authority(repository.refresh()):
        raise UsageError("the history here is not at the upstream yet, so others fetch from this store", hint="'mlvc push' first")
    upstream = exchanging.open_remote(workspace)
    try:
        upstream.index.refresh(force=True)

        def held(wanted: list[Wanted]) -> set[Wanted]:
            by_code: dict[int, list[bytes]] = {}
            for identifier, code in wanted:
                by_code.setdefault(code, []).append(identifier)
            return {(i, code) for code, ids in by_code.items() for i in upstream.index.find_any(ids, code)}

        if dry_run:
            return repacking.plan_prune(repository, pinning.kept_versions(workspace), held)
        return repacking.prune(repository, lambda: pinning.kept_versions(workspace), held)
    finally:
        upstream.close()


def mend_store_record(start: Path, environment: Mapping[str, str]) -> bool:
    """Mends what a workspace cannot be opened without; returns whether there was something to mend."""
    location = locating.locate(start, environment)
    return location is not None and location.exists and store_record.mend(LocalBackend(location.store))
