"""``--where``: what the text means, and how values compare in each type of column."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest

from userops.errors import UsageError
from userops.inputs import filters


def rows(where: str, cells: list[object], dtype: pl.DataType | type[pl.DataType] | None = None) -> list[int]:
    """The numbers of the rows that meet a condition on column ``c``."""
    frame = pl.DataFrame({"c": cells}, schema={"c": dtype} if dtype else None)
    kept = filters.matches(filters.parse(where), pl.col("c"), frame.schema["c"], frame["c"])
    assert not frame.select(kept.is_null().any()).item(), "a condition is true or false"
    return frame.select(pl.arg_where(kept)).to_series().to_list()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("country=DE", ("country", "=", ("DE",))),
        (" country == 'D E' ", ("country", "=", ("D E",))),
        ("Total paid>=10.5", ("Total paid", ">=", ("10.5",))),
        ("a!=b=c", ("a", "!=", ("b=c",))),
        ("channel=", ("channel", "=", ("",))),
        ("platform in ios, android", ("platform", "in", ("ios", "android"))),
        ('city in "a, b",c', ("city", "in", ("a, b", "c"))),
        ("渠道=抖音", ("渠道", "=", ("抖音",))),
    ],
)
def test_forms(text: str, wanted: tuple[str, str, tuple[str, ...]]) -> None:
    found = filters.parse(text)
    assert (found.column, found.op, found.values) == wanted


@pytest.mark.parametrize("text", ["", "country", "=DE", "in a,b", "country in"])
def test_what_is_no_condition(text: str) -> None:
    with pytest.raises(UsageError) as error:
        filters.parse(text)
    assert error.value.code == "E_BAD_VALUE"


@pytest.mark.parametrize("op", ["=", "!=", "<", "<=", ">", ">="])
def test_null_never_matches(op: str) -> None:
    assert (
        rows(f"c{op}2", [1, 2, 3, None]) == {"=": [1], "!=": [0, 2], "<": [0], "<=": [0, 1], ">": [2], ">=": [1, 2]}[op]
    )
    assert 3 not in rows(f"c{op}b", ["a", "b", "c", None])


def test_text_of_numbers_compares_as_numbers_when_all_of_it_is() -> None:
    assert rows("c>9", ["10", "9", "8.5", " 11"]) == [0, 3]
    assert rows("c=5", ["5", "5.0", "5.1"]) == [0, 1]
    assert rows("c=7", ["007", "7"]) == [1]
    assert rows("c>9", ["10", "9", "x"]) == [2]


def test_a_bare_day_is_the_whole_day() -> None:
    cells = [datetime(2026, 1, 1, 23, 59), datetime(2026, 1, 2), datetime(2026, 1, 2, 18), None]
    assert rows("c=2026-01-02", cells) == [1, 2]
    assert rows("c<=2026-01-01", cells) == [0]
    assert rows("c>2026-01-02 12:00", cells) == [2]
    assert rows("c in 2026-01-01,2026-01-03", cells) == [0]
    assert rows("c=2026-01-02", [str(cell) if cell else None for cell in cells]) == [1, 2]
    assert rows("c>=2026-01-02", [date(2026, 1, 1), date(2026, 1, 2)]) == [1]
    assert rows("c=2026-01-02", [datetime(2026, 1, 2, tzinfo=UTC)]) == [0]


def test_other_types() -> None:
    assert rows("c=true", [True, False, None]) == [0]
    assert rows("c in a,b", ["a", "c", "b"], pl.Categorical) == [0, 2]
    assert rows("c>1", [float("nan"), 2.0]) == [1]


@pytest.mark.parametrize(("where", "cells"), [("c>x", [1]), ("c=maybe", [True]), ("c<soon", [date(2026, 1, 1)])])
def test_values_that_cannot_be_compared(where: str, cells: list[object]) -> None:
    with pytest.raises(UsageError):
        rows(where, cells)
