"""Where work runs: how many partitions a limit on memory calls for, the belt around it, and what is told on the way."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from userops import frames, growth, partition, retention, rfm
from userops.cli import app
from userops.cli_support import places, progress
from userops.errors import UsageError
from userops.partition import Need, Place, Reduce
from userops.results import Result

LINUX = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux tells what a process takes")


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("orders")
    rows = 600
    frame = pl.DataFrame(
        {
            "user_id": [f"u{i * 7 % 83}" for i in range(rows)],
            "ordered_at": [datetime(2026, 1 + i % 6, 1 + i % 28, i % 24) for i in range(rows)],
            "amount": [round(i * 1.37 % 90, 2) for i in range(rows)],
        }
    )
    frame.write_parquet(folder / "orders.parquet")
    frame.write_csv(folder / "orders.csv")
    return folder


def run(*words: str | Path) -> tuple[str, str]:
    ended = CliRunner().invoke(app, [str(word) for word in words])
    assert ended.exit_code == 0, ended.output
    return ended.stdout, ended.stderr


# --- sizes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "size"),
    [("800MB", 800_000_000), ("1.5GB", 1_500_000_000), ("2GiB", 2 << 30), ("1500m", 1_500_000_000), ("7", 7)],
)
def test_sizes(text: str, size: int) -> None:
    assert places.parse_size(text, "--memory-limit") == size


@pytest.mark.parametrize("text", ["", "much", "-1GB", "1.5.2GB", "1 GB of it", "GB"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UsageError, match="--memory-limit cannot be"):
        places.parse_size(text, "--memory-limit")


# --- how many partitions ----------------------------------------------------------------------------------------


def count(rows: int, memory: int, need: Need) -> int:
    with partition.working_in(Place(memory=memory)):
        return partition.count_for(rows, need=need)


@given(
    rows=st.integers(1, 10**9),
    need=st.builds(Need, working=st.integers(1, 500), held=st.integers(0, 100)),
    room=st.integers(0, 10**11),
)
def test_the_fewest_partitions_that_fit(rows: int, need: Need, room: int) -> None:
    stays = partition.BASE + rows * need.held
    least = stays + -(-rows * need.working // partition.MOST)
    memory = (least + room) * partition.SPARE // (partition.SPARE - 1) + 2
    free = memory - memory // partition.SPARE - stays
    found = count(rows, memory, need)
    assert 1 <= found <= partition.MOST
    assert rows * need.working <= found * free
    assert found == 1 or rows * need.working > (found - 1) * free


def test_what_cannot_fit_is_refused_with_the_least_that_would_do() -> None:
    need = Need(working=64, held=10)
    with pytest.raises(UsageError, match="0\\.40GB is too small: 100,000,000 rows") as refused:
        count(100_000_000, 400_000_000, need)
    assert refused.value.hint == "the least that would do is --memory-limit 1.62GB"
    assert count(100_000_000, 1_620_000_000, need) <= partition.MOST


def test_without_a_limit_nothing_changes() -> None:
    assert [partition.count_for(n) for n in (None, 12_500_000, 50_000_000)] == [1, 1, 8]
    with partition.working_in(Place(memory=10**12)):
        assert partition.count_for(50_000_000) == 1
    assert partition.count_for(50_000_000) == 8


def test_parts_add_up_to_the_whole() -> None:
    rows = pl.LazyFrame(
        {"user_id": [f"u{i % 11}" for i in range(200)], "n": range(200), "day": [i % 3 for i in range(200)]}
    )
    reduces = {
        "users": Reduce(lambda rows: rows.group_by("user_id").agg(pl.col("n").sum())),
        "days": Reduce(
            lambda rows: rows.group_by("day").agg(pl.col("n").sum(), first=pl.col("n").min(), last=pl.col("n").max()),
            keys=("day",), earliest=("first",), latest=("last",),
        ),
    }  # fmt: skip
    whole, shares = partition.run(rows, reduces, what="rows"), []

    class Watch:
        def __enter__(self) -> object:
            return shares.append

        def __exit__(self, *_: object) -> None: ...

    with partition.working_in(Place(watch=lambda _: Watch())):
        parts = partition.run(rows, reduces, what="rows", partitions=5, prepare=lambda part: part.sort("n"))
    assert parts["users"].sort("user_id").equals(whole["users"].sort("user_id"))
    assert parts["days"].equals(whole["days"])
    assert shares == [0.2, 0.4, 0.6, 0.8, 1.0]


# --- the option -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["orders.parquet", "orders.csv"])
def test_same_bytes_in_more_partitions_and_the_plan_is_told(
    orders: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["rfm", orders / name, "--json"]
    plain, _ = run(*words)
    monkeypatch.setattr(rfm, "NEED", Need(working=500_000, held=0))
    monkeypatch.setattr(places, "_resident", lambda: 0)  # pytest itself takes more
    found, said = run(*words, "-v", "--memory-limit", "450MB")
    assert found == plain
    assert "600 rows in 6 partitions of users" in said


def test_a_limit_below_the_program_itself(orders: Path) -> None:
    ended = CliRunner().invoke(app, ["rfm", str(orders / "orders.parquet"), "--memory-limit", "100MB"])
    assert ended.exit_code == 2
    assert "0.10GB is too small" in ended.stderr and "--memory-limit 0.39GB" in ended.stderr


@LINUX
def test_a_run_that_takes_more_after_all_ends_with_one_line(orders: Path, tmp_path: Path) -> None:
    program = "from userops import partition; partition.BASE = 0; from userops.__main__ import main; main()"
    words = ["rfm", str(orders / "orders.csv"), "--memory-limit", "30MB", "-o", "out.json"]
    ended = subprocess.run(
        [sys.executable, "-c", program, *words],
        capture_output=True, text=True, cwd=tmp_path, check=False, env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert ended.returncode == 3, ended.stderr
    assert "--memory-limit 0.03GB" in ended.stderr and "Traceback" not in ended.stderr
    assert not list(tmp_path.iterdir())


# --- progress ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "share", "elapsed", "words"),
    [
        (None, 0.0, 3.2, "a.csv: 3 s"),
        (1_000, 0.0, 3.2, "a.csv: 1,000 rows, 3 s"),
        (None, 0.25, 4.0, "a.csv: 25%, 12 s left"),
        (50_000_000, 0.25, 4.0, "a.csv: 12,500,000 of 50,000,000 rows, 3,125,000 a second, 12 s left"),
        (10, 1.0, 0.0, "a.csv: 10 of 10 rows, 10,000 a second, 0 s left"),
    ],
)
def test_what_progress_tells(rows: int | None, share: float, elapsed: float, words: str) -> None:
    assert progress.told("a.csv", rows, share, elapsed) == words


def test_nothing_is_shown_of_short_work_nor_off_a_terminal(
    orders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress.Progress().watch("a.csv") as tell:
        tell(0.5)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(progress, "LONG", 0.0)
    assert "rows," not in run("rfm", orders / "orders.parquet", "--json")[1].replace("rows read,", "")


# --- at scale ---------------------------------------------------------------------------------------------------


@LINUX
@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "kind", "rows", "limit"),
    [
        (("rfm",), "parquet", 50_000_000, "1.5GB"),
        (("funnel", "--steps", "event_00,event_01,event_02,event_03"), "events", 100_000_000, "1.5GB"),
    ],
)
def test_the_promise(command: tuple[str, ...], kind: str, rows: int, limit: str, tmp_path: Path) -> None:
    """USEROPS_SCALE=1 measures what is promised; else a tenth of the rows, in as tight a place."""
    whole = "USEROPS_SCALE" in os.environ
    rows, limit = (rows, limit) if whole else (rows // 10, "0.5GB" if kind == "events" else "0.55GB")
    bench = Path(__file__).resolve().parents[1] / "bench" / "data.py"
    made = subprocess.run(
        [sys.executable, bench, str(rows), kind, tmp_path], capture_output=True, text=True, check=True
    )
    words = [sys.executable, "-m", "userops", command[0], made.stdout.strip(), *command[1:], "--json", "-q"]
    plain, _ = _measured(words)
    held, peak = _measured([*words, "--memory-limit", limit])
    assert held == plain
    assert peak <= places.parse_size(limit, "")


_SMALL = """import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)"""
"""A small parent: a process counts what its parent held when it was forked as its own."""


def _measured(words: list[str]) -> tuple[bytes, int]:
    """What a run prints, and the most memory that it or a process of its own took."""
    ran = subprocess.run([sys.executable, "-c", _SMALL, *words], capture_output=True, check=True)
    return ran.stdout, int(ran.stderr.split()[-1]) * 1024


def test_then_makes_the_table_of_each_part_before_parts_add_up() -> None:
    rows = pl.LazyFrame({"user_id": [f"u{n % 7}" for n in range(70)]})
    seen: list[int] = []

    def counted(found: pl.DataFrame) -> pl.DataFrame:
        seen.append(found.height)
        return found.group_by("user_id").agg(n=pl.len().cast(pl.Int64))

    reduce = partition.Reduce(lambda part: part.select("user_id"), keys=("user_id",), then=counted)
    found = [partition.run(rows, {"n": reduce}, what="rows", partitions=n)["n"] for n in (1, 4)]
    assert found[0].rows() == found[1].rows() == [(f"u{n}", 10) for n in range(7)]
    assert len(seen) == 5
    assert sum(seen[1:]) == seen[0] == 70


def _many_weeks() -> frames.Orders:
    days = [datetime(2023, 1, 2) + timedelta(days=n * 37 % 500) for n in range(600)]
    rows = {"order_id": range(600), "user_id": [f"u{n % 40}" for n in range(600)], "ordered_at": days, "amount": 1.0}
    return frames.orders(pl.DataFrame(rows), grain="order")


@pytest.mark.parametrize(
    "analyse", [partial(growth.analyse, period="week"), partial(retention.analyse, period="week"), rfm.analyse]
)
def test_a_number_of_rows_that_is_known_changes_no_number(analyse: Callable[[frames.Orders], Result]) -> None:
    """Where it is known, more is looked at in passing, and weeks beyond a mask are seen first."""
    orders = _many_weeks()
    unknown, known = analyse(orders), analyse(replace(orders, size=600))
    assert known.rows.equals(unknown.rows)
    assert known.summary == unknown.summary
