"""Which model would have told the past best: each is fitted to what was known at earlier days, and asked for what came.

Of models that tell something about dropout the deviance of the orders that came decides, and among models as good as
each other the smaller error of the total. Baselines are tried beside them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import polars as pl

from userops import money, stats
from userops.lifetime_value.customers import Counted, at_end_of
from userops.lifetime_value.fitting import Groups, SavedModel, Spend, fitted, spending
from userops.models import customer_value
from userops.models.customer_value import Score
from userops.models.likelihood import Fit
from userops.models.repeat_buying import MODELS

AS_GOOD = 0.001
"""Models whose deviance is within this share of the best one's are as good; the smaller error of the total decides."""

DROPOUT_TELLS = 2.0
"""The gain in log-likelihood over the model without dropout that its two further parameters must be worth (AIC)."""

DRIFTED, BY_CHANCE = 0.1, 3.0
"""A saved model no longer fits when what came is off by more than this share, and by more than so many deviations."""

BASELINES = ("naive_rate", "naive_past")
"""Guesses that need no model: the customer's own rate goes on; as many orders, and as much, as so far."""


@dataclass(frozen=True, slots=True)
class Trial:
    """How one model, or a baseline, did from one origin: ``deviance``, tenths and gains (models only), orders, value."""

    model: str
    origin: int
    deviance: float | None
    orders: Score
    value: Score | None = None
    deciles: tuple[tuple[float, float], ...] = ()
    gains: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Backtest:
    """All trials, of ``users`` customers each."""

    trials: tuple[Trial, ...] = ()
    users: int = 0

    def __bool__(self) -> bool:
        return bool(self.trials)

    def of(self, name: str) -> list[Trial]:
        """Those of one model or baseline, the latest origin first."""
        return [trial for trial in self.trials if trial.model == name]

    def deviance(self, name: str) -> float | None:
        """Mean over the origins; None for baselines."""
        return _mean([trial.deviance for trial in self.of(name)])

    def scores(self, name: str, *, value: bool = False) -> Score | None:
        """Of orders or value, means over the origins; None where there is none."""
        found = [trial.value if value else trial.orders for trial in self.of(name)]
        scores = [score for score in found if score is not None]
        return Score(*(_mean(list(measures)) for measures in zip(*scores, strict=True))) if scores else None  # type: ignore[arg-type] # errors are known

    def too_low_by(self, name: str, *, value: bool) -> float | None:
        """What came over what a model had said, of orders or value, mean over the origins; None without a backtest."""
        found = [trial.value if value else trial.orders for trial in self.of(name)]
        errors = [score.total_error for score in found if score is not None and score.total_error is not None]
        return _mean([1 / (1 + error) for error in errors if error > -1])


def _mean(values: Sequence[float | None]) -> float | None:
    """Of those that are known."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def tried(found: Counted, unit: int, near: Mapping[str, Fit[Any]], spend: Spend) -> Backtest:
    """Models and baselines at every origin, on some of the customers. ``near``, ``spend``: as fitted to all that is known."""
    origins = range(len(found.origins))
    return Backtest(
        tuple(trial for number in origins for trial in _trials(found, unit, near, spend, number)), found.then.height
    )


def _trials(found: Counted, unit: int, near: Mapping[str, Fit[Any]], last: Spend, number: int) -> list[Trial]:
    """How each model and each baseline predicts what came after one origin."""
    origin, held = found.origins[number], found.held
    then = at_end_of(found.then, origin, f"_{number}").with_columns(held=f"held_{number}", worth=f"worth_{number}")
    if then.is_empty():
        return []
    fits, _ = fitted([*near], Groups.of(then, unit), near)
    grouped = Groups.of(then, unit, "held")
    h, actual = grouped.histories, grouped.rows["held"].cast(pl.Float64).to_numpy()
    told = []
    for name in BASELINES:
        past = pl.col("frequency").cast(pl.Float64)
        guess = grouped.rows.select(_gone_on(past, held) if name == "naive_rate" else past).to_series()
        value = _naive_value(name, then, held) if found.has_money else None
        told.append(Trial(name, origin, None, customer_value.score(guess.to_numpy(), actual, h.weight), value))
    spend = spending(then, last) if found.has_money else None
    for name, fit in fits.items():
        expected = fit.model.expected_orders(held / unit, h)
        value = None
        if spend is not None:
            keys = ["frequency", "recency_days", "age", "held"]
            of_group = grouped.rows.select(*keys, expected=pl.Series(expected))
            with_guess = then.join(of_group, on=keys, how="left", maintain_order="left")
            value = _value_score(with_guess.select(pl.col("expected") * spend.value_of_order).to_series(), then)
        told.append(
            Trial(
                name,
                origin,
                customer_value.deviance(fit.model, h, actual, held / unit),
                customer_value.score(expected, actual, h.weight),
                value,
                tuple(customer_value.by_decile(expected, actual, h.weight)),
                tuple(customer_value.gains(expected, actual, h.weight)),
            )
        )
    return told


def _gone_on(past: pl.Expr, days: int) -> pl.Expr:
    """What comes in so many days at the customer's own rate so far."""
    return pl.when(pl.col("age") > 0).then(past / pl.col("age") * float(days)).otherwise(0.0)


