"""The check-up through the real command: every format, its days, its audience, progress, nights, messages, files that break."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import polars as pl
import pytest

from conftest import Ran
from posting import Post
from userops import audit, cli, demo, diagnose, frames
from userops.checkup import behaviour, follow, measures
from userops.checkup.findings import AREAS, Finding
from userops.checkup.goals import Business, Goal
from userops.checkup.measures import Given, Settings
from userops.cli_support import schemas
from userops.models import shop as _shop  # noqa: F401  # numpy is loaded once, not in the middle of a test
from userops.outputs import saving, structured
from userops.results import Text

Userops = Callable[..., Ran]

ANDROID = "behaviour.checkout_conversion.platform=android.2025-09"
LAST_DAY = "2025-12-31"
A_FORTNIGHT_AGO = "2025-12-17"


@pytest.fixture(scope="module")
def business(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated shop with its stories and its goals; a prescription of a fortnight ago was followed."""
    folder = tmp_path_factory.mktemp("business")
    demo.write(demo.Settings(customers=2_000), str(folder), saving.write_atomically)
    with (folder / "userops.toml").open("a", encoding="utf-8") as handle:
        handle.write(f'\n[carried_out]\n"{ANDROID}" = {A_FORTNIGHT_AGO}\n')
    return folder


