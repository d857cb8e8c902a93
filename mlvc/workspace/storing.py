"""Storing a draft's files: what the store holds already is not read, and what is known of each file is kept in some 50 bytes."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

from mlvc.errors import DamageError, NotFoundError
from mlvc.format.ids import ID_SIZE, ChunkId, FileDigest, RecordId
from mlvc.format.manifest import Entry, FileEntry, ReferenceEntry
from mlvc.objects.cutting import WHOLE_BELOW
from mlvc.objects.source_file import Looks, Seen
from mlvc.repository.commit import Commit
from mlvc.working_tree.stat_cache import now_ns
from mlvc.workspace import bases
from mlvc.workspace.draft import Draft, KnownFile, Source, Unread
from mlvc.workspace.workspace import Workspace

_AT_ONCE = 1024
_LEARNED_AT_ONCE = 1 << 15


class StoredFiles:
    """What a draft's files are stored as, in the order of their paths.

    Attributes:
        recipes: of the files that are more than one chunk.
        size_bytes: of all files.
    """

    def __init__(self) -> None:
        self.recipes: dict[FileDigest, RecordId] = {}
        self.size_bytes = 0
        self._paths: list[str] = []
        self._sizes = array("q")
        self._digests = bytearray()
        self._references: dict[int, ReferenceEntry] = {}

    def __len__(self) -> int:
        return len(self._paths)

    def expect(self, path: str) -> int:
        """Makes room for the next file; returns its number."""
        self._paths.append(path)
        self._sizes.append(0)
        self._digests.extend(bytes(ID_SIZE))
        return len(self._paths) - 1

    def put(self, number: int, size: int, digest: FileDigest, recipe: RecordId | None) -> None:
        """Says what a file is stored as."""
        self.size_bytes += size
        self._sizes[number] = size
        self._digests[number * ID_SIZE : (number + 1) * ID_SIZE] = digest
        if recipe is not None:
            self.recipes[digest] = recipe

    def put_reference(self, number: int, entry: ReferenceEntry) -> None:
        """Says that a file stays elsewhere."""
        self.size_bytes += entry.size
        self._references[number] = entry

    def entries(self) -> Iterator[Entry]:
        """Yields the entries of the manifest."""
        for number, path in enumerate(self._paths):
            digest = FileDigest(bytes(self._digests[number * ID_SIZE : (number + 1) * ID_SIZE]))
            yield self._references.get(number) or FileEntry(path, self._sizes[number], digest)


def store_files(workspace: Workspace, commit: Commit, draft: Draft) -> StoredFiles:
    """Stores what is not in the store yet.

    Raises:
        UsageError, LocalFileError: a file cannot be read, or is none.
    """
    stored = StoredFiles()
    waiting: deque[tuple[int, Seen]] = deque()
    learned: list[tuple[str | Path, Looks, FileDigest]] = []
    read_ns = now_ns()
    with bases.counterparts(workspace, draft) as counterparts:
        to_read = _to_read(workspace, commit, draft, stored, waiting)
        for found in commit.ingest.add_files(to_read, counterparts):
            number, seen = waiting.popleft()
            stored.put(number, found.size, found.digest, found.recipe)
            if found.looks is not None:
                learned.append((seen.file, found.looks, found.digest))
                workspace.copies.offer(seen.file, found.digest, found.looks)
            if len(learned) >= _LEARNED_AT_ONCE:
                workspace.stat_cache.remember(learned, read_ns)
                learned.clear()
    workspace.stat_cache.remember(learned, read_ns)
    workspace.copies.trim()
    return stored


def _to_read(
    workspace: Workspace, commit: Commit, draft: Draft, stored: StoredFiles, waiting: deque[tuple[int, Seen]]
) -> Iterator[tuple[str, Seen]]:
    """Yields the files that must be read, noted in `waiting` in the same order; puts the others into `stored` at once."""
    items = _by_path(draft.files)
    while some := list(islice(items, _AT_ONCE)):
        here = _here(workspace, commit, [source for _, source in some if isinstance(source, Unread)])
        for path, source in some:
            number = stored.expect(path)
            match source:
                case ReferenceEntry():
                    stored.put_reference(number, source)
                case KnownFile():
                    stored.put(number, source.entry.size, source.entry.digest, source.recipe)
                case bytes():
                    found = commit.ingest.add_bytes(source)
                    stored.put(number, found.size, found.digest, found.recipe)
                case Unread(seen, digest, recipe) if digest in here and seen.looks is not None:
                    stored.put(number, seen.looks.size, digest, recipe)
                case _:
                    seen = _seen(source)
                    waiting.append((number, seen))
                    yield path, seen


def _by_path(files: Mapping[str, Source] | Iterable[tuple[str, Source]]) -> Iterator[tuple[str, Source]]:
    if isinstance(files, Mapping):
        return iter(sorted(files.items(), key=lambda item: item[0]))
    return iter(files)


def _seen(source: Path | Seen | Unread) -> Seen:
    match source:
        case Unread():
            return source.seen
        case Path():
            return Seen(str(source.absolute()), None)
        case _:
            return source


def _here(workspace: Workspace, commit: Commit, sources: list[Unread]) -> set[FileDigest]:
    """Returns the digests of those files whose content the store holds; what is damaged is not held, so that it heals."""
    single = [s.digest for s in sources if s.recipe is None and s.seen.looks is not None and s.seen.looks.size <= WHOLE_BELOW]
    here = {FileDigest(chunk) for chunk in commit.ingest.are_here([ChunkId(digest) for digest in single])}
    for source in sources:
        if source.seen.looks is not None and not source.seen.looks.size:
            here.add(source.digest)
        elif source.recipe is not None and source.seen.looks is not None:
            try:
                recipe = workspace.repository.objects.recipe_by_id(source.recipe, source.digest, source.seen.looks.size)
            except (DamageError, NotFoundError):
                continue
            pieces = {piece.chunk for piece in recipe.pieces}
            if len(commit.ingest.are_here(list(pieces))) == len(pieces):
                here.add(source.digest)
    return here
