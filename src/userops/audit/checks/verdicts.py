"""What all checks share: what they may look at, what they say of it, from where on it is a warning, and words."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, NamedTuple

import polars as pl

from userops import frames, periods
from userops.audit.drift import Profile
from userops.audit.scan import Kind, Scan, first_day, named
from userops.results import Text

Status = Literal["ok", "info", "warn", "error", "skipped"]
Unit = Literal["rows", "orders", "users", "days", "hours", "columns", "files"]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From where on a finding is a warning or an error; shares of rows unless said otherwise."""

    duplicates_error: float = 0.001
    no_user_warn: float = 0.005
    no_user_error: float = 0.05
    bad_time_error: float = 0.01
    lag_hours: float = 1
    early_arrivals: float = 0.001
    before_sign_up: float = 0.005
    paid_early: float = 0.001
    bad_amount_error: float = 0.01
    lone_refunds: float = 0.01
    outlier_z: float = 6
    top_order: float = 0.05
    bot_hours_a_day: float = 20
    bot_rows_an_hour: float = 1000
    bot_rows_a_minute: float = 120
    bot_steady_pauses: float = 0.9
    bot_orders_a_day: float = 50
    users_per_ip: float = 50
    users_per_device: float = 10
    devices_per_user: float = 20
    visits_a_day: float = 12
    visits_an_hour: float = 15
    volume_mads: float = 6
    psi: float = 0.2
    benford_mad: float = 0.015
    midnight: float = 0.05
    bought_unseen: float = 0.05
    unequal_sums: float = 0.05
    unknown: float = 0.01


MOST_DAYS = 40 * 366
"""Days that are judged one by one."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came out of one check: ``affected`` of ``unit``, which is ``share`` of them all.

    ``said``: the evidence in words. ``rows``: which canonical rows are meant, where rows are.
    """

    status: Status
    said: Text
    affected: int | None = 0
    share: float | None = 0.0
    unit: Unit = "rows"
    rows: pl.Expr | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """What a check may look at.

    ``scan``: the rows it judges; ``others``: the scans of other kinds; ``as_of``: day since 1970-01-01; ``since``,
    ``until``: days judged one by one; ``start``: the first day of the business; ``last``: what the rows were made of in
    the last run, None where there is none; ``hide``: what to show for the id of a user.
    """

    scan: Scan
    others: Mapping[Kind, Scan]
    as_of: int | None
    limits: Thresholds
    since: date | None = None
    until: date | None = None
    start: date | None = None
    last: Profile | None = None
    hide: Callable[[str], str] = field(default=str)

    @property
    def used(self) -> int:
        """Rows that count."""
        return self.scan.books.rows_used

    def burst(self, per: Literal["days", "hours"]) -> float:
        """How many rows come together: of one user on one day, or in one hour; at least 1."""
        visits = self.scan.small.get("visits")
        return max(1.0, self.scan.sums["timed"] / max(1, int(visits[per][0] or 0))) if visits is not None else 1.0

    @property
    def days(self) -> pl.DataFrame:
        """Every day from the first to as-of, strays left out, of the last 40 years: ``day, n`` (0: none), sorted."""
        span, as_of = self.scan.body, self.as_of
        if span is None or as_of is None:
            return pl.DataFrame(schema={"day": pl.Int32, "n": pl.Int64})
        last = max(span[0], min(as_of, span[1]))
        first = max(span[0], last - MOST_DAYS)
        every = pl.DataFrame({"day": range(first, last + 1)}, schema={"day": pl.Int32})
        known = self.scan.books.days.drop_nulls("day").select(pl.col("day").cast(pl.Int32), "n")
        return every.join(known, on="day", how="left").with_columns(pl.col("n").fill_null(0)).sort("day")

    def judged(self, days: pl.DataFrame) -> pl.DataFrame:
        """Those of the days that are to be reported."""
        low, high = self.since or date(1, 1, 1), self.until or date(9998, 12, 31)
        return days.filter(pl.col("day").is_between(periods.epoch_day(low), periods.epoch_day(high)))

    def cells(self, *reasons: str) -> str:
        """A few cells that could not be read, as the end of a sentence."""
        some = [cell for reason in reasons for cell in self.scan.samples.get(reason, ())]
        return f": {named(some)}" if some else ""

    def people(self, ids: Sequence[str]) -> str:
        """A few user ids as text."""
        return named([self.hide(one) for one in ids])


