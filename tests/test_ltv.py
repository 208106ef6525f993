"""Lifetime values: by hand, published values through the command, a brute force, limits that hold, hostile input."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import polars as pl
import pytest

from conftest import Ran
from userops import frames, ltv, rfm
from userops.cli_support import schemas
from userops.errors import UsageError
from userops.lifetime_value import customers
from userops.lifetime_value.backtest import AS_GOOD
from userops.models import customer_value
from userops.models.bg_nbd import BgNbd
from userops.models.gamma_gamma import GammaGamma, Spending
from userops.models.histories import Histories

Userops = Callable[..., Ran]
Rows = list[tuple[str, str, float]]

CDNOW = ("--map", "user_id=customer_id", "--time-unit", "week", "--as-of", "1997-09-30")


def orders(rows: Rows) -> pl.DataFrame:
    """Orders of (user, day, amount)."""
    schema = {"user_id": pl.String, "ordered_at": pl.String, "amount": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(pl.col("ordered_at").str.to_date())


def told(userops: Userops, *arguments: object) -> dict[str, Any]:
    ran = userops("ltv", *arguments, "--json")
    assert ran.code == 0, ran.err
    answer: dict[str, Any] = json.loads(ran.out)
    return answer


def shopping(n: int, seed: int, days: int = 540) -> pl.DataFrame:
    """Orders of customers who leave after one with a chance of their own; ``day`` counts from the first day."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(n):
        day, rate, chance, nu = rng.integers(0, 180), rng.gamma(0.8) / 30, rng.beta(0.8, 2.5), rng.gamma(3.7) / 15.4
        at, first = float(day), True
        while at < days:
            rows.append((f"u{number}", int(at), round(rng.gamma(6.2) / nu, 2)))
            if not first and rng.random() < chance:
                break
            first, at = False, at + max(1.0, rng.exponential(1 / rate))
    frame = pl.DataFrame(rows, schema={"user_id": pl.String, "day": pl.Int64, "amount": pl.Float64}, orient="row")
    return frame.with_columns(ordered_at=pl.lit(date(2023, 1, 1)) + pl.duration(days="day"))


# --- by hand --------------------------------------------------------------------------------------------------------


def test_what_is_known_of_each() -> None:
    rows: Rows = [
        ("a", "2024-01-01", 10.0),
        ("a", "2024-01-01", 5.0),  # one day
        ("a", "2024-01-15", 20.0),
        ("a", "2024-01-15", 10.0),
        ("a", "2024-01-17", -6.0),  # nets the 15th
        ("a", "2024-01-29", 40.0),
        ("b", "2024-01-02", 0.0),  # an order
        ("b", "2024-01-05", -3.0),  # nets the first: no repeat day
        ("c", "2023-12-30", -9.0),  # of a day that nobody knows: nets the first
        ("c", "2024-01-10", 8.0),
        ("d", "2024-01-11", -1.0),  # a refund only
    ]
    result = ltv.analyse(orders(rows), as_of=date(2024, 1, 31), time_unit="week", per_user=True)
    users = result.users
    assert users is not None
    assert users.select("user_id", "frequency", "recency", "T", "monetary_value", "spent").rows() == [
        ("a", 2, 4.0, 30 / 7, 32.0, 79.0),
        ("b", 0, 0.0, 29 / 7, None, -3.0),
        ("c", 0, 0.0, 3.0, None, -1.0),
    ]
    assert (result.summary["users"], result.summary["orders"], result.summary["revenue"]) == (3, 7, 75.0)
    assert result.summary["refund_only_users"] == 1
    assert result.provenance.facts["refund_only"] == {"users": 1, "revenue": -1.0}


def test_no_money_is_missing() -> None:
    rows: Rows = [
        ("a", "2024-01-01", 10.0),
        ("a", "2024-01-20", 5.25),
        ("b", "2024-02-02", 7.0),
        ("d", "2024-01-11", -1.0),
        ("", "2024-01-12", 3.0),  # nobody's
    ]
    whole = repr(ltv.analyse(orders(rows)))
    assert "customers 22.25 + refund-only customers -1.00 + rejected rows 3.00 = the file's total 24.25." in whole
    part = ltv.analyse(orders(rows), until=date(2024, 1, 31))
    assert "customers 15.25 + outside the window 6.00 + rejected rows 3.00 = the file's total 24.25." in repr(part)
    none = ltv.analyse(orders(rows), since=date(2024, 3, 1), per_user=True, as_of=date(2024, 3, 31))
    assert (none.summary["users"], none.summary["model"], none.rows["users"].sum()) == (0, None, 0)
    assert repr(none)


