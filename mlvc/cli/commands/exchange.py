"""clone, remote, push, pull, fetch: sharing with other places."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlvc.cli import conflict_lines, context, output, parameters, progress_bar
from mlvc.format import names
from mlvc.pacing import parse_rate

if TYPE_CHECKING:
    from mlvc.sync.pushing import Pushed
    from mlvc.sync.renumbering import Renumbered
    from mlvc.workspace.workspace import Workspace


def bucket_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds what may be said of a bucket beside its URL."""
    for option in (
        click.option("--account", help="Azure's storage account; default: AZURE_STORAGE_ACCOUNT_NAME."),
        click.option("--anonymous", is_flag=True, help="Send no credentials: for buckets that anyone may read."),
        click.option("--path-style", is_flag=True, help="Put the bucket into the path, not into the host's name."),
        click.option("--profile", help="Which profile of ~/.aws has the credentials."),
        click.option("--region", help="The bucket's region."),
        click.option("--endpoint", metavar="URL", help="Of a store that speaks S3 and is not AWS's."),
    ):
        command = option(command)
    return command


def _set_rate(_: click.Context, __: click.Parameter, given: str | None) -> None:
    if given is not None:
        parse_rate(given)  # a wrong one is told before anything is sent
        os.environ["MLVC_LIMIT_RATE"] = given


limited = click.option(
    "--limit-rate", metavar="RATE", expose_value=False, callback=_set_rate, help="At most so many bytes a second, as 5MB; also MLVC_LIMIT_RATE."
)


def _given(options: dict[str, Any]) -> dict[str, str]:
    return {name: "true" if value is True else str(value) for name, value in options.items() if value}


@click.command("clone", epilog="Examples: mlvc clone /mnt/nas/digits digits   mlvc clone s3://bucket/digits")
@click.argument("source")
@click.argument("destination", required=False, type=parameters.PATH)
@bucket_options
@click.option("--carrier", is_flag=True, help="It only carries changes there and back: a stick, or a store that ignores conditions.")
@limited
def clone_command(source: str, destination: Path | None, **options: Any) -> None:
    """Copy a repository's names, history, lineage and runs. Data comes when it is wanted."""
    from mlvc.workspace import exchanging

    workspace, pulled = exchanging.clone(source, destination, os.environ, _given(options))
    click.get_current_context().call_on_close(workspace.close)
    changes = output.count(pulled.transactions, "change")
    if pulled.carried:
        changes += f", and {pulled.carried:,} on the way to the authority"
    text = f"cloned {source} into {workspace.root}: {changes}; data comes when it is wanted"
    output.result({"path": str(workspace.root), "transactions": pulled.transactions, "carried": pulled.carried}, text)


@click.group("remote")
def remote_command() -> None:
    """Add, list and remove the places to push to and pull from."""


@remote_command.command("add", epilog="Examples: mlvc remote add origin s3://bucket/digits   mlvc remote add hub git@github.com:me/digits.git")
@click.argument("name")
@click.argument("url")
@bucket_options
@click.option("--carrier", is_flag=True, help="Only to carry changes there and back, as a USB stick; never the authority.")
@click.option("--data-in-git", "data", is_flag=True, help="Of a Git host: push data there too, not only names, lineage and registry.")
@click.option("--join", is_flag=True, help="Join its history, if it has another one, without asking.")
def remote_add(name: str, url: str, join: bool, **options: Any) -> None:
    """Add a remote: a folder, a bucket, a machine behind ssh, or a Git host. The first one is the upstream.

    The place is tried out, and what is there is told. A Git host, as the one that has the code, keeps names, lineage and registry in
    refs/mlvc/ beside the branches; data goes there only with --data-in-git.

    Credentials come from where the cloud's users keep them (AWS_ACCESS_KEY_ID and the like, ~/.aws, roles, service accounts), never
    from mlvc.toml.
    """
    from mlvc.workspace import exchanging

    workspace = context.workspace()
    added = exchanging.add_remote(workspace, name, url, _given(options))
    role = " (the upstream)" if added.is_upstream else ""
    said = {"name": added.name, "url": added.url, "is_upstream": added.is_upstream, "says": added.says}
    lines = [f"{added.name} is {added.url}{role}: {added.says}"]
    if not exchanging.is_apart(workspace, name):
        output.result(said, lines)
        return
    if join or output.can_ask():
        try:
            joined_lines, joined = _join(workspace, name, yes=join)
        except BaseException:
            exchanging.remove_remote(workspace, name)
            raise
        output.result({**said, "joined": joined}, [*lines, *joined_lines])
    else:
        output.result(said, [*lines, f"'mlvc remote join {name}' joins the two, and says first what will be renumbered"])


def _join(workspace: Workspace, name: str, *, yes: bool) -> tuple[list[str], dict[str, Any]]:
    """Joins the history here to a remote's, once the user agreed; returns what to print."""
    from mlvc.workspace import exchanging

    if not yes:
        lines, _ = _renumbered(workspace, exchanging.join_plan(workspace, name), " would be")
        shown = lines or ["no version changes its number"]
        output.ask("\n".join([*shown, f"join the history here to the one of '{name}'?"]))
    done = exchanging.join(workspace, name)
    lines, renumbered = _renumbered(workspace, done.renumbered, " is now")
    lines.append(f"joined; {output.count(done.transactions, 'change')} of here wait for the next push")
    return lines, {"transactions": done.transactions, "renumbered": renumbered}


