"""Calendar arithmetic: time zones.

Inside userops a time is the wall clock of the analysis time zone, without a zone (:mod:`userops.frames`).
"""

from __future__ import annotations

import zoneinfo
from datetime import UTC, date, datetime, timedelta

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
    return wall.is_not_null() & instant(wall, zone).is_null()


def end_of(day: date) -> datetime:
    """The first moment that no longer belongs to ``day``."""
    return datetime.combine(day + timedelta(days=1), datetime.min.time())


def skips_times(zone: str) -> bool:
    """Whether the clocks of ``zone`` ever go forward, so that some wall clock times never were."""
    return not is_utc(zone) and len(_offsets(zone)) > 1


def _offsets(zone: str) -> set[timedelta | None]:
    """The offsets a zone has had, looked at every month."""
    place = zoneinfo.ZoneInfo(zone)
    months = (datetime(year, month, 1, tzinfo=UTC) for year in range(1900, 2100) for month in range(1, 13))
    return {month.astimezone(place).utcoffset() for month in months}
