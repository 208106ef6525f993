"""Small cells are gone, and nothing that is left tells what they were: by hand, and by linear algebra."""

from __future__ import annotations

from datetime import date
from random import Random
from typing import Any

import numpy as np
import polars as pl
import pytest

from userops.outputs.small_cells import COUNTS, MARK, Hidden, counts_of, hide, hide_all, is_per_user, measures_of

LEAST = 10


def users_of(*numbers: int | None, **more: Any) -> pl.DataFrame:
    return pl.DataFrame({"segment": [f"s{place}" for place in range(len(numbers))], "users": numbers, **more})


def left(hidden: Hidden, name: str = "users") -> list[Any]:
    return hidden.frame[name].to_list()


# --- by hand -----------------------------------------------------------------------------------------------------


def test_a_small_cell_takes_its_row_and_the_smallest_other_with_it():
    frame = users_of(100, 4, 30, 50, revenue=[9.0, 1.0, 3.0, 5.0], name_zh=["甲", "乙", "丙", "丁"])
    hidden = hide(frame, LEAST)
    assert left(hidden) == [100, None, None, 50]
    assert left(hidden, "revenue") == [9.0, None, None, 5.0]
    assert left(hidden, "name_zh") == ["甲", "乙", "丙", "丁"]
    assert left(hidden, MARK) == [False, True, True, False]
    assert (hidden.rows, hidden.cells) == (2, 4)


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ((100, 50, 10), (100, 50, 10)),  # the limit itself is shown
        ((100, 50, 0), (100, 50, 0)),  # nobody is nobody
        ((100, 9, 9), (100, None, None)),  # two, 18 together: which is which is not known
        ((100, 60, 1, 1), (100, None, None, None)),  # two are two, but 2 together are two ones
        ((5,), (None,)),
        ((5, 0, 0), (None, 0, 0)),  # no other row is anybody
        ((5, 11), (None, None)),
        ((3, 3, 3), (None, None, None)),
        ((12, None, 40), (12, None, 40)),
        ((20, 20, 4), (None, 20, None)),  # of equals the first
        ((), ()),
    ],
)
def test_what_is_hidden_beside_it(numbers, expected):
    frame = pl.DataFrame({"segment": [f"s{n}" for n in range(len(numbers))], "users": pl.Series(numbers, dtype=pl.Int64)},
                         schema={"segment": pl.String, "users": pl.Int64})  # fmt: skip
    assert tuple(left(hide(frame, LEAST))) == expected


def test_rows_and_columns_of_a_table_are_both_kept_from_telling():
    frame = pl.DataFrame({
        "segment": [s for s in "abc" for _ in "xyz"], "city": list("xyz") * 3, "users": [50, 3, 40, 20, 30, 60, 70, 80, 90],
    })  # fmt: skip
    hidden = hide(frame, LEAST).frame
    grid = np.array([value is not None for value in hidden["users"]]).reshape(3, 3)
    for line in (*grid, *grid.T):
        assert (~line).sum() in (0, 2, 3)
    assert not grid[0, 1]


def test_a_name_in_a_second_language_is_no_dimension():
    frame = users_of(100, 4, 30).with_columns(segment_zh=pl.col("segment") + "号", complete=pl.lit(value=True))
    assert left(hide(frame, LEAST)) == [100, None, None]


def test_what_is_missing_to_the_whole_is_a_cell_too():
    frame = pl.DataFrame({
        "cohort": [date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)], "users": [97, 50, 60],
        "eligible_users": [100, 100, 100], "retention": [0.97, 0.5, 0.6],
    })  # fmt: skip
    assert left(hide(frame, LEAST), "retention") == [None, None, 0.6]


def test_a_share_of_known_users_is_a_cell_too():
    frame = pl.DataFrame({"period": [1, 2, 3], "retention": [0.5, 0.02, 0.3], "eligible_users": [100, 100, 100]})
    assert left(hide(frame, LEAST), "retention") == [None, None, 0.3]


def test_steps_do_not_tell_by_their_neighbours():
    frame = pl.DataFrame({
        "step": [1, 2, 3, 4, 5], "event": list("abcde"), "users": [1000, 900, 897, 500, 300],
        "dropped": [None, 100, 3, 397, 200],
    })  # fmt: skip
    hidden = hide(frame, LEAST)
    assert left(hidden)[2] is None
    users, dropped = left(hidden), left(hidden, "dropped")
    before = [None, *users[:-1]]
    for was, now, lost in zip(before, users, dropped, strict=True):
        assert not (was is not None and now is not None and was - now == 3)
        assert lost != 3
    assert users[3] is None, "897 = 500 + 397 would be told by the step after"


def test_what_adds_up_along_the_rows_is_gone_wholly():
    frame = pl.DataFrame(
        {"tenth": [1, 2, 3], "users": [50, 50, 50], "churned": [30, 12, 4], "captured": [0.65, 0.91, 1.0]}
    )
    assert left(hide(frame, LEAST), "captured") == [None] * 3


def test_a_count_that_stands_alone_is_hidden_alone():
    frame = pl.DataFrame({
        "date": [date(2026, 1, day) for day in (1, 2, 3, 4)], "dau": [100, 110, 120, 130], "new_users": [3, 20, 30, 40],
    })  # fmt: skip
    hidden = hide(frame, LEAST)
    assert left(hidden, "dau") == [100, 110, 120, 130]
    assert left(hidden, "new_users") == [None, None, 30, 40]


