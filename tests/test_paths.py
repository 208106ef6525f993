"""Paths: by hand, against a walk in Python and other tools' counts, and under everything that must not matter."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from userops import frames, paths
from userops import tables as tables_
from userops.errors import InputError, UsageError, UseropsError
from userops.pages.paths import mermaid
from userops.results import Result

START, EXIT = paths.START, paths.EXIT
T0 = datetime(2026, 3, 1, 9, 0)

Act = tuple[str, str, float]
"""A user, an event, and seconds after T0."""


def log(*acts: Act, **columns: list[Any]) -> pl.DataFrame:
    rows = [(user, event, T0 + timedelta(seconds=after)) for user, event, after in acts]
    schema = {"user_id": pl.String, "event": pl.String, "time": pl.Datetime("us")}
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(**{k: pl.Series(v) for k, v in columns.items()})


def moves(result: Result) -> dict[tuple[str, str], tuple[int, int, float, float | None]]:
    rows = result.rows.select("source", "target", "transitions", "users", "share", "median_seconds").rows()
    return {(source, target): (n, users, share, middle) for source, target, n, users, share, middle in rows}


def tables(result: Result) -> dict[str, pl.DataFrame]:
    return {"rows": result.rows, **result.extras}


SMALL = log(
    ("ann", "home", 0), ("ann", "search", 10), ("ann", "view", 40),        # a session,
    ("ann", "home", 4000),                                                 # a bounce an hour later
    ("bob", "home", 0), ("bob", "search", 20), ("bob", "search", 21), ("bob", "buy", 1821),  # 30 minutes are no break
)  # fmt: skip


# --- by hand --------------------------------------------------------------------------------------------------------


def test_transitions_by_hand() -> None:
    assert moves(paths.analyse(SMALL)) == {
        (START, "home"): (3, 2, 1.0, None),
        ("home", "search"): (2, 2, 2 / 3, 15.0),
        ("home", EXIT): (1, 1, 1 / 3, None),
        ("search", "search"): (1, 1, 1 / 3, 1.0),
        ("search", "view"): (1, 1, 1 / 3, 30.0),
        ("search", "buy"): (1, 1, 1 / 3, 1800.0),
        ("view", EXIT): (1, 1, 1.0, None),
        ("buy", EXIT): (1, 1, 1.0, None),
    }


def test_the_most_frequent_transitions_come_first() -> None:
    rows = paths.analyse(SMALL).rows
    assert rows["transitions"].is_sorted(descending=True)
    assert rows.row(0)[:2] == (START, "home")


def test_the_summary_by_hand() -> None:
    assert paths.analyse(SMALL).summary == {
        "users": 2, "events": 8, "sessions": 3, "bounce_rate": 1 / 3, "sessions_per_user": 1.5,
        "mean_events_per_session": 8 / 3, "median_events_per_session": 3.0,
        "mean_session_seconds": (40 + 0 + 1821) / 3, "median_session_seconds": 40.0,
    }  # fmt: skip


def test_events_by_hand() -> None:
    events = {row["event"]: row for row in paths.analyse(SMALL).extras["events"].iter_rows(named=True)}
    assert events["search"] == {
        "event": "search", "events": 3, "users": 2, "entries": 0, "exits": 0, "exit_rate": 0.0,
        "mean_dwell_seconds": (30 + 1 + 1800) / 3, "dwell_seconds_per_user": 1831 / 2,
    }  # fmt: skip
    assert events["home"]["entries"] == 3
    assert events["home"]["exit_rate"] == 1 / 3
    assert events["view"]["mean_dwell_seconds"] is None


def test_sessions_by_hand() -> None:
    rows = paths.analyse(SMALL, show="sessions").rows
    assert rows.rows() == [
        ("ann", 1, T0, 3, 40.0),
        ("ann", 2, T0 + timedelta(seconds=4000), 1, 0.0),
        ("bob", 1, T0, 4, 1821.0),
    ]
    assert rows.columns == ["user_id", "session", "started_at", "events", "seconds"]


def test_the_step_matrix_by_hand() -> None:
    rows = paths.analyse(SMALL, show="step_matrix").rows
    cells = {(step, event): share for step, event, share in rows.select("step", "event", "share").iter_rows()}
    assert {key: share for key, share in cells.items() if share} == {
        (1, "home"): 1.0, (2, "search"): 2 / 3, (2, EXIT): 1 / 3, (3, "search"): 1 / 3, (3, "view"): 1 / 3,
        (3, EXIT): 1 / 3, (4, "buy"): 1 / 3, (4, EXIT): 2 / 3, (5, EXIT): 1.0,
    }  # fmt: skip
    assert len(cells) == 5 * 5  # every event at every step until all have left


def test_top_paths_are_beginnings() -> None:
    top = paths.analyse(SMALL, max_steps=2).extras["top_paths"]
    assert top.rows() == [("home > search", 2, 2, 2 / 3), ("home", 1, 1, 1 / 3)]


def test_a_longer_pause_begins_a_session() -> None:
    rows = log(("a", "x", 0), ("a", "y", 60), ("a", "z", 120.000001))
    assert paths.analyse(rows, session_gap=timedelta(minutes=1)).summary["sessions"] == 2
    assert paths.analyse(rows, session_gap=timedelta(seconds=59)).summary["sessions"] == 3
    assert paths.analyse(rows, session_gap=None).summary["sessions"] == 1


def test_rows_of_one_instant_go_in_order_of_their_names() -> None:
    rows = log(("a", "zoo", 0), ("a", "ant", 0), ("a", "Zoo", 0), ("a", "bee", 0))
    way = [START, "Zoo", "ant", "bee", "zoo", EXIT]
    assert set(moves(paths.analyse(rows))) == set(pairwise(way))


def test_session_ids_of_the_file() -> None:
    acts = [
        ("a", "x", 0.0),
        ("a", "y", 1.0),
        ("a", "x", 2.0),
        ("a", "y", 9000.0),
        ("b", "x", 5.0),
        ("a", "z", 3.0),
        ("a", "z", 4000.0),
    ]
    rows = log(*acts, session_id=["one", "two", "two", "one", "one", None, None])
    result = paths.analyse(rows, session_gap="session_id", show="sessions")
    seconds = [(user, id_, events, took) for user, _, id_, _, events, took in result.rows.iter_rows()]
    # the ids tell, however long the pause; one id of two users is two sessions; without an id the half hour tells
    assert seconds == [
        ("a", "one", 2, 9000.0),
        ("a", "two", 2, 1.0),
        ("a", None, 1, 0.0),
        ("a", None, 1, 0.0),
        ("b", "one", 1, 0.0),
    ]
    assert result.summary["users"] == 2
    assert moves(paths.analyse(rows, session_gap="session_id"))[("x", "y")][0] == 1
    assert paths.analyse(rows).summary["sessions"] == 4  # unless asked, a pause tells


def test_from_an_event_and_to_an_event() -> None:
    rows = log(*[("a", event, place) for place, event in enumerate("abcabdc")], ("b", "a", 0), ("c", "d", 0))
    way = moves(paths.analyse(rows, start_at="b"))
    assert way[START, "b"] == (1, 1, 1.0, None)
    assert way["c", EXIT] == (1, 1, 0.5, None)
    assert (START, "a") not in way
    assert set(moves(paths.analyse(rows, end_at="c"))) == set(pairwise([START, "a", "b", "c", EXIT]))
    assert set(moves(paths.analyse(rows, start_at="c", end_at="c"))) == set(pairwise([START, *"cabdc", EXIT]))
    assert paths.analyse(rows, start_at="b", end_at="d").summary["events"] == 5
    with pytest.raises(InputError, match="no session of the frame is left"):
        paths.analyse(rows, start_at="d", end_at="a")


def test_only_the_first_steps_and_going_on_is_no_exit() -> None:
    way = moves(paths.analyse(SMALL, max_steps=2))
    assert set(way) == {(START, "home"), ("home", "search"), ("home", EXIT)}
    assert way["home", EXIT] == (1, 1, 1 / 3, None)
    assert set(paths.analyse(SMALL, max_steps=2, show="step_matrix").rows["step"]) == {1, 2}


def test_the_window_reports_whole_sessions_that_begin_in_it() -> None:
    late = (15 * 60 - 1) * 60.0  # a minute before midnight
    rows = log(("a", "x", late), ("a", "y", late + 120), ("a", "x", late + 90_000))
    assert paths.analyse(rows, until=date(2026, 3, 1)).summary["events"] == 2
    assert moves(paths.analyse(rows, since=date(2026, 3, 2))) == {
        (START, "x"): (1, 1, 1.0, None),
        ("x", EXIT): (1, 1, 1.0, None),
    }


def test_by_a_column_takes_the_value_at_the_first_row() -> None:
    rows = log(("a", "x", 1), ("a", "y", 2), ("b", "x", 1), ("c", "x", 1), city=["Ulm", "Bonn", "Bonn", None])
    result = paths.analyse(rows, by="city")
    assert result.rows.columns[0] == "city"
    assert result.rows.filter(target="x")["city"].to_list() == ["Bonn", "Ulm", None]
    assert result.extras["segments"].select("city", "users", "bounce_rate").rows() == [
        ("Bonn", 1, 1.0), ("Ulm", 1, 0.0), (None, 1, 1.0)
    ]  # fmt: skip
    known = pl.DataFrame({"user_id": ["a", "b"], "signed_up_at": [None, None], "city": ["Rome", "Rome"]}).cast(
        {"signed_up_at": pl.Datetime("us")}
    )
    by_users = paths.analyse(rows, by="city", users=known)
    assert by_users.extras["segments"].select("city", "users").rows() == [("Rome", 2), (None, 1)]


def test_two_segments_side_by_side() -> None:
    def acts(user: str, *events: str) -> list[Act]:
        return [(user, event, place) for place, event in enumerate(events)]

    rows = log(*acts("a", "x", "y"), *acts("b", "x", "y"), *acts("c", "x", "z"), *acts("d", "x", "y"), *acts("e", "w"))
    kinds = rows.with_columns(kind=pl.col("user_id").replace_strict(dict(zip("abcde", "1122 ", strict=True))))
    table = paths.analyse(kinds, by="kind").extras["compared"]
    found = {(source, target): rest for source, target, *rest in table.iter_rows()}
    assert found["x", "y"][:5] == ["1", 1.0, "2", 0.5, -0.5]
    assert found["x", "y"][5] == pytest.approx(-0.5 / (0.75 * 0.25 * (1 / 2 + 1 / 2)) ** 0.5)
    assert found["z", EXIT][:5] == ["1", None, "2", 1.0, None]
    assert ("w", EXIT) not in found  # the third value has fewer users
    assert "compared" not in paths.analyse(rows.with_columns(kind=pl.lit("1")), by="kind").extras


# --- against a walk in Python ---------------------------------------------------------------------------------------


def walked(frame: pl.DataFrame, gap: float | None, **cut: Any) -> list[tuple[str, list[tuple[str, float]]]]:
    """Every path: its user, and events with their seconds."""
    of_user: dict[str, list[tuple[float, str]]] = {}
    for user, event, time in frame.select("user_id", "event", "time").iter_rows():
        of_user.setdefault(user, []).append(((time - T0).total_seconds(), event))
    found = []
    for user, acts in of_user.items():
        sessions: list[list[tuple[str, float]]] = []
        for at, event in sorted(acts):
            if not sessions or (gap is not None and at - sessions[-1][-1][1] > gap):
                sessions.append([])
            sessions[-1].append((event, at))
        for session in sessions:
            names, start = [event for event, _ in session], 0
            if (event := cut.get("start_at")) is not None:
                if event not in names:
                    continue
                start = names.index(event)
            end = len(names)
            if (event := cut.get("end_at")) is not None:
                after = start + ("start_at" in cut)
                if event not in names[after:]:
                    continue
                end = names.index(event, after) + 1
            found.append((user, session[start:end]))
    return found


def counted(walks: list[tuple[str, list[tuple[str, float]]]], most: int = 10**9) -> dict[tuple[str, str], Any]:
    n: dict[tuple[str, str], list[tuple[str, float | None]]] = {}
    for user, walk in walks:
        way = [(START, None), *walk, (EXIT, None)]
        for (a, t), (b, u) in list(pairwise(way))[: most + (len(walk) <= most)]:
            n.setdefault((a, b), []).append((user, None if t is None or u is None else u - t))
    leaving: dict[str, int] = {}
    for (a, _), made in n.items():
        leaving[a] = leaving.get(a, 0) + len(made)
    return {
        (a, b): (
            len(made), len({user for user, _ in made}), len(made) / leaving[a],
            None if made[0][1] is None else pytest.approx(median(wait for _, wait in made if wait is not None)),
        )
        for (a, b), made in n.items()
    }  # fmt: skip


ACTS = st.lists(
    st.tuples(st.sampled_from("pqrs"), st.sampled_from("abcd"), st.integers(0, 12)), min_size=1, max_size=40
)


@given(acts=ACTS, gap=st.sampled_from([None, 1, 3]), most=st.sampled_from([None, 1, 2, 4]))
@settings(max_examples=60, deadline=None)
def test_random_logs_against_a_walk(acts: list[Act], gap: int | None, most: int | None) -> None:
    frame = log(*acts)
    between = None if gap is None else timedelta(seconds=gap)
    result = paths.analyse(frame, session_gap=between, max_steps=most)
    walks = walked(frame, gap)
    assert moves(result) == counted(walks, most or 10**9)
    lengths, lasted = [len(walk) for _, walk in walks], [walk[-1][1] - walk[0][1] for _, walk in walks]
    assert result.summary["median_events_per_session"] == median(lengths)
    assert result.summary["median_session_seconds"] == median(lasted)
    assert result.summary["bounce_rate"] == lengths.count(1) / len(walks)
    matrix = {(k, e): n for k, e, n in result.extras["step_matrix"].select("step", "event", "sessions").iter_rows()}
    for (step, event), n in matrix.items():
        there = sum(len(walk) >= step and walk[step - 1][0] == event for _, walk in walks)
        assert n == (sum(length < step for length in lengths) if event == EXIT else there)
    steps = most or 3
    starts = [" > ".join(event for event, _ in walk[: min(steps, 5)]) for _, walk in walks]
    assert dict(result.extras["top_paths"].select("path", "sessions").iter_rows()) == {
        path: starts.count(path) for path in starts
    }


@given(acts=ACTS, start=st.sampled_from([None, "a", "b"]), end=st.sampled_from([None, "a", "c"]))
@settings(max_examples=60, deadline=None)
def test_random_cuts_against_a_walk(acts: list[Act], start: str | None, end: str | None) -> None:
    frame = log(*acts, ("known", "a", 99), ("known", "b", 99), ("known", "c", 99), ("known", "a", 100))
    cut = {name: event for name, event in (("start_at", start), ("end_at", end)) if event is not None}
    assert moves(paths.analyse(frame, session_gap=timedelta(seconds=2), **cut)) == counted(walked(frame, 2, **cut))


def test_a_value_of_by_is_as_if_alone() -> None:
    rows = _random(2_000)
    result = paths.analyse(rows, by="city")
    for city in ("Bonn", "Ulm"):
        alone = paths.analyse(rows.filter(pl.col("city") == city))
        assert result.rows.filter(city=city).drop("city").equals(alone.rows)
        for name in ("events", "top_paths"):
            table = alone.extras[name]
            assert set(result.extras[name].filter(city=city).drop("city").rows()) >= set(table.rows())
        segment = result.extras["segments"].row(by_predicate=pl.col("city") == city, named=True)
        assert {**alone.summary, "city": city} == segment


# --- against other tools --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shop_log(shared: Path) -> pl.DataFrame:
    """A real shape of log; its equal times of one session are told apart by the order of the file, as those tools do."""
    rows = pl.read_csv(shared / "data/events/rete_ecom.csv", try_parse_dates=True).rename({"timestamp": "time"})
    place = pl.int_range(pl.len()).over("session_id")
    return rows.with_columns(pl.col("time").cast(pl.Datetime("us")) + pl.duration(microseconds=place))


def _matrix(path: Path) -> dict[tuple[str, str], str | None]:
    names = {"path_start": START, "path_end": EXIT}
    table = pl.read_csv(path, infer_schema=False).unpivot(index="event", variable_name="to")
    return {
        (names.get(a, a), names.get(b, b)): value for a, b, value in table.select("event", "to", "value").iter_rows()
    }


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+) days(?: (\d+):(\d+):(\d+(?:\.\d+)?))?", text)
    assert found, text
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return days * 86_400 + hours * 3600 + minutes * 60 + seconds


@pytest.mark.parametrize(
    ("unit", "gap"), [("user", None), ("session", "session_id"), ("session", timedelta(minutes=30))]
)
def test_transitions_are_those_of_retentioneering(
    shop_log: pl.DataFrame, shared: Path, unit: str, gap: timedelta | str | None
) -> None:
    """All its matrices: it counts paths (``unique_paths``) where we count users, which is the same for paths of users.

    Its times to (exit) and from (start) are 0 where ours are null: nothing was waited for.
    """
    ours = moves(paths.analyse(shop_log, session_gap=gap))  # type: ignore[arg-type] # one of three
    where = shared / "expected/events"
    count, share, wait, unique = (
        _matrix(where / f"rete_ecom_transition_{unit}_{name}.csv")
        for name in ("count", "proba_out", "time_median", "unique_paths")
    )
    assert {move: n for move, (n, *_) in ours.items()} == {move: int(n) for move, n in count.items() if n != "0"}
    for move, (_, users, part, middle) in ours.items():
        assert part == pytest.approx(float(share[move] or 0), rel=1e-12)
        if unit == "user":
            assert users == int(unique[move] or 0)
        if middle is not None:
            assert middle == pytest.approx(_seconds(wait[move] or ""), abs=0.001)


def test_without_the_order_of_the_file_names_decide(shop_log: pl.DataFrame) -> None:
    """Ties of whole seconds: the only difference to the other tool's counts, at most as many moves as there are ties."""
    rows = shop_log.with_columns(pl.col("time").dt.truncate("1s"))
    ties = rows.height - rows.select("user_id", "time").n_unique()
    ours, theirs = moves(paths.analyse(rows)), moves(paths.analyse(shop_log))
    off = sum(abs(ours.get(move, (0,))[0] - theirs.get(move, (0,))[0]) for move in {*ours, *theirs})
    assert 0 < off <= 6 * ties