class Part(NamedTuple):
    """One of the things a check finds: ``n`` of ``whole``, a warning beyond the share ``warn``, else a remark."""

    n: int
    whole: int
    warn: float
    unit: Unit
    said: Text

    @property
    def share(self) -> float:
        """Of the whole."""
        return self.n / max(1, self.whole)


def share_of(part: int, whole: int) -> float | None:
    """A part of the whole; None of nothing."""
    return part / whole if whole else None


def passed(en: str, zh: str) -> Verdict:
    """That all is well."""
    return Verdict("ok", Text(en, zh))


def skipped(en: str, zh: str) -> Verdict:
    """That it could not be looked at, and why."""
    return Verdict("skipped", Text(en, zh), None, None)


def level_of(share: float | None, *, warn: float = 0.0, error: float = math.inf, some: Status = "info") -> Status:
    """The status of a share: beyond ``error`` an error, beyond ``warn`` a warning, ``some`` where there is any."""
    share = share or 0.0
    return "error" if share > error else "warn" if share > warn else some if share > 0 else "ok"


def of_parts(parts: Sequence[Part], fine: tuple[str, str], rows: pl.Expr | None = None) -> Verdict:
    """The parts that were found as one verdict, with the numbers of the gravest; ``fine``: what to say where none was."""
    found = [part for part in parts if part.n]
    if not found:
        return passed(*fine)
    grave = [part for part in found if part.share > part.warn]
    worst = max(grave or found, key=lambda part: part.share)
    said = joined(*((True, part.said.en, part.said.zh) for part in found))
    return Verdict("warn" if grave else "info", said, worst.n, worst.share, worst.unit, rows)


def rejected_for(*reasons: str) -> pl.Expr:
    """The rows that do not count for any of these reasons."""
    return pl.col("reject").is_in([frames.reject_code(reason) for reason in reasons])


def rows_of(ids: Sequence[str]) -> pl.Expr:
    """The rows of some users (10,000 at most) that count."""
    listed = pl.Series(list(ids)[:10_000], dtype=pl.String)
    return (pl.col("reject") == 0) & pl.col("user_id").cast(pl.String).is_in(listed.implode())


GOOD = pl.col("reject") == 0
"""The rows that count."""


def joined(*parts: tuple[object, str, str]) -> Text:
    """The parts (whether it holds, English, Chinese) that hold, as one text."""
    return Text("; ".join(en for holds, en, _ in parts if holds), ";".join(zh for holds, _, zh in parts if holds))


def percent(share: float | None) -> str:
    """A share as people read it."""
    return "–" if share is None else f"{share * 100:.2g} %" if share < 0.0995 else f"{share * 100:.1f} %"


def days_named(days: Sequence[int]) -> str:
    """A few days (since 1970-01-01) as text."""
    return named([first_day(day).isoformat() for day in days])


_VERBS = {
    "are": "is", "have": "has", "lie": "lies", "were": "was", "act": "acts", "differ": "differs", "repeat": "repeats",
    "look": "looks", "do": "does",
}  # fmt: skip
_ONE = re.compile(
    rf"(?<![\d,.])1 (row|day|hour|id|user|order|account|amount|device|purchase|address)e?s\b( ({'|'.join(_VERBS)})\b)?"
)


def in_singular(said: Text) -> Text:
    """A text with what is one of its kind in the singular: ``1 row is``."""
    one = _ONE.sub(lambda found: f"1 {found[1]}" + (f" {_VERBS[found[3]]}" if found[3] else ""), said.en)
    return Text(one, said.zh)
