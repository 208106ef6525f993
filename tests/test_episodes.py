"""Days on which a ratio was not as usual: planted windows found, quiet series left alone, nothing that depends on order or size."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import get_args

import numpy as np
import polars as pl
import pytest

from userops.models import episodes
from userops.models.episodes import Episode, Floats, Kind

DAYS = 200
KINDS: tuple[Kind, ...] = get_args(Kind)


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    """Nothing that numpy would warn of happens."""
    with np.errstate(all="raise", under="ignore"), warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def found(
    tops: Sequence[Floats],
    bottoms: Sequence[Floats],
    kind: Kind,
    *,
    shortest: int = 1,
    unknown: int = 0,
    weekday: int = 0,
    least: float = 4.5,
) -> list[Episode]:
    """Episodes of series of one kind."""
    n, d = ([pl.Series(np.asarray(each, dtype=np.float64)) for each in several] for several in (tops, bottoms))
    many, days = len(n), n[0].len()
    daily = episodes.daily(n, d, [kind] * many, weekday, [shortest] * many, [days - unknown] * many)
    return episodes.find(daily, least=least)


def quiet(
    kind: Kind, random: np.random.Generator, level: Floats | float = 1.0, days: int = DAYS
) -> tuple[Floats, Floats]:
    """A series that moves by chance alone: a share of 0.4, a rate of 0.2, 80 a day, a mean of 50."""
    if kind == "count":
        return random.poisson(80 * level * np.ones(days)).astype(float), np.ones(days)
    d = random.poisson(150, days).astype(float)
    if kind == "share":
        return random.binomial(d.astype(int), np.clip(0.4 * level, 0, 1)).astype(float), d
    if kind == "rate":
        return random.poisson(0.2 * level * d).astype(float), d
    spread = random.gamma(2.0, 25.0, (days, 400))
    return np.array([spread[day, : int(d[day])].sum() for day in range(days)]) * level, d


def planted(first: int, last: int, factor: float, days: int = DAYS) -> Floats:
    """1 on every day but those."""
    level = np.ones(days)
    level[first : last + 1] = factor
    return level


# Worked by hand


def test_z_by_hand() -> None:
    """140 days of 10 out of 20, but 3 out of 20 on days 70 to 76.

    Around: eight weeks to either side, 1120 / 2240 = 0.5 exactly; inside 21 / 140 = 0.15. Blocks of a day, and of a week, usually
    differ by nothing, so there is no more noise than chance. With p = 1141 / 2380 of both, z is the signed root of
    2 (21 ln(0.15/p) + 119 ln(0.85/(1-p)) + 1120 ln(0.5/p) + 1120 ln(0.5/(1-p))); p is both its tails, times four for each day.
    """
    top = np.where((np.arange(140) >= 70) & (np.arange(140) <= 76), 3.0, 10.0)
    (episode,) = found([top], [np.full(140, 20.0)], "share")
    assert (episode.first, episode.last, episode.below, episode.of) == (70, 76, 21.0, 140.0)
    assert episode.value == 21 / 140
    assert episode.baseline == 0.5
    # the window is a whole week: every weekday lost the same, and none is taken for a bad one
    assert episode.expected == pytest.approx(0.5)
    p = 1_141 / 2_380
    terms = ((21, 0.15 / p), (119, 0.85 / (1 - p)), (1_120, 0.5 / p), (1_120, 0.5 / (1 - p)))
    z = -math.sqrt(2 * sum(seen * math.log(ratio) for seen, ratio in terms))
    assert episode.z == pytest.approx(z)
    assert episode.p == pytest.approx(math.erfc(-z / math.sqrt(2)) * 140 * 4)
    assert not episode.lasting


def test_a_count_by_hand() -> None:
    """One day of 300 among days of 100 (every weekday alike but for that day's): Poisson, the rate of the days around."""
    top = np.full(70, 100.0)
    top[35] = 300.0
    (episode,) = found([top], [np.ones(70)], "count", weekday=2)
    assert (episode.first, episode.last, episode.value, episode.baseline) == (35, 35, 300.0, 100.0)
    # that weekday has 10 days of 120 on average, all days (7000 + 200) / 70 = 102.86; shrunk towards that by 50 rows
    whole = 7_200 / 70
    factor = (120 * 10 * whole + whole * 50) / (10 * whole + 50) / whole
    assert episode.expected == pytest.approx(factor * 6_900 / _weights(70, 35, whole), rel=1e-9)
    assert episode.z > 10


def _weights(days: int, at: int, whole: float) -> float:
    """What the days around one day count for: nine weekdays like it, and those of the other weekdays."""
    own = (120 * 10 * whole + whole * 50) / (10 * whole + 50) / whole
    other = (100 * 10 * whole + whole * 50) / (10 * whole + 50) / whole
    around = [day for day in range(days) if day != at]
    return sum(own if day % 7 == at % 7 else other for day in around)


# What is planted is found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("first", "last", "factor"), [(90, 110, 0.6), (60, 66, 1.6), (120, 159, 0.7)])
def test_planted_windows_are_found(kind: Kind, first: int, last: int, factor: float) -> None:
    """The strongest episode is that window; its edges are off by three days at most, its values are those planted."""
    if kind in ("count", "mean") and last - first >= episodes.LONGEST_COUNT:
        pytest.skip("a number per day that is low for six weeks may be a season, and the noise of a mean is not known")
    pairs = [quiet(kind, np.random.default_rng(seed), planted(first, last, factor, 300), 300) for seed in range(5)]
    several = found([n for n, _ in pairs], [d for _, d in pairs], kind)
    for seed in range(5):
        best = max((one for one in several if one.series == seed), key=lambda episode: abs(episode.z))
        assert (best.z > 0) == (factor > 1)
        assert abs(best.first - first) <= 3, best
        assert abs(best.last - last) <= 3, best
        assert best.value / best.expected == pytest.approx(factor, rel=0.15)
        assert not best.lasting


@pytest.mark.parametrize("kind", ["share", "rate", "mean"])
def test_what_goes_on_until_now_is_lasting(kind: Kind) -> None:
    """A change of the last fifty days is said to last, and so is a level that shifted half a year ago."""
    for days, first in ((200, 150), (365, 180)):
        n, d = quiet(kind, np.random.default_rng(1), planted(first, days - 1, 0.7, days), days)
        several = found([n], [d], kind)
        assert any(e.lasting and abs(e.first - first) <= 10 and e.last == days - 1 for e in several), several


def test_two_windows_are_two_episodes() -> None:
    """A bad week and a good one."""
    level = planted(60, 66, 0.5) * planted(130, 139, 1.5)
    n, d = quiet("share", np.random.default_rng(4), level)
    signs = {(episode.z > 0, round(episode.first, -1)) for episode in found([n], [d], "share")}
    assert signs == {(False, 60), (True, 130)}


def test_days_that_were_told_are_of_no_other_episode() -> None:
    """A very bad week within six bad ones, told first: what is left around it is no window of whole days, and is not told."""
    for seed in range(4):
        n, d = quiet("share", np.random.default_rng(seed), planted(60, 100, 0.8) * planted(78, 82, 0.3))
        several = sorted(found([n], [d], "share"), key=lambda episode: episode.first)
        assert any(abs(one.first - 78) <= 2 and abs(one.last - 82) <= 2 for one in several), several
        assert all(one.last < other.first for one, other in pairwise(several)), several


# Nothing is found where nothing is


@pytest.mark.parametrize("kind", KINDS)
def test_quiet_series_stay_quiet(kind: Kind) -> None:
    """Two hundred series of nothing but chance, with weekdays: at most one in a hundred shows an episode."""
    random = np.random.default_rng(11)
    week = np.tile([1.0, 0.9, 0.9, 1.0, 1.1, 1.4, 1.3], 30)[:DAYS] * 0.8
    pairs = [quiet(kind, random, week) for _ in range(200)]
    several = found([n for n, _ in pairs], [d for _, d in pairs], kind)
    assert len({episode.series for episode in several if not episode.lasting}) <= 2
    # the few windows up to now are asked about by name, at a lower bar
    assert len({episode.series for episode in several if episode.lasting}) <= 6


def test_weekdays_are_no_episode() -> None:
    """Four times as much at the weekend, whatever day the series begins on; and the level of a good Monday is one."""
    for weekday in range(7):
        week = np.where((np.arange(DAYS) + weekday) % 7 >= 5, 2.0, 0.5)
        n, d = quiet("count", np.random.default_rng(weekday), week)
        assert found([n], [d], "count", weekday=weekday) == []
    monday = np.where(np.arange(DAYS) == 105, 4.0, np.where(np.arange(DAYS) % 7 >= 5, 2.0, 0.5))
    (episode,) = found([quiet("count", np.random.default_rng(0), monday)[0]], [np.ones(DAYS)], "count")
    assert episode.first == episode.last == 105


def test_growth_and_season_are_no_episode() -> None:
    """A shop that doubles within the year, and one with a slow season."""
    days = np.arange(365)
    for level in (1 + days / 365, 1 + 0.2 * np.sin(days * 2 * math.pi / 365)):
        random = np.random.default_rng(5)
        pairs = [quiet("count", random, level, 365) for _ in range(20)]
        several = found([n for n, _ in pairs], [d for _, d in pairs], "count")
        # at either end a trend may be seen, but nothing that matters to a check-up, which asks for 30 %
        assert all(abs(episode.value / episode.expected - 1) < 0.25 for episode in several), several
        assert len([episode for episode in several if not episode.lasting]) <= 1


def test_a_noisy_series_has_to_do_more() -> None:
    """A share that wanders from fortnight to fortnight by itself: what chance alone would call an episode is none."""
    random = np.random.default_rng(8)
    bottoms = [random.poisson(400, 280).astype(float) for _ in range(40)]
    wandering = np.repeat(random.normal(0, 0.04, (40, 20)), 14, axis=1)
    tops = [random.binomial(d.astype(int), 0.4 + w).astype(float) for d, w in zip(bottoms, wandering, strict=True)]
    by_chance = math.sqrt(0.24 * (1 / 5_600 + 1 / 44_800))
    beyond = [
        max(abs(n[i : i + 14].sum() / d[i : i + 14].sum() - 0.4) for i in range(0, 280, 14))
        for n, d in zip(tops, bottoms, strict=True)
    ]
    assert all(far > 4.5 * by_chance for far in beyond)
    assert len({episode.series for episode in found(tops, bottoms, "share")}) <= 4


@pytest.mark.parametrize("kind", KINDS)
def test_too_little_to_tell(kind: Kind) -> None:
    """No days, one day, 27 days, zeros, constants, nothing below the line, one row a week: no episode, no NaN."""
    ones = np.ones(100)
    assert found([np.ones(0)], [np.ones(0)], kind) == []
    for days in (1, 27):
        assert found([planted(3, 5, 90.0, days)], [np.full(days, 100.0)], kind) == []
    sparse = np.where(np.arange(100) % 7 == 0, 1.0, 0.0)
    for n, d in (
        (0 * ones, 0 * ones),
        (0 * ones, ones),
        (ones, ones),
        (ones, 0 * ones),
        (sparse, sparse),
        (0 * ones, sparse),
    ):
        assert found([n], [d], kind) == []
    assert found([ones, 0 * ones], [1e6 * ones, 0 * ones], kind) == []


def test_a_handful_proves_nothing() -> None:
    """Seven acts on one day where there is usually none are no episode; the same a hundred times are one."""
    n = np.where(np.arange(DAYS) == 100, 7.0, 0.0)
    assert found([n], [np.ones(DAYS)], "count") == []
    busy = np.where(np.arange(DAYS) == 100, 700.0, 1.0)
    assert [(e.first, e.last) for e in found([busy], [np.ones(DAYS)], "count")] == [(100, 100)]


def test_rare_and_few_take_more_than_the_normal_tail() -> None:
    """Eight of thirty-six where four in a hundred are usual: 5.4 deviations by the normal tail, 3.6 by the likelihood ratio."""
    d = np.full(DAYS, 12.0)
    n = np.where(np.arange(DAYS) % 2 == 0, 1.0, 0.0)
    n[100:103] = (3, 2, 3)
    assert abs(n[100:103].sum() / 36 - 1 / 24) / math.sqrt(1 / 24 * 23 / 24 / 36) > 5
    assert found([n], [d], "share") == []


@pytest.mark.parametrize("kind", ["share", "rate"])
def test_what_never_was(kind: Kind) -> None:
    """An error that nobody had, and a third have from some day on; and a step that everybody took, and half do now."""
    d = np.full(365, 60.0)
    new = np.where(np.arange(365) >= 200, 20.0, 0.0)
    assert [(e.first, e.expected, e.lasting) for e in found([new], [d], kind)] == [(200, 0.0, True)]
    fewer = np.where(np.arange(365) >= 200, 30.0, 60.0)
    assert [(e.first, e.lasting) for e in found([fewer], [d], kind)] == [(200, True)]


def test_a_trend_is_no_shift() -> None:
    """A share that falls by half little by little is not one that fell on some day; the end of it may be seen as lower."""
    for seed in range(5):
        level = np.linspace(1.3, 0.7, 365)
        n, d = quiet("share", np.random.default_rng(seed), level, 365)
        lasting = [one for one in found([n], [d], "share") if one.lasting]
        assert all(abs(one.value / one.expected - 1) < 0.2 for one in lasting), lasting


# What is not known yet


def test_days_not_known_in_full_do_not_matter() -> None:
    """Whatever the last days hold, the episodes are the same, and none reaches into them."""
    n, d = quiet("share", np.random.default_rng(3), planted(100, 120, 0.5))
    other, below = n.copy(), d.copy()
    other[-30:], below[-30:] = 0, 900
    one, two = (found([top], [bottom], "share", unknown=30) for top, bottom in ((n, d), (other, below)))
    assert one == two
    assert one
    assert all(episode.last < DAYS - 30 for episode in one)
    with_lag = found([np.where(np.arange(DAYS) >= 150, 0.0, n)], [d], "share", unknown=30)
    assert [e.last for e in with_lag if e.lasting] == [DAYS - 31]


def test_the_shortest_window_is_respected() -> None:
    """One mad day is no episode of a metric whose episodes last a week."""
    n, d = quiet("rate", np.random.default_rng(2), planted(100, 101, 6.0))
    best = max(found([n], [d], "rate"), key=lambda episode: abs(episode.z))
    assert (best.first, best.last) == (100, 101)
    assert all(e.last - e.first >= 6 for e in found([n], [d], "rate", shortest=7))


# What must not matter


def test_order_of_series_does_not_matter() -> None:
    """Side by side or alone, forwards or backwards: the same episodes."""
    random = np.random.default_rng(6)
    pairs = [quiet("share", random, planted(20 * k + 30, 20 * k + 40, 0.6)) for k in range(6)]
    together = found([n for n, _ in pairs], [d for _, d in pairs], "share")
    alone = [e._replace(series=k) for k, (n, d) in enumerate(pairs) for e in found([n], [d], "share")]
    back = found([n for n, _ in pairs[::-1]], [d for _, d in pairs[::-1]], "share")
    assert together == alone == sorted((e._replace(series=5 - e.series) for e in back), key=lambda e: e.series)


def test_more_of_the_same_is_surer() -> None:
    """Four times as many users: twice the z, where chance is all there is. Cents for units: the same z of a mean."""
    n = np.where((np.arange(DAYS) >= 100) & (np.arange(DAYS) < 107), 2.0, 8.0)
    once, four = (found([k * n], [k * np.full(DAYS, 20.0)], "share")[0] for k in (1, 4))
    assert (once.first, once.last, once.value) == (four.first, four.last, four.value)
    assert four.z == pytest.approx(2 * once.z)
    top, d = quiet("mean", np.random.default_rng(9), planted(80, 99, 1.3))
    units, cents = found([top], [d], "mean"), found([100 * top], [d], "mean")
    assert [(e.first, e.last) for e in units] == [(e.first, e.last) for e in cents]
    assert [e.z for e in units] == pytest.approx([e.z for e in cents])
    assert [100 * e.expected for e in units] == pytest.approx([e.expected for e in cents])


def test_numbers_are_those_of_the_days() -> None:
    """``below`` and ``of`` are the sums of the days told, ``value`` their ratio."""
    n, d = quiet("rate", np.random.default_rng(12), planted(70, 80, 1.8) * planted(150, 199, 0.6))
    several = found([n], [d], "rate")
    assert len(several) > 1
    for episode in several:
        if not episode.lasting:
            days = slice(episode.first, episode.last + 1)
            assert (episode.below, episode.of) == (n[days].sum(), d[days].sum())
        assert episode.value == episode.below / episode.of
        assert 0 <= episode.p <= 1