def _value_score(guess: pl.Series, then: pl.DataFrame) -> Score:
    actual = then.select(money.units(pl.col("worth"))).to_series()
    ones = pl.Series([1.0]).new_from_index(0, then.height)
    return customer_value.score(guess.to_numpy(), actual.to_numpy(), ones.to_numpy())


def _naive_value(name: str, then: pl.DataFrame, held: int) -> Score:
    """How well the past repeat spending, or its rate, tells what came."""
    past = money.units(pl.col("repeat"))
    guess = _gone_on(past, held) if name == "naive_rate" else past
    return _value_score(then.select(guess).to_series(), then)


class Choice(NamedTuple):
    """The model to go by, and why: it was ``asked`` for; ``no_dropout`` is told by the data; by ``backtest`` or ``aic``.

    ``deviance``, ``off``: of the backtest, with the error of the total; ``others``: as good by deviance.
    """

    name: str
    why: Literal["asked", "no_dropout", "backtest", "aic", "saved"]
    deviance: float = 0.0
    off: float = 0.0
    others: tuple[str, ...] = ()


def chosen(fits: Mapping[str, Fit[Any]], backtest: Backtest, asked: str) -> Choice:
    """The best of the fitted models; ``asked``: its name, or ``auto``."""
    if asked != "auto":
        return Choice(asked if asked in fits else next(iter(fits)), "asked")
    telling = [name for name in fits if name == "nbd" or tells_dropout(name, fits[name], fits.get("nbd"))] or [*fits]
    if telling == ["nbd"]:
        return Choice("nbd", "no_dropout")
    measured: dict[str, tuple[float, float]] = {}
    for name in telling:
        deviance, scores = backtest.deviance(name), backtest.scores(name)
        if deviance is not None and scores is not None:
            measured[name] = deviance, abs(scores.total_error or 0.0)
    if not measured:
        return Choice(max(telling, key=lambda name: fits[name].log_likelihood - len(fits[name].parameters)), "aic")
    best = min(deviance for deviance, _ in measured.values())
    as_good = [name for name, (deviance, _) in measured.items() if deviance <= best * (1 + AS_GOOD)]
    name = min(as_good, key=lambda name: (measured[name][1], name))
    return Choice(name, "backtest", *measured[name], tuple(other for other in as_good if other != name))


def gain(fit: Fit[Any], plain: Fit[Any]) -> float:
    """The log-likelihood over that of the model without dropout."""
    return fit.log_likelihood - plain.log_likelihood


def tells_dropout(name: str, fit: Fit[Any], plain: Fit[Any] | None) -> bool:
    """Whether a fit tells who has left: a model of dropout, no parameter at an edge, worth more than NBD (``plain``)."""
    if not MODELS[name].DROPOUT or fit.edge:
        return False
    return plain is None or gain(fit, plain) > DROPOUT_TELLS


class Came(NamedTuple):
    """Days with an order that came, and how many a model had said, with the standard deviation around that."""

    users: int
    orders: int
    expected: float
    deviation: float

    @property
    def off(self) -> float | None:
        """(came - expected) / expected."""
        return (self.orders - self.expected) / self.expected if self.expected > 0 else None

    @property
    def far(self) -> bool:
        """Whether that is more than chance and too much to bear."""
        return abs(self.orders - self.expected) > max(DRIFTED * self.expected, BY_CHANCE * self.deviation)


class Drift(NamedTuple):
    """What came since a saved model was fitted: of the customers it was fitted to, or some of them, and of newer ones."""

    days: int
    known: Came | None
    new: Came | None


def drift(found: Counted, saved: SavedModel, unit: int) -> Drift | None:
    """How a saved model did since it was fitted; None where no day has passed."""
    if not found.origins:
        return None
    (fitted_at,) = found.origins
    known = new = None
    then = at_end_of(found.then, fitted_at, "_0")
    if not then.is_empty():
        said = customer_value.expected_in_all(saved.fit, Groups.of(then, unit).histories, found.held / unit)
        known = Came(then.height, int(then["held_0"].sum()), *said)
    born = found.births.filter(pl.col("first") > fitted_at, pl.col("users") > 0)
    if not born.is_empty():
        came = found.users.filter(pl.col("first") > fitted_at)
        ages = born.select(stats.ratio(found.today - pl.col("first"), pl.lit(unit))).to_series()
        said = customer_value.expected_of_new(saved.fit, ages.to_numpy(), born["users"].cast(pl.Float64).to_numpy())
        new = Came(came.height, int(came["frequency"].cast(pl.Int64).sum()), *said)
    return Drift(found.held, known, new)
