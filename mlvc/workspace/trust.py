"""Which remotes this user trusts: a tracked `mlvc.toml` is anyone's, and must not send credentials where its author likes.

Adding a remote, or cloning from a URL, is trusting it. What was trusted is kept outside of every repository, by URL and options.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from mlvc import atomic_file
from mlvc.errors import UsageError, local_file_error
from mlvc.workspace.configuration import RemoteSettings


def _path(environment: Mapping[str, str]) -> Path:
    folder = environment.get("XDG_CONFIG_HOME") or Path(environment.get("HOME") or Path.home()) / ".config"
    return Path(folder) / "mlvc" / "trusted"


def _line(remote: RemoteSettings) -> str:
    return json.dumps([remote.url, dict(sorted(remote.options.items()))], sort_keys=True)


def is_trusted(environment: Mapping[str, str], remote: RemoteSettings) -> bool:
    """Tells whether this user trusted a remote, with exactly these options."""
    try:
        return _line(remote) in _path(environment).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return False
    except (OSError, UnicodeDecodeError):
        return False  # what cannot be read trusts nobody


def trust(environment: Mapping[str, str], remote: RemoteSettings) -> None:
    """Remembers that this user trusts a remote."""
    if is_trusted(environment, remote):
        return
    path = _path(environment)
    try:
        atomic_file.make_folder(path.parent)
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{_line(remote)}\n")
    except OSError as error:
        raise local_file_error(error, f"write {path}") from error


def require(environment: Mapping[str, str], name: str, remote: RemoteSettings) -> None:
    """Raises UsageError for a remote that this user never trusted: nothing may be sent there."""
    if not is_trusted(environment, remote):
        shown = "".join(f" {option}={value}" for option, value in sorted(remote.options.items()))
        raise UsageError(
            f"mlvc.toml names the remote '{name}' at {remote.url}{shown}, and you never said that you trust it",
            hint=f"'mlvc remote trust {name}', if you do: your credentials will be used there",
        )