@pytest.fixture(scope="module")
def report(business: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``userops diagnose`` says of it as JSON, as a file."""
    path = tmp_path_factory.mktemp("report") / "report.json"
    assert cli.run(["diagnose", str(business), "-q", "-o", str(path)]) == 0
    return path


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def valid(document: dict[str, Any]) -> dict[str, Any]:
    jsonschema.validate(document, schemas.of("diagnose"), format_checker=jsonschema.FormatChecker())
    return document


def by_id(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in document["rows"]}


# --- the report -----------------------------------------------------------------------------------------------------


def test_the_story_is_found_with_its_segment_days_cause_and_prescription(report: Path) -> None:
    document = valid(read(report))
    found = by_id(document)[ANDROID]
    story = next(one for one in demo.STORIES if one.segment == "platform=android")
    begins = date(2025, 12, 31).toordinal() - story.begins + 1
    assert abs(date.fromisoformat(found["since"]).toordinal() - begins) <= 2
    assert abs(date.fromisoformat(found["until"]).toordinal() - begins - story.lasts + 1) <= 2
    assert document["rows"][0]["severity"] != "info"
    assert found["value"] < 0.5 < found["baseline"]
    assert found["delta"] == pytest.approx(found["value"] - found["baseline"])
    assert found["q_value"] < 0.01
    assert found["impact"] < 0
    assert found["actions"] and found["prevention"] and found["proof"]
    assert f"--audience {ANDROID}" in found["audience"]
    assert f"--show {ANDROID}" in found["reproduce"]


def test_the_summary_says_how_every_part_is(report: Path) -> None:
    document = read(report)
    summary = document["summary"]
    worst = dict.fromkeys(AREAS, "ok")
    for row in reversed(document["rows"]):  # the worst come first
        worst[row["area"]] = row["severity"]
    assert {area: summary[f"{area}_status"] for area in AREAS} == worst
    assert summary["grade"] in "ABCD"
    assert sum(summary[f"{name}_findings"] for name in ("error", "warn", "info")) == len(document["rows"])
    assert summary["events"] > summary["users"] > 0
    assert {row["area"] for row in document["tables"]["evidence"]} == set(AREAS)
    assert document["meta"]["manual_checks"]


def test_the_days_behind_a_finding_add_up_to_it(userops: Userops, business: Path, report: Path) -> None:
    ran = userops("diagnose", business, "-q", "--show", ANDROID, "--json")
    document = valid(json.loads(ran.out))
    found = by_id(read(report))[ANDROID]
    inside = [row for row in document["rows"] if row["inside"]]
    top, bottom = (sum(row[name] for row in inside) for name in ("numerator", "denominator"))
    assert [inside[0]["day"], inside[-1]["day"]] == [found["since"], found["until"]]
    assert top / bottom == pytest.approx(found["value"])
    assert bottom == found["n"]
    assert document["summary"] == {
        "value": found["value"], "baseline": found["baseline"], "impact": found["impact"], "n": found["n"],
        "numerator": top, "denominator": bottom,
    }  # fmt: skip


def test_the_days_of_what_goes_on_add_up_too(business: Path) -> None:
    """Newcomers are activated within 7 days: the last week is not known yet, and no part of the finding."""
    events = pl.read_parquet(business / "events.parquet")
    newcomers = events.group_by("user_id").agg(pl.col("time").min()).filter(pl.col("time") >= date(2025, 11, 1))
    bought = pl.col("user_id").is_in(newcomers["user_id"].implode()) & (pl.col("event") == "purchase")
    given = Given(events=frames.events(events.filter(~bought)))
    checkup = diagnose.look(given, Business(), Settings())
    found = next(one for one in checkup.findings if one.metric == "activation_rate")
    assert found.until is None
    shown = diagnose.show(checkup, found)
    inside = shown.rows.filter("inside")
    assert inside["day"].max() <= date(2025, 12, 24)
    assert shown.summary["denominator"] == found.n == inside["denominator"].sum()
    assert shown.summary["numerator"] / found.n == pytest.approx(found.value)


def test_customers_who_went_quiet_add_up_too() -> None:
    """Sixty good customers came every week of two years, and not at all in the last two months."""
    last = date(2026, 6, 30)
    days = [last - timedelta(days=ago) for ago in range(0, 728, 7)]
    loyal = [(f"a{user:03}", day, 100.0) for user in range(60) for day in days[8:]]
    others = [(f"b{user:03}", day, 10.0) for user in range(540) for day in days[user % 12 :: 12]]
    orders = pl.DataFrame([*loyal, *others], schema=["user_id", "ordered_at", "amount"], orient="row")
    checkup = diagnose.look(Given(orders=frames.orders(orders)), Business(), Settings(as_of=last))
    (found,) = (one for one in checkup.findings if one.metric == "orders_per_customer")
    shown = diagnose.show(checkup, found)
    assert shown.rows["customers"].sum() == shown.summary["denominator"] == found.n == 60
    assert shown.rows["lately"].sum() == shown.summary["numerator"] == 0 == found.value
    assert shown.rows["before"].min() > 0


def test_the_audience_by_options(userops: Userops, business: Path) -> None:
    files = ["--events", business / "events.parquet", "--orders", business / "orders.parquet"]
    files += ["--users-table", business / "users.parquet", "--goals", business / "userops.toml"]
    ran = userops("diagnose", *files, "-q", "--audience", ANDROID, "--json")
    document = valid(json.loads(ran.out))
    users = [row["user_id"] for row in document["rows"]]
    assert users == sorted(set(users))
    groups = [row["group"] for row in document["rows"]]
    assert document["summary"] == {"users": len(users), "act": groups.count("act"), "compare": groups.count("compare")}
    assert 0.1 < groups.count("compare") / len(groups) < 0.3
    events = pl.read_parquet(business / "events.parquet").filter(pl.col("user_id").is_in(users))
    assert set(users) <= set(events.filter(platform="android", event="begin_checkout")["user_id"])


def test_a_page_for_people_in_chinese(userops: Userops, business: Path, tmp_path: Path) -> None:
    files = [business / f"{name}.parquet" for name in ("orders", "events", "users")]
    assert userops("diagnose", *files, "-q", "--lang", "zh", "-o", tmp_path / "report.html").code == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert len(page.encode()) < 500_000
    assert "platform=android" in page
    assert "<script" not in page
    assert "处方" in page or "怎么做" in page


# --- from night to night --------------------------------------------------------------------------------------------


def test_two_nights(userops: Userops, business: Path, tmp_path: Path) -> None:
    """The second night tells what became of the first one's findings, and whether a prescription that was followed worked."""
    nights, page = tmp_path / "nights", tmp_path / "page.md"
    options = ["-q", "--history", nights, "--fail-on", "warn"]
    with Post() as post:
        first = userops(
            "diagnose", business, *options, "--notify", post.address, "--as-of", A_FORTNIGHT_AGO, "-o", page
        )
        ((_, _, message),) = post.received
    assert first.code == 4
    assert page.read_text(encoding="utf-8")
    kept = valid(read(nights / f"{A_FORTNIGHT_AGO}.json"))
    assert {row["status"] for row in kept["rows"]} == {"open"}
    assert message["command"] == "diagnose"

    second = userops("diagnose", business, *options, "--json")
    document = valid(json.loads(second.out))
    assert sorted(path.name for path in nights.iterdir()) == [f"{A_FORTNIGHT_AGO}.json", f"{LAST_DAY}.json"]
    assert read(nights / f"{LAST_DAY}.json") == document
    statuses = {row["id"]: row["status"] for row in document["rows"]}
    assert statuses[ANDROID] in ("same", "worse", "better")
    assert {name for name, status in statuses.items() if status == "new"}.isdisjoint(by_id(kept))
    gone = {name for name, status in statuses.items() if status == "resolved"}
    assert gone <= set(by_id(kept))
    assert document["summary"]["resolved"] == len(gone)
    newly = {row["severity"] for row in document["rows"] if row["status"] in ("new", "worse")}
    assert second.code == (4 if newly & {"warn", "error"} else 0)
    judged = [row for row in document["tables"]["evidence"] if row["what"] == f"prescription of {ANDROID}"]
    assert [row for row in judged if "acted on" in row["note"] or "too few" in row["note"]]


def test_beside_the_same_report_nothing_is_new(userops: Userops, business: Path, report: Path) -> None:
    with Post() as post:
        ran = userops(
            "diagnose", business, "-q", "--compare-with", report, "--fail-on", "warn", "--notify", post.address
        )
    assert ran.code == 0
    assert post.received == []
    assert ANDROID in ran.out


# --- what is less than a business -----------------------------------------------------------------------------------


def test_events_or_orders_alone(userops: Userops, shop: Path) -> None:
    for name, skipped in (("events.parquet", {"portrait", "demand", "goals"}), ("orders.csv", {"demand"})):
        ran = userops("diagnose", shop / name, "-q", "--json")
        document = valid(json.loads(ran.out))
        assert {area for area in AREAS if document["summary"][f"{area}_status"] == "skipped"} == skipped
        assert skipped <= {row["area"] for row in document["tables"]["left_out"]}


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("", 3, "holds no rows"),
        ("user_id,ordered_at,amount\n", 3, "holds no rows"),
        ("user_id,ordered_at,amount\n ,2026-01-01,1\n,2026-01-02,2\n", 3, "no usable rows"),
        ("user_id,ordered_at,amount\na,2026-01-01,3\n", 0, "nothing found"),
        ("user_id,ordered_at,amount\na,2026-01-01,-3\nb,2026-01-02,-4\n", 0, "of users without any order"),
        ("user_id,ordered_at,amount\n" + "a,2026-01-01,3\n" * 9, 0, "Duplicates in mess.csv"),
        ("user_id,ordered_at,amount,currency\na,2026-01-01,3,EUR\nb,2026-01-02,4,USD\n", 3, "mixes currencies"),
        ("user_id,event,time\na,buy,2026-01-01 10:00\nb,see,2026-01-01 11:00\n", 0, "nothing found"),
        ("user_id,signed_up_at,country\na,2026-01-01,DE\n", 2, "neither events nor orders"),
        ("colour,size\nred,3\n", 3, "mess.csv"),
    ],
    ids=["empty", "header", "no ids", "one row", "refunds", "copies", "currencies", "one day", "users", "no business"],
)
def test_files_that_say_little(text: str, code: int, said: str, userops: Userops, tmp_path: Path) -> None:
    (tmp_path / "mess.csv").write_text(text)
    ran = userops("diagnose", tmp_path / "mess.csv")
    assert (ran.code, "bug" in ran.err) == (code, False), ran.err
    assert said in " ".join((ran.out + ran.err).split())


