"""`Settings`: what W&B's scripts pass to `init(settings=...)`, and where each is read from otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mlvc.api import notices

_VARIABLES = {
    "console": "CONSOLE",
    "entity": "ENTITY",
    "mode": "MODE",
    "project": "PROJECT",
    "quiet": "QUIET",
    "resume": "RESUME",
    "root_dir": "DIR",
    "run_group": "RUN_GROUP",
    "run_id": "RUN_ID",
    "run_job_type": "JOB_TYPE",
    "run_name": "NAME",
    "run_notes": "NOTES",
    "run_tags": "TAGS",
    "silent": "SILENT",
    "x_disable_stats": "_DISABLE_STATS",
    "x_stats_sampling_interval": "X_STATS_SAMPLING_INTERVAL",
}
"""Setting -> the variable that gives it where nobody set it, without `MLVC_` or `WANDB_`."""

_FLAGS = ("quiet", "silent", "x_disable_stats")
OFF = ("", "0", "false", "no", "off")


class Settings:
    """Settings by W&B's names. Those that mean nothing here are kept and do nothing; one that was not given is its variable's, or None.

    Those that count: entity, project, mode, resume, resume_from, fork_from, reinit, run_id, run_name, run_notes, run_tags, run_group,
    run_job_type, root_dir, console (`off` keeps no console), x_disable_stats, x_stats_sampling_interval (seconds), save_code,
    allow_val_change, quiet, silent.
    """

    def __init__(self, **given: Any) -> None:
        self.__dict__.update(given)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        variable = _VARIABLES.get(name)
        found = notices.variable(variable) if variable else None
        if name in _FLAGS:
            return found is not None and found.lower() not in OFF
        if name == "run_tags" and found is not None:
            return tuple(tag.strip() for tag in found.split(",") if tag.strip())
        return found

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in self.__dict__.items())})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Settings) and other.__dict__ == self.__dict__

    def __hash__(self) -> int:
        return id(self)

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return iter(self.__dict__.items())

    def get(self, name: str, default: Any = None) -> Any:
        """Returns a setting, or `default` where it is None."""
        found = getattr(self, name)
        return default if found is None else found

    def update(self, given: Settings | Mapping[str, Any] | None = None, **more: Any) -> None:
        """Sets several; None leaves one as it is."""
        pairs = given.__dict__ if isinstance(given, Settings) else dict(given or {})
        self.__dict__.update({name: value for name, value in {**pairs, **more}.items() if value is not None})


def merged(*several: Settings | Mapping[str, Any] | None) -> Settings:
    """Returns what several say together, later ones over earlier ones."""
    found = Settings()
    for one in several:
        found.update(one)
    return found
