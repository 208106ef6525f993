"""Charts as finished numbers and as characters: scales, sparklines, bars and dot plots that the renderers share.

Periods that are not over are drawn and marked, but are no part of first, last, lowest and highest: half a week is no
drop. Values that no chart can show (NaN, infinities) are gaps.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from userops.outputs import cells
from userops.outputs.privacy import terminal_safe
from userops.results import ChartBlock, Kind, Lang, Text

FILLS = "█▓▒░▚╱┄·"
"""What the bars of the first series are made of, the second, and so on; also where there is no colour."""

MAX_BARS = 30
"""Periods of stacked bars drawn as text: the last ones."""

WORDS = (Text("First", "首期"), Text("Last", "末期"), Text("Lowest", "最低"), Text("Highest", "最高"))
"""What the figures of a series are called."""

_SERIES, _PERIOD = Text("Series", "序列"), Text("Period", "周期")
_LAST_PERIODS = Text(
    "the last {shown} of {all} periods: all of them with --format csv or -o FILE",
    "仅显示最近 {shown} 个周期,共 {all} 个:用 --format csv 或 -o FILE 查看全部",
)
_NOT_IN_FIGURES = Text("* period not over: not in the figures", "* 周期未结束,不计入各数值")
_IS_MARKED = Text("marked: {span}", "标出区间:{span}")
_IS_BASELINE = Text("baseline {value}", "基线 {value}")
_MEANS = Text("one mark is the mean of {per} periods", "每格为 {per} 个周期的平均值")

_SPARKS = "▁▂▃▄▅▆▇█"
_NICE = (1.0, 2.0, 2.5, 5.0, 10.0)
_LARGEST = 1e100
_UNEVEN = 8
"""Places between labels from which on nobody sees that one distance is longer by one."""


@dataclass(frozen=True, slots=True)
class Run:
    """One series ready to be drawn. ``first`` to ``highest`` are finished text, of the periods that are over."""

    label: str
    values: tuple[float | None, ...]
    first: str
    last: str
    lowest: str
    highest: str

    @property
    def figures(self) -> tuple[str, str, str, str]:
        """One for each of WORDS."""
        return self.first, self.last, self.lowest, self.highest


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart ready to be drawn: every run has one value (or gap) per label; from place ``over`` on, not over yet.

    ``marked``: the first and the last place of the stretch to look at. ``remarks``: what is marked and what the baseline
    is, as finished text.
    """

    title: str
    x_labels: tuple[str, ...]
    runs: tuple[Run, ...]
    kind: Kind
    shape: Literal["lines", "stacked"]
    over: int
    marked: tuple[int, int] | None = None
    baseline: float | None = None
    remarks: tuple[str, ...] = ()

    @property
    def values(self) -> list[float]:
        """Every number that is drawn as a point."""
        return [value for run in self.runs for value in run.values if value is not None]

    @property
    def extent(self) -> list[float]:
        """What the scale of lines has to hold: their points, and the baseline."""
        return self.values if self.baseline is None else [*self.values, self.baseline]

    @property
    def any_unfinished(self) -> bool:
        """True where the mark needs its legend."""
        return self.over < len(self.x_labels)


def chart(block: ChartBlock, lang: Lang) -> Chart:
    """The block as finished numbers and texts."""
    count = len(block.x_labels)
    over = count if block.unfinished is None else min(max(block.unfinished, 0), count)
    runs = []
    for series in block.series:
        values = tuple(_drawable(value) for value in series.values)
        known = [value for value in values[:over] if value is not None]
        ends = (known[0], known[-1], min(known), max(known)) if known else (None,) * 4
        runs.append(Run(terminal_safe(series.label(lang)), values, *(cells.shown(end, block.kind) for end in ends)))
    labels = tuple(map(terminal_safe, block.x_labels))
    marked, baseline = _marked(block.marked, count), _drawable(block.baseline)
    remarks = []
    if marked:
        span = " → ".join(dict.fromkeys((labels[marked[0]], labels[marked[1]])))
        remarks.append(_IS_MARKED(lang).format(span=span))
    if baseline is not None:
        remarks.append(_IS_BASELINE(lang).format(value=cells.shown(baseline, block.kind)))
    return Chart(
        terminal_safe(block.title(lang)), labels, tuple(runs), block.kind, block.shape, over, marked, baseline,
        tuple(remarks),
    )  # fmt: skip


