"""Work spread over threads, in order and with a bound on what waits. The one way mlvc uses threads for throughput.

The work worth spreading (hashing, compressing, reading) releases the GIL inside its library.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

Item = TypeVar("Item")
Result = TypeVar("Result")


def worker_count() -> int:
    """Returns how many threads to use: the processors this process may run on, at most 16."""
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        allowed = os.cpu_count() or 1
    return max(1, min(16, allowed))


def _submitted(pool: ThreadPoolExecutor, work: Callable[[Item], Result], item: Item) -> Future[Result]:
    """Returns the work under way; done at once where the interpreter is shutting down and starts no more threads."""
    try:
        return pool.submit(work, item)
    except RuntimeError:
        return _done(work, item)


def _done(work: Callable[[Item], Result], item: Item) -> Future[Result]:
    from concurrent.futures import Future

    done: Future[Result] = Future()
    try:
        done.set_result(work(item))
    except Exception as error:  # noqa: BLE001 - it comes out in its place, as from a thread
        done.set_exception(error)
    return done


def map_in_order(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    ahead: int = 0,
    workers: int = 0,
    here: Callable[[Item], bool] = lambda _: False,
) -> Iterator[Result]:
    """Yields `work(item)` for each item, in the items' order.

    Items are drawn lazily: at most `ahead` (default: twice the workers) are drawn and unfinished or unread, which
    bounds memory by `ahead` items and results. An exception of `work` or `items` comes out in its place. Items that
    `here` is true of are worked on by the caller's thread: many short steps that need the interpreter's lock are
    faster in one thread than in four.
    """
    workers = workers or worker_count()
    ahead = ahead or 2 * workers
    drawn = iter(items)
    first = list(islice(drawn, 0 if workers == 1 else 2))
    items = chain(first, drawn)
    if workers == 1 or len(first) < 2:  # a single item needs no thread, nor what threads import
        yield from map(work, items)
        return
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(workers, thread_name_prefix="mlvc")
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(_done(work, item) if here(item) else _submitted(pool, work, item))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
        pool.shutdown(wait=True)


class Background:
    """Work that goes on beside the caller's, such as syncing a file while the next one is written."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._pool: ThreadPoolExecutor | None = None
        self._waiting: deque[Future[object]] = deque()

    def start(self, work: Callable[[], object], *, is_short: bool = False) -> None:
        """Begins some work; waits for the oldest when twice the workers are busy, and raises what that raised.

        Short work is done at once while nothing was begun: a small commit needs no threads, nor what they import.
        """
        if self._pool is None:
            if is_short:
                work()
                return
            from concurrent.futures import ThreadPoolExecutor

            self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="mlvc-background")
        self._waiting.append(_submitted(self._pool, lambda _: work(), None))
        if len(self._waiting) > 2 * self._workers:
            self._waiting.popleft().result()

    def wait(self) -> None:
        """Waits until all is done; raises what the first that failed raised, once none is under way."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True)
        while self._waiting:
            future = self._waiting.popleft()
            if (error := future.exception()) is not None:
                self._waiting.clear()
                raise error


class Gate:
    """Lets as many transfers go on at once as pays: one more as long as more bytes pass for it, one fewer when they pass slower.

    Additive both ways, as the gain from one more is small next to what a far store's answers vary by.

    Args:
        begin: how many at first.
        most: how many at most.
        clock: in seconds; a test's own.
    """

    def __init__(self, begin: int, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = begin
        self._most = most
        self._clock = clock
        self._under_way = 0
        self._done = self._bytes = 0
        self._since: float | None = None
        self._best = 0.0
        self._changed = threading.Condition()

    @contextmanager
    def passing(self, size_bytes: int) -> Iterator[None]:
        """Waits until one more may go, for the length of a transfer of so many bytes."""
        with self._changed:
            self._changed.wait_for(lambda: self._under_way < self.limit)
            self._under_way += 1
            if self._since is None:
                self._since = self._clock()
        try:
            yield
        finally:
            with self._changed:
                self._under_way -= 1
                self._done += 1
                self._bytes += size_bytes
                self._adapt()
                self._changed.notify_all()

    def _adapt(self) -> None:
        """Compares the rate, once as many were done as go at once, with the best one seen."""
        if self._done < 2 * self.limit or self._since is None:
            return
        now = self._clock()
        rate = self._bytes / max(now - self._since, 1e-6)
        if rate > self._best * _GAIN:
            self.limit = min(self._most, self.limit + 1)
            self._best = rate
        elif rate < self._best * _LOSS:
            self.limit = max(1, self.limit - 1)
            self._best = rate
        self._done, self._bytes, self._since = 0, 0, now


_GAIN, _LOSS = 1.05, 0.75
