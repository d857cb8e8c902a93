"""`mlvc`: finds the verb, runs it, and turns errors into one sentence, a hint and an exit code."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

import click

from mlvc import __version__
from mlvc.cli import memory
from mlvc.errors import Error

_VERBS = {
    "start a repository": {"init": "starting", "clone": "exchange", "demo": "starting", "config": "starting"},
    "version files": {"add": "files", "status": "files", "checkout": "files", "rm": "files", "diff": "files"},
    "look at versions": {
        "ls": "looking",
        "log": "looking",
        "show": "looking",
        "cat": "looking",
        "get": "looking",
        "why": "tracing",
        "lineage": "tracing",
        "ui": "browsing",
    },
    "name and promote": {"alias": "naming", "link": "naming", "unlink": "naming", "delete": "naming"}
    | {"protect": "protecting", "verify": "protecting"},
    "record runs": {"run": "running", "runs": "running", "history": "running"},
    "work beside git": {"hooks": "beside_git", "resolve": "beside_git", "reproduce": "reproducing"},
    "share": {"remote": "exchange", "push": "exchange", "pull": "exchange", "fetch": "exchange", "serve": "exchange"},
    "look after": {"undo": "caring", "oplog": "caring", "fsck": "caring", "du": "caring"}
    | {"gc": "caring", "prune": "caring", "repack": "caring", "completion": "starting"},
}
_MODULES = {verb: module for verbs in _VERBS.values() for verb, module in verbs.items()}
_HIDDEN = {"fetch-apart": "exchange", "references-apart": "exchange", "hook": "beside_git"}
"""What mlvc says to itself."""

_BULK_VERBS = frozenset(("add", "checkout", "clone", "fetch", "fsck", "get", "pull", "push", "repack"))

_OTHER_WORDS = {
    "commit": "every 'mlvc add' is a commit already; nothing is left to do",
    "tag": "use 'mlvc alias set REF NAME' for a name that moves, or 'mlvc add --tag'",
    "sync": "use 'mlvc push' and 'mlvc pull'",
    "login": "there is no account to log in to; 'mlvc remote add origin PATH' says where to push",
    "artifact": "use 'mlvc add PATH' to put one and 'mlvc get REF' to get one",
    "branch": "versions form a line for each artifact; branch your code with Git, and pins follow it",
    "stash": "'mlvc add' saves files as a version, 'mlvc checkout REF' brings one back",
    "repro": "'mlvc run -- COMMAND' records a command with its inputs and outputs",
    "dag": "use 'mlvc lineage REF'",
    "import": "use 'mlvc add PATH'",
    "merge": "histories merge by themselves on 'mlvc pull'",
}


class Verbs(click.Group):
    """Loads a verb's module only when it is asked for: the command line has to start in under 100 ms."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the verbs."""
        return list(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Returns a verb's command, or None."""
        found_in = {**_MODULES, **_HIDDEN}.get(cmd_name)
        if found_in is None:
            return None
        module = import_module(f"mlvc.cli.commands.{found_in}")
        found: click.Command = getattr(module, f"{cmd_name.replace('-', '_')}_command")
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Finds the verb; known words of other tools are answered with the right one."""
        word = args[0]
        if word not in _MODULES and word not in _HIDDEN and not word.startswith("-"):
            if word in _OTHER_WORDS:
                raise click.UsageError(f"'{word}' is no mlvc command: {_OTHER_WORDS[word]}")
            import difflib

            near = difflib.get_close_matches(word, _MODULES, n=2, cutoff=0.6)
            hint = f"did you mean {' or '.join(near)}?" if near else "'mlvc --help' lists them"
            raise click.UsageError(f"'{word}' is no mlvc command: {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the verbs by what they are for."""
        for heading, verbs in _VERBS.items():
            with formatter.section(heading.capitalize()):
                rows = []
                for verb in verbs:
                    command = self.get_command(ctx, verb)
                    assert command is not None, "it is listed"
                    rows.append((verb, command.get_short_help_str(80)))
                formatter.write_dl(rows)


@click.command(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="REF is name, name:v3, name:alias, name@1f9c2a, project/name, registry/name or run/NAME.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON document.")
@click.option("-C", "folder", type=click.Path(exists=True, file_okay=False), help="Run as if started in this folder.")
@click.version_option(__version__, prog_name="mlvc")
@click.pass_context
def mlvc(context: click.Context, as_json: bool, folder: str | None) -> None:
    """Git for machine-learning artifacts: versions, a registry and lineage, local first."""
    context.obj = {"json": as_json}
    if context.invoked_subcommand in _BULK_VERBS:
        memory.keep_what_is_freed()
    if folder:
        os.chdir(folder)


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line and exits: 0 done, 1 differences or damage, 2 usage, 3 conflict, 4 not found, 5 remote."""
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Runs the command line.

    Returns:
        The exit code.
    """
    arguments = _with_json_first(list(sys.argv[1:] if arguments is None else arguments))
    try:
        code: Any = mlvc.main(arguments, prog_name="mlvc", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except Error as error:
        return _fail(error.message, error.hint, error.exit_code)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.UsageError as error:
        usage = error.ctx.command_path if error.ctx else "mlvc"
        return _fail(error.format_message(), f"'{usage} --help' says how", 2)
    except click.ClickException as error:
        return _fail(error.format_message(), None, 2)
    except (click.exceptions.Abort, KeyboardInterrupt):
        return _fail("interrupted; nothing is half-done", None, 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read us has gone
        return 0
    except MemoryError:
        return _fail("this process ran out of memory", None, 1)


def _with_json_first(arguments: list[str]) -> list[str]:
    """Lets `--json` stand anywhere before `--`."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    if "--json" in arguments[:end]:
        arguments.remove("--json")
        return ["--json", *arguments]
    return arguments


def _fail(message: str, hint: str | None, code: int) -> int:
    click.echo(f"error: {message}", err=True)
    if hint:
        click.echo(f"hint: {hint}", err=True)
    return code
