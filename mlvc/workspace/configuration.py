"""`mlvc.toml`, tracked by Git: project, remotes without secrets, policies."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from mlvc import atomic_file
from mlvc.errors import UsageError, local_file_error
from mlvc.working_tree import raw_copies

FILE_NAME = "mlvc.toml"


def is_true(said: str) -> bool:
    """Tells whether an option of a remote is on."""
    return said.lower() in ("1", "true", "yes")


class RemoteSettings(Struct, frozen=True):
    """What `mlvc.toml` says of a remote: its URL, and options such as `endpoint`; no secrets."""

    url: str
    options: dict[str, str] = field(default_factory=dict)

    @property
    def is_carrier(self) -> bool:
        """Whether it must not become the authority: it is known not to honour conditional writes, or only to be carried around."""
        return is_true(self.options.get("carrier", ""))


REFUSE, WARN, IGNORE = "refuse", "warn", "ignore"


class HookSettings(Struct, frozen=True):
    """What `mlvc.toml` says of Git's hooks.

    Attributes:
        max_file_bytes: a file of more is refused by `pre-commit`.
        refuse: gitignore patterns of files that Git shall never get, whatever their size.
        allow: patterns of files that it may always get.
        changed_pins: what `pre-commit` does about files that differ from their pins: `refuse`, `warn` or `ignore`.
        push: what `pre-push` does when pinned data would be in no remote: the same.
        fetch: whether a checkout asks the remotes for what is not here.
        trailers: whether commit messages name runs and versions.
    """

    max_file_bytes: int = 10_000_000
    refuse: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    changed_pins: str = REFUSE
    push: str = REFUSE
    fetch: bool = False
    trailers: bool = False


class Settings(Struct, frozen=True):
    """What `mlvc.toml` says.

    Attributes:
        project: or None.
        remotes: by name, in the order of the file.
        upstream: the remote that push and pull mean, or None.
        copies: when to keep whole files beside the packs: `auto`, `always` or `never`.
        copies_limit: the most bytes those may have.
        hooks: what Git's hooks do.
    """

    project: str | None = None
    remotes: dict[str, RemoteSettings] = field(default_factory=dict)
    upstream: str | None = None
    copies: str = raw_copies.AUTO
    copies_limit: int = raw_copies.DEFAULT_LIMIT
    hooks: HookSettings = HookSettings()

    @property
    def may_start_journals(self) -> bool:
        """Whether a first commit here may begin a history: no remote is named that may have one."""
        return all(remote.is_carrier for remote in self.remotes.values())


def read(root: Path) -> Settings:
    """Returns the settings of a working tree; UsageError when the file cannot be understood."""
    return _understood(read_raw(root), root / FILE_NAME)


def _understood(values: dict[str, Any], path: Path) -> Settings:
    """Returns the settings in the values of a file; UsageError when they make no sense."""
    try:
        remotes = {
            str(name): RemoteSettings(str(remote["url"]), {str(k): str(v) for k, v in remote.items() if k != "url"})
            for name, remote in values.get("remotes", {}).items()
        }
        project = values.get("project")
        upstream = values.get("upstream")
    except (AttributeError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path}: a remote is a table with a 'url'", hint='write [remotes.NAME] and url = "..." below it'
        ) from error
    if upstream is None and remotes:
        upstream = next(iter(remotes))
    copies, limit = _copies(values.get("copies", {}), path)
    hooks = _hooks(values.get("hooks", {}), path)
    return Settings(None if project is None else str(project), remotes, upstream, copies, limit, hooks)


_POLICIES = (REFUSE, WARN, IGNORE)
_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([a-zA-Z]*)\Z")


def _hooks(said: Any, path: Path) -> HookSettings:
    """Returns the settings in the table [hooks]; UsageError when a key or value there makes no sense."""
    defaults = HookSettings()
    try:
        unknown = set(said) - {"max_file_size", "refuse", "allow", "changed_pins", "push", "fetch", "trailers"}
        if unknown:
            raise ValueError(f"it has no '{min(unknown)}'")
        return HookSettings(
            _size(said.get("max_file_size", defaults.max_file_bytes)),
            _patterns(said.get("refuse", ())),
            _patterns(said.get("allow", ())),
            _policy(said.get("changed_pins", defaults.changed_pins)),
            _policy(said.get("push", defaults.push)),
            _flag(said.get("fetch", defaults.fetch)),
            _flag(said.get("trailers", defaults.trailers)),
        )
    except (AttributeError, TypeError, ValueError) as error:
        raise UsageError(
            f"{path}: [hooks] cannot be understood: {error}",
            hint='max_file_size is a size as "50 MB"; refuse and allow are lists of patterns; changed_pins and push are '
            "refuse, warn or ignore; fetch and trailers are true or false",
        ) from error


def _size(said: Any) -> int:
    match = _SIZE.match(str(said))
    if match is None or match[2].upper() not in _UNITS:
        raise ValueError(f"expected a size, found {said!r}")
    return int(float(match[1]) * _UNITS[match[2].upper()])


def _patterns(said: Any) -> tuple[str, ...]:
    return tuple(part.strip() for part in said.split(",")) if isinstance(said, str) else tuple(str(one) for one in said)


def _policy(said: Any) -> str:
    if said not in _POLICIES:
        raise ValueError(f"expected {', '.join(_POLICIES)}, found {said!r}")
    return str(said)


def _flag(said: Any) -> bool:
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if str(said).lower() not in words:
        raise ValueError(f"expected true or false, found {said!r}")
    return words[str(said).lower()]


def _copies(said: Any, path: Path) -> tuple[str, int]:
    """Returns when to keep raw copies, and the most bytes they may have."""
    try:
        keep = said.get("keep", raw_copies.AUTO)
        limit = float(said.get("limit_gib", raw_copies.DEFAULT_LIMIT >> 30))  # the command line writes numbers as texts
        if keep in raw_copies.POLICIES and 0 <= limit < float("inf"):
            return keep, int(limit * (1 << 30))
    except (AttributeError, TypeError, ValueError):
        pass  # said below, as for a number out of bounds
    raise UsageError(
        f"{path}: [copies] would be {said!r}, expected 'keep' as {', '.join(raw_copies.POLICIES)} and 'limit_gib' as a number",
        hint=f"the table [copies] in {path} may also be left out",
    )


def read_raw(root: Path) -> dict[str, Any]:
    """Returns all of `mlvc.toml` as it stands; empty when there is none."""
    path = root / FILE_NAME
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be understood: {error}") from error
    except OSError as error:
        raise local_file_error(error, f"read {path}") from error


def put(root: Path, key: str, value: Any | None) -> None:
    """Sets a dotted key, or removes it with None; comments and order stay.

    Raises:
        UsageError: a part of the key is a value already, or the value makes no sense there.
    """
    import tomlkit

    path = root / FILE_NAME
    read_raw(root)
    document = tomlkit.parse(path.read_text(encoding="utf-8") if path.exists() else "")
    *folders, name = key.split(".")
    table: Any = document
    for folder in folders:
        if folder not in table:
            if value is None:
                return
            table[folder] = tomlkit.table(is_super_table=folder == folders[0] and len(folders) > 1)
        table = table[folder]
        if not hasattr(table, "keys"):
            raise UsageError(f"'{folder}' in {path} is a value, expected a table")
    if value is None:
        table.pop(name, None)
    else:
        table[name] = value
    _understood(document.unwrap(), path)  # what no later command could read is not written
    atomic_file.replace(path, tomlkit.dumps(document).encode())
