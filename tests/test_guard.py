"""The guard: whatever ends the work, the user gets one line and the right exit code, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="without fork the work runs unguarded")

GUARDED = """
import os, signal, sys, time
from userops.cli_support.diagnostics import Talk
from userops.cli_support.guard import guarded, remember

def note(name, text):
    with open(name, "w") as file:
        file.write(text)

def work():
    remember("left-over"); note("left-over", "half a result")
    os.mkdir("left-folder"); remember("left-folder"); note("left-folder/spool", "rows")
    note("child", str(os.getpid()))
    {work}
    return 0

sys.exit(guarded(work, Talk()))
"""


def start(folder: Path, work: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", GUARDED.format(work=work)]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def child_of(folder: Path) -> int:
    """The process that does the work, once it is at it."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if (folder / "child").exists() and (text := (folder / "child").read_text()):
            return int(text)
        time.sleep(0.01)
    raise AssertionError("the work never began")


def gone(process: int, within: float = 5) -> bool:
    until = time.monotonic() + within
    while time.monotonic() < until:
        try:
            os.kill(process, 0)
            state = Path(f"/proc/{process}/stat")
            if state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True  # dead, and waiting for init to notice
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.01)
    return False


def left_behind(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("left"))


def test_the_exit_code_of_the_work_is_that_of_the_program(tmp_path: Path) -> None:
    process = start(tmp_path, "return 4")
    process.communicate(timeout=10)
    assert process.returncode == 4


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("SIGKILL", "it is damaged, or needs more memory than there is"),
        ("SIGABRT", "it is damaged, or needs more memory than there is"),
        ("SIGSEGV", "it is damaged"),
        ("SIGBUS", "it is damaged"),
    ],
)
def test_a_child_that_dies_is_one_line_and_exit_3(number: str, words: str, tmp_path: Path) -> None:
    process = start(tmp_path, f"os.kill(os.getpid(), signal.{number})")
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out) == (3, "")
    assert err.splitlines()[0] == f"userops: error: reading the input ended with {number}: {words}"
    assert len(err.splitlines()) == 2
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_signal_ends_both_at_once(number: signal.Signals, tmp_path: Path) -> None:
    process = start(tmp_path, "time.sleep(60)")
    child = child_of(tmp_path)
    process.send_signal(number)
    out, err = process.communicate(timeout=5)
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    assert (out, err) == ("", "")
    assert gone(child)
    assert left_behind(tmp_path) == []


def test_a_stop_signal_that_was_ignored_stays_ignored(tmp_path: Path) -> None:
    """``nohup userops ...`` outlives the terminal."""
    command = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", sys.executable, "-c", GUARDED.format(work="time.sleep(0.5)")]
    process = subprocess.Popen(command, cwd=tmp_path)
    child_of(tmp_path)
    process.send_signal(signal.SIGHUP)
    assert process.wait(10) == 0


def test_the_child_does_not_outlive_its_parent(tmp_path: Path) -> None:
    process = start(tmp_path, "time.sleep(60)")
    child = child_of(tmp_path)
    process.kill()
    process.communicate(timeout=5)
    assert gone(child)


def test_native_words_on_descriptor_2_never_reach_the_user(tmp_path: Path) -> None:
    work = 'os.write(2, b"thread panicked at src/lib.rs\\n"); print("ours", file=sys.stderr)'
    process = start(tmp_path, work)
    _, err = process.communicate(timeout=10)
    assert err == "ours\n"


BUG = """
import sys
from userops import rfm
from userops.__main__ import main

def broken(*_, **__):
    raise {raised}

rfm.analyse = broken
sys.argv[0] = "userops"
main()
"""


@pytest.mark.parametrize("raised", ["KeyError('surprise')", "BaseException('surprise')", "RecursionError('surprise')"])
def test_a_bug_is_one_line_and_exit_1(raised: str, shop: Path) -> None:
    command = [sys.executable, "-c", BUG.format(raised=raised), "rfm", str(shop / "orders.parquet"), "-q"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    first, *rest = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (1, "")
    assert first.startswith("userops: error: a bug in userops: ")
    assert "surprise" in first
    assert rest == ["  hint: -vv shows where; please report it"]


def test_a_bug_shows_where_it_is_when_asked(shop: Path) -> None:
    command = [
        sys.executable,
        "-c",
        BUG.format(raised="KeyError('surprise')"),
        "rfm",
        str(shop / "orders.parquet"),
        "-vv",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "in broken" in done.stderr
    assert done.stderr.rstrip().endswith("please report it")


def test_ctrl_c_while_reading_a_pipe(tmp_path: Path) -> None:
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-m", "userops", "rfm", "-"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, cwd=tmp_path,
    )  # fmt: skip
    until = time.monotonic() + 10
    while not list(tmp_path.glob("userops-*/*")) and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    process.wait(timeout=5)  # before its input ends, which is another way to end
    out, err = process.communicate(timeout=5)
    assert (process.returncode, out, err) == (130, b"", b"")
    assert list(tmp_path.iterdir()) == []