@remote_command.command("join", epilog="Example: mlvc remote join origin")
@click.argument("name")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def remote_join(name: str, yes: bool) -> None:
    """Join the history here to the one of a remote, where the two began apart or were parted.

    Nothing is lost: what the remote lacks is pending afterwards and goes there with the next push. Its numbers may change, and
    are shown first.
    """
    from mlvc.workspace import exchanging

    workspace = context.workspace()
    if not exchanging.is_apart(workspace, name):
        output.result({"transactions": 0, "renumbered": []}, f"nothing to join: the history here and the one of '{name}' are one")
        return
    lines, data = _join(workspace, name, yes=yes)
    output.result(data, lines)


@remote_command.command("takeover", epilog="Examples: mlvc remote takeover backup   mlvc remote takeover --here")
@click.argument("name", required=False)
@click.option("--here", is_flag=True, help="Let this repository itself take new entries.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def remote_takeover(name: str | None, here: bool, yes: bool) -> None:
    """Make another store the authority, where the one that takes new entries is lost.

    Should the old one come back after all, 'mlvc remote join' brings in what only it had.
    """
    from mlvc.workspace import exchanging

    if (name is None) != here:
        raise click.UsageError("name a remote, or say --here")
    workspace = context.workspace()
    if not yes:
        where = f"'{name}'" if name else "this repository"
        output.ask(f"let {where} take new entries from now on? What the present authority has, and is not here, is left out until it is joined")
    where = exchanging.take_over(workspace, name)
    output.result({"authority": where}, f"{where} takes new entries from now on")


@remote_command.command("ls", epilog="Example: mlvc remote ls")
def remote_ls() -> None:
    """List the remotes."""
    from mlvc.workspace import exchanging

    found = exchanging.remotes(context.workspace())
    rows = [(r.name, r.url, ", ".join(r.roles)) for r in found]
    data = [{"name": r.name, "url": r.url, "is_upstream": r.is_upstream, "is_carrier": r.is_carrier, "holds_data": r.holds_data} for r in found]
    output.result(data, output.table(rows, ("NAME", "URL", "")))


@remote_command.command("trust", epilog="Example: mlvc remote trust origin")
@click.argument("name", required=False)
def remote_trust(name: str | None) -> None:
    """Trust a bucket that mlvc.toml names (default: the upstream): your credentials are used there from then on."""
    from mlvc.workspace import exchanging

    trusted = exchanging.trust_remote(context.workspace(), name)
    output.result({"url": trusted.url}, f"{trusted.url} is trusted")


@remote_command.command("rm", epilog="Example: mlvc remote rm origin")
@click.argument("name")
def remote_rm(name: str) -> None:
    """Forget a remote. What it holds stays."""
    from mlvc.workspace import exchanging

    exchanging.remove_remote(context.workspace(), name)
    output.result({"name": name}, f"forgot the remote {name}")


def _renumbered(workspace: Workspace, changes: Iterable[Renumbered], before: str = "~ is now") -> tuple[list[str], list[dict[str, Any]]]:
    lines, data = [], []
    for change in changes:
        shown = names.display_collection(change.collection, workspace.project)
        lines.append(f"renumbered: {shown}:v{change.before}{before} v{change.after}")
        data.append({"collection": shown, "id": change.version.hex(), "before": change.before, "after": change.after})
    return lines, data


@click.command("push", epilog="Examples: mlvc push   mlvc push origin --dry-run")
@click.argument("remote", required=False)
@click.option("--dry-run", is_flag=True, help="Only say what would be sent.")
@limited
def push_command(remote: str | None, dry_run: bool) -> None:
    """Send what is not pushed yet. Others see all of it or none; an interrupted push is just repeated."""
    from mlvc.workspace import exchanging

    workspace = context.workspace()
    if dry_run:
        plan = exchanging.push_plan(workspace, remote)
        text = f"would send {output.count(plan.transactions, 'change')} and {output.count(len(plan.packs), 'pack')} ({output.size(plan.size_bytes)})"
        if plan.hands_over:
            text += "; from then on the remote confirms the numbers"
        data = {"transactions": plan.transactions, "packs": len(plan.packs), "size_bytes": plan.size_bytes}
        output.result({**data, "hands_over": plan.hands_over}, text)
        return
    with workspace.progress:
        done = exchanging.push(workspace, remote)
    lines, renumbered = _renumbered(workspace, done.pulled.renumbered)
    if done.left is not None:
        lines += _left(done, remote)
    elif done.transactions:
        lines.append(f"pushed {output.count(done.transactions, 'change')}, {output.count(done.packs, 'pack')} ({output.size(done.size_bytes)})")
    else:
        lines.append("nothing to push")
    if done.handed_over:
        lines.append("the remote confirms version numbers from now on")
    lines += _conflicts(workspace)
    if done.waiting:
        lines.append(f"{output.count(done.waiting, 'change')} of others wait here: their data is neither here nor there")
    report: dict[str, Any] = {
        "transactions": done.transactions,
        "left": done.left,
        "lacking": done.lacking,
        "waiting": done.waiting,
        "packs": done.packs,
        "size_bytes": done.size_bytes,
        "handed_over": done.handed_over,
        "pulled": done.pulled.transactions,
        "renumbered": renumbered,
    }
    output.result(report, lines)


def _conflicts(workspace: Workspace) -> list[str]:
    with workspace.repository.reading() as view:
        return conflict_lines.lines(workspace, view)


def _left(done: Pushed, remote: str | None) -> list[str]:
    where = f"'{remote}'" if remote else "the remote"
    lines = [f"{where} carries the history now ({output.count(done.packs, 'pack')}, {output.size(done.size_bytes)} sent)"]
    if done.left:
        lines.append(f"waiting there for whoever reaches the authority next: {output.count(done.left, 'change')}")
    if done.lacking:
        lines.append(f"without data there, for it is not here: {output.count(done.lacking, 'artifact')}; 'mlvc fetch' brings it, then push again")
    return lines


@click.command("pull", epilog="Examples: mlvc pull   mlvc pull --data mnist:production")
@click.argument("words", nargs=-1, metavar="[REMOTE | --data REF...]")
@click.option("--data", is_flag=True, help="Bring data too, of versions (default: of all pins), as 'mlvc fetch' does.")
@limited
def pull_command(words: tuple[str, ...], data: bool) -> None:
    """Bring what others pushed: names, history, lineage, runs. Files stay; 'mlvc checkout' brings them in line."""
    from mlvc.workspace import exchanging

    if data:
        _fetch(list(words), None)
        return
    if len(words) > 1:
        raise click.UsageError("one remote at a time; versions are named with --data")
    remote = words[0] if words else None
    workspace = context.workspace()
    with workspace.progress:
        pulled = exchanging.pull(workspace, remote)
    lines, renumbered = _renumbered(workspace, pulled.renumbered)
    if pulled.carried:
        lines.insert(0, f"took in {output.count(pulled.carried, 'change')} that were left there for the authority")
    if pulled.transactions or not pulled.carried:
        lines.insert(0, f"pulled {output.count(pulled.transactions, 'change')}" if pulled.transactions else "nothing new")
    lines += _conflicts(workspace)
    output.result({"transactions": pulled.transactions, "carried": pulled.carried, "renumbered": renumbered}, lines)


@click.command("serve", epilog="Example: ssh host mlvc serve --stdio /data/models")
@click.argument("path", type=parameters.PATH)
@click.option("--stdio", is_flag=True, required=True, help="Speak on standard input and output: what 'ssh://' remotes run.")
def serve_command(path: Path, stdio: bool) -> None:
    """Give the store at PATH to a client on another machine, for as long as it is connected."""
    from mlvc.backend import serving
    from mlvc.backend.local import LocalBackend
    from mlvc.sync.remote import store_locks
    from mlvc.workspace import locating

    del stdio
    backend = LocalBackend(locating.store_within(Path(os.path.abspath(path.expanduser()))))
    serving.serve(backend, store_locks(backend), sys.stdin.buffer, sys.stdout.buffer)


@click.command("fetch-apart", hidden=True)
def fetch_apart_command() -> None:
    """Fetch for another process, which may fork; see `mlvc.workspace.fetching_apart`."""
    from mlvc.workspace import fetching_apart

    sys.stdout.buffer.write(fetching_apart.answer(context.workspace(), sys.stdin.buffer.read()))


@click.command("references-apart", hidden=True)
def references_apart_command() -> None:
    """Ask buckets for another process, which may fork; see `mlvc.workspace.references`."""
    from mlvc.workspace import references

    sys.stdout.buffer.write(references.answer(sys.stdin.buffer.read(), os.environ))


@click.command("fetch", epilog="Examples: mlvc fetch   mlvc fetch mnist:production")
@click.argument("references", nargs=-1, type=parameters.REFERENCE)
@click.option("--remote", help="Which remote; default: the upstream.")
@limited
def fetch_command(references: tuple[str, ...], remote: str | None) -> None:
    """Pull, and bring the data of versions (default: of all pins) here, for working offline. Writes no files."""
    _fetch(list(references), remote)


def _fetch(references: list[str], remote: str | None) -> None:
    from mlvc.workspace import exchanging

    workspace = context.workspace()
    workspace.progress = progress_bar.for_terminal()
    with workspace.progress:
        done = exchanging.fetch(workspace, references, remote)
    lines, renumbered = _renumbered(workspace, done.pulled.renumbered)
    lines.append(f"pulled {output.count(done.pulled.transactions, 'change')}, fetched {output.size(done.bytes)}")
    data = {"transactions": done.pulled.transactions, "bytes": done.bytes, "renumbered": renumbered}
    output.result(data, lines)
