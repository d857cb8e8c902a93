"""An alias is a multi-value register (DESIGN 3.6, RULES C4).

Moves of one alias form a graph: each names the maximal moves it saw. A move replaces those and all that those replaced,
whether or not they were undone since. *Tips* are the maximal moves of the graph, undone ones included: what the next
author names. *Heads* are the standing moves that no standing move replaced: what the alias may answer. In force is the
value of the head that comes first in fold order; more than one value is a conflict, shown until a move saw both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct

from mlvc.fold import facts
from mlvc.fold.look import Look, Overlay, Value, key
from mlvc.format.ids import FactId, VersionId
from mlvc.format.operations import Move


class AliasAnswer(Struct, frozen=True):
    """What an alias answers.

    Attributes:
        version: in force, or None when the alias points at nothing.
        values: all distinct remaining values, the one in force first; None among them is a removal.
    """

    version: VersionId | None
    values: tuple[VersionId | None, ...]

    @property
    def in_conflict(self) -> bool:
        """Whether two clones moved it apart and no one has decided since."""
        return len(self.values) > 1


def record_move(view: Overlay, fact: FactId, order: int, move: Move) -> None:
    """Adds a move to its alias' register."""
    _put_move(view, fact, order, move)
    register = _register(view, move.collection, move.alias)
    replaced = _replaced(view, _saw(view, fact), [*register["tips"], *register["heads"]])
    _put_register(
        view,
        move.collection,
        move.alias,
        [f for f in register["tips"] if f not in replaced] + [fact],
        [f for f in register["heads"] if f not in replaced] + ([fact] if facts.stands(view, fact) else []),
    )


def record_refused(view: Overlay, fact: FactId, order: int, move: Move) -> None:
    """Keeps a refused move in the graph, without a value: an author who saw it saw what it would have replaced."""
    _put_move(view, fact, order, move)


def _put_move(view: Overlay, fact: FactId, order: int, move: Move) -> None:
    """Adds a move to the graph; what it names that is no earlier move of this alias means nothing."""
    saw = [f for f in move.saw if (found := _move(view, f)) and found[:2] == [move.collection, move.alias]]
    view.put(key("move", fact), [move.collection, move.alias, order, move.version, saw])


def recompute(view: Overlay, collection: str, alias: str) -> None:
    """Finds the heads anew after a transaction was undone, or stands again."""
    tips = _register(view, collection, alias)["tips"]
    candidates: list[FactId] = []
    waiting, seen = list(tips), set(tips)
    while waiting:
        fact = waiting.pop()
        if facts.stands(view, fact):
            candidates.append(fact)
            continue
        for older in _saw(view, fact):
            if older not in seen:
                seen.add(older)
                waiting.append(older)
    replaced: set[FactId] = set()
    for fact in candidates:
        replaced |= _replaced(view, _saw(view, fact), candidates)
    _put_register(view, collection, alias, tips, [f for f in candidates if f not in replaced])


def _register(look: Look, collection: str, alias: str) -> dict[str, list[FactId]]:
    return look.get(key("alias", collection, alias)) or {"tips": [], "heads": []}


def _put_register(view: Overlay, collection: str, alias: str, tips: list[FactId], heads: list[FactId]) -> None:
    view.put(key("alias", collection, alias), {"tips": sorted(tips), "heads": sorted(heads, key=lambda f: _order(view, f))})
    view.put(key("contested", collection, alias), 1 if len(heads) > 1 else None)


def _move(look: Look, fact: FactId) -> Value | None:
    return look.get(key("move", fact))


def _order(look: Look, fact: FactId) -> int:
    found = _move(look, fact)
    return int(found[2]) if found else -1


def _saw(look: Look, fact: FactId) -> list[FactId]:
    found = _move(look, fact)
    return list(found[4]) if found else []


def _replaced(look: Look, saw: Iterable[FactId], candidates: Iterable[FactId]) -> set[FactId]:
    """Returns those of `candidates` that moves in `saw` are, or replaced, at any depth.

    A move replaces only moves before it in fold order, so the walk stops below the oldest candidate.
    """
    wanted = set(candidates)
    if not wanted:
        return set()
    oldest = min(_order(look, fact) for fact in wanted)
    found: set[FactId] = set()
    waiting, seen = list(saw), set(saw)
    while waiting:
        fact = waiting.pop()
        if fact in wanted:
            found.add(fact)
        for older in _saw(look, fact):
            if older not in seen and _order(look, older) >= oldest:
                seen.add(older)
                waiting.append(older)
    return found


def tips(look: Look, collection: str, alias: str) -> tuple[FactId, ...]:
    """Returns the maximal moves of an alias: what a new move has to name."""
    return tuple(_register(look, collection, alias)["tips"])


def answer(
    look: Look, collection: str, alias: str, is_shown: Callable[[Look, str, VersionId], bool]
) -> AliasAnswer:
    """Returns what the alias answers.

    Args:
        look: the view.
        collection: as stored.
        alias: its name; `latest` is none of these registers.
        is_shown: tells whether a version is alive in the collection; a move onto a dead one has no value.
    """
    values = [version for version, _ in sides(look, collection, alias, is_shown)]
    return AliasAnswer(values[0] if values else None, tuple(values))


def sides(
    look: Look, collection: str, alias: str, is_shown: Callable[[Look, str, VersionId], bool]
) -> list[tuple[VersionId | None, FactId]]:
    """Returns the values that an alias has, each with the first move that gave it, the one in force first; see `answer`."""
    found: list[tuple[VersionId | None, FactId]] = []
    for fact in _register(look, collection, alias)["heads"]:
        if not facts.counts(look, fact):
            continue  # deleted with its version: it still replaces what it replaced, but has no value of its own
        said = _move(look, fact)
        if said is None:
            continue
        version = None if said[3] is None else VersionId(said[3])
        if version is not None and not is_shown(look, collection, version):
            continue
        if version not in [value for value, _ in found]:
            found.append((version, FactId(fact)))
    return found
