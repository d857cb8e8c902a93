"""The frame of every record: four bytes of magic, a kind byte, a body.

Two frames. A *bare* record is content-addressed: its id, kept elsewhere, proves its bytes. A *sealed* one stands
alone in a file that nothing else vouches for (a journal entry, a pending transaction), so it carries the BLAKE3-256
of its body between kind and body.
"""

from __future__ import annotations

from enum import Enum

from mlvc.errors import DamageError, NewerFormatError
from mlvc.format.ids import ID_SIZE, RecordId, digest

MAGIC = b"MLVC"
_HEAD = len(MAGIC) + 1


class Kind(Enum):
    """What a record is; the value is its kind byte. Bytes are never reused."""

    STORE = b"S"
    ENTRY = b"E"
    ENVELOPE = b"P"
    TRANSACTION = b"T"
    MANIFEST_INDEX = b"M"
    MANIFEST_BLOCK = b"m"
    RECIPE_INDEX = b"R"
    RECIPE_BLOCK = b"r"
    RECIPE = b"c"
    VALUE = b"V"
    VERSION_NAME = b"N"
    PACK = b"K"
    BUNDLE = b"B"
    LOCATOR = b"L"

    @property
    def code(self) -> int:
        """The kind byte as a number, as pack indexes keep it. 0 is a chunk of a file."""
        return self.value[0]


CHUNK_CODE = 0
"""Stands in a pack's index for 'a chunk of a file', which is no record."""


def frame(kind: Kind, body: bytes) -> bytes:
    """Returns a bare record."""
    return MAGIC + kind.value + body


def record_id(record: bytes) -> RecordId:
    """Returns the id of a bare record."""
    return RecordId(digest(record))


def kind_of(record: bytes | memoryview, what: str) -> Kind:
    """Returns the kind of a record.

    Raises:
        DamageError: it does not begin with the magic.
        NewerFormatError: it is of a kind that this mlvc does not know, named in the message.
    """
    if bytes(record[:4]) != MAGIC or len(record) < _HEAD:
        raise DamageError(f"{what} is no mlvc record: it begins with {bytes(record[:4])!r}, expected {MAGIC!r}")
    try:
        return Kind(bytes(record[4:5]))
    except ValueError:
        raise NewerFormatError(
            f"{what} is a record of kind {bytes(record[4:5])!r}, which this mlvc does not know",
            hint="install a newer mlvc",
        ) from None


def body(record: bytes | memoryview, expected: Kind, what: str) -> memoryview:
    """Returns the body of a bare record of the expected kind; errors as `kind_of`, and DamageError for another kind."""
    kind = kind_of(record, what)
    if kind is not expected:
        raise DamageError(f"{what} is a {kind.name.lower()} record, expected {expected.name.lower()}")
    return memoryview(record)[_HEAD:]


def seal(kind: Kind, contents: bytes) -> bytes:
    """Returns a sealed record."""
    return MAGIC + kind.value + digest(contents) + contents


def unseal(record: bytes, expected: Kind, what: str) -> memoryview:
    """Returns the contents of a sealed record; DamageError when a bit of it changed."""
    inner = body(record, expected, what)
    checksum, contents = inner[:ID_SIZE], inner[ID_SIZE:]
    if digest(contents) != checksum:
        raise DamageError(f"{what} is damaged: its {len(contents):,} bytes do not match their checksum")
    return contents
