"""Shifted beta-geometric: how long subscribers stay, each with a chance of their own to leave at every renewal.

Fader and Hardie (2007). Chances are Beta(alpha, beta); those likely to leave do so early, so that the retention rate of
a cohort rises with age without anybody changing. Periods are whole: one who leaves in period t (t >= 1) has
renewed t - 1 times.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaln, digamma

from userops.errors import InputError
from userops.models.likelihood import Fit, Rows, Vector, maximise


@dataclass(frozen=True)
class Tenures:
    """How many left in each period, and how many were seen no further: ``period[i]``, ``churned[i]``, ``censored[i]``.

    Who is censored at t was still there at the end of period t (t >= 0).
    """

    period: Vector
    churned: Vector
    censored: Vector

    @classmethod
    def of(cls, period: ArrayLike, churned: ArrayLike, censored: ArrayLike = 0.0) -> Tenures:
        """From anything like arrays, of one length or single numbers."""
        columns = np.broadcast_arrays(*(np.asarray(c, dtype=float) for c in (period, churned, censored)))
        return cls(*(np.atleast_1d(c) for c in columns))


@dataclass(frozen=True, slots=True)
class Sbg:
    """Chances to leave at a renewal Beta(``alpha``, ``beta``)."""

    NAME: ClassVar[str] = "sBG"

    alpha: float
    beta: float

    @classmethod
    def fit(cls, tenures: Tenures) -> Fit[Sbg]:
        """The most likely parameters.

        Where the rate of leaving does not fall with age, both parameters run to the edge (``Fit.edge``) and the model
        is the geometric one: everybody leaves at the same rate. InputError where nobody left, or fewer than two
        periods were seen: there is no telling how the rate goes on.
        """
        t, churned, censored = tenures.period, tenures.churned, tenures.censored
        lived = float(((churned + censored) * t).sum())
        seen = t[(churned + censored) > 0]
        if not churned.sum() > 0:
            raise InputError.not_fitted(cls.NAME, "nobody has left yet")
        if not seen.max() >= 2:
            raise InputError.not_fitted(cls.NAME, "fewer than two periods have been seen")
        both = churned + censored
        chance = min(float(churned.sum()) / lived, 0.99)

        def rows(model: Sbg) -> Rows:
            a, b = model.alpha, model.beta
            left, stayed = model.log_churn(t), model.log_survival(t)
            either = digamma(a + b) - digamma(a + b + t)
            by_a = churned * (either + 1 / a) + censored * either
            to_leave = np.where(t > 0, digamma(b + t - 1 + (t <= 0)), 0)
            by_b = churned * (either + to_leave - digamma(b)) + censored * (either + digamma(b + t) - digamma(b))
            scale = np.where(both > 0, both, 1)
            value = (np.where(churned > 0, churned * left, 0) + censored * stayed) / scale
            return value, (by_a / scale, by_b / scale)

        starts = [(k * chance, k * (1 - chance)) for k in (3.0, 0.5, 100.0)]
        return maximise(cls, rows, both, *starts)

    def log_survival(self, t: Vector) -> Vector:
        """The log of the share still there after ``t`` periods: B(alpha, beta + t) / B(alpha, beta)."""
        log: Vector = betaln(self.alpha, self.beta + t) - betaln(self.alpha, self.beta)
        return log

    def log_churn(self, t: Vector) -> Vector:
        """The log of the share that leaves in period ``t`` >= 1."""
        log: Vector = self.log_survival(t - 1) + np.log(self.hazard(t))
        return log

    def survival(self, t: ArrayLike) -> Vector:
        """The share still there after ``t`` periods."""
        return np.exp(self.log_survival(np.asarray(t, dtype=float)))

    def hazard(self, t: ArrayLike) -> Vector:
        """Of those there at the beginning of period ``t`` >= 1, the share that leaves in it."""
        chance: Vector = self.alpha / (self.alpha + self.beta + np.maximum(np.asarray(t, dtype=float), 1) - 1)
        return chance

    def median(self) -> int:
        """The first period by whose end at most half are still there."""
        high = 1
        while self.survival(high) > 0.5 and high < 1 << 40:
            high *= 2
        low = high // 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.survival(middle) > 0.5 else (low, middle)
        return high

    def remaining_lifetime(self, age: ArrayLike = 0) -> Vector:
        """Renewals still to come of one who is there at ``age``; infinite where ``alpha`` <= 1, however few leave.

        With alpha at most 1 some hardly ever leave, and their endless lives make the mean: use a horizon then.
        """
        a, n = self.alpha, np.asarray(age, dtype=float)
        left: Vector = (self.beta + n) / (a - 1) if a > 1 else np.full(n.shape, np.inf)
        return left

    def remaining_within(self, horizon: int, age: ArrayLike = 0) -> Vector:
        """Renewals to come within the next ``horizon`` periods of one who is there at ``age`` (whole periods)."""
        n = np.asarray(age, dtype=np.int64)
        there = self.survival(np.arange(int(n.max(initial=0)) + horizon + 2))
        later = np.cumsum(there[::-1])[::-1]  # from the end, where the terms are small
        now = there[n]
        return np.where(now > 0, (later[n + 1] - later[n + 1 + horizon]) / np.where(now > 0, now, 1), 0.0)

    def simulate(self, seen: NDArray[np.int64], rng: np.random.Generator) -> Tenures:
        """Tenures of new subscribers, each seen for so many periods."""
        left = rng.geometric(np.maximum(rng.beta(self.alpha, self.beta, size=len(seen)), 1e-15))
        gone = left <= seen
        return Tenures.of(np.where(gone, left, seen), gone, ~gone)
