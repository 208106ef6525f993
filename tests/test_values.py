"""Text, numbers and datetimes as times, amounts and ids: worked cases, each flaw, and what is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from userops import periods
from userops.errors import InputError, UsageError
from userops.inputs import values
from userops.inputs.values import Clock, Column, Reading

NOON = datetime(2026, 1, 2, 12, 0)


def column(cells: list[object], dtype: pl.DataType | type[pl.DataType] | None = None, *, textual: bool = False) -> Column:
    frame = pl.DataFrame({"c": cells}, schema={"c": dtype} if dtype else None, strict=False)
    return Column("c", pl.col("c"), frame.schema["c"], frame["c"].head(1_000), frame.lazy(), "f.csv", textual)


def answers(column: Column, reading: Reading) -> tuple[list[object], dict[str, list[int]]]:
    """The values, and for each flaw the numbers of the rows that have it."""
    flaws = [flaw.fill_null(value=False).alias(reason) for reason, flaw in reading.flaws.items()]
    out = column.rows.with_columns(reading.first).select(reading.value.alias("value"), *flaws).collect()
    rows = {reason: out.select(pl.arg_where(reason)).to_series().to_list() for reason in reading.flaws}
    return out["value"].to_list(), {reason: found for reason, found in rows.items() if found}


def times(cells: list[object], dtype: pl.DataType | None = None, **clock: object) -> tuple[list[object], dict[str, list[int]]]:
    c = column(cells, dtype)
    return answers(c, values.read_time(c, Clock(**clock)))  # type: ignore[arg-type]


class TestTimes:
    @pytest.mark.parametrize(
        "cell",
        [
            "2026-01-02 12:00:00", "2026-01-02T12:00", "2026-01-02T12:00:00.000Z", "2026-01-02 12:00:00 UTC",
            "2026-01-02 20:00:00 +0800", "2026-01-02T07:00:00-05:00", "2026/1/2 12:00", "2026年1月2日 12:00:00",
            "2026年1月2日 12时0分0秒", "2026-1-2 12:00 PM", "2026/01/02 下午12:00", " 2026.01.02 12:00:00 ", "20260102120000",
            "1767355200", "1767355200000", "1767355200000000", "1767355200000000000", "1767355200.0",
            '="2026-01-02 12:00:00"', "2026-01-02T12:00:00.000000000", "2026-01-02 12:00:00,000", "2026-01-02T12",
        ],
    )  # fmt: skip
    def test_every_form_of_one_moment(self, cell: str) -> None:
        assert times([cell]) == ([NOON], {})

    @pytest.mark.parametrize("form", ["2026-01-02", "2026/1/2", "20260102", "2026年1月2日"])
    def test_a_bare_day_is_its_midnight(self, form: str) -> None:
        assert times([form]) == ([datetime(2026, 1, 2)], {})

    def test_forms_may_mix_in_one_column(self) -> None:
        found, flaws = times(["2026-01-02 12:00", "2026/1/2 12:00 AM", "1767355200", "soon", None, "2026-01-02T12:00:00Z"])
        assert found == [NOON, datetime(2026, 1, 2), NOON, None, None, NOON]
        assert flaws == {"missing_time": [4], "unreadable_time": [3, 4]}

    @pytest.mark.parametrize(
        "cell",
        ["0000-00-00", "0000-00-00 00:00:00", "2026-02-30", "2026-13-01", "2026-01-02 25:00", "2026-01-02 12:61", "1899-12-31",
         "9999-12-31", "12:00", "7", "-", "2026-01-02 13:00 XM", "2026-01-02 12:00:00 CET"],
    )  # fmt: skip
    def test_what_is_no_time(self, cell: str) -> None:
        assert times([cell, "2026-01-02"])[1] == {"unreadable_time": [0]}

    def test_days_come_first_when_any_row_of_the_file_says_so(self) -> None:
        cells = ["01/02/2026"] * 1_500 + ["13/02/2026 08:00"]
        assert times(cells)[0][0] == datetime(2026, 2, 1)
        assert times(cells)[0][-1] == datetime(2026, 2, 13, 8)

    @pytest.mark.parametrize("separator", ["/", "-", "."])
    def test_months_come_first_when_a_second_part_is_above_twelve(self, separator: str) -> None:
        cells = [separator.join(parts) for parts in (("1", "2", "2026"), ("01", "31", "2026"))]
        assert times(cells)[0] == [datetime(2026, 1, 2), datetime(2026, 1, 31)]

    def test_dates_that_do_not_tell_stop_the_run(self) -> None:
        with pytest.raises(InputError) as error:
            times(["01/02/2026", "03/04/2026"])
        assert error.value.code == "E_AMBIGUOUS_DATES"
        assert "--day-first" in str(error.value.hint)
        assert times(["01/02/2026"], day_first=True)[0] == [datetime(2026, 2, 1)]
        assert times(["01/02/2026"], day_first=False)[0] == [datetime(2026, 1, 2)]
        assert times(["01/02/2026"], month_first_if_open=True)[0] == [datetime(2026, 1, 2)]

    def test_dates_that_contradict_each_other_stop_the_run(self) -> None:
        with pytest.raises(InputError) as error:
            times(["13/02/2026", "02/13/2026"])
        assert error.value.code == "E_MIXED_DATES"
        assert times(["13/02/2026", "02/13/2026"], day_first=True)[1] == {"unreadable_time": [1]}

    def test_a_given_format_rules(self) -> None:
        assert times(["02|01|26", "x"], date_format="%d|%m|%y") == ([datetime(2026, 1, 2), None], {"unreadable_time": [1]})
        assert times(["02.01.2026 14:00 +0200"], date_format="%d.%m.%Y %H:%M %z")[0] == [NOON]
        with pytest.raises(UsageError):
            times(["02|01|26"], date_format="DD|MM|YY")

    def test_dates_and_datetimes_of_any_unit_and_zone(self) -> None:
        assert times([date(2026, 1, 2)]) == ([datetime(2026, 1, 2)], {})
        for unit in ("ms", "us", "ns"):
            assert times([NOON], pl.Datetime(unit))[0] == [NOON]  # type: ignore[arg-type]
            aware = [datetime(2026, 1, 2, 4, 0, tzinfo=UTC)]
            assert times(aware, pl.Datetime(unit, "UTC"), zone="Asia/Shanghai")[0] == [NOON]  # type: ignore[arg-type]
        assert times([None, NOON])[1] == {"missing_time": [0], "unreadable_time": [0]}
        assert times([datetime(1, 1, 1), NOON])[1] == {"unreadable_time": [0]}

    def test_integers_go_by_size(self) -> None:
        cells = [20260102, 20260102120000, 1767355200, 1767355200000, 1767355200000000, 1767355200000000000, 0, 20261301, -5]
        found, flaws = times(cells)
        assert found == [datetime(2026, 1, 2), NOON, NOON, NOON, NOON, NOON, None, None, None]
        assert flaws == {"unreadable_time": [6, 7, 8]}
        assert times([1767355200.0, None, float("nan")])[0] == [NOON, None, None]

    def test_moments_move_to_the_zone_and_clock_times_stay(self) -> None:
        cells = ["2026-01-02T04:00:00Z", "2026-01-02 12:00:00", "1767326400"]
        assert times(cells, zone="Asia/Shanghai")[0] == [NOON] * 3
        assert times(["2026-01-02 04:00:00"], zone="Asia/Shanghai", naive_zone="UTC")[0] == [NOON]

    @pytest.mark.parametrize("textual", [True, False])
    def test_the_hour_that_spring_skips_is_refused_and_the_one_that_autumn_repeats_is_kept(self, textual: bool) -> None:
        cells: list[object] = [datetime(2026, 3, 8, 1, 59), datetime(2026, 3, 8, 2, 30), datetime(2026, 11, 1, 1, 30)]
        cells = [str(cell) for cell in cells] if textual else cells
        found, flaws = times(cells, zone="America/New_York")
        assert flaws == {"nonexistent_time": [1]}
        assert found[2] == datetime(2026, 11, 1, 1, 30)

    def test_a_zone_with_old_summers_still_refuses_them(self) -> None:
        assert times([datetime(1986, 5, 4, 2, 30), NOON], zone="Asia/Shanghai")[1] == {"nonexistent_time": [0]}

    def test_no_check_that_a_type_makes_needless(self) -> None:
        assert "nonexistent_time" not in values.read_time(column([NOON]), Clock()).flaws
        assert "nonexistent_time" not in values.read_time(column([date(2026, 1, 2)]), Clock("America/New_York")).flaws

    def test_no_column_of_times(self) -> None:
        with pytest.raises(InputError) as error:
            times([True, False])
        assert error.value.code == "E_COLUMN_UNFIT"

    @settings(max_examples=20, deadline=None)
    @given(st.lists(st.datetimes(datetime(1900, 1, 2), datetime(2262, 12, 30)), min_size=1))
    def test_the_fast_and_the_slow_way_agree(self, moments: list[datetime]) -> None:
        cells = [moment.isoformat(" ") for moment in moments]
        assert times(list(cells))[0] == moments
        assert times([*cells, "2026/1/2"])[0][:-1] == moments


class TestNumbers:
    @staticmethod
    def read(cells: list[object], comma: bool | None = None, dtype: pl.DataType | None = None) -> tuple[list[object], dict[str, list[int]]]:
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
            Column(f"c{i}", pl.col(f"c{i}"), c.dtype, c.head, frame.lazy(), c.table, c.textual) for i, c in enumerate(columns)
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


class TestZones:
    def test_an_unknown_zone_names_the_closest(self) -> None:
        with pytest.raises(UsageError) as error:
            periods.time_zone("Asia/Shangai")
        assert "Asia/Shanghai" in str(error.value.hint)
        assert periods.time_zone("UTC") == "UTC"

    @pytest.mark.parametrize("name", ["", "../etc/passwd", "/etc/localtime", "x\0y"])
    def test_no_zone_reads_a_file(self, name: str) -> None:
        with pytest.raises(UsageError):
            periods.time_zone(name)

    def test_utc_never_skips_and_new_york_does(self) -> None:
        assert not periods.skips_times("UTC")
        assert periods.skips_times("America/New_York")
        assert periods.skips_times("Asia/Shanghai")
