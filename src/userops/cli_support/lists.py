"""What options take beside plain words: numbers and ranges with commas between, lengths of time."""

from __future__ import annotations

import re
from datetime import timedelta
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


_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def duration(option: str, text: str, *, others: str = "") -> timedelta:
    """``"90s"``, ``"30m"``, ``"12h"``, ``"7d"``, ``"2w"`` as a length of time; ``others``: what else the option takes."""
    found = re.fullmatch(r"(\d{1,6}(?:\.\d+)?) ?([smhdw])", text.strip())
    if found is None:
        wanted = "a number with s, m, h, d or w, such as 30m or 7d"
        raise UsageError.bad_value(option, text, f"{wanted}, {others}" if others else wanted)
    return timedelta(**{_UNITS[found[2]]: float(found[1])})
