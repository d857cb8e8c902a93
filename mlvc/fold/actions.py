"""What was done to registry collections, and to protected aliases anywhere, in fold order: for people who ask who did what."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from mlvc.fold import facts
from mlvc.fold.look import Look, Overlay, key
from mlvc.format import names
from mlvc.format.ids import FactId, VersionId, fact_transaction
from mlvc.format.operations import Delete, Link, Move, Operation, Protect, Unlink


class Action(Struct, frozen=True):
    """One deed.

    Attributes:
        kind: `link`, `unlink`, `move`, `protect` or `delete`.
        alias: of a move or protection, else "".
        version: that was linked, unlinked or moved onto; None for a removal.
        who, when_ms, command: of the transaction.
        signer: the public key that signed it, or None.
        problem: why it was refused, or None.
        is_undone: whether it counts as never made.
    """

    fact: FactId
    kind: str
    alias: str
    version: VersionId | None
    who: str
    when_ms: int
    command: str
    signer: str | None
    problem: str | None
    is_undone: bool


def record(view: Overlay, fact: FactId, order: int, operation: Operation, problem: str | None) -> None:
    """Notes an operation under the collection that it is about."""
    match operation:
        case Link() | Unlink() | Move() | Protect():
            collection = operation.collection
        case Delete() if operation.target[0] == "collection":
            collection = str(operation.target[1])
        case _:
            return
    if not names.is_registry(collection) and not isinstance(operation, Protect):
        return
    said = {"id": fact, "kind": operation.kind, "alias": getattr(operation, "alias", "")}
    said |= {"version": getattr(operation, "version", None), "problem": problem}
    view.put(key("action", collection, order), said)


def of(look: Look, collection: str) -> Iterator[Action]:
    """Yields what was done to a collection, the last first."""
    for _, said in look.scan(key("action", collection), reverse=True):
        fact = FactId(said["id"])
        made = facts.transaction(look, fact_transaction(fact)) or {}
        version = said["version"]
        yield Action(
            fact,
            said["kind"],
            said["alias"],
            None if version is None else VersionId(version),
            str(made.get("who", "")),
            int(made.get("when", 0)),
            str(made.get("command", "")),
            made.get("signer"),
            said["problem"],
            bool(made.get("undone")),
        )
