"""What customers are worth: orders and value still to come of each, with limits, and what cohorts have paid so far.

Reduce: one row per customer (days with an order, when the first and the last, what they were worth), also as it was at
the origins of the backtest; births and repeat orders by day. Finish: fit, choose, predict, draw, add up.

Definitions (docs/methods.md has the formulas and sources):

* frequency: days with an order after the first such day; recency: from the first to the last of them; T: from the first
  to as-of. monetary_value: mean value of the repeat days; a refund nets the order day at or before it.
* ltv: expected value of the orders within the horizon, discounted, times the margin. Low and high bound what a customer
  will really bring; those of totals bound the total.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date, timedelta
from typing import Any, Literal

import polars as pl

from userops import account, frames, money, partition, periods, stats, tables
from userops.errors import InputError, UsageError
from userops.models import customer_value
from userops.models.customer_value import Future, Outlook, Score, Spent
from userops.models.gamma_gamma import GammaGamma, Spending
from userops.models.histories import Histories
from userops.models.likelihood import Fit
from userops.models.repeat_buying import MODELS
from userops.pages import ltv as page
from userops.periods import WeekStart, epoch_day
from userops.results import NotesBlock, Provenance, Result, Text

Unit = Literal["day", "week"]
DAYS: dict[Unit, int] = {"day": 1, "week": 7}

ORIGINS = 3
"""Points in time at most from which the past is predicted."""

CHOOSE_FROM = 30_000
"""Customers up to which all are looked at to choose a model and to test it; of more, a fixed share by the hash of the id."""

PARETO_FROM = 250_000
"""Customers that Pareto/NBD, the slowest by far, is fitted to at most: of more, a fixed share."""

AS_GOOD = 0.001
"""Models whose deviance is within this share of the best one's are as good; the smaller error of the total decides."""

DROPOUT_TELLS = 2.0
"""The gain in log-likelihood over the model without dropout that its two further parameters must be worth (AIC)."""

TIERS = (
    ("Top 5 %", "前 5%", 0.95),
    ("Next 15 %", "次 15%", 0.80),
    ("Next 30 %", "中 30%", 0.50),
    ("Lower half", "后 50%", 0.0),
)
"""Names of tiers, and the share of customers below them."""

FREQUENCIES, SILENCES = (0, 1, 2, 3, 5, 9), (0, 15, 31, 61, 91, 181, 366)
"""Where the rows and columns of the map begin: repeat days, days since the last order."""

RESERVED = frozenset({
    "user", "user_id", "first", "last", "frequency", "recency", "recency_days", "age", "T", "monetary_value", "p_alive",
    "expected_orders", "ltv", "ltv_low", "ltv_high", "tier", "tier_zh", "spent", "repeat", "orders", "day", "value", "nth",
    "users", "users_share", "value_share", "expected_value", "mean_ltv", "ltv_from",
})  # fmt: skip
"""Names of columns of the result, and of those on the way to it: not to be broken down by."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What may be decided about lifetime values; the defaults are what most people mean.

    ``since``, ``until``: customers whose first order lies on these days (inclusive). ``model``: ``auto`` or a name of
    :data:`userops.models.repeat_buying.MODELS`. ``horizon``, ``backtest`` (None: none): lengths of time, whole days.
    ``time_unit``: what frequency, T and parameters are told in; it changes no prediction. ``discount``: a year.
    ``interval``: the share of values within the limits. ``margin``: of each amount, what remains. ``days``: of the
    realised curves. ``by``: a column kept in the orders. ``per_user``, ``realised``: which table the rows are.
    """

    as_of: date | None = None
    since: date | None = None
    until: date | None = None
    tz: str = "UTC"
    week_start: WeekStart = "monday"
    model: str = "auto"
    horizon: timedelta = timedelta(days=365)
    time_unit: Unit = "day"
    discount: float = 0.10
    backtest: timedelta | None = timedelta(weeks=26)
    interval: float = 0.9
    margin: float = 1.0
    days: tuple[int, ...] = (7, 30, 90)
    by: str | None = None
    per_user: bool = False
    realised: bool = False

    def __post_init__(self) -> None:
        if self.model != "auto" and self.model not in MODELS:
            raise UsageError.unknown_name("model", self.model, ["auto", *MODELS], "--model")
        for option, length in (("--horizon", self.horizon), ("--backtest", self.backtest)):
            if length is not None and not (timedelta(days=1) <= length <= timedelta(days=7305) and length.seconds == 0):
                raise UsageError.bad_value(option, length, "whole days up to 20 years, such as 26w or 365d")
        if not 0 <= self.discount <= 10:
            raise UsageError.bad_value("--discount", self.discount, "a share a year from 0 to 10, such as 0.10")
        if not 0.5 <= self.interval < 1:
            raise UsageError.bad_value("--interval", self.interval, "a share from 0.5 to below 1, such as 0.9")
        if not 0 < self.margin <= 1:
            raise UsageError.bad_value("--margin", self.margin, "a share above 0 up to 1, such as 0.4")
        if not self.days or any(not 0 <= n <= 36_500 for n in self.days) or sorted(set(self.days)) != list(self.days):
            raise UsageError.bad_value("--days", ",".join(map(str, self.days)), "ascending days, such as 7,30,90")
        if self.by in RESERVED:
            raise UsageError.bad_value("--by", self.by, "a column that goes by none of the names of the result")
        periods.require_order(self.since, self.until)
        if self.realised and (self.per_user or self.by):
            raise UsageError.conflict("--realised", "--per-user" if self.per_user else "--by", "it has rows of cohorts")

    @property
    def unit(self) -> int:
        """Days in the unit of time."""
        return DAYS[self.time_unit]


