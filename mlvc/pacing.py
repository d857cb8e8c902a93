"""A limit on bytes a second, shared by all threads that move them."""

from __future__ import annotations

import re
import threading
import time

from mlvc.errors import UsageError

_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*([kKMG]?)(i?)B?(?:/s)?\Z")
_UNITS = {"": 0, "k": 1, "K": 1, "M": 2, "G": 3}
_BURST_S = 0.25
"""What may go at once after a pause, in seconds at the rate."""


def parse_rate(text: str) -> float:
    """Returns a rate such as '5MB', '800k' or '1.5MiB/s' in bytes a second; UsageError when it is none."""
    match = _RATE.match(text.strip())
    rate = float(match[1]) * (1024 if match[3] else 1000) ** _UNITS[match[2]] if match else 0.0
    if rate <= 0:
        raise UsageError(f"'{text}' is no rate", hint="write bytes a second, as 5MB, 800k or 1.5MiB")
    return rate


class Pace:
    """Lets bytes pass at a rate.

    Args:
        rate: bytes a second; None is no limit.
    """

    def __init__(self, rate: float | None = None) -> None:
        self._rate = rate
        self._free_at = 0.0
        self._lock = threading.Lock()

    def spend(self, size_bytes: int) -> None:
        """Returns once so many bytes more may have passed."""
        if self._rate is None:
            return
        with self._lock:
            now = time.monotonic()
            begin = max(self._free_at, now - _BURST_S)
            self._free_at = begin + size_bytes / self._rate
            wait = self._free_at - now
        if wait > 0:
            time.sleep(wait)


UNLIMITED = Pace()
