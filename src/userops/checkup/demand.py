"""A check-up of what users say: how they score and rate, whether that changed, and what the unhappy write about.

Definitions (docs/methods.md has formulas and sources): promoters score 9 or 10, passives 7 or 8, detractors 0 to 6;
NPS = 100 (p - d). Unhappy: a detractor, or where there is no score at most 2 stars. A topic is the one the file names,
else a theme told by its words (:mod:`userops.texts.themes`), else a frequent word. Fewer than :data:`ENOUGH` answers are
shown and never scored.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, NamedTuple

import polars as pl

from userops import frames, partition, stats
from userops.checkup.findings import Cause, Evidence, Finding, Looked
from userops.checkup.topics import FEWEST, Topic, about, harmless, told
from userops.collecting import collect
from userops.results import Block, ChartBlock, Column, Series, TableBlock, Text

ENOUGH = 30
"""Answers below which nothing is scored: too few."""

MANY = 100
"""Answers in both windows that make 28 days enough, else 90 days are compared; and that a warning of a segment takes."""

SURE, LIKELY = 0.01, 0.05
"""Below which p a change is a warning, and below which it is worth knowing."""

POINTS, SHARES = 10.0, 0.05
"""The least fall of NPS (points) and of CSAT (share) that is a warning."""

WINDOW, STEP = 28, 14
"""Days in which a topic may rise, and how far apart such windows begin."""

_SHOWN = 5
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
    each = rows.filter(pl.col(column).is_not_null()).group_by(column)
    counted = each.agg(**{name: holds.sum() for name, holds in _COUNTS.items()}).sort(column)
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
    both have :data:`MANY` answers, else the last 90. ``as_of``: later answers are not looked at; None: the latest day.
    ``by``: columns of the feedback, or attributes of ``users`` (``user_id``, text), that may tell where a change lies.
    ``asked``: how many users there were to answer. The p value of a finding is corrected for all that this area tried.
    """
    if feedback is None:
        return Looked("demand", left_out=(_NO_FILE,), skipped=True)
    rows = _rows(feedback, users, by)
    last = as_of or rows["day"].max()
    rows = rows.filter(pl.col("day") <= last) if last else rows
    if rows.is_empty() or not isinstance(last, date):
        return Looked("demand", left_out=(_NO_ANSWERS,), skipped=True)
    dims = [name for name in dict.fromkeys(by) if name in rows.columns and name not in _OWN]
    case = _Case(feedback.name, rows, last, _windows(rows, last, since, until), dims)
    everybody, segments, topics = _everybody(case), _segments(case), _topics(case)
    risen, told_of = _risen(case, topics)
    others = [topic for topic in topics if topic.key not in told_of]
    found = [*_moved(case, everybody, segments), *risen, *_complaints(case, others), *_scale(case)]
    return Looked(
        "demand",
        findings=tuple(found),
        evidence=tuple(_evidence(case, topics, asked)),
        left_out=tuple(_left_out(case, topics)),
        views=tuple(_views(case, topics)),
        tested=len(everybody) + len(segments) + len(topics) * (1 + len(_starts(case))),
    )


_NO_FILE = Text(
    "demand needs a file of feedback: time, score (0-10) or rating (1-5), and text",
    "用户需求需要反馈文件:time、score(0-10)或 rating(1-5),以及 text",
)
_NO_ANSWERS = Text("no answer in the feedback can be used", "反馈文件中没有可用的回答")