def test_goals_of_the_configuration_in_force(userops: Userops, shop: Path, tmp_path: Path) -> None:
    (tmp_path / "userops.toml").write_text('[goals]\nrepeat_rate = ">= 99 %"\n')
    found = by_id(json.loads(userops("diagnose", shop / "orders.csv", "-q", "--json").out))["goals.repeat_rate"]
    assert (found["severity"], found["target"]) == ("warn", 0.99)
    assert found["value"] < 0.99


def test_options_that_do_not_go_together(userops: Userops, shop: Path) -> None:
    ran = userops("diagnose", shop, "--show", "a", "--audience", "b")
    assert (ran.code, ran.out) == (2, "")
    assert "--show" in ran.err and "--audience" in ran.err


@pytest.mark.parametrize("text", ["", "{}", '{"schema": "userops.rfm/1"}', '{"schema": "userops.diagnose/1"}'])
def test_a_report_that_is_none(text: str, userops: Userops, shop: Path, tmp_path: Path) -> None:
    (tmp_path / "last.json").write_text(text)
    ran = userops("diagnose", shop / "orders.csv", "--compare-with", tmp_path / "last.json")
    assert (ran.code, ran.out) == (3, "")
    assert "last.json" in ran.err


# --- judged together ------------------------------------------------------------------------------------------------


