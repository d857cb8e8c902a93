"""fsck: proves everything that holds truth, compares what is derived with it, and heals what can be healed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from mlvc.backend.interface import KeyMissingError
from mlvc.errors import DamageError, Error, NewerFormatError
from mlvc.format import journal_entry
from mlvc.format.ids import VersionId
from mlvc.format.pack import PackName, Slot
from mlvc.journal.entries import Journal
from mlvc.maintenance import fresh_view, liveness
from mlvc.objects import pack_reader
from mlvc.objects.pack_index import Place
from mlvc.objects.pack_writer import PackWriter
from mlvc.objects.store import Wanted
from mlvc.progress import SILENT, Progress
from mlvc.repository import store_record
from mlvc.repository.repository import Repository
from mlvc.runs import event_log, live_run
from mlvc.sync import fetching
from mlvc.sync.remote import Remote


@dataclass(slots=True)
class Report:
    """What a check found.

    Attributes:
        damage: sentences, one for each thing that is broken.
        notes: sentences about what is odd and harms nothing.
        repaired: what was healed.
        elsewhere: pieces that are not here but can be fetched (a lazy clone).
        checked_packs, checked_bytes, checked_entries: how much was read.
    """

    damage: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)
    elsewhere: int = 0
    checked_packs: int = 0
    checked_bytes: int = 0
    checked_entries: int = 0
    bad_packs: dict[PackName, list[Slot] | None] = field(default_factory=dict)
    bad_entries: list[int] = field(default_factory=list)


def check(
    repository: Repository, remotes: Iterable[Remote], kept: Iterable[VersionId] = (), progress: Progress = SILENT
) -> Report:
    """Reads and proves everything; changes nothing but caches.

    Args:
        repository: the store.
        remotes: asked, by their indexes only, for what a lazy clone left behind.
        kept: versions that pins need.
        progress: hears of bytes read.
    """
    report = Report()
    _attempt(report, lambda: store_record.read(repository.backend))
    _check_journal(repository, report)
    _check_pending(repository, report)
    _check_packs(repository, report, progress)
    _check_runs(repository, report)
    if not report.bad_entries and not report.damage:
        _check_view(repository, report)
    _check_needs(repository, list(remotes), list(kept), report)
    return report


def _attempt(report: Report, work: object) -> None:
    try:
        work()  # type: ignore[operator]
    except (DamageError, NewerFormatError) as error:
        report.damage.append(error.message)


def _check_journal(repository: Repository, report: Report) -> None:
    try:
        journal = repository.journal()
    except DamageError as error:
        report.damage.append(error.message)
        return
    if journal is None:
        return
    previous: bytes | None = journal_entry.NO_PREDECESSOR
    last = max((int(k.rsplit("/", 1)[1]) for k, _ in repository.backend.keys(f"journal/{journal.id.hex()}/")), default=0)
    for number in range(1, last + 1):
        data = journal.read_bytes(number)
        report.checked_entries += 1
        try:
            if data is None:
                raise DamageError(f"journal entry {number} is missing")
            entry = journal.decode(data, number)
            if previous is not None and entry.previous != previous:
                raise DamageError(f"journal entry {number} does not follow entry {number - 1}")
            previous = journal_entry.entry_hash(data)
        except (DamageError, NewerFormatError) as error:
            report.damage.append(error.message)
            report.bad_entries.append(number)
            previous = None


def _check_pending(repository: Repository, report: Report) -> None:
    for identifier in sorted(repository.pending.ids()):
        _attempt(report, lambda i=identifier: repository.pending.read(i))


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
        try:
            damaged = pack_reader.check_whole(repository.backend, name)
            for slot, error in damaged:
                report.damage.append(f"{key}: {error.message}")
                index.mark_damaged(Place(name, slot))
            if damaged:
                report.bad_packs[name] = [slot for slot, _ in damaged]
        except KeyMissingError:
            continue
        except (DamageError, NewerFormatError) as error:
            report.damage.append(error.message)
            report.bad_packs[name] = None
            _distrust(repository, name)
        progress.advance(size)


def _distrust(repository: Repository, name: PackName) -> None:
    """Marks those slots of a broken pack that do not prove themselves one by one."""
    for slot in list(repository.objects.index.slots(name)):
        try:
            pack_reader.read_slot(repository.backend, name, slot)
        except (DamageError, KeyMissingError):
            repository.objects.index.mark_damaged(Place(name, slot))


def _check_runs(repository: Repository, report: Report) -> None:
    for live in live_run.list_live(repository.path / "runs"):
        _attempt(report, live.beginning)
        for path in live.log_paths():
            _attempt(report, lambda p=path: list(event_log.read(p)))


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


def _check_needs(repository: Repository, remotes: list[Remote], kept: list[VersionId], report: Report) -> None:
    try:
        fresh = fresh_view.fold_anew(repository)
    except Error:
        return  # reported above
    lacking = missing_pieces(repository, fresh, kept)
    there = _held_elsewhere(remotes, lacking)
    lost = [item for item in lacking if item not in there]
    is_lazy = bool(remotes) and not report.bad_packs
    if is_lazy:
        report.elsewhere = len(there)
    elif there:
        report.damage.append(f"{len(there):,} pieces are missing or damaged here; a remote holds them")
    if lost:
        report.damage.append(
            f"{len(lost):,} pieces that living versions or runs need are nowhere within reach, the first: {lost[0][0].hex()[:12]}"
        )
    if report.bad_packs and not lacking and len(report.damage) == _sentences_about(report):
        report.notes.extend(report.damage)
        report.notes.append("everything needed has another copy; 'mlvc fsck --repair' clears the damaged packs away")
        report.damage.clear()


def _sentences_about(report: Report) -> int:
    return sum(1 if slots is None else len(slots) for slots in report.bad_packs.values())


def missing_pieces(
    repository: Repository, fresh: fresh_view.FreshView, kept: Iterable[VersionId]
) -> list[Wanted]:
    """Returns what living versions and runs need and no undamaged local pack holds."""
    fetch, repository.objects.fetch = repository.objects.fetch, None
    try:
        needs = list(liveness.live_needs(fresh, kept=kept, dead_since_s=float("inf")))
        wanted, _ = liveness.wanted(repository.objects, needs)
    finally:
        repository.objects.fetch = fetch
    return [item for item in sorted(wanted) if not repository.objects.index.find(*item)]


def _held_elsewhere(remotes: list[Remote], wanted: list[Wanted]) -> set[Wanted]:
    found: set[Wanted] = set()
    if not wanted:
        return found
    for remote in remotes:
        if remote.record() is None:
            continue
        remote.index.refresh()
        found.update(item for item in wanted if remote.index.find(*item))
    return found


def repair(repository: Repository, remotes: list[Remote], report: Report, progress: Progress = SILENT) -> None:
    """Heals what a check found: entries and pieces from remotes, then damaged packs are rewritten without the damage.

    Adds to `report.repaired`. A pack is removed only when every needed piece of it is proven elsewhere in the store.

    Raises:
        ConflictError: commits are under way.
    """
    for number in report.bad_entries:
        _heal_entry(repository, remotes, number, report)
    if report.bad_entries:
        repository.cached_view.discard()
        repository.refresh()
    try:
        fresh = fresh_view.fold_anew(repository)
    except Error:
        return
    for _ in range(3):  # a healed manifest may reveal that a recipe is missing, and that one chunks
        lacking = missing_pieces(repository, fresh, ())
        if not lacking or not report.bad_packs:
            break
        for remote in remotes:
            if remote.record() is not None:
                fetching.fetch(repository.objects, remote, lacking, progress)
    lacking = missing_pieces(repository, fresh, ())
    with repository.locks.deleting():
        for name in report.bad_packs:
            if lacking:
                continue
            _rewrite(repository, name)
            report.repaired.append(f"{name.key}: rewritten without the damage")


def _heal_entry(repository: Repository, remotes: list[Remote], number: int, report: Report) -> None:
    journal = repository.journal()
    assert journal is not None, "an entry of it was found damaged"
    for remote in remotes:
        theirs = Journal(remote.backend, journal.id)
        data = theirs.read_bytes(number)
        after = journal.read_bytes(number + 1)
        if data is None:
            continue
        try:
            entry = journal.decode(data, number)
            before = journal.hash_of(number - 1)
            follows = entry.previous == before
            leads = after is None or journal.decode(after, number + 1).previous == journal_entry.entry_hash(data)
        except (DamageError, NewerFormatError):
            continue
        if follows and leads:
            repository.backend.write(journal_entry.key(journal.id, number), [data])
            report.repaired.append(f"journal entry {number}: taken from {remote.name}")
            return


def _rewrite(repository: Repository, name: PackName) -> None:
    """Copies what is whole in a damaged pack into a new one, then removes the damaged one."""
    index = repository.objects.index
    writer = PackWriter(repository.backend, name.pack_class)
    try:
        for slot in sorted(index.slots(name), key=lambda s: s.offset):
            try:
                stored = pack_reader.read_stored(repository.backend, name, slot)
                pack_reader.read_slot(repository.backend, name, slot)
            except (DamageError, KeyMissingError):
                continue
            writer.add(slot.id, slot.code, stored, slot.size, slot.base)
        if writer.slots:
            fresh = writer.publish()
            repository.objects.index.add(fresh, writer.slots.values())
    finally:
        writer.discard()
    index.remove([name])
    repository.backend.delete(name.key)


def summary(report: Report) -> str:
    """Returns one line about how much was checked."""
    return f"checked {report.checked_entries:,} journal entries and {report.checked_packs:,} packs ({report.checked_bytes:,} bytes)"
