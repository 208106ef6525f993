"""Who was there in which periods: the table that retention, activity, growth and lifecycle are told from.

A user *visits* a period when at least one act of theirs (an order, an event) lies in it. One scan makes the visits
and the account of all rows; what is asked of them is arithmetic on sorted whole numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl

from userops import account, frames, partition, periods, tables
from userops.periods import Grain, WeekStart

MASK_WIDTH = 64
"""Periods that a mask can tell apart."""


@dataclass(frozen=True, slots=True)
class Visits:
    """Every visit, and the books of the scan that found them.

    ``rows``, sorted by ``by`` (when there is one), ``who`` and ``period``: ``who`` (a user, or a group of users with
    the very same periods), ``users`` (how many it stands for), ``period`` (:func:`periods.index`), ``first`` (its first
    period, or that of the sign-up), ``previous`` and ``next`` (its visits before and after; null: none).
    ``grain``, ``week_start``: what the periods are. ``as_of``: data count through the end of this day.
    ``small``: the further tables that were asked for.
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

    def number(self, day: date) -> int:
        """The period a day lies in."""
        return periods.index_of(day, self.grain, self.week_start)


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
    InputError when no row counts.
    """
    partitions = partitions or partition.count_for(table.size)
    plain = by is None and users is None and grain != "day"

    def run(of_visits: partition.Reduce) -> tuple[account.Account, dict[str, pl.DataFrame]]:
        reduces = {"visits": of_visits, "account": account.reduce(table), **(beside or {})}
        small = partition.run(table.rows, reduces, what=table.name, partitions=partitions)
        books = account.Account(small.pop("account"), table)
        books.require_rows()
        return books, small

    found: pl.LazyFrame | None = None
    if plain:
        books, small = run(_masks(table, grain, week_start))
        first, last = books.first_time, books.last_time
        assert first is not None and last is not None  # rows that count have times
        lo, hi = (periods.index_of(time.date(), grain, week_start) for time in (first, last))
        if hi - lo < MASK_WIDTH:
            found = _unfolded(small.pop("visits"), lo, hi)
    if found is None:
        books, small = run(_pairs(table, grain, week_start, by, window, users))
        found = _of_single_users(small.pop("visits"), by)
    rows = _in_order(found)
    if users is not None:
        rows = rows.with_columns(first=pl.min_horizontal("first", "signed_up")).drop("signed_up")
    as_of = as_of or account.latest_day(books)
    return Visits(rows.collect(), books, as_of, grain, week_start, small)


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

    def reduce(rows: pl.LazyFrame) -> pl.LazyFrame:
        found = tables.visits(tables.acts(table, rows), grain, week_start)
        if by is None and users is None:
            return found
        found = found.with_columns(user=tables.visitor())
        if by is not None and (users is None or by not in users.columns):
            found = found.join(tables.attribute(table, rows, by, window), on="user", how="left")
        if users is not None:
            known = tables.known_users(users, table, grain, week_start)
            wanted = ["user", "signed_up", *([by] if by in known.columns else [])]
            found = found.join(known.lazy().select(wanted), on="user", how="left")
        return found.drop("user")

    return partition.Reduce(reduce)


def _unfolded(masks: pl.DataFrame, lo: int, hi: int) -> pl.LazyFrame:
    """One row per mask and period of it, sorted: ``who, users, period``."""
    numbered = masks.with_row_index("who")
    parts = [
        numbered.filter(pl.col("mask") & pl.lit(1 << period % MASK_WIDTH, pl.UInt64) != 0).select(
            "who", "users", period=pl.lit(period, pl.Int32)
        )
        for period in range(lo, hi + 1)
    ]
    return pl.concat(parts).sort(pl.col("who").cast(pl.Int64) * MASK_WIDTH + pl.col("period") - lo).lazy()


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
