"""Sums per day and cell: what plain Python says, whatever the order of rows and the number of partitions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from userops import coded, frames, money, partition, tables
from userops.checkup import dailies
from userops.checkup.dailies import OTHER, Cells, Dimension, EventPlan, OrderPlan

FIRST = date(2024, 1, 1)
EPOCH = date(1970, 1, 1)
NAMES = ("visit", "cart", "buy")
CHANNELS, PLATFORMS, COUNTRIES = (None, "ads", "mail", "rare"), ("ios", "web"), ("CN", "US", None)
CHANNEL, PLATFORM, COUNTRY = Dimension("channel", ("ads", "mail")), Dimension("platform", PLATFORMS), Dimension("country", ("CN", "US"))  # fmt: skip


def number(day: date) -> int:
    """Days since 1970."""
    return (day - EPOCH).days


def label(dimension: Dimension, value: str | None) -> str:
    """What the cell of a value is called."""
    return value if value in dimension.values else OTHER


def log(seed: int, rows: int = 400) -> pl.DataFrame:
    """Events of some 25 users, some of nobody, of no name, or without a time; no two at one time."""
    random = Random(seed)
    start = datetime(2024, 1, 1)
    times = random.sample(range(50 * 24 * 60), rows)
    return pl.DataFrame(
        {
            "user_id": [random.choice([*(f"u{n}" for n in range(25)), None]) for _ in range(rows)],
            "event": [random.choice([*NAMES, "rest", None]) for _ in range(rows)],
            "time": [None if random.random() < 0.02 else start + timedelta(minutes=t) for t in times],
            "channel": [random.choice(CHANNELS) for _ in range(rows)],
            "platform": [random.choice(PLATFORMS) for _ in range(rows)],
        },
        schema_overrides={"channel": pl.String},
    )


def people(seed: int) -> pl.DataFrame:
    """Some of the users, signed up before, on or after their first event."""
    random = Random(seed + 1)
    return pl.DataFrame(
        {
            "user_id": [f"u{n}" for n in range(0, 25, 2)],
            "signed_up_at": [datetime(2024, 1, 1) + timedelta(days=random.randint(-5, 20)) for _ in range(0, 25, 2)],
            "country": [random.choice(COUNTRIES) for _ in range(0, 25, 2)],
        },
        schema_overrides={"country": pl.String},
    )


def with_codes(users: pl.DataFrame, table: frames.Table) -> pl.DataFrame:
    """Users as a plan wants them."""
    known = tables.known_users(users, table, "day", "monday")
    return known.select("user", "signed_up", country=COUNTRY.code(pl.col("country")))


def event_tables(frame: pl.DataFrame, users: pl.DataFrame | None, partitions: int = 1) -> dict[str, pl.DataFrame]:
    """The cells of events and newcomers with their labels, and how often users were there."""
    events = frames.events(frame, as_of=date(2024, 2, 15))
    user_dims = (COUNTRY,) if users is not None else ()
    known, span = with_codes(users, events) if users is not None else None, (number(FIRST), number(date(2024, 2, 15)))
    plan = EventPlan(NAMES, NAMES, "buy", 7, (CHANNEL, PLATFORM), user_dims, known, span)
    small = partition.run(
        frames.good(coded.code(("channel", "platform"))(events.rows)),
        {
            "days": dailies.event_cells(plan),
            "newcomers": dailies.newcomer_cells(plan),
            "presence": dailies.presence(number(date(2024, 2, 15)), 14, 3),
        },
        what="the frame",
        partitions=partitions,
        prepare=lambda rows: dailies.user_days(plan, rows, "the frame"),
    )
    cells = {name: dailies.labelled(small[name], plan.dims) for name in ("days", "newcomers")}
    return {**cells, "presence": small["presence"].sort("user", "day")}


def events_by_hand(frame: pl.DataFrame, users: pl.DataFrame | None) -> dict[str, Any]:
    """The same in plain Python: counters of cells."""
    rows = [row for row in frame.iter_rows(named=True) if None not in (row["user_id"], row["event"], row["time"])]
    rows = sorted((row for row in rows if row["time"].date() <= date(2024, 2, 15)), key=lambda row: row["time"])
    known = {row["user_id"]: row for row in users.iter_rows(named=True)} if users is not None else {}
    days: dict[tuple[str, date], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        days[row["user_id"], row["time"].date()].append(row)
    start: dict[str, date] = {}
    for user, day in sorted(days, key=lambda pair: pair[1]):
        start.setdefault(user, day)
    for user, row in known.items():
        if user in start:
            start[user] = min(start[user], row["signed_up_at"].date())

    def cell(user: str, day: date) -> tuple[str, ...]:
        first = days[user, day][0]
        own = (label(COUNTRY, known.get(user, {}).get("country")),) if users is not None else ()
        return (label(CHANNEL, first["channel"]), first["platform"], *own)

    sums: Counter[Any] = Counter()
    for (user, day), several in days.items():
        did = {row["event"] for row in several}
        at = (number(day), *cell(user, day))
        sums[*at, "users"] += 1
        sums[*at, "new"] += start[user] == day
        for name in NAMES:
            sums[*at, f"did {name}"] += name in did
        for step, following in (("visit", "cart"), ("cart", "buy")):
            sums[*at, f"both {following}"] += {step, following} <= did
    fresh: Counter[Any] = Counter()
    for user, begun in start.items():
        there = [day for other, day in days if other == user]
        at = (number(begun), *cell(user, min(there)))
        fresh[*at, "newcomers"] += 1
        fresh[*at, "activated"] += any(
            (day - begun).days <= 7 and any(row["event"] == "buy" for row in days[user, day]) for day in there
        )
        for n in (1, 7, 30):
            fresh[*at, f"d{n}"] += begun + timedelta(days=n) in there
    back: Counter[Any] = Counter()
    for user, day in days:
        fortnight = (date(2024, 2, 15) - day).days // 14
        if fortnight < 3:
            back[user, number(date(2024, 2, 15)) - 14 * fortnight] += 1
    return {"days": +sums, "newcomers": +fresh, "presence": sorted(back.values())}


def counter(rows: pl.DataFrame, dims: Sequence[str]) -> Counter[Any]:
    """Cells as a counter."""
    found: Counter[Any] = Counter()
    for row in rows.iter_rows(named=True):
        at = (row["day"], *(row[name] for name in dims))
        for name in rows.columns:
            if name not in ("day", *dims):
                found[*at, name] += row[name]
    return Counter({key: value for key, value in found.items() if value})


# Events


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("with_users", [False, True])
def test_events_by_hand(seed: int, with_users: bool) -> None:
    """User-days, events, steps, newcomers, returns and activation of random logs."""
    frame, users = log(seed), people(seed) if with_users else None
    small, by_hand = event_tables(frame, users), events_by_hand(frame, users)
    dims = ["channel", "platform", *(["country"] if with_users else [])]
    assert counter(small["days"], dims) == by_hand["days"]
    assert counter(small["newcomers"], dims) == by_hand["newcomers"]
    assert sorted(small["presence"]["n"]) == by_hand["presence"]


def test_rows_may_come_in_any_order_and_in_parts() -> None:
    """Shuffled, and on eight partitions: the same bytes."""
    frame, users = log(9, 1_000), people(9)
    whole = event_tables(frame, users)
    for seed, partitions in ((1, 1), (2, 8)):
        other = event_tables(frame.sample(fraction=1, shuffle=True, seed=seed), users.reverse(), partitions)
        for name, table in whole.items():
            assert_frame_equal(table, other[name])


def test_days_too_far_apart_for_one_number() -> None:
    """Where user, time, cell and event do not fit into one number, the user-days are the same."""
    rows = frames.good(coded.code(("channel",))(frames.events(log(4)).rows))
    many = Dimension("channel", ("ads", "mail", *(f"c{n}" for n in range(700))))
    near, far = (
        EventPlan(NAMES, NAMES, "buy", 7, (many,), (), None, (number(first), number(last)))
        for first, last in ((FIRST, date(2024, 3, 1)), (FIRST, date(2262, 12, 31)))
    )
    assert near.is_short
    assert not far.is_short
    one, two = (dailies.user_days(plan, rows, "the frame").collect() for plan in (near, far))
    assert_frame_equal(one, two)


def test_one_time_two_segments() -> None:
    """Of two events at one time the segment does not depend on which comes first in the file."""
    frame = pl.DataFrame(
        {
            "user_id": ["a", "a"],
            "event": ["visit", "buy"],
            "time": [datetime(2024, 1, 1, 9)] * 2,
            "channel": ["mail", "ads"],
            "platform": ["web", "web"],
        }
    )
    one, two = (event_tables(each, None)["days"] for each in (frame, frame.reverse()))
    assert_frame_equal(one, two)
    assert one.select("channel", "users", "both cart").rows() == [("ads", 1, 0)]


def test_nobody_came() -> None:
    """No rows, and rows of nobody only: empty tables of the same columns."""
    frame = log(1)
    none = event_tables(frame.clear(), None)
    nobody = event_tables(frame.with_columns(user_id=pl.lit(None, pl.String)), None)
    for name, table in event_tables(frame, None).items():
        assert none[name].height == nobody[name].height == 0
        assert none[name].schema == nobody[name].schema == table.schema


# Orders


def sales(seed: int, rows: int = 300) -> pl.DataFrame:
    """Lines of orders and refunds."""
    random = Random(seed)
    orders = [
        (f"u{random.randint(0, 20)}" if random.random() > 0.05 else None, f"o{n}", random.choice(CHANNELS), FIRST + timedelta(days=random.randint(0, 90)))
        for n in range(rows // 2)
    ]  # fmt: skip
    lines = [(*random.choice(orders), random.choice([5.0, 9.5, 20.0, -3.0])) for _ in range(rows)]
    schema = {
        "user_id": pl.String,
        "order_id": pl.String,
        "channel": pl.String,
        "ordered_at": pl.Date,
        "amount": pl.Float64,
    }
    return pl.DataFrame(lines, schema=schema, orient="row")


def order_table(frame: pl.DataFrame, grain: frames.Grain, partitions: int = 1) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The cells of orders, and what everybody spent."""
    orders = frames.orders(frame, grain=grain, as_of=date(2024, 3, 25))
    plan = OrderPlan(orders, (CHANNEL,), (), None)
    small = partition.run(
        orders.rows,
        {"cells": dailies.order_cells(), "spent": dailies.spending()},
        what="the frame",
        partitions=partitions,
        prepare=lambda rows: dailies.user_orders(plan, rows),
    )
    return dailies.labelled(small["cells"], plan.dims), small["spent"].sort("user", "day")


