"""Growth accounting: by hand, against sets in Python and another engine, and under everything that must not matter."""

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

from userops import frames, growth, periods, visits
from userops.cli_support import schemas
from userops.errors import InputError, UsageError
from userops.results import Result

START = date(2025, 11, 27)
"""A Thursday, so that weeks and months are cut in their middle."""

Act = tuple[str, int]
"""A user, and days after START."""


def events(*acts: Act, city: Callable[[str, int], str | None] = lambda _, __: None) -> pl.DataFrame:
    at = [(user, "open", datetime.combine(START, datetime.min.time()) + timedelta(days=day)) for user, day in acts]
    schema = {"user_id": pl.String, "event": pl.String, "time": pl.Datetime("us")}
    return pl.DataFrame(at, schema=schema, orient="row").with_columns(
        city=pl.Series([city(user, day) for user, day in acts], dtype=pl.String)
    )


def monthly(**months: str) -> pl.DataFrame:
    """Users and the months of 2024 they were there, ``a="1 2 5"``: one event on the 10th of each."""
    at = [(user, "open", datetime(2024, int(month), 10)) for user, list_ in months.items() for month in list_.split()]
    schema = {"user_id": pl.String, "event": pl.String, "time": pl.Datetime("us")}
    return pl.DataFrame(at, schema=schema, orient="row")


def signed_up(**days: date | None) -> pl.DataFrame:
    at = [datetime.combine(day, datetime.min.time()) if day else None for day in days.values()]
    return pl.DataFrame(
        {"user_id": list(days), "signed_up_at": at}, schema={"user_id": pl.String, "signed_up_at": pl.Datetime("us")}
    )


def of(result: Result, *names: str) -> list[tuple[Any, ...]]:
    return result.rows.select(names or ("new", "retained", "resurrected", "churned", "active")).rows()


def brute(frame: pl.DataFrame, grain: periods.Grain, week_start: periods.WeekStart) -> list[dict[str, Any]]:
    """Every period of history, with sets of users."""
    there: dict[int, set[str]] = {}
    for user, at in frame.select("user_id", "time").iter_rows():
        there.setdefault(periods.index_of(at.date(), grain, week_start), set()).add(user)
    rows, seen = [], set[str]()
    for period in range(min(there), max(there) + 1):
        now, before = there.get(period, set()), there.get(period - 1, set())
        new, retained = now - seen, now & before
        back, gone = now - new - retained, before - now
        first = period == min(there)
        rows.append({
            "period_start": periods.first_day(period, grain, week_start), "new": len(new), "retained": len(retained),
            "resurrected": len(back), "churned": None if first else len(gone), "active": len(now),
            "net": None if first else len(new) + len(back) - len(gone),
            "quick_ratio": (len(new) + len(back)) / len(gone) if gone else None,
        })  # fmt: skip
        seen |= now
    return rows


# --- by hand --------------------------------------------------------------------------------------------------------


def test_a_churned_user_is_counted_once_and_comes_back_resurrected() -> None:
    result = growth.analyse(monthly(a="1 2 5"), period="month")
    assert of(result) == [(1, 0, 0, None, 1), (0, 1, 0, 0, 1), (0, 0, 0, 1, 0), (0, 0, 0, 0, 0), (0, 0, 1, 0, 1)]
    assert of(result, "net", "quick_ratio", "complete") == [
        (None, None, True), (0, None, True), (-1, 0.0, True), (0, None, True), (1, None, False)
    ]  # fmt: skip


def test_quick_ratio_and_rates() -> None:
    users = {f"back{i}": "1 3" for i in range(10)} | {f"stay{i}": "2 3" for i in range(60)}
    users |= {f"gone{i}": "2" for i in range(40)} | {f"new{i}": "3" for i in range(40)}
    summary = growth.analyse(monthly(**users), period="month", as_of=date(2024, 3, 31)).summary
    assert (summary["active"], summary["churned"], summary["net"]) == (110, 40, 10)
    assert (summary["quick_ratio"], summary["retention_rate"], summary["churn_rate"]) == (1.25, 0.6, 0.4)
    # February: 100 new, the ten of January churned
    assert summary["mean_quick_ratio"] == (100 / 10 + 1.25) / 2
    assert (summary["users"], summary["events"], summary["period_start"]) == (150, 220, "2024-03-01")


