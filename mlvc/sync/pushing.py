"""Push: what the pending transactions need goes first, then they are appended. Others see all of a push or none."""

from __future__ import annotations

import os
from contextlib import suppress

from msgspec import Struct
from msgspec.structs import replace

from mlvc.errors import RemoteError
from mlvc.format import bundle
from mlvc.format.bundle import Range
from mlvc.format.ids import NONCE_SIZE
from mlvc.format.journal_entry import GENESIS, HANDOVER, NO_PREDECESSOR, Control
from mlvc.format.pack import PackName
from mlvc.format.transaction import Envelope
from mlvc.journal.cached_view import Standing
from mlvc.journal.entries import Journal
from mlvc.progress import SILENT, Progress
from mlvc.repository import append, store_record
from mlvc.repository.append import Tail
from mlvc.repository.commit import check_understood
from mlvc.repository.repository import Repository
from mlvc.repository.store_record import StoreRecord
from mlvc.sync import bundling, carrying, joining, locating, pulling, sending
from mlvc.sync.pulling import NOTHING, Pulled, local_tail
from mlvc.sync.remote import Remote, leads


class PushPlan(Struct, frozen=True):
    """What a push would send: transactions, packs and their bytes, and whether it makes the remote the authority."""

    transactions: int
    packs: tuple[PackName, ...]
    size_bytes: int
    hands_over: bool


class Pushed(Struct, frozen=True):
    """What a push did.

    Attributes:
        transactions: appended at the remote, or handed over to it.
        packs, size_bytes: sent.
        handed_over: the remote is the authority from now on.
        left: transactions that lie in the remote's inbox now, for the authority; None where the remote is the authority.
        lacking: artifacts and files that a carrier has no data of, because it is not here.
        waiting: pending transactions that stay here until what they need is within reach.
        pulled: what came in on the way.
    """

    transactions: int = 0
    packs: int = 0
    size_bytes: int = 0
    handed_over: bool = False
    left: int | None = None
    lacking: int = 0
    waiting: int = 0
    pulled: Pulled = NOTHING


def plan(repository: Repository, remote: Remote) -> PushPlan:
    """Returns what `push` would send, without sending or creating anything."""
    standing = repository.refresh()
    record = remote.record()
    theirs = remote.journal() if record is not None else None
    hands_over = theirs is None and _may_begin(repository, remote, standing) and standing.journal is not None
    envelopes = [*(() if theirs is not None and leads(repository, remote) else history(repository)), *repository.pending.in_order()]
    there = {name for key, _ in remote.backend.keys("packs/") if (name := PackName.from_key(key))}
    wanted, _ = sending.here_of(repository, remote, envelopes)
    packs = tuple(name for name in sending.packs_of(repository, wanted) if name not in there)
    size = sum(repository.backend.size(name.key) or 0 for name in packs)
    return PushPlan(len(envelopes), packs, size, hands_over)


def push(repository: Repository, remote: Remote, progress: Progress = SILENT) -> Pushed:
    """Sends everything that is pending. Atomic for others; safe to cut off and repeat at any point.

    The first push to an empty upstream hands the authority over to it: from then on numbers are confirmed there. A remote
    that is not the authority is a carrier: it gets a copy of the history, and the pending transactions into its inbox.

    Raises:
        ConflictError: the two have different histories.
        NotFoundError: something that is to be pushed is neither here nor there.
    """
    repository.take_in_inbox()
    standing = repository.refresh()
    check_understood(standing.stopped)
    if remote.record() is None and standing.journal is None and not repository.pending.ids():
        return Pushed()
    with repository.locks.committing(), remote.committing():
        record = remote.record() or store_record.create(remote.backend)
        has_ours = _has_what_is_here(repository, remote)
        begun = Pushed()
        if remote.journal() is None and _may_begin(repository, remote, standing):
            if carrying.take_inbox(repository, remote, progress):  # left there while it was nobody's authority
                repository.take_in_inbox()
            with remote.beginning():
                if remote.journal() is None:
                    begun = _begin(repository, remote, record, progress)
        theirs = remote.journal()
        pulled = NOTHING
        if theirs is not None:
            pulled = pulling.pull(repository, remote)
            check_understood(repository.refresh().stopped)
            if leads(repository, remote):
                if not has_ours:
                    carrying.copy_history(repository, remote)
                return _together(begun, _append_pending(repository, remote, theirs, pulled, progress))
        carried = carrying.leave(repository, remote, history(repository), progress)
        joining.end_what_was_taken_over(repository, remote)
        return Pushed(0, carried.packs, carried.size_bytes, left=carried.left, lacking=carried.lacking, waiting=carried.waiting, pulled=pulled)


def _together(begun: Pushed, done: Pushed) -> Pushed:
    return replace(
        done,
        transactions=begun.transactions + done.transactions,
        packs=begun.packs + done.packs,
        size_bytes=begun.size_bytes + done.size_bytes,
        handed_over=begun.handed_over,
    )


