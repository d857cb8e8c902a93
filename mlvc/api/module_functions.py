"""Functions of the package beside `init`: logging in, which nobody needs, and printing as W&B does."""

from __future__ import annotations

import enum
from typing import Any

from mlvc.api import beginning, notices
from mlvc.errors import UnsupportedError


class AlertLevel(enum.Enum):
    """How urgent an alert is."""

    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"


def login(*_: Any, **__: Any) -> bool:
    """Returns True: everything is on this machine, and there is no account."""
    return True


def finish(exit_code: int | None = None, quiet: bool | None = None) -> None:
    """Ends the active run, if there is one."""
    active = beginning.current()
    if active is not None:
        active.finish(exit_code, quiet)


def join(exit_code: int | None = None) -> None:
    """Does what `finish` does; the old name."""
    finish(exit_code)


def teardown(exit_code: int | None = None) -> None:
    """Ends the active run; no service of its own is left running."""
    finish(exit_code)


def generate_id(length: int = 8) -> str:
    """Returns random characters of a-z and 0-9, as run ids are made of."""
    from mlvc.runs import made_up_names

    return "".join(made_up_names.new_run_label() for _ in range(length // 8 + 1))[:length]


def ensure_configured() -> None:
    """Does nothing: there is nothing to log in to."""


def require(*_: Any, **__: Any) -> None:
    """Does nothing: W&B's opt-ins to its own new parts."""


def termlog(string: str = "", newline: bool = True, repeat: bool = True, prefix: bool = True) -> None:
    """Prints a line on stderr; with `repeat=False` only once."""
    _say_again_if(string, repeat=repeat)


def termwarn(string: str, newline: bool = True, repeat: bool = True, prefix: bool = True) -> None:
    """Prints a warning on stderr."""
    _say_again_if(f"WARNING {string}", repeat=repeat)


def termerror(string: str, newline: bool = True, repeat: bool = True, prefix: bool = True) -> None:
    """Prints an error on stderr."""
    _say_again_if(f"ERROR {string}", repeat=repeat)


def termsetup(settings: Any = None, logger: Any = None) -> None:
    """Does nothing: what is printed depends on variables alone."""


_said_once: set[str] = set()


def _say_again_if(text: str, *, repeat: bool) -> None:
    if not repeat and text in _said_once:
        return
    if not repeat:
        _said_once.add(text)
    notices.say(text)


def _no_sweeps(*_: Any, **__: Any) -> Any:
    raise UnsupportedError(
        "mlvc has no sweeps: W&B's server hands out their trials",
        hint="start runs from Optuna, Ray Tune or a shell loop, in one group: mlvc.init(group=...)",
    )


sweep = agent = controller = _no_sweeps