def test_who_signed_up_earlier_is_not_new() -> None:
    rows = monthly(early="3", known="1 3", late="2", unheard="3")
    users = signed_up(early=date(2024, 1, 5), known=date(2024, 1, 2), late=date(2024, 3, 1), unheard=None)
    result = growth.analyse(rows, period="month", users=users)
    # March: early had signed up in January, known was there in January, unheard is first seen
    assert of(result, "new", "resurrected") == [(1, 0), (1, 0), (1, 2)]
    assert of(growth.analyse(rows, period="month"), "new", "resurrected") == [(1, 0), (1, 0), (2, 1)]
    alone = growth.analyse(monthly(early="3"), period="month", users=users)
    assert of(alone) == [(0, 0, 1, None, 1)]


def test_the_first_period_is_told_to_be_left_censored() -> None:
    def told(**changes: Any) -> bool:
        found = growth.analyse(monthly(a="3 4", b="4 5"), period="month", **changes).provenance.warnings
        return any("2024-03-01 is the first period" in text.en for text in found)

    assert told()
    assert told(users=signed_up(a=date(2024, 1, 1)))
    assert not told(since=date(2024, 4, 1))


def test_the_default_period_is_the_month_for_orders_and_the_day_for_events() -> None:
    orders = monthly(a="1 2", b="2").select("user_id", ordered_at="time", amount=pl.lit(10.0))
    result = growth.analyse(orders)
    assert of(result) == [(1, 0, 0, None, 1), (1, 1, 0, 0, 2)]
    assert (result.summary["orders"], result.summary["revenue"]) == (3, 30.0)
    assert growth.analyse(monthly(a="1 2")).rows.height == 32


def test_refunds_are_no_activity() -> None:
    at = [datetime(2024, 1, 5), datetime(2024, 2, 5), datetime(2024, 2, 6)]
    orders = pl.DataFrame({"user_id": ["a", "a", "b"], "ordered_at": at, "amount": [5.0, -5.0, 1.0]})
    assert of(growth.analyse(orders)) == [(1, 0, 0, None, 1), (1, 0, 0, 1, 1)]
    only = growth.analyse(orders.filter(pl.col("amount") < 0))
    assert of(only) == [(0, 0, 0, None, 0)]
    assert only.summary["users"] == 0


def test_unfinished_periods_enter_no_figure() -> None:
    rows = monthly(a="1 2 3", b="1 3")
    open_, over = (growth.analyse(rows, period="month", as_of=date(2024, 3, day)) for day in (30, 31))
    assert [of(result, "complete")[-1] for result in (open_, over)] == [(False,), (True,)]
    assert (open_.summary["period_start"], over.summary["period_start"]) == ("2024-02-01", "2024-03-01")
    assert open_.rows.drop("complete").equals(over.rows.drop("complete"))
    chart = open_.views[1]
    assert getattr(chart, "unfinished") == 2  # noqa: B009 # the class of a block is not asked for here


# --- against sets -----------------------------------------------------------------------------------------------------

acts = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 90)), min_size=1, max_size=60)
grains = st.sampled_from(periods.GRAINS)
starts = st.sampled_from(["monday", "sunday"])


@settings(max_examples=30, deadline=None)
@given(acts, grains, starts, st.randoms(use_true_random=False))
def test_as_sets_count(found: list[Act], grain: Any, week_start: Any, random: Any) -> None:
    frame = events(*found)
    wanted = brute(frame, grain, week_start)
    result = growth.analyse(frame, period=grain, week_start=week_start)
    assert result.rows.drop("complete").to_dicts() == wanted
    random.shuffle(found)
    assert growth.analyse(events(*found), period=grain, week_start=week_start).rows.equals(result.rows)
    assert growth.analyse(events(*found), period=grain, week_start=week_start, partitions=8).rows.equals(result.rows)


