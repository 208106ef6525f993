"""The canonical frames: what the columns are called, what they hold, and which rows count.

``Orders.rows`` is lazy and holds, whatever the file looked like:

==============  ==================================================================================
``user_id``     String or an integer type; null only in rejected rows
``ordered_at``  Datetime[us] without zone: the wall clock of the analysis time zone, for calendars
``instant``     Datetime[us] without zone: the same moment in UTC, for what elapses
``amount``      Int64, exact money (:mod:`userops.money`); absent when the file has none
``order_id``    String or integer, when the file has one
``currency``    String, when the file has one
``ingested_at`` Datetime[us], wall clock like ``ordered_at``: when the row arrived, when the file tells
``reject``      UInt8: 0 for a row that counts, else the reason (:data:`REASONS`)
==============  ==================================================================================

``Events.rows`` likewise: ``user_id``, ``event`` (String), ``time`` (wall clock), ``instant``, ``ingested_at`` when the
file has it, ``reject``; ``Subscriptions.rows``: ``user_id``, ``started_at`` and, by their shape, ``ended_at``, ``tenure`` and
``churned``, or ``period`` and ``alive``, ``reject``;

and any further columns that were asked for (``keep``), under the names they were asked by. Rejected rows stay in
the frame until they are counted; :func:`good` leaves the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import ClassVar, Literal

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
    "missing_event",
    "missing_amount",
    "unreadable_amount",
    "non_finite_amount",
    "unreadable_number",
    "unreadable_churned",
    "ends_before_start",
    "off_the_scale",
    "not_an_order",
    "not_an_event",
    "filtered_out",
    "not_in_user_list",
    "after_as_of",
    "not_yet_known",
    "too_many_cells",
    "duplicate_row",
    "duplicate_event",
)
"""Why a row does not count; the index is the code in ``reject``. The first that applies wins, in this order."""

REASON_TEXTS: dict[str, Text] = {
    "missing_user_id": Text("no user id", "缺少用户ID"),
    "placeholder_user_id": Text("placeholder user id (null, 0, -1, …)", "占位用户ID(null、0、-1 等)"),
    "missing_time": Text("no time", "缺少时间"),
    "unreadable_time": Text("time cannot be read", "时间无法解析"),
    "nonexistent_time": Text("time skipped by daylight saving", "夏令时跳过的时间"),
    "missing_event": Text("no event name", "缺少事件名"),
    "missing_amount": Text("no amount", "缺少金额"),
    "unreadable_amount": Text("amount cannot be read", "金额无法解析"),
    "non_finite_amount": Text("amount is NaN or infinite", "金额为 NaN 或无穷"),
    "unreadable_number": Text("no number where one is needed", "缺少数值或数值无法解析"),
    "unreadable_churned": Text("not said whether churned", "未说明是否流失"),
    "ends_before_start": Text("ends before it starts", "结束早于开始"),
    "off_the_scale": Text("score not on its scale (whole, 0-10; stars 1-5)", "评分超出量表(0-10 的整数;星级 1-5)"),
    "not_an_order": Text("not an order (cancelled, closed, voided)", "非有效订单(取消、关闭、作废)"),
    "not_an_event": Text("not an event (a profile, another type of row)", "非事件行(用户属性等)"),
    "filtered_out": Text("left out by --where", "被 --where 排除"),
    "not_in_user_list": Text("not in --only-users", "不在 --only-users 名单中"),
    "after_as_of": Text("after the as-of date", "晚于统计截止日"),
    "not_yet_known": Text("not yet known (arrived after --known-by)", "当时尚未到达(晚于 --known-by)"),
    "too_many_cells": Text("more cells than the header", "列数多于表头"),
    "duplicate_row": Text("exact copy, dropped by --drop-duplicates", "完全重复,被 --drop-duplicates 去除"),
    "duplicate_event": Text("sent again under the same event id", "事件ID重复"),
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of any number of files as one lazy table in canonical columns: what :class:`Orders` and :class:`Events` share.

    ``source`` (column, UInt16) says which of ``sources`` a row came from; absent when there is one only.
    ``raw``: the rows as they were read, every column, with ``reject`` beside: for ``--rejects``.
    ``user_id_dtype``: what the file held, for output that must join with it again.
    ``has_amount``, ``has_currency``, ``has_ingested_at``: whether those columns are there.
    ``wall_zone``: the zone whose clocks the times were read from, where it changes its clocks: some may exist twice.
    ``size``: how many rows there are, where the files or the reading of them told.
    ``notes``: what was decided while reading, for people.
    """

    time: ClassVar[str]
    """The column that says when."""

    rows: pl.LazyFrame
    raw: pl.LazyFrame
    sources: tuple[Source, ...]
    user_id_dtype: pl.DataType
    has_amount: bool = False
    has_currency: bool = False
    has_ingested_at: bool = False
    wall_zone: str | None = None
    size: int | None = None
    notes: tuple[Text, ...] = ()

    @property
    def name(self) -> str:
        """What to call the table in a message."""
        names = [source.name for source in self.sources]
        return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders(Table):
    """Orders, or lines of orders.

    ``grain``: ``line`` when rows are items of orders (fold by ``order_id``); ``order`` when one row is one order.
    ``grain_known``: False when nothing but the ids themselves can tell; a repeated id must then stop the run.
    """

    time = "ordered_at"

    grain: Grain
    grain_known: bool
    has_order_id: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Events(Table):
    """Events: who did what and when."""

    time = "time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Users(Table):
    """Users: when they signed up (null where nobody knows), and what else is known of them."""

    time = "signed_up_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs(Table):
    """What was spent: ``date``, ``amount`` (exact money) and, where the file tells, ``channel``."""

    time = "date"


