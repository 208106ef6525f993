"""Who the users are: shares and Gini by hand, the best customers who stay away, what is known of users, the quiet shop."""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

from userops import demo, frames, rfm
from userops.checkup import portrait
from userops.checkup.findings import Finding, Looked
from userops.models import shop as _shop  # noqa: F401  # numpy is loaded once, not in the middle of a test

LAST = date(2026, 6, 30)


def orders(rows: list[tuple[str, int, float]]) -> pl.DataFrame:
    """Rows of (user, days before the last, amount)."""
    return pl.DataFrame(
        {
            "user_id": pl.Series([user for user, *_ in rows], dtype=pl.String),
            "ordered_at": pl.Series([LAST - timedelta(days=ago) for _, ago, _ in rows], dtype=pl.Date),
            "amount": pl.Series([amount for *_, amount in rows], dtype=pl.Float64),
        }
    )


def look(frame: pl.DataFrame | None, **options: Any) -> Looked:
    return portrait.look(None if frame is None else frames.orders(frame), **options)


def by_id(looked: Looked) -> dict[str, Finding]:
    return {finding.id: finding for finding in looked.findings}


def seen(looked: Looked) -> dict[str, Any]:
    return {evidence.label.en: evidence.value for evidence in looked.evidence}


@pytest.mark.parametrize(
    ("paid", "top_tenth", "gini"),
    [
        ([1, 1, 1, 1], 0.25, 0.0),
        ([0, 0, 0, 8], 1.0, 0.75),
        ([1, 2, 3, 4], 0.4, 0.25),
        ([*[1] * 19, 81], 0.82, 0.76),
        ([-5, 0, 0, 10], 2.0, 0.75),
        ([0, 0], None, None),
        ([], None, None),
    ],
)
def test_concentration_by_hand(paid: list[int], top_tenth: float | None, gini: float | None) -> None:
    series = pl.Series(paid, dtype=pl.Int64)
    assert portrait.concentration(series, 0.1) == top_tenth
    assert portrait.gini(series) == gini


def test_gini_is_the_mean_difference() -> None:
    """Half of the mean difference of any two, over the mean."""
    rng = random.Random(5)
    paid = [rng.randrange(1, 10**11) for _ in range(60)]
    mean = sum(paid) / len(paid)
    wanted = sum(abs(a - b) for a in paid for b in paid) / len(paid) ** 2 / 2 / mean
    assert portrait.gini(pl.Series(paid)) == pytest.approx(wanted, rel=1e-12)


def test_evidence_of_a_few_customers_by_hand() -> None:
    frame = orders([("a", 0, 60), ("a", 3, 30), ("b", 5, 10), ("c", 9, -10), ("d", 400, 0)])
    told = seen(look(frame))
    assert told["customers"] == 3  # c has refunds only
    assert told["share of revenue of the top 10 %"] == 0.9
    assert told["customers of one order"] == 2 / 3
    tiers = look(frame).views[0].rows
    assert tiers["users"].sum() == 3
    assert tiers.equals(rfm.analyse(frame).rows)


def test_revenue_of_few_is_worth_knowing_and_a_warning_where_it_is_new() -> None:
    many = [(f"u{i}", 100 + i % 50, 10.0) for i in range(1000)]
    old = look(orders([*many, *[(f"u{i}", 100, 900.0) for i in range(10)], ("z", 0, 0)]))
    assert by_id(old)["portrait.top_share"].severity == "info"
    new = by_id(look(orders([*many, *[(f"u{i}", 0, 900.0) for i in range(10)]])))["portrait.top_share"]
    assert (new.severity, new.value, new.baseline) == ("warn", 9100 / 19000, 0.01)
    assert new.audience is not None
    assert not look(orders(many)).findings
    assert not look(orders([*many[:900], ("u1", 0, 10**6)])).findings  # too few customers to speak of one in a hundred


