"""``userops activity``: a row is a day, or a number of active days."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from userops.cli_support.schemas.envelope import Envelope, Open
from userops.cli_support.schemas.late import LatePeriod, LateSummary


class ActivityDay(Open):
    """One calendar day of the reporting window, silent days included."""

    date: date
    dau: int
    wau: int | None = Field(description="distinct users of 7 days; null before a full week of history")
    mau: int | None = Field(description="of --mau-days; null before a full window of history")
    stickiness: float | None = Field(description="dau / mau")
    new_users: int


class ActiveDays(Open):
    """With --histogram: users by number of active days in the trailing window."""

    active_days: int
    users: int


class ActivitySummary(Open):
    """Everybody together, and the last day that is reported."""

    users: int = Field(description="seen up to as-of")
    events: int | None = Field(None, description="rows that count, of events")
    orders: int | None = Field(None, description="of orders")
    revenue: float | None = None
    currency: str | None = None
    date: str | None = Field(description="the last day reported; dau to new_users are of it")
    dau: int | None
    wau: int | None
    mau: int | None
    stickiness: float | None
    new_users: int | None
    mean_dau: float | None = Field(description="over the days reported")
    mean_stickiness: float | None = Field(description="over the days reported that have one")
    active_days_mean: float | None = Field(description="days on which an active user was, in the last --mau-days")


ENVELOPE = Envelope[ActivityDay | ActiveDays | LatePeriod, ActivitySummary | LateSummary]