def finding(id: str, p: float | None, area: Any = "behaviour") -> Finding:
    return Finding(id=id, area=area, title=Text(id, id), severity="warn", p_value=p)


def test_one_false_discovery_rate_over_everything_that_was_tested() -> None:
    """Of ten comparisons p = 0.001, 0.02 and 0.03: q = 0.01, 0.1 and 0.1; of twenty the last two are out."""
    found = [finding("a", 0.001), finding("b", 0.02), finding("c", 0.03), finding("sure", None)]
    judged = {one.id: one for one in diagnose.judge(found, 10, "A")}
    assert {id: one.q_value for id, one in judged.items()} == pytest.approx(
        {"a": 0.01, "b": 0.1, "c": 0.1, "sure": None}
    )
    assert {id: one.confidence for id, one in judged.items()} == {
        "a": "high",
        "b": "medium",
        "c": "medium",
        "sure": "high",
    }
    assert [one.id for one in diagnose.judge(found, 20, "A")] == ["a", "sure"]


def test_nobody_is_surer_than_the_data() -> None:
    confidences = {}
    for grade in "ABCD":
        sure, same = diagnose.judge([finding("a", None), finding("b", None, "data")], 0, grade)
        confidences[grade] = sure.confidence
        assert same.confidence == "high"  # of the data themselves nothing is to be doubted
    assert confidences == {"A": "high", "B": "high", "C": "medium", "D": "low"}


def test_bad_data_make_every_finding_doubtful(shop: Path) -> None:
    """A tenth of the orders without a user: grade D, and what is found is of low confidence."""
    orders = pl.read_csv(shop / "orders.csv", try_parse_dates=True)
    nobody = pl.when(pl.int_range(pl.len()) % 10 == 0).then(None).otherwise("user_id")
    result = diagnose.analyse(Given(orders=frames.orders(orders.with_columns(user_id=nobody), grain="line")))
    assert result.summary["grade"] == "D"
    rows = result.rows.filter(pl.col("area") != "data")
    assert set(rows["confidence"]) <= {"low"}
    assert "DQ02" in result.rows["metric"].to_list()


