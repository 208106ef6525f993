"""Charts as SVG inside a page: no script, no style of their own; classes that the page's style gives colours.

Every chart is drawn twice, for a wide and for a narrow window (the style shows one), because text that shrinks with a
drawing cannot be read on a phone. Series differ by colour, by dash and by name; what is not over is dotted or pale.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from userops.outputs import cells, charts
from userops.outputs.charts import Chart, Run
from userops.outputs.drawing import BOLD, NARROW, WIDE, Sheet, class_of, escaped, num, width_of
from userops.results import Lang

COLORS = 8
"""Series colours that the style has, ``s0`` to ``s7``; more series start again."""

MOST_TITLES = 500
"""Points or bars that say their number under the pointer; a page with more would be heavy."""

_MOST_DOTS = 40
_MOST_NAMES, _WIDEST_NAME = 12, 220.0
_NARROWEST_BAND, _NO_SEAM = 6.0, 0.5
_LINE_HEIGHT = 15.0


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


def figure(chart: Chart, lang: Lang, titles: bool = True) -> str:
    """The chart with its legend, for a page; without ``titles`` no point says its number under the pointer."""
    drawn = "".join(_drawing(chart, sheet, lang, titles) for sheet in (WIDE, NARROW))
    named = " named" * _is_named(chart)
    return f'<div class="chart {chart.shape}{named}">{_legend(chart)}{drawn}</div>'


def _drawing(chart: Chart, sheet: Sheet, lang: Lang, titles: bool) -> str:
    ticks = charts.value_ticks(chart, most=6 if sheet is WIDE else 5)
    texts = [charts.tick_text(tick, ticks[1] - ticks[0], chart.kind) for tick in ticks]
    named = sheet is WIDE and _is_named(chart)
    plane = Plane(
        left=max(map(width_of, texts)) + 10,
        right=sheet.width - (_widest_name(chart) + 14 if named else 8),
        top=10,
        bottom=sheet.height - 28,
        low=ticks[0],
        high=ticks[-1],
    )
    titled = titles and sheet is WIDE and len(chart.values) <= MOST_TITLES
    shapes = (_bars if chart.shape == "stacked" else _lines)(chart, plane, titled)
    names = _names(chart, plane) if named else ()
    return (
        f'<svg class="{sheet.name}" role="img" aria-label="{escaped(_said(chart, lang))}" '
        f'viewBox="0 0 {sheet.width} {sheet.height}">{_marked(chart, plane)}{_unfinished(chart, plane)}'
        f"{_grid(plane, ticks, texts)}{_foot(chart, plane, sheet)}{_baseline(chart, plane)}"
        f"{''.join(shapes)}{''.join(names)}</svg>"
    )


def _is_named(chart: Chart) -> bool:
    """True where lines can have their names beside their ends: not too many of them, and none too long."""
    return chart.shape == "lines" and len(chart.runs) <= _MOST_NAMES and _widest_name(chart) <= _WIDEST_NAME


def _widest_name(chart: Chart) -> float:
    return max((width_of(run.label) for run in chart.runs), default=0.0) * BOLD


def _grid(plane: Plane, ticks: Sequence[float], texts: Sequence[str]) -> str:
    rules = "".join(
        f'<path{class_of("zero", tick == 0)} d="M{num(plane.left)} {num(plane.y(tick))}H{num(plane.right)}"/>'
        for tick in ticks
    )
    labels = "".join(
        f'<text x="{num(plane.left - 8)}" y="{num(plane.y(tick) + 4)}" text-anchor="end">{escaped(text)}</text>'
        for tick, text in zip(ticks, texts, strict=True)
    )
    return f'<g class="grid">{rules}{labels}</g>'


def _foot(chart: Chart, plane: Plane, sheet: Sheet) -> str:
    """The labels below, as many as there is room for; the mark at those that are not over."""
    labels = [label + cells.MARK * (place >= chart.over) for place, label in enumerate(chart.x_labels)]
    widest = max(map(width_of, labels), default=0.0)
    texts = []
    for place in charts.x_ticks(len(labels), int((plane.right - plane.left + widest / 2) / (widest + 22))):
        half = width_of(labels[place]) / 2
        x = min(max(_middle(chart, plane, place), half + 1), sheet.width - half - 1)
        texts.append(
            f'<text x="{num(x)}" y="{num(plane.bottom + 20)}" text-anchor="middle">{escaped(labels[place])}</text>'
        )
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
        f'<rect class="still" x="{num(start)}" y="{num(plane.top)}" '
        f'width="{num(plane.right - start)}" height="{num(plane.bottom - plane.top)}"/>'
    )


def _marked(chart: Chart, plane: Plane) -> str:
    """A ground below the stretch to look at, half a period wider on either side."""
    if chart.marked is None:
        return ""
    count = len(chart.x_labels)
    half = (plane.right - plane.left) / max(count if chart.shape == "stacked" else count - 1, 1) / 2
    start = max(_middle(chart, plane, chart.marked[0]) - half, plane.left)
    stop = min(_middle(chart, plane, chart.marked[1]) + half, plane.right)
    return (
        f'<rect class="marked" x="{num(start)}" y="{num(plane.top)}" width="{num(stop - start)}" '
        f'height="{num(plane.bottom - plane.top)}"/>'
    )


def _baseline(chart: Chart, plane: Plane) -> str:
    """A line across at what the values are held against."""
    if chart.baseline is None or not plane.low <= chart.baseline <= plane.high:
        return ""
    return f'<path class="base" d="M{num(plane.left)} {num(plane.y(chart.baseline))}H{num(plane.right)}"/>'


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
            steps.append(f"{'L' if drawing else 'M'}{num(point[0])} {num(point[1])}")
        drawing = point is not None
    return "".join(steps)


def _dots(chart: Chart, run: Run, points: Sequence[tuple[float, float] | None], titled: bool) -> Iterator[str]:
    """A dot at each point where there are few, else only where no line would show it; a title at each."""
    few = len(points) <= _MOST_DOTS
    for place, point in enumerate(points):
        if point is None:
            continue
        around = (*points[max(place - 1, 0) : place], *points[place + 1 : place + 2])
        at = f'cx="{num(point[0])}" cy="{num(point[1])}"'
        if few or all(neighbour is None for neighbour in around):
            yield f'<circle{class_of("still", place >= chart.over)} {at} r="2.5"/>'
        if titled:
            yield f'<circle class="at" {at} r="8"><title>{escaped(_point(chart, run, place))}</title></circle>'


def _names(chart: Chart, plane: Plane) -> Iterator[str]:
    """The name of each series beside its end."""
    ends = [next((value for value in reversed(run.values) if value is not None), plane.low) for run in chart.runs]
    heights = charts.spread([plane.y(end) for end in ends], _LINE_HEIGHT, plane.top, plane.bottom)
    for number, (run, height) in enumerate(zip(chart.runs, heights, strict=True)):
        yield f'<text class="s{number % COLORS}" x="{num(plane.right + 8)}" y="{num(height + 4)}">{escaped(run.label)}</text>'


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
            still = class_of("still", place >= chart.over)
            title = f"<title>{escaped(_point(chart, run, place))}</title>" if titled else ""
            rects.append(
                f'<rect{still} x="{num(_middle(chart, plane, place) - width / 2)}" y="{num(upper)}" '
                f'width="{num(width)}" height="{num(lower - upper)}">{title}</rect>'
            )
        yield f'<g class="s{number % COLORS}{" dense" * dense}">{"".join(rects)}</g>'
    yield f'<path class="zero" d="M{num(plane.left)} {num(plane.y(0))}H{num(plane.right)}"/>'


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
        f'<span><svg class="s{number % COLORS}" {box}>{shape}</svg>{escaped(run.label)}</span>'
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
    return " · ".join(filter(None, (chart.title, span, *runs, *chart.remarks)))


def _point(chart: Chart, run: Run, place: int) -> str:
    mark = cells.MARK if place >= chart.over else ""
    return f"{chart.x_labels[place]} · {run.label} {cells.shown(run.values[place], chart.kind)}{mark}"
