"""Push: what the pending transactions need goes first, then they are appended. Others see all of a push or none."""

from __future__ import annotations

import os

from msgspec import Struct
from msgspec.structs import replace

from mlvc.errors import ConflictError, NotFoundError, RemoteError, UnsupportedError
from mlvc.format import journal_entry, transaction
from mlvc.format.ids import NONCE_SIZE
from mlvc.format.journal_entry import GENESIS, HANDOVER, NO_PREDECESSOR, Control
from mlvc.format.pack import PackName
from mlvc.format.record import CHUNK_CODE
from mlvc.format.transaction import Envelope, Need
from mlvc.journal.cached_view import Standing
from mlvc.journal.entries import Journal
from mlvc.objects import closure
from mlvc.objects.store import Wanted
from mlvc.progress import SILENT, Progress
from mlvc.repository import append, store_record
from mlvc.repository.append import Tail
from mlvc.repository.commit import check_understood
from mlvc.repository.repository import Repository
from mlvc.repository.store_record import StoreRecord
from mlvc.sync import pulling
from mlvc.sync.copying import copy_packs
from mlvc.sync.pulling import NOTHING, Pulled, local_tail
from mlvc.sync.remote import Remote


class PushPlan(Struct, frozen=True):
    """What a push would send: transactions, packs and their bytes, and whether it makes the remote the authority."""

    transactions: int
    packs: tuple[PackName, ...]
    size_bytes: int
    hands_over: bool


class Pushed(Struct, frozen=True):
    """What a push did. `pulled` is what came in on the way."""

    transactions: int = 0
    packs: int = 0
    size_bytes: int = 0
    handed_over: bool = False
    pulled: Pulled = NOTHING


def plan(repository: Repository, remote: Remote) -> PushPlan:
    """Returns what `push` would send, without sending or creating anything."""
    standing = repository.refresh()
    theirs = remote.journal() if remote.record() is not None else None
    hands_over = theirs is None and repository.is_authority(standing) and standing.journal is not None
    envelopes = _history(repository, standing) if hands_over else repository.pending.in_order()
    there = {name for key, _ in remote.backend.keys("packs/") if (name := PackName.from_key(key))}
    packs = tuple(name for name in _local_packs(repository, envelopes) if name not in there)
    size = sum(repository.backend.size(name.key) or 0 for name in packs)
    return PushPlan(len(envelopes), packs, size, hands_over)


def push(repository: Repository, remote: Remote, progress: Progress = SILENT) -> Pushed:
    """Sends everything that is pending. Atomic for others; safe to cut off and repeat at any point.

    The first push to an empty remote hands the authority over to it: from then on numbers are confirmed there.

    Raises:
        ConflictError: the two have different histories.
        UnsupportedError: the remote is not, and cannot now become, the store that takes new entries.
    """
    repository.take_in_inbox()
    standing = repository.refresh()
    check_understood(standing.stopped)
    if remote.record() is None:
        if standing.journal is None and not repository.pending.ids():
            return Pushed()
        _check_can_begin(repository, remote, None)
    with repository.locks.committing(), remote.committing():
        record = remote.record() or store_record.create(remote.backend)
        has_ours = _has_what_is_here(repository, remote)
        begun = Pushed()
        if remote.journal() is None:
            with remote.beginning():
                if remote.journal() is None:
                    begun = _begin(repository, remote, record, progress)
        theirs = remote.journal()
        if theirs is None:
            return Pushed()
        pulled = pulling.pull(repository, remote)
        standing = repository.refresh()
        check_understood(standing.stopped)
        if not has_ours:
            _complete(repository, theirs)
        if standing.authority is None or standing.authority[0] != record.id:
            return _not_the_authority(repository, remote, standing, pulled)
        done = _append_pending(repository, remote, theirs, pulled, progress)
        return replace(
            done,
            transactions=begun.transactions + done.transactions,
            packs=begun.packs + done.packs,
            size_bytes=begun.size_bytes + done.size_bytes,
            handed_over=begun.handed_over,
        )


