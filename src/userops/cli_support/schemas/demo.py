"""``userops demo``: a row is a file that was written."""

from __future__ import annotations

from userops.cli_support.schemas.envelope import Envelope, Open


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


ENVELOPE = Envelope[WrittenFile, ShopSummary]
