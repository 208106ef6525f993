"""Text and numbers as amounts and ids: worked cases, each flaw, and what is refused."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import polars as pl
import pytest

from rawtable import answers, column
from userops.errors import InputError
from userops.inputs import values
from userops.inputs.values import Column


class TestNumbers:
    @staticmethod
    def read(
        cells: list[object], comma: bool | None = None, dtype: pl.DataType | None = None
    ) -> tuple[list[object], dict[str, list[int]]]:
        c = column(cells, dtype)
        return answers(c, values.read_number(c, decimal_comma=comma))

    def test_plain_text_and_its_flaws(self) -> None:
        found, flaws = self.read(["1.5", "-0", " 7 ", None, "1e400", "NaN", "x", "1,5", "１２"])
        assert found[:3] == [1.5, 0.0, 7.0]
        assert flaws == {"missing_amount": [3], "unreadable_amount": [6, 7, 8], "non_finite_amount": [4, 5]}

    @pytest.mark.parametrize(
        ("cells", "wanted"),
        [
            (["$1,234.50", "$5"], [1234.5, 5]),
            (["1.234,50 €", "5,00 €"], [1234.5, 5]),
            (["¥1,234.50", "(7.25)"], [1234.5, -7.25]),
            (["1,234.50", "5.00-"], [1234.5, -5]),
            (["EUR 1.234.567,8"], [1234567.8]),
            (["12元", "3.5元"], [12, 3.5]),
            (["0,25"], [0.25]),
        ],
    )  # fmt: skip
    def test_money_written_one_way_in_all_first_rows(self, cells: list[object], wanted: list[float]) -> None:
        assert self.read(cells) == (wanted, {})

    def test_money_that_could_be_either_stops_the_run(self) -> None:
        with pytest.raises(InputError) as error:
            self.read(["1,234", "5,678"])
        assert error.value.code == "E_AMBIGUOUS_DECIMAL"
        assert self.read(["1,234"], comma=True)[0] == [1.234]
        assert self.read(["1,234"], comma=False)[0] == [1234]

    def test_rows_written_another_way_are_unreadable(self) -> None:
        cells = ["$1,234.50"] * 1_000 + ["1.234,50", "12abc", "1,2345"]
        assert self.read(cells)[1] == {"unreadable_amount": [1_000, 1_001, 1_002]}

    def test_types_of_binary_files(self) -> None:
        assert self.read([1, None])[1] == {"missing_amount": [1]}
        assert self.read([Decimal("1.25")], dtype=pl.Decimal(10, 2))[0] == [1.25]
        assert self.read([float("inf"), float("nan"), 1.0])[1] == {"non_finite_amount": [0, 1]}
        with pytest.raises(InputError):
            self.read([date(2026, 1, 1)])


class TestIds:
    @staticmethod
    def read(*columns: Column) -> tuple[list[object], dict[str, list[int]]]:
        frame = pl.concat([c.rows.collect().rename({"c": f"c{i}"}) for i, c in enumerate(columns)], how="horizontal")
        named = [
            Column(f"c{i}", pl.col(f"c{i}"), c.dtype, c.head, frame.lazy(), c.table, c.textual)
            for i, c in enumerate(columns)
        ]
        return answers(named[0], values.read_user(named))

    def test_text_stays_text(self) -> None:
        assert self.read(column(["007", "7", " 7 "], textual=True)) == (["007", "7", "7"], {})

    def test_blank_and_placeholder_ids_are_nobody(self) -> None:
        found = self.read(column([None, "", "  ", "null", " N/A ", "0", "-1", "00", "u1"], textual=True))[1]
        assert found == {"missing_user_id": [0, 1, 2], "placeholder_user_id": [3, 4, 5, 6]}
        assert self.read(column([None, 0, -1, 5]))[1] == {"missing_user_id": [0], "placeholder_user_id": [1, 2]}

    def test_a_binary_file_with_padded_ids_is_trimmed(self) -> None:
        assert self.read(column(["u1  ", "null  ", "    "])) == (
            ["u1", "null", None],
            {"missing_user_id": [2], "placeholder_user_id": [1]},
        )

    def test_whole_floats_lose_their_decimals(self) -> None:
        assert self.read(column(["17850.0", "12.0"], textual=True))[0] == ["17850", "12"]
        assert self.read(column(["17850.0", "v1.0"], textual=True))[0] == ["17850.0", "v1.0"]
        assert self.read(column([17850.0, None, float("nan")]))[0] == [17850, None, None]
        assert self.read(column([1.5, 2.0]))[0] == ["1.5", "2.0"]

    @pytest.mark.parametrize("cells", [["1.23457E+17", "u1"], [1.23457e17, 2.0]])
    def test_rounded_ids_are_refused(self, cells: list[object]) -> None:
        with pytest.raises(InputError) as error:
            self.read(column(cells))
        assert error.value.code == "E_DAMAGED_IDS"

    def test_the_first_column_with_somebody_counts(self) -> None:
        customer, email = column([7, 0, None, 0]), column(["a@x", "b@x", "c@x", None])
        assert self.read(customer, email) == (["7", "b@x", "c@x", None], {"missing_user_id": [3]})

    def test_spreadsheet_wrapping_goes(self) -> None:
        assert self.read(column(['="00123"', "'+4930", "u1"], textual=True))[0] == ["00123", "+4930", "u1"]

    def test_text_stored_as_bytes_is_read_and_other_bytes_are_refused(self) -> None:
        assert self.read(column([b"u1", b"null"], pl.Binary)) == (["u1", "null"], {"placeholder_user_id": [1]})
        with pytest.raises(InputError) as error:
            self.read(column([b"\xff\xfe"], pl.Binary))
        assert error.value.code == "E_COLUMN_UNFIT"
