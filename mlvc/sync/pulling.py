"""Pull: copy the entries that are new, and the meta packs, then fold. Data comes when it is wanted."""

from __future__ import annotations

from msgspec import Struct

from mlvc.errors import ConflictError, RemoteError
from mlvc.format import bundle, journal_entry
from mlvc.format.journal_entry import Entry
from mlvc.format.pack import PackClass, PackName
from mlvc.format.transaction import Envelope
from mlvc.journal.entries import Journal
from mlvc.progress import SILENT, Progress
from mlvc.repository.append import Tail
from mlvc.repository.repository import Repository
from mlvc.sync import bundling, carrying, joining, renumbering
from mlvc.sync.joining import copy_meta
from mlvc.sync.remote import Remote, leads
from mlvc.sync.renumbering import Renumbered


class Pulled(Struct, frozen=True):
    """What a pull brought.

    Attributes:
        entries, transactions: of the journal.
        renumbered: versions that were pending and have other numbers now.
        carried: transactions from a carrier's inbox, which are pending here now.
    """

    entries: int
    transactions: int
    renumbered: tuple[Renumbered, ...]
    carried: int = 0


NOTHING = Pulled(0, 0, ())


def pull(repository: Repository, remote: Remote, progress: Progress = SILENT) -> Pulled:
    """Brings names, history, registry and run records from a remote. Safe to cut off at any point.

    Raises:
        RemoteError: there is no store, or nothing was ever pushed to it.
        ConflictError: the remote's history is another one, or went another way than what is here, or lost its end.
        DamageError: an entry at the remote is damaged.
    """
    journal = repository.journal()
    pulled = _pull(repository, remote, progress)
    after = repository.journal()
    if journal is None or after is None or journal.id == after.id:
        return pulled
    remote.forget_journal()  # what it led gave way to another, which may be there too
    more = _pull(repository, remote, progress)
    return Pulled(
        pulled.entries + more.entries,
        pulled.transactions + more.transactions,
        pulled.renumbered + more.renumbered,
        pulled.carried + more.carried,
    )


def _pull(repository: Repository, remote: Remote, progress: Progress) -> Pulled:
    known = repository.refresh().journal
    tail = Tail(0, journal_entry.NO_PREDECESSOR) if known is None else local_tail(repository, known)
    last = None
    remote.require_record()
    if known is not None and tail.number and leads(repository, remote):
        last = remote.entry_of(known, tail.number)  # who leads a journal ends it, before another is in force there
    theirs = remote.journal()
    if theirs is not None and theirs.id != known and joining.is_behind(repository, theirs):
        theirs = None  # its journal was joined to another, or taken over, and all of it is here
    if theirs is not None and theirs.id == known and tail.number and last is None:
        last = theirs.read_bytes(tail.number)
    is_current = theirs is None or (
        last is not None and journal_entry.entry_hash(last) == tail.hash and theirs.read_bytes(tail.number + 1) is None
    )
    if is_current and leads(repository, remote):
        return NOTHING
    before = renumbering.provisional(repository)
    count = transactions = carried = 0
    with repository.locks.committing():
        if theirs is not None and not is_current:
            if known != theirs.id and (known is not None or theirs.lineage()):
                copy_meta(repository, remote, progress)
            with repository.locks.appending():
                joining.follow(repository, theirs, remote)
                if known != theirs.id:
                    joining.copy_lineage(repository, theirs)
            count, transactions = _copy_entries(repository, theirs, remote, progress)
        if not leads(repository, remote):
            carried = carrying.take_inbox(repository, remote, progress)
    repository.take_in_inbox()
    repository.refresh()
    return Pulled(count, transactions, renumbering.changed(repository, before), carried)