def _may_begin(repository: Repository, remote: Remote, standing: Standing) -> bool:
    """Tells whether a push may make an empty remote the authority, or finish a handover to it that was cut off."""
    return leads(repository, remote) or (
        remote.may_lead and (standing.authority is None or repository.is_authority(standing))
    )


def _begin(repository: Repository, remote: Remote, record: StoreRecord, progress: Progress) -> Pushed:
    """Gives an empty remote its first entry, or all that are here; the caller holds the remote's `beginning`."""
    standing = repository.refresh()
    if standing.journal is not None:
        return _hand_over(repository, remote, record, progress)
    if repository.pending.ids():
        theirs = Journal(remote.backend, os.urandom(NONCE_SIZE))
        append.append_control(theirs, Tail(0, NO_PREDECESSOR), Control(GENESIS, record.id, remote.url))
    return Pushed()


def _append_pending(repository: Repository, remote: Remote, theirs: Journal, pulled: Pulled, progress: Progress) -> Pushed:
    """Appends what is pending to the authority. An act on its journal meanwhile, as a sweep, makes it begin again."""
    packs = size = 0
    while True:
        # Before anything is decided: what others bring here meanwhile, as another command's pull does, is new to the append too.
        before = local_tail(repository, theirs.id)
        parked = set(repository.view().parked())  # they wait for others, here as there (RULES B3)
        envelopes = [envelope for envelope in repository.pending.in_order() if envelope.id not in parked]
        envelopes, wanted, waiting = sending.gather(repository, remote, envelopes)
        if not envelopes:
            return Pushed(0, packs, size, waiting=waiting, pulled=pulled)
        sent = sending.send(repository, remote, sending.together(wanted), progress)
        packs, size = packs + sent.packs, size + sent.size_bytes
        told = sending.with_packs(remote, envelopes, wanted, sent)
        try:
            append.append_transactions(theirs, before, told)
            done = True
        except append.ControlActError:
            done = False
        after = pulling.pull(repository, remote)
        pulled = Pulled(pulled.entries + after.entries, pulled.transactions, pulled.renumbered + after.renumbered, pulled.carried)
        if done:
            with suppress(RemoteError):  # all is pushed; without these caches clones read more
                _write_caches(repository, remote, theirs.id, before.number)
            return Pushed(len(envelopes), packs, size, waiting=waiting, pulled=pulled)


def _write_caches(repository: Repository, remote: Remote, journal: bytes, before: int) -> None:
    """Writes the bundles and locators that are due after what was appended behind entry `before`."""
    if not remote.wants_caches:
        return
    here = Journal(repository.backend, journal)
    now = local_tail(repository, journal).number
    singles = [Range(0, number - 1) for number in range(before + 1, now + 1)]
    ranges = list(bundle.completed(before, now))
    with remote.backend.together():
        locating.write(remote.backend, remote.index, here, singles)
        bundling.write(repository, remote, journal, ranges)
        locating.write(remote.backend, remote.index, here, ranges)


def _hand_over(repository: Repository, remote: Remote, record: StoreRecord, progress: Progress) -> Pushed:
    """Makes an empty remote the authority: packs there, the handover here, then all entries there (RULES E1).

    The handover comes before the prefix is copied. So whoever is cut off in between left either an empty remote, which
    the next push begins with, or a journal that names the remote: then anyone who has it finishes. A remote with a
    prefix and without a handover could not be told from somebody's clone.
    """
    standing = repository.refresh()
    assert standing.journal is not None, "the caller has looked"
    envelopes = history(repository)
    sent = sending.send(repository, remote, sending.wanted_of(repository, remote, envelopes), progress)
    packs, size = sent.packs, sent.size_bytes
    with repository.locks.appending():
        latest = repository.refresh()
        if repository.is_authority(latest):
            if latest.number != standing.number:  # committed meanwhile
                envelopes = history(repository)
                sent = sending.send(repository, remote, sending.wanted_of(repository, remote, envelopes), progress)
                packs, size = packs + sent.packs, size + sent.size_bytes
            append.append_control(
                Journal(repository.backend, standing.journal),
                Tail(latest.number, latest.hash),
                Control(HANDOVER, record.id, remote.url),
            )
    carrying.copy_history(repository, remote)
    repository.refresh()
    return Pushed(len(envelopes), packs, size, handed_over=True)


def _has_what_is_here(repository: Repository, remote: Remote) -> bool:
    """Tells whether the authority's journal reaches at least as far as this repository's, by asking for one entry."""
    journal = repository.refresh().journal
    if journal is None or not leads(repository, remote):
        return False
    tail = local_tail(repository, journal)
    return bool(tail.number) and remote.entry_of(journal, tail.number) is not None


def history(repository: Repository) -> list[Envelope]:
    """Returns all transactions of the journal that is here, in order."""
    journal = repository.journal()
    if journal is None:
        return []
    return [envelope for _, entry, _ in journal.whole() for envelope in entry.envelopes]
