"""The file that makes a folder or bucket a store: its format and its random id."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from mlvc.backend.interface import Backend, KeyMissingError
from mlvc.errors import DamageError, NewerFormatError
from mlvc.format import canonical, record
from mlvc.format.ids import NONCE_SIZE
from mlvc.format.record import Kind

KEY = "store"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class StoreRecord:
    """What the store says of itself."""

    id: bytes
    format: int


def read(backend: Backend) -> StoreRecord | None:
    """Returns the record, or None where there is no store.

    Raises:
        NewerFormatError: the store's format is newer than this mlvc's.
        DamageError: the record is not what was written.
    """
    try:
        data = backend.read(KEY)
    except KeyMissingError:
        return None
    try:
        body = canonical.decode(record.unseal(data, Kind.STORE, f"the store record of {backend.url}"))
        found = StoreRecord(bytes(body["id"]), int(body["format"]))
    except (KeyError, TypeError, ValueError) as error:
        raise DamageError(f"the store record of {backend.url} is malformed") from error
    if found.format > FORMAT:
        raise NewerFormatError(
            f"the store {backend.url} has format {found.format}, known here: {FORMAT}", hint="install a newer mlvc"
        )
    if len(found.id) != NONCE_SIZE:
        raise DamageError(f"the store record of {backend.url} holds an id of {len(found.id)} bytes, expected {NONCE_SIZE}")
    return found


def create(backend: Backend) -> StoreRecord:
    """Makes a store of an empty place, or returns the record of the one that is there."""
    body = {"id": os.urandom(NONCE_SIZE), "format": FORMAT, "created": int(time.time() * 1000)}
    backend.create(KEY, record.seal(Kind.STORE, canonical.encode(body)))
    found = read(backend)
    assert found is not None, "the record was just created, or was there"
    return found