@pytest.mark.parametrize("grain", ["order", "line"])
@pytest.mark.parametrize("seed", range(3))
def test_orders_by_hand(seed: int, grain: frames.Grain) -> None:
    """Orders, refunds, money, first buyers and who came again within 30 days, of rows and of folded lines."""
    frame = sales(seed)
    rows = [row for row in frame.iter_rows(named=True) if row["user_id"] and row["ordered_at"] <= date(2024, 3, 25)]
    if grain == "line":
        folded: dict[Any, list[dict[str, Any]]] = defaultdict(list)
        for row in rows:
            folded[row["user_id"], row["order_id"]].append(row)
        rows = [{**several[0], "amount": sum(line["amount"] for line in several), "sale": any(line["amount"] >= 0 for line in several)} for several in folded.values()]  # fmt: skip
    else:
        rows = [{**row, "sale": row["amount"] >= 0} for row in rows]
    sums: Counter[Any] = Counter()
    spent: Counter[Any] = Counter()
    bought: dict[str, set[date]] = defaultdict(set)
    for row in rows:
        if row["sale"]:
            bought[row["user_id"]].add(row["ordered_at"])
    buyers: dict[str, tuple[int, str]] = {}
    for row in rows:
        at = (number(row["ordered_at"]), label(CHANNEL, row["channel"]))
        sums[*at, "orders" if row["sale"] else "refunds"] += 1
        sums[*at, "paid" if row["sale"] else "refunded"] += round(row["amount"] * money.SCALE) * (
            1 if row["sale"] else -1
        )
        spent[row["user_id"], at[0]] += round(row["amount"] * money.SCALE)
        if row["sale"] and row["ordered_at"] == min(bought[row["user_id"]]):
            place = [*CHANNEL.labels].index(at[1])
            home = buyers.get(row["user_id"], at)
            buyers[row["user_id"]] = at if place < [*CHANNEL.labels].index(home[1]) else home  # one buyer once
    for user, at in buyers.items():
        later = sorted(bought[user])[1:2]
        sums[*at, "buyers"] += 1
        sums[*at, "again"] += bool(later) and (later[0] - min(bought[user])).days <= 30
    cells, by_user = order_table(frame, grain)
    found = counter(cells, ["channel"])
    assert found == Counter({key: value for key, value in sums.items() if value})
    assert sorted(by_user["amount"]) == sorted(spent.values())


