"""Recording runs: begun under a claimed label, logged durably while they go, sealed into the journal when they end or die."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgpack
from msgspec.structs import asdict

from mlvc import atomic_file
from mlvc.errors import ConflictError, DamageError, UsageError
from mlvc.fold.questions import Member, View
from mlvc.format import entry_path, names, values
from mlvc.format.ids import FactId, FileDigest, RunId, VersionId, fact_id, short
from mlvc.format.operations import Edge, Operation, RunHead
from mlvc.git import patch
from mlvc.git.checkout import CodeState
from mlvc.git_program import GitError
from mlvc.repository.commit import Commit
from mlvc.runs import events, labels, live_run, made_up_names, metrics, surroundings
from mlvc.runs.events import Recorded
from mlvc.runs.live_run import Beginning, LiveRun, RunWriter
from mlvc.runs.metrics import MetricRule
from mlvc.working_tree import lock_file
from mlvc.workspace import publishing, registry, run_questions
from mlvc.workspace.draft import Draft
from mlvc.workspace.publishing import Published
from mlvc.workspace.workspace import Workspace

ALLOW, MUST, NEVER = "allow", "must", "never"

_MOST_OF_A_MAP = 20 << 10
"""Bytes of a config and summary that go into one transaction, which holds 64 KiB, with facts and inputs beside them."""

_MOST_EDGES = 200
"""Inputs that go into one transaction."""

_active: weakref.WeakSet[ActiveRun] = weakref.WeakSet()


def _let_go_in_child() -> None:
    for active in list(_active):
        active.forget_in_child()


os.register_at_fork(after_in_child=_let_go_in_child)


def begin(
    workspace: Workspace,
    *,
    project: str,
    label: str | None = None,
    name: str | None = None,
    resume: str | None = None,
    facts: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] | None = None,
    tags: Sequence[str] = (),
    files: str = "",
    fork: tuple[RunId, int] | None = None,
) -> ActiveRun:
    """Begins a run, takes up an ended one again, or joins one under way.

    Args:
        workspace: where it is recorded.
        project: where it belongs.
        label: what users know as its id; None for a new one.
        name: for people; None for a made-up one.
        resume: `must` exist, `never` exist, or either.
        facts: job_type, group, notes and the like, JSON values.
        config: as given at the start.
        tags: of the run.
        files: folder for what the run keeps; "" for one in the store.
        fork: (run, step): begins with that run's config, and its history up to and with the step.

    Raises:
        UsageError: `resume` is not met.
        ConflictError: the label names two runs.
    """
    names.check_project(project)
    seal_crashed(workspace)
    view = workspace.repository.view()
    known = view.runs_by_label(project, label) if label else []
    if len(known) > 1:
        ids = ", ".join(f"@{short(i, 12)}" for i in known)
        raise ConflictError(f"the run id '{label}' names {len(known)} runs: {ids}", hint="choose another id for a new run")
    claimed = labels.find(workspace.repository.backend, project, label) if label else None
    identifier = known[0] if known else claimed
    under_way = identifier is not None and (workspace.runs_folder / identifier.hex()).is_dir()
    exists = bool(known) or under_way
    if resume == MUST and not exists:
        raise UsageError(f"there is no run '{label}' to resume in the project {project}", hint="resume='allow' begins it")
    if resume == NEVER and exists:
        raise UsageError(f"the run '{label}' exists already in the project {project}", hint="resume='allow' goes on with it")
    label = names.check_run_label(label) if label else made_up_names.new_run_label()
    if identifier is None:
        identifier, _ = labels.claim(workspace.repository.backend, project, label)
    before = run_questions.describe(workspace, view, identifier) if known else None
    beginning = _beginning(workspace, view, project, label, name, before, dict(facts or {}), files)
    writer, began = live_run.begin(workspace.runs_folder, identifier, beginning)
    active = ActiveRun(workspace, writer, began)
    _active.add(active)
    if began.started_s == beginning.started_s:  # who joins a run, or goes on with one, finds what it began with
        _keep_patch(active)
    given = {} if before is None else {"config": before.config, "summary": before.summary}
    if fork is not None:
        _take_over_history(active, *fork)
    active.config = {**active.config, **given.get("config", {}), **(config or {})}
    active.summary.update(given.get("summary", {}))
    if config:
        active.set_config(dict(config))
    if tags:
        active.set_tags(sorted({*(before.tags if before else ()), *tags}))
    return active


def _beginning(
    workspace: Workspace,
    view: View,
    project: str,
    label: str,
    name: str | None,
    before: run_questions.RecordedRun | None,
    facts: dict[str, Any],
    files: str,
) -> Beginning:
    started = time.time()
    recorded = {
        **(before.facts if before else {}),
        **{k: v for k, v in facts.items() if v is not None},
        **surroundings.describe(facts.pop("arguments", None) or _arguments(), workspace.environment),
    }
    recorded.pop("arguments", None)
    recorded["name"] = name or (before.name if before else "") or made_up_names.new_run_name(_next_number(view, project))
    recorded["created_ms"] = before.created_ms if before else int(started * 1000)
    recorded["state"] = events.RUNNING
    for ended in ("exit_code", "finished_ms"):
        recorded.pop(ended, None)
    recorded["directory"] = facts.get("directory") or os.path.relpath(os.getcwd(), workspace.root)
    recorded["root"] = str(workspace.root)
    recorded.pop("git", None)
    if workspace.checkout is not None and not is_set(workspace.environment, "DISABLE_GIT"):
        recorded["git"] = asdict(workspace.checkout.code_state())
    first_step = 0
    saw: tuple[str, ...] = ()
    if before is not None:
        rows = run_questions.history(workspace, view, before.id)
        first_step = 1 + max((row["_step"] for row in rows), default=-1)
        sealed = view.run(before.id)
        saw = tuple(head.hex() for head in sealed.heads) if sealed else ()
    return Beginning(project, label, started, first_step, saw, recorded, surroundings.job_of(workspace.environment), files)


def _keep_patch(active: ActiveRun) -> None:
    """Keeps the uncommitted changes that a run begins with: the code that was loaded, whatever is edited while it runs.

    Whoever joins the run finds them there. What keeps Git from telling them is recorded, and keeps no run from beginning.
    """
    workspace, state = active.workspace, active.beginning.facts.get("git")
    if workspace.checkout is None or state is None or active.patch_path.exists() or is_set(workspace.environment, "DISABLE_CODE"):
        return
    try:
        found = patch.uncommitted(workspace.checkout, CodeState(**state), always=frozenset([lock_file.FILE_NAME]))
    except GitError as error:
        active.set_facts({"git": {**state, "patch_problem": error.message}})
        return
    if found.left_out:
        active.set_facts({"git": {**state, "left_out": [[os.fsencode(one.path).decode(errors="backslashreplace"), one.why] for one in found.left_out]}})
    if found.data:
        atomic_file.create(active.patch_path, found.data)


def is_set(environment: Mapping[str, str], name: str) -> bool:
    """Tells whether a variable `MLVC_…`, or else `WANDB_…`, says yes."""
    said = environment.get(f"MLVC_{name}", environment.get(f"WANDB_{name}", ""))
    return said.lower() not in ("", "0", "false", "no", "off")


def _take_over_history(active: ActiveRun, parent: RunId, last_step: int) -> None:
    """Writes what another run had logged up to a step, and its config, into a run that has just begun."""
    workspace = active.workspace
    view = workspace.repository.view()
    recorded = run_questions.describe(workspace, view, parent)
    active.set_facts({"forked_from": {"run": parent.hex(), "label": recorded.label, "step": last_step}})
    active.set_config(dict(recorded.config))
    active.config = dict(recorded.config)
    for row in run_questions.history(workspace, view, parent):
        if row["_step"] <= last_step:
            values = {name: value for name, value in row.items() if not name.startswith("_")}
            active.log_values(row["_step"], values)
            active.summary.update(values)
    active.first_step = last_step + 1


def _arguments() -> list[str]:
    import sys

    return list(getattr(sys, "orig_argv", sys.argv))


def _next_number(view: View, project: str) -> int:
    return 1 + view.count_runs(project)


class ActiveRun:
    """This process' part in a run under way.

    Attributes:
        id, label, project: the run's.
        first_step: the step that logging goes on from.
        config, summary: as this process knows them.
    """

    def __init__(self, workspace: Workspace, writer: RunWriter, beginning: Beginning) -> None:
        self.workspace = workspace
        self.beginning = beginning
        self.id = writer.live.id
        self.label = beginning.label
        self.project = beginning.project
        self.first_step = beginning.first_step
        self.config: dict[str, Any] = {}
        self.summary: dict[str, Any] = {}
        self._facts: dict[str, Any] = {}
        self.seals = True
        """Whether finishing seals the run; False for a process that joined a run which another one leads."""
        self._writer = writer
        self._lock = threading.RLock()
        self._packer = msgpack.Packer(use_bin_type=True, default=_plain, unicode_errors="replace")
        self._committed_inputs: set[tuple[bytes, str, str]] = set()
        self._pid = os.getpid()

    @property
    def name(self) -> str:
        """The run's name."""
        return str(self._facts.get("name") or self.beginning.facts.get("name") or "")

    @property
    def facts(self) -> dict[str, Any]:
        """What is recorded of the run beside config and summary."""
        return {**self.beginning.facts, **self._facts}

    # -- events: durable against a kill when the call returns ---------------------------------------------------------

    def _append(self, event: list[Any]) -> None:
        with self._lock:
            self._writer.log.append(self._packer.pack(event))

    def log_values(self, step: int, logged: dict[str, Any]) -> None:
        """Records values logged at a step."""
        with self._lock:
            self._writer.log.append(self._packer.pack((events.HISTORY, step, time.time(), logged)))

    def set_config(self, given: dict[str, Any], removed: Sequence[str] = ()) -> None:
        """Records changed config keys."""
        self._append([events.CONFIG, given, list(removed)])

    def set_summary(self, given: dict[str, Any], removed: Sequence[str] = ()) -> None:
        """Records changed summary keys."""
        self._append([events.SUMMARY, given, list(removed)])

    def set_facts(self, given: dict[str, Any]) -> None:
        """Records facts, such as a new name."""
        self._facts.update(given)
        self._append([events.FACTS, given])

    def set_tags(self, tags: Sequence[str]) -> None:
        """Records all tags of the run."""
        self._append([events.TAGS, list(tags)])

    def define_metric(self, rule: MetricRule) -> None:
        """Records how a metric is summed up."""
        self._append([events.METRIC, metrics.rule_to_json(rule)])

    def log_system(self, seen: dict[str, float]) -> None:
        """Records what the machine is doing."""
        self._append([events.SYSTEM, time.time(), seen])

    @property
    def console_path(self) -> Path:
        """Where what the program prints goes."""
        return self._writer.live.console_path

    @property
    def patch_path(self) -> Path:
        """Where the uncommitted changes are kept that the run began with."""
        return self._writer.live.patch_path

    @property
    def files_folder(self) -> Path:
        """Where the files lie that the run keeps; made when something is put there."""
        return self._writer.live.files_folder(self.beginning)

    def use(self, version: VersionId, name: str, use_as: str = "") -> None:
        """Records that the run used a version."""
        self._append([events.INPUT, version, name, use_as])

    # -- committing -----------------------------------------------------------------------------------------------

    def publish(self, draft: Draft, command: str) -> Published:
        """Publishes a draft as an output of this run; the run's state goes into the same transaction."""
        draft.run = self.id
        draft.inputs = [VersionId(v) for v, _, _ in self._writer.live.recorded(self.beginning.started_s).inputs]
        return publishing.publish(self.workspace, draft, command, before=self._head_so_far)

    def link(self, version: VersionId, target: str, aliases: Sequence[str], command: str) -> Member:
        """Links a version into a registry collection, by this run."""
        return registry.link(self.workspace, version, target, aliases, command, run=self.id, before=self._head_so_far)

    def _head_so_far(self, commit: Commit, view: View) -> list[Operation]:
        """Returns the run's first head, where the journal does not know the run, and the inputs it does not know."""
        recorded = self._writer.live.recorded(self.beginning.started_s)
        said: list[Operation] = []
        if view.run(self.id) is None:
            facts = {**self.beginning.facts, **recorded.facts, "state": events.RUNNING}
            said.append(RunHead(self.id, self.project, self.label, facts=commit.store_map(values.spelled_out(facts))))
        return [*said, *_edges(view, self.id, recorded)]

    def finish(self, exit_code: int = 0, state: str | None = None) -> bool:
        """Ends this process' part; the last one out seals the run.

        Args:
            exit_code: of the program.
            state: how it ended; None: finished or failed, by the exit code.

        Returns:
            Whether the run was sealed.
        """
        ended = state or (events.FINISHED if exit_code == 0 else events.FAILED)
        with self._lock:
            if self.seals:
                self._append([events.END, ended, exit_code, time.time()])
            self._writer.close()
            _active.discard(self)
        return self.seals and seal(self.workspace, self._writer.live)

    def forget_in_child(self) -> None:
        """In a forked child: what it logs goes to a log of its own, and it neither holds nor seals the run."""
        self._lock = threading.RLock()
        self._writer.forget_in_child()
        self.seals = False


