"""Churn: features by hand and by brute force, no leak, scores against baselines, refusals that help, hostile input."""

from __future__ import annotations

import json
import random
import re
from collections import defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from conftest import Ran
from userops import churn, frames, money
from userops.errors import InputError, UsageError
from userops.models import churn_model
from userops.models.bg_nbd import MbgNbd
from userops.models.churn_model import Buying, Logistic

Userops = Callable[..., Ran]
DAY_0 = date(2024, 1, 1)


def day(number: int) -> date:
    return DAY_0 + timedelta(days=number)


def orders(rows: list[tuple[str, int, float]]) -> pl.DataFrame:
    """Orders of (user, day since the first of 2024, amount)."""
    schema = {"user_id": pl.String, "day": pl.Int64, "amount": pl.Float64}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return frame.select("user_id", "amount", ordered_at=pl.lit(DAY_0) + pl.duration(days="day"))


def events(rows: list[tuple[str, int, str]]) -> pl.DataFrame:
    """Events of (user, day since the first of 2024, name)."""
    frame = pl.DataFrame(rows, schema={"user_id": pl.String, "day": pl.Int64, "event": pl.String}, orient="row")
    return frame.select("user_id", "event", time=pl.lit(DAY_0) + pl.duration(days="day"))


def known(rows: pl.DataFrame, place: int, **changes: Any) -> dict[str, dict[str, Any]]:
    """What is known of each user at a cutoff, by id."""
    settings = churn.Settings(per_user=True, **changes)
    table = frames.events(rows) if "event" in rows.columns else frames.orders(rows)
    found = churn.counted(table, settings, changes.pop("partitions", 1))
    assert found.ids is not None
    told = found.known(place).join(found.ids, on="user", how="left")
    return {row.pop("user_id"): row for row in told.drop("user").sort("user_id").iter_rows(named=True)}


def regulars(n: int, seed: int, days: int = 400) -> pl.DataFrame:
    """Events of users with rhythms of their own, from daily to every seven weeks, who leave for good at some day."""
    rng, rows = np.random.default_rng(seed), []
    for number in range(n):
        rhythm = float(np.exp(rng.uniform(0, 3.9)))
        at, gone = rng.uniform(0, 200), rng.exponential(250)
        last = at + gone
        while at < min(days, last):
            rows.append((f"u{number}", int(at), "visit"))
            at += max(0.3, rng.gamma(6) / 6 * rhythm)
    return events(rows)


# --- what is known of users -----------------------------------------------------------------------------------------


def test_features_by_hand() -> None:
    log = orders([
        ("a", 0, 10.0), ("a", 4, 20.0), ("a", 4, 5.0), ("a", 14, 1.0), ("a", 15, -6.0), ("a", 22, 2.0), ("a", 29, 2.0),
        ("b", 18, 7.0),
        ("c", 2, -3.0), ("c", 25, 4.0),  # refunded before the first order
        ("d", 3, -3.0),  # a refund only
        ("e", 29, 0.0),
    ])  # fmt: skip
    horizon = timedelta(days=10)
    first, second, third = (known(log, place, horizon=horizon) for place in range(3))  # days 9, 19, 29
    assert first["a"] == {
        "silent_days": 5, "days": 2, "tenure_days": 9, "rhythm_days": 4.0, "last_gap": 4, "longest_gap": 4,
        "recent": 2, "earlier": 0, "spent": 35 * money.SCALE, "refunded": 0, "left": False,
    }  # fmt: skip
    assert second["a"] == {
        "silent_days": 5, "days": 3, "tenure_days": 19, "rhythm_days": 7.0, "last_gap": 10, "longest_gap": 10,
        "recent": 1, "earlier": 2, "spent": 30 * money.SCALE, "refunded": 6 * money.SCALE, "left": False,
    }  # fmt: skip
    assert second["b"] == {
        "silent_days": 1, "days": 1, "tenure_days": 1, "rhythm_days": None, "last_gap": None, "longest_gap": None,
        "recent": 1, "earlier": 0, "spent": 7 * money.SCALE, "refunded": 0, "left": True,
    }  # fmt: skip
    assert (list(first), list(second), list(third)) == (["a"], ["a", "b"], ["a", "b", "c", "e"])
    assert "left" not in third["a"]
    assert (third["c"]["spent"], third["c"]["refunded"]) == (money.SCALE, 3 * money.SCALE)


def test_events_of_a_day_are_one_and_names_are_counted() -> None:
    log = events([("a", 0, "view"), ("a", 0, "view"), ("a", 2, "buy"), ("a", 12, "view"), ("a", 29, "gift")])
    then = known(log, 1, horizon=timedelta(days=10))["a"]
    assert (then["days"], then["breadth"], then["recent"], then["earlier"]) == (3, 2, 1, 2)


