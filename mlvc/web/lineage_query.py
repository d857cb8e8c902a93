"""How much of a lineage an address asks for, and the addresses that ask for more or less."""

from __future__ import annotations

import re

from msgspec import Struct
from msgspec.structs import replace
from starlette.requests import Request

from mlvc.errors import NotFoundError, UsageError
from mlvc.fold.questions import Member, View
from mlvc.format.ids import RunId, VersionId
from mlvc.lineage.graph import ARTIFACT, RUN, Extent, Key, key_text
from mlvc.web import queries

STEPS = 4
MOST_STEPS = 99
MOST_NODES = 5_000
_SIDES = ("up", "down")
_SIDE = re.compile(r"(up|down):(run|artifact):([0-9a-f]{32}|[0-9a-f]{64})")
_GROUP = re.compile(r"[0-9a-f]{64}")

Side = tuple[int, Key]
"""One side of a node, `graph.ABOVE` or `graph.BELOW`."""


def start_of(view: View, text: str) -> Member | RunId:
    """Returns the node that a query names, as `run:<hex>` or `artifact:<hex>`."""
    kind, _, said = text.partition(":")
    try:
        identifier = bytes.fromhex(said)
    except ValueError:
        identifier = b""
    if kind == RUN and len(identifier) == 16:
        return RunId(identifier)
    if kind == ARTIFACT and len(identifier) == 32:
        source = view.source_collection(VersionId(identifier))
        member = view.member(source, VersionId(identifier)) if source else None
        if member is not None:
            return member
        raise NotFoundError(f"the version @{said[:12]} is not known here, or was deleted")
    raise UsageError("this address names no node", hint="it ends with ?of=run:… or ?of=artifact:…")


class Asked(Struct, frozen=True):
    """What an address asks for.

    Attributes:
        up, down: steps from the focus.
        more, less: sides of nodes that are opened one step further, or closed; the last one asked for at the end.
        opened: groups that stay apart, by id in hexadecimal.
    """

    up: int = STEPS
    down: int = STEPS
    more: tuple[Side, ...] = ()
    less: tuple[Side, ...] = ()
    opened: tuple[str, ...] = ()

    @property
    def extent(self) -> Extent:
        """The same for a walk."""
        return Extent(self.up, self.down, self.more, frozenset(self.less), MOST_NODES)

    @property
    def groups(self) -> set[bytes]:
        """The opened groups' ids."""
        return {bytes.fromhex(one) for one in self.opened}

    def pairs(self) -> list[tuple[str, object]]:
        """Returns the query of an address that asks for this."""
        steps = [(name, value) for name, value in (("up", self.up), ("down", self.down)) if value != STEPS]
        sides = [(name, f"{_SIDES[side]}:{key_text(key)}") for name, held in (("more", self.more), ("less", self.less)) for side, key in held]
        return [*steps, *sides, *(("open", one) for one in self.opened)]

    def with_more(self, side: Side) -> Asked:
        """Returns what shows the neighbours on a side, whatever was asked for before."""
        return replace(self, more=(*_without(self.more, side), side), less=_without(self.less, side))

    def with_less(self, side: Side) -> Asked:
        """Returns what hides the neighbours on a side, whatever was asked for before."""
        return replace(self, more=_without(self.more, side), less=(*_without(self.less, side), side))

    def with_open(self, group: str) -> Asked:
        """Returns what shows the members of a group."""
        return replace(self, opened=(*self.opened, group))


def asked(request: Request) -> Asked:
    """Returns what an address asks for; what it says wrongly counts as not said.

    `do=more:up:run:…` (or `less`) stands for the address that shows more, or less, beside a node than the rest of it asks for.
    """
    found = _asked(request)
    verb, _, said = request.query_params.get("do", "").partition(":")
    for side in _sides([said]):
        found = found.with_more(side) if verb == "more" else found.with_less(side) if verb == "less" else found
    return found


def _asked(request: Request) -> Asked:
    up, down = (queries.near(request, name, STEPS, MOST_STEPS) for name in _SIDES)
    opened = tuple(one for one in request.query_params.getlist("open") if _GROUP.fullmatch(one))
    more, less = (_sides(request.query_params.getlist(name)) for name in ("more", "less"))
    return Asked(up, down, more, less, opened)


def _sides(texts: list[str]) -> tuple[Side, ...]:
    found = (_SIDE.fullmatch(one) for one in texts)
    return tuple(dict.fromkeys((_SIDES.index(one[1]), (one[2], bytes.fromhex(one[3]))) for one in found if one is not None))


def _without(sides: tuple[Side, ...], side: Side) -> tuple[Side, ...]:
    return tuple(one for one in sides if one != side)
