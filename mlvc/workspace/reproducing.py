"""Running a run again: its commit and patch in a clean worktree, its inputs, its command; and what came out, compared with the first time.

The new run and its outputs belong to the project `…-reproduced`: no name, alias or link of yours moves.
"""

from __future__ import annotations

import math
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
        exit_code: of the program.
        outputs, metrics: compared.
        packages: package -> (version then, version now), where they differ.
        folder: the worktree, where it was kept.
    """

    run: RecordedRun
    exit_code: int
    outputs: tuple[OutputCompared, ...]
    metrics: tuple[MetricCompared, ...]
    packages: dict[str, tuple[str | None, str | None]]
    folder: Path | None

    @property
    def is_same(self) -> bool:
        """Whether all outputs are the same, and all metrics."""
        return self.exit_code == 0 and all(one.is_same for one in self.outputs) and not any(one.differing for one in self.metrics)


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
    for path, why in (first.facts.get("git") or {}).get("left_out", ()):
        tell(f"the recorded patch lacks {path or why}{f' ({why})' if path else ''}")
    with _worktree(checkout, commit, folder) as place:
        try:
            if diff:
                patch.apply(_checkout_at(place), diff)
            environment = {**_inherited(workspace.environment), "MLVC_DIR": str(workspace.repository.path), used_before.REPRODUCES_VARIABLE: identifier.hex()}
            there = opening.find(place, {**environment, "MLVC_PROJECT": first.project}, may_fork=False)
            try:
                there.progress = workspace.progress
                if lock_file.read(place):
                    checking_out.checkout(there, [])
                again, code = _run(there, first, words, uses, environment, show)
            finally:
                there.close()
        finally:
            if folder is None and not keep:
                _remove(checkout, place)
    with workspace.repository.reading() as view:
        return Reproduction(
            again,
            code,
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


@contextmanager
def _worktree(checkout: Checkout, commit: str, folder: Path | None) -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="mlvc-reproduce-")) / checkout.root.name if folder is None else folder.absolute()
    arguments = ["worktree", "add", "--quiet", "--detach", str(place), commit]
    git_program.git(arguments, cwd=checkout.root, elsewhere=True, variables={"MLVC_SKIP": "1"}, timeout_s=None)
    yield place


def _remove(checkout: Checkout, place: Path) -> None:
    import shutil

    git_program.git(["worktree", "remove", "--force", str(place)], cwd=checkout.root, elsewhere=True, check=False, timeout_s=None)
    shutil.rmtree(place.parent, ignore_errors=True)


def _checkout_at(place: Path) -> Checkout:
    found = discover(place)
    assert found is not None, "Git has just made it"
    return found


def _run(
    there: Workspace, first: RecordedRun, words: list[str], uses: Mapping[str, VersionId], environment: Mapping[str, str], show: Callable[[bytes], None]
) -> tuple[RecordedRun, int]:
    project = first.project if first.project.endswith(_PROJECT_SUFFIX) else names.check_project(first.project + _PROJECT_SUFFIX)
    plan = first.facts.get(running.PLAN) or {}
    with there.repository.reading() as view:
        inputs = [(_for_good(view, text, uses), path) for text, path in plan.get("inputs", ())]
    code, again = running.run_command(
        there,
        words,
        inputs=inputs,
        outputs=[(name, path) for name, path in plan.get("outputs", ())],
        name=f"{first.name or first.label}-again",
        job_type=first.job_type or None,
        config={key: first.config[key] for key in plan.get("config", ()) if key in first.config},
        environment=environment,
        show=show,
        facts={REPRODUCES: first.id.hex()},
        project=project,
        cwd=there.root / str(first.facts.get("directory") or "."),
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
