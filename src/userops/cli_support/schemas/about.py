"""``userops config show`` and ``userops doctor``: a row is an option, or a line on the installation."""

from __future__ import annotations

from typing import Any

from userops.cli_support.schemas.envelope import Envelope, Open


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


SETTINGS = Envelope[Setting, Nothing]
INSTALLATION = Envelope[Finding, Nothing]
