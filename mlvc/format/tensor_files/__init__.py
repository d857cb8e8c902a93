"""Where the tensors lie in files of known kinds. Reads headers only; never unpickles; a malformed file is just bytes."""

from __future__ import annotations

from mlvc.format.tensor_files.layout import NotThisKindError, ReadAt, Tensor

__all__ = ["ReadAt", "Tensor", "find"]

_LEAST = 16


def find(read_at: ReadAt, size: int) -> tuple[Tensor, ...]:
    """Returns the tensors of a file, by offset and without overlap; () when it is of no known kind, or malformed.

    Args:
        read_at: reads the file.
        size: of the file, in bytes.
    """
    if size < _LEAST:
        return ()
    start = read_at(0, _LEAST)
    try:
        if start[8:9] == b"{":
            from mlvc.format.tensor_files import safetensors

            return safetensors.read(read_at, size)
        if start[:6] == b"\x93NUMPY":
            from mlvc.format.tensor_files import npy

            return npy.read(read_at, size)
        if start[:4] == b"PK\x03\x04":
            from mlvc.format.tensor_files import zipped

            return zipped.read(read_at, size)
        if start[:8] == b"\x89HDF\r\n\x1a\n":
            from mlvc.format.tensor_files import hdf5

            return hdf5.read(read_at, size)
        if start[:4] == b"GGUF":
            from mlvc.format.tensor_files import gguf

            return gguf.read(read_at, size)
    except NotThisKindError:
        return ()
    return ()
