"""The behaviour part of a check-up: what went otherwise than usual, for whom, on which days, why, and what it costs.

Every metric is followed day by day, for everybody and for every segment (:mod:`userops.checkup.measures`). Windows of days that
differ from the weeks around them are *suspects* (:mod:`userops.models.episodes`), if they differ by more than chance,
Benjamini-Hochberg over all lines that were followed, and by enough to matter. Suspects that share a cause are one
*case*: what is left of the one once the segment of the other is taken out decides. A case becomes a finding, with the
causes that account for its change, the money at stake, and a prescription.

Besides, the best customers are held against their own rhythm (:mod:`userops.checkup.rhythm`), and segments against each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby, pairwise
from typing import Literal, NamedTuple

import polars as pl

from userops import money, periods, stats
from userops.checkup import decompose, measures, rhythm
from userops.checkup.dailies import Cells
from userops.checkup.findings import Cause, Evidence, Finding, Looked, Severity
from userops.checkup.measures import Line, Measured, Metric
from userops.models import episodes
from userops.models.episodes import AROUND, Episode
from userops.results import ChartBlock, Series, Text
from userops.texts import calendar
from userops.texts.symptoms import SYMPTOMS

LEVEL = 0.05
"""The false discovery rate of everything that is called a suspect."""

SURE = 0.01
"""The rate up to which a suspect is a warning; less sure ones are worth knowing."""

LEAST_SHARE, LEAST_ODDS = 0.02, 0.3
"""By how much a share must differ to matter: absolutely, and in the logarithm of its odds."""

LEAST_CHANGE = 0.15
"""By how much anything else must differ, of what it was; numbers per day by twice that."""

STRONG = 0.2
"""A change from which on what goes on is an error."""

SAME_DAYS = 0.6
"""Of the shorter of two windows: what they must share to be of one case."""

LEFT = 0.5
"""Of a change: what may be left of it without a segment for that segment to be its cause."""

MOST_CASES, MOST_GAPS = 25, 3


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


def look(measured: Measured) -> Looked:
    """What is wrong with how users behave."""
    lines = measures.lines(measured)
    suspects = suspected(lines, measured)
    cases = joined(suspects, measured)
    found = [finding(case, measured) for case in cases[:MOST_CASES]]
    kept, asked = _rhythms(measured)
    gaps, compared = _gaps(measured, found)
    return Looked(
        "behaviour",
        (*found, *kept, *gaps),
        evidence=tuple(_evidence(measured)),
        left_out=tuple(_left_out(measured)),
        tested=len(lines) + asked + compared,
    )


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
        # a line's weaker episodes are as sure as its strongest one, by their own p
        q = min(1.0, q_values[id(line)] * episode.p / strongest[id(line)]) if strongest[id(line)] else 0.0
        value, baseline, expected = (_read(line, x) for x in (episode.value, episode.baseline, episode.expected))
        suspect = Suspect(line, episode, value, baseline, expected, q)
        if q <= LEVEL and matters(suspect) and suspect.last >= inside[0] and suspect.first <= inside[1]:
            suspects.append(suspect)
    return sorted(suspects, key=lambda s: (-abs(s.episode.z), s.metric.name, s.line.segment or "", s.first))


def _read(line: Line, ratio: float) -> float:
    """A ratio as people read it: money in units, spend per newcomer rather than newcomers per unit spent."""
    if line.upside_down:
        return 1 / ratio if ratio else math.inf
    return ratio / money.SCALE if line.metric.family == "aov" else ratio


def matters(suspect: Suspect) -> bool:
    """Whether a difference is large enough to care."""
    if suspect.line.chance == "share":
        odds = abs(_log_odds(suspect.value) - _log_odds(suspect.expected))
        return abs(suspect.value - suspect.expected) >= LEAST_SHARE and odds >= LEAST_ODDS
    least = 2 * LEAST_CHANGE if suspect.line.chance == "count" else LEAST_CHANGE
    return math.isfinite(suspect.value) and abs(suspect.change) >= least


def _log_odds(share: float) -> float:
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
    left = _left(whole, segment, measured)
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
    left = _left(other, lead, measured)
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


def _left(suspect: Suspect, cause: Suspect, measured: Measured) -> float | None:
    """What share of a change is left once the segment of another is taken out; None where the files do not tell."""
    cells = measured.cells(suspect.metric.source)
    column, value = cause.line.column, cause.line.value
    if cells is None or column is None or column not in cells.rows.columns:
        return None
    before = _change_of(_cut(cells, suspect), suspect)
    after = _change_of(_cut(cells, suspect).filter(pl.col(column) != value), suspect)
    return None if before is None or after is None or before == 0 else after / before


def _cut(cells: Cells, suspect: Suspect) -> pl.DataFrame:
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


# --- findings -------------------------------------------------------------------------------------------------------


def finding(case: Case, measured: Measured) -> Finding:
    """A case as people are told of it."""
    lead, metric = case.lead, case.lead.metric
    first, last = (periods.first_day(day, "day") for day in (lead.first, lead.last))
    named = calendar.known(first, last) if lead.line.chance == "count" else None
    lasting = lead.episode.lasting and lead.last >= measured.today - metric.lag - 3
    severity = _severity(lead, lasting=lasting, named=named)
    words = metric.symptom
    segment = lead.line.segment
    whom = Text(segment or "all users", segment or "全体用户")
    parts = ["behaviour", metric.name, *([segment] if segment else [])]
    if not lasting:
        parts.append(f"{first:%Y-%m}")
    return Finding(
        id=".".join(parts),
        area="behaviour",
        title=_title(lead, words.label, first, last, lasting=lasting),
        severity=severity,
        metric=metric.name,
        segment=segment,
        since=first,
        until=None if lasting else last,
        value=lead.value,
        baseline=lead.baseline,
        delta=lead.value - lead.baseline,
        n=round(lead.episode.below if lead.line.upside_down else lead.episode.of),
        p_value=lead.episode.p,
        q_value=lead.q,
        impact=impact(lead, measured),
        kind=metric.kind,
        causes=causes(case, measured, named),
        also=tuple(_also(other) for other in _told_of(case)),
        actions=() if severity == "info" and lead.tone >= 0 else tuple(_for(text, whom) for text in words.actions),
        prevention=() if severity == "info" and lead.tone >= 0 else tuple(_for(t, whom) for t in words.prevention),
        proof=words.proof if severity != "info" else None,
        chart=chart(lead, measured),
    )


def _severity(lead: Suspect, *, lasting: bool, named: Text | None) -> Severity:
    if lead.tone >= 0 or named is not None or lead.q > SURE:
        return "info"
    return "error" if lasting and abs(lead.change) >= STRONG else "warn"


def _title(lead: Suspect, label: Text, first: date, last: date, *, lasting: bool) -> Text:
    kind = lead.metric.kind
    was, now = (shown(x, kind) for x in (lead.baseline, lead.value))
    verb, zh = ("rose", "升至") if lead.value > lead.expected else ("fell", "降至")
    days = (
        f"since {first:%Y-%m-%d}"
        if lasting
        else f"{first:%Y-%m-%d}"
        if first == last
        else f"{first:%Y-%m-%d} to {last:%Y-%m-%d}"
    )
    days_zh = f"{first:%Y-%m-%d} 起" if lasting else days.replace(" to ", " 至 ")
    segment = lead.line.segment
    of, of_zh = (f" of {segment}", f"{segment} 的") if segment else ("", "")
    name = label.en[0].upper() + label.en[1:] if label.en[:1].islower() and "→" not in label.en else label.en
    return Text(f"{name}{of} {verb} to {now} from {was}, {days}", f"{of_zh}{label.zh}由 {was} {zh} {now}({days_zh})")


def shown(value: float, kind: Literal["share", "number", "money", "count", "days", "score"]) -> str:
    """A number in a sentence."""
    if kind == "share":
        return f"{value * 100:.1f} %"
    if kind == "count":
        return f"{value:,.0f}"
    return f"{value:,.2f}" if abs(value) >= 1 else f"{value:.3g}"


def _for(text: Text, whom: Text) -> Text:
    return Text(text.en.replace("{segment}", whom.en), text.zh.replace("{segment}", whom.zh))


def _told_of(case: Case) -> list[Suspect]:
    """The others worth a line: one per metric and segment, the surest first."""
    seen: dict[tuple[str, str | None], Suspect] = {}
    for other in case.others:
        key = (other.metric.name, other.line.segment)
        if key != (case.lead.metric.name, case.lead.line.segment):
            seen.setdefault(key, other)
    return list(seen.values())[:5]


def _also(other: Suspect) -> Text:
    label, segment = other.metric.symptom.label, other.line.segment
    was, now = (shown(x, other.metric.kind) for x in (other.baseline, other.value))
    return Text(
        f"{label.en}{f' of {segment}' if segment else ''}: {was} → {now}",
        f"{f'{segment} 的' if segment else ''}{label.zh}:{was} → {now}",
    )


def impact(lead: Suspect, measured: Measured) -> float | None:
    """Money at stake in units of the currency, negative where it is lost: what was not as expected, times what it is worth."""
    metric, episode = lead.metric, lead.episode
    missed = (episode.value - episode.expected) * episode.of
    order, user = measured.order_value, measured.user_value
    if metric.family == "cac":
        return -(lead.value - lead.expected) * episode.below
    if metric.family == "aov":
        return missed / money.SCALE
    if order is None:
        return None
    if metric.family == "step" and measured.days is not None and measured.buying is not None:
        return missed * _on_to_buying(metric.event, measured) * order
    if metric.family in ("orders", "orders_share"):
        return missed * order
    if metric.family == "refund_rate":
        return -missed * order
    if metric.family in ("activation_rate", "repeat_rate"):
        return missed * order
    if metric.family == "new_users" and user is not None:
        return missed * user
    if metric.family == "invites_per_user" and user is not None and measured.invites is not None:
        sent, accepted = (int(measured.invites[name].sum()) for name in ("invites", "accepted"))
        return missed * (accepted / sent if sent else 0.0) * user
    return None


def _on_to_buying(step: str, measured: Measured) -> float:
    """How many of those who reach a step go on to buy, the same day."""
    assert measured.days is not None  # steps are of them
    chance = 1.0
    after = measured.steps[measured.steps.index(step) :] if step in measured.steps else ()
    for previous, following in pairwise(after):
        came = int(measured.days.rows[f"did {previous}"].sum())
        chance *= int(measured.days.rows[f"both {following}"].sum()) / came if came else 0.0
    return chance


def causes(case: Case, measured: Measured, named: Text | None) -> tuple[Cause, ...]:
    """What accounts for the change, at most three: the calendar first, then segments, then what coincides."""
    lead, found = case.lead, []
    if named is not None:
        found.append(
            Cause(Text(f"{named.en}: the calendar, not an illness", f"{named.zh}:日历效应,并非异常"), "calendar")
        )
    segment = lead.line.segment
    whole = next((o for o in case.others if o.line.segment is None and o.metric.name == lead.metric.name), None)
    if segment is not None and whole is not None:
        left = _left(whole, lead, measured)
        if left is not None:
            share = 1 - left
            found.append(_cause(segment, share, "rate"))
    elif lead.metric.family == "cac":
        found.append(
            Cause(
                Text("spend rose, newcomers did not", "花费上升而新增未同步增长")
                if lead.value > lead.expected
                else Text("newcomers rose faster than spend", "新增增长快于花费"),
                "factor",
            )
        )
    cells = measured.cells(lead.metric.source)
    if cells is not None and cells.dimensions and not (segment is not None and lead.metric.bottom == lead.metric.top):
        names = [d.name for d in cells.dimensions if d.name != lead.line.column]
        explained = decompose.explain(_before_after(_cut(cells, lead), names, lead.metric), names, at_most=3)
        for part in explained.causes:
            if 0.2 <= part.share <= 1.5 and len(found) < 3:
                found.append(_cause(part.segment, part.share, part.how, part.effect))
        if explained.reversed and len(found) < 3:
            column = explained.reversed[0]
            found.append(
                Cause(
                    Text(
                        f"within every {column} it moved the other way: the mix of {column} misleads (Simpson's paradox)",
                        f"每个 {column} 内部均反向变化:{column} 的结构造成误导(辛普森悖论)",
                    ),
                    "mix",
                )
            )
        if not explained.causes and not found and segment is None and lead.tone < 0:
            found.append(Cause(Text("everywhere alike: no segment stands out", "各分组表现一致,无突出分组"), "factor"))
    return tuple(found[:3])


def _cause(segment: str, share: float, how: Literal["rate", "mix"], effect: float | None = None) -> Cause:
    mixed = Text(f"more or less of {segment}", f"{segment} 占比变化")
    return Cause(mixed if how == "mix" else Text(segment, segment), how, segment, share, effect)


def _before_after(cut: pl.DataFrame, names: Sequence[str], metric: Metric) -> pl.DataFrame:
    """Cells with numerator and denominator on the days and around them: ``n0, d0, n1, d1``; numbers per day scaled."""
    inside = pl.col("inside")
    top = pl.col(metric.top).cast(pl.Float64)
    days = {bool(side): n for side, n in cut.group_by("inside").agg(pl.col("day").n_unique()).iter_rows()}
    if metric.bottom is None:
        scale = days.get(True, 1) / max(days.get(False, 1), 1)
        sums = {"n0": top.filter(~inside).sum() * scale, "n1": top.filter(inside).sum()}
        nothing = pl.lit(None, pl.Float64)
        return cut.group_by(names).agg(**sums).with_columns(d0=nothing, d1=nothing).sort(names)
    bottom = pl.col(metric.bottom).cast(pl.Float64)
    return (
        cut.group_by(names)
        .agg(
            n0=top.filter(~inside).sum(),
            d0=bottom.filter(~inside).sum(),
            n1=top.filter(inside).sum(),
            d1=bottom.filter(inside).sum(),
        )
        .sort(names)
    )


FEW_A_DAY = 30
"""What is counted on a day, below which single days are mostly chance."""

MOST_DAYS = 120
"""Days a chart shows one by one; more are shown by week."""


def chart(lead: Suspect, measured: Measured) -> ChartBlock:
    """The course of a metric around the days of a finding, by day or by week, those days marked."""
    line = lead.line
    first = max(line.first, lead.first - AROUND)
    last = min(line.first + line.known - 1, lead.last + AROUND)
    few = line.metric.bottom is not None and float(line.bottom.mean() or 0) < FEW_A_DAY  # type: ignore[arg-type] # a number
    thin = (few or line.upside_down) and lead.last - lead.first >= 14
    by = 7 if thin or last - first >= MOST_DAYS else 1
    places = range(first - line.first, last - line.first + 1)
    top, bottom = ([float(x) for x in series.to_list()] for series in (line.top, line.bottom))
    labels, values, bases, marked = [], [], [], []
    for start in range(places.start, places.stop, by):
        span = range(start, min(start + by, places.stop))
        n, d = sum(top[i] for i in span), sum(bottom[i] for i in span)
        labels.append(periods.first_day(line.first + start, "day").isoformat())
        values.append(_read(line, n / d) if d and not (line.upside_down and not n) else None)
        bases.append(round(n if line.metric.bottom is None or line.upside_down else d))
        if span.stop > lead.episode.first and span.start <= lead.episode.last:
            marked.append(len(labels) - 1)
    label = line.metric.symptom.label
    name = Text(
        f"{label.en}{f', {line.segment}' if line.segment else ''}",
        f"{f'{line.segment} ' if line.segment else ''}{label.zh}",
    )
    return ChartBlock(
        name, tuple(labels), (Series(name, tuple(values), tuple(bases)),), kind=line.metric.kind,
        marked=(marked[0], marked[-1]) if marked else None, baseline=lead.baseline,
    )  # fmt: skip


# --- rhythm ---------------------------------------------------------------------------------------------------------

TIERS = {
    rhythm.TOP_OLD: Text(
        "the tenth who spent most, customers for half a year or longer", "消费前 10% 且半年以上的老客"
    ),
    rhythm.TOP_NEW: Text("the tenth who spent most, customers for less than half a year", "消费前 10% 的较新客户"),
    rhythm.OTHERS: Text("the other customers", "其他客户"),
}

RHYTHM_P, RHYTHM_LEFT = 0.0002, 0.8
"""How unlikely a tier's silence must be, and what may at most be left of what was expected."""


