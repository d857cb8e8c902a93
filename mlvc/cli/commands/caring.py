"""undo, oplog, fsck, gc: looking after a repository."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlvc.cli import context, output
from mlvc.format.ids import short
from mlvc.workspace import shapes

if TYPE_CHECKING:
    from mlvc.maintenance.repacking import RepackPlan
    from mlvc.workspace.workspace import Workspace

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


@click.command("undo", epilog="Examples: mlvc undo   mlvc undo 3f2a9c")
@click.argument("transaction", required=False)
@click.option("--force", is_flag=True, help="Also when it was pushed.")
def undo_command(transaction: str | None, force: bool) -> None:
    """Take back the last change, or a named one of 'mlvc oplog'. Undoing an undo brings the change back."""
    from mlvc.working_tree import lock_file
    from mlvc.workspace import undoing

    workspace = context.workspace()
    done = undoing.undo(workspace, transaction, context.command_line(), force=force)
    lines = [f"undone: {done.transaction.command}  ({short(done.transaction.id, 8)}, {output.when(done.transaction.when_ms)})"]
    pins = lock_file.read(workspace.root)
    lines += [f"mlvc.lock: {path} is {'pinned as before' if path in pins else 'not pinned any more'}" for path in done.pins_restored]
    output.result({**shapes.transaction(done.transaction), "pins_restored": list(done.pins_restored)}, lines)


@click.command("oplog", epilog="Example: mlvc oplog -n 5")
@click.option("-n", "--max-count", default=20, show_default=True, help="How many to show.")
def oplog_command(max_count: int) -> None:
    """Show the transactions, the last first: who did what, and what was undone."""
    workspace = context.workspace()
    rows, data = [], []
    with workspace.repository.reading() as view:
        for _, found in zip(range(max_count), view.transactions(), strict=False):
            state = "undone" if found.is_undone else "pending" if found.arrival >= view.confirmed_arrivals else ""
            rows.append((short(found.id, 8), output.when(found.when_ms), found.who, found.command[:80], state))
            data.append({**shapes.transaction(found), "is_pending": found.arrival >= view.confirmed_arrivals})
    output.result(data, output.table(rows, ("ID", "WHEN", "WHO", "COMMAND", "")))


@click.command("fsck", epilog="Example: mlvc fsck --repair")
@click.option("--repair", is_flag=True, help="Heal what a remote or another copy can heal.")
def fsck_command(repair: bool) -> int:
    """Read and prove every byte that holds truth, and compare what is derived with it. Exits 1 on damage."""
    from mlvc.maintenance import checking
    from mlvc.workspace import caretaking, proving

    mended = repair and caretaking.mend_store_record(Path.cwd(), os.environ)
    workspace = context.workspace()
    with workspace.progress:
        report = proving.fsck(workspace, repair=repair)
    if mended:
        report.repaired.append("the store record: written anew from its copy")
    lines = [f"damaged: {sentence}" for sentence in report.damage]
    lines += [f"note: {sentence}" for sentence in report.notes]
    lines += [f"repaired: {sentence}" for sentence in report.repaired]
    if report.elsewhere:
        lines.append(f"{report.elsewhere:,} pieces are at the remote only; 'mlvc fetch' brings those of the pins")
    lines.append(f"{checking.summary(report)}: {'damage found' if report.damage else 'all is well'}")
    if report.damage and not repair:
        output.note("hint: 'mlvc fsck --repair' heals from a remote; adding the original files again heals too")
    data = {
        "damage": report.damage,
        "notes": report.notes,
        "repaired": report.repaired,
        "elsewhere": report.elsewhere,
        "packs": report.checked_packs,
        "bytes": report.checked_bytes,
        "entries": report.checked_entries,
    }
    output.result(data, lines)
    return 1 if report.damage else 0


def _seconds(_: click.Context, parameter: click.Parameter, given: str) -> float:
    match = re.fullmatch(r"(\d+)([smhdw]?)", given)
    if not match:
        raise click.BadParameter(f"expected a time such as 14d, 6h or 0, found '{given}'", param=parameter)
    return int(match[1]) * _UNITS[match[2] or "s"]


@click.command("gc", epilog="Example: mlvc gc --dry-run")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--grace", default="14d", show_default=True, callback=_seconds, help="How long deleted things can still be brought back.")
@click.option("--remote", metavar="NAME", help="Free it at this remote instead; everyone may go on pushing meanwhile.")
def gc_command(dry_run: bool, grace: float, remote: str | None) -> None:
    """Free the space of what nothing needs any more."""
    from mlvc.workspace import caretaking

    workspace = context.workspace()
    if remote is not None:
        _gc_remote(workspace, remote, dry_run=dry_run, grace=grace)
        return
    done = caretaking.gc(workspace, grace_s=grace, dry_run=dry_run)
    copies = caretaking.drop_copies(workspace, dry_run=dry_run)
    verb = "would free" if dry_run else "freed"
    lines = [f"{verb} {output.size(done.freed_bytes)} in {output.count(len(done.packs), 'pack')}; {done.kept_packs:,} stay"]
    if done.dead_bytes:
        lines.append(f"{output.size(done.dead_bytes)} of dead data stay in packs that hold living data too")
    if copies:
        lines.append(f"{verb} {output.size(copies)} of whole copies that no pin needs, less what they share with files")
    data = {
        "dry_run": dry_run,
        "freed_bytes": done.freed_bytes,
        "copies_bytes": copies,
        "packs": len(done.packs),
        "kept_packs": done.kept_packs,
        "dead_bytes": done.dead_bytes,
        "leftovers": len(done.leftovers),
    }
    output.result(data, lines)


def _gc_remote(workspace: Workspace, remote: str, *, dry_run: bool, grace: float) -> None:
    from mlvc.workspace import caretaking

    with workspace.progress:
        done = caretaking.gc_remote(workspace, remote, grace_s=grace, dry_run=dry_run)
    verb = "would free" if dry_run else "freed"
    lines = [f"{verb} {output.size(done.freed_bytes)} at '{remote}', in {output.count(len(done.packs), 'pack')}; {done.kept_packs:,} stay"]
    if done.dead_bytes:
        lines.append(f"{output.size(done.dead_bytes)} of dead data stay in packs that hold living data too, or came lately")
    data = {
        "dry_run": dry_run,
        "remote": remote,
        "freed_bytes": done.freed_bytes,
        "packs": len(done.packs),
        "kept_packs": done.kept_packs,
        "dead_bytes": done.dead_bytes,
    }
    output.result(data, lines)


@click.command("repack", epilog="Example: mlvc repack --dry-run")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--grace", default="14d", show_default=True, callback=_seconds, help="How long deleted things can still be brought back.")
def repack_command(dry_run: bool, grace: float) -> None:
    """Write packs anew that are mostly dead, or small and many; keeps every living byte."""
    from mlvc.workspace import caretaking

    done = caretaking.repack(context.workspace(), grace_s=grace, dry_run=dry_run)
    verb = "would rewrite" if dry_run else "rewrote"
    _tell_rewrite(done, dry_run, f"{verb} {output.count(len(done.packs), 'pack')}")


@click.command("prune", epilog="Example: mlvc prune --dry-run")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
def prune_command(dry_run: bool) -> None:
    """Free local data that the upstream holds and no pin, run or unpushed change needs; fetched again when wanted."""
    from mlvc.workspace import caretaking

    workspace = context.workspace()
    done = caretaking.prune(workspace, dry_run=dry_run)
    caretaking.drop_copies(workspace, dry_run=dry_run)
    verb = "would drop data from" if dry_run else "dropped data from"
    _tell_rewrite(done, dry_run, f"{verb} {output.count(len(done.packs), 'pack')}")


def _tell_rewrite(done: RepackPlan, dry_run: bool, what: str) -> None:
    freed = f"{'would free' if dry_run else 'freed'} {output.size(done.freed_bytes)}, {output.size(done.moved_bytes)} copied"
    data = {"dry_run": dry_run, "packs": len(done.packs), "freed_bytes": done.freed_bytes, "moved_bytes": done.moved_bytes}
    output.result(data, f"{what}: {freed}")


@click.command("du", epilog="Example: mlvc du")
def du_command() -> None:
    """Show what each collection costs, what deduplication and encoding saved, and what gc would free."""
    from mlvc.format import names
    from mlvc.maintenance import collecting
    from mlvc.workspace import caretaking, costs

    workspace = context.workspace()
    with workspace.repository.reading() as view:
        found = costs.of_all(workspace, view)
    plan = caretaking.gc(workspace, grace_s=collecting.DEFAULT_GRACE_S, dry_run=True)
    rows = [
        (
            names.display_collection(c.name, workspace.project),
            output.count(c.versions, "version"),
            output.size(c.raw),
            output.size(c.stored),
            output.size(c.own),
            output.size(c.elsewhere) if c.elsewhere else "",
        )
        for c in sorted(found.collections, key=lambda c: -c.stored)
    ]
    lines = output.table(rows, ("COLLECTION", "", "RAW", "STORED", "ONLY ITS", "NOT HERE"))
    lines.append(
        f"{output.size(found.raw)} in all versions; equal parts kept once save {output.size(found.deduplicated)}, "
        f"encoding saves {output.size(found.encoded)}"
    )
    lines.append(f"{output.size(found.packs)} in packs; 'mlvc gc' would free {output.size(plan.freed_bytes)}")
    copies = workspace.copies.size_bytes()
    if copies:
        lines.append(f"{output.size(copies)} in whole copies for fast checkouts, less what they share with files")
    data = {
        "collections": [
            {
                "name": c.name,
                "versions": c.versions,
                "raw_bytes": c.raw,
                "distinct_bytes": c.distinct,
                "stored_bytes": c.stored,
                "own_bytes": c.own,
                "elsewhere_bytes": c.elsewhere,
            }
            for c in found.collections
        ],
        "raw_bytes": found.raw,
        "distinct_bytes": found.distinct,
        "stored_bytes": found.stored,
        "pack_bytes": found.packs,
        "copies_bytes": copies,
        "freeable_bytes": plan.freed_bytes,
    }
    output.result(data, lines)
