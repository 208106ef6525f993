"""The canonical frames: what the columns are called, what they hold, and which rows count.

``Orders.rows`` is lazy and holds, whatever the file looked like:

==============  ==================================================================================
``user_id``     String or an integer type; null only in rejected rows
``ordered_at``  Datetime[us] without zone: the wall clock of the analysis time zone
``amount``      Int64, exact money (:mod:`userops.money`); absent when the file has none
``order_id``    String or integer, when the file has one
``currency``    String, when the file has one
``reject``      UInt8: 0 for a row that counts, else the reason (:data:`REASONS`)
==============  ==================================================================================

and any further columns that were asked for (``keep``), under the names they were asked by. Rejected rows stay in
the frame until they are counted; :func:`good` leaves the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

import polars as pl

from userops import money, periods
from userops.errors import InputError
from userops.results import Text

REASONS: tuple[str, ...] = (
    "ok",
    "missing_user_id",
    "placeholder_user_id",
    "missing_time",
    "unreadable_time",
    "nonexistent_time",
    "missing_amount",
    "unreadable_amount",
    "non_finite_amount",
    "not_an_order",
    "filtered_out",
    "not_in_user_list",
    "after_as_of",
    "too_many_cells",
    "duplicate_row",
)
"""Why a row does not count; the index is the code in ``reject``. The first that applies wins, in this order."""

REASON_TEXTS: dict[str, Text] = {
    "missing_user_id": Text("no user id", "缺少用户ID"),
    "placeholder_user_id": Text("placeholder user id (null, 0, -1, …)", "占位用户ID(null、0、-1 等)"),
    "missing_time": Text("no time", "缺少时间"),
    "unreadable_time": Text("time cannot be read", "时间无法解析"),
    "nonexistent_time": Text("time skipped by daylight saving", "夏令时跳过的时间"),
    "missing_amount": Text("no amount", "缺少金额"),
    "unreadable_amount": Text("amount cannot be read", "金额无法解析"),
    "non_finite_amount": Text("amount is NaN or infinite", "金额为 NaN 或无穷"),
    "not_an_order": Text("not an order (cancelled, closed, voided)", "非有效订单(取消、关闭、作废)"),
    "filtered_out": Text("left out by --where", "被 --where 排除"),
    "not_in_user_list": Text("not in --only-users", "不在 --only-users 名单中"),
    "after_as_of": Text("after the as-of date", "晚于统计截止日"),
    "too_many_cells": Text("more cells than the header", "列数多于表头"),
    "duplicate_row": Text("exact copy, dropped by --drop-duplicates", "完全重复,被 --drop-duplicates 去除"),
}

PLACEHOLDER_IDS: tuple[str, ...] = (
    "null", "NULL", "Null", "none", "None", "NONE", "nan", "NaN", "NAN", "na", "NA", "n/a", "N/A", "nil", "\\N", "-",
    "undefined", "unknown", "Unknown", "UNKNOWN", "anonymous", "guest", "0", "-1",
    "00000000-0000-0000-0000-000000000000",
)  # fmt: skip
"""Ids that stand for nobody: an exact match (text files are trimmed when read); integers 0 and -1 likewise."""

Grain = Literal["order", "line"]


@dataclass(frozen=True, slots=True)
class Source:
    """One input of a table: what it is called, how it was recognised, what was noticed while reading it."""

    name: str
    layout: str
    rows_dropped_at_reading: dict[str, int]


@dataclass(frozen=True, slots=True)
class Orders:
    """Orders, or lines of orders, of any number of files, as one lazy table in canonical columns.

    ``grain``: ``line`` when rows are items of orders (fold by ``order_id``); ``order`` when one row is one order.
    ``grain_known``: False when nothing but the ids themselves can tell; a repeated id must then stop the run.
    ``source`` (column, UInt16) says which of ``sources`` a row came from; absent when there is one only.
    ``raw``: the rows as they were read, every column, with ``reject`` beside: for ``--rejects``.
    ``user_id_dtype``: what the file held, for output that must join with it again.
    ``wall_zone``: the zone whose clocks the times were read from, where it changes its clocks: some may exist twice.
    ``size``: how many rows there are, where the files tell without being read.
    ``notes``: what was decided while reading, for people.
    """

    rows: pl.LazyFrame
    raw: pl.LazyFrame
    sources: tuple[Source, ...]
    grain: Grain
    grain_known: bool
    has_amount: bool
    has_order_id: bool
    has_currency: bool
    user_id_dtype: pl.DataType
    wall_zone: str | None = None
    size: int | None = None
    notes: tuple[Text, ...] = ()

    @property
    def name(self) -> str:
        """What to call the table in a message."""
        names = [source.name for source in self.sources]
        return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def orders(frame: pl.LazyFrame | pl.DataFrame, *, grain: Grain | None = None, as_of: date | None = None) -> Orders:
    """Orders from a frame that has our column names already: ``user_id, ordered_at, amount`` (``order_id, currency``).

    ``ordered_at``: Date or Datetime; with a zone it is taken as it reads on that zone's clock. ``amount``: any number,
    currency units. Rows without an id, a time or a finite amount are rejected, not dropped unseen, and so are those
    after ``as_of``. Other columns stay.
    Raises InputError where a column is missing or of the wrong kind.
    """
    lazy = frame.lazy()
    schema = lazy.collect_schema()
    for role in ("user_id", "ordered_at", "amount"):
        if role not in schema:
            raise InputError.column_missing(role, "the frame", schema.names())
    if not schema["ordered_at"].is_temporal():
        raise InputError.wrong_dtype("ordered_at", str(schema["ordered_at"]), "a Date or Datetime")
    if not schema["amount"].is_numeric():
        raise InputError.wrong_dtype("amount", str(schema["amount"]), "a number")
    if not (schema["user_id"] == pl.String or schema["user_id"].is_integer()):
        lazy = lazy.with_columns(pl.col("user_id").cast(pl.String))
    user, at, amount = pl.col("user_id"), pl.col("ordered_at"), pl.col("amount")
    user_dtype = lazy.collect_schema()["user_id"]
    is_date = schema["ordered_at"] == pl.Date
    wall = at.cast(pl.Datetime("us")) if is_date else at.dt.replace_time_zone(None).dt.cast_time_unit("us")
    flaws = {
        "missing_user_id": missing(user, user_dtype),
        "placeholder_user_id": is_placeholder(user, user_dtype),
        "missing_time": at.is_null(),
        "missing_amount": amount.is_null(),
        "non_finite_amount": money.scaled(amount).is_null(),
    }
    if as_of:
        flaws["after_as_of"] = wall >= periods.end_of(as_of)
    raw = lazy.with_columns(reject=first_reason(flaws))
    return Orders(
        rows=raw.with_columns(ordered_at=wall, amount=money.scaled(amount)),
        raw=raw,
        sources=(Source("the frame", "canonical", {}),),
        grain=grain or "order",
        grain_known=grain is not None or "order_id" not in schema,
        has_amount=True,
        has_order_id="order_id" in schema,
        has_currency="currency" in schema,
        user_id_dtype=schema["user_id"],
    )


def missing(user_id: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """True where there is no id: null, or blank text."""
    return user_id.is_null() | (user_id.str.strip_chars() == "") if dtype == pl.String else user_id.is_null()


def first_reason(flaws: dict[str, pl.Expr]) -> pl.Expr:
    """The ``reject`` code of each row: the first reason that holds, in the order of :data:`REASONS`; 0 where none does."""
    code = pl.lit(0, dtype=pl.UInt8)
    for reason in sorted(flaws, key=reject_code, reverse=True):
        code = pl.when(flaws[reason]).then(pl.lit(reject_code(reason), dtype=pl.UInt8)).otherwise(code)
    return code


def good(rows: pl.LazyFrame) -> pl.LazyFrame:
    """The rows that count, without the reject column."""
    return rows.filter(pl.col("reject") == 0).drop("reject")


def reject_code(reason: str) -> int:
    """The code of a reason in the ``reject`` column."""
    return REASONS.index(reason)


def is_placeholder(user_id: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """True where an id stands for nobody; ``dtype`` is the id column's own type."""
    if dtype.is_integer():
        return user_id.is_in([0] if dtype.is_unsigned_integer() else [0, -1])
    return user_id.is_in(list(PLACEHOLDER_IDS))
