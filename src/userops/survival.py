"""Survival of subscribers: how many stay how long, as seen (Kaplan-Meier) and as projected (shifted beta-geometric).

Reduce: tenures, counted by group, whole periods and whether they ended in churn. Finish: curves, intervals, the test
between groups, projection.

Definitions (docs/methods.md has the formulas and sources):

* A *period* runs from a subscriber's own start: a day, 7 days, or to the same day of the next month. Who leaves in
  period t has been there for t - 1 whole ones. A period counts once it is over at the end of as-of, for those who left
  in it and for those who stayed alike; nobody's last, unfinished period does.
* survival of t: share still there after t periods.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from typing import Any

import polars as pl

from userops import account, frames, partition, periods, tables
from userops.errors import InputError, UsageError
from userops.models import kaplan_meier
from userops.models.likelihood import Fit
from userops.models.sbg import Sbg, Tenures
from userops.pages import survival as page
from userops.periods import Grain, WeekStart, epoch_day
from userops.results import Provenance, Result

LONGEST = 10_000
"""More periods than this are a sign of a wrong unit."""

FAR = 31
"""Days that the last end may lie after the last start; beyond, it may be planned and say nothing about as-of."""

MOST_GROUPS = 200
"""More values than this are no column to break down by."""

RESERVED = frozenset({
    "period", "at_risk", "churned", "survival", "ci_low", "ci_high", "projected", "tenure", "alive", "user_id",
    "started_at", "ended_at", "reject", "source", "censored", "users", "subscriptions", "alpha", "beta",
    "log_likelihood", "unfinished", "median_lifetime", "median_lifetime_projected", "expected_remaining_within_horizon",
})  # fmt: skip
"""Names of columns of the result, and of those on the way to it: not to be broken down by."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What may be decided about a survival analysis; the defaults are what most people mean.

    ``since``, ``until``: subscriptions that start on these days (inclusive). ``period``: the unit of tenures worked out
    from dates; None is month. ``horizon``: project to this period; None: half as far again as was seen. ``by``: a
    column of the file, a curve for each of its values. ``confidence``: of the intervals.
    """

    as_of: date | None = None
    since: date | None = None
    until: date | None = None
    tz: str = "UTC"
    week_start: WeekStart = "monday"
    period: Grain | None = None
    horizon: int | None = None
    by: str | None = None
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if self.by in RESERVED:
            raise UsageError.bad_value("--by", self.by, "a column that goes by none of the names of the result")
        periods.require_order(self.since, self.until)
        if self.horizon is not None and not 1 <= self.horizon <= LONGEST:
            raise UsageError.bad_value("--horizon", self.horizon, f"a whole number of periods from 1 to {LONGEST}")
        if not 0.5 <= self.confidence < 1:
            raise UsageError.bad_value("--confidence", self.confidence, "a share from 0.5 to below 1, such as 0.95")


def analyse(
    rows: frames.Subscriptions | pl.LazyFrame | pl.DataFrame,
    settings: Settings | None = None,
    *,
    partitions: int | None = None,
    **changes: Any,
) -> Result:
    """The survival curve of the subscriptions in ``rows``, one row per period; with ``by`` per value of it and period.

    ``rows``: ``user_id, started_at, ended_at`` (null: still there), ``user_id, tenure, churned``, or ``period, alive``
    (:func:`userops.frames.subscriptions`). ``changes`` are fields of :class:`Settings`. ``partitions`` bounds memory,
    never the numbers. Raises InputError when no row is usable, or counts make no curve.
    """
    settings = replace(settings or Settings(), **changes)
    table = rows if isinstance(rows, frames.Subscriptions) else frames.subscriptions(rows, as_of=settings.as_of)
    if table.shape != "dates":
        given = [("--since", settings.since), ("--until", settings.until), ("--period", settings.period)]
        for option in (option for option, value in given if value is not None):
            raise UsageError.conflict(option, f"{' and '.join(frames.SHAPES[table.shape])}", "it is about dates")
    return Story(settings, counted(table, settings, partitions)).result()


# --- reduce ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Counted:
    """What the scans found.

    ``tenures``: ``[by,] tenure`` (whole periods), and how many ``churned``, how many are ``censored``, and how many of
    those are ``unfinished``: they left in a period that is not over, so that it does not count yet. Sorted.
    ``grain``: what a period is; None: what the file says.
    """

    books: account.Account
    shape: frames.Shape
    as_of: date | None
    grain: Grain | None
    tenures: pl.DataFrame
    users: int

    @property
    def subscriptions(self) -> int:
        """How many there are."""
        return self.total("churned") + self.total("censored")

    def require_short(self) -> None:
        """UsageError, or InputError where the file gives the unit, when tenures have more periods than ``LONGEST``."""
        if int(self.tenures["tenure"].max() or 0) <= LONGEST:  # type: ignore[arg-type] # a whole number
            return
        if self.grain is not None:
            raise UsageError.bad_value("--period", self.grain, f"a longer one: there are more than {LONGEST:,} periods")
        raise InputError.counts_unusable(
            self.books.table.name,
            f"some have more than {LONGEST:,} periods",
            "give them in a longer unit, or leave wrong ones out with --where",
        )

    def total(self, name: str) -> int:
        """How many in all."""
        return int(self.tenures[name].sum())


def counted(table: frames.Subscriptions, settings: Settings, partitions: int | None) -> Counted:
    """The tenures of a table, as of the end of as-of."""
    partitions = partitions or partition.count_for(table.size)
    ends = partition.Reduce(lambda rows: frames.good(rows).select(pl.col("ended_at").max()))
    books, small = account.opened(table, {"ends": ends} if table.shape == "dates" else {}, partitions=partitions)
    if table.shape == "counts":
        return _of_counts(table, books, settings.by)
    as_of, unit = settings.as_of, None
    if table.shape == "dates":
        unit = settings.period or "month"
        as_of = as_of or _latest_day(books, small["ends"]["ended_at"].max())  # type: ignore[arg-type] # a time
    keys = (*([settings.by] if settings.by else []), "tenure")

    def by_tenure(rows: pl.LazyFrame) -> pl.LazyFrame:
        lives = _tenures(rows, table.shape, settings, as_of)
        return lives.group_by(keys).agg(pl.col("churned", "censored", "unfinished").sum())

    def users(rows: pl.LazyFrame) -> pl.LazyFrame:
        return _tenures(rows, table.shape, settings, as_of).select(pl.col("user_id").n_unique())

    reduces = {"tenures": partition.Reduce(by_tenure, keys=keys), "users": partition.Reduce(users)}
    found = partition.run(table.rows, reduces, what=table.name, partitions=partitions)
    tenures = found["tenures"].sort(keys, nulls_last=True)
    return Counted(books, table.shape, as_of, unit, tenures, int(found["users"]["user_id"].sum()))


def _latest_day(books: account.Account, last_end: datetime | None) -> date:
    """The date of the latest start or end; InputError where ends lie so late that they may be planned ones."""
    last_start = account.latest_day(books)
    if last_end is None or last_end.date() <= last_start:
        return last_start
    if (last_end.date() - last_start).days > FAR:
        raise InputError.ends_planned(books.table.name, last_start.isoformat(), last_end.date().isoformat())
    return last_end.date()


def _tenures(rows: pl.LazyFrame, shape: frames.Shape, settings: Settings, as_of: date | None) -> pl.LazyFrame:
    """One row per subscription that is reported: ``tenure``, and 0 or 1 for ``churned``, ``censored``, ``unfinished``."""
    good = frames.good(rows)
    if shape == "tenures":
        gone, tenure = pl.col("churned"), pl.col("tenure")
        whole = pl.when(gone).then(tenure.ceil().clip(1)).otherwise(tenure.floor()).clip(0, LONGEST + 1)
        return _marked(good, whole, churned=gone, unfinished=pl.lit(value=False))
    assert as_of is not None  # dates have one
    unit: Grain = settings.period or "month"
    start, end = tables.day(pl.col("started_at").to_physical()), tables.day(pl.col("ended_at").to_physical())
    if settings.since:
        good = good.filter(start >= epoch_day(settings.since))
    if settings.until:
        good = good.filter(start <= epoch_day(settings.until))
    after = epoch_day(as_of) + 1
    ended = (end < after).fill_null(value=False)
    over = _elapsed(start, pl.lit(after, pl.Int32), unit)
    left_in = pl.when(end > start).then(_elapsed(start, end - 1, unit)).otherwise(0) + 1
    gone = ended & (left_in <= over)
    return _marked(good, pl.when(gone).then(left_in).otherwise(over), churned=gone, unfinished=ended & ~gone)


def _marked(rows: pl.LazyFrame, tenure: pl.Expr, *, churned: pl.Expr, unfinished: pl.Expr) -> pl.LazyFrame:
    """Rows with their tenure, and marks that add up."""
    marks = {"churned": churned, "censored": ~churned, "unfinished": unfinished}
    return rows.with_columns(
        tenure=tenure.cast(pl.Int32), **{name: mark.cast(pl.Int64) for name, mark in marks.items()}
    )


def _elapsed(start: pl.Expr, to: pl.Expr, unit: Grain) -> pl.Expr:
    """Whole periods from one day (since 1970) to another, not before it. A month is over on its first day's number.

    From 31 January that is 1 March: the first day that is not before the 31st of February.
    """
    if unit != "month":
        return (to - start) // (7 if unit == "week" else 1)
    a, b = start.cast(pl.Int32).cast(pl.Date), to.cast(pl.Int32).cast(pl.Date)
    months = (b.dt.year() - a.dt.year()) * 12 + b.dt.month().cast(pl.Int32) - a.dt.month().cast(pl.Int32)
    return months - (b.dt.day() < a.dt.day()).cast(pl.Int32)


def _of_counts(table: frames.Subscriptions, books: account.Account, by: str | None) -> Counted:
    """Tenures from how many of a cohort are left after each period; InputError where they make no curve."""
    keys = [by] if by else []
    columns = {"rows": partition.Reduce(lambda rows: frames.good(rows).select(*keys, "period", "alive"))}
    rows = partition.run(table.rows, columns, what=table.name)["rows"].sort(*keys, "period", nulls_last=True)
    parts = []
    for (value, *_), cohort in rows.group_by(keys or [pl.lit(0)], maintain_order=True):
        _require_curve(table.name, cohort, f" of {by} = {value}" if by else "")
        period, alive = pl.col("period") - pl.col("period").min(), pl.col("alive").cast(pl.Int64)
        left = alive.shift(1, fill_value=alive.first()) - alive
        last = pl.col("period") == pl.col("period").max()
        parts.append(
            cohort.select(
                *keys,
                tenure=period.cast(pl.Int32),
                churned=left,
                censored=pl.when(last).then(alive).otherwise(0),
                unfinished=pl.lit(0, pl.Int64),
            )
        )
    tenures = pl.concat(parts)
    users = int(tenures.select(pl.col("churned") + pl.col("censored")).sum().item())
    return Counted(books, table.shape, None, None, tenures, users)


def _require_curve(name: str, cohort: pl.DataFrame, which: str) -> None:
    """InputError where the counts of one cohort are not those of people who leave one after another."""
    period, alive = cohort["period"], cohort["alive"]
    if (alive != alive.round()).any():
        raise InputError.counts_unusable(
            name, f"alive{which} is {alive.filter(alive != alive.round())[0]:g}", "give people, not shares"
        )
    if period.n_unique() < period.len():
        twice = f"{period.filter(period.is_duplicated())[0]:g}"
        raise InputError.counts_unusable(
            name, f"period {twice}{which} is there twice", "several cohorts? --by COLUMN tells them apart"
        )
    steps = period.diff().drop_nulls()
    if (steps != 1).any():
        gap = f"{period[steps.arg_max() or 0]:g}"
        raise InputError.counts_unusable(name, f"after period {gap}{which} the next is missing", "give every period")
    more = alive.diff().fill_null(0) > 0
    if more.any():
        when = f"{period.filter(more)[0]:g}"
        raise InputError.counts_unusable(
            name, f"more are alive in period {when}{which} than before", "count those of the first period who are left"
        )


# --- finish ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Group:
    """The curve of some subscribers, and the model of how it goes on (None where it cannot be fitted, and why).

    ``active``: how many are still there, by their age in whole periods.
    """

    value: Any
    curve: kaplan_meier.Curve
    active: pl.Series
    fit: Fit[Sbg] | None
    problem: str | None

    @property
    def last(self) -> int:
        """The last period that somebody has been seen through."""
        return len(self.curve.time) - 1


def group_of(value: Any, tenures: pl.DataFrame, confidence: float) -> Group:
    """The curve and the model of ``tenure, churned, censored``."""
    last = int(tenures["tenure"].max() or 0)  # type: ignore[arg-type] # a whole number
    grid = pl.select(tenure=pl.int_range(last + 1, dtype=pl.Int32)).join(tenures, on="tenure", how="left")
    grid = grid.group_by("tenure").agg(pl.col("churned", "censored", "unfinished").sum()).sort("tenure")
    time, churned, censored = (grid[name].cast(pl.Float64) for name in ("tenure", "churned", "censored"))
    curve = kaplan_meier.curve(time.to_numpy(), churned.to_numpy(), censored.to_numpy(), confidence)
    try:
        fit, problem = Sbg.fit(Tenures(time.to_numpy(), churned.to_numpy(), censored.to_numpy())), None
    except InputError as error:
        fit, problem = None, error.message
    return Group(value, curve, grid["censored"] - grid["unfinished"], fit, problem)


@dataclass(frozen=True, slots=True)
class Story:
    """Everything a result is told from."""

    settings: Settings
    found: Counted

    def result(self) -> Result:
        """All of it as one result."""
        settings, found = self.settings, self.found
        if not found.subscriptions:
            raise InputError.empty_window(found.books.table.name)
        found.require_short()
        everybody = group_of(None, found.tenures, settings.confidence)
        groups = self.groups()
        horizon = settings.horizon or everybody.last + max(1, -(-everybody.last // 2))
        test = self.test(groups)
        rows = pl.concat([self.rows(group, horizon) for group in groups or [everybody]])
        summary = self.summary(everybody, horizon, test)
        warnings = page.warnings(self, everybody, groups)
        chosen = {f.name: getattr(settings, f.name) for f in fields(settings) if f.name not in ("tz", "week_start")}
        chosen |= {"period": found.grain, "horizon": horizon}
        provenance = Provenance(
            as_of=found.as_of.isoformat() if found.as_of else None,
            tz=settings.tz,
            week_start=settings.week_start,
            inputs=found.books.reports(),
            settings={k: v.isoformat() if isinstance(v, date) else v for k, v in chosen.items()},
            definitions=page.definitions(self, horizon),
            warnings=tuple(warnings),
        )
        told = self.told_groups(groups, horizon)
        return Result(
            command="survival",
            rows=rows,
            summary=summary,
            provenance=provenance,
            extras={"groups": told} if groups else {},
            views=page.views(self, rows, summary, told, warnings),
        )

    def groups(self) -> list[Group]:
        """One for each value of ``by``, in order; none without it."""
        by, tenures = self.settings.by, self.found.tenures
        if by is None:
            return []
        values = tenures[by].unique().sort(nulls_last=True)
        if len(values) > MOST_GROUPS:
            raise UsageError.bad_value("--by", by, f"a column of at most {MOST_GROUPS} values; it has {len(values):,}")
        return [
            group_of(value, tenures.filter(pl.col(by).eq_missing(pl.lit(value))), self.settings.confidence)
            for value in values
        ]

    def test(self, groups: Sequence[Group]) -> kaplan_meier.LogRank | None:
        """Whether the groups differ; None without groups to compare."""
        longest = max((group.last for group in groups), default=0) + 1
        at_risk, churned = (
            [
                pl.Series(getattr(group.curve, name)).extend_constant(0.0, longest - group.last - 1).to_numpy()
                for group in groups
            ]
            for name in ("at_risk", "churned")
        )
        return kaplan_meier.log_rank(at_risk, churned) if len(groups) > 1 else None

    def rows(self, group: Group, horizon: int) -> pl.DataFrame:
        """``[by,] period, at_risk, churned, survival, ci_low, ci_high, projected``, to the horizon and all that was seen."""
        by, curve = self.settings.by, group.curve
        seen = {
            name: pl.Series(getattr(curve, name)) for name in ("at_risk", "churned", "survival", "ci_low", "ci_high")
        }
        table = pl.DataFrame({"period": pl.Series(curve.time).cast(pl.Int64), **seen})
        every = pl.select(period=pl.int_range(max(horizon, group.last) + 1, dtype=pl.Int64))
        projected = pl.Series([None] * every.height, dtype=pl.Float64)
        if group.fit is not None:
            projected = pl.Series(group.fit.model.survival(every["period"].to_numpy()))
        whole = every.join(table, on="period", how="left", maintain_order="left").with_columns(
            pl.col("at_risk", "churned").fill_null(0).cast(pl.Int64),
            pl.col("ci_low", "ci_high").fill_nan(None),
            projected=projected,
        )
        if by is None:
            return whole
        value = pl.Series(by, [group.value], dtype=self.found.tenures[by].dtype)
        return whole.select(value.new_from_index(0, whole.height), pl.all())

    def summary(self, group: Group, horizon: int, test: kaplan_meier.LogRank | None) -> dict[str, Any]:
        """Everybody together, flat."""
        found = self.found
        churned, unfinished = found.total("churned"), found.total("unfinished")
        told = {
            "users": found.users,
            "subscriptions": found.subscriptions,
            "churned": churned,
            "churned_in_unfinished_period": unfinished,
            "active": found.subscriptions - churned - unfinished,
            "periods": group.last,
            "horizon": horizon,
            **self.modelled(group, horizon),
            "median_lifetime": _whole(group.curve.median),
        }
        if self.settings.by is not None:
            told |= {
                "log_rank": test.statistic if test else None,
                "log_rank_df": test.df if test else None,
                "log_rank_p": test.p_value if test else None,
            }
        return told

    def modelled(self, group: Group, horizon: int) -> dict[str, Any]:
        """What the model says of a group; null where there is none, and where a mean is infinite (alpha <= 1)."""
        names = ("alpha", "beta", "log_likelihood", "median_lifetime_projected", "survival_at_horizon")
        means = ("expected_lifetime", "expected_remaining_lifetime", "expected_remaining_within_horizon")
        if group.fit is None:
            return dict.fromkeys((*names, *means))
        model, fit = group.fit.model, group.fit
        median = model.median()
        told = (model.alpha, model.beta, fit.log_likelihood, median if median <= LONGEST else None)
        ages, active = group.curve.time, float(group.active.sum())
        lasting = model.alpha > 1 and fit.identified

        def of_active(values: Any) -> float | None:
            return float((pl.Series(values) * group.active).sum()) / active if active else None

        return {
            **dict(zip(names, (*told, float(model.survival(horizon))), strict=True)),
            "expected_lifetime": 1 + float(model.remaining_lifetime()) if lasting else None,
            "expected_remaining_lifetime": of_active(model.remaining_lifetime(ages)) if lasting else None,
            "expected_remaining_within_horizon": of_active(model.remaining_within(horizon, ages)),
        }

    def told_groups(self, groups: Sequence[Group], horizon: int) -> pl.DataFrame:
        """One row per group: ``by``, subscriptions, churned, the model, the median."""
        kept = ("alpha", "beta", "log_likelihood", "median_lifetime_projected", "expected_remaining_within_horizon")
        rows = []
        for group in groups:
            modelled = self.modelled(group, horizon)
            rows.append((
                group.value, int(group.curve.at_risk[0]), int(group.curve.churned.sum()),
                _whole(group.curve.median), *(modelled[name] for name in kept),
            ))  # fmt: skip
        by = self.settings.by or "group"
        schema: dict[str, Any] = {
            by: self.found.tenures[by].dtype if groups else pl.String,
            "subscriptions": pl.Int64, "churned": pl.Int64, "median_lifetime": pl.Int64,
            **dict.fromkeys(kept, pl.Float64),
        }  # fmt: skip
        return pl.DataFrame(rows, schema=schema, orient="row").with_columns(
            pl.col("median_lifetime_projected").cast(pl.Int64)
        )


def _whole(number: float | None) -> int | None:
    """A number of periods as the whole number it is."""
    return None if number is None else int(number)