def _plain(value: Any) -> Any:
    """Returns what stands for a value that MessagePack does not know, such as a numpy scalar, or an integer of more than 64 bits."""
    if isinstance(value, int):
        return float(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=repr)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "__fspath__"):
        return os.fspath(value)
    raise TypeError(f"a {type(value).__name__} cannot be logged: it has no plain form")


def _edges(view: View, run: RunId, recorded: Recorded) -> list[Operation]:
    known = {(bytes(u.version), u.name, u.use_as) for u in view.inputs(run)}
    return [Edge(run, VersionId(v), name, use_as) for v, name, use_as in recorded.inputs if (v, name, use_as) not in known]


def seal(workspace: Workspace, live: LiveRun) -> bool:
    """Writes a run whose writers are all gone into the journal, and removes its folder.

    Returns:
        False, with nothing changed, while another process writes to it.
    """
    with live.alone() as got_it:
        if not got_it:
            return False
        beginning = live.beginning()
        if beginning is None:
            live.remove()  # killed before it had begun
            return True
        recorded = live.recorded(beginning.started_s)
        state, exit_code = live_run.state_of_dead(recorded)
        first, last = _in_portions(recorded.config, recorded.summary)
        own = [_put_portion(workspace, live.id, beginning, *portion) for portion in first]
        edges = _edges(workspace.repository.view(), live.id, recorded)
        for start in range(0, max(0, len(edges) - _MOST_EDGES), _MOST_EDGES):
            with workspace.committing(f"run {beginning.label}: inputs") as commit:
                commit.say(*edges[start : start + _MOST_EDGES])
        with workspace.committing(f"run {beginning.label}: {state}") as commit:
            files = _files(workspace, commit, live, beginning, recorded)
            facts = {
                **beginning.facts,
                **recorded.facts,
                "state": state,
                "exit_code": exit_code,
                "runtime_s": max(0.0, recorded.last_s - beginning.started_s),
                "steps": len(recorded.rows),
            }
            stored, config, summary = (
                commit.store_map(values.spelled_out(said)) for said in (facts, *last)
            )
            removed = [f"config.{k}" for k in sorted(recorded.config_removed)] + [f"summary.{k}" for k in sorted(recorded.summary_removed)]

            def build(view: View) -> list[Operation]:
                sealed = view.run(live.id)
                saw = {*(FactId(bytes.fromhex(h)) for h in beginning.saw), *_heads_of_this_clone(view, live.id, beginning), *own}
                kept = {h for h in saw if sealed and h in sealed.heads}
                known = sealed.facts if sealed else {}
                head = RunHead(
                    live.id,
                    beginning.project,
                    beginning.label,
                    tuple(sorted(kept)),
                    {k: v for k, v in stored.items() if known.get(k) != v},
                    config,
                    summary,
                    tuple(removed),
                    None if recorded.tags is None else tuple(recorded.tags),
                    files,
                )
                return [*workspace.first_words(view), head, *_edges(view, live.id, recorded)]

            commit.say_with(build)
        live.remove()
        return True


