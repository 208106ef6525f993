"""Text too large to be looked through first: taken on trust, and read again with care when it breaks its rules."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from userops.inputs import delimited
from userops.inputs.loading import Scratch, open_tables

Userops = Callable[..., Any]

ROWS = [f"u{i % 40},2026-01-{1 + i % 28:02} 10:00:00,{i % 90}.50" for i in range(3_000)]


@pytest.fixture(autouse=True)
def every_text_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "SURVEYED", -1)


def written(folder: Path, rows: list[str]) -> Path:
    path = folder / "orders.csv"
    path.write_text("\n".join(["user_id,ordered_at,amount", *rows, ""]), encoding="utf-8")
    return path


def test_amounts_are_numbers_from_the_parser_and_nothing_else_changes(
    tmp_path: Path, userops: Userops, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, ROWS)
    with Scratch() as scratch:
        assert open_tables([str(path)], scratch=scratch)[0].with_number is not None
    trusted = json.loads(userops("rfm", str(path), "--json", "-q").out)
    monkeypatch.setattr(delimited, "SURVEYED", 64 << 20)
    surveyed = json.loads(userops("rfm", str(path), "--json", "-q").out)
    assert trusted["rows"] == surveyed["rows"]
    assert trusted["summary"] == surveyed["summary"]
    assert trusted["summary"]["revenue"] == sum(float(row.rsplit(",", 1)[1]) for row in ROWS)


@pytest.mark.parametrize(
    ("row", "reason"),
    [("u1,2026-01-05 10:00:00,free", "unreadable_amount"), ("u1,2026-01-05 10:00:00,5,more", "too_many_cells")],
)
def test_what_breaks_the_rules_further_on_is_read_again_and_counted(
    tmp_path: Path, userops: Userops, row: str, reason: str
) -> None:
    path = written(tmp_path, [*ROWS[:2_000], row, *ROWS[2_000:]])
    run = userops("rfm", str(path), "--json")
    assert run.code == 0
    assert "reading it again with care" in run.err
    assert json.loads(run.out)["meta"]["inputs"][0]["rejected"] == {reason: 1}
