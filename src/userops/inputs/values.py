"""Turning the columns of a file into ids, times and numbers: an expression for the value, and one for each flaw.

A :class:`Column` says how to get a column, what type it has and how its first values look; ``read_*`` gives a
:class:`Reading`. Nothing is guessed row by row: how a column is written (day or month first, decimal comma) is
decided once, from its first values or from all of it, and rows written otherwise are flaws, which the caller counts
by reason (:data:`userops.frames.REASONS`). Checks that a type makes needless are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial, reduce

import polars as pl

from userops import frames, periods
from userops.collecting import collect
from userops.errors import InputError, UsageError
from userops.results import Text


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: its name, how to get it, its type, its first values, the rows it stands in and what
    they are called. ``textual``: from a text file, where cells are trimmed and have no type of their own."""

    name: str
    cell: pl.Expr
    dtype: pl.DataType
    head: pl.Series
    rows: pl.LazyFrame
    table: str
    textual: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """A column as a value (null where it has none), why a value may be missing, and what was decided.

    ``first``: columns that ``value`` and ``flaws`` are made of and that are to be added beforehand, so that costly
    work is done once and not again in every expression.
    """

    value: pl.Expr
    dtype: pl.DataType
    flaws: dict[str, pl.Expr] = field(default_factory=dict)
    notes: tuple[Text, ...] = ()
    first: tuple[pl.Expr, ...] = ()


