"""NBD: customers order at rates of their own, and never leave.

Ehrenberg (1959). Rates are Gamma(r, alpha) distributed, orders Poisson. The simplest model of repeat buying, nested in
the others, and the honest one where the data do not tell who has left: P(alive) is 1 by assumption, not by finding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, gammaln, xlogy

from userops.errors import InputError
from userops.models.histories import NEW, Histories
from userops.models.likelihood import Fit, Rows, Vector, maximise


@dataclass(frozen=True, slots=True)
class Nbd:
    """Rates of ordering Gamma(``r``, ``alpha``): mean r / alpha orders per unit of time."""

    NAME: ClassVar[str] = "NBD"
    DROPOUT: ClassVar[bool] = False

    r: float
    alpha: float

    @classmethod
    def fit(cls, h: Histories, near: Fit[Nbd] | None = None) -> Fit[Nbd]:
        """The most likely parameters; InputError where nobody ordered again. ``near``: a fit to similar histories."""
        require_repeats(cls.NAME, h)
        whole = h.without_recency()
        return maximise(cls, lambda model: model.rows(whole), whole.weight, (0.5, 0.5 / h.rate), near=near)

    def rows(self, h: Histories) -> Rows:
        """The log-likelihood of each history, and its derivatives by ``r, alpha``."""
        return gamma_poisson(self.r, self.alpha, h)

    def p_alive(self, h: Histories = NEW) -> Vector:
        """1: nobody leaves in this model."""
        return np.ones(len(h))

    def expected_orders(self, horizon: float, h: Histories = NEW) -> Vector:
        """Orders to come within ``horizon``, given the history."""
        expected: Vector = (self.r + h.x) / (self.alpha + h.T) * horizon
        return expected

    def pmf(self, n: int, horizon: float, h: Histories = NEW) -> Vector:
        """The probability of just ``n`` orders within ``horizon``, given the history."""
        return np.exp(log_orders(n, self.r + h.x, self.alpha + h.T, horizon))

    def draw_orders(self, horizon: float, h: Histories, rng: np.random.Generator) -> NDArray[np.int64]:
        """Orders within ``horizon``, one draw for each row of ``h``."""
        return rng.poisson(rng.gamma(self.r + h.x) / (self.alpha + h.T) * horizon)

    def simulate(self, ages: Vector, rng: np.random.Generator) -> Histories:
        """Histories of new customers, each seen for its age."""
        n = rng.poisson(rng.gamma(self.r, size=len(ages)) / self.alpha * ages)
        return Histories.of(n, last_of(n, n, ages, rng), ages)


def require_repeats(name: str, h: Histories) -> None:
    """InputError where nobody ordered again, or no time has passed: there is nothing to learn a rate from."""
    if not (h.weight * h.T).any():
        raise InputError.not_fitted(name, "no time has passed since the first orders")
    if not (h.weight * h.x).any():
        raise InputError.not_fitted(name, "no customer has ordered again")


def gamma_poisson(r: float, alpha: float, h: Histories) -> Rows:
    """Log of Gamma(r + x) / Gamma(r) * alpha^r / (alpha + T)^(r + x), of each row, and its derivatives by r, alpha.

    What every model here says of a customer who was there all the time.
    """
    counts, at_x = h.counts
    ages, at_t = h.ages
    log_age, inverse_age = np.log(alpha + ages)[at_t], (1 / (alpha + ages))[at_t]
    value = (gammaln(r + counts) - gammaln(r))[at_x] + r * np.log(alpha) - (r + h.x) * log_age
    by_r = (digamma(r + counts) - digamma(r))[at_x] + np.log(alpha) - log_age
    return value, (by_r, r / alpha - (r + h.x) * inverse_age)


def log_orders(n: int, r: Vector, alpha: Vector, t: float | Vector) -> Vector:
    """The log-probability of ``n`` orders in ``t`` at rates Gamma(``r``, ``alpha``): negative binomial."""
    log: Vector = gammaln(r + n) - gammaln(r) - gammaln(n + 1) - r * np.log1p(t / alpha) + xlogy(n, t / (alpha + t))
    return log


def last_of(nth: NDArray[np.int64], n: NDArray[np.int64], age: Vector, rng: np.random.Generator) -> Vector:
    """When the ``nth`` of ``n`` orders spread evenly over ``age`` happened; 0 where ``nth`` is 0."""
    when = rng.beta(np.maximum(nth, 1), np.maximum(n - nth + 1, 1))
    return np.where(nth > 0, when * age, 0.0)
