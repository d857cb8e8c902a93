"""Ids: BLAKE3-256 of bytes as written, one Python type for each meaning.

Above `format`, ids are passed as 32 raw bytes and printed as lower-case hexadecimal.
"""

from __future__ import annotations

from typing import NewType

import blake3

ID_SIZE = 32
RUN_ID_SIZE = 16
NONCE_SIZE = 16
FACT_SIZE = ID_SIZE + 2

ChunkId = NewType("ChunkId", bytes)
"""BLAKE3-256 of at most `chunk.MAX_SIZE` bytes of a file."""

FileDigest = NewType("FileDigest", bytes)
"""BLAKE3-256 of a whole file: what `b3sum` prints. A file of one chunk has the digest as its chunk id."""

RecordId = NewType("RecordId", bytes)
"""BLAKE3-256 of a record, magic and kind byte included."""

ManifestId = NewType("ManifestId", bytes)
"""The `RecordId` of a manifest's index."""

VersionId = NewType("VersionId", bytes)
"""Hash of (collection as stored, manifest id)."""

TransactionId = NewType("TransactionId", bytes)
"""BLAKE3-256 of a transaction's bytes."""

RunId = NewType("RunId", bytes)
"""128 random bits."""

FactId = NewType("FactId", bytes)
"""A transaction's id and the position of one operation in it: 32 + 2 bytes, big-endian."""


def digest(data: bytes | memoryview) -> bytes:
    """Returns the 32 bytes of BLAKE3-256 of `data`."""
    return blake3.blake3(data).digest()


EMPTY_FILE = FileDigest(digest(b""))
"""The digest of a file without content, which has no chunk."""


def fact_id(transaction: TransactionId, position: int) -> FactId:
    """Returns the id of the operation at `position` (0 to 65535) of a transaction."""
    return FactId(transaction + position.to_bytes(2, "big"))


def fact_transaction(fact: FactId) -> TransactionId:
    """Returns the transaction that an operation belongs to."""
    return TransactionId(fact[:ID_SIZE])


def short(identifier: bytes, digits: int = 6) -> str:
    """Returns the first hexadecimal digits of an id, for people."""
    return identifier.hex()[:digits]