def _copy_entries(repository: Repository, theirs: Journal, remote: Remote, progress: Progress) -> tuple[int, int]:
    """Copies the entries that are new, with their records; ConflictError where the two do not follow from one another."""
    ours = Journal(repository.backend, theirs.id)
    tail = local_tail(repository, theirs.id)  # anew: another command may have pulled meanwhile
    if tail.number:
        there = theirs.read_bytes(tail.number)
        if there is None:
            _check_not_shortened(ours, theirs, remote, tail.number)
            return 0, 0  # what is here goes further: the next push copies it
        if journal_entry.entry_hash(there) != tail.hash:
            raise carrying.went_another_way(f"the remote '{remote.name}'", tail.number)
    end = theirs.highest(tail.number)
    without = bundling.bring_records(repository, remote, theirs.id, list(bundle.cover(tail.number + 1, end)), progress)
    unbundled = {number for wanted in without for number in range(wanted.first, wanted.last + 1)}
    count = transactions = 0
    batch: list[tuple[Entry, bytes]] = []
    needing: list[Envelope] = []
    for entry, data in theirs.iterate(tail.number, tail.hash, ahead_to=end):
        if entry.number > end:
            break
        batch.append((entry, data))
        count += 1
        transactions += len(entry.envelopes)
        if entry.number in unbundled:
            needing += entry.envelopes
        if len(batch) == _BATCH:
            _keep(repository, remote, theirs.id, batch, unbundled, progress)
            batch = []
    _keep(repository, remote, theirs.id, batch, unbundled, progress)
    carrying.bring_records(repository, remote, needing, progress)
    return count, transactions


_BATCH = 4096
"""Entries held in memory at once."""


def _keep(
    repository: Repository, remote: Remote, journal: bytes, batch: list[tuple[Entry, bytes]], unbundled: set[int], progress: Progress
) -> None:
    """Brings the packs of records that some entries say they bring, unless a bundle had these, and then keeps the entries."""
    if not batch:
        return
    names: dict[PackName, None] = {}
    for entry, _ in batch:
        if entry.number in unbundled:
            packs = (name for envelope in entry.envelopes for name in envelope.brings)
            names.update((name, None) for name in packs if name.pack_class is PackClass.META)
    joining.copy_packs_of_records(repository, remote, names, progress)
    with repository.locks.appending():
        for entry, _ in batch:
            if entry.control is not None and entry.control.kind == journal_entry.JOINED:
                joining.prepare_to_give_way(repository, Journal(repository.backend, journal), entry.control)
        wrong = bundling.create_entries(repository, journal, [(entry.number, data) for entry, data in batch])
    if wrong:
        raise RemoteError(f"entry {wrong[0]} differs here and at the remote '{remote.name}'")


def _check_not_shortened(ours: Journal, theirs: Journal, remote: Remote, here: int) -> None:
    """Raises ConflictError when a remote lacks entries that it had confirmed itself, as the authority."""
    there = theirs.highest()
    leading = [entry.number for entry, _ in ours.iterate(0, journal_entry.NO_PREDECESSOR) if _hands_to(entry, remote)]
    if leading and there >= leading[-1]:
        raise ConflictError(
            f"the remote '{remote.name}' has lost entries that it had confirmed: it ends at {there:,}, here it ends at {here:,}",
            hint="it was rewritten, or restored from an old copy; 'mlvc fsck --repair' puts back what is here",
        )


def _hands_to(entry: Entry, remote: Remote) -> bool:
    return entry.control is not None and entry.control.store_id == remote.require_record().id


def local_tail(repository: Repository, journal: bytes) -> Tail:
    """Returns the end of a journal as this repository has it; number 0 when it has nothing of it."""
    standing = repository.refresh()
    if standing.journal != journal:
        return Tail(0, journal_entry.NO_PREDECESSOR)
    tail = Tail(standing.number, standing.hash)
    for entry, data in Journal(repository.backend, journal).iterate(tail.number, tail.hash):
        tail = Tail(entry.number, journal_entry.entry_hash(data))  # beyond where a view that stopped stands
    return tail
