"""Retention: worked examples, the vendors' cases through the command, a brute force on random logs, real cohorts."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import polars as pl
import pytest

from conftest import Ran
from userops import frames, retention
from userops.errors import InputError, UsageError
from userops.results import Result

Userops = Callable[..., Ran]
Log = list[tuple[str, str]]


def events(log: Log, event: str = "open") -> frames.Events:
    """Events of (user, time) pairs."""
    rows = [(user, event, datetime.fromisoformat(time)) for user, time in log]
    return frames.events(pl.DataFrame(rows, schema=["user_id", "event", "time"], orient="row"))


def shares(result: Result) -> dict[str, list[float | None]]:
    """The retention of each cohort over the periods."""
    found: dict[str, list[float | None]] = defaultdict(list)
    for row in result.rows.iter_rows(named=True):
        found[str(row["cohort"])].append(row["retention"])
    return dict(found)


# --- by hand --------------------------------------------------------------------------------------------------------


def test_a_small_triangle() -> None:
    log = [("a", "2024-03-01"), ("b", "2024-03-01"), ("a", "2024-03-02"), ("c", "2024-03-02"), ("c", "2024-03-03")]
    result = retention.analyse(events(log), periods=2)
    assert shares(result) == {"2024-03-01": [1.0, 0.5, 0.0], "2024-03-02": [1.0, 1.0, None]}
    assert result.summary["users"] == 3
    assert result.summary["events"] == 5
    assert result.summary["d1_retention"] == 2 / 3
    assert result.summary["d2_retention"] == 0.0
    assert result.rows["left_censored"].to_list() == [True] * 3 + [False] * 3
    assert result.rows["complete"].to_list() == [True] * 3 + [True, True, False]


def test_wilson_intervals_of_one_half() -> None:
    """Newcombe (1998), table I, 1 of 2 at 95 %: 0.0945 to 0.9055."""
    result = retention.analyse(events([("a", "2024-03-01"), ("b", "2024-03-01"), ("a", "2024-03-02")]), periods=1)
    low, high = result.rows.row(1, named=True)["ci_low"], result.rows.row(1, named=True)["ci_high"]
    assert (low, high) == (pytest.approx(0.0945, abs=5e-5), pytest.approx(0.9055, abs=5e-5))


def test_revenue_retention_is_net_and_gross() -> None:
    rows = [("a", "2024-01-03", 100.0), ("b", "2024-01-09", 50.0), ("a", "2024-02-02", 150.0), ("b", "2024-02-05", 20.0),
            ("b", "2024-02-06", -5.0), ("c", "2024-02-29", 10.0)]  # fmt: skip
    frame = pl.DataFrame(rows, schema=["user_id", "ordered_at", "amount"], orient="row")
    orders = frames.orders(frame.with_columns(pl.col("ordered_at").str.to_datetime()))
    result = retention.analyse(orders, value=True)
    first, second = result.rows.filter(pl.col("cohort") == date(2024, 1, 1)).iter_rows(named=True)
    assert (first["revenue"], first["cohort_revenue"], first["retention"]) == (150.0, 150.0, 1.0)
    assert (second["revenue"], second["retention"]) == (165.0, 165 / 150)
    assert second["gross_retention"] == (100 + 15) / 150
    assert second["users"] == 2


def test_refunds_are_no_returns() -> None:
    rows = [("a", datetime(2024, 1, 3), 100.0), ("a", datetime(2024, 2, 3), -100.0), ("b", datetime(2024, 2, 29), 1.0)]
    orders = frames.orders(pl.DataFrame(rows, schema=["user_id", "ordered_at", "amount"], orient="row"))
    assert shares(retention.analyse(orders))["2024-01-01"] == [1.0, 0.0]


def test_sign_ups_begin_cohorts_and_those_who_never_came_count() -> None:
    users = pl.DataFrame({
        "user_id": ["a", "b", "c"],
        "signed_up_at": [datetime(2024, 3, 1), datetime(2024, 3, 1), None],
        "plan": ["pro", "free", "free"],
    })  # fmt: skip
    log = events([("a", "2024-03-02"), ("c", "2024-03-02"), ("c", "2024-03-03")])
    result = retention.analyse(log, users=users, periods=1)
    assert shares(result) == {"2024-03-01": [0.0, 0.5], "2024-03-02": [1.0, 1.0]}
    assert result.rows["cohort_users"].to_list() == [2, 2, 1, 1]
    by = retention.analyse(log, users=users, periods=1, by="plan")
    assert by.rows.select("plan", "cohort_users").unique().sort("plan", "cohort_users").rows() == [
        ("free", 1),
        ("pro", 1),
    ]


# --- the cases of the vendors, through the command ------------------------------------------------------------------


def ask(userops: Userops, rows: list[str], *options: str, header: str = "user_id,event,time") -> dict[str, Any]:
    """What ``userops retention`` answers about a few rows."""
    Path("log.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    ran = userops("retention", "log.csv", *options, "--json")
    assert ran.code == 0, ran.err
    answer: dict[str, Any] = json.loads(ran.out)
    return answer


def returned(answer: dict[str, Any]) -> list[Any]:
    """The periods in which anybody returned, counting those nobody is eligible for yet."""
    return sorted({row["period"] for row in answer["rows"] if row["users"]})


FAR = "z,open,2025-06-01T00:00:00Z"
"""A row long after, so that every period of the others is over."""


@pytest.mark.parametrize(
    ("case", "first", "then", "options", "period"),
    [
        ("R01 calendar", "2024-03-01T23:50:00Z", "2024-03-02T00:10:00Z", [], 1),
        ("R01 elapsed", "2024-03-01T23:50:00Z", "2024-03-02T00:10:00Z", ["--clock", "elapsed"], 0),
        ("R01 hour", "2024-03-01T23:50:00Z", "2024-03-02T00:10:00Z", ["--clock", "elapsed-hour"], 0),
        ("R02 calendar", "2024-12-01T17:59:00Z", "2024-12-02T17:00:00Z", [], 1),
        ("R02 elapsed", "2024-12-01T17:59:00Z", "2024-12-02T17:00:00Z", ["--clock", "elapsed"], 0),
        ("R02 Amplitude", "2024-12-01T17:59:00Z", "2024-12-02T17:00:00Z", ["--clock", "elapsed-hour"], 1),
        ("R03 UTC", "2024-03-01T23:30:00Z", "2024-03-02T15:30:00Z", [], 1),
        ("R03 Shanghai", "2024-03-01T23:30:00Z", "2024-03-02T15:30:00Z", ["--tz", "Asia/Shanghai"], 0),
        ("R03 New York", "2024-03-01T23:30:00Z", "2024-03-02T15:30:00Z", ["--tz", "America/New_York"], 1),
        ("R04 calendar", "2024-03-09T12:00:00", "2024-03-10T12:00:00", ["--tz", "America/New_York"], 1),
        ("R04 elapsed", "2024-03-09T12:00:00", "2024-03-10T12:00:00",
         ["--tz", "America/New_York", "--clock", "elapsed"], 0),
        ("R04 hour", "2024-03-09T12:00:00", "2024-03-10T12:00:00",
         ["--tz", "America/New_York", "--clock", "elapsed-hour"], 0),
        ("R05 calendar", "2024-11-02T12:00:00", "2024-11-03T12:00:00", ["--tz", "America/New_York"], 1),
        ("R05 elapsed", "2024-11-02T12:00:00", "2024-11-03T12:00:00",
         ["--tz", "America/New_York", "--clock", "elapsed"], 1),
        ("R07 Monday", "2024-03-10", "2024-03-11", ["--period", "week"], 1),
        ("R07 Sunday", "2024-03-10", "2024-03-11", ["--period", "week", "--week-start", "sunday"], 0),
        ("R08 calendar", "2026-02-25", "2026-03-03", ["--period", "month"], 1),
        ("R08 rolling", "2026-02-25", "2026-03-03", ["--period", "month", "--clock", "elapsed"], 0),
    ],
)  # fmt: skip
def test_which_period_a_return_lies_in(
    userops: Userops, case: str, first: str, then: str, options: list[str], period: int
) -> None:
    naive = "Z" not in first
    end = ("2027-06-01" if "T" not in first else "2027-06-01T00:00:00") if naive else "2027-06-01T00:00:00Z"
    answer = ask(userops, [f"a,open,{first}", f"a,open,{then}", f"b,open,{first}", f"b,open,{end}"], *options,
                 "--periods", "3", "--as-of", "2027-06-01")  # fmt: skip
    cells = {row["period"]: row["users"] for row in answer["rows"]}
    assert [n for n, users in cells.items() if users and n] == ([period] if period else []), case
    assert cells[0] == 2


def test_r09_who_is_too_young_is_not_in_the_denominator(userops: Userops) -> None:
    rows = [f"a{n},open,2024-01-01" for n in range(10)] + [f"a{n},open,2024-01-08" for n in range(4)]
    rows += [f"b{n},open,2024-01-05" for n in range(10)] + ["a0,open,2024-01-10"]
    answer = ask(userops, rows, "--days", "7")
    assert answer["summary"]["d7_retention"] == 0.4
    young = next(row for row in answer["rows"] if row["cohort"] == "2024-01-05")
    assert (young["retention"], young["eligible_users"], young["complete"]) == (None, 0, False)


@pytest.mark.parametrize(
    ("options", "average"), [([], 15 / 110), (["--average", "simple"], 0.3), (["--compat", "posthog"], 0.3)]
)
def test_r10_averages(userops: Userops, options: list[str], average: float) -> None:
    rows = [f"a{n},open,2024-01-01" for n in range(100)] + [f"a{n},open,2024-01-02" for n in range(10)]
    rows += [f"b{n},open,2024-01-03" for n in range(10)] + [f"b{n},open,2024-01-04" for n in range(5)]
    assert ask(userops, rows, "--days", "1", *options)["summary"]["d1_retention"] == pytest.approx(average, abs=1e-15)


def test_r11_on_or_after_is_what_mixpanel_does(userops: Userops) -> None:
    rows = ["a,open,2024-01-01T10:00:00Z", "a,open,2024-01-10T12:00:00Z", FAR]
    nday = ask(userops, rows, "--days", "7,9,10", "--until", "2024-01-01")
    assert [row["users"] for row in nday["rows"]] == [0, 1, 0]
    later = ask(userops, rows, "--days", "7,9,10", "--mode", "on-or-after", "--until", "2024-01-01")
    assert [row["users"] for row in later["rows"]] == [1, 1, 0]
    mixpanel = ask(userops, rows, "--days", "7,9,10", "--compat", "mixpanel", "--until", "2024-01-01")
    assert [row["users"] for row in mixpanel["rows"]] == [1, 1, 0]


def test_r12_recurring_puts_a_user_in_three_cohorts(userops: Userops) -> None:
    rows = ["a,open,2024-01-01", "a,open,2024-01-02", "a,open,2024-01-03"]
    first = ask(userops, rows, "--periods", "2")
    assert [(row["cohort"], row["retention"]) for row in first["rows"]] == [("2024-01-01", 1.0)] * 3
    for option in (["--cohort", "recurring"], ["--compat", "sensors"]):
        answer = ask(userops, rows, "--periods", "2", *option)
        cells = [row["retention"] for row in answer["rows"]]
        assert cells == [1.0, 1.0, 1.0, 1.0, 1.0, None, 1.0, None, None]
        assert all(row["ci_low"] is None for row in answer["rows"])
        assert answer["summary"]["users"] == 1


def test_r13_one_return_is_day_1_and_day_2_at_amplitude(userops: Userops) -> None:
    rows = ["a,start,2024-01-01T10:00:00Z", "a,start,2024-01-02T10:00:00Z", "a,back,2024-01-03T11:00:00Z", FAR]
    answer = ask(userops, rows, "--start", "start", "--return", "back", "--compat", "amplitude", "--periods", "2",
                 "--until", "2024-01-02", "--as-of", "2025-06-01")  # fmt: skip
    assert {(row["cohort"], row["period"]): row["users"] for row in answer["rows"] if row["users"]} == {
        ("2024-01-01", 2): 1,
        ("2024-01-02", 1): 1,
    }


def test_r14_brackets_are_apart_and_day_0_is_alone(userops: Userops) -> None:
    rows = ["a,open,2024-01-01", "a,open,2024-01-04", "a,open,2024-01-05", "z,open,2024-03-01"]
    answer = ask(userops, rows, "--brackets", "1-3,4-7,8-10", "--until", "2024-01-01")
    assert [(row["period"], row["users"]) for row in answer["rows"]] == [("0", 1), ("1-3", 1), ("4-7", 1), ("8-10", 0)]
    assert answer["summary"]["d1_3_retention"] == 1.0
    alone = ask(userops, ["a,open,2024-01-01", "a,open,2024-01-01T05:00", "z,open,2024-03-01"], "--brackets", "1-3",
                "--until", "2024-01-01")  # fmt: skip
    assert [row["users"] for row in alone["rows"]] == [1, 0]


def test_a_bracket_may_begin_with_period_0(userops: Userops) -> None:
    rows = ["a,open,2024-01-01", "b,open,2024-01-01", "b,open,2024-01-03", "b,open,2024-01-06", "z,open,2024-03-01"]
    for more in ([], ["--day-zero", "start", "--cohort-by", "month"]):  # visits, and members with their returns
        answer = ask(userops, rows, "--brackets", "0-3,4-7", "--until", "2024-01-01", *more)
        assert [(row["period"], row["users"]) for row in answer["rows"]] == [("0-3", 2), ("4-7", 1)]


@pytest.mark.parametrize("options", [[], ["--clock", "elapsed"], ["--by", "channel"]])
def test_repeated_order_ids_stop_and_ask(userops: Userops, options: list[str]) -> None:
    lines = ["user_id,order_id,ordered_at,amount,channel", *["a,1,2024-01-01,5,x"] * 2]
    Path("orders.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    ran = userops("retention", "orders.csv", *options)
    assert (ran.code, "repeat an order_id" in ran.err) == (3, True)


@pytest.mark.parametrize(("compat", "day_0"), [("posthog", 1), ("sensors", 1), ("mixpanel", 0)])
def test_r15_whether_the_start_is_its_own_return(userops: Userops, compat: str, day_0: int) -> None:
    answer = ask(userops, ["a,open,2024-01-01", "z,open,2024-03-01"], "--compat", compat, "--days", "0",
                 "--until", "2024-01-01")  # fmt: skip
    assert answer["rows"][0]["users"] == day_0
    said = " ".join(answer["meta"]["definitions"])
    assert f"--compat {compat}" in said
    assert answer["meta"]["settings"]["compat"] == compat


def test_a_different_return_on_day_0_counts_only_after_the_start(userops: Userops) -> None:
    rows = ["a,buy,2024-01-01T09:00", "a,visit,2024-01-01T10:00", "b,visit,2024-01-01T10:00", "b,buy,2024-01-01T11:00",
            "z,visit,2024-02-01T00:00"]  # fmt: skip
    answer = ask(userops, rows, "--start", "visit", "--return", "buy", "--days", "0", "--until", "2024-01-01")
    assert (answer["rows"][0]["users"], answer["rows"][0]["cohort_users"]) == (1, 2)


def test_what_is_given_beats_what_the_product_does(userops: Userops) -> None:
    rows = ["a,open,2024-01-01T10:00:00Z", "a,open,2024-01-10T12:00:00Z", FAR]
    answer = ask(userops, rows, "--days", "7", "--compat", "mixpanel", "--mode", "on", "--until", "2024-01-01")
    assert answer["rows"][0]["users"] == 0
    assert answer["meta"]["settings"]["clock"] == "elapsed"


# --- a brute force --------------------------------------------------------------------------------------------------


def week_of(day: date, start: str) -> date:
    return day - timedelta(days=day.weekday() if start == "monday" else (day.weekday() + 1) % 7)


def beginning(day: date, grain: str, start: str) -> date:
    return {"day": day, "week": week_of(day, start), "month": day.replace(day=1)}[grain]


def steps(a: date, b: date, grain: str) -> int:
    """Whole periods between two beginnings."""
    return {"day": (b - a).days, "week": (b - a).days // 7, "month": (b.year - a.year) * 12 + b.month - a.month}[grain]


def over(begin: date, n: int, grain: str, as_of: date) -> bool:
    """Whether period n after that of ``begin`` is over by the end of ``as_of``."""
    months = begin.year * 12 + begin.month - 1 + n + 1
    end = {
        "day": begin + timedelta(days=n + 1),
        "week": begin + timedelta(weeks=n + 1),
        "month": date(months // 12, months % 12 + 1, 1),
    }[grain]
    return end <= as_of + timedelta(days=1)


Cell = tuple[int, int, int]


def brute(log: list[tuple[str, str, datetime]], zone: str, last: int, s: dict[str, Any]) -> dict[tuple[str, Any], Cell]:
    """(cohort, period) to (members, eligible members, eligible members who returned), user by user, row by row."""
    tz = ZoneInfo(zone)
    period, grain, start = s["period"], s.get("cohort_by") or s["period"], s.get("week_start", "monday")
    as_of = max(time.astimezone(tz).date() for _, _, time in log)
    end = datetime.combine(as_of + timedelta(days=1), datetime.min.time(), tz)
    later = s.get("day_zero") == "later" or s.get("start") != s.get("back")
    width = {"day": 1, "week": 7, "month": 30}[period] * timedelta(days=1)
    ranges = s.get("brackets") or tuple((n, n) for n in range(last + 1))
    buckets = ranges if ranges[0][0] == 0 else ((0, 0), *ranges)
    cells: dict[tuple[str, Any], list[int]] = defaultdict(lambda: [0, 0, 0])
    for user in {user for user, _, _ in log}:
        mine = sorted(time for who, event, time in log if who == user and s.get("start") in (None, event))
        back = [time for who, event, time in log if who == user and s.get("back") in (None, event)]
        members: dict[date, datetime] = {}
        for time in mine:
            members.setdefault(beginning(time.astimezone(tz).date(), grain, start), time)
        if s.get("cohort") != "recurring":
            members = dict(list(members.items())[:1])
        for cohort, anchor in members.items():
            base = beginning(anchor.astimezone(tz).date(), period, start)

            def offset(time: datetime, anchor: datetime = anchor, base: date = base) -> int:
                if s.get("clock") is None:
                    return steps(base, beginning(time.astimezone(tz).date(), period, start), period)
                hours = s["clock"] == "elapsed-hour"
                a, b = (
                    t.astimezone(UTC).replace(minute=0, second=0, microsecond=0) if hours else t for t in (anchor, time)
                )
                return (b.astimezone(UTC) - a.astimezone(UTC)) // width

            hits = {offset(t) for t in back if offset(t) > 0 or (offset(t) == 0 and (not later or t > anchor))}
            for low, high in buckets:
                cell = cells[str(cohort), f"{low}-{high}" if s.get("brackets") and high > low else low]
                if s.get("clock") is None:
                    eligible = over(base, high, period, as_of)
                else:
                    a = anchor.astimezone(UTC)
                    a = a.replace(minute=0, second=0, microsecond=0) if s["clock"] == "elapsed-hour" else a
                    eligible = a + (high + 1) * width <= end.astimezone(UTC)
                there = (
                    any(h >= low for h in hits)
                    if s.get("mode") == "on-or-after"
                    else any(low <= h <= high for h in hits)
                )
                cell[0] += 1
                cell[1] += eligible
                cell[2] += eligible and there
    return {key: (a, b, c) for key, (a, b, c) in cells.items()}


def random_log(draw: random.Random) -> list[tuple[str, str, datetime]]:
    base = datetime(2024, draw.choice([1, 2, 3, 10]), draw.randint(1, 20), tzinfo=UTC)
    size = draw.randint(1, 60)
    return [
        (
            f"u{draw.randint(0, 7)}",
            draw.choice("ab"),
            base + timedelta(minutes=draw.choice([1, 30, 60]) * draw.randint(0, 1500)) * draw.choice([1, 2]),
        )
        for _ in range(size)
    ]


def random_settings(draw: random.Random) -> dict[str, Any]:
    settings: dict[str, Any] = {"period": draw.choice(["day", "week", "month"])}
    for name, choices in {
        "cohort_by": ["day", "week", "month"], "clock": ["elapsed", "elapsed-hour"], "cohort": ["recurring"],
        "mode": ["on-or-after"], "day_zero": ["later"], "week_start": ["sunday"], "start": ["a"], "back": ["b"],
        "brackets": [((1, 2), (3, 6)), ((0, 2), (4, 6))],
    }.items():  # fmt: skip
        if draw.random() < 0.35:
            settings[name] = draw.choice(choices)
    if "brackets" in settings:
        settings.pop("mode", None)
    return settings


@pytest.mark.parametrize("seed", range(150))
def test_a_brute_force_agrees(seed: int) -> None:
    draw = random.Random(seed)
    log, settings, zone = (
        random_log(draw),
        random_settings(draw),
        draw.choice(["UTC", "America/New_York", "Asia/Shanghai"]),
    )
    frame = pl.DataFrame(log, schema=["user_id", "event", "time"], orient="row")
    frame = frame.with_columns(pl.col("time").dt.convert_time_zone(zone))
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=seed)
    given = dict(settings) if "brackets" in settings else {**settings, "periods": 4}
    given["as_of"] = frame["time"].dt.date().max()
    named = {settings.get("start"), settings.get("back")} - {None}
    if not named <= {event for _, event, _ in log}:
        with pytest.raises(InputError, match="no event"):
            retention.analyse(frames.events(shuffled), tz=zone, **given)
        return
    result = retention.analyse(frames.events(shuffled), tz=zone, partitions=draw.choice([1, 3]), **given)
    expected = brute(log, zone, 4, settings)
    found = {
        (str(row["cohort"]), int(row["period"]) if str(row["period"]).isdigit() else row["period"]): (
            row["cohort_users"], row["eligible_users"], row["users"] if row["eligible_users"] else 0,
        )
        for row in result.rows.iter_rows(named=True)
    }  # fmt: skip
    assert found == expected
    for row in result.rows.iter_rows(named=True):
        assert (row["retention"] is None) == (row["eligible_users"] == 0)
        if row["retention"] is not None:
            assert row["retention"] == row["users"] / row["eligible_users"]


# --- what must not change anything ----------------------------------------------------------------------------------


def many(seed: int = 5, users: int = 200) -> pl.DataFrame:
    draw = random.Random(seed)
    rows = [
        (
            f"u{n}",
            "open",
            datetime(2024, 1, 1) + timedelta(days=start + day, minutes=draw.randint(0, 1439)),
            draw.choice("xyz"),
        )
        for n in range(users)
        for start in [draw.randint(0, 100)]
        for day in {0, *(draw.randint(0, 60) for _ in range(4))}
    ]
    return pl.DataFrame(rows, schema=["user_id", "event", "time", "channel"], orient="row")


@pytest.mark.parametrize("settings", [
    {}, {"period": "week"}, {"period": "month", "by": "channel"}, {"clock": "elapsed", "mode": "on-or-after"},
    {"cohort_by": "channel"}, {"cohort": "recurring", "period": "week"}, {"cohort_by": "month", "brackets": ((1, 3), (4, 30))},
])  # fmt: skip
def test_shuffled_rows_and_partitions_change_nothing(settings: dict[str, Any]) -> None:
    log = many()
    plain = retention.analyse(frames.events(log), **settings)
    shuffled = log.sample(fraction=1.0, shuffle=True, seed=1)
    other = retention.analyse(frames.events(shuffled), partitions=8, **settings)
    assert other.rows.equals(plain.rows)
    assert other.summary == plain.summary
    assert repr(other) == repr(plain)


def test_moving_the_window_changes_no_cell() -> None:
    log = frames.events(many())
    whole = retention.analyse(log, period="week", periods=8)
    part = retention.analyse(log, period="week", periods=8, since=date(2024, 2, 7), until=date(2024, 2, 20))
    assert part.rows["cohort"].unique().sort().to_list() == [date(2024, 2, 5), date(2024, 2, 12), date(2024, 2, 19)]
    assert part.rows.equals(whole.rows.filter(pl.col("cohort").is_in(part.rows["cohort"].unique().implode())))


def test_later_rows_finish_cells_and_change_no_finished_one() -> None:
    log = many()
    early = retention.analyse(
        frames.events(log.filter(pl.col("time") < datetime(2024, 3, 1))), period="week", periods=5
    )
    late = retention.analyse(frames.events(log), period="week", periods=5)
    finished = early.rows.filter("complete")
    assert finished.height > 10
    assert late.rows.join(finished, on=finished.columns, how="semi", nulls_equal=True).height == finished.height
    as_of = frames.events(log, as_of=date(2024, 2, 29))
    assert retention.analyse(as_of, period="week", periods=5, as_of=date(2024, 2, 29)).rows.equals(early.rows)


def test_older_rows_move_users_to_older_cohorts_only() -> None:
    log = many()
    before = retention.analyse(frames.events(log), period="month", periods=3)
    older = pl.concat([log, log.head(1).with_columns(time=datetime(2023, 6, 1))])
    after = retention.analyse(frames.events(older), period="month", periods=3)
    moved = log["user_id"][0]
    cohort = log.filter(pl.col("user_id") == moved)["time"].min().replace(day=1).date()  # type: ignore[union-attr]
    same = after.rows.filter(pl.col("cohort") != date(2023, 6, 1), pl.col("cohort") != cohort).drop("left_censored")
    assert same.equals(before.rows.filter(pl.col("cohort") != cohort).drop("left_censored"))


# --- real data ------------------------------------------------------------------------------------------------------


def chdb(shared: Path) -> dict[str, list[Any]]:
    answers = json.loads((shared / "expected/events/chdb_retention.json").read_text(encoding="utf-8"))
    return {answer["kind"]: answer["rows"] for answer in answers if answer["dataset"] == "rete_ecom"}


def told(userops: Userops, file: Path, *options: str) -> dict[str, Any]:
    ran = userops("retention", file, *options, "--json", "-q")
    assert ran.code == 0, ran.err
    answer: dict[str, Any] = json.loads(ran.out)
    return answer


def test_clickhouse_agrees_on_n_days(userops: Userops, shared: Path) -> None:
    file, days = shared / "data/events/rete_ecom.csv", "0,1,3,7,14,30,60,90"
    calendar = told(userops, file, "--days", days)
    kind = next(kind for kind in chdb(shared) if kind.startswith("classic N-day"))
    cells = pl.DataFrame(calendar["rows"]).filter(pl.col("eligible_users") > 0)
    sums = cells.group_by("period").agg(pl.col("eligible_users", "users").sum()).sort("period")
    assert [list(row) for row in sums.iter_rows()] == chdb(shared)[kind]


@pytest.mark.parametrize(
    ("options", "kind"),
    [(["--mode", "on-or-after"], "unbounded/rolling"), ([], "N-day, elapsed 24h windows")],
)
def test_clickhouse_agrees_on_elapsed_days(userops: Userops, shared: Path, options: list[str], kind: str) -> None:
    """Its denominators go by the last row, ours by the end of as-of: the users who returned are the same."""
    file = shared / "data/events/rete_ecom.csv"
    answer = told(userops, file, "--days", "0,1,3,7,14,30,60,90", "--clock", "elapsed", *options)
    expected = next(rows for name, rows in chdb(shared).items() if name.startswith(kind))
    found = [(row["period"], round(row["retention"] * row["eligible_users"])) for row in answer["summary"]["average"]]
    assert found == [(row[0], row[-1]) for row in expected]


@pytest.mark.parametrize("grain", ["week", "month"])
def test_clickhouse_agrees_on_every_cohort(userops: Userops, shared: Path, grain: str) -> None:
    answer = told(userops, shared / "data/events/rete_ecom.csv", "--period", grain)
    expected = next(rows for kind, rows in chdb(shared).items() if kind.startswith(f"cohort table by {grain}"))
    cells = [[row["cohort"], row["period"], row["users"]] for row in answer["rows"] if row["users"]]
    assert cells == sorted(expected)


DUCKDB_COHORTS = """
WITH orders AS ({orders}),
months AS (SELECT DISTINCT user_id, date_trunc('month', bought)::DATE AS m FROM orders),
firsts AS (SELECT user_id, min(m) AS c FROM months GROUP BY 1)
SELECT c::VARCHAR, date_diff('month', c, m)::INT AS n, count(*)::INT FROM months JOIN firsts USING (user_id)
GROUP BY 1, 2 ORDER BY 1, 2
"""

UCI = """SELECT CustomerID AS user_id, min(InvoiceDate) FILTER (Quantity * UnitPrice >= 0) AS bought
FROM '{file}' WHERE CustomerID IS NOT NULL GROUP BY CustomerID, InvoiceNo
HAVING count(*) FILTER (Quantity * UnitPrice >= 0) > 0"""
CDNOW = "SELECT customer_id AS user_id, date AS bought FROM '{file}'"


@pytest.mark.parametrize(
    ("name", "orders"), [("online_retail.parquet", UCI), ("cdnow_master.csv", CDNOW)], ids=["uci", "cdnow"]
)
def test_an_independent_sql_agrees_on_cohorts_of_orders(userops: Userops, shared: Path, name: str, orders: str) -> None:
    file = shared / "data/orders" / name
    sql = DUCKDB_COHORTS.format(orders=orders.format(file=file))
    expected = [list(row) for row in duckdb.sql(sql).fetchall()]
    answer = told(userops, file, "--period", "month", "--periods", "36")
    assert [[row["cohort"], row["period"], row["users"]] for row in answer["rows"] if row["users"]] == expected


# --- what may go wrong ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("options", "code", "says"), [
    (["--compat", "mixpannel"], 2, "mixpanel"),
    (["--days", "7,1"], 2, "ascending"),
    (["--brackets", "3-1"], 2, "ascending"),
    (["--brackets", "x"], 2, "ranges"),
    (["--days", "1", "--periods", "3"], 2, "cannot be used together"),
    (["--days", "1", "--period", "week"], 2, "--period day"),
    (["--start", "opne"], 3, "did you mean 'open'"),
    (["--value"], 3, "amount"),
    (["--by", "nothing"], 3, "nothing"),
    (["--by", "users"], 2, "column"),
    (["--confidence", "95"], 2, "0.95"),
])  # fmt: skip
def test_mistakes_end_in_one_clear_line(userops: Userops, options: list[str], code: int, says: str) -> None:
    Path("log.csv").write_text("user_id,event,time\na,open,2024-01-01\n", encoding="utf-8")
    ran = userops("retention", "log.csv", *options)
    assert ran.code == code
    assert says in ran.err
    assert "Traceback" not in ran.err


def test_orders_have_no_events(userops: Userops) -> None:
    Path("orders.csv").write_text("user_id,ordered_at,amount\na,2024-01-01,5\n", encoding="utf-8")
    ran = userops("retention", "orders.csv", "--start", "open")
    assert (ran.code, "holds orders" in ran.err) == (2, True)


def test_one_row_and_copies(userops: Userops) -> None:
    alone = ask(userops, ["a,open,2024-01-01"])
    assert [(row["users"], row["retention"]) for row in alone["rows"]] == [(1, 1.0)]
    twice = ask(userops, ["a,open,2024-01-01"] * 2)
    assert twice["rows"] == alone["rows"]
    assert any("exact copy" in warning for warning in twice["meta"]["warnings"])


def test_an_empty_window_is_no_error(userops: Userops) -> None:
    answer = ask(userops, ["a,open,2024-01-01"], "--since", "2024-02-01")
    assert answer["rows"] == []
    assert any("no cohort" in warning for warning in answer["meta"]["warnings"])
    for form in ("table", "markdown", "html"):
        ran = userops("retention", "log.csv", "--since", "2024-02-01", "--format", form)
        assert ran.code == 0


def test_a_wrong_settings_value_is_named() -> None:
    with pytest.raises(UsageError, match="brackets"):
        retention.Settings(brackets=((1, 5), (4, 7)))
