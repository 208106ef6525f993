"""Graphs as finished texts and as places: who stands in which layer, in which order, at which height.

Layers after Sugiyama: an order of the nodes against which little flows (the heuristic of Eades, Lin and Smyth), each
node one layer after the last that leads to it, ways over several layers through bends in each, few crossings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from userops.outputs import cells, charts
from userops.outputs.privacy import terminal_safe
from userops.results import GraphBlock, Lang, Text

READ = Text(
    "the wider, the more often; percentages are of all that leaves an event",
    "线越宽次数越多;百分比为占该事件全部流出的比例",
)
"""How to read the drawing."""

MAX_LINES = 12
"""Lines of the list of arrows."""

_SWEEPS = 8

Item = tuple[int, int]
"""What stands in a layer: (0, node) or (1 + edge, layer), the bend of an edge that passes through."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A node ready to be drawn."""

    label: str
    weight: str
    end: bool


@dataclass(frozen=True, slots=True)
class Way:
    """An edge ready to be drawn: its ends, its part of the strongest one, its texts."""

    source: int
    target: int
    strength: float
    count: str
    share: str
    percent: str
    """The share, rounded for a drawing."""
    said: str


@dataclass(frozen=True, slots=True)
class Graph:
    """A graph ready to be drawn."""

    title: str
    spots: tuple[Spot, ...]
    ways: tuple[Way, ...]
    layers: tuple[int, ...]
    """The layer of each node; no edge joins two nodes of one."""

    def goes_back(self, way: Way) -> bool:
        """True where an edge leads to an earlier layer."""
        return self.layers[way.target] < self.layers[way.source]


def graph(block: GraphBlock, lang: Lang) -> Graph:
    """The block as finished texts, in layers."""
    labels = [terminal_safe(node.label(lang)) for node in block.nodes]
    most = max((edge.count for edge in block.edges), default=0)
    ways = []
    for edge in block.edges:
        count, share = cells.shown(edge.count, "count"), cells.shown(edge.share, "share")
        percent = "" if edge.share is None else charts.tick_text(edge.share, 0.01, "share")
        said = f"{labels[edge.source]} → {labels[edge.target]} · {count} · {share}"
        ways.append(Way(edge.source, edge.target, edge.count / most if most else 0.0, count, share, percent, said))
    return Graph(
        title=terminal_safe(block.title(lang)),
        spots=tuple(
            Spot(label, cells.shown(node.weight, "count"), node.end)
            for label, node in zip(labels, block.nodes, strict=True)
        ),
        ways=tuple(ways),
        layers=_layers(block),
    )


# --- layers ------------------------------------------------------------------------------------------------------


def _layers(block: GraphBlock) -> tuple[int, ...]:
    """Each node one layer after the last that leads to it; where ways stop, the last layer."""
    rank = {node: place for place, node in enumerate(_order(block))}
    onward = [(e.source, e.target) for e in block.edges if rank[e.source] < rank[e.target]]
    onward += [(e.target, e.source) for e in block.edges if rank[e.target] < rank[e.source]]
    layers = [0] * len(block.nodes)
    for source, target in sorted(onward, key=lambda pair: rank[pair[0]]):
        layers[target] = max(layers[target], layers[source] + 1)
    leading = {source for source, _ in onward}
    reached = {target for _, target in onward}
    for node in range(len(layers)):
        if node not in reached and node in leading and not block.nodes[node].end:
            layers[node] = min(layers[target] for source, target in onward if source == node) - 1
    last = max(layers, default=0)
    return tuple(
        last if block.nodes[node].end and node in reached and node not in leading else layer
        for node, layer in enumerate(layers)
    )


def _order(block: GraphBlock) -> list[int]:
    """The nodes in an order against which little flows: sources first, sinks last, else who sends most on."""
    left = set(range(len(block.nodes)))
    head: list[int] = []
    tail: list[int] = []
    while left:
        edges = [e for e in block.edges if e.source != e.target and {e.source, e.target} <= left]
        sources, targets = {e.source for e in edges}, {e.target for e in edges}
        if sinks := sorted(left - sources, reverse=True):
            tail[:0] = reversed(sinks)
            left -= set(sinks)
        elif springs := sorted(left - targets):
            head += springs
            left -= set(springs)
        else:
            net = dict.fromkeys(left, 0)
            for edge in edges:
                net[edge.source] += edge.count
                net[edge.target] -= edge.count
            most = max(sorted(left), key=lambda node: net[node])
            head.append(most)
            left.remove(most)
    return head + tail


# --- places ------------------------------------------------------------------------------------------------------


