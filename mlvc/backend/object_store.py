"""A bucket of S3, Google Cloud Storage or Azure as a backend, through obstore.

Create-if-absent is the store's own conditional write (`If-None-Match: *`, generation 0). obstore sends requests that failed on the
way again, so `create` may answer False for what it wrote itself; whoever asks reads it back, as the contract says. Uploads of
several parts become visible whole or not at all. obstore must not be used before a fork and in the child: a forked child's first
call never returns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any

from mlvc.backend.interface import MAX_READ, Immediate, KeyMissingError
from mlvc.errors import Error, RemoteError

if TYPE_CHECKING:
    from obstore.store import ObjectStore as Store

CLIENT_OPTIONS = {"connect_timeout": "10s", "read_timeout": "30s", "timeout": "1h"}
"""A stalled read ends after half a minute; a large upload may take its time."""

RETRIES: dict[str, Any] = {
    "max_retries": 8,
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=15), "base": 2},
    "retry_timeout": timedelta(minutes=3),
}

_PART = 8 << 20
_PARTS_AT_ONCE = 4
_CODE = re.compile(r"<Code>(\w+)</Code>")
_STATUS = re.compile(r"status code: (\d{3}[^:<]*)")
_INSTANCE_ROLE = "//169.254.169.254/"
"""Where an instance would find its role: who is asked when nobody else knew of credentials."""

_NO_BUCKET = ("NoSuchBucket", "ContainerNotFound")


class ObjectStoreBackend(Immediate):
    """See `Backend`.

    Args:
        url: as shown; without secrets.
        store: what obstore made of it; its prefix is the store's.
    """

    def __init__(self, url: str, store: Store) -> None:
        self.url = url
        self._store = store
        self._last: tuple[str, bytes] = ("", b"")

    def __reduce__(self) -> tuple[Any, ...]:
        """Raises TypeError: what it holds may include credentials, which go nowhere."""
        raise TypeError("a bucket is not pickled: it holds credentials")

    def read(self, key: str) -> bytes:
        """See `Backend.read`."""
        import obstore

        with self._told(key, "read"):
            found = obstore.get(self._store, key)
            if int(found.meta["size"]) > MAX_READ:
                raise RemoteError(f"{key} at {self.url} has {found.meta['size']:,} bytes, at most {MAX_READ:,} are believed")
            return bytes(found.bytes())

    def read_range(self, key: str, offset: int, size: int) -> bytes:
        """See `Backend.read_range`."""
        import obstore

        if not size:
            return b""
        with self._told(key, "read"):
            try:
                return bytes(obstore.get_range(self._store, key, start=offset, length=size))
            except obstore.exceptions.GenericError as error:
                if "416" in str(error):
                    return b""  # wholly past the end
                if "non-partial response" not in str(error):
                    raise
        return self._cut_from_whole(key, offset, size)

    def _cut_from_whole(self, key: str, offset: int, size: int) -> bytes:
        """Reads a part where the store gives only the whole; parts of one pack are asked for one after the other."""
        name, data = self._last
        if name != key:
            data = self.read(key)
            self._last = key, data
        return data[offset : offset + size]

    def size(self, key: str) -> int | None:
        """See `Backend.size`."""
        found = self._head(key)
        return None if found is None else int(found["size"])

    def _head(self, key: str) -> Any:
        import obstore

        try:
            with self._told(key, "look at"):
                return obstore.head(self._store, key)
        except KeyMissingError:
            return None

    def create(self, key: str, data: bytes) -> bool:
        """See `Backend.create`."""
        import obstore

        with self._told(key, "create"):
            try:
                obstore.put(self._store, key, data, mode="create")
            except obstore.exceptions.AlreadyExistsError:
                return False
        return True

    def write(self, key: str, pieces: Iterable[bytes]) -> None:
        """See `Backend.write`. Several parts are on their way at once."""
        import obstore

        waiting = iter(pieces)
        first: list[bytes] = []
        while sum(map(len, first)) <= _PART and (piece := next(waiting, None)) is not None:
            first.append(piece)
        with self._told(key, "write"):
            if sum(map(len, first)) <= _PART:
                obstore.put(self._store, key, b"".join(first), use_multipart=False)
            else:
                obstore.put(self._store, key, chain(first, waiting), chunk_size=_PART, max_concurrency=_PARTS_AT_ONCE)

    def keys(self, prefix: str, after: str = "") -> Iterator[tuple[str, int]]:
        """See `Backend.keys`."""
        import obstore

        with self._told(prefix, "list"):
            for page in obstore.list(self._store, prefix.rstrip("/") or None, offset=after or None):
                for item in page:
                    yield item["path"], int(item["size"])

    def folders(self, prefix: str) -> list[str]:
        """See `Backend.folders`."""
        import obstore

        with self._told(prefix, "list"):
            found = obstore.list_with_delimiter(self._store, prefix.rstrip("/") or None)
        return sorted(str(path).rstrip("/").rpartition("/")[2] for path in found["common_prefixes"])

    def delete(self, key: str) -> None:
        """See `Backend.delete`."""
        import obstore

        try:
            with self._told(key, "delete"):
                obstore.delete(self._store, key)
        except KeyMissingError:
            return

    def modified_s(self, key: str) -> float | None:
        """See `Backend.modified_s`: as the store stamped it."""
        found = self._head(key)
        return None if found is None else float(found["last_modified"].timestamp())

    @contextmanager
    def _told(self, key: str, doing: str) -> Iterator[None]:
        """Turns what obstore raises into KeyMissingError, or a RemoteError of one sentence."""
        from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

        try:
            yield
        except Error:
            raise  # from whoever gives the pieces
        except FileNotFoundError as error:
            if any(code in str(error) for code in _NO_BUCKET):
                raise RemoteError(f"there is no bucket at {self.url}", hint="make it first, or check the URL") from error
            raise KeyMissingError(key) from None
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise RemoteError(
                f"{self.url} refused to {doing} {key}: {_reason(error)}",
                hint="check the credentials, and what they may do",
            ) from error
        except (BaseError, NotImplementedError, OSError) as error:
            if any(code in str(error) for code in _NO_BUCKET):
                raise RemoteError(f"there is no bucket at {self.url}", hint="make it first, or check the URL") from error
            if _INSTANCE_ROLE in str(error):
                raise RemoteError(
                    f"there are no credentials for {self.url}",
                    hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile: --profile",
                ) from error
            raise RemoteError(f"{self.url} failed to {doing} {key}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """Returns what a store answered, in a few words: its own code, the status, or what kept the request from arriving."""
    text = str(error)
    code, status = _CODE.search(text), _STATUS.search(text)
    if code or status:
        return " ".join(match[1].strip() for match in (code, status) if match)
    first = text.splitlines()[0] if text else type(error).__name__
    return first.rpartition(" - ")[2][:200]
