"""Which remotes a workspace has: naming, trying out, forgetting and opening them.

A bucket that a tracked `mlvc.toml` names is contacted only after this user trusted it once; a folder that the user can open anyway
needs no such trust.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from mlvc import atomic_file
from mlvc.backend import git_url
from mlvc.backend.interface import Backend
from mlvc.backend.local import LocalBackend
from mlvc.errors import InvalidNameError, LocalFileError, NotFoundError, RemoteError, UsageError
from mlvc.format.names import MAX_NAME
from mlvc.pacing import UNLIMITED, Pace, parse_rate
from mlvc.parallel import map_in_order
from mlvc.repository import store_record
from mlvc.sync import joining
from mlvc.sync.remote import Remote
from mlvc.workspace import configuration, locating, places, trust
from mlvc.workspace.configuration import RemoteSettings
from mlvc.workspace.workspace import Workspace

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*\Z")
_PROBE = b"create-if-absent and ranged reads"
_STORE_PARTS = {"store", "store.copy", "journal", "packs", "pending", "labels", "locks", "cache", "runs", ".gitignore"}


class AddedRemote(Struct, frozen=True):
    """A remote that was added, and what was found there."""

    name: str
    url: str
    is_upstream: bool
    says: str


class RemoteLine(Struct, frozen=True):
    """A remote as it is listed."""

    name: str
    url: str
    is_upstream: bool
    is_carrier: bool
    holds_data: bool

    @property
    def roles(self) -> list[str]:
        """What it is to this workspace, in words."""
        found = (("upstream", self.is_upstream), ("carrier", self.is_carrier), ("names only", not self.holds_data))
        return [word for word, is_so in found if is_so]


def remotes(workspace: Workspace) -> list[RemoteLine]:
    """Returns the remotes in the order of `mlvc.toml`."""
    settings = workspace.settings
    return [
        RemoteLine(name, remote.url, name == settings.upstream, remote.is_carrier, places.holds_data(remote))
        for name, remote in settings.remotes.items()
    ]


def remove_remote(workspace: Workspace, name: str) -> None:
    """Forgets a remote; what it holds stays. NotFoundError when there is none of that name."""
    settings_of(workspace, name)
    configuration.put(workspace.root, f"remotes.{name}", None)
    if configuration.read_raw(workspace.root).get("upstream") == name:
        configuration.put(workspace.root, "upstream", None)
    workspace.reload_settings()


def settings_of(workspace: Workspace, name: str | None) -> tuple[str, RemoteSettings]:
    """Returns name and settings of a remote, of the upstream when `name` is None; NotFoundError when there is none."""
    settings = workspace.settings
    wanted = name or settings.upstream
    if wanted is None:
        raise NotFoundError("this repository has no remote", hint="'mlvc remote add origin URL' adds one")
    if wanted not in settings.remotes:
        known = ", ".join(settings.remotes)
        hint = f"its remotes are: {known}" if known else f"'mlvc remote add {wanted} URL' adds it"
        raise NotFoundError(f"this repository has no remote '{wanted}'", hint=hint)
    return wanted, settings.remotes[wanted]


# -- adding one -----------------------------------------------------------------------------------------------------


def add_remote(workspace: Workspace, name: str, url: str, options: Mapping[str, str] | None = None) -> AddedRemote:
    """Writes a remote into `mlvc.toml`, once the place is known to be usable. The first one is the upstream.

    Args:
        workspace: whose remote.
        name: for the user.
        url: of a folder or bucket.
        options: of a bucket, see `clouds.OPTIONS`.

    Raises:
        InvalidNameError: the name cannot be a remote's.
        UsageError: the name is taken, the URL holds a password, or the place is something else than one for a store.
        UnsupportedError: this version cannot open such a URL.
        RemoteError: the place cannot be used.
    """
    if not _NAME.match(name) or len(name) > MAX_NAME:
        raise InvalidNameError(f"a remote's name has letters, digits, '_' and '-', found {name!r}")
    if name in workspace.settings.remotes:
        raise UsageError(
            f"there is a remote '{name}' already: {workspace.settings.remotes[name].url}", hint=f"'mlvc remote rm {name}' forgets it"
        )
    settings = places.normal(_as_of_git(workspace, url), options)
    found = _try_out(workspace, name, settings)
    settings = found.settings
    if found.problem is not None:
        settings = RemoteSettings(settings.url, {**settings.options, "carrier": "true"})
    if places.needs_trust(settings.url):
        trust.trust(workspace.environment, settings)
    is_upstream = not workspace.settings.remotes
    configuration.put(workspace.root, f"remotes.{name}.url", settings.url)
    for option, value in settings.options.items():
        configuration.put(workspace.root, f"remotes.{name}.{option}", value)
    if is_upstream:
        configuration.put(workspace.root, "upstream", name)
    workspace.reload_settings()
    says = f"{found.contents}{_carries(found, settings, is_upstream=is_upstream)}"
    return AddedRemote(name, settings.url, is_upstream, says)


def _as_of_git(workspace: Workspace, url: str) -> str:
    """Returns a URL with the prefix of Git hosts when it is one of Git's own remotes, and not a folder with a store in it."""
    if places.scheme_of(url) not in ("ssh", "file") or workspace.checkout is None or url not in workspace.checkout.remote_urls():
        return url
    if places.scheme_of(url) == "ssh":
        return f"{git_url.PREFIX}{url}"
    folder = places.local_folder(url).absolute()
    has_store = (locating.store_within(folder) / store_record.KEY).is_file()
    return url if has_store else f"{git_url.PREFIX}file://{folder}"


