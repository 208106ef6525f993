"""Audit: every planted defect is found with its count, clean data raise none, and nothing that can be read stops it."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest

from conftest import Ran
from userops import audit, demo, frames
from userops.audit import checks, drift
from userops.audit.checks import Verdict, days
from userops.outputs import plain
from userops.results import Result, Text
from userops.texts.checks import CHECKS

Userops = Callable[..., Ran]
DAYS = 120


@dataclass(frozen=True)
class Data:
    """The tables of one shop."""

    orders: pl.DataFrame
    events: pl.DataFrame
    users: pl.DataFrame

    def tables(self, *names: str) -> list[frames.Table]:
        chosen: dict[str, frames.Table] = {
            "orders": frames.orders(self.orders, grain="order"),
            "events": frames.events(self.events),
            "users": users_of(self.users),
        }
        return [chosen[name] for name in names or tuple(chosen)]


def users_of(frame: pl.DataFrame) -> frames.Users:
    raw = frame.lazy().with_columns(reject=pl.lit(0, pl.UInt8))
    source = frames.Source("users", "canonical", {})
    return frames.Users(rows=raw, raw=raw, sources=(source,), user_id_dtype=pl.String())


@cache
def clean(seed: int = 1) -> Data:
    shop = demo.tables(demo.Settings(customers=600, days=DAYS, seed=seed, stories=False))
    return Data(shop.orders, shop.events, shop.users)


def found(result: Result, check: str, file: int = 0) -> dict[str, Any]:
    """The row of one check, of the first file it was not skipped for."""
    rows = result.rows.filter(pl.col("id") == check, pl.col("status") != "skipped")
    return rows.row(file, named=True)


def alarms(result: Result) -> list[tuple[str, str]]:
    return result.rows.filter(pl.col("status").is_in(["warn", "error"])).select("id", "evidence").rows()


# --- clean data -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_clean_data_raise_none(seed: int) -> None:
    result = audit.analyse(clean(seed).tables())
    assert alarms(result) == []
    assert (result.summary["grade"], result.summary["errors"], result.summary["warnings"]) == ("A", 0, 0)
    assert result.summary["users"] == 600
    assert result.rows.height == 3 * len(CHECKS)
    assert result.rows["id"].unique().sort().to_list() == [f"DQ{n:02}" for n in range(1, 20)]
    passed = result.rows.filter(pl.col("status") == "ok")
    assert passed.height > 25
    assert passed["fix"].null_count() == passed.height


# --- planted defects ------------------------------------------------------------------------------------------------

Planted = tuple[list[frames.Table], int | None]
"""The tables with a defect, and how many of the unit it touches."""


def some(frame: pl.DataFrame, share: float) -> pl.Expr:
    """True for the first rows, that share of them."""
    return pl.int_range(pl.len()) < int(frame.height * share)


def number(frame: pl.DataFrame, share: float) -> int:
    return int(frame.height * share)


def copied_events() -> Planted:
    data = clean()
    events = pl.concat([data.events, data.events.drop_nulls("user_id").head(60)])
    return replace(data, events=events).tables("events"), 60


def repeated_orders() -> Planted:
    data = clean()
    again = data.orders.filter(pl.col("amount") > 0).head(9).with_columns(pl.col("ordered_at") + pl.duration(hours=1))
    return replace(data, orders=pl.concat([data.orders, again])).tables("orders"), 9


def nobodys() -> Planted:
    data = clean()
    nobody = pl.when(some(data.events, 0.03)).then(None).when(some(data.events, 0.07)).then(pl.lit("undefined"))
    hidden = pl.when(some(data.events, 0.07)).then(nobody).otherwise("user_id")
    return replace(data, events=data.events.with_columns(user_id=hidden)).tables("events"), number(data.events, 0.07)


def a_few_nobodys() -> Planted:
    data = clean()
    hidden = pl.when(~some(data.events, 0.01)).then("user_id")
    return replace(data, events=data.events.with_columns(user_id=hidden)).tables("events"), number(data.events, 0.01)


def far_future() -> Planted:
    data = clean()
    at = pl.when(pl.int_range(pl.len()) < 2).then(datetime(2062, 5, 1)).otherwise("ordered_at")
    at = pl.when(pl.int_range(pl.len()).is_between(2, 4)).then(datetime(1970, 1, 1)).otherwise(at)
    return replace(data, orders=data.orders.with_columns(ordered_at=at)).tables("orders"), 5


def late_senders() -> Planted:
    data = clean()
    late = pl.when(some(data.events, 0.05)).then(pl.col("time") + pl.duration(hours=3)).otherwise(pl.col("time"))
    return replace(data, events=data.events.with_columns(ingested_at=late)).tables("events"), number(data.events, 0.05)


def clocks_ahead() -> Planted:
    data = clean()
    early = pl.when(some(data.events, 0.02)).then(pl.col("time") - pl.duration(hours=2)).otherwise(pl.col("time"))
    return replace(data, events=data.events.with_columns(ingested_at=early)).tables("events"), number(data.events, 0.02)


def before_sign_up() -> Planted:
    data = clean()
    later = pl.when(pl.int_range(pl.len()) < 100).then(datetime(2025, 12, 1)).otherwise("signed_up_at")
    first = data.users.head(100)["user_id"].implode()
    n = data.events.filter(pl.col("user_id").is_in(first))["user_id"].n_unique()
    return replace(data, users=data.users.with_columns(signed_up_at=later)).tables("events", "users"), n


def unreadable_amounts() -> Planted:
    data = clean()
    wrong = pl.when(some(data.orders, 0.02)).then(math.nan).when(some(data.orders, 0.03)).then(math.inf)
    amount = pl.when(some(data.orders, 0.03)).then(wrong).otherwise("amount")
    return replace(data, orders=data.orders.with_columns(amount=amount)).tables("orders"), number(data.orders, 0.03)


def refunds_of_nobody() -> Planted:
    data = clean()
    sales = data.orders.filter(pl.col("amount") > 0)
    strangers = sales.head(40).with_columns(
        pl.format("R{}", "order_id").alias("order_id"), pl.format("X{}", "user_id").alias("user_id"), -pl.col("amount")
    )
    return replace(data, orders=pl.concat([data.orders, strangers])).tables("orders"), 40


def one_giant() -> Planted:
    data = clean()
    amount = pl.when(pl.col("order_id") == data.orders.filter(pl.col("amount") > 0)["order_id"][5])
    giant = amount.then(2_000_000.0).otherwise("amount")
    return replace(data, orders=data.orders.with_columns(amount=giant)).tables("orders"), 1


def two_currencies() -> Planted:
    data = clean()
    currency = pl.when(some(data.orders, 0.1)).then(pl.lit("EUR")).otherwise("currency")
    return replace(data, orders=data.orders.with_columns(currency=currency)).tables("orders"), number(data.orders, 0.1)


def yuan_and_fen() -> Planted:
    data = clean()
    sales = data.orders.filter(pl.col("amount") > 10)
    fen = pl.when(some(sales, 0.2)).then(pl.col("amount") * 100).otherwise("amount")
    return replace(data, orders=sales.with_columns(amount=fen)).tables("orders"), number(sales, 0.2)


def test_users() -> Planted:
    data = clean()
    renamed = pl.when(some(data.events, 0.01)).then(pl.lit("test_01")).otherwise("user_id")
    renamed = pl.when(pl.int_range(pl.len()) < 5).then(pl.lit("内部员工")).otherwise(renamed)
    return replace(data, events=data.events.with_columns(user_id=renamed)).tables("events"), number(data.events, 0.01)


test_users.__test__ = False  # type: ignore[attr-defined] # no test, a plant


def one_cent() -> Planted:
    data = clean()
    amount = pl.when(pl.int_range(pl.len()) < 7).then(0.01).otherwise("amount")
    return replace(data, orders=data.orders.with_columns(amount=amount)).tables("orders"), 7


def bot(pause: timedelta, rows: int) -> Planted:
    data = clean()
    start = datetime(2025, 3, 3)
    clicks = data.events.head(1).select(
        pl.exclude("time", "user_id", "event_id", "ingested_at"),
        user_id=pl.lit("robot"),
        event_id=pl.lit(-1, pl.Int64),
        time=pl.lit([start + i * pause for i in range(rows)], pl.List(pl.Datetime("us"))),
        ingested_at=pl.lit(None, data.events.schema["ingested_at"]),
    )
    every = clicks.explode("time").with_columns(event_id=-pl.int_range(pl.len()) - 1, event=pl.lit("visit"))
    events = pl.concat([data.events, every.select(data.events.columns)])
    return replace(data, events=events).tables("events"), rows


def tireless_bot() -> Planted:
    return bot(timedelta(minutes=23, seconds=7), 62)


def busy_bot() -> Planted:
    return bot(timedelta(milliseconds=250), 900)


def clockwork_bot() -> Planted:
    return bot(timedelta(seconds=30), 300)


def mass_orders() -> Planted:
    data = clean()
    many = data.orders.filter(pl.col("amount") > 0).head(80)
    many = many.with_columns(
        pl.format("N{}", "order_id").alias("order_id"), user_id=pl.lit("Z1"), ordered_at=datetime(2025, 3, 3, 15)
    )
    return replace(data, orders=pl.concat([data.orders, many])).tables("orders"), 80


def missing_day() -> Planted:
    data, day = clean(), date(2025, 4, 9)
    return replace(data, events=data.events.filter(pl.col("time").dt.date() != day)).tables("events"), 1


def half_a_day() -> Planted:
    data = clean()
    cut = datetime(2025, 1, 1) + timedelta(days=DAYS - 1, hours=9)
    return replace(data, events=data.events.filter(pl.col("time") < cut)).tables("events"), 1


def thrice_the_rows() -> Planted:
    data, day = clean(), date(2025, 4, 9)
    more = data.events.filter(pl.col("time").dt.date().is_between(day - timedelta(days=21), day))
    same_day = pl.col("time") + (pl.lit(day) - pl.col("time").dt.date())
    moved = more.with_columns(time=same_day, ingested_at=same_day, user_id=pl.format("M{}", "user_id"))
    moved = moved.filter(pl.col("time").dt.date() == day)
    return replace(data, events=pl.concat([data.events, moved])).tables("events"), 1


def alike_ids() -> Planted:
    data = clean()
    chosen = data.events["user_id"].unique().sort()[:4]
    lower = pl.when(pl.col("user_id").is_in(chosen.implode()) & (pl.int_range(pl.len()) % 2 == 0))
    small = lower.then(pl.col("user_id").str.to_lowercase()).otherwise("user_id")
    events = data.events.sort("user_id", "time").with_columns(user_id=small)
    return replace(data, events=events).tables("events"), 8


def leading_zeros() -> Planted:
    data = clean()
    digits = pl.col("user_id").str.slice(1)
    mixed = pl.when(pl.int_range(pl.len()) % 2 == 0).then(digits).otherwise(digits.str.strip_chars_start("0"))
    orders = data.orders.sort("user_id", "ordered_at").with_columns(user_id=mixed)
    n = orders.group_by(pl.col("user_id").str.strip_chars_start("0")).agg(pl.col("user_id").n_unique().alias("n"))
    return replace(data, orders=orders).tables("orders"), int(n.filter(pl.col("n") > 1)["n"].sum())


def shared_device() -> Planted:
    data = clean()
    device = pl.when(some(data.events, 0.05)).then(pl.lit("emulator")).otherwise(pl.format("d{}", "user_id"))
    events = data.events.with_columns(device_id=device)
    return replace(data, events=events).tables("events"), events.filter(pl.col("device_id") == "emulator")[
        "user_id"
    ].n_unique()


def utc_for_shanghai() -> Planted:
    data = clean()
    shifted = pl.col("time") - pl.duration(hours=8)
    return replace(data, events=data.events.with_columns(time=shifted)).tables("events"), data.events.height


def dates_for_times() -> Planted:
    data = clean()
    at = pl.when(some(data.events, 0.1)).then(pl.col("time").dt.truncate("1d")).otherwise("time")
    return replace(data, events=data.events.with_columns(time=at)).tables("events"), number(data.events, 0.1)


def bought_unseen() -> Planted:
    data = clean()
    buyers = data.events.filter(pl.col("event") == "purchase")["user_id"].unique().sort()[:60]
    theirs = pl.col("user_id").is_in(buyers.implode())
    events = data.events.filter(~theirs | (pl.col("event") == "purchase"))
    return replace(data, events=events).tables("events"), 60


def unknown_users() -> Planted:
    data = clean()
    there = data.orders["user_id"].unique().sort()[:30]
    users = data.users.filter(~pl.col("user_id").is_in(there.implode()))
    return replace(data, users=users).tables("orders", "users"), 30


def lost_orders() -> Planted:
    data = clean()
    sold = data.orders.filter(pl.col("amount") > 0)
    lost = sold["order_id"].head(40)
    orders = data.orders.filter(~pl.col("order_id").is_in(lost.implode()))
    return replace(data, orders=orders).tables("events", "orders"), 40


PLANTS: list[tuple[Callable[[], Planted], str, str]] = [
    (copied_events, "DQ01", "error"),
    (repeated_orders, "DQ01", "error"),
    (nobodys, "DQ02", "error"),
    (a_few_nobodys, "DQ02", "warn"),
    (far_future, "DQ03", "warn"),
    (late_senders, "DQ04", "warn"),
    (clocks_ahead, "DQ04", "warn"),
    (before_sign_up, "DQ04", "warn"),
    (unreadable_amounts, "DQ05", "error"),
    (refunds_of_nobody, "DQ05", "warn"),
    (one_giant, "DQ06", "warn"),
    (two_currencies, "DQ07", "error"),
    (yuan_and_fen, "DQ07", "warn"),
    (test_users, "DQ08", "warn"),
    (one_cent, "DQ08", "warn"),
    (tireless_bot, "DQ09", "warn"),
    (busy_bot, "DQ09", "warn"),
    (clockwork_bot, "DQ09", "warn"),
    (mass_orders, "DQ09", "warn"),
    (missing_day, "DQ10", "error"),
    (half_a_day, "DQ10", "warn"),
    (thrice_the_rows, "DQ11", "warn"),
    (alike_ids, "DQ13", "warn"),
    (leading_zeros, "DQ13", "warn"),
    (shared_device, "DQ13", "warn"),
    (utc_for_shanghai, "DQ15", "warn"),
    (dates_for_times, "DQ16", "warn"),
    (bought_unseen, "DQ18", "warn"),
    (unknown_users, "DQ18", "warn"),
    (lost_orders, "DQ18", "warn"),
]


@pytest.mark.parametrize(("plant", "check", "status"), PLANTS, ids=[plant.__name__ for plant, _, _ in PLANTS])
def test_a_planted_defect_is_found(plant: Callable[[], Planted], check: str, status: str) -> None:
    tables, n = plant()
    result = audit.analyse(tables)
    row = found(result, check)
    assert (row["status"], row["affected"]) == (status, n), row["evidence"]
    assert row["share"] is not None
    assert 0 < row["share"] <= 1
    assert row["fix"]
    assert result.summary["grade"] > "A"


def test_a_day_that_is_not_over_shows_in_its_rows_too() -> None:
    data = clean()
    last = date(2025, 1, 1) + timedelta(days=DAYS - 1)
    few = data.events.filter((pl.col("time").dt.date() < last) | (pl.int_range(pl.len()) % 10 == 0))
    row = found(audit.analyse(replace(data, events=few).tables("events")), "DQ19")
    assert (row["status"], row["affected"], row["unit"]) == ("warn", 1, "days")
    assert last.isoformat() in row["evidence"]


def test_prices_and_quantities_are_held_against_the_amount() -> None:
    lines = pl.DataFrame(
        {
            "user_id": ["a", "b"] * 50,
            "ordered_at": [datetime(2026, 1, 1)] * 100,
            "quantity": [2] * 100,
            "unit_price": [5.0] * 100,
        }
    ).with_columns(amount=pl.when(pl.int_range(pl.len()) < 30).then(9.0).otherwise(10.0))
    row = found(audit.analyse([frames.orders(lines)]), "DQ18")
    assert (row["status"], row["affected"], row["share"]) == ("warn", 30, 0.3)


def test_payments_are_held_against_their_orders() -> None:
    """An order at noon every day: paid 4 and 5 minutes before, an hour after, never; on the same day, on the day before."""
    noon, paid = datetime(2026, 1, 1, 12), [timedelta(minutes=minutes) for minutes in (-4, -5, 60)]
    times = [noon + one for one in paid] + [None, datetime(2026, 1, 1), datetime(2025, 12, 31)]
    orders = pl.DataFrame(
        {"user_id": [f"u{k}" for k in range(6)], "ordered_at": [noon] * 6, "amount": [1.0] * 6, "paid_at": times}
    )
    row = found(audit.analyse([frames.orders(orders)]), "DQ04")
    assert (row["status"], row["affected"], row["share"]) == ("warn", 2, 2 / 5)
    never = audit.analyse([frames.orders(orders.with_columns(paid_at=pl.lit(None, pl.Datetime("us"))))])
    assert never.rows.filter(id="DQ04")["status"].to_list() == ["skipped"]


@pytest.mark.parametrize(
    ("header", "row", "status"),
    [
        ("ordered_at,paid_at", "2026-01-01 12:00,2026-01-01 11:00", "warn"),
        ("ordered_at,paid_at", "2026-01-01 12:00,2026-01-01T12:30:00+00:00", "ok"),
        ("ordered_at,paid_at", "2026-01-01 12:00,2026-01-01T12:30:00+01:00", "warn"),  # 11:30
        ("created_at,Paid at", "2026-01-01 12:00,2026年1月1日 11:00", "warn"),
        ("paid_at,created_at", "2026-01-01 12:00,2026-01-01 12:06", "warn"),  # the time of an order is its payment
        ("ordered_at,paid_at", "2026-01-01 12:00,01/02/2026", "skipped"),  # days or months first?
        ("ordered_at,paid_at", "2026-01-01 12:00,soon", "skipped"),
    ],
)
def test_payments_as_text(userops: Userops, tmp_path: Path, header: str, row: str, status: str) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(f"user_id,amount,{header}\na,1,{row}\n", encoding="utf-8")
    ran = userops("audit", path, "--map", f"ordered_at={header.partition(',')[0]}", "--json", "-q")
    (told,) = [one for one in json.loads(ran.out)["rows"] if one["id"] == "DQ04"]
    assert told["status"] == status, told["evidence"]


def test_columns_of_a_file_may_go_by_our_own_names(userops: Userops, tmp_path: Path) -> None:
    """Rows that differ in ``source`` only are no copies; evidence keeps the file's ``status`` beside its own."""
    path = tmp_path / "orders.csv"
    rows = [f"u{k},2026-01-{k % 28 + 1:02} 10:00,{k},{name},paid" for k in range(40) for name in ("app", "web")]
    path.write_text("\n".join(["user_id,ordered_at,amount,source,status", *rows, ",2026-01-01,5,app,open"]))
    ran = userops("audit", path, "--evidence", tmp_path / "evidence.csv", "--json", "-q")
    statuses = {row["id"]: row["status"] for row in json.loads(ran.out)["rows"]}
    assert (statuses["DQ01"], statuses["DQ02"]) == ("ok", "warn")
    evidence = pl.read_csv(tmp_path / "evidence.csv").filter(id="DQ02").to_dicts()
    assert [(one["status"], one["reason"], one["source"], one["status_2"]) for one in evidence] == [
        ("warn", "missing_user_id", "app", "open")
    ]