def _check_can_begin(repository: Repository, remote: Remote, record: StoreRecord | None) -> None:
    """Refuses to fill an empty remote unless the authority is here, nowhere yet, or handed over to it already."""
    standing = repository.refresh()
    if standing.authority is None or repository.is_authority(standing):
        return
    if record is None or standing.authority[0] != record.id:
        raise UnsupportedError(
            f"the remote '{remote.name}' is empty, and the authority of this history is {standing.authority[1] or 'another store'}",
            hint="push to the authority; this version cannot fill a second remote",
        )


def _begin(repository: Repository, remote: Remote, record: StoreRecord, progress: Progress) -> Pushed:
    """Gives an empty remote its first entry, or all that are here; the caller holds the remote's `beginning`."""
    _check_can_begin(repository, remote, record)
    standing = repository.refresh()
    if standing.journal is not None:
        return _hand_over(repository, remote, record, progress)
    if repository.pending.ids():
        theirs = Journal(remote.backend, os.urandom(NONCE_SIZE))
        append.append_control(theirs, Tail(0, NO_PREDECESSOR), Control(GENESIS, record.id, remote.url))
    return Pushed()


def _not_the_authority(repository: Repository, remote: Remote, standing: Standing, pulled: Pulled) -> Pushed:
    if not repository.is_authority(standing) and not repository.pending.ids():
        return Pushed(pulled=pulled)
    where = "this repository" if repository.is_authority(standing) else (standing.authority or (b"", "?"))[1]
    raise UnsupportedError(
        f"the remote '{remote.name}' holds a copy of a history whose authority is {where}; new entries go there",
        hint="push to the authority; this version cannot leave transactions with a copy",
    )


def _append_pending(
    repository: Repository, remote: Remote, theirs: Journal, pulled: Pulled, progress: Progress
) -> Pushed:
    packs = size = 0
    parked = set(repository.view().parked())  # they wait for others, here as there (RULES B3)
    envelopes = [envelope for envelope in repository.pending.in_order() if envelope.id not in parked]
    if envelopes:
        packs, size = _send(repository, remote, envelopes, progress)
        append.append_transactions(theirs, local_tail(repository, theirs.id), envelopes)
        after = pulling.pull(repository, remote)
        pulled = Pulled(
            pulled.entries + after.entries, pulled.transactions, pulled.renumbered + after.renumbered
        )
    return Pushed(len(envelopes), packs, size, pulled=pulled)


def _hand_over(repository: Repository, remote: Remote, record: StoreRecord, progress: Progress) -> Pushed:
    """Makes an empty remote the authority: packs there, the handover here, then all entries there (RULES E1).

    The handover comes before the prefix is copied. So whoever is cut off in between left either an empty remote, which
    the next push begins with, or a journal that names the remote: then anyone who has it finishes. A remote with a
    prefix and without a handover could not be told from somebody's clone.
    """
    standing = repository.refresh()
    assert standing.journal is not None, "the caller has looked"
    envelopes = _history(repository, standing)
    packs, size = _send(repository, remote, envelopes, progress)
    theirs = Journal(remote.backend, standing.journal)
    with repository.locks.appending():
        latest = repository.refresh()
        if repository.is_authority(latest):
            if latest.number != standing.number:  # committed meanwhile
                envelopes = _history(repository, latest)
                more, more_size = _send(repository, remote, envelopes, progress)
                packs, size = packs + more, size + more_size
            append.append_control(
                Journal(repository.backend, standing.journal),
                Tail(latest.number, latest.hash),
                Control(HANDOVER, record.id, remote.url),
            )
    _complete(repository, theirs)
    repository.refresh()
    return Pushed(len(envelopes), packs, size, handed_over=True)