class _Windows(NamedTuple):
    """The days that are looked at and as many before; first and last ones."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def before(self) -> tuple[date, date]:
        return self.first - timedelta(days=self.days), self.first - timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Case:
    """Everything the findings are told from: answers that count (``day, score, rating, text, topic, unhappy``)."""

    name: str
    rows: pl.DataFrame
    as_of: date
    windows: _Windows
    dims: Sequence[str]

    @property
    def now(self) -> pl.DataFrame:
        return self.rows.filter(pl.col("day").is_between(self.windows.first, self.windows.last))

    @property
    def before(self) -> pl.DataFrame:
        return self.rows.filter(pl.col("day").is_between(*self.windows.before))

    @property
    def unhappy(self) -> pl.Series:
        """Whether each answer is unhappy; no where that is not known."""
        return self.rows["unhappy"].fill_null(value=False)

    @property
    def again(self) -> str:
        """The command that gives the numbers again."""
        return f"userops diagnose --feedback {shlex.quote(self.name)} --as-of {self.as_of}"


def _rows(feedback: frames.Feedback, users: pl.DataFrame | None, by: Sequence[str]) -> pl.DataFrame:
    schema = feedback.rows.collect_schema()
    by = [name for name in dict.fromkeys(by) if name not in _OWN]
    dims = [name for name in by if name in schema]
    chosen = frames.good(feedback.rows).select(
        "score",
        "rating",
        "text",
        "topic",
        *(pl.col(name).cast(pl.String) for name in dims),
        user_id=pl.col("user_id").cast(pl.String),
        day=pl.col("time").dt.date(),
        unhappy=pl.coalesce(pl.col("score") <= 6, pl.col("rating") <= 2),
    )
    rows = collect(chosen, feedback.name)
    if users is None:
        return rows
    of_users = [
        name for name in by if name not in dims and name in users.columns and not users.schema[name].is_nested()
    ]
    known = (
        users.select(pl.col("user_id", *of_users).cast(pl.String)).drop_nulls("user_id").unique("user_id", keep="any")
    )
    return rows.join(known, on="user_id", how="left")


_OWN = frozenset(
    {"user_id", "time", "instant", "day", "score", "rating", "text", "topic", "unhappy", "reject", "source"}
)


def _windows(rows: pl.DataFrame, as_of: date, since: date | None, until: date | None) -> _Windows:
    """The days to look at: those asked for, else 28 where both windows hold many answers, else 90."""
    last = until or as_of
    if since is not None:
        return _Windows(min(since, last), last)
    month = _Windows(last - timedelta(days=27), last)
    in_both = [rows["day"].is_between(*window).sum() for window in ((month.first, month.last), month.before)]
    return month if min(in_both) >= MANY else _Windows(last - timedelta(days=89), last)


# --- scores that fell -----------------------------------------------------------------------------------------------


def _everybody(case: _Case) -> dict[str, _Change]:
    """NPS and CSAT of everybody, now and before; without those of too few answers."""
    now, before = counts(case.now), counts(case.before)
    changes = {"nps": _nps_change(now, before), "csat": _csat_change(now, before)}
    return {metric: change for metric, change in changes.items() if change is not None}


def _segments(case: _Case) -> dict[str, _Change]:
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


def _moved(case: _Case, everybody: dict[str, _Change], segments: dict[str, _Change]) -> Iterator[Finding]:
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
    case: _Case, metric: str, segment: str | None, change: _Change, causes: tuple[Cause, ...] = ()
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
        actions=(_READ,) if down else (),
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


_READ = Text(
    "Read the unhappy answers of these days by topic (below), and call ten of those who wrote them.",
    "按话题(见下)阅读这些天的不满反馈,并回访其中十位用户。",
)
_ASK_ON = Text(
    "Ask the same question at the same moment all year, so that a fall shows in the week it begins.",
    "全年在同一触点询问同一问题,使下滑在当周即可发现。",
)


# --- topics ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Complaint:
    """A topic, how many answers are about it, how many of them are unhappy, the share of the unhappy among the others.

    ``q``: how likely chance alone makes more of them unhappy, after Benjamini-Hochberg over all topics.
    """

    topic: Topic
    answers: int
    unhappy: int
    expected: float
    q: float

    @property
    def key(self) -> str:
        """What it goes by."""
        return self.topic.key

    @property
    def name(self) -> Text:
        """What people call it."""
        return self.topic.name

    @property
    def share(self) -> float:
        """Of those who write about it, how many are unhappy."""
        return self.unhappy / self.answers

    @property
    def concentrated(self) -> bool:
        """Whether the unhappy write about it clearly more often than chance has it."""
        return self.q < LIKELY and self.share >= 1.5 * self.expected


def _topics(case: _Case) -> list[_Complaint]:
    """The topics that enough answers are about, those of the unhappy first."""
    rated, unhappy = case.rows["unhappy"].is_not_null(), case.unhappy
    n, bad = int(rated.sum()), int(unhappy.sum())
    tried = []
    for topic in told(case.rows):
        answers, of_them = int((topic.holds & rated).sum()), int((topic.holds & unhappy).sum())
        if answers >= FEWEST:
            tested = stats.two_proportions(of_them, answers, bad - of_them, n - answers)
            tried.append((tested, topic, answers, of_them))
    q_values = stats.false_discovery([tested.p for tested, *_ in tried])
    complaints = [
        _Complaint(topic, answers, of_them, (bad - of_them) / max(n - answers, 1), q if tested.statistic > 0 else 1.0)
        for (tested, topic, answers, of_them), q in zip(tried, q_values, strict=True)
    ]
    return sorted(complaints, key=lambda one: (not one.concentrated, -one.unhappy, one.key))


def _risen(case: _Case, topics: Sequence[_Complaint]) -> tuple[list[Finding], set[str]]:
    """Topics of the unhappy that took up more of the answers for some weeks than in all the others, and their keys.

    One that is mostly in the same answers as a clearer one is told with it.
    """
    starts = _starts(case)
    surges = []
    for topic in topics if starts else ():
        surge = min((_surge(case, topic, start) for start in starts), key=lambda one: (one.p, one.first))
        p = min(1.0, surge.p * len(starts) * len(topics))
        steep = surge.share >= 2 * surge.usual and 2 * surge.unhappy >= surge.answers >= FEWEST
        if topic.concentrated and p < SURE and steep:
            surges.append((p, -surge.answers, topic.key, topic, surge))
    found: list[Finding] = []
    about: list[pl.Series] = []
    for p, _, _, topic, surge in sorted(surges, key=lambda one: one[:3]):
        here = topic.topic.holds & case.rows["day"].is_between(surge.first, surge.last)
        same = [place for place, clearer in enumerate(about) if 2 * int((here & clearer).sum()) >= surge.answers]
        if same:
            clearer = found[same[0]]
            found[same[0]] = replace(clearer, also=(*clearer.also, _with_it(topic, surge)))
        else:
            found.append(_rise(case, topic, surge, here, p))
            about.append(here)
    return found, {key for _, _, key, *_ in surges}


def _with_it(topic: _Complaint, surge: _Surge) -> Text:
    return Text(
        f"complaints about {topic.name.en} ({surge.share:.0%} of the answers, {surge.usual:.0%} otherwise)",
        f"关于{topic.name.zh}的抱怨(占回答的 {surge.share:.0%},平时 {surge.usual:.0%})",
    )


class _Surge(NamedTuple):
    p: float
    first: date
    last: date
    answers: int
    unhappy: int
    n: int
    share: float
    usual: float


def _starts(case: _Case) -> list[date]:
    """The first days of windows of :data:`WINDOW` days, back from as-of, as far as there are answers."""
    first: Any = case.rows["day"].min()
    span = (case.as_of - first).days + 1 - WINDOW
    return (
        [case.as_of - timedelta(days=WINDOW - 1 + STEP * k) for k in range(span // STEP + 1)] if span > WINDOW else []
    )


def _surge(case: _Case, topic: _Complaint, first: date) -> _Surge:
    """A topic within a window against all other days; p is 1 where it is not more frequent there."""
    last = first + timedelta(days=WINDOW - 1)
    inside = case.rows["day"].is_between(first, last)
    n, total = int(inside.sum()), case.rows.height
    answers = int((topic.topic.holds & inside).sum())
    unhappy = int((topic.topic.holds & inside & case.unhappy).sum())
    tested = stats.two_proportions(answers, n, topic.answers - answers, total - n)
    p = tested.p if tested.statistic > 0 else 1.0
    usual = (topic.answers - answers) / (total - n) if total > n else 0.0
    return _Surge(p, first, last, answers, unhappy, n, answers / n if n else 0.0, usual)


def _rise(case: _Case, topic: _Complaint, surge: _Surge, about: pl.Series, p: float) -> Finding:
    over = (case.as_of - surge.last).days >= WINDOW
    segment = f"topic={topic.key}"
    return Finding(
        id=f"demand.topic_share.{segment}" + (f".{surge.first:%Y-%m}" if over else ""),
        area="demand",
        title=Text(
            f"Complaints about {topic.name.en}: {surge.share:.0%} of the answers from {surge.first} to {surge.last}, "
            f"{surge.usual:.0%} otherwise",
            f"关于{topic.name.zh}的抱怨:{surge.first} 至 {surge.last} 占回答的 {surge.share:.0%},平时 {surge.usual:.0%}",
        ),
        severity="warn",
        metric="topic_share",
        segment=segment,
        since=surge.first,
        until=surge.last,
        value=surge.share,
        baseline=surge.usual,
        delta=surge.share - surge.usual,
        n=surge.n,
        p_value=p,
        kind="share",
        causes=tuple(_where(case, about)),
        also=tuple(_quoted(case.rows.filter(about))),
        actions=tuple(filter(None, (topic.topic.act, _CALL_BACK))),
        prevention=(
            Text(
                f"Count answers about {topic.name.en} every night, and look when they double.",
                f"每晚统计关于{topic.name.zh}的回答,翻倍时立即查看。",
            ),
        ),
        proof=Text(
            f"By {case.as_of + timedelta(days=WINDOW)}, at most {max(surge.usual, 0.01):.0%} of {WINDOW} days' answers are "
            f"about {topic.name.en}.",
            f"到 {case.as_of + timedelta(days=WINDOW)},{WINDOW} 天内关于{topic.name.zh}的回答占比不超过 {max(surge.usual, 0.01):.0%}。",
        ),
        reproduce=case.again,
    )


_CALL_BACK = Text(
    "Answer those who complained once it is mended: their ids stand in the feedback.",
    "问题修复后逐一回复抱怨的用户(其 ID 在反馈文件中)。",
)


def _where(case: _Case, about: pl.Series) -> Iterator[Cause]:
    """At most three segments from which these answers come clearly more often than others do."""
    tried = []
    for dim in case.dims:
        known = case.rows.select(value=dim, about=about).filter(pl.col("value").is_not_null())
        n = int(known["about"].sum())
        values = known.group_by("value").agg(there=pl.col("about").sum(), everywhere=pl.len())
        for value, there, everywhere in values.filter(pl.col("there") >= FEWEST).sort("value").iter_rows():
            tested = stats.two_proportions(there, n, everywhere - there, known.height - n)
            usual = (everywhere - there) / max(known.height - n, 1)
            tried.append((tested, f"{dim}={value}", there / n, usual))
    q_values = stats.false_discovery([tested.p for tested, *_ in tried])
    sure = sorted(
        (q, segment, share, usual)
        for (tested, segment, share, usual), q in zip(tried, q_values, strict=True)
        if q < SURE and tested.statistic > 0
    )
    for _, segment, share, usual in sure[:3]:
        text = Text(
            f"{segment}: {share:.0%} of these answers come from there, {usual:.0%} of the others",
            f"{segment}:这些回答的 {share:.0%} 来自该人群,其他回答中为 {usual:.0%}",
        )
        yield Cause(text, "coincides", segment, share)


def _complaints(case: _Case, topics: Sequence[_Complaint]) -> Iterator[Finding]:
    """The topics that the unhappy write about far more than others: worth knowing."""
    for topic in [topic for topic in topics if topic.concentrated][:_SHOWN]:
        yield Finding(
            id=f"demand.unhappy_share.topic={topic.key}",
            area="demand",
            title=Text(
                f"{topic.share:.0%} of those who write about {topic.name.en} are unhappy, {topic.expected:.0%} of the others",
                f"谈到{topic.name.zh}的用户中 {topic.share:.0%} 不满,其他用户为 {topic.expected:.0%}",
            ),
            severity="info",
            metric="unhappy_share",
            segment=f"topic={topic.key}",
            value=topic.share,
            baseline=topic.expected,
            delta=topic.share - topic.expected,
            n=topic.answers,
            p_value=topic.q,
            kind="share",
            also=tuple(_quoted(case.rows.filter(topic.topic.holds))),
            actions=(topic.topic.act,) if topic.topic.act else (_READ,),
            reproduce=case.again,
        )


def _quoted(rows: pl.DataFrame) -> Iterator[Text]:
    """What one of the unhappiest wrote, shortened, without addresses and numbers that could be somebody's."""
    said = rows.filter(pl.col("text").is_not_null()).select(
        quote=harmless(pl.col("text")), worst=pl.coalesce("score", pl.col("rating") * 2)
    )
    said = said.filter(pl.col("quote") != "").sort("worst", "quote", nulls_last=True).head(1)
    for quote in said["quote"]:
        yield Text(f"a user: “{quote}”", f"用户原话:“{quote}”")


