"""Brings single chunks and records from a remote: ranged reads, proven before they are kept, put into local packs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial

from mlvc import atomic_file
from mlvc.backend.interface import KeyMissingError
from mlvc.errors import DamageError
from mlvc.format import chunk
from mlvc.format.pack import PackClass, PackName, Slot
from mlvc.format.record import CHUNK_CODE
from mlvc.objects.pack_index import Place
from mlvc.objects.pack_writer import PackWriter
from mlvc.objects.store import BaseLostError, ObjectStore, Wanted
from mlvc.parallel import Background, Gate, map_in_order
from mlvc.progress import SILENT, Progress
from mlvc.sync.remote import Remote

_GAP = 64 << 10
"""Two pieces at most this far apart, in bytes, are read in one request."""

_LARGEST_READ = 8 << 20

_READERS, _MOST_READERS = 6, 16
"""Reads under way at once, at first and at most: a far store answers late, and several answers keep the line busy."""


def fetch(store: ObjectStore, remote: Remote, wanted: list[Wanted], progress: Progress = SILENT) -> int:
    """Brings as many of `wanted` as the remote holds into local packs, bases before their differences.

    A damaged piece at the remote counts as not there.

    Returns:
        How many bytes were read.
    """
    remaining = dict.fromkeys(wanted)
    total = 0
    before: dict[Wanted, Place] = {}
    while remaining:
        places = _places(store, remote, list(remaining))
        if not places or places == before:
            break
        before = places
        with progress.part(f"fetch from {remote.name}", sum(place.slot.stored_size for place in places.values())) as part:
            for level in _levels(places):
                for size, item in _bring(store, remote, level, part):
                    total += size
                    remaining.pop(item, None)
        # What did not come was damaged or gone where the index had it; it says so now, and may know another place.
    return total


def _levels(places: dict[Wanted, Place]) -> list[dict[PackName, list[Slot]]]:
    """Groups places so that each level's differences are to what is here or comes with a level before."""
    levels: list[dict[PackName, list[Slot]]] = []
    depths: dict[Wanted, int] = {}

    def depth(item: Wanted, above: tuple[Wanted, ...] = ()) -> int:
        if item not in depths:
            base = places[item].slot.base
            below = (base, CHUNK_CODE) if base is not None else None
            leads_on = below is not None and below in places and below not in above
            depths[item] = 1 + depth(below, (*above, item)) if leads_on and below is not None else 0
        return depths[item]

    for item, place in places.items():
        while len(levels) <= depth(item):
            levels.append({})
        levels[depth(item)].setdefault(place.pack, []).append(place.slot)
    return levels


_KNOWN, _LEARNT, _LISTED = range(3)
"""Where pieces lie is asked of what is known here, then of locators, and at last of the footers of all packs."""


def _places(store: ObjectStore, remote: Remote, wanted: list[Wanted]) -> dict[Wanted, Place]:
    """Returns where the remote holds pieces, and the bases of these that are not here.

    Asks again, anew, for those that its cached index lacks.
    """
    places: dict[Wanted, Place] = {}
    unknown = wanted
    for step in (_KNOWN, _LEARNT, _LISTED):
        if step == _LEARNT and unknown:
            remote.learn(unknown)
        elif step == _LISTED and unknown:
            remote.index.refresh()
        waiting = unknown
        missing: dict[Wanted, None] = {}
        while waiting:
            found = _found(remote, waiting)
            places.update(found)
            missing.update((item, None) for item in waiting if item not in found)
            bases = {(place.slot.base, CHUNK_CODE) for place in found.values() if place.slot.base is not None}
            waiting = store.missing([base for base in bases if base not in places and base not in missing])
        unknown = list(missing)
    return places


def _found(remote: Remote, wanted: list[Wanted]) -> dict[Wanted, Place]:
    by_code: dict[int, list[bytes]] = {}
    for identifier, code in wanted:
        by_code.setdefault(code, []).append(identifier)
    return {(i, code): place for code, ids in by_code.items() for i, place in remote.index.places(ids, code).items()}


def _bring(
    store: ObjectStore, remote: Remote, places: dict[PackName, list[Slot]], progress: Progress
) -> Iterator[tuple[int, Wanted]]:
    """Reads pieces and puts them into local packs; yields the stored size of each that came."""
    writers: dict[PackClass, PackWriter] = {}
    publishing = Background(1)
    try:
        work = partial(_read, store, remote, Gate(_READERS, _MOST_READERS))
        for slots in map_in_order(lambda read: work(*read), _reads(places), workers=_MOST_READERS, ahead=_MOST_READERS):
            for slot, stored in slots:
                pack_class = PackClass.DATA if slot.code == CHUNK_CODE else PackClass.META
                if pack_class not in writers:
                    writers[pack_class] = PackWriter(store.backend, pack_class)
                writers[pack_class].add(slot.id, slot.code, stored, slot.size, slot.base)
                progress.advance(len(stored))
                if writers[pack_class].is_full:
                    publishing.start(partial(_publish, store, writers.pop(pack_class)))
                yield len(stored), (slot.id, slot.code)
        for pack_class in list(writers):
            publishing.start(partial(_publish, store, writers.pop(pack_class)))
        publishing.wait()
    finally:
        with suppress(Exception):  # what failed is on its way already
            publishing.wait()
        for writer in writers.values():
            writer.discard()


def _publish(store: ObjectStore, writer: PackWriter) -> None:
    name = writer.publish()
    atomic_file.sync_folder(store.backend.path(name.key).parent)
    store.index.add(name, writer.slots.values())


def _reads(places: dict[PackName, list[Slot]]) -> Iterator[tuple[PackName, list[Slot]]]:
    """Groups slots that lie close together into one read each."""
    for name, slots in places.items():
        group: list[Slot] = []
        for slot in sorted(slots, key=lambda s: s.offset):
            end = group[-1].offset + group[-1].stored_size if group else 0
            if group and (slot.offset - end > _GAP or slot.offset + slot.stored_size - group[0].offset > _LARGEST_READ):
                yield name, group
                group = []
            group.append(slot)
        if group:
            yield name, group


def _read(store: ObjectStore, remote: Remote, gate: Gate, name: PackName, slots: list[Slot]) -> list[tuple[Slot, bytes]]:
    start = slots[0].offset
    size = slots[-1].offset + slots[-1].stored_size - start
    try:
        remote.pace.spend(size)
        with gate.passing(size):
            data = remote.backend.read_range(name.key, start, size)
    except KeyMissingError:
        remote.index.remove([name])
        return []
    found = []
    for slot in slots:
        stored = data[slot.offset - start : slot.offset - start + slot.stored_size]
        try:
            chunk.decode_verified(stored, slot.size, slot.id, store.base_of(slot, local_only=True))
        except BaseLostError:
            continue  # it did not come, or is damaged there: this one is no use without it
        except DamageError:
            remote.index.mark_damaged(Place(name, slot))
            continue
        found.append((slot, stored))
    return found
