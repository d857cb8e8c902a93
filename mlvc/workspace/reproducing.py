"""Running a run again: its commit and patch in a clean worktree, its inputs, its command; and what came out, compared with the first time.

The new run and its outputs belong to the project `…-reproduced`: no name, alias or link of yours moves.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct

from mlvc import git_program
from mlvc.errors import NotFoundError, UsageError
from mlvc.fold.questions import View
from mlvc.format import names
from mlvc.format.ids import RunId, VersionId
from mlvc.git import patch
from mlvc.git.checkout import Checkout, discover
from mlvc.git_program import GitError
from mlvc.runs import surroundings
from mlvc.working_tree import lock_file
from mlvc.workspace import checking_out, comparing, contents, opening, resolving, run_questions, running, used_before
from mlvc.workspace.comparing import EntryChange
from mlvc.workspace.run_questions import RecordedRun
from mlvc.workspace.workspace import Workspace

REPRODUCES = "reproduces"
"""The fact that names the run that another one reproduces."""

_PROJECT_SUFFIX = "-reproduced"
_NOTEBOOK = "ipykernel"


class OutputCompared(Struct, frozen=True):
    """One output: its name, both versions' labels (None where a side made none), and the files that differ."""

    name: str
    before: str | None
    after: str | None
    changes: tuple[EntryChange, ...]

    @property
    def is_same(self) -> bool:
        """Whether both made the same files, bit for bit."""
        return self.before is not None and self.after is not None and not self.changes


class MetricCompared(Struct, frozen=True):
    """One metric, step by step: how many values there were, how many differ, and by how much at most (None: not numbers, or not on both sides)."""

    name: str
    values: int
    differing: int
    largest: float | None


class Reproduction(Struct, frozen=True):
    """What came of it.

    Attributes:
        run: the new run.
        exit_code, first_exit_code: of the program, this time and the first time.
        outputs, metrics: compared.
        packages: package -> (version then, version now), where they differ.
        folder: the worktree, where it was kept.
    """

    run: RecordedRun
    exit_code: int
    first_exit_code: int
    outputs: tuple[OutputCompared, ...]
    metrics: tuple[MetricCompared, ...]
    packages: dict[str, tuple[str | None, str | None]]
    folder: Path | None

    @property
    def ended_alike(self) -> bool:
        """Whether it ended well, or as badly as the first time."""
        return self.exit_code in (0, self.first_exit_code)

    @property
    def is_same(self) -> bool:
        """Whether it ended well, or as badly as the first time, and all outputs are the same, and all metrics."""
        return self.ended_alike and all(one.is_same for one in self.outputs) and not any(one.differing for one in self.metrics)


def reproduce(
    workspace: Workspace,
    reference: str,
    *,
    command: Sequence[str] = (),
    folder: Path | None = None,
    keep: bool = False,
    show: Callable[[bytes], None],
    tell: Callable[[str], None],
) -> Reproduction:
    """Runs a run again.

    Args:
        workspace: a Git checkout.
        reference: of the run.
        command: instead of the recorded one.
        folder: where the worktree goes, which stays then; None: a temporary one.
        keep: whether the worktree stays.
        show: shows what the program prints.
        tell: hears what is not as it was.

    Raises:
        NotFoundError: the run, its commit or an input is not here.
        UsageError: too little was recorded to run it again.
        GitError: the patch does not fit.
    """
    checkout = workspace.checkout
    if checkout is None:
        raise UsageError("only runs that were made in a Git repository can be reproduced", hint="go to the repository of its code")
    with workspace.repository.reading() as view:
        identifier = resolving.run(workspace, view, reference)
        first = run_questions.describe(workspace, view, identifier)
        diff = run_questions.patch(workspace, view, identifier)
        uses = {use.name: use.version for use in view.inputs(identifier)}
    words = list(command) or _command(first)
    commit = _commit(checkout, first)
    if not diff and (first.facts.get("git") or {}).get("is_dirty"):
        tell("the files had changes that were not committed, and those were not recorded")
    for path, why in (first.facts.get("git") or {}).get("left_out", ()):
        tell(f"the recorded patch lacks {path or why}{f' ({why})' if path else ''}")
    moved = _Moved(first, words, workspace.root)
    for outside in moved.outside:
        tell(f"{outside} is outside of the repository: what the program writes there, it writes over")
    environment = {
        **_inherited(workspace.environment),
        **_repeated(first, workspace.environment, tell),
        "MLVC_DIR": str(workspace.repository.path),
        used_before.REPRODUCES_VARIABLE: identifier.hex(),
    }
    with git_program.outside_of_checkouts(), _worktree(checkout, commit, folder, tell) as place:
        try:
            if diff:
                patch.apply(_checkout_at(place), diff)
            there = opening.find(place, {**environment, "MLVC_PROJECT": first.project}, may_fork=False)
            try:
                there.progress = workspace.progress
                if lock_file.read(place):
                    checking_out.checkout(there, [])
                again, code = _run(there, first, moved.to(place), uses, environment, show)
            finally:
                there.close()
        finally:
            if folder is None and not keep:
                _remove(checkout, place)
    with workspace.repository.reading() as view:
        return Reproduction(
            again,
            code,
            int(first.facts.get("exit_code") or 0),
            tuple(_outputs(workspace, view, identifier, again.id)),
            tuple(_metrics(run_questions.history(workspace, view, identifier), run_questions.history(workspace, view, again.id))),
            _packages(run_questions.packages(workspace, view, identifier), run_questions.packages(workspace, view, again.id)),
            place if folder is not None or keep else None,
        )