def test_users_one_by_one_are_no_cells():
    frame = pl.DataFrame({"user_id": ["a", "b"], "orders": [1, 2]})
    assert is_per_user(frame)
    assert hide(frame, LEAST).frame.equals(frame)


def test_numbers_of_nobody_knows_how_many_are_gone():
    hidden = hide(pl.DataFrame({"measure": ["a", "b"], "median_seconds": [1.0, 2.0]}), LEAST)
    assert left(hidden, "median_seconds") == [None, None]
    assert hidden.rows == 2


def test_a_total_row_is_no_part_of_its_sum():
    frame = users_of(100, 4, 30, 134)
    assert left(hide(frame, LEAST, total_row=True)) == [100, None, None, 134]
    assert left(hide(users_of(3, 4, 7), LEAST, total_row=True)) == [None] * 3


def test_tables_of_which_one_sums_up_the_other_hide_together():
    segments = users_of(100, 4, 30)
    cities = pl.DataFrame({
        "segment": ["s0", "s0", "s1", "s1", "s2", "s2"], "city": ["x", "y"] * 3, "users": [60, 40, 0, 4, 15, 15],
    })  # fmt: skip
    hidden = hide_all({"rows": segments, "by_city": cities}, LEAST)
    assert left(hidden["rows"]) == [100, None, None]
    third = left(hidden["by_city"])[4:]
    assert None in third, "15 + 15 would be the row that was hidden beside the small one"


def test_the_limit_can_be_another():
    assert left(hide(users_of(100, 4, 30), 4)) == [100, 4, 30]
    assert left(hide(users_of(100, 4, 30), 50)) == [None, None, None]


def test_counts_are_known_by_name():
    frame = pl.DataFrame({"users": [1], "high_users": [1], "mean_users": [1.5], "x": [1], "orders": [2]})
    assert counts_of(frame) == ["users", "orders", "high_users"]
    assert measures_of(frame.with_columns(period=1, e=pl.lit("x"))) == frame.columns
    assert len(set(COUNTS)) == len(COUNTS)


def test_no_rows_no_columns():
    assert hide(pl.DataFrame(schema={"segment": pl.String, "users": pl.Int64}), LEAST).rows == 0
    assert hide(pl.DataFrame(), LEAST).rows == 0


# --- nothing can be worked out -----------------------------------------------------------------------------------


def told(shape: tuple[int, int], shown: np.ndarray) -> np.ndarray:
    """Which cells of a table with all its margins known can be worked out: those the known sums span."""
    cells = shape[0] * shape[1]
    sums = [np.array([cell // shape[1] == row for cell in range(cells)], float) for row in range(shape[0])]
    sums += [np.array([cell % shape[1] == column for cell in range(cells)], float) for column in range(shape[1])]
    unknown = np.flatnonzero(~shown.ravel())
    known = np.array(sums)[:, unknown]
    rank = np.linalg.matrix_rank(known)
    answer = shown.ravel().copy()
    for place, cell in enumerate(unknown):
        unit = np.eye(len(unknown))[place]
        answer[cell] = np.linalg.matrix_rank(np.vstack([known, unit])) == rank
    return answer.reshape(shape)


@pytest.mark.parametrize("seed", range(25))
def test_no_hidden_cell_of_a_table_with_totals_can_be_worked_out(seed):
    random = Random(seed)
    rows, columns = random.randint(2, 6), random.randint(2, 6)
    numbers = [random.choice((random.randint(1, 12), random.randint(10, 400))) for _ in range(rows * columns)]
    cities = pl.DataFrame({
        "segment": [f"s{cell // columns}" for cell in range(rows * columns)],
        "city": [f"c{cell % columns}" for cell in range(rows * columns)], "users": numbers,
    })  # fmt: skip
    margins = cities.group_by("segment").agg(pl.col("users").sum()).sort("segment")
    hidden = hide_all({"rows": margins, "by_city": cities}, LEAST)
    shown = np.array([value is not None for value in left(hidden["by_city"])]).reshape(rows, columns)
    small = (np.array(numbers) < LEAST).reshape(rows, columns)
    assert not (shown & small).any()
    assert not (told((rows, columns), shown) & small).any()
    again = hide_all({"rows": margins, "by_city": cities}, LEAST)
    assert again["by_city"].frame.equals(hidden["by_city"].frame)


@pytest.mark.parametrize("seed", range(10))
def test_hidden_rows_of_a_list_are_never_one_and_never_few(seed):
    random = Random(seed)
    numbers = [random.choice((random.randint(0, 15), random.randint(10, 300))) for _ in range(random.randint(2, 12))]
    hidden = hide(users_of(*numbers), LEAST)
    gone = [number for number, value in zip(numbers, left(hidden), strict=True) if value is None]
    assert all(
        number >= LEAST or number == 0 for number, value in zip(numbers, left(hidden), strict=True) if value is not None
    )
    if gone and sum(number > 0 for number in numbers) > len(gone):
        assert len(gone) >= 2
        assert sum(gone) >= LEAST
