"""``userops audit``: a row is what one check says of one file."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from userops.cli_support.schemas.envelope import Envelope, Open


class AuditFinding(Open):
    """What one check says of one file."""

    id: str = Field(description="DQ01 to DQ19")
    file: str
    check: str
    check_zh: str
    severity: str = Field(description="high, medium or low: what such a finding does to numbers")
    status: str = Field(description="ok, info, warn, error or skipped")
    affected: int | None = Field(description="how many of unit; null where the check was skipped")
    unit: str = Field(description="rows, orders, users, days, hours, columns or files")
    share: float | None = Field(description="of all of them; null where nobody can tell")
    evidence: str = Field(description="what was found, or why the check was skipped")
    evidence_zh: str
    fix: str | None = Field(description="what to do; null where there is nothing to be done")
    fix_zh: str | None


class AuditSummary(Open):
    """All files together."""

    grade: str = Field(description="A to D; the rule is among the definitions")
    checks: int
    errors: int
    warnings: int
    infos: int
    passed: int
    skipped: int
    rows: int = Field(description="rows read")
    users: int = Field(description="different user ids of all files")
    first: date | None = Field(description="the first day, without strays")
    last: date | None
    events: int | None = Field(None, description="rows that count, of events")
    orders: int | None = Field(None, description="of orders")
    revenue: float | None = Field(None, description="null without amounts, and for several currencies")
    currency: str | None = None


ENVELOPE = Envelope[AuditFinding, AuditSummary]
