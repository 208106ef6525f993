"""Killed, interrupted, out of space, unheard: the destination is the old file or the complete new one, and no litter."""

from __future__ import annotations

import gzip
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import polars as pl
import pytest

from processes import complaints, ended, leavings, started, userops

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and descriptors are those of Unix")

OLD = b"what was here before\n"


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """50,000 orders of 5,000 users."""
    file = tmp_path_factory.mktemp("orders") / "orders.csv"
    lines = (f"u{i * 7 % 5000},o{i},2026-{1 + i % 9:02}-{1 + i % 28:02},{i % 97}.25\n" for i in range(50_000))
    file.write_text("user_id,order_id,ordered_at,amount\n" + "".join(lines))
    return file


@pytest.fixture(scope="module")
def tiers(orders: Path) -> bytes:
    """What a run that nobody disturbs writes."""
    file = orders.parent / "tiers.csv"
    assert userops("rfm", orders, "--per-user", "-o", file, temporary=orders.parent).code == 0
    return file.read_bytes()


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    (tmp_path / "temporary").mkdir()
    return tmp_path / "temporary"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A file to be replaced, alone in its folder."""
    (tmp_path / "results").mkdir()
    file = tmp_path / "results/tiers.csv"
    file.write_bytes(OLD)
    return file


def moments(count: int, longest: float = 1.2) -> Iterator[float]:
    """Moments of a run to strike at, the same in every run of the tests."""
    dice = random.Random(20)
    return (dice.uniform(0.02, longest) for _ in range(count))


def child_of(process: int) -> int | None:
    with suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{process}/task/{process}/children").read_text().split()[0])
    return None


def settled(*folders: Path) -> list[str]:
    """What is left in folders once the last process has had a moment to tidy up."""
    until = time.monotonic() + 2
    while (left := leavings(*folders)) and time.monotonic() < until:
        time.sleep(0.02)
    return left


# --- killed ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("victim", ["parent", "child"])
def test_a_killed_run_leaves_the_old_file_or_the_new_one(
    orders: Path, tiers: bytes, target: Path, temporary: Path, victim: str
) -> None:
    ends = set()
    for moment in moments(10):
        target.write_bytes(OLD)
        process = started(["rfm", orders, "--per-user", "-o", target, "-q"], temporary)
        time.sleep(moment)
        struck = process.pid if victim == "parent" else child_of(process.pid)
        if struck:
            with suppress(ProcessLookupError):
                os.kill(struck, signal.SIGKILL)
        run = ended(process)
        assert run.code in ((0, 3) if victim == "child" else (0, -signal.SIGKILL))
        assert settled(target.parent, temporary) == []
        assert target.read_bytes() in (OLD, tiers)
        if run.code == 3:
            assert "userops: error: reading the input ended with SIGKILL" in run.err
        ends.add(run.code)
    assert len(ends) == 2 or child_of(os.getpid()) is None, "the moments miss the run"


def test_a_run_killed_while_it_writes_leaves_the_old_file(orders: Path, target: Path, temporary: Path) -> None:
    for _ in range(5):
        process = started(["rfm", orders, "--per-user", "-o", target, "-q"], temporary)
        wait_for_litter(target.parent)
        assert target.read_bytes() == OLD
        process.kill()
        ended(process)
        assert settled(target.parent, temporary) == []
        if target.read_bytes() != OLD:  # it was done just then
            assert target.read_bytes().count(b"\n") == 5001
            target.write_bytes(OLD)


def test_parent_and_child_killed_at_once_leave_only_files_with_our_name(
    orders: Path, tiers: bytes, target: Path, temporary: Path
) -> None:
    for moment in moments(6):
        process = started(["rfm", orders, "--per-user", "-o", target, "-q"], temporary)
        time.sleep(moment)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        ended(process)
        assert target.read_bytes() in (OLD, tiers)
    strangers = {path for path in target.parent.iterdir() if path != target}
    assert all(path.name.startswith(".tiers.csv.") and path.name.endswith(".userops-tmp") for path in strangers)
    assert all(path.name.startswith("userops-") for path in temporary.iterdir())


def test_the_next_run_clears_away_what_died_a_day_ago(
    orders: Path, tiers: bytes, target: Path, temporary: Path
) -> None:
    stale, recent, stranger = (
        target.with_name(name)
        for name in (
            f".tiers.csv.{'0' * 16}.userops-tmp",
            f".tiers.csv.{'1' * 16}.userops-tmp",
            ".other.csv.userops-tmp",
        )
    )
    for path in (stale, recent, stranger):
        path.write_bytes(b"half")
    for path in (stale, stranger):
        os.utime(path, (time.time() - 2 * 86400,) * 2)
    assert userops("rfm", orders, "--per-user", "-o", target, temporary=temporary).code == 0
    assert target.read_bytes() == tiers
    assert (stale.exists(), recent.exists(), stranger.exists()) == (False, True, True)


def test_a_killed_demo_leaves_whole_files(tmp_path: Path, temporary: Path) -> None:
    shop = tmp_path / "shop"
    for moment in moments(5, 2.0):
        process = started(["demo", "--out", shop, "--customers", "2000", "-q"], temporary)
        time.sleep(moment)
        process.kill()
        ended(process)
        assert settled(tmp_path) == []
        for file in shop.glob("*.parquet"):
            assert pl.read_parquet(file).height > 0


# --- interrupted ------------------------------------------------------------------------------------------------------


def test_an_interrupt_ends_a_run_at_once_and_without_litter(
    orders: Path, tiers: bytes, target: Path, temporary: Path
) -> None:
    codes = []
    for moment in moments(10, 0.8):
        target.write_bytes(OLD)
        process = started(["rfm", orders, "--per-user", "-o", target, "-q"], temporary)
        time.sleep(max(moment, 0.2))
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: parent and child both
        run = ended(process, timeout=3)
        codes.append(run.code)
        assert (run.code, run.err) in ((130, ""), (0, ""), (-signal.SIGINT, ""))  # the last: Python was still starting
        assert target.read_bytes() == (OLD if run.code else tiers)
        assert leavings(target.parent, temporary) == []
    assert 130 in codes


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -15), (signal.SIGHUP, -1)])
def test_a_run_that_waits_for_its_input_can_be_stopped(temporary: Path, number: int, code: int) -> None:
    with started(["rfm", "-"], temporary, stdin=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stderr
        process.stdin.write(b"user_id,ordered_at,amount\n" * 100_000)
        process.stdin.flush()
        wait_for_litter(temporary)
        process.send_signal(number)
        assert process.wait(timeout=3) == code
        assert process.stderr.read() == b""
        assert leavings(temporary) == []


@pytest.mark.parametrize("packed", [True, False], ids=["gz", "plain"])
def test_a_run_that_rewrites_its_input_can_be_interrupted(tmp_path: Path, temporary: Path, packed: bool) -> None:
    row = "用户一,订单,2026-01-01,12.50\n".encode("gb18030")
    content = "用户ID,订单号,下单时间,金额\n".encode("gb18030") + row * 3_000_000
    file = tmp_path / ("orders.csv.gz" if packed else "orders.csv")
    file.write_bytes(gzip.compress(content, 1) if packed else content)
    for moment in moments(3, 0.5):
        process = started(["rfm", file], temporary)
        wait_for_litter(temporary)
        time.sleep(moment)
        process.send_signal(signal.SIGINT)
        run = ended(process, timeout=3)
        assert (run.code, run.err) == (130, "")
        assert leavings(temporary) == []


def wait_for_litter(folder: Path) -> None:
    """Wait until a run has begun to write temporary files."""
    until = time.monotonic() + 15
    while not leavings(folder):
        assert time.monotonic() < until, "the run wrote no temporary file"
        time.sleep(0.001)


# --- no room --------------------------------------------------------------------------------------------------------


def test_a_full_device_is_said_in_one_line(orders: Path, temporary: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    for arguments in (["rfm", orders, "-o", "/dev/full", "-f", "csv"], ["rfm", orders, "--rejects", "/dev/full"]):
        run = userops(*arguments, "-q", temporary=temporary)
        if arguments[2] == "-o":
            assert (run.code, run.err.splitlines()[0]) == (
                2,
                "userops: error: cannot write /dev/full: no space left on device",
            )
        assert complaints(run, temporary) == []
    with open("/dev/full", "wb") as full:
        run = ended(started(["rfm", orders, "--csv", "-q"], temporary, stdout=full))
    assert run.code == 2
    assert run.err.startswith("userops: error: cannot write stdout: no space left on device\n")


@pytest.mark.parametrize("suffix", ["csv", "parquet", "json", "html", "arrow"])
def test_a_result_too_large_for_the_disk_leaves_the_old_file(
    orders: Path, target: Path, temporary: Path, suffix: str
) -> None:
    target = target.rename(target.with_suffix(f".{suffix}"))
    run = userops("rfm", orders, "--per-user", "-o", target, "-q", temporary=temporary, largest_file=8192)
    assert (run.code, complaints(run, temporary)) == (2, [])
    assert run.err.startswith(f"userops: error: cannot write {target}: file too large\n  hint: ")
    assert target.read_bytes() == OLD
    assert leavings(target.parent) == []


def test_no_room_for_temporary_files_is_said_in_one_line(orders: Path, tmp_path: Path, temporary: Path) -> None:
    content = orders.read_bytes()
    for name, data in (
        ("wide.csv", content.decode().encode("utf-16")),
        ("packed.csv.gz", gzip.compress(content)),
        ("quoted.csv", content + b'u1,o"1,2026-01-01,1\n'),
    ):
        (tmp_path / name).write_bytes(data)
        run = userops("rfm", tmp_path / name, "-q", temporary=temporary, largest_file=8192)
        assert (name, run.code, complaints(run, temporary)) == (name, 2, [])
        assert "no space left for temporary data" in run.err
    run = userops("rfm", "-", "-q", temporary=temporary, data=content, largest_file=8192)
    assert (run.code, complaints(run, temporary)) == (2, [])


# --- a destination that is none ----------------------------------------------------------------------------------------


def test_a_reader_that_leaves_is_no_error(orders: Path, temporary: Path) -> None:
    for arguments in (
        ["rfm", orders, "--per-user", "--csv"],
        ["inspect", orders],
        ["rfm", orders, "--json"],
        ["--help"],
    ):
        process = started([*arguments], temporary)
        assert process.stdout
        process.stdout.close()
        process.stdout = None
        run = ended(process)
        assert (run.code, "error" in run.err, leavings(temporary)) == (0, False, [])


def test_places_that_take_no_file_are_refused(orders: Path, tmp_path: Path, temporary: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    (tmp_path / "folder.csv").mkdir()
    places = [orders / "below.csv", "/proc/tiers.csv", tmp_path / "nowhere/tiers.csv", tmp_path / "folder.csv",
              tmp_path / f"{'x' * 300}.csv"]  # fmt: skip
    places += [] if os.geteuid() == 0 else [tmp_path / "closed/tiers.csv"]  # root may write anywhere
    for place in places:
        run = userops("rfm", orders, "-o", place, "-q", temporary=temporary)
        assert (place, run.code, complaints(run, temporary)) == (place, 2, [])
        assert run.err.startswith(f"userops: error: cannot write {place}: ")
        assert "\n  hint: " in run.err


def test_two_runs_at_once_leave_one_complete_file(orders: Path, tiers: bytes, target: Path, temporary: Path) -> None:
    for _ in range(3):
        target.write_bytes(OLD)
        runs = [started(["rfm", orders, "--per-user", "-o", target, "-q"], temporary) for _ in range(3)]
        assert [ended(run).code for run in runs] == [0, 0, 0]
        assert target.read_bytes() == tiers
        assert leavings(target.parent, temporary) == []
