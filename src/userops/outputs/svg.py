"""Charts as SVG inside a page: no script, no style of their own; classes that the page's style gives colours.

Every chart is drawn twice, for a wide and for a narrow window (the style shows one), because text that shrinks with a
drawing cannot be read on a phone. Series differ by colour, by dash and by name; what is not over is dotted or pale.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from rich.cells import cell_len

from userops.outputs import cells, charts, graphs
from userops.outputs.charts import Chart, Run
from userops.outputs.funnels import FROM_START, Funnel, Step
from userops.outputs.graphs import Graph, Item, Way
from userops.results import Lang

COLORS = 8
"""Series colours that the style has, ``s0`` to ``s7``; more series start again."""

MOST_TITLES = 500
"""Points or bars that say their number under the pointer; a page with more would be heavy."""

_MOST_DOTS = 40
_CELL = 6.7
"""Width of one cell of text; a wide character has two."""

_BOLD = 1.12
_MOST_NAMES, _WIDEST_NAME = 12, 220.0
_NARROWEST_BAND, _NO_SEAM = 6.0, 0.5
_LINE_HEIGHT = 15.0


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is drawn on, in the drawing's own units: one is a pixel where the window is as wide as the sheet."""

    name: str
    width: int
    height: int


WIDE = Sheet("wide", 960, 300)
"""Has the names beside the lines where they fit, and numbers under the pointer."""

NARROW = Sheet("narrow", 340, 230)
"""Has neither: a phone has no room and no pointer."""


@dataclass(frozen=True, slots=True)
class Plane:
    """The part of a sheet that holds the values, and where they lie in it."""

    left: float
    right: float
    top: float
    bottom: float
    low: float
    high: float

    def y(self, value: float) -> float:
        """The height of a value."""
        return self.bottom - (value - self.low) / (self.high - self.low) * (self.bottom - self.top)

    def x(self, share: float) -> float:
        """The place of a share of the width."""
        return self.left + share * (self.right - self.left)


def figure(chart: Chart, lang: Lang) -> str:
    """The chart with its legend, for a page."""
    drawn = "".join(_drawing(chart, sheet, lang) for sheet in (WIDE, NARROW))
    named = " named" * _is_named(chart)
    return f'<div class="chart {chart.shape}{named}">{_legend(chart)}{drawn}</div>'


def _drawing(chart: Chart, sheet: Sheet, lang: Lang) -> str:
    ticks = charts.value_ticks(chart, most=6 if sheet is WIDE else 5)
    texts = [charts.tick_text(tick, ticks[1] - ticks[0], chart.kind) for tick in ticks]
    named = sheet is WIDE and _is_named(chart)
    plane = Plane(
        left=max(map(_width, texts)) + 10,
        right=sheet.width - (_widest_name(chart) + 14 if named else 8),
        top=10,
        bottom=sheet.height - 28,
        low=ticks[0],
        high=ticks[-1],
    )
    titled = sheet is WIDE and len(chart.values) <= MOST_TITLES
    shapes = (_bars if chart.shape == "stacked" else _lines)(chart, plane, titled)
    names = _names(chart, plane) if named else ()
    return (
        f'<svg class="{sheet.name}" role="img" aria-label="{_e(_said(chart, lang))}" '
        f'viewBox="0 0 {sheet.width} {sheet.height}">{_unfinished(chart, plane)}{_grid(plane, ticks, texts)}'
        f"{_foot(chart, plane, sheet)}{''.join(shapes)}{''.join(names)}</svg>"
    )


def _is_named(chart: Chart) -> bool:
    """True where lines can have their names beside their ends: not too many of them, and none too long."""
    return chart.shape == "lines" and len(chart.runs) <= _MOST_NAMES and _widest_name(chart) <= _WIDEST_NAME


def _widest_name(chart: Chart) -> float:
    return max((_width(run.label) for run in chart.runs), default=0.0) * _BOLD


def _grid(plane: Plane, ticks: Sequence[float], texts: Sequence[str]) -> str:
    rules = "".join(
        f'<path{_class("zero", tick == 0)} d="M{_n(plane.left)} {_n(plane.y(tick))}H{_n(plane.right)}"/>'
        for tick in ticks
    )
    labels = "".join(
        f'<text x="{_n(plane.left - 8)}" y="{_n(plane.y(tick) + 4)}" text-anchor="end">{_e(text)}</text>'
        for tick, text in zip(ticks, texts, strict=True)
    )
    return f'<g class="grid">{rules}{labels}</g>'


