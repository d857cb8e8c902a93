"""`mode='disabled'`: every call is accepted and does nothing."""

from __future__ import annotations

from types import TracebackType
from typing import Any


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

    def __init__(self, config: dict[str, Any]) -> None:
        from mlvc.api.mappings import Config, Summary

        self.config = Config(config, lambda _changed, _removed: None, allow_val_change=True)
        self.summary = Summary({}, lambda _changed, _removed: None)
        self.id = self.name = "disabled"
        self.step = 0

    def log(self, data: dict[str, Any], step: int | None = None, commit: bool | None = None) -> None:
        """Does nothing."""

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
