"""AARRR: acquisition, activation, retention, revenue and referral of a window of days, beside the window before.

Reduce (:mod:`userops.stages.scan`): events to users and the days on which they were there; orders to what each was worth and
when. Finish: every metric (:mod:`userops.stages.metrics`) from these small tables, for everybody and for each value of a
column.

Definitions (docs/methods.md has the reasons):

* The *start* of a user is the sign-up, or the first event (without events: order) where it is not known. *Newcomers* of
  some days started on them. A metric that needs N days is of newcomers who started N days before as-of or earlier.
* Where no window is given it is the last 28 days, and metrics that need N days are of the 28 days that ended N days ago.
* What the data do not hold is a row with null and a reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from functools import cached_property
from typing import Any

import polars as pl

from userops import coded, frames, partition, periods, stats, visits
from userops.pages import aarrr as page
from userops.results import Provenance, Result, Text
from userops.stages.metrics import METRICS, NO_COSTS, WANTING, Measured, Metric, Need, Window
from userops.stages.scan import Found, Given, Settings, require_columns, scanned
from userops.texts import benchmarks

__all__ = ["METRICS", "Given", "Settings", "Story", "analyse", "figures"]

WINDOW = 28
"""Days that are reported unless told otherwise: whole weeks, so that both windows have the same weekdays."""

FIRST_WEEK, COME_BACK = 7, 28
"""Acts on the first 7 days of a newcomer are held against coming back on a later one of the first 28."""

COMPARED = ("new_users", "spend", "cac", "activation_rate", "d7", "d30", "paid_conversion", "arpu", "ltv_30")
"""Metrics that stand side by side where channels, or values of another column, are compared."""


def analyse(
    events: frames.Events | pl.LazyFrame | pl.DataFrame | None = None,
    orders: frames.Orders | pl.LazyFrame | pl.DataFrame | None = None,
    settings: Settings | None = None,
    *,
    users: pl.DataFrame | None = None,
    costs: frames.Costs | pl.LazyFrame | pl.DataFrame | None = None,
    referrals: frames.Referrals | pl.LazyFrame | pl.DataFrame | None = None,
    mind: Sequence[Text] = (),
    partitions: int | None = None,
    **changes: Any,
) -> Result:
    """The AARRR report: one row per metric, with ``by`` per value of it and metric.

    Frames with our column names: ``events`` (``user_id, event, time``), ``orders`` (``user_id, ordered_at, amount``), of
    which one is needed; ``users`` (``user_id``, ``signed_up_at`` and attributes), ``costs`` (``date, channel, spend``),
    ``referrals`` (``referrer_id, invited_at, user_id``). ``mind``: warnings from the reading of files. ``changes`` are
    fields of :class:`Settings`. ``partitions`` bounds memory, never the numbers. Raises UsageError without events and orders; InputError where these have no usable
    row, lack the activation event or the column ``by``, or where money is of several currencies.
    """
    settings = replace(settings or Settings(), **changes)
    as_of = settings.as_of
    given = Given(
        events if isinstance(events, frames.Events) or events is None else frames.events(events, as_of=as_of),
        orders if isinstance(orders, frames.Orders) or orders is None else frames.orders(orders, as_of=as_of),
        users,
        costs if isinstance(costs, frames.Costs) or costs is None else frames.costs(costs, as_of=as_of),
        referrals
        if isinstance(referrals, frames.Referrals) or referrals is None
        else frames.referrals(referrals, as_of=as_of),
    )
    require_columns(given, settings)
    columns = filter(None, ("channel", settings.by))
    found = scanned(given.joinable(), settings, columns, partitions=partitions)
    return Story(replace(settings, as_of=found.as_of), found, tuple(mind)).result()


def figures(
    given: Given,
    settings: Settings,
    only: Sequence[str],
    *,
    events: coded.Coded | None = None,
    partitions: int | None = None,
) -> pl.DataFrame:
    """The metrics ``only``, of everybody, and no more: the rows of the report with these names, as :func:`analyse` has them.

    ``events``: those of ``given``, if they are coded already, with ``time`` and ``instant``.
    """
    found = scanned(given.joinable(), settings, events=events, partitions=partitions)
    return Story(replace(settings, as_of=found.as_of), found).metrics(None, only)


_SCHEMA: dict[str, pl.DataType] = {
    "group": pl.String(), "stage": pl.String(), "metric": pl.String(), "kind": pl.String(), "value": pl.Float64(),
    "numerator": pl.Float64(), "denominator": pl.Float64(), "previous": pl.Float64(), "reason": pl.String(),
    "reason_zh": pl.String(), "since": pl.Date(), "until": pl.Date(),
}  # fmt: skip


@dataclass(frozen=True)
class Story:
    """Everything a result is told from. ``mind``: warnings from the reading of files."""

    settings: Settings
    found: Found
    mind: tuple[Text, ...] = ()

    @property
    def explicit(self) -> bool:
        """Whether the window was given; else every metric takes the latest one that can tell."""
        return self.settings.since is not None or self.settings.until is not None

    @cached_property
    def window(self) -> Window:
        """The days that are reported."""
        as_of = periods.epoch_day(self.found.as_of)
        last = min(periods.epoch_day(self.settings.until), as_of) if self.settings.until else as_of
        return Window(periods.epoch_day(self.settings.since) if self.settings.since else last - WINDOW + 1, last)

    def days(self, after: int, *, before: bool = False) -> Window:
        """The days of a metric that needs ``after`` days; ``before``: those of the window before."""
        first, last = self.window
        back = (last - first + 1 if before else 0) + (0 if self.explicit else after)
        known = periods.epoch_day(self.found.as_of) - after
        return Window(first - back, min(last - back, known))

    def newcomers_of(self, day: int) -> bool:
        """Whether some metric is of the newcomers of a day."""
        windows = (self.days(self.after(metric)) for metric in METRICS)
        return any(window.first <= day <= window.last for window in windows)

    def after(self, metric: Metric) -> int:
        """Days after which a metric can be told of a newcomer."""
        return self.settings.activation_days if metric.after is None else metric.after

    def result(self) -> Result:
        """All of it as one result."""
        whole = self.metrics(None)
        told = self.metrics(self.settings.by) if self.settings.by else whole
        extras = {
            "channels": self.channels(),
            "first_week_acts": self.first_week_acts(),
            "benchmarks": self.benchmarks(),
        }
        extras = {name: table for name, table in extras.items() if table.height}
        warnings = (*self.mind, *self.doubts(), *page.warnings(self))
        summary = self.summary(whole)
        provenance = Provenance(
            as_of=self.found.as_of.isoformat(),
            tz=self.settings.tz,
            week_start=self.settings.week_start,
            inputs=tuple(report for books in self.found.books.values() for report in books.reports()),
            settings=self.settings_in_force(),
            definitions=page.definitions(self),
            warnings=warnings,
        )
        by = [pl.col("group").alias(self.settings.by)] if self.settings.by else []
        rows = told.select(*by, pl.exclude("group", "kind", "reason_zh"))
        return Result("aarrr", rows, summary, provenance, extras, page.views(self, whole, told, extras, warnings))

    def settings_in_force(self) -> dict[str, Any]:
        """Every setting with the value that was used."""
        chosen = {f.name: getattr(self.settings, f.name) for f in fields(self.settings)}
        since, until = self.window.dates
        chosen |= {"since": since, "until": until, "activation_within": page.length(self.settings.activation_within)}
        del chosen["tz"], chosen["week_start"]
        return {name: value.isoformat() if isinstance(value, date) else value for name, value in chosen.items()}

    # --- the metrics ------------------------------------------------------------------------------------------------

    def metrics(self, by: str | None, only: Sequence[str] | None = None) -> pl.DataFrame:
        """One row per group and metric (of ``only``): the columns of the result, ``group``, ``kind`` and ``reason_zh``."""
        measured = Measured(self.settings, self.found, by)
        wanted = [metric for metric in METRICS if only is None or metric.name in only]
        parts = [self._metric(measured, metric).with_columns(place=place) for place, metric in enumerate(wanted)]
        order = measured.groups.with_row_index("rank")
        rows = pl.concat(parts).join(order, on="group", how="left", nulls_equal=True).sort("rank", "place")
        low, high = stats.wilson(pl.col("numerator"), pl.col("denominator"), self.settings.confidence)
        share = (pl.col("kind") == "share") & pl.col("value").is_not_null()
        return rows.select(
            "group", "stage", "metric", "kind", "value", "numerator", "denominator",
            ci_low=pl.when(share).then(low), ci_high=pl.when(share).then(high),
            previous="previous", reason="reason", reason_zh="reason_zh", since="since", until="until",
        )  # fmt: skip

    def _metric(self, measured: Measured, metric: Metric) -> pl.DataFrame:
        """One metric of all groups: its value in the window and in the one before, and why there is none."""
        after = self.after(metric)
        days, before = self.days(after), self.days(after, before=True)
        wanting = self._wanting(measured, metric, days)
        nothing = pl.lit(None, pl.Float64)
        if wanting is not None:
            found = measured.groups.with_columns(
                value=nothing, numerator=nothing, denominator=nothing, previous=nothing
            )
        else:
            found = metric.measure(measured, days)
            known = before.first >= self.found.first_day(*metric.needs) and before.first <= before.last
            if known and self._wanting(measured, metric, before) is None:
                then = metric.measure(measured, before).select("group", previous="value")
                found = found.join(then, on="group", how="left", nulls_equal=True)
            else:
                found = found.with_columns(previous=nothing)
        said = wanting or metric.empty
        empty = pl.col("value").is_null()
        since, until = days.dates
        return found.select(
            "group",
            stage=pl.lit(metric.stage),
            metric=pl.lit(metric.name),
            kind=pl.lit(metric.kind),
            value=pl.col("value"),
            numerator=pl.col("numerator"),
            denominator=pl.col("denominator"),
            previous=pl.col("previous"),
            reason=pl.when(empty).then(pl.lit(said.en)),
            reason_zh=pl.when(empty).then(pl.lit(said.zh)),
            since=pl.lit(since),
            until=pl.lit(until),
        ).cast(_SCHEMA)  # type: ignore[arg-type] # of column names to types

    def _wanting(self, measured: Measured, metric: Metric, days: Window) -> Text | None:
        """Why a metric cannot be told of any group; None: it can."""
        for need in metric.needs:
            if not self.has(need):
                return WANTING[need]
        if days.last < days.first:
            n = self.after(metric)
            return Text(f"nobody of the window is {n} days old yet", f"窗口内的用户均未满 {n} 天")
        if "costs" in metric.needs:
            if measured.by not in (None, "channel"):
                return Text(f"costs are told by channel, not by {measured.by}", f"费用只按渠道记录,不按 {measured.by}")
            if not measured.found.costs["day"].is_between(days.first, days.last).any():
                return NO_COSTS
        return None

    def has(self, need: Need) -> bool:
        """Whether the data hold what a metric needs."""
        given = self.found.given
        if need == "activation":
            return self.settings.activation_event is not None
        if need == "amount":
            return given.orders is not None and given.orders.has_amount
        if need == "joined":
            return given.events is not None or self.found.signed_up
        return getattr(given, need) is not None

    def summary(self, whole: pl.DataFrame) -> dict[str, Any]:
        """Everything together; flat: the totals of the files, the window, and every metric."""
        found = self.found
        totals: dict[str, Any] = {}
        for name in ("events", "orders"):
            if name in found.books:
                acts = found.orders.select(acts=pl.col("is_order").sum())
                totals |= visits.totals(found.books[name], acts)
        since, until = self.window.dates
        days = {"since": since.isoformat(), "until": until.isoformat()}
        return {"users": found.people.height, **totals, **days, **dict(whole.select("metric", "value").iter_rows())}

    # --- further tables ---------------------------------------------------------------------------------------------

    def channels(self) -> pl.DataFrame:
        """:meth:`compared` by first-touch channel, under ``channel``; empty where nothing tells channels."""
        if not self.found.given.tells("channel"):
            return pl.DataFrame()
        return self.compared(self.metrics("channel", COMPARED)).rename({"group": "channel"})

    def compared(self, told: pl.DataFrame) -> pl.DataFrame:
        """One row per group, the one with most newcomers first, with the metrics groups are compared by as columns."""
        values = (pl.col("value").filter(pl.col("metric") == name).first().alias(name) for name in COMPARED)
        wide = told.group_by("group").agg(values).with_columns(pl.col("new_users").cast(pl.Int64))
        return wide.sort("new_users", "group", descending=[True, False], nulls_last=True)

    def first_week_acts(self) -> pl.DataFrame:
        """One row per event: newcomers who did it in their first week, how many came back later, and of the others.

        ``correlation`` is the phi coefficient of doing and coming back: no cause. The highest first; empty without events
        and where no newcomer is old enough.
        """
        if self.found.events is None:
            return pl.DataFrame()
        window, events = self.days(COME_BACK), self.found.events
        people = self.found.people.filter(window.holds(pl.col("day"))).select("user", started="day")
        age = pl.col("day") - pl.col("started")

        def first_week(rows: pl.LazyFrame) -> pl.LazyFrame:
            near = rows.select("event", user="user_id", day=coded.DAY).filter(
                pl.col("day").is_between(window.first, window.last + FIRST_WEEK - 1)
            )
            acts = near.join(people.lazy(), on="user").filter(age.is_between(0, FIRST_WEEK - 1))
            return acts.select("user", "event").unique().with_columns(pl.col("event").cast(pl.String))

        reduces, what = {"acts": partition.Reduce(first_week)}, self.found.main.table.name
        early = partition.run(events.rows, reduces, what=what, partitions=events.partitions)["acts"]
        later = self.found.visits.join(people, on="user").filter(age.is_between(FIRST_WEEK, COME_BACK - 1))
        back = later.select("user").unique().with_columns(back=pl.lit(1, pl.Int64))
        did = early.join(back, on="user", how="left").group_by("event").agg(
            users=pl.len().cast(pl.Int64), returned=pl.col("back").fill_null(0).sum()
        )  # fmt: skip
        others, others_back = people.height - pl.col("users"), back.height - pl.col("returned")
        counted = did.with_columns(others=others, others_returned=others_back)
        a, c, n, m = (pl.col(name).cast(pl.Float64) for name in ("returned", "others_returned", "users", "others"))
        spread = (n * m * (a + c) * (n + m - a - c)).sqrt()
        low, high = stats.wilson(pl.col("returned"), pl.col("users"), self.settings.confidence)
        return counted.select(
            "event", "users", "returned",
            retention=stats.ratio(pl.col("returned"), pl.col("users")), ci_low=low, ci_high=high,
            others="others", others_retention=stats.ratio(pl.col("others_returned"), pl.col("others")),
            correlation=stats.ratio(a * m - c * n, spread),
        ).sort("correlation", "event", descending=[True, False], nulls_last=True)  # fmt: skip

    def benchmarks(self) -> pl.DataFrame:
        """What others report for the line of business that was named; empty where none is, or nobody reports."""
        rows = [
            (b.metric, b.vertical, b.low, b.high, b.meaning.en, b.meaning.zh, b.source, b.seen)
            for b in benchmarks.of(self.settings.vertical)
        ]
        names = ("metric", "vertical", "low", "high", "meaning", "meaning_zh", "source", "date")
        schema = {name: pl.Float64 if name in ("low", "high") else pl.String for name in names}
        return pl.DataFrame(rows, schema=schema, orient="row")

    def doubts(self) -> Sequence[Text]:
        """Warnings about the rows themselves."""
        said: list[Text | None] = []
        for name, books in self.found.books.items():
            if name in ("events", "orders"):
                said += books.doubts(self.found.as_of if books is self.found.main else None)
            else:
                said.append(books.twice_warning())
        return [warning for warning in said if warning is not None]
