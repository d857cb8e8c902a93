"""Runs and commits: which runs a commit belongs to, what a commit message may say of runs and versions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlvc import git_program
from mlvc.errors import NotFoundError
from mlvc.format.ids import RunId, short
from mlvc.git import commits
from mlvc.runs import live_run
from mlvc.runs.live_run import LiveRun
from mlvc.workspace import following, resolving, run_questions
from mlvc.workspace.workspace import Workspace

COMMITTED_AS = "committed_as"
"""The fact that names the commit made while a run was under way: its code, saved."""

RUN_TRAILER, VERSION_TRAILER = "Mlvc-Run", "Mlvc-Version"


def open_runs(workspace: Workspace) -> Iterator[tuple[LiveRun, dict[str, Any]]]:
    """Yields the runs under way that began on the branch that is checked out here, with their facts."""
    if workspace.checkout is None:
        return
    branch: str | None = None
    for one in live_run.list_live(workspace.runs_folder):
        beginning = one.beginning()
        if beginning is None or not one.has_writers():
            continue
        facts = {**beginning.facts, **one.recorded(beginning.started_s).facts}
        if branch is None:
            branch = git_program.line(["symbolic-ref", "--quiet", "--short", "HEAD"], cwd=workspace.root) or ""
        if ((facts.get("git") or {}).get("branch") or "") == branch:
            yield one, {**facts, "label": beginning.label}


def tie_to_head(workspace: Workspace) -> list[str]:
    """Ties the runs under way that began at the parent of the commit just made to that commit; returns their labels.

    A run that was tied to the parent goes along: its newest commit counts.
    """
    found = list(open_runs(workspace))
    if not found:
        return []
    head = commits.resolve(workspace.root, "HEAD")
    before: set[str | None] = {*commits.parents(workspace.root, head)} or {None}  # None: the run began before the first commit
    tied = []
    for one, facts in found:
        at = facts.get(COMMITTED_AS) or (facts.get("git") or {}).get("commit")
        if at in before and live_run.tell(one, {COMMITTED_AS: head}):
            tied.append(str(facts["label"]))
    return tied


def belongs(facts: dict[str, Any], wanted: set[str]) -> bool:
    """Tells whether a run began at one of some commits, or was tied to one."""
    return (facts.get("git") or {}).get("commit") in wanted or facts.get(COMMITTED_AS) in wanted


def trailers(workspace: Workspace, parent: str = "HEAD") -> list[str]:
    """Returns what the message of the next commit may end with: the versions newly pinned, who made them, and the runs under way."""
    try:
        before = following.pins_at(workspace, commits.resolve(workspace.root, parent))
    except NotFoundError:
        before = {}
    found = []
    with workspace.repository.reading() as view:
        runs: dict[RunId, None] = {}
        for path, pin in following.pins_at(workspace, "").items():
            if before.get(path) == pin:
                continue
            found.append(f"{VERSION_TRAILER}: {resolving.display_version(workspace, view, pin.version)} @{pin.version.hex()}")
            for said in view.publications(pin.version):
                if said.run is not None:
                    runs[said.run] = None
        runs.update(dict.fromkeys(one.id for one, _ in open_runs(workspace)))
        for identifier in runs:
            known = run_questions.describe(workspace, view, identifier)
            found.append(f"{RUN_TRAILER}: {known.project}/{known.label} @{short(identifier, 12)}")
    return found


def add_trailers(workspace: Workspace, message: Path, *, amended: str | None = None) -> int:
    """Adds what `trailers` returns to the file of a commit message, each once; returns how many there are.

    Args:
        workspace: where.
        message: the file.
        amended: the commit whose message is used again: if it is HEAD, it is replaced, and the versions that it names are no more.
    """
    head = git_program.line(["rev-parse", "--verify", "--quiet", "HEAD"], cwd=workspace.root)
    if amended is not None and head is not None and amended in ("HEAD", head):
        lines = message.read_bytes().splitlines(keepends=True)
        message.write_bytes(b"".join(line for line in lines if not line.startswith(f"{VERSION_TRAILER}: ".encode())))
        found = trailers(workspace, "HEAD~1")
    else:
        found = trailers(workspace)
    if found:
        options = [part for trailer in found for part in ("--trailer", trailer)]
        git_program.git(["interpret-trailers", "--in-place", "--if-exists", "addIfDifferent", *options, str(message.absolute())], cwd=workspace.root)
    return len(found)
