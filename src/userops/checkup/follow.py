"""Continuous improvement (持续改进): what changed since an earlier report, whether what was done helped, odd nights.

A report is the JSON of an earlier ``userops diagnose``. Findings are matched by area, metric and segment, and by days
that overlap or nearly touch: a window's edges move a little from night to night, and what goes on grows.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Literal, NamedTuple

import polars as pl

from userops import stats
from userops.checkup import findings
from userops.checkup.findings import Evidence, Finding, Progress
from userops.errors import InputError
from userops.results import Text

SCHEMA = "userops.diagnose/1"
"""What a report says it is."""

WOBBLE = timedelta(days=3)
"""How far apart two windows of the same illness may lie."""

TOLERANCE = 0.1
"""Of what it was: a finding that changed by less is the same."""

COMPARE = 0.2
"""The share of users who are left alone, to compare with."""

FEWEST = 30
"""Users in each group, below which nothing is said of a prescription."""

FEWEST_EACH = 5
"""Users who did, and who did not, to be expected in each group: below, the test does not hold."""


@dataclass(frozen=True, slots=True)
class Report:
    """An earlier report, as far as later ones look at it: its day, its findings, its summary's numbers."""

    as_of: date
    findings: tuple[Finding, ...]
    numbers: Mapping[str, float]


def report(document: object, path: str) -> Report:
    """The parsed JSON of an earlier report; InputError where it is none, or of another version."""
    if not isinstance(document, Mapping) or "schema" not in document:
        raise InputError.not_a_report(path, "it does not say what it is")
    if document["schema"] != SCHEMA:
        raise InputError.not_a_report(path, f"it is {str(document['schema'])[:60]}, not {SCHEMA}")
    try:
        as_of = date.fromisoformat(document["meta"]["as_of"])
        rows = tuple(_finding(row) for row in document["rows"])
        summary = document["summary"].items()
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InputError.not_a_report(path, "it is damaged") from None
    return Report(as_of, rows, {key: float(value) for key, value in summary if _is_number(value)})


def compared(
    found: Iterable[Finding], last: Report, looked_at: Collection[str] = tuple(findings.AREAS)
) -> tuple[Finding, ...]:
    """Today's findings, each with its progress since ``last``, then those of ``last`` that are gone: *resolved*.

    Worse or better: by severity, else where the change (or, without one, the money at stake) is more than
    :data:`TOLERANCE` larger or smaller than it was. What was found in an area that is not ``looked_at`` today is
    neither here nor gone; what was resolved then is not told again.
    """
    before = [finding for finding in last.findings if finding.status != "resolved"]
    met: set[int] = set()
    now = []
    for finding in found:
        same = [(place, earlier) for place, earlier in enumerate(before) if _matches(earlier, finding)]
        met.update(place for place, _ in same)
        nearest = min((e for _, e in same), key=lambda e: (-_overlap(e, finding), e.id), default=None)
        now.append(replace(finding, status=progress(nearest, finding) if nearest else "new"))
    left = [earlier for place, earlier in enumerate(before) if place not in met and earlier.area in looked_at]
    gone = sorted(left, key=lambda earlier: (earlier.id, earlier.since or date.min))
    return (*now, *(replace(e, status="resolved", severity="info", impact=None) for e in gone))


def progress(earlier: Finding, now: Finding) -> Progress:
    """How an illness is beside what it was."""
    steps = findings.ORDER.index(earlier.severity) - findings.ORDER.index(now.severity)
    if steps:
        return "worse" if steps > 0 else "better"
    for was, is_now in ((earlier.delta, now.delta), (earlier.impact, now.impact)):
        if was is not None and is_now is not None:
            if abs(is_now) > abs(was) * (1 + TOLERANCE):
                return "worse"
            return "better" if abs(is_now) < abs(was) * (1 - TOLERANCE) else "same"
    return "same"


def _matches(earlier: Finding, now: Finding) -> bool:
    """Whether two findings are one illness: area, metric, segment, direction, and days that overlap or nearly touch."""
    if _key(earlier) != _key(now) or (earlier.delta or 0) * (now.delta or 0) < 0:
        return False
    return _overlap(earlier, now) >= -WOBBLE.days


