"""Several runs beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mlvc.web import addresses, rendering, runs
from mlvc.workspace import run_cells

MOST_COMPARED = 20


def compare_page(request: Request) -> Response:
    """Up to twenty runs beside each other: where their configs differ, and their metrics in one chart each."""
    site = rendering.site_of(request)
    asked = list(dict.fromkeys(request.query_params.getlist("run")))
    with site.reading() as view:
        chosen = [runs.run_of(request, site.workspace, view, one) for one in asked[:MOST_COMPARED]]
    cells = [run_cells.of(run) for run in chosen]
    rows = _compared([_of(one, "config.") for one in cells])
    shown = [run.name or run.label for run in chosen]
    names_shown = [f"{name} {run.label}" if shown.count(name) > 1 else name for name, run in zip(shown, chosen, strict=True)]
    return rendering.page(
        request, "compare_runs", title="Compare runs", inline=[], runs=chosen, asked=len(asked), most=MOST_COMPARED,
        differing=[row for row in rows if row["differs"]], alike=[row for row in rows if not row["differs"]],
        totals=[{**row, "differs": False} for row in _compared([_of(one, "summary.") for one in cells]) if not row["key"].startswith("_")],
        names_shown=names_shown,
        sources=[f"/api/v1{addresses.run(run.project, run.label)}/series" for run in chosen],
    )  # fmt: skip


def _of(cells: Mapping[str, Any], part: str) -> dict[str, Any]:
    return {name.removeprefix(part): value for name, value in cells.items() if name.startswith(part)}


def _compared(maps: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Returns what several maps have under each of their keys; whether they differ, too."""
    rows = []
    for key in sorted({key for one in maps for key in one}):
        values = [one.get(key) for one in maps]
        rows.append({"key": key, "values": values, "differs": any(key not in one for one in maps) or any(value != values[0] for value in values)})
    return rows
