"""Gamma-Gamma: what customers spend per order, around means of their own.

Colombo and Jiang (1999); Fader and Hardie (2013). The values of a customer's orders are Gamma(p, nu), the nu of customers
Gamma(q, v). Few orders tell little, so a customer's mean is drawn to that of all. Takes for granted that what is
spent per order has nothing to do with how often: check that first. Values must be above 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import digamma, gammaln

from userops.errors import InputError
from userops.models.histories import FEW, coded
from userops.models.likelihood import Fit, Rows, Vector, maximise


@dataclass(frozen=True)
class Spending:
    """Customers by ``x`` > 0 orders of ``mean`` > 0 value; ``weight`` of them did just that."""

    x: Vector
    mean: Vector
    weight: Vector

    @classmethod
    def of(cls, x: ArrayLike, mean: ArrayLike, weight: ArrayLike = 1.0) -> Spending:
        """From anything like arrays, of one length or single numbers."""
        columns = np.broadcast_arrays(*(np.asarray(c, dtype=float) for c in (x, mean, weight)))
        return cls(*(np.atleast_1d(c) for c in columns))

    @property
    def total(self) -> Vector:
        """What each spent in all."""
        return self.x * self.mean


UNKNOWN = Spending.of(0, 0)
"""One customer of whom nothing is known."""


@dataclass(frozen=True, slots=True)
class GammaGamma:
    """Values of orders Gamma(``p``, nu), nu Gamma(``q``, ``v``)."""

    NAME: ClassVar[str] = "Gamma-Gamma"

    p: float
    q: float
    v: float

    @classmethod
    def fit(cls, spending: Spending, near: Fit[GammaGamma] | None = None) -> Fit[GammaGamma]:
        """The most likely parameters; InputError where values are not above 0, or there are none."""
        if not len(spending.x):
            raise InputError.not_fitted(cls.NAME, "no customer has ordered again")
        if not (spending.mean.min() > 0 and spending.x.min() > 0):
            raise InputError.not_fitted(cls.NAME, "an order has no value above 0")
        step = len(spending.x) // FEW
        if near is None and step > 1:  # some of them, to begin with
            near = cls.fit(Spending(*(column[::step] for column in (spending.x, spending.mean, spending.weight))))
        mean = float(np.average(spending.mean, weights=spending.weight))
        counts, at_x = coded(spending.x)
        logs = np.log(spending.mean)

        def rows(model: GammaGamma) -> Rows:
            p, q, v = model.p, model.q, model.v
            shape = p * counts
            both = np.log(v + spending.total)
            value = (gammaln(shape + q) - gammaln(shape) - gammaln(q) + counts * p * np.log(counts))[at_x]
            value += q * np.log(v) + (shape[at_x] - 1) * logs - (shape[at_x] + q) * both
            psi = digamma(shape + q)
            by_p = (counts * (psi - digamma(shape) + np.log(counts)))[at_x] + spending.x * (logs - both)
            by_q = psi[at_x] - digamma(q) + np.log(v) - both
            return value, (by_p, by_q, q / v - (shape[at_x] + q) / (v + spending.total))

        starts = [(p, q, mean * (q - 1) / p) for p, q in ((4.0, 4.0), (1.0, 2.0))]
        return maximise(cls, rows, spending.weight, *starts, near=near)

    @property
    def mean(self) -> float | None:
        """The mean value of an order over all customers; None where it is infinite (``q`` <= 1): do not use the model."""
        return self.p * self.v / (self.q - 1) if self.q > 1 else None

    def expected_spend(self, spending: Spending = UNKNOWN) -> Vector:
        """The mean value of each customer's orders to come; infinite where p * x + q <= 1."""
        left = self.p * spending.x + self.q - 1
        expected: Vector = np.where(left > 0, self.p * (self.v + spending.total) / np.where(left > 0, left, 1), np.inf)
        return expected

    def draw_spend(self, orders: NDArray[np.int64], spending: Spending, rng: np.random.Generator) -> Vector:
        """What each customer spends on that many orders in all, one draw for each row."""
        nu = rng.gamma(self.p * spending.x + self.q) / (self.v + spending.total)
        spent = rng.gamma(np.maximum(self.p * orders, 1e-9)) / np.maximum(nu, 1e-300)
        return np.where(orders > 0, spent, 0.0)

    def simulate(self, x: NDArray[np.int64], rng: np.random.Generator) -> Spending:
        """Spending of customers with ``x`` > 0 orders each."""
        nu = rng.gamma(self.q, size=len(x)) / self.v
        return Spending.of(x, rng.gamma(self.p * x) / nu / x)
