"""What a run records of where it ran: command, host, platform, a few environment variables. Secrets stay out."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_SECRET = re.compile(r"(token|key|passw|secret|credential|auth)", re.IGNORECASE)
MASK = "***"
"""What stands for a secret in a recorded command."""

RECORDED_ENVIRONMENT = (
    "CUDA_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES",
    "OMP_NUM_THREADS",
    "PYTHONHASHSEED",
    "CONDA_DEFAULT_ENV",
    "VIRTUAL_ENV",
    "RANK",
    "LOCAL_RANK",
    "WORLD_SIZE",
    "SLURM_JOB_ID",
    "SLURM_JOB_NAME",
    "SLURM_PROCID",
    "SLURM_NTASKS",
    "SLURM_JOB_NODELIST",
    "TORCHELASTIC_RUN_ID",
)
"""The environment variables that are recorded; no others are."""


def describe(arguments: Sequence[str], environment: Mapping[str, str]) -> dict[str, Any]:
    """Returns what is recorded of a run's surroundings, as JSON values.

    Args:
        arguments: the command, values that look secret not yet masked.
        environment: of which `RECORDED_ENVIRONMENT` is kept.
    """
    import platform

    return {
        "command": masked(arguments),
        "host": host_name(),
        "os": platform.platform(),
        "python": platform.python_version(),
        "executable": sys.executable,
        "cpu_count": os.cpu_count(),
        "environment": {name: environment[name] for name in RECORDED_ENVIRONMENT if name in environment},
    }


def masked(arguments: Sequence[str]) -> list[str]:
    """Returns a command with the values of arguments named like a token, key or password masked."""
    found: list[str] = []
    mask_next = False
    for argument in arguments:
        name, equals, _ = argument.partition("=")
        if mask_next and not argument.startswith("-"):
            found.append(MASK)
            mask_next = False
        elif equals and _SECRET.search(name):
            found.append(f"{name}={MASK}")
            mask_next = False
        else:
            found.append(argument)
            mask_next = argument.startswith("-") and not equals and bool(_SECRET.search(argument))
    return found


def job_of(environment: Mapping[str, str]) -> str:
    """Returns what the ranks of one job share (torchrun, SLURM), or "" outside one."""
    for name in ("TORCHELASTIC_RUN_ID", "SLURM_JOB_ID"):
        if environment.get(name):
            return f"{name}={environment[name]}"
    return ""


_DISTRIBUTION = re.compile(r"(?P<name>[^-]+)-(?P<version>[^-]+)(?:-py[\d.]+)?\.(?:dist|egg)-info\Z")
"""The folder of an installed distribution: the standard for recorded installs (PEP 376, 427) has its name and version in it."""


def installed_packages() -> str:
    """Returns `name==version` of each installed distribution, one a line, sorted: of two of a name the one that imports find.

    Names are those of the folders, with dashes: opening each one's metadata would take some 200 ms for 200 packages.
    """
    found: dict[str, str] = {}
    for place in sys.path:
        try:
            names = os.listdir(place or ".")
        except OSError:
            continue  # a zip file, or a folder that is not there
        for name in names:
            match = _DISTRIBUTION.match(name)
            if match is not None:
                found.setdefault(match["name"].replace("_", "-").lower(), match["version"])
    return "".join(f"{name}=={version}\n" for name, version in sorted(found.items()))


def host_name() -> str:
    """Returns what tells this host from others."""
    return os.uname().nodename


def boot_id() -> str:
    """Returns what tells one boot of this host from another, or "" where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
