"""Where lineage nodes are placed: in layers, apart, with few crossings; drawn as SVG and PNG; grouped when many are alike."""

from __future__ import annotations

import random
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as some

from mlvc.errors import UsageError
from mlvc.lineage import grouping, layout, picture
from mlvc.lineage.graph import ARTIFACT, RUN, Graph, Node
from mlvc.media import graph_image

SIZES = layout.Sizes()


@some.composite
def graphs(draw):
    count = draw(some.integers(0, 25))
    pairs = some.tuples(some.integers(0, max(count - 1, 0)), some.integers(0, max(count - 1, 0)))
    return list(range(count)), draw(some.lists(pairs, max_size=50)) if count else []


@given(graphs())
def test_nodes_lie_apart_and_edges_lead_from_side_to_side(graph):
    nodes, edges = graph
    found = layout.layered(nodes, edges)
    assert set(found.places) == set(nodes)
    columns = {}
    for x, y in found.places.values():
        columns.setdefault(x, []).append(y)
        assert 0 <= x <= found.width - SIZES.width
        assert 0 <= y <= found.height - SIZES.height
    for heights in columns.values():
        heights.sort()
        assert all(after - before >= SIZES.height + SIZES.row_gap - 1e-6 for before, after in zip(heights, heights[1:], strict=False))
    assert set(found.paths) == {(a, b) for a, b in edges if a != b}
    for (a, b), points in found.paths.items():
        ends = {points[0], points[-1]}
        left, right = (a, b) if found.places[a][0] < found.places[b][0] else (b, a)
        assert ends == {
            (found.places[left][0] + SIZES.width, found.places[left][1] + SIZES.height / 2),
            (found.places[right][0], found.places[right][1] + SIZES.height / 2),
        }


@given(graphs())
def test_what_came_of_a_node_stands_right_of_it(graph):
    nodes, edges = graph
    forward = [(a, b) for a, b in edges if a < b]
    found = layout.layered(nodes, forward)
    assert all(found.places[a][0] < found.places[b][0] for a, b in forward)


def crossings(nodes, edges):
    levels = layout.layers(nodes, edges)
    grid = layout._Grid(nodes, edges, levels)
    before = grid.crossings()
    grid.order()
    return before, grid.crossings(), grid


def test_ordering_takes_crossings_away_and_counting_agrees_with_counting_pairs():
    chance = random.Random(3)
    nodes = list(range(60))
    edges = [(max(0, n - chance.randint(1, 12)), n) for n in nodes[1:] for _ in range(2)]
    before, after, grid = crossings(nodes, list(dict.fromkeys(edges)))
    assert after < before / 2
    slow = 0
    for row in grid.rows:
        ends = [(grid.at[one], grid.at[other]) for one in row for other in grid.down[one]]
        slow += sum((a < c) != (b < d) and a != c and b != d for place, (a, b) in enumerate(ends) for c, d in ends[:place])
    assert after == slow


def graph_of(labels, edges=(), focus=0):
    nodes = [Node((RUN if n % 2 else ARTIFACT, bytes([n])), label, "kind") for n, label in enumerate(labels)]
    return Graph(nodes[focus].key, tuple(nodes), tuple((nodes[a].key, nodes[b].key) for a, b in edges))


@given(some.lists(some.text(max_size=60), min_size=1, max_size=6))
def test_a_picture_of_any_names_is_well_formed(labels):
    graph = graph_of(labels, [(n, n + 1) for n in range(len(labels) - 1)])
    root = ElementTree.fromstring(picture.as_svg(graph))  # noqa: S314 - it was just made
    assert len(root.findall(".//{http://www.w3.org/2000/svg}g")) == len(labels)


def test_more_than_five_alike_are_one_group_that_opens():
    nodes = [Node((ARTIFACT, b"d"), "data", "dataset"), *(Node((RUN, bytes([n])), f"r{n}", "train") for n in range(7)), *(Node((RUN, bytes([90 + n])), f"e{n}", "evaluate") for n in range(5))]
    graph = Graph(nodes[0].key, tuple(nodes), tuple((nodes[0].key, node.key) for node in nodes[1:]))
    found = grouping.grouped(graph)
    kinds = sorted(node.key[0] for node in found.nodes)
    assert kinds == ["artifact", "group", *["run"] * 5]
    group = next(node for node in found.nodes if node.key[0] == "group")
    assert [one["label"] for one in group.details["members"]] == [f"r{n}" for n in range(7)]
    assert (nodes[0].key, group.key) in found.edges
    assert grouping.grouped(graph, {group.key[1]}) == graph


def test_the_focus_is_in_no_group():
    nodes = [Node((ARTIFACT, b"d"), "data", "dataset"), *(Node((RUN, bytes([n])), f"r{n}", "train") for n in range(9))]
    graph = Graph(nodes[3].key, tuple(nodes), tuple((nodes[0].key, node.key) for node in nodes[1:]))
    found = grouping.grouped(graph)
    assert nodes[3] in found.nodes
    assert len(found.nodes) == 3


def test_a_png_shows_the_same_and_a_huge_one_is_refused():
    pytest.importorskip("PIL")
    assert graph_image.as_png(graph_of(["a", "b"], [(0, 1)])).startswith(b"\x89PNG")
    nodes = tuple(Node((RUN, n.to_bytes(2, "big")), str(n), "k") for n in range(3_000))
    with pytest.raises(UsageError, match="would have"):
        graph_image.as_png(Graph(nodes[0].key, nodes, ()))


@pytest.mark.parametrize(("text", "letters", "shown"), [("short", 10, "short"), ("a-very-long-name", 9, "a-ver…ame"), ("", 5, "")])
def test_names_are_shortened_in_the_middle(text, letters, shown):
    assert picture.shortened(text, letters) == shown
