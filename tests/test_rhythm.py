"""Customers against their own rhythm: sums by hand, silence found, and nothing where only chance is."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from userops.checkup import rhythm
from userops.checkup.rhythm import OTHERS, TOP_NEW, TOP_OLD, Shift

FIRST, TODAY = 0, 359


def spent(rows: list[tuple[int, int, int, int]]) -> pl.DataFrame:
    """What was spent: user, day, orders, amount."""
    schema = {"user": pl.UInt64, "day": pl.Int32, "orders": pl.Int32, "amount": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def done(orders: pl.DataFrame) -> pl.DataFrame:
    """Orders as acts."""
    return orders.select("user", "day", n="orders")


def shop(seed: int, customers: int = 600, silent: bool = False) -> pl.DataFrame:
    """Customers who each order at a rate of their own from a day of their own on; the best old ones all but stop 42 days ago."""
    random = np.random.default_rng(seed)
    rates = random.gamma(0.8, 0.05, customers)
    begin = random.integers(FIRST, TODAY - 30, customers)
    bought = random.random((customers, TODAY + 1)) < rates[:, None]
    bought &= np.arange(TODAY + 1)[None, :] >= begin[:, None]
    bought[np.arange(customers), begin] = True
    if silent:
        best = (bought[:, : TODAY - 41].sum(axis=1) >= np.quantile(bought.sum(axis=1), 0.85)) & (begin < 140)
        bought[best, TODAY - 41 :] &= random.random((int(best.sum()), 42)) < 0.3
    user, day = np.nonzero(bought)
    amount = (random.gamma(4, 10, len(user)) * 10_000).astype(int)
    return spent([(int(u), int(d), 1, int(a)) for u, d, a in zip(user, day, amount, strict=True)])


def test_tiers() -> None:
    """The tenth who had spent most by then, those who began half a year before apart; later orders do not count."""
    rows = [(user, 10 + user, 1, 100 + user) for user in range(20)] + [(19, 250, 1, 10_000), (0, 300, 1, 99_999)]
    tier = dict(rhythm.tiers(spent(rows), 300).iter_rows())
    assert {user for user, name in tier.items() if name == TOP_OLD} == {18, 19}
    assert {name for user, name in tier.items() if user < 18} == {OTHERS}
    young = dict(rhythm.tiers(spent(rows), 100).iter_rows())
    assert {user for user, name in young.items() if name == TOP_NEW} == {18, 19}
    assert 0 not in dict(rhythm.tiers(spent([(0, 300, 1, 1)]), 300).iter_rows())
    few = rhythm.tiers(spent([(user, 1, 1, user) for user in range(9)]), 100)
    assert set(few["tier"]) == {OTHERS}


def test_sums_by_hand() -> None:
    """Forty customers with windows of 28 days that end on day 167: each orders on days 60, 100, 120, 130 and 150.

    Days 56-83 against 84-111 give one and one, 84-111 against 112-139 one and two: A = 80, B = 120, q = 0.6. Lately two and
    one: A = 80, B = 40, expected 80 * 0.6 / 0.4 = 120. Everybody leaves 1 - 0.6 * 3 = -0.8:
    z = 40 (-0.8) / sqrt(40 * 0.64 * (1 + 120 / 200)) = -5.
    """
    orders = spent([(user, day, 1, 100) for user in range(40) for day in (0, 20, 60, 100, 120, 130, 150)])
    (shift,) = rhythm.shifts(orders, done(orders), 55, 167, spans=(28,))
    assert (shift.tier, shift.days, shift.customers, shift.before, shift.now) == (OTHERS, 28, 40, 80, 40)
    z = -32 / math.sqrt(40 * 0.64 * 1.6)
    assert z == pytest.approx(-5)
    assert shift.expected == pytest.approx(120)
    assert shift.z == pytest.approx(z)
    assert shift.p == pytest.approx(math.erfc(abs(z) / math.sqrt(2)))


def test_silence_is_found() -> None:
    """The best old customers order 30 % of what they did, for 42 days: their tier, and no other."""
    found = 0
    for seed in range(5):
        orders = shop(seed, silent=True)
        by_tier = {shift.tier: shift for shift in rhythm.shifts(orders, done(orders), FIRST, TODAY)}
        top = by_tier[TOP_OLD]
        found += top.p < 0.005 and top.now < 0.8 * top.expected and top.z < 0
        assert by_tier[OTHERS].p > 0.005 or by_tier[OTHERS].now > 0.8 * by_tier[OTHERS].expected
    assert found >= 4


def test_who_spent_most_comes_less_by_itself() -> None:
    """Fifty populations whose rates never change, tiered by what they spent: no tier is called silent."""
    silent: list[Shift] = []
    falls = []
    for seed in range(50):
        orders = shop(100 + seed, customers=400)
        shifts = rhythm.shifts(orders, done(orders), FIRST, TODAY)
        silent += [shift for shift in shifts if shift.p <= 0.005 and shift.now <= 0.8 * shift.expected]
        falls += [shift.expected / shift.before for shift in shifts if shift.tier == TOP_OLD]
    assert len(silent) <= 1
    assert len(falls) > 40
    assert np.mean(falls) < 1  # it is there, and it is expected


def test_buckets_are_as_good_as_days() -> None:
    """Fortnights counted back from today give what days give, as every span is whole fortnights."""
    orders = shop(3)
    back = (TODAY - pl.col("day")) // rhythm.BUCKET
    fortnights = done(orders).group_by("user", day=(TODAY - back * rhythm.BUCKET).cast(pl.Int32)).agg(pl.col("n").sum())
    assert rhythm.shifts(orders, done(orders), FIRST, TODAY) == rhythm.shifts(orders, fortnights, FIRST, TODAY)


def test_too_little_to_tell() -> None:
    """Nobody, one customer, a young shop, customers who never came again: no shift, no division by zero."""
    assert rhythm.shifts(spent([]), done(spent([])), FIRST, TODAY) == []
    for rows in ([(1, 5, 1, 100)], [(user, 5, 1, 100) for user in range(100)]):
        orders = spent(rows)
        assert rhythm.shifts(orders, done(orders), FIRST, TODAY) == []
    orders = shop(1)
    assert rhythm.shifts(orders, done(orders), TODAY - 60, TODAY) == []


def test_order_of_rows_does_not_matter() -> None:
    """Shuffled: the same shifts."""
    orders = shop(2)
    other = orders.sample(fraction=1, shuffle=True, seed=1)
    assert rhythm.shifts(orders, done(orders), FIRST, TODAY) == rhythm.shifts(
        other, done(other).reverse(), FIRST, TODAY
    )
