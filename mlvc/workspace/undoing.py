"""Undo: a transaction that makes another count as never made; the lock file goes back with it."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from mlvc import atomic_file
from mlvc.errors import ConflictError, NotFoundError
from mlvc.fold import facts
from mlvc.fold.questions import TransactionView, View
from mlvc.format.ids import TransactionId, short
from mlvc.format.operations import Undo
from mlvc.working_tree import lock_file
from mlvc.working_tree.lock_file import Pins
from mlvc.workspace.workspace import Workspace

_BEFORE, _AFTER = "lock-before", "lock-after"


class Undone(Struct, frozen=True):
    """What was undone, and which pins went back to what they were."""

    transaction: TransactionView
    pins_restored: tuple[str, ...]


def undo(workspace: Workspace, which: str | None, command: str, *, force: bool = False) -> Undone:
    """Undoes the last change that is neither undone nor an undo, or the one whose id begins with `which`.

    Naming an undo brings back what it had undone, pins included.

    Raises:
        NotFoundError: there is none.
        ConflictError: the id fits several, or one that is undone already; or it was pushed, and `force` is False.
    """
    with workspace.repository.reading() as view:
        found = _find(view, which)
    if not force and is_pushed(workspace, found.id):
        raise ConflictError(
            f"'{found.command}' ({short(found.id, 8)}) was pushed: others may have built on it", hint="'--force' undoes it for everyone"
        )
    with workspace.committing(command) as commit:
        commit.say(Undo(found.id))
    assert commit.written is not None, "the block ended well"
    return Undone(found, _restore_pins(workspace, found.id, commit.written.transaction))


def _find(view: View, which: str | None) -> TransactionView:
    if which is None:
        found = next((t for t in view.transactions() if not (t.is_undone or t.is_empty or _is_undo(view, t.id))), None)
        if found is None:
            raise NotFoundError("there is nothing to undo", hint="'mlvc oplog' lists what was done")
        return found
    fitting = [t for t in view.transactions() if t.id.hex().startswith(which.lower())]
    if not fitting:
        raise NotFoundError(f"no change has an id that begins with '{which}'", hint="'mlvc oplog' lists them")
    if len(fitting) > 1:
        raise ConflictError(f"'{which}' fits {len(fitting)} changes", hint="give more digits")
    if fitting[0].is_undone:
        raise ConflictError(f"{short(fitting[0].id, 8)} is undone already", hint="undo its undo to bring it back")
    return fitting[0]


def _is_undo(view: View, identifier: TransactionId) -> bool:
    record = facts.transaction(view.look, identifier)
    return record is not None and any(kind == "undone" for kind, *_ in record["touches"])


def is_pushed(workspace: Workspace, identifier: TransactionId) -> bool:
    """Tells whether a transaction is confirmed by an authority that is not this store."""
    standing = workspace.repository.refresh()
    confirmed = workspace.repository.cached_view.entry_of(identifier) is not None
    return confirmed and not workspace.repository.is_authority(standing)


# -- pins -------------------------------------------------------------------------------------------------------------


def pins_lock(workspace: Workspace) -> Path:
    """Returns the file to lock while pins are changed."""
    return workspace.repository.path / "locks" / "pins"


def remember_pins(workspace: Workspace, transaction: TransactionId, before: Pins, after: Pins) -> None:
    """Keeps what a transaction changed in the lock file, for undoing it: local, and only for this clone."""
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    if not changed:
        return
    for name, pins in ((_BEFORE, before), (_AFTER, after)):
        path = _memory(workspace, name, transaction)
        atomic_file.make_folder(path.parent)
        atomic_file.create(path, lock_file.render({p: pin for p, pin in pins.items() if p in changed}).encode())


def _memory(workspace: Workspace, name: str, transaction: TransactionId) -> Path:
    return workspace.repository.path / "cache" / name / transaction.hex()


def _recall(workspace: Workspace, name: str, transaction: TransactionId) -> Pins:
    path = _memory(workspace, name, transaction)
    return lock_file.parse(path.read_text(encoding="utf-8"), str(path)) if path.is_file() else {}


def _restore_pins(workspace: Workspace, undone: TransactionId, undo: TransactionId) -> tuple[str, ...]:
    """Puts back the pins that a transaction had changed and that still say what it wrote."""
    before, after = _recall(workspace, _BEFORE, undone), _recall(workspace, _AFTER, undone)
    if not before and not after:
        return ()
    restored = []
    with lock_file.changing(workspace.root, pins_lock(workspace)) as pins:
        now = dict(pins)
        for path in sorted(before.keys() | after.keys()):
            if now.get(path) != after.get(path):
                continue
            if path in before:
                pins[path] = before[path]
            else:
                del pins[path]
            restored.append(path)
        remember_pins(workspace, undo, now, pins)
    return tuple(restored)