def test_the_step_matrix_is_that_of_retentioneering(shop_log: pl.DataFrame, shared: Path) -> None:
    """Its step 0 is the start, which says nothing; ``path_end`` gathers those who left, as our (exit) does."""
    rows = paths.analyse(shop_log, show="step_matrix", session_gap="session_id").rows
    ours = {(event, str(step)): share for step, event, share in rows.select("step", "event", "share").iter_rows()}
    theirs = _matrix(shared / "expected/events/rete_ecom_stepmatrix_session.csv")
    wanted = {
        (event, step): float(share or 0) for (event, step), share in theirs.items() if event != START and step != "0"
    }
    assert {key: share for key, share in wanted.items() if share} == pytest.approx(
        {key: share for key, share in ours.items() if share}, rel=1e-12
    )


def test_top_paths_are_those_of_clickhouse(shop_log: pl.DataFrame, shared: Path) -> None:
    extras = json.loads((shared / "expected/events/chdb_ecom_extras.json").read_text())
    (theirs,) = (extra["rows"] for extra in extras if extra["kind"].startswith("top 3-step"))
    top = paths.analyse(shop_log, max_steps=3).extras["top_paths"]
    ours = dict(top.select(pl.col("path").str.replace_all(" > ", ">"), "sessions").iter_rows())
    assert {path: ours[path] for path, _ in theirs} == dict(theirs)
    assert top["sessions"][: len(theirs)].to_list() == [n for _, n in theirs]