def _once(column: Column, what: str, cell: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """A column that is added beforehand, and the expression that adds it."""
    name = f"\x1f{column.name}\x1f{what}"
    return pl.col(name), cell.alias(name)


def first_filled(readings: Sequence[Reading]) -> Reading:
    """The first of several columns that has a value: it is missing only where all are, flawed where none has one."""
    if len(readings) == 1:
        return readings[0]
    value = pl.coalesce([reading.value for reading in readings])
    flaws = {}
    for reason in dict.fromkeys(reason for reading in readings for reason in reading.flaws):
        found = [reading.flaws[reason] for reading in readings if reason in reading.flaws]
        flaws[reason] = (
            pl.all_horizontal(found) if reason.startswith("missing") else value.is_null() & pl.any_horizontal(found)
        )
    notes = tuple(note for reading in readings for note in reading.notes)
    return Reading(
        value, readings[0].dtype, flaws, notes, tuple(step for reading in readings for step in reading.first)
    )


# --- text -------------------------------------------------------------------------------------------------------


def trimmed(column: Column) -> Column:
    """A text column without surrounding blanks, spreadsheet wrapping (``="…"``) and quotes (``'+49…``); empty to null.

    A column of a binary file is left alone unless its first values have any of these.
    """
    if column.dtype != pl.String:
        return _as_text(column)
    head = column.head.drop_nulls()
    wrapped = head.str.contains(r'^\s*(=".*"|\'[+\d].*)\s*$').any()
    if not (column.textual or wrapped or (head != head.str.strip_chars()).any() or (head == "").any()):
        return column
    return replace(
        column,
        cell=_trim(column.cell, wrapped=wrapped),
        head=pl.select(_trim(pl.lit(column.head), wrapped=wrapped)).to_series(),
    )


def _trim(text: pl.Expr, *, wrapped: bool) -> pl.Expr:
    bare = text.str.strip_chars()
    if wrapped:
        bare = bare.str.replace(r'^="(.*)"$', "$1").str.replace(r"^'([+\d].*)$", "$1").str.strip_chars()
    return pl.when(bare != "").then(bare)


def _as_text(column: Column) -> Column:
    """A column of another type as text; InputError for bytes that are none, and for lists and structs."""
    if column.dtype.is_nested():
        raise InputError.column_unfit("text", column.name, column.table, str(column.dtype))
    try:
        head = column.head.cast(pl.String, strict=False)
    except pl.exceptions.ComputeError:
        raise InputError.column_unfit("text", column.name, column.table, str(column.dtype)) from None
    return replace(column, cell=column.cell.cast(pl.String, strict=False), dtype=pl.String(), head=head)


def _is_textlike(dtype: pl.DataType) -> bool:
    return isinstance(dtype, (pl.String, pl.Categorical, pl.Enum, pl.Binary))


# --- ids --------------------------------------------------------------------------------------------------------


def read_id(column: Column) -> Reading:
    """An id: text stays text, integers stay integers, whole floats (``17850.0``) become integers.

    Text of whole floats loses its ``.0``. Ids that a spreadsheet has rounded (``1.23457E+17``) are refused, since
    they merge users: InputError. Null where blank; no flaws of its own (:func:`user_flaws`).
    """
    head = column.head.drop_nulls()
    if column.dtype.is_integer():
        return Reading(column.cell, column.dtype)
    if column.dtype.is_float():
        if head.is_finite().all() and (head.abs() >= 2**53).any():
            raise InputError.damaged_ids(column.name, column.table, str(head.max()))
        if (head.is_nan() | (head == head.round())).all():
            return Reading(column.cell.cast(pl.Int64, strict=False), pl.Int64())
    if column.dtype.is_nested():
        raise InputError.column_unfit("user_id", column.name, column.table, str(column.dtype))
    text = trimmed(column)
    head = text.head.drop_nulls()
    damaged = head.filter(head.str.contains(r"^\d(\.\d+)?[Ee]\+\d+$"))
    if damaged.len():
        raise InputError.damaged_ids(column.name, column.table, damaged[0])
    cell = text.cell
    if head.len() and head.str.contains(r"^\d+\.0$").all():
        cell = cell.str.replace(r"\.0$", "")
    if cell is column.cell:
        return Reading(cell, pl.String())
    value, step = _once(column, "id", cell)
    return Reading(value, pl.String(), first=(step,))


def read_user(columns: Sequence[Column]) -> Reading:
    """Who it was: the first column that holds an id of somebody; flawed where none does."""
    readings = [read_id(column) for column in columns]
    if len({reading.dtype for reading in readings}) > 1:
        readings = [replace(reading, value=reading.value.cast(pl.String), dtype=pl.String()) for reading in readings]
    *earlier, last = readings
    somebody = [pl.when(~_nobody(reading)).then(reading.value) for reading in earlier]
    user = replace(
        last,
        value=pl.coalesce([*somebody, last.value]) if somebody else last.value,
        first=tuple(step for reading in readings for step in reading.first),
    )
    flaws = {"missing_user_id": user.value.is_null(), "placeholder_user_id": _nobody(user)}
    if user.dtype == pl.String:
        flaws["missing_user_id"] = user.value.is_null() | (user.value.str.len_bytes() == 0)
    return replace(user, flaws=flaws)


def _nobody(reading: Reading) -> pl.Expr:
    """True for a placeholder. The text of a reading is trimmed where it needs to be, so this compares as it is."""
    if reading.dtype.is_integer():
        return frames.is_placeholder(reading.value, reading.dtype)
    return reading.value.is_in(list(frames.PLACEHOLDER_IDS))


# --- numbers ----------------------------------------------------------------------------------------------------

_SIGNS = r"[\s\u00a0\u202f'$€£¥¥₩₹元]"
_CODE = r"^(?:[A-Z]{3}|R\$|US\$)|[A-Z]{3}$"
_POINT = r"^[+-]?(?:\d+|\d{1,3}(?:,\d{3})+)?(?:\.\d*)?$"
_COMMA = r"^[+-]?(?:\d+|\d{1,3}(?:\.\d{3})+)?(?:,\d*)?$"


def read_number(column: Column, *, decimal_comma: bool | None = None) -> Reading:
    """A number as Float64, with flaws ``missing_amount``, ``unreadable_amount`` and ``non_finite_amount``.

    Text with currency signs, thousands separators, a decimal comma or accounting negatives (``(1,234.50)``,
    ``5.00-``) is read so when ``decimal_comma`` is given, or when all the first values are written one way.
    Values that could be either (``1,234`` and nothing else) stop the run: InputError.
    """
    if column.dtype.is_integer() or column.dtype.is_decimal():
        return Reading(column.cell.cast(pl.Float64), pl.Float64(), {"missing_amount": column.cell.is_null()})
    if column.dtype.is_float():
        finite = ~column.cell.is_finite()
        return Reading(
            column.cell.cast(pl.Float64),
            pl.Float64(),
            {"missing_amount": column.cell.is_null(), "non_finite_amount": finite},
        )
    if column.dtype == pl.Null:
        return Reading(pl.lit(None, pl.Float64), pl.Float64(), {"missing_amount": pl.lit(value=True)})
    if not _is_textlike(column.dtype):
        raise InputError.column_unfit("amount", column.name, column.table, str(column.dtype))
    text = trimmed(column)
    comma, notes = _decimal_of(text, given=decimal_comma)
    value, number_step = _once(column, "number", _plain(text.cell) if comma is None else _money(text.cell, comma=comma))
    blank, blank_step = _once(column, "blank", text.cell.is_null())
    flaws = {
        "missing_amount": blank,
        "unreadable_amount": ~blank & value.is_null(),
        "non_finite_amount": ~value.is_finite(),
    }
    return Reading(value, pl.Float64(), flaws, notes, (number_step, blank_step))


def _plain(text: pl.Expr) -> pl.Expr:
    return text.cast(pl.Float64, strict=False)


def _bare(text: pl.Expr) -> pl.Expr:
    """Digits, separators and a leading minus: no currency, no accounting brackets."""
    bare = text.str.replace_all(_SIGNS, "").str.replace(_CODE, "")
    return bare.str.replace(r"^\((.+)\)$", "-$1").str.replace(r"^([^-].*)-$", "-$1").str.replace(_CODE, "")


def _money(text: pl.Expr, *, comma: bool) -> pl.Expr:
    bare = _bare(text)
    fits = bare.str.contains(_COMMA if comma else _POINT) & bare.str.contains(r"\d")
    digits = (
        bare.str.replace_all(r"\.", "").str.replace(",", ".", literal=True) if comma else bare.str.replace_all(",", "")
    )
    return pl.coalesce(pl.when(fits).then(digits).cast(pl.Float64, strict=False), _plain(text))


def _decimal_of(text: Column, *, given: bool | None) -> tuple[bool | None, tuple[Text, ...]]:
    """Whether amounts have a decimal comma (None: plain numbers), and the note that says so."""
    head = text.head.drop_nulls()
    if given is None and not head.is_empty():
        if head.cast(pl.Float64, strict=False).is_not_null().all():
            return None, ()
        bare = pl.select(_bare(pl.lit(head))).to_series()
        point, comma = bare.str.contains(_POINT).all(), bare.str.contains(_COMMA).all()
        if point and comma and bare.str.contains(r"[.,]").any():
            raise InputError.ambiguous_decimal(text.name, text.table, head.filter(bare.str.contains("[.,]"))[0])
        given = comma and not point if point or comma else None
    if given is None:
        return None, ()
    if given:
        return True, (Text(f"{text.name}: read with a decimal comma", f"{text.name}:按逗号小数点读取"),)
    return False, ()


# --- times ------------------------------------------------------------------------------------------------------

_CLOCK = (
    r"(?:(?:[Tt]|[\s,]*)(?P<am>上午|下午)?\s*(?P<hour>\d{1,2})[:时](?P<minute>\d{1,2})"
    r"(?:[:分](?P<second>\d{1,2})(?:[.,](?P<fraction>\d{1,9})|秒)?|分)?"
    r"\s*(?P<pm>[AaPp]\.?[Mm]\.?)?\s*(?P<zone>[Zz]|UTC|GMT|(?:UTC|GMT)?[+-]\d{2}:?(?:\d{2})?)?)?$"
)
_YEAR_FIRST = r"^(?P<year>\d{4})[-/.年](?P<month>\d{1,2})[-/.月](?P<day>\d{1,2})日?" + _CLOCK
_DAY_FIRST = r"^(?P<day>\d{1,2})[-/.](?P<month>\d{1,2})[-/.](?P<year>\d{4})" + _CLOCK
_MONTH_FIRST = r"^(?P<month>\d{1,2})[-/.](?P<day>\d{1,2})[-/.](?P<year>\d{4})" + _CLOCK
_PARTS = r"^\s*(\d{1,2})[-/.](\d{1,2})[-/.]\d{4}\b"
_ZONED = r"\d:\d\d(?::\d\d)?(?:[.,]\d+)?\s*(?:[Zz]|UTC|GMT|[+-]\d{2}:?(?:\d{2})?)$"
_DIGITS = r"^\d{8}(?:\d{1,11})?(?:\.0+)?$"


@dataclass(frozen=True, slots=True)
class Clock:
    """How times are read: the zone they are wanted in, the zone of those without one, and how dates are written."""

    zone: str = "UTC"
    naive_zone: str | None = None
    date_format: str | None = None
    day_first: bool | None = None
    month_first_if_open: bool = False

    @property
    def source(self) -> str:
        return self.naive_zone or self.zone


def read_time(column: Column, clock: Clock) -> Reading:
    """A time as the wall clock of ``clock.zone``, Datetime[us], with flaws ``missing_time``, ``unreadable_time`` and
    ``nonexistent_time``.

    Dates, datetimes of any unit and zone, integers (YYYYMMDD; epoch seconds to nanoseconds, by size) and text: ISO
    8601 with or without zone, ``2026/1/2``, ``2026年1月2日``, days or months first, digits. Whether days come first is
    decided over the whole column; InputError where nothing tells. Years outside 1900 to 2262 are unreadable.
    """
    dtype = column.dtype
    notes: tuple[Text, ...] = ()
    cell = column.cell
    if _is_textlike(dtype):
        text = trimmed(replace(column, textual=False))  # the slow way trims cell by cell, the fast way needs none
        cell = text.cell
        value, notes = _from_text(text, clock)
    elif isinstance(dtype, (pl.Date, pl.Datetime)):
        value, notes = _from_datetime(column, dtype, clock)
    elif dtype.is_integer():
        value = _from_digits(cell.cast(pl.Int64, strict=False), clock)
    elif dtype.is_float():
        cell = cell.fill_nan(None)
        value = _from_digits(cell.round().cast(pl.Int64, strict=False), clock)
    elif dtype == pl.Null:
        value = pl.lit(None, pl.Datetime("us"))
    else:
        raise InputError.column_unfit("a time", column.name, column.table, str(dtype))
    value, step = _once(column, "time", value)
    flaws = {"missing_time": cell.is_null(), "unreadable_time": ~_in_range(value) | value.is_null()}
    may_skip = dtype != pl.Date and getattr(dtype, "time_zone", None) is None
    if may_skip and periods.skips_times(clock.zone):
        flaws["nonexistent_time"] = periods.never_was(value, clock.zone)
    return Reading(value, pl.Datetime("us"), flaws, notes, (step,))


def _in_range(time: pl.Expr) -> pl.Expr:
    return time.is_between(periods.FIRST_DAY, periods.END, closed="left")


def _from_datetime(column: Column, dtype: pl.Date | pl.Datetime, clock: Clock) -> tuple[pl.Expr, tuple[Text, ...]]:
    if isinstance(dtype, pl.Date):
        return column.cell.cast(pl.Datetime("us")), ()
    zone = dtype.time_zone
    if zone is None:
        return _moved(column.cell.dt.cast_time_unit("us"), clock), ()
    utc = column.cell.cast(pl.Int64).cast(pl.Datetime(dtype.time_unit)).dt.cast_time_unit("us")
    instant = pl.when(_in_range(utc)).then(utc).dt.replace_time_zone("UTC")
    return periods.wall_clock(instant, clock.zone), _zone_note(column.name, zone, clock.zone)


def _zone_note(name: str, found: str, wanted: str) -> tuple[Text, ...]:
    if found == wanted:
        return ()
    return (
        Text(f"{name}: times in {found}, read in {wanted} (--tz)", f"{name}:原时区 {found},按 {wanted} 读取(--tz)"),
    )


def _moved(wall: pl.Expr, clock: Clock) -> pl.Expr:
    """Naive times of ``clock.source`` as those of ``clock.zone``."""
    if clock.source == clock.zone:
        return wall
    return periods.wall_clock(periods.instant(wall, clock.source), clock.zone)


def _from_digits(number: pl.Expr, clock: Clock) -> pl.Expr:
    """YYYYMMDD, YYYYMMDDhhmmss, or time since 1970 in s, ms, us or ns; the ranges do not touch."""
    days, seconds = number.is_between(19_000_101, 22_621_231), number.is_between(19_000_101_000_000, 22_621_231_235_959)
    date = pl.when(days).then(number * 1_000_000).when(seconds).then(number)
    places = ((10, 4), (8, 2), (6, 2), (4, 2), (2, 2), (0, 2))
    calendar = _calendar((date // 10**place % 10**width).cast(pl.Int32) for place, width in places)
    epoch = (
        pl.when(number >= 10**17).then(number // 1_000)
        .when(number >= 10**14).then(number)
        .when(number >= 10**11).then(number * 1_000)
        .when(number >= 10**8).then(number * 1_000_000)
    )  # fmt: skip
    instant = pl.when(date.is_null()).then(epoch).cast(pl.Datetime("us", "UTC"))
    return pl.coalesce(_moved(calendar, clock), periods.wall_clock(instant, clock.zone))


def _calendar(parts: Iterable[pl.Expr]) -> pl.Expr:
    """A Datetime[us] from year, month, day, hour, minute and second; null where there is no such date or time."""
    year, month, day, hour, minute, second = parts
    first = pl.datetime(year.clip(1, 9999), month.clip(1, 12), 1, time_unit="us")
    date = first + pl.duration(days=day.clip(1, 31) - 1)
    real = (date.dt.month() == month) & (date.dt.day() == day) & (date.dt.year() == year)
    clock = hour.is_between(0, 23) & minute.is_between(0, 59) & second.is_between(0, 59)
    return pl.when(real & clock).then(date + pl.duration(hours=hour, minutes=minute, seconds=second))


def _from_text(text: Column, clock: Clock) -> tuple[pl.Expr, tuple[Text, ...]]:
    head = text.head.drop_nulls()
    if clock.date_format is not None:
        return _formatted(text.cell, clock.date_format, clock), ()
    first, notes = _day_first(text, clock)
    if head.str.contains(_ZONED).any():
        notes = (*notes, *_offset_note(text.name, head, clock.zone))
    parse = partial(_parse, clock=clock, day_first=first)
    return text.cell.map_batches(parse, return_dtype=pl.Datetime("us"), is_elementwise=True), notes


def _offset_note(name: str, head: pl.Series, zone: str) -> tuple[Text, ...]:
    offsets = head.str.extract(r"(Z|UTC|GMT|[+-]\d{2}:?(?:\d{2})?)$").drop_nulls().unique()
    if zone == "UTC" and offsets.is_in(["Z", "UTC", "GMT", "+00:00", "+0000", "+00"]).all():
        return ()
    return (
        Text(f"{name}: times carry their offset, read in {zone} (--tz)", f"{name}:时间带时区偏移,按 {zone} 读取(--tz)"),
    )


def _formatted(text: pl.Expr, form: str, clock: Clock) -> pl.Expr:
    """Times of one given strftime format; those with an offset in it are moved to the wanted zone."""
    if "%" not in form:
        raise UsageError.bad_value("--date-format", form, "a strftime format such as '%d.%m.%Y %H:%M'")
    time = text.str.to_datetime(form, strict=False, time_unit="us")
    zoned = any(code in form for code in ("%z", "%:z", "%#z", "%+", "%s"))
    return (
        periods.wall_clock(time.dt.replace_time_zone("UTC") if "%s" in form else time, clock.zone)
        if zoned
        else _moved(time, clock)
    )


def _day_first(text: Column, clock: Clock) -> tuple[bool | None, tuple[Text, ...]]:
    """Whether dates such as 01/02/2026 begin with the day (None: there are none), by the whole column."""
    if clock.day_first is not None:
        return clock.day_first, ()
    head = text.head.drop_nulls()
    example = head.filter(head.str.contains(_PARTS))
    if example.is_empty():
        return None, ()
    parts = [text.cell.str.extract(_PARTS, part).cast(pl.Int8).max().alias(str(part)) for part in (1, 2)]
    largest = collect(text.rows.select(parts), text.table).row(0)
    day, month = (part is not None and part > 12 for part in largest)
    if day and month:
        raise InputError.mixed_dates(text.name, text.table)
    if not day and not month and not clock.month_first_if_open:
        raise InputError.ambiguous_dates(text.name, text.table, example[0])
    if day:
        return True, (Text(f"{text.name}: dates begin with the day", f"{text.name}:日期按 日/月/年 读取"),)
    return False, (Text(f"{text.name}: dates begin with the month", f"{text.name}:日期按 月/日/年 读取"),)


def _parse(text: pl.Series, *, clock: Clock, day_first: bool | None) -> pl.Series:
    """One batch of times. All ISO 8601: the fast way; if a single cell is otherwise, all go the slow one."""
    for attempt in (_iso_naive, _iso_zoned, _iso_spaced):
        parsed = attempt(text, clock)
        if parsed is not None:
            return parsed
    return text.to_frame("t").select(_any_form(pl.col("t"), clock, day_first=day_first)).to_series()


def _arrow_cast(text: pl.Series, zone: str | None) -> pl.Series | None:
    """ISO 8601 text as Datetime[us]: all with an offset (``zone`` UTC) or none; None when a cell does not parse."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        parsed = pc.cast(text.to_arrow(compat_level=pl.CompatLevel.oldest()), pa.timestamp("us", zone))
    except pa.ArrowInvalid:
        return None
    series = pl.from_arrow(parsed)
    return series.alias(text.name) if isinstance(series, pl.Series) else None


def _iso_naive(text: pl.Series, clock: Clock) -> pl.Series | None:
    parsed = _arrow_cast(text, None)
    if parsed is None or clock.source == clock.zone:
        return parsed
    return parsed.to_frame("t").select(_moved(pl.col("t"), clock)).to_series()


def _iso_zoned(text: pl.Series, clock: Clock) -> pl.Series | None:
    parsed = _arrow_cast(text, "UTC")
    return (
        None if parsed is None else parsed.to_frame("t").select(periods.wall_clock(pl.col("t"), clock.zone)).to_series()
    )


def _iso_spaced(text: pl.Series, clock: Clock) -> pl.Series | None:
    """``2019-10-01 00:00:00 UTC`` and ``2025-10-07 09:50:26 +0200``, as many exports write."""
    if not text.head(1).str.contains(_ZONED).all():
        return None
    plain = text.str.replace(r"\s*(?:UTC|GMT)$", "Z").str.replace(r"\s*([+-]\d{2}):?(\d{2})$", "$1:$2")
    return _iso_zoned(plain, clock)


def _any_form(text: pl.Expr, clock: Clock, *, day_first: bool | None) -> pl.Expr:
    """Every form this module reads, cell by cell; null for the rest."""
    cell = text.str.normalize("NFKC").str.strip_chars()
    digits = pl.when(cell.str.contains(_DIGITS)).then(cell.str.replace(r"\.0+$", "")).cast(pl.Int64, strict=False)
    forms = [_YEAR_FIRST] if day_first is None else [_YEAR_FIRST, _DAY_FIRST if day_first else _MONTH_FIRST]
    return pl.coalesce(_from_digits(digits, clock), *(_written(cell, form, clock) for form in forms))


def _written(cell: pl.Expr, form: str, clock: Clock) -> pl.Expr:
    """A date and perhaps a time, written as ``form`` says."""
    parts = cell.str.extract_groups(form)
    year, month, day, hour, minute, second = (
        parts.struct.field(name).cast(pl.Int32, strict=False)
        for name in ("year", "month", "day", "hour", "minute", "second")
    )
    half = pl.coalesce(
        parts.struct.field("am").replace({"上午": "A", "下午": "P"}),
        parts.struct.field("pm").str.to_uppercase().str.head(1),
    )
    hour = hour.fill_null(0)
    twelve = hour.is_between(1, 12) | (hour == 0)
    hour = (
        pl.when(half.is_null()).then(hour)
        .when((half == "P") & (hour > 12)).then(hour)
        .when(twelve).then(hour % 12 + pl.when(half == "P").then(12).otherwise(0))
    )  # fmt: skip
    fraction = parts.struct.field("fraction").str.pad_end(9, "0").cast(pl.Int64, strict=False).fill_null(0) // 1_000
    naive = _calendar((year, month, day, hour, minute.fill_null(0), second.fill_null(0)))
    naive += pl.duration(microseconds=fraction)
    zone = parts.struct.field("zone")
    offset = zone.str.replace(r"^[A-Za-z]+", "").str.replace(":", "", literal=True).str.pad_end(5, "0")
    minutes = offset.str.slice(1, 2).cast(pl.Int32, strict=False) * 60 + offset.str.slice(3, 2).cast(
        pl.Int32, strict=False
    )
    shift = pl.when(offset.str.starts_with("-")).then(-minutes).otherwise(minutes).fill_null(0)
    instant = (naive - pl.duration(minutes=shift)).dt.replace_time_zone("UTC")
    return pl.when(zone.is_null()).then(_moved(naive, clock)).otherwise(periods.wall_clock(instant, clock.zone))


# --- what a column could be ---------------------------------------------------------------------------------------


def looks_like_times(head: pl.Series) -> bool:
    """Whether at least half of the first values could be times; a column of nulls could be anything."""
    if head.dtype in (pl.Date, pl.Datetime, pl.Null):
        return True
    if head.dtype == pl.String:
        cells = pl.select(_trim(pl.lit(head), wrapped=True)).to_series().drop_nulls()
        forms = "|".join((r"^\d{4}[-/.年]\d{1,2}[-/.月]\d{1,2}", _PARTS, _DIGITS, r"^\d{1,2}[-/. ][A-Za-z]{3}"))
        return _mostly(cells.str.contains(forms))
    if not head.dtype.is_numeric():
        return False
    numbers = head.drop_nulls().cast(pl.Int64, strict=False)
    times = numbers.to_frame("n").select(_from_digits(pl.col("n"), Clock())).to_series()
    return _mostly(times.is_not_null())


def looks_like_numbers(head: pl.Series) -> bool:
    """Whether at least half of the first values could be numbers or money; a column of nulls could be anything."""
    if head.dtype.is_numeric() or head.dtype == pl.Null:
        return True
    if head.dtype != pl.String:
        return False
    cells = pl.select(_trim(pl.lit(head), wrapped=True)).to_series().drop_nulls()
    bare = pl.select(_bare(pl.lit(cells))).to_series()
    number = cells.cast(pl.Float64, strict=False).is_not_null() | bare.str.contains(r"^[+-]?[\d.,]*\d[\d.,]*$")
    return _mostly(number)


def _mostly(facts: pl.Series) -> bool:
    return 2 * int(facts.sum()) >= facts.len()


def any_of(conditions: Iterable[pl.Expr]) -> pl.Expr:
    """True where any condition is; null counts as not."""
    return reduce(
        lambda a, b: a | b, (condition.fill_null(value=False) for condition in conditions), pl.lit(value=False)
    )
