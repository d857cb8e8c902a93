"""Claims of run labels: (project, label) -> run id, decided by create-if-absent before a run's first write (RULES D1)."""

from __future__ import annotations

import os

from mlvc.backend.interface import Backend, KeyMissingError
from mlvc.errors import DamageError
from mlvc.format import canonical
from mlvc.format.ids import RUN_ID_SIZE, RunId, digest


def _key(project: str, label: str) -> str:
    return f"labels/{digest(canonical.encode([project, label])).hex()}"


def claim(backend: Backend, project: str, label: str) -> tuple[RunId, bool]:
    """Returns the run that a label means on this store, and whether it was claimed just now."""
    fresh = RunId(os.urandom(RUN_ID_SIZE))
    if backend.create(_key(project, label), canonical.encode([project, label, fresh])):
        return fresh, True
    found = find(backend, project, label)
    assert found is not None, "the claim was there a moment ago, and claims are never removed"
    return found, False


def find(backend: Backend, project: str, label: str) -> RunId | None:
    """Returns the run that a label was claimed for on this store, or None."""
    try:
        data = backend.read(_key(project, label))
    except KeyMissingError:
        return None
    values = canonical.decode(data)
    if not isinstance(values, list) or len(values) != 3 or len(values[2]) != RUN_ID_SIZE:
        raise DamageError(f"the claim of the run label '{label}' is damaged")
    return RunId(values[2])