# --- what must not matter -------------------------------------------------------------------------------------------


def _random(rows: int) -> pl.DataFrame:
    i = pl.int_range(rows, dtype=pl.UInt64)
    return pl.select(
        user_id=pl.format("u{}", i.hash(1) % 150),
        event=pl.format("e{}", i.hash(2) % 9),
        time=T0 + pl.duration(seconds=(i.hash(3) % 50_000)),
        session_id=pl.when(i.hash(4) % 5 > 0).then(pl.format("s{}", i.hash(5) % 6)),
    ).with_columns(city=pl.when(pl.col("user_id") < "u2").then(pl.lit("Bonn")).otherwise(pl.lit("Ulm")))


CASES: list[dict[str, Any]] = [
    {},
    {"session_gap": None, "by": "city"},
    {"session_gap": "session_id", "show": "sessions"},
    {"session_gap": "session_id", "max_steps": 4, "show": "step_matrix"},
    {"start_at": "e1", "end_at": "e2"},
    {"show": "sessions", "since": T0.date()},
]


@pytest.mark.parametrize("case", CASES)
def test_neither_order_nor_partitions_matter(case: dict[str, Any]) -> None:
    rows = _random(5_000)
    whole = paths.analyse(rows, **case)
    shuffled = rows.sample(fraction=1, shuffle=True, seed=7)
    for other in (paths.analyse(shuffled, **case), paths.analyse(shuffled, partitions=8, **case)):
        assert other.summary == whole.summary
        assert {name: table.rows() for name, table in tables(other).items()} == {
            name: table.rows() for name, table in tables(whole).items()
        }


