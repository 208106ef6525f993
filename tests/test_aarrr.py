"""AARRR: a small world by hand, every metric in DuckDB's SQL on a simulated shop, what is missing, mistakes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import jsonschema
import polars as pl
import pytest

from conftest import Ran
from userops import aarrr, demo, frames, retention
from userops.cli_support import schemas
from userops.errors import InputError, UsageError
from userops.models import shop as _shop  # noqa: F401  # numpy is loaded once, not in the middle of a test
from userops.results import Result
from userops.texts import benchmarks

Userops = Callable[..., Ran]

NAMES = [metric.name for metric in aarrr.METRICS]
MARCH = {"since": date(2026, 3, 1), "until": date(2026, 3, 14)}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def events(rows: list[tuple[str, str, str]], **columns: list[str | None]) -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema=["user_id", "event", "time"], orient="row")
    return frame.with_columns(pl.col("time").str.to_datetime(), *(pl.Series(n, v) for n, v in columns.items()))


def orders(rows: list[tuple[str, str, float]]) -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema=["user_id", "ordered_at", "amount"], orient="row")
    return frame.with_columns(pl.col("ordered_at").str.to_datetime())


# a, b and c start in March, a from ads; d is older; as-of is 14 March, so c (10 March) is too young for seven days
EVENTS = events(
    [
        ("d", "open", "2026-02-10 08:00:00"),
        ("a", "open", "2026-03-01 10:00:00"),
        ("a", "buy", "2026-03-01 12:00:00"),
        ("a", "open", "2026-03-02 09:00:00"),
        ("b", "open", "2026-03-03 10:00:00"),
        ("b", "buy", "2026-03-10 10:00:00"),  # exactly seven days on: still within
        ("c", "open", "2026-03-10 10:00:00"),
        ("c", "buy", "2026-03-10 11:00:00"),
        ("d", "open", "2026-03-12 10:00:00"),
        ("a", "open", "2026-03-14 23:00:00"),
    ],
    channel=["mail", "ads", "ads", "mail", "seo", "seo", "seo", "seo", "ads", "mail"],
)
ORDERS = orders([
    ("a", "2026-03-01 12:00:00", 30.0),
    ("a", "2026-03-05 12:00:00", 10.0),
    ("a", "2026-03-06 12:00:00", -4.0),
    ("b", "2026-03-10 10:00:00", 20.0),
    ("c", "2026-03-10 11:00:00", 5.0),
    ("d", "2026-02-10 09:00:00", 100.0),
])  # fmt: skip
COSTS = pl.DataFrame({
    "date": [date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 14), date(2026, 2, 28)],
    "channel": ["ads", "ads", "seo", "ads"],
    "spend": [6.0, 3.0, 3.0, 99.0],
})  # fmt: skip
REFERRALS = pl.DataFrame({
    "referrer_id": ["a", "a", "d", "d"],
    "invited_at": [at("2026-03-01 13:00"), at("2026-03-02 10:00"), at("2026-03-09 10:00"), at("2026-02-11 10:00")],
    "user_id": [None, "b", "c", None],
})  # fmt: skip


def told(result: Result) -> dict[str, Any]:
    return {row["metric"]: row for row in result.rows.iter_rows(named=True)}


def small(**changes: Any) -> Result:
    given: dict[str, Any] = {"costs": COSTS, "referrals": REFERRALS, "activation_event": "buy", **MARCH} | changes
    return aarrr.analyse(given.pop("events", EVENTS), given.pop("orders", ORDERS), **given)


# --- by hand --------------------------------------------------------------------------------------------------------


def test_a_small_world() -> None:
    rows = told(small())
    assert list(rows) == NAMES
    found = {name: (row["numerator"], row["denominator"], row["value"]) for name, row in rows.items()}
    assert found["new_users"] == (3, None, 3)
    assert found["spend"] == (12, None, 12)
    assert found["cac"] == (12, 3, 4)
    assert found["activation_rate"] == (2, 2, 1)  # a and b; c is four days old
    assert found["median_hours_to_value"] == (None, 2, (2 + 168) / 2)
    assert found["d1"] == (1, 3, 1 / 3)
    assert found["d7"] == (1, 2, 0.5)  # b, on 10 March
    assert found["paid_conversion"] == (3, 4, 0.75)
    assert found["arpu"] == (61, 4, 15.25)
    assert found["arppu"] == (61, 3, 61 / 3)
    assert found["aov"] == (61, 4, 15.25)
    assert found["repeat_rate"] == (1, 3, 1 / 3)
    assert found["ltv_7"] == (30 + 10 - 4 + 20, 2, 28)
    assert found["invites"] == (3, None, 3)
    assert found["invite_conversion"] == (2, 3, 2 / 3)
    assert found["k_factor"] == (2, 4, 0.5)
    assert found["cycle_days"] == (None, 2, (1 + 1) / 2)
    assert rows["d30"]["value"] is None
    assert rows["d30"]["reason"] == "nobody of the window is 30 days old yet"
    assert (rows["d7"]["since"], rows["d7"]["until"]) == (date(2026, 3, 1), date(2026, 3, 7))
    low, high = rows["invite_conversion"]["ci_low"], rows["invite_conversion"]["ci_high"]
    assert (low, high) == (pytest.approx(0.2077, abs=1e-4), pytest.approx(0.9385, abs=1e-4))
    assert rows["arpu"]["ci_low"] is None


def test_lifetime_value_over_costs_and_the_day_they_were_paid_back() -> None:
    log = events(
        [("a", "open", "2026-01-01 10:00:00"), ("b", "open", "2026-01-02 10:00:00"), ("b", "open", "2026-05-01")]
    )
    bought = orders([("a", "2026-01-01 11:00", 6.0), ("b", "2026-01-05 10:00", 4.0), ("b", "2026-01-05 10:01", 5.0),
                     ("a", "2026-04-01 10:00", 30.0), ("a", "2026-04-01 10:01", 500.0)])  # fmt: skip
    spent = pl.DataFrame({"date": [date(2026, 1, 1), date(2026, 1, 3)], "channel": ["x", "x"], "spend": [10.0, 90.0]})
    window = {"since": date(2026, 1, 1), "until": date(2026, 1, 2)}
    rows = told(aarrr.analyse(log, bought, costs=spent, as_of=date(2026, 5, 1), **window))
    assert (rows["ltv_90"]["numerator"], rows["ltv_90"]["denominator"]) == (6 + 4 + 5 + 30, 2)  # to the very minute
    assert (rows["ltv_cac"]["numerator"], rows["ltv_cac"]["denominator"], rows["ltv_cac"]["value"]) == (45, 10, 4.5)
    assert rows["payback_days"]["value"] == 3  # 6 on the first day, 10 after 72 hours of b
    dear = spent.with_columns(spend=pl.lit(1000.0))
    unpaid = told(aarrr.analyse(log, bought, costs=dear, as_of=date(2026, 5, 1), **window))["payback_days"]
    assert unpaid["value"] is None
    assert "not paid back" in unpaid["reason"]


def test_the_window_before() -> None:
    """14 days before 1 March: d starts, buys for 100 and invites one who does not come; the data begin on 10 February."""
    since = {"since": date(2026, 2, 24), "until": date(2026, 3, 9)}
    rows = told(small(**since))
    assert rows["new_users"]["previous"] == 1
    assert rows["arpu"]["previous"] == 100
    assert rows["invites"]["previous"] is None  # referrals begin on 11 February
    assert rows["spend"]["previous"] is None
    earlier = told(small(since=date(2026, 2, 23), until=date(2026, 3, 9)))
    assert earlier["new_users"]["previous"] is None
    before = told(small(since=date(2026, 2, 10), until=date(2026, 2, 23)))
    assert before["arpu"]["value"] == rows["arpu"]["previous"]


def test_the_last_four_weeks_by_default_each_metric_as_soon_as_it_can_be_told() -> None:
    start = date(2026, 1, 1)
    days = [datetime.combine(start + timedelta(n), datetime.min.time()) for n in range(90)]
    log = pl.DataFrame({"user_id": [f"u{n}" for n in range(90)], "event": "open", "time": days})
    rows = told(aarrr.analyse(log))
    as_of = start + timedelta(89)
    assert rows["new_users"]["value"] == 28
    assert (rows["new_users"]["since"], rows["new_users"]["until"]) == (as_of - timedelta(27), as_of)
    assert (rows["d30"]["since"], rows["d30"]["until"]) == (as_of - timedelta(57), as_of - timedelta(30))
    assert rows["d30"]["denominator"] == 28
    assert rows["d30"]["previous"] == 0.0


def test_sign_ups_start_users_and_value_before_them_does_not_count() -> None:
    users = pl.DataFrame({
        "user_id": ["a", "b", "z"],
        "signed_up_at": [at("2026-03-01 12:30:00"), at("2026-03-03 09:00:00"), at("2026-03-05 09:00:00")],
        "plan": ["pro", "free", "free"],
    })  # fmt: skip
    again = events([("a", "buy", "2026-03-01 13:30:00")])
    log = pl.concat([EVENTS.drop("channel"), again])
    rows = told(small(events=log, users=users))
    assert rows["new_users"]["value"] == 4  # z signed up and never came
    assert (rows["activation_rate"]["numerator"], rows["activation_rate"]["denominator"]) == (1, 3)  # b is an hour late
    assert rows["median_hours_to_value"]["value"] == 1
    by = small(events=log, users=users, by="plan").rows.filter(pl.col("metric") == "new_users")
    assert dict(by.select("plan", "value").iter_rows()) == {"free": 2, "pro": 1, None: 1}


def test_acts_of_the_first_week_beside_coming_back() -> None:
    """Four newcomers: two shared, one of whom came back; of the others one did."""
    log = [(u, "open", "2026-01-01 10:00") for u in "abcd"] + [(u, "share", "2026-01-07 10:00") for u in "ab"]
    log += [(u, "open", "2026-01-08 10:00") for u in "ac"] + [("d", "share", "2026-01-08"), ("d", "open", "2026-01-29")]
    log += [("x", "open", "2026-02-20")]
    acts = aarrr.analyse(events(log), since=date(2026, 1, 1), until=date(2026, 1, 2)).extras["first_week_acts"]
    rows = {row["event"]: row for row in acts.iter_rows(named=True)}
    assert (rows["share"]["users"], rows["share"]["returned"], rows["share"]["others_retention"]) == (2, 1, 1.0)
    assert rows["share"]["correlation"] == pytest.approx(-1 / 3**0.5)  # [[1, 1], [2, 0]]
    assert (rows["open"]["users"], rows["open"]["correlation"]) == (4, None)


# --- what holds in general ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world() -> demo.Shop:
    return demo.tables(demo.Settings(customers=1_200, days=200))


def report(world: demo.Shop, **changes: Any) -> Result:
    given: dict[str, Any] = {"users": world.users, "costs": world.costs, "referrals": world.referrals} | changes
    events = given.pop("events", world.events)
    return aarrr.analyse(events, given.pop("orders", world.orders), activation_event="purchase", **given)


SQL = {
    "new_users": "select count(*) from people where day between {s} and {u}",
    "spend": "select sum(spend) from costs where date between {s} and {u}",
    "cac": "select (select sum(spend) from costs where date between {s} and {u}) / count(*) from people where day between {s} and {u}",
    "activation_rate": """select avg((exists (select 1 from events e where e.user_id = p.user_id and event = 'purchase'
        and time between t and t + interval 7 day))::int) from people p where day between {s} and {u}""",
    "median_hours_to_value": """select median(h) from (select min(epoch_us(time) - epoch_us(t)) / 3.6e9 h from people p
        join events e using (user_id) where event = 'purchase' and time between t and t + interval 7 day
        and day between {s} and {u} group by p.user_id)""",
    **{
        f"d{n}": f"""select avg((exists (select 1 from events e where e.user_id = p.user_id and time::date = day + {n}))::int)
        from people p where day between {{s}} and {{u}}"""
        for n in (1, 7, 30)
    },
    "paid_conversion": """select count(distinct o.user_id) / count(distinct e.user_id) from
        (select user_id from events where time::date between {s} and {u}) e left join (select user_id from orders
        where amount >= 0 and ordered_at::date between {s} and {u}) o using (user_id)""",
    "arpu": """select sum(amount) / (select count(distinct user_id) from events where time::date between {s} and {u})
        from orders where ordered_at::date between {s} and {u}""",
    "arppu": "select sum(amount) / count(distinct user_id) filter (amount >= 0) from orders where ordered_at::date between {s} and {u}",
    "aov": "select sum(amount) / count(*) filter (amount >= 0) from orders where ordered_at::date between {s} and {u}",
    "repeat_rate": """select avg((n > 1)::int) from (select count(*) n from orders where amount >= 0
        and ordered_at::date between {s} and {u} group by user_id)""",
    **{
        f"ltv_{n}": f"""select (select sum(amount) from orders join people using (user_id) where day between {{s}} and {{u}}
        and ordered_at <= t + interval {n} day) / count(*) from people where day between {{s}} and {{u}}"""
        for n in (7, 30, 90)
    },
    "ltv_cac": """select (select sum(amount) from orders join people using (user_id) where day between {s} and {u}
        and ordered_at <= t + interval 90 day) / sum(spend) from costs where date between {s} and {u}""",
    "payback_days": """select min(n) from range(0, 91) r(n) where (select sum(amount) from orders join people using (user_id)
        where day between {s} and {u} and ordered_at <= t + n * interval 1 day)
        >= (select sum(spend) from costs where date between {s} and {u})""",
    "invites": "select count(*) from referrals where invited_at::date between {s} and {u}",
    "invite_conversion": "select count(user_id) / count(*) from referrals where invited_at::date between {s} and {u}",
    "k_factor": """select count(user_id) / (select count(distinct user_id) from events where time::date between {s} and {u})
        from referrals where invited_at::date between {s} and {u}""",
    "cycle_days": """select median(epoch_us(t) - epoch_us(invited_at)) / 8.64e10 from referrals join people using (user_id)
        where invited_at::date between {s} and {u}""",
}  # fmt: skip


@pytest.mark.parametrize("signed_up", [True, False])
def test_every_metric_is_what_sql_says(world: demo.Shop, signed_up: bool) -> None:
    db = duckdb.connect()
    for name in ("events", "orders", "users", "costs", "referrals"):
        db.register(f"{name}_", getattr(world, name).to_arrow())
        db.execute(f"create table {name} as select * from {name}_")
    start = "signed_up_at t from users" if signed_up else "min(time) t from events group by 1"
    db.execute(f"create table people as select *, t::date as day from (select user_id, {start})")
    length = timedelta(days=28)
    for row in report(world, users=world.users if signed_up else None).rows.iter_rows(named=True):
        for column, back in (("value", timedelta()), ("previous", length)):
            days = {"s": f"date '{row['since'] - back}'", "u": f"date '{row['until'] - back}'"}
            (wanted,) = db.execute(SQL[row["metric"]].format(**days)).fetchone() or (None,)
            assert row[column] == pytest.approx(wanted, rel=1e-12), (row["metric"], column)


def test_retention_is_that_of_the_retention_command(world: demo.Shop) -> None:
    window = {"since": date(2025, 5, 1), "until": date(2025, 7, 18)}
    users = world.users.select("user_id", "signed_up_at")
    theirs = retention.analyse(world.events, users=users, days=(1, 7, 30), **window)
    rows = told(report(world, **window))
    for n in (1, 7, 30):
        assert rows[f"d{n}"]["value"] == theirs.summary[f"d{n}_retention"]
        average = {row["period"]: row["eligible_users"] for row in theirs.summary["average"]}
        assert rows[f"d{n}"]["denominator"] == average[n]


def test_shuffled_rows_and_partitions_change_no_byte(world: demo.Shop) -> None:
    plain = report(world, by="platform")
    mixed = {name: getattr(world, name).sample(fraction=1, shuffle=True, seed=5) for name in
             ("events", "orders", "users", "costs", "referrals")}  # fmt: skip
    for other in (report(world, by="platform", **mixed), report(world, by="platform", partitions=3)):
        assert other.rows.equals(plain.rows)
        assert other.summary == plain.summary
        assert all(other.extras[name].equals(table) for name, table in plain.extras.items())


def test_values_of_a_column_add_up_to_the_whole(world: demo.Shop) -> None:
    whole, by = told(report(world)), report(world, by="channel").rows
    for name, row in whole.items():
        parts = by.filter(pl.col("metric") == name)
        if row["numerator"] is not None:
            assert parts["numerator"].sum() == pytest.approx(row["numerator"], rel=1e-12), name
        if row["denominator"] is not None:
            assert parts["denominator"].sum() == pytest.approx(row["denominator"], rel=1e-12), name
        assert set(parts["previous"].is_null()) <= {True, False}
    channels = report(world).extras["channels"]
    assert channels["new_users"].sum() == whole["new_users"]["value"]
    assert channels["spend"].sum() == pytest.approx(whole["spend"]["value"])


def test_who_nobody_knows_is_a_group_of_their_own() -> None:
    unknown = REFERRALS.with_columns(referrer_id=pl.lit("stranger"), user_id=pl.lit(None, pl.String))
    bought = pl.concat([ORDERS, orders([("stranger", "2026-03-04", 9.0)])])
    by = small(referrals=pl.concat([REFERRALS, unknown]), orders=bought, by="channel").rows
    assert dict(by.filter(pl.col("metric") == "invites").select("channel", "value").iter_rows())[None] == 3
    assert by.filter(pl.col("metric") == "arppu")["numerator"].sum() == 70
    assert None not in small(events=EVENTS.rename({"channel": "plan"}), by="plan").rows["plan"].to_list()


def test_ids_of_other_types_join() -> None:
    numbers = {name: pl.col(name).replace_strict({"a": 1, "b": 2, "c": 3, "d": 4}, return_dtype=pl.Int64)
               for name in ("user_id", "referrer_id")}  # fmt: skip
    log, sent = EVENTS.with_columns(numbers["user_id"]), REFERRALS.with_columns(**numbers)
    wanted = small().rows
    texts = ORDERS.with_columns(numbers["user_id"].cast(pl.String))
    assert small(events=log, referrals=sent, orders=texts).rows.equals(wanted)
    assert small(events=log, referrals=sent, orders=texts.cast({"user_id": pl.Int64})).rows.equals(wanted)


# --- what the data do not hold --------------------------------------------------------------------------------------


def test_events_alone_say_what_is_missing() -> None:
    rows = told(aarrr.analyse(EVENTS, **MARCH))
    assert rows["d1"]["value"] == 1 / 3
    for name, why in {"spend": "needs costs", "activation_rate": "no activation event", "arpu": "needs orders",
                      "ltv_7": "needs orders", "k_factor": "needs referrals"}.items():  # fmt: skip
        assert rows[name]["value"] is None
        assert rows[name]["reason"].startswith(why)
    assert all(row["reason"] is None for row in rows.values() if row["value"] is not None)


def test_orders_alone_start_users_at_their_first_order() -> None:
    rows = told(aarrr.analyse(orders=ORDERS, referrals=REFERRALS, **MARCH))
    assert rows["new_users"]["value"] == 3
    assert rows["arppu"]["value"] == 61 / 3
    assert rows["arpu"]["reason"] == "needs events (--events)"
    assert rows["invite_conversion"]["value"] == 2 / 3  # who has not ordered may have joined
    assert rows["cycle_days"]["reason"].startswith("nothing says when")


def test_a_window_without_costs_has_no_spend_and_a_channel_without_any_has_none() -> None:
    early = told(small(since=date(2026, 2, 10), until=date(2026, 2, 20)))
    assert (early["spend"]["value"], early["spend"]["reason"]) == (None, "no costs on these days")
    by = small(by="channel").rows.filter(pl.col("metric") == "cac")
    assert dict(by.select("channel", "value").iter_rows()) == {"ads": 9.0, "mail": None, "seo": 1.5}
    other = small(events=EVENTS.rename({"channel": "plan"}), by="plan").rows.filter(pl.col("metric") == "cac")
    assert set(other["reason"]) == {"costs are told by channel, not by plan"}


def test_those_invited_join_by_as_of() -> None:
    """c starts on 10 March: as of the 9th the invitation is out and unanswered, whatever the file knows since."""
    rows = told(small(as_of=date(2026, 3, 9)))
    assert (rows["invite_conversion"]["numerator"], rows["invite_conversion"]["denominator"]) == (1, 3)


def test_doubts_are_said() -> None:
    late = orders([("stranger", "2026-03-04", 9.0)])
    unpaid = COSTS.with_columns(channel=pl.lit("google"), date=pl.col("date") - timedelta(5))
    said = " ".join(w.en for w in small(orders=pl.concat([ORDERS, late]), costs=unpaid).provenance.warnings)
    assert "1 users of the orders are in none of the events" in said
    assert "no user came by: google" in said
    assert "the costs end on 2026-03-09" in said
    assert "the data begin on 2026-02-10" in " ".join(w.en for w in small(since=date(2026, 2, 1)).provenance.warnings)


def test_one_row_and_hostile_values() -> None:
    rows = told(aarrr.analyse(events([("a", "open", "2026-03-01")])))
    assert (rows["new_users"]["value"], rows["d1"]["value"], rows["new_users"]["previous"]) == (1, None, None)
    bad = pl.concat([EVENTS.drop("channel"), events([("", "open", "2026-03-01"), ("null", "buy", "2026-03-02")])])
    assert told(small(events=bad))["new_users"]["value"] == 3
    costs = pl.concat([COSTS, COSTS.with_columns(spend=pl.lit(float("nan")))])
    result = small(costs=costs)
    assert told(result)["spend"]["value"] == 12
    assert [report.rejected for report in result.provenance.inputs][2] == {"non_finite_amount": 4}
    doubled = told(small(events=pl.concat([EVENTS, EVENTS]), referrals=REFERRALS))
    assert doubled["d7"]["value"] == 0.5


def test_money_is_of_one_currency() -> None:
    mixed = ORDERS.with_columns(currency=pl.Series(["EUR"] * 5 + ["USD"]))
    with pytest.raises(InputError, match="mixes currencies"):
        small(orders=mixed)
    with pytest.raises(InputError, match="mixes currencies"):
        small(orders=ORDERS.with_columns(currency=pl.lit("EUR")), costs=COSTS.with_columns(currency=pl.lit("USD")))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"activation_event": "bye"}, "E_EVENT_UNKNOWN"),
        ({"by": "planet"}, "E_COLUMN_UNKNOWN"),
        ({"by": "metric"}, "E_BAD_VALUE"),
        ({"activation_within": timedelta()}, "E_BAD_VALUE"),
        ({"since": date(2026, 4, 1)}, "E_BAD_VALUE"),
        ({"confidence": 2.0}, "E_BAD_VALUE"),
        ({"events": None, "orders": None}, "E_NO_ACTS"),
        ({"events": EVENTS.clear()}, "E_EMPTY"),
        ({"costs": COSTS.drop("spend")}, "E_COLUMN_MISSING"),
        ({"referrals": REFERRALS.drop("referrer_id")}, "E_COLUMN_MISSING"),
    ],
)
def test_mistakes(changes: dict[str, Any], code: str) -> None:
    with pytest.raises((InputError, UsageError)) as error:
        small(**changes)
    assert error.value.code == code


def test_benchmarks_only_for_a_vertical_that_is_named() -> None:
    assert "benchmarks" not in small().extras
    assert small(vertical="E Commerce").extras["benchmarks"]["vertical"].unique().to_list() == ["e-commerce"]
    assert "no benchmark for 'bakery'" in repr(small(vertical="bakery"))
    for benchmark in benchmarks.BENCHMARKS:
        assert benchmark.metric in NAMES
        assert benchmark.source
        assert benchmark.seen


# --- the command ----------------------------------------------------------------------------------------------------


@pytest.fixture
def files(userops: Userops) -> Userops:
    EVENTS.write_parquet("events.parquet")
    ORDERS.write_csv("orders.csv")
    COSTS.write_csv("costs.csv")
    REFERRALS.write_csv("referrals.csv")
    return userops


MARCH_DAYS = ("--since", "2026-03-01", "--until", "2026-03-14")


def test_files_by_option_and_by_what_they_hold(files: Userops) -> None:
    kinds = {"events": "events.parquet", "orders": "orders.csv", "costs": "costs.csv", "referrals": "referrals.csv"}
    named = [word for kind, name in kinds.items() for word in (f"--{kind}", name)]
    options = ("--activation-event", "buy", *MARCH_DAYS, "--json")
    ran = files("aarrr", *named, *options)
    assert ran.code == 0, ran.err
    answer = json.loads(ran.out)
    jsonschema.validate(answer, schemas.of("aarrr"))
    assert answer["summary"]["activation_rate"] == 1.0
    assert answer["rows"] == json.loads(small().rows.write_json())
    assert [entry["rows_read"] for entry in answer["meta"]["inputs"]] == [10, 6, 4, 4]
    assert answer["meta"]["settings"]["activation_within"] == "7d"
    again = files("aarrr", "referrals.csv", "costs.csv", "events.parquet", "orders.csv", *options)
    assert json.loads(again.out)["rows"] == answer["rows"]


def test_the_configuration_says_what_activates_and_which_line_of_business(files: Userops) -> None:
    config = 'vertical = "saas"\n[activation]\nevent = "buy"\nwithin = "12h"\n'
    Path("userops.toml").write_text(config, encoding="utf-8")
    answer = json.loads(files("aarrr", "events.parquet", *MARCH_DAYS, "--json").out)
    assert answer["meta"]["settings"]["activation_event"] == "buy"
    assert answer["meta"]["settings"]["activation_within"] == "12h"
    assert answer["summary"]["activation_rate"] == 2 / 3
    assert answer["tables"]["benchmarks"][0]["vertical"] == "saas"
    given = json.loads(files("aarrr", "events.parquet", *MARCH_DAYS, "--activation-within", "7d", "--json").out)
    assert given["summary"]["activation_rate"] == 1.0
    Path("userops.toml").write_text('[activation]\nevnt = "buy"\n', encoding="utf-8")
    ran = files("aarrr", "events.parquet")
    assert ran.code == 2
    assert "did you mean 'event'" in ran.err


def test_conditions_and_columns_go_to_the_files_that_have_them(files: Userops) -> None:
    ORDERS.with_columns(currency=pl.Series(["EUR"] * 5 + ["USD"])).rename({"amount": "sum"}).write_csv("mixed.csv")
    base = ("aarrr", "--events=events.parquet", "--orders=mixed.csv", "--map=amount=sum", *MARCH_DAYS, "--json")
    ran = files(*base)
    assert ran.code == 3
    assert "mixes currencies" in ran.err
    chosen = files(*base, "--where", "currency=EUR", "--rejects", "bad.csv")
    assert chosen.code == 0, chosen.err
    assert json.loads(chosen.out)["summary"]["arppu"] == 61 / 3
    assert "USD" in Path("bad.csv").read_text(encoding="utf-8")
    assert files(*base, "--where", "colour=red").code == 3
    assert files(*base, "--map", "user_id=nobody").code == 3
    Path("users.csv").write_text("uid,joined\na,2026-03-01\n", encoding="utf-8")
    beside = ("--users-table=users.csv", "--map", "signed_up_at=joined", "--map", "user_id=uid")
    told = files(*base, "--where", "currency=EUR", *beside)
    assert told.code == 0, told.err
    assert json.loads(told.out)["summary"]["new_users"] == 3


def test_costs_that_know_nothing_of_a_condition_are_told_of(files: Userops) -> None:
    base = ("aarrr", "events.parquet", "costs.csv", *MARCH_DAYS, "--json", "-q")
    apart = json.loads(files(*base, "--where", "event=open").out)
    assert apart["meta"]["warnings"][0].startswith("--where 'event=open' leaves costs.csv as it is: no column 'event'")
    listed = ("--only-users", "events.parquet")
    assert "costs know nothing of --only-users" in json.loads(files(*base, *listed).out)["meta"]["warnings"][0]
    both = json.loads(files(*base, "--where", "channel=ads").out)
    assert not any("--where" in warning for warning in both["meta"]["warnings"])
    assert both["summary"]["spend"] == 9.0


def test_mistakes_on_the_command_line_are_one_line(files: Userops) -> None:
    Path("notes.csv").write_text("user_id,text\nu,hello\n", encoding="utf-8")
    for arguments, code in (
        (("--costs", "costs.csv"), 2),
        (("notes.csv",), 3),
        (("--events", "orders.csv"), 3),
        (("--events", "nothing.csv"), 3),
        (("events.parquet", "--activation-event", "bui"), 3),
        (("events.parquet", "--activation-within", "0d"), 2),
        (("events.parquet", "--activation-within", "soon"), 2),
        (("events.parquet", "--by", "planet"), 3),
    ):
        ran = files("aarrr", *arguments, "-q")
        assert (ran.code, ran.out) == (code, ""), (arguments, ran)
        assert ran.err.startswith("userops: error:"), ran.err
        assert "Traceback" not in ran.err


def test_the_page_says_it_in_both_languages(files: Userops) -> None:
    arguments = ("aarrr", "events.parquet", "orders.csv", "costs.csv", "--activation-event", "buy", *MARCH_DAYS)
    english, chinese = files(*arguments, "-q").out, files(*arguments, "-q", "--lang", "zh").out
    for stage in ("Acquisition", "Activation", "Retention", "Revenue", "Referral"):
        assert stage in english
    for stage in ("获取", "激活", "留存", "变现", "推荐"):
        assert stage in chinese
    assert "correlation" not in english  # nobody is 28 days old
    assert "no margin is known" in english
    assert "no benchmark: name the line of business" in english
    assert "invites, invite conversion, K-factor, cycle, days: needs referrals" in english
    assert files(*arguments, "--fail-if", "activation_rate < 2", "-q").code == 4


def test_frames_read_from_files_are_those_made_in_python(files: Userops) -> None:
    assert frames.good(frames.costs(COSTS).rows).collect()["amount"].to_list() == [60_000, 30_000, 30_000, 990_000]
    assert frames.good(frames.referrals(REFERRALS).rows).collect()["user_id"].to_list() == [None, "b", "c", None]
