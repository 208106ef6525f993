"""Maximum likelihood: the parameters that make the data most likely, how sure they are, and draws of what else they may be.

Every parameter of every model here is positive, so the search is for logarithms: no constraint can be broken, and
parameters of very different size are alike. A quasi-Newton search goes most of the way (L-BFGS-B with analytic
gradients), Newton steps the rest; the curvature at the end gives standard errors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache, cached_property
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from threadpoolctl import ThreadpoolController

from userops.errors import InputError

Vector = NDArray[np.float64]
Rows = tuple[Vector, Sequence[Vector]]
"""A log-likelihood of every row, and its derivative by every parameter."""

EDGE = 14.0
"""Logarithms of parameters are looked for within this of 0: parameters from a millionth to a million."""

LOOSE = 2.0
"""The widest standard deviation of a log-parameter in a draw, where the data hardly tell."""

SAME = 1e-4
"""Log-parameters this near to each other have the same curvature."""

STILL = 1e-11
"""The steepest slope at which steps towards the maximum may end."""

RENEWED = 3
"""How often the curvature is worked out anew on the way."""

FLAT = 1e-5
"""The steepest slope, by a log-parameter and per row, that a maximum may have."""

M = TypeVar("M")


def parameters_of(model: Any) -> dict[str, float]:
    """The parameters of a model by name."""
    return {each.name: float(getattr(model, each.name)) for each in fields(model)}


@dataclass(frozen=True)
class Fit(Generic[M]):
    """A model with the parameters that make the data most likely.

    ``converged``: whether the likelihood is flat there. ``edge``: parameters that ran to the edge of what was tried;
    the data then ask for a simpler model (one without that kind of difference between customers). ``weight``: how
    many rows were counted. ``bend`` works out the curvature, which is dear and not always asked for.
    """

    model: M
    log_likelihood: float
    converged: bool
    edge: tuple[str, ...]
    weight: float
    bend: Callable[[], Vector] = field(repr=False, compare=False)

    @cached_property
    def curvature(self) -> Vector:
        """Minus the second derivatives by the log-parameters."""
        return self.bend()

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
        return self.drawn(standard_normal(n, len(self.parameters), seed))

    def drawn(self, normal: Vector) -> list[M]:
        """The same for standard normal numbers, a row for each model."""
        values, directions = np.linalg.eigh(self.covariance)
        logs = np.log(list(self.parameters.values())) + normal * np.sqrt(values) @ directions.T
        kind = type(self.model)
        return [kind(*(float(v) for v in np.exp(row))) for row in np.clip(logs, -2 * EDGE, 2 * EDGE)]


def standard_normal(n: int, k: int, seed: int) -> Vector:
    """``n`` > ``k`` draws of ``k`` independent normal numbers, of mean 0, variance 1 and correlation 0 as they stand.

    So that what is made of few of them is as wide as it should be, and not wider or narrower by the luck of the seed.
    """
    normal = np.random.default_rng(seed).standard_normal((n, k))
    left, _, right = np.linalg.svd(normal - normal.mean(axis=0), full_matrices=False)
    even: Vector = left @ right * np.sqrt(n - 1)
    return even


def restored(
    kind: type[M],
    parameters: Mapping[str, float],
    *,
    log_likelihood: float,
    converged: bool,
    edge: Sequence[str],
    weight: float,
    curvature: Sequence[Sequence[float]],
) -> Fit[M]:
    """A fit as it was before it was saved; ValueError where the numbers are none of such a model."""
    names = [each.name for each in fields(kind)]  # type: ignore[arg-type] # models are dataclasses
    bent = np.asarray(curvature, dtype=float)
    numbers = [*parameters.values(), log_likelihood, weight]
    if sorted(parameters) != sorted(names) or not set(edge) <= set(names) or bent.shape != (len(names),) * 2:
        raise ValueError(f"no parameters of {kind.__name__}")
    if not (np.isfinite(numbers).all() and np.isfinite(bent).all() and min(*parameters.values(), weight) > 0):
        raise ValueError(f"numbers that no {kind.__name__} has")
    model = kind(**parameters)
    return Fit(model, log_likelihood, converged, tuple(edge), weight, lambda: (bent + bent.T) / 2)


def added_up(weight: Vector, value: Vector) -> float:
    """The weighted sum; unlike a dot product of BLAS the same on any number of threads (and quicker than a busy one)."""
    return float((weight * value).sum())


def maximise(
    kind: Callable[..., M],
    rows_of: Callable[[M], Rows],
    weight: Vector,
    *starts: Sequence[float],
    near: Fit[M] | None = None,
) -> Fit[M]:
    """The best ``kind`` of model for rows that count ``weight`` times.

    ``rows_of(model)``: the log-likelihood of every row and its derivatives by the parameters. ``starts``: parameters
    to begin with; a later one is tried only while none has led to a maximum. ``near``: a fit to similar rows, whose
    parameters are tried first. Raises InputError where none of them leads to a finite likelihood.
    """
    total = float(weight.sum())

    def mean_of(logs: Vector) -> tuple[float, Vector]:
        """Minus the mean log-likelihood, and its slope by the log-parameters."""
        parameters = np.exp(logs)
        value, slopes = rows_of(kind(*(float(p) for p in parameters)))
        slope = np.array([added_up(weight, by) for by in slopes]) * parameters
        return -added_up(weight, value) / total, -slope / total

    best = None
    if near is not None and not near.edge:
        best = _stepped(mean_of, np.log(list(near.parameters.values())), near.curvature / near.weight)
        starts = (list(near.parameters.values()), *starts)
    for start in starts if best is None else ():
        with _threads().limit(limits=1):  # more of them only wait for each other over matrices this small
            found = _searched(mean_of, np.log(np.asarray(start, dtype=float)))
        if np.isfinite(found.value) and (best is None or found.value < best.value):
            best = found
        if best is found and _is_flat(found.logs, found.slope):
            break
    if best is None:
        raise InputError.not_fitted(str(getattr(kind, "NAME", kind)), "no parameters make these data possible")
    logs = best.logs
    model = kind(*(float(p) for p in np.exp(logs)))
    names = tuple(parameters_of(model))
    edge = tuple(name for name, log in zip(names, logs, strict=True) if abs(log) > EDGE - 0.5)

    def bend() -> Vector:
        curvature: Vector = _curvature(mean_of, logs) if best.curvature is None else best.curvature
        return curvature * total

    return Fit(model, -best.value * total, _is_flat(logs, best.slope), edge, total, bend)


@cache
def _threads() -> ThreadpoolController:
    """The threads of the libraries below."""
    return ThreadpoolController()


class _Place(NamedTuple):
    """Where a search is: log-parameters, the value and slope there, and the curvature, where it is known."""

    logs: Vector
    value: float
    slope: Vector
    curvature: Vector | None = None


def _searched(mean_of: Callable[[Vector], tuple[float, Vector]], start: Vector) -> _Place:
    """Where a search from ``start`` ends."""
    bounds = [(-EDGE, EDGE)] * len(start)
    options = {"maxiter": 500, "ftol": 1e-14, "gtol": 1e-9, "maxcor": 20}
    logs: Vector = minimize(mean_of, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
    inside = bool((np.abs(logs) < EDGE).all())
    near = _stepped(mean_of, logs, _curvature(mean_of, logs)) if inside else None
    return near or _Place(logs, *mean_of(logs))


def _stepped(mean_of: Callable[[Vector], tuple[float, Vector]], logs: Vector, curvature: Vector) -> _Place | None:
    """Where Newton's steps lead, their curvature worked out anew where it is too far off; None where they lead nowhere."""
    here, steepest, known_at, renewed = _Place(logs, *mean_of(logs)), np.inf, logs, 0
    while np.isfinite(here.value):
        slope = float(np.abs(here.slope).max())
        slower = slope > steepest / 4
        if slope < STILL / 100 or (slower and slope < STILL):
            near = float(np.abs(here.logs - known_at).max()) < SAME
            return here._replace(curvature=curvature) if near and renewed else here
        if slower:
            if renewed == RENEWED:
                return None
            curvature, known_at, renewed = _curvature(mean_of, here.logs), here.logs, renewed + 1
        values, directions = np.linalg.eigh(curvature)
        if values[0] <= 1e-9 * values[-1]:
            return None  # as good as flat in some direction: a step would go anywhere
        steepest, nearer = slope, here.logs - directions @ ((directions.T @ here.slope) / values)
        if np.abs(nearer).max() >= EDGE or np.abs(nearer - here.logs).max() > 1:
            return None
        here = _Place(nearer, *mean_of(nearer))
    return None


def _is_flat(logs: Vector, slope: Vector) -> bool:
    """Whether the slope is nothing, but for one that pushes against an edge."""
    pushed = ((logs <= -EDGE) & (slope > 0)) | ((logs >= EDGE) & (slope < 0))
    return bool(np.abs(np.where(pushed, 0, slope)).max() < FLAT)


def _curvature(mean_of: Callable[[Vector], tuple[float, Vector]], logs: Vector, step: float = 1e-4) -> Vector:
    """The second derivatives, by central differences of the analytic slope; symmetric."""
    aside = np.eye(len(logs)) * step
    second: Vector = np.array([(mean_of(logs + by)[1] - mean_of(logs - by)[1]) / (2 * step) for by in aside])
    return (second + second.T) / 2