def test_every_number_adds_up() -> None:
    result = paths.analyse(_random(5_000))
    rows, events, summary = result.rows, result.extras["events"], result.summary
    assert rows.filter(source=START)["transitions"].sum() == rows.filter(target=EXIT)["transitions"].sum()
    assert rows.filter(source=START)["transitions"].sum() == summary["sessions"]
    assert rows.filter(pl.col("target") != EXIT)["transitions"].sum() == summary["events"] == 5_000
    assert rows.group_by("source").agg(pl.col("share").sum())["share"].to_list() == pytest.approx(
        [1.0] * rows["source"].n_unique()
    )
    assert events["events"].sum() == 5_000
    assert (events["users"] <= summary["users"]).all()
    per_step = result.extras["step_matrix"].group_by("step").agg(pl.col("sessions").sum())["sessions"]
    assert set(per_step) == {summary["sessions"]}


def test_large_logs_take_medians_of_whole_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _random(3_000)
    finer = whole.with_columns(pl.col("time") + pl.duration(milliseconds=pl.int_range(pl.len()) % 1000))
    exact = [paths.analyse(rows).rows for rows in (whole, finer)]
    monkeypatch.setattr(paths, "_precision", lambda rows: paths.SECOND)
    rounded = [paths.analyse(rows) for rows in (whole, finer)]
    assert rounded[0].rows.equals(exact[0])
    off = (rounded[1].rows["median_seconds"] - exact[1]["median_seconds"]).abs()
    assert 0 < off.max() <= 0.5  # type: ignore[operator] # a number
    assert rounded[1].rows.drop("median_seconds").equals(exact[1].drop("median_seconds"))
    assert any("whole seconds" in text.en for text in rounded[0].provenance.definitions)


