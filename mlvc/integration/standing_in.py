"""Makes mlvc answer to `import wandb` and to W&B's submodules, for scripts and frameworks that know only that name.

`as_wandb/` holds a package `wandb` and the metadata of a distribution of that name, which frameworks ask for its version. Nothing is
copied: each of W&B's modules that scripts import is one that names things of mlvc.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.util
import os
import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import mlvc

VERSION = "0.31.0"
"""Of W&B's package, whose interface this is."""

_NAME = "wandb"
_SAME = {
    "data_types": "mlvc.media",
    "errors": "mlvc.errors",
    "integration": "mlvc.integration",
    "integration.keras": "mlvc.integration.keras",
    "keras": "mlvc.integration.keras",
    "plot": "mlvc.media.charts",
}
"""W&B's module -> the module of mlvc that is it."""

_MEDIA = (
    "Audio BoundingBoxes2D Classes Histogram Html Image ImageMask JoinedTable Molecule Object3D PartitionedTable Plotly Table Video"
).split()

_MADE: dict[str, Mapping[str, str]] = {
    "apis": {"public": "wandb.apis.public:"},
    "apis.public": {
        "Api": "mlvc:Api",
        "Run": "mlvc.api.recorded_runs:RecordedRunHandle",
        "Project": "mlvc.api.public_api:Project",
        "ArtifactCollection": "mlvc.api.artifact_collections:ArtifactCollection",
        "ArtifactType": "mlvc.api.artifact_collections:ArtifactType",
        "Registry": "mlvc.api.artifact_collections:Registry",
        "File": "mlvc.api.recorded_runs:RunFile",
    },
    "sdk": {"Config": "mlvc:Config", "Settings": "mlvc:Settings", "Artifact": "mlvc:Artifact"},
    "sdk.artifacts": {"Artifact": "mlvc:Artifact"},
    "sdk.artifacts.artifact": {"Artifact": "mlvc:Artifact"},
    "sdk.data_types": {name: f"mlvc:{name}" for name in _MEDIA},
    "sdk.lib": {"RunDisabled": "mlvc.api.disabled_run:DisabledRun"},
    "sdk.lib.config_util": {"ConfigError": "mlvc.api.mappings:ConfigError"},
    "sdk.lib.runid": {"generate_id": "mlvc.api.module_functions:generate_id"},
    "sdk.wandb_config": {"Config": "mlvc:Config"},
    "sdk.wandb_run": {"Run": "mlvc:Run"},
    "sdk.wandb_settings": {"Settings": "mlvc:Settings"},
    "util": {"generate_id": "mlvc.api.module_functions:generate_id"},
    "wandb_run": {"Run": "mlvc:Run"},
}
"""W&B's module -> the names in it, each as `module:attribute`."""


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds W&B's modules in the two tables above."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Returns a spec for what the tables know."""
        inner = fullname.removeprefix(f"{_NAME}.")
        if inner == fullname or (inner not in _SAME and inner not in _MADE):
            return None
        return importlib.util.spec_from_loader(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Returns the module of mlvc, or one that names things of it."""
        inner = spec.name.removeprefix(f"{_NAME}.")
        if inner in _SAME:
            return importlib.import_module(_SAME[inner])
        made = ModuleType(spec.name, f"What W&B's {spec.name} holds, from mlvc.")
        held = _MADE[inner]

        def find(name: str) -> Any:
            if name not in held:
                raise AttributeError(f"mlvc standing in for wandb has no {spec.name}.{name}")
            home, _, attribute_name = held[name].partition(":")
            module = importlib.import_module(home)
            return getattr(module, attribute_name) if attribute_name else module

        made.__getattr__ = find  # type: ignore[method-assign]
        return made

    def exec_module(self, module: ModuleType) -> None:
        """Does nothing: the module is complete."""


def install(package: ModuleType) -> None:
    """Makes submodules of a package `wandb` be found here; once a process."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    package.__path__ = []


def attribute(name: str) -> Any:
    """Returns what `wandb.NAME` is: a name of mlvc, or one of W&B's modules."""
    if name in _SAME or name in _MADE:
        return importlib.import_module(f"{_NAME}.{name}")
    if name.startswith("__"):
        raise AttributeError(name)
    return getattr(mlvc, name)


def names() -> list[str]:
    """Returns what `dir(wandb)` shows."""
    return sorted({*mlvc.__all__, *(name for name in (*_SAME, *_MADE) if "." not in name), "run", "config", "log", "summary", "finish"})


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """Returns the variables under which a Python program finds mlvc as `wandb`, whatever of that name is installed."""
    folder = str(Path(__file__).parent / "as_wandb")
    home = str(Path(mlvc.__file__).parent.parent)
    known = [part for part in given.get("PYTHONPATH", "").split(os.pathsep) if part and part != folder]
    needed = [] if home in known else [home]
    return {**given, "PYTHONPATH": os.pathsep.join([folder, *known, *needed])}
