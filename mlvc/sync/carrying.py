"""Carriers: stores that are not the authority, as a second bucket, a USB stick or somebody's clone.

A carrier holds a copied prefix of the journal, and an inbox of pending transactions with all that they need. Whoever pulls from it
and reaches the authority next has them appended there. Everything is named by its content, so that no write need be conditional.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec import Struct

from mlvc.errors import ConflictError, DamageError
from mlvc.format import bundle, journal_entry, transaction
from mlvc.format.ids import TransactionId
from mlvc.format.record import Kind
from mlvc.format.transaction import Envelope, Need
from mlvc.journal.entries import Journal
from mlvc.journal.pending import PendingFolder
from mlvc.objects import closure
from mlvc.objects.store import ObjectStore, Wanted
from mlvc.parallel import map_in_order
from mlvc.progress import SILENT, Progress
from mlvc.repository.repository import Repository
from mlvc.sync import bundling, fetching, locating, sending
from mlvc.sync.remote import Remote

_MOST_CARRIED = 100_000
"""Items of an inbox that are believed; a store that lists more is not one of ours."""

_WRITERS = 16


class Left(Struct, frozen=True):
    """What was left with a carrier.

    Attributes:
        left: pending transactions that lie in its inbox now.
        packs, size_bytes: sent.
        lacking: artifacts and files of the history that it has no data of, because it is not here.
        waiting: pending transactions that stay here until what they need is within reach.
    """

    left: int
    packs: int
    size_bytes: int
    lacking: int
    waiting: int


def leave(repository: Repository, remote: Remote, history: list[Envelope], progress: Progress = SILENT) -> Left:
    """Copies to a carrier what is here: the history with the data there is, and pending transactions with all their data.

    Safe to cut off and repeat. The caller holds the locks of both sides, and has pulled.

    Raises:
        ConflictError: the carrier holds another history.
    """
    pending = repository.pending.in_order()
    ready, wanted, waiting = sending.gather(repository, remote, pending)
    ours, lacking = sending.here_of(repository, remote, history)
    sent = sending.send(repository, remote, sending.together([*wanted, ours]), progress)
    inbox = PendingFolder(remote.backend)
    there = inbox.ids()
    with remote.backend.together():
        copy_history(repository, remote)
        for envelope in ready:  # in order: nobody finds one without those that it comes after
            if envelope.id not in there:
                inbox.add(envelope)
        for identifier in there:
            if repository.cached_view.entry_of(identifier) is not None:  # the entries that hold it are there by now
                inbox.remove(identifier)
    return Left(len(ready), sent.packs, sent.size_bytes, lacking, waiting)


def copy_history(repository: Repository, remote: Remote) -> None:
    """Copies the entries that are here and not yet at a remote, of all journals that count, the oldest first.

    Raises:
        ConflictError: the journal there went another way.
    """
    journal = repository.journal()
    if journal is None:
        return
    end = journal.highest()
    with remote.backend.together():
        for above, last in journal.lineage():
            _copy_entries(Journal(remote.backend, above.id), above, last)
        copied = _copy_entries(Journal(remote.backend, journal.id), journal, end)
        if copied >= bundle.WIDTH and remote.wants_caches:
            ranges = list(bundle.cover(1, end))
            bundling.write(repository, remote, journal.id, ranges)
            locating.write_all(remote.backend, remote.index, journal, ranges)


def _copy_entries(theirs: Journal, ours: Journal, end: int) -> int:
    there = theirs.numbers()
    both = min(end, max(there, default=0))
    if both in there and theirs.read_bytes(both) != ours.read_bytes(both):
        raise went_another_way(theirs.backend.url, both)
    lacking = [number for number in range(1, end + 1) if number not in there]

    def copy(number: int) -> None:
        data = ours.read_bytes(number)
        if data is None:
            raise DamageError(f"the journal entry {number} is missing", hint="'mlvc fsck --repair' takes it from a remote")
        if not theirs.backend.create(journal_entry.key(theirs.id, number), data) and theirs.read_bytes(number) != data:
            raise went_another_way(theirs.backend.url, number)

    first, between, last = lacking[:1], lacking[1:-1], lacking[1:][-1:]
    for number in first:  # alone: a journal without it is none
        copy(number)
    for _ in map_in_order(copy, between, workers=_WRITERS):
        continue
    for number in last:  # alone: it may be the handover, which says that the rest is there
        copy(number)
    return len(lacking)


def went_another_way(where: str, number: int) -> ConflictError:
    """Returns the error of a journal that differs from the one here at an entry that both have."""
    return ConflictError(
        f"the history of {where} went another way at entry {number} than the one here",
        hint="one of the two is a copy that both were committed to, or was rewritten; nothing was taken over",
    )


def take_inbox(repository: Repository, remote: Remote, progress: Progress = SILENT) -> int:
    """Makes pending here what lies in a carrier's inbox, with all the data that it needs, which may have to go on from here.

    The caller holds the `committing` lock.

    Returns:
        How many transactions came.

    Raises:
        DamageError: an item is damaged, or there are more than anyone leaves.
    """
    inbox = PendingFolder(remote.backend)
    known = repository.pending.ids()
    fresh = [i for i in inbox.ids() if i not in known and repository.cached_view.entry_of(i) is None]
    if len(fresh) > _MOST_CARRIED:
        raise DamageError(f"the inbox of the remote '{remote.name}' lists {len(fresh):,} transactions, more than {_MOST_CARRIED:,}")
    if not fresh:
        return 0
    return take(repository, remote, [e for e in map_in_order(inbox.read, sorted(fresh), workers=_WRITERS) if e is not None], progress)


def take(repository: Repository, remote: Remote, envelopes: list[Envelope], progress: Progress = SILENT) -> int:
    """Makes transactions pending here that a remote has, with all their data; those that it has not all of stay there.

    The caller holds the `committing` lock.

    Returns:
        How many came.
    """
    needs = sending.Needs(repository, envelopes)
    incomplete = set(_bring(repository, remote, list(needs), progress))
    with repository.locks.appending():  # nobody appends any of it before it is known to be whole
        for envelope in envelopes:
            repository.pending.add(envelope)
        refused = _refused(repository, envelopes, needs, incomplete) if incomplete else set()
        for identifier in refused:
            repository.pending.remove(identifier)
        repository.refresh()
    return len(envelopes) - len(refused)


def bring_records(repository: Repository, remote: Remote, envelopes: list[Envelope], progress: Progress = SILENT) -> None:
    """Brings the records of transactions that are here by now, and did not come with them, unless nothing alive needs them."""
    needs = sending.Needs(repository, envelopes)
    by_id = {(need.id, _TOP[need.kind]): need for need in needs if need.kind in _TOP}
    by_id |= {(need.recipes, Kind.RECIPE_INDEX.code): need for need in needs if need.kind == "artifact" and need.recipes}
    lacking = [by_id[item] for item in repository.objects.missing(by_id)]
    alive = [need for need in dict.fromkeys(lacking) if not needs.may_be_gone(need)]
    if alive:
        _bring(repository, remote, alive, progress, closure.names)


_TOP = {"artifact": Kind.MANIFEST_INDEX.code, "value": Kind.VALUE.code}


def _bring(
    repository: Repository,
    remote: Remote,
    needs: list[Need],
    progress: Progress,
    walk: Callable[[ObjectStore, Need], Iterator[Wanted]] = closure.everything,
) -> list[Need]:
    """Brings what needs come down to here, as far as the remote has it; returns those that are not whole."""
    objects = repository.objects
    while True:
        wanted = {need: sending.as_far_as_here(objects, need, walk) for need in needs}
        missing = objects.missing(item for items in wanted.values() for item in items)
        if not missing or not fetching.fetch(objects, remote, missing, progress):
            lost = set(missing)
            return [need for need, items in wanted.items() if not lost.isdisjoint(items)]


def _refused(
    repository: Repository, envelopes: list[Envelope], needs: sending.Needs, incomplete: set[Need]
) -> set[TransactionId]:
    """Returns which of the transactions must stay where they are: those that lack data, and all that come after them."""
    refused: set[TransactionId] = set()
    repository.refresh()
    decoded = {envelope.id: transaction.decode(envelope.data) for envelope in envelopes}
    for envelope in repository.pending.in_order():
        made = decoded.get(envelope.id)
        if made is None:
            continue
        lacks = any(need in incomplete and not needs.may_be_gone(need) for need in made.needs)
        if lacks or not refused.isdisjoint(made.after):
            refused.add(envelope.id)
    return refused