def test_times_too_far_apart_for_one_number() -> None:
    """Millennia and many names: the rows are then put in order by their columns."""
    names = [("c", f"x{i}", i % 7) for i in range(40)]
    near = log(*[("a", f"e{i}", i) for i in range(5)], *[("b", f"e{i % 3}", i) for i in range(9)], *names)
    far = pl.DataFrame(
        {"user_id": ["d", "e"], "event": ["e0", "e0"], "time": [datetime(1, 1, 1), datetime(9990, 1, 1)]}, near.schema
    )
    both, alone = (moves(paths.analyse(rows, as_of=date(9991, 1, 1))) for rows in (pl.concat([far, near]), near))
    assert both[START, "e0"][0] == alone[START, "e0"][0] + 2
    assert both["e0", EXIT][:2] == (2, 2)
    inside = {
        move: (told[0], told[1], told[3]) for move, told in both.items() if START not in move and EXIT not in move
    }
    assert inside == {
        move: (told[0], told[1], told[3]) for move, told in alone.items() if START not in move and EXIT not in move
    }


def test_sessions_of_rows_for_whoever_needs_them() -> None:
    rows = frames.events(SMALL.with_columns(n=pl.int_range(pl.len()))).rows
    seen = tables_.Log.of(tables_.events_seen(rows).collect())
    found = tables_.sessions(frames.good(rows), seen, keep=["n", "user_id"]).collect()
    assert found.columns == ["user", "at", "event", "n", "user_id", "session"]
    by_user = found.group_by("user_id").agg("n", pl.col("session").rle().struct.field("len")).sort("user_id")
    assert by_user.rows() == [("ann", [0, 1, 2, 3], [3, 1]), ("bob", [4, 5, 6, 7], [4])]
    assert [seen.names[place] for place in found.sort("n")["event"]] == SMALL["event"].to_list()


