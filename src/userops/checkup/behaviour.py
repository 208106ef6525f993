"""The behaviour part of a check-up: what went otherwise than usual, for whom, on which days, why, and what it costs.

Every metric is followed day by day, for everybody and for every segment (:mod:`userops.checkup.measures`); what is unusual
and shares a cause is a case (:mod:`userops.checkup.suspects`). A case becomes a finding, with the causes that account for
its change, the money at stake, and a prescription. Besides, the best customers are held against their own rhythm
(:mod:`userops.checkup.silence`), and segments against each other (:mod:`userops.checkup.gaps`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from itertools import pairwise
from typing import Literal

import polars as pl

from userops import money, periods
from userops.checkup import decompose, gaps, measures, silence, suspects
from userops.checkup.dailies import Cells
from userops.checkup.findings import STRONG, Cause, Evidence, Finding, Looked, Severity
from userops.checkup.measures import Measured, Metric
from userops.checkup.suspects import Case, Suspect
from userops.models.episodes import AROUND
from userops.results import ChartBlock, Series, Text
from userops.texts import calendar, symptoms

SURE = 0.01
"""The rate up to which a suspect is a warning; less sure ones are worth knowing."""

MOST_CASES = 25


def look(measured: Measured) -> Looked:
    """What is wrong with how users behave."""
    lines = measures.lines(measured)
    cases = suspects.joined(suspects.suspected(lines, measured), measured)
    found = apart_by_day([finding(case, measured) for case in cases[:MOST_CASES]])
    quiet, asked = silence.found(measured)
    apart, compared = gaps.found(measured)
    return Looked(
        "behaviour",
        (*found, *quiet, *apart),
        evidence=tuple(_evidence(measured)),
        left_out=tuple(_left_out(measured)),
        tested=len(lines) + asked + compared,
    )


# --- findings -------------------------------------------------------------------------------------------------------


def apart_by_day(found: Sequence[Finding]) -> list[Finding]:
    """Findings whose ids differ: of one metric, segment and month the first keeps the id, the others say the day."""
    seen: set[str] = set()
    several = []
    for each in found:
        one = replace(each, id=f"{each.id}-{each.since:%d}") if each.id in seen and each.since else each
        seen.add(one.id)
        several.append(one)
    return several


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
        actions=()
        if severity == "info" and lead.tone >= 0
        else tuple(symptoms.to(text, whom) for text in words.actions),
        prevention=()
        if severity == "info" and lead.tone >= 0
        else tuple(symptoms.to(t, whom) for t in words.prevention),
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
    title_zh = f"{spaced(of_zh, label.zh, '由')} {was} {zh} {now}({days_zh})"
    return Text(f"{name}{of} {verb} to {now} from {was}, {days}", title_zh)


def spaced(*parts: str) -> str:
    """Parts of a Chinese sentence, with a space where Latin letters meet Chinese ones."""
    joined = ""
    for part in filter(None, parts):
        meets = bool(joined) and joined[-1].isascii() != part[0].isascii()
        joined += f" {part}" if meets else part
    return joined


def shown(value: float, kind: Literal["share", "number", "money", "count", "days", "score"]) -> str:
    """A number in a sentence."""
    if kind == "share":
        return f"{value * 100:.1f} %"
    if kind == "count":
        return f"{value:,.0f}"
    return f"{value:,.2f}" if abs(value) >= 1 else f"{value:.3g}"


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
        f"{spaced(f'{segment} 的' if segment else '', label.zh)}:{was} → {now}",
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
        left = suspects.remaining(whole, lead, measured)
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
        explained = decompose.explain(_before_after(suspects.cut(cells, lead), names, lead.metric), names, at_most=3)
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
        values.append(suspects.read(line, n / d) if d and not (line.upside_down and not n) else None)
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
    written = [step for step in measured.business.steps if step not in measured.steps] if measured.steps else []
    if written:
        listed = ", ".join(written)
        found.append(
            Text(
                f"steps that are a choice or have a condition are not followed day by day: {listed} (userops funnel takes them)",
                f"含多选或条件的步骤未逐日跟踪:{listed}(可用 userops funnel)",
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
