"""Maximum likelihood: the parameters that make the data most likely, how sure they are, and draws of what else they may be.

Every parameter of every model here is positive, so the search is for logarithms: no constraint can be broken, and
parameters of very different size are alike. A quasi-Newton search goes most of the way (L-BFGS-B with analytic
gradients), Newton steps the rest; the curvature at the end gives standard errors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from userops.errors import InputError

Vector = NDArray[np.float64]
Rows = tuple[Vector, Sequence[Vector]]
"""A log-likelihood of every row, and its derivative by every parameter."""

EDGE = 14.0
"""Logarithms of parameters are looked for within this of 0: parameters from a millionth to a million."""

LOOSE = 2.0
"""The widest standard deviation of a log-parameter in a draw, where the data hardly tell."""

FLAT = 1e-5
"""The steepest slope, by a log-parameter and per row, that a maximum may have."""

M = TypeVar("M")


def parameters_of(model: Any) -> dict[str, float]:
    """The parameters of a model by name."""
    return {field.name: float(getattr(model, field.name)) for field in fields(model)}


@dataclass(frozen=True)
class Fit(Generic[M]):
    """A model with the parameters that make the data most likely.

    ``converged``: whether the likelihood is flat there. ``edge``: parameters that ran to the edge of what was tried;
    the data then ask for a simpler model (one without that kind of difference between customers). ``weight``: how
    many rows were counted. ``curvature``: minus the second derivatives by the log-parameters.
    """

    model: M
    log_likelihood: float
    converged: bool
    edge: tuple[str, ...]
    weight: float
    curvature: Vector

    @property
    def parameters(self) -> dict[str, float]:
        """The parameters by name."""
        return parameters_of(self.model)

    @cached_property
    def covariance(self) -> Vector:
        """Of the log-parameters; directions of which the data tell next to nothing are as wide as ``LOOSE``."""
        values, directions = np.linalg.eigh(self.curvature)
        spread: Vector = (directions / np.maximum(values, LOOSE**-2)) @ directions.T
        return spread

    @property
    def identified(self) -> bool:
        """Whether the data tell every parameter: none at an edge, no direction of them as good as flat."""
        return self.converged and not self.edge and bool(np.linalg.eigvalsh(self.curvature)[0] > LOOSE**-2)

    @property
    def standard_errors(self) -> dict[str, float]:
        """Of the parameters themselves; to be believed where they are ``identified``."""
        errors = np.sqrt(np.diag(self.covariance))
        return {name: value * float(e) for (name, value), e in zip(self.parameters.items(), errors, strict=True)}

    def draws(self, n: int, seed: int) -> list[M]:
        """``n`` models whose parameters are as likely as their distance from the best ones makes them.

        Normal in the logarithms: what a posterior with flat priors looks like when there are many rows.
        """
        values, directions = np.linalg.eigh(self.covariance)
        normal = np.random.default_rng(seed).standard_normal((n, len(values)))
        logs = np.log(list(self.parameters.values())) + normal * np.sqrt(values) @ directions.T
        kind = type(self.model)
        return [kind(*(float(v) for v in np.exp(row))) for row in np.clip(logs, -2 * EDGE, 2 * EDGE)]


def added_up(weight: Vector, value: Vector) -> float:
    """The weighted sum; unlike a dot product of BLAS the same on any number of threads (and quicker than a busy one)."""
    return float((weight * value).sum())


def maximise(kind: Callable[..., M], rows_of: Callable[[M], Rows], weight: Vector, *starts: Sequence[float]) -> Fit[M]:
    """The best ``kind`` of model for rows that count ``weight`` times.

    ``rows_of(model)``: the log-likelihood of every row and its derivatives by the parameters. ``starts``: parameters
    to begin with; a later one is tried only while none has led to a maximum. Raises InputError where none of them
    leads to a finite likelihood.
    """
    total = float(weight.sum())

    def mean_of(logs: Vector) -> tuple[float, Vector]:
        """Minus the mean log-likelihood, and its slope by the log-parameters."""
        parameters = np.exp(logs)
        value, slopes = rows_of(kind(*(float(p) for p in parameters)))
        slope = np.array([added_up(weight, by) for by in slopes]) * parameters
        return -added_up(weight, value) / total, -slope / total

    best: tuple[float, Vector] | None = None
    for start in starts:
        logs = _searched(mean_of, np.log(np.asarray(start, dtype=float)))
        value, slope = mean_of(logs)
        if np.isfinite(value) and (best is None or value < best[0]):
            best = value, logs
        if best is not None and best[1] is logs and _is_flat(logs, slope):
            break
    if best is None:
        raise InputError.not_fitted(str(getattr(kind, "NAME", kind)), "no parameters make these data possible")
    value, logs = best
    _, slope = mean_of(logs)
    model = kind(*(float(p) for p in np.exp(logs)))
    names = tuple(parameters_of(model))
    edge = tuple(name for name, log in zip(names, logs, strict=True) if abs(log) > EDGE - 0.5)
    return Fit(model, -value * total, _is_flat(logs, slope), edge, total, _curvature(mean_of, logs) * total)


def _searched(mean_of: Callable[[Vector], tuple[float, Vector]], start: Vector) -> Vector:
    """The log-parameters a search from ``start`` ends at."""
    bounds = [(-EDGE, EDGE)] * len(start)
    options = {"maxiter": 500, "ftol": 1e-14, "gtol": 1e-9, "maxcor": 20}
    logs: Vector = minimize(mean_of, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
    for _ in range(4):
        value, slope = mean_of(logs)
        free = np.abs(logs) < EDGE
        if not free.any() or np.abs(slope[free]).max() < 1e-13:
            break
        values, directions = np.linalg.eigh(_curvature(mean_of, logs)[np.ix_(free, free)])
        if values[0] <= 1e-9 * values[-1]:
            break  # as good as flat in some direction: a Newton step would go anywhere
        step = np.zeros_like(logs)
        step[free] = -directions @ ((directions.T @ slope[free]) / values)
        nearer = np.clip(logs + step, -EDGE, EDGE)
        if np.abs(step).max() > 1 or mean_of(nearer)[0] > value + 1e-15 * abs(value):
            break
        logs = nearer
    return logs


def _is_flat(logs: Vector, slope: Vector) -> bool:
    """Whether the slope is nothing, but for one that pushes against an edge."""
    pushed = ((logs <= -EDGE) & (slope > 0)) | ((logs >= EDGE) & (slope < 0))
    return bool(np.abs(np.where(pushed, 0, slope)).max() < FLAT)


def _curvature(mean_of: Callable[[Vector], tuple[float, Vector]], logs: Vector, step: float = 1e-4) -> Vector:
    """The second derivatives, by central differences of the analytic slope; symmetric."""
    aside = np.eye(len(logs)) * step
    second: Vector = np.array([(mean_of(logs + by)[1] - mean_of(logs - by)[1]) / (2 * step) for by in aside])
    return (second + second.T) / 2
