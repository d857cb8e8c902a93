"""Writes an artifact's files below a folder: each atomic, proven, and never through a link or outside the folder."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate, chain, islice
from pathlib import Path

from msgspec import Struct

from mlvc import atomic_file
from mlvc.errors import ConflictError, DamageError, Error, UsageError, local_file_error
from mlvc.format import entry_path
from mlvc.format.ids import FileDigest, short
from mlvc.format.manifest import FileEntry
from mlvc.format.recipe import Piece, Recipe, RecipeIndex
from mlvc.format.record import CHUNK_CODE
from mlvc.objects import source_file
from mlvc.objects.chunk_reader import ChunkReader
from mlvc.objects.source_file import Looks, looks_of
from mlvc.objects.store import ObjectStore
from mlvc.parallel import map_in_order
from mlvc.progress import SILENT, Progress
from mlvc.working_tree import scanning
from mlvc.working_tree.raw_copies import RawCopies
from mlvc.working_tree.stat_cache import StatCache, now_ns

DigestOf = Callable[[Path], FileDigest | None]
"""Returns the digest of what is at a path now, or None when there is nothing."""


class Placement(Struct, frozen=True):
    """A file to write."""

    entry: FileEntry
    target: Path


class Placed(Struct):
    """What was done: how many files were written, how many were right already, and the bytes written."""

    written: int = 0
    unchanged: int = 0
    bytes_written: int = 0


def place(
    store: ObjectStore,
    recipes: RecipeIndex,
    root: Path,
    placements: Iterable[Placement],
    cache: StatCache,
    copies: RawCopies,
    *,
    are_known_to_differ: bool = False,
    progress: Progress = SILENT,
) -> Placed:
    """Writes files that differ from what is wanted; leaves right ones untouched. Overwrites without asking.

    Args:
        store: where content comes from; what is not local is fetched first, for many files in one go.
        recipes: of the artifact.
        root: no file is written outside it, nor through a link below it.
        placements: what to write where; targets lie below `root`, and `refuse_collisions` had nothing against them.
        cache: spares reading files that are right already; told about those written.
        copies: large files are made from them where that is faster; offered those written.
        are_known_to_differ: write all of them; the caller has looked.
        progress: hears of bytes written.

    Raises:
        ConflictError: a link stands in the way.
        NotFoundError: content is neither here nor within reach of a remote.
        LocalFileError: the disk refused. Files written before stay; no file is half-written.
    """
    done = Placed()
    waiting = iter(placements)
    while some := list(islice(waiting, _FILES_AT_ONCE)):
        wanted = some if are_known_to_differ else [p for p in some if current_digest(p.target, cache) != p.entry.digest]
        done.unchanged += len(some) - len(wanted)
        _place(store, recipes, root, wanted, cache, copies, progress)
        done.written += len(wanted)
        done.bytes_written += sum(p.entry.size for p in wanted)
    copies.trim()
    return done


_FILES_AT_ONCE = 1 << 14


def _place(
    store: ObjectStore,
    recipes: RecipeIndex,
    root: Path,
    wanted: list[Placement],
    cache: StatCache,
    copies: RawCopies,
    progress: Progress,
) -> None:
    read_ns = now_ns()
    found = [_ToWrite(p, store.recipe(recipes, p.entry.digest, p.entry.size)) for p in wanted]
    chunks = list(dict.fromkeys(piece.chunk for item in found for piece in item.recipe.pieces))
    store.ensure((chunk, CHUNK_CODE) for chunk in chunks)
    folders: set[Path] = set()
    made: set[str] = set()
    for item in found:
        parent = os.path.dirname(str(item.placement.target))
        if parent not in made:
            make_parents(root, item.placement.target, folders)
            made.add(parent)
    small = [item for item in found if len(item.recipe.pieces) <= 1]
    large = [item for item in found if len(item.recipe.pieces) > 1]
    # Small files are written by one thread: several would wait for each other's folders in the kernel.
    name = os.path.basename(atomic_file.temporary_name(""))
    learned: list[tuple[str | Path, Looks, FileDigest]] = []
    with ChunkReader(store, chunks) as reader:
        for number, item in enumerate(chain(small, large)):
            now = _write_file(item, f"{name}-{number}", reader, copies, progress)
            learned.append((item.placement.target, now, item.placement.entry.digest))
            copies.offer(item.placement.target, item.placement.entry.digest, now)
    cache.remember(learned, max(read_ns, now_ns()))


class _ToWrite(Struct, frozen=True):
    placement: Placement
    recipe: Recipe


def pieces(store: ObjectStore, recipes: RecipeIndex, placements: Iterable[Placement]) -> Iterator[tuple[bytes, int]]:
    """Yields what `place` will read, for fetching it ahead."""
    for placement in placements:
        recipe = store.recipe(recipes, placement.entry.digest, placement.entry.size)
        yield from ((piece.chunk, CHUNK_CODE) for piece in recipe.pieces)


def current_digest(path: Path, cache: StatCache) -> FileDigest | None:
    """Returns the digest of the file at a path, from the cache where that is safe, or None when there is no file.

    A link counts as what it leads to.
    """
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            return None
        raise local_file_error(error, f"look at {path}") from error
    looks = looks_of(found)
    if looks is None:
        return None
    cached = cache.find(path, looks)
    if cached is not None:
        return cached
    read_ns = now_ns()
    digest = digest_file(path)
    cache.remember([(path, looks, digest)], read_ns)
    return digest


def digest_file(path: str | Path) -> FileDigest:
    """Returns the BLAKE3-256 of a file's content, as `b3sum` does."""
    import blake3

    proof = blake3.blake3()
    try:
        with source_file.opened(path) as file:
            while data := file.read(4 << 20):
                proof.update(data)
    except OSError as error:
        raise local_file_error(error, f"read {path}") from error
    return FileDigest(proof.digest())