def _foot(chart: Chart, plane: Plane, sheet: Sheet) -> str:
    """The labels below, as many as there is room for; the mark at those that are not over."""
    labels = [label + cells.MARK * (place >= chart.over) for place, label in enumerate(chart.x_labels)]
    widest = max(map(_width, labels), default=0.0)
    texts = []
    for place in charts.x_ticks(len(labels), int((plane.right - plane.left + widest / 2) / (widest + 22))):
        half = _width(labels[place]) / 2
        x = min(max(_middle(chart, plane, place), half + 1), sheet.width - half - 1)
        texts.append(f'<text x="{_n(x)}" y="{_n(plane.bottom + 20)}" text-anchor="middle">{_e(labels[place])}</text>')
    return f'<g class="grid">{"".join(texts)}</g>'


def _unfinished(chart: Chart, plane: Plane) -> str:
    """A faint ground below the periods that are not over."""
    if not chart.any_unfinished:
        return ""
    if chart.shape == "stacked":
        start = plane.x(chart.over / len(chart.x_labels))
    else:
        start = _middle(chart, plane, max(chart.over - 1, 0)) if len(chart.x_labels) > 1 else plane.left
    return (
        f'<rect class="still" x="{_n(start)}" y="{_n(plane.top)}" '
        f'width="{_n(plane.right - start)}" height="{_n(plane.bottom - plane.top)}"/>'
    )


def _lines(chart: Chart, plane: Plane, titled: bool) -> Iterator[str]:
    for number, run in enumerate(chart.runs):
        points = [
            None if value is None else (_middle(chart, plane, place), plane.y(value))
            for place, value in enumerate(run.values)
        ]
        done, still = _path(points[: chart.over]), _path(points[max(chart.over - 1, 0) :])
        paths = f'<path d="{done}"/>' if done else ""
        paths += f'<path class="still" d="{still}"/>' if still and chart.any_unfinished else ""
        yield f'<g class="s{number % COLORS}">{paths}{"".join(_dots(chart, run, points, titled))}</g>'


def _path(points: Sequence[tuple[float, float] | None]) -> str:
    """The line through the points, broken at gaps."""
    steps, drawing = [], False
    for point in points:
        if point is not None:
            steps.append(f"{'L' if drawing else 'M'}{_n(point[0])} {_n(point[1])}")
        drawing = point is not None
    return "".join(steps)


def _dots(chart: Chart, run: Run, points: Sequence[tuple[float, float] | None], titled: bool) -> Iterator[str]:
    """A dot at each point where there are few, else only where no line would show it; a title at each."""
    few = len(points) <= _MOST_DOTS
    for place, point in enumerate(points):
        if point is None:
            continue
        around = (*points[max(place - 1, 0) : place], *points[place + 1 : place + 2])
        at = f'cx="{_n(point[0])}" cy="{_n(point[1])}"'
        if few or all(neighbour is None for neighbour in around):
            yield f'<circle{_class("still", place >= chart.over)} {at} r="2.5"/>'
        if titled:
            yield f'<circle class="at" {at} r="8"><title>{_e(_point(chart, run, place))}</title></circle>'


def _names(chart: Chart, plane: Plane) -> Iterator[str]:
    """The name of each series beside its end."""
    ends = [next((value for value in reversed(run.values) if value is not None), plane.low) for run in chart.runs]
    heights = charts.spread([plane.y(end) for end in ends], _LINE_HEIGHT, plane.top, plane.bottom)
    for number, (run, height) in enumerate(zip(chart.runs, heights, strict=True)):
        yield f'<text class="s{number % COLORS}" x="{_n(plane.right + 8)}" y="{_n(height + 4)}">{_e(run.label)}</text>'


def _bars(chart: Chart, plane: Plane, titled: bool) -> Iterator[str]:
    """A bar per period: what is above zero piled up, what is below piled down, in the order of the series."""
    band = (plane.right - plane.left) / max(len(chart.x_labels), 1)
    dense = band < _NARROWEST_BAND
    width = band + _NO_SEAM if dense else min(band * 0.72, 56.0)
    tops, feet = [0.0] * len(chart.x_labels), [0.0] * len(chart.x_labels)
    for number, run in enumerate(chart.runs):
        rects = []
        for place, value in enumerate(run.values):
            if not value:
                continue
            piles = tops if value > 0 else feet
            start, piles[place] = piles[place], piles[place] + value
            upper, lower = sorted((plane.y(start), plane.y(piles[place])))
            still = _class("still", place >= chart.over)
            title = f"<title>{_e(_point(chart, run, place))}</title>" if titled else ""
            rects.append(
                f'<rect{still} x="{_n(_middle(chart, plane, place) - width / 2)}" y="{_n(upper)}" '
                f'width="{_n(width)}" height="{_n(lower - upper)}">{title}</rect>'
            )
        yield f'<g class="s{number % COLORS}{" dense" * dense}">{"".join(rects)}</g>'
    yield f'<path class="zero" d="M{_n(plane.left)} {_n(plane.y(0))}H{_n(plane.right)}"/>'


