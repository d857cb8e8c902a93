"""`fold(transaction, look) -> changes`: what one transaction makes of the view.

Exactly once: a transaction already folded changes nothing. Causal: one whose `after` is missing is parked, and takes its
place in fold order when the last of them arrives. An undone one counts as never made, but the numbers it bound stay used.
A known operation that does not fit is kept as a fact that answers nothing; an unknown one stops the reader (decoding
raises `NewerFormatError` before the fold sees it).
"""

from __future__ import annotations

from msgspec import Struct

from mlvc.errors import InvalidNameError
from mlvc.fold import actions, aliases, details, facts, protection, runs, versions
from mlvc.fold.look import Changes, Look, Overlay, Value, key
from mlvc.format import names, signature, transaction
from mlvc.format.ids import FactId, RunId, TransactionId, VersionId, fact_id
from mlvc.format.operations import (
    Collection,
    Delete,
    Edge,
    Edit,
    FoldRules,
    Link,
    Move,
    Operation,
    Project,
    Protect,
    Publish,
    Redirect,
    RunHead,
    TagAdd,
    TagRemove,
    Ttl,
    Undo,
    Unlink,
)
from mlvc.format.transaction import Envelope, Transaction


class Arrival(Struct, frozen=True):
    """A transaction as it arrives at the fold.

    Attributes:
        data: its bytes; their hash is its id.
        signer: the public key whose signature of `data` the caller verified, or None.
        decoded: what `data` says, where the caller decoded it already.
    """

    data: bytes
    signer: str | None = None
    decoded: Transaction | None = None

    @property
    def id(self) -> TransactionId:
        """The transaction's id."""
        return transaction.transaction_id(self.data)


def arrival_of(envelope: Envelope, decoded: Transaction | None = None) -> Arrival:
    """Returns a transaction as it arrives, with the key that its signature was verified against.

    Raises:
        NoTransactionError: the signature that it asks for is missing or wrong: this copy is no transaction.
        NewerFormatError, DamageError: see `fold`.
    """
    decoded = decoded or transaction.decode(envelope.data)
    return Arrival(envelope.data, signature.signer_of(envelope, decoded), decoded)


def fold(arrival: Arrival, look: Look) -> Changes:
    """Returns what the transaction changes in the view; nothing when it was folded or parked before.

    Raises:
        NewerFormatError: it holds what this mlvc does not know; the view must not go past it.
        DamageError: its bytes are no transaction.
    """
    view = Overlay(look)
    identifier = arrival.id
    if facts.transaction(view, identifier) is not None or view.get(key("parked", identifier)) is not None:
        return ()
    decoded = arrival.decoded or transaction.decode(arrival.data)
    counters = _counters(view)
    view.put(key("counters"), {**counters, "arrivals": counters["arrivals"] + 1})
    if any(facts.transaction(view, needed) is None for needed in decoded.after):
        _park(view, identifier, decoded, arrival, counters["arrivals"])
        return view.changes()
    _apply(view, identifier, decoded, arrival.signer, counters["arrivals"])
    _unpark_after(view, identifier, counters["arrivals"])
    return view.changes()


def refusal_of(look: Look, made: Transaction, signer: str | None) -> str | None:
    """Returns why an operation of a transaction would be refused if it were folded now, signed by a key; None when none would be."""
    if not any(True for _ in look.scan(key("protected"))):
        return None
    view = Overlay(look)
    counters = _counters(view)
    _apply(view, transaction.transaction_id(transaction.encode(made)), made, signer, counters["arrivals"])
    for change in view.changes():
        if change.key.startswith(key("refused")) and change.new is not None:
            return str(change.new["why"])
    return None


def arrivals(look: Look) -> int:
    """Returns how many transactions have arrived, parked ones included."""
    return int(_counters(look)["arrivals"])


def _counters(look: Look) -> dict[str, int]:
    return look.get(key("counters")) or {"arrivals": 0, "positions": 0}


def _park(view: Overlay, identifier: TransactionId, decoded: Transaction, arrival: Arrival, number: int) -> None:
    view.put(key("parked", identifier), {"arrival": number, "data": arrival.data, "signer": arrival.signer})
    for needed in decoded.after:
        if facts.transaction(view, needed) is None:
            view.put(key("waiting", needed, identifier), identifier)


def _unpark_after(view: Overlay, folded: TransactionId, arrival: int) -> None:
    """Folds every parked transaction that waited for the last of its `after`, in order of arrival."""
    ready: list[tuple[int, TransactionId, Value]] = []
    newly_folded = [folded]
    while newly_folded:
        for done in newly_folded:
            for at, waiting in list(view.scan(key("waiting", done))):
                view.put(at, None)
                parked: Value = view.get(key("parked", waiting))
                decoded = transaction.decode(parked["data"])
                if all(facts.transaction(view, needed) is not None for needed in decoded.after):
                    ready.append((parked["arrival"], TransactionId(waiting), parked))
        newly_folded = []
        if ready:
            ready.sort(key=lambda item: item[0])
            _, identifier, parked = ready.pop(0)
            view.put(key("parked", identifier), None)
            _apply(view, identifier, transaction.decode(parked["data"]), parked["signer"], arrival)
            newly_folded = [identifier]


