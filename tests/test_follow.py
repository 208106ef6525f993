"""What became of earlier findings, whether what was done helped, and which nights are odd."""

from __future__ import annotations

import datetime as dt
import json
import random
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from userops.checkup import findings, follow
from userops.checkup.findings import Finding
from userops.cli_support import nightly
from userops.errors import InputError, OutputError
from userops.outputs import structured
from userops.results import Provenance, Result, Text

DAY = dt.date(2026, 11, 30)
DROP = Finding(
    "behaviour.checkout_conversion.platform=android",
    "behaviour",
    Text("Checkout fell on Android", "安卓支付转化下降"),
    "error",
    metric="checkout_conversion",
    segment="platform=android",
    since=dt.date(2026, 11, 10),
    until=None,
    value=0.31,
    baseline=0.42,
    delta=-0.11,
    n=5210,
    impact=-18000.0,
    kind="share",
)
GOAL = Finding("goals.revenue", "goals", Text("Revenue is behind", "收入落后"), "warn", metric="revenue", delta=-5e4)

LEFT_ALONE = [3, 6, 12, 24, 25, 28, 29, 31, 35]
"""Whom of 0 to 39 the lot of 'a finding' leaves alone."""


def written(*found: Finding, as_of: dt.date = DAY, **summary: object) -> str:
    """A report as userops writes it."""
    meta = Provenance(as_of.isoformat(), "UTC", "monday", (), {}, ())
    return structured.json_text(Result("diagnose", findings.table(found), summary, meta), "en")


def report(*found: Finding, **more: object) -> follow.Report:
    return follow.report(json.loads(written(*found, **more)), "last.json")


def statuses(now: list[Finding], last: follow.Report, **more: object) -> list[str]:
    return [finding.status for finding in follow.compared(now, last, **more)]


def test_a_report_reads_back() -> None:
    last = report(DROP, GOAL, revenue=12.5, users=7, note="text", complete=True, missing=None)
    assert last.as_of == DAY
    drop, goal = last.findings
    assert replace(drop, kind="share") == DROP
    assert goal == GOAL
    assert last.numbers == {"revenue": 12.5, "users": 7}


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ([], "does not say"),
        ("text", "does not say"),
        (None, "does not say"),
        ({"rows": []}, "does not say"),
        ({"schema": "userops.diagnose/2"}, "userops.diagnose/2"),
        ({"schema": "userops.rfm/1"}, "userops.rfm/1"),
        ({"schema": "userops.diagnose/1"}, "damaged"),
        ({"schema": "userops.diagnose/1", "meta": {"as_of": None}, "rows": [], "summary": {}}, "damaged"),
        (
            {"schema": "userops.diagnose/1", "meta": {"as_of": "2026-11-30"}, "rows": [{"id": 1}], "summary": {}},
            "damaged",
        ),
        ({"schema": "userops.diagnose/1", "meta": {"as_of": "2026-11-30"}, "rows": [7], "summary": {}}, "damaged"),
        ({"schema": "userops.diagnose/1", "meta": {"as_of": "2026-11-30"}, "rows": [], "summary": []}, "damaged"),
    ],
)
def test_what_is_no_report_is_refused(document: object, says: str) -> None:
    with pytest.raises(InputError) as caught:
        follow.report(document, "last.json")
    assert caught.value.code == "E_NOT_A_REPORT"
    assert "last.json" in caught.value.message
    assert says in caught.value.message
    assert "userops diagnose" in (caught.value.hint or "")


def test_a_number_that_is_text_is_damage() -> None:
    document = json.loads(written(DROP))
    document["rows"][0]["delta"] = "much"
    with pytest.raises(InputError):
        follow.report(document, "last.json")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "same"),
        ({"delta": -0.12}, "same"),  # within a tenth
        ({"delta": -0.13}, "worse"),
        ({"delta": -0.05}, "better"),
        ({"delta": -0.13, "severity": "warn"}, "better"),  # severity first
        ({"segment": "platform=ios"}, "new"),
        ({"metric": "view_conversion"}, "new"),
        ({"delta": 0.11}, "new"),  # the other way
        ({"since": dt.date(2026, 11, 12), "id": "another"}, "same"),  # the window's edge moved
        ({"since": dt.date(2026, 12, 20)}, "same"),  # the earlier one was still going on
        ({"since": dt.date(2026, 10, 1), "until": dt.date(2026, 11, 8)}, "same"),  # nearly touches
        ({"since": dt.date(2026, 10, 1), "until": dt.date(2026, 11, 1)}, "new"),
        ({"since": None}, "same"),
    ],
)
def test_progress(changes: dict[str, object], status: str) -> None:
    assert statuses([replace(DROP, **changes)], report(DROP))[0] == status