@settings(max_examples=20, deadline=None)
@given(acts, grains, starts)
def test_by_a_column_is_each_group_by_itself(found: list[Act], grain: Any, week_start: Any) -> None:
    def city(user: str, day: int) -> str | None:
        return (
            None
            if user in "ab"
            else "Ulm"
            if user in "cd"
            else f"seen first on {min(d for u, d in found if u == user)}"
        )

    frame = events(*found, city=city)
    result = growth.analyse(frame, period=grain, week_start=week_start, by="city")
    total = growth.analyse(frame, period=grain, week_start=week_start)
    assert result.rows["city"].unique(maintain_order=True).to_list() == sorted(
        frame["city"].unique(), key=lambda name: (name is None, name)
    )
    counts = ["new", "retained", "resurrected", "churned", "active", "net"]
    added = result.rows.group_by("period_start").agg(pl.col(counts).sum()).sort("period_start")
    assert added.equals(total.rows.select("period_start", pl.col(counts).fill_null(0)))
    assert result.summary == total.summary
    for group in result.rows.partition_by("city"):
        alone = {
            row["period_start"]: row
            for row in brute(frame.filter(pl.col("city").eq_missing(group["city"][0])), grain, week_start)
        }
        for row in group.iter_rows(named=True):
            assert row["active"] == alone.get(row["period_start"], {"active": 0})["active"]


