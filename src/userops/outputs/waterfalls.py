"""Waterfalls as finished numbers and as characters: bars from where one step ended to where the next one does."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from userops.outputs import cells
from userops.outputs.privacy import terminal_safe
from userops.results import Kind, Lang, Text, WaterfallBlock

FILL: dict[str, str] = {"total": "█", "up": "▓", "down": "░"}
"""What bars are made of where there is no colour."""

_REST = Text("Rest", "其余")
_STEP, _EFFECT = Text("Step", "步骤"), Text("Effect", "影响")
_OF_CHANGE = Text("of change", "占变化")
_CUT = Text("the axis begins at {value}, not at zero", "坐标轴起点为 {value},不是零")
_FAR = 0.5
"""Share of the largest value above which all others must lie for the axis not to begin at zero."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar ready to be drawn: from ``start`` to ``stop`` of the width (0 to 1, start first), and its number.

    ``end``: where the line to the next bar leaves. ``part``: a step's share of the whole change, empty for totals.
    """

    label: str
    text: str
    part: str
    tone: Literal["total", "up", "down"]
    start: float
    stop: float
    end: float

    @property
    def said(self) -> str:
        """The bar as one line."""
        return " ".join(filter(None, (self.label, self.text, f"({self.part})" if self.part else "")))


@dataclass(frozen=True, slots=True)
class Waterfall:
    """A waterfall ready to be drawn. ``note``: that the axis was cut, empty where it begins at zero."""

    title: str
    bars: tuple[Bar, ...]
    note: str


def waterfall(block: WaterfallBlock, lang: Lang) -> Waterfall:
    """The block as finished numbers and texts; no bars where a number is missing."""
    title = terminal_safe(block.title(lang))
    start, end = block.start[1], block.end[1]
    if not all(map(math.isfinite, (start, end, *(effect for _, effect in block.steps)))):
        return Waterfall(title, (), "")
    steps = list(block.steps)
    rest = end - math.fsum((start, *(effect for _, effect in steps)))
    if abs(rest) > 1e-9 * max(abs(start), abs(end), *(abs(effect) for _, effect in steps), 1e-300):
        steps.append((_REST, rest))
    levels = [start]
    for _, effect in steps:
        levels.append(levels[-1] + effect)
    low, high = _extent([*levels, end])
    width = (high - low) or 1.0

    def bar(label: Text, number: float, tone: Literal["total", "up", "down"], ends: tuple[float, float]) -> Bar:
        places = [(min(max(value, low), high) - low) / width for value in ends]
        total = tone == "total"
        share = "" if total or end == start else cells.shown(number / (end - start), "share")
        text = cells.shown(number, block.kind) if total else signed(number, block.kind)
        return Bar(terminal_safe(label(lang)), text, share, tone, min(places), max(places), places[1])

    origin = max(low, min(0.0, high))
    bars = [bar(block.start[0], start, "total", (origin, start))]
    for (label, effect), before, after in zip(steps, levels, levels[1:], strict=False):
        bars.append(bar(label, effect, "up" if effect >= 0 else "down", (before, after)))
    bars.append(bar(block.end[0], end, "total", (origin, end)))
    note = "" if low <= 0.0 <= high else _CUT(lang).format(value=cells.shown(low if low > 0 else high, block.kind))
    return Waterfall(title, tuple(bars), note)


def signed(number: float, kind: Kind) -> str:
    """A change as people read it, with its sign."""
    text = cells.shown(number, kind)
    return f"+{text}" if number > 0 and any("1" <= digit <= "9" for digit in text) else text


def table(chart: Waterfall, lang: Lang, width: int) -> cells.Grid:
    """The waterfall as a table with a column of bars ``width`` cells wide."""
    return cells.Grid(
        title=chart.title,
        headers=(_STEP(lang), "", _EFFECT(lang), _OF_CHANGE(lang)),
        numeric=(False, False, True, True),
        rows=tuple((bar.label, picture(bar, width), bar.text, bar.part) for bar in chart.bars),
        bars=(None,) * 4,
        total_row=False,
        hidden=0,
        drawing=1,
    )


def picture(bar: Bar, width: int) -> str:
    """The bar as characters, with the spaces before it; at least a sliver of any step that is not zero."""
    start, stop = round(bar.start * width), round(bar.stop * width)
    if bar.stop > bar.start and stop == start:
        start, stop = (start, start + 1) if start < width else (start - 1, start)
    return " " * start + FILL[bar.tone] * (stop - start)


def _extent(levels: list[float]) -> tuple[float, float]:
    """The ends of the axis: zero and the farthest level, or only what lies near where all are far from zero."""
    low, high = min(levels), max(levels)
    spare = (high - low) * 0.5 or abs(high) or 1.0
    if low > 0 and low > high * (1 - _FAR):
        return max(low - spare, 0.0), high
    if high < 0 and high < low * (1 - _FAR):
        return low, min(high + spare, 0.0)
    return min(low, 0.0), max(high, 0.0)