def _command(first: RecordedRun) -> list[str]:
    found = [str(word) for word in first.facts.get("command") or ()]
    hint = f"'mlvc reproduce {first.label} -- COMMAND' says it"
    if not found:
        raise UsageError(f"the command of run {first.label} was not recorded", hint=hint)
    if any(surroundings.MASK in word for word in found):
        raise UsageError(f"the command of run {first.label} held a secret, which was not recorded: {' '.join(found)}", hint=hint)
    if any(_NOTEBOOK in word for word in found):
        raise UsageError(f"run {first.label} was made in a notebook, whose cells cannot be run again in order", hint=hint)
    return found


def _commit(checkout: Checkout, first: RecordedRun) -> str:
    git_state = first.facts.get("git") or {}
    commit = git_state.get("commit")
    if not commit:
        raise UsageError(f"run {first.label} was made before the first commit, or outside of Git", hint="'mlvc show --patch' shows its code")
    if git_state.get("patch_problem"):
        raise UsageError(f"the changes that run {first.label} began with were not recorded: {git_state['patch_problem']}")
    if git_program.git(["cat-file", "-e", f"{commit}^{{commit}}"], cwd=checkout.root, check=False) is None:
        raise NotFoundError(
            f"the commit {commit[:12]} of run {first.label} is not in this clone",
            hint=f"'git fetch {git_state.get('remote') or 'origin'} {commit}' may bring it; 'git fetch --unshallow' where the clone is shallow",
        )
    return str(commit)


_OF_THE_FIRST = ("MLVC_JOINED_RUN", "MLVC_PROJECT", "WANDB_PROJECT", "MLVC_RUN_ID", "WANDB_RUN_ID", "MLVC_RESUME", "WANDB_RESUME", "MLVC_SKIP")


def _inherited(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name not in _OF_THE_FIRST and not name.startswith("GIT_")}


_REPEATED = ("PYTHONHASHSEED", "OMP_NUM_THREADS")
_TOLD = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "WORLD_SIZE")


def _repeated(first: RecordedRun, environment: Mapping[str, str], tell: Callable[[str], None]) -> dict[str, str]:
    """Returns the variables that decide what a program computes, as they were; says which others differ."""
    recorded = {str(name): str(value) for name, value in (first.facts.get("environment") or {}).items()}
    for name in _TOLD:
        if recorded.get(name) != environment.get(name):
            tell(f"{name} was {recorded.get(name, 'not set')}, and is {environment.get(name, 'not set')}")
    return {name: recorded[name] for name in _REPEATED if name in recorded}


class _Moved:
    """A command, its inputs and outputs, with the paths below the first run's working tree meant below another one."""

    def __init__(self, first: RecordedRun, words: Sequence[str], root: Path) -> None:
        self._root = str(first.facts.get("root") or root)
        self._words = words
        plan = first.facts.get(running.PLAN) or {}
        self._inputs = [(str(text), path) for text, path in plan.get("inputs", ())]
        self._outputs = [(str(name), str(path)) for name, path in plan.get("outputs", ())]
        named = [*(str(path) for _, path in self._inputs if path), *(path for _, path in self._outputs)]
        self.outside = [path for path in named if os.path.isabs(path) and not path.startswith(f"{self._root}/")]
        self._directory = str(first.facts.get("directory") or ".")
        if self._directory.startswith(".."):
            raise UsageError(
                f"run {first.label} was made in {self._directory}, outside of the repository", hint=f"'mlvc reproduce {first.label} --dir FOLDER' keeps its code"
            )

    def to(self, place: Path) -> _Plan:
        """Returns what to run in a worktree."""

        def moved(text: str) -> str:
            return text.replace(f"{self._root}/", f"{place}/")

        inputs = [(text, None if path is None else moved(str(path))) for text, path in self._inputs]
        return _Plan([moved(word) for word in self._words], inputs, [(name, moved(path)) for name, path in self._outputs], place / self._directory)


class _Plan(Struct, frozen=True):
    """What to run: words, inputs (reference, path), outputs (name, path), and where."""

    words: list[str]
    inputs: list[tuple[str, str | None]]
    outputs: list[tuple[str, str]]
    cwd: Path


_NO_HOOKS = ("-c", f"core.hooksPath={os.devnull}")


