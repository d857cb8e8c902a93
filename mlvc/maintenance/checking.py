"""fsck: proves everything that holds truth, and compares what is derived with it. `healing` heals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Protocol

from msgspec import Struct, field

from mlvc.backend.interface import KeyMissingError
from mlvc.errors import DamageError, Error, NewerFormatError
from mlvc.format import journal_entry, transaction
from mlvc.format.ids import TransactionId, VersionId
from mlvc.format.pack import PackName, Slot
from mlvc.journal.entries import Journal
from mlvc.maintenance import fresh_view, liveness
from mlvc.objects import pack_reader
from mlvc.objects.pack_index import Place
from mlvc.objects.store import Wanted
from mlvc.progress import SILENT, Progress
from mlvc.repository import store_record
from mlvc.repository.repository import Repository


class Source(Protocol):
    """Somewhere else that may hold what is damaged or missing here: a remote."""

    @property
    def name(self) -> str:
        """What the user calls it."""
        ...

    def holds(self, wanted: list[Wanted]) -> set[Wanted]:
        """Returns which of `wanted` it holds, by its index."""
        ...

    def bring(self, wanted: list[Wanted]) -> None:
        """Puts as many of `wanted` as it holds into packs here, each proven."""
        ...

    def entry(self, journal: bytes, number: int) -> bytes | None:
        """Returns the bytes of a journal entry, or None."""
        ...


class Report(Struct):
    """What a check found.

    Attributes:
        damage: sentences, one for each thing that is broken.
        notes: sentences about what is odd and harms nothing.
        repaired: what was healed.
        elsewhere: pieces that are not here but can be fetched (a lazy clone).
        checked_packs, checked_bytes, checked_entries: how much was read.
        bad_packs: damaged packs with those of their slots that are known to be damaged.
        bad_entries, bad_pending: journal entries and pending transactions that are damaged or missing.
        missing: pieces that are needed, damaged or missing here, and not just left behind by a lazy clone.
    """

    damage: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)
    elsewhere: int = 0
    checked_packs: int = 0
    checked_bytes: int = 0
    checked_entries: int = 0
    bad_packs: dict[PackName, list[Slot]] = field(default_factory=dict)
    bad_entries: list[int] = field(default_factory=list)
    bad_pending: list[TransactionId] = field(default_factory=list)
    missing: int = 0

    @property
    def is_clean(self) -> bool:
        """Whether there is nothing to heal."""
        return not (self.damage or self.bad_packs or self.bad_entries or self.bad_pending)


def check(
    repository: Repository,
    sources: Sequence[Source] = (),
    kept: Iterable[VersionId] = (),
    progress: Progress = SILENT,
    *,
    more: Iterable[Callable[[], object]] = (),
) -> Report:
    """Reads and proves everything; changes nothing but caches.

    Args:
        repository: the store.
        sources: asked, by their indexes only, for what a lazy clone left behind.
        kept: versions that pins need.
        progress: hears of bytes read.
        more: reads of other files that hold truth; each raises DamageError when its file is damaged.
    """
    report = Report()
    _attempt(report, lambda: store_record.read(repository.backend))
    _check_journal(repository, report)
    _check_pending(repository, report)
    _check_packs(repository, report, progress)
    for read in more:
        _attempt(report, read)
    if not report.bad_entries and not report.bad_pending:
        _check_view(repository, report)
    _check_needs(repository, sources, list(kept), report)
    return report


def _attempt(report: Report, work: Callable[[], object]) -> bool:
    try:
        work()
    except (DamageError, NewerFormatError) as error:
        report.damage.append(error.message)
        return False
    return True


def _check_journal(repository: Repository, report: Report) -> None:
    try:
        journal = repository.journal()
    except DamageError as error:
        report.damage.append(error.message)
        return
    if journal is None:
        return
    previous: bytes | None = journal_entry.NO_PREDECESSOR
    for number in range(1, journal.highest() + 1):
        report.checked_entries += 1
        try:
            previous = _check_entry(journal, number, previous)
        except (DamageError, NewerFormatError) as error:
            report.damage.append(error.message)
            report.bad_entries.append(number)
            previous = None


def _check_entry(journal: Journal, number: int, previous: bytes | None) -> bytes:
    """Proves an entry, by the hash of the one before where that is known; returns its own hash."""
    data = journal.read_bytes(number)
    if data is None:
        raise DamageError(f"the journal entry {number} is missing")
    entry = journal.decode(data, number)
    if previous is not None and entry.previous != previous:
        raise DamageError(f"the journal entry {number} does not follow entry {number - 1}")
    for envelope in entry.envelopes:
        transaction.decode(envelope.data)
    return journal_entry.entry_hash(data)


def _check_pending(repository: Repository, report: Report) -> None:
    for identifier in sorted(repository.pending.ids()):
        if not _attempt(report, partial(_read_pending, repository, identifier)):
            report.bad_pending.append(identifier)


def _read_pending(repository: Repository, identifier: TransactionId) -> None:
    envelope = repository.pending.read(identifier)
    if envelope is not None:  # it may have become confirmed meanwhile
        transaction.decode(envelope.data)


def _check_packs(repository: Repository, report: Report, progress: Progress) -> None:
    index = repository.objects.index
    index.refresh(force=True)
    for key, size in sorted(repository.backend.keys("packs/")):
        name = PackName.from_key(key)
        if name is None:
            report.notes.append(f"{key} is no pack")
            continue
        report.checked_packs += 1
        report.checked_bytes += size
        index.trust(name)
        try:
            damaged = pack_reader.check_whole(repository.backend, name, repository.objects.base_of)
            for slot, error in damaged:
                report.damage.append(f"{key}: {error.message}")
                index.mark_damaged(Place(name, slot))
            if damaged:
                report.bad_packs[name] = [slot for slot, _ in damaged]
        except KeyMissingError:
            continue
        except (DamageError, NewerFormatError) as error:
            report.damage.append(error.message)
            report.bad_packs[name] = _distrust(repository, name)
        progress.advance(size)


def _distrust(repository: Repository, name: PackName) -> list[Slot]:
    """Marks, and returns, those known slots of a broken pack that do not prove themselves one by one."""
    damaged = []
    for slot in list(repository.objects.index.slots(name)):
        try:
            pack_reader.read_slot(repository.backend, name, slot, repository.objects.base_of(slot))
        except (DamageError, NewerFormatError, KeyMissingError):
            repository.objects.index.mark_damaged(Place(name, slot))
            damaged.append(slot)
    return damaged


def _check_view(repository: Repository, report: Report) -> None:
    """Folds again and compares; a cached view that differs is derived, so it is thrown away and made anew."""
    try:
        repository.refresh()
        fresh = fresh_view.fold_anew(repository)
    except (DamageError, NewerFormatError) as error:
        report.damage.append(error.message)
        return
    if fresh.values.snapshot() != repository.cached_view.contents():
        repository.cached_view.discard()
        repository.refresh()
        report.notes.append("the cached view did not match the journal; it was made anew")


def _check_needs(repository: Repository, sources: Sequence[Source], kept: list[VersionId], report: Report) -> None:
    try:
        fresh = fresh_view.fold_anew(repository)
    except Error:
        return  # reported above
    lacking = missing_pieces(repository, fresh, kept)
    there = held_elsewhere(sources, lacking)
    lost = [item for item in lacking if item not in there]
    broken = {(slot.id, slot.code) for slots in report.bad_packs.values() for slot in slots}
    hurt = [item for item in lacking if item in broken and item in there]
    report.elsewhere = len(there) - len(hurt)
    report.missing = len(lost) + len(hurt)
    if hurt:
        report.damage.append(f"{_pieces(len(hurt))} that living versions or runs need {_are(len(hurt))} damaged here; a remote has {_them(len(hurt))}")
    if lost:
        report.damage.append(
            f"{_pieces(len(lost))} that living versions or runs need {_are(len(lost))} nowhere within reach, the first: {lost[0][0].hex()[:12]}"
        )


def _pieces(count: int) -> str:
    return f"{count:,} piece{'' if count == 1 else 's'}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _them(count: int) -> str:
    return "it" if count == 1 else "them"


def missing_pieces(
    repository: Repository, fresh: fresh_view.FreshView, kept: Iterable[VersionId]
) -> list[Wanted]:
    """Returns what living versions and runs need and no undamaged local pack holds."""
    with repository.objects.local_only():
        needs = list(liveness.live_needs(fresh, kept=kept, dead_since_s=float("inf")))
        wanted, _ = liveness.wanted(repository.objects, needs)
    return [item for item in sorted(wanted) if not repository.objects.index.find(*item)]


def held_elsewhere(sources: Iterable[Source], wanted: list[Wanted]) -> set[Wanted]:
    """Returns which of `wanted` some source holds, by its index."""
    found: set[Wanted] = set()
    for source in sources if wanted else ():
        found |= source.holds(wanted)
    return found


def summary(report: Report) -> str:
    """Returns one line about how much was checked."""
    return f"checked {report.checked_entries:,} journal entries and {report.checked_packs:,} packs ({report.checked_bytes:,} bytes)"
