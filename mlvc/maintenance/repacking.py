"""repack and prune: packs are written anew with only what is to stay, then the old ones are dropped.

Both go in two steps. Under the shared lock, beside commits, what is to stay is copied into new packs. Then under the
exclusive lock everything is marked again, and an old pack goes only if all of it that must stay now lies elsewhere. A crash
or a busy lock in between leaves copies, which the next run finds and does not make again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct

from mlvc import atomic_file
from mlvc.derived_database import on_network_file_system
from mlvc.errors import DamageError, UnsupportedError
from mlvc.format import chunk
from mlvc.format.ids import VersionId
from mlvc.format.operations import Publish
from mlvc.format.pack import PackClass, PackName, Slot
from mlvc.format.record import CHUNK_CODE
from mlvc.format.transaction import Need
from mlvc.maintenance import collecting, fresh_view, liveness
from mlvc.maintenance.fresh_view import Told
from mlvc.objects import pack_reader
from mlvc.objects.pack_writer import PackWriter
from mlvc.objects.store import Wanted
from mlvc.repository.repository import Repository

SMALL_PACK = 8 << 20
"""Packs below this size, in bytes, are merged when there are many."""

MANY_SMALL = 8
_WORTH_A_REWRITE = 0.25
MOST_MOVED = 4 << 30
"""How many bytes one run copies at most; the next run goes on."""

Held = Callable[[list[Wanted]], set[Wanted]]
"""Returns which pieces a remote is known to hold, now."""


class RepackPlan(Struct, frozen=True):
    """What is to be written anew.

    Attributes:
        packs: those that go, with what of each is copied first.
        freed_bytes: how much smaller the store becomes, about.
        moved_bytes: how much is copied.
    """

    packs: tuple[tuple[PackName, tuple[Slot, ...]], ...]
    freed_bytes: int
    moved_bytes: int


# -- repack -----------------------------------------------------------------------------------------------------------


def plan_repack(repository: Repository, kept: Iterable[VersionId], grace_s: float) -> RepackPlan:
    """Decides which packs are worth writing anew: those mostly dead, many small ones, and those that lean on dead bases.

    Raises:
        DamageError: what is needed cannot be told; then nothing may be dropped.
    """
    wanted, direct = _live(repository, kept, grace_s)
    index = repository.objects.index
    sizes = {name: repository.backend.size(name.key) or 0 for name in index.packs()}
    small = {c: [n for n, size in sizes.items() if n.pack_class is c and size < SMALL_PACK] for c in PackClass}
    chosen: list[tuple[PackName, tuple[Slot, ...]]] = []
    freed = moved = 0
    for name in sorted(sizes, key=lambda n: sizes[n]):
        slots = list(index.slots(name))
        live = tuple(slot for slot in slots if (slot.id, slot.code) in wanted)
        staying = sum(slot.stored_size for slot in live)
        dead = sum(slot.stored_size for slot in slots) - staying
        leans = any(slot.base is not None and (slot.base, CHUNK_CODE) not in direct for slot in live)
        is_small = name in small[name.pack_class] and len(small[name.pack_class]) >= MANY_SMALL
        if live and (is_small or leans or staying < dead) and moved + staying <= MOST_MOVED:
            chosen.append((name, live))
            moved += staying
            freed += dead
    return RepackPlan(tuple(chosen), freed, moved)


def repack(
    repository: Repository, kept: Callable[[], Iterable[VersionId]], grace_s: float = collecting.DEFAULT_GRACE_S
) -> RepackPlan:
    """Merges half-dead and small packs; a difference to a base that only it still needs is stored by itself.

    Returns:
        What was done.

    Raises:
        ConflictError: commits are under way; nothing was deleted.
        UnsupportedError: the store is on a network file system.
    """
    _refuse_network(repository)
    with repository.locks.committing():
        decided = plan_repack(repository, kept(), grace_s)
        _, direct = _live(repository, kept(), grace_s)
        _copy(repository, decided, lambda base: (base, CHUNK_CODE) not in direct)
    with repository.locks.deleting():
        wanted, _ = _live(repository, kept(), grace_s)
        return _drop(repository, decided, lambda slot: (slot.id, slot.code) in wanted)


def _live(repository: Repository, kept: Iterable[VersionId], grace_s: float) -> tuple[set[Wanted], set[Wanted]]:
    """Returns what is needed with the bases that is decoded by, and what is needed for itself."""
    repository.objects.index.refresh()
    fresh = fresh_view.fold_anew(repository)
    since = collecting.store_clock_s(repository) - grace_s
    return _wanted(repository, liveness.live_needs(fresh, kept=kept, dead_since_s=since))


def _wanted(repository: Repository, needs: Iterable[Need]) -> tuple[set[Wanted], set[Wanted]]:
    objects = repository.objects
    with objects.local_only():
        direct, broken = liveness.wanted_for_itself(objects, needs)
    if damaged := liveness.damaged(repository.view(), broken):
        raise DamageError(
            f"{len(damaged)} manifests or recipes of living versions cannot be read, so nothing may be dropped",
            hint="'mlvc fsck --repair' heals them from a remote",
        )
    return objects.index.with_bases(direct), direct


# -- prune ------------------------------------------------------------------------------------------------------------


def plan_prune(repository: Repository, kept: Iterable[VersionId], held: Held) -> RepackPlan:
    """Decides which data can be fetched again when wanted, and is needed here by no pin, run or pending transaction."""
    must_stay = _needed_here(repository, kept)
    index = repository.objects.index
    packs = [name for name in index.packs() if name.pack_class is PackClass.DATA]
    slots = {name: list(index.slots(name)) for name in packs}
    free = held([(s.id, s.code) for found in slots.values() for s in found if (s.id, s.code) not in must_stay]) - must_stay
    stays = index.with_bases({(s.id, s.code) for found in slots.values() for s in found} - free)
    chosen: list[tuple[PackName, tuple[Slot, ...]]] = []
    freed = moved = 0
    for name in packs:
        size = repository.backend.size(name.key) or 0
        staying = tuple(slot for slot in slots[name] if (slot.id, slot.code) in stays)
        staying_bytes = sum(slot.stored_size for slot in staying)
        if size - staying_bytes >= _WORTH_A_REWRITE * size and len(staying) < len(slots[name]) and moved + staying_bytes <= MOST_MOVED:
            chosen.append((name, staying))
            moved += staying_bytes
            freed += size - staying_bytes
    return RepackPlan(tuple(chosen), freed, moved)


def prune(repository: Repository, kept: Callable[[], Iterable[VersionId]], held: Held) -> RepackPlan:
    """Frees local bytes that a remote holds; reads fetch them again when they are wanted.

    Returns:
        What was done.

    Raises:
        ConflictError: commits are under way; nothing was deleted.
        UnsupportedError: the store is on a network file system.
    """
    _refuse_network(repository)
    with repository.locks.committing():
        decided = plan_prune(repository, kept(), held)
        _copy(repository, decided, lambda _: False)
    with repository.locks.deleting():
        must_stay = _needed_here(repository, kept())
        going = [(s.id, s.code) for name, _ in decided.packs for s in repository.objects.index.slots(name)]
        free = held(going) - must_stay
        stays = repository.objects.index.with_bases(set(going) - free)
        return _drop(repository, decided, lambda slot: (slot.id, slot.code) in stays)


def _needed_here(repository: Repository, kept: Iterable[VersionId]) -> set[Wanted]:
    """Returns what must be on this disk: what pins, runs, and transactions that no remote has yet cannot do without.

    So must what runs recorded, which is small, and what dead versions hold: an undo may want it, and gc decides of it.
    """
    repository.objects.index.refresh()
    repository.refresh()
    fresh = fresh_view.fold_anew(repository)
    kept = set(kept)

    def stays(told: Told, need: Need) -> bool:
        if need.kind != "artifact" or repository.cached_view.entry_of(told.envelope.id) is None:
            return True
        published = [o.version for o in told.transaction.operations if isinstance(o, Publish) and o.manifest == need.id]
        return any(version in kept or not fresh.view.is_alive(version) for version in published) or not published

    needs = [need for told in fresh.told for need in told.transaction.needs if stays(told, need)]
    return _wanted(repository, needs)[0]


# -- both -------------------------------------------------------------------------------------------------------------


def _refuse_network(repository: Repository) -> None:
    if on_network_file_system(repository.path):
        raise UnsupportedError(
            f"{repository.path} is on a network file system, where this version deletes nothing",
            hint="other hosts may be committing to it unseen",
        )


def _copy(repository: Repository, decided: RepackPlan, leaves: Callable[[bytes], bool]) -> None:
    """Copies what is to stay into new packs, each piece proven; a difference to a base that `leaves` is encoded by itself."""
    objects = repository.objects
    going = {name for name, _ in decided.packs}
    writers: dict[PackClass, PackWriter] = {}
    done: list[PackWriter] = []
    seen: set[Wanted] = set()
    try:
        for name, slots in decided.packs:
            for slot in sorted(slots, key=lambda s: s.offset):
                elsewhere = [p for p in objects.index.find(slot.id, slot.code) if p.pack not in going]
                if (slot.id, slot.code) in seen or elsewhere:
                    continue
                seen.add((slot.id, slot.code))
                content = pack_reader.read_slot(repository.backend, name, slot, objects.base_of(slot, local_only=True))
                stored, base = pack_reader.read_stored(repository.backend, name, slot), slot.base
                if base is not None and leaves(base):
                    stored, base = chunk.encode_alone(stored, content), None
                writer = writers.get(name.pack_class) or PackWriter(repository.backend, name.pack_class)
                writers[name.pack_class] = writer
                writer.add(slot.id, slot.code, stored, slot.size, base)
                if writer.is_full:
                    done.append(writers.pop(name.pack_class))
                    done[-1].publish()
        for writer in writers.values():
            writer.publish()
        done += writers.values()
        for pack_class in {writer.name.pack_class for writer in done}:
            atomic_file.sync_folder(repository.backend.path(f"packs/{pack_class.folder}"))
        for writer in done:
            objects.index.add(writer.name, writer.slots.values())
    finally:
        for writer in writers.values():
            writer.discard()


def _drop(repository: Repository, decided: RepackPlan, must_stay: Callable[[Slot], bool]) -> RepackPlan:
    """Deletes the packs of which nothing that must stay would be lost; returns what was done."""
    index = repository.objects.index
    going = {name for name, _ in decided.packs}
    gone = []
    for name, copied in decided.packs:
        staying = [slot for slot in index.slots(name) if must_stay(slot)]
        if all(any(p.pack not in going for p in index.find(slot.id, slot.code)) for slot in staying):
            gone.append((name, copied))
    sizes = sum(repository.backend.size(name.key) or 0 for name, _ in gone)
    index.remove(name for name, _ in gone)
    for name, _ in gone:
        repository.backend.delete(name.key)
    moved = sum(slot.stored_size for _, copied in gone for slot in copied)
    return RepackPlan(tuple(gone), max(0, sizes - moved), moved)
