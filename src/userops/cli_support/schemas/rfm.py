"""``userops rfm``: a row is a segment, or a customer."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from userops.cli_support.schemas.envelope import Envelope, Open


class RfmTier(Open):
    """One segment, in order of value; those without customers are there with null means."""

    segment: str
    segment_zh: str
    users: int
    users_share: float | None = Field(description="of all customers")
    mean_recency_days: float | None
    mean_orders: float | None
    mean_monetary: float | None
    revenue: float = Field(description="refunds netted")
    revenue_share: float | None = Field(description="of the revenue of all tiers")


class RfmUser(Open):
    """One customer, with --per-user; sorted by user_id."""

    user_id: str
    last_order: date
    recency_days: int
    orders: int
    monetary: float
    r: int
    f: int
    m: int
    score: str = Field(description="r, f and m in a row")
    segment: str
    segment_zh: str


class RfmSummary(Open):
    """All customers together."""

    users: int
    orders: int
    revenue: float
    currency: str | None
    repeat_rate: float | None = Field(description="customers with two orders or more, of all")
    median_gap_days: int | None = Field(description="days from one order date of a customer to the next")
    p80_gap_days: int | None
    gap_users_one_in: int = Field(description="gaps were taken from one customer in so many")
    refund_only_users: int
    refund_only_revenue: float
    known_revenue: float = Field(description="of the tiers and of refund-only customers")
    file_total: float = Field(description="of every row that holds an amount, rejected ones included")
    moved_users: int | None = Field(None, description="with --compare-with: in another segment than before")
    stayed_users: int | None = Field(None, description="with --compare-with: in the same segment")


ENVELOPE = Envelope[RfmTier | RfmUser, RfmSummary]