def test_as_many_events_as_there_are_addresses() -> None:
    way = [f"/page/{place:05}" for place in range(50_000)]
    rows = log(*[(user, page, place) for user in "ab" for place, page in enumerate(way)])
    result = paths.analyse(rows)
    assert result.rows.select("transitions", "users", "share").unique().rows() == [(2, 2, 1.0)]
    assert result.rows["median_seconds"].unique().to_list() == [None, 1.0]
    assert result.extras["events"].filter(event=way[-1]).row(0)[1:5] == (2, 2, 0, 2)


# --- hostile input --------------------------------------------------------------------------------------------------


def test_one_row() -> None:
    result = paths.analyse(log(("a", "x", 0)))
    assert moves(result) == {(START, "x"): (1, 1, 1.0, None), ("x", EXIT): (1, 1, 1.0, None)}
    assert result.summary["bounce_rate"] == 1.0
    assert result.summary["median_session_seconds"] == 0.0


@pytest.mark.parametrize(
    "rows",
    [
        log(),
        log(("a", "x", 0)).with_columns(user_id=pl.lit(None, pl.String)),
        log(("a", "x", 0)).with_columns(event=pl.lit("")),
    ],
    ids=["empty", "nobody", "nothing"],
)
def test_no_usable_rows_is_one_clear_line(rows: pl.DataFrame) -> None:
    with pytest.raises(InputError):
        paths.analyse(rows)