@dataclass(frozen=True, slots=True, kw_only=True)
class Referrals(Table):
    """Invitations: ``referrer_id``, ``invited_at``, ``instant``, and ``user_id``: who joined, null until somebody did."""

    time = "invited_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback(Table):
    """What users say: ``user_id`` (null: nobody's), ``time``, ``instant``, and how they rate.

    ``score`` (Int8, 0-10: would they recommend), ``rating`` (Int8, 1-5 stars): null where not given, at least one is
    there in rows that count. ``text`` and ``topic`` (String, null where there is none); ``platform`` and ``channel``
    where the file has them.
    """

    time = "time"


Shape = Literal["dates", "tenures", "counts"]
"""How subscriptions are told: when they began and ended, how long they lasted, or how many of a cohort are left."""

SHAPES: dict[Shape, tuple[str, str]] = {
    "dates": ("started_at", "ended_at"),
    "tenures": ("tenure", "churned"),
    "counts": ("period", "alive"),
}
"""The columns of each shape, besides the ``user_id`` of the first two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriptions(Table):
    """Subscriptions, one row each, or counts of those left.

    By ``shape``: ``started_at``, ``ended_at`` (null: still there); ``tenure`` (Float64), ``churned`` (Boolean); or
    ``period``, ``alive`` (Float64). ``started_at`` is null where the shape has none.
    """

    time = "started_at"

    shape: Shape


def orders(frame: pl.LazyFrame | pl.DataFrame, *, grain: Grain | None = None, as_of: date | None = None) -> Orders:
    """Orders from a frame that has our column names already: ``user_id, ordered_at, amount`` (``order_id, currency``).

    ``ordered_at``: Date or Datetime; with a zone it is taken as it reads on that zone's clock. ``amount``: any number,
    currency units. Rows without an id, a time or a finite amount are rejected, not dropped unseen, and so are those
    after ``as_of``. Other columns stay.
    Raises InputError where a column is missing or of the wrong kind.
    """
    lazy, schema, user_id_dtype = _checked(frame, ("user_id", "ordered_at", "amount"), "ordered_at")
    if not schema["amount"].is_numeric():
        raise InputError.wrong_dtype("amount", str(schema["amount"]), "a number")
    amount = pl.col("amount")
    flaws, clocks = _users_and_times(schema, "ordered_at", as_of)
    flaws |= {"missing_amount": amount.is_null(), "non_finite_amount": money.scaled(amount).is_null()}
    raw = lazy.with_columns(reject=first_reason(flaws))
    return Orders(
        rows=raw.with_columns(**clocks, amount=money.scaled(amount)),
        raw=raw,
        sources=(Source("the frame", "canonical", {}),),
        grain=grain or "order",
        grain_known=grain is not None or "order_id" not in schema,
        has_amount=True,
        has_order_id="order_id" in schema,
        has_currency="currency" in schema,
        has_ingested_at="ingested_at" in schema,
        user_id_dtype=user_id_dtype,
    )


def events(frame: pl.LazyFrame | pl.DataFrame, *, as_of: date | None = None) -> Events:
    """Events from a frame that has our column names already: ``user_id, event, time``.

    ``time`` as ``ordered_at`` of :func:`orders`. Rows without an id, an event or a time are rejected, not dropped
    unseen, and so are those after ``as_of``. Other columns stay.
    Raises InputError where a column is missing or of the wrong kind.
    """
    lazy, schema, user_id_dtype = _checked(frame, ("user_id", "event", "time"), "time")
    lazy = lazy.with_columns(pl.col("event").cast(pl.String))
    flaws, clocks = _users_and_times(schema, "time", as_of)
    flaws["missing_event"] = missing(pl.col("event"), pl.String())
    raw = lazy.with_columns(reject=first_reason(flaws))
    return Events(
        rows=raw.with_columns(**clocks),
        raw=raw,
        sources=(Source("the frame", "canonical", {}),),
        has_ingested_at="ingested_at" in schema,
        user_id_dtype=user_id_dtype,
    )


def subscriptions(frame: pl.LazyFrame | pl.DataFrame, *, as_of: date | None = None) -> Subscriptions:
    """Subscriptions from a frame with our column names: ``user_id`` and those of a shape, or ``period, alive``.

    ``started_at``, ``ended_at``: Date or Datetime; ``churned``: Boolean; the others numbers. Rows that lack what they
    need are rejected, not dropped unseen, and so are those that start after ``as_of``. Other columns stay.
    Raises InputError where the columns are not those of a shape, or of the wrong kind.
    """
    names = frame.lazy().collect_schema().names()
    shape: Shape | None = next((shape for shape, columns in SHAPES.items() if set(columns) <= set(names)), None)
    if shape is None:
        raise InputError.no_subscriptions("the frame", names)
    if shape == "counts":
        frame = frame.lazy().with_columns(user_id=pl.lit("cohort"))
    if shape != "dates":
        frame = frame.lazy().with_columns(started_at=pl.lit(None, pl.Datetime("us")))
    lazy, schema, user_id_dtype = _checked(frame, ("user_id", *SHAPES[shape]), "started_at")
    flaws, clocks = _users_and_times(schema, "started_at", as_of)
    values = {"started_at": clocks["started_at"]}
    if shape == "dates":
        if schema["ended_at"] not in (pl.Date, pl.Datetime, pl.Null):
            raise InputError.wrong_dtype("ended_at", str(schema["ended_at"]), "a Date or Datetime")
        null = pl.lit(None, pl.Datetime("us"))
        values["ended_at"] = null if schema["ended_at"] == pl.Null else _wall("ended_at", schema)
        flaws["ends_before_start"] = values["ended_at"] < values["started_at"]
    else:
        del flaws["missing_time"]
        for name in SHAPES[shape]:
            if not (schema[name].is_numeric() or name == "churned"):
                raise InputError.wrong_dtype(name, str(schema[name]), "a number")
        values |= {name: pl.col(name).cast(pl.Float64) for name in SHAPES[shape] if name != "churned"}
        flaws["unreadable_number"] = pl.any_horizontal(
            ~is_number(value) for name, value in values.items() if name != "started_at"
        )
    if shape == "tenures":
        if schema["churned"] != pl.Boolean:
            raise InputError.wrong_dtype("churned", str(schema["churned"]), "Boolean")
        flaws["unreadable_churned"] = pl.col("churned").is_null()
    raw = lazy.with_columns(reject=first_reason(flaws))
    return Subscriptions(
        rows=raw.with_columns(**values),
        raw=raw,
        sources=(Source("the frame", "canonical", {}),),
        user_id_dtype=user_id_dtype,
        shape=shape,
    )


def costs(frame: pl.LazyFrame | pl.DataFrame, *, as_of: date | None = None) -> Costs:
    """Costs from a frame with ``date`` (Date or Datetime), ``spend`` (a number) and, where it tells, ``channel``.

    Rows without a date or a finite amount are rejected, not dropped unseen, and so are those after ``as_of``.
    Raises InputError where a column is missing or of the wrong kind.
    """
    lazy, schema, _ = _checked(frame.lazy().with_columns(user_id=pl.lit("nobody")), ("date", "spend"), "date")
    if not schema["spend"].is_numeric():
        raise InputError.wrong_dtype("spend", str(schema["spend"]), "a number")
    amount = money.scaled(pl.col("spend"))
    flaws, clocks = _users_and_times(schema, "date", as_of)
    flaws |= {"missing_amount": pl.col("spend").is_null(), "non_finite_amount": amount.is_null()}
    raw = lazy.with_columns(reject=first_reason(flaws))
    channel = pl.col("channel").cast(pl.String) if "channel" in schema else pl.lit(None, pl.String)
    return Costs(
        rows=raw.with_columns(date=clocks["date"], amount=amount, channel=channel),
        raw=raw,
        sources=(Source("the frame", "canonical", {}),),
        user_id_dtype=pl.String(),
        has_amount=True,
        has_currency="currency" in schema,
    )


def referrals(frame: pl.LazyFrame | pl.DataFrame, *, as_of: date | None = None) -> Referrals:
    """Referrals from a frame with ``referrer_id``, ``invited_at`` and ``user_id`` (null until somebody joined).

    Rows without a referrer or a time are rejected, not dropped unseen, and so are those after ``as_of``.
    Raises InputError where a column is missing or of the wrong kind.
    """
    names = frame.lazy().collect_schema().names()
    for role in ("referrer_id", "user_id"):
        if role not in names:
            raise InputError.column_missing(role, "the frame", names)
    swapped = frame.lazy().rename({"user_id": "\x1fjoined", "referrer_id": "user_id"})
    lazy, schema, user_id_dtype = _checked(swapped, ("user_id", "invited_at"), "invited_at")
    flaws, clocks = _users_and_times(schema, "invited_at", as_of)
    raw = lazy.with_columns(reject=first_reason(flaws)).rename({"user_id": "referrer_id", "\x1fjoined": "user_id"})
    return Referrals(
        rows=raw.with_columns(**clocks),
        raw=raw,
        sources=(Source("the frame", "canonical", {}),),
        user_id_dtype=user_id_dtype,
    )


SCALES: dict[str, tuple[int, int]] = {"score": (0, 10), "rating": (1, 5)}
"""Lowest and highest answer of what feedback rates by; all are whole."""


def feedback(frame: pl.LazyFrame | pl.DataFrame, *, as_of: date | None = None) -> Feedback:
    """Feedback from a frame with ``time`` and ``score`` or ``rating``; ``user_id, text, topic, platform`` where it tells.

    Answers without a user count: they are nobody's. Rows without a time or an answer on its scale are rejected, not
    dropped unseen, and so are those after ``as_of``. Raises InputError where a column is missing or of the wrong kind.
    """
    lazy = frame.lazy()
    if "user_id" not in lazy.collect_schema():
        lazy = lazy.with_columns(user_id=pl.lit(None, pl.String))
    lazy, schema, user_id_dtype = _checked(lazy, ("user_id", "time"), "time")
    given = [name for name in SCALES if name in schema]
    if not given:
        raise InputError.column_missing("score", "the frame", schema.names())
    for name in given:
        if not (schema[name].is_numeric() or schema[name] == pl.Null):
            raise InputError.wrong_dtype(name, str(schema[name]), "a number")
    numbers = {name: pl.col(name).cast(pl.Float64) if name in given else None for name in SCALES}
    answers, wrong = answered(numbers)
    flaws, clocks = _users_and_times(schema, "time", as_of)
    flaws = {reason: flaw for reason, flaw in flaws.items() if not reason.endswith("user_id")} | wrong
    raw = lazy.with_columns(reject=first_reason(flaws))
    somebody = ~(missing(pl.col("user_id"), schema["user_id"]) | is_placeholder(pl.col("user_id"), schema["user_id"]))
    words = {
        name: pl.col(name).cast(pl.String) if name in schema else pl.lit(None, pl.String) for name in ("text", "topic")
    }
    return Feedback(
        rows=raw.with_columns(user_id=pl.when(somebody).then("user_id"), **clocks, **answers, **words),
        raw=raw,
        sources=(Source("the frame", "canonical", {}),),
        user_id_dtype=user_id_dtype,
    )


def answered(numbers: Mapping[str, pl.Expr | None]) -> tuple[dict[str, pl.Expr], dict[str, pl.Expr]]:
    """Answers on their :data:`SCALES` (Int8, null where there is none), and what is wrong with rows that have none.

    ``numbers``: Float64 by scale, None where the file has no such column.
    """
    given = {name: pl.lit(None, pl.Float64) if number is None else number for name, number in numbers.items()}
    answers = {
        name: pl.when(number.is_between(*SCALES[name]) & (number == number.round())).then(number).cast(pl.Int8)
        for name, number in given.items()
    }
    silent = pl.all_horizontal([answer.is_null() for answer in answers.values()])
    said = pl.any_horizontal([number.is_not_null() for number in given.values()])
    return answers, {"off_the_scale": silent & said, "unreadable_number": silent & ~said}


def is_number(value: pl.Expr) -> pl.Expr:
    """True for a finite number that is not negative."""
    return (value.is_finite() & (value >= 0)).fill_null(value=False)


def _checked(
    frame: pl.LazyFrame | pl.DataFrame, needed: tuple[str, ...], time: str
) -> tuple[pl.LazyFrame, pl.Schema, pl.DataType]:
    """The frame with usable ids, its schema, and the type the ids had; InputError where it lacks what is ``needed``."""
    lazy = frame.lazy()
    schema = lazy.collect_schema()
    for role in needed:
        if role not in schema:
            raise InputError.column_missing(role, "the frame", schema.names())
    for at in (time, "ingested_at"):
        if at in schema and schema[at] != pl.Date and not isinstance(schema[at], pl.Datetime):
            raise InputError.wrong_dtype(at, str(schema[at]), "a Date or Datetime")
    user_id = schema["user_id"]
    if not (user_id == pl.String or user_id.is_integer()):
        lazy = lazy.with_columns(pl.col("user_id").cast(pl.String))
    return lazy, lazy.collect_schema(), user_id


def _users_and_times(schema: pl.Schema, time: str, as_of: date | None) -> tuple[dict[str, pl.Expr], dict[str, pl.Expr]]:
    """What may be wrong with ids and times, and the clocks of a row."""
    user, at = pl.col("user_id"), pl.col(time)
    wall = _wall(time, schema)
    zoned = getattr(schema[time], "time_zone", None) is not None
    flaws = {
        "missing_user_id": missing(user, schema["user_id"]),
        "placeholder_user_id": is_placeholder(user, schema["user_id"]),
        "missing_time": at.is_null(),
    }
    if as_of:
        flaws["after_as_of"] = wall >= periods.end_of(as_of)
    clocks = {time: wall, "instant": periods.wall_clock(at, "UTC") if zoned else wall}
    if "ingested_at" in schema:
        clocks["ingested_at"] = _wall("ingested_at", schema)
    return flaws, clocks


def _wall(name: str, schema: pl.Schema) -> pl.Expr:
    """A time as it reads on the clock of its own zone: Datetime[us] without one."""
    at = pl.col(name)
    if schema[name] == pl.Date:
        return at.cast(pl.Datetime("us"))
    return at.dt.replace_time_zone(None).dt.cast_time_unit("us")


def missing(user_id: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """True where there is no id: null, or blank text."""
    if dtype != pl.String:
        return user_id.is_null()
    return user_id.is_null() | user_id.map_batches(_blank, return_dtype=pl.Boolean, is_elementwise=True)


def _blank(ids: pl.Series) -> pl.Series:
    """True for blank text; stripping is dear, so only batches with text that begins or ends like a blank are stripped."""
    suspect = ids < "!"
    if not suspect.any() and (ids.max() or "") < "\x7f":  # type: ignore[operator] # text
        return suspect
    return ids.str.strip_chars() == ""


def first_reason(flaws: dict[str, pl.Expr]) -> pl.Expr:
    """The ``reject`` code of each row: the first reason that holds, in the order of :data:`REASONS`; 0 where none does."""
    code = pl.lit(0, dtype=pl.UInt8)
    for reason in sorted(flaws, key=reject_code, reverse=True):
        code = pl.when(flaws[reason]).then(pl.lit(reject_code(reason), dtype=pl.UInt8)).otherwise(code)
    return code


def joinable(events: Events | None, orders: Orders | None) -> tuple[Events | None, Orders | None]:
    """Events and orders with ids of one type: as they are, or text where the two differ."""
    if events is None or orders is None:
        return events, orders
    if events.rows.collect_schema()["user_id"] == orders.rows.collect_schema()["user_id"]:
        return events, orders
    text = pl.col("user_id").cast(pl.String)
    return replace(events, rows=events.rows.with_columns(text)), replace(orders, rows=orders.rows.with_columns(text))


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
