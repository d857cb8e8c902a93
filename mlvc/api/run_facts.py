"""What a run under way is called, and what is said of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from mlvc.api.mappings import Config, Summary
from mlvc.api.run_settings import Settings
from mlvc.format import names
from mlvc.runs.metrics import MetricRule, Summaries
from mlvc.workspace.run_recording import ActiveRun
from mlvc.workspace.workspace import Workspace


class Metric:
    """What `define_metric` returns: what was asked for."""

    def __init__(self, rule: MetricRule) -> None:
        self._rule = rule

    @property
    def name(self) -> str:
        """The metric's name, perhaps with a `*`."""
        return self._rule.name

    @property
    def step_metric(self) -> str | None:
        """Its x axis."""
        return self._rule.step_metric or None

    @property
    def step_sync(self) -> bool | None:
        """Whether the last value of its x axis is logged with it."""
        return self._rule.step_sync or None

    @property
    def summary(self) -> tuple[str, ...] | None:
        """What it sums up to."""
        return self._rule.summary or None

    @property
    def hidden(self) -> bool | None:
        """Whether charts leave it out."""
        return self._rule.hidden or None

    @property
    def goal(self) -> str | None:
        """What `best` means."""
        return self._rule.goal


class RunFacts:
    """Id, name, tags, config and the like of a run; each change is recorded at once."""

    def __init__(self, workspace: Workspace, active: ActiveRun, settings: Settings, *, allow_val_change: bool = False) -> None:
        self._workspace = workspace
        self._active = active
        self._settings = settings
        self._step = active.first_step
        self._last_step = active.first_step - 1 if active.first_step else None
        self._lock = threading.RLock()
        self._finished = False
        self._record = active.log_values
        self._summaries = Summaries()
        self._closing: list[Callable[[], None]] = []
        self._ends_well: Callable[[], None] = lambda: None
        self._watched: list[Any] = []
        self._alerted: dict[str, float] = {}
        self.config = Config(active.config, active.set_config, allow_val_change=allow_val_change, use=self._use_from_config)
        self.summary = Summary(active.summary, active.set_summary)
        self._known_summary = active.summary

    def _use_from_config(self, artifact_or_name: Any) -> Any:
        raise NotImplementedError

    def _label(self, *_: Any, **__: Any) -> None:
        """Does nothing: frameworks tell W&B by it which code they are."""

    def _on_finish(self, close: Callable[[], None]) -> None:
        """Has something ended before the run is sealed."""
        self._closing.append(close)

    # -- what it is ---------------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The run's id, as users write it."""
        return self._active.label

    @property
    def name(self) -> str:
        """The run's name; may be set."""
        return self._active.name

    @name.setter
    def name(self, given: str) -> None:
        self._active.set_facts({"name": str(given)})

    @property
    def notes(self) -> str | None:
        """Free text; may be set."""
        return self._active.facts.get("notes")

    @notes.setter
    def notes(self, given: str | None) -> None:
        self._active.set_facts({"notes": given or ""})

    @property
    def tags(self) -> tuple[str, ...]:
        """The run's tags; may be set."""
        return tuple(self._active.facts.get("tags") or ())

    @tags.setter
    def tags(self, given: Sequence[str]) -> None:
        found = sorted({names.check_tag(t) for t in given})
        self._active.set_facts({"tags": found})
        self._active.set_tags(found)

    @property
    def project(self) -> str:
        """The project it belongs to."""
        return self._active.project

    @property
    def entity(self) -> str:
        """Recorded for W&B's sake."""
        return str(self._active.facts.get("entity") or "local")

    @property
    def job_type(self) -> str:
        """What kind of run it is."""
        return str(self._active.facts.get("job_type") or "")

    @property
    def group(self) -> str:
        """The group it belongs to."""
        return str(self._active.facts.get("group") or "")

    @property
    def path(self) -> str:
        """`entity/project/id`."""
        return f"{self.entity}/{self.project}/{self.id}"

    @property
    def dir(self) -> str:
        """The folder of what the run keeps; whatever is written there is kept with it."""
        folder = self._active.files_folder
        folder.mkdir(parents=True, exist_ok=True)
        return str(folder)

    @property
    def sync_dir(self) -> str:
        """The folder of the run under way."""
        return str(self._workspace.runs_folder / self._active.id.hex())

    @property
    def settings(self) -> Settings:
        """What the run was begun with."""
        return self._settings

    @property
    def config_static(self) -> Config:
        """The same as `config`."""
        return self.config

    @property
    def offline(self) -> bool:
        """Whether `mode='offline'` was asked for; it makes no difference."""
        return bool(self._settings.mode == "offline")

    @property
    def url(self) -> str | None:
        """None: nothing is on a server."""
        return None

    project_url = sweep_url = sweep_id = url

    @property
    def step(self) -> int:
        """The step that the next `log` records at."""
        return self._step

    @property
    def starting_step(self) -> int:
        """The step that this run, or its resumption, began at."""
        return self._active.first_step

    @property
    def start_time(self) -> float:
        """Seconds since 1970 UTC."""
        return self._active.beginning.started_s

    @property
    def disabled(self) -> bool:
        """False: see `mode='disabled'`."""
        return False

    @property
    def resumed(self) -> bool:
        """Whether it goes on from an earlier end."""
        return bool(self._active.beginning.saw)