def test_benford_is_a_remark_at_most_and_asks_for_enough() -> None:
    n = 4000
    orders = {"user_id": [f"u{i}" for i in range(n)], "ordered_at": [datetime(2026, 1, 1)] * n}
    natural = pl.DataFrame(orders | {"amount": [10 ** (i / n * 4) + i * 1e-4 for i in range(n)]})
    even = pl.DataFrame(orders | {"amount": [float(i % 997) * 9 + i / 1000 + 1 for i in range(n)]})
    prices = pl.DataFrame(orders | {"amount": [float(10 ** (i % 5)) for i in range(n)]})
    statuses = [
        audit.analyse([frames.orders(frame)]).rows.row(13, named=True)["status"] for frame in (natural, even, prices)
    ]
    assert statuses == ["ok", "info", "skipped"]


def test_many_users_of_one_address() -> None:
    data = clean()
    events = data.events.with_columns(ip=pl.when(some(data.events, 0.1)).then(pl.lit("10.0.0.1")))
    users = events.filter(pl.col("ip").is_not_null())["user_id"].n_unique()
    assert users > 50
    row = found(audit.analyse(replace(data, events=events).tables("events")), "DQ09")
    assert (row["status"], row["affected"], row["unit"]) == ("warn", users, "users")


def test_rows_after_as_of_are_a_fault_only_where_the_data_do_not_go_on() -> None:
    day = date(2025, 3, 1)
    n = clean().events.filter(pl.col("time") >= datetime(2025, 3, 2)).height
    past = audit.analyse([frames.events(clean().events, as_of=day)], audit.Settings(as_of=day))
    assert (found(past, "DQ03")["status"], found(past, "DQ03")["affected"]) == ("info", n)
    assert past.summary["grade"] == "A"
    last = date(2025, 1, 1) + timedelta(days=DAYS - 1)
    ahead = pl.when(pl.int_range(pl.len()) < 3).then(pl.col("time") + pl.duration(days=DAYS + 20)).otherwise("time")
    few = frames.events(clean().events.with_columns(time=ahead), as_of=last)
    row = found(audit.analyse([few], audit.Settings(as_of=last)), "DQ03")
    assert (row["status"], row["affected"]) == ("warn", 3)


