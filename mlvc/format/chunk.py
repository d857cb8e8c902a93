"""Chunks as stored: an encoding byte, then a payload. What comes out is bit for bit what went in.

Encodings are added, never changed: a chunk written by any mlvc decodes for ever.
"""

from __future__ import annotations

import threading

import zstandard

from mlvc.errors import DamageError, NewerFormatError
from mlvc.format.ids import digest

MAX_SIZE = 4 << 20
"""No chunk and no record is larger than this, decoded or stored, in bytes; a claim of more is refused unread."""

MAX_RECORD_SIZE = 64 << 20
"""Records (an index of a million files) may be larger than chunks, up to this."""

RAW = 0
ZSTD = 1

_LEVEL = 1
_WORTH_IT = 0.97
"""Compressed to more than this share, a chunk is kept raw: reading it back costs nothing then."""

_SAMPLE = 8 << 10
_SAMPLE_ABOVE = 64 << 10

_local = threading.local()


def _compressor() -> zstandard.ZstdCompressor:
    if not hasattr(_local, "compressor"):
        _local.compressor = zstandard.ZstdCompressor(level=_LEVEL, write_content_size=True, write_checksum=False)
    found: zstandard.ZstdCompressor = _local.compressor
    return found


def _decompressor() -> zstandard.ZstdDecompressor:
    if not hasattr(_local, "decompressor"):
        _local.decompressor = zstandard.ZstdDecompressor()
    found: zstandard.ZstdDecompressor = _local.decompressor
    return found


def encode(data: bytes | memoryview) -> bytes:
    """Returns the stored form of a chunk or record: compressed where that is worth it."""
    compressor = _compressor()
    if len(data) > _SAMPLE_ABOVE:
        middle = len(data) // 2
        sample = data[middle : middle + _SAMPLE]
        if len(compressor.compress(sample)) > _WORTH_IT * len(sample):
            return bytes([RAW]) + data
    packed = compressor.compress(data)
    if len(packed) > _WORTH_IT * len(data):
        return bytes([RAW]) + data
    return bytes([ZSTD]) + packed


def decode(stored: bytes | memoryview, size: int) -> bytes:
    """Returns the content of a stored chunk.

    Args:
        stored: encoding byte and payload.
        size: the decoded size in bytes that the index or recipe claims, already bounded.

    Raises:
        DamageError: it does not decode to exactly `size` bytes.
        NewerFormatError: the encoding is not known here.
    """
    if len(stored) == 0:
        raise DamageError("a stored chunk is empty, expected at least its encoding byte")
    encoding, payload = stored[0], stored[1:]
    if encoding == RAW:
        data = bytes(payload)
    elif encoding == ZSTD:
        try:
            claimed = zstandard.frame_content_size(payload)
            if claimed != size:
                raise DamageError(f"a compressed chunk claims {claimed:,} bytes, expected {size:,}")
            data = _decompressor().decompress(payload)
        except zstandard.ZstdError as error:
            raise DamageError(f"a compressed chunk does not decompress: {error}") from error
    else:
        raise NewerFormatError(
            f"a chunk is stored with encoding {encoding}, which this mlvc does not know", hint="install a newer mlvc"
        )
    if len(data) != size:
        raise DamageError(f"a chunk has {len(data):,} bytes, expected {size:,}")
    return data


def decode_verified(stored: bytes | memoryview, size: int, identifier: bytes) -> bytes:
    """Returns the content of a stored chunk or record, proven against its id; DamageError when it is another."""
    data = decode(stored, size)
    if digest(data) != identifier:
        raise DamageError(f"the bytes stored as {identifier.hex()[:12]} have another digest: {digest(data).hex()[:12]}")
    return data
