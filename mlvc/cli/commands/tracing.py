"""lineage, why: where things come from and what came of them."""

from __future__ import annotations

from pathlib import Path

import click

from mlvc import atomic_file
from mlvc.cli import context, output, parameters
from mlvc.format.ids import short
from mlvc.lineage import drawing
from mlvc.workspace import resolving


@click.command("lineage", epilog="Examples: mlvc lineage mnist:v3   mlvc lineage run/abc --format mermaid")
@click.argument("what", type=parameters.ANYTHING)
@click.option("--format", "form", type=click.Choice(sorted([*drawing.DRAWINGS, "png"])), default="text", show_default=True)
@click.option("-o", "--output", "target", type=parameters.PATH, help="Write it into this file; a PNG goes nowhere else.")
@click.option("--depth", type=click.IntRange(min=1), help="How many steps to go; default: all.")
@click.option("--up", is_flag=True, help="Only what it was made from.")
@click.option("--down", is_flag=True, help="Only what was made of it.")
def lineage_command(what: str, form: str, target: Path | None, depth: int | None, up: bool, down: bool) -> None:
    """Show which runs and data made a version, and what was made of it."""
    from mlvc.workspace import tracing

    if form == "png" and target is None:
        raise click.UsageError("a PNG is no text: --output FILE says where it goes")
    workspace = context.workspace()
    with workspace.repository.reading() as view:
        start = resolving.version_or_run(workspace, view, what)
        graph = tracing.lineage(workspace, view, start, depth=depth, up=up or not down, down=down or not up)
    if target is None:
        output.result(drawing.as_data(graph), drawing.DRAWINGS[form](graph).rstrip("\n"))
        return
    if form == "png":
        from mlvc.media import graph_image

        data = graph_image.as_png(graph)
    else:
        data = drawing.DRAWINGS[form](graph).encode()
    atomic_file.replace(target, data)
    output.result({"path": str(target), "nodes": len(graph.nodes)}, f"{output.count(len(graph.nodes), 'node')} drawn in {target}")


@click.command("why", epilog="Example: mlvc why /tmp/model.safetensors")
@click.argument("file", type=parameters.PATH)
def why_command(file: Path) -> None:
    """Say where a file on disk comes from: which versions hold its content, which run made them, from what."""
    from mlvc.workspace import run_questions, tracing

    workspace = context.workspace()
    lines, data = [], []
    with workspace.repository.reading() as view:
        for origin in tracing.why(workspace, view, file):
            label = resolving.display(workspace, origin.member)
            lines.append(f"{label} @{short(origin.member.version)}  {origin.entry_path}")
            runs = [run_questions.describe(workspace, view, run) for run in origin.runs]
            lines += [f"    made by run {run.name or run.label} ({run.job_type or 'no job type'})" for run in runs]
            if origin.commit:
                lines.append(f"    from commit {origin.commit[:12]}")
            lines += [f"    from {name}" for name in origin.inputs]
            data.append(
                {
                    "name": label,
                    "id": origin.member.version.hex(),
                    "path": origin.entry_path,
                    "runs": [run.id.hex() for run in runs],
                    "commit": origin.commit,
                    "inputs": list(origin.inputs),
                }
            )
    output.result(data, lines)
