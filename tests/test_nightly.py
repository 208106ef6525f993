"""The nightly check-up of examples/nightly: what cron and systemd read, and two nights of a small shop."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from posting import Post
from userops import cli

NIGHTLY = Path(__file__).resolve().parents[1] / "examples" / "nightly"
LAST_DAY = "2025-12-31"

pytestmark = pytest.mark.skipif(shutil.which("sh") is None, reason="needs a POSIX shell")


def unit(name: str) -> configparser.ConfigParser:
    """A unit file, its names as they are written; a name given twice would be an error."""
    found = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    found.optionxform = str
    found.read_string((NIGHTLY / name).read_text(encoding="utf-8"))
    return found


def test_the_service_and_the_timer_belong_together() -> None:
    service, timer = unit("userops-check-up.service"), unit("userops-check-up.timer")
    assert timer["Timer"]["Persistent"] == "true"
    assert re.fullmatch(r"\*-\*-\* \d\d:\d\d:\d\d", timer["Timer"]["OnCalendar"])
    assert timer["Install"]["WantedBy"] == "timers.target"
    assert service["Service"]["Type"] == "oneshot"
    assert service["Service"]["SuccessExitStatus"] == "4"
    program, *arguments = shlex.split(service["Service"]["ExecStart"])
    assert (NIGHTLY / Path(program).name).stat().st_mode & 0o111
    assert arguments[0] == "out"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    shutil.copy(NIGHTLY / "check-up.sh", tmp_path / "shop")
    for name in ("userops-check-up.service", "userops-check-up.timer"):
        written = (NIGHTLY / name).read_text(encoding="utf-8").replace("%h", str(tmp_path))
        (tmp_path / name).write_text(written, encoding="utf-8")
    command = ["systemd-analyze", "verify", "--man=no", tmp_path / "userops-check-up.timer"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "userops-check-up" not in ended.stderr, ended.stderr


def test_the_line_of_cron_runs_the_same() -> None:
    (line,) = (line for line in (NIGHTLY / "crontab").read_text().splitlines() if line and line[0] != "#")
    *times, command = line.split(maxsplit=5)
    assert times == ["15", "3", "*", "*", "*"]
    assert "%" not in command  # cron makes line ends of them
    exec_start = shlex.split(unit("userops-check-up.service")["Service"]["ExecStart"])[1:]
    assert shlex.join(exec_start) in command


@pytest.mark.parametrize("script", ["check-up.sh", "check-up.env"])
def test_the_shell_reads_them(script: str) -> None:
    subprocess.run(["sh", "-n", NIGHTLY / script], check=True)


def test_what_the_script_asks_for(tmp_path: Path) -> None:
    stub = tmp_path / "userops"
    stub.write_text('#!/bin/sh\nprintf "%s\\n" "$USEROPS_NOTIFY" "$@" > said\nexit 4\n')
    stub.chmod(0o755)
    (tmp_path / "check-up.env").write_text(
        f"PATH='{tmp_path}:{os.environ['PATH']}'\nUSEROPS_NOTIFY='https://a/?b=c&d'\n"
    )

    def said(*arguments: str) -> list[str]:
        command = [NIGHTLY / "check-up.sh", *arguments]
        ended = subprocess.run(command, cwd=tmp_path, env={**os.environ, "AS_OF": LAST_DAY}, check=False)
        assert ended.returncode == 4  # as userops ended
        return (tmp_path / "said").read_text().splitlines()

    rest = ["--as-of", LAST_DAY, "--history", "out/history", "--fail-on", "error", "-q", "-o", "out/report.html"]
    assert said("out", "or ders.csv") == ["https://a/?b=c&d", "diagnose", "or ders.csv", *rest]
    history = tmp_path / "out" / "history"
    for name in ("2025-12-29.json", "2025-12-30.json", "notes.json"):
        (history / name).write_text("{}")
    assert said("out", "a.csv")[2:5] == ["a.csv", "--compare-with", "out/history/2025-12-30.json"]
    assert subprocess.run([NIGHTLY / "check-up.sh"], capture_output=True, check=False).returncode == 2


@pytest.mark.skipif(
    "diagnose" not in {command.name for command in cli.app.registered_commands}, reason="there is no diagnose yet"
)
def test_two_nights(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    script = programs / "userops"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m userops "$@"\n')
    script.chmod(0o755)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"

    def run(*command: object, **environment: str) -> subprocess.CompletedProcess[str]:
        known = {**os.environ, "PATH": path, "NO_PROXY": "*", **environment}
        words = [str(word) for word in command]
        return subprocess.run(words, cwd=tmp_path, env=known, capture_output=True, text=True, check=False)

    assert run(script, "demo", "--out", ".", "--customers", "300", "-q").returncode == 0
    files = sorted(file.name for file in tmp_path.iterdir() if file.suffix in (".parquet", ".csv"))

    def night(as_of: str) -> int:
        ended = run(NIGHTLY / "check-up.sh", "out", *files, AS_OF=as_of)
        assert ended.returncode in (0, 4), ended.stderr
        assert ended.stderr == ""
        return ended.returncode

    with Post() as post:
        (tmp_path / "check-up.env").write_text(f"USEROPS_NOTIFY='{post.address}'\n")
        first = night("2025-12-30")
        told = len(post.received)
        night(LAST_DAY)
        assert len(post.received) - told <= 1
        told = len(post.received)
        again = night(LAST_DAY)
        assert len(post.received) == told  # beside the report of the same night nothing is new
    kept = sorted(file.name for file in (tmp_path / "out" / "history").iterdir())
    assert kept == ["2025-12-30.json", f"{LAST_DAY}.json"]
    assert (tmp_path / "out" / "report.html").read_text(encoding="utf-8").startswith("<!")
    for _, _, body in post.received:
        assert body["command"] == "diagnose"
        assert body["severity"] in ("error", "warn")
        assert body["report"] == "out/report.html"
    if first == 4 or again == 4:
        assert post.received
    before = (tmp_path / "out" / "report.html").read_bytes()
    ended = run(NIGHTLY / "check-up.sh", "out", "none.parquet", AS_OF=LAST_DAY)
    assert ended.returncode == 3
    assert "none.parquet" in ended.stderr
    assert (tmp_path / "out" / "report.html").read_bytes() == before
