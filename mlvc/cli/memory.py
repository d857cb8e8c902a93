"""How the command line's own process treats memory that it gave back."""

from __future__ import annotations

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""glibc's names for them, from <malloc.h>."""

_KEPT = 256 << 20


def keep_what_is_freed() -> None:
    """Makes the C library keep freed memory for the next use, where it has a say (glibc's `mallopt`, see mallopt(3)).

    Bulk work takes and frees pieces of up to a megabyte by the thousand, which glibc would hand back to the kernel each time,
    only to have every page of the next one zeroed: that was a fourth of the time of a checkout. It is the command line's
    choice; a training process that imports mlvc keeps its own.
    """
    import ctypes

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    mallopt(_M_MMAP_THRESHOLD, 32 << 20)  # glibc's upper bound for it
    mallopt(_M_TRIM_THRESHOLD, _KEPT)
