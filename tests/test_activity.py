"""Active users: by hand, against sets in Python and two other tools, and under everything that must not matter."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from userops import activity, frames, visits
from userops.cli_support import schemas
from userops.errors import InputError, UsageError
from userops.results import HeatBlock

START = date(2025, 12, 20)

Act = tuple[str, int]
"""A user, and hours after the start of START."""


def events(*acts: Act, city: Callable[[str], str | None] = lambda _: None) -> pl.DataFrame:
    at = [(user, "open", datetime.combine(START, datetime.min.time()) + timedelta(hours=hour)) for user, hour in acts]
    schema = {"user_id": pl.String, "event": pl.String, "time": pl.Datetime("us")}
    frame = pl.DataFrame(at, schema=schema, orient="row")
    return frame.with_columns(city=pl.Series([city(user) for user, _ in acts], dtype=pl.String))


def on(**days: str) -> list[Act]:
    """Users and the days after START they were there, ``a="0 3"``: at noon."""
    return [(user, 24 * int(day) + 12) for user, list_ in days.items() for day in list_.split()]


def there(frame: pl.DataFrame) -> dict[date, set[str]]:
    found: dict[date, set[str]] = {}
    for user, at in frame.select("user_id", "time").iter_rows():
        found.setdefault(at.date(), set()).add(user)
    return found


def brute(frame: pl.DataFrame, mau_days: int, as_of: date | None = None) -> list[dict[str, Any]]:
    """Every day of history, with sets of users."""
    days, rows, seen = there(frame), [], set[str]()
    first, last = min(days), as_of or max(days)

    def trailing(day: date, width: int) -> int | None:
        inside = [days.get(day - timedelta(days=back), set()) for back in range(width)]
        return len(set[str]().union(*inside)) if (day - first).days >= width - 1 else None

    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        now, mau = days.get(day, set()), trailing(day, mau_days)
        rows.append({
            "date": day, "dau": len(now), "wau": trailing(day, 7), "mau": mau,
            "stickiness": len(now) / mau if mau else None, "new_users": len(now - seen),
        })  # fmt: skip
        seen |= now
    return rows


# --- by hand --------------------------------------------------------------------------------------------------------


def test_by_hand() -> None:
    result = activity.analyse(events(*on(a="0 1 9", b="1 2", c="8")), mau_days=3, as_of=START + timedelta(days=10))
    assert result.rows.select("dau", "wau", "mau", "new_users").rows() == [
        (1, None, None, 1),
        (2, None, None, 1),
        (1, None, 2, 0),
        (0, None, 2, 0),
        (0, None, 1, 0),
        (0, None, 0, 0),
        (0, 2, 0, 0),
        (0, 2, 0, 0),
        (1, 2, 1, 1),
        (1, 2, 2, 0),
        (0, 2, 2, 0),
    ]
    assert result.rows["stickiness"].to_list() == [None, None, 0.5, 0, 0, None, None, None, 1, 0.5, 0]
    assert {name: result.summary[name] for name in ("users", "events", "dau", "wau", "mau", "stickiness")} == {
        "users": 3, "events": 6, "dau": 0, "wau": 2, "mau": 2, "stickiness": 0,
    }  # fmt: skip
    assert result.summary["mean_dau"] == 6 / 11
    assert result.summary["mean_stickiness"] == 2 / 6
    # the last three days: a and c once each
    assert result.extras["histogram"].rows() == [(1, 2), (2, 0), (3, 0)]
    assert result.summary["active_days_mean"] == 1


def test_the_histogram_counts_days_not_events() -> None:
    acts = [*on(a="0 1 6", b="6", c="0 6"), ("a", 24 * 6 + 13), ("a", 24 * 6 + 14)]
    result = activity.analyse(events(*acts), mau_days=7, histogram=True)
    assert result.rows.rows() == [(1, 1), (2, 1), (3, 1), (4, 0), (5, 0), (6, 0), (7, 0)]
    assert set(result.extras) == {"hours"}
    assert result.summary["active_days_mean"] == 2
    shorter = activity.analyse(events(*acts), mau_days=7, until=START + timedelta(days=5))
    assert shorter.extras["histogram"]["users"].to_list()[:3] == [1, 1, 0]


def test_hours_of_the_week() -> None:
    # 20 December 2025 is a Saturday
    acts = [("a", 0), ("a", 0), ("b", 0), ("a", 23), ("a", 24 + 5), ("a", 48 + 7)]
    monday, sunday = (activity.analyse(events(*acts), week_start=day).extras["hours"] for day in ("monday", "sunday"))
    assert monday.height == sunday.height == 168
    assert monday["weekday"].unique(maintain_order=True).to_list() == [1, 2, 3, 4, 5, 6, 7]
    assert sunday["weekday"].unique(maintain_order=True).to_list() == [7, 1, 2, 3, 4, 5, 6]
    wanted = {(6, 0): 3, (6, 23): 1, (7, 5): 1, (1, 7): 1}
    for hours in (monday, sunday):
        assert {(day, hour): n for day, hour, n in hours.iter_rows() if n} == wanted
    inside = activity.analyse(events(*acts), since=START + timedelta(days=1), until=START + timedelta(days=1))
    assert inside.extras["hours"].filter(pl.col("events") > 0).rows() == [(7, 5, 1)]


def test_hours_before_1970_and_the_heat() -> None:
    at = [datetime(1969, 12, 31, 22), datetime(1969, 12, 29, 1)]  # a Wednesday and a Monday
    rows = pl.DataFrame({"user_id": ["a", "b"], "event": ["x", "x"], "time": at})
    result = activity.analyse(rows, week_start="sunday")
    assert result.extras["hours"].filter(pl.col("events") > 0).rows() == [(1, 1, 1), (3, 22, 1)]
    heat = next(view for view in result.views if isinstance(view, HeatBlock))
    assert [label.en for label in heat.row_labels] == ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    assert (heat.values[1][1], heat.values[3][22]) == (1, 1)
    assert sum(n or 0 for row in heat.values for n in row) == 2


def test_orders() -> None:
    at = [datetime(2026, 1, 1), datetime(2026, 1, 1), datetime(2026, 1, 2), datetime(2026, 1, 3)]
    orders = pl.DataFrame({"user_id": ["a", "b", "a", "b"], "ordered_at": at, "amount": [1.0, 2.0, 3.0, -2.0]})
    result = activity.analyse(orders, mau_days=2)
    assert result.rows["dau"].to_list() == [2, 1, 0]  # a refund is no activity
    assert result.rows["mau"].to_list() == [None, 2, 1]
    assert (result.summary["orders"], result.summary["revenue"]) == (3, 4.0)
    assert result.extras["hours"]["orders"].sum() == 3


def test_lines_are_orders_and_refunds_none_of_them() -> None:
    at = [datetime(2026, 1, 1, 9), datetime(2026, 1, 1, 9), datetime(2026, 1, 1, 11), datetime(2026, 1, 2)]
    lines = pl.DataFrame(
        {"user_id": list("aaab"), "order_id": list("1123"), "ordered_at": at, "amount": [5.0, 1.0, -5.0, -2.0]}
    )
    result = activity.analyse(frames.orders(lines, grain="line"))
    assert result.summary["orders"] == 1
    assert result.extras["hours"].filter(pl.col("orders") > 0).rows() == [(4, 9, 1)]  # a Thursday, at nine


def test_new_users_signed_up() -> None:
    users = pl.DataFrame({"user_id": ["a", "b"], "signed_up_at": [datetime(2025, 12, 1), datetime(2026, 6, 1)]})
    result = activity.analyse(events(*on(a="0 1", b="1", c="1")), users=users)
    assert result.rows["new_users"].to_list() == [0, 2]


# --- against sets -----------------------------------------------------------------------------------------------------

acts = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 24 * 60)), min_size=1, max_size=60)
widths = st.integers(1, 40)


@settings(max_examples=30, deadline=None)
@given(acts, widths, st.integers(0, 50), st.randoms(use_true_random=False))
def test_as_sets_count(found: list[Act], mau_days: int, silent: int, random: Any) -> None:
    frame = events(*found)
    as_of = max(there(frame)) + timedelta(days=silent)
    result = activity.analyse(frame, mau_days=mau_days, as_of=as_of)
    assert result.rows.to_dicts() == brute(frame, mau_days, as_of)
    random.shuffle(found)
    for partitions in (1, 8):
        again = activity.analyse(events(*found), mau_days=mau_days, as_of=as_of, partitions=partitions)
        assert again.rows.equals(result.rows)
        assert all(again.extras[name].equals(table) for name, table in result.extras.items())


@settings(max_examples=30, deadline=None)
@given(acts, widths)
def test_the_histogram_adds_up(found: list[Act], mau_days: int) -> None:
    frame = events(*found)
    result = activity.analyse(frame, mau_days=mau_days)
    days, often = there(frame), result.extras["histogram"]
    last = [days.get(max(days) - timedelta(days=back), set()) for back in range(mau_days)]
    counts = [sum(user in now for now in last) for user in set[str]().union(*last)]
    assert often.rows() == [(n, counts.count(n)) for n in range(1, mau_days + 1)]
    if result.summary["mau"] is not None:
        assert often["users"].sum() == result.summary["mau"]
        assert result.summary["active_days_mean"] == result.rows["dau"].tail(mau_days).sum() / result.summary["mau"]
    assert result.extras["hours"]["events"].sum() == len(found)


@settings(max_examples=20, deadline=None)
@given(acts, widths)
def test_by_a_column_is_each_group_by_itself(found: list[Act], mau_days: int) -> None:
    def city(user: str) -> str | None:
        return None if user in "ab" else "Ulm" if user in "cdef" else "Köln"

    frame = events(*found, city=city)
    result = activity.analyse(frame, mau_days=mau_days, by="city")
    total = activity.analyse(frame, mau_days=mau_days)
    assert result.summary == total.summary
    counts = ["dau", "wau", "mau", "new_users"]
    added = result.rows.group_by("date").agg(pl.col(counts).sum()).sort("date")
    assert added.equals(total.rows.select("date", pl.col(counts).fill_null(0)))
    often = result.extras["histogram"].group_by("active_days").agg(pl.col("users").sum()).sort("active_days")
    assert often.equals(total.extras["histogram"])
    for group in result.rows.partition_by("city"):
        alone = {row["date"]: row for row in brute(frame.filter(pl.col("city").eq_missing(group["city"][0])), mau_days)}
        for row in group.iter_rows(named=True):
            assert row["dau"] == alone.get(row["date"], {"dau": 0})["dau"]


@settings(max_examples=20, deadline=None)
@given(acts, widths, st.integers(-10, 70), st.integers(0, 40))
def test_the_window_chooses_rows_and_changes_none(found: list[Act], mau_days: int, first: int, length: int) -> None:
    since, until = START + timedelta(days=first), START + timedelta(days=first + length)
    whole = activity.analyse(events(*found), mau_days=mau_days).rows
    some = activity.analyse(events(*found), mau_days=mau_days, since=since, until=until)
    assert some.rows.equals(whole.filter(pl.col("date").is_between(since, until)))
    at = events(*found)["time"].dt.date()
    assert some.extras["hours"]["events"].sum() == at.is_between(since, until).sum()


def test_later_rows_change_no_day_before_them_and_older_ones_only_who_is_new_and_full_windows() -> None:
    rows, late, old = on(a="10 11 40", b="12 39", c="41"), on(a="80", d="60"), on(b="0")
    before = activity.analyse(events(*rows)).rows
    after = activity.analyse(events(*rows, *late)).rows
    assert after.head(before.height).equals(before)
    older = activity.analyse(events(*rows, *old)).rows.tail(before.height)
    assert older["dau"].equals(before["dau"])
    assert (older["new_users"] - before["new_users"]).to_list() == [0, 0, -1, *[0] * (before.height - 3)]
    full = before["mau"].is_not_null()
    assert full.sum() == before.height - 27
    assert older.filter(full)["mau"].equals(before.filter(full)["mau"])
    assert older["mau"].null_count() == 17


# --- hostile ----------------------------------------------------------------------------------------------------------


def test_one_row_many_times() -> None:
    once, often = (activity.analyse(events(*[("a", 5)] * n), mau_days=1) for n in (1, 50))
    assert once.rows.rows() == often.rows.rows() == [(START, 1, None, 1, 1.0, 1)]
    assert often.extras["hours"]["events"].sum() == 50


def test_too_short_a_history_is_told() -> None:
    result = activity.analyse(events(*on(a="0 5")))
    assert result.summary["mau"] is None
    assert result.summary["mean_stickiness"] is None
    assert any("28 days of history" in text.en for text in result.provenance.warnings)


def test_nothing_to_count() -> None:
    with pytest.raises(InputError, match="no rows"):
        activity.analyse(events())
    with pytest.raises(InputError, match="no usable rows"):
        activity.analyse(events(("a", 1)).with_columns(user_id=pl.lit(None, pl.String)))


def test_a_window_beside_the_data_is_told() -> None:
    for window in ({"since": date(2030, 1, 1)}, {"until": date(2020, 1, 1)}):
        result = activity.analyse(events(("a", 1)), **window)
        assert result.rows.is_empty()
        assert (result.summary["dau"], result.summary["mean_dau"], result.summary["users"]) == (None, None, 1)
        assert any("reporting window" in text.en for text in result.provenance.warnings)
        assert repr(result)


def test_what_cannot_be_asked() -> None:
    rows = events(("a", 1))
    for changes in ({"mau_days": 0}, {"mau_days": 400}, {"by": "dau"}, {"since": START, "until": date(2020, 1, 1)}):
        with pytest.raises(UsageError):
            activity.analyse(rows, **changes)


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [(), ("--histogram",), ("--by", "city", "--mau-days", "3")])
def test_the_command(options: tuple[str, ...], tmp_path: Path, userops: Callable[..., Any]) -> None:
    file = tmp_path / "events.csv"
    events(*on(a="0 1 9", b="1 2", c="8"), city=lambda user: "Ulm" if user == "a" else None).write_csv(file)
    ran = userops("activity", file, "--json", "-q", "--week-start", "sunday", *options)
    answer = json.loads(ran.out)
    jsonschema.validate(answer, schemas.of("activity"), format_checker=jsonschema.FormatChecker())
    assert answer["rows"]
    assert len(answer["tables"]["hours"]) == 168
    for suffix in ("html", "md", "txt", "ndjson"):
        assert userops("activity", file, "-q", "--lang", "zh", *options, "-o", f"out.{suffix}").code == 0


def test_a_last_day_cut_short_is_told() -> None:
    acts = [(user, 24 * day + hour) for day in range(10) for hour in (1, 12, 23) for user in "abc"]
    whole = activity.analyse(events(*acts)).provenance.warnings
    cut = activity.analyse(events(*acts[:-6])).provenance.warnings
    assert [any("cut short" in text.en for text in told) for told in (whole, cut)] == [False, True]


# --- real data --------------------------------------------------------------------------------------------------------


def test_as_another_engine_counts(shared: Path, userops: Callable[..., Any]) -> None:
    file = shared / "data" / "events" / "rete_ecom.csv"
    expected = json.loads((shared / "expected" / "events" / "chdb_retention.json").read_text())

    def wanted(kind: str) -> Any:
        return next(e["rows"] for e in expected if e["dataset"] == "rete_ecom" and e["kind"].startswith(kind))

    def told(*options: str) -> Any:
        ran = userops("activity", file, "--json", "-q", *options)
        assert ran.code == 0
        return json.loads(ran.out)

    ((day, dau, wau, mau30, mau28),) = wanted("DAU/WAU/MAU")
    for days, mau in (("28", mau28), ("30", mau30)):
        answer = told("--mau-days", days)
        last = answer["rows"][-1]
        assert (last["date"], last["dau"], last["wau"], last["mau"]) == (day, dau, wau, mau)
        assert answer["summary"]["stickiness"] == dau / mau
    often = [[row["active_days"], row["users"]] for row in told("--histogram")["rows"]]
    assert [row for row in often if row[1]] == wanted("L28")
    assert len(often) == 28


def test_daily_states_of_retentioneering(shared: Path) -> None:
    """New, current (back within 7 days), reactivated (30), resurrected; absent up to 7, up to 30 days, or longer.

    Its users are dormant only until they come back: who never does is in no state after 30 days.
    """
    frame = pl.read_csv(shared / "data" / "events" / "rete_ecom.csv", try_parse_dates=True).rename(
        {"timestamp": "time"}
    )
    expected = pl.read_csv(shared / "expected" / "events" / "rete_ecom_daily_states.csv", try_parse_dates=True)
    found = visits.visits(frames.events(frame), "day")
    names = {"active": ("current", "reactivated", "resurrected"), "absent": ("at_risk_wau", "at_risk_mau", "dormant")}

    def state(days: pl.Expr, kind: str) -> pl.Expr:
        near, middle, far = (pl.lit(name) for name in names[kind])
        return pl.when(days <= 7).then(near).when(days <= 30).then(middle).otherwise(far)

    day, previous, next_ = (pl.col(name) for name in ("period", "previous", "next"))
    active = found.rows.select(
        day=day, state=pl.when(previous.is_null()).then(pl.lit("new")).otherwise(state(day - previous, "active"))
    )
    end = found.span[1] + 1
    silent = found.rows.select("period", "next", day=pl.int_ranges(day + 1, pl.coalesce(next_, end)))
    silent = silent.explode("day").filter(pl.col("day").is_not_null())
    away = silent.select(
        day=pl.col("day").cast(pl.Int32), comes_back=next_.is_not_null(), state=state(pl.col("day") - day, "absent")
    ).filter(pl.col("comes_back") | (pl.col("state") != "dormant"))
    states = pl.concat([active, away.drop("comes_back")]).group_by(pl.col("day").cast(pl.Date), "state").len()
    table = states.pivot("state", index="day", values="len").fill_null(0).sort("day")
    assert table.select(expected.columns).cast(pl.Int64, strict=False).drop("day").equals(expected.drop("day"))
    assert table["day"].equals(expected["day"])

    rows = activity.analyse(frame, mau_days=30).rows
    came = expected.select(pl.sum_horizontal("new", "current", "reactivated", "resurrected")).to_series()
    assert rows["dau"].to_list() == came.to_list()
    assert rows["new_users"].to_list() == expected["new"].to_list()
    # active within 31 days, today or at risk: MAU of 31 days
    month = activity.analyse(frame, mau_days=31).rows
    known = month["mau"].is_not_null()
    within = came + expected["at_risk_wau"] + expected["at_risk_mau"]
    assert month.filter(known)["mau"].to_list() == within.filter(known).to_list()