def columns(graph: Graph) -> tuple[list[list[Item]], list[list[Item]]]:
    """The items of each layer in an order with few crossings, and the items that each edge passes, left to right.

    The chain of an edge that goes back is from its target to its source; that of an edge to its own node is empty.
    """
    chains: list[list[Item]] = []
    for number, way in enumerate(graph.ways):
        first, last = sorted((way.source, way.target), key=lambda node: graph.layers[node])
        between = range(graph.layers[first] + 1, graph.layers[last])
        bends: list[Item] = [(1 + number, layer) for layer in between]
        chains.append([] if first == last else [(0, first), *bends, (0, last)])
    stacks: list[list[Item]] = [[] for _ in range(max(graph.layers, default=-1) + 1)]
    for node, layer in enumerate(graph.layers):
        stacks[layer].append((0, node))
    for chain in chains:
        for bend in chain[1:-1]:
            stacks[bend[1]].append(bend)
    return _uncrossed(stacks, _links(graph, chains)), chains


Link = tuple[Item, Item, float]


def _links(graph: Graph, chains: Sequence[Sequence[Item]]) -> list[Link]:
    return [
        (one, next_, 0.05 + way.strength)
        for way, chain in zip(graph.ways, chains, strict=True)
        for one, next_ in pairwise(chain)
    ]


def _uncrossed(stacks: list[list[Item]], links: Sequence[Link]) -> list[list[Item]]:
    """Each stack sorted by the mean place of its neighbours, to and fro; the best that came up."""
    best, fewest = stacks, _crossings(stacks, links)
    for sweep in range(_SWEEPS):
        stacks = [list(stack) for stack in stacks]
        forth = sweep % 2 == 0
        for stack in stacks if forth else reversed(stacks):
            place = {item: at - (len(s) - 1) / 2 for s in stacks for at, item in enumerate(s)}
            wanted = {item: _mean(item, links, place, before=forth) for item in stack}
            stack.sort(key=lambda item: (wanted[item], place[item]))
        found = _crossings(stacks, links)
        if found < fewest:
            best, fewest = stacks, found
    return best


def _mean(item: Item, links: Sequence[Link], place: dict[Item, float], before: bool | None = None) -> float:
    """The mean place of the neighbours before, after, or (None) on either side, by their weight; its own without any."""
    near = [(place[a], w) for a, b, w in links if b == item and before is not False]
    near += [(place[b], w) for a, b, w in links if a == item and before is not True]
    weight = sum(w for _, w in near)
    return sum(at * w for at, w in near) / weight if weight else place[item]


def _crossings(stacks: Sequence[Sequence[Item]], links: Sequence[Link]) -> float:
    at = {item: (layer, place) for layer, stack in enumerate(stacks) for place, item in enumerate(stack)}
    return sum(
        min(v, w)
        for number, (a, b, v) in enumerate(links)
        for c, d, w in links[:number]
        if at[a][0] == at[c][0] and (at[a][1] - at[c][1]) * (at[b][1] - at[d][1]) < 0
    )


def heights(
    graph: Graph,
    stacks: Sequence[Sequence[Item]],
    chains: Sequence[Sequence[Item]],
    room: dict[Item, tuple[float, float]],
) -> dict[Item, float]:
    """The height of each item, near its neighbours and clear of the others: ``room`` is what it needs above and below."""
    links = _links(graph, chains)
    at: dict[Item, float] = {}
    for stack in stacks:
        at |= zip(stack, _clear([0.0] * len(stack), [room[item] for item in stack]), strict=True)
    for sweep in range(2 * _SWEEPS):
        for stack in stacks if sweep % 2 == 0 else list(reversed(stacks)):
            wanted = [_mean(item, links, at) for item in stack]
            at |= zip(stack, _clear(wanted, [room[item] for item in stack]), strict=True)
    top = min((at[item] - room[item][0] for item in at), default=0.0)
    return {item: height - top for item, height in at.items()}


def _clear(wanted: Sequence[float], room: Sequence[tuple[float, float]]) -> list[float]:
    """The heights nearest to the wanted ones at which nothing touches and the order stays (pooled means)."""
    offsets = [0.0]
    for (_, below), (above, _) in pairwise(room):
        offsets.append(offsets[-1] + below + above)
    pools: list[tuple[float, int]] = []
    for want, offset in zip(wanted, offsets, strict=False):
        pools.append((want - offset, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, n), (b, m) = pools[-2:]
            pools[-2:] = [((a * n + b * m) / (n + m), n + m)]
    level = [mean for mean, count in pools for _ in range(count)]
    return [mean + offset for mean, offset in zip(level, offsets, strict=False)]


# --- characters --------------------------------------------------------------------------------------------------


def arrows(graph: Graph) -> list[tuple[Spot, list[Way]]]:
    """The strongest edges below the node they leave, as many as stand in MAX_LINES lines, early nodes first."""
    kept: dict[int, list[Way]] = {}
    for way in graph.ways:
        if sum(1 + len(ways) for ways in kept.values()) + 1 + (way.source not in kept) > MAX_LINES:
            break
        kept.setdefault(way.source, []).append(way)
    order = sorted(kept, key=lambda node: (graph.layers[node], node))
    return [(graph.spots[node], kept[node]) for node in order]
