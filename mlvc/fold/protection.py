"""Protected aliases (DESIGN 3.11): who may change what they answer is itself journal state.

The fold is given, with each transaction, the public key whose signature of it was verified, or None; verifying is the
caller's. An operation without the right is refused by every clone alike, whatever its kind: every move of a protected
alias, and any other operation after which a protected alias would answer something else or be protected otherwise.
"""

from __future__ import annotations

from mlvc.fold import aliases, facts, versions
from mlvc.fold.aliases import AliasAnswer
from mlvc.fold.look import Look, Overlay, key, parts
from mlvc.format import names
from mlvc.format.ids import FactId
from mlvc.format.operations import Move, Operation, Protect

State = dict[tuple[str, str], tuple[AliasAnswer, tuple[str, ...]]]


def record_protect(view: Overlay, fact: FactId, order: int, operation: Protect) -> None:
    """An alias is protected, or its keys change; the last in fold order counts."""
    keys = None if operation.keys is None else list(operation.keys)
    view.put(key("protecting", operation.collection, operation.alias, order), {"id": fact, "keys": keys})
    recompute(view, operation.collection, operation.alias)


def recompute(view: Overlay, collection: str, alias: str) -> None:
    """Derives the keys of an alias anew."""
    current = None
    for _, value in view.scan(key("protecting", collection, alias), reverse=True):
        if facts.counts(view, value["id"]):
            current = value["keys"]
            break
    view.put(key("protected", collection, alias), current)


def state(look: Look) -> State:
    """Returns each protected alias, what it answers and which keys may change that."""
    found: State = {}
    for at, keys in look.scan(key("protected")):
        collection, alias = (str(part) for part in parts(at)[1:])
        found[collection, alias] = (aliases.answer(look, collection, alias, versions.is_shown), tuple(keys))
    return found


def refusal(before: State, look: Look, operation: Operation, signer: str | None) -> str | None:
    """Returns why an operation, already applied to `look`, must be taken back, or None when it may stay.

    Args:
        before: the protected aliases as they were.
        look: the view with the operation applied.
        operation: what was applied.
        signer: the verified public key, or None.
    """
    if not before:
        return None
    after = state(look)
    for name, (answered, keys) in before.items():
        if signer in keys:
            continue
        collection, alias = name
        moves = isinstance(operation, Move) and (operation.collection, operation.alias) == name
        if moves or after.get(name) != (answered, keys):
            return f"the alias '{alias}' of {names.display_collection(collection)} is protected, and the transaction is not signed by a key that may change it"
    return None
