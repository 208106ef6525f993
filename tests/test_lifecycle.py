"""Lifecycle stages: by hand, against plain Python, and under everything that must not matter."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import Ran
from userops import frames, lifecycle
from userops.cli_support import schemas
from userops.errors import InputError, UsageError
from userops.texts.stages import STAGES

AS_OF = date(2026, 6, 30)
AS_OF_DAY = ("--as-of", "2026-06-30")
LIMITS = lifecycle.Thresholds(10, 20, 40, 3, "orders")

Row = tuple[str, int, float]


def orders(*rows: Row) -> pl.DataFrame:
    """Rows of (user_id, days before as-of, amount), all at noon."""
    at = [(user, datetime(2026, 6, 30, 12) - timedelta(days=ago), amount) for user, ago, amount in rows]
    schema = pl.Schema({"user_id": pl.String(), "ordered_at": pl.Datetime("us"), "amount": pl.Float64()})
    return pl.DataFrame(at, schema=schema, orient="row")


def events(*rows: tuple[str, int]) -> pl.DataFrame:
    """Rows of (user_id, days before as-of)."""
    frame = orders(*((user, ago, 0.0) for user, ago in rows))
    return frame.select("user_id", event=pl.lit("open"), time="ordered_at")


def acts(**days_ago: list[int]) -> list[Row]:
    """An order of 1.00 by each user on each day."""
    return [(user, ago, 1.0) for user, agos in days_ago.items() for ago in agos]


def stages(result: lifecycle.LifecycleResult) -> dict[str, str]:
    assert result.users is not None
    return dict(result.users.select("user_id", "stage").iter_rows())


ONE_EACH = acts(
    introduction=[5], growth=[5, 12], maturity=[5, 12, 19], decline=[15], silent=[30], churned=[50], returned=[5, 60]
)


# --- by hand --------------------------------------------------------------------------------------------------------


def test_one_user_in_each_stage() -> None:
    result = lifecycle.analyse(orders(*ONE_EACH), as_of=AS_OF, thresholds=LIMITS, per_user=True)
    assert stages(result) == {known.key: known.key for known in STAGES}
    assert result.rows.rows() == [
        ("introduction", "引入", 1, 1 / 7, 1.0, 5),
        ("growth", "成长", 1, 1 / 7, 2.0, 5),
        ("maturity", "成熟", 1, 1 / 7, 3.0, 5),
        ("decline", "衰退", 1, 1 / 7, 1.0, 15),
        ("silent", "沉默", 1, 1 / 7, 1.0, 30),
        ("churned", "流失", 1, 1 / 7, 1.0, 50),
        ("returned", "回流", 1, 1 / 7, 2.0, 5),
    ]
    assert result.rows.columns == ["stage", "stage_zh", "users", "users_share", "revenue", "median_recency_days"]
    assert result.summary["users"] == 7
    assert result.summary["orders"] == 11
    assert result.summary["returned_share"] == 1 / 7


@pytest.mark.parametrize(
    ("days_ago", "stage"),
    [
        ([0], "introduction"), ([10], "introduction"), ([11], "decline"), ([20], "decline"), ([21], "silent"),
        ([40], "silent"), ([41], "churned"),
        ([0, 40], "growth"), ([0, 41], "returned"), ([10, 51], "returned"), ([11, 60], "decline"),
        ([0, 0], "growth"), ([0, 0, 0], "maturity"), ([0, 0, 41], "returned"),
        ([0, 5, 60], "maturity"), ([0, 41, 45, 50, 55], "returned"), ([41, 100], "churned"),
    ],
)  # fmt: skip
def test_where_one_stage_ends_and_the_next_begins(days_ago: list[int], stage: str) -> None:
    result = lifecycle.analyse(orders(*acts(u=days_ago)), as_of=AS_OF, thresholds=LIMITS, per_user=True)
    assert stages(result) == {"u": stage}


def test_the_median_is_a_value_that_somebody_has() -> None:
    result = lifecycle.analyse(orders(*acts(a=[2], b=[4], c=[5], d=[9])), as_of=AS_OF, thresholds=LIMITS)
    assert result.rows["median_recency_days"][0] == 4


def test_refunds_are_no_acts_and_the_money_adds_up() -> None:
    rows = orders(*acts(gone=[50], once=[5]), ("gone", 2, -0.25), ("once", 90, -0.5), ("x", 1, -7.0))
    result = lifecycle.analyse(rows, as_of=AS_OF, thresholds=LIMITS, per_user=True)
    assert stages(result) == {"gone": "churned", "once": "introduction"}
    assert result.users is not None
    assert result.users.select("user_id", "revenue", "orders", "last_gap_days").rows() == [
        ("gone", 0.75, 1, None), ("once", 0.5, 1, None)
    ]  # fmt: skip
    assert (result.summary["refund_only_users"], result.summary["refund_only_revenue"]) == (1, -7.0)
    assert "stages 1.25 + 1 refund-only users -7.00 = the file's total -5.75." in repr(result)


def test_events_count_active_days() -> None:
    limits = lifecycle.Thresholds(10, 20, 40, 3, "active_days")
    rows = events(("a", 1), ("a", 1), ("a", 1), ("b", 1), ("b", 2), ("b", 3), ("c", 1), ("c", 50))
    result = lifecycle.analyse(rows, as_of=AS_OF, thresholds=limits, per_user=True)
    assert stages(result) == {"a": "introduction", "b": "maturity", "c": "returned"}
    assert result.users is not None
    assert result.users.columns == [
        "user_id", "stage", "stage_zh", "first_seen", "last_seen", "recency_days", "active_days", "last_gap_days",
        "revenue",
    ]  # fmt: skip
    assert result.users["active_days"].to_list() == [1, 3, 2]
    assert result.rows["revenue"].null_count() == 7
    assert result.summary["events"] == 8
    assert "revenue" not in result.summary


def test_lines_fold_to_orders() -> None:
    lines = orders(("a", 5, 10.0), ("a", 5, 5.0), ("a", 4, -5.0), ("b", 3, 1.0), ("b", 9, 1.0))
    lines = lines.with_columns(order_id=pl.Series(["1", "1", "1", "2", "3"]))
    result = lifecycle.analyse(frames.orders(lines, grain="line"), as_of=AS_OF, thresholds=LIMITS, per_user=True)
    assert stages(result) == {"a": "introduction", "b": "growth"}
    assert result.summary["revenue"] == 12.0


def test_days_before_1970_count_like_any_other() -> None:
    at = [datetime(1969, 12, 30), datetime(1969, 12, 31), datetime(1970, 1, 1)]
    rows = pl.DataFrame({"user_id": ["a"] * 3, "ordered_at": at, "amount": [1.0, 1.0, -1.0]})
    result = lifecycle.analyse(rows, thresholds=LIMITS, per_user=True)
    assert result.users is not None
    assert result.users.select("first_seen", "last_seen", "recency_days", "last_gap_days").row(0) == (
        date(1969, 12, 30), date(1969, 12, 31), 1, 1,
    )  # fmt: skip


# --- thresholds -----------------------------------------------------------------------------------------------------


def test_thresholds_are_order_statistics_of_the_gaps() -> None:
    # gaps 1..100 once each: 80, 90, twice 90; acts of those who came back 2 (98 users), 3 and 6: the 60 % is 2, so 3
    pairs = [(f"u{gap}", ago, 1.0) for gap in range(1, 101) for ago in (0, gap)]
    result = lifecycle.analyse(orders(*pairs), as_of=AS_OF)
    assert result.thresholds == lifecycle.Thresholds(80, 90, 180, 3, "orders")
    often = [(f"v{user}", 0, 1.0) for user in range(200) for _ in range(7)]
    assert lifecycle.analyse(orders(*pairs, *often), as_of=AS_OF).thresholds.mature_orders == 7


def test_thresholds_that_coincide_are_moved_apart() -> None:
    daily = orders(*((f"u{user}", ago, 1.0) for user in range(20) for ago in range(5)))
    assert lifecycle.analyse(daily, as_of=AS_OF).thresholds == lifecycle.Thresholds(1, 2, 3, 5, "orders")


def test_too_few_gaps_take_fixed_thresholds_and_say_so() -> None:
    few = orders(*acts(a=[1, 2], b=[3]))
    result = lifecycle.analyse(few, as_of=AS_OF)
    assert result.thresholds == lifecycle.FALLBACK["orders"]
    assert "only 1 gaps" in result.provenance.warnings[0].en
    on_events = lifecycle.analyse(events(("a", 1), ("a", 2)), as_of=AS_OF)
    assert on_events.thresholds == lifecycle.FALLBACK["active_days"]


def test_saved_thresholds_keep_everyone_where_they_are() -> None:
    before = orders(*((f"u{i}", (i * k) % 97, 1.0) for i in range(120) for k in range(1, 4)))
    new = orders(*((f"n{i}", day, 1.0) for i in range(300) for day in (0, 1, 2, 3)))
    first = lifecycle.analyse(before, as_of=AS_OF, per_user=True)
    both = pl.concat([before, new])
    again = lifecycle.analyse(both, as_of=AS_OF, thresholds=first.thresholds, per_user=True)
    assert {user: stage for user, stage in stages(again).items() if user[0] == "u"} == stages(first)
    assert lifecycle.analyse(both, as_of=AS_OF).thresholds != first.thresholds  # else nothing was shown


@pytest.mark.parametrize("wrong", [(0, 1, 2, 3), (5, 5, 9, 3), (5, 9, 9, 3), (5, 9, 1 << 30, 3), (5, 9, 12, 1)])
def test_thresholds_out_of_order_are_usage_errors(wrong: tuple[int, int, int, int]) -> None:
    with pytest.raises(UsageError):
        lifecycle.Thresholds(*wrong, "orders")


# --- who is reported ------------------------------------------------------------------------------------------------


def test_the_window_chooses_users_and_what_is_said_of_them_reads_all_history() -> None:
    rows = orders(*ONE_EACH, ("x", 1, -7.0))
    result = lifecycle.analyse(
        rows, as_of=AS_OF, since=date(2026, 5, 1), until=date(2026, 5, 31), thresholds=LIMITS, per_user=True
    )
    assert set(stages(result)) == {"silent", "churned", "returned"}
    assert result.summary["orders"] == 4
    assert "users not reported 7.00" in repr(result)


def test_users_who_never_acted_count_from_their_sign_up() -> None:
    known = pl.DataFrame(
        {
            "user_id": ["new", "slow", "old", "growth", "who", "later", "x"],
            "signed_up_at": [datetime(2026, 6, 30) - timedelta(days=d) for d in (3, 15, 99, 200)]
            + [None, datetime(2026, 7, 2), datetime(2026, 6, 1)],
            "plan": ["free", "free", "pro", "pro", "pro", "pro", "pro"],
        }
    )
    rows = orders(*acts(growth=[5, 12], stranger=[1]), ("x", 1, -7.0))
    result = lifecycle.analyse(rows, as_of=AS_OF, thresholds=LIMITS, users=known, per_user=True)
    assert stages(result) == {
        "growth": "growth", "new": "introduction", "old": "churned", "slow": "decline", "stranger": "introduction"
    }  # fmt: skip
    assert result.users is not None
    said = result.users.select("user_id", "first_seen", "orders", "revenue").rows()
    assert said[0] == ("growth", AS_OF - timedelta(days=200), 2, 2.0)
    assert said[1] == ("new", AS_OF - timedelta(days=3), 0, 0.0)
    assert "1 users of the users table were never seen" in " ".join(w.en for w in result.provenance.warnings)
    by_plan = lifecycle.analyse(rows, as_of=AS_OF, thresholds=LIMITS, users=known, by="plan").rows
    assert by_plan.group_by("plan").agg(pl.col("users").sum()).sort("plan", nulls_last=True).rows() == [
        ("free", 2), ("pro", 2), (None, 1)
    ]  # fmt: skip
    assert by_plan.height == 3 * 7


def test_by_takes_the_value_at_the_first_row() -> None:
    rows = orders(*ONE_EACH).with_columns(channel=pl.when(pl.col("user_id") < "h").then(pl.lit("ads")))
    result = lifecycle.analyse(rows, as_of=AS_OF, thresholds=LIMITS, by="channel")
    found = result.rows.filter(pl.col("users") > 0).select("channel", "stage").rows()
    assert found == [
        ("ads", "growth"), ("ads", "decline"), ("ads", "churned"),
        (None, "introduction"), (None, "maturity"), (None, "silent"), (None, "returned"),
    ]  # fmt: skip
    assert result.rows["users_share"].sum() == pytest.approx(1)


# --- transitions ----------------------------------------------------------------------------------------------------


def test_transitions_by_hand() -> None:
    rows = orders(*ONE_EACH)
    result = lifecycle.analyse(rows, as_of=AS_OF, thresholds=LIMITS, transitions_from=AS_OF - timedelta(days=12))
    # 12 days ago: growth had one order that day, maturity two (of days 0 and 7), decline was 3 days old, silent 18,
    # churned 38, returned 48; introduction was not there yet
    assert result.transitions().rows.rows() == [
        ("introduction", "growth", 1, 0.5),
        ("introduction", "decline", 1, 0.5),
        ("growth", "maturity", 1, 1.0),
        ("decline", "silent", 1, 1.0),
        ("silent", "churned", 1, 1.0),
        ("churned", "returned", 1, 1.0),
        (None, "introduction", 1, 1.0),
    ]
    assert (result.summary["moved_users"], result.summary["stayed_users"]) == (6, 0)


def test_of_two_gaps_up_to_then_the_later_one_counts() -> None:
    rows = orders(*acts(a=[0, 12, 20, 80]))
    result = lifecycle.analyse(rows, as_of=AS_OF, thresholds=LIMITS, transitions_from=AS_OF - timedelta(days=12))
    assert result.extras["transitions"]["from"].to_list() == ["maturity"]  # not returned: 8 days, not 60


def test_a_stage_then_is_the_stage_a_run_then_would_have_found() -> None:
    rows = orders(*((f"u{i}", (i * k * 7) % 150, 1.0) for i in range(90) for k in range(1, 5)))
    then = AS_OF - timedelta(days=40)
    result = lifecycle.analyse(rows, as_of=AS_OF, thresholds=LIMITS, transitions_from=then)
    earlier = lifecycle.analyse(rows, as_of=then, thresholds=LIMITS)
    moved = result.extras["transitions"]
    counted = {known.key: 0 for known in STAGES} | dict(
        moved.drop_nulls("from").group_by("from").agg(pl.col("users").sum()).iter_rows()
    )
    assert counted == dict(earlier.rows.select("stage", "users").iter_rows())
    assert moved["users"].sum() == result.summary["users"]
    assert moved.group_by("from").agg(pl.col("share").sum())["share"].to_list() == pytest.approx(
        [1.0] * moved["from"].n_unique()
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"transitions_from": AS_OF},
        {"transitions_from": date(2026, 1, 1), "by": "user"},
        {"transitions_from": date(2026, 1, 1), "per_user": True},
        {"by": "stage"},
        {"since": date(2026, 6, 2), "until": date(2026, 6, 1)},
        {"thresholds": lifecycle.FALLBACK["active_days"]},
    ],
)
def test_impossible_settings_are_usage_errors(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        lifecycle.analyse(orders(*ONE_EACH), as_of=AS_OF, **wrong)


# --- small and hostile input ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rows",
    [
        orders(("a", 1, 5.0)),
        orders(*[("a", 1, 5.0)] * 4),
        orders(("a", 0, 0.0), ("b", 900, 0.0)),
        orders(("x", 1, -5.0)),
    ],
    ids=["one row", "copies", "far apart", "a refund only"],
)
def test_degenerate_input_still_stages_everyone(rows: pl.DataFrame) -> None:
    result = lifecycle.analyse(rows, as_of=AS_OF, per_user=True)
    bought = rows.filter(pl.col("amount") >= 0)["user_id"].n_unique()
    assert result.rows["users"].sum() == bought == len(stages(result))
    assert result.rows["users_share"].is_nan().sum() == 0
    assert repr(result)


@pytest.mark.parametrize("rows", [orders(), orders(("a", 1, 1.0)).with_columns(user_id=pl.lit(None, pl.String))])
def test_nothing_usable_is_an_input_error(rows: pl.DataFrame) -> None:
    with pytest.raises(InputError):
        lifecycle.analyse(rows)


def test_a_repeated_order_id_stops_when_nothing_says_what_a_row_is() -> None:
    with pytest.raises(InputError) as stop:
        lifecycle.analyse(orders(*ONE_EACH).with_columns(order_id=pl.lit("7")))
    assert stop.value.code == "E_REPEATED_ORDER_ID"


def test_a_short_file_says_that_nobody_can_be_churned_yet() -> None:
    said = lifecycle.analyse(orders(*acts(a=[1, 30])), as_of=AS_OF, thresholds=LIMITS).provenance.warnings
    assert "spans 30 days" in said[0].en


# --- what must not matter -------------------------------------------------------------------------------------------

ROW = st.tuples(
    st.sampled_from("abcdefgh"), st.integers(0, 120), st.integers(-300, 2000).map(lambda cents: cents / 100)
)
THEN = AS_OF - timedelta(days=30)


@settings(max_examples=30, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=60), st.randoms(use_true_random=False))
def test_order_and_partitions_do_not_matter(rows: list[Row], rng: Any) -> None:
    frame = orders(*rows)
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=rng.randint(0, 999))
    one = lifecycle.analyse(frame, as_of=AS_OF, per_user=True)
    moves = lifecycle.analyse(frame, as_of=AS_OF, transitions_from=THEN)
    assert one.users is not None
    for partitions in (1, 8):
        other = lifecycle.analyse(shuffled.lazy(), as_of=AS_OF, per_user=True, partitions=partitions)
        assert other.rows.equals(one.rows)
        assert other.users is not None
        assert other.users.equals(one.users)
        assert other.summary == one.summary
        assert other.thresholds == one.thresholds
        moved = lifecycle.analyse(shuffled, as_of=AS_OF, transitions_from=THEN, partitions=partitions)
        assert moved.extras["transitions"].equals(moves.extras["transitions"])
    assert moves.rows.equals(one.rows)  # hashed ids give what the ids themselves give


def python_stage(own: list[int], at: int, limits: tuple[int, int, int, int]) -> str | None:
    """The rules once more: ``own`` are the days before as-of of a user's orders, ``at`` is today."""
    active, silent, churned, mature = limits
    past = sorted(day for day in own if day >= at)
    if not past:
        return None
    recency, days = past[0] - at, sorted(set(past))
    if recency > churned:
        return "churned"
    if recency > silent:
        return "silent"
    if recency > active:
        return "decline"
    if len(days) > 1 and days[1] - days[0] > churned:
        return "returned"
    return "maturity" if len(past) >= mature else "growth" if len(past) > 1 else "introduction"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ROW, min_size=2, max_size=80))
