"""What is asked of a funnel: the steps, the settings, and the rules they come to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import polars as pl

from userops import chains, frames, periods
from userops.chains import Order
from userops.errors import UsageError
from userops.periods import Grain, WeekStart
from userops.texts.compat import Preset
from userops.texts.funnel_compat import PRESETS

SECOND = 1_000_000
UNITS = {"s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND, "d": 86_400 * SECOND, "w": 7 * 86_400 * SECOND}
LONGEST = 36_500 * UNITS["d"]

RESERVED = frozenset({
    "step", "event", "users", "mature_users", "from_start", "from_previous", "dropped", "ci_low", "ci_high",
    "median_seconds_from_start", "p90_seconds_from_start", "user_id", "time", "instant", "reject",
})  # fmt: skip
"""Names of columns of the result and of every row: not to be broken down by."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: the ``events`` that serve it, and a condition ``where`` on their rows; ``text`` is what people call it."""

    text: str
    events: tuple[str, ...]
    where: pl.Expr | None = None

    def same(self, other: Step) -> bool:
        """Whether the very same rows serve both."""
        if (self.where is None) != (other.where is None):
            return False
        alike = self.where is None or (other.where is not None and self.where.meta.eq(other.where))
        return set(self.events) == set(other.events) and alike


@dataclass(frozen=True, slots=True)
class Settings:
    """What may be decided about a funnel.

    ``steps``: names of events, or :class:`Step`. ``since``, ``until``: entries of these days; later steps go by all
    rows. ``within``: ``30m``, ``12h``, ``7d`` from the entry, ``same-day`` or ``none``. ``order``: ``strict`` allows no
    other row between, ``any`` takes steps in any order. ``count``: ``users``, ``sessions``, or a column (pairs of user
    and its value). ``exclude``: events that break a chain they lie in. ``hold``: a column whose value stays the same
    throughout a chain. ``entry``: ``first`` lets only the first entry of each count. ``resolution``: ``second`` takes
    rows of one second as of one instant, and the same event in it once. ``stopped_at``: who stopped at that step.
    ``explain``: one user. ``compat``: a product whose documented rules fill what is None here.
    """

    steps: tuple[Step | str, ...] = ()
    as_of: date | None = None
    since: date | None = None
    until: date | None = None
    tz: str = "UTC"
    week_start: WeekStart = "monday"
    within: str | None = None
    order: Order | None = None
    strictly_after: bool = False
    count: str = "users"
    exclude: tuple[str, ...] = ()
    hold: str | None = None
    entry: Literal["any", "first"] | None = None
    resolution: Literal["exact", "second"] | None = None
    by: str | None = None
    trend: Grain | None = None
    per_user: bool = False
    stopped_at: int | None = None
    explain: str | None = None
    confidence: float = 0.95
    compat: str | None = None

    def __post_init__(self) -> None:
        if not self.steps:
            raise UsageError.no_steps()
        if not 2 <= len(self.steps) <= chains.MOST_STEPS:
            given = ",".join(step if isinstance(step, str) else step.text for step in self.steps)
            raise UsageError.bad_value(
                "--steps", given, f"2 to {chains.MOST_STEPS} steps, such as view,add_to_cart,buy"
            )
        if self.compat is not None and self.compat not in PRESETS:
            raise UsageError.unknown_name("product", self.compat, list(PRESETS), "--compat")
        window(self.within or "none")
        if self.stopped_at is not None and not 1 <= self.stopped_at <= len(self.steps):
            raise UsageError.bad_value("--stopped-at", self.stopped_at, f"a step from 1 to {len(self.steps)}")
        if self.order == "any" and self.strictly_after:
            raise UsageError.conflict("--order any", "--strictly-after", "in any order, no step is after another")
        if self.explain is not None and (self.per_user or self.stopped_at is not None):
            other = "--per-user" if self.per_user else "--stopped-at"
            raise UsageError.conflict("--explain", other, "one tells of one user, the other lists them all")
        if not 0.5 <= self.confidence < 1:
            raise UsageError.bad_value("--confidence", self.confidence, "a share from 0.5 to below 1, such as 0.95")
        if self.by in RESERVED:
            raise UsageError.bad_value("--by", self.by, "a column that goes by none of the names of the result")
        periods.require_order(self.since, self.until)
        named = {event for step in self.steps for event in ((step,) if isinstance(step, str) else step.events)}
        for event in self.exclude:
            if event in named:
                raise UsageError.conflict(f"--exclude {event}", "a step of that event", "an event is one or the other")

    @property
    def columns(self) -> list[str]:
        """Columns that are needed beside the usual ones; those of conditions know themselves."""
        counted = [] if self.count in ("users", "sessions") else [self.count]
        return [*filter(None, (self.by, self.hold)), *counted]

    @property
    def preset(self) -> Preset | None:
        """The product whose rules are followed."""
        return PRESETS[self.compat] if self.compat else None


