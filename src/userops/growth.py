"""Growth accounting: where the users of a period came from, and how many of those before stayed away.

Definitions (docs/methods.md has the sources):

* active = new + retained + resurrected: first period ever; there the period before too; back after a silent period.
* active of the period before = retained + churned, so nobody is lost between two periods.
* quick ratio = (new + resurrected) / churned, null where nobody churned; above 1 users grow.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import date
from statistics import fmean
from typing import Any

import polars as pl

from userops import frames, periods, stats, visits
from userops.errors import UsageError
from userops.pages import growth as page
from userops.periods import Grain, WeekStart
from userops.results import Provenance, Result

COUNTS = ("new", "retained", "resurrected", "churned", "active", "net")
RESERVED = frozenset({
    *COUNTS, "period_start", "quick_ratio", "complete", "before", "reject", "user", "user_id", "users", "who", "period", "first", "previous",
    "next", "visit", "signed_up", "signed_up_at", "instant",
})  # fmt: skip
"""Names of columns of the result, and of those on the way to it: not to be broken down by."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What may be decided about growth accounting; the defaults are what most people mean.

    ``period``: None is days for events, months for orders. ``since`` and ``until`` (inclusive days) choose the periods
    that are reported, never what is known of a user. ``by``: a column of the users table, else of the rows.
    """

    as_of: date | None = None
    since: date | None = None
    until: date | None = None
    tz: str = "UTC"
    week_start: WeekStart = "monday"
    period: Grain | None = None
    by: str | None = None

    def __post_init__(self) -> None:
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
    """Growth accounting of the users in ``rows``: one row per period, with ``by`` per value of it and period.

    ``rows``: events (``user_id, event, time``) or orders (``user_id, ordered_at, amount``). ``users``: ``user_id``,
    ``signed_up_at`` and attributes; new then means signed up. ``changes`` are fields of :class:`Settings`.
    ``partitions`` bounds memory, never the numbers. Raises InputError when no row is usable.
    """
    settings = replace(settings or Settings(), **changes)
    table = visits.table_of(rows, settings.as_of)
    if settings.period is None:
        settings = replace(settings, period="day" if isinstance(table, frames.Events) else "month")
    assert settings.period is not None
    found = visits.visits(
        table,
        settings.period,
        settings.week_start,
        as_of=settings.as_of,
        by=settings.by,
        window=(settings.since, settings.until),
        users=users,
        partitions=partitions,
    )
    story = Story(replace(settings, as_of=found.as_of), found, signed_up=users is not None)
    return story.result()


def accounting(found: visits.Visits, by: str | None = None) -> pl.DataFrame:
    """Every period of history: ``[by,] period``, the counts, ``quick_ratio``, and ``before`` (active the period before).

    Silent periods have zeros. ``before``, ``churned``, ``net`` and ``quick_ratio`` are null in the first period: who was
    there before the data begin is not known.
    """
    keys = [by] if by else []
    first, last = found.span
    period, users = pl.col("period"), pl.col("users")
    counted = (
        found.rows.lazy()
        .group_by(*keys, "period")
        .agg(
            active=users.sum(),
            new=pl.when(pl.col("first") == period).then(users).sum(),
            retained=pl.when(pl.col("previous") == period - 1).then(users).sum(),
        )
        .collect()
    )
    every = pl.select(period=pl.int_range(first, last + 1, dtype=pl.Int32))
    if by:
        every = found.rows.select(by).unique().join(every, how="cross")
    active, new, retained, churned = (pl.col(name) for name in ("active", "new", "retained", "churned"))
    return (
        every.join(counted, on=[*keys, "period"], how="left", nulls_equal=True)
        .with_columns(pl.col("active", "new", "retained").fill_null(0))
        .sort(*keys, "period", nulls_last=True)
        .with_columns(before=pl.when(period > first).then(active.shift(1)), resurrected=active - new - retained)
        .with_columns(churned=pl.col("before") - retained)
        .with_columns(net=new + pl.col("resurrected") - churned)
        .with_columns(quick_ratio=stats.ratio(new + pl.col("resurrected"), churned))
        .select(*keys, "period", *COUNTS, "quick_ratio", "before")
    )


@dataclass(frozen=True, slots=True)
class Story:
    """Everything a result is told from. ``signed_up``: whether a table of users said who is new."""

    settings: Settings
    found: visits.Visits
    signed_up: bool

    def result(self) -> Result:
        """All of it as one result."""
        settings, found = self.settings, self.found
        totals = self.reported(accounting(found))
        rows = self.reported(accounting(found, settings.by)) if settings.by else totals
        summary = self.summary(totals)
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
            command="growth",
            rows=rows.drop("before"),
            summary=summary,
            provenance=provenance,
            views=page.views(self, totals, rows, summary, warnings),
        )

    def reported(self, every: pl.DataFrame) -> pl.DataFrame:
        """The periods that the reporting window touches, with the day they begin and whether they are over."""
        first, last = self.found.reported(self.settings.since, self.settings.until)
        start = periods.first_days(pl.col("period"), self.found.grain, self.found.week_start)
        inside = every.filter(pl.col("period").is_between(first, last))
        inside = inside.with_columns(period_start=start, complete=pl.col("period") <= self.found.last_complete)
        keys = [self.settings.by] if self.settings.by in every.columns else []
        return inside.select(*keys, "period_start", *COUNTS, "quick_ratio", "complete", "before")

    def summary(self, totals: pl.DataFrame) -> dict[str, Any]:
        """Everybody together; then the last period that is over; flat."""
        over = totals.filter("complete")
        last: dict[str, Any] = over.row(-1, named=True) if over.height else dict.fromkeys(totals.columns)
        start, before = last["period_start"], last["before"]
        ratios = over["quick_ratio"].drop_nulls().to_list()
        return {
            "users": self.found.all_users,
            **self.found.totals,
            "period_start": start.isoformat() if start else None,
            **{name: last[name] for name in (*COUNTS, "quick_ratio")},
            "retention_rate": last["retained"] / before if before else None,
            "churn_rate": last["churned"] / before if before else None,
            "mean_quick_ratio": fmean(ratios) if ratios else None,
        }
