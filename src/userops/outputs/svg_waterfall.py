"""Waterfalls as SVG inside a page: a bar per step between its name and its number, joined by thin lines."""

from __future__ import annotations

from collections.abc import Iterator

from userops.outputs.drawing import BOLD, NARROW, WIDE, clipped, num, picture, text, titled, width_of
from userops.outputs.waterfalls import Bar, Waterfall

_ROOM = 16.0
_WIDEST_NAME = 280.0
_SLIVER = 1.5


def figure(chart: Waterfall) -> str:
    """The waterfall for a page, which has bars."""
    return f'<div class="chart waterfall">{_wide(chart)}{_narrow(chart)}</div>'


def _wide(chart: Waterfall) -> str:
    """Names to the left of the bars, numbers in columns to the right."""
    bar, gap, end = 24.0, 12.0, float(WIDE.width)
    left = min(max(width_of(one.label) for one in chart.bars) * BOLD, _WIDEST_NAME) + _ROOM
    parts_width = max(width_of(one.part) for one in chart.bars)
    numbers = end - (parts_width + _ROOM if parts_width else 0.0)
    right = numbers - max(width_of(one.text) for one in chart.bars) * BOLD - _ROOM
    parts: list[str] = []
    for place, one in enumerate(chart.bars):
        y = place * (bar + gap) + 2
        line = y + bar / 2 + 4
        parts += _bar(chart, place, (left, right), (y, y + bar), gap)
        parts.append(text(clipped(one.label, _WIDEST_NAME), 0, line, kind=_name(one)))
        parts.append(text(one.text, numbers, line, "end", "name"))
        if one.part:
            parts.append(text(one.part, end, line, "end"))
    return picture(WIDE, y + bar + 4, _said(chart), parts)


def _narrow(chart: Waterfall) -> str:
    """Names and numbers above the bars."""
    bar, gap, top, end = 14.0, 26.0, 20.0, float(NARROW.width)
    parts: list[str] = []
    for place, one in enumerate(chart.bars):
        y = top + place * (bar + gap)
        numbers = " · ".join(filter(None, (one.text, one.part)))
        parts += _bar(chart, place, (0.0, end), (y, y + bar), gap)
        parts.append(text(clipped(one.label, end - width_of(numbers) - _ROOM), 0, y - 6, kind=_name(one)))
        parts.append(text(numbers, end, y - 6, "end"))
    return picture(NARROW, y + bar + 4, _said(chart), parts)


def _bar(
    chart: Waterfall, place: int, across: tuple[float, float], down: tuple[float, float], gap: float
) -> Iterator[str]:
    """The bar of a step, and the line from where the one before ended."""
    (left, right), (top, bottom) = across, down
    one, room = chart.bars[place], right - left
    if place:
        x = left + chart.bars[place - 1].end * room
        yield f'<path class="join" d="M{num(x)} {num(top - gap)}V{num(top)}"/>'
    width = max((one.stop - one.start) * room, _SLIVER)
    shape = (
        f'<rect x="{num(left + one.start * room)}" y="{num(top)}" width="{num(width)}" height="{num(bottom - top)}"/>'
    )
    yield titled(one.said, shape, one.tone)


def _name(one: Bar) -> str:
    return "name" if one.tone == "total" else ""


def _said(chart: Waterfall) -> str:
    return "; ".join((chart.title, *(one.said for one in chart.bars)))
