"""A backend in memory, for tests and for reasoning."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator

from mlvc.backend.interface import Immediate, KeyMissingError


class MemoryBackend(Immediate):
    """See `Backend`. Its clock counts writes."""

    url = "memory:"

    def __init__(self) -> None:
        self._values: dict[str, tuple[bytes, float]] = {}
        self._writes = 0
        self._lock = threading.Lock()

    def read(self, key: str) -> bytes:
        """See `Backend.read`."""
        try:
            return self._values[key][0]
        except KeyError:
            raise KeyMissingError(key) from None

    def read_range(self, key: str, offset: int, size: int) -> bytes:
        """See `Backend.read_range`."""
        return self.read(key)[offset : offset + size]

    def size(self, key: str) -> int | None:
        """See `Backend.size`."""
        found = self._values.get(key)
        return None if found is None else len(found[0])

    def create(self, key: str, data: bytes) -> bool:
        """See `Backend.create`."""
        with self._lock:
            if key in self._values:
                return False
            self._put(key, data)
            return True

    def write(self, key: str, pieces: Iterable[bytes]) -> None:
        """See `Backend.write`."""
        data = b"".join(pieces)
        with self._lock:
            self._put(key, data)

    def _put(self, key: str, data: bytes) -> None:
        self._writes += 1
        self._values[key] = (bytes(data), float(self._writes))

    def keys(self, prefix: str, after: str = "") -> Iterator[tuple[str, int]]:
        """See `Backend.keys`."""
        with self._lock:
            found = [(key, len(data)) for key, (data, _) in self._values.items() if key.startswith(prefix) and key > after]
        yield from found

    def folders(self, prefix: str) -> list[str]:
        """See `Backend.folders`."""
        rests = (key[len(prefix) :] for key, _ in self.keys(prefix))
        return sorted({rest.split("/", 1)[0] for rest in rests if "/" in rest})

    def delete(self, key: str) -> None:
        """See `Backend.delete`."""
        with self._lock:
            self._values.pop(key, None)

    def modified_s(self, key: str) -> float | None:
        """See `Backend.modified_s`."""
        found = self._values.get(key)
        return None if found is None else found[1]
