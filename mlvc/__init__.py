"""Git for machine-learning artifacts. `import mlvc as wandb` runs W&B scripts, local first.

Names load when they are first used: importing mlvc costs some 30 ms.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

# Every use needs it, and it is a third of what else `init` would have to import.
import msgspec  # noqa: F401

from mlvc import errors
from mlvc.errors import AuthenticationError, CommError, Error, UnsupportedError, UsageError

if TYPE_CHECKING:
    from mlvc.api.artifact_errors import (
        ArtifactFinalizedError,
        ArtifactNotLoggedError,
        ArtifactStatusError,
        WaitTimeoutError,
    )
    from mlvc.api.artifacts import Artifact, ArtifactTTL
    from mlvc.api.beginning import init, setup
    from mlvc.api.mappings import Config
    from mlvc.api.module_functions import AlertLevel, login, termerror, termlog, termwarn
    from mlvc.api.public_api import Api
    from mlvc.api.run_settings import Settings
    from mlvc.api.tracked_run import Run
    from mlvc.media.annotations import BoundingBoxes2D, Classes, ImageMask
    from mlvc.media.documents import Html, Molecule, Object3D, Plotly, Video
    from mlvc.media.histograms import Histogram
    from mlvc.media.images import Image
    from mlvc.media.joined_tables import JoinedTable, PartitionedTable
    from mlvc.media.sounds import Audio
    from mlvc.media.tables import Table

__version__ = "0.1.0"

_HOMES = {
    "AlertLevel": "mlvc.api.module_functions",
    "Api": "mlvc.api.public_api",
    "Artifact": "mlvc.api.artifacts",
    "ArtifactFinalizedError": "mlvc.api.artifact_errors",
    "ArtifactNotLoggedError": "mlvc.api.artifact_errors",
    "ArtifactStatusError": "mlvc.api.artifact_errors",
    "ArtifactTTL": "mlvc.api.artifacts",
    "Audio": "mlvc.media.sounds",
    "BoundingBoxes2D": "mlvc.media.annotations",
    "Classes": "mlvc.media.annotations",
    "Config": "mlvc.api.mappings",
    "Histogram": "mlvc.media.histograms",
    "Html": "mlvc.media.documents",
    "Image": "mlvc.media.images",
    "ImageMask": "mlvc.media.annotations",
    "JoinedTable": "mlvc.media.joined_tables",
    "Molecule": "mlvc.media.documents",
    "Object3D": "mlvc.media.documents",
    "PartitionedTable": "mlvc.media.joined_tables",
    "Plotly": "mlvc.media.documents",
    "Run": "mlvc.api.tracked_run",
    "Settings": "mlvc.api.run_settings",
    "Table": "mlvc.media.tables",
    "Video": "mlvc.media.documents",
    "WaitTimeoutError": "mlvc.api.artifact_errors",
    "agent": "mlvc.api.module_functions",
    "controller": "mlvc.api.module_functions",
    "ensure_configured": "mlvc.api.module_functions",
    "init": "mlvc.api.beginning",
    "join": "mlvc.api.module_functions",
    "login": "mlvc.api.module_functions",
    "require": "mlvc.api.module_functions",
    "setup": "mlvc.api.beginning",
    "sweep": "mlvc.api.module_functions",
    "teardown": "mlvc.api.module_functions",
    "termerror": "mlvc.api.module_functions",
    "termlog": "mlvc.api.module_functions",
    "termsetup": "mlvc.api.module_functions",
    "termwarn": "mlvc.api.module_functions",
}
_MODULES = {
    "data_types": "mlvc.media",
    "integration": "mlvc.integration",
    "keras": "mlvc.integration.keras",
    "plot": "mlvc.media.charts",
    "util": "mlvc.api.module_functions",
}
"""W&B's modules that scripts reach as attributes -> what is them here."""

_OF_THE_ACTIVE_RUN = frozenset(
    "alert config define_metric link_artifact link_model log log_artifact log_code log_model mark_preempting pin_config_keys save "
    "summary unwatch use_artifact use_model watch".split()
)

__all__ = [
    "AlertLevel",
    "Api",
    "Artifact",
    "ArtifactFinalizedError",
    "ArtifactNotLoggedError",
    "ArtifactStatusError",
    "ArtifactTTL",
    "Audio",
    "AuthenticationError",
    "BoundingBoxes2D",
    "Classes",
    "CommError",
    "Config",
    "Error",
    "Histogram",
    "Html",
    "Image",
    "ImageMask",
    "JoinedTable",
    "Molecule",
    "Object3D",
    "PartitionedTable",
    "Plotly",
    "Run",
    "Settings",
    "Table",
    "UnsupportedError",
    "UsageError",
    "Video",
    "WaitTimeoutError",
    "errors",
    "init",
    "login",
    "setup",
    "termerror",
    "termlog",
    "termwarn",
]


def __getattr__(name: str) -> Any:
    if name in _OF_THE_ACTIVE_RUN:
        return import_module("mlvc.api.beginning").of_current(name)
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name == "run":
        return import_module("mlvc.api.beginning").current()
    if name == "finish":
        return import_module("mlvc.api.module_functions").finish
    if name == "restore":
        return import_module("mlvc.api.run_files").restore_by_path
    if name in _MODULES:
        return import_module(_MODULES[name])
    raise AttributeError(f"module 'mlvc' has no attribute '{name}'")
