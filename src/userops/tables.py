"""Small tables that several analyses share: orders folded from lines, user summaries, order gaps, visits, sessions.

All are reduces (:mod:`userops.partition`): rows of whole users in, a small table out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from userops import frames, periods
from userops.periods import MICROSECONDS_A_DAY, Grain, WeekStart, end_of_day, start_of_day

USER_SEED = 7
"""Seed of the hash that stands in for a user id while grouping."""


_APART = 1 << 32
"""How far apart two users lie in a key of user and day (or period): more than any two days."""


def day(physical: pl.Expr) -> pl.Expr:
    """Days since 1970-01-01 (Int32) of a time in microseconds, the calendar day of its wall clock."""
    return (physical // MICROSECONDS_A_DAY).cast(pl.Int32)


@dataclass(frozen=True, slots=True)
class OrderRows:
    """Rows of orders and refunds, and two conditions: which rows count, and which of those are orders.

    Conditions rather than filters: tables that share a scan stay cheap as long as each looks at the same rows, while a
    filter below several of them makes Polars keep a copy of all rows (measured: twice the CPU).
    """

    rows: pl.LazyFrame
    counts: pl.Expr
    is_order: pl.Expr


def order_rows(rows: pl.LazyFrame, *, within: Sequence[pl.Expr], lines: bool, keep: Sequence[str] = ()) -> OrderRows:
    """Canonical rows at order grain: folded when they are ``lines``, with the columns ``keep``.

    ``within``: conditions on what is reported.
    """
    counts = pl.all_horizontal(pl.col("reject") == 0, *within) if within else pl.col("reject") == 0
    if lines:
        return OrderRows(fold_lines(rows.filter(counts), keep), pl.lit(value=True), pl.col("is_order"))
    return OrderRows(rows, counts, counts & (pl.col("amount") >= 0))


def fold_lines(rows: pl.LazyFrame, keep: Sequence[str] = ()) -> pl.LazyFrame:
    """One row per order from one row per item: ``user_id, ordered_at, instant, amount``, plus ``is_order`` and ``keep``.

    An order is dated by its earliest line that is not negative and worth the sum of its lines; without such a line it
    is a refund (``ordered_at`` is then the refund's own time). Rows without an order id stand for themselves. Of several
    values of a kept column an order has the smallest.
    """
    sale = pl.col("amount") >= 0
    named = (
        rows.filter(pl.col("order_id").is_not_null())
        .group_by("user_id", "order_id")
        .agg(
            pl.coalesce(pl.when(sale).then("ordered_at").min(), pl.col("ordered_at").min()),
            pl.coalesce(pl.when(sale).then("instant").min(), pl.col("instant").min()),
            pl.col("amount").sum(),
            *(pl.col(name).min() for name in keep),
            is_order=sale.any(),
        )
    )
    alone = rows.filter(pl.col("order_id").is_null())
    columns = ("user_id", "ordered_at", "instant", "amount", "is_order", *keep)
    return pl.concat([named.select(columns), alone.with_columns(is_order=sale).select(columns)])


def user_summary(orders: OrderRows, *, with_ids: bool) -> pl.LazyFrame:
    """One row per user: ``user, last_order, orders, monetary``.

    ``last_order``: microseconds of the latest order, null for users with refunds only. ``orders``: how many, refunds
    excluded. ``monetary``: exact steps, refunds netted. ``user`` is the id, or without ids a 64-bit hash of it: twice
    as fast, and for 16 million users the chance that any two share one is below 1 in 100,000 (n² / 2⁶⁵).
    """
    user = pl.col("user_id") if with_ids else pl.col("user_id").hash(USER_SEED)
    return (
        orders.rows.select(
            pl.when(orders.counts).then(user).alias("user"),
            pl.when(orders.is_order).then(pl.col("ordered_at").to_physical()).alias("last_order"),
            pl.col("amount").alias("monetary"),
        )
        .group_by("user")
        .agg(
            pl.col("last_order").max(),
            pl.col("last_order").count().cast(pl.UInt32).alias("orders"),
            pl.col("monetary").sum(),
        )
        .filter(pl.col("user").is_not_null())
    )


def order_gaps(orders: OrderRows, *, one_user_in: int = 1) -> pl.LazyFrame:
    """How often each gap occurs: ``gap_days, n``: days from one order date of a user to the next.

    Several orders on one day count once. ``one_user_in`` looks at a fixed share of users, chosen by the hash of their
    id, where looking at all would cost more than the answer is worth.
    """
    user = pl.col("user_id").hash(USER_SEED)
    looked_at = orders.is_order & (user % one_user_in == 0) if one_user_in > 1 else orders.is_order
    pair = user.cast(pl.Int128) * _APART + day(
        pl.col("ordered_at").to_physical()
    )  # one key sorts 4 times as fast as two
    gaps = orders.rows.filter(looked_at).select(pair=pair).sort("pair").select(gap_days=pl.col("pair").diff())
    of_one_user = gaps.filter(pl.col("gap_days").is_between(1, _APART // 2))
    return of_one_user.group_by(pl.col("gap_days").cast(pl.Int32)).agg(n=pl.len().cast(pl.Int64))


def first_value(rows: pl.LazyFrame, column: str, *, time: str = "ordered_at", hashed: bool = False) -> pl.LazyFrame:
    """The value each user had first: ``user, <column>``. Of several at that very time, the smallest; nulls are passed over.

    ``time``: the column that says when. ``user`` is the id, or the hash of it.
    """
    first = pl.col(time) == pl.col(time).min()
    value = pl.col(column).cast(pl.String)
    user = pl.col("user_id").hash(USER_SEED) if hashed else pl.col("user_id")
    return rows.filter(pl.col(column).is_not_null()).group_by(user=user).agg(value.filter(first).min())


def attribute(
    table: frames.Table, rows: pl.LazyFrame, column: str, window: tuple[date | None, date | None]
) -> pl.LazyFrame:
    """What a column says of each user: ``user`` (hash of the id), ``<column>`` as text.

    Its value at the user's first row in the window (inclusive days), or at the first of all where there is none.
    """
    good, (since, until) = frames.good(rows), window
    ever = first_value(good, column, time=table.time, hashed=True)
    if since is None and until is None:
        return ever
    at = pl.col(table.time).to_physical()
    inside = good.filter(at >= start_of_day(since or date.min), at < end_of_day(until or date.max - timedelta(days=1)))
    then = first_value(inside, column, time=table.time, hashed=True)
    both = ever.join(then, on="user", how="left", suffix=" then")
    return both.select("user", pl.coalesce(f"{column} then", column).alias(column))


def spend(rows: pl.LazyFrame) -> pl.LazyFrame:
    """What was spent on acquisition: ``day`` (since 1970-01-01), ``channel`` (text), ``amount`` (steps of money)."""
    day_ = day(pl.col("date").to_physical())
    return frames.good(rows).group_by(day=day_, channel=pl.col("channel").cast(pl.String)).agg(pl.col("amount").sum())


# --- who was there --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Acts:
    """Rows in which users did something: placed an order, or caused an event.

    ``counts``: which of the rows do (refunds are no acts). ``time``: the column that says when, wall clock; ``instant``
    is the same in UTC. ``valid``: which rows are worth what they say, refunds included.
    """

    rows: pl.LazyFrame
    counts: pl.Expr
    time: str
    valid: pl.Expr

    @property
    def day(self) -> pl.Expr:
        """Days since 1970-01-01."""
        return day(pl.col(self.time).to_physical())


def acts(table: frames.Table, rows: pl.LazyFrame, keep: Sequence[str] = ()) -> Acts:
    """The acts among ``rows`` of a table: every event, or every order (lines folded, with the columns ``keep``)."""
    counts = pl.col("reject") == 0
    if not isinstance(table, frames.Orders):
        return Acts(rows, counts, table.time, counts)
    if not table.has_amount:
        rows = rows.with_columns(amount=pl.lit(0, pl.Int64))
    orders = order_rows(rows, within=(), lines=table.grain == "line", keep=keep)
    return Acts(orders.rows, orders.is_order, table.time, orders.counts)


def visits(acts: Acts, grain: Grain, week_start: WeekStart) -> pl.LazyFrame:
    """One row per user and period with an act, sorted: ``visit``, Int128; :func:`visitor` and :func:`visited` take it apart."""
    return each_visit(acts, grain, week_start).map_batches(distinct, schema={"visit": pl.Int128()})


def each_visit(acts: Acts, grain: Grain, week_start: WeekStart) -> pl.LazyFrame:
    """The ``visit`` of each act, in no order; null for rows that are none. :func:`distinct` makes visits of it."""
    visited = pl.when(acts.counts).then(visit(pl.col("user_id"), periods.index(acts.day, grain, week_start)))
    return acts.rows.select(visit=visited)


def distinct(visits: pl.DataFrame) -> pl.DataFrame:
    """The different values of the one column, sorted, without null: as one key that is faster than grouping."""
    key = visits.to_series().sort(nulls_last=True)
    different = key.filter(key.ne_missing(key.shift(1)) & key.is_not_null())
    return different.shrink_to_fit().set_sorted().to_frame()  # a filter's answer holds the room of all its rows


def visit(user_id: pl.Expr, period: pl.Expr) -> pl.Expr:
    """A user and a period as one number, Int128: sorts by the hash of the id, then by the period."""
    return visit_of(user_id.hash(USER_SEED), period)


def visit_of(user: pl.Expr, period: pl.Expr) -> pl.Expr:
    """The same of a user who is the hash of an id already."""
    return user.cast(pl.Int128) * _APART + period


def visited() -> pl.Expr:
    """The period of a ``visit`` (:func:`periods.index`); those before 1970 are negative."""
    return ((pl.col("visit") + _APART // 2) % _APART - _APART // 2).cast(pl.Int32)


def visitor() -> pl.Expr:
    """The user of a ``visit``: the 64-bit hash of the id."""
    return ((pl.col("visit") + _APART // 2) // _APART).cast(pl.UInt64)


def repeated(numbers: pl.Series) -> pl.Series:
    """Those that are there already, sorted, null none of them: sorting tells many times as fast as a table of all."""
    ordered = numbers.sort()
    return ordered.filter(ordered == ordered.shift(1))


def visit_masks(acts: Acts, grain: Grain, week_start: WeekStart) -> pl.LazyFrame:
    """How many users were there in which periods: ``mask, users``.

    Bit ``index % 64`` of ``mask`` is set for a period with an act (:func:`periods.bit`): tells periods apart where all
    acts lie within 64 of them, and is then far smaller than :func:`visits`.
    """
    user = pl.when(acts.counts).then(pl.col("user_id").hash(USER_SEED))
    masks = acts.rows.select(user=user, mask=periods.bit(acts.day, grain, week_start))
    of_users = masks.group_by("user").agg(pl.col("mask").bitwise_or()).filter(pl.col("user").is_not_null())
    return of_users.group_by("mask").agg(users=pl.len().cast(pl.Int64))


def known_users(users: pl.DataFrame, table: frames.Table, grain: Grain, week_start: WeekStart) -> pl.DataFrame:
    """Users as a table beside rows of ``table``: ``user`` (hash of the id), ``signed_up`` (a period), attributes as text."""
    ids = pl.col("user_id").cast(table.rows.collect_schema()["user_id"], strict=False)
    signed_up = day(pl.col("signed_up_at").to_physical())
    attributes = pl.exclude("user_id", "signed_up_at").cast(pl.String)
    known = users.select(
        attributes,
        user=ids.hash(USER_SEED),
        signed_up=periods.index(signed_up, grain, week_start),
        known=ids.is_not_null(),
    )
    return known.filter("known").drop("known")


# --- sessions -------------------------------------------------------------------------------------------------------

_WORD = 1 << 64
"""Values of a 64-bit number."""

SESSION_GAP = 30 * 60 * 1_000_000
"""Microseconds without an event after which a session is over: the half hour that web analytics agreed on."""


@dataclass(frozen=True, slots=True)
class Log:
    """What a log of events holds: the names, sorted, and its first and last instant (microseconds since 1970, UTC)."""

    names: tuple[str, ...]
    first: int
    last: int

    @property
    def code(self) -> pl.Expr:
        """The place of an event among ``names``, UInt32: a small number that sorts as its name does."""
        return pl.col("event").cast(pl.Enum(self.names), strict=False).to_physical().cast(pl.UInt32)

    @classmethod
    def of(cls, seen: pl.DataFrame) -> Log:
        """From what :func:`events_seen` found; at least one event."""
        first, last = seen["first"].min(), seen["last"].max()
        return cls(tuple(seen["event"].sort()), int(first), int(last))  # type: ignore[arg-type] # numbers


def events_seen(rows: pl.LazyFrame) -> pl.LazyFrame:
    """One row per event that counts: ``event, first, last``: its name, its first and last instant."""
    instant = pl.when(pl.col("reject") == 0).then(pl.col("instant").to_physical())
    seen = rows.group_by("event").agg(first=instant.min(), last=instant.max())
    return seen.filter(pl.col("first").is_not_null())


def sessions(
    rows: pl.LazyFrame, log: Log, *, gap: int | None = SESSION_GAP, by_id: bool = False, keep: Sequence[str] = ()
) -> pl.LazyFrame:
    """The events of each user in order, each with its session: ``user, at, event, session``, and the columns of ``keep``.

    ``rows``: events that count. Sorted by ``user`` (hash of the id), ``at`` (microseconds since 1970, UTC) and ``event``
    (its place in ``log.names``, UInt32). ``session``: UInt32, a number that sessions of these rows do not share.
    A pause longer than ``gap`` microseconds begins a session; None: a user has but one. ``by_id``: the column
    ``session_id`` tells sessions apart instead, the sessions of a user come one after the other, and events without an
    id go by the half hour.
    """
    user, at = pl.col("user_id").hash(USER_SEED), pl.col("instant").to_physical()
    if by_id:
        named = pl.when(pl.col("session_id").is_not_null()).then(pl.struct("session_id").hash(USER_SEED))
        columns = {"user": user, "named": named, "at": at, "event": log.code}
        ordered = rows.select(*keep, **columns).sort("user", "named", "at", "event")
        changes = pl.col("user").ne_missing(pl.col("user").shift(1)) | pl.col("named").ne_missing(
            pl.col("named").shift(1)
        )
        pause = pl.col("named").is_null() & (pl.col("at").diff() > SESSION_GAP)
    else:
        ordered = _in_order(rows.select(*keep, user=user, at=at, event=log.code), log)
        changes = pl.col("user") != pl.col("user").shift(1)
        pause = pl.lit(value=False) if gap is None else pl.col("at").diff() > gap
    begins = (changes | pause).fill_null(value=True)
    return ordered.select("user", "at", "event", *keep, session=begins.cum_sum())


def _in_order(rows: pl.LazyFrame, log: Log) -> pl.LazyFrame:
    """Rows by ``user, at, event``: as one number, which sorts four times as fast, unless their times are too far apart."""
    codes = 1 << len(log.names).bit_length()
    if (log.last - log.first + 1) * codes > _WORD // 2:
        return rows.sort("user", "at", "event")
    low = (pl.col("at") - log.first) * codes + pl.col("event").cast(pl.Int64)
    user = pl.col("user").reinterpret(signed=True).cast(pl.Int128)
    keyed = rows.select(pl.exclude("user", "at", "event"), key=user * _WORD + low).sort("key")
    low = pl.col("key").cast(pl.UInt64, wrap_numerical=True)  # what is below 2⁶⁴, the user being above
    return keyed.select(
        pl.exclude("key"),
        user=(pl.col("key") // _WORD).cast(pl.Int64).reinterpret(signed=False),
        at=(low // codes).cast(pl.Int64) + log.first,
        event=(low % codes).cast(pl.UInt32),
    )
