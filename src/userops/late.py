"""Late rows: how much an earlier report would change, because rows arrive after the period they belong to.

Reduce: counts by period, arrival and lag; users by period, and those known by its end. Finish: one row per period.

Definitions: a row is late when it arrived after the last day of its period. *Then* is what a report saw that was run
with all that had arrived by the end of that day; *now* is what all rows show. Lag: from when it happened to when it
arrived, in whole minutes; a row that seems to have arrived before it happened has none, and one that does not say when
it arrived is taken to have come at once.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import polars as pl

from userops import account, frames, partition, periods, stats, tables, visits
from userops.errors import InputError
from userops.pages import late as page
from userops.periods import Grain, WeekStart
from userops.results import Provenance, Result

_MICROSECONDS_A_MINUTE = 60_000_000

SETTLED = 99
"""A report has settled when so many per cent of its rows are there."""


def default_grain(table: frames.Table) -> Grain:
    """The periods a table is reported by where nobody says: months for orders, days for events."""
    return "month" if isinstance(table, frames.Orders) else "day"


def analyse(
    rows: frames.Table | pl.LazyFrame | pl.DataFrame,
    grain: Grain,
    week_start: WeekStart = "monday",
    *,
    as_of: date | None = None,
    window: tuple[date | None, date | None] = (None, None),
    tz: str = "UTC",
    command: str = "growth",
    partitions: int | None = None,
) -> Result:
    """How late rows are, and what a report at the end of each period would have missed.

    ``rows``: events or orders with ``ingested_at``. ``window``: the periods reported, those of both days included. ``command``: the command whose rows these are, for
    the name of the schema. Order lines are looked at one by one. Raises InputError where rows do not say when they
    arrived, and where no row counts.
    """
    table = visits.table_of(rows, as_of)
    if not table.has_ingested_at:
        raise InputError.arrival_unknown(table.name, table.raw.drop("reject").collect_schema().names(), "--late-rows")
    acts = tables.acts(replace(table, grain="order") if isinstance(table, frames.Orders) else table, table.rows)
    reduces = {
        "lags": _lags(acts, grain, week_start),
        "users": _users(acts, grain, week_start),
        "everybody": _everybody(acts),
        "account": account.reduce(table),
    }
    small = partition.run(
        table.rows, reduces, what=table.name, partitions=partitions or partition.count_for(table.size)
    )
    books = account.Account(small["account"], table)
    books.require_rows()
    as_of = as_of or account.latest_day(books)
    lags = small["lags"].with_columns(days_after=_days_after(grain, week_start))
    reported = _reported(books, as_of, window, grain, week_start)
    found = _rows(lags, small["users"], reported, grain, week_start)
    last_complete = periods.last_complete(as_of, grain, week_start)
    found = found.with_columns(complete=pl.col("period") <= last_complete)
    over = lags.filter(pl.col("period") <= last_complete)
    n, late = int(lags["n"].sum()), int(lags.filter(pl.col("days_after") > 0)["n"].sum())
    through = lags["through"].max()
    summary = {
        "users": int(small["everybody"]["users"].sum()),
        "rows": n,
        "late_rows": late,
        "late_share": late / n,
        "data_through": through.isoformat() if through is not None else None,  # type: ignore[union-attr] # a datetime
        **{f"{name}_lag_hours": _hours(lags, percent) for name, percent in (("median", 50), ("p90", 90), ("p99", 99))},
        "settled_after_days": _order_statistic(over, "days_after", SETTLED),
        "changed_periods": found.filter(pl.col("users_change") != 0).height,
        "negative_lags": int(lags["negative"].sum()),
        "unknown_arrivals": int(lags["unknown"].sum()),
    }
    found = found.drop("period")
    provenance = Provenance(
        as_of=as_of.isoformat(),
        tz=tz,
        week_start=week_start,
        inputs=books.reports(),
        settings={"late_rows": True, "period": grain},
        definitions=page.definitions(grain),
        warnings=page.warnings(summary),
    )
    return Result(command, found, summary, provenance, views=page.views(found, summary, provenance))


# --- reduce ---------------------------------------------------------------------------------------------------------


def _clocks(acts: tables.Acts) -> tuple[pl.Expr, pl.Expr]:
    """When a row happened and when it arrived, at once where nobody knows: microseconds of the wall clock."""
    at = pl.col(acts.time).to_physical()
    return at, pl.coalesce(pl.col("ingested_at").to_physical(), at)


def _late_day(acts: tables.Acts, grain: Grain, week_start: WeekStart) -> pl.Expr:
    """The day a row arrived, where that is after its period; null where it came in time."""
    _, arrived = _clocks(acts)
    day = tables.day(arrived)
    return pl.when(periods.index(day, grain, week_start) > periods.index(acts.day, grain, week_start)).then(day)


def _lags(acts: tables.Acts, grain: Grain, week_start: WeekStart) -> partition.Reduce:
    """Counts by ``period``, ``late_day`` and ``lag`` (minutes): ``n, negative, unknown``; ``through``: the last arrival."""
    at, arrived = _clocks(acts)

    def reduce(rows: pl.LazyFrame) -> pl.LazyFrame:
        return (
            rows.filter(acts.valid)
            .group_by(
                period=periods.index(acts.day, grain, week_start),
                late_day=_late_day(acts, grain, week_start),
                lag=((arrived - at).clip(0) // _MICROSECONDS_A_MINUTE),
            )
            .agg(
                n=pl.len().cast(pl.Int64),
                negative=(arrived < at).sum().cast(pl.Int64),
                unknown=pl.col("ingested_at").is_null().sum().cast(pl.Int64),
                through=pl.col("ingested_at").max(),
            )
        )

    return partition.Reduce(reduce, keys=("period", "late_day", "lag"), latest=("through",))


def _users(acts: tables.Acts, grain: Grain, week_start: WeekStart) -> partition.Reduce:
    """Users by period: ``users_now``, and ``users_then``, of whom an act had arrived by its end."""
    period = periods.index(acts.day, grain, week_start)

    def reduce(rows: pl.LazyFrame) -> pl.LazyFrame:
        in_time = _late_day(acts, grain, week_start).is_null()
        visits = rows.select(visit=pl.when(acts.counts).then(tables.visit(pl.col("user_id"), period)), in_time=in_time)
        known = visits.group_by("visit").agg(pl.col("in_time").any()).filter(pl.col("visit").is_not_null())
        counted = pl.len().cast(pl.Int64)
        return known.group_by(period=tables.visited()).agg(
            users_then=pl.col("in_time").sum().cast(pl.Int64), users_now=counted
        )

    return partition.Reduce(reduce, keys=("period",))


def _everybody(acts: tables.Acts) -> partition.Reduce:
    """How many users acted at all: ``what, users``."""
    who = pl.when(acts.counts).then(pl.col("user_id").hash(tables.USER_SEED)).drop_nulls()

    def reduce(rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.select(what=pl.lit(0), users=who.n_unique().cast(pl.Int64))

    return partition.Reduce(reduce, keys=("what",))


# --- finish ---------------------------------------------------------------------------------------------------------


def _days_after(grain: Grain, week_start: WeekStart) -> pl.Expr:
    """Days from the last day of the period to the arrival; 0 for what came in time."""
    next_begins = periods.first_days(pl.col("period") + 1, grain, week_start).cast(pl.Int32)
    return (pl.col("late_day") - next_begins + 1).fill_null(0).cast(pl.Int64)


def _reported(
    books: account.Account, as_of: date, window: tuple[date | None, date | None], grain: Grain, week_start: WeekStart
) -> pl.DataFrame:
    """The periods of the report, silent ones included: ``period``."""
    first = books.first_time
    assert first is not None  # rows that count have a time
    since, until = window
    lo = periods.index_of(max(first.date(), since or date.min), grain, week_start)
    hi = periods.index_of(min(as_of, until or date.max), grain, week_start)
    return pl.DataFrame({"period": range(lo, hi + 1)}, schema={"period": pl.Int32})


def _rows(
    lags: pl.DataFrame, users: pl.DataFrame, reported: pl.DataFrame, grain: Grain, week_start: WeekStart
) -> pl.DataFrame:
    """One row per reported period, sorted."""
    lag, n = pl.col("lag").sort(), pl.col("n").sort_by("lag")

    def minutes(percent: int) -> pl.Expr:
        return lag.filter(n.cum_sum() * 100 >= pl.col("n").sum() * percent).min()

    counted = lags.group_by("period").agg(
        rows=pl.col("n").sum(),
        late_rows=pl.col("n").filter(pl.col("days_after") > 0).sum(),
        median=minutes(50),
        p90=minutes(90),
        longest=pl.col("lag").max(),
    )
    found = reported.join(counted, on="period", how="left").join(users, on="period", how="left").sort("period")
    zero = pl.col("rows", "late_rows", "users_then", "users_now").fill_null(0)
    return found.with_columns(zero).select(
        "period",
        "rows",
        "late_rows",
        "users_then",
        "users_now",
        period_start=periods.first_days(pl.col("period"), grain, week_start),
        late_share=stats.ratio(pl.col("late_rows"), pl.col("rows")),
        users_change=pl.col("users_now") - pl.col("users_then"),
        median_lag_hours=stats.ratio(pl.col("median"), pl.lit(60)),
        p90_lag_hours=stats.ratio(pl.col("p90"), pl.lit(60)),
        max_lag_days=stats.ratio(pl.col("longest"), pl.lit(24 * 60)),
    ).select(
        "period", "period_start", "rows", "late_rows", "late_share", "users_then", "users_now", "users_change",
        "median_lag_hours", "p90_lag_hours", "max_lag_days",
    )  # fmt: skip


def _order_statistic(lags: pl.DataFrame, column: str, percent: int) -> int | None:
    """The smallest value at or below which so many per cent of the rows lie; None without rows."""
    counts = lags.group_by(column).agg(pl.col("n").sum()).sort(column)
    within = counts.filter(pl.col("n").cum_sum() * 100 >= pl.col("n").sum() * percent)
    return int(within[column][0]) if within.height else None


def _hours(lags: pl.DataFrame, percent: int) -> float | None:
    minutes = _order_statistic(lags, "lag", percent)
    return None if minutes is None else minutes / 60