def window(text: str) -> int | None:
    """The microseconds of a window such as ``30m``, ``12h`` or ``7d``; None for ``none`` and ``same-day``."""
    if text in ("none", "same-day"):
        return None
    found = re.fullmatch(r"(\d{1,9})\s*([smhdw])", text)
    length = int(found[1]) * UNITS[found[2]] if found else 0
    if not 0 < length <= LONGEST:
        raise UsageError.bad_value("--within", text, "a time above 0 such as 30m, 12h or 7d, or same-day, or none")
    return length


@dataclass(frozen=True, slots=True)
class Rules:
    """Settings with everything decided: given, else the product's, else ours."""

    settings: Settings
    steps: tuple[Step, ...]
    within: str
    order: Order
    entry: Literal["any", "first"]
    resolution: Literal["exact", "second"]
    search: chains.Search
    session_ids: bool

    @property
    def same_day(self) -> bool:
        """Whether a chain stays within a calendar day."""
        return self.within == "same-day"

    @property
    def listed(self) -> bool:
        """Whether users are told of one by one."""
        return self.settings.per_user or self.settings.stopped_at is not None or self.settings.explain is not None

    @property
    def logs(self) -> bool:
        """Whether what is counted has several logs, of which the best counts."""
        return self.settings.hold is not None or self.same_day

    @property
    def plain(self) -> bool:
        """Whether the fast form answers: ordered steps, one log each, nothing but the counts."""
        simple = self.order == "ordered" and self.search.apart and self.entry == "any" and self.resolution == "exact"
        whole = self.settings.by is None and self.settings.trend is None and not self.listed
        return simple and whole and not self.logs and not self.settings.exclude

    @property
    def events(self) -> tuple[str, ...]:
        """Every event that is named."""
        return tuple(dict.fromkeys([e for step in self.steps for e in step.events] + list(self.settings.exclude)))


def decide(settings: Settings, table: frames.Table) -> Rules:
    """The rules in force for a table."""
    preset: Mapping[str, Any] = settings.preset.settings if settings.preset else {}
    steps = tuple(Step(step, (step,)) if isinstance(step, str) else step for step in settings.steps)
    within = settings.within or preset.get("within", "7d")
    order: Order = settings.order or preset.get("order", "ordered")
    length = window(within)
    search = chains.Search(
        within=chains.FOREVER if length is None else length,
        order=order,
        strictly_after=settings.strictly_after,
        predicates=tuple(next(i for i, other in enumerate(steps) if step.same(other)) for step in steps),
        families=_families(steps),
    )
    names = table.rows.collect_schema().names()
    return Rules(
        settings,
        steps,
        within,
        order,
        entry=settings.entry or preset.get("entry", "any"),
        resolution=settings.resolution or preset.get("resolution", "exact"),
        search=search,
        session_ids=settings.count == "sessions" and "session_id" in names,
    )


def _families(steps: Sequence[Step]) -> tuple[tuple[int, ...], ...]:
    """The steps parted so that steps with an event in common, directly or by way of others, are together."""
    families: list[set[int]] = []
    for number, step in enumerate(steps):
        kin = [family for family in families if any(set(steps[i].events) & set(step.events) for i in family)]
        families = [family for family in families if family not in kin] + [{number}.union(*kin)]
    return tuple(sorted(tuple(sorted(family)) for family in families))


def serving(step: Step) -> pl.Expr:
    """True for rows that may serve a step."""
    event = pl.col("event")
    named = event == step.events[0] if len(step.events) == 1 else event.is_in(step.events)
    return named if step.where is None else named & step.where.fill_null(value=False)
