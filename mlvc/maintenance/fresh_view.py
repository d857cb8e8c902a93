"""Folds the journal anew, in memory: what deletes and what checks never trusts the cached view."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from msgspec import Struct

from mlvc.fold.folding import arrival_of, fold
from mlvc.fold.look import DictView
from mlvc.fold.questions import View
from mlvc.fold.sweeping import fold_act
from mlvc.format import journal_entry, signature, transaction
from mlvc.format.journal_entry import Control
from mlvc.format.transaction import Envelope, Transaction
from mlvc.journal.entries import Journal
from mlvc.repository.repository import Repository


class Told(Struct, frozen=True):
    """A transaction as the journal, or the pending folder, tells it.

    Attributes:
        written_s: when the file that holds it was written, by the store's clock, in seconds.
    """

    envelope: Envelope
    transaction: Transaction
    written_s: float


class FreshView(Struct, frozen=True):
    """A view folded from nothing but the truth, and the transactions it was folded from."""

    view: View
    values: DictView
    told: tuple[Told, ...]


def fold_anew(repository: Repository, written_s: Callable[[Journal, int], float] | None = None) -> FreshView:
    """Folds everything that journal and pending folder hold.

    Args:
        repository: whose.
        written_s: when an entry was written, by the clock of the store that grace is counted by; default: when it came here.

    Raises:
        DamageError: an entry or a pending transaction is damaged: nothing may be concluded from the rest.
        NewerFormatError: something here is not understood.
    """
    values = DictView()
    told: list[Told] = []
    for one in _told(repository, written_s or partial(_came_s, repository)):
        if isinstance(one, Control):
            values.apply(fold_act(one, values))
        else:
            values.apply(fold(arrival_of(one.envelope, one.transaction), values))
            told.append(one)
    confirmed = 0
    for one in told:
        confirmed += repository.cached_view.entry_of(one.envelope.id) is not None
    return FreshView(View(values, confirmed), values, tuple(told))


def _came_s(repository: Repository, journal: Journal, number: int) -> float:
    return repository.backend.modified_s(journal_entry.key(journal.id, number)) or 0.0


def _told(repository: Repository, written_s: Callable[[Journal, int], float]) -> Iterator[Told | Control]:
    # Before the journal is read: what moves into it meanwhile is then seen twice, never missed.
    waiting = [(e, repository.backend.modified_s(f"pending/{e.id.hex()}")) for e in repository.pending.in_order()]
    seen = set()
    journal = repository.journal()
    if journal is not None:
        for where, entry, _ in journal.whole():
            written = written_s(where, entry.number)
            if entry.control is not None:
                yield entry.control
            for envelope in entry.envelopes:
                if envelope.id not in seen and signature.is_whole(envelope):
                    seen.add(envelope.id)
                    yield Told(envelope, transaction.decode(envelope.data), written)
    for envelope, modified_s in waiting:
        if envelope.id not in seen:
            # Gone by now, so confirmed a moment ago: as young as can be.
            written = float("inf") if modified_s is None else modified_s
            yield Told(envelope, transaction.decode(envelope.data), written)
