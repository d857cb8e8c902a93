"""Pull: copy the entries that are new, and the meta packs, then fold. Data comes when it is wanted."""

from __future__ import annotations

from msgspec import Struct

from mlvc import atomic_file
from mlvc.errors import ConflictError, RemoteError
from mlvc.fold.questions import View
from mlvc.format import journal_entry
from mlvc.format.ids import VersionId
from mlvc.format.journal_entry import Entry
from mlvc.format.pack import PackClass, PackName
from mlvc.journal.entries import Journal
from mlvc.progress import SILENT, Progress
from mlvc.repository.append import Tail
from mlvc.repository.repository import Repository
from mlvc.sync import carrying
from mlvc.sync.copying import copy_packs
from mlvc.sync.remote import Remote


class Renumbered(Struct, frozen=True):
    """A version whose provisional number became another one."""

    collection: str
    version: VersionId
    before: int
    after: int


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
        ConflictError: the remote's history is another one, or went another way than what is here.
        DamageError: an entry at the remote is damaged.
    """
    known = repository.refresh().journal
    tail = Tail(0, journal_entry.NO_PREDECESSOR) if known is None else local_tail(repository, known)
    last = remote.entry_of(known, tail.number) if known is not None and tail.number else None
    if last is None:  # nothing was heard of it yet, or it is not what it was
        remote.require_record()
    theirs = remote.journal()
    is_current = theirs is None or (
        last is not None and journal_entry.entry_hash(last) == tail.hash and theirs.read_bytes(tail.number + 1) is None
    )
    if is_current and _leads(repository, remote):
        return NOTHING
    before = _provisional(repository)
    count = transactions = carried = 0
    with repository.locks.committing():
        if theirs is not None and not is_current:
            _copy_meta(repository, remote, progress)
            with repository.locks.appending():
                _adopt(repository, theirs, remote)
                count, transactions = _copy_entries(repository, theirs, remote, last)
        if not _leads(repository, remote):
            carried = carrying.take_inbox(repository, remote, progress)
    repository.take_in_inbox()
    repository.refresh()
    return Pulled(count, transactions, _renumbered(repository, before), carried)


def _leads(repository: Repository, remote: Remote) -> bool:
    """Tells whether a remote is the authority of the history that is here: then nobody leaves anything in its inbox."""
    authority = repository.refresh().authority
    return authority is not None and authority[0] == remote.require_record().id


def _copy_meta(repository: Repository, remote: Remote, progress: Progress) -> None:
    names = [name for key, _ in remote.backend.keys("packs/meta/") if (name := PackName.from_key(key))]
    lacking = [name for name in names if repository.backend.size(name.key) is None]
    copied, _ = copy_packs(lacking, remote.backend, repository.backend, progress)
    if copied:
        repository.objects.index.refresh()
    assert all(name.pack_class is PackClass.META for name in names)


def _adopt(repository: Repository, theirs: Journal, remote: Remote) -> None:
    """Makes the remote's journal this repository's, where that loses nothing; ConflictError where it would."""
    ours = repository.journal()
    if ours is None or ours.id == theirs.id:
        return
    if any(entry.envelopes for entry, _ in ours.iterate(0, journal_entry.NO_PREDECESSOR)):
        raise ConflictError(
            f"this repository and the remote '{remote.name}' began apart: each has a history of its own",
            hint="this version cannot join them; clone the remote, and add the files again there",
        )
    for key in sorted((key for key, _ in repository.backend.keys(f"journal/{ours.id.hex()}/")), reverse=True):
        repository.backend.delete(key)
    # Durable before the other journal comes: a genesis that came back beside it would make two.
    atomic_file.sync_folder(repository.path / f"journal/{ours.id.hex()}")


def _copy_entries(repository: Repository, theirs: Journal, remote: Remote, last: bytes | None) -> tuple[int, int]:
    """Copies the entries that are new; `last` is their entry at the end of ours, if it was read already."""
    ours = Journal(repository.backend, theirs.id)
    tail = local_tail(repository, theirs.id)
    if tail.number:
        there = last or theirs.read_bytes(tail.number)
        if there is None:
            _check_not_shortened(ours, theirs, remote, tail.number)
            return 0, 0  # what is here goes further: the next push copies it
        if journal_entry.entry_hash(there) != tail.hash:
            raise carrying.went_another_way(f"the remote '{remote.name}'", tail.number)
    count = transactions = 0
    for entry, data in theirs.iterate(tail.number, tail.hash, ahead_to=theirs.highest()):
        key = journal_entry.key(theirs.id, entry.number)
        if not repository.backend.create(key, data) and ours.read_bytes(entry.number) != data:
            raise RemoteError(f"entry {entry.number} differs here and at the remote '{remote.name}'")
        count += 1
        transactions += len(entry.envelopes)
    return count, transactions


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


def _provisional(repository: Repository) -> dict[tuple[str, VersionId], int]:
    found = {}
    with repository.reading() as view:
        for identifier in repository.cached_view.unconfirmed():
            for collection, version in published_by(view, identifier):
                member = view.member(collection, version)
                if member is not None and member.is_provisional:
                    found[collection, version] = member.number
    return found


def published_by(view: View, identifier: bytes) -> list[tuple[str, VersionId]]:
    """Returns the (collection, version) pairs that a folded transaction published or linked."""
    from mlvc.fold import facts

    record = facts.transaction(view.look, identifier) or {"touches": []}
    versions = [VersionId(what[0]) for kind, *what in record["touches"] if kind == "version"]
    return [(c, v) for v in dict.fromkeys(versions) for c in view.collections_of(v)]


def _renumbered(repository: Repository, before: dict[tuple[str, VersionId], int]) -> tuple[Renumbered, ...]:
    found = []
    with repository.reading() as view:
        for (collection, version), number in before.items():
            member = view.member(collection, version)
            if member is not None and member.number != number:
                found.append(Renumbered(collection, version, number, member.number))
    return tuple(found)
