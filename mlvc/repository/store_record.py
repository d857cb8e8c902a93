"""The file that makes a folder or bucket a store: its format and its random id. A copy beside it heals it."""

from __future__ import annotations

import os
import time

from msgspec import Struct

from mlvc.backend.interface import Backend, KeyMissingError
from mlvc.errors import DamageError, NewerFormatError
from mlvc.format import canonical, record
from mlvc.format.ids import NONCE_SIZE
from mlvc.format.record import Kind

KEY = "store"
COPY_KEY = "store.copy"
FORMAT = 1
_HINT = "'mlvc fsck --repair' writes it anew from its copy"


class StoreRecord(Struct, frozen=True):
    """What the store says of itself."""

    id: bytes
    format: int


def read(backend: Backend) -> StoreRecord | None:
    """Returns the record, or None where there is no store.

    Raises:
        NewerFormatError: the store's format is newer than this mlvc's.
        DamageError: the record is not what was written, or only its copy is left.
    """
    try:
        data = backend.read(KEY)
    except KeyMissingError:
        if backend.size(COPY_KEY) is None:
            return None
        raise DamageError(f"the store record of {backend.url} is missing", hint=_HINT) from None
    return _decode(data, backend)


def _decode(data: bytes, backend: Backend) -> StoreRecord:
    try:
        body = canonical.decode(record.unseal(data, Kind.STORE, f"the store record of {backend.url}"))
        found = StoreRecord(bytes(body["id"]), int(body["format"]))
    except (KeyError, TypeError, ValueError) as error:
        raise DamageError(f"the store record of {backend.url} is malformed", hint=_HINT) from error
    except DamageError as error:
        raise DamageError(error.message, hint=_HINT) from error
    if found.format > FORMAT:
        raise NewerFormatError(
            f"the store {backend.url} has format {found.format}, known here: {FORMAT}", hint="install a newer mlvc"
        )
    if len(found.id) != NONCE_SIZE:
        raise DamageError(f"the store record of {backend.url} holds an id of {len(found.id)} bytes, expected {NONCE_SIZE}")
    return found


def create(backend: Backend) -> StoreRecord:
    """Makes a store of an empty place, or returns the record of the one that is there."""
    found = read(backend)
    if found is not None:
        return found
    body = {"id": os.urandom(NONCE_SIZE), "format": FORMAT, "created": int(time.time() * 1000)}
    data = record.seal(Kind.STORE, canonical.encode(body))
    if backend.create(KEY, data):
        backend.write(COPY_KEY, [data])
    found = read(backend)
    assert found is not None, "the record was just created, or was there"
    return found


def mend(backend: Backend) -> bool:
    """Writes a damaged or missing record anew from its copy, or a missing copy from the record.

    Returns:
        Whether the record itself had to be written.

    Raises:
        DamageError: both are damaged or missing.
    """
    try:
        found = read(backend)
    except DamageError as error:
        try:
            data = backend.read(COPY_KEY)
            _decode(data, backend)
        except (DamageError, KeyMissingError):
            raise DamageError(error.message, hint="its copy is damaged or missing too: clone from a remote") from error
        backend.write(KEY, [data])
        return True
    if found is not None and backend.size(COPY_KEY) is None:
        backend.write(COPY_KEY, [backend.read(KEY)])
    return False