def test_against_plain_python(monkeypatch: pytest.MonkeyPatch, rows: list[Row]) -> None:
    """Thresholds, stages and transitions once more, sharing nothing with the product."""
    monkeypatch.setattr(lifecycle, "FEWEST_GAPS", 1)
    own: dict[str, list[int]] = {}
    for user, ago, amount in rows:
        if amount >= 0:
            own.setdefault(user, []).append(ago)
    gaps = sorted(b - a for days in map(sorted, map(set, own.values())) for a, b in pairwise(days))
    limits = (30, 90, 180, 3)
    if gaps:
        p80, p90 = (gaps[math.ceil(len(gaps) * share / 10) - 1] for share in (8, 9))
        silent = max(p90, p80 + 1)
        repeated = sorted(len(days) for days in own.values() if len(days) > 1)
        limits = (p80, silent, max(2 * p90, silent + 1), max(3, repeated[math.ceil(len(repeated) * 0.6) - 1]))
    result = lifecycle.analyse(orders(*rows), as_of=AS_OF, per_user=True)
    wanted = {user: python_stage(days, 0, limits) for user, days in own.items()}
    assert stages(result) == wanted
    moved = lifecycle.analyse(orders(*rows), as_of=AS_OF, transitions_from=THEN).extras["transitions"]
    pairs = [(python_stage(days, 30, limits), wanted[user]) for user, days in own.items()]
    assert {(a, b): n for a, b, n, _ in moved.iter_rows()} == {pair: pairs.count(pair) for pair in pairs}


