"""The base of every result: a main table, a flat summary, and where the numbers came from.

An analysis computes; it never draws. What a person should look at is described by plain blocks
(:class:`TableBlock`, :class:`HeatBlock`, :class:`ChartBlock`, :class:`WaterfallBlock`, :class:`FunnelBlock`,
:class:`GraphBlock`, :class:`StatusBlock`, :class:`CardsBlock`, :class:`FactsBlock`, :class:`NotesBlock`), and each
renderer in ``outputs`` draws the same blocks its own way. Words come in both languages (:class:`Text`); keys are English.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import polars as pl

from userops.texts import Lang, Text

__all__ = [
    "Block", "Card", "CardSection", "CardsBlock", "ChartBlock", "Column", "Edge", "FactsBlock", "FunnelBlock",
    "GraphBlock", "HeatBlock", "InputReport", "Kind", "Lang", "Node", "NotesBlock", "Provenance", "Result", "Series",
    "StatusBlock", "StatusRow", "TableBlock", "Text", "Tone", "WaterfallBlock",
]  # fmt: skip

Kind = Literal["text", "date", "count", "number", "money", "share", "days", "score"]
"""How a value is to be shown: ``count`` 4,339 · ``number`` 4.27 · ``money`` 8,310,477.05 · ``share`` 21.9 %
(values are fractions of 1) · ``days`` 12.5 · ``score`` 1-5 · ``date`` ISO · ``text`` as it is."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column to show: its name in the frame, what people call it, how its values read.

    ``bar`` draws the value as a bar too (shares: of 1; others: of the column's maximum).
    """

    name: str
    label: Text
    kind: Kind = "text"
    bar: bool = False


@dataclass(frozen=True, slots=True)
class TableBlock:
    """A table for people. ``rows`` holds at least the columns named; null shows as an en dash.

    ``columns_zh`` replaces the columns where Chinese readers see other ones (segment names); empty: the same.
    ``emphasis`` names the row (by its index) of a total, set apart from the rest.
    """

    title: Text
    columns: tuple[Column, ...]
    rows: pl.DataFrame
    columns_zh: tuple[Column, ...] = ()
    total_row: bool = False

    def columns_for(self, lang: Lang) -> tuple[Column, ...]:
        """What readers of a language see."""
        return self.columns_zh if lang == "zh" and self.columns_zh else self.columns


@dataclass(frozen=True, slots=True)
class HeatBlock:
    """A grid of numbers, shaded by size: ``values[row][column]``; None is an empty cell.

    ``lead``: a number before each row that is not shaded (the size of a cohort), under ``lead_title``; None shows
    nothing. ``unfinished[row][column]``: cells whose period is not over, marked as such and not to be trusted yet.
    ``total_row``: the last row is an average or total, set apart. ``shade_from``: the first column that is shaded (a
    first column that is 100 % throughout says nothing and would pale the rest).
    """

    title: Text
    row_title: Text
    column_title: Text
    row_labels: tuple[Text, ...]
    column_labels: tuple[Text, ...]
    values: tuple[tuple[float | None, ...], ...]
    kind: Kind = "count"
    lead_title: Text | None = None
    lead: tuple[int | None, ...] = ()
    unfinished: tuple[tuple[bool, ...], ...] = ()
    total_row: bool = False
    shade_from: int = 0


@dataclass(frozen=True, slots=True)
class Series:
    """One run of numbers of a chart; None is a gap.

    ``bases``: how many users stand behind each value of a share or a mean, where that is known; a chart without them
    does not leave the team (``--share``).
    """

    label: Text
    values: tuple[float | None, ...]
    bases: tuple[int | None, ...] = ()


@dataclass(frozen=True, slots=True)
class ChartBlock:
    """Numbers along a line of periods: ``lines``, or ``stacked`` bars (values below zero hang below the line).

    Every series has one value per label of ``x_labels`` (ISO dates or numbers). ``unfinished``: from this place on
    the periods are not over; None: all are. ``marked``: the first and the last place of a stretch to look at (the days
    of an episode). ``baseline``: what the values are held against, a line across.
    """

    title: Text
    x_labels: tuple[str, ...]
    series: tuple[Series, ...]
    kind: Kind = "count"
    shape: Literal["lines", "stacked"] = "lines"
    unfinished: int | None = None
    marked: tuple[int, int] | None = None
    baseline: float | None = None


@dataclass(frozen=True, slots=True)
class WaterfallBlock:
    """From one number to another in steps: ``start``, the ``effect`` of each step, ``end``.

    Effects that do not add up to the end are completed by a step for the rest.
    """

    title: Text
    start: tuple[Text, float]
    steps: tuple[tuple[Text, float], ...]
    end: tuple[Text, float]
    kind: Kind = "number"


@dataclass(frozen=True, slots=True)
class FunnelBlock:
    """A funnel: what is counted, and how many came to each step (label, count).

    Shares and drops follow from the counts: of the first step, and from each step to the next.
    """

    title: Text
    unit: Text
    steps: tuple[tuple[Text, int], ...]


@dataclass(frozen=True, slots=True)
class Node:
    """A place of a graph and how much goes through it. ``end``: where ways begin or stop, not a place on the way."""

    label: Text
    weight: int
    end: bool = False


@dataclass(frozen=True, slots=True)
class Edge:
    """How often a way leads from one node to another, by their places among the nodes.

    ``share``: of all that leaves the source, not only by the edges that are shown.
    """

    source: int
    target: int
    count: int
    share: float | None


@dataclass(frozen=True, slots=True)
class GraphBlock:
    """Where ways lead: nodes and the strongest edges between them, the strongest first."""

    title: Text
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


@dataclass(frozen=True, slots=True)
class FactsBlock:
    """A line of headline numbers: (label, value, kind)."""

    facts: tuple[tuple[Text, Any, Kind], ...]


@dataclass(frozen=True, slots=True)
class NotesBlock:
    """Sentences under a heading: the cuts, the reconciliation, the definitions, the warnings."""

    title: Text
    notes: tuple[Text, ...]
    tone: Literal["plain", "warning"] = "plain"


Tone = Literal["error", "warn", "info", "ok", "skipped"]
"""How something is: it shows as a mark and a word, and as a colour where there are colours."""


@dataclass(frozen=True, slots=True)
class StatusRow:
    """How one area is: its name, one line of evidence (``said``, then the numbers)."""

    tone: Tone
    name: Text
    said: Text
    facts: tuple[tuple[Text, Any, Kind], ...] = ()


@dataclass(frozen=True, slots=True)
class StatusBlock:
    """The state of things at a glance: a row per area, under a grade (``A``) and what the grade means."""

    title: Text
    rows: tuple[StatusRow, ...]
    grade: str | None = None
    grade_note: Text | None = None


@dataclass(frozen=True, slots=True)
class CardSection:
    """Lines under a heading, and a command to copy. ``more``: for who wants to know more; folded, or left out."""

    heading: Text
    lines: tuple[Text, ...] = ()
    code: str | None = None
    more: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """One thing that was found: a badge (its kind), a sentence, its numbers, what belongs to it, its course over time.

    A chart on a card is drawn small: its first series, with what is marked and its baseline.
    """

    tone: Tone
    badge: Text
    title: Text
    facts: tuple[tuple[Text, Any, Kind], ...] = ()
    sections: tuple[CardSection, ...] = ()
    chart: ChartBlock | None = None


@dataclass(frozen=True, slots=True)
class CardsBlock:
    """Cards, the most urgent first. ``whole``: also on a terminal with everything; else in a few lines each there."""

    title: Text
    cards: tuple[Card, ...]
    whole: bool = False


Block = (
    TableBlock
    | HeatBlock
    | ChartBlock
    | WaterfallBlock
    | FunnelBlock
    | GraphBlock
    | StatusBlock
    | CardsBlock
    | FactsBlock
    | NotesBlock
)


@dataclass(frozen=True, slots=True)
class InputReport:
    """What became of the rows of one input: ``rows_read = rows_used + sum(rejected.values())``."""

    name: str
    layout: str
    rows_read: int
    rows_used: int
    rejected: dict[str, int]


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where the numbers came from: enough to reproduce them and to know what they mean.

    ``facts`` are further entries of ``meta`` that only some analyses have (customers counted apart, say).
    """

    as_of: str | None
    tz: str
    week_start: str
    inputs: tuple[InputReport, ...]
    settings: dict[str, Any]
    definitions: tuple[Text, ...]
    warnings: tuple[Text, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, repr=False)
class Result:
    """What an analysis answers.

    ``rows``: the main table, sorted, machine names and full precision (no rounding).
    ``summary``: flat: plain keys to numbers, text or null.
    ``extras``: further small tables by name, for JSON (``{"migration": frame}``).
    ``views``: what a person looks at, in order.
    """

    command: str
    rows: pl.DataFrame
    summary: dict[str, Any]
    provenance: Provenance
    extras: dict[str, pl.DataFrame] = field(default_factory=dict)
    views: tuple[Block, ...] = ()

    def __repr__(self) -> str:
        """The plain rendering, so that a result reads well at a prompt."""
        from userops.outputs import plain

        return plain.render(self, lang="en", width=100)

    def _repr_html_(self) -> str:
        """The notebook rendering: the same blocks as an HTML fragment."""
        from userops.outputs import web

        return web.fragment(self, lang="en")
