"""When the journal here and the one at a remote are two: following one that took over, joining two, and taking over.

Whatever happens, a transaction that was acknowledged here stays: what the other journal lacks becomes pending, and is appended there
with the next push, once (by id). The order is always: pending files, then what makes the other journal the one in force.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from mlvc import atomic_file
from mlvc.errors import ConflictError, UnsupportedError
from mlvc.fold.folding import arrival_of, fold
from mlvc.fold.look import DictView
from mlvc.fold.questions import View
from mlvc.format import journal_entry, signature
from mlvc.format.ids import NONCE_SIZE, VersionId
from mlvc.format.journal_entry import JOINED, NO_PREDECESSOR, TAKEOVER, Control
from mlvc.format.pack import PackName
from mlvc.format.transaction import Envelope
from mlvc.journal.entries import Journal
from mlvc.progress import SILENT, Progress
from mlvc.repository import append, store_record
from mlvc.repository.append import Tail
from mlvc.repository.repository import Repository
from mlvc.sync import carrying
from mlvc.sync.copying import copy_packs
from mlvc.sync.remote import Remote
from mlvc.sync.renumbering import Renumbered


def follow(repository: Repository, theirs: Journal, remote: Remote) -> None:
    """Makes the remote's journal the one to pull, where that loses nothing and moves no confirmed number.

    The caller holds the locks of this repository.

    Raises:
        ConflictError: the two must be joined, which the user is asked about.
    """
    ours = repository.journal()
    if ours is None or ours.id == theirs.id:
        return
    if ours.highest() and not any(entry.envelopes for _, entry, _ in ours.whole()):
        _drop(repository, ours)  # begun by a first command that then failed
        return
    ends = _end(Journal(remote.backend, ours.id))
    if _continues(ours, theirs):
        copy_lineage(repository, theirs)
        return
    if ends is not None and ends.journal == theirs.id:
        prepare_to_give_way(repository, ours, ends)
        copy_from(repository, Journal(remote.backend, ours.id))
        return
    if _adopted_end(ours, theirs.id) is not None:
        raise ConflictError(
            f"the remote '{remote.name}' goes on with a journal that was taken over here, where {_name(ours)} is in force now",
            hint=f"'mlvc remote join {remote.name}' makes pending here what it has beyond",
        )
    raise ConflictError(
        f"this repository and the remote '{remote.name}' began apart, or were parted: each has a history of its own",
        hint=f"'mlvc remote join {remote.name}' joins them, and says first what will be renumbered",
    )


def is_apart(repository: Repository, remote: Remote) -> bool:
    """Tells whether a remote's history can be neither followed nor continued: the two began apart, or were parted."""
    ours, theirs = repository.journal(), remote.journal()
    if ours is None or theirs is None:
        return False
    if ours.id == theirs.id:
        both = min(ours.highest(), theirs.highest())
        return ours.read_bytes(both) != theirs.read_bytes(both)
    if is_behind(repository, theirs) or _continues(ours, theirs) or (ours.highest() and not any(e.envelopes for _, e, _ in ours.whole())):
        return False
    ends = _end(Journal(remote.backend, ours.id))
    return ends is None or ends.journal != theirs.id


def _continues(ours: Journal, theirs: Journal) -> bool:
    """Tells whether a journal took over the one here, with all that is in it."""
    end = _adopted_end(theirs, ours.id)
    return end is not None and not _beyond(ours, end)


def _name(journal: Journal) -> str:
    return journal.id.hex()[:8]


def _drop(repository: Repository, journal: Journal) -> None:
    """Removes a journal without transactions, the last entry first."""
    folder = repository.path / f"journal/{journal.id.hex()}"
    for key in sorted((key for key, _ in repository.backend.keys(f"journal/{journal.id.hex()}/")), reverse=True):
        repository.backend.delete(key)
    # Durable before the other journal comes: a genesis that came back beside it would make two.
    atomic_file.sync_folder(folder)
    folder.rmdir()