def test_a_condition_that_narrows_but_one_file_says_so(userops: Userops, shop: Path) -> None:
    ran = userops("audit", shop / "orders.parquet", shop / "events.parquet", "--where", "event=view", "--json")
    assert "warning: --where 'event=view' leaves" in ran.err
    assert "orders.parquet as it is" in ran.err


def test_a_file_of_which_no_row_counts_is_a_d(userops: Userops, shop: Path) -> None:
    told = json.loads(userops("audit", shop / "orders.parquet", "--where", "channel=none", "--json", "-q").out)
    assert (told["summary"]["grade"], told["summary"]["errors"]) == ("D", 0)


# --- against the last run -------------------------------------------------------------------------------------------


def profile(tables: list[frames.Table]) -> dict[str, audit.Profile]:
    return {one.subject.kind: one.profile for one in audit.look(tables).scans}


def test_nothing_drifts_from_itself() -> None:
    tables = clean().tables("events")
    rows = audit.analyse(tables, last=profile(tables))
    assert (found(rows, "DQ12")["status"], found(rows, "DQ17")["status"]) == ("ok", "ok")


@pytest.mark.parametrize(
    ("change", "status", "affected", "word"),
    [
        (lambda e: e.drop("platform"), "error", 1, "columns gone: platform"),
        (lambda e: e.with_columns(extra=1), "warn", 1, "columns new: extra"),
        (lambda e: e.with_columns(pl.col("event_id").cast(pl.String)), "warn", 1, "event_id Int64 → String"),
        (lambda e: e.with_columns(channel=pl.when(pl.int_range(pl.len()) % 2 == 0).then("channel")), "warn", 1, "channel (PSI"),
        (lambda e: e.with_columns(platform=pl.lit("web")), "warn", 1, "platform (PSI"),
        (lambda e: e.rename({"platform": "os"}), "error", 2, "columns gone: platform; columns new: os"),
    ],
    ids=["gone", "new", "type", "nulls", "categories", "renamed"],
)  # fmt: skip
def test_drift(change: Callable[[pl.DataFrame], pl.DataFrame], status: str, affected: int, word: str) -> None:
    data = clean()
    last = profile(data.tables("events"))
    result = audit.analyse(replace(data, events=change(data.events)).tables("events"), last=last)
    row = found(result, "DQ12")
    assert (row["status"], row["affected"]) == (status, affected)
    assert word in row["evidence"]
    assert result.summary["grade"] == ("D" if status == "error" else "C")


