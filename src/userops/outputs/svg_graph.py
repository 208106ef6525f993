"""Graphs as SVG inside a page: nodes in layers from left to right, ways as wide as they are strong.

Where the layers do not fit beside each other, on a phone above all, the nodes stand one below the other and the ways
are arcs: onward to the right, back to the left.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from userops.outputs import graphs
from userops.outputs.drawing import BOLD, NARROW, WIDE, Sheet, clipped, num, picture, text, titled, width_of
from userops.outputs.graphs import Graph, Item, Way

_HEIGHT, _SIDES, _WIDEST = 42.0, 16.0, 150.0
"""Of a node: its least height, what it has beside its text, its greatest width."""

_LEAST_BETWEEN, _MOST_BETWEEN = 36.0, 170.0
_THIN, _THICK, _PORT = 1.5, 11.0, 6.0
_SHARE = 13.0
"""Between ways at one side of a node: room for the share."""

_LOOP, _GAP, _ARROW = 32.0, 11.0, 5.0
_ROW, _LEAST_ARC = 24.0, 28.0

Point = tuple[float, float]


def figure(graph: Graph) -> str:
    """The graph for a page, which has an edge at least."""
    return f'<div class="chart graph">{_layered(graph)}{_arcs(graph, NARROW)}</div>'


# --- layers from left to right -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where everything of a layered drawing lies: the left and the right edge of each layer, heights, ports."""

    graph: Graph
    edges: tuple[Point, ...]
    at: dict[Item, float]
    ports: dict[tuple[int, Item, bool], float]

    def across(self, item: Item) -> Point:
        """The left and the right end of an item."""
        if item[0]:
            return self.edges[item[1]]
        left, right = self.edges[self.graph.layers[item[1]]]
        spare = (right - left - _width(self.graph, item[1])) / 2
        return left + spare, right - spare


def _layered(graph: Graph) -> str:
    stacks, chains = graphs.columns(graph)
    widths = [max((_width(graph, node) for kind, node in stack if not kind), default=0.0) for stack in stacks]
    spare = (WIDE.width - 2 - sum(widths)) / max(len(widths) - 1, 1)
    if spare < _LEAST_BETWEEN:
        return _arcs(graph, WIDE)
    between = min(spare, _MOST_BETWEEN)
    left = (WIDE.width - sum(widths) - between * (len(widths) - 1)) / 2
    edges = []
    for width in widths:
        edges.append((left, left + width))
        left += width + between
    room = _room(graph, stacks, chains)
    at = {item: height + 4 for item, height in graphs.heights(graph, stacks, chains, room).items()}
    plan = _Plan(graph, tuple(edges), at, _ports(graph, chains, at))
    ways = [
        _way(graph, way, *(_route(plan, number, chain) if chain else _loop(plan, chains, way)))
        for number, (way, chain) in enumerate(zip(graph.ways, chains, strict=True))
    ]
    spots = [
        _spot(graph, node, sum(plan.across((0, node))) / 2, at[0, node], _tall(graph, chains, node))
        for node in range(len(graph.spots))
    ]
    height = max(at[item] + room[item][1] for item in at)
    return picture(WIDE, height + 4, _said(graph), [*ways, *spots, *_shares(plan, chains)])


def _room(graph: Graph, stacks: Sequence[Sequence[Item]], chains: Sequence[Sequence[Item]]) -> dict[Item, Point]:
    """What each item needs above and below its height: nodes with a way to themselves have it above."""
    loops = {way.source for way in graph.ways if way.source == way.target}
    room: dict[Item, Point] = {}
    for item in (item for stack in stacks for item in stack):
        half = _tall(graph, chains, item[1]) / 2 if not item[0] else _thickness(graph.ways[item[0] - 1]) / 2
        gap = _GAP if not item[0] else _GAP / 2
        room[item] = (half + gap + _LOOP * (not item[0] and item[1] in loops), half + gap)
    return room


def _tall(graph: Graph, chains: Sequence[Sequence[Item]], node: int) -> float:
    """As tall as the ways on either of its sides need."""
    ends = [(way, chain[0], chain[-1]) for way, chain in zip(graph.ways, chains, strict=True) if chain]
    right = sum(_thickness(way) + _SHARE for way, first, _ in ends if first == (0, node))
    left = sum(_thickness(way) + _SHARE for way, _, last in ends if last == (0, node))
    return max(_HEIGHT, left, right)


