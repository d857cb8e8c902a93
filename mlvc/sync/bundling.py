"""Bundles at a remote: entries, and the records they need, of aligned ranges in one object each. Written by whoever pushes across a border.

A bundle of entries is a function of the entries; one of records is a cache. Either may be missing, and then its parts serve.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

from mlvc import atomic_file
from mlvc.backend.interface import KeyMissingError
from mlvc.errors import DamageError, NotFoundError
from mlvc.format import bundle, chunk, pack, transaction
from mlvc.format.bundle import Range
from mlvc.format.ids import NONCE_SIZE, digest
from mlvc.format.pack import PackClass, PackIndex, PackName, Slot
from mlvc.journal.entries import ENTRIES, Journal
from mlvc.objects import closure, pack_reader
from mlvc.objects.pack_composing import Composition
from mlvc.objects.pack_index import Place
from mlvc.objects.store import Wanted
from mlvc.parallel import map_in_order
from mlvc.progress import SILENT, Progress
from mlvc.repository.repository import Repository
from mlvc.sync.remote import Remote

RECORDS = "records"
_AT_ONCE = 8


def write(repository: Repository, remote: Remote, journal: bytes, ranges: Iterable[Range]) -> None:
    """Writes the bundles of ranges whose entries are here, unless they are there already."""
    ours = Journal(repository.backend, journal)
    for wanted in ranges:
        if wanted.level == 0:
            continue
        entries = [ours.read_bytes(number) for number in range(wanted.first, wanted.last + 1)]
        data = bundle.encode([entry for entry in entries if entry is not None]) if None not in entries else None
        if data is None:
            continue
        remote.backend.create(wanted.key(journal, ENTRIES), data)
        records = _records(repository, ours, wanted)
        if records is not None:
            remote.backend.create(wanted.key(journal, RECORDS), records)


def _records(repository: Repository, journal: Journal, wanted: Range) -> bytes | None:
    """Returns a pack of the records that a range's transactions need, as far as they are here; None when it would be too large."""
    objects = repository.objects
    needed: dict[Wanted, None] = {}
    with objects.local_only():
        for number in range(wanted.first, wanted.last + 1):
            entry = journal.read(number)
            for envelope in entry.envelopes if entry is not None else ():
                for need in transaction.decode(envelope.data).needs:
                    with suppress(NotFoundError, DamageError):  # what is dead may be gone
                        needed.update(dict.fromkeys(closure.names(objects, need)))
    by_code: dict[int, list[bytes]] = {}
    for identifier, code in needed:
        by_code.setdefault(code, []).append(identifier)
    places = [place for code, ids in by_code.items() for place in objects.index.places(ids, code).values()]
    if sum(place.slot.stored_size for place in places) > bundle.MAX_SIZE // 2:
        return None
    return b"".join(Composition(PackClass.META, _proven(repository, places)).pieces())


def _proven(repository: Repository, places: list[Place]) -> Iterator[tuple[Slot, bytes]]:
    for place in places:
        try:
            stored = pack_reader.read_stored(repository.backend, place.pack, place.slot)
            chunk.decode_verified(stored, place.slot.size, place.slot.id, None)
        except (DamageError, KeyMissingError):
            continue  # whoever wants it fetches it by itself
        yield place.slot, stored


def bring_records(
    repository: Repository, remote: Remote, journal: bytes, ranges: Iterable[Range], progress: Progress = SILENT
) -> list[Range]:
    """Takes the bundles of records of ranges into local packs, proven.

    Returns:
        The ranges that have none, or a damaged one.
    """
    bundled = [wanted for wanted in ranges if wanted.level]
    lacking = [wanted for wanted in ranges if not wanted.level]

    def read(wanted: Range) -> bytes:
        try:
            return remote.backend.read(wanted.key(journal, RECORDS))
        except KeyMissingError:
            return b""

    for wanted, data in zip(bundled, map_in_order(read, bundled, workers=_AT_ONCE, ahead=_AT_ONCE), strict=True):
        progress.advance(len(data))
        if not data or len(data) > bundle.MAX_SIZE or not _take(repository, data):
            lacking.append(wanted)
    return lacking


def _take(repository: Repository, data: bytes) -> bool:
    header = pack.HEADER.size
    name = PackName(PackClass.META, data[header - NONCE_SIZE : header])
    try:
        pack.parse_header(data[:header], name)
        trailer = pack.parse_trailer(data[-pack.TRAILER.size :], name)
        body_size = len(data) - pack.TRAILER.size - trailer.index_size
        if body_size < header or digest(data[:body_size]) != trailer.body_digest:
            return False
        index = PackIndex(data[body_size : -pack.TRAILER.size], trailer, name, body_size)
    except DamageError:
        return False  # a cache: its parts are fetched one by one
    if index.count and repository.backend.size(name.key) is None:
        repository.backend.write(name.key, [data])
        repository.objects.index.add(name, index)
    return True


def create_entries(repository: Repository, journal: bytes, entries: list[tuple[int, bytes]]) -> list[int]:
    """Writes entries, in order, into the journal here; returns the numbers that were taken by something else."""
    folder = repository.path / f"journal/{journal.hex()}"
    atomic_file.make_folder(folder)
    ours = Journal(repository.backend, journal)
    files = [(f"{number:020d}", data) for number, data in entries]
    made = atomic_file.create_in_order(folder, files, lambda work, items: map_in_order(work, items, workers=16))
    return [number for (number, data), is_new in zip(entries, made, strict=True) if not is_new and ours.read_bytes(number) != data]
