"""What customers are worth: models of buying and of spending put together, with what they do not know.

A customer's value within the horizon is the sum of what the orders to come bring. With Gamma-Gamma spending that sum is
(v + what was spent before) times a number whose distribution depends on the history alone, so that all customers of one
history are drawn together, and the limits of each are its own factor times theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from userops.models.gamma_gamma import GammaGamma
from userops.models.histories import NEW, Histories, Index
from userops.models.likelihood import Fit, Vector, added_up, standard_normal
from userops.models.repeat_buying import RepeatBuying

SEED = 20_261
"""Of every draw here: the same data give the same limits."""

MODELS_DRAWN, FUTURES_DRAWN = 40, (6, 50)
"""Draws of the parameters; and futures drawn with each of them: as many as make ``DRAWN`` of all histories, within these."""

DRAWN = 1_000_000
"""Futures of all histories together, about."""

MOST_HISTORIES = 5_000
"""Histories that are drawn one by one; of more, neighbours are drawn together."""

LEAST = 1e-300
"""Probabilities below this count as this in logarithms."""


# --- what is expected -------------------------------------------------------------------------------------------------


def expected_orders(
    model: RepeatBuying, h: Histories, horizon: float, years: float, rate: float
) -> tuple[Vector, Vector]:
    """Orders within the horizon, as they are and discounted by ``rate`` a year (``years`` long), row by row.

    Discounted quarter by quarter (or finer), each at its middle.
    """
    steps = max(4, int(np.ceil(4 * years)))
    before, discounted = np.zeros(len(h)), np.zeros(len(h))
    for step in range(1, steps + 1):
        until = model.expected_orders(horizon * step / steps, h)
        discounted += (until - before) * (1 + rate) ** (-years * (step - 0.5) / steps)
        before = until
    return before, np.where(before > 0, discounted, 0.0)


def tracked(model: RepeatBuying, born: Vector, unit: float) -> Vector:
    """Repeat orders expected on each day, when ``born`` customers order for the first time on each (``unit`` days)."""
    until = [float(model.expected_orders(age / unit, NEW)[0]) for age in range(len(born))]
    expected: Vector = np.convolve(born, np.diff(until, prepend=0.0))[: len(born)]
    return expected


def log_likelihood(model: Any, h: Histories) -> float:
    """Of a model with rows of its own, over all histories."""
    return added_up(h.weight, model.rows(h)[0])


# --- how right it was -------------------------------------------------------------------------------------------------


class Score(NamedTuple):
    """How near predictions came: mean absolute and root mean square error; total error as a share; normalised Gini."""

    mae: float
    rmse: float
    total_error: float | None
    gini: float | None


def score(predicted: Vector, actual: Vector, weight: Vector) -> Score:
    """Of predictions that count ``weight`` times. No total error and no Gini where nothing happened."""
    off, n = predicted - actual, float(weight.sum())
    happened, best = added_up(weight, actual), _gain(actual, actual, weight)
    return Score(
        mae=added_up(weight, np.abs(off)) / n,
        rmse=float(np.sqrt(added_up(weight, off**2) / n)),
        total_error=added_up(weight, off) / happened if happened > 0 else None,
        gini=_gain(predicted, actual, weight) / best if happened > 0 and best > 1e-12 else None,
    )


def _gain(predicted: Vector, actual: Vector, weight: Vector) -> float:
    """The area between the gain curve and the diagonal, those with equal predictions in no order."""
    _, place = np.unique(-predicted, return_inverse=True)
    users, gained = np.bincount(place, weight), np.bincount(place, weight * actual)
    total = gained.sum()
    if total <= 0:
        return 0.0
    so_far = np.cumsum(gained) / total
    return float((users / users.sum() * (so_far - gained / total / 2)).sum() - 0.5)


def deviance(model: RepeatBuying, h: Histories, orders: Vector, horizon: float) -> float:
    """Minus twice the mean log-probability of what ``orders`` came: small where a model knew, whatever it knew."""
    total = 0.0
    for n in np.unique(orders):
        at = orders == n
        part = Histories.of(h.x[at], h.t_x[at], h.T[at], h.weight[at])
        total += added_up(part.weight, np.log(np.maximum(model.pmf(int(n), horizon, part), LEAST)))
    return -2 * total / float(h.weight.sum())


def by_decile(predicted: Vector, actual: Vector, weight: Vector) -> list[tuple[float, float]]:
    """Mean predicted and mean actual of each tenth of the customers, by prediction; equal predictions stay together."""
    values, place = np.unique(predicted, return_inverse=True)
    users, happened = np.bincount(place, weight), np.bincount(place, weight * actual)
    middle = (np.cumsum(users) - users / 2) / users.sum()
    tenth = np.minimum((middle * 10).astype(int), 9)
    n, sums, came = (np.bincount(tenth, part, minlength=10) for part in (users, users * values, happened))
    return [(float(s / k), float(c / k)) for k, s, c in zip(n, sums, came, strict=True) if k > 0]


def gains(predicted: Vector, actual: Vector, weight: Vector) -> list[tuple[float, float]]:
    """The share of what happened that the best tenth, two tenths ... by prediction brought; and by the true order.

    Those with equal predictions bring it evenly. Empty where nothing happened.
    """
    if added_up(weight, actual) <= 0:
        return []
    curves = []
    for order in (predicted, actual):
        _, place = np.unique(-order, return_inverse=True)
        users, gained = (np.concatenate([[0.0], added_by(place, part)]).cumsum() for part in (weight, weight * actual))
        curves.append(np.interp(np.linspace(0.1, 1, 10), users / users[-1], gained / gained[-1]))
    return [(float(a), float(b)) for a, b in zip(*curves, strict=True)]


def correlation(a: Vector, b: Vector) -> float | None:
    """Pearson's; None where one of them does not vary."""
    off_a, off_b = a - a.mean(), b - b.mean()
    spread = float(np.sqrt((off_a**2).sum() * (off_b**2).sum()))
    return float((off_a * off_b).sum() / spread) if spread > 1e-9 * len(a) else None


