"""Events read once: the rows that count, users as numbers and texts as codes, held where memory allows.

Reading is most of what a look at events costs. An analysis that looks at them several times, because the second question
depends on the answer to the first, opens them here.

Coded rows have ``user_id`` (the 64-bit hash of the id with :data:`tables.USER_SEED`), the times that were asked for, and
``event`` and other columns as Categorical. A code says nothing but whether two values are equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import polars as pl

from userops import account, frames, partition, tables
from userops.errors import UsageError

HELD_UP_TO = 2_200_000_000
"""Bytes of coded rows that are held; what is larger is coded anew for every look."""


class Coded(NamedTuple):
    """The account of a table of events, and its coded rows; ``partitions``: how many to look at them in."""

    books: account.Account
    rows: pl.LazyFrame
    partitions: int


def opened(
    table: frames.Events, texts: Sequence[str] = (), *, times: Sequence[str] = ("time",), partitions: int | None = None
) -> Coded:
    """The account and the coded rows of a table, with the columns ``texts`` beside ``event``, held where there is room.

    Raises InputError when no row counts.
    """
    schema = table.rows.collect_schema()
    as_they_are = [*times, *(column for column in _BOOKED if column in schema)]
    coded = code(texts, as_they_are)
    a_row = 8 * (1 + len(as_they_are)) + 4 * (1 + len(texts))
    held, count = _room(table.size, a_row)
    if held:  # one after the other: a scan shared with the account would hold the ids too
        rows = partition.run(table.rows, {"rows": partition.Reduce(coded)}, what=table.name)["rows"].lazy()
    else:
        rows = coded(table.rows)
    books, _ = account.opened(replace(table, rows=rows))
    if held and table.size is None:  # now it is known
        _, count = _room(books.rows_used, a_row)
    return Coded(replace(books, table=table), frames.good(rows), partitions or count)


_BOOKED = ("source", "currency", "amount")
"""Columns that the account looks at, where a table has them."""


def _room(rows: int | None, a_row: int) -> tuple[bool, int]:
    """Whether rows of so many bytes are held, and the partitions they are looked at in; of text nobody knows the rows."""
    if rows is not None and rows * a_row > HELD_UP_TO:
        return False, partition.count_for(rows)
    try:
        return True, partition.count_for(rows, need=partition.Need(held=a_row))
    except UsageError:  # a limit on memory
        return False, partition.count_for(rows)


def code(texts: Sequence[str], columns: Sequence[str] = ("time",)) -> partition.Prepare:
    """What makes coded rows of canonical ones, always with the same codes; ``columns`` and ``reject`` stay as they are."""
    codes = pl.Categorical(pl.Categories.random())

    def coded(rows: pl.LazyFrame) -> pl.LazyFrame:
        words = dict.fromkeys(text for text in ("event", *texts) if text not in columns)
        return rows.select(
            *columns,
            pl.col(*words).cast(pl.String).cast(codes),
            "reject",
            user_id=pl.col("user_id").hash(tables.USER_SEED),
        )

    return coded


DAY = tables.day(pl.col("time").to_physical())
"""The day of a coded row, since 1970-01-01."""


def user_days() -> partition.Reduce:
    """The days on which users were there, each once: ``user, day``, of coded rows."""
    visits = tables.visit_of(pl.col("user_id"), DAY)

    def apart(found: pl.DataFrame) -> pl.DataFrame:
        return tables.distinct(found).select(user=tables.visitor(), day=tables.visited())

    return partition.Reduce(lambda rows: rows.select(visit=visits), then=apart)


def places(rows: pl.LazyFrame, column: str, values: Sequence[str]) -> pl.Expr:
    """The place of what a column of coded ``rows`` holds among ``values``, UInt32; of anything else their number."""
    other, dtype = len(values), rows.collect_schema()[column]
    if not isinstance(dtype, pl.Categorical):  # a column of the account
        known = pl.col(column).cast(pl.String).cast(pl.Enum(values), strict=False)
        return known.to_physical().cast(pl.UInt32).fill_null(other)
    codes = pl.Series(values, dtype=pl.String).cast(dtype).to_physical()
    table = pl.Series([other], dtype=pl.UInt32).new_from_index(0, max(codes, default=0) + 1)
    table = table.scatter(codes, pl.int_range(other, dtype=pl.UInt32, eager=True))
    return pl.lit(table).gather(pl.col(column).to_physical(), null_on_oob=True).fill_null(other)
