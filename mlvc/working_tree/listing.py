"""The files below a folder as a scan saw them, in the order of their paths: some 110 bytes a file, so that millions fit."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from itertools import islice, pairwise

from mlvc.objects.source_file import Looks, Seen

_NOT_REGULAR = -1
"""The size that stands for looks that are None."""


class Listing:
    """Iterating yields (entry path, file as it was seen).

    Attributes:
        paths: entry paths, ascending.
    """

    def __init__(self, folder: str, seen: Iterable[tuple[str, Seen]]) -> None:
        """Takes what a scan of `folder` yields."""
        self.paths: list[str] = []
        self._folder = folder
        self._elsewhere: dict[int, str] = {}
        self._looks = array("q")
        self._take(seen)
        if any(one > other for one, other in pairwise(self.paths)):  # names in another Unicode form sort otherwise on disk
            ordered = sorted(self)
            self.paths, self._elsewhere, self._looks = [], {}, array("q")
            self._take(ordered)

    def _take(self, seen: Iterable[tuple[str, Seen]]) -> None:
        start = len(self._folder) + 1
        for path, one in seen:
            if one.file[start:] != path:
                self._elsewhere[len(self.paths)] = one.file
            self.paths.append(path)
            looks = one.looks
            if looks is None:
                self._looks.extend((_NOT_REGULAR, 0, 0, 0))
            else:
                self._looks.extend((looks.size, looks.modified_ns, looks.changed_ns, looks.inode))

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[tuple[str, Seen]]:
        looks = iter(self._looks)
        for number, path in enumerate(self.paths):
            file = self._elsewhere.get(number) or f"{self._folder}/{path}"
            size, *rest = islice(looks, 4)
            yield path, Seen(file, None if size == _NOT_REGULAR else Looks(size, *rest))
