"""Calendar arithmetic: time zones, days, weeks and months.

Inside userops a time is the wall clock of the analysis time zone, without a zone (:mod:`userops.frames`).
"""

from __future__ import annotations

import zoneinfo
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Literal, get_args

import polars as pl

from userops.errors import UsageError

FIRST_DAY = date(1900, 1, 1)
"""Times before this day are not read as times."""

END = date(2263, 1, 1)
"""Times from this day on are not read as times."""


def time_zone(name: str) -> str:
    """The name itself, once it is known to be a time zone; else UsageError with the closest one."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        known = sorted(zoneinfo.available_timezones())
        common = ["UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York"]
        raise UsageError.unknown_name("time zone", name, [*common, *(k for k in known if k not in common)]) from None
    return name


def wall_clock(instant: pl.Expr, zone: str) -> pl.Expr:
    """What the clocks of ``zone`` show: a time with any zone in, Datetime[us] without one out."""
    return instant.dt.convert_time_zone(zone).dt.replace_time_zone(None).dt.cast_time_unit("us")


def instant(wall: pl.Expr, zone: str) -> pl.Expr:
    """The moment a wall clock time stands for: the earlier one where it exists twice, null where it does not exist."""
    return wall.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")


def never_was(wall: pl.Expr, zone: str) -> pl.Expr:
    """True for a wall clock time that ``zone`` skipped, as in spring when the clocks go forward."""
    doubtful = pl.when(wall < _last_skip(zone)).then(wall)
    return doubtful.is_not_null() & instant(doubtful, zone).is_null()


def was_twice(wall: pl.Expr, zone: str) -> pl.Expr:
    """True for a wall clock time that ``zone`` had twice, as in autumn when the clocks go back."""
    latest = wall.dt.replace_time_zone(zone, ambiguous="latest", non_existent="null")
    return instant(wall, zone) != latest


def end_of(day: date) -> datetime:
    """The first moment that no longer belongs to ``day``."""
    return datetime.combine(day + timedelta(days=1), datetime.min.time())


def end_instant(day: date, zone: str) -> int:
    """The first moment after a day of ``zone``, in microseconds since 1970 in UTC."""
    end = end_of(day).replace(tzinfo=zoneinfo.ZoneInfo(zone)).astimezone(UTC)
    return round((end - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 1_000_000


def skips_times(zone: str) -> bool:
    """Whether the clocks of ``zone`` ever went forward, so that some wall clock times never were."""
    return _last_skip(zone) is not None


@cache
def _last_skip(zone: str) -> datetime | None:
    """When the clocks of ``zone`` went forward for the last time, or later; None: they never did."""
    place = zoneinfo.ZoneInfo(zone)
    months = [datetime(year, month, 1, tzinfo=UTC) for year in range(1900, 2100) for month in range(1, 13)]
    offsets = [month.astimezone(place).utcoffset() or timedelta() for month in months]
    skips = [month for month, before, after in zip(months[1:], offsets, offsets[1:], strict=False) if after > before]
    if not skips:
        return None
    still = skips[-1].year == months[-1].year
    return datetime.combine(END, datetime.min.time()) if still else skips[-1].replace(tzinfo=None) + timedelta(days=2)


def parse_day(text: str | None, option: str, zone: str) -> date | None:
    """A day as people give it to an option: ISO, ``today`` or ``yesterday`` in ``zone``; None stays None."""
    if text is None:
        return None
    if text in ("today", "yesterday"):
        now = datetime.now(zoneinfo.ZoneInfo(time_zone(zone))).date()
        return now if text == "today" else now - timedelta(days=1)
    with suppress(ValueError):
        if (day := date.fromisoformat(text)).year < date.max.year:  # there is a next day
            return day
    raise UsageError.bad_value(option, text, "a day such as 2026-11-30, today or yesterday")


def require_order(since: date | None, until: date | None) -> None:
    """UsageError where a reporting window ends before it begins."""
    if since and until and since > until:
        raise UsageError.bad_value("--since", since, f"a day not after --until {until}")


MICROSECONDS_A_DAY = 86_400_000_000
"""Wall-clock days are always this long: daylight saving was dealt with when the times were read."""


def epoch_day(day: date) -> int:
    """Days since 1970-01-01."""
    return day.toordinal() - date(1970, 1, 1).toordinal()


def start_of_day(day: date) -> int:
    """The first microsecond of a day, since 1970-01-01."""
    return epoch_day(day) * MICROSECONDS_A_DAY


def end_of_day(day: date) -> int:
    """The first microsecond after a day: what lies before it belongs to the day or earlier."""
    return start_of_day(day) + MICROSECONDS_A_DAY


# --- days, weeks, months as whole numbers -----------------------------------------------------------------------------

Grain = Literal["day", "week", "month"]
WeekStart = Literal["monday", "sunday"]

GRAINS: tuple[Grain, ...] = get_args(Grain)

_WEEK_SHIFT: dict[WeekStart, int] = {"monday": 3, "sunday": 4}
"""1970-01-01 was a Thursday: day 3 of a week that begins on Monday, day 4 of one that begins on Sunday."""


def index(day: pl.Expr, grain: Grain, week_start: WeekStart = "monday") -> pl.Expr:
    """The number of the period a day (days since 1970-01-01) lies in; periods of one grain count up by one.

    Days as they are, weeks since the one of 1970-01-01, months since January of year 0. Int32; null for null and for
    days outside 1900 to 2262.
    """
    if grain == "day":
        return day
    if grain == "week":
        return (day + _WEEK_SHIFT[week_start]) // 7
    return pl.lit(_months()).gather(day - epoch_day(FIRST_DAY), null_on_oob=True)


@cache
def _months() -> pl.Series:
    """The month of every day from FIRST_DAY on: looking it up is several times as fast as reading it off a calendar."""
    days = pl.date_range(FIRST_DAY, END, closed="left", eager=True)
    return days.dt.year() * 12 + days.dt.month().cast(pl.Int32) - 1


def bit(day: pl.Expr, grain: Grain, week_start: WeekStart = "monday") -> pl.Expr:
    """A single bit for the period of a day, UInt64: bit ``index % 64``, so that 64 periods in a row have one each."""
    return pl.lit(_bits(grain, week_start)).gather(day - epoch_day(FIRST_DAY), null_on_oob=True)


@cache
def _bits(grain: Grain, week_start: WeekStart) -> pl.Series:
    days = pl.int_range(epoch_day(FIRST_DAY), epoch_day(END), dtype=pl.Int32, eager=True)
    place = (index(pl.lit(days), grain, week_start) % 64).cast(pl.UInt32)
    return pl.select(pl.lit(2, pl.UInt64).pow(place)).to_series()


def index_of(day: date, grain: Grain, week_start: WeekStart = "monday") -> int:
    """:func:`index` of one day."""
    if grain == "month":
        return day.year * 12 + day.month - 1
    return epoch_day(day) if grain == "day" else (epoch_day(day) + _WEEK_SHIFT[week_start]) // 7


def first_day(number: int, grain: Grain, week_start: WeekStart = "monday") -> date:
    """The day a period begins with."""
    if grain == "month":
        return date(number // 12, number % 12 + 1, 1)
    days = number if grain == "day" else number * 7 - _WEEK_SHIFT[week_start]
    return date(1970, 1, 1) + timedelta(days=days)


def first_days(number: pl.Expr, grain: Grain, week_start: WeekStart = "monday") -> pl.Expr:
    """:func:`first_day` of a column: Date."""
    if grain == "month":
        return pl.date(number // 12, number % 12 + 1, 1)
    return (number if grain == "day" else number * 7 - _WEEK_SHIFT[week_start]).cast(pl.Int32).cast(pl.Date)


def last_complete(as_of: date, grain: Grain, week_start: WeekStart = "monday") -> int:
    """The last period that is over at the end of ``as_of``."""
    return index_of(as_of + timedelta(days=1), grain, week_start) - 1
