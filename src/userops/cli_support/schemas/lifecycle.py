"""``userops lifecycle``: a row is a stage, a user, or a move from stage to stage."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from userops.cli_support.schemas.envelope import Envelope, Open
from userops.cli_support.schemas.late import LatePeriod, LateSummary


class LifecycleStage(Open):
    """One stage, in the order of a life that goes on; those without users are there with a null median."""

    stage: str
    stage_zh: str
    users: int
    users_share: float | None = Field(description="of all users")
    revenue: float | None = Field(description="refunds netted; null where rows hold no money")
    median_recency_days: int | None = Field(description="a value that somebody has, the lower of two")


class LifecycleUser(Open):
    """One user, with --per-user; sorted by user_id."""

    user_id: str
    stage: str
    stage_zh: str
    first_seen: date = Field(description="the sign-up, if that was before the first act")
    last_seen: date = Field(description="the last act; of users who never acted, the sign-up")
    recency_days: int
    orders: int | None = Field(None, description="of orders: refunds excluded")
    active_days: int | None = Field(None, description="of events: days with at least one")
    last_gap_days: int | None = Field(description="days between the last two days with an act; null: there is but one")
    revenue: float | None


class LifecycleMove(Open):
    """With --transitions-from: users by their stage then and now."""

    from_: str | None = Field(alias="from", description="null: not there yet")
    to: str
    users: int
    share: float = Field(description="of the users who were in the earlier stage")


class LifecycleSummary(Open):
    """All users together; and for every stage its users and its share, such as churned_users and churned_share."""

    users: int
    orders: int | None = Field(None, description="of orders")
    revenue: float | None = None
    currency: str | None = None
    refund_only_users: int | None = None
    refund_only_revenue: float | None = None
    events: int | None = Field(None, description="rows that count, of events")
    active_within_days: int = Field(description="recency up to which users count as active")
    silent_after_days: int
    churned_after_days: int
    mature_orders: int = Field(description="orders (active days) from which a user is mature")
    moved_users: int | None = Field(None, description="with --transitions-from: in another stage than then")
    stayed_users: int | None = Field(None, description="with --transitions-from: in the same stage")


ENVELOPE = Envelope[LifecycleStage | LifecycleUser | LifecycleMove | LatePeriod, LifecycleSummary | LateSummary]
