"""Files that lie outside of every store, by URI: objects in buckets, pages of web servers. What references point at.

Buckets are asked through obstore, with the credentials that remotes have; see `clouds`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct

from mlvc.backend import clouds
from mlvc.errors import RemoteError, UsageError

if TYPE_CHECKING:
    from http.client import HTTPResponse

    from obstore.store import ObjectStore as Store

_AZURE_HOST = ".blob.core.windows.net"
_FOLDER_TYPES = ("application/x-directory", "httpd/unix-directory")
_TIMEOUT_S = 60
_PIECE = 1 << 20
_ENDPOINT_VARIABLE = "AWS_S3_ENDPOINT_URL"
"""W&B's name for the endpoint of references; AWS_ENDPOINT_URL means the same."""


class Outside(Struct, frozen=True):
    """A file that lies elsewhere.

    Attributes:
        uri: of exactly this file.
        name: its path relative to what was asked for; for a single file its own name.
        size: in bytes, or -1 where the server does not say.
        etag: what the server says its content is known by; "" where it says nothing.
        version: the bucket's version id; "" where it keeps none.
    """

    uri: str
    name: str
    size: int
    etag: str
    version: str


class OutsideMissingError(RemoteError, FileNotFoundError):
    """A file that lay elsewhere is not there any more."""


class OutsideChangedError(RemoteError, ValueError):
    """A file that lies elsewhere is not what it was."""


def is_bucket(uri: str) -> bool:
    """Tells whether a URI names something in a bucket."""
    parts = urlsplit(uri)
    return parts.scheme.lower() in clouds.SCHEMES or (parts.scheme == "https" and parts.netloc.endswith(_AZURE_HOST))


def is_page(uri: str) -> bool:
    """Tells whether a URI is for a web server to answer."""
    return urlsplit(uri).scheme.lower() in ("http", "https") and not is_bucket(uri)


class _Object(Struct, frozen=True):
    place: clouds.Place
    key: str
    version: str
    root: str
    """Of the URIs of everything in the bucket."""


def _parse(uri: str, environment: Mapping[str, str]) -> _Object:
    parts = urlsplit(uri)
    version = (parse_qs(parts.query).get("versionId") or [""])[0]
    options: dict[str, str] = {}
    if parts.netloc.endswith(_AZURE_HOST):
        container, _, key = parts.path.strip("/").partition("/")
        options["account"] = parts.netloc.removesuffix(_AZURE_HOST)
        return _Object(clouds.Place("az", container, "", options), key, version, f"https://{parts.netloc}/{container}")
    scheme = parts.scheme.lower()
    if not parts.netloc:
        raise UsageError(f"{uri} names no bucket", hint="write it as s3://bucket/key, gs://bucket/key or az://container/key")
    if scheme == "s3" and environment.get(_ENDPOINT_VARIABLE):
        options["endpoint"] = environment[_ENDPOINT_VARIABLE]
    return _Object(clouds.Place(scheme, parts.netloc, "", options), parts.path.lstrip("/"), version, f"{scheme}://{parts.netloc}")


def _store(found: _Object, environment: Mapping[str, str]) -> Store:
    return clouds.open_store(found.place, environment)


def list_bucket(uri: str, environment: Mapping[str, str], most: int) -> list[Outside]:
    """Returns the object that a URI names, or all that lie below it as a prefix; empty ones of those are left out.

    Raises:
        OutsideMissingError: there is neither.
        UsageError: there are more than `most`.
        RemoteError: the bucket cannot be read.
    """
    import obstore
    from obstore.exceptions import BaseError

    wanted = _parse(uri, environment)
    store = _store(wanted, environment)
    try:
        single = _look(store, wanted)
        if single is not None:
            return [single]
        prefix = wanted.key.rstrip("/")
        found: list[Outside] = []
        for batch in obstore.list(store, prefix or None):
            found += [_outside(wanted, meta, str(meta["path"])[len(prefix) :].lstrip("/")) for meta in batch if int(meta["size"])]
            if len(found) > most:
                raise UsageError(f"{uri} holds more than {most:,} objects", hint="give max_objects to allow more")
    except BaseError as error:
        raise _failed(uri, error) from error
    if not found:
        raise OutsideMissingError(f"there is nothing at {uri}")
    return sorted(found, key=lambda one: one.name)


