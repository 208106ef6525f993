"""``userops diagnose``: a row is a finding, a day or some customers behind one, or a user to act on."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from userops.cli_support.schemas.envelope import Envelope, Open


class DiagnoseFinding(Open):
    """One finding of the check-up, the worst first; beside an earlier report, those that are gone come last."""

    id: str = Field(description="stable from night to night; --show and --audience take it")
    area: str = Field(description="data, portrait, demand, goals, behaviour or content")
    title: str
    title_zh: str
    status: str = Field(description="open; beside an earlier report new, worse, same, better or resolved")
    severity: str = Field(description="error: goes on and costs; warn: wants somebody's eye; info: worth knowing")
    metric: str | None
    segment: str | None = Field(description="column=value; null: everybody")
    since: date | None = Field(description="its days; until is null where it goes on")
    until: date | None
    value: float | None = Field(description="the metric on these days")
    baseline: float | None = Field(description="what it was before, or around them")
    target: float | None = Field(description="of a goal")
    delta: float | None = Field(description="value - baseline; of a goal value - target")
    n: int | None = Field(description="how many were counted in value")
    p_value: float | None = Field(description="of its own test, for the windows that were tried")
    q_value: float | None = Field(description="after Benjamini-Hochberg over everything that was tested")
    impact: float | None = Field(description="money at stake, in the currency of the orders; negative is lost")
    causes: list[str] = Field(description="at most three, of how much each accounts for a part")
    also: list[str] = Field(description="what moved for the same reason")
    actions: list[str]
    prevention: list[str]
    proof: str | None = Field(description="what would show that it worked, by when")
    audience: str | None = Field(description="the command that lists whom to act on")
    reproduce: str | None = Field(description="the command that gives the numbers again")
    confidence: str = Field(description="high, medium or low; no better than the data")


class DiagnoseDay(Open):
    """--show ID: one day of the metric of a finding; its numbers are sums of those inside."""

    day: date
    numerator: float
    denominator: float
    value: float | None
    inside: bool = Field(description="whether the finding is of this day")


class DiagnoseCustomers(Open):
    """--show ID of customers who went quiet: how many of them did so much in as many days before, and in its days."""

    before: int
    lately: int
    customers: int


class DiagnoseUser(Open):
    """--audience ID: one user a finding is about."""

    user_id: str
    group: str = Field(description="act, or compare: a fifth are left alone, to see whether acting helped")
    finding: str


class DiagnoseSummary(Open):
    """The state of every part, and the numbers of the last 28 days and of the last day that the files tell."""

    grade: str = Field(description="of the data, A to D, as audit has it")
    findings: int
    error_findings: int = Field(description="without the resolved ones; so are the next two")
    warn_findings: int
    info_findings: int
    new: int = Field(description="beside an earlier report; so are the next two")
    worse: int
    resolved: int
    tested: int = Field(description="comparisons that were tested together")
    data_status: str = Field(description="error, warn, info, ok or skipped, as are the others")
    portrait_status: str
    demand_status: str
    goals_status: str
    behaviour_status: str
    content_status: str
    users: int
    events: int | None = None
    orders: int | None = None
    revenue: float | None = Field(None, description="refunds netted")
    currency: str | None = None


class DiagnoseShown(Open):
    """--show ID: the numbers of the finding, and the sums of its days where it has days."""

    value: float | None
    baseline: float | None
    impact: float | None
    n: int | None
    numerator: float | None = None
    denominator: float | None = None


class DiagnoseAudience(Open):
    """--audience ID: how many users there are of each group."""

    users: int
    act: int
    compare: int


ENVELOPE = Envelope[
    DiagnoseFinding | DiagnoseDay | DiagnoseCustomers | DiagnoseUser, DiagnoseSummary | DiagnoseShown | DiagnoseAudience
]
