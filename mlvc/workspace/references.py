"""References: entries of an artifact whose bytes stay elsewhere, in buckets, on web servers, or in local files.

What a reference is checked by is what its place knows of it: the etag (and version) of an object or page, the digest of a local file.
Buckets are asked by a process of their own, `mlvc references-apart`: obstore never returns in a child of a process that has used
it, and training scripts fork.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import msgpack

from mlvc import atomic_file, parallel
from mlvc.backend import outside
from mlvc.backend.outside import Outside, OutsideChangedError, OutsideMissingError
from mlvc.errors import Error, RemoteError, UsageError
from mlvc.format import entry_path
from mlvc.format.manifest import ReferenceEntry
from mlvc.working_tree import placing, scanning

MAX_OBJECTS = 10_000_000
_PIECE = 1 << 20
_ERRORS: tuple[type[Error], ...] = (OutsideMissingError, OutsideChangedError, UsageError, RemoteError)


def make(
    uri: str, name: str | None, environment: Mapping[str, str], *, checksum: bool = True, most: int = MAX_OBJECTS
) -> list[ReferenceEntry]:
    """Returns the entries that a URI stands for: one for a file, one each for what lies below a folder or prefix.

    Args:
        uri: `file://`, `s3://`, `gs://`, `az://`, `http(s)://`, or of a scheme that nobody here can read.
        name: of the entry, or the folder in the artifact; None: the file's own name, or none.
        environment: credentials are found by.
        checksum: whether to ask the place what is there; without, the URI itself is all that is known.
        most: how many entries a prefix may give.

    Raises:
        ValueError: the URI has no scheme, or names nothing.
        UsageError: a name is needed and not given, or there are more than `most`.
        RemoteError: the place cannot be asked.
    """
    scheme = urlsplit(uri).scheme.lower()
    if not scheme:
        raise ValueError("References must be URIs. To reference a local file, use file://")
    if scheme == "file":
        return _local(uri, name, checksum=checksum, most=most)
    if not checksum or not (outside.is_bucket(uri) or outside.is_page(uri)):
        own = urlsplit(uri).path.rstrip("/").rsplit("/", 1)[-1]
        if name is None and not (own and (outside.is_bucket(uri) or outside.is_page(uri))):
            raise UsageError(f"a reference to {uri} needs a name", hint="give name=")
        return [_entry(name or own, -1, uri, uri, {})]
    if outside.is_page(uri):
        found = outside.look_at_page(uri)
        return [_entry(name or found.name or urlsplit(uri).netloc, found.size, uri, found.etag, {"etag": found.etag})]
    listed = _ask({"ask": "list", "uri": uri, "most": most}, environment)
    return [_of_object(Outside(*one), name, is_only=len(listed) == 1 and one[1] == _last(uri)) for one in listed]


def _last(uri: str) -> str:
    return urlsplit(uri).path.rsplit("/", 1)[-1]


def _of_object(found: Outside, name: str | None, *, is_only: bool) -> ReferenceEntry:
    info = {"etag": found.etag}
    if found.version:
        info["versionID"] = found.version
    path = (name or found.name) if is_only else f"{name.rstrip('/')}/{found.name}" if name else found.name
    return _entry(path, found.size, found.uri, found.etag or found.uri, info)


def _entry(path: str, size: int, uri: str, checksum: str, info: dict[str, str]) -> ReferenceEntry:
    if size < 0:
        size, info = 0, {**info, "size": "unknown"}
    return ReferenceEntry(entry_path.normalise(path), size, uri, checksum, info)


def _local(uri: str, name: str | None, *, checksum: bool, most: int) -> list[ReferenceEntry]:
    place = local_path(uri)
    if place.is_file():
        files: list[tuple[str, Path]] = [(name or place.name, place)]
    elif place.is_dir():
        files = []
        for relative, file in scanning.scan(place):
            files.append((f"{name.rstrip('/')}/{relative}" if name else relative, file))
            if len(files) > most:
                raise UsageError(f"{uri} holds more than {most:,} files", hint="give max_objects to allow more")
    else:
        raise ValueError(f"Path {uri} must be a valid file or directory path")
    if not checksum:
        return [_entry(path, -1, file.as_uri(), file.as_uri(), {}) for path, file in files]  # the URI is all that it is known by

    def look(one: tuple[str, Path]) -> ReferenceEntry:
        path, file = one
        digest = placing.digest_file(file).hex()
        return _entry(path, file.stat().st_size, file.as_uri(), digest, {"algorithm": "blake3"})

    return list(parallel.map_in_order(look, files))


def local_path(uri: str) -> Path:
    """Returns the path that a `file://` URI names."""
    parts = urlsplit(uri)
    return Path(unquote(parts.netloc + parts.path)).expanduser().absolute()


def bring(
    entries: Sequence[tuple[ReferenceEntry, Path]], environment: Mapping[str, str], *, may_miss: bool = False
) -> list[ReferenceEntry]:
    """Writes the files that references point at into folders that exist, each whole or not at all, when they are what they were.

    Args:
        entries: reference and target.
        environment: credentials are found by.
        may_miss: leave out what is gone, instead of raising.

    Returns:
        What was left out.

    Raises:
        OutsideMissingError: something is gone (a FileNotFoundError).
        OutsideChangedError: something is not what it was (a ValueError).
        UsageError: nobody here can read the scheme (a ValueError too).
    """
    in_buckets = [(entry, target) for entry, target in entries if outside.is_bucket(entry.uri)]
    missed = []
    for entry, target in entries:
        if outside.is_bucket(entry.uri):
            continue
        try:
            _bring_here(entry, target)
        except OutsideMissingError:
            if not may_miss:
                raise
            missed.append(entry)
    if in_buckets:
        wanted = [[e.uri, e.info.get("versionID", ""), e.info.get("etag", ""), str(target)] for e, target in in_buckets]
        gone = set(_ask({"ask": "bring", "wanted": wanted, "may_miss": may_miss}, environment))
        missed += [entry for entry, target in in_buckets if str(target) in gone]
    return missed


class UnreadableReferenceError(UsageError, ValueError):
    """A reference of a scheme that nobody here can read."""


def _bring_here(entry: ReferenceEntry, target: Path) -> None:
    if outside.is_page(entry.uri):
        _write(target, outside.read_page(entry.uri, entry.info.get("etag", "")))
    elif urlsplit(entry.uri).scheme.lower() == "file":
        _copy(entry, local_path(entry.uri), target)
    else:
        raise UnreadableReferenceError(f"nobody here can read {entry.uri}", hint="fetch it by hand; the reference itself is kept")


def _copy(entry: ReferenceEntry, source: Path, target: Path) -> None:
    if not source.is_file():
        raise OutsideMissingError(f"Local file reference: Failed to find file at path {source}")
    if entry.info.get("algorithm") == "blake3" and placing.digest_file(source).hex() != entry.checksum:
        raise OutsideChangedError(f"Local file reference: Digest mismatch for path {source}: it changed since it was added")
    if target.exists() and target.samefile(source):
        return
    with source.open("rb") as file:
        _write(target, iter(lambda: file.read(_PIECE), b""))


def _write(target: Path, pieces: Iterator[bytes]) -> None:
    with atomic_file.StagedFile(target.parent) as staged:
        for piece in pieces:
            staged.write(piece)
        staged.publish(target)


# -- the process apart ----------------------------------------------------------------------------------------------------


def _ask(request: dict[str, Any], environment: Mapping[str, str]) -> list[Any]:
    import subprocess

    done = subprocess.run(
        [sys.executable, "-m", "mlvc", "references-apart"],
        env=dict(environment),
        input=msgpack.packb(request),
        capture_output=True,
        check=False,
    )
    try:
        said: dict[str, Any] = msgpack.unpackb(done.stdout)
    except (ValueError, msgpack.exceptions.UnpackException):
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise RemoteError(f"the process that asks buckets failed: {''.join(last) or done.returncode}") from None
    if "error" in said:
        raise _ERRORS[said["error"]](said["message"], hint=said["hint"])
    answered: list[Any] = said["found"]
    return answered


def answer(asked: bytes, environment: Mapping[str, str]) -> bytes:
    """Does, in the process apart, what `_ask` asked for; returns what to print."""
    request = msgpack.unpackb(asked)
    try:
        if request["ask"] == "list":
            listed = outside.list_bucket(request["uri"], environment, request["most"])
            found: list[Any] = [[one.uri, one.name, one.size, one.etag, one.version] for one in listed]
        else:
            found = list(_bring_objects(request["wanted"], environment, may_miss=request["may_miss"]))
        said: dict[str, Any] = {"found": found}
    except _ERRORS as error:
        kind = next(place for place, one in enumerate(_ERRORS) if isinstance(error, one))
        said = {"error": kind, "message": error.message, "hint": error.hint}
    answered: bytes = msgpack.packb(said)
    return answered


def _bring_objects(wanted: Sequence[Sequence[str]], environment: Mapping[str, str], *, may_miss: bool) -> Iterator[str]:
    def bring_one(one: Sequence[str]) -> str | None:
        uri, version, etag, target = one
        try:
            _write(Path(target), outside.read_object(uri, version, etag, environment))
        except OutsideMissingError:
            if not may_miss:
                raise
            return target
        return None

    yield from (gone for gone in parallel.map_in_order(bring_one, wanted) if gone is not None)