def _rhythms(measured: Measured) -> tuple[list[Finding], int]:
    """Tiers of customers who come or order less than by their own rhythm, and how many were asked about."""
    spent = measured.spent
    if spent is None or measured.orders is None:
        return [], 0
    first, today = measured.orders.first, measured.today
    ordered = spent.select("user", "day", n="orders")
    asked: list[tuple[str, rhythm.Shift]] = []
    if measured.presence is not None and measured.days is not None:
        start = max(first, today - rhythm.BUCKET * rhythm.BUCKETS)
        asked += [("visits", shift) for shift in rhythm.shifts(spent, measured.presence, start, today)]
    asked += [("orders", shift) for shift in rhythm.shifts(spent, ordered, first, today)]
    found: dict[str, Finding] = {}
    for what, shift in sorted(asked, key=lambda pair: pair[1].p):
        silent = shift.p <= RHYTHM_P and shift.now <= RHYTHM_LEFT * shift.expected
        if silent and shift.tier not in found and shift.tier != rhythm.OTHERS:
            found[shift.tier] = _silent(what, shift, ordered, measured)
    return list(found.values()), len(asked)


def _silent(what: str, shift: rhythm.Shift, ordered: pl.DataFrame, measured: Measured) -> Finding:
    """That a tier of customers went quiet."""
    assert measured.spent is not None  # it was found there
    label, tier = SYMPTOMS["rhythm"], TIERS[shift.tier]
    orders = shift
    if what == "visits":
        first = measured.orders.first if measured.orders else measured.today
        again = rhythm.shifts(measured.spent, ordered, first, measured.today, spans=(shift.days,))
        orders = next((other for other in again if other.tier == shift.tier), shift)
    since = periods.first_day(measured.today - shift.days + 1, "day")
    less = f"{(1 - shift.now / shift.expected) * 100:.0f} %"
    event = Text("visits", "访问") if what == "visits" else Text("orders", "下单")
    also: tuple[Text, ...] = ()
    if what == "visits" and orders is not shift:
        also = (
            Text(
                f"orders of the same customers: {orders.expected:,.0f} expected, {orders.now:,}",
                f"同一批客户的订单:预期 {orders.expected:,.0f},实际 {orders.now:,}",
            ),
        )
    value = measured.order_value
    return Finding(
        id=f"behaviour.{what}_per_customer.{shift.tier.split(',')[0].replace(' ', '_')}.{'loyal' if shift.tier == rhythm.TOP_OLD else 'newer'}",
        area="behaviour",
        title=Text(
            f"Loyal customers go quiet: {tier.en} made {less} fewer {event.en} than by their own rhythm, since {since}",
            f"忠实客户沉默:{tier.zh}的{event.zh}较自身节奏少 {less}({since} 起)",
        ),
        severity="error" if shift.now <= (1 - STRONG) * shift.expected else "warn",
        metric=f"{what}_per_customer",
        segment=f"tier={shift.tier}",
        since=since,
        value=shift.now / shift.customers,
        baseline=shift.expected / shift.customers,
        delta=(shift.now - shift.expected) / shift.customers,
        n=shift.customers,
        p_value=shift.p,
        impact=(orders.now - orders.expected) * value if value is not None and orders.now < orders.expected else None,
        causes=(),
        also=also,
        actions=tuple(_for(text, tier) for text in label.actions),
        prevention=tuple(_for(text, tier) for text in label.prevention),
        proof=label.proof,
    )


