"""A check-up of what users say: how they score and rate, whether that changed, and what the unhappy write about.

Definitions (docs/methods.md has formulas and sources): promoters score 9 or 10, passives 7 or 8, detractors 0 to 6;
NPS = 100 (p - d). Fewer than :data:`ENOUGH` answers are shown and never scored. What the unhappy write about:
:mod:`userops.checkup.complaints`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import NamedTuple

import polars as pl

from userops import frames, stats
from userops.checkup import answers, complaints
from userops.checkup.answers import LIKELY, MANY, OWN, SURE, Case, limits
from userops.checkup.complaints import READ, Complaint
from userops.checkup.findings import Cause, Evidence, Finding, Looked
from userops.checkup.topics import FEWEST
from userops.results import Block, ChartBlock, Series, Text

ENOUGH = 30
"""Answers below which nothing is scored: too few."""

POINTS, SHARES = 10.0, 0.05
"""The least fall of NPS (points) and of CSAT (share) that is a warning."""

_SCALE_TOLD = 300


# --- the scores -----------------------------------------------------------------------------------------------------


class NetPromoter(NamedTuple):
    """NPS (points), its standard error, and how far the truth may lie to either side, 19 times in 20."""

    score: float
    error: float
    margin: float


def net_promoter(promoters: float, passives: float, detractors: float) -> NetPromoter | None:
    """NPS of so many answers; None of none. The variance of one answer is p + d - (p - d)²; the margin 1.96 errors."""
    n = promoters + passives + detractors
    if n <= 0:
        return None
    p, d = promoters / n, detractors / n
    error = 100 * math.sqrt(max(0.0, p + d - (p - d) ** 2) / n)
    return NetPromoter(100 * (promoters - detractors) / n, error, 1.96 * error)


def compared(now: NetPromoter, before: NetPromoter) -> stats.Tested:
    """Whether two NPS differ: z with both errors; above 0 where the first is higher."""
    return _tested(now.score - before.score, math.hypot(now.error, before.error))


def _tested(change: float, error: float) -> stats.Tested:
    """How many errors a change is away from none; without any error every change is sure."""
    if error == 0:
        return stats.Tested(math.copysign(math.inf, change), 0.0) if change else stats.Tested(0.0, 1.0)
    return stats.Tested(change / error, stats.normal_tails(change / error))


class Counts(NamedTuple):
    """How many gave each kind of answer."""

    promoters: int
    passives: int
    detractors: int
    satisfied: int
    rated: int

    @property
    def scored(self) -> int:
        """Answers with a score."""
        return self.promoters + self.passives + self.detractors


_COUNTS: dict[str, pl.Expr] = {
    "promoters": pl.col("score") >= 9,
    "passives": pl.col("score").is_between(7, 8),
    "detractors": pl.col("score") <= 6,
    "satisfied": pl.col("rating") >= 4,
    "rated": pl.col("rating").is_not_null(),
}


def counts(rows: pl.DataFrame) -> Counts:
    """The answers of some rows with ``score`` and ``rating``."""
    return Counts(*rows.select(**{name: holds.sum() for name, holds in _COUNTS.items()}).row(0))


def _counts_by(rows: pl.DataFrame, column: str) -> dict[str, Counts]:
    """The answers by the values of a column, in their order."""
    each = rows.filter(pl.col(column).is_not_null()).group_by(value=column)
    counted = each.agg(**{name: holds.sum() for name, holds in _COUNTS.items()}).sort("value")
    return {value: Counts(*numbers) for value, *numbers in counted.iter_rows()}


# --- the look -------------------------------------------------------------------------------------------------------


def look(
    feedback: frames.Feedback | None,
    *,
    as_of: date | None = None,
    since: date | None = None,
    until: date | None = None,
    users: pl.DataFrame | None = None,
    by: Sequence[str] = (),
    asked: int | None = None,
) -> Looked:
    """What users say: NPS and CSAT now and before, topics of the unhappy, in ``feedback``.

    Compares the window ``since`` to ``until`` (inclusive) with as many days before; without one the last 28 days where
    both have :data:`MANY` answers, else the last 90. Topics are those of the same days, without ``since`` of all so far. ``as_of``: later answers are not looked at; None: the latest day.
    ``by``: columns of the feedback, or attributes of ``users`` (``user_id``, text), that may tell where a change lies.
    ``asked``: how many users there were to answer. The p value of a finding is corrected for all that this area tried.
    """
    if feedback is None:
        return Looked("demand", left_out=(_NO_FILE,), skipped=True)
    rows = answers.rows(feedback, users, by)
    last = as_of or rows["day"].max()
    rows = rows.filter(pl.col("day") <= last) if last else rows
    if rows.is_empty() or not isinstance(last, date):
        return Looked("demand", left_out=(_NO_ANSWERS,), skipped=True)
    dims = [name for name in dict.fromkeys(by) if name in rows.columns and name not in OWN]
    windows = answers.windows(rows, last, since, until)
    case = Case(feedback.name, rows, last, windows, dims, since or date.min, until or last)
    everybody, segments, topics = _everybody(case), _segments(case), complaints.in_answers(case, case.reported)
    told, asked_of = complaints.findings(case, topics)
    found = [*_moved(case, everybody, segments), *told, *_scale(case)]
    return Looked(
        "demand",
        findings=tuple(found),
        evidence=tuple(_evidence(case, topics, asked)),
        left_out=tuple(_left_out(case, topics)),
        views=tuple(_views(case, topics)),
        tested=len(everybody) + len(segments) + asked_of,
    )


_NO_FILE = Text(
    "demand needs a file of feedback: time, score (0-10) or rating (1-5), and text",
    "用户需求需要反馈文件:time、score(0-10)或 rating(1-5),以及 text",
)
_NO_ANSWERS = Text("no answer in the feedback can be used", "反馈文件中没有可用的回答")


# --- scores that fell -----------------------------------------------------------------------------------------------


def _everybody(case: Case) -> dict[str, _Change]:
    """NPS and CSAT of everybody, now and before; without those of too few answers."""
    now, before = counts(case.now), counts(case.before)
    changes = {"nps": _nps_change(now, before), "csat": _csat_change(now, before)}
    return {metric: change for metric, change in changes.items() if change is not None}


def _segments(case: Case) -> dict[str, _Change]:
    """NPS of each segment, now and before, where that moved otherwise than elsewhere.

    p is the larger one of two tests, that it moved and that it moved otherwise than all others, after Benjamini-Hochberg
    over all segments.
    """
    tried: dict[str, _Change] = {}
    for dim in case.dims:
        now, before = _counts_by(case.now, dim), _counts_by(case.before, dim)
        for value in now.keys() & before.keys():
            here = _nps_change(now[value], before[value])
            elsewhere = _nps_change(_without(now, value), _without(before, value))
            if here is not None and elsewhere is not None:
                apart = _tested(here.delta - elsewhere.delta, math.hypot(here.error, elsewhere.error))
                tried[f"{dim}={value}"] = here._replace(p=max(here.p, apart.p))
    tried = dict(sorted(tried.items()))
    q_values = stats.false_discovery([change.p for change in tried.values()])
    return {segment: tried[segment]._replace(p=q) for segment, q in zip(tried, q_values, strict=True)}


def _without(each: dict[str, Counts], value: str) -> Counts:
    """The answers of all other values."""
    others = [counted for name, counted in each.items() if name != value]
    return Counts(*map(sum, zip(Counts(0, 0, 0, 0, 0), *others, strict=True)))


class _Change(NamedTuple):
    """A score now and before, of how many answers now and at least in both, the error of the change and its p."""

    now: float
    before: float
    n: int
    least: int
    error: float
    p: float

    @property
    def delta(self) -> float:
        """How far it moved."""
        return self.now - self.before


def _nps_change(now: Counts, before: Counts) -> _Change | None:
    """NPS now and before; None where either has too few answers."""
    one, other = net_promoter(*now[:3]), net_promoter(*before[:3])
    if one is None or other is None or min(now.scored, before.scored) < ENOUGH:
        return None
    error, p = math.hypot(one.error, other.error), compared(one, other).p
    return _Change(one.score, other.score, now.scored, min(now.scored, before.scored), error, p)


def _csat_change(now: Counts, before: Counts) -> _Change | None:
    if min(now.rated, before.rated) < ENOUGH:
        return None
    tested = stats.two_proportions(now.satisfied, now.rated, before.satisfied, before.rated)
    shares = now.satisfied / now.rated, before.satisfied / before.rated
    error = abs((shares[0] - shares[1]) / tested.statistic) if tested.statistic else 0.0
    return _Change(*shares, now.rated, min(now.rated, before.rated), error, tested.p)


def _moved(case: Case, everybody: dict[str, _Change], segments: dict[str, _Change]) -> Iterator[Finding]:
    """The scores that moved; segments that moved otherwise are causes where the whole did, findings where it did not."""
    sure = {segment: change for segment, change in segments.items() if change.p < SURE}
    whole = everybody.get("nps")
    for metric, change in everybody.items():
        causes = _because(sure, change) if metric == "nps" else ()
        yield from _fell(case, metric, None, change, tuple(causes))
    if whole is None or whole.p >= LIKELY:
        for segment, change in sure.items():
            yield from _fell(case, "nps", segment, change)


def _because(segments: dict[str, _Change], whole: _Change) -> Iterator[Cause]:
    """At most three segments whose NPS moved the same way, and further than elsewhere."""
    same = {segment: change for segment, change in segments.items() if change.delta * whole.delta > 0}
    for segment, change in sorted(same.items(), key=lambda one: (one[1].p, one[0]))[:3]:
        text = Text(
            f"{segment}: NPS went from {change.before:.0f} to {change.now:.0f}, unlike elsewhere",
            f"{segment}:NPS 由 {change.before:.0f} 变为 {change.now:.0f},与其他人群不同",
        )
        yield Cause(text, "rate", segment, effect=change.delta)


def _fell(
    case: Case, metric: str, segment: str | None, change: _Change, causes: tuple[Cause, ...] = ()
) -> Iterator[Finding]:
    """A score that fell (a warning where sure and large) or rose (worth knowing)."""
    delta, p = change.delta, change.p
    if p >= LIKELY:
        return
    nps = metric == "nps"
    enough = segment is None or change.least >= MANY  # the error of a few answers is itself a guess
    grave = enough and p < SURE and -delta >= (POINTS if nps else SHARES)
    where = Text(f" ({segment})", f"({segment})") if segment else Text("", "")
    down = delta < 0
    if nps:
        title = Text(
            f"NPS {'fell' if down else 'rose'} from {change.before:.0f} to {change.now:.0f}{where.en}",
            f"NPS 由 {change.before:.0f} {'降至' if down else '升至'} {change.now:.0f}{where.zh}",
        )
    else:
        title = Text(
            f"Satisfied users {'fell' if down else 'rose'} from {change.before:.1%} to {change.now:.1%}{where.en}",
            f"满意用户占比由 {change.before:.1%} {'降至' if down else '升至'} {change.now:.1%}{where.zh}",
        )
    due = case.as_of + timedelta(days=case.windows.days)
    yield Finding(
        id=".".join(filter(None, ("demand", metric, segment))),
        area="demand",
        title=title,
        severity="warn" if grave else "info",
        metric=metric,
        segment=segment,
        since=case.windows.first,
        until=case.windows.last,
        value=change.now,
        baseline=change.before,
        delta=delta,
        n=change.n,
        p_value=p,
        kind="number" if nps else "share",
        causes=causes,
        actions=(READ,) if down else (),
        prevention=(_ASK_ON,) if down else (),
        proof=Text(
            f"{metric.upper()} of the {case.windows.days} days to {due} is back at {_shown(change.before, nps=nps)} or above.",
            f"到 {due} 为止的 {case.windows.days} 天内 {metric.upper()} 回到 {_shown(change.before, nps=nps)} 以上。",
        )
        if down
        else None,
        reproduce=case.again,
    )


def _shown(value: float, *, nps: bool) -> str:
    return f"{value:.0f}" if nps else f"{value:.1%}"


_ASK_ON = Text(
    "Ask the same question at the same moment all year, so that a fall shows in the week it begins.",
    "全年在同一触点询问同一问题,使下滑在当周即可发现。",
)


# --- the scale ------------------------------------------------------------------------------------------------------


def _scale(case: Case) -> Iterator[Finding]:
    """Scores that look as if they were asked for on another scale."""
    score = case.rows["score"].drop_nulls()
    if score.len() < _SCALE_TOLD:
        return
    missing = sorted(set(range(11)) - set(score.unique()))
    if not missing:
        return
    listed = ", ".join(map(str, missing))
    from_one = missing == [0]
    yield Finding(
        id="demand.scale",
        area="demand",
        title=Text(
            f"No answer scores {listed}: " + ("was it asked from 1 to 10?" if from_one else "is the scale 0 to 10?"),
            f"没有评分为 {listed} 的回答:" + ("问卷是否为 1–10 分?" if from_one else "量表是否为 0–10 分?"),
        ),
        severity="info",
        metric="scale",
        value=float(len(missing)),
        n=score.len(),
        kind="count",
        actions=(
            Text(
                "Ask on the whole scale from 0 to 10; NPS of another scale cannot be compared.",
                "请使用完整的 0–10 分量表;其他量表的 NPS 不可比较。",
            ),
        ),
        reproduce=case.again,
    )


# --- what was seen --------------------------------------------------------------------------------------------------


def _evidence(case: Case, topics: Sequence[Complaint], asked: int | None) -> Iterator[Evidence]:
    window = Text(f"{case.windows.first} to {case.windows.last}", f"{case.windows.first} 至 {case.windows.last}")
    now, before = counts(case.now), counts(case.before)
    yield Evidence(Text("answers", "回答数"), case.now.height, "count", window)
    nps, earlier = net_promoter(*now[:3]), net_promoter(*before[:3])
    if nps is not None and now.scored >= ENOUGH:
        margin = Text(f"± {nps.margin:.1f}", f"± {nps.margin:.1f}")
        yield Evidence(Text("NPS", "NPS"), nps.score, "number", margin, nps.margin)
        if earlier is not None and before.scored >= ENOUGH:
            yield Evidence(
                Text("NPS before", "之前的 NPS"),
                earlier.score,
                "number",
                Text(f"± {earlier.margin:.1f}", f"± {earlier.margin:.1f}"),
            )
    if now.rated >= ENOUGH:
        low, high = limits(now.satisfied, now.rated)
        interval = Text(f"{low:.1%} to {high:.1%}", f"{low:.1%} 至 {high:.1%}")
        yield Evidence(
            Text("CSAT, share of 4 and 5 stars", "CSAT(4–5 星占比)"),
            now.satisfied / now.rated,
            "share",
            interval,
            (high - low) / 2,
        )
    users = case.now["user_id"].drop_nulls().n_unique()
    if asked and users:
        note = Text("those who do not answer may think otherwise", "未作答者的看法可能不同")
        yield Evidence(Text("users who answered", "作答用户占比"), users / asked, "share", note)
    unhappy = [topic.name for topic in topics if topic.concentrated]
    if unhappy:
        listed = Text(", ".join(name.en for name in unhappy[:3]), "、".join(name.zh for name in unhappy[:3]))
        yield Evidence(Text("topics of the unhappy", "不满用户的话题"), len(unhappy), "count", listed)


def _left_out(case: Case, topics: Sequence[Complaint]) -> Iterator[Text]:
    now, before = counts(case.now), counts(case.before)
    for name, n, earlier in (("NPS", now.scored, before.scored), ("CSAT", now.rated, before.rated)):
        if 0 < n < ENOUGH:
            yield Text(
                f"{name}: {n} answers in {case.windows.days} days are too few ({ENOUGH} are needed)",
                f"{name}:{case.windows.days} 天内仅 {n} 个回答,样本过少(需 {ENOUGH} 个)",
            )
        elif n >= ENOUGH and earlier < ENOUGH:
            yield Text(
                f"{name}: {earlier} answers in the {case.windows.days} days before are too few to compare with",
                f"{name}:前 {case.windows.days} 天仅 {earlier} 个回答,无法对比",
            )
    if not topics:
        yield Text(
            f"topics: no text or topic that {FEWEST} answers share", f"话题:没有至少 {FEWEST} 个回答共有的文本或话题"
        )


def _views(case: Case, topics: Sequence[Complaint]) -> Iterator[Block]:
    months = case.rows.filter(pl.col("score").is_not_null()).group_by(month=pl.col("day").dt.truncate("1mo"))
    each = months.agg(n=pl.len(), p=(pl.col("score") >= 9).sum(), d=(pl.col("score") <= 6).sum()).sort("month")
    if each.height > 1:
        score = stats.ratio(100 * (pl.col("p").cast(pl.Int64) - pl.col("d")), pl.col("n"))
        values = each.select(pl.when(pl.col("n") >= ENOUGH).then(score)).to_series()
        if values.count() > 1:
            yield ChartBlock(
                Text("NPS by month", "各月 NPS"),
                tuple(each["month"].dt.to_string("%Y-%m-%d")),
                (Series(Text("NPS", "NPS"), tuple(values)),),
                kind="number",
            )
    shown = [topic for topic in topics if topic.unhappy][:10]
    if shown:
        yield complaints.table(shown)
