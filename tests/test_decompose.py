"""Changes taken apart: the worked examples of the literature to their digits, exact sums, planted causes."""

from __future__ import annotations

import datetime as dt
import math
import random

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from userops import stats
from userops.checkup import decompose

# Das Gupta (1993), Standardization and decomposition of rates (U.S. Census P23-186): the effects of examples 2.1-2.4
PRODUCTS = {
    "README": ((0.6, 0.5), (0.3, 0.45), (-0.1425, -0.0225)),
    "2.1": ((10930, 0.717892), (16591, 0.825974), (4369.913, 1487.262)),
    "2.2": ((51.78746, 0.45919, 0.52638), (84.90502, 0.75756, 0.51065), (10.4340333, 10.5608476, -0.6670084)),
    "2.3": ((25.3, 0.214, 0.279, 0.949), (32.7, 0.290, 0.473, 0.986), (0.6889411, 0.8125381, 1.3829055, 0.1047547)),
    "2.4": (
        (0.58, 0.76, 0.84, 0.66, 16.573),
        (0.72, 0.97, 0.97, 0.56, 16.158),
        (1.0909785, 1.2298438, 0.7278399, -0.8398707, -0.1290187),
    ),
}

# the same, example 5.1: heads of households by age, 1970 and 1985
HEADS_1970 = [12.9, 10.9, 9.5, 8.0, 7.8, 8.4, 8.6, 7.8, 7.0, 5.9, 4.7, 3.6, 4.9]
RATES_1970 = [1.9, 25.8, 45.7, 49.6, 51.2, 51.6, 51.8, 54.9, 58.7, 60.4, 62.8, 66.6, 66.8]
HEADS_1985 = [10.1, 11.2, 11.6, 10.9, 9.4, 7.7, 6.3, 6.0, 6.3, 5.9, 5.1, 4.0, 5.5]
RATES_1985 = [2.2, 24.3, 45.8, 52.5, 56.1, 55.6, 56.0, 57.4, 57.2, 61.2, 63.9, 68.6, 72.2]

# the same, example 5.3: deaths by race and age, 1970 and 1985: sizes in thousands, rates per thousand
PEOPLE_1970 = [
    [2968, 11484, 34614, 30992, 21983, 20314, 20928, 16897, 11339, 5720, 1315],
    [535, 2162, 6120, 4781, 3096, 2718, 2363, 1767, 1149, 448, 117],
]
DEATHS_1970 = [
    [18.469, 0.751, 0.391, 1.146, 1.287, 2.672, 6.636, 15.691, 34.723, 79.763, 176.837],
    [36.993, 1.352, 0.541, 2.040, 3.523, 6.746, 12.967, 24.471, 45.091, 74.902, 123.205],
]
PEOPLE_1985 = [
    [3041, 11577, 27450, 32711, 35480, 27411, 19555, 19795, 15254, 8022, 2472],
    [707, 2692, 6473, 6841, 6547, 4352, 3034, 2540, 1749, 804, 236],
]
DEATHS_1985 = [
    [9.163, 0.462, 0.248, 0.929, 1.084, 1.810, 4.715, 12.187, 27.728, 64.068, 157.570],
    [17.208, 0.738, 0.328, 1.103, 2.045, 3.724, 8.052, 17.812, 34.128, 68.276, 125.161],
]

# scipy.stats.ttest_ind_from_stats(5.2, 1.1, 12, 4.1, 2.3, 9, equal_var=False), and of half a million
WELCH_SMALL = (1.325579173501096, 0.21245858986276)
WELCH_LARGE = (2.886751345948067, 0.0038925664119696195)