def _adopted_end(journal: Journal, above: bytes) -> int | None:
    """Returns up to which entry a journal took over another one, or None when it did not."""
    return next((end for found, end in journal.lineage() if found.id == above), None)


def _beyond(journal: Journal, end: int) -> list[Envelope]:
    """Returns the transactions of a journal after entry `end`."""
    known = journal.hash_of(end)
    if known is None:
        return []
    return [envelope for entry, _ in journal.iterate(end, known) for envelope in entry.envelopes]


def copy_meta(repository: Repository, remote: Remote, progress: Progress = SILENT) -> None:
    """Brings the packs of records that a remote has and this repository lacks."""
    names = [name for key, _ in remote.backend.keys("packs/meta/") if (name := PackName.from_key(key))]
    copy_packs_of_records(repository, remote, names, progress)


def copy_packs_of_records(repository: Repository, remote: Remote, names: Iterable[PackName], progress: Progress = SILENT) -> None:
    """Brings some packs of records, as far as they are there and whole, and not here; what else is needed is fetched piece by piece."""
    lacking = [name for name in names if repository.backend.size(name.key) is None and not _has_all_of(repository, remote, name)]
    copied, _ = copy_packs(lacking, remote.backend, repository.backend, progress, what_can=True, pace=remote.pace)
    if copied:
        repository.objects.index.refresh()


def _has_all_of(repository: Repository, remote: Remote, name: PackName) -> bool:
    """Tells whether a remote's pack is known to hold nothing that is not here: as one that was sent from here, merged of others."""
    slots = [(slot.id, slot.code) for slot in remote.index.slots(name)]
    return bool(slots) and not repository.objects.missing(slots)


def copy_lineage(repository: Repository, theirs: Journal) -> None:
    """Copies the entries that a journal took over, as far as they are not here."""
    for above, end in theirs.lineage():
        copy_from(repository, above, end)


def copy_from(repository: Repository, theirs: Journal, end: int | None = None) -> int:
    """Copies a journal's entries that are not here, up to entry `end`, proven on the way; returns how many transactions."""
    ours = Journal(repository.backend, theirs.id)
    number = ours.highest()
    known = ours.hash_of(number)
    assert known is not None, "its highest entry is there"
    fresh: list[tuple[str, bytes]] = []
    transactions = 0
    for entry, data in theirs.iterate(number, known, ahead_to=end or theirs.highest()):
        if end is not None and entry.number > end:
            break
        fresh.append((journal_entry.key(theirs.id, entry.number), data))
        transactions += len(entry.envelopes)
    for key, data in fresh:
        if not repository.backend.create(key, data) and repository.backend.read(key) != data:
            raise carrying.went_another_way(theirs.backend.url, int(key.rsplit("/", 1)[1]))
    return transactions


def _end(journal: Journal) -> Control | None:
    """Returns the act by which a journal gave way to another, or None."""
    number = journal.highest()
    last = journal.read(number) if number else None
    act = last.control if last is not None else None
    return act if act is not None and act.kind == JOINED else None


def gave_way(repository: Repository, theirs: Journal) -> bool:
    """Tells whether, as is known here, a remote's journal gave way to another."""
    return _end(Journal(repository.backend, theirs.id)) is not None


def is_behind(repository: Repository, theirs: Journal) -> bool:
    """Tells whether a remote's journal gave way to another or was taken over, as is known here, and all of it is here."""
    if gave_way(repository, theirs):
        return True
    ours = repository.journal()
    end = _adopted_end(ours, theirs.id) if ours is not None else None
    return end is not None and not _unknown(repository, _beyond(theirs, end))


def _unknown(repository: Repository, envelopes: list[Envelope]) -> list[Envelope]:
    pending = repository.pending.ids()
    return [e for e in envelopes if e.id not in pending and repository.cached_view.entry_of(e.id) is None]


def prepare_to_give_way(repository: Repository, ours: Journal, act: Control) -> None:
    """Makes all of a journal pending, before the act that ends it comes here.

    What of it the other journal holds already is cleared away when that comes.
    """
    _leave_pending(repository, list(_envelopes(ours)))
    _say_there_are_two(repository, act.journal)


