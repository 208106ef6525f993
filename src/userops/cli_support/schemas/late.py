"""What several commands print with ``--late-rows``: a row is a period."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from userops.cli_support.schemas.envelope import Open


class LatePeriod(Open):
    """One period, with --late-rows."""

    period_start: date
    rows: int
    late_rows: int = Field(description="arrived after the last day of the period")
    late_share: float | None
    users_then: int = Field(description="active users as a report at the end of the period saw them")
    users_now: int
    users_change: int
    median_lag_hours: float | None
    p90_lag_hours: float | None
    max_lag_days: float | None
    complete: bool = Field(description="whether the period is over by as-of")


class LateSummary(Open):
    """All rows together, with --late-rows."""

    users: int
    rows: int
    late_rows: int
    late_share: float
    data_through: str | None = Field(description="when the latest row arrived")
    median_lag_hours: float
    p90_lag_hours: float
    p99_lag_hours: float
    settled_after_days: int | None = Field(description="after a period's end, until 99 % of its rows were there")
    changed_periods: int = Field(description="periods whose active users are no longer those of the report then")
    negative_lags: int = Field(description="rows that arrived before they happened; lag 0")
    unknown_arrivals: int = Field(description="rows that do not say when they arrived; lag 0")
