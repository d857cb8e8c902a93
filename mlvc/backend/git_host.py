"""A store in `refs/mlvc/` of an ordinary Git host: names, lineage and registry travel with the code, with no bucket to set up.

Everything but data packs is the tree of one commit. A push that only succeeds while the host still has the commit that was seen is
the condition that `create` needs; whoever was second looks again, and decides by what is there now.
"""

from __future__ import annotations

import random
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mlvc.backend.git_mirror import Blob, DataRef, GitMirror, Seen
from mlvc.backend.git_url import PREFIX
from mlvc.backend.interface import MAX_READ, KeyMissingError
from mlvc.errors import ConflictError, RemoteError

_DATA = re.compile(r"packs/data/([0-9a-f]+)\.pack\Z")
_FRESH_S = 2.0
"""One command asks for many keys: what the host said is believed for so long before a missing key makes it be asked again."""

_MOST_RACES = 50
_PAUSE_S = 0.05


class GitHostBackend:
    """See `Backend`. A `write` is kept back, and goes with the next `create` or `together`: nothing names what it wrote before that.

    Args:
        url: with its prefix.
        mirrors: the folder in which mirrors are kept; None for one that ends with `close`.
        name: of the mirror.
        environment: of this process, or of a test.
    """

    def __init__(self, url: str, mirrors: Path | None, name: str, environment: Mapping[str, str]) -> None:
        self._url = url
        self._own = None if mirrors is not None else tempfile.mkdtemp(prefix="mlvc-git-")
        self._folder = mirrors or Path(self._own or "")
        self._mirror = GitMirror(url.removeprefix(PREFIX), self._folder / name, environment)
        self._extracted: dict[str, Path] = {}
        self._staged: dict[str, Blob | None] = {}
        self._only_new: set[str] = set()
        self._depth = 0
        self._seen: Seen | None = None
        self._seen_at = 0.0
        self._lock = threading.RLock()

    @property
    def url(self) -> str:
        """See `Backend.url`."""
        return self._url

    # -- reading -----------------------------------------------------------------------------------------------------

    def _now(self, *, again: bool = False) -> Seen:
        if self._seen is None or again:
            self._seen = self._mirror.look(self._seen)
            self._seen_at = time.monotonic()
        return self._seen

    def _stale(self) -> bool:
        return time.monotonic() - self._seen_at > _FRESH_S

    def _find(self, key: str) -> Blob | DataRef | None:
        with self._lock:
            if key in self._staged:
                return self._staged[key]
            found = _in(self._now(), key)
            if found is None and self._stale():
                found = _in(self._now(again=True), key)
            return found

    def read(self, key: str) -> bytes:
        """See `Backend.read`."""
        found = self._find(key)
        if found is None:
            raise KeyMissingError(key)
        if found.size > MAX_READ:
            raise RemoteError(f"{key} at {self.url} has {found.size:,} bytes, at most {MAX_READ:,} are believed")
        if isinstance(found, DataRef):
            return self._extract(found).read_bytes()
        return self._mirror.read(found)

    def read_range(self, key: str, offset: int, size: int) -> bytes:
        """See `Backend.read_range`. A data pack comes whole with the first of its ranges, and is kept until `close`."""
        found = self._find(key)
        if found is None:
            raise KeyMissingError(key)
        if isinstance(found, DataRef):
            with self._extract(found).open("rb") as file:
                file.seek(offset)
                return file.read(size)
        return self._mirror.read(found)[offset : offset + size]

    def _extract(self, found: DataRef) -> Path:
        with self._lock:
            if found.ref not in self._extracted:
                folder = Path(tempfile.mkdtemp(prefix="git-data-", dir=self._folder))
                self._mirror.fetch_data(found, folder / "pack")
                self._extracted[found.ref] = folder / "pack"
            return self._extracted[found.ref]

    def size(self, key: str) -> int | None:
        """See `Backend.size`."""
        found = self._find(key)
        return None if found is None else found.size

    def keys(self, prefix: str, after: str = "") -> Iterator[tuple[str, int]]:
        """See `Backend.keys`."""
        with self._lock:
            seen = self._now(again=self._stale())
            found: dict[str, Blob | DataRef | None] = {**seen.tree, **self._staged}
            found.update((f"packs/data/{name}.pack", ref) for name, ref in seen.data.items())
        yield from ((key, one.size) for key, one in found.items() if one is not None and key.startswith(prefix) and key > after)

    def folders(self, prefix: str) -> list[str]:
        """See `Backend.folders`."""
        rests = (key[len(prefix) :] for key, _ in self.keys(prefix))
        return sorted({rest.split("/", 1)[0] for rest in rests if "/" in rest})

    def modified_s(self, key: str) -> float | None:
        """See `Backend.modified_s`. Git hosts stamp nothing: the clock is that of whoever pushed."""
        found = self._find(key)
        if found is None:
            return None
        if isinstance(found, DataRef):
            return found.written_s
        return time.time() if key in self._staged else self._mirror.written_s(self._now(), key)

    # -- writing -----------------------------------------------------------------------------------------------------

    def create(self, key: str, data: bytes) -> bool:
        """See `Backend.create`. Takes along what was written before."""
        with self._lock:
            self._now()
            blob = self._mirror.keep(data)
            if self._find(key) is not None:
                return False
            if self._depth:
                self._staged[key] = blob
                self._only_new.add(key)
                return True
            return key not in self._pushed({**self._staged, key: blob}, frozenset({key}))

    def write(self, key: str, pieces: Iterable[bytes]) -> None:
        """See `Backend.write`. A data pack goes at once; the rest goes with the next `create`, or at the end of `together`."""
        data_pack = _DATA.match(key)
        if data_pack is not None:
            written = self._mirror.push_data(data_pack[1], pieces)
            with self._lock:
                seen = self._now()
                self._seen = Seen(seen.tip, seen.tree, {**seen.data, data_pack[1]: written})
            return
        data = b"".join(pieces)
        with self._lock:
            self._now()
            self._staged[key] = self._mirror.keep(data)

    def delete(self, key: str) -> None:
        """See `Backend.delete`."""
        with self._lock:
            found = self._find(key)
            if isinstance(found, DataRef):
                self._mirror.delete_data(found)
                self._now(again=True)
                return
            if key not in self._now().tree:
                self._staged.pop(key, None)
            elif self._depth:
                self._staged[key] = None
            else:
                self._pushed({**self._staged, key: None}, frozenset())

    @contextmanager
    def together(self) -> Iterator[None]:
        """Everything in this block goes in one commit at its end, or nothing of it: for copies, which nobody else decides about.

        Raises:
            ConflictError: at the end, when somebody created one of its keys with other content meanwhile.
        """
        with self._lock:
            self._depth += 1
        try:
            yield
        except BaseException:
            with self._lock:
                self._depth -= 1
                self._staged.clear()
                self._only_new.clear()
            raise
        with self._lock:
            self._depth -= 1
            if not self._depth:
                self.flush()

    def flush(self) -> None:
        """Pushes what was written and not yet sent; errors as `together`."""
        with self._lock:
            if not self._staged:
                return
            taken = self._pushed(dict(self._staged), frozenset(self._only_new))
            if taken:
                raise ConflictError(
                    f"somebody else wrote to {self.url} at the same time ({min(taken)}); nothing was sent", hint="run the command again"
                )

    def _pushed(self, changes: dict[str, Blob | None], only_new: frozenset[str]) -> set[str]:
        """Makes changes at the host, all or none; returns those of `only_new` that somebody else wrote first, and then makes none."""
        for attempt in range(_MOST_RACES):
            seen = self._now()
            taken = {key for key in only_new if key in seen.tree and not _is_same(seen.tree[key], changes[key])}
            if taken:
                return taken
            commit = self._mirror.commit(seen, changes)
            if self._mirror.push(commit, seen):
                tree = {**seen.tree, **{key: Blob(blob.id, blob.size) for key, blob in changes.items() if blob is not None}}
                for key, blob in changes.items():
                    if blob is None:
                        tree.pop(key, None)
                self._seen = Seen(commit, tree, seen.data)
                self._staged.clear()
                self._only_new.clear()
                return set()
            time.sleep(random.uniform(0, _PAUSE_S * min(attempt, 10)))  # noqa: S311 - others that wait must not wake together
            self._now(again=True)
        raise RemoteError(f"others push to {self.url} all the time; nothing was sent", hint="run the command again")

    def check_writable(self) -> None:
        """Raises RemoteError when this user may not push to the host."""
        self._mirror.check_writable()

    def close(self) -> None:
        """Clears away what was brought only for reading."""
        self._mirror.close()
        for pack in self._extracted.values():
            shutil.rmtree(pack.parent, ignore_errors=True)
        self._extracted.clear()
        if self._own is not None:
            shutil.rmtree(self._own, ignore_errors=True)


def _is_same(one: Blob, other: Blob | None) -> bool:
    return other is not None and one.id == other.id


def _in(seen: Seen, key: str) -> Blob | DataRef | None:
    data_pack = _DATA.match(key)
    return seen.data.get(data_pack[1]) if data_pack is not None else seen.tree.get(key)