@contextmanager
def _worktree(checkout: Checkout, commit: str, folder: Path | None, tell: Callable[[str], None]) -> Iterator[Path]:
    """Makes a worktree, submodules included; it stays, unless it cannot be made. The user's hooks are about the user's own checkouts."""
    place = Path(tempfile.mkdtemp(prefix="mlvc-reproduce-")) / checkout.root.name if folder is None else folder.absolute()
    arguments = ["--git-dir", str(checkout.common_dir), *_NO_HOOKS, "worktree", "add", "--quiet", "--detach", str(place), commit]
    try:
        git_program.git(arguments, cwd=checkout.root, elsewhere=True, timeout_s=None)
    except BaseException:
        if folder is None:
            _remove(checkout, place)
        raise
    if (place / ".gitmodules").is_file():
        try:
            updating = [*_NO_HOOKS, "submodule", "--quiet", "update", "--init", "--recursive"]
            git_program.git(updating, cwd=place, elsewhere=True, timeout_s=None)
        except GitError as error:
            tell(f"the submodules are not all here: {error.message}")
    yield place


def _remove(checkout: Checkout, place: Path) -> None:
    import shutil

    removing = ["--git-dir", str(checkout.common_dir), "worktree", "remove", "--force", str(place)]
    git_program.git(removing, cwd=checkout.root, elsewhere=True, check=False, timeout_s=None)
    shutil.rmtree(place.parent, ignore_errors=True)


def _checkout_at(place: Path) -> Checkout:
    found = discover(place)
    assert found is not None, "Git has just made it"
    return found


def _run(
    there: Workspace, first: RecordedRun, plan: _Plan, uses: Mapping[str, VersionId], environment: Mapping[str, str], show: Callable[[bytes], None]
) -> tuple[RecordedRun, int]:
    project = first.project if first.project.endswith(_PROJECT_SUFFIX) else names.check_project(first.project + _PROJECT_SUFFIX)
    keys = (first.facts.get(running.PLAN) or {}).get("config", ())
    with there.repository.reading() as view:
        inputs = [(_for_good(view, text, uses), path) for text, path in plan.inputs]
    code, again = running.run_command(
        there,
        plan.words,
        inputs=inputs,
        outputs=plan.outputs,
        name=f"{first.name or first.label}-again",
        job_type=first.job_type or None,
        config={key: first.config[key] for key in keys if key in first.config},
        environment=environment,
        show=show,
        facts={REPRODUCES: first.id.hex()},
        project=project,
        cwd=plan.cwd,
    )
    return again, code


def _for_good(view: View, text: str, uses: Mapping[str, VersionId]) -> str:
    version = uses.get(text)
    source = view.source_collection(version) if version is not None else None
    return text if version is None or source is None else f"{source}@{version.hex()}"


# -- comparing ----------------------------------------------------------------------------------------------------------


def _outputs(workspace: Workspace, view: View, first: RunId, again: RunId) -> Iterator[OutputCompared]:
    """Yields the outputs of both, by name; several versions under one name in the order they were made."""
    before, after = _by_name(view, first), _by_name(view, again)
    for name in dict.fromkeys((*before, *after)):
        old, new = before.get(name, []), after.get(name, [])
        for place in range(max(len(old), len(new))):
            was, now = (side[place] if place < len(side) else None for side in (old, new))
            changes = comparing.versions(workspace, view, was, now) if was is not None and now is not None and not _are_equal(view, was, now) else []
            was_label, now_label = (None if v is None else resolving.display_version(workspace, view, v) for v in (was, now))
            yield OutputCompared(name, was_label, now_label, tuple(changes))


def _by_name(view: View, run: RunId) -> dict[str, list[VersionId]]:
    found: dict[str, list[VersionId]] = {}
    for version in view.outputs(run):
        found.setdefault(names.split_collection(view.source_collection(version) or "")[1], []).append(version)
    return found


def _are_equal(view: View, one: VersionId, other: VersionId) -> bool:
    return contents.publication(view, one).manifest == contents.publication(view, other).manifest


def _metrics(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> Iterator[MetricCompared]:
    old, new = ({row["_step"]: row for row in rows} for rows in (before, after))
    for name in dict.fromkeys(key for row in (*before, *after) for key in row if not key.startswith("_")):
        values = differing = 0
        largest: float | None = 0.0
        for step in sorted(old.keys() | new.keys()):
            one, other = (side.get(step, {}).get(name) for side in (old, new))
            if one is None and other is None:
                continue
            values += 1
            if _is_same_value(one, other):
                continue
            differing += 1
            apart = abs(one - other) if isinstance(one, (int, float)) and isinstance(other, (int, float)) else None
            largest = None if apart is None or largest is None else max(largest, apart)
        yield MetricCompared(name, values, differing, largest)


def _is_same_value(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one) and math.isnan(other):
        return True
    if isinstance(one, dict) and isinstance(other, dict) and "sha256" in one:
        return bool(one.get("sha256") == other.get("sha256"))  # media: the file's content counts, not where it lies
    return bool(one == other)


def _packages(before: str, after: str) -> dict[str, tuple[str | None, str | None]]:
    old, new = (dict(line.split("==", 1) for line in text.splitlines() if "==" in line) for text in (before, after))
    return {name: (old.get(name), new.get(name)) for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)}
