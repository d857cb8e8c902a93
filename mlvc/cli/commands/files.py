"""add, status, checkout, rm, diff: the files of the working tree and the versions they are pinned to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlvc.cli import conflict_lines, context, output, parameters
from mlvc.fold.questions import Member, View
from mlvc.format import names
from mlvc.format.ids import short
from mlvc.workspace import resolving
from mlvc.workspace.publishing import Published
from mlvc.workspace.workspace import Workspace

if TYPE_CHECKING:
    from mlvc.workspace.comparing import TreeStatus
    from mlvc.workspace.pins_in_git import PinChange


def stored_line(workspace: Workspace, published: Published) -> str:
    """Returns `mnist:v3 @1f9c2a  1 file, 12.3 MB (0.4 MB new)`."""
    label = resolving.display(workspace, published.member)
    sizes = f"{output.count(published.files, 'file')}, {output.size(published.size_bytes)}"
    return f"{label} @{short(published.member.version)}  {sizes} ({output.size(published.new_bytes)} new)"


@click.command("add", epilog="Example: mlvc add models/m.h5 --name mnist --alias candidate")
@click.argument("paths", nargs=-1, required=True, type=parameters.PATH)
@click.option("--name", help="Name of the artifact; default: the stem of the path's last component.")
@click.option("--type", "type_name", help="Type, as 'model' or 'dataset'; default: the artifact's, else by suffix.")
@click.option("--alias", "aliases", multiple=True, help="Alias to point at the new version; repeatable.")
@click.option("--tag", "tags", multiple=True, help="Tag of the version; repeatable.")
@click.option("--meta", multiple=True, callback=context.key_values, help="Metadata KEY=VALUE; repeatable.")
@click.option("--description", default="", help="What the version is.")
@click.option("--base", type=parameters.REFERENCE, help="The version it was derived from.")
def add_command(
    paths: tuple[Path, ...],
    name: str | None,
    type_name: str | None,
    aliases: tuple[str, ...],
    tags: tuple[str, ...],
    meta: dict[str, object],
    description: str,
    base: str | None,
) -> None:
    """Store files or folders as new versions, and pin their paths.

    Git is kept away from the files (through .gitignore), and mlvc.lock, which Git tracks, says which version each path
    holds.
    """
    from mlvc.workspace import pinning

    workspace = context.workspace()
    if name and len(paths) > 1:
        raise click.UsageError("--name fits one path only")
    base_version = None
    if base:
        with workspace.repository.reading() as view:
            base_version = resolving.version(workspace, view, base).version
    shown: list[dict[str, Any]] = []
    lines = []
    for path in paths:
        added = pinning.add(
            workspace,
            path,
            context.command_line(),
            name=name,
            type=type_name,
            aliases=aliases,
            tags=tags,
            metadata=dict(meta),
            description=description,
            base=base_version,
        )
        for warning in added.warnings:
            output.note(f"warning: {warning}")
        label = resolving.display(workspace, added.member)
        if added.published is None:
            lines.append(f"{label} @{short(added.member.version)}  unchanged")
        else:
            lines.append(stored_line(workspace, added.published) + f"  {added.type}")
        shown.append(
            {
                "path": added.pin.path,
                "name": label,
                "id": added.member.version.hex(),
                "type": added.type,
                "is_new": bool(added.published and added.published.is_new),
                "size_bytes": added.published.size_bytes if added.published else None,
                "new_bytes": added.published.new_bytes if added.published else 0,
            }
        )
    output.result(shown, lines)


@click.command("status", epilog="Example: mlvc status")
@click.option("--exit-code", is_flag=True, help="Exit with 1 when files differ from their pins or something conflicts.")
def status_command(exit_code: bool) -> int:
    """Show how files differ from their pins, what is not pushed, and what is in conflict."""
    from mlvc.workspace import comparing, pinning

    workspace = context.workspace()
    tree = pinning.status(workspace)
    with workspace.repository.reading() as view:
        conflicts = list(view.conflicts())
        pending = workspace.repository.cached_view.unconfirmed()
        stopped = workspace.repository.cached_view.standing().stopped
        lines = [] if stopped is None else [f"this mlvc is too old for all of it: {stopped}"]
        differs = False
        for pin in tree.pins:
            differs = differs or bool(pin.changes)
            is_unknown = any(change.kind == comparing.UNKNOWN for change in pin.changes)
            if is_unknown:
                lines.append(f"{'unknown:':<10} {pin.pin.path}  ({pin.label}): 'mlvc pull' may bring it")
            elif pin.holds:
                lines.append(f"{'behind:':<10} {pin.pin.path} holds {pin.holds}, mlvc.lock pins {pin.label}; 'mlvc checkout' brings it in line")
            else:
                lines += [f"{change.kind + ':':<10} {change.path}  ({pin.label})" for change in pin.changes]
            if pin.newer:
                lines.append(f"{'newer:':<10} {pin.pin.path} holds {pin.label}, the latest is {pin.newer}")
        for pin in tree.leftover:
            lines.append(f"{'leftover:':<10} {pin.pin.path} ({pin.label}) is pinned no more; 'mlvc checkout' removes it")
        lines += conflict_lines.lines(workspace, view)
        for _, _, why in view.refusals():
            lines.append(f"{'refused:':<10} {why}")
    if pending and workspace.settings.remotes:
        lines.append(f"{output.count(len(pending), 'change')} not pushed; 'mlvc push' sends {'it' if len(pending) == 1 else 'them'}")
    absent = _absent(workspace, tree)
    for label, files, size in absent:
        lines.append(f"{'not here:':<10} {label}: {output.count(files, 'file')}, {output.size(size)}; 'mlvc fetch' brings {'it' if files == 1 else 'them'}")
    if not tree.pins and not tree.leftover:
        lines.append("no path is pinned; 'mlvc add PATH' stores a version and pins it")
    elif not differs and not tree.leftover:
        lines.append(f"{output.count(len(tree.pins), 'pinned path')}, nothing changed")
    data = {
        "pins": [
            {
                "path": pin.pin.path,
                "name": pin.label,
                "id": pin.pin.version.hex(),
                "changes": [{"path": c.path, "kind": c.kind} for c in pin.changes],
                "newer": pin.newer,
                "holds": pin.holds,
            }
            for pin in tree.pins
        ],
        "leftover": [{"path": pin.pin.path, "name": pin.label, "id": pin.pin.version.hex()} for pin in tree.leftover],
        "conflicts": [
            {
                "kind": c.kind,
                "collection": names.display_collection(c.collection),
                "alias": c.alias,
                "values": [None if v is None else v.hex() for v in c.values],
            }
            for c in conflicts
        ],
        "unpushed": [identifier.hex() for identifier in pending],
        "not_here": [{"name": label, "files": files, "size_bytes": size} for label, files, size in absent],
    }
    output.result(data, lines)
    return 1 if exit_code and (differs or tree.leftover or conflicts) else 0



@click.command("checkout", epilog="Examples: mlvc checkout   mlvc checkout data   mlvc checkout mnist:v3")
@click.argument("what", nargs=-1)
@click.option("--force", is_flag=True, help="Overwrite changes that are saved nowhere.")
def checkout_command(what: tuple[str, ...], force: bool) -> None:
    """Make files match their pins, or check out another version and pin it.

    Without arguments: all pinned paths. With paths: those. With REF [PATH]: writes that version and pins it.
    """
    from mlvc.workspace import checking_out

    workspace = context.workspace()
    is_paths = all(_is_pinned_path(workspace, item) for item in what)
    if is_paths:
        done = checking_out.checkout(workspace, [Path(item) for item in what], force=force)
        lines = [_checked_out(done)]
        pins = done.pins
    else:
        if len(what) > 2:
            raise click.UsageError("expected paths that are pinned, or REF [PATH]")
        pin, done = checking_out.checkout_version(workspace, what[0], Path(what[1]) if len(what) == 2 else None, force=force)
        with workspace.repository.reading() as view:
            label = resolving.display_version(workspace, view, pin.version)
        lines = [f"{pin.path} holds {label}: {_checked_out(done)}"]
        pins = (pin,)
    data = {
        "pins": [{"path": pin.path, "id": pin.version.hex()} for pin in pins],
        "written": done.written,
        "unchanged": done.unchanged,
        "removed": done.removed,
        "bytes_written": done.bytes_written,
    }
    output.result(data, lines)


def _is_pinned_path(workspace: Workspace, text: str) -> bool:
    from mlvc.working_tree import lock_file
    from mlvc.workspace import checking_out

    if any(c in text for c in ":@") and not Path(text).exists():
        return False
    pins = lock_file.read(workspace.root)
    path = workspace.require_project_folder(Path(text))
    is_around = path in pins or any(p.startswith(f"{path}/") for p in pins) or path == "."
    return is_around or checking_out.pinned_around(pins, path) is not None


def _checked_out(done: Any) -> str:
    removed = f", {output.count(done.removed, 'file')} removed" if done.removed else ""
    return f"{output.count(done.written, 'file')} written ({output.size(done.bytes_written)}), {done.unchanged:,} right already{removed}"


@click.command("rm", epilog="Example: mlvc rm data/raw")
@click.argument("paths", nargs=-1, required=True, type=parameters.PATH)
def rm_command(paths: tuple[Path, ...]) -> None:
    """Unpin paths. Files and versions stay."""
    from mlvc.workspace import pinning

    workspace = context.workspace()
    pins = [pinning.remove_pin(workspace, path) for path in paths]
    output.result([{"path": pin.path} for pin in pins], [f"unpinned {pin.path}" for pin in pins])


@click.command("diff", epilog="Examples: mlvc diff   mlvc diff mnist:v3   mlvc diff --tensors llama:v2 llama:v3   mlvc diff --git main..feature")
@click.argument("references", nargs=-1, type=parameters.REFERENCE)
@click.option("--tensors", is_flag=True, help="Which tensors changed, and by how much.")
@click.option("--git", "of_commits", is_flag=True, help="The arguments are Git's: A..B, A...B, or A for A and mlvc.lock here; none means HEAD.")
def diff_command(references: tuple[str, ...], tensors: bool, of_commits: bool) -> None:
    """Show what changed: files against pins, a version against the one before it, two versions, or the pins of two commits."""
    from mlvc.workspace import comparing, pinning

    workspace = context.workspace()
    if of_commits:
        if len(references) > 1:
            references = ("..".join(references),) if len(references) == 2 else references
        if len(references) > 1 or tensors:
            raise click.UsageError("--git compares the pins of two commits: expected A..B")
        _diff_commits(workspace, references[0] if references else None)
        return
    if len(references) > 2:
        raise click.UsageError("expected at most two versions")
    if tensors and not references:
        raise click.UsageError("--tensors compares versions: name one or two")
    if not references:
        changes = [change for pin in pinning.status(workspace).pins for change in pin.changes]
        output.result(
            [{"path": c.path, "kind": c.kind} for c in changes], [f"{c.kind + ':':<10} {c.path}" for c in changes]
        )
        return
    with workspace.repository.reading() as view:
        after = resolving.version(workspace, view, references[-1])
        if len(references) == 2:
            before = resolving.version(workspace, view, references[0])
        else:
            older = [m for m in view.members(after.collection) if m.number < after.number]
            if not older:
                raise click.UsageError(f"{resolving.display(workspace, after)} is the first version; name another to compare with")
            before = older[-1]
        if tensors:
            _diff_tensors(workspace, view, before, after)
            return
        found = comparing.versions(workspace, view, before.version, after.version)
        metadata = comparing.metadata_changes(workspace, view, before.version, after.version)
    lines = [f"{resolving.display(workspace, before)} -> {resolving.display(workspace, after)}"]
    for entry in found:
        sizes = " -> ".join(output.size(s) for s in (entry.size_before, entry.size_after) if s is not None)
        lines.append(f"{entry.kind + ':':<10} {entry.path}  {sizes}")
    lines += [f"{'metadata:':<10} {name}  {old!r} -> {new!r}" for name, old, new in metadata]
    if len(lines) == 1:
        lines.append("no difference")
    data = {
        "before": before.version.hex(),
        "after": after.version.hex(),
        "files": [
            {"path": e.path, "kind": e.kind, "size_before": e.size_before, "size_after": e.size_after} for e in found
        ],
        "metadata": [{"key": k, "before": b, "after": a} for k, b, a in metadata],
    }
    output.result(data, lines)


def _diff_commits(workspace: Workspace, wanted: str | None) -> None:
    from mlvc.workspace import pins_in_git

    found = pins_in_git.between(workspace, wanted)
    with workspace.repository.reading() as view:
        lines = [pin_change_line(workspace, view, change) for change in found]
    data = [
        {"path": c.path, "kind": c.kind, "before": c.before and c.before.version.hex(), "after": c.after and c.after.version.hex()} for c in found
    ]
    output.result(data, lines or ["no pin differs"])


def pin_change_line(workspace: Workspace, view: View, change: PinChange) -> str:
    """Returns `modified:  data  digits:v3 -> digits:v4`."""
    from mlvc.workspace import pins_in_git

    sides = [pins_in_git.label(workspace, view, pin) for pin in (change.before, change.after) if pin is not None]
    return f"{change.kind + ':':<10} {change.path}  {' -> '.join(sides)}"


def _diff_tensors(workspace: Workspace, view: View, before: Member, after: Member) -> None:
    from mlvc.workspace import tensors

    lines = [f"{resolving.display(workspace, before)} -> {resolving.display(workspace, after)}"]
    data = []
    changes = list(tensors.differences(workspace, view, before.version, after.version))
    are_in_one_file = len({change.path for change in changes}) <= 1
    for change in changes:
        found = change.difference
        said = f"{change.kind + ':':<10} {change.name}" + ("" if are_in_one_file else f"  in {change.path}")
        if found is not None:
            said += f"  {found.changed:,} of {found.count:,} elements  max {found.largest:.3g}  mean {found.mean:.3g}"
        elif change.before is not None and change.after is not None:
            old, new = (f"{t.dtype or '-'} {'x'.join(map(str, t.shape)) or '-'}" for t in (change.before, change.after))
            said += f"  {old}" if old == new else f"  {old} -> {new}"
        lines.append(said)
        data.append(
            {
                "path": change.path,
                "name": change.name,
                "kind": change.kind,
                "elements": found.count if found else None,
                "elements_changed": found.changed if found else None,
                "max_difference": found.largest if found else None,
                "mean_difference": found.mean if found else None,
            }
        )
    if not data:
        lines.append("no tensor differs")
    output.result({"before": before.version.hex(), "after": after.version.hex(), "tensors": data}, lines)


def _absent(workspace: Workspace, tree: TreeStatus) -> list[tuple[str, int, int]]:
    """Returns which pinned versions are not all in local packs: (label, files, bytes). Only where there is somewhere else to be."""
    from mlvc.errors import DamageError, NotFoundError
    from mlvc.workspace import contents

    found = []
    if workspace.settings.remotes:
        with workspace.repository.reading() as view:
            for version, label in {pin.pin.version: pin.label for pin in tree.pins}.items():
                try:
                    files, size = contents.lacking(workspace, view, version)
                except (DamageError, NotFoundError):
                    continue  # 'fsck' tells of it
                if files:
                    found.append((label, files, size))
    return found