def test_rejected_rows_do_not_count() -> None:
    rows = pl.concat([SMALL, log(("ann", "", 5), ("", "home", 5), ("null", "home", 5))])
    result = paths.analyse(rows)
    assert moves(result) == moves(paths.analyse(SMALL))
    assert sum(result.provenance.inputs[0].rejected.values()) == 3


def test_copies_are_rows_like_others() -> None:
    result = paths.analyse(pl.concat([SMALL, SMALL]))
    assert moves(result)["home", "home"] == (3, 2, 3 / 6, 0.0)
    assert any("exact copies" in text.en for text in result.provenance.warnings)


def test_ids_of_any_kind_and_odd_names() -> None:
    rows = SMALL.with_columns(
        user_id=pl.col("user_id").replace_strict({"ann": 7, "bob": -8}), event=pl.lit('"<b>] #\n;')
    )
    result = paths.analyse(rows)
    assert result.summary["users"] == 2
    drawn = result.mermaid()
    boxes = [line for line in drawn.splitlines() if "[" in line]
    assert any('["#34;#60;b#62;#93; #35;#10;#59;"]' in line for line in boxes)
    assert "<b>" not in drawn


def test_an_event_that_goes_by_a_name_of_ours() -> None:
    with pytest.raises(InputError, match=r"called '\(exit\)'"):
        paths.analyse(log(("a", EXIT, 0)))


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"session_gap": timedelta(0)}, UsageError, "--session-gap"),
        ({"max_steps": 0}, UsageError, "--max-steps"),
        ({"start_at": "serach"}, InputError, "no event 'serach'"),
        ({"by": "users"}, UsageError, "--by"),
        ({"by": "colour"}, InputError, "no column 'colour'"),
        ({"session_gap": "session_id"}, InputError, "no column 'session_id'"),
        ({"since": date(2026, 3, 2), "until": date(2026, 3, 1)}, UsageError, "--since"),
        ({"since": date(2027, 1, 1)}, InputError, "no session"),
        ({"by": "city", "show": "sessions"}, UsageError, "--by and --sessions"),
    ],
)
def test_mistakes_end_in_one_clear_line(changes: dict[str, Any], error: type[UseropsError], words: str) -> None:
    with pytest.raises(error, match=re.escape(words)) as told:
        paths.analyse(SMALL, **changes)
    assert told.value.hint


def test_orders_have_no_paths() -> None:
    orders = frames.orders(pl.DataFrame({"user_id": ["a"], "ordered_at": [T0], "amount": [1.0]}))
    with pytest.raises(UsageError, match="holds orders"):
        paths.analyse(orders)


# --- the command ----------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "events.csv"
    SMALL.with_columns(
        platform=pl.when(pl.col("user_id") == "ann").then(pl.lit("ios")).otherwise(pl.lit("web"))
    ).write_csv(path)
    return path