# --- segments against each other ------------------------------------------------------------------------------------


def _gaps(measured: Measured, found: Sequence[Finding]) -> tuple[list[Finding], int]:
    """Segments that always convert otherwise than the rest: no change, but room; and how many were compared."""
    cells = measured.days
    if cells is None or len(measured.steps) < 2:
        return [], 0
    whole = Metric(
        "visit_conversion",
        "step",
        "days",
        f"did {measured.steps[-1]}",
        "users",
        "share",
        3,
        event=measured.steps[-1],
        previous="visit",
    )
    compared: list[tuple[float, float, Finding]] = []
    tested = 0
    for dimension in cells.dimensions:
        sums = cells.rows.group_by(value=pl.col(dimension.name)).agg(n=pl.col(whole.top).sum(), d=pl.col("users").sum())
        counts = {str(value): (int(n), int(d)) for value, n, d in sums.iter_rows()}
        total_n, total_d = (sum(pair[i] for pair in counts.values()) for i in (0, 1))
        for value in dimension.values:
            n, d = counts.get(value, (0, 0))
            if d < 100 or total_d - d < 100:
                continue
            tested += 1
            test = stats.two_proportions(n, d, total_n - n, total_d - d)
            mine, rest = n / d, (total_n - n) / (total_d - d)
            if test.p is not None and abs(_log_odds(mine) - _log_odds(rest)) >= LEAST_ODDS:
                compared.append((test.p, (mine - rest) * d, _gap(whole, dimension.name, value, mine, rest, d, test.p)))
    kept = [(size, gap) for p, size, gap in compared if p * tested <= 0.001]
    kept.sort(key=lambda pair: (-abs(pair[0]), pair[1].id))
    return [gap for _, gap in kept[:MOST_GAPS]], tested


