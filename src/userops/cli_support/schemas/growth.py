"""``userops growth``: a row is a period."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from userops.cli_support.schemas.envelope import Envelope, Open
from userops.cli_support.schemas.late import LatePeriod, LateSummary


class GrowthPeriod(Open):
    """One period that the reporting window touches, silent ones included."""

    period_start: date
    new: int
    retained: int
    resurrected: int
    churned: int | None = Field(description="null in the first period of the data, as are net and quick_ratio")
    active: int = Field(description="new + retained + resurrected")
    net: int | None = Field(description="new + resurrected - churned")
    quick_ratio: float | None = Field(description="(new + resurrected) / churned; null where nobody churned")
    complete: bool = Field(description="whether the period is over by as-of")


class GrowthSummary(Open):
    """Everybody together, and the last reported period that is over."""

    users: int = Field(description="seen up to as-of")
    events: int | None = Field(None, description="rows that count, of events")
    orders: int | None = Field(None, description="of orders")
    revenue: float | None = None
    currency: str | None = None
    period_start: str | None = Field(description="the last period that is over; new to churn_rate are of it")
    new: int | None
    retained: int | None
    resurrected: int | None
    churned: int | None
    active: int | None
    net: int | None
    quick_ratio: float | None
    retention_rate: float | None = Field(description="retained, of those active the period before")
    churn_rate: float | None = Field(description="churned, of those active the period before")
    mean_quick_ratio: float | None = Field(description="over the reported periods that are over and have one")


ENVELOPE = Envelope[GrowthPeriod | LatePeriod, GrowthSummary | LateSummary]
