"""alias, link, unlink, delete: what versions are called."""

from __future__ import annotations

import click

from mlvc.cli import context, output, parameters
from mlvc.errors import UsageError
from mlvc.format import names, reference
from mlvc.workspace import registry, resolving, shapes


@click.group("alias")
def alias_command() -> None:
    """Set, remove and list aliases, such as 'production'."""


@alias_command.command("set", epilog="Examples: mlvc alias set mnist:v3 production   mlvc alias set mnist:production --ours")
@click.argument("ref", type=parameters.REFERENCE)
@click.argument("aliases", nargs=-1)
@click.option("--ours", is_flag=True, help="Decide the conflict of NAME:ALIAS for the side that you said.")
@click.option("--theirs", is_flag=True, help="Decide it for the side that somebody else said.")
def alias_set(ref: str, aliases: tuple[str, ...], ours: bool, theirs: bool) -> None:
    """Point aliases at a version. Also how a conflict is decided: by naming a version, or with --ours or --theirs."""
    workspace = context.workspace()
    if ours or theirs:
        if aliases or (ours and theirs):
            raise UsageError("expected NAME:ALIAS and one of --ours and --theirs")
        side = registry.decide(workspace, ref, context.command_line(), ours=ours)
        view = workspace.repository.view()
        label = "nothing" if side.version is None else resolving.display_version(workspace, view, side.version)
        output.result({"alias": ref, "id": None if side.version is None else side.version.hex()}, f"{ref} is {label}, as {side.who} said")
        return
    if not aliases:
        raise UsageError("which alias? expected REF ALIAS...", hint="a conflict is decided with NAME:ALIAS --ours or --theirs")
    member = registry.set_aliases(workspace, ref, aliases, context.command_line())
    view = workspace.repository.view()
    label = resolving.display(workspace, member)
    output.result(shapes.version(workspace, view, member), f"{label} is {', '.join(aliases)}")


@alias_command.command("rm", epilog="Example: mlvc alias rm mnist:production")
@click.argument("ref", type=parameters.REFERENCE)
@click.argument("aliases", nargs=-1)
def alias_rm(ref: str, aliases: tuple[str, ...]) -> None:
    """Remove aliases: NAME:ALIAS, or NAME ALIAS..."""
    workspace = context.workspace()
    wanted = reference.parse_version(ref)
    given = [*([wanted.selector] if wanted.selector else []), *aliases]
    if not given:
        raise UsageError("which alias? expected NAME:ALIAS or NAME ALIAS...", hint=f"'mlvc alias ls {ref}' lists them")
    with workspace.repository.reading() as view:
        collection = resolving.existing_collection(workspace, view, wanted)
    registry.remove_aliases(workspace, collection, given, context.command_line())
    shown = names.display_collection(collection, workspace.project)
    output.result({"collection": shown, "removed": given}, [f"removed {shown}:{alias}" for alias in given])


@alias_command.command("ls", epilog="Example: mlvc alias ls mnist")
@click.argument("collection", type=parameters.COLLECTION)
def alias_ls(collection: str) -> None:
    """List the aliases of an artifact or registered model."""
    workspace = context.workspace()
    with workspace.repository.reading() as view:
        name = resolving.existing_collection(workspace, view, collection)
        rows, data = [], []
        for alias, answered in view.aliases(name).items():
            member = view.member(name, answered.version) if answered.version else None
            label = resolving.display(workspace, member) if member else "nothing"
            rows.append((alias, label, "in conflict" if answered.in_conflict else ""))
            data.append({"alias": alias, "name": label, "in_conflict": answered.in_conflict})
    output.result(data, output.table(rows, ("ALIAS", "VERSION", "")))


@click.command("link", epilog="Example: mlvc link mnist:v3 registry/digits --alias production")
@click.argument("ref", type=parameters.REFERENCE)
@click.argument("target", type=parameters.COLLECTION)
@click.option("--alias", "aliases", multiple=True, help="Alias in the registered model; repeatable.")
def link_command(ref: str, target: str, aliases: tuple[str, ...]) -> None:
    """Link a version into a registered model."""
    workspace = context.workspace()
    with workspace.repository.reading() as view:
        member = resolving.version(workspace, view, ref)
        wanted = reference.parse_version(target)
        if wanted.project is None or names.registry_of(wanted.project) is None:
            raise UsageError(f"'{target}' is no registered model", hint=f"write registry/{wanted.name}")
        collection = resolving.collection_name(workspace, view, wanted)
    linked = registry.link(workspace, member.version, collection, aliases, context.command_line())
    view = workspace.repository.view()
    marks = f" as {', '.join(aliases)}" if aliases else ""
    text = f"{resolving.display(workspace, linked)} is {resolving.display_version(workspace, view, member.version)}{marks}"
    output.result(shapes.version(workspace, view, linked), text)


@click.command("unlink", epilog="Example: mlvc unlink registry/digits:v2")
@click.argument("ref", type=parameters.REFERENCE)
def unlink_command(ref: str) -> None:
    """Take a version out of a registered model. The version itself stays."""
    workspace = context.workspace()
    with workspace.repository.reading() as view:
        member = resolving.version(workspace, view, ref)
        label = resolving.display(workspace, member)
    registry.unlink(workspace, member, context.command_line())
    output.result({"name": label, "id": member.version.hex()}, f"unlinked {label}; 'mlvc undo' brings it back")


@click.command("delete", epilog="Examples: mlvc delete mnist:v2   mlvc delete --collection mnist   mlvc delete run/abc")
@click.argument("what", type=parameters.ANYTHING)
@click.option("--collection", is_flag=True, help="Delete all versions, and the name.")
@click.option("--force", is_flag=True, help="Also the aliases and links that it has.")
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
def delete_command(what: str, collection: bool, force: bool, dry_run: bool) -> None:
    """Delete a version, a run, or a whole collection. 'mlvc undo' brings it back until 'mlvc gc' has run."""
    workspace = context.workspace()
    command = context.command_line()
    with workspace.repository.reading() as view:
        if collection:
            name = resolving.existing_collection(workspace, view, what)
            members = list(view.members(name))
            shown = names.display_collection(name, workspace.project)
            held = [a for a in view.aliases(name) if a != names.LATEST]
            text = f"{shown} with {output.count(len(members), 'version')}"
        else:
            found = resolving.version_or_run(workspace, view, what)
            if isinstance(found, bytes):
                text = what
            else:
                if not reference.says_run(what) and not any(c in what for c in ":@"):
                    raise UsageError(
                        f"which version of {what}?", hint=f"name one as {what}:v0, or delete all with --collection"
                    )
                planned = registry.plan_delete(workspace, view, found)
                names_taken = (*planned.aliases, *planned.links)
                text = resolving.display(workspace, found) + (f" with {', '.join(names_taken)}" if names_taken else "")
    if dry_run:
        output.result({"would_delete": text}, f"would delete {text}")
        return
    if collection:
        if held and not force:
            raise UsageError(f"{shown} has aliases: {', '.join(held)}", hint="'--force' deletes them with it")
        registry.delete_collection(workspace, name, command)
    elif isinstance(found, bytes):
        registry.delete_run(workspace, found, command)
    else:
        registry.delete_version(workspace, found, command, with_names=force)
    output.result({"deleted": text}, f"deleted {text}; 'mlvc undo' brings it back")
