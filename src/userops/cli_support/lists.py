"""Lists that options take: numbers and ranges with commas between."""

from __future__ import annotations

from typing import Any

from userops.errors import UsageError


def numbers(option: str, text: str | None, *, whole: bool = False) -> tuple[Any, ...] | None:
    """``"7,30,90"`` as numbers; None stays None."""
    if text is None:
        return None
    try:
        return tuple(int(x) if whole else float(x) for x in text.split(","))
    except ValueError:
        kind = "whole numbers" if whole else "numbers"
        raise UsageError.bad_value(option, text, f"ascending {kind} with commas between") from None


def ranges(option: str, text: str | None) -> tuple[tuple[int, int], ...] | None:
    """``"1-3,4-7,8"`` as pairs of first and last; None stays None."""
    if text is None:
        return None
    try:
        ends = [part.split("-") for part in text.split(",")]
        return tuple((int(first), int(last[0] if last else first)) for first, *last in ends)
    except ValueError:
        raise UsageError.bad_value(option, text, "ranges with commas between, such as 1-3,4-7,8-14") from None