def _say_there_are_two(repository: Repository, other: bytes) -> None:
    """Makes the folder of the other journal, so that whoever looks for the one in force looks at how each ends."""
    atomic_file.make_folder(repository.path / f"journal/{other.hex()}")


def _lacking(ours: Journal, theirs: Journal) -> list[Envelope]:
    """Returns the transactions of one journal that another does not hold, in order."""
    there = {envelope.id for _, entry, _ in theirs.whole() for envelope in entry.envelopes}
    return [envelope for _, entry, _ in ours.whole() for envelope in entry.envelopes if envelope.id not in there]


def _leave_pending(repository: Repository, envelopes: list[Envelope]) -> None:
    for envelope in envelopes:
        repository.pending.add(envelope)


# -- joining --------------------------------------------------------------------------------------------------------


def preview(repository: Repository, remote: Remote) -> list[Renumbered]:
    """Returns which versions here will have other numbers once this repository's history is joined to the remote's."""
    ours, theirs = repository.journal(), remote.journal()
    if ours is None or theirs is None:
        return []
    values = DictView()
    for _, entry, _ in theirs.whole():
        for envelope in entry.envelopes:
            if signature.is_whole(envelope):
                values.apply(fold(arrival_of(envelope), values))
    known = {envelope.id for _, entry, _ in theirs.whole() for envelope in entry.envelopes}
    for envelope in (*_envelopes(ours), *repository.pending.in_order()):
        if envelope.id not in known and signature.is_whole(envelope):
            values.apply(fold(arrival_of(envelope), values))
    then = View(values, len(known))
    found = []
    with repository.reading() as view:
        for collection in view.collections():
            for member in view.members(collection.name):
                other = then.member(collection.name, member.version)
                if other is not None and other.number != member.number:
                    found.append(Renumbered(collection.name, VersionId(member.version), member.number, other.number))
    return found


def _envelopes(journal: Journal) -> Iterator[Envelope]:
    return (envelope for _, entry, _ in journal.whole() for envelope in entry.envelopes)


def join(
    repository: Repository, remote: Remote, authority: Remote | None = None, progress: Progress = SILENT
) -> int:
    """Joins the history here to the remote's: what the remote lacks becomes pending, and its journal the one in force.

    Args:
        repository: whose journal gives way.
        remote: whose journal goes on.
        authority: the remote that leads the journal here, where that is not this store.
        progress: hears of bytes.

    Returns:
        How many transactions became pending.

    Raises:
        ConflictError: the journal here is led by a store that was not given, or moved on meanwhile.
    """
    theirs = remote.journal()
    with repository.locks.committing():
        ours = repository.journal()
        if ours is None or theirs is None:
            return 0
        last = theirs.highest()
        copy_meta(repository, remote, progress)
        end = _adopted_end(ours, theirs.id)
        if end is not None:  # it was taken over here: what it got afterwards comes with its data, for it is ours to append
            return carrying.take(repository, remote, _unknown(repository, _beyond(theirs, end)), progress)
        with repository.locks.appending():
            lacking = _lacking(ours, theirs)
            _leave_pending(repository, lacking)
            if ours.id == theirs.id:
                _cut_back(repository, ours, theirs)
            elif _adopted_end(theirs, ours.id) is None:
                _give_way(repository, ours, theirs, authority)
            copy_lineage(repository, theirs)
            copy_from(repository, theirs, last)
            return len(lacking)


