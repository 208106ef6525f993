"""What customers did: one row each as they are, and as they were at the origins of a backtest.

Days with an order, when the first and the last, what they were worth; births and repeat orders by day. The day is the
unit: several orders on one are one, and a refund nets the order day at or before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING, Literal

import polars as pl

from userops import account, frames, grids, partition, periods, stats, tables
from userops.errors import InputError, UsageError
from userops.models.repeat_buying import MODELS
from userops.periods import WeekStart, epoch_day

if TYPE_CHECKING:
    from userops.lifetime_value.fitting import SavedModel

Unit = Literal["day", "week"]
DAYS: dict[Unit, int] = {"day": 1, "week": 7}

CHOOSE_FROM = 20_000
"""Customers up to which all are looked at to choose a model and to test it; of more, a fixed share by the hash of the id."""

SOME = 8
"""Customers are counted by looking at one in so many."""

ORIGINS = 3
"""Points in time at most from which the past is predicted."""

RESERVED = frozenset({
    "user", "user_id", "first", "last", "frequency", "recency", "recency_days", "age", "T", "monetary_value", "p_alive",
    "expected_orders", "ltv", "ltv_low", "ltv_high", "tier", "tier_zh", "spent", "repeat", "orders", "day", "value", "nth",
    "users", "users_share", "value_share", "expected_value", "mean_ltv", "ltv_from",
    "cohort", "cohort_users", "eligible_users", "revenue_per_user", "complete", "cac", "ltv_cac", "payback", "paid_back",
    "reason", "reason_zh", "spend", "seen", "paid", "amount", "all", "name", "low", "high",
})  # fmt: skip
"""Names of columns of the result, and of those on the way to it: not to be broken down by."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What may be decided about lifetime values; the defaults are what most people mean.

    ``since``, ``until``: customers whose first order lies on these days (inclusive). ``model``: ``auto`` or a name of
    :data:`userops.models.repeat_buying.MODELS`. ``horizon``, ``backtest`` (None: none): lengths of time, whole days.
    ``time_unit``: what recency, T and parameters are told in, days unless told; it changes no prediction. ``discount``: a year.
    ``interval``: the share of values within the limits. ``margin``: of each amount, what remains. ``days``: of the
    realised curves. ``by``: a column kept in the orders. ``per_user``, ``realised``: which table the rows are.
    ``saved``: a model that was fitted before; none is fitted, and ``model`` and ``time_unit`` are its own.
    """

    as_of: date | None = None
    since: date | None = None
    until: date | None = None
    tz: str = "UTC"
    week_start: WeekStart = "monday"
    model: str = "auto"
    horizon: timedelta = timedelta(days=365)
    time_unit: Unit | None = None
    discount: float = 0.10
    backtest: timedelta | None = timedelta(weeks=26)
    interval: float = 0.9
    margin: float = 1.0
    days: tuple[int, ...] = (7, 30, 90)
    by: str | None = None
    per_user: bool = False
    realised: bool = False
    saved: SavedModel | None = None

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
        if self.by in DERIVED and self.realised:
            hint = "cohorts are of the month of the first order as it is; break them down by a column"
            raise UsageError.conflict(f"--by {self.by}", "--realised", hint)
        if self.by in RESERVED and self.by not in DERIVED:
            raise UsageError.bad_value("--by", self.by, "a column that goes by none of the names of the result")
        periods.require_order(self.since, self.until)
        if self.saved is not None and self.model not in ("auto", self.saved.model):
            raise UsageError.conflict(f"--model {self.model}", "--model-file", f"it holds {self.saved.model}")
        if self.saved is not None and self.time_unit not in (None, self.saved.time_unit):
            raise UsageError.conflict(
                f"--time-unit {self.time_unit}", "--model-file", f"its unit is the {self.saved.time_unit}"
            )
        if self.realised and self.per_user:
            raise UsageError.conflict("--realised", "--per-user", "it has rows of cohorts")

    @property
    def apart(self) -> tuple[str, ...]:
        """The column by which cohorts are told apart, if any."""
        return (self.by,) if self.realised and self.by else ()

    @property
    def unit_name(self) -> Unit:
        """The unit of time: as asked for, else that of the saved model, else the day."""
        return self.time_unit or (self.saved.time_unit if self.saved else "day")

    @property
    def unit(self) -> int:
        """Days in the unit of time."""
        return DAYS[self.unit_name]


DERIVED = frozenset({"cohort", "rfm"})
"""What tiers can be broken down by without a column: the month of the first order, the RFM segment."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What the scans found, all days since 1970.

    ``users``: ``user`` (hash of the id), ``first, frequency, last, repeat, spent, orders`` (days; steps), sorted.
    ``then``: of one in ``one_in`` of them the same at every origin: ``frequency_0, last_0, repeat_0``, with what came in
    the days after it: ``held_0, worth_0``. ``refund_only``: those without an order. ``births``: ``first, users`` and what they had paid by each of the days;
    ``repeats``: ``day, repeats``. With costs ``paid`` by month and ``age``, and ``costs``: ``day, channel, amount``.
    """

    books: account.Account
    as_of: date
    origins: tuple[int, ...]
    held: int
    one_in: int
    users: pl.DataFrame
    then: pl.DataFrame
    refund_only: pl.DataFrame
    births: pl.DataFrame
    repeats: pl.DataFrame
    paid: pl.DataFrame | None
    costs: pl.DataFrame | None
    costs_books: account.Account | None
    ids: pl.DataFrame | None

    @property
    def today(self) -> int:
        """As-of, days since 1970."""
        return epoch_day(self.as_of)

    @property
    def has_money(self) -> bool:
        """Whether orders have amounts."""
        return self.books.table.has_amount


def columns(by: str | None) -> list[str]:
    """The columns of the orders that a breakdown needs."""
    return [by] if by is not None and by not in DERIVED else []


def counted(table: frames.Orders, settings: Settings, partitions: int, costs: frames.Costs | None = None) -> Counted:
    """The customers of a table, and what they did by when; what was spent to win them."""
    beside = {"customers": partition.Reduce(_some_users)}
    if settings.per_user:
        beside["ids"] = partition.Reduce(lambda rows: frames.good(rows).select("user_id").unique())
    by = settings.by
    if by is not None and by not in DERIVED:
        beside["by"] = partition.Reduce(lambda rows: tables.first_value(frames.good(rows), by, hashed=True))
    books, small = account.opened(table, beside, partitions=partitions)
    if table.has_amount:
        books.require_one_currency()
    spent, spent_books = (None, None) if costs is None else _costs_of(costs, books)
    as_of = settings.as_of or account.latest_day(books)
    assert books.first_time is not None  # there are rows
    of_user = small["by"].lazy() if settings.apart else None

    def told_apart(days: pl.LazyFrame) -> pl.LazyFrame:
        return days if of_user is None else days.join(of_user, on="user", how="left")

    def run(reduces: dict[str, partition.Reduce]) -> dict[str, pl.DataFrame]:
        prepare = partial(_days, table=table, settings=settings)
        return partition.run(table.rows, reduces, what=table.name, partitions=partitions, prepare=prepare)

    def then(one_in: int) -> dict[str, partition.Reduce]:
        return {"then": partition.Reduce(lambda days: _then(days, origins, held, one_in))}

    one_in = _one_in(SOME * small["customers"].height)
    origins, held = _origins(epoch_day(books.first_time.date()), epoch_day(as_of), settings)
    reduces = {
        "users": partition.Reduce(_users),
        "births": partition.Reduce(lambda days: _births(told_apart(days), settings), keys=(*settings.apart, "first")),
        "repeats": partition.Reduce(_repeats, keys=("day",)),
    }
    if settings.realised and spent is not None:
        keys = (*settings.apart, "cohort", "age")
        reduces["paid"] = partition.Reduce(lambda days: _paid(told_apart(days), settings), keys=keys)
    some_only = one_in > 1 and (settings.since or settings.until)  # how many are in the window is not known yet
    found = run(reduces | ({} if some_only else then(one_in)))
    if some_only:
        one_in = _one_in(found["users"].height)
        found |= run(then(one_in))
    users = found["users"].sort("user")
    if by is not None:
        users = (
            _derived(users, by, epoch_day(as_of))
            if by in DERIVED
            else users.join(small["by"], on="user", how="left", maintain_order="left")
        )
    ids = small["ids"].select("user_id", user=pl.col("user_id").hash(tables.USER_SEED)) if settings.per_user else None
    bought = pl.col("frequency") >= 0
    return Counted(
        books, as_of, origins, held, one_in, users.filter(bought), found["then"].sort("user"), users.filter(~bought),
        found["births"], found["repeats"], found.get("paid"), spent, spent_books, ids,
    )  # fmt: skip


def _derived(users: pl.DataFrame, by: str, today: int) -> pl.DataFrame:
    """Customers with the month of their first order, ``cohort``, or with their RFM segment, ``rfm`` (champions11)."""
    if by == "cohort":
        return users.with_columns(cohort=pl.col("first").cast(pl.Date).dt.strftime("%Y-%m"))
    bought = users.filter(pl.col("frequency") >= 0).select(
        "user", "orders", "spent", recency=today - pl.coalesce("last", "first")
    )
    grid = grids.built_in("champions11")
    late, often, much = (stats.cuts(bought[name], grid.bins) for name in ("recency", "orders", "spent"))
    scores = bought.select(
        r=(grid.bins + 1 - stats.score(pl.col("recency"), late)).cast(pl.Int8),
        f=stats.score(pl.col("orders"), often),
        m=stats.score(pl.col("spent"), much),
    )
    names = pl.Series([segment.name for segment in grid.segments], dtype=pl.String)
    segments = bought.select("user", rfm=names.gather(grid.assign(scores["r"], scores["f"], scores["m"])))
    return users.join(segments, on="user", how="left", maintain_order="left")


def _one_in(users: int) -> int:
    """Of so many customers, one in how many is looked at to choose a model."""
    return max(1, -(-users // CHOOSE_FROM))


def _costs_of(costs: frames.Costs, orders: account.Account) -> tuple[pl.DataFrame, account.Account]:
    """``day, channel, amount``, sorted, and what became of the rows."""
    by_day = partition.Reduce(tables.spend, keys=("day", "channel"))
    books, small = account.opened(costs, {"costs": by_day}, may_be_empty=True)
    books.require_one_currency()
    if orders.currency and books.currency and orders.currency != books.currency:
        both = [orders.currency, books.currency]
        raise InputError.mixed_currencies(f"{orders.table.name} and {costs.name}", both)
    return small["costs"], books


def _origins(first: int, today: int, settings: Settings) -> tuple[tuple[int, ...], int]:
    """The days from whose end the past is predicted, the last one first, and how many days are predicted.

    Each lies half as long before the next one. The history before an origin is as long as what is predicted from it,
    at least; a history too short for that is parted in the middle, one of less than eight weeks not at all.
    """
    if settings.saved is not None:  # what came since it was fitted tells whether it still holds
        fitted_at = epoch_day(settings.saved.as_of)
        return ((fitted_at,), today - fitted_at) if first <= fitted_at < today else ((), 0)
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
    days = orders.rows.select(visit=visit, orders=orders.is_order.cast(pl.UInt32), value="amount").filter(
        pl.col("visit").is_not_null()
    )
    ordered = (pl.col("orders") > 0).cast(pl.Int64)
    user = pl.col("user")
    begins = (user != user.shift(1)).fill_null(value=True)
    nth = pl.col("so_far") - pl.when(begins).then(pl.col("so_far") - ordered).forward_fill()
    born = (pl.col("nth") == 1) & (pl.col("orders") > 0)
    ahead = pl.when(pl.when(born).then("user").backward_fill() == user).then(pl.when(born).then("day").backward_fill())
    first = pl.when(pl.col("nth") > 0).then(pl.when(born).then("day").forward_fill()).otherwise(ahead)
    told = (
        days.sort("visit")  # in order they are grouped as they come
        .group_by("visit", maintain_order=True)
        .agg(pl.col("orders", "value").sum())
        .select("orders", "value", user=tables.visitor(), day=tables.visited(), so_far=ordered.cum_sum())
        .with_columns(nth=nth)
        .with_columns(first=first)
        .drop("so_far")
    )
    if settings.since is None and settings.until is None:
        return told
    earliest = epoch_day(settings.since) if settings.since else -(1 << 30)
    return told.filter(pl.col("first").is_between(earliest, epoch_day(settings.until) if settings.until else 1 << 30))


def _users(days: pl.LazyFrame) -> pl.LazyFrame:
    """One row per customer: how often, until when, for how much."""
    ordered = pl.col("orders") > 0
    return days.group_by("user").agg(
        first=pl.when(ordered).then("day").min(),
        frequency=ordered.sum().cast(pl.Int32) - 1,
        last=pl.when(ordered).then("day").max(),
        repeat=pl.when(pl.col("nth") > 1).then("value").sum(),
        spent=pl.col("value").sum(),
        orders=pl.col("orders").sum().cast(pl.Int64),
    )


def _then(days: pl.LazyFrame, origins: Sequence[int], held: int, one_in: int) -> pl.LazyFrame:
    """One row per customer of the share that is looked at: what was known at every origin, and what came after it."""
    day, ordered, again = pl.col("day"), pl.col("orders") > 0, pl.col("nth") > 1
    then: dict[str, pl.Expr] = {}
    for number, origin in enumerate(origins):
        known, after = day <= origin, day.is_between(origin + 1, origin + held)
        then |= {
            f"frequency_{number}": (ordered & known).sum().cast(pl.Int32) - 1,
            f"last_{number}": pl.when(ordered & known).then("day").max(),
            f"repeat_{number}": pl.when(again & known).then("value").sum(),
            f"held_{number}": (ordered & after).sum().cast(pl.Int32),
            f"worth_{number}": pl.when(after).then("value").sum(),
        }
    looked_at = days.filter(pl.col("user") % one_in == 0, pl.col("first").is_not_null())
    return looked_at.group_by("user").agg(
        pl.col("first").first(),
        spent=pl.col("value").sum(),
        orders=pl.col("orders").sum().cast(pl.Int64),
        **then,
    )


def _some_users(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Users by the hash of the id, those whose is a multiple of ``SOME``: enough to tell about how many there are."""
    user = pl.col("user_id").hash(tables.USER_SEED)
    return frames.good(rows).select(user=user).filter(pl.col("user") % SOME == 0).unique()


