"""reproduce: running a run again."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from mlvc.cli import context, output, parameters
from mlvc.workspace import shapes

_SHOWN = 10


@click.command(
    "reproduce",
    epilog="Examples: mlvc reproduce brisk-harbor-7   mlvc reproduce --keep brisk-harbor-7   mlvc reproduce RUN -- python train.py --quick",
)
@click.argument("run", type=parameters.RUN)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.option("--dir", "folder", type=click.Path(path_type=Path), help="Make the worktree here, and keep it.")
@click.option("--keep", is_flag=True, help="Keep the worktree.")
def reproduce_command(run: str, command: tuple[str, ...], folder: Path | None, keep: bool) -> int:
    """Run a run again: its commit and uncommitted changes in a clean worktree, its inputs, its command; then compare.

    The new run and what it makes go to the project NAME-reproduced; no name, alias or link of yours moves. Exits with 1 when outputs
    or metrics differ.
    """
    from mlvc.workspace import reproducing

    workspace = context.workspace()
    words = command[1:] if command[:1] == ("--",) else command
    done = reproducing.reproduce(workspace, run, command=words, folder=folder, keep=keep, show=_show, tell=output.note)
    unlike = "" if done.ended_alike else f", the first time {done.first_exit_code}"
    lines = [f"run {done.run.project}/{done.run.label} {done.run.state} with exit code {done.exit_code}{unlike}"]
    for one in done.outputs:
        if one.before is None or one.after is None:
            lines.append(f"  output {one.name}: {'made the first time only' if one.after is None else 'made this time only'}")
        elif one.is_same:
            lines.append(f"  output {one.name}: the same, bit for bit, as {one.before}")
        else:
            lines.append(f"  output {one.name}: {output.count(len(one.changes), 'file')} differ{'s' if len(one.changes) == 1 else ''} from {one.before}: 'mlvc diff {one.before} {one.after}'")
            lines += [f"    {change.kind}: {change.path}" for change in one.changes[:_SHOWN]]
    for metric in done.metrics:
        if metric.differing:
            apart = "" if metric.largest is None else f", by {metric.largest:.3g} at most"
            lines.append(f"  metric {metric.name}: {metric.differing:,} of {output.count(metric.values, 'value')} differ{'s' if metric.differing == 1 else ''}{apart}")
        else:
            lines.append(f"  metric {metric.name}: the same, {output.count(metric.values, 'value')}")
    if not done.is_same:
        lines += [f"  package {name}: {old or 'not there'} then, {new or 'not there'} now" for name, (old, new) in list(done.packages.items())[:_SHOWN]]
    if done.folder is not None:
        lines.append(f"  worktree: {done.folder}")
    data = {
        "run": shapes.run(done.run),
        "exit_code": done.exit_code,
        "first_exit_code": done.first_exit_code,
        "is_same": done.is_same,
        "outputs": [
            {"name": o.name, "before": o.before, "after": o.after, "is_same": o.is_same, "files": [{"path": c.path, "kind": c.kind} for c in o.changes]}
            for o in done.outputs
        ],
        "metrics": [{"name": m.name, "values": m.values, "differing": m.differing, "max_difference": m.largest} for m in done.metrics],
        "packages": [{"name": name, "before": old, "after": new} for name, (old, new) in done.packages.items()],
        "folder": None if done.folder is None else str(done.folder),
    }
    output.result(data, lines)
    return 0 if done.is_same else 1


def _show(data: bytes) -> None:
    sys.stderr.buffer.write(data)
    sys.stderr.buffer.flush()