def test_the_stability_index_by_hand() -> None:
    assert drift.psi({"a": 0.5, "b": 0.5}, {"a": 0.5, "b": 0.5}) == 0
    by_hand = (0.8 - 0.5) * math.log(0.8 / 0.5) + (0.2 - 0.5) * math.log(0.2 / 0.5)
    assert drift.psi({"a": 0.5, "b": 0.5}, {"a": 0.8, "b": 0.2}) == pytest.approx(by_hand)
    assert drift.psi({"a": 1.0}, {"b": 1.0}) == pytest.approx(2 * (1 - 1e-4) * math.log(1e4))


def test_a_few_rows_drift_by_chance_alone() -> None:
    random = Random(3)
    days = [datetime(2026, 1, 1) + timedelta(hours=i) for i in range(60)]

    def drawn() -> list[frames.Table]:
        letters = [random.choice("abcdefghijklmnopqrst") for _ in days]
        rows = {"user_id": [f"u{i}" for i in range(len(days))], "event": letters, "time": days}
        return [frames.events(pl.DataFrame(rows))]

    first, second = drawn(), drawn()
    assert drift.psi(*(profile(one)["events"].columns["event"]["shares"] for one in (first, second))) > 0.2
    assert found(audit.analyse(second, last=profile(first)), "DQ12")["status"] == "ok"