def _middle(chart: Chart, plane: Plane, place: int) -> float:
    """Where a period lies: bars have a band each, lines go from edge to edge."""
    count = len(chart.x_labels)
    if chart.shape == "stacked" or count < 2:
        return plane.x((place + 0.5) / max(count, 1))
    return plane.x(place / (count - 1))


def _legend(chart: Chart) -> str:
    """The names of the series with their colour and dash; the style hides it where they stand beside the lines."""
    width, shape = (
        (12, '<rect width="12" height="12" rx="2"/>') if chart.shape == "stacked" else (24, '<path d="M1 6H23"/>')
    )
    box = f'aria-hidden="true" viewBox="0 0 {width} 12" width="{width}" height="12"'
    items = (
        f'<span><svg class="s{number % COLORS}" {box}>{shape}</svg>{_e(run.label)}</span>'
        for number, run in enumerate(chart.runs)
    )
    return f'<p class="legend">{"".join(items)}</p>'


def _said(chart: Chart, lang: Lang) -> str:
    """The chart in words: of each series the first, the last, the lowest and the highest value."""
    runs = [
        f"{run.label}: {', '.join(f'{word(lang)} {text}' for word, text in zip(charts.WORDS, run.figures, strict=True))}"
        for run in chart.runs
    ]
    span = " → ".join(dict.fromkeys(chart.x_labels[:1] + chart.x_labels[-1:]))
    return " · ".join(filter(None, (chart.title, span, *runs)))


def _point(chart: Chart, run: Run, place: int) -> str:
    mark = cells.MARK if place >= chart.over else ""
    return f"{chart.x_labels[place]} · {run.label} {cells.shown(run.values[place], chart.kind)}{mark}"


# --- funnels -----------------------------------------------------------------------------------------------------

_PLACE, _ROOM = 22.0, 12.0
_WIDEST_STEP = 260.0


def funnel(drawn: Funnel, lang: Lang) -> str:
    """The funnel for a page: a bar per step, what is lost on a slope between them."""
    return f'<div class="chart funnel">{_funnel_wide(drawn, lang)}{_funnel_narrow(drawn, lang)}</div>'


def _funnel_wide(funnel: Funnel, lang: Lang) -> str:
    """Names to the left of the bars, numbers in columns to the right."""
    bar, slope, top, width = 32.0, 28.0, 26.0, WIDE.width
    left = _PLACE + min(max((_width(step.label) for step in funnel.steps), default=0.0) * _BOLD, _WIDEST_STEP) + _ROOM
    shares = width - max(_width(FROM_START(lang)), 56.0) - _ROOM
    right = shares - max(_width(funnel.unit), *(_width(step.count) for step in funnel.steps), 50.0) - 2 * _ROOM
    parts = [_text(funnel.unit, shares, 14, "end"), _text(FROM_START(lang), width, 14, "end")]
    for place, step in enumerate(funnel.steps):
        y = top + place * (bar + slope)
        parts += _step(funnel, place, left, right - left, y, bar, slope, titled=True)
        parts += [
            _text(step.place, 0, y + bar / 2 + 4),
            _text(_clipped(step.label, _WIDEST_STEP), _PLACE, y + bar / 2 + 4, kind="name"),
            _text(step.count, shares, y + bar / 2 + 4, "end", "name"),
            _text(step.from_start, width, y + bar / 2 + 4, "end"),
        ]
    return _sheet(WIDE.name, width, top + len(funnel.steps) * (bar + slope) - slope + 4, _funnel_said(funnel), parts)


def _funnel_narrow(funnel: Funnel, lang: Lang) -> str:
    """Names and numbers above the bars."""
    bar, slope, head, top, width = 18.0, 26.0, 22.0, 20.0, NARROW.width
    parts = [_text(f"{funnel.unit} · {FROM_START(lang)}", width, 12, "end")]
    for place, step in enumerate(funnel.steps):
        y = top + place * (head + bar + slope)
        numbers = f"{step.count} · {step.from_start}"
        parts += _step(funnel, place, 0, width, y + head, bar, slope + head, titled=False)
        parts += [
            _text(_clipped(f"{step.place}  {step.label}", width - _width(numbers) - 30), 0, y + head - 7, kind="name"),
            _text(numbers, width, y + head - 7, "end"),
        ]
    height = top + len(funnel.steps) * (head + bar + slope) - slope + 4
    return _sheet(NARROW.name, width, height, _funnel_said(funnel), parts)


