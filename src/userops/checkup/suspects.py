"""Suspects and cases: which lines were not as usual on some days, and which of them share a cause.

A line of a check-up (:mod:`userops.checkup.measures`) is suspected when windows of its days differ from the weeks around them
(:mod:`userops.models.episodes`) by more than chance, Benjamini-Hochberg over all lines, and by enough to matter. What is
left of one suspect once the segment of another is taken out decides whether both are one case.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import polars as pl

from userops import money, periods, stats
from userops.checkup.dailies import Cells
from userops.checkup.measures import Line, Measured, Metric
from userops.models import episodes
from userops.models.episodes import AROUND, Episode
from userops.texts.symptoms import SYMPTOMS

LEVEL = 0.05
"""The false discovery rate of everything that is called a suspect."""

LEAST_SHARE, LEAST_ODDS = 0.02, 0.3
"""By how much a share must differ to matter: absolutely, and in the logarithm of its odds."""

LEAST_CHANGE = 0.15
"""By how much anything else must differ, of what it was; numbers per day by twice that."""

SAME_DAYS = 0.6
"""Of the shorter of two windows: what they must share to be of one case."""

LEFT = 0.5
"""Of a change: what may be left of it without a segment for that segment to be its cause."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """A line and the days on which it was not as usual. ``value, baseline, expected``: as people read them."""

    line: Line
    episode: Episode
    value: float
    baseline: float
    expected: float
    q: float

    @property
    def first(self) -> int:
        """The first day, since 1970-01-01."""
        return self.line.first + self.episode.first

    @property
    def last(self) -> int:
        """The last day."""
        return self.line.first + self.episode.last

    @property
    def metric(self) -> Metric:
        """What is measured."""
        return self.line.metric

    @property
    def change(self) -> float:
        """By how much it differs, of what was expected."""
        return (self.value - self.expected) / abs(self.expected) if self.expected else math.inf

    @property
    def tone(self) -> int:
        """1 for the better, -1 for the worse, 0 for neither."""
        good = SYMPTOMS[self.metric.family].good
        return good * (1 if self.value > self.expected else -1)


class Case(NamedTuple):
    """A suspect and those that moved for the same reason."""

    lead: Suspect
    others: tuple[Suspect, ...]


# --- suspects -------------------------------------------------------------------------------------------------------


def suspected(lines: Sequence[Line], measured: Measured) -> list[Suspect]:
    """Lines that were not as usual for some days, of the reporting window, the surest first."""
    found: list[tuple[Line, Episode]] = []
    places = sorted(range(len(lines)), key=lambda place: (lines[place].first, lines[place].top.len(), place))
    for (first, _), group in groupby(places, key=lambda place: (lines[place].first, lines[place].top.len())):
        several = [lines[place] for place in group]
        daily = episodes.daily(
            [line.top for line in several],
            [line.bottom for line in several],
            [line.chance for line in several],
            periods.first_day(first, "day").weekday(),
            [line.metric.shortest for line in several],
            [line.known for line in several],
        )
        found += [(several[episode.series], episode) for episode in episodes.find(daily)]
    strongest: dict[int, float] = {}
    for line, episode in found:
        strongest[id(line)] = min(strongest.get(id(line), 1.0), episode.p)
    quiet = len(lines) - len(strongest)
    q_values = dict(zip(strongest, stats.false_discovery([*strongest.values(), *[1.0] * quiet]), strict=False))
    since, until = measured.settings.since, measured.settings.until
    inside = (periods.epoch_day(since) if since else -(1 << 31), periods.epoch_day(until) if until else 1 << 31)
    suspects = []
    for line, episode in found:
        # of a line's episodes the surest has the line's q; the others are less sure by as much as their p is larger
        q = min(1.0, q_values[id(line)] * episode.p / strongest[id(line)]) if strongest[id(line)] else 0.0
        value, baseline, expected = (read(line, x) for x in (episode.value, episode.baseline, episode.expected))
        suspect = Suspect(line, episode, value, baseline, expected, q)
        if q <= LEVEL and matters(suspect) and suspect.last >= inside[0] and suspect.first <= inside[1]:
            suspects.append(suspect)
    return sorted(suspects, key=lambda s: (-abs(s.episode.z), s.metric.name, s.line.segment or "", s.first))


def read(line: Line, ratio: float) -> float:
    """A ratio as people read it: money in units, spend per newcomer rather than newcomers per unit spent."""
    if line.upside_down:
        return 1 / ratio if ratio else math.inf
    return ratio / money.SCALE if line.metric.family == "aov" else ratio


def matters(suspect: Suspect) -> bool:
    """Whether a difference is large enough to care."""
    if suspect.line.chance == "share":
        odds = abs(log_odds(suspect.value) - log_odds(suspect.expected))
        return abs(suspect.value - suspect.expected) >= LEAST_SHARE and odds >= LEAST_ODDS
    least = 2 * LEAST_CHANGE if suspect.line.chance == "count" else LEAST_CHANGE
    return math.isfinite(suspect.value) and abs(suspect.change) >= least


def log_odds(share: float) -> float:
    """The logarithm of the odds of a share, finite at 0 and 1."""
    inside = min(max(share, 1e-3), 1 - 1e-3)
    return math.log(inside / (1 - inside))


# --- cases ----------------------------------------------------------------------------------------------------------


def joined(suspects: Sequence[Suspect], measured: Measured) -> list[Case]:
    """Suspects that share a cause put together, the surest first."""
    order = sorted(
        suspects, key=lambda s: (-_weight(s, suspects, measured), s.metric.name, s.line.segment or "", s.first)
    )
    cases: list[tuple[Suspect, list[Suspect]]] = []
    for suspect in order:
        case = next((others for lead, others in cases if _same(lead, suspect, measured)), None)
        if case is None:
            cases.append((suspect, []))
        else:
            case.append(suspect)
    return [Case(lead, tuple(others)) for lead, others in cases]


def _weight(suspect: Suspect, suspects: Sequence[Suspect], measured: Measured) -> float:
    """How sure a suspect is; a segment that accounts for what happened to all comes before it, any other after it.

    What is only known of an event's share of days follows what it is a step of.
    """
    own = abs(suspect.episode.z) * (0.5 if suspect.metric.family == "reach" else 1.0)
    if suspect.line.column is None:
        segments = [
            s for s in suspects if s.line.column and s.metric.name == suspect.metric.name and _overlap(s, suspect)
        ]
        accounting = [s for s in segments if _accounts(s, suspect, measured)]
        others = [abs(s.episode.z) for s in segments if s not in accounting]
        return max([own, *(other + 0.01 for other in others)]) if not accounting else own
    wholes = [
        s for s in suspects if s.line.column is None and s.metric.name == suspect.metric.name and _overlap(s, suspect)
    ]
    lifted = [abs(s.episode.z) + 0.02 for s in wholes if _accounts(suspect, s, measured)]
    return max([own, *lifted])


def _accounts(segment: Suspect, whole: Suspect, measured: Measured) -> bool:
    """Whether a segment of at most 60 % accounts for what happened to all."""
    left = remaining(whole, segment, measured)
    share = float(segment.episode.of) / whole.episode.of if whole.episode.of else 1.0
    return left is not None and abs(left) <= LEFT and share <= 0.6


def _same(lead: Suspect, other: Suspect, measured: Measured) -> bool:
    """Whether a suspect is of the case of another."""
    if lead.line.segment == other.line.segment and lead.metric.name == other.metric.name:
        return _overlap(lead, other)
    if not _overlap(lead, other):
        return False
    a, b = lead.line, other.line
    if a.segment == b.segment:
        return _alike(lead, other)
    if a.column is None:
        return lead.metric.name == other.metric.name or (
            lead.metric.source == other.metric.source and _alike(lead, other)
        )
    mirrored = b.column == a.column and b.metric.name.endswith("_share") and _alike(lead, other)
    if b.column == a.column:
        return mirrored
    left = remaining(other, lead, measured)
    if left is not None:
        return abs(left) <= LEFT
    return b.column is None and _alike(lead, other)


def _overlap(a: Suspect, b: Suspect) -> bool:
    """Whether two windows share most of the days of the shorter one."""
    shared = min(a.last, b.last) - max(a.first, b.first) + 1
    return shared >= SAME_DAYS * min(a.last - a.first + 1, b.last - b.first + 1)


def _alike(a: Suspect, b: Suspect) -> bool:
    """Whether two windows are about the same days."""
    shared = min(a.last, b.last) - max(a.first, b.first) + 1
    return shared >= 0.5 * (max(a.last, b.last) - min(a.first, b.first) + 1)


def remaining(suspect: Suspect, cause: Suspect, measured: Measured) -> float | None:
    """What share of a change is left once the segment of another is taken out; None where the files do not tell."""
    cells = measured.cells(suspect.metric.source)
    column, value = cause.line.column, cause.line.value
    if cells is None or column is None or column not in cells.rows.columns:
        return None
    before = _change_of(cut(cells, suspect), suspect)
    after = _change_of(cut(cells, suspect).filter(pl.col(column) != value), suspect)
    return None if before is None or after is None or before == 0 else after / before


def cut(cells: Cells, suspect: Suspect) -> pl.DataFrame:
    """The cells of a suspect: of its segment, on its days and around them, with ``inside`` beside."""
    day = pl.col("day")
    near = cells.rows.filter(day.is_between(suspect.first - AROUND, suspect.last + AROUND))
    line = suspect.line
    if line.column is not None and suspect.metric.bottom != suspect.metric.top:
        near = near.filter(pl.col(line.column) == line.value)
    return near.with_columns(inside=day.is_between(suspect.first, suspect.last))


def _change_of(rows: pl.DataFrame, suspect: Suspect) -> float | None:
    """The change of a metric over some cells, on its days against those around."""
    metric, line = suspect.metric, suspect.line
    top = pl.col(metric.top)
    if line.column is not None and metric.bottom == metric.top:  # a segment's share of a number
        top = pl.when(pl.col(line.column) == line.value).then(top).otherwise(0)
    bottom = pl.col(metric.bottom) if metric.bottom else pl.lit(None, pl.Int64)
    sums = rows.group_by("inside").agg(n=top.sum(), d=bottom.sum(), days=pl.col("day").n_unique())
    found = {bool(inside): (float(n), float(d or 0), int(days)) for inside, n, d, days in sums.iter_rows()}
    if len(found) < 2:
        return None
    (n1, d1, days1), (n0, d0, days0) = found[True], found[False]
    if metric.bottom is None:
        d1, d0 = float(days1), float(days0)
    return n1 / d1 - n0 / d0 if d1 and d0 else None