def test_lines_of_an_order_are_one_and_a_later_refund_of_it_is_not_known_before() -> None:
    log = orders([("a", 1, 10.0), ("a", 2, 5.0), ("a", 25, -10.0)]).with_columns(order_id=pl.lit("o1"))
    table = frames.orders(log, grain="line", as_of=day(29))
    found = churn.counted(table, churn.Settings(horizon=timedelta(days=10), as_of=day(29)), 1)
    before, after = (found.known(place).row(0, named=True) for place in (1, 2))
    assert (before["days"], before["silent_days"], before["spent"]) == (1, 18, 15 * money.SCALE)
    assert (after["days"], after["spent"], after["refunded"]) == (1, 5 * money.SCALE, 10 * money.SCALE)


@pytest.mark.parametrize("seed", range(3))
def test_brute_force(seed: int) -> None:
    chance, horizon, as_of = random.Random(seed), 13, 95
    rows = [
        (f"u{chance.randrange(80)}", chance.randrange(as_of + 1), float(chance.choice([-4, 0, 2.5, 9])))
        for _ in range(700)
    ]
    rows.append(("last", as_of, 1.0))
    log = orders(rows)
    for place, cutoff in enumerate((as_of - 2 * horizon, as_of - horizon, as_of)):
        expected = {}
        bought, paid = defaultdict(set), defaultdict(list)
        for user, at, amount in rows:
            if amount >= 0:
                bought[user].add(at)
            if at <= cutoff:
                paid[user].append(amount)
        for user, all_days in bought.items():
            days = sorted(at for at in all_days if at <= cutoff)
            if not days:
                continue
            gaps = [b - a for a, b in pairwise(days)]
            expected[user] = {
                "silent_days": cutoff - days[-1],
                "days": len(days),
                "tenure_days": cutoff - days[0],
                "rhythm_days": sum(gaps) / len(gaps) if gaps else None,
                "last_gap": gaps[-1] if gaps else None,
                "longest_gap": max(gaps, default=None),
                "recent": sum(cutoff - horizon < at for at in days),
                "earlier": sum(cutoff - 2 * horizon < at <= cutoff - horizon for at in days),
                "spent": round(sum(paid[user]) * money.SCALE),
                "refunded": -round(sum(amount for amount in paid[user] if amount < 0) * money.SCALE),
                "left": not any(cutoff < at <= cutoff + horizon for at in all_days),
            }
            if place == 2:
                del expected[user]["left"]
        assert known(log, place, horizon=timedelta(days=horizon)) == expected


def test_the_window_is_of_first_acts() -> None:
    log = events([("a", 0, "x"), ("a", 20, "x"), ("b", 11, "x"), ("c", 29, "x")])
    assert list(known(log, 2, horizon=timedelta(days=10), since=day(5), until=day(15))) == ["b"]


def test_what_comes_later_changes_nothing_before() -> None:
    log, settings = regulars(300, 1), churn.Settings(horizon=timedelta(days=60), as_of=day(399), per_user=True)
    later = pl.col("time") > day(399 - 60)
    changed = pl.concat([log.filter(~later), events([(f"u{n}", 345, "odd") for n in range(0, 300, 2)])])
    one, other = (churn.counted(frames.events(rows), settings, 1) for rows in (log, changed))
    assert one.known(0).equals(other.known(0))
    assert one.known(1).drop("left").equals(other.known(1).drop("left"))
    assert not one.known(1).equals(other.known(1))
    said = ["logistic", "recency", "btyd"]
    told = (churn.learned(found, settings).tested.select(said) for found in (one, other))
    assert next(told).equals(next(told))


# --- how right it is ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def told() -> churn.ChurnResult:
    """A thousand users with rhythms of their own."""
    return churn.analyse(regulars(1000, 7), horizon=timedelta(days=60), per_user=True)


def test_a_silence_tells_by_the_rhythm(told: churn.ChurnResult) -> None:
    seen = told.summary
    assert seen["model"] == "logistic"
    assert seen["auc"] > max(seen["btyd_auc"], seen["recency_auc"])
    assert seen["brier"] < 0.8 * min(seen["btyd_brier"], seen["recency_brier"])
    assert seen["calibration_error"] < 0.05
    assert (seen["auc"], seen["brier"]) == (seen["logistic_auc"], seen["logistic_brier"])
    drivers = told.extras["drivers"]
    assert set(drivers["driver"]) == {"silence", "own_rhythm", "rhythm", "frequency", "trend", "tenure", "breadth"}
    assert drivers["driver"][0] == "own_rhythm"
    assert drivers["weight"].sum() == pytest.approx(1)