# --- the command ----------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    orders(*ONE_EACH).write_csv(path)
    return path


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "thresholds.json"
    numbers = {"active_within_days": 10, "silent_after_days": 20, "churned_after_days": 40, "mature_orders": 3}
    path.write_text(json.dumps({"schema": "userops.thresholds/1", "acts": "orders", **numbers}))
    return path


def test_the_command_saves_what_it_reads(userops: Callable[..., Ran], file: Path, saved: Path) -> None:
    ran = userops("lifecycle", file, *AS_OF_DAY, "--thresholds", saved, "--save-thresholds", "again.json", "--json")
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    assert found["schema"] == "userops.lifecycle/1"
    assert [row["users"] for row in found["rows"]] == [1] * 7
    assert json.loads(Path("again.json").read_text()) == json.loads(saved.read_text())


def test_the_command_lists_users_and_transitions(userops: Callable[..., Ran], file: Path, saved: Path) -> None:
    listed = userops("lifecycle", file, *AS_OF_DAY, "--thresholds", saved, "--per-user", "--csv", "-q")
    assert listed.out.splitlines()[1] == "churned,churned,流失,2026-05-11,2026-05-11,50,1,,1.0"
    moved = userops(
        "lifecycle", file, *AS_OF_DAY, "--thresholds", saved, "--transitions-from", "2026-06-13", "--csv", "-q"
    )
    assert moved.out.splitlines()[0] == "from,to,users,share"
    both = userops("lifecycle", file, "--per-user", "--transitions-from", "2026-06-13")
    assert both.code == 2


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ((), schemas.lifecycle.LifecycleStage),
        (("--per-user",), schemas.lifecycle.LifecycleUser),
        (("--transitions-from", "2026-06-13"), schemas.lifecycle.LifecycleMove),
    ],
)
def test_the_schema_describes_what_is_printed(
    userops: Callable[..., Ran], file: Path, options: tuple[str, ...], shape: type
) -> None:
    found = schemas.ENVELOPES["lifecycle"].model_validate_json(userops("lifecycle", file, *options, "--json", "-q").out)
    assert isinstance(found.summary, schemas.lifecycle.LifecycleSummary)
    assert {type(row) for row in found.rows} == {shape}