def _give_way(repository: Repository, ours: Journal, theirs: Journal, authority: Remote | None) -> None:
    """Ends the journal here, at the store that leads it, by an act that names the remote's."""
    standing = repository.refresh()
    leader = _leader(theirs)
    act = Control(JOINED, leader[0], leader[1], journal=theirs.id)
    tail = Tail(standing.number, standing.hash)
    if repository.is_authority(standing):
        _say_there_are_two(repository, theirs.id)
        append.append_control(ours, tail, act)
    elif authority is None or standing.authority is None or authority.require_record().id != standing.authority[0]:
        where = (standing.authority or (b"", ""))[1] or "another repository"
        raise ConflictError(
            f"the journal here is led by {where}, and only there can it be ended",
            hint="add it as a remote here, or join the two there",
        )
    else:
        _say_there_are_two(repository, theirs.id)
        at = Journal(authority.backend, ours.id)
        append.append_control(at, tail, act)
        copy_from(repository, at)


def _cut_back(repository: Repository, ours: Journal, theirs: Journal) -> None:
    """Takes away the entries here after the last one that both have; what they said is pending by now."""
    end = min(ours.highest(), theirs.highest())
    while end and ours.read_bytes(end) != theirs.read_bytes(end):
        end -= 1
    for number in range(ours.highest(), end, -1):
        repository.backend.delete(journal_entry.key(ours.id, number))
    atomic_file.sync_folder(repository.path / f"journal/{ours.id.hex()}")


def _leader(journal: Journal) -> tuple[bytes, str]:
    leaders = [e.control.leader for _, e, _ in journal.whole() if e.control is not None and e.control.leader is not None]
    if not leaders:
        raise ConflictError(f"the journal {_name(journal)} does not say who leads it")
    return leaders[-1]


# -- taking over ----------------------------------------------------------------------------------------------------


def end_what_was_taken_over(repository: Repository, remote: Remote) -> None:
    """Ends, at the store that led it, a journal that was taken over here, so that clones of that store go on with the other.

    What it got after it was taken over is here already.
    """
    journal, record = repository.journal(), remote.require_record()
    for above, _ in journal.lineage() if journal is not None else ():
        there = Journal(remote.backend, above.id)
        number = there.highest()
        known = there.hash_of(number)
        if not number or known is None or _end(there) is not None or _leader(there)[0] != record.id:
            continue
        assert journal is not None, "it has a lineage"
        leader = _leader(journal)
        append.append_control(there, Tail(number, known), Control(JOINED, leader[0], leader[1], journal=journal.id))


def take_over(repository: Repository, remote: Remote | None, progress: Progress = SILENT) -> Journal:
    """Begins a new journal that adopts all entries here, led by a remote, or by this store: for when the authority is lost.

    Confirmed numbers stay; what only the lost authority had confirmed gets new ones, if it ever comes back and is joined.

    Raises:
        UnsupportedError: there is no history here.
        ConflictError: the remote is a carrier, or this store or the remote leads the history already.
    """
    if remote is not None and not remote.takes_conditions:
        raise ConflictError(f"the remote '{remote.name}' is a carrier and cannot take entries", hint="name another, or none")
    with repository.locks.committing():
        leader = (repository.id, "") if remote is None else _prepared(repository, remote, progress)
        with repository.locks.appending():
            standing = repository.refresh()
            if standing.journal is None or not standing.number:
                raise UnsupportedError("there is no history here that could be taken over", hint="'mlvc pull' brings one")
            if standing.authority is not None and standing.authority[0] == leader[0]:
                raise ConflictError("that store leads the history already")
            journal = Journal(repository.backend, os.urandom(NONCE_SIZE))
            act = Control(TAKEOVER, *leader, journal=standing.journal, number=standing.number, hash=standing.hash)
            append.append_control(journal, Tail(0, NO_PREDECESSOR), act)
        if remote is not None:
            carrying.copy_history(repository, remote)
    repository.take_in_inbox()
    return journal


def _prepared(repository: Repository, remote: Remote, progress: Progress) -> tuple[bytes, str]:
    """Copies to a remote what is here; returns its id and URL."""
    record = remote.record() or store_record.create(remote.backend)
    carrying.take_inbox(repository, remote, progress)  # once it leads, nobody looks there
    journal = repository.journal()
    if journal is not None:
        carrying.leave(repository, remote, list(_envelopes(journal)), progress)
    return record.id, remote.url
