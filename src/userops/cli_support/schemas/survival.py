"""``userops survival``: a row is a period of a curve."""

from __future__ import annotations

from pydantic import Field

from userops.cli_support.schemas.envelope import Envelope, Open


class SurvivalPeriod(Open):
    """One period of a curve, with --by of one group."""

    period: int = Field(description="whole periods since the start; 0 is the start itself")
    at_risk: int = Field(description="seen through the period, or leaving in it")
    churned: int = Field(description="left in it")
    survival: float | None = Field(description="Kaplan-Meier; null beyond what was seen")
    ci_low: float | None = Field(description="null where survival is 0 or 1, and beyond what was seen")
    ci_high: float | None
    projected: float | None = Field(description="shifted beta-geometric; null where it cannot be fitted")


class SurvivalSummary(Open):
    """Everybody together."""

    users: int = Field(description="distinct users; of counts, those of the first period")
    subscriptions: int
    churned: int = Field(description="in a period that is over")
    churned_in_unfinished_period: int
    active: int
    periods: int = Field(description="the last period that somebody was seen through")
    horizon: int = Field(description="the period that the projection goes to")
    alpha: float | None = Field(description="of Beta(alpha, beta), the chances to leave; null where not fitted")
    beta: float | None
    log_likelihood: float | None
    median_lifetime: int | None = Field(description="the first period with at most half still there; null: not yet")
    median_lifetime_projected: int | None
    survival_at_horizon: float | None = Field(description="projected")
    expected_lifetime: float | None = Field(description="periods, of a new subscriber; null where alpha <= 1: infinite")
    expected_remaining_lifetime: float | None = Field(description="of those who are there; null where alpha <= 1")
    expected_remaining_within_horizon: float | None = Field(description="of the next so many periods")
    log_rank: float | None = Field(None, description="with --by: chi-squared of the test that groups leave alike")
    log_rank_df: int | None = None
    log_rank_p: float | None = None


ENVELOPE = Envelope[SurvivalPeriod, SurvivalSummary]
