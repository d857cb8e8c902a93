"""Appending to an authority: one piece of code, whether that is the local store or a remote one."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

from msgspec import Struct

from mlvc.errors import DamageError, RemoteError
from mlvc.format import journal_entry, signature
from mlvc.format.journal_entry import MAX_SIZE, MAX_TRANSACTIONS, Control, Entry
from mlvc.format.transaction import Envelope
from mlvc.journal.entries import Journal

_ENTRY_BUDGET = MAX_SIZE // 2
"""Uncompressed transactions per entry, in bytes: leaves the size limit out of reach."""


_MOST_UNEXPLAINED = 8
_PAUSE_S = 0.01
"""A store may answer 'conflict' while another's write is on its way; the pause doubles each time."""


class ControlActError(Exception):
    """The journal got a control act while something was to be appended: whoever appends looks again at what it changed.

    Never reaches a user.
    """


class MovedOnError(DamageError):
    """Another entry stands where a control act was to be: it was decided on an older state."""


class Tail(Struct, frozen=True):
    """The end of a journal: the number and hash of its last entry."""

    number: int
    hash: bytes


def find_tail(journal: Journal, known: Tail) -> tuple[Tail, list[tuple[Entry, bytes]]]:
    """Returns the end of a journal and the entries after `known`; DamageError when they do not follow it."""
    fresh = list(journal.iterate(known.number, known.hash))
    if not fresh:
        return known, []
    entry, data = fresh[-1]
    return Tail(entry.number, journal_entry.entry_hash(data)), fresh


def append_transactions(journal: Journal, known: Tail, envelopes: Sequence[Envelope]) -> Tail:
    """Appends transactions, each exactly once, in the order given, as one or more entries, each atomic.

    Args:
        journal: of the store that is the authority.
        known: an entry that the caller has folded, at or before the end.
        envelopes: all that they need is decodable there already.

    Returns:
        The end of the journal after the append.

    Raises:
        ControlActError: a sweep, or another act, stands after `known`; of the transactions, none or the first ones are there.
        DamageError: the journal does not continue from `known`.
        RemoteError: the store says of a number that it is taken, and does not give what took it.
    """
    waiting = [envelope for envelope in envelopes if signature.is_whole(envelope)]
    tail = known
    unexplained = 0
    while True:
        tail, fresh = find_tail(journal, tail)
        there = {envelope.id for entry, _ in fresh for envelope in entry.envelopes if signature.is_whole(envelope)}
        waiting = [envelope for envelope in waiting if envelope.id not in there]
        if not waiting:
            return tail
        if any(entry.control is not None for entry, _ in fresh):
            raise ControlActError
        unexplained = 0 if fresh else unexplained
        if unexplained == _MOST_UNEXPLAINED:
            raise RemoteError(
                f"{journal.backend.url} says that entry {tail.number + 1} exists, and does not show it", hint="try again later"
            )
        if unexplained:
            time.sleep(random.uniform(0, _PAUSE_S * 2**unexplained))  # noqa: S311 - others that wait must not wake together
        batch = _first_batch(waiting)
        entry = Entry(journal.id, tail.number + 1, tail.hash, _now_ms(), envelopes=tuple(batch))
        # A taken number is a question, not an answer: the loop reads it back. It may be ours, with the reply lost.
        if not journal.backend.create(journal_entry.key(journal.id, entry.number), journal_entry.encode(entry)):
            unexplained += 1


def append_control(journal: Journal, known: Tail, control: Control) -> Tail:
    """Appends a control act directly after `known`.

    Raises:
        MovedOnError: another entry stands there by now.
    """
    entry = Entry(journal.id, known.number + 1, known.hash, _now_ms(), control=control)
    data = journal_entry.encode(entry)
    journal.backend.create(journal_entry.key(journal.id, entry.number), data)
    there = journal.read_bytes(entry.number)
    if there != data:
        raise MovedOnError(
            f"the journal moved on while a {control.kind} was being decided", hint="run the command again"
        )
    return Tail(entry.number, journal_entry.entry_hash(data))


def _first_batch(envelopes: Sequence[Envelope]) -> list[Envelope]:
    """Returns as many of the first envelopes as one entry may hold, at least one."""
    batch: list[Envelope] = []
    size = 0
    for envelope in envelopes[:MAX_TRANSACTIONS]:
        size += len(envelope.data) + len(envelope.signature) + 64 * (1 + len(envelope.brings) + len(envelope.leans))
        if batch and size > _ENTRY_BUDGET:
            break
        batch.append(envelope)
    return batch


def _now_ms() -> int:
    return int(time.time() * 1000)