def _marked(marked: tuple[int, int] | None, count: int) -> tuple[int, int] | None:
    """The stretch as far as it lies among ``count`` periods; None where it does not."""
    if marked is None:
        return None
    first, last = max(marked[0], 0), min(marked[1], count - 1)
    return (first, last) if first <= last else None


# --- scales ------------------------------------------------------------------------------------------------------


def ticks(low: float, high: float, most: int, whole: bool = False) -> list[float]:
    """Round numbers, evenly apart, from at or below ``low`` to at or above ``high``; about ``most`` of them.

    ``whole``: whole numbers only. Always at least two, the first below the last.
    """
    if not high - low > 1e-9 * max(abs(low), abs(high)):
        low, high = min(low, 0.0), max(high, 0.0)
    if low == high:
        high = 1.0
    step = _step((high - low) / max(most - 1, 1))
    if whole:
        step = max(1.0, math.ceil(step))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def value_ticks(chart: Chart, most: int) -> list[float]:
    """The ticks of the value axis. Bars start at zero; lines do unless all values lie far from it."""
    if chart.shape == "stacked":
        sums = [_sums(values) for values in _periods(chart)]
        low, high = -max((down for down, _ in sums), default=0.0), max((up for _, up in sums), default=0.0)
    else:
        low, high = min(chart.extent, default=0.0), max(chart.extent, default=0.0)
        low = 0.0 if 0 <= low <= high / 2 else low
        high = 0.0 if low / 2 <= high <= 0 else high
    return ticks(low, high, most, whole=chart.kind == "count")


def tick_text(value: float, step: float, kind: Kind) -> str:
    """A tick as people read it: no more decimals than the step needs."""
    factor, unit = (100.0, " %") if kind == "share" else (1.0, "")
    step, value = abs(step) * factor, value * factor
    decimals = next((n for n in range(9) if math.isclose(round(step, n), step, rel_tol=1e-6)), 9)
    return f"{round(value, decimals) + 0.0:,.{decimals}f}{unit}"


