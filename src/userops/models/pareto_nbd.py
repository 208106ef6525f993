"""Pareto/NBD: customers order at rates of their own, and leave for good at a moment of their own.

Schmittlein, Morrison and Colombo (1987): rates are Gamma(r, alpha), rates of leaving Gamma(s, beta). The likelihood is
that of a customer who is still there, plus that of one who left at u after the last order:

    Gamma(r+x)/Gamma(r) alpha^r beta^s * { (alpha+T)^-(r+x) (beta+T)^-s  +  s * Int_tx^T (alpha+u)^-(r+x) (beta+u)^-(s+1) du }

The integral is summed directly (Gauss-Legendre in log(u + the smaller of alpha and beta), where it is smooth): its
terms are positive, so nothing cancels or overflows as in the hypergeometric functions of the textbook form, and the
derivatives are means over the same terms.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from userops.models.histories import NEW, Histories
from userops.models.likelihood import Fit, Rows, Vector, maximise
from userops.models.nbd import gamma_poisson, last_of, log_orders, require_repeats

NODES = 24
"""Terms of the sum: agrees with adaptive quadrature to twelve digits on histories of all kinds."""

_NOTHING = 40.0
"""Where the integrand has fallen by a factor of exp(this), the rest of it is left out."""

_TOGETHER = 4_000
"""Histories summed at once, so that memory stays small and near."""


class _Left(NamedTuple):
    """Of having left: the log of the odds; and the means of log and inverse of alpha + u and of beta + u."""

    log_odds: Vector
    log_alpha: Vector
    inverse_alpha: Vector
    log_beta: Vector
    inverse_beta: Vector


@dataclass(frozen=True, slots=True)
class ParetoNbd:
    """Rates of ordering Gamma(``r``, ``alpha``), rates of leaving Gamma(``s``, ``beta``)."""

    NAME: ClassVar[str] = "Pareto/NBD"
    DROPOUT: ClassVar[bool] = True

    r: float
    alpha: float
    s: float
    beta: float

    @classmethod
    def fit(cls, h: Histories, near: Fit[ParetoNbd] | None = None) -> Fit[ParetoNbd]:
        """The most likely parameters; InputError where nobody ordered again. ``near``: a fit to similar histories."""
        require_repeats(cls.NAME, h)
        if near is None and (few := h.few()) is not None:
            near = cls.fit(few)
        age = h.mean_age
        starts = [(0.7, 0.7 / h.rate / 2, 0.7, age / 2), (0.5, 0.5 / h.rate, 0.2, age), (1.0, 1 / h.rate, 1.0, 3 * age)]
        return maximise(cls, lambda model: model.rows(h), h.weight, *starts, near=near)

    def rows(self, h: Histories) -> Rows:
        """The log-likelihood of each history, and its derivatives by ``r, alpha, s, beta``."""
        left, n = self._left(h), self.r + h.x
        gone = expit(left.log_odds)
        stayed, (by_r, by_alpha) = gamma_poisson(self.r, self.alpha, h)
        alpha, beta = self.alpha + h.T, self.beta + h.T
        log_beta = np.log(beta)
        never_left = self.s * (np.log(self.beta) - log_beta)
        return (
            stayed + never_left + np.logaddexp(0, left.log_odds),
            (
                by_r + gone * (np.log(alpha) - left.log_alpha),
                by_alpha + gone * n * (1 / alpha - left.inverse_alpha),
                np.log(self.beta) - log_beta + gone * (1 / self.s + log_beta - left.log_beta),
                self.s / self.beta - self.s / beta + gone * (self.s / beta - (self.s + 1) * left.inverse_beta),
            ),
        )

    def p_alive(self, h: Histories = NEW) -> Vector:
        """The probability of not having left yet, given the history."""
        alive: Vector = expit(-self._left(h).log_odds)
        return alive

    def expected_orders(self, horizon: float, h: Histories = NEW) -> Vector:
        """Orders to come within ``horizon``, given the history."""
        age = self.beta + h.T
        longer = np.log1p(horizon / age)
        shape = self.s - 1
        # mean time until leaving or the horizon; (1 - e^(-shape * longer)) / shape, whose limit at shape 0 is longer
        time = age * (longer if abs(shape) < 1e-12 else -np.expm1(-shape * longer) / shape)
        expected: Vector = (self.r + h.x) / (self.alpha + h.T) * time * self.p_alive(h)
        return expected

    def pmf(self, n: int, horizon: float, h: Histories = NEW) -> Vector:
        """The probability of just ``n`` orders within ``horizon``, given the history."""
        alive = self.p_alive(h)
        r, alpha, beta = self.r + h.x, self.alpha + h.T, self.beta + h.T
        longer = np.log1p(horizon / beta)
        found: Vector = np.exp(log_orders(n, r, alpha, horizon) - self.s * longer)
        nodes, weights = np.polynomial.legendre.leggauss(2 * NODES)
        for node, weight in zip((1 + nodes) / 2, weights / 2, strict=True):  # left at u within the horizon
            u = beta * np.expm1(node * longer)
            found += weight * longer * self.s * np.exp(log_orders(n, r, alpha, u) - self.s * node * longer)
        return alive * found + (0 if n else 1 - alive)

    def draw_orders(self, horizon: float, h: Histories, rng: np.random.Generator) -> NDArray[np.int64]:
        """Orders within ``horizon``, one draw for each row of ``h``."""
        rate = rng.gamma(self.r + h.x) / (self.alpha + h.T)
        there = np.minimum(horizon, _until_leaving(self.s, self.beta + h.T, rng))
        alive = rng.random(len(h)) < self.p_alive(h)
        return np.where(alive, rng.poisson(rate * there), 0)

    def simulate(self, ages: Vector, rng: np.random.Generator) -> Histories:
        """Histories of new customers, each seen for its age."""
        there = np.minimum(ages, _until_leaving(self.s, np.full(len(ages), self.beta), rng))
        n = rng.poisson(rng.gamma(self.r, size=len(ages)) / self.alpha * there)
        return Histories.of(n, last_of(n, n, there, rng), ages)

    # --- the integral -------------------------------------------------------------------------------------------------

    def _left(self, h: Histories) -> _Left:
        parts = list(self._summed(h))
        return _Left(*(np.concatenate(columns) for columns in zip(*parts, strict=True))) if parts else _Left(*[h.x] * 5)

    def _summed(self, h: Histories) -> Iterator[_Left]:
        """Part after part of the histories. With low the smaller of alpha and beta, y = log(low + u), du = (low + u) dy."""
        nodes, weights = np.polynomial.legendre.leggauss(NODES)
        node, weight = (1 + nodes) / 2, weights / 2
        alpha, s, beta = self.alpha, self.s, self.beta
        low, apart = min(alpha, beta), abs(alpha - beta)
        for start in range(0, len(h), _TOGETHER):
            part = h.part(slice(start, start + _TOGETHER))
            n = self.r + part.x
            of_low, of_high = (n - 1, s + 1) if alpha <= beta else (s, n)
            # the integrand is exp(-of_low * y - of_high * log(exp(y) + apart)), and falls fastest at the end
            begin, end = np.log(low + part.t_x), np.log(low + part.T)
            falls = of_low + of_high * (low + part.t_x) / (low + apart + part.t_x)
            length = np.minimum(end - begin, _NOTHING / np.maximum(falls, 1e-9))
            y = begin[:, None] + length[:, None] * node
            lower = np.exp(y)
            higher = lower + apart
            log_higher = np.log(higher)
            log = -_column(of_low) * y - _column(of_high) * log_higher
            top = log.max(axis=1)
            term = np.exp(log - top[:, None]) * weight
            total = term.sum(axis=1)
            with np.errstate(divide="ignore"):  # nobody left in no time: the log of nothing is -inf
                left = np.log(s * length * total) + top
            term /= total[:, None]
            stayed = -n * np.log(alpha + part.T) - s * np.log(beta + part.T)
            of = [np.einsum("ij,ij->i", term, part) for part in (y, 1 / lower, log_higher, 1 / higher)]
            yield _Left(left - stayed, *(of if alpha <= beta else of[2:] + of[:2]))


def _column(power: float | Vector) -> float | Vector:
    """A power of each row, to be taken of all its terms."""
    return power[:, None] if isinstance(power, np.ndarray) else power


def _until_leaving(s: float, beta: Vector, rng: np.random.Generator) -> Vector:
    """How long until customers leave, who do so at rates Gamma(``s``, ``beta``)."""
    time: Vector = beta * np.minimum(rng.pareto(s, size=len(beta)), 1e15)
    return time
