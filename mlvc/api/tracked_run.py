"""`Run`: what `init` returns."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import IO, TYPE_CHECKING, Any

from mlvc.api import notices
from mlvc.api.run_artifacts import RunArtifacts
from mlvc.api.run_facts import Metric
from mlvc.errors import Error, UsageError
from mlvc.format import names
from mlvc.runs import events, metrics
from mlvc.runs.metrics import MetricRule

if TYPE_CHECKING:
    from mlvc.api.artifacts import Artifact

_PLAIN = frozenset((float, int, str, bool, type(None)))


class Run(RunArtifacts):
    """A run under way. Its methods may be called from any thread, `log` also from forked workers."""

    def __repr__(self) -> str:
        return f"<Run {self.path}>"

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish(exit_code=0 if kind is None else 1)

    # -- logging ------------------------------------------------------------------------------------------------------

    def log(self, data: dict[str, Any], step: int | None = None, commit: bool | None = None) -> None:
        """Records values at a step; on return they outlive this process.

        Args:
            data: name -> number, text, or anything with a plain form.
            step: default: the current one, which then ends. A step below the current one is dropped with a warning.
            commit: whether the step ends with this call; default: when no step is given.

        Raises:
            TypeError: `data` is no dictionary, or a key no string.
            UsageError: the run is finished.
        """
        if self._finished:
            raise UsageError(f"Run ({self.id}) is finished. The call to `log` will be ignored. Please make sure that you are using an active run.")
        if data.__class__ is not dict:
            data = _checked(data)
        for key, value in data.items():
            if key.__class__ is not str:
                raise TypeError("Key values passed to `wandb.log` must be strings.")
            if value.__class__ not in _PLAIN:
                from mlvc.api import logged_values

                data = {k: v if v.__class__ in _PLAIN else logged_values.plain(self, k, v) for k, v in data.items()}
                break
        with self._lock:
            if step is not None:
                if step < self._step:
                    notices.say(f"warning: step {step} is below the current step {self._step}; steps must grow, so this is dropped")
                    return
                self._step = step
            if self._summaries.rules:
                data = self._with_step_metrics(data)
                self._summaries.take(self._known_summary, data)
            else:
                self._known_summary.update(data)
            self._record(self._step, data)
            if commit or (commit is None and step is None):
                self._last_step = self._step
                self._step += 1

    def _with_step_metrics(self, data: dict[str, Any]) -> dict[str, Any]:
        """Returns logged values with the last value of each x axis that they want beside them."""
        found = dict(data)
        for name in data:
            rule = self._summaries.rule(name)
            if rule is not None and rule.step_sync and rule.step_metric not in found:
                last = self._known_summary.get(rule.step_metric)
                if isinstance(last, (int, float)):
                    found[rule.step_metric] = last
        return found

    def define_metric(
        self,
        name: str,
        step_metric: str | Metric | None = None,
        step_sync: bool | None = None,
        hidden: bool | None = None,
        summary: str | None = None,
        overwrite: bool | None = None,
        goal: str | None = None,
        **_: Any,
    ) -> Metric:
        """Says how a metric is shown and summed up, from the next `log` on.

        Args:
            name: of the metric; a `*` at the end stands for any rest.
            step_metric: the metric that is its x axis.
            step_sync: whether the last value of that one is logged with it; default: yes.
            hidden: whether charts leave it out.
            summary: min, max, mean, last, first, best, copy or none; several with commas. The summary is then {"min": ...}.
            overwrite: whether what was said before is forgotten.
            goal: what `best` means: minimize or maximize.

        Raises:
            UsageError: an argument is none of those.
        """
        if not name or ("*" in name and (not name.endswith("*") or name.count("*") > 1)):
            raise UsageError(f"Unhandled define_metric() arg: name (glob suffixes only): {name!r}")
        wanted = tuple(part.strip() for part in (summary or "").split(",") if part.strip())
        unknown = [part for part in wanted if part not in metrics.SUMMARIES]
        if unknown:
            raise UsageError(f"Unhandled define_metric() arg: summary op: {unknown[0]}")
        if goal not in (None, metrics.MINIMIZE, metrics.MAXIMIZE, "min", "max"):
            raise UsageError(f"Unhandled define_metric() arg: goal: {goal}")
        axis = step_metric.name if isinstance(step_metric, Metric) else step_metric or ""
        synced = bool(axis) if step_sync is None else step_sync
        before = next((rule for rule in self._summaries.rules if rule.name == name), None)
        kept = MetricRule(name) if before is None or overwrite else before
        rule = MetricRule(
            name,
            axis or kept.step_metric,
            synced if axis else kept.step_sync,
            kept.hidden if hidden is None else hidden,
            wanted or kept.summary,
            kept.goal if goal is None else metrics.MAXIMIZE if goal.startswith("max") else metrics.MINIMIZE,
            self._mean_so_far(name) if metrics.MEAN in wanted and self.resumed else kept.seed,
        )
        with self._lock:
            self._summaries.define(rule)
            if axis and self._summaries.rule(axis) is None:
                self._summaries.define(MetricRule(axis))
            self._active.define_metric(rule)
            self._active.set_facts({"metrics": [metrics.rule_to_json(one) for one in self._summaries.rules]})
        return Metric(rule)

    def _mean_so_far(self, name: str) -> tuple[float, int]:
        from mlvc.workspace import run_questions

        view = self._workspace.repository.view()
        rows = run_questions.history(self._workspace, view, self._active.id)
        logged = [row[name] for row in rows if isinstance(row.get(name), (int, float))]
        return float(sum(logged)), len(logged)

    def finish(self, exit_code: int | None = None, quiet: bool | None = None) -> None:
        """Ends the run; the second call does nothing."""
        self._finish(exit_code or 0, None)

    def _finish(self, exit_code: int, state: str | None) -> None:
        with self._lock:
            if self._finished:
                return
            self._finished = True
        from mlvc.api import beginning

        beginning.forget(self)
        for close in self._closing:
            close()
        sealed = self._active.finish(exit_code, state)
        if exit_code == 0 and state in (None, events.FINISHED):
            self._ends_well()
        if sealed:
            numbers = {k: v for k, v in self._known_summary.items() if isinstance(v, (int, float)) and not k.startswith("_")}
            shown = "  ".join(f"{k} {v:.5g}" for k, v in list(numbers.items())[:6])
            ended = state or (events.FINISHED if exit_code == 0 else events.FAILED)
            notices.say(f"run {self.name} {ended}{': ' + shown if shown else ''}; 'mlvc show run/{self.id}' shows it")
            self._push_if_wanted()

    def _push_if_wanted(self) -> None:
        """A run that ended well must not fail over a push: what went wrong is said, and the next push sends all the same."""
        from mlvc.workspace import autopush

        if not autopush.is_wanted(self._workspace):
            return
        try:
            done = autopush.begin(self._workspace)
        except Error as error:
            notices.say(f"nothing was pushed: {error.message}")
            return
        if done is None:
            notices.say(f"pushing in the background; {autopush.log_path(self._workspace)} says how it went")
        else:
            notices.say(autopush.last_words(self._workspace) if done else f"the push failed: {autopush.last_words(self._workspace)}")

    # -- files, alerts, watching ----------------------------------------------------------------------------------------

    def save(
        self,
        glob_str: str | os.PathLike[str],
        base_path: str | os.PathLike[str] | None = None,
        policy: str = "live",
        glob: bool = True,
    ) -> list[str]:
        """Keeps files with the run: now (`now`), or as they are when it ends (`live`, `end`); returns where they lie until then.

        Raises:
            ValueError: the policy is none, or a file does not lie below `base_path`.
        """
        from mlvc.api import run_files

        return run_files.save(Path(self.dir), glob_str, base_path, policy, is_glob=glob)

    def restore(self, name: str, run_path: str | None = None, replace: bool = False, root: str | None = None) -> IO[str] | None:
        """Fetches a file that this run, or the one of `run_path`, keeps, and opens it; ValueError when there is none."""
        from mlvc.api import run_files

        if run_path is not None:
            return run_files.restore_by_path(name, run_path, replace, root)
        folder = Path(root) if root is not None else Path(self.dir)
        return run_files.restore(self._workspace, self._active.id, name, folder, replace=replace)

    def alert(self, title: str, text: str, level: Any = None, wait_duration: Any = None) -> None:
        """Prints and records a message; the same title again within `wait_duration` (seconds or timedelta; default 60) is left out."""
        wait_s = 60.0 if wait_duration is None else float(getattr(wait_duration, "total_seconds", lambda: wait_duration)())
        known = str(getattr(level, "value", level) or "INFO").upper()
        if known not in ("INFO", "WARN", "ERROR"):
            raise ValueError("level must be one of 'INFO', 'WARN', or 'ERROR'")
        now = time.time()
        if now - self._alerted.get(title, -wait_s) < wait_s:
            return
        self._alerted[title] = now
        said = [*(self._active.facts.get("alerts") or ()), {"title": title, "text": text, "level": known, "at_ms": int(now * 1000)}]
        self._active.set_facts({"alerts": said})
        notices.say(f"{known.lower()}: {title}: {text}")

    def watch(
        self,
        models: Any,
        criterion: Any = None,
        log: str | None = "gradients",
        log_freq: int = 1000,
        idx: int | None = None,
        log_graph: bool = False,
    ) -> None:
        """Logs histograms of a torch module's gradients, parameters, or both (`all`), each `log_freq` passes.

        Raises:
            TypeError: it is no module.
            ValueError: `log` is none of those.
        """
        from mlvc.api import watching

        self._watched += watching.watch(self, models, log, log_freq, idx, len(self._watched))

    def unwatch(self, models: Any = None) -> None:
        """Ends watching of some modules, or all."""
        from mlvc.api import watching

        self._watched = watching.unwatch(self._watched, models)

    def log_code(
        self,
        root: str | None = ".",
        name: str | None = None,
        include_fn: Callable[..., bool] | None = None,
        exclude_fn: Callable[..., bool] | None = None,
    ) -> Artifact | None:
        """Logs source files below a folder as an artifact of type `code`; None when there are none.

        Args:
            root: the folder.
            name: of the artifact; default: source-PROJECT-SCRIPT.
            include_fn: takes a path (and the root); default: Python files.
            exclude_fn: takes a path (and the root).
        """
        from mlvc.api.artifacts import Artifact

        folder = Path(root or ".").absolute()
        script = names.artifact_name_from(os.path.basename(sys.argv[0] or "notebook"))
        chosen = names.artifact_name_from(name or f"source-{self.project}-{script}")
        artifact = Artifact._of_run(chosen, "code")
        for path, file in _source_files(folder):
            wanted = path.endswith(".py") if include_fn is None else _asked(include_fn, file, folder)
            if wanted and not (exclude_fn and _asked(exclude_fn, file, folder)):
                artifact.add_file(file, path, policy="immutable")
        return self.log_artifact(artifact) if artifact.manifest.entries else None

    def mark_preempting(self) -> None:
        """Records that the machine is about to take the program away."""
        self._active.set_facts({"preempting": True})

    def write_logs(self, text: str) -> None:
        """Adds a line to the console that is kept."""
        with self._active.console_path.open("a", encoding="utf-8") as file:
            file.write(text if text.endswith("\n") else f"{text}\n")

    def pin_config_keys(self, keys: Sequence[str] = ()) -> None:
        """Records which config keys to show first."""
        self._active.set_facts({"pinned_config_keys": list(keys)})

    def status(self) -> Any:
        """Returns an object whose `sync_items_pending` is 0: commits are synchronous."""
        return SimpleNamespace(sync_items_total=0, sync_items_pending=0, sync_time=None)

    def display(self, height: int = 420, hidden: bool = False) -> bool:
        """Returns False: there is no page to show; `mlvc ui` shows runs."""
        return False

    def to_html(self, height: int = 420, hidden: bool = False) -> str:
        """Returns a line that names the run."""
        import html

        return f"<p>run {html.escape(self.name)} ({html.escape(self.path)})</p>"


def _checked(data: Any) -> dict[str, Any]:
    if not isinstance(data, Mapping):
        raise TypeError(f"wandb.log must be passed a dictionary, found a {type(data).__name__}")
    return dict(data)


def _source_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yields what may be source code below a folder: nothing hidden, and none of the places where programs put things."""
    for parent, folders, found in os.walk(folder):
        folders[:] = sorted(one for one in folders if not one.startswith(".") and one not in ("__pycache__", "node_modules", "wandb"))
        for name in sorted(found):
            yield (Path(parent) / name).relative_to(folder).as_posix(), Path(parent) / name


def _asked(choose: Callable[..., bool], file: Path, root: Path) -> bool:
    """Asks a function that takes a path, or a path and the root, as W&B's do."""
    import inspect

    takes_root = len(inspect.signature(choose).parameters) > 1
    return bool(choose(str(file), str(root)) if takes_root else choose(str(file)))
