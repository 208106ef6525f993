"""BG/NBD and MBG/NBD: customers order at rates of their own, and may leave for good after an order.

Fader, Hardie and Lee (2005): rates are Gamma(r, alpha), the chance to leave after a repeat order is Beta(a, b). In the
modified model of Batislam, Denizel and Filiztekin (2007) one may leave after the first order too, so that a
customer who never came back is not certain to be alive. With m for the chances to leave that were not taken (x, or
x + 1 in the modified model) both are the same formulas:

* likelihood = Gamma(r+x)/Gamma(r) alpha^r/(alpha+T)^(r+x) * B(a, b+m)/B(a, b) * (1 + odds), the odds being those of
  having left: a/(b+m-1) * ((alpha+T)/(alpha+t_x))^(r+x), 0 where m = 0.
* Given the history, and that the customer is still there, the rate is Gamma(r+x, alpha+T) and the chance Beta(a, b+m):
  expectation, probabilities and draws all follow from these two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaincinv, betaln, digamma, expit, hyp2f1

from userops.models.histories import NEW, Histories
from userops.models.likelihood import Fit, Rows, Vector, maximise
from userops.models.nbd import gamma_poisson, last_of, log_orders, require_repeats

_NEAR = 1e-5
"""Formulas that divide by nothing at one point are taken this far to both sides of it, and their mean."""


@dataclass(frozen=True, slots=True)
class BgNbd:
    """Rates Gamma(``r``, ``alpha``), chances to leave after a repeat order Beta(``a``, ``b``)."""

    NAME: ClassVar[str] = "BG/NBD"
    DROPOUT: ClassVar[bool] = True
    FIRST: ClassVar[int] = 0
    """Chances to leave before the first repeat order."""

    r: float
    alpha: float
    a: float
    b: float

    @classmethod
    def fit(cls, h: Histories, near: Fit[Self] | None = None) -> Fit[Self]:
        """The most likely parameters; InputError where nobody ordered again. ``near``: a fit to similar histories."""
        require_repeats(cls.NAME, h)
        if near is None and (few := h.few()) is not None:
            near = cls.fit(few)
        starts = [(r, r / h.rate, a, b) for r, a, b in ((0.5, 0.5, 2.0), (1.0, 0.1, 5.0), (0.2, 1.5, 1.0))]
        return maximise(cls, lambda model: model.rows(h), h.weight, *starts, near=near)

    def rows(self, h: Histories) -> Rows:
        """The log-likelihood of each history, and its derivatives by ``r, alpha, a, b``."""
        a, b, m = self.a, self.b, h.counts.values + self.FIRST
        at_x, (last, at_last), (ages, at_age) = h.counts.place, h.recencies, h.ages
        silent = self._log_silence(h)
        stayed, (by_r, by_alpha) = gamma_poisson(self.r, self.alpha, h)
        odds = self._log_odds(h)
        gone, n = expit(odds), self.r + h.x
        by_silent = (1 / (self.alpha + ages))[at_age] - (1 / (self.alpha + last))[at_last]
        either = digamma(a + b) - digamma(a + b + m)
        by_b = either + digamma(b + m) - digamma(b)
        to_leave = np.where(m > 0, b + m - 1, np.inf)
        return (
            stayed + (betaln(a, b + m) - betaln(a, b))[at_x] + np.logaddexp(0, odds),
            (
                by_r + gone * silent,
                by_alpha + gone * n * by_silent,
                either[at_x] + gone / a,
                by_b[at_x] - gone / to_leave[at_x],
            ),
        )

    def _log_odds(self, h: Histories) -> Vector:
        """The logarithm of the odds of having left; -inf without a chance to leave."""
        counts, at_x = h.counts
        m = counts + self.FIRST
        chance = np.full(len(m), -np.inf)
        chance[m > 0] = np.log(self.a / (self.b + m[m > 0] - 1))
        odds: Vector = chance[at_x] + (self.r + h.x) * self._log_silence(h)
        return odds

    def _log_silence(self, h: Histories) -> Vector:
        """The logarithm of (alpha + T) / (alpha + t_x): how long the customer has been silent."""
        (last, at_last), (ages, at_age) = h.recencies, h.ages
        silence: Vector = np.log(self.alpha + ages)[at_age] - np.log(self.alpha + last)[at_last]
        return silence

    def p_alive(self, h: Histories = NEW) -> Vector:
        """The probability of not having left yet, given the history."""
        alive: Vector = expit(-self._log_odds(h))
        return alive

    def expected_orders(self, horizon: float, h: Histories = NEW) -> Vector:
        """Orders to come within ``horizon``, given the history."""
        if abs(self.a - 1) < _NEAR:
            below, above = (self._of_series(horizon, h, 1 + side) for side in (-_NEAR, _NEAR))
            found = below + (above - below) * (self.a - 1 + _NEAR) / (2 * _NEAR)
        else:
            found = self._of_series(horizon, h, self.a)
        lost = ~np.isfinite(found)
        return self.p_alive(h) * np.where(lost, self._of_quantiles(horizon, h, lost), found)

    def _of_series(self, horizon: float, h: Histories, a: float) -> Vector:
        """The expectation of a customer who is alive, by Gauss's hypergeometric function.

        In Euler's form x stands in the denominator parameter alone, so that no count of orders is too large:
        (c / (a-1)) * (1 - (1-z)^(a-1) * 2F1(c - r - x, a - 1; c; z)), c = a + b + m - 1, z = t / (alpha + T + t).
        """
        c = a + self.b + h.x + self.FIRST - 1
        c = np.where(np.abs(c) < 1e-9, 1e-9, c)
        z = horizon / (self.alpha + h.T + horizon)
        series = hyp2f1(c - self.r - h.x, a - 1, c, z)
        with np.errstate(invalid="ignore"):  # nothing times infinity: left to the quantiles
            expected: Vector = c / (a - 1) * (1 - np.exp((a - 1) * np.log1p(-z)) * series)
        return expected

    def _of_quantiles(self, horizon: float, h: Histories, where: NDArray[np.bool_]) -> Vector:
        """The same, ``where`` it is asked for, as the mean over chances p to leave: (1 - (1 + p t / (alpha + T))^-(r + x)) / p.

        For parameters so large that the series is lost in overflow; right to four digits and more.
        """
        mean = np.zeros(len(h))
        if not where.any():
            return mean
        n, age, b = (column[where] for column in (self.r + h.x, self.alpha + h.T, self.b + h.x + self.FIRST))
        nodes, weights = np.polynomial.legendre.leggauss(48)
        for v, weight in zip((1 + nodes) / 2, weights / 2, strict=True):
            p = np.maximum(betaincinv(self.a, b, v * v * (3 - 2 * v)), 1e-15)  # quantiles, closer at both ends
            mean[where] -= weight * 6 * v * (1 - v) * np.expm1(-n * np.log1p(p * horizon / age)) / p
        return mean

    def pmf(self, n: int, horizon: float, h: Histories = NEW) -> Vector:
        """The probability of just ``n`` orders within ``horizon``, given the history."""
        alive, m = self.p_alive(h), h.x + self.FIRST
        r, alpha, b = self.r + h.x, self.alpha + h.T, self.b + m
        before = betaln(self.a, b)
        found: Vector = np.exp(betaln(self.a, b + n) - before + log_orders(n, r, alpha, horizon))
        if n > 0:  # or the last of them was the last of all
            found += np.exp(betaln(self.a + 1, b + n - 1) - before) * betainc(n, r, horizon / (alpha + horizon))
        return alive * found + (0 if n else 1 - alive)

    def draw_orders(self, horizon: float, h: Histories, rng: np.random.Generator) -> NDArray[np.int64]:
        """Orders within ``horizon``, one draw for each row of ``h``."""
        rate = rng.gamma(self.r + h.x) / (self.alpha + h.T)
        until = _orders_until_leaving(rng.beta(self.a, self.b + h.x + self.FIRST), rng)
        alive = rng.random(len(h)) < self.p_alive(h)
        return np.where(alive, np.minimum(rng.poisson(rate * horizon), until), 0)

    def simulate(self, ages: Vector, rng: np.random.Generator) -> Histories:
        """Histories of new customers, each seen for its age."""
        n = rng.poisson(rng.gamma(self.r, size=len(ages)) / self.alpha * ages)
        until = _orders_until_leaving(rng.beta(self.a, self.b, size=len(ages)), rng) - self.FIRST
        x = np.minimum(n, until)
        return Histories.of(x, last_of(x, n, ages, rng), ages)


@dataclass(frozen=True, slots=True)
class MbgNbd(BgNbd):
    """Rates Gamma(``r``, ``alpha``), chances to leave after any order, the first too, Beta(``a``, ``b``)."""

    NAME: ClassVar[str] = "MBG/NBD"
    FIRST: ClassVar[int] = 1


def _orders_until_leaving(chance: Vector, rng: np.random.Generator) -> NDArray[np.int64]:
    """Orders up to the one after which the customer leaves, that one included."""
    return rng.geometric(np.maximum(chance, 1e-15))