def _key(finding: Finding) -> tuple[str, str, str | None]:
    return finding.area, finding.metric or finding.id, finding.segment


def _overlap(one: Finding, other: Finding) -> int:
    """Days that two findings share; below 0: days between them. 0 where one has no days."""
    if one.since is None or other.since is None:
        return 0
    first, last = max(one.since, other.since), min(one.until or date.max, other.until or date.max)
    return min((last - first).days + 1, 36_500)


def _finding(row: Mapping[str, Any]) -> Finding:
    """A row of a report as a finding again, its words and numbers; KeyError and the like where it is none."""

    def day(name: str) -> date | None:
        return date.fromisoformat(row[name]) if row.get(name) else None

    if row["area"] not in findings.AREAS or row["severity"] not in findings.ORDER:
        raise ValueError(row["area"])

    def number(name: str) -> float | None:
        if row.get(name) is None or _is_number(row[name]):
            return row.get(name)
        raise TypeError(name)

    return Finding(
        id=str(row["id"]),
        area=row["area"],
        title=Text(str(row["title"]), str(row.get("title_zh") or row["title"])),
        severity=row["severity"],
        metric=row.get("metric"),
        segment=row.get("segment"),
        since=day("since"),
        until=day("until"),
        status=row.get("status") or "open",
        audience=row.get("audience"),
        reproduce=row.get("reproduce"),
        value=number("value"),
        baseline=number("baseline"),
        target=number("target"),
        delta=number("delta"),
        n=row.get("n"),
        impact=number("impact"),
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


# --- did it help -------------------------------------------------------------------------------------------------------


class Outcome(NamedTuple):
    """Whether a prescription worked: in words, and the difference of the shares with its interval and p value."""

    text: Text
    verdict: Literal["worked", "harmed", "open", "too few"]
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None


def outcome(treated: int, treated_yes: int, compared: int, compared_yes: int, confidence: float = 0.95) -> Outcome:
    """Whether those who were acted on did what was wanted more often than those left alone to compare with.

    The z test of two proportions and Newcombe's interval of their difference. Nothing is said with fewer than
    :data:`FEWEST` users in a group, or :data:`FEWEST_EACH` expected to do it, or not to. It holds only where chance
    decided who is left alone (:func:`split`).
    """
    pooled = (treated_yes + compared_yes) / max(treated + compared, 1)
    if min(treated, compared) < FEWEST or min(treated, compared) * min(pooled, 1 - pooled) < FEWEST_EACH:
        text = Text(
            f"too few to say: {treated_yes:,} of {treated:,} who were acted on, "
            f"{compared_yes:,} of {compared:,} left alone",
            f"人数太少,无法判断:处理组 {treated:,} 人中 {treated_yes:,} 人,对照组 {compared:,} 人中 {compared_yes:,} 人",
        )
        return Outcome(text, "too few")
    numbers = treated_yes, treated, compared_yes, compared
    low, high = stats.difference_interval(*numbers, confidence)
    p = stats.two_proportions(*numbers).p
    share, other = treated_yes / treated, compared_yes / compared
    verdict: Literal["worked", "harmed", "open"] = (
        "open" if p >= 1 - confidence else "worked" if share > other else "harmed"
    )
    beginning = {
        "worked": Text("it worked", "有效"),
        "harmed": Text("it did harm", "适得其反"),
        "open": Text("no difference shown", "未见差异"),
    }[verdict]
    text = Text(
        f"{beginning.en}: {100 * share:.1f} % of {treated:,} who were acted on against {100 * other:.1f} % of "
        f"{compared:,} left alone, {_points(share - other)} points ({_points(low)} to {_points(high)})",
        f"{beginning.zh}:处理组 {treated:,} 人中 {100 * share:.1f}%,对照组 {compared:,} 人中 {100 * other:.1f}%,"
        f"相差 {_points(share - other)} 个百分点({_points(low)} 至 {_points(high)})",
    )
    return Outcome(text, verdict, share - other, low, high, p)


def _points(difference: float) -> str:
    return f"{100 * difference:+.1f}"


def split(user_id: pl.Expr, what: str, share: float = COMPARE) -> pl.Expr:
    """``act`` or ``compare`` for every user of an audience: a fixed ``share`` is left alone, drawn as if by lot.

    BLAKE2b of the id as UTF-8 text, keyed by ``what`` (the id of the finding), its first eight bytes as a number
    below ``share``: the same for an id in any file, of any dtype, on any machine, and another draw for every
    prescription. Null stays null. Ids are hashed one by one: a second a million.
    """
    key = hashlib.blake2b(what.encode(), digest_size=32).digest()
    limit = int(share * 2**64)

    def draw(id: str) -> str:
        lot = int.from_bytes(hashlib.blake2b(id.encode(), digest_size=8, key=key).digest())
        return "compare" if lot < limit else "act"

    def drawn(ids: pl.Series) -> pl.Series:
        return pl.Series(ids.name, [None if id is None else draw(id) for id in ids], dtype=pl.String)

    return user_id.cast(pl.String).map_batches(drawn, return_dtype=pl.String, is_elementwise=True)


# --- nights ------------------------------------------------------------------------------------------------------------


class Watched(NamedTuple):
    """A number of the summary that is watched night by night: what people call it, its area, how it reads."""

    label: Text
    area: findings.Area
    kind: Literal["share", "number", "money", "count", "days", "score"] = "number"


def nights(reports: Iterable[Report]) -> pl.DataFrame:
    """The numbers of kept reports: ``day, metric, value``, sorted; of two reports of one day the later one stands."""
    rows = {(one.as_of, metric): value for one in reports for metric, value in one.numbers.items()}
    table = [(day, metric, value) for (day, metric), value in rows.items()]
    schema = {"day": pl.Date, "metric": pl.String, "value": pl.Float64}
    return pl.DataFrame(table, schema=schema, orient="row").sort("day", "metric")


def odd_nights(
    table: pl.DataFrame, watched: Mapping[str, Watched], as_of: date
) -> tuple[tuple[Finding, ...], tuple[Evidence, ...]]:
    """What is odd about the night of ``as_of``, as findings, and about the nights before, as evidence.

    ``table``: that of :func:`nights`, tonight's report included. A night is held against the same weekday of the
    eight weeks before (:func:`userops.stats.anomalies`).
    """
    found: list[Finding] = []
    seen = [Evidence(Text("Nights kept", "留存的夜间报告"), table["day"].n_unique(), "count")]
    for metric, of in watched.items():
        series = table.filter((pl.col("metric") == metric) & (pl.col("day") <= as_of))
        for odd in stats.anomalies(series["day"], series["value"]):
            title = _odd(odd, of.label)
            if odd.day == as_of:
                found.append(
                    Finding(
                        id=f"{of.area}.{metric}.night",
                        area=of.area,
                        title=title,
                        severity="warn",
                        metric=f"{metric}.night",
                        since=odd.day,
                        until=odd.day,
                        value=odd.value,
                        baseline=odd.usual,
                        delta=odd.value - odd.usual,
                        kind=of.kind,
                        p_value=stats.normal_tails(odd.z),
                    )
                )
            elif (as_of - odd.day).days <= 28:
                seen.append(Evidence(title, odd.value, of.kind))
    return tuple(found), tuple(seen)


def _odd(odd: stats.Anomaly, label: Text) -> Text:
    """``revenue of 2026-11-30 is 41 % under the median of the same weekday``."""
    under = odd.value < odd.usual
    off = abs(odd.value - odd.usual)
    by = f"{100 * off / odd.usual:.0f} %" if odd.usual > 0 else f"{off:,.4g}"
    return Text(
        f"{label.en} of {odd.day} is {by} {'under' if under else 'over'} the median of the same weekday",
        f"{odd.day} 的{label.zh}比同一星期日的中位数{'低' if under else '高'} {by.replace(' %', '%')}",
    )