def test_late_arrivals_are_rows_the_last_run_did_not_have() -> None:
    data = clean()
    early = data.events.filter(pl.col("time") < datetime(2025, 3, 1))
    late = early.with_row_index().filter(pl.col("index") % 50 == 0).drop("index")
    last = profile(replace(data, events=early.join(late, on="event_id", how="anti")).tables("events"))
    row = found(audit.analyse(data.tables("events"), last=last), "DQ17")
    assert (row["status"], row["affected"]) == ("info", late.height)
    gone = found(audit.analyse(replace(data, events=early.head(500)).tables("events"), last=last), "DQ17")
    assert (gone["status"], gone["affected"]) == ("warn", early.height - late.height - 500)


# --- the grade ------------------------------------------------------------------------------------------------------


def graded(*verdicts: tuple[str, str, float | None]) -> str:
    checks_by_id = {check.id: check for check in CHECKS}
    scan: Any = None
    return audit.grade(
        [
            audit.Finding(checks_by_id[check], scan, Verdict(status, Text("", ""), 1, share))  # type: ignore[arg-type]
            for check, status, share in verdicts
        ]
    )


def test_the_rule_of_the_grade() -> None:
    assert graded() == "A"
    assert graded(("DQ02", "ok", 0.0), ("DQ05", "info", 0.5), ("DQ04", "skipped", None)) == "A"
    assert graded(("DQ09", "warn", 0.9), ("DQ01", "warn", 0.01)) == "B"
    assert graded(("DQ02", "warn", 0.02)) == "C"
    assert graded(("DQ04", "warn", 0.0), ("DQ06", "warn", 0.0), ("DQ08", "warn", 0.0)) == "B"
    assert graded(*[("DQ06", "warn", 0.0)] * 4) == "C"
    assert graded(("DQ01", "error", 0.01)) == "C"
    assert graded(("DQ01", "error", 0.02)) == "D"
    assert graded(("DQ07", "error", 0.001)) == "D"
    assert graded(("DQ12", "error", 0.001)) == "D"


