"""What cohorts have paid so far, what they cost to win, and after how many days they had paid that back.

A cohort is the month of the first order. Its cost is what was spent in that month; with ``by`` the channel, on it.
"""

from __future__ import annotations

import polars as pl

from userops import money, stats
from userops.lifetime_value.customers import Counted, Settings

CHANNEL = "channel"
"""Costs are told by channel: of the values of any other column nobody knows what they cost."""

NO_COSTS = ("no costs in this month", "该月没有费用")
BEGIN_LATER = ("costs begin within this month", "费用自该月中途开始")
FREE = ("nothing was spent", "没有花费")
NOT_OF_THIS = ("costs are told by channel", "费用仅按渠道给出")


def realised(found: Counted, settings: Settings) -> pl.DataFrame:
    """What cohorts have paid per customer by so many days after the first order; with costs what they cost.

    ``by, cohort, cohort_users, day, eligible_users, revenue_per_user, complete``: of customers seen for so many days;
    null where there is none. With costs ``cac, paid_back`` (revenue over cac), ``payback``, null with a ``reason``.
    """
    keys = [settings.by] if settings.by else []
    born = found.births.filter(pl.col("users") > 0)
    parts = []
    for n in settings.days:
        old = pl.col("first") + n <= found.today
        part = born.group_by(*keys, cohort=_month("first")).agg(
            cohort_users=pl.col("users").sum(),
            eligible_users=pl.when(old).then("users").sum(),
            paid=pl.when(old).then(f"paid_{n}").sum(),
        )
        parts.append(part.with_columns(day=pl.lit(n, pl.Int64)))
    worth = stats.ratio(pl.col("paid"), pl.col("eligible_users") * money.SCALE)
    rows = pl.concat(parts).select(
        *keys,
        "cohort",
        "cohort_users",
        "day",
        "eligible_users",
        revenue_per_user=worth if found.has_money else pl.lit(None, pl.Float64),
        complete=pl.col("eligible_users") == pl.col("cohort_users"),
    )
    if found.costs is not None:
        rows = rows.join(_paid_back(found, settings), on=[*keys, "cohort"], how="left", nulls_equal=True)
        rows = rows.with_columns(paid_back=pl.col("revenue_per_user") * settings.margin / pl.col("cac"))
        rows = rows.select(*rows.columns[:-5], "cac", "paid_back", "payback", "reason", "reason_zh")
    return rows.sort(*keys, "cohort", "day", nulls_last=True)


def acquisition(
    customers: pl.DataFrame, found: Counted, settings: Settings, by: str | None, *, modelled: bool
) -> pl.DataFrame:
    """What customers cost and bring, of the months with costs: one row, or one for each value of ``by``.

    ``users, spend, cac``; ``paid_back``: what they paid so far, times the margin, over the costs; ``ltv_cac``: that and
    what they are still expected to bring (``ltv``).
    """
    keys = [by] if by else []
    told = customers.with_columns(cohort=_month("first"))
    cost = _costs(told.group_by(*keys, "cohort").agg(pl.col("first").min()), found, settings, by)
    cohorts = told.group_by(*keys, "cohort").agg(
        users=pl.len().cast(pl.Int64), spent=pl.col("spent").sum(), ltv=pl.col("ltv").cast(pl.Int64).sum()
    )
    both = cohorts.join(cost.filter(pl.col("spend") > 0), on=[*keys, "cohort"], nulls_equal=True)
    added = both.group_by(keys or pl.lit(0).alias("all")).agg(pl.col("users", "spent", "ltv", "spend").sum())
    paid = pl.col("spent") * settings.margin
    in_all = (paid + pl.col("ltv")) / pl.col("spend")
    rows = added.select(
        *keys,
        "users",
        spend=money.units(pl.col("spend")),
        cac=stats.ratio(pl.col("spend"), pl.col("users") * money.SCALE),
        paid_back=paid / pl.col("spend") if found.has_money else pl.lit(None, pl.Float64),
        ltv_cac=in_all if found.has_money and modelled else pl.lit(None, pl.Float64),
    )
    return rows.sort(*keys, "users", nulls_last=True)


