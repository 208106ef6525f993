"""Every way to write a time, what is no time, and what a zone does to it."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rawtable import answers, column
from userops import periods
from userops.errors import InputError, UsageError
from userops.inputs.times import Clock, read_time

NOON = datetime(2026, 1, 2, 12, 0)


def times(
    cells: list[object], dtype: pl.DataType | None = None, **clock: object
) -> tuple[list[object], dict[str, list[int]]]:
    c = column(cells, dtype)
    return answers(c, read_time(c, Clock(**clock)))  # type: ignore[arg-type]


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
        found, flaws = times(
            ["2026-01-02 12:00", "2026/1/2 12:00 AM", "1767355200", "soon", None, "2026-01-02T12:00:00Z"]
        )
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
        assert times(["02|01|26", "x"], date_format="%d|%m|%y") == (
            [datetime(2026, 1, 2), None],
            {"unreadable_time": [1]},
        )
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
        cells = [
            20260102,
            20260102120000,
            1767355200,
            1767355200000,
            1767355200000000,
            1767355200000000000,
            0,
            20261301,
            -5,
        ]
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
        assert "nonexistent_time" not in read_time(column([NOON]), Clock()).flaws
        assert "nonexistent_time" not in read_time(column([date(2026, 1, 2)]), Clock("America/New_York")).flaws

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


class TestInstants:
    @settings(max_examples=20, deadline=None)
    @given(
        st.lists(st.datetimes(datetime(1971, 1, 2), datetime(2100, 12, 30)), min_size=1),
        st.sampled_from(["America/New_York", "Asia/Shanghai"]),
    )
    def test_a_moment_stays_what_it_was_and_shows_as_the_time(self, moments: list[datetime], zone: str) -> None:
        aware = [moment.replace(microsecond=0, tzinfo=UTC) for moment in moments]
        sources = [
            [int(m.timestamp()) * 1_000_000 for m in aware if m.year > 1974],
            [m.isoformat() for m in aware],
            [str(m) for m in aware],
        ]
        for cells in [*sources, aware]:
            if not cells:
                continue
            c = column(list(cells))
            reading = read_time(c, Clock(zone))
            found = c.rows.with_columns(reading.first).select(value=reading.value, instant=reading.instant).collect()
            assert found["instant"].to_list() == [
                m.replace(tzinfo=None) for m in aware if len(cells) == len(aware) or m.year > 1974
            ]
            shown = found.select(periods.wall_clock(pl.col("instant").dt.replace_time_zone("UTC"), zone)).to_series()
            assert shown.to_list() == found["value"].to_list()

    def test_naive_times_of_another_zone_are_moments_of_that_zone(self) -> None:
        c = column(["2026-01-02 12:00:00", "2026/1/2 12:00", "2026-01-02T12:00:00+02:00", "20260102120000"])
        reading = read_time(c, Clock("Asia/Shanghai", "America/New_York"))
        found = c.rows.with_columns(reading.first).select(reading.instant).collect().to_series()
        assert [moment.hour for moment in found] == [17, 17, 10, 17]

    def test_on_the_clock_of_utc_both_are_one_column(self) -> None:
        reading = read_time(column(["2026-01-02 12:00:00"]), Clock())
        assert reading.instant is reading.value
        assert len(reading.first) == 1


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