def test_realised_by_hand() -> None:
    rows: Rows = [
        ("a", "2024-01-01", 10.0),
        ("a", "2024-01-08", 20.0),  # day 7
        ("a", "2024-01-09", 40.0),  # day 8
        ("b", "2024-01-31", 6.0),
        ("b", "2024-02-02", -1.0),
        ("c", "2024-02-10", 3.0),
        ("x", "2024-01-02", -5.0),  # a refund only
    ]
    result = ltv.analyse(orders(rows), as_of=date(2024, 2, 12), realised=True, days=(0, 7, 30))
    assert result.rows.rows() == [
        (date(2024, 1, 1), 2, 0, 2, 8.0, True),
        (date(2024, 1, 1), 2, 7, 2, 17.5, True),
        (date(2024, 1, 1), 2, 30, 1, 70.0, False),
        (date(2024, 2, 1), 1, 0, 1, 3.0, True),
        (date(2024, 2, 1), 1, 7, 0, None, False),
        (date(2024, 2, 1), 1, 30, 0, None, False),
    ]


def test_the_window_is_of_first_orders() -> None:
    frame = shopping(60, 1)
    late = ltv.analyse(frame, since=date(2023, 4, 1), per_user=True)
    everybody = ltv.analyse(frame, per_user=True)
    assert late.users is not None and everybody.users is not None
    born = frame.group_by("user_id").agg(pl.col("ordered_at").min()).filter(pl.col("ordered_at") >= date(2023, 4, 1))
    kept = everybody.users.join(born, on="user_id", how="semi").sort("user_id")
    same = ("user_id", "frequency", "recency", "T", "monetary_value", "spent")
    assert late.users.select(same).equals(kept.select(same))


@pytest.mark.parametrize("seed", range(3))
def test_brute_force(seed: int) -> None:
    chance, rows = random.Random(seed), []
    for _ in range(600):
        day = date(2024, 1, 1) + timedelta(days=chance.randrange(120))
        rows.append((f"u{chance.randrange(90)}", day.isoformat(), float(chance.choice([-7, 0, 3, 12.5, 20]))))
    days: dict[str, dict[date, list[float]]] = defaultdict(lambda: defaultdict(list))
    for user, day_text, amount in rows:
        days[user][date.fromisoformat(day_text)].append(amount)
    as_of, found = date(2024, 5, 5), []
    for user in sorted(days):
        bought = sorted(day for day, amounts in days[user].items() if any(amount >= 0 for amount in amounts))
        if not bought:
            continue
        worth = dict.fromkeys(bought, 0.0)
        for day, amounts in days[user].items():
            worth[max([b for b in bought if b <= day], default=bought[0])] += sum(amounts)
        mean = sum(worth[day] for day in bought[1:]) / (len(bought) - 1) if bought[1:] else None
        found.append(
            (user, len(bought) - 1, float((bought[-1] - bought[0]).days), float((as_of - bought[0]).days), mean)
        )
    frame = orders(rows)
    result = ltv.analyse(frame, as_of=as_of, per_user=True)
    assert result.users is not None
    seen = result.users.select("user_id", "frequency", "recency", "T", "monetary_value").rows()
    assert seen == [pytest.approx(row) for row in found]
    shuffled = ltv.analyse(frame.sample(fraction=1, shuffle=True, seed=seed), as_of=as_of, per_user=True, partitions=5)
    assert shuffled.users is not None
    assert shuffled.users.equals(result.users)
    assert shuffled.rows.equals(result.rows)
    assert shuffled.summary == result.summary
    assert all(shuffled.extras[name].equals(frame) for name, frame in result.extras.items())


def test_the_unit_of_time_only_scales() -> None:
    frame = shopping(300, 4)
    for name in ("bg-nbd", "pareto-nbd"):
        days, weeks = (
            ltv.analyse(frame, model=name, time_unit=unit, backtest=None).summary for unit in ("day", "week")
        )
        assert days["parameters"]["r"] == pytest.approx(weeks["parameters"]["r"], rel=1e-5)
        assert days["parameters"]["alpha"] == pytest.approx(7 * weeks["parameters"]["alpha"], rel=1e-5)
        assert days["expected_value"] == pytest.approx(weeks["expected_value"], rel=1e-6)


def test_margin_and_discount() -> None:
    frame = shopping(300, 5)
    plain = ltv.analyse(frame, model="nbd", discount=0.0, backtest=None).summary
    half = ltv.analyse(frame, model="nbd", discount=0.0, margin=0.5, backtest=None).summary
    assert half["expected_value"] == pytest.approx(plain["expected_value"] / 2, rel=1e-6)
    assert half["expected_value_high"] == pytest.approx(plain["expected_value_high"] / 2, rel=1e-6)
    later = ltv.analyse(frame, model="nbd", discount=0.21, backtest=None).summary
    quarters = sum(1.21 ** -((quarter + 0.5) / 4) for quarter in range(4)) / 4  # NBD expects the same of each
    assert later["expected_value"] == pytest.approx(plain["expected_value"] * quarters, rel=1e-5)
    assert later["expected_orders"] == plain["expected_orders"]


