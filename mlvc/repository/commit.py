"""A commit under way: content is ingested, operations are gathered, and one transaction makes it all true at once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from mlvc.errors import NewerFormatError
from mlvc.fold.questions import View
from mlvc.format import canonical, record, transaction, values
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


class Commit:
    """Collects what one transaction says. Made by `Repository.committing`, which writes it when the block ends.

    Attributes:
        ingest: stores content.
        written: what the commit did, once the block has ended; None while it is under way or when nothing was said.
    """

    def __init__(self, ingest: Ingest, who: str, command: str) -> None:
        self.ingest = ingest
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
        for name, value in given.items():
            stored, data = values.to_stored(value)
            if data is None and sum(len(v) for v in found.values()) > MAX_INLINE_MAP:
                data = record.frame(Kind.VALUE, canonical.encode(stored))
            if data is not None:
                stored = self.ingest.add_record(Kind.VALUE, data)
                self.need("value", stored)
            found[name] = stored
        return found

    @property
    def is_empty(self) -> bool:
        """Whether nothing was said."""
        return not self._operations and self._build is None

    def envelope(self, view: View) -> Envelope:
        """Returns the transaction, made after everything `view` holds."""
        if self._build is not None:
            self._operations.extend(self._build(view))
        return make_envelope(
            Transaction(
                nonce=os.urandom(NONCE_SIZE),
                who=self._who,
                when_ms=int(time.time() * 1000),
                command=self._command,
                after=view.heads(),
                operations=tuple(self._operations),
                needs=tuple(self._needs.values()),
            ),
            self.ingest,
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