@dataclass(frozen=True, slots=True, repr=False)
class LtvResult(Result):
    """Tiers (``rows``), or cohorts with ``realised``, and, when asked for, every customer (``users``)."""

    users: pl.DataFrame | None = None

    def per_user(self) -> Result:
        """The same result with customers as its rows; needs ``per_user=True`` when it was made."""
        assert self.users is not None, "analyse(..., per_user=True) makes the table of customers"
        headline, *rest = self.views
        views = (headline, page.customers(self.users), *(block for block in rest if isinstance(block, NotesBlock)))
        return replace(self, rows=self.users, views=views)


def analyse(
    orders: frames.Orders | pl.LazyFrame | pl.DataFrame,
    settings: Settings | None = None,
    *,
    partitions: int | None = None,
    **changes: Any,
) -> LtvResult:
    """Lifetime values of the customers in ``orders``.

    ``orders``: a frame with ``user_id, ordered_at, amount`` (see :func:`userops.frames.orders`); without amounts orders
    are predicted, and no value. ``changes`` are fields of :class:`Settings`. ``partitions`` bounds memory, never the
    numbers. Raises InputError when no row is usable; where nothing can be predicted the result says why, and holds
    what was paid so far.
    """
    settings = replace(settings or Settings(), **changes)
    table = orders if isinstance(orders, frames.Orders) else frames.orders(orders, as_of=settings.as_of)
    found = counted(table, settings, partitions or partition.count_for(table.size))
    return Story(settings, found, predicted(found, settings)).result()


# --- reduce -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Counted:
    """What the scans found, all days since 1970.

    ``users``: ``user`` (hash of the id), ``first, frequency, last, repeat, spent, orders`` (days; steps) and the same at
    every origin: ``frequency_0, last_0, repeat_0``, with what came in the days after it: ``held_0, worth_0``; sorted.
    ``refund_only``: those without an order. ``births``: ``first, users`` and what they had paid by each of the days;
    ``repeats``: ``day, repeats``.
    """

    books: account.Account
    as_of: date
    origins: tuple[int, ...]
    held: int
    users: pl.DataFrame
    refund_only: pl.DataFrame
    births: pl.DataFrame
    repeats: pl.DataFrame
    ids: pl.DataFrame | None

    @property
    def today(self) -> int:
        """As-of, days since 1970."""
        return epoch_day(self.as_of)

    @property
    def has_money(self) -> bool:
        """Whether orders have amounts."""
        return self.books.table.has_amount


def counted(table: frames.Orders, settings: Settings, partitions: int) -> Counted:
    """The customers of a table, and what they did by when."""
    first = {"account": account.reduce(table)}
    if table.has_order_id and not table.grain_known:
        first["order_ids"] = account.sampled_order_ids(table)
    small = partition.run(table.rows, first, what=table.name, partitions=partitions)
    books = account.Account(small["account"], table)
    books.require_rows()
    if "order_ids" in small:
        account.refuse_repeated_order_ids(table, books.rows_used, small["order_ids"]["id"])
    if table.has_amount:
        books.require_one_currency()
    as_of = settings.as_of or account.latest_day(books)
    assert books.first_time is not None  # there are rows
    origins, held = _origins(epoch_day(books.first_time.date()), epoch_day(as_of), settings)
    reduces = {
        "users": partition.Reduce(lambda days: _users(days, origins, held)),
        "births": partition.Reduce(lambda days: _births(days, settings), keys=("first",)),
        "repeats": partition.Reduce(_repeats, keys=("day",)),
    }
    found = partition.run(
        table.rows, reduces, what=table.name, partitions=partitions, prepare=lambda rows: _days(rows, table, settings)
    )
    users = found["users"].sort("user")
    if settings.by is not None:
        by = settings.by
        values = partition.Reduce(lambda rows: tables.first_value(frames.good(rows), by, hashed=True))
        of_user = partition.run(table.rows, {"by": values}, what=table.name, partitions=partitions)["by"]
        users = users.join(of_user, on="user", how="left", maintain_order="left")
    ids = None
    if settings.per_user:
        names = partition.Reduce(lambda rows: frames.good(rows).select("user_id").unique())
        ids = partition.run(table.rows, {"ids": names}, what=table.name, partitions=partitions)["ids"]
        ids = ids.select("user_id", user=pl.col("user_id").hash(tables.USER_SEED))
    bought = pl.col("frequency") >= 0
    return Counted(
        books, as_of, origins, held, users.filter(bought), users.filter(~bought), found["births"], found["repeats"], ids
    )


