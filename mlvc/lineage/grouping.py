"""Makes one node of many alike: what a picture would otherwise be full of."""

from __future__ import annotations

from collections.abc import Collection

from mlvc.format.ids import digest
from mlvc.lineage import layout
from mlvc.lineage.graph import Graph, Key, Node

GROUP = "group"
MOST = 5
"""So many nodes alike stand beside each other as they are."""


def grouped(graph: Graph, opened: Collection[bytes] = ()) -> Graph:
    """Returns a graph in which more than `MOST` nodes of one kind and type at one level are one; the focus stays as it is.

    Args:
        graph: all of it.
        opened: ids of groups that stay apart.
    """
    placed = layout.layers([node.key for node in graph.nodes], graph.edges)
    alike: dict[tuple[int, str, str], list[Node]] = {}
    for node in graph.nodes:
        if node.key != graph.focus:
            alike.setdefault((placed[node.key], node.key[0], node.kind_label), []).append(node)
    instead: dict[Key, Key] = {}
    groups: dict[Key, Node] = {}
    levels = dict(placed)
    for (level, kind, kind_label), members in alike.items():
        identifier = digest("\0".join([kind, kind_label, *(member.key[1].hex() for member in members)]).encode())
        if len(members) <= MOST or identifier in opened:
            continue
        key: Key = (GROUP, identifier)
        details = {"members": [{"label": member.label, "kind": member.key[0], "id": member.key[1].hex()} for member in members]}
        levels[key] = level
        groups[key] = Node(key, f"{len(members):,} {kind}s", kind_label, (), details)
        instead.update((member.key, key) for member in members)
    nodes: dict[Key, Node] = {}
    for node in graph.nodes:
        key = instead.get(node.key, node.key)
        nodes.setdefault(key, groups.get(key, node))
    edges = dict.fromkeys((instead.get(before, before), instead.get(after, after)) for before, after in graph.edges)
    order = sorted(nodes, key=lambda key: levels[key]) if groups else list(nodes)  # a group may stand before what its later members came from
    beside = {key: sides for key, sides in graph.beside.items() if key in nodes}
    return Graph(graph.focus, tuple(nodes[key] for key in order), tuple(edges), beside, graph.is_cut)
