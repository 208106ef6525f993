"""Who was there in which periods: the table that retention, activity, growth and lifecycle are told from.

A user *visits* a period when at least one act of theirs (an order, an event) lies in it. The scan that makes the visits
takes the account of all rows; what is asked of them is arithmetic on sorted whole numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from userops import account, frames, money, partition, periods, tables
from userops.errors import InputError
from userops.periods import Grain, WeekStart

MASK_WIDTH = 64
"""Periods that a mask can tell apart."""

ROWS_AT_ONCE = 50_000_000
"""Rows whose visits are looked for together: they take some 2 GB."""

NEED = partition.Need(working=60, held=8)
NEED_OF_ORDERS = partition.Need(working=60, held=45)
"""Memory that a row takes, as measured: users cause many events a day, but hardly two orders in a day or a week."""


@dataclass(frozen=True, slots=True)
class Visits:
    """Every visit, and the books of the scan that found them.

    ``rows``, in no order that may be relied on: ``[by,] who`` (a user, or a group of users with
    the very same periods), ``users`` (how many it stands for), ``period`` (:func:`periods.index`), ``first`` (its first
    period, or that of the sign-up), ``previous`` and ``next`` (its visits before and after; null: none).
    ``grain``, ``week_start``: what the periods are. ``as_of``: data count through the end of this day.
    ``small``: orders by hour where rows are lines (``acts``), and the further tables that were asked for.
    """

    rows: pl.DataFrame
    books: account.Account
    as_of: date
    grain: Grain
    week_start: WeekStart
    small: Mapping[str, pl.DataFrame]

    @property
    def last_complete(self) -> int:
        """The last period that is over."""
        return periods.last_complete(self.as_of, self.grain, self.week_start)

    @property
    def span(self) -> tuple[int, int]:
        """The first period with rows that count, and that of as-of."""
        first = self.books.first_time
        assert first is not None  # rows that count have a time
        return self.number(first.date()), self.number(self.as_of)

    @property
    def totals(self) -> dict[str, Any]:
        """What every summary carries beside the users: ``events``, or ``orders, revenue, currency``."""
        return totals(self.books, self.small["acts"])

    @property
    def acts_by_hour(self) -> pl.DataFrame:
        """Events or orders of each hour that has some: ``hour`` (since 1970-01-01), ``acts``."""
        hours = self.books.acts_by_hour
        return self.small["acts"] if hours is None else hours

    @property
    def all_users(self) -> int:
        """How many users have a visit."""
        return int(self.rows.filter(pl.col("previous").is_null())["users"].sum())

    def number(self, day: date) -> int:
        """The period a day lies in."""
        return periods.index_of(day, self.grain, self.week_start)

    def reported(self, since: date | None, until: date | None) -> tuple[int, int]:
        """The first and the last period of history that the window (inclusive days) touches; none: the last is less."""
        first, last = self.span
        return max(first, self.number(since or date.min)), min(last, self.number(until or date.max))


def table_of(rows: frames.Table | pl.LazyFrame | pl.DataFrame, as_of: date | None) -> frames.Table:
    """The table itself, or a frame with our column names as one: of events if it has a column ``event``, else of orders."""
    if isinstance(rows, frames.Table):
        return rows
    return (
        frames.events(rows, as_of=as_of)
        if "event" in rows.lazy().collect_schema()
        else frames.orders(rows, as_of=as_of)
    )


def visits(
    table: frames.Table,
    grain: Grain,
    week_start: WeekStart = "monday",
    *,
    as_of: date | None = None,
    by: str | None = None,
    window: tuple[date | None, date | None] = (None, None),
    users: pl.DataFrame | None = None,
    beside: Mapping[str, partition.Reduce] | None = None,
    partitions: int | None = None,
) -> Visits:
    """The visits of all users in ``table``, and the small tables of ``beside`` from the same scan.

    ``users``: ``user_id``, ``signed_up_at`` and attributes; who signed up is new in that period, or when first seen if
    that was before. ``by``: a column of ``users``, else of the rows (its value at the user's first row). Raises
    InputError when no row counts, when nothing is called ``by``, and when order ids repeat without a reason.
    """
    if by is not None and (users is None or by not in users.columns):
        names = table.rows.collect_schema().names()
        if by not in names:
            raise InputError.column_unknown(by, table.name, names)
    plain = by is None and users is None and grain != "day" and not _too_long(table, grain)
    need = NEED_OF_ORDERS if isinstance(table, frames.Orders) and grain in ("day", "week") else NEED
    if by is not None or users is not None:
        need = partition.TYPICAL
    partitions = partitions or partition.count_for(table.size, at_once=ROWS_AT_ONCE, need=need)

    def run(of_visits: partition.Reduce) -> tuple[account.Account, dict[str, pl.DataFrame]]:
        return opened(table, {"visits": of_visits, **(beside or {})}, partitions=partitions)

    rows: pl.LazyFrame | None = None
    if plain:
        books, small = run(_masks(table, grain, week_start))
        first, last = books.first_time, books.last_time
        assert first is not None and last is not None  # rows that count have times
        lo, hi = (periods.index_of(time.date(), grain, week_start) for time in (first, last))
        if hi - lo < MASK_WIDTH:
            rows = _unfolded(small.pop("visits"), lo, hi)
    if rows is None:
        books, small = run(_pairs(table, grain, week_start, by, window, users))
        rows = _in_order(_of_single_users(small.pop("visits"), by))
    if users is not None:
        rows = rows.with_columns(first=pl.min_horizontal("first", "signed_up")).drop("signed_up")
    as_of = as_of or account.latest_day(books)
    return Visits(rows.collect(), books, as_of, grain, week_start, small)


def _too_long(table: frames.Table, grain: Grain) -> bool:
    """Whether the times of a file of orders, whether they count or not, lie more weeks apart than a mask holds.

    False where that is not worth a look at one column: both ways lead to the same visits.
    """
    if grain != "week" or not isinstance(table, frames.Orders) or table.size is None:
        return False
    at = pl.col(table.time).to_physical()
    ends = partition.Reduce(lambda rows: rows.select(first=at.min(), last=at.max()))
    first, last = partition.run(table.rows, {"ends": ends}, what=table.name)["ends"].row(0)
    return first is not None and (last - first) // periods.MICROSECONDS_A_DAY > 7 * MASK_WIDTH


def opened(
    table: frames.Table, beside: Mapping[str, partition.Reduce] | None = None, *, partitions: int = 1
) -> tuple[account.Account, dict[str, pl.DataFrame]]:
    """As :func:`account.opened`, with ``acts`` (:func:`count_acts`) beside."""
    return account.opened(table, {"acts": count_acts(table), **(beside or {})}, partitions=partitions)


def count_acts(table: frames.Table) -> partition.Reduce:
    """Orders by hour, ``hour`` (since 1970-01-01), ``acts``: empty unless rows are lines, since the books have counted others."""
    if not (isinstance(table, frames.Orders) and table.grain == "line"):
        return partition.Reduce(lambda _: pl.LazyFrame(schema={"hour": pl.Int32, "acts": pl.Int64}))

    def count(rows: pl.LazyFrame) -> pl.LazyFrame:
        found = tables.acts(table, rows)
        hour = (pl.col(found.time).to_physical() // account.HOUR).cast(pl.Int32)
        hours = found.rows.select(hour=pl.when(found.counts).then(hour)).group_by("hour")
        return hours.agg(acts=pl.len().cast(pl.Int64)).filter(pl.col("hour").is_not_null())

    return partition.Reduce(count, keys=("hour",))


def event_names(table: frames.Table) -> list[str]:
    """The names of all events that count, sorted."""
    names = partition.Reduce(lambda rows: frames.good(rows).select(pl.col("event").unique()))
    return partition.run(table.rows, {"names": names}, what=table.name)["names"]["event"].unique().sort().to_list()


def totals(books: account.Account, acts: pl.DataFrame) -> dict[str, Any]:
    """What every summary carries beside the users: ``events``, or ``orders, revenue, currency`` (refunds netted).

    Revenue is null where there are no amounts, or several currencies. ``acts``: what :func:`count_acts` counted, which
    is looked at where rows are lines.
    """
    if not isinstance(books.table, frames.Orders):
        return {"events": books.rows_used}
    currencies = books.currencies
    worth = int(books.used["amount"].sum()) / money.SCALE if books.table.has_amount and len(currencies) < 2 else None
    currency = currencies[0] if worth is not None and currencies else None
    hours = books.acts_by_hour
    orders = acts if hours is None else hours
    return {"orders": int(orders["acts"].sum()), "revenue": worth, "currency": currency}


def _masks(table: frames.Table, grain: Grain, week_start: WeekStart) -> partition.Reduce:
    return partition.Reduce(
        lambda rows: tables.visit_masks(tables.acts(table, rows), grain, week_start), keys=("mask",)
    )


def _pairs(
    table: frames.Table,
    grain: Grain,
    week_start: WeekStart,
    by: str | None,
    window: tuple[date | None, date | None],
    users: pl.DataFrame | None,
) -> partition.Reduce:
    """One row per user and period, with what ``by`` says of the user and the period of the sign-up."""
    if by is None and users is None:
        acts = tables.each_visit
        return partition.Reduce(lambda rows: acts(tables.acts(table, rows), grain, week_start), then=tables.distinct)

    def reduce(rows: pl.LazyFrame) -> pl.LazyFrame:
        found = tables.visits(tables.acts(table, rows), grain, week_start).with_columns(user=tables.visitor())
        if by is not None and (users is None or by not in users.columns):
            found = found.join(tables.attribute(table, rows, by, window), on="user", how="left")
        if users is not None:
            known = tables.known_users(users, table, grain, week_start)
            wanted = ["user", "signed_up", *([by] if by in known.columns else [])]
            found = found.join(known.lazy().select(wanted), on="user", how="left")
        return found.drop("user")

    return partition.Reduce(reduce)


def _unfolded(masks: pl.DataFrame, lo: int, hi: int) -> pl.LazyFrame:
    """One row per mask and period of it: ``who, users, period, first, previous, next``.

    A walk over the periods, in which every mask carries the period it was seen last: no sorting.
    """
    bits = masks.get_column("mask")
    there = {period: (bits & (1 << period % MASK_WIDTH)) != 0 for period in range(lo, hi + 1)}
    nowhere = pl.Series(values=[None], dtype=pl.Int32).new_from_index(0, masks.height)
    first = previous = nowhere
    walk = masks.select(pl.int_range(pl.len(), dtype=pl.UInt32).alias("who"), "users")
    parts: dict[int, pl.DataFrame] = {}
    for period, here in there.items():
        now = pl.Series(values=[period], dtype=pl.Int32).new_from_index(0, masks.height)
        first = first.zip_with(first.is_not_null() | ~here, now)
        parts[period] = walk.with_columns(period=now, first=first, previous=previous).filter(here)
        previous = now.zip_with(here, previous)
    after = nowhere
    for period, here in reversed(there.items()):
        parts[period] = parts[period].with_columns(next=after.filter(here))
        after = pl.Series(values=[period], dtype=pl.Int32).new_from_index(0, masks.height).zip_with(here, after)
    return pl.concat(parts.values()).lazy()


def _of_single_users(visits: pl.DataFrame, by: str | None) -> pl.LazyFrame:
    """One row per user and period, sorted: ``who, users, period``, and what else is known of the user."""
    one = pl.lit(1, pl.Int64)
    found = visits.sort(*([by] if by else []), "visit", nulls_last=True).lazy()
    return found.select(pl.exclude("visit"), who=tables.visitor(), users=one, period=tables.visited())


def _in_order(found: pl.LazyFrame) -> pl.LazyFrame:
    """Sorted visits with the first period of each ``who``, the one before and the one after."""
    same_as_before = pl.col("who") == pl.col("who").shift(1)
    same_as_after = pl.col("who") == pl.col("who").shift(-1)
    starts = pl.when(~same_as_before.fill_null(value=False)).then("period")
    return found.with_columns(
        first=starts.forward_fill(),
        previous=pl.when(same_as_before).then(pl.col("period").shift(1)),
        next=pl.when(same_as_after).then(pl.col("period").shift(-1)),
    )