def test_tiers_add_up_and_equal_values_share_one() -> None:
    result = ltv.analyse(
        shopping(400, 6).with_columns(channel=pl.col("user_id").str.slice(1, 1)), by="channel", per_user=True
    )
    users = result.users
    assert users is not None
    assert users.group_by("channel", "ltv").agg(pl.col("tier").n_unique())["tier"].max() == 1
    assert result.rows["users"].sum() == users.height == result.summary["users"] == 400
    assert result.rows["expected_value"].sum() == pytest.approx(result.summary["expected_value"], abs=1e-3)
    top = result.rows.filter(pl.col("tier") == "Top 5 %")
    assert top["users"].sum() == 20


def test_by_the_first_month_and_by_rfm_segment() -> None:
    bought = shopping(300, seed=5)
    of_cohorts = ltv.analyse(bought, model="nbd", by="cohort", backtest=None).rows
    firsts = bought.group_by("user_id").agg(month=pl.col("ordered_at").min().dt.strftime("%Y-%m"))
    assert of_cohorts.group_by("cohort").agg(pl.col("users").sum()).sort("cohort").rows() == (
        firsts.group_by("month").agg(pl.len().cast(pl.Int64)).sort("month").rows()
    )
    of_segments = ltv.analyse(bought, model="nbd", by="rfm", backtest=None).rows
    sizes = of_segments.group_by("rfm").agg(pl.col("users").sum(), pl.col("spent").sum()).sort("rfm")
    tiers = rfm.analyse(bought).rows.filter(pl.col("users") > 0).select("segment", "users", "revenue").sort("segment")
    assert [row[:2] for row in sizes.iter_rows()] == [row[:2] for row in tiers.iter_rows()]
    assert sizes["spent"].to_list() == pytest.approx(tiers["revenue"].to_list())
    with pytest.raises(UsageError, match="--realised"):
        ltv.Settings(by="rfm", realised=True)


def test_gini_is_of_the_order_alone() -> None:
    actual, ones = np.array([0.0, 1.0, 2.0, 5.0]), np.ones(4)
    assert customer_value.score(actual * 3, actual, ones).gini == pytest.approx(1)
    assert customer_value.score(-actual, actual, ones).gini == pytest.approx(-1)
    assert customer_value.score(np.ones(4), actual, ones).gini == pytest.approx(0)
    assert customer_value.score(np.ones(4), np.zeros(4), ones).gini is None
    halves = customer_value.score(np.array([1.0, 1.0, 4.0]), np.array([0.0, 2.0, 3.0]), np.array([1.0, 1.0, 2.0]))
    assert halves[:3] == pytest.approx((1.0, 1.0, 0.25))


def test_gain_by_tenths() -> None:
    actual = np.arange(10.0)
    gains = customer_value.gains(-actual, actual, np.ones(10))
    assert [a for a, _ in gains[:2]] == pytest.approx([0, 1 / 45]) and gains[0][1] == pytest.approx(9 / 45)
    assert gains[-1] == pytest.approx((1, 1))
    assert [a for a, _ in customer_value.gains(np.ones(10), actual, np.ones(10))] == pytest.approx(
        [0.1 * i for i in range(1, 11)]
    )


# --- published ------------------------------------------------------------------------------------------------------


@pytest.fixture
def cdnow(shared: Path) -> Path:
    return shared / "data" / "orders" / "cdnow_sample.csv"


def test_cdnow_bg_nbd(userops: Userops, cdnow: Path) -> None:
    summary = told(userops, cdnow, *CDNOW, "--model", "bg-nbd", "--backtest", "none")["summary"]
    assert {k: round(v, 3) for k, v in summary["parameters"].items()} == {
        "r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426,
    }  # fmt: skip
    assert round(summary["log_likelihood"], 1) == -9582.4
    assert {k: round(v, 2) for k, v in summary["spend_parameters"].items()} == {"p": 6.25, "q": 3.74, "v": 15.44}
    assert round(summary["spend_log_likelihood"], 2) == -4055.92
    assert summary["users"] == 2357 and summary["users"] - summary["one_time_users"] == 946


def test_cdnow_other_models(userops: Userops, cdnow: Path) -> None:
    pareto = told(userops, cdnow, *CDNOW, "--model", "pareto-nbd", "--backtest", "none")["summary"]
    assert [round(v, 3) for v in pareto["parameters"].values()] == pytest.approx(
        [0.553, 10.578, 0.606, 11.669], abs=3e-3
    )
    assert round(pareto["log_likelihood"], 1) == -9595.0
    mbg = told(userops, cdnow, *CDNOW, "--model", "mbg-nbd", "--backtest", "none")["summary"]
    assert [round(v, 3) for v in mbg["parameters"].values()] == pytest.approx([0.525, 6.183, 0.891, 1.614], abs=2e-3)