def test_tenths_add_up(told: churn.ChurnResult) -> None:
    rows, seen = told.rows, told.summary
    assert rows["users"].sum() == seen["tested_users"]
    assert rows["churned"].sum() / seen["tested_users"] == pytest.approx(seen["base_rate"])
    assert rows["captured"][-1] == 1
    assert rows.select(pl.col("lift") * seen["base_rate"]).to_series().to_list() == pytest.approx(
        list(rows["churn_rate"])
    )
    assert rows["p_from"].is_sorted(descending=True)
    assert rows.select((pl.col("predicted") * pl.col("users")).sum()).item() == pytest.approx(
        seen["predicted_rate"] * seen["tested_users"]
    )


def test_risk_is_by_the_odds(told: churn.ChurnResult) -> None:
    users, seen = told.users, told.summary
    assert users is not None
    base = seen["base_rate"] / (1 - seen["base_rate"])
    odds = users["p_churn"] / (1 - users["p_churn"])
    high, low = odds >= 2 * base * (1 - 1e-12), odds < base / 2
    expected = ["high" if h else "low" if x else "medium" for h, x in zip(high, low, strict=True)]
    assert list(users["risk"]) == expected
    for risk in ("high", "medium", "low"):
        assert seen[f"{risk}_users"] == expected.count(risk) == told.extras["risks"].filter(risk=risk)["users"].item()
    assert seen["expected_churned"] == pytest.approx(users["p_churn"].sum())


def test_where_a_baseline_is_better_it_scores_and_that_is_said() -> None:
    rng, rows = np.random.default_rng(3), []
    for number in range(700):  # chance alone: nothing to be learned
        rows += [(f"u{number}", int(at), "visit") for at in rng.integers(0, 300, rng.poisson(4) + 1)]
    result = churn.analyse(events(rows), horizon=timedelta(days=60), per_user=True)
    seen, keys = result.summary, ("logistic", "btyd", "recency")
    assert seen["model"] == min(keys, key=lambda key: seen[f"{key}_brier"])
    assert seen["brier"] == min(seen[f"{key}_brier"] for key in keys)
    assert seen["model"] == "btyd"
    assert "the logistic regression did worse on the later users than BTYD" in repr(result)
    assert result.users is not None
    assert result.users["p_churn"].equals(result.users["btyd_p_churn"])
    assert not seen["dropout_identified"]
    assert result.users["p_alive"].null_count() == result.users.height


def test_shuffled_and_in_parts_the_same_to_the_last_bit(told: churn.ChurnResult) -> None:
    log = regulars(1000, 7).sample(fraction=1, shuffle=True, seed=5)
    other = churn.analyse(log, horizon=timedelta(days=60), per_user=True, partitions=4)
    assert other.rows.equals(told.rows)
    assert other.summary == told.summary
    assert other.users is not None and told.users is not None
    assert other.users.equals(told.users)
    assert all(other.extras[name].equals(frame) for name, frame in told.extras.items())


def test_the_seed_moves_little() -> None:
    log = regulars(300, 2)
    one, other = (churn.analyse(log, horizon=timedelta(days=60), seed=seed).summary for seed in (0, 1))
    assert one["logistic_brier"] != other["logistic_brier"]
    assert one["logistic_brier"] == pytest.approx(other["logistic_brier"], abs=0.005)


