"""ui: the repository in a browser."""

from __future__ import annotations

from pathlib import Path

import click

from mlvc.cli import context, output, parameters
from mlvc.errors import UnsupportedError


@click.command("ui", epilog="Examples: mlvc ui   mlvc ui --read-only --port 8080   mlvc ui --export site")
@click.option("--port", type=click.IntRange(0, 65535), help="Where to listen; default: the first free one from 5151 on.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Another address than this machine's own: then a token is needed, and printed.")
@click.option("--token", "asks_for_token", is_flag=True, help="Ask for a token on this machine, too: where others are logged in as well.")
@click.option("--no-open", is_flag=True, help="Open no browser.")
@click.option("--read-only", is_flag=True, help="Pages change nothing.")
@click.option("--export", "folder", type=parameters.PATH, help="Write the pages into a new folder instead, to publish or attach them.")
def ui_command(port: int | None, host: str, asks_for_token: bool, no_open: bool, read_only: bool, folder: Path | None) -> None:
    """Show registry, lineage, runs and artifacts in a browser, from this repository, without a network. Ctrl-C ends it."""
    workspace = context.workspace()
    try:
        from mlvc.web import export, server
    except ImportError as error:
        raise UnsupportedError(f"the pages need {error.name}", hint="pip install 'mlvc[ui]'") from error
    if folder is not None:
        pages = export.export(workspace, folder, output.note)
        output.result({"folder": str(folder), "pages": pages}, f"wrote {output.count(pages, 'page')} into {folder}; open {folder / 'index.html'}")
        return

    def opened(address: str) -> None:
        if not no_open:
            import webbrowser

            webbrowser.open(address)

    server.serve(
        workspace, host=host, port=port, is_read_only=read_only, asks_for_token=asks_for_token,
        tell=lambda address: output.note(f"mlvc ui: {address}  (Ctrl-C ends it)"), opened=opened,
    )  # fmt: skip