def test_cdnow_one_customer_and_what_came(userops: Userops, cdnow: Path) -> None:
    """The customer of the paper (x = 2, 30.43, 38.86): 1.226 orders in 39 weeks; and all of them against what came."""
    ahead = ("--horizon", "39w", "--model", "bg-nbd", "--discount", "0")
    answer = told(userops, cdnow, *CDNOW, *ahead, "--per-user")
    users = pl.DataFrame(answer["rows"])
    first = users.row(by_predicate=pl.col("user_id") == "1", named=True)
    assert (first["frequency"], round(first["recency"], 2), round(first["T"], 2)) == (2, 30.43, 38.86)
    assert round(first["expected_orders"], 3) == 1.226
    came = (
        pl.read_csv(cdnow)
        .select(pl.col("customer_id").cast(pl.String).alias("user_id"), pl.col("date").str.to_date(), "amount")
        .filter(pl.col("date") > date(1997, 9, 30))
        .group_by("user_id")
        .agg(orders=pl.col("date").n_unique(), value=pl.col("amount").sum())
    )
    both = users.join(came, on="user_id", how="left").with_columns(pl.col("orders", "value").fill_null(0))
    assert both["orders"].sum() == 1882
    score = customer_value.score(
        both["expected_orders"].to_numpy(), both["orders"].cast(pl.Float64).to_numpy(), np.ones(both.height)
    )
    assert score == pytest.approx((0.786, 1.608, -0.122, 0.662), abs=6e-4)
    inside = both.filter(pl.col("value").is_between(pl.col("ltv_low") - 0.01, pl.col("ltv_high") + 0.01))
    assert 0.85 <= inside.height / both.height <= 0.97


def test_uci_does_not_tell_who_has_left(userops: Userops, shared: Path) -> None:
    file = shared / "data" / "orders" / "online_retail.parquet"
    for model in ("auto", "bg-nbd"):
        answer = told(userops, file, "--as-of", "2011-08-31", "--model", model, "--backtest", "none", "--per-user")
        assert answer["summary"]["dropout_identified"] is False
        assert any("dropout cannot be told" in warning for warning in answer["meta"]["warnings"])
        assert {row["p_alive"] for row in answer["rows"]} == {None}
        assert answer["summary"]["model"] == {"auto": "nbd", "bg-nbd": "bg-nbd"}[model]


# --- choosing -------------------------------------------------------------------------------------------------------


def test_auto_chooses_what_predicted_the_past_best() -> None:
    result = ltv.analyse(shopping(600, 2))
    summary = result.summary
    deviance = {candidate["model"]: candidate["deviance"] for candidate in summary["candidates"]}
    assert set(deviance) == {"nbd", "bg-nbd", "mbg-nbd", "pareto-nbd"}
    assert deviance[summary["model"]] <= min(deviance.values()) * (1 + AS_GOOD)
    assert summary["model"] != "nbd" and summary["dropout_identified"]
    backtest = summary["backtest"]
    assert len(backtest["origins"]) > 1 and backtest["origins"] == sorted(backtest["origins"], reverse=True)
    assert backtest["gini"] > 0 and backtest["mae"] < backtest["naive_rate"]["mae"]
    assert backtest["mae"] == summary["backtest_mae"]
    off = result.extras["backtest"].filter(pl.col("model") == summary["model"])["total_error"]
    ratio = (1 / (1 + off)).mean()
    assert summary["expected_orders_recalibrated"] == pytest.approx(summary["expected_orders"] * ratio)
    cells = result.extras["map"]
    assert cells["users"].sum() == 600
    assert (cells["users"] * cells["mean_expected_orders"]).sum() == pytest.approx(summary["expected_orders"])
    tenths = result.extras["calibration"]
    assert tenths["predicted"].is_sorted() and 1 < tenths.height <= 10
    weeks = result.extras["tracking"]
    assert weeks["expected"].sum() == pytest.approx(weeks["actual"].sum(), rel=0.1)


def test_the_backtest_sees_only_what_was_known() -> None:
    """The first origin, made by hand: the past cut off there, fitted, and asked for the days after it."""
    frame = shopping(400, 3)
    result = ltv.analyse(frame, model="bg-nbd", backtest=timedelta(days=120))
    origin = date.fromisoformat(result.summary["backtest"]["origins"][0])
    past = frame.filter(pl.col("ordered_at") <= origin)
    then = ltv.analyse(past, model="bg-nbd", as_of=origin, horizon=timedelta(days=120), backtest=None, per_user=True)
    assert then.users is not None
    after = frame.filter(pl.col("ordered_at") > origin).group_by("user_id").agg(n=pl.col("ordered_at").n_unique())
    both = then.users.join(after, on="user_id", how="left").with_columns(pl.col("n").fill_null(0).cast(pl.Float64))
    by_hand = customer_value.score(both["expected_orders"].to_numpy(), both["n"].to_numpy(), np.ones(both.height))
    trial = result.extras["backtest"].row(
        by_predicate=(pl.col("origin") == origin.isoformat()) & (pl.col("model") == "bg-nbd"), named=True
    )
    assert [trial[name] for name in by_hand._fields] == pytest.approx(list(by_hand))


