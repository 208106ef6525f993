"""The pictures of a written check-up: who comes back, how the number of active users is made, the funnel, what customers pay.

Each is that of the command of its name, on the same files: the heatmap of ``userops retention``, the bars of ``userops growth``,
the funnel of ``userops funnel``. What customers have paid by so many days after their first order is made here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import polars as pl

from userops import funnel, growth, money, periods, retention
from userops.checkup.measures import Measured
from userops.results import Block, ChartBlock, FunnelBlock, HeatBlock, Series, Text

PAID_BY = (0, 7, 14, 30, 60, 90, 120, 180, 270, 365)
"""Days after the first order by which is told what customers have paid."""

LEAST_CUSTOMERS = 20
"""Customers a cohort must have to be drawn."""

MOST_COHORTS = 6


def of(measured: Measured) -> tuple[Block, ...]:
    """The pictures these files allow, in the order of a user's life."""
    return (*_retention(measured), *_growth(measured), *_funnel(measured), *_paid(measured))


def _grain(measured: Measured) -> Literal["week", "month"]:
    """Weeks for events, months for orders, as the commands have it."""
    return "week" if measured.given.events is not None else "month"


def _retention(measured: Measured) -> Iterator[Block]:
    settings = measured.settings
    result = retention.analyse(
        measured.given.main,
        users=measured.given.users,
        as_of=measured.as_of,
        since=settings.since,
        until=settings.until,
        tz=settings.tz,
        week_start=settings.week_start,
        period=_grain(measured),
        periods=12,
    )
    yield from (block for block in result.views if isinstance(block, HeatBlock))


def _growth(measured: Measured) -> Iterator[Block]:
    settings = measured.settings
    result = growth.analyse(
        measured.given.main,
        as_of=measured.as_of,
        since=settings.since,
        until=settings.until,
        tz=settings.tz,
        week_start=settings.week_start,
        period=_grain(measured),
    )
    yield from (block for block in result.views if isinstance(block, ChartBlock))


def _funnel(measured: Measured) -> Iterator[Block]:
    if measured.given.events is None or len(measured.steps) < 2:
        return
    since = periods.first_day(max(measured.today - 27, measured.days.first if measured.days else 0), "day")
    result = funnel.analyse(
        measured.given.events,
        steps=measured.steps,
        within=measured.business.within or "7d",
        as_of=measured.as_of,
        since=since,
        tz=measured.settings.tz,
    )
    yield from (block for block in result.views if isinstance(block, FunnelBlock))


def _paid(measured: Measured) -> Iterator[Block]:
    """What customers of each month have paid by so many days after their first order, on average."""
    if measured.spent is None or measured.order_value is None:
        return
    bought = measured.spent.filter(pl.col("orders") > 0).group_by("user").agg(first=pl.col("day").min())
    people = bought.with_columns(cohort=pl.col("first").cast(pl.Date).dt.truncate("1mo"))
    spent = measured.spent.join(people, on="user").with_columns(after=pl.col("day") - pl.col("first"))
    sizes = people.group_by("cohort").agg(n=pl.len(), youngest=pl.col("first").max()).sort("cohort")
    drawn = sizes.filter(pl.col("n") >= LEAST_CUSTOMERS).tail(MOST_COHORTS * 2).gather_every(2)
    lines = []
    for cohort, n, youngest in drawn.iter_rows():
        mine = spent.filter(pl.col("cohort") == cohort)
        values = tuple(
            int(mine.filter(pl.col("after") <= days)["amount"].sum()) / money.SCALE / n
            if youngest + days <= measured.today
            else None
            for days in PAID_BY
        )
        if sum(value is not None for value in values) > 1:
            name = f"{cohort:%Y-%m}"
            lines.append(Series(Text(name, name), values))
    if lines:
        title = Text(
            "Lifetime value so far: paid per customer by days since the first order",
            "累计生命周期价值:首单后各天数的人均消费",
        )
        yield ChartBlock(title, tuple(map(str, PAID_BY)), tuple(lines), kind="money")
