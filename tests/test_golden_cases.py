"""Cases on which products disagree, through the commands: lifecycle and clocks (L01-L04, R06). R01-R15: test_retention."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import Ran

Userops = Callable[..., Ran]


@pytest.fixture
def growth(userops: Userops) -> Callable[..., dict[str, Any]]:
    """Months of growth by their first day, from rows of (user, day)."""

    def ask(rows: list[tuple[str, str]], *options: str) -> dict[str, Any]:
        lines = [f"{user},open,{day}" for user, day in rows]
        Path("log.csv").write_text("\n".join(["user_id,event,time", *lines]) + "\n", encoding="utf-8")
        ran = userops("growth", "log.csv", "--period", "month", "--json", *options)
        assert ran.code == 0, ran.err
        answer = json.loads(ran.out)
        return {"meta": answer["meta"], **{row["period_start"]: row for row in answer["rows"]}}

    return ask


def told(row: dict[str, Any]) -> dict[str, int]:
    return {name: row[name] for name in ("new", "retained", "resurrected", "churned") if row[name]}


def test_l01_who_signed_up_long_ago_is_resurrected_not_new(growth: Callable[..., dict[str, Any]]) -> None:
    rows = [("other", f"2024-0{month}-15") for month in (1, 2, 3)] + [("late", "2024-03-10")]
    assert told(growth(rows)["2024-03-01"]) == {"new": 1, "retained": 1}
    Path("users.csv").write_text("user_id,signed_up_at\nlate,2024-01-05\nother,2024-01-15\n", encoding="utf-8")
    assert told(growth(rows, "--users-table", "users.csv")["2024-03-01"]) == {"retained": 1, "resurrected": 1}


def test_l02_a_user_is_dormant_once(growth: Callable[..., dict[str, Any]]) -> None:
    found = growth([("a", "2024-01-10"), ("a", "2024-02-10"), ("a", "2024-05-10")])
    assert told(found["2024-01-01"]) == {"new": 1}
    assert told(found["2024-02-01"]) == {"retained": 1}
    assert told(found["2024-03-01"]) == {"churned": 1}
    assert told(found["2024-04-01"]) == {}
    assert told(found["2024-05-01"]) == {"resurrected": 1}


def test_l03_the_first_period_is_flagged(growth: Callable[..., dict[str, Any]]) -> None:
    warnings = growth([("a", "2024-03-01"), ("a", "2024-04-01")])["meta"]["warnings"]
    assert any("2024-03-01 is the first period of the data" in warning for warning in warnings)


def test_l04_quick_ratio(growth: Callable[..., dict[str, Any]]) -> None:
    rows = [(f"old{n}", "2024-01-10") for n in range(10)] + [(f"u{n}", "2024-02-10") for n in range(100)]
    rows += [(f"u{n}", "2024-03-10") for n in range(60)] + [(f"new{n}", "2024-03-11") for n in range(40)]
    march = growth([*rows, *((f"old{n}", "2024-03-31") for n in range(10))])["2024-03-01"]
    assert told(march) == {"new": 40, "retained": 60, "resurrected": 10, "churned": 40}
    assert (march["active"], march["quick_ratio"], march["net"]) == (110, 1.25, 10)


def test_r06_an_hour_that_exists_twice_is_an_hour_long(userops: Userops) -> None:
    """05:30Z and 06:30Z are both 01:30 in New York; a day after the first is past 24 hours, after the second is not."""
    rows = ["a,open,2024-11-03T05:30:00Z", "b,open,2024-11-03T06:30:00Z"]
    rows += [f"{user},open,2024-11-04T05:45:00Z" for user in "ab"]
    Path("log.csv").write_text("\n".join(["user_id,event,time", *rows]) + "\n", encoding="utf-8")
    options = ("--tz", "America/New_York", "--clock", "elapsed", "--periods", "1", "--as-of", "2024-11-10")
    ran = userops("retention", "log.csv", *options, "--json")
    assert [row["users"] for row in json.loads(ran.out)["rows"]] == [2, 1]
