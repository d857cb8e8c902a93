"""Places a graph in layers from left to right, with few crossings. Pure: takes keys and edges, returns coordinates.

Sugiyama's method in four steps: layers by the longest path; an order within layers by medians and swaps of neighbours, after Gansner, Koutsofios,
North and Vo, "A Technique for Drawing Directed Graphs" (IEEE TSE 19, 1993); heights by least squares within that order, with the
pool-adjacent-violators algorithm; edges through the points that long ones were given in each layer.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence

from msgspec import Struct

Point = tuple[float, float]

_ROUNDS = 12
_STEADY = 3
_MOST_BENDS = 30_000
"""Of more places that long edges pass, none are given: those edges are drawn straight, over what lies between."""

_MOST_SWAPPED = 400
"""Layers of more places are ordered by medians alone: swapping neighbours costs the square of their edges."""

_HEIGHT_ROUNDS = 8


class Sizes(Struct, frozen=True):
    """Of a node, and of the room between nodes, in pixels."""

    width: float = 200
    height: float = 46
    column_gap: float = 72
    row_gap: float = 18
    margin: float = 36


class Layout(Struct, frozen=True):
    """Where everything is, in pixels from the upper left.

    Attributes:
        places: node -> its upper left corner.
        paths: edge -> the points that it goes through, from the right side of its first node to the left side of its last.
        width, height: of the whole.
    """

    places: Mapping[Hashable, Point]
    paths: Mapping[tuple[Hashable, Hashable], Sequence[Point]]
    width: float
    height: float


def layered(nodes: Sequence[Hashable], edges: Iterable[tuple[Hashable, Hashable]], sizes: Sizes | None = None) -> Layout:
    """Places nodes.

    Args:
        nodes: in topological order, as far as there is one; it breaks ties.
        edges: between them; those that lead back, or from a node to itself, are drawn, and do not count for layers.
        sizes: of what is drawn.
    """
    sizes = sizes or Sizes()
    edges, forward = _forward(nodes, edges)
    levels = _layers(nodes, forward)
    grid = _Grid(nodes, forward, levels)
    grid.order()
    heights = _heights(grid, sizes)
    column = sizes.width + sizes.column_gap
    places = {n: (sizes.margin + levels[n] * column, heights[grid.number[n]]) for n in nodes}
    paths: dict[tuple[Hashable, Hashable], Sequence[Point]] = {}
    for edge, (a, b) in zip(edges, forward, strict=True):
        chain = grid.chains[a, b]
        points = [(places[a][0] + sizes.width, places[a][1] + sizes.height / 2)]
        for step, dummy in enumerate(chain, start=levels[a] + 1):
            x = sizes.margin + step * column
            middle = heights[dummy] + sizes.height / 2
            points += [(x, middle), (x + sizes.width, middle)]
        points.append((places[b][0], places[b][1] + sizes.height / 2))
        paths[edge] = points if edge == (a, b) else points[::-1]
    width = max((x for x, _ in places.values()), default=0) + sizes.width + sizes.margin
    height = max(heights, default=0) + sizes.height + sizes.margin
    return Layout(places, paths, width, height)


def layers(nodes: Sequence[Hashable], edges: Iterable[tuple[Hashable, Hashable]]) -> dict[Hashable, int]:
    """Returns the layer of each node, 0 leftmost; arguments as `layered`."""
    return _layers(nodes, _forward(nodes, edges)[1])


def _forward(nodes: Sequence[Hashable], edges: Iterable[tuple[Hashable, Hashable]]) -> tuple[list[tuple[Hashable, Hashable]], list[tuple[Hashable, Hashable]]]:
    """Returns the edges to draw, each once, and the same turned so that none leads back."""
    place = {node: number for number, node in enumerate(nodes)}
    drawn = list(dict.fromkeys((a, b) for a, b in edges if a in place and b in place and a != b))
    return drawn, [(a, b) if place[a] < place[b] else (b, a) for a, b in drawn]


def _layers(nodes: Sequence[Hashable], edges: Sequence[tuple[Hashable, Hashable]]) -> dict[Hashable, int]:
    """Returns each node's layer: behind all that it came from, and no further from what came of it than need be."""
    before: dict[Hashable, list[Hashable]] = {node: [] for node in nodes}
    after: dict[Hashable, list[Hashable]] = {node: [] for node in nodes}
    for a, b in edges:
        before[b].append(a)
        after[a].append(b)
    layers: dict[Hashable, int] = {}
    for node in nodes:  # topological: what is before has its layer
        layers[node] = max((layers[one] + 1 for one in before[node]), default=0)
    for node in reversed(nodes):  # a source stands beside its first use, not at the far left
        if not before[node] and after[node]:
            layers[node] = min(layers[one] for one in after[node]) - 1
    least = min(layers.values(), default=0)
    return {node: layer - least for node, layer in layers.items()}


