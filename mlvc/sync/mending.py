"""What a remote lost that is here: journal entries it had confirmed, and pieces that living versions and runs need there."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from mlvc.format.transaction import Envelope
from mlvc.journal.entries import Journal
from mlvc.objects.store import Wanted
from mlvc.progress import SILENT, Progress
from mlvc.repository.repository import Repository
from mlvc.sync import carrying, sending
from mlvc.sync.remote import Remote, leads


class Lost(Struct, frozen=True):
    """What a remote lacks and this repository has.

    Attributes:
        entries: numbers of journal entries.
        pieces: chunks and records.
    """

    entries: tuple[int, ...] = ()
    pieces: tuple[Wanted, ...] = ()


def find_lost(repository: Repository, remote: Remote) -> Lost:
    """Returns what the authority lost; nothing for a carrier, which may lag behind or hold only a part.

    Reads the footers of the remote's packs, not what is in them: a piece counts as lost when none has it, or a read found it damaged.
    """
    journal = repository.journal()
    if journal is None or not leads(repository, remote):
        return Lost()
    there = Journal(remote.backend, journal.id).numbers()
    entries = tuple(number for number in sorted(journal.numbers()) if number not in there)
    envelopes = [envelope for _, entry, _ in journal.whole() for envelope in entry.envelopes]
    remote.index.refresh(force=True)
    remote.index.leave_out(repository.view().swept(remote.require_record().id))
    return Lost(entries, tuple(remote.index.unknown(_needed_here(repository, remote, envelopes))))


def _needed_here(repository: Repository, remote: Remote, envelopes: Sequence[Envelope]) -> list[Wanted]:
    """Returns what living versions and runs need of what is here."""
    needs = sending.Needs(repository, envelopes)
    found: dict[Wanted, None] = {}
    with repository.objects.local_only():
        for need in needs:
            if not needs.may_be_gone(need):
                found.update(dict.fromkeys(sending.as_far_as_here(repository.objects, need, remote.walk)))
    missing = set(repository.objects.missing(found))
    return [item for item in found if item not in missing]


def mend(repository: Repository, remote: Remote, lost: Lost, progress: Progress = SILENT) -> None:
    """Brings back to the authority what it lost: entries as they were, pieces in new packs.

    Raises:
        ConflictError: its journal went another way meanwhile; nothing was written.
    """
    with repository.locks.committing(), remote.committing():
        if lost.entries:
            carrying.copy_history(repository, remote)
        if lost.pieces:
            sending.send(repository, remote, lost.pieces, progress, renamed=True)
