"""The graph of who made what from what, and walks over it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct, field

RUN, ARTIFACT = "run", "artifact"
ABOVE, BELOW = 0, 1

Key = tuple[str, bytes]
"""A node's kind and id."""

Neighbours = Callable[[Key], Iterable[Key]]


class Node(Struct, frozen=True):
    """A run or an artifact version.

    Attributes:
        key: kind and id.
        label: what to print, such as `digits_model:v0` or `run brisk-harbor-7`.
        kind_label: a run's job type, an artifact's type.
        marks: aliases, registry links, a run's state: what to print beside it.
        details: plain data for JSON.
    """

    key: Key
    label: str
    kind_label: str
    marks: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)


class Beside(Struct, frozen=True):
    """What there is on one side of a node: how many neighbours are not drawn, and whether those that are can be hidden again."""

    hidden: int = 0
    can_hide: bool = False


Sides = tuple[Beside, Beside]
"""Of a node: above it, what it was made from; below it, what was made of it."""


class Graph(Struct, frozen=True):
    """Nodes in topological order, and edges from what was there first to what came of it.

    Attributes:
        focus: the node that it is about.
        nodes, edges: what is drawn.
        beside: of nodes where more could be drawn, or less.
        is_cut: whether there are more nodes than were to be drawn.
    """

    focus: Key
    nodes: tuple[Node, ...]
    edges: tuple[tuple[Key, Key], ...]
    beside: Mapping[Key, Sides] = field(default_factory=dict)
    is_cut: bool = False


class Extent(Struct, frozen=True):
    """How much of a lineage is asked for.

    Attributes:
        up, down: steps from the focus, None for all.
        more: (side, node): its neighbours on that side are drawn as well, in this order.
        less: (side, node): what is only reached through that side of it is not.
        most: nodes; of more, the nearest.
    """

    up: int | None = None
    down: int | None = None
    more: tuple[tuple[int, Key], ...] = ()
    less: frozenset[tuple[int, Key]] = frozenset()
    most: int | None = None

    @property
    def is_all(self) -> bool:
        """Whether nothing is left out but by number."""
        return self.up is None and self.down is None and not self.less


def key_text(key: Key) -> str:
    """Returns a node's key as one word, `run:1f9c…`."""
    return f"{key[0]}:{key[1].hex()}"


def walk(start: Key, neighbours: tuple[Neighbours, Neighbours], extent: Extent) -> tuple[list[Key], list[tuple[Key, Key]], set[tuple[int, Key]]]:
    """Returns what an extent holds: nodes, edges, and the (side, node) whose neighbours were followed.

    Args:
        start: where to begin.
        neighbours: what a node was made from or by, and what was made of it.
        extent: how far to go.
    """
    nodes: dict[Key, None] = {start: None}
    edges: dict[tuple[Key, Key], None] = {}
    followed: set[tuple[int, Key]] = set()

    def follow(side: int, key: Key) -> Iterator[Key]:
        followed.add((side, key))
        for other in neighbours[side](key):
            if extent.most is not None and other not in nodes and len(nodes) >= extent.most:
                continue
            nodes[other] = None
            edges[(key, other) if side == BELOW else (other, key)] = None
            yield other

    levels, seen, steps = [[start], [start]], [{start}, {start}], 0
    depths = (extent.up, extent.down)
    while any(levels):  # a step on either side, and then another: where there are too many, the nearest count
        for side, depth in enumerate(depths):
            following: list[Key] = []
            for key in levels[side] if depth is None or steps < depth else ():
                if (side, key) in extent.less:
                    continue
                for other in follow(side, key):
                    if other not in seen[side]:
                        seen[side].add(other)
                        following.append(other)
            levels[side] = following
        steps += 1
    for side, key in extent.more:
        if key in nodes:
            deque(follow(side, key), maxlen=0)
    return topological(list(nodes), list(edges)), list(edges), followed


def topological(nodes: list[Key], edges: list[tuple[Key, Key]]) -> list[Key]:
    """Returns the nodes, each after those it came from, in the given order otherwise.

    A run that used its own output makes a loop; its nodes come last, in the given order.
    """
    waiting = dict.fromkeys(nodes, 0)
    following: dict[Key, list[Key]] = {node: [] for node in nodes}
    for before, after in edges:
        waiting[after] += 1
        following[before].append(after)
    ready = deque(node for node in nodes if not waiting[node])
    ordered: list[Key] = []
    while ready:
        node = ready.popleft()
        ordered.append(node)
        for after in following[node]:
            waiting[after] -= 1
            if not waiting[after]:
                ready.append(after)
    placed = set(ordered)
    return ordered + [node for node in nodes if node not in placed]