@pytest.mark.parametrize("week_start", ["monday", "sunday"])
def test_masks_and_pairs_agree_where_one_gives_way_to_the_other(week_start: Any) -> None:
    for weeks in (62, 63, 64, 65, 66, 200):
        found = [(f"u{n % 9}", n * 7 * weeks // 40) for n in range(40)]
        frame = events(*found, city=lambda _, __: "one")
        by_masks = growth.analyse(frame, period="week", week_start=week_start)
        by_pairs = growth.analyse(frame, period="week", week_start=week_start, by="city")
        assert by_masks.rows.equals(by_pairs.rows.drop("city"))
        assert by_masks.rows.drop("complete").to_dicts() == brute(frame, "week", week_start)


@settings(max_examples=20, deadline=None)
@given(acts, grains, st.integers(-10, 100), st.integers(0, 60))
def test_the_window_chooses_rows_and_changes_none(found: list[Act], grain: Any, first: int, length: int) -> None:
    since, until = START + timedelta(days=first), START + timedelta(days=first + length)
    whole = growth.analyse(events(*found), period=grain).rows
    some = growth.analyse(events(*found), period=grain, since=since, until=until).rows
    lo, hi = (periods.first_day(periods.index_of(day, grain), grain) for day in (since, until))
    assert some.equals(whole.filter(pl.col("period_start").is_between(lo, hi)))


@settings(max_examples=20, deadline=None)
@given(acts, acts, grains)
def test_later_rows_change_no_period_before_them(found: list[Act], more: list[Act], grain: Any) -> None:
    as_of = START + timedelta(days=max(day for _, day in found))
    later = [(user, (as_of - START).days + 40 + day) for user, day in more]
    before = growth.analyse(events(*found), period=grain, as_of=as_of).rows
    end = START + timedelta(days=max(day for _, day in later))
    after = growth.analyse(events(*found, *later), period=grain, as_of=end).rows
    assert after.head(before.height).drop("complete").equals(before.drop("complete"))
    cut = growth.analyse(events(*found, *later), period=grain, as_of=as_of)
    assert cut.rows.equals(before)
    assert cut.provenance.inputs[0].rejected == {"after_as_of": len(later)}


def test_older_rows_change_who_is_new_and_the_first_period_only() -> None:
    rows = monthly(a="4 5", b="5 6", c="6")
    before = growth.analyse(rows, period="month").rows
    after = growth.analyse(pl.concat([rows, monthly(b="1", c="1")]), period="month").rows.tail(3)
    assert after["active"].equals(before["active"])
    assert after["retained"].equals(before["retained"])
    assert after["churned"].to_list() == [0, *before["churned"].to_list()[1:]]
    assert (before["new"].to_list(), after["new"].to_list()) == ([1, 1, 1], [1, 0, 0])
    assert (before["resurrected"].to_list(), after["resurrected"].to_list()) == ([0, 0, 0], [0, 1, 1])


# --- hostile ----------------------------------------------------------------------------------------------------------


def test_one_row_many_times() -> None:
    once, often = (growth.analyse(events(*[("a", 3)] * n), period="week") for n in (1, 50))
    assert of(once) == of(often) == [(1, 0, 0, None, 1)]
    assert any("49 rows are exact copies" in text.en for text in often.provenance.warnings)


def test_nothing_to_count() -> None:
    nothing = events()
    with pytest.raises(InputError, match="no rows"):
        growth.analyse(nothing)
    null = events(("a", 1)).with_columns(user_id=pl.lit(None, pl.String))
    with pytest.raises(InputError, match="no usable rows"):
        growth.analyse(null)


def test_a_window_beside_the_data_is_told() -> None:
    for window in ({"since": date(2030, 1, 1)}, {"until": date(2020, 1, 1)}):
        result = growth.analyse(events(("a", 1), ("b", 2)), period="week", **window)
        assert result.rows.is_empty()
        assert result.summary["active"] is None
        assert any("reporting window" in text.en for text in result.provenance.warnings)


def test_what_cannot_be_asked() -> None:
    rows = events(("a", 1))
    with pytest.raises(UsageError, match="--by"):
        growth.analyse(rows, by="active")
    with pytest.raises(UsageError, match="--since"):
        growth.analyse(rows, since=date(2026, 1, 2), until=date(2026, 1, 1))
    with pytest.raises(InputError, match="no column 'nope'"):
        growth.analyse(rows, by="nope")


def test_an_attribute_of_the_users_table() -> None:
    users = signed_up(a=None, b=None).with_columns(plan=pl.Series(["free", "paid"]))
    result = growth.analyse(monthly(a="1 2", b="2", c="2"), period="month", by="plan", users=users)
    assert result.rows.select("plan", "active").rows() == [
        ("free", 1), ("free", 1), ("paid", 0), ("paid", 1), (None, 0), (None, 1)
    ]  # fmt: skip


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command(tmp_path: Path, userops: Callable[..., Any]) -> None:
    events_, users = tmp_path / "events.csv", tmp_path / "users.csv"
    monthly(a="1 2", b="2 3", c="3").write_csv(events_)
    users.write_text("user_id,signed_up_at,plan\na,2023-05-01,free\nb,2024-02-02,paid\n", encoding="utf-8")
    line = ("growth", events_, "--period", "month", "--users-table", users, "-q")
    answer = json.loads(userops(*line, "--json").out)
    jsonschema.validate(answer, schemas.of("growth"), format_checker=jsonschema.FormatChecker())
    assert [(row["new"], row["resurrected"], row["churned"]) for row in answer["rows"]] == [
        (0, 1, None),
        (1, 0, 0),
        (1, 0, 1),
    ]
    assert answer["meta"]["settings"]["period"] == "month"
    by_plan = [row.split(",")[:3] for row in userops(*line, "--by", "plan", "--csv").out.splitlines()]
    assert by_plan[1:3] == [["free", "2024-01-01", "0"], ["free", "2024-02-01", "0"]]
    assert userops(*line, "--fail-if", "quick_ratio < 1").code == 4
    assert userops("growth", events_, "--by", "plan").code == 3
    for suffix in ("html", "md", "parquet", "ndjson"):
        assert userops(*line, "--by", "plan", "--lang", "zh", "-o", f"out.{suffix}").code == 0


# --- real data --------------------------------------------------------------------------------------------------------


def test_as_another_engine_counts(shared: Path, userops: Callable[..., Any]) -> None:
    file = shared / "data" / "events" / "rete_ecom.csv"
    ran = userops("growth", file, "--period", "month", "--json", "-q")
    assert ran.code == 0
    expected = json.loads((shared / "expected" / "events" / "chdb_retention.json").read_text())
    wanted = next(e["rows"] for e in expected if e["dataset"] == "rete_ecom" and e["kind"].startswith("growth"))
    rows = json.loads(ran.out)["rows"]
    names = {"period_start": "period", "retained": "returning", "churned": "dormant"}
    for row, other in zip(rows, wanted, strict=True):
        for name in ("period_start", "new", "retained", "resurrected", "active", "churned", "quick_ratio"):
            assert row[name] == other[names.get(name, name)], name


def test_visits_stand_for_all_users(shared: Path) -> None:
    frame = pl.read_csv(shared / "data" / "events" / "rete_ecom.csv", try_parse_dates=True).rename(
        {"timestamp": "time"}
    )
    found = visits.visits(frames.events(frame), "month")
    assert found.all_users == frame["user_id"].n_unique()
