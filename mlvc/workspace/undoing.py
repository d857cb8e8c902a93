"""Undo: a transaction that makes another count as never made; the lock file goes back with it."""

from __future__ import annotations

from dataclasses import dataclass

from mlvc.errors import ConflictError, NotFoundError
from mlvc.fold.questions import TransactionView, View
from mlvc.format.ids import TransactionId, short
from mlvc.format.operations import Undo
from mlvc.working_tree import lock_file
from mlvc.workspace.workspace import Workspace

_UNDO = "mlvc undo"


@dataclass(frozen=True, slots=True)
class Undone:
    """What was undone, and which pins went back to what they were."""

    transaction: TransactionView
    pins_restored: tuple[str, ...]


def undo(workspace: Workspace, which: str | None, command: str, *, force: bool = False) -> Undone:
    """Undoes the last change that is neither undone nor an undo, or the one whose id begins with `which`.

    Raises:
        NotFoundError: there is none.
        ConflictError: the id fits several; or it was pushed, and `force` is False.
    """
    with workspace.repository.reading() as view:
        found = _find(view, which)
    if not force and is_pushed(workspace, found.id):
        raise ConflictError(
            f"'{found.command}' ({short(found.id, 8)}) was pushed: others may have built on it", hint="'--force' undoes it for everyone"
        )
    with workspace.committing(command) as commit:
        commit.say(Undo(found.id))
    return Undone(found, _restore_pins(workspace, found.id))


def _find(view: View, which: str | None) -> TransactionView:
    if which is None:
        found = next((t for t in view.transactions() if not t.is_undone and not t.command.startswith(_UNDO)), None)
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


def is_pushed(workspace: Workspace, identifier: TransactionId) -> bool:
    """Tells whether a transaction is confirmed by an authority that is not this store."""
    standing = workspace.repository.refresh()
    confirmed = workspace.repository.cached_view.entry_of(identifier) is not None
    return confirmed and not workspace.repository.is_authority(standing)


def _restore_pins(workspace: Workspace, identifier: TransactionId) -> tuple[str, ...]:
    """Puts back pins that the transaction had changed and that still point at what is gone now."""
    path = workspace.repository.path / "cache" / "lock-before" / identifier.hex()
    if not path.is_file():
        return ()
    before = lock_file.parse(path.read_text(encoding="utf-8"), str(path))
    now = lock_file.read(workspace.root)
    view = workspace.repository.view()
    restored = []
    for name, pin in list(now.items()):
        if before.get(name) == pin or view.is_alive(pin.version):
            continue
        if name in before:
            now[name] = before[name]
        else:
            del now[name]
        restored.append(name)
    if restored:
        lock_file.write(workspace.root, now)
    return tuple(restored)
