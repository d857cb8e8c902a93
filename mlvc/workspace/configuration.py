"""`mlvc.toml`, tracked by Git: project, remotes without secrets, policies."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from mlvc import atomic_file
from mlvc.errors import UsageError, local_file_error
from mlvc.working_tree import raw_copies

FILE_NAME = "mlvc.toml"


class RemoteSettings(Struct, frozen=True):
    """What `mlvc.toml` says of a remote: its URL, and options such as `endpoint`; no secrets."""

    url: str
    options: dict[str, str] = field(default_factory=dict)

    @property
    def is_carrier(self) -> bool:
        """Whether it must not become the authority: it is known not to honour conditional writes, or only to be carried around."""
        return self.options.get("carrier", "").lower() in ("1", "true", "yes")


class Settings(Struct, frozen=True):
    """What `mlvc.toml` says.

    Attributes:
        project: or None.
        remotes: by name, in the order of the file.
        upstream: the remote that push and pull mean, or None.
        copies: when to keep whole files beside the packs: `auto`, `always` or `never`.
        copies_limit: the most bytes those may have.
    """

    project: str | None = None
    remotes: dict[str, RemoteSettings] = field(default_factory=dict)
    upstream: str | None = None
    copies: str = raw_copies.AUTO
    copies_limit: int = raw_copies.DEFAULT_LIMIT

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
    return Settings(None if project is None else str(project), remotes, upstream, copies, limit)


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
