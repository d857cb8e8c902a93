"""gc on one host: drops local packs in which nothing is needed any more, and what crashes left behind."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from msgspec import Struct

from mlvc import atomic_file
from mlvc.backend.interface import Backend
from mlvc.derived_database import on_network_file_system
from mlvc.errors import DamageError, UnsupportedError
from mlvc.format.ids import VersionId
from mlvc.format.pack import PackName
from mlvc.maintenance import fresh_view, liveness
from mlvc.objects.pack_index import PackIndexCache
from mlvc.objects.store import Wanted
from mlvc.repository.repository import Repository

DEFAULT_GRACE_S = 14 * 24 * 3600


class GcPlan(Struct, frozen=True):
    """What gc would do.

    Attributes:
        packs: to drop, with their sizes in bytes.
        kept_packs: how many stay.
        dead_bytes: stored bytes of dead content in packs that stay because something else in them is alive.
        leftovers: temporary files of crashed writers.
    """

    packs: tuple[tuple[PackName, int], ...]
    kept_packs: int
    dead_bytes: int
    leftovers: tuple[str, ...]

    @property
    def freed_bytes(self) -> int:
        """What dropping the packs frees."""
        return sum(size for _, size in self.packs)


def plan(repository: Repository, kept: Iterable[VersionId], grace_s: float) -> GcPlan:
    """Decides what may go. Reads only; from the journal itself, not from the cached view.

    Args:
        repository: the store.
        kept: versions that pins of any worktree, or runs under way, need.
        grace_s: how long what was deleted or undone can still be brought back, in seconds.

    Raises:
        DamageError: the journal or a manifest is damaged: then nothing may be dropped.
    """
    repository.objects.index.refresh()
    fresh = fresh_view.fold_anew(repository)
    since = store_clock_s(repository) - grace_s
    needs = liveness.live_needs(fresh, kept=kept, dead_since_s=since)
    with repository.objects.local_only():
        wanted, broken = liveness.wanted(repository.objects, needs)
    if damaged := liveness.damaged(fresh.view, broken):
        raise DamageError(
            f"{len(damaged)} manifests or recipes of living versions cannot be read, so nothing may be dropped",
            hint="'mlvc fsck --repair' heals them from a remote",
        )
    drop, keep, dead = parted(repository.objects.index, repository.backend, wanted)
    return GcPlan(tuple(drop), keep, dead, tuple(_leftovers(repository)))


def parted(
    index: PackIndexCache, backend: Backend, wanted: set[Wanted], may_go: Callable[[PackName], bool] = lambda _: True
) -> tuple[list[tuple[PackName, int]], int, int]:
    """Parts a store's packs into those of which nothing is wanted, and the others.

    Args:
        index, backend: of the store.
        wanted: pieces that must stay decodable, bases included.
        may_go: whether a pack of which nothing is wanted may be dropped.

    Returns:
        (pack, size in bytes) of those to drop; how many stay; the stored bytes of dead content in these.
    """
    drop, keep, dead = [], 0, 0
    for name in index.packs():
        slots = list(index.slots(name))
        live = [slot for slot in slots if (slot.id, slot.code) in wanted]
        if live or not may_go(name):
            keep += 1
            dead += sum(s.stored_size for s in slots) - sum(s.stored_size for s in live)
        else:
            drop.append((name, backend.size(name.key) or 0))
    return drop, keep, dead


def collect(
    repository: Repository, kept: Callable[[], Iterable[VersionId]], grace_s: float = DEFAULT_GRACE_S
) -> GcPlan:
    """Marks again under the exclusive lock, and deletes: the index' rows first, then the packs.

    Returns:
        What was done.

    Raises:
        ConflictError: commits are under way; nothing was deleted.
        UnsupportedError: the store is on a network file system, whose locks this version does not trust to delete.
    """
    if on_network_file_system(repository.path):
        raise UnsupportedError(
            f"{repository.path} is on a network file system, where this version deletes nothing",
            hint="other hosts may be committing to it unseen",
        )
    with repository.locks.deleting():
        decided = plan(repository, kept(), grace_s)
        repository.objects.index.remove(name for name, _ in decided.packs)
        for name, _ in decided.packs:
            repository.backend.delete(name.key)
        for path in decided.leftovers:
            atomic_file.remove(path)
        return decided


def store_clock_s(repository: Repository) -> float:
    """Returns the time by the clock that stamps the store's files."""
    with atomic_file.StagedFile(repository.path) as probe:
        probe.write(b".")
        return max(os.stat(path).st_mtime for path in _temporary_files(str(repository.path)))


def _temporary_files(folder: str) -> list[str]:
    with os.scandir(folder) as found:
        return [item.path for item in found if item.name.startswith(atomic_file.TEMPORARY_PREFIX)]


def _leftovers(repository: Repository) -> list[str]:
    found = []
    for folder, _, _ in os.walk(repository.path):
        if os.sep + "runs" not in folder.removeprefix(str(repository.path)):
            found.extend(_temporary_files(folder))
    return sorted(found)
