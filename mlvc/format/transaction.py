"""Transactions: operations that apply together, with who, when and what their author had folded."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from mlvc.errors import DamageError, NewerFormatError, UsageError
from mlvc.format import canonical, operations, record
from mlvc.format.ids import ID_SIZE, NONCE_SIZE, TransactionId, digest
from mlvc.format.operations import FOLD_RULES_VERSION, FoldRules, Operation
from mlvc.format.pack import PackName
from mlvc.format.record import Kind

MAX_SIZE = 64 << 10
MAX_AFTER = 256

KNOWN_FEATURES: frozenset[str] = frozenset()
"""Features that a transaction may demand; this version knows of none beyond the format itself."""


class Need(Struct, frozen=True):
    """Something a transaction cannot do without.

    Attributes:
        kind: `artifact` (manifest id and recipe index id), `value` (record id) or `file` (digest and recipe id).
        id: manifest, record or file digest.
        recipes: the recipe index or recipe that goes with it; empty where there is none.
    """

    kind: str
    id: bytes
    recipes: bytes = b""


class Transaction(Struct, frozen=True):
    """A transaction as its author made it.

    Attributes:
        nonce: 128 random bits, so that two equal deeds are two transactions.
        who: name and e-mail of the author.
        when_ms: milliseconds UTC, for display only.
        command: what was typed or called.
        after: heads of everything its author had folded, sorted, at most `MAX_AFTER`.
        operations: in order; positions count from 0.
        needs: what must be decodable wherever it is appended.
        features: what a reader must understand.
        signer: the public key of a signed transaction, or empty.
    """

    nonce: bytes
    who: str
    when_ms: int
    command: str
    after: tuple[TransactionId, ...]
    operations: tuple[Operation, ...]
    needs: tuple[Need, ...] = ()
    features: tuple[str, ...] = ()
    signer: str = ""


class Envelope(Struct, frozen=True):
    """A transaction's bytes, its signature, and which packs it brought and leaned on where it was last committed.

    Bytes and signature never change; the pack names are this store's.
    """

    data: bytes
    signature: bytes
    brings: tuple[PackName, ...]
    leans: tuple[PackName, ...]

    @property
    def id(self) -> TransactionId:
        """The transaction's id."""
        return transaction_id(self.data)


def transaction_id(data: bytes) -> TransactionId:
    """Returns the id of a transaction: BLAKE3 of its bytes."""
    return TransactionId(digest(data))


def encode(transaction: Transaction) -> bytes:
    """Returns the bytes of a transaction; UsageError when they exceed `MAX_SIZE`."""
    body = {
        "nonce": transaction.nonce,
        "who": transaction.who,
        "when": transaction.when_ms,
        "command": transaction.command,
        "after": sorted(transaction.after),
        "operations": [operations.to_wire(operation) for operation in transaction.operations],
        "needs": [[need.kind, need.id, need.recipes] for need in transaction.needs],
    }
    if transaction.features:
        body["features"] = sorted(transaction.features)
    if transaction.signer:
        body["signer"] = transaction.signer
    data = record.frame(Kind.TRANSACTION, canonical.encode(body))
    if len(data) > MAX_SIZE:
        raise UsageError(
            f"the change does not fit into one transaction: it has {len(data):,} bytes, at most {MAX_SIZE:,} are allowed",
            hint="make it in several steps",
        )
    return data


def decode(data: bytes) -> Transaction:
    """Returns the transaction in its bytes.

    Raises:
        DamageError: malformed.
        NewerFormatError: it uses an operation, a part or a feature that this mlvc does not know.
    """
    if len(data) > MAX_SIZE:
        raise DamageError(f"a transaction has {len(data):,} bytes, at most {MAX_SIZE:,} are allowed")
    body = canonical.decode(record.body(data, Kind.TRANSACTION, "a transaction"))
    try:
        features = tuple(body.pop("features", ()))
        missing = sorted(set(features) - KNOWN_FEATURES)
        if missing:
            raise NewerFormatError(
                f"a transaction needs the feature '{missing[0]}', which this mlvc does not have", hint="install a newer mlvc"
            )
        found = Transaction(
            nonce=body.pop("nonce"),
            who=body.pop("who"),
            when_ms=body.pop("when"),
            command=body.pop("command"),
            after=tuple(TransactionId(a) for a in body.pop("after")),
            operations=tuple(operations.from_wire(wire) for wire in body.pop("operations")),
            needs=tuple(Need(*need) for need in body.pop("needs")),
            features=features,
            signer=body.pop("signer", ""),
        )
        if body:
            raise NewerFormatError(
                f"a transaction has a part '{sorted(body)[0]}' that this mlvc does not know", hint="install a newer mlvc"
            )
        rules = max((o.version for o in found.operations if isinstance(o, FoldRules)), default=0)
        if rules > FOLD_RULES_VERSION:
            raise NewerFormatError(
                f"a transaction asks for fold rules {rules}, known here: {FOLD_RULES_VERSION}", hint="install a newer mlvc"
            )
        if len(found.nonce) != NONCE_SIZE or any(len(a) != ID_SIZE for a in found.after):
            raise ValueError("sizes of ids")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DamageError(f"a transaction is malformed: {error}") from error
    return found


def envelope_to_wire(envelope: Envelope) -> list[Any]:
    """Returns the envelope as entries and pending files hold it."""
    return [
        envelope.data,
        envelope.signature,
        [name.to_wire() for name in envelope.brings],
        [name.to_wire() for name in envelope.leans],
    ]


def envelope_from_wire(wire: Any) -> Envelope:
    """Returns the envelope; DamageError when it is malformed."""
    try:
        data, signature, brings, leans = wire
        return Envelope(
            bytes(data), bytes(signature), tuple(map(PackName.from_wire, brings)), tuple(map(PackName.from_wire, leans))
        )
    except (TypeError, ValueError) as error:
        raise DamageError(f"a transaction's envelope is malformed: {error}") from error


def encode_envelope(envelope: Envelope) -> bytes:
    """Returns the sealed record that a pending or carried transaction is kept as."""
    return record.seal(Kind.ENVELOPE, canonical.encode(envelope_to_wire(envelope)))


def decode_envelope(data: bytes, what: str) -> Envelope:
    """Returns the envelope in a sealed record; DamageError when a bit of it changed."""
    return envelope_from_wire(canonical.decode(record.unseal(data, Kind.ENVELOPE, what)))
