"""What a command prints with ``--json``, as JSON Schema: for programs that read it.

The models here describe; they do not run. A test holds real output of every command against them.
"""

from __future__ import annotations

import json
from datetime import date
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from userops.errors import UsageError


class Open(BaseModel):
    """Later versions may add keys; those named here stay."""

    model_config = ConfigDict(extra="allow")


class InputMeta(Open):
    """What became of the rows of one input: rows_read = rows_used + the sum of rejected."""

    name: str
    layout: str
    rows_read: int
    rows_used: int
    rejected: dict[str, int] = Field(description="rows that do not count, by reason")


class Meta(Open):
    """Where the numbers came from."""

    as_of: date | None = Field(description="the data counts as complete through the end of this day")
    tz: str
    week_start: str
    inputs: list[InputMeta]
    settings: dict[str, Any] = Field(description="every option in force, defaults included")
    definitions: list[str] = Field(description="the rules in words, in the language of --lang")
    warnings: list[str]
    version: str


Row = TypeVar("Row", bound=BaseModel)
Summary = TypeVar("Summary", bound=BaseModel)


class Envelope(Open, Generic[Row, Summary]):
    """What every command prints with --json. Never NaN; dates are ISO 8601; money is in currency units."""

    schema_: str = Field(alias="schema", description="userops.COMMAND/1")
    meta: Meta
    summary: Summary
    rows: list[Row]


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


class FileColumn(Open):
    """One column of a file."""

    role: str | None = Field(description="what it is to userops; null: nothing")
    column: str
    dtype: str
    nulls: int | None
    example: str
    file: str | None = Field(None, description="with several inputs")


class FileSummary(Open):
    """What userops sees in a file."""

    kind: str | None
    layout: str
    rows: int
    users: int | None
    first: str | None
    last: str | None


class WrittenFile(Open):
    """One file of the simulated shop."""

    file: str
    rows: int | None
    bytes: int
    what: str
    what_zh: str


class ShopSummary(Open):
    """The simulated shop."""

    customers: int
    days: int
    seed: int


class Setting(Open):
    """One option and where its value came from."""

    command: str
    option: str
    value: Any
    source: str


class Finding(Open):
    """One line of the report on the installation."""

    what: str
    value: str


class Nothing(Open):
    """No summary of its own."""


ENVELOPES: dict[str, Any] = {
    "rfm": Envelope[RfmTier | RfmUser, RfmSummary],
    "inspect": Envelope[FileColumn, FileSummary],
    "demo": Envelope[WrittenFile, ShopSummary],
    "config show": Envelope[Setting, Nothing],
    "doctor": Envelope[Finding, Nothing],
}


def of(command: str) -> dict[str, Any]:
    """The JSON Schema of a command's envelope; UsageError for a command that has none."""
    if command not in ENVELOPES:
        raise UsageError.unknown_name("command", command, list(ENVELOPES))
    schema: dict[str, Any] = ENVELOPES[command].model_json_schema(by_alias=True)
    schema["title"] = f"userops {command} --json"
    schema["properties"]["schema"]["const"] = f"userops.{command.replace(' ', '-')}/1"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def text_of(command: str) -> str:
    """The same as indented text."""
    return json.dumps(of(command), indent=2, ensure_ascii=False)
