"""Who stays away: a calibrated logistic regression, the models of repeat buying asked the same, and how right they were.

Labels and features come as arrays, one row per user in a fixed order; the same arrays and seed give the same numbers on
any number of threads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from userops.errors import InputError
from userops.models.customer_value import gains
from userops.models.histories import Histories
from userops.models.likelihood import Fit, Vector, added_up
from userops.models.repeat_buying import MODELS

FOLDS = 5
"""Parts of the users; what the calibration learns from was said of each part by a model of the others."""

BUYING = ("nbd", "bg-nbd", "mbg-nbd")
"""Models of repeat buying that are tried: the quick ones."""

DROPOUT_TELLS = 2.0
"""The gain in log-likelihood over NBD that the two further parameters of dropout must be worth (AIC)."""

SHUFFLES = 5
"""How often each driver is shuffled."""

CERTAIN = 1e-6
"""Probabilities stay this far from 0 and 1."""


@dataclass(frozen=True, slots=True)
class Logistic:
    """A logistic regression on standardised columns, and the line that calibrates its log-odds: ``slope``, ``offset``."""

    centre: Vector
    spread: Vector
    weight: Vector
    bias: float
    slope: float = 1.0
    offset: float = 0.0

    @classmethod
    def fit(cls, x: Vector, left: NDArray[np.bool_], seed: int) -> Logistic:
        """Of columns ``x`` and who ``left``: fitted to all, calibrated by what it says of users it has not seen (Platt)."""
        from threadpoolctl import threadpool_limits

        fold = np.random.default_rng(seed).permutation(len(left)) % FOLDS
        unseen = np.empty(len(left))
        with threadpool_limits(limits=1):  # sums in the same order on any machine
            for number in range(FOLDS):
                held = fold == number
                unseen[held] = cls._plain(x[~held], left[~held]).log_odds(x[held])
            line, plain = cls._plain(unseen[:, None], left), cls._plain(x, left)
        slope = float(line.weight[0] / line.spread[0])
        offset = line.bias - slope * float(line.centre[0])
        return cls(plain.centre, plain.spread, plain.weight, plain.bias, slope, offset)

    @classmethod
    def _plain(cls, x: Vector, left: NDArray[np.bool_]) -> Logistic:
        from sklearn.linear_model import LogisticRegression

        centre, spread = x.mean(axis=0), x.std(axis=0)
        spread = np.where(spread > 1e-12, spread, 1.0)
        fitted = LogisticRegression(max_iter=1000).fit((x - centre) / spread, left)
        return cls(centre, spread, fitted.coef_[0].astype(float), float(fitted.intercept_[0]))

    def log_odds(self, x: Vector) -> Vector:
        """The logarithm of the odds of leaving, row by row, not calibrated."""
        odds: Vector = ((x - self.centre) / self.spread * self.weight).sum(axis=1) + self.bias
        return odds

    def p(self, x: Vector) -> Vector:
        """The probability of leaving, row by row."""
        found: Vector = np.clip(expit(self.log_odds(x) * self.slope + self.offset), CERTAIN, 1 - CERTAIN)
        return found


@dataclass(frozen=True, slots=True)
class Buying:
    """A model of repeat buying: its ``name``, and whether it ``tells`` who has left from who only waits."""

    name: str
    fit: Fit[Any]
    tells: bool

    @classmethod
    def of(cls, h: Histories) -> Buying | None:
        """The best by AIC, dropout only where it shows; None where none can be fitted."""
        fits = {}
        for name in BUYING:
            try:
                fits[name] = MODELS[name].fit(h)
            except InputError:
                continue
        if not fits:
            return None
        plain = fits["nbd"].log_likelihood if "nbd" in fits else -np.inf
        telling = [n for n, f in fits.items() if n != "nbd" and f.log_likelihood - plain > DROPOUT_TELLS and not f.edge]
        name = max(telling, key=lambda n: fits[n].log_likelihood, default=next(iter(fits)))
        return cls(name, fits[name], name in telling)

    def p(self, h: Histories, horizon: float) -> Vector:
        """The probability of no order within ``horizon``, row by row."""
        found: Vector = np.clip(self.fit.model.pmf(0, horizon, h), CERTAIN, 1 - CERTAIN)
        return found

    def p_alive(self, h: Histories) -> Vector | None:
        """The probability of not having left yet; None where the data do not tell."""
        return self.fit.model.p_alive(h) if self.tells else None


class Score(NamedTuple):
    """How right probabilities were: area under the ROC curve, mean squared error, lift of the highest tenth."""

    auc: float | None
    brier: float
    lift: float | None


def score(p: Vector, left: NDArray[np.bool_]) -> Score:
    """Of probabilities beside what came. No area and no lift where all did the same. At least one user."""
    came = left.astype(float)
    area = auc(p, left)
    lift = None if area is None else 10 * gains(p, came, np.ones(len(p)))[0][0]
    return Score(area, float(((p - came) ** 2).mean()), lift)


def auc(p: Vector, left: NDArray[np.bool_]) -> float | None:
    """The chance that who left was given more than who stayed, equal ones counting half; None without one of each."""
    n, gone = len(left), int(left.sum())
    if gone in (0, n):
        return None
    _, place = np.unique(p, return_inverse=True)
    users, lost = np.bincount(place), np.bincount(place, left)
    stayed = users - lost
    below = np.cumsum(stayed) - stayed
    return float(added_up(lost.astype(float), below + stayed / 2) / (gone * (n - gone)))


def importance(
    model: Logistic, x: Vector, left: NDArray[np.bool_], drivers: Mapping[str, Sequence[int]], seed: int
) -> dict[str, tuple[float, float]]:
    """What area and squared error get worse by when the columns of one driver are shuffled together: (loss, loss).

    Means over a few shuffles. Breiman (2001), and for columns together scikit-learn's advice on correlated features.
    """
    rng = np.random.default_rng(seed)
    whole = score(model.p(x), left)
    found = {}
    for name, columns in drivers.items():
        lost = np.zeros(2)
        for _ in range(SHUFFLES):
            other = x.copy()
            other[:, list(columns)] = x[rng.permutation(len(x))][:, list(columns)]
            worse = score(model.p(other), left)
            lost += (whole.auc or 0.5) - (worse.auc or 0.5), worse.brier - whole.brier
        found[name] = float(lost[0] / SHUFFLES), float(lost[1] / SHUFFLES)
    return found
