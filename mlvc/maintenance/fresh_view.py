"""Folds the journal anew, in memory: what deletes and what checks never trusts the cached view."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from mlvc.fold.folding import Arrival, fold
from mlvc.fold.look import DictView
from mlvc.fold.questions import View
from mlvc.format import journal_entry, transaction
from mlvc.format.transaction import Envelope, Transaction
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


def fold_anew(repository: Repository) -> FreshView:
    """Folds everything that journal and pending folder hold.

    Raises:
        DamageError: an entry or a pending transaction is damaged: nothing may be concluded from the rest.
        NewerFormatError: something here is not understood.
    """
    values = DictView()
    told = tuple(_told(repository))
    confirmed = 0
    for one in told:
        values.apply(fold(Arrival(one.envelope.data), values))
    for one in told:
        confirmed += repository.cached_view.entry_of(one.envelope.id) is not None
    return FreshView(View(values, confirmed), values, told)


def _told(repository: Repository) -> Iterator[Told]:
    # Before the journal is read: what moves into it meanwhile is then seen twice, never missed.
    waiting = [(e, repository.backend.modified_s(f"pending/{e.id.hex()}")) for e in repository.pending.in_order()]
    seen = set()
    journal = repository.journal()
    if journal is not None:
        for where, entry, _ in journal.whole():
            written = repository.backend.modified_s(journal_entry.key(where.id, entry.number)) or 0.0
            for envelope in entry.envelopes:
                if envelope.id not in seen:
                    seen.add(envelope.id)
                    yield Told(envelope, transaction.decode(envelope.data), written)
    for envelope, modified_s in waiting:
        if envelope.id not in seen:
            # Gone by now, so confirmed a moment ago: as young as can be.
            written = float("inf") if modified_s is None else modified_s
            yield Told(envelope, transaction.decode(envelope.data), written)
