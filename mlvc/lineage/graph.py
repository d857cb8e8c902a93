"""The graph of who made what from what, and walks over it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct, field

RUN, ARTIFACT = "run", "artifact"

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


class Graph(Struct, frozen=True):
    """Nodes in topological order, and edges from what was there first to what came of it."""

    focus: Key
    nodes: tuple[Node, ...]
    edges: tuple[tuple[Key, Key], ...]


def key_text(key: Key) -> str:
    """Returns a node's key as one word, `run:1f9c…`."""
    return f"{key[0]}:{key[1].hex()}"


def walk(
    start: Key, above: Neighbours, below: Neighbours, up: int | None, down: int | None, most: int | None = None
) -> tuple[list[Key], list[tuple[Key, Key]]]:
    """Returns the nodes and edges within so many steps up, and within so many steps down, of a node.

    Args:
        start: where to begin.
        above: what a node was made from or by.
        below: what was made of a node.
        up, down: steps in each direction, None for all.
        most: nodes; the walk ends where there are as many.
    """
    nodes: dict[Key, None] = {start: None}
    edges: dict[tuple[Key, Key], None] = {}
    for neighbours, depth, forward in ((above, up, False), (below, down, True)):
        level, steps, seen = [start], 0, {start}
        while level and (depth is None or steps < depth):
            following = []
            for key in level:
                for other in neighbours(key):
                    if most is not None and other not in nodes and len(nodes) >= most:
                        continue
                    nodes[other] = None
                    edges[(key, other) if forward else (other, key)] = None
                    if other not in seen:
                        seen.add(other)
                        following.append(other)
            level, steps = following, steps + 1
    return topological(list(nodes), list(edges)), list(edges)


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
