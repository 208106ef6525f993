"""Reading times: columns of any type as the wall clock of one time zone, and why a cell may hold no time.

How dates are written is decided once per column: from its first values, or from all of it where days and months
could change places. Text goes through Arrow's reader of ISO 8601 in whole batches, which is several times as fast as
any other way here; only a batch with something else in it is taken apart cell by cell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import TypeVar

import polars as pl

from userops import periods
from userops.collecting import collect
from userops.errors import InputError, UsageError
from userops.inputs import values
from userops.inputs.values import Column, Reading
from userops.results import Text

_Numbers = TypeVar("_Numbers", pl.Expr, pl.Series)

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
        """The zone of times that name none."""
        return self.naive_zone or self.zone

    @property
    def in_utc(self) -> Clock:
        """The clock that reads the same times as moments: what it shows is UTC."""
        return replace(self, zone="UTC", naive_zone=self.source)


Reader = Callable[[Clock], pl.Expr]
"""A column as read on a given clock."""


def read_time(column: Column, clock: Clock) -> Reading:
    """A time as the wall clock of ``clock.zone``, Datetime[us], and its ``instant``: the same read on the clock of UTC.

    So a moment keeps its place where the wall clock shows one hour twice. Flaws: ``missing_time``,
    ``unreadable_time``, ``nonexistent_time``. Dates, datetimes of any unit and zone, integers (YYYYMMDD; epoch seconds
    to nanoseconds, by size) and text: ISO 8601 with or without zone, ``2026/1/2``, ``2026年1月2日``, days or months
    first, digits. Whether days come first is decided over the whole column; InputError where nothing tells. Years
    outside 1900 to 2262 are unreadable.
    """
    dtype = column.dtype
    notes: tuple[Text, ...] = ()
    cell = column.cell
    read: Reader
    if values.is_textlike(dtype):
        text = values.trimmed(
            replace(column, textual=False)
        )  # the slow way trims cell by cell, the fast way needs none
        cell = text.cell
        read, notes = _from_text(text, clock)
    elif isinstance(dtype, pl.Date):
        read = partial(_from_date, cell, zone=clock.zone)
    elif isinstance(dtype, pl.Datetime):
        read, notes = _from_datetime(column, dtype, clock)
    elif dtype.is_integer():
        read = partial(_from_digits, cell.cast(pl.Int64, strict=False))
    elif dtype.is_float():
        cell = cell.fill_nan(None)
        read = partial(_from_digits, cell.round().cast(pl.Int64, strict=False))
    elif dtype == pl.Null:
        read = _never
    else:
        raise InputError.column_unfit("a time", column.name, column.table, str(dtype))
    value, step = values.once(column, "time", read(clock))
    instant, steps = value, [step]
    if clock.zone != "UTC":
        instant, moment = values.once(column, "instant", read(clock.in_utc))
        steps.append(moment)
    flaws = {"missing_time": cell.is_null(), "unreadable_time": ~_in_range(value) | value.is_null()}
    may_skip = dtype != pl.Date and getattr(dtype, "time_zone", None) is None and periods.skips_times(clock.zone)
    if may_skip:
        flaws["nonexistent_time"] = periods.never_was(value, clock.zone)
    wall_zone = clock.zone if may_skip and not _names_moments(column.head) else None
    return Reading(value, pl.Datetime("us"), flaws, notes, tuple(steps), instant, wall_zone)


def _never(clock: Clock) -> pl.Expr:
    return pl.lit(None, pl.Datetime("us"))


def _names_moments(head: pl.Series) -> bool:
    """Whether the first values tell moments, not what a clock showed: an offset behind each, or time since 1970."""
    cells = head.drop_nulls()
    if cells.dtype.is_numeric():
        return bool(cells.len()) and not (_is_day(cells) | _is_second(cells)).any()
    return cells.dtype == pl.String and bool(cells.len()) and bool(cells.str.contains(_ZONED).all())


def _in_range(time: pl.Expr) -> pl.Expr:
    return time.is_between(periods.FIRST_DAY, periods.END, closed="left")


def _from_date(cell: pl.Expr, clock: Clock, *, zone: str) -> pl.Expr:
    """The first moment of each day of ``zone``: midnight on its own clock, also where that was skipped."""
    midnight = cell.clip(date.min, date.max).cast(pl.Datetime("us"))  # beyond, the cast panics
    if clock.zone == zone:
        return midnight
    begins = pl.coalesce(periods.instant(midnight, zone), periods.instant(midnight + pl.duration(hours=1), zone))
    return periods.wall_clock(begins, clock.zone)


def _from_datetime(column: Column, dtype: pl.Datetime, clock: Clock) -> tuple[Reader, tuple[Text, ...]]:
    zone = dtype.time_zone
    if zone is None:
        return partial(_moved, column.cell.dt.cast_time_unit("us")), ()
    utc = column.cell.cast(pl.Int64).cast(pl.Datetime(dtype.time_unit)).dt.cast_time_unit("us")
    instant = pl.when(_in_range(utc)).then(utc)
    return partial(_shown, instant), _zone_note(column.name, zone, clock.zone)


def _shown(utc: pl.Expr, clock: Clock) -> pl.Expr:
    """Moments, as UTC without a zone, on a clock."""
    return utc if clock.zone == "UTC" else periods.wall_clock(utc.dt.replace_time_zone("UTC"), clock.zone)


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
    days, seconds = _is_day(number), _is_second(number)
    date = pl.when(days).then(number * 1_000_000).when(seconds).then(number)
    places = ((10, 4), (8, 2), (6, 2), (4, 2), (2, 2), (0, 2))
    calendar = _calendar((date // 10**place % 10**width).cast(pl.Int32) for place, width in places)
    epoch = (
        pl.when(number >= 10**17).then(number // 1_000)
        .when(number >= 10**14).then(number)
        .when(number >= 10**11).then(number * 1_000)
        .when(number >= 10**8).then(number * 1_000_000)
    )  # fmt: skip
    instant = pl.when(date.is_null()).then(epoch).cast(pl.Datetime("us"))
    return pl.coalesce(_moved(calendar, clock), _shown(instant, clock))


def _is_day(number: _Numbers) -> _Numbers:
    return number.is_between(19_000_101, 22_621_231)


def _is_second(number: _Numbers) -> _Numbers:
    return number.is_between(19_000_101_000_000, 22_621_231_235_959)


def _calendar(parts: Iterable[pl.Expr]) -> pl.Expr:
    """A Datetime[us] from year, month, day, hour, minute and second; null where there is no such date or time."""
    year, month, day, hour, minute, second = parts
    first = pl.datetime(year.clip(1, 9999), month.clip(1, 12), 1, time_unit="us")
    date = first + pl.duration(days=day.clip(1, 31) - 1)
    real = (date.dt.month() == month) & (date.dt.day() == day) & (date.dt.year() == year)
    clock = hour.is_between(0, 23) & minute.is_between(0, 59) & second.is_between(0, 59)
    return pl.when(real & clock).then(date + pl.duration(hours=hour, minutes=minute, seconds=second))


def _from_text(text: Column, clock: Clock) -> tuple[Reader, tuple[Text, ...]]:
    head = text.head.drop_nulls()
    if clock.date_format is not None:
        return partial(_formatted, text.cell, clock.date_format), ()
    first, notes = _day_first(text, clock)
    if head.str.contains(_ZONED).any():
        notes = (*notes, *_offset_note(text.name, head, clock.zone))
    return partial(_parsed, text.cell, day_first=first), notes


def _parsed(text: pl.Expr, clock: Clock, *, day_first: bool | None) -> pl.Expr:
    parse = partial(_parse, clock=clock, day_first=day_first)
    return text.map_batches(parse, return_dtype=pl.Datetime("us"), is_elementwise=True)


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


def looks_like_times(head: pl.Series) -> bool:
    """Whether at least half of the first values could be times; a column of nulls could be anything."""
    if head.dtype in (pl.Date, pl.Datetime, pl.Null):
        return True
    if head.dtype == pl.String:
        cells = pl.select(values.trim(pl.lit(head), wrapped=True)).to_series().drop_nulls()
        forms = rf"^\d{{4}}[-/.年]\d{{1,2}}[-/.月]\d{{1,2}}|{_PARTS}|{_DIGITS}|^\d{{1,2}}[-/. ][A-Za-z]{{3}}"
        return values.mostly(cells.str.contains(forms))
    if not head.dtype.is_numeric():
        return False
    numbers = head.drop_nulls().cast(pl.Int64, strict=False)
    times = numbers.to_frame("n").select(_from_digits(pl.col("n"), Clock())).to_series()
    return values.mostly(times.is_not_null())