def test_orders_in_any_order_and_in_parts() -> None:
    """Shuffled, and on eight partitions: the same bytes."""
    frame = sales(5, 600)
    for grain in ("order", "line"):
        whole = order_table(frame, grain)
        for seed, partitions in ((1, 1), (2, 8)):
            other = order_table(frame.sample(fraction=1, shuffle=True, seed=seed), grain, partitions)
            for one, two in zip(whole, other, strict=True):
                assert_frame_equal(one, two)


# Columns that part users


def counts(**values: int) -> pl.DataFrame:
    """How often each value occurs."""
    return pl.DataFrame({"value": list(values), "n": list(values.values())})


def test_many_values_are_the_rest() -> None:
    """At most twelve values are told apart, and none with less than one row in a hundred; the most frequent ones first."""
    many = counts(**{f"v{n:02}": 100 + n % 3 for n in range(30)})
    (dimension,), left_out = dailies.dimensions({"x": many}, ["x"])
    assert dimension.values == tuple(f"v{n:02}" for n in [*range(2, 30, 3), 1, 4])
    assert dimension.labels[-1] == OTHER
    assert left_out == ()
    (small,), _ = dailies.dimensions({"x": counts(a=500, b=490, c=9)}, ["x"])
    assert small.values == ("a", "b")
    codes = pl.DataFrame({"x": ["b", "c", None, "a"]}).select(small.code(pl.col("x")))["x"].to_list()
    assert codes == [1, 2, 2, 0]


