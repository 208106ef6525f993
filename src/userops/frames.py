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
from typing import Literal

import polars as pl

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
"""Ids that stand for nobody. An exact match after trimming; integers 0 and -1 likewise."""

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
    notes: tuple[Text, ...] = ()


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
    return user_id.str.strip_chars().is_in(list(PLACEHOLDER_IDS))
