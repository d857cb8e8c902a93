"""Zip archives of tensors: npz (npy members), PyTorch's pt and pth (raw storages), Keras' (HDF5). Only members stored uncompressed."""

from __future__ import annotations

import io
import re
import struct
import zipfile
from math import prod

from mlvc.format.tensor_files import hdf5, npy, safetensors, torch_pickle
from mlvc.format.tensor_files.layout import NotThisKindError, ReadAt, Tensor, checked
from mlvc.format.tensor_files.torch_pickle import Named

_STORAGE = re.compile(r"(?:[^/]+/)?data/[0-9]+\Z")
_PICKLE = "/data.pkl"
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
    plain = [member for member in members if _is_plain(member)]
    said = _said_by_pickle(read_at, plain)
    found = []
    for member in plain:
        tensor = _tensor(read_at, member, said)
        if tensor is not None and tensor.size:
            found.append(tensor)
    if not found:
        raise NotThisKindError("it holds no tensors that are stored as they are")
    return checked(found, size)


def _is_plain(member: zipfile.ZipInfo) -> bool:
    is_stored = member.compress_type == zipfile.ZIP_STORED and member.compress_size == member.file_size
    return is_stored and not member.flag_bits & 1


def _said_by_pickle(read_at: ReadAt, members: list[zipfile.ZipInfo]) -> dict[str, Named]:
    """Returns what the pickle of a PyTorch archive says of its storages, by the names of their members."""
    by_name = {member.filename: member for member in members}
    pickled = next((m for m in members if m.filename.endswith(_PICKLE) and m.file_size <= torch_pickle.MAX_SIZE), None)
    if pickled is None:
        return {}
    folder = pickled.filename.removesuffix(_PICKLE.removeprefix("/"))
    order = by_name.get(f"{folder}byteorder")
    if order is not None and _content(read_at, order) != b"little":
        return {}
    said = torch_pickle.tensors(_content(read_at, pickled))
    names: set[str] = set()
    unique = {}
    for key, one in said.items():
        if one.name not in names:  # a key may be spelled like a way down
            names.add(one.name)
            unique[f"{folder}data/{key}"] = one
    return unique


def _content(read_at: ReadAt, member: zipfile.ZipInfo) -> bytes:
    return read_at(_start(read_at, member), member.file_size)


def _start(read_at: ReadAt, member: zipfile.ZipInfo) -> int:
    """Returns where in the file a member's content begins."""
    header = read_at(member.header_offset, _LOCAL_HEADER)
    if len(header) != _LOCAL_HEADER or header[:4] != b"PK\x03\x04":
        raise NotThisKindError("a member is not where the directory says")
    name_size, extra_size = struct.unpack_from("<HH", header, 26)
    return int(member.header_offset + _LOCAL_HEADER + name_size + extra_size)


def _tensor(read_at: ReadAt, member: zipfile.ZipInfo, said: dict[str, Named]) -> Tensor | None:
    is_array, is_hdf5 = member.filename.endswith(".npy"), member.filename.endswith((".h5", ".hdf5"))
    if not (is_array or is_hdf5 or _STORAGE.match(member.filename)):
        return None
    start = _start(read_at, member)
    if not is_array and not is_hdf5:
        return _storage(member, start, said.get(member.filename))
    try:
        if is_hdf5:
            return hdf5.array(read_at, start, member.file_size, member.filename)
        return npy.array(read_at, start, member.file_size, member.filename[: -len(".npy")])
    except NotThisKindError:
        return None  # objects, records, or not what it is named for: bytes like any other


def _storage(member: zipfile.ZipInfo, start: int, said: Named | None) -> Tensor:
    """Returns a PyTorch storage as the pickle has it, or unnamed where that does not fit the member."""
    element = safetensors.ELEMENTS.get(said.dtype) if said else None
    if said is None or element is None or prod(said.shape) * element.width != member.file_size:
        return Tensor(member.filename, "", (), start, member.file_size, None)
    return Tensor(said.name, said.dtype, said.shape, start, member.file_size, element)


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