def test_one_value_says_nothing_and_too_many_cells_are_left_out() -> None:
    """Columns with one value are passed over; those that would make more than 2,000 cells are named."""
    wide = counts(**{f"v{n}": 10 for n in range(12)})
    found, left_out = dailies.dimensions({"one": counts(a=5), "w1": wide, "w2": wide, "w3": wide, "w4": wide}, ["one", "w1", "w2", "w3", "w4"])  # fmt: skip
    assert [dimension.name for dimension in found] == ["w1", "w2"]
    assert left_out == ("w3", "w4")
    assert dailies.dimensions({"x": counts(a=0).clear()}, ["x"]) == ((), ())


def test_values_are_counted() -> None:
    """Nulls are a value of their own."""
    good = frames.good(frames.events(log(2)).rows)
    small = partition.run(good, {"n": dailies.value_counts("channel")}, what="the frame")["n"]
    assert dict(small.iter_rows()) == Counter(good.collect()["channel"].to_list())


def test_labels_of_cells() -> None:
    """The number of a cell is taken apart again."""
    cells = [a * 3 + b for a in range(3) for b in range(3)]
    rows = dailies.labelled(pl.DataFrame({"cell": cells, "n": cells}), (CHANNEL, PLATFORM))
    assert rows.select("channel", "platform").rows() == [
        (a, b) for a in ("ads", "mail", OTHER) for b in ("ios", "web", OTHER)
    ]


def test_every_day_and_value_is_there() -> None:
    """Sums of all and by value add up, days without rows are zero."""
    days = event_tables(log(3, 60), None)["days"]
    first, last = number(FIRST), number(date(2024, 2, 15))
    cells = Cells(days, (CHANNEL, PLATFORM), first, last)
    whole, parts = cells.of(None), cells.of("channel")
    assert whole["day"].to_list() == list(range(first, last + 1))
    assert cells.days == whole.height
    assert whole["users"].sum() == days["users"].sum() == parts["users"].sum()
    assert_frame_equal(parts.group_by("day").agg(pl.exclude("value").sum()).sort("day"), whole.with_columns(pl.exclude("day").cast(pl.Int64)))  # fmt: skip
    assert set(cells.parts("channel")) == set(parts["value"])
    fewer = replace(cells, rows=days.filter(pl.col("day") > first + 5))
    assert fewer.of(None)["users"].sum() < whole["users"].sum()
