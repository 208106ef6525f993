"""What a check-up finds: one finding per illness, with its evidence, its causes, what to do, and how to see whether it helped.

A finding is data. Areas of a check-up (:mod:`userops.diagnose` and what it is made of) give findings; :func:`ranked` puts
them in order; every view and every later run only reads them. Words come in both languages, keys are English.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, NamedTuple

import polars as pl

from userops.results import ChartBlock, Text

Area = Literal["data", "portrait", "demand", "goals", "behaviour", "content"]
"""The parts of a check-up; ``data``: whether the files can be believed at all."""

Severity = Literal["error", "warn", "info"]
"""``error``: it goes on and costs; ``warn``: wants somebody's eye; ``info``: worth knowing, nobody need act."""

Status = Literal["error", "warn", "info", "ok", "skipped"]
"""How an area is: that of its worst finding, ``ok`` without one, ``skipped`` where no file tells."""

AREAS: dict[Area, Text] = {
    "data": Text("Data", "数据真实性"),
    "portrait": Text("Portrait", "用户画像"),
    "demand": Text("Demand", "用户需求"),
    "goals": Text("Business goals", "业务目标"),
    "behaviour": Text("Behaviour", "用户行为"),
    "content": Text("Content", "内容"),
}

STRONG = 0.2
"""A change, of what was expected, from which on what goes on is an error."""

ORDER: tuple[Severity, ...] = ("error", "warn", "info")

Progress = Literal["open", "new", "worse", "same", "better", "resolved"]
"""Beside an earlier report; ``open`` where there is none."""


class Cause(NamedTuple):
    """Something that accounts for a part of a change. ``share``: of the change, None where it cannot be told.

    ``how``: ``rate`` (it went otherwise there), ``mix`` (more or less of it), ``factor`` (one factor of a product),
    ``calendar`` (a day that is known), ``coincides`` (at the same time, nothing more).
    """

    text: Text
    how: Literal["rate", "mix", "factor", "calendar", "coincides"]
    segment: str | None = None
    share: float | None = None
    effect: float | None = None


class Evidence(NamedTuple):
    """One line of what an area saw: a label, a value (number, text or None), how it reads (:data:`results.Kind`).

    ``margin``: how far the truth may lie to either side, where that is known.
    """

    label: Text
    value: Any
    kind: Literal["text", "date", "count", "number", "money", "share", "days", "score"] = "number"
    note: Text | None = None
    margin: float | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One illness, or one thing worth knowing.

    ``id``: stable from night to night: area, metric, segment, and the month it began where it is over
    (``behaviour.checkout_conversion.platform=android``). ``segment``: ``column=value``, two joined by `` & ``; None:
    everybody. ``since, until``: the days of it, None where it has none. ``value`` is the metric on those days,
    ``baseline`` what it was before, ``delta`` the difference, ``target`` the goal. ``n``: how many were counted in
    ``value``. ``p_value`` is of its own test, corrected for the windows that were looked at; ``q_value`` after
    Benjamini-Hochberg over everything that was tested. ``impact``: money at stake in the currency of the orders, negative
    is lost; None where it cannot be told. ``also``: other metrics that moved for the same reason. ``actions``: what to
    do; ``audience``: the command that writes whom to act on; ``proof``: what would show that it worked, by when;
    ``prevention``: so that it does not happen again; ``reproduce``: the command that gives the numbers again.
    ``confidence``: high, medium or low, weakened by the grade of the data.
    """

    id: str
    area: Area
    title: Text
    severity: Severity
    metric: str | None = None
    segment: str | None = None
    since: date | None = None
    until: date | None = None
    value: float | None = None
    baseline: float | None = None
    target: float | None = None
    delta: float | None = None
    n: int | None = None
    p_value: float | None = None
    q_value: float | None = None
    impact: float | None = None
    kind: Literal["share", "number", "money", "count", "days", "score"] = "number"
    causes: tuple[Cause, ...] = ()
    also: tuple[Text, ...] = ()
    actions: tuple[Text, ...] = ()
    prevention: tuple[Text, ...] = ()
    proof: Text | None = None
    audience: str | None = None
    reproduce: str | None = None
    confidence: Literal["high", "medium", "low"] = "high"
    status: Progress = "open"
    chart: ChartBlock | None = field(default=None, compare=False)

    @property
    def weight(self) -> tuple[int, float, float, str]:
        """What findings are ranked by: severity, then money at stake, then how sure it is, then the id."""
        p = self.p_value if self.p_value is not None else 1.0
        return ORDER.index(self.severity), -abs(self.impact or 0.0), p, self.id


@dataclass(frozen=True, slots=True)
class Looked:
    """What one area of a check-up gives: its findings, its evidence, and what was left out and why.

    ``skipped``: nothing could be looked at; ``left_out`` then says what file or column it would take. ``tested``: how
    many comparisons were made to find the findings that have a ``p_value``.
    """

    area: Area
    findings: tuple[Finding, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    left_out: tuple[Text, ...] = ()
    views: tuple[Any, ...] = ()
    skipped: bool = False
    tested: int = 0

    @property
    def status(self) -> Status:
        """That of the worst finding."""
        if self.skipped:
            return "skipped"
        return min((finding.severity for finding in self.findings), key=ORDER.index, default="ok")


def ranked(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings, the worst first; the same order for the same findings."""
    return tuple(sorted(findings, key=lambda finding: finding.weight))


SCHEMA: dict[str, Any] = {
    "id": pl.String, "area": pl.String, "title": pl.String, "title_zh": pl.String, "status": pl.String,
    "severity": pl.String, "metric": pl.String, "segment": pl.String, "since": pl.Date, "until": pl.Date,
    "value": pl.Float64, "baseline": pl.Float64, "target": pl.Float64, "delta": pl.Float64, "n": pl.Int64,
    "p_value": pl.Float64, "q_value": pl.Float64, "impact": pl.Float64, "causes": pl.List(pl.String),
    "also": pl.List(pl.String), "actions": pl.List(pl.String), "prevention": pl.List(pl.String), "proof": pl.String,
    "audience": pl.String, "reproduce": pl.String, "confidence": pl.String,
}  # fmt: skip
"""Columns of the table of findings."""


def table(findings: Iterable[Finding]) -> pl.DataFrame:
    """One row per finding, in the order given: the columns of :data:`SCHEMA`; texts in English, ``title_zh`` beside."""
    rows = []
    for finding in findings:
        row: dict[str, Any] = {}
        for name in SCHEMA:
            value = getattr(finding, "title" if name == "title_zh" else name)
            if name == "causes":
                value = [cause.text.en for cause in finding.causes]
            elif isinstance(value, Text):
                value = value.zh if name == "title_zh" else value.en
            elif isinstance(value, tuple):
                value = [text.en for text in value]
            row[name] = value
        rows.append(row)
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")