def _origins(first: int, today: int, settings: Settings) -> tuple[tuple[int, ...], int]:
    """The days from whose end the past is predicted, the last one first, and how many days are predicted.

    Each lies half as long before the next one. The history before an origin is as long as what is predicted from it,
    at least; a history too short for that is parted in the middle, one of less than eight weeks not at all.
    """
    if settings.backtest is None or today - first < 56:
        return (), 0
    held = min(settings.backtest.days, (today - first) // 2)
    origins = (today - held - number * (held // 2) for number in range(ORIGINS))
    return tuple(day for day in origins if day - first >= held), held


def _days(rows: pl.LazyFrame, table: frames.Orders, settings: Settings) -> pl.LazyFrame:
    """One row per customer and day with an order or a refund, in order: ``user, day, orders, value, nth, first``.

    ``nth``: how many days with an order there were so far, this one included. ``first``: the customer's first.
    """
    if not table.has_amount:
        rows = rows.with_columns(amount=pl.lit(0, pl.Int64))
    orders = tables.order_rows(rows, within=(), lines=table.grain == "line")
    visit = pl.when(orders.counts).then(tables.visit(pl.col("user_id"), tables.day(pl.col("ordered_at").to_physical())))
    days = orders.rows.select(visit=visit, orders=orders.is_order.cast(pl.UInt32), value="amount").group_by("visit")
    ordered = (pl.col("orders") > 0).cast(pl.Int64)
    user = pl.col("user")
    begins = (user != user.shift(1)).fill_null(value=True)
    nth = pl.col("so_far") - pl.when(begins).then(pl.col("so_far") - ordered).forward_fill()
    born = (pl.col("nth") == 1) & (pl.col("orders") > 0)
    ahead = pl.when(pl.when(born).then("user").backward_fill() == user).then(pl.when(born).then("day").backward_fill())
    first = pl.when(pl.col("nth") > 0).then(pl.when(born).then("day").forward_fill()).otherwise(ahead)
    told = (
        days.agg(pl.col("orders", "value").sum())
        .filter(pl.col("visit").is_not_null())
        .sort("visit")
        .select("orders", "value", user=tables.visitor(), day=tables.visited(), so_far=ordered.cum_sum())
        .with_columns(nth=nth)
        .with_columns(first=first)
        .drop("so_far")
    )
    if settings.since is None and settings.until is None:
        return told
    earliest = epoch_day(settings.since) if settings.since else -(1 << 30)
    return told.filter(pl.col("first").is_between(earliest, epoch_day(settings.until) if settings.until else 1 << 30))


def _users(days: pl.LazyFrame, origins: Sequence[int], held: int) -> pl.LazyFrame:
    """One row per customer: how often, until when, for how much; as it is, and as it was at every origin."""
    day, ordered = pl.col("day"), pl.col("orders") > 0

    def until(seen: pl.Expr | None, tail: str) -> dict[str, pl.Expr]:
        order = ordered if seen is None else ordered & seen
        repeat = pl.col("nth") > 1 if seen is None else (pl.col("nth") > 1) & seen
        return {
            f"frequency{tail}": order.sum().cast(pl.Int32) - 1,
            f"last{tail}": pl.when(order).then("day").max(),
            f"repeat{tail}": pl.when(repeat).then("value").sum(),
        }

    then: dict[str, pl.Expr] = {}
    for number, origin in enumerate(origins):
        after = day.is_between(origin + 1, origin + held)
        then |= until(day <= origin, f"_{number}")
        then |= {
            f"held_{number}": (ordered & after).sum().cast(pl.Int32),
            f"worth_{number}": pl.when(after).then("value").sum(),
        }
    return days.group_by("user").agg(
        first=pl.when(ordered).then("day").min(),
        spent=pl.col("value").sum(),
        orders=pl.col("orders").sum().cast(pl.Int64),
        **until(None, ""),
        **then,
    )


def _births(days: pl.LazyFrame, settings: Settings) -> pl.LazyFrame:
    """By day of the first order: ``users``, and what they paid until each of the days after it (``paid_7``)."""
    age = pl.col("day") - pl.col("first")
    paid = {f"paid_{n}": pl.when(age <= n).then("value").sum() for n in settings.days} if settings.realised else {}
    born = (pl.col("nth") == 1) & (pl.col("orders") > 0)
    return days.filter(pl.col("first").is_not_null()).group_by("first").agg(users=born.sum().cast(pl.Int64), **paid)


def _repeats(days: pl.LazyFrame) -> pl.LazyFrame:
    """By day: ``repeats``, customers who ordered again."""
    again = (pl.col("nth") > 1) & (pl.col("orders") > 0)
    return days.filter(again).group_by("day").agg(repeats=pl.len().cast(pl.Int64))


# --- finish: models ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Groups:
    """Customers with the same history as one row: ``frequency, recency_days, age`` and what they count and spent."""

    rows: pl.DataFrame
    histories: Histories
    spent: Spent

    @classmethod
    def of(cls, users: pl.DataFrame, unit: int, *further: str) -> Groups:
        """From ``frequency, recency_days, age, repeat``; parted by ``further`` columns too."""
        keys = ("frequency", "recency_days", "age", *further)
        repeat = pl.col("repeat").clip(0)
        rows = (
            users.lazy()
            .group_by(keys)
            .agg(users=pl.len().cast(pl.Int64), repeat=repeat.sum(), squares=(repeat.cast(pl.Int128) ** 2).sum())
            .sort(keys)
            .collect()
        )
        columns = rows.select(
            pl.col("frequency", "users").cast(pl.Float64),
            t_x=stats.ratio(pl.col("recency_days"), pl.lit(unit)),
            age=stats.ratio(pl.col("age"), pl.lit(unit)),
            total=money.units(pl.col("repeat")),
            squares=pl.col("squares").cast(pl.Float64) / float(money.SCALE) ** 2,
        )
        x, t_x, age, n = (columns[name].to_numpy() for name in ("frequency", "t_x", "age", "users"))
        return cls(
            rows, Histories.of(x, t_x, age, n), Spent(columns["total"].to_numpy(), columns["squares"].to_numpy())
        )


@dataclass(frozen=True, slots=True)
class Spend:
    """What an order is worth: the model where it holds (``fit``), else ``flat``, the mean, and why (``problem``)."""

    fit: Fit[GammaGamma] | None
    flat: float
    correlation: float | None = None
    problem: Text | None = None

    @property
    def scale(self) -> pl.Expr:
        """What a customer's factor is multiplied by, from ``repeat``."""
        return pl.lit(self.flat) if self.fit is None else self.fit.model.v + money.units(pl.col("repeat").clip(0))

    @property
    def value_of_order(self) -> pl.Expr:
        """The expected value of an order to come, from ``repeat`` and ``frequency``."""
        if self.fit is None:
            return pl.lit(self.flat)
        model = self.fit.model
        return self.scale * model.p / (pl.col("frequency") * model.p + (model.q - 1))


def spending(users: pl.DataFrame) -> Spend:
    """How customers spend, from ``frequency`` and ``repeat`` (and ``spent, orders`` for a mean where nobody came back)."""
    again = users.filter((pl.col("frequency") > 0) & (pl.col("repeat") > 0))
    if again.is_empty():
        orders = int(users["orders"].sum())
        flat = max(0.0, int(users["spent"].sum()) / money.SCALE / orders) if orders else 0.0
        return Spend(None, flat, problem=Text("nobody spent anything on a repeat order", "没有复购金额"))
    grouped = again.group_by("frequency", "repeat").agg(n=pl.len().cast(pl.Float64)).sort("frequency", "repeat")
    grouped = grouped.with_columns(x=pl.col("frequency").cast(pl.Float64), total=money.units(pl.col("repeat")))
    x, n = grouped["x"].to_numpy(), grouped["n"].to_numpy()
    mean = (grouped["total"] / grouped["x"]).to_numpy()
    all_again = users.filter(pl.col("frequency") > 0)
    flat = max(0.0, int(all_again["repeat"].sum()) / money.SCALE / int(all_again["frequency"].sum()))
    together = customer_value.correlation(x, mean, n)
    try:
        fit = GammaGamma.fit(Spending.of(x, mean, n))
    except InputError as error:
        return Spend(None, flat, together, Text(error.message, "Gamma-Gamma 无法拟合"))
    if not fit.identified:
        en, zh = "customers hardly differ in what they spend per order", "客户间客单价差异过小"
        return Spend(None, flat, together, Text(en, zh))
    if fit.model.mean is None:
        en = f"Gamma-Gamma has q = {fit.model.q:.2f}, at most 1: its mean is infinite"
        return Spend(None, flat, together, Text(en, f"Gamma-Gamma 的 q = {fit.model.q:.2f} 不大于 1,均值无穷"))
    return Spend(fit, flat, together)


@dataclass(frozen=True, slots=True)
class Trial:
    """How one model, or a baseline, did from one origin: ``deviance``, tenths and gains (models only), orders, value."""

    model: str
    origin: int
    deviance: float | None
    orders: Score
    value: Score | None = None
    deciles: tuple[tuple[float, float], ...] = ()
    gains: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Predicted:
    """The fitted model (None: nothing could be fitted, and why), how it was chosen, and what it says of the groups.

    ``groups`` has ``p_alive`` (null where dropout is not told), ``expected_orders, discounted, low, high`` beside the
    keys. ``name``: of :data:`userops.models.repeat_buying.MODELS`. ``candidates``: their fits on the customers looked at.
    """

    name: str | None
    fit: Fit[Any] | None
    spend: Spend
    groups: pl.DataFrame
    outlook: Outlook | None
    dropout: bool
    gain: float | None
    candidates: dict[str, Fit[Any]] = field(default_factory=dict)
    trials: tuple[Trial, ...] = ()
    looked_at: int = 0
    one_in: int = 1
    why: tuple[Text, ...] = ()
    problem: str | None = None

    def mean(self, name: str, measure: str) -> float | None:
        """The mean over the origins of a measure of a model's or baseline's orders; None where there is none."""
        found = [getattr(t.orders if measure in Score._fields else t, measure) for t in self.trials if t.model == name]
        values = [value for value in found if value is not None]
        return sum(values) / len(values) if values else None

    def too_low_by(self, *, value: bool) -> float | None:
        """What came over what the model had said, of orders or value, mean over the origins; None without a backtest."""
        scores = [trial.value if value else trial.orders for trial in self.trials if trial.model == self.name]
        errors = [score.total_error for score in scores if score is not None and score.total_error is not None]
        ratios = [1 / (1 + error) for error in errors if error > -1]
        return sum(ratios) / len(ratios) if ratios else None


def predicted(found: Counted, settings: Settings) -> Predicted:
    """Fit, choose, predict."""
    users = _at(found.users, found.today, "")
    spend = spending(users)
    groups = Groups.of(users, settings.unit)
    one_in = -(-users.height // CHOOSE_FROM)
    sample = found.users.filter(pl.col("user") % one_in == 0) if one_in > 1 else found.users
    names = list(MODELS) if settings.model == "auto" else list(dict.fromkeys(["nbd", settings.model]))
    of_sample = Groups.of(_at(sample, found.today, ""), settings.unit) if one_in > 1 else groups
    candidates, problem = _fitted(names, of_sample)
    if not candidates and one_in > 1:  # the few who came back may all be others
        sample, one_in = found.users, 1
        candidates, problem = _fitted(names, groups)
    if not candidates:
        nothing = groups.rows.with_columns(
            pl.lit(None, pl.Float64).alias(name) for name in ("p_alive", "expected_orders", "discounted", "low", "high")
        )
        return Predicted(None, None, spend, nothing, None, dropout=False, gain=None, problem=problem)
    trials = tuple(
        trial
        for number, origin in enumerate(found.origins)
        for trial in _trials(sample, found, settings, names, number)
    )
    name, why = _chosen(candidates, trials, settings)
    fit = candidates[name] if one_in == 1 else _fit_of_all(name, users, groups, settings)
    gain = None
    if MODELS[name].DROPOUT:
        plain = candidates["nbd"] if one_in == 1 else MODELS["nbd"].fit(groups.histories)
        gain = fit.log_likelihood - plain.log_likelihood
    dropout = gain is not None and gain > DROPOUT_TELLS and not fit.edge
    future = Future(
        settings.horizon.days / settings.unit,
        settings.horizon.days / 365,
        settings.discount,
        settings.interval,
        spend.flat,
    )
    h = groups.histories
    orders, discounted = customer_value.expected_orders(fit.model, h, future.horizon, future.years, future.rate)
    told = groups.rows.with_columns(
        p_alive=pl.Series(fit.model.p_alive(h)) if dropout else pl.lit(None, pl.Float64),
        expected_orders=pl.Series(orders),
        discounted=pl.Series(discounted),
    )
    value = told.select((pl.col("discounted") * _group_value(spend)).alias("value"))["value"]
    total = float((orders * h.weight).sum()), float(value.to_numpy().sum())
    seen = customer_value.outlook(fit, spend.fit, h, groups.spent, future, total)
    told = told.with_columns(low=pl.Series(seen.low), high=pl.Series(seen.high))
    return Predicted(
        name, fit, spend, told, seen, dropout, gain, candidates, trials, sample.height, one_in, why, problem
    )


def _fit_of_all(name: str, users: pl.DataFrame, groups: Groups, settings: Settings) -> Fit[Any]:
    """A model fitted to all customers, or to as many as it can take; the log-likelihood is of all."""
    one_in = -(-users.height // PARETO_FROM) if name == "pareto-nbd" else 1
    if one_in == 1:
        return MODELS[name].fit(groups.histories)
    part = Groups.of(users.filter(pl.col("user") % one_in == 0), settings.unit)
    fit = MODELS[name].fit(part.histories)
    return replace(fit, log_likelihood=customer_value.log_likelihood(fit.model, groups.histories))


def _group_value(spend: Spend) -> pl.Expr:
    """What one more order of every customer of a group is worth together, from ``users, repeat, frequency``."""
    if spend.fit is None:
        return pl.col("users") * spend.flat
    model = spend.fit.model
    worth = pl.col("users") * model.v + money.units(pl.col("repeat"))
    return worth * model.p / (pl.col("frequency") * model.p + (model.q - 1))


def _at(users: pl.DataFrame, day: int, tail: str) -> pl.DataFrame:
    """Customers as they were at the end of a day, those not there yet left out: ``frequency, recency_days, age, repeat``."""
    there = users.filter(pl.col(f"frequency{tail}") >= 0) if tail else users
    return there.with_columns(
        frequency=pl.col(f"frequency{tail}"),
        repeat=pl.col(f"repeat{tail}"),
        recency_days=pl.col(f"last{tail}") - pl.col("first"),
        age=day - pl.col("first"),
    )


def _fitted(names: Sequence[str], groups: Groups) -> tuple[dict[str, Fit[Any]], str | None]:
    """The models that can be fitted, and why others cannot."""
    fits, problem = {}, None
    for name in names:
        try:
            fits[name] = MODELS[name].fit(groups.histories)
        except InputError as error:
            problem = problem or error.message
    return fits, problem


def _trials(sample: pl.DataFrame, found: Counted, settings: Settings, names: Sequence[str], number: int) -> list[Trial]:
    """How each model and each baseline predicts what came after one origin."""
    origin = found.origins[number]
    then = _at(sample, origin, f"_{number}").with_columns(held=f"held_{number}", worth=f"worth_{number}")
    if then.is_empty():
        return []
    fits, _ = _fitted(names, Groups.of(then, settings.unit))
    grouped = Groups.of(then, settings.unit, "held")
    h, actual = grouped.histories, grouped.rows["held"].cast(pl.Float64).to_numpy()
    horizon = found.held / settings.unit
    baselines = {
        "naive_rate": grouped.rows.select(
            pl.when(pl.col("age") > 0).then(pl.col("frequency") / pl.col("age") * float(found.held)).otherwise(0.0)
        ).to_series(),
        "naive_past": grouped.rows["frequency"].cast(pl.Float64),
    }
    told = [
        Trial(
            name,
            origin,
            None,
            customer_value.score(guess.to_numpy(), actual, h.weight),
            _naive_value(name, then, found),
        )
        for name, guess in baselines.items()
    ]
    spend = spending(then) if found.has_money else None
    for name, fit in fits.items():
        expected = fit.model.expected_orders(horizon, h)
        value = None
        if spend is not None:
            of_group = grouped.rows.select("frequency", "recency_days", "age", "held", expected=pl.Series(expected))
            keys = ["frequency", "recency_days", "age", "held"]
            with_guess = then.join(of_group, on=keys, how="left", maintain_order="left")
            guess = with_guess.select(pl.col("expected") * spend.value_of_order).to_series()
            value = _value_score(guess, then)
        deviance = customer_value.deviance(fit.model, h, actual, horizon)
        right = customer_value.score(expected, actual, h.weight)
        deciles = tuple(customer_value.by_decile(expected, actual, h.weight))
        gains = tuple(customer_value.gains(expected, actual, h.weight))
        told.append(Trial(name, origin, deviance, right, value, deciles, gains))
    return told


def _value_score(guess: pl.Series, then: pl.DataFrame) -> Score:
    actual = then.select(money.units(pl.col("worth"))).to_series()
    ones = pl.Series([1.0]).new_from_index(0, then.height)
    return customer_value.score(guess.to_numpy(), actual.to_numpy(), ones.to_numpy())


def _naive_value(name: str, then: pl.DataFrame, found: Counted) -> Score | None:
    """How well the past repeat spending, or its rate, tells what came."""
    if not found.has_money:
        return None
    past = money.units(pl.col("repeat"))
    if name == "naive_rate":
        past = pl.when(pl.col("age") > 0).then(past / pl.col("age") * float(found.held)).otherwise(0.0)
    return _value_score(then.select(past).to_series(), then)


def _chosen(fits: dict[str, Fit[Any]], trials: Sequence[Trial], settings: Settings) -> tuple[str, tuple[Text, ...]]:
    """The model to go by, and why."""
    if settings.model != "auto":
        name = settings.model if settings.model in fits else next(iter(fits))
        return name, (Text(f"{MODELS[name].NAME}, as asked for.", f"按指定使用 {MODELS[name].NAME}。"),)
    plain = fits["nbd"].log_likelihood if "nbd" in fits else None
    telling = {
        name: fit
        for name, fit in fits.items()
        if not MODELS[name].DROPOUT or plain is None or (fit.log_likelihood - plain > DROPOUT_TELLS and not fit.edge)
    }
    if list(telling) == ["nbd"]:
        return "nbd", (page.NO_DROPOUT,)
    tried: dict[str, tuple[float, float]] = {}
    for name in telling:
        mine = [trial for trial in trials if trial.model == name and trial.deviance is not None]
        if mine:
            off = [trial.orders.total_error for trial in mine if trial.orders.total_error is not None]
            mean = sum(trial.deviance or 0.0 for trial in mine) / len(mine)
            tried[name] = mean, abs(sum(off) / len(off)) if off else 0.0
    if not tried:
        name = max(telling, key=lambda name: telling[name].log_likelihood - len(telling[name].parameters))
        return name, (page.by_likelihood(MODELS[name].NAME),)
    best = min(deviance for deviance, _ in tried.values())
    as_good = [name for name, (deviance, _) in tried.items() if deviance <= best * (1 + AS_GOOD)]
    name = min(as_good, key=lambda name: (tried[name][1], name))
    return name, (page.by_backtest(MODELS[name].NAME, tried[name], [MODELS[n].NAME for n in as_good if n != name]),)


# --- finish: what comes out -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Story:
    """Everything a result is told from."""

    settings: Settings
    found: Counted
    predicted: Predicted

    def result(self) -> LtvResult:
        """All of it as one result."""
        settings, found = self.settings, self.found
        customers = self.customers()
        rows = self.realised() if settings.realised else self.tiers(customers)
        summary = self.summary(customers)
        extras = {} if settings.realised else self.extras(customers)
        warnings = [*self.row_warnings(), *page.warnings(self, summary)]
        chosen = {f.name: getattr(settings, f.name) for f in fields(settings) if f.name not in ("tz", "week_start")}
        chosen |= {"as_of": found.as_of, "days": list(settings.days), "backtest_days": found.held}
        provenance = Provenance(
            as_of=found.as_of.isoformat(),
            tz=settings.tz,
            week_start=settings.week_start,
            inputs=found.books.reports(),
            settings={name: _plain(value) for name, value in chosen.items()},
            definitions=page.definitions(self),
            warnings=tuple(warnings),
            facts={
                "refund_only": {
                    "users": found.refund_only.height,
                    "revenue": int(found.refund_only["spent"].sum()) / money.SCALE,
                }
            },
        )
        return LtvResult(
            command="ltv",
            rows=rows,
            summary=summary,
            provenance=provenance,
            extras=extras,
            views=page.views(self, rows, extras, summary, warnings),
            users=self.told_customers(customers) if settings.per_user else None,
        )

    def row_warnings(self) -> list[Text]:
        """What is odd about the rows."""
        books = self.found.books
        copies = account.copies_warning(account.exact_copies(books.table, books.rows_used))
        seen = (books.twice_warning(), account.cut_short(books, self.found.as_of), copies)
        return [warning for warning in seen if warning is not None]

    def customers(self) -> pl.DataFrame:
        """Every customer with what is expected: values in steps of money, expected orders in billionths, and the tier."""
        found, told, settings = self.found, self.predicted, self.settings
        users = _at(found.users, found.today, "").select(
            "user", "first", "frequency", "recency_days", "age", "repeat", "spent", "orders",
            *([settings.by] if settings.by else []),
        )  # fmt: skip
        keys = ["frequency", "recency_days", "age"]
        said = told.groups.select(*keys, "p_alive", "expected_orders", "discounted", "low", "high")
        users = users.join(said, on=keys, how="left", maintain_order="left")
        scale = told.spend.scale * settings.margin
        worth = pl.col("discounted") * told.spend.value_of_order * settings.margin
        values = {"ltv": worth, "ltv_low": pl.col("low") * scale, "ltv_high": pl.col("high") * scale}
        if not found.has_money:
            values = {name: pl.lit(None, pl.Float64) for name in values}
        users = users.with_columns(
            billionths=(pl.col("expected_orders") * 1e9).round().cast(pl.Int64),
            **{name: _steps(value) for name, value in values.items()},
        )
        return users.with_columns(tier=_tier(users, self.ranked_by))

    @property
    def ranked_by(self) -> str:
        """What tiers are made by: the expected value, else expected orders, else what was paid, or orders."""
        if self.predicted.fit is None:
            return "spent" if self.found.has_money else "orders"
        return "ltv" if self.found.has_money else "billionths"

    def told_customers(self, customers: pl.DataFrame) -> pl.DataFrame:
        """One row per customer, sorted by the text of the id."""
        assert self.found.ids is not None  # they were asked for
        unit, has_money = self.settings.unit, self.found.has_money
        names = (pl.Series([tier[place] for tier in TIERS], dtype=pl.String) for place in (0, 1))
        name, name_zh = (column.gather(customers["tier"]) for column in names)
        repeat = money.units(pl.col("repeat")) if has_money else pl.lit(None, pl.Float64)
        known = customers.with_columns(name=name, name_zh=name_zh).join(self.found.ids, on="user", how="left")
        return known.sort(pl.col("user_id").cast(pl.String)).select(
            user_id=pl.col("user_id").cast(pl.String),
            frequency=pl.col("frequency").cast(pl.Int64),
            recency=stats.ratio(pl.col("recency_days"), pl.lit(unit)),
            T=stats.ratio(pl.col("age"), pl.lit(unit)),
            monetary_value=stats.ratio(repeat, pl.col("frequency").cast(pl.Float64)),
            p_alive="p_alive",
            expected_orders="expected_orders",
            ltv=money.units(pl.col("ltv")),
            ltv_low=money.units(pl.col("ltv_low")),
            ltv_high=money.units(pl.col("ltv_high")),
            tier="name",
            tier_zh="name_zh",
            spent=money.units(pl.col("spent")) if has_money else pl.lit(None, pl.Float64),
            **({self.settings.by: pl.col(self.settings.by)} if self.settings.by else {}),
        )

    def tiers(self, customers: pl.DataFrame) -> pl.DataFrame:
        """One row per tier, the most valuable first, those without customers too; with ``by`` of each of its values.

        ``tier, tier_zh, users, users_share, expected_orders, expected_value, value_share, mean_ltv, ltv_from, spent``.
        """
        by, has_money = self.settings.by, self.found.has_money
        keys = [by] if by else []
        no_model, null = self.predicted.fit is None, pl.lit(None, pl.Int64)
        names = pl.DataFrame(
            [(number, name, name_zh) for number, (name, name_zh, _) in enumerate(TIERS)],
            schema={"tier": pl.UInt8, "name": pl.String, "name_zh": pl.String},
            orient="row",
        )
        added = customers.group_by(*keys, "tier").agg(
            users=pl.len().cast(pl.Int64),
            frequency=pl.col("frequency").cast(pl.Int64).sum(),
            billionths=pl.col("billionths").sum(),
            ltv=pl.col("ltv").sum(),
            lowest=pl.col("ltv").min(),
            spent=pl.col("spent").sum(),
        )
        frame = customers.select(by).unique().join(names, how="cross") if by else names
        sums = ("users", "frequency", "billionths", "ltv", "spent")
        every = frame.join(added, on=[*keys, "tier"], how="left", nulls_equal=True).with_columns(
            pl.col(sums).fill_null(0)
        )
        every = every.with_columns(
            billionths=null if no_model else pl.col("billionths"),
            ltv=pl.col("ltv") if has_money and not no_model else null,
            spent=pl.col("spent") if has_money else null,
        ).sort(*keys, "tier", nulls_last=True)
        total = int(customers["ltv"].sum())
        return every.select(
            *keys,
            tier="name",
            tier_zh="name_zh",
            users="users",
            users_share=stats.ratio(pl.col("users"), pl.lit(customers.height)),
            mean_frequency=stats.ratio(pl.col("frequency"), pl.col("users")),
            expected_orders=pl.col("billionths") / pl.lit(1e9),
            expected_value=money.units(pl.col("ltv")),
            value_share=stats.ratio(pl.col("ltv"), pl.lit(total)),
            mean_ltv=stats.ratio(pl.col("ltv"), pl.col("users") * money.SCALE),
            ltv_from=money.units(pl.col("lowest")),
            spent=money.units(pl.col("spent")),
        )

    def realised(self) -> pl.DataFrame:
        """What cohorts (months of the first order) have paid per customer by so many days after it.

        ``cohort, cohort_users, day, eligible_users, revenue_per_user, complete``: of customers seen for so many days;
        null where there is none.
        """
        found = self.found
        first = pl.col("first").cast(pl.Date).dt.truncate("1mo")
        parts = []
        for n in self.settings.days:
            old = pl.col("first") + n <= found.today
            part = (
                found.births.filter(pl.col("users") > 0)
                .group_by(cohort=first)
                .agg(
                    cohort_users=pl.col("users").sum(),
                    eligible_users=pl.when(old).then("users").sum(),
                    paid=pl.when(old).then(f"paid_{n}").sum(),
                )
            )
            parts.append(part.with_columns(day=pl.lit(n, pl.Int64)))
        worth = stats.ratio(pl.col("paid"), pl.col("eligible_users") * money.SCALE)
        return (
            pl.concat(parts)
            .sort("cohort", "day")
            .select(
                "cohort",
                "cohort_users",
                "day",
                "eligible_users",
                revenue_per_user=worth if found.has_money else pl.lit(None, pl.Float64),
                complete=pl.col("eligible_users") == pl.col("cohort_users"),
            )
        )

    def summary(self, customers: pl.DataFrame) -> dict[str, Any]:
        """All customers together."""
        told, found, settings = self.predicted, self.found, self.settings
        fit, spend, has_money = told.fit, told.spend, found.has_money
        n = customers.height
        seen, margin = told.outlook, settings.margin
        horizon = float(settings.horizon.days)
        naive = pl.when(pl.col("age") > 0).then(horizon / pl.col("age")).otherwise(0.0)
        rates = customers.select(
            orders=(naive * pl.col("frequency") * 1e6).round().cast(pl.Int64).sum(),
            value=(naive * pl.col("repeat") * margin).round().cast(pl.Int64).sum(),
        ).row(0)
        spread = seen.value if seen and has_money else None
        return {
            "model": told.name,
            "parameters": fit.parameters if fit else None,
            "standard_errors": fit.standard_errors if fit and fit.identified else None,
            "log_likelihood": fit.log_likelihood if fit else None,
            "dropout_identified": told.dropout,
            "spend_parameters": spend.fit.parameters if spend.fit and has_money else None,
            "spend_log_likelihood": spend.fit.log_likelihood if spend.fit and has_money else None,
            "spend_correlation": spend.correlation if has_money else None,
            "backtest": self.backtest(),
            "candidates": self.candidates(),
            "users": n,
            "one_time_users": int((customers["frequency"] == 0).sum()),
            "orders": int(customers["orders"].sum()),
            "revenue": int(customers["spent"].sum()) / money.SCALE if has_money else None,
            "currency": found.books.currency,
            "horizon_days": settings.horizon.days,
            "expected_orders": int(customers["billionths"].sum()) / 1e9 if fit else None,
            "expected_orders_low": seen.orders.low if seen else None,
            "expected_orders_high": seen.orders.high if seen else None,
            "expected_value": int(customers["ltv"].sum()) / money.SCALE if fit and has_money else None,
            "expected_value_low": spread.low * margin if spread else None,
            "expected_value_high": spread.high * margin if spread else None,
            "mean_ltv": int(customers["ltv"].sum()) / money.SCALE / n if fit and has_money and n else None,
            **self.recalibrated(customers),
            "naive_expected_orders": rates[0] / 1e6,
            "naive_expected_value": rates[1] / money.SCALE if has_money else None,
            **{f"backtest_{key}": told.mean(told.name or "", key) for key in Score._fields},
            "refund_only_users": found.refund_only.height,
        }

    def recalibrated(self, customers: pl.DataFrame) -> dict[str, float | None]:
        """The totals times what came over what was said in the backtest: for a trend that the model does not know."""
        told, found = self.predicted, {}
        for name, column, scale in (("orders", "billionths", 1e9), ("value", "ltv", money.SCALE)):
            ratio = told.too_low_by(value=name == "value")
            total = int(customers[column].sum()) / scale
            found[f"expected_{name}_recalibrated"] = None if ratio is None else total * ratio
        return found

    def backtest(self) -> dict[str, Any] | None:
        """How the model did on what is known by now, and how the baselines did: means over the origins."""
        told, found = self.predicted, self.found
        if not told.trials or told.name is None:
            return None
        scores = {
            name: {key: told.mean(name, key) for key in Score._fields} | self.value_scores(name)
            for name in (told.name, "naive_rate", "naive_past")
        }
        mine = scores.pop(told.name)
        return {
            "origins": [_day(origin) for origin in found.origins],
            "days": found.held,
            "users": told.looked_at,
            "deviance": told.mean(told.name, "deviance"),
            **mine,
            **scores,
        }

    def value_scores(self, name: str) -> dict[str, float | None]:
        """``value_mae`` and so on, means over the origins."""
        found: dict[str, float | None] = {}
        for key in Score._fields:
            scores = [trial.value for trial in self.predicted.trials if trial.model == name]
            values = [getattr(score, key) for score in scores if score is not None]
            known = [value for value in values if value is not None]
            found[f"value_{key}"] = sum(known) / len(known) if known else None
        return found

    def candidates(self) -> list[dict[str, Any]]:
        """The models that were fitted, and how they did."""
        told = self.predicted
        measures = ("deviance", *Score._fields)
        return [
            {
                "model": name,
                "chosen": name == told.name,
                "log_likelihood": fit.log_likelihood,
                **{key: told.mean(name, key) for key in measures},
            }
            for name, fit in told.candidates.items()
        ]

    def extras(self, customers: pl.DataFrame) -> dict[str, pl.DataFrame]:
        """``map``, ``tracking`` (by week), ``backtest`` (every trial); of its latest origin ``calibration`` and ``gain``."""
        told, found = self.predicted, self.found
        if told.fit is None:
            return {}
        extras = {"map": self.map(customers), "tracking": self.tracking()}
        latest = [trial for trial in told.trials if trial.model == told.name and trial.origin == found.origins[0]]
        if latest:
            schema: dict[str, Any] = {"origin": pl.String, "model": pl.String, "deviance": pl.Float64}
            schema |= dict.fromkeys(Score._fields, pl.Float64)
            rows = [(_day(t.origin), t.model, t.deviance, *t.orders) for t in told.trials]
            extras["backtest"] = pl.DataFrame(rows, schema=schema, orient="row")
            extras["calibration"] = _tenths(("predicted", "actual"), latest[0].deciles)
            extras["gain"] = _tenths(("model", "true_order"), latest[0].gains)
        return extras

    def map(self, customers: pl.DataFrame) -> pl.DataFrame:
        """Customers by how often they came back and how long they are silent, each from a number on.

        ``frequency_from, silent_from`` (days), ``users, mean_expected_orders``.
        """
        silent = pl.col("age") - pl.col("recency_days")
        parts = customers.group_by(
            frequency_from=_from(pl.col("frequency"), FREQUENCIES), silent_from=_from(silent, SILENCES)
        )
        added = parts.agg(users=pl.len().cast(pl.Int64), billionths=pl.col("billionths").sum())
        mean = stats.ratio(pl.col("billionths"), pl.col("users") * 1_000_000_000)
        return added.sort("frequency_from", "silent_from").select(
            "frequency_from", "silent_from", "users", mean_expected_orders=mean
        )

    def tracking(self) -> pl.DataFrame:
        """Repeat orders by week (whole ones, back from as-of): ``week`` (its last day), ``actual, expected``."""
        found, told = self.found, self.predicted
        assert told.fit is not None  # there is a model
        start = int(found.births["first"].min())  # type: ignore[arg-type] # there are customers
        every = pl.select(day=pl.int_range(start, found.today + 1, dtype=pl.Int32))
        born = every.join(found.births, left_on="day", right_on="first", how="left", maintain_order="left")
        came = every.join(found.repeats, on="day", how="left", maintain_order="left")["repeats"].fill_null(0)
        expected = customer_value.tracked(
            told.fit.model, born["users"].fill_null(0).cast(pl.Float64).to_numpy(), float(self.settings.unit)
        )
        days = every.with_columns(actual=came, expected=pl.Series(expected), week=(found.today - pl.col("day")) // 7)
        weeks = days.group_by("week").agg(
            pl.col("day").max(), pl.col("actual").sum(), pl.col("expected").sort_by("day").sum(), n=pl.len()
        )
        whole = weeks.filter(pl.col("n") == 7).sort("day")
        return whole.select(pl.col("day").cast(pl.Date).alias("week"), "actual", "expected")


def _from(value: pl.Expr, starts: Sequence[int]) -> pl.Expr:
    """The largest of the starts that is not above a value."""
    found = pl.lit(starts[0], pl.Int64)
    for start in starts[1:]:
        found = pl.when(value >= start).then(pl.lit(start, pl.Int64)).otherwise(found)
    return found


def _tenths(names: tuple[str, str], pairs: Sequence[tuple[float, float]]) -> pl.DataFrame:
    """``tenth`` (from 1) and the two numbers of each."""
    rows = [(number, *pair) for number, pair in enumerate(pairs, start=1)]
    return pl.DataFrame(rows, schema={"tenth": pl.Int64, **dict.fromkeys(names, pl.Float64)}, orient="row")


def _steps(value: pl.Expr) -> pl.Expr:
    """Currency units as exact steps."""
    return (value * float(money.SCALE)).round().cast(pl.Int64)


def _tier(users: pl.DataFrame, by: str) -> pl.Series:
    """The index of each customer's tier: above the value at rank ceil(share * n), so that equal values share one."""
    n, ordered = users.height, users[by].sort()
    if n == 0:
        return pl.Series("tier", [], pl.UInt8)
    above = [pl.col(by) > ordered[math.ceil(share * n) - 1] for _, _, share in TIERS[:-1]]
    return users.select(tier=pl.sum_horizontal((~higher).cast(pl.UInt8) for higher in above)).to_series()


def _day(number: int) -> str:
    return (date(1970, 1, 1) + timedelta(days=number)).isoformat()


def _plain(value: Any) -> Any:
    """A setting as JSON holds it."""
    if isinstance(value, timedelta):
        return f"{value.days}d"
    return value.isoformat() if isinstance(value, date) else value
