"""What the Python API prints: short lines on stderr, none when silenced."""

from __future__ import annotations

import os
import sys

_SILENCERS = ("MLVC_SILENT", "WANDB_SILENT", "MLVC_QUIET", "WANDB_QUIET")


def variable(name: str) -> str | None:
    """Returns `MLVC_name`, or `WANDB_name` where that is not set, or None."""
    return os.environ.get(f"MLVC_{name}") or os.environ.get(f"WANDB_{name}") or None


def entity() -> str:
    """Returns what stands where W&B has its entity: recorded, separates nothing."""
    return variable("ENTITY") or "local"


_silent = False


def be_silent(*, silent: bool) -> None:
    """Keeps this process from saying anything, or lets it, as the settings of its last run ask."""
    global _silent
    _silent = silent


def say(text: str) -> None:
    """Prints a line, unless silenced."""
    if not _silent and not any(os.environ.get(name, "").lower() in ("1", "true", "yes") for name in _SILENCERS):
        print(f"mlvc: {text}", file=sys.stderr)


def size(size_bytes: int) -> str:
    """Returns a size for people."""
    value = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
