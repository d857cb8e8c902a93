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


def read(root: Path) -> Settings:
    """Returns the settings of a working tree; UsageError when the file cannot be understood."""
    values = read_raw(root)
    try:
        remotes = {
            str(name): RemoteSettings(str(remote["url"]), {str(k): str(v) for k, v in remote.items() if k != "url"})
            for name, remote in values.get("remotes", {}).items()
        }
        project = values.get("project")
        upstream = values.get("upstream")
    except (AttributeError, KeyError, TypeError) as error:
        raise UsageError(
            f"{root / FILE_NAME}: a remote is a table with a 'url'", hint='write [remotes.NAME] and url = "..." below it'
        ) from error
    if upstream is None and remotes:
        upstream = next(iter(remotes))
    copies, limit = _copies(root, values.get("copies", {}))
    return Settings(None if project is None else str(project), remotes, upstream, copies, limit)


def _copies(root: Path, said: Any) -> tuple[str, int]:
    """Returns when to keep raw copies, and the most bytes they may have."""
    keep = said.get("keep", raw_copies.AUTO) if isinstance(said, dict) else None
    limit = said.get("limit_gib", raw_copies.DEFAULT_LIMIT >> 30) if isinstance(said, dict) else None
    if keep not in raw_copies.POLICIES or isinstance(limit, bool) or not isinstance(limit, (int, float)) or limit < 0:
        raise UsageError(
            f"{root / FILE_NAME}: [copies] is {said!r}, expected 'keep' as {', '.join(raw_copies.POLICIES)} and 'limit_gib' as a number",
            hint="'mlvc config --unset copies.keep' goes back to the default",
        )
    return keep, int(limit * (1 << 30))


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
        UsageError: a part of the key is a value already.
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
    atomic_file.replace(path, tomlkit.dumps(document).encode())