# --- what it may be ---------------------------------------------------------------------------------------------------


class Spent(NamedTuple):
    """What the customers of each history spent on their repeat days: the sum, and the sum of squares."""

    total: Vector
    squares: Vector


@dataclass(frozen=True)
class Range:
    """Limits of a total."""

    low: float
    high: float


@dataclass(frozen=True)
class Outlook:
    """What may come: limits of each history's factor of value, and of the totals of orders and value.

    A customer's own limits are those factors times v + what was spent on repeat days (times the flat value of an order,
    where spending has no model).
    """

    low: Vector
    high: Vector
    orders: Range
    value: Range


@dataclass(frozen=True)
class Future:
    """What is asked of the models: the horizon in their unit, in years, the discount a year, the share within limits.

    ``flat``: what an order is worth where no model of spending holds.
    """

    horizon: float
    years: float
    rate: float
    confidence: float
    flat: float


def outlook(
    fit: Fit[Any],
    spend: Fit[GammaGamma] | None,
    h: Histories,
    spent: Spent,
    future: Future,
    expected: tuple[float, float],
) -> Outlook:
    """Limits by drawing parameters, and with each of them futures; totals by the normal law around what is ``expected``.

    ``expected``: orders and value in all.
    """
    near, at = neighbours(h, MOST_HISTORIES)
    total, squares = added_by(at, spent.total), added_by(at, spent.squares)
    rng = np.random.default_rng(SEED)
    k = len(fit.parameters)
    normal = standard_normal(MODELS_DRAWN, k + (len(spend.parameters) if spend else 0), SEED + 1)
    models = fit.drawn(normal[:, :k])
    spends: Sequence[GammaGamma | None] = [None] * MODELS_DRAWN
    if spend is not None:
        usable = [s for s in spend.drawn(normal[:, k:]) if s.mean is not None] or [spend.model]
        spends = [usable[number % len(usable)] for number in range(MODELS_DRAWN)]
    best = None if spend is None else spend.model
    orders, discounted = expected_orders(fit.model, near, future.horizon, future.years, future.rate)
    worth_later = np.where(orders > 0, discounted / np.maximum(orders, LEAST), 1.0)
    futures = int(np.clip(DRAWN // (MODELS_DRAWN * max(1, len(near))), *FUTURES_DRAWN))
    factors = np.empty((len(near), MODELS_DRAWN * futures), dtype=np.float32)
    totals = np.empty((MODELS_DRAWN, 2))
    chance_orders = chance_factor = np.zeros(len(near))
    for number, (model, spending) in enumerate(zip(models, spends, strict=True)):
        mean = model.expected_orders(future.horizon, near)
        value = mean * worth_later * _value_of_orders(spending, near, total, future.flat)
        totals[number] = added_up(near.weight, mean), float(value.sum())
        came = np.stack([model.draw_orders(future.horizon, near, rng) for _ in range(futures)], axis=1)
        drawn = _factors(came, spending, best, near, total, rng) * worth_later[:, None]
        chance_orders = chance_orders + came.var(axis=1, ddof=1) / MODELS_DRAWN
        chance_factor = chance_factor + drawn.var(axis=1, ddof=1) / MODELS_DRAWN
        factors[:, number * futures : (number + 1) * futures] = drawn
    tail = (1 - future.confidence) / 2
    low, wide, one_sided = np.quantile(factors, [tail, 1 - tail, future.confidence], axis=1).astype(np.float64)
    high = np.where(low > 0, wide, one_sided)  # nothing is below nothing: what may be missed is all above
    scale = near.weight * future.flat**2
    if best is not None:
        scale = near.weight * best.v**2 + 2 * best.v * total + squares
    by_chance = added_up(near.weight, chance_orders), added_up(scale, chance_factor)
    reach = NormalDist().inv_cdf(1 - tail)
    ranges = [
        _around(middle, reach * float(np.sqrt(chance + _variance(totals[:, number]))))
        for number, (middle, chance) in enumerate(zip(expected, by_chance, strict=True))
    ]
    return Outlook(low[at], high[at], *ranges)


def expected_in_all(fit: Fit[Any], h: Histories, horizon: float) -> tuple[float, float]:
    """Orders of all customers within ``horizon``, and the standard deviation of what really comes around them."""
    near, _ = neighbours(h, MOST_HISTORIES)
    rng, chance, totals = np.random.default_rng(SEED), 0.0, []
    for model in fit.draws(MODELS_DRAWN, SEED + 1):
        totals.append(added_up(near.weight, model.expected_orders(horizon, near)))
        came = np.stack([model.draw_orders(horizon, near, rng) for _ in range(FUTURES_DRAWN[0])], axis=1)
        chance += added_up(near.weight, came.var(axis=1, ddof=1)) / MODELS_DRAWN
    expected = added_up(h.weight, fit.model.expected_orders(horizon, h))
    return expected, float(np.sqrt(chance + _variance(np.array(totals))))


def expected_of_new(fit: Fit[Any], ages: Vector, users: Vector) -> tuple[float, float]:
    """Repeat orders of customers seen from their first order for ``ages``, and the deviation of what really comes."""
    mean = np.array([float(fit.model.expected_orders(float(age), NEW)[0]) for age in ages])
    rng = np.random.default_rng(SEED)
    came = fit.model.simulate(np.repeat(ages, FUTURES_DRAWN[1]), rng).x.reshape(len(ages), -1)
    expected, typical = added_up(users, mean), added_up(users, ages) / float(users.sum())
    drawn = np.array([float(model.expected_orders(typical, NEW)[0]) for model in fit.draws(MODELS_DRAWN, SEED + 1)])
    doubt = np.sqrt(_variance(drawn)) / max(float(drawn.mean()), LEAST) * expected
    return expected, float(np.sqrt(added_up(users, came.var(axis=1, ddof=1)) + doubt**2))


def _variance(totals: Vector) -> float:
    """The variance of draws that are finite."""
    finite = totals[np.isfinite(totals)]
    return float(finite.var(ddof=1)) if len(finite) > 1 else 0.0


def _around(middle: float, reach: float) -> Range:
    return Range(max(0.0, middle - reach), middle + reach)


def _value_of_orders(spending: GammaGamma | None, h: Histories, total: Vector, flat: float) -> Vector:
    """What one more order of each of a history's customers is worth, of all of them together."""
    if spending is None:
        return h.weight * flat
    value: Vector = spending.p * (spending.v * h.weight + total) / (spending.p * h.x + spending.q - 1)
    return value


def _factors(
    orders: NDArray[np.int64], spending: GammaGamma | None, best: GammaGamma | None, h: Histories, total: Vector,
    rng: np.random.Generator,
) -> Vector:  # fmt: skip
    """Draws of value over (v + spent) of the ``best`` model, when the true one is ``spending``; or just the orders."""
    if spending is None or best is None:
        return orders.astype(float)
    spent = total / h.weight
    ours = ((spending.v + spent) / (best.v + spent))[:, None]
    shape = (spending.p * h.x + spending.q)[:, None]
    drawn = rng.gamma(np.maximum(spending.p * orders, 1e-9)) / np.maximum(rng.gamma(shape, size=orders.shape), LEAST)
    return np.where(orders > 0, drawn * ours, 0.0)


def neighbours(h: Histories, most: int) -> tuple[Histories, Index]:
    """At most about ``most`` histories, those that are alike put together as their mean, and which each row is in.

    Times are rounded more and more coarsely, and counts above 8 to eighths of a doubling.
    """
    if len(h) <= most:
        return h, np.arange(len(h))
    count = np.where(h.x <= 8, h.x, np.floor(8 * np.log2(np.maximum(h.x, 8) / 8)) + 9)
    doublings = int(np.log2(len(h) / most) / 2)  # each leaves a quarter of the cells at best
    width = max(float(h.T.max()), 1e-9) / 1024 * 2**doublings
    place = np.zeros(len(h), dtype=np.intp)
    for _ in range(11):
        key = (count * 4096 + np.floor(h.t_x / width)) * 4096 + np.floor(h.T / width)
        values, place = np.unique(key, return_inverse=True)
        if len(values) <= most:
            break
        width *= 1.5 if len(values) < 3 * most else 2
    weight = added_by(place, h.weight)
    x, t_x, age = (added_by(place, h.weight * column) / weight for column in (h.x, h.t_x, h.T))
    return Histories(x, t_x, age, weight), place


def added_by(place: Index, values: Vector) -> Vector:
    """The sum of the values at each place."""
    return np.bincount(place, values).astype(np.float64)
