"""Funnels as SVG inside a page: bars from one line, a slope from each to the next with what was lost on it."""

from __future__ import annotations

from collections.abc import Iterator

from userops.outputs.drawing import BOLD, NARROW, WIDE, clipped, num, picture, text, titled, width_of
from userops.outputs.funnels import FROM_START, Funnel, Step
from userops.results import Lang

_PLACE, _ROOM = 22.0, 14.0
_WIDEST_NAME = 260.0
_SLIVER = 1.5


def figure(funnel: Funnel, lang: Lang) -> str:
    """The funnel for a page, which has a step at least."""
    return f'<div class="chart funnel">{_wide(funnel, lang)}{_narrow(funnel, lang)}</div>'


def _wide(funnel: Funnel, lang: Lang) -> str:
    """Names to the left of the bars, numbers in columns to the right."""
    bar, slope, top, end = 32.0, 28.0, 28.0, float(WIDE.width)
    from_start = FROM_START(lang)
    left = _PLACE + min(max(width_of(step.label) for step in funnel.steps) * BOLD, _WIDEST_NAME) + _ROOM
    counts = end - max(map(width_of, (from_start, *(step.from_start for step in funnel.steps)))) - 1.5 * _ROOM
    unit = clipped(funnel.unit, 200)
    right = counts - max(width_of(unit), *(width_of(step.count) * BOLD for step in funnel.steps)) - _ROOM
    parts = [text(unit, counts, 14, "end"), text(from_start, end, 14, "end")]
    for place, step in enumerate(funnel.steps):
        y = top + place * (bar + slope)
        line = y + bar / 2 + 4
        parts += _step(funnel, place, (left, right), (y, y + bar), slope, slope / 2 + 4)
        parts += [
            text(step.place, 0, line),
            text(clipped(step.label, _WIDEST_NAME), _PLACE, line, kind="name"),
            text(step.count, counts, line, "end", "name"),
            text(step.from_start, end, line, "end"),
        ]
    return picture(WIDE, y + bar + 4, _said(funnel), parts)


def _narrow(funnel: Funnel, lang: Lang) -> str:
    """Names and numbers above the bars."""
    bar, slope, top, end = 18.0, 52.0, 44.0, float(NARROW.width)
    parts = [text(clipped(f"{funnel.unit} · {FROM_START(lang)}", end), end, 12, "end")]
    for place, step in enumerate(funnel.steps):
        y = top + place * (bar + slope)
        numbers = f"{step.count} · {step.from_start}"
        name = clipped(step.label, end - width_of(numbers) - _PLACE - _ROOM)
        parts += _step(funnel, place, (0.0, end), (y, y + bar), slope, 19)
        parts += [
            text(step.place, 0, y - 7),
            text(name, _PLACE - 6, y - 7, kind="name"),
            text(numbers, end, y - 7, "end"),
        ]
    return picture(NARROW, y + bar + 4, _said(funnel), parts)


def _step(
    funnel: Funnel, place: int, across: tuple[float, float], down: tuple[float, float], slope: float, line: float
) -> Iterator[str]:
    """The bar of a step, and the slope to it from the one before, with what was lost ``line`` below its top."""
    (left, right), (top, bottom) = across, down
    step, end = funnel.steps[place], left + _length(funnel.steps[place], right - left)
    if place:
        start = left + _length(funnel.steps[place - 1], right - left)
        yield f'<path class="slope" d="M{num(left)} {num(top - slope)}H{num(start)}L{num(end)} {num(top)}H{num(left)}Z"/>'
        yield text(f"↓ {step.drop}", left + 10, top - slope + line, kind="drop")
    track = (
        f'<rect class="track" x="{num(left)}" y="{num(top)}" width="{num(right - left)}" height="{num(bottom - top)}"/>'
    )
    bar = f'<rect x="{num(left)}" y="{num(top)}" width="{num(end - left)}" height="{num(bottom - top)}"/>'
    yield titled(step.said, track + bar, "step")


def _length(step: Step, room: float) -> float:
    """The length of a bar; a sliver at least for anybody at all."""
    return max(step.fraction * room, _SLIVER) if step.fraction > 0 else 0.0


def _said(funnel: Funnel) -> str:
    steps = (" · ".join(filter(None, (step.said, step.drop))) for step in funnel.steps)
    return "; ".join((f"{funnel.title}, {funnel.unit}", *steps))