def x_ticks(count: int, most: int) -> list[int]:
    """Places of at most ``most`` labels, the last one among them.

    Evenly apart and from the first one on where that comes out, or nearly so; else evenly apart.
    """
    if count < 2 or most < 2:
        return [count - 1] * (count > 0)
    last = count - 1
    least = math.ceil(last / (most - 1))
    every = next((step for step in range(least, least + least // 2 + 1) if last % step == 0), least)
    if last % every and every >= _UNEVEN:
        gaps = math.ceil(last / every)
        return [round(number * last / gaps) for number in range(gaps + 1)]
    return list(range(last % every, count, every))


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """The places, moved apart to at least ``gap`` and kept from ``low`` to ``high`` as far as they fit; order kept."""
    order = sorted(range(len(wanted)), key=lambda index: (wanted[index], index))
    placed = [0.0] * len(wanted)
    floor = low
    for index in order:
        placed[index] = max(wanted[index], floor)
        floor = placed[index] + gap
    ceiling = high
    for index in reversed(order):
        placed[index] = min(placed[index], ceiling)
        ceiling = placed[index] - gap
    return placed


# --- tables of characters ----------------------------------------------------------------------------------------


def table(chart: Chart, lang: Lang, width: int) -> cells.Grid:
    """The chart as a table with a column of drawings ``width`` cells wide: a row per series, or per period if stacked.

    Stacked: the fill of each series stands in the header of its numbers. Lines: none are drawn at width 0.
    """
    return _stacked_table(chart, lang, width) if chart.shape == "stacked" else _lines_table(chart, lang, width)


def legend(chart: Chart, lang: Lang, width: int) -> list[str]:
    """What a reader of the table has to be told: what a mark stands for, what is left out, what is not over."""
    lines = []
    if chart.shape == "stacked" and len(chart.x_labels) > MAX_BARS:
        lines.append(_LAST_PERIODS(lang).format(shown=MAX_BARS, all=f"{len(chart.x_labels):,}"))
    if chart.shape == "lines" and width and (per := _per_mark(len(chart.x_labels), chart.over, width)) > 1:
        lines.append(_MEANS(lang).format(per=per))
    if chart.any_unfinished:
        lines.append((_NOT_IN_FIGURES if chart.shape == "lines" else cells.NOT_OVER)(lang))
    return [*lines, " · ".join(chart.remarks)] if chart.remarks else lines


def open_marks(chart: Chart, width: int) -> int:
    """How many marks at the end of each sparkline are of periods that are not over."""
    per = _per_mark(len(chart.x_labels), chart.over, width)
    return math.ceil((len(chart.x_labels) - chart.over) / per)


def sparkline(values: Sequence[float | None], over: int, width: int) -> str:
    """One mark per value, from the lowest to the highest; where ``width`` is too small, per mean of several.

    A gap is a space. No mark stands for both finished and unfinished periods; the scale is that of the finished.
    """
    per = _per_mark(len(values), over, width)
    done, still = _means(values[:over], per), _means(values[over:], per)
    known = [mean for mean in (done if any(mean is not None for mean in done) else still) if mean is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    return "".join(_spark(mean, low, high) for mean in (*done, *still))


def strip(chart: Chart, width: int) -> tuple[str, str, str]:
    """The first series as a sparkline in three parts: before what is marked, that, after it; nothing marked: the first.

    Each part has marks of its own, so that none stands for both; the scale is common.
    """
    values = chart.runs[0].values if chart.runs else ()
    first, last = chart.marked or (len(values), len(values))
    known = [value for value in values if value is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    parts = values[:first], values[first : last + 1], values[last + 1 :]
    per = max(1, math.ceil(len(values) / max(width - 2, 2)))
    before, marked, after = ("".join(_spark(mean, low, high) for mean in _means(part, per)) for part in parts)
    return before, marked, after


def stacked_bar(values: Sequence[float | None], left: int, right: int, unit: float) -> str:
    """A bar ``left + right`` cells wide at most: what is below zero to the left of the axis, the rest to the right.

    Parts are cut at the nearest cell to their running sum, so that the whole is right within half a cell.
    """
    below, above = "", ""
    down = up = 0.0
    for fill, value in zip(fills(len(values)), values, strict=True):
        if value is not None and value < 0:
            down -= value
            below += fill * (min(_nearest(down, unit), left) - len(below))
        elif value is not None:
            up += value
            above += fill * (min(_nearest(up, unit), right) - len(above))
    return below[::-1].rjust(left) + ("│" if left else "") + above


def bar_scale(chart: Chart, width: int) -> tuple[int, int, float]:
    """Cells to the left and to the right of the axis, and the value of one cell, for the longest bars to fit."""
    sums = [_sums(values) for values in _periods(chart)[-MAX_BARS:]]
    down, up = max((down for down, _ in sums), default=0.0), max((up for _, up in sums), default=0.0)
    if not down + up > 0:
        return 0, width, 1.0
    room = width - 1 if down else width
    unit = (down + up) / max(room, 1)
    left = min(max(_nearest(down, unit), 1), room) if down else 0
    return left, room - left, unit


def _lines_table(chart: Chart, lang: Lang, width: int) -> cells.Grid:
    mark = cells.MARK if chart.any_unfinished else ""
    span = " → ".join(dict.fromkeys(chart.x_labels[:1] + chart.x_labels[-1:])) + mark
    drawings = [(sparkline(run.values, chart.over, width) + mark,) if width else () for run in chart.runs]
    headers = (_SERIES(lang), *((span,) if width else ()), *(word(lang) for word in WORDS))
    return cells.Grid(
        title=chart.title,
        headers=headers,
        numeric=tuple(index >= len(headers) - len(WORDS) for index in range(len(headers))),
        rows=tuple((run.label, *drawing, *run.figures) for run, drawing in zip(chart.runs, drawings, strict=True)),
        bars=(None,) * len(headers),
        total_row=False,
        hidden=0,
        drawing=1 if width else None,
    )


def _stacked_table(chart: Chart, lang: Lang, width: int) -> cells.Grid:
    left, right, unit = bar_scale(chart, width)
    places = range(len(chart.x_labels))[-MAX_BARS:]
    periods = _periods(chart)
    labels = [f"{fill} {run.label}" for fill, run in zip(fills(len(chart.runs)), chart.runs, strict=True)]
    return cells.Grid(
        title=chart.title,
        headers=(_PERIOD(lang), "", *labels),
        numeric=(False, False, *(True for _ in chart.runs)),
        rows=tuple(
            (
                chart.x_labels[place] + cells.MARK * (place >= chart.over),
                stacked_bar(periods[place], left, right, unit),
                *(cells.shown(value, chart.kind) for value in periods[place]),
            )
            for place in places
        ),
        bars=(None,) * (2 + len(chart.runs)),
        total_row=False,
        hidden=0,
        drawing=1,
    )


def _spark(mean: float | None, low: float, high: float) -> str:
    if mean is None:
        return " "
    if low < high:
        return _SPARKS[round((min(max(mean, low), high) - low) / (high - low) * (len(_SPARKS) - 1))]
    level = 0 if mean < low or mean == 0 else 3 if mean == low else len(_SPARKS) - 1
    return _SPARKS[level]


def _per_mark(count: int, over: int, width: int) -> int:
    per = max(1, math.ceil(count / max(width, 2)))
    while math.ceil(over / per) + math.ceil((count - over) / per) > max(width, 2):
        per += 1
    return per


def _means(values: Sequence[float | None], per: int) -> list[float | None]:
    buckets = ([v for v in values[start : start + per] if v is not None] for start in range(0, len(values), per))
    return [math.fsum(bucket) / len(bucket) if bucket else None for bucket in buckets]


def _periods(chart: Chart) -> list[tuple[float | None, ...]]:
    """The values of each period, over all runs."""
    return [tuple(run.values[place] for run in chart.runs) for place in range(len(chart.x_labels))]


def _sums(values: Sequence[float | None]) -> tuple[float, float]:
    """What is below zero (as a positive number) and what is above."""
    known = [value for value in values if value is not None]
    return -math.fsum(value for value in known if value < 0), math.fsum(value for value in known if value > 0)


def fills(count: int) -> str:
    """One character per series."""
    return (FILLS * (count // len(FILLS) + 1))[:count]


# --- a plot of dots ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Dots:
    """One cell of a plot: its Braille character, the run it belongs to (None: empty), whether it is not over."""

    character: str
    run: int | None
    unfinished: bool


_EMPTY = Dots(" ", None, False)
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


def plot(chart: Chart, low: float, high: float, width: int, height: int) -> list[list[Dots]]:
    """The lines of the chart in ``height`` rows of ``width`` cells, each 2 x 4 dots; what is not over is dotted."""
    across = width * 2 - 1
    canvas = [[_EMPTY] * width for _ in range(height)]
    last = max(len(chart.x_labels) - 1, 1)
    for number, run in enumerate(chart.runs):
        points = [
            None if value is None else (round(place / last * across), dot_row(value, low, high, height))
            for place, value in enumerate(run.values)
        ]
        for place, point in enumerate(points):
            before = points[place - 1] if place else None
            unfinished = place >= chart.over
            for step, (x, y) in enumerate(_between(point, before or point) if point else ()):
                if unfinished and step % 3:
                    continue
                cell = canvas[y // 4][x // 2]
                bits = (ord(cell.character) - 0x2800 if cell.run is not None else 0) | _DOTS[y % 4][x % 2]
                canvas[y // 4][x // 2] = Dots(chr(0x2800 + bits), number, unfinished)
    return canvas


def dot_row(value: float, low: float, high: float, height: int) -> int:
    """The row of dots of a value, from the top; ``high`` and ``low`` lie amid the first and the last row of cells."""
    return round(1.5 + (high - value) / (high - low) * 4 * (height - 1))


def _between(start: tuple[int, int], stop: tuple[int, int]) -> Iterator[tuple[int, int]]:
    steps = max(abs(stop[0] - start[0]), abs(stop[1] - start[1]))
    for step in range(steps + 1):
        share = step / steps if steps else 0.0
        yield round(start[0] + (stop[0] - start[0]) * share), round(start[1] + (stop[1] - start[1]) * share)


def _step(raw: float) -> float:
    magnitude = 10.0 ** math.floor(math.log10(raw))
    return next((nice * magnitude for nice in _NICE if nice * magnitude >= raw * (1 - 1e-9)), 10 * magnitude)


def _nearest(value: float, unit: float) -> int:
    return math.floor(value / unit + 0.5)


def _drawable(value: float | None) -> float | None:
    if value is None or not abs(value) < _LARGEST:
        return None
    return float(value) if abs(value) > 1 / _LARGEST else 0.0
