"""Lists that W&B gives page by page: here they are read as far as they are asked for, and remembered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar, overload

Item = TypeVar("Item")


class Paginator(Sequence[Item], Generic[Item]):
    """A sequence that is read when it is looked at.

    Args:
        read: yields the items.
        count: returns how many there are without reading them; default: by reading them all.
        per_page: of W&B; pages make no difference here.
        start: how many to skip: what `cursor` was.
    """

    def __init__(
        self, read: Callable[[], Iterator[Item]], count: Callable[[], int] | None = None, per_page: int | None = 50, start: str | None = None
    ) -> None:
        from mlvc.errors import CommError

        if start is not None and not start.isdecimal():
            raise CommError(f"the cursor {start!r} is none that this list gave", hint="pass what .cursor was, or nothing")
        self._source = read
        self._reader: Iterator[Item] | None = None
        self._found: list[Item] = []
        self._count = count
        self._skipped = int(start or 0)
        self.per_page = per_page or 50
        self._at = -1

    def _read_to(self, wanted: int | None) -> None:
        """Reads until there are so many items, or all."""
        if self._reader is None:
            self._reader = self._source()
            for _ in range(self._skipped):
                next(self._reader, None)
        while wanted is None or len(self._found) < wanted:
            try:
                self._found.append(next(self._reader))
            except StopIteration:
                return

    def __iter__(self) -> Iterator[Item]:
        at = 0
        while True:
            self._read_to(at + 1)
            if at >= len(self._found):
                return
            yield self._found[at]
            at += 1

    def __len__(self) -> int:
        if self._count is not None:
            return max(0, self._count() - self._skipped)
        self._read_to(None)
        return len(self._found)

    def __bool__(self) -> bool:
        self._read_to(1)
        return bool(self._found)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        if isinstance(index, slice):
            is_open = index.stop is None or index.stop < 0 or (index.start or 0) < 0
            self._read_to(None if is_open else index.stop)
            return self._found[index]
        self._read_to(None if index < 0 else index + 1)
        return self._found[index]

    def __next__(self) -> Item:
        self._at += 1
        self._read_to(self._at + 1)
        if self._at >= len(self._found):
            raise StopIteration
        return self._found[self._at]

    def next(self) -> Item:
        """Returns the next item; StopIteration after the last."""
        return self.__next__()

    @property
    def length(self) -> int:
        """How many there are."""
        return len(self)

    @property
    def more(self) -> bool:
        """Whether there are items that were not read yet."""
        known = len(self._found)
        self._read_to(known + 1)
        return len(self._found) > known

    @property
    def cursor(self) -> str | None:
        """What `start` takes to go on after what was read."""
        return str(self._skipped + len(self._found)) if self._found else None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self)}>"

    def to_list(self) -> list[Item]:
        """Returns all items."""
        self._read_to(None)
        return list(self._found)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, (list, Paginator)) and list(self) == list(other)

    def __hash__(self) -> int:
        return id(self)


def cannot_be_read(what: str) -> Any:
    """Returns a function for W&B's calls that need its server."""
    from mlvc.errors import UnsupportedError

    def refuse(*_: Any, **__: Any) -> Any:
        raise UnsupportedError(f"{what} lives on W&B's server, and there is none", hint="docs/wandb-compatibility.md says what there is instead")

    return refuse
