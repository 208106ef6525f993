"""What customers are worth: orders and value still to come of each, with limits, and what cohorts have paid so far.

Reduce: one row per customer (days with an order, when the first and the last, what they were worth), also as it was at
the origins of the backtest; births and repeat orders by day. Finish: fit, choose, predict, draw, add up.

Definitions (docs/methods.md has the formulas and sources):

* frequency: days with an order after the first such day; recency: from the first to the last of them; T: from the first
  to as-of. monetary_value: mean value of the repeat days; a refund nets the order day at or before it.
* ltv: expected value of the orders within the horizon, discounted, times the margin. Low and high bound what a customer
  will really bring; those of totals bound the total.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date, timedelta
from typing import Any

import polars as pl

from userops import frames, money, partition, stats
from userops.errors import InputError
from userops.lifetime_value import cohorts
from userops.lifetime_value.backtest import (
    BASELINES,
    DROPOUT_TELLS,
    Backtest,
    Choice,
    Drift,
    chosen,
    drift,
    gain,
    tried,
)
from userops.lifetime_value.customers import Counted, Settings, at_end_of, columns, counted
from userops.lifetime_value.fitting import Groups, SavedModel, Spend, fitted, spending
from userops.models import customer_value
from userops.models.customer_value import Future, Outlook, Score
from userops.models.likelihood import Fit
from userops.models.repeat_buying import MODELS
from userops.pages import ltv as page
from userops.results import NotesBlock, Provenance, Result, Text

__all__ = ["LtvResult", "SavedModel", "Settings", "Story", "analyse", "columns"]

NEED = partition.Need(working=40, held=70)
"""Memory that a row takes, as measured."""

SAID = ("p_alive", "expected_orders", "discounted", "low", "high")
"""Columns of what a model says of a group of customers."""

TIERS = (
    ("Top 5 %", "前 5%", 0.95),
    ("Next 15 %", "次 15%", 0.80),
    ("Next 30 %", "中 30%", 0.50),
    ("Lower half", "后 50%", 0.0),
)
"""Names of tiers, and the share of customers below them."""

FREQUENCIES, SILENCES = (0, 1, 2, 3, 5, 9), (0, 15, 31, 61, 91, 181, 366)
"""Where the rows and columns of the map begin: repeat days, days since the last order."""


@dataclass(frozen=True, slots=True, repr=False)
class LtvResult(Result):
    """Tiers (``rows``), or cohorts with ``realised``, and, when asked for, every customer (``users``).

    ``model``: what later data can be scored with (:attr:`Settings.saved`); None where nothing could be fitted.
    """

    users: pl.DataFrame | None = None
    model: SavedModel | None = None

    def per_user(self) -> Result:
        """The same result with customers as its rows; needs ``per_user=True`` when it was made."""
        assert self.users is not None, "analyse(..., per_user=True) makes the table of customers"
        headline, *rest = self.views
        views = (headline, page.customers(self.users), *(block for block in rest if isinstance(block, NotesBlock)))
        return replace(self, rows=self.users, views=views)


def analyse(
    orders: frames.Orders | pl.LazyFrame | pl.DataFrame,
    settings: Settings | None = None,
    *,
    costs: frames.Costs | pl.LazyFrame | pl.DataFrame | None = None,
    partitions: int | None = None,
    **changes: Any,
) -> LtvResult:
    """Lifetime values of the customers in ``orders``.

    ``orders``: a frame with ``user_id, ordered_at, amount`` (see :func:`userops.frames.orders`); without amounts orders
    are predicted, and no value. ``costs``: ``date, spend`` and, where told, ``channel``: what customers cost to win.
    ``changes`` are fields of :class:`Settings`. ``partitions`` bounds memory, never the
    numbers. Raises InputError when no row is usable; where nothing can be predicted the result says why, and holds
    what was paid so far.
    """
    settings = replace(settings or Settings(), **changes)
    table = orders if isinstance(orders, frames.Orders) else frames.orders(orders, as_of=settings.as_of)
    spent = costs if isinstance(costs, frames.Costs) or costs is None else frames.costs(costs, as_of=settings.as_of)
    found = counted(table, settings, partitions or partition.count_for(table.size, need=NEED), spent)
    return Story(settings, found, predicted(found, settings)).result()


# --- finish: models ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Predicted:
    """The fitted model (None: nothing could be fitted, and why), how it was chosen, and what it says of the groups.

    ``groups`` has ``p_alive`` (null where dropout is not told), ``expected_orders, discounted, low, high`` beside the
    keys. ``candidates``: fits on the customers looked at, of whom there is ``one_in``.
    """

    spend: Spend
    groups: pl.DataFrame
    choice: Choice | None = None
    fit: Fit[Any] | None = None
    outlook: Outlook | None = None
    dropout: bool = False
    gain: float | None = None
    candidates: dict[str, Fit[Any]] = field(default_factory=dict)
    backtest: Backtest = field(default_factory=Backtest)
    one_in: int = 1
    problem: str | None = None
    drift: Drift | None = None

    @property
    def name(self) -> str:
        """The model, of :data:`userops.models.repeat_buying.MODELS`; empty without one."""
        return self.choice.name if self.choice else ""


def predicted(found: Counted, settings: Settings) -> Predicted:
    """Fit, choose, predict; with a saved model only predict."""
    if settings.saved is not None:
        return _with_saved(settings.saved, found, settings)
    users = at_end_of(found.users, found.today, "")
    spend, groups = spending(users), Groups.of(users, settings.unit)
    one_in, of_sample = found.one_in, groups
    if one_in > 1:
        of_sample = Groups.of(users.filter(pl.col("user") % one_in == 0), settings.unit)
    names = list(MODELS) if settings.model == "auto" else list(dict.fromkeys(["nbd", settings.model]))
    candidates, problem = fitted(names, of_sample)
    if not candidates and one_in > 1:  # the few who came back may all be others
        one_in = 1
        candidates, problem = fitted(names, groups)
    if not candidates:
        said = (pl.lit(None, pl.Float64).alias(name) for name in SAID)
        return Predicted(spend, groups.rows.with_columns(said), problem=problem)
    backtest = tried(found, settings.unit, candidates, spend)
    choice = chosen(candidates, backtest, settings.model)
    fit = (
        candidates[choice.name]
        if one_in == 1
        else MODELS[choice.name].fit(groups.histories, candidates.get(choice.name))
    )
    more = None
    if MODELS[choice.name].DROPOUT:
        more = gain(
            fit, candidates["nbd"] if one_in == 1 else MODELS["nbd"].fit(groups.histories, candidates.get("nbd"))
        )
    dropout = more is not None and more > DROPOUT_TELLS and not fit.edge
    told, outlook = _said(fit, spend, groups, settings, dropout=dropout)
    return Predicted(spend, told, choice, fit, outlook, dropout, more, candidates, backtest, one_in, problem)


def _with_saved(saved: SavedModel, found: Counted, settings: Settings) -> Predicted:
    """What a saved model says of customers as they are now, and whether it still holds."""
    groups = Groups.of(at_end_of(found.users, found.today, ""), settings.unit)
    spend = saved.spend or Spend(None, 0.0, problem=Text("the saved model knows no amounts", "所存模型不含金额"))
    fit = replace(saved.fit, log_likelihood=customer_value.log_likelihood(saved.fit.model, groups.histories))
    told, outlook = _said(fit, spend, groups, settings, dropout=saved.dropout)
    choice, since = Choice(saved.model, "saved"), drift(found, saved, settings.unit)
    if found.books.currency and saved.currency and found.books.currency != saved.currency:
        both = [found.books.currency, saved.currency]
        raise InputError.mixed_currencies(f"{found.books.table.name} and the saved model", both)
    return Predicted(spend, told, choice, fit, outlook, saved.dropout, saved.gain, drift=since)


def _said(
    fit: Fit[Any], spend: Spend, groups: Groups, settings: Settings, *, dropout: bool
) -> tuple[pl.DataFrame, Outlook]:
    """What a model says of each group, and the limits of the totals."""
    days = settings.horizon.days
    future = Future(days / settings.unit, days / 365, settings.discount, settings.interval, spend.flat)
    h = groups.histories
    orders, discounted = customer_value.expected_orders(fit.model, h, future.horizon, future.years, future.rate)
    told = groups.rows.with_columns(
        p_alive=pl.Series(fit.model.p_alive(h)) if dropout else pl.lit(None, pl.Float64),
        expected_orders=pl.Series(orders),
        discounted=pl.Series(discounted),
    )
    value = told.select((pl.col("discounted") * _group_value(spend)).alias("value"))["value"]
    total = float((orders * h.weight).sum()), float(value.to_numpy().sum())
    outlook = customer_value.outlook(fit, spend.fit, h, groups.spent, future, total)
    return told.with_columns(low=pl.Series(outlook.low), high=pl.Series(outlook.high)), outlook


def _group_value(spend: Spend) -> pl.Expr:
    """What one more order of every customer of a group is worth together, from ``users, repeat, frequency``."""
    if spend.fit is None:
        return pl.col("users") * spend.flat
    model = spend.fit.model
    worth = pl.col("users") * model.v + money.units(pl.col("repeat"))
    return worth * model.p / (pl.col("frequency") * model.p + (model.q - 1))


# --- finish: what comes out -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Story:
    """Everything a result is told from."""

    settings: Settings
    found: Counted
    predicted: Predicted

    def result(self) -> LtvResult:
        """All of it as one result."""
        settings, found = self.settings, self.found
        customers = self.customers()
        rows = cohorts.realised(found, settings) if settings.realised else self.tiers(customers)
        summary = self.summary(customers)
        extras = {} if settings.realised else self.extras(customers)
        if (cost := self.acquisition(customers, settings.by)) is not None:
            extras["acquisition"] = cost
        warnings = [*found.books.doubts(found.as_of), *page.warnings(self, summary)]
        chosen = {
            f.name: getattr(settings, f.name) for f in fields(settings) if f.name not in ("tz", "week_start", "saved")
        }
        chosen |= {"as_of": found.as_of, "days": list(settings.days), "time_unit": settings.unit_name}
        chosen |= {"backtest_days": 0 if settings.saved else found.held}
        chosen |= {"model_as_of": settings.saved.as_of} if settings.saved else {}
        provenance = Provenance(
            as_of=found.as_of.isoformat(),
            tz=settings.tz,
            week_start=settings.week_start,
            inputs=found.books.reports() + (found.costs_books.reports() if found.costs_books else ()),
            settings={name: _plain(value) for name, value in chosen.items()},
            definitions=page.definitions(self),
            warnings=tuple(warnings),
            facts={
                "refund_only": {
                    "users": found.refund_only.height,
                    "revenue": int(found.refund_only["spent"].sum()) / money.SCALE,
                }
            },
        )
        return LtvResult(
            command="ltv",
            rows=rows,
            summary=summary,
            provenance=provenance,
            extras=extras,
            views=page.views(self, rows, extras, summary, warnings),
            users=self.told_customers(customers) if settings.per_user else None,
            model=self.saved(),
        )

    def saved(self) -> SavedModel | None:
        """The model for later data."""
        told, found = self.predicted, self.found
        if told.fit is None or self.settings.saved is not None:
            return self.settings.saved
        spend = told.spend if found.has_money else None
        return SavedModel(
            told.name, self.settings.unit_name, found.as_of, found.users.height, told.fit, told.dropout, told.gain,
            spend, found.books.currency,
        )  # fmt: skip

    def customers(self) -> pl.DataFrame:
        """Every customer with what is expected: values in steps of money, expected orders in billionths, and the tier."""
        found, told, settings = self.found, self.predicted, self.settings
        users = at_end_of(found.users, found.today, "").select(
            "user", "first", "frequency", "recency_days", "age", "repeat", "spent", "orders",
            *([settings.by] if settings.by else []),
        )  # fmt: skip
        keys = ["frequency", "recency_days", "age"]
        said = told.groups.select(*keys, *SAID)
        users = users.join(said, on=keys, how="left", maintain_order="left")
        scale = told.spend.scale * settings.margin
        worth = pl.col("discounted") * told.spend.value_of_order * settings.margin
        values = {"ltv": worth, "ltv_low": pl.col("low") * scale, "ltv_high": pl.col("high") * scale}
        if not found.has_money:
            values = {name: pl.lit(None, pl.Float64) for name in values}
        users = users.with_columns(
            billionths=(pl.col("expected_orders") * 1e9).round().cast(pl.Int64),
            **{name: _steps(value) for name, value in values.items()},
        )
        return users.with_columns(tier=_tier(users, self.ranked_by))

    @property
    def ranked_by(self) -> str:
        """What tiers are made by: the expected value, else expected orders, else what was paid, or orders."""
        if self.predicted.fit is None:
            return "spent" if self.found.has_money else "orders"
        return "ltv" if self.found.has_money else "billionths"

    def told_customers(self, customers: pl.DataFrame) -> pl.DataFrame:
        """One row per customer, sorted by the text of the id."""
        assert self.found.ids is not None  # they were asked for
        unit, has_money = self.settings.unit, self.found.has_money
        names = (pl.Series([tier[place] for tier in TIERS], dtype=pl.String) for place in (0, 1))
        name, name_zh = (column.gather(customers["tier"]) for column in names)
        repeat = money.units(pl.col("repeat")) if has_money else pl.lit(None, pl.Float64)
        ids = self.found.ids.sort(pl.col("user_id").cast(pl.String))
        known = customers.with_columns(name=name, name_zh=name_zh)
        return ids.join(known, on="user", maintain_order="left").select(
            user_id=pl.col("user_id").cast(pl.String),
            frequency=pl.col("frequency").cast(pl.Int64),
            recency=stats.ratio(pl.col("recency_days"), pl.lit(unit)),
            T=stats.ratio(pl.col("age"), pl.lit(unit)),
            monetary_value=stats.ratio(repeat, pl.col("frequency").cast(pl.Float64)),
            p_alive="p_alive",
            expected_orders="expected_orders",
            ltv=money.units(pl.col("ltv")),
            ltv_low=money.units(pl.col("ltv_low")),
            ltv_high=money.units(pl.col("ltv_high")),
            tier="name",
            tier_zh="name_zh",
            spent=money.units(pl.col("spent")) if has_money else pl.lit(None, pl.Float64),
            **({self.settings.by: pl.col(self.settings.by)} if self.settings.by else {}),
        )

    def tiers(self, customers: pl.DataFrame) -> pl.DataFrame:
        """One row per tier, the most valuable first, those without customers too; with ``by`` of each of its values.

        ``tier, tier_zh, users, users_share, expected_orders, expected_value, value_share, mean_ltv, ltv_from, spent``.
        """
        by, has_money = self.settings.by, self.found.has_money
        keys = [by] if by else []
        no_model, null = self.predicted.fit is None, pl.lit(None, pl.Int64)
        names = pl.DataFrame(
            [(number, name, name_zh) for number, (name, name_zh, _) in enumerate(TIERS)],
            schema={"tier": pl.UInt8, "name": pl.String, "name_zh": pl.String},
            orient="row",
        )
        added = customers.group_by(*keys, "tier").agg(
            users=pl.len().cast(pl.Int64),
            frequency=pl.col("frequency").cast(pl.Int64).sum(),
            billionths=pl.col("billionths").sum(),
            ltv=pl.col("ltv").sum(),
            lowest=pl.col("ltv").min(),
            spent=pl.col("spent").sum(),
        )
        frame = customers.select(by).unique().join(names, how="cross") if by else names
        sums = ("users", "frequency", "billionths", "ltv", "spent")
        every = frame.join(added, on=[*keys, "tier"], how="left", nulls_equal=True).with_columns(
            pl.col(sums).fill_null(0)
        )
        every = every.with_columns(
            billionths=null if no_model else pl.col("billionths"),
            ltv=pl.col("ltv") if has_money and not no_model else null,
            spent=pl.col("spent") if has_money else null,
        ).sort(*keys, "tier", nulls_last=True)
        total = int(customers["ltv"].sum())
        return every.select(
            *keys,
            tier="name",
            tier_zh="name_zh",
            users="users",
            users_share=stats.ratio(pl.col("users"), pl.lit(customers.height)),
            mean_frequency=stats.ratio(pl.col("frequency"), pl.col("users")),
            expected_orders=pl.col("billionths") / pl.lit(1e9),
            expected_value=money.units(pl.col("ltv")),
            value_share=stats.ratio(pl.col("ltv"), pl.lit(total)),
            mean_ltv=stats.ratio(pl.col("ltv"), pl.col("users") * money.SCALE),
            ltv_from=money.units(pl.col("lowest")),
            spent=money.units(pl.col("spent")),
        )

    def summary(self, customers: pl.DataFrame) -> dict[str, Any]:
        """All customers together."""
        told, found, settings = self.predicted, self.found, self.settings
        fit, spend, has_money = told.fit, told.spend, found.has_money
        n = customers.height
        seen, margin = told.outlook, settings.margin
        horizon = float(settings.horizon.days)
        naive = pl.when(pl.col("age") > 0).then(horizon / pl.col("age")).otherwise(0.0)
        rates = customers.select(
            orders=(naive * pl.col("frequency") * 1e6).round().cast(pl.Int64).sum(),
            value=(naive * pl.col("repeat") * margin).round().cast(pl.Int64).sum(),
        ).row(0)
        spread = seen.value if seen and has_money else None
        return {
            "model": told.name or None,
            "parameters": fit.parameters if fit else None,
            "standard_errors": fit.standard_errors if fit and fit.identified else None,
            "log_likelihood": fit.log_likelihood if fit else None,
            "dropout_identified": told.dropout,
            "spend_parameters": spend.fit.parameters if spend.fit and has_money else None,
            "spend_log_likelihood": spend.fit.log_likelihood if spend.fit and has_money else None,
            "spend_correlation": spend.correlation if has_money else None,
            "backtest": self.backtest(),
            "candidates": self.candidates(),
            "users": n,
            "one_time_users": int((customers["frequency"] == 0).sum()),
            "orders": int(customers["orders"].sum()),
            "revenue": int(customers["spent"].sum()) / money.SCALE if has_money else None,
            "currency": found.books.currency,
            "horizon_days": settings.horizon.days,
            "expected_orders": int(customers["billionths"].sum()) / 1e9 if fit else None,
            "expected_orders_low": seen.orders.low if seen else None,
            "expected_orders_high": seen.orders.high if seen else None,
            "expected_value": int(customers["ltv"].sum()) / money.SCALE if fit and has_money else None,
            "expected_value_low": spread.low * margin if spread else None,
            "expected_value_high": spread.high * margin if spread else None,
            "mean_ltv": int(customers["ltv"].sum()) / money.SCALE / n if fit and has_money and n else None,
            **self.recalibrated(customers),
            **self.of_costs(customers),
            "drift": self.drift(),
            "naive_expected_orders": rates[0] / 1e6,
            "naive_expected_value": rates[1] / money.SCALE if has_money else None,
            **{f"backtest_{key}": value for key, value in _measures(told.backtest.scores(told.name)).items()},
            "refund_only_users": found.refund_only.height,
        }

    def acquisition(self, customers: pl.DataFrame, by: str | None) -> pl.DataFrame | None:
        """What customers cost and bring; None without costs."""
        if self.found.costs is None:
            return None
        modelled = self.predicted.fit is not None
        return cohorts.acquisition(customers, self.found, self.settings, by, modelled=modelled)

    def of_costs(self, customers: pl.DataFrame) -> dict[str, float | None]:
        """``cac, paid_back, ltv_cac`` of all customers of the months with costs; null without."""
        names, cost = ("cac", "paid_back", "ltv_cac"), self.acquisition(customers, None)
        return dict.fromkeys(names) if cost is None or cost.is_empty() else cost.select(names).row(0, named=True)

    def drift(self) -> dict[str, Any] | None:
        """What came since a saved model was fitted, beside what it had said."""
        told, saved = self.predicted.drift, self.settings.saved
        if told is None or saved is None:
            return None
        parts = {"known": told.known, "new": told.new}
        return {
            "since": saved.as_of.isoformat(),
            "days": told.days,
            "drifted": any(came.far for came in parts.values() if came),
            **{name: None if came is None else {**came._asdict(), "off": came.off} for name, came in parts.items()},
        }

    def recalibrated(self, customers: pl.DataFrame) -> dict[str, float | None]:
        """The totals times what came over what was said in the backtest: for a trend that the model does not know."""
        told, found = self.predicted, {}
        for name, column, scale in (("orders", "billionths", 1e9), ("value", "ltv", money.SCALE)):
            ratio = told.backtest.too_low_by(told.name, value=name == "value")
            total = int(customers[column].sum()) / scale
            found[f"expected_{name}_recalibrated"] = None if ratio is None else total * ratio
        return found

    def backtest(self) -> dict[str, Any] | None:
        """How the model did on what is known by now, and how the baselines did: means over the origins."""
        name, backtest, found = self.predicted.name, self.predicted.backtest, self.found
        if not backtest:
            return None

        def scores(name: str) -> dict[str, float | None]:
            of_value = _measures(backtest.scores(name, value=True))
            return _measures(backtest.scores(name)) | {f"value_{key}": value for key, value in of_value.items()}

        return {
            "origins": [_day(origin) for origin in found.origins],
            "days": found.held,
            "users": backtest.users,
            "deviance": backtest.deviance(name),
            **scores(name),
            **{baseline: scores(baseline) for baseline in BASELINES},
        }

    def candidates(self) -> list[dict[str, Any]]:
        """The models that were fitted, and how they did."""
        told = self.predicted
        return [
            {
                "model": name,
                "chosen": name == told.name,
                "log_likelihood": fit.log_likelihood,
                "deviance": told.backtest.deviance(name),
                **_measures(told.backtest.scores(name)),
            }
            for name, fit in told.candidates.items()
        ]

    def extras(self, customers: pl.DataFrame) -> dict[str, pl.DataFrame]:
        """``map``, ``tracking`` (by week), ``backtest`` (every trial); of its latest origin ``calibration`` and ``gain``."""
        told, found = self.predicted, self.found
        if told.fit is None:
            return {}
        extras = {"map": self.map(customers), "tracking": self.tracking()}
        latest = [trial for trial in told.backtest.of(told.name) if trial.origin == found.origins[0]]
        if latest:
            schema: dict[str, Any] = {"origin": pl.String, "model": pl.String, "deviance": pl.Float64}
            schema |= dict.fromkeys(Score._fields, pl.Float64)
            rows = [(_day(t.origin), t.model, t.deviance, *t.orders) for t in told.backtest.trials]
            extras["backtest"] = pl.DataFrame(rows, schema=schema, orient="row")
            extras["calibration"] = _tenths(("predicted", "actual"), latest[0].deciles)
            extras["gain"] = _tenths(("model", "true_order"), latest[0].gains)
        return extras

    def map(self, customers: pl.DataFrame) -> pl.DataFrame:
        """Customers by how often they came back and how long they are silent, each from a number on.

        ``frequency_from, silent_from`` (days), ``users, mean_expected_orders``.
        """
        silent = pl.col("age") - pl.col("recency_days")
        parts = customers.group_by(
            frequency_from=_from(pl.col("frequency"), FREQUENCIES), silent_from=_from(silent, SILENCES)
        )
        added = parts.agg(users=pl.len().cast(pl.Int64), billionths=pl.col("billionths").sum())
        mean = stats.ratio(pl.col("billionths"), pl.col("users") * 1_000_000_000)
        return added.sort("frequency_from", "silent_from").select(
            "frequency_from", "silent_from", "users", mean_expected_orders=mean
        )

    def tracking(self) -> pl.DataFrame:
        """Repeat orders by week (whole ones, back from as-of): ``week`` (its last day), ``actual, expected``."""
        found, told = self.found, self.predicted
        assert told.fit is not None  # there is a model
        start = int(found.births["first"].min())  # type: ignore[arg-type] # there are customers
        every = pl.select(day=pl.int_range(start, found.today + 1, dtype=pl.Int32))
        born = every.join(found.births, left_on="day", right_on="first", how="left", maintain_order="left")
        came = every.join(found.repeats, on="day", how="left", maintain_order="left")["repeats"].fill_null(0)
        expected = customer_value.tracked(
            told.fit.model, born["users"].fill_null(0).cast(pl.Float64).to_numpy(), float(self.settings.unit)
        )
        days = every.with_columns(actual=came, expected=pl.Series(expected), week=(found.today - pl.col("day")) // 7)
        weeks = days.group_by("week").agg(
            pl.col("day").max(), pl.col("actual").sum(), pl.col("expected").sort_by("day").sum(), n=pl.len()
        )
        whole = weeks.filter(pl.col("n") == 7).sort("day")
        return whole.select(pl.col("day").cast(pl.Date).alias("week"), "actual", "expected")


def _from(value: pl.Expr, starts: Sequence[int]) -> pl.Expr:
    """The largest of the starts that is not above a value."""
    found = pl.lit(starts[0], pl.Int64)
    for start in starts[1:]:
        found = pl.when(value >= start).then(pl.lit(start, pl.Int64)).otherwise(found)
    return found


def _tenths(names: tuple[str, str], pairs: Sequence[tuple[float, float]]) -> pl.DataFrame:
    """``tenth`` (from 1) and the two numbers of each."""
    rows = [(number, *pair) for number, pair in enumerate(pairs, start=1)]
    return pl.DataFrame(rows, schema={"tenth": pl.Int64, **dict.fromkeys(names, pl.Float64)}, orient="row")


def _steps(value: pl.Expr) -> pl.Expr:
    """Currency units as exact steps."""
    return (value * float(money.SCALE)).round().cast(pl.Int64)


def _tier(users: pl.DataFrame, by: str) -> pl.Series:
    """The index of each customer's tier: above the value at rank ceil(share * n), so that equal values share one."""
    n, ordered = users.height, users[by].sort()
    if n == 0:
        return pl.Series("tier", [], pl.UInt8)
    above = [pl.col(by) > ordered[math.ceil(share * n) - 1] for _, _, share in TIERS[:-1]]
    return users.select(tier=pl.sum_horizontal((~higher).cast(pl.UInt8) for higher in above)).to_series()


def _measures(score: Score | None) -> dict[str, float | None]:
    """A score by name."""
    return dict.fromkeys(Score._fields) if score is None else score._asdict()


def _day(number: int) -> str:
    return (date(1970, 1, 1) + timedelta(days=number)).isoformat()


def _plain(value: Any) -> Any:
    """A setting as JSON holds it."""
    if isinstance(value, timedelta):
        return f"{value.days}d"
    return value.isoformat() if isinstance(value, date) else value
