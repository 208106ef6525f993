"""The judgements: what each check makes of a scan; the registry of all checks.

One function per check, by its id: what was looked at in, a :class:`Verdict` out. Thresholds are shares unless their
name says otherwise (:class:`Thresholds`). What is right and wrong of a file is said once, here; the names of the
checks and what mends them are data (:mod:`userops.texts.checks`).
"""

from __future__ import annotations

from collections.abc import Callable

from userops.audit.checks import agreement, amounts, days, people, rows, times
from userops.audit.checks.verdicts import Look, Thresholds, Verdict, in_singular

__all__ = ["JUDGES", "Look", "Thresholds", "Verdict", "in_singular"]

JUDGES: dict[str, Callable[[Look], Verdict]] = {
    "DQ01": rows.duplicates, "DQ02": rows.no_user, "DQ03": times.impossible_times, "DQ04": times.clocks,
    "DQ05": amounts.bad_amounts, "DQ06": amounts.outliers, "DQ07": amounts.currencies, "DQ08": people.test_accounts,
    "DQ09": people.bots, "DQ10": days.missing_days, "DQ11": days.volume, "DQ12": agreement.schema_drift,
    "DQ13": people.alike_ids, "DQ14": amounts.benford, "DQ15": times.zone, "DQ16": times.midnight,
    "DQ17": times.late_arrivals, "DQ18": agreement.contradictions, "DQ19": days.cut_files,
}  # fmt: skip
"""Which function judges which check of :data:`userops.texts.checks.CHECKS`."""