def _ports(
    graph: Graph, chains: Sequence[Sequence[Item]], at: dict[Item, float]
) -> dict[tuple[int, Item, bool], float]:
    """The height at which each way meets each of its ends: by way, node, and whether on the right.

    In order of where the ways lead, so that none of one side cross.
    """
    sides: dict[tuple[Item, bool], list[tuple[float, int]]] = defaultdict(list)
    for number, chain in enumerate(chains):
        if chain:
            sides[chain[0], True].append((at[chain[1]], number))
            sides[chain[-1], False].append((at[chain[-2]], number))
    ports = {}
    for (item, right), ends in sides.items():
        thick = [_thickness(graph.ways[number]) for _, number in sorted(ends)]
        y = at[item] - (sum(thick) + _SHARE * (len(thick) - 1)) / 2
        for (_, number), width in zip(sorted(ends), thick, strict=True):
            ports[number, item, right] = y + width / 2
            y += width + _SHARE
    return ports


def _route(plan: _Plan, number: int, chain: Sequence[Item]) -> tuple[str, str]:
    """The path of a way and its arrow; it bends far from its source, where its share stands."""
    way = plan.graph.ways[number]
    back = plan.graph.goes_back(way)
    x, y = plan.across(chain[0])[1], plan.ports[number, chain[0], True]
    first = (x, y)
    x += _ARROW * back
    d = f"M{num(x)} {num(y)}"
    for item in chain[1:]:
        left, right = plan.across(item)
        to = plan.ports.get((number, item, False), plan.at[item])
        last = item is chain[-1]
        left -= _ARROW * (last and not back)
        late, early = (0.4, 0.25) if back else (0.75, 0.6)
        bend = f"{num(x + (left - x) * late)} {num(y)} {num(x + (left - x) * early)} {num(to)}"
        d += f"C{bend} {num(left)} {num(to)}"
        d += "" if last else f"H{num(right)}"
        x, y = (left, to) if last else (right, to)
    return d, _arrow(*first, -1, way) if back else _arrow(x + _ARROW, y, 1, way)


def _loop(plan: _Plan, chains: Sequence[Sequence[Item]], way: Way) -> tuple[str, str]:
    """The way from a node to itself: over its top."""
    middle, top = sum(plan.across((0, way.source))) / 2, _top(plan, chains, way.source)
    half, rise = 17.0, _LOOP - 12
    d = f"M{num(middle - half)} {num(top)}v-4C{num(middle - half)} {num(top - rise - 8)} "
    d += f"{num(middle + half)} {num(top - rise - 8)} {num(middle + half)} {num(top - _ARROW)}"
    return d, _arrow(middle + half, top, 0, way)


def _shares(plan: _Plan, chains: Sequence[Sequence[Item]]) -> list[str]:
    """The share of each way above where it leaves its source."""
    found = []
    for number, (way, chain) in enumerate(zip(plan.graph.ways, chains, strict=True)):
        item = (0, way.source)
        left, right = plan.across(item)
        if not chain:
            found.append(text(way.percent, (left + right) / 2, _top(plan, chains, way.source) - 7, "middle", "share"))
            continue
        back = plan.graph.goes_back(way)
        y = plan.ports[number, item, not back] - _thickness(way) / 2 - 3
        found.append(text(way.percent, left - 4 if back else right + 4, y, "end" if back else "start", "share"))
    return found


def _top(plan: _Plan, chains: Sequence[Sequence[Item]], node: int) -> float:
    return plan.at[0, node] - _tall(plan.graph, chains, node) / 2


# --- one below the other -----------------------------------------------------------------------------------------


def _arcs(graph: Graph, sheet: Sheet) -> str:
    """The nodes in a column; ways to later ones are arcs on its right, ways to earlier ones on its left."""
    order = [node for stack in graphs.columns(graph)[0] for kind, node in stack if not kind]
    row = {node: place for place, node in enumerate(order)}
    width = max(_width(graph, node) for node in order)
    left, right = (sheet.width - width) / 2, (sheet.width + width) / 2
    middles, talls, ports = _rows(graph, order, row)
    most = max((abs(row[way.target] - row[way.source]) for way in graph.ways), default=1)
    room = min(left - 12, 200.0)
    ways, shares = [], []
    for number, way in enumerate(graph.ways):
        span = row[way.target] - row[way.source]
        x, away = (right, 1) if span > 0 else (left, -1)
        bulge = away * (_LEAST_ARC + (room - _LEAST_ARC) * max(abs(span) - 1, 0) / max(most - 1, 1)) * 4 / 3
        y, to = ports[number, False], ports[number, True]
        bend = f"{num(x + bulge)} {num(y)} {num(x + bulge)} {num(to)}"
        ways.append(
            _way(graph, way, f"M{num(x)} {num(y)}C{bend} {num(x + away * _ARROW)} {num(to)}", _arrow(x, to, -away, way))
        )
        beside = _thickness(way) / 2 + 12 if _rises(graph, row, (number, False)) else -_thickness(way) / 2 - 3
        shares.append(text(way.percent, x + 4 * away, y + beside, "start" if away > 0 else "end", "share"))
    spots = [
        _spot(graph, node, sheet.width / 2, middle, tall, width)
        for node, middle, tall in zip(order, middles, talls, strict=True)
    ]
    return picture(sheet, middles[-1] + talls[-1] / 2 + 3, _said(graph), [*ways, *spots, *shares])


