"""`mode='disabled'`: every call is accepted and does nothing."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlvc.api.run_settings import Settings


class Nothing:
    """Answers every attribute and call with itself; false, empty, and usable as a context manager."""

    def __getattr__(self, _: str) -> Nothing:
        return self

    def __call__(self, *_: Any, **__: Any) -> Nothing:
        return self

    def __getitem__(self, _: Any) -> Nothing:
        return self

    def __setitem__(self, *_: Any) -> None:
        return None

    def __enter__(self) -> Nothing:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def __bool__(self) -> bool:
        return False


class DisabledRun:
    """A run that records nothing. `config` and `summary` work as dictionaries of this process."""

    disabled = True

    def __init__(self, config: dict[str, Any], settings: Settings) -> None:
        import tempfile

        from mlvc.api.mappings import Config, Summary

        self.config = Config({}, lambda _changed, _removed: None, allow_val_change=True)
        self.config.update(config)
        self.summary = Summary({}, lambda _changed, _removed: None)
        self.settings = settings
        self.id = settings.run_id or "disabled"
        self.name = settings.run_name or f"dummy-{self.id}"
        self.project = settings.project or "dummy"
        self.entity = settings.entity or "dummy"
        self.group, self.job_type, self.notes = settings.run_group or "", settings.run_job_type or "", settings.run_notes
        self.tags = tuple(settings.run_tags or ())
        self.path = f"{self.entity}/{self.project}/{self.id}"
        self.url = None
        self.resumed = False
        self.offline = False
        self.starting_step = 0
        self.start_time = 0.0
        self.step = 0
        self.dir = tempfile.gettempdir()

    def log(self, data: dict[str, Any], step: int | None = None, commit: bool | None = None) -> None:
        """Counts the steps; a wrong argument is still one."""
        if not isinstance(data, Mapping):
            raise TypeError("wandb.log must be passed a dictionary")
        if step is not None:
            self.step = max(self.step, step)
        elif commit is not False:
            self.step += 1

    def finish(self, exit_code: int | None = None, quiet: bool | None = None) -> None:
        """Forgets the run."""
        from mlvc.api import beginning

        beginning.forget(self)

    def use_artifact(self, *_: Any, **__: Any) -> None:
        """Returns None."""

    def use_model(self, *_: Any, **__: Any) -> None:
        """Returns None."""

    def log_artifact(self, *_: Any, **__: Any) -> Nothing:
        """Returns what accepts every call."""
        return Nothing()

    link_artifact = link_model = log_artifact

    def save(self, *_: Any, **__: Any) -> list[str]:
        """Keeps nothing."""
        return []

    def restore(self, *_: Any, **__: Any) -> None:
        """Returns None."""

    def log_model(self, *_: Any, **__: Any) -> None:
        """Does nothing."""

    def __getattr__(self, name: str) -> Nothing:
        if name.startswith("__"):
            raise AttributeError(name)
        return Nothing()

    def __enter__(self) -> DisabledRun:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish()
