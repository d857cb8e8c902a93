"""Tensors inside versions: which there are, what they cost, and by how much those of two versions differ."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

from msgspec import Struct

from mlvc.errors import NotFoundError
from mlvc.fold.questions import View
from mlvc.format import tensor_files
from mlvc.format.ids import ChunkId, VersionId
from mlvc.format.manifest import FileEntry
from mlvc.format.recipe import Recipe
from mlvc.format.record import CHUNK_CODE
from mlvc.format.tensor_files import ReadAt, Tensor, numbers
from mlvc.format.tensor_files.numbers import Difference
from mlvc.workspace import contents
from mlvc.workspace.workspace import Workspace

CHANGED, ADDED, REMOVED, RESHAPED = "changed", "added", "removed", "reshaped"
_STEP = 4 << 20


class HeldTensor(Struct, frozen=True):
    """One tensor of a version.

    Attributes:
        path: of its file in the artifact.
        tensor: name, dtype, shape and place.
        stored_bytes: what its chunks take in local packs, shared ones included; None where they are not all here.
    """

    path: str
    tensor: Tensor
    stored_bytes: int | None


class TensorChange(Struct, frozen=True):
    """How a tensor differs between two versions; `difference` is None where the numbers cannot be compared."""

    path: str
    name: str
    kind: str
    before: Tensor | None
    after: Tensor | None
    difference: Difference | None = None


class _Held(Struct, frozen=True):
    path: str
    tensor: Tensor
    read: ReadAt
    chunks: tuple[ChunkId, ...]
    """Those that hold it, when it begins and ends with a chunk; empty otherwise."""


def of(workspace: Workspace, view: View, version: VersionId) -> list[HeldTensor]:
    """Returns the tensors of a version's files, in the order of paths and places. Reads headers only."""
    index = workspace.repository.objects.index
    found = []
    for held in _tensors(workspace, view, version):
        places = index.places(list(dict.fromkeys(held.chunks)), CHUNK_CODE)
        is_known = bool(held.chunks) and all(chunk in places for chunk in held.chunks)
        stored = sum(place.slot.stored_size for place in places.values()) if is_known else None
        found.append(HeldTensor(held.path, held.tensor, stored))
    return found


def differences(workspace: Workspace, view: View, before: VersionId, after: VersionId) -> Iterator[TensorChange]:
    """Yields how the tensors of two versions differ; those that are equal are left out, most of them unread."""
    old = {(held.path, held.tensor.name): held for held in _tensors(workspace, view, before)}
    new = {(held.path, held.tensor.name): held for held in _tensors(workspace, view, after)}
    if not old.keys() & new.keys():  # the same model under another file name
        old = {("", name): held for (_, name), held in old.items()}
        new = {("", name): held for (_, name), held in new.items()}
    for key in dict.fromkeys((*new, *old)):
        was, now = old.get(key), new.get(key)
        if was is None and now is not None:
            yield TensorChange(now.path, now.tensor.name, ADDED, None, now.tensor)
        elif now is None and was is not None:
            yield TensorChange(was.path, was.tensor.name, REMOVED, was.tensor, None)
        elif was is not None and now is not None and (change := _compare(was, now)) is not None:
            yield change


class Distribution(Struct, frozen=True):
    """How a tensor's numbers are spread.

    Attributes:
        tensor: whose.
        counts: how many numbers lie in each of equally wide bins from `least` to `greatest`; one bin where all are equal.
        least, greatest, mean, deviation: of those numbers that are finite.
        odd: how many are infinite or no number.
        looked_at: how many were read: all, or stretches of a tensor too large for that.
    """

    tensor: Tensor
    counts: tuple[int, ...]
    least: float
    greatest: float
    mean: float
    deviation: float
    odd: int
    looked_at: int


_STRETCHES, _MOST_READ = 16, 32 << 20


def distribution(workspace: Workspace, view: View, version: VersionId, path: str, name: str, bins: int = 40) -> Distribution:
    """Returns how the numbers of one tensor are spread; of a large one, those of 16 stretches.

    Raises:
        NotFoundError: the version has no such tensor, or none whose numbers can be read.
    """
    import numpy as np

    held = next((one for one in _tensors(workspace, view, version, only=path) if one.tensor.name == name), None)
    width = None if held is None else numbers.width_of(held.tensor.dtype)
    if held is None or width is None:
        raise NotFoundError(f"there is no tensor '{name}' in {path} whose numbers can be read")
    size = held.tensor.size
    if size <= _MOST_READ:
        stretches = [(at, min(_STEP, size - at)) for at in range(0, size, _STEP)]
    else:
        each = _MOST_READ // _STRETCHES // width * width
        stretches = [(size // _STRETCHES * one // width * width, each) for one in range(_STRETCHES)]
    data = b"".join(held.read(held.tensor.offset + at, count) for at, count in stretches)
    found = numbers.values(data[: len(data) // width * width], held.tensor.dtype)
    finite = found[np.isfinite(found)]
    odd = int(found.size - finite.size)
    if not finite.size:
        return Distribution(held.tensor, (), 0.0, 0.0, 0.0, 0.0, odd, int(found.size))
    least, greatest = float(finite.min()), float(finite.max())
    with np.errstate(over="ignore", invalid="ignore"):
        place = (finite / 2 - least / 2) / (greatest / 2 - least / 2) if greatest > least else np.zeros(finite.size)  # halved: the range may overflow
        counts, _ = np.histogram(np.nan_to_num(place), bins=bins if greatest > least else 1, range=(0.0, 1.0))
        stats = (least, greatest, float(finite.mean()), float(finite.std()))
    return Distribution(held.tensor, tuple(int(count) for count in counts), *stats, odd, int(found.size))


def _tensors(workspace: Workspace, view: View, version: VersionId, *, only: str | None = None) -> Iterator[_Held]:
    held = contents.of(workspace, view, version)
    objects = workspace.repository.objects
    for entry in held.manifest:
        if isinstance(entry, FileEntry) and only in (None, entry.path):
            recipe = objects.recipe(held.recipes, entry.digest, entry.size)
            read = objects.reader(recipe)
            for tensor in tensor_files.find(read, entry.size):
                yield _Held(entry.path, tensor, read, _chunks_of(recipe, tensor))


def _chunks_of(recipe: Recipe, tensor: Tensor) -> tuple[ChunkId, ...]:
    starts = list(accumulate((piece.size for piece in recipe.pieces), initial=0))
    places = {start: place for place, start in enumerate(starts)}
    first, last = places.get(tensor.offset), places.get(tensor.offset + tensor.size)
    if first is None or last is None:
        return ()
    return tuple(piece.chunk for piece in recipe.pieces[first:last])


def _compare(was: _Held, now: _Held) -> TensorChange | None:
    if was.chunks and was.chunks == now.chunks:
        return None
    old, new = was.tensor, now.tensor
    if (old.dtype, old.shape, old.size) != (new.dtype, new.shape, new.size):
        return TensorChange(now.path, new.name, RESHAPED, old, new)
    width = numbers.width_of(new.dtype)
    total = Difference()
    differs = False
    for at in range(0, new.size, _STEP):
        size = min(_STEP, new.size - at)
        before, after = was.read(old.offset + at, size), now.read(new.offset + at, size)
        differs = differs or before != after
        if width is not None and size % width == 0:
            total += numbers.difference(before, after, new.dtype)
    if not differs:
        return None
    return TensorChange(now.path, new.name, CHANGED, old, new, total if width is not None else None)