def _look(store: Store, wanted: _Object) -> Outside | None:
    """Returns the object of exactly a key, or None when there is none, or it only stands for a folder."""
    import obstore

    if not wanted.key or wanted.key.endswith("/"):
        return None
    try:
        found = obstore.get(store, wanted.key, options={"version": wanted.version} if wanted.version else {"head": True})
    except FileNotFoundError:
        return None
    if str(found.attributes.get("Content-Type", "")) in _FOLDER_TYPES:
        return None
    return _outside(wanted, found.meta, wanted.key.rsplit("/", 1)[-1])


def _outside(wanted: _Object, meta: Any, name: str) -> Outside:
    etag = str(meta.get("e_tag") or "").strip('"')
    return Outside(f"{wanted.root}/{meta['path']}", name, int(meta["size"]), etag, str(meta.get("version") or ""))


def read_object(uri: str, version: str, etag: str, environment: Mapping[str, str]) -> Iterator[bytes]:
    """Yields an object piece by piece, as it was when it had this version and etag.

    Raises:
        OutsideMissingError: it is gone.
        OutsideChangedError: it is another one now, and the bucket keeps no older versions (or not this one).
        RemoteError: the bucket cannot be read.
    """
    import obstore
    from obstore.exceptions import BaseError

    wanted = _parse(uri, environment)
    store = _store(wanted, environment)
    version = version or wanted.version
    try:
        try:
            found = obstore.get(store, wanted.key)
            if etag and str(found.meta.get("e_tag") or "").strip('"') != etag and version:
                found = obstore.get(store, wanted.key, options={"version": version})
        except FileNotFoundError:
            if not version:
                raise
            found = obstore.get(store, wanted.key, options={"version": version})
        now = str(found.meta.get("e_tag") or "").strip('"')
        if etag and now != etag:
            raise OutsideChangedError(f"Digest mismatch for object {uri} with versionId {version or 'none'}: expected {etag} but found {now}")
        for piece in found.stream(min_chunk_size=_PIECE):
            yield bytes(piece)
    except OutsideChangedError:
        raise
    except FileNotFoundError as error:
        raise OutsideMissingError(f"there is nothing at {uri} any more") from error
    except BaseError as error:
        raise _failed(uri, error) from error


def _failed(uri: str, error: Exception) -> RemoteError:
    return RemoteError(f"{uri} cannot be read: {str(error).splitlines()[0]}", hint="check the credentials of its bucket")


# -- web servers ----------------------------------------------------------------------------------------------------------


def _get(uri: str) -> HTTPResponse:
    import urllib.error
    import urllib.request

    try:
        answered: HTTPResponse = urllib.request.urlopen(uri, timeout=_TIMEOUT_S)  # noqa: S310 - the caller checked the scheme
    except urllib.error.HTTPError as error:
        if error.code in (404, 410):
            raise OutsideMissingError(f"there is nothing at {uri}: the server says {error.code}") from error
        raise RemoteError(f"{uri} cannot be read: the server says {error.code} {error.reason}") from error
    except OSError as error:
        raise RemoteError(f"{uri} cannot be read: {getattr(error, 'reason', error)}") from error
    return answered


def look_at_page(uri: str) -> Outside:
    """Returns what a web server says of a page; its etag is the URI itself where the server gives none."""
    with _get(uri) as answered:
        size = answered.headers.get("Content-Length")
        etag = (answered.headers.get("ETag") or "").removeprefix("W/").strip('"')
    name = urlsplit(uri).path.rstrip("/").rsplit("/", 1)[-1]
    return Outside(uri, name, int(size) if size and size.isdigit() else -1, etag or uri, "")


def read_page(uri: str, etag: str) -> Iterator[bytes]:
    """Yields a page piece by piece; errors as `read_object`."""
    with _get(uri) as answered:
        now = (answered.headers.get("ETag") or "").removeprefix("W/").strip('"') or uri
        if etag and now != etag:
            raise OutsideChangedError(f"Digest mismatch for url {uri}: expected {etag} but found {now}")
        while piece := answered.read(_PIECE):
            yield piece