def _apply(view: Overlay, identifier: TransactionId, decoded: Transaction, signer: str | None, arrival: int) -> None:
    counters = _counters(view)
    position = counters["positions"]
    view.put(key("counters"), {**counters, "positions": position + 1})
    record = {"position": position, "undone": False, "touches": _touches(decoded.operations), "operations": len(decoded.operations)}
    record |= {"who": decoded.who, "when": decoded.when_ms, "command": decoded.command, "arrival": arrival}
    if signer is not None:
        record["signer"] = signer
    view.put(key("tx", identifier), record)
    view.put(key("order", position), identifier)
    for older in decoded.after:
        view.put(key("heads", older), None)
    view.put(key("heads", identifier), identifier)
    for place, operation in enumerate(decoded.operations):
        order = facts.order_of(position, place)
        before = protection.state(view)
        mark = view.mark()
        problem = _unfit(view, operation)
        if problem is None:
            _record(view, fact_id(identifier, place), order, arrival, operation)
            problem = protection.refusal(before, view, operation, signer)
        if problem is not None:
            view.back_to(mark)
            if isinstance(operation, Move):
                aliases.record_refused(view, fact_id(identifier, place), order, operation)
            view.put(key("refused", order), {"tx": identifier, "place": place, "why": problem})
        actions.record(view, fact_id(identifier, place), order, operation, problem)


def _unfit(look: Look, operation: Operation) -> str | None:
    """Returns why an operation can mean nothing, or None. A guard against what hostile journals hold."""
    if isinstance(operation, Undo) and facts.transaction(look, operation.transaction) is None:
        return "it undoes a transaction that is not among those it comes after"
    collection = getattr(operation, "collection", None)
    if collection is None:
        return None
    project, name = names.split_collection(collection)
    try:
        names.check_artifact_name(name)
        if not names.is_registry(collection):
            names.check_project(project)
        elif isinstance(operation, Publish):
            return f"{collection} holds links only, nothing can be published in it"
        if isinstance(operation, Link | Unlink) and not names.is_registry(collection):
            return f"{collection} holds sources only, nothing can be linked into it"
        if isinstance(operation, Move):
            names.check_alias(operation.alias)
            if operation.alias == names.LATEST:
                return "'latest' is computed and cannot be moved"
    except InvalidNameError as error:
        return error.message
    return None


def _record(view: Overlay, fact: FactId, order: int, arrival: int, operation: Operation) -> None:
    match operation:
        case Publish():
            versions.record_publish(view, fact, order, arrival, operation)
        case Link():
            versions.record_link(view, fact, order, arrival, operation)
        case Move():
            aliases.record_move(view, fact, order, operation)
            versions.record_move(view, fact, order, operation)
        case Unlink():
            versions.record_delete(view, fact, order, operation)
        case Delete() if operation.target[0] == "version":
            versions.record_delete(view, fact, order, operation)
        case Delete() if operation.target[0] == "collection":
            details.record_delete_collection(view, fact, operation)
        case Delete():
            runs.record_delete(view, fact, order, operation)
        case RunHead():
            runs.record_head(view, fact, order, operation)
        case Edge():
            runs.record_edge(view, fact, order, operation)
        case Project():
            details.record_project(view, fact, order, operation)
        case Collection():
            details.record_collection(view, fact, order, operation)
        case TagAdd():
            details.record_tag(view, fact, order, operation)
        case TagRemove():
            details.record_untag(view, fact, operation)
        case Edit():
            details.record_edit(view, fact, order, operation)
        case Ttl():
            details.record_ttl(view, fact, order, operation)
        case Redirect():
            details.record_redirect(view, fact, order, operation)
        case Protect():
            protection.record_protect(view, fact, order, operation)
        case Undo():
            view.put(key("undo", operation.transaction, fact), fact)
            _recompute_undone(view, operation.transaction, order)
        case FoldRules():
            return  # decoding has refused versions above the known one
        case _:
            raise AssertionError(f"the fold has no rule for {operation.kind}")


def _touches(operations: tuple[Operation, ...]) -> list[list[str | bytes]]:
    """Returns what has to be derived anew when a transaction is undone or stands again; all else is derived on reading."""
    found: list[list[str | bytes]] = []
    for operation in operations:
        match operation:
            case Publish() | Link():
                found.append(["version", operation.version])
            case Move():
                found.append(["alias", operation.collection, operation.alias])
                if operation.version is not None:
                    found.append(["version", operation.version])
            case Unlink():
                found.append(["version", operation.version])
            case Delete() if operation.target[0] in ("version", "run"):
                found.append([*operation.target])
            case RunHead():
                found.append(["run", operation.run])
            case Protect():
                found.append(["protection", operation.collection, operation.alias])
            case Undo():
                found.append(["undone", operation.transaction])
            case _:
                continue
    return found


def _recompute_undone(view: Overlay, identifier: TransactionId, order: int) -> None:
    """Derives whether a transaction is undone, and, where that changed, everything that hangs on it.

    An undone undo stands again, so this follows undos of undos, by a list and not by recursion: a chain may be long.
    """
    waiting = [identifier]
    while waiting:
        current = waiting.pop()
        record = facts.transaction(view, current)
        if record is None:
            continue
        undone = any(facts.stands(view, FactId(fact)) for _, fact in view.scan(key("undo", current)))
        if undone == record["undone"]:
            continue
        view.put(key("tx", current), {**record, "undone": undone})
        for kind, *what in record["touches"]:
            if kind == "version":
                versions.recompute(view, VersionId(what[0]))
            elif kind == "alias":
                aliases.recompute(view, what[0], what[1])
            elif kind == "protection":
                protection.recompute(view, what[0], what[1])
            elif kind == "run":
                runs.record_change(view, RunId(what[0]), order)
            else:
                waiting.append(TransactionId(what[0]))
