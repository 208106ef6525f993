"""What a business aims for and how it counts: targets per metric, the steps of its funnel, what activates a newcomer.

Written by people in a table of TOML (:mod:`userops.cli_support.business`); read by a check-up.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal, NamedTuple

Operator = Literal["<=", ">=", "<", ">"]

OPERATORS: dict[Operator, Callable[[float, float], bool]] = {
    "<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt,
}  # fmt: skip
"""How a value may have to compare with its target."""

METRICS: tuple[str, ...] = (
    "new_users", "spend", "cac", "activation_rate", "median_hours_to_value", "d1_retention", "d7_retention",
    "d30_retention", "active_users", "dau", "wau", "mau", "stickiness", "visits", "conversion", "checkout_conversion",
    "paid_conversion", "orders", "buyers", "revenue", "arpu", "arppu", "aov", "orders_per_customer", "repeat_rate",
    "refund_rate", "churn_rate", "ltv_30", "ltv_90", "ltv_180", "ltv_cac", "payback_days", "invites",
    "invites_per_user", "invite_conversion", "k_factor", "cycle_days", "nps", "csat",
)  # fmt: skip
"""Every metric a goal can be set for."""


class Goal(NamedTuple):
    """A target: ``metric`` is to compare as ``operator`` says with ``target`` (shares are fractions of 1)."""

    metric: str
    operator: Operator
    target: float

    def met(self, value: float) -> bool:
        """Whether a value reaches the target."""
        return OPERATORS[self.operator](value, self.target)

    def __str__(self) -> str:
        """As people write it: ``nps >= 25``."""
        return f"{self.metric} {self.operator} {self.target:g}"


@dataclass(frozen=True, slots=True)
class Business:
    """What a business says of itself; everything may be unsaid.

    ``steps``: the funnel as people write it, ``within`` its window (``7d``, ``same-day``, ``none``). ``activation_event``
    within ``activation_within`` of the sign-up activates a newcomer. ``vertical``: its line of business. ``carried_out``: the
    prescriptions that somebody followed, by finding, and since when. ``source``: the
    file that said so.
    """

    goals: tuple[Goal, ...] = ()
    steps: tuple[str, ...] = ()
    within: str | None = None
    activation_event: str | None = None
    activation_within: timedelta = timedelta(days=7)
    vertical: str | None = None
    source: str | None = None
    carried_out: Mapping[str, date] = field(default_factory=dict)