def test_beside_itself_everything_is_the_same() -> None:
    twice = replace(DROP, id="b", since=dt.date(2026, 8, 1), until=dt.date(2026, 8, 9))
    found = [GOAL, DROP, twice, replace(GOAL, id="goals.night", metric=None, since=DAY, until=DAY)]
    now = follow.compared(found, report(*found))
    assert now == tuple(replace(finding, status="same") for finding in found)


def test_worse_by_severity_or_money() -> None:
    assert statuses([replace(GOAL, severity="error")], report(GOAL)) == ["worse"]
    bare = replace(GOAL, delta=None, impact=-100.0)
    assert statuses([replace(bare, impact=-150.0)], report(bare)) == ["worse"]
    assert statuses([replace(bare, impact=None)], report(bare)) == ["same"]


def test_what_is_gone_is_resolved_once() -> None:
    last = report(DROP, GOAL)
    new = replace(GOAL, id="goals.orders", metric="orders")
    now = follow.compared([new], last)
    assert [(one.id, one.status, one.severity) for one in now] == [
        ("goals.orders", "new", "warn"),
        (DROP.id, "resolved", "info"),
        (GOAL.id, "resolved", "info"),
    ]
    assert now[1].title == DROP.title
    assert now[1].impact is None
    assert statuses([new], report(*now)) == ["same"]
    assert statuses([], last, looked_at=["goals"]) == ["resolved"]  # the files of the other area were not given
    assert statuses([], report()) == []


def test_one_illness_that_is_now_told_as_two_is_not_new() -> None:
    halves = [replace(DROP, id="a", until=dt.date(2026, 11, 18)), replace(DROP, id="b", since=dt.date(2026, 11, 20))]
    assert statuses(halves, report(DROP)) == ["same", "same"]
    ended = replace(DROP, until=dt.date(2026, 11, 12), delta=-0.3)
    recent = replace(DROP, since=dt.date(2026, 11, 20))
    assert statuses([recent], report(ended, DROP)) == ["same", "resolved"]


# --- did it help


def test_outcome_says_whether_it_worked() -> None:
    worked = follow.outcome(1000, 150, 250, 20)
    assert worked.verdict == "worked"
    assert worked.difference == pytest.approx(0.07)
    assert 0 < worked.low < 0.07 < worked.high
    assert worked.p < 0.05
    assert worked.text.en.startswith(
        "it worked: 15.0 % of 1,000 who were acted on against 8.0 % of 250 left alone, +7.0"
    )
    assert worked.text.zh.startswith("有效")
    assert follow.outcome(1000, 80, 250, 40).verdict == "harmed"
    assert follow.outcome(1000, 100, 250, 24).verdict == "open"


@pytest.mark.parametrize(
    "numbers", [(0, 0, 0, 0), (1000, 100, 29, 5), (29, 5, 1000, 100), (60, 1, 60, 2), (60, 60, 60, 60)]
)
def test_too_few_to_say(numbers: tuple[int, int, int, int]) -> None:
    found = follow.outcome(*numbers)
    assert found.verdict == "too few"
    assert found.p is None
    assert "too few" in found.text.en


def test_split_is_the_same_everywhere() -> None:
    def halves(ids: pl.Series, what: str = "a finding", share: float = 0.2) -> list[str | None]:
        return pl.DataFrame({"id": ids}).select(follow.split(pl.col("id"), what, share)).to_series().to_list()

    ids = pl.Series([str(n) for n in range(40)])
    left_alone = [n for n, side in enumerate(halves(ids)) if side == "compare"]
    assert left_alone == LEFT_ALONE  # fixed, so that the group of last month is that of this month
    assert halves(pl.Series(["用户", None])) == ["act", None]
    numbers = list(range(2000))
    texts = pl.Series([str(n) for n in numbers])
    drawn = halves(texts)
    assert drawn.count("compare") == pytest.approx(400, abs=60)
    for dtype in (pl.Int64, pl.UInt16, pl.Categorical):
        assert halves(texts.cast(dtype)) == drawn
    assert halves(texts.reverse()) == drawn[::-1]
    other = halves(texts, "another finding")
    both = sum(a == b == "compare" for a, b in zip(drawn, other, strict=True))
    assert both == pytest.approx(80, abs=40)  # another draw
    assert set(halves(texts, share=0.0)) == {"act"}
    assert set(halves(texts, share=1.0)) == {"compare"}
    lazy = pl.LazyFrame({"id": texts}).select(follow.split(pl.col("id"), "a finding")).collect()
    assert lazy.to_series().to_list() == drawn