def test_the_page_in_chinese(userops: Callable[..., Ran], file: Path, saved: Path) -> None:
    options = (*AS_OF_DAY, "--thresholds", saved, "--transitions-from", "2026-06-13")
    page = userops("lifecycle", file, *options, "--lang", "zh", "-q").out
    for words in (
        "生命周期阶段",
        "引入",
        "回流",
        "阶段流转",
        "(尚未出现)",
        "沉默:超过 20 天",
        "成熟:不少于 3 单",
        "口径",
    ):
        assert words in page


def thresholds_text(**changes: object) -> str:
    numbers = {"active_within_days": 1, "silent_after_days": 5, "churned_after_days": 9, "mature_orders": 3}
    return json.dumps({"schema": "userops.thresholds/1", "acts": "orders", **numbers, **changes})


@pytest.mark.parametrize(
    "content",
    [
        "", "\x00", "[]", "{}", "null", "[" * 100_000, '{"schema": "userops.cuts/1"}',
        '{"schema": "userops.thresholds/1"}',
        thresholds_text(silent_after_days=1),
        thresholds_text(active_within_days=1.5),
        thresholds_text(active_within_days="1"),
        thresholds_text(churned_after_days=float("inf")),
        thresholds_text(churned_after_days=10**30),
        thresholds_text(mature_orders=0),
        thresholds_text(more=1),
        thresholds_text(acts="active_days"),
        thresholds_text(schema="userops.thresholds/2"),
    ],
)  # fmt: skip
def test_bad_files_of_thresholds_are_usage_errors(
    userops: Callable[..., Ran], file: Path, tmp_path: Path, content: str
) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text(content)
    ran = userops("lifecycle", file, "--thresholds", bad)
    assert ran.code == 2
    assert "hint:" in ran.err
    assert "Traceback" not in ran.err


