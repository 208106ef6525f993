"""Business goals: met and missed by hand, what each metric is, what revenue is made of, what files cannot tell."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import polars as pl
import pytest

from userops import frames
from userops.checkup import measures, targets
from userops.checkup.findings import Looked
from userops.checkup.goals import METRICS, Business, Goal
from userops.checkup.measures import Given, Measured, Settings
from userops.checkup.targets import Actual

LAST = date(2026, 6, 30)


def orders(rows: Sequence[tuple[str, int, float]]) -> pl.DataFrame:
    """Rows of (user, days before the last, amount)."""
    return pl.DataFrame(
        {
            "user_id": pl.Series([user for user, *_ in rows], dtype=pl.String),
            "ordered_at": pl.Series([LAST - timedelta(days=ago) for _, ago, _ in rows], dtype=pl.Date),
            "amount": pl.Series([amount for *_, amount in rows], dtype=pl.Float64),
        }
    )


def events(rows: Sequence[tuple[str, str, int]]) -> pl.DataFrame:
    """Rows of (user, event, days before the last)."""
    noon = datetime(LAST.year, LAST.month, LAST.day, 12)
    return pl.DataFrame(
        {
            "user_id": pl.Series([user for user, *_ in rows], dtype=pl.String),
            "event": pl.Series([event for _, event, _ in rows], dtype=pl.String),
            "time": pl.Series([noon - timedelta(days=ago) for *_, ago in rows], dtype=pl.Datetime("us")),
        }
    )


def measured(
    bought: Sequence[tuple[str, int, float]] = (),
    done: Sequence[tuple[str, str, int]] = (),
    business: Business | None = None,
) -> Measured:
    given = Given(
        orders=frames.orders(orders(bought)) if bought else None, events=frames.events(events(done)) if done else None
    )
    return measures.measure(given, business or Business(), Settings(as_of=LAST))


def look(of: Measured, *goals: Goal, aarrr: pl.DataFrame | None = None, **scores: Actual) -> Looked:
    return targets.look(of, goals, aarrr, scores)


# last 28 days: a twice, b once; the 28 before: a once, c twice
BOUGHT = [("a", 0, 10.0), ("a", 5, 20.0), ("b", 27, 30.0), ("a", 30, 40.0), ("c", 40, 5.0), ("c", 55, 5.0)]


def test_revenue_is_users_times_orders_times_value() -> None:
    """60 against 50: users 2 and 2, orders each 1.5 and 1.5, value 20 and 16.67; all of the change is the value."""
    made = targets.revenue(measured(BOUGHT))
    assert made is not None
    block, (now, run_rate) = made
    assert (block.start[1], block.end[1]) == (50, 60)
    assert [effect for _, effect in block.steps] == pytest.approx([0, 0, 10])
    assert now.value == 60
    assert run_rate.value == pytest.approx(60 / 28 * 365)


def test_the_effects_add_up_whatever_changed() -> None:
    made = targets.revenue(measured([*BOUGHT, ("d", 3, 7.0), ("d", 9, 1.0)]))
    assert made is not None
    block = made[0]
    assert sum(effect for _, effect in block.steps) == pytest.approx(block.end[1] - block.start[1])
    assert all(effect for _, effect in block.steps)


def test_no_revenue_in_one_of_the_windows_is_not_taken_apart() -> None:
    assert targets.revenue(measured([("a", 1, 5.0)])) is None


def test_the_repeat_rate_is_that_of_all_customers() -> None:
    """a and c of three ordered twice; 28 days ago c of two had."""
    found = targets.actuals(measured(BOUGHT), None, {})["repeat_rate"]
    assert found.value == pytest.approx(2 / 3)
    assert found.before == pytest.approx(1 / 2)
    assert found.low is not None and found.high is not None
    assert 0 < found.low < 2 / 3 < found.high < 1


def test_rates_of_days_are_of_the_last_28() -> None:
    """Of four user-days with a cart two hold a purchase; of the one before, none."""
    done = [("a", "cart", 0), ("a", "buy", 0), ("b", "cart", 1), ("b", "buy", 1), ("c", "cart", 2), ("d", "cart", 27)]
    found = targets.actuals(
        measured(done=[*done, ("e", "cart", 28)], business=Business(steps=("cart", "buy"))), None, {}
    )
    assert found["checkout_conversion"][:2] == (2 / 4, 0)
    assert found["conversion"][:2] == (2 / 4, 0)
    assert found["dau"][:2] == (4 / 28, 1 / 28)


def test_what_aarrr_tells_stands_first() -> None:
    rows = pl.DataFrame(
        {
            "metric": ["d7", "checkout_conversion"], "value": [0.11, 0.9], "previous": [0.1, 0.8],
            "ci_low": [0.1, 0.85], "ci_high": [0.12, 0.95],
        }
    )  # fmt: skip
    found = targets.actuals(measured(BOUGHT), rows, {"nps": Actual(12.5)})
    assert found["d7_retention"] == Actual(0.11, 0.1, 0.1, 0.12, "share")
    assert found["nps"].value == 12.5


def test_a_goal_is_missed_for_sure_where_its_whole_interval_misses_it() -> None:
    sure, unsure = Actual(12.0, 15.0, 2.0, 22.0), Actual(0.36, 0.3, 0.33, 0.41, "share")
    goals = (Goal("nps", ">=", 25), Goal("csat", ">=", 0.4), Goal("cac", "<=", 12))
    looked = look(measured(BOUGHT), *goals, nps=sure, csat=unsure, cac=Actual(9.0))
    found = {finding.metric: finding for finding in looked.findings}
    assert {metric: one.severity for metric, one in found.items()} == {"nps": "warn", "csat": "info"}
    nps, csat = found["nps"], found["csat"]
    assert (nps.id, nps.value, nps.target, nps.delta, nps.baseline) == ("goals.nps", 12.0, 25, -13.0, 15.0)
    assert nps.title.en == "Goal missed: nps is 12, wanted at least 25, not getting closer"
    assert csat.title.en == "Goal missed: csat is 36 %, wanted at least 40 %, getting closer"
    assert csat.title.zh == "目标未达成:csat 为 36 %,目标至少 40 %,正在接近"
    notes = [line.note.en for line in looked.evidence if line.note]
    assert notes[:3] == ["goal >= 25: missed", "goal >= 40 %: missed", "goal <= 12: met"]


@pytest.mark.parametrize(("before", "said"), [(15.0, "getting closer"), (13.0, "not getting closer"), (None, "")])
def test_closer_for_what_should_be_small(before: float | None, said: str) -> None:
    looked = look(measured(BOUGHT), Goal("cac", "<=", 12), cac=Actual(14.0, before, kind="money"))
    (finding,) = looked.findings
    assert finding.title.en == f"Goal missed: cac is 14.00, wanted at most 12.00{said and ', ' + said}"
    assert finding.severity == "warn"
    (near,) = look(measured(BOUGHT), Goal("cac", "<=", 12), cac=Actual(12.5)).findings
    assert near.severity == "info"  # without an interval nobody is sure of a twentieth


def test_what_the_files_cannot_tell_is_said() -> None:
    looked = look(measured(BOUGHT), Goal("cac", "<=", 12))
    assert not looked.findings
    assert "cac" in looked.left_out[0].en
    nothing = look(measured([("a", 1, 5.0)]))
    assert nothing.skipped
    assert "userops.toml" in nothing.left_out[0].en


def test_every_metric_has_a_prescription_of_its_stage() -> None:
    assert {metric for metrics in targets.STAGES.values() for metric in metrics} <= set(METRICS)
    for metric in METRICS:
        (finding,) = look(measured(BOUGHT), Goal(metric, ">", 9e9), **{metric: Actual(1.0)}).findings
        stage = next((stage for stage, metrics in targets.STAGES.items() if metric in metrics), "revenue")
        assert finding.actions == targets.ACTIONS[stage]
        assert all(text.zh and text.en for text in finding.actions)