# --- nights

WATCHED = {"revenue": follow.Watched(Text("revenue", "收入"), "goals", "money")}


def kept(values: list[float]) -> list[follow.Report]:
    first = DAY - dt.timedelta(len(values) - 1)
    return [follow.Report(first + dt.timedelta(k), (), {"revenue": value}) for k, value in enumerate(values)]


def steady(n: int = 80) -> list[float]:
    draw = random.Random(3)
    return [1000 + 100 * (k % 7) + draw.gauss(0, 20) for k in range(n)]


def test_an_odd_night_is_a_finding() -> None:
    values = steady()
    values[-1] *= 0.59
    values[-9] *= 2
    found, seen = follow.odd_nights(follow.nights(kept(values)), WATCHED, DAY)
    (odd,) = found
    assert (odd.id, odd.area, odd.severity, odd.since, odd.kind) == (
        "goals.revenue.night",
        "goals",
        "warn",
        DAY,
        "money",
    )
    assert odd.title.en.startswith("revenue of 2026-11-30 is 4")
    assert odd.title.en.endswith("% under the median of the same weekday")
    assert odd.title.zh.startswith("2026-11-30 的收入比同一星期日的中位数低 4")
    assert odd.delta == pytest.approx(odd.value - odd.baseline)
    assert [line.value for line in seen] == [80, values[-9]]
    assert "over the median" in seen[1].label.en


def test_quiet_nights_and_few_nights_say_nothing() -> None:
    assert follow.odd_nights(follow.nights(kept(steady())), WATCHED, DAY)[0] == ()
    assert follow.odd_nights(follow.nights(kept([*steady(20)[:-1], 0.0])), WATCHED, DAY)[0] == ()
    assert follow.odd_nights(follow.nights([]), WATCHED, DAY)[0] == ()


def test_nights_are_sorted_and_the_later_report_of_a_day_stands() -> None:
    reports = kept([1.0, 2.0, 3.0])
    again = follow.Report(DAY, (), {"revenue": 4.0, "users": 9.0})
    table = follow.nights([*reports[::-1], again])
    assert table.rows()[-2:] == [(DAY, "revenue", 4.0), (DAY, "users", 9.0)]
    assert table["value"].to_list() == [1.0, 2.0, 4.0, 9.0]


# --- files


def test_nights_are_kept_and_read_back(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "history"
    assert nightly.read_nights(str(folder), DAY) == ([], [])
    for back in (2, 1, 0):
        day = DAY - dt.timedelta(back)
        text = written(DROP, as_of=day, revenue=back)
        path = nightly.keep_night(str(folder), day, [text[:10], text[10:]])
        assert Path(path).read_text(encoding="utf-8") == text
    (folder / "notes.json").write_text("{}")
    (folder / "2026-11-01.json").write_text("{")
    (folder / "2026-11-02.json").mkdir()
    reports, problems = nightly.read_nights(str(folder), DAY)
    assert [(one.as_of.day, one.numbers["revenue"]) for one in reports] == [(28, 2), (29, 1)]
    assert [problem.code for problem in problems] == ["E_NOT_A_REPORT", "E_UNREADABLE"]
    assert sorted(path.name for path in folder.iterdir() if path.name > "2026-11-2") == [
        "2026-11-28.json",
        "2026-11-29.json",
        "2026-11-30.json",
        "notes.json",
    ]


def test_files_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        nightly.read_report(str(tmp_path / "none.json"))
    assert caught.value.code == "E_NOT_FOUND"
    page = tmp_path / "report.html"
    page.write_text("<html>")
    with pytest.raises(InputError) as caught:
        nightly.read_report(str(page))
    assert caught.value.code == "E_NOT_A_REPORT"
    page.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError):
        nightly.read_report(str(page))
    with pytest.raises(InputError):
        nightly.read_nights(str(page), DAY)
    with pytest.raises(OutputError):
        nightly.keep_night(str(page), DAY, ["{}"])
