"""Transactions that no journal holds yet: a folder of sealed envelopes, named by transaction id.

The same kind of folder is a clone's pending transactions and a carrier's inbox (RULES B5).
"""

from __future__ import annotations

from mlvc.backend.interface import Backend, KeyMissingError
from mlvc.errors import DamageError, NewerFormatError
from mlvc.format import signature, transaction
from mlvc.format.ids import TransactionId
from mlvc.format.signature import NoTransactionError
from mlvc.format.transaction import Envelope

_FOLDER = "pending"


class PendingFolder:
    """The pending transactions of one store."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    @staticmethod
    def _key(identifier: TransactionId) -> str:
        return f"{_FOLDER}/{identifier.hex()}"

    def ids(self) -> set[TransactionId]:
        """Returns which transactions are pending."""
        found = set()
        for key, _ in self._backend.keys(f"{_FOLDER}/"):
            try:
                found.add(TransactionId(bytes.fromhex(key.rsplit("/", 1)[1])))
            except ValueError:
                continue
        return found

    def read(self, identifier: TransactionId) -> Envelope | None:
        """Returns one, or None when it is not (any more) pending; DamageError when its bytes changed."""
        try:
            data = self._backend.read(self._key(identifier))
        except KeyMissingError:
            return None
        what = f"the pending transaction {identifier.hex()[:12]} ({self._key(identifier)})"
        envelope = transaction.decode_envelope(data, what)
        if envelope.id != identifier:
            raise DamageError(f"{what} holds another transaction than its name says")
        return envelope

    def add(self, envelope: Envelope) -> None:
        """Makes a transaction pending; durable on return. One that is pending already stays as it is, unless it lacks its signature."""
        key, data = self._key(envelope.id), transaction.encode_envelope(envelope)
        if not self._backend.create(key, data) and envelope.signature:
            there = self.read(envelope.id)
            if there is not None and not signature.is_whole(there):
                self._backend.delete(key)
                self._backend.create(key, data)

    def drop_stripped(self) -> None:
        """Removes copies of signed transactions without their signature: nobody ever takes them in."""
        for identifier in self.ids():
            found = self.read(identifier)
            if found is not None and not found.signature and not self._is_whole(found):
                self.remove(identifier)

    @staticmethod
    def _is_whole(envelope: Envelope) -> bool:
        try:
            return signature.is_whole(envelope)
        except NewerFormatError:
            return True  # nobody here can tell

    def remove(self, identifier: TransactionId) -> None:
        """Forgets one that a durable journal entry holds."""
        self._backend.delete(self._key(identifier))

    def in_order(self) -> list[Envelope]:
        """Returns all of them, each after those that its `after` names, equal ones by id.

        Those that a newer mlvc made stand as late as those that come after them allow. A signed one without its signature is none.
        """
        envelopes = {e.id: e for i in self.ids() if (e := self.read(i)) is not None}
        after: dict[TransactionId, set[TransactionId]] = {}
        unknown: list[TransactionId] = []
        for identifier in sorted(envelopes):
            try:
                decoded = transaction.decode(envelopes[identifier].data)
                signature.signer_of(envelopes[identifier], decoded)
                after[identifier] = set(decoded.after) & envelopes.keys()
            except NoTransactionError:
                continue
            except NewerFormatError:
                unknown.append(identifier)
        ordered: list[Envelope] = []
        while after or unknown:
            ready = sorted(i for i, needed in after.items() if not needed)
            if not ready:
                ready, unknown = unknown, []
            for identifier in ready:
                ordered.append(envelopes[identifier])
                after.pop(identifier, None)
            for needed in after.values():
                needed.difference_update(ready)
        return ordered
