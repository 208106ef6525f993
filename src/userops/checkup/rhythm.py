"""Whether the best customers keep their own rhythm: what they did lately beside what they did just before.

Who spent most came often, and comes less often afterwards, whether anything is wrong or not (regression to the mean). So
nobody is compared with a target. Customers are tiered by what they had spent when the last H days began; A is what they
did in the H days before that, B in the last H days, and B / (A + B) is held against the same quotient of customers who
were tiered in the same way one, two and three times H days earlier. Users are the unit of chance: the variance is that
of sums over users,

    z = sum(B - q (A + B)) / sqrt(sum((B - q (A + B))^2) * (1 + n / n_before)),    q = B / (A + B) of the earlier ones.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import polars as pl

from userops import stats

SPANS = (28, 42, 56)
"""Lengths of H in days."""

BUCKET, BUCKETS = 14, 20
"""Visits are kept by fortnight, for as far back as is asked: every span is whole fortnights."""

LONG = 180
"""Days after which a customer is an old one."""

EARLIER = 3
"""How often the same is asked of earlier days."""

LEAST = 30
"""Customers a tier must have, now and before."""

TOP_OLD, TOP_NEW, OTHERS = "top tenth, half a year or longer", "top tenth, newer", "others"


class Shift(NamedTuple):
    """What a tier did in the last ``days``, and what it would have done by its rhythm.

    ``customers`` of the tier, who did it ``before`` times in the days before, ``now`` times lately; ``expected`` lately by
    the earlier tiers. ``p`` is two-sided, corrected for the lengths that were tried.
    """

    tier: str
    days: int
    customers: int
    before: int
    now: int
    expected: float
    z: float
    p: float


def tiers(spent: pl.DataFrame, begin: int) -> pl.DataFrame:
    """The tier of everybody who had bought before a day: ``user, tier``. ``spent``: ``user, day, orders, amount``."""
    known = spent.filter(pl.col("day") < begin)
    people = known.group_by("user").agg(pl.col("amount").sum(), since=pl.col("day").min())
    if people.height < 10:
        return people.select("user", tier=pl.lit(OTHERS))
    top, old = pl.col("amount") > stats.cuts(people["amount"], 10)[-1], pl.col("since") <= begin - LONG
    tier = pl.when(top & old).then(pl.lit(TOP_OLD)).when(top).then(pl.lit(TOP_NEW)).otherwise(pl.lit(OTHERS))
    return people.select("user", tier=tier)


def shifts(
    spent: pl.DataFrame, acts: pl.DataFrame, first: int, today: int, *, spans: tuple[int, ...] = SPANS
) -> list[Shift]:
    """How each tier kept its rhythm: of the lengths, the one that says most.

    ``acts``: ``user, day, n``, what is counted (orders, days on which somebody was there); a day may stand for the days
    up to it, if lengths are multiples of them. ``first, today``: the days that are known.
    """
    found = []
    usable = [days for days in spans if today - (EARLIER + 2) * days >= first]
    usable = usable or [days for days in spans if today - 3 * days - 28 >= first]
    by_tier: dict[str, list[Shift]] = {}
    for days in usable:
        now = pairs(spent, acts, today + 1 - days, days)
        earlier = [
            pairs(spent, acts, today + 1 - (k + 1) * days, days)
            for k in range(1, EARLIER + 1)
            if today + 1 - (k + 2) * days >= first
        ]
        if not earlier:
            continue
        for tier in (TOP_OLD, TOP_NEW, OTHERS):
            shift = _shift(
                tier, days, now.filter(pl.col("tier") == tier), pl.concat(earlier).filter(pl.col("tier") == tier)
            )
            if shift is not None:
                by_tier.setdefault(tier, []).append(shift)
    for several in by_tier.values():
        best = max(several, key=lambda shift: abs(shift.z))
        found.append(best._replace(p=min(1.0, best.p * len(several))))
    return found


def pairs(spent: pl.DataFrame, acts: pl.DataFrame, begin: int, days: int) -> pl.DataFrame:
    """What each customer did in the days before ``begin`` and from then on: ``user, tier, a, b``."""
    inside = acts.filter(pl.col("day").is_between(begin - days, begin + days - 1))
    late = pl.col("day") >= begin
    done = inside.group_by("user").agg(a=pl.col("n").filter(~late).sum(), b=pl.col("n").filter(late).sum())
    joined = tiers(spent, begin).join(done, on="user", how="left")
    return joined.select("user", "tier", pl.col("a", "b").fill_null(0).cast(pl.Int64))


def _shift(tier: str, days: int, now: pl.DataFrame, before: pl.DataFrame) -> Shift | None:
    if now.height < LEAST or before.height < LEAST:
        return None
    a0, b0 = int(before["a"].sum()), int(before["b"].sum())
    a, b = int(now["a"].sum()), int(now["b"].sum())
    if a0 + b0 == 0 or a < 20:
        return None
    q = b0 / (a0 + b0)
    # whole numbers until the end: the sums do not depend on the order of customers
    s0, both = a0 + b0, pl.col("a") + pl.col("b")
    bb, bs, ss = now.select((pl.col("b") ** 2).sum(), bs=(pl.col("b") * both).sum(), ss=(both**2).sum()).row(0)
    squares = (s0 * s0 * bb - 2 * s0 * b0 * bs + b0 * b0 * ss) / (s0 * s0)
    spread = math.sqrt(squares * (1 + (a + b) / s0))
    if spread == 0 or q in (0.0, 1.0):
        return None
    z = (b * s0 - b0 * (a + b)) / s0 / spread
    return Shift(tier, days, now.height, a, b, a * q / (1 - q), z, math.erfc(abs(z) / math.sqrt(2)))
