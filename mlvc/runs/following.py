"""Runs under way as somebody watches them: of what was added up before, nothing is read again."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from mlvc.runs import event_log, events
from mlvc.runs.events import Recorded
from mlvc.runs.live_run import LiveRun


class _Known(Struct):
    """What logs added up to, and how far into each it was read."""

    recorded: Recorded
    ends: dict[Path, int]


class Follower:
    """Remembers the runs that it was asked about, for as long as they are under way. One thread at a time."""

    def __init__(self) -> None:
        self._known: dict[Path, _Known] = {}

    def recorded(self, live: LiveRun, started_s: float) -> Recorded:
        """Returns what `LiveRun.recorded` does, to be read and not changed; it grows when asked for again.

        Raises:
            LocalFileError: a log cannot be read, as when the run was sealed just now.
            DamageError: a log is not what was written.
        """
        paths = live.log_paths()
        known = self._known.pop(live.folder, None)
        if known is None or list(known.ends) != paths[: len(known.ends)] or any(_has_more(path, known.ends[path]) for path in list(known.ends)[:-1]):
            known = _Known(Recorded(), {})  # writers' events count in the order of their logs: only the last one may grow
        for path in paths[max(0, len(known.ends) - 1) :]:
            found, known.ends[path] = event_log.read_from(path, known.ends.get(path, 0))
            events.add_events(known.recorded, found, started_s)
        self._known[live.folder] = known
        for folder in [folder for folder in self._known if not folder.is_dir()]:
            del self._known[folder]
        return known.recorded


def _has_more(path: Path, end: int) -> bool:
    found, _ = event_log.read_from(path, end)
    return bool(found)