def _step(
    funnel: Funnel, place: int, left: float, room: float, y: float, bar: float, slope: float, titled: bool
) -> Iterator[str]:
    """The bar of a step; the slope down to it from the one before, and what was lost there."""
    step = funnel.steps[place]
    end = left + _length(step, room)
    if place:
        before = left + _length(funnel.steps[place - 1], room)
        yield (
            f'<path class="slope" d="M{_n(left)} {_n(y - slope)}H{_n(before)}L{_n(end)} {_n(y)}H{_n(left)}Z"/>'
            + _text(f"↓ {step.drop}", left + 8, y - slope + (17 if slope > 40 else slope / 2 + 4), kind="drop")
        )
    title = f"<title>{_e(step.said)}</title>" if titled else ""
    yield (
        f'<rect class="step" x="{_n(left)}" y="{_n(y)}" width="{_n(end - left)}" height="{_n(bar)}" rx="2">{title}</rect>'
        f'<path class="foot" d="M{_n(left)} {_n(y)}v{_n(bar)}"/>'
    )


def _length(step: Step, room: float) -> float:
    return max(step.fraction * room, 1.5) if step.fraction else 0.0


def _funnel_said(funnel: Funnel) -> str:
    parts = (f"{step.said}, {step.drop}" if step.drop else step.said for step in funnel.steps)
    return "; ".join((f"{funnel.title}, {funnel.unit}", *parts))


# --- graphs ------------------------------------------------------------------------------------------------------

_SPOT_HEIGHT, _SPOT_SIDES, _WIDEST_SPOT = 42.0, 20.0, 150.0
_LEAST_BETWEEN = 34.0
_THINNEST, _THICKEST, _PORT_GAP = 1.5, 11.0, 5.0
_LOOP = 30.0
_ARROW = 7.0
_GRAPH_GAP = 14.0


def graph(drawn: Graph) -> str:
    """The graph for a page: in layers from left to right in a wide window, one below the other in a narrow one."""
    return f'<div class="chart graph">{_graph_wide(drawn)}{_graph_narrow(drawn, NARROW)}</div>'


def _graph_wide(graph: Graph) -> str:
    """Layers from left to right; one below the other where they are too many to stand beside each other."""
    stacks, chains = graphs.columns(graph)
    widths = [max((_spot_width(graph, item[1]) for item in stack if item[0] == 0), default=0.0) for stack in stacks]
    between = (WIDE.width - sum(widths)) / max(len(widths) - 1, 1)
    if between < _LEAST_BETWEEN:
        return _graph_narrow(graph, WIDE)
    between = min(between, 190.0)
    start = (WIDE.width - sum(widths) - between * (len(widths) - 1)) / 2
    lefts = [start + sum(widths[:layer]) + layer * between for layer in range(len(widths))]
    room = _room(graph, stacks, chains)
    at = graphs.heights(graph, stacks, chains, room)
    height = max(at[item] + room[item][1] for item in at)
    ports = _ports(graph, chains, at)
    ways: list[str] = []
    labels: dict[int, list[tuple[float, str]]] = {}
    for number, (way, chain) in enumerate(zip(graph.ways, chains, strict=True)):
        if not chain:
            ways.append(_loop(graph, way, lefts[graph.layers[way.source]], widths, at[0, way.source]))
            continue
        d, ends = "", []
        for place, item in enumerate(chain):
            layer = graph.layers[item[1]] if item[0] == 0 else item[1]
            inset = (widths[layer] - _spot_width(graph, item[1])) / 2 if item[0] == 0 else 0.0
            left, right = lefts[layer] + inset, lefts[layer] + widths[layer] - inset
            y_in = ports.get((number, item, 0), at[item])
            y_out = ports.get((number, item, 1), at[item])
            if place == 0:
                d, ends = f"M{_n(right)} {_n(y_out)}", [(right, y_out)]
            else:
                x0, y0 = ends[-1]
                middle = (x0 + left) / 2
                d += f"C{_n(middle)} {_n(y0)} {_n(middle)} {_n(y_in)} {_n(left)} {_n(y_in)}"
                d += f"H{_n(right)}" if place < len(chain) - 1 else ""
                ends += [(left, y_in), (right, y_in)]
        back = graph.goes_back(way)
        (x, y), away = (ends[0], 1) if back else (ends[-2], -1)
        ways.append(_way(graph, way, d, _arrow(x, y, away, way)))
        del labels
        labels = {}
    spots = [_spot(graph, node, lefts[graph.layers[node]] + widths[graph.layers[node]] / 2, at[0, node],
                   _spot_height(graph, chains, node)) for node in range(len(graph.spots))]  # fmt: skip
    return _sheet(WIDE.name, WIDE.width, height + 4, _graph_said(graph), [*ways, *spots])


def _class(name: str, applies: bool) -> str:
    return f' class="{name}"' if applies else ""


def _width(text: str) -> float:
    return cell_len(text) * _CELL


def _n(number: float) -> str:
    return f"{number + 0.0:.1f}".removesuffix(".0")


def _e(text: str) -> str:
    return escape(text, quote=True)
