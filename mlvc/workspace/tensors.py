"""Tensors inside versions: which there are, what they cost, and by how much those of two versions differ."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

from msgspec import Struct

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


def _tensors(workspace: Workspace, view: View, version: VersionId) -> Iterator[_Held]:
    held = contents.of(workspace, view, version)
    objects = workspace.repository.objects
    for entry in held.manifest:
        if isinstance(entry, FileEntry):
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
