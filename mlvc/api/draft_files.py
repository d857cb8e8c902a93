"""The files of an artifact that is not logged yet: where each comes from, safe from later changes of the user's own files."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from mlvc.api import notices
from mlvc.errors import UsageError
from mlvc.format import entry_path
from mlvc.format.ids import digest
from mlvc.format.manifest import ReferenceEntry
from mlvc.objects.source_file import Looks, Seen, looks_of
from mlvc.working_tree import placing, scanning
from mlvc.workspace.draft import KnownFile, Source, Unread

MUTABLE, IMMUTABLE = "mutable", "immutable"
_LARGEST_COPY = 64 << 20
"""A larger file is copied only where the disk shares blocks; else it is read when the artifact is logged, and must be as it was.
So must the files of a folder."""


class DraftFiles:
    """Entry path -> where its content comes from."""

    def __init__(self, sources: dict[str, Source] | None = None) -> None:
        self.sources: dict[str, Source] = sources or {}
        self.names_of_local: dict[str, str] = {}
        """Path of a user's file -> the entry it became."""
        self._folder: str | None = None
        self._looks: dict[str, Looks] = {}

    def __len__(self) -> int:
        return len(self.sources)

    # -- adding -------------------------------------------------------------------------------------------------------

    def add(self, path: str, source: Source, *, overwrite: bool = False) -> str:
        """Adds one entry; returns its path.

        Raises:
            ValueError: the path breaks the rules, or stands for other content already.
        """
        path = entry_path.check(entry_path.normalise(path))
        before = self.sources.get(path)
        if before is not None and not overwrite and before != source and identity(before) != identity(source):
            raise ValueError(f"Cannot add the same path twice: {path!r}")
        self.sources[path] = source
        return path

    def add_file(self, file: Path, path: str, *, policy: str | None, overwrite: bool) -> str:
        """Adds a file as it is now; returns its entry's path."""
        kept = self._kept(file, policy)
        added = self.add(path, kept, overwrite=overwrite)
        self.names_of_local[str(file)] = added
        return added

    def add_folder(self, folder: Path, prefix: str, *, policy: str | None, merge: bool) -> int:
        """Adds every file below a folder; returns how many there are.

        They are not copied, for a folder may be large: until the artifact is logged they must stay as they are.
        """
        _check_policy(policy)
        count = 0
        for relative, seen in scanning.walk(folder, scanning.ignore_rules([folder])):
            self.names_of_local[seen.file] = self.add(prefix + relative, seen, overwrite=merge)
            if policy != IMMUTABLE and seen.looks is not None:
                self._looks[seen.file] = seen.looks
            count += 1
        return count

    def _kept(self, file: Path, policy: str | None) -> Source:
        """Returns what stands for a file as it is now."""
        _check_policy(policy)
        if policy == IMMUTABLE:
            return file
        looks = looks_of(file.stat())
        size = looks.size if looks else 0
        target = Path(self.folder) / os.urandom(8).hex()
        if _share_blocks(file, target):
            return target
        if size <= _LARGEST_COPY:
            shutil.copyfile(file, target)
            return target
        if looks is not None:
            self._looks[str(file)] = looks
        return file

    @property
    def folder(self) -> str:
        """The folder of copies, which goes with this object."""
        if self._folder is None:
            self._folder = tempfile.mkdtemp(prefix="mlvc-draft-", dir=notices.variable("DATA_DIR"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        return self._folder

    @contextmanager
    def new_file(self, path: str, mode: str, encoding: str | None) -> Iterator[IO[Any]]:
        """Opens a new file for writing; added when the block ends well."""
        entry_path.check(path)
        if set(mode) - set("xwbt+") or not set(mode) & {"x", "w"}:
            raise ValueError(f"mode is 'x' or 'w', with 'b' for bytes, found {mode!r}")
        if path in self.sources and "x" in mode:
            raise ValueError(f"File with name {path!r} already exists")
        target = Path(self.folder) / "new" / os.urandom(8).hex() / os.path.basename(path)
        target.parent.mkdir(parents=True)
        with io.open(target, mode, encoding=None if "b" in mode else encoding or "utf-8") as file:  # noqa: UP020 - the builtin's modes
            yield file
        self.add(path, target, overwrite="w" in mode)

    def remove(self, path: str) -> None:
        """Takes an entry, or all entries of a folder, out; FileNotFoundError when there is none."""
        path = os.path.normpath(path)
        found = [path] if path in self.sources else [p for p in self.sources if p.startswith(f"{path}/")]
        if not found:
            raise FileNotFoundError(f"No such file or directory: {path}")
        for one in found:
            del self.sources[one]

    def check_unchanged(self) -> None:
        """Raises UsageError when a large file that was not copied has changed since it was added."""
        for file, looks in self._looks.items():
            try:
                now = looks_of(os.stat(file))
            except OSError:
                now = None
            if now != looks:
                raise UsageError(
                    f"{file} changed after it was added to the artifact", hint="log the artifact before the file is written again"
                )

    def references(self) -> Iterable[ReferenceEntry]:
        """Returns the entries whose bytes stay elsewhere."""
        return (source for source in self.sources.values() if isinstance(source, ReferenceEntry))


def _check_policy(policy: str | None) -> None:
    if policy not in (None, MUTABLE, IMMUTABLE):
        raise ValueError(f"Invalid policy {policy!r}. Policy may only be `mutable` or `immutable`.")


def _share_blocks(source: Path, target: Path) -> bool:
    import reflink_copy

    try:
        reflink_copy.reflink(str(source), str(target))
    except OSError:
        return False
    return True


def identity(source: Source) -> tuple[str, int]:
    """Returns what an entry is known by (hexadecimal BLAKE3-256, or a reference's checksum) and its size in bytes."""
    match source:
        case Path() | Seen():
            file = source if isinstance(source, Path) else source.file
            return placing.digest_file(file).hex(), os.stat(file).st_size
        case bytes():
            return digest(source).hex(), len(source)
        case KnownFile():
            return source.entry.digest.hex(), source.entry.size
        case Unread():
            return source.digest.hex(), os.stat(source.seen.file).st_size
        case _:
            return source.checksum, source.size


def local_file(source: Source) -> str | None:
    """Returns the file on disk that an entry's content comes from, if it comes from one."""
    match source:
        case Path():
            return str(source)
        case Seen():
            return source.file
        case Unread():
            return source.seen.file
        case _:
            return None
