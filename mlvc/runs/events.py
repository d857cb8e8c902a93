"""What a run's logs hold, and the state that they add up to. Lists in, values out; no I/O.

Each event is a list that begins with its kind:

- `[WRITER, host, boot id, pid, time]`       who writes this log
- `[HISTORY, step, time, values]`            one call of `log`
- `[CONFIG, set, removed]`, `[SUMMARY, set, removed]`
- `[FACTS, values]`                          name, notes, job type and the like
- `[TAGS, tags]`
- `[INPUT, version, name, use_as]`           a version was used
- `[END, state, exit code, time]`            this writer is done
- `[METRIC, rule]`                           how a metric is summed up; see `metrics.rule_to_json`
- `[SYSTEM, time, values]`                   what the machine was doing

Times are seconds since 1970 UTC, for display and for merging the logs of several writers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgpack
from msgspec import Struct, field

from mlvc.runs.metrics import Summaries, rule_from_json

WRITER, HISTORY, CONFIG, SUMMARY, FACTS, TAGS, INPUT, END, METRIC, SYSTEM = range(10)

RUNNING, FINISHED, FAILED, CRASHED, KILLED, PREEMPTED, UNKNOWN = (
    "running",
    "finished",
    "failed",
    "crashed",
    "killed",
    "preempted",
    "unknown",
)


class Writer(Struct, frozen=True):
    """One process that logs, or logged, to a run."""

    host: str
    boot_id: str
    pid: int
    started_s: float


class Recorded(Struct):
    """What the logs of a run add up to.

    Attributes:
        rows: step -> the values logged at it, with `_step`, `_runtime` (seconds) and `_timestamp` (seconds).
        summary: explicit settings and what every logged key sums up to, in the order they were made.
        system: what the machine was doing, with `_timestamp` and `_runtime`, by time.
        inputs: (version id, name asked by, use_as), each once, in order.
        end: (state, exit code, time) of the writer that ended last, or None while one has not.
    """

    writers: list[Writer] = field(default_factory=list)
    rows: dict[int, dict[str, Any]] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    config_removed: set[str] = field(default_factory=set)
    summary: dict[str, Any] = field(default_factory=dict)
    summary_removed: set[str] = field(default_factory=set)
    facts: dict[str, Any] = field(default_factory=dict)
    tags: list[str] | None = None
    inputs: dict[tuple[bytes, str, str], None] = field(default_factory=dict)
    ends: list[tuple[str, int, float]] = field(default_factory=list)
    last_s: float = 0.0
    system: list[dict[str, Any]] = field(default_factory=list)
    summaries: Summaries = field(default_factory=Summaries)

    def history(self) -> list[dict[str, Any]]:
        """Returns the rows by step."""
        return [self.rows[step] for step in sorted(self.rows)]


def add_up(logs: Iterable[Iterable[list[Any]]], started_s: float) -> Recorded:
    """Returns what the logs of a run's writers add up to.

    Args:
        logs: each writer's events, in its order.
        started_s: when the run began, for `_runtime`.
    """
    done = Recorded()
    for log in logs:
        add_events(done, log, started_s)
    return done


def add_events(done: Recorded, log: Iterable[list[Any]], started_s: float) -> None:
    """Adds a writer's events, or those that it wrote since, to what was added up before."""
    for event in log:
        _add(done, event, started_s)
    done.system.sort(key=lambda row: row["_timestamp"])


def _add(done: Recorded, event: list[Any], started_s: float) -> None:
    match event:
        case [0, host, boot_id, pid, at]:
            done.writers.append(Writer(host, boot_id, pid, at))
            done.last_s = max(done.last_s, at)
        case [1, step, at, values]:
            row = done.rows.setdefault(step, {"_step": step, "_runtime": at - started_s, "_timestamp": at})
            row.update(values)
            done.summaries.take(done.summary, values)
            done.summary.update(_step=step, _runtime=at - started_s, _timestamp=at)
            done.last_s = max(done.last_s, at)
        case [2, given, removed]:
            done.config.update(given)
            done.config_removed -= given.keys()
            for name in removed:
                done.config.pop(name, None)
                done.config_removed.add(name)
        case [3, given, removed]:
            done.summary.update(given)
            done.summary_removed -= given.keys()
            for name in removed:
                done.summary.pop(name, None)
                done.summary_removed.add(name)
        case [4, values]:
            done.facts.update(values)
        case [5, tags]:
            done.tags = list(tags)
        case [6, version, name, use_as]:
            done.inputs[version, name, use_as] = None
        case [7, state, exit_code, at]:
            done.ends.append((state, exit_code, at))
            done.last_s = max(done.last_s, at)
        case [8, rule]:
            done.summaries.define(rule_from_json(rule))
        case [9, at, values]:
            done.system.append({**values, "_timestamp": at, "_runtime": at - started_s})
            done.last_s = max(done.last_s, at)
        case _:
            return  # a kind that a newer mlvc adds; sealing keeps what is understood


def encode_history(rows: Iterable[dict[str, Any]]) -> bytes:
    """Returns the file that a run's history is sealed as: one MessagePack map a row, by step."""
    packer = msgpack.Packer(use_bin_type=True, unicode_errors="replace")
    return b"".join(packer.pack(row) for row in rows)


def decode_history(data: bytes) -> list[dict[str, Any]]:
    """Returns the rows in a sealed history file."""
    return list(each_row(data))


def each_row(data: bytes) -> Iterator[dict[str, Any]]:
    """Yields the rows in a sealed history file."""
    unpacker = msgpack.Unpacker(raw=False, strict_map_key=False, max_buffer_size=len(data) + 1)
    unpacker.feed(data)
    yield from unpacker
