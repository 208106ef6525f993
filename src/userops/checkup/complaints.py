"""What the unhappy write about: topics that are theirs more than others', and topics that rose, as findings.

Unhappy: a detractor, or where there is no score at most 2 stars. A topic is the one the file names, else a theme told by
its words (:mod:`userops.texts.themes`), else a frequent word (:mod:`userops.checkup.topics`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, NamedTuple

import polars as pl

from userops import frames, partition, stats
from userops.checkup.answers import LIKELY, SURE, Case, limits
from userops.checkup.findings import Cause, Finding
from userops.checkup.topics import FEWEST, Topic, about, harmless, told
from userops.results import Column, TableBlock, Text

WINDOW, STEP = 28, 14
"""Days in which a topic may rise, and how far apart such windows begin."""

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Complaint:
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


def in_answers(case: Case, among: pl.Series) -> list[Complaint]:
    """The topics that enough of the answers are about, those of the unhappy first; ``among``: which answers are meant."""
    rated, unhappy = case.rows["unhappy"].is_not_null() & among, case.unhappy & among
    n, bad = int(rated.sum()), int(unhappy.sum())
    tried = []
    for topic in told(case.rows):
        answers, of_them = int((topic.holds & rated).sum()), int((topic.holds & unhappy).sum())
        if answers >= FEWEST:
            tested = stats.two_proportions(of_them, answers, bad - of_them, n - answers)
            tried.append((tested, topic, answers, of_them))
    q_values = stats.false_discovery([tested.p for tested, *_ in tried])
    complaints = [
        Complaint(topic, answers, of_them, (bad - of_them) / max(n - answers, 1), q if tested.statistic > 0 else 1.0)
        for (tested, topic, answers, of_them), q in zip(tried, q_values, strict=True)
    ]
    return sorted(complaints, key=lambda one: (not one.concentrated, -one.unhappy, one.key))


def findings(case: Case, topics: Sequence[Complaint]) -> tuple[list[Finding], int]:
    """The topics that rose, then the others that the unhappy write about; and how many questions were asked.

    ``topics``: those of the answers that are reported; a rise of one is seen among all.
    """
    ever = topics if case.reported.all() else in_answers(case, pl.repeat(True, case.rows.height, eager=True))
    risen, told_of = _risen(case, ever)
    others = [topic for topic in topics if topic.key not in told_of]
    return [*risen, *_complaints(case, others)], len(topics) + len(ever) * len(_starts(case))


def _risen(case: Case, topics: Sequence[Complaint]) -> tuple[list[Finding], set[str]]:
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


def _with_it(topic: Complaint, surge: _Surge) -> Text:
    return Text(
        f"complaints about {topic.name.en} ({surge.share:.0%} of the answers, {surge.usual:.0%} otherwise)",
        f"关于{topic.name.zh}的抱怨(占回答的 {surge.share:.0%},平时 {surge.usual:.0%})",
    )


class _Surge(NamedTuple):
    """A topic on some days: its answers, how many of them unhappy, of all ``n``; its share of them, and of the others."""

    p: float
    first: date
    last: date
    answers: int
    unhappy: int
    n: int
    share: float
    usual: float


def _starts(case: Case) -> list[date]:
    """The first days of windows of :data:`WINDOW` days, back from as-of, as far as there are answers.

    Only of those with a day that is reported.
    """
    first: Any = case.rows["day"].min()
    span = (case.as_of - first).days + 1 - WINDOW
    if span <= WINDOW:
        return []
    every = [case.as_of - timedelta(days=WINDOW - 1 + STEP * k) for k in range(span // STEP + 1)]
    return [day for day in every if day <= case.until and day + timedelta(days=WINDOW - 1) >= case.since]


def _surge(case: Case, topic: Complaint, first: date) -> _Surge:
    """A topic within a window against all other days; p is 1 where it is not more frequent there."""
    last = first + timedelta(days=WINDOW - 1)
    inside = case.rows["day"].is_between(first, last)
    n, total = int(inside.sum()), case.rows.height
    answers, elsewhere = (int((topic.topic.holds & days).sum()) for days in (inside, ~inside))
    unhappy = int((topic.topic.holds & inside & case.unhappy).sum())
    tested = stats.two_proportions(answers, n, elsewhere, total - n)
    p = tested.p if tested.statistic > 0 else 1.0
    usual = elsewhere / (total - n) if total > n else 0.0
    return _Surge(p, first, last, answers, unhappy, n, answers / n if n else 0.0, usual)


def _rise(case: Case, topic: Complaint, surge: _Surge, about: pl.Series, p: float) -> Finding:
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


READ = Text(
    "Read the unhappy answers of these days by topic (below), and call ten of those who wrote them.",
    "按话题(见下)阅读这些天的不满反馈,并回访其中十位用户。",
)
_CALL_BACK = Text(
    "Answer those who complained once it is mended: their ids stand in the feedback.",
    "问题修复后逐一回复抱怨的用户(其 ID 在反馈文件中)。",
)


def _where(case: Case, about: pl.Series) -> Iterator[Cause]:
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


def _complaints(case: Case, topics: Sequence[Complaint]) -> Iterator[Finding]:
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
            also=tuple(_quoted(case.rows.filter(topic.topic.holds & case.reported))),
            actions=(topic.topic.act,) if topic.topic.act else (READ,),
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


def table(topics: Sequence[Complaint]) -> TableBlock:
    """Topics with how many write about each and how many of those are unhappy."""
    low_high = [limits(topic.unhappy, topic.answers) for topic in topics]
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
