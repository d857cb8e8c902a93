"""mlvc under the name `wandb`: what `mlvc run --as-wandb` puts on the path of a program that imports wandb."""

from __future__ import annotations

import sys
from typing import Any

from mlvc.integration import standing_in

__version__ = standing_in.VERSION


def __getattr__(name: str) -> Any:
    return standing_in.attribute(name)


def __dir__() -> list[str]:
    return standing_in.names()


standing_in.install(sys.modules[__name__])
