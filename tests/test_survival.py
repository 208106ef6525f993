"""Survival: by hand, published curves through the command, a brute force on random subscriptions, hostile input."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import polars as pl
import pytest

from conftest import Ran
from userops import frames, survival
from userops.cli_support import schemas
from userops.errors import InputError, UsageError
from userops.results import Result

Userops = Callable[..., Ran]
Dates = list[tuple[str, str, str | None]]


def subscriptions(rows: Dates) -> pl.DataFrame:
    """Subscriptions of (user, start, end)."""
    frame = pl.DataFrame(
        rows, schema={"user_id": pl.String, "started_at": pl.String, "ended_at": pl.String}, orient="row"
    )
    return frame.with_columns(pl.col("started_at", "ended_at").str.to_date())


def tenures(rows: list[tuple[str, float, bool]]) -> pl.DataFrame:
    schema = {"user_id": pl.String, "tenure": pl.Float64, "churned": pl.Boolean}
    return pl.DataFrame(rows, schema=schema, orient="row")


def counts(alive: list[float], first: int = 0) -> pl.DataFrame:
    return pl.DataFrame({"period": range(first, first + len(alive)), "alive": alive})


def seen(result: Result) -> list[tuple[int, int, int, float | None]]:
    rows = result.rows.filter(pl.col("survival").is_not_null())
    return rows.select("period", "at_risk", "churned", "survival").rows()


REGULAR = [1000, 631, 468, 382, 326, 289, 262, 241]
HIGH_END = [1000, 869, 743, 653, 593, 551, 517, 491]


# --- by hand --------------------------------------------------------------------------------------------------------


def test_months_from_each_own_start() -> None:
    rows: Dates = [
        ("a", "2024-01-01", "2024-02-01"),  # just one month: period 1
        ("b", "2024-01-01", "2024-01-20"),  # within the first
        ("c", "2024-01-01", "2024-02-02"),  # a day into the second
        ("d", "2024-01-15", None),  # two months over on 15 March
        ("e", "2024-03-01", "2024-03-20"),  # left in a month that ends on 1 April: over
        ("f", "2024-03-05", "2024-03-20"),  # left in a month that is not over
        ("g", "2024-03-05", None),
    ]
    result = survival.analyse(subscriptions(rows), as_of=date(2024, 3, 31))
    assert seen(result) == [(0, 7, 0, 1.0), (1, 5, 3, 0.4), (2, 2, 1, 0.2)]
    assert result.summary["churned"] == 4
    assert result.summary["churned_in_unfinished_period"] == 1
    assert result.summary["active"] == 2
    assert result.summary["median_lifetime"] == 1
    assert result.summary["horizon"] == 3
    assert result.rows["period"].to_list() == [0, 1, 2, 3]


def test_the_same_dates_in_days_and_weeks() -> None:
    rows: Dates = [("a", "2024-01-01", "2024-01-08"), ("b", "2024-01-01", "2024-01-09"), ("c", "2024-01-10", None)]
    weeks = survival.analyse(subscriptions(rows), as_of=date(2024, 1, 23), period="week")
    assert seen(weeks) == [(0, 3, 0, 1.0), (1, 3, 1, 2 / 3), (2, 2, 1, 1 / 3)]
    days = survival.analyse(subscriptions(rows), as_of=date(2024, 1, 23), period="day")
    assert [row[:3] for row in seen(days) if row[2]] == [(7, 3, 1), (8, 2, 1)]


def test_the_end_of_a_month_is_the_next_day_there_is() -> None:
    rows: Dates = [
        ("a", "2024-01-31", "2024-03-01"),
        ("b", "2024-01-31", "2024-02-29"),
        ("c", "2024-01-30", "2024-03-02"),
    ]
    result = survival.analyse(subscriptions(rows), as_of=date(2024, 5, 31))
    assert seen(result)[1:] == [(1, 3, 2, 1 / 3), (2, 1, 1, 0.0)]


def test_an_end_after_as_of_is_no_end() -> None:
    rows: Dates = [("a", "2024-01-01", "2024-12-31"), ("b", "2024-01-01", "2024-02-10"), ("c", "2024-07-01", None)]
    result = survival.analyse(subscriptions(rows), as_of=date(2024, 4, 30))
    assert result.summary["churned"] == 1
    assert result.summary["users"] == 2
    assert result.provenance.inputs[0].rejected == {"after_as_of": 1}
    with pytest.raises(InputError) as error:
        survival.analyse(subscriptions(rows))
    assert error.value.code == "E_ENDS_PLANNED" and "--as-of 2024-12-31" in str(error.value.hint)
    past = subscriptions([("a", "2024-01-01", "2024-01-20"), ("b", "2024-01-10", "2024-01-15")])
    assert survival.analyse(past, period="week").provenance.as_of == "2024-01-20"


def test_the_window_is_of_starts() -> None:
    rows: Dates = [("a", "2024-01-01", "2024-02-10"), ("b", "2024-03-01", None), ("b", "2024-03-02", "2024-03-08")]
    result = survival.analyse(subscriptions(rows), since=date(2024, 3, 1), as_of=date(2024, 6, 30))
    assert (result.summary["users"], result.summary["subscriptions"], result.summary["churned"]) == (1, 2, 1)
    with pytest.raises(InputError) as error:
        survival.analyse(subscriptions(rows), since=date(2025, 1, 1), as_of=date(2025, 6, 30))
    assert "reporting window" in error.value.message


def test_tenures_are_whole_periods() -> None:
    rows = [
        ("a", 0.0, True),
        ("b", 0.4, True),
        ("c", 1.0, True),
        ("d", 1.2, True),
        ("e", 1.9, False),
        ("f", 3.0, False),
    ]
    assert seen(survival.analyse(tenures(rows))) == [(0, 6, 0, 1.0), (1, 6, 3, 0.5), (2, 2, 1, 0.25), (3, 1, 0, 0.25)]


@pytest.mark.parametrize(
    ("alive", "alpha", "beta", "log_likelihood", "at_twelve"),
    [(REGULAR, 0.704, 1.182, -1680.27, 0.170), (HIGH_END, 0.668, 3.806, -1611.16, 0.378)],
)
def test_the_curves_of_fader_and_hardie(
    alive: list[float], alpha: float, beta: float, log_likelihood: float, at_twelve: float
) -> None:
    for first in (0, 1):  # periods are counted from the first one, whatever it is called
        result = survival.analyse(counts(alive, first), horizon=12)
        summary = result.summary
        assert (summary["alpha"], summary["beta"]) == (pytest.approx(alpha, abs=5e-4), pytest.approx(beta, abs=5e-4))
        assert summary["log_likelihood"] == pytest.approx(log_likelihood, abs=0.006)
        assert summary["survival_at_horizon"] == pytest.approx(at_twelve, abs=6e-4)
        assert result.rows["period"].to_list() == list(range(13))
        assert result.rows["survival"].to_list()[:8] == pytest.approx([n / 1000 for n in alive])
        assert result.rows["survival"].to_list()[8:] == [None] * 5
        assert (summary["users"], summary["active"], summary["churned"]) == (1000, alive[-1], 1000 - alive[-1])
        assert summary["expected_lifetime"] is None and summary["expected_remaining_lifetime"] is None  # alpha <= 1
        projected = result.rows["projected"].to_list()
        assert summary["expected_remaining_within_horizon"] > sum(projected[8:]) / projected[7]


def test_groups_and_the_test_between_them() -> None:
    """The leukaemia remissions: chi-squared 16.8, p = 4.17e-05, medians of 8 and 23 weeks."""
    placebo = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
    treated = [6, 6, 6, 7, 10, 13, 16, 22, 23, 6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    rows = [(f"p{i}", float(t), True) for i, t in enumerate(placebo)]
    rows += [(f"t{i}", float(t), i < 9) for i, t in enumerate(treated)]
    frame = tenures(rows).with_columns(arm=pl.col("user_id").str.head(1))
    result = survival.analyse(frame, by="arm")
    assert result.summary["log_rank"] == pytest.approx(16.793, abs=5e-4)
    assert result.summary["log_rank_p"] == pytest.approx(4.17e-05, rel=1e-3)
    assert result.extras["groups"].select("arm", "subscriptions", "churned", "median_lifetime").rows() == [
        ("p", 21, 21, 8), ("t", 21, 9, 23)
    ]  # fmt: skip
    assert result.rows["arm"].unique().to_list().__len__() == 2
    alone = survival.analyse(frame.filter(pl.col("arm") == "t"))
    mine = result.rows.filter(pl.col("arm") == "t").drop("arm")
    assert mine.head(36).drop("projected").equals(alone.rows.head(36).drop("projected"))
    assert survival.analyse(frame.filter(pl.col("arm") == "t"), by="arm").summary["log_rank_p"] is None


def test_a_rate_that_does_not_fall_is_said_to() -> None:
    result = survival.analyse(counts([1000, 800, 640, 512]), horizon=10)
    assert result.rows["projected"].to_list()[10] == pytest.approx(0.8**10, rel=1e-3)
    assert any("does not fall" in text.en for text in result.provenance.warnings)
    assert result.summary["expected_lifetime"] is None  # alpha only says how high the rate is


# --- properties -----------------------------------------------------------------------------------------------------


def months(start: date, to: date) -> int:
    """Whole months from one day to another, by counting them."""
    n = 0
    while True:
        year, month = divmod(start.month + n, 12)
        try:
            over = date(start.year + year, month + 1, start.day)
        except ValueError:  # the first day that is not before
            over = date(start.year + year + (month + 1) // 12, (month + 1) % 12 + 1, 1)
        if over > to:
            return n
        n += 1


def brute(rows: list[tuple[str, date, date | None]], as_of: date, unit: str) -> list[tuple[int, int, int, float]]:
    """At risk and left in every period, subscriber by subscriber, moment by moment."""
    whole = months if unit == "month" else lambda a, b: (b - a).days // (7 if unit == "week" else 1)
    lives = []
    for _, start, end in rows:
        over = whole(start, as_of + timedelta(days=1))
        left = None
        if end is not None and end <= as_of:
            left = 1 if end == start else whole(start, end - timedelta(days=1)) + 1
        lives.append((left, True) if left is not None and left <= over else (over, False))
    found, share = [], 1.0
    for period in range(max(t for t, _ in lives) + 1):
        risk = sum(t >= period for t, _ in lives)
        left_now = sum(t == period and gone for t, gone in lives)
        share *= (risk - left_now) / risk
        found.append((period, risk, left_now, pytest.approx(share, abs=1e-12)))
    return found


@pytest.mark.parametrize("unit", ["day", "week", "month"])
@pytest.mark.parametrize("seed", range(3))
def test_brute_force(unit: Any, seed: int) -> None:
    chance = random.Random(seed)
    rows: list[tuple[str, date, date | None]] = []
    for i in range(150):
        start = date(2023, 12, 20) + timedelta(days=chance.randrange(200))
        end = start + timedelta(days=chance.randrange(120)) if chance.random() < 0.6 else None
        rows.append((f"u{i % 120}", start, end))
    as_of = date(2024, 7, 31)
    frame = pl.DataFrame(rows, schema=["user_id", "started_at", "ended_at"], orient="row")
    result = survival.analyse(frame, as_of=as_of, period=unit)
    assert seen(result) == brute(rows, as_of, unit)
    shuffled = survival.analyse(
        frame.sample(fraction=1, shuffle=True, seed=seed), as_of=as_of, period=unit, partitions=4
    )
    assert shuffled.rows.equals(result.rows)
    assert shuffled.summary == result.summary


# --- hostile --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "frame",
    [
        tenures([("a", 3.0, True)]),
        tenures([("a", 3.0, False)]),
        tenures([("a", 0.0, False)]),
        tenures([("a", 0.0, True), ("b", 0.0, True)]),
        tenures([(str(i), 5.0, True) for i in range(9)]),
        counts([10]),
        counts([10, 10, 10]),
        counts([10, 0]),
        counts([10, 10, 0, 0]),
        subscriptions([("a", "2024-01-01", None)]),
        subscriptions([("a", "2024-01-01", "2024-01-01")]),
    ],
)
def test_tiny_tables_give_a_curve_without_nan(frame: pl.DataFrame) -> None:
    result = survival.analyse(frame)
    text = json.dumps([result.summary, result.rows.to_dicts()], allow_nan=False)
    assert "Infinity" not in text
    assert result.rows["survival"][0] == 1
    assert result.rows.height >= 2
    assert repr(result)


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (counts([100.0, 63.1]), "people, not shares"),
        (counts([10, 11]), "first period who are left"),
        (pl.concat([counts([10, 9]), counts([5, 4])]), "--by"),
        (counts([10, 9, 8]).filter(pl.col("period") != 1), "every period"),
        (counts([10]).clear(), "failed"),
        (pl.DataFrame({"user_id": ["a"], "started_at": [date(2024, 1, 1)]}), "tenure, churned"),
    ],
)
def test_what_makes_no_curve(frame: pl.DataFrame, words: str) -> None:
    with pytest.raises(InputError) as error:
        survival.analyse(frame)
    assert words in str(error.value.hint)


def test_rows_that_cannot_count_are_told() -> None:
    rows: Dates = [("a", "2024-01-01", "2023-12-01"), ("", "2024-01-01", None), ("b", "2024-01-05", "2024-03-01")]
    frame = pl.concat(
        [subscriptions(rows), subscriptions([("c", "2024-01-01", None)]).with_columns(started_at=None)],
        how="vertical_relaxed",
    )
    report = survival.analyse(frame, as_of=date(2024, 3, 31)).provenance.inputs[0]
    assert report.rejected == {"missing_user_id": 1, "missing_time": 1, "ends_before_start": 1}
    assert (report.rows_read, report.rows_used) == (4, 1)
    lacking = tenures([("a", 2.0, True)]).vstack(
        pl.DataFrame({"user_id": ["b", "c", "d"], "tenure": [None, -1.0, 2.0], "churned": [True, True, None]})
    )
    told = survival.analyse(lacking).provenance.inputs[0].rejected
    assert told == {"unreadable_number": 2, "unreadable_churned": 1}


@pytest.mark.parametrize(
    "changes",
    [{"by": "survival"}, {"horizon": 0}, {"confidence": 1.0}, {"since": date(2024, 2, 1), "until": date(2024, 1, 1)}],
)
def test_settings_that_cannot_be(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        survival.Settings(**changes)


def test_dates_are_asked_of_what_has_none() -> None:
    with pytest.raises(UsageError) as error:
        survival.analyse(counts([3, 2, 1]), period="week")
    assert "--period" in error.value.message


def test_tenures_in_the_wrong_unit() -> None:
    with pytest.raises(InputError) as error:
        survival.analyse(tenures([("a", 1e12, True), ("b", 3.0, False)]))
    assert "longer unit" in str(error.value.hint)
    with pytest.raises(UsageError):
        survival.analyse(subscriptions([("a", "1970-01-01", None)]), as_of=date(2024, 1, 1), period="day")


def test_a_column_of_ids_is_no_group() -> None:
    frame = tenures([(str(i), 2.0, True) for i in range(300)]).with_columns(who=pl.col("user_id"))
    with pytest.raises(UsageError):
        survival.analyse(frame, by="who")


def test_frames_of_the_wrong_kind() -> None:
    bad = tenures([("a", 1.0, True)])
    for frame in (
        bad.with_columns(churned=pl.lit("yes")),
        bad.with_columns(tenure=pl.lit("x")),
        pl.DataFrame({"user_id": ["a"], "started_at": [date(2024, 1, 1)], "ended_at": ["2024-02-01"]}),
    ):
        with pytest.raises(InputError) as error:
            frames.subscriptions(frame)
        assert error.value.code == "E_WRONG_DTYPE"


# --- the command ------------------------------------------------------------------------------------------------------


def answer(ran: Ran) -> dict[str, Any]:
    assert ran.code == 0, ran.err
    found: dict[str, Any] = json.loads(ran.out, parse_constant=lambda constant: pytest.fail(f"{constant} in JSON"))
    jsonschema.validate(found, schemas.of("survival"), format_checker=jsonschema.FormatChecker())
    return found


def test_a_file_of_dates(userops: Userops, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(
        "User,Start Date,Cancelled At,plan\n"
        "a,2024-01-01,2024-02-01,x\nb,2024-01-01,,x\nc,2024-02-01,2024-04-15,y\nd,2024-03-01,soon,y\ne,2024-04-30,,\n"
    )
    found = answer(userops("survival", "s.csv", "--by", "plan", "--json"))
    assert found["schema"] == "userops.survival/1"
    assert found["meta"]["as_of"] == "2024-04-30"
    assert found["meta"]["inputs"][0]["rejected"] == {"unreadable_time": 1}
    assert found["meta"]["settings"]["period"] == "month"
    assert found["summary"]["subscriptions"] == 4
    assert {row["plan"] for row in found["rows"]} == {"x", "y", None}
    ran = userops("survival", "s.csv", "--lang", "zh")
    assert ran.code == 0 and "存续率" in ran.out
    assert userops("survival", "s.csv", "--fail-if", "churned >= 1", "-q").code == 4
    assert userops("survival", "s.csv", "-o", "s.html").code == 0


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_dates_that_stand_for_no_end(userops: Userops, tmp_path: Path, suffix: str) -> None:
    rows: Dates = [("a", "2024-01-01", "9999-12-31"), ("b", "2024-01-02", None), ("c", "2024-01-03", "2024-01-20")]
    frame = subscriptions(rows)
    if suffix == "parquet":
        frame.write_parquet(tmp_path / "s.parquet")
    else:
        text = frame.with_columns(pl.col("ended_at").cast(pl.String).fill_null("0000-00-00"))
        text.write_csv(tmp_path / "s.csv")
    found = answer(userops("survival", f"s.{suffix}", "--period", "week", "--json"))
    assert found["meta"]["as_of"] == "2024-01-20"
    assert (found["summary"]["subscriptions"], found["summary"]["churned"]) == (3, 0)
    assert found["summary"]["churned_in_unfinished_period"] == 1


@pytest.mark.parametrize(("yes", "no"), [("Yes", "No"), ("1", "0"), ("true", "FALSE"), ("是", "否"), ("1.0", "0.0")])
def test_a_file_of_tenures(userops: Userops, tmp_path: Path, yes: str, no: str) -> None:
    (tmp_path / "t.csv").write_text(
        f"customerID,tenure,Churn\na,1,{yes}\nb,2,{yes}\nc,2,{no}\nd,5,{no}\ne,3,maybe\nf,,{no}\n"
    )
    found = answer(userops("survival", "t.csv", "--json"))
    assert (found["summary"]["users"], found["summary"]["churned"]) == (4, 2)
    assert found["meta"]["as_of"] is None
    assert found["meta"]["inputs"][0]["rejected"] == {"unreadable_number": 1, "unreadable_churned": 1}


def test_a_file_of_counts(userops: Userops, tmp_path: Path) -> None:
    lines = [f"{year},{n},{kind}" for kind, alive in (("r", REGULAR), ("h", HIGH_END)) for year, n in enumerate(alive)]
    (tmp_path / "c.csv").write_text("\n".join(["year,customers,kind", *lines]))
    arguments = ("survival", "c.csv", "--map", "period=year", "--map", "alive=customers", "--horizon", "12", "--json")
    found = answer(userops(*arguments, "--by", "kind"))
    told = {row["kind"]: row["projected"] for row in found["rows"] if row["period"] == 12}
    assert told == {"r": pytest.approx(0.170, abs=6e-4), "h": pytest.approx(0.378, abs=6e-4)}
    assert found["summary"]["log_rank_p"] < 1e-9
    mixed = userops(*arguments)
    assert mixed.code == 3 and "--by" in mixed.err


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("user_id,started_at", "no column for ended_at"),
        ("user_id,ended_at,city", "holds no subscriptions"),
        ("started_at,ended_at", "no column for user_id"),
        ("user_id,tenure,churned,Churn Date,End Date,started_at", "could each be ended_at"),
    ],
)
def test_columns_that_are_missing(userops: Userops, tmp_path: Path, header: str, words: str) -> None:
    row = ",".join("2024-01-01" if "at" in name or "Date" in name else "1" for name in header.split(","))
    (tmp_path / "m.csv").write_text(f"{header}\n{row}\n")
    ran = userops("survival", "m.csv", *(("--map", "started_at=started_at") if "Churn Date" in header else ()))
    assert ran.code == 3
    assert words in ran.err


def test_real_subscribers(userops: Userops, shared: Path) -> None:
    """7,043 customers of a telephone company, 1,869 of whom left: the same curve as one worked out in Polars here."""
    file = shared / "data/reference/telco_customer_churn.csv"
    found = answer(userops("survival", file, "--by", "Contract", "--json"))
    assert (found["summary"]["users"], found["summary"]["churned"]) == (7043, 1869)
    raw = pl.read_csv(file, infer_schema_length=None).filter(pl.col("Contract") == "Month-to-month")
    share = 1.0
    mine = [row for row in found["rows"] if row["Contract"] == "Month-to-month"]
    for month in range(1, 73):
        risk = raw.filter(pl.col("tenure") >= month)
        share *= 1 - risk.filter((pl.col("tenure") == month) & (pl.col("Churn") == "Yes")).height / risk.height
        assert mine[month]["survival"] == pytest.approx(share, abs=1e-12)
    assert found["summary"]["log_rank_df"] == 2