def trust_remote(workspace: Workspace, name: str | None) -> RemoteSettings:
    """Remembers that this user trusts a remote of `mlvc.toml`: from then on credentials are used there."""
    _, settings = settings_of(workspace, name)
    if places.needs_trust(settings.url):
        trust.trust(workspace.environment, settings)
    return settings


class _Found(Struct, frozen=True):
    """What a place holds, in words, why it can only be a carrier, or None, and the settings that it asks for."""

    contents: str
    problem: str | None
    settings: RemoteSettings


def _carries(found: _Found, settings: RemoteSettings, *, is_upstream: bool) -> str:
    if found.problem is not None:
        return f"; it can only be a carrier, for {found.problem}: pushes leave changes there for whoever reaches the authority"
    if not places.holds_data(settings):
        begins = "; the first push begins its history" if found.contents == _EMPTY and is_upstream else ""
        return f"{begins}; it keeps names, lineage and registry, no data"
    if settings.is_carrier:
        return "; a carrier: pushes leave changes there for whoever reaches the authority"
    return "; the first push begins its history" if found.contents == _EMPTY and is_upstream else ""


def _try_out(workspace: Workspace, name: str, settings: RemoteSettings) -> _Found:
    """Returns what there is at a place; refuses one that cannot hold, or is not for, a store."""
    cache = workspace.repository.path / "cache"
    backend = places.open_backend(settings, workspace.environment, workspace.root, retries=False, cache=cache)
    if isinstance(backend, LocalBackend):
        _check_folder(workspace, backend.root)
    remote = Remote(name, backend, cache)
    try:
        if remote.record() is None:
            keys = (key.split("/")[0] for key, _ in backend.keys(""))
            foreign = next((key for key in keys if key not in _STORE_PARTS and not key.startswith(".")), None)
            if foreign is not None:
                raise UsageError(
                    f"{backend.url} holds other things ('{foreign}') and no mlvc store", hint="name an empty or new folder, or a prefix of its own"
                )
        return _found(workspace, remote, places.as_found(settings, backend))
    finally:
        remote.close()


def _check_folder(workspace: Workspace, store: Path) -> None:
    if store == workspace.repository.path:
        raise UsageError(f"{store} is this repository itself", hint="name another folder")
    if store.exists() and not store.is_dir():
        raise UsageError(f"{store} is a file, expected a folder")


def _found(workspace: Workspace, remote: Remote, settings: RemoteSettings) -> _Found:
    from mlvc.backend.git_host import GitHostBackend

    backend = remote.backend
    contents = _contents(workspace, remote)
    try:
        if isinstance(backend, GitHostBackend):  # whose condition is a part of Git's protocol
            backend.check_writable()
            return _Found(contents, None, settings)
        return _Found(contents, _probe(backend), settings)
    except RemoteError as error:
        if remote.record() is None:
            raise
        return _Found(f"{contents}; it can be pulled from, not pushed to: {error.message}", None, settings)