_End = tuple[int, bool]
"""A way, and whether it ends here (else it begins)."""


def _rows(
    graph: Graph, order: Sequence[int], row: dict[int, int]
) -> tuple[list[float], list[float], dict[_End, float]]:
    """Of each node its middle and how tall it is; the height of each end of a way."""
    ends = _arc_ends(graph, row)
    deep = {end: _depth(graph, row, end) for ways in ends.values() for end in ways}
    middles, talls, ports = [], [], {}
    top = 3.0
    for node in order:
        sides = [ends[node, side] for side in (False, True)]
        tall = max(_HEIGHT - 6, *(sum(deep[end] for end in side) + _PORT for side in sides))
        for side in sides:
            y = top + (tall - sum(deep[end] for end in side)) / 2
            for end in side:
                half = (_thickness(graph.ways[end[0]]) + _PORT) / 2
                ports[end] = y + (half if _rises(graph, row, end) else deep[end] - half)
                y += deep[end]
        middles.append(top + tall / 2)
        talls.append(tall)
        top += tall + _ROW
    return middles, talls, ports


def _depth(graph: Graph, row: dict[int, int], end: _End) -> float:
    """What an end of an arc takes of the side of its node, with its share."""
    return _thickness(graph.ways[end[0]]) + (_PORT if end[1] else _SHARE + 12 if _rises(graph, row, end) else _SHARE)


def _rises(graph: Graph, row: dict[int, int], end: _End) -> bool:
    """True for the beginning of an arc that leads up: its share stands below it."""
    way = graph.ways[end[0]]
    return not end[1] and row[way.target] < row[way.source]


def _arc_ends(graph: Graph, row: dict[int, int]) -> dict[tuple[int, bool], list[_End]]:
    """The ends at each node and side (True: right) from top to bottom, so that arcs nest.

    What leads up comes first, the nearest on top; what leads down last, the farthest on top.
    """
    found: dict[tuple[int, bool], list[tuple[tuple[int, int], _End]]] = {(n, s): [] for n in row for s in (False, True)}
    for number, way in enumerate(graph.ways):
        onward = row[way.target] > row[way.source]
        for here, there, arrives in ((way.source, way.target, False), (way.target, way.source, True)):
            apart = row[there] - row[here]
            found[here, onward].append((((apart > 0) - (apart < 0), -apart), (number, arrives)))
    return {side: [end for _, end in sorted(ends)] for side, ends in found.items()}


# --- nodes and ways ----------------------------------------------------------------------------------------------


def _spot(graph: Graph, node: int, x: float, y: float, height: float, width: float | None = None) -> str:
    spot = graph.spots[node]
    width = width or _width(graph, node)
    box = (
        f'<rect x="{num(x - width / 2)}" y="{num(y - height / 2)}" width="{num(width)}" height="{num(height)}" '
        f'rx="{num(min(height / 2, 18) if spot.end else 6)}"/>'
    )
    label = clipped(spot.label, _WIDEST - _SIDES)
    words = text(label, x, y - 3, "middle", "name") + text(spot.weight, x, y + 13, "middle")
    return titled(f"{spot.label} · {spot.weight}", box + words, "spot end" if spot.end else "spot")


def _way(graph: Graph, way: Way, d: str, arrow: str) -> str:
    kind = "back" if graph.goes_back(way) else "out" if graph.spots[way.target].end else "onward"
    return titled(way.said, f'<path d="{d}" style="stroke-width:{num(_thickness(way))}"/>{arrow}', f"way {kind}")


def _arrow(x: float, y: float, toward: int, way: Way) -> str:
    """The head of a way that ends at a place: toward the right (1), the left (-1), or down (0)."""
    half, long = _thickness(way) / 2 + 2.5, _ARROW + 1
    if toward:
        return f'<path class="head" d="M{num(x)} {num(y)}l{num(-toward * long)} {num(-half)}v{num(2 * half)}Z"/>'
    return f'<path class="head" d="M{num(x)} {num(y)}l{num(-half)} {num(-long)}h{num(2 * half)}Z"/>'


def _thickness(way: Way) -> float:
    return _THIN + (_THICK - _THIN) * way.strength


def _width(graph: Graph, node: int) -> float:
    spot = graph.spots[node]
    label = clipped(spot.label, _WIDEST - _SIDES)
    return max(width_of(label) * BOLD, width_of(spot.weight)) + _SIDES


def _said(graph: Graph) -> str:
    return "; ".join((graph.title, *(way.said for way in graph.ways)))
