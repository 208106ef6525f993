"""Late rows: by hand, against plain Python, and the golden case of a row that comes three days into the next month."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import Ran
from userops import frames, late
from userops.cli_support import schemas
from userops.errors import InputError

Row = tuple[str, datetime, datetime | None]


def events(*rows: Row) -> pl.DataFrame:
    """Rows of (user_id, when it happened, when it arrived)."""
    clock = pl.Datetime("us")
    schema = pl.Schema({"user_id": pl.String(), "time": clock, "ingested_at": clock})
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(event=pl.lit("open"))


def january(day: int, hour: int = 12) -> datetime:
    return datetime(2026, 1, 1) + timedelta(days=day - 1, hours=hour)


BY_HAND = events(
    ("a", january(10), january(10, 13)),
    ("a", january(31), january(34)),
    ("b", january(31), january(33)),
    ("c", january(20), january(20, 11)),
    ("d", january(30), None),
    ("d", january(35), january(35, 14)),
)  # fmt: skip
"""January: four users, of whom b is not known by its end, and two late rows; a clock that is wrong, an arrival unknown."""


def test_by_hand() -> None:
    result = late.analyse(BY_HAND, "month")
    assert result.rows.columns == [
        "period_start", "rows", "late_rows", "late_share", "users_then", "users_now", "users_change",
        "median_lag_hours", "p90_lag_hours", "max_lag_days", "complete",
    ]  # fmt: skip
    # lags in January: 1 h, 72 h, 48 h, 0 (arrived before), 0 (unknown); the median is the third of five
    assert result.rows.rows() == [
        (date(2026, 1, 1), 5, 2, 2 / 5, 3, 4, 1, 1.0, 72.0, 3.0, True),
        (date(2026, 2, 1), 1, 0, 0.0, 1, 1, 0, 2.0, 2.0, 2 / 24, False),
    ]
    assert result.summary == {
        "users": 4,
        "rows": 6,
        "late_rows": 2,
        "late_share": 2 / 6,
        "data_through": "2026-02-04T14:00:00",
        "median_lag_hours": 1.0,
        "p90_lag_hours": 72.0,
        "p99_lag_hours": 72.0,
        "settled_after_days": 3,
        "changed_periods": 1,
        "negative_lags": 1,
        "unknown_arrivals": 1,
    }
    said = " ".join(text.en for text in result.provenance.warnings)
    assert "arrived before they happened" in said
    assert "do not say when" in said


def test_a_row_is_late_only_after_the_last_day_of_its_period() -> None:
    rows = events(("a", january(4), january(4, 24) - timedelta(microseconds=1)), ("b", january(4), january(4, 24)))
    by_day, by_week = late.analyse(rows, "day"), late.analyse(rows, "week")  # 4 January 2026 is a Sunday
    by_month = late.analyse(rows, "month")
    assert [result.rows["late_rows"].sum() for result in (by_day, by_week, by_month)] == [1, 1, 0]
    assert late.analyse(rows, "week", "sunday").rows["late_rows"].sum() == 0


def test_who_arrives_before_it_happens_has_no_lag() -> None:
    result = late.analyse(events(("a", january(10), january(9))), "month")
    assert result.rows.select("late_rows", "median_lag_hours", "max_lag_days").rows() == [(0, 0.0, 0.0)]
    assert result.summary["negative_lags"] == 1


def test_silent_periods_have_rows_and_the_window_chooses_periods() -> None:
    rows = events(("a", january(1), january(1)), ("a", january(65), january(66)))
    result = late.analyse(rows, "month")
    assert result.rows.select("rows", "late_share", "median_lag_hours").rows() == [
        (1, 0.0, 0.0), (0, None, None), (1, 0.0, 24.0)
    ]  # fmt: skip
    shown = late.analyse(rows, "month", window=(date(2026, 2, 10), date(2026, 2, 11)))
    assert shown.rows["period_start"].to_list() == [date(2026, 2, 1)]
    assert shown.summary == result.summary | {"changed_periods": 0}


def test_refunds_are_rows_but_make_nobody_active() -> None:
    rows = (
        BY_HAND.rename({"time": "ordered_at"})
        .drop("event")
        .with_columns(amount=pl.when(pl.col("user_id") == "b").then(-1.0).otherwise(1.0), order_id=pl.lit("7"))
    )
    for grain in ("order", "line"):
        result = late.analyse(frames.orders(rows, grain=grain), "month")
        assert result.rows.row(0)[1:7] == (5, 2, 2 / 5, 3, 3, 0)


def test_without_arrivals_it_says_which_column_is_missing() -> None:
    with pytest.raises(InputError) as stop:
        late.analyse(BY_HAND.drop("ingested_at"), "month")
    assert stop.value.code == "E_ARRIVAL_UNKNOWN"
    assert "--map ingested_at=COLUMN" in str(stop.value.hint)
    assert "--late-rows" in stop.value.message


@pytest.mark.parametrize(
    "rows",
    [
        BY_HAND.head(1),
        pl.concat([BY_HAND.head(1)] * 3),
        BY_HAND.with_columns(ingested_at=pl.lit(None, pl.Datetime("us"))),
        BY_HAND.with_columns(pl.col("ingested_at").dt.date()),
        BY_HAND.with_columns(pl.col("ingested_at").dt.replace_time_zone("UTC"), pl.col("time").dt.replace_time_zone("UTC")),
    ],
    ids=["one row", "copies", "no arrival at all", "days", "with a zone"],
)  # fmt: skip
def test_degenerate_input_still_counts_every_row(rows: pl.DataFrame) -> None:
    result = late.analyse(rows, "day")
    assert result.rows["rows"].sum() == rows.height == result.summary["rows"]
    assert repr(result)


@pytest.mark.parametrize(
    "rows", [BY_HAND.head(0), BY_HAND.with_columns(user_id=pl.lit(None, pl.String))], ids=["empty", "no ids"]
)
def test_nothing_usable_is_an_input_error(rows: pl.DataFrame) -> None:
    with pytest.raises(InputError):
        late.analyse(rows, "month")


def test_arrivals_that_are_no_times_are_an_input_error() -> None:
    with pytest.raises(InputError) as stop:
        late.analyse(BY_HAND.with_columns(ingested_at=pl.lit("soon")), "month")
    assert stop.value.code == "E_WRONG_DTYPE"


# --- what must not matter -------------------------------------------------------------------------------------------

ROW = st.tuples(
    st.sampled_from("abcdef"),
    st.integers(0, 80 * 24).map(lambda hours: january(1, hours)),
    st.one_of(st.none(), st.integers(-5, 60 * 24 * 40)),
).map(lambda row: (row[0], row[1], None if row[2] is None else row[1] + timedelta(minutes=row[2])))


@settings(max_examples=25, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=60), st.sampled_from(["day", "week", "month"]), st.integers(0, 999))
def test_order_and_partitions_do_not_matter(rows: list[Row], grain: Any, seed: int) -> None:
    frame = events(*rows)
    one = late.analyse(frame, grain)
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=seed)
    for partitions in (1, 8):
        other = late.analyse(shuffled.lazy(), grain, partitions=partitions)
        assert other.rows.equals(one.rows)
        assert other.summary == one.summary


@settings(max_examples=40, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=60))
def test_against_plain_python(rows: list[Row]) -> None:
    """The definitions once more, by month, sharing nothing with the product."""
    result = late.analyse(events(*rows), "month")

    def quantile(values: list[int], percent: int) -> int:
        return sorted(values)[math.ceil(len(values) * percent / 100) - 1]

    wanted, settling = {}, []
    last = max(at for _, at, _ in rows)
    for month in sorted({at.month for _, at, _ in rows}):
        own = [(user, at, arrived or at) for user, at, arrived in rows if at.month == month]
        over = datetime(2026, month + 1, 1)
        lags = [max(0, round((arrived - at).total_seconds()) // 60) for _, at, arrived in own]
        wanted[date(2026, month, 1)] = (
            len(own),
            sum(arrived >= over for *_, arrived in own),
            len({user for user, _, arrived in own if arrived < over}),
            len({user for user, *_ in own}),
            quantile(lags, 50) / 60,
            quantile(lags, 90) / 60,
            max(lags) / 1440,
        )
        if last.date() >= over.date() - timedelta(days=1):
            settling += [max(0, (arrived.date() - over.date()).days + 1) for *_, arrived in own]
    columns = ("rows", "late_rows", "users_then", "users_now", "median_lag_hours", "p90_lag_hours", "max_lag_days")
    heard = result.rows.filter(pl.col("rows") > 0).select("period_start", *columns)
    assert {row[0]: row[1:] for row in heard.iter_rows()} == wanted
    assert result.summary["settled_after_days"] == (quantile(settling, 99) if settling else None)


# --- the command ----------------------------------------------------------------------------------------------------

COMMANDS = ("lifecycle", "growth", "activity")


@pytest.fixture
def e01(tmp_path: Path) -> Path:
    """A row of 31 January that arrives on 3 February."""
    path = tmp_path / "events.csv"
    path.write_text(
        "user_id,event,time,ingested_at\n"
        "a,open,2026-01-10 09:00:00,2026-01-10 09:00:05\n"
        "b,open,2026-01-31 21:00:00,2026-02-03 08:00:00\n"
        "a,open,2026-02-05 09:00:00,2026-02-05 09:00:01\n"
    )
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_e01_through_the_commands(userops: Callable[..., Ran], e01: Path, command: str) -> None:
    """A report on January saw one user on 1 February and sees two on the 5th."""
    by_month = () if command != "growth" else ("--period", "month")
    ran = userops(command, e01, "--late-rows", *by_month, "--json", "-q")
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    assert found["schema"] == f"userops.{command}/1"
    assert found["summary"]["data_through"] == "2026-02-05T09:00:01"
    row = next(row for row in found["rows"] if row["late_rows"])
    day = "2026-01-31" if command == "activity" else "2026-01-01"
    now = 1 if command == "activity" else 2
    assert (row["period_start"], row["users_then"], row["users_now"], row["users_change"]) == (day, now - 1, now, 1)


def test_then_is_what_a_report_then_shows(userops: Callable[..., Ran], e01: Path) -> None:
    seen = []
    for known_by in ("2026-02-01", "2026-02-05"):
        ran = userops("lifecycle", e01, "--as-of", "2026-01-31", "--known-by", known_by, "--json", "-q")
        seen.append(json.loads(ran.out)["summary"]["users"])
    assert seen == [1, 2]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_schema_describes_late_rows(userops: Callable[..., Ran], e01: Path, command: str) -> None:
    found = schemas.ENVELOPES[command].model_validate_json(userops(command, e01, "--late-rows", "--json", "-q").out)
    assert isinstance(found.summary, schemas.late.LateSummary)
    assert {type(row) for row in found.rows} == {schemas.late.LatePeriod}


def test_lateness_can_raise_an_alarm(userops: Callable[..., Ran], e01: Path) -> None:
    assert userops("lifecycle", e01, "--late-rows", "--fail-if", "late_share > 0.3").code == 4


def test_a_file_without_arrivals(userops: Callable[..., Ran], e01: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain.csv"
    pl.read_csv(e01).drop("ingested_at").write_csv(plain)
    ran = userops("lifecycle", plain, "--late-rows")
    assert ran.code == 3
    assert "--map ingested_at=COLUMN" in ran.err


def test_the_page_in_chinese(userops: Callable[..., Ran], e01: Path) -> None:
    page = userops("lifecycle", e01, "--late-rows", "--lang", "zh", "-q").out
    for words in ("各周期迟到行", "当时用户", "现在用户", "数据截至", "口径"):
        assert words in page


def test_real_commits_come_at_once(userops: Callable[..., Ran], shared: Path) -> None:
    """11 of the 4,307 rows of this log arrived later than they happened, the last of them after 671 seconds."""
    ran = userops("lifecycle", shared / "data/events/growthbook_commits.csv", "--late-rows", "--json", "-q")
    found = json.loads(ran.out)
    assert found["summary"]["rows"] == 4_307
    assert found["summary"]["late_rows"] == 0
    assert found["summary"]["data_through"] == "2026-08-21T21:38:25"
    assert max(row["max_lag_days"] or 0 for row in found["rows"]) == 11 / 1440