# --- any rows at all ------------------------------------------------------------------------------------------------


def test_order_and_partitions_change_nothing() -> None:
    (broken,), _ = copied_events()
    frame = broken.raw.drop("reject").collect()
    both = [
        frames.events(frame.with_columns(ip=pl.format("10.0.0.{}", pl.col("user_id").str.slice(-1)))),
        *clean().tables("orders", "users"),
    ]
    shuffled = [
        frames.events(both[0].raw.drop("reject").collect().sample(fraction=1, shuffle=True, seed=7)),
        frames.orders(clean().orders.sample(fraction=1, shuffle=True, seed=8), grain="order"),
        users_of(clean().users.sample(fraction=1, shuffle=True, seed=9)),
    ]
    results = [audit.analyse(both), audit.analyse(shuffled), audit.analyse(both, partitions=5)]
    texts = [json.dumps([one.rows.to_dicts(), one.summary, one.provenance.facts], default=str) for one in results]
    assert texts[1] == texts[0]
    assert texts[2] == texts[0]
    assert plain.render(results[1], "en") == plain.render(results[0], "en")
    evidence = [audit.look(tables).evidence() for tables in (both, shuffled)]
    assert evidence[0].equals(evidence[1])


EVENTS = {"user_id": pl.String(), "event": pl.String(), "time": pl.Datetime("us")}
ORDERS = {"user_id": pl.String(), "ordered_at": pl.Datetime("us"), "amount": pl.Float64(), "order_id": pl.String()}


@pytest.mark.parametrize("n", [0, 1, 2, 40])
@pytest.mark.parametrize("null", [True, False])
def test_hostile_rows_are_no_obstacle(n: int, *, null: bool) -> None:
    at, who = (None, None) if null else (datetime(2026, 1, 1), "a")
    events = frames.events(pl.DataFrame([(who, "x", at)] * n, schema=EVENTS, orient="row"))
    orders = frames.orders(pl.DataFrame([(who, at, -1.0, "o")] * n, schema=ORDERS, orient="row"))
    users = users_of(
        pl.DataFrame(
            {"user_id": [who] * n, "signed_up_at": [at] * n},
            schema_overrides={"signed_up_at": pl.Datetime("us"), "user_id": pl.String()},
        )
    )
    result = audit.analyse([events, orders, users])
    assert result.rows.height == 3 * len(CHECKS)
    assert result.summary["rows"] == 3 * n
    if null and n:
        assert (found(result, "DQ02")["status"], found(result, "DQ02")["affected"]) == ("error", n)
    if n == 40 and not null:
        assert found(result, "DQ01")["affected"] == 39
        assert found(result, "DQ01", 1)["affected"] == 39
    plain.render(result, "zh")


def test_all_time_is_one_file() -> None:
    days = [datetime(1900, 1, 1), datetime(1970, 1, 1), datetime(2026, 1, 1), datetime(2262, 12, 31)]
    rows = pl.DataFrame({"user_id": [str(i) for i in range(1, 5)], "event": "x", "time": days})
    result = audit.analyse([frames.events(rows)])
    assert found(result, "DQ03")["affected"] == 2  # where clocks begin; two rows have no middle to be far from
    assert (result.summary["first"], result.summary["last"]) == ("2026-01-01", "2262-12-31")


def test_many_rows_are_looked_at_by_a_fixed_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("userops.audit.scan.EXACT_UP_TO", 100)
    events = clean().events
    row = found(audit.analyse(replace(clean(), events=pl.concat([events, events])).tables("events")), "DQ01")
    assert row["affected"] == pytest.approx(events.height, rel=0.15)
    assert row["evidence"].startswith("about ")


def test_dropped_copies_are_told(userops: Userops) -> None:
    (table,), n = copied_events()
    table.raw.drop("reject", "event_id").collect().write_parquet("events.parquet")
    told = json.loads(userops("audit", "events.parquet", "--drop-duplicates", "--json", "-q").out)
    row = next(row for row in told["rows"] if row["id"] == "DQ01")
    assert (row["status"], row["affected"]) == ("warn", n)
    assert "dropped" in row["evidence"]


def usual_of(counts: dict[int, int], day: int) -> tuple[float, float] | None:
    """The median of the four nearest same weekdays with rows on either side, and of how far they are from it."""
    same = [d for d in counts if (d - day) % 7 == 0]
    if sum(counts[d] > 0 for d in same) * 2 < len(same):
        return None
    before = sorted((d for d in same if d < day and counts[d]), reverse=True)[:4]
    after = sorted(d for d in same if d > day and counts[d])[:4]
    near = [counts[d] for d in (*before, *after)]
    if len(near) < 3:
        return None
    middle = statistics.median(near)
    away = statistics.median(abs(n - middle) for n in near)
    return middle, max(1.4826 * away, math.sqrt(2 * 3 * middle), 0.1 * middle)