def test_a_share_is_enough_to_learn_from(told: churn.ChurnResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(churn, "LEARN_FROM", 400)
    monkeypatch.setattr(churn, "AT_ONCE", 99)
    log = regulars(1000, 7)
    seen = churn.analyse(log, horizon=timedelta(days=60)).summary
    assert seen["trained_users"] < 400
    assert (seen["tested_users"], seen["users"]) == (told.summary["tested_users"], told.summary["users"])
    assert seen["logistic_auc"] == pytest.approx(told.summary["logistic_auc"], abs=0.01)
    monkeypatch.setattr(churn, "LEARN_FROM", 60)  # too few of either kind: all are taken
    whole = churn.analyse(log, horizon=timedelta(days=60)).summary
    assert all(whole[key] == told.summary[key] for key in ("trained_users", "logistic_brier", "recency_brier"))


def test_area_under_the_curve_is_the_chance_of_the_right_order() -> None:
    rng = np.random.default_rng(1)
    p, left = rng.integers(0, 9, 120) / 9, rng.random(120) < 0.4
    pairs = [(a, b) for a in p[left] for b in p[~left]]
    assert churn_model.auc(p, left) == pytest.approx(
        sum(1.0 if a > b else 0.5 * (a == b) for a, b in pairs) / len(pairs)
    )
    assert churn_model.auc(p, np.ones(120, dtype=bool)) is None
    assert churn_model.score(p, np.zeros(120, dtype=bool)).lift is None
    assert churn_model.score(left.astype(float), left)[:2] == (1.0, 0.0)


def test_the_regression_finds_what_was_put_in() -> None:
    rng = np.random.default_rng(2)
    x = np.column_stack([rng.normal(size=40_000), rng.normal(5, 3, 40_000), np.ones(40_000)])
    true = 1 / (1 + np.exp(-(1.5 * x[:, 0] - 0.7)))
    left = rng.random(40_000) < true
    model = Logistic.fit(x, left, 0)
    assert np.abs(model.p(x) - true).max() < 0.03
    lost = churn_model.importance(model, x, left, {"told": (0,), "noise": (1,), "same": (2,)}, 0)
    assert lost["told"][0] > 0.2
    assert abs(lost["noise"][0]) < 0.005
    assert lost["same"] == (0.0, 0.0)


def test_repeat_buying_tells_who_orders_nothing() -> None:
    rng, truth = np.random.default_rng(4), MbgNbd(0.8, 25.0, 0.7, 2.5)
    h = truth.simulate(np.full(6000, 300.0), rng)
    buying = Buying.of(h)
    assert buying is not None and buying.tells
    quiet = np.mean([truth.draw_orders(90.0, h, rng) == 0 for _ in range(20)])
    assert buying.p(h, 90.0).mean() == pytest.approx(quiet, abs=0.015)


def test_reasons_are_of_the_own_rhythm() -> None:
    log = regulars(300, 2)
    own = events(
        [("weekly", at, "visit") for at in range(100, 326, 7)]  # the last on day 324
        + [("back", at, "visit") for at in (100, 150, 300, 392)]
        + [("once", 398, "visit"), ("today", 399, "visit")]
        + [("steady", at, "visit") for at in range(5, 400, 10)]
        + [("less", at, "visit") for at in (*range(280, 340, 3), 350, 394)]
    )
    result = churn.analyse(pl.concat([log, own]), horizon=timedelta(days=60), as_of=day(399), per_user=True)
    assert result.users is not None
    said = {row["user_id"]: (row["reason"], row["reason_zh"]) for row in result.users.iter_rows(named=True)}
    assert said["weekly"] == (
        "silent for 75 days, usually back after 7 days; never so long before (7 at most)",
        "已沉默 75 天,通常间隔 7 天;此前最长仅 7 天",
    )
    assert said["once"] == ("here on one day only, 1 day ago", "仅 1 天到访,1 天前")
    assert said["today"] == ("here on one day only, today", "仅 1 天到访,今天")
    assert said["steady"][0] == "here 4 days ago, usually back after 10 days: within the own rhythm"
    assert said["less"] == (
        "here 5 days ago, but comes less: on 2 days in the last 60, 20 before",
        "5 天前到访,但频次下降:近 60 天 2 天,此前 20 天",
    )
    assert said["back"][0] == "here 7 days ago, usually back after 97 days: within the own rhythm"


# --- refusing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "horizon", "said"),
    [
        (200, 90, "the frame spans 200 days; a horizon of 90 takes 270, three times as many"),
        (
            200,
            60,
            "of the users in the frame, 78 came back within 60 days and 20 did not: it takes 50 of each to learn from",
        ),
    ],
)
def test_too_little_is_refused_with_the_horizon_that_would_do(days: int, horizon: int, said: str) -> None:
    log = regulars(300, 3, days=days)
    with pytest.raises(InputError) as refused:
        churn.analyse(log, horizon=timedelta(days=horizon))
    assert refused.value.message == said
    found = re.match(r"--horizon (\d+)d would do; userops lifecycle", str(refused.value.hint))
    assert found is not None
    longest = int(found[1])
    assert churn.analyse(log, horizon=timedelta(days=longest)).rows.height > 5
    longer = min(n for n in churn.HORIZONS if n > longest)
    with pytest.raises(InputError):
        churn.analyse(log, horizon=timedelta(days=longer))


ODD: dict[str, list[tuple[str, int, float]]] = {
    "one customer": [("a", 7 * n, 5.0) for n in range(60)],
    "one-time buyers": [(f"u{n}", n % 400, 5.0) for n in range(1500)],
    "refunds": [(f"u{n}", n % 400, -5.0) for n in range(500)],
    "identical customers": [(f"u{n}", 20 * k, 5.0) for n in range(200) for k in range(20)],
    "one day": [(f"u{n}", 0, 5.0) for n in range(300)],
}


