"""Journal entries: numbered, chained by hash, each wrapping transactions in order or one control act."""

from __future__ import annotations

from typing import Any

import zstandard
from msgspec import Struct

from mlvc.errors import DamageError, NewerFormatError
from mlvc.format import canonical, record
from mlvc.format.ids import ID_SIZE, NONCE_SIZE, digest
from mlvc.format.record import Kind
from mlvc.format.transaction import Envelope, envelope_from_wire, envelope_to_wire

MAX_SIZE = 8 << 20
MAX_TRANSACTIONS = 16_384
NO_PREDECESSOR = bytes(ID_SIZE)

GENESIS = "genesis"
HANDOVER = "handover"
SWEEP = "sweep"
TAKEOVER = "takeover"
JOINED = "joined"
_UNDERSTOOD = (GENESIS, HANDOVER)
_RESERVED = (SWEEP, TAKEOVER, JOINED)

_LEVEL = 3


class Control(Struct, frozen=True):
    """An act on the journal itself, bound to it and to its predecessor: never pending, never carried.

    Attributes:
        kind: `genesis` or `handover`; `sweep`, `takeover` and `joined` are reserved.
        store_id: the store that is the authority from this entry on, 16 bytes.
        url: where that store is, without secrets; "" for a local one.
    """

    kind: str
    store_id: bytes
    url: str = ""


class Entry(Struct, frozen=True):
    """One entry.

    Attributes:
        journal: the journal's random id, 16 bytes.
        number: from 1.
        previous: BLAKE3 of the bytes of the entry before, zeros for the first.
        when_ms: milliseconds UTC, for display only.
        envelopes: transactions in order; empty for a control entry.
        control: the control act, or None.
    """

    journal: bytes
    number: int
    previous: bytes
    when_ms: int
    envelopes: tuple[Envelope, ...] = ()
    control: Control | None = None


def key(journal: bytes, number: int) -> str:
    """Returns where an entry lies in a store."""
    return f"journal/{journal.hex()}/{number:020d}"


def encode(entry: Entry) -> bytes:
    """Returns the sealed, compressed record of an entry."""
    body: dict[str, Any] = {
        "journal": entry.journal,
        "number": entry.number,
        "previous": entry.previous,
        "when": entry.when_ms,
    }
    if entry.control is not None:
        body["control"] = [entry.control.kind, {"store": entry.control.store_id, "url": entry.control.url}]
    else:
        body["transactions"] = [envelope_to_wire(envelope) for envelope in entry.envelopes]
    packed = zstandard.ZstdCompressor(level=_LEVEL, write_content_size=True).compress(canonical.encode(body))
    return record.seal(Kind.ENTRY, packed)


def entry_hash(data: bytes) -> bytes:
    """Returns what the next entry names as its predecessor."""
    return digest(data)


def decode(data: bytes, what: str) -> Entry:
    """Returns the entry in its bytes.

    Raises:
        DamageError: a bit changed, or it is malformed.
        NewerFormatError: a control act that this mlvc does not know.
    """
    packed = record.unseal(data, Kind.ENTRY, what)
    try:
        if zstandard.frame_content_size(packed) > 4 * MAX_SIZE:
            raise DamageError(f"{what} claims more than {4 * MAX_SIZE:,} bytes")
        body = canonical.decode(zstandard.ZstdDecompressor().decompress(packed))
        control = _control(body["control"]) if "control" in body else None
        envelopes = tuple(envelope_from_wire(wire) for wire in body.get("transactions", ()))
        entry = Entry(body["journal"], body["number"], body["previous"], body["when"], envelopes, control)
        if len(entry.journal) != NONCE_SIZE or len(entry.previous) != ID_SIZE or entry.number < 1:
            raise ValueError("sizes of ids")
    except (KeyError, TypeError, ValueError, zstandard.ZstdError) as error:
        raise DamageError(f"{what} is malformed: {error}") from error
    return entry


def _control(wire: Any) -> Control:
    kind, values = wire
    if kind in _UNDERSTOOD:
        return Control(kind, bytes(values["store"]), str(values["url"]))
    state = "reserved for" if kind in _RESERVED else "known only to"
    raise NewerFormatError(f"the journal has a control entry '{kind}', {state} a newer mlvc", hint="install a newer mlvc")