factors = st.lists(
    st.tuples(*[st.floats(-1e3, 1e3, allow_subnormal=False)] * 2), min_size=1, max_size=5
)  # before, after
positive = st.lists(st.tuples(*[st.floats(1e-3, 1e3)] * 2), min_size=1, max_size=5)
segments = st.lists(
    st.tuples(st.integers(0, 1000), st.integers(0, 1000), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=8
)


def named(numbers: object) -> dict[str, float]:
    return {str(place): float(number) for place, number in enumerate(numbers)}


def off_by(digits: int) -> float:
    return 0.5 * 10**-digits + 1e-12


# --- products


@pytest.mark.parametrize("example", PRODUCTS)
def test_shapley_gives_the_effects_of_das_gupta(example: str) -> None:
    before, after, effects = PRODUCTS[example]
    found = decompose.shapley(named(before), named(after))
    digits = 3 if example == "2.1" else 7
    assert list(found.values()) == pytest.approx(list(effects), abs=off_by(digits))
    assert sum(found.values()) == pytest.approx(math.prod(after) - math.prod(before), rel=1e-12)


def test_lmdi_and_shapley_of_a_turnover() -> None:
    before, after = {"users": 1000, "orders": 2.0, "value": 50}, {"users": 1200, "orders": 1.8, "value": 55}
    lmdi, shapley = decompose.lmdi(before, after), decompose.shapley(before, after)
    assert list(lmdi.values()) == pytest.approx([19896.7956, -11498.0186, 10401.2230], abs=off_by(4))
    assert list(shapley.values()) == pytest.approx([19933.3333, -11566.6667, 10433.3333], abs=off_by(4))
    assert sum(lmdi.values()) == pytest.approx(18800)
    assert list(lmdi) == ["users", "orders", "value"]


@given(factors)
def test_shapley_adds_up_whatever_the_signs(pairs: list[tuple[float, float]]) -> None:
    before, after = [a for a, _ in pairs], [b for _, b in pairs]
    effects = decompose.shapley(named(before), named(after))
    size = math.prod(max(abs(a), abs(b)) for a, b in pairs)
    assert math.fsum(effects.values()) == pytest.approx(math.prod(after) - math.prod(before), abs=1e-9 * size + 1e-300)


@given(positive)
def test_lmdi_adds_up(pairs: list[tuple[float, float]]) -> None:
    before, after = [a for a, _ in pairs], [b for _, b in pairs]
    effects = decompose.lmdi(named(before), named(after))
    size = max(math.prod(before), math.prod(after)) * (1 + sum(abs(math.log(b / a)) for a, b in pairs))
    assert math.fsum(effects.values()) == pytest.approx(math.prod(after) - math.prod(before), abs=1e-9 * size)


def test_lmdi_refuses_zero() -> None:
    with pytest.raises(ValueError, match="above 0"):
        decompose.lmdi({"a": 1, "b": 0}, {"a": 1, "b": 2})
    assert decompose.shapley({"a": 1, "b": 0}, {"a": 1, "b": 2}) == {"a": 0.0, "b": 2.0}


# --- mix and rate


def test_kitagawa_gives_example_5_1() -> None:
    found = decompose.kitagawa(
        list(zip(HEADS_1970, RATES_1970, strict=True)), list(zip(HEADS_1985, RATES_1985, strict=True))
    )
    assert (found.mix, found.rate, found.total) == pytest.approx((1.2269, 1.7403, 47.6940 - 44.7268), abs=off_by(4))
    assert found.mix / found.total == pytest.approx(0.4135, abs=off_by(4))
    assert not found.reversed


def test_crossed_gives_example_5_3() -> None:
    def cells(people: list[list[int]], deaths: list[list[float]]) -> dict[tuple[int, int], tuple[float, float]]:
        return {(i, j): (people[i][j], deaths[i][j]) for i in range(2) for j in range(11)}

    found = decompose.crossed(cells(PEOPLE_1970, DEATHS_1970), cells(PEOPLE_1985, DEATHS_1985))
    assert found == pytest.approx((0.0197749, 1.5217347, -2.2277254, -0.6862158), abs=off_by(7))
    assert found.first + found.second + found.rate == pytest.approx(found.total, abs=1e-12)


def test_crossed_takes_cells_that_are_missing() -> None:
    before = {("a", 1): (50, 0.5), ("b", 2): (50, 0.1)}
    after = {("a", 1): (20, 0.5), ("b", 2): (60, 0.1), ("b", 3): (20, 0.2)}
    found = decompose.crossed(before, after)
    assert found.rate == pytest.approx(0)
    assert found.first + found.second == pytest.approx(found.total)


def test_simpsons_paradox_is_told() -> None:
    found = decompose.kitagawa([(0.5, 0.10), (0.5, 0.02)], [(0.2, 0.12), (0.8, 0.024)])
    assert (found.mix, found.rate, found.total) == pytest.approx((-0.0264, 0.0096, -0.0168))
    assert found.reversed
    assert not decompose.kitagawa([(0.5, 0.10), (0.5, 0.02)], [(0.5, 0.12), (0.5, 0.01)]).reversed


def test_more_of_a_worse_segment_lowers_the_total_there_too() -> None:
    found = decompose.kitagawa([(50, 0.10), (50, 0.02)], [(20, 0.10), (80, 0.02)])
    assert [part.mix for part in found.parts] == pytest.approx([-0.3 * 0.052, 0.3 * -0.028])
    assert found.rate == 0


def test_a_segment_that_is_new_is_mix() -> None:
    found = decompose.kitagawa([(10, 0.5), (0, None)], [(10, 0.5), (10, 0.1)])
    assert (found.mix, found.rate) == pytest.approx((-0.2, 0))
    assert decompose.kitagawa([(0, None)], [(5, 0.5)]).total == 0


@given(segments)
def test_kitagawa_adds_up(rows: list[tuple[int, int, float, float]]) -> None:
    found = decompose.kitagawa([(w, r) for w, _, r, _ in rows], [(w, r) for _, w, _, r in rows])
    assert found.mix + found.rate == pytest.approx(found.total, abs=1e-12)
    assert math.fsum(part.total for part in found.parts) == pytest.approx(found.total, abs=1e-12)


# --- causes


def shop(rate: object, *, visits: object = lambda *_: 1.0, seed: int = 1, size: int = 4000) -> pl.DataFrame:
    """Cells of a shop of platforms, channels and cities: what is bought of ``size`` visits a cell, on average."""
    draw = random.Random(seed)
    rows = []
    shares = {"android": 0.6, "ios": 0.4, "paid": 0.3, "organic": 0.7}
    for platform in ("android", "ios"):
        for channel in ("paid", "organic"):
            for city in range(8):
                row = {"platform": platform, "channel": channel, "city": f"c{city}"}
                for when in (0, 1):
                    mean = size * shares[platform] * shares[channel] * (visits(platform, channel, city) if when else 1)
                    n = max(0, round(draw.gauss(mean, mean**0.5)))
                    p = rate(platform, channel, city) if when else 0.1
                    row |= {f"d{when}": n, f"n{when}": round(draw.gauss(n * p, (n * p * (1 - p)) ** 0.5))}
                rows.append(row)
    return pl.DataFrame(rows)


DIMENSIONS = ["platform", "channel", "city"]


def causes(cells: pl.DataFrame, **more: object) -> list[str]:
    return [cause.segment for cause in decompose.explain(cells, DIMENSIONS, **more).causes]


@pytest.mark.parametrize("seed", range(5))
def test_a_planted_cause_is_found(seed: int) -> None:
    android = shop(lambda p, *_: 0.07 if p == "android" else 0.1, seed=seed)
    found = decompose.explain(android, DIMENSIONS)
    assert found.dimension == "platform"
    (cause,) = found.causes
    assert (cause.segment, cause.how) == ("platform=android", "rate")
    assert cause.share == pytest.approx(1, abs=0.25)
    assert cause.effect == pytest.approx(cause.share * found.total)
    assert cause.share + found.other == pytest.approx(1)
    assert (cause.before, cause.after) == pytest.approx((0.1, 0.07), abs=0.01)
    pair = shop(lambda p, c, _: 0.06 if (p, c) == ("android", "paid") else 0.1, seed=seed)
    assert causes(pair) == ["channel=paid & platform=android"]
    cities = shop(lambda p, c, city: 0.02 if city in (2, 5) else 0.1, seed=seed)
    assert sorted(causes(cities)) == ["city=c2", "city=c5"]


@pytest.mark.parametrize("seed", range(5))
def test_what_goes_down_everywhere_has_no_cause_among_the_segments(seed: int) -> None:
    found = decompose.explain(shop(lambda *_: 0.07, seed=seed), DIMENSIONS)
    assert found.causes == ()
    assert found.dimension is None
    assert found.other == 1


def test_more_of_a_poor_channel_is_mix() -> None:
    cells = pl.DataFrame(
        {"channel": ["paid", "organic"], "n0": [40, 900], "d0": [2000, 8000], "n1": [160, 900], "d1": [8000, 8000]}
    )
    found = decompose.explain(cells, ["channel"])
    assert [(cause.segment, cause.how) for cause in found.causes] == [("channel=paid", "mix")]
    assert found.total == pytest.approx(1060 / 16000 - 0.094)


def test_a_number_is_told_by_the_share_of_its_change() -> None:
    cells = pl.DataFrame({"category": ["a", "b", None], "n0": [1000, 1000, 1000], "n1": [1000, 400, 990]})
    for table in (cells, cells.with_columns(d0=pl.lit(None, pl.Int64), d1=pl.lit(None, pl.Int64))):
        found = decompose.explain(table, ["category"])
        assert found.total == -610
        (cause,) = found.causes
        assert cause[:4] == ("category=b", pytest.approx(600 / 610), -600, "mix")
        assert (cause.weight, cause.before, cause.after) == (pytest.approx(1 / 3), 1000, 400)
    gone = pl.DataFrame({"category": ["a", None], "n0": [1000, 1000], "n1": [1000, 0]})
    assert [cause.segment for cause in decompose.explain(gone, ["category"]).causes] == ["category=(none)"]


def test_money_per_order_is_tested_with_its_squares() -> None:
    """The same means; amounts that hardly differ tell a cause, amounts that are all over the place do not."""
    means = pl.DataFrame(
        {"tier": ["vip", "new"], "n0": [9000.0, 9000.0], "d0": [90, 900], "n1": [6300.0, 9000.0], "d1": [90, 900]}
    )

    def with_spread(spread: float) -> pl.DataFrame:
        squares = {f"s{when}": pl.col(f"n{when}") ** 2 / pl.col(f"d{when}") * (1 + spread**2) for when in (0, 1)}
        return means.with_columns(**squares)

    for table in (means, with_spread(0.1), with_spread(0)):
        assert [cause.segment for cause in decompose.explain(table, ["tier"]).causes] == ["tier=vip"]
    assert decompose.explain(with_spread(3), ["tier"]).causes == ()


def test_simpson_is_told_by_attribute() -> None:
    cells = pl.DataFrame(
        {"tier": ["vip", "new"], "n0": [500, 100], "d0": [5000, 5000], "n1": [240, 192], "d1": [2000, 8000]}
    )
    assert decompose.explain(cells, ["tier"]).reversed == ("tier",)


def test_small_segments_and_too_many_causes_are_left_out() -> None:
    cells = pl.DataFrame({"item": list("abcdef"), "n0": [20, 100, 100, 100, 100, 100], "n1": [0, 0, 0, 0, 0, 100]})
    found = decompose.explain(cells, ["item"])
    assert [cause.segment for cause in found.causes] == []  # each fell by no more than its weight and a tenth
    assert [c.segment for c in decompose.explain(cells.filter(pl.col("item").is_in(["a", "f"])), ["item"]).causes] == []
    larger = cells.filter(pl.col("item").is_in(["a", "f"])).with_columns(pl.col("n0", "n1") * 3)
    assert [c.segment for c in decompose.explain(larger, ["item"]).causes] == ["item=a"]
    many = shop(lambda p, c, city: 0.03 if city < 4 else 0.1)
    assert len(decompose.explain(many, ["city"], at_most=2).causes) == 2


@pytest.mark.parametrize(
    "cells",
    [
        pl.DataFrame(schema={"a": pl.String, "n0": pl.Int64, "n1": pl.Int64}),
        pl.DataFrame({"a": ["x"], "n0": [5], "n1": [5]}),
        pl.DataFrame({"a": ["x"], "n0": [5], "n1": [9]}),
        pl.DataFrame({"a": ["x", "y"], "n0": [0, 0], "d0": [0, 0], "n1": [1, 2], "d1": [3, 4]}),
        pl.DataFrame({"a": ["x", "y"], "n0": [None, None], "n1": [None, 4]}),
    ],
)
def test_nothing_to_explain(cells: pl.DataFrame) -> None:
    assert decompose.explain(cells, ["a"]).causes == ()
    assert decompose.explain(cells, []).causes == ()


def test_the_same_whatever_the_order_and_the_division_of_cells() -> None:
    cells = shop(lambda p, c, _: 0.06 if (p, c) == ("android", "paid") else 0.1)
    expected = decompose.explain(cells, DIMENSIONS)
    for seed in range(3):
        assert decompose.explain(cells.sample(fraction=1, shuffle=True, seed=seed), DIMENSIONS) == expected
    doubled = pl.concat([cells.with_columns(pl.col("n0", "d0", "n1", "d1") / 2)] * 2)
    assert causes(doubled) == [cause.segment for cause in expected.causes]


# --- tests and anomalies (stats)


def test_false_discovery_of_benjamini_and_hochberg() -> None:
    p = [
        0.0001,
        0.0004,
        0.0019,
        0.0095,
        0.0201,
        0.0278,
        0.0298,
        0.0344,
        0.0459,
        0.324,
        0.4262,
        0.5719,
        0.6528,
        0.759,
        1.0,
    ]
    q = stats.false_discovery(p)
    assert q[:5] == pytest.approx([0.0015, 0.003, 0.0095, 0.035625, 0.0603])
    assert sum(value <= 0.05 for value in q) == 4
    shuffled = random.Random(1).sample(range(len(p)), len(p))
    assert stats.false_discovery([p[i] for i in shuffled]) == [q[i] for i in shuffled]
    assert stats.false_discovery([]) == []
    assert stats.false_discovery([0.03, 0.03]) == [0.03, 0.03]


def test_two_proportions_and_welch() -> None:
    z, p = stats.two_proportions(5, 83, 12, 99)
    assert (z, p) == (pytest.approx(-1.40783, abs=off_by(5)), pytest.approx(0.159181, abs=off_by(6)))
    assert stats.two_proportions(0, 0, 1, 5) == (0, 1)
    assert stats.two_proportions(0, 9, 0, 5) == (0, 1)
    t, p = stats.welch(5.2, 1.1**2, 12, 4.1, 2.3**2, 9)
    assert (t, p) == (pytest.approx(WELCH_SMALL[0], rel=1e-9), pytest.approx(WELCH_SMALL[1], rel=1e-9))
    t, p = stats.welch(10.01, 1.0, 500_000, 10.0, 4.0, 400_000)
    assert (t, p) == (pytest.approx(WELCH_LARGE[0], rel=1e-9), pytest.approx(WELCH_LARGE[1], rel=1e-6))
    assert stats.welch(1, 0, 5, 2, 0, 5) == (0, 1)


def test_intervals_of_shares_and_of_their_difference() -> None:
    assert stats.wilson_interval(10, 100) == pytest.approx((0.0552291, 0.1743657), abs=off_by(7))
    assert stats.wilson_interval(0, 5)[0] == pytest.approx(0, abs=1e-15)
    # Newcombe (1998), table II, method 10: 56/70 against 48/80; 10/10 against 0/10
    assert stats.difference_interval(56, 70, 48, 80) == pytest.approx((0.0524, 0.3339), abs=off_by(4))
    assert stats.difference_interval(10, 10, 0, 10) == pytest.approx((0.6075, 1.0), abs=off_by(4))
    assert stats.difference_interval(0, 0, 1, 2) == (-1, 1)


def season(n: int = 180, seed: int = 7, noise: float = 30, growth: float = 0) -> tuple[pl.Series, list[float]]:
    """Days of a weekly season with noise."""
    draw = random.Random(seed)
    first = dt.date(2026, 1, 1)
    days = pl.Series("day", [first + dt.timedelta(k) for k in range(n)])
    return days, [1000 + 150 * math.sin(k * math.tau / 7) + growth * k + draw.gauss(0, noise) for k in range(n)]


@pytest.mark.parametrize("seed", range(4))
def test_one_bad_day_among_180_is_found_and_nothing_else(seed: int) -> None:
    days, values = season(seed=seed)
    values[150] -= 300
    found = stats.anomalies(days, pl.Series(values))
    assert [days.to_list().index(one.day) for one in found] == [150]
    assert found[0].z < -5
    assert found[0].usual == pytest.approx(values[150] + 300, abs=100)


def test_growth_gaps_and_order_make_no_anomaly() -> None:
    days, values = season(growth=5)
    assert stats.anomalies(days, pl.Series(values)) == []
    values[160] *= 2
    expected = stats.anomalies(days, pl.Series(values))
    table = pl.DataFrame({"day": days, "value": values}).sample(fraction=1, shuffle=True, seed=1)
    assert len(expected) == 1
    assert stats.anomalies(table["day"], table["value"]) == expected
    holes = [None if k % 10 == 3 else value for k, value in enumerate(values)]
    assert [one.day for one in stats.anomalies(days, pl.Series(holes))] == [expected[0].day]


def test_a_series_that_never_moves_and_one_too_short() -> None:
    days, _ = season()
    flat = [100.0] * 179
    assert stats.anomalies(days, pl.Series([*flat, 101.0])) == []
    assert len(stats.anomalies(days, pl.Series([*flat, 120.0]))) == 1
    assert stats.anomalies(days, pl.Series([0.0] * 180)) == []
    assert stats.anomalies(days.head(20), pl.Series([*flat[:19], 9.0])) == []
    assert stats.anomalies(days.clear(), pl.Series([], dtype=pl.Float64)) == []
