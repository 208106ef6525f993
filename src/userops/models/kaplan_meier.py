"""Kaplan-Meier: the share still there at every age, told without any model; and whether groups differ.

Kaplan and Meier (1958), with Greenwood's variance on the scale log(-log S) (Kalbfleisch and Prentice 1980), so
that no limit leaves 0 to 1. The log-rank test is Mantel's (1966), for any number of groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import chdtrc, ndtri

from userops.models.likelihood import Vector


@dataclass(frozen=True)
class Curve:
    """Survival at ascending times: ``at_risk`` just before, ``churned`` at that time, share still there after it.

    The limits are nan before anybody has left and once nobody is left.
    """

    time: Vector
    at_risk: Vector
    churned: Vector
    survival: Vector
    ci_low: Vector
    ci_high: Vector

    @property
    def median(self) -> float | None:
        """The first time at which at most half are still there; None: not seen yet."""
        below = self.time[self.survival <= 0.5]
        return float(below[0]) if len(below) else None


def curve(time: Vector, churned: Vector, censored: Vector, confidence: float = 0.95) -> Curve:
    """The curve of those who left and those who were seen no further at each (distinct, ascending) ``time``.

    Who is censored at a time was there through it. ``churned`` and ``censored`` count people, or their weights.
    """
    at_risk = np.cumsum((churned + censored)[::-1])[::-1]
    stayed = at_risk - churned
    with np.errstate(divide="ignore", invalid="ignore"):
        survival = np.cumprod(np.where(at_risk > 0, stayed / at_risk, 1), dtype=np.float64)
        greenwood = np.cumsum(np.where(churned > 0, churned / (at_risk * stayed), 0))
        log = np.log(survival)
        half = ndtri((1 + confidence) / 2) * np.sqrt(greenwood) / np.abs(log)
        low, high = np.exp(log * np.exp(half)), np.exp(log * np.exp(-half))
    known = (survival > 0) & (survival < 1)
    return Curve(time, at_risk, churned, survival, np.where(known, low, np.nan), np.where(known, high, np.nan))


class LogRank(NamedTuple):
    """A log-rank test: chi-squared with ``df`` degrees of freedom, and how likely one as large is by chance."""

    statistic: float
    df: int
    p_value: float


def log_rank(at_risk: Sequence[Vector], churned: Sequence[Vector]) -> LogRank | None:
    """Whether groups leave at the same rate at every age: ``at_risk`` and ``churned`` of each at the same times.

    None where nothing can be said: fewer than two groups were ever there together when somebody left.
    """
    risk, gone = np.array(at_risk, dtype=float), np.array(churned, dtype=float)
    n, d = risk.sum(axis=0), gone.sum(axis=0)
    told = (d > 0) & (n > 1) & ((risk > 0).sum(axis=0) > 1)
    share, d, n, gone = risk[:, told] / n[told], d[told], n[told], gone[:, told]
    surplus = (gone - share * d).sum(axis=1)
    spread = d * (n - d) / (n - 1)
    covariance = np.diag((share * spread).sum(axis=1)) - (share * spread) @ share.T
    df = int(np.linalg.matrix_rank(covariance))
    if df == 0:
        return None
    statistic = float(surplus @ np.linalg.pinv(covariance, hermitian=True) @ surplus)
    return LogRank(statistic, df, float(chdtrc(df, statistic)))
