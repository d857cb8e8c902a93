"""A commit under way: content is ingested, operations are gathered, and one transaction makes it all true at once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct
from msgspec.structs import replace

from mlvc.errors import NewerFormatError, ProtectedError
from mlvc.fold.folding import refusal_of
from mlvc.fold.questions import View
from mlvc.format import canonical, record, signature, transaction, values
from mlvc.format.ids import NONCE_SIZE, TransactionId
from mlvc.format.operations import Operation
from mlvc.format.record import Kind
from mlvc.format.transaction import MAX_AFTER, Envelope, Need, Transaction

if TYPE_CHECKING:
    from mlvc.objects.ingest import Ingest

MAX_INLINE_MAP = 32 << 10


class Committed(Struct, frozen=True):
    """What a commit did.

    Attributes:
        transaction: its id.
        new_bytes: stored bytes of content that was not here before.
    """

    transaction: TransactionId
    new_bytes: int


class Signing(Protocol):
    """Signs transactions with a person's keys."""

    def keys(self) -> Sequence[str]:
        """Returns the public keys that can sign, the preferred one first."""

    def sign(self, key: str, data: bytes) -> bytes:
        """Returns the signature of `data` by a key's owner; Error when it cannot be made."""


class Commit:
    """Collects what one transaction says. Made by `Repository.committing`, which writes it when the block ends.

    Attributes:
        ingest: stores content.
        written: what the commit did, once the block has ended; None while it is under way or when nothing was said.
    """

    def __init__(self, ingest: Ingest, who: str, command: str, signing: Signing | None = None) -> None:
        self.ingest = ingest
        self._signing = signing
        self.written: Committed | None = None
        self._who = who
        self._command = command
        self._build: Callable[[View], Sequence[Operation]] | None = None
        self._operations: list[Operation] = []
        self._needs: dict[tuple[str, bytes], Need] = {}

    def say(self, *operations: Operation) -> None:
        """Adds operations, in order."""
        self._operations.extend(operations)

    def say_with(self, build: Callable[[View], Sequence[Operation]]) -> None:
        """Adds operations that name what their author saw: `build` is called with the view that `after` describes."""
        assert self._build is None, "one builder a commit"
        self._build = build

    def need(self, kind: str, identifier: bytes, recipes: bytes | None = None) -> None:
        """Says that the transaction cannot do without something; see `Need`."""
        self._needs[kind, identifier] = Need(kind, identifier, recipes or b"")

    def store_map(self, given: Mapping[str, Any]) -> dict[str, values.StoredValue]:
        """Returns a user's map as operations hold it; long values become records that the transaction needs."""
        found: dict[str, values.StoredValue] = {}
        size = 0
        for name, value in given.items():
            stored, data = values.to_stored(value)
            if data is None and size > MAX_INLINE_MAP:
                data = record.frame(Kind.VALUE, canonical.encode(stored))
            if data is not None:
                stored = self.ingest.add_record(Kind.VALUE, data)
                self.need("value", stored)
            size += len(stored)
            found[values.whole_characters(name)] = stored
        return found

    @property
    def is_empty(self) -> bool:
        """Whether nothing was said."""
        return not self._operations and self._build is None

    def envelope(self, view: View) -> Envelope:
        """Returns the transaction, made after everything `view` holds, and signed where a protected alias demands it."""
        if self._build is not None:
            self._operations.extend(self._build(view))
        made = Transaction(
            nonce=os.urandom(NONCE_SIZE),
            who=self._who,
            when_ms=int(time.time() * 1000),
            command=self._command,
            after=view.heads(),
            operations=tuple(self._operations),
            needs=tuple(self._needs.values()),
        )
        key = self._key_needed(view, made)
        if key is None:
            return make_envelope(made, self.ingest)
        envelope = make_envelope(replace(made, signer=key), self.ingest)
        assert self._signing is not None, "it offered the key"
        return replace(envelope, signature=self._signing.sign(key, envelope.data))

    def _key_needed(self, view: View, made: Transaction) -> str | None:
        """Returns the key to sign with, or None where every clone takes the transaction unsigned.

        Raises:
            ProtectedError: none of this person's keys will do.
        """
        problem = refusal_of(view.look, made, None)
        if problem is None:
            return None
        for key in self._signing.keys() if self._signing is not None else ():
            if refusal_of(view.look, made, key) is None:
                return key
        allowed = {key for name in view.protected_collections() for keys in view.protected(name).values() for key in keys}
        shown = ", ".join(sorted(signature.fingerprint(key) for key in allowed)[:4])
        raise ProtectedError(
            problem, hint=f"a key that may is one of {shown}: name yours with MLVC_SIGNING_KEY or git config user.signingKey"
        )


def make_envelope(made: Transaction, ingest: Ingest | None = None) -> Envelope:
    """Returns a transaction's bytes with the packs they brought and lean on."""
    brings = tuple(ingest.brings) if ingest else ()
    leans = tuple(ingest.leans) if ingest else ()
    return Envelope(transaction.encode(made), b"", brings, leans)


def joining(view: View, who: str) -> Transaction | None:
    """Returns an empty transaction that joins the first heads, when there are more than a transaction may name."""
    heads = view.heads()
    if len(heads) <= MAX_AFTER:
        return None
    return Transaction(
        os.urandom(NONCE_SIZE), who, int(time.time() * 1000), "join heads", heads[:MAX_AFTER], ()
    )


def check_understood(stopped: str | None) -> None:
    """Raises NewerFormatError when the view stopped: who does not understand all must not write."""
    if stopped is not None:
        raise NewerFormatError(
            f"this repository holds something newer than this mlvc understands: {stopped}",
            hint="install a newer mlvc; until then the repository can be read up to there",
        )


