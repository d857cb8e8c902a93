"""run, runs, history: recording programs, and looking at what was recorded."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from mlvc.cli import context, output, parameters
from mlvc.workspace import resolving, shapes

if TYPE_CHECKING:
    from mlvc.workspace.run_questions import RecordedRun


def _pairs(_: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> list[tuple[str, str | None]]:
    found = []
    for item in given:
        name, equals, path = item.partition("=")
        if not name or (equals and not path):
            raise click.BadParameter(f"expected NAME or NAME=PATH, found '{item}'", param=parameter)
        found.append((name, path or None))
    return found


@click.command(
    "run",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog="Example: mlvc run --input digits:latest=data --output model=model.pt -- ./train.sh --lr 0.1",
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--input", "inputs", multiple=True, callback=_pairs, metavar="REF[=PATH]", help="A version it uses; written to PATH first.")
@click.option("--output", "outputs", multiple=True, callback=_pairs, metavar="NAME=PATH", help="A file or folder it makes, logged as NAME.")
@click.option("--name", help="Name of the run; default: one is made up.")
@click.option("--job-type", help="What kind of run it is, such as 'train'.")
@click.option("--as-wandb", is_flag=True, help="A Python program that imports wandb gets mlvc, whatever of that name is installed.")
@click.option("--config", multiple=True, callback=context.key_values, help="Config KEY=VALUE; repeatable.")
def run_command(
    command: tuple[str, ...],
    inputs: list[tuple[str, str | None]],
    outputs: list[tuple[str, str | None]],
    name: str | None,
    job_type: str | None,
    as_wandb: bool,
    config: dict[str, object],
) -> int:
    """Record any program as a run: inputs, outputs, exit code, console. Exits as the program did."""
    from mlvc.integration import standing_in
    from mlvc.workspace import running

    for output_name, path in outputs:
        if path is None:
            raise click.UsageError(f"--output {output_name}: expected NAME=PATH")
    workspace = context.workspace()
    code, found = running.run_command(
        workspace,
        list(command),
        inputs=inputs,
        outputs=[(name, path) for name, path in outputs if path is not None],
        name=name,
        job_type=job_type,
        config=dict(config),
        environment=standing_in.environment(workspace.environment) if as_wandb else workspace.environment,
        show=_show,
    )
    output.note(f"run {found.name or found.label} {found.state} with exit code {code}; 'mlvc show run/{found.label}' shows it")
    return code


def _show(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


@click.command("runs", epilog="Examples: mlvc runs   mlvc runs --commit main~3   mlvc runs --filter 'config.lr>0.01' --sort=-summary.acc")
@click.option("--filter", "filters", multiple=True, help="KEY=VALUE, or with != > < >= <= ; as state, job_type, config.lr, summary.acc.")
@click.option("--sort", "order", default="", metavar="KEY", help="By this, as summary.loss; with - before it the greatest first. Default: the newest first.")
@click.option("-n", "--max-count", default=50, show_default=True, help="How many to show.")
@click.option("--all", "everything", is_flag=True, help="Runs of all projects.")
@click.option("--commit", metavar="REV", help="Only runs of this commit, as main~3, or of a range, as main..feature.")
def runs_command(filters: tuple[str, ...], order: str, max_count: int, everything: bool, commit: str | None) -> None:
    """List runs, the newest first."""
    from mlvc.git import commits
    from mlvc.workspace import run_conditions, run_questions, run_search, tying
    from mlvc.workspace.run_columns import RunColumns

    workspace = context.workspace()
    of_commits = None if commit is None else commits.in_range(workspace.root, commit)
    asked = run_conditions.all_of(filters)
    project = None if everything else workspace.project
    found: list[dict[str, Any]] = []
    runs: Iterator[RecordedRun]
    with workspace.repository.reading() as view:
        if filters or order:
            with closing(RunColumns(workspace)) as kept, kept.caught_up(view) as columns:
                chosen = run_search.search(columns, asked, project=project, order=order, count=max_count if of_commits is None else sys.maxsize)
                problem = run_search.unknown(columns, [*(one.name for one in asked.conditions), order.removeprefix("-")])
            if problem:
                output.note(problem)
            runs = chosen.described(workspace, view)
        else:
            runs = run_questions.list_runs(workspace, view, project)
        for run in runs:
            if len(found) >= max_count:
                break
            if of_commits is None or tying.belongs(run.facts, of_commits):
                found.append(shapes.run(run))
    rows = [
        (
            r["name"] or r["label"],
            r["label"],
            r["state"],
            r["job_type"] or "",
            output.when(r["created_ms"]) if r["created_ms"] else "",
            ", ".join(f"{k}={_brief(v)}" for k, v in list(_shown(r["summary"]))[:6]),
        )
        for r in found
    ]
    output.result(found, output.table(rows, ("NAME", "ID", "STATE", "JOB TYPE", "CREATED", "SUMMARY")))


def _shown(summary: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yields what fits into a line: numbers and texts, and what `define_metric` made of a metric, as `loss.min`."""
    for name, value in summary.items():
        if name.startswith("_"):
            continue
        if isinstance(value, dict) and "_type" not in value:
            yield from ((f"{name}.{part}", one) for part, one in value.items() if isinstance(one, (int, float)))
        elif not isinstance(value, (dict, list)):
            yield name, value


def _brief(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)[:20]


@click.command("history", epilog="Example: mlvc history run/brisk-harbor-7 --key loss")
@click.argument("run", type=parameters.RUN)
@click.option("--key", "keys", multiple=True, help="Only this metric; repeatable.")
def history_command(run: str, keys: tuple[str, ...]) -> None:
    """Show the metrics that a run logged, step by step. Works while it runs."""
    from mlvc.workspace import run_questions

    workspace = context.workspace()
    with workspace.repository.reading() as view:
        rows = run_questions.history(workspace, view, resolving.run(workspace, view, run))
    columns = list(keys) or list(dict.fromkeys(k for row in rows for k in row if not k.startswith("_")))
    shown = [row for row in rows if any(k in row for k in columns)]
    lines = output.table(
        [[str(row["_step"]), *(_brief(row[k]) if k in row else "" for k in columns)] for row in shown], ["STEP", *columns]
    )
    output.result([{k: row[k] for k in ("_step", *columns) if k in row} for row in shown], lines)
