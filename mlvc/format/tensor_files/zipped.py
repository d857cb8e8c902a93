"""Zip archives of tensors: npz (npy members) and PyTorch's pt and pth (raw storages). Only members stored uncompressed."""

from __future__ import annotations

import io
import re
import struct
import zipfile

from mlvc.format.tensor_files import npy
from mlvc.format.tensor_files.layout import NotThisKindError, ReadAt, Tensor, checked

_STORAGE = re.compile(r"(?:[^/]+/)?data/[0-9]+\Z")
_LOCAL_HEADER = 30
_MAX_MEMBERS = 1_000_000


def read(read_at: ReadAt, size: int) -> tuple[Tensor, ...]:
    """Returns the tensors of an npz or PyTorch archive; NotThisKindError when it is neither."""
    if read_at(0, 4) != b"PK\x03\x04":
        raise NotThisKindError("it does not begin as a zip archive")
    try:
        with zipfile.ZipFile(_File(read_at, size)) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, struct.error, NotImplementedError, UnicodeError) as error:
        raise NotThisKindError("its directory is malformed") from error
    if len(members) > _MAX_MEMBERS:
        raise NotThisKindError(f"{len(members):,} members")
    found = []
    for member in members:
        is_plain = member.compress_type == zipfile.ZIP_STORED and member.compress_size == member.file_size
        if is_plain and not member.flag_bits & 1:
            tensor = _tensor(read_at, member)
            if tensor is not None and tensor.size:
                found.append(tensor)
    if not found:
        raise NotThisKindError("it holds no tensors that are stored as they are")
    return checked(found, size)


def _tensor(read_at: ReadAt, member: zipfile.ZipInfo) -> Tensor | None:
    is_array = member.filename.endswith(".npy")
    if not is_array and not _STORAGE.match(member.filename):
        return None
    header = read_at(member.header_offset, _LOCAL_HEADER)
    if len(header) != _LOCAL_HEADER or header[:4] != b"PK\x03\x04":
        raise NotThisKindError("a member is not where the directory says")
    name_size, extra_size = struct.unpack_from("<HH", header, 26)
    start = member.header_offset + _LOCAL_HEADER + name_size + extra_size
    if not is_array:
        return Tensor(member.filename, "", (), start, member.file_size, None)
    try:
        return npy.array(read_at, start, member.file_size, member.filename[: -len(".npy")])
    except NotThisKindError:
        return None  # objects, or records: bytes like any other


class _File(io.RawIOBase):
    """What zipfile reads a file through."""

    def __init__(self, read_at: ReadAt, size: int) -> None:
        super().__init__()
        self._read_at = read_at
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise OSError("before the beginning")
        self._at = start + offset
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        rest = max(0, self._size - self._at)
        data = self._read_at(self._at, rest if size is None or size < 0 else min(size, rest))
        self._at += len(data)
        return data