def _write_file(item: _ToWrite, temporary_name: str, reader: ChunkReader, copies: RawCopies, progress: Progress) -> Looks:
    """Writes one file under a temporary name beside its place, and renames it when it is whole and proven."""
    target, entry = str(item.placement.target), item.placement.entry
    temporary = f"{os.path.dirname(target)}/{temporary_name}"
    try:
        if copies.put_out(entry.digest, entry.size, temporary):
            progress.advance(entry.size)
        else:
            fd = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o666)
            try:
                _write_content(fd, item.recipe, reader, progress)
            finally:
                os.close(fd)
        os.rename(temporary, target)
        return source_file.regular_file(target)
    except OSError as error:
        _remove(temporary)
        if isinstance(error, Error):
            raise
        if isinstance(error, IsADirectoryError):
            raise UsageError(f"{target} is a folder, and a file is to be written there", hint="move the folder away") from error
        raise local_file_error(error, f"write {target} ({entry.size:,} bytes)") from error
    except BaseException:
        _remove(temporary)
        raise


def _write_content(fd: int, recipe: Recipe, reader: ChunkReader, progress: Progress) -> None:
    """Writes a file's chunks, a large one's side by side; each is proven, and the whole against the file's digest.

    A file of one chunk bears that chunk's id as its digest, so one proof is both.
    """
    if len(recipe.pieces) <= 1:
        for piece in recipe.pieces:
            _write_at(fd, reader.read(piece.chunk), 0, piece)
            progress.advance(piece.size)
        return
    _reserve(fd, recipe.size)
    starts = accumulate((piece.size for piece in recipe.pieces), initial=0)

    def write(task: list[tuple[int, Piece]]) -> list[bytes | memoryview]:
        written: list[bytes | memoryview] = []
        for start, piece in task:
            data = reader.read(piece.chunk)
            _write_at(fd, data, start, piece)
            written.append(data)
        return written

    import blake3

    proof = blake3.blake3()
    for written in map_in_order(write, _tasks(zip(starts, recipe.pieces, strict=False)), ahead=_AHEAD):
        for data in written:
            proof.update(data)
            progress.advance(len(data))
    if proof.digest() != recipe.digest:
        raise DamageError(f"the file {short(recipe.digest, 12)} does not have the digest it is kept under")


_AHEAD = 16
_TASK_BYTES = 1 << 20


def _tasks(pieces: Iterable[tuple[int, Piece]]) -> Iterator[list[tuple[int, Piece]]]:
    task: list[tuple[int, Piece]] = []
    size = 0
    for start, piece in pieces:
        task.append((start, piece))
        size += piece.size
        if size >= _TASK_BYTES:
            yield task
            task, size = [], 0
    if task:
        yield task


def _write_at(fd: int, data: bytes | memoryview, start: int, piece: Piece) -> None:
    if len(data) != piece.size:
        raise DamageError(f"the chunk {short(piece.chunk, 12)} has {len(data):,} bytes, its recipe says {piece.size:,}")
    done = os.pwrite(fd, data, start)
    while done < len(data):
        done += os.pwrite(fd, memoryview(data)[done:], start + done)


def _reserve(fd: int, size: int) -> None:
    """Asks the disk for the room of a whole file, so that a full one is known before the work is done."""
    try:
        os.posix_fallocate(fd, 0, size)
    except (AttributeError, OSError) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise  # others: this file system cannot reserve, which is no reason not to write


def _remove(path: str | Path) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def make_parents(root: Path, target: Path, known: set[Path]) -> None:
    """Makes the folders between `root` and a file; refuses to go through a link below the root."""
    relative = target.parent.relative_to(root)
    folder = root
    if folder not in known:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise local_file_error(error, f"make the folder {folder}") from error
        known.add(folder)
    for part in relative.parts:
        folder = folder / part
        if folder in known:
            continue
        try:
            found = folder.lstat()
        except FileNotFoundError:
            try:
                folder.mkdir()
            except OSError as error:
                raise local_file_error(error, f"make the folder {folder}") from error
        except OSError as error:
            raise local_file_error(error, f"look at {folder}") from error
        else:
            if stat.S_ISLNK(found.st_mode):
                raise ConflictError(f"{folder} is a link, and files are never written through one", hint="remove the link")
            if not stat.S_ISDIR(found.st_mode):
                raise ConflictError(f"{folder} is a file, and a folder is needed there", hint="move the file away")
        known.add(folder)


def refuse_collisions(root: Path, paths: Iterable[str]) -> None:
    """Raises ConflictError, before anything is written, for paths that this disk would write over each other.

    Args:
        root: of what is to be written.
        paths: below it.
    """
    collisions = scanning.case_collisions(paths)
    if collisions and is_case_insensitive(root):
        one, other = collisions[0]
        raise ConflictError(f"this disk cannot hold both '{one}' and '{other}': it does not tell letter case apart")


def is_case_insensitive(folder: Path) -> bool:
    """Tells whether the disk under a folder takes two letter cases for one, by trying."""
    existing = next(path for path in (folder, *folder.parents) if path.is_dir())
    probe = Path(atomic_file.temporary_name(existing))
    try:
        probe.touch()
        return probe.with_name(probe.name.upper()).exists()
    except OSError as error:
        raise local_file_error(error, f"write in {existing}") from error
    finally:
        _remove(probe)


def checked_target(root: Path, path: str) -> Path:
    """Returns where an entry goes below `root`; InvalidNameError when its path may not be written."""
    return root / entry_path.check(path)


