"""What the URL of a remote means: a folder, a bucket, a Git host, a store on another machine, or memory; how each is opened."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from mlvc.backend import clouds, git_url, ssh
from mlvc.backend.interface import Backend
from mlvc.backend.memory import MemoryBackend
from mlvc.backend.remote_folder import RemoteFolder
from mlvc.backend.unconditional import CarrierFolder
from mlvc.errors import UnsupportedError, UsageError
from mlvc.format.ids import digest
from mlvc.workspace import locating
from mlvc.workspace.configuration import RemoteSettings, is_true

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*)://")
_CREDENTIALS = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://[^/@]*@")
_CODE = re.compile(r"[A-Za-z0-9+.\-]+::")
_MEMORY = "memory:"
_memories: dict[str, MemoryBackend] = {}

GIT = "git"
"""What `scheme_of` says of every Git host."""


def scheme_of(url: str) -> str:
    """Returns the scheme of a remote's URL in lower case, `file` for a plain path."""
    if url.startswith(_MEMORY):
        return "memory"
    if git_url.is_git(url):
        return GIT
    match = _SCHEME.match(url)
    return match[1].lower() if match else "file"


def normal(url: str, options: Mapping[str, str] | None = None) -> RemoteSettings:
    """Returns a remote's settings as they are kept: the URL in its usual spelling, a folder as an absolute path.

    Raises:
        UsageError: the URL holds a password, names nothing, or the options do not fit it.
        UnsupportedError: it is of a kind that mlvc cannot open.
    """
    options = dict(options or {})
    scheme = scheme_of(url)
    if _CODE.match(url):
        raise UnsupportedError(f"'{url}' asks to run a program, which no remote of mlvc does", hint="use a bucket, a folder or ssh://")
    if scheme == GIT:
        return _normal_git(url, options)
    if scheme == "ssh":
        settings = RemoteSettings(ssh.parse(url).url, options)
    elif _CREDENTIALS.match(url):
        raise UsageError("the URL holds a user name or password, and mlvc.toml is for everyone", hint="leave it out")
    elif scheme in clouds.SCHEMES:
        place = clouds.parse(url, options)
        return RemoteSettings(place.url, dict(place.options))
    elif scheme == "memory":
        settings = RemoteSettings(url, options)
    elif scheme == "file":
        settings = RemoteSettings(os.path.abspath(local_folder(url).expanduser()), options)
    else:
        raise UnsupportedError(
            f"'{scheme}' is no kind of remote that mlvc knows", hint="use a bucket (s3://, gs://, az://), a folder, ssh://host/path, or git+https://host/path.git"
        )
    wrong = next((option for option in options if option != "carrier"), None)
    if wrong is not None:
        raise UsageError(f"a remote at {settings.url} has no '{wrong}'", hint="leave the option out")
    return settings


def _normal_git(url: str, options: dict[str, str]) -> RemoteSettings:
    settings = RemoteSettings(git_url.normal(url), options)
    wrong = next((option for option in options if option not in ("carrier", git_url.DATA_OPTION)), None)
    if wrong is not None:
        raise UsageError(f"a Git host, as {settings.url}, has no '{wrong}'", hint="leave the option out")
    return settings


def holds_data(settings: RemoteSettings) -> bool:
    """Tells whether data is pushed to a remote: to all but Git hosts, which get it only when asked to."""
    return scheme_of(settings.url) != GIT or is_true(settings.options.get(git_url.DATA_OPTION, ""))


def as_found(settings: RemoteSettings, backend: Backend) -> RemoteSettings:
    """Returns the settings of a place with what it shows of itself: a Git host that holds data goes on to get it."""
    if holds_data(settings) or not any(backend.keys("packs/data/")):
        return settings
    return RemoteSettings(settings.url, {**settings.options, git_url.DATA_OPTION: "true"})


def is_folder(url: str) -> bool:
    """Tells whether a URL names a folder of this machine."""
    return scheme_of(url) == "file"


def is_bucket(url: str) -> bool:
    """Tells whether a URL names a bucket: what reads it must not be forked afterwards."""
    return scheme_of(url) in clouds.SCHEMES


def needs_trust(url: str) -> bool:
    """Tells whether opening what a URL names uses this user's credentials."""
    return scheme_of(url) not in ("file", "memory")


def local_folder(url: str) -> Path:
    """Returns the folder of a `file://` URL or plain path."""
    return Path(url.removeprefix("file://"))


def open_backend(
    settings: RemoteSettings, environment: Mapping[str, str], root: Path, *, retries: bool = True, cache: Path | None = None
) -> Backend:
    """Opens what a remote's settings name; nothing is sent yet. The caller knows that it is trusted.

    Args:
        settings: as `mlvc.toml` has them; a relative folder, which is written by hand, means below `root`.
        environment: of this process: credentials, profiles, which program `ssh` is.
        root: of the working tree.
        retries: whether what fails is tried again; a probe must not.
        cache: a folder for what can be brought again; None where there is none yet.

    Raises:
        UsageError: they name nothing.
        UnsupportedError: they are of a kind that mlvc cannot open.
    """
    scheme = scheme_of(settings.url)
    if scheme in clouds.SCHEMES:
        return clouds.open_place(clouds.parse(settings.url, settings.options), environment, retries=retries)
    if scheme == GIT:
        from mlvc.backend.git_host import GitHostBackend

        mirror = f"git-{digest(settings.url.encode()).hex()[:16]}"
        return GitHostBackend(settings.url, cache, mirror, environment)
    if scheme == "ssh":
        return ssh.open_address(ssh.parse(settings.url), environment)
    if scheme == "memory":
        return _memories.setdefault(settings.url, MemoryBackend())
    normal(settings.url)  # raises for what is no folder
    folder = root / local_folder(settings.url).expanduser()
    return (CarrierFolder if settings.is_carrier else RemoteFolder)(locating.store_within(folder))
