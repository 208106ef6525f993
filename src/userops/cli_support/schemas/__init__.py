"""What a command prints with ``--json``, as JSON Schema: for programs that read it.

Every analysis has a file here, as it has one of pages. The models describe; they do not run. A test holds real output of
every command against them.
"""

from __future__ import annotations

import json
from typing import Any

from userops.cli_support.schemas import (
    aarrr,
    about,
    activity,
    audit,
    churn,
    demo,
    diagnose,
    funnel,
    growth,
    inspecting,
    lifecycle,
    ltv,
    paths,
    retention,
    rfm,
    survival,
)
from userops.errors import UsageError

ENVELOPES: dict[str, Any] = {
    "rfm": rfm.ENVELOPE,
    "retention": retention.ENVELOPE,
    "activity": activity.ENVELOPE,
    "growth": growth.ENVELOPE,
    "lifecycle": lifecycle.ENVELOPE,
    "paths": paths.ENVELOPE,
    "funnel": funnel.ENVELOPE,
    "survival": survival.ENVELOPE,
    "ltv": ltv.ENVELOPE,
    "churn": churn.ENVELOPE,
    "aarrr": aarrr.ENVELOPE,
    "audit": audit.ENVELOPE,
    "diagnose": diagnose.ENVELOPE,
    "inspect": inspecting.ENVELOPE,
    "demo": demo.ENVELOPE,
    "config show": about.SETTINGS,
    "doctor": about.INSTALLATION,
}
"""The envelope of every command that has one."""


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
