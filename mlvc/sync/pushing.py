"""Push: what the pending transactions need goes first, then they are appended. Others see all of a push or none."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from mlvc.errors import ConflictError, NotFoundError, RemoteError, UnsupportedError
from mlvc.format import journal_entry, transaction
from mlvc.format.ids import NONCE_SIZE
from mlvc.format.journal_entry import GENESIS, HANDOVER, NO_PREDECESSOR, Control
from mlvc.format.pack import PackName
from mlvc.format.transaction import Envelope, Need
from mlvc.journal.cached_view import Standing
from mlvc.journal.entries import Journal
from mlvc.objects import closure
from mlvc.objects.store import Wanted
from mlvc.progress import SILENT, Progress
from mlvc.repository import append, store_record
from mlvc.repository.append import Tail
from mlvc.repository.repository import Repository
from mlvc.sync import pulling
from mlvc.sync.copying import copy_packs
from mlvc.sync.pulling import Pulled, local_tail
from mlvc.sync.remote import Remote


@dataclass(frozen=True, slots=True)
class PushPlan:
    """What a push would send: transactions, packs and their bytes, and whether it makes the remote the authority."""

    transactions: int
    packs: tuple[PackName, ...]
    size_bytes: int
    hands_over: bool


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push did. `pulled` is what came in on the way."""

    transactions: int
    packs: int
    size_bytes: int
    handed_over: bool
    pulled: Pulled


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
    with repository.locks.committing(), remote.committing():
        record = store_record.create(remote.backend)
        theirs = remote.journal()
        standing = repository.refresh()
        if theirs is None and standing.journal is None:
            if not repository.pending.ids():
                return Pushed(0, 0, 0, False, Pulled(0, 0, ()))
            theirs = Journal(remote.backend, secrets.token_bytes(NONCE_SIZE))
            append.append_control(theirs, Tail(0, NO_PREDECESSOR), Control(GENESIS, record.id, remote.url))
        if theirs is None:
            return _hand_over(repository, remote, record.id, progress)
        pulled = pulling.pull(repository, remote)
        standing = repository.refresh()
        _complete(repository, theirs)
        if standing.authority is None or standing.authority[0] != record.id:
            return _not_the_authority(repository, remote, standing, pulled)
        return _append_pending(repository, remote, theirs, pulled, progress)


def _not_the_authority(repository: Repository, remote: Remote, standing: Standing, pulled: Pulled) -> Pushed:
    if not repository.is_authority(standing) and not repository.pending.ids():
        return Pushed(0, 0, 0, False, pulled)
    where = "this repository" if repository.is_authority(standing) else (standing.authority or (b"", "?"))[1]
    raise UnsupportedError(
        f"the remote '{remote.name}' holds a copy of a history whose authority is {where}; new entries go there",
        hint="push to the authority; this version cannot leave transactions with a copy",
    )


def _append_pending(
    repository: Repository, remote: Remote, theirs: Journal, pulled: Pulled, progress: Progress
) -> Pushed:
    packs = size = 0
    envelopes = repository.pending.in_order()
    if envelopes:
        packs, size = _send(repository, remote, envelopes, progress)
        append.append_transactions(theirs, local_tail(repository, theirs.id), envelopes)
        after = pulling.pull(repository, remote)
        pulled = Pulled(
            pulled.entries + after.entries, pulled.transactions, pulled.renumbered + after.renumbered
        )
    return Pushed(len(envelopes), packs, size, False, pulled)


def _hand_over(repository: Repository, remote: Remote, identifier: bytes, progress: Progress) -> Pushed:
    """Makes an empty remote the authority: packs and prefix there, the handover here, and then there (RULES E1)."""
    repository.take_in_inbox()
    standing = repository.refresh()
    if not repository.is_authority(standing):
        raise UnsupportedError(
            f"the remote '{remote.name}' is empty, and the authority of this history is {(standing.authority or (b'', '?'))[1]}",
            hint="push to the authority; this version cannot fill a second remote",
        )
    assert standing.journal is not None, "the caller has looked"
    envelopes = _history(repository, standing)
    packs, size = _send(repository, remote, envelopes, progress)
    theirs = Journal(remote.backend, standing.journal)
    with repository.locks.appending():
        fresh = repository.refresh()
        if fresh.number != standing.number:
            raise ConflictError("something was committed while the first push was under way", hint="push again")
        _complete(repository, theirs)
        append.append_control(
            Journal(repository.backend, standing.journal),
            Tail(fresh.number, fresh.hash),
            Control(HANDOVER, identifier, remote.url),
        )
    _complete(repository, theirs)
    repository.refresh()
    return Pushed(len(envelopes), packs, size, True, Pulled(0, 0, ()))


def _complete(repository: Repository, theirs: Journal) -> None:
    """Copies the entries that are here and not yet there: a first push, or one that was cut off."""
    ours = Journal(repository.backend, theirs.id)
    number = 0
    while theirs.backend.size(journal_entry.key(theirs.id, number + 1)) is not None:
        number += 1
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
    for item in _wanted(repository, envelopes):
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
    for item in wanted:
        if remote.index.find(*item):
            continue
        place = repository.objects.is_here(*item)
        if place is None:
            raise NotFoundError(f"a piece that is to be pushed is neither here nor at '{remote.name}': {item[0].hex()[:12]}")
        names[place.pack] = None
    sizes = sum(repository.backend.size(name.key) or 0 for name in names)
    progress.start(f"push to {remote.name}", sizes)
    sent = copy_packs(names, repository.backend, remote.backend, progress)
    remote.index.refresh()
    lacking = [item for item in wanted if not remote.index.find(*item)]
    if lacking:
        raise RemoteError(f"{len(lacking):,} pieces did not arrive at the remote '{remote.name}'", hint="push again")
    return sent
