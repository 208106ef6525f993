"""What the options of paths stand for."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from userops.cli_support import lists
from userops.errors import UsageError

Shown = Literal["transitions", "sessions", "step_matrix"]


def session_gap(text: str) -> timedelta | Literal["session_id"] | None:
    """``--session-gap``: a length of time, ``none``, or ``session_id``."""
    match text:
        case "none":
            return None
        case "session_id":
            return "session_id"
        case _:
            return lists.duration("--session-gap", text, others="none, or session_id")


def shown(format: str | None, *, sessions: bool, step_matrix: bool, mermaid: bool) -> Shown:
    """Which table the rows are; UsageError where several are asked for, or a flowchart in a format of rows."""
    asked = {"--sessions": sessions, "--step-matrix": step_matrix, "--mermaid": mermaid}
    given = [option for option, on in asked.items() if on]
    if len(given) > 1:
        raise UsageError.conflict(given[0], given[1], "ask for one at a time")
    if mermaid and format is not None:
        raise UsageError.conflict("--mermaid", f"--format {format}", "a flowchart is text of its own kind")
    return "sessions" if sessions else "step_matrix" if step_matrix else "transitions"