def test_what_a_weekday_usually_has_against_plain_python() -> None:
    random = Random(4)
    counts = {
        day: 0 if random.random() < 0.2 or day % 7 == 2 else random.randrange(5, 400) for day in range(20_000, 20_150)
    }
    frame = pl.DataFrame({"day": list(counts), "n": list(counts.values())}, schema={"day": pl.Int32, "n": pl.Int64})
    rows = days.expected(frame, burst=3.0)
    assert rows["day"].to_list() == list(counts)
    some_closed = 0
    for day, _, usual, spread, _ in rows.iter_rows():
        by_hand = usual_of(counts, day)
        some_closed += by_hand is None
        assert usual == (by_hand[0] if by_hand else None)
        assert spread == (pytest.approx(by_hand[1]) if by_hand else None)
    assert 0 < some_closed < len(counts)


def test_one_of_a_kind_is_in_the_singular() -> None:
    said = "1 rows are the same; 21 rows are old; 1 users act; 1 days without a row; 1,001 rows have; 0.1 hours"
    assert checks.in_singular(Text(said, "")).en == (
        "1 row is the same; 21 rows are old; 1 user acts; 1 day without a row; 1,001 rows have; 0.1 hours"
    )


# --- the command ----------------------------------------------------------------------------------------------------


def test_several_files_each_by_what_it_holds(userops: Userops, shop: Path) -> None:
    ran = userops("audit", *(shop / f"{name}.parquet" for name in ("users", "events", "orders")), "--json", "-q")
    told = json.loads(ran.out)
    assert (ran.code, ran.err) == (0, "")
    assert list(dict.fromkeys(Path(row["file"]).name for row in told["rows"])) == [
        "orders.parquet",
        "events.parquet",
        "users.parquet",
    ]
    assert set(told["meta"]["profile"]) == {"orders", "events", "users"}
    assert told["summary"]["currency"] == "USD"
    assert "user_id" in told["meta"]["profile"]["orders"]["columns"]
    assert "shares" not in told["meta"]["profile"]["orders"]["columns"]["user_id"]
    assert "shares" in told["meta"]["profile"]["orders"]["columns"]["channel"]


def broken_orders(folder: Path) -> Path:
    orders = clean().orders.with_columns(
        pl.when(pl.int_range(pl.len()) == 3).then(pl.lit("=cmd()\x1b[31m")).when(pl.int_range(pl.len()) < 3).then(pl.lit("test7")).otherwise("user_id").alias("user_id"),
        pl.when(pl.int_range(pl.len()) % 10 == 0).then(pl.lit("EUR")).otherwise("currency").alias("currency"),
    ).drop("product")  # fmt: skip
    again = pl.concat([orders, orders.tail(4)])
    lines = again.write_csv().splitlines()
    lines[9] = lines[9].replace("2025-", "2025/13-", 1)
    lines[11] = lines[11].replace(lines[11].split(",")[3], "much")
    path = folder / "broken.csv"
    path.write_text("\n".join(lines)[:-30])
    return path


def test_what_stops_other_commands_is_a_finding_here(userops: Userops, tmp_path: Path) -> None:
    path = broken_orders(tmp_path)
    assert userops("rfm", path, "-q").code == 3
    ran = userops("audit", path, "--json", "-q")
    assert ran.code == 0
    rows = {row["id"]: row for row in json.loads(ran.out)["rows"]}
    assert rows["DQ01"]["status"] == "error"
    assert (rows["DQ03"]["status"], rows["DQ03"]["affected"]) == ("warn", 1)
    assert "2025/13-" in rows["DQ03"]["evidence"]
    assert "much" in rows["DQ05"]["evidence"]
    assert rows["DQ07"]["status"] == "error"
    assert "test7" in rows["DQ08"]["evidence"]
    assert rows["DQ19"]["status"] == "warn"
    assert "\x1b" not in ran.out


def test_evidence_holds_the_rows_and_says_which_check(userops: Userops, tmp_path: Path) -> None:
    path = broken_orders(tmp_path)
    ran = userops("audit", path, "--evidence", "evidence.csv", "--json", "-q")
    rows = {row["id"]: row for row in json.loads(ran.out)["rows"]}
    evidence = pl.read_csv("evidence.csv", infer_schema=False)
    counted = dict(evidence.group_by("id").agg(pl.len()).iter_rows())
    assert counted["DQ08"] == rows["DQ08"]["affected"] == 3
    assert counted["DQ07"] == rows["DQ07"]["affected"]
    assert counted["DQ01"] == 2 * rows["DQ01"]["affected"]  # with the rows they repeat
    assert evidence.filter(pl.col("id") == "DQ03")["reason"].to_list() == ["unreadable_time"]
    assert {"channel", "platform", "order_id", "amount"} <= set(evidence.columns)
    assert evidence.filter(pl.col("id") == "DQ08")["user_id"].unique().to_list() == ["test7"]


def test_evidence_is_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "EVIDENCE_ROWS", 10)
    tables, _ = nobodys()
    rows = audit.look(tables).evidence()
    assert rows.filter(pl.col("id") == "DQ02").height == 10


def test_fail_on(userops: Userops, tmp_path: Path, shop: Path) -> None:
    path = broken_orders(tmp_path)
    assert userops("audit", path, "-q").code == 0
    ran = userops("audit", path, "--fail-on", "error", "-o", "page.html")
    assert ran.code == 4
    assert "--fail-on error" in ran.err
    assert Path("page.html").stat().st_size > 1000
    assert userops("audit", path, "--fail-if", "errors > 0", "-q").code == 4
    clean().users.write_parquet("users.parquet")
    assert userops("audit", "users.parquet", "--fail-on", "warn", "-q").code == 0