@pytest.mark.parametrize("name", ODD)
def test_what_cannot_be_learned_is_said_kindly(name: str) -> None:
    with pytest.raises(InputError) as refused:
        churn.analyse(orders(ODD[name]))
    assert refused.value.code in ("E_HISTORY_TOO_SHORT", "E_TOO_FEW")
    assert "no horizon would do" in str(refused.value.hint)
    assert "userops lifecycle" in str(refused.value.hint)


def test_zero_amounts_and_one_history_for_all_give_numbers() -> None:
    chance = random.Random(5)
    free = orders([(f"u{chance.randrange(400)}", chance.randrange(400), 0.0) for _ in range(2000)])
    twins = orders(
        [
            (f"u{n}", at, 1.0)
            for n in range(400)
            for at in (0, 150, *((280, 330) if n % 2 else ()), *((399,) if n % 3 else ()))
        ]
    )
    for log in (free, twins):
        result = churn.analyse(log, per_user=True)
        assert result.users is not None
        numbers = [value for value in result.summary.values() if isinstance(value, float)]
        assert all(np.isfinite(numbers))
        for frame in (result.users, result.rows, *result.extras.values()):
            floats = frame.select(pl.col(pl.Float64).fill_null(0.0))
            assert floats.select(pl.all().is_finite().all()).row(0) == (True,) * floats.width


def test_several_currencies_leave_money_out() -> None:
    log = regulars(300, 3).select(
        "user_id", ordered_at="time", amount=pl.lit(2.0), currency=pl.when(pl.col("user_id") > "u3").then(pl.lit("EUR")).otherwise(pl.lit("USD"))
    )  # fmt: skip
    both, one = churn.analyse(log), churn.analyse(log.with_columns(currency=pl.lit("EUR")))
    assert "money" not in list(both.extras["drivers"]["driver"])
    assert "several currencies" in repr(both)
    assert "money" in list(one.extras["drivers"]["driver"])


@pytest.mark.parametrize("wrong", [{"horizon": timedelta(0)}, {"horizon": timedelta(hours=36)}, {"seed": -1}])
def test_settings_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        churn.Settings(**wrong)


# --- the command ----------------------------------------------------------------------------------------------------


def test_the_command(userops: Userops, shop: Path) -> None:
    ran = userops("churn", shop / "events.parquet", "--horizon", "30d", "-q")
    assert ran.code == 0, ran.err
    for heading in (
        "Risk not to come back within 30 days",
        "What drives it",
        "Tested: users of",
        "The model and the baselines",
    ):
        assert heading in ran.out
    chinese = userops("churn", shop / "events.parquet", "--horizon", "30d", "-q", "--lang", "zh", "--per-user").out
    assert "通常间隔" in chinese
    refused = userops("churn", shop / "orders.csv")
    assert refused.code == 3
    assert "a horizon of 90 takes 270" in refused.err


def test_every_user_once_and_in_order(userops: Userops, shop: Path) -> None:
    told = json.loads(userops("churn", shop / "events.parquet", "--horizon", "30d", "-q", "--per-user", "--json").out)
    ids = [row["user_id"] for row in told["rows"]]
    assert ids == sorted(pl.read_parquet(shop / "events.parquet")["user_id"].unique())
    assert list(told["rows"][0])[:5] == ["user_id", "p_churn", "risk", "reason", "reason_zh"]
    assert set(told["summary"]) >= {
        "auc",
        "brier",
        "base_rate",
        "btyd_auc",
        "btyd_brier",
        "recency_auc",
        "recency_brier",
    }
    assert set(told["tables"]) == {"drivers", "risks"}


def test_cdnow(userops: Userops, shared: Path) -> None:
    path = shared / "data/orders/cdnow_master.csv"
    told = json.loads(userops("churn", path, "--map", "user_id=customer_id", "-q", "--json").out)
    bought = pl.read_csv(path, try_parse_dates=True).select("customer_id", "date")
    cutoff = date(1998, 6, 30) - timedelta(days=90)
    there = bought.filter(pl.col("date") <= cutoff)["customer_id"].unique()
    back = bought.filter(pl.col("date") > cutoff)["customer_id"].unique()
    seen = told["summary"]
    assert seen["tested_users"] == there.len()
    assert seen["base_rate"] == pytest.approx(1 - int(there.is_in(back.implode()).sum()) / there.len())
    assert seen["model"] == "logistic"
    assert seen["auc"] > 0.835
    assert seen["brier"] < min(seen["btyd_brier"], seen["recency_brier"])
    assert seen["calibration_error"] < 0.02
