"""Merging `mlvc.lock` path by path, and the conflicts that a person reads and settles in it.

A path that both sides changed stands in the file three times, between Git's own markers, with comments that say what each is:

    <<<<<<< ours
    # data: digits:v4
    data<TAB>5f…<TAB>demo/digits<TAB>.
    ||||||| base
    data<TAB>1c…<TAB>demo/digits<TAB>.
    =======
    data<TAB>9a…<TAB>demo/digits<TAB>.
    >>>>>>> theirs
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from mlvc.working_tree import lock_file
from mlvc.working_tree.lock_file import Pin, Pins

OURS, BASE, THEIRS = "ours", "base", "theirs"


class PinConflict(Struct, frozen=True):
    """A path that two sides pin differently; None where a side does not pin it."""

    path: str
    ours: Pin | None
    base: Pin | None
    theirs: Pin | None

    def side(self, name: str) -> Pin | None:
        """Returns what `OURS`, `BASE` or `THEIRS` pins."""
        return {OURS: self.ours, BASE: self.base, THEIRS: self.theirs}[name]


class Merged(Struct, frozen=True):
    """The pins that are agreed, and the conflicts."""

    pins: Pins
    conflicts: tuple[PinConflict, ...]


def merge(base: Pins, ours: Pins, theirs: Pins) -> Merged:
    """Merges two sides by path. What one side changed counts; what both changed alike, too; paths that would lie within each other conflict."""
    pins: Pins = {}
    conflicts = {}
    for path in {**base, **ours, **theirs}:
        old, mine, other = base.get(path), ours.get(path), theirs.get(path)
        if mine == other or other == old:
            chosen = mine
        elif mine == old:
            chosen = other
        else:
            conflicts[path] = PinConflict(path, mine, old, other)
            continue
        if chosen is not None:
            pins[path] = chosen
    tangled = _overlapping({**pins, **{path: c.ours or c.theirs for path, c in conflicts.items()}})
    for path in {**base, **ours, **theirs}:
        # What a side removed to pin around it comes with the rest of that side, or not at all.
        is_drawn_in = ours.get(path) != theirs.get(path) and any(is_nested(path, other) for other in tangled)
        if path in tangled or is_drawn_in:
            pins.pop(path, None)
            conflicts.setdefault(path, PinConflict(path, ours.get(path), base.get(path), theirs.get(path)))
    return Merged(pins, tuple(conflicts[path] for path in sorted(conflicts)))


def is_nested(one: str, other: str) -> bool:
    """Tells whether one path lies within the other."""
    return one.startswith(f"{other}/") or other.startswith(f"{one}/")


def together(conflicts: Iterable[PinConflict], chosen: Iterable[str]) -> list[PinConflict]:
    """Returns the conflicts at some paths, and those that can only be settled with them, because their paths lie within each other."""
    left = list(conflicts)
    found: list[PinConflict] = []
    waiting = list(chosen)
    while waiting:
        path = waiting.pop()
        joined = [one for one in left if one.path == path or is_nested(one.path, path)]
        left = [one for one in left if one not in joined]
        found += joined
        waiting += [one.path for one in joined]
    return sorted(found, key=lambda one: one.path)


def _overlapping(paths: Mapping[str, object]) -> set[str]:
    """Returns the paths that lie within another one, and those around them."""
    found = set()
    for path in paths:
        around = path
        while "/" in around:
            around = around.rpartition("/")[0]
            if around in paths:
                found |= {path, around}
    return found


def render(merged: Merged, describe: Callable[[Pin], str], *, names: tuple[str, str] = (OURS, THEIRS), size: int = 7) -> str:
    """Returns the text of a lock file with conflicts in it; `describe` says for a person what a pin is; `size` is that of Git's markers."""
    if not merged.conflicts:
        return lock_file.render(merged.pins)
    head, *_ = lock_file.render({}).splitlines(keepends=True)
    lines: dict[str, str] = {path: lock_file.line(pin) for path, pin in merged.pins.items()}
    for one in merged.conflicts:
        parts = [
            ("<" * size + f" {names[0]}", one.ours),
            ("|" * size + f" {BASE}", one.base),
            ("=" * size, one.theirs),
        ]
        text = "".join(f"{marker}\n{_side(one.path, pin, describe)}" for marker, pin in parts)
        lines[one.path] = text + ">" * size + f" {names[1]}\n"
    return head + "".join(lines[path] for path in sorted(lines, key=str.encode))


def _side(path: str, pin: Pin | None, describe: Callable[[Pin], str]) -> str:
    if pin is None:
        return f"# {lock_file.escape(path)}: not pinned\n"
    said = " ".join(describe(pin).split())  # what others wrote must not become lines of the file
    return f"# {lock_file.escape(path)}: {said}\n{lock_file.line(pin)}"


def has_markers(text: str) -> bool:
    """Tells whether a lock file holds a conflict's markers."""
    return any(_marker(line) for line in text.split("\n"))


def parse(text: str, what: str, base: Mapping[str, Pin] | None = None) -> Merged:
    """Returns the pins and conflicts of a lock file that may hold Git's markers, mlvc's or those of a merge as text.

    Args:
        text: of the file.
        what: it is called.
        base: what both sides had before, for a merge as text that does not show it.

    Raises:
        DamageError: a line cannot be understood.
    """
    agreed: list[str] = []
    shows_base = False
    sides: dict[str, list[str]] = {OURS: [], BASE: [], THEIRS: []}
    side: str | None = None
    for line in text.split("\n"):
        marker = _marker(line)
        if marker == "<":
            side = OURS
        elif marker == "|" and side == OURS:
            side = BASE
            shows_base = True
        elif marker == "=" and side in (OURS, BASE):
            side = THEIRS
        elif marker == ">" and side == THEIRS:
            side = None
        elif side is None:
            agreed.append(line)
        else:
            sides[side].append(line)
    pins = lock_file.parse("\n".join(agreed), what)
    mine, old, other = (lock_file.parse("\n".join(sides[name]), what) for name in (OURS, BASE, THEIRS))
    if not shows_base and base is not None:
        old = {path: pin for path, pin in base.items() if path not in pins}
    merged = merge(old, mine, other)  # a merge as text marks neighbours too that only one side has changed
    return Merged({**pins, **merged.pins}, merged.conflicts)


def _marker(line: str) -> str | None:
    first = line[:1]
    run = len(line) - len(line.lstrip(first)) if first and first in "<|=>" else 0
    return first if run >= 7 and line[run : run + 1] in ("", " ", "\r") and "\t" not in line else None