Portion = tuple[dict[str, Any], dict[str, Any]]
"""Some of a config, and of a summary."""


def _in_portions(config: Mapping[str, Any], summary: Mapping[str, Any]) -> tuple[list[Portion], Portion]:
    """Returns what does not fit into one transaction beside the rest, in portions that do each, and the last portion: what most runs have at all."""
    portions: list[Portion] = [({}, {})]
    size = 0
    for part, given in enumerate((config, summary)):
        for name, value in given.items():
            cost = len(name) * 4 + min(len(values.to_json(values.spelled_out(value))), values.MAX_INLINE_VALUE) + 16
            if size + cost > _MOST_OF_A_MAP:
                portions.append(({}, {}))
                size = 0
            portions[-1][part][name] = value
            size += cost
    return portions[:-1], portions[-1]


def _put_portion(workspace: Workspace, run: RunId, beginning: Beginning, config: dict[str, Any], summary: dict[str, Any]) -> FactId:
    """Commits a head that holds some of a run's values, before the one that ends it. Cut off after it, the run is sealed anew."""
    with workspace.committing(f"run {beginning.label}: some of its values") as commit:
        stored_config, stored_summary = (commit.store_map(values.spelled_out(one)) for one in (config, summary))
        words = workspace.first_words(workspace.repository.view())
        commit.say(*words, RunHead(run, beginning.project, beginning.label, (), {}, stored_config, stored_summary))
    assert commit.written is not None, "something was said"
    return fact_id(commit.written.transaction, len(words))


