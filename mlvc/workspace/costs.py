"""What collections cost on this disk: how much their versions hold, what deduplication and encoding made of it."""

from __future__ import annotations

from msgspec import Struct

from mlvc.errors import DamageError, NotFoundError
from mlvc.fold.questions import View
from mlvc.format import names
from mlvc.format.ids import ChunkId, FileDigest
from mlvc.format.manifest import FileEntry
from mlvc.format.record import CHUNK_CODE
from mlvc.workspace import contents
from mlvc.workspace.workspace import Workspace


class CollectionCost(Struct, frozen=True):
    """What one collection costs, in bytes.

    Attributes:
        name: as stored.
        versions: how many are alive.
        raw: the sizes of all files of all versions, added up.
        distinct: the same with equal chunks counted once.
        stored: what these chunks take in local packs.
        own: the part of `stored` that no other collection uses; another's difference may still be to it.
        elsewhere: the part of `distinct` that is not on this disk.
    """

    name: str
    versions: int
    raw: int
    distinct: int
    stored: int
    own: int
    elsewhere: int


class Costs(Struct, frozen=True):
    """Of all collections; `distinct` and `stored` count what they share once. `packs` is what all local packs take."""

    collections: tuple[CollectionCost, ...]
    raw: int
    distinct: int
    stored: int
    packs: int

    @property
    def deduplicated(self) -> int:
        """What equal chunks save."""
        return self.raw - self.distinct

    @property
    def encoded(self) -> int:
        """What encoding saves of the chunks that are here."""
        return self.distinct - sum(c.elsewhere for c in self.collections) - self.stored


def of_all(workspace: Workspace, view: View) -> Costs:
    """Returns what every collection of sources costs. Reads manifests and recipes, no data."""
    index = workspace.repository.objects.index
    held = {c.name: _chunks(workspace, view, c.name) for c in view.collections() if not names.is_registry(c.name)}
    every: dict[ChunkId, int] = {}
    users: dict[ChunkId, int] = {}
    for chunks, _, _ in held.values():
        every.update(chunks)
        for chunk in chunks:
            users[chunk] = users.get(chunk, 0) + 1
    places = index.places(list(every), CHUNK_CODE)
    stored = {chunk: places[chunk].slot.stored_size for chunk in every if chunk in places}
    collections = tuple(
        CollectionCost(
            name,
            versions,
            raw,
            sum(chunks.values()),
            sum(stored.get(chunk, 0) for chunk in chunks),
            sum(stored.get(chunk, 0) for chunk in chunks if users[chunk] == 1),
            sum(size for chunk, size in chunks.items() if chunk not in stored),
        )
        for name, (chunks, versions, raw) in held.items()
    )
    packs = sum(size for _, size in workspace.repository.backend.keys("packs/"))
    return Costs(collections, sum(c.raw for c in collections), sum(every.values()), sum(stored.values()), packs)


def _chunks(workspace: Workspace, view: View, collection: str) -> tuple[dict[ChunkId, int], int, int]:
    """Returns the distinct chunks of a collection's versions with their sizes, how many versions, and their raw size."""
    objects = workspace.repository.objects
    chunks: dict[ChunkId, int] = {}
    seen: set[FileDigest] = set()
    versions = raw = 0
    for member in view.members(collection):
        versions += 1
        try:
            held = contents.of(workspace, view, member.version)
            raw += held.manifest.size_bytes
            for entry in held.manifest:
                if isinstance(entry, FileEntry) and entry.digest not in seen:
                    seen.add(entry.digest)
                    recipe = objects.recipe(held.recipes, entry.digest, entry.size)
                    chunks.update((piece.chunk, piece.size) for piece in recipe.pieces)
        except (DamageError, NotFoundError):
            continue  # its records are damaged or not here: fsck says so, and what they name cannot be counted
    return chunks, versions, raw