def voices(finding: Finding) -> partition.Reduce | None:
    """The reduce of feedback that gives ``user_id`` of those who wrote about a finding's topic in its days.

    None where a finding is not about a topic, or the rows are nobody's.
    """
    if finding.area != "demand" or not (finding.segment or "").startswith("topic="):
        return None
    holds = about(str(finding.segment).removeprefix("topic="))
    since, until = finding.since or date.min, finding.until or date.max

    def of(rows: pl.LazyFrame) -> pl.LazyFrame:
        then = pl.col("time").dt.date().is_between(since, until)
        known = frames.good(rows).filter(holds).filter(then, pl.col("user_id").is_not_null())
        return known.select("user_id").unique()

    return partition.Reduce(of)


# --- the scale ------------------------------------------------------------------------------------------------------


def _scale(case: _Case) -> Iterator[Finding]:
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


def _evidence(case: _Case, topics: Sequence[_Complaint], asked: int | None) -> Iterator[Evidence]:
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
        low, high = _limits(now.satisfied, now.rated)
        limits = Text(f"{low:.1%} to {high:.1%}", f"{low:.1%} 至 {high:.1%}")
        yield Evidence(
            Text("CSAT, share of 4 and 5 stars", "CSAT(4–5 星占比)"),
            now.satisfied / now.rated,
            "share",
            limits,
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


def _limits(successes: int, n: int) -> tuple[float, float]:
    """The Wilson interval of one share."""
    low, high = stats.wilson(pl.lit(successes), pl.lit(n))
    found = pl.select(low=low, high=high)
    return float(found["low"][0]), float(found["high"][0])


def _left_out(case: _Case, topics: Sequence[_Complaint]) -> Iterator[Text]:
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


def _views(case: _Case, topics: Sequence[_Complaint]) -> Iterator[Block]:
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
        yield _topic_table(shown)


def _topic_table(topics: Sequence[_Complaint]) -> TableBlock:
    """Topics with how many write about each and how many of those are unhappy."""
    low_high = [_limits(topic.unhappy, topic.answers) for topic in topics]
    rows = pl.DataFrame(
        {
            "topic": [topic.name.en for topic in topics],
            "topic_zh": [t.name.zh for t in topics],
            "answers": [t.answers for t in topics],
            "unhappy_share": [t.share for t in topics],
            "low": [low for low, _ in low_high],
            "high": [high for _, high in low_high],
        }
    )
    columns = (
        Column("answers", Text("Answers", "回答数"), "count"),
        Column("unhappy_share", Text("Unhappy", "不满占比"), "share", bar=True),
        Column("low", Text("from", "下限"), "share"),
        Column("high", Text("to", "上限"), "share"),
    )
    name = Text("Topic", "话题")
    title = Text("What they write about", "用户在谈什么")
    return TableBlock(title, (Column("topic", name), *columns), rows, columns_zh=(Column("topic_zh", name), *columns))