def _has_what_is_here(repository: Repository, remote: Remote) -> bool:
    """Tells whether the remote's journal reaches at least as far as this repository's, by asking for one entry."""
    journal = repository.refresh().journal
    tail = local_tail(repository, journal) if journal is not None else None
    return bool(journal and tail and tail.number and remote.entry_of(journal, tail.number) is not None)


def _complete(repository: Repository, theirs: Journal) -> None:
    """Copies the entries that are here and not yet there: a first push, or one that was cut off."""
    ours = Journal(repository.backend, theirs.id)
    number = theirs.highest()
    while (data := ours.read_bytes(number + 1)) is not None:
        number += 1
        key = journal_entry.key(theirs.id, number)
        if not theirs.backend.create(key, data) and theirs.read_bytes(number) != data:
            raise ConflictError(f"entry {number} differs here and at {theirs.backend.url}")


def _history(repository: Repository, standing: Standing) -> list[Envelope]:
    if standing.journal is None:
        return []
    journal = Journal(repository.backend, standing.journal)
    return [envelope for entry, _ in journal.iterate(0, NO_PREDECESSOR) for envelope in entry.envelopes]


def _needs(envelopes: list[Envelope]) -> list[Need]:
    found: dict[Need, None] = {}
    for envelope in envelopes:
        found.update(dict.fromkeys(transaction.decode(envelope.data).needs))
    return list(found)


def _wanted(repository: Repository, envelopes: list[Envelope]) -> dict[Wanted, None]:
    """Returns all that transactions come down to; what is dead and collected here already is left out."""
    wanted: dict[Wanted, None] = {}
    for need in _needs(envelopes):
        try:
            wanted.update(dict.fromkeys(closure.everything(repository.objects, need)))
        except NotFoundError:
            if not _is_collected(repository, need):
                raise
    return wanted


def _is_collected(repository: Repository, need: Need) -> bool:
    """Tells whether a need's data was dropped because everything that needed it is deleted or undone."""
    view = repository.view()
    if need.kind != "artifact":
        return True
    for collection in view.collections():
        for member in view.members(collection.name):
            if any(p.manifest == need.id for p in view.publications(member.version)):
                return False
    return True


def _local_packs(repository: Repository, envelopes: list[Envelope]) -> list[PackName]:
    found: dict[PackName, None] = {}
    for item in repository.objects.index.with_bases(_wanted(repository, envelopes)):
        place = repository.objects.is_here(*item)
        if place is not None:
            found[place.pack] = None
    return list(found)


def _send(repository: Repository, remote: Remote, envelopes: list[Envelope], progress: Progress) -> tuple[int, int]:
    """Makes all that transactions need decodable at the remote.

    Returns:
        How many packs and bytes were sent.

    Raises:
        NotFoundError: something they need is neither here nor there.
    """
    remote.index.refresh()
    wanted = _wanted(repository, envelopes)
    names: dict[PackName, None] = {}
    waiting = list(reversed(wanted))
    seen: set[Wanted] = set()
    while waiting:
        item = waiting.pop()
        if item in seen or remote.index.find(*item):
            continue
        seen.add(item)
        place = repository.objects.is_here(*item)
        if place is None:
            raise NotFoundError(f"a piece that is to be pushed is neither here nor at '{remote.name}': {item[0].hex()[:12]}")
        names[place.pack] = None
        if place.slot.base is not None:
            waiting.append((place.slot.base, CHUNK_CODE))
    sizes = sum(repository.backend.size(name.key) or 0 for name in names)
    progress.start(f"push to {remote.name}", sizes)
    sent = copy_packs(names, repository.backend, remote.backend, progress)
    for name in names:  # proven on the way, and known here: no need to ask for what was just sent
        remote.index.add(name, repository.objects.index.slots(name))
    lacking = [item for item in wanted if not remote.index.find(*item)]
    if lacking:
        raise RemoteError(f"{len(lacking):,} pieces did not arrive at the remote '{remote.name}'", hint="push again")
    return sent
