"""Sweeps: which packs do not exist any more at which store, and whose data went with them (DESIGN 5, garbage collection).

A sweep is an act on the journal, not a transaction. A publication after it brings the data again.
"""

from __future__ import annotations

from collections.abc import Iterator

from mlvc.fold.look import Changes, Look, Overlay, key, parts
from mlvc.format.journal_entry import SWEEP, Control
from mlvc.format.pack import PackName

_YES = 1


def fold_act(act: Control, look: Look) -> Changes:
    """Returns what a control act changes in the view."""
    view = Overlay(look)
    if act.kind == SWEEP:
        for name in act.drops:
            view.put(key("swept", act.store_id, name.to_wire()), _YES)
        for manifest in act.gone:
            view.put(key("gone", manifest), _YES)
    return view.changes()


def come_back(view: Overlay, manifest: bytes) -> None:
    """A publication brings all that it needs, also what was swept."""
    if view.get(key("gone", manifest)) is not None:
        view.put(key("gone", manifest), None)


def swept(look: Look, store: bytes) -> Iterator[PackName]:
    """Yields the packs that do not exist any more at a store."""
    for at, _ in look.scan(key("swept", store)):
        yield PackName.from_wire(bytes(parts(at)[2]))  # type: ignore[arg-type]


def is_gone(look: Look, manifest: bytes) -> bool:
    """Tells whether the data of a manifest was swept and not brought again."""
    return look.get(key("gone", manifest)) is not None