# --- real data ------------------------------------------------------------------------------------------------------


def test_cdnow(userops: Callable[..., Ran], shared: Path) -> None:
    """All customers joined in the first quarter of 1997, most bought once: nobody is new, most have gone."""
    ran = userops("lifecycle", shared / "data/orders/cdnow_master.csv", "--json", "-q")
    summary = json.loads(ran.out)["summary"]
    assert summary["users"] == 23_570
    assert summary["revenue"] == 2_500_315.63
    assert summary["introduction_users"] == 0
    assert 0.5 < summary["churned_share"] < 0.7
    assert sum(summary[f"{known.key}_users"] for known in STAGES) == 23_570


def test_online_retail(userops: Callable[..., Ran], shared: Path) -> None:
    """A wholesaler before Christmas: mature customers are three in ten and bring most of the money."""
    ran = userops("lifecycle", shared / "data/orders/online_retail.parquet", "--json", "-q")
    found = json.loads(ran.out)
    share = {row["stage"]: (row["users_share"], row["revenue"]) for row in found["rows"]}
    assert found["summary"]["users"] == 4_339
    assert found["summary"]["refund_only_users"] == 33
    assert 0.25 < share["maturity"][0] < 0.35
    assert share["maturity"][1] > found["summary"]["revenue"] / 2