def _month(day: str) -> pl.Expr:
    return pl.col(day).cast(pl.Date).dt.truncate("1mo")


def _costs(cohorts: pl.DataFrame, found: Counted, settings: Settings, by: str | None) -> pl.DataFrame:
    """``by, cohort, spend`` (steps of money), null with a ``reason``; from ``by, cohort, first``, the first order of all."""
    assert found.costs is not None  # they were given
    costs, keys = found.costs, [by] if by else []
    if by not in (None, CHANNEL):
        return cohorts.select(*keys, "cohort", spend=pl.lit(None, pl.Int64), **_why(NOT_OF_THIS))
    inside = costs.filter(
        pl.col("day") <= found.today,
        *([pl.col("day").cast(pl.Date) >= settings.since] if settings.since else []),
        *([pl.col("day").cast(pl.Date) <= settings.until] if settings.until else []),
    )
    spend = inside.group_by(*keys, cohort=_month("day")).agg(spend=pl.col("amount").sum())
    begin = costs["day"].min()
    late = (pl.col("first") < begin) & (_month("first") == pl.lit(begin, pl.Int32).cast(pl.Date).dt.truncate("1mo"))
    told = cohorts.join(spend, on=[*keys, "cohort"], how="left", nulls_equal=True)
    there = told.with_columns(spend=pl.when(~late).then("spend"))
    none, later, free = (_why(words) for words in (NO_COSTS, BEGIN_LATER, FREE))
    return there.select(
        *keys,
        "cohort",
        "spend",
        **{
            name: pl.when(late).then(later[name]).when(pl.col("spend").is_null()).then(none[name])
            .when(pl.col("spend") <= 0).then(free[name])
            for name in none
        },
    )  # fmt: skip


def _why(words: tuple[str, str]) -> dict[str, pl.Expr]:
    return {"reason": pl.lit(words[0]), "reason_zh": pl.lit(words[1])}


def _paid_back(found: Counted, settings: Settings) -> pl.DataFrame:
    """``by, cohort, cac, payback``: the first day by which the cohort had paid its costs, of the days all of it was seen."""
    keys = [settings.by] if settings.by else []
    born = found.births.filter(pl.col("users") > 0).group_by(*keys, cohort=_month("first"))
    cohorts = born.agg(pl.col("users").sum(), pl.col("first").min(), seen=found.today - pl.col("first").max())
    cost = _costs(cohorts, found, settings, settings.by)
    told = cohorts.drop("first").join(cost, on=[*keys, "cohort"], nulls_equal=True)
    assert found.paid is not None  # there are costs
    so_far = found.paid.sort(*keys, "cohort", "age", nulls_last=True).with_columns(
        paid=pl.col("paid").cum_sum().over([*keys, "cohort"]) * settings.margin
    )
    asked = so_far.join(told.filter(pl.col("spend") > 0), on=[*keys, "cohort"], nulls_equal=True)
    reached = asked.filter(pl.col("paid") >= pl.col("spend"), pl.col("age") <= pl.col("seen"))
    payback = reached.group_by(*keys, "cohort").agg(payback=pl.col("age").min().cast(pl.Int64))
    known = told.join(payback, on=[*keys, "cohort"], how="left", nulls_equal=True)
    open_yet = pl.col("payback").is_null() & pl.col("reason").is_null()
    seen = pl.col("seen").cast(pl.String)
    return known.select(
        *keys,
        "cohort",
        cac=stats.ratio(pl.col("spend"), pl.col("users") * money.SCALE),
        payback="payback",
        reason=pl.when(open_yet).then("not within the " + seen + " days that all were seen").otherwise("reason"),
        reason_zh=pl.when(open_yet).then("全组已观测的 " + seen + " 天内未回本").otherwise("reason_zh"),
    )
