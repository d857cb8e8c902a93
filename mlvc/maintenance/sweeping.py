"""gc on a shared store: mark at entry n, create entry n + 1 that names the packs to drop, delete them. Anyone may finish.

From the sweep's entry on, the packs it names do not exist: whoever pushes afterwards sees it, as it must append behind it, and sends
again what they held. So nothing that is alive after the sweep leans on them, whatever was under way meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Protocol

from msgspec import Struct

from mlvc import atomic_file
from mlvc.backend.interface import Backend
from mlvc.errors import ConflictError, DamageError
from mlvc.format import journal_entry, transaction
from mlvc.format.ids import VersionId
from mlvc.format.journal_entry import SWEEP, Control
from mlvc.format.pack import PackName
from mlvc.format.transaction import Need
from mlvc.journal.entries import Journal
from mlvc.journal.pending import PendingFolder
from mlvc.maintenance import fresh_view, liveness
from mlvc.maintenance.collecting import GcPlan, parted
from mlvc.objects.pack_index import PackIndexCache
from mlvc.objects.store import Wanted
from mlvc.repository import append
from mlvc.repository.append import MovedOnError, Tail
from mlvc.repository.repository import Repository

_MOST_TRIES = 30
_MOST_DROPS = 100_000
"""Packs in one sweep: 17 bytes each keep the entry far below its limit."""
_MOST_GONE = 60_000


class SharedStore(Protocol):
    """The store that is swept, as its clone sees it."""

    backend: Backend

    @property
    def index(self) -> PackIndexCache:
        """Which of its packs hold what."""
        ...


class _Marked(Struct, frozen=True):
    plan: GcPlan
    gone: tuple[bytes, ...]


def plan(repository: Repository, shared: SharedStore, store: bytes, kept: Iterable[VersionId], grace_s: float) -> GcPlan:
    """Returns what a sweep would drop; changes nothing. The repository has pulled. Errors as `sweep`."""
    return _mark(repository, shared, store, kept, grace_s).plan


def sweep(
    repository: Repository,
    shared: SharedStore,
    store: bytes,
    kept: Callable[[], Iterable[VersionId]],
    grace_s: float,
    pull: Callable[[], object],
) -> GcPlan:
    """Drops from the authority's store the packs in which nothing is needed any more.

    Safe beside pushes, other sweeps, and when cut off at any point: what was decided and not finished, the next one finishes.

    Args:
        repository: a clone, whose journal says what is needed.
        shared: the store.
        store: its id.
        kept: returns versions that are needed here, dead or alive.
        grace_s: how long what was deleted or undone, or uploaded and not yet named, is spared, by the store's clock, in seconds.
        pull: brings the journal here up to date.

    Returns:
        What was dropped now.

    Raises:
        ConflictError: others append all the time.
        DamageError: what is needed cannot be told; nothing was dropped.
    """
    for _ in range(_MOST_TRIES):
        pull()
        _finish(repository, shared, store)
        standing = repository.refresh()
        if standing.journal is None or standing.authority is None or standing.authority[0] != store:
            raise ConflictError("another store takes new entries by now; nothing was deleted")
        marked = _mark(repository, shared, store, kept(), grace_s)
        if not marked.plan.packs:
            return marked.plan
        act = Control(SWEEP, store, drops=tuple(name for name, _ in marked.plan.packs), gone=marked.gone)
        journal = Journal(shared.backend, standing.journal)
        try:
            append.append_control(journal, Tail(standing.number, standing.hash), act)
        except MovedOnError:
            continue  # somebody pushed, or swept: what they brought may need what was marked
        pull()
        _finish(repository, shared, store)
        return marked.plan
    raise ConflictError("others append to the journal all the time; nothing was deleted", hint="run this again later")


def _finish(repository: Repository, shared: SharedStore, store: bytes) -> None:
    """Deletes what any sweep named and is still there."""
    swept = repository.view().swept(store)
    if not swept:
        return
    shared.index.leave_out(swept)
    there = {name for key, _ in shared.backend.keys("packs/") if (name := PackName.from_key(key))}
    for name in sorted(swept & there, key=lambda name: name.key):
        shared.backend.delete(name.key)


def _mark(
    repository: Repository, shared: SharedStore, store: bytes, kept: Iterable[VersionId], grace_s: float
) -> _Marked:
    index = shared.index
    index.refresh()
    swept = repository.view().swept(store)
    index.leave_out(swept)
    since = _clock_s(shared.backend) - grace_s
    first_young = _first_after(repository, shared.backend, since)

    def written_s(journal: Journal, number: int) -> float:
        is_young = journal.id in first_young and number >= first_young[journal.id]
        return float("inf") if is_young else float("-inf")

    fresh = fresh_view.fold_anew(repository, written_s)
    needs = [*liveness.live_needs(fresh, kept=kept, dead_since_s=since), *_carried(shared.backend)]
    direct, broken = liveness.wanted_for_itself(repository.objects, needs)
    if damaged := liveness.damaged(fresh.view, broken):
        raise DamageError(
            f"{len(damaged)} manifests or recipes of living versions cannot be read, so nothing may be dropped",
            hint="'mlvc fsck --repair' heals them",
        )
    wanted = index.with_bases(direct)
    drop, keep, dead = parted(index, shared.backend, wanted, lambda name: _is_older(shared.backend, name, since))
    del drop[_MOST_DROPS:]
    gone = _gone(repository, index, fresh, set(needs), {name for name, _ in drop}) if drop else ()
    return _Marked(GcPlan(tuple(drop), keep, dead, ()), gone)


def _clock_s(backend: Backend) -> float:
    """Returns the time by the clock that stamps what is written to a store."""
    key = f"{atomic_file.TEMPORARY_PREFIX}clock-{os.urandom(8).hex()}"
    backend.write(key, [b"."])
    now = backend.modified_s(key)
    backend.delete(key)
    if now is None:
        raise ConflictError(f"{backend.url} does not say when something was written", hint="run this again")
    return now


def _is_older(backend: Backend, name: PackName, since_s: float) -> bool:
    modified = backend.modified_s(name.key)
    return modified is not None and modified <= since_s


def _first_after(repository: Repository, backend: Backend, since_s: float) -> dict[bytes, int]:
    """Returns, for each journal that counts, the first entry that the store wrote after a time: entries come in order."""
    journal = repository.journal()
    found: dict[bytes, int] = {}
    ends = [] if journal is None else [*journal.lineage(), (journal, journal.highest())]
    for one, end in ends:
        low, high = 1, end + 1
        while low < high:
            middle = (low + high) // 2
            modified = backend.modified_s(journal_entry.key(one.id, middle))
            if modified is None or modified > since_s:  # one that is not there counts as young: nothing of it may go
                high = middle
            else:
                low = middle + 1
        found[one.id] = low
    return found


def _carried(backend: Backend) -> list[Need]:
    """Returns what the transactions in a store's inbox need."""
    return [need for envelope in PendingFolder(backend).in_order() for need in transaction.decode(envelope.data).needs]


def _gone(
    repository: Repository, index: PackIndexCache, fresh: fresh_view.FreshView, needs: set[Need], drop: set[PackName]
) -> tuple[bytes, ...]:
    """Returns the manifests that are dead and of which some piece lies only in packs that go."""
    dropped = {(slot.id, slot.code) for name in drop for slot in index.slots(name)}
    staying = {
        item for item in dropped if any(place.pack not in drop for place in index.find(*item))
    }
    lost: set[Wanted] = dropped - staying
    dead = {need for told in fresh.told for need in told.transaction.needs if need.kind == "artifact"} - needs
    found = []
    with repository.objects.local_only():
        for need in dead:
            pieces, _ = liveness.wanted_for_itself(repository.objects, [need])
            if not lost.isdisjoint(pieces):
                found.append(need.id)
    return tuple(sorted(found)[:_MOST_GONE])
