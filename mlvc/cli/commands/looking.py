"""ls, log, show, cat, get: looking at versions and getting them out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from mlvc.cli import context, output, parameters
from mlvc.errors import NotFoundError
from mlvc.fold.questions import Member, View
from mlvc.format import names
from mlvc.format.ids import short
from mlvc.format.manifest import FileEntry
from mlvc.workspace import contents, resolving, shapes
from mlvc.workspace.workspace import Workspace


@click.command("ls", epilog="Examples: mlvc ls   mlvc ls mnist   mlvc ls --all")
@click.argument("collection", required=False, type=parameters.COLLECTION)
@click.option("--all", "everything", is_flag=True, help="Collections of all projects.")
def ls_command(collection: str | None, everything: bool) -> None:
    """List artifacts and registered models, or the versions of one."""
    workspace = context.workspace()
    with workspace.repository.reading() as view:
        if collection is not None:
            found = list(view.members(resolving.existing_collection(workspace, view, collection)))
            rows = [_version_row(workspace, view, member) for member in found]
            data: list[Any] = [shapes.version(workspace, view, member) for member in found]
            output.result(data, output.table(rows, ("NAME", "ID", "ALIASES", "PUBLISHED")))
            return
        listed: list[tuple[str, ...]] = []
        data = []
        for one in view.collections():
            owner, _ = names.split_collection(one.name)
            if not everything and not names.is_registry(one.name) and owner != workspace.project:
                continue
            latest = view.latest(one.name)
            shown = names.display_collection(one.name, workspace.project)
            aliases = [_alias(view, one.name, a, latest) for a in view.aliases(one.name) if a != names.LATEST]
            label = latest.label if latest else "-"
            clash = "  (types clash: " + ", ".join(one.types) + ")" if len(one.types) > 1 else ""
            listed.append((shown, one.type + clash, output.count(one.count, "version"), label, ", ".join(aliases)))
            data.append(
                {
                    "name": shown,
                    "collection": names.display_collection(one.name),
                    "type": one.type,
                    "versions": one.count,
                    "latest": latest.label if latest else None,
                    "aliases": {a: v.version.hex() for a, v in view.aliases(one.name).items() if v.version},
                }
            )
    if not listed:
        output.note("nothing yet; 'mlvc add PATH' stores a first version")
    output.result(data, output.table(listed, ("NAME", "TYPE", "VERSIONS", "LATEST", "ALIASES")))


def _alias(view: View, collection: str, alias: str, latest: Member | None) -> str:
    """Returns an alias as a list of collections shows it, beside the latest version: with the version it means, if another."""
    answered = view.alias(collection, alias)
    if answered.in_conflict:
        return f"{alias}=conflict"
    member = view.member(collection, answered.version) if answered.version else None
    return alias if member is None or (latest and member.version == latest.version) else f"{alias}={member.label}"


def _version_row(workspace: Workspace, view: View, member: Member) -> tuple[str, str, str, str]:
    said = view.publications(member.version)
    return (
        resolving.display(workspace, member),
        f"@{short(member.version)}",
        ", ".join(view.aliases_of(member.collection, member.version)),
        output.when(said[-1].when_ms) if said else "",
    )


@click.command("log", epilog="Examples: mlvc log mnist   mlvc log -n 5   mlvc log registry/mnist --actions   mlvc log --git")
@click.argument("collection", required=False, type=parameters.COLLECTION)
@click.option("-n", "--max-count", default=20, show_default=True, help="How many to show.")
@click.option("--actions", is_flag=True, help="Show who linked, moved and protected what, the last first.")
@click.option("--git", "of_commits", is_flag=True, help="Show the commits that changed pins, and the versions that they brought.")
def log_command(collection: str | None, max_count: int, actions: bool, of_commits: bool) -> None:
    """Show versions, the newest first: who made each, with which run, and what it is called."""
    workspace = context.workspace()
    if of_commits:
        _show_commits(workspace, collection, max_count)
        return
    if actions:
        if collection is None:
            raise click.UsageError("whose actions? expected a registered model, such as registry/mnist")
        _show_actions(workspace, collection, max_count)
        return
    with workspace.repository.reading() as view:
        if collection is not None:
            chosen = [resolving.existing_collection(workspace, view, collection)]
        else:
            chosen = [c.name for c in view.collections() if names.split_collection(c.name)[0] == workspace.project]
        members = [m for name in chosen for m in _first(view.members(name, newest_first=True), max_count)]
        if len(chosen) > 1:
            members.sort(key=lambda m: max((p.when_ms for p in view.publications(m.version)), default=0), reverse=True)
        members = members[:max_count]
        lines: list[str] = []
        for member in members:
            lines += _log_lines(workspace, view, member)
        data = [shapes.version(workspace, view, member) for member in members]
    output.result(data, lines)


def _show_commits(workspace: Workspace, collection: str | None, max_count: int) -> None:
    from mlvc.cli.commands.files import pin_change_line
    from mlvc.workspace import pins_in_git

    lines, data = [], []
    with workspace.repository.reading() as view:
        stored = None if collection is None else resolving.existing_collection(workspace, view, collection)
        for commit, changes in pins_in_git.history(workspace, stored, max_count):
            lines.append(f"{commit.hash[:12]}  {output.when(commit.when_ms)}  {commit.author}: {commit.subject}")
            lines += [f"    {pin_change_line(workspace, view, change)}" for change in changes]
            pins = [{"path": c.path, "before": c.before and c.before.version.hex(), "after": c.after and c.after.version.hex()} for c in changes]
            data.append({"commit": commit.hash, "author": commit.author, "when_ms": commit.when_ms, "subject": commit.subject, "pins": pins})
    output.result(data, lines or ["no commit has changed a pin"])


def _show_actions(workspace: Workspace, collection: str, max_count: int) -> None:
    from mlvc.workspace import registry

    with workspace.repository.reading() as view:
        stored = resolving.existing_collection(workspace, view, collection)
        found = registry.actions(workspace, view, stored)[:max_count]
    lines = []
    for action in found:
        what = " ".join(part for part in (action["action"], action["alias"], action["version"] and f"-> {action['version']}") if part)
        marks = ["signed"] * bool(action["signer"]) + [f"refused: {action['problem']}"] * bool(action["problem"]) + ["undone"] * action["undone"]
        lines.append(f"{output.when(action['when_ms'])}  {what}  by {action['who']}" + (f"  ({'; '.join(marks)})" if marks else ""))
    output.result(found, lines)


def _first(members: Iterator[Member], count: int) -> Iterator[Member]:
    for _, member in zip(range(count), members, strict=False):
        yield member


def _log_lines(workspace: Workspace, view: View, member: Member) -> list[str]:
    aliases = view.aliases_of(member.collection, member.version)
    marks = f"  [{', '.join(aliases)}]" if aliases else ""
    lines = [f"{resolving.display(workspace, member)} @{short(member.version)}{marks}"]
    for said in view.publications(member.version):
        by = f"run {_run_name(workspace, view, said.run)}" if said.run else said.who
        lines.append(f"    {output.when(said.when_ms)}  {by}")
    _, description = view.metadata(member.version)
    if description:
        lines.append(f"    {description}")
    return lines


def _run_name(workspace: Workspace, view: View, run: Any) -> str:
    from mlvc.workspace import run_questions

    found = run_questions.describe(workspace, view, run)
    return found.name or found.label


@click.command("show", epilog="Examples: mlvc show mnist:production   mlvc show --tensors llama:v3   mlvc show run/brisk-harbor-7")
@click.argument("what", type=parameters.ANYTHING)
@click.option("--patch", is_flag=True, help="The uncommitted changes that the run was made with.")
@click.option("--console", is_flag=True, help="What the run printed.")
@click.option("--tensors", is_flag=True, help="The tensors in a version's files: name, type, shape, bytes, bytes stored.")
def show_command(what: str, patch: bool, console: bool, tensors: bool) -> None:
    """Show a version or a run: what it holds, where it came from, what it is called."""
    from mlvc.workspace import run_questions

    workspace = context.workspace()
    with workspace.repository.reading() as view:
        found = resolving.version_or_run(workspace, view, what)
        if isinstance(found, Member):
            (_show_tensors if tensors else _show_version)(workspace, view, found)
            return
        if tensors:
            raise click.UsageError("--tensors is of versions, and a run has none: name what it made")
        if patch or console:
            kept = run_questions.patch(workspace, view, found) if patch else run_questions.console(workspace, view, found)
            sys.stdout.buffer.write(kept)
            sys.stdout.flush()
            return
        run = run_questions.describe(workspace, view, found)
        used = [{"name": u.name or resolving.display_version(workspace, view, u.version), "id": u.version.hex()} for u in view.inputs(found)]
        made = [{"name": resolving.display_version(workspace, view, v), "id": v.hex()} for v in view.outputs(found)]
    git = run.facts.get("git") or {}
    lines = [f"run {run.name or run.label}  ({run.job_type or 'no job type'})  {run.state}"]
    lines += [f"  {name:<9} {value}" for name, value in _run_facts(run, git)]
    lines += [f"  {'left out':<9} {path or 'files'}: {why}, so not in --patch" for path, why in git.get("left_out", [])]
    lines += [f"  {'input':<9} {item['name']}" for item in used]
    lines += [f"  {'output':<9} {item['name']}" for item in made]
    lines += [f"  config    {name} = {value!r}" for name, value in run.config.items()]
    lines += [f"  summary   {name} = {value!r}" for name, value in run.summary.items() if not name.startswith("_")]
    output.result({**shapes.run(run), "inputs": used, "outputs": made}, lines)


def _run_facts(run: Any, git: dict[str, Any]) -> list[tuple[str, str]]:
    commit = git.get("commit")
    facts = [
        ("id", f"{run.label}  @{short(run.id, 12)}"),
        ("project", run.project),
        ("created", output.when(run.created_ms) if run.created_ms else ""),
        ("runtime", f"{run.runtime_s:.1f} s" if run.runtime_s is not None else ""),
        ("commit", f"{commit[:12]} on {git.get('branch') or 'no branch'}{' with changes' if git.get('is_dirty') else ''}" if commit else ""),
        ("committed", (run.facts.get("committed_as") or "")[:12]),
        ("no patch", git.get("patch_problem") or ""),
        ("command", " ".join(run.facts.get("command") or [])),
        ("group", run.group or ""),
        ("tags", ", ".join(run.tags)),
        ("notes", run.notes or ""),
    ]
    return [(name, value) for name, value in facts if value]


def _show_tensors(workspace: Workspace, view: View, member: Member) -> None:
    from mlvc.workspace import tensors

    rows, data = [], []
    for held in tensors.of(workspace, view, member.version):
        found = held.tensor
        stored = "" if held.stored_bytes is None else output.size(held.stored_bytes)
        shape = "x".join(map(str, found.shape)) or "-"
        rows.append((found.name, found.dtype or "-", shape, output.size(found.size), stored, held.path))
        data.append(
            {
                "path": held.path,
                "name": found.name,
                "dtype": found.dtype,
                "shape": list(found.shape),
                "size_bytes": found.size,
                "stored_bytes": held.stored_bytes,
            }
        )
    lines = output.table(rows, ("NAME", "TYPE", "SHAPE", "BYTES", "STORED", "FILE"))
    output.result(data, lines or [f"{resolving.display(workspace, member)} holds no tensors that mlvc can see"])


def _show_version(workspace: Workspace, view: View, member: Member) -> None:
    held = contents.of(workspace, view, member.version)
    data = shapes.version(workspace, view, member)
    entries = list(held.manifest)
    data["size_bytes"], data["file_count"] = held.manifest.size_bytes, held.manifest.count
    data["files"] = [
        {"path": e.path, "size_bytes": e.size, "digest": e.digest.hex() if isinstance(e, FileEntry) else None} for e in entries[:10_000]
    ]
    lines = [f"{data['name']}  ({data['type']})", f"  id          {data['id']}"]
    if data["aliases"]:
        lines.append(f"  aliases     {', '.join(data['aliases'])}")
    if data["tags"]:
        lines.append(f"  tags        {', '.join(data['tags'])}")
    if data["source"]:
        lines.append(f"  source      {data['source']}")
    lines += [f"  linked in   {name}" for name in data["links"]]
    lines.append(f"  holds       {output.count(held.manifest.count, 'file')}, {output.size(held.manifest.size_bytes)}")
    data["is_gone"] = view.is_gone(held.manifest.id)
    if data["is_gone"]:
        lines.append("  gone        its data was swept from the authority while it was deleted; adding the files again brings it back")
    for said in view.publications(member.version):
        by = f"run {_run_name(workspace, view, said.run)}, {said.who}" if said.run else said.who
        lines.append(f"  published   {output.when(said.when_ms)} by {by}")
    if data["description"]:
        lines.append(f"  description {data['description']}")
    lines += [f"  metadata    {name} = {value!r}" for name, value in data["metadata"].items()]
    lines += [f"    {output.size(e.size):>10}  {e.path}" for e in entries[:50]]
    if len(entries) > 50:
        lines.append(f"    and {len(entries) - 50:,} more; --json lists them")
    output.result(data, lines)


@click.command("cat", epilog="Example: mlvc cat mnist:v3 labels.csv")
@click.argument("reference", type=parameters.REFERENCE)
@click.argument("path")
def cat_command(reference: str, path: str) -> None:
    """Print one file of a version."""
    workspace = context.workspace()
    with workspace.repository.reading() as view:
        held = contents.of(workspace, view, resolving.version(workspace, view, reference).version)
        if held.manifest.get(path) is None:
            import difflib

            known = [entry.path for entry in held.manifest]
            near = difflib.get_close_matches(path, known, n=3, cutoff=0.4) or known[:3]
            raise NotFoundError(f"{reference} has no file '{path}'", hint=f"it has {', '.join(near)}")
    for piece in contents.read_entry(workspace, held, path):
        sys.stdout.buffer.write(piece)
    sys.stdout.flush()


@click.command("get", epilog="Examples: mlvc get mnist:production   mlvc get mnist:v3 /tmp/mnist")
@click.argument("reference", type=parameters.REFERENCE)
@click.argument("destination", required=False, type=parameters.PATH)
def get_command(reference: str, destination: Path | None) -> None:
    """Write a version's files to a folder (default: artifacts/NAME:vN). Pins nothing."""
    workspace = context.workspace()
    with workspace.repository.reading() as view:
        member = resolving.version(workspace, view, reference)
        held = contents.of(workspace, view, member.version)
        label = resolving.display(workspace, member)
    name = names.split_collection(member.collection)[1]
    folder = destination or Path("artifacts") / f"{name}:v{member.number}"
    folder = Path(folder).absolute()
    single = folder if folder.suffix and held.manifest.count == 1 and not folder.is_dir() and destination else None
    placed = contents.write_out(workspace, held, folder.parent if single else folder, as_file=single)
    data = {
        "name": label,
        "id": member.version.hex(),
        "path": str(folder),
        "written": placed.written,
        "unchanged": placed.unchanged,
        "bytes_written": placed.bytes_written,
    }
    text = f"{label} @{short(member.version)} -> {destination or folder.relative_to(Path.cwd())}: "
    text += f"{output.count(placed.written, 'file')} written ({output.size(placed.bytes_written)}), {placed.unchanged:,} right already"
    output.result(data, text)
