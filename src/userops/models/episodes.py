"""Days on which a ratio was not what it used to be: episodes in daily series.

A series is a numerator and a denominator per day: orders out of check-outs, spend per newcomer, visits per day. Every
window of days is held against the weeks around it,

    z = (R_in - R_around) / sqrt(kappa * (1 / D_in + 1 / D_around)),    R = sum of numerators / sum of denominators = N / D,

and the window with the largest |z| is an episode, if that is large enough for the number of windows that were looked
at; then it is taken out, and the rest is looked at again. This is the scan statistic of Kulldorff (1997, A spatial scan
statistic, Communications in Statistics 26) in time, with a variance that is learned from the series itself: kappa is the
usual squared difference between a block of days and the blocks around it, for blocks of a day, a week, two and four
weeks, and never less than chance alone would make it (binomial for shares, Poisson for counts). A window is judged by
the largest kappa of blocks up to its length, so that a slow season is no illness, taken from the other days; and by the
likelihood ratio in place of the normal tail, which is too thin for small numbers. The weekday pattern is taken out first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Days = NDArray[np.int64]
Kind = Literal["share", "rate", "count", "mean"]
"""What chance alone makes of a ratio: binomial of a share, Poisson of a rate or of a count (a rate per day), nothing that
is known beforehand of a mean."""

RECENT = (14, 28, 42, 60)
"""The days up to now that every series is asked about by name: few questions, so smaller changes can be told."""

BEFORE = 84
"""The days before those, which they are held against."""


LONGEST = 120
"""Days of the longest window: what lasts longer is a shift of the level."""

LONGEST_COUNT = 28
"""Days of the longest window of a count: over longer ones growth and season look like an illness."""

LENGTHS = (1, 2, 3, 4, 5, 7, 9, 11, 14, 18, 21, 28, 35, 42, 49, 60, 75, 90)
"""Lengths of windows in days; edges are then moved to where they fit best."""

AROUND = 56
"""Days before and after a window that it is held against: eight weeks."""

BLOCKS = (1, 7, 14, 28)
"""Blocks of days whose differences say how much a series moves by itself."""

SHARE, OF_CHI2 = 0.4, 0.2749959
"""The quantile of squared differences that says how large they usually are, and that of a squared standard normal: below
the median, so that illnesses that fill a third of a series do not pass for its health."""

MOST = 4
"""Episodes told of one series."""


class Episode(NamedTuple):
    """Days ``first`` to ``last`` (numbers from the series' first day) of a series (its place), and how they differ.

    ``value`` and ``baseline``: the ratio on these days and around them, as they are; ``expected``: what the ratio would
    have been by the days around it and the weekdays. ``z``, ``p``: its own test, the second corrected for the windows.
    ``below``, ``of``: numerator and denominator on these days. ``lasting``: it goes on to the last day.
    """

    series: int
    first: int
    last: int
    value: float
    baseline: float
    expected: float
    z: float
    p: float
    below: float
    of: float
    lasting: bool


@dataclass(frozen=True, slots=True)
class Daily:
    """Series side by side: ``numerators``, ``denominators`` (series by days), and the kind of each.

    ``weekday``: that of the first day, Monday 0. ``shortest``: days a window of each series has at least. ``known``: how
    many days from the first are known in full, of each.
    """

    numerators: Floats
    denominators: Floats
    kinds: Sequence[Kind]
    weekday: int
    shortest: Sequence[int]
    known: Sequence[int]


def daily(
    tops: Sequence[pl.Series],
    bottoms: Sequence[pl.Series],
    kinds: Sequence[Kind],
    weekday: int,
    shortest: Sequence[int],
    known: Sequence[int],
) -> Daily:
    """Series of one length side by side."""
    numerators, denominators = (np.stack([each.to_numpy() for each in several]) for several in (tops, bottoms))
    return Daily(numerators, denominators, kinds, weekday, shortest, known)


def find(daily: Daily, *, least: float = 4.5, least_recent: float = 3.5) -> list[Episode]:
    """Episodes of every series, and how its last days differ from those before, the strongest of each series first.

    ``least``: |z| of an episode anywhere; ``least_recent``: of one of the few windows that end now; a level that shifted for
    good takes :data:`FOR_GOOD`. Series of fewer than 28 days have none.
    """
    looked = _looked_at(daily)
    found: dict[int, list[Episode]] = {place: [] for place in looked}
    taken: dict[int, list[Episode]] = {place: [] for place in looked}
    shifts, recents = _until_now(looked, least, least_recent)
    waiting = list(looked)
    for turn in range(MOST):
        places, waiting = waiting, []
        for place, start in zip(places, _best_windows([looked[place] for place in places]), strict=True):
            series, shift = looked[place], shifts.get(place)
            window = None if start is None else _fitted(series, start, least)
            if turn == 0 and shift is not None and (window is None or abs(shift.z) > abs(window.z)):
                found[place].append(shift)
                series.levelled(shift)
                waiting.append(place)
            elif window is not None:
                shifts.pop(place, None)
                episode, recent = _told(place, window, series), recents.get(place)
                if episode.lasting and recent is not None and recent.p < episode.p:
                    episode = recent  # the same, asked for by name
                if not any(each.first <= episode.last and episode.first <= each.last for each in taken[place]):
                    found[place].append(episode)  # of days that are all still there
                taken[place].append(episode)
                series.without(episode)
                waiting.append(place)
    again = {place: looked[place] for place, several in found.items() if several and place not in shifts}
    late_shifts, late_recents = _until_now(again, least, least_recent)
    for place in looked:
        kept = shifts.get(place) or late_shifts.get(place) or (late_recents if place in again else recents).get(place)
        if kept is not None and kept not in found[place]:
            found[place].append(kept)
    return [episode for several in found.values() for episode in several]


def _until_now(
    looked: dict[int, _Series], least: float, least_recent: float
) -> tuple[dict[int, Episode], dict[int, Episode]]:
    """What goes on to the last day, by place: levels that shifted, and the last days; not both of one series."""
    shifts, recents = {}, {}
    for (place, series), recent in zip(looked.items(), _recent(list(looked.values()), least_recent), strict=True):
        shift = _shifted(series, least)
        if shift is not None:
            shifts[place] = _told(place, shift, series, STEP)._replace(lasting=True)
        if recent is not None:
            window, p = recent
            if place not in shifts or p < shifts[place].p:  # the last days are few questions, so often surer
                shifts.pop(place, None)
                recents[place] = _told(place, window, series, BEFORE)._replace(lasting=True, p=p)
    return shifts, recents


def _looked_at(daily: Daily) -> dict[int, _Series]:
    """The series that are long enough, by their place; days that are not yet known count for nothing."""
    days = daily.numerators.shape[1]
    known = np.asarray(daily.known, dtype=np.int64)
    yet = np.arange(days)[None, :] < known[:, None]
    n, d = np.where(yet, daily.numerators, 0.0), np.where(yet, daily.denominators, 0.0)
    weights = d * _weekdays(n, d, daily.weekday)
    kinds = np.asarray(daily.kinds)
    enough = (known >= 28) & (np.count_nonzero(d, axis=1) >= 21)
    looked: dict[int, _Series] = {}
    for many in np.unique(known[enough]):
        places = np.flatnonzero(enough & (known == many))
        noises = _noise(n[places, :many], weights[places, :many], kinds[places])
        for place, noise in zip(places.tolist(), noises, strict=True):
            looked[place] = _Series(
                daily.kinds[place], daily.shortest[place], int(many), noise, n[place], d[place], weights[place]
            )
    return dict(sorted(looked.items()))


@dataclass(frozen=True, slots=True)
class _Series:
    """One series while it is looked at; what was found is taken out of ``n, d, weights``, days not yet known are zero."""

    kind: Kind
    shortest: int
    known: int
    noise: Floats
    n: Floats
    d: Floats
    weights: Floats

    def without(self, window: Episode) -> None:
        """Take the days of an episode out."""
        for values in (self.n, self.d, self.weights):
            values[window.first : window.last + 1] = 0

    def levelled(self, shift: Episode) -> None:
        """Let the days since a shift count for what they are now, that the shift is no longer there."""
        if not (shift.value and shift.expected):  # nothing cannot be levelled
            self.without(shift)
        else:
            self.weights[shift.first : self.known] *= shift.value / shift.expected

    @property
    def longest(self) -> int:
        """Days of the longest window."""
        return LONGEST_COUNT if self.kind == "count" else min(self.known // 2, LONGEST)

    @property
    def recent(self) -> list[int]:
        """Days of the windows up to now that there is room for."""
        return [length for length in RECENT if length >= self.shortest and self.known - length >= BEFORE // 2]


def _recent(several: Sequence[_Series], least: float) -> list[tuple[_Window, float] | None]:
    """How the last days differ from those before: of the windows that end now, the one that says most, and its p.

    Not of counts per day, which grow and have seasons.
    """
    found: list[tuple[_Window, float] | None] = [None] * len(several)
    places = [place for place, series in enumerate(several) if series.kind != "count" and series.recent]
    if not places:
        return found
    quick = np.zeros(len(places))  # judged by chance alone, which is the least noise there can be
    rows = [several[place] for place in places]
    known, kinds = np.array([series.known for series in rows]), np.array([series.kind for series in rows])
    floor = np.where(kinds == "mean", [series.noise[0] for series in rows], 0.0)
    for many in np.unique(known):
        mine = known == many
        sums = _Sums.of(
            *(np.stack([getattr(s, of)[:many] for s in rows if s.known == many]) for of in ("n", "weights"))
        )
        shortest = np.array([series.shortest for series in rows])[mine]
        for length in RECENT:
            if many - length < BEFORE // 2:
                continue
            z, _ = sums.compared(
                np.array([many - length]), np.array([many]), floor[mine, None], kinds[mine, None], BEFORE
            )
            quick[mine] = np.maximum(quick[mine], np.where(shortest <= length, np.abs(z[:, 0]), 0.0))
    for place in (places[at] for at in np.flatnonzero(quick >= least)):
        found[place] = _latest(several[place], least)
    return found


def _latest(series: _Series, least: float) -> tuple[_Window, float] | None:
    """The strongest of the windows of one series that end now, judged by the noise before all of them."""
    known, kind, lengths = series.known, series.kind, series.recent
    n, weights = series.n[:known], series.weights[:known]
    before = known - lengths[-1]
    kappas = _noise(n[None, :before], weights[None, :before], np.array([kind]))[0]
    best: _Window | None = None
    for length in lengths:
        kappa = _of_block(kappas, length)
        window = _tried(np.array([known - length]), np.array([known]), n, weights, kappa, kind, BEFORE)
        if window is not None:
            best = _better(best, window._replace(z=_sure(window, n, weights, kappa, kind, BEFORE)))
    if best is None or abs(best.z) < least:
        return None
    return best, min(1.0, math.erfc(abs(best.z) / math.sqrt(2)) * len(lengths))


def _of_block(kappas: Floats, length: int) -> float:
    """The noise of the longest blocks that are no longer than a window."""
    return float(kappas[np.searchsorted(np.asarray(BLOCKS), length, side="right") - 1])


STEP = 112
"""Days on either side of a day from which on a level may have shifted for good, where there are so many."""

STEP_BEFORE, STEP_AFTER = 84, 28
"""How many there are at least."""

FOR_GOOD = 7.0
"""|z| of a shift: a young shop drifts for months by itself."""

NEAR, AT_ONCE, DRIFT = 28, 0.7, 0.4
"""Days on either side that must show that much of a shift, and how much of it may have come before: a trend is no shift."""


def _shifted(series: _Series, least: float) -> _Window | None:
    """The day from which on the level is another one until now, if there is one: sixteen weeks before it against sixteen after.

    All that was before and all that came after must bear out at least 70 % of the difference; a trend is no shift. Not of
    counts per day, which grow and have seasons.
    """
    days, kind = series.known, series.kind
    if kind == "count" or days < 2 * STEP_BEFORE:
        return None
    sums_n, sums_d = (np.concatenate([[0.0], np.cumsum(each[:days])]) for each in (series.n, series.weights))
    at = np.arange(STEP_BEFORE, days - STEP_AFTER + 1)
    start, end = np.maximum(at - STEP, 0), np.minimum(at + STEP, days)
    n0, d0 = sums_n[at] - sums_n[start], sums_d[at] - sums_d[start]
    n1, d1 = sums_n[end] - sums_n[at], sums_d[end] - sums_d[at]
    n2, d2 = sums_n[days] - sums_n[at], sums_d[days] - sums_d[at]

    def between(a: Days, b: Days) -> Floats:
        return np.asarray((sums_n[b] - sums_n[a]) / np.maximum(sums_d[b] - sums_d[a], 1e-12))

    middle = (start + at) // 2
    drift = between(middle, at) - between(start, middle)
    past, at_once = between(np.zeros_like(at), at), between(at, at + NEAR) - between(at - NEAR, at)
    usable = (d0 > 0) & (d1 > 0) & (n0 + n1 >= 40)
    safe = [np.where(usable, each, 1.0) for each in (d0, d1, d2)]
    before, after, since = n0 / safe[0], n1 / safe[1], n2 / safe[2]
    moved = after - before
    pooled = (n0 + n1) / (safe[0] + safe[1])
    chance = {"share": np.maximum(pooled * (1 - pooled), 0.0), "rate": pooled}.get(kind, np.zeros_like(pooled))
    spread = np.sqrt(1 / safe[0] + 1 / safe[1])
    z = np.where(usable, moved / np.sqrt(np.maximum(np.maximum(chance, series.noise[0]), 1e-12)) / spread, 0.0)
    # both levels are those of all that was before and after: neither the end of an illness nor one that is over is a shift
    stays = ((since - before) * moved >= 0.7 * moved**2) & ((after - past) * moved >= 0.7 * moved**2)
    sudden = (at_once * moved >= AT_ONCE * moved**2) & (drift * moved <= DRIFT * moved**2)
    z = np.where(stays & sudden, z, 0.0)
    best = int(np.argmax(np.abs(z)))
    if abs(z[best]) < least:
        return None
    # how sure it is takes the noise that is left once the levels are one
    level = np.where(np.arange(days) < at[best], 1.0, since[best] / before[best])[None] if before[best] else 1.0
    own = _noise(series.n[None, :days], series.weights[None, :days] * level, np.array([kind]))[0, BLOCKS.index(14)]
    shift = _Window(int(at[best]), days - 1, 0.0, float(before[best]))
    n, weights = series.n[: end[best]], series.weights[: end[best]]
    sure = _sure(shift, n, weights, own, kind, STEP)
    return shift._replace(z=sure) if abs(sure) >= FOR_GOOD else None


def _weekdays(n: Floats, d: Floats, first: int) -> Floats:
    """What each day's denominator counts for, by its weekday: the ratio of that weekday over that of all days."""
    of = (np.arange(n.shape[1]) + first) % 7
    factors = np.ones_like(n)
    whole = n.sum(axis=1) / np.maximum(d.sum(axis=1), 1e-12)
    for weekday in range(7):
        mine = of == weekday
        # the median week says more than the sum, which one promotion would move
        part, below = n[:, mine], d[:, mine]
        ratio = part.sum(axis=1) / np.maximum(below.sum(axis=1), 1e-12)
        trust = below.sum(axis=1) * whole
        shrunk = (ratio * trust + whole * 50.0) / (trust + 50.0)
        factors[:, mine] = np.where(whole > 0, shrunk / np.maximum(whole, 1e-12), 1.0)[:, None]
    return np.asarray(np.clip(factors, 0.2, 5.0))


def _noise(n: Floats, d: Floats, kinds: NDArray[np.str_]) -> Floats:
    """Kappa of each series (rows) for each of :data:`BLOCKS`, never falling, never below chance."""
    whole = n.sum(axis=1) / np.maximum(d.sum(axis=1), 1e-12)
    so_far = np.select([kinds == "share", kinds == "mean"], [np.maximum(whole * (1 - whole), 0.0), 0.0], whole)
    mean = kinds == "mean"
    kappas = []
    for block in BLOCKS:
        blocks = n.shape[1] // block
        if blocks >= 6:
            # blocks are counted back from the last day, so that the latest are whole
            bn, bd = (each[:, -blocks * block :].reshape(len(n), blocks, block).sum(axis=2) for each in (n, d))
            around_n, around_d = _beside(bn), _beside(bd)
            usable = (bd > 0) & (around_d > 0)
            safe = np.where(usable, around_d, 1.0)
            expected = np.where(usable, around_n / safe, 0.0)
            left = bn - expected * bd
            dense = usable & (expected * bd >= 1)
            enough = dense.sum(axis=1) >= 5
            scale = np.where(enough[:, None], bd * (1 + bd / safe), 1.0)
            squares = left**2 / np.where(usable, scale, 1.0)
            counted = np.where(enough[:, None], dense, usable)
            # what is spent has heavy tails, which a quantile would not see
            usual = np.where(mean, _average(squares, counted), _quantile(squares, counted) / OF_CHI2)
            so_far = np.where(usable.sum(axis=1) >= 5, np.maximum(so_far, usual), so_far)
        kappas.append(so_far)
    return np.stack(kappas, axis=1)


def _beside(blocks: Floats) -> Floats:
    """The sum of the two blocks before and the two after each block."""
    wide = np.pad(blocks, ((0, 0), (2, 2)))
    return wide[:, :-4] + wide[:, 1:-3] + wide[:, 3:-1] + wide[:, 4:]


def _average(values: Floats, counted: NDArray[np.bool_]) -> Floats:
    """The mean of the values of each row that are counted; 0 of none."""
    return np.asarray(np.where(counted, values, 0.0).sum(axis=1) / np.maximum(counted.sum(axis=1), 1))


def _quantile(values: Floats, counted: NDArray[np.bool_]) -> Floats:
    """The quantile :data:`SHARE` of the values of each row that are counted, between two by line; 0 of none."""
    many = counted.sum(axis=1)
    ordered = np.sort(np.where(counted, values, np.inf), axis=1)
    place = np.maximum(many - 1, 0) * SHARE
    low = np.floor(place).astype(np.int64)
    high = np.minimum(low + 1, np.maximum(many - 1, 0))
    rows = np.arange(len(values))
    below, above = (np.where(many > 0, ordered[rows, at], 0.0) for at in (low, high))
    return np.asarray(below + (above - below) * (place - low))


class _Window(NamedTuple):
    first: int
    last: int
    z: float
    baseline: float


def _best_windows(several: Sequence[_Series]) -> list[_Window | None]:
    """Of each series the window that differs most from the days around it, among the lengths that are tried."""
    if not several:
        return []
    n, d = np.stack([s.n for s in several]), np.stack([s.weights for s in several])
    known = np.array([s.known for s in several])[:, None]
    shortest, longest = (np.array([getattr(s, name) for s in several])[:, None] for name in ("shortest", "longest"))
    kinds = np.array([s.kind for s in several])[:, None]
    kappa = np.array([s.noise[0] for s in several])[:, None]
    rows, days = n.shape
    sums = _Sums.of(n, d)
    best: list[_Window | None] = [None] * rows
    strength = np.zeros(rows)
    for length in LENGTHS:
        first = np.arange(days - length + 1)
        tried = (first[None, :] + length <= known) & (length >= shortest) & (length <= longest)
        if not tried.any():
            continue
        z, baseline = sums.compared(first, first + length, kappa, kinds)
        z = np.where(tried, z, 0.0)
        at = np.argmax(np.abs(z), axis=1)
        for row in np.flatnonzero(np.abs(z[np.arange(rows), at]) > strength * (1 + 1e-9)):
            place = int(at[row])
            strength[row] = abs(z[row, place])
            best[row] = _Window(place, place + length - 1, float(z[row, place]), float(baseline[row, place]))
    return best


def _fitted(series: _Series, best: _Window, least: float) -> _Window | None:
    """A window with its edges where they fit best; None where it does not differ by ``least`` then."""
    if abs(best.z) < 0.75 * least:  # no edge mends that
        return None
    known = series.known
    n, d = series.n[:known], series.weights[:known]
    for _ in range(6):
        reach = max(2, (best.last - best.first + 1) // 3)
        starts = np.arange(max(0, best.first - reach), min(known - 1, best.first + reach) + 1)
        ends = np.arange(max(0, best.last - reach), min(known - 1, best.last + reach) + 1)
        first, last = (grid.ravel() for grid in np.meshgrid(starts, ends, indexing="ij"))
        whole = (last - first + 1 >= series.shortest) & (last - first + 1 <= series.longest)
        moved = _better(best, _tried(first[whole], last[whole] + 1, n, d, series.noise[0], series.kind))
        if moved is None or moved == best:
            break
        best = moved
    # edges are those that fit best; how sure it is takes the noise of blocks as long as the window, from the other days
    kappas = series.noise
    if series.kind != "mean":  # there an extreme is noise until it is shown otherwise
        others_n, others_d = n.copy(), d.copy()
        others_n[best.first : best.last + 1] = others_d[best.first : best.last + 1] = 0
        kappas = _noise(others_n[None], others_d[None], np.array([series.kind]))[0]
    own = _of_block(kappas, best.last - best.first + 1)
    judged = best._replace(z=_sure(best, n, d, own, series.kind, AROUND))
    return judged if abs(judged.z) >= least else None


def _sure(window: _Window, n: Floats, d: Floats, kappa: float, kind: Kind, reach: int) -> float:
    """The z of a window from the likelihood ratio, which holds for small numbers too; of means as in the search.

    For shares and rates the signed root of twice the log-likelihood ratio of two binomials or Poissons, as Kulldorff has
    it, divided by how much more than chance the series moves: the normal tail is far too thin for few and rare acts.
    """
    inside, before, after = (
        slice(window.first, window.last + 1),
        slice(max(0, window.first - reach), window.first),
        slice(window.last + 1, window.last + 1 + reach),
    )
    n1, d1 = float(n[inside].sum()), float(d[inside].sum())
    n0, d0 = (float(each[before].sum() + each[after].sum()) for each in (n, d))
    if min(d0, d1) <= 0:
        return 0.0
    moved, spread = n1 / d1 - n0 / d0, 1 / d1 + 1 / d0
    if kind == "mean":
        return moved / math.sqrt(max(kappa, 1e-12) * spread)
    pooled = (n1 + n0) / (d1 + d0)
    deviance = _times_log(n1, d1 * pooled) + _times_log(n0, d0 * pooled)
    usual = n0 / d0 if n0 >= 1 else pooled  # where it never happened, how much it varies is not known
    if kind == "share":
        deviance += _times_log(d1 - n1, d1 * (1 - pooled)) + _times_log(d0 - n0, d0 * (1 - pooled))
        usual = usual if d0 - n0 >= 1 else pooled
        usual *= max(0.0, 1 - usual)
    root = math.copysign(math.sqrt(2 * max(deviance, 0.0)), moved)
    return root * math.sqrt(usual / max(kappa, usual)) if usual > 0 else root


def _times_log(seen: float, expected: float) -> float:
    """``seen * log(seen / expected)``, 0 of nothing."""
    return seen * math.log(seen / expected) if seen > 0 and expected > 0 else 0.0


def _better(best: _Window | None, other: _Window | None) -> _Window | None:
    if best is None or (other is not None and abs(other.z) > abs(best.z) * (1 + 1e-9)):
        return other
    return best


@dataclass(frozen=True, slots=True)
class _Sums:
    """Running sums of numerators and denominators (series by days + 1), and of days that have any."""

    n: Floats
    d: Floats
    seen: NDArray[np.int64]

    @classmethod
    def of(cls, n: Floats, d: Floats) -> _Sums:
        """Of numerators and denominators, series by days."""
        zero = np.zeros((n.shape[0], 1))
        seen = np.concatenate([zero.astype(np.int64), np.cumsum(d > 0, axis=1)], axis=1)
        sums_n, sums_d = (np.concatenate([zero, np.cumsum(each, axis=1)], axis=1) for each in (n, d))
        return cls(sums_n, sums_d, seen)

    def compared(
        self, first: Days, end: Days, kappa: Floats, kinds: NDArray[np.str_], around: int = AROUND
    ) -> tuple[Floats, Floats]:
        """The z and the baseline of windows, ``end`` being the day after the last; z is 0 where nothing can be told."""
        before, after = np.maximum(first - around, 0), np.minimum(end + around, self.n.shape[1] - 1)

        def between(sums: NDArray[Any], a: Days, b: Days) -> Floats:
            return np.asarray(sums.take(b, axis=1) - sums.take(a, axis=1), dtype=np.float64)

        n, d = between(self.n, first, end), between(self.d, first, end)
        around_n = between(self.n, before, first) + between(self.n, end, after)
        around_d = between(self.d, before, first) + between(self.d, end, after)
        seen_before = between(self.seen, before, first)
        seen_around = seen_before + between(self.seen, end, after)
        usable = (d > 0) & (around_d > 0) & (seen_before >= 14) & (seen_around >= (end - first) / 2)
        safe_d, safe_around = np.where(usable, d, 1.0), np.where(usable, around_d, 1.0)
        inside, baseline = n / safe_d, around_n / safe_around
        chance = np.where(kinds == "share", np.clip(baseline * (1 - baseline), 0, None), baseline)
        kappas = np.where(kinds == "mean", kappa, np.maximum(kappa, chance))
        handful = (np.maximum(baseline * d, n) >= 8) & (around_n >= 8)  # fewer prove nothing
        usable &= np.where(kinds == "mean", (d >= 100) & (around_d >= 100), handful)
        spread = np.sqrt(np.maximum(kappas, 1e-12) * (1 / safe_d + 1 / safe_around))
        return np.where(usable, (inside - baseline) / spread, 0.0), baseline


def _tried(
    first: Days,
    end: Days,
    n: Floats,
    d: Floats,
    kappa: float,
    kind: Kind,
    around: int = AROUND,
) -> _Window | None:
    """The strongest of some windows of one series, ``end`` being the day after the last."""
    if len(first) == 0:
        return None
    sums = _Sums.of(n[None], d[None])
    z, baseline = sums.compared(first, end, np.array([[kappa]]), np.array([[kind]]), around)
    at = int(np.argmax(np.abs(z[0])))
    if z[0, at] == 0:
        return None
    return _Window(int(first[at]), int(end[at]) - 1, float(z[0, at]), float(baseline[0, at]))


def _told(place: int, window: _Window, series: _Series, reach: int = AROUND) -> Episode:
    """A window as an episode: its ratio as it is, and what it would have been."""
    n, d, weights, known = series.n, series.d, series.weights, series.known
    inside = slice(window.first, window.last + 1)
    around = [slice(max(0, window.first - reach), window.first), slice(window.last + 1, window.last + 1 + reach)]
    below, of = float(n[inside].sum()), float(d[inside].sum())
    plain = sum(float(n[part].sum()) for part in around) / sum(float(d[part].sum()) for part in around)
    expected = window.baseline * float(weights[inside].sum()) / of
    p = min(1.0, math.erfc(abs(window.z) / math.sqrt(2)) * known * 4)
    lasting = window.last >= known - 3
    return Episode(place, window.first, window.last, below / of, plain, expected, window.z, p, below, of, lasting)
