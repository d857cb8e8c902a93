"""Finding pieces at a remote without the footers of all its packs: by locators, and the footers of what came lately.

Locators are caches beside the bundles. What they do not know may still be there: whoever must have it reads all footers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mlvc.backend.interface import Backend, KeyMissingError
from mlvc.errors import DamageError
from mlvc.format import bundle, locator
from mlvc.format.bundle import Range
from mlvc.format.locator import Guide
from mlvc.format.pack import PackClass, PackName, Slot
from mlvc.format.record import CHUNK_CODE
from mlvc.journal.entries import Journal
from mlvc.objects import pack_reader
from mlvc.objects.pack_index import PackIndexCache
from mlvc.objects.store import Wanted
from mlvc.parallel import map_in_order

PLACES = "places"
_FIRST_READ = 64 << 10
_READERS = 8
_MANY_SLOTS = 2_000
"""An entry that brings more chunks than this gets a locator of its own: its packs' footers would be a long read."""


class Locators:
    """The locators of one remote, for a journal that is here too; what was read of them is remembered."""

    def __init__(self, backend: Backend, index: PackIndexCache) -> None:
        self._backend = backend
        self._index = index
        self._guides: dict[str, Guide | None] = {}

    def learn(self, here: Journal, wanted: Iterable[Wanted]) -> None:
        """Puts into the index where the remote holds pieces, as far as locators and lately brought packs tell."""
        unknown = self._index.unknown(wanted)
        if not unknown:
            return
        ranges = list(bundle.cover(1, here.highest()))
        classes = {PackClass.DATA if code == CHUNK_CODE else PackClass.META for _, code in unknown}
        self._read_tail(here, [one for one in ranges if not one.level], classes)
        for one in reversed(ranges):  # what was made lately is asked for most
            unknown = self._index.unknown(unknown)
            if not unknown:
                return
            self._ask(here, one, unknown)

    def _read_tail(self, here: Journal, ranges: list[Range], classes: set[PackClass]) -> None:
        """Reads the footers of packs that single entries bring, unless these have a locator for being many."""
        known = set(self._index.packs())
        brought = {one: [n for n in _brought(here, one) if n.pack_class in classes and n not in known] for one in ranges}
        asked = [one for one, names in brought.items() if names]
        guides = map_in_order(lambda one: self._guide(here, one), asked, workers=_READERS)
        without = [one for one, guide in zip(asked, guides, strict=True) if guide is None]
        names = dict.fromkeys(name for one in without for name in brought[one])
        for name, slots in map_in_order(self._footer, names, workers=_READERS):
            if slots is not None:
                self._index.add(name, slots)

    def _footer(self, name: PackName) -> tuple[PackName, list[Slot] | None]:
        try:
            return name, list(pack_reader.read_index(self._backend, name))
        except (KeyMissingError, DamageError):
            return name, None  # merged with others, swept, or damaged: it is not where this chunk is

    def _ask(self, here: Journal, one: Range, unknown: list[Wanted]) -> None:
        guide = self._guide(here, one)
        if guide is None:
            for part in one.parts() if one.level > 1 else ():
                self._ask(here, part, unknown)
            return
        spans = dict.fromkeys(span for identifier, _ in unknown if (span := guide.span(identifier)) is not None)
        everything = guide.everything()
        if sum(span.size for span in spans) > everything.size // 2:
            spans = {everything: None}
        key = one.key(here.id, PLACES)
        asked = set(unknown)
        for data in map_in_order(lambda span: self._backend.read_range(key, span.offset, span.size), spans, workers=_READERS):
            try:
                rows = guide.read(data)
            except DamageError:
                return
            found: dict[PackName, list[Slot]] = {}
            for name, slot in rows:
                if (slot.id, slot.code) in asked or everything in spans:
                    found.setdefault(name, []).append(slot)
            for name, slots in found.items():
                self._index.learn(name, slots)

    def _guide(self, here: Journal, one: Range) -> Guide | None:
        key = one.key(here.id, PLACES)
        if key not in self._guides:
            self._guides[key] = _read_guide(self._backend, key)
        return self._guides[key]


def _read_guide(backend: Backend, key: str) -> Guide | None:
    try:
        data = backend.read_range(key, 0, _FIRST_READ)
        size = locator.needed(data)
        if size > len(data):
            data += backend.read_range(key, len(data), size - len(data))
        return locator.guide(data)
    except (KeyMissingError, DamageError):
        return None


def _brought(here: Journal, one: Range) -> Iterator[PackName]:
    for number in range(one.first, one.last + 1):
        entry = here.read(number)
        for envelope in entry.envelopes if entry is not None else ():
            yield from envelope.brings


# -- writing --------------------------------------------------------------------------------------------------------


def write(backend: Backend, index: PackIndexCache, here: Journal, ranges: Iterable[Range]) -> None:
    """Writes the locators of ranges that lack one: of packs for single entries and level 1, of locators above."""
    for one in ranges:
        names = list(dict.fromkeys(_brought(here, one))) if one.level < 2 else []
        if one.level == 0 and sum(index.count(name) for name in names) <= _MANY_SLOTS:
            continue
        found = _from_packs(backend, index, names) if one.level < 2 else _from_parts(backend, here, one)
        if found is not None:
            _create(backend, one.key(here.id, PLACES), found)


def write_all(backend: Backend, index: PackIndexCache, here: Journal, ranges: Iterable[Range]) -> None:
    """Writes the locators of a history whose entries do not tell which packs hold it at this store: all in the first one."""
    places = [(name, slot) for name in index.packs() for slot in index.slots(name)]
    for one in (one for one in ranges if one.level):
        _create(backend, one.key(here.id, PLACES), places)
        places = []


def _create(backend: Backend, key: str, places: list[tuple[PackName, Slot]]) -> None:
    data = locator.encode(places)
    if data is not None:
        backend.create(key, data)


def _from_packs(backend: Backend, index: PackIndexCache, names: list[PackName]) -> list[tuple[PackName, Slot]] | None:
    known = set(index.packs())
    found: list[tuple[PackName, Slot]] = []
    for name in names:
        try:
            slots = index.slots(name) if name in known else pack_reader.read_index(backend, name)
        except KeyMissingError:
            continue  # swept, or merged with others on its way
        except DamageError:
            return None
        found.extend((name, slot) for slot in slots)
    return found


def _from_parts(backend: Backend, here: Journal, one: Range) -> list[tuple[PackName, Slot]] | None:
    found: list[tuple[PackName, Slot]] = []
    for part in one.parts():
        key = part.key(here.id, PLACES)
        guide = _read_guide(backend, key)
        if guide is None:
            return None
        rows = guide.everything()
        found.extend(guide.read(backend.read_range(key, rows.offset, rows.size)))
    return found
