"""Journal entries: numbered, chained by hash, each wrapping transactions in order or one control act."""

from __future__ import annotations

from typing import Any

import zstandard
from msgspec import Struct

from mlvc.errors import DamageError, NewerFormatError
from mlvc.format import canonical, record
from mlvc.format.ids import ID_SIZE, NONCE_SIZE, digest
from mlvc.format.pack import PackName
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
_UNDERSTOOD = (GENESIS, HANDOVER, SWEEP, TAKEOVER, JOINED)
_PARTS = {"store", "url", "journal", "number", "hash", "drops", "gone"}

_LEVEL = 3


class Control(Struct, frozen=True):
    """An act on the journal itself, bound to it and to its predecessor: never pending, never carried.

    Attributes:
        kind: one of the constants above.
        store_id: 16 bytes. The store that is the authority from this entry on; of a sweep, the store that is swept.
        url: where that store is, without secrets; "" for a local one.
        journal: of a takeover, the journal whose entries this one adopts; of `joined`, the one that goes on in its place.
        number, hash: of a takeover, the last entry adopted.
        drops: of a sweep, packs that do not exist at the store any more.
        gone: of a sweep, manifests whose data was in these packs and nowhere else at the store.
    """

    kind: str
    store_id: bytes
    url: str = ""
    journal: bytes = b""
    number: int = 0
    hash: bytes = b""
    drops: tuple[PackName, ...] = ()
    gone: tuple[bytes, ...] = ()

    @property
    def leader(self) -> tuple[bytes, str] | None:
        """The store that takes new entries from here on, by id and URL; None where the act does not change that."""
        return None if self.kind == SWEEP else (self.store_id, self.url)


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
        body["control"] = _control_to_wire(entry.control)
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


def _control_to_wire(control: Control) -> list[Any]:
    said: dict[str, Any] = {"store": control.store_id, "url": control.url}
    more = {
        "journal": control.journal,
        "number": control.number,
        "hash": control.hash,
        "drops": [name.to_wire() for name in control.drops],
        "gone": list(control.gone),
    }
    return [control.kind, {**said, **{name: value for name, value in more.items() if value}}]


def _control(wire: Any) -> Control:
    kind, said = wire
    if kind not in _UNDERSTOOD or not set(said) <= _PARTS:
        what = f"the journal has a control entry '{kind}'"
        if kind in _UNDERSTOOD:
            what += f" with a part '{sorted(set(said) - _PARTS)[0]}'"
        raise NewerFormatError(f"{what}, known only to a newer mlvc", hint="install a newer mlvc")
    found = Control(
        kind,
        bytes(said["store"]),
        str(said["url"]),
        bytes(said.get("journal", b"")),
        int(said.get("number", 0)),
        bytes(said.get("hash", b"")),
        tuple(map(PackName.from_wire, said.get("drops", ()))),
        tuple(map(bytes, said.get("gone", ()))),
    )
    needs_journal = kind in (TAKEOVER, JOINED)
    if len(found.store_id) != NONCE_SIZE or (needs_journal and len(found.journal) != NONCE_SIZE):
        raise ValueError("sizes of ids")
    if kind == TAKEOVER and (found.number < 1 or len(found.hash) != ID_SIZE):
        raise ValueError("what is taken over")
    return found