def test_a_file_that_ends_early_is_told_and_everything_doubted(shop: Path) -> None:
    """Orders that stop three weeks before the events: the first finding says so, and nothing is sure."""
    events, orders = (pl.read_parquet(shop / f"{name}.parquet") for name in ("events", "orders"))
    last = orders["ordered_at"].max().date()  # type: ignore[union-attr] # a time

    def told(silent: int) -> pl.DataFrame:
        early = orders.filter(pl.col("ordered_at").dt.date() <= last - timedelta(days=silent))
        given = Given(events=frames.events(events), orders=frames.orders(early, grain="line"))
        return diagnose.analyse(given, settings=Settings(as_of=last)).rows

    rows = told(21)
    assert rows.row(0, named=True)["id"] == "data.ends.orders"
    assert rows.row(0, named=True)["value"] == 21
    assert set(rows.filter(pl.col("area") != "data")["confidence"]) == {"low"}
    assert "data.ends.orders" not in told(6)["id"].to_list()


def test_a_last_day_that_is_cut_short_is_not_judged() -> None:
    """Seventy days of 96 visits, the last of them until six in the morning: nothing fell, that day is not over."""

    def measured(hours: int) -> measures.Measured:
        first, days = datetime(2026, 1, 1), range(70)
        all_day = [(day, hour) for day in days for hour in range(24 if day < days[-1] else hours)]
        rows = [(f"u{(37 * day + 5 * hour + k) % 200}", day, hour) for day, hour in all_day for k in range(4)]
        times = [first + timedelta(days=day, hours=hour) for _, day, hour in rows]
        events = pl.DataFrame({"user_id": [user for user, *_ in rows], "event": ["visit"] * len(rows), "time": times})
        return measures.measure(Given(events=frames.events(events)), Business(), Settings())

    def lags(of: measures.Measured) -> set[int]:
        return {metric.lag for metric in measures.metrics(of) if metric.name in ("active_users", "new_users")}

    short = measured(6)
    assert lags(short) == {1}
    assert behaviour.look(short).findings == ()
    assert lags(measured(24)) == {0}


def test_resolved_is_only_what_was_looked_at(shop: Path) -> None:
    """Of events alone nothing is known of orders; a segment, a goal or days that nobody asked about are not mended."""
    events = frames.events(pl.read_parquet(shop / "events.parquet"))
    given = Given(events=events, columns={"events": ("platform",)})
    business = Business(goals=(Goal("d1_retention", ">=", 0.2),))
    then = [
        replace(finding(f"{area}.{metric}.{segment}", None, area), metric=metric, segment=segment, since=since)
        for area, metric, segment, since in (
            ("behaviour", "d30_retention", None, date(2025, 3, 1)),
            ("behaviour", "d30_retention", "platform=palm", date(2025, 3, 1)),
            ("behaviour", "d7_retention", "platform=ios", date(2025, 3, 1)),
            ("behaviour", "orders", None, date(2025, 3, 1)),
            ("behaviour", "visits_per_customer", "tier=top tenth", date(2025, 3, 1)),
            ("goals", "d1_retention", None, None),
            ("goals", "cac", None, None),
            ("demand", "nps", None, None),  # no file of feedback
        )
    ]

    def resolved(until: date | None = None) -> list[tuple[str | None, str | None]]:
        checkup = diagnose.look(given, business, Settings(until=until))
        _, told = diagnose.published(checkup, last=follow.Report(date(2025, 4, 1), tuple(then), {}))
        ids = {one.id for one in then}
        return [(one.metric, one.segment) for one in told if one.status == "resolved" and one.id in ids]

    assert sorted(resolved()) == [("d1_retention", None), ("d30_retention", None), ("d7_retention", "platform=ios")]
    assert resolved(until=date(2025, 2, 1)) == [("d1_retention", None)]


