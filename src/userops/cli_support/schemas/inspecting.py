"""``userops inspect``: a row is a column of a file."""

from __future__ import annotations

from pydantic import Field

from userops.cli_support.schemas.envelope import Envelope, Open


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


ENVELOPE = Envelope[FileColumn, FileSummary]
