"""HDF5 (Keras' `.h5`, and what lies in its `.keras` archives): the whole is taken for one array of numbers whose type is guessed.

Its B-trees are not followed. Weights lie uncompressed and aligned to 8 bytes, and what writes the same layers again puts them at
the same places: so pieces at equal offsets of files of equal size are each other's counterparts. In files that grow, HDF5 leaves
what is there where it is.
"""

from __future__ import annotations

from mlvc.format.tensor_files.layout import NotThisKindError, ReadAt, Tensor

SIGNATURE = b"\x89HDF\r\n\x1a\n"
NAME = "HDF5"
"""What such an array is called; it is no tensor's name."""


def read(read_at: ReadAt, size: int) -> tuple[Tensor, ...]:
    """Returns the array that an HDF5 file is taken for; NotThisKindError when it is none."""
    return (array(read_at, 0, size, NAME),)


def array(read_at: ReadAt, start: int, size: int, name: str) -> Tensor:
    """Returns the array that HDF5 at some place of a file is taken for; NotThisKindError when it does not begin as such."""
    if read_at(start, len(SIGNATURE)) != SIGNATURE:
        raise NotThisKindError("it does not begin as HDF5")
    return Tensor(name, "", (), start, size, None)
