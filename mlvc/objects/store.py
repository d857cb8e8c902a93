"""Reads chunks, records and files by id; everything is proven before anyone sees it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import accumulate
from pathlib import Path

import blake3

from mlvc.backend.interface import KeyMissingError
from mlvc.backend.local import LocalBackend
from mlvc.errors import DamageError, NewerFormatError, NotFoundError
from mlvc.format import recipe as recipes
from mlvc.format.ids import ChunkId, FileDigest, ManifestId, RecordId, short
from mlvc.format.manifest import Manifest
from mlvc.format.pack import Slot
from mlvc.format.recipe import Recipe, RecipeIndex
from mlvc.format.record import CHUNK_CODE, Kind, kind_of
from mlvc.format.tensor_files import ReadAt
from mlvc.objects import pack_reader
from mlvc.objects.pack_index import PackIndexCache, Place

Wanted = tuple[bytes, int]
"""An id and its code."""

Fetch = Callable[[list[Wanted]], None]
"""Brings chunks and records from elsewhere into local packs, as many as it can find."""


_DEEPEST = 32
"""A reader follows more differences than a writer makes: stores that were filled by several writers may add up."""

_above: ContextVar[tuple[bytes, ...]] = ContextVar("_above", default=())
"""The chunks whose differences led to the one being read, so that a circle is seen."""


class BaseLostError(DamageError):
    """The base of a difference cannot be read. The difference itself may be as it was written."""


class ObjectStore:
    """The content of one local store.

    Attributes:
        fetch: asked for what no local pack holds; None where there is nowhere to ask.
    """

    def __init__(self, backend: LocalBackend, index_path: Path) -> None:
        self.backend = backend
        self.index = PackIndexCache(backend, index_path)
        self.fetch: Fetch | None = None

    @contextmanager
    def local_only(self) -> Iterator[None]:
        """Keeps reads in the block from asking anywhere else: the caller wants what is here, or holds locks that a fetch takes."""
        fetch, self.fetch = self.fetch, None
        try:
            yield
        finally:
            self.fetch = fetch

    # -- chunks and records -----------------------------------------------------------------------------------------

    def is_here(self, identifier: bytes, code: int) -> Place | None:
        """Returns an undamaged place in a pack that is on disk, or None."""
        for place in self.index.find(identifier, code):
            if self.backend.size(place.pack.key) is not None:
                return place
        return None

    def missing(self, wanted: Iterable[Wanted]) -> list[Wanted]:
        """Returns those that cannot be decoded from local packs."""
        return self.index.unknown(wanted)

    def ensure(self, wanted: Iterable[Wanted]) -> None:
        """Brings what is missing into local packs, in one go where possible.

        Raises:
            NotFoundError: some of it is neither here nor anywhere that can be asked.
        """
        missing = self.missing(wanted)
        if not missing:
            return
        self.index.refresh()
        missing = self.missing(missing)
        if missing and self.fetch is not None:
            self.fetch(missing)
            missing = self.missing(missing)
        if missing:
            raise _not_here(missing)

    def read(self, identifier: bytes, code: int) -> bytes:
        """Returns the content of a chunk or record.

        Raises:
            DamageError: every copy within reach is damaged.
            NotFoundError: there is none within reach.
        """
        found, damage = self._read_local(identifier, code)
        if found is None:
            self.index.refresh(force=damage is None)
            found, later = self._read_local(identifier, code)
            damage = damage or later
        if found is None and self.fetch is not None:
            self.fetch([(identifier, code)])
            found, later = self._read_local(identifier, code)
            damage = damage or later
        if found is not None:
            return found
        if damage is not None:
            raise DamageError(
                f"{damage.message}; no other copy is within reach",
                hint="'mlvc fsck --repair' takes it from a remote, or add the original file again",
            )
        raise _not_here([(identifier, code)])

    def _read_local(self, identifier: bytes, code: int) -> tuple[bytes | None, DamageError | None]:
        damage = newer = None
        for place in self.index.find(identifier, code):
            try:
                return pack_reader.read_slot(self.backend, place.pack, place.slot, self.base_of(place.slot)), None
            except NewerFormatError as error:
                newer = error  # another copy may be stored in a way that is known
            except BaseLostError as error:
                damage = DamageError(f"what {short(identifier, 12)} is stored as a difference to cannot be read: {error}")
            except KeyMissingError:
                self.index.remove([place.pack])
            except DamageError as error:
                self.index.mark_damaged(place)
                damage = DamageError(f"the pack {place.pack.key} is damaged: {error.message}")
        if newer is not None:
            raise newer
        return None, damage

    def base_of(self, slot: Slot, *, local_only: bool = False) -> Callable[[], bytes] | None:
        """Returns what reads the base of a slot that is a difference, or None for another slot.

        Args:
            slot: which.
            local_only: do not ask elsewhere for a base that is not here, or damaged.

        Raises:
            BaseLostError: now, or by what is returned: the base cannot be read.
        """
        if slot.base is None:
            return None
        base, above = slot.base, _above.get()
        if base in above or len(above) > _DEEPEST:
            raise BaseLostError("the differences lead in a circle")

        def read() -> bytes:
            token = _above.set((*above, slot.id))
            try:
                if not local_only:
                    return self.read(base, CHUNK_CODE)
                found, damage = self._read_local(base, CHUNK_CODE)
                if found is None:
                    raise damage or _not_here([(base, CHUNK_CODE)])
                return found
            except (DamageError, NotFoundError) as error:
                raise BaseLostError(error.message) from error
            finally:
                _above.reset(token)

        return read

    def read_chunk(self, identifier: ChunkId) -> bytes:
        """Returns the bytes of a chunk; errors as `read`."""
        return self.read(identifier, CHUNK_CODE)

    def read_record(self, identifier: RecordId, kind: Kind) -> bytes:
        """Returns a bare record; errors as `read`."""
        found = self.read(identifier, kind.code)
        if kind_of(found, f"the record {short(identifier, 12)}") is not kind:
            raise DamageError(f"the record {short(identifier, 12)} is not the {kind.name.lower()} it is kept as")
        return found

    # -- manifests, recipes, files ----------------------------------------------------------------------------------

    def manifest(self, identifier: ManifestId) -> Manifest:
        """Returns a manifest, read block by block; errors as `read`."""
        index = RecordId(identifier)
        return Manifest(
            identifier,
            lambda i: self.read_record(i, Kind.MANIFEST_INDEX if i == index else Kind.MANIFEST_BLOCK),
        )

    def recipe_index(self, identifier: RecordId | None) -> RecipeIndex:
        """Returns the recipes of one version; errors as `read`."""
        return RecipeIndex(
            identifier,
            lambda i: self.read_record(i, Kind.RECIPE_INDEX if i == identifier else Kind.RECIPE_BLOCK),
        )

    def recipe(self, index: RecipeIndex, digest: FileDigest, size: int) -> Recipe:
        """Returns how to rebuild a file of one version.

        Raises:
            DamageError: the recipe is not of this file, or of another size.
        """
        return self.recipe_by_id(index.find(digest) if size else None, digest, size)

    def recipe_by_id(self, identifier: RecordId | None, digest: FileDigest, size: int) -> Recipe:
        """Returns a recipe by its record, or the implied one of a single chunk; errors as `recipe`."""
        if identifier is None:
            return recipes.whole(digest, size)
        found = recipes.decode(self.read_record(identifier, Kind.RECIPE))
        if found.digest != digest or found.size != size:
            raise DamageError(f"the recipe {short(identifier, 12)} is of another file than {short(digest, 12)}")
        return found

    def reader(self, recipe: Recipe, *, local_only: bool = False) -> ReadAt:
        """Returns what reads parts of a file, each chunk proven; errors as `read`.

        Args:
            recipe: of the file.
            local_only: raise NotFoundError instead of asking elsewhere.
        """
        ends = list(accumulate(piece.size for piece in recipe.pieces))
        last: tuple[int, bytes] = (-1, b"")

        def read_at(offset: int, size: int) -> bytes:
            nonlocal last
            found = []
            place = bisect_right(ends, offset)
            while size > 0 and place < len(ends):
                piece = recipe.pieces[place]
                if last[0] != place:
                    if local_only and not self.index.find(piece.chunk, CHUNK_CODE):
                        raise _not_here([(piece.chunk, CHUNK_CODE)])
                    last = place, self.read_chunk(piece.chunk)
                start = offset - (ends[place] - piece.size)
                part = last[1][start : start + size]
                found.append(part)
                offset, size, place = offset + len(part), size - len(part), place + 1
            return b"".join(found)

        return read_at

    def read_file(self, recipe: Recipe) -> Iterator[bytes]:
        """Yields a file's chunks in order, each proven; at the end the whole is proven against the file's digest."""
        proof = blake3.blake3()
        for piece in recipe.pieces:
            data = self.read_chunk(piece.chunk)
            if len(data) != piece.size:
                raise DamageError(f"the chunk {short(piece.chunk, 12)} has {len(data):,} bytes, its recipe says {piece.size:,}")
            proof.update(data)
            yield data
        if proof.digest() != recipe.digest:
            raise DamageError(f"the file {short(recipe.digest, 12)} does not have the digest it is kept under")

    def close(self) -> None:
        """Closes the index."""
        self.index.close()


def _not_here(missing: list[Wanted]) -> NotFoundError:
    return NotFoundError(
        f"{len(missing):,} piece{'s are' if len(missing) > 1 else ' is'} not in this clone, the first: {short(missing[0][0], 12)}",
        hint="connect to a remote that has the data and run 'mlvc fetch', then try again",
    )
