"""``userops aarrr``: a row is a metric."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from userops.cli_support.schemas.envelope import Envelope, Open


class AarrrMetric(Open):
    """One metric; with --by one for each value of the column, which is then there too."""

    stage: str = Field(description="acquisition, activation, retention, revenue or referral")
    metric: str
    value: float | None = Field(description="null: what is missing is in reason")
    numerator: float | None = Field(description="null for medians and paybacks")
    denominator: float | None = Field(description="of a median: how many values it is of")
    ci_low: float | None = Field(description="Wilson; null for what is no share of users or invitations")
    ci_high: float | None
    previous: float | None = Field(description="the value in the days before; null where the data begin within them")
    reason: str | None = Field(description="why there is no value")
    since: date = Field(description="the days the value is of")
    until: date


class AarrrSummary(Open):
    """Everybody together; every metric is also here, under its own name."""

    users: int
    events: int | None = None
    orders: int | None = None
    revenue: float | None = None
    currency: str | None = None
    since: date = Field(description="the reporting window")
    until: date
    new_users: float | None
    spend: float | None
    cac: float | None
    activation_rate: float | None
    median_hours_to_value: float | None
    d1: float | None
    d7: float | None
    d30: float | None
    paid_conversion: float | None
    arpu: float | None
    arppu: float | None
    aov: float | None
    repeat_rate: float | None
    ltv_7: float | None
    ltv_30: float | None
    ltv_90: float | None
    ltv_cac: float | None
    payback_days: float | None
    invites: float | None
    invite_conversion: float | None
    k_factor: float | None
    cycle_days: float | None


ENVELOPE = Envelope[AarrrMetric, AarrrSummary]