class _Grid:
    """Layers of numbered places, nodes and the bends of long edges alike, and how the ones lead to the others."""

    def __init__(self, nodes: Sequence[Hashable], edges: Sequence[tuple[Hashable, Hashable]], layers: Mapping[Hashable, int]) -> None:
        self.number = {node: number for number, node in enumerate(nodes)}
        self.layer_of = [layers[node] for node in nodes]
        self.chains: dict[tuple[Hashable, Hashable], list[int]] = {}
        self.rows: list[list[int]] = [[] for _ in range(max(layers.values(), default=-1) + 1)]
        links: list[tuple[int, int]] = []
        is_straight = sum(layers[b] - layers[a] - 1 for a, b in edges) > _MOST_BENDS
        for a, b in dict.fromkeys(edges):
            chain: list[int] = []
            if is_straight and layers[b] - layers[a] > 1:
                self.chains[a, b] = chain
                continue
            last = self.number[a]
            for layer in range(layers[a] + 1, layers[b]):
                dummy = len(self.layer_of)
                self.layer_of.append(layer)
                chain.append(dummy)
                links.append((last, dummy))
                last = dummy
            links.append((last, self.number[b]))
            self.chains[a, b] = chain
        count = len(self.layer_of)
        self.count = count
        self.up: list[list[int]] = [[] for _ in range(count)]
        self.down: list[list[int]] = [[] for _ in range(count)]
        for one, other in links:
            self.down[one].append(other)
            self.up[other].append(one)
        for one in self._depth_first():
            self.rows[self.layer_of[one]].append(one)
        self.at = [0] * count
        for row in self.rows:
            self._number(row)

    def _depth_first(self) -> list[int]:
        """Returns all places, each near those it hangs together with: a good order to begin with."""
        found: dict[int, None] = {}
        for root in range(self.count):
            waiting = [root]
            while waiting:
                one = waiting.pop()
                if one not in found:
                    found[one] = None
                    waiting += [*reversed(self.up[one]), *reversed(self.down[one])]
        return list(found)

    def _number(self, row: list[int]) -> None:
        for position, one in enumerate(row):
            self.at[one] = position

    def order(self) -> None:
        """Orders each layer for few crossings."""
        best, fewest, steady = [list(row) for row in self.rows], self.crossings(), 0
        for turn in range(_ROUNDS):
            if not fewest or steady == _STEADY:
                break
            downwards = turn % 2 == 0
            for row in self.rows[1:] if downwards else reversed(self.rows[:-1]):
                self._by_median(row, self.up if downwards else self.down)
            self._transpose()
            now = self.crossings()
            steady = 0 if now < fewest else steady + 1
            if now < fewest:
                best, fewest = [list(row) for row in self.rows], now
        self.rows = best
        for row in self.rows:
            self._number(row)

    def _by_median(self, row: list[int], neighbours: list[list[int]]) -> None:
        """Sorts a layer by the medians of its neighbours' positions; what has none stays where it is."""
        medians = {one: _median(sorted(self.at[other] for other in neighbours[one])) for one in row if neighbours[one]}
        moving = iter(sorted(medians, key=lambda one: (medians[one], self.at[one])))
        row[:] = [next(moving) if one in medians else one for one in row]
        self._number(row)

    def _transpose(self) -> None:
        """Swaps neighbours while that takes crossings away."""
        for row in self.rows:
            better = len(row) <= _MOST_SWAPPED
            while better:
                better = False
                for position in range(len(row) - 1):
                    one, other = row[position], row[position + 1]
                    if self._crossings_of(other, one) < self._crossings_of(one, other):
                        row[position], row[position + 1] = other, one
                        self.at[one], self.at[other] = position + 1, position
                        better = True

    def _crossings_of(self, first: int, second: int) -> int:
        """Returns how many edges of two places of one layer cross when `first` stands above."""
        return sum(
            self.at[a] > self.at[b]
            for neighbours in (self.up, self.down)
            for a in neighbours[first]
            for b in neighbours[second]
        )

    def crossings(self) -> int:
        """Returns how many edges cross, counted with a Fenwick tree in O(edges log places)."""
        total = 0
        for row in self.rows[:-1]:
            ends = [position for one in row for position in sorted(self.at[other] for other in self.down[one])]
            size = max(ends, default=-1) + 1
            tree = [0] * (size + 1)
            for seen, end in enumerate(ends):
                index, before = end + 1, 0
                while index > 0:
                    before += tree[index]
                    index -= index & -index
                total += seen - before
                index = end + 1
                while index <= size:
                    tree[index] += 1
                    index += index & -index
        return total


def _median(positions: Sequence[int]) -> float:
    """Returns the median; of an even number the one between the two middle ones, nearer to where more crowd together."""
    middle = len(positions) // 2
    if len(positions) % 2:
        return positions[middle]
    if len(positions) == 2:
        return (positions[0] + positions[1]) / 2
    left, right = positions[middle - 1] - positions[0], positions[-1] - positions[middle]
    if not left + right:
        return (positions[middle - 1] + positions[middle]) / 2
    return (positions[middle - 1] * right + positions[middle] * left) / (left + right)


def _heights(grid: _Grid, sizes: Sizes) -> list[float]:
    """Returns the upper edge of each place: as near to its neighbours' as the order allows."""
    step = sizes.height + sizes.row_gap
    heights = [0.0] * grid.count
    for row in grid.rows:
        for position, one in enumerate(row):
            heights[one] = position * step
    for turn in range(_HEIGHT_ROUNDS):
        downwards = turn % 2 == 0
        neighbours = grid.up if downwards else grid.down
        for row in grid.rows if downwards else reversed(grid.rows):
            wanted = []
            for one in row:
                near = [heights[other] for other in neighbours[one]] or [heights[one]]
                wanted.append(sum(near) / len(near))
            for one, height in zip(row, _apart(wanted, step), strict=True):
                heights[one] = height
    top = min(heights, default=0)
    return [height - top + sizes.margin for height in heights]


def _apart(wanted: Sequence[float], step: float) -> list[float]:
    """Returns heights in order, at least `step` apart, with the least sum of squares from the wanted ones (pool adjacent violators)."""
    blocks: list[tuple[float, int]] = []  # mean of what is wanted less the steps before, and how many
    for position, height in enumerate(wanted):
        mean, count = height - position * step, 1
        while blocks and blocks[-1][0] > mean:
            before, size = blocks.pop()
            mean, count = (mean * count + before * size) / (count + size), count + size
        blocks.append((mean, count))
    found: list[float] = []
    for mean, count in blocks:
        found += [mean + (len(found) + offset) * step for offset in range(count)]
    return found
