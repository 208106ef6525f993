"""Models of repeat buying and spending, given customers as they were at the end of some day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from userops import money, stats
from userops.errors import InputError
from userops.lifetime_value.customers import Unit
from userops.models import customer_value
from userops.models.customer_value import Spent
from userops.models.gamma_gamma import GammaGamma, Spending
from userops.models.histories import Histories
from userops.models.likelihood import Fit
from userops.models.repeat_buying import MODELS
from userops.results import Text


@dataclass(frozen=True, slots=True)
class Groups:
    """Customers with the same history as one row: ``frequency, recency_days, age`` and what they count and spent."""

    rows: pl.DataFrame
    histories: Histories
    spent: Spent

    @classmethod
    def of(cls, users: pl.DataFrame, unit: int, *further: str) -> Groups:
        """From ``frequency, recency_days, age, repeat``; parted by ``further`` columns too."""
        keys = ("frequency", "recency_days", "age", *further)
        repeat = pl.col("repeat").clip(0)
        rows = (
            users.lazy()
            .group_by(keys)
            .agg(users=pl.len().cast(pl.Int64), repeat=repeat.sum(), squares=(repeat.cast(pl.Int128) ** 2).sum())
            .sort(keys)
            .collect()
        )
        columns = rows.select(
            pl.col("frequency", "users").cast(pl.Float64),
            t_x=stats.ratio(pl.col("recency_days"), pl.lit(unit)),
            age=stats.ratio(pl.col("age"), pl.lit(unit)),
            total=money.units(pl.col("repeat")),
            squares=pl.col("squares").cast(pl.Float64) / float(money.SCALE) ** 2,
        )
        x, t_x, age, n = (columns[name].to_numpy() for name in ("frequency", "t_x", "age", "users"))
        return cls(
            rows, Histories.of(x, t_x, age, n), Spent(columns["total"].to_numpy(), columns["squares"].to_numpy())
        )


@dataclass(frozen=True, slots=True)
class Spend:
    """What an order is worth: the model where it holds (``fit``), else ``flat``, the mean, and why (``problem``)."""

    fit: Fit[GammaGamma] | None
    flat: float
    correlation: float | None = None
    problem: Text | None = None

    @property
    def scale(self) -> pl.Expr:
        """What a customer's factor is multiplied by, from ``repeat``."""
        return pl.lit(self.flat) if self.fit is None else self.fit.model.v + money.units(pl.col("repeat").clip(0))

    @property
    def value_of_order(self) -> pl.Expr:
        """The expected value of an order to come, from ``repeat`` and ``frequency``."""
        if self.fit is None:
            return pl.lit(self.flat)
        model = self.fit.model
        return self.scale * model.p / (pl.col("frequency") * model.p + (model.q - 1))


def spending(users: pl.DataFrame, near: Spend | None = None) -> Spend:
    """How customers spend, from ``frequency`` and ``repeat``, in order (and ``spent, orders`` for a mean where nobody came back).

    ``near``: how others like them do, to begin with.
    """
    again = users.filter((pl.col("frequency") > 0) & (pl.col("repeat") > 0))
    if again.is_empty():
        orders = int(users["orders"].sum())
        flat = max(0.0, int(users["spent"].sum()) / money.SCALE / orders) if orders else 0.0
        return Spend(None, flat, problem=Text("nobody spent anything on a repeat order", "没有复购金额"))
    told = again.select(x=pl.col("frequency").cast(pl.Float64), total=money.units(pl.col("repeat")))
    x, mean = told["x"].to_numpy(), (told["total"] / told["x"]).to_numpy()
    all_again = users.filter(pl.col("frequency") > 0)
    flat = max(0.0, int(all_again["repeat"].sum()) / money.SCALE / int(all_again["frequency"].sum()))
    together = customer_value.correlation(x, mean)
    try:
        fit = GammaGamma.fit(Spending.of(x, mean), near.fit if near else None)
    except InputError as error:
        return Spend(None, flat, together, Text(error.message, "Gamma-Gamma 无法拟合"))
    if not fit.identified:
        en, zh = "customers hardly differ in what they spend per order", "客户间客单价差异过小"
        return Spend(None, flat, together, Text(en, zh))
    if fit.model.mean is None:
        en = f"Gamma-Gamma has q = {fit.model.q:.2f}, at most 1: its mean is infinite"
        return Spend(None, flat, together, Text(en, f"Gamma-Gamma 的 q = {fit.model.q:.2f} 不大于 1,均值无穷"))
    return Spend(fit, flat, together)


def fitted(
    names: Sequence[str], groups: Groups, near: Mapping[str, Fit[Any]] | None = None
) -> tuple[dict[str, Fit[Any]], str | None]:
    """The models that can be fitted, and why others cannot. ``near``: fits to others like them, to begin with."""
    fits, problem = {}, None
    for name in names:
        try:
            fits[name] = MODELS[name].fit(groups.histories, (near or {}).get(name))
        except InputError as error:
            problem = problem or error.message
    return fits, problem


@dataclass(frozen=True, slots=True)
class SavedModel:
    """A model that was fitted, with what scoring later data with it takes.

    ``as_of``, ``users``: the last day and the customers it was fitted to. ``dropout``: whether those told who has left,
    ``gain`` the log-likelihood that told it. ``spend``: None where there were no amounts.
    """

    model: str
    time_unit: Unit
    as_of: date
    users: int
    fit: Fit[Any]
    dropout: bool
    gain: float | None
    spend: Spend | None
    currency: str | None
