"""Active users: how many a day, in the trailing week and month, how often they come, and at which hours.

Definitions (docs/methods.md has the sources):

* dau: distinct users of a day; wau: of the 7 days that end with it; mau: of the ``mau_days`` that end with it. The two
  are null before the data reach back a full window.
* stickiness: dau / mau of that day.

Exact without a join: a visit on day d, the next one on day n, counts in a trailing window of w days from d to
min(d + w, n) - 1, so that a running sum of comings and goings is the number of distinct users.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from statistics import fmean
from typing import Any

import polars as pl

from userops import frames, periods, stats, visits
from userops.errors import UsageError
from userops.pages import activity as page
from userops.periods import WeekStart
from userops.results import Provenance, Result

WEEK = 7
MEASURES = ("dau", "wau", "mau", "stickiness", "new_users")
RESERVED = frozenset({
    *MEASURES, "date", "day", "active_days", "reject", "user", "user_id", "users", "who", "period", "first", "previous", "next",
    "visit", "signed_up", "signed_up_at", "instant",
})  # fmt: skip
"""Names of columns of the result, and of those on the way to it: not to be broken down by."""

_HOURS_A_WEEK = 7 * 24
_THURSDAY = 4
"""Hour 0 of all began 1970-01-01, a Thursday."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What may be decided about active users; the defaults are what most people mean.

    ``mau_days``: the trailing window of ``mau`` and of the histogram. ``since`` and ``until`` (inclusive days) choose
    the days that are reported, never what is known of a user. ``by``: a column of the users table, else of the rows.
    ``histogram``: the rows are users by number of active days instead.
    """

    as_of: date | None = None
    since: date | None = None
    until: date | None = None
    tz: str = "UTC"
    week_start: WeekStart = "monday"
    mau_days: int = 28
    by: str | None = None
    histogram: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.mau_days <= 366:
            raise UsageError.bad_value("--mau-days", self.mau_days, "a whole number from 1 to 366")
        if self.by in RESERVED:
            raise UsageError.bad_value("--by", self.by, "a column that goes by none of the names of the result")
        periods.require_order(self.since, self.until)


def analyse(
    rows: frames.Table | pl.LazyFrame | pl.DataFrame,
    settings: Settings | None = None,
    *,
    users: pl.DataFrame | None = None,
    partitions: int | None = None,
    **changes: Any,
) -> Result:
    """Active users of ``rows``: one row per calendar day, with ``by`` per value of it and day.

    ``rows``: events (``user_id, event, time``) or orders (``user_id, ordered_at, amount``). ``users``: ``user_id``,
    ``signed_up_at`` and attributes; new then means signed up. ``changes`` are fields of :class:`Settings`.
    ``partitions`` bounds memory, never the numbers. Raises InputError when no row is usable.
    """
    settings = replace(settings or Settings(), **changes)
    table = visits.table_of(rows, settings.as_of)
    found = visits.visits(
        table,
        "day",
        settings.week_start,
        as_of=settings.as_of,
        by=settings.by,
        window=(settings.since, settings.until),
        users=users,
        partitions=partitions,
    )
    return Story(replace(settings, as_of=found.as_of), found, signed_up=users is not None).result()


def by_hour_of_week(found: visits.Visits, since: date | None, until: date | None) -> pl.DataFrame:
    """Acts in the window by hour of the week: ``hour_of_week`` (0 to 167, from Thursday midnight), ``acts``."""
    day, of_week = pl.col("hour") // 24, (pl.col("hour") % _HOURS_A_WEEK).cast(pl.UInt8)
    after = [day >= periods.epoch_day(since)] if since else []
    before = [day <= periods.epoch_day(until)] if until else []
    return found.acts_by_hour.filter(*after, *before).group_by(hour_of_week=of_week).agg(pl.col("acts").sum())


# --- finish ---------------------------------------------------------------------------------------------------------


def daily(found: visits.Visits, mau_days: int, by: str | None = None) -> pl.DataFrame:
    """Every day of history up to as-of: ``[by,] period, dau, wau, mau, stickiness, new_users``; silent days are zeros.

    ``wau`` and ``mau`` are null before a full window of history.
    """
    keys = [by] if by else []
    (first, last), day, n = found.span, pl.col("period"), pl.col("users")
    new = pl.when(pl.col("first") == day).then(n).sum()
    come = found.rows.lazy().group_by(*keys, "period").agg(dau=n.sum(), new_users=new)
    every = pl.select(period=pl.int_range(first, last + 1, dtype=pl.Int32))
    if by:
        every = found.rows.select(by).unique().join(every, how="cross")
    table = every.lazy()
    for change in (come, _goings(found, keys, wau=WEEK), _goings(found, keys, mau=mau_days)):
        table = table.join(change, on=[*keys, "period"], how="left", nulls_equal=True)
    running = [_running(pl.col("dau") - pl.col(name), keys).alias(name) for name in ("wau", "mau")]
    return (
        table.with_columns(pl.exclude(*keys, "period").fill_null(0))
        .sort(*keys, "period", nulls_last=True)
        .with_columns(running)
        .with_columns(
            wau=pl.when(day >= first + WEEK - 1).then("wau"),
            mau=pl.when(day >= first + mau_days - 1).then("mau"),
        )
        .with_columns(stickiness=stats.ratio(pl.col("dau"), pl.col("mau")))
        .select(*keys, "period", *MEASURES)
        .collect()
    )


def _goings(found: visits.Visits, keys: Sequence[str], **width: int) -> pl.LazyFrame:
    """How many visits stop to count on each day, ``[by,] period, <name>``: so many days on, or at the next visit."""
    ((name, days),) = width.items()
    until = pl.min_horizontal(pl.col("period") + days, "next").alias("period")
    return found.rows.lazy().group_by(*keys, until).agg(pl.col("users").sum().alias(name))


def _running(change: pl.Expr, keys: Sequence[str]) -> pl.Expr:
    return change.cum_sum().over(keys) if keys else change.cum_sum()


def histogram(found: visits.Visits, last: int, days: int, by: str | None = None) -> pl.DataFrame:
    """How many users were active on how many of the ``days`` that end with day ``last``: ``[by,] active_days, users``.

    One row per number from 1 to ``days``, those without users included.
    """
    keys = [by] if by else []
    inside = found.rows.lazy().filter(pl.col("period").is_between(last - days + 1, last))
    active = inside.group_by(*keys, "who").agg(active_days=pl.len().cast(pl.Int64), users=pl.col("users").first())
    counted = active.group_by(*keys, "active_days").agg(pl.col("users").sum())
    every = pl.select(active_days=pl.int_range(1, days + 1))
    if by:
        every = found.rows.select(by).unique().join(every, how="cross")
    table = every.lazy().join(counted, on=[*keys, "active_days"], how="left", nulls_equal=True)
    return table.with_columns(pl.col("users").fill_null(0)).sort(*keys, "active_days", nulls_last=True).collect()


def hours(counted: pl.DataFrame, of: str, week_start: WeekStart) -> pl.DataFrame:
    """Acts by day of the week (1 is Monday) and hour, in the order of the week: ``weekday, hour`` and ``of``, 168 rows."""
    at, from_sunday = pl.col("hour_of_week").cast(pl.Int64), week_start == "sunday"
    every = pl.select(hour_of_week=pl.int_range(_HOURS_A_WEEK, dtype=pl.UInt8))
    weekday = (at // 24 + _THURSDAY - 1) % 7 + 1
    return (
        every.join(counted, on="hour_of_week", how="left")
        .select(weekday=weekday, hour=at % 24, acts=pl.col("acts").fill_null(0))
        .sort(pl.col("weekday") % 7 if from_sunday else "weekday", "hour")
        .rename({"acts": of})
    )


@dataclass(frozen=True, slots=True)
class Story:
    """Everything a result is told from. ``signed_up``: whether a table of users said who is new."""

    settings: Settings
    found: visits.Visits
    signed_up: bool

    @property
    def acts(self) -> str:
        """What users do here: ``events`` or ``orders``."""
        return "events" if isinstance(self.found.books.table, frames.Events) else "orders"

    @property
    def last_day(self) -> date:
        """The day the histogram ends with: the last one reported."""
        settings = self.settings
        return min(self.found.as_of, settings.until or self.found.as_of)

    def result(self) -> Result:
        """All of it as one result."""
        settings, found = self.settings, self.found
        totals = self.reported(daily(found, settings.mau_days))
        rows = self.reported(daily(found, settings.mau_days, settings.by)) if settings.by else totals
        window = (found.number(self.last_day), settings.mau_days)
        often = histogram(found, *window)
        by_hour = by_hour_of_week(found, settings.since, settings.until)
        extras = {
            "histogram": histogram(found, *window, settings.by) if settings.by else often,
            "hours": hours(by_hour, self.acts, settings.week_start),
        }
        summary = self.summary(totals, often)
        warnings = [*found.books.doubts(found.as_of), *page.warnings(self, totals)]
        chosen = {f.name: getattr(settings, f.name) for f in fields(settings) if f.name not in ("tz", "week_start")}
        provenance = Provenance(
            as_of=found.as_of.isoformat(),
            tz=settings.tz,
            week_start=settings.week_start,
            inputs=found.books.reports(),
            settings={k: v.isoformat() if isinstance(v, date) else v for k, v in chosen.items()},
            definitions=page.definitions(self),
            warnings=tuple(warnings),
        )
        return Result(
            command="activity",
            rows=extras.pop("histogram") if settings.histogram else rows,
            summary=summary,
            provenance=provenance,
            extras=extras,
            views=page.views(self, totals, rows, often, extras["hours"], summary, warnings),
        )

    def reported(self, every: pl.DataFrame) -> pl.DataFrame:
        """The days of the reporting window, as dates."""
        first, last = self.found.reported(self.settings.since, self.settings.until)
        inside = every.filter(pl.col("period").is_between(first, last))
        keys = [self.settings.by] if self.settings.by in every.columns else []
        return inside.select(*keys, pl.col("period").cast(pl.Date).alias("date"), *MEASURES)

    def summary(self, totals: pl.DataFrame, often: pl.DataFrame) -> dict[str, Any]:
        """Everybody together; the last day reported; means over the days reported; flat."""
        last = totals.row(-1, named=True) if totals.height else dict.fromkeys(totals.columns)
        sticky = totals["stickiness"].drop_nulls().to_list()
        active = int(often["users"].sum())
        return {
            "users": self.found.all_users,
            **self.found.totals,
            "date": last["date"].isoformat() if last["date"] else None,
            **{name: last[name] for name in MEASURES},
            "mean_dau": fmean(totals["dau"]) if totals.height else None,
            "mean_stickiness": fmean(sticky) if sticky else None,
            "active_days_mean": int((often["active_days"] * often["users"]).sum()) / active if active else None,
        }
