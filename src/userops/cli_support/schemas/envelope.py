"""What every ``--json`` shares: the envelope, and where its numbers came from."""

from __future__ import annotations

from datetime import date
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field


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
