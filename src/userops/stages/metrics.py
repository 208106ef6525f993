"""The metrics of AARRR: what each is made of, of which days, and why there may be none.

Every metric is arithmetic on the small tables of :mod:`userops.stages.scan`, for everybody or for each group of users.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Literal, NamedTuple

import polars as pl

from userops import money, periods, retention, stats
from userops.periods import MICROSECONDS_A_DAY
from userops.results import Kind, Text
from userops.stages.scan import Found, Settings

LTV_DAYS = (7, 30, 90)
PAYBACK = 90
"""Days within which newcomers are asked to pay back what they cost, and the lifetime value that ``ltv_cac`` takes."""

Need = Literal["events", "orders", "amount", "costs", "activation", "referrals", "joined"]


# --- quantities of some days ---------------------------------------------------------------------------------------


class Window(NamedTuple):
    """Days from ``first`` to ``last``, both included, since 1970-01-01; ``last`` before ``first``: none."""

    first: int
    last: int

    def holds(self, day: pl.Expr) -> pl.Expr:
        """Whether a day is one of them."""
        return day.is_between(self.first, self.last)

    @property
    def dates(self) -> tuple[date, date]:
        """The first and the last day."""
        return periods.first_day(self.first, "day"), periods.first_day(self.last, "day")


@dataclass(frozen=True)
class Measured:
    """Quantities of some days by ``group``; each is a table ``group, n``, groups without any left out.

    ``group``: a value of the column the report is broken down by; null for everybody together, and for users of whom the
    column says nothing. ``by``: that column, None for everybody together.
    """

    settings: Settings
    found: Found
    by: str | None

    @cached_property
    def people(self) -> pl.DataFrame:
        """``user, start, day, group``."""
        group = pl.col(self.by) if self.by else pl.lit(None, pl.String)
        return self.found.people.select("user", "start", "day", group=group)

    @cached_property
    def groups(self) -> pl.DataFrame:
        """Every group there is, sorted, one row each."""
        if self.by is None:
            return pl.DataFrame({"group": [None]}, schema={"group": pl.String})
        named = [self.people, self.orders, self.invites, *([self.costs] if self.by == "channel" else [])]
        return pl.concat([table.select("group").unique() for table in named]).unique().sort("group", nulls_last=True)

    @cached_property
    def visits(self) -> pl.DataFrame:
        """``user, day, start, started, group``: the days on which users were there."""
        return self.found.visits.join(self.people.rename({"day": "started"}), on="user", how="left")

    @cached_property
    def orders(self) -> pl.DataFrame:
        """Orders and refunds with ``group``, and ``started``, ``start`` of the one who placed them."""
        return self.found.orders.join(self.people.rename({"day": "started"}), on="user", how="left")

    @cached_property
    def costs(self) -> pl.DataFrame:
        """``day, amount, group``; one group where the report is not broken down by channel."""
        group = pl.col("channel") if self.by == "channel" else pl.lit(None, pl.String)
        return self.found.costs.select("day", "amount", group=group)

    @cached_property
    def invites(self) -> pl.DataFrame:
        """Invitations with the ``group`` of the one who sent them, and ``start`` of the one who joined.

        Somebody joined when they are known by as-of; where nothing tells who is, whenever the file names somebody.
        """
        sent = self.found.invites.join(self.people.select("user", "group"), on="user", how="left")
        known = self.people.select(joined="user", start="start")
        answered = sent.join(known, on="joined", how="left")
        if self.found.given.events is None and not self.found.signed_up:
            return answered.with_columns(came=pl.col("joined").is_not_null())
        return answered.with_columns(came=pl.col("start").is_not_null())

    # --- quantities -------------------------------------------------------------------------------------------------

    def newcomers(self, days: Window) -> pl.DataFrame:
        """Users who started on these days."""
        return _count(self.people.filter(days.holds(pl.col("day"))))

    def spend(self, days: Window) -> pl.DataFrame:
        """What was spent on these days, in steps of money."""
        return _total(self.costs.filter(days.holds(pl.col("day"))))

    def active(self, days: Window) -> pl.DataFrame:
        """Users who were there on one of these days."""
        return _users(self.visits.filter(days.holds(pl.col("day"))))

    def ordered(self, days: Window) -> pl.DataFrame:
        """Orders of these days."""
        return self.orders.filter("is_order", days.holds(pl.col("day")))

    def revenue(self, days: Window) -> pl.DataFrame:
        """What orders of these days were worth less the refunds of these days, in steps of money."""
        return _total(self.orders.filter(days.holds(pl.col("day"))))

    def activated(self, days: Window) -> pl.DataFrame:
        """Newcomers who did what activates: ``user, group, hours``, from their start to the first time after it."""
        people = self.people.filter(days.holds(pl.col("day")))
        after = pl.col("instant") - pl.col("start")
        within = self.settings.activation_within // timedelta(microseconds=1)
        done = self.found.values.join(people, on="user").filter(after.is_between(0, within))
        first = done.group_by("user", "group").agg(took=after.min())
        return first.select("user", "group", hours=stats.ratio(pl.col("took"), pl.lit(3_600_000_000)))

    def returned(self, days: Window, n: int) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Newcomers of these days who were there on day ``n``, and those who have lived to see it, as retention has it."""
        if days.last < days.first:
            return _NONE, _NONE
        since, until = days.dates
        settings = retention.Settings(
            days=(n,), since=since, until=until, tz=self.settings.tz, week_start=self.settings.week_start, by="group"
        )
        rules = retention.decide(settings, self.found.given.main, self.found.given.users)
        reach = (periods.epoch_day(self.found.as_of) - pl.col("cohort")).cast(pl.Int64).alias("reach")
        members = self.people.group_by("group", cohort="day").agg(users=pl.len().cast(pl.Int64)).with_columns(reach)
        offset = (pl.col("day") - pl.col("started")).cast(pl.Int64).alias("offset")
        there = self.visits.with_columns(offset).filter(pl.col("offset") == n)
        hits = (
            there.group_by("group", "offset", cohort="started").agg(users=pl.len().cast(pl.Int64)).with_columns(reach)
        )
        counted = retention.Counted(self.found.main, self.found.as_of, members, hits, 0, {})
        old = retention.Story(rules, counted).cells().filter(pl.col("eligible_users") > 0).group_by("group")
        sums = old.agg(pl.col("users").sum(), pl.col("eligible_users").sum())
        return sums.select("group", n="users"), sums.select("group", n="eligible_users")

    def worth(self, days: Window, n: int) -> pl.DataFrame:
        """What newcomers of these days were worth up to ``n`` days after their start, in steps of money."""
        within = pl.col("instant") - pl.col("start") <= n * MICROSECONDS_A_DAY
        return _total(self.orders.filter(days.holds(pl.col("started")), within))

    def payback(self, days: Window) -> pl.DataFrame:
        """``group, value``: whole days from the start until newcomers were worth what was spent on these days."""
        took = pl.col("instant") - pl.col("start")
        late = (-(-took // MICROSECONDS_A_DAY)).clip(lower_bound=0).alias("late")
        worth = self.orders.filter(days.holds(pl.col("started"))).with_columns(late)
        by_day = worth.filter(pl.col("late") <= PAYBACK).group_by("group", "late").agg(pl.col("amount").sum())
        so_far = by_day.sort("group", "late", nulls_last=True).with_columns(pl.col("amount").cum_sum().over("group"))
        asked = so_far.join(self.spend(days), on="group", nulls_equal=True)
        paid = asked.filter(pl.col("amount") >= pl.col("n"), pl.col("n") > 0)
        return paid.group_by("group").agg(value=pl.col("late").min().cast(pl.Float64))

    def sent(self, days: Window) -> pl.DataFrame:
        """Invitations of these days."""
        return self.invites.filter(days.holds(pl.col("day")))

    # --- what a metric is made of -----------------------------------------------------------------------------------

    def alone(self, part: pl.DataFrame, *, steps: bool = False) -> pl.DataFrame:
        """A quantity by itself: ``group, value, numerator, denominator``; a group without any has 0."""
        number = money.units(pl.col("n")) if steps else pl.col("n").cast(pl.Float64)
        there = self.groups.join(part, on="group", how="left", nulls_equal=True).with_columns(pl.col("n").fill_null(0))
        return there.select("group", value=number, numerator=number, denominator=pl.lit(None, pl.Float64))

    def over(self, part: pl.DataFrame, whole: pl.DataFrame, steps: tuple[bool, bool] = (False, False)) -> pl.DataFrame:
        """One quantity over another; null where there is nothing to divide by. ``steps``: which of them are money."""
        above, below = (self.alone(q, steps=money_) for q, money_ in zip((part, whole), steps, strict=True))
        both = above.select("group", "numerator").with_columns(denominator=below["numerator"])
        value = stats.ratio(pl.col("numerator"), pl.col("denominator"))
        return both.select("group", "numerator", "denominator", value=value)

    def median(self, rows: pl.DataFrame, column: str) -> pl.DataFrame:
        """The median of a column, with the number of rows it is of as the denominator."""
        middle = rows.group_by("group").agg(value=pl.col(column).median(), denominator=pl.len().cast(pl.Float64))
        there = self.groups.join(middle, on="group", how="left", nulls_equal=True)
        return there.select(
            "group", "value", numerator=pl.lit(None, pl.Float64), denominator=pl.col("denominator").fill_null(0)
        )


_NONE = pl.DataFrame(schema={"group": pl.String, "n": pl.Int64})


def _count(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.group_by("group").agg(n=pl.len().cast(pl.Int64))


def _users(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.group_by("group").agg(n=pl.col("user").n_unique().cast(pl.Int64))


def _total(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.group_by("group").agg(n=pl.col("amount").sum())


# --- the metrics ----------------------------------------------------------------------------------------------------

Measure = Callable[[Measured, Window], pl.DataFrame]
"""A metric of some days: ``group, value, numerator, denominator``, one row for each of the groups."""


class Metric(NamedTuple):
    """One metric: what it needs, after how many days it can be told, and why it may be empty.

    ``after``: days that a newcomer must have lived; None: as many as activation takes. ``empty``: what is said where it
    is null although everything is there.
    """

    stage: str
    name: str
    kind: Kind
    needs: tuple[Need, ...]
    after: int | None
    empty: Text
    measure: Measure


_NO_NEWCOMERS = Text("nobody started on these days", "这些天没有新用户")
_NO_ACTIVE = Text("nobody was there on these days", "这些天没有活跃用户")
_NO_ORDERS = Text("no orders on these days", "这些天没有订单")
NO_COSTS = Text("no costs on these days", "这些天没有费用")
_NO_INVITES = Text("no invitations on these days", "这些天没有邀请")
_NOBODY_JOINED = Text("nobody invited on these days has joined", "这些天的邀请尚无人加入")
_NOT_ACTIVATED = Text("no newcomer of these days was activated", "这些天的新用户无人激活")
_NOT_PAID_BACK = Text(
    f"nothing was spent, or it was not paid back within {PAYBACK} days", f"没有花费,或 {PAYBACK} 天内未回本"
)

WANTING: dict[Need, Text] = {
    "events": Text("needs events (--events)", "需要行为数据(--events)"),
    "orders": Text("needs orders (--orders)", "需要订单数据(--orders)"),
    "amount": Text("the orders hold no amount", "订单数据没有金额"),
    "costs": Text("needs costs (--costs)", "需要费用数据(--costs)"),
    "activation": Text("no activation event is named (--activation-event)", "未指定激活事件(--activation-event)"),
    "referrals": Text("needs referrals (--referrals)", "需要邀请数据(--referrals)"),
    "joined": Text("nothing says when those who were invited started", "无法得知受邀者何时开始使用"),
}
"""What is said where a metric cannot be told at all."""


def _activation_rate(m: Measured, days: Window) -> pl.DataFrame:
    return m.over(_count(m.activated(days)), m.newcomers(days))


def _hours_to_value(m: Measured, days: Window) -> pl.DataFrame:
    return m.median(m.activated(days), "hours")


def _day(n: int) -> Measure:
    return lambda m, days: m.over(*m.returned(days, n))


def _ltv(n: int) -> Measure:
    return lambda m, days: m.over(m.worth(days, n), m.newcomers(days), (True, False))


def _paid_conversion(m: Measured, days: Window) -> pl.DataFrame:
    there = m.visits.filter(days.holds(pl.col("day"))).select("user").unique()
    return m.over(_users(m.ordered(days).join(there, on="user", how="semi")), m.active(days))


def _repeat_rate(m: Measured, days: Window) -> pl.DataFrame:
    payers = m.ordered(days).group_by("user", "group").agg(orders=pl.len())
    return m.over(_count(payers.filter(pl.col("orders") > 1)), _count(payers))


def _payback(m: Measured, days: Window) -> pl.DataFrame:
    there = m.groups.join(m.payback(days), on="group", how="left", nulls_equal=True)
    nothing = pl.lit(None, pl.Float64)
    return there.select("group", "value", numerator=nothing, denominator=nothing)


def _joined(m: Measured, days: Window) -> pl.DataFrame:
    return _count(m.sent(days).filter("came"))


def _cycle(m: Measured, days: Window) -> pl.DataFrame:
    took = stats.ratio(pl.col("start") - pl.col("instant"), pl.lit(MICROSECONDS_A_DAY))
    return m.median(m.sent(days).filter("came").with_columns(took=took).filter(pl.col("took") >= 0), "took")


METRICS: tuple[Metric, ...] = (
    Metric("acquisition", "new_users", "count", (), 0, _NO_NEWCOMERS, lambda m, days: m.alone(m.newcomers(days))),
    Metric("acquisition", "spend", "money", ("costs",), 0, NO_COSTS, lambda m, days: m.alone(m.spend(days), steps=True)),
    Metric("acquisition", "cac", "money", ("costs",), 0, _NO_NEWCOMERS,
           lambda m, days: m.over(m.spend(days), m.newcomers(days), (True, False))),
    Metric("activation", "activation_rate", "share", ("events", "activation"), None, _NO_NEWCOMERS, _activation_rate),
    Metric("activation", "median_hours_to_value", "number", ("events", "activation"), None, _NOT_ACTIVATED, _hours_to_value),
    *(Metric("retention", f"d{n}", "share", (), n, _NO_NEWCOMERS, _day(n)) for n in (1, 7, 30)),
    Metric("revenue", "paid_conversion", "share", ("events", "orders"), 0, _NO_ACTIVE, _paid_conversion),
    Metric("revenue", "arpu", "money", ("events", "orders", "amount"), 0, _NO_ACTIVE,
           lambda m, days: m.over(m.revenue(days), m.active(days), (True, False))),
    Metric("revenue", "arppu", "money", ("orders", "amount"), 0, _NO_ORDERS,
           lambda m, days: m.over(m.revenue(days), _users(m.ordered(days)), (True, False))),
    Metric("revenue", "aov", "money", ("orders", "amount"), 0, _NO_ORDERS,
           lambda m, days: m.over(m.revenue(days), _count(m.ordered(days)), (True, False))),
    Metric("revenue", "repeat_rate", "share", ("orders",), 0, _NO_ORDERS, _repeat_rate),
    *(Metric("revenue", f"ltv_{n}", "money", ("orders", "amount"), n, _NO_NEWCOMERS, _ltv(n)) for n in LTV_DAYS),
    Metric("revenue", "ltv_cac", "number", ("orders", "amount", "costs"), PAYBACK, NO_COSTS,
           lambda m, days: m.over(m.worth(days, PAYBACK), m.spend(days), (True, True))),
    Metric("revenue", "payback_days", "days", ("orders", "amount", "costs"), PAYBACK, _NOT_PAID_BACK, _payback),
    Metric("referral", "invites", "count", ("referrals",), 0, _NO_INVITES, lambda m, days: m.alone(_count(m.sent(days)))),
    Metric("referral", "invite_conversion", "share", ("referrals",), 0, _NO_INVITES,
           lambda m, days: m.over(_joined(m, days), _count(m.sent(days)))),
    Metric("referral", "k_factor", "number", ("referrals",), 0, _NO_ACTIVE,
           lambda m, days: m.over(_joined(m, days), m.active(days))),
    Metric("referral", "cycle_days", "days", ("referrals", "joined"), 0, _NOBODY_JOINED, _cycle),
)  # fmt: skip
"""Every metric, in the order of the report."""
