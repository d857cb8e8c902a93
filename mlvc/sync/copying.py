"""Copies packs whole between stores, proven on the way, and skips those that have arrived."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

import blake3

from mlvc.backend.interface import Backend, KeyMissingError
from mlvc.errors import DamageError, NotFoundError
from mlvc.format import pack
from mlvc.format.ids import digest
from mlvc.format.pack import PackClass, PackName
from mlvc.pacing import UNLIMITED, Pace
from mlvc.parallel import Gate, map_in_order
from mlvc.progress import SILENT, Progress

_PIECE = 4 << 20
_MOST_BYTES = 4 << 30
"""Writers close a pack at 64 MiB; one of this size was not made by any."""


def copy_packs(
    names: Iterable[PackName], source: Backend, target: Backend, progress: Progress = SILENT, *, what_can: bool = False, pace: Pace = UNLIMITED
) -> tuple[int, int]:
    """Copies packs that the target lacks. A copy that was cut off before is begun again; one that arrived is kept.

    Args:
        names: of the packs.
        source, target: from where to where.
        progress: hears of bytes.
        pace: of the bytes.
        what_can: leaves out those that are gone from the source, or damaged there, instead of raising.

    Returns:
        How many packs, and how many bytes, were copied.

    Raises:
        NotFoundError: the source has no such pack.
        DamageError: the source's pack is damaged; it is not given its name at the target.
    """
    wanted = list(names)
    begin, most = _AT_ONCE if any(name.pack_class is PackClass.DATA for name in wanted) else _SMALL_AT_ONCE
    copy = partial(_copy_if_whole if what_can else _copy, source=source, target=target, progress=progress, pace=pace, gate=Gate(begin, most))
    copied = [size for size in map_in_order(copy, wanted, workers=most, ahead=most) if size]
    return len(copied), sum(copied)


_AT_ONCE, _SMALL_AT_ONCE = (3, 6), (12, 24)
"""Packs under way at once, at first and at most; those of records are small, and wait for answers more than for bytes."""


def _copy_if_whole(name: PackName, *, source: Backend, target: Backend, progress: Progress, pace: Pace, gate: Gate) -> int:
    try:
        return _copy(name, source=source, target=target, progress=progress, pace=pace, gate=gate)
    except (NotFoundError, DamageError):
        return 0


def _copy(name: PackName, *, source: Backend, target: Backend, progress: Progress, pace: Pace, gate: Gate) -> int:
    """Copies a pack, unless it has arrived; returns the bytes sent."""
    size = source.size(name.key)
    if size is None:
        raise NotFoundError(f"the pack {name.key} is gone from {source.url}")
    if target.size(name.key) == size:
        return 0
    if size > _MOST_BYTES:
        raise DamageError(f"the pack {name.key} at {source.url} has {size:,} bytes, at most {_MOST_BYTES:,} are believed")
    with gate.passing(size):
        target.write(name.key, _proven(source, name, size, progress, pace))
    return size


def _proven(source: Backend, name: PackName, size: int, progress: Progress, pace: Pace) -> Iterator[bytes]:
    """Yields a pack's bytes; raises before the last piece when they do not match what the pack says of itself."""
    try:
        if size <= _PIECE:
            data = source.read_range(name.key, 0, size)
            _prove_whole(data, source, name, size)
            pace.spend(size)
            progress.advance(size)
            yield data
            return
        trailer = pack.parse_trailer(source.read_range(name.key, size - pack.TRAILER.size, pack.TRAILER.size), name)
        body_size = size - pack.TRAILER.size - trailer.index_size
        body, index = blake3.blake3(), blake3.blake3()
        at = 0
        while at < size:
            data = source.read_range(name.key, at, min(_PIECE, size - at))
            if not data:
                raise DamageError(f"the pack {name.key} at {source.url} is cut short")
            index_start = min(len(data), max(0, body_size - at))
            index_end = min(len(data), max(0, size - pack.TRAILER.size - at))
            body.update(data[:index_start])
            index.update(data[index_start:index_end])
            at += len(data)
            if at >= size and (body.digest(), index.digest()) != (trailer.body_digest, trailer.index_digest):
                raise _damaged(source, name)
            pace.spend(len(data))
            progress.advance(len(data))
            yield data
    except KeyMissingError:
        raise NotFoundError(f"the pack {name.key} is gone from {source.url}") from None


def _prove_whole(data: bytes, source: Backend, name: PackName, size: int) -> None:
    if len(data) != size:
        raise DamageError(f"the pack {name.key} at {source.url} is cut short")
    trailer = pack.parse_trailer(data[-pack.TRAILER.size :], name)
    index_start = size - pack.TRAILER.size - trailer.index_size
    body, index = data[: max(0, index_start)], data[max(0, index_start) : -pack.TRAILER.size]
    if (digest(body), digest(index)) != (trailer.body_digest, trailer.index_digest):
        raise _damaged(source, name)


def _damaged(source: Backend, name: PackName) -> DamageError:
    return DamageError(f"the pack {name.key} at {source.url} is damaged; it was not copied", hint="run 'mlvc fsck' where it lies")