def loyal(again: int) -> pl.DataFrame:
    """600 customers of whom the first 120 buy every nine days; but only ``again`` of those did so in the last 28 days."""
    steady = [(f"a{i:03}", 30 + 9 * k, 50.0) for i in range(120) for k in range(20)]
    lately = [(f"a{i:03}", 3, 50.0) for i in range(again)]
    once = [(f"b{i:03}", 60 + i % 200, 10.0) for i in range(480)]
    return orders([*steady, *lately, *once, ("b000", 0, 1.0)])


def test_the_best_customers_who_stay_away_are_a_warning() -> None:
    found = by_id(look(loyal(60)))["portrait.best_stay"]
    assert found.severity == "warn"
    assert found.baseline == 1.0
    assert found.value is not None
    assert found.n is not None
    assert found.value * found.n == 60
    assert (found.since, found.until) == (LAST - timedelta(days=27), LAST)
    assert found.audience == "userops rfm 'the frame' --as-of 2026-06-02 --per-user -o best.csv"
    assert found.proof is not None
    assert "2026-07-28" in found.proof.en
    assert "portrait.best_stay" not in by_id(look(loyal(119)))


def test_what_is_known_of_users() -> None:
    users = pl.DataFrame(
        {
            "user_id": ["a", "b", "c", "d"],
            "signed_up_at": [LAST] * 4,
            "city": ["Rome", " ", None, "unknown"],
            "plan": ["pro", "free", "free", "未知"],
            "invited_by": ["x", None, None, None],
            "updated_at": ["2026-06-20 10:00:00", "2026-06-28", "never", None],
        }
    )
    looked = look(orders([("a", 0, 1), ("x", 0, 1), ("y", 0, 1)]), users=users)
    found = by_id(looked)
    assert set(found) == {"portrait.coverage.attribute=city", "portrait.coverage.customers"}
    assert found["portrait.coverage.attribute=city"].value == 0.25
    assert found["portrait.coverage.customers"].value == 1 / 3
    assert {finding.severity for finding in looked.findings} == {"info"}
    told = seen(looked)
    assert told["plan is known of"] == 0.75
    assert told["median age of updated_at"] == 6.0
    spread = looked.views[-1].rows
    assert spread.rows() == [("plan", "free", 2, 2 / 3), ("plan", "pro", 1, 1 / 3)]
    alone = look(None, users=users)
    assert seen(alone)["users"] == 4
    assert alone.left_out


def test_the_same_on_shuffled_rows_and_with_spending_at_hand() -> None:
    frame = loyal(60)
    looked = look(frame)
    shuffled = look(frame.sample(fraction=1.0, shuffle=True, seed=2))
    assert (shuffled.findings, shuffled.evidence) == (looked.findings, looked.evidence)
    table = frames.orders(frame)
    spent = portrait.spending(table).of(table.rows).collect()
    assert portrait.look(table, spent=spent).findings == looked.findings
    assert (
        look(frame, as_of=LAST - timedelta(days=28)).findings
        == look(
            frame.filter(pl.col("ordered_at") <= LAST - timedelta(days=28)), as_of=LAST - timedelta(days=28)
        ).findings
    )


@pytest.mark.parametrize("rows", [[], [("a", 0, -5.0)], [("a", 0, 0.0)], [("", 0, 5.0)], [("a", 0, 5.0)] * 2])
def test_little_or_nothing(rows: list[tuple[str, int, float]]) -> None:
    looked = look(orders(rows))
    assert not looked.findings
    assert looked.left_out


def test_no_files_and_no_amounts() -> None:
    assert look(None).status == "skipped"
    assert look(None, users=pl.DataFrame(schema={"user_id": pl.String, "signed_up_at": pl.Datetime("us")})).left_out


def test_a_quiet_shop_is_quiet() -> None:
    for seed in range(2):
        shop = demo.tables(demo.Settings(seed=seed, stories=False))
        assert {f.severity for f in look(shop.orders, users=shop.users).findings} <= {"info"}