def _probe(backend: Backend) -> str | None:
    """Returns why a place cannot take entries, or None: of several creates one must win, and a range must be read as one.

    Raises:
        RemoteError: it cannot even be written to and read from.
    """
    key = f"{atomic_file.TEMPORARY_PREFIX}probe-{os.urandom(8).hex()}"
    try:
        backend.write(f"{key}-plain", [_PROBE])
        if backend.read(f"{key}-plain") != _PROBE or backend.size(f"{key}-none") is not None:
            raise RemoteError(f"{backend.url} cannot be a remote: what it gives is not what was written")
    except LocalFileError as error:
        raise RemoteError(
            f"{backend.url} cannot be a remote: {error.message}", hint="name a folder on a disk that you may write to"
        ) from error
    try:
        part = backend.read_range(f"{key}-plain", 7, 9)
        backend.delete(f"{key}-plain")
        won = [backend.create(key, _PROBE), backend.create(key, b"another")]
        backend.delete(key)
        if part != _PROBE[7:16]:
            return "it does not give a part of what it holds when asked for one"
        if won != [True, False]:
            return "it overwrites what is there when something is created anew"
        at_once = list(map_in_order(lambda _: backend.create(key, _PROBE), range(_AT_ONCE), workers=_AT_ONCE))
        backend.delete(key)
    except (LocalFileError, RemoteError) as error:
        backend.delete(f"{key}-plain")
        return f"it refused a conditional write, or to give a part of what it holds ({error.message})"
    return None if at_once.count(True) == 1 else "of several that create one thing at once, more than one is told that it did"


_AT_ONCE = 8
_EMPTY = "empty"


def _contents(workspace: Workspace, remote: Remote) -> str:
    theirs = remote.journal()
    if theirs is None:
        return _EMPTY
    count = sum(1 for _ in theirs.backend.keys(f"journal/{theirs.id.hex()}/"))
    entries = f"{count:,} journal {'entry' if count == 1 else 'entries'}"
    ours = workspace.repository.refresh().journal
    if ours is None:
        return f"holds {entries}; 'mlvc pull' brings them"
    if joining.is_apart(workspace.repository, remote):
        return f"holds another history than this repository ({entries})"
    return f"holds {entries} of this history"


# -- opening them ---------------------------------------------------------------------------------------------------


def open_remote(workspace: Workspace, name: str | None = None) -> Remote:
    """Opens a remote, the upstream when `name` is None.

    Raises:
        NotFoundError: there is no remote of that name, or none at all.
        UnsupportedError: its URL is of a kind that this version cannot open.
        UsageError: it is a bucket that this user never trusted.
    """
    return remote_at(workspace, *settings_of(workspace, name))


def remote_at(workspace: Workspace, name: str, settings: RemoteSettings) -> Remote:
    """Opens a remote; UsageError when opening it would use credentials and this user never trusted it."""
    if places.needs_trust(settings.url):
        trust.require(workspace.environment, name, settings)
    cache = workspace.repository.path / "cache"
    return Remote(
        name,
        places.open_backend(settings, workspace.environment, workspace.root, cache=cache),
        cache,
        is_upstream=name == workspace.settings.upstream,
        takes_conditions=not settings.is_carrier,
        holds_data=places.holds_data(settings),
        wants_caches=places.scheme_of(settings.url) != places.GIT or places.holds_data(settings),
        journal_here=workspace.repository.journal,
        pace=_pace(workspace.environment),
    )


RATE_VARIABLE = "MLVC_LIMIT_RATE"
"""The most bytes a second that go to and come from remotes, as '5MB'."""


def _pace(environment: Mapping[str, str]) -> Pace:
    said = environment.get(RATE_VARIABLE)
    return Pace(parse_rate(said)) if said else UNLIMITED


def all_remotes(workspace: Workspace) -> list[Remote]:
    """Opens every remote, the upstream first."""
    names = sorted(workspace.settings.remotes, key=lambda name: name != workspace.settings.upstream)
    return [open_remote(workspace, name) for name in names]


@contextmanager
def opened(workspace: Workspace, name: str | None) -> Iterator[Remote]:
    """Opens a remote for the length of a block; errors as `open_remote`."""
    remote = open_remote(workspace, name)
    try:
        yield remote
    finally:
        remote.close()
