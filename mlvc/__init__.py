"""Git for machine-learning artifacts. `import mlvc as wandb` runs W&B scripts, local first.

Names load when they are first used: importing mlvc costs a few milliseconds.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mlvc import errors
from mlvc.errors import CommError, Error, UnsupportedError, UsageError

if TYPE_CHECKING:
    from mlvc.api.artifact_errors import (
        ArtifactFinalizedError,
        ArtifactNotLoggedError,
        ArtifactStatusError,
        WaitTimeoutError,
    )
    from mlvc.api.artifacts import Artifact
    from mlvc.api.beginning import init
    from mlvc.api.public_api import Api
    from mlvc.api.tracked_run import Run

__version__ = "0.1.0"

_HOMES = {
    "init": "mlvc.api.beginning",
    "Run": "mlvc.api.tracked_run",
    "Artifact": "mlvc.api.artifacts",
    "Api": "mlvc.api.public_api",
    "ArtifactStatusError": "mlvc.api.artifact_errors",
    "ArtifactNotLoggedError": "mlvc.api.artifact_errors",
    "ArtifactFinalizedError": "mlvc.api.artifact_errors",
    "WaitTimeoutError": "mlvc.api.artifact_errors",
}
_OF_THE_ACTIVE_RUN = (
    "log",
    "finish",
    "config",
    "summary",
    "use_artifact",
    "log_artifact",
    "log_model",
    "use_model",
    "link_model",
    "link_artifact",
    "define_metric",
)

__all__ = [
    "Api",
    "Artifact",
    "ArtifactFinalizedError",
    "ArtifactNotLoggedError",
    "ArtifactStatusError",
    "CommError",
    "Error",
    "Run",
    "UnsupportedError",
    "UsageError",
    "WaitTimeoutError",
    "errors",
    "init",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name == "run":
        return import_module("mlvc.api.beginning").current()
    if name in _OF_THE_ACTIVE_RUN:
        active = import_module("mlvc.api.beginning")
        if name == "finish" and active.current() is None:
            return lambda *_, **__: None
        return getattr(active.require(), name)
    raise AttributeError(f"module 'mlvc' has no attribute '{name}'")
