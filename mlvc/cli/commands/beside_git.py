"""hooks, resolve, reproduce: what ties mlvc to the Git repository around it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mlvc.cli import context, output, parameters
from mlvc.workspace.workspace import Workspace


@click.command("hook", hidden=True, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def hook_command(arguments: tuple[str, ...]) -> int:
    """What Git's hooks call."""
    from mlvc.cli import hook

    return hook.run(arguments)


@click.command("hooks", epilog="Examples: mlvc hooks install   mlvc hooks status   mlvc hooks uninstall")
@click.argument("action", type=click.Choice(["install", "uninstall", "status"]), default="status")
@click.option("--force", is_flag=True, help="Install beside a program that manages hooks, or for all your repositories.")
def hooks_command(action: str, force: bool) -> int:
    """Let Git call mlvc: install, remove or inspect its hooks, and the merge driver of mlvc.lock.

    pre-commit refuses big files on their way into Git, and pins that do not say what the files are; post-checkout, post-merge
    and post-rewrite bring files in line with mlvc.lock; pre-push pushes what the commits pin; post-commit ties runs to the commit;
    prepare-commit-msg adds trailers where mlvc.toml asks for them ([hooks] trailers = true). A hook that is there stays, and is called first.
    """
    from mlvc.git import hook_files
    from mlvc.workspace import hooks_setup

    here = Path.cwd()
    if action == "uninstall":
        removed = hooks_setup.uninstall(here)
        output.result({"removed": removed}, f"removed {', '.join(removed)}" if removed else "no hook of mlvc's was installed")
        return 0
    found = hooks_setup.install(here, force=force) if action == "install" else hooks_setup.status(here)
    lines = [f"hooks in {found.place.folder}"]
    lines += [f"  {one.name:<20}{one.state}{', after the hook that was here' if one.is_chained else ''}" for one in found.hooks]
    lines.append(f"  {'merging mlvc.lock':<20}{'by mlvc' if found.merges else 'as text'}")
    are_all = all(one.state == hook_files.INSTALLED for one in found.hooks)
    if found.snippet and not are_all:
        lines += [f"{found.place.manager} manages the hooks here; paste this:", "", *found.snippet.splitlines()]
    data = {
        "folder": str(found.place.folder),
        "manager": found.place.manager,
        "hooks": {one.name: {"state": one.state, "chained": one.is_chained} for one in found.hooks},
        "merges": found.merges,
        "snippet": found.snippet,
    }
    output.result(data, lines)
    return 0 if action == "install" or (are_all and found.merges) else 1


@click.command("resolve", epilog="Examples: mlvc resolve   mlvc resolve --theirs data   mlvc resolve --ours")
@click.argument("paths", nargs=-1, type=parameters.PATH)
@click.option("--ours", "side", flag_value="ours", help="Take what the branch that is checked out pins.")
@click.option("--theirs", "side", flag_value="theirs", help="Take what the merged branch pins.")
@click.option("--base", "side", flag_value="base", help="Take what both had before.")
def resolve_command(paths: tuple[Path, ...], side: str | None) -> int:
    """Show the paths that a merge of Git left in conflict in mlvc.lock, or take one side of them, and bring the files in line.

    Exits with 1 while conflicts are left.
    """
    from mlvc.workspace import following, settling

    workspace = context.workspace()
    if side is None:
        is_tidied = settling.tidy(workspace)
        left = list(settling.conflicts(workspace).conflicts)
        lines, data = _shown(workspace, left)
        if is_tidied:
            following.follow(workspace)
            lines = ["both sides pin different paths: mlvc.lock is merged, and staged"]
        elif not left:
            lines = ["nothing is in conflict in mlvc.lock"]
        output.result({"conflicts": data}, lines)
        return 1 if left else 0
    settled, left = settling.settle(workspace, paths, side)
    with workspace.repository.reading() as view:
        lines = [f"{path}: {settling.describe(workspace, view, pin)}" for path, pin in settled]
    if left:
        lines += _shown(workspace, left)[0]
    else:
        done = following.follow(workspace)
        lines.append(f"mlvc.lock is staged; {output.count(done.written, 'file')} written")
        lines += [f"{path}: left as it is: it was changed, and is saved nowhere" for path in done.kept]
        lines += [f"{path}: not here; 'mlvc fetch' and 'mlvc checkout' bring it" for path in done.absent]
    resolved = {"resolved": [{"path": path, "id": None if pin is None else pin.version.hex()} for path, pin in settled], "left": [one.path for one in left]}
    output.result(resolved, lines)
    return 1 if left else 0


def _shown(workspace: Workspace, conflicts: list[Any]) -> tuple[list[str], list[dict[str, Any]]]:
    from mlvc.workspace import settling

    lines: list[str] = []
    data: list[dict[str, Any]] = []
    with workspace.repository.reading() as view:
        for one in conflicts:
            lines.append(f"conflict: {one.path}")
            lines += [f"  {side + ':':<8}{settling.describe(workspace, view, one.side(side))}" for side in ("ours", "theirs", "base")]
            sides = {side: one.side(side) for side in ("ours", "theirs", "base")}
            data.append({"path": one.path, **{side: None if pin is None else pin.version.hex() for side, pin in sides.items()}})
    if lines:
        lines.append("'mlvc resolve --ours [PATH]' or '--theirs' takes one side")
    return lines, data
