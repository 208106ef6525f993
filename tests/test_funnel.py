"""Funnels: worked by hand, a brute-force search on thousands of random logs, other engines' answers, the vendors' cases."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import polars as pl
import pytest

from conftest import Ran
from userops import chains, frames, funnel, funnel_rules, funnel_scan
from userops.cli_support import funnel_steps, schemas
from userops.errors import InputError, UsageError
from userops.funnel import Step
from userops.results import Result

Userops = Callable[..., Ran]

ZERO = datetime(2024, 3, 1)


def events(rows: Sequence[tuple[Any, ...]], *columns: str) -> frames.Events:
    """Events of (user, event, seconds after ZERO, further columns...)."""
    schema = ["user_id", "event", "time", *columns]
    timed = [(user, event, ZERO + timedelta(seconds=at), *more) for user, event, at, *more in rows]
    return frames.events(pl.DataFrame(timed, schema, orient="row", infer_schema_length=None))


def counts(result: Result, column: str = "users") -> list[Any]:
    """One column over the steps."""
    return result.rows[column].to_list()


DAY = 86_400
LATE = ("zz", "end", 80 * DAY)
"""A row long after, so that every window of the others is over."""


# --- by hand --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", ["any", "first"])
def test_a_window_may_be_centuries(entry: str) -> None:
    log = pl.DataFrame(
        {"user_id": ["a", "a"], "event": ["view", "buy"], "time": [datetime(1900, 1, 1), datetime(2262, 1, 1)]}
    )
    assert counts(funnel.analyse(frames.events(log), steps=("view", "buy"), within="none", entry=entry)) == [1, 1]


def test_a_small_funnel() -> None:
    rows = [("a", "view", 0), ("a", "cart", 60), ("a", "buy", 600), ("b", "view", 0), ("b", "cart", 30), ("c", "view", 5),
            ("c", "buy", 7), ("d", "buy", 1), LATE]  # fmt: skip
    result = funnel.analyse(events(rows), steps=("view", "cart", "buy"))
    assert counts(result) == counts(result, "mature_users") == [3, 2, 1]
    assert counts(result, "from_start") == [1.0, 2 / 3, 1 / 3]
    assert counts(result, "from_previous") == [None, 2 / 3, 1 / 2]
    assert counts(result, "dropped") == [None, 1, 1]
    assert counts(result, "median_seconds_from_start") == [0.0, 30.0, 600.0]
    assert counts(result, "p90_seconds_from_start") == [0.0, 60.0, 600.0]
    assert result.summary == {"users": 3, "events": 9, "mature_users": 3, "converted": 1, "conversion": 1 / 3,
                              "steps": 3, "median_seconds": 600.0}  # fmt: skip
    assert result.extras["time_to_convert"].rows() == [(600, 1200, 1)]


def test_fresh_entries_count_as_users_and_in_no_rate() -> None:
    rows = [("a", "view", 0), ("b", "view", 5 * DAY), ("b", "buy", 5 * DAY + 9), ("c", "view", 0), ("c", "view", 5 * DAY),
            ("c", "buy", 5 * DAY + 1), ("z", "end", 8 * DAY - 1)]  # fmt: skip
    result = funnel.analyse(events(rows), steps=("view", "buy"))
    assert counts(result) == [3, 2]
    assert counts(result, "mature_users") == [2, 1], "c's early view is a chain of six days"
    assert result.summary["median_seconds"] == 5 * DAY + 1
    assert counts(funnel.analyse(events(rows), steps=("view", "buy"), within="none"), "mature_users") == [3, 2]


def test_the_window_is_over_when_as_of_ends_after_it() -> None:
    rows = [("a", "view", DAY - 1), ("b", "view", DAY), ("z", "end", 8 * DAY - 1)]
    assert counts(funnel.analyse(events([*rows, ("a", "buy", DAY)]), steps=("view", "buy")), "mature_users") == [1, 1]


@pytest.mark.parametrize(("within", "users"), [("7d", [2, 2]), ("1d", [2, 1]), ("same-day", [2, 0]), ("2h", [2, 1])])
def test_windows(within: str, users: list[int]) -> None:
    rows = [("a", "view", 23 * 3600), ("a", "buy", 25 * 3600), ("b", "view", 0), ("b", "buy", 7 * DAY), LATE]
    assert counts(funnel.analyse(events(rows), steps=("view", "buy"), within=within)) == users


def test_the_trend_is_by_entry_and_a_user_may_be_in_several_periods() -> None:
    days = [("u", "a", 0), ("u", "a", 4 * DAY), ("u", "a", 19 * DAY), ("u", "b", DAY), ("u", "b", 5 * DAY), LATE]
    result = funnel.analyse(events(days), steps=("a", "b"), trend="day")
    assert counts(result) == [1, 1]
    found = result.extras["trend"].filter(pl.col("users") > 0)
    assert found.select(pl.col("period_start").dt.day(), "converted").rows() == [(1, 1), (5, 1), (20, 0)]
    assert result.extras["trend"].height == 20, "silent days are there"
    month = funnel.analyse(events(days), steps=("a", "b"), trend="month").extras["trend"]
    assert month.select("users", "mature_users", "converted", "complete").rows() == [(1, 1, 1, True)]


def test_a_period_is_complete_once_all_its_entries_are_mature() -> None:
    rows = [("u", "a", 0), ("v", "a", 3 * DAY), ("v", "b", 3 * DAY), ("z", "end", 8 * DAY)]
    trend = funnel.analyse(events(rows), steps=("a", "b"), within="7d", trend="day").extras["trend"]
    assert trend.select("mature_users", "complete").rows() == [(1, True), (0, True), (0, False), (0, False)]


def test_by_takes_the_value_at_the_entry() -> None:
    rows = [
        ("u", "view", 0, "ads"),
        ("u", "view", 5, "seo"),
        ("u", "buy", 6, None),
        ("v", "view", 0, None),
        (*LATE, None),
    ]
    result = funnel.analyse(events(rows, "channel"), steps=("view", "buy"), by="channel")
    assert result.rows.select("channel", "step", "users").rows() == [
        ("ads", 1, 1), ("ads", 2, 1), ("seo", 1, 1), ("seo", 2, 1), (None, 1, 1), (None, 2, 0)
    ]  # fmt: skip
    assert result.summary["users"] == 2
    assert result.summary["conversion"] == 0.5


def test_the_reporting_window_bounds_the_entry_only() -> None:
    rows = [("u", "a", 31 * DAY - 3600), ("u", "b", 31 * DAY + 3600), ("v", "a", 40 * DAY), ("v", "b", 40 * DAY), LATE]
    inside = funnel.analyse(events(rows), steps=("a", "b"), within="1d", until=date(2024, 3, 31))
    assert counts(inside) == [1, 1]
    assert counts(funnel.analyse(events(rows), steps=("a", "b"), since=date(2024, 4, 1))) == [1, 1]
    with pytest.raises(UsageError):
        funnel.analyse(events(rows), steps=("a", "b"), since=date(2024, 5, 1), until=date(2024, 4, 1))


def test_sessions_end_with_an_id_or_with_half_an_hour_of_silence() -> None:
    rows = [("u", "a", 0, "s1"), ("u", "b", 1800, "s1"), ("u", "a", 4000, "s2"), ("u", "b", 5801, "s2"), (*LATE, "s3")]
    named = funnel.analyse(events(rows, "session_id"), steps=("a", "b"), count="sessions")
    assert counts(named) == [2, 2]
    silent = funnel.analyse(events([row[:3] for row in rows]), steps=("a", "b"), count="sessions")
    assert counts(silent) == [2, 1]


def test_who_stopped_and_when() -> None:
    rows = [("a", "x", 0), ("a", "y", 5), ("a", "y", 9), ("a", "x", 3), ("b", "x", 7), ("c", "y", 1), LATE]
    everyone = funnel.analyse(events(rows), steps=("x", "y"), per_user=True)
    at = [ZERO + timedelta(seconds=s) for s in (3, 5, 7, 7)]
    assert everyone.rows.rows() == [("a", 2, at[0], at[1], True), ("b", 1, at[2], at[3], True)]
    assert funnel.analyse(events(rows), steps=("x", "y"), stopped_at=1).rows["user_id"].to_list() == ["b"]


def test_times_are_told_on_the_clocks_of_the_zone() -> None:
    frame = pl.DataFrame({"user_id": ["a", "a"], "event": ["x", "y"], "time": [ZERO, ZERO + timedelta(hours=1)]})
    table = frames.events(frame.with_columns(pl.col("time").dt.replace_time_zone("Asia/Shanghai")))
    row = funnel.analyse(table, steps=("x", "y"), per_user=True, tz="Asia/Shanghai").rows.row(0, named=True)
    assert (row["entered_at"], row["reached_at"]) == (ZERO, ZERO + timedelta(hours=1))


# --- explain --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "options", "reason", "seen"),
    [
        ([("a", 0)], {}, "no_such_row", None),
        ([("b", 0), ("a", 5)], {}, "only_before", ("b", 0)),
        ([("a", 0), ("b", 8 * DAY)], {}, "after_window", ("b", 8 * DAY)),
        ([("a", 0), ("x", 3), ("b", 5)], {"exclude": ("x",)}, "excluded_between", ("x", 3)),
        ([("a", 0), ("q", 3), ("b", 5)], {"order": "strict"}, "other_between", ("q", 3)),
        ([("a", 0), ("b", 0)], {"strictly_after": True}, "same_instant", ("b", 0)),
        ([("a", 23 * 3600), ("b", 25 * 3600)], {"within": "same-day"}, "other_log", ("b", 25 * 3600)),
    ],
)
def test_explain_says_what_was_missing(
    rows: list[tuple[str, int]], options: dict[str, Any], reason: str, seen: tuple[str, int] | None
) -> None:
    everybody = [("o", "a", 0), ("o", "b", 0), ("o", "x", 0), *(("u", event, at) for event, at in rows), LATE]
    result = funnel.analyse(events(everybody), steps=("a", "b"), explain="u", **options)
    first, second = result.rows.iter_rows(named=True)
    assert (first["reason"], first["matched"]) == ("matched", "a")
    assert (second["reason"], second["at"]) == (reason, None)
    shown = None if seen is None else (seen[0], ZERO + timedelta(seconds=seen[1]))
    assert ((second["seen"], second["seen_at"]) if second["seen"] else None) == shown
    assert result.summary["level"] == 1


def test_explain_names_the_row_of_each_step() -> None:
    rows = [("u", "a", 0), ("u", "a", 4), ("u", "c", 5), ("u", "b", 9), ("u", "b", 11), ("o", "b", 0), LATE]
    steps = ("a", Step("b or c", ("b", "c")), "b")
    found = funnel.analyse(events(rows), steps=steps, explain="u").rows
    assert found.select("matched", "seconds_from_start").rows() == [("a", 0.0), ("c", 1.0), ("b", 5.0)]
    nobody = funnel.analyse(events(rows), steps=("a", "b"), explain="o").rows
    assert nobody["reason"].to_list() == ["no_such_row", "not_reached"]
    with pytest.raises(InputError, match="no user 'nobody'"):
        funnel.analyse(events(rows), steps=("a", "b"), explain="nobody")


# --- what cannot be -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": ("a",)},
        {"steps": ()},
        {"within": "0d"},
        {"within": "-1d"},
        {"within": "7"},
        {"within": "9000w"},
        {"compat": "mixpanle"},
        {"stopped_at": 3},
        {"stopped_at": 0},
        {"order": "any", "strictly_after": True},
        {"exclude": ("a",)},
        {"explain": "u", "per_user": True},
        {"by": "users"},
        {"confidence": 1.0},
    ],
)
def test_what_is_refused_before_anything_is_read(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        funnel.Settings(**{"steps": ("a", "b"), **wrong})


def test_unknown_events_and_steps_without_rows() -> None:
    log = events([("u", "view", 0), ("u", "buy", 1)])
    with pytest.raises(InputError, match="no event 'biy'") as error:
        funnel.analyse(log, steps=("view", "biy"))
    assert "'buy'" in str(error.value.hint)
    with pytest.raises(InputError, match="no event 'vew'"):
        funnel.analyse(log, steps=(Step("view|vew", ("view", "vew")), "buy"))
    with pytest.raises(InputError, match="no event 'refund'"):
        funnel.analyse(log, steps=("view", "buy"), exclude=("refund",))
    with pytest.raises(InputError, match="is step 2"):
        funnel.analyse(log, steps=("view", Step("buy where user_id=x", ("buy",), pl.col("user_id") == "x")))
    with pytest.raises(InputError, match="no column 'channel'"):
        funnel.analyse(log, steps=("view", "buy"), by="channel")
    assert counts(funnel.analyse(log, steps=("buy", "view"))) == [1, 0], "known, only never in this order"


def test_one_row_no_entry_no_rows() -> None:
    assert counts(funnel.analyse(events([("u", "b", 0), ("v", "a", 0), LATE]), steps=("a", "b"))) == [1, 0]
    nobody = funnel.analyse(events([("u", "b", 0), ("u", "a", 9)]), steps=("a", "b"), until=date(2024, 2, 1))
    assert counts(nobody) == [0, 0]
    assert nobody.summary["conversion"] is None
    assert nobody.summary["median_seconds"] is None
    with pytest.raises(InputError):
        funnel.analyse(events([(None, "a", 0)]), steps=("a", "b"))


# --- a brute force --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """One row of a log: a time, an event, a value to hold or to break down by."""

    at: int
    event: str
    value: str | None
    kind: str


@dataclass(frozen=True)
class Entry:
    """What can be reached from one entry: per step the earliest time."""

    row: Row
    done: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """A funnel, in the words of the settings and as predicates on rows."""

    steps: tuple[Step, ...]
    wanted: tuple[Callable[[Row], bool], ...]
    within: int
    order: str = "ordered"
    strictly_after: bool = False
    exclude: tuple[str, ...] = ()
    hold: bool = False
    entry: str = "any"

    @property
    def settings(self) -> dict[str, Any]:
        hold = "value" if self.hold else None
        within = f"{self.within}s" if self.within else "none"
        return {"steps": self.steps, "within": within, "order": self.order, "exclude": self.exclude, "hold": hold,
                "strictly_after": self.strictly_after, "entry": self.entry}  # fmt: skip


def searched(case: Case, log: list[Row]) -> list[Entry]:
    """Every entry of one user, by trying all chains."""
    any_order = case.order == "any"
    begins = [r for r in log if (any(w(r) for w in case.wanted) if any_order else case.wanted[0](r))]
    if case.hold:
        begins = [r for r in begins if r.value is not None]
    if case.entry == "first" and begins:
        begins = [r for r in begins if r.at == min(b.at for b in begins)]
    found = []
    for row in begins:
        mine = [r for r in log if not case.hold or r.value == row.value]
        entry = Entry(row)
        search = any_chains if any_order else time_chains
        for step, at in search(case, mine, row):
            entry.done[step] = min(at, entry.done.get(step, at))
        found.append(entry)
    return found


def allowed(case: Case, log: list[Row], first: int, last: int) -> bool:
    """Whether a chain may stretch so far."""
    inside = not case.within or last - first <= case.within
    return inside and not any(first < r.at < last and r.event in case.exclude for r in log)


def time_chains(case: Case, log: list[Row], start: Row) -> Iterator[tuple[int, int]]:
    """(step, time) of the last row of every chain from a start."""

    def go_on(used: list[Row]) -> Iterator[tuple[int, int]]:
        yield len(used), used[-1].at
        if len(used) == len(case.wanted):
            return
        for row in log:
            if any(row is u for u in used) or not case.wanted[len(used)](row):
                continue
            if row.at < used[-1].at or (case.strictly_after and row.at == used[-1].at):
                continue
            between = case.order == "strict" and any(used[-1].at < r.at < row.at for r in log)
            if not between and allowed(case, log, start.at, row.at):
                yield from go_on([*used, row])

    return go_on([start])


def any_chains(case: Case, log: list[Row], start: Row) -> Iterator[tuple[int, int]]:
    """(how many steps, time of the last row) of every choice of rows for different steps that has the start in it."""
    later = [r for r in log if r.at >= start.at and r is not start]
    for size in range(1, len(case.wanted) + 1):
        for steps in itertools.combinations(range(len(case.wanted)), size):
            for rows in itertools.permutations(later, size - 1):
                last = max([start.at, *(r.at for r in rows)])
                if allowed(case, log, start.at, last) and any(
                    all(case.wanted[s](r) for s, r in zip(steps, (*rows[:i], start, *rows[i:]), strict=True))
                    for i in range(size)
                ):
                    yield size, last


def expected(case: Case, logs: dict[str, list[Row]], last_mature: float) -> dict[str, Any]:
    """What the funnel of all users must say: users, mature users and times per step, the best of each user."""
    steps = range(1, len(case.wanted) + 1)
    users, times, people = dict.fromkeys(steps, 0), {step: [] for step in steps}, []
    for user, log in sorted(logs.items()):
        entries = searched(case, log)
        for step in steps:
            done = [(e.done[step], -e.row.at) for e in entries if step in e.done]
            ripe = [pair for pair in done if -pair[1] <= last_mature]
            users[step] += bool(done)
            if ripe:
                best = min(ripe)
                times[step].append(best[0] + best[1])
        if entries:
            level = max(step for e in entries for step in e.done)
            end, start = min((e.done[level], -e.row.at) for e in entries if level in e.done)
            people.append((user, level, -start, end))
    return {"users": list(users.values()), "times": [sorted(t) for t in times.values()], "people": people}


def answered(case: Case, table: frames.Events, **options: Any) -> dict[str, Any]:
    """What the scan says, in the same form; people only where they are asked for."""
    settings = funnel.Settings(**case.settings | options)
    found = funnel_scan.Scan(table, funnel_rules.decide(settings, table)).found(None)
    steps = range(1, len(case.steps) + 1)
    whole = found.reached.filter(pl.col("cut") == funnel_scan.WHOLE)
    times = {step: whole.filter(pl.col("step") == step)["us"].to_list() for step in steps}
    zero = round(ZERO.replace(tzinfo=UTC).timestamp())
    return {
        "users": [len(times[step]) for step in steps],
        "times": [sorted(us // 1_000_000 for us in times[step] if us is not None) for step in steps],
        "people": sorted(
            (user, level, start // 1_000_000 - zero, end // 1_000_000 - zero)
            for user, level, start, end in found.people.iter_rows()
        ),
    }


def of(*names: str) -> tuple[Step, Callable[[Row], bool]]:
    return Step("|".join(names), names), lambda row: row.event in names


def with_kind(name: str, kind: str) -> tuple[Step, Callable[[Row], bool]]:
    step = Step(f"{name} where kind={kind}", (name,), pl.col("kind") == kind)
    return step, lambda row: row.event == name and row.kind == kind


SHAPES = [
    [of("a"), of("b")],
    [of("a"), of("b"), of("c")],
    [of("a"), of("a"), of("b")],
    [of("a"), of("b"), of("a")],
    [of("a"), of("a"), of("a")],
    [of("a", "b"), of("b"), of("c")],
    [of("a", "b"), of("b", "c"), of("a")],
    [of("a"), of("a", "b"), of("b")],
    [with_kind("a", "p"), of("a"), of("b")],
    [of("a"), with_kind("b", "p"), with_kind("b", "q")],
    [of("a"), of("b"), of("c"), of("a", "c")],
]


def random_logs(rng: random.Random, users: int) -> dict[str, list[Row]]:
    """Short logs full of ties, repeats and other events."""
    logs = {}
    for user in range(users):
        span = rng.choice([2, 4, 8, 14])
        size = rng.randint(1, 7)
        logs[f"u{user:04}"] = [
            Row(rng.randint(0, span), rng.choice("aaabbbccx"), rng.choice(["v", "v", "w", None]), rng.choice("pq"))
            for _ in range(size)
        ]
    return logs


def as_table(rng: random.Random, logs: dict[str, list[Row]]) -> frames.Events:
    rows = [(user, r.event, r.at, r.value, r.kind) for user, log in logs.items() for r in log]
    rng.shuffle(rows)
    ends = [("zz", event, -DAY, None, "p") for event in "q"]  # a row of another day, which serves nothing
    return events([*rows, *ends], "value", "kind")


CASES = [
    (order, strictly, exclude, hold, entry)
    for order in ("ordered", "strict", "any")
    for strictly in (False, True)
    for exclude in ((), ("x",))
    for hold in (False, True)
    for entry in ("any", "first")
    if not (order == "any" and strictly)
]


@pytest.mark.parametrize(("order", "strictly", "exclude", "hold", "entry"), CASES)
def test_the_same_as_trying_every_chain(
    order: str, strictly: bool, exclude: tuple[str, ...], hold: bool, entry: str
) -> None:
    """40 option sets, 11 shapes of steps, two windows, 12 logs each: some 10,000 logs."""
    rng = random.Random(f"{order}{strictly}{exclude}{hold}{entry}")
    for shape in SHAPES:
        steps, wanted = tuple(s for s, _ in shape), tuple(w for _, w in shape)
        for within in (rng.choice([1, 2, 3, 5]), 0):
            case = Case(steps, wanted, within, order, strictly, exclude, hold, entry)
            logs = random_logs(rng, 12)
            truth = expected(case, logs, float("inf"))
            assert answered(case, as_table(rng, logs), per_user=True) == truth, case


def test_mature_entries_are_the_same_too_and_so_is_the_fast_form() -> None:
    """As-of cuts through the logs; the plain form, the general form and the search must agree."""
    rng = random.Random(4)
    for shape in SHAPES[:2]:
        steps, wanted = tuple(s for s, _ in shape), tuple(w for _, w in shape)
        for within, strictly in itertools.product((2, 4, 9), (False, True)):
            case = Case(steps, wanted, within, strictly_after=strictly)
            logs = random_logs(rng, 60)
            far = {user: [Row(r.at + DAY - 8, r.event, r.value, r.kind) for r in log] for user, log in logs.items()}
            table = as_table(rng, far)
            truth = expected(case, far, DAY - within - 1)
            early = {"as_of": date(2024, 3, 1)}
            assert any(len(t) < n for t, n in zip(truth["times"], truth["users"], strict=True)), "some are fresh"
            plain, general = (answered(case, table, **early, trend=trend) for trend in (None, "day"))
            assert funnel_rules.decide(funnel.Settings(**case.settings), table).plain
            assert plain == general
            assert answered(case, table, **early, per_user=True) == truth
            assert plain == truth | {"people": []}


def test_the_rows_of_an_instant_are_matched_not_guessed() -> None:
    assert chains.advance([0b011, 0b001], 0, 2) == 2, "the row that can do both has to leave step 1 to the other"
    assert chains.advance([0b011], 0, 2) == 1
    assert chains.advance([0b110, 0b110, 0b001], 1, 3) == 3
    assert chains.advance([], 1, 3) == 1


def test_shuffled_rows_and_partitions_change_no_byte() -> None:
    rng = random.Random(9)
    logs = random_logs(rng, 400)
    rows = [(user, r.event, r.at, r.value, r.kind) for user, log in logs.items() for r in log]
    settings: list[dict[str, Any]] = [
        {"steps": ("a", "b", "c")},
        {"steps": ("a", "b", "a"), "within": "3s", "trend": "day", "by": "value"},
        {"steps": ("a", "b"), "order": "strict", "count": "value"},
        {"steps": ("a", "b", "b"), "order": "any", "per_user": True},
        {"steps": ("a", "b"), "count": "sessions", "hold": "value", "exclude": ("c",)},
        {"steps": ("a", "b"), "resolution": "second", "explain": "u0007"},
    ]
    for options in settings:
        told = set()
        for partitions in (1, 1, 8):
            rng.shuffle(rows)
            result = funnel.analyse(events(rows, "value", "kind"), partitions=partitions, **options)
            extras = [frame.write_json() for frame in result.extras.values()]
            told.add((result.rows.write_json(), *extras, json.dumps(result.summary), repr(result.views)))
        assert len(told) == 1, options


# --- other engines --------------------------------------------------------------------------------------------------


def test_the_26_nasty_funnels_through_the_command(shared: Path, userops: Userops) -> None:
    cases = json.loads((shared / "expected/events/chdb_nasty_funnels.json").read_text())["cases"]
    assert len(cases) == 26
    columns = {"any_valid_chain_distinct_rows": [], "any_valid_chain_strictly_increasing": ["--strictly-after"],
               "first_entry_only_mixpanel_uniques": ["--entry", "first"], "posthog_strict": ["--order", "strict"],
               "any_order_count": ["--order", "any"]}  # fmt: skip
    for case in cases:
        named = {event for _, event in case["events"]}
        lines = [f"u,{event},{(ZERO + timedelta(seconds=at)).isoformat()}" for at, event in case["events"]]
        lines += [f"o{n},{step},2024-02-01" for n, step in enumerate(case["steps"]) if step not in named]
        Path("log.csv").write_text("\n".join(["user_id,event,time", *lines, "z,end,2024-05-01"]) + "\n")
        within = f"{case['window']}s" if case["window"] else "same-day"
        for column, options in columns.items():
            answer = case["other_semantics"][column]
            if column == "any_order_count" and len(set(case["steps"])) < len(case["steps"]):
                continue  # it counts names, not rows
            if (case["id"], column) == ("N06_repeat_mid", "posthog_strict"):
                answer = 2  # there the same event again is not between, here every other row is
            ran = userops("funnel", "log.csv", "--steps", ",".join(case["steps"]), "--within", within, *options,
                          "--per-user", "--json", "-q")  # fmt: skip
            assert ran.code == 0, ran.err
            level = {row["user_id"]: row["level"] for row in json.loads(ran.out)["rows"]}["u"]
            assert level == answer, (case["id"], column)
        assert case["windowFunnel"]["strict_once"] == case["other_semantics"]["any_valid_chain_distinct_rows"]


WINDOWS = {"30m": "30m", "1d": "1d", "7d": "7d", "24h": "24h"}


def ecom(shared: Path) -> frames.Events:
    frame = pl.read_csv(shared / "data/events/rete_ecom.csv", try_parse_dates=True).rename({"timestamp": "time"})
    return frames.events(frame)


def test_clickhouse_on_a_real_sized_log(shared: Path) -> None:
    """strict_once everywhere; the default too where no step repeats, and strict_increase but for what it misses."""
    cases = json.loads((shared / "expected/events/chdb_funnels.json").read_text())
    log, looked = ecom(shared), 0
    for case in cases:
        repeats = len(set(case["steps"])) < len(case["steps"])
        if case["dataset"] != "rete_ecom":
            continue
        within = case["window"] if case["window"] in WINDOWS else "none"
        if case["mode"] == "strict_once" or (case["mode"] == "default" and not repeats):
            result = funnel.analyse(log, steps=tuple(case["steps"]), within=within)
            assert counts(result) == case["users_reaching"], case
            looked += 1
        elif case["mode"] == "strict_increase" and not repeats:  # loses entries that a tie hides (issue 93789)
            result = funnel.analyse(log, steps=tuple(case["steps"]), within=within, strictly_after=True)
            missed = [a - b for a, b in zip(counts(result), case["users_reaching"], strict=True)]
            assert 0 <= min(missed) <= max(missed) <= 1, case
            looked += 1
    assert looked >= 20


def rete(shared: Path, name: str) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = json.loads((shared / f"expected/events/rete_ecom_{name}.json").read_text())["steps"]
    return steps


@pytest.mark.parametrize(
    ("name", "options", "paths"),
    [
        ("funnel_user", {}, 600),
        ("funnel_full_user", {}, 600),
        ("funnel_full_session", {"count": "sessions"}, 3605),
        ("funnel_repeated_step", {"count": "sessions"}, 3605),
    ],
)
def test_retentioneering_point_by_point(shared: Path, name: str, options: dict[str, Any], paths: int) -> None:
    """Its shares are of all paths, ours of those who entered; its steps are strictly later rows, ours later or tied."""
    steps = rete(shared, name)
    result = funnel.analyse(ecom(shared), steps=tuple(s["step"] for s in steps), within="none", **options)
    assert counts(result) == [s["unique_paths"] for s in steps]
    for ours, theirs in zip(result.rows.iter_rows(named=True), steps, strict=True):
        assert ours["users"] / paths == pytest.approx(theirs["conversion_rate"])
        if ours["step"] > 1:
            assert ours["from_previous"] == pytest.approx(theirs["step_conversion_rate"])


def test_retentioneering_two_platforms(shared: Path) -> None:
    steps = rete(shared, "funnel_diff_platform")
    frame = pl.read_csv(shared / "data/events/rete_ecom.csv", try_parse_dates=True).rename({"timestamp": "time"})
    for side, platform in (("funnel1", "mobile"), ("funnel2", "desktop")):
        log = frames.events(frame.filter(pl.col("platform") == platform))
        result = funnel.analyse(log, steps=tuple(s["step"] for s in steps), within="none", count="sessions")
        assert counts(result) == [s[f"{side}_unique_paths"] for s in steps]


def test_clickhouse_extras(shared: Path) -> None:
    """Sessions, the best session of each user, time to convert, any order."""
    log = ecom(shared)
    steps = ("product_view", "add_to_cart", "cart", "shipping_details", "payment_details", "purchase")
    every = json.loads((shared / "expected/events/chdb_ecom_extras.json").read_text())

    def rows_of(*said: str) -> list[Any]:
        return next(e["rows"] for e in every if all(word in e["kind"] for word in said))

    def reached(rows: list[list[int]]) -> list[int]:
        return [sum(n for level, n in rows if level >= step) for step in range(1, 7)]

    totals, uniques = rows_of("hold session_id", "totals"), rows_of("hold session_id", "uniques")
    assert counts(funnel.analyse(log, steps=steps, within="1d", count="session_id")) == reached(totals)
    assert counts(funnel.analyse(log, steps=steps, within="1d", hold="session_id")) == reached(uniques)
    took = rows_of("time to convert")[0]
    first = funnel.analyse(log, steps=("catalog", "add_to_cart", "purchase"), within="none", entry="first")
    assert first.summary["converted"] == took[0]
    three = rows_of("any order")[0][0]
    steps = ("cart", "support_chat", "product_view")
    assert counts(funnel.analyse(log, steps=steps, within="none", order="any", count="sessions"))[-1] == three


def test_time_to_convert_from_the_first_entry(shared: Path) -> None:
    """The earliest completion of users with one catalogue page before it: theirs is the time from that page."""
    frame = pl.read_csv(shared / "data/events/rete_ecom.csv", try_parse_dates=True).rename({"timestamp": "time"})
    pages, bought = frame.filter(pl.col("event") == "catalog"), frame.filter(pl.col("event") == "purchase")
    first = pages.group_by("user_id").agg(start=pl.col("time").min())
    took = bought.join(first, on="user_id").filter(pl.col("time") >= pl.col("start"))
    took = took.group_by("user_id").agg(s=(pl.col("time") - pl.col("start")).min().dt.total_seconds())["s"].sort()
    result = funnel.analyse(frames.events(frame), steps=("catalog", "purchase"), within="none", entry="first")
    assert counts(result)[-1] == took.len()
    assert counts(result, "median_seconds_from_start")[-1] == took[-(-took.len() // 2) - 1]
    assert counts(result, "p90_seconds_from_start")[-1] == took[-(-9 * took.len() // 10) - 1]


# --- the vendors' cases, through the command ------------------------------------------------------------------------


def ask(userops: Userops, rows: str, *options: object, header: str = "user_id,event,time") -> dict[str, Any]:
    """What ``userops funnel`` answers about a few rows such as ``A 13:00``, all of one user."""
    lines = []
    for row in filter(None, (part.strip() for part in rows.split(","))):
        event, at, *more = row.split()
        stamp = at if "-" in at else f"2024-01-10T{at}"
        lines.append(",".join(["u", event, stamp.replace("_", "T"), *more]))
    end = ",".join(["z", "end", "2024-04-01", *[""] * (header.count(",") - 2)])
    Path("log.csv").write_text("\n".join([header, *lines, end]) + "\n", encoding="utf-8")
    ran = userops("funnel", "log.csv", "--json", *options)
    assert ran.code == 0, ran.err
    answer: dict[str, Any] = json.loads(ran.out)
    jsonschema.validate(answer, schemas.of("funnel"))
    return answer


def users(answer: dict[str, Any]) -> list[int]:
    return [row["users"] for row in answer["rows"]]


def words(answer: dict[str, Any]) -> str:
    return " ".join(answer["meta"]["definitions"])


def test_f01_first_entry_or_any(userops: Userops) -> None:
    log, steps = "A 13:00, A 13:30, B 13:45, C 14:15", ["--steps", "A,B,C", "--within", "1h"]
    assert users(ask(userops, log, *steps, "--compat", "mixpanel")) == [1, 1, 0]
    assert users(ask(userops, log, *steps, "--compat", "mixpanel", "--entry", "any")) == [1, 1, 1]
    for product in ("clickhouse", "posthog", "sensors", "ga4"):
        assert users(ask(userops, log, *steps, "--compat", product)) == [1, 1, 1]


def test_f02_exclusion(userops: Userops) -> None:
    log, options = "A 10:00:00, X 10:00:01, B 10:00:02", ["--steps", "A,B", "--exclude", "X"]
    assert users(ask(userops, log, *options, "--compat", "mixpanel")) == [1, 0]
    posthog = ask(userops, log, *options, "--compat", "posthog")
    assert users(posthog) == [1, 0]
    assert "drops the user from every step; that cannot be had" in words(posthog)


def test_f03_totals_cannot_be_had(userops: Userops) -> None:
    answer = ask(userops, "A 10:00, A 10:01, A 10:02, B 10:03", "--steps", "A,B", "--compat", "mixpanel")
    assert "totals" in words(answer)
    assert "cannot be had" in words(answer)


def test_f04_hold(userops: Userops) -> None:
    log, header = "view 10:00:00 1, view 10:00:01 2, buy 10:00:02 2", "user_id,event,time,item"
    options = ["--steps", "view,buy"]
    assert users(ask(userops, log, *options, "--hold", "item", "--compat", "mixpanel", header=header)) == [1, 0]
    assert users(ask(userops, log, *options, "--hold", "item", header=header)) == [1, 1]
    assert users(ask(userops, log, *options, "--count", "item", header=header)) == [2, 1]


def test_f05_breakdown(userops: Userops) -> None:
    log = "view 10:00:00 ads, view 10:00:05 seo, buy 10:00:06 "
    answer = ask(userops, log, "--steps", "view,buy", "--by", "channel", header="user_id,event,time,channel")
    assert [(r["channel"], r["users"]) for r in answer["rows"]] == [("ads", 1), ("ads", 1), ("seo", 1), ("seo", 1)]


def test_f06_almost_the_same_instant(userops: Userops) -> None:
    log, steps = "B 10:00:00.000, A 10:00:00.400", ["--steps", "A,B"]
    assert users(ask(userops, log, *steps)) == [1, 0]
    assert users(ask(userops, log, *steps, "--compat", "clickhouse")) == [1, 0]
    assert users(ask(userops, log, *steps, "--compat", "amplitude")) == [1, 1]
    assert users(ask(userops, log, *steps, "--compat", "amplitude", "--resolution", "exact")) == [1, 0]
    assert "two seconds apart in either order; that cannot be had" in words(
        ask(userops, log, *steps, "--compat", "mixpanel")
    )
    later = "B 10:00:00.000, A 10:00:01.500"
    assert users(ask(userops, later, *steps)) == users(ask(userops, later, *steps, "--compat", "amplitude")) == [1, 0]


def test_f07_the_same_event_twice_in_a_second(userops: Userops) -> None:
    log, steps = "A 10:00:00.100, A 10:00:00.700, B 10:00:05", ["--steps", "A,A,B"]
    assert users(ask(userops, log, *steps, "--compat", "amplitude")) == [1, 0, 0]
    assert users(ask(userops, log, *steps, "--compat", "clickhouse")) == [1, 1, 1]
    assert users(ask(userops, log, *steps, "--compat", "posthog")) == [1, 1, 1]


def test_f08_trend(userops: Userops) -> None:
    log = "a 2024-01-01_10:00, a 2024-01-05_10:00, a 2024-01-20_10:00, b 2024-01-02_10:00, b 2024-01-06_10:00"
    answer = ask(userops, log, "--steps", "a,b", "--trend", "day")
    assert users(answer) == [1, 1]
    days = {row["period_start"]: row["converted"] for row in answer["tables"]["trend"] if row["users"]}
    assert days == {"2024-01-01": 1, "2024-01-05": 1, "2024-01-20": 0}


def test_f09_the_range_is_of_step_one(userops: Userops) -> None:
    log = "A 2024-01-31_23:00, B 2024-02-01_01:00"
    options = ["--steps", "A,B", "--within", "1d", "--since", "2024-01-01", "--until", "2024-01-31"]
    assert users(ask(userops, log, *options)) == [1, 1]


def test_f10_identities(userops: Userops) -> None:
    Path("who.csv").write_text("anonymous_id,user_id\na1,u1\n")
    Path("log.csv").write_text(
        "user_id,event,time\na1,view,2024-01-01T10:00:00\nu1,buy,2024-01-01T10:00:02\nz,end,2024-06-01\n"
    )
    merged = userops("funnel", "log.csv", "--steps", "view,buy", "--identities", "who.csv", "--json")
    assert users(json.loads(merged.out)) == [1, 1]
    assert users(json.loads(userops("funnel", "log.csv", "--steps", "view,buy", "--json").out)) == [1, 0]


def test_f11_an_event_sent_twice(userops: Userops) -> None:
    answer = ask(userops, "A 10:00 i1, B 10:01 i2, B 10:01 i2", "--steps", "A,B", header="user_id,event,time,event_id")
    assert answer["summary"]["events"] == 3, "A, B and the row long after"
    assert users(answer) == [1, 1]


def test_f12_no_window(userops: Userops) -> None:
    for within in ("0d", "0s", "-1d"):
        ran = userops("funnel", "log.csv", "--steps", "A,B", f"--within={within}")
        assert ran.code == 2
        assert "--within" in ran.err


def test_f13_time_from_the_nearest_entry(userops: Userops) -> None:
    log, options = "A 10:00, A 10:50, B 11:10", ["--steps", "A,B", "--within", "1h"]
    assert ask(userops, log, *options, "--compat", "sensors")["summary"]["median_seconds"] == 1200
    assert ask(userops, log, *options, "--entry", "first")["summary"]["converted"] == 0


def test_f14_a_day_or_the_same_day(userops: Userops) -> None:
    log = "A 2024-01-10_23:00, B 2024-01-11_01:00"
    assert users(ask(userops, log, "--steps", "A,B", "--within", "1d")) == [1, 1]
    assert users(ask(userops, log, "--steps", "A,B", "--within", "same-day")) == [1, 0]


def test_f15_strict(userops: Userops) -> None:
    log, steps = "login 10:00, visit 10:01, login2 10:02, order 10:03, pay 10:04", ["--steps", "login,visit,order,pay"]
    assert sum(users(ask(userops, log, *steps, "--order", "strict"))) == 2
    assert sum(users(ask(userops, log, *steps))) == 4


# --- steps as they are written --------------------------------------------------------------------------------------


def test_steps_as_written() -> None:
    texts = ["view where platform in (ios,android) and price >= 10, search|browse", "'a,b', buy"]
    written = funnel_steps.parse(texts)
    assert [one.step.events for one in written] == [("view",), ("search", "browse"), ("a,b",), ("buy",)]
    assert [c.values for c in written[0].conditions] == [("ios", "android"), ("10",)]
    assert funnel_steps.columns(written) == ["platform", "price"]
    for wrong in (["a,,b"], ["a|,b"], ["a where b"]):
        with pytest.raises(UsageError):
            funnel_steps.parse(wrong)


def test_conditions_in_a_step(userops: Userops) -> None:
    log, header = "view 10:00 ios 5, view 10:01 web 20, buy 10:02 web 30", "user_id,event,time,platform,price"
    for step, entered, bought in [
        ("view where platform=ios", 1, 120), ("view where price>10", 1, 60), ("view where platform in (web,ios)", 1, 60)
    ]:  # fmt: skip
        answer = ask(userops, log, "--steps", f"{step},buy", header=header)
        assert (users(answer), answer["summary"]["median_seconds"]) == ([entered, 1], bought)
        assert answer["rows"][0]["event"] == step
    ran = userops("funnel", "log.csv", "--steps", "view where platform=tv,buy")
    assert ran.code == 3
    assert "is step 1, 'view where platform=tv'" in ran.err


def test_the_command_line_refuses(userops: Userops) -> None:
    ask(userops, "view 10:00, buy 10:01", "--steps", "view,buy")
    for options, code, says in [
        (["--steps", "view"], 2, "2 to 24 steps"),
        ([], 2, "no steps given"),
        (["--steps", "view,bay"], 3, "did you mean 'buy'"),
        (["--steps", "view,buy", "--compat", "posthug"], 2, "posthog"),
        (["--steps", "view,buy", "--stopped-at", "3"], 2, "--stopped-at"),
        (["--steps", "view,buy", "--explain", "nobody"], 3, "no user 'nobody'"),
    ]:
        ran = userops("funnel", "log.csv", *options)
        assert (ran.code, says in ran.err) == (code, True), ran.err


def test_no_id_is_told_under_a_pseudonym(userops: Userops, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(userops, "view 10:00, buy 10:01", "--steps", "view,buy")
    monkeypatch.setenv("USEROPS_PSEUDONYM_KEY", "k" * 32)
    listed = userops("funnel", "log.csv", "--steps", "view,buy", "--per-user", "--json", "--pseudonymise")
    assert all(len(row["user_id"]) > 20 for row in json.loads(listed.out)["rows"])
    assert userops("funnel", "log.csv", "--steps", "view,buy", "--explain", "u", "--pseudonymise").code == 2


def test_steps_of_the_configuration(userops: Userops) -> None:
    ask(userops, "view 10:00, buy 10:01", "--steps", "view,buy")
    Path("userops.toml").write_text('[funnel]\nsteps = ["view", "buy"]\nwithin = "30s"\n')
    answer = json.loads(userops("funnel", "log.csv", "--json").out)
    assert users(answer) == [1, 0]
    assert answer["meta"]["settings"]["steps"] == ["view", "buy"]


def test_who_stopped_feeds_only_users(userops: Userops) -> None:
    rows = ["user_id,event,time", "007,view,2024-01-01", "007,cart,2024-01-02", "8,view,2024-01-01", "9,view,2024-01-01",
            "9,cart,2024-01-01", "9,buy,2024-01-01", "z,end,2024-05-01"]  # fmt: skip
    Path("log.csv").write_text("\n".join(rows) + "\n")
    made = userops("funnel", "log.csv", "--steps", "view,cart,buy", "--stopped-at", "2", "-o", "almost.csv")
    assert made.code == 0, made.err
    again = json.loads(userops("funnel", "log.csv", "--steps", "view,cart", "--only-users", "almost.csv", "--json").out)
    assert users(again) == [1, 1]
    listed = json.loads(userops("funnel", "log.csv", "--steps", "view,cart,buy", "--per-user", "--json").out)
    jsonschema.validate(listed, schemas.of("funnel"))
    assert [(row["user_id"], row["level"]) for row in listed["rows"]] == [("007", 2), ("8", 1), ("9", 3)]


def test_attributes_of_the_users_table(userops: Userops) -> None:
    Path("log.csv").write_text(
        "user_id,event,time\n1,view,2024-01-01\n2,view,2024-01-01\n2,buy,2024-01-01\nz,end,2024-05-01\n"
    )
    Path("users.csv").write_text("user_id,plan\n1,free\n2,pro\n")
    ran = userops("funnel", "log.csv", "--steps", "view,buy", "--users-table", "users.csv", "--by", "plan", "--json")
    assert [(r["plan"], r["users"]) for r in json.loads(ran.out)["rows"]] == [
        ("free", 1),
        ("free", 0),
        ("pro", 1),
        ("pro", 1),
    ]


@pytest.mark.parametrize("format", ["table", "markdown", "html", "csv"])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_page_is_drawn(userops: Userops, format: str, lang: str) -> None:
    log, header = "view 10:00 ios, view 2024-01-12_10:01 web, buy 2024-01-12_10:02 web", "user_id,event,time,platform"
    ask(userops, log, "--steps", "view,buy", header=header)
    for options in (["--trend", "day", "--by", "platform"], ["--per-user"], ["--explain", "u"], ["--order", "any"],
                    ["--explain", "u", "--order", "any", "--within", "30s"],
                    ["--compat", "amplitude", "--strictly-after", "--count", "sessions", "--hold", "platform"]):  # fmt: skip
        ran = userops("funnel", "log.csv", "--steps", "view,buy", *options, "--format", format, "--lang", lang)
        assert ran.code == 0, ran.err
        assert "view" in ran.out or options == ["--per-user"] or "any" in options
