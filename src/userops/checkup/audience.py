"""Whom a finding is about: the users to act on, a part of them left alone to compare with, and whether acting helped.

The audience of a step are those who stopped before it on the days of the finding; of newcomers, those who did not come back
or were not activated; of a segment's orders, its buyers who stopped; of the best customers, those who are silent; of
invitations, those who invited before. Every user is drawn into ``act`` or ``compare`` by :func:`userops.checkup.follow.split`,
so that a later check-up draws the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import polars as pl

from userops import frames, partition, periods, tables
from userops.checkup import complaints, follow, rhythm
from userops.checkup.findings import Evidence, Finding
from userops.checkup.measures import Measured
from userops.errors import UsageError
from userops.results import Column, FactsBlock, Provenance, Result, TableBlock, Text

BEFORE = 90
"""Days before a finding in which somebody must have bought, invited or been there to be missed."""

AFTER = 14
"""Days after a report in which a prescription is to have worked."""

TIMES = {"events": "time", "orders": "ordered_at", "referrals": "invited_at", "feedback": "time"}
"""The column of each file that says when."""

SCHEMA = {"user_id": pl.String, "group": pl.String, "finding": pl.String}


def known(finding: Finding, measured: Measured) -> bool:
    """Whether it can be said whom a finding is about."""
    return _reduce(finding, measured) is not None


def of(finding: Finding, measured: Measured) -> pl.DataFrame:
    """The users a finding is about: ``user_id`` (text), ``group`` (act, compare), ``finding``; sorted by id.

    UsageError where a finding is about nobody in particular.
    """
    asked = _reduce(finding, measured)
    if asked is None:
        raise UsageError.no_audience(finding.id)
    source, reduce = asked
    table = getattr(measured.given, source)
    so_far = tables.day(pl.col(TIMES[source]).to_physical()) <= measured.today
    found = partition.run(
        table.rows.filter(so_far), {"users": reduce}, what=table.name, partitions=partition.count_for(table.size)
    )["users"]
    ids = found.select(pl.col("user_id").cast(pl.String)).drop_nulls().unique().sort("user_id")
    return ids.select("user_id", group=follow.split(pl.col("user_id"), finding.id), finding=pl.lit(finding.id))


def result(finding: Finding, measured: Measured) -> Result:
    """The audience as a result: one row per user."""
    rows = of(finding, measured)
    sizes = {name: int((rows["group"] == name).sum()) for name in ("act", "compare")}
    provenance = Provenance(
        as_of=measured.as_of.isoformat(),
        tz=measured.settings.tz,
        week_start=measured.settings.week_start,
        inputs=tuple(report for books in measured.books.values() for report in books.reports()),
        settings={"audience": finding.id},
        definitions=(
            Text(
                f"group: {follow.COMPARE:.0%} are left alone to compare with, drawn by a hash of the id and the finding",
                f"group:{follow.COMPARE:.0%} 留作对照(由用户 id 与问题 id 的哈希抽取)",
            ),
            finding.title,
        ),
    )
    facts = FactsBlock(
        (
            (Text("to act on", "触达"), sizes["act"], "count"),
            (Text("to compare with", "对照"), sizes["compare"], "count"),
        )
    )
    columns = (Column("user_id", Text("User", "用户")), Column("group", Text("Group", "分组")))
    views = (facts, TableBlock(finding.title, columns, rows))
    return Result("diagnose", rows, {"users": rows.height, **sizes}, provenance, views=views)


def _reduce(finding: Finding, measured: Measured) -> tuple[str, partition.Reduce] | None:
    """The file that tells whom a finding is about, and the reduce that finds them; None where none does."""
    if finding.since is None or finding.metric is None:
        return None
    first = periods.epoch_day(finding.since)
    last = periods.epoch_day(finding.until) if finding.until else measured.today
    column, _, value = (finding.segment or "").partition("=")
    given = measured.given

    def rows_of(table: frames.Table) -> list[str]:
        return table.rows.collect_schema().names()

    metric = finding.metric
    if finding.area == "demand" and given.feedback is not None:
        voices = complaints.voices(finding)
        return ("feedback", voices) if voices is not None else None
    if metric.endswith("_per_customer") and given.orders is not None:
        return "orders", _silent(value, last - first + 1, measured)
    if given.events is not None and (metric == "checkout_conversion" or metric.startswith("conversion_")):
        steps = list(pairwise(measured.steps))
        named = {f"conversion_{a}_{b}": (a, b) for a, b in steps} | (
            {"checkout_conversion": steps[-1]} if steps else {}
        )
        if metric in named and (not column or column in rows_of(given.events)):
            return "events", _stopped(*named[metric], first, last, column, value)
    newcomers = ("activation_rate", "d1_retention", "d7_retention", "d30_retention", "cac")
    if given.events is not None and metric in newcomers and (not column or column in rows_of(given.events)):
        return "events", _newcomers(measured, first, last, column, value)
    if metric == "invites_per_user" and given.referrals is not None:
        return "referrals", _inviters(first)
    if metric == "orders_share" and given.orders is not None and column in rows_of(given.orders):
        return "orders", _missed(given.orders, first, last, column, value)
    return None


def _is(column: str, value: str) -> pl.Expr:
    return pl.col(column).cast(pl.String) == value if column else pl.lit(value=True)


def _stopped(step: str, following: str, first: int, last: int, column: str, value: str) -> partition.Reduce:
    """Who reached a step on some days, in a segment, and not the next one in these days."""

    def of(rows: pl.LazyFrame) -> pl.LazyFrame:
        day = tables.day(pl.col("time").to_physical())
        inside = frames.good(rows).filter(day.is_between(first, last), pl.col("event").is_in([step, following]))
        did = inside.group_by("user_id").agg(
            came=((pl.col("event") == step) & _is(column, value)).any(), went=(pl.col("event") == following).any()
        )
        return did.filter("came", ~pl.col("went")).select("user_id")

    return partition.Reduce(of)


def _newcomers(measured: Measured, first: int, last: int, column: str, value: str) -> partition.Reduce:
    """Newcomers of some days, in a segment, who have not bought, or else not come back on a later day."""
    buying = measured.activation or measured.buying

    def of(rows: pl.LazyFrame) -> pl.LazyFrame:
        day = tables.day(pl.col("time").to_physical())
        good = frames.good(rows).with_columns(day=day)
        at_first = pl.col("instant") == pl.col("instant").min()
        lost = ~(pl.col("event") == buying).any() if buying else pl.col("day").max() == pl.col("day").min()
        people = good.group_by("user_id").agg(
            start=pl.col("day").min(), mine=_is(column, value).filter(at_first).any(), lost=lost
        )
        return people.filter(pl.col("start").is_between(first, last), "mine", "lost").select("user_id")

    return partition.Reduce(of)


def _inviters(first: int) -> partition.Reduce:
    """Who invited somebody in the days before, and nobody since."""

    def of(rows: pl.LazyFrame) -> pl.LazyFrame:
        day = tables.day(pl.col("invited_at").to_physical())
        sent = frames.good(rows).select(user_id=pl.col("referrer_id"), day=day).filter(pl.col("day") >= first - BEFORE)
        people = sent.group_by("user_id").agg(last=pl.col("day").max())
        return people.filter(pl.col("last") < first, pl.col("user_id").is_not_null()).select("user_id")

    return partition.Reduce(of)


def _missed(table: frames.Orders, first: int, last: int, column: str, value: str) -> partition.Reduce:
    """Who ordered of a segment in the days before, and nothing of it in these days."""

    def of(rows: pl.LazyFrame) -> pl.LazyFrame:
        day = tables.day(pl.col("ordered_at").to_physical())
        mine = frames.good(rows).filter(_is(column, value)).with_columns(day=day)
        near = mine.filter(day.is_between(first - BEFORE, last))
        people = near.group_by("user_id").agg(before=(pl.col("day") < first).any(), now=(pl.col("day") >= first).any())
        return people.filter("before", ~pl.col("now")).select("user_id")

    return partition.Reduce(of)


def _silent(tier: str, days: int, measured: Measured) -> partition.Reduce:
    """Customers of a tier who ordered nothing in the last days."""
    assert measured.spent is not None  # the tier was found there
    begin = measured.today + 1 - days
    mine = rhythm.tiers(measured.spent, begin).filter(pl.col("tier") == tier)
    bought = measured.spent.filter(pl.col("day") >= begin, pl.col("orders") > 0)
    users = mine.join(bought, on="user", how="anti").select("user").lazy()

    def of(rows: pl.LazyFrame) -> pl.LazyFrame:
        ids = frames.good(rows).select("user_id", user=pl.col("user_id").hash(tables.USER_SEED)).unique()
        return ids.join(users, on="user", how="semi").select("user_id")

    return partition.Reduce(of)


# --- did it help ----------------------------------------------------------------------------------------------------


def outcomes(measured: Measured, last: follow.Report) -> list[Evidence]:
    """Of every prescription of an earlier report: whether it is said to be carried out, and whether it worked.

    Its audience is drawn again from the rows up to that report; those who ordered in the :data:`AFTER` days after it
    are compared by group.
    """
    found = []
    carried = measured.business.carried_out
    until = periods.epoch_day(last.as_of)
    for finding in last.findings:
        label = Text(f"prescription of {finding.id}", f"处方 {finding.id}")
        if finding.audience is None or finding.status == "resolved":
            continue
        if finding.id not in carried:
            said = Text(
                "not said to be carried out ([carried_out] in userops.toml)",
                "未标记已执行(userops.toml 的 [carried_out])",
            )
            found.append(Evidence(label, None, "text", said))
            continue
        begin = max(until, periods.epoch_day(carried[finding.id]) - 1)
        if measured.spent is None or measured.today < begin + AFTER:
            ready = periods.first_day(begin, "day") + timedelta(days=AFTER)
            found.append(
                Evidence(label, None, "text", Text(f"carried out; to be judged on {ready}", f"已执行,{ready} 可评估"))
            )
            continue
        found.append(Evidence(label, None, "text", _judged(finding, measured, until, begin)))
    return found


def _judged(finding: Finding, measured: Measured, until: int, begin: int) -> Text:
    """Whether those who were acted on bought more often than those left alone."""
    assert measured.spent is not None  # asked for only then
    if not known(finding, measured):
        return Text("its audience cannot be told from these files", "现有文件无法还原其人群")
    then = replace(measured, today=until, spent=measured.spent.filter(pl.col("day") <= until))
    people = of(finding, then)  # as it was written then: who has bought since is still of it
    user = pl.col("user_id").cast(measured.given.main.rows.collect_schema()["user_id"], strict=False)
    after = measured.spent.filter(pl.col("day").is_between(begin + 1, begin + AFTER), pl.col("orders") > 0)
    groups = people.select("group", user=user.hash(tables.USER_SEED)).join(
        after.select("user", bought=pl.lit(value=True)).unique("user"), on="user", how="left"
    )
    counts = {
        name: (part.height, int(part["bought"].sum()))
        for name, part in ((name, groups.filter(pl.col("group") == name)) for name in ("act", "compare"))
    }
    return follow.outcome(*counts["act"], *counts["compare"]).text


def find(findings: Sequence[Finding], wanted: str) -> Finding:
    """The finding of an id; UsageError with the closest one where there is none."""
    by_id = {finding.id: finding for finding in findings}
    if wanted not in by_id:
        raise UsageError.unknown_name("finding", wanted, list(by_id), "this check-up")
    return by_id[wanted]
