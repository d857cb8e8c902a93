"""Writes docs/cli-reference.md from the commands themselves: `python -m mlvc.cli.reference > docs/cli-reference.md`."""

from __future__ import annotations

from collections.abc import Iterator

import click

from mlvc.cli.main import mlvc

_WIDTH = 100


def render() -> str:
    """Returns the reference as Markdown; the same for the same code on every machine."""
    lines = [
        "# CLI reference",
        "",
        "Made from the code by `python -m mlvc.cli.reference`; a test checks that it is current.",
        "",
    ]
    settings = {**mlvc.context_settings, "terminal_width": _WIDTH, "max_content_width": _WIDTH}
    root = click.Context(mlvc, info_name="mlvc", **settings)
    for path, command in _commands(mlvc, root):
        help_text = command.get_help(path)
        heading = "#" * (2 + path.command_path.count(" "))
        lines += [f"{heading} {path.command_path}", "", "```text", *map(str.rstrip, help_text.splitlines()), "```", ""]
    return "\n".join(lines)


def _commands(command: click.Command, at: click.Context) -> Iterator[tuple[click.Context, click.Command]]:
    yield at, command
    if isinstance(command, click.Group):
        for name in command.list_commands(at):
            inner = command.get_command(at, name)
            assert inner is not None, "it is listed"
            context = click.Context(
                inner, info_name=name, parent=at, terminal_width=_WIDTH, max_content_width=_WIDTH
            )
            yield from _commands(inner, context)


if __name__ == "__main__":
    click.echo(render(), nl=False)
