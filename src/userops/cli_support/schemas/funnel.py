"""``userops funnel``: a row is a step, a user who entered, or a step of the user asked about."""

from __future__ import annotations

from pydantic import Field

from userops.cli_support.schemas.envelope import Envelope, Open


class FunnelStep(Open):
    """One step; with --by one for each value of the column, which is then there too."""

    step: int
    event: str = Field(description="the step as it was given; with --order any: any N")
    users: int = Field(description="users (sessions, pairs: --count) who reached it, of all entries")
    mature_users: int = Field(description="of entries whose whole window is over by the end of as_of")
    from_start: float | None = Field(description="mature_users of those at step 1")
    from_previous: float | None = Field(description="mature_users of those at the step before; null at step 1")
    dropped: int | None = Field(description="mature users of the step before who did not reach this one")
    ci_low: float | None = Field(description="Wilson, of from_start")
    ci_high: float | None
    median_seconds_from_start: float | None = Field(description="latest entry to earliest completion, mature entries")
    p90_seconds_from_start: float | None


class FunnelUser(Open):
    """One user who entered, with --per-user or --stopped-at; sorted by user_id."""

    user_id: str
    level: int = Field(description="the deepest step reached")
    entered_at: str = Field(description="the latest entry that leads to reached_at, clocks of --tz")
    reached_at: str = Field(description="the earliest time at which that step was done")
    mature: bool = Field(description="whether the window of that entry is over")


class FunnelTold(Open):
    """One step of one user, with --explain."""

    step: int
    event: str
    matched: str | None = Field(description="the event of the row that was this step; null: the step was not done")
    at: str | None
    reason: str = Field(description="matched, or why not: after_window, only_before, no_such_row, ...")
    seen: str | None = Field(description="the event of the row that shows the reason")
    seen_at: str | None
    seconds_from_start: float | None


class FunnelSummary(Open):
    """All together."""

    users: int = Field(description="who entered; with --explain 1")
    events: int = Field(description="rows that count; with --explain the user's rows that were looked at")
    mature_users: int | None = None
    converted: int | None = Field(None, description="mature users who did all steps")
    conversion: float | None = Field(None, description="converted / mature_users")
    steps: int
    median_seconds: float | None = Field(None, description="to the last step")
    level: int | None = Field(None, description="with --explain: steps done")


ENVELOPE = Envelope[FunnelStep | FunnelUser | FunnelTold, FunnelSummary]
