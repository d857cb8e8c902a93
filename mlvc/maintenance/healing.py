"""Heals what a check found, from sources elsewhere or from other copies here; nothing readable is thrown away."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mlvc import atomic_file
from mlvc.backend.interface import KeyMissingError
from mlvc.errors import DamageError, Error, NewerFormatError
from mlvc.format import journal_entry
from mlvc.format.ids import TransactionId, VersionId
from mlvc.format.pack import PackName
from mlvc.format.record import CHUNK_CODE
from mlvc.journal.entries import Journal
from mlvc.maintenance import fresh_view
from mlvc.maintenance.checking import Report, Source, held_elsewhere, missing_pieces
from mlvc.objects import pack_reader
from mlvc.objects.pack_writer import PackWriter
from mlvc.repository.repository import Repository

_ROUNDS = 4
_DAMAGED = "damaged"


def repair(repository: Repository, sources: Sequence[Source], report: Report, kept: Iterable[VersionId] = ()) -> None:
    """Heals what a check found: entries and pieces from sources, then damaged packs are rewritten without the damage.

    Adds to `report.repaired`. A pack is removed only when nothing that is needed is out of reach.

    Raises:
        ConflictError: commits are under way.
    """
    for number in report.bad_entries:
        _heal_entry(repository, sources, number, report)
    for identifier in report.bad_pending:
        _set_aside(repository, sources, identifier, report)
    if report.bad_entries or report.bad_pending:
        repository.cached_view.discard()
    try:
        repository.refresh()
        fresh = fresh_view.fold_anew(repository)
    except Error:
        return  # an entry could not be healed; the check that follows says so again
    kept = list(kept)
    broken = {(slot.id, slot.code) for slots in report.bad_packs.values() for slot in slots}
    before = len(missing_pieces(repository, fresh, kept))
    for _ in range(_ROUNDS):  # a healed manifest may reveal that a recipe is missing, and that one chunks
        lacking = [i for i in missing_pieces(repository, fresh, kept) if i in broken or i[1] != CHUNK_CODE]
        for source in sources if lacking else ():
            source.bring(lacking)
    lacking = missing_pieces(repository, fresh, kept)
    if len(lacking) < before:
        report.repaired.append(f"{before - len(lacking):,} pieces: taken from a remote")
    lost = set(lacking) - held_elsewhere(sources, lacking)
    if lost or not report.bad_packs:
        return
    with repository.locks.deleting():
        for name in report.bad_packs:
            _rewrite(repository, name)
            report.repaired.append(f"{name.key}: rewritten without the damage")


def _heal_entry(repository: Repository, sources: Iterable[Source], number: int, report: Report) -> None:
    journal = repository.journal()
    assert journal is not None, "an entry of it was found damaged"
    after = journal.read_bytes(number + 1)
    for source in sources:
        data = source.entry(journal.id, number)
        if data is not None and _fits(journal, number, data, after):
            repository.backend.write(journal_entry.key(journal.id, number), [data])
            report.repaired.append(f"journal entry {number}: taken from {source.name}")
            return


def _fits(journal: Journal, number: int, data: bytes, after: bytes | None) -> bool:
    """Tells whether an entry from elsewhere is the one that belongs between its neighbours here."""
    try:
        entry = journal.decode(data, number)
        if entry.previous != journal.hash_of(number - 1):
            return False
        return after is None or journal.decode(after, number + 1).previous == journal_entry.entry_hash(data)
    except (DamageError, NewerFormatError):
        return False


def _set_aside(repository: Repository, sources: Iterable[Source], identifier: TransactionId, report: Report) -> None:
    """Takes a pending transaction that cannot be read out of the way: it was in one place only, or is confirmed elsewhere.

    Its bytes are kept, for whoever can mend them.
    """
    source = repository.path / f"pending/{identifier.hex()}"
    try:
        data = source.read_bytes()
    except FileNotFoundError:
        return
    repository.backend.write(f"{_DAMAGED}/{identifier.hex()}", [data])
    repository.pending.remove(identifier)
    names = " or ".join(s.name for s in sources)
    report.repaired.append(
        f"the pending transaction {identifier.hex()[:12]} cannot be read and was set aside in {_DAMAGED}/; "
        + (f"unless it was pushed to {names}, add its files again" if names else "add its files again")
    )


def _rewrite(repository: Repository, name: PackName) -> None:
    """Copies what is whole in a damaged pack into a new one, then removes the damaged one."""
    index = repository.objects.index
    writer = PackWriter(repository.backend, name.pack_class)
    try:
        for slot in sorted(index.slots(name), key=lambda s: s.offset):
            try:
                stored = pack_reader.read_stored(repository.backend, name, slot)
                pack_reader.read_slot(repository.backend, name, slot, repository.objects.base_of(slot))
            except (DamageError, NewerFormatError, KeyMissingError):
                continue
            writer.add(slot.id, slot.code, stored, slot.size, slot.base)
        if writer.slots:
            fresh = writer.publish()
            atomic_file.sync_folder(repository.backend.path(fresh.key).parent)  # before the only other copy goes
            index.add(fresh, writer.slots.values())
    finally:
        writer.discard()
    index.remove([name])
    repository.backend.delete(name.key)
