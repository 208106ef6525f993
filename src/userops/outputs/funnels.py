"""Funnels as finished numbers and as characters: the texts, shares and bars that the renderers share."""

from __future__ import annotations

from dataclasses import dataclass

from userops.outputs import cells
from userops.outputs.privacy import terminal_safe
from userops.results import FunnelBlock, Lang, Text

FROM_START = Text("From start", "总转化")
FROM_PREVIOUS = Text("From previous", "步骤转化")
_STEP, _EVENT, _DROPPED = Text("Step", "步骤"), Text("Event", "事件"), Text("Dropped", "流失")
_DROP = Text("{count} dropped, {share}", "流失 {count}({share})")
_OF_START, _OF_PREVIOUS = (
    Text("{share} of the start", "占起点 {share}"),
    Text("{share} of the step before", "占上一步 {share}"),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One step ready to be drawn: its texts, the length of its bar (of 1), and what was lost on the way to it."""

    place: str
    label: str
    count: str
    from_start: str
    from_previous: str
    fraction: float
    dropped: str
    drop: str
    """A sentence, empty before the first step."""
    said: str
    """The whole step as one line."""


@dataclass(frozen=True, slots=True)
class Funnel:
    """A funnel ready to be drawn."""

    title: str
    unit: str
    steps: tuple[Step, ...]


def funnel(block: FunnelBlock, lang: Lang) -> Funnel:
    """The block as finished numbers and texts."""
    counts = [count for _, count in block.steps]
    largest = max(counts, default=0)
    steps = tuple(
        _step(place, terminal_safe(label(lang)), counts, largest, lang) for place, (label, _) in enumerate(block.steps)
    )
    return Funnel(terminal_safe(block.title(lang)), terminal_safe(block.unit(lang)), steps)


def table(funnel: Funnel, lang: Lang, width: int) -> cells.Grid:
    """The funnel as a table with a column of bars ``width`` cells wide at most."""
    headers = (_STEP, _EVENT, Text("", ""), Text("", ""), FROM_START, FROM_PREVIOUS, _DROPPED)
    return cells.Grid(
        title=funnel.title,
        headers=tuple(funnel.unit if place == 3 else header(lang) for place, header in enumerate(headers)),
        numeric=(True, False, False, True, True, True, True),
        rows=tuple(
            (s.place, s.label, cells.bar(s.fraction, width), s.count, s.from_start, s.from_previous, s.dropped)
            for s in funnel.steps
        ),
        bars=(None,) * len(headers),
        total_row=False,
        hidden=0,
        drawing=2,
    )


def _step(place: int, label: str, counts: list[int], largest: int, lang: Lang) -> Step:
    count = counts[place]
    before = counts[place - 1] if place else None
    lost = before - count if before is not None else None
    from_start, from_previous = _share(count, counts[0]), _share(count, before)
    said = [f"{place + 1} {label}", cells.shown(count, "count"), _OF_START(lang).format(share=from_start)]
    if place:
        said.append(_OF_PREVIOUS(lang).format(share=from_previous))
    return Step(
        place=str(place + 1),
        label=label,
        count=cells.shown(count, "count"),
        from_start=from_start,
        from_previous=from_previous,
        fraction=count / largest if largest else 0.0,
        dropped=cells.shown(lost, "count"),
        drop=_DROP(lang).format(count=cells.shown(lost, "count"), share=_share(lost, before)) if place else "",
        said=" · ".join(said),
    )


def _share(part: int | None, whole: int | None) -> str:
    return cells.shown(part / whole if part is not None and whole else None, "share")