def _heads_of_this_clone(view: View, run: RunId, beginning: Beginning) -> list[FactId]:
    """Returns the heads that this segment itself committed: only the first one of a run does, before its outputs."""
    found = view.run(run)
    return [] if found is None or beginning.saw else list(found.heads)


def _files(workspace: Workspace, commit: Commit, live: LiveRun, beginning: Beginning, recorded: Recorded) -> dict[str, Any]:
    found: dict[str, bytes] = {run_questions.HISTORY: events.encode_history(recorded.history())}
    found[run_questions.SYSTEM] = events.encode_history(recorded.system)
    if live.console_path.exists():
        found[run_questions.CONSOLE] = live.console_path.read_bytes()
    if live.patch_path.exists():
        found[run_questions.PATCH] = live.patch_path.read_bytes()
    found[run_questions.PACKAGES] = surroundings.installed_packages().encode()
    files = {}
    for name, data in found.items():
        if data:
            stored = commit.ingest.add_bytes(data)
            commit.need("file", stored.digest, stored.recipe)
            files[name] = (stored.digest, stored.size, stored.recipe)
    kept = dict(_kept_files(live.files_folder(beginning)))
    if kept:
        manifest, recipes, tree = publishing.store_tree(workspace, commit, Draft(f"{beginning.project}/{beginning.label}", "", kept))
        files[run_questions.FILES] = (FileDigest(manifest), tree.size_bytes, recipes)
    return files


def _kept_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yields path and file of what a run keeps. A link whose file is gone is left out: the run must end all the same."""
    for parent, _, found in os.walk(folder):
        for name in found:
            file = Path(parent) / name
            path = entry_path.normalise(file.relative_to(folder).as_posix())
            if file.is_file() and entry_path.is_allowed(path):
                yield path, file


def seal_crashed(workspace: Workspace) -> list[RunId]:
    """Seals the runs of this host whose processes are all gone. Cheap when there are none.

    One whose files are damaged, or that cannot be recorded, stays as it is, for `fsck` to name: it must not keep others from beginning.
    """
    sealed = []
    for live in live_run.list_live(workspace.runs_folder):
        try:
            beginning = live.beginning()
            if beginning is None or live.has_writers():
                continue
            recorded = live.recorded(beginning.started_s)
        except DamageError:
            continue
        hosts = {writer.host for writer in recorded.writers} or {str(beginning.facts.get("host"))}
        try:
            if hosts == {surroundings.host_name()} and seal(workspace, live):
                sealed.append(live.id)
        except (DamageError, UsageError):
            continue
    return sealed


