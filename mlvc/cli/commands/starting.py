"""init, config, demo, completion: getting started."""

from __future__ import annotations

import os
from pathlib import Path

import click

from mlvc.cli import context, output, parameters
from mlvc.errors import NotFoundError, UsageError


@click.command("init", epilog="Example: mlvc init --project digits")
@click.argument("folder", required=False, type=parameters.PATH)
@click.option("--project", help="Name of the project; default: the folder's.")
@click.option("--store", type=parameters.PATH, help="Where the store goes; default: beside Git's objects, else .mlvc.")
def init_command(folder: Path | None, project: str | None, store: Path | None) -> None:
    """Make a repository of this folder. In a Git repository all worktrees share it."""
    from mlvc import atomic_file
    from mlvc.workspace.workspace import Workspace

    start = (folder or Path.cwd()).absolute()
    atomic_file.make_folder(start)
    workspace, is_new = Workspace.create(start, os.environ, store=store, project=project)
    click.get_current_context().call_on_close(workspace.close)
    verb = "made a repository" if is_new else "there is a repository already"
    text = f"{verb}: project {workspace.project}, store {workspace.repository.path}"
    output.result({"project": workspace.project, "store": str(workspace.repository.path), "is_new": is_new}, text)


@click.command("config", epilog="Examples: mlvc config   mlvc config project   mlvc config project digits")
@click.argument("key", required=False)
@click.argument("value", required=False)
@click.option("--unset", is_flag=True, help="Remove the key.")
def config_command(key: str | None, value: str | None, unset: bool) -> None:
    """Show or set what mlvc.toml says: project, upstream, remotes.NAME.url."""
    from mlvc.format import names
    from mlvc.workspace import configuration

    workspace = context.workspace()
    raw = configuration.read_raw(workspace.root)
    flat = dict(_flatten(raw))
    if key is None:
        output.result(raw, [f"{name} = {item}" for name, item in flat.items()])
        return
    if unset or value is not None:
        if key == "project" and value is not None:
            names.check_project(value)
        if key.endswith(".url") and value and "@" in value.partition("://")[2].partition("/")[0]:
            raise UsageError("a remote's URL in mlvc.toml must hold no credentials", hint="mlvc.toml is tracked by Git")
        configuration.put(workspace.root, key, None if unset else value)
        output.result({key: None if unset else value}, f"{key} = {'(unset)' if unset else value}")
        return
    if key not in flat:
        raise NotFoundError(f"mlvc.toml says nothing of '{key}'", hint="'mlvc config' lists what it says")
    output.result({key: flat[key]}, str(flat[key]))


def _flatten(values: dict[str, object], prefix: str = "") -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for name, item in values.items():
        found += _flatten(item, f"{prefix}{name}.") if isinstance(item, dict) else [(f"{prefix}{name}", item)]
    return found


@click.command("demo", epilog="Example: mlvc demo --dir /tmp/mlvc-demo")
@click.option("--dir", "folder", type=parameters.PATH, default=Path("mlvc-demo"), show_default=True, help="A new folder.")
def demo_command(folder: Path) -> None:
    """Walk through the main job on real data: dataset, training, registry, promotion, lineage, push, clone."""
    from mlvc.cli import demo

    demo.walk_through(folder.absolute())


_BASH = r"""
_mlvc_complete() {
    local line="${COMP_LINE:0:COMP_POINT}" cur word cut IFS=$' \t\n'
    if [[ "$line" == *[[:space:]] ]]; then cur=""; else cur="${line##*[[:space:]]}"; fi
    # bash splits words at ':' and '@'; what is before the last of them stands on the line already
    word="${COMP_WORDS[COMP_CWORD]}"
    [[ "$word" == ":" || "$word" == "@" || "$word" == "=" ]] && word=""
    cut="${cur%"$word"}"
    local IFS=$'\n'
    COMPREPLY=($(COMP_WORDS="$line" _MLVC_COMPLETE_WORD="$cur" mlvc completion --candidates 2>/dev/null))
    local i
    for i in "${!COMPREPLY[@]}"; do COMPREPLY[i]="${COMPREPLY[i]#"$cut"}"; done
    [[ "${#COMPREPLY[@]}" == 0 ]] && COMPREPLY=($(compgen -f -- "$cur"))
}
complete -o nosort -F _mlvc_complete mlvc
"""


@click.command("completion", epilog='Example: eval "$(mlvc completion bash)"')
@click.argument("shell", required=False, type=click.Choice(["bash", "zsh", "fish"]))
@click.option("--candidates", is_flag=True, hidden=True)
def completion_command(shell: str | None, candidates: bool) -> None:
    """Print what makes a shell complete verbs, options and references (name, name:alias, name@id)."""
    from mlvc.cli.main import mlvc

    if candidates:
        _print_candidates()
        return
    if shell is None:
        raise click.UsageError("which shell? expected bash, zsh or fish")
    if shell == "bash":
        click.echo(_BASH.strip())
        return
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None, "click knows these shells"
    click.echo(found(mlvc, {}, "mlvc", "_MLVC_COMPLETE").source())


def _print_candidates() -> None:
    import shlex

    from click.shell_completion import ShellComplete

    from mlvc.cli.main import mlvc

    incomplete = os.environ.get("_MLVC_COMPLETE_WORD", "")
    line = os.environ.get("COMP_WORDS", "")
    try:
        words = shlex.split(line[: len(line) - len(incomplete)])[1:]
    except ValueError:
        return  # an open quote: nothing sensible to offer
    for item in ShellComplete(mlvc, {}, "mlvc", "_MLVC_COMPLETE").get_completions(words, incomplete):
        if item.type == "plain":
            click.echo(item.value)
