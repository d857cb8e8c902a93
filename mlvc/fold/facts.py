"""Facts: operations that were folded.

A fact *stands* while its transaction is not undone, and *counts* while it stands
and no standing delete (or unlink, or untagging) names it. Everything people see is derived from facts that count.

Order: an operation's place in fold order is one integer, its transaction's position times 65,536 plus its own place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mlvc.fold.look import Look, Overlay, Value, key
from mlvc.format.ids import FactId, TransactionId, fact_transaction

_OPERATIONS_PER_TRANSACTION = 1 << 16


def order_of(position: int, place: int) -> int:
    """Returns the place in fold order of operation `place` of the transaction folded as number `position`."""
    return position * _OPERATIONS_PER_TRANSACTION + place


def position_of(order: int) -> int:
    """Returns the position of the transaction that an order belongs to."""
    return order // _OPERATIONS_PER_TRANSACTION


def transaction(look: Look, identifier: bytes) -> Value | None:
    """Returns what the view keeps of a folded transaction, or None."""
    return look.get(key("tx", identifier))


def is_undone(look: Look, identifier: TransactionId) -> bool:
    """Tells whether a folded transaction counts as never made."""
    found = transaction(look, identifier)
    return found is None or bool(found["undone"])


def stands(look: Look, fact: FactId) -> bool:
    """Tells whether the fact's transaction is folded and not undone."""
    return not is_undone(look, fact_transaction(fact))


def killers(look: Look, fact: FactId) -> Iterator[FactId]:
    """Yields the standing deletes, unlinks or untaggings that name the fact."""
    for _, killer in look.scan(key("killed", fact)):
        if stands(look, killer):
            yield killer


def counts(look: Look, fact: FactId) -> bool:
    """Tells whether the fact stands and nothing that stands names it as deleted."""
    return stands(look, fact) and next(killers(look, fact), None) is None


def kill(view: Overlay, killer: FactId, names: Iterable[FactId], killable: Iterable[FactId]) -> list[FactId]:
    """Records that `killer` names facts as deleted; only those that are about the same thing and already folded.

    Returns:
        The facts that it kills.
    """
    allowed = set(killable)
    killed = [fact for fact in dict.fromkeys(names) if fact in allowed]
    for fact in killed:
        view.put(key("killed", fact, killer), killer)
    return killed
