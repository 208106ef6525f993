"""``userops retention``: a row is a cohort in one period."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from userops.cli_support.schemas.envelope import Envelope, Open
from userops.cli_support.schemas.late import LatePeriod, LateSummary


class RetentionCell(Open):
    """One cohort and one period, N periods after the start."""

    cohort: date | str | None = Field(description="the first day of the cohort's period, or the value of a column")
    cohort_users: int
    period: int | str = Field(description="N; with --brackets the range, such as 1-3")
    users: int = Field(description="returned, of the eligible; of all so far where nobody is eligible yet")
    eligible_users: int = Field(description="users for whom the period is over by as-of")
    retention: float | None = Field(description="users / eligible_users; with --value net revenue retention")
    ci_low: float | None = Field(description="Wilson; null for recurring cohorts and values")
    ci_high: float | None
    complete: bool = Field(description="whether all users of the cohort are eligible")
    left_censored: bool = Field(description="cohort of the file's first period: may hold users who started before")
    revenue: float | None = Field(None, description="with --value: in period N, of eligible users")
    cohort_revenue: float | None = Field(None, description="with --value: of the same users in period 0")
    gross_retention: float | None = Field(None, description="with --value: each user at most with period 0's revenue")


class RetentionAverage(Open):
    """All cohorts together."""

    period: int | str
    retention: float | None
    eligible_users: int


class RetentionSummary(Open):
    """All cohorts together; also flat as d1_retention, w4_retention, m3_retention and so on."""

    users: int = Field(description="in the cohorts that are reported")
    cohorts: int
    average: list[RetentionAverage]
    events: int | None = Field(None, description="rows that count, of events")
    orders: int | None = Field(None, description="of orders")
    revenue: float | None = None
    currency: str | None = None


ENVELOPE = Envelope[RetentionCell | LatePeriod, RetentionSummary | LateSummary]