@pytest.mark.parametrize(
    ("since", "until", "told"),
    [
        (None, None, True),
        (11, None, False),
        (10, None, True),
        (None, 4, False),
        (None, 5, True),
        (6, 7, True),
        (1, 4, False),
    ],
)
def test_a_finding_is_told_where_one_of_its_days_is_asked_about(
    since: int | None, until: int | None, told: bool
) -> None:
    """One of May 5 to 10, one that goes on since, one without days, and one of the data."""

    def may(day: int | None) -> date | None:
        return None if day is None else date(2026, 5, day)

    settings = Settings(since=may(since), until=may(until))
    one = replace(finding("a", None), since=may(5), until=may(10))
    assert diagnose.reported(one, settings) == told
    assert diagnose.reported(replace(one, until=None), settings) == (until is None or until >= 5)
    assert diagnose.reported(finding("b", None), settings)
    assert diagnose.reported(replace(one, area="data"), settings)


def test_what_counts_for_fail_on() -> None:
    found = [
        Finding(id=f"{severity} {status}", area="goals", title=Text("", ""), severity=severity, status=status)
        for severity in ("error", "warn", "info")
        for status in ("new", "worse", "same", "better", "resolved")
    ]
    assert (diagnose.counted(found, "error"), diagnose.counted(found, "warn")) == (2, 4)
    assert diagnose.counted([finding("a", None)], "warn") == 1  # there is no earlier report


# --- the same bytes -------------------------------------------------------------------------------------------------


def test_the_same_bytes_on_shuffled_rows_in_any_number_of_parts(shop: Path) -> None:
    events, orders = (pl.read_parquet(shop / f"{name}.parquet") for name in ("events", "orders"))
    users = pl.read_parquet(shop / "users.parquet")

    def told(seed: int, partitions: int) -> str:
        shuffled = [frame.sample(fraction=1, shuffle=True, seed=seed) for frame in (events, orders)]
        given = Given(
            events=frames.events(shuffled[0]),
            orders=frames.orders(shuffled[1], grain="line"),
            users=users.sample(fraction=1, shuffle=True, seed=seed),
            columns={"events": ("platform", "channel"), "orders": ("platform", "category"), "users": ("country",)},
            subjects={"events": ("item_id",), "orders": ("product",)},
        )
        return "".join(structured.json_parts(diagnose.analyse(given, partitions=partitions), "en"))

    assert told(1, 1) == told(2, 8)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["txt", "json", "md", "html", "parquet", "csv", "ndjson", "arrow"])
def test_every_format_twice(suffix: str, userops: Userops, business: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert userops("diagnose", business, "-q", "-o", tmp_path / f"{name}.{suffix}").code == 0
    written = (tmp_path / f"one.{suffix}").read_bytes()
    assert written == (tmp_path / f"two.{suffix}").read_bytes()
    assert 0 < len(written) < 500_000
    if suffix == "parquet":
        assert ANDROID in pl.read_parquet(tmp_path / "one.parquet")["id"].to_list()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_quiet_shop_has_nothing_wrong_with_its_behaviour(seed: int, userops: Userops, tmp_path: Path) -> None:
    demo.write(demo.Settings(seed=seed, stories=False), str(tmp_path / "quiet"), saving.write_atomically)
    document = json.loads(userops("diagnose", tmp_path / "quiet", "-q", "--json").out)
    loud = [row["id"] for row in document["rows"] if row["severity"] != "info"]
    assert [id for id in loud if not id.startswith(("data.", "goals."))] == []


def test_a_remark_on_the_data_reads_as_a_sentence(shop: Path) -> None:
    orders = frames.orders(pl.read_csv(shop / "orders.csv", try_parse_dates=True), grain="line")
    for one in diagnose.data(audit.look([orders], audit.Settings())).findings:
        assert one.title.en[0].isupper()
        assert all(action.en[0].isupper() and action.en.endswith((".", "?")) for action in one.actions)