def _gap(metric: Metric, column: str, value: str, mine: float, rest: float, n: int, p: float) -> Finding:
    segment = f"{column}={value}"
    more, zh = ("more", "更高") if mine > rest else ("less", "更低")
    return Finding(
        id=f"behaviour.{metric.name}.{segment}.gap",
        area="behaviour",
        title=Text(
            f"{segment} always buys {more}: {metric.event} on {mine * 100:.1f} % of its user-days, {rest * 100:.1f} % of the others'",
            f"{segment} 的购买转化一贯{zh}:{metric.event} 用户日占比 {mine * 100:.1f}%,其他为 {rest * 100:.1f}%",
        ),
        severity="info",
        metric=metric.name,
        segment=segment,
        value=mine,
        baseline=rest,
        delta=mine - rest,
        n=n,
        p_value=min(1.0, p),
        kind="share",
    )


# --- evidence -------------------------------------------------------------------------------------------------------


def _evidence(measured: Measured) -> list[Evidence]:
    """The last 28 days beside the 28 before."""
    found: list[Evidence] = []

    def of(
        cells: Cells | None,
        label: Text,
        top: str,
        bottom: str | None,
        lag: int = 0,
        kind: Literal["count", "share"] = "share",
    ) -> None:
        if cells is None:
            return
        last = measured.today - lag
        day = pl.col("day")
        now = cells.rows.filter(day.is_between(last - 27, last))
        past = cells.rows.filter(day.is_between(last - 55, last - 28))
        values = []
        for rows in (now, past):
            below = 28 if bottom is None else int(rows[bottom].sum())
            values.append(int(rows[top].sum()) / below if below else None)
        if values[0] is None:
            return
        before = shown(values[1], kind) if values[1] is not None else "–"
        found.append(
            Evidence(
                label,
                values[0],
                "number" if bottom is None else kind,
                Text(f"28 days before: {before}", f"前 28 天:{before}"),
            )
        )

    of(measured.days, Text("active users a day", "日活跃用户"), "users", None, kind="count")
    of(measured.newcomers, Text("new users a day", "日新增用户"), "newcomers", None, kind="count")
    for previous, step in pairwise(measured.steps):
        of(measured.days, Text(f"{previous} → {step}", f"{previous} → {step}"), f"both {step}", f"did {previous}")
    if measured.activation:
        of(
            measured.newcomers,
            Text("activation rate", "激活率"),
            "activated",
            "newcomers",
            max(1, measured.business.activation_within.days),
        )
    for n in (1, 7, 30):
        of(measured.newcomers, Text(f"day-{n} retention", f"第 {n} 日留存"), f"d{n}", "newcomers", n)
    of(measured.orders, Text("orders a day", "日订单"), "orders", None, kind="count")
    return found


def _left_out(measured: Measured) -> list[Text]:
    """What was not followed, and why."""
    found = []
    if measured.given.events is None:
        found.append(
            Text(
                "no events: activation, retention, steps and visits were not followed",
                "无事件数据:未跟踪激活、留存、转化步骤与访问",
            )
        )
    elif len(measured.steps) < 2:
        found.append(
            Text(
                "no steps of a funnel are known: name them under [funnel] in userops.toml",
                "未知转化步骤:请在 userops.toml 的 [funnel] 中指定",
            )
        )
    for cells, name in ((measured.days, "events"), (measured.orders, "orders")):
        if cells is not None and cells.left_out:
            columns = ", ".join(cells.left_out)
            found.append(
                Text(
                    f"{name}: not broken down by {columns}, which would make too many segments",
                    f"{name}:未按 {columns} 细分(分组过多)",
                )
            )
    return found
