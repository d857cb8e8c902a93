"""protect, verify: who may move an alias, and who did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mlvc.cli import context, output, parameters
from mlvc.format import names, signature
from mlvc.workspace import protecting, resolving


@click.command(
    "protect", epilog="Examples: mlvc protect registry/mnist production --key ~/.ssh/id_ed25519.pub   mlvc protect registry/mnist"
)
@click.argument("collection", type=parameters.COLLECTION)
@click.argument("alias", required=False)
@click.option("--key", "keys", multiple=True, type=click.Path(exists=True, dir_okay=False), help="Public key file of who may move it; repeatable.")
@click.option("--remove", is_flag=True, help="Lift the protection.")
def protect_command(collection: str, alias: str | None, keys: tuple[str, ...], remove: bool) -> None:
    """Let only the owners of these SSH keys move an alias; without ALIAS, list what is protected.

    Every clone refuses moves that are not signed by one of them. Changing the protection needs one of them, too.
    """
    workspace = context.workspace()
    with workspace.repository.reading() as view:
        stored = resolving.existing_collection(workspace, view, collection)
        known = view.protected(stored)
    shown = names.display_collection(stored, workspace.project)
    if alias is None:
        if keys or remove:
            raise click.UsageError("which alias? expected COLLECTION ALIAS")
        rows = [(name, signature.fingerprint(key), key.split()[0]) for name, held in known.items() for key in held]
        output.result({name: list(held) for name, held in known.items()}, output.table(rows, ("ALIAS", "KEY", "KIND")))
        return
    if bool(keys) == remove:
        raise click.UsageError("expected --key FILE or --remove")
    lines = [line for file in keys for line in Path(file).read_text(encoding="utf-8").splitlines() if line.strip()]
    protecting.protect(workspace, stored, alias, None if remove else lines, context.command_line())
    text = f"{shown}:{alias} is not protected any more" if remove else f"only {output.count(len(lines), 'key')} may move {shown}:{alias}"
    output.result({"collection": shown, "alias": alias, "keys": lines}, text)


@click.command("verify", epilog="Example: mlvc verify registry/mnist:production")
@click.argument("ref", type=parameters.REFERENCE)
def verify_command(ref: str) -> int:
    """Say who pointed an alias where it points, when, and whether the signature is good. Exits with 1 when it is not."""
    workspace = context.workspace()
    found = protecting.verify(workspace, ref)
    with workspace.repository.reading() as view:
        source = resolving.display_version(workspace, view, found.member.version)
    action = found.action
    lines = [
        f"{ref} is {resolving.display(workspace, found.member)} ({source})",
        f"moved by {action.who} on {output.when(action.when_ms)}: {action.command}",
        _signature(found),
    ]
    data: dict[str, Any] = {
        "ref": ref,
        "version": source,
        "id": found.member.version.hex(),
        "who": action.who,
        "when_ms": action.when_ms,
        "signer": found.signer,
        "protected": found.allowed is not None,
        "good": found.is_good,
    }
    output.result(data, lines)
    return 0 if found.is_good else 1


def _signature(found: protecting.Verdict) -> str:
    if found.signer is None:
        before = ", from before the alias was protected" if found.allowed is not None else "; anyone may move it"
        return f"not signed{before}"
    shown = f"{found.signer.split()[0]} {signature.fingerprint(found.signer)}"
    if found.allowed is None:
        return f"good signature by {shown}; the alias is not protected"
    if found.signer in found.allowed:
        return f"good signature by {shown}, which may move it"
    return f"good signature by {shown}, which may not move it any more"