def _births(days: pl.LazyFrame, settings: Settings) -> pl.LazyFrame:
    """By day of the first order: ``users``, and what they had paid by each of the days after it (``paid_7``)."""
    age = pl.col("day") - pl.col("first")
    paid = {f"paid_{n}": pl.when(age <= n).then("value").sum() for n in settings.days} if settings.realised else {}
    born = (pl.col("nth") == 1) & (pl.col("orders") > 0)
    there = days.filter(pl.col("first").is_not_null())
    return there.group_by(*settings.apart, "first").agg(users=born.sum().cast(pl.Int64), **paid)


def _paid(days: pl.LazyFrame, settings: Settings) -> pl.LazyFrame:
    """By month and day after the first order: what was ``paid``."""
    there = days.filter(pl.col("first").is_not_null())
    month = pl.col("first").cast(pl.Date).dt.truncate("1mo")
    age = (pl.col("day") - pl.col("first")).clip(0)  # a refund before the first order nets it
    return there.group_by(*settings.apart, cohort=month, age=age).agg(paid=pl.col("value").sum())


def _repeats(days: pl.LazyFrame) -> pl.LazyFrame:
    """By day: ``repeats``, customers who ordered again."""
    again = (pl.col("nth") > 1) & (pl.col("orders") > 0)
    return days.filter(again).group_by("day").agg(repeats=pl.len().cast(pl.Int64))


def at_end_of(users: pl.DataFrame, day: int, tail: str) -> pl.DataFrame:
    """Customers as they were at the end of a day, those not there yet left out: ``frequency, recency_days, age, repeat``."""
    there = users.filter(pl.col(f"frequency{tail}") >= 0) if tail else users
    return there.with_columns(
        frequency=pl.col(f"frequency{tail}"),
        repeat=pl.col(f"repeat{tail}"),
        recency_days=pl.col(f"last{tail}") - pl.col("first"),
        age=day - pl.col("first"),
    )
