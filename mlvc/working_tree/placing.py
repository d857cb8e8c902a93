"""Writes an artifact's files below a folder: each atomic, proven, and never through a link or outside the folder."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mlvc import atomic_file
from mlvc.errors import ConflictError, Error, UsageError, local_file_error
from mlvc.format import entry_path
from mlvc.format.ids import FileDigest
from mlvc.format.manifest import FileEntry
from mlvc.format.recipe import RecipeIndex
from mlvc.format.record import CHUNK_CODE
from mlvc.objects.store import ObjectStore
from mlvc.parallel import map_in_order
from mlvc.progress import SILENT, Progress
from mlvc.working_tree import scanning
from mlvc.working_tree.stat_cache import StatCache, now_ns

DigestOf = Callable[[Path], FileDigest | None]
"""Returns the digest of what is at a path now, or None when there is nothing."""


@dataclass(frozen=True, slots=True)
class Placement:
    """A file to write."""

    entry: FileEntry
    target: Path


@dataclass(slots=True)
class Placed:
    """What was done: how many files were written, how many were right already, and the bytes written."""

    written: int = 0
    unchanged: int = 0
    bytes_written: int = 0
    digests: list[tuple[Path, os.stat_result, FileDigest]] = field(default_factory=list)


def place(
    store: ObjectStore,
    recipes: RecipeIndex,
    root: Path,
    placements: Iterable[Placement],
    cache: StatCache,
    *,
    progress: Progress = SILENT,
) -> Placed:
    """Writes files that differ from what is wanted; leaves right ones untouched. Overwrites without asking.

    Args:
        store: where content comes from; what is not local is fetched first, in one go.
        recipes: of the artifact.
        root: no file is written outside it, nor through a link below it.
        placements: what to write where; targets lie below `root`.
        cache: spares reading files that are right already; told about those written.
        progress: hears of bytes written.

    Raises:
        ConflictError: the disk takes two paths for one, or a link stands in the way.
        NotFoundError: content is neither here nor within reach of a remote.
        LocalFileError: the disk refused. Files written before stay; no file is half-written.
    """
    done = Placed()
    wanted = []
    read_ns = now_ns()
    for placement in placements:
        if current_digest(placement.target, cache) == placement.entry.digest:
            done.unchanged += 1
        else:
            wanted.append(placement)
    refuse_collisions(root, wanted)
    found = [(p, store.recipe(recipes, p.entry.digest, p.entry.size)) for p in wanted]
    store.ensure((piece.chunk, CHUNK_CODE) for _, recipe in found for piece in recipe.pieces)
    folders: set[Path] = set()
    for placement, _ in found:
        _make_parents(root, placement.target, folders)

    def write(item: tuple[Placement, object]) -> tuple[Placement, os.stat_result]:
        placement, recipe = item
        return placement, _write_file(placement.target, store.read_file(recipe), placement.entry)  # type: ignore[arg-type]

    for placement, now in map_in_order(write, found, ahead=16):
        done.written += 1
        done.bytes_written += placement.entry.size
        done.digests.append((placement.target, now, placement.entry.digest))
        progress.advance(placement.entry.size)
    cache.remember(done.digests, max(read_ns, now_ns()))
    return done


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
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            return None
        raise local_file_error(error, f"look at {path}") from error
    if not stat.S_ISREG(found.st_mode):
        return None
    cached = cache.find(path, found)
    if cached is not None:
        return cached
    read_ns = now_ns()
    digest = digest_file(path)
    cache.remember([(path, found, digest)], read_ns)
    return digest


def digest_file(path: Path) -> FileDigest:
    """Returns the BLAKE3-256 of a file's content, as `b3sum` does."""
    import blake3

    proof = blake3.blake3()
    try:
        with path.open("rb", buffering=0) as file:
            while data := file.read(4 << 20):
                proof.update(data)
    except OSError as error:
        raise local_file_error(error, f"read {path}") from error
    return FileDigest(proof.digest())


def _write_file(target: Path, pieces: Iterable[bytes], entry: FileEntry) -> os.stat_result:
    """Writes one file under a temporary name beside its place, and renames it when it is whole and proven."""
    temporary = Path(atomic_file.temporary_name(target.parent))
    try:
        with temporary.open("xb", buffering=0) as file:
            for piece in pieces:
                view = memoryview(piece)
                while view:
                    view = view[file.write(view) :]
        _refuse_folder(target)
        os.replace(temporary, target)
        return target.lstat()
    except OSError as error:
        _remove(temporary)
        if isinstance(error, Error):
            raise
        raise local_file_error(error, f"write {target} ({entry.size:,} bytes)") from error
    except BaseException:
        _remove(temporary)
        raise


def _refuse_folder(target: Path) -> None:
    if target.is_dir() and not target.is_symlink():
        raise UsageError(f"{target} is a folder, and a file is to be written there", hint="move the folder away")


def _remove(path: Path) -> None:
    try:
        path.unlink()
    except FileNotFoundError:
        return


def _make_parents(root: Path, target: Path, known: set[Path]) -> None:
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


def refuse_collisions(root: Path, placements: list[Placement]) -> None:
    """Raises ConflictError, before anything is written, for paths that this disk would write over each other."""
    collisions = scanning.case_collisions([str(p.target.relative_to(root)) for p in placements])
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