def test_compare_with_an_earlier_audit(userops: Userops, tmp_path: Path) -> None:
    clean().orders.write_parquet("orders.parquet")
    assert userops("audit", "orders.parquet", "--json", "-o", "last.json", "-q").code == 0
    clean().orders.drop("platform").write_parquet("orders.parquet")
    rows = {
        row["id"]: row
        for row in json.loads(userops("audit", "orders.parquet", "--compare-with", "last.json", "--json", "-q").out)[
            "rows"
        ]
    }
    assert (rows["DQ12"]["status"], rows["DQ17"]["status"]) == ("error", "ok")
    assert "platform" in rows["DQ12"]["evidence"]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"schema": "userops.rfm/1"}',
        '{"schema": "userops.audit/1", "meta": {"profile": {"orders": 1}}}',
    ],
)
def test_what_is_no_audit_is_not_compared_with(userops: Userops, shop: Path, content: str) -> None:
    Path("last.json").write_text(content)
    ran = userops("audit", shop / "orders.parquet", "--compare-with", "last.json")
    assert ran.code == 2
    assert "last.json" in ran.err


def test_thresholds_from_the_command_line_and_the_configuration(userops: Userops, tmp_path: Path) -> None:
    tables, n = dates_for_times()
    tables[0].raw.drop("reject").collect().write_parquet("events.parquet")

    def status(*more: str) -> str:
        told = json.loads(userops("audit", "events.parquet", "--json", "-q", *more).out)
        assert told["meta"]["settings"]["threshold"]["midnight"] in (0.05, 0.2)
        return str(next(row for row in told["rows"] if row["id"] == "DQ16")["status"])

    assert status() == "warn"
    assert status("--threshold", "midnight=0.2") == "ok"
    Path("userops.toml").write_text("[audit.threshold]\nmidnight = 0.2\n")
    assert status() == "ok"
    assert n
    for wrong in ("midnite=0.2", "midnight", "midnight=x", "midnight=-1", "midnight=nan"):
        assert userops("audit", "events.parquet", "--threshold", wrong).code == 2


def test_ids_are_hidden_with_pseudonyms(userops: Userops, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USEROPS_PSEUDONYM_KEY", "0123456789abcdef0123")
    tables, _ = alike_ids()
    tables[0].raw.drop("reject").collect().write_parquet("events.parquet")
    plainly = userops("audit", "events.parquet", "--json", "-q").out
    hidden = userops("audit", "events.parquet", "--json", "-q", "--pseudonymise").out
    assert "u0000001" in plainly
    assert "u0000001" not in hidden.lower()
    assert "v1:" in hidden
    assert userops("audit", "events.parquet", "--pseudonymise", "--evidence", "e.csv").code == 2


def test_a_file_of_nothing_known_is_said_to_be_so(userops: Userops, shop: Path) -> None:
    ran = userops("audit", shop / "costs.csv")
    assert ran.code == 3
    assert "costs.csv" in ran.err
    both = userops("audit", shop / "costs.csv", shop / "users.parquet")
    assert both.code == 0
    assert "costs.csv holds costs: left out" in both.err


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("user_id,event,time\na,x,2026-01-01\nb,x,2026-01-02\n", "ok"),
        ("user_id,event,time\na,x,2026-01-01\nb,x,2026-01-02", "info"),
        ("user_id,event,time\na,x,2026-01-01\nb,x", "warn"),
        ("user_id,event,time\na,x\nb,x", "info"),
    ],
)
def test_how_a_text_ends(userops: Userops, text: str, status: str) -> None:
    Path("events.csv").write_text(text)
    told = json.loads(userops("audit", "events.csv", "--json", "-q").out)
    assert next(row for row in told["rows"] if row["id"] == "DQ19")["status"] == status


def test_both_languages(userops: Userops, tmp_path: Path) -> None:
    path = broken_orders(tmp_path)
    english, chinese = userops("audit", path, "-q").out, userops("audit", path, "-q", "--lang", "zh").out
    assert "Mixed currencies or units" in english
    assert "币种或单位混用" in chinese
    assert "What to do first" in english
    assert english.index("What to do first") < english.index("All checks")
    assert "优先处理" in chinese
    assert not any(word in chinese for word in ("rows", "What to do", "sound"))


def test_every_check_is_judged_and_worded() -> None:
    assert [check.id for check in CHECKS] == list(checks.JUDGES)
    for check in CHECKS:
        assert check.name.en
        assert check.fix.zh


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "grade", "statuses"),
    [
        # 135,080 lines without a customer; closed at Christmas, Easter and on bank holidays; 5,225 lines twice
        ("orders/online_retail.parquet", "D", {"DQ02": "error", "DQ10": "error", "DQ01": "warn", "DQ06": "warn"}),
        ("orders/cdnow_master.csv", "B", {"DQ01": "warn", "DQ16": "info", "DQ02": "ok", "DQ10": "ok"}),
        ("events/rete_ecom.csv", "B", {"DQ01": "warn", "DQ10": "ok", "DQ15": "ok"}),
    ],
)
def test_real_files(shared: Path, userops: Userops, name: str, grade: str, statuses: dict[str, str]) -> None:
    told = json.loads(userops("audit", shared / "data" / name, "--json", "-q").out)
    rows = {row["id"]: row for row in told["rows"]}
    assert told["summary"]["grade"] == grade
    assert {check: rows[check]["status"] for check in statuses} == statuses
    if "retail" in name:
        assert (rows["DQ02"]["affected"], rows["DQ01"]["affected"]) == (135_080, 5_225)