def test_the_command_says_what_the_function_does(userops: Callable[..., Any], file: Path) -> None:
    found = json.loads(userops("paths", file, "--json", "-q").out)
    result = paths.analyse(SMALL)
    assert found["summary"] == result.summary
    assert found["rows"] == result.rows.to_dicts()
    assert found["meta"]["settings"]["session_gap"] == "30m"
    assert {"events", "top_paths", "step_matrix"} <= set(found["tables"])
    hour = json.loads(userops("paths", file, "--json", "-q", "--session-gap", "2h").out)
    assert hour["summary"]["sessions"] == 2


@pytest.mark.parametrize("more", [[], ["--sessions"], ["--step-matrix"], ["--by", "platform"]])
@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("format", ["table", "markdown", "html", "csv"])
def test_every_view_in_every_format(
    userops: Callable[..., Any], file: Path, more: list[str], lang: str, format: str
) -> None:
    ran = userops("paths", file, *more, "--lang", lang, "--format", format, "-q")
    assert ran.code == 0
    assert "None" not in ran.out
    assert "home" in ran.out or more == ["--sessions"]


def test_the_output_is_what_the_schema_says(userops: Callable[..., Any], file: Path) -> None:
    from userops.cli_support import schemas

    for more in ([], ["--sessions"], ["--step-matrix"], ["--by", "platform"]):
        schemas.ENVELOPES["paths"].model_validate_json(userops("paths", file, *more, "--json", "-q").out)


def test_the_flowchart(userops: Callable[..., Any], file: Path, tmp_path: Path) -> None:
    drawn = userops("paths", file, "--mermaid", "-q").out
    assert drawn == mermaid(paths.analyse(SMALL).rows)
    assert drawn.startswith("flowchart LR\n")
    assert '|"3 · 100%"|' in drawn
    assert userops("paths", file, "--mermaid", "-q", "-o", tmp_path / "graph.md").code == 0
    assert (tmp_path / "graph.md").read_text() == drawn
    assert userops("paths", file, "--mermaid", "--json").code == 2


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--session-gap", "soon"], 2, "--session-gap cannot be 'soon'"),
        (["--session-gap", "0m"], 2, "--session-gap"),
        (["--session-gap", "session_id"], 3, "session_id"),
        (["--start-at", "hime"], 3, "did you mean 'home'?"),
        (["--by", "platfrom"], 3, "did you mean 'platform'?"),
        (["--sessions", "--step-matrix"], 2, "--sessions and --step-matrix"),
        (["--fail-if", "bounce_rate > 0.3"], 4, "bounce_rate"),
        (["--fail-if", "bounce > 0.3"], 2, "did you mean 'bounce_rate'?"),
    ],
)
def test_mistakes_on_the_command_line(
    userops: Callable[..., Any], file: Path, options: list[str], code: int, words: str
) -> None:
    ran = userops("paths", file, *options)
    assert ran.code == code
    assert words in ran.err
    assert "Traceback" not in ran.err


def test_sessions_start_on_the_clock_of_the_zone(userops: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text("user_id,event,time\na,x,2026-03-01T23:50:00Z\na,y,2026-03-02T00:10:00Z\n")
    found = json.loads(
        userops("paths", tmp_path / "events.csv", "--sessions", "--json", "-q", "--tz", "Asia/Shanghai").out
    )
    assert found["rows"] == [
        {"user_id": "a", "session": 1, "started_at": "2026-03-02T07:50:00", "events": 2, "seconds": 1200.0}
    ]
    none = userops("paths", tmp_path / "events.csv", "-q", "--tz", "Asia/Shanghai", "--until", "2026-03-01")
    assert none.code == 3


def test_ids_come_back_as_they_were(userops: Callable[..., Any], tmp_path: Path) -> None:
    rows = SMALL.with_columns(user_id=pl.col("user_id").replace_strict({"ann": 7, "bob": 8}))
    rows.write_parquet(tmp_path / "events.parquet")
    assert userops("paths", tmp_path / "events.parquet", "--sessions", "-q", "-o", tmp_path / "out.parquet").code == 0
    assert pl.read_parquet(tmp_path / "out.parquet")["user_id"].to_list() == [7, 7, 8]
