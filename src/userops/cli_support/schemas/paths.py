"""``userops paths``: a row is a transition, a session, or an event at a step."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from userops.cli_support.schemas.envelope import Envelope, Open


class PathsTransition(Open):
    """One step from event to event within sessions; the most frequent first."""

    source: str = Field(description="(start): the session begins")
    target: str = Field(description="(exit): the session ends")
    transitions: int
    users: int
    share: float = Field(description="of all that leaves the source")
    median_seconds: float | None = Field(description="from the one to the other; null for (start) and (exit)")


class PathsSession(Open):
    """One session, with --sessions; sorted by user_id and session."""

    user_id: str
    session: int = Field(description="the first session of the user is 1")
    started_at: datetime = Field(description="on the clock of --tz")
    events: int
    seconds: float = Field(description="from its first event to its last")


class PathsStep(Open):
    """With --step-matrix: one step and event."""

    step: int
    event: str = Field(description="(exit): the session is over by then")
    sessions: int
    share: float = Field(description="of all sessions; adds up to 1 for each step")


class PathsSummary(Open):
    """All sessions that are reported, as cut by --start-at and --end-at."""

    users: int
    events: int
    sessions: int
    bounce_rate: float = Field(description="sessions with a single event, of all")
    sessions_per_user: float
    mean_events_per_session: float
    median_events_per_session: float
    mean_session_seconds: float
    median_session_seconds: float


ENVELOPE = Envelope[PathsTransition | PathsSession | PathsStep, PathsSummary]
