"""Other people's frameworks: one module each, named and laid out as `wandb.integration` has it, and one test file each.

A module is written so that importing it loads no framework: what derives from the framework's own classes is made when it is
first asked for (see `keras`). It speaks to runs through the public API alone, like a user's script.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

_FRAMEWORKS = ("keras",)


def __getattr__(name: str) -> ModuleType:
    if name in _FRAMEWORKS:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"mlvc has no integration '{name}', only {', '.join(_FRAMEWORKS)}")