def test_many_customers_are_chosen_from_by_share(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = shopping(500, 8)
    monkeypatch.setattr(customers, "CHOOSE_FROM", 200)
    monkeypatch.setattr(customers, "SOME", 1)  # counted one by one
    result = ltv.analyse(frame, model="pareto-nbd")
    assert 100 < result.summary["backtest"]["users"] < 250
    assert any("1 in 3" in warning.en for warning in result.provenance.warnings)
    window = ltv.Settings(until=date(2023, 3, 31), model="nbd")
    born = frame.group_by("user_id").agg(pl.col("ordered_at").min()).filter(pl.col("ordered_at") <= date(2023, 3, 31))
    part = ltv.counted(frames.orders(frame), window, 1)
    assert part.one_in == 2 and part.users.height == born.height < 400  # by those in the window, not by all
    assert part.then["user"].to_list() == part.users.filter(pl.col("user") % 2 == 0)["user"].to_list()
    of_all = ltv.Groups.of(
        ltv.at_end_of(ltv.counted(frames.orders(frame), ltv.Settings(), 1).users, 19_000 + 900, ""), 1
    )
    assert of_all.histories.weight.sum() == 500


# --- limits ---------------------------------------------------------------------------------------------------------


def test_limits_hold_what_comes() -> None:
    inside, totals = [], []
    for seed in range(6):
        frame = shopping(600, 40 + seed)
        as_of, horizon = date(2023, 1, 1) + timedelta(days=364), timedelta(days=175)
        known = frame.filter(pl.col("ordered_at") <= as_of)
        result = ltv.analyse(
            known, as_of=as_of, horizon=horizon, model="bg-nbd", discount=0.0, backtest=None, per_user=True
        )
        assert result.users is not None
        came = frame.filter(pl.col("ordered_at") > as_of).group_by("user_id").agg(value=pl.col("amount").sum())
        both = result.users.join(came, on="user_id", how="left").with_columns(pl.col("value").fill_null(0))
        inside.append(both.select(pl.col("value").is_between("ltv_low", "ltv_high").mean()).item())
        low, high = result.summary["expected_value_low"], result.summary["expected_value_high"]
        totals.append(low <= both["value"].sum() <= high)
    assert 0.87 <= sum(inside) / len(inside) <= 0.95
    assert sum(totals) >= 4


@pytest.mark.slow
def test_coverage_of_limits() -> None:
    """Forty shops drawn from the models: limits of 90 % hold 85 to 95 % of what customers, and all of them, bring."""
    buying, paying, horizon, n = BgNbd(0.5, 30.0, 0.8, 2.5), GammaGamma(6.25, 3.74, 15.44), 180.0, 400
    users, orders_held, values_held = [], [], []
    for seed in range(40):
        rng = np.random.default_rng(1000 + seed)
        h = buying.simulate(rng.integers(150, 400, n).astype(float), rng)
        nu = rng.gamma(paying.q, size=n) / paying.v  # what a customer pays, before and after

        def paid(orders: np.ndarray, nu: np.ndarray = nu, rng: np.random.Generator = rng) -> np.ndarray:
            return np.where(orders > 0, rng.gamma(np.maximum(paying.p * orders, 1e-9)) / nu, 0.0)

        past, came = paid(h.x), buying.draw_orders(horizon, h, rng)
        worth, again = paid(came), h.x > 0
        fit = BgNbd.fit(h)
        spend = GammaGamma.fit(Spending.of(h.x[again], past[again] / h.x[again]))
        model, orders_expected = spend.model, fit.model.expected_orders(horizon, h)
        each = model.p * (model.v + past) / (model.p * h.x + model.q - 1)
        expected = float(orders_expected.sum()), float((orders_expected * each).sum())
        future = customer_value.Future(horizon, horizon / 365, 0.0, 0.9, 0.0)
        seen = customer_value.outlook(fit, spend, h, customer_value.Spent(past, past**2), future, expected)
        scale = model.v + past
        users.append(((worth >= seen.low * scale) & (worth <= seen.high * scale)).mean())
        orders_held.append(seen.orders.low <= came.sum() <= seen.orders.high)
        values_held.append(seen.value.low <= worth.sum() <= seen.value.high)
    for held in (users, orders_held, values_held):
        assert 0.85 <= float(np.mean(held)) <= 0.95


def test_factors_are_those_of_the_models() -> None:
    """A factor times v + spent is a draw of Gamma-Gamma; neighbours stand for each other."""
    model, spend = BgNbd(0.8, 24.0, 0.8, 2.5), GammaGamma(6.2, 3.7, 15.4)
    h = Histories.of(
        np.repeat([0.0, 3.0, 12.0], 400), np.repeat([0.0, 90.0, 100.0], 400), np.tile(np.arange(100, 500), 3)
    )
    near, at = customer_value.neighbours(h, 60)
    assert len(near) <= 60 and near.weight.sum() == len(h)
    assert np.abs(near.T[at] - h.T).max() < 40 and (near.x[at] == h.x)[:800].all()
    rng = np.random.default_rng(1)
    came = model.draw_orders(100, h, rng)
    total = h.x * 25.0
    drawn = (
        customer_value._factors(np.stack([came] * 200, axis=1), spend, spend, h, total, rng) * (15.4 + total)[:, None]
    )
    mean = 6.2 * (15.4 + total) / (6.2 * h.x + 2.7)
    assert drawn.mean(axis=1).sum() == pytest.approx((came * mean).sum(), rel=0.01)


# --- hostile --------------------------------------------------------------------------------------------------------

DAYS = ("2024-01-01", "2024-02-01", "2024-04-01")
HOSTILE: dict[str, Rows] = {
    "one order": [("a", "2024-01-01", 5.0)],
    "one customer": [("a", day, 5.0) for day in DAYS],
    "all once": [(f"u{i}", f"2024-01-{1 + i % 28:02}", 10.0) for i in range(60)],
    "refunds only": [("a", "2024-01-01", -5.0), ("b", "2024-01-03", -5.0)],
    "refunds and one": [("a", "2024-01-01", -5.0), ("b", "2024-01-05", 5.0)],
    "identical": [(f"u{i}", day, 10.0) for i in range(50) for day in DAYS],
    "one day": [(f"u{i}", "2024-01-01", 10.0) for i in range(50)],
    "nothing paid": [
        (f"u{i}", f"2024-0{1 + k}-{1 + (i * k) % 28:02}", 0.0) for i in range(50) for k in range(i % 4 + 1)
    ],
    "one price": [(f"u{i}", f"2024-0{1 + k}-{1 + (i * 7) % 28:02}", 9.0) for i in range(50) for k in range(i % 4 + 1)],
    "all returned": [("a", "2024-01-01", 5.0), ("a", "2024-02-01", 7.0), ("a", "2024-02-03", -12.0)],
}
UNTOLD = ("one order", "all once", "refunds only", "refunds and one", "one day")


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("model", ["auto", "bg-nbd"])
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_little_or_odd_data(name: str, model: str) -> None:
    result = ltv.analyse(orders(HOSTILE[name]), model=model, per_user=True)
    assert result.users is not None
    json.dumps([result.summary, result.rows.to_dicts(), result.users.to_dicts()], allow_nan=False)
    assert repr(result) and repr(result.per_user())
    assert result.provenance.warnings
    if name in UNTOLD:
        assert result.summary["model"] is None and result.summary["expected_value"] is None
        assert result.rows["spent"].sum() == result.summary["revenue"]
    else:
        assert result.summary["expected_value_low"] <= result.summary["expected_value_high"]
    assert result.users["p_alive"].null_count() == result.users.height


def test_little_or_odd_data_through_the_command(userops: Userops) -> None:
    COSTS.write_csv("costs.csv")
    for name, rows in HOSTILE.items():
        orders(rows).write_csv("orders.csv")
        for options in (["--per-user", "--json"], ["--realised", "--costs", "costs.csv"]):
            ran = userops("ltv", "orders.csv", *options)
            assert ran.code == 0, (name, ran.err)
            assert "nan" not in ran.out.lower() and "inf" not in ran.out.lower().replace("infinite", ""), name
        if name in UNTOLD:
            assert "nothing can be predicted" in ran.out or "no customer has an order" in ran.out, name


def test_no_amounts_no_values(userops: Userops) -> None:
    frame = shopping(200, 9)
    frame.select("user_id", "ordered_at").write_csv("orders.csv")
    answer = told(userops, "orders.csv", "--per-user")
    assert answer["summary"]["expected_orders"] > 0
    assert answer["summary"]["expected_value"] is None and answer["summary"]["spend_parameters"] is None
    assert all(row["ltv"] is None and row["spent"] is None for row in answer["rows"])
    assert len({row["tier"] for row in answer["rows"]}) > 2


@pytest.mark.parametrize(
    "options",
    [
        {"model": "bgnbd"}, {"horizon": timedelta(0)}, {"backtest": timedelta(hours=12)}, {"discount": -0.1},
        {"interval": 1.0}, {"margin": 0.0}, {"days": (30, 7)}, {"days": ()}, {"by": "ltv"},
        {"since": date(2024, 2, 1), "until": date(2024, 1, 1)}, {"realised": True, "per_user": True},
    ],
)  # fmt: skip
def test_settings_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        ltv.Settings(**options)


def test_options_are_checked(userops: Userops) -> None:
    orders(HOSTILE["identical"]).write_csv("orders.csv")
    assert userops("ltv", "orders.csv", "--horizon", "soon").code == 2
    assert userops("ltv", "orders.csv", "--model", "bgnbd").code == 2
    assert userops("ltv", "orders.csv", "--fail-if", "expected_value < 1000000").code == 4


# --- costs ----------------------------------------------------------------------------------------------------------

WON: Rows = [
    ("a", "2024-01-01", 10.0),
    ("a", "2024-01-08", 20.0),  # day 7
    ("b", "2024-01-31", 6.0),
    ("b", "2024-02-02", 4.0),  # day 2
    ("c", "2024-02-10", 3.0),
    ("d", "2024-03-01", 3.0),
]
COSTS = pl.DataFrame(
    {"date": ["2024-01-01", "2024-01-20", "2024-02-01"], "channel": ["ads", "mail", "ads"], "spend": [16.0, 4.0, 50.0]}
).with_columns(pl.col("date").str.to_date())


def channelled() -> pl.DataFrame:
    return orders(WON).with_columns(
        channel=pl.col("user_id").replace_strict({"a": "ads", "b": "mail", "c": "ads", "d": "ads"})
    )


def test_payback_by_hand() -> None:
    """January: 20 for two, so 10 each; paid by day 0: 16, by day 2: 20. February: 50 for one who paid 3. March: no costs."""
    said: dict[str, Any] = {"as_of": date(2024, 3, 11), "realised": True, "days": (0, 7)}
    result = ltv.analyse(channelled(), costs=COSTS, **said)
    told = result.rows.select("cohort", "day", "revenue_per_user", "cac", "paid_back", "payback", "reason")
    assert told.rows() == [
        (date(2024, 1, 1), 0, 8.0, 10.0, 0.8, 2, None),
        (date(2024, 1, 1), 7, 20.0, 10.0, 2.0, 2, None),
        (date(2024, 2, 1), 0, 3.0, 50.0, 0.06, None, "not within the 30 days that all were seen"),
        (date(2024, 2, 1), 7, 3.0, 50.0, 0.06, None, "not within the 30 days that all were seen"),
        (date(2024, 3, 1), 0, 3.0, None, None, None, "no costs in this month"),
        (date(2024, 3, 1), 7, 3.0, None, None, None, "no costs in this month"),
    ]
    assert result.summary["cac"] == pytest.approx(70 / 3) and result.summary["paid_back"] == pytest.approx(43 / 70)
    half = ltv.analyse(channelled(), costs=COSTS, margin=0.5, **said)
    assert half.rows["payback"].to_list() == [7, 7, None, None, None, None]  # half of 40 by day 7
    assert half.rows["revenue_per_user"].to_list() == result.rows["revenue_per_user"].to_list()
    assert half.summary["paid_back"] == pytest.approx(43 / 70 / 2)
    early = ltv.analyse(channelled(), costs=COSTS.filter(pl.col("date") > date(2024, 1, 10)), **said)
    assert early.rows["reason"][0] == "costs begin within this month" and early.rows["cac"][0] is None


def test_payback_by_channel() -> None:
    said: dict[str, Any] = {"as_of": date(2024, 3, 11), "realised": True, "days": (7,)}
    result = ltv.analyse(channelled(), costs=COSTS, by="channel", partitions=3, **said)
    told = result.rows.select("channel", "cohort", "cac", "payback")
    assert told.rows() == [
        ("ads", date(2024, 1, 1), 16.0, 7),
        ("ads", date(2024, 2, 1), 50.0, None),
        ("ads", date(2024, 3, 1), None, None),
        ("mail", date(2024, 1, 1), 4.0, 0),
    ]
    cost = result.extras["acquisition"].select("channel", "users", "spend", "cac", "paid_back")
    assert cost.rows() == [("ads", 2, 66.0, 33.0, 0.5), ("mail", 1, 4.0, 4.0, 2.5)]
    other = channelled().rename({"channel": "shop"})
    assert set(ltv.analyse(other, costs=COSTS, by="shop", **said).rows["reason"]) == {"costs are told by channel"}
    assert repr(result)


def test_what_is_expected_counts_towards_the_costs() -> None:
    frame = shopping(300, 12)
    costs = pl.DataFrame({"date": [date(2023, m, 1) for m in range(1, 7)], "spend": [500.0] * 6})
    summary = ltv.analyse(frame, costs=costs, model="nbd", backtest=None, margin=0.4).summary
    worth = summary["revenue"] * 0.4 + summary["expected_value"]  # of all: the costs cover every month
    assert summary["ltv_cac"] == pytest.approx(worth / 3000) and summary["cac"] == pytest.approx(10)


def test_costs_from_files(userops: Userops) -> None:
    channelled().write_csv("orders.csv")
    COSTS.write_csv("costs.csv")
    options = ("orders.csv", "--costs", "costs.csv", "--by", "channel", "--realised", "--days", "7")
    answer = told(userops, *options, "--as-of", "2024-03-11")
    jsonschema.validate(answer, schemas.of("ltv"))
    assert [row["payback"] for row in answer["rows"]] == [7, None, None, 0]
    assert len(answer["meta"]["inputs"]) == 2
    chinese = userops("ltv", *options, "--lang", "zh").out
    assert "回本天数" in chinese and "该月没有费用" in chinese
    assert userops("ltv", "orders.csv", "--costs", "costs.csv", "--by", "colour").code == 3


# --- a saved model --------------------------------------------------------------------------------------------------


def test_a_saved_model_says_the_same(userops: Userops) -> None:
    shopping(400, 14).drop("day").write_csv("orders.csv")
    first = told(
        userops, "orders.csv", "--model", "bg-nbd", "--backtest", "none", "--per-user", "--save-model", "m.json"
    )
    saved = Path("m.json").read_bytes()
    again = told(userops, "orders.csv", "--model-file", "m.json", "--per-user")
    jsonschema.validate(again, schemas.of("ltv"))
    assert again["rows"] == first["rows"]
    same = ("model", "parameters", "standard_errors", "spend_parameters", "expected_value", "expected_value_high")
    for name in same:
        assert again["summary"][name] == pytest.approx(first["summary"][name]), name
    assert again["summary"]["drift"] is None and again["summary"]["backtest"] is None
    told(userops, "orders.csv", "--model", "bg-nbd", "--backtest", "none", "--save-model", "m.json")
    assert Path("m.json").read_bytes() == saved


def test_a_saved_model_fits_until_customers_change() -> None:
    """Fitted on day 300. As simulated afterwards it holds; where half of the later orders are lost it does not."""
    frame, at, later = shopping(1500, 15), date(2023, 10, 28), date(2024, 3, 1)
    known = frame.filter(pl.col("ordered_at") <= at)
    model = ltv.analyse(known, as_of=at, model="bg-nbd", backtest=None).model
    holds = ltv.analyse(frame, as_of=later, saved=model)
    drift = holds.summary["drift"]
    assert drift["drifted"] is False and drift["since"] == "2023-10-28" and drift["new"] is None
    came = frame.filter(pl.col("ordered_at").is_between(at, later, closed="right"))
    assert drift["known"]["orders"] == came.select("user_id", "ordered_at").n_unique()
    assert abs(drift["known"]["off"]) < 0.1
    lost = frame.filter((pl.col("ordered_at") <= at) | (pl.col("day") % 2 == 0))
    gone = ltv.analyse(lost, as_of=later, saved=model)
    assert gone.summary["drift"]["drifted"] is True
    assert any("fit anew" in warning.en for warning in gone.provenance.warnings)
    strangers = shopping(400, 16).with_columns(
        user_id="n" + pl.col("user_id"), ordered_at=pl.col("ordered_at") + timedelta(days=301)
    )
    others = ltv.analyse(pl.concat([frame, strangers]), as_of=later, saved=model)
    new = others.summary["drift"]["new"]
    assert 0 < new["users"] <= 400 and abs(new["orders"] - new["expected"]) < 3 * new["deviation"]


def test_model_files_that_are_none(userops: Userops) -> None:
    frame = shopping(200, 17).drop("day")
    frame.write_csv("orders.csv")
    told(userops, "orders.csv", "--model", "nbd", "--save-model", "m.json")
    for options in (["--model", "bg-nbd"], ["--time-unit", "week"], ["--save-model", "n.json"]):
        assert userops("ltv", "orders.csv", "--model-file", "m.json", *options).code == 2
    assert userops("ltv", "orders.csv", "--model-file", "m.json", "--model", "nbd").code == 0
    document = json.loads(Path("m.json").read_text())
    for wrong in (
        {"schema": "userops.ltv-model/9"},
        {"model": "magic"},
        {"users": "many"},
        {"buying": document["buying"] | {"parameters": {"r": -1.0, "alpha": 2.0}}},
        {"buying": document["buying"] | {"parameters": {"r": 1.0}}},
        {"buying": document["buying"] | {"curvature": [[1.0]]}},
        {"more": 1},
    ):
        Path("wrong.json").write_text(json.dumps(document | wrong))
        assert userops("ltv", "orders.csv", "--model-file", "wrong.json").code == 2, wrong
    for text in ("", "[]", "user_id,amount"):
        Path("wrong.json").write_text(text)
        ran = userops("ltv", "orders.csv", "--model-file", "wrong.json")
        assert ran.code == 2 and "holds no saved model" in ran.err
    assert userops("ltv", "orders.csv", "--model-file", "absent.json").code == 2
    orders(HOSTILE["all once"]).write_csv("once.csv")
    assert userops("ltv", "once.csv", "--save-model", "none.json").code == 3
    assert not Path("none.json").exists()
    assert userops("ltv", "once.csv", "--model-file", "m.json").code == 0
    frame.select("user_id", "ordered_at").write_csv("counts.csv")
    assert told(userops, "counts.csv", "--model-file", "m.json")["summary"]["expected_value"] is None


# --- doors ----------------------------------------------------------------------------------------------------------


def test_schema(userops: Userops, shop: Path) -> None:
    file = shop / "orders.csv"
    for options in ((), ("--per-user",), ("--realised", "--days", "7,30"), ("--by", "channel"), ("--backtest", "none")):
        jsonschema.validate(told(userops, file, *options), schemas.of("ltv"))
    orders(HOSTILE["all once"]).write_csv("orders.csv")
    jsonschema.validate(told(userops, "orders.csv"), schemas.of("ltv"))


def test_pages_in_both_languages(userops: Userops, shop: Path) -> None:
    assert "Top 5 %" in userops("ltv", shop / "orders.csv").out
    chinese = userops("ltv", shop / "orders.csv", "--lang", "zh")
    assert "前 5%" in chinese.out and "回测" in chinese.out
    assert "<svg" in userops("ltv", shop / "orders.csv", "--format", "html").out
    assert userops("ltv", shop / "orders.csv", "--realised", "--lang", "zh").code == 0
